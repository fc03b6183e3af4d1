"""Networks as block diagrams: what they show is what the network computes, to scale, and nothing lies over anything else."""

import json
import math
import re
import warnings

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.viz.figures import apples, groups_of, leaf, texts_of
from tinygrad_edu import models, nn
from tinygrad_edu.models.googlenet import Inception
from viz import draw
from viz.blocks.network import Layer, Map, Way, read
from viz.blocks.repeats import folded, split
from viz.blocks.standing import SIDE, THICKNESS, solid
from viz.layout.clearance import faults, overlapping
from viz.layout.page import READABLE_LETTERS
from viz.look import STYLES
from viz.record.record import trace


def image(*shape, name="x"):
    return tg.Tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32), name=name, requires_grad=True)


def evaluated(net):
    net.eval()
    return net


NETWORKS = {
    "LeNet5": lambda: models.LeNet5()(image(1, 1, 28, 28)),
    "SimpleConvNet": lambda: models.SimpleConvNet()(image(1, 1, 28, 28)),
    "DeepConvNet": lambda: models.DeepConvNet()(image(1, 1, 28, 28)),
    "AlexNet": lambda: models.AlexNet(10, hidden=32)(image(1, 3, 96, 96)),
    "VGG16": lambda: models.VGG16(10, hidden=32)(image(1, 3, 32, 32)),
    "GoogLeNet": lambda: list(models.GoogLeNet(10)(image(2, 3, 64, 64))),
    "ResNet34": lambda: models.ResNet34(10, width=8)(image(2, 3, 64, 64)),
    "ResNet50": lambda: models.ResNet50(10, width=8)(image(2, 3, 64, 64)),
    "MobileNetV2": lambda: models.MobileNetV2(10)(image(2, 3, 64, 64)),
    "UNet": lambda: models.UNet(width=8, depth=3)(image(1, 1, 64, 64)),
    "DeepLabV3": lambda: evaluated(models.DeepLabV3(5, depths=(2, 1, 1, 1), width=8))(image(1, 3, 64, 64)),
    "Autoencoder": lambda: models.Autoencoder(784, 2)(image(5, 784)),
    "DCGAN": lambda: models.DCGAN(100, size=32, features=8).sample(2),
    "discriminator": lambda: models.DCGAN(100, size=32, features=8)(image(2, 1, 32, 32)),
    "Inception": lambda: Inception(16, 8, (6, 8), (2, 4), 4)(image(2, 16, 28, 28)),
}


@pytest.fixture(scope="module")
def made():
    """The result of each network, computed once."""
    found = {}

    def of(name):
        if name not in found:
            found[name] = NETWORKS[name]()
        return found[name]

    return of


def drawn(y, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure = draw(y, style="blocks", **options)
        assert figure.scene
    return figure


def layers_of(network, *kinds):
    return [way.layer for one in network.maps for way in one.ways if way.layer and way.layer.kind in kinds]


# ---------------------------------------------------------------------------------------------------
# What is read


def test_lenet_is_what_its_chapter_draws(made):
    network = read(trace(made("LeNet5")))
    assert [one.shape for one in network.maps] == [
        (1, 28, 28), (6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (400,), (120,), (84,), (10,),
    ]  # fmt: skip
    conv = Layer("convolution", "", (5, 5), (1, 1), ((2, 2), (2, 2)), (1, 1), learned=True)
    assert network.maps[1].ways == (Way(network.maps[0].id, conv, ("Tanh",)),)
    assert [layer.kind for layer in layers_of(network, *KINDS)] == [
        "convolution", "mean_pool", "convolution", "mean_pool", "flatten", "dense", "dense", "dense",
    ]  # fmt: skip


KINDS = ("convolution", "depthwise", "transposed", "max_pool", "mean_pool", "whole", "dense", "flatten", "other")


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_is_there_once_and_every_map_has_the_shape_of_what_is_computed(made, name):
    graph = trace(made(name))
    network = read(graph)
    named = [op.name for op in graph.ops]
    assert len(layers_of(network, "convolution", "depthwise")) == named.count("conv")
    assert len(layers_of(network, "transposed")) == named.count("conv_transpose")
    assert len(layers_of(network, "dense")) == sum(
        op.name == "matmul" and any("Linear" in part.kind for part in op.scope) for op in graph.ops
    )
    shapes = {value.id: value.shape for value in graph.values}
    for one in network.maps:
        assert one.shape == shapes[one.id][1:], "but for the examples"
        sources = [network.by_id[way.source] for way in one.ways]
        if one.join == "concat":
            assert one.channels == sum(source.channels for source in sources)
        elif one.join == "+":
            assert all(way.layer or network.by_id[way.source].shape == one.shape for way in one.ways)
        elif one.ways and one.ways[0].layer.kind == "flatten":
            assert math.prod(one.shape) == math.prod(sources[0].shape)
    seen = {way.source for one in network.maps for way in one.ways}
    ends = [one for one in network.maps if one.id not in seen]
    assert len(ends) == sum(use.op is None for use in graph.uses), "what leads nowhere is what comes out"


def test_what_works_number_by_number_is_written_behind_the_layer(made):
    (first, *_) = layers_of(read(trace(made("MobileNetV2"))), "depthwise")
    assert (first.kernel, first.groups, first.learned) == ((3, 3), 32, True)
    maps = read(trace(made("ResNet34"))).maps
    assert maps[1].ways[0].after == ("BatchNorm", "ReLU")
    total = next(one for one in maps if one.join == "+")
    assert [way.after for way in total.ways] == [("BatchNorm",), ()]
    assert total.after == ("ReLU",)
    assert evaluated_like(maps) == evaluated_like(
        read(trace(evaluated(models.ResNet34(10, width=8))(image(2, 3, 64, 64)))).maps
    )


def evaluated_like(maps):
    """Return what maps say in training and in evaluation alike, where a batch normalization is several operations."""
    return [(one.shape, one.join, one.after, [(way.layer, way.after) for way in one.ways]) for one in maps]


def test_a_network_by_hand_of_leaves_and_functions_is_read_too():
    w1, b1, w2 = leaf(np.ones((4, 8)), "W1"), leaf(np.zeros(8), "b1"), leaf(np.ones((8, 3)), "W2")
    kernel = leaf(np.ones((4, 1, 3, 3)), "K")
    x = image(5, 1, 4, 4)
    h = nn.functional.max_pool2d(tg.relu(nn.functional.conv2d(x, kernel, padding=1)), 2)
    for y in (np.tanh(image(5, 4) @ w1 + b1) @ w2, h):
        figure = drawn(y)
        assert all(one.shape for one in figure.network.maps)
    assert [one.shape for one in figure.network.maps] == [(1, 4, 4), (4, 4, 4), (4, 2, 2)]
    assert figure.network.maps[1].ways[0].after == ("ReLU",)


@pytest.mark.parametrize(
    ("net", "shape", "said"),
    [
        (lambda: nn.Sequential(nn.Conv1d(4, 8, 3, dilation=2), nn.ReLU()), (2, 4, 20), "4 @ 20 (conv 3, dilation 2, ReLU) → 8 @ 16."),
        (lambda: nn.Conv3d(1, 4, (1, 3, 3), stride=(1, 2, 2)), (2, 1, 8, 9, 9), "1 @ 8×9×9 (conv 1×3×3, stride 1×2×2) → 4 @ 8×4×4."),
        (lambda: nn.Conv2d(4, 8, 3, groups=2), (2, 4, 9, 9), "4 @ 9×9 (conv 3×3, 2 groups) → 8 @ 7×7."),
        (lambda: nn.Sequential(nn.Linear(4, 3), nn.Softmax(-1)), (2, 4), "4 (dense, Softmax) → 3."),
        (lambda: nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(1, 2, 1)), (2, 1, 8, 8), "1 @ 8×8 (mean pool 2×2) → 1 @ 4×4."),
    ],
)  # fmt: skip
def test_windows_of_every_number_of_axes_are_said(net, shape, said):
    assert said in drawn(net()(image(*shape))).text().replace("y: ", "").split("\n")


# ---------------------------------------------------------------------------------------------------
# What repeats


def test_equal_blocks_are_drawn_once_and_counted(made):
    network = read(trace(made("ResNet34")))
    small = folded(network)
    assert [(len(fold.maps), fold.times, fold.name) for fold in small.folds] == [
        (2, n, "BasicBlock") for n in (3, 3, 5, 2)
    ]
    left_out = sum(len(fold.maps) * (fold.times - 1) for fold in small.folds)
    assert len(small.maps) + left_out == len(network.maps)
    assert {way.source for one in small.maps for way in one.ways} <= {one.id for one in small.maps}
    assert [len(part) for part in split(network)][:4] == [1, 1, 1, 2]
    figure = drawn(made("ResNet34"))
    titles = [text.text for text in figure.scene.texts if text.role == "title"]
    assert titles == ["BasicBlock × 3", "BasicBlock × 3", "BasicBlock × 5", "BasicBlock × 2"]
    assert "The last 2 lines stand for 5 equal parts (BasicBlock × 5)." in figure.text()
    assert evaluated_like(drawn(made("ResNet34"), collapse=None).network.maps) == evaluated_like(network.maps)


def test_layers_of_a_row_are_counted_from_three_on():
    def deep(n):
        return nn.Sequential(*[layer for _ in range(n) for layer in (nn.Linear(8, 8), nn.ReLU())])

    assert drawn(deep(2)(image(2, 8))).network.folds == ()
    (fold,) = drawn(deep(5)(image(2, 8))).network.folds
    assert (len(fold.maps), fold.times, fold.name) == (1, 5, "")


def test_modules_that_are_chosen_are_one_layer_each():
    net = models.GoogLeNet(10, aux_logits=False)
    y = evaluated(net)(image(1, 3, 64, 64))
    one = drawn(y, collapse=[net.inception3a])
    assert [way.layer.name for m in one.network.maps for way in m.ways if way.layer and way.layer.kind == "other"] == [
        "Inception"
    ]
    every = drawn(y, collapse=2)
    assert (
        sum(way.layer is not None and way.layer.name == "Inception" for m in every.network.maps for way in m.ways) == 9
    )
    assert layers_of(every.network, "convolution")[0].kernel == (7, 7), "what is a layer by itself keeps its window"
    assert not every.network.folds, "modules of one size that compute otherwise are not counted as equal"
    assert all(m.learned for m in every.network.maps if m.ways and m.ways[0].layer.name == "Inception")
    assert len(drawn(y, fit="16:9").network.maps) == len(every.network.maps), "else no letter could be read"


# ---------------------------------------------------------------------------------------------------
# Where it stands


@pytest.mark.parametrize(
    ("name", "fit"),
    [*((name, fit) for name in NETWORKS for fit in (None, "16:9")), ("MobileNetV2", "A4"), ("UNet", "A4")],
)
def test_nothing_lies_over_anything_else(made, name, fit):
    figure = drawn(made(name), fit=fit)
    assert faults(figure.scene) == 0
    assert overlapping(figure.scene) == []


@pytest.mark.parametrize("name", NETWORKS)
def test_letters_on_a_slide_can_be_read(made, name):
    assert drawn(made(name), fit="16:9").letter_height >= READABLE_LETTERS


def test_small_letters_are_warned_of_and_said(made):
    figure = draw(made("MobileNetV2"), style="blocks", fit="16:9", collapse=None)
    with pytest.warns(UserWarning, match=r"the letters of this figure are \d+\.\d points high"):
        scene = figure.scene
    said = " ".join(text.text for text in scene.texts if text.role == "note")
    assert f"letters are {figure.letter_height:.1f} points" in said


def test_maps_are_drawn_to_scale():
    one, other = (solid(Map("v", shape, 2, ())) for shape in ((3, 28, 28), (64, 7, 7)))
    assert one.high / other.high == pytest.approx(math.log2(29) / math.log2(8))
    assert (one.high, one.thick) == (SIDE * math.log2(29), THICKNESS * math.log2(4))
    assert other.thick > one.thick
    assert solid(Map("v", (100,), 0, ())).high == SIDE * math.log2(101)
    assert solid(Map("v", (3, 20), 1, ())).dx == 0


def test_a_window_is_as_large_as_its_share_of_the_map(made):
    shapes = {shape.id: shape for shape in drawn(made("LeNet5")).scene.shapes}
    x, first, second = read(trace(made("LeNet5"))).maps[:3]
    window, side = shapes[f"{first.id}-way0-window"], shapes[f"{x.id}-side"]
    high = solid(x).high
    assert window.points[2][1] - window.points[1][1] == pytest.approx(high * 5 / 28)
    assert abs(window.x - side.x) < 1e-9
    assert abs(window.y - side.y) < 1e-9
    assert f"{second.id}-way0-window" in shapes


def test_every_way_of_a_fork_shows_its_window(made):
    figure = drawn(made("Inception"))
    shapes = {shape.id for shape in figure.scene.shapes}
    reading = [
        f"{one.id}-way{k}-window"
        for one in figure.network.maps
        for k, way in enumerate(one.ways)
        if way.layer is not None and way.layer.kernel
    ]
    assert len(reading) == 7
    assert set(reading) <= shapes


def test_a_window_is_drawn_where_what_is_read_goes_on_in_another_row(made):
    figure = drawn(made("VGG16"), fit="16:9")
    shapes = {shape.id for shape in figure.scene.shapes}
    assert {id for id in shapes if id.endswith("-again-front")}
    for one in figure.network.maps:
        for k, way in enumerate(one.ways):
            if way.layer is not None and way.layer.kernel:
                assert shapes & {f"{one.id}-way{k}-window", f"{way.source}-onward0-window"}


def test_a_way_that_is_cut_has_the_same_letter_at_both_ends(made):
    figure = drawn(made("UNet"), fit="A4")
    letters = [text.text for text in figure.scene.texts if text.role == "key"]
    assert len(letters) > 2
    assert sorted(letters) == sorted([*{*letters}] * 2)
    assert not any(text.role == "key" for text in drawn(made("UNet")).scene.texts)


def test_what_is_cut_off_or_made_to_be_joined_is_a_part_of_what_joins_it():
    y = models.UNet(width=8, depth=2, padding=0)(image(1, 1, 108, 108))
    figure = drawn(y)
    shapes = {shape.id: shape for shape in figure.scene.shapes}
    for one in figure.network.maps:
        if one.join == "concat":
            parts = [shapes[f"{one.id}-front{k}"].width for k in range(2)]
            assert sum(parts) == pytest.approx(shapes[f"{one.id}-front"].width)
            assert parts[0] == pytest.approx(parts[1]), "both have half of the channels"
    assert [text.text for text in figure.scene.texts if text.text == "crop"] == ["crop"] * 2


def test_every_map_and_way_is_drawn_with_its_size(made):
    for name in ("GoogLeNet", "UNet", "ResNet50"):
        figure = drawn(made(name), collapse=None, fit="A4")
        shapes = {shape.id for shape in figure.scene.shapes}
        lines = {line.id for line in figure.scene.lines} | {
            line.id.replace("-again", "") for line in figure.scene.lines
        }
        written = {text.id.partition("-text")[0]: text for text in figure.scene.texts if text.bold}
        letters = sum("-from" in line for line in lines)
        ways = [(one, k) for one in figure.network.maps for k in range(len(one.ways))]
        assert sum(f"{one.id}-way{k}-forward" in lines for one, k in ways) + letters == len(ways)
        for one in figure.network.maps:
            assert f"{one.id}-front" in shapes
            assert written[one.id].text == figure.naming.size(one)


# ---------------------------------------------------------------------------------------------------
# Files, words, options


def test_it_is_written_in_every_format(made, tmp_path):
    figure = drawn(made("ResNet34"), fit="16:9")
    for format in figure.formats:
        assert figure.save(tmp_path / f"a.{format}").stat().st_size > 1000
    svg = figure.svg()
    groups = groups_of(svg)
    for thing in (*figure.scene.shapes, *figure.scene.lines, *figure.scene.texts):
        assert thing.id in groups, "each element can be found"
    assert "64 @ 16×16" not in texts_of(svg)
    assert "8 @ 16×16" in texts_of(svg)
    assert "<desc>x: 3 @ 64×64." in svg
    assert f'aria-label="{figure.name}"' in svg
    assert "Network of ResNet" in figure.name
    width, height = (float(x) / 72 for x in re.search(r'width="(\d+)pt" height="(\d+)pt"', svg).groups())
    assert max(width / 13.333, height / 7.5) == pytest.approx(0.92, abs=0.04)
    assert r"-- cycle;" in figure.tikz()
    maps = json.loads(figure.json())["maps"]
    assert [tuple(one["shape"]) for one in maps] == [one.shape for one in figure.network.maps]
    assert repr(figure) == f"<block diagram of {len(maps)} maps>"


def test_it_is_built_up_map_by_map(made, tmp_path):
    figure = drawn(made("LeNet5"))
    frames = figure.frames()
    assert len(frames) == len(figure.network.maps)
    assert frames.save(tmp_path / "a.svg").stat().st_size > 1000
    assert figure.told(1).startswith("1 @ 28×28 (conv 5×5")
    first = frames[0].dot()
    assert first.count("c 7 -") == 3, "of the solids, the first alone"
    assert frames[-1].dot().count("c 7 -") == figure.dot().count("c 7 -") > 20


def test_themes_and_languages(made):
    figure = drawn(made("LeNet5"), lang="ko", theme="print")
    assert "1 @ 28×28 (합성곱 5×5, 패딩 2, Tanh) → 6 @ 28×28." in figure.text()
    assert "완전연결" in texts_of(figure.svg())
    assert not any("파랑" in text for text in texts_of(figure.svg())), "this theme has no blue"
    assert "#16181D" in drawn(made("LeNet5"), theme="dark").svg()
    said = drawn(made("LeNet5"), title="LeNet-5", caption="It reads digits.", fit="16:9")
    assert {"LeNet-5", "It reads digits."} <= set(texts_of(said.svg()))
    assert said.name == "LeNet-5"
    assert said.text().endswith("It reads digits.")
    assert faults(said.scene) == 0
    assert "N" in drawn(made("LeNet5"), sizes={10: "N"}).text().split()[-1]


def test_a_name_with_signs_of_control_is_written_as_a_line():
    y = nn.Linear(4, 3)(image(2, 4, name="a\nb\x07" + "c" * 50))
    figure = drawn(y)
    assert not any(ord(c) < 32 for text in figure.scene.texts for c in text.text)
    figure.svg().encode()
    assert max(len(text.text) for text in figure.scene.texts if text.role == "value") <= 24


def test_what_is_no_network_is_refused(made, tmp_path):
    assert "blocks" in STYLES
    x = leaf(3.0, "x")
    for y in (x * x, apples(), leaf(np.ones(3)).sum()):
        with pytest.raises(ValueError, match=r"shows the layers of a network: .* draw it in the style 'book'"):
            draw(y, style="blocks")
    for option, value in (
        ("grad", "blank"),
        ("show", "value"),
        ("wrt", "x"),
        ("direction", "backward"),
        ("panels", True),
    ):
        with pytest.raises(ValueError, match=rf"{option}= is not for the style 'blocks', which takes collapse, sizes"):
            draw(made("LeNet5"), style="blocks", **{option: value})
    with pytest.raises(ValueError, match=r"on a page of 2 × 1 inches .* and 20 are wanted; draw less"):
        draw(made("LeNet5"), style="blocks", fit=(2.0, 1.0), font_size=20).save(tmp_path / "a.svg")
    with pytest.raises(ValueError, match="not a depth"):
        draw(made("LeNet5"), style="blocks", collapse=0)
    assert list(tmp_path.iterdir()) == []
    y = models.LeNet5()(image(1, 1, 28, 28)).sum()
    y.backward(retain_graph=False)
    with pytest.raises(RuntimeError, match="freed"):
        draw(y, style="blocks")

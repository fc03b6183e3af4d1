"""Networks that go down and up again are drawn as a U, whatever they are called; others are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tests.viz.test_blocks import NETWORKS, drawn, image
from tinygrad_edu import models, nn
from viz.blocks.hourglass import hourglass
from viz.blocks.network import Network, read
from viz.layout.clearance import faults, overlapping
from viz.record.record import trace


class Plain(nn.Module):
    """Down by convolutions of stride 2, up by transposed ones, what is skipped added or joined; nothing says what it is."""

    def __init__(self, depth, join="+", blocks=1):
        widths = [4 * 2**k for k in range(depth + 1)]
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.down = nn.ModuleList([nn.Conv2d(a, 2 * a, 3, stride=2, padding=1) for a in widths[:-1]])
        self.up = nn.ModuleList([nn.ConvTranspose2d(2 * a, a, 2, stride=2) for a in widths[-2::-1]])
        self.more = nn.ModuleList(
            [
                nn.Sequential(*[nn.Conv2d(a * (1 + (join != "+" and k == 0)), a, 3, padding=1) for k in range(blocks)])
                for a in widths[-2::-1]
            ]
        )
        self.join = join

    def forward(self, x):
        kept = [tg.relu(self.first(x))]
        for layer in self.down:
            kept.append(tg.relu(layer(kept[-1])))
        y = kept.pop()
        for layer, more in zip(self.up, self.more, strict=True):
            y, skipped = layer(y), kept.pop()
            y = more(skipped + y if self.join == "+" else np.concatenate([skipped, y], 1))
        return y


class Late(nn.Module):
    """What is skipped is joined only behind a further layer."""

    def __init__(self):
        self.a, self.b = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.u, self.v = nn.ConvTranspose2d(16, 8, 2, stride=2), nn.Conv2d(8, 8, 3, padding=1)
        self.w = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, x):
        a = tg.relu(self.a(x))
        y = tg.relu(self.b(nn.functional.max_pool2d(a, 2)))
        return self.w(np.concatenate([tg.relu(self.v(self.u(y))), a], 1))


@pytest.mark.parametrize("name", NETWORKS)
def test_of_the_networks_of_the_chapters_one_is_a_u(name):
    assert (hourglass(read(trace(NETWORKS[name]()))) is not None) == (name == "UNet")


def test_without_a_skip_it_is_none():
    net = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU(), nn.ConvTranspose2d(4, 1, 2, stride=2))
    assert hourglass(read(trace(net(image(1, 1, 16, 16))))) is None
    assert hourglass(Network(())) is None


class Jump(nn.Module):
    """Down in two steps and up in one, past a level."""

    def __init__(self):
        self.a, self.b = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, stride=2, padding=1)
        self.c, self.u = nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ConvTranspose2d(16, 4, 4, stride=4)

    def forward(self, x):
        a = tg.relu(self.a(x))
        return self.u(tg.relu(self.c(tg.relu(self.b(a))))) + a


def test_what_goes_up_past_a_level_is_drawn_in_a_row():
    figure = drawn(Jump()(image(1, 1, 16, 16)))
    assert hourglass(figure.network) is None
    assert faults(figure.scene) == 0


@settings(max_examples=8, deadline=None)
@given(
    depth=st.integers(1, 3),
    join=st.sampled_from(["+", "concat"]),
    blocks=st.integers(1, 3),
    fit=st.sampled_from([None, "16:9", "4:3"]),
)
def test_it_goes_down_on_the_left_and_up_on_the_right(depth, join, blocks, fit):
    figure = drawn(Plain(depth, join, blocks)(image(1, 1, 32, 32)), fit=fit, collapse=None)
    scene = figure.scene
    assert faults(scene) == 0
    assert overlapping(scene) == []
    levels = hourglass(figure.network)
    assert [level.depth for level in levels] == [*range(depth + 1), *reversed(range(depth))]
    if any("-again" in shape.id for shape in scene.shapes):
        return  # it was put into rows, for larger letters
    shapes = {shape.id: shape for shape in scene.shapes}
    lines = {line.id: line for line in scene.lines}
    heights = [shapes[f"{level.maps[0].id}-front"].y for level in levels]
    assert heights[: depth + 1] == sorted(heights[: depth + 1], reverse=True)
    for k in range(depth):
        left, right = levels[k], levels[-1 - k]
        assert heights[k] == pytest.approx(heights[-1 - k]), "levels of one size are level"
        assert shapes[f"{left.maps[-1].id}-front"].x < shapes[f"{right.maps[0].id}-front"].x
        ((way, one),) = right.skips
        (x0, y0), (x1, y1) = lines[f"{one.id}-way{one.ways.index(way)}-forward"].points
        assert y0 == y1, "what is skipped leads straight across"
        assert x0 < x1


@pytest.mark.parametrize("fit", [None, "16:9", "4:3", "A4", "column"])
@pytest.mark.parametrize(
    "net",
    [
        Late(),
        models.UNet(width=4, depth=4),
        models.UNet(width=4, depth=2, padding=0),
        models.UNet(width=4, depth=1, batch_norm=True),
    ],
    ids=["late", "depth 4", "padding 0", "depth 1"],
)
def test_nothing_lies_over_anything_else(net, fit):
    figure = drawn(net(image(2, 1, 76, 76)), fit=fit)
    assert faults(figure.scene) == 0
    assert overlapping(figure.scene) == []


def test_what_is_joined_late_is_led_over_what_is_between():
    figure = drawn(Late()(image(1, 1, 16, 16)))
    joined = next(one for one in figure.network.maps if one.join == "concat")
    line = next(line for line in figure.scene.lines if line.id == f"{joined.id}-way1-forward")
    between = [shape for shape in figure.scene.shapes if line.points[0][0] < shape.x < line.points[-1][0]]
    assert len(line.points) == 4
    assert line.points[1][1] > max(shape.y + shape.height / 2 for shape in between if shape.shape == "face")


def test_each_step_of_a_u_is_told_and_what_is_drawn_as_a_part_too():
    figure = drawn(models.UNet(width=4, depth=2)(image(1, 1, 16, 16)))
    told = "\n".join(figure.told(step) for step in figure.frame_steps)
    assert told == figure.text()
    assert len(figure.frames()) == len(figure.network.maps) - 2


def test_what_reads_a_map_in_the_next_level_appears_with_what_it_makes():
    figure = drawn(models.UNet(width=4, depth=1)(image(1, 1, 16, 16)))
    pool = next(one for one in figure.network.maps if one.ways and one.ways[0].layer.kind == "max_pool")
    window = next(shape for shape in figure.scene.shapes if shape.id == f"{pool.ways[0].source}-onward0-window")
    assert window.step == figure.steps[f"{pool.id}-front"]

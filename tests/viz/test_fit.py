"""Figures that fit a page: in rows, close together, and with letters that can be read; nothing is lost on the way."""

import random
import re
import warnings
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.viz.figures import apples, attention, fruit, leaf
from tests.viz.test_boxes import by_cells, encoder_and_decoder, two_layers, whole
from tests.viz.test_places import (
    FIGURES,
    batch_norm,
    layers,
    memory_cell,
    micrograd,
    nothing_wrong,
    sigmoid,
    softmax_with_loss,
    unrolled,
    xor,
)
from tests.viz.test_random_graphs import arrays, program, scalars
from tinygrad_edu import nn
from viz import draw, folded
from viz.__main__ import main
from viz.layout import rows
from viz.layout.clearance import struck
from viz.layout.columns import columns
from viz.layout.page import FILLED, PAPER
from viz.layout.plan import make_plan
from viz.layout.rows import below_each_other, in_rows, letters_at_most, possible_rows
from viz.layout.scene import Scene, Shape
from viz.layout.spacing import CLOSE, ROOMY, spacing_of
from viz.record.sharing import loops


def layer_norm():
    x = leaf(np.arange(8.0).reshape(2, 4), "x")
    centred = x - np.mean(x, axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + 1e-5) * leaf(np.ones(4), "gamma") + leaf(np.zeros(4), "beta")


def lstm_cell():
    x, h, c = (tg.Tensor(np.ones((2, n)), name=name) for name, n in (("x", 3), ("h", 4), ("c", 4)))
    a = x @ leaf(np.ones((3, 16)), "Wx") + h @ leaf(np.ones((4, 16)), "Wh") + leaf(np.zeros(16), "b")
    f, g, i, o = (a[:, k : k + 4] for k in range(0, 16, 4))
    c = tg.sigmoid(f) * c + tg.sigmoid(i) * np.tanh(g)
    return (tg.sigmoid(o) * np.tanh(c)).sum()


class Block(nn.Module):
    def __init__(self, n):
        self.first, self.second = nn.Linear(n, n), nn.Linear(n, n)

    def forward(self, x):
        return tg.relu(x + self.second(tg.relu(self.first(x))))


def residual():
    return nn.Sequential(*[Block(4) for _ in range(3)])(tg.Tensor(np.ones((2, 4), np.float32), name="x"))


def tangled(seed, count=14):
    choose = random.Random(seed)
    values = [leaf(k / 4 + 0.1, f"x{k}") for k in range(4)]
    for _ in range(count):
        a, b = choose.choice(values[-6:]), choose.choice(values[-6:])
        values.append(choose.choice((np.add, np.subtract, np.multiply, lambda a, b: np.tanh(a)))(a, b))
    return values[-1] + values[-2]


def fitted(make, fit="16:9", **options):
    """A figure, whatever it warns of."""
    figure = draw(make(), fit=fit, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert figure.scene
    return figure


LEAST = [
    (xor, 12.0), (layer_norm, 12.0), (batch_norm, 12.0), (attention, 12.0), (softmax_with_loss, 12.0), (lstm_cell, 10.5),
    (micrograd, 9.0), (residual, 14.0), (sigmoid, 18.0), (layers, 12.0), (memory_cell, 12.0),
]  # fmt: skip


@pytest.mark.parametrize(("make", "least"), LEAST, ids=[make.__name__ for make, _ in LEAST])
def test_letters_on_a_slide_can_be_read(make, least):
    figure = fitted(make)
    assert figure.letter_height >= least
    nothing_wrong(figure.scene)
    if make is not residual:
        assert len(figure.graph.ops) == len(draw(make(), collapse=None).graph.ops), "it is drawn in full"


@pytest.mark.parametrize("seed", range(8))
def test_nothing_lies_over_anything_else_on_random_graphs(seed):
    """Or no more than where nothing is moved."""
    from viz.layout.clearance import faults, overlapping

    figure, usual = fitted(lambda: tangled(seed), collapse=None), draw(tangled(seed), collapse=None).scene
    assert faults(figure.scene) <= faults(usual)
    assert len(overlapping(figure.scene)) <= len(overlapping(usual))


@pytest.mark.parametrize("fit", [*PAPER, (10.0, 3.0)])
@pytest.mark.parametrize("make", [fruit, sigmoid, softmax_with_loss])
def test_a_figure_fills_its_page(make, fit):
    figure = fitted(make, fit)
    width, height = (float(x) / 72 for x in re.search(r'width="(\d+)pt" height="(\d+)pt"', figure.svg()).groups())
    page = fit if isinstance(fit, tuple) else PAPER[fit]
    share = max(width / page[0], height / page[1])
    assert FILLED - 0.02 < share <= 1.0, "with the white around the drawing"


@pytest.mark.parametrize("make", [*FIGURES, micrograd, lambda: unrolled(5)])
def test_rows_have_everything_once_and_lines_go_on_where_their_letter_is(make):
    figure = draw(make(), collapse=None)
    plan = make_plan(figure.graph, figure.labels, CLOSE, 2)
    column = columns(plan)
    kinds = {place.id: place.classes for place in plan.places}
    for row in possible_rows(plan, (900.0, 500.0)):
        rows = in_rows(plan, row)
        places = [place for each in rows for place in each.places]
        assert len({place.id for place in places}) == len(places)
        assert {p.id for p in places if p.classes != "link"} == {p.id for p in plan.places}
        wires = [wire for each in rows for wire in each.wires]
        assert len({wire.id for wire in wires}) == len(wires)
        assert {wire.id for wire in wires if not wire.id.endswith("-begun")} == {wire.id for wire in plan.wires}
        links = {}
        for k, each in enumerate(rows):
            own = {place.id for place in each.places}
            assert all(wire.source in own and wire.target in own for wire in each.wires)
            for place in each.places:
                if place.classes == "link":
                    links.setdefault(place.lines[0].text, []).append((k, place.id.rpartition("-")[0]))
        for (k, left), (later, arrived) in links.values():
            assert (left, k < later) == (arrived, True)
        at = {place.id: k for k, each in enumerate(rows) for place in each.places}
        ops = sorted((place for place in kinds if "op" in kinds[place].split()), key=column.__getitem__)
        assert [at[op] for op in ops] == sorted(at[op] for op in ops), "rows are in the order of computing"


STEPPED = {
    "three steps": lambda: unrolled(3), "six steps": lambda: unrolled(6), "two layers": two_layers,
    "encoder and decoder": encoder_and_decoder, "RNN": whole(nn.RNN), "GRU": whole(nn.GRU), "LSTM cells": by_cells(nn.LSTMCell),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPPED)
def test_rows_begin_between_the_steps_of_a_loop(name):
    figure = draw(STEPPED[name](), collapse=None)
    steps = [[figure.graph.ops[k].id for k in step] for loop in loops(figure.graph) for step in loop]
    assert steps
    plan = make_plan(figure.graph, figure.labels, CLOSE, 2)
    rows = possible_rows(plan, (900.0, 500.0))
    assert rows
    for row in rows:
        assert all(len({row[op] for op in step}) == 1 for step in steps)


def test_loops_side_by_side_may_be_cut_anywhere():
    figure = draw(unrolled(4) * unrolled(4), collapse=None)
    plan = make_plan(figure.graph, figure.labels, CLOSE, 2)
    assert len(possible_rows(plan, (600.0, 900.0))[0]) == len(figure.graph.ops)


LONG = {
    **{f"{n} steps": lambda n=n: unrolled(n) for n in (5, 6, 10)},
    **{f"{n} {kind.__name__}s": by_cells(kind, n) for n in (5, 10) for kind in (nn.RNNCell, nn.GRUCell, nn.LSTMCell)},
    **{f"{kind.__name__} of {n}": whole(kind, n) for n in (5, 10) for kind in (nn.RNN, nn.GRU, nn.LSTM)},
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_recurrent_nets_can_be_read_on_a_slide(name):
    figure = fitted(LONG[name])
    assert figure.letter_height >= 12.0
    nothing_wrong(figure.scene)
    symbols = [op.symbol for op in figure.graph.ops]
    if "of" not in name:  # what the layer returns of all steps does not fit
        assert symbols[0] == symbols[-2 if "Cell" in name else -4], "the first step is seen, and the last"
        assert sum("more times" in symbol for symbol in symbols) <= 1


@pytest.mark.parametrize("steps", [5, 8])
def test_steps_with_a_loss_each_have_no_faults(steps):
    def make():
        w, u, b, v = (
            leaf(np.ones(shape), name) for name, shape in (("Wx", (2, 3)), ("Wh", (3, 3)), ("b", 3), ("V", (3, 2)))
        )
        h, loss = tg.Tensor(np.zeros((1, 3)), name="h0"), 0.0
        for k in range(steps):
            h = np.tanh(tg.Tensor(np.ones((1, 2)), name=f"x{k + 1}") @ w + h @ u + b)
            loss = loss + nn.functional.cross_entropy(h @ v, np.zeros(1, int))
        return loss

    figure = fitted(make)
    assert [op.symbol for op in figure.graph.ops] == ["step", f"⋯ {steps - 2} more times ⋯", "step"]
    nothing_wrong(figure.scene)


def test_the_last_step_after_those_left_out_is_not_cut_either():
    figure = fitted(lambda: unrolled(10))
    ((first, cloud, last),) = loops(figure.graph)
    assert [len(first), len(cloud), len(last)] == [4, 1, 4]
    at = {place.id: k for k, row in enumerate(figure._fitted[0]) for place in row.places}
    for step in (first, last):
        assert len({at[figure.graph.ops[k].id] for k in step}) == 1


@pytest.mark.parametrize("fit", ["16:9", "column"])
@pytest.mark.parametrize("seed", range(0, 40, 3))
def test_letters_are_never_higher_than_what_is_measured_first_says(seed, fit):
    figure = draw(program(seed), collapse=None, fit=fit)
    most = max(letters_at_most(*way) for way in folded._directions(figure.graph, figure.labels, figure.look))
    assert folded.ways_to_fit(figure.graph, figure.labels, figure.look)[0].letters <= most


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("seed", [5, 16, 17, 25])
def test_a_figure_of_60_operations_is_measured_a_few_times(seed, monkeypatch):
    """What is folded more and more is laid out in rows only where it may be high enough."""
    choose, measured = random.Random(seed), []
    make = choose.choice((scalars, arrays))
    output = make(choose, 28 if seed in (5, 16) else 36)
    expected = rows._expected
    monkeypatch.setattr(rows, "_expected", lambda *args: measured.append(args) or expected(*args))
    assert 45 < len(draw(output, collapse=None).graph.ops) < 60
    draw(output, fit="16:9")
    assert len(measured) < 130


@pytest.mark.parametrize("make", [lstm_cell, xor, micrograd, memory_cell, softmax_with_loss])
def test_circles_do_not_touch_where_things_stand_close(make):
    circles = [shape for shape in fitted(make).scene.shapes if shape.shape == "circle"]
    for a, b in combinations(circles, 2):
        assert np.hypot(a.x - b.x, a.y - b.y) >= (a.width + b.width) / 2 + CLOSE.under - 1.0, (
            "Graphviz rounds to points"
        )


def test_no_line_passes_close_by_the_letter_of_another():
    figure = fitted(softmax_with_loss)
    letters = [text for text in figure.scene.texts if text.role == "key"]
    assert letters
    stray = figure.scene.lines[0]
    for text in letters:
        at = text.x + text.width / 2 + 2.0
        passing = replace(stray, points=((at, text.y - 20), (at, text.y + 20)), head="", tail="")
        assert (text.id.removesuffix("-text0"), stray.id) in struck(replace(figure.scene, lines=(passing,)))


def test_rows_stand_under_each_other_and_begin_at_the_left():
    def box(id, x, y, height):
        return Scene((Shape(id, "op", "box", x, y, 10.0, height, 0),), (), ())

    scene = below_each_other([box("a", 50.0, 7.0, 20.0), box("b", -3.0, 99.0, 40.0)])
    (a, b) = scene.shapes
    assert (a.x, b.x) == (5.0, 5.0)
    assert b.y + 20.0 < a.y - 10.0


def test_each_use_is_drawn_and_a_cut_line_says_value_and_derivative_on_both_sides():
    figure = fitted(sigmoid)
    lines = {line.id for line in figure.scene.lines}
    assert {f"{use.id}-forward" for use in figure.graph.uses} <= lines
    assert {f"{use.id}-backward" for use in figure.graph.uses if use.flows} <= lines
    cut = [wire for wire in figure.plan.wires if wire.id.endswith("-begun")]
    assert cut
    for wire in cut:
        on = next(other for other in figure.plan.wires if other.id == wire.id.removesuffix("-begun"))
        assert (wire.above, wire.below) == (on.above, on.below)
    letters = [text.text for text in figure.scene.texts if text.role == "key"]
    assert sorted(letters) == sorted([*{*letters}] * 2)


def test_a_blank_is_asked_for_once_where_a_line_is_cut():
    figure = fitted(sigmoid, grad="blank")
    blanks = [text for text in figure.scene.texts if text.role == "blank"]
    assert len(blanks) == sum(use.flows and use.op is not None for use in figure.graph.uses)


def test_a_link_is_not_called_like_a_value():
    figure = fitted(attention)
    assert "A" not in [text.text for text in figure.scene.texts if text.role == "key"]


def test_a_short_figure_stays_as_it_is():
    assert fitted(apples).scene == draw(apples()).scene


def test_a_figure_that_fits_can_be_written_in_every_format(tmp_path):
    figure = fitted(xor)
    for format in ("svg", "png", "pdf", "tex", "html", "json", "md", "txt", "dot"):
        assert figure.save(tmp_path / f"f.{format}").stat().st_size > 100
    assert "transform shape" in figure.tikz()
    assert "scale=" not in draw(xor()).tikz()
    assert len(figure.frames()) > 10


@pytest.mark.parametrize("direction", ["forward", "backward", "side-by-side"])
def test_every_direction_fits(direction):
    figure = fitted(sigmoid, direction=direction)
    left, bottom, right, top = figure.scene.bounds()
    assert figure.letter_height * (right - left) / 14 <= FILLED * 72 * 13.4
    assert figure.letter_height * (top - bottom) / 14 <= FILLED * 72 * 7.6


def test_small_letters_are_warned_of_and_said():
    figure = draw(micrograd(), fit="16:9")
    with pytest.warns(UserWarning, match=r"13\.333 × 7\.5 inches the letters of this figure are \d+\.\d points high"):
        scene = figure.scene
    assert any(f"{figure.letter_height:.1f} points" in text.text for text in scene.texts)


def test_letters_asked_for_fold_a_figure_or_are_refused(tmp_path):
    assert draw(residual(), fit="16:9", font_size=14).letter_height >= 14
    figure = draw(fruit(), fit=(2.0, 1.0), font_size=20)
    with pytest.raises(ValueError, match=r"on a page of 2 × 1 inches .* and 20 are wanted; draw less"):
        figure.save(tmp_path / "small.svg")
    assert not (tmp_path / "small.svg").exists()


def test_equal_blocks_are_one_box():
    figure = draw(residual(), fit="16:9")
    assert [op.symbol for op in figure.graph.ops] == ["Block × 3"]
    assert "0 of 21 operations" in figure.graph.notes[0]
    assert "Block × 3" in figure.html()


def test_distances_and_letters_without_a_page():
    usual, close = draw(fruit()), draw(fruit(), spacing=0)
    (left, _, right, _), (left0, _, right0, _) = usual.scene.bounds(), close.scene.bounds()
    assert right0 - left0 < 0.75 * (right - left)
    nothing_wrong(close.scene)
    assert draw(fruit(), spacing=1, font_size=14).svg() == usual.svg()
    large = draw(fruit(), font_size=28)
    widths = [int(re.search(r'width="(\d+)pt"', figure.svg())[1]) for figure in (large, usual)]
    assert widths[0] == pytest.approx(2 * widths[1], abs=20)
    assert (usual.letter_height, large.letter_height) == (14.0, 28.0)


def test_spacing_lies_between_close_and_usual():
    assert (spacing_of(0.0), spacing_of(1.0)) == (CLOSE, ROOMY)
    assert CLOSE.circle < spacing_of(0.5).circle < ROOMY.circle < spacing_of(1.5).circle


WRONG = [
    ({"fit": "16:10"}, ValueError, r"fit='16:10' is not known; choose one of '16:9', '4:3', 'A4', 'column', or give"),
    ({"fit": 3}, TypeError, "fit= takes a page, but got int 3; choose one of"),
    ({"fit": (3, 2, 1)}, TypeError, "fit= takes a page"),
    ({"fit": ("a", 2)}, TypeError, "is not a width and a height"),
    ({"fit": (-3, 2)}, ValueError, "has a side that is not above 0; choose"),
    ({"fit": (3, float("nan"))}, ValueError, "has a side that is not above 0"),
    ({"font_size": 0}, ValueError, "font_size=0 is not the size of letters, in points above 0"),
    ({"font_size": "large"}, TypeError, "font_size= takes the size of letters, .* but got str 'large'"),
    ({"spacing": -1}, ValueError, "spacing=-1 is not how wide things stand apart, from 0 on"),
    ({"spacing": True}, TypeError, "spacing= takes how wide"),
    ({"fit": "A4", "style": "record"}, ValueError, "fit in the style 'record'"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "error", "said"), WRONG)
def test_what_cannot_be_fitted_is_refused(options, error, said):
    with pytest.raises(error, match=said):
        draw(apples(), **options)


def test_the_command_line_fits_figures(tmp_path, capsys):
    path = tmp_path / "f.svg"
    assert main(["sigmoid(x * w + b) * v", "x=1", "w=2", "b=-1", "v=3", "--fit", "16:9", "-o", str(path)]) == 0
    assert re.search(r'width="(\d+)pt"', path.read_text())
    assert main(["x * w", "x=1", "w=2", "--fit", "6x4", "--spacing", "0", "--font-size", "9", "-o", str(path)]) == 0
    with pytest.raises(SystemExit):
        main(["x * w", "x=1", "w=2", "--fit", "16:10"])
    assert "'16:10' is none of 16:9, 4:3, A4, column, and no width and height" in capsys.readouterr().err

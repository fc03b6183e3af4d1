"""Figures that run down: the same as those that run to the right, with values on the left and derivatives on the right."""

import warnings
from functools import cache

import numpy as np
import pytest

from tests.viz.figures import SVG, apples, attention, fan_out, fruit, groups_of, leaf
from tests.viz.test_boxes import cell, chapter, encoder_and_decoder, residual, several
from tests.viz.test_places import FIGURES, nothing_wrong, sigmoid, softmax_with_loss, two_results, unrolled, xor
from viz import draw
from viz.__main__ import main
from viz.layout.page import FILLED, PAPER


@cache
def down(make, **options):
    figure = draw(make(), collapse=None, **{"flow": "down", **options})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert figure.scene
    return figure


MADE = (*FIGURES, chapter, cell, residual, several, encoder_and_decoder, two_results, xor, lambda: unrolled(3))


@pytest.mark.parametrize("make", MADE)
def test_figures_that_run_down_have_no_faults(make):
    nothing_wrong(down(make).scene)


@pytest.mark.parametrize("make", [fruit, softmax_with_loss, chapter])
def test_values_are_on_the_left_of_arrows_that_run_down_and_derivatives_on_the_right(make):
    figure = down(make)
    lines = {line.id: line for line in figure.scene.lines}
    texts = {text.id: text for text in figure.scene.texts}
    for line in figure.scene.lines:
        rises = line.points[-1][1] > line.points[0][1]
        assert rises == line.backward
    for wire in figure.plan.wires:
        for side, sign in (("above", -1), ("below", 1)):
            for k, words in enumerate(getattr(wire, side) if side == "above" or wire.flows else ()):
                text = texts[f"{wire.id}-{side}-text{k}"]
                assert (text.text, text.width, text.height) == (words.text, words.width, words.height)
                line = lines[f"{wire.id}-{'forward' if side == 'above' else 'backward'}"]
                near = [
                    x for (x, y0), (x1, y1) in zip(line.points, line.points[1:], strict=False)
                    if abs(x - x1) < 0.5 and min(y0, y1) - 1 <= text.y <= max(y0, y1) + 1
                ]  # fmt: skip
                assert near
                edge = text.box[2] if sign < 0 else text.box[0]
                assert any(0 < sign * (edge - x) < 12 for x in near), "beside its arrow, on its own side"
                assert text.anchor == ("end" if sign < 0 else "start")


def test_inputs_stand_from_left_to_right():
    at = {text.text: text.x for text in down(fruit).scene.texts if text.role == "name"}
    assert at["apples"] < at["apple"] < at["orange"] < at["oranges"]
    at = {text.text: text.x for text in down(chapter).scene.texts if text.role == "name"}
    assert at["a₁"] < at["a₂"] < at["a₃"]
    assert at["t₁"] < at["t₂"] < at["t₃"]


@pytest.mark.parametrize("make", [fruit, fan_out, chapter, residual, lambda: unrolled(3), attention])
def test_it_says_and_shows_what_the_other_does(make):
    one, other = draw(make(), collapse=None), down(make)
    assert one.text() == other.text()
    for part in ("shapes", "lines", "texts"):
        assert {thing.id: thing.step for thing in getattr(one.scene, part)} == {
            thing.id: thing.step for thing in getattr(other.scene, part)
        }
    assert sorted(text.text for text in one.scene.texts) == sorted(text.text for text in other.scene.texts)
    (left, bottom, right, top), (x0, y0, x1, y1) = one.scene.bounds(), other.scene.bounds()
    assert right - left > x1 - x0
    assert y1 - y0 > top - bottom


def test_in_every_format(tmp_path):
    figure = down(fruit)
    for format in ("svg", "png", "pdf", "tex", "html", "json", "md", "txt", "dot"):
        assert figure.save(tmp_path / f"f.{format}").stat().st_size > 100
    groups = groups_of(figure.svg())
    price = groups["u8-forward"].find(f"{SVG}polygon").get("points").split()
    tips = [float(point.split(",")[1]) for point in price]
    assert tips[1] == max(tips), "the head points down"
    assert len(figure.frames()) == len(draw(fruit()).frames())
    figure.frames().save(tmp_path / "f.svg")
    pytest.importorskip("pptx")
    assert figure.save(tmp_path / "f.pptx").stat().st_size > 1000


@pytest.mark.parametrize("direction", ["forward", "backward", "side-by-side"])
def test_in_every_direction(direction):
    scene = down(fan_out, direction=direction).scene
    nothing_wrong(scene)
    assert {line.backward for line in scene.lines} == {
        "forward": {False}, "backward": {True}, "side-by-side": {False, True},
    }[direction]  # fmt: skip


def test_separate_parts_stand_beside_each_other():
    def two():
        return [np.tanh(leaf(1.0, "a")), np.tanh(leaf(2.0, "b"))]

    for panels in (False, True):
        circles = [s for s in down(two, panels=panels).scene.shapes if s.shape == "circle"]
        assert circles[0].x < circles[1].x
        assert circles[0].y == pytest.approx(circles[1].y)


def test_a_page_that_is_higher_than_wide_is_filled_as_its_letters_are_higher():
    for make, page in ((sigmoid, "column"), (apples, "column"), (attention, "A4"), (softmax_with_loss, "A4")):
        chosen = down(make, fit=page, flow=None)
        right = down(make, fit=page, flow="right")
        assert chosen.letter_height >= 0.99 * min(right.letter_height, 18.0)
        nothing_wrong(chosen.scene)
        left, bottom, r, top = chosen.scene.bounds()
        width, height = (FILLED * 72 * side for side in PAPER[page])
        assert max((r - left) / width, (top - bottom) / height) * chosen.zoom == pytest.approx(1.0, abs=0.01)
    assert down(sigmoid, fit="column", flow=None).plan.spacing.down
    assert (
        down(sigmoid, fit="column", flow=None).letter_height
        > 1.5 * down(sigmoid, fit="column", flow="right").letter_height
    )
    assert not down(sigmoid, fit="16:9", flow=None).plan.spacing.down


def test_columns_of_a_figure_that_runs_down_go_on_where_their_letter_is():
    figure = down(lambda: unrolled(5), fit="16:9")
    letters = [text.text for text in figure.scene.texts if text.role == "key"]
    assert letters
    assert sorted(letters) == sorted([*{*letters}] * 2)
    nothing_wrong(figure.scene)


def test_what_does_not_flow_is_refused(tmp_path):
    with pytest.raises(ValueError, match="flow='up' is not known; choose one of 'right', 'down'"):
        draw(apples(), flow="up")
    with pytest.raises(ValueError, match="flow in the style 'record'='down'"):
        draw(apples(), flow="down", style="record")
    assert main(["x * w", "x=1", "w=2", "--flow", "down", "-o", str(tmp_path / "f.svg")]) == 0

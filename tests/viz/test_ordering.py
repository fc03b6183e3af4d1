"""Rows in the order that was asked for: leaves and outputs."""

import itertools
import random
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.viz.figures import SVG, fruit, layered, leaf, polynomial
from viz import draw
from viz.__main__ import main
from viz.layout.clearance import faults, overlapping

FRUIT = ("apples", "apple", "orange", "oranges", "tax")


def rows(figure, names):
    """Return the names in the order in which they stand on the figure, from above."""
    at = {text.text: text.y for text in figure.scene.texts if text.role == "name"}
    return tuple(sorted(names, key=lambda name: -at[name]))


@pytest.mark.parametrize("order", random.Random(0).sample([*itertools.permutations(FRUIT)], 8))
def test_leaves_stand_in_any_order(order):
    figure = draw(fruit(), order=order)
    assert rows(figure, FRUIT) == order
    assert faults(figure.scene) == 0
    assert overlapping(figure.scene) == []


def test_only_what_is_named_is_put_in_order():
    assert rows(draw(fruit(), order=("tax", "apples")), ("apples", "tax")) == ("tax", "apples")
    usual = rows(draw(fruit()), FRUIT)
    assert usual == rows(draw(fruit(), order=()), FRUIT) == rows(draw(fruit(), order=["tax"]), FRUIT)


@pytest.mark.parametrize("order", [*itertools.permutations("pqr")])
def test_outputs_stand_in_any_order(order):
    x = leaf(1.0, "x")
    outputs = {"p": np.exp(x), "q": np.sin(x), "r": x * 2.0}
    figure = draw([*outputs.values()], names=outputs, order=order)
    assert rows(figure, "pqr") == order
    assert faults(figure.scene) == 0


def test_separate_parts_stand_in_the_order_of_their_leaves_with_their_results():
    leaves = [leaf(float(k), f"s{k}") for k in range(4)]
    results = {f"y{k}": np.exp(x) * 2.0 for k, x in enumerate(leaves)}
    figure = draw([*results.values()], names=results, order=["s2", "s0", "s3", "s1"])
    assert rows(figure, ("s₀", "s₁", "s₂", "s₃")) == ("s₂", "s₀", "s₃", "s₁")
    assert rows(figure, ("y₀", "y₁", "y₂", "y₃")) == ("y₂", "y₀", "y₃", "y₁")
    assert faults(figure.scene) == 0


def test_leaves_of_different_columns_and_in_layers_stand_in_order():
    x, late = leaf(0.5, "x"), leaf(2.0, "late")
    y = tg.sigmoid(tg.sigmoid(tg.sigmoid(x))) * late
    assert rows(draw(y, order=["late", "x"]), ("x", "late")) == ("late", "x")
    figure = draw(layered(), order=["bias₁", "x"])
    assert rows(figure, ("x", "bias₁")) == ("bias₁", "x")
    assert faults(figure.scene) == 0


def test_a_leaf_with_a_row_of_its_own_is_not_drawn_at_each_use():
    x, y = leaf(3.0, "x"), leaf(2.0, "y")
    product = x * x * x * x * y
    assert [text.text for text in draw(product).scene.texts].count("x") == 4
    figure = draw(product, order=["y", "x"])
    assert [text.text for text in figure.scene.texts].count("x") == 1
    assert rows(figure, "xy") == ("y", "x")


def test_rows_keep_their_order_on_a_page_and_in_other_directions():
    order = FRUIT[::-1]
    for options in ({"fit": "16:9"}, {"direction": "forward"}, {"spacing": 0.3}, {"grad": "symbol"}):
        figure = draw(fruit(), order=order, **options)
        assert rows(figure, FRUIT) == order
        assert faults(figure.scene) == 0
    page = draw(layered(), order=["bias₁", "x"]).html()
    assert "bias₁" in page


def test_a_figure_that_runs_down_has_its_leaves_from_the_left():
    for order in (FRUIT, FRUIT[::-1]):
        figure = draw(fruit(), order=order, flow="down")
        at = {text.text: text.x for text in figure.scene.texts if text.role == "name"}
        assert sorted(FRUIT, key=at.__getitem__) == [*order]
        assert faults(figure.scene) == 0


@pytest.mark.parametrize(
    ("order", "error", "said"),
    [
        ("apple", TypeError, r"order= takes leaves and outputs, by tensors or names, as in \('b', 'a'\), but got str"),
        (["nope"], ValueError, "no value is called 'nope'"),
        (["apple", "apple"], ValueError, "order= names 'apple' twice"),
        ([3], ValueError, "3 is not in this figure"),
    ],
)
def test_an_order_that_is_not_understood(order, error, said):
    with pytest.raises(error, match=said):
        draw(fruit(), order=order)


def test_what_is_computed_on_the_way_has_no_row():
    y = polynomial()
    with pytest.raises(ValueError, match="order= takes leaves and outputs, but '3x³' is computed on the way"):
        draw(y, order=[y.inputs[0].inputs[0]])
    with pytest.raises(ValueError, match="order= is for the style 'book'"):
        draw(fruit(), style="plain", order=["apple"])


def test_the_command_line_orders(tmp_path):
    heights = []
    for order in (["a", "c"], ["c", "a"]):
        assert main(["a * b + c", "a=1", "b=2", "c=3", "-o", str(tmp_path / "a.svg"), "--order", *order]) == 0
        texts = ET.parse(tmp_path / "a.svg").iter(f"{SVG}text")
        heights.append({text.text: float(text.get("y")) for text in texts})
    assert heights[0]["a"] < heights[0]["c"]
    assert heights[1]["c"] < heights[1]["a"]

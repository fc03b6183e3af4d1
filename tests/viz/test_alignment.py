"""Heights of large figures: nothing overlaps, the order is kept, long wires are straight, a chain is level."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tests.viz.figures import leaf
from tests.viz.test_large import recurrent, tangled
from tinygrad_edu import nn
from viz import draw
from viz.layout.alignment import LEAST_APART, balanced, compact
from viz.layout.clearance import overlapping
from viz.layout.columns import columns, waypoints


class Loss(nn.Module):
    def forward(self, *inputs):
        return sum(inputs[1:], inputs[0])


@pytest.mark.parametrize("count", [3, 6])
@pytest.mark.parametrize("fit", [None, "16:9"])
def test_a_box_is_as_high_as_what_arrives_and_in_its_middle(count, fit):
    inputs = [leaf(float(k), f"a{k}") if k < 3 else tg.Tensor(float(k), name=f"t{k}") for k in range(count)]
    scene = draw(Loss()(*inputs), collapse="all", fit=fit).scene
    (box,) = (shape for shape in scene.shapes if shape.shape == "box")
    (out,) = (line.points for line in scene.lines if line.tail == box.id and not line.backward)
    ways = [line.points for line in scene.lines if line.head == box.id and not line.backward]
    ys = [points[-1][1] for points in ways]
    assert all(points[0][1] == points[-1][1] for points in ways), "all arrive level"
    assert max(ys) <= box.y + box.height / 2
    assert min(ys) >= box.y - box.height / 2
    assert box.height <= max(ys) - min(ys) + 32.0
    assert out[0][1] == pytest.approx(box.y + 5.0)


@pytest.mark.parametrize("fit", [None, (60.0, 20.0)])
def test_layers_whose_results_are_used_again_stand_in_a_row(fit):
    """And do not go down like stairs, one lower than the other."""
    h, kept = leaf(np.ones((2, 4)), "x"), []
    for layer in [nn.Linear(4, 4, dtype=float) for _ in range(5)]:
        h = layer(h)
        kept.append(h)
    figure = draw(np.concatenate(kept).sum(), collapse="all", fit=fit)
    ys = [shape.y for shape in figure.scene.shapes if shape.shape == "box"]
    assert len(ys) == 5
    assert max(ys) - min(ys) < 8.0


@st.composite
def layered(draw_):
    """Layers of names, pairs between neighbouring layers, and which of the names are on long wires."""
    counts = draw_(st.lists(st.integers(1, 6), min_size=1, max_size=7))
    layers = [[f"{k}-{i}" for i in range(n)] for k, n in enumerate(counts)]
    pairs = [(a, b) for one, other in pairwise(layers) for a in one for b in other]
    chosen = draw_(st.lists(st.sampled_from(pairs), unique=True, max_size=25)) if pairs else []
    names = [name for layer in layers for name in layer]
    long = set(draw_(st.lists(st.sampled_from(names), max_size=8)))
    sizes = {name: draw_(st.sampled_from([4.0, 24.0, 54.0])) for name in names}
    return layers, chosen, sizes, long


@given(layered())
def test_the_order_and_the_distances_are_kept(drawn):
    layers, pairs, sizes, long = drawn
    found = balanced(layers, pairs, sizes, long)
    assert set(found) == set(sizes)
    for layer in layers:
        for a, b in pairwise(layer):
            assert found[b] - found[a] >= (sizes[a] + sizes[b]) / 2 + LEAST_APART - 1e-6


def test_what_is_long_is_straight_and_what_crosses_it_is_not():
    layers = [["s", "t"], ["a", "b"], ["c", "d"], ["e", "f"]]
    long = {"a", "d", "f"}
    pairs = [("s", "a"), ("a", "d"), ("d", "f"), ("t", "b"), ("b", "c"), ("c", "e")]
    found = balanced(layers, pairs, dict.fromkeys("stabcdef", 20.0), long)
    assert found["a"] == found["d"] == found["f"]
    assert found["b"] != found["c"]
    without = balanced(layers, pairs, dict.fromkeys("stabcdef", 20.0), set())
    assert without["a"] != without["d"]


def test_one_stands_level_with_the_middle_of_its_neighbours():
    sizes = dict.fromkeys("abcx", 20.0)
    found = balanced([["a", "b", "c"], ["x"]], [("a", "x"), ("b", "x"), ("c", "x")], sizes, set())
    assert found["x"] == found["b"]
    found = balanced([["x"], ["a", "b"]], [("x", "a"), ("x", "b")], sizes, set())
    assert found["x"] == pytest.approx((found["a"] + found["b"]) / 2)


def test_what_comes_before_stands_as_near_as_can_be():
    layers = [["a", "b"], ["c", "d", "e"]]
    root = {"a": "a", "b": "b", "c": "c", "d": "d", "e": "b"}
    found = compact(layers, root, dict.fromkeys(root, 40.0 - LEAST_APART))
    assert found == {"a": 40.0, "b": 80.0, "c": 0.0, "d": 40.0, "e": 80.0}


def test_the_longest_way_is_level_and_a_large_figure_is_no_higher_than_a_small_one():
    small, large = (draw(recurrent(n), collapse=None).scene for n in (3, 60))
    heights = [top - bottom for _, bottom, _, top in (small.bounds(), large.bounds())]
    assert heights[1] <= heights[0] + 60
    h = leaf(0.5, "x")
    for k in range(250):
        h = np.sin(h) if k % 2 else h * 1.5
    for _ in range(30):
        h = np.tanh(np.sin(h)) * h
    scene = draw(h, collapse=None).scene
    assert len({round(shape.y, 3) for shape in scene.shapes if shape.shape == "circle"}) == 1


def test_a_large_tangle_in_full_has_nothing_upon_anything_else():
    figure = draw(tangled(300), collapse=None)
    assert len(figure.plan.wires) >= 200
    assert overlapping(figure.scene) == []
    column = columns(figure.plan)
    ways = {line.id: line.points for line in figure.scene.lines}
    long = [ways[f"{wire.id}-forward"] for wire in figure.plan.wires if len(waypoints(wire, column)) > 10]
    assert len(long) > 30
    assert np.median([len(points) for points in long]) <= 6, "off, level, and on to its target"

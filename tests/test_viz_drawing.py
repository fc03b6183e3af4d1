"""Figures as they are drawn: where things are, in each format, step by step, and what happens when something is missing."""

import io
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import tinygrad_edu as tg
import viz.drawing
from tinygrad_edu import nn
from tinygrad_edu.engine.recording import tracing
from viz import draw, draw_backward, trace
from viz.formats import render
from viz.layout.clearance import beheaded, crossed, faults, haloed, loose, merged, overlapping, struck
from viz.record.graph import users

SVG = "{http://www.w3.org/2000/svg}"


def leaf(x, name=None):
    return tg.Tensor(x, requires_grad=True, name=name)


def apples():
    price = leaf(100.0, "apple") * leaf(2.0, "count") * leaf(1.1, "tax")
    price.name = "price"
    return price


def fruit():
    price = (leaf(2.0, "apples") * leaf(100.0, "apple") + leaf(150.0, "orange") * leaf(3.0, "oranges")) * leaf(
        1.1, "tax"
    )
    price.name = "price"
    return price


def fan_out():
    x = leaf(3.0, "x")
    return x * x + x


def sigmoid():
    return np.reciprocal(1 + np.exp(leaf(0.5, "x") * -1))


def skip():
    x = leaf(3.0, "x")
    s = nn.functional.relu(x * leaf(2.0, "W") + leaf(1.0, "b")) * leaf(2.0, "W2") + x
    return np.where(s > 0, s, 0.0)


def softmax_with_loss():
    exps = [np.exp(leaf(a, f"a{k}")) for k, a in enumerate((0.3, 2.9, 4.0), 1)]
    inverse = np.reciprocal(exps[0] + exps[1] + exps[2])
    targets = [tg.Tensor(t, name=f"t{k}") for k, t in enumerate((0.0, 1.0, 0.0), 1)]
    logs = [t * np.log(e * inverse) for t, e in zip(targets, exps, strict=True)]
    return (logs[0] + logs[1] + logs[2]) * -1


def affine():
    return leaf(np.ones((5, 2)), "X") @ leaf(np.ones((2, 3)), "W") + leaf(np.ones(3), "B")


def batch_norm():
    x = leaf(np.arange(6.0).reshape(3, 2), "x")
    centred = x - np.mean(x, axis=0)
    spread = np.sqrt(np.mean(centred**2, axis=0) + 1e-5)
    return centred / spread * leaf(np.ones(2), "gamma") + leaf(np.ones(2), "beta")


def layers():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    return nn.functional.cross_entropy(model(tg.Tensor(np.ones((4, 2), np.float32), name="x")), np.zeros(4, int))


FIGURES = (apples, fruit, fan_out, sigmoid, skip, softmax_with_loss, affine, batch_norm, layers)


def unrolled(steps):
    w, u, h = leaf(0.5, "Wx"), leaf(0.9, "Wh"), tg.Tensor(0.0, name="h0")
    for k in range(steps):
        h = np.tanh(tg.Tensor(k + 1.0, name=f"x{k + 1}") * w + h * u)
    return h


def unrolled_arrays():
    w, u, b = leaf(np.ones((2, 3)), "Wx"), leaf(np.eye(3), "Wh"), leaf(np.zeros(3), "b")
    h = tg.Tensor(np.zeros((1, 3)), name="h0")
    for k in range(3):
        h = np.tanh(tg.Tensor(np.ones((1, 2)), name=f"x{k + 1}") @ w + h @ u + b)
    return h


def two_by_two():
    h1, h2 = tg.sigmoid(leaf(0.05, "h1")), tg.sigmoid(leaf(0.1, "h2"))
    v = [leaf(x, f"v{k}") for k, x in enumerate((0.4, 0.45, 0.5, 0.55))]
    return [h1 * v[0] + h2 * v[1], h1 * v[2] + h2 * v[3]]


def micrograd():
    a, b = leaf(-4.0, "a"), leaf(2.0, "b")
    c = a + b
    d = a * b + b**3
    c = c + c + 1
    c = c + 1 + c + (-a)
    d = d + d * 2 + tg.relu(b + a)
    d = d + 3 * d + tg.relu(b - a)
    f = (c - d) ** 2
    g = f / 2.0
    g = g + 10.0 / f
    g.name = "g"
    return g


def roots():
    a, b, c = leaf(1.0, "a"), leaf(-3.0, "b"), leaf(2.0, "c")
    d = np.sqrt(b * b - 4 * a * c)
    return [(-b + d) / (2 * a), (-b - d) / (2 * a)]


def picked():
    a, b = leaf(np.arange(4.0).reshape(2, 2), "a"), leaf(np.arange(4.0).reshape(2, 2), "b")
    return np.concatenate([a[:, :], b[::-1], a[[0, 0]]])


def xor():
    x, y = tg.Tensor(1.0, name="x1"), tg.Tensor(0.0, name="x2")
    h = [tg.sigmoid(x * leaf(0.3 + k, f"w{k}") + y * leaf(k - 0.3, f"u{k}") + leaf(0.1, f"b{k}")) for k in (1, 2)]
    return tg.sigmoid(h[0] * leaf(0.5, "v1") + h[1] * leaf(0.7, "v2") + leaf(0.1, "c"))


def memory_cell():
    gates = [leaf(0.1 * k + 0.2, name) for k, name in enumerate(("Wf", "Wi", "Wo", "Wg"))]
    z, c = tg.Tensor(0.8, name="z"), tg.Tensor(0.2, name="c")
    forget, add, out = [tg.sigmoid(z * w) for w in gates[:3]]
    c = forget * c + add * np.tanh(z * gates[3])
    return [out * np.tanh(c), c]


def attention():
    q, k, v = (leaf(np.random.default_rng(0).standard_normal((4, 8)), name) for name in "QKV")
    a = nn.functional.softmax(q @ k.T / np.sqrt(8.0), axis=-1)
    a.name = "A"
    return a @ v


def polynomial():
    x = leaf(2.0, "x")
    return 3 * x**3 - 2 * x**2 + 5 * x


def logistic():
    x, t = tg.Tensor(2.0, name="x"), tg.Tensor(1.0, name="t")
    y = tg.sigmoid(leaf(0.5, "w") * x + leaf(-0.3, "b"))
    return -(t * np.log(y) + (1 - t) * np.log(1 - y))


def diamonds():
    a = np.sin(leaf(1.5, "x"))
    b = a * a
    return (b + a) * b + a


def stable():
    x = leaf(np.array([1.0, 2.0, 3.0]), "x")
    m = np.max(x)
    return np.log(np.exp(x - m).sum()) + m


def squares():
    x, t = tg.Tensor([1.0, 2.0, 3.0], name="x"), tg.Tensor([2.0, 4.0, 6.0], name="t")
    return np.mean((leaf(1.0, "w") * x - t) ** 2)


def constant_used_twice():
    c = tg.Tensor(3.0, name="c")
    return c * leaf(2.0, "w") + c * leaf(5.0, "v")


def softmax_in_boxes():
    class Soft(nn.Module):
        def forward(self, a):
            e = [np.exp(x) for x in a]
            total = e[0] + e[1] + e[2]
            return [x / total for x in e]

    return Soft()([leaf(0.3, "a1"), leaf(2.9, "a2"), leaf(4.0, "a3")])


def two_results():
    s, log = np.linalg.slogdet(leaf(np.array([[2.0, 1.0], [1.0, 3.0]]), "A"))
    return s * log


FURTHER = {
    "rnn2": lambda: draw(unrolled(2)),
    "rnn3": lambda: draw(unrolled(3)),
    "rnn4": lambda: draw(unrolled(4), collapse=None),
    "rnn of arrays": lambda: draw(unrolled_arrays(), collapse=None),
    "formulas": lambda: draw(polynomial(), grad="symbol"),
    "forward": lambda: draw(fan_out(), direction="forward"),
    "side by side": lambda: draw(fan_out(), direction="side-by-side"),
    "backward": lambda: draw(diamonds(), direction="backward"),
    "softmax forward": lambda: draw(softmax_with_loss(), direction="forward", join_sums=True),
    "backward pass": lambda: draw_backward(fruit()),
    "another backward pass": lambda: draw_backward(diamonds()),
    "exercise": lambda: draw(diamonds(), grad="blank"),
    "xor": lambda: draw(xor(), collapse=None),
    **{
        make.__name__: lambda make=make: draw(make())
        for make in (
            two_by_two, micrograd, roots, picked, memory_cell, attention, polynomial, logistic, diamonds, stable, squares,
            constant_used_twice, softmax_in_boxes, two_results,
        )
    },
}  # fmt: skip


def groups_of(svg):
    """The elements of an SVG by their ids."""
    return {group.get("id"): group for group in ET.fromstring(svg).iter(f"{SVG}g")}


def texts_of(svg):
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]


def points_of(group):
    return [
        tuple(map(float, p.split(","))) for p in re.findall(r"-?[\d.]+,-?[\d.]+", group.find(f"{SVG}path").get("d"))
    ]


def heights_at(points, x):
    """How low the line through every third point (the others are controls) is at `x`; it must pass there."""
    found = [
        y0 + (y1 - y0) * (x - x0) / (x1 - x0)
        for (x0, y0), (x1, y1) in pairwise(points[::3])
        if min(x0, x1) <= x <= max(x0, x1) and x0 != x1
    ]
    assert found
    return found


# ---------------------------------------------------------------------------------------------------
# Where things are


@pytest.mark.parametrize("make", FIGURES)
def test_nothing_lies_over_anything_else(make):
    nothing_wrong(draw(make()).scene)


@pytest.mark.parametrize("name", FURTHER)
def test_nothing_lies_over_anything_else_on_further_figures(name):
    nothing_wrong(FURTHER[name]().scene)


def nothing_wrong(scene):
    assert overlapping(scene) == []
    for found in (struck, crossed, beheaded, merged, loose):
        assert found(scene) == [], found.__name__
    assert not any(text.halo for text in scene.texts)


def with_line(scene, id, **changes):
    """The scene with one line changed."""
    return replace(scene, lines=tuple(replace(x, **changes) if x.id == id else x for x in scene.lines))


def test_lines_that_do_not_meet_are_noticed():
    figure = draw(fan_out())
    scene = figure.scene
    assert faults(scene) == 0
    ends = 0
    for line in scene.lines:
        for k, at in ((0, line.tail), (-1, line.head)):
            if at.endswith("fork") or at.startswith("o"):
                outwards = (
                    3.0 if (k == 0) != line.backward else -3.0
                )  # beyond what is on the left of the end, or on the right
                points = list(line.points)
                points[k] = points[k][0] + outwards, points[k][1] + (2.0 if at.endswith("fork") else 0.0)
                assert loose(with_line(scene, line.id, points=tuple(points))), (line.id, at)
                ends += 1
    assert ends == 2 * (1 + 2 * 3 + 2 + 1)  # each way: trunk, branches, from product to sum, from the sum
    (dot,) = (shape for shape in scene.shapes if shape.shape == "fork")
    beside = tuple(replace(shape, y=shape.y - 3) if shape is dot else shape for shape in scene.shapes)
    assert loose(replace(scene, shapes=beside))


@pytest.mark.parametrize("direction", ["forward", "backward", "both", "side-by-side"])
def test_a_fork_begins_where_its_trunk_ends(direction):
    scene = draw(fan_out(), direction=direction).scene
    starts = [line.points[0] for line in scene.lines if "branch" in line.classes and not line.backward]
    ends = [line.points[-1] for line in scene.lines if "trunk" in line.classes and not line.backward]
    assert len(ends) == (direction != "backward")
    assert set(starts) == set(ends)
    starts = [line.points[-1] for line in scene.lines if "branch" in line.classes and line.backward]
    ends = [line.points[0] for line in scene.lines if "trunk" in line.classes and line.backward]
    assert len(ends) == (direction != "forward")
    assert set(starts) == set(ends)


def test_a_line_near_a_circle_through_a_head_or_on_another_is_noticed():
    scene = draw(fruit()).scene
    circle = next(shape for shape in scene.shapes if shape.id == "o0")
    stray = next(line for line in scene.lines if line.id == "u8-forward")
    top = circle.y + circle.width / 2
    for white, near in ((2.9, True), (3.1, False)):
        y = top + white + 0.5  # half of the line's width
        passing = with_line(scene, stray.id, points=((circle.x - 40, y), (circle.x + 40, y)))
        assert ((circle.id, stray.id) in struck(passing)) == near
    arrow = next(line for line in scene.lines if line.id == "u0-forward")
    (x0, y0), (x1, y1) = arrow.points[-2:]
    length = float(np.hypot(x1 - x0, y1 - y0))
    for back, hit in ((4.0, True), (14.0, False)):
        x, y = x1 - (x1 - x0) / length * back, y1 - (y1 - y0) / length * back
        across = ((x - (y1 - y0) / length * 9, y + (x1 - x0) / length * 9), (x + (y1 - y0) / length * 9, y - (x1 - x0) / length * 9))  # fmt: skip
        assert ((arrow.id, stray.id) in beheaded(with_line(scene, stray.id, points=across))) == hit
    other = next(line for line in scene.lines if line.id == "u4-forward")
    (x0, y0), (x1, _) = other.points[:2]
    for aside, on in ((2.0, True), (6.0, False)):
        along = ((x0, y0 + aside), (x1, y0 + aside))
        assert (("u4-forward", stray.id) in merged(with_line(scene, stray.id, points=along))) == on


def test_forks_of_one_column_have_a_lane_each():
    figure = draw(two_by_two())
    dots = [shape for shape in figure.scene.shapes if shape.shape == "fork"]
    assert len(dots) == 2
    assert abs(dots[0].x - dots[1].x) >= 25
    assert merged(figure.scene) == []


@pytest.mark.parametrize("steps", [2, 3, 4, 5])
def test_the_steps_of_a_recurrent_net_stand_in_the_order_of_time(steps):
    figure = draw(unrolled(steps), collapse=None)
    at = {shape.id: shape.x for shape in figure.scene.shapes}
    names = {value.id: value.name for value in figure.graph.values}
    uses = {use.id: use for use in figure.graph.uses}
    products = {names[uses[op.inputs[0]].value]: at[op.id] for op in figure.graph.ops if op.symbol == "×"}
    sums = [at[op.id] for op in figure.graph.ops if op.symbol == "+"]
    own = [products[f"x{k + 1}"] for k in range(steps)]
    assert own == sorted(set(own))
    assert all(x < s < later for x, s, later in zip(own, sums, [*own[1:], float("inf")], strict=True))


def test_what_lies_over_something_is_noticed():
    scene = draw(apples()).scene
    first = scene.texts[0]
    moved = [replace(text, x=first.x + 3, y=first.y) for text in scene.texts]
    assert overlapping(replace(scene, texts=tuple(moved)))
    line = scene.lines[0]
    (x0, y), (x1, _) = line.points[:2]
    assert crossed(replace(scene, texts=(replace(first, x=(x0 + x1) / 2, y=y),)))
    shapes = tuple(replace(shape, x=(x0 + x1) / 2, y=y, id="new") for shape in scene.shapes)
    assert struck(replace(scene, shapes=shapes))


@pytest.mark.parametrize("make", FIGURES[:6])
def test_values_above_derivatives_below_heads_where_they_belong(make):
    figure = draw(make())
    groups = groups_of(figure.svg())
    for wire in figure.plan.wires:
        forward = points_of(groups[f"{wire.id}-forward"])
        for id, group in groups.items():
            if id and id.startswith(f"{wire.id}-above"):
                text = group.find(f"{SVG}text")
                assert all(y > float(text.get("y")) for y in heights_at(forward, float(text.get("x"))))
        if not wire.flows:
            assert f"{wire.id}-backward" not in groups
            continue
        backward = points_of(groups[f"{wire.id}-backward"])
        if wire.above:  # where the texts are, the forward arrow is 10 points above the other
            x = float(groups[f"{wire.id}-above-text0"].find(f"{SVG}text").get("x"))
            assert heights_at(backward, x)[0] - heights_at(forward, x)[0] == pytest.approx(10.0, abs=0.1)
        assert forward[-1][0] > forward[0][0]
        assert backward[-1][0] < backward[0][0]
        for id, group in groups.items():
            if id and id.startswith(f"{wire.id}-below"):
                text = group.find(f"{SVG}text")
                assert all(y < float(text.get("y")) for y in heights_at(backward, float(text.get("x"))))
        for way, sign in (("forward", 1), ("backward", -1)):
            head = groups[f"{wire.id}-{way}"].find(f"{SVG}polygon")
            if head is not None:
                corners = [float(p.split(",")[0]) * sign for p in head.get("points").split()]
                assert corners[1] == max(corners), f"the {way} head of {wire.id} points the wrong way"
                assert (head.get("fill") == "none") == (way == "forward")


def test_every_use_is_drawn_once_and_every_fork_has_its_trunk():
    figure = draw(softmax_with_loss())
    groups = groups_of(figure.svg())
    several = [v for v, used in users(figure.graph).items() if len(used) > 1]
    classes = [(group.get("class") or "").split() for group in groups.values()]
    assert sum("edge" in c and "forward" in c for c in classes) == len(figure.graph.uses) + len(several)
    assert sum("edge" in c and "backward" in c for c in classes) == sum(u.flows for u in figure.graph.uses) + len(
        several
    )
    assert sum("op" in c and "text" not in c for c in classes) == len(figure.graph.ops)
    assert {f"{use.id}-forward" for use in figure.graph.uses} <= set(groups)


def test_inputs_stand_in_their_order():
    ends = {line.id: line.points[-1][1] for line in draw(fruit()).scene.lines}
    for above, below in (("u0", "u1"), ("u2", "u3"), ("u4", "u5"), ("u6", "u7")):
        assert ends[f"{above}-forward"] > ends[f"{below}-forward"]


def ends_of(scene):
    return {line.id.removesuffix("-forward"): line.points[-1][1] for line in scene.lines if not line.backward}


@pytest.mark.parametrize("seed", [2, 3, 10, 18, 20])
def test_inputs_whose_order_matters_keep_it_when_a_figure_is_laid_out_again(seed):
    """Where the first layout has lines over circles, only sums and products may turn round."""
    choose = random.Random(seed)
    values = [leaf(k / 4, f"x{k}") for k in range(4)]
    for _ in range(20):
        a, b = choose.choice(values[-6:]), choose.choice(values[-6:])
        values.append(choose.choice((np.add, np.subtract, np.multiply, np.subtract, lambda a, b: np.tanh(a)))(a, b))
    figure = draw(values[-1] + values[-2], collapse=None)
    ends = ends_of(figure.scene)
    turned = {
        op.name for op in figure.graph.ops for above, below in pairwise(op.inputs) if ends[above] < ends[below] - 0.1
    }
    assert turned <= {"add", "multiply"}


def test_a_figure_is_laid_out_again_where_that_helps():
    def last(y):
        figure = draw(y, direction="forward")
        above, below = (ends_of(figure.scene)[use] for use in figure.graph.ops[-1].inputs)
        return above > below

    a, b, c = leaf(0.35, "a"), leaf(0.6, "b"), leaf(0.85, "c")
    s, t = b - c, c - a
    assert struck(draw(t - s, direction="forward").scene), "no line can go another way"
    assert not struck(draw(t + s, direction="forward").scene)
    assert not last(t + s), "its inputs are turned round"
    assert last(t - s), "a difference is not turned round"


def test_panels_stand_beside_each_other():
    a, b = nn.functional.relu(leaf(2.0, "a")), nn.functional.relu(leaf(-2.0, "b"))
    model = nn.Sequential(nn.Linear(2, 2, dtype=float), nn.Linear(2, 2, dtype=float))
    c = model(tg.Tensor(np.ones((1, 2)), name="in")).sum()
    one, other = draw([a, b, c]).scene, draw([a, b, c], panels=True).scene
    assert {t.id for t in one.texts} == {t.id for t in other.texts}
    assert {s.id for s in one.shapes} == {s.id for s in other.shapes}
    assert len(one.lines) == len(other.lines)
    assert overlapping(other) == []
    (left0, bottom0, right0, top0), (left1, bottom1, right1, top1) = one.bounds(), other.bounds()
    assert right1 - left1 > right0 - left0
    assert top1 - bottom1 < top0 - bottom0
    circles = [shape for shape in other.shapes if shape.id in ("o0", "o1")]
    assert circles[0].y == pytest.approx(circles[1].y)
    assert circles[1].x - circles[0].x > 200
    group = next(shape for shape in other.shapes if shape.shape == "group")
    (title,) = (text for text in other.texts if text.id == f"{group.id}-title")
    assert abs(title.x - group.x) < group.width / 2, "a box moves with its title"
    with pytest.raises(ValueError, match="panels in the style 'record'"):
        draw([a, b], panels=True, style="record")


def test_a_leaf_used_often_is_a_tag_at_each_use():
    w = leaf(0.5, "w")
    h = leaf(1.0, "h")
    for _ in range(4):
        h = h * w
    figure = draw(h)
    tags = [place for place in figure.plan.places if place.id.endswith("-tag")]
    assert len(tags) == 4
    assert not any(place.shape == "fork" for place in figure.plan.places)
    assert sum(text == "w" for text in texts_of(figure.svg())) == 4


def test_a_leaf_used_often_says_its_whole_derivative_once():
    x = leaf(3.0, "x")
    y = x * x * x * x
    figure = draw(y)
    assert [text for text in texts_of(figure.svg()) if "Σ" in text] == ["Σ = 108"]
    assert [text for text in texts_of(draw(micrograd()).svg()) if "Σ" in text] == ["Σ = 138.8", "Σ = 645.6"]
    (total,) = (text for text in figure.scene.texts if text.id.startswith("v0-trunk-below"))
    name = next(text for text in figure.scene.texts if text.id == "u0-tag-text0")
    assert total.box[3] <= name.box[1] + 0.1
    assert total.box[2] == pytest.approx(name.box[2], abs=0.5), "both end at the arrow"
    assert figure.steps[total.id] == max(figure.steps.values()), "it is known when the last part is"
    forward = draw(y, direction="forward")
    assert not any("Σ" in text for text in texts_of(forward.svg()))
    panels = draw(y, direction="side-by-side").scene
    assert sum(text.text == "Σ = 108" for text in panels.texts) == 1
    blank = draw(y, grad="blank")
    assert not any("108" in text for text in texts_of(blank.svg()))
    assert sum(text.role == "blank" for text in blank.scene.texts) == 4 + 1 + 2, "a part each, the sum, and between"
    formulas = draw(y, grad="symbol", loss="L", names={"y": y})
    assert any(text.startswith("Σ = ") and "x³" in text for text in texts_of(formulas.svg()))
    w = leaf(np.ones((2, 2)), "W")
    arrays = draw((w @ w @ w @ w).sum())
    assert "Σ = ∂L/∂W" in texts_of(arrays.svg())


def programs():
    """Programs as lists of steps: an operation and the places of its operands among the values so far."""
    return st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=14)


@settings(max_examples=25)
@given(programs())
def test_random_programs_draw_without_faults_and_every_use_appears_once(program):
    values = [leaf(0.3, "a"), leaf(-0.7, "b"), tg.Tensor(2.0), leaf(1.5)]
    operations = (np.add, np.multiply, np.subtract, lambda a, b: np.tanh(a), lambda a, b: a > b)
    for operation, i, j in program:
        a, b = values[-1 - i % len(values)], values[-1 - j % len(values)]
        y = operations[operation](a, b)
        values.append(y if y.dtype != bool else np.where(y, a, b))
    figure = draw(values[-1])
    scene = figure.scene
    drawn = [line.id for line in scene.lines if not line.backward and not line.id.endswith("trunk-forward")]
    assert sorted(drawn) == sorted(f"{use.id}-forward" for use in figure.graph.uses)
    assert overlapping(scene) == []
    assert [text for text, _ in crossed(scene) if not next(t for t in scene.texts if t.id == text).halo] == []


# ---------------------------------------------------------------------------------------------------
# What is written


def test_numbers_names_and_shapes():
    assert set(texts_of(draw(apples()).svg())) == {
        "apple", "count", "tax", "price", "×", "100", "2", "1.1", "200", "220", "2.2", "110", "1",
    }  # fmt: skip
    written = texts_of(draw(affine(), loss="L").svg())
    assert {"X", "(5, 2)", "∂L/∂X", "W", "(2, 3)", "∂L/∂W", "B", "(3,)", "∂L/∂B", "X·W", "dot"} <= set(written)


def test_small_arrays_are_shown_by_their_numbers_where_values_are_asked_for():
    w, x = leaf(np.array([[1.0, -1.0], [0.5, 2.0]]), "W"), leaf(np.array([1.0, 2.0]), "x")
    y = (tg.relu(x @ w) ** 2).sum()
    written = texts_of(draw(y, show=("value", "grad")).svg())
    assert {"x", "W", "[1, 2]", "[[1, −1], [0.5, 2]]", "[2, 3]", "[4, 9]", "[4, 6]", "[−2, 14]"} <= set(written)
    assert "[[4, 6], [8, 12]]" in written
    assert not any("∂" in text for text in written)
    assert "(2, 2)" in texts_of(draw(y, show=("value", "shape")).svg())
    default = texts_of(draw(y).svg())
    assert "[1, 2]" not in default
    assert "(2, 2)" in default
    large = leaf(np.ones((5, 5)), "M")
    assert "M" in texts_of(draw((large * 2.0).sum(), show=("value", "grad")).svg())
    h = w @ leaf(np.ones(2))
    mixed = texts_of(draw((h * 2.0).sum(), names={"h": h}, show=("value",)).svg())
    assert "[0, 2.5]" in mixed, "a result with a name, too"


@pytest.mark.parametrize("style", ["book", "record", "plain"])
@pytest.mark.parametrize("grad", ["number", "symbol"])
def test_leaves_and_results_are_not_said_twice(style, grad):
    x = leaf(0.5, "x")
    y = np.reciprocal(7 + np.exp(x * -5))
    figure = draw(y, names={"y": y}, loss="L", grad=grad, style=style)
    written = [word for text in texts_of(figure.svg()) for word in text.split()]
    for said in ("7", "−5", "x", "y"):
        assert written.count(said) == 1, said
    y = leaf(np.ones((5, 2)), "X") @ leaf(np.ones((2, 3)), "W")
    assert texts_of(draw(y, names={"Y": y}).svg()).count("X") == 1
    assert '"x"' not in draw(x * 2.0, grad="symbol").mermaid().split(":::leaf", 1)[1].replace("∂L/∂x", "")


def test_a_single_number_without_a_name_is_called_what_is_differentiated():
    x = leaf(3.0, "x")
    assert {"L", "11"} <= set(texts_of(draw(x * 2.0 + 5.0).svg()))
    assert "J" in texts_of(draw(leaf(3.0, "L") * 2.0).svg())
    y = x * 2.0
    assert "L" not in texts_of(draw([y, y + 1.0]).svg())
    assert "y" in texts_of(draw(y).svg())
    with tracing():
        assert draw(tg.Tensor(2.0) + 1.0).graph.values[-1].name is None


def test_a_backward_figure_calls_things_as_they_are_called():
    p, q = leaf(2.0, "count of apples"), leaf(3.0, "unit price")
    y = p * q
    y.name = "price"
    names = [value.name for value in draw_backward(y).graph.values if value.name]
    assert {"count of apples", "unit price", "∂price/∂(count of apples)", "∂price/∂(unit price)"} == set(names)
    figure = draw_backward(fruit())
    results = [text for text in figure.scene.texts if "-result-" in text.id]
    results.sort(key=lambda text: -text.y)
    assert [text.text for text in results] == [f"∂price/∂{x}" for x in ("apples", "apple", "orange", "oranges", "tax")]


def test_formulas_name_nothing_that_is_not_there():
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3, dtype=float), nn.ReLU(), nn.Linear(3, 2, dtype=float))
    loss = nn.functional.cross_entropy(model(tg.Tensor(np.ones((5, 4)), name="x")), np.zeros(5, int))
    whole, folded = draw(loss, grad="symbol", collapse=None), draw(loss, grad="symbol", collapse="all")
    assert any("weight₂" in text for text in texts_of(whole.svg()))
    written = "".join(texts_of(folded.svg()))
    assert "weight" not in written
    assert set(re.findall("t[₀-₉]", written)) <= {value.symbol for value in folded.graph.values}
    assert not re.search(r"\d\.(weight|bias)", whole.svg() + folded.svg())
    assert "∂loss/∂weight₀" in draw(loss, wrt="weight₀", collapse=None).svg()


def test_formulas_are_written_as_one_writes_them():
    apple, count, tax = leaf(100.0, "apple"), leaf(2.0, "count"), leaf(1.1, "tax")
    assert "apple·count" in texts_of(draw(apple * count * tax, grad="symbol").svg())
    written = texts_of(draw(polynomial(), grad="symbol").svg())
    assert "9x² − 4x + 5" in written
    x = leaf(2.0, "x")
    scaled = texts_of(draw(np.tanh(0.1 * x), grad="symbol", loss="L").svg())
    assert not any("/∂0.1x" in text for text in scaled)
    assert "∂L/∂(0.1x)" in draw(leaf(np.ones(3), "x") * 0.1 + 1.0, loss="L").svg()
    written = texts_of(draw(attention(), loss="L", grad="symbol").svg())
    assert "∂L/∂(Q·Kᵀ) · K" in written
    assert not any("ᵀᵀ" in text for text in written)
    assert any("A ⊙ (∂L/∂" in text for text in written)


def test_names_come_from_the_caller():
    apple, count = leaf(100.0), leaf(2.0)
    price = apple * count
    weights = {"W1": leaf(3.0)}
    total = price * weights["W1"]
    assert {"apple", "count", "W1", "total"} <= set(texts_of(draw(total).svg()))
    assert "fruit" in texts_of(draw(total, names={"fruit": apple}).svg())


def test_a_function_is_traced_and_named_by_its_arguments():
    figure = draw(lambda apple, count, tax: apple * count * tax, 100, 2, 1.1)
    assert [value.name for value in figure.graph.values if value.op is None] == ["apple", "count", "tax"]
    assert figure.graph.values[0].grad == pytest.approx(2.2)

    def price(x, *rest):
        return x * rest[0] + rest[1]

    assert [v.name for v in draw(price, 2, 3, 4).graph.values] == ["x", "rest[0]", None, "rest[1]", "price"]
    x = np.ones((2, 3), np.float32)
    layer = draw(nn.Linear(3, 1), x).graph
    assert [v.name for v in layer.values if v.op is None] == ["x", "weight", "bias"]
    assert {v.dtype for v in layer.values} == {"float32"}
    assert [v.name for v in draw(tg.relu, 2.0).graph.values] == ["x", "relu"]
    assert next(v.name for v in draw(lambda x, how: x * 2 if how == "twice" else x, 3, "twice").graph.values) == "x"
    with pytest.raises(TypeError, match="float"):
        draw(lambda x: 3.0, 2)
    with pytest.raises(TypeError, match="after a function"):
        draw(apples(), 3)


def test_formulas_come_from_the_rules():
    x, y = leaf(2.0, "x"), leaf(3.0, "y")
    t = x + y
    z = t**2
    plain = draw(z, grad="symbol", simplify=False)
    assert [use.symbol for use in plain.graph.uses] == ["∂z/∂z·2t·1", "∂z/∂z·2t·1", "∂z/∂z·2t", "∂z/∂z"]
    assert [use.symbol for use in draw(z, grad="symbol").graph.uses] == ["2t", "2t", "2t", "1"]
    assert "∂L/∂z·2t" in texts_of(draw(z, grad="symbol", loss="L").svg())
    both = texts_of(draw(z, show=("value", "grad", "formula"), simplify=False).svg())
    assert {"10", "∂z/∂z·2t·1", "25"} <= set(both)


def test_an_exercise_has_blanks_and_not_the_answers():
    svg = draw(fruit(), grad="blank").svg()
    assert not {"1.1", "110", "2.2", "3.3", "165", "650"} - {"1.1", "650"} & set(texts_of(svg))
    assert texts_of(svg).count("650") == 1  # the value; the derivative is blank
    assert sum("blank" in (group.get("class") or "") for group in groups_of(svg).values()) == 8
    assert 'label="165"' not in draw(fruit(), grad="blank").dot()


def test_the_legend_of_an_exercise_asks_too():
    x, w = leaf(2.0, "x"), leaf(3.0, "w")
    y = x * w
    figure = draw(y, grad="blank", legend={w: "by w = x, of course", x: None}, names={"y": y})
    written = texts_of(figure.svg())
    assert {"by w = ____________", "∂y/∂x = ____________"} <= set(written)
    assert sorted(text for text in written if text in "12") == ["1", "1", "1", "2", "2", "2"], "the keys, x, and ∂y/∂y"
    assert "of course" not in figure.svg() + figure.tikz() + figure.text()
    for key in (text for text in figure.scene.texts if text.role == "key" and "below" in text.id):
        (room,) = (text for text in figure.scene.texts if f"{text.id}-key" == key.id)
        assert key.box[2] < room.x - max(room.width, 34) / 2
    assert "by w = x, of course" in texts_of(draw(y, legend={w: "by w = x, of course"}).svg())


def test_an_annotation_that_is_a_number_must_be_the_traced_one():
    x = leaf(3.0, "x")
    y = x * x
    assert "2x" in texts_of(draw(y, annotate={x: "2x"}).svg())
    assert "3 too" in texts_of(draw(y, annotate={("x", 1): "3 too"}, values={y: "x²"}).svg())
    draw(y, annotate={x: 6.0, (x, 0): "3"})
    with pytest.raises(ValueError, match=r"'5'.*6\.0"):
        draw(y, annotate={x: "5"})
    with pytest.raises(ValueError, match="no use 7"):
        draw(y, annotate={(x, 7): "a"})


def test_checks_are_marked():
    written = texts_of(draw(apples(), check=True).svg())
    assert {"2.2 ✓", "110 ✓", "1.1 ✓", "200 ✓"} <= set(written)


def test_a_kink_is_no_derivative_even_where_the_convention_is_the_mean_of_both_slopes():
    def verdicts(y):
        return [use.verdict for use in draw(y, check=True).graph.uses if use.flows and use.op]

    assert verdicts(np.abs(leaf(0.0))) == ["kink"]
    assert verdicts(nn.functional.relu(leaf(0.0))) == ["kink"]
    assert verdicts(leaf(0.0) ** 2) == ["agrees"]
    assert verdicts((leaf(1000.0) - 1000.0) ** 2) == ["agrees", "agrees"], "much bent, but no kink"
    assert verdicts(np.abs(leaf(0.5)) * 1e6) == ["agrees", "agrees"]
    assert verdicts(np.exp(leaf(np.array([0.0, 3.0]))).sum()) == ["agrees", "agrees"]


def test_what_cannot_be_drawn_is_refused_with_what_can():
    for wrong in (3.0, None, np.ones(3), "x", [leaf(1.0), 3.0], []):
        with pytest.raises(TypeError, match="a figure is drawn of a Tensor, of several, or of a function"):
            draw(wrong)
    with pytest.raises(ValueError, match=r"no computation to draw.*requires_grad=True"):
        draw(tg.Tensor(3.0) * tg.Tensor(2.0))
    with pytest.raises(TypeError, match="names="):
        draw(apples(), names={leaf(1.0): "x"})


def test_a_function_with_several_results():
    def both(a, b):
        return a * b, a + b

    figure = draw(both, 2, 3)
    assert [figure.graph.values[k].name for k in (2, 3)] == ["both[0]", "both[1]"]
    assert "a is 2; ∂L/∂a is 4." in figure.text()
    with pytest.raises(TypeError, match="nothing was recorded"):
        draw(lambda a: (a * 2, 3.0), 1)


def test_unknown_choices_are_refused_with_the_known_ones():
    for option in (
        {"style": "nice"},
        {"theme": "pink"},
        {"direction": "up"},
        {"grad": "no"},
        {"show": "all"},
        {"lang": "xx"},
    ):
        with pytest.raises(ValueError, match="choose one of"):
            draw(apples(), **option)
    with pytest.raises(ValueError, match="jpg"):
        draw(apples()).save("a.jpg")
    with pytest.raises(ValueError, match="record"):
        draw(apples(), style="record", direction="side-by-side")


def test_a_fork_lies_on_the_lines_that_are_drawn():
    for direction in ("backward", "side-by-side"):
        scene = draw(fan_out(), direction=direction).scene
        ends = {point for line in scene.lines for point in (line.points[0], line.points[-1])}
        forks = [(shape.x, shape.y) for shape in scene.shapes if shape.shape == "fork"]
        assert forks
        assert set(forks) <= ends


def test_names_stay_beside_their_arrows_whatever_the_width_of_letters():
    groups = groups_of(draw(apples()).svg())
    anchors = {
        id: groups[id].find(f"{SVG}text").get("text-anchor") for id in ("v0-text0", "u4-result-text0", "o0-text0")
    }
    assert anchors == {"v0-text0": "end", "u4-result-text0": "start", "o0-text0": "middle"}


def test_a_text_under_a_line_has_a_halo():
    scene = draw(apples()).scene
    (x0, y), (x1, _) = scene.lines[0].points[:2]
    title = replace(scene.texts[0], id="group-title", x=(x0 + x1) / 2, y=y)
    assert haloed(replace(scene, texts=(title,))).texts[0].halo
    assert not any(text.halo for text in haloed(scene).texts)


def test_a_line_does_not_touch_a_circle_that_is_not_its_end():
    x = leaf(1.5, "x")
    h = np.tanh(x * 2.0)
    assert not struck(draw(np.log(np.exp(h) + x) * h + x + h).scene)
    scene = draw(apples()).scene
    circle = next(shape for shape in scene.shapes if shape.shape == "circle")
    r = circle.width / 2
    graze = replace(
        scene.lines[0],
        tail="a",
        head="b",
        points=((circle.x - r, circle.y + 0.9 * r), (circle.x + r, circle.y + 0.9 * r)),
    )
    assert struck(replace(scene, lines=(graze,))) == [(circle.id, graze.id)]


def test_directions():
    forward = draw(apples(), direction="forward")
    assert not any(line.backward for line in forward.scene.lines)
    backward = draw(apples(), direction="backward")
    assert all(line.backward for line in backward.scene.lines)
    assert not {"100", "2", "220"} & set(texts_of(backward.svg()))
    both = draw(apples(), direction="side-by-side", lang="ko")
    assert {"순전파", "역전파"} <= set(texts_of(both.svg()))
    assert len(both.scene.shapes) == 4
    assert overlapping(both.scene) == []


def test_themes_use_their_colours():
    assert "#d55e00" in draw(apples()).svg().lower()
    assert "#d55e00" not in draw(apples(), theme="print").svg().lower()
    assert "#16181d" in draw(apples(), theme="dark").svg().lower()


def test_the_backward_pass_is_a_graph_like_any_other():
    x = leaf(2.0, "x")
    y = x**3
    figure = draw_backward(y)
    assert [value.name for value in figure.graph.values][-1] == "∂y/∂x"
    assert figure.graph.values[-1].data == 12.0
    a, b = leaf(1.0, "a"), leaf(2.0, "b")
    c = a + b
    outputs = [use.value for use in draw_backward(c).graph.uses if use.op is None]
    assert [v.name for v in draw_backward(c).graph.values if v.id in outputs] == ["∂c/∂a", "∂c/∂b"]


# ---------------------------------------------------------------------------------------------------
# Formats


def test_every_format_is_written(tmp_path):
    for name in ("a.svg", "a.pdf", "a.png", "a.dot", "a.json", "a.md", "a.tex", "deep/er/a.txt"):
        path = draw(apples()).save(tmp_path / name)
        assert path.stat().st_size > 100
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    image = Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).convert("RGB")
    colours = {colour for _, colour in image.getcolors(1 << 20)}
    assert (0xD5, 0x5E, 0x00) in colours
    assert image.width > 400


def test_the_figure_in_words():
    assert draw(apples()).text().splitlines()[:4] == [
        "apple is 100; ∂price/∂apple is 2.2.",
        "count is 2; ∂price/∂count is 110.",
        "tax is 1.1; ∂price/∂tax is 200.",
        "multiply takes apple (100) and count (2) and gives 200. Going back, 1.1 arrives; 2.2 goes to apple and 110 goes to count.",
    ]
    assert "역전파" in draw(apples(), lang="ko").text()
    assert "Going back, 1 arrives; 3 goes to x and 3 goes to x." in draw(fan_out()).text()
    assert len(draw(affine()).text().splitlines()) == 5


def test_mermaid():
    assert 'v0 -- "100<br/>∂ 2.2" --> o0' in draw(apples()).mermaid()
    assert 'v0["x<br/>∂ 7"]:::leaf' in draw(fan_out()).mermaid(), "a sum of several uses stands at the leaf"
    assert "∂ ∂" not in draw(affine()).mermaid()
    assert "∂" not in draw(fan_out(), direction="forward").mermaid()
    blank = draw(fan_out(), grad="blank").mermaid()
    assert blank.count("∂") == 1, "of an exercise, the derivative of the output"


def test_tikz():
    tikz = draw(apples()).tikz()
    assert tikz.count("\\draw[-{Latex") == 5
    assert tikz.count("{") == tikz.count("}")
    assert draw(fan_out(), grad="blank").tikz().count("rounded corners=3pt") == 5
    with pytest.raises(ValueError, match="record"):
        draw(apples(), style="record").tikz()


def test_tikz_hides_no_line_under_a_layer_and_draws_clouds():
    model, x = (
        nn.Sequential(nn.Sequential(nn.Linear(2, 3, dtype=float), nn.ReLU()), nn.Linear(3, 1, dtype=float)),
        leaf(np.ones((1, 2)), "x"),
    )
    y = model(x).sum()
    tikz = draw(y).tikz().splitlines()
    groups = [k for k, line in enumerate(tikz) if "dashed" in line]
    arrows = [k for k, line in enumerate(tikz) if "-{" in line and line.startswith("\\draw")]
    assert groups
    assert max(groups) < min(arrows)
    assert not any("fill" in tikz[k] for k in groups)
    assert sum("ellipse" in line for line in draw(y, cloud=model[0]).tikz().splitlines()) == 1


def test_tikz_has_the_colours_of_the_theme():
    dark = draw(apples(), theme="dark").tikz()
    assert "\\fill[vizpaper]" in dark
    assert {"vizpaper}{HTML}{16181D", "vizink}{HTML}{F0F0F0", "vizfill}{HTML}{1F2229"} <= set(
        re.findall(r"viz(?:paper|ink|fill)}{HTML}{\w+", dark)
    )
    assert "\\fill[vizpaper]" not in draw(apples()).tikz()


def test_tikz_writes_greek_and_says_what_needs_another_latex():
    y = leaf(2.0, "θ₁") * leaf(3.0, 'a "b"-`c`')
    tikz = draw(y).tikz()
    assert "{$\\theta$$_1$}" in tikz
    assert '"' not in tikz
    assert "LuaLaTeX" not in tikz
    assert "LuaLaTeX" in draw(leaf(2.0, "사과") * 2.0).tikz()


def test_a_leaf_used_often_stands_at_each_use_of_a_large_graph_in_every_style():
    x = leaf(0.5, "x")
    y = x
    for _ in range(150):
        y = np.tanh(y * x)
    for style in ("record", "plain"):
        assert len(re.findall(r'"u\d+-tag" \[', draw(y, style=style, collapse=None).dot())) == 151
    assert "-tag" not in draw(x * x + x * x, style="record").dot()


def test_the_same_program_gives_the_same_bytes_whatever_the_hash_seed():
    program = (
        "import numpy as np, tinygrad_edu as tg\nfrom viz import draw\n"
        "x, w = tg.Tensor(2., requires_grad=True, name='x'), tg.Tensor(3., requires_grad=True, name='w')\n"
        "y = np.tanh(x * w + x) * x\n"
        "import sys; sys.stdout.buffer.write((draw(y).dot() + draw(y, style='record').dot()).encode())"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) > 1000


HOSTILE = (
    '"quoted" \\N \\n \\\\ end\\', "<b>bold</b>", "<script>alert(1)</script>", "&lt;x&gt; &amp; &#65;", "🍎 사과",
    "{a|b} <port>", "]]> --> <!--", "\\end{document}%", "%s $HOME `ls` '",
)  # fmt: skip


@pytest.mark.parametrize("style", ["book", "record", "plain"])
def test_hostile_labels_are_text(style):
    y = leaf(1.0)
    for label in HOSTILE:
        y = y + leaf(2.0, label)
    figure = draw(y, style=style)
    svg = figure.svg()
    assert set(HOSTILE) <= {text.strip("\xa0 ") for text in texts_of(svg)}
    assert "<script>" not in svg + figure.mermaid()
    assert figure.render("pdf")
    figure = draw(leaf(2.0, "x" * 10_000) * leaf(1.0, "\ud800\x00\x1b") * leaf(3.0, " "), style=style)
    assert max(map(len, texts_of(figure.svg()))) <= 40
    assert figure.render("png")


def test_a_name_that_latex_would_run_is_escaped():
    tikz = draw(leaf(2.0, "\\end{document}%$&#_^~") * 2.0).tikz()
    assert "\\end{document}" not in tikz
    assert "\\textbackslash{}end\\{document\\}\\%\\$\\&\\#\\_" in tikz


def test_hangul_warns_once_where_no_font_has_it(monkeypatch, tmp_path):
    figure = draw(leaf(100.0, "사과") * leaf(2.0, "개수"))
    monkeypatch.setattr(viz.drawing, "has_wide_font", lambda: False)
    with pytest.warns(UserWarning, match="Hangul") as seen:
        figure.save(tmp_path / "a.png")
    assert len(seen) == 1
    figure.save(tmp_path / "a.svg")  # the reader's machine has the font
    monkeypatch.setattr(viz.drawing, "has_wide_font", lambda: True)
    figure.save(tmp_path / "a.png")


def test_hangul_takes_the_room_that_it_needs():
    wide = draw(leaf(100.0, "사과사과") * 2.0).plan.places[0]
    narrow = draw(leaf(100.0, "abcd") * 2.0).plan.places[0]
    assert wide.width > 1.5 * narrow.width


def test_a_png_is_for_print_and_says_its_resolution(tmp_path):
    def saved(figure=None, **options):
        return Image.open(io.BytesIO((figure or draw(apples())).save(tmp_path / "a.png", **options).read_bytes()))

    usual = saved()
    assert usual.info["dpi"][0] == pytest.approx(240, abs=0.1)
    for options, dpi in (({"dpi": 300}, 300), ({"scale": 1}, 96), ({"scale": 3}, 288)):
        picture = saved(**options)
        assert picture.info["dpi"] == pytest.approx((dpi, dpi), abs=0.1)
        assert picture.width == pytest.approx(usual.width * dpi / 240, rel=0.01)
    assert usual.convert("RGBA").getpixel((1, 1)) == (255, 255, 255, 255)
    assert saved(background="none").convert("RGBA").getpixel((1, 1))[3] == 0
    with pytest.raises(ValueError, match="'nope' is not a colour that Graphviz knows"):
        saved(background="nope")
    assert saved(background="#FFF8E7").convert("RGB").getpixel((1, 1)) == (255, 248, 231)
    assert saved(draw(apples(), style="record"), background="none", dpi=200).info["dpi"][0] == pytest.approx(
        200, abs=0.1
    )
    white = 'fill="white" stroke="none"'
    assert white in draw(apples()).save(tmp_path / "a.svg").read_text(encoding="utf-8")
    assert white not in draw(apples()).save(tmp_path / "a.svg", background="none").read_text(encoding="utf-8")
    frames = draw(apples()).frames()
    for path in frames.save_all(tmp_path / "steps", "png", scale=1, background="none"):
        picture = Image.open(path)
        assert picture.convert("RGBA").getpixel((1, 1))[3] == 0
        assert picture.info["dpi"][0] == pytest.approx(96, abs=0.1)
    assert white not in frames.save(tmp_path / "b.svg", background="none").read_text(encoding="utf-8")
    for options, said in (
        ({"dpi": 0}, "dpi=0"),
        ({"dpi": 200, "scale": 2}, "one of them"),
        ({"background": "a b"}, "'none'"),
    ):
        with pytest.raises(ValueError, match=said):
            draw(apples()).save(tmp_path / "a.png", **options)
    with pytest.raises(ValueError, match=r"dpi= is for PNG.*\.svg"):
        draw(apples()).save(tmp_path / "a.svg", dpi=200)
    with pytest.raises(ValueError, match=r"background= is for svg, pdf and png, not for \.html"):
        draw(apples()).save(tmp_path / "a.html", background="none")


# ---------------------------------------------------------------------------------------------------
# Step by step


def test_frames_show_more_and_more_and_nothing_moves():
    figure = draw(fruit())
    frames = figure.frames()
    assert len(frames) == 4 + 1 + 4  # forward, the output's derivative, backward
    whole = groups_of(figure.svg())
    shown = []
    for frame in frames:
        groups = groups_of(frame.svg())
        assert set(groups) <= set(whole)
        assert all(ET.tostring(groups[id]) == ET.tostring(whole[id]) for id in groups if id != "graph0")
        shown.append(set(groups))
    assert all(a < b for a, b in pairwise(shown))
    assert shown[-1] == set(whole)
    assert not any("backward" in id for id in shown[3])
    assert [id for id in shown[4] if id.endswith("backward")] == ["u8-backward"]


def test_frames_are_saved_and_animated(tmp_path):
    frames = draw(apples()).frames()
    paths = frames.save_all(tmp_path / "steps")
    assert [path.name for path in paths] == ["01.svg", "02.svg", "03.svg", "04.svg", "05.svg"]
    animation = frames.save(tmp_path / "a.svg").read_text(encoding="utf-8")
    ET.fromstring(animation)
    used, made = re.findall(r"animation:(at\w+)", animation), re.findall(r"@keyframes (\w+)", animation)
    assert sorted(used) == sorted(made) == [f"at{k}" for k in range(1, 5)]
    assert re.findall(r"#([\w-]+)[,{]", animation).count("u0-backward") == 1
    assert "prefers-reduced-motion" in animation
    assert len(frames[1:3]) == 2
    pages = [path.read_text(encoding="utf-8") for path in frames.save_all(tmp_path / "talk", "tex")]
    assert [page.count("\\draw[-{Latex") for page in pages] == [0, 0, 1, 3, 5]
    (extent,) = {page.split("every node")[1].splitlines()[1] for page in pages}
    assert re.fullmatch(r"\\path \(\S+\) rectangle \(\S+\);", extent), "each is as large as the whole"
    with pytest.raises(ValueError, match="format of a frame"):
        frames.save_all(tmp_path / "talk", "html")
    with pytest.raises(ValueError, match="style"):
        draw(apples(), style="record").frames()


# ---------------------------------------------------------------------------------------------------
# Graphviz there and not there


def test_without_graphviz_there_is_one_clear_error_and_words(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
    figure = draw(apples())
    with pytest.raises(RuntimeError, match="pip install graphviz pygraphviz"):
        figure.svg()
    bundle = figure._repr_mimebundle_()
    assert "apple is 100" in bundle["text/plain"]
    assert "pip install" in bundle["text/plain"]
    assert trace(apples())
    assert figure.mermaid()


def test_a_notebook_shows_the_picture():
    bundle = draw(apples())._repr_mimebundle_()
    assert bundle["image/svg+xml"].count("<svg") == 1
    assert 'role="img"' in bundle["image/svg+xml"]
    assert "Computational graph of price" in bundle["image/svg+xml"]


def fake_dot(folder, program):
    path = folder / "dot"
    path.write_text(f"#!{sys.executable}\n{program}")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return str(path)


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_the_dot_on_the_path_comes_first(monkeypatch, tmp_path):
    program = (
        "import sys\nfrom pygraphviz import AGraph\nlayout, format = [a[2:] for a in sys.argv[1:]]\n"
        f"open({str(tmp_path / 'calls')!r}, 'a').write(f'{{layout}} {{format}}\\n')\n"
        "graph = AGraph(sys.stdin.read(), strict=False)\nsys.stdout.buffer.write(graph.draw(format=format, prog=layout))\n"
    )
    expected = draw(apples()).svg()
    path = fake_dot(tmp_path, program)
    monkeypatch.setattr(shutil, "which", lambda name: path)
    assert draw(apples()).svg() == expected
    assert (tmp_path / "calls").read_text().splitlines() == ["dot json0", "nop2 svg"]


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_a_layout_that_takes_too_long_is_ended(monkeypatch, tmp_path):
    program = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    path = fake_dot(tmp_path, program)
    monkeypatch.setattr(shutil, "which", lambda name: path)
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="timeout=60"):
        draw(apples(), timeout=1.5).svg()
    assert time.monotonic() - started < 50  # it would sleep for 60
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_graphviz_that_fails_says_why(monkeypatch, tmp_path):
    monkeypatch.setattr(render, "engine", lambda: [sys.executable, "-c", "import sys; sys.exit('no plugins here')"])
    with pytest.raises(RuntimeError, match="no plugins here"):
        draw(apples()).svg()


# ---------------------------------------------------------------------------------------------------
# Large graphs


def recurrent():
    h, w, u, b = (
        leaf(np.zeros((1, 3)), "h"),
        leaf(np.ones((3, 3)), "W"),
        leaf(np.ones((2, 3)), "U"),
        leaf(np.ones(3), "b"),
    )
    for _ in range(100):
        h = np.tanh(tg.Tensor(np.ones((1, 2))) @ u + h @ w + b)
    return h.sum()


def residual():
    h = leaf(np.ones((2, 4)), "x")
    for _ in range(34):
        inner = nn.functional.relu(h @ leaf(np.ones((4, 4))) + leaf(np.ones(4)))
        h = nn.functional.relu(inner @ leaf(np.ones((4, 4))) + leaf(np.ones(4)) + h)
    return h.mean()


def ten_thousand():
    values = [leaf(0.5, "x"), leaf(0.25, "y")]
    for k in range(10_000):
        values.append(np.tanh(values[-1 - k % 2]) if k % 3 else values[-1] * values[-2 - k % 7 % len(values[:-1])])
    return values[-1]


def tangled(operations=2000):
    rng = np.random.default_rng(0)
    values = [leaf(float(k), f"x{k}") for k in range(5)]
    for _ in range(operations):
        a, b = (values[k] for k in rng.integers(0, len(values), 2))
        values.append((a + b, a * b, np.sin(a), np.tanh(b))[rng.integers(4)])
    total = values[5]
    for value in values[6::7]:
        total = total + value
    return total


@pytest.mark.parametrize("make", [recurrent, residual, ten_thousand, tangled])
def test_large_graphs_are_drawn_small_and_can_be_read(make):
    figure = draw(make())
    svg = figure.svg()
    assert len(figure.graph.ops) <= 45  # so few take Graphviz no time
    assert len(figure.graph.uses) <= 200
    assert any("collapsed" in text for text in texts_of(svg))


def test_a_thousand_operations_in_full():
    values = [leaf((k + 1) / 7, f"x{k}") for k in range(4)]
    for k in range(500):
        values.append(values[-1 - k % 3] + values[-2 - k % 2] if k % 2 else np.tanh(values[-1]))
    figure = draw(values[-1], collapse=None)
    assert len(figure.scene.shapes) >= len(figure.graph.ops) > 250

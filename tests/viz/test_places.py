"""Where things are in a figure: nothing lies over anything else, forks and panels are straight."""

import random
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tests.viz.figures import (
    SVG,
    Soft,
    affine,
    apples,
    attention,
    fan_out,
    fruit,
    groups_of,
    leaf,
    polynomial,
    texts_of,
)
from tinygrad_edu import nn
from viz import draw, draw_backward
from viz.layout.clearance import beheaded, crossed, crossings, faults, loose, merged, overlapping, struck
from viz.layout.scene import Scene
from viz.record.graph import users


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
    assert not struck(draw(t - s, direction="forward").scene), "no line can go another way, but there is more room"
    assert not struck(draw(t + s, direction="forward").scene)
    assert not last(t + s), "its inputs are turned round"
    assert last(t - s), "a difference is not turned round"


def test_the_inputs_of_a_backward_pass_stand_where_fewest_lines_cross():
    def crossed_lines(figure):
        lines = figure.scene.lines
        return sum(crossings(Scene((), lines[k:], ()), {line.id}) for k, line in enumerate(lines))

    for make in (fruit, diamonds, xor):
        figure = draw_backward(make())
        ordered = draw_backward(make())
        ordered.look = replace(ordered.look, any_order=False)
        assert crossed_lines(figure) < 0.75 * crossed_lines(ordered)
        nothing_wrong(figure.scene)


def test_what_leaves_a_cloud_does_not_begin_in_it():
    class Two(nn.Module):
        def forward(self, x):
            return np.tanh(x), np.exp(x)

    f = Two()
    a, b = f(leaf(0.5, "x"))
    for fit in (None, "16:9"):
        nothing_wrong(draw(a * 2.0 + b, cloud=f, fit=fit).scene)


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


def test_a_long_symbol_stands_in_an_oval_and_only_layers_in_boxes(tmp_path):
    d = leaf(np.arange(80.0).reshape(4, 20), "d")
    figure = draw([d[:, 0:4].sum(), d[:, 12:16].sum(), nn.functional.cross_entropy(d, np.zeros(4, int))])
    shapes = {op.symbol: shape.shape for op in figure.graph.ops for shape in figure.scene.shapes if shape.id == op.id}
    assert shapes == {"[:, 0:4]": "circle", "[:, 12:16]": "oval", "Σ": "circle", "cross-entropy": "oval"}
    assert faults(figure.scene) == 0
    assert "ellipse" in {child.tag.removeprefix(SVG) for child in groups_of(figure.svg())["o2"]}
    assert "ellipse[x radius=" in figure.tikz()
    assert {s.shape for s in draw(layers(), collapse="all").scene.shapes} == {"box", "oval"}


def test_a_head_is_not_bent_where_an_output_leaves_near_the_edge():
    sign, log = np.linalg.slogdet(leaf(np.array([[2.0, 1.0], [1.0, 3.0]]), "M"))
    scene = draw(sign * log).scene
    for line in scene.lines:
        if line.backward:
            (x0, y0), (x1, y1) = line.points[-2:]
            assert np.hypot(x1 - x0, y1 - y0) > 12, "a head is 10 long"
    assert faults(scene) == 0

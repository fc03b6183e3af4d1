"""Layers as titled boxes, and unrolled networks in columns of time: what is inside, what is in line with what."""

import random
import warnings
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.viz.figures import Soft, attention, leaf
from tests.viz.test_places import layers, nothing_wrong, softmax_with_loss, unrolled, unrolled_arrays
from tinygrad_edu import nn
from tinygrad_edu.models import Seq2Seq
from viz import draw
from viz.layout.columns import columns
from viz.layout.groups import choose, common, scope_of_fork
from viz.layout.spans import spans
from viz.record.graph import Part
from viz.record.record import trace
from viz.record.sharing import loops, used_again


class Loss(nn.Module):
    def forward(self, y, t):
        return -(t[0] * np.log(y[0]) + t[1] * np.log(y[1]) + t[2] * np.log(y[2]))


class Block(nn.Module):
    def __init__(self):
        self.first, self.second = (nn.Linear(3, 3, dtype=float, generator=np.random.default_rng(k)) for k in (0, 1))

    def forward(self, x):
        return tg.relu(x + self.second(tg.relu(self.first(x))))


class Gate(nn.Module):
    def __init__(self):
        self.w, self.b = nn.Parameter(np.array(0.5)), nn.Parameter(np.array(0.1))

    def forward(self, x):
        return x * self.w + self.b


class Cell(nn.Module):
    def __init__(self):
        self.forget, self.add, self.out, self.new = (Gate() for _ in range(4))

    def forward(self, z, c):
        c = tg.sigmoid(self.forget(z)) * c + tg.sigmoid(self.add(z)) * np.tanh(self.new(z))
        return [tg.sigmoid(self.out(z)) * np.tanh(c), c]


class Several(nn.Module):
    def forward(self, x, y):
        s = x * y
        return s + x, s - y, np.exp(s)


class Attention(nn.Module):
    def forward(self, q, k, v):
        return nn.functional.softmax(q @ k.T / np.sqrt(8.0), axis=-1) @ v


class VeryLongModuleNameThatIsWiderThanItsContent(nn.Module):
    def forward(self, x):
        return np.exp(x) * 2


def chapter():
    a = [leaf(v, f"a{k}") for k, v in enumerate((0.3, 2.9, 4.0), 1)]
    return Loss()(Soft()(a), [tg.Tensor(v, name=f"t{k}") for k, v in enumerate((0.0, 1.0, 0.0), 1)])


def residual():
    x = tg.Tensor(np.ones((2, 3)), name="x")
    return nn.Sequential(Block(), nn.Linear(3, 2, dtype=float, generator=np.random.default_rng(2)))(x).sum()


def cell():
    return Cell()(tg.Tensor(0.8, name="z"), tg.Tensor(0.2, name="c"))


def lstm_cell():
    return nn.LSTMCell(3, 4)(tg.Tensor(np.ones((2, 3), np.float32), name="x"))[0].sum()


def several():
    p, q, r = Several()(leaf(1.0, "x"), leaf(2.0, "y"))
    return p * q + r


def weighed():
    return Attention()(*(leaf(np.arange(32.0).reshape(4, 8) / 32, name) for name in "QKV"))


def long():
    return VeryLongModuleNameThatIsWiderThanItsContent()(leaf(1.0, "x")) + 1.0


BOXED = (chapter, layers, residual, cell, lstm_cell, several, weighed, long)


@cache
def drawn(make, fit=None):
    figure = draw(make(), collapse=None, join_sums=True, fit=fit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert figure.scene
    return figure


def boxes_of(figure):
    """The boxes of a figure, with the ids of the operations in them, of their rows."""
    by_id = {shape.id: shape for shape in figure.scene.shapes}
    for shape in figure.scene.shapes:
        if shape.shape == "group":
            call = shape.id.partition("-row")[0]
            own = {op.id for op in figure.graph.ops if call in [part.id for part in op.scope]}
            yield shape, own, {id: at for id, at in by_id.items() if at.classes.startswith("op ")}


def sides(shape):
    return shape.x - shape.width / 2, shape.y - shape.height / 2, shape.x + shape.width / 2, shape.y + shape.height / 2


def within(inner, outer):
    (a, b, c, d), (left, bottom, right, top) = inner, outer
    return left <= a and bottom <= b and c <= right and d <= top


def apart(one, other):
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def what_boxes_do_wrong(figure):
    wrong = []
    texts = {text.id: text for text in figure.scene.texts}
    rows = [shape.id.partition("-row")[0] for shape in figure.scene.shapes if shape.shape == "group"]
    for box, own, circles in boxes_of(figure):
        room = sides(box)
        cut = rows.count(box.id.partition("-row")[0]) > 1
        for id, circle in circles.items():
            inside = within(sides(circle), room)
            if (
                not (inside or apart(sides(circle), room))
                or (not cut and inside != (id in own))
                or (inside and id not in own)
            ):
                wrong.append(f"{id} in {box.id}")
        title = texts[f"{box.id}-title"]
        if not within(title.box, room):
            wrong.append(f"title of {box.id}")
        for line in figure.scene.lines:
            ends = {line.head, line.tail}
            if not ends & own and not any(id.endswith("fork") for id in ends):
                low = [
                    (a, b) for a, b in pairwise(line.points) if any(
                        room[0] < a[0] + (b[0] - a[0]) * t < room[2] and room[1] < a[1] + (b[1] - a[1]) * t < room[3]
                        for t in np.linspace(0, 1, 50)
                    )
                ]  # fmt: skip
                wrong += [f"{line.id} through {box.id}"] * bool(low)
        for text in figure.scene.texts:
            if not within(text.box, room) and not apart(text.box, room):
                wrong.append(f"{text.text} over the border of {box.id}")
    return wrong


@pytest.mark.parametrize("fit", [None, "16:9"])
@pytest.mark.parametrize("make", BOXED, ids=lambda make: make.__name__)
def test_boxes_hold_what_is_theirs_and_no_line_of_another(make, fit):
    figure = drawn(make, fit)
    assert any(shape.shape == "group" for shape in figure.scene.shapes)
    nothing_wrong(figure.scene)
    assert what_boxes_do_wrong(figure) == []


class Nested(nn.Module):
    """Random sums and products, some of them in parts of its own."""

    def __init__(self, choose, depth):
        self.seed, self.w = choose.random(), nn.Parameter(np.array(0.5))
        self.inner = nn.ModuleList([Nested(choose, depth - 1) for _ in range(choose.randint(1, 2) if depth else 0)])

    def forward(self, *values):
        choose, values, parts = random.Random(self.seed), [*values], [*self.inner]
        for _ in range(choose.randint(2, 4)):
            if parts and choose.random() < 0.6:
                values.append(parts.pop()(*[choose.choice(values) for _ in range(choose.randint(1, 2))]))
                continue
            a, b = choose.choice(values[-3:]), choose.choice([*values, self.w])
            values.append(choose.choice((np.add, np.multiply, np.subtract, lambda a, b: np.tanh(a)))(a, b))
        return values[-1] + values[-2]


def nested(seed):
    choose = random.Random(seed)
    values = [leaf(0.3, "x"), leaf(0.7, "y"), leaf(0.2, "z")]
    for _ in range(choose.randint(2, 4)):
        values.append(Nested(choose, choose.randint(0, 2))(*[choose.choice(values[-3:]) for _ in range(2)]))
    return values[-1] * values[-2] + 1.0


@pytest.mark.parametrize("flow", ["right", "down"])
@pytest.mark.parametrize("seed", range(10))
def test_random_nested_boxes_hold_what_is_theirs(seed, flow):
    figure = draw(nested(seed), collapse=None, flow=flow)
    assert what_boxes_do_wrong(figure) == []
    nothing_wrong(figure.scene)


def test_the_checks_of_boxes_see_what_is_wrong():
    figure = draw(several())
    scene = figure.scene
    (box,) = (shape for shape in scene.shapes if shape.shape == "group")
    plus = next(op.id for op in figure.graph.ops if not op.scope)

    def wrong(**changes):
        figure.__dict__["scene"] = replace(scene, **changes)
        return what_boxes_do_wrong(figure)

    assert wrong() == []
    assert wrong(shapes=tuple(replace(s, width=s.width / 2) if s is box else s for s in scene.shapes))
    assert wrong(shapes=tuple(replace(s, x=box.x, y=box.y) if s.id == plus else s for s in scene.shapes))
    through = ((box.x - box.width, box.y), (box.x + box.width, box.y))
    assert wrong(lines=tuple(replace(x, points=through) if x.tail == plus else x for x in scene.lines))
    assert wrong(texts=tuple(replace(t, x=box.x - box.width / 2) for t in scene.texts))


def heights(figure):
    return {text.text: text.y for text in figure.scene.texts if text.role == "name"}


def test_inputs_of_boxes_keep_their_order():
    for fit in (None, "16:9"):
        y = heights(drawn(chapter, fit))
        assert y["a₁"] > y["a₂"] > y["a₃"]
        assert y["t₁"] > y["t₂"] > y["t₃"]
    figure = drawn(chapter)
    at = {shape.id: shape.y for shape in figure.scene.shapes}
    for symbol in ("exp", "/", "log", "×"):
        own = [at[op.id] for op in figure.graph.ops if op.symbol == symbol]
        assert own == sorted(own, reverse=True)


@pytest.mark.parametrize("fit", [None, "16:9"])
@pytest.mark.parametrize("make", [layers, residual, cell])
def test_weight_and_bias_stand_on_one_side_of_the_border(make, fit):
    figure = drawn(make, fit)
    names = {text.id.partition("-text")[0]: text for text in figure.scene.texts if text.role == "name"}
    parameters = {place.id for place in figure.plan.places if "parameter" in place.classes}
    for box, own, _ in boxes_of(figure):
        innermost = {op.id for op in figure.graph.ops if op.scope and op.scope[-1].id == box.id.partition("-row")[0]}
        used = [w.source for w in figure.plan.wires if w.source in parameters and w.target in own & innermost]
        assert all(apart(names[source].box, sides(box)) for source in used)


def test_a_shortcut_runs_inside_its_block():
    figure = drawn(residual)
    box = next(box for box, own, _ in boxes_of(figure) if len(own) > 3)
    left, bottom, right, top = sides(box)
    (fork,) = (shape for shape in figure.scene.shapes if shape.shape == "fork")
    shortcut = next(line for line in figure.scene.lines if line.tail == fork.id and len(line.points) > 3)
    assert all(left < x < right and bottom < y < top for x, y in shortcut.points)
    entering = next(line for line in figure.scene.lines if line.head == fork.id)
    assert entering.points[0][1] == entering.points[-1][1], "it enters level"


def test_a_title_has_room():
    (box, _, _), text = next(boxes_of(drawn(long))), "VeryLongModuleNameThatIsWiderThanItsContent"
    title = next(words for words in drawn(long).scene.texts if words.text == text)
    assert box.width > title.width


def test_a_call_that_is_left_and_entered_again_has_no_box():
    x = leaf(2.0, "x")
    graph = trace(np.exp(np.tanh(np.sin(x) * 2.0)))
    part = Part("m0", "layer", "Layer")

    def within_calls(*places):
        ops = [replace(op, scope=(part,) if k in places else ()) for k, op in enumerate(graph.ops)]
        return replace(graph, ops=tuple(ops))

    assert [group.id for group in choose(within_calls(0, 1))] == ["m0"]
    assert choose(within_calls(0, 2)) == ()
    assert draw(within_calls(0, 2)).scene.shapes


def test_scopes_of_what_is_in_several():
    assert common([("a", "b"), ("a",), ("a", "c")]) == ("a",)
    assert scope_of_fork(("a", "b"), [("a", "c"), ("a",)]) == ("a",)
    assert scope_of_fork(("a",), [(), ()]) == ()
    assert scope_of_fork(("a",), [("a", "b"), ("a", "b")]) == ("a", "b")
    assert scope_of_fork(("a", "b"), [("a", "b"), ()]) == ("a", "b")


# ---------------------------------------------------------------------------------------------------
# Time


def whole(kind, steps=3, hidden=3):
    def make():
        x = tg.Tensor(np.ones((steps, 1, 2), np.float32), name="x")
        return kind(2, hidden, unroll=True, generator=np.random.default_rng(0))(x)[0].sum()

    return make


def by_cells(kind, steps=3):
    def make():
        layer, h = kind(2, 3, generator=np.random.default_rng(0)), None
        for k in range(steps):
            h = layer(tg.Tensor(np.ones((1, 2), np.float32), name=f"x{k + 1}"), h)
        return (h[0] if isinstance(h, tuple) else h).sum()

    return make


def encoder_and_decoder():
    w, u, v, w2, u2 = (leaf(0.1 * k + 0.2, name) for k, name in enumerate(("W", "U", "V", "W2", "U2")))
    h, ys = tg.Tensor(0.0, name="h0"), []
    for k in range(3):
        h = np.tanh(tg.Tensor(k + 1.0, name=f"x{k + 1}") * w + h * u)
    for k in range(2):
        h = np.tanh(tg.Tensor(k + 1.0, name=f"y{k + 1}") * w2 + h * u2)
        ys.append(h * v)
    return ys


def two_layers():
    w, u, v, q = (leaf(0.1 * k + 0.2, name) for k, name in enumerate("WUVQ"))
    h, g = tg.Tensor(0.0, name="h0"), tg.Tensor(0.0, name="g0")
    for k in range(3):
        h = np.tanh(tg.Tensor(k + 1.0, name=f"x{k + 1}") * w + h * u)
        g = np.tanh(h * v + g * q)
    return g


def taught(way, kind="RNN"):
    def make():
        model = Seq2Seq(5, 2, 3, way, kind, generator=np.random.default_rng(0))
        model.encoder.unroll = model.decoder.unroll = True
        return model(np.zeros((1, 3), int), np.zeros((1, 2), int)).sum()

    return make


TIMED = {
    "RNN": (whole(nn.RNN), [3]), "LSTM": (whole(nn.LSTM), [3]), "GRU": (whole(nn.GRU), [3]),
    "RNN cells": (by_cells(nn.RNNCell), [3]), "LSTM cells": (by_cells(nn.LSTMCell), [3]), "GRU cells": (by_cells(nn.GRUCell), [3]),
    "two steps": (lambda: unrolled(2), [2]), "three steps": (lambda: unrolled(3), [3]), "five steps": (lambda: unrolled(5), [5]),
    "arrays": (unrolled_arrays, [3]), "two layers": (two_layers, [3]), "encoder and decoder": (encoder_and_decoder, [3, 2]),
    "plain": (taught("plain"), [3, 2]), "attention": (taught("attention"), [3, 2]),
}  # fmt: skip


@pytest.mark.parametrize("name", TIMED)
def test_each_step_has_columns_of_its_own(name):
    make, steps = TIMED[name]
    figure = draw(make(), collapse=None)
    found = loops(figure.graph)
    assert sorted(map(len, found)) == sorted(steps)
    column = columns(figure.plan)
    for loop in found:
        spanned = [[column[figure.graph.ops[k].id] for k in step] for step in loop]
        for one, other in pairwise(spanned):
            assert max(one) < min(other), "a step begins when the one before has ended"
        widths = [max(one) - min(one) for one in spanned]
        assert max(widths) - min(widths) <= 2, "all steps look alike, but for what nothing follows"


@pytest.mark.parametrize("name", ["two steps", "five steps", "two layers", "encoder and decoder", "RNN cells"])
def test_steps_stand_level_and_have_no_faults(name):
    figure = draw(TIMED[name][0](), collapse=None)
    nothing_wrong(figure.scene)
    y = heights(figure)
    rows = [y[name] for name in y if name.startswith("x")]
    assert max(rows) - min(rows) < 1.0


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU", "RNN cells", "LSTM cells", "GRU cells", "plain", "attention"])
@pytest.mark.parametrize("fit", [None, "16:9"])
def test_steps_that_are_drawn_in_full_have_no_faults(name, fit):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nothing_wrong(draw(TIMED[name][0](), collapse=None, fit=fit).scene)


UNFOLDED = {
    **{
        f"{kind.__name__}, {steps} steps, {hidden} hidden": whole(kind, steps, hidden)
        for kind in (nn.RNN, nn.LSTM, nn.GRU) for steps in (2, 4) for hidden in (1, 3)
    },
    **{f"{way}, {kind}": taught(way, kind) for way in ("plain", "peeky", "attention") for kind in ("GRU",)},
}  # fmt: skip


@pytest.mark.parametrize("name", UNFOLDED)
def test_layers_and_encoder_decoders_that_are_unfolded_have_no_faults(name):
    """They have up to 129 operations and 223 wires: such figures get as much care as small ones."""
    nothing_wrong(draw(UNFOLDED[name](), collapse=None).scene)


@pytest.mark.parametrize("name", ["two steps", "three steps", "RNN cells", "RNN"])
def test_shared_weights_are_tags_that_say_their_whole_derivative_once(name):
    figure = draw(TIMED[name][0](), collapse=None)
    shared = used_again(figure.graph)
    weights = {v.id for v in figure.graph.values if v.kind == "parameter" or (v.name or "").startswith("W")}
    assert shared == weights
    tags = [place for place in figure.plan.places if place.id.endswith("-tag")]
    assert {place.ref for place in tags} == weights
    assert len(tags) == len(weights) * TIMED[name][1][0]
    totals = [text for text in figure.scene.texts if text.text.startswith("Σ = ")]
    assert len(totals) == len(weights)


@pytest.mark.parametrize("make", [softmax_with_loss, residual, chapter, attention, cell, layers])
def test_what_is_no_loop_is_not_taken_for_one(make):
    graph = draw(make(), collapse=None).graph
    assert loops(graph) == []


def test_a_leaf_that_is_used_twice_otherwise_forks():
    x = leaf(3.0, "x")
    for y in (x * x + x, 3 * x**3 - 2 * x**2 + 5 * x, x - np.tanh(x)):
        assert used_again(trace(y)) == frozenset()
    c = tg.Tensor(3.0, name="c")
    assert used_again(trace(c * leaf(2.0) + c * leaf(5.0))) == frozenset()


def test_leaves_that_repeated_steps_use_are_tags_where_most_steps_are_one_cloud():
    figure = draw(unrolled_arrays())
    (cloud,) = (op for op in figure.graph.ops if op.shape == "cloud")
    used = {wire.value: wire.source for wire in figure.plan.wires if wire.target == cloud.id}
    names = {value.id: value.name for value in figure.graph.values}
    tags = [names[value] for value, source in used.items() if source.endswith("-tag")]
    assert sorted(tags) == ["Wh", "Wx", "b"]
    nothing_wrong(figure.scene)


def test_groups_do_not_share_columns_with_what_leads_to_them():
    figure = drawn(residual)
    span = spans(figure.plan, columns(figure.plan))
    column = columns(figure.plan)
    scope = {place.id: place.scope for place in figure.plan.places}
    for wire in figure.plan.wires:
        for group in scope[wire.target]:
            if group not in scope[wire.source]:
                assert column[wire.source] < span[group][0]
        for group in scope[wire.source]:
            if group not in scope[wire.target]:
                assert column[wire.target] > span[group][1]

"""From one graph to another: one path, layers as boxes, repeats folded."""

import operator
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tests.viz.figures import leaf
from tests.viz.test_boxes import TIMED
from tinygrad_edu import nn
from viz import draw, trace
from viz.folded import SLIDE
from viz.record.elision import without_steps
from viz.record.folding import candidates, fold, repeats
from viz.record.passes import Span, merge, only_path, size
from viz.record.sharing import loops


class Block(nn.Module):
    def __init__(self):
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return nn.functional.relu(self.b(nn.functional.relu(self.a(x))) + x)


def network():
    return nn.Sequential(nn.Linear(3, 4), Block(), Block())


def loss_of(model, rows=2, columns=3):
    return model(tg.Tensor(np.ones((rows, columns), np.float32), name="x")).mean()


STEPS = (operator.add, operator.sub, operator.mul, lambda a, b: np.tanh(a), lambda a, b: b * 0.5)


def random_program(seed, operations):
    choose = random.Random(seed)
    values = [leaf((k + 1) / 7, f"x{k}") for k in range(4)]
    for _ in range(operations):
        a, b = choose.choice(values[-6:]), choose.choice(values[-6:])
        values.append(choose.choice(STEPS)(a, b))
    return values[-1] + values[-2]


def well_formed(graph):
    """Every use is named by its operation, every value made before it is used, every result by its operation."""
    uses = {use.id: use for use in graph.uses}
    values = {value.id: value for value in graph.values}
    known = {value.id for value in graph.values if value.op is None}
    for op in graph.ops:
        assert [uses[use].position for use in op.inputs] == list(range(len(op.inputs)))
        assert all(uses[use].op == op.id and uses[use].value in known for use in op.inputs)
        assert all(values[v].op == op.id for v in op.outputs)
        known |= set(op.outputs)
    named = [use for op in graph.ops for use in op.inputs] + [use.id for use in graph.uses if use.op is None]
    assert sorted(named) == sorted(uses)
    assert known == set(values)


def test_one_path_keeps_derivatives_on_the_way_only():
    apple, count, tax = leaf(100.0, "apple"), leaf(2.0, "count"), leaf(1.1, "tax")
    graph = draw(apple * count * tax, wrt=apple).graph
    flowing = [(use.value, use.op, use.grad) for use in graph.uses if use.flows]
    assert flowing == [("v0", "o0", 2.2), ("v2", "o1", 1.1), ("v4", None, 1.0)]
    assert draw(apple * count * tax, wrt="apple").graph == graph
    assert len(graph.ops) == 2


def test_what_is_not_in_the_figure_is_refused():
    apple, count = leaf(100.0, "apple"), leaf(2.0, "count")
    with pytest.raises(ValueError, match="apple, count"):
        draw(apple * count, wrt="orange")
    with pytest.raises(ValueError, match="not in this figure"):
        draw(apple * count, wrt=leaf(1.0))


def test_layers_become_boxes_and_their_parameters_are_inside():
    loss = loss_of(network())
    layers = draw(loss, collapse="all").graph
    well_formed(layers)
    assert [op.symbol for op in layers.ops] == ["Linear", *["Linear", "ReLU", "Linear", "+", "ReLU"] * 2, "mean"]
    assert not any(value.kind == "parameter" for value in layers.values)
    outermost = draw(loss, collapse=1).graph
    well_formed(outermost)
    assert [op.symbol for op in outermost.ops] == ["Sequential", "mean"]
    assert [op.symbol for op in draw(loss, collapse=2).graph.ops] == ["Linear", "Block", "Block", "mean"]
    assert outermost.ops[0].parts == len(draw(loss, collapse=None).graph.ops) - 1


def test_modules_and_predicates_choose_what_is_collapsed():
    model = network()
    loss = loss_of(model)
    assert [op.symbol for op in draw(loss, collapse=[model[2]]).graph.ops].count("Block") == 1
    assert [op.symbol for op in draw(loss, collapse=lambda part: part.kind == "Block").graph.ops].count("Block") == 2
    with pytest.raises(ValueError, match="not called"):
        draw(loss, collapse=[nn.Linear(2, 2)])
    with pytest.raises(ValueError, match="depth"):
        draw(loss, collapse=0)
    with pytest.raises(ValueError, match="auto"):
        draw(loss, collapse="some")


def test_contributions_to_a_merged_part_add_up():
    x = leaf(3.0, "x")
    graph = merge(trace(x * x + x), [Span(0, 2, "s", "all", "all", "cloud")])
    well_formed(graph)
    (use,) = [use for use in graph.uses if use.op == "s"]
    assert use.grad == graph.values[0].grad == 7.0


@given(st.integers(0, 10_000), st.integers(1, 40), st.data())
def test_merging_any_spans_leaves_a_graph(seed, operations, data):
    graph = trace(random_program(seed, operations))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(graph.ops)), max_size=6)))
    spans = [Span(a, b, f"s{a}", "part", "part", "cloud") for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    merged = merge(graph, spans)
    well_formed(merged)
    assert sum(op.parts for op in merged.ops) == len(graph.ops)
    well_formed(only_path(merged, ["v0"]))
    owner = {op.id: span.id for span in spans for op in graph.ops[span.start : span.stop]}
    sums = {}
    for use in graph.uses:
        key = use.value, owner.get(use.op, use.op)
        sums[key] = sums.get(key, 0.0) + use.grad if use.flows else None
    for use in merged.uses:
        if use.op in owner.values():
            assert use.grad == pytest.approx(sums[use.value, use.op])


def test_a_sum_of_sums_is_one_circle_if_asked_for():
    a, b, c, d = (leaf(float(k), name) for k, name in enumerate("abcd"))
    graph = draw((a * b + c + d) * (a + b), join_sums=True).graph
    well_formed(graph)
    assert [(op.symbol, len(op.inputs)) for op in graph.ops] == [("×", 2), ("+", 3), ("+", 2), ("×", 2)]
    y = np.exp(a + b + c)
    graph = draw(y, join_sums=True, grad="symbol", loss="L").graph
    assert [use.symbol for use in graph.uses] == ["∂L/∂y·y"] * 4 + ["∂L/∂y"]
    x = leaf(np.ones(3), "x")
    assert len(draw(x + x + leaf(np.ones((2, 3)), "y"), join_sums=True).graph.ops) == 2  # broadcast
    shared = a + b
    assert len(draw(shared + shared, join_sums=True).graph.ops) == 2


def unrolled(steps):
    h, w, b = leaf(np.zeros((1, 3)), "h"), leaf(np.ones((3, 3)), "W"), leaf(np.ones(3), "b")
    for _ in range(steps):
        h = np.tanh(h @ w + b)
    return h.sum()


def symbols(graph):
    return [op.symbol for op in graph.ops]


def residual(blocks):
    h = leaf(np.ones((2, 4)), "x")
    for _ in range(blocks):
        inner = np.maximum(h @ leaf(np.ones((4, 4))) + leaf(np.ones(4)), 0.0)
        h = np.tanh(inner @ leaf(np.ones((4, 4))) + h)
    return h.mean()


def fits_on_a_slide(figure):
    left, bottom, right, top = figure.scene.bounds()
    return right - left <= SLIDE[0] + 10 and top - bottom <= SLIDE[1]


def test_repeats_are_folded_and_the_figure_says_so():
    graph = draw(unrolled(200)).graph
    well_formed(graph)
    assert symbols(graph) == ["dot", "+", "tanh", "⋯ 198 more times ⋯", "dot", "+", "tanh", "Σ"]
    assert "601 operations" in graph.notes[0]
    assert "601개" in draw(unrolled(200), lang="ko").graph.notes[0]


@pytest.mark.parametrize(
    "make",
    [
        lambda: residual(8), lambda: residual(34), lambda: loss_of(nn.Sequential(nn.Linear(3, 4), *map(block, range(5)))),
        *[lambda n=n: random_program(n, n) for n in (50, 100, 200, 400)],
    ],
)  # fmt: skip
def test_what_is_too_large_for_a_slide_is_folded_until_it_is_not(make):
    program = make()
    whole, figure = draw(program, collapse=None), draw(program)
    assert not fits_on_a_slide(whole)
    assert fits_on_a_slide(figure)
    well_formed(figure.graph)
    assert sum(op.parts for op in figure.graph.ops) == len(whole.graph.ops)
    assert len(figure.graph.ops) >= 8  # and not further
    assert f"of {len(whole.graph.ops)} operations are drawn one by one" in figure.graph.notes[0]


def block(k):
    return Block()


def test_what_can_be_read_is_drawn_whole():
    small = random_program(0, 16)
    assert draw(small).graph.ops == draw(small, collapse=None).graph.ops
    assert draw(small).graph.notes == ()


def test_few_operations_are_drawn_whatever_is_written_on_them():
    x = leaf(1.5, "a name that takes much room on a figure")
    for k in range(12):
        x = np.tanh(x)
        x.name = f"{k}: a name that takes much room on a figure"
    figure = draw(x, grad="symbol")
    assert not fits_on_a_slide(figure)
    assert len(figure.graph.ops) == 12
    assert len(draw(np.tanh(x), grad="symbol").graph.ops) < 12


def test_two_panels_take_twice_the_room():
    x = leaf(0.5, "x")
    for k in range(14):
        x = (np.tanh, np.sin, np.exp)[k % 3](x) if k % 5 else np.sqrt(x)
    assert draw(x).graph.notes == ()
    assert draw(x, direction="side-by-side").graph.notes


def test_the_first_and_the_last_are_drawn_where_there_is_room_else_the_first_else_none():
    def ends(fits):
        return symbols(fold(trace(residual(8)), fits))

    open_block = symbols(trace(residual(1)))[:-1]
    n = len(open_block)
    assert ends(lambda graph: True) == [*open_block, "⋯ 6 more times ⋯", *open_block, "mean"]
    assert ends(lambda graph: len(graph.ops) < 2 * n) == [*open_block, "⋯ 7 more times ⋯", "mean"]
    assert ends(lambda graph: len(graph.ops) < n) == [f"{n} operations", "⋯ 7 more times ⋯", "mean"]
    assert ends(lambda graph: False)[1:] == [f"{7 * n} operations", "mean"]


def test_modules_are_closed_before_repeats_and_the_deepest_first():
    loss = loss_of(nn.Sequential(nn.Linear(3, 4), *[Block() for _ in range(6)]))
    seen = []
    fold(trace(loss), lambda graph: bool(seen.append(symbols(graph))))
    assert seen[0][:6] == ["Linear", "Linear", "ReLU", "Linear", "+", "ReLU"]
    assert seen[1].count("⋯ 4 more times ⋯") == 1
    assert ["Linear", *["Block"] * 6, "mean"] in seen
    assert ["Sequential", "mean"] in seen
    assert seen.index(["Linear", *["Block"] * 6, "mean"]) < seen.index(["Sequential", "mean"])


@pytest.mark.parametrize("name", ["GRU cells", "five steps", "attention", "two layers"])
def test_steps_of_loops_are_folded_more_and_more(name):
    graph = trace(TIMED[name][0]())
    found = [*without_steps(graph, "en")]
    for folded in found:
        well_formed(folded)
        assert sum(op.parts for op in folded.ops) == len(graph.ops)
    counts = TIMED[name][1]
    boxes = symbols(found[-1 if max(counts) < 4 else -2])
    called = {"GRU cells": "GRUCell", "attention": "RNN"}.get(name, "step")
    assert boxes.count(called) == sum(counts)


def test_the_steps_in_the_middle_are_one_cloud_then_each_is_a_box():
    middle, boxes, ends = without_steps(trace(TIMED["five steps"][0]()), "en")
    step = ["×", "×", "+", "tanh"]
    assert symbols(middle) == [*step, "⋯ 3 more times ⋯", *step]
    assert symbols(boxes) == ["step"] * 5
    assert symbols(ends) == ["step", "⋯ 3 more times ⋯", "step"]
    assert [len(step) for step in loops(middle)[0]] == [4, 1, 4], "the last step is one as well"
    assert symbols([*without_steps(trace(TIMED["five steps"][0]()), "ko")][1]) == ["단계"] * 5
    assert [*without_steps(trace(residual(3)), "en")] == [], "equal blocks with weights of their own are no loop"


def test_a_cloud_stands_for_something():
    x = leaf(0.5)
    assert repeats(trace(np.tanh(np.tanh(np.tanh(x))))) == []
    assert repeats(trace(np.tanh(np.tanh(np.tanh(np.tanh(x)))))) == [(0, 1, 4)]
    assert repeats(trace(residual(2))) == [], "once more is no repeat"
    assert draw(np.tanh(x), max_nodes=1).graph.notes == (), "there is nothing to fold"


def test_a_large_program_is_folded_more_and_more():
    for seed in range(20):
        graph = trace(random_program(seed, 120))
        sizes = []
        for folded in candidates(graph, "en"):
            well_formed(folded)
            assert sum(op.parts for op in folded.ops) == len(graph.ops)
            sizes.append(len(folded.ops))
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[-1] <= 3


def test_deep_networks_are_folded_by_their_modules():
    model = nn.Sequential(nn.Linear(3, 4), *[Block() for _ in range(34)])
    graph = draw(loss_of(model)).graph
    well_formed(graph)
    assert symbols(graph).count("Linear") == 5
    assert "⋯ 32 more times ⋯" in symbols(graph)
    assert size(graph) < size(draw(loss_of(model), collapse=None).graph) / 5


def test_max_nodes_and_none_draw_everything():
    program = unrolled(150)
    everything = draw(program, collapse=None).graph
    assert len(everything.ops) == 451
    assert draw(program, max_nodes=10_000).graph.ops == everything.ops
    few = random_program(0, 16)
    assert draw(few, max_nodes=20).graph.notes
    assert not draw(few, max_nodes=100).graph.notes

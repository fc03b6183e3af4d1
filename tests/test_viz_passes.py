"""From one graph to another: one path, layers as boxes, repeats folded."""

import operator
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn
from viz import draw, trace
from viz.passes import Span, fold, merge, only_path, size


def leaf(x, name=None):
    return tg.Tensor(x, requires_grad=True, name=name)


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


def test_repeats_are_folded_and_the_figure_says_so():
    graph = draw(unrolled(200)).graph
    well_formed(graph)
    assert [op.symbol for op in graph.ops if op.shape == "cloud"] == ["⋯ 198 more times ⋯"]
    assert len(graph.ops) < 20
    assert "601 operations" in graph.notes[0]
    assert "601개" in draw(unrolled(200), lang="ko").graph.notes[0]


def test_a_large_program_is_folded_to_what_can_be_read_and_a_small_one_is_not():
    for seed in range(5):
        graph = trace(random_program(seed, 600))
        folded = fold(graph)
        well_formed(folded)
        assert len(folded.ops) <= 45
        assert sum(op.parts for op in folded.ops) == len(graph.ops)
    small = random_program(0, 50)
    assert draw(small).graph.ops == draw(small, collapse=None).graph.ops
    assert draw(small).graph.notes == ()


def test_deep_networks_are_folded_by_their_modules():
    model = nn.Sequential(nn.Linear(3, 4), *[Block() for _ in range(34)])
    graph = draw(loss_of(model), max_nodes=100).graph
    well_formed(graph)
    assert len(graph.ops) <= 40
    assert size(graph) < size(draw(loss_of(model), collapse=None).graph) / 5


def test_max_nodes_and_none_draw_everything():
    program = unrolled(150)
    everything = draw(program, collapse=None).graph
    assert len(everything.ops) == 451
    assert draw(program, max_nodes=10_000).graph.ops == everything.ops

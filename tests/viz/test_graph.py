"""A computation as plain data: what trace sees, and what it leaves alone."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tests.viz.figures import leaf
from tinygrad_edu import nn
from tinygrad_edu.engine.recording import tracing
from viz import Graph, draw, trace
from viz.record.check import checked
from viz.record.record import Record


def fruit():
    """2 apples of 100 and 3 oranges of 150, with tax: figure 5-17."""
    apples, apple, orange, oranges, tax = (
        leaf(x, name)
        for x, name in ((2.0, "apples"), (100.0, "apple"), (150.0, "orange"), (3.0, "oranges"), (1.1, "tax"))
    )
    return (apples * apple + orange * oranges) * tax


def test_the_numbers_of_the_chapter():
    graph = trace(fruit())
    grads = {value.name: value.grad for value in graph.values if value.name}
    assert grads == pytest.approx({"apples": 110, "apple": 2.2, "orange": 3.3, "oranges": 165, "tax": 650})
    results = [value.data for value in graph.values if value.kind == "result"]
    assert results == pytest.approx([200, 450, 650, 715])
    assert [op.symbol for op in graph.ops] == ["×", "×", "+", "×"]


def test_a_value_used_twice_has_two_uses_each_with_its_own_contribution():
    x = leaf(3.0)
    graph = trace(x * x + x)
    uses = [use for use in graph.uses if use.value == "v0"]
    assert [use.grad for use in uses] == [3.0, 3.0, 1.0]
    assert graph.values[0].grad == 7.0


def test_nothing_is_read_from_or_written_to_grad():
    x = leaf(3.0)
    y = x * x
    trace(y)
    assert x.grad is None
    y.backward()
    before = x.grad
    trace(y)
    assert x.grad is before
    assert before.item() == 6.0


def test_no_derivative_goes_to_a_constant_and_zero_is_a_derivative():
    x = leaf(-1.0)
    graph = trace(np.maximum(x, 0.0) * tg.Tensor(2.0))
    flows = {use.value: use.flows for use in graph.uses}
    zero = next(use for use in graph.uses if use.value == "v0")
    assert flows["v0"]
    assert zero.grad == 0.0
    constants = {value.id for value in graph.values if value.kind == "constant"}
    assert constants
    assert not any(flows[c] for c in constants)


def test_plain_tensors_are_traced_inside_tracing():
    with tracing():
        y = tg.Tensor(2.0) + tg.Tensor(3.0)
    graph = trace(y)
    assert len(graph.ops) == 1
    assert not any(use.flows for use in graph.uses)


def test_an_array_without_gradient_has_derivatives_without_numbers():
    x = leaf(np.ones(3))
    y = x * 2.0
    graph = trace(y)
    assert graph.values[0].flows
    assert graph.values[0].grad is None
    given = trace(y, gradient=np.array([1.0, 0.0, 2.0]))
    assert given.values[0].grad == (2.0, 0.0, 4.0)
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        trace(y, gradient=np.ones(2))


def test_a_large_array_is_known_by_its_shape():
    graph = trace((leaf(np.ones((100, 3))) * 2.0).sum())
    assert graph.values[0].data is None
    assert graph.values[0].grad is None
    assert graph.values[0].flows
    assert graph.values[0].shape == (100, 3)


def test_several_results_of_one_operation_are_its_values():
    x = leaf(np.array([[2.0, 0.0], [1.0, 3.0]]))
    q, r = np.linalg.qr(x)
    graph = trace((q * q).sum() + r.sum())
    (op,) = [op for op in graph.ops if len(op.outputs) > 1]
    assert len(op.outputs) == 2
    assert all(value.op == op.id for value in graph.values if value.id in op.outputs)
    assert not any(op.name == "item" for op in graph.ops)


def test_a_figure_of_what_is_no_tensor_is_refused():
    with pytest.raises(TypeError, match="list"):
        trace([[1.0]])


def test_freed_and_stale_graphs_are_refused_with_the_cure():
    x = leaf(3.0, "x")
    y = x * x
    y.backward(retain_graph=False)
    with pytest.raises(RuntimeError, match="freed"):
        trace(y)
    z = x * x
    with tg.no_grad():
        x += 1.0
    with pytest.raises(RuntimeError, match="'x' was written"):
        trace(z)


def test_twenty_thousand_operations_do_not_recurse():
    h = leaf(0.5)
    for _ in range(20_000):
        h = h + 1e-6
    graph = trace(h)
    assert len(graph.ops) == 20_000
    assert graph.values[0].grad == 1.0


def test_parameters_are_named_by_their_path_and_operations_by_their_module():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    graph = trace(model(tg.Tensor(np.ones((1, 2), np.float32))).sum())
    assert {value.name for value in graph.values if value.kind == "parameter"} == {"weight₀", "bias₀"}
    kinds = [[part.kind for part in op.scope] for op in graph.ops]
    assert kinds == [["Sequential", "Linear"], ["Sequential", "Linear"], ["Sequential", "ReLU"], []]


@given(st.lists(st.floats() | st.complex_numbers() | st.integers(-99, 99) | st.booleans(), min_size=1, max_size=3))
def test_json_reads_back_equal(numbers):
    x = tg.Tensor(numbers, name="x")
    with tracing():
        graph = trace(np.add(x, x))
    text = graph.to_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    back = Graph.from_json(text)
    assert repr(back) == repr(graph)  # NaN is not equal to itself


def test_json_of_another_version_is_refused():
    text = trace(leaf(1.0) * 2.0).to_json().replace('"version": 1', '"version": 99')
    with pytest.raises(ValueError, match="version 1"):
        Graph.from_json(text)


def test_json_keeps_what_there_is_no_json_for():
    with tracing():
        graph = trace(tg.Tensor([math.inf, -math.inf]) * 2.0)
    assert Graph.from_json(graph.to_json()).values[0].data == (math.inf, -math.inf)


def verdicts(y, **kwargs):
    record = Record(y, **kwargs)
    graph = checked(record, record.graph)
    return {thing.verdict for thing in (*graph.values, *graph.uses) if thing.flows and thing.verdict}


def test_right_derivatives_agree_with_numerical_ones():
    x, w = leaf(np.array([[0.5, -1.5], [2.0, 0.3]])), leaf(np.array([[1.0, 2.0], [0.1, -0.7]]))
    y = np.exp(np.tanh(x @ w) * 0.5) + x
    assert verdicts(y.sum()) == {"agrees"}
    assert verdicts(y) == {"agrees"}  # in a random direction
    assert verdicts(nn.functional.softmax(y)) == {"agrees"}


def test_the_derivative_by_a_matrix_taken_for_symmetric_agrees():
    x = leaf(np.array([[4.0, 1.0], [1.0, 5.0]]))
    assert verdicts(np.linalg.cholesky(x)) == {"agrees"}
    assert verdicts(np.linalg.cholesky(x * leaf(np.array([[2.0, 0.5], [0.5, 3.0]]))) * 2.0) == {"agrees"}
    assert verdicts(np.linalg.eigh(x @ x.T)[0]) == {"agrees"}


def test_a_derivative_in_a_record_is_one_operation():
    w, x = leaf([2.0, 3.0], "w"), leaf([1.0, -1.0], "x")
    for symbol, derive in {
        "∇": lambda f: tg.value_and_grad(f)(x)[1],
        "vᵀJ": lambda f: tg.vjp(f, x)[1],
        "Jv": lambda f: tg.jvp(lambda t: f(t) * w, x, np.ones(2))[1],
        "J": lambda f: tg.jacobian(f, x),
        "H": lambda f: tg.hessian(f, x),
        "Hv": lambda f: tg.hvp(f, x, np.ones(2))[1],
    }.items():
        y = np.sum(derive(lambda t: (w * t**3).sum()))
        graph = trace(y)
        assert [op.symbol for op in graph.ops] == [symbol, "Σ"]
        assert graph.ops[0].settings == ()
        assert {value.name for value in graph.values} >= {"w", "x"}
        assert verdicts(y) == {"agrees"}
    assert "∂hvp/∂x₁(x, w)ᵀ" in tg.formula(y, w)
    assert "t = hvp(x, w) = " in tg.formula(y, w)


def test_a_wrong_rule_differs_and_a_kink_is_called_one():
    from tinygrad_edu.engine.example import example
    from tinygrad_edu.engine.op import op

    @op(vjp=(lambda g, y, x: g * 3 * x,), examples=[example((3,))])
    def wrong(x):
        return x * x

    assert "differs" in verdicts(wrong(leaf(2.0)))
    assert "kink" in verdicts(nn.functional.relu(leaf(0.0)) * 3.0)


# ---------------------------------------------------------------------------------------------------
# Results without a derivative


def test_a_mask_is_drawn_with_what_it_was_computed_from():
    x, w = leaf([1.0, -2.0, 3.0]), leaf([1.0, 1.0, 2.0])
    h = x * w
    mask = h > 0
    y = np.where(mask, h, 0.0).sum()
    for graph in (trace(y, names={"mask": mask, "h": h}), trace([y, mask], names={"mask": mask, "h": h})):
        greater = next(op for op in graph.ops if op.name == "greater")
        (value,) = [v for v in graph.values if v.id in greater.outputs]
        assert value.name == "mask"
        assert not value.flows
        assert [v.name for v in graph.values if v.name in ("h", "mask")] == ["h", "mask"]
    assert [op.name for op in trace(mask).ops] == ["multiply", "greater"]
    assert [op.name for op in trace(np.mean(mask)).ops] == ["multiply", "greater", "mean"]
    assert "m!" in draw(y, values={mask: "m!"}, names={"mask": mask}).svg()
    assert "mask" in draw(y, check=True, names={"mask": mask}).text()


def test_a_mask_of_what_is_gone_is_drawn_as_given_and_never_checked_with():
    x, w = leaf([1.0, -2.0, 3.0]), leaf([1.0, 1.0, 2.0])
    y = np.where(x * w > 0, x * w, 0.0).sum()
    graph = trace(y)
    assert [op.name for op in graph.ops] == ["multiply", "where", "sum"]
    (mask,) = [v for v in graph.values if v.dtype == "bool"]
    assert (mask.op, mask.data) == (None, (True, False, True))
    draw(y)
    with pytest.raises(RuntimeError, match=r"the result of greater.*cannot be computed again.*tracing\(\)"):
        draw(y, check=True)
    with pytest.raises(RuntimeError, match=r"the result of greater.*cannot be computed again"):
        draw(x * w > 0)
    with tracing():
        y = np.where(x * w > 0, x * w, 0.0).sum()
    assert {use.verdict for use in draw(y, check=True).graph.uses} == {"agrees", None}

"""evaluate(): a record run again on new values."""

import numpy as np
import pytest

from tests.engine.leaves import leaf
from tests.engine.readings import FUNCTIONS, sin_and_cos
from tinygrad_edu import Tensor
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.recording import no_grad, tracing


def test_evaluate_answers_what_if():
    apple, count, tax = (
        Tensor(v, requires_grad=True, name=n) for v, n in ((100.0, "apple"), (2.0, "count"), (1.1, "tax"))
    )
    price = apple * count * tax  # fmt: skip
    assert float(evaluate(price, {apple: 120.0})) == pytest.approx(264.0)
    assert float(evaluate(price, {apple: Tensor(120.0), count: 3})) == pytest.approx(396.0)
    assert float(evaluate(price)) == price.item()
    assert price.item() == pytest.approx(220.0)
    assert apple.item() == 100.0


def test_evaluate_of_several_outputs_runs_shared_parts_once():
    calls = []

    @op(symbol="f", vjp=(lambda g, y, x: g,))
    def counted(x):
        calls.append(1)
        return x + 0

    x = leaf(1.0)
    h = counted(x)
    a, b = h * 2, h * 3
    calls.clear()
    values = evaluate([a, b, x, h], {x: np.array([5.0])})
    assert [v.tolist() for v in values] == [[10.0], [15.0], [5.0], [5.0]]
    assert isinstance(values, tuple)
    assert len(calls) == 1


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_evaluate_equals_computing_again_also_for_recorded_gradients(f):
    x = leaf(0.3, 1.7, -0.8)
    new = np.array([-0.4, 0.9, 2.2])
    y = f(x)
    dx = grad(y, x, np.ones(y.shape), create_graph=True)
    x2 = leaf(*new)
    y2 = f(x2)
    dx2 = grad(y2, x2, np.ones(y2.shape), create_graph=True)
    got, slope = evaluate([y, dx], {x: new})
    np.testing.assert_allclose(got, y2.numpy(), rtol=1e-13)
    np.testing.assert_allclose(slope, dx2.numpy(), rtol=1e-13)
    if dx.requires_grad:
        second = grad(dx, x, np.ones(3), create_graph=True, allow_unused=True)
        if second is not None:
            np.testing.assert_allclose(
                evaluate(second, {x: new}) if not second.is_leaf else second.numpy(),
                grad(dx2, x2, np.ones(3)).numpy(),
                rtol=1e-12,
                atol=1e-14,
            )


def test_evaluate_hands_out_memory_of_its_own():
    x = leaf(1.0, 2.0)
    new = np.array([3.0, 4.0])
    for output, values in ((x, None), (x.reshape(2, 1), None), (x[:1], {x: new}), (x * 1, {x: new})):
        result = evaluate(output, values)
        result += 100.0
        assert x.tolist() == [1.0, 2.0]
        assert new.tolist() == [3.0, 4.0]


def test_evaluate_keeps_constants_and_index_arrays():
    x, i = leaf(1.0, 2.0, 3.0), Tensor([2, 0])
    y = x[i] * 10 + np.array([0.5, 0.25])
    assert evaluate(y, {x: np.array([4.0, 5.0, 6.0])}).tolist() == [60.5, 40.25]
    assert evaluate(y, {i: np.array([1, 1])}).tolist() == [20.5, 20.25]


def test_evaluate_of_operations_with_several_outputs():
    x = leaf(1.0, 2.0)
    a, b = sin_and_cos(x)
    new = np.array([0.5, 0.25])
    np.testing.assert_allclose(evaluate(a * b, {x: new}), np.sin(new) * np.cos(new))


def test_evaluate_records_nothing_and_writes_nothing():
    x = leaf(1.0)
    y = np.exp(x)
    with no_grad():
        assert evaluate(y, {x: np.array([0.0])}).tolist() == [1.0]
    with tracing():
        assert isinstance(evaluate(y, {x: np.array([0.0])}), np.ndarray)
    assert y.tolist() == [np.e]
    assert x.grad is None


def test_evaluate_refuses_what_does_not_fit():
    x, other = leaf(1.0, 2.0, name="x"), leaf(1.0, name="other")
    y = x * 2
    with pytest.raises(ValueError, match=r"float64 of shape \(2,\) for 'x', but got float64 of shape \(3,\)"):
        evaluate(y, {x: np.ones(3)})
    with pytest.raises(ValueError, match="complex128"):
        evaluate(y, {x: np.ones(2) * 1j})
    with pytest.raises(ValueError, match="'other', which the outputs do not depend on"):
        evaluate(y, {other: np.ones(1)})
    with pytest.raises(ValueError, match="for leaves, but the result of multiply was computed"):
        evaluate(y, {y: np.ones(2)})
    with pytest.raises(TypeError, match="'x'"):
        evaluate(y, {"x": np.ones(2)})
    assert evaluate(y, {x: [3, 4]}).dtype == float

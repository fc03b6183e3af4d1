"""Conventions at kinks, ties, zeros and infinities."""

import numpy as np
import pytest

from tests.engine.leaves import leaf
from tinygrad_edu import Tensor
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.ops.network.activations import relu, sigmoid, silu
from tinygrad_edu.ops.network.gaussian import gelu
from tinygrad_edu.ops.network.softmax import log_softmax, logsumexp, softmax, softplus

CONVENTIONS = {
    "relu at 0": (lambda x: relu(x), [-1.0, 0.0, 2.0], [0.0, 0.0, 1.0]),
    "abs at 0": (np.abs, [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]),
    "sign": (np.sign, [-2.0, 0.0, 2.0], [0.0, 0.0, 0.0]),
    "clip passes at its bounds": (lambda x: np.clip(x, -1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0], [0.0, 1.0, 1.0, 1.0, 0.0]),
    "floor": (np.floor, [0.5, 1.0], [0.0, 0.0]),
    "max shares ties": (np.max, [1.0, 3.0, 3.0], [0.0, 0.5, 0.5]),
    "max of axis shares ties": (lambda x: np.max(x, axis=0), [2.0, 2.0, 2.0, 2.0], [0.25] * 4),
    "min shares ties": (np.min, [1.0, 3.0, 1.0], [0.5, 0.0, 0.5]),
    "maximum gives each half": (lambda x: np.maximum(x, np.array([1.0, 2.0])), [1.0, 3.0], [0.5, 1.0]),
    "minimum gives each half": (lambda x: np.minimum(x, np.array([1.0, 2.0])), [1.0, 3.0], [0.5, 0.0]),
    "maximum of itself": (lambda x: np.maximum(x, x), [1.0], [1.0]),
    "sqrt at 0": (np.sqrt, [0.0, 4.0], [np.inf, 0.25]),
    "norm at 0": (np.linalg.norm, [0.0, 0.0], [0.0, 0.0]),
    "norm along an axis at 0": (lambda x: np.linalg.norm(x.reshape(2, 2), axis=1), [0.0, 0.0, 3.0, 4.0], [0.0, 0.0, 0.6, 0.8]),
    "std of a constant": (np.std, [2.0, 2.0, 2.0], [0.0, 0.0, 0.0]),
    "var of a constant": (np.var, [2.0, 2.0, 2.0], [0.0, 0.0, 0.0]),
    "prod with a zero": (np.prod, [2.0, 0.0, 5.0], [0.0, 10.0, 0.0]),
    "prod with two zeros": (np.prod, [0.0, 0.0, 5.0], [0.0, 0.0, 0.0]),
    "cumprod with a zero": (np.cumprod, [2.0, 0.0, 5.0], [1.0, 2.0 + 10.0, 0.0]),
    "x to the 0 at 0": (lambda x: x**0, [0.0, 2.0], [0.0, 0.0]),
    "x to the 1 at 0": (lambda x: x**1, [0.0], [1.0]),
    "x squared at 0": (lambda x: x**2, [0.0, -3.0], [0.0, -6.0]),
    "an integer power of a negative base": (lambda x: x**3, [-2.0], [12.0]),
    "an array of integer powers": (lambda x: x ** np.array([0, 1, 3]), [0.0, 0.0, -2.0], [0.0, 1.0, 12.0]),
    "0 to a positive exponent": (lambda b: np.zeros(2) ** b, [1.0, 2.0], [0.0, 0.0]),
    "where keeps infinities apart": (lambda x: np.where(x > 0, x, np.inf), [1.0, -1.0], [1.0, 0.0]),
    "a safe argument in the branch not taken": (lambda x: np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), 0.0), [2.0, 0.0, -1.0], [0.5, 0.0, 0.0]),
    "nan_to_num": (np.nan_to_num, [np.nan, 1.0], [0.0, 1.0]),
    "repeated indices add up": (lambda x: x[[0, 0, 2]], [1.0, 2.0, 3.0], [2.0, 0.0, 1.0]),
    "logsumexp far out": (lambda x: logsumexp(x), [1e4, -1e4], [1.0, 0.0]),
    "hypot at 0": (lambda x: np.hypot(x, 0.0), [3.0], [1.0]),
    "copysign": (lambda x: np.copysign(x, -1.0), [2.0, -3.0], [-1.0, 1.0]),
    "remainder": (lambda x: x % 2.0, [3.5, -0.5], [1.0, 1.0]),
}  # fmt: skip


@pytest.mark.parametrize(("f", "x", "expected"), CONVENTIONS.values(), ids=CONVENTIONS.keys())
def test_the_convention_for(f, x, expected):
    t = leaf(*x)
    f(t).sum().backward()
    np.testing.assert_allclose(t.grad.numpy(), expected, rtol=1e-12, atol=0)
    again = grad(f(t).sum(), t, create_graph=True)
    np.testing.assert_allclose(again.numpy(), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("f", [sigmoid, softplus, softmax, log_softmax, np.tanh, silu, gelu])
@pytest.mark.parametrize("scale", [1e4, 88.0, 0.0])
def test_activations_are_finite_far_out_in_float32(f, scale):  # fmt: skip
    x = Tensor(np.array([-1.0, 0.0, 1.0], "float32") * np.float32(scale), requires_grad=True)
    y = f(x)
    assert np.isfinite(y.numpy()).all()
    weights = np.array([1.0, -2.0, 0.5], "float32")
    dx = grad((y * weights).sum(), x, create_graph=True)
    assert np.isfinite(dx.numpy()).all()
    assert y.dtype == dx.dtype == "float32"
    if f is softmax:
        assert float(y.sum()) == pytest.approx(1.0, abs=1e-6)


def test_values_of_the_branch_not_taken_never_reach_the_gradient():
    x, other = leaf(1.0, 2.0), leaf(np.nan, np.inf)
    y = np.where(np.array([True, True]), x, other)
    gx, go = grad(y, [x, other], np.array([np.inf, 3.0]))
    assert gx.tolist() == [np.inf, 3.0]
    assert go.tolist() == [0.0, 0.0]


def test_second_derivatives_go_through_masks_as_they_are_now():
    x = leaf(-1.0, 0.5, 2.0)
    f = lambda t: (np.where(t > 1, t**3, relu(t) ** 2) + np.abs(t) ** 3 + np.maximum(t, 0.25) ** 2).sum()
    dx = grad(f(x), x, create_graph=True)
    ddx = grad(dx.sum(), x, create_graph=True)
    for values in ([-1.0, 0.5, 2.0], [2.0, -3.0, 0.5], [0.1, 3.0, -2.0]):
        v = np.array(values)
        expected = np.where(v > 1, 6 * v, np.where(v > 0, 2.0, 0.0)) + 6 * np.abs(v) + np.where(v > 0.25, 2.0, 0.0)
        np.testing.assert_allclose(evaluate(ddx, {x: v}), expected)

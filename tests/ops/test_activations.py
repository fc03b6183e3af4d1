"""Functions of neural networks: extreme inputs, accuracy, conventions, errors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import tinygrad_edu as tg
from tinygrad_edu.engine.registry import OPS
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.ops.network.activations import LEAST_CLIPPED
from tinygrad_edu.ops.network.gaussian import gelu_slope, normal_cdf
from tinygrad_edu.ops.network.piecewise import hardsigmoid, hardswish, hardtanh
from tinygrad_edu.ops.network.smooth import mish, selu, softsign

INF, NAN = math.inf, math.nan

FUNCTIONS = [
    tg.relu, tg.leaky_relu, tg.elu, tg.gelu, lambda x: tg.gelu(x, "tanh"), tg.silu, tg.softplus, tg.logsigmoid,
    tg.sigmoid, np.tanh, tg.softmax, tg.log_softmax, normal_cdf,
    hardtanh, hardsigmoid, hardswish, selu, softsign, mish,
]  # fmt: skip
NAMES = [
    "relu", "leaky_relu", "elu", "gelu", "gelu tanh", "silu", "softplus", "logsigmoid", "sigmoid", "tanh", "softmax",
    "log_softmax", "normal_cdf", "hardtanh", "hardsigmoid", "hardswish", "selu", "softsign", "mish",
]  # fmt: skip


def slopes(f, x, g=None):
    x = Tensor(np.asarray(x, float), requires_grad=True)
    y = f(x)
    return tg.grad(y, [x], np.ones(y.shape) if g is None else np.asarray(g, float))[0].numpy()


# ---------------------------------------------------------------------------------------------------
# Extreme inputs


@pytest.mark.parametrize("f", FUNCTIONS, ids=NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_at_ten_thousand(f, dtype):
    """Forward, backward and to second order; and without a warning, which would be an error here."""
    values = [-1e4, -100, -88, -30, -1, 0, 1, 30, 88, 100, 1e4]
    x = Tensor(np.array(values, dtype), requires_grad=True)
    y = f(x)
    v = Tensor(np.linspace(-1, 2, len(values)).astype(dtype), requires_grad=True)
    (g,) = tg.grad(y, [x], v, create_graph=True)
    h = tg.grad(g, [x, v], np.ones(g.shape, dtype), allow_unused=True)
    for z in (y, g, *[z for z in h if z is not None]):
        assert z.dtype == dtype
        assert np.isfinite(z.numpy()).all()


@pytest.mark.parametrize(
    ("f", "below", "above"),
    [
        (tg.relu, 0, 1e4), (tg.leaky_relu, -100, 1e4), (tg.elu, -1, 1e4), (tg.gelu, 0, 1e4), (tg.silu, 0, 1e4),
        (tg.softplus, 0, 1e4), (tg.logsigmoid, -1e4, 0), (tg.sigmoid, 0, 1), (np.tanh, -1, 1), (normal_cdf, 0, 1),
    ],
)  # fmt: skip
def test_limits(f, below, above):
    assert f(np.array([-1e4, 1e4])).tolist() == [below, above]
    slope_below = {-100: 0.01, -1e4: 1}.get(below, 0)
    assert slopes(f, [-1e4, 1e4]).tolist() == [slope_below, 1 if above == 1e4 else 0]


@pytest.mark.parametrize("f", FUNCTIONS, ids=NAMES)
def test_nan_and_huge_numbers(f):
    """NaN goes in and out, and numbers whose squares are far beyond float32 are still numbers."""
    with np.errstate(invalid="ignore"):  # NumPy's own logaddexp remarks on NaN
        y = f(np.array([NAN, 1e30, -1e30]))
    assert np.isnan(y[0])
    assert np.isnan(y[1:]).all() == (f in (tg.softmax, tg.log_softmax))  # which look at all numbers together


def test_a_gate_that_is_shut_lets_no_infinity_through():
    for g in (INF, NAN):
        assert slopes(tg.relu, [-1.0, 0.0, 2.0], [g, g, 3.0]).tolist() == [0, 0, 3]


# ---------------------------------------------------------------------------------------------------
# softmax


logits = arrays(np.float32, array_shapes(max_dims=3, max_side=5), elements=st.floats(-1e4, 1e4, width=32))


@given(logits, st.data())
def test_probabilities_sum_to_one(x, data):
    axis = data.draw(st.sampled_from([None, *range(-x.ndim, x.ndim)]))
    p = tg.softmax(x, axis=axis)
    assert p.dtype == np.float32
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=axis), 1, rtol=1e-6)
    np.testing.assert_allclose(np.exp(tg.log_softmax(x, axis=axis)), p, rtol=2e-3, atol=1e-30)


@given(logits)
def test_the_gradient_of_softmax_sums_to_zero(x):
    """Because the probabilities sum to 1, whatever x is."""
    for f in (tg.softmax, tg.log_softmax):
        t = Tensor(x, requires_grad=True)
        g = np.linspace(-1, 1, x.size).reshape(x.shape).astype(np.float32)
        (got,) = tg.grad(f(t), [t], g)
        np.testing.assert_allclose(got.numpy().sum(axis=-1), 0, atol=1e-5)


def test_a_masked_score_has_no_probability_and_no_gradient():
    x = [1.0, -INF, 2.0]
    p = tg.softmax(np.array(x))
    assert p[1] == 0
    np.testing.assert_allclose(p[[0, 2]], tg.softmax(np.array([1.0, 2.0])), rtol=1e-15)
    np.testing.assert_allclose(slopes(tg.softmax, x, [1, 5, 2])[[0, 2]], slopes(tg.softmax, [1.0, 2.0], [1, 2]))
    assert slopes(tg.softmax, x, [1, 5, 2])[1] == 0
    assert tg.log_softmax(np.array(x))[1] == -INF
    assert np.isfinite(slopes(tg.log_softmax, x, [1, 0, 2])).all()


def test_softmax_of_ties_and_whole_numbers():
    assert tg.softmax(np.full((2, 4), 1e4)).tolist() == [[0.25] * 4] * 2
    assert tg.softmax(Tensor([0, 0])).tolist() == [0.5, 0.5]
    assert tg.softmax(np.zeros((0, 3))).shape == tg.softmax(np.zeros((3, 0))).shape[::-1] == (0, 3)
    with pytest.raises(ValueError, match=r"^softmax\(scores \(3,\), axis=1\): "):
        tg.softmax(Tensor(np.zeros(3), name="scores"), axis=1)


# ---------------------------------------------------------------------------------------------------
# The normal distribution


def test_normal_cdf_against_erfc():
    """A judge of its own in each tail: Φ(x) = erfc(−x/√2) / 2."""
    x = np.linspace(-12, 12, 2401)
    expected = np.array([math.erfc(-t / math.sqrt(2)) / 2 for t in x])
    np.testing.assert_allclose(normal_cdf(x), expected, rtol=1e-13)  # erfc's own argument is rounded
    near = np.abs(x) < 3
    np.testing.assert_allclose(normal_cdf(x[near]), expected[near], rtol=1e-14)
    np.testing.assert_allclose(normal_cdf(x.astype(np.float32))[near], expected[near], rtol=1e-6)
    assert normal_cdf(x.astype(np.float32)).dtype == np.float32


def test_normal_cdf_to_its_ends():
    assert normal_cdf(np.array([-INF, -40.0, 0.0, 40.0, INF])).tolist() == [0, 0, 0.5, 1, 1]
    exact = {-15.0: 3.6709661993126986e-51, -30.0: 4.906713927148187e-198, -37.0: 5.725571222524564e-300}
    np.testing.assert_allclose(normal_cdf(np.array([*exact])), [*exact.values()], rtol=1e-12)


def test_gelu_is_exact_unless_it_is_told_otherwise():
    x = np.linspace(-6, 6, 241)
    exact = np.array([t * (1 + math.erf(t / math.sqrt(2))) / 2 for t in x])
    np.testing.assert_allclose(tg.gelu(x), exact, rtol=1e-13, atol=1e-15)
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    np.testing.assert_allclose(tg.gelu(x, approximate="tanh"), x * (1 + np.tanh(u)) / 2, rtol=1e-12, atol=1e-15)
    off = np.abs(tg.gelu(x, "tanh") - exact).max()
    assert 1e-5 < off < 5e-4
    with pytest.raises(ValueError, match=r"gelu\(approximate='erf'\): write 'none' .* or 'tanh'"):
        tg.gelu(x, approximate="erf")


# ---------------------------------------------------------------------------------------------------
# Identities, kinks, other arguments


@given(st.floats(-700, 700))
def test_identities(x):
    x = np.array(x)
    close = {"rtol": 1e-14, "atol": 1e-16}
    np.testing.assert_allclose(tg.sigmoid(-x) + tg.sigmoid(x), 1, **close)
    np.testing.assert_allclose(tg.softplus(x) - tg.softplus(-x), x, **close)
    np.testing.assert_allclose(tg.logsigmoid(x), -tg.softplus(-x), **close)
    np.testing.assert_allclose(np.log(tg.sigmoid(x)), tg.logsigmoid(x), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(tg.gelu(x) - tg.gelu(-x), x, **close)
    np.testing.assert_allclose(tg.silu(x) - tg.silu(-x), x, **close)
    np.testing.assert_allclose(tg.elu(x) + tg.relu(-x), np.expm1(min(x, 0)) + abs(x), **close)
    np.testing.assert_allclose(tg.leaky_relu(x, 0.25), tg.relu(x) - 0.25 * tg.relu(-x), **close)


def test_slopes_at_zero():
    assert slopes(tg.relu, [0.0, -0.0]).tolist() == [0, 0]
    assert slopes(tg.leaky_relu, [0.0]).tolist() == [0.01]
    assert slopes(lambda x: tg.elu(x, alpha=0.5), [0.0, 1e-9]).tolist() == [0.5, 1]
    assert slopes(tg.gelu, [0.0]).tolist() == slopes(tg.silu, [0.0]).tolist() == [0.5]


@pytest.mark.parametrize("name", ["relu", "sigmoid", "softmax", "log_softmax"])
def test_methods(name):
    x = Tensor(np.array([[-1.0, 2.0], [0.5, 3.0]]), requires_grad=True)
    y = getattr(x, name)()
    assert y.op is OPS[name]
    np.testing.assert_array_equal(y.numpy(), getattr(tg, name)(x.numpy()))
    if "softmax" in name:
        np.testing.assert_array_equal(getattr(x, name)(axis=0).numpy(), getattr(tg, name)(x.numpy(), axis=0))


@pytest.mark.parametrize("f", FUNCTIONS, ids=NAMES)
def test_numbers_and_lists(f):
    """A number, NumPy's too, is as good as an array of no dimension."""
    expected = f(np.array(0.75))
    for x in (0.75, np.float64(0.75), Tensor(0.75)):
        assert float(f(x)) == expected
    if f is not np.tanh:
        np.testing.assert_array_equal(f([0.75, 1.0]), f(np.array([0.75, 1.0])))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", "int64"])
@pytest.mark.parametrize("size", [1, LEAST_CLIPPED - 1, LEAST_CLIPPED, 3 * LEAST_CLIPPED + 1])
def test_relu_of_few_and_many_numbers(dtype, size):
    x = (np.random.default_rng(0).standard_normal(2 * size) * 3).astype(dtype)
    if x.dtype.kind == "f":
        x[: 2 * size : 7], x[1 : 2 * size : 11] = np.nan, -np.inf
        x[2::13] = np.inf
    for part in (x[:size], x[::2], x[::-1], x.reshape(2, size).T):
        for y in (tg.relu(part), tg.relu(part, out=np.empty_like(part)), tg.relu(Tensor(part)).numpy()):
            np.testing.assert_array_equal(y, np.maximum(part, 0))


def test_relu_of_whole_numbers_and_out():
    y = tg.relu(Tensor([-1, 2]))
    assert y.dtype == np.int64
    assert y.tolist() == [0, 2]
    out = np.empty(2)
    assert tg.relu(np.array([-1.0, 2.0]), out=out) is out
    assert out.tolist() == [0, 2]
    with pytest.raises(TypeError, match=r"relu\(\) on a Tensor takes no settings, not out="):
        tg.relu(Tensor([1.0]), out=out)


def test_gelu_in_single_precision():
    """As right as the formula with erf in float32, in any layout, long arrays part by part."""
    x = np.linspace(-9, 9, 100_001)
    exact = x * np.array([0.5 * math.erfc(-z / math.sqrt(2)) for z in x])
    slope = exact / np.where(x == 0, 1, x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    slope[x == 0] = 0.5
    single = x.astype(np.float32)
    for got in (tg.gelu(single), tg.gelu(single[::-1])[::-1], tg.gelu(single[:100_000].reshape(2, -1).T).T.ravel()):
        np.testing.assert_allclose(got, exact[: len(got)], rtol=2e-7, atol=1.5e-7)
    np.testing.assert_allclose(gelu_slope(single), slope, rtol=2e-7, atol=2e-7)
    np.testing.assert_allclose(gelu_slope(x), slope, rtol=1e-12, atol=1e-14)
    assert tg.gelu(np.array([-1e4, -1e30, 1e30], np.float32)).tolist() == [0.0, 0.0, np.float32(1e30)]

"""Beside PyTorch where functions have kinks, poles and ties, and at the ends of floating point."""

import itertools

import numpy as np
import pytest
import torch
from agreement import assert_close
from counterparts import COUNTERPARTS
from hypothesis import example, given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.engine.registry import COMPOSITES, OPS
from tinygrad_edu.testing import strategies

TABLE = {**OPS, **COMPOSITES}
POINTS = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, 1e-300, 1e4, -1e4, 1e300, -1e300, np.inf, -np.inf]
PAIRS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 3.0, -3.0, np.inf, -np.inf]

ONE = [
    "absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "ceil", "cos", "cosh", "deg2rad", "elu",
    "exp", "exp2", "expm1", "floor", "gelu", "leaky_relu", "log", "log10", "log1p", "log2", "logsigmoid", "nan_to_num",
    "negative", "positive", "rad2deg", "reciprocal", "relu", "rint", "round", "sigmoid", "sign", "silu", "sin", "sinc", "sinh",
    "softplus", "sqrt", "square", "tan", "tanh", "trunc", "isnan", "isinf", "isfinite", "signbit", "logical_not",
]  # fmt: skip
TWO = [
    "add", "subtract", "multiply", "divide", "arctan2", "maximum", "minimum", "fmax", "fmin", "fmod", "remainder", "power", "greater",
    "greater_equal", "less", "less_equal", "equal", "not_equal", "logical_and", "logical_or", "logical_xor", "isclose",
    "floor_divide",
]  # fmt: skip

# Where PyTorch answers NaN, and we have a number by the same rule as elsewhere.
FINITE = {
    "hypot": "the norm's gradient at 0 is 0, as vector_norm's is in PyTorch",
    "logaddexp": "equal infinities share evenly",
    "logaddexp2": "equal infinities share evenly",
    "copysign": "the slope of |x| at infinity is 1",
}


def both(name, *columns):
    """Values and gradients of f, elementwise: here, and in PyTorch."""
    xs = [tg.Tensor(c, requires_grad=True) for c in columns]
    us = [torch.tensor(c, requires_grad=True) for c in columns]
    with np.errstate(all="ignore"):
        y = TABLE[name](*xs)
    z = COUNTERPARTS[name](*us)
    ours, theirs = [], []
    if y.requires_grad and z.requires_grad:
        v = np.ones(y.shape)
        ours = tg.grad(y, xs, v, allow_unused=True)
        theirs = torch.autograd.grad(z, us, torch.tensor(v), allow_unused=True)
    zeros = np.zeros_like(columns[0])
    return (
        (y.numpy(), z.detach().numpy()),
        [
            (zeros if g is None else g.numpy(), zeros if h is None else h.numpy(force=True))
            for g, h in zip(ours, theirs, strict=True)
        ],
    )


def same(a, b):
    assert_close(a, b, rtol=1e-6, atol=1e-290, equal_nan=True)


@pytest.mark.parametrize("name", ONE)
def test_one_argument(name):
    value, slopes = both(name, np.array(POINTS))
    same(*value)
    for pair in slopes:
        same(*pair)


@pytest.mark.parametrize("name", [name for name in ONE if name != "sign"])  # of NaN: NaN in NumPy, 0 in PyTorch
def test_nan(name):
    same(*both(name, np.array([np.nan]))[0])


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [("hypot", 0.0, 0.0), ("logaddexp", np.inf, np.inf), ("logaddexp2", -np.inf, -np.inf), ("copysign", np.inf, 1.0)],
)
def test_a_number_where_pytorch_has_none(name, a, b):
    _, slopes = both(name, np.array([a]), np.array([b]))
    assert all(np.isfinite(ours).all() for ours, _ in slopes)
    assert any(np.isnan(theirs).any() for _, theirs in slopes)


@pytest.mark.parametrize("name", [*TWO, *FINITE])
def test_two_arguments(name):
    a, b = map(np.array, zip(*itertools.product(PAIRS, PAIRS), strict=True))
    value, slopes = both(name, a, b)
    assert_close(*value, rtol=1e-6, atol=1e-15)
    for ours, theirs in slopes:
        if name in FINITE:
            ours, theirs = ours[~np.isnan(theirs)], theirs[~np.isnan(theirs)]
        same(ours, theirs)


# ---------------------------------------------------------------------------------------------------
# Reductions and orders, where numbers tie, are zero or infinite


def compare(name, x, **settings):
    t, u = tg.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    with np.errstate(all="ignore"):
        y, z = TABLE[name](t, **settings), COUNTERPARTS[name](u, **settings)
    same(y.numpy(), z.detach().numpy())
    v = np.random.default_rng(0).standard_normal(y.shape)
    same(tg.grad(y, t, v).numpy(), torch.autograd.grad(z, u, torch.tensor(v))[0].numpy(force=True))


axis = st.sampled_from([None, 0, 1, -1, (0, 1)])


@given(st.sampled_from(["max", "min", "prod", "sum", "mean", "ptp"]), strategies.ties((2, 3)), axis, st.booleans())
def test_reductions_of_ties_and_zeros(name, x, axis, keepdims):
    compare(name, x, axis=axis, keepdims=keepdims)


@given(st.sampled_from(["cumprod", "cumsum", "sort"]), strategies.ties((3, 4)), st.sampled_from([0, 1, -1]))
def test_scans_and_orders_of_ties(name, x, axis):
    if name == "sort" and len(np.unique(x)) < x.size:
        x = x + np.arange(12).reshape(3, 4) / 64  # which of two equals comes first is left open in PyTorch
    compare(name, x, axis=axis)


@given(st.sampled_from(["var", "std"]), strategies.ties((2, 3)), axis, st.sampled_from([0, 1]))
@example("std", np.zeros((2, 3)), None, 0)
def test_deviations_of_constants(name, x, axis, correction):
    if name == "std" and (np.std(x, axis=axis) < 1e-12).any():
        t = tg.Tensor(x, requires_grad=True)
        y = np.std(t, axis=axis, correction=correction)
        g = tg.grad(y, t, np.ones(y.shape)).numpy()
        assert np.isfinite(g).all()  # PyTorch's is NaN for a constant; the gradient of std there is 0 here
        return
    compare(name, x, axis=axis, correction=correction)


extremes = st.sampled_from([0.0, 1.0, -1.0, 1e4, -1e4, -np.inf])


@given(
    st.sampled_from(["logsumexp", "softmax", "log_softmax"]),
    st.lists(extremes, min_size=3, max_size=3).filter(lambda row: np.isfinite(row).any()),
)
def test_exponentials_of_extremes(name, row):
    compare(name, np.array([row, [1.0, 2.0, 3.0]]), axis=1)


@given(strategies.ties((2, 3)), st.sampled_from([None, 1, 2, 3, np.inf, -np.inf]), st.sampled_from([0, 1]))
def test_vector_norms_of_ties_and_zeros(x, ord, axis):
    compare("norm", x, ord=ord, axis=axis)


# ---------------------------------------------------------------------------------------------------
# Factorizations, by what does not depend on the sign of a vector


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3)])
def test_eigh(shape, rng):
    x = rng.standard_normal(shape)
    x = x + np.swapaxes(x, -1, -2)

    def projection(eigh, t):
        values, vectors = eigh(t)
        first = vectors[..., :1]
        return (first @ first.mT) * values[..., :1, None]

    agree(x, lambda t: projection(np.linalg.eigh, t), lambda t: projection(torch.linalg.eigh, t), rng)


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 2, 3)])
def test_svd(shape, rng):
    x = rng.standard_normal(shape)

    def rank_one(svd, t):
        u, s, vh = svd(t, full_matrices=False)
        return u[..., :1] * s[..., :1, None] @ vh[..., :1, :]

    agree(x, lambda t: rank_one(np.linalg.svd, t), lambda t: rank_one(torch.linalg.svd, t), rng)


@pytest.mark.parametrize("half", ["L", "U"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_what_is_taken_for_symmetric_is_read_and_differentiated_alike(half, symmetric, rng):
    x = rng.standard_normal((3, 3)) + 5 * np.eye(3)
    x = (x + x.T) / 2 if symmetric else x
    agree(x, lambda t: np.linalg.eigvalsh(t, UPLO=half), lambda u: torch.linalg.eigvalsh(u, UPLO=half), rng)
    upper = half == "U"
    agree(x, lambda t: np.linalg.cholesky(t, upper=upper), lambda u: torch.linalg.cholesky(u, upper=upper), rng)


def agree(x, ours, theirs, rng):
    """Values, gradients and second derivatives of two functions of one matrix."""
    t, u = tg.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = ours(t), theirs(u)
    assert_close(y.numpy(), z.detach().numpy(), rtol=1e-8, atol=1e-10)
    v, w = rng.standard_normal(y.shape), rng.standard_normal(x.shape)
    g = tg.grad(y, t, v, create_graph=True)
    (h,) = torch.autograd.grad(z, u, torch.tensor(v), create_graph=True)
    assert_close(g.numpy(), h.detach().numpy(), rtol=1e-7, atol=1e-9)
    second = tg.grad(g, t, w).numpy()
    assert_close(second, torch.autograd.grad(h, u, torch.tensor(w))[0].numpy(), rtol=1e-6, atol=1e-8)

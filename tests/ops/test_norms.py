"""Norms of vectors and matrices: values and axes as NumPy's, conventions at zero, errors."""

import math

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Tensor
from tinygrad_edu.testing import gradcheck

INF = math.inf


def leaf(values, name=None, dtype=float):
    return Tensor(np.array(values, dtype), requires_grad=True, name=name)


def gradient(f, x):
    """∂Σf(x)/∂x."""
    y = f(x)
    return tg.grad(y, x, np.ones(y.shape, y.dtype)).numpy()


@pytest.mark.parametrize("ord", [None, 1, 2, 3, 0.5, -1, 0, INF, -INF])
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (1,)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_norms_of_vectors(ord, axis, keepdims):
    x = np.array([[3.0, -4.0, 1.0], [0.5, 2.0, -2.0]])
    x = x[0] if axis is None else x
    expected = np.asarray(np.linalg.norm(x, ord, axis, keepdims))
    got = np.linalg.norm(leaf(x), ord, axis, keepdims)
    np.testing.assert_allclose(got.numpy(), expected, strict=True)
    if ord is not None:
        again = np.linalg.vector_norm(leaf(x), axis=axis, keepdims=keepdims, ord=ord)
        np.testing.assert_allclose(again.numpy(), expected, strict=True)


@pytest.mark.parametrize("ord", [None, "fro", "nuc", 1, -1, 2, -2, INF, -INF])
@pytest.mark.parametrize("axis", [(0, 1), (-1, 0), (2, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_norms_of_matrices(ord, axis, keepdims):
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    expected = np.linalg.norm(x, ord, axis, keepdims)
    got = np.linalg.norm(leaf(x), ord, axis, keepdims)
    np.testing.assert_allclose(got.numpy(), expected, strict=True)
    assert np.isfinite(gradient(lambda x: np.linalg.norm(x, ord, axis, keepdims), leaf(x))).all()
    if axis == (0, 1):
        again = np.linalg.matrix_norm(leaf(x), keepdims=keepdims, ord="fro" if ord is None else ord)
        np.testing.assert_allclose(
            again.numpy(), np.linalg.matrix_norm(x, keepdims=keepdims, ord="fro" if ord is None else ord), strict=True
        )
    np.testing.assert_allclose(
        np.linalg.norm(leaf(x[0]), ord).numpy(), np.linalg.norm(x[0], ord)
    )  # without axes, a matrix is one


@pytest.mark.parametrize("ord", [None, 1, 2, 3, 1.5, INF])
def test_the_gradient_of_a_norm_at_zero_is_zero(ord):
    for shape in ((3,), (1,)):
        assert gradient(lambda x: np.linalg.norm(x, ord), leaf(np.zeros(shape))).tolist() == [0.0] * shape[0]
    rows = gradient(lambda x: np.linalg.norm(x, ord, axis=1), leaf([[0.0, 0.0], [0.0, 2.0]]))
    np.testing.assert_allclose(rows, [[0, 0], [0, 1]])


def _norm(x):
    return np.linalg.norm(x)


def _rows(x):
    return np.linalg.norm(np.reshape(x, (-1, 1)), axis=1)


NO_SECOND = {
    "norm": _norm,
    "norm of rows": lambda x: _rows(x).sum(),
    "norm times x": lambda x: _norm(x) * x[0],
    "norm to 1.5": lambda x: _norm(x) ** 1.5,
    "norm plus its square": lambda x: (n := _norm(x)) + n**2,
    "square plus norm": lambda x: (n := _norm(x)) ** 2 + n,
    "one row times another": lambda x: (r := _rows(x))[0] * r[1],
    "rows times rows, turned": lambda x: ((r := _rows(x)) * r[::-1]).sum(),
    "hypot": lambda x: np.hypot(x[0], x[1]),
    "angle": lambda x: np.arctan2(x[0], x[1]),
    "3-norm": lambda x: np.linalg.norm(x, 3),
    "half-norm": lambda x: np.linalg.norm(x, 0.5),
    "frobenius": lambda x: np.linalg.matrix_norm(x[None]),
    "std": np.std,
    "nanstd": np.nanstd,
    "std, unbiased": lambda x: np.std(x, correction=1),
}
"""Functions of two numbers without a second derivative at 0, whose first is agreed to be 0 there."""

APART = {"norm of rows", "one row times another", "rows times rows, turned"}
"""Of these each number has a norm of its own: the slope agreed on by the one is 0 whatever the other is, and stays so."""


@pytest.mark.parametrize("name", NO_SECOND)
def test_a_slope_that_was_agreed_on_has_no_slope(name):
    f, zero = NO_SECOND[name], np.zeros(2)
    value, slope = tg.vjp(f, zero)
    assert value.item() == 0
    assert slope.tolist() == [0, 0]
    assert tg.jvp(f, zero, np.ones(2))[1].item() == 0
    with np.errstate(all="ignore"):
        hessian = tg.hessian(f, zero).numpy()
        assert np.isnan(np.diag(hessian)).all()
        if name in APART:
            assert (hessian[0, 1], hessian[1, 0]) == (0, 0)
        else:
            assert np.isnan(hessian).all()
        assert np.isnan(tg.hvp(f, zero, np.array([1.0, 2.0]))[1].numpy()).all()


C = np.array([1.0, 2.0])
EYE, CENTERED = 2 * np.eye(2), np.array([[0.5, -0.5], [-0.5, 0.5]])
SMOOTH = {
    "power": (lambda x: _norm(x) ** 2, EYE),
    "fourth power": (lambda x: _norm(x) ** 4, 0 * EYE),
    "third power": (lambda x: _norm(x) ** 3, 0 * EYE),
    "float power": (lambda x: _norm(x) ** 2.0, EYE),
    "square": (lambda x: np.square(_norm(x)), EYE),
    "one norm times itself": (lambda x: (n := _norm(x)) * n, EYE),
    "two norms": (lambda x: _norm(x) * _norm(x), EYE),
    "bell": (lambda x: np.exp(-(_norm(x) ** 2)), -EYE),
    "half of it": (lambda x: 0.5 * _norm(x) ** 2 / 4, EYE / 8),
    "quotient": (lambda x: 1 / (1 + _norm(x) ** 2), -EYE),
    "root": (lambda x: np.sqrt(1 + _norm(x) ** 2), EYE / 2),
    "log": (lambda x: np.log(1 + _norm(x) ** 2), EYE),
    "sum of powers": (lambda x: (n := _norm(x)) ** 2 - 3 * n**4 + 5 * n * n, 6 * EYE),
    "beside x": (lambda x: (1 + x[0]) * _norm(x) ** 2, EYE),
    "where": (lambda x: np.where(x[0] < 1, _norm(x) ** 2, 0), EYE),
    "rows": (lambda x: (_rows(x) ** 2).sum(), EYE),
    "rows, weighted": (lambda x: (_rows(x) ** 2 * [1.0, 3.0]).sum(), EYE * [1, 3]),
    "rows, one by one": (lambda x: (n := _rows(x))[0] ** 2 + n[1] ** 2, EYE),
    "rows, chosen": (lambda x: (_rows(x)[[1, 0]] ** 2).sum(), EYE),
    "rows, moved": (lambda x: (_rows(x).reshape(2, 1).T[:, ::-1] ** 2 * [[1.0, 3.0]]).sum(), EYE * [3, 1]),
    "broadcast": (lambda x: ((_norm(x) * np.array([1.0, 2.0, 3.0])) ** 2).sum(), 14 * EYE),
    "stacked": (lambda x: np.stack([_norm(x) ** 2, _norm(x - 1) ** 2]).sum(), 2 * EYE),
    "frobenius": (lambda x: np.linalg.norm(x[None], "fro") ** 2, EYE),
    "hypot": (lambda x: np.hypot(x[0], x[1]) ** 2, EYE),
    "hypot, elementwise": (lambda x: (np.hypot(x, 0 * x) ** 2).sum(), EYE),
    "size": (lambda x: (np.abs(x) ** 2).sum(), EYE),
    "size times itself": (lambda x: (np.abs(x) * np.fabs(x) + np.abs(x) * np.abs(x)).sum(), EYE),
    "std": (lambda x: np.std(x) ** 2, CENTERED),
    "std, unbiased": (lambda x: np.std(x, correction=1) ** 2, 2 * CENTERED),
    "nanstd": (lambda x: np.nanstd(x) ** 2, CENTERED),
}
"""Functions of two numbers with a second derivative at 0, made of a norm that has none: and what it is."""


@pytest.mark.parametrize("name", SMOOTH)
def test_even_powers_of_norms_have_their_second_derivatives_at_zero(name):
    f, expected = SMOOTH[name]
    np.testing.assert_allclose(tg.hessian(f, np.zeros(2)).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(tg.hessian(lambda x: f(x - C), C).numpy(), expected, atol=1e-12)
    v = np.array([1.0, 3.0])
    np.testing.assert_allclose(tg.hvp(f, np.zeros(2), v)[1].numpy(), expected @ v, atol=1e-12)
    np.testing.assert_allclose(tg.jacobian(lambda x: tg.vjp(f, x)[1], np.zeros(2)).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("name", SMOOTH)
def test_even_powers_of_norms_are_differentiated_as_others_elsewhere(name):
    f, _ = SMOOTH[name]
    point = leaf([0.3, 0.7])
    gradcheck(f, [point], rng=0)
    gradcheck(f, [point], order=2, rng=0)
    once, again = tg.grad(f(point), point), tg.grad(f(point), point, create_graph=True)
    np.testing.assert_allclose(once.numpy(), again.numpy(), rtol=1e-14)


@pytest.mark.parametrize("name", SMOOTH)
def test_second_derivatives_at_zero_in_replay(name):
    f, expected = SMOOTH[name]
    product = tg.replay(lambda x, v: tg.grad((tg.grad(f(x), x, create_graph=True) * v).sum(), x))
    for v in (np.array([1.0, 3.0]), np.array([-2.0, 0.5])):
        for x in ([0.3, 0.7], [0.0, 0.0], [0.3, -0.7]):
            got = product(leaf(x), Tensor(v)).numpy()
            np.testing.assert_allclose(got, tg.hvp(f, np.array(x), v)[1].numpy(), atol=1e-12)
            assert any(x) or np.allclose(got, expected @ v, atol=1e-12)


def test_first_derivatives_in_replay_are_the_same_numbers():
    """The factor is sought where a second derivative may be asked for, and only there: else both would round apart."""

    def f(x):
        return (0.3 * np.linalg.norm(x, axis=1) ** 2 * np.array([0.7, 1.3, 0.1])).sum()

    replayed = tg.replay(lambda x: tg.grad(f(x), x))
    for seed in range(20):
        x = leaf(np.random.default_rng(seed).standard_normal((3, 5)))
        np.testing.assert_array_equal(replayed(x).numpy(), tg.grad(f(x), x).numpy())


def test_a_record_of_a_gradient_serves_other_points_too():
    x = leaf([1.0, 2.0])
    n = np.linalg.norm(x)
    (g,) = tg.grad([n**2 + n**4], [x], create_graph=True)
    second = tg.grad(g[0] + 3 * g[1], x, create_graph=True)
    np.testing.assert_allclose(tg.evaluate(second, {x: np.zeros(2)}), [2, 6])


@pytest.mark.parametrize("name", ["power", "std", "rows", "frobenius"])
def test_second_derivatives_at_zero_in_float16(name):
    f, expected = SMOOTH[name]
    second = tg.hessian(f, np.zeros(2, np.float16))
    assert second.dtype == np.float16
    np.testing.assert_allclose(second.numpy(), expected)


def test_a_row_of_zeros_among_others():
    x = leaf([[0.0, 0.0], [3.0, 4.0]])
    slope = tg.grad((np.linalg.norm(x, axis=1) ** 2).sum(), x, create_graph=True)
    np.testing.assert_allclose(tg.grad((slope * slope).sum(), x).numpy(), 8 * x.numpy())
    slope = tg.grad(np.linalg.norm(x, axis=1).sum(), x, create_graph=True)
    second = tg.grad(slope[1, 0], x).numpy()
    np.testing.assert_allclose(second[1], [16 / 125, -12 / 125])


def test_the_search_for_a_factor_is_bounded():
    """A product of a thousand norms is not read through for each of them."""
    x, y = leaf([0.3, 0.4]), 1.0
    for _ in range(600):
        y = y * (1 + np.linalg.norm(x) ** 2) / 1.25
    (slope,) = tg.grad([y], [x], create_graph=True)
    assert np.isfinite(tg.grad(slope.sum(), x).numpy()).all()


POWERS = {  # the derivatives of aᵇ at a = 0, by a twice, by both, by b twice; None: there is none
    0.0: (None, None, None),
    1.0: (0.0, -INF, 0.0),
    1.5: (INF, 0.0, 0.0),
    2.0: (2.0, 0.0, 0.0),
    3.0: (0.0, 0.0, 0.0),
    -1.0: (INF, INF, INF),  # from the right, as is −∞ for √a
    0.5: (-INF, -INF, 0.0),
}


@pytest.mark.parametrize("b", POWERS)
def test_second_derivatives_of_powers_at_zero(b):
    """Each number of the Hessian is the right one or NaN, and the right one on its way by one of the two."""
    with np.errstate(all="ignore"):
        hessian = tg.hessian(lambda v: v[0] ** v[1], np.array([0.0, b])).numpy()
    by_a, mixed, by_b = POWERS[b]
    for got, expected in zip(hessian.ravel(), (by_a, mixed, mixed, by_b), strict=True):
        assert np.isnan(got) or got == expected, hessian
    if b > 1.5:
        assert np.isfinite(hessian).all()


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_gradients_of_norms_do_not_overflow(scale):
    for ord in (1.5, 0.5):
        got = gradient(lambda x, p=ord: np.linalg.norm(x, p), leaf([3e-4 * scale, -4e-4 * scale]))
        np.testing.assert_allclose(got, gradient(lambda x, p=ord: np.linalg.norm(x, p), leaf([3.0, -4.0])))


def test_norms_of_anything_taken_as_one_vector():
    x = np.arange(8.0).reshape(2, 2, 2)
    assert np.linalg.norm(leaf(x)).item() == pytest.approx(np.linalg.norm(x))
    assert np.linalg.norm(leaf(x), keepdims=True).shape == (1, 1, 1)
    assert np.linalg.norm(leaf(5.0)).item() == 5.0
    assert np.linalg.norm(Tensor([3, 4])).item() == 5.0
    assert np.linalg.norm(leaf([3.0, 4.0], dtype=np.float32), 0).dtype == np.float32


def test_norms_of_no_elements_and_of_lists():
    assert np.linalg.norm(leaf([]), INF).item() == 0.0
    assert tg.linalg.norm([3.0, 4.0]) == 5.0


W = leaf(np.arange(6.0).reshape(2, 3), name="W")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: np.linalg.norm(W, 5), "a matrix norm has ord 'fro', 'nuc'.*but got 5"),
        (lambda: np.linalg.norm(W, "fro", 0), "a vector has no norm 'fro'"),
        (lambda: np.linalg.norm(leaf(np.ones((2, 2, 2))), 2), r"one axis or two, but got axes \(0, 1, 2\)"),
        (lambda: np.linalg.norm(W, 1, (0, 0)), "repeated axis"),
    ],
)
def test_errors_say_what_an_order_may_be(call, message):
    with pytest.raises(ValueError, match=message):
        call()

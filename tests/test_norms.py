"""Norms of vectors and matrices: values and axes as NumPy's, conventions at zero, errors."""

import math

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Tensor

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


def test_the_second_derivative_of_a_norm_at_zero_is_finite():
    x = leaf(np.zeros(3))
    (dx,) = tg.grad(np.linalg.norm(x), [x], create_graph=True)
    assert np.isfinite(tg.grad(dx.sum(), x).numpy()).all()


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

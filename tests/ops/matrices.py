"""Matrices and checks that the tests of linear algebra share."""

import numpy as np
import pytest

import tinygrad_edu as tg


def numbers(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def leaf(x, **options):
    return tg.Tensor(numbers(x) if isinstance(x, tuple) else x, requires_grad=True, **options)


def check_linear(f, arrays):
    """f is linear in each of its arguments: its values are NumPy's, and ⟨∂L/∂xᵢ, d⟩ = ⟨g, f(…, d, …)⟩ for any d."""
    xs = [leaf(a) for a in arrays]
    y = f(*xs)
    expected = f(*arrays)
    assert y.shape == np.shape(expected)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-10, atol=1e-10)
    g = numbers(y.shape, 1)
    for i, by_x in enumerate(tg.grad(y, xs, g)):
        assert by_x.shape == arrays[i].shape
        d = numbers(arrays[i].shape, 2 + i)
        along = f(*[d if k == i else a for k, a in enumerate(arrays)])
        assert (by_x.numpy() * d).sum() == pytest.approx(np.sum(g * along), rel=1e-9, abs=1e-9)

"""Operators, with a tensor on either side, and the methods."""

import operator

import numpy as np
import pytest

from tests.engine.leaves import leaf
from tinygrad_edu import Tensor, no_grad

# ---------------------------------------------------------------------------------------------------
# Operators, with a tensor on either side

BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.floordiv, operator.mod,
    operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne,
]  # fmt: skip


@pytest.mark.parametrize("f", BINARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "other", [np.array([3.0, 1.0, 2.0]), [3.0, 1.0, 2.0], 2, 2.5, np.float64(2.5), np.int64(2), np.array(2.0), True]
)
def test_binary_operators_take_arrays_lists_and_numbers_on_both_sides(f, other):
    a = np.array([1.0, 2.0, 4.0])
    t = leaf(*a)
    y, z = f(t, other), f(other, t)
    assert type(y) is type(z) is Tensor
    np.testing.assert_allclose(y.numpy(), f(a, np.asarray(other)))
    np.testing.assert_allclose(z.numpy(), f(np.asarray(other), a))
    assert y.dtype == f(a, 1.0).dtype
    assert y.is_leaf == z.is_leaf == (y.dtype == bool)


def test_an_array_on_the_left_gives_a_recorded_tensor():
    a, t = np.array([[1.0, 2.0], [3.0, 4.0]]), leaf(1.0, 2.0)
    for y in (a * t, a @ t, a + t, a - t, a / t, a**t):
        assert type(y) is Tensor
        assert y.requires_grad
        assert y.numpy().dtype == float
    (a @ t).sum().backward()
    assert t.grad.tolist() == [4.0, 6.0]
    b = np.ones(2)
    b = b * t
    assert isinstance(b, Tensor)


def test_unary_operators(x):
    assert (-x).tolist() == [-1.0, 2.0, -3.0]
    assert (+x).tolist() == x.tolist()
    assert abs(x).tolist() == [1.0, 2.0, 3.0]
    assert (~(x > 0)).tolist() == [False, True, False]


def test_masks_combine(x):
    a, b = x > 0, x < 2
    assert (a & b).tolist() == [True, False, False]
    assert (a | b).tolist() == [True, True, True]
    assert (a ^ b).tolist() == [False, True, True]
    assert (True & a).tolist() == a.tolist()
    assert (a & b).is_leaf
    assert not (a & b).requires_grad


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("scalar", [np.float64(2), np.float64(2).astype("float32"), np.int64(2), 2, 2.0, np.sqrt(3)])
def test_numpys_scalars_are_as_weak_as_pythons(dtype, scalar):
    h = Tensor(np.ones(3, dtype), requires_grad=True)
    for y in (
        h * scalar,
        scalar * h,
        h / scalar,
        scalar / h,
        h - scalar,
        h**scalar,
        scalar + h,
        np.multiply(scalar, h),
    ):
        assert y.dtype == dtype
        assert type(y) is Tensor
    with no_grad():
        h /= scalar
    assert h.dtype == dtype


def test_arrays_promote_as_in_numpy():
    h = Tensor(np.ones(3, "float32"), requires_grad=True)
    assert (h * np.ones(3)).dtype == "float64"
    assert (h * np.array(2.0)).dtype == "float64"
    assert (h * Tensor(2.0)).dtype == "float64"
    assert (h * np.arange(3)).dtype == "float64"
    assert (h * np.arange(3, dtype="int8")).dtype == "float32"
    assert (Tensor([1, 2]) * 2).dtype == "int64"
    assert (Tensor([1, 2]) / 2).dtype == "float64"
    assert (Tensor([1, 2]) * 2.5).dtype == "float64"


def test_one_tensor_with_a_list_of_tensors_raises_and_says_stack(x):
    with pytest.raises(RuntimeError, match=r"'x' is part of a graph.*np\.stack"):
        np.add(Tensor([1.0, 2.0]), [x, x])


# ---------------------------------------------------------------------------------------------------
# Methods


METHODS = {
    "sum": ("sum", {}), "sum of rows": ("sum", {"axis": 1}), "sum kept": ("sum", {"axis": (0, 1), "keepdims": True}),
    "prod": ("prod", {"axis": 0}), "mean": ("mean", {"axis": -1}), "max": ("max", {"axis": 0}), "min": ("min", {}),
    "var": ("var", {"axis": 0}), "std": ("std", {}), "argmax": ("argmax", {"axis": 1}), "argmin": ("argmin", {}),
    "cumsum": ("cumsum", {"axis": 0}), "cumprod": ("cumprod", {}), "ravel": ("ravel", {}), "flatten": ("flatten", {}),
    "trace": ("trace", {}), "diagonal": ("diagonal", {}), "round": ("round", {"decimals": 1}),
    "clip": ("clip", {"min": -0.5, "max": 0.5}), "repeat": ("repeat", {"repeats": 2, "axis": 1}),
    "take": ("take", {"indices": [0, 2], "axis": 1}), "any": ("any", {"axis": 0}), "all": ("all", {}),
    "argsort": ("argsort", {"axis": 0}), "copy": ("copy", {}), "squeeze": ("squeeze", {}),
}  # fmt: skip


@pytest.mark.parametrize(("name", "settings"), METHODS.values(), ids=METHODS.keys())
def test_methods_are_those_of_an_array(name, settings, rng):
    a = rng.standard_normal((3, 3))
    t = Tensor(a, requires_grad=True)
    y, expected = getattr(t, name)(**settings), getattr(a, name)(**settings)
    assert type(y) is Tensor
    assert np.array_equal(y.numpy(), expected)
    assert y.dtype == expected.dtype
    assert y.is_leaf is not y.requires_grad


def test_methods_that_move_axes(rng):
    a = rng.standard_normal((2, 3, 4))
    t = Tensor(a, requires_grad=True)
    for y, expected in (
        (t.reshape(6, 4), a.reshape(6, 4)),
        (t.reshape((6, -1)), a.reshape(6, 4)),
        (t.reshape(-1), a.reshape(-1)),
        (t.transpose(), a.transpose()),
        (t.transpose(1, 0, 2), a.transpose(1, 0, 2)),
        (t.transpose((2, 0, 1)), a.transpose(2, 0, 1)),
        (t.permute(2, 0, 1), a.transpose(2, 0, 1)),
        (t.swapaxes(0, -1), a.swapaxes(0, -1)),
        (t.unsqueeze(1), a[:, None]),
        (t[:1].squeeze(0), a[0]),
    ):
        assert np.array_equal(y.numpy(), expected)
        assert y.requires_grad


def test_methods_of_networks_and_numbers(rng):
    a = np.abs(rng.standard_normal((2, 3))) + 0.5
    t = Tensor(a, requires_grad=True)
    for y, expected in (
        (t.exp(), np.exp(a)),
        (t.log(), np.log(a)),
        (t.sqrt(), np.sqrt(a)),
        (t.sin(), np.sin(a)),
        (t.cos(), np.cos(a)),
        (t.tanh(), np.tanh(a)),
        ((-t).abs(), a),
        (t.pow(2), a**2),
        (t.relu(), a),
        (t.sigmoid(), 1 / (1 + np.exp(-a))),
        (t.softmax(), np.exp(a) / np.exp(a).sum(axis=-1, keepdims=True)),
        (t.softmax(axis=0), np.exp(a) / np.exp(a).sum(axis=0)),
        (t.log_softmax(), a - np.log(np.exp(a).sum(axis=-1, keepdims=True))),
        (t.logsumexp(axis=1), np.log(np.exp(a).sum(axis=1))),
        (t.dot(a.T), a @ a.T),
        (t.matmul(a.T), a @ a.T),
    ):
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12)
        assert y.requires_grad
    assert [i.tolist() for i in Tensor([0, 3, 4]).nonzero()] == [[1, 2]]

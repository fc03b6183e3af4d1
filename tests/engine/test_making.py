"""Making a tensor of data, and what it says of itself."""

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.engine.leaves import leaf
from tinygrad_edu import Tensor, no_grad

# ---------------------------------------------------------------------------------------------------
# Making one


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, "float64"),
        (2, "int64"),
        (True, "bool"),
        ([1, 2], "int64"),
        ([[1.0, 2], [3, 4]], "float64"),
        ((), "float64"),
        (np.float32(1.5), "float32"),
        (np.ones(2, "float16"), "float16"),
        (np.arange(3, dtype="uint8"), "uint8"),
        (range(3), "int64"),
        (1j, "complex128"),
        ([np.float32(1), np.float32(2)], "float32"),
    ],
)
def test_numbers_keep_numpys_type(data, dtype):
    t = Tensor(data)
    assert t.dtype == dtype
    assert np.array_equal(t.numpy(), np.array(data))
    assert type(t.data) is np.ndarray
    assert t.is_leaf
    assert not t.requires_grad
    assert t.grad is None
    assert t.name is None


def test_the_signature():
    t = Tensor([1, 2], True, dtype="float32", name="weight")
    assert t.requires_grad
    assert t.dtype == "float32"
    assert t.name == "weight"
    with pytest.raises(TypeError):
        Tensor([1.0], False, "float32")
    t.name = "bias"
    assert t.name == "bias"


def test_an_array_is_shared_and_a_list_is_not():
    a = np.zeros(3)
    t = Tensor(a)
    assert t.data is a
    with no_grad():
        t += 1
    assert a.tolist() == [1.0, 1.0, 1.0]
    assert tg.tensor(a).data is not a
    assert Tensor(a, dtype="float32").data.base is None


def test_a_matrix_or_another_kind_of_array_becomes_a_plain_array():
    class Kind(np.ndarray):
        pass

    t = Tensor(np.eye(2).view(Kind))
    assert type(t.data) is np.ndarray
    assert (t * t).tolist() == np.eye(2).tolist()


def test_byte_swapped_numbers_from_a_file_become_native():
    t = Tensor(np.array([1.0, 2.0], ">f4"), requires_grad=True)
    assert t.dtype.isnative
    assert t.dtype == "float32"
    (t * t).sum().backward()
    assert t.grad.dtype == t.dtype


def test_a_tensor_of_a_tensor_shares_its_numbers():
    a = Tensor([1.0, 2.0])
    b = Tensor(a, requires_grad=True)
    assert np.shares_memory(a.numpy(), b.numpy())
    assert b.requires_grad
    assert not a.requires_grad


def test_a_tensor_has_no_other_attributes(x):
    for name in ("typo", "requires_gard", "grads"):
        with pytest.raises(AttributeError):
            setattr(x, name, 1)
        with pytest.raises(AttributeError):
            getattr(x, name)
    for name in ("shape", "dtype", "is_leaf", "T"):
        with pytest.raises(AttributeError):
            setattr(x, name, 1)


# ---------------------------------------------------------------------------------------------------
# Asking it


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 0, 4)])
def test_attributes_are_those_of_its_array(shape):
    a = np.ones(shape, "float32")
    t = Tensor(a)
    for name in ("shape", "ndim", "size", "dtype", "nbytes", "itemsize"):
        assert getattr(t, name) == getattr(a, name)
    assert np.array_equal(t.T.numpy(), a.T)
    if t.ndim > 1:
        assert np.array_equal(t.mT.numpy(), a.mT)
    if t.ndim:
        assert len(t) == len(a)
    assert list(t.flat) == list(a.flat)


def test_transposes_are_recorded():
    m = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    weights = np.arange(6.0).reshape(3, 2)
    (m.T * weights).sum().backward()
    assert np.array_equal(m.grad.numpy(), weights.T)
    m.zero_grad()
    (m.mT * weights).sum().backward()
    assert np.array_equal(m.grad.numpy(), weights.T)


def test_leaves_and_results(x):
    y = x * 2
    assert x.is_leaf
    assert not y.is_leaf
    assert y.requires_grad
    assert y.detach().is_leaf
    assert (Tensor([1.0]) * 2).is_leaf


def test_requires_grad_can_be_set_and_unset_on_a_leaf():
    t = Tensor([1.0])
    assert t.requires_grad_() is t
    assert t.requires_grad
    t.requires_grad = False
    assert not t.requires_grad
    t.requires_grad = True
    assert (t * 2).requires_grad
    assert t.requires_grad_(False) is t
    assert (t * 2).is_leaf


def test_a_gradient_can_be_set_and_is_checked():
    x = leaf(1.0, 2.0, dtype="float32")
    x.grad = np.array([3.0, 4.0], "float32")
    assert isinstance(x.grad, Tensor)
    x.grad = Tensor(np.ones(2, "float32"))
    with pytest.raises(ValueError, match=r"shape \(2,\) and dtype float32, but got \(3,\) and float32"):
        x.grad = np.ones(3, "float32")
    with pytest.raises(ValueError, match="float64"):
        x.grad = np.ones(2)
    assert x.grad.tolist() == [1.0, 1.0]
    x.grad = None
    assert x.grad is None

"""Leaving the graph: numpy(), detach(), item() and their kin, and what refuses to leave unseen."""

import math
import operator
import pickle

import numpy as np
import pytest

from tests.engine.leaves import leaf
from tinygrad_edu import Tensor, no_grad
from tinygrad_edu.engine.recording import tracing


def test_numpy_is_a_read_only_view_of_every_tensor(x):
    for t in (x, x * 2, x.detach(), x > 0):
        view = t.numpy()
        assert type(view) is np.ndarray
        assert np.shares_memory(view, t.ndarray)
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1
    assert x.data.flags.writeable


def test_the_data_of_a_recorded_tensor_cannot_be_written(x):
    y = x * 2
    with pytest.raises(ValueError, match="read-only"):
        y.data[0] = 5.0
    with pytest.raises(ValueError, match="read-only"):
        y.data *= 2
    assert y.tolist() == [2.0, -4.0, 6.0]


def test_single_numbers():
    for t in (Tensor(2.5), Tensor([2.5]), Tensor([[2.5]]), Tensor(2.5, requires_grad=True) * 1):
        assert t.item() == 2.5
        assert type(t.item()) is float
        assert float(t) == 2.5
        assert int(t) == 2
        assert complex(t) == 2.5 + 0j
        assert bool(t)
        assert math.exp(t) == math.exp(2.5)
        assert f"{t:.4f}" == "2.5000"
    assert not Tensor(0.0)
    assert type(Tensor(2).item()) is int
    assert type(Tensor(True).item()) is bool
    assert Tensor(1j).item() == 1j


def test_only_single_numbers_are_numbers(x):
    with pytest.raises(ValueError, match=r"item\(\).*'x' has shape \(3,\)"):
        x.item()
    for convert in (float, int, complex):
        with pytest.raises(ValueError, match="one number"):
            convert(x)
    for empty in (Tensor([]), Tensor(np.zeros((2, 0)))):
        with pytest.raises(ValueError, match="one number"):
            empty.item()


def test_the_truth_of_several_numbers_is_refused(x):
    with pytest.raises(ValueError, match=r"truth.*\(3,\).*\.any\(\) or \.all\(\)"):
        bool(x > 0)
    with pytest.raises(ValueError, match="truth"):
        _ = 1 if Tensor([]) else 0
    with pytest.raises(ValueError, match=r"the truth of a Tensor of shape \(2,\) is ambiguous"):
        bool(Tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"the truth of 'w', of shape \(2,\), is ambiguous"):
        bool(Tensor([1.0, 2.0], name="w"))
    assert (x > -5).all()
    assert not (x > 5).any()


def test_the_size_is_a_number_and_says_so_when_it_is_called(x):
    assert x.size == 3
    assert isinstance(x.size, int)
    assert type(pickle.loads(pickle.dumps(x.size))) is int
    with pytest.raises(TypeError, match=r"number of elements, 3, and not called; write t\.shape\[0\]"):
        x.size(0)
    with pytest.raises(TypeError, match=r"write t\.shape$"):
        x.size()


def test_a_gradient_of_what_was_computed_is_missed_aloud(x):
    y = Tensor([1.0], requires_grad=True) * 2
    with pytest.warns(UserWarning, match="it was computed by multiply"):
        assert y.grad is None
    y.retain_grad()
    assert y.grad is None  # it has only not been computed yet
    assert (x.detach() * 2).grad is None


def test_integers_can_index():
    i = Tensor(2)
    assert [10, 20, 30][i] == 30
    assert operator.index(i) == 2
    assert list(range(i)) == [0, 1]
    assert np.arange(5.0)[i] == 2.0
    for wrong in (Tensor(2.0), Tensor([1, 2]), leaf(1.0)):
        with pytest.raises(TypeError):
            operator.index(wrong)


def test_tolist():
    assert Tensor([[1.0, 2.0], [3.0, 4.0]]).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert Tensor(3.0).tolist() == 3.0
    assert Tensor([True, False]).tolist() == [True, False]


def test_plain_tensors_become_arrays_and_tensors_in_a_graph_do_not(x):
    plain = Tensor([1.0, 2.0])
    assert np.asarray(plain) is plain.data
    assert np.array(plain).tolist() == [1.0, 2.0]
    assert not np.shares_memory(np.array(plain), plain.data)
    assert np.asarray(plain, dtype="float32").dtype == "float32"
    assert np.array([plain, plain]).tolist() == [[1.0, 2.0], [1.0, 2.0]]
    assert np.stack([plain, plain]).shape == (2, 2)
    with pytest.raises(ValueError, match="copy"):
        np.asarray(plain, dtype="float32", copy=False)
    with no_grad():
        assert np.asarray(x * 2).tolist() == [2.0, -4.0, 6.0]
    assert np.array(x > 0).tolist() == [True, False, True]
    assert np.asarray(x.argmax()) == 2
    for t in (x, x * 2):
        with pytest.raises(RuntimeError, match=r"write \.numpy\(\) to leave the graph, or np\.stack"):
            np.asarray(t)
    with tracing():
        y = plain * 2
    with pytest.raises(RuntimeError, match="the result of multiply is part of a graph"):
        np.asarray(y)


def test_detach_shares_numbers_and_clone_copies_them(x):
    d, c = (x * 2).detach(), x.clone()
    assert d.is_leaf
    assert not d.requires_grad
    assert np.shares_memory(x.detach().numpy(), x.numpy())
    assert x.detach().name == "x"
    assert not np.shares_memory(c.numpy(), x.numpy())
    (c * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0, 3.0]
    assert x.copy().requires_grad


def test_astype_is_recorded_and_gives_the_gradient_its_own_dtype_back():
    x = leaf(1.0, 2.0, dtype="float32")
    y = x.astype("float64")
    assert y.dtype == "float64"
    (y * y).sum().backward()
    assert x.grad.dtype == "float32"
    assert x.grad.tolist() == [2.0, 4.0]
    n = x.astype(int)
    assert n.dtype == int
    assert not n.requires_grad
    assert x.astype(np.float32).requires_grad
    assert Tensor([1, 2]).astype(float).dtype == float


def test_astype_to_its_own_dtype_does_not_share_what_can_be_written():
    x = Tensor([1.0, 2.0])
    y = x.astype(float)
    with no_grad():
        y += 1
    assert (x.tolist() == [1.0, 2.0]) or y.data is x.data  # a copy, or the same numbers seen as one storage
    w = leaf(1.0, 1.0)
    z = (w * x).sum()
    y[0] = 50.0
    if x[0].item() == 50.0:
        with pytest.raises(RuntimeError, match="written"):
            z.backward()

"""Copying, pickling and saving."""

import copy
import pickle

import numpy as np
import pytest

from tests.engine.leaves import leaf
from tinygrad_edu import Tensor, no_grad


def make_leaf():
    t = leaf(1.0, 2.0, name="w", dtype="float32")
    (t * t).sum().backward()
    return t


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t)), lambda t: pickle.loads(pickle.dumps(t, 2))],
    ids=["copy", "deepcopy", "pickle", "pickle 2"],
)
class TestCopies:
    def test_have_the_same_everything_in_memory_of_their_own(self, duplicate):
        t = make_leaf()
        c = duplicate(t)
        assert type(c) is Tensor
        assert c is not t
        assert c.tolist() == t.tolist()
        assert c.dtype == t.dtype
        assert c.name == "w"
        assert c.requires_grad
        assert c.is_leaf
        assert c.grad.tolist() == [2.0, 4.0]
        assert not np.shares_memory(c.numpy(), t.numpy())
        assert not np.shares_memory(c.grad.numpy(), t.grad.numpy())
        with no_grad():
            c += 1
            c.grad += 1
        assert t.tolist() == [1.0, 2.0]
        assert t.grad.tolist() == [2.0, 4.0]
        assert hash(c) != hash(t)

    def test_of_plain_integers_and_numbers(self, duplicate):
        for t in (Tensor([1, 2]), Tensor(3.5), Tensor(True), Tensor(np.zeros((0, 2)))):
            c = duplicate(t)
            assert c.tolist() == t.tolist()
            assert c.dtype == t.dtype
            assert c.shape == t.shape
            assert not c.requires_grad

    def test_of_results_raise(self, duplicate):
        h = make_leaf() * 2
        with pytest.raises(RuntimeError, match=r"the result of multiply was computed.*\.detach\(\).*\.clone\(\)"):
            duplicate(h)
        assert duplicate(h.detach()).tolist() == [2.0, 4.0]

    def test_of_a_gradient_that_was_recorded_keep_its_numbers(self, duplicate):
        t = leaf(2.0)
        (t**3).sum().backward(create_graph=True)
        c = duplicate(t)
        assert c.grad.tolist() == [12.0]
        assert c.grad.is_leaf

    def test_of_tied_tensors_stay_tied(self, duplicate):
        if duplicate is copy.copy:
            return
        t = make_leaf()
        pair = duplicate({"a": t, "b": [t]})
        assert pair["a"] is pair["b"][0]


def test_copies_do_not_recurse():
    x = leaf(1.0)
    y = x
    for _ in range(5000):
        y = y + 1.0
    assert copy.deepcopy(y.detach()).tolist() == [5001.0]
    assert "5001" in repr(y)
    with pytest.raises(RuntimeError, match="only leaves"):
        copy.deepcopy(y)
    with pytest.raises(RuntimeError, match="only leaves"):
        pickle.dumps({"model": [y]})


def test_a_subclass_is_copied_as_one():
    class Special(Tensor):
        __slots__ = ()

    globals()["Special"] = Special
    Special.__qualname__ = "Special"
    try:
        t = Special([1.0], requires_grad=True, name="s")
        for c in (copy.deepcopy(t), pickle.loads(pickle.dumps(t))):
            assert type(c) is Special
            assert c.requires_grad
        assert repr(t).startswith("Special(")
        assert type(t * 2) is Tensor
        with no_grad():
            t += 1
        assert type(t) is Special
    finally:
        del globals()["Special"]

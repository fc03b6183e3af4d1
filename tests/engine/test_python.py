"""A tensor in Python's own hands: sets, truth, loops, numbers and formats."""

import collections
import math

import numpy as np
import pytest

from tests.engine.leaves import leaf
from tinygrad_edu import Tensor


def test_tensors_are_told_apart_by_identity_in_sets_and_dictionaries():
    a, b = leaf(1.0, 2.0), leaf(1.0, 2.0)
    assert len({a, b, a}) == 2
    table = {a: "a", b: "b"}
    assert table[a] == "a"
    assert table[b] == "b"
    assert a in table
    assert a.detach() not in table
    assert hash(a) == hash(a)
    assert collections.Counter([a, b, a])[a] == 2
    assert dict.fromkeys([b, a, b]) == {b: None, a: None}


def test_equality_is_elementwise_and_identity_is_is():
    a = Tensor([1.0, 2.0])
    assert (a == a).tolist() == [True, True]
    assert (a == np.array([1.0, 3.0])).tolist() == [True, False]
    assert (a != 1).tolist() == [False, True]
    assert (a == [1.0, 3.0]).tolist() == [True, False]


@pytest.mark.parametrize("other", [None, "a", object(), {}, print])
def test_a_tensor_equals_nothing_but_numbers(other):
    t = Tensor(1.0)
    assert (t == other) is False
    assert (other == t) is False
    assert (t != other) is True
    assert t in [other, t]
    assert [other, t].index(t) == 1


def test_membership():
    t = Tensor([1.0, 2.0])
    assert 2.0 in t
    assert 3.0 not in t
    assert Tensor(1.0) in t
    scalars = [Tensor(1.0), Tensor(2.0)]
    assert Tensor(2.0) in scalars  # by value, as Python's floats
    with pytest.raises(ValueError, match="truth"):
        _ = Tensor([1.0, 2.0]) in [t]


def test_python_functions(x):
    a, b = Tensor(2.0, requires_grad=True), Tensor(5.0, requires_grad=True)
    total = sum([a, b, a])
    assert total.item() == 9.0
    total.backward()
    assert a.grad.item() == 2.0
    assert max(a, b) is b
    assert min([a, b]) is a
    assert sorted([b, a]) == [a, b]
    assert max(x).item() == 3.0
    assert abs(x).tolist() == [1.0, 2.0, 3.0]
    assert pow(a, 3).item() == 8.0
    assert [t.item() for t in divmod(b, a)] == [2.0, 1.0]
    assert math.prod([a, b]).item() == 10.0
    assert any(x > 2)
    assert not all(x > 2)
    assert [t.item() for t in reversed(x)] == [3.0, -2.0, 1.0]
    assert [(i, t.item()) for i, t in enumerate(x)] == [(0, 1.0), (1, -2.0), (2, 3.0)]


def test_iterating_and_unpacking_is_recorded(x):
    a, b, c = x
    (a * 2 + b * 3 + c * 5).backward()
    assert x.grad.tolist() == [2.0, 3.0, 5.0]
    m = Tensor(np.arange(6.0).reshape(3, 2), requires_grad=True)
    assert [row.tolist() for row in m] == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    sum(row * k for k, row in enumerate(m)).sum().backward()
    assert m.grad.tolist() == [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]
    assert list(Tensor(np.zeros((0, 2)))) == []
    (first, *rest) = m
    assert len(rest) == 2
    assert first.shape == (2,)


def test_a_single_number_has_no_length_and_no_parts():
    t = Tensor(3.0, name="loss")
    with pytest.raises(TypeError, match="'loss' is a single number, and has no length"):
        len(t)
    with pytest.raises(TypeError, match="'loss' is a single number, and cannot be iterated"):
        iter(t)
    assert not np.iterable(t)
    assert np.iterable(Tensor([1.0]))

"""Data sets, loaders and splits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse

import tinygrad_edu as tg
from tinygrad_edu.data import DataLoader, TensorDataset, train_test_split

# -- batches -----------------------------------------------------------------------------------------


def test_a_pass_meets_every_row_once():
    x, y = np.arange(10.0), np.arange(10)
    loader = DataLoader((x, y), batch_size=4)
    assert [len(batch) for batch, _ in loader] == [4, 4, 2]
    assert len(loader) == 3
    assert np.array_equal(np.concatenate([batch for batch, _ in loader]), x)
    assert len(DataLoader((x, y), 4, drop_last=True)) == 2
    assert [len(batch) for batch, _ in DataLoader((x, y), 4, drop_last=True)] == [4, 4]
    assert [batch.tolist() for batch in DataLoader(x, 5)] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_shuffling():
    x = np.arange(100)
    loader = DataLoader((x, -x), 10, shuffle=True, generator=np.random.default_rng(0))
    passes = [[(a, b) for a, b in loader] for _ in range(2)]
    orders = [np.concatenate([a for a, _ in batches]) for batches in passes]
    assert all(np.array_equal(np.sort(order), x) for order in orders)
    assert not np.array_equal(orders[0], orders[1])
    assert all(np.array_equal(a, -b) for a, b in passes[0])
    again = DataLoader((x, -x), 10, shuffle=True, generator=np.random.default_rng(0))
    assert np.array_equal(np.concatenate([a for a, _ in again]), orders[0])
    orders = [[tg.manual_seed(1), next(iter(DataLoader(x, 5, shuffle=True)))][1].tolist() for _ in range(2)]
    assert orders[0] == orders[1]


def test_what_can_be_loaded():
    x = tg.Tensor(np.arange(6.0).reshape(3, 2))
    (batch,) = next(iter(DataLoader((x,), 2)))
    assert isinstance(batch, tg.Tensor)
    assert isinstance(next(iter(DataLoader(x, 2))), tg.Tensor)

    class Squares:
        def __len__(self):
            return 5

        def __getitem__(self, i):
            if i >= 5:
                raise IndexError
            return np.full(2, i), i * i

    batches = list(DataLoader(Squares(), 2))
    assert batches[1][0].tolist() == [[2, 2], [3, 3]]
    assert [y.tolist() for _, y in batches] == [[0, 1], [4, 9], [16]]

    class Numbers(Squares):
        def __getitem__(self, i):
            return float(i)

    assert [batch.tolist() for batch in DataLoader(Numbers(), 3)] == [[0, 1, 2], [3, 4]]
    dataset = TensorDataset(np.arange(4), np.arange(4) * 2)
    assert dataset[1:3][1].tolist() == [2, 4]
    assert len(list(DataLoader(dataset, 3))) == 2


class Pair(NamedTuple):
    x: Any
    y: Any


def test_samples_are_collated_as_they_are_made():
    def batch(*samples):
        (made,) = DataLoader(list(samples), len(samples))
        return made

    a, b = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    assert batch(a, b).tolist() == [[1, 2], [3, 4]]
    x, y = batch((a, 0), (b, 1))
    assert (x.tolist(), y.tolist(), y.dtype) == ([[1, 2], [3, 4]], [0, 1], np.int64)
    made = batch({"x": a, "y": 0.5, "name": "a"}, {"x": b, "y": 1.5, "name": "b"})
    assert (made["x"].tolist(), made["y"].tolist(), made["name"]) == ([[1, 2], [3, 4]], [0.5, 1.5], ["a", "b"])
    deep = batch({"in": (a, [1, {"z": True}])}, {"in": (b, [2, {"z": False}])})["in"]
    assert (deep[0].tolist(), deep[1][0].tolist(), deep[1][1]["z"].dtype) == ([[1, 2], [3, 4]], [1, 2], bool)
    named = batch(Pair(a, 0), Pair(b, 1))
    assert type(named) is Pair
    assert named.y.tolist() == [0, 1]
    assert batch(np.float32(1), np.float32(2)).dtype == np.float32
    tensors = batch(tg.Tensor([1.0], requires_grad=True), tg.Tensor([2.0]))
    assert isinstance(tensors, tg.Tensor)
    assert tensors.requires_grad
    assert [len(y) for _, y in DataLoader([(a, 0)] * 5, 2)] == [2, 2, 1]

    class Samples:
        def __len__(self):
            return 4

        def __getitem__(self, i):
            return {"x": np.full(3, i), "y": i}

    assert [made["y"].tolist() for made in DataLoader(Samples(), 3)] == [[0, 1, 2], [3]]
    assert [made["x"].shape for made in DataLoader(Samples(), 3)] == [(3, 3), (1, 3)]


def test_samples_that_do_not_go_together_are_named():
    a, b = np.ones((4, 2)), np.ones(4)
    for samples, kind, message in (
        (
            [a, b],
            ValueError,
            r"a sample has shape \(4, 2\), but number 1 of its batch \(4,\); .* write a tuple: DataLoader\(\(x, y\)\)",
        ),
        (
            [{"x": a}, {"x": a[:2]}],
            ValueError,
            r"a sample\['x'\] has shape \(4, 2\), but number 1 of its batch \(2, 2\)",
        ),
        ([{"x": a}, {"y": a}], ValueError, r"has the keys \['x'\], but number 1 of its batch has \['y'\]"),
        ([{"x": a}, a], ValueError, "number 1 of its batch is ndarray"),
        ([(1, 2), (1,)], ValueError, "a sample has 2 parts, but number 1 of its batch has 1"),
        ([(1, None), (1, None)], TypeError, r"a sample\[1\] is NoneType None; a batch is made of arrays"),
        ([1, object()], TypeError, "a sample is object"),
    ):
        with pytest.raises(kind, match=message):
            list(DataLoader(samples, 2))


def test_a_subclass_that_says_what_an_item_is_is_asked_for_each():
    class Doubled(TensorDataset):
        def __getitem__(self, i):
            x, y = super().__getitem__(i)
            assert np.ndim(y) == 0
            return 2 * x, y

    assert [x.tolist() for x, _ in DataLoader(Doubled(np.arange(3), np.arange(3)), 2)] == [[0, 2], [4]]


def test_what_is_no_data_set_is_answered_with_what_to_write():
    x = np.arange(3)
    for make, kind, message in (
        (lambda: DataLoader({"x": x}), TypeError, r"a tuple of arrays, DataLoader\(\(x, y\)\)"),
        (lambda: DataLoader(zip(x, x, strict=True)), TypeError, r"got zip; write list\(…\) around it"),
        (lambda: DataLoader(3), TypeError, "got int"),
        (lambda: DataLoader(x, num_workers=-1), ValueError, "0 or more, but got -1"),
        (lambda: TensorDataset(3), TypeError, "arrays of rows, but got int 3"),
        (lambda: TensorDataset("abc"), TypeError, "arrays of rows, but got str"),
        (lambda: TensorDataset({1, 2}), TypeError, r"got a set, .* write list\(x\)"),
        (lambda: TensorDataset([[1, 2], [3]]), ValueError, "a list whose parts differ in shape"),
        (lambda: TensorDataset(scipy.sparse.eye_array(3)), TypeError, r"a sparse dia_array; write x\.toarray\(\)"),
        (lambda: train_test_split([None, 1]), TypeError, "makes an array of objects"),
        (lambda: train_test_split(TensorDataset(x)), TypeError, r"write train, test = random_split"),
    ):
        with pytest.raises(kind, match=message):
            make()
    assert len(list(DataLoader(x, num_workers=0))) == 3


def test_loaders_refuse():
    with pytest.raises(ValueError, match="at least one row, but batch_size is 0"):
        DataLoader(np.arange(3), 0)
    with pytest.raises(ValueError, match=r"one length, but got \[3, 2\]"):
        TensorDataset(np.arange(3), np.arange(2))
    with pytest.raises(TypeError):
        DataLoader(np.arange(3), 2.5)

"""Batches: a data set is anything with a length and items; a loader yields its items in batches."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy

from tinygrad_edu import random
from tinygrad_edu.engine.refusals import users_own
from tinygrad_edu.engine.tables import is_table, rows, table
from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


class ArrayDataset:
    """Arrays (or tensors) of equal length, row by row: `dataset[i]` is `(x[i], y[i])`.

    What is neither (a data frame, a series, a list) becomes an array here, once, by position: the labels of its rows
    play no part. Raises TypeError, naming the column, for a frame that holds what is no number.

    >>> dataset = ArrayDataset(np.arange(6).reshape(3, 2), np.array([0, 1, 0]))
    >>> len(dataset), dataset[1]
    (3, (array([2, 3]), np.int64(1)))
    """

    def __init__(self, *arrays: Any) -> None:
        try:
            arrays = tuple([rows(array, type(self).__name__) for array in arrays])
        except Exception as error:
            error.__traceback__ = users_own(error)
            raise
        lengths = [len(array) for array in arrays]
        if len(set(lengths)) != 1:
            raise ValueError(f"ArrayDataset needs arrays of one length, but got {lengths}")
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple([array[index] for array in self.arrays])


class DataLoader:
    """The rows of a data set in batches, in a new order at each pass with `shuffle=True`.

    dataset: an array or a data frame, a tuple of them of one length, a list of samples, or anything with `len()` and
    items. A sample is an array, a number, a text, or a tuple, list or dict of them; the batch is alike, with arrays for
    the numbers (see `collate`). batch_size: the rows of a batch; the last one is smaller if it does not divide, unless
    `drop_last`. generator: what shuffles; else the one that `manual_seed` sets. num_workers: 0, for batches are made in
    this process.

    >>> for x, y in DataLoader((np.arange(5.0), np.arange(5)), batch_size=2):
    ...     print(x, y)
    [0. 1.] [0 1]
    [2. 3.] [2 3]
    [4.] [4]
    >>> next(iter(DataLoader([{"x": [1.0, 2.0], "y": 0}, {"x": [3.0, 4.0], "y": 1}], batch_size=2)))["y"]
    array([0, 1])
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        generator: numpy.random.Generator | None = None,
        num_workers: int = 0,
    ) -> None:
        if num_workers:
            raise ValueError(
                f"a DataLoader makes its batches in this process, but got num_workers={num_workers}; leave it out, or write 0"
            )
        if isinstance(dataset, tuple):
            dataset = ArrayDataset(*dataset)
        elif is_table(dataset):
            dataset = rows(dataset, "DataLoader")
        elif isinstance(dataset, Mapping):
            raise TypeError(
                "DataLoader takes a tuple of arrays, DataLoader((x, y)), or a list of samples, which may be dicts, but got a dict"
            )
        elif not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
            raise TypeError(
                f"DataLoader takes what has len() and items, but got {type(dataset).__name__}; write list(…) around it, or give its "
                "class __len__ and __getitem__"
            )
        self.dataset = dataset
        self.batch_size = operator.index(batch_size)
        if self.batch_size < 1:
            raise ValueError(f"a batch has at least one row, but batch_size is {batch_size}")
        self.shuffle, self.drop_last, self.generator = shuffle, drop_last, generator

    def __len__(self) -> int:
        """The number of batches in a pass."""
        n = len(self.dataset)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        n = len(self.dataset)
        order = random.generator(self.generator).permutation(n) if self.shuffle else np.arange(n)
        for i in range(len(self)):
            yield self._batch(order[i * self.batch_size : (i + 1) * self.batch_size])

    def _batch(self, places: Any) -> Any:
        """The rows at once where the data set can, else one by one, collated."""
        at_once = getattr(type(self.dataset), "__getitem__", None) is ArrayDataset.__getitem__
        if at_once or hasattr(self.dataset, "__array_function__"):
            return self.dataset[places]
        return collate([self.dataset[int(i)] for i in places], "a sample")


def collate(samples: Sequence[Any], called: str = "a sample") -> Any:
    """Samples of one make as one batch: what is in them, stacked, in tuples, lists and dicts as theirs.

    Arrays, tensors and numbers are stacked along a new first axis; a tuple, list or dict of them becomes one of stacks,
    each of the samples' parts in the same place; texts are listed. It is what PyTorch's `default_collate` does, but that
    a tuple stays one.

    Raises ValueError for samples that differ in shape, length or keys, TypeError for parts that are none of these.

    >>> collate([(np.array([1.0, 2.0]), 3), (np.array([5.0, 6.0]), 7)])
    (array([[1., 2.],
           [5., 6.]]), array([3, 7]))
    """
    first = samples[0]
    if isinstance(first, str | bytes):
        return list(samples)
    if isinstance(first, Mapping):
        for i, sample in enumerate(samples):
            if not isinstance(sample, Mapping) or sample.keys() != first.keys():
                raise ValueError(f"{called} has the keys {list(first)}, but number {i} of its batch {_told(sample)}")
        return {key: collate([sample[key] for sample in samples], f"{called}[{key!r}]") for key in first}
    if isinstance(first, tuple | list):
        for i, sample in enumerate(samples):
            if not isinstance(sample, tuple | list) or len(sample) != len(first):
                raise ValueError(f"{called} has {len(first)} parts, but number {i} of its batch {_told(sample)}")
        parts = [collate(column, f"{called}[{i}]") for i, column in enumerate(zip(*samples, strict=True))]
        return type(first)._make(parts) if hasattr(first, "_make") else type(first)(parts)
    arrays = [table(x, called) if is_table(x) else x for x in samples]
    for x in arrays:
        if not isinstance(x, np.ndarray | np.generic | Tensor | bool | int | float | complex):
            raise TypeError(
                f"{called} is {type(x).__name__} {x!r:.60}; a batch is made of arrays, numbers and texts, and of tuples, "
                "lists and dicts of them"
            )
    for i, x in enumerate(arrays):
        if np.shape(x) != np.shape(first):
            raise ValueError(
                f"{called} has shape {np.shape(first)}, but number {i} of its batch {np.shape(x)}; make them one shape, by "
                "np.pad or a slice. (A list is a list of samples; for arrays row by row write a tuple: DataLoader((x, y)).)"
            )
    return np.stack(arrays)


def _told(sample: Any) -> str:
    """What a sample has that is not made as the first."""
    if isinstance(sample, Mapping):
        return f"has {list(sample)}"
    return f"has {len(sample)}" if isinstance(sample, tuple | list) else f"is {type(sample).__name__}"

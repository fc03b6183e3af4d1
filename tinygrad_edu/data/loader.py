"""Batches: a data set is anything with a length and items; a loader yields its items in batches."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_edu import random


class ArrayDataset:
    """Arrays (or tensors) of equal length, row by row: `dataset[i]` is `(x[i], y[i])`.

    >>> dataset = ArrayDataset(np.arange(6).reshape(3, 2), np.array([0, 1, 0]))
    >>> len(dataset), dataset[1]
    (3, (array([2, 3]), np.int64(1)))
    """

    def __init__(self, *arrays: Any) -> None:
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

    dataset: an array, a tuple of arrays of one length, or anything with `len()` and items. batch_size: the rows of a
    batch; the last one is smaller if it does not divide, unless `drop_last`. generator: what shuffles; else the one
    that `manual_seed` sets.

    >>> for x, y in DataLoader((np.arange(5.0), np.arange(5)), batch_size=2):
    ...     print(x, y)
    [0. 1.] [0 1]
    [2. 3.] [2 3]
    [4.] [4]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        generator: np.random.Generator | None = None,
    ) -> None:
        self.dataset = ArrayDataset(*dataset) if isinstance(dataset, tuple | list) else dataset
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

    def _batch(self, rows: Any) -> Any:
        """The rows at once where the data set can, else one by one, stacked."""
        if isinstance(self.dataset, ArrayDataset) or hasattr(self.dataset, "__array_function__"):
            return self.dataset[rows]
        items = [self.dataset[int(i)] for i in rows]
        if isinstance(items[0], tuple):
            return tuple([np.stack(column) for column in zip(*items, strict=True)])
        return np.stack(items)

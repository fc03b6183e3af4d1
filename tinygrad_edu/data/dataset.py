"""Data sets: anything that has a length and items numbered from 0, or a stream of samples without a length."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.engine.refusals import users_own
from tinygrad_edu.engine.tables import is_table, rows

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A, ArrayLike, B, Index

Sample = TypeVar("Sample", covariant=True)


class Dataset(Generic[Sample]):
    """The base of data sets, from which samples are taken by their number. Write `__getitem__(i)` and `__len__()`.

    A class of your own need not be derived from it: whatever has these two methods is a data set. `a + b` makes a
    `ConcatDataset`.

    >>> class Squares(Dataset[int]):
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, i):
    ...         return i * i
    >>> (Squares() + Squares())[6]
    4
    """

    def __getitem__(self, index: Any) -> Sample:
        raise NotImplementedError(
            f"{type(self).__name__} is a data set without samples; give it def __getitem__(self, i)"
        )

    def __add__(self, other: Dataset[Any]) -> ConcatDataset:
        return ConcatDataset([self, other])


class TensorDataset(Dataset[Sample]):
    """Arrays or tensors of the same length, whose rows are the samples: `dataset[i]` is `(x[i], y[i])`.

    A data frame, a series or a list becomes an array here, once, by position: the labels of its rows have no effect.

    arrays: one or several, of the same length.

    Raises TypeError, naming the column, for a frame that holds what is no number; ValueError for arrays of different
    lengths.

    >>> dataset = TensorDataset(np.arange(6).reshape(3, 2), np.array([0, 1, 0]))
    >>> len(dataset), dataset[1]
    (3, (array([2, 3]), np.int64(1)))
    """

    @overload
    def __init__(self: TensorDataset[tuple[A]], a: A, /) -> None: ...
    @overload
    def __init__(self: TensorDataset[tuple[A, B]], a: A, b: B, /) -> None: ...
    @overload
    def __init__(self: TensorDataset[tuple[Any, ...]], *arrays: ArrayLike) -> None: ...
    def __init__(self, *arrays: ArrayLike) -> None:
        name = type(self).__name__
        if not arrays:
            raise TypeError(f"{name} takes at least one array, as in {name}(x, y), but got none")
        try:
            self.arrays: tuple[Any, ...] = tuple([rows(array, name) for array in arrays])
        except Exception as error:
            error.__traceback__ = users_own(error)
            raise
        lengths = [len(array) for array in self.arrays]
        if len(set(lengths)) != 1:
            raise ValueError(f"{name} needs arrays of one length, but got {lengths}")

    @property
    def tensors(self) -> tuple[Any, ...]:
        """The arrays, under the name that they have in PyTorch."""
        return self.arrays

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: Index) -> Sample:
        return tuple([array[index] for array in self.arrays])  # type: ignore[return-value]  # a tuple is what it is of


class Subset(Dataset[Any]):
    """Some samples of a data set, in the order of `indices`: sample i is `dataset[indices[i]]`.

    dataset: a data set, an array, or a tuple of arrays of the same length.
    indices: whole numbers; a number that comes twice gives a sample twice.

    Raises IndexError for a number that the data set does not have.

    >>> dataset = Subset(np.arange(10) * 10, [7, 7, 1])
    >>> len(dataset), dataset[2]
    (3, np.int64(10))
    """

    def __init__(self, dataset: Any, indices: Sequence[int] | NDArray[Any]) -> None:
        self.dataset = as_dataset(dataset, "Subset")
        places = np.asarray(indices)
        if places.ndim != 1 or (places.size and places.dtype.kind not in "iu"):
            kind = "True and False: write np.flatnonzero(mask)" if places.dtype.kind == "b" else f"{indices!r:.60}"
            raise TypeError(f"Subset takes indices as a list of whole numbers, but got {kind}")
        n = len(self.dataset)
        if places.size and not (-n <= places.min() and places.max() < n):
            wrong = places[(places < -n) | (places >= n)][0]
            raise IndexError(f"Subset: the data set has {n} samples, numbered from 0, but indices holds {wrong}")
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]


class ConcatDataset(Dataset[Any]):
    """Several data sets as one: the samples of the first come first, then those of the second, and so on.

    datasets: at least one, each with a length.

    Raises ValueError for none, TypeError for a stream.

    >>> both = ConcatDataset([[10, 11], [20]])
    >>> len(both), both[2], both[-1], both.cumulative_sizes
    (3, 20, 20, [2, 3])
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = [as_dataset(dataset, "ConcatDataset") for dataset in datasets]
        if not self.datasets:
            raise ValueError("ConcatDataset takes a list of at least one data set, but got none")
        self.cumulative_sizes = list(accumulate(len(dataset) for dataset in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        n = len(self)
        if not -n <= index < n:
            raise IndexError(f"ConcatDataset has {n} samples, numbered from 0, but was asked for {index}")
        index %= n
        which = bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]


class IterableDataset(Dataset[Sample]):
    """The base of streams of samples, which come in an order of their own. Write `__iter__()`.

    It is for data that has no numbers to ask for, or no end, such as the lines of a file or what a simulation gives. A
    loader takes the samples as they come, and neither shuffles nor samples them.

    >>> class Countdown(IterableDataset[int]):
    ...     def __iter__(self):
    ...         return iter([3, 2, 1])
    >>> list(Countdown() + Countdown())
    [3, 2, 1, 3, 2, 1]
    """

    def __iter__(self) -> Iterator[Sample]:
        raise NotImplementedError(f"{type(self).__name__} is a stream without samples; give it def __iter__(self)")

    def __getitem__(self, index: Any) -> Sample:
        raise TypeError(
            f"{type(self).__name__} is a stream, whose samples have no numbers; write for sample in dataset"
        )

    def __add__(self, other: Dataset[Any]) -> ChainDataset:  # type: ignore[override]  # streams make a stream
        return ChainDataset([self, other])


class ChainDataset(IterableDataset[Any]):
    """Several streams as one: when the first has ended, the second begins, and so on.

    datasets: `IterableDataset`s.

    Raises TypeError for anything else, when its turn comes.

    >>> class Three(IterableDataset[int]):
    ...     def __iter__(self):
    ...         return iter(range(3))
    >>> list(ChainDataset([Three(), Three()]))
    [0, 1, 2, 0, 1, 2]
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator[Any]:
        for dataset in self.datasets:
            yield from self._stream(dataset)

    def __len__(self) -> int:
        return sum(len(self._stream(dataset)) for dataset in self.datasets)

    @staticmethod
    def _stream(dataset: Any) -> Any:
        if not isinstance(dataset, IterableDataset):
            raise TypeError(
                f"ChainDataset takes IterableDatasets, but got {type(dataset).__name__}; for data sets with a length write "
                "ConcatDataset"
            )
        return dataset


def as_dataset(value: Any, who: str) -> Any:
    """Return what samples can be asked from by their number: the value itself, or a data set of a tuple of arrays or a
    frame.

    value: what the user gave.
    who: the function that asks, for the error.

    Raises TypeError for what has no length or no items.
    """
    if isinstance(value, tuple):
        return TensorDataset(*value)
    if isinstance(value, dict):
        raise TypeError(
            f"{who} takes a tuple of arrays, {who}((x, y)), or a list of samples, which may be dicts, but got a dict"
        )
    if is_table(value):
        return rows(value, who)
    if isinstance(value, IterableDataset):
        raise TypeError(f"{who} takes what can be asked by number, but got {type(value).__name__}, which is a stream")
    if not (hasattr(value, "__len__") and hasattr(value, "__getitem__")):
        raise TypeError(
            f"{who} takes what has len() and items, but got {type(value).__name__}; write list(…) around it, or give its "
            "class __len__ and __getitem__"
        )
    return value


def at_once(dataset: Any) -> tuple[tuple[Any, ...], NDArray[np.intp] | None, bool] | None:
    """The arrays that a data set takes its rows from, or None where each sample must be asked for.

    Beside them stand the numbers of the rows that are its samples (None for all, in order), and whether a sample is one
    row of a single array rather than a tuple of rows. A subclass that writes `__getitem__` itself must be asked for
    each sample.
    """
    if hasattr(dataset, "__array_function__"):
        return (dataset,), None, True
    item = getattr(type(dataset), "__getitem__", None)
    if item is TensorDataset.__getitem__:
        return dataset.arrays, None, False
    if item is Subset.__getitem__:
        inner = at_once(dataset.dataset)
        if inner is not None:
            arrays, places, alone = inner
            chosen = np.asarray(dataset.indices, np.intp) % len(dataset.dataset)
            return arrays, chosen if places is None else places[chosen], alone
    return None

"""Samplers: they say in which order, and how often, the samples of a data set are taken in one pass."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu import random

Place = TypeVar("Place", covariant=True)


class Sampler(Generic[Place]):
    """The base of samplers, which give the numbers of the samples one after the other. Write `__iter__()`, and
    `__len__()` if you can.

    >>> class Backwards(Sampler[int]):
    ...     def __init__(self, data):
    ...         self.data = data
    ...     def __iter__(self):
    ...         return iter(range(len(self.data) - 1, -1, -1))
    >>> list(Backwards("abc"))
    [2, 1, 0]
    """

    def __iter__(self) -> Iterator[Place]:
        raise NotImplementedError(f"{type(self).__name__} gives no numbers; give it def __iter__(self)")


class _Order(Sampler[int]):
    """A sampler that knows the whole pass when it begins."""

    def indices(self) -> NDArray[np.intp]:
        """The numbers of one pass, drawn anew at each call where they are random."""
        raise NotImplementedError(f"{type(self).__name__} gives no numbers; give it def indices(self)")

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices().tolist())


class SequentialSampler(_Order):
    """Takes every sample once, in order: 0, 1, …, n − 1.

    data_source: the data set, of which only the length is used.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __len__(self) -> int:
        return len(self.data_source)

    def indices(self) -> NDArray[np.intp]:
        """The numbers 0, 1, …, n − 1."""
        return np.arange(len(self))


class RandomSampler(_Order):
    """Takes the samples in a random order, another in each pass: a permutation of 0, …, n − 1, all of them equally
    likely.

    data_source: the data set, of which only the length is used.
    replacement: whether each number is drawn from all n instead, so that some samples come twice and others not at all.
    num_samples: how many are drawn in a pass; by default n. Without replacement, more than n begin a second
        permutation.
    generator: draws the order; by default the generator that `tg.manual_seed` sets.

    Raises ValueError for a num_samples below 1.

    >>> sorted(RandomSampler("abcd", generator=np.random.default_rng(0)))
    [0, 1, 2, 3]
    >>> len(list(RandomSampler("abcd", replacement=True, num_samples=10)))
    10
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: np.random.Generator | None = None,
    ) -> None:
        if num_samples is not None:
            num_samples = _count(num_samples, "RandomSampler")
        self.data_source, self.replacement, self.generator = data_source, bool(replacement), generator
        self._num_samples = num_samples

    @property
    def num_samples(self) -> int:
        """The number of samples that are drawn in a pass."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __len__(self) -> int:
        return self.num_samples

    def indices(self) -> NDArray[np.intp]:
        """The order of one pass, drawn now."""
        n, count, rng = len(self.data_source), self.num_samples, random.generator(self.generator)
        if count and not n:
            raise ValueError(f"RandomSampler cannot draw {count} samples from a data set that has none")
        if self.replacement:
            return rng.integers(n, size=count, dtype=np.intp) if count else np.arange(0)
        if count == n:
            return rng.permutation(n)
        passes = -(-count // n)
        return np.concatenate([rng.permutation(n) for _ in range(passes)])[:count]


class SubsetRandomSampler(_Order):
    """Takes the given samples in a random order, each once; another order in each pass.

    indices: the numbers of the samples.
    generator: draws the order; by default the generator that `tg.manual_seed` sets.

    >>> sorted(SubsetRandomSampler([2, 5, 7]))
    [2, 5, 7]
    """

    def __init__(self, indices: Sequence[int] | NDArray[Any], generator: np.random.Generator | None = None) -> None:
        self.chosen, self.generator = np.asarray(indices, np.intp), generator

    def __len__(self) -> int:
        return len(self.chosen)

    def indices(self) -> NDArray[np.intp]:
        """The order of one pass, drawn now."""
        return random.generator(self.generator).permutation(self.chosen)


class WeightedRandomSampler(_Order):
    """Draws sample i with probability wᵢ / Σw. With weights 1 / (size of its class), all classes come equally often.

    weights: a number of 0 or more for each sample; they need not add up to 1.
    num_samples: how many are drawn in a pass.
    replacement: whether a sample can come again; if not, each is drawn from those that are left, by their weights.
    generator: draws the samples; by default the generator that `tg.manual_seed` sets.

    Raises ValueError for weights that are negative or not finite or all 0, and, without replacement, for fewer weights
    above 0 than num_samples.

    >>> y = np.array([0] * 90 + [1] * 10)
    >>> sampler = WeightedRandomSampler(1 / np.bincount(y)[y], 1000, generator=np.random.default_rng(0))
    >>> bool(450 < y[list(sampler)].sum() < 550)
    True
    """

    def __init__(
        self,
        weights: ArrayLike,
        num_samples: int,
        replacement: bool = True,
        generator: np.random.Generator | None = None,
    ) -> None:
        self.weights = np.array(weights, np.float64)
        if self.weights.ndim != 1:
            raise ValueError(f"WeightedRandomSampler takes one weight a sample, but got shape {self.weights.shape}")
        wrong = ~(self.weights >= 0) | ~np.isfinite(self.weights)
        if wrong.any():
            i = int(np.argmax(wrong))
            raise ValueError(
                f"WeightedRandomSampler takes weights from 0 up, but that of sample {i} is {self.weights[i]}"
            )
        self.num_samples = _count(num_samples, "WeightedRandomSampler")
        self.replacement, self.generator = bool(replacement), generator
        possible = int(np.count_nonzero(self.weights))
        if not possible:
            raise ValueError("WeightedRandomSampler takes some weight above 0, but all are 0")
        if not self.replacement and possible < self.num_samples:
            raise ValueError(
                f"WeightedRandomSampler cannot draw {self.num_samples} samples of {possible} whose weight is above 0; write "
                "replacement=True to draw a sample again"
            )

    def __len__(self) -> int:
        return self.num_samples

    def indices(self) -> NDArray[np.intp]:
        """The numbers of one pass, drawn now."""
        largest = self.weights / self.weights.max()  # so that their sum is finite
        return random.generator(self.generator).choice(
            len(self.weights), self.num_samples, replace=self.replacement, p=largest / largest.sum()
        )


class BatchSampler(Sampler[list[Any]]):
    """Takes the numbers that a sampler gives, `batch_size` at a time; the last batch is smaller if it does not divide.

    sampler: gives the numbers.
    batch_size: how many are in a batch, at least 1.
    drop_last: whether a last batch that is not full is left out.

    Raises ValueError for a batch_size below 1.

    >>> list(BatchSampler(SequentialSampler(range(5)), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        self.sampler, self.batch_size, self.drop_last = sampler, at_least_one(batch_size), bool(drop_last)

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]  # where it has a length
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[list[Any]]:
        places = iter(self.sampler)
        while batch := list(islice(places, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch


def batches_of(sampler: Iterable[Any]) -> Iterator[Any]:
    """What a batch sampler gives in one pass: lists, or arrays where the order of the whole pass is known at once."""
    if isinstance(sampler, BatchSampler) and type(sampler).__iter__ is BatchSampler.__iter__:
        inner, size = sampler.sampler, sampler.batch_size
        if isinstance(inner, _Order) and type(inner).__iter__ is _Order.__iter__:
            order = inner.indices()
            for start in range(0, len(order) - (size - 1 if sampler.drop_last else 0), size):
                yield order[start : start + size]
            return
    for given in sampler:
        yield given if hasattr(given, "__len__") else list(given)


def at_least_one(batch_size: int) -> int:
    """Return a batch size as a Python int. Raises ValueError for one below 1, TypeError for no whole number."""
    try:
        size = operator.index(batch_size)
    except TypeError:
        cure = f"{type(batch_size).__name__} {batch_size!r:.40}"
        if np.ndim(batch_size):
            cure = f"{type(batch_size).__name__}; write DataLoader((x, y), batch_size) for arrays that belong together"
        raise TypeError(f"batch_size is a whole number, but got {cure}") from None
    if size < 1:
        raise ValueError(f"a batch has at least one row, but batch_size is {batch_size}")
    return size


def _count(num_samples: int, who: str) -> int:
    count = operator.index(num_samples)
    if count < 1:
        raise ValueError(f"{who} draws at least one sample in a pass, but num_samples is {num_samples}")
    return count

"""Batches: a loader visits the samples of a data set in the order of a sampler, and yields them some at a time."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice, repeat, takewhile
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu import random
from tinygrad_edu.data.buffers import Rows
from tinygrad_edu.data.collate import default_collate
from tinygrad_edu.data.dataset import IterableDataset, TensorDataset, as_dataset, at_once
from tinygrad_edu.data.prefetch import prefetch
from tinygrad_edu.data.sampler import BatchSampler, RandomSampler, SequentialSampler, at_least_one, batches_of

if TYPE_CHECKING:
    from typing import Unpack

    from tinygrad_edu.engine.arguments import A, B, C

Batch = TypeVar("Batch", covariant=True)


class Order(TypedDict, total=False):
    """The options of a loader that leave its batches of the type that they are."""

    sampler: Iterable[Any] | None
    batch_sampler: Iterable[Any] | None
    drop_last: bool
    generator: np.random.Generator | None
    num_workers: int
    prefetch_factor: int | None


class DataLoader(Generic[Batch]):
    """The samples of a data set in batches, in a new order at each pass with `shuffle=True`.

    dataset: an array or a data frame, a tuple of them of one length, a list of samples, an `IterableDataset`, or anything
        with `len()` and items. A sample is an array, a number, a text, or a tuple, list or dict of them; the batch is
        alike, with arrays for the numbers (see `default_collate`).
    batch_size: the samples of a batch; the last one is smaller if it does not divide. None: no batches, but the samples.
    shuffle: whether each pass visits the samples in a new random order.
    sampler: what gives the numbers of the samples instead, one by one: a `Sampler`, or anything iterable.
    batch_sampler: what gives them a batch at a time: lists of numbers.
    drop_last: whether a last batch that is not full is left out.
    collate_fn: what makes a batch of a list of samples, instead of `default_collate`.
    generator: what shuffles; else the one that `manual_seed` sets.
    num_workers: how many threads make batches ahead; 0 makes each when it is asked for. Threads pay where samples come
        from files or from NumPy calls that take long; for arrays in memory there is nothing to gain, since a batch is
        copied in a twentieth of the time of a training step. What a data set draws at random while it makes a batch, it
        draws from a generator of that batch, so that the numbers do not depend on which thread was first.
    prefetch_factor: how many batches each of these threads is ahead, 2 unless said.

    Raises TypeError for what is no data set; ValueError for options that exclude one another; IndexError for a number
    that a sampler gives and the data set does not have.

    >>> for x, y in DataLoader((np.arange(5.0), np.arange(5)), batch_size=2):
    ...     print(x, y)
    [0. 1.] [0 1]
    [2. 3.] [2 3]
    [4.] [4]
    >>> next(iter(DataLoader([{"x": [1.0, 2.0], "y": 0}, {"x": [3.0, 4.0], "y": 1}], batch_size=2)))["y"]
    array([0, 1])
    """

    @overload
    def __init__(
        self: DataLoader[A], dataset: A, batch_size: int = 1, shuffle: bool = False, **options: Unpack[Order]
    ) -> None: ...
    @overload
    def __init__(
        self: DataLoader[tuple[A, B]],
        dataset: tuple[A, B] | TensorDataset[tuple[A, B]],
        batch_size: int = 1,
        shuffle: bool = False,
        **options: Unpack[Order],
    ) -> None: ...
    @overload
    def __init__(
        self: DataLoader[tuple[A, B, C]],
        dataset: tuple[A, B, C],
        batch_size: int = 1,
        shuffle: bool = False,
        **options: Unpack[Order],
    ) -> None: ...
    @overload
    def __init__(
        self: DataLoader[Any],
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool = False,
        *,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        **options: Unpack[Order],
    ) -> None: ...
    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool = False,
        *,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        drop_last: bool = False,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        generator: np.random.Generator | None = None,
        num_workers: int = 0,
        prefetch_factor: int | None = None,
    ) -> None:
        stream = isinstance(dataset, IterableDataset)
        self.dataset = dataset if stream else as_dataset(dataset, "DataLoader")
        self.batch_size = None if batch_size is None else at_least_one(batch_size)
        self.shuffle, self.drop_last, self.generator, self.collate_fn = bool(shuffle), drop_last, generator, collate_fn
        self._sampler, self._batch_sampler = sampler, batch_sampler
        self.num_workers = operator.index(num_workers)
        if self.num_workers < 0:
            raise ValueError(
                f"num_workers is the number of threads that make batches, 0 or more, but got {num_workers}"
            )
        if prefetch_factor is not None and not self.num_workers:
            raise ValueError(
                "prefetch_factor says how far threads are ahead, but num_workers is 0; write num_workers=1 or more"
            )
        self.prefetch_factor = 2 if prefetch_factor is None else operator.index(prefetch_factor)
        if self.prefetch_factor < 1:
            raise ValueError(f"prefetch_factor is a number of batches, 1 or more, but got {prefetch_factor}")
        self._refuse_contradictions(stream)

    def _refuse_contradictions(self, stream: bool) -> None:
        """Raise ValueError for options of which one would be ignored."""
        if stream:
            if self.shuffle or self._sampler is not None or self._batch_sampler is not None:
                raise ValueError(
                    "an IterableDataset comes in its own order: leave shuffle, sampler and batch_sampler out, and shuffle in "
                    "its __iter__"
                )
            if self.num_workers > 1:
                raise ValueError(
                    f"an IterableDataset is one stream, which one thread reads, but got num_workers={self.num_workers}; write 1"
                )
        if self._sampler is not None and self.shuffle:
            raise ValueError("a sampler says the order, so shuffle=True contradicts it; leave one of them out")
        if self._batch_sampler is not None and (
            self.batch_size != 1 or self.shuffle or self._sampler is not None or self.drop_last
        ):
            raise ValueError(
                "batch_sampler makes the batches: leave batch_size, shuffle, sampler and drop_last out beside it"
            )
        if self.batch_size is None and self.drop_last:
            raise ValueError("batch_size=None makes no batches, so drop_last has nothing to leave out; leave it out")

    @property
    def sampler(self) -> Iterable[Any]:
        """What gives the numbers of the samples: the one that was given, or one that shuffles or does not."""
        if self._sampler is not None:
            return self._sampler
        return (
            RandomSampler(self.dataset, generator=self.generator) if self.shuffle else SequentialSampler(self.dataset)
        )

    @property
    def batch_sampler(self) -> Iterable[Any] | None:
        """What gives the numbers of a batch: the one that was given, or one that asks `sampler`; None for no batches."""
        if self._batch_sampler is not None:
            return self._batch_sampler
        return None if self.batch_size is None else BatchSampler(self.sampler, self.batch_size, self.drop_last)

    def __len__(self) -> int:
        """The number of batches in a pass; raises TypeError where a stream or a sampler has no length."""
        if isinstance(self.dataset, IterableDataset):
            n = len(self.dataset)  # type: ignore[arg-type]  # where it has a length
            return n if self.batch_size is None else len(BatchSampler(range(n), self.batch_size, self.drop_last))
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        if isinstance(self.dataset, IterableDataset):
            return self._stream(self.dataset)
        jobs = self._jobs()
        if self.num_workers:
            return prefetch(self._seeded(jobs), self.num_workers, self.num_workers * self.prefetch_factor)
        return (job() for job in jobs)

    def _jobs(self) -> Iterator[Callable[[], Any]]:
        """One pass: what makes each batch."""
        if self.batch_sampler is None:
            collate = self.collate_fn or _as_it_is
            for place in self.sampler:
                yield partial(_sample, self.dataset, place, collate)
            return
        make = self._maker()
        for places in batches_of(self.batch_sampler):
            yield partial(make, places)

    def _maker(self) -> Callable[[Any], Any]:
        """What makes a batch of the numbers of its samples: at once where the data set can, else one by one, collated."""
        found = at_once(self.dataset) if self.collate_fn is None else None
        if found is None:
            return partial(_one_by_one, self.dataset, self.collate_fn or default_collate)
        arrays, chosen, alone = found
        ahead = self.num_workers * (self.prefetch_factor + 1)
        checked = None if self._sampler is None and self._batch_sampler is None else len(self.dataset)
        return partial(_together, [Rows(array, ahead) for array in arrays], chosen, alone, checked)

    def _seeded(self, jobs: Iterable[Callable[[], Any]]) -> Iterator[Callable[[], Any]]:
        """The jobs, each with a generator of its own for what it draws at random."""
        seed = None
        for i, job in enumerate(jobs):
            if seed is None:  # drawn after the order of the pass
                seed = int(random.generator(self.generator).integers(1 << 63))
            yield partial(_drawing_from, np.random.default_rng([seed, i]), job)

    def _stream(self, dataset: IterableDataset[Any]) -> Iterator[Any]:
        """One pass over a stream, read by one thread if by any."""
        batches = self._read(iter(dataset))
        if not self.num_workers:
            return batches
        (following,) = self._seeded([partial(next, batches, _END)])
        ahead = prefetch(repeat(following), 1, self.prefetch_factor)
        return takewhile(lambda batch: batch is not _END, ahead)

    def _read(self, samples: Iterator[Any]) -> Iterator[Any]:
        """The samples of a stream in batches."""
        if self.batch_size is None:
            yield from map(self.collate_fn or _as_it_is, samples)
            return
        collate = self.collate_fn or default_collate
        while batch := list(islice(samples, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield collate(batch)


_END = object()
"""What comes after the last batch of a stream."""


def _as_it_is(sample: Any) -> Any:
    return sample


def _drawing_from(generator: np.random.Generator, job: Callable[[], Any]) -> Any:
    """What a job returns, drawing from `generator` where it says no other."""
    with random.using(generator):
        return job()


def _sample(dataset: Any, place: Any, collate: Callable[[Any], Any]) -> Any:
    """One sample."""
    return collate(dataset[int(place) if isinstance(place, np.integer) else place])


def _one_by_one(dataset: Any, collate: Callable[[list[Any]], Any], places: Any) -> Any:
    """A batch of samples, each asked for by its number, or all by `__getitems__` where a data set has that."""
    numbers = places.tolist() if isinstance(places, np.ndarray) else list(places)
    several = getattr(dataset, "__getitems__", None)
    if several is not None:
        return collate(several(numbers))
    return collate([dataset[int(i) if isinstance(i, np.integer) else i] for i in numbers])


def _together(
    rows: Sequence[Rows], chosen: NDArray[np.intp] | None, alone: bool, checked: int | None, places: Any
) -> Any:
    """A batch of rows of arrays.

    rows: the arrays. chosen: which of their rows are the data set's. alone: whether a sample is a row of one array, rather
    than a tuple. checked: the number of samples, where `places` comes from the user's own sampler and may be wrong.
    """
    if checked is not None:
        places = _valid(places, checked)
    if chosen is not None:
        places = chosen[places]
    return rows[0].take(places) if alone else tuple([part.take(places) for part in rows])


def _valid(places: Any, n: int) -> NDArray[np.intp]:
    """The numbers of samples that a sampler gave, from 0 to n − 1. Raises IndexError for others."""
    given = np.asarray(places)
    if given.size and given.dtype.kind not in "iu":
        raise TypeError(f"a sampler gives the numbers of samples, but this one gave {places!r:.60}")
    wrong = (given < -n) | (given >= n)
    if wrong.any():
        raise IndexError(f"the data set has {n} samples, numbered from 0, but the sampler gave {given[wrong][0]}")
    return np.where(given < 0, given + n, given).astype(np.intp)

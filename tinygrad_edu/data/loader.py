"""Batches: a loader takes the samples of a data set in the order of a sampler, and yields them some at a time."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from inspect import signature
from itertools import count, islice, takewhile
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, overload

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.data.buffers import Rows
from tinygrad_edu.data.collate import default_collate
from tinygrad_edu.data.dataset import IterableDataset, TensorDataset, as_dataset, at_once
from tinygrad_edu.data.fetching import one_by_one, sample, together
from tinygrad_edu.data.prefetch import prefetch
from tinygrad_edu.data.sampler import BatchSampler, RandomSampler, SequentialSampler, at_least_one, batches_of
from tinygrad_edu.data.transforms.transform import SampleGenerators, Transform, transformed
from tinygrad_edu.engine.elsewhere import unexpected
from tinygrad_edu.engine.refusals import warn

if TYPE_CHECKING:
    from typing import Unpack

    from tinygrad_edu.engine.arguments import A, B, C

Batch = TypeVar("Batch", covariant=True)


class Order(TypedDict, total=False):
    """The options of a loader that do not change the type of its batches."""

    sampler: Iterable[Any] | None
    batch_sampler: Iterable[Any] | None
    drop_last: bool
    generator: np.random.Generator | None
    num_workers: int
    prefetch_factor: int | None


class DataLoader(Generic[Batch]):
    """Yields the samples of a data set in batches; with `shuffle=True`, in a new order at each pass.

    A sample is an array, a number, a text, or a tuple, list or dict of them. The batch has the same parts, with arrays
    where the samples have numbers (see `default_collate`).

    dataset: an array or a data frame, a tuple of them of the same length, a list of samples, an `IterableDataset`, or
    anything with `len()` and items.
    batch_size: the number of samples in a batch; the last one is smaller if it does not divide. None gives the samples
        themselves.
    shuffle: whether each pass takes the samples in a new random order.
    sampler: gives the numbers of the samples instead, one by one: a `Sampler`, or anything iterable.
    batch_sampler: gives them a batch at a time, as lists of numbers.
    drop_last: whether a last batch that is not full is left out.
    collate_fn: makes a batch of a list of samples, instead of `default_collate`.
    generator: shuffles; by default the generator that `tg.manual_seed` sets. With a transform, or with threads, one
        more number is drawn from it in each pass.
    transform: changes each batch when it has been made: one of `data.transforms`, or a function that is called with all
    parts of the batch, and returns them. What it draws at random follows, for each sample, from a number that
    `generator` gives at the beginning of the pass, and from the sample's place in the pass.
    num_workers: how many threads make batches ahead; with 0, each is made when it is asked for. Threads pay where
        samples are waited for, as from a slow disk or a network. They do not pay where samples are computed, because
        Python computes in one thread at a time, nor for arrays in memory, whose rows are copied in less time than it
        takes to hand a batch over; there the loader warns. What a data set draws at random while it makes a batch comes
        from a generator of that batch, so it does not depend on which thread was first.
    prefetch_factor: how many batches each thread is ahead; by default 2.

    Raises TypeError for what is no data set, ValueError for options that exclude one another, IndexError for a number
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
        transform: Callable[..., Any] | None = None,
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
        transform: Callable[..., Any] | None = None,
        num_workers: int = 0,
        prefetch_factor: int | None = None,
        **others: Any,
    ) -> None:
        if others:
            name = next(iter(others))
            if name in _WITHOUT:
                raise TypeError(f"DataLoader() takes no {name}=: {_WITHOUT[name]}")
            takes = [*signature(DataLoader.__init__).parameters][1:-1]
            raise TypeError(unexpected("DataLoader", name, takes))
        if not isinstance(shuffle, bool | np.bool):
            raise TypeError(f"shuffle is True or False, but got {type(shuffle).__name__} {shuffle!r:.40}")
        stream = isinstance(dataset, IterableDataset)
        self.dataset = dataset if stream else as_dataset(dataset, "DataLoader")
        self.batch_size = None if batch_size is None else at_least_one(batch_size)
        self.shuffle, self.drop_last, self.generator, self.collate_fn = bool(shuffle), drop_last, generator, collate_fn
        self._sampler, self._batch_sampler, self.transform = sampler, batch_sampler, transform
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
        if self.num_workers and not stream and collate_fn is None and transform is None and at_once(self.dataset):
            warn(
                f"num_workers={num_workers} makes nothing faster here: the data are arrays in memory, and handing a batch from "
                "one thread to another takes as long as copying its rows; leave num_workers out"
            )

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
        if self.batch_size is None and self._batch_sampler is None and (self.drop_last or self.transform is not None):
            raise ValueError(
                "batch_size=None makes no batches; leave drop_last and transform out, or write a batch_size"
            )

    @property
    def sampler(self) -> Iterable[Any]:
        """What gives the numbers of the samples: the sampler that was given, or one that shuffles or does not."""
        if self._sampler is not None:
            return self._sampler
        return (
            RandomSampler(self.dataset, generator=self.generator) if self.shuffle else SequentialSampler(self.dataset)
        )

    @property
    def batch_sampler(self) -> Iterable[Any] | None:
        """What gives the numbers of each batch: the one that was given, or one that asks `sampler`; None where there
        are no batches.
        """
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
        stream, plain = isinstance(self.dataset, IterableDataset), not self.num_workers and self.transform is None
        sampler = self.batch_sampler
        if plain and not stream and sampler is not None:
            return map(self._maker(), batches_of(sampler))
        jobs = self._stream() if stream else self._jobs()
        if not plain:
            jobs = self._seeded(jobs)
        made: Iterator[Any] = (job() for _, job in jobs)
        if self.num_workers:
            made = prefetch((job for _, job in jobs), self.num_workers, self.num_workers * self.prefetch_factor)
        return takewhile(lambda batch: batch is not _END, made)

    def _jobs(self) -> Iterator[Job]:
        """The batches of one pass over a data set, as jobs."""
        if self.batch_sampler is None:
            collate = self.collate_fn or _as_it_is
            for start, place in enumerate(self.sampler):
                yield start, partial(sample, self.dataset, collate, place)
            return
        make, start = self._maker(), 0
        for places in batches_of(self.batch_sampler):
            yield start, partial(make, places)
            start += len(places)

    def _maker(self) -> Callable[[Any], Any]:
        """The function that makes a batch from the numbers of its samples: at once where the data set can, else one by
        one.
        """
        found = at_once(self.dataset) if self.collate_fn is None else None
        if found is None:
            return partial(one_by_one, self.dataset, self.collate_fn or default_collate)
        arrays, chosen, alone = found
        ahead = self.num_workers * (self.prefetch_factor + 1)
        checked = None if self._sampler is None and self._batch_sampler is None else len(self.dataset)
        return partial(together, [Rows(array, ahead) for array in arrays], chosen, alone, checked)

    def _stream(self) -> Iterator[Job]:
        """The batches of one pass over a stream, as jobs. After its end they give only `_END`."""
        batches = self._read(iter(self.dataset))
        for start in count(0, self.batch_size or 1):
            yield start, partial(next, batches, _END)

    def _read(self, samples: Iterator[Any]) -> Iterator[Any]:
        """Yield the samples of a stream in batches."""
        if self.batch_size is None:
            yield from map(self.collate_fn or _as_it_is, samples)
            return
        collate = self.collate_fn or default_collate
        while batch := list(islice(samples, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield collate(batch)

    def _seeded(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """Add to each job the transform, and a generator of its own for what it draws at random."""
        seed = None
        for i, (start, job) in enumerate(jobs):
            if seed is None:  # drawn after the order of the pass
                seed = int(random.generator(self.generator).integers(1 << 63))
            yield start, partial(_drawing, seed, i, start, job, self.transform)


Job = tuple[int, Callable[[], Any]]
"""What makes a batch, and which sample of the pass, counted from 0, is the first in it."""

_WITHOUT = {
    "pin_memory": "leave it out; batches are in the memory of this computer, where the model is",
    "persistent_workers": "leave it out; workers are threads, which are made in no time",
    "worker_init_fn": "leave it out; workers are threads, which share the data set",
    "multiprocessing_context": "leave it out; workers are threads",
    "timeout": "leave it out; a batch is waited for until it comes",
    "device": "leave it out; batches are in the memory of this computer, where the model is",
}
"""Options that other loaders have, and what to write."""

_END = object()
"""What comes after the last batch of a stream."""


def _as_it_is(sample: Any) -> Any:
    return sample


def _drawing(seed: int, i: int, start: int, job: Callable[[], Any], transform: Callable[..., Any] | None) -> Any:
    """Make batch i of a pass, and transform it.

    seed: a number from which everything random in this pass follows, except its order.
    i, start: the number of the batch, and of its first sample.
    job: makes the batch.
    transform: changes it, if it is given.
    """
    with random.using(np.random.default_rng([seed, i])):
        batch = job()
        if transform is None or batch is _END:
            return batch
        parts = batch if isinstance(batch, tuple) else (batch,)
        own = None
        if isinstance(transform, Transform):
            own = SampleGenerators(seed, np.arange(start, start + len(parts[0])))
        made = transformed(transform, parts, own)
        if len(made) == 1 and not isinstance(batch, tuple):
            return made[0]
        return type(batch)._make(made) if hasattr(batch, "_make") and len(made) == len(batch) else made

"""In which order samples are visited, and how often: samplers, data sets made of others, random splits."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    random_split,
)

seeds = st.integers(0, 2**32 - 1)


def generator(seed):
    return np.random.default_rng(seed)


# -- samplers ----------------------------------------------------------------------------------------


@given(st.integers(0, 50), seeds)
def test_an_order_is_a_permutation(n, seed):
    for sampler in (
        SequentialSampler(range(n)),
        RandomSampler(range(n), generator=generator(seed)),
        SubsetRandomSampler(range(n), generator=generator(seed)),
    ):
        order = list(sampler)
        assert sorted(order) == list(range(n))
        assert len(sampler) == n
        assert all(type(i) is int for i in order)


@given(st.integers(1, 20), st.integers(1, 70), seeds)
def test_random_samples_of_any_number(n, count, seed):
    sampler = RandomSampler(range(n), num_samples=count, generator=generator(seed))
    drawn = np.bincount(list(sampler), minlength=n)
    assert drawn.sum() == count == len(sampler)
    assert drawn.max() - drawn.min() <= 1  # whole permutations, and a part of one
    again = RandomSampler(range(n), replacement=True, num_samples=count, generator=generator(seed))
    assert set(again) <= set(range(n))
    assert len(list(again)) == count


def test_each_order_is_equally_likely():
    sampler = RandomSampler(range(3), generator=generator(0))
    orders = [tuple(sampler) for _ in range(6000)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert max(abs(count - 1000) for count in counts) < 5 * np.sqrt(6000 * (1 / 6) * (5 / 6))


def test_weighted_samples_come_as_often_as_they_weigh():
    weights = np.array([0, 1, 2, 5, 0, 12])
    for scale in (1, 1e-300, 1e300):
        drawn = np.bincount(list(WeightedRandomSampler(weights * scale, 20_000, generator=generator(0))), minlength=6)
        p = weights / 20
        assert np.all(np.abs(drawn - 20_000 * p) <= 5 * np.sqrt(20_000 * p * (1 - p)))


def test_weighted_samples_without_replacement_are_drawn_from_those_left():
    """P(first a, then b) = wa / W · wb / (W − wa)."""
    w = np.array([1.0, 2.0, 3.0])
    sampler = WeightedRandomSampler(w, 2, replacement=False, generator=generator(0))
    pairs = [tuple(sampler) for _ in range(6000)]
    for a in range(3):
        for b in range(3):
            p = 0 if a == b else w[a] / 6 * w[b] / (6 - w[a])
            assert abs(pairs.count((a, b)) - 6000 * p) <= 5 * np.sqrt(6000 * p * (1 - p))


@given(st.integers(0, 30), st.integers(1, 12), st.booleans())
def test_batches_hold_all_in_order(n, size, drop_last):
    class Own(Sampler):
        def __iter__(self):
            return iter(range(n))

        def __len__(self):
            return n

    for sampler in (SequentialSampler(range(n)), Own(), range(n)):
        batches = BatchSampler(sampler, size, drop_last)
        found = list(batches)
        assert len(found) == len(batches)
        assert all(len(batch) == size for batch in found[:-1])
        assert list(chain(*found)) == list(range(n - n % size if drop_last else n))
        assert all(isinstance(batch, list) for batch in found)
        loaded = list(DataLoader(np.arange(n), batch_sampler=batches))
        assert [batch.tolist() for batch in loaded] == found


def test_without_a_generator_the_seed_decides():
    for make in (
        lambda: RandomSampler(range(99)),
        lambda: SubsetRandomSampler(range(99)),
        lambda: WeightedRandomSampler(np.ones(99), 99),
    ):
        orders = [(tg.manual_seed(3), list(make()))[1] for _ in range(2)]
        assert orders[0] == orders[1]
        assert orders[0] != list(make())


def test_samplers_refuse():
    for make, message in (
        (lambda: WeightedRandomSampler([1, -1], 2), "weights from 0 up, but that of sample 1 is -1"),
        (lambda: WeightedRandomSampler([1, np.nan], 2), "sample 1 is nan"),
        (lambda: WeightedRandomSampler([np.inf, 1], 2), "sample 0 is inf"),
        (lambda: WeightedRandomSampler([0, 0], 2), "all are 0"),
        (lambda: WeightedRandomSampler([], 2), "all are 0"),
        (lambda: WeightedRandomSampler([[1, 2]], 2), r"one weight a sample, but got shape \(1, 2\)"),
        (lambda: WeightedRandomSampler([1, 0], 2, replacement=False), "cannot draw 2 samples of 1"),
        (lambda: WeightedRandomSampler([1, 1], 0), "num_samples is 0"),
        (lambda: RandomSampler(range(3), num_samples=0), "num_samples is 0"),
        (lambda: list(RandomSampler([], num_samples=2)), "that has none"),
        (lambda: BatchSampler(range(3), 0, False), "batch_size is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(NotImplementedError, match="give it def __iter__"):
        list(Sampler())


# -- data sets made of others ------------------------------------------------------------------------


@given(st.integers(1, 30), st.lists(st.integers(-30, 29)))
def test_a_subset_is_its_indices(n, indices):
    indices = [i for i in indices if -n <= i < n]
    arrays = np.arange(n) * 10, np.arange(n) * -1.0
    for dataset in (TensorDataset(*arrays), arrays):
        part = Subset(dataset, indices)
        assert len(part) == len(indices)
        assert [x for x, _ in part] == [arrays[0][i] for i in indices]
        loaded = [x.tolist() for x, _ in DataLoader(part, 4)]
        assert list(chain(*loaded)) == [arrays[0][i] for i in indices]
        twice = Subset(part, np.arange(len(part))[::-1])
        assert list(chain(*[x.tolist() for x, _ in DataLoader(twice, 4)])) == [arrays[0][i] for i in indices][::-1]
    assert len(list(DataLoader(Subset(arrays[0], indices), 50))) == (1 if indices else 0)
    samples = Subset([{"x": i} for i in range(n)], indices)
    assert [sample["x"] for sample in samples] == [range(n)[i] for i in indices]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5))
def test_concatenated_data_sets_follow_one_another(sizes):
    parts = [np.arange(n) + 100 * i for i, n in enumerate(sizes)]
    whole = ConcatDataset(parts)
    expected = np.concatenate(parts).tolist()
    assert [whole[i] for i in range(len(whole))] == expected
    assert [whole[i - len(whole)] for i in range(len(whole))] == expected
    assert list(chain(*[batch.tolist() for batch in DataLoader(whole, 3)])) == expected
    for i in (len(whole), -len(whole) - 1):
        with pytest.raises(IndexError, match=f"{len(whole)} samples, numbered from 0, but was asked for {i}"):
            whole[i]


def test_data_sets_add_up():
    class Squares(Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            if i >= 3:
                raise IndexError
            return i * i

    both = Squares() + TensorDataset(np.arange(2))
    assert isinstance(both, ConcatDataset)
    assert list(both) == [0, 1, 4, (0,), (1,)]


class Stream(IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.n


@given(st.integers(0, 20), st.integers(1, 6), st.booleans(), st.integers(0, 1))
def test_streams_are_batched_as_they_come(n, size, drop_last, workers):
    loader = DataLoader(Stream(n) + Stream(2), size, drop_last=drop_last, num_workers=workers)
    batches = [batch.tolist() for batch in loader]
    expected = [*range(n), 0, 1]
    assert list(chain(*batches)) == expected[: len(expected) - len(expected) % size if drop_last else None]
    assert len(loader) == len(batches)
    assert list(DataLoader(Stream(n), None, num_workers=workers)) == list(range(n))


def test_an_endless_stream():
    class Endless(IterableDataset):
        def __iter__(self):
            i = 0
            while True:
                yield i
                i += 1

    for workers in (0, 1):
        loader = DataLoader(Endless(), 3, num_workers=workers)
        batches = iter(loader)
        assert [next(batches).tolist() for _ in range(3)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
        with pytest.raises(TypeError):
            len(loader)


def test_data_sets_refuse():
    x = np.arange(3)
    for make, kind, message in (
        (lambda: Subset(x, [3]), IndexError, "3 samples, numbered from 0, but indices holds 3"),
        (lambda: Subset(x, [0.5]), TypeError, r"whole numbers, but got \[0.5\]"),
        (lambda: Subset(x, x > 1), TypeError, r"np\.flatnonzero\(mask\)"),
        (lambda: Subset(3, [0]), TypeError, "Subset takes what has len"),
        (lambda: ConcatDataset([]), ValueError, "at least one data set"),
        (
            lambda: ConcatDataset([Stream(2)]),
            TypeError,
            "ConcatDataset takes what can be asked by number, but got Stream",
        ),
        (lambda: list(ChainDataset([x])), TypeError, "takes IterableDatasets, but got ndarray"),
        (lambda: TensorDataset(), TypeError, "at least one array"),
        (lambda: Dataset()[0], NotImplementedError, "give it def __getitem__"),
        (lambda: list(IterableDataset()), NotImplementedError, "give it def __iter__"),
        (lambda: Stream(2)[0], TypeError, "Stream is a stream"),
    ):
        with pytest.raises(kind, match=message):
            make()


# -- random splits -----------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 10), min_size=1, max_size=5), seeds)
def test_a_random_split_is_a_partition(lengths, seed):
    x = np.arange(sum(lengths))
    parts = random_split(x, lengths, generator(seed))
    assert [len(part) for part in parts] == lengths
    assert sorted(chain(*parts)) == x.tolist()
    assert [list(part) for part in parts] == [list(part) for part in random_split(x, lengths, generator(seed))]


@given(st.lists(st.integers(1, 100), min_size=1, max_size=5), st.integers(0, 100), seeds)
def test_fractions_are_honoured_within_one(shares, n, seed):
    fractions = [share / sum(shares) for share in shares]
    parts = random_split((np.arange(n), np.arange(n)), fractions, generator(seed))
    assert sorted(int(x) for x, _ in chain(*parts)) == list(range(n))
    assert all(abs(len(part) - n * fraction) <= 1 + 1e-9 for part, fraction in zip(parts, fractions, strict=True))


def test_random_splits_refuse():
    for lengths in ([3, 3], [0.5, 0.4], [-1, 6], [2.5, 2.5], []):
        with pytest.raises(ValueError, match="the 5 samples of the data set, or fractions that add up to 1, but got"):
            random_split(range(5), lengths)

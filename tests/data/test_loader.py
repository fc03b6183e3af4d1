"""How a loader makes its batches: in memory of its own that is used again, in threads, by samplers of the user's."""

from __future__ import annotations

import threading
import time
import weakref
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import random
from tinygrad_edu.data import BatchSampler, DataLoader, Dataset, SequentialSampler, TensorDataset, WeightedRandomSampler
from tinygrad_edu.data.buffers import LEAST_BYTES_KEPT, Rows

# -- memory that is used again -----------------------------------------------------------------------

HOLDERS = {
    "the batch": lambda x: x,
    "a view": lambda x: x[1:3],
    "a view of a view": lambda x: x.T[::-1][:2],
    "a tensor": tg.Tensor,
    "a graph": lambda x: tg.Tensor(np.ones(x.shape), requires_grad=True) * x,
    "a buffer": memoryview,
    "a closure": lambda x: lambda: x,
    "a weak reference": weakref.ref,
}


def same(*batch):
    return batch


def numbers(held):
    if isinstance(held, weakref.ref):
        return np.copy(held()) if held() is not None else None
    if callable(held):
        return np.copy(held())
    if isinstance(held, tg.Tensor):
        return np.array(held.inputs[1].numpy() if held.inputs else held.numpy())
    return np.array(held)


@given(st.lists(st.sampled_from([None, *HOLDERS]), min_size=1, max_size=30), st.integers(0, 2))
def test_a_batch_that_is_held_is_never_written(holders, workers):
    x = np.random.default_rng(0).random((4 * len(holders), LEAST_BYTES_KEPT // 32))
    kept = []
    for i, (batch, _) in enumerate(DataLoader((x, x), 4, transform=same, num_workers=workers)):
        assert np.array_equal(batch, x[4 * i : 4 * i + 4])
        if holders[i] is not None:
            held = HOLDERS[holders[i]](batch)
            kept.append((held, numbers(held)))
    for held, before in kept:
        after = numbers(held)
        assert after is None or np.array_equal(after, before)


def test_memory_that_nobody_holds_is_used_again():
    x = np.zeros((1000, LEAST_BYTES_KEPT // 40))
    places = [batch.__array_interface__["data"][0] for batch in DataLoader(x, 10)]
    assert len(set(places)) == 2  # one for the loop, one for the next
    assert len({id(batch) for batch in list(DataLoader(x, 10))}) == 100


def test_a_buffer_whose_shape_was_changed_is_not_used_again():
    rows = Rows(np.zeros((10, LEAST_BYTES_KEPT // 16)))
    batch = rows.take(np.arange(2))
    batch.flags.writeable = False
    del batch
    assert rows.take(np.arange(2)).flags.writeable
    assert len(rows.buffers) == 1


@pytest.mark.parametrize("kind", ["transposed", "step", "swapped", "objects", "memmap", "tensor", "texts", "records"])
def test_any_array_gives_its_rows(kind, tmp_path):
    whole = np.arange(24.0).reshape(6, 4)
    if kind == "memmap":
        np.save(tmp_path / "x.npy", whole)
    x = {
        "transposed": lambda: np.asfortranarray(whole),
        "step": lambda: np.repeat(whole, 2, axis=0)[::2],
        "swapped": lambda: whole.astype(">f8"),
        "objects": lambda: whole.astype(object),
        "memmap": lambda: np.load(tmp_path / "x.npy", mmap_mode="r"),
        "tensor": lambda: tg.Tensor(whole),
        "texts": lambda: whole.astype(str),
        "records": lambda: whole.astype([("a", "f8")]),
    }[kind]()
    order = [5, 0, 3, 3]
    (batch,) = DataLoader(x, batch_sampler=[order])
    assert type(batch) is (tg.Tensor if kind == "tensor" else np.ndarray)
    assert batch.dtype == x.dtype
    assert batch.tolist() == x[order].tolist()


# -- threads -----------------------------------------------------------------------------------------


class Slow(Dataset):
    """Samples that are waited for, as those from a disk or a network are."""

    def __init__(self, n, seconds=0.002):
        self.n, self.seconds, self.threads = n, seconds, set()

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        self.threads.add(threading.current_thread().name)
        time.sleep(self.seconds)
        return np.full(2, i), i


@given(st.integers(0, 20), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_threads_change_no_batch(n, size, workers, factor):
    dataset = Slow(n, 0)
    ahead = DataLoader(dataset, size, num_workers=workers, prefetch_factor=factor)
    for (x, y), (x_ahead, y_ahead) in zip(DataLoader(dataset, size), ahead, strict=True):
        assert np.array_equal(x, x_ahead)
        assert np.array_equal(y, y_ahead)


def test_threads_pay_where_samples_are_waited_for():
    def seconds(workers):
        begun = time.perf_counter()
        assert len(list(DataLoader(Slow(80, 0.003), 5, num_workers=workers))) == 16
        return time.perf_counter() - begun

    assert min(seconds(8) for _ in range(3)) < 0.5 * seconds(0)


def test_batches_are_made_while_the_loop_works():
    dataset = Slow(40, 0)
    batches = iter(DataLoader(dataset, 2, num_workers=2, prefetch_factor=2))
    next(batches)
    limit = time.perf_counter() + 5
    while not all(name.startswith("DataLoader") for name in dataset.threads) and time.perf_counter() < limit:
        time.sleep(0.001)
    assert dataset.threads
    assert all(name.startswith("DataLoader") for name in dataset.threads)
    del batches


def test_leaving_the_loop_ends_the_threads():
    before = set(threading.enumerate())
    for _ in DataLoader(Slow(100, 0), 2, num_workers=3):
        break
    limit = time.perf_counter() + 5
    while set(threading.enumerate()) - before and time.perf_counter() < limit:
        time.sleep(0.001)
    assert set(threading.enumerate()) <= before


def test_batches_that_are_not_begun_when_the_loop_is_left_are_not_made():
    made = []

    class Counted(Slow):
        def __getitem__(self, i):
            made.append(i)
            return super().__getitem__(i)

    for _ in DataLoader(Counted(200, 0.05), 1, num_workers=1, prefetch_factor=100):
        break
    assert len(made) < 60


def test_an_error_in_a_thread_is_raised_in_the_loop():
    class Broken(Slow):
        def __getitem__(self, i):
            if i == 5:
                raise OSError("picture 5 cannot be read")
            return i

    found = []
    with pytest.raises(OSError, match="picture 5"):
        found.extend(batch.tolist() for batch in DataLoader(Broken(8), 2, num_workers=2))
    assert found == [[0, 1], [2, 3]]


def test_what_is_drawn_in_threads_is_the_same_for_any_number_of_them():
    class Noisy(Slow):
        def __getitem__(self, i):
            time.sleep(0.001 * (i % 3))
            return random.generator().random() + i

    def values(workers, seed):
        loader = DataLoader(Noisy(12), 2, True, num_workers=workers, generator=np.random.default_rng(seed))
        return [np.concatenate(list(loader)).tolist() for _ in range(2)]

    assert values(1, 0) == values(3, 0) != values(3, 1)
    first, second = values(2, 0)
    assert len({*np.mod(first, 1), *np.mod(second, 1)}) == 24


def test_threads_see_the_context_of_the_loop():
    class Recording(Slow):
        def __getitem__(self, i):
            return int(tg.is_grad_enabled())

    with tg.no_grad():
        assert next(iter(DataLoader(Recording(4), 4, num_workers=1))).tolist() == [0, 0, 0, 0]
    assert next(iter(DataLoader(Recording(4), 4, num_workers=1))).tolist() == [1, 1, 1, 1]


# -- what the user says of order and batches ---------------------------------------------------------


def test_samplers_of_the_users_own():
    x, y = np.arange(10.0), np.arange(10)
    assert [b.tolist() for _, b in DataLoader((x, y), 2, sampler=[3, -1, 4])] == [[3, 9], [4]]
    assert [b.tolist() for _, b in DataLoader((x, y), batch_sampler=[[1], iter([2, 3]), []])] == [[1], [2, 3], []]
    weighted = WeightedRandomSampler([1] + [0] * 9, 4)
    assert [b.tolist() for _, b in DataLoader((x, y), 3, sampler=weighted)] == [[0, 0, 0], [0]]
    backwards = type("Backwards", (SequentialSampler,), {"__iter__": lambda self: iter(range(len(self) - 1, -1, -1))})
    assert [b.tolist() for _, b in DataLoader((x, y), 5, sampler=backwards(y))] == [[9, 8, 7, 6, 5], [4, 3, 2, 1, 0]]
    pairs = type("Pairs", (BatchSampler,), {"__iter__": lambda self: iter([[0, 1], [8, 9]])})
    assert [b.tolist() for _, b in DataLoader((x, y), batch_sampler=pairs(range(10), 2, False))] == [[0, 1], [8, 9]]
    named = type("Named", (), {"__len__": lambda self: 2, "__getitem__": lambda self, key: key.upper()})
    assert list(DataLoader(named(), 2, sampler=["a", "b"])) == [["A", "B"]]
    assert list(DataLoader(["a", "b"], None, sampler=[np.int64(1)])) == ["b"]


def test_samplers_that_give_what_is_no_sample_are_told():
    data = np.arange(3), np.arange(3)
    for given_, kind, message in (
        ([[3]], IndexError, "3 samples, numbered from 0, but the sampler gave 3"),
        ([[-4]], IndexError, "gave -4"),
        ([[0.5]], TypeError, r"gave \[0\.5\]"),
        ([[True, False, True]], TypeError, "numbers of samples"),
    ):
        with pytest.raises(kind, match=message):
            list(DataLoader(data, batch_sampler=given_))


def test_a_collate_function_gets_the_samples():
    loader = DataLoader((np.arange(4), np.arange(4) * 2), 3, collate_fn=lambda samples: [x + y for x, y in samples])
    assert list(loader) == [[0, 3, 6], [9]]
    assert list(DataLoader(np.arange(2), None, collate_fn=lambda sample: sample + 1)) == [1, 2]


def test_a_data_set_that_gives_several_at_once_is_asked_so():
    class Several(Slow):
        def __getitem__(self, i):
            raise AssertionError

        def __getitems__(self, places):
            return [10 * i for i in places]

    assert [batch.tolist() for batch in DataLoader(Several(3), 2)] == [[0, 10], [20]]


def test_options_that_contradict_one_another_are_refused():
    x = np.arange(4)
    batches = BatchSampler(range(4), 2, False)
    for options, message in (
        ({"sampler": range(4), "shuffle": True}, "contradicts"),
        ({"batch_sampler": batches, "batch_size": 2}, "leave batch_size"),
        ({"batch_sampler": batches, "shuffle": True}, "leave batch_size"),
        ({"batch_sampler": batches, "drop_last": True}, "leave batch_size"),
        ({"batch_sampler": batches, "sampler": range(4)}, "leave batch_size"),
        ({"batch_size": None, "drop_last": True}, "makes no batches"),
        ({"num_workers": -1}, "0 or more, but got -1"),
        ({"prefetch_factor": 2}, "num_workers is 0"),
        ({"prefetch_factor": 0, "num_workers": 1}, "1 or more, but got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            DataLoader(x, **options)


def test_options_of_other_loaders_are_answered():
    for name, message in (
        ("pin_memory", "leave it out; batches are in the memory"),
        ("bach_size", r"did you mean batch_size="),
    ):
        with pytest.raises(TypeError, match=rf"DataLoader\(\) takes no {name}=: {message}"):
            DataLoader(np.arange(3), **{name: True})


def test_a_loader_follows_its_attributes():
    loader = DataLoader(np.arange(50), 50)
    assert next(iter(loader)).tolist() == list(range(50))
    loader.shuffle, loader.generator = True, np.random.default_rng(0)
    assert next(iter(loader)).tolist() == np.random.default_rng(0).permutation(50).tolist()
    loader.batch_size = 20
    assert [len(batch) for batch in loader] == [20, 20, 10]
    assert len(loader) == 3
    assert list(chain(*BatchSampler(loader.sampler, 7, False))) != list(range(50))


def test_subclasses_of_tensor_datasets_load_as_they_say():
    class Named(TensorDataset):
        """A subclass that defines no items of its own."""

    loader = DataLoader(Named(np.arange(6), np.arange(6)), 4)
    assert [x.tolist() for x, _ in loader] == [[0, 1, 2, 3], [4, 5]]

"""Random numbers: one stream for each thread, process and block; what takes a generator draws from it alone."""

import concurrent.futures
import multiprocessing
import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, random
from tinygrad_edu.data import DataLoader, train_test_split
from tinygrad_edu.nn import init

AT_IMPORT = tg.rand(3)


def in_thread(f):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(f).result()


def test_pages_and_tests_draw_the_same_whatever_ran_before():
    here = tg.rand(3)
    tg.manual_seed(0)
    assert here.tolist() == AT_IMPORT.tolist() == tg.rand(3).tolist()


def test_threads_do_not_draw_from_one_another():
    tg.manual_seed(0)
    alone = tg.rand(6).tolist()
    tg.manual_seed(0)
    first = tg.rand(3).tolist()
    in_thread(lambda: tg.rand(100))
    assert [*first, *tg.rand(3).tolist()] == alone


def test_threads_have_streams_of_their_own_that_the_seed_repeats():
    def streams():
        tg.manual_seed(5)
        return [in_thread(lambda: tg.rand(3).tolist()) for _ in range(3)] + [tg.rand(3).tolist()]

    found = streams()
    assert len({tuple(stream) for stream in found}) == 4
    assert streams() == found


def test_a_name_of_numpys_legacy_functions_is_told_its_own():
    with pytest.raises(AttributeError, match=r"has no seed; write tg\.manual_seed\(0\)"):
        tg.random.seed(0)
    with pytest.raises(AttributeError, match=r"tinygrad_edu\.random has no shuffle$"):
        tg.random.shuffle([1])


def test_a_thread_seeds_itself():
    def seeded():
        tg.manual_seed(1)
        return tg.rand(3).tolist()

    tg.manual_seed(0)
    before = random.get_state()
    expected = tg.rand(3, generator=np.random.default_rng(1)).tolist()
    assert in_thread(seeded) == in_thread(seeded) == expected
    assert random.get_state() == before


def test_a_block_draws_from_its_generator():
    tg.manual_seed(0)
    before = random.get_state()
    with random.using(np.random.default_rng(3)):
        inside = [tg.rand(2).tolist(), nn.Linear(2, 2).weight.tolist(), F.dropout(np.ones(9)).tolist()]
        with random.using(np.random.default_rng(4)):
            tg.rand(2)
        assert in_thread(lambda: random.generator()) is not random.generator()
        inside.append(tg.rand(2).tolist())
    assert random.get_state() == before
    rng = np.random.default_rng(3)
    with random.using(rng):
        again = [tg.rand(2).tolist(), nn.Linear(2, 2).weight.tolist(), F.dropout(np.ones(9)).tolist()]
        again.append(tg.rand(2).tolist())
    assert again == inside
    with pytest.raises(TypeError, match=r"takes a numpy\.random\.Generator, but got int"), random.using(3):
        pass
    with pytest.raises(KeyError), random.using(rng):
        raise KeyError
    assert random.generator() is not rng


DRAWS = {
    "rand": lambda rng: tg.rand(3, generator=rng),
    "randn": lambda rng: tg.randn(3, generator=rng),
    "dropout": lambda rng: F.dropout(np.ones(9), generator=rng),
    "Dropout": lambda rng: nn.Dropout(generator=rng)(np.ones(9)),
    "normal": lambda rng: init.normal((3, 3), generator=rng),
    "uniform": lambda rng: init.uniform((3, 3), generator=rng),
    "xavier": lambda rng: init.xavier_normal((3, 3), generator=rng),
    "kaiming": lambda rng: init.kaiming_uniform((3, 3), generator=rng),
    "Linear": lambda rng: nn.Linear(3, 3, generator=rng).weight.numpy(),
    "loader": lambda rng: np.concatenate(list(DataLoader(np.arange(9), 2, shuffle=True, generator=rng))),
    "split": lambda rng: train_test_split(np.arange(9), generator=rng)[0],
}


@pytest.mark.parametrize("name", DRAWS)
def test_what_takes_a_generator_draws_from_it_alone(name):
    draw = DRAWS[name]
    before = random.get_state()
    with random.using(np.random.default_rng(8)) as block:
        untouched = block.bit_generator.state
        one, two = (np.asarray(draw(np.random.default_rng(0))) for _ in range(2))
        assert block.bit_generator.state == untouched
    assert random.get_state() == before
    assert np.array_equal(one, two)
    rng = np.random.default_rng(0)
    draw(rng)
    assert rng.bit_generator.state != np.random.default_rng(0).bit_generator.state


def _drawn(pipe):
    pipe.send([tg.rand(3).tolist(), nn.Linear(2, 2).weight.tolist()])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forking where there are threads
def test_forked_processes_draw_other_numbers():
    fork = multiprocessing.get_context("fork")

    def children():
        tg.manual_seed(0)
        tg.rand(2)
        found = []
        for _ in range(3):
            ours, theirs = fork.Pipe()
            process = fork.Process(target=_drawn, args=(theirs,))
            process.start()
            found.append(ours.recv())
            process.join()
        return [*found, [tg.rand(3).tolist(), nn.Linear(2, 2).weight.tolist()]]

    found = children()
    assert len({str(numbers) for numbers in found}) == 4
    assert children() == found


def test_a_replay_draws_from_the_generator_of_the_thread_that_calls_it():
    @tg.replay
    def noisy(x):
        return F.dropout(x + tg.rand(5))

    x = np.ones(5, np.float32)
    eager = noisy.__wrapped__

    def seeded(f):
        tg.manual_seed(2)
        return [np.asarray(f(tg.Tensor(x))).tolist() for _ in range(3)]

    expected = seeded(eager)
    assert seeded(noisy) == expected
    before = random.get_state()
    assert in_thread(lambda: seeded(noisy)) == expected
    assert random.get_state() == before
    with random.using(np.random.default_rng(2)):
        assert [noisy(x).tolist() for _ in range(3)] == expected
    assert seeded(noisy) == expected


def test_many_threads_at_once_are_as_one_after_another():
    def draws():
        tg.manual_seed(threading.get_ident() % 7)
        tg.manual_seed(3)
        return [tg.rand(2).tolist() for _ in range(50)]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = [job.result() for job in [pool.submit(draws) for _ in range(8)]]
    assert all(stream == found[0] for stream in found)


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.Philox, np.random.SFC64])
@given(st.integers(0, 256), st.integers(0, 9000), st.integers(0, 9))
def test_a_mask_drops_the_numbers_whose_byte_is_below_p(kind, share, n, seed):
    array = np.empty(n)
    mask = random.Mask(share / 256)
    mask(np.random.Generator(kind(seed)), array)
    source, step = kind(seed), random.BYTES_DRAWN_AT_ONCE
    parts = [source.random_raw(-(-min(step, n - i) // 8)).view(np.uint8)[: n - i] for i in range(0, n, step)]
    drawn = np.concatenate([np.empty(0, np.uint8), *parts])
    assert np.array_equal(array, np.where(drawn.astype(int) < share, 0, mask.kept))


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937])
@pytest.mark.parametrize("p", [0.5, 0.25, 1 / 256, 0.1, 1 / 3, 1e-4, 0.9999])
def test_a_mask_drops_the_share_p(kind, p):
    n, array = 400_000, np.empty((400, 1000), np.float32)
    random.Mask(p)(np.random.Generator(kind(0)), array)
    assert abs(np.count_nonzero(array == 0) - n * p) < 5 * (n * p * (1 - p)) ** 0.5


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("shape", [(), (0, 3), (3,), (5, 3)])
def test_a_mask_is_of_the_shape_and_type_that_is_asked_for(shape, dtype):
    array = np.empty(shape, dtype)
    for p in (0.25, 0.3):
        random.Mask(p)(np.random.default_rng(0), array)
        assert set(np.unique(array).tolist()) <= {0.0, dtype(1 / (1 - p)).item()}

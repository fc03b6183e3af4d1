"""Memory that a thread computes in: kept for its next call, never given twice at a time, and not asked for anew."""

from __future__ import annotations

import itertools
import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.test_fast_convolution import arrays, sums
from tinygrad_edu.ops.memory import CACHE_LINE
from tinygrad_edu.ops.network.convolution import Windows, forced, routes
from tinygrad_edu.ops.network.convolution import scratch as page
from tinygrad_edu.ops.network.convolution.scratch import scratch


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(page, "_kept", page._Kept())


@given(
    st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=1, max_size=5),
    st.sampled_from([np.float32, np.float64, np.longdouble, np.int8]),
)
def test_arrays_lie_beside_each_other_each_at_a_line_of_the_cache(shapes, dtype):
    with scratch(np.dtype(dtype), *shapes) as given_:
        assert [a.shape for a in given_] == [tuple(shape) for shape in shapes]
        for n, a in enumerate(given_):
            assert a.dtype == dtype
            assert a.flags.c_contiguous
            assert a.ctypes.data % CACHE_LINE == 0
            a.fill(n)
        for n, a in enumerate(given_):
            assert (a == n).all()


def place(*shape, dtype=np.float64):
    with scratch(np.dtype(dtype), shape) as (a,):
        return a.ctypes.data


def test_the_next_call_has_the_same_memory_and_a_larger_one_other():
    first = place(100)
    assert place(50) == place(10, 10) == first
    assert page._kept.block.nbytes >= 800
    place(1000)
    assert page._kept.block.nbytes >= 8000


def test_a_call_within_the_call_has_memory_of_its_own():
    place(100)
    with scratch(np.dtype(float), (10,)) as (a,):
        a.fill(1)
        with scratch(np.dtype(float), (10,)) as (b,):
            assert not np.shares_memory(a, b)
            b.fill(2)
        assert (a == 1).all()


def test_each_thread_has_its_own():
    found = []
    with scratch(np.dtype(float), (10,)) as (a,):
        here = a.ctypes.data
    thread = threading.Thread(target=lambda: found.append((place(10), page._kept.block is None)))
    thread.start()
    thread.join()
    assert found[0][0] != here
    assert found[0][1] is False


def test_after_an_error_nothing_is_kept_and_much_is_never_kept(monkeypatch):
    place(10)
    with pytest.raises(ZeroDivisionError), scratch(np.dtype(float), (10,)):
        raise ZeroDivisionError
    assert page._kept.block is None
    monkeypatch.setattr(page, "MOST_KEPT", 800)
    place(200)
    assert page._kept.block is None
    place(10)
    assert page._kept.block is not None


def test_objects_are_not_laid_over_bytes():
    with scratch(np.dtype(object), (3,)) as (a,):
        assert a.tolist() == [None] * 3
    assert page._kept.block is None


ROUTES = ["patches", "turned", "winograd"] + (
    ["fast direct", "fast winograd", "fast depthwise"] if routes.fast() else []
)


@pytest.mark.parametrize("name", ROUTES)
def test_a_second_call_asks_for_no_more_memory_than_a_kernel(name):
    groups = 16 if name.endswith("depthwise") else 1
    windows = Windows((20, 20), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), groups)
    x, w, g = arrays(windows, 8, 16, 16, np.float32)
    y, by_x, by_w = np.empty_like(g), np.empty_like(x), np.empty_like(w)
    computed = ((routes.forward, x, w, y), (routes.by_input, g, w, by_x), (routes.by_kernel, x, g, by_w))
    with forced(name):
        for compute, a, b, out in computed:
            asked = []
            for _ in range(4):  # what else runs in this process only adds to it
                tracemalloc.start()
                compute(a, b, windows, out)
                asked.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
            assert min(asked) < w.nbytes + 120_000, compute.__name__  # a ufunc over gaps has buffers of 100 kB
            assert page._kept.block.nbytes < 5 * (x.nbytes + g.nbytes)


@pytest.mark.parametrize("name", ROUTES)
def test_what_was_computed_before_in_it_does_not_matter(name):
    groups = 5 if name.endswith("depthwise") else 1
    windows = Windows((9, 7), (3, 3), (1, 1), ((1, 1), (1, 0)), (1, 1), groups)
    given_ = arrays(windows, 3, 5, 5, np.float32)
    with np.errstate(all="raise"):
        expected = sums(name, windows, *given_)
        for junk in (np.nan, np.inf, 1e38):
            page._kept.block.view(np.float32)[...] = junk
            for what, one in sums(name, windows, *given_).items():
                np.testing.assert_array_equal(one, expected[what])


def test_blocks_of_winograd_are_as_many_for_each_of_two_threads():
    windows = Windows((8, 8), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
    for images, channels in itertools.product(range(1, 300, 7), (8, 32, 64, 200)):
        x = np.broadcast_to(np.float32(0), (images, channels, 8, 8))
        most = max(1, routes.winograd.BYTES_OF_POINTS // (36 * 4 * channels * 4))
        at_once = routes.winograd.images_at_once(windows, x)
        blocks = -(-images // at_once)
        assert at_once <= most
        assert blocks <= max(1, -(-images // most) + 1)
        if blocks > 1:
            first = -(-blocks // 2) * at_once
            assert first - images / 2 <= at_once
            assert images < 10 * most or first <= 0.6 * images

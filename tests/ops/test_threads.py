"""Threads that share the images of a batch: the same numbers, whoever computes, whatever fails, wherever it is called."""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tests.ops.test_fast_convolution import arrays, sums
from tinygrad_edu import nn, threads
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops.network import pooling
from tinygrad_edu.ops.network.convolution import Windows, forced, routes
from tinygrad_edu.testing import gradcheck

NAMES = ["patches", "turned", "winograd", "depthwise"]
NAMES += ["fast direct", "fast winograd", "fast depthwise"] if routes.fast() else []


@contextlib.contextmanager
def shared_by(n):
    """n threads, however small the work is."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(threads, "LEAST_MICROSECONDS", 1e-9)
        changed.setattr(pooling, "BYTES_OF_IMAGES", 1 << 9)
        changed.setattr(threads, "_usable", lambda products: tg.get_num_threads())
        tg.set_num_threads(n)
        try:
            yield
        finally:
            tg.set_num_threads(1)


@pytest.fixture
def two():
    with shared_by(2):
        yield


def test_as_many_as_one_says(monkeypatch):
    monkeypatch.setattr(threads, "_one_each", lambda: True)  # else it may warn
    assert tg.get_num_threads() == 1
    with shared_by(3):
        assert tg.get_num_threads() == 3
    tg.set_num_threads(np.int64(2))
    assert type(tg.get_num_threads()) is int
    tg.set_num_threads(1)
    for wrong, error, message in (
        (None, TypeError, "but got NoneType None"),
        (0, ValueError, "1 thread or more, but got 0; write 1"),
        (-2, ValueError, "but got -2"),
        (1.0, TypeError, r"a whole number of threads, but got float 1\.0"),
        (True, TypeError, "but got bool True"),
        ("2", TypeError, "but got str '2'"),
    ):
        with pytest.raises(error, match=message):
            tg.set_num_threads(wrong)
    assert tg.get_num_threads() == 1


@given(st.integers(1, 50), st.floats(0, 2000), st.integers(1, 6))
def test_each_share_is_worth_a_thread(count, microseconds, n):
    with shared_by(n), pytest.MonkeyPatch.context() as changed:
        changed.setattr(threads, "LEAST_MICROSECONDS", 200)
        found = len(threads.shares(count, microseconds=microseconds, products=False))
    assert found == 1 or microseconds / found >= 200
    assert found == 1 or found <= n
    assert min(count, n) < 2 or found > 1 or microseconds < 400


@pytest.mark.parametrize("name", NAMES)
def test_one_can_ask_how_many_threads_share_a_convolution(name, monkeypatch):
    monkeypatch.setattr(threads, "_usable", lambda products: tg.get_num_threads())
    groups, seen = 24 if name.endswith("depthwise") else 1, []
    monkeypatch.setattr(
        routes, "each", lambda do, parts, **how: seen.append(len(parts)) or [do(part) for part in parts]
    )
    monkeypatch.setattr(routes.depthwise, "each", lambda do, parts, **how: seen.append(len(parts)))
    tg.set_num_threads(3)
    try:
        for images, size in ((0, 9), (1, 5), (2, 9), (100, 20)):
            windows = Windows((size, size), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), groups)
            x, w, g = arrays(windows, images, 24, 24, np.float32)
            del seen[:]
            sums(name, windows, x, w, g)
            with forced(name):
                said = F.conv2d_threads(x.shape, w.shape, padding=1, groups=groups)
            ran = [min(n, 3) for n in (seen[1::2] if name == "depthwise" else seen)]  # that shares channels, inside
            assert list(said.values()) == (ran or [1, 1, 1])
            assert set(said.values()) == {3 if images == 100 else 1}
    finally:
        tg.set_num_threads(1)


@given(st.integers(0, 200), st.integers(1, 40), st.integers(1, 6))
def test_shares_are_all_images_in_order_by_whole_units(count, unit, n):
    with shared_by(n):
        found = threads.shares(count, unit, microseconds=1e6, products=False)
    assert [i for share in found for i in range(count)[share]] == list(range(count))
    assert len(found) <= n
    assert all(share.start % unit == 0 for share in found)
    units = [math.ceil((share.stop - share.start) / unit) for share in found]
    assert max(units, default=0) == math.ceil(math.ceil(count / unit) / n)


# ---------------------------------------------------------------------------------------------------
# The same numbers


@st.composite
def cases(draw):
    """A route, windows that fit it, images and channels, and how many threads there are."""
    name = draw(st.sampled_from(NAMES))
    if name.endswith("winograd"):
        d = draw(st.integers(1, 2))
        windows = Windows((draw(st.integers(5, 9)), 7), (3, 3), (1, 1), ((1, 1), (1, 0)), (d, d))
        channels, outputs = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    else:
        groups = channels = outputs = draw(st.integers(2, 5))
        if not name.endswith("depthwise"):
            groups, channels, outputs = 1, draw(st.integers(1, 5)), draw(st.integers(1, 5))
        step = 1 if name == "turned" else draw(st.integers(1, 2))
        windows = Windows((6, 5), (3, 2), (step, 1), ((1, 1), (0, 1)), (1, 1), groups)
    images = draw(st.sampled_from([1, 2, 3, 5, 8]))
    return name, windows, images, channels, outputs, draw(st.sampled_from([2, 3, 4]))


@given(cases())
def test_convolutions_are_those_of_one_thread(case):
    name, windows, images, channels, outputs, n = case
    x, w, g = arrays(windows, images, channels, outputs)
    one = sums(name, windows, x, w, g)
    with shared_by(n):
        shared, again = sums(name, windows, x, w, g), sums(name, windows, x, w, g)
    for what, expected in one.items():
        if expected is not None:
            np.testing.assert_array_equal(shared[what], again[what])
            if what == "by_kernel":
                np.testing.assert_allclose(shared[what], expected, rtol=0, atol=1e-12 * np.abs(expected).max())
            else:
                np.testing.assert_array_equal(shared[what], expected)


@pytest.mark.parametrize("name", NAMES)
def test_large_ones_are_shared_and_are_those_of_one_thread(name, monkeypatch):
    """Without any limit changed, float32, and blocks of several images."""
    monkeypatch.setattr(threads, "_usable", lambda products: tg.get_num_threads())
    groups = 24 if name.endswith("depthwise") else 1
    windows = Windows((20, 20), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), groups)
    x, w, g = arrays(windows, 51, 24, 24, np.float32)
    one = sums(name, windows, x, w, g)
    begun = []
    begin = threads._begin
    monkeypatch.setattr(threads, "_begin", lambda do, part: begun.append(part) or begin(do, part))
    tg.set_num_threads(2)
    try:
        shared = sums(name, windows, x, w, g)
    finally:
        tg.set_num_threads(1)
    assert len(begun) >= (1 if name == "turned" else 2)
    for what, expected in one.items():
        if expected is not None:
            scale = np.abs(expected).max()
            difference = np.abs(shared[what] - expected).max()
            assert difference <= (5e-5 * scale if what == "by_kernel" else 0), what


@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_pooling_is_that_of_one_thread(kernel, dtype):
    how = {"kernel": (kernel,) * 2, "stride": (2, 2), "padding": ((0, 0),) * 2, "dilation": (1, 1)}
    windows = Windows((9, 8), **how)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (7, 3, 9, 8)).astype(dtype)
    s = rng.standard_normal((7, 3, *windows.positions)).astype(np.float32)
    if dtype != np.int64:
        x[3, 1, 2, 2] = np.nan

    def pooled():
        return (
            pooling.max_pool(x, **how),
            pooling.max_pool_gradient(s.astype(x.dtype), x, **how),
            pooling.sum_pool(x, **how),
            pooling.spread_windows(s, size=windows.size, **how),
        )

    one = pooled()
    for n in (2, 3):
        with shared_by(n):
            for a, b in zip(pooled(), one, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("numba", [True, False])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_empty_batches_stay_empty(n, numba, monkeypatch):
    if not numba:
        monkeypatch.setattr(routes, "fast", lambda: False)
    layers = [
        nn.Conv2d(2, 2, 3),
        nn.Conv2d(2, 2, 3, groups=2),
        nn.ConvTranspose2d(2, 2, 3),
        nn.MaxPool2d(2),
        nn.AvgPool2d(2),
    ]
    layers += [
        nn.LPPool2d(2, 2),
        nn.AdaptiveAvgPool2d(2),
        nn.AdaptiveMaxPool2d(3),
        nn.Upsample(scale_factor=2),
        nn.Unfold(2),
    ]
    with shared_by(n):
        for layer in layers:
            full, x = layer(np.ones((3, 2, 8, 8), np.float32)), tg.zeros(0, 2, 8, 8, requires_grad=True)
            y = layer(x)
            y.sum().backward()
            assert y.shape == (0, *full.shape[1:])
            assert x.grad.shape == x.shape
            for p in layer.parameters():
                np.testing.assert_array_equal(p.grad, np.zeros(p.shape))


def test_gradients(two):
    rng = np.random.default_rng(0)
    x, w = (tg.Tensor(rng.standard_normal(s), requires_grad=True) for s in ((4, 2, 6, 6), (3, 2, 3, 3)))
    gradcheck(lambda x, w: F.max_pool2d(F.conv2d(x, w, padding=1), 2), [x, w], order=2)


def test_shares_are_of_images_that_are_computed_together():
    windows = Windows((8, 8), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
    x, w, _ = arrays(windows, 200, 64, 64, np.float32)
    at_once = routes.winograd.images_at_once(windows, x)
    with shared_by(3):
        assert 10 < at_once < 50
        parts, beside = routes._shared("winograd", x, w, windows)
        assert {part.start % at_once for part in parts} == {0}
        assert beside == {"at_once": at_once}


def test_replayed_programs_follow_the_number_of_threads():
    rng = np.random.default_rng(0)
    w = tg.Tensor(rng.standard_normal((4, 2, 3, 3)), requires_grad=True)
    x = rng.standard_normal((5, 2, 8, 8))

    @tg.replay
    def step(x):
        y = (F.max_pool2d(F.conv2d(x, w, padding=1), 2) ** 2).sum()
        return y, tg.grad(y, w)

    found = []
    seen = []
    for n in (1, 1, 2, 3, 1):
        with shared_by(n), pytest.MonkeyPatch.context() as changed:
            begin = threads._begin
            changed.setattr(threads, "_begin", lambda do, part, begin=begin: seen.append(part) or begin(do, part))
            found.append([a.numpy().copy() for a in step(x)])
        seen.append(None)
    counts = [len(list(group)) for group in split(seen)]
    assert counts[0] == counts[1] == counts[4] == 0
    assert 0 < counts[2] < counts[3]
    for y, slope in found[1:]:
        np.testing.assert_array_equal(y, found[0][0])
        np.testing.assert_allclose(slope, found[0][1], rtol=1e-12)
    np.testing.assert_array_equal(found[4][1], found[0][1])


def split(seen):
    """Yield what stands before each None, as a list."""
    group = []
    for one in seen:
        if one is None:
            yield group
            group = []
        else:
            group.append(one)


def test_a_further_thread_takes_the_memory_that_it_computes_in_and_a_kernel():
    windows = Windows((24, 24), (5, 5), (1, 1), ((0, 0), (0, 0)), (1, 1))
    x, w, g = arrays(windows, 40, 8, 16, np.float32)

    def most():
        out = np.empty_like(w)
        with forced("patches"):
            tracemalloc.start()
            routes.by_kernel(x, g, windows, out)
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return found

    one = min(most() for _ in range(4))  # what else runs in this process only adds to it
    with shared_by(2):
        two = min(most() for _ in range(4))
    assert one < two <= 2 * one + w.nbytes + 50_000


# ---------------------------------------------------------------------------------------------------
# Whatever happens


def both():
    """The threads that compute two parts, each of which waits for the other."""
    meeting, where = threading.Barrier(2, timeout=10), set()

    def do(part):
        meeting.wait()
        where.add(threading.get_ident())

    threads.each(do, [0, 1], products=False)
    return where


def test_parts_are_computed_at_the_same_time(two):
    assert len(both()) == 2


def test_parts_are_all_computed_once_whoever_does(two):
    for count in range(1, 9):
        done = []
        threads.each(done.append, range(count), products=False)
        assert sorted(done) == list(range(count))


def test_callers_that_are_threads_and_calls_within_calls_end(two):
    done = []

    def outer(part):
        threads.each(lambda inner: done.append((part, inner)), range(3), products=True)

    def caller():
        for _ in range(20):
            threads.each(outer, range(3), products=True)

    callers = [threading.Thread(target=caller, daemon=True) for _ in range(6)]
    for one in callers:
        one.start()
    for one in callers:
        one.join(30)
    assert not any(one.is_alive() for one in callers)
    assert len(done) == 6 * 20 * 9


def test_a_caller_does_not_wait_for_threads_that_are_busy(two):
    begun, go = threading.Event(), threading.Event()

    def busy(part):
        begun.set()
        go.wait(10)

    other = threading.Thread(target=threads.each, args=(busy, [0, 1]), kwargs={"products": False})
    other.start()
    begun.wait(10)
    where = []
    threads.each(lambda part: where.append(threading.get_ident()), range(4), products=False)
    go.set()
    other.join()
    assert len(where) == 4


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_an_error_of_any_part_is_raised_when_all_have_ended(two, bad):
    running = []

    def do(part):
        running.append(part)
        try:
            if part == bad:
                raise ZeroDivisionError(f"part {part}")
            time.sleep(0.05)
        finally:
            running.remove(part)

    for _ in range(3):
        with pytest.raises(ZeroDivisionError, match=f"part {bad}"):
            threads.each(do, range(3), products=True)
        assert running == []
    done = []
    threads.each(done.append, range(3), products=True)
    assert sorted(done) == [0, 1, 2]


def test_an_interrupt_waits_for_those_that_write(two):
    begun, ended = threading.Event(), []

    def do(part):
        if part == 0:
            assert begun.wait(10)
            raise KeyboardInterrupt
        begun.set()
        time.sleep(0.05)
        ended.append(part)

    with pytest.raises(KeyboardInterrupt):
        threads.each(do, [0, 1], products=False)
    assert ended == [1]


def test_errors_of_numpy_are_treated_as_where_one_called(two):
    windows = Windows((4, 4), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
    x, w, g = arrays(windows, 6, 1, 1)
    x[-1], out = 1e308, np.empty_like(g)
    with np.errstate(over="raise", invalid="raise"), forced("patches"), pytest.raises(FloatingPointError):
        routes.by_kernel(x, g * 1e200, windows, np.empty_like(w))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        routes.forward(x, w * 1e200, windows, out)


@pytest.mark.parametrize("started", [0, 1])
def test_where_no_thread_can_be_started_the_caller_does_all_and_nothing_comes_later(started, monkeypatch):
    """The caller computes as well where one thread of several can be started, and no more."""
    done = []
    begun, go = threading.Event(), threading.Event()
    start = threading.Thread.start

    def refuse(self):
        nonlocal started
        started -= 1
        if started < 0:
            raise RuntimeError("can't start new thread")
        start(self)

    def do(part):
        done.append(part)
        if part == 1 and threading.current_thread().name.startswith("tinygrad_edu"):
            begun.set()
            go.wait(10)

    with shared_by(4):
        with monkeypatch.context() as changed:
            changed.setattr(threading.Thread, "start", refuse)
            if started:
                other = threading.Timer(0.05, go.set)
                start(other)
            threads.each(do, range(4), products=False)
            go.set()
        assert sorted(done) == [0, 1, 2, 3]
        threads.each(do, range(4, 8), products=False)
        threads.each(do, range(8, 40), products=False)
    assert sorted(done) == list(range(40))


def run(code, **environment):
    """Run a program in a process of its own, with these variables of the environment, and return what it prints."""
    given = {k: v for k, v in os.environ.items() if k not in threads.VARIABLES}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=240, env={**given, **environment}
    ).stdout


SETTING = """
import os, sys, atexit, threading, warnings
sys.modules["numba"] = None
import numpy as np
import tinygrad_edu as tg
from tinygrad_edu.nn import functional as F
x, w = np.ones((256, 8, 16, 16)), np.ones((8, 8, 3, 3))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_threads_of_its_own():
    code = f"""{SETTING}
tg.set_num_threads(2)
one = F.conv2d(x, w)
inside, go = threading.Event(), threading.Event()
def busy(part):
    inside.set()
    go.wait(20)
from tinygrad_edu import threads
other = threading.Thread(target=threads.each, args=(busy, [0, 1]), kwargs={{"products": True}})
other.start()
inside.wait()
child = os.fork()
if not child:
    same = np.array_equal(F.conv2d(x, w), one)
    helper = [t for t in threading.enumerate() if "images" in t.name]
    os._exit(0 if same and len(helper) == 1 else 1)
_, status = os.waitpid(child, 0)
go.set()
other.join()
print(os.waitstatus_to_exitcode(status), np.array_equal(F.conv2d(x, w), one))
"""
    assert run(code, OPENBLAS_NUM_THREADS="1") == "0 True\n"


def test_when_python_ends_the_caller_does_all():
    code = f"""{SETTING}
tg.set_num_threads(2)
class Last:
    def __del__(self): print(F.conv2d(x, w).sum())
last = Last()
atexit.register(lambda: print(F.conv2d(x, w).sum()))
print(F.conv2d(x, w).sum())
"""
    first, *others = run(code, OPENBLAS_NUM_THREADS="1").split()
    assert others == [first, first]


# ---------------------------------------------------------------------------------------------------
# Libraries of linear algebra


def test_without_threadpoolctl_products_are_shared_only_if_the_library_was_told_to_be_alone():
    code = f"""{SETTING}
sys.modules["threadpoolctl"] = None
from tinygrad_edu import threads
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    tg.set_num_threads(2)
shares = [threads.shares(8, microseconds=1e6, products=products) for products in (True, False)]
print(*map(len, shares), *[w.message for w in caught])
F.conv2d(x, w)
print(sum("images" in t.name for t in threading.enumerate()), *[w.filename for w in caught])
"""
    assert run(code, OPENBLAS_NUM_THREADS="1") == "2 2\n1\n"
    counts, after, _ = run(code).split("\n")
    assert counts.startswith("1 2 convolutions that numba does not compute stay in one thread")
    assert after == "0 <string>"
    assert run(code, OPENBLAS_NUM_THREADS="2", OMP_NUM_THREADS="1").startswith("1 2 convolutions")


def test_threadpoolctl_keeps_the_library_in_one_thread_during_the_call(two):
    pytest.importorskip("threadpoolctl")
    libraries = threads._libraries()
    if not libraries.lib_controllers:
        pytest.skip("threadpoolctl knows no library of NumPy's")
    told = [2] * len(libraries.lib_controllers)

    def seen():
        return [library.num_threads for library in libraries.lib_controllers]

    with libraries.limit(limits=2):
        if seen() != told:
            pytest.skip("the library has one thread here")
        inside = []
        threads.each(lambda part: inside.append(seen()), range(4), products=True)
        assert inside == [[1] * len(told)] * 4
        assert seen() == told
        threads.each(lambda part: inside.append(seen()), range(4), products=False)
        assert inside[4:] == [told] * 4
        with pytest.raises(ZeroDivisionError):
            threads.each(lambda part: 1 / 0, range(2), products=True)
        assert seen() == told

        where = []
        work = {
            "target": threads.each,
            "args": (lambda part: where.append(seen()), range(3)),
            "kwargs": {"products": True},
        }
        other = threading.Thread(**work)

        def first(part):
            if part == 0:
                other.start()
                other.join(10)
            inside.append(seen())

        del inside[:]
        threads.each(first, range(2), products=True)
        assert inside + where == [[1] * len(told)] * 5  # who came meanwhile did not end it
        assert seen() == told


def test_a_library_that_another_thread_decides_about_is_not_shared(two, monkeypatch):
    class Library:
        num_threads = 2

    class Libraries:
        lib_controllers = (Library(),)

        def limit(self, limits):
            return contextlib.nullcontext()

    monkeypatch.setattr(threads, "_libraries", Libraries)
    here, where = threading.get_ident(), []
    for _ in range(2):
        threads.each(lambda part: where.append((part, threading.get_ident())), range(3), products=True)
    assert where == [(0, here), (1, here), (2, here)] * 2
    assert len(both()) == 2

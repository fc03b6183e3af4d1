"""Threads over the images of a batch: how many there are, and how they share the work.

Convolution and pooling compute each image by itself, so the images of a batch can be shared among threads: long calls of
NumPy, and the kernels that numba compiles, let other threads compute meanwhile. The thread that calls takes part, and does itself what
no other has begun. So it never waits for one that is busy, or that was never started, and any thread may call.

A library of linear algebra with threads of its own takes the processors a second time, and lets in one caller at a time.
So products are shared only where it computes in the thread that calls it: it is told so when Python starts, by
OPENBLAS_NUM_THREADS=1, or during the call by threadpoolctl, where that is installed.
"""

from __future__ import annotations

import functools
import operator
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import copy_context
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

from tinygrad_edu.engine.refusals import warn

P = TypeVar("P")

VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS")
"""What libraries of linear algebra read their number of threads from when they are loaded."""

LEAST_MICROSECONDS = 200
"""The least that a thread is given to do. Another one begins about 100 microseconds after it was called, and for as long the
two lay out memory and kernels, which one does while the other waits for the interpreter: with less to do, both together may
end later than one would."""


class _Shared:
    """What all threads of this process have in common."""

    threads = 1
    pool: ThreadPoolExecutor | None = None  # has one thread fewer than were set, and is made when it is first needed
    lock = threading.Lock()
    limiting = threading.Lock()  # held by the caller who keeps libraries from having threads
    limit: Any = None  # and what undoes that


def set_num_threads(n: int) -> None:
    """Share the images of a batch among n threads, in convolutions and where numba pools: from now on, in the whole process.

    n: how many threads compute, the one that calls among them. It is 1 at first, and then no thread is started. More than
        the cores that nobody else uses are of no use.

    What is computed image by image is the same to the last bit, however many threads there are. The gradient of a kernel
    is a sum over images: each thread sums over its own, and these sums are added up in the order of the images; so it is
    the same in every run, and with another n the same but for rounding. Each thread keeps the memory that it computes in,
    16 megabytes at most, and a further one takes that of another kernel for its gradient. What one thread would compute in
    less than some tenths of a millisecond is not shared: `nn.functional.conv2d_threads` tells.

    Convolutions that numba does not compute are products of matrices. These are shared if NumPy's library of linear
    algebra computes in one thread: start Python with OPENBLAS_NUM_THREADS=1, or install threadpoolctl, by which it is
    told so during each call. Where neither is so, this warns, and such convolutions stay in one thread.

    Raises TypeError for what is no whole number, ValueError for one below 1.

    >>> import tinygrad_edu as tg
    >>> tg.set_num_threads(2)
    >>> tg.get_num_threads()
    2
    >>> tg.set_num_threads(1)
    """
    try:
        n = operator.index(None if isinstance(n, bool) else n)  # type: ignore[arg-type]  # None has none
    except TypeError:
        raise TypeError(
            f"set_num_threads takes a whole number of threads, but got {type(n).__name__} {n!r:.60}"
        ) from None
    if n < 1:
        raise ValueError(f"set_num_threads takes 1 thread or more, but got {n}; write 1 for the calling thread alone")
    with _Shared.lock:
        pool, _Shared.pool, _Shared.threads = _Shared.pool, None, n
    if pool is not None:
        pool.shutdown(wait=False)  # what has begun is finished
    if n > 1 and _usable(products=True) == 1:
        warn(
            "convolutions that numba does not compute stay in one thread, since NumPy's library of linear algebra may have "
            "threads of its own; start Python with OPENBLAS_NUM_THREADS=1, or pip install threadpoolctl"
        )


def get_num_threads() -> int:
    """How many threads share the images of a batch: what `set_num_threads` was told last, 1 at first.

    >>> get_num_threads()
    1
    """
    return _Shared.threads


def shares(count: int, unit: int = 1, *, microseconds: float, products: bool) -> list[slice]:
    """Which of `count` images each thread computes: equal shares, in order, each of whole units but the last.

    unit: how many are computed together; so they are those that one thread would compute together. microseconds: about
    how long one thread takes for all. products: whether they are computed by products of matrices.

    >>> shares(100, 30, microseconds=1000, products=False)
    [slice(0, 100, None)]
    """
    units = -(-count // unit)
    among = min(_usable(products), int(microseconds / LEAST_MICROSECONDS))
    size = max(1, -(-units // max(1, among))) * unit
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def each(do: Callable[[P], object], parts: Sequence[P], *, products: bool) -> None:
    """Call do(part) for each part, in several threads at once; when this returns or raises, all of them have ended.

    An error of one of them is raised here. Each call has the context of this one: what is forced, and how NumPy treats
    errors. products: whether they are products of matrices.
    """
    if len(parts) < 2 or _usable(products) == 1:
        _in_turn(do, parts)
    elif not products or _one_each():
        _together(do, parts)
    else:
        _limited(do, parts)


def _in_turn(do: Callable[[P], object], parts: Sequence[P]) -> None:
    for part in parts:
        do(part)


def _together(do: Callable[[P], object], parts: Sequence[P]) -> None:
    others = [_begin(do, part) for part in parts[1:]]
    try:
        do(parts[0])
        for future, part in reversed(list(zip(others, parts[1:], strict=True))):  # the last is begun last
            if future.cancel():
                do(part)
            else:
                future.result()
    except BaseException:
        wait([future for future in others if not future.cancel()])
        raise


def _begin(do: Callable[[P], object], part: P) -> Future[None]:
    """Hand a part to the pool. Where it takes none, as while Python ends, or where no thread can be started, nobody begins
    it, and it can be cancelled."""
    future: Future[None] = Future()
    with _Shared.lock:
        if _Shared.pool is None:
            _Shared.pool = ThreadPoolExecutor(max(1, _Shared.threads - 1), "tinygrad_edu images")
        pool = _Shared.pool
    with suppress(RuntimeError):
        pool.submit(copy_context().run, _compute, future, do, part)
    return future


def _compute(future: Future[None], do: Callable[[P], object], part: P) -> None:
    """Call do(part), unless the caller has cancelled it and does so itself."""
    if future.set_running_or_notify_cancel():
        try:
            do(part)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(None)


# ---------------------------------------------------------------------------------------------------
# Libraries of linear algebra


@functools.cache
def _libraries() -> Any:
    """The libraries of linear algebra, as threadpoolctl reads and sets their threads; None where it is not installed."""
    if find_spec("threadpoolctl") is None:
        return None
    return import_module("threadpoolctl").ThreadpoolController().select(user_api="blas")


def _one_each() -> bool:
    """Whether the libraries compute in the thread that calls them."""
    libraries = _libraries()
    if libraries is not None:
        return all(library.num_threads == 1 for library in libraries.lib_controllers)
    told = {os.environ[name] for name in VARIABLES if name in os.environ}
    return told == {"1"}


def _usable(products: bool) -> int:
    """How many threads may share what is computed: one, if the libraries cannot be kept from having several."""
    if not products or _Shared.threads == 1 or _libraries() is not None or _one_each():
        return _Shared.threads
    return 1


def _limited(do: Callable[[P], object], parts: Sequence[P]) -> None:
    """Share the parts while the libraries are kept from having threads of their own.

    They are limited for the whole process, and by one thread at a time. So whoever comes meanwhile computes by itself: the
    processors are busy. Some libraries are limited for each thread, hence also those that help limit them.
    """
    libraries = _libraries()

    def alone(part: P) -> None:
        with libraries.limit(limits=1):
            do(part)

    if not _Shared.limiting.acquire(blocking=False):
        _in_turn(do, parts)
        return
    try:
        with libraries.limit(limits=1) as _Shared.limit:
            if _one_each():
                _together(alone, parts)
            else:  # another thread has limited them, and goes on deciding
                _in_turn(do, parts)
    finally:
        _Shared.limit = None
        _Shared.limiting.release()


def _begin_anew() -> None:
    """In a forked process, which has one thread: no pool, and no caller but those to come."""
    _Shared.pool, _Shared.lock, _Shared.limiting = None, threading.Lock(), threading.Lock()
    if _Shared.limit is not None:
        _Shared.limit.restore_original_limits()
        _Shared.limit = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)

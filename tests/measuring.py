"""How much memory something takes."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any


def peak_bytes(call: Callable[[], Any]) -> int:
    """The most bytes that Python and NumPy held at once during a call, beyond those from before."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def kept_bytes(call: Callable[[], Any], times: int) -> int:
    """How many bytes more are held after so many further calls than after one.

    It is the least of three times, because what another thread or a finalizer allocates meanwhile is there once.
    """
    tracemalloc.start()
    try:
        found = []
        for _ in range(3):
            call()
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(times):
                call()
            gc.collect()
            found.append(tracemalloc.get_traced_memory()[0] - before)
        return min(found)
    finally:
        tracemalloc.stop()

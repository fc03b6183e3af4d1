"""Memory that arrays are laid in."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

CACHE_LINE = 64
"""Bytes: memory that begins at a multiple of these is read and written fastest."""


def aligned(nbytes: int) -> Any:
    """Return `nbytes` bytes whose first begins a line of the cache; they hold anything."""
    raw = np.empty(nbytes + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + nbytes]


BYTES_OF_LARGE_RESULTS = 1 << 22
"""About the largest results of the operations of a small network."""


@functools.cache
def keep_freed_memory() -> None:
    """Let the C library keep the memory of freed results for the next ones.

    The library of Linux gives it back to the system, and gets it again page by page, until an array of some megabytes was
    freed; from then on it keeps what is smaller. In a program that never did that, a step of training took up to half as
    long again, and the update of a large parameter five times as long.
    """
    np.empty(BYTES_OF_LARGE_RESULTS, np.uint8)

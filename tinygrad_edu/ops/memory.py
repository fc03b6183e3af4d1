"""Memory that arrays are laid in."""

from __future__ import annotations

from typing import Any

import numpy as np

CACHE_LINE = 64
"""Bytes: memory that begins at a multiple of these is read and written fastest."""


def aligned(nbytes: int) -> Any:
    """Return `nbytes` bytes whose first begins a line of the cache; they hold anything."""
    raw = np.empty(nbytes + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + nbytes]

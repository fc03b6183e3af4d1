"""Memory that convolutions compute in: each thread keeps what one call computed in for the next.

Images laid out, tiles and columns are needed for one call. New memory for them comes from the system page by page, in each
call anew: that took an eighth of a deep network's step, and threads, which share the pages of their process, wait for each
other there.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_edu.ops.memory import CACHE_LINE, aligned

MOST_KEPT = 1 << 24
"""The bytes that a thread keeps at most. A call that needs more takes new memory."""


class _Kept(threading.local):
    """The memory that a thread keeps; None while a call uses it, so that a call within that call takes its own."""

    block: Any = None


_kept = _Kept()


@contextmanager
def scratch(dtype: Any, *shapes: Sequence[int]) -> Iterator[list[Any]]:
    """Arrays of these shapes for the time of the block. What they hold at first is not zero.

    >>> with scratch(np.dtype(float), (2, 3), (4,)) as (a, b):
    ...     a.fill(1)
    ...     b.fill(2)
    ...     a.sum() + b.sum()
    np.float64(14.0)
    """
    if dtype.hasobject:
        yield [np.empty(shape, dtype) for shape in shapes]
        return
    ends = [0]
    for shape in shapes:
        ends.append(ends[-1] + -(-math.prod(shape) * dtype.itemsize // CACHE_LINE) * CACHE_LINE)
    block, _kept.block = _kept.block, None
    if block is None or len(block) < ends[-1]:
        block = aligned(ends[-1])
    yield [np.ndarray(shape, dtype, block, at) for shape, at in zip(shapes, ends, strict=False)]
    if len(block) <= MOST_KEPT:  # an error leaves nothing, for its traceback may hold the arrays
        _kept.block = block

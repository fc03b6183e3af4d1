"""Memory for batches, which is written again once nobody holds the batch that was in it."""

from __future__ import annotations

import math
import sys
import threading
from typing import Any
from weakref import getweakrefcount

import numpy as np
from numpy.typing import NDArray

MOST_ARRAYS_KEPT = 4
"""The arrays that are kept: a loop holds one batch while the next is made, and its step may hold one more."""

LEAST_BYTES_KEPT = 1 << 16
"""The bytes of a batch that is kept: for smaller ones the C library has memory at hand sooner than one is found here."""


class Rows:
    """Copies rows of an array, chosen by their numbers, into memory of their own: `x[places]`.

    Where the array lies in memory row by row, large batches are copied into a buffer, which is used again as soon as nothing
    refers to it: not the loop's variable, nor a view, a tensor or a graph, each of which counts as a reference. A batch
    that somebody still holds is never written. So a pass asks the system for memory only a few times, rather than for
    each batch; large batches (32 MB in the C library of Linux) would be handed out anew each time, page by page.

    array: the array that has the rows.
    more: how many buffers are kept beyond `MOST_ARRAYS_KEPT`, for batches that are made ahead.
    """

    def __init__(self, array: Any, more: int = 0) -> None:
        self.array, self.most, self.buffers = array, MOST_ARRAYS_KEPT + more, list[NDArray[Any]]()
        self.lock = threading.Lock()
        self.together = (
            type(array) is np.ndarray
            and array.flags.c_contiguous  # of other arrays, `take` would first copy the whole
            and array.flags.aligned
            and array.dtype.isnative
        )
        self.least = math.inf  # the rows of a batch that is kept
        if self.together and _COUNTED and not array.dtype.hasobject:
            self.least = -(-LEAST_BYTES_KEPT // max(array.strides[0], 1))

    def take(self, places: NDArray[np.intp]) -> Any:
        """The rows, in the order of `places`, each of which must be from 0 to n − 1."""
        if not self.together:
            return self.array[places]
        n = len(places)
        if n < self.least or (self.buffers and n != len(self.buffers[0])):
            return self.array.take(places, 0)
        return self.array.take(places, 0, self._free(n), "clip")  # "raise" would copy twice

    def _free(self, n: int) -> NDArray[Any]:
        """An array of n rows that nobody else refers to."""
        shape, dtype, buffers = (n, *self.array.shape[1:]), self.array.dtype, self.buffers
        with self.lock:
            for i in range(len(buffers)):
                if sys.getrefcount(buffers[i]) <= _ALONE and not getweakrefcount(buffers[i]):
                    buffer = buffers[i]
                    if buffer.shape == shape and buffer.dtype == dtype and buffer.flags.carray:
                        return buffer
                    del buffers[i]  # its user gave it another shape, or made it read-only
                    break
            buffer = np.empty(shape, dtype)
            buffers[: len(buffers) + 1 - self.most] = []
            buffers.append(buffer)
            return buffer


def _count_alone() -> int:
    """Return what `sys.getrefcount` says of an array that only a list holds: such a buffer may be written again."""
    buffers = [np.empty(0)]
    return sys.getrefcount(buffers[0])


# PyPy, and threads without the global lock, count references not at all or not exactly
_COUNTED = sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()
_ALONE = _count_alone() if _COUNTED else 0

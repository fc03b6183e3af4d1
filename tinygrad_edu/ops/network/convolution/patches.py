"""Convolution by patches: windows are unrolled into columns, and the sum over a window is a product of matrices.

Images are unrolled a block at a time, in memory that the next block uses again, and unrolled again for the gradient of
the kernel: what the whole batch would unroll to, kernel-size times the input, never exists. Where a window is a single
place, nothing is unrolled at all.

Source: Chellapilla, Puri and Simard, *High performance convolutional neural networks for document processing* (2006).
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from tinygrad_edu.ops.network.convolution.windows import BYTES_OF_PATCHES, Windows


class _Columns:
    """The columns of a block of images: (images, groups, channels·kernel, positions)."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._buffer: Any = None

    def of(self, block: Any) -> Any:
        """The columns of a padded block, valid until the next call."""
        n, c = block.shape[:2]
        rows = c // self._windows.groups * math.prod(self._windows.kernel)
        shape = (n, self._windows.groups, rows, math.prod(self._windows.positions))
        if self._windows.unit:
            return block.reshape(shape)
        view = self._windows.view(block)
        if self._buffer is None or len(self._buffer) != n:
            self._buffer = np.empty(view.shape, block.dtype)
        np.copyto(self._buffer, view)
        return self._buffer.reshape(shape)


def forward(x: Any, w: Any, windows: Windows, out: Any) -> None:
    """out[n] = W @ columns(x[n]), where W is the kernel as a matrix, one for each group."""
    matrix = w.reshape(windows.groups, len(w) // windows.groups, -1)
    columns = _Columns(windows)
    for images, block in windows.blocks(x):
        cols = columns.of(block)
        np.matmul(matrix, cols, out=out[images].reshape(len(cols), *matrix.shape[:2], cols.shape[-1]))


def by_kernel(x: Any, g: Any, windows: Windows, out: Any) -> None:
    """out = Σₙ g[n] @ columns(x[n])ᵀ."""
    total = out.reshape(windows.groups, len(out) // windows.groups, -1)
    total[...] = 0
    columns = _Columns(windows)
    for images, block in windows.blocks(x):
        cols = columns.of(block)
        rows = g[images].reshape(len(cols), *total.shape[:2], cols.shape[-1])
        for one, column in zip(rows, cols, strict=True):
            total += one @ column.mT


def by_input(g: Any, w: Any, windows: Windows, out: Any) -> None:
    """Wᵀ @ g[n] are the columns of the input's gradient, and what they have in common is added up, place by place."""
    matrix = w.reshape(windows.groups, len(w) // windows.groups, -1).mT
    shape = (out.shape[1], *windows.kernel, *windows.positions)
    if windows.unit:
        np.matmul(
            matrix,
            g.reshape(len(g), windows.groups, matrix.shape[-1], -1),
            out=out.reshape(len(g), *matrix.shape[:2], -1),
        )
        return
    one = out.itemsize * math.prod(shape)
    count = max(1, min(len(g), BYTES_OF_PATCHES // max(one, 1)))
    padded = np.empty((count, out.shape[1], *windows.padded), out.dtype)
    for start in range(0, len(g), count):
        rows = g[start : start + count]
        rows = rows.reshape(len(rows), windows.groups, matrix.shape[-1], -1)
        parts = np.matmul(matrix, rows).reshape(len(rows), *shape)
        total = padded[: len(rows)]
        total[...] = 0
        for tap in itertools.product(*map(range, windows.kernel)):
            windows.places(total, tap)[...] += parts[:, :, *tap]
        np.copyto(out[start : start + count], windows.inner(total))

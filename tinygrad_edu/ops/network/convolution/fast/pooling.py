"""Max pooling of images by numba: one pass for the largest number of each window, and one for its gradient.

Windows of 2×2 that lie side by side, as most networks pool, are computed four at a time, without a branch. Of all others,
and for the gradient of numbers that have a NaN among them, first the largest of each column is found, for all windows
that lie beside each other at once and by vectors, and then the largest of the columns of each window.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_edu.engine.presence import any_nan
from tinygrad_edu.ops.network.convolution.fast.kernels import compiled, inner
from tinygrad_edu.ops.network.convolution.fast.layout import flat
from tinygrad_edu.ops.network.convolution.fast.vectors import FOUR, first_of_pairs, largest_of_pairs
from tinygrad_edu.ops.network.convolution.windows import Windows


def _sizes(windows: Windows) -> Any:
    """Size, positions, kernel, stride, padding before, dilation, as the kernels take them."""
    before = [a for a, _ in windows.padding]
    return np.array(
        [windows.size, windows.positions, windows.kernel, windows.stride, before, windows.dilation], np.int64
    )


def _pairs(windows: Windows) -> bool:
    """Whether windows are 2×2 side by side, four in a row or more."""
    side_by_side = windows.kernel == windows.stride == (2, 2) and windows.dilation == (1, 1) and not windows.pads
    return side_by_side and windows.positions[1] >= FOUR


def _memory(x: Any) -> tuple[Any, Any]:
    """Room for the largest number of each column, and for the row it is in."""
    return np.empty(x.shape[3], x.dtype), np.empty(x.shape[3], np.int32)


def max_pool(x: Any, windows: Windows, out: Any) -> None:
    """out[n, c, p] = the largest number of each window, or NaN if there is one. x: (N, C, H, W), out: (N, C, P, Q)."""
    y = np.ascontiguousarray(out)
    _largest(flat(x), y.reshape(-1), x.shape[0] * x.shape[1], _sizes(windows), _pairs(windows), *_memory(x))
    if y is not out:
        np.copyto(out, y)


def max_pool_gradient(s: Any, x: Any, windows: Windows, out: Any) -> None:
    """out = s at the first largest number of each window, or the last NaN; added up where windows share it; 0 elsewhere."""
    y = np.ascontiguousarray(out)
    pairs = _pairs(windows) and not any_nan((x,))
    _to_first(flat(s), flat(x), y.reshape(-1), x.shape[0] * x.shape[1], _sizes(windows), pairs, *_memory(x))
    if y is not out:
        np.copyto(out, y)


@inner
def _columns(plane: Any, sizes: Any, p: int, best: Any, rows: Any) -> bool:
    """Find in each column, among the rows that the windows in row p meet, the first of the largest numbers, or the last
    NaN: write it into `best`, and its row into `rows`. Returns False if they meet no row."""
    (height, width), met = sizes[0], False
    for k in range(sizes[2, 0]):
        h = p * sizes[3, 0] - sizes[4, 0] + k * sizes[5, 0]
        if 0 <= h < height:
            row, here = plane[h * width : (h + 1) * width], np.int32(h)
            if not met:
                best[:], rows[:] = row, here
                met = True
            else:
                for w in range(width):  # without a branch, so that it becomes a loop of vectors
                    v, b, r = row[w], best[w], rows[w]
                    better = (v > b) | (v != v)
                    best[w] = v if better else b
                    rows[w] = here if better else r
    return met


@inner
def _column(sizes: Any, q: int, best: Any, rows: Any) -> int:
    """Return the column of window q that has the first of the largest numbers in the order of rows, or the last NaN; −1 if
    the window meets no column."""
    at = -1
    for j in range(sizes[2, 1]):
        w = q * sizes[3, 1] - sizes[4, 1] + j * sizes[5, 1]
        if 0 <= w < sizes[0, 1]:
            v = best[w]
            last = v != v and (best[at] == best[at] or rows[w] >= rows[at])  # of those that are NaN
            if at < 0 or last or v > best[at] or (v == best[at] and rows[w] < rows[at]):
                at = w
    return at


@compiled
def _largest(x: Any, y: Any, planes: int, sizes: Any, pairs: bool, best: Any, rows: Any) -> None:
    (height, width), (down, across) = sizes[0], sizes[1]
    for plane in range(planes):
        i, j = plane * height * width, plane * down * across
        for p in range(down):
            if pairs:
                for q in range(0, across, FOUR):
                    at = min(q, across - FOUR)
                    largest_of_pairs(x, i + 2 * (p * width + at), width, y, j + p * across + at)
            else:
                y[j + p * across : j + (p + 1) * across] = -np.inf  # for what lies in the padding
                if _columns(x[i : i + height * width], sizes, p, best, rows):
                    for q in range(across):
                        column = _column(sizes, q, best, rows)
                        if column >= 0:
                            y[j + p * across + q] = best[column]


@compiled
def _to_first(s: Any, x: Any, y: Any, planes: int, sizes: Any, pairs: bool, best: Any, rows: Any) -> None:
    (height, width), (down, across) = sizes[0], sizes[1]
    for plane in range(planes):
        i, j = plane * height * width, plane * down * across
        if not pairs or height != 2 * down or width != 2 * across:
            y[i : i + height * width] = 0
        for p in range(down):
            if pairs:
                for q in range(0, across, FOUR):
                    at = min(q, across - FOUR)
                    first_of_pairs(s, j + p * across + at, x, i + 2 * (p * width + at), width, y)
            elif _columns(x[i : i + height * width], sizes, p, best, rows):
                for q in range(across):
                    column = _column(sizes, q, best, rows)
                    if column >= 0:
                        y[i + rows[column] * width + column] += s[j + p * across + q]

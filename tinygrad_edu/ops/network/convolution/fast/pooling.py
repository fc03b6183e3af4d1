"""Max pooling of images by numba: one pass for the largest number of each window, and one for its gradient.

Windows of 2×2 that lie side by side, as most networks pool, are computed four at a time, without a branch; all others one
by one, and the gradient of numbers that have a NaN among them.
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


def max_pool(x: Any, windows: Windows, out: Any) -> None:
    """out[n, c, p] = the largest number of each window, or NaN if there is one. x: (N, C, H, W), out: (N, C, P, Q)."""
    y = np.ascontiguousarray(out)
    _largest(flat(x), y.reshape(-1), x.shape[0] * x.shape[1], _sizes(windows), _pairs(windows))
    if y is not out:
        np.copyto(out, y)


def max_pool_gradient(s: Any, x: Any, windows: Windows, out: Any) -> None:
    """out = s at the first largest number of each window, or the last NaN; added up where windows share it; 0 elsewhere."""
    y = np.ascontiguousarray(out)
    pairs = _pairs(windows) and not any_nan((x,))
    _to_first(flat(s), flat(x), y.reshape(-1), x.shape[0] * x.shape[1], _sizes(windows), pairs)
    if y is not out:
        np.copyto(out, y)


@inner
def _place(x: Any, i: int, sizes: Any, p: int, q: int) -> int:
    """Where in x, whose plane begins at i, the first largest number of a window is, or the last NaN."""
    (height, width), (rows, columns) = sizes[0], sizes[2]
    top, left = p * sizes[3, 0] - sizes[4, 0], q * sizes[3, 1] - sizes[4, 1]
    at = -1
    for k in range(rows):
        h = top + k * sizes[5, 0]
        if 0 <= h < height:
            for j in range(columns):
                w = left + j * sizes[5, 1]
                if 0 <= w < width:
                    v = x[i + h * width + w]
                    if at < 0 or v > x[at] or v != v:
                        at = i + h * width + w
    return at


@compiled
def _largest(x: Any, y: Any, planes: int, sizes: Any, pairs: bool) -> None:
    (height, width), (down, across) = sizes[0], sizes[1]
    for plane in range(planes):
        i, j = plane * height * width, plane * down * across
        for p in range(down):
            if pairs:
                for q in range(0, across, FOUR):
                    at = min(q, across - FOUR)
                    largest_of_pairs(x, i + 2 * (p * width + at), width, y, j + p * across + at)
            else:
                for q in range(across):
                    place = _place(x, i, sizes, p, q)
                    y[j + p * across + q] = x[place] if place >= 0 else -np.inf


@compiled
def _to_first(s: Any, x: Any, y: Any, planes: int, sizes: Any, pairs: bool) -> None:
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
            else:
                for q in range(across):
                    place = _place(x, i, sizes, p, q)
                    if place >= 0:
                        y[place] += s[j + p * across + q]

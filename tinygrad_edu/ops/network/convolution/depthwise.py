"""Depthwise convolution in two dimensions: each channel has a kernel of its own, and mixes with no other.

A row of the kernel sliding along a row of the image is a product with a banded matrix (places of the row, positions).
One product a channel does so for all rows of all images and all rows of the kernel at once; the results are then added up
as the kernel's rows lie below each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_edu.ops.network.convolution.windows import Windows
from tinygrad_edu.threads import each

BYTES_OF_CHANNELS = 1 << 21
"""The bytes of a block of channels."""


def _padded(x: Any, windows: Windows, channels: slice) -> Any:
    """Some channels of all images, channel by channel: (channels, N, rows, columns), with their padding."""
    part = x[:, channels].transpose(1, 0, 2, 3)
    if not windows.pads:
        return np.ascontiguousarray(part)
    padded = np.zeros((*part.shape[:2], *windows.padded), x.dtype)
    np.copyto(windows.inner(padded), part)
    return padded


def _bands(w: Any, windows: Windows) -> Any:
    """The kernels (C, K, L) as banded matrices, (C, columns, K, positions): zero but where the window lies."""
    columns, positions = windows.padded[1], windows.positions[1]
    bands = np.zeros((len(w), columns, w.shape[1], positions), w.dtype)
    at = np.arange(positions)
    for tap in range(w.shape[2]):
        bands[:, at * windows.stride[1] + tap * windows.dilation[1], :, at] = w[:, :, tap]
    return bands


def blocks(x: Any, windows: Windows) -> list[slice]:
    """The channels of x in blocks, each of which is computed at once, and by one thread."""
    rows, columns = windows.padded
    one = x.itemsize * len(x) * rows * max(columns, windows.kernel[0] * windows.positions[1])
    step = max(1, min(x.shape[1], BYTES_OF_CHANNELS // max(one, 1)))
    return [slice(i, i + step) for i in range(0, x.shape[1], step)]


def _rows(windows: Windows, tap: int) -> slice:
    """The rows that a row of the kernel meets."""
    start, stride = tap * windows.dilation[0], windows.stride[0]
    return slice(start, start + stride * (windows.positions[0] - 1) + 1, stride)


def forward(x: Any, w: Any, windows: Windows, out: Any) -> None:
    """y[n, c] = Σ over rows of the kernel of x[n, c, rows] @ band."""

    def of(channels: slice) -> None:
        padded, bands = _padded(x, windows, channels), _bands(w[channels, 0], windows)
        c, n, rows, columns = padded.shape
        parts = np.matmul(padded.reshape(c, n * rows, columns), bands.reshape(c, columns, -1))
        parts = parts.reshape(c, n, rows, windows.kernel[0], -1)
        total = parts[:, :, _rows(windows, 0), 0]
        for tap in range(1, windows.kernel[0]):
            total = np.add(total, parts[:, :, _rows(windows, tap), tap])
        np.copyto(out[:, channels], total.transpose(1, 0, 2, 3))

    each(of, blocks(x, windows), products=True)


def by_kernel(x: Any, g: Any, windows: Windows, out: Any) -> None:
    """For each row of the kernel x[rows]ᵀ @ g, (columns, positions), of which a diagonal is summed for each tap."""
    at = np.arange(windows.positions[1])

    def of(channels: slice) -> None:
        padded = _padded(x, windows, channels)
        c, columns = len(padded), padded.shape[3]
        slopes = np.ascontiguousarray(g[:, channels].transpose(1, 0, 2, 3)).reshape(c, -1, windows.positions[1])
        for tap in range(windows.kernel[0]):
            rows = padded[:, :, _rows(windows, tap)].reshape(c, -1, columns)
            products = np.matmul(rows.mT, slopes)
            for k in range(windows.kernel[1]):
                diagonal = products[:, at * windows.stride[1] + k * windows.dilation[1], at]
                out[channels, 0, tap, k] = diagonal.sum(axis=1)

    each(of, blocks(x, windows), products=True)

"""Convolution straight as it is written: all windows of an image, each a row of products with all kernels at once."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tinygrad_edu.ops.network.convolution.fast import kernels
from tinygrad_edu.ops.network.convolution.fast.layout import SPARE, Layout, filled, flat
from tinygrad_edu.ops.network.convolution.fast.vectors import BYTES
from tinygrad_edu.ops.network.convolution.windows import Windows


@functools.lru_cache(maxsize=64)
def _layout(windows: Windows, channels: int, outputs: int, dtype: Any) -> Layout:
    """The layout of a group's `channels` and `outputs`. Few channels are not filled up: that would read mostly filling."""
    few = channels * 2 * dtype.itemsize < BYTES
    return Layout(
        windows, channels, outputs, channels if few else filled(channels, dtype), filled(outputs, dtype), dtype
    )


def forward(x: Any, w: Any, windows: Windows, out: Any) -> None:
    """y = x ⋆ w. The kernels are a matrix (places and channels of a window, outputs) for each group."""
    layout = _layout(windows, w.shape[1], len(w) // windows.groups, x.dtype)
    sizes = layout.sizes
    places = sizes.n // sizes.channels
    parts = w.reshape(sizes.groups, sizes.outputs, sizes.channels, places)
    with layout.memory((sizes.groups, places, sizes.channels, sizes.columns)) as (matrix, *memory):
        matrix[..., : sizes.outputs] = parts.transpose(0, 3, 2, 1)
        kernels.direct(flat(x), matrix.reshape(-1), out.reshape(-1), len(x), sizes, layout.where, *memory)


def by_kernel(x: Any, g: Any, windows: Windows, out: Any) -> None:
    """Compute the gradient of the kernels from the slopes `g` of all windows, as a matrix at first, into `out`."""
    layout = _layout(windows, x.shape[1] // windows.groups, len(out) // windows.groups, x.dtype)
    sizes = layout.sizes
    with layout.memory((sizes.groups, sizes.n + SPARE, sizes.columns)) as (total, *memory):
        kernels.direct_by_kernel(flat(x), flat(g), total.reshape(-1), len(x), sizes, layout.where, *memory)
        parts = total[:, : sizes.n].reshape(sizes.groups, -1, sizes.channels, sizes.columns)[..., : sizes.outputs]
        np.copyto(out.reshape(sizes.groups, sizes.outputs, sizes.channels, -1), parts.transpose(0, 3, 2, 1))

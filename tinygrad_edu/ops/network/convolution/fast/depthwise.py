"""Depthwise convolution: a vector of channels at a time, each of which has a kernel of its own."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tinygrad_edu.ops.network.convolution.fast import kernels
from tinygrad_edu.ops.network.convolution.fast.layout import SPARE, Layout, filled, flat
from tinygrad_edu.ops.network.convolution.fast.vectors import BYTES
from tinygrad_edu.ops.network.convolution.windows import Windows


@functools.lru_cache(maxsize=64)
def _layout(windows: Windows, dtype: Any) -> Layout:
    lanes = BYTES // dtype.itemsize
    return Layout(windows, 1, 1, lanes, lanes, dtype)


def forward(x: Any, w: Any, windows: Windows, out: Any) -> None:
    """y = x ⋆ w. The kernels are (channels by vectors, places of a window, a vector of channels)."""
    layout = _layout(windows, x.dtype)
    channels, n, lanes = x.shape[1], layout.sizes.n, layout.sizes.columns
    rows = np.zeros((filled(channels, x.dtype), n), x.dtype)
    rows[:channels] = w.reshape(channels, n)
    vectors = flat(rows.reshape(-1, lanes, n).swapaxes(1, 2))
    with layout.memory() as memory:
        kernels.depthwise(flat(x), vectors, out.reshape(-1), len(x), layout.sizes, layout.where, *memory)


def by_kernel(x: Any, g: Any, windows: Windows, out: Any) -> None:
    """Compute the gradient of each channel's kernel from the slopes `g` of its windows, into `out`."""
    layout = _layout(windows, x.dtype)
    channels, n, lanes = x.shape[1], layout.sizes.n, layout.sizes.columns
    with layout.memory((filled(channels, x.dtype) // lanes, n + SPARE, lanes)) as (total, *memory):
        kernels.depthwise_by_kernel(flat(x), flat(g), total.reshape(-1), len(x), layout.sizes, layout.where, *memory)
        np.copyto(out.reshape(channels, n), total[:, :n].swapaxes(1, 2).reshape(-1, n)[:channels])

"""Convolution by patches: windows are unrolled into columns, and the sum over a window is a product of matrices.

Images are unrolled a block at a time, in memory that the next block uses again, and unrolled again for the gradient of
the kernel: what the whole batch would unroll to, kernel-size times the input, never exists. Where a window is a single
place, nothing is unrolled at all.

Source: Chellapilla, Puri and Simard, *High performance convolutional neural networks for document processing* (2006).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_edu.ops.network.convolution.scratch import scratch
from tinygrad_edu.ops.network.convolution.windows import Shape, Windows

BYTES_OF_PATCHES = 1 << 20
"""The bytes of patches that are unrolled at a time: they stay in the cache until the product has read them."""

BYTES_OF_SUMS = 1 << 18
"""The bytes of the kernel's gradients, image by image, that one call multiplies out: of many short calls each would hand the
interpreter from thread to thread."""


@contextmanager
def _columns(windows: Windows, x: Any, *shapes: Shape) -> Iterator[tuple[Any, ...]]:
    """The images of x, a block after another: which they are, and their columns, (images, groups, channels·kernel,
    positions), until the next. And arrays of further shapes."""
    one = (x.shape[1], *windows.kernel, *windows.positions)
    count = max(1, min(len(x), BYTES_OF_PATCHES // max(x.itemsize * math.prod(one), 1)))
    padded = (count, x.shape[1], *windows.padded) if windows.pads else (0,)
    unrolled = (0,) if windows.unit else (count, *one)
    shape = windows.groups, math.prod(one[: 1 + len(windows.kernel)]) // windows.groups, math.prod(windows.positions)
    with scratch(x.dtype, padded, unrolled, *shapes) as (whole, columns, *others):
        whole.fill(0)

        def walk() -> Iterator[tuple[slice, Any]]:
            for start in range(0, len(x), count):
                images = slice(start, min(start + count, len(x)))
                block, n = x[images], images.stop - start
                if windows.pads:
                    np.copyto(windows.inner(whole[:n]), block)
                    block = whole[:n]
                if not windows.unit:
                    np.copyto(columns[:n], windows.view(block))
                    block = columns[:n]
                yield images, block.reshape(n, *shape)

        yield walk(), *others


def forward(x: Any, w: Any, windows: Windows, out: Any) -> None:
    """out[n] = W @ columns(x[n]), where W is the kernel as a matrix, one for each group."""
    matrix = w.reshape(windows.groups, len(w) // windows.groups, -1)
    with _columns(windows, x) as (blocks,):
        for images, cols in blocks:
            np.matmul(matrix, cols, out=out[images].reshape(len(cols), *matrix.shape[:2], cols.shape[-1]))


def by_kernel(x: Any, g: Any, windows: Windows, out: Any) -> None:
    """out = Σₙ g[n] @ columns(x[n])ᵀ."""
    total = out.reshape(windows.groups, len(out) // windows.groups, -1)
    total[...] = 0
    at_once = max(1, min(len(x), BYTES_OF_SUMS // max(total.nbytes, 1)))
    with _columns(windows, x, (at_once, *total.shape)) as (blocks, parts):
        for images, cols in blocks:
            rows = g[images].reshape(len(cols), *total.shape[:2], cols.shape[-1])
            for i in range(0, len(cols), at_once):
                some = cols[i : i + at_once].mT
                products = np.matmul(rows[i : i + at_once], some, out=parts[: len(some)])
                total += products[0] if at_once == 1 else products.sum(axis=0)


def by_input(g: Any, w: Any, windows: Windows, out: Any) -> None:
    """Wᵀ @ g[n] are the columns of the input's gradient, and what they have in common is added up, place by place."""
    matrix = w.reshape(windows.groups, len(w) // windows.groups, -1).mT
    rows = g.reshape(len(g), windows.groups, matrix.shape[-1], -1)
    if windows.unit:
        np.matmul(matrix, rows, out=out.reshape(len(g), *matrix.shape[:2], -1))
        return
    shape = (out.shape[1], *windows.kernel, *windows.positions)
    count = max(1, min(len(g), BYTES_OF_PATCHES // max(out.itemsize * math.prod(shape), 1)))
    padded = count, out.shape[1], *windows.padded
    with scratch(out.dtype, padded, (count, *matrix.shape[:2], rows.shape[-1])) as (whole, columns):
        for start in range(0, len(g), count):
            some = rows[start : start + count]
            parts = np.matmul(matrix, some, out=columns[: len(some)]).reshape(len(some), *shape)
            total = whole[: len(some)]
            total[...] = 0
            for tap in itertools.product(*map(range, windows.kernel)):
                windows.places(total, tap)[...] += parts[:, :, *tap]
            np.copyto(out[start : start + count], windows.inner(total))

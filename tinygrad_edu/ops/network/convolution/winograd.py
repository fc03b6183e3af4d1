"""Convolution by Winograd's F(4×4, 3×3): 36 products in place of 144 for each 4×4 tile of a 3×3 convolution.

y = Aᵀ[(G w Gᵀ) ⊙ (Bᵀ x B)]A: tiles of input and kernel are mapped to 36 points, multiplied there, and mapped back. Summed
over channels and tiles the products at each point are a product of matrices. As a trilinear form it has all three
partials in the same 36 points: T(x, w, g) = Σ over points of (Bx)·(Gw)·(Ag), so the gradients of input and kernel
are the same three maps, and the adjoint of one of them.

Rounding is some ten times that of a direct sum: about 1e-6 of the largest value in float32.

Source: Lavin and Gray, *Fast algorithms for convolutional neural networks* (2016).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinygrad_edu.ops.network.convolution.scratch import scratch
from tinygrad_edu.ops.network.convolution.windows import Shape, Windows

TILE, POINTS = 4, 6  # places of a tile of the output, and of the input that it is computed from

OF_INPUT = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]  # Bᵀ
OF_KERNEL = [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]  # G
OF_OUTPUT = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]  # Aᵀ

BYTES_OF_POINTS = 3 << 18
"""The bytes of the points that are computed together: they stay in the cache."""


@functools.lru_cache(maxsize=16)
def _maps(dtype: Any) -> tuple[Any, Any, Any]:
    """The maps of both dimensions at once: (36, 36) of the input, (36, 9) of the kernel, (16, 36) of the output."""
    of_input, of_kernel, of_output = (
        np.kron(m, m).astype(dtype) for m in map(np.array, (OF_INPUT, OF_KERNEL, OF_OUTPUT))
    )
    return of_input, of_kernel, of_output


class _Tiles:
    """A block of images in tiles: channels last, and as 36 points, (36, tiles, channels).

    Where the kernel is dilated by d, every d-th place is an image of its own: of a row there are d, tiled one by one.
    """

    def __init__(self, windows: Windows, whole: Any, flat: Any, points: Any) -> None:
        """whole: the images laid out, with zeros around; flat, points: memory for their tiles and for their points."""
        self._positions, self._dilation = windows.positions, windows.dilation
        self._tiles, self._whole = _tiles(windows), whole
        (rows, columns), (down, across), (images, *_, channels) = self._tiles, windows.dilation, whole.shape
        self._grid = images, rows, down, columns, across, channels
        numbers = POINTS**2 * math.prod(self._grid)
        self._flat = flat[:numbers].reshape(POINTS**2, -1)
        self.points = points[:numbers].reshape(POINTS**2, -1, channels)

    def from_input(self, x: Any, before: tuple[int, int]) -> Any:
        """Bᵀ x B of each tile, overlapping by two places, with zeros around the image."""
        (top, left), (down, across) = before, self._dilation
        np.copyto(self._whole[:, top : top + x.shape[2], left : left + x.shape[3]], x.transpose(0, 2, 3, 1))
        n, row, column, channel = self._whole.strides
        within = row * down, column * across
        between = n, TILE * row * down, row, TILE * column * across, column, channel
        overlapping = as_strided(self._whole, (POINTS, POINTS, *self._grid), (*within, *between))
        np.copyto(self._flat.reshape(overlapping.shape), overlapping)
        np.matmul(_maps(x.dtype)[0], self._flat, out=self.points.reshape(POINTS**2, -1))
        return self.points

    def from_output(self, g: Any) -> Any:
        """A g Aᵀ of each tile, the adjoint of `to_output`."""
        p, q = self._positions
        np.copyto(self._whole[:, :p, :q], g.transpose(0, 2, 3, 1))
        tiles = self._flat[: TILE**2]
        np.copyto(tiles.reshape(TILE, TILE, *self._grid), self._tiled())
        np.matmul(_maps(g.dtype)[2].T, tiles, out=self.points.reshape(POINTS**2, -1))
        return self.points

    def to_output(self, y: Any) -> None:
        """Aᵀ m A of each tile's points m, written to the output (N, O, P, Q)."""
        p, q = self._positions
        tiles = np.matmul(_maps(y.dtype)[2], self.points.reshape(POINTS**2, -1), out=self._flat[: TILE**2])
        np.copyto(self._tiled(), tiles.reshape(TILE, TILE, *self._grid))
        np.copyto(y, self._whole[:, :p, :q].transpose(0, 3, 1, 2))

    def _tiled(self) -> Any:
        """The images as (place in the tile, by row and by column, images, tile, which of the dilated, …)."""
        (rows, columns), (down, across) = self._tiles, self._dilation
        parts = self._whole.reshape(len(self._whole), rows, TILE, down, columns, TILE, across, -1)
        return parts.transpose(2, 5, 0, 1, 3, 4, 6, 7)


def _tiles(windows: Windows) -> tuple[int, int]:
    """How many tiles of 4×4 the output has, by row and by column."""
    rows, columns = [-(-p // (TILE * d)) for p, d in zip(windows.positions, windows.dilation, strict=True)]
    return rows, columns


def images_at_once(windows: Windows, x: Any) -> int:
    """How many images are computed together: in as few blocks as fit the cache, and in as many for each of two threads."""
    tiles = math.prod(_tiles(windows)) * math.prod(windows.dilation)
    most = max(1, BYTES_OF_POINTS // max(POINTS**2 * tiles * x.shape[1] * x.itemsize, 1))
    if len(x) <= most:
        return max(1, len(x))
    of_two = 2 * -(-len(x) // (2 * most))
    return -(-len(x) // of_two)


@contextmanager
def _blocks(windows: Windows, x: Any, outputs: int, at_once: int, *shapes: Shape) -> Iterator[tuple[Any, ...]]:
    """The blocks of x one after another: which images, and the tiles of input and output that they are computed in. And
    arrays of further shapes."""
    count, channels = min(at_once, len(x)), (x.shape[1], outputs)
    rows, columns = [TILE * n * d for n, d in zip(_tiles(windows), windows.dilation, strict=True)]
    down, across = windows.dilation
    laid = (count, rows + 2 * down, columns + 2 * across, channels[0]), (count, rows, columns, channels[1])
    points = [(POINTS**2 * count * (rows // TILE) * (columns // TILE) * c,) for c in channels]
    with scratch(x.dtype, *laid, max(points), *points, *shapes) as (padded, whole, flat, inputs, sums, *others):
        padded.fill(0)
        whole.fill(0)

        def walk() -> Iterator[tuple[slice, _Tiles, _Tiles]]:
            for i in range(0, len(x), count):
                n = min(count, len(x) - i)
                yield slice(i, i + n), _Tiles(windows, padded[:n], flat, inputs), _Tiles(windows, whole[:n], flat, sums)

        yield walk(), *others


def _before(windows: Windows) -> tuple[int, int]:
    return windows.padding[0][0], windows.padding[1][0]


def forward(x: Any, w: Any, windows: Windows, out: Any, at_once: int) -> None:
    """At each point: (tiles, channels) @ (channels, outputs)."""
    size = w.shape[1], len(w)
    with _blocks(windows, x, len(w), at_once, (3, 3, *size), (POINTS**2, *size)) as (blocks, places, kernel):
        np.copyto(places, w.transpose(2, 3, 1, 0))
        np.matmul(_maps(w.dtype)[1], places.reshape(9, -1), out=kernel.reshape(POINTS**2, -1))
        for images, inputs, outputs in blocks:
            np.matmul(inputs.from_input(x[images], _before(windows)), kernel, out=outputs.points)
            outputs.to_output(out[images])


def by_kernel(x: Any, g: Any, windows: Windows, out: Any, at_once: int) -> None:
    """At each point: (outputs, tiles) @ (tiles, channels), summed over the blocks, and mapped back once."""
    size = g.shape[1], x.shape[1]
    with _blocks(windows, x, g.shape[1], at_once, *[(POINTS**2, *size)] * 2, (3, 3, *size)) as (
        blocks,
        total,
        part,
        places,
    ):
        total.fill(0)
        for images, inputs, outputs in blocks:
            slopes = outputs.from_output(g[images])
            total += np.matmul(slopes.mT, inputs.from_input(x[images], _before(windows)), out=part)
        np.matmul(_maps(x.dtype)[1].T, total.reshape(POINTS**2, -1), out=places.reshape(9, -1))
        np.copyto(out, places.transpose(2, 3, 0, 1))

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
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinygrad_edu.ops.network.convolution.windows import Windows

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

    def __init__(self, images: int, channels: int, windows: Windows, dtype: Any) -> None:
        self._positions, self._dilation = windows.positions, windows.dilation
        self._tiles = _tiles(windows)
        (rows, columns), (down, across) = self._tiles, windows.dilation
        self._grid = (images, rows, down, columns, across, channels)
        size = TILE * rows * down, TILE * columns * across
        self._padded = np.zeros((images, size[0] + 2 * down, size[1] + 2 * across, channels), dtype)
        self._whole = np.zeros((images, *size, channels), dtype)
        self._flat = np.empty((POINTS**2, math.prod(self._grid)), dtype)
        self.points = np.empty((POINTS**2, math.prod(self._grid[:-1]), channels), dtype)

    def from_input(self, x: Any, before: tuple[int, int]) -> Any:
        """Bᵀ x B of each tile, overlapping by two places, with zeros around the image."""
        (top, left), (down, across) = before, self._dilation
        np.copyto(self._padded[:, top : top + x.shape[2], left : left + x.shape[3]], x.transpose(0, 2, 3, 1))
        n, row, column, channel = self._padded.strides
        within = row * down, column * across
        between = n, TILE * row * down, row, TILE * column * across, column, channel
        overlapping = as_strided(self._padded, (POINTS, POINTS, *self._grid), (*within, *between))
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
    """How many images are computed together."""
    tiles = math.prod(_tiles(windows)) * math.prod(windows.dilation)
    return max(1, min(len(x), BYTES_OF_POINTS // max(POINTS**2 * tiles * x.shape[1] * x.itemsize, 1)))


def _blocks(windows: Windows, x: Any, channels: tuple[int, int]) -> Iterator[tuple[slice, _Tiles, _Tiles]]:
    """Which images are computed together, and the tiles of input and output that they are computed in."""
    count = images_at_once(windows, x)
    tiles = [_Tiles(count, c, windows, x.dtype) for c in channels]
    for i in range(0, len(x), count):
        if len(x) - i < count:  # the last block
            tiles = [_Tiles(len(x) - i, c, windows, x.dtype) for c in channels]
        yield slice(i, i + count), tiles[0], tiles[1]


def _before(windows: Windows) -> tuple[int, int]:
    return windows.padding[0][0], windows.padding[1][0]


def forward(x: Any, w: Any, windows: Windows, out: Any) -> None:
    """At each point: (tiles, channels) @ (channels, outputs)."""
    kernel = (_maps(w.dtype)[1] @ w.transpose(2, 3, 1, 0).reshape(9, -1)).reshape(POINTS**2, w.shape[1], len(w))
    for images, inputs, outputs in _blocks(windows, x, (x.shape[1], len(w))):
        np.matmul(inputs.from_input(x[images], _before(windows)), kernel, out=outputs.points)
        outputs.to_output(out[images])


def by_kernel(x: Any, g: Any, windows: Windows, out: Any) -> None:
    """At each point: (outputs, tiles) @ (tiles, channels), summed over the blocks, and mapped back once."""
    total = np.zeros((POINTS**2, g.shape[1], x.shape[1]), x.dtype)
    part = np.empty_like(total)
    for images, inputs, outputs in _blocks(windows, x, (x.shape[1], g.shape[1])):
        slopes = outputs.from_output(g[images])
        total += np.matmul(slopes.mT, inputs.from_input(x[images], _before(windows)), out=part)
    mapped = np.matmul(_maps(x.dtype)[1].T, total.reshape(POINTS**2, -1)).reshape(3, 3, g.shape[1], x.shape[1])
    np.copyto(out, mapped.transpose(2, 3, 0, 1))

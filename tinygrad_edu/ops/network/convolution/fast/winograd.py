"""Winograd's F(4×4, 3×3), its maps and its products both on vectors of channels; see the page of the same name above."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from tinygrad_edu.ops.network.convolution.fast import kernels
from tinygrad_edu.ops.network.convolution.fast.layout import SPARE, filled, flat, grid
from tinygrad_edu.ops.network.convolution.scratch import scratch
from tinygrad_edu.ops.network.convolution.windows import Shape, Windows
from tinygrad_edu.ops.network.convolution.winograd import OF_KERNEL, POINTS, TILE

TILES = 64
"""How many tiles are computed together, about: their points stay in the cache."""


class TileSizes(NamedTuple):
    """The numbers that the kernels read.

    at_once: images that are laid out together; tiles: of an image; some: tiles that are computed together, for which there
    is room at the 36 points. Of an image laid out, and then of its output: its numbers, and from a place to the next row and
    column of a tile.
    """

    channels: int
    outputs: int
    size: int
    positions: int
    pitch: int
    columns: int
    at_once: int
    tiles: int
    some: int
    room: int
    image: int
    down: int
    across: int
    whole: int
    lower: int
    further: int


class TilesWhere(NamedTuple):
    """Where places of the input and results lie; where tiles begin, in the input and in the output; and the first tiles and
    channels at a point."""

    places: Any
    results: Any
    corners: Any
    ends: Any
    rows: Any
    first: Any


class _Tiles:
    """How images, their tiles and the points of tiles lie, for windows over so many images and channels."""

    def __init__(self, windows: Windows, images: int, channels: int, outputs: int, dtype: Any) -> None:
        pitch, columns = filled(channels, dtype), filled(outputs, dtype)
        down, across = windows.dilation
        counts = [-(-p // (TILE * d)) for p, d in zip(windows.positions, windows.dilation, strict=True)]
        height, width = [TILE * n * d for n, d in zip(counts, windows.dilation, strict=True)]
        wide = width + 2 * across
        tiles = math.prod(counts) * down * across
        at_once = max(1, min(images, TILES // tiles))
        some = min(at_once * tiles, TILES)
        image, whole = (height + 2 * down) * wide * pitch, height * width * columns
        self.sizes = TileSizes(
            channels, outputs, math.prod(windows.size), math.prod(windows.positions), pitch, columns,
            at_once, tiles, some, some + SPARE,
            image, down * wide * pitch, across * pitch, whole, down * width * columns, across * columns,
        )  # fmt: skip
        rows, cols = [np.arange(n) + before for n, (before, _) in zip(windows.size, windows.padding, strict=True)]
        tops, lefts = [
            np.add.outer(np.arange(n) * TILE * d, np.arange(d)).ravel()
            for n, d in zip(counts, windows.dilation, strict=True)
        ]
        each = np.arange(at_once)
        self.where = TilesWhere(
            places=grid(rows * wide * pitch, cols * pitch),
            results=grid(np.arange(windows.positions[0]) * width * columns, np.arange(windows.positions[1]) * columns),
            corners=grid(each * image, tops * wide * pitch, lefts * pitch),
            ends=grid(each * whole, tops * width * columns, lefts * columns),
            rows=np.arange(some + SPARE, dtype=np.int64) * pitch,
            first=np.arange(channels + SPARE, dtype=np.int64),
        )
        self._dtype = dtype

    @contextmanager
    def memory(self, *shapes: Shape) -> Iterator[list[Any]]:
        """Zeros for images and outputs laid out, memory for both at their points, and arrays of further shapes."""
        sizes, points = self.sizes, POINTS * POINTS * self.sizes.room
        laid = (sizes.at_once * sizes.image,), (sizes.at_once * sizes.whole,)
        with scratch(self._dtype, *laid, (points * sizes.pitch + SPARE,), (points * sizes.columns,), *shapes) as arrays:
            for one in arrays[:2]:
                one.fill(0)
            yield arrays


@functools.lru_cache(maxsize=64)
def _tiles(windows: Windows, images: int, channels: int, outputs: int, dtype: Any) -> _Tiles:
    return _Tiles(windows, images, channels, outputs, dtype)


@functools.lru_cache(maxsize=8)
def _of_kernel(dtype: Any) -> Any:
    matrix = np.array(OF_KERNEL)
    return np.kron(matrix, matrix).astype(dtype)


def forward(x: Any, w: Any, windows: Windows, out: Any) -> None:
    """At each point (tiles, channels) @ (channels, outputs)."""
    tiles = _tiles(windows, len(x), x.shape[1], len(w), x.dtype)
    size = x.shape[1] * tiles.sizes.columns
    with tiles.memory((9, size), (POINTS * POINTS, size)) as (*memory, places, points):
        places.fill(0)
        places.reshape(3, 3, x.shape[1], -1)[..., : len(w)] = w.transpose(2, 3, 1, 0)
        np.matmul(_of_kernel(x.dtype), places, out=points)
        kernels.winograd(flat(x), points.reshape(-1), out.reshape(-1), len(x), tiles.sizes, tiles.where, *memory)


def by_kernel(x: Any, g: Any, windows: Windows, out: Any) -> None:
    """At each point (channels, tiles) @ (tiles, outputs), summed over all images, and mapped back once."""
    channels, outputs = x.shape[1], g.shape[1]
    tiles = _tiles(windows, len(x), channels, outputs, x.dtype)
    points, size = POINTS * POINTS, (channels, outputs)
    with tiles.memory((points, channels + SPARE, tiles.sizes.columns), (points, *size), (3, 3, *size)) as arrays:
        *memory, total, sums, places = arrays
        total.fill(0)
        kernels.winograd_by_kernel(flat(x), flat(g), total.reshape(-1), len(x), tiles.sizes, tiles.where, *memory)
        np.copyto(sums, total[:, :channels, :outputs])
        np.matmul(_of_kernel(x.dtype).T, sums.reshape(points, -1), out=places.reshape(9, -1))
        np.copyto(out, places.transpose(3, 2, 0, 1))

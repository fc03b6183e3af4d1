"""The sums of a convolution as numba compiles them, on images whose channels are neighbours.

An image is laid out place by place, all channels of a place in a row, with its padding (`_lay`); then every sum reads and
writes whole vectors of channels; and what comes out is put back channel by channel (`_back`). All of it happens for an
image, or a few, at a time, in memory that stays in the cache.

Arrays are flat. What a function takes beside them is made by `layout` and by the page of each sum, where the names are
explained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from tinygrad_edu.ops.network.convolution.fast.layout import SPARE
from tinygrad_edu.ops.network.convolution.fast.vectors import BYTES, SHAPES, mapped, product, to_first, to_last
from tinygrad_edu.ops.network.convolution.winograd import OF_INPUT, OF_OUTPUT, POINTS

VECTORS = "43b9d8bb59b7"
"""A digest of the page `vectors`. Numba takes what it finds on disk as long as this page here is as it was; so whoever
changes that page writes its new digest here, as a test demands."""

Function = Callable[..., Any]
_options = {"nogil": True, "boundscheck": False, "error_model": "numpy"}


def compiled(function: Function) -> Function:
    """`function` as numba compiles it, kept on disk if there is a folder that can be written."""
    try:
        return njit(cache=True, **_options)(function)
    except RuntimeError:  # there is none
        return njit(**_options)(function)


def inner(function: Function) -> Function:
    """`function` as a part of those that are compiled."""
    return njit(**_options)(function)


WIDEST = max(SHAPES)
_WIDE, _TWO, _ONE = SHAPES[WIDEST], SHAPES[2], SHAPES[1]
_wide, _two, _one = product(_WIDE, WIDEST), product(_TWO, 2), product(_ONE, 1)
_each = product(_ONE, 1, whole=True)
_points_of_input = mapped(OF_INPUT)
_output_of_points = mapped(OF_OUTPUT)
_points_of_output = mapped([list(column) for column in zip(*OF_OUTPUT, strict=True)])


@inner
def _lay(x: Any, i: int, channels: int, size: int, places: Any, y: Any, j: int) -> None:
    """`channels` planes of `size` places, from x[i] on, place by place into y."""
    lanes = BYTES // x.itemsize
    if channels * 2 < lanes or size < lanes:
        for c in range(channels):
            for p in range(size):
                y[j + places[p] + c] = x[i + c * size + p]
        return
    for c in range(0, channels, lanes):
        for p in range(0, size, lanes):
            q = min(p, size - lanes)
            to_last(x, i + c * size + q, channels - c, size, y, j + c, places, q)


@inner
def _back(y: Any, j: int, places: Any, x: Any, i: int, channels: int, size: int) -> None:
    """Copy the places back into planes: it undoes `_lay`."""
    lanes = BYTES // x.itemsize
    if size < lanes:
        for c in range(channels):
            for p in range(size):
                x[i + c * size + p] = y[j + places[p] + c]
        return
    for c in range(0, channels, lanes):
        for p in range(0, size, lanes):
            q = min(p, size - lanes)
            to_first(y, j + c, places, q, x, i + c * size + q, channels - c, size)


@inner
def _multiply(
    a: Any, i: int, starts: Any, rows: int, steps: Any, n: int, b: Any, j: int, c: Any, k: int, columns: int, add: bool
) -> None:
    """c[k] (rows, columns) = or += Σ over n steps of a[i + starts[row] + step]·b[j] (n, columns).

    Columns are a multiple of a vector. Rows are computed several at a time: c has room for some more than asked for.
    """
    lanes = BYTES // c.itemsize
    done = 0
    while done < columns:
        left = columns - done
        if left >= WIDEST * lanes:
            for r in range(0, rows, _WIDE):
                _wide(a, i, starts, r, steps, 0, n, b, j + done, columns, c, k + r * columns + done, columns, add)
            done += WIDEST * lanes
        elif left >= 2 * lanes:
            for r in range(0, rows, _TWO):
                _two(a, i, starts, r, steps, 0, n, b, j + done, columns, c, k + r * columns + done, columns, add)
            done += 2 * lanes
        else:
            for r in range(0, rows, _ONE):
                _one(a, i, starts, r, steps, 0, n, b, j + done, columns, c, k + r * columns + done, columns, add)
            done += lanes


# ---------------------------------------------------------------------------------------------------
# Direct


@compiled
def direct(x: Any, w: Any, y: Any, images: int, sizes: Any, where: Any, image: Any, sums: Any) -> None:
    """y = x ⋆ w: each window a row of products with all kernels at once."""
    whole, result = sizes.channels * sizes.size, sizes.outputs * sizes.positions
    for m in range(images * sizes.groups):
        group = m % sizes.groups
        _lay(x, m * whole, sizes.channels, sizes.size, where.places, image, 0)
        _multiply(
            image, 0, where.starts, sizes.positions, where.steps, sizes.n, w, group * sizes.n * sizes.columns,
            sums, 0, sizes.columns, False,
        )  # fmt: skip
        _back(sums, 0, where.results, y, m * result, sizes.outputs, sizes.positions)


@compiled
def direct_by_kernel(x: Any, g: Any, total: Any, images: int, sizes: Any, where: Any, image: Any, slopes: Any) -> None:
    """total += Σ over windows: each place of the kernel a row of products with all slopes at once."""
    whole, result, pitch = sizes.channels * sizes.size, sizes.outputs * sizes.positions, total.size // sizes.groups
    for m in range(images * sizes.groups):
        group = m % sizes.groups
        _lay(x, m * whole, sizes.channels, sizes.size, where.places, image, 0)
        _lay(g, m * result, sizes.outputs, sizes.positions, where.results, slopes, 0)
        _multiply(
            image, 0, where.steps, sizes.n, where.starts, sizes.positions, slopes, 0,
            total, group * pitch, sizes.columns, True,
        )  # fmt: skip


# ---------------------------------------------------------------------------------------------------
# Depthwise


@compiled
def depthwise(x: Any, w: Any, y: Any, images: int, sizes: Any, where: Any, image: Any, sums: Any) -> None:
    """y = x ⋆ w, a vector of channels at a time, each with a kernel of its own; sizes.groups is how many they are."""
    lanes, n = sizes.columns, sizes.n
    for m in range(images):
        for c in range(0, sizes.groups, lanes):
            some, channel = min(lanes, sizes.groups - c), m * sizes.groups + c
            _lay(x, channel * sizes.size, some, sizes.size, where.places, image, 0)
            for p in range(0, sizes.positions, _ONE):
                _each(image, 0, where.starts, p, where.steps, 0, n, w, c * n, lanes, sums, p * lanes, lanes, False)
            _back(sums, 0, where.results, y, channel * sizes.positions, some, sizes.positions)


@compiled
def depthwise_by_kernel(
    x: Any, g: Any, total: Any, images: int, sizes: Any, where: Any, image: Any, slopes: Any
) -> None:
    """total += Σ over windows, a vector of channels at a time."""
    lanes, p = sizes.columns, sizes.positions
    for m in range(images):
        for c in range(0, sizes.groups, lanes):
            some, channel = min(lanes, sizes.groups - c), m * sizes.groups + c
            _lay(x, channel * sizes.size, some, sizes.size, where.places, image, 0)
            _lay(g, channel * p, some, p, where.results, slopes, 0)
            for k in range(0, sizes.n, _ONE):
                at = c * (sizes.n + SPARE) + k * lanes
                _each(image, 0, where.steps, k, where.starts, 0, p, slopes, 0, lanes, total, at, lanes, True)


# ---------------------------------------------------------------------------------------------------
# Winograd


@inner
def _input_points(image: Any, where: Any, sizes: Any, begin: int, tiles: int, points: Any) -> None:
    """Bᵀ X B of some tiles: points (36, room, pitch)."""
    lanes = BYTES // image.itemsize
    column = sizes.room * sizes.pitch
    for t in range(tiles):
        for c in range(0, sizes.pitch, lanes):
            at, to = where.corners[begin + t] + c, t * sizes.pitch + c
            _points_of_input(image, at, sizes.down, sizes.across, points, to, POINTS * column, column)


@compiled
def winograd(
    x: Any, w: Any, y: Any, images: int, sizes: Any, where: Any, image: Any, whole: Any, inputs: Any, sums: Any
) -> None:
    """At each point (tiles, channels) @ (channels, outputs); w is (36, channels, columns)."""
    lanes, columns, room = BYTES // x.itemsize, sizes.columns, sizes.room
    for m in range(0, images, sizes.at_once):
        some = min(sizes.at_once, images - m)
        for k in range(some):
            source = (m + k) * sizes.channels * sizes.size
            _lay(x, source, sizes.channels, sizes.size, where.places, image, k * sizes.image)
        for begin in range(0, some * sizes.tiles, sizes.some):
            tiles = min(sizes.some, some * sizes.tiles - begin)
            _input_points(image, where, sizes, begin, tiles, inputs)
            for p in range(POINTS * POINTS):
                _multiply(
                    inputs, p * room * sizes.pitch, where.rows, tiles, where.first, sizes.channels,
                    w, p * sizes.channels * columns, sums, p * room * columns, columns, False,
                )  # fmt: skip
            for t in range(tiles):
                for c in range(0, columns, lanes):
                    at, end = t * columns + c, where.ends[begin + t] + c
                    _output_of_points(
                        sums, at, POINTS * room * columns, room * columns, whole, end, sizes.lower, sizes.further
                    )
        for k in range(some):
            target = (m + k) * sizes.outputs * sizes.positions
            _back(whole, k * sizes.whole, where.results, y, target, sizes.outputs, sizes.positions)


@compiled
def winograd_by_kernel(
    x: Any, g: Any, total: Any, images: int, sizes: Any, where: Any, image: Any, whole: Any, inputs: Any, slopes: Any
) -> None:
    """At each point (channels, tiles) @ (tiles, outputs), added to total, (36, channels and spare, columns)."""
    lanes, columns, room = BYTES // x.itemsize, sizes.columns, sizes.room
    for m in range(0, images, sizes.at_once):
        some = min(sizes.at_once, images - m)
        for k in range(some):
            source, target = (m + k) * sizes.channels * sizes.size, (m + k) * sizes.outputs * sizes.positions
            _lay(x, source, sizes.channels, sizes.size, where.places, image, k * sizes.image)
            _lay(g, target, sizes.outputs, sizes.positions, where.results, whole, k * sizes.whole)
        for begin in range(0, some * sizes.tiles, sizes.some):
            tiles = min(sizes.some, some * sizes.tiles - begin)
            _input_points(image, where, sizes, begin, tiles, inputs)
            for t in range(tiles):
                for c in range(0, columns, lanes):
                    at, end = t * columns + c, where.ends[begin + t] + c
                    _points_of_output(
                        whole, end, sizes.lower, sizes.further, slopes, at, POINTS * room * columns, room * columns
                    )
            for p in range(POINTS * POINTS):
                _multiply(
                    inputs, p * room * sizes.pitch, where.first, sizes.channels, where.rows, tiles,
                    slopes, p * room * columns, total, p * (sizes.channels + SPARE) * columns, columns, True,
                )  # fmt: skip

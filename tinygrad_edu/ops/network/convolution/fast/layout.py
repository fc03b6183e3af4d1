"""How images lie while a convolution is computed by numba: place by place, the channels of a place beside each other.

What `kernels` reads beside the arrays is made here, once for each shape:

    pitch, columns  from a place of the input to the next, and of the output: its channels, filled up to whole vectors
    places, results where each place of the input lies in its image with padding, and each of the output in its own
    starts          where each window begins, and the last some more times, since rows are computed several at a time
    steps           from there to each place and channel of the window
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from tinygrad_edu.ops.network.convolution.fast.vectors import BYTES, SHAPES
from tinygrad_edu.ops.network.convolution.scratch import scratch
from tinygrad_edu.ops.network.convolution.windows import Shape, Windows

SPARE = max(SHAPES.values())
"""How many rows more than there are may be computed, so that they are computed several at a time."""


def filled(channels: int, dtype: Any) -> int:
    """Round a number of channels up to whole vectors of this type."""
    lanes = BYTES // dtype.itemsize
    return -(-channels // lanes) * lanes


def grid(*axes: Any) -> Any:
    """Return every sum of a number from each axis, in one row; the number of the last axis changes fastest."""
    return functools.reduce(np.add.outer, axes).ravel().astype(np.int64)


def and_spare(offsets: Any) -> Any:
    """Return the offsets, followed by `SPARE` repetitions of the last."""
    return np.concatenate([offsets, np.repeat(offsets[-1:], SPARE)])


def flat(x: Any) -> Any:
    """All numbers of an array, one after another."""
    return np.ascontiguousarray(x).reshape(-1)


class Sizes(NamedTuple):
    """The numbers of a convolution, of one of its groups where there are several.

    size and positions: the places of the input and of the output, n: the places of a window, times its channels.
    """

    groups: int
    channels: int
    outputs: int
    size: int
    positions: int
    n: int
    columns: int


class Where(NamedTuple):
    """Where places, results, windows and what they hold lie; see above."""

    places: Any
    results: Any
    starts: Any
    steps: Any


class Layout:
    """Windows over images with `pitch` numbers a place, whose results have `columns` numbers a position.

    channels and outputs are those that are computed together: of one group.
    """

    def __init__(self, windows: Windows, channels: int, outputs: int, pitch: int, columns: int, dtype: Any) -> None:
        below = [pitch]  # from a place to the next, by dimension, the last first
        for n in reversed(windows.padded[1:]):
            below.append(below[-1] * n)
        scaled: Any = lambda places: [np.asarray(p) * step for p, step in zip(places, reversed(below), strict=True)]
        befores = [before for before, _ in windows.padding]
        size, positions = math.prod(windows.size), math.prod(windows.positions)
        taps = [np.arange(n) * d for n, d in zip(windows.kernel, windows.dilation, strict=True)]
        self.sizes = Sizes(
            windows.groups, channels, outputs, size, positions, math.prod(windows.kernel) * channels, columns
        )
        self.where = Where(
            places=grid(*scaled([np.arange(n) + before for n, before in zip(windows.size, befores, strict=True)])),
            results=np.arange(positions, dtype=np.int64) * columns,
            starts=and_spare(
                grid(*scaled([np.arange(n) * s for n, s in zip(windows.positions, windows.stride, strict=True)]))
            ),
            steps=and_spare(grid(*scaled(taps), np.arange(channels))),
        )
        self._dtype, self._padded = dtype, math.prod(windows.padded) * pitch

    @contextmanager
    def memory(self, *shapes: Shape) -> Iterator[list[Any]]:
        """Zeros: of further shapes, for an image with its padding, and for its results."""
        room = (self.sizes.positions + SPARE) * self.sizes.columns
        with scratch(self._dtype, *shapes, (self._padded,), (room,)) as arrays:
            for one in arrays:
                one.fill(0)
            yield arrays

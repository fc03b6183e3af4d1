"""Transforms that hide a part of each picture: random erasing and cutout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.transforms.transform import Drawing, Transform, drawn, pictures, probability, whole

MOST_TRIES = 10
"""How often a rectangle is drawn that may not fit into the picture."""


class RandomErasing(Transform):
    """Fills a rectangle of each picture with a value, with probability p; its size and place are random in each.

    p: the probability, from 0 to 1.
    scale: the smallest and the largest area, as shares of the picture's.
    ratio: the smallest and the largest quotient of height and width, evenly spread in its logarithm.
    value: what the rectangle is filled with.

    Where ten rectangles that were drawn do not fit into the picture, none is erased.

    Raises ValueError for a p outside [0, 1], and for a scale or ratio that is no pair of growing numbers above 0.

    Source: Zhong, Zheng, Kang, Li and Yang, *Random erasing data augmentation* (2017).

    >>> erased = RandomErasing(p=1.0, scale=(0.25, 0.25), ratio=(1.0, 1.0))(np.ones((1, 4, 4)))
    >>> int(erased.sum())
    12
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        value: float = 0.0,
    ) -> None:
        for name, pair in (("scale", scale), ("ratio", ratio)):
            if len(pair) != 2 or not 0 < pair[0] <= pair[1] or (name == "scale" and pair[1] > 1):
                raise ValueError(f"RandomErasing takes {name} as two growing numbers above 0, but got {pair}")
        self.p, self.scale, self.ratio, self.value = probability(p, "RandomErasing's p"), scale, ratio, value

    def apply(self, x: NDArray[Any], generator: Drawing) -> NDArray[Any]:
        """(N, C, H, W) with at most one rectangle filled in each picture; x stays as it is."""
        height, width = pictures(x, "RandomErasing").shape[2:]
        u = drawn(generator, len(x), lambda rng, n: rng.random((n, 3 + 2 * MOST_TRIES)))
        area = (self.scale[0] + (self.scale[1] - self.scale[0]) * u[:, 3 : 3 + MOST_TRIES]) * height * width
        low, high = (math.log(bound) for bound in self.ratio)
        ratio = np.exp(low + (high - low) * u[:, 3 + MOST_TRIES :])
        h, w = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
        fits = (h <= height) & (w <= width)
        first = np.argmax(fits, axis=1)[:, None]
        h, w = (np.take_along_axis(side, first, 1)[:, 0] for side in (h, w))
        erased = (u[:, 0] < self.p) & fits.any(1)
        top, left = whole(u[:, 1], height - h + 1), whole(u[:, 2], width - w + 1)
        hidden = _rectangle(top, h, height)[:, :, None] & _rectangle(left, w, width)[:, None, :]
        return _hide(x, hidden & erased[:, None, None], self.value)


class Cutout(Transform):
    """Fills a square of each picture with a value. Its centre is anywhere in the picture, so parts of it may be
    outside.

    size: the side in pixels, at least 1.
    value: what the square is filled with.

    Raises ValueError for a size below 1.

    Source: DeVries and Taylor, *Improved regularization of convolutional neural networks with cutout* (2017).

    >>> hidden = int(16 - Cutout(2)(np.ones((1, 4, 4))).sum())
    >>> hidden in (1, 2, 4)
    True
    """

    def __init__(self, size: int, value: float = 0.0) -> None:
        if size < 1:
            raise ValueError(f"Cutout takes the side of the square in pixels, from 1 up, but got {size}")
        self.size, self.value = size, value

    def apply(self, x: NDArray[Any], generator: Drawing) -> NDArray[Any]:
        """(N, C, H, W) with a square around a random centre filled in each picture, cut off at its borders."""
        shape = pictures(x, "Cutout").shape[2:]
        centre = whole(drawn(generator, len(x), lambda rng, n: rng.random((n, 2))), shape)
        top, left = (centre - self.size // 2).T
        rows, columns = _rectangle(top, self.size, shape[0]), _rectangle(left, self.size, shape[1])
        return _hide(x, rows[:, :, None] & columns[:, None, :], self.value)


def _rectangle(first: NDArray[Any], length: Any, whole: int) -> NDArray[np.bool_]:
    """Which of `whole` places lie in the `length` places from `first` on: (N, whole)."""
    places = np.arange(whole)
    start, stop = first[:, None], (first + length)[:, None]
    return (start <= places) & (places < stop)


def _hide(x: NDArray[Any], hidden: NDArray[np.bool_], value: float) -> NDArray[Any]:
    """Put `value` where `hidden`, (N, H, W), is true."""
    return np.where(hidden[:, None] if x.ndim == 4 else hidden, x.dtype.type(value), x)

"""Transforms that move pixels: rotations, shifts, flips and crops."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.transforms.transform import Drawing, Transform, drawn, pictures, probability, whole

Interpolation = Literal["nearest", "bilinear"]


def rotate(
    x: NDArray[Any], degrees: ArrayLike, interpolation: Interpolation = "nearest", fill: float = 0.0
) -> NDArray[Any]:
    """Turn pictures about their centre, counter-clockwise.

    The pixel at (dy, dx) from the centre is taken from (cos θ·dy + sin θ·dx, cos θ·dx − sin θ·dy). Turning square
    pictures by a multiple of 90°, and any pictures by 180°, is exact: it only moves pixels.

    x: (N, C, H, W) or (N, H, W).
    degrees: θ, a number, or one for each picture.
    interpolation: "nearest" takes the pixel that is nearest to that place, "bilinear" weighs the four around it.
    fill: the value outside the picture.

    Raises ValueError for another interpolation, and for angles that are not finite.

    >>> rotate(np.array([[[1.0, 2.0], [3.0, 4.0]]]), 90).tolist()
    [[[2.0, 4.0], [1.0, 3.0]]]
    """
    if interpolation not in ("nearest", "bilinear"):
        raise ValueError(f"interpolation is 'nearest' or 'bilinear', but got {interpolation!r}")
    shape = x.shape
    x = pictures(x, "rotate()")
    angle = np.broadcast_to(np.asarray(degrees, np.float64), len(x))
    if not np.isfinite(angle).all():
        raise ValueError(f"rotate() takes angles in degrees, but one is {angle[~np.isfinite(angle)][0]}")
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    right = angle % 90 == 0  # where rounding must not move a pixel
    cos, sin = np.where(right, np.rint(cos), cos)[:, None, None], np.where(right, np.rint(sin), sin)[:, None, None]
    height, width = x.shape[2:]
    dy, dx = np.arange(height)[:, None] - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    rows = cos * dy + sin * dx + (height - 1) / 2
    columns = cos * dx - sin * dy + (width - 1) / 2
    return _sample(x, rows, columns, interpolation, fill).reshape(shape)


def _sample(
    x: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any], interpolation: Interpolation, fill: float
) -> NDArray[Any]:
    """The pictures at places between pixels. x: (N, C, H, W); rows, columns: (N, h, w)."""
    n, channels, height, width = x.shape
    framed = np.pad(x, ((0, 0), (0, 0), (1, 2), (1, 2)), constant_values=fill)  # outside is a frame of `fill`
    rows, columns = np.clip(rows + 1, 0, height + 1), np.clip(columns + 1, 0, width + 1)
    across, down = 1, width + 3  # from a pixel to its neighbours, in the memory of all pictures
    first = (np.arange(n * channels) * (height + 3) * down).reshape(n, channels, 1, 1)
    pixels = framed.reshape(-1)
    if interpolation == "nearest":
        return pixels.take(first + (np.rint(rows) * down + np.rint(columns)).astype(np.intp)[:, None])
    top, left = np.floor(rows), np.floor(columns)
    places = first + (top * down + left).astype(np.intp)[:, None]
    kind = x.dtype if x.dtype in (np.float32, np.float64) else np.float32
    lower, right = (rows - top).astype(kind)[:, None], (columns - left).astype(kind)[:, None]

    def between(a: Any, b: Any, weight: Any) -> Any:
        return a * (1 - weight) + b * weight

    above = between(pixels.take(places), pixels[across:].take(places), right)
    below = between(pixels[down:].take(places), pixels[down + across :].take(places), right)
    y = between(above, below, lower)
    return (y if x.dtype.kind == "f" else np.rint(y)).astype(x.dtype, copy=False)


def _window(x: NDArray[Any], top: NDArray[Any], left: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """A part of each picture, from a place of its own on. x: (N, C, H, W); top, left: (N,); the result: (N, C, height,
    width).
    """
    windows = np.lib.stride_tricks.sliding_window_view(x, (height, width), axis=(2, 3))  # (N, C, tops, lefts, h, w)
    return windows[np.arange(len(x)), :, top, left]


def shift(x: NDArray[Any], down: ArrayLike, right: ArrayLike, fill: float = 0.0) -> NDArray[Any]:
    """Move pictures by whole pixels: y[i, j] = x[i − down, j − right].

    x: (N, C, H, W) or (N, H, W).
    down, right: whole numbers, negative for up and left; or one for each picture.
    fill: the value of what comes in from outside.

    Raises TypeError for numbers that are not whole.

    >>> shift(np.array([[[1, 2], [3, 4]]]), 0, 1).tolist()
    [[[0, 1], [0, 3]]]
    """
    shape = x.shape
    x = pictures(x, "shift()")
    height, width = x.shape[2:]
    by = [np.clip(_whole(pixels, len(x), "shift()"), -side, side) for side, pixels in ((height, down), (width, right))]
    around = max(int(np.abs(pixels).max(initial=0)) for pixels in by)
    framed = np.pad(x, ((0, 0), (0, 0), (around, around), (around, around)), constant_values=fill)
    return _window(framed, around - by[0], around - by[1], height, width).reshape(shape)


def crop(x: NDArray[Any], top: ArrayLike, left: ArrayLike, height: int, width: int) -> NDArray[Any]:
    """Cut a part out of each picture.

    x: (N, C, H, W) or (N, H, W).
    top, left: the first row and column of the part, whole numbers from 0; or one for each picture.
    height, width: the numbers of its rows and columns.

    Raises ValueError for a part that is not all inside.

    >>> crop(np.arange(9).reshape(1, 3, 3), 1, 0, 2, 2).tolist()
    [[[3, 4], [6, 7]]]
    """
    each = pictures(x, "crop()")
    tops, lefts = (_whole(first, len(each), "crop()") for first in (top, left))
    if len(each) and not (
        tops.min() >= 0
        and tops.max() + height <= each.shape[2]
        and lefts.min() >= 0
        and lefts.max() + width <= each.shape[3]
    ):
        raise ValueError(
            f"crop() of {height}×{width} pixels from ({tops.max()}, {lefts.max()}) leaves the picture of "
            f"{each.shape[2]}×{each.shape[3]}"
        )
    part = _window(each, tops, lefts, height, width)
    return part if x.ndim == 4 else part[:, 0]


def _whole(pixels: ArrayLike, n: int, who: str) -> NDArray[Any]:
    """A whole number for each of n pictures. Raises TypeError for others."""
    array = np.asarray(pixels)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{who} moves by whole pixels, but got {pixels!r:.60}")
    return np.broadcast_to(array, n)


def hflip(x: NDArray[Any]) -> NDArray[Any]:
    """Mirror pictures, left for right: y[i, j] = x[i, W − 1 − j].

    x: (N, C, H, W) or (N, H, W).

    >>> hflip(np.array([[[1, 2], [3, 4]]])).tolist()
    [[[2, 1], [4, 3]]]
    """
    pictures(x, "hflip()")
    return x[..., ::-1].copy()


def vflip(x: NDArray[Any]) -> NDArray[Any]:
    """Mirror pictures, top for bottom: y[i, j] = x[H − 1 − i, j].

    x: (N, C, H, W) or (N, H, W).

    >>> vflip(np.array([[[1, 2], [3, 4]]])).tolist()
    [[[3, 4], [1, 2]]]
    """
    pictures(x, "vflip()")
    return x[..., ::-1, :].copy()


class _Flip(Transform):
    """Mirrors each picture with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = probability(p, f"{type(self).__name__}'s p")

    def apply(self, x: NDArray[Any], generator: Drawing) -> NDArray[Any]:
        """Mirror some of the pictures."""
        chosen = drawn(generator, len(x), lambda rng, n: rng.random(n)) < self.p
        y = x.copy()
        y[chosen] = self._mirrored(x[chosen])
        return y

    _mirrored: Callable[[NDArray[Any]], NDArray[Any]]


class RandomHorizontalFlip(_Flip):
    """Mirrors each picture, left for right, with probability p.

    p: the probability, from 0 to 1.

    >>> RandomHorizontalFlip(p=1.0)(np.array([[[1, 2]]])).tolist()
    [[[2, 1]]]
    """

    def _mirrored(self, x: NDArray[Any]) -> NDArray[Any]:
        return hflip(x)


class RandomVerticalFlip(_Flip):
    """Mirrors each picture, top for bottom, with probability p.

    p: the probability, from 0 to 1.

    >>> RandomVerticalFlip(p=1.0)(np.array([[[1], [2]]])).tolist()
    [[[2], [1]]]
    """

    def _mirrored(self, x: NDArray[Any]) -> NDArray[Any]:
        return vflip(x)


class RandomRotation(Transform):
    """Turns each picture by another random angle, between −degrees and degrees or between two angles; see `rotate`.

    degrees: a number of 0 or more, or the smallest and the largest angle.
    interpolation: "nearest" or "bilinear", as for `rotate`.
    fill: the value outside the picture.

    Raises ValueError for angles that are negative or do not grow.

    >>> RandomRotation((90, 90))(np.array([[[1, 2], [3, 4]]])).tolist()
    [[[2, 4], [1, 3]]]
    """

    def __init__(
        self, degrees: float | Sequence[float], interpolation: Interpolation = "nearest", fill: float = 0.0
    ) -> None:
        pair = degrees if isinstance(degrees, Sequence) else (-degrees, degrees)
        if len(pair) != 2 or not pair[0] <= pair[1]:
            raise ValueError(
                f"RandomRotation takes an angle from 0 up, or the smallest and the largest, but got {degrees}"
            )
        self.degrees, self.interpolation, self.fill = (float(pair[0]), float(pair[1])), interpolation, fill

    def apply(self, x: NDArray[Any], generator: Drawing) -> NDArray[Any]:
        """Turn the pictures."""
        return rotate(
            x, drawn(generator, len(x), lambda rng, n: rng.uniform(*self.degrees, n)), self.interpolation, self.fill
        )


class RandomShift(Transform):
    """Moves each picture by another random number of pixels, from −pixels to pixels, up or down and to the side; see
    `shift`.

    pixels: a whole number of 0 or more, or one for rows and one for columns.
    fill: the value of what comes in from outside.

    >>> RandomShift(0)(np.array([[[1, 2]]])).tolist()
    [[[1, 2]]]
    """

    def __init__(self, pixels: int | Sequence[int], fill: float = 0.0) -> None:
        self.pixels, self.fill = _pair(pixels, "RandomShift", "pixels", 0), fill

    def apply(self, x: NDArray[Any], generator: Drawing) -> NDArray[Any]:
        """Move the pictures."""
        most = np.array(self.pixels)
        by = whole(drawn(generator, len(x), lambda rng, n: rng.random((n, 2))), 2 * most + 1) - most
        return shift(x, by[:, 0], by[:, 1], self.fill)


class RandomCrop(Transform):
    """Cuts a part out of each picture, at another random place in each: the result is (N, C, height, width).

    size: the height and width of the part, or one number for both.
    padding: how many pixels are put around the picture before. With size 32 and padding 4, pictures of 32×32 pixels
        stay as large.
    fill: the value of these pixels.

    Raises ValueError for pictures smaller than the part.

    >>> RandomCrop(2)(np.ones((5, 3, 8, 8))).shape
    (5, 3, 2, 2)
    """

    def __init__(self, size: int | Sequence[int], padding: int = 0, fill: float = 0.0) -> None:
        self.size, self.fill = _pair(size, "RandomCrop", "size", 1), fill
        self.padding, _ = _pair(padding, "RandomCrop", "padding", 0)

    def apply(self, x: NDArray[Any], generator: Drawing) -> NDArray[Any]:
        """Cut a part out of each picture."""
        pictures(x, "RandomCrop")
        around = [(0, 0)] * (x.ndim - 2) + [(self.padding, self.padding)] * 2
        x = np.pad(x, around, constant_values=self.fill) if self.padding else x
        room = _room(x, self.size, "RandomCrop")
        first = whole(drawn(generator, len(x), lambda rng, n: rng.random((n, 2))), room + 1)
        return crop(x, first[:, 0], first[:, 1], *self.size)


class CenterCrop(Transform):
    """Cuts the middle part out of each picture.

    size: the height and width of the part, or one number for both.

    Raises ValueError for pictures smaller than the part.

    >>> CenterCrop(1)(np.arange(9).reshape(1, 3, 3)).tolist()
    [[[4]]]
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = _pair(size, "CenterCrop", "size", 1)

    def apply(self, x: NDArray[Any], generator: Drawing = None) -> NDArray[Any]:
        """Cut the middle out of each picture."""
        pictures(x, "CenterCrop")
        top, left = _room(x, self.size, "CenterCrop") // 2
        return crop(x, top, left, *self.size)


def _room(x: NDArray[Any], size: tuple[int, int], who: str) -> NDArray[Any]:
    """By how many pixels a part can be moved within the pictures."""
    room = np.array(x.shape[-2:]) - size
    if room.min() < 0:
        raise ValueError(f"{who} takes pictures of at least {size[0]}×{size[1]} pixels, but got shape {x.shape}")
    return room


def _pair(value: int | Sequence[int], who: str, name: str, least: int) -> tuple[int, int]:
    """A number for rows and one for columns. Raises ValueError for one below `least`."""
    pair = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(pair) != 2 or min(pair) < least:
        raise ValueError(f"{who} takes {name} as a whole number from {least} up, or two, but got {value}")
    return operator.index(pair[0]), operator.index(pair[1])

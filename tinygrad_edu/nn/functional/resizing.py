"""Images made larger or smaller: interpolation, and channels folded into places."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.nn.functional.adaptive import along, means
from tinygrad_edu.ops.network.pooling import spread_windows
from tinygrad_edu.ops.parts import lifted
from tinygrad_edu.ops.types import array, floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array

DIMENSIONS = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
"""The modes that are for images of so many dimensions."""
MODES = ("nearest", "nearest-exact", "area", *DIMENSIONS)
CUBIC = -0.75
"""The slope of the cubic at distance 1, Keys's a; PyTorch's choice."""


@lifted
def interpolate(
    x: Array,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Array:
    """y[i] is x at the place (i + ½)·S / P − ½, read off between its numbers: S places become P along each dimension.

    A NaN or infinity spreads along the rows and columns that it lies in, except with "nearest".

    x: (N, C, size) of one to three dimensions; y: (N, C, P).
    size: the sizes P, or one number for all. Either this or scale_factor is given.
    scale_factor: P / S, a number or one for each dimension; the sizes are rounded down.
    mode: "nearest" takes the number at ⌊i·S / P⌋, "nearest-exact" at ⌊(i + ½)·S / P⌋; "linear", "bilinear" and
        "trilinear" go straight from one number to the next along each dimension, "bicubic" goes by cubics through four;
        "area" takes the mean of windows, as `adaptive_avg_pool2d`.
    align_corners: whether, of the straight and cubic modes, the first and the last number stay those of x, so that y[i]
        is x at i·(S − 1) / (P − 1).
    recompute_scale_factor: whether S / P, with the rounded size, takes the place of the given scale_factor.

    Raises ValueError for a mode that does not exist, or not for images of so many dimensions, and unless one of size
    and scale_factor is given.

    Source: Keys, *Cubic convolution interpolation for digital image processing* (1981).

    >>> x = np.array([[[1.0, 2.0]]])
    >>> interpolate(x, 4).tolist(), interpolate(x, 4, mode="linear").tolist()
    ([[[1.0, 1.0, 2.0, 2.0]]], [[[1.0, 1.25, 1.75, 2.0]]])
    """
    check_asked("interpolate", mode, size, scale_factor)
    x = array(x)
    n = x.ndim - 2
    if n not in (1, 2, 3) or DIMENSIONS.get(mode, n) != n:
        wanted = ", ".join("DHW"[-DIMENSIONS[mode] :]) if DIMENSIONS.get(mode, 1) > 1 else "L"
        shape = f"(N, C, {wanted})" if mode in DIMENSIONS else "(N, C, L), (N, C, H, W) or (N, C, D, H, W)"
        raise ValueError(f"interpolate with mode={mode!r} takes x of shape {shape}, but got {x.shape}")
    if align_corners is not None and mode not in DIMENSIONS:
        raise ValueError(f"align_corners is for the modes {', '.join(DIMENSIONS)}, not for {mode!r}; leave it out")
    asked, steps = _sizes(x.shape[2:], size, scale_factor, recompute_scale_factor)
    if mode == "area":
        return means(floating(x), asked)
    x = floating(x) if mode in DIMENSIONS else x
    if mode not in DIMENSIONS:
        return _nearest(x, asked, steps, 0.5 if mode == "nearest-exact" else 0.0)
    for axis, (have, p, step) in enumerate(zip(x.shape[2:], asked, steps, strict=True), -n):
        if have != p or step != 1:
            source = _source(have, p, step, bool(align_corners), mode == "bicubic", x.dtype)
            matrix = (_cubic if mode == "bicubic" else _linear)(have, source)
            x = along(x, matrix.astype(x.dtype), axis)
    return x


def check_asked(who: str, mode: str, size: Any, scale_factor: Any) -> None:
    """Raise ValueError for a mode that does not exist, and unless one of size and scale_factor is given."""
    if mode not in MODES:
        raise ValueError(f"{who}'s mode is one of {', '.join(MODES)}, but got {mode!r}")
    if (size is None) == (scale_factor is None):
        raise ValueError(
            f"{who} takes either size, the places that are to be, or scale_factor, how many times as many; "
            f"but got size={size} and scale_factor={scale_factor}"
        )


def _sizes(shape: Sequence[int], size: Any, scale: Any, recompute: bool | None) -> tuple[list[int], list[float]]:
    """The sizes that are to be, and how far apart in x the places of y lie."""
    n = len(shape)
    given = tuple(size if size is not None else scale) if np.iterable(size if size is not None else scale) else None
    parts = given if given is not None else (size if size is not None else scale,) * n
    if len(parts) != n:
        raise ValueError(f"interpolate of an image of {n} dimensions takes one number for all, or {n}, but got {given}")
    if size is not None:
        try:
            asked = [operator.index(part) for part in parts]
        except TypeError:
            raise TypeError(
                f"interpolate's size is whole numbers of places, but got {size}; or write scale_factor="
            ) from None
    else:
        if not all(math.isfinite(part) and part > 0 for part in parts):
            raise ValueError(f"interpolate's scale_factor is positive, but got {scale}")
        asked = [math.floor(have * part) for have, part in zip(shape, parts, strict=True)]
    if min(asked) < 1 or min(shape) < 1:
        raise ValueError(
            f"interpolate takes images of at least one place, and makes such, but {tuple(shape)} would become {tuple(asked)}"
        )
    if scale is not None and not recompute:
        return asked, [1 / part for part in parts]
    return asked, [have / p for have, p in zip(shape, asked, strict=True)]


def _nearest(x: Any, asked: Sequence[int], steps: Sequence[float], offset: float) -> Any:
    """x at the places whose numbers y takes. They are computed in float32, as PyTorch's are, whose rounding shows."""
    shape = x.shape[2:]
    places = [
        np.minimum(((np.arange(p, dtype=np.float32) + np.float32(offset)) * np.float32(step)).astype(int), have - 1)
        for have, p, step in zip(shape, asked, steps, strict=True)
    ]
    times = tuple([p // have for have, p in zip(shape, asked, strict=True)])
    if all(np.array_equal(at, np.repeat(np.arange(have), k)) for at, have, k in zip(places, shape, times, strict=True)):
        pads, ones = ((0, 0),) * len(times), (1,) * len(times)  # each number fills a window of its own
        return spread_windows(x, size=tuple(asked), kernel=times, stride=times, padding=pads, dilation=ones)
    for axis, at in enumerate(places, 2):
        x = np.take(x, at, axis=axis)
    return x


def _source(have: int, p: int, step: float, align_corners: bool, outside: bool, dtype: Any) -> Any:
    """Return where in x the p places of y lie, as fractions of places; only with `outside` may they lie before the first."""
    i = np.arange(p, dtype=np.float32 if dtype == np.float16 else dtype)
    if align_corners:
        return i * i.dtype.type((have - 1) / (p - 1) if p > 1 else 0)
    source = (i + i.dtype.type(0.5)) * i.dtype.type(step) - i.dtype.type(0.5)
    return source if outside else np.maximum(source, 0)


def _linear(have: int, source: Any) -> Any:
    """The matrix (S, P) of weights of the two numbers between which each place lies."""
    left = np.minimum(source.astype(int), have - 1)
    part = np.minimum(source - left, 1)
    return _weights(have, [(left, 1 - part), (np.minimum(left + 1, have - 1), part)], source)


def _cubic(have: int, source: Any) -> Any:
    """The matrix (S, P) of weights of the four numbers around each place; the border's stand for those beyond it."""
    left = np.floor(source)
    t = source - left

    def near(d: Any) -> Any:  # up to 1 away
        return ((CUBIC + 2) * d - (CUBIC + 3)) * d * d + 1

    def far(d: Any) -> Any:  # up to 2 away
        return ((CUBIC * d - 5 * CUBIC) * d + 8 * CUBIC) * d - 4 * CUBIC

    taps = enumerate([far(t + 1), near(t), near(1 - t), far(2 - t)], -1)
    return _weights(have, [(np.clip(left.astype(int) + k, 0, have - 1), w) for k, w in taps], source)


def _weights(have: int, taps: Any, source: Any) -> Any:
    matrix = np.zeros((have, len(source)), source.dtype)
    for places, weights in taps:
        np.add.at(matrix, (places, np.arange(len(source))), weights)
    return matrix


@lifted
def pixel_shuffle(x: Array, upscale_factor: int) -> Array:
    """y[…, c, r·h + i, r·w + j] = x[…, c·r² + i·r + j, h, w]: r² channels make an image r times as high and wide.

    x: (…, C·r², H, W); y: (…, C, r·H, r·W).
    upscale_factor: r, at least 1.

    Raises ValueError for channels that r² does not divide.

    Source: Shi et al., *Real-time single image and video super-resolution using an efficient sub-pixel convolutional
    neural network* (2016).

    >>> pixel_shuffle(np.arange(4.0).reshape(1, 4, 1, 1), 2).tolist()
    [[[[0.0, 1.0], [2.0, 3.0]]]]
    """
    r, shape = operator.index(upscale_factor), np.shape(x)
    if len(shape) < 3 or r < 1 or shape[-3] % (r * r):
        raise ValueError(f"pixel_shuffle by {r} takes x of shape (…, C·{r * r}, H, W), but got {shape}")
    *lead, c, h, w = shape
    parts = np.reshape(x, (*lead, c // (r * r), r, r, h, w))
    n = len(lead)
    return np.reshape(
        np.transpose(parts, (*range(n), n, n + 3, n + 1, n + 4, n + 2)), (*lead, c // (r * r), h * r, w * r)
    )


@lifted
def pixel_unshuffle(x: Array, downscale_factor: int) -> Array:
    """y[…, c·r² + i·r + j, h, w] = x[…, c, r·h + i, r·w + j]: it undoes `pixel_shuffle`.

    x: (…, C, r·H, r·W); y: (…, C·r², H, W).
    downscale_factor: r, at least 1.

    Raises ValueError for sizes that r does not divide.

    >>> pixel_unshuffle(np.arange(4.0).reshape(1, 1, 2, 2), 2).ravel().tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    r, shape = operator.index(downscale_factor), np.shape(x)
    if len(shape) < 3 or r < 1 or shape[-1] % r or shape[-2] % r:
        raise ValueError(f"pixel_unshuffle by {r} takes x of shape (…, C, {r}·H, {r}·W), but got {shape}")
    *lead, c, h, w = shape
    parts = np.reshape(x, (*lead, c, h // r, r, w // r, r))
    n = len(lead)
    return np.reshape(
        np.transpose(parts, (*range(n), n, n + 2, n + 4, n + 1, n + 3)), (*lead, c * r * r, h // r, w // r)
    )

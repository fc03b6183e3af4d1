"""Adaptive pooling: there are as many windows as are asked for, whatever the size of the image.

Window i of P over S places goes from ⌊i·S / P⌋ to ⌈(i + 1)·S / P⌉. So windows have at most two lengths, and overlap
where P does not divide S. One window over the whole image is called global pooling.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.nn.functional.sizes import batched
from tinygrad_edu.ops.network.pooling import argmax_pool, max_pool, sum_pool
from tinygrad_edu.ops.parts import lifted
from tinygrad_edu.ops.types import array, floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array

Size = int | None | Sequence[int | None]


@lifted
def adaptive_avg_pool1d(x: Array, output_size: Size) -> Array:
    """The mean of each of a given number of windows is taken, along one dimension.

    x: (N, C, L) or (C, L); y: (N, C, P).
    output_size: P, the number of windows; None leaves the length as it is.

    >>> adaptive_avg_pool1d(np.array([[[1.0, 2.0, 3.0]]]), 2).tolist()
    [[[1.5, 2.5]]]
    """
    return _mean("adaptive_avg_pool1d", x, output_size)


@lifted
def adaptive_avg_pool2d(x: Array, output_size: Size) -> Array:
    """The mean of each of a given number of windows is taken: images of any size get the same size.

    x: (N, C, H, W) or (C, H, W); y: (N, C, P, Q).
    output_size: (P, Q), or one number for both; None stands for a size that stays. 1 takes the mean of the whole image.

    Raises ValueError for images of other shapes.

    Source: Lin et al., *Network in network* (2013), for one window over the whole image.

    >>> adaptive_avg_pool2d(np.arange(12.0).reshape(1, 1, 3, 4), (1, 2)).tolist()
    [[[[4.5, 6.5]]]]
    """
    return _mean("adaptive_avg_pool2d", x, output_size)


@lifted
def adaptive_avg_pool3d(x: Array, output_size: Size) -> Array:
    """The mean of each of a given number of windows is taken: volumes of any size get the same size.

    x: (N, C, D, H, W) or (C, D, H, W); y: (N, C, O, P, Q).
    output_size: (O, P, Q), or one number for all; None stands for a size that stays.

    >>> adaptive_avg_pool3d(np.arange(8.0).reshape(1, 1, 2, 2, 2), 1).tolist()
    [[[[[3.5]]]]]
    """
    return _mean("adaptive_avg_pool3d", x, output_size)


@lifted
def adaptive_max_pool1d(x: Array, output_size: Size, return_indices: bool = False) -> Array:
    """The largest number of each of a given number of windows is taken, along one dimension.

    x: (N, C, L) or (C, L); y: (N, C, P).

    The other parameters are those of `adaptive_max_pool2d`.

    >>> adaptive_max_pool1d(np.array([[[1.0, 4.0, 3.0]]]), 2).tolist()
    [[[4.0, 4.0]]]
    """
    return _max("adaptive_max_pool1d", x, output_size, return_indices)


@lifted
def adaptive_max_pool2d(x: Array, output_size: Size, return_indices: bool = False) -> Array:
    """The largest number of each of a given number of windows is taken: images of any size get the same size.

    x: (N, C, H, W) or (C, H, W); y: (N, C, P, Q).
    output_size: the number of windows along each dimension, or one number for all; None stands for a size that stays.
    return_indices: whether the result is (y, indices), with the places of the largest numbers in their images, counted
    along rows.

    Raises ValueError for images of other shapes.

    >>> adaptive_max_pool2d(np.arange(12.0).reshape(1, 1, 3, 4), (1, 2), return_indices=True)[1].tolist()
    [[[[9, 11]]]]
    """
    return _max("adaptive_max_pool2d", x, output_size, return_indices)


@lifted
def adaptive_max_pool3d(x: Array, output_size: Size, return_indices: bool = False) -> Array:
    """The largest number of each of a given number of windows is taken: volumes of any size get the same size.

    x: (N, C, D, H, W) or (C, D, H, W); y: (N, C, O, P, Q).

    The other parameters are those of `adaptive_max_pool2d`.

    >>> adaptive_max_pool3d(np.arange(8.0).reshape(1, 1, 2, 2, 2), 1).tolist()
    [[[[[7.0]]]]]
    """
    return _max("adaptive_max_pool3d", x, output_size, return_indices)


# ---------------------------------------------------------------------------------------------------
# Windows, and what is made of them


def sizes(who: str, output_size: Any, shape: Sequence[int]) -> tuple[int, ...]:
    """How many windows there are along each dimension of an image of this shape."""
    n = len(shape)
    given = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * n
    try:
        asked = [have if part is None else operator.index(part) for part, have in zip(given, shape, strict=True)]
    except (TypeError, ValueError):
        raise TypeError(
            f"{who}'s output_size is a whole number or None, or {n} of them, but got {output_size!r:.60}"
        ) from None
    if min(asked) < 1 or min(shape) < 1:
        raise ValueError(
            f"{who} takes images of at least one place, and makes such, but {tuple(shape)} would become {tuple(asked)}"
        )
    return tuple(asked)


def _even(shape: Sequence[int], asked: Sequence[int]) -> dict[str, Any] | None:
    """The settings of windows that tile the image, where there are such."""
    if any(n % p for n, p in zip(shape, asked, strict=True)):
        return None
    kernel = tuple([n // p for n, p in zip(shape, asked, strict=True)])
    return {"kernel": kernel, "stride": kernel, "padding": ((0, 0),) * len(shape), "dilation": (1,) * len(shape)}


def _starts(n: int, p: int) -> tuple[Any, Any]:
    """The first place of each window, and how many it has."""
    i = np.arange(p)
    first = i * n // p
    return first, -(-(i + 1) * n // p) - first


def along(x: Any, matrix: Any, axis: int) -> Any:
    """x·M along an axis, counted from the end: of its n numbers, m are made. matrix: (n, m)."""
    if axis == -2:
        return np.matmul(matrix.T, x)
    return np.matmul(x, matrix) if axis == -1 else np.swapaxes(np.matmul(np.swapaxes(x, axis, -1), matrix), axis, -1)


def means(x: Any, asked: Sequence[int]) -> Any:
    """The means of windows over the last dimensions, as many as are asked for."""
    n = len(asked)
    shape = x.shape[-n:]
    if all(p == 1 for p in asked):
        return np.mean(x, axis=tuple(range(-n, 0)), keepdims=True)
    how = _even(shape, asked)
    if how is not None:
        return sum_pool(x, **how) / (np.prod(how["kernel"]).item())
    for axis, size, p in zip(range(-n, 0), shape, asked, strict=True):
        first, count = _starts(size, p)
        place = np.arange(size)[:, None]
        inside = (first <= place) & (place < first + count)
        x = along(x, (inside / count).astype(x.dtype), axis)
    return x


def _mean(who: str, x: Any, output_size: Any) -> Any:
    x, single = batched(who, floating(x), int(who[-2]))
    y = means(x, sizes(who, output_size, x.shape[2:]))
    return y[0] if single else y


def _max(who: str, x: Any, output_size: Any, return_indices: bool) -> Any:
    x, single = batched(who, array(x), int(who[-2]))
    shape = x.shape[2:]
    asked = sizes(who, output_size, shape)
    how, taken = _even(shape, asked), None
    if (
        how is None
    ):  # windows laid out beside each other, a shorter one with its last place twice: that changes no maximum
        taken, lengths = [], []
        for axis, (n, p) in enumerate(zip(shape, asked, strict=True), 2):
            first, count = _starts(n, p)
            within = np.minimum(np.arange(count.max()), count[:, None] - 1)
            taken.append(np.reshape(first[:, None] + within, -1))
            lengths.append(len(taken[-1]))
            x = np.take(x, taken[-1], axis=axis)
        how = _even(lengths, asked)
        assert how is not None
    y = max_pool(x, **how)
    if not return_indices:
        return y[0] if single else y
    at = argmax_pool(x, **how)
    if taken is not None:
        places = np.zeros((), int)
        for part, n in zip(taken, shape, strict=True):
            places = places[..., None] * n + part
        at = np.take(np.reshape(places, -1), at)
    return (y[0], at[0]) if single else (y, at)

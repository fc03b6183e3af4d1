"""Pooling as functions: the largest number of each window, its mean, or its norm.

x is (N, C, size), or (C, size) for a single example, where size is (L,), (H, W) or (D, H, W). A setting is one number
for all dimensions, or one for each. Over S places there are P = ⌊(S + 2·padding − dilation·(K − 1) − 1) / stride⌋ + 1
windows of K places; with `ceil_mode` ⌈…⌉ + 1, as long as the last one begins inside the input or the padding before it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.nn.functional.checks import positive
from tinygrad_edu.nn.functional.sizes import Numbers, batched, each
from tinygrad_edu.ops.network.convolution.windows import Windows
from tinygrad_edu.ops.network.pooling import argmax_pool, max_pool, sum_pool
from tinygrad_edu.ops.parts import lifted
from tinygrad_edu.ops.types import array, floating
from tinygrad_edu.ops.writing import index_update

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array

Size = int | None | Sequence[int | None]


# ---------------------------------------------------------------------------------------------------
# The largest


@lifted
def max_pool1d(
    x: Array,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array:
    """y[n, c, p] = max over k of x[n, c, stride·p + dilation·k − padding]: the largest number of each window is taken.

    x: (N, C, L) or (C, L); y: (N, C, P).

    The other parameters are those of `max_pool2d`.

    >>> max_pool1d(np.array([[[1.0, 2.0, 8.0, 4.0]]]), 2).tolist()
    [[[2.0, 8.0]]]
    """
    return _max("max_pool1d", x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@lifted
def max_pool2d(
    x: Array,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array:
    """y[n, c, p] = max over k of x[n, c, stride·p + dilation·k − padding]: the largest number of each window is taken.

    Here p and k are places in two dimensions. Where several numbers are largest, the first of them, along rows, gets
    the gradient. A window with a NaN gives NaN.

    x: (N, C, H, W) or (C, H, W); y: (N, C, P, Q).
    kernel_size: the places of a window.
    stride: the step from window to window; None stands for kernel_size.
    padding: how many places are put around the image, at most half of a window; they are less than all numbers.
    dilation: the step from place to place inside a window.
    ceil_mode: whether windows may reach over the far border.
    return_indices: whether the result is (y, indices), with the places of the largest numbers in their images, counted
    along rows.

    Raises ValueError for images of other shapes, and for a window larger than the padded image.

    Source: Jarrett et al., *What is the best multi-stage architecture for object recognition?* (2009).

    >>> image = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> max_pool2d(image, 2).tolist(), max_pool2d(image, 2, return_indices=True)[1].tolist()
    ([[[[5.0, 7.0], [13.0, 15.0]]]], [[[[5, 7], [13, 15]]]])
    """
    return _max("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@lifted
def max_pool3d(
    x: Array,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array:
    """y[n, c, p] = max over k of x[n, c, stride·p + dilation·k − padding]: the largest number of each window is taken.

    x: (N, C, D, H, W) or (C, D, H, W); y: (N, C, O, P, Q).

    The other parameters are those of `max_pool2d`.

    >>> max_pool3d(np.arange(8.0).reshape(1, 1, 2, 2, 2), 2).tolist()
    [[[[[7.0]]]]]
    """
    return _max("max_pool3d", x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@lifted
def max_unpool1d(
    x: Array,
    indices: Any,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """y[n, c, indices[n, c, p]] = x[n, c, p], and 0 elsewhere: each number is put back to where `max_pool1d` took it.

    x, indices: (N, C, P) or (C, P); y: (N, C, L).

    The other parameters are those of `max_unpool2d`.

    >>> max_unpool1d(np.array([[[2.0, 8.0]]]), np.array([[[1, 2]]]), 2).tolist()
    [[[0.0, 2.0, 8.0, 0.0]]]
    """
    return _unpool("max_unpool1d", x, indices, kernel_size, stride, padding, output_size)


@lifted
def max_unpool2d(
    x: Array,
    indices: Any,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """y[n, c, indices[n, c, p]] = x[n, c, p], and 0 elsewhere: each number is put back to where `max_pool2d` took it.

    H = (P − 1)·stride − 2·padding + kernel_size, unless output_size tells another size.

    x, indices: (N, C, P, Q) or (C, P, Q), as `max_pool2d(…, return_indices=True)` gives them; y: (N, C, H, W).
    kernel_size: the places of a window.
    stride: the step from window to window; None stands for kernel_size.
    padding: how many places were put around the image.
    output_size: (H, W), which may differ from the formula by less than stride, because several sizes have the same P.

    Raises ValueError for other shapes and sizes, IndexError for places that are not in the image.

    Source: Zeiler and Fergus, *Visualizing and understanding convolutional networks* (2014).

    >>> y, places = max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2, return_indices=True)
    >>> max_unpool2d(y, places, 2)[0, 0, 1].tolist()
    [0.0, 5.0, 0.0, 7.0]
    """
    return _unpool("max_unpool2d", x, indices, kernel_size, stride, padding, output_size)


@lifted
def max_unpool3d(
    x: Array,
    indices: Any,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """y[n, c, indices[n, c, p]] = x[n, c, p], and 0 elsewhere: each number is put back to where `max_pool3d` took it.

    x, indices: (N, C, O, P, Q) or (C, O, P, Q); y: (N, C, D, H, W).

    The other parameters are those of `max_unpool2d`.

    >>> max_unpool3d(np.full((1, 1, 1, 1, 1), 7.0), np.full((1, 1, 1, 1, 1), 5), 2).sum(axis=(2, 3)).tolist()
    [[[0.0, 7.0]]]
    """
    return _unpool("max_unpool3d", x, indices, kernel_size, stride, padding, output_size)


# ---------------------------------------------------------------------------------------------------
# The mean, and norms


@lifted
def avg_pool1d(
    x: Array,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """y[n, c, p] = Σ over k of x[n, c, stride·p + k − padding] / places: the mean of each window is taken.

    x: (N, C, L) or (C, L); y: (N, C, P).

    The other parameters are those of `avg_pool2d`.

    >>> avg_pool1d(np.array([[[1.0, 2.0, 8.0, 4.0]]]), 2).tolist()
    [[[1.5, 6.0]]]
    """
    return _mean("avg_pool1d", x, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


@lifted
def avg_pool2d(
    x: Array,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """y[n, c, p] = Σ over k of x[n, c, stride·p + k − padding] / places: the mean of each window is taken.

    x: (N, C, H, W) or (C, H, W); y: (N, C, P, Q).
    kernel_size: the places of a window.
    stride: the step from window to window; None stands for kernel_size.
    padding: how many zeros are put around the image, at most half of a window.
    ceil_mode: whether windows may reach over the far border.
    count_include_pad: whether the zeros around the image count among the places.
    divisor_override: the number that the sum is divided by instead; None for the number of places.

    Raises ValueError for images of other shapes, and for a window larger than the padded image.

    Source: LeCun et al., *Gradient-based learning applied to document recognition* (1998).

    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2).tolist()
    [[[[2.5, 4.5], [10.5, 12.5]]]]
    """
    return _mean("avg_pool2d", x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@lifted
def avg_pool3d(
    x: Array,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Numbers = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """y[n, c, p] = Σ over k of x[n, c, stride·p + k − padding] / places: the mean of each window is taken.

    x: (N, C, D, H, W) or (C, D, H, W); y: (N, C, O, P, Q).

    The other parameters are those of `avg_pool2d`.

    >>> avg_pool3d(np.arange(8.0).reshape(1, 1, 2, 2, 2), 2).tolist()
    [[[[[3.5]]]]]
    """
    return _mean("avg_pool3d", x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@lifted
def lp_pool1d(
    x: Array, norm_type: float, kernel_size: Numbers, stride: Numbers | None = None, ceil_mode: bool = False
) -> Array:
    """y = (Σ x^p)^(1/p) over each window is taken, along one dimension.

    x: (N, C, L) or (C, L); y: (N, C, P).

    The other parameters are those of `lp_pool2d`.

    >>> lp_pool1d(np.array([[[3.0, 4.0, 6.0, 8.0]]]), 2, 2).tolist()
    [[[5.0, 10.0]]]
    """
    return _norm("lp_pool1d", x, norm_type, kernel_size, stride, ceil_mode)


@lifted
def lp_pool2d(
    x: Array, norm_type: float, kernel_size: Numbers, stride: Numbers | None = None, ceil_mode: bool = False
) -> Array:
    """y = (Σ x^p)^(1/p) over each window: with p = 1 it is the sum, with a large p nearly the largest number.

    The gradient is 0 where the sum is 0 (PyTorch's is NaN). Where `ceil_mode` lets a window reach over the border, the
    sum of its places inside is scaled up to a whole window.

    x: (N, C, H, W) or (C, H, W); y: (N, C, P, Q).
    norm_type: p, above 0.
    kernel_size: the places of a window.
    stride: the step from window to window; None stands for kernel_size.
    ceil_mode: whether windows may reach over the far border.

    Raises ValueError for a p that is not positive, or infinite.

    Source: Sermanet et al., *Convolutional neural networks applied to house numbers digit classification* (2012).

    >>> lp_pool2d(np.array([[[[1.0, 2.0], [2.0, 4.0]]]]), 2, 2).tolist()
    [[[[5.0]]]]
    """
    return _norm("lp_pool2d", x, norm_type, kernel_size, stride, ceil_mode)


@lifted
def lp_pool3d(
    x: Array, norm_type: float, kernel_size: Numbers, stride: Numbers | None = None, ceil_mode: bool = False
) -> Array:
    """y = (Σ x^p)^(1/p) over each window is taken, along three dimensions.

    x: (N, C, D, H, W) or (C, D, H, W); y: (N, C, O, P, Q).

    The other parameters are those of `lp_pool2d`.

    >>> lp_pool3d(np.ones((1, 1, 2, 2, 2)), 3, 2).tolist()
    [[[[[2.0]]]]]
    """
    return _norm("lp_pool3d", x, norm_type, kernel_size, stride, ceil_mode)


# ---------------------------------------------------------------------------------------------------
# What is given, looked at


def _windows(
    who: str, shape: Sequence[int], kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool
) -> Windows:
    """The windows over an image of this shape; those that reach over the border have padding there."""
    n = len(shape)
    kernel = each(who, "kernel_size", kernel, n)
    stride = kernel if stride is None else each(who, "stride", stride, n)
    around, apart = each(who, "padding", padding, n, 0), each(who, "dilation", dilation, n)
    pairs = []
    for size, k, s, p, d in zip(shape, kernel, stride, around, apart, strict=True):
        reach = d * (k - 1) + 1
        if 2 * p > reach:
            raise ValueError(
                f"{who} takes a padding of at most half of a window, which is {reach // 2} of {reach} places, but got {padding}"
            )
        over = size + 2 * p - reach
        positions = (-(-over // s) if ceil else over // s) + 1
        if ceil and (positions - 1) * s >= size + p:
            positions -= 1
        if positions < 1 or not size:
            raise ValueError(
                f"{who}'s windows, {reach} places long, do not fit into images of {tuple(shape)} with a padding of {padding}; "
                "take a smaller kernel_size, larger images, or fewer layers that shrink them"
            )
        pairs.append((p, (positions - 1) * s + reach - size - p if ceil else p))
    return Windows(tuple(shape), kernel, stride, tuple(pairs), apart)


def _settings(windows: Windows) -> dict[str, Any]:
    return {name: getattr(windows, name) for name in ("kernel", "stride", "padding", "dilation")}


def _max(
    who: str, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool, return_indices: bool
) -> Any:
    x, single = batched(who, array(x), int(who[-2]))
    how = _settings(_windows(who, x.shape[2:], kernel, stride, padding, dilation, ceil))
    y = max_pool(x, **how)
    if not return_indices:
        return y[0] if single else y
    at = argmax_pool(x, **how)
    return (y[0], at[0]) if single else (y, at)


def _unpool(who: str, x: Any, indices: Any, kernel: Any, stride: Any, padding: Any, output_size: Any) -> Any:
    n = int(who[-2])
    x, single = batched(who, array(x), n)
    at, _ = batched(who, array(indices), n)
    if at.shape != x.shape or at.dtype.kind not in "iu":
        raise ValueError(
            f"{who} takes whole numbers of the shape of x, {x.shape}, as indices, but got {at.shape} {at.dtype}"
        )
    kernel = each(who, "kernel_size", kernel, n)
    steps = kernel if stride is None else each(who, "stride", stride, n)
    around = each(who, "padding", padding, n, 0)
    usual = [(p - 1) * s - 2 * a + k for p, s, a, k in zip(x.shape[2:], steps, around, kernel, strict=True)]
    size = usual if output_size is None else [operator.index(part) for part in tuple(output_size)[-n:]]
    if len(size) != n or any(abs(a - b) >= s for a, b, s in zip(size, usual, steps, strict=True)):
        raise ValueError(f"{who} makes images of {tuple(usual)}, give or take less than {steps}, but got {output_size}")
    places = math.prod(size)
    lead = len(x) * x.shape[1]
    flat = lead, math.prod(x.shape[2:])
    rows, at = np.arange(lead)[:, None], np.reshape(np.where(at < 0, places, at), flat)  # a negative one is none
    try:
        y = index_update(np.zeros((lead, places), x.dtype), (rows, at), np.reshape(x, flat))
    except IndexError:
        most = np.max(getattr(indices, "ndarray", indices))
        raise IndexError(f"{who}'s images have the places 0 to {places - 1}, but got indices up to {most}") from None
    y = np.reshape(y, (*x.shape[:2], *size))
    return y[0] if single else y


def _counts(windows: Windows, padding: Any, dimension: int, include: bool) -> Any:
    """How many places each window has along a dimension, with those in the padding or without."""
    size, (before, _) = windows.size[dimension], windows.padding[dimension]
    first = np.arange(windows.positions[dimension]) * windows.stride[dimension] - before
    last = np.minimum(first + windows.kernel[dimension], size + (before if include else 0))
    return last - (first if include else np.maximum(first, 0))


def _mean(
    who: str, x: Any, kernel: Any, stride: Any, padding: Any, ceil: bool, include: bool, divisor: int | None
) -> Any:
    x, single = batched(who, floating(x), int(who[-2]))
    if divisor is not None and not operator.index(divisor):
        raise ValueError(f"{who} divides by divisor_override, which is not 0")
    windows = _windows(who, x.shape[2:], kernel, stride, padding, 1, ceil)
    y = sum_pool(x, **_settings(windows))
    if divisor is not None or (not ceil and (include or not windows.pads)):
        y = y / (divisor or math.prod(windows.kernel))
    else:
        counts: Any = np.ones((), int)
        for dimension in range(len(windows.size)):
            counts = counts[..., None] * _counts(windows, padding, dimension, include)
        y = y / counts.astype(x.dtype)
    return y[0] if single else y


def _norm(who: str, x: Any, norm_type: float, kernel: Any, stride: Any, ceil: bool) -> Any:
    positive(f"{who}'s norm_type", norm_type)
    if not math.isfinite(norm_type):
        raise ValueError(f"{who}'s norm_type is a finite number; for the largest of each window, take max_pool")
    x = floating(x)
    sums = _mean(who, x if norm_type == 1 else x**norm_type, kernel, stride, 0, ceil, True, None)
    sums = sums * math.prod(each(who, "kernel_size", kernel, int(who[-2])))
    if norm_type == 1:
        return sums
    none = sums == 0
    return np.where(none, 0, np.where(none, 1, sums) ** (1 / norm_type))

"""How convolutions of images are computed, asked and chosen: by which route, and by how many threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_edu.nn.functional.sizes import Numbers, Padding, check_channels, each, pairs
from tinygrad_edu.ops.network.convolution import Sum
from tinygrad_edu.ops.network.convolution import forced as conv_by
from tinygrad_edu.ops.network.convolution import route as route_of
from tinygrad_edu.ops.network.convolution import threads as threads_of
from tinygrad_edu.ops.network.convolution.windows import Windows

__all__ = ["conv2d_route", "conv2d_threads", "conv_by"]

SUMS: tuple[Sum, ...] = ("forward", "by_input", "by_kernel")
"""What a convolution computes, and its gradients."""


def conv2d_route(
    x_shape: Sequence[int],
    weight_shape: Sequence[int],
    stride: Numbers = 1,
    padding: Padding = 0,
    dilation: Numbers = 1,
    groups: int = 1,
    dtype: Any = np.float32,
) -> dict[str, str]:
    """Tell how `conv2d` computes its result and both gradients for these shapes.

    The routes are "patches", "turned", "winograd" and "depthwise", and where numba is installed (`pip install
    "tinygrad-edu[fast]"`) "fast direct", "fast winograd" and "fast depthwise";
    `tinygrad_edu.ops.network.convolution.routes` tells where each is taken. `with F.conv_by("patches"):` takes another.

    x_shape, weight_shape: the shapes of x and of the weight.
    stride, padding, dilation, groups: as for `conv2d`.
    dtype: the type of x.

    Raises ValueError for shapes that do not fit, as `conv2d` does.

    >>> conv2d_route((32, 64, 16, 16), (256, 64, 1, 1))
    {'forward': 'patches', 'by_input': 'patches', 'by_kernel': 'patches'}
    >>> with conv_by("winograd"):
    ...     conv2d_route((32, 64, 16, 16), (64, 64, 3, 3), padding=1)
    {'forward': 'winograd', 'by_input': 'winograd', 'by_kernel': 'winograd'}
    """
    windows, kind = _told("conv2d_route", x_shape, weight_shape, stride, padding, dilation, groups, dtype)
    return {what: route_of(what, x_shape[1], weight_shape[0], kind, windows) for what in SUMS}


def conv2d_threads(
    x_shape: Sequence[int],
    weight_shape: Sequence[int],
    stride: Numbers = 1,
    padding: Padding = 0,
    dilation: Numbers = 1,
    groups: int = 1,
    dtype: Any = np.float32,
) -> dict[str, int]:
    """Tell how many threads share the images in `conv2d` and in both gradients, for these shapes.

    They are at most those of `tg.set_num_threads`, and fewer where a share would take one thread less time than it takes
    to wake another: then one thread is sooner done.

    x_shape, weight_shape: the shapes of x and of the weight.
    stride, padding, dilation, groups: as for `conv2d`.
    dtype: the type of x.

    Raises ValueError for shapes that do not fit, as `conv2d` does.

    >>> import tinygrad_edu as tg
    >>> tg.set_num_threads(2)
    >>> conv2d_threads((1, 3, 8, 8), (4, 3, 3, 3))
    {'forward': 1, 'by_input': 1, 'by_kernel': 1}
    >>> tg.set_num_threads(1)
    """
    windows, kind = _told("conv2d_threads", x_shape, weight_shape, stride, padding, dilation, groups, dtype)
    return {what: threads_of(what, tuple(x_shape), tuple(weight_shape), kind, windows) for what in SUMS}


def _told(
    who: str, x: Sequence[int], w: Sequence[int], stride: Any, padding: Any, dilation: Any, groups: int, dtype: Any
) -> tuple[Windows, Any]:
    """The windows of a convolution of images of these shapes, and the type in which it is computed."""
    groups = each(who, "groups", groups, 1)[0]
    if len(x) != 4 or len(w) != 4:
        raise ValueError(
            f"{who} takes shapes (N, C, H, W) and (O, C / groups, K, L), but got {tuple(x)} and {tuple(w)}"
        )
    check_channels(who, tuple(x), tuple(w), groups)
    kernel, steps, apart = tuple(w[2:]), each(who, "stride", stride, 2), each(who, "dilation", dilation, 2)
    windows = Windows(tuple(x[2:]), kernel, steps, pairs(who, padding, 2, kernel, apart, steps), apart, groups)
    kind = np.dtype(dtype)
    return windows, np.dtype(np.float32) if kind == np.float16 else kind  # in which halves are computed

"""Convolution as functions: along one, two and three dimensions, transposed, and unrolled.

x is (N, C, size), or (C, size) for a single example, where size is (L,), (H, W) or (D, H, W). A setting is one number
for all dimensions, or one for each. padding may also be "valid" (none), "same" (y has as many places as x, at stride
1), or pairs (before, after) for each dimension.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.nn.functional.layers import warn_wider
from tinygrad_edu.nn.functional.sizes import Numbers, Padding, batched, check_channels, each, pairs
from tinygrad_edu.ops.network.convolution import conv, conv_transpose, fold_windows, unfold_windows
from tinygrad_edu.ops.network.convolution.windows import Windows
from tinygrad_edu.ops.parts import lifted
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array
    from tinygrad_edu.engine.tensor import Tensor

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "fold",
    "unfold",
]


@lifted
def conv1d(
    x: Array,
    weight: Array,
    bias: Tensor | Array | None = None,
    stride: Numbers = 1,
    padding: Padding = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Array:
    """y[n, o, p] = b[o] + Σ over c, k of x[n, c, stride·p + dilation·k]·w[o, c, k]: windows slide over sequences.

    x: (N, C, L) or (C, L); y: (N, O, P).
    weight: w, (O, C / groups, K).

    The other parameters are those of `conv2d`.

    >>> conv1d(np.array([[[1.0, 2.0, 4.0, 8.0]]]), np.array([[[1.0, -1.0]]])).tolist()
    [[[-1.0, -2.0, -4.0]]]
    """
    return _conv("conv1d", x, weight, bias, stride, padding, dilation, groups)


@lifted
def conv2d(
    x: Array,
    weight: Array,
    bias: Tensor | Array | None = None,
    stride: Numbers = 1,
    padding: Padding = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Array:
    """y[n, o, p] = b[o] + Σ over c, k of x[n, c, stride·p + dilation·k]·w[o, c, k]: windows slide over images.

    Here p and k are places in two dimensions. P = ⌊(H + before + after − dilation·(K − 1) − 1) / stride⌋ + 1.

    x: (N, C, H, W) or (C, H, W); y: (N, O, P, Q).
    weight: w, (O, C / groups, K, L).
    bias: b, (O,), or None for none.
    stride: the step from window to window.
    padding: how many zeros are put around the image.
    dilation: the step from place to place inside a window; with more than 1 it is called an atrous convolution.
    groups: into how many groups the channels fall; each has kernels of its own. With a group for each channel, the
    convolution is called depthwise.

    Raises ValueError for shapes that do not fit, for groups that do not divide the channels, and for a kernel larger
    than the padded image.

    Source: LeCun et al., *Gradient-based learning applied to document recognition* (1998).

    >>> image = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> conv2d(image, np.ones((1, 1, 3, 3)), padding="same").shape, conv2d(image, np.ones((1, 1, 3, 3)))[0, 0].tolist()
    ((1, 1, 4, 4), [[45.0, 54.0], [81.0, 90.0]])
    """
    return _conv("conv2d", x, weight, bias, stride, padding, dilation, groups)


@lifted
def conv3d(
    x: Array,
    weight: Array,
    bias: Tensor | Array | None = None,
    stride: Numbers = 1,
    padding: Padding = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Array:
    """y[n, o, p] = b[o] + Σ over c, k of x[n, c, stride·p + dilation·k]·w[o, c, k]: windows slide over volumes.

    x: (N, C, D, H, W) or (C, D, H, W); y: (N, O, P, Q, R).
    weight: w, (O, C / groups, J, K, L).

    The other parameters are those of `conv2d`.

    >>> conv3d(np.ones((1, 2, 3, 3, 3)), np.ones((4, 2, 2, 2, 2))).shape
    (1, 4, 2, 2, 2)
    """
    return _conv("conv3d", x, weight, bias, stride, padding, dilation, groups)


@lifted
def conv_transpose1d(
    x: Array,
    weight: Array,
    bias: Tensor | Array | None = None,
    stride: Numbers = 1,
    padding: Numbers = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
) -> Array:
    """Each number of x adds a kernel, times itself, to y, along one dimension: sequences become longer.

    x: (N, C, P) or (C, P); y: (N, O, L).
    weight: (C, O / groups, K).

    The other parameters are those of `conv_transpose2d`.

    >>> conv_transpose1d(np.array([[[1.0, 10.0]]]), np.array([[[1.0, 2.0, 3.0]]]), stride=2).tolist()
    [[[1.0, 2.0, 13.0, 20.0, 30.0]]]
    """
    return _transposed("conv_transpose1d", x, weight, bias, stride, padding, output_padding, groups, dilation)


@lifted
def conv_transpose2d(
    x: Array,
    weight: Array,
    bias: Tensor | Array | None = None,
    stride: Numbers = 1,
    padding: Numbers = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
) -> Array:
    """y[n, o, stride·p + dilation·k − padding] = b[o] + Σ over c, p, k of x[n, c, p]·w[c, o, k]: images become larger.

    It is the gradient of a convolution by its input: it brings images back to the size that they had before `conv2d`
    with the same settings. H = (P − 1)·stride − 2·padding + dilation·(K − 1) + 1 + output_padding.

    x: (N, C, P, Q) or (C, P, Q); y: (N, O, H, W).
    weight: w, (C, O / groups, K, L).
    bias: b, (O,), or None for none.
    stride: the step in y from kernel to kernel.
    padding: how many places are cut off around y.
    output_padding: how many places y is longer. Where stride is more than 1, several sizes H have the same P, and this
        tells which is meant; it is less than stride or dilation.
    groups: into how many groups the channels fall; each has kernels of its own.
    dilation: the step from place to place inside a kernel.

    Raises ValueError for shapes and settings that do not fit.

    Source: Dumoulin and Visin, *A guide to convolution arithmetic for deep learning* (2016).

    >>> conv_transpose2d(np.ones((1, 3, 4, 4)), np.ones((3, 2, 3, 3)), stride=2, padding=1, output_padding=1).shape
    (1, 2, 8, 8)
    """
    return _transposed("conv_transpose2d", x, weight, bias, stride, padding, output_padding, groups, dilation)


@lifted
def conv_transpose3d(
    x: Array,
    weight: Array,
    bias: Tensor | Array | None = None,
    stride: Numbers = 1,
    padding: Numbers = 0,
    output_padding: Numbers = 0,
    groups: int = 1,
    dilation: Numbers = 1,
) -> Array:
    """Each number of x adds a kernel, times itself, to y, along three dimensions: volumes become larger.

    x: (N, C, P, Q, R) or (C, P, Q, R); y: (N, O, D, H, W).
    weight: (C, O / groups, J, K, L).

    The other parameters are those of `conv_transpose2d`.

    >>> conv_transpose3d(np.ones((1, 1, 2, 2, 2)), np.ones((1, 1, 2, 2, 2)), stride=2).shape
    (1, 1, 4, 4, 4)
    """
    return _transposed("conv_transpose3d", x, weight, bias, stride, padding, output_padding, groups, dilation)


@lifted
def unfold(x: Array, kernel_size: Numbers, dilation: Numbers = 1, padding: Numbers = 0, stride: Numbers = 1) -> Array:
    """The windows of images become columns. Textbooks call this im2col.

    A convolution is then a product of matrices, W.reshape(O, −1) @ columns.

    x: (N, C, H, W) or (C, H, W); y: (N, C·K·L, P·Q).
    kernel_size: K and L, the places of a window.
    dilation: the step from place to place inside a window.
    padding: how many zeros are put around the image.
    stride: the step from window to window.

    Raises ValueError for other shapes, and for windows that do not fit.

    >>> unfold(np.arange(9.0).reshape(1, 1, 3, 3), 2)[0].tolist()
    [[0.0, 1.0, 3.0, 4.0], [1.0, 2.0, 4.0, 5.0], [3.0, 4.0, 6.0, 7.0], [4.0, 5.0, 7.0, 8.0]]
    """
    x, single = batched("unfold", array(x), 2)
    kernel, steps = each("unfold", "kernel_size", kernel_size, 2), each("unfold", "stride", stride, 2)
    how = {"kernel": kernel, "stride": steps, "padding": pairs("unfold", padding, 2, kernel, (1, 1), steps)}
    y = unfold_windows(x, dilation=each("unfold", "dilation", dilation, 2), **how)  # type: ignore[call-overload]  # by name
    y = np.reshape(y, (len(x), x.shape[1] * math.prod(kernel), math.prod(y.shape[-2:])))
    return y[0] if single else y


@lifted
def fold(
    x: Array,
    output_size: Numbers,
    kernel_size: Numbers,
    dilation: Numbers = 1,
    padding: Numbers = 0,
    stride: Numbers = 1,
) -> Array:
    """Columns of windows become images again, and overlapping windows are added up. Textbooks call this col2im.

    It is the adjoint of `unfold`, and undoes it only where no windows overlap.

    x: (N, C·K·L, P·Q) or (C·K·L, P·Q); y: (N, C, H, W).
    output_size: H and W.
    kernel_size: K and L, the places of a window.
    dilation: the step from place to place inside a window.
    padding: how many zeros were put around the image.
    stride: the step from window to window.

    Raises ValueError for shapes that do not fit.

    >>> fold(np.ones((1, 4, 4)), 3, 2)[0, 0].tolist()
    [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    x = array(x)
    size, kernel = each("fold", "output_size", output_size, 2), each("fold", "kernel_size", kernel_size, 2)
    steps, apart = each("fold", "stride", stride, 2), each("fold", "dilation", dilation, 2)
    windows = Windows(size, kernel, steps, pairs("fold", padding, 2, kernel, apart, steps), apart)
    taps, places = kernel[0] * kernel[1], windows.positions[0] * windows.positions[1]
    if x.ndim not in (2, 3) or x.shape[-2] % taps or x.shape[-1] != places:
        raise ValueError(
            f"fold to {size} by windows of {kernel} takes x of shape (N, C·{taps}, {places}), but got {x.shape}"
        )
    images = len(x) if x.ndim == 3 else 1
    columns = np.reshape(x, (images, x.shape[-2] // taps, *kernel, *windows.positions))
    y = fold_windows(columns, size=size, stride=steps, padding=windows.padding, dilation=apart)
    return y[0] if x.ndim == 2 else y


# ---------------------------------------------------------------------------------------------------
# What is given, looked at


def _weight(who: str, weight: Any, bias: Any, dimensions: int, groups: int, outputs: int) -> Any:
    """The weight, looked at beside the bias and the groups."""
    weight = array(weight)
    if weight.ndim != dimensions + 2:
        raise ValueError(f"{who} takes a weight of {dimensions + 2} axes, but got {weight.shape}")
    if bias is not None and np.shape(bias) != (weight.shape[outputs] * (groups if outputs else 1),):
        raise ValueError(f"{who} takes a bias of one number an output, but got {np.shape(bias)} beside {weight.shape}")
    return weight


def _with_bias(y: Any, x: Any, weight: Any, bias: Any, single: bool) -> Any:
    if y.dtype.char == "d" and weight.dtype.char == "f":
        warn_wider(x)
    if bias is not None:
        y = y + np.reshape(bias, (-1, *[1] * (y.ndim - 2)))
    return y[0] if single else y


def _conv(who: str, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    dimensions = int(who[4])
    groups = each(who, "groups", groups, 1)[0]
    weight = _weight(who, weight, bias, dimensions, groups, 0)
    x, single = batched(who, array(x), dimensions)
    check_channels(who, x.shape, weight.shape, groups)
    steps, apart = each(who, "stride", stride, dimensions), each(who, "dilation", dilation, dimensions)
    around = pairs(who, padding, dimensions, weight.shape[2:], apart, steps)
    y = conv(x, weight, stride=steps, padding=around, dilation=apart, groups=groups)
    return _with_bias(y, x, weight, bias, single)


def _transposed(
    who: str, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any, groups: int, dilation: Any
) -> Any:
    dimensions = int(who[14])
    groups = each(who, "groups", groups, 1)[0]
    weight = _weight(who, weight, bias, dimensions, groups, 1)
    x, single = batched(who, array(x), dimensions)
    if x.shape[1] != len(weight) or len(weight) % groups:
        raise ValueError(
            f"{who} of x {x.shape} with a weight {weight.shape} in {groups} group{'s' * (groups > 1)}: the weight takes "
            f"{len(weight)} channels, and x has {x.shape[1]}"
        )
    steps, apart = each(who, "stride", stride, dimensions), each(who, "dilation", dilation, dimensions)
    pads, more = (
        each(who, "padding", padding, dimensions, 0),
        each(who, "output_padding", output_padding, dimensions, 0),
    )
    if any(extra >= max(step, d) for extra, step, d in zip(more, steps, apart, strict=True) if extra):
        raise ValueError(f"{who}'s output_padding, {more}, is less than its stride, {steps}, or its dilation, {apart}")
    size = tuple(
        [
            (p - 1) * s - 2 * pad + d * (k - 1) + 1 + extra
            for p, s, pad, d, k, extra in zip(x.shape[2:], steps, pads, apart, weight.shape[2:], more, strict=True)
        ]
    )
    if min(size) < 1:
        raise ValueError(f"{who} of x {x.shape} would give {size} places: take less padding than {pads}")
    around = tuple([(pad, pad) for pad in pads])
    y = conv_transpose(x, weight, size=size, stride=steps, padding=around, dilation=apart, groups=groups)
    return _with_bias(y, x, weight, bias, single)

"""Convolutions and pools: what slides windows over images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy

from tinygrad_edu.export.onnx_files.writing.layers import pad_constant, written_op
from tinygrad_edu.export.onnx_files.writing.written import CannotWriteError, graph_of

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _how(stride: Any, padding: Any, dilation: Any) -> dict[str, Any]:
    """Windows, as ONNX's attributes say them."""
    pads = [int(a) for a, _ in padding] + [int(b) for _, b in padding]
    return {"strides": list(map(int, stride)), "pads": pads, "dilations": list(map(int, dilation))}


def _positions(size: Sequence[int], kernel: Sequence[int], stride: Any, padding: Any, dilation: Any) -> list[int]:
    return [
        (n + a + b - d * (k - 1) - 1) // s + 1
        for n, k, s, (a, b), d in zip(size, kernel, stride, padding, dilation, strict=True)
    ]


@written_op
def conv(x: Any, w: Any, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    made = (x.shape[0], w.shape[0], *_positions(x.shape[2:], w.shape[2:], stride, padding, dilation))
    kind = np.result_type(x.dtype, w.dtype)
    attributes = {"kernel_shape": list(w.shape[2:]), "group": int(groups), **_how(stride, padding, dilation)}
    return graph_of(x, w).add("Conv", [x.astype(kind), w.astype(kind)], made, kind, **attributes)


@written_op
def conv_transpose(x: Any, w: Any, *, size: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    kernel = w.shape[2:]
    further = [
        n - (s * (p - 1) + d * (k - 1) + 1 - a - b)
        for n, p, k, s, (a, b), d in zip(size, x.shape[2:], kernel, stride, padding, dilation, strict=True)
    ]
    made = (x.shape[0], w.shape[1] * groups, *size)
    kind = np.result_type(x.dtype, w.dtype)
    return graph_of(x, w).add(
        "ConvTranspose", [x.astype(kind), w.astype(kind)], made, kind, kernel_shape=list(kernel), group=int(groups),
        output_padding=[int(n) for n in further], **_how(stride, padding, dilation),
    )  # fmt: skip


@written_op
def conv_weight(x: Any, s: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """A convolution in which examples and channels change places, and so do strides and dilations."""
    parts = []
    n, m = x.shape[1] // groups, s.shape[1] // groups
    for i in range(groups):
        data, slopes = x[:, i * n : (i + 1) * n], s[:, i * m : (i + 1) * m]
        data, slopes = np.swapaxes(data, 0, 1), np.swapaxes(slopes, 0, 1)
        made = conv(data, slopes, stride=dilation, padding=padding, dilation=stride, groups=1)
        made = made[(slice(None), slice(None), *[slice(0, k) for k in kernel])]
        parts.append(np.swapaxes(made, 0, 1))
    return np.concatenate(parts, axis=0)


def _padded(x: Any, padding: Any, fill: float) -> Any:
    """x with a border around its places."""
    if not any(a or b for a, b in padding):
        return x
    return pad_constant(x, ((0, 0), (0, 0), *padding), fill)


@written_op
def unfold_windows(x: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    n = len(kernel)
    positions = _positions(x.shape[2:], kernel, stride, padding, dilation)
    x = _padded(x, padding, 0)
    for i, (k, p, s, d) in enumerate(zip(kernel, positions, stride, dilation, strict=True)):
        places = (np.arange(k)[:, None] * d + np.arange(p) * s).astype(np.int64)
        made = (*x.shape[: 2 + 2 * i], k, p, *x.shape[3 + 2 * i :])
        x = x.graph.add("Gather", [x, places], made, x.dtype, axis=2 + 2 * i)
    return np.transpose(x, [0, 1, *range(2, 2 + 2 * n, 2), *range(3, 3 + 2 * n, 2)])


@written_op
def fold_windows(x: Any, *, size: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """A transposed convolution, whose kernels lay each number of a window in its place."""
    n = len(size)
    kernel, positions = x.shape[2 : 2 + n], x.shape[2 + n :]
    taps = math.prod(kernel)
    rows = np.reshape(x, (x.shape[0] * x.shape[1], taps, *positions))
    places = np.eye(taps, dtype=x.dtype).reshape(taps, 1, *kernel)
    y = conv_transpose(rows, places, size=size, stride=stride, padding=padding, dilation=dilation, groups=1)
    return np.reshape(y, (*x.shape[:2], *size))


# ---------------------------------------------------------------------------------------------------
# Pools


@written_op
def max_pool(x: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    return _max_pool(x, kernel, stride, padding, dilation)[0]


def _max_pool(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, places: bool = False) -> list[Any]:
    """The largest of each window, and its place among all elements of x."""
    made = (*x.shape[:2], *_positions(x.shape[2:], kernel, stride, padding, dilation))
    results: list[Any] = [(made, x.dtype), *([(made, np.int64)] if places else [])]
    attributes = {"kernel_shape": list(map(int, kernel)), **_how(stride, padding, dilation)}
    if any(b >= k or a >= k for k, (a, b) in zip(kernel, padding, strict=True)):
        if places:
            raise CannotWriteError("padding as wide as the window has no counterpart where places are asked for")
        x, attributes["pads"] = _padded(x, padding, -math.inf), [0] * (2 * len(kernel))
    return x.graph.several("MaxPool", [x], results, **attributes)


@written_op
def argmax_pool(x: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    return np.remainder(_max_pool(x, kernel, stride, padding, dilation, True)[1], math.prod(x.shape[2:]))


@written_op
def max_pool_gradient(s: Any, x: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    places = np.ravel(_max_pool(x, kernel, stride, padding, dilation, True)[1])
    zeros = np.zeros(x.size, s.dtype)
    laid = s.graph.add("ScatterElements", [zeros, places, np.ravel(s)], (x.size,), s.dtype, axis=0, reduction="add")
    return np.reshape(laid, x.shape)


@written_op
def sum_pool(x: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    made = (*x.shape[:2], *_positions(x.shape[2:], kernel, stride, padding, dilation))
    how = _how(stride, padding, dilation)
    if any(d != 1 for d in how.pop("dilations")) or x.dtype.kind != "f":
        ones = np.ones((x.shape[1], 1, *kernel), x.dtype)
        return conv(x, ones, stride=stride, padding=padding, dilation=dilation, groups=x.shape[1])
    how["pads"] = [0] * (2 * len(kernel))
    x = _padded(x, padding, 0)
    mean = x.graph.add("AveragePool", [x], made, x.dtype, kernel_shape=list(map(int, kernel)), **how)
    return mean * float(math.prod(kernel))


@written_op
def spread_windows(x: Any, *, size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    ones = np.ones((x.shape[1], 1, *kernel), x.dtype)
    return conv_transpose(x, ones, size=size, stride=stride, padding=padding, dilation=dilation, groups=x.shape[1])

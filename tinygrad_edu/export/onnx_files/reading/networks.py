"""Operators of ONNX that slide windows over images, change their size, attend, or go through time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from tinygrad_edu.export.onnx_files.reading.operators import ONLY, OPERATORS, Late, numbers
from tinygrad_edu.export.onnx_files.writing.recurrent import ORDERS
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops.network.convolution.trilinear import conv, conv_transpose
from tinygrad_edu.ops.network.pooling import argmax_pool, max_pool, sum_pool

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _windows(
    size: Sequence[int], kernel: Sequence[int], strides: Any, pads: Any, dilations: Any, auto_pad: str, ceil: int = 0
) -> tuple[dict[str, Any], list[int]]:
    """The settings of the windows; and how far they reach over the border that is asked for, at the end of each axis."""
    n = len(kernel)
    stride = tuple(strides or [1] * n)
    dilation = tuple(dilations or [1] * n)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        missing = [max(0, (-(-m // s) - 1) * s + r - m) for m, s, r in zip(size, stride, reach, strict=True)]
        less = [m // 2 for m in missing]
        pairs = [(a, m - a) if auto_pad == "SAME_UPPER" else (m - a, a) for a, m in zip(less, missing, strict=True)]
    else:
        given = [0] * 2 * n if pads is None or auto_pad == "VALID" else list(pads)
        pairs = list(zip(given[:n], given[n:], strict=True))
    further = [0] * n
    if ceil:
        for i, (m, s, r, (a, b)) in enumerate(zip(size, stride, reach, pairs, strict=True)):
            positions = -(-(m + a + b - r) // s) + 1
            positions -= (positions - 1) * s >= m + a  # a window that begins behind the numbers is none
            further[i] = max(0, (positions - 1) * s + r - (m + a + b))
    return {"stride": stride, "padding": tuple(pairs), "dilation": dilation}, further


def Conv(
    x: Any, w: Any, b: Any = None, *, kernel_shape: Any = None, strides: Any = None, pads: Any = None, dilations: Any = None,
    group: int = 1, auto_pad: str = "NOTSET",
) -> Any:  # fmt: skip
    how, _ = _windows(x.shape[2:], w.shape[2:], strides, pads, dilations, auto_pad)
    return _with_bias(conv(x, w, groups=group, **how), b)


def _with_bias(y: Any, b: Any) -> Any:
    return y if b is None else y + np.reshape(b, (-1,) + (1,) * (y.ndim - 2))


def ConvTranspose(
    x: Any, w: Any, b: Any = None, *, kernel_shape: Any = None, strides: Any = None, pads: Any = None, dilations: Any = None,
    group: int = 1, auto_pad: str = "NOTSET", output_padding: Any = None, output_shape: Any = None,
) -> Any:  # fmt: skip
    how, _ = _windows(x.shape[2:], w.shape[2:], strides, pads, dilations, auto_pad)
    size = [
        s * (p - 1) + d * (k - 1) + 1 - a - c + o
        for p, k, s, d, (a, c), o in zip(
            x.shape[2:], w.shape[2:], how["stride"], how["dilation"], how["padding"],
            output_padding or [0] * (x.ndim - 2), strict=True,
        )
    ]  # fmt: skip
    return _with_bias(conv_transpose(x, w, size=tuple(size), groups=group, **how), b)


def _reaching(how: dict[str, Any], further: Sequence[int]) -> dict[str, Any]:
    return {**how, "padding": tuple([(a, b + c) for (a, b), c in zip(how["padding"], further, strict=True)])}


def MaxPool(
    x: Any, *, kernel_shape: Any, strides: Any = None, pads: Any = None, dilations: Any = None, auto_pad: str = "NOTSET",
    ceil_mode: int = 0, storage_order: int = 0,
) -> Any:  # fmt: skip
    how, further = _windows(x.shape[2:], kernel_shape, strides, pads, dilations, auto_pad, ceil_mode)
    settings = {"kernel": tuple(kernel_shape), **_reaching(how, further)}
    y = max_pool(x, **settings)
    images = np.arange(x.shape[0] * x.shape[1]).reshape((*x.shape[:2],) + (1,) * (x.ndim - 2)) * math.prod(x.shape[2:])
    return y, Late(lambda: argmax_pool(x, **settings) + images)


def AveragePool(
    x: Any, *, kernel_shape: Any, strides: Any = None, pads: Any = None, dilations: Any = None, auto_pad: str = "NOTSET",
    ceil_mode: int = 0, count_include_pad: int = 0,
) -> Any:  # fmt: skip
    how, further = _windows(x.shape[2:], kernel_shape, strides, pads, dilations, auto_pad, ceil_mode)
    settings = {"kernel": tuple(kernel_shape), **_reaching(how, further)}
    ones = np.ones((1, 1, *x.shape[2:]), x.dtype)
    if count_include_pad:
        ones = np.pad(ones, [(0, 0), (0, 0), *how["padding"]], constant_values=1)
        counts = sum_pool(ones, **{**settings, "padding": tuple([(0, c) for c in further])})
    else:
        counts = sum_pool(ones, **settings)
    return sum_pool(x, **settings) / counts


def GlobalAveragePool(x: Any) -> Any:
    return np.mean(x, axis=tuple(range(2, x.ndim)), keepdims=True)


def GlobalMaxPool(x: Any) -> Any:
    return np.max(x, axis=tuple(range(2, x.ndim)), keepdims=True)


def LpPool(
    x: Any, *, kernel_shape: Any, p: int = 2, strides: Any = None, pads: Any = None, dilations: Any = None,
    auto_pad: str = "NOTSET", ceil_mode: int = 0,
) -> Any:  # fmt: skip
    how, further = _windows(x.shape[2:], kernel_shape, strides, pads, dilations, auto_pad, ceil_mode)
    total = sum_pool(np.power(np.absolute(x), p), kernel=tuple(kernel_shape), **_reaching(how, further))
    return np.power(total, 1 / p)


def Col2Im(
    x: Any, image_shape: Any, block_shape: Any, *, dilations: Any = None, pads: Any = None, strides: Any = None
) -> Any:
    from tinygrad_edu.ops.network.convolution.unrolling import fold_windows

    size, kernel = numbers(image_shape), numbers(block_shape)
    how, _ = _windows(size, kernel, strides, pads, dilations, "NOTSET")
    positions = [
        (n + a + b - d * (k - 1) - 1) // s + 1
        for n, k, s, d, (a, b) in zip(size, kernel, how["stride"], how["dilation"], how["padding"], strict=True)
    ]
    parts = np.reshape(x, (x.shape[0], x.shape[1] // math.prod(kernel), *kernel, *positions))
    return fold_windows(parts, size=tuple(size), **how)


CENTERS = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")


def Resize(
    x: Any, roi: Any = None, scales: Any = None, sizes: Any = None, *, mode: str = "nearest", antialias: int = 0,
    coordinate_transformation_mode: str = "half_pixel", nearest_mode: str = "round_prefer_floor", cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0, extrapolation_value: float = 0.0, axes: Any = None, keep_aspect_ratio_policy: str = "stretch",
) -> Any:  # fmt: skip
    ways = {"linear": {1: "linear", 2: "bilinear", 3: "trilinear"}.get(x.ndim - 2, ""), "cubic": "bicubic"}
    way = (
        ("nearest" if coordinate_transformation_mode == "asymmetric" else "nearest-exact")
        if mode == "nearest"
        else ways[mode]
    )
    corners = {"align_corners": coordinate_transformation_mode == "align_corners"} if mode != "nearest" else {}
    lead = 0 if axes is not None else 2
    if sizes is not None and numbers(sizes):
        return F.interpolate(x, size=tuple(numbers(sizes)[lead:]), mode=way, **corners)
    return F.interpolate(x, scale_factor=tuple(numbers(scales)[lead:]), mode=way, **corners)


# ---------------------------------------------------------------------------------------------------
# Recurrent layers


def _gates(x: Any, kind: str) -> Any:
    """The gates along the first axis of x, in the order that the layers here have."""
    order = ORDERS[kind]
    n = x.shape[0] // len(order)
    back = np.argsort(order)
    return np.take(x, np.concatenate([np.arange(k * n, (k + 1) * n) for k in back]), axis=0)


def _recurrent(
    kind: str, x: Any, w: Any, r: Any, b: Any, lengths: Any, states: Sequence[Any], direction: str, take: Any
) -> Any:
    """All directions of a layer: the results of all steps, (T, D, N, H), and the last of each state, (D, N, H)."""
    steps, rows = x.shape[:2]
    n = r.shape[-1]
    mask = None if lengths is None else np.arange(steps)[:, None] < np.reshape(lengths, (1, -1))
    ys, last = [], []
    for d in range(w.shape[0]):
        reverse = direction == "reverse" or d == 1
        first = [np.zeros((rows, n), x.dtype) if s is None else s[d] for s in states]
        width = w.shape[1]
        biases = [None, None] if b is None else [_gates(part, kind) for part in (b[d][:width], b[d][width:])]
        y, after = take(x, first, _gates(w[d], kind).T, _gates(r[d], kind).T, *biases, mask=mask, reverse=reverse)
        ys.append(y)
        last.append(after if isinstance(after, tuple) else (after,))
    return np.stack(ys, axis=1), *[np.stack(parts) for parts in zip(*last, strict=True)]


def LSTM(
    x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h0: Any = None, c0: Any = None, *, hidden_size: int = 0,
    direction: str = "forward", activations: Any = None, layout: int = 0, input_forget: int = 0,
) -> Any:  # fmt: skip
    return _recurrent(
        "LSTM", x, w, r, b, lengths, (h0, c0), direction, lambda x, s, *a, **how: F.lstm(x, tuple(s), *a, **how)
    )


def GRU(
    x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h0: Any = None, *, hidden_size: int = 0,
    direction: str = "forward", activations: Any = None, layout: int = 0, linear_before_reset: int = 0,
) -> Any:  # fmt: skip
    return _recurrent("GRU", x, w, r, b, lengths, (h0,), direction, lambda x, s, *a, **how: F.gru(x, s[0], *a, **how))


def RNN(
    x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, h0: Any = None, *, hidden_size: int = 0,
    direction: str = "forward", activations: Any = None, layout: int = 0,
) -> Any:  # fmt: skip
    kind: Any = (activations or ["Tanh"])[0].lower()

    def take(x: Any, states: Sequence[Any], w: Any, r: Any, b: Any, c: Any, **how: Any) -> Any:
        return F.rnn(x, states[0], w, r, b, c, kind, **how)

    return _recurrent("RNN", x, w, r, b, lengths, (h0,), direction, take)


def Attention(
    q: Any, k: Any, v: Any, mask: Any = None, past_key: Any = None, past_value: Any = None, *, is_causal: int = 0,
    q_num_heads: int = 0, kv_num_heads: int = 0, scale: float | None = None, softcap: float = 0.0,
    softmax_precision: int = 0, qk_matmul_output_mode: int = 0,
) -> Any:  # fmt: skip
    together = q.ndim == 3
    if together:  # the heads of a query lie side by side
        q, k, v = [_heads(x, n) for x, n in zip((q, k, v), (q_num_heads, kv_num_heads, kv_num_heads), strict=True)]
    if past_key is not None:
        k, v = np.concatenate([past_key, k], axis=2), np.concatenate([past_value, v], axis=2)
    kept = k, v
    if q.shape[1] != k.shape[1]:  # several heads of queries look at one of keys
        k, v = [np.repeat(x, q.shape[1] // k.shape[1], axis=1) for x in (k, v)]
    y = F.scaled_dot_product_attention(q, k, v, mask, is_causal=bool(is_causal), scale=scale)
    if together:
        y = np.swapaxes(y, 1, 2)
        y = np.reshape(y, (*y.shape[:2], -1))
    return y, *kept


def _heads(x: Any, n: int) -> Any:
    return np.swapaxes(np.reshape(x, (*x.shape[:2], n, -1)), 1, 2)


_TWICE = [None, ["Sigmoid", "Tanh", "Tanh"], ["Sigmoid", "Tanh", "Tanh"] * 2]
_KINDS: dict[Callable[..., Any], dict[str, tuple[Any, ...]]] = {
    Conv: {},
    ConvTranspose: {"auto_pad": ("NOTSET",), "output_shape": (None,)},
    MaxPool: {"storage_order": (0,)},
    AveragePool: {},
    GlobalAveragePool: {},
    GlobalMaxPool: {},
    LpPool: {},
    Col2Im: {},
    Attention: {"softcap": (0.0,), "qk_matmul_output_mode": (0,)},
    Resize: {
        "mode": ("nearest", "linear", "cubic"),
        "antialias": (0,),
        "coordinate_transformation_mode": CENTERS,
        "cubic_coeff_a": (-0.75,),
        "exclude_outside": (0,),
        "keep_aspect_ratio_policy": ("stretch",),
        "nearest_mode": ("floor", "round_prefer_floor", "round_prefer_ceil"),
    },
    LSTM: {"layout": (0,), "input_forget": (0,), "activations": tuple(_TWICE)},
    GRU: {
        "layout": (0,),
        "linear_before_reset": (1,),
        "activations": (None, ["Sigmoid", "Tanh"], ["Sigmoid", "Tanh"] * 2),
    },
    RNN: {"layout": (0,), "activations": (None, ["Tanh"], ["Relu"], ["Tanh"] * 2, ["Relu"] * 2)},
}
for _function, _only in _KINDS.items():
    OPERATORS[_function.__name__], ONLY[_function.__name__] = _function, _only

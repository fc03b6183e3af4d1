"""Ops that ONNX has as whole nodes, or whose forward functions are more than a formula: activations, convolutions, pools."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy

from tinygrad_edu.export.onnx_files.writing.functions import from_diagonal
from tinygrad_edu.export.onnx_files.writing.indexing import getitem
from tinygrad_edu.export.onnx_files.writing.orders import ranked, recurrence, taken_along
from tinygrad_edu.export.onnx_files.writing.products import histogram
from tinygrad_edu.export.onnx_files.writing.ufuncs import softplus
from tinygrad_edu.export.onnx_files.writing.written import WHOLE, Written, graph_of, whole
from tinygrad_edu.ops.network.attention.products import attention_weights

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

F = TypeVar("F", bound=Callable[..., Any])


def written_op(f: F) -> F:
    """Enter what the op of this name writes."""
    WHOLE[f.__name__] = f
    return f


WHOLE.update(from_diagonal=from_diagonal, recurrence=recurrence, softplus=softplus)


# ---------------------------------------------------------------------------------------------------
# Parts


@written_op
def item(x: Any, index: int) -> Any:
    return x[index]


@written_op
def alias(x: Any) -> Any:
    return x


@written_op
def argument(x: Any) -> Any:
    return x


@written_op
def copy(x: Any) -> Any:
    return x


@written_op
def zero(x: Any) -> Any:
    return np.broadcast_to(np.zeros((), x.dtype), x.shape)


@written_op
def cut_off(x: Any, where: Any, *, orders: int) -> Any:
    return zero(x)


@written_op
def agreed(x: Any, where: Any) -> Any:
    return np.where(where, 0, x)


@written_op
def gate(a: Any, mask: Any) -> Any:
    return np.where(mask, a, 0)


@written_op
def expand(x: Any, shape: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    if axis is not None and x.ndim != len(shape):
        axes = [a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))]
        x = np.expand_dims(x, tuple(axes))
    return np.broadcast_to(x, shape)


@written_op
def channel_sum(x: Any) -> Any:
    return np.add.reduce(x, axis=(0, *range(2, x.ndim)))


@written_op
def constant_power(x: Any, exponent: Any) -> Any:
    return np.power(x, exponent)


@written_op
def weighed(weight: Any, log_probability: Any) -> Any:
    impossible = np.logical_and(np.equal(log_probability, -math.inf), np.equal(weight, 0))
    return weight * np.where(impossible, 0, log_probability)


@written_op
def pad_constant(x: Any, pad_width: Any, constant_values: Any) -> Any:
    pads = whole(*[a for a, _ in pad_width], *[b for _, b in pad_width])
    made = [a + n + b for (a, b), n in zip(pad_width, x.shape, strict=True)]
    return x.graph.add("Pad", [x, pads, np.asarray(constant_values, x.dtype)], made, x.dtype) if x.ndim else x


@written_op
def sort(x: Any, axis: Any = -1) -> Any:
    return ranked(x.ravel(), 0) if axis is None else ranked(x, axis)


@written_op
def partition(x: Any, kth: Any, axis: Any) -> Any:
    return sort(x, axis)  # everything in order is more than was asked for


@written_op
def quantile_at(
    x: Any, q: float, axis: Any = None, *, method: str = "linear", keepdims: bool = False, skip_nan: bool = False
) -> Any:
    find = np.nanquantile if skip_nan else np.quantile
    return find(x, q, axis=axis, method=method, keepdims=keepdims)


@written_op
def counted(x: Any, edges: Any, weights: Any) -> Any:
    return histogram(x, edges, weights)[0]


@written_op
def unstack(x: Any, axis: int = 0) -> Any:
    return tuple([getitem(x, key=(*[(None, None, None)] * (axis % x.ndim), i)) for i in range(x.shape[axis])])


@written_op
def split(x: Any, indices: Any, axis: int) -> Any:
    return tuple(np.split(x, indices, axis))


@written_op
def logsumexp(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    x = x if x.dtype.kind == "f" else x.astype(float)
    if not x.size:
        return np.log(np.add.reduce(x, axis=axis, keepdims=keepdims))
    m = np.maximum.reduce(x, axis=axis, keepdims=True)
    m = np.where(np.isfinite(m), m, 0)
    total = np.log(np.add.reduce(np.exp(x - m), axis=axis, keepdims=keepdims))
    return total + (m if keepdims else _as(m, total))


def _as(x: Any, y: Any) -> Any:
    """x, whose axes of length 1 y lacks, in the shape of y."""
    return x if x.shape == y.shape else np.reshape(x, y.shape)


# ---------------------------------------------------------------------------------------------------
# Activations


def _activation(name: str, kind: str, **attributes: Any) -> None:
    def write(x: Any) -> Any:
        x = x if x.dtype.kind == "f" else x.astype(float)
        return x.graph.add(kind, [x], x.shape, x.dtype, **attributes)

    WHOLE[name] = write


for _name, _kind in {"sigmoid": "Sigmoid", "softsign": "Softsign", "hardswish": "HardSwish"}.items():
    _activation(_name, _kind)
_activation("selu", "Selu", alpha=1.6732632423543772, gamma=1.0507009873554805)
_activation("hardsigmoid", "HardSigmoid", alpha=1 / 6, beta=0.5)


@written_op
def relu(x: Any) -> Any:
    return x.graph.add("Relu", [x], x.shape, x.dtype) if x.dtype.kind == "f" else np.maximum(x, 0)


@written_op
def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    if negative_slope == 0:
        return relu(x)
    return x.graph.add("LeakyRelu", [x], x.shape, x.dtype, alpha=float(negative_slope))


@written_op
def elu(x: Any, alpha: float = 1.0) -> Any:
    x = x if x.dtype.kind == "f" else x.astype(float)
    return x.graph.add("Elu", [x], x.shape, x.dtype, alpha=float(alpha))


@written_op
def prelu(x: Any, weight: Any) -> Any:
    made = np.broadcast_shapes(x.shape, weight.shape)
    x = x if x.dtype.kind == "f" else x.astype(float)
    if made != x.shape or weight.dtype != x.dtype:
        return np.maximum(x, 0) + np.minimum(x, 0) * weight
    return graph_of(x, weight).add("PRelu", [x, weight], made, x.dtype)


@written_op
def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    return np.clip(x if x.dtype.kind == "f" else x.astype(float), min_val, max_val)


@written_op
def silu(x: Any) -> Any:
    return x * WHOLE["sigmoid"](x)


@written_op
def mish(x: Any) -> Any:
    x = x if x.dtype.kind == "f" else x.astype(float)
    return x.graph.add("Mish", [x], x.shape, x.dtype)


@written_op
def logsigmoid(x: Any) -> Any:
    return -softplus(-(x if x.dtype.kind == "f" else x.astype(float)))


@written_op
def normal_cdf(x: Any) -> Any:
    x = x if x.dtype.kind == "f" else x.astype(float)
    return (x.graph.add("Erf", [x * math.sqrt(0.5)], x.shape, x.dtype) + 1) * 0.5


@written_op
def gelu(x: Any, approximate: str = "none") -> Any:
    x = x if x.dtype.kind == "f" else x.astype(float)
    if approximate == "none":
        return x * normal_cdf(x)
    return x * WHOLE["sigmoid"](x * (x * x * 0.044715 + 1) * math.sqrt(8 / math.pi))


@written_op
def gelu_slope(x: Any) -> Any:
    x = x if x.dtype.kind == "f" else x.astype(float)
    return normal_cdf(x) + x * np.exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))


def _softmax(kind: str) -> Callable[..., Any]:
    def write(x: Any, axis: Any = -1) -> Any:
        x = x if x.dtype.kind == "f" else x.astype(float)
        axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        if not x.ndim:
            return x - x + (kind == "Softmax")
        if len(axes) == 1:
            return x.graph.add(kind, [x], x.shape, x.dtype, axis=axes[0] % x.ndim)
        order = [i for i in range(x.ndim) if i not in {a % x.ndim for a in axes}]
        rest = [a % x.ndim for a in axes]
        rows = x.transpose([*order, *rest])
        made = write(rows.reshape([x.shape[i] for i in order] + [-1]), -1).reshape(rows.shape)
        return made.transpose(np.argsort([*order, *rest]).tolist())

    return write


WHOLE["softmax"], WHOLE["log_softmax"] = _softmax("Softmax"), _softmax("LogSoftmax")


# ---------------------------------------------------------------------------------------------------
# Standardizing, embedding, attention


@written_op
def standardize(x: Any, axis: tuple[int, ...], eps: float, centered: bool) -> Any:
    x = x if x.dtype.kind == "f" else x.astype(float)
    axes = sorted(a % x.ndim for a in axis)
    shape = [1 if i in axes else n for i, n in enumerate(x.shape)]
    if centered and axes == list(range(x.ndim - len(axes), x.ndim)):
        ones = np.ones([x.shape[a] for a in axes], x.dtype)
        results = [(x.shape, x.dtype), (shape, x.dtype), (shape, x.dtype)]
        y, m, r = x.graph.several("LayerNormalization", [x, ones], results, axis=axes[0] - x.ndim, epsilon=float(eps))
        return y, r, m
    m = x.reduced("ReduceMean", tuple(axes), True) if centered else np.zeros(shape, x.dtype)
    d = x - m if centered else x
    r = np.reciprocal(np.sqrt((d * d).reduced("ReduceMean", tuple(axes), True) + eps))
    return d * r, r, m


@written_op
def embedding(weight: Any, numbers: Any, padding_idx: Any) -> Any:
    made = (*numbers.shape, *weight.shape[1:])
    return graph_of(weight, numbers).add("Gather", [weight, numbers.astype(np.int64)], made, weight.dtype, axis=0)


@written_op
def one_hot(indices: Any, num_classes: int, dtype: str) -> Any:
    return np.equal(np.expand_dims(indices, -1), np.arange(num_classes)).astype(dtype)


@written_op
def attention(q: Any, k: Any, v: Any, mask: Any, kept: Any, *, scale: float, causal: bool) -> Any:
    kind = np.result_type(q.dtype, k.dtype, v.dtype)
    weights = attention_weights(q, k, np.asarray(mask, kind) if not isinstance(mask, Written) else mask, scale, causal)
    if isinstance(kept, Written) or np.any(np.asarray(kept) != 1):
        weights = weights * kept
    return np.matmul(weights, v)


@written_op
def attention_slopes(g: Any, q: Any, k: Any, v: Any, mask: Any, kept: Any, *, scale: float, causal: bool) -> Any:
    weights = attention_weights(q, k, mask, scale, causal)
    r = np.matmul(g, v.mT) * kept
    s = weights * (r - np.add.reduce(r * weights, axis=-1, keepdims=True)) * scale
    return np.matmul(s, k), np.matmul(s.mT, q), np.matmul((weights * kept).mT, g)


# ---------------------------------------------------------------------------------------------------
# Losses


@written_op
def class_numbers(target: Any, classes: int, ignore_index: int = -100) -> Any:
    return np.where(np.equal(target, ignore_index), 0, target)


@written_op
def softmax_cross_entropy(logits: Any, target: Any, reduction: str = "mean", ignore_index: int = -100) -> Any:
    x = logits if logits.dtype.kind == "f" else logits.astype(float)
    kept = np.not_equal(target, ignore_index)
    chosen = np.expand_dims(np.where(kept, target, 0).astype(np.int64), -1)
    logs = WHOLE["log_softmax"](x, 1)
    losses = np.where(kept, -taken_along(logs, chosen, 1)[:, 0], 0)
    count = np.add.reduce(kept.astype(x.dtype)) if isinstance(kept, Written) else np.asarray(np.sum(kept), x.dtype)
    slope = (np.exp(logs) - np.equal(chosen, np.arange(x.shape[1])).astype(x.dtype)) * np.expand_dims(kept, -1).astype(
        x.dtype
    )
    share = np.reciprocal(count) if reduction == "mean" else np.ones((), x.dtype)
    loss = losses if reduction == "none" else np.add.reduce(losses)
    return (loss / count if reduction == "mean" else loss), (slope * share).T, share


@written_op
def sigmoid_cross_entropy(logits: Any, target: Any) -> Any:
    x = logits if logits.dtype.kind == "f" else logits.astype(float)
    loss = np.maximum(x, 0) - x * target + softplus(-np.abs(x))
    sure = np.where(np.equal(target, (x > 0).astype(x.dtype)), 0, math.inf)
    return np.where(np.isinf(x), sure, loss).astype(loss.dtype)


@written_op
def probability_cross_entropy(probability: Any, target: Any) -> Any:
    p = probability if probability.dtype.kind == "f" else probability.astype(float)
    return -(target * np.maximum(np.log(p), -100) + (1 - target) * np.maximum(np.log1p(-p), -100))

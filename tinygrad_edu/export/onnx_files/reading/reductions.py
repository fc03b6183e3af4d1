"""Operators of ONNX that add up: reductions, products, normalization; and orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from tinygrad_edu.export.onnx_files.reading.operators import ONLY, OPERATORS, Late, numbers, operator
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops.network.softmax import logsumexp
from tinygrad_edu.ops.network.standardizing import standardize
from tinygrad_edu.ops.reductions import mean

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _reduction(kind: str, reduce: Callable[..., Any]) -> None:
    def operator(
        x: Any, given: Any = None, *, axes: Any = None, keepdims: int = 1, noop_with_empty_axes: int = 0
    ) -> Any:
        along = axes if given is None else numbers(given)
        none = () if noop_with_empty_axes else None
        return reduce(x, axis=tuple(along) if along else none, keepdims=bool(keepdims))

    OPERATORS[kind], ONLY[kind] = operator, {}


for _kind, _reduce in {
    "ReduceSum": np.sum, "ReduceProd": np.prod, "ReduceMax": np.max, "ReduceMin": np.min, "ReduceMean": mean,
    "ReduceL1": lambda x, **how: np.sum(np.absolute(x), **how), "ReduceL2": lambda x, **how: np.sqrt(np.sum(np.square(x), **how)),
    "ReduceSumSquare": lambda x, **how: np.sum(np.square(x), **how), "ReduceLogSum": lambda x, **how: np.log(np.sum(x, **how)),
    "ReduceLogSumExp": lambda x, **how: logsumexp(x, **how),
}.items():  # fmt: skip
    _reduction(_kind, _reduce)


@operator(select_last_index=(0,))
def ArgMax(x: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
    return np.argmax(x, axis=axis, keepdims=bool(keepdims))


@operator(select_last_index=(0,))
def ArgMin(x: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
    return np.argmin(x, axis=axis, keepdims=bool(keepdims))


@operator()
def TopK(x: Any, k: Any, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    order = np.argsort(-x if largest else x, axis=axis, stable=True)
    first = [slice(None)] * x.ndim
    first[axis] = slice(0, numbers(k)[0])
    places = order[tuple(first)]
    return np.take_along_axis(x, places, axis), places


# ---------------------------------------------------------------------------------------------------
# Products


@operator()
def MatMul(a: Any, b: Any) -> Any:
    return np.matmul(a, b)


@operator()
def Gemm(
    a: Any, b: Any, c: Any = None, *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0
) -> Any:
    y = np.matmul(a.T if transA else a, b.T if transB else b)
    y = y if alpha == 1 else y * alpha
    return y if c is None else y + (c if beta == 1 else c * beta)


@operator()
def Einsum(*xs: Any, equation: str) -> Any:
    return np.einsum(equation, *xs)


# ---------------------------------------------------------------------------------------------------
# Normalization


def _beside(v: Any, x: Any) -> Any:
    """v, which has one number for each channel, in a shape that broadcasts with x."""
    return np.reshape(v, (-1,) + (1,) * (x.ndim - 2))


@operator(training_mode=(0,))
def BatchNormalization(
    x: Any,
    scale: Any,
    bias: Any,
    m: Any,
    v: Any,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> Any:
    return F.batch_norm(x, m, v, scale, bias, training=False, eps=epsilon)


@operator()
def InstanceNormalization(x: Any, scale: Any, bias: Any, *, epsilon: float = 1e-5) -> Any:
    y = standardize(x, axis=tuple(range(2, x.ndim)), eps=epsilon)
    return y * _beside(scale, x) + _beside(bias, x)


@operator(stash_type=(1,))
def LayerNormalization(
    x: Any, scale: Any, bias: Any = None, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Any:
    axes = tuple(range(axis % x.ndim, x.ndim))
    y = standardize(x, axis=axes, eps=epsilon) * scale

    def inverse() -> Any:
        d = x - mean(x, axis=axes, keepdims=True)
        return np.reciprocal(np.sqrt(mean(np.square(d), axis=axes, keepdims=True) + epsilon))

    return (y if bias is None else y + bias), Late(lambda: mean(x, axis=axes, keepdims=True)), Late(inverse)


@operator(stash_type=(1,))
def GroupNormalization(
    x: Any, scale: Any, bias: Any, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Any:
    y = standardize(np.reshape(x, (x.shape[0], num_groups, -1)), axis=(2,), eps=epsilon)
    return np.reshape(y, x.shape) * _beside(scale, x) + _beside(bias, x)


@operator(stash_type=(1,))
def RMSNormalization(x: Any, scale: Any, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1) -> Any:
    return standardize(x, axis=tuple(range(axis % x.ndim, x.ndim)), eps=epsilon, centered=False) * scale

"""What NumPy's functions write that go along an axis: running sums, orders, quantiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu.export.onnx_files.writing.functions import function, sliced
from tinygrad_edu.export.onnx_files.writing.written import CannotWriteError, graph_of, whole

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


@function
def cumsum(x: Any, axis: Any = None) -> Any:
    x, axis = (x.ravel(), 0) if axis is None else (x, axis)
    kind = np.add.accumulate(np.zeros(1, x.dtype)).dtype
    x = x.astype(kind)
    return x.graph.add("CumSum", [x, np.array(axis, np.int64)], x.shape, kind) if x.size else x


def shifted(x: Any, axis: int, by: int, fill: float) -> Any:
    """x moved on by so many places along an axis, with `fill` before it."""
    n = x.shape[axis]
    border = np.full([by if i == axis % x.ndim else m for i, m in enumerate(x.shape)], fill, x.dtype)
    return np.concatenate([border, sliced(x, axis, 0, n - by)], axis=axis)


@function
def cumprod(x: Any, axis: Any = None) -> Any:
    """Products of 2, 4, 8 and so on numbers: about log₂ n steps, for ONNX has no running product."""
    x, axis = (x.ravel(), 0) if axis is None else (x, axis)
    x = x.astype(np.multiply.accumulate(np.zeros(1, x.dtype)).dtype)
    by = 1
    while by < x.shape[axis]:
        x = x * shifted(x, axis, by, 1)
        by *= 2
    return x


def recurrence(a: Any, b: Any) -> Any:
    """yₜ = aₜ·yₜ₋₁ + bₜ, in about log₂ n steps: two steps in a row are one of the same form."""
    made = np.broadcast_shapes(a.shape, b.shape)
    kind = np.result_type(a.dtype, b.dtype)
    a, b = [np.broadcast_to(x.astype(kind), made) for x in (a, b)]
    by = 1
    while by < made[-1]:
        b = b + a * shifted(b, -1, by, 0)
        a = a * shifted(a, -1, by, 1)
        by *= 2
    return b


def ranked(x: Any, axis: int) -> tuple[Any, Any]:
    """x in rising order along an axis, and the places of its elements there. Equal ones keep their order."""
    n = x.shape[axis]
    if not x.size:
        return x, np.zeros(x.shape, np.int64)
    results = [(x.shape, x.dtype), (x.shape, np.int64)]
    values, places = x.graph.several("TopK", [x, whole(n)], results, axis=axis % x.ndim, largest=0, sorted=1)
    return values, places


@function
def argsort(x: Any, axis: Any = -1, **_: Any) -> Any:
    return ranked(x.ravel(), 0)[1] if axis is None else ranked(x, axis)[1]


@function
def median(x: Any, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
    return quantile(x, 0.5, axis, keepdims=keepdims)


@function
def quantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False, **_: Any) -> Any:
    """Weights, which n, q and the method give, on the elements in order: all but two are 0."""
    rows, back = _in_rows(x, axis, keepdims)
    n = rows.shape[-1]
    steps = np.tril(np.ones((n + 1, n)), -1)[:, ::-1]  # 0 up to a place, and 1 from there on: their quantiles are sums
    weights = np.diff(np.quantile(steps, float(q), axis=1, method=method))  # of the weights behind it
    found: Any = 0
    for i in np.flatnonzero(np.abs(weights[::-1]) > 1e-12).tolist():
        found = found + ranked(rows, -1)[0][..., i] * float(weights[::-1][i])
    broken = np.logical_or.reduce(np.isnan(rows), axis=-1)
    return back(np.where(broken, math.nan, found))


@function
def nanmedian(x: Any, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
    return nanquantile(x, 0.5, axis, keepdims=keepdims)


@function
def nanquantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False, **_: Any) -> Any:
    """Write the quantile of the numbers that are not NaN in each row: how many those are is known only when the graph is run."""
    if method != "linear":
        raise CannotWriteError(f"np.nanquantile with method={method!r} has no counterpart; take method='linear'")
    rows, back = _in_rows(x, axis, keepdims)
    gone = np.isnan(rows)
    order = ranked(np.where(gone, math.inf, rows), -1)[0]
    last = (rows.shape[-1] - 1) - gone.reduced("ReduceSum", -1, True, np.int64)
    place = np.maximum(last, 0).astype(rows.dtype) * float(q)
    low = np.floor(place)
    below, above = [taken_along(order, i.astype(np.int64), -1) for i in (low, np.ceil(place))]
    found = np.where(last < 0, math.nan, below + np.where(np.equal(below, above), 0, above - below) * (place - low))
    return back(found[..., 0])


def taken_along(x: Any, places: Any, axis: int) -> Any:
    """Write `np.take_along_axis` as one operator."""
    return graph_of(x, places).add("GatherElements", [x, places], places.shape, x.dtype, axis=axis % x.ndim)


def _in_rows(x: Any, axis: Any, keepdims: bool) -> tuple[Any, Callable[[Any], Any]]:
    """x with the axes of a reduction as one, the last; and what makes a result's shape of one number for each row."""
    x = x if x.dtype.kind == "f" else x.astype(float)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    others = [i for i in range(x.ndim) if i not in axes]
    made = [n if i in others else 1 for i, n in enumerate(x.shape) if keepdims or i in others]
    laid = x.transpose([*others, *axes]) if x.ndim else x
    return laid.reshape([x.shape[i] for i in others] + [-1]), lambda y: y.reshape(made)

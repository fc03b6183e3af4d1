"""What NumPy's functions write that are no ufuncs: shapes, joining, choosing, sorting."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu.export.onnx_files.writing.written import FUNCTIONS, CannotWriteError, Written, graph_of, truth, whole

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

F = TypeVar("F", bound=Callable[..., Any])


def function(f: F) -> F:
    """Enter what NumPy's function of this name writes."""
    FUNCTIONS[f.__name__.strip("_")] = f
    return f


def _static(x: Any) -> Any:
    """An array of the shape of x, of no memory, to ask NumPy for shapes."""
    return np.broadcast_to(np.int8(0), x.shape)


# ---------------------------------------------------------------------------------------------------
# What only tells


@function
def shape(x: Any) -> Any:
    return x.shape


@function
def ndim(x: Any) -> Any:
    return x.ndim


@function
def size(x: Any) -> Any:
    return x.size


@function
def result_type(*xs: Any) -> Any:
    return np.result_type(*[x.dtype if isinstance(x, Written) else x for x in xs])


@function
def may_share_memory(*_: Any) -> bool:
    return False


# ---------------------------------------------------------------------------------------------------
# Shapes


@function
def reshape(x: Any, shape: Any, **_: Any) -> Any:
    return x.reshape(shape)


@function
def ravel(x: Any, **_: Any) -> Any:
    return x.ravel()


@function
def transpose(x: Any, axes: Any = None) -> Any:
    return x.transpose() if axes is None else x.transpose(axes)


@function
def matrix_transpose(x: Any) -> Any:
    return x.mT


@function
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    return x.swapaxes(axis1, axis2)


@function
def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    places = np.empty(tuple(range(2, x.ndim + 2)), np.int8) if x.ndim < 10 else None
    if places is None:
        raise CannotWriteError(f"an array of {x.ndim} axes is too much for np.moveaxis here")
    return x.transpose([n - 2 for n in np.moveaxis(places, source, destination).shape])


@function
def expand_dims(x: Any, axis: Any) -> Any:
    made = np.expand_dims(_static(x), axis).shape
    axes = normalize_axis_tuple(axis, len(made))
    return graph_of(x).add("Unsqueeze", [x, whole(*axes)], made, x.dtype) if axes else x


@function
def squeeze(x: Any, axis: Any = None) -> Any:
    return x.squeeze(axis)


@function
def broadcast_to(x: Any, shape: Any, **_: Any) -> Any:
    made = np.broadcast_to(_static(x), shape).shape
    return x if made == x.shape else x.graph.add("Expand", [x, whole(*made)], made, x.dtype)


@function
def zeros_like(x: Any, dtype: Any = None, **_: Any) -> Any:
    return np.zeros(x.shape, dtype or x.dtype)


@function
def ones_like(x: Any, dtype: Any = None, **_: Any) -> Any:
    return np.ones(x.shape, dtype or x.dtype)


@function
def copy(x: Any, **_: Any) -> Any:
    return x


@function
def astype(x: Any, dtype: Any, **_: Any) -> Any:
    return x.astype(dtype)


# ---------------------------------------------------------------------------------------------------
# Joining and cutting


@function
def concatenate(xs: Sequence[Any], axis: Any = 0, dtype: Any = None, **_: Any) -> Any:
    if axis is None:
        xs, axis = [np.ravel(x) for x in xs], 0
    kind = np.result_type(*[x.dtype for x in xs]) if dtype is None else np.dtype(dtype)
    made = np.concatenate([_static(x) for x in xs], axis).shape
    return graph_of(*xs).add("Concat", [x.astype(kind) for x in xs], made, kind, axis=axis % len(made))


@function
def stack(xs: Sequence[Any], axis: int = 0, dtype: Any = None, **_: Any) -> Any:
    return concatenate([np.expand_dims(x, axis) for x in xs], axis, dtype)


@function
def split(x: Any, indices: Any, axis: int = 0) -> Any:
    lengths = [part.shape[axis] for part in np.split(_static(x), indices, axis)]
    ends = np.cumsum([0, *lengths])
    if sum(lengths) != x.shape[axis] or 0 in lengths:
        return [sliced(x, axis, int(a), int(a) + n) for a, n in zip(ends, lengths, strict=False)]
    shapes = [[n if i == axis % x.ndim else m for i, m in enumerate(x.shape)] for n in lengths]
    return x.graph.several("Split", [x, whole(*lengths)], [(made, x.dtype) for made in shapes], axis=axis % x.ndim)


def sliced(x: Any, axis: int, start: int, stop: int, step: int = 1) -> Any:
    """x[start:stop:step] along an axis."""
    made = list(x.shape)
    made[axis] = len(range(*slice(start, None if step < 0 and stop < -made[axis] else stop, step).indices(made[axis])))
    inputs = [x, whole(start), whole(stop), whole(axis % x.ndim), *([whole(step)] if step != 1 else [])]
    return graph_of(x).add("Slice", inputs, made, x.dtype)


@function
def flip(x: Any, axis: Any = None) -> Any:
    for a in range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim):
        x = sliced(x, a, -1, -(1 << 62), -1)
    return x


@function
def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return roll(x.ravel(), shift, 0).reshape(x.shape) if x.ndim else x
    axes = normalize_axis_tuple(axis, x.ndim, allow_duplicate=True)
    for a, by in zip(*np.broadcast_arrays(axes, shift), strict=True):
        n = x.shape[a]
        cut = -int(by) % n if n else 0
        if cut:
            x = np.concatenate([sliced(x, a, cut, n), sliced(x, a, 0, cut)], axis=int(a))
    return x


def _triangle(x: Any, k: int, upper: int) -> Any:
    if x.ndim == 1:
        x = np.broadcast_to(x, (x.shape[0], x.shape[0]))
    return x.graph.add("Trilu", [x, np.array(k, np.int64)], x.shape, x.dtype, upper=upper)


@function
def tril(x: Any, k: int = 0) -> Any:
    return _triangle(x, k, 0)


@function
def triu(x: Any, k: int = 0) -> Any:
    return _triangle(x, k, 1)


@function
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    first, places = _to_front(x, axis1, axis2), _on_diagonal(x.shape[axis1], x.shape[axis2], offset)
    made = (len(places), *first.shape[2:])
    return np.moveaxis(first.graph.add("GatherND", [first, places], made, x.dtype), 0, -1)


def _to_front(x: Any, axis1: int, axis2: int) -> Any:
    return np.moveaxis(x, (axis1, axis2), (0, 1))


def _on_diagonal(rows: int, columns: int, offset: int) -> Any:
    """The places (i, i + offset) of a matrix."""
    i = np.arange(rows)
    i = i[(i + offset >= 0) & (i + offset < columns)]
    return np.stack([i, i + offset], axis=-1).astype(np.int64)


def from_diagonal(d: Any, shape: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Zeros, with d on a diagonal: the adjoint of `diagonal`."""
    zeros = _to_front(np.zeros(shape, d.dtype), axis1, axis2)
    places = _on_diagonal(shape[axis1], shape[axis2], offset)
    laid = d.graph.add("ScatterND", [zeros, places, np.moveaxis(d, -1, 0)], zeros.shape, d.dtype)
    return np.moveaxis(laid, (0, 1), (axis1, axis2))


# ---------------------------------------------------------------------------------------------------
# Choosing


@function
def where(condition: Any, a: Any, b: Any) -> Any:
    kind = np.result_type(*[x.dtype if hasattr(x, "dtype") else x for x in (a, b)])
    a, b = [x.astype(kind) if hasattr(x, "dtype") else np.asarray(x, kind) for x in (a, b)]
    made = np.broadcast_shapes(condition.shape, a.shape, b.shape)
    return graph_of(condition, a, b).add("Where", [condition.astype(bool), a, b], made, kind)


@function
def clip(x: Any, low: Any = None, high: Any = None, **_: Any) -> Any:
    plain = isinstance(x, Written) and x.dtype.kind == "f"
    if plain and all(b is None or (not isinstance(b, Written) and np.ndim(b) == 0) for b in (low, high)):
        bounds = [None if b is None else np.asarray(b, x.dtype) for b in (low, high)]
        return x.graph.add("Clip", [x, *bounds], x.shape, x.dtype) if bounds != [None, None] else x
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


@function
def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    near = np.logical_and(np.abs(a - b) <= np.abs(b) * rtol + atol, np.isfinite(b))
    near = np.logical_or(near, np.equal(a, b))
    return np.logical_or(near, np.logical_and(np.isnan(a), np.isnan(b))) if equal_nan else near


@function
def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    if x.dtype.kind != "f":
        return x
    most = np.finfo(x.dtype)
    found = np.where(np.isnan(x), nan, x)
    found = np.where(np.equal(found, math.inf), most.max if posinf is None else posinf, found)
    return np.where(np.equal(found, -math.inf), most.min if neginf is None else neginf, found).astype(x.dtype)


@function
def _round(x: Any, decimals: int = 0, **_: Any) -> Any:
    if x.dtype.kind != "f":
        raise CannotWriteError("whole numbers are not rounded by np.round here")
    if decimals == 0:
        return np.rint(x)
    return (
        np.rint(x * 10.0**decimals) / 10.0**decimals if decimals > 0 else np.rint(x / 10.0**-decimals) * 10.0**-decimals
    )


@function
def sinc(x: Any) -> Any:
    angle = x * math.pi
    return np.where(np.equal(x, 0), 1, np.sin(angle) / np.where(np.equal(x, 0), 1, angle))


@function
def count_nonzero(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return truth(x).reduced("ReduceSum", axis, keepdims, np.int64)


@function
def mean(x: Any, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
    return x.mean(axis, keepdims)


@function
def _sum(x: Any, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
    return np.add.reduce(x, axis=axis, keepdims=keepdims)


@function
def _max(x: Any, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
    return np.maximum.reduce(x, axis=axis, keepdims=keepdims)


@function
def argmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return x.argmax(axis, keepdims)


@function
def argmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return x.argmin(axis, keepdims)


@function
def nanargmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.where(np.isnan(x), -math.inf, x).argmax(axis, keepdims)


@function
def nanargmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.where(np.isnan(x), math.inf, x).argmin(axis, keepdims)

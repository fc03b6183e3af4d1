"""Operators of ONNX that change shapes, and put and take elements."""

from __future__ import annotations

import math
from typing import Any

import numpy

from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.export.onnx_files.reading.operators import numbers, operator
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops.indexing import getitem
from tinygrad_edu.ops.padding import pad
from tinygrad_edu.ops.writing import index_update, scatter_add

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


@operator()
def Constant(
    *,
    value: Any = None,
    value_float: Any = None,
    value_floats: Any = None,
    value_int: Any = None,
    value_ints: Any = None,
) -> Any:
    if value is not None:
        return value
    if value_float is not None or value_floats is not None:
        return np.asarray(value_floats if value_float is None else value_float, np.float32)
    return np.asarray(value_ints if value_int is None else value_int, np.int64)


@operator()
def ConstantOfShape(shape: Any, *, value: Any = None) -> Any:
    fill = np.zeros(1, np.float32) if value is None else value
    return np.full(numbers(shape), fill.reshape(-1)[0], fill.dtype)


@operator()
def Shape(x: Any, *, start: int = 0, end: int | None = None) -> Any:
    return np.array(x.shape[start:end], np.int64)


@operator()
def Size(x: Any) -> Any:
    return np.array(math.prod(x.shape), np.int64)


@operator()
def Reshape(x: Any, shape: Any, *, allowzero: int = 0) -> Any:
    wanted = [x.shape[i] if n == 0 and not allowzero else n for i, n in enumerate(numbers(shape))]
    return np.reshape(x, tuple(wanted))


@operator()
def Flatten(x: Any, *, axis: int = 1) -> Any:
    cut = axis % x.ndim if axis < 0 else axis
    return np.reshape(x, (math.prod(x.shape[:cut]), math.prod(x.shape[cut:])))


@operator()
def Transpose(x: Any, *, perm: Any = None) -> Any:
    return np.transpose(x, None if perm is None else tuple(perm))


@operator()
def Squeeze(x: Any, axes: Any = None) -> Any:
    return np.squeeze(x, None if axes is None else tuple(numbers(axes)))


@operator()
def Unsqueeze(x: Any, axes: Any) -> Any:
    return np.expand_dims(x, tuple(numbers(axes)))


@operator()
def Expand(x: Any, shape: Any) -> Any:
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(numbers(shape))))


@operator()
def Tile(x: Any, repeats: Any) -> Any:
    return np.tile(x, tuple(numbers(repeats)))


@operator()
def Concat(*xs: Any, axis: int) -> Any:
    return np.concatenate(xs, axis=axis)


@operator()
def Split(x: Any, lengths: Any = None, *, axis: int = 0, num_outputs: int | None = None) -> Any:
    if lengths is None:
        n = x.shape[axis]
        each = -(-n // (num_outputs or 1))
        parts = [min(each, n - i * each) for i in range(num_outputs or 1)]
    else:
        parts = numbers(lengths)
    return tuple(np.split(x, np.cumsum(parts)[:-1].tolist(), axis))


@operator()
def Slice(x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    begin, stop = numbers(starts), numbers(ends)
    along = list(range(len(begin))) if axes is None else numbers(axes)
    by = [1] * len(begin) if steps is None else numbers(steps)
    index = [slice(None)] * x.ndim
    for a, start, end, step in zip(along, begin, stop, by, strict=True):
        n = x.shape[a]
        start, end = [i + n if i < 0 else i for i in (start, end)]
        start = min(max(start, 0), n if step > 0 else n - 1)
        end = min(max(end, 0 if step > 0 else -1), n)
        index[a] = slice(start, None if end < 0 else end, step)
    return x[tuple(index)]


@operator()
def Gather(x: Any, indices: Any, *, axis: int = 0) -> Any:
    return np.take(x, indices, axis=axis)


@operator()
def GatherElements(x: Any, indices: Any, *, axis: int = 0) -> Any:
    places = [np.arange(n).reshape((-1,) + (1,) * (indices.ndim - 1 - i)) for i, n in enumerate(indices.shape)]
    places[axis] = indices
    return getitem(x, tuple(places)) if isinstance(x, Tensor) or isinstance(indices, Tensor) else x[tuple(places)]


def _place_of(indices: Any) -> tuple[Any, ...]:
    """The last axis of indices as an index."""
    return tuple([indices[..., i] for i in range(indices.shape[-1])])


@operator(batch_dims=(0,))
def GatherND(x: Any, indices: Any, *, batch_dims: int = 0) -> Any:
    return getitem(x, _place_of(indices))


@operator()
def ScatterND(x: Any, indices: Any, updates: Any, *, reduction: str = "none") -> Any:
    return _scattered(x, _place_of(indices), updates, reduction)


@operator()
def ScatterElements(x: Any, indices: Any, updates: Any, *, axis: int = 0, reduction: str = "none") -> Any:
    places = [np.arange(n).reshape((-1,) + (1,) * (indices.ndim - 1 - i)) for i, n in enumerate(indices.shape)]
    places[axis] = indices
    return _scattered(x, tuple(places), updates, reduction)


def _scattered(x: Any, index: Any, updates: Any, reduction: str) -> Any:
    if reduction == "none":
        return index_update(x, index, updates)
    if reduction == "add":
        return scatter_add(x, index, updates)
    at: Any = {"mul": np.multiply.at, "max": np.maximum.at, "min": np.minimum.at}[reduction]
    if any(isinstance(part, Tensor) and part.requires_grad for part in (x, updates)):
        raise RuntimeError(
            f"what a scattering with reduction={reduction!r} makes has no derivative here; run it in no_grad()"
        )
    x, updates, *index = [part.numpy() if isinstance(part, Tensor) else part for part in (x, updates, *index)]
    y = x.copy()
    at(y, tuple(index), updates)
    return y


MODES = {"constant": "constant", "reflect": "reflect", "edge": "edge", "wrap": "wrap"}
"""Ways to fill a border, as NumPy calls them."""


@operator(mode=tuple(MODES))
def Pad(x: Any, pads: Any, value: Any = None, axes: Any = None, *, mode: str = "constant") -> Any:
    given = numbers(pads)
    along = list(range(x.ndim)) if axes is None else [a % x.ndim for a in numbers(axes)]
    widths = [(0, 0)] * x.ndim
    for i, a in enumerate(along):
        widths[a] = (given[i], given[i + len(along)])
    cut = tuple([slice(max(0, -a), n - max(0, -b)) for (a, b), n in zip(widths, x.shape, strict=True)])
    x = x[cut] if any(a < 0 or b < 0 for a, b in widths) else x
    widths = [(max(a, 0), max(b, 0)) for a, b in widths]
    if mode == "constant":
        return pad(x, widths, constant_values=0 if value is None else numbers(value)[0])
    return pad(x, widths, mode=MODES[mode])


@operator()
def Range(start: Any, limit: Any, delta: Any) -> Any:
    ((a,), (b,), (c,)) = numbers(start), numbers(limit), numbers(delta)
    return np.arange(a, b, c, dtype=start.dtype)


@operator()
def Trilu(x: Any, k: Any = None, *, upper: int = 1) -> Any:
    by = 0 if k is None else numbers(k)[0]
    return np.triu(x, by) if upper else np.tril(x, by)


@operator()
def CumSum(x: Any, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> Any:
    (along,) = numbers(axis)
    y = np.flip(x, along) if reverse else x
    y = np.cumsum(y, along) - (y if exclusive else 0)
    return np.flip(y, along) if reverse else y


@operator()
def DepthToSpace(x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    if mode == "CRD":
        return F.pixel_shuffle(x, blocksize)
    n, c, h, w = x.shape
    parts = np.reshape(x, (n, blocksize, blocksize, c // blocksize**2, h, w))
    return np.reshape(np.transpose(parts, (0, 3, 4, 1, 5, 2)), (n, c // blocksize**2, h * blocksize, w * blocksize))


@operator()
def SpaceToDepth(x: Any, *, blocksize: int) -> Any:
    n, c, h, w = x.shape
    parts = np.reshape(x, (n, c, h // blocksize, blocksize, w // blocksize, blocksize))
    return np.reshape(np.transpose(parts, (0, 3, 5, 1, 2, 4)), (n, c * blocksize**2, h // blocksize, w // blocksize))


@operator()
def SplitToSequence(x: Any, lengths: Any = None, *, axis: int = 0, keepdims: int = 1) -> Any:
    n = x.shape[axis]
    if lengths is not None and np.ndim(lengths):
        return list(Split(x, lengths, axis=axis))
    each = 1 if lengths is None else numbers(lengths)[0]
    parts = np.split(x, list(range(each, n, each)), axis)
    return [np.squeeze(part, axis) for part in parts] if lengths is None and not keepdims else list(parts)


@operator()
def SequenceConstruct(*xs: Any) -> Any:
    return list(xs)


@operator()
def SequenceAt(xs: Any, place: Any) -> Any:
    return xs[numbers(place)[0]]


@operator()
def ConcatFromSequence(xs: Any, *, axis: int, new_axis: int = 0) -> Any:
    return np.stack(xs, axis=axis) if new_axis else np.concatenate(xs, axis=axis)

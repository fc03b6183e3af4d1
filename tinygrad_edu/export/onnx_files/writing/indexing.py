"""What indexing writes: Slice, Gather, GatherND, and ScatterND where something is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from tinygrad_edu.export.onnx_files.writing.written import WHOLE, CannotWriteError, Written, graph_of, whole
from tinygrad_edu.ops.indexing import index_of

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

_FAR = 1 << 62
"""So far away that a slice which ends there ends at the border."""


def getitem(x: Any, *arrays: Any, key: tuple[Any, ...]) -> Any:
    """x[index]: first the slices, then integers and new axes, or arrays."""
    parts = _read(key, arrays, x.ndim)
    old = [part for part in parts if part[0] not in ("new", "truth", "gap")]  # one for each axis of x
    x = _sliced(x, [(axis, what) for axis, (kind, what) in enumerate(old) if kind == "slice" and what != _ALL])
    if any(kind in ("array", "truth") for kind, _ in parts):
        return _gathered(x, parts)
    for axis, (kind, what) in reversed(list(enumerate(old))):
        if kind == "number":
            made = x.shape[:axis] + x.shape[axis + 1 :]
            x = graph_of(x).add("Gather", [x, np.array(what, np.int64)], made, x.dtype, axis=axis)
    left = [kind for kind, _ in parts if kind not in ("number", "gap")]
    new = tuple([i for i, kind in enumerate(left) if kind == "new"])
    return np.expand_dims(x, new) if new else x


WHOLE["getitem"] = getitem

_ALL = (None, None, None)


def _read(key: tuple[Any, ...], arrays: Sequence[Any], ndim: int) -> list[tuple[str, Any]]:
    """The parts of an index: for each axis of x a "slice", a "number" or an "array"; "new" for a new axis, and "truth" for
    a truth value, which chooses all of a new axis or nothing of it; "gap" for what stands for no axis."""
    given = iter(arrays)
    parts: list[tuple[str, Any]] = []
    for part in _complete(key, arrays, ndim):
        if part is Ellipsis:
            parts.append(("gap", None))
        elif part is None:
            parts.append(("new", None))
        elif part.__class__ is tuple:
            parts.append(("slice", part))
        elif part.__class__ is int:
            parts.append(("number", part))
        else:
            array = next(given)
            if array.dtype.kind != "b":
                parts.append(("array", array))
            elif isinstance(array, Written):
                raise CannotWriteError(
                    "how many elements a mask chooses depends on the numbers; choose with np.where(mask, x, 0)"
                )
            elif array.ndim:
                parts += [("array", places) for places in array.nonzero()]
            else:
                parts.append(("truth", np.zeros(int(array), int)))
    return parts


def _complete(key: tuple[Any, ...], arrays: Sequence[Any], ndim: int) -> list[Any]:
    """The key with slices in place of an ellipsis, and behind its end. One that stands for no axes stays: it parts arrays."""
    given = iter(arrays)
    taken = 0
    for part in key:
        if part.__class__ is str:
            array = next(given)
            taken += array.ndim if array.dtype.kind == "b" else 1
        elif part is not None and part is not Ellipsis:
            taken += 1
    filling: list[Any] = [(None, None, None)] * (ndim - taken)
    if not any(part is Ellipsis for part in key):
        return [*key, *filling]
    at = next(i for i, part in enumerate(key) if part is Ellipsis)
    return [*key[:at], *(filling or [Ellipsis]), *key[at + 1 :]]


def _sliced(x: Any, slices: Sequence[tuple[int, Any]]) -> Any:
    """The slices along their axes, in one node."""
    if not slices:
        return x
    made = list(x.shape)
    starts, stops, axes, steps = [], [], [], []
    for axis, (start, stop, step) in slices:
        step = 1 if step is None else step
        made[axis] = len(range(*slice(start, stop, step).indices(x.shape[axis])))
        starts.append((0 if step > 0 else -1) if start is None else start)
        stops.append((_FAR if step > 0 else -_FAR) if stop is None else stop)
        axes.append(axis)
        steps.append(step)
    inputs = [x, whole(*starts), whole(*stops), whole(*axes)]
    if any(step != 1 for step in steps):
        inputs.append(whole(*steps))
    return graph_of(x).add("Slice", inputs, made, x.dtype)


def _gathered(x: Any, parts: Sequence[tuple[str, Any]]) -> Any:
    """x at arrays of indices, as NumPy has it: where they stand side by side their axes do, else in front. Beside arrays a
    number is one of them."""
    stand = [i for i, (kind, _) in enumerate(parts) if kind in ("array", "truth", "number")]
    together = stand == list(range(stand[0], stand[0] + len(stand)))
    parts = [part for part in parts if part[0] != "gap"]
    new = tuple([i for i, (kind, _) in enumerate(parts) if kind in ("new", "truth")])
    x = np.expand_dims(x, new) if new else x
    axes = [i for i, (kind, _) in enumerate(parts) if kind in ("array", "truth", "number")]
    arrays = [np.asarray(parts[i][1]) if parts[i][0] == "number" else parts[i][1] for i in axes]
    lengths = np.broadcast_shapes(*[array.shape for array in arrays])
    if len(axes) == 1:
        index = arrays[0].astype(np.int64)
        made = (*x.shape[: axes[0]], *lengths, *x.shape[axes[0] + 1 :])
        return graph_of(x, index).add("Gather", [x, index], made, x.dtype, axis=axes[0])
    others = [i for i in range(x.ndim) if i not in axes]
    first = np.transpose(x, [*axes, *others])
    columns = [np.expand_dims(np.broadcast_to(array.astype(np.int64), lengths), -1) for array in arrays]
    graph = graph_of(first, *columns)  # the columns stay apart, for one of them may count the batch
    places = graph.add("Concat", columns, (*lengths, len(columns)), np.int64, axis=len(lengths))
    made = (*lengths, *[x.shape[i] for i in others])
    found = graph.add("GatherND", [first, places], made, x.dtype)
    if not together:
        return found
    n, before = len(lengths), axes[0]
    return np.transpose(found, [*range(n, n + before), *range(n), *range(n + before, found.ndim)])


# ---------------------------------------------------------------------------------------------------
# Writing


def _places(shape: Sequence[int], arrays: Sequence[Any], key: tuple[Any, ...]) -> Any:
    """Which elements an index chooses, counted along the rows."""
    grid = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
    if any(isinstance(a, Written) for a in arrays):
        return getitem(grid, *arrays, key=key)
    return np.asarray(grid[index_of(key, tuple(arrays))])


def _repeated(values: Any, places: Any) -> Any:
    """The values, one for each place; an assignment takes further axes of length 1 in front of them."""
    further = values.ndim - places.ndim
    return np.broadcast_to(np.squeeze(values, tuple(range(further))) if further > 0 else values, places.shape)


def _laid(x: Any, places: Any, values: Any, how: str) -> Any:
    """x, as one row, with values written into these places of it."""
    values = np.ravel(_repeated(values.astype(x.dtype), places))
    at = np.expand_dims(np.ravel(places), -1)
    return graph_of(x, at, values).add("ScatterND", [x, at, values], x.shape, x.dtype, reduction=how)


def scatter(values: Any, *arrays: Any, key: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """Zeros, to which values are added where the index points."""
    zeros = np.zeros(int(np.prod(shape)), values.dtype)
    return np.reshape(_laid(zeros, _places(shape, arrays, key), values, "add"), shape)


def scatter_add(x: Any, values: Any, *arrays: Any, key: tuple[Any, ...]) -> Any:
    """x, to which values are added where the index points."""
    kind = np.result_type(x.dtype, values.dtype)
    return np.reshape(_laid(np.ravel(x.astype(kind)), _places(x.shape, arrays, key), values, "add"), x.shape)


def _writer(places: Any, size: int) -> Any:
    """For each element the number of the last value that is written there, −1 where none is."""
    turns = np.arange(int(np.prod(places.shape)), dtype=np.int64)
    nobody = np.full(size, -1, np.int64)
    if not isinstance(places, Written):
        nobody[places.ravel()] = turns  # in C order, the last one stays
        return nobody
    return _laid(nobody, places, turns.reshape(places.shape), "max")


def index_update(x: Any, values: Any, *arrays: Any, key: tuple[Any, ...]) -> Any:
    """x with values where the index points; of values that are written to one element, the last."""
    kind = np.result_type(x.dtype, values.dtype)
    places = _places(x.shape, arrays, key)
    if not int(np.prod(places.shape)):
        return x.astype(kind)
    writer = _writer(places, x.size)
    row = np.ravel(_repeated(values.astype(kind), places))
    chosen = np.maximum(writer, 0)
    new = graph_of(x, values, chosen).add("Gather", [row, chosen], chosen.shape, kind, axis=0)
    return np.where(np.reshape(writer, x.shape) >= 0, np.reshape(new, x.shape), x.astype(kind))


def last_written(*arrays: Any, key: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """Return a mask of the values that no later one overwrites."""
    places = _places(shape, arrays, key)
    writer = _writer(places, int(np.prod(shape)))
    turns = np.arange(int(np.prod(places.shape)), dtype=np.int64).reshape(places.shape)
    return np.equal(graph_of(writer).add("Gather", [writer, places], places.shape, np.int64, axis=0), turns)


WHOLE.update(scatter=scatter, scatter_add=scatter_add, index_update=index_update, last_written=last_written)

"""Choosing elements: indexing in every NumPy form, and its adjoint, scattering.

`y = x[index]` copies chosen elements of x, some perhaps several times. The gradient of an element is the sum of
those of its copies: zeros, into which ∂L/∂y is added at the same index. So `getitem` and `scatter` are each
other's rule, and derivatives of any order exist.
"""

from __future__ import annotations

import functools
import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import Fixed, example
from tinygrad_edu.engine.op import op
from tinygrad_edu.ops.types import called

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Index, Out


# ---------------------------------------------------------------------------------------------------
# x[...]

ARRAY = "array"
"""Where an index array, an input of the op, stands in a key."""


def key_and_arrays(index: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Split an index into a key (plain data, which is a setting) and its arrays (which are inputs).

    In a key an integer, None and ... stand for themselves, a slice is `(start, stop, step)`, and `ARRAY` holds
    the place of each array of integers or booleans.

    >>> key_and_arrays(np.s_[::-1, 0, [2, 0]])
    (((None, None, -1), 0, 'array'), (array([2, 0]),))
    """
    key: list[Any] = []
    arrays: list[Any] = []
    for part in index if isinstance(index, tuple) else (index,):
        if part.__class__ is int or part is None or part is Ellipsis:
            key.append(part)
        elif part.__class__ is slice:
            ends = (part.start, part.stop, part.step)
            key.append(tuple([None if end is None else operator.index(end) for end in ends]))
        elif isinstance(part, np.integer):
            key.append(int(part))
        else:
            key.append(ARRAY)
            arrays.append(part if part.__class__ is np.ndarray else _as_indices(part))
    return tuple(key), tuple(arrays)


def _as_indices(part: Any) -> Any:
    """A list of indices as an array, an empty one of integers; a tensor as it is."""
    if hasattr(part, "__array_function__") and not isinstance(part, np.generic):
        return part
    indices = np.asarray(part)
    if not indices.size:
        return indices.astype(int)
    if indices.dtype.kind not in "iub":
        raise IndexError(
            "a tensor is indexed by integers, slices, None, ... and arrays or lists of integers or booleans, "
            f"but got {type(part).__name__} {part!r:.60}"
        )
    return indices


def index_of(key: tuple[Any, ...], arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """Put a key and arrays together to the index that stood between the brackets: it undoes `key_and_arrays`."""
    if not arrays:
        return _with_slices(key)
    parts = iter(arrays)
    return tuple([next(parts) if k.__class__ is str else k for k in _with_slices(key)])


@functools.lru_cache
def _with_slices(key: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple([slice(*k) if k.__class__ is tuple else k for k in key])


def key_text(key: tuple[Any, ...]) -> str:
    """A key as it is written, with # for an array.

    >>> key_text(((None, None, -1), ..., None, 0, ARRAY))
    '[::-1, ..., None, 0, #]'
    """

    def text(part: Any) -> str:
        if isinstance(part, tuple):
            start, stop, step = ["" if end is None else str(end) for end in part]
            return f"{start}:{stop}" + (f":{step}" if step else "")
        return "#" if part == ARRAY else "..." if part is Ellipsis else str(part)

    return f"[{', '.join(map(text, key))}]"


def _bind_getitem(x: Array, index: Index) -> tuple[tuple[Any, ...], dict[str, Any]]:
    try:
        key, arrays = key_and_arrays(index)
    except IndexError as error:
        raise IndexError(f"getitem of {called(x)}: {error}") from None
    return (x, *arrays), {"key": key}


def _getitem_rule(i: int, g: Any, y: Any, x: Any, *arrays: Any, key: tuple[Any, ...]) -> Any:
    return scatter(g, *arrays, key=key, shape=x.shape)


_INDICES = [
    2, -1, None, ..., (), (0, -1), (slice(None), 1), (..., 0), slice(None, None, -1), (slice(2, 0, -1), None, slice(0, 9, 2)),
    [0, 0, 2], [], np.array([[0, 2], [2, 1]]), ([0, 1, 1], [3, 0, 0]), (slice(None), [1, 1]), ([1, 1], slice(0, 0)),
    ([[0], [2]], [0, 3, 3]), (None, [0, -1], ..., None), ([0, 1], None, [1, 1]), np.eye(3, 4) > 0,
    (np.array([True, False, True]), slice(1, 3)), (np.array([True, False, True]), [0, 0]), True, np.array(1),
]  # fmt: skip


@op(
    symbol=lambda *, key: key_text(key),
    spelled=lambda s, x, *indices: s.indexed(x, *indices),
    vjp=_getitem_rule,
    presence="selects",
    bind=_bind_getitem,
    answers=(operator.getitem,),
    view=True,
    analytic=True,
    formulas=["∂L/∂x = 0 but ∂L/∂x[index] += ∂L/∂y", "∂L/∂index: none"],
    examples=[
        *[example((3, 4), Fixed(index)) for index in _INDICES],
        example((3,), 1),
        example((), Fixed(())),
        example((), None),
        example((), np.array(True)),
        example((2, 3, 2), Fixed(([0, 1, 0], slice(None), [1, 1, 1]))),
        example((2, 3, 2), Fixed((slice(None), np.ones((3, 2), bool)))),
        example((3, 2, 2), [2, 0, 2]),
    ],
)
def getitem(x: Array, *arrays: Array, key: tuple[Any, ...]) -> Array:
    """y = x[index], in every form that NumPy has.

    Integers, slices, None and ... give a view; arrays of integers or booleans give a copy, and are inputs of the
    recorded op. Elements chosen several times have their gradients added up. Raises IndexError as NumPy does.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> x[[0, 0, 2]].sum().backward()
    >>> x.grad.tolist()
    [2.0, 0.0, 1.0]
    """
    if _along_one_axis(key, arrays, x) and arrays[0].dtype.kind == "i":
        return np.take(x, arrays[0], axis=len(key) - 1)  # sooner, and it lies in memory row by row, which x[…] does not
    return x[index_of(key, arrays)]


# ---------------------------------------------------------------------------------------------------
# The adjoint: scattering


def repeats(arrays: tuple[Any, ...]) -> bool:
    """Whether an index with these arrays can choose an element twice."""
    return any(array.dtype.kind in "iu" for array in arrays)


NARROWEST_ROW_ADDED_ALONE = 128
"""Rows of so many numbers are added sooner one by one."""
ROWS_AT_A_TIME = 256
"""Of shorter ones so many are added at a time, for their places are an array as well."""


def add_at(y: Any, key: tuple[Any, ...], arrays: tuple[Any, ...], values: Any) -> None:
    """y[index] += values, where repeated elements add up."""
    if not repeats(arrays):
        y[index_of(key, arrays)] += values
    elif key == (ARRAY,) and y.ndim > 1 and y.flags.c_contiguous:  # whole rows, as in an embedding
        rows, width = arrays[0].reshape(-1), math.prod(y.shape[1:])
        shape = arrays[0].shape + y.shape[1:]
        values = values if values.shape == shape else np.broadcast_to(values, shape)
        values = values if arrays[0].ndim == 1 else values.reshape(len(rows), *y.shape[1:])
        if width >= NARROWEST_ROW_ADDED_ALONE:
            for row, value in zip(rows.tolist(), values, strict=True):
                y[row] += value
            return
        flat, columns = y.reshape(-1), np.arange(width)  # for np.add.at is fastest in one dimension
        for i in range(0, len(rows), ROWS_AT_A_TIME):
            places = rows[i : i + ROWS_AT_A_TIME, None].astype(np.intp) * width + columns
            np.add.at(flat, places.reshape(-1), values[i : i + ROWS_AT_A_TIME].reshape(-1))
    elif _along_one_axis(key, arrays, y) and y.size >= NARROWEST_ROW_ADDED_ALONE * y.shape[len(key) - 1]:
        before = (slice(None),) * (len(key) - 1)
        axis = len(key) - 1
        values = np.broadcast_to(values, (*y.shape[:axis], len(arrays[0]), *y.shape[axis + 1 :]))
        places = np.arange(y.shape[axis])[arrays[0]]
        first, left = _first_of_each(places, y.shape[axis])
        if first is not None:  # to every place something comes: first to all together
            y += np.take(values, first, axis=axis)
            places = places[left]
            values = np.take(values, left, axis=axis)
        for k, place in enumerate(places.tolist()):
            y[(*before, place)] += values[(*before, k)]
    else:
        np.add.at(y, index_of(key, arrays), values)


def _first_of_each(places: Any, n: int) -> tuple[Any, Any]:
    """Find where each of n places first occurs, or None if one never does; and where all further occurrences are."""
    found, first = np.unique(places, return_index=True)
    return (first if len(found) == n else None), np.delete(np.arange(len(places)), first)


def _along_one_axis(key: tuple[Any, ...], arrays: tuple[Any, ...], y: Any) -> bool:
    """Whether a row of numbers takes whole slices of y along one axis."""
    whole = (None, None, None)
    return key[-1:] == (ARRAY,) and all(k == whole for k in key[:-1]) and arrays[0].ndim == 1 and y.ndim >= len(key)


@op(
    symbol=lambda *, key, shape: key_text(key) + "+=",
    spelled=lambda s, values, *indices: s.scattered(values, *indices),
    vjp=lambda i, g, y, values, *arrays, key, shape: g[index_of(key, arrays)],
    presence="moves",
    bind=lambda values, *arrays, key, shape: ((values, *arrays), {"key": key, "shape": shape}),
    takes_out=True,
    may_raise=True,
    analytic=True,
    formulas=["∂L/∂values = ∂L/∂y[index]", "∂L/∂index: none"],
    examples=[
        example((2, 4), np.array([1, 1]), key=(ARRAY,), shape=(3, 4)),
        example((2, 4), np.array([-1, 2], np.int8), key=(ARRAY,), shape=(3, 4)),
        example((2,), np.array([1, 1]), np.array([0, 0]), key=(ARRAY, ARRAY), shape=(3, 2)),
        example((2,), np.array([True, False, True]), key=(ARRAY,), shape=(3,)),
        example((3, 1), key=((None, None, -1), (1, 2, None)), shape=(3, 4)),
        example((), key=(0, 1), shape=(2, 2)),
    ],
)
def scatter(values: Array, *arrays: Array, key: tuple[Any, ...], shape: tuple[int, ...], out: Out = None) -> Array:
    """y = 0 of the given shape, but y[index] += values: the adjoint of y = x[index]."""
    y = np.zeros(shape, values.dtype) if out is None else out
    if out is not None:
        y.fill(0)
    add_at(y, key, arrays, values)
    return y

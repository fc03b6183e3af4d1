"""Choosing elements: indexing in every NumPy form, and its adjoint, scattering.

`y = x[index]` copies chosen elements of x, some perhaps several times. The gradient of an element is the sum of
those of its copies: zeros, into which ∂L/∂y is added at the same index. So `getitem` and `scatter` are each
other's rule, and derivatives of any order exist.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy

from tinygrad_edu.engine.example import Fixed, example
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.engine.protocols import ASKS, numbers
from tinygrad_edu.engine.registry import ANSWERS
from tinygrad_edu.ops.shaping import array, called

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


# ---------------------------------------------------------------------------------------------------
# x[...]

ARRAY = "array"
"""Where an index array, an input of the op, stands in a key."""


def key_and_arrays(index: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What stands between brackets, as a key (plain data, a setting) and its arrays (inputs).

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
            arrays.append(part if part.__class__ is numpy.ndarray else _as_indices(part))
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
    """What stood between the brackets: the inverse of `key_and_arrays`."""
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


def _bind_getitem(x: Any, index: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
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
def getitem(x: Any, *arrays: Any, key: tuple[Any, ...]) -> Any:
    """y = x[index], in every form that NumPy has.

    Integers, slices, None and ... give a view; arrays of integers or booleans give a copy, and are inputs of the
    recorded op. Elements chosen several times have their gradients added up. Raises IndexError as NumPy does.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> x[[0, 0, 2]].sum().backward()
    >>> x.grad.tolist()
    [2.0, 0.0, 1.0]
    """
    return x[index_of(key, arrays)]


# ---------------------------------------------------------------------------------------------------
# Writing, out of place


def _repeats(arrays: tuple[Any, ...]) -> bool:
    """Whether an index with these arrays can choose an element twice."""
    return any(array.dtype.kind in "iu" for array in arrays)


LONG = 128
"""Rows of so many numbers are added sooner one by one."""
SOME = 256
"""Of shorter ones so many are added at a time, for their places are an array as well."""


def _add_at(y: Any, key: tuple[Any, ...], arrays: tuple[Any, ...], values: Any) -> None:
    """y[index] += values, where repeated elements add up."""
    if not _repeats(arrays):
        y[index_of(key, arrays)] += values
    elif key == (ARRAY,) and y.ndim > 1 and y.flags.c_contiguous:  # whole rows, as in an embedding
        rows, width = arrays[0].reshape(-1), math.prod(y.shape[1:])
        shape = arrays[0].shape + y.shape[1:]
        values = values if values.shape == shape else np.broadcast_to(values, shape)
        values = values if arrays[0].ndim == 1 else values.reshape(len(rows), *y.shape[1:])
        if width >= LONG:
            for row, value in zip(rows.tolist(), values, strict=True):
                y[row] += value
            return
        flat, columns = y.reshape(-1), np.arange(width)  # for np.add.at is fastest in one dimension
        for i in range(0, len(rows), SOME):
            places = rows[i : i + SOME, None].astype(np.intp) * width + columns
            np.add.at(flat, places.reshape(-1), values[i : i + SOME].reshape(-1))
    else:
        np.add.at(y, index_of(key, arrays), values)


@op(
    symbol=lambda *, key, shape: key_text(key) + "+=",
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
def scatter(values: Any, *arrays: Any, key: tuple[Any, ...], shape: tuple[int, ...], out: Any = None) -> Any:
    """y = 0 of the given shape, but y[index] += values: the adjoint of y = x[index]."""
    y = np.zeros(shape, values.dtype) if out is None else out
    if out is not None:
        y.fill(0)
    _add_at(y, key, arrays, values)
    return y


def _bind_writing(x: Any, index: Any, values: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    key, arrays = key_and_arrays(index)
    return (x, values, *arrays), {"key": key}


def _copy_to_write(x: Any, values: Any, out: Any) -> tuple[Any, Any]:
    y, values = np.array(x, order="C") if out is None else out, np.asarray(values)
    if out is not None:
        np.copyto(out, x)
    if not np.can_cast(values.dtype, y.dtype, "same_kind"):
        raise TypeError(f"{values.dtype} values do not fit into {y.dtype}; convert one with astype()")
    return y, values


_WRITES = [
    example((3, 4), Fixed((slice(None), 1)), (1, 3)),
    example((3, 4), 1, (4,)),
    example((3, 4), ..., ()),
    example((3, 4), Fixed((slice(None, None, -2), 1)), (2,)),
    example((3, 4), np.array([0, 0, 2]), (3, 4)),
    example((3, 4), np.array([[0, -1], [1, 0]]), (2, 1, 4)),
    example((3, 4), Fixed(([0, 0, 1], [1, 1, 2])), (3,)),
    example((3, 4), Fixed(([0, 0, 1], [1, 1, 2])), ()),
    example((3, 4), np.eye(3, 4) > 0, (3,)),
    example((), Fixed(()), ()),
]


@op(
    symbol=lambda *, key: key_text(key) + "+=",
    vjp=lambda i, g, y, x, values, *arrays, key: g if i == 0 else getitem(g, index_of(key, arrays)),
    presence="moves",
    bind=lambda x, index, values: _bind_writing(x, index, values),
    broadcasts=True,
    takes_out=True,
    may_raise=True,
    formulas=["∂L/∂x = ∂L/∂y", "∂L/∂values = ∂L/∂y[index]", "∂L/∂index: none"],
    examples=_WRITES[1:],
)
def scatter_add(x: Any, values: Any, *arrays: Any, key: tuple[Any, ...], out: Any = None) -> Any:
    """y = x, but y[index] += values; repeated elements add up. Called as `scatter_add(x, index, values)`.

    `index` is anything that may stand in x[...]; values broadcast to x[index]. x itself is left as it is.

    >>> scatter_add(np.zeros(3), [0, 0, 2], np.array([1.0, 2.0, 3.0]))
    array([3., 0., 3.])
    """
    y, values = _copy_to_write(x, values, out)
    _add_at(y, key, arrays, values)
    return y


def _index_update_rule(i: int, g: Any, y: Any, x: Any, values: Any, *arrays: Any, key: tuple[Any, ...]) -> Any:
    index = index_of(key, arrays)
    if i == 0:
        return index_update(g, index, False)  # 0, of any type
    chosen = getitem(g, index)
    if _repeats(arrays):
        chosen = np.where(last_written(*arrays, key=key, shape=x.shape), chosen, 0)
    missing = values.ndim - chosen.ndim  # an assignment lets values have further axes of length one in front
    return np.reshape(chosen, (1,) * missing + chosen.shape) if missing > 0 else chosen


@op(
    symbol=lambda *, key: key_text(key) + "=",
    vjp=_index_update_rule,
    presence="selects",
    bind=_bind_writing,
    broadcasts=True,
    takes_out=True,
    may_raise=True,
    formulas=["∂L/∂x = ∂L/∂y but ∂L/∂x[index] = 0", "∂L/∂values = ∂L/∂y[index]", "∂L/∂index: none"],
    examples=_WRITES,
)
def index_update(x: Any, values: Any, *arrays: Any, key: tuple[Any, ...], out: Any = None) -> Any:
    """y = x, but y[index] = values. Called as `index_update(x, index, values)`: an assignment that is recorded.

    `index` is anything that may stand in x[...]; values broadcast to x[index]. x itself is left as it is. Where an
    element is chosen several times, the last value in C order stays, and it alone has a gradient.

    >>> index_update(np.zeros(3), [0, 0, 2], np.array([1.0, 2.0, 3.0]))
    array([2., 0., 3.])
    """
    y, values = _copy_to_write(x, values, out)
    y[_in_order(key, arrays)] = values
    return y


def _in_order(key: tuple[Any, ...], arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """The index in C order: NumPy walks reversed index arrays backwards in memory, and then the first value stays."""
    return index_of(key, tuple([np.ascontiguousarray(array) for array in arrays]))


@op(
    symbol="last",
    bind=lambda *arrays, key, shape: (arrays, {"key": key, "shape": shape}),
    examples=[example(np.array([0, 0, 2]), key=(ARRAY,), shape=(3,))],
)
def last_written(*arrays: Any, key: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """Which of the values assigned to y[index] are still there afterwards: of repeated elements, the last.

    >>> last_written(np.array([0, 0, 2]), key=("array",), shape=(3,))
    array([False,  True,  True])
    """
    writer = np.zeros(shape, np.intp)
    index = _in_order(key, arrays)
    turn = np.arange(writer[index].size).reshape(writer[index].shape)
    writer[index] = turn
    return writer[index] == turn


def _refuse_writing(function: Any) -> Callable[..., Any]:
    name = f"np.{function.__name__}" if not isinstance(function, tuple) else f"np.{function[0].__name__}.at"

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"{name} writes into its argument, and a tensor's record cannot follow that; compute a new tensor: "
            "np.where(mask, new, t), tg.index_update(t, index, new) or tg.scatter_add(t, index, more)"
        )

    return refuse


for _function in (np.put, np.place, np.putmask, np.put_along_axis, np.copyto, np.fill_diagonal, (np.add, "at")):
    ANSWERS[_function] = _refuse_writing(_function)


# ---------------------------------------------------------------------------------------------------
# Taking along an axis


@composite(
    formulas=["∂L/∂x = 0 but ∂L/∂x[index] += ∂L/∂y"],
    answers=(np.take,),
    examples=[
        example((3, 4), np.array([0, 0, 11])),
        example((3, 4), np.array([True, False]), axis=0),
        example((3, 4), np.array([[2, 0], [-1, 2]]), axis=0),
        example((3, 4), 1, axis=1),
        example((3, 4), np.array([-5, 7]), axis=-1, mode="wrap"),
        example((3, 4), np.array([-5, 7]), axis=-1, mode="clip"),
    ],
    analytic=True,
)
def take(x: Any, indices: Any, axis: int | None = None, *, mode: str = "raise") -> Any:
    """y = x[…, indices, …]: elements of x along `axis`, or of the ravelled x.

    mode: what becomes of indices out of range, "raise", "wrap" or "clip" (where negative ones are 0, as in NumPy).

    >>> take(np.array([10, 20, 30]), [2, 0, 0])
    array([30, 10, 10])
    """
    indices = array(indices)
    if indices.dtype == bool:
        indices = np.astype(indices, int)
    given = x
    if axis is None:
        x, axis = np.ravel(x), 0
    ndim, axis = np.ndim(x), operator.index(axis)
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    if mode == "wrap":
        indices = np.remainder(indices, np.shape(x)[axis])
    elif mode == "clip":
        indices = np.clip(indices, 0, np.shape(x)[axis] - 1)
    elif mode != "raise":
        raise ValueError(f"take() got mode={mode!r}; it takes 'raise', 'wrap' or 'clip'")
    try:
        return getitem(x, (slice(None),) * (axis % ndim) + (indices,))
    except IndexError as error:
        raise IndexError(f"take of {called(given)}: {error.__context__ or error}") from None


@composite(
    formulas=["∂L/∂x = 0 but ∂L/∂x[index] += ∂L/∂y"],
    answers=(np.take_along_axis,),
    examples=[
        example((3, 4), np.array([[0, 3, 3], [1, -1, 0], [2, 2, 2]]), axis=1),
        example((3, 4), np.array([[0, 2, 1, 1]]), axis=0),
        example((3, 4), np.array([[1, 2]]), axis=-1),
        example((2, 3), np.array([5, 0, 0]), axis=None),
    ],
    analytic=True,
)
def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Any:
    """yᵢⱼ = x[indicesᵢⱼ, j] (for axis 0): elements chosen along `axis`, for each place on the other axes.

    >>> x = np.array([[3, 1, 2], [4, 6, 5]])
    >>> take_along_axis(x, np.argmax(x, axis=1, keepdims=True), axis=1)
    array([[3],
           [6]])
    """
    if axis is None:
        x, axis = np.ravel(x), 0
    shape, ndim = np.shape(x), np.ndim(x)
    indices = array(indices)
    if indices.ndim != ndim:
        raise ValueError(f"take_along_axis() needs indices of {ndim} axes, as many as x, but got {indices.ndim}")
    if indices.dtype.kind not in "iu":
        raise IndexError(f"take_along_axis() takes integer indices, but got {indices.dtype}")
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    places = [np.arange(n).reshape((-1,) + (1,) * (ndim - 1 - i)) for i, n in enumerate(shape)]
    places[axis] = indices
    return getitem(x, tuple(places))


@composite(
    formulas=["∂L/∂x = 0 but ∂L/∂x[condition] = ∂L/∂y"],
    answers=(np.compress,),
    examples=[
        example(np.array([True, False, True]), (3, 4), axis=0),
        example(np.array([False, True]), (3, 4), axis=1),
        example(np.array([True, False, False, True]), (3, 4)),
    ],
    analytic=True,
)
def compress(condition: Any, x: Any, axis: int | None = None) -> Any:
    """The slices of x along `axis` (or elements of the ravelled x) where the one-dimensional condition is true.

    >>> compress([True, False, True], np.array([10, 20, 30]))
    array([10, 30])
    """
    if np.ndim(condition) != 1:
        raise ValueError(
            f"compress() takes a condition of one axis, but got shape {np.shape(condition)}; write x[mask]"
        )
    return take(x, np.flatnonzero(condition), axis)


@composite(
    formulas=["∂L/∂x = 0 but ∂L/∂x[condition] = ∂L/∂y"],
    answers=(np.extract,),
    examples=[example(np.eye(3, 4) > 0, (3, 4))],
    analytic=True,
)
def extract(condition: Any, x: Any) -> Any:
    """The elements of x where the condition is true, in C order.

    >>> x = np.array([[1, 2], [3, 4]])
    >>> extract(x > 2, x)
    array([3, 4])
    """
    return take(np.ravel(x), np.flatnonzero(condition))


@composite(
    formulas=["∂L/∂xᵢ = ∂L/∂y ⊙ [choice = i]"],
    answers=(np.choose,),
    examples=[example(np.array([[0, 1], [1, 0]]), [(2, 2), (2, 1)]), example(np.array([1, 0]), [(), (2,)])],
    analytic=True,
)
def choose(which: Any, choices: Any) -> Any:
    """yᵢ = choices[whichᵢ]ᵢ: from several arrays, broadcast together, the element of the one that `which` names.

    >>> choose([0, 1, 0], [np.array([1, 2, 3]), np.array([10, 20, 30])])
    array([ 1, 20,  3])
    """
    which, n = array(which), len(choices)
    if which.size and not ((numbers(which) >= 0) & (numbers(which) < n)).all():
        raise ValueError(f"choose() picks among {n} arrays by the integers 0 to {n - 1}, but got others")
    first, *arrays = np.broadcast_arrays(which, *choices)
    return take_along_axis(np.stack(arrays), np.expand_dims(first, 0), axis=0)[0]


@composite(
    formulas=["∂L/∂xᵢ = ∂L/∂y where condition i is the first that holds, else 0"],
    answers=(np.select,),
    examples=[example([np.array([True, False, False]), np.array([True, True, False])], [(3,), (3,)], default=0.5)],
    analytic=True,
)
def select(conditions: Any, choices: Any, default: Any = 0) -> Any:
    """y = the element of the first choice whose condition is true, or else the default; all broadcast together.

    >>> x = np.array([-2, 1, 5])
    >>> select([x < 0, x > 3], [-x, 3])
    array([2, 0, 3])
    """
    if len(conditions) != len(choices) or not len(conditions):
        raise ValueError(f"select() needs a choice for each condition, but got {len(choices)} for {len(conditions)}")
    y = default
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        y = np.where(condition, choice, y)
    return y


@composite(
    formulas=["∂L/∂x = ∂L/∂y ⊙ fᵢ′(x) where condition i is the last that holds"],
    answers=(np.piecewise,),
    examples=[
        example(Fixed(np.array([-2.0, 0.5, 3.0])), [np.array([True, False, False])], [lambda t: t * t, np.sin]),
        example((3,), [np.array([True, False, False]), np.array([False, True, False])], [np.exp, -1.0]),
    ],
    analytic=True,
)
def piecewise(x: Any, conditions: Any, functions: Any, *args: Any, **kwargs: Any) -> Any:
    """y = fₖ(x) where conditionₖ holds; each function sees only its own elements, and may also be a number.

    One function more than conditions is for where none holds; without it y is 0 there.

    >>> x = np.array([-2.0, 1.0])
    >>> piecewise(x, [x < 0], [lambda t: -t, np.sqrt])
    array([2., 1.])
    """
    x = array(x)
    conditions = [conditions] if np.ndim(conditions[0]) == 0 and x.ndim else list(conditions)
    conditions = [np.astype(array(condition), bool) for condition in conditions]
    if len(functions) == len(conditions) + 1:
        conditions.append(~np.any(np.stack(conditions), axis=0))
    elif len(functions) != len(conditions):
        raise ValueError(
            f"piecewise() needs {len(conditions)} functions, or one more for elsewhere, but got {len(functions)}"
        )
    y: Any = np.zeros_like(x)
    for condition, function in zip(conditions, functions, strict=True):
        value = function(x[condition], *args, **kwargs) if callable(function) else function
        value = np.astype(value, y.dtype, copy=False) if hasattr(value, "dtype") else np.asarray(value, y.dtype)
        y = index_update(y, condition, value)
    return y


# ---------------------------------------------------------------------------------------------------
# Indices


@op(
    symbol="argwhere",
    answers=(np.argwhere,),
    may_raise=False,
    domain=lambda rng, shape: rng.integers(-1, 2, shape),
    examples=[example((3, 4)), example((5,)), example(())],
)
def argwhere(x: Any) -> Any:
    """The indices of the elements that are not zero, a row for each of them: integers, without a derivative."""
    return np.argwhere(x)


@composite(
    answers=(np.nonzero,),
    domain=lambda rng, shape: rng.integers(-1, 2, shape),
    examples=[example((3, 4)), example((5,))],
)
def nonzero(x: Any) -> tuple[Any, ...]:
    """The indices of the elements that are not zero, an array of them for each axis: x[nonzero(x)] are these elements.

    >>> nonzero(np.array([[0, 7], [8, 0]]))
    (array([0, 1]), array([1, 0]))
    """
    if not np.ndim(x):
        raise ValueError("nonzero() of a single number is not defined; write np.atleast_1d(x), or x != 0")
    places = argwhere(x)
    return tuple([places[:, i] for i in range(np.ndim(x))])


@op(
    symbol="flatnonzero",
    answers=(np.flatnonzero,),
    may_raise=False,
    domain=lambda rng, shape: rng.integers(-1, 2, shape),
    examples=[example((3, 4)), example((5,))],
)
def flatnonzero(x: Any) -> Any:
    """The indices, in the ravelled x, of the elements that are not zero: integers, without a derivative."""
    return np.flatnonzero(x)


@op(
    symbol="one_hot",
    bind=lambda indices, num_classes, dtype=numpy.float32: (
        (indices,),
        {"num_classes": operator.index(num_classes), "dtype": np.dtype(dtype).name},
    ),
    takes_out=True,
    may_raise=True,
    examples=[example(np.array([[2, 0], [1, 1]]), 3), example(np.array(1), 4, dtype="float64")],
)
def one_hot(indices: Any, num_classes: int, dtype: str, *, out: Any = None) -> Any:
    """yᵢⱼ = 1 if j = indicesᵢ, else 0, for j in 0 … num_classes − 1 along a new last axis.

    float32 unless told otherwise: with float32 it stays so, and with float64 nothing is lost, for 0 and 1 are exact.
    Raises IndexError if an index is negative or not below `num_classes`.

    >>> one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    indices = np.asarray(indices)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"classes are counted by integers, but got {indices.dtype}")
    if indices.size and (indices.min() < 0 or indices.max() >= num_classes):
        raise IndexError(f"classes run from 0 to {num_classes - 1}, but got {indices.min()} to {indices.max()}")
    y = np.equal(indices[..., None], np.arange(num_classes), out)
    return y.astype(dtype) if out is None else y


@composite(
    answers=(np.meshgrid,),
    examples=[
        example((3,), (2,)),
        example((3,), (2,), indexing="ij"),
        example((3,), (), (2,), sparse=True, copy=False),
    ],
    analytic=True,
)
def meshgrid(*xs: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    """Coordinates as grids: each xᵢ repeated along the axes of the others.

    indexing: "xy" makes the first two axes rows (of x₁) and columns (of x₀), as figures want; "ij" keeps the order.

    >>> meshgrid(np.array([1, 2, 3]), np.array([10, 20]))[0]
    array([[1, 2, 3],
           [1, 2, 3]])
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid() got indexing={indexing!r}; it takes 'xy' or 'ij'")
    axes = list(range(len(xs)))
    if indexing == "xy":
        axes[:2] = axes[:2][::-1]
    grids = [np.reshape(x, [-1 if i == axis else 1 for i in axes]) for axis, x in enumerate(xs)]
    return tuple(grids) if sparse else tuple(np.broadcast_arrays(*grids))


ASKS.update(
    {np.ix_, np.diag_indices_from, np.tril_indices_from, np.triu_indices_from, np.unravel_index, np.ravel_multi_index}
)

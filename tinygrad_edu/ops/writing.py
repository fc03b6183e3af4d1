"""Writing into a copy: y is x with other values at an index."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import Fixed, example
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.registry import ANSWERS
from tinygrad_edu.ops.indexing import ARRAY, add_at, getitem, index_of, key_and_arrays, key_text, repeats

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike, Index, Out


def _bind_writing(x: Array, index: Index, values: ArrayLike) -> tuple[tuple[Any, ...], dict[str, Any]]:
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


def _bind_adding(x: Array, index: Index, values: ArrayLike) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return _bind_writing(x, index, values)


@op(
    symbol=lambda *, key: key_text(key) + "+=",
    vjp=lambda i, g, y, x, values, *arrays, key: g if i == 0 else getitem(g, index_of(key, arrays)),
    presence="moves",
    bind=_bind_adding,
    broadcasts=True,
    takes_out=True,
    may_raise=True,
    formulas=["∂L/∂x = ∂L/∂y", "∂L/∂values = ∂L/∂y[index]", "∂L/∂index: none"],
    examples=_WRITES[1:],
)
def scatter_add(x: Array, values: Array, *arrays: Array, key: tuple[Any, ...], out: Out = None) -> Array:
    """y = x, but y[index] += values; repeated elements add up. Called as `scatter_add(x, index, values)`.

    `index` is anything that may stand in x[...]; values broadcast to x[index]. x itself is left as it is.

    x: an array or a tensor.
    index: what may stand in the brackets: integers, slices, arrays, masks.
    values: numbers, an array or a tensor, whose gradient is that of y at these places.

    >>> scatter_add(np.zeros(3), [0, 0, 2], np.array([1.0, 2.0, 3.0]))
    array([3., 0., 3.])
    """
    y, values = _copy_to_write(x, values, out)
    add_at(y, key, arrays, values)
    return y


def _index_update_rule(i: int, g: Any, y: Any, x: Any, values: Any, *arrays: Any, key: tuple[Any, ...]) -> Any:
    index = index_of(key, arrays)
    if i == 0:
        return index_update(g, index, False)  # 0, of any type
    chosen = getitem(g, index)
    if repeats(arrays):
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
def index_update(x: Array, values: Array, *arrays: Array, key: tuple[Any, ...], out: Out = None) -> Array:
    """y = x, but y[index] = values. Called as `index_update(x, index, values)`: an assignment that is recorded.

    `index` is anything that may stand in x[...]; values broadcast to x[index]. x itself is left as it is. Where an
    element is chosen several times, the last value in C order stays, and it alone has a gradient.

    x: an array or a tensor, whose gradient is 0 where it is written over.
    index: what may stand in the brackets: integers, slices, arrays, masks.
    values: numbers, an array or a tensor.

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
def last_written(*arrays: Array, key: tuple[Any, ...], shape: tuple[int, ...]) -> Array:
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

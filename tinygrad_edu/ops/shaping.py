"""Moving elements without changing them: shapes, orders of axes, joining, splitting, padding.

Each of these is linear, y = Px with P a matrix of zeros and ones; so its gradient is Pᵀg, the same move
backwards: what was copied to several places is added up, what was dropped gets zero.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from operator import index
from typing import Any

import numpy
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from tinygrad_edu.op import composite, example, op
from tinygrad_edu.protocols import numbers

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def array(x: Any) -> Any:
    """x itself, if it is a tensor or an array; a number or a list as an array."""
    return x if hasattr(x, "ndim") else np.asarray(x)


def called(x: Any) -> str:
    """What an error calls x: its name, if it has one, and its shape."""
    return f"{getattr(x, 'name', None) or ''} {np.shape(x)}".lstrip()


# ---------------------------------------------------------------------------------------------------
# Another shape


def _bind_reshape(x: Any, shape: Any, order: str = "C", *, copy: Any = None) -> tuple[Any, ...]:
    _rows_first("reshape", order)
    if copy is not None:
        raise TypeError(
            "reshape of a Tensor takes no copy=: where it can, it shares memory; for a copy write x.clone()"
        )
    return (x,), {"shape": tuple([index(n) for n in shape]) if np.iterable(shape) else index(shape)}


def _rows_first(name: str, order: str) -> None:
    if order != "C":
        raise ValueError(
            f"{name} of a Tensor reads row by row (order='C'), but got order={order!r}; to read by columns, give it x.T"
        )


@op(
    symbol="reshape",
    vjp=(lambda g, y, x, *, shape: np.reshape(g, x.shape),),
    answers=(np.reshape,),
    bind=_bind_reshape,
    view=True,
    analytic=True,
    examples=[
        example((2, 3), shape=(3, 2)),
        example((2, 3), shape=-1),
        example((4,), shape=(2, -1, 1)),
        example((), shape=(1, 1)),
        example((1,), shape=()),
        example((0, 3), shape=(3, 0)),
    ],
)
def reshape(x: Any, shape: Any) -> Any:
    """y holds the elements of x, row by row, in another shape; one length may be −1, and follows from the rest.

    Raises ValueError if the number of elements differs.

    >>> import numpy as np
    >>> reshape(np.arange(6), (2, -1)).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    return x.reshape(shape)


@composite(answers=(np.ravel,), analytic=True, examples=[example((2, 3)), example(()), example((2, 0))])
def ravel(x: Any, order: str = "C") -> Any:
    """y is x as one row.

    >>> import tinygrad_edu as tg
    >>> ravel(tg.Tensor([[1, 2], [3, 4]]))
    Tensor([1, 2, 3, 4])
    """
    _rows_first("ravel", order)
    return np.reshape(x, (-1,))


@op(
    symbol="expand dims",
    vjp=(lambda g, y, x, *, axis: np.reshape(g, x.shape),),
    answers=(np.expand_dims,),
    view=True,
    analytic=True,
    examples=[
        example((2, 3), axis=1),
        example((2, 3), axis=-1),
        example((3,), axis=(0, -1)),
        example((), axis=0),
        example((0,), axis=0),
    ],
)
def expand_dims(x: Any, axis: Any) -> Any:
    """y is x with new axes of length 1, which stand at `axis` in y.

    >>> import numpy as np
    >>> expand_dims(np.ones((2, 3)), (0, -1)).shape
    (1, 2, 3, 1)
    """
    axes = axis if isinstance(axis, tuple) else (axis,)
    ndim = x.ndim + len(axes)
    axes = normalize_axis_tuple(axes, ndim)
    lengths = iter(x.shape)
    return x.reshape([1 if i in axes else next(lengths) for i in range(ndim)])


@op(
    symbol="squeeze",
    vjp=(lambda g, y, x, *, axis: np.reshape(g, x.shape),),
    answers=(np.squeeze,),
    view=True,
    analytic=True,
    examples=[
        example((1, 3, 1)),
        example((1, 3, 1), axis=0),
        example((1, 3, 1), axis=-1),
        example((1, 3, 1), axis=(0, 2)),
        example((1, 1)),
        example((1, 0), axis=0),
    ],
)
def squeeze(x: Any, axis: Any = None) -> Any:
    """y is x without its axes of length 1, or without those in `axis`.

    Raises ValueError for an axis of another length.

    >>> import numpy as np
    >>> squeeze(np.ones((1, 3, 1)), axis=0).shape
    (3, 1)
    """
    return x.squeeze(axis)


def _atleast(ndim: int, x: Any) -> Any:
    if np.ndim(x) >= ndim:
        return array(x)
    front = ndim - np.ndim(x) - (ndim == 3 and np.ndim(x) > 0)  # NumPy has a vector's third axis behind it
    shape = (1,) * front + np.shape(x)
    return np.reshape(x, shape + (1,) * (ndim - len(shape)))


def _one_or_all(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else tuple(parts)


@composite(answers=(np.atleast_1d,), analytic=True, examples=[example(()), example((2, 3)), example((), (2,))])
def atleast_1d(*xs: Any) -> Any:
    """Each x, where it is a number as a vector of one element; a tuple if there are several.

    >>> import tinygrad_edu as tg
    >>> atleast_1d(tg.Tensor(3))
    Tensor([3])
    """
    return _one_or_all([_atleast(1, x) for x in xs])


@composite(answers=(np.atleast_2d,), analytic=True, examples=[example(()), example((3,)), example((2, 3))])
def atleast_2d(*xs: Any) -> Any:
    """Each x as a matrix: a vector becomes a row.

    >>> import tinygrad_edu as tg
    >>> atleast_2d(tg.Tensor([1, 2])).shape
    (1, 2)
    """
    return _one_or_all([_atleast(2, x) for x in xs])


@composite(
    answers=(np.atleast_3d,), analytic=True, examples=[example(()), example((3,)), example((2, 3)), example((2, 1, 3))]
)
def atleast_3d(*xs: Any) -> Any:
    """Each x with three axes: (n,) becomes (1, n, 1), and (m, n) becomes (m, n, 1).

    >>> import tinygrad_edu as tg
    >>> atleast_3d(tg.Tensor([1, 2])).shape
    (1, 2, 1)
    """
    return _one_or_all([_atleast(3, x) for x in xs])


# ---------------------------------------------------------------------------------------------------
# Another order


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    """The order of axes that undoes the order `axes`."""
    return tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))


@op(
    symbol=lambda *, axes: "ᵀ" if axes is None else "transpose",
    vjp=(lambda g, y, x, *, axes: g.T if axes is None else np.transpose(g, _inverse(axes)),),
    answers=(np.transpose, np.permute_dims),
    view=True,
    analytic=True,
    examples=[
        example((2, 3)),
        example((2, 3, 4)),
        example((2, 3, 4), axes=(1, 2, 0)),
        example((2, 3, 4), axes=(-1, 0, -2)),
        example((3,)),
        example(()),
        example((0, 2)),
    ],
)
def transpose(x: Any, axes: Any = None) -> Any:
    """y = xᵀ: the axes in reverse, or in the order `axes`.

    >>> import numpy as np
    >>> transpose(np.ones((2, 3, 4)), (1, 2, 0)).shape
    (3, 4, 2)
    """
    return x.transpose(axes)


permute = permute_dims = transpose


@op(
    symbol="ᵀ",
    vjp=(lambda g, y, x: g.mT,),
    answers=(np.matrix_transpose, np.linalg.matrix_transpose),
    view=True,
    analytic=True,
    examples=[example((2, 3)), example((2, 3, 4)), example((2, 0, 3))],
)
def matrix_transpose(x: Any) -> Any:
    """y = xᵀ for each matrix of a stack: the last two axes exchanged.

    >>> import numpy as np
    >>> matrix_transpose(np.ones((5, 2, 3))).shape
    (5, 3, 2)
    """
    return x.mT


@op(
    symbol="swap axes",
    vjp=(lambda g, y, x, *, axis1, axis2: np.swapaxes(g, axis1, axis2),),
    answers=(np.swapaxes,),
    view=True,
    analytic=True,
    examples=[example((2, 3, 4), axis1=0, axis2=2), example((2, 3, 4), axis1=-1, axis2=1), example((2, 0), 0, 1)],
)
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """y is x with two axes exchanged.

    >>> import numpy as np
    >>> swapaxes(np.ones((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    return x.swapaxes(axis1, axis2)


@op(
    symbol="move axis",
    vjp=(lambda g, y, x, *, source, destination: np.moveaxis(g, destination, source),),
    answers=(np.moveaxis,),
    view=True,
    analytic=True,
    examples=[
        example((2, 3, 4), source=0, destination=-1),
        example((2, 3, 4), source=-1, destination=1),
        example((2, 3, 4, 2), source=(0, 1), destination=(-1, 0)),
        example((0, 3), source=0, destination=1),
    ],
)
def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """y is x with the axes `source` moved to `destination`, the others in their order.

    >>> import numpy as np
    >>> moveaxis(np.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    return np.moveaxis(x, source, destination)


@composite(
    answers=(np.rollaxis,), analytic=True, examples=[example((2, 3, 4), 2), example((2, 3, 4), axis=0, start=-1)]
)
def rollaxis(x: Any, axis: int, start: int = 0) -> Any:
    """y is x with one axis moved to stand before the axis `start`; `moveaxis` is the clearer name.

    >>> import tinygrad_edu as tg
    >>> rollaxis(tg.Tensor([[1, 2, 3]]), 1).shape
    (3, 1)
    """
    n = np.ndim(x)
    axis = normalize_axis_index(axis, n)
    start = start + n if start < 0 else start
    if not 0 <= start <= n:
        raise np.exceptions.AxisError(f"rollaxis got start={start} for {n} axes; it lies between {-n} and {n}")
    return np.moveaxis(x, axis, start - (axis < start))


@op(
    symbol="flip",
    vjp=(lambda g, y, x, *, axis: np.flip(g, axis),),
    answers=(np.flip,),
    view=True,
    analytic=True,
    examples=[
        example((2, 3)),
        example((2, 3), axis=0),
        example((2, 3, 2), axis=-1),
        example((2, 3, 2), axis=(0, -1)),
        example(()),
        example((0, 2), axis=0),
    ],
)
def flip(x: Any, axis: Any = None) -> Any:
    """y is x read backwards along `axis`: yᵢ = xₙ₋₁₋ᵢ; None stands for all axes.

    >>> import numpy as np
    >>> flip(np.arange(4)).tolist()
    [3, 2, 1, 0]
    """
    return np.flip(x, axis)


@composite(answers=(np.fliplr,), analytic=True, examples=[example((2, 3)), example((2, 3, 2))])
def fliplr(x: Any) -> Any:
    """y is x with its columns in reverse.

    >>> import tinygrad_edu as tg
    >>> fliplr(tg.Tensor([[1, 2], [3, 4]])).tolist()
    [[2, 1], [4, 3]]
    """
    if np.ndim(x) < 2:
        raise ValueError(f"fliplr reverses columns, so it takes two axes or more, but got {called(x)}")
    return np.flip(x, 1)


@composite(answers=(np.flipud,), analytic=True, examples=[example((3,)), example((2, 3))])
def flipud(x: Any) -> Any:
    """y is x with its rows in reverse.

    >>> import tinygrad_edu as tg
    >>> flipud(tg.Tensor([[1, 2], [3, 4]])).tolist()
    [[3, 4], [1, 2]]
    """
    if np.ndim(x) < 1:
        raise ValueError(f"flipud reverses rows, so it takes one axis or more, but got {called(x)}")
    return np.flip(x, 0)


@composite(
    answers=(np.rot90,),
    analytic=True,
    examples=[
        example((2, 3)),
        example((2, 3), k=2),
        example((2, 3), k=-1),
        example((2, 3), k=4),
        example((2, 3, 2), k=1, axes=(2, 0)),
    ],
)
def rot90(x: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """y is x turned k times by 90°, from the first of `axes` towards the second.

    >>> import tinygrad_edu as tg
    >>> rot90(tg.Tensor([[1, 2], [3, 4]])).tolist()
    [[2, 4], [1, 3]]
    """
    first, second = normalize_axis_tuple(axes, np.ndim(x), "axes")
    turned = x if k % 2 == 0 else np.swapaxes(x, first, second)
    backwards = [(), (first,), (first, second), (second,)][k % 4]
    return np.flip(turned, backwards)


@op(
    symbol="roll",
    vjp=(lambda g, y, x, *, shift, axis: np.roll(g, _opposite(shift), axis),),
    answers=(np.roll,),
    analytic=True,
    examples=[
        example((5,), shift=2),
        example((2, 3), shift=-1),
        example((2, 3), shift=4, axis=1),
        example((2, 3), shift=(1, -1), axis=(0, -1)),
        example((3, 2), shift=1, axis=(0, 1)),
        example((), shift=1),
        example((0, 2), shift=1, axis=0),
    ],
)
def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """yᵢ = xᵢ₋ₛ: x moved on by `shift` places, what falls off the end coming back at the front.

    Without an axis x moves as one row, and keeps its shape.

    >>> import numpy as np
    >>> roll(np.arange(5), 2).tolist()
    [3, 4, 0, 1, 2]
    """
    return np.roll(x, shift, axis)


def _opposite(shift: Any) -> Any:
    return tuple([-s for s in shift]) if isinstance(shift, tuple) else -shift


# ---------------------------------------------------------------------------------------------------
# Copies: what was copied is added up


@op(
    symbol="broadcast",
    vjp=(lambda g, y, x, *, shape: g,),  # the engine sums over the axes of which there was one
    answers=(np.broadcast_to,),
    broadcasts=True,
    view=True,
    analytic=True,
    examples=[
        example((3,), shape=(2, 3)),
        example((2, 1), shape=(2, 3)),
        example((1, 3, 1), shape=(2, 2, 3, 2)),
        example((), shape=(2, 2)),
        example((3,), shape=(3,)),
        example((1, 2), shape=(0, 2)),
        example((), shape=4),
    ],
)
def broadcast_to(x: Any, shape: Any) -> Any:
    """y is x repeated, without being copied, along axes in front and along those of length 1.

    Its memory is x's, and is not to be written. Raises ValueError if the shapes do not fit.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> broadcast_to(x, (3, 2)).sum().backward()
    >>> x.grad.tolist()
    [3.0, 3.0]
    """
    return np.broadcast_to(x, shape)


@composite(
    answers=(np.broadcast_arrays,), analytic=True, examples=[example((3,), (2, 1)), example(()), example((2, 3), ())]
)
def broadcast_arrays(*xs: Any) -> tuple[Any, ...]:
    """Each x, broadcast to the shape that all have in common.

    >>> import tinygrad_edu as tg
    >>> [x.shape for x in broadcast_arrays(tg.Tensor([1, 2, 3]), tg.Tensor([[1], [2]]))]
    [(2, 3), (2, 3)]
    """
    shape = np.broadcast_shapes(*[np.shape(x) for x in xs])
    return tuple([array(x) if np.shape(x) == shape else np.broadcast_to(x, shape) for x in xs])


@composite(
    answers=(np.tile,),
    analytic=True,
    examples=[
        example((3,), 2),
        example((2, 3), reps=(2, 1)),
        example((2,), reps=(3, 2)),
        example((2, 1, 2), reps=2),
        example((), reps=(2, 2)),
        example((2, 3), reps=(0, 1)),
    ],
)
def tile(x: Any, reps: Any) -> Any:
    """y is x laid side by side, reps times along each axis; missing reps and missing axes in front count 1.

    >>> import tinygrad_edu as tg
    >>> tile(tg.Tensor([1, 2]), (2, 2)).tolist()
    [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    times = tuple([index(r) for r in reps]) if np.iterable(reps) else (index(reps),)
    shape = (1,) * (len(times) - np.ndim(x)) + np.shape(x)
    times = (1,) * (len(shape) - len(times)) + times
    apart = [n for length in shape for n in (1, length)]  # a new axis before each, to repeat along
    copies = [n for r, length in zip(times, shape, strict=True) for n in (r, length)]
    return np.reshape(np.broadcast_to(np.reshape(x, apart), copies), [r * n for r, n in zip(times, shape, strict=True)])


@composite(
    answers=(np.repeat,),
    analytic=True,
    examples=[
        example((2, 3), 2),
        example((2, 3), 2, axis=1),
        example((2, 3), repeats=3, axis=-2),
        example((3,), repeats=[1, 0, 2]),
        example((2, 3), repeats=[2, 1], axis=0),
        example((), repeats=2),
        example((2, 3), repeats=0, axis=0),
    ],
)
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """y is x with each element (each slice along `axis`) repeated in place; without an axis, x as one row.

    repeats: one number, or one for each element along the axis.

    >>> import tinygrad_edu as tg
    >>> repeat(tg.Tensor([1, 2]), 3).tolist(), repeat(tg.Tensor([1, 2]), [1, 2]).tolist()
    ([1, 1, 1, 2, 2, 2], [1, 2, 2])
    """
    if axis is None:
        x, axis = np.ravel(x), 0
    shape = np.shape(x)
    axis = normalize_axis_index(axis, len(shape), f"repeat of {called(x)}")
    times = np.asarray(numbers(repeats))
    if (times < 0).any() or times.shape not in ((), (1,), shape[axis : axis + 1]):
        raise ValueError(
            f"repeat of {called(x)} takes one number that is not negative, or {shape[axis]} of them for axis {axis}, "
            f"but got {repeats!r}"
        )
    if times.ndim:
        return np.take(x, np.repeat(np.arange(shape[axis]), times), axis=axis)
    r = index(times)
    before, after = shape[: axis + 1], shape[axis + 1 :]
    copies = np.broadcast_to(np.expand_dims(x, axis + 1), (*before, r, *after))
    return np.reshape(copies, (*before[:-1], before[-1] * r, *after))


# ---------------------------------------------------------------------------------------------------
# Joining and splitting: each is the gradient of the other


def _bind_joined(arrays: Any, axis: Any = 0, *, dtype: Any = None, casting: Any = None) -> tuple[Any, ...]:
    if dtype is not None or casting is not None:
        raise TypeError("tensors are joined in the dtype they have in common; for another write .astype(dtype)")
    if axis is None:
        arrays, axis = [np.ravel(x) for x in arrays], 0
    return tuple(arrays), {"axis": index(axis)}


def _part(i: int, xs: Sequence[Any], axis: int) -> tuple[slice, ...]:
    """Where the i-th of the joined arrays lies in the whole."""
    start = sum([x.shape[axis] for x in xs[:i]])
    return (slice(None),) * (axis % xs[i].ndim) + (slice(start, start + xs[i].shape[axis]),)


@op(
    symbol="concat",
    vjp=lambda i, g, y, *xs, axis: g[_part(i, xs, axis)],
    answers=(np.concatenate, np.concat),
    bind=_bind_joined,
    analytic=True,
    formulas=["∂L/∂xᵢ = ∂L/∂y[part i]"],
    examples=[
        example([(2, 3), (1, 3)]),
        example([(2, 3), (2, 1), (2, 2)], axis=1),
        example([(2, 1, 2), (2, 3, 2)], axis=-2),
        example([(2, 3), (2,)], axis=None),
        example([(3,)]),
        example([(0, 2), (3, 2)]),
    ],
)
def concatenate(*xs: Any, axis: int) -> Any:
    """y is the xs one after the other along an axis; without an axis, all of them as one row.

    Raises ValueError if their other lengths differ.

    >>> import tinygrad_edu as tg
    >>> a, b = tg.Tensor([1.0, 2.0], requires_grad=True), tg.Tensor([3.0], requires_grad=True)
    >>> (concatenate([a, b]) ** 2).sum().backward()
    >>> a.grad.tolist(), b.grad.tolist()
    ([2.0, 4.0], [6.0])
    """
    return np.concatenate(xs, axis=axis)


concat = concatenate


@op(
    symbol="stack",
    vjp=lambda i, g, y, *xs, axis: g[(slice(None),) * (axis % y.ndim) + (i,)],
    answers=(np.stack,),
    bind=_bind_joined,
    analytic=True,
    formulas=["∂L/∂xᵢ = ∂L/∂y[i]"],
    examples=[
        example([(3,), (3,)]),
        example([(2, 3), (2, 3), (2, 3)], axis=1),
        example([(2, 3), (2, 3)], axis=-1),
        example([(), ()]),
        example([(0,), (0,)]),
    ],
)
def stack(*xs: Any, axis: int) -> Any:
    """y is the xs, all of one shape, side by side along a new axis: y[i] = xᵢ.

    Raises ValueError if the shapes differ.

    >>> import numpy as np
    >>> stack([np.zeros(3), np.ones(3)], axis=-1).shape
    (3, 2)
    """
    return np.stack(xs, axis=axis, dtype=np.result_type(*xs))


@composite(answers=(np.vstack,), analytic=True, examples=[example([(3,), (2, 3)]), example([(), ()])])
def vstack(xs: Any, *, dtype: Any = None, casting: Any = None) -> Any:
    """y is the xs below one another; a vector is a row.

    >>> import tinygrad_edu as tg
    >>> vstack([tg.Tensor([1, 2]), tg.Tensor([3, 4])]).tolist()
    [[1, 2], [3, 4]]
    """
    return concatenate([_atleast(2, x) for x in xs], 0, dtype=dtype, casting=casting)


@composite(answers=(np.hstack,), analytic=True, examples=[example([(2, 3), (2, 1)]), example([(3,), (2,)])])
def hstack(xs: Any, *, dtype: Any = None, casting: Any = None) -> Any:
    """y is the xs beside one another: along the second axis, vectors along their only one.

    >>> import tinygrad_edu as tg
    >>> hstack([tg.Tensor([1, 2]), tg.Tensor([3])]).tolist()
    [1, 2, 3]
    """
    parts = [_atleast(1, x) for x in xs]
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1, dtype=dtype, casting=casting)


@composite(answers=(np.dstack,), analytic=True, examples=[example([(3,), (3,)]), example([(2, 3), (2, 3, 2)])])
def dstack(xs: Any) -> Any:
    """y is the xs behind one another, along the third axis.

    >>> import tinygrad_edu as tg
    >>> dstack([tg.Tensor([1, 2]), tg.Tensor([3, 4])]).tolist()
    [[[1, 3], [2, 4]]]
    """
    return concatenate([_atleast(3, x) for x in xs], 2)


@composite(answers=(np.column_stack,), analytic=True, examples=[example([(3,), (3, 2)]), example([(2,), (2,)])])
def column_stack(xs: Any) -> Any:
    """y is the xs beside one another; a vector is a column.

    >>> import tinygrad_edu as tg
    >>> column_stack([tg.Tensor([1, 2]), tg.Tensor([3, 4])]).tolist()
    [[1, 3], [2, 4]]
    """
    return concatenate([x if np.ndim(x) > 1 else np.reshape(x, (-1, 1)) for x in xs], 1)


@composite(answers=(np.append,), analytic=True, examples=[example((2, 3), (2,)), example((2, 3), (1, 3), axis=0)])
def append(x: Any, values: Any, axis: int | None = None) -> Any:
    """y is x with `values` behind it along an axis; without an axis, both as one row.

    >>> import tinygrad_edu as tg
    >>> append(tg.Tensor([1, 2]), 3).tolist()
    [1, 2, 3]
    """
    return concatenate([x, values if np.ndim(values) else np.reshape(values, (1,))], axis)


@composite(
    answers=(np.block,),
    analytic=True,
    examples=[example([(2, 2), (2, 1)]), example([[(2, 2), (2, 1)], [(1, 2), (1, 1)]]), example((2,))],
)
def block(blocks: Any) -> Any:
    """y is a matrix put together from blocks, given as rows of blocks (nested lists).

    The innermost lists are joined along the last axis, the lists of them along the last but one, and so on.

    >>> import tinygrad_edu as tg
    >>> A, b = tg.Tensor([[1, 2], [3, 4]]), tg.Tensor([[5], [6]])
    >>> block([[A, b], [b.T, 7]]).tolist()
    [[1, 2, 5], [3, 4, 6], [5, 6, 7]]
    """
    return _join_blocks(blocks, _depth(blocks), max(_depth(blocks), _most_axes(blocks)))


def _depth(blocks: Any) -> int:
    if not isinstance(blocks, list):
        return 0
    depths = {_depth(part) for part in blocks}
    if len(depths) != 1:
        raise ValueError("block takes lists nested to one depth, none of them empty, such as [[A, B], [C, D]]")
    return 1 + depths.pop()


def _most_axes(blocks: Any) -> int:
    return max(map(_most_axes, blocks)) if isinstance(blocks, list) else np.ndim(blocks)


def _join_blocks(blocks: Any, depth: int, ndim: int) -> Any:
    if not isinstance(blocks, list):
        return np.reshape(blocks, (1,) * (ndim - np.ndim(blocks)) + np.shape(blocks))
    return concatenate([_join_blocks(part, depth - 1, ndim) for part in blocks], -depth)


def _cuts(x: Any, indices: Any, axis: int, *, equal: bool) -> tuple[int, ...]:
    """Where to cut, from a number of parts or from the places as NumPy allows them."""
    n = np.shape(x)[normalize_axis_index(axis, np.ndim(x), f"split of {called(x)}")]
    if np.iterable(indices):
        cuts = tuple([slice(index(i)).indices(n)[1] for i in indices])
        if list(cuts) != sorted(cuts):
            raise ValueError(f"split of {called(x)}: the places {tuple(indices)} along axis {axis} are not in order")
        return cuts
    parts = index(indices)
    if parts < 1:
        raise ValueError(f"split of {called(x)} gives one part or more, but was asked for {parts}")
    if equal and n % parts:
        raise ValueError(
            f"split of {called(x)}: axis {axis} does not divide into {parts} equal parts; np.array_split allows for it"
        )
    return tuple([i * (n // parts) + min(i, n % parts) for i in range(1, parts)])


@op(
    symbol="split",
    vjp=(lambda g, y, x, *, indices, axis: np.concatenate(g, axis),),
    answers=(np.split,),
    bind=lambda x, indices_or_sections, axis=0: (
        (x,),
        {"indices": _cuts(x, indices_or_sections, axis, equal=True), "axis": index(axis)},
    ),
    outputs=sys.maxsize,
    view=True,
    analytic=True,
    formulas=["∂L/∂x = concat(∂L/∂y₀, ∂L/∂y₁, …)"],
    examples=[
        example((4, 2), 2),
        example((2, 3), 3, axis=1),
        example((5,), [1, 3]),
        example((2, 5), [2, -1], axis=-1),
        example((3,), [0, 7]),
        example((0, 2), 2, axis=0),
    ],
)
def split(x: Any, indices: tuple[int, ...], axis: int) -> Any:
    """y₀, y₁, … are x cut along an axis: into so many equal parts, or at the places given.

    Raises ValueError if the axis does not divide equally.

    >>> import numpy as np
    >>> [part.tolist() for part in split(np.arange(5), [2, 3])]
    [[0, 1], [2], [3, 4]]
    """
    return tuple(np.split(x, indices, axis))


@composite(
    answers=(np.array_split,),
    analytic=True,
    examples=[example((5,), 2), example((2, 5), 3, axis=1), example((5, 2), [1, 4]), example((2,), 3)],
)
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> tuple[Any, ...]:
    """y₀, y₁, … are x cut into so many parts, the first of which may be longer by one.

    >>> import tinygrad_edu as tg
    >>> [part.tolist() for part in array_split(tg.Tensor([1, 2, 3, 4, 5]), 2)]
    [[1, 2, 3], [4, 5]]
    """
    return split(x, _cuts(x, indices_or_sections, axis, equal=False), axis)


@composite(answers=(np.hsplit,), analytic=True, examples=[example((2, 4), 2), example((4,), [1, 2])])
def hsplit(x: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """y₀, y₁, … are x cut along its second axis, a vector along its only one.

    >>> import tinygrad_edu as tg
    >>> [part.tolist() for part in hsplit(tg.Tensor([[1, 2], [3, 4]]), 2)]
    [[[1], [3]], [[2], [4]]]
    """
    return split(x, indices_or_sections, 0 if np.ndim(x) == 1 else 1)


@composite(answers=(np.vsplit,), analytic=True, examples=[example((4, 2), 2), example((3, 2), [1])])
def vsplit(x: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """y₀, y₁, … are x cut along its rows.

    >>> import tinygrad_edu as tg
    >>> [part.tolist() for part in vsplit(tg.Tensor([[1, 2], [3, 4]]), 2)]
    [[[1, 2]], [[3, 4]]]
    """
    if np.ndim(x) < 2:
        raise ValueError(f"vsplit cuts between rows, so it takes two axes or more, but got {called(x)}")
    return split(x, indices_or_sections, 0)


@composite(answers=(np.dsplit,), analytic=True, examples=[example((2, 1, 4), 2), example((1, 2, 3), [1])])
def dsplit(x: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """y₀, y₁, … are x cut along its third axis.

    >>> import tinygrad_edu as tg
    >>> [part.tolist() for part in dsplit(tg.Tensor([[[1, 2]]]), 2)]
    [[[[1]]], [[[2]]]]
    """
    if np.ndim(x) < 3:
        raise ValueError(f"dsplit cuts along the third axis, but got {called(x)}")
    return split(x, indices_or_sections, 2)


@op(
    symbol="unstack",
    vjp=(lambda g, y, x, *, axis: np.stack(g, axis),),
    answers=(np.unstack,),
    bind=lambda x, *, axis=0: ((x,), {"axis": index(axis)}),
    outputs=sys.maxsize,
    view=True,
    analytic=True,
    formulas=["∂L/∂x = stack(∂L/∂y₀, ∂L/∂y₁, …)"],
    examples=[example((2, 3)), example((2, 3, 2), axis=1), example((2, 3), axis=-1), example((3,)), example((2, 0))],
)
def unstack(x: Any, axis: int = 0) -> Any:
    """yᵢ = x[i]: the slices of x along an axis, as a tuple.

    >>> import numpy as np
    >>> [row.tolist() for row in unstack(np.array([[1, 2], [3, 4]]))]
    [[1, 2], [3, 4]]
    """
    return tuple([np.asarray(part) for part in np.moveaxis(x, axis, 0)])


@composite(
    answers=(np.delete,),
    analytic=True,
    examples=[example((5,), 1), example((2, 3), [0, -1], axis=1), example((2, 3), [1, 2])],
)
def delete(x: Any, obj: Any, axis: int | None = None) -> Any:
    """y is x without its elements (its slices along `axis`) at the places `obj`: a number, slice, list or mask.

    >>> import tinygrad_edu as tg
    >>> delete(tg.Tensor([1, 2, 3]), 1).tolist()
    [1, 3]
    """
    if axis is None:
        x, axis = np.ravel(x), 0
    return np.take(x, np.delete(np.arange(np.shape(x)[axis]), numbers(obj)), axis=axis)


# ---------------------------------------------------------------------------------------------------
# Padding


def _widths(x: Any, pad_width: Any) -> tuple[tuple[int, int], ...]:
    """(before, after) for each axis, from the forms that NumPy allows."""
    if isinstance(pad_width, dict):
        pairs: list[Any] = [(0, 0)] * np.ndim(x)
        for axis, width in pad_width.items():
            pairs[axis] = width if np.iterable(width) else (width, width)
        pad_width = pairs
    widths = np.asarray(pad_width)
    if widths.dtype.kind not in "iu" or (widths < 0).any() or widths.shape not in (*_WIDTHS, (np.ndim(x), 2)):
        raise ValueError(
            f"pad of {called(x)} takes whole numbers that are not negative, (before, after) for each axis, "
            f"but got pad_width={pad_width!r}"
        )
    return tuple([(before, after) for before, after in np.broadcast_to(widths, (np.ndim(x), 2)).tolist()])


_WIDTHS = ((), (1,), (2,), (1, 2))  # one width for all, or (before, after) for all


def _bind_pad(x: Any, pad_width: Any, constant_values: Any = 0) -> tuple[Any, ...]:
    constant = np.asarray(numbers(constant_values))
    if constant.size != 1:
        raise ValueError(f"pad of {called(x)} takes one constant, but got {constant.tolist()}; pad each side by itself")
    return (array(x),), {"pad_width": _widths(x, pad_width), "constant_values": constant.item()}


def _inside(x: Any, pad_width: Any) -> tuple[slice, ...]:
    """Where x lies in the padded whole."""
    return tuple([slice(before, before + n) for (before, _), n in zip(pad_width, x.shape, strict=True)])


@op(
    symbol="pad",
    vjp=(lambda g, y, x, *, pad_width, constant_values: g[_inside(x, pad_width)],),
    analytic=True,
    bind=_bind_pad,
    formulas=["∂L/∂x = ∂L/∂y[inside]"],
    examples=[
        example((3,), 1),
        example((2, 3), pad_width=((1, 0), (0, 2)), constant_values=5.0),
        example((2, 2), pad_width=(1, 2)),
        example((), pad_width=1),
        example((0, 2), pad_width=1),
    ],
)
def pad_constant(x: Any, pad_width: Any, constant_values: Any) -> Any:
    """y is x with a border of a constant.

    >>> import numpy as np
    >>> pad_constant(np.array([1, 2]), (1, 2)).tolist()
    [0, 1, 2, 0, 0]
    """
    y = np.full([a + n + b for (a, b), n in zip(pad_width, x.shape, strict=True)], constant_values, x.dtype)
    y[_inside(x, pad_width)] = x
    return y


@composite(
    answers=(np.pad,),
    analytic=True,
    examples=[
        example((2, 3), 1),
        example((2, 3), pad_width=((1, 0), (0, 2)), constant_values=5.0),
        example((2, 3), pad_width=((1, 2), (0, 1)), mode="edge"),
        example((3, 4), pad_width=(1, 2), mode="reflect"),
        example((2, 3), pad_width=3, mode="reflect"),
        example((2, 3), pad_width=2, mode="symmetric"),
        example((2, 3), pad_width=((1, 4), (0, 1)), mode="wrap"),
        example((3,), pad_width=(0, 2), mode="edge"),
    ],
)
def pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0, **options: Any) -> Any:
    """y is x with a border, `pad_width` = (before, after) elements wide along each axis.

    The border holds a constant; or x continued: "edge" repeats the last element, "reflect" and "symmetric"
    go back from it (without and with the element itself), "wrap" begins again at the other end.

    Raises ValueError for a mode other than these.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1, 2, 3])
    >>> pad(x, 2).tolist(), pad(x, 2, mode="reflect").tolist(), pad(x, 2, mode="wrap").tolist()
    ([0, 0, 1, 2, 3, 0, 0], [3, 2, 1, 2, 3, 2, 1], [2, 3, 1, 2, 3, 1, 2])
    """
    if options:
        raise TypeError(f"pad of {called(x)} takes constant_values, but no {'=, '.join(options)}=")
    if mode == "constant":
        return pad_constant(x, pad_width, constant_values)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ValueError(
            f"pad of {called(x)} takes the mode 'constant', 'edge', 'reflect', 'symmetric' or 'wrap', but got {mode!r}; "
            "for another, join a border that you compute with np.concatenate"
        )
    for axis, width in enumerate(_widths(x, pad_width)):
        if width != (0, 0):
            x = np.take(x, np.pad(np.arange(np.shape(x)[axis]), width, mode=mode), axis=axis)
    return x

"""Another shape, and copies: nothing is computed.

Each of these is linear, y = Px with P a matrix of zeros and ones; so its gradient is Pᵀg, the same move
backwards: what was copied to several places is added up.
"""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any

import numpy
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.ops.types import array, called

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike, Axis, Shape
    from tinygrad_edu.engine.signatures import OfFirst

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


# ---------------------------------------------------------------------------------------------------
# Another shape


def _bind_reshape(x: Array, shape: Shape, order: str = "C", *, copy: bool | None = None) -> tuple[Any, ...]:
    _rows_first("reshape", order)
    if copy is not None:
        raise TypeError(
            "reshape of a Tensor takes no copy=: where it can, it shares memory; for a copy write x.clone()"
        )
    lengths: Any = shape
    return (x,), {"shape": tuple([index(n) for n in lengths]) if np.iterable(lengths) else index(lengths)}


def _rows_first(name: str, order: str) -> None:
    if order != "C":
        raise ValueError(
            f"{name} of a Tensor reads row by row (order='C'), but got order={order!r}; to read by columns, give it x.T"
        )


@op(
    symbol="reshape",
    spelled=lambda s, x: s.moved(x) if s.keeps_lengths else s.call(x),
    vjp=(lambda g, y, x, *, shape: np.reshape(g, x.shape),),
    presence="moves",
    answers=(np.reshape,),
    bind=_bind_reshape,
    view=True,
    may_raise=False,
    analytic=True,
    examples=[
        example((2, 3), shape=(3, 2)),
        example((2, 3), shape=-1),
        example((4,), shape=(2, -1, 1)),
        example((), shape=(1, 1)),
        example((1,), shape=()),
        example((0, 3), shape=(3, 0)),
    ],
    refuses={"order": "F", "copy": True},
)
def reshape(x: Array, shape: Shape) -> Array:
    """y holds the elements of x, row by row, in another shape; one length may be −1, and follows from the rest.

    x: an array or a tensor.
    shape: the lengths of y's axes, a number or a tuple.
    order: "C" reads and writes row by row; "F", column by column, is refused.
    copy: None: y shares the memory of x where it can. For a copy write x.clone().

    Raises ValueError if the number of elements differs.

    >>> import numpy as np
    >>> reshape(np.arange(6), (2, -1)).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    return x.reshape(shape)


@composite(
    answers=(np.ravel,),
    analytic=True,
    examples=[example((2, 3)), example(()), example((2, 0))],
    refuses={"order": "F"},
)
def ravel(x: Array, order: str = "C") -> Array:
    """y is x as one row.

    The parameters are those of `reshape`.

    >>> import tinygrad_edu as tg
    >>> ravel(tg.Tensor([[1, 2], [3, 4]]))
    Tensor([1, 2, 3, 4])
    """
    _rows_first("ravel", order)
    return np.reshape(x, (-1,))


@op(
    symbol="expand dims",
    spelled=lambda s, x: s.moved(x),
    vjp=(lambda g, y, x, *, axis: np.reshape(g, x.shape),),
    presence="moves",
    answers=(np.expand_dims,),
    view=True,
    may_raise=False,
    analytic=True,
    examples=[
        example((2, 3), axis=1),
        example((2, 3), axis=-1),
        example((3,), axis=(0, -1)),
        example((), axis=0),
        example((0,), axis=0),
    ],
)
def expand_dims(x: Array, axis: Axis) -> Array:
    """y is x with new axes of length 1, which stand at `axis` in y.

    x: an array or a tensor.
    axis: the place of the new axis, or several as a tuple.

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
    spelled=lambda s, x: s.moved(x),
    vjp=(lambda g, y, x, *, axis: np.reshape(g, x.shape),),
    presence="moves",
    answers=(np.squeeze,),
    view=True,
    may_raise=False,
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
def squeeze(x: Array, axis: Axis = None) -> Array:
    """y is x without its axes of length 1, or without those in `axis`.

    x: an array or a tensor.
    axis: an axis of length 1, or several as a tuple; None takes all of them.

    Raises ValueError for an axis of another length.

    >>> import numpy as np
    >>> squeeze(np.ones((1, 3, 1)), axis=0).shape
    (3, 1)
    """
    return x.squeeze(axis)  # type: ignore[arg-type]  # NumPy's stubs take a tuple, its squeeze a list too


def atleast(ndim: int, x: Any) -> Any:
    """x with axes of length 1 added where it has fewer than ndim."""
    if np.ndim(x) >= ndim:
        return array(x)
    front = ndim - np.ndim(x) - (ndim == 3 and np.ndim(x) > 0)  # NumPy has a vector's third axis behind it
    shape = (1,) * front + np.shape(x)
    return np.reshape(x, shape + (1,) * (ndim - len(shape)))


def _one_or_all(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else tuple(parts)


@composite(answers=(np.atleast_1d,), analytic=True, examples=[example(()), example((2, 3)), example((), (2,))])
def atleast_1d(*xs: Array) -> OfFirst:
    """Each x, where it is a number as a vector of one element; a tuple if there are several.

    >>> import tinygrad_edu as tg
    >>> atleast_1d(tg.Tensor(3))
    Tensor([3])
    """
    return _one_or_all([atleast(1, x) for x in xs])


@composite(answers=(np.atleast_2d,), analytic=True, examples=[example(()), example((3,)), example((2, 3))])
def atleast_2d(*xs: Array) -> OfFirst:
    """Each x as a matrix: a vector becomes a row.

    >>> import tinygrad_edu as tg
    >>> atleast_2d(tg.Tensor([1, 2])).shape
    (1, 2)
    """
    return _one_or_all([atleast(2, x) for x in xs])


@composite(
    answers=(np.atleast_3d,), analytic=True, examples=[example(()), example((3,)), example((2, 3)), example((2, 1, 3))]
)
def atleast_3d(*xs: Array) -> OfFirst:
    """Each x with three axes: (n,) becomes (1, n, 1), and (m, n) becomes (m, n, 1).

    >>> import tinygrad_edu as tg
    >>> atleast_3d(tg.Tensor([1, 2])).shape
    (1, 2, 1)
    """
    return _one_or_all([atleast(3, x) for x in xs])


# ---------------------------------------------------------------------------------------------------
# Copies: what was copied is added up


@op(
    symbol="broadcast",
    spelled=lambda s, x: s.repeated(x),
    vjp=(lambda g, y, x, *, shape: g,),  # the engine sums over the axes of which there was one
    presence="moves",
    answers=(np.broadcast_to,),
    broadcasts=True,
    view=True,
    may_raise=False,
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
def broadcast_to(x: Array, shape: Shape) -> Array:
    """y is x repeated, without being copied, along axes in front and along those of length 1.

    Its memory is x's, and is not to be written. Raises ValueError if the shapes do not fit.

    x: an array or a tensor.
    shape: the lengths of y's axes.

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
def broadcast_arrays(*xs: ArrayLike) -> tuple[Array, ...]:
    """Each x, broadcast to the shape that all have in common.

    >>> import tinygrad_edu as tg
    >>> [x.shape for x in broadcast_arrays(tg.Tensor([1, 2, 3]), tg.Tensor([[1], [2]]))]
    [(2, 3), (2, 3)]
    """
    shape = np.broadcast_shapes(*[np.shape(x) for x in xs])
    return tuple([array(x) if np.shape(x) == shape else np.broadcast_to(x, shape) for x in xs])  # type: ignore[misc]  # tensors too


@composite(
    formulas=["∂L/∂xᵢ = Σ ∂L/∂yₖ, over the copies yₖ of xᵢ"],
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
def tile(x: Array, reps: Any) -> OfFirst:
    """y is x laid side by side, reps times along each axis; missing reps and missing axes in front count 1.

    x: an array or a tensor.
    reps: a number, or one for each axis.

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
    formulas=["∂L/∂xᵢ = Σ ∂L/∂yₖ, over the copies yₖ of xᵢ"],
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
def repeat(x: Array, repeats: ArrayLike, axis: int | None = None) -> OfFirst:
    """y is x with each element (each slice along `axis`) repeated in place; without an axis, x as one row.

    repeats: one number, or one for each element along the axis.

    x: an array or a tensor.
    axis: the axis along which the slices are repeated.

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

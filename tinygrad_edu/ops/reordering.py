"""The same elements in another order: transposes, swaps, flips, turns, rolls.

Each is linear, y = Px with P a permutation; so its gradient is Pᵀg, the same move backwards.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.ops.types import called

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Axis, Out
    from tinygrad_edu.engine.signatures import OfFirst

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    """The order of axes that undoes the order `axes`."""
    return tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))


def _transpose_advice(x: tuple[int, ...]) -> str:
    return (
        f"a transpose names all {len(x)} axes, each once, in their new order; two are exchanged by np.swapaxes(x, i, j)"
    )


@op(
    symbol=lambda *, axes: "ᵀ" if axes is None else "transpose",
    spelled=lambda s, x: s.reordered(x),
    vjp=(lambda g, y, x, *, axes: g.T if axes is None else np.transpose(g, _inverse(axes)),),
    presence="moves",
    answers=(np.transpose, np.permute_dims),
    advice=_transpose_advice,
    view=True,
    may_raise=False,
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
def transpose(x: Array, axes: Axis = None) -> Array:
    """y = xᵀ: the axes in reverse, or in the order `axes`. Nothing is copied: y is a view. The gradient is put in order
    again.

    x: an array or a tensor.
    axes: for each axis of y, which one of x it is; None reverses them.

    >>> import numpy as np
    >>> transpose(np.ones((2, 3, 4)), (1, 2, 0)).shape
    (3, 4, 2)
    """
    return x.transpose(axes)


permute = permute_dims = transpose


@op(
    symbol="ᵀ",
    spelled=lambda s, x: x.T,
    vjp=(lambda g, y, x: g.mT,),
    presence="moves",
    answers=(np.matrix_transpose, np.linalg.matrix_transpose),
    view=True,
    may_raise=False,
    analytic=True,
    examples=[example((2, 3)), example((2, 3, 4)), example((2, 0, 3))],
)
def matrix_transpose(x: Array) -> Array:
    """y = xᵀ for each matrix of a stack: the last two axes exchanged. Vectors raise ValueError: they have one axis
    only.

    >>> import numpy as np
    >>> matrix_transpose(np.ones((5, 2, 3))).shape
    (5, 3, 2)
    """
    return x.mT


@op(
    symbol="swap axes",
    spelled=lambda s, x: s.reordered(x),
    vjp=(lambda g, y, x, *, axis1, axis2: np.swapaxes(g, axis1, axis2),),
    presence="moves",
    answers=(np.swapaxes,),
    view=True,
    may_raise=False,
    analytic=True,
    examples=[example((2, 3, 4), axis1=0, axis2=2), example((2, 3, 4), axis1=-1, axis2=1), example((2, 0), 0, 1)],
)
def swapaxes(x: Array, axis1: int, axis2: int) -> Array:
    """y is x with two axes exchanged.

    x: an array or a tensor.
    axis1, axis2: the two axes, counted from the end if negative.

    >>> import numpy as np
    >>> swapaxes(np.ones((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    return x.swapaxes(axis1, axis2)


@op(
    symbol="move axis",
    spelled=lambda s, x: s.reordered(x),
    vjp=(lambda g, y, x, *, source, destination: np.moveaxis(g, destination, source),),
    presence="moves",
    answers=(np.moveaxis,),
    view=True,
    may_raise=False,
    analytic=True,
    examples=[
        example((2, 3, 4), source=0, destination=-1),
        example((2, 3, 4), source=-1, destination=1),
        example((2, 3, 4, 2), source=(0, 1), destination=(-1, 0)),
        example((0, 3), source=0, destination=1),
    ],
)
def moveaxis(x: Array, source: Axis, destination: Axis) -> Array:
    """y is x with the axes `source` moved to `destination`, the others in their order.

    x: an array or a tensor.
    source: an axis of x, or several as a tuple.
    destination: where each of them stands in y.

    >>> import numpy as np
    >>> moveaxis(np.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    return np.moveaxis(x, source, destination)


@composite(
    answers=(np.rollaxis,), analytic=True, examples=[example((2, 3, 4), 2), example((2, 3, 4), axis=0, start=-1)]
)
def rollaxis(x: Array, axis: int, start: int = 0) -> OfFirst:
    """y is x with one axis moved to stand before the axis `start`; `moveaxis` is the clearer name.

    x: an array or a tensor.
    axis: the axis that is moved.
    start: the axis of x before which it stands in y; x.ndim puts it last.

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
    presence="moves",
    answers=(np.flip,),
    view=True,
    may_raise=False,
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
def flip(x: Array, axis: Axis = None) -> Array:
    """y is x read backwards along `axis`: yᵢ = xₙ₋₁₋ᵢ; None stands for all axes.

    x: an array or a tensor.
    axis: the axis that is turned round, or several as a tuple.

    >>> import numpy as np
    >>> flip(np.arange(4)).tolist()
    [3, 2, 1, 0]
    """
    return np.flip(x, axis)


@composite(answers=(np.fliplr,), analytic=True, examples=[example((2, 3)), example((2, 3, 2))])
def fliplr(x: Array) -> Array:
    """y is x with its columns in reverse.

    >>> import tinygrad_edu as tg
    >>> fliplr(tg.Tensor([[1, 2], [3, 4]])).tolist()
    [[2, 1], [4, 3]]
    """
    if np.ndim(x) < 2:
        raise ValueError(f"fliplr reverses columns, so it takes two axes or more, but got {called(x)}")
    return np.flip(x, 1)


@composite(answers=(np.flipud,), analytic=True, examples=[example((3,)), example((2, 3))])
def flipud(x: Array) -> Array:
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
def rot90(x: Array, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    """y is x turned k times by 90°, from the first of `axes` towards the second.

    x: an array or a tensor of two axes at least.
    k: how many quarter turns; negative ones go the other way.
    axes: the two axes of the plane in which it is turned.

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
    presence="moves",
    answers=(np.roll,),
    takes_out=True,
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
def roll(x: Array, shift: Axis, axis: Axis = None, *, out: Out = None) -> Array:
    """yᵢ = xᵢ₋ₛ: x moved on by `shift` places, what falls off the end coming back at the front.

    Without an axis x moves as one row, and keeps its shape.

    x: an array or a tensor.
    shift: s, how many places; to the front if negative. A tuple has one for each axis.
    axis: the axis along which x moves, or several as a tuple.

    >>> import numpy as np
    >>> roll(np.arange(5), 2).tolist()
    [3, 4, 0, 1, 2]
    """
    if out is None:
        return np.roll(x, shift, axis)
    if axis is None:
        x, place, axis = x.reshape(-1), out.reshape(-1), 0  # as one row: a view, or else a copy
    else:
        place = out
    shifts = dict.fromkeys(range(x.ndim), 0)
    for i, by in zip(
        *np.broadcast_arrays(normalize_axis_tuple(axis, x.ndim, allow_duplicate=True), shift), strict=True
    ):
        shifts[i] += by
    cuts = [(by % n, n) if n else (0, 0) for by, n in zip(shifts.values(), x.shape, strict=True)]
    ends = [[(slice(by, None), slice(None, n - by)), (slice(None, by), slice(n - by, None))] for by, n in cuts]
    for parts in itertools.product(*ends):
        place[tuple([there for there, _ in parts])] = x[tuple([here for _, here in parts])]
    if not np.may_share_memory(place, out):
        out[...] = place.reshape(out.shape)
    return out


def _opposite(shift: Any) -> Any:
    return tuple([-s for s in shift]) if isinstance(shift, tuple) else -shift

"""Joining arrays: the gradient of each is its part of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.ops.shaping import atleast

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out


def _bind_joined(arrays: Array | Sequence[Array], axis: int | None = 0) -> tuple[Any, ...]:
    if axis is not None and np.ndim(axis):
        raise TypeError(
            "arrays that are joined stand in one list, as in np.stack([a, b]), but a further one got where axis is"
        )
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
    presence="moves",
    answers=(np.concatenate, np.concat),
    bind=_bind_joined,
    takes_out=True,
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
def concatenate(*xs: Array, axis: int, out: Out = None) -> Array:
    """y is the xs one after the other along an axis; without an axis, all of them as one row.

    arrays: arrays or tensors; y has the type that NumPy finds for all of them.
    axis: the axis along which they stand.

    Raises ValueError if their other lengths differ.

    >>> import tinygrad_edu as tg
    >>> a, b = tg.Tensor([1.0, 2.0], requires_grad=True), tg.Tensor([3.0], requires_grad=True)
    >>> (concatenate([a, b]) ** 2).sum().backward()
    >>> a.grad.tolist(), b.grad.tolist()
    ([2.0, 4.0], [6.0])
    """
    return np.concatenate(xs, axis=axis, out=out)


concat = concatenate


@op(
    symbol="stack",
    vjp=lambda i, g, y, *xs, axis: g[(slice(None),) * (axis % y.ndim) + (i,)],
    presence="moves",
    answers=(np.stack,),
    bind=_bind_joined,
    takes_out=True,
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
def stack(*xs: Array, axis: int, out: Out = None) -> Array:
    """y is the xs, all of one shape, side by side along a new axis: y[i] = xᵢ.

    The parameters are those of `concatenate`, and `axis` is counted in y.

    Raises ValueError if the shapes differ.

    >>> import numpy as np
    >>> stack([np.zeros(3), np.ones(3)], axis=-1).shape
    (3, 2)
    """
    return np.stack(xs, axis=axis, dtype=np.result_type(*xs) if out is None else None, out=out)


@composite(
    answers=(np.vstack,),
    analytic=True,
    examples=[example([(3,), (2, 3)]), example([(), ()])],
)
def vstack(xs: Array | Sequence[Array]) -> Array:
    """y is the xs below one another; a vector is a row.

    >>> import tinygrad_edu as tg
    >>> vstack([tg.Tensor([1, 2]), tg.Tensor([3, 4])]).tolist()
    [[1, 2], [3, 4]]
    """
    return concatenate([atleast(2, x) for x in xs], 0)


@composite(
    answers=(np.hstack,),
    analytic=True,
    examples=[example([(2, 3), (2, 1)]), example([(3,), (2,)])],
)
def hstack(xs: Array | Sequence[Array]) -> Array:
    """y is the xs beside one another: along the second axis, vectors along their only one.

    >>> import tinygrad_edu as tg
    >>> hstack([tg.Tensor([1, 2]), tg.Tensor([3])]).tolist()
    [1, 2, 3]
    """
    parts = [atleast(1, x) for x in xs]
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1)


@composite(answers=(np.dstack,), analytic=True, examples=[example([(3,), (3,)]), example([(2, 3), (2, 3, 2)])])
def dstack(xs: Array | Sequence[Array]) -> Array:
    """y is the xs behind one another, along the third axis.

    >>> import tinygrad_edu as tg
    >>> dstack([tg.Tensor([1, 2]), tg.Tensor([3, 4])]).tolist()
    [[[1, 3], [2, 4]]]
    """
    return concatenate([atleast(3, x) for x in xs], 2)


@composite(answers=(np.column_stack,), analytic=True, examples=[example([(3,), (3, 2)]), example([(2,), (2,)])])
def column_stack(xs: Array | Sequence[Array]) -> Array:
    """y is the xs beside one another; a vector is a column.

    >>> import tinygrad_edu as tg
    >>> column_stack([tg.Tensor([1, 2]), tg.Tensor([3, 4])]).tolist()
    [[1, 3], [2, 4]]
    """
    return concatenate([x if np.ndim(x) > 1 else np.reshape(x, (-1, 1)) for x in xs], 1)


@composite(
    formulas=["∂L/∂x = ∂L/∂y[part x]", "∂L/∂values = ∂L/∂y[part values]"],
    answers=(np.append,),
    analytic=True,
    examples=[example((2, 3), (2,)), example((2, 3), (1, 3), axis=0)],
)
def append(x: Array, values: Array, axis: int | None = None) -> Array:
    """y is x with `values` behind it along an axis; without an axis, both as one row.

    x: numbers, an array or a tensor.
    values: what comes behind, with x's lengths along the other axes; any shape without an axis.
    axis: the axis along which they stand.

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
def block(blocks: Array | Sequence[Array]) -> Array:
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

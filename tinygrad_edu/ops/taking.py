"""Taking elements by their numbers or by a condition: `take`, `compress` and their kin."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import composite
from tinygrad_edu.ops.indexing import getitem
from tinygrad_edu.ops.types import array, called

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array


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
def take(x: Array, indices: Array, axis: int | None = None, *, mode: str = "raise") -> Array:
    """y = x[…, indices, …]: elements of x along `axis`, or of the ravelled x.

    mode: what becomes of indices out of range, "raise", "wrap" or "clip" (where negative ones are 0, as in NumPy).

    x: an array or a tensor. An element that is taken twice has both gradients, added up.
    indices: integers of any shape, counted from the end if negative.
    axis: the axis along which they count; None counts in x as one row.

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
def take_along_axis(x: Array, indices: Array, axis: int | None = -1) -> Array:
    """yᵢⱼ = x[indicesᵢⱼ, j] (for axis 0): elements chosen along `axis`, for each place on the other axes. An element
    that is chosen twice has both gradients, added up.

    x: an array or a tensor.
    indices: integers, with as many axes as x, whose other lengths broadcast to x's.
    axis: the axis along which they count; None counts in x as one row.

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
def compress(condition: Array, x: Array, axis: int | None = None) -> Array:
    """The slices of x along `axis` (or elements of the ravelled x) where the one-dimensional condition is true.

    condition: booleans; it may be shorter than the axis.
    x: an array or a tensor. What is left out has the gradient 0.
    axis: the axis of the slices.

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
def extract(condition: Array, x: Array) -> Array:
    """The elements of x where the condition is true, in C order.

    condition: booleans, as many as x has elements.
    x: an array or a tensor. What is left out has the gradient 0.

    >>> x = np.array([[1, 2], [3, 4]])
    >>> extract(x > 2, x)
    array([3, 4])
    """
    return take(np.ravel(x), np.flatnonzero(condition))

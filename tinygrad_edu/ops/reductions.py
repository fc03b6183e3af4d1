"""Reductions: sums, means, extrema and spreads, over all axes or some.

A reduction takes y from x along `axis`: None stands for all axes; a number, or several, count from the end where
negative. `keepdims` leaves these axes in y, of length 1. Going back, each rule spreads ∂L/∂y over the axes that were
reduced, and says how much of it each element gets: all of it (sum), an equal part (mean), the product of the others
(prod), nothing unless it is the largest (max), as much as it deviates (var).

Source: Higham, *Accuracy and Stability of Numerical Algorithms* (2002), chapters 1 and 4.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.graph import add_rows, add_up
from tinygrad_edu.engine.op import Op, op
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.shaping import expand_dims

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Axis, Out

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

AXES = (
    example((2, 3)),
    example((2, 3), axis=0),
    example((2, 3), axis=-1, keepdims=True),
    example((2, 3, 2), axis=(0, -1)),
    example((2, 3, 2), axis=(0, 2), keepdims=True),
    example((2, 2), keepdims=True),
    example((2, 2), axis=()),
    example(()),
)
"""How any reduction may be called."""

EMPTY = (example((0, 3), axis=0), example((0, 3), axis=1), example((0,)))


def kept(y: Any, x: Any, axis: Any) -> Any:
    """y, a reduction of x, with the axes that it lost back in place, of length 1: so it broadcasts with x."""
    return y if axis is None or y.ndim == x.ndim else expand_dims(y, axis)


def along_axis(present: Any, i: int, x: Any, *, axis: Any, **_: Any) -> Any:
    """Return the mask of present elements of x where each result depends on all x along the axis: one present result
    makes them all present.
    """
    return np.any(kept(present, x, axis), axis=axis, keepdims=True)


def count(x: Any, y: Any) -> int:
    """n, how many elements of x go into one of y."""
    return x.size // y.size if y.size else 1


@in_float32
def _share(g: Any, n: int) -> Any:
    """g / n, one of n equal parts."""
    return g / n


# ---------------------------------------------------------------------------------------------------
# Sums, means, products


@op(
    symbol="Σ",
    spelled=lambda s, x: s.over("Σ", x),
    vjp=(lambda g, y, x, *, axis, keepdims: expand(g, x.shape, axis, keepdims=keepdims),),  # type: ignore[has-type]  # it follows
    presence="moves",
    answers=(np.sum, (np.add, "reduce")),
    analytic=True,
    takes_out=True,
    examples=[*AXES, *EMPTY],
)
def sum(x: Array, axis: Axis = None, *, keepdims: bool = False, out: Out = None) -> Array:
    """y = Σ x, over all axes or some. Each element of x has the gradient of the sum that it is in; no elements add up
    to 0.

    x: numbers, an array or a tensor. Booleans and short integers are added up as int64.
    axis: the axis that is added up, or several as a tuple; None stands for all.
    keepdims: whether these axes stay, with length 1, so that y broadcasts against x.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> x.sum(axis=0)
    Tensor([4., 6.], op=sum)
    """
    if x.dtype.char == "e":
        return add_up(x, axis, out, keepdims)
    return np.add.reduce(x, axis, None, out, keepdims)  # a loss ends with it: one call the less


MOST_COPIED = 4096
"""So many repeated numbers are written out; more of them are a view that repeats."""


@op(
    symbol="expand",
    spelled=lambda s, x: s.repeated(x),
    vjp=(lambda g, y, x, *, shape, axis, keepdims: np.sum(g, axis=axis, keepdims=keepdims),),
    presence="moves",
    view=True,
    takes_out=True,
    analytic=True,
    examples=[
        example((), shape=(2, 3)),
        example((3,), shape=(2, 3), axis=0),
        example((2,), shape=(2, 3), axis=-1),
        example((2, 1), shape=(2, 3), axis=1, keepdims=True),
        example((3,), shape=(2, 3, 2), axis=(0, -1)),
        example((1, 1), shape=(2, 3), keepdims=True),
        example((0,), shape=(2, 0), axis=0),
        example((), shape=(65, 65)),
    ],
)
def expand(x: Array, shape: tuple[int, ...], axis: Axis = None, *, keepdims: bool = False, out: Out = None) -> Array:
    """y is x repeated along the axes that a sum took: `sum` and `expand` are the gradients of each other.

    >>> import numpy as np
    >>> expand(np.array([1, 2]), shape=(2, 3), axis=1).tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    if axis is not None and x.ndim != len(shape):
        axes = normalize_axis_tuple(axis, len(shape))
        x = x.reshape([1 if i in axes else n for i, n in enumerate(shape)])
    y = np.empty(shape, x.dtype) if out is None else out
    if out is None and y.size > MOST_COPIED:
        return np.broadcast_to(x, shape)  # repeated without being copied
    y[...] = x  # a few numbers are copied sooner than np.broadcast_to begins
    return y


@op(
    symbol="Σ",
    vjp=(lambda g, y, x: expand(g, shape=x.shape, axis=(0, *range(2, x.ndim))),),
    presence="moves",
    takes_out=True,
    analytic=True,
    examples=[example((4, 3)), example((1, 2)), example((2, 3, 4)), example((2, 2, 3, 2)), example((0, 2))],
)
def channel_sum(x: Array, *, out: Out = None) -> Array:
    """y_c = Σ x over the batch and the axes behind the channels. A matrix is summed as 1·x: see `add_rows`.

    >>> channel_sum(numpy.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [4.0, 6.0]
    """
    return add_rows(x, out) if x.ndim == 2 else add_up(x, (0, *range(2, x.ndim)), out)


@op(
    symbol="mean",
    vjp=(
        lambda g, y, x, *, axis, keepdims: expand(_share(g, count(x, y)), shape=x.shape, axis=axis, keepdims=keepdims),
    ),
    presence="moves",
    answers=(np.mean,),
    takes_out=True,
    analytic=True,
    formulas=["∂L/∂x = ∂L/∂y / n"],
    examples=[*AXES, example((0, 3), axis=1)],
)
def mean(x: Array, axis: Axis = None, *, keepdims: bool = False, out: Out = None) -> Array:
    """y = Σ x / n, with n the number of elements that go into one of y. The mean of whole numbers is float64. That of
    no elements is NaN.

    The parameters are those of `sum`.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 3.0, 5.0, 7.0], requires_grad=True)
    >>> x.mean().backward()
    >>> x.grad.tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    if x.dtype.char == "e" and out is not None:  # where NumPy would put the sum, which may be too large for it
        np.copyto(out, x.mean(axis, keepdims=keepdims))
        return out
    if x.dtype.char not in "fd" or not x.size:
        return x.mean(axis, out=out, keepdims=keepdims)  # NumPy adds up float16 in float32, whole numbers in float64
    y = np.add.reduce(x, axis=axis, keepdims=keepdims, out=out)
    return np.divide(y, count(x, y), out=out)


def in_a_row(x: Any, axis: Any) -> Any:
    """x with the axes to be reduced behind the others, as one."""
    if axis is None:
        return np.reshape(x, (x.size,))
    axes = normalize_axis_tuple(axis, x.ndim or 1)
    if not x.ndim:
        return np.reshape(x, (1,))
    moved = np.moveaxis(x, axes, tuple(range(-len(axes), 0)))
    others = moved.shape[: x.ndim - len(axes)]
    return np.reshape(moved, (*others, math.prod(moved.shape[len(others) :])))


def back_in_place(row: Any, x: Any, axis: Any) -> Any:
    """Give `row` the shape of x: it undoes `in_a_row`."""
    if axis is None or not x.ndim:
        return np.reshape(row, x.shape)
    axes = normalize_axis_tuple(axis, x.ndim)
    lengths = tuple([x.shape[i] for i in axes])
    return np.moveaxis(np.reshape(row, row.shape[:-1] + lengths), tuple(range(-len(axes), 0)), axes)


def product_before(x: Any) -> Any:
    """yₜ = x₀·x₁·…·xₜ₋₁ along the last axis: the product of all that come before."""
    return np.cumprod(np.concatenate([np.ones_like(x[..., :1]), x[..., :-1]], -1), -1)


def _product_of_others(x: Any) -> Any:
    """yₜ = ∏ xₛ, s ≠ t, along the last axis: those before times those after. y / xₜ would fail where xₜ = 0."""
    return product_before(x) * np.flip(product_before(np.flip(x, -1)), -1)


_others = Op(  # what the rule of a product is printed with
    lambda x, axis: back_in_place(_product_of_others(in_a_row(x, axis)), x, axis),
    name="_product_of_others",
    spelled=lambda s, x: s.make("others", x),
)


@op(
    symbol="∏",
    spelled=lambda s, x: s.over("∏", x),
    vjp=(
        lambda g, y, x, *, axis, keepdims: (
            kept(g, x, axis) * back_in_place(_product_of_others(in_a_row(x, axis)), x, axis)
        ),
    ),
    presence=along_axis,
    answers=(np.prod, (np.multiply, "reduce")),
    takes_out=True,
    analytic=True,
    formulas=[
        ("∂L/∂xᵢ = ∂L/∂y·∏ xⱼ, j ≠ i", lambda g, y, x, *, axis, keepdims: kept(g, x, axis) * _others(x, axis=axis))
    ],
    examples=[
        *AXES,
        *EMPTY,
        example(np.array([2.0, 0.0, 3.0])),
        example(np.array([[2.0, 0.0, 0.0], [1.0, 2.0, 3.0]]), axis=1),
        example(np.array([[2.0, 0.0, 0.5], [1.0, 2.0, 3.0]])),
    ],
)
def prod(x: Array, axis: Axis = None, *, keepdims: bool = False, out: Out = None) -> Array:
    """y = ∏ x. The gradient, ∏ of the others, is right with zeros among them too: nothing is divided by x. The product
    of no elements is 1.

    The parameters are those of `sum`.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> x.prod().backward()
    >>> x.grad.tolist()
    [0.0, 6.0, 0.0]
    """
    return np.multiply.reduce(x, axis=axis, keepdims=keepdims, out=out)


# ---------------------------------------------------------------------------------------------------
# Questions: recorded, without a derivative


@op(symbol="any", vjp=None, answers=(np.any, (np.logical_or, "reduce")), takes_out=True, examples=[*AXES, *EMPTY])
def any(x: Array, axis: Axis = None, *, keepdims: bool = False, out: Out = None) -> Array:
    """y: is any element not zero? NaN is not zero. The answer has no derivative.

    The parameters are those of `sum`.

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([[0, 1], [0, 0]]).any(axis=1).tolist()
    [True, False]
    """
    return np.logical_or.reduce(x, axis=axis, keepdims=keepdims, out=out)


@op(symbol="all", vjp=None, answers=(np.all, (np.logical_and, "reduce")), takes_out=True, examples=[*AXES, *EMPTY])
def all(x: Array, axis: Axis = None, *, keepdims: bool = False, out: Out = None) -> Array:
    """y: is no element zero? NaN is not zero. The answer has no derivative.

    The parameters are those of `sum`.

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([[0, 1], [2, 3]]).all(axis=1).tolist()
    [False, True]
    """
    return np.logical_and.reduce(x, axis=axis, keepdims=keepdims, out=out)


@op(symbol="count ≠ 0", vjp=None, answers=(np.count_nonzero,), may_raise=False, examples=[*AXES, *EMPTY])
def count_nonzero(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """y is how many elements are not zero. It is an integer, without a derivative; NaN is not zero.

    The parameters are those of `sum`.

    >>> import tinygrad_edu as tg
    >>> count_nonzero(tg.Tensor([0, 3, 0, 5])).item()
    2
    """
    return np.count_nonzero(x, axis=axis, keepdims=keepdims)

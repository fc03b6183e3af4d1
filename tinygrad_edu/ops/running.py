"""Running sums, products and recurrences along an axis, and the differences that undo them.

Time goes forwards in y, and backwards in its gradient: what x adds at one moment counts in all that follow.

Source: Blelloch, *Prefix sums and their applications* (1990).
"""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.ops.reductions import along_axis, product_before
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike, Out
    from tinygrad_edu.engine.signatures import OfFirst

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


# ---------------------------------------------------------------------------------------------------
# Running sums and products


def _bind_running(x: Array, axis: int | None = None) -> tuple[Any, ...]:
    x = array(x)
    if axis is None:
        x, axis = x if x.ndim == 1 else np.ravel(x), 0
    return (x,), {"axis": index(axis)}


RUNNING = (
    example((3,)),
    example((2, 3)),
    example((2, 3), axis=0),
    example((2, 3, 2), axis=-2),
    example(()),
    example((1,)),
    example((0, 2), axis=0),
    example((2, 0), axis=0),
)


@op(
    symbol="cumsum",
    vjp=(lambda g, y, x, *, axis: np.flip(np.cumsum(np.flip(g, axis), axis), axis),),
    answers=(np.cumsum, (np.add, "accumulate")),
    presence="moves",
    bind=_bind_running,
    takes_out=True,
    analytic=True,
    formulas=["∂L/∂xₜ = Σ ∂L/∂yₛ, s ≥ t"],
    examples=RUNNING,
)
def cumsum(x: Array, axis: int, *, out: Out = None) -> Array:
    """yₜ = x₀ + x₁ + … + xₜ along an axis; without one, along x as one row.

    What is added at t counts from there to the end: the gradient is the running sum from behind.

    x: numbers, an array or a tensor.
    axis: the axis along which they are added up; None adds up x as one row.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = np.cumsum(x)
    >>> y.sum().backward()
    >>> y.tolist(), x.grad.tolist()
    ([1.0, 3.0, 6.0], [3.0, 2.0, 1.0])
    """
    return np.add.accumulate(x, axis, None, out)


def _from_behind(a: Any, g: Any) -> Any:
    """λₜ = gₜ + aₜ₊₁·λₜ₊₁ along the last axis: a recurrence in reversed time, from λ = g at the end."""
    following = np.concatenate([a[..., 1:], np.zeros_like(a[..., :1])], -1)
    return np.flip(recurrence(np.flip(following, -1), np.flip(g, -1)), -1)


@op(
    symbol="recurrence",
    vjp=(
        lambda g, y, a, b: (
            _from_behind(np.broadcast_to(a, y.shape), g) * np.concatenate([np.zeros_like(y[..., :1]), y[..., :-1]], -1)
        ),
        lambda g, y, a, b: _from_behind(np.broadcast_to(a, y.shape), g),
    ),
    broadcasts=True,
    takes_out=True,
    analytic=True,
    formulas=["∂L/∂aₜ = λₜ·yₜ₋₁", "∂L/∂bₜ = λₜ = ∂L/∂yₜ + aₜ₊₁·λₜ₊₁"],
    examples=[
        example((4,), (4,)),
        example((2, 3), (2, 3)),
        example((1,), (2, 3)),
        example((), (3,)),
        example((2, 3), ()),
        example((1,), (1,)),
        example((2, 0), (2, 0)),
    ],
)
def recurrence(a: Array, b: Array, *, out: Out = None) -> Array:
    """yₜ = aₜ·yₜ₋₁ + bₜ along the last axis, from y₀ = b₀: running sums (a = 1), products, exponential averages.

    Raises ValueError for single numbers, which have no axis to run along.

    >>> import numpy as np
    >>> recurrence(0.5, np.array([8.0, 0.0, 0.0, 1.0])).tolist()
    [8.0, 4.0, 2.0, 2.0]
    """
    y = np.empty(np.broadcast_shapes(np.shape(a), np.shape(b)), np.result_type(a, b)) if out is None else out
    if not y.ndim:
        raise ValueError("a recurrence runs along an axis, but both inputs are single numbers")
    y[...] = b
    a = np.broadcast_to(a, y.shape)
    for t in range(1, y.shape[-1]):
        y[..., t] += a[..., t] * y[..., t - 1]
    return y


def _by_cumprod(g: Any, y: Any, x: Any, *, axis: int) -> Any:
    """∂L/∂xₜ = (x₀·…·xₜ₋₁)·λₜ with λₜ = gₜ + xₜ₊₁·λₜ₊₁, which collects what each later product owes to xₜ."""
    x, g = np.moveaxis(x, axis, -1), np.moveaxis(g, axis, -1)
    return np.moveaxis(product_before(x) * _from_behind(x, g), -1, axis)


@op(
    symbol="cumprod",
    vjp=(_by_cumprod,),
    answers=(np.cumprod, (np.multiply, "accumulate")),
    presence=along_axis,
    bind=_bind_running,
    takes_out=True,
    analytic=True,
    formulas=["∂L/∂xₜ = Σ ∂L/∂yₛ·∏ xᵣ, s ≥ t, r ≤ s, r ≠ t"],
    examples=[
        *RUNNING,
        example(np.array([2.0, 0.0, 3.0, 0.5])),
        example(np.array([[2.0, 0.0, 0.0, 3.0], [0.0, 1.0, 2.0, 0.0]]), axis=1),
    ],
)
def cumprod(x: Array, axis: int, *, out: Out = None) -> Array:
    """yₜ = x₀·x₁·…·xₜ along an axis; without one, along x as one row. Zeros in x are no trouble to the gradient.

    The parameters are those of `cumsum`.

    >>> import tinygrad_edu as tg
    >>> np.cumprod(tg.Tensor([1, 2, 3, 4])).tolist()
    [1, 2, 6, 24]
    """
    return np.multiply.accumulate(x, axis, None, out)


def _cumulative(running: Any, start: Any, x: Any, axis: Any, include_initial: bool) -> Any:
    x = array(x)
    if axis is None:
        if x.ndim > 1:
            raise ValueError(f"a running sum or product over shape {x.shape} needs axis=: along which of its axes?")
        x, axis = np.atleast_1d(x), 0
    y = running(x, axis)
    if not include_initial:
        return y
    first = [1 if i == axis % y.ndim else n for i, n in enumerate(y.shape)]
    return np.concatenate([np.full(first, start, y.dtype), y], axis)


@composite(
    formulas=["∂L/∂xₜ = Σ ∂L/∂yₛ, s ≥ t"],
    answers=(np.cumulative_sum,),
    analytic=True,
    examples=[
        example((3,)),
        example((2, 3), axis=-1, include_initial=True),
        example((2, 3), axis=0),
    ],
)
def cumulative_sum(x: Array, *, axis: int | None = None, include_initial: bool = False) -> Array:
    """yₜ = x₀ + x₁ + … + xₜ: `cumsum`, which may begin with the empty sum 0.

    x: numbers, an array or a tensor.
    axis: the axis along which they are added up; it may be left out of a vector only.
    include_initial: whether y begins with the 0, and so is longer than x by one.

    >>> import tinygrad_edu as tg
    >>> cumulative_sum(tg.Tensor([1, 2, 3]), include_initial=True).tolist()
    [0, 1, 3, 6]
    """
    return _cumulative(cumsum, 0, x, axis, include_initial)


@composite(
    formulas=["∂L/∂xₜ = Σ ∂L/∂yₛ·∏ xᵣ, s ≥ t, r ≤ s, r ≠ t"],
    answers=(np.cumulative_prod,),
    analytic=True,
    examples=[
        example((3,)),
        example((2, 3), axis=-1, include_initial=True),
        example((2, 3), axis=0),
    ],
)
def cumulative_prod(x: Array, *, axis: int | None = None, include_initial: bool = False) -> Array:
    """yₜ = x₀·x₁·…·xₜ: `cumprod`, which may begin with the empty product 1.

    The parameters are those of `cumulative_sum`, for the 1 in the place of the 0.

    >>> import tinygrad_edu as tg
    >>> cumulative_prod(tg.Tensor([1, 2, 3]), include_initial=True).tolist()
    [1, 1, 2, 6]
    """
    return _cumulative(cumprod, 1, x, axis, include_initial)


# ---------------------------------------------------------------------------------------------------
# Differences


def _weak(number: Any, x: Any) -> Any:
    """A number beside x, in the dtype that the two have in common: 0.0 is float32 beside float32."""
    number = number.item() if isinstance(number, np.generic) else number
    return np.astype(array(number), np.result_type(x, number))


@composite(
    formulas=["∂L/∂xₜ = ∂L/∂yₜ₋₁ − ∂L/∂yₜ, the y that there are"],
    answers=(np.diff,),
    analytic=True,
    examples=[
        example((4,)),
        example((2, 4), 2),
        example((3, 2), axis=0),
        example((2, 3), 1, -1, (2, 1), (2, 2)),
        example((3,), prepend=0.0),
        example((3,), 0),
        example((2,), 3),
    ],
)
def diff(
    x: Array, n: int = 1, axis: int = -1, prepend: ArrayLike | None = None, append: ArrayLike | None = None
) -> OfFirst:
    """yₜ = xₜ₊₁ − xₜ along an axis, n times over; `prepend` and `append` are joined to x before.

    x: numbers, an array or a tensor. Of booleans y says where neighbours differ.
    n: how often differences are taken; each time y gets shorter by one.
    axis: the axis along which they are taken.
    prepend, append: numbers, or arrays of x's other lengths; None for nothing.

    >>> import tinygrad_edu as tg
    >>> diff(tg.Tensor([1, 4, 9, 16])).tolist()
    [3, 5, 7]
    """
    x = array(x)
    if n < 0:
        raise ValueError(f"diff takes differences of order 0 or more, but got n={n}")
    if n == 0:
        return x
    if not x.ndim:
        raise ValueError("diff takes one axis or more, but got a single number")
    edge = tuple([1 if i == axis % x.ndim else length for i, length in enumerate(x.shape)])
    parts = [part for part in (prepend, x, append) if part is not None and part is not np._NoValue]
    parts = [part if np.ndim(part) else np.broadcast_to(_weak(part, x), edge) for part in parts]
    y = np.concatenate(parts, axis) if len(parts) > 1 else x
    every = (slice(None),) * (axis % x.ndim)
    for _ in range(n):
        y = np.not_equal(y[(*every, slice(1, None))], y[(*every, slice(None, -1))]) if y.dtype == bool else (
            y[(*every, slice(1, None))] - y[(*every, slice(None, -1))]
        )  # fmt: skip
    return y


@composite(
    formulas=["∂L/∂xₜ = ∂L/∂yₜ₋₁ − ∂L/∂yₜ, the y that there are"],
    answers=(np.ediff1d,),
    analytic=True,
    examples=[example((4,)), example((2, 2)), example((3,), (1,), (2,)), example((3,), to_begin=0.0)],
)
def ediff1d(x: Array, to_end: ArrayLike | None = None, to_begin: ArrayLike | None = None) -> OfFirst:
    """yₜ = xₜ₊₁ − xₜ along x as one row, between the numbers `to_begin` and `to_end`. Its length is
    that of x less 1, and theirs.

    x: numbers, an array or a tensor of any shape.
    to_end, to_begin: numbers that follow the differences and that stand before them; None for nothing.

    >>> import tinygrad_edu as tg
    >>> ediff1d(tg.Tensor([1, 4, 9]), to_begin=0).tolist()
    [0, 3, 5]
    """
    row = np.ravel(x)
    steps = row[1:] - row[:-1]
    parts = [array(part) for part in (to_begin, steps, to_end) if part is not None]
    for part in parts:
        if not np.can_cast(part.dtype, steps.dtype, "same_kind"):
            raise TypeError(f"ediff1d of {steps.dtype} cannot take in {part.dtype}; write x.astype({part.dtype})")
    return np.concatenate([np.astype(np.ravel(part), steps.dtype) for part in parts]) if len(parts) > 1 else steps


@composite(
    formulas=["∂L/∂yₜ = ∂L/∂z·(dxₜ₋₁ + dxₜ)/2, the dx that there are"],
    answers=(np.trapezoid,),
    analytic=True,
    examples=[example((4,)), example((2, 4), dx=0.5), example((2, 3), (3,)), example((3, 2), (3, 2), axis=0)],
)
def trapezoid(y: Array, x: ArrayLike | None = None, dx: ArrayLike = 1.0, axis: int = -1) -> OfFirst:
    """∫ y dx ≈ Σ (xₜ₊₁ − xₜ)·(yₜ + yₜ₊₁) / 2: the area under the line through the points. It is exact where y is linear
    between them.

    y: the heights of the points, an array or a tensor.
    x: where they stand, of y's length along the axis or of its whole shape; None if they are `dx` apart.
    dx: the distance between neighbours, a number, or one for each pair.
    axis: the axis along which they follow each other.

    >>> import tinygrad_edu as tg
    >>> trapezoid(tg.Tensor([1.0, 2.0, 3.0]), dx=2.0).item()
    8.0
    """
    y = array(y)
    if x is not None:
        x = array(x)
        steps = np.diff(x, axis=axis if x.ndim > 1 else -1)
        dx = np.reshape(steps, (-1,) + (1,) * (y.ndim - 1 - axis % y.ndim)) if x.ndim == 1 else steps
    every = (slice(None),) * (axis % y.ndim)
    return np.sum(dx * (y[(*every, slice(1, None))] + y[(*every, slice(None, -1))]) / 2.0, axis=axis)

"""Reductions: sums, means, extrema, spreads and norms, over all axes or some.

A reduction takes y from x along `axis`: None stands for all axes; a number, or several, count from the end where
negative. `keepdims` leaves these axes in y, of length 1. Going back, each rule spreads ∂L/∂y over the axes that were
reduced, and says how much of it each element gets: all of it (sum), an equal part (mean), what only the largest
gets (max), what its rank deserves (median).

Source: Higham, *Accuracy and Stability of Numerical Algorithms* (2002), chapters 1 and 4.
"""

from __future__ import annotations

import math
from typing import Any

import numpy
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu.op import Fixed, at, composite, example, op, positive, spread
from tinygrad_edu.ops.shaping import array, expand_dims
from tinygrad_edu.protocols import ANSWERS, numbers

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


def count(x: Any, y: Any) -> int:
    """n, how many elements of x go into one of y."""
    return x.size // y.size if y.size else 1


# ---------------------------------------------------------------------------------------------------
# Sums, means, products


@op(
    symbol="Σ",
    vjp=(lambda g, y, x, *, axis, keepdims: expand(g, shape=x.shape, axis=axis, keepdims=keepdims),),
    answers=(np.sum, (np.add, "reduce")),
    analytic=True,
    examples=[*AXES, *EMPTY],
)
def sum(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y = Σ x, over all axes or some.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> x.sum(axis=0)
    Tensor([4., 6.], op=sum)
    """
    return np.add.reduce(x, axis=axis, keepdims=keepdims)


@op(
    symbol="expand",
    vjp=(lambda g, y, x, *, shape, axis, keepdims: np.sum(g, axis=axis, keepdims=keepdims),),
    view=True,
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
def expand(x: Any, shape: tuple[int, ...], axis: Any = None, *, keepdims: bool = False) -> Any:
    """y is x repeated along the axes that a sum took: `sum` and `expand` are the gradients of each other.

    >>> import numpy as np
    >>> expand(np.array([1, 2]), shape=(2, 3), axis=1).tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    if axis is not None and x.ndim != len(shape):
        axes = normalize_axis_tuple(axis, len(shape))
        x = x.reshape([1 if i in axes else n for i, n in enumerate(shape)])
    y = np.empty(shape, x.dtype)
    if y.size > 4096:
        return np.broadcast_to(x, shape)  # repeated without being copied
    y[...] = x  # a few numbers are copied sooner than np.broadcast_to begins
    return y


@op(
    symbol="mean",
    vjp=(lambda g, y, x, *, axis, keepdims: expand(g / count(x, y), shape=x.shape, axis=axis, keepdims=keepdims),),
    answers=(np.mean,),
    analytic=True,
    examples=[*AXES, example((0, 3), axis=1)],
)
def mean(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y = Σ x / n, with n the number of elements that go into one of y. The mean of whole numbers is float64.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 3.0, 5.0, 7.0], requires_grad=True)
    >>> x.mean().backward()
    >>> x.grad.tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    return x.mean(axis, keepdims=keepdims)


@composite(
    answers=(np.average,),
    analytic=True,
    domain=positive,
    examples=[
        example((2, 3)),
        example((2, 3), axis=0, keepdims=True),
        example((2, 3), None, (2, 3)),
        example((2, 3), 0, (2,), returned=True),
        example((2, 3), -1, (3,)),
        example((2, 3, 2), Fixed((0, 2)), (2, 2)),
    ],
)
def average(x: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    """y = Σ wx / Σ w: the mean, weighted. The weights have x's shape, or the lengths of the axes averaged over.

    With `returned`, also Σ w. Raises ZeroDivisionError if the weights add up to 0.

    >>> import tinygrad_edu as tg
    >>> average(tg.Tensor([1.0, 4.0]), weights=[1, 2]).item()
    3.0
    """
    x = array(x)
    if weights is None:
        y = np.mean(x, axis=axis, keepdims=keepdims)
        total: Any = np.full(y.shape, count(x, y), y.dtype)
    else:
        w = array(weights)
        if w.shape != x.shape:
            if axis is None:
                raise TypeError(f"average got weights of shape {w.shape} for {x.shape}; say along which axis they run")
            axes = normalize_axis_tuple(axis, x.ndim)
            if w.shape != tuple([x.shape[i] for i in axes]):
                raise ValueError(
                    f"average got weights of shape {w.shape} for axis {axis} of {x.shape}; one for each place"
                )
            w = np.reshape(np.transpose(w, np.argsort(axes)), [n if i in axes else 1 for i, n in enumerate(x.shape)])
            w = np.broadcast_to(w, x.shape)
        total = np.sum(w, axis=axis, keepdims=keepdims)
        if (numbers(total) == 0).any():
            raise ZeroDivisionError("average got weights that add up to 0")
        y = np.sum(x * w, axis=axis, keepdims=keepdims) / total
    return (y, total) if returned else y


def _in_a_row(x: Any, axis: Any) -> Any:
    """x with the axes to be reduced behind the others, as one."""
    if axis is None:
        return np.reshape(x, (x.size,))
    axes = normalize_axis_tuple(axis, x.ndim or 1)
    if not x.ndim:
        return np.reshape(x, (1,))
    moved = np.moveaxis(x, axes, tuple(range(-len(axes), 0)))
    others = moved.shape[: x.ndim - len(axes)]
    return np.reshape(moved, (*others, math.prod(moved.shape[len(others) :])))


def _in_place(row: Any, x: Any, axis: Any) -> Any:
    """What `_in_a_row` did, undone: `row` in the shape of x."""
    if axis is None or not x.ndim:
        return np.reshape(row, x.shape)
    axes = normalize_axis_tuple(axis, x.ndim)
    lengths = tuple([x.shape[i] for i in axes])
    return np.moveaxis(np.reshape(row, row.shape[:-1] + lengths), tuple(range(-len(axes), 0)), axes)


def _before(x: Any) -> Any:
    """yₜ = x₀·x₁·…·xₜ₋₁ along the last axis: the product of all that come before."""
    return np.cumprod(np.concatenate([np.ones_like(x[..., :1]), x[..., :-1]], -1), -1)


def _product_of_others(x: Any) -> Any:
    """yₜ = ∏ xₛ, s ≠ t, along the last axis: those before times those after. y / xₜ would fail where xₜ = 0."""
    return _before(x) * np.flip(_before(np.flip(x, -1)), -1)


@op(
    symbol="∏",
    vjp=(
        lambda g, y, x, *, axis, keepdims: (
            kept(g, x, axis) * _in_place(_product_of_others(_in_a_row(x, axis)), x, axis)
        ),
    ),
    answers=(np.prod, (np.multiply, "reduce")),
    analytic=True,
    formulas=["∂L/∂xᵢ = ∂L/∂y·∏ xⱼ, j ≠ i"],
    examples=[
        *AXES,
        *EMPTY,
        example(np.array([2.0, 0.0, 3.0])),
        example(np.array([[2.0, 0.0, 0.0], [1.0, 2.0, 3.0]]), axis=1),
        example(np.array([[2.0, 0.0, 0.5], [1.0, 2.0, 3.0]])),
    ],
)
def prod(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y = ∏ x. The gradient, ∏ of the others, is right with zeros among them too: nothing is divided by x.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> x.prod().backward()
    >>> x.grad.tolist()
    [0.0, 6.0, 0.0]
    """
    return np.multiply.reduce(x, axis=axis, keepdims=keepdims)


# ---------------------------------------------------------------------------------------------------
# Running sums and products


def _bind_running(x: Any, axis: int | None = None) -> tuple[Any, ...]:
    if axis is None:
        x, axis = array(x) if np.ndim(x) == 1 else np.ravel(x), 0
    return (x,), {"axis": axis}


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
    bind=_bind_running,
    analytic=True,
    formulas=["∂L/∂xₜ = Σ ∂L/∂yₛ, s ≥ t"],
    examples=RUNNING,
)
def cumsum(x: Any, axis: int) -> Any:
    """yₜ = x₀ + x₁ + … + xₜ along an axis; without one, along x as one row.

    What is added at t counts from there to the end: the gradient is the running sum from behind.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = np.cumsum(x)
    >>> y.sum().backward()
    >>> y.tolist(), x.grad.tolist()
    ([1.0, 3.0, 6.0], [3.0, 2.0, 1.0])
    """
    return np.add.accumulate(x, axis)


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
def recurrence(a: Any, b: Any) -> Any:
    """yₜ = aₜ·yₜ₋₁ + bₜ along the last axis, from y₀ = b₀: running sums (a = 1), products, exponential averages.

    Raises ValueError for single numbers, which have no axis to run along.

    >>> import numpy as np
    >>> recurrence(0.5, np.array([8.0, 0.0, 0.0, 1.0])).tolist()
    [8.0, 4.0, 2.0, 2.0]
    """
    a, b = np.broadcast_arrays(a, b)
    if not a.ndim:
        raise ValueError("a recurrence runs along an axis, but both inputs are single numbers")
    y = np.array(b)
    for t in range(1, y.shape[-1]):
        y[..., t] += a[..., t] * y[..., t - 1]
    return y


def _by_cumprod(g: Any, y: Any, x: Any, *, axis: int) -> Any:
    """∂L/∂xₜ = (x₀·…·xₜ₋₁)·λₜ with λₜ = gₜ + xₜ₊₁·λₜ₊₁, which collects what each later product owes to xₜ."""
    x, g = np.moveaxis(x, axis, -1), np.moveaxis(g, axis, -1)
    return np.moveaxis(_before(x) * _from_behind(x, g), -1, axis)


@op(
    symbol="cumprod",
    vjp=(_by_cumprod,),
    answers=(np.cumprod, (np.multiply, "accumulate")),
    bind=_bind_running,
    analytic=True,
    formulas=["∂L/∂xₜ = Σ ∂L/∂yₛ·∏ xᵣ, s ≥ t, r ≤ s, r ≠ t"],
    examples=[
        *RUNNING,
        example(np.array([2.0, 0.0, 3.0, 0.5])),
        example(np.array([[2.0, 0.0, 0.0, 3.0], [0.0, 1.0, 2.0, 0.0]]), axis=1),
    ],
)
def cumprod(x: Any, axis: int) -> Any:
    """yₜ = x₀·x₁·…·xₜ along an axis; without one, along x as one row. Zeros in x are no trouble to the gradient.

    >>> import tinygrad_edu as tg
    >>> np.cumprod(tg.Tensor([1, 2, 3, 4])).tolist()
    [1, 2, 6, 24]
    """
    return np.multiply.accumulate(x, axis)


def _cumulative(running: Any, start: Any, x: Any, axis: Any, dtype: Any, include_initial: bool) -> Any:
    x = array(x)
    if axis is None:
        if x.ndim > 1:
            raise ValueError(f"a running sum or product over shape {x.shape} needs axis=: along which of its axes?")
        x, axis = np.atleast_1d(x), 0
    y = running(x if dtype is None else np.astype(x, np.dtype(dtype)), axis)
    if not include_initial:
        return y
    first = [1 if i == axis % y.ndim else n for i, n in enumerate(y.shape)]
    return np.concatenate([np.full(first, start, y.dtype), y], axis)


@composite(
    answers=(np.cumulative_sum,),
    analytic=True,
    examples=[example((3,)), example((2, 3), axis=-1, include_initial=True), example((2, 3), axis=0)],
)
def cumulative_sum(x: Any, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
    """yₜ = x₀ + x₁ + … + xₜ: `cumsum`, which may begin with the empty sum 0.

    >>> import tinygrad_edu as tg
    >>> cumulative_sum(tg.Tensor([1, 2, 3]), include_initial=True).tolist()
    [0, 1, 3, 6]
    """
    return _cumulative(cumsum, 0, x, axis, dtype, include_initial)


@composite(
    answers=(np.cumulative_prod,),
    analytic=True,
    examples=[example((3,)), example((2, 3), axis=-1, include_initial=True), example((2, 3), axis=0)],
)
def cumulative_prod(x: Any, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
    """yₜ = x₀·x₁·…·xₜ: `cumprod`, which may begin with the empty product 1.

    >>> import tinygrad_edu as tg
    >>> cumulative_prod(tg.Tensor([1, 2, 3]), include_initial=True).tolist()
    [1, 1, 2, 6]
    """
    return _cumulative(cumprod, 1, x, axis, dtype, include_initial)


# ---------------------------------------------------------------------------------------------------
# Differences


@composite(
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
def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """yₜ = xₜ₊₁ − xₜ along an axis, n times over; `prepend` and `append` are joined to x before.

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
    parts = [part if np.ndim(part) else np.broadcast_to(np.astype(array(part), x.dtype), edge) for part in parts]
    y = np.concatenate(parts, axis) if len(parts) > 1 else x
    every = (slice(None),) * (axis % x.ndim)
    for _ in range(n):
        y = np.not_equal(y[(*every, slice(1, None))], y[(*every, slice(None, -1))]) if y.dtype == bool else (
            y[(*every, slice(1, None))] - y[(*every, slice(None, -1))]
        )  # fmt: skip
    return y


@composite(
    answers=(np.ediff1d,),
    analytic=True,
    examples=[example((4,)), example((2, 2)), example((3,), (1,), (2,)), example((3,), to_begin=0.0)],
)
def ediff1d(x: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """yₜ = xₜ₊₁ − xₜ along x as one row, between the numbers `to_begin` and `to_end`.

    >>> import tinygrad_edu as tg
    >>> ediff1d(tg.Tensor([1, 4, 9]), to_begin=0).tolist()
    [0, 3, 5]
    """
    steps = np.diff(np.ravel(x))
    parts = [array(part) for part in (to_begin, steps, to_end) if part is not None]
    for part in parts:
        if not np.can_cast(part.dtype, steps.dtype, "same_kind"):
            raise TypeError(f"ediff1d of {steps.dtype} cannot take in {part.dtype}; write x.astype({part.dtype})")
    return np.concatenate([np.astype(np.ravel(part), steps.dtype) for part in parts]) if len(parts) > 1 else steps


@composite(
    answers=(np.trapezoid,),
    analytic=True,
    examples=[example((4,)), example((2, 4), dx=0.5), example((2, 3), (3,)), example((3, 2), (3, 2), axis=0)],
)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """∫ y dx ≈ Σ (xₜ₊₁ − xₜ)·(yₜ + yₜ₊₁) / 2: the area under the line through the points.

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


# ---------------------------------------------------------------------------------------------------
# Extrema


def _share(g: Any, y: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    """∂L/∂y to the element that is the extreme; where several are, an equal share to each."""
    extreme = x == kept(y, x, axis)
    ties = np.sum(extreme, axis=axis, keepdims=True, dtype=g.dtype)
    return np.where(extreme, kept(g, x, axis) / ties, 0)


@op(symbol="max", vjp=(_share,), answers=(np.max, np.amax, (np.maximum, "reduce")), domain=spread, examples=AXES)
def max(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y = max x. Where several elements are largest, they share the gradient evenly.

    Raises ValueError for the largest of no elements.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 5.0, 5.0], requires_grad=True)
    >>> x.max().backward()
    >>> x.grad.tolist()
    [0.0, 0.5, 0.5]
    """
    return np.maximum.reduce(x, axis=axis, keepdims=keepdims)


@op(symbol="min", vjp=(_share,), answers=(np.min, np.amin, (np.minimum, "reduce")), domain=spread, examples=AXES)
def min(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y = min x. Where several elements are smallest, they share the gradient evenly.

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([[3, 1], [2, 4]]).min(axis=1).tolist()
    [1, 2]
    """
    return np.minimum.reduce(x, axis=axis, keepdims=keepdims)


@composite(answers=(np.ptp,), domain=spread, examples=AXES)
def ptp(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y = max x − min x: from peak to peak.

    >>> import tinygrad_edu as tg
    >>> ptp(tg.Tensor([3, 1, 7])).item()
    6
    """
    return np.max(x, axis=axis, keepdims=keepdims) - np.min(x, axis=axis, keepdims=keepdims)


ONE_AXIS = (example((2, 3)), example((2, 3), axis=0), example((2, 3), axis=-1, keepdims=True), example(()))


@op(symbol="argmax", vjp=None, answers=(np.argmax,), domain=spread, examples=ONE_AXIS)
def argmax(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """y is the place of the largest element along an axis, of the first if there are several; without an axis, its
    place in x as one row. Recorded, without a derivative.

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([3.0, 7.0, 7.0]).argmax().item()
    1
    """
    return x.argmax(axis, keepdims=keepdims)


@op(symbol="argmin", vjp=None, answers=(np.argmin,), domain=spread, examples=ONE_AXIS)
def argmin(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """y is the place of the smallest element along an axis: see `argmax`.

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([3.0, 7.0, 1.0]).argmin().item()
    2
    """
    return x.argmin(axis, keepdims=keepdims)


# ---------------------------------------------------------------------------------------------------
# Questions: recorded, without a derivative


@op(symbol="any", vjp=None, answers=(np.any, (np.logical_or, "reduce")), examples=[*AXES, *EMPTY])
def any(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y: is any element not zero?

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([[0, 1], [0, 0]]).any(axis=1).tolist()
    [True, False]
    """
    return np.logical_or.reduce(x, axis=axis, keepdims=keepdims)


@op(symbol="all", vjp=None, answers=(np.all, (np.logical_and, "reduce")), examples=[*AXES, *EMPTY])
def all(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y: is no element zero?

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([[0, 1], [2, 3]]).all(axis=1).tolist()
    [False, True]
    """
    return np.logical_and.reduce(x, axis=axis, keepdims=keepdims)


@op(symbol="count ≠ 0", vjp=None, answers=(np.count_nonzero,), examples=[*AXES, *EMPTY])
def count_nonzero(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y is how many elements are not zero.

    >>> import tinygrad_edu as tg
    >>> count_nonzero(tg.Tensor([0, 3, 0, 5])).item()
    2
    """
    return np.count_nonzero(x, axis=axis, keepdims=keepdims)


# ---------------------------------------------------------------------------------------------------
# Spread about the mean


def deviation(x: Any, axis: Any) -> Any:
    """x − mean x, and the mean of that subtracted once more, because the mean was rounded: a constant deviates by 0."""
    d = x - np.mean(x, axis=axis, keepdims=True)
    return d - np.mean(d, axis=axis, keepdims=True)


def _bind_spread(
    x: Any, axis: Any = None, *, correction: Any = None, ddof: Any = None, keepdims: bool = False, **options: Any
) -> tuple[Any, ...]:
    """NumPy has two names for the correction; and `dtype`, in which to compute."""
    x, options = _without_options("var and std", x, options)
    if options:
        raise TypeError(
            f"var and std on a Tensor take axis, correction (ddof), keepdims and dtype, not {', '.join(options)}"
        )
    return (x,), {"axis": axis, "correction": _correction(correction, ddof), "keepdims": bool(keepdims)}


def _correction(correction: Any, ddof: Any) -> Any:
    if correction is not None and ddof not in (None, 0):
        raise ValueError("var and std take correction= or ddof=, which are the same thing, but not both")
    return correction if correction is not None else ddof or 0


def _degrees(x: Any, y: Any, correction: float) -> Any:
    """n − c, the degrees of freedom; at least 0."""
    n = count(x, y)
    return n - correction if n > correction else 0


SPREADS = (
    *AXES[:-2],
    example((5,), correction=1),
    example((2, 3), axis=1, ddof=1),
    example((4, 2), axis=0, correction=0.5),
)


@op(
    symbol="var",
    vjp=(
        lambda g, y, x, *, axis, correction, keepdims: (
            kept(g, x, axis) * 2 / _degrees(x, y, correction) * deviation(x, axis)
        ),
    ),
    answers=(np.var,),
    bind=_bind_spread,
    analytic=True,
    formulas=["∂L/∂x = 2·∂L/∂y·(x − mean(x)) / (n − c)"],
    examples=SPREADS,
)
def var(x: Any, axis: Any = None, *, correction: float = 0, keepdims: bool = False) -> Any:
    """y = Σ (x − mean x)² / (n − c): the variance. c = 0 describes the numbers at hand (NumPy's default), c = 1
    (PyTorch's) estimates without bias from a sample; it is called `correction` or `ddof`.

    The naive mean(x²) − (mean x)² cancels where the mean is large against the spread, and may come out negative.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 2.0, 3.0])
    >>> round(x.var().item(), 4), x.var(correction=1).item()
    (0.6667, 1.0)
    """
    d = deviation(x, axis)
    d = d * d
    y = d.mean(axis, keepdims=keepdims)
    return y if correction == 0 else y * count(x, y) / _degrees(x, y, correction)


@op(
    symbol="std",
    vjp=(
        lambda g, y, x, *, axis, correction, keepdims: (
            kept(g / np.where(y == 0, 1, y), x, axis) / _degrees(x, y, correction) * deviation(x, axis)
        ),
    ),
    answers=(np.std,),
    bind=_bind_spread,
    analytic=True,
    formulas=["∂L/∂x = ∂L/∂y·(x − mean(x)) / (y·(n − c)), 0 where y = 0"],
    examples=[e for e in SPREADS if "axis" not in e.settings or e.settings["axis"] != ()],
    special=[at(3.0, gradient=0.0)],
)
def std(x: Any, axis: Any = None, *, correction: float = 0, keepdims: bool = False) -> Any:
    """y = √var x: the standard deviation; see `var`. A constant has the standard deviation 0, and the gradient 0.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([0.1, 0.1, 0.1], requires_grad=True)
    >>> x.std().backward()
    >>> x.grad.tolist()
    [0.0, 0.0, 0.0]
    """
    return np.sqrt(var.forward(x, axis, correction=correction, keepdims=keepdims))


# ---------------------------------------------------------------------------------------------------
# Log-sum-exp


@op(
    symbol="logsumexp",
    vjp=(
        lambda g, y, x, *, axis, keepdims: (
            kept(g, x, axis) * np.exp(x - kept(np.where(y == -math.inf, 0, y), x, axis))  # of −∞ alone: 0, not NaN
        ),
    ),
    analytic=True,
    formulas=["∂L/∂x = ∂L/∂y·exp(x − y)"],
    examples=[*AXES, *EMPTY],
)
def logsumexp(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y = log Σ eˣ: a smooth maximum. Its gradient is the softmax of x.

    Computed as m + log Σ eˣ⁻ᵐ with m = max x, whose exponentials are at most 1: the naive form overflows in
    float32 for x > 88. −∞ counts as an absent element, and y is −∞ if all are.

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([1000.0, 1000.0]).logsumexp().item() == 1000 + math.log(2)
    True
    """
    if x.dtype.kind not in "fc":
        x = x.astype(float)
    m = np.maximum.reduce(x.real, axis=axis, keepdims=True, initial=-math.inf)
    m = np.where(np.isfinite(m), m, 0)
    with np.errstate(divide="ignore"):
        y = np.log(np.add.reduce(np.exp(x - m), axis=axis, keepdims=True)) + m
    return y if keepdims else y.squeeze(axis)


# ---------------------------------------------------------------------------------------------------
# Medians and quantiles: order statistics


_POSITIONS: dict[str, Any] = {
    "linear": lambda q, n: q * (n - 1),
    "lower": lambda q, n: np.floor(q * (n - 1)),
    "higher": lambda q, n: np.ceil(q * (n - 1)),
    "nearest": lambda q, n: np.rint(q * (n - 1)),
    "midpoint": lambda q, n: (np.floor(q * (n - 1)) + np.ceil(q * (n - 1))) / 2,
    "hazen": lambda q, n: q * n - 1 / 2,
    "weibull": lambda q, n: q * (n + 1) - 1,
    "median_unbiased": lambda q, n: q * (n + 1 / 3) - 2 / 3,
    "normal_unbiased": lambda q, n: q * (n + 1 / 4) - 5 / 8,
    "interpolated_inverted_cdf": lambda q, n: q * n - 1,
    "inverted_cdf": lambda q, n: np.ceil(q * n) - 1,
    "averaged_inverted_cdf": lambda q, n: (np.ceil(q * n) - 1 + np.floor(q * n)) / 2,
    "closest_observation": lambda q, n: np.rint(q * n) - 1,
}
"""Where the quantile q of n numbers lies among them in order, between 0 and n − 1, by method.

Source: Hyndman and Fan, *Sample quantiles in statistical packages*, The American Statistician 50 (1996).
"""


def rank_weights(x: Any, axis: Any, q: float, method: str = "linear") -> Any:
    """w with y = Σ wx: w = max(0, 1 − |rank − h|), where h is the quantile's position among the ordered numbers.

    So a quantile that is one of the numbers has weight 1 there, and one between two numbers divides it between
    them. NaN has the last ranks, and is not among the n numbers.
    """
    row = _in_a_row(x, axis)
    n = np.sum(row == row, axis=-1, keepdims=True)
    h = np.maximum(np.minimum(_POSITIONS[method](q, n), n - 1), 0)
    ranks = np.argsort(np.argsort(row, axis=-1), axis=-1)
    return _in_place(np.astype(np.maximum(1 - np.abs(ranks - h), 0), x.dtype), x, axis)


RANKED = (*AXES, example((4,)), example((3, 4), axis=1))


@op(
    symbol="median",
    vjp=(lambda g, y, x, *, axis, keepdims: kept(g, x, axis) * rank_weights(x, axis, 0.5),),
    answers=(np.median,),
    domain=spread,
    formulas=["∂L/∂x = ∂L/∂y·max(0, 1 − |rank(x) − h|)"],
    examples=RANKED,
)
def median(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y is the middle of x in order; of an even number of elements, the mean of the two in the middle.

    The gradient goes to the elements that y was taken from.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([5.0, 1.0, 9.0, 2.0], requires_grad=True)
    >>> y = median(x)
    >>> y.backward()
    >>> y.item(), x.grad.tolist()
    (3.5, [0.5, 0.0, 0.0, 0.5])
    """
    return np.median(x, axis=axis, keepdims=keepdims)


@op(
    symbol="median",
    vjp=(lambda g, y, x, *, axis, keepdims: kept(g, x, axis) * rank_weights(x, axis, 0.5),),
    answers=(np.nanmedian,),
    domain=spread,
    formulas=["∂L/∂x = ∂L/∂y·max(0, 1 − |rank(x) − h|)"],
    examples=RANKED,
)
def nanmedian(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y is the median of the elements that are not NaN.

    >>> import tinygrad_edu as tg
    >>> nanmedian(tg.Tensor([5.0, math.nan, 9.0])).item()
    7.0
    """
    return np.nanmedian(x, axis=axis, keepdims=keepdims)


@op(
    symbol=lambda *, q, **_: f"quantile {q:g}",
    vjp=(lambda g, y, x, *, q, axis, method, keepdims, skip_nan: kept(g, x, axis) * rank_weights(x, axis, q, method),),
    domain=spread,
    formulas=["∂L/∂x = ∂L/∂y·max(0, 1 − |rank(x) − h|)"],
    examples=[
        *[example(e.args[0], 0.3, **e.settings) for e in AXES],
        *[example((2, 5), q, axis=1) for q in (0.0, 0.5, 0.9, 1.0)],
        *[example((2, 6), 0.41, axis=-1, method=method) for method in _POSITIONS],
        example((2, 3), 0.2, axis=0, skip_nan=True),
    ],
)
def quantile_at(
    x: Any, q: float, axis: Any = None, *, method: str = "linear", keepdims: bool = False, skip_nan: bool = False
) -> Any:
    """y is the number that the share q of x lies below: `quantile` for a single q, with or without regard to NaN.

    >>> import numpy as np
    >>> float(quantile_at(np.array([1.0, 2.0, 4.0]), 0.75))
    3.0
    """
    quantile = np.nanquantile if skip_nan else np.quantile
    y = quantile(x, np.asarray(q), axis=axis, method=method, keepdims=keepdims)
    return y.astype(x.dtype) if x.dtype.kind == "f" else y


def _quantiles(x: Any, q: Any, axis: Any, method: str, keepdims: bool, weights: Any, skip_nan: bool) -> Any:
    if weights is not None:
        raise TypeError(
            "a quantile of a Tensor takes no weights=; for whole numbers of times write np.repeat(x, times)"
        )
    if method not in _POSITIONS:
        raise ValueError(f"a quantile takes one of the methods {', '.join(_POSITIONS)}, but got {method!r}")
    x, q = array(x), np.asarray(numbers(q))
    options: Any = {"axis": axis, "method": method, "keepdims": keepdims, "skip_nan": skip_nan}
    if not q.ndim:
        return quantile_at(x, q.item(), **options)
    each = np.stack([quantile_at(x, share, **options) for share in q.ravel().tolist()])
    return np.reshape(each, q.shape + each.shape[1:])


QUANTILES = (
    example((5,), 0.3),
    example((2, 4), 0.25, 1),
    example((2, 4), q=[0.0, 0.4, 1.0], axis=-1, keepdims=True),
    example((2, 3, 2), q=[[0.1], [0.9]], axis=(0, 2)),
    example((2, 4), 0.6, axis=1, method="hazen"),
)


@composite(answers=(np.quantile,), domain=spread, examples=QUANTILES)
def quantile(
    x: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False,
    weights: Any = None, overwrite_input: bool = False,
) -> Any:  # fmt: skip
    """y is the number that the share q of x lies below, 0 ≤ q ≤ 1; between two elements, by the method.

    For several q, y begins with their axes. The gradient goes to the elements that y was taken from.
    Raises ValueError for q outside [0, 1], and for methods that are not NumPy's.

    >>> import tinygrad_edu as tg
    >>> quantile(tg.Tensor([1.0, 2.0, 3.0, 5.0]), [0, 0.5, 1]).tolist()
    [1.0, 2.5, 5.0]
    """
    return _quantiles(x, q, axis, method, keepdims, weights, False)


@composite(answers=(np.nanquantile,), domain=spread, examples=[e for e in QUANTILES if "q" not in e.settings])
def nanquantile(
    x: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False,
    weights: Any = None, overwrite_input: bool = False,
) -> Any:  # fmt: skip
    """y is the quantile of the elements that are not NaN.

    >>> import tinygrad_edu as tg
    >>> nanquantile(tg.Tensor([1.0, math.nan, 3.0]), 0.5).item()
    2.0
    """
    return _quantiles(x, q, axis, method, keepdims, weights, True)


PERCENTILES = (example((5,), 30), example((2, 4), 25.0, 1), example((2, 4), q=[0, 40, 100], axis=-1, keepdims=True))


@composite(answers=(np.percentile,), domain=spread, examples=PERCENTILES)
def percentile(
    x: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False,
    weights: Any = None, overwrite_input: bool = False,
) -> Any:  # fmt: skip
    """y is the number that q percent of x lie below: `quantile` of q / 100.

    >>> import tinygrad_edu as tg
    >>> percentile(tg.Tensor([1.0, 2.0, 3.0]), 75).item()
    2.5
    """
    return _quantiles(x, np.asarray(numbers(q)) / 100, axis, method, keepdims, weights, False)


@composite(answers=(np.nanpercentile,), domain=spread, examples=PERCENTILES[:2])
def nanpercentile(
    x: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False,
    weights: Any = None, overwrite_input: bool = False,
) -> Any:  # fmt: skip
    """y is the percentile of the elements that are not NaN.

    >>> import tinygrad_edu as tg
    >>> nanpercentile(tg.Tensor([1.0, math.nan, 3.0]), 75).item()
    2.5
    """
    return _quantiles(x, np.asarray(numbers(q)) / 100, axis, method, keepdims, weights, True)


# ---------------------------------------------------------------------------------------------------
# Without regard to NaN: a missing number counts as the one that changes nothing, and gets the gradient 0


@op(symbol="nanmax", vjp=(_share,), answers=(np.nanmax, (np.fmax, "reduce")), domain=spread, examples=AXES)
def nanmax(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y = max x of the elements that are not NaN; NaN if there are none.

    >>> import tinygrad_edu as tg
    >>> nanmax(tg.Tensor([1.0, math.nan, 3.0])).item()
    3.0
    """
    return np.fmax.reduce(x, axis=axis, keepdims=keepdims)


@op(symbol="nanmin", vjp=(_share,), answers=(np.nanmin, (np.fmin, "reduce")), domain=spread, examples=AXES)
def nanmin(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y = min x of the elements that are not NaN; NaN if there are none.

    >>> import tinygrad_edu as tg
    >>> nanmin(tg.Tensor([1.0, math.nan, 3.0])).item()
    1.0
    """
    return np.fmin.reduce(x, axis=axis, keepdims=keepdims)


@op(symbol="nanargmax", vjp=None, answers=(np.nanargmax,), domain=spread, examples=ONE_AXIS)
def nanargmax(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """y is the place of the largest element that is not NaN: see `argmax`. Raises ValueError if there is none.

    >>> import tinygrad_edu as tg
    >>> nanargmax(tg.Tensor([1.0, math.nan, 3.0])).item()
    2
    """
    return np.nanargmax(x, axis=axis, keepdims=keepdims)


@op(symbol="nanargmin", vjp=None, answers=(np.nanargmin,), domain=spread, examples=ONE_AXIS)
def nanargmin(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """y is the place of the smallest element that is not NaN: see `argmin`. Raises ValueError if there is none.

    >>> import tinygrad_edu as tg
    >>> nanargmin(tg.Tensor([1.0, math.nan, 3.0])).item()
    0
    """
    return np.nanargmin(x, axis=axis, keepdims=keepdims)


def _filled(x: Any, value: float, options: Any) -> tuple[Any, Any, dict[str, Any]]:
    """x with `value` for NaN, the mask of what is not NaN, and the options that are left."""
    x, options = _without_options("a reduction", array(x), options)
    if x.dtype.kind not in "fc":
        return x, np.ones(x.shape, bool), options
    present = np.logical_not(np.isnan(x))
    return np.where(present, x, value), present, options


@composite(answers=(np.nansum,), analytic=True, examples=[*AXES, *EMPTY])
def nansum(x: Any, axis: Any = None, **options: Any) -> Any:
    """y = Σ x of the elements that are not NaN.

    >>> import tinygrad_edu as tg
    >>> nansum(tg.Tensor([1.0, math.nan, 3.0])).item()
    4.0
    """
    x, _, options = _filled(x, 0, options)
    return np.sum(x, axis=axis, **options)


@composite(answers=(np.nanprod,), analytic=True, examples=[*AXES, *EMPTY])
def nanprod(x: Any, axis: Any = None, **options: Any) -> Any:
    """y = ∏ x of the elements that are not NaN.

    >>> import tinygrad_edu as tg
    >>> nanprod(tg.Tensor([2.0, math.nan, 3.0])).item()
    6.0
    """
    x, _, options = _filled(x, 1, options)
    return np.prod(x, axis=axis, **options)


@composite(answers=(np.nancumsum,), analytic=True, examples=RUNNING)
def nancumsum(x: Any, axis: int | None = None, **options: Any) -> Any:
    """yₜ = x₀ + … + xₜ, where NaN adds nothing.

    >>> import tinygrad_edu as tg
    >>> nancumsum(tg.Tensor([1.0, math.nan, 3.0])).tolist()
    [1.0, 1.0, 4.0]
    """
    x, _, options = _filled(x, 0, options)
    return np.cumsum(x, axis=axis, **options)


@composite(answers=(np.nancumprod,), analytic=True, examples=RUNNING)
def nancumprod(x: Any, axis: int | None = None, **options: Any) -> Any:
    """yₜ = x₀·…·xₜ, where NaN changes nothing.

    >>> import tinygrad_edu as tg
    >>> nancumprod(tg.Tensor([2.0, math.nan, 3.0])).tolist()
    [2.0, 2.0, 6.0]
    """
    x, _, options = _filled(x, 1, options)
    return np.cumprod(x, axis=axis, **options)


@composite(answers=(np.nanmean,), analytic=True, examples=AXES)
def nanmean(x: Any, axis: Any = None, **options: Any) -> Any:
    """y = Σ x / n of the n elements that are not NaN; NaN if there are none.

    >>> import tinygrad_edu as tg
    >>> nanmean(tg.Tensor([1.0, math.nan, 3.0])).item()
    2.0
    """
    x, present, options = _filled(x, 0, options)
    y = np.sum(x if x.dtype.kind in "fc" else np.astype(x, float), axis=axis, **options)
    return y / np.sum(present, axis=axis, dtype=y.dtype, **options)


@composite(answers=(np.nanvar,), analytic=True, examples=SPREADS)
def nanvar(
    x: Any, axis: Any = None, *, correction: Any = None, ddof: Any = None, keepdims: bool = False, **options: Any
) -> Any:
    """y is the variance of the elements that are not NaN: see `var`. NaN if no more of them than the correction.

    >>> import tinygrad_edu as tg
    >>> nanvar(tg.Tensor([1.0, math.nan, 3.0])).item()
    1.0
    """
    c = _correction(correction, ddof)
    x, present, options = _filled(x, 0, options)
    x = x if x.dtype.kind in "fc" else np.astype(x, float)
    n = np.sum(present, axis=axis, keepdims=True, dtype=x.dtype)
    d = np.where(present, x - np.sum(x, axis=axis, keepdims=True) / n, 0)
    d = np.where(present, d - np.sum(d, axis=axis, keepdims=True) / n, 0)  # see `deviation`
    n = np.sum(present, axis=axis, keepdims=keepdims, dtype=x.dtype)
    return np.sum(d * d, axis=axis, keepdims=keepdims, **options) / np.where(n > c, n - c, math.nan)


@composite(answers=(np.nanstd,), analytic=True, examples=[e for e in SPREADS if e.settings.get("axis") != ()])
def nanstd(x: Any, axis: Any = None, **options: Any) -> Any:
    """y is the standard deviation of the elements that are not NaN: see `std`.

    >>> import tinygrad_edu as tg
    >>> nanstd(tg.Tensor([1.0, math.nan, 3.0])).item()
    1.0
    """
    v = nanvar(x, axis, **options)
    return np.where(v == 0, 0, np.sqrt(np.where(v == 0, 1, v)))  # the inner one keeps √′(0) = ∞ out of the gradient


# ---------------------------------------------------------------------------------------------------
# Norms


@op(
    symbol="‖·‖",
    vjp=(lambda g, y, x, *, axis, keepdims: kept(g / np.where(y == 0, 1, y), x, axis) * x,),
    analytic=True,
    formulas=["∂L/∂x = ∂L/∂y·x / y, 0 where y = 0"],
    examples=[*[e for e in AXES if e.settings.get("axis") != () and e.args != ((),)], *EMPTY],
    special=[at(0.0, gradient=0.0)],
)
def euclidean_norm(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y = ‖x‖₂ = √Σ x². Its gradient x / ‖x‖ has no limit at 0; there it is 0.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> y = euclidean_norm(x)
    >>> y.backward()
    >>> y.item(), x.grad.tolist()
    (5.0, [0.6, 0.8])
    """
    return np.sqrt(np.add.reduce(x * x, axis=axis, keepdims=keepdims))


def _vector_norm(x: Any, p: Any, axis: Any, keepdims: bool) -> Any:
    if p == 2:
        return euclidean_norm(x, axis=axis, keepdims=keepdims)
    if p == math.inf:
        largest = np.max if x.size else np.sum  # of no elements it is 0
        return largest(np.abs(x), axis=axis, keepdims=keepdims)
    if p == -math.inf:
        return np.min(np.abs(x), axis=axis, keepdims=keepdims)
    if p == 0:
        return np.sum(x != 0, axis=axis, keepdims=keepdims, dtype=np.result_type(x, 1.0))
    if p == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    s = np.sum(np.abs(x) ** p, axis=axis, keepdims=keepdims)
    return np.where(s == 0, 0, np.where(s == 0, 1, s) ** (1 / p))  # the inner one keeps 0^(1/p − 1) = ∞ out


def _matrix_norm(x: Any, kind: Any, axes: tuple[int, int], keepdims: bool) -> Any:
    rows, columns = normalize_axis_tuple(axes, x.ndim)
    if kind == "fro":
        return euclidean_norm(x, axis=(rows, columns), keepdims=keepdims)
    if kind in (1, -1, math.inf, -math.inf):
        inner, outer = (rows, columns) if abs(kind) == 1 else (columns, rows)
        extreme = np.min if kind < 0 else np.max if x.size else np.sum  # the largest of no elements is 0
        y = extreme(np.sum(np.abs(x), axis=inner, keepdims=True), axis=outer, keepdims=True)
    elif kind in (2, -2, "nuc"):
        values = np.linalg.svd(np.moveaxis(x, (rows, columns), (-2, -1)), compute_uv=False)
        reduce = np.sum if kind == "nuc" else np.max if kind > 0 else np.min
        y = reduce(values, axis=-1)
        return np.expand_dims(y, (rows, columns)) if keepdims else y
    else:
        raise ValueError(f"a matrix norm has ord 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, but got {kind!r}")
    return y if keepdims else np.squeeze(y, (rows, columns))


@composite(
    answers=(np.linalg.norm,),
    domain=spread,
    examples=[
        example((3,)),
        example((2, 3)),
        example((2, 3, 2)),
        example((2, 3), axis=1),
        example((2, 3, 2), axis=(0, 2), keepdims=True),
        *[example((2, 3), ord, 0) for ord in (1, 2, 3, 1.5, math.inf, -math.inf, 0)],
        *[example((2, 3), ord) for ord in ("fro", 1, -1, math.inf, -math.inf)],
        example((2, 3, 2), ord=1, axis=(-1, 0), keepdims=True),
        example((2, 3, 2), ord=math.inf, axis=(1, 2)),
    ],
)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """y = ‖x‖: of a vector (Σ|x|ᵖ)^(1/p) with p = `ord`, 2 if left out; of a matrix, which two axes make, the
    Frobenius norm √Σx², or the one named by `ord`.

    For vectors p = ±inf is the largest (smallest) |x|, and 0 counts what is not zero. For matrices 1 and inf are the
    largest column and row sum of |x|, 2 the largest singular value, 'nuc' the sum of them; −1, −inf and −2 the
    smallest. Without `ord` and `axis`, x is taken as one vector.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([3.0, -4.0])
    >>> norm(x).item(), norm(x, 1).item(), norm(x, math.inf).item()
    (5.0, 7.0, 4.0)
    """
    x = array(x)
    if ord is None and (axis is None or np.iterable(axis)):
        ord = 2 if axis is None or len(axis) == 1 else "fro"
        if axis is None:
            return euclidean_norm(x, axis=tuple(range(x.ndim)), keepdims=keepdims)
    if axis is None:
        axis = tuple(range(x.ndim))
    axes = tuple(axis) if np.iterable(axis) else (axis,)
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    if len(axes) != 1:
        raise ValueError(f"a norm with ord={ord!r} is of a vector or a matrix, one axis or two, but got axes {axes}")
    if isinstance(ord, str):
        raise ValueError(f"a vector has no norm {ord!r}; ord is a number p, or inf")
    return _vector_norm(x, 2 if ord is None else ord, axes[0], keepdims)


@composite(
    answers=(np.linalg.vector_norm,),
    domain=spread,
    examples=[
        example((3,)),
        example((2, 3), axis=0, keepdims=True),
        example((2, 3), ord=1),
        example((2, 3, 2), axis=(0, 2), ord=3),
        example((2, 3), axis=-1, ord=math.inf),
    ],
)
def vector_norm(x: Any, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """y = (Σ|x|ᵖ)^(1/p), p = `ord`, over all axes or some: see `norm`.

    >>> import tinygrad_edu as tg
    >>> vector_norm(tg.Tensor([[3.0, 0.0], [0.0, 4.0]])).item()
    5.0
    """
    return _vector_norm(array(x), ord, axis, keepdims)


@composite(
    answers=(np.linalg.matrix_norm,),
    domain=spread,
    examples=[example((2, 3)), example((2, 2, 3), ord=1), example((2, 2, 3), keepdims=True, ord=-math.inf)],
)
def matrix_norm(x: Any, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """y = ‖x‖ of each matrix of a stack, over the last two axes: see `norm`.

    >>> import tinygrad_edu as tg
    >>> matrix_norm(tg.Tensor([[3.0, 0.0], [0.0, 4.0]]), ord=1).item()
    4.0
    """
    return _matrix_norm(array(x), ord, (-2, -1), keepdims)


# ---------------------------------------------------------------------------------------------------
# NumPy's other ways to ask


def _without_options(name: str, x: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """x in the dtype asked for, and the options without `dtype`; `where` and `initial` are refused."""
    options = {key: value for key, value in options.items() if value is not None and value is not np._NoValue}
    if options.get("where") is True:
        del options["where"]
    for key, cure in (("where", "np.where(mask, x, …)"), ("initial", "np.append(x, …)")):
        if key in options:
            raise TypeError(f"{name} of a Tensor takes no {key}=; write {cure} for x instead")
    dtype = options.pop("dtype", None)
    return (x if dtype is None else np.astype(x, np.dtype(dtype))), options


def _as_numpys(reduction: Any, default: Any) -> Any:
    """The reduction as NumPy calls it: with `dtype`, and with NumPy's default for the axis."""

    def answer(x: Any, axis: Any = default, **options: Any) -> Any:
        if options:
            x, options = _without_options(reduction.name, x, options)
        return reduction(x, axis=axis, **options)

    answer.__qualname__ = reduction.name  # for Python's own errors about arguments
    return answer


for _reduction in (sum, mean, prod, cumsum, cumprod, max, min, nanmax, nanmin, any, all):
    for _key in _reduction.answers:
        ANSWERS[_key] = _as_numpys(_reduction, 0 if isinstance(_key, tuple) else None)  # ufunc methods: axis 0
ANSWERS[np.logaddexp, "reduce"] = _as_numpys(logsumexp, 0)

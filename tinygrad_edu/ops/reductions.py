"""Reductions: sums, means, extrema and spreads, over all axes or some.

A reduction takes y from x along `axis`: None stands for all axes; a number, or several, count from the end where
negative. `keepdims` leaves these axes in y, of length 1. Going back, each rule spreads ∂L/∂y over the axes that were
reduced, and says how much of it each element gets: all of it (sum), an equal part (mean), the product of the others
(prod), nothing unless it is the largest (max), as much as it deviates (var).

Source: Higham, *Accuracy and Stability of Numerical Algorithms* (2002), chapters 1 and 4.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu.engine import graph
from tinygrad_edu.engine.calls import Call
from tinygrad_edu.engine.example import at, example, spread
from tinygrad_edu.engine.graph import add_up
from tinygrad_edu.engine.op import Op, composite, op
from tinygrad_edu.engine.recording import quietly
from tinygrad_edu.engine.registry import ANSWERS
from tinygrad_edu.ops.agreed import times_over
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.shaping import expand_dims

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
    """What is present of x, where all along the axis hangs together: whatever meets anything present of the result."""
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
    vjp=(lambda g, y, x, **axes: expand(g, shape=x.shape, **axes),),  # type: ignore[has-type]  # it follows
    presence="moves",
    answers=(np.sum, (np.add, "reduce")),
    analytic=True,
    takes_out=True,
    examples=[*AXES, *EMPTY],
)
def sum(x: Any, axis: Any = None, *, keepdims: bool = False, out: Any = None) -> Any:
    """y = Σ x, over all axes or some.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> x.sum(axis=0)
    Tensor([4., 6.], op=sum)
    """
    return add_up(x, axis, out, keepdims)


@op(
    symbol="expand",
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
def expand(x: Any, shape: tuple[int, ...], axis: Any = None, *, keepdims: bool = False, out: Any = None) -> Any:
    """y is x repeated along the axes that a sum took: `sum` and `expand` are the gradients of each other.

    >>> import numpy as np
    >>> expand(np.array([1, 2]), shape=(2, 3), axis=1).tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    if axis is not None and x.ndim != len(shape):
        axes = normalize_axis_tuple(axis, len(shape))
        x = x.reshape([1 if i in axes else n for i, n in enumerate(shape)])
    y = np.empty(shape, x.dtype) if out is None else out
    if out is None and y.size > 4096:
        return np.broadcast_to(x, shape)  # repeated without being copied
    y[...] = x  # a few numbers are copied sooner than np.broadcast_to begins
    return y


LONG = 1024
"""So many rows are added up one after the other: the sum's relative error is then below 10⁻⁵ in float32."""


@functools.lru_cache(maxsize=16)
def _ones(n: int, dtype: Any) -> Any:
    return np.ones(n, dtype)


@op(
    symbol="Σ",
    vjp=(lambda g, y, x: expand(g, shape=x.shape, axis=(0, *range(2, x.ndim))),),
    presence="moves",
    takes_out=True,
    analytic=True,
    examples=[example((4, 3)), example((1, 2)), example((2, 3, 4)), example((2, 2, 3, 2)), example((0, 2))],
)
def channel_sum(x: Any, *, out: Any = None) -> Any:
    """y_c = Σ x over the batch and the axes behind the channels. A matrix is summed as 1·x, by the linear algebra library;
    a long one by parts of 64 rows, so that few roundings add up: a float32 sum of n rows would lose log₂ n bits otherwise.

    >>> channel_sum(numpy.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [4.0, 6.0]
    """
    if x.ndim != 2 or x.dtype.char not in "fd":
        return add_up(x, (0, *range(2, x.ndim)), out)
    rows, columns = x.shape
    if rows <= LONG or not x.flags.c_contiguous:
        return np.matmul(_ones(rows, x.dtype), x, out)
    part = rows // 64
    sums = np.matmul(_ones(64, x.dtype), np.reshape(x[: 64 * part], (64, part * columns)))
    y = channel_sum.forward(np.reshape(sums, (part, columns)), out=out)
    y += np.matmul(_ones(rows - 64 * part, x.dtype), x[64 * part :])
    return y


graph.sum_rows = channel_sum


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
def mean(x: Any, axis: Any = None, *, keepdims: bool = False, out: Any = None) -> Any:
    """y = Σ x / n, with n the number of elements that go into one of y. The mean of whole numbers is float64.

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
    """What `in_a_row` did, undone: `row` in the shape of x."""
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
    lambda x, axis: back_in_place(_product_of_others(in_a_row(x, axis)), x, axis), name="_product_of_others"
)


@op(
    symbol="∏",
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
def prod(x: Any, axis: Any = None, *, keepdims: bool = False, out: Any = None) -> Any:
    """y = ∏ x. The gradient, ∏ of the others, is right with zeros among them too: nothing is divided by x.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> x.prod().backward()
    >>> x.grad.tolist()
    [0.0, 6.0, 0.0]
    """
    return np.multiply.reduce(x, axis=axis, keepdims=keepdims, out=out)


# ---------------------------------------------------------------------------------------------------
# Extrema


@in_float32
def share_evenly(g: Any, y: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    """∂L/∂y to the element that is the extreme; where several are, an equal share to each."""
    return _shared(x == kept(y, x, axis), g, x, axis)


@in_float32
def _share_with_nan(g: Any, y: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    """`share_evenly`, where a NaN among the elements is the extreme, as it is in y."""
    return _shared((x == kept(y, x, axis)) | (x != x), g, x, axis)


def _shared(extreme: Any, g: Any, x: Any, axis: Any) -> Any:
    ties = np.sum(extreme, axis=axis, keepdims=True, dtype=g.dtype)
    return np.where(extreme, kept(g, x, axis) / ties, 0)


@op(
    symbol="max",
    vjp=(_share_with_nan,),
    presence="selects",
    answers=(np.max, np.amax, (np.maximum, "reduce")),
    takes_out=True,
    formulas=[share_evenly],
    domain=spread,
    examples=AXES,
)
def max(x: Any, axis: Any = None, *, keepdims: bool = False, out: Any = None) -> Any:
    """y = max x, NaN if there is one. Where several elements are largest (or NaN), they share the gradient evenly.

    Raises ValueError for the largest of no elements.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 5.0, 5.0], requires_grad=True)
    >>> x.max().backward()
    >>> x.grad.tolist()
    [0.0, 0.5, 0.5]
    """
    return np.maximum.reduce(x, axis=axis, keepdims=keepdims, out=out)


@op(
    symbol="min",
    vjp=(_share_with_nan,),
    presence="selects",
    answers=(np.min, np.amin, (np.minimum, "reduce")),
    takes_out=True,
    formulas=[share_evenly],
    domain=spread,
    examples=AXES,
)
def min(x: Any, axis: Any = None, *, keepdims: bool = False, out: Any = None) -> Any:
    """y = min x, NaN if there is one. Where several elements are smallest (or NaN), they share the gradient evenly.

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([[3, 1], [2, 4]]).min(axis=1).tolist()
    [1, 2]
    """
    return np.minimum.reduce(x, axis=axis, keepdims=keepdims, out=out)


@composite(answers=(np.ptp,), domain=spread, examples=AXES)
def ptp(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y = max x − min x: from peak to peak.

    >>> import tinygrad_edu as tg
    >>> ptp(tg.Tensor([3, 1, 7])).item()
    6
    """
    return np.max(x, axis=axis, keepdims=keepdims) - np.min(x, axis=axis, keepdims=keepdims)


ONE_AXIS = (example((2, 3)), example((2, 3), axis=0), example((2, 3), axis=-1, keepdims=True), example(()))


@op(symbol="argmax", vjp=None, answers=(np.argmax,), may_raise=False, domain=spread, examples=ONE_AXIS)
def argmax(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """y is the place of the largest element along an axis, of the first if there are several; without an axis, its
    place in x as one row. Recorded, without a derivative.

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([3.0, 7.0, 7.0]).argmax().item()
    1
    """
    return x.argmax(axis, keepdims=keepdims)


@op(symbol="argmin", vjp=None, answers=(np.argmin,), may_raise=False, domain=spread, examples=ONE_AXIS)
def argmin(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """y is the place of the smallest element along an axis: see `argmax`.

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([3.0, 7.0, 1.0]).argmin().item()
    2
    """
    return x.argmin(axis, keepdims=keepdims)


# ---------------------------------------------------------------------------------------------------
# Questions: recorded, without a derivative


@op(symbol="any", vjp=None, answers=(np.any, (np.logical_or, "reduce")), takes_out=True, examples=[*AXES, *EMPTY])
def any(x: Any, axis: Any = None, *, keepdims: bool = False, out: Any = None) -> Any:
    """y: is any element not zero?

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([[0, 1], [0, 0]]).any(axis=1).tolist()
    [True, False]
    """
    return np.logical_or.reduce(x, axis=axis, keepdims=keepdims, out=out)


@op(symbol="all", vjp=None, answers=(np.all, (np.logical_and, "reduce")), takes_out=True, examples=[*AXES, *EMPTY])
def all(x: Any, axis: Any = None, *, keepdims: bool = False, out: Any = None) -> Any:
    """y: is no element zero?

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([[0, 1], [2, 3]]).all(axis=1).tolist()
    [False, True]
    """
    return np.logical_and.reduce(x, axis=axis, keepdims=keepdims, out=out)


@op(symbol="count ≠ 0", vjp=None, answers=(np.count_nonzero,), may_raise=False, examples=[*AXES, *EMPTY])
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
    d = x - mean(x, axis=axis, keepdims=True)
    return d - mean(d, axis=axis, keepdims=True)


def _bind_spread(
    x: Any, axis: Any = None, *, correction: Any = None, ddof: Any = None, keepdims: bool = False
) -> tuple[Any, ...]:
    """NumPy has two names for the correction."""
    return (x,), {"axis": axis, "correction": correction_of(correction, ddof), "keepdims": bool(keepdims)}


def correction_of(correction: Any, ddof: Any) -> Any:
    """c of n − c, by whichever name it was given."""
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
        in_float32(
            lambda g, y, x, *, axis, correction, keepdims: (
                kept(g, x, axis) * 2 / _degrees(x, y, correction) * deviation(x, axis)
            )
        ),
    ),
    presence=along_axis,
    answers=(np.var,),
    bind=_bind_spread,
    takes_out=True,
    formulas=[
        (
            "∂L/∂x = ∂L/∂y·2(x − mean(x))/(n − c)",
            lambda g, y, x, *, axis, correction, keepdims: (
                kept(g, x, axis) * 2 * (x - np.mean(x, axis, keepdims=True)) / _degrees(x, y, correction)
            ),
        )
    ],
    examples=SPREADS,
)
@in_float32
def var(
    x: Any, axis: Any = None, *, correction: float = 0, keepdims: bool = False, out: Any = None, scratch: Any = None
) -> Any:
    """y = Σ |x − mean x|² / (n − c): the variance. c = 0 describes the numbers at hand (NumPy's default), c = 1
    (PyTorch's) estimates without bias from a sample; it is called `correction` or `ddof`.

    The naive mean(x²) − (mean x)² cancels where the mean is large against the spread, and may come out negative.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 2.0, 3.0])
    >>> round(x.var().item(), 4), x.var(correction=1).item()
    (0.6667, 1.0)
    """
    if x.dtype.kind == "c":
        d, scratch = np.abs(deviation(x, axis)), None
    else:
        d = np.subtract(x, mean(x, axis=axis, keepdims=True), scratch)  # as in `deviation`
        d = np.subtract(d, mean(d, axis=axis, keepdims=True), scratch)
    y = mean.forward(np.multiply(d, d, scratch), axis, keepdims=keepdims, out=out)
    if correction == 0:
        return y
    return np.divide(np.multiply(y, count(x, y), out=out), _degrees(x, y, correction), out=out)


@op(
    symbol="std",
    vjp=(
        in_float32(
            lambda g, y, x, *, axis, correction, keepdims: (
                kept(times_over(g, 1, y), x, axis) / _degrees(x, y, correction) * deviation(x, axis)
            )
        ),
    ),
    presence=along_axis,
    answers=(np.std,),
    bind=_bind_spread,
    takes_out=True,
    formulas=[
        (
            "∂L/∂x = ∂L/∂y·(x − mean(x))/(y·(n − c)), and 0 where y = 0",
            lambda g, y, x, *, axis, correction, keepdims: (
                kept(g, x, axis)
                * (x - np.mean(x, axis, keepdims=True))
                / (kept(y, x, axis) * _degrees(x, y, correction))
            ),
        )
    ],
    examples=[e for e in SPREADS if "axis" not in e.settings or e.settings["axis"] != ()],
    special=[at(3.0, gradient=0.0)],
)
@in_float32
def std(
    x: Any, axis: Any = None, *, correction: float = 0, keepdims: bool = False, out: Any = None, scratch: Any = None
) -> Any:
    """y = √var x: the standard deviation; see `var`. A constant has the standard deviation 0, and the gradient 0.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([0.1, 0.1, 0.1], requires_grad=True)
    >>> x.std().backward()
    >>> x.grad.tolist()
    [0.0, 0.0, 0.0]
    """
    y = var.forward(x, axis, correction=correction, keepdims=keepdims, out=out, scratch=scratch)
    return np.sqrt(y, out=out)


# ---------------------------------------------------------------------------------------------------
# Log-sum-exp


@in_float32
def _by_logsumexp(g: Any, y: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    """∂L/∂y·exp(x − y), made to add up to ∂L/∂y though y was rounded; of −∞ alone it is 0, not NaN."""
    p = np.exp(x - kept(np.where(y == -math.inf, 0, y), x, axis))
    total = np.sum(p, axis=axis, keepdims=True)
    return kept(g, x, axis) * (p / np.where(total == 0, 1, total))


@op(
    symbol="logsumexp",
    vjp=(_by_logsumexp,),
    presence=along_axis,
    takes_out=True,
    analytic=True,
    formulas=[lambda g, y, x, *, axis, keepdims: kept(g, x, axis) * np.exp(x - kept(y, x, axis))],
    examples=[*AXES, *EMPTY],
)
@in_float32
def logsumexp(x: Any, axis: Any = None, *, keepdims: bool = False, out: Any = None, scratch: Any = None) -> Any:
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
    y = quietly(_log_of_sum, x, m, axis, scratch)
    y = y if keepdims else y.squeeze(axis)
    if out is None:
        return y
    np.copyto(out, y)
    return out


def _log_of_sum(x: Any, m: Any, axis: Any, scratch: Any) -> Any:
    """m + log Σ eˣ⁻ᵐ, where log 0 = −∞ is the answer, and so is e¹⁰⁰⁰ beside +∞."""
    e = np.exp(np.subtract(x, m, scratch), scratch)
    return np.log(np.add.reduce(e, axis=axis, keepdims=True)) + m


ANSWERS[np.logaddexp, "reduce"] = Call((np.logaddexp, "reduce"), logsumexp)  # over the first axis, unless told

"""Spread about the mean: variance and standard deviation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import at, example
from tinygrad_edu.engine.op import op
from tinygrad_edu.ops.agreed import times_over
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.reductions import AXES, along_axis, count, kept, mean

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Axis, Out


def deviation(x: Any, axis: Any) -> Any:
    """x − mean x, and the mean of that subtracted once more, because the mean was rounded: a constant deviates by 0."""
    d = x - mean(x, axis=axis, keepdims=True)
    return d - mean(d, axis=axis, keepdims=True)


def _bind_spread(
    x: Array, axis: Axis = None, *, correction: float | None = None, ddof: float | None = None, keepdims: bool = False
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
    x: Array, axis: Axis = None, *, correction: float = 0, keepdims: bool = False, out: Out = None, scratch: Out = None
) -> Array:
    """y = Σ |x − mean x|² / (n − c): the variance. c = 0 describes the numbers at hand (NumPy's default), c = 1
    (PyTorch's) estimates without bias from a sample; it is called `correction` or `ddof`.

    The naive mean(x²) − (mean x)² cancels where the mean is large against the spread, and may come out negative.

    x: numbers, an array or a tensor.
    axis: the axis over which the numbers lie, or several as a tuple; None stands for all.
    correction: c, what is taken from the number of elements n. Where n ≤ c, y is NaN or ∞.
    ddof: another name for c, NumPy's; only one of the two is given.
    keepdims: whether these axes stay, with length 1.

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
    x: Array, axis: Axis = None, *, correction: float = 0, keepdims: bool = False, out: Out = None, scratch: Out = None
) -> Array:
    """y = √var x: the standard deviation; see `var`. A constant has the standard deviation 0, and the gradient 0.

    The parameters are those of `var`.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([0.1, 0.1, 0.1], requires_grad=True)
    >>> x.std().backward()
    >>> x.grad.tolist()
    [0.0, 0.0, 0.0]
    """
    y = var.forward(x, axis, correction=correction, keepdims=keepdims, out=out, scratch=scratch)
    return np.sqrt(y, out=out)

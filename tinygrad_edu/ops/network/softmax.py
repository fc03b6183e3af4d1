"""Softmax, and logarithms of sums of exponentials. None overflows, and none gives −∞ for a probability that is only
small.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.calls import Call
from tinygrad_edu.engine.example import at, example
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.recording import quietly
from tinygrad_edu.engine.registry import ANSWERS
from tinygrad_edu.ops.elementwise import LN2
from tinygrad_edu.ops.network.activations import sigmoid
from tinygrad_edu.ops.parts import SHAPES, binary
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.reductions import AXES, EMPTY, along_axis, kept
from tinygrad_edu.ops.types import floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Axis, Out


def _gap(a: Any, b: Any) -> Any:
    """a − b, and 0 between equal infinities."""
    return np.where(np.isinf(a) & (a == b), 0, a - b)


_INFINITE = [at(-math.inf, 1.0, gradient=(0.0, 1.0)), at(-math.inf, -math.inf, gradient=(0.5, 0.5))]

logaddexp = binary(
    np.logaddexp, "logaddexp", lambda g, y, a, b: g * sigmoid(_gap(a, b)), lambda g, y, a, b: g * sigmoid(_gap(b, a)),
    "y = ln(eᵃ + eᵇ), without overflow. Its derivatives are σ(a − b) and σ(b − a). "
    "Equal infinities share the gradient evenly.",
    "[0.0, 1000.0], 0.0 → [0.6931, 1000.0]", special=_INFINITE,
    formulas=(lambda g, y, a, b: g * sigmoid(a - b), lambda g, y, a, b: g * sigmoid(b - a)),
)  # fmt: skip
logaddexp2 = binary(
    np.logaddexp2, "logaddexp2",
    lambda g, y, a, b: g * sigmoid(_gap(a, b) * LN2), lambda g, y, a, b: g * sigmoid(_gap(b, a) * LN2),
    "y = log₂(2ᵃ + 2ᵇ), without overflow. Its derivatives are σ((a − b)·ln 2) and σ((b − a)·ln 2). "
    "Equal infinities share the gradient evenly.",
    "[0.0, 1000.0], 0.0 → [1.0, 1000.0]", special=_INFINITE,
    formulas=(lambda g, y, a, b: g * sigmoid((a - b) * LN2), lambda g, y, a, b: g * sigmoid((b - a) * LN2)),
)  # fmt: skip


# ---------------------------------------------------------------------------------------------------
# Softmax and softplus


@op(symbol="softplus", vjp=(lambda g, y, x: g * sigmoid(x),), presence="elementwise", takes_out=True, examples=SHAPES)
def softplus(x: Array, *, out: Out = None) -> Array:
    """y = ln(1 + eˣ), a smooth max(x, 0) that overflows for no x. Its derivative is σ(x).

    >>> softplus(np.array([-1e4, 1e4])).tolist()
    [0.0, 10000.0]
    """
    return np.logaddexp(floating(x), 0, out=out)


@op(
    symbol="logsigmoid", vjp=(lambda g, y, x: g * sigmoid(-x),), presence="elementwise", takes_out=True, examples=SHAPES
)
def logsigmoid(x: Array, *, out: Out = None) -> Array:
    """y = ln σ(x) = −ln(1 + e⁻ˣ). It stays finite where σ(x) itself is rounded to 0.

    >>> logsigmoid(np.array([-1e4, 1e4])).tolist()
    [-10000.0, -0.0]
    """
    return np.negative(np.logaddexp(np.negative(floating(x), out=out), 0, out=out), out=out)


LONGEST_SHORT_ROW = 64
"""Rows of so few numbers NumPy would reduce one by one, ten times slower than the columns of their transpose."""


def copied(x: Any, place: Any) -> Any:
    """Copy the numbers of x into `place`, and return it."""
    np.copyto(place, x)
    return place


def _largest(x: Any, axis: Any, out: Any) -> Any:
    """max x, which is subtracted so that no exponential overflows. `out` may be used as memory."""
    if not x.size:
        return 0
    if x.ndim != 2 or axis != -1:
        return np.maximum.reduce(x, axis=axis, keepdims=True)
    columns = x.T
    if x.shape[1] <= LONGEST_SHORT_ROW:
        columns = np.ascontiguousarray(x.T) if out is None else copied(x.T, out.reshape(columns.shape))
    return np.maximum.reduce(columns, axis=0)[:, None]


_AXES = [
    example((3,)),
    example((2, 3)),
    example((2, 3), axis=0),
    example((2, 3, 2), axis=(0, -1)),
    example((2, 2), axis=None),
    example(()),
]


@op(
    symbol="softmax",
    vjp=(in_float32(lambda g, y, x, *, axis: y * (g - np.add.reduce(g * y, axis=axis, keepdims=True))),),
    presence=along_axis,
    takes_out=True,
    examples=_AXES,
)
@in_float32
def softmax(x: Array, axis: Axis = -1, *, out: Out = None) -> Array:
    """yᵢ = exp xᵢ / Σⱼ exp xⱼ: positive numbers that add up to 1 along an axis.

    It is computed as exp(xᵢ − m) / Σⱼ exp(xⱼ − m) with m = max x, which is the same, but does not overflow.

    x: any shape; y has the same.
    axis: the axis along which y adds up to 1; several axes as a tuple, None for all.

    >>> softmax(np.array([1e4, 1e4])).tolist()
    [0.5, 0.5]
    """
    x = floating(x)
    e = np.exp(np.subtract(x, _largest(x, axis, out), out), out)
    return np.divide(e, np.add.reduce(e, axis=axis, keepdims=True), out=out)


@op(
    symbol="log softmax",
    vjp=(in_float32(lambda g, y, x, *, axis: g - np.exp(y) * np.add.reduce(g, axis=axis, keepdims=True)),),
    presence=along_axis,
    takes_out=True,
    examples=_AXES,
)
@in_float32
def log_softmax(x: Array, axis: Axis = -1, *, out: Out = None) -> Array:
    """yᵢ = xᵢ − ln Σⱼ exp xⱼ, the logarithm of softmax. It stays finite where softmax itself is rounded to 0.

    x: any shape; y has the same.
    axis: the axis along which exp y adds up to 1; several axes as a tuple, None for all.

    >>> log_softmax(np.array([0.0, 1e4])).tolist()
    [-10000.0, 0.0]
    """
    x = floating(x)
    largest = _largest(x, axis, out)
    z = np.subtract(x, largest, out)
    total = np.add.reduce(np.exp(z, out), axis=axis, keepdims=True)
    if out is not None:  # where the exponentials are now
        np.subtract(x, largest, out)
    return np.subtract(z, np.log(total), out)


# ---------------------------------------------------------------------------------------------------
# Log-sum-exp of an axis


@in_float32
def _by_logsumexp(g: Any, y: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    """∂L/∂y·exp(x − y), scaled to add up to ∂L/∂y although y was rounded. Where all x are −∞ it is 0, not NaN."""
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
def logsumexp(x: Array, axis: Axis = None, *, keepdims: bool = False, out: Out = None, scratch: Out = None) -> Array:
    """y = log Σ eˣ: a smooth maximum. Its gradient is the softmax of x.

    It is computed as m + log Σ eˣ⁻ᵐ with m = max x, whose exponentials are at most 1: the plain formula overflows in
    float32 for x > 88. −∞ counts as an absent element; if all are −∞, so is y.

    x: any shape.
    axis: the axis along which the exponentials are added up; several axes as a tuple, None for all.
    keepdims: whether y keeps these axes, of length 1.

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
    """m + log Σ eˣ⁻ᵐ. Here log 0 = −∞ is the right answer, as is e¹⁰⁰⁰ beside +∞."""
    e = np.exp(np.subtract(x, m, scratch), scratch)
    return np.log(np.add.reduce(e, axis=axis, keepdims=True)) + m


ANSWERS[np.logaddexp, "reduce"] = Call((np.logaddexp, "reduce"), logsumexp)  # over the first axis, unless told

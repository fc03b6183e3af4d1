"""Activations of neural networks, as ops where one rule is stabler or faster than a composition.

All are finite, forward and backward, for inputs as large as ±10⁴ in float32. Where PyTorch takes `inplace=`, it is
accepted, and changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import at, example, nonzero
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.recording import quietly
from tinygrad_edu.ops.parts import INFINITY, ONE, SHAPES, ZERO, gate
from tinygrad_edu.ops.types import floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out


@op(
    symbol="sigmoid",
    vjp=(lambda g, y, x: g * y * (1 - y),),
    presence="elementwise",
    takes_out=True,
    analytic=True,
    examples=SHAPES,
)
def sigmoid(x: Array, *, out: Out = None) -> Array:
    """y = 1 / (1 + e⁻ˣ), the logistic function, which rises from 0 to 1.

    >>> sigmoid(np.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    return quietly(_sigmoid, floating(x), out)  # e⁻ˣ = ∞ gives the right limit, 0


def _sigmoid(x: Any, out: Any) -> Any:
    if out is None:
        return np.reciprocal(ONE[x.dtype] + np.exp(-x))
    np.exp(np.negative(x, out=out), out=out)
    return np.reciprocal(np.add(ONE[x.dtype], out, out=out), out=out)


# ---------------------------------------------------------------------------------------------------
# Rectifiers

LEAST_CLIPPED = 1 << 11
"""The numbers from which `clip`, which takes several at a time, is faster than `np.maximum` of an array and a number, which
takes one: three times in large arrays, but it begins later."""


@op(
    symbol="ReLU",
    vjp=(lambda g, y, x: gate(g, y > 0),),  # y > 0 where x > 0, and then no one needs x any more
    presence="rectifies",
    formulas=[lambda g, y, x: gate(g, x > 0)],
    ignores=("inplace",),
    takes_out=True,
    domain=nonzero,
    examples=SHAPES,
    special=[at(0.0, gradient=0.0)],
)
def relu(x: Array, *, out: Out = None) -> Array:
    """y = max(x, 0), the rectifier. Its derivative is 1 for x > 0, else 0.

    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    if x.__class__ is np.ndarray and x.size >= LEAST_CLIPPED and x.dtype.char in "fd":
        return x.clip(ZERO[x.dtype], INFINITY[x.dtype], out)
    return np.maximum(x, ZERO[x.dtype] if hasattr(x, "dtype") else 0, out=out)


@op(
    symbol="leaky ReLU",
    vjp=(lambda g, y, x, *, negative_slope: np.where(x > 0, g, g * negative_slope),),
    presence="rectifies",
    ignores=("inplace",),
    takes_out=True,
    domain=nonzero,
    examples=[*SHAPES, *[example((3,), slope) for slope in (0.2, 0.0, 1.5, -0.5)]],
    special=[at(0.0, gradient=0.01, negative_slope=0.01)],
)
def leaky_relu(x: Array, negative_slope: float = 0.01, *, out: Out = None) -> Array:
    """y = x for x > 0, else s·x: a rectifier that still learns where its input is negative.

    x: any shape; y has the same.
    negative_slope: s, the slope for x < 0.

    >>> leaky_relu(np.array([-1.0, 2.0])).tolist()
    [-0.01, 2.0]

    Source: Maas, Hannun and Ng, *Rectifier nonlinearities improve neural network acoustic models* (2013).
    """
    if negative_slope == 0:  # ∞·0 would be NaN
        return relu.forward(x, out=out)
    straight = np.maximum if negative_slope < 1 else np.minimum  # which of x and a·x is the one for each sign
    return straight(x, np.multiply(x, negative_slope, out=out), out=out)


@op(
    symbol="ELU",
    vjp=(lambda g, y, x, *, alpha: np.where(x > 0, g, g * (y + alpha)),),
    presence="elementwise",
    ignores=("inplace",),
    takes_out=True,
    domain=nonzero,
    examples=[*SHAPES, example((3,), 0.5), example((3,), 2.0), example((3,), -1.0)],
    special=[at(0.0, gradient=1.0, alpha=1.0)],
)
def elu(x: Array, alpha: float = 1.0, *, out: Out = None) -> Array:
    """y = x for x > 0, else α(eˣ − 1): it goes smoothly to −α, so that the mean of y is nearer to 0 than a ReLU's.

    x: any shape; y has the same.
    alpha: α.

    >>> elu(np.array([-1e4, 2.0]))
    array([-1.,  2.])

    Source: Clevert, Unterthiner and Hochreiter, *Fast and accurate deep network learning by ELUs* (2016).
    """
    x = floating(x)
    y = np.multiply(np.expm1(np.minimum(x, 0, out=out), out=out), alpha, out=out)
    if alpha <= 1:  # then α(eˣ − 1) is not below x < 0
        return np.maximum(x, y, out=out)
    if out is None:
        return np.where(x > 0, x, y)
    np.copyto(out, x, where=x > 0)
    return out


# ---------------------------------------------------------------------------------------------------
# Smooth gates: x times a function that rises from 0 to 1


def _silu_rule(g: Any, y: Any, x: Any) -> Any:
    """∂L/∂x = ∂L/∂y·(s + y·(1 − s)), with s = sigmoid x."""
    s = sigmoid(x)
    return g * (s + y * (1 - s))


@op(
    symbol="SiLU",
    vjp=(_silu_rule,),
    analytic=True,
    presence="elementwise",
    ignores=("inplace",),
    takes_out=True,
    examples=SHAPES,
)
def silu(x: Array, *, out: Out = None) -> Array:
    """y = x·σ(x), also called swish: x times a gate that opens as x grows.

    >>> silu(np.array([-1e4, 0.0, 1e4])).tolist()
    [-0.0, 0.0, 10000.0]

    Source: Hendrycks and Gimpel, *Gaussian error linear units* (2016).
    """
    return np.multiply(x, sigmoid.forward(x, out=out), out=out)

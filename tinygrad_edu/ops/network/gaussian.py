"""The Gaussian error linear unit: x times the probability that a standard normal number is below it.

Source: Hendrycks and Gimpel, *Gaussian error linear units* (2016).
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.recording import quietly
from tinygrad_edu.ops.network.activations import sigmoid
from tinygrad_edu.ops.parts import SHAPES
from tinygrad_edu.ops.types import floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out

DENSITY = math.sqrt(0.5 / math.pi)
"""φ(0), where φ(x) = exp(−x²/2) / √2π is the density of the standard normal distribution, and the slope of Φ."""

_NO_TAIL = 40.0  # Φ(−40) is 0 in float64


@functools.cache
def _tail_polynomial(degree: int) -> list[float]:
    """q(s) / (1 − s), where q = exp(z²/2)·Φ(−z) and s = z / (4 + z), interpolated for z ≤ 36: its coefficients."""
    from fractions import Fraction  # here, so that importing the engine loads neither

    from numpy.polynomial import Chebyshev, Polynomial

    def ratio(s: float) -> float:
        w = 4 * s / (1 - s) / math.sqrt(2)
        rounding = float(Fraction(w) ** 2 - Fraction(w * w))  # exp(w²) would magnify it
        return math.exp(w * w) * (1 + rounding) * math.erfc(w) / 2 / (1 - s)

    interpolation = Chebyshev.interpolate(np.vectorize(ratio), degree, domain=[0, 0.9])
    return interpolation.convert(kind=Polynomial, domain=[-1, 1]).coef.tolist()


@op(
    symbol="Φ",
    vjp=(lambda g, y, x: g * (np.exp(x * x * -0.5) * DENSITY),),
    presence="elementwise",
    takes_out=True,
    examples=[*SHAPES, example((20,))],
)
def normal_cdf(x: Array, *, out: Out = None, scratch: Out = None) -> Array:
    """y = Φ(x) = ∫₋∞ˣ exp(−t²/2) dt / √2π = (1 + erf(x/√2)) / 2: the probability that a standard normal number is below
    x.

    In float64 it is right to 10⁻¹⁴ of its value, also in the lower tail, where 1 + erf(x/√2) would lose every digit:
    Φ(−z) = q·exp(−z²/2), and q is smooth enough for a polynomial in z / (4 + z). (NumPy has no erf.)

    >>> normal_cdf(np.array([-10.0, 0.0, 1.96])).tolist()
    [7.619853024160...e-24, 0.5, 0.975002104851...]

    Source: Schonfelder, *Chebyshev expansions for the error and related functions*, Math. Comp. 32 (1978).
    """
    x = floating(x)
    y = np.empty(x.shape, x.dtype) if out is None else out
    s = np.empty_like(y) if scratch is None else scratch
    coefficients = _tail_polynomial(18 if y.dtype.itemsize > 4 else 9)
    np.minimum(np.absolute(x, s), _NO_TAIL, out=s)  # z
    np.divide(s, np.add(s, 4, y), s)
    np.multiply(s, coefficients[-1], y)
    for c in coefficients[-2:0:-1]:
        y += c
        y *= s
    y += coefficients[0]
    y *= np.subtract(1, s, s)
    np.minimum(np.absolute(x, s), _NO_TAIL, out=s)
    y *= np.exp(np.multiply(np.square(s, s), -0.5, s), s)
    np.subtract(np.greater(x, 0, s), y, y)  # −Φ(−z), or 1 − Φ(−z)
    return np.absolute(y, y)


# ---------------------------------------------------------------------------------------------------
# In single precision, and a part at a time

PART = 1 << 15
"""So many numbers are computed with at a time: the processor's cache holds them beside what they become."""

_LOGIT = (1.595769882924182, 0.07266616913017902, -6.51899286190071e-05, -0.00011061239820197375,
          7.929491063271341e-06, -2.645268771565761e-07, 3.512347589047669e-09)  # fmt: skip
"""The polynomial p of the smallest largest error among those of its degree, for 1 / (1 + exp(−x·p(x²))) instead of Φ(x):
3·10⁻⁸, which is half a step of float32 at 1."""


def _single_cdf(x: Any, y: Any, s: Any) -> None:
    """y = Φ(x) of float32 numbers, in a third of the steps of `normal_cdf`; s is there to compute in.

    It is as right as (1 + erf(x/√2)) / 2 would be: in the lower tail to 3·10⁻⁸, not to the last digits.
    """
    np.minimum(np.square(x, out=s), _NO_TAIL, out=s)
    np.multiply(s, -_LOGIT[-1], out=y)
    for c in _LOGIT[-2:0:-1]:
        y -= c
        y *= s
    y -= _LOGIT[0]
    y *= x
    np.exp(y, out=y)
    y += 1
    np.reciprocal(y, out=y)


def _cdf(x: Any, y: Any, s: Any) -> None:
    """y = Φ(x), to the precision of the type."""
    if y.dtype.char == "f":
        _single_cdf(x, y, s)
    else:
        normal_cdf.forward(x, out=y, scratch=s)


def _times_cdf(x: Any, y: Any, s: Any) -> None:
    """y = x·Φ(x)."""
    _cdf(x, y, s)
    y *= x


def _slope(x: Any, y: Any, s: Any) -> None:
    """y = Φ(x) + x·φ(x)."""
    _cdf(x, y, s)
    np.exp(np.multiply(np.square(x, out=s), -0.5, out=s), out=s)
    s *= DENSITY
    s *= x
    y += s


def _by_parts(compute: Any, x: Any, out: Any, scratch: Any) -> Any:
    """What `compute(x, y, s)` sets y to, a part after the other where the arrays are long and have no gaps."""
    x = floating(x)
    y = np.empty(x.shape, x.dtype) if out is None else out
    s = np.empty_like(y) if scratch is None else scratch
    if x.size <= PART or not all(array.flags.c_contiguous for array in (x, y, s)):
        quietly(compute, x, y, s)  # exp(−x) = ∞ gives the right limit
        return y
    rows = [array.reshape(-1) for array in (x, y, s)]
    for i in range(0, x.size, PART):
        quietly(compute, *[row[i : i + PART] for row in rows])
    return y


# ---------------------------------------------------------------------------------------------------
# The unit


@op(
    symbol="GELU′",
    vjp=(lambda g, y, x: g * (np.exp(x * x * -0.5) * DENSITY * (2 - x * x)),),
    presence="elementwise",
    takes_out=True,
    examples=[*SHAPES, example((20,))],
)
def gelu_slope(x: Array, *, out: Out = None, scratch: Out = None) -> Array:
    """y = Φ(x) + x·φ(x), the slope of x·Φ(x), where φ(x) = exp(−x²/2) / √2π.

    >>> gelu_slope(np.array([-1e4, 0.0, 1e4])).tolist()
    [0.0, 0.5, 1.0]
    """
    return _by_parts(_slope, x, out, scratch)


_GELU, _GELU_CUBE = math.sqrt(8 / math.pi), 0.044715  # of the approximation by tanh


def _gelu_argument(x: Any) -> Any:
    """2u of (1 + tanh u) / 2 = sigmoid 2u, where u = √(2/π)·(x + 0.044715 x³)."""
    return x * (1 + x * x * _GELU_CUBE) * _GELU


def _gelu_settings(x: Array, approximate: str = "none") -> tuple[tuple[Any, ...], dict[str, Any]]:
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu(approximate={approximate!r}): write 'none' for x·Φ(x), or 'tanh' for its approximation")
    return (x,), {"approximate": approximate}


def _gelu_rule(g: Any, y: Any, x: Any, *, approximate: str) -> Any:
    """∂L/∂x = ∂L/∂y·(Φ(x) + x·φ(x)), or the same of the approximation."""
    if approximate == "none":
        return g * gelu_slope(x)
    s = sigmoid(_gelu_argument(x))
    return g * (s + y * (1 - s) * (_GELU * (1 + x * x * (3 * _GELU_CUBE))))


def _plainly(g: Any, y: Any, x: Any, *, approximate: str) -> Any:
    """The rule of GELU as formulas print it, in functions that have names there: see `_gelu_rule`, which computes it."""
    if approximate == "none":
        return g * (normal_cdf(x) + x * (np.exp(x * x * -0.5) * DENSITY))
    return _gelu_rule(g, y, x, approximate=approximate)


@op(
    symbol="GELU",
    vjp=(_gelu_rule,),
    presence="elementwise",
    bind=_gelu_settings,
    takes_out=True,
    formulas=[_plainly],
    examples=[*SHAPES, example((3,), "tanh"), example((2, 3), approximate="tanh")],
)
def gelu(x: Array, approximate: str = "none", *, out: Out = None, scratch: Out = None) -> Array:
    """y = x·Φ(x), where Φ(x) is the probability that a standard normal number is below x.

    x: any shape; y has the same.
    approximate: "none", or "tanh" for y = x·(1 + tanh u) / 2, where u = √(2/π)·(x + 0.044715 x³).

    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(4).tolist()
    [-0.1587, 0.0, 0.8413]

    Raises ValueError for another approximation.

    Source: Hendrycks and Gimpel, *Gaussian error linear units* (2016).
    """
    if approximate == "none":
        return _by_parts(_times_cdf, x, out, scratch)
    if out is None:
        return x * sigmoid.forward(_gelu_argument(x))
    u = np.multiply(np.add(np.multiply(np.multiply(x, x, out), _GELU_CUBE, out), 1, out), x, out)
    return np.multiply(x, sigmoid.forward(np.multiply(u, _GELU, out), out=out), out)

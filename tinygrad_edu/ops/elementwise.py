"""Exponentials, logarithms, trigonometry: each rule is a line of a table of derivatives.

`g` is ∂L/∂y, the derivative that arrives; a rule returns ∂L/∂x = ∂L/∂y · ∂y/∂x.

Source: Abramowitz & Stegun, *Handbook of Mathematical Functions* (1964), chapters 4 and 6.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_edu.engine.example import at, example, interval, nonzero, unit
from tinygrad_edu.engine.example import positive as above_zero
from tinygrad_edu.engine.op import op
from tinygrad_edu.ops.agreed import over, times_over
from tinygrad_edu.ops.parts import SHAPES, binary, unary, zero
from tinygrad_edu.ops.precision import in_float32

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array

LN2, LN10 = math.log(2), math.log(10)


# ---------------------------------------------------------------------------------------------------
# Exponentials and logarithms

exp = unary(np.exp, "exp", lambda g, y, x: g * y, "y = eˣ.")
exp2 = unary(np.exp2, "exp2", lambda g, y, x: g * y * LN2, "y = 2ˣ.")
expm1 = unary(np.expm1, "expm1", lambda g, y, x: g * np.exp(x), "y = eˣ − 1, exact for small x.")
log = unary(np.log, "log", lambda g, y, x: g / x, "y = ln x.", domain=above_zero)
log2 = unary(np.log2, "log2", lambda g, y, x: g / (x * LN2), "y = log₂ x.", domain=above_zero)
log10 = unary(np.log10, "log10", lambda g, y, x: g / (x * LN10), "y = log₁₀ x.", domain=above_zero)
log1p = unary(np.log1p, "log1p", lambda g, y, x: g / (1 + x), "y = ln(1 + x), exact for small x.", domain=above_zero)


# ---------------------------------------------------------------------------------------------------
# Trigonometry

sin = unary(np.sin, "sin", lambda g, y, x: g * np.cos(x), "y = sin x.")
cos = unary(np.cos, "cos", lambda g, y, x: -g * np.sin(x), "y = cos x.")
tan = unary(np.tan, "tan", lambda g, y, x: g * (1 + y * y), "y = tan x.", domain=unit)
arcsin = unary(np.arcsin, "arcsin", lambda g, y, x: g / np.sqrt(1 - x * x), "sin y = x, |y| ≤ π/2.", domain=unit)
arccos = unary(np.arccos, "arccos", lambda g, y, x: -g / np.sqrt(1 - x * x), "cos y = x, 0 ≤ y ≤ π.", domain=unit)
arctan = unary(np.arctan, "arctan", lambda g, y, x: g / (1 + x * x), "tan y = x, |y| < π/2.")
sinh = unary(np.sinh, "sinh", lambda g, y, x: g * np.cosh(x), "y = (eˣ − e⁻ˣ) / 2.")
cosh = unary(np.cosh, "cosh", lambda g, y, x: g * np.sinh(x), "y = (eˣ + e⁻ˣ) / 2.")
tanh = unary(np.tanh, "tanh", lambda g, y, x: g * (1 - y * y), "y = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ), which rises from −1 to 1.")
arcsinh = unary(np.arcsinh, "arcsinh", lambda g, y, x: g / np.sqrt(x * x + 1), "sinh y = x.")
arccosh = unary(
    np.arccosh, "arccosh", lambda g, y, x: g / np.sqrt(x * x - 1), "cosh y = x, y ≥ 0.", domain=interval(1.2, 3.0)
)
arctanh = unary(np.arctanh, "arctanh", lambda g, y, x: g / (1 - x * x), "tanh y = x.", domain=unit)
deg2rad = unary(
    np.deg2rad, "deg2rad", lambda g, y, x: g * (math.pi / 180), "y = π x / 180: degrees to radians.",
    presence="linear", analytic=False, answers=(np.deg2rad, np.radians),
)  # fmt: skip
rad2deg = unary(
    np.rad2deg, "rad2deg", lambda g, y, x: g * (180 / math.pi), "y = 180 x / π: radians to degrees.",
    presence="linear", analytic=False, answers=(np.rad2deg, np.degrees),
)  # fmt: skip


hypot = binary(
    np.hypot, "hypot", lambda g, y, a, b: times_over(g, a, y), lambda g, y, a, b: times_over(g, b, y),
    "y = √(a² + b²), without overflow. Its derivatives at (0, 0) are 0.",
    formulas=(lambda g, y, a, b: g * a / y, lambda g, y, a, b: g * b / y),
    domain=nonzero, special=[at(0.0, 0.0, gradient=(0.0, 0.0))],
)  # fmt: skip
arctan2 = binary(
    np.arctan2, "arctan2",
    lambda g, y, a, b: g * over(over(b, r := np.hypot(a, b)), r),
    lambda g, y, a, b: -g * over(over(a, r := np.hypot(a, b)), r),
    "y = the angle of the point (b, a), −π ≤ y ≤ π: tan y = a / b. Its derivatives at (0, 0) are 0.",
    formulas=(lambda g, y, a, b: g * b / (a**2 + b**2), lambda g, y, a, b: -g * a / (a**2 + b**2)),
    domain=nonzero, special=[at(0.0, 0.0, gradient=(0.0, 0.0))],
)  # fmt: skip


@op(
    symbol="sinc",
    vjp=(lambda g, y, x: g * sinc_derivative(x, 1),),  # type: ignore[has-type]  # it follows
    presence="elementwise",
    answers=(np.sinc,),
    may_raise=False,
    formulas=[lambda g, y, x: g * (np.cos(math.pi * x) - y) / x],
    examples=SHAPES,
    special=[at(0.0, gradient=0.0)],
)
def sinc(x: Array) -> Array:
    """y = sin(πx) / (πx), and 1 at 0.

    >>> sinc(np.array([0.0, 0.5])).round(4)
    array([1.    , 0.6366])
    """
    return np.sinc(x)


@op(
    symbol=lambda order: f"sinc⁽{order}⁾",
    vjp=(lambda g, y, x, *, order: g * sinc_derivative(x, order + 1),),  # type: ignore[has-type]  # it follows
    presence="elementwise",
    may_raise=False,
    examples=[example((3,), 1), example((2, 3), 2), example((), 3)],
    special=[at(0.0, gradient=math.pi**2 * -(1 / 3), order=1), at(0.0, gradient=0.0, order=2)],
)
@in_float32
def sinc_derivative(x: Array, order: int) -> Array:
    """y = dⁿ/dxⁿ sinc x: (cos πx − sinc x) / x and so on would lose all digits near 0.

    With z = πx and f = sin z / z: away from 0, z f⁽ⁿ⁾ = sin⁽ⁿ⁾ z − n f⁽ⁿ⁻¹⁾, which follows from z f = sin z; near 0, the
    power series f⁽ⁿ⁾ = Σ (−1)ᵏ zᵐ / ((m + n + 1) m!) over m = 2k − n ≥ 0.

    >>> sinc_derivative(np.array([0.0, 1e-9]), 2).round(4)
    array([-3.2899, -3.2899])
    """
    z = x * math.pi
    near = np.abs(z) < order + 1
    far, close = np.where(near, 1, z), np.where(near, z, 0)
    sines = (np.sin(far), np.cos(far), -np.sin(far), -np.cos(far))
    away = sines[0] / far
    for n in range(1, order + 1):
        away = (sines[n % 4] - n * away) / far
    series = zero(close)
    for m in reversed(range(order % 2, 3 * order + 24, 2)):
        series = series * close * close + (-1) ** ((m + order) // 2) / ((m + order + 1) * math.factorial(m))
    return np.where(near, series * close if order % 2 else series, away) * math.pi**order

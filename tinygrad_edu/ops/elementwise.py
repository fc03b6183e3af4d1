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

exp = unary(
    np.exp, "exp", lambda g, y, x: g * y,
    "y = eˣ, which is its own derivative: dy/dx = y. Above x ≈ 709.78 (float32: 88.72) y is ∞.",
    "[0.0, 1.0] → [1.0, 2.7183]",
)  # fmt: skip
exp2 = unary(
    np.exp2, "exp2", lambda g, y, x: g * y * LN2,
    "y = 2ˣ, whose derivative is y·ln 2. From x = 1024 on (float32: 128) y is ∞.", "[0.0, 3.0] → [1.0, 8.0]",
)  # fmt: skip
expm1 = unary(
    np.expm1, "expm1", lambda g, y, x: g * np.exp(x),
    "y = eˣ − 1, exact for small x, where eˣ is rounded before 1 is taken away. Its derivative is eˣ.",
    "[0.0, 1.0] → [0.0, 1.7183]",
)  # fmt: skip
log = unary(
    np.log, "log", lambda g, y, x: g / x, "y = ln x, whose derivative is 1/x. At 0 y is −∞, below NaN.",
    "[1.0, 2.0] → [0.0, 0.6931]", domain=above_zero,
)  # fmt: skip
log2 = unary(
    np.log2, "log2", lambda g, y, x: g / (x * LN2),
    "y = log₂ x, whose derivative is 1/(x·ln 2). At 0 y is −∞, below NaN.", "[1.0, 8.0] → [0.0, 3.0]",
    domain=above_zero,
)  # fmt: skip
log10 = unary(
    np.log10, "log10", lambda g, y, x: g / (x * LN10),
    "y = log₁₀ x, whose derivative is 1/(x·ln 10). At 0 y is −∞, below NaN.", "[1.0, 1000.0] → [0.0, 3.0]",
    domain=above_zero,
)  # fmt: skip
log1p = unary(
    np.log1p, "log1p", lambda g, y, x: g / (1 + x),
    "y = ln(1 + x), exact for small x. Its derivative is 1/(1 + x). At −1 y is −∞, below NaN.",
    "[0.0, 1.0] → [0.0, 0.6931]", domain=above_zero,
)  # fmt: skip


# ---------------------------------------------------------------------------------------------------
# Trigonometry

sin = unary(
    np.sin, "sin", lambda g, y, x: g * np.cos(x), "y = sin x, of radians. Its derivative is cos x. At ±∞ y is NaN.",
    "[0.0, 1.0] → [0.0, 0.8415]",
)  # fmt: skip
cos = unary(
    np.cos, "cos", lambda g, y, x: -g * np.sin(x), "y = cos x, of radians. Its derivative is −sin x. At ±∞ y is NaN.",
    "[0.0, 1.0] → [1.0, 0.5403]",
)  # fmt: skip
tan = unary(
    np.tan, "tan", lambda g, y, x: g * (1 + y * y),
    "y = tan x = sin x / cos x, of radians. Its derivative is 1 + y². At odd multiples of π/2 it has poles.",
    "[0.0, 1.0] → [0.0, 1.5574]", domain=unit,
)  # fmt: skip
arcsin = unary(
    np.arcsin, "arcsin", lambda g, y, x: g / np.sqrt(1 - x * x),
    "sin y = x, |y| ≤ π/2. Its derivative is 1/√(1 − x²), at ±1 ∞. Beyond ±1 y is NaN.", "[0.0, 1.0] → [0.0, 1.5708]",
    domain=unit,
)  # fmt: skip
arccos = unary(
    np.arccos, "arccos", lambda g, y, x: -g / np.sqrt(1 - x * x),
    "cos y = x, 0 ≤ y ≤ π. Its derivative is −1/√(1 − x²), at ±1 −∞. Beyond ±1 y is NaN.",
    "[0.0, 1.0] → [1.5708, 0.0]", domain=unit,
)  # fmt: skip
arctan = unary(
    np.arctan, "arctan", lambda g, y, x: g / (1 + x * x),
    "tan y = x, |y| < π/2. Its derivative is 1/(1 + x²). At ±∞ y is ±π/2.", "[0.0, 1.0] → [0.0, 0.7854]",
)  # fmt: skip
sinh = unary(
    np.sinh, "sinh", lambda g, y, x: g * np.cosh(x),
    "y = (eˣ − e⁻ˣ) / 2. Its derivative is cosh x. Beyond x ≈ ±710.48 (float32: ±89.42) y is ±∞.",
    "[0.0, 1.0] → [0.0, 1.1752]",
)  # fmt: skip
cosh = unary(
    np.cosh, "cosh", lambda g, y, x: g * np.sinh(x),
    "y = (eˣ + e⁻ˣ) / 2. Its derivative is sinh x. Beyond x ≈ ±710.48 (float32: ±89.42) y is ∞.",
    "[0.0, 1.0] → [1.0, 1.5431]",
)  # fmt: skip
tanh = unary(
    np.tanh, "tanh", lambda g, y, x: g * (1 - y * y),
    "y = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ), which rises from −1 to 1. Its derivative is 1 − y², near 0 where |x| is large.",
    "[0.0, 1.0] → [0.0, 0.7616]",
)  # fmt: skip
arcsinh = unary(
    np.arcsinh, "arcsinh", lambda g, y, x: g / np.sqrt(x * x + 1),
    "sinh y = x, so y = ln(x + √(x² + 1)). Its derivative is 1/√(x² + 1).", "[0.0, 1.0] → [0.0, 0.8814]",
)  # fmt: skip
arccosh = unary(
    np.arccosh, "arccosh", lambda g, y, x: g / np.sqrt(x * x - 1),
    "cosh y = x, y ≥ 0, so y = ln(x + √(x² − 1)). Its derivative is 1/√(x² − 1), at 1 ∞. Below 1 y is NaN.",
    "[1.0, 2.0] → [0.0, 1.317]", domain=interval(1.2, 3.0),
)  # fmt: skip
arctanh = unary(
    np.arctanh, "arctanh", lambda g, y, x: g / (1 - x * x),
    "tanh y = x, so y = ½ ln((1 + x) / (1 − x)). Its derivative is 1/(1 − x²). At ±1 y is ±∞, beyond NaN.",
    "[0.0, 0.5] → [0.0, 0.5493]", domain=unit,
)  # fmt: skip
deg2rad = unary(
    np.deg2rad, "deg2rad", lambda g, y, x: g * (math.pi / 180),
    "y = π x / 180: degrees to radians. Its derivative is π / 180.",
    "[0.0, 180.0] → [0.0, 3.1416]",
    presence="linear", analytic=False, answers=(np.deg2rad, np.radians),
)  # fmt: skip
rad2deg = unary(
    np.rad2deg, "rad2deg", lambda g, y, x: g * (180 / math.pi),
    "y = 180 x / π: radians to degrees. Its derivative is 180 / π.",
    "[0.0, 1.0] → [0.0, 57.2958]",
    presence="linear", analytic=False, answers=(np.rad2deg, np.degrees),
)  # fmt: skip


hypot = binary(
    np.hypot, "hypot", lambda g, y, a, b: times_over(g, a, y), lambda g, y, a, b: times_over(g, b, y),
    "y = √(a² + b²), without overflow. Its derivatives are a/y and b/y, at (0, 0) 0. "
    "Beside ±∞, NaN too gives ∞.",
    "[3.0, 5.0], [4.0, 12.0] → [5.0, 13.0]",
    formulas=(lambda g, y, a, b: g * a / y, lambda g, y, a, b: g * b / y),
    domain=nonzero, special=[at(0.0, 0.0, gradient=(0.0, 0.0))],
)  # fmt: skip
arctan2 = binary(
    np.arctan2, "arctan2",
    lambda g, y, a, b: g * over(over(b, r := np.hypot(a, b)), r),
    lambda g, y, a, b: -g * over(over(a, r := np.hypot(a, b)), r),
    "y = the angle of the point (b, a), −π ≤ y ≤ π: tan y = a / b. "
    "Its derivatives are b/(a² + b²) and −a/(a² + b²), at (0, 0) 0.",
    "1.0, [1.0, -1.0] → [0.7854, 2.3562]",
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
    """y = sin(πx) / (πx), and 1 at 0, which is the limit. Its derivative is (cos πx − y) / x, at 0 it is 0.

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

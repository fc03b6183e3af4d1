"""Elementwise functions of one, two or three arguments: each rule is a line of a table of derivatives.

`g` is ∂L/∂y, the derivative that arrives; a rule returns ∂L/∂x = ∂L/∂y · ∂y/∂x. Inputs are broadcast together, and
the engine sums the gradients back.

Source: Abramowitz & Stegun, *Handbook of Mathematical Functions* (1964), chapters 4 and 6.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from tinygrad_edu.engine.example import Fixed, at, example, interval, nonzero, real, unit
from tinygrad_edu.engine.example import positive as above_zero
from tinygrad_edu.engine.op import NUMBERS, Op, Rule, composite, declare, op, ufunc
from tinygrad_edu.engine.recording import quietly
from tinygrad_edu.engine.registry import NO_SETTINGS, UFUNCS
from tinygrad_edu.ops.agreed import agreed, over, times_over
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.shaping import array, floating

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

LN2, LN10 = math.log(2), math.log(10)

SHAPES = (example((3,)), example((2, 3)), example(()))
PAIRS = (example((3,), (3,)), example((2, 3), (3,)), example((2, 1), (4,)), example((), (2,)), example((3,), 2.0))


def unary(function: Any, symbol: str, rule: Rule, doc: str, **declaration: Any) -> Op:
    """A function of one number; analytic unless it says otherwise."""
    usual = {"presence": "elementwise", "analytic": True, "examples": SHAPES}
    return ufunc(function, symbol, (rule,), doc, **{**usual, **declaration})


def binary(function: Any, symbol: str, by_a: Rule, by_b: Rule, doc: str, **declaration: Any) -> Op:
    """A function of two numbers, with its rule for each."""
    return ufunc(function, symbol, (by_a, by_b), doc, **{"presence": "elementwise", "examples": PAIRS, **declaration})


class _Constants(dict[Any, Any]):
    """A number as an array of no dimension, by dtype: beside an array it costs half of what a Python number does."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __missing__(self, dtype: Any) -> Any:
        constant = self[dtype] = np.full((), self._number, dtype)
        return constant


ZERO = _Constants(0)
ONE = _Constants(1)


# ---------------------------------------------------------------------------------------------------
# Two functions that rules are made of


@op(
    symbol="0",
    vjp=(lambda g, y, x: zero(g),),  # type: ignore[has-type]  # it follows
    presence="selects",
    takes_out=True,
    examples=SHAPES,
)
def zero(x: Any, *, out: Any = None) -> Any:
    """y = 0, whatever x, also for ∞ and NaN: what a step makes of a gradient.

    >>> zero(numpy.array([1.0, numpy.inf]))
    array([0., 0.])
    """
    if out is None:
        return np.zeros_like(x)
    out.fill(0)
    return out


BITS = {np.dtype(bool): np.dtype(bool), **{np.dtype(f"f{n}"): np.dtype(f"i{n}") for n in (2, 4, 8)}}


@op(
    symbol="gate",
    vjp=(lambda g, y, a, mask: gate(g, mask), None),  # type: ignore[has-type]  # it follows
    presence="selects",
    broadcasts=True,
    takes_out=True,
    domain=real,
    examples=[
        example((3,), Fixed(np.array([True, False, True]))),
        example((2, 3), Fixed(np.array([True, False, True]))),
        example((), Fixed(np.array([True, False]))),
        example((3,), Fixed(np.array([[True], [False]]))),
        example((), Fixed(np.array(False))),
        example((2, 80), Fixed(np.arange(80) % 3 == 0)),
    ],
)
def gate(a: Any, mask: Any, *, out: Any = None) -> Any:
    """y = a where the mask is true, else 0, also for ∞ and NaN: what ReLU lets through of a gradient.

    >>> gate(numpy.array([numpy.inf, 2.0, 3.0]), numpy.array([False, False, True]))
    array([0., 0., 3.])
    """
    if mask.dtype.kind != "b":
        mask = mask != 0
    if out is not None and out.size <= 128:
        out.fill(0)
        np.copyto(out, a, where=mask)
        return out
    bits = BITS.get(a.dtype)
    if bits is None:
        y = np.where(mask, a, ZERO[a.dtype])
        if out is None:
            return y
        np.copyto(out, y)
        return out
    # the bits of a, read as an integer, times 0 or 1: it selects as np.where does, in a sixth of the time
    if out is None:
        return (a.view(bits) * mask).view(a.dtype)
    np.multiply(a.view(bits), mask, out.view(bits))
    return out


# ---------------------------------------------------------------------------------------------------
# Arithmetic

add = binary(np.add, "+", lambda g, y, a, b: g, lambda g, y, a, b: g, "y = a + b.", presence="linear", analytic=True)
subtract = binary(
    np.subtract, "−", lambda g, y, a, b: g, lambda g, y, a, b: -g, "y = a − b.", presence="linear", analytic=True
)
multiply = binary(np.multiply, "×", lambda g, y, a, b: g * b, lambda g, y, a, b: g * a, "y = a·b.", analytic=True)
divide = binary(
    np.divide, "/", lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b, "y = a / b.",
    analytic=True, domain=(real, nonzero),
)  # fmt: skip
negative = unary(np.negative, "−", lambda g, y, x: -g, "y = −x.", presence="linear")
positive = unary(np.positive, "+", lambda g, y, x: g, "y = +x, a copy.", presence="linear")
reciprocal = unary(np.reciprocal, "/", lambda g, y, x: -g * y * y, "y = 1 / x.", domain=nonzero)
square = unary(np.square, "^2", lambda g, y, x: g * 2 * x, "y = x².")
sqrt = unary(
    np.sqrt, "√", lambda g, y, x: g / (2 * y), "y = √x. Its derivative at 0 is ∞.",
    domain=above_zero, special=[at(0.0, gradient=math.inf)],
)  # fmt: skip
cbrt = unary(
    np.cbrt, "∛", lambda g, y, x: g / (3 * y * y), "y = ∛x, of negative numbers too. Its derivative at 0 is ∞.",
    domain=nonzero, analytic=False, special=[at(0.0, gradient=math.inf)],
)  # fmt: skip


@op(
    symbol="√",
    vjp=(lambda g, y, x: times_over(g, 1, y) / 2,),
    presence="elementwise",
    formulas=[lambda g, y, x: g / (2 * y)],
    takes_out=True,
    domain=above_zero,
    examples=SHAPES,
    special=[at(0.0, gradient=0.0)],
)
def root(x: Any, *, out: Any = None) -> Any:
    """y = √x, whose derivative at 0 is agreed to be 0: of a standard deviation, say, √Σ d².

    >>> root(numpy.array([0.0, 4.0]))
    array([0., 2.])
    """
    return np.sqrt(floating(x), out=out)


# ---------------------------------------------------------------------------------------------------
# Powers


def _power_rule(g: Any, y: Any, x: Any, *, exponent: Any) -> Any:
    """∂L/∂x = ∂L/∂y·n·xⁿ⁻¹, and 0 for n = 0 also where x = 0."""
    if exponent == 0:
        return zero(g)
    if exponent == 1:
        return g
    return g * exponent * (x if exponent == 2 else constant_power(x, exponent - 1))


@op(
    symbol=lambda exponent: f"^{exponent}".replace("-", "−"),
    vjp=(_power_rule,),
    formulas=["∂L/∂x = ∂L/∂y ⊙ n·xⁿ⁻¹"],
    presence="elementwise",
    takes_out=True,
    analytic=True,
    domain=above_zero,
    examples=[*[example((3,), n) for n in (2, 3, 5, 1, 0, -1, -2, 0.5, 2.5)], example((2, 3), 2), example((), 3)],
    special=[at(0.0, gradient=0.0, exponent=0), at(0.0, gradient=0.0, exponent=2), at(-2.0, gradient=12.0, exponent=3)],
)
def constant_power(x: Any, exponent: Any, *, out: Any = None) -> Any:
    """y = xⁿ, where n is a number. Integer powers are multiplied out, in a hundredth of the time of `np.power`.

    >>> constant_power(numpy.array([-2.0, 3.0]), 3)
    array([-8., 27.])
    """
    if not (isinstance(exponent, int) and 2 <= abs(exponent) <= 16 and x.dtype.char in "fdFD"):
        return x**exponent if out is None else np.power(x, exponent, out=out)
    further = f"{abs(exponent):b}"[1:]  # the bits of n after its first: square for each, and multiply by x if it is 1
    base = x if exponent > 0 else np.reciprocal(x, out=None if "1" in further else out)
    y = np.multiply(base, base, out=out)
    for i, bit in enumerate(further):
        if i:
            y *= y
        if bit == "1":
            y *= base
    return y


class _Power(Op):
    """aᵇ, which for a number b is another op: an exponent that is part of it, and needs no derivative."""

    def __call__(self, *args: Any, **settings: Any) -> Any:
        return self._own(*args, **settings) if self._call is None else self._call(*args, **settings)

    def apply(self, inputs: tuple[Any, ...], settings: Any = NO_SETTINGS) -> Any:
        """Compute and record `constant_power` for a number b, else this op."""
        a, b = inputs
        if isinstance(b, NUMBERS) and hasattr(a, "dtype"):
            if isinstance(b, np.generic):
                b = b.item()
            if isinstance(b, float) and b.is_integer() and a.dtype.kind == "f":
                b = int(b)
            return constant_power.apply((a,), {"exponent": b})
        return super().apply(inputs)


power = declare(
    _Power(
        np.power,
        symbol="^",
        vjp=(
            lambda g, y, a, b: g * agreed(b * power_log(a, b - 1, 0), (a == 0) & (b == 0)),  # type: ignore[has-type]  # it follows
            lambda g, y, a, b: g * agreed(power_log(a, b, 1), (a == 0) & (b == 0)),  # type: ignore[has-type]  # it follows
        ),
        presence="elementwise",
        answers=(np.power,),
        broadcasts=True,
        takes_out=True,
        analytic=True,
        formulas=(lambda g, y, a, b: g * b * a ** (b - 1), lambda g, y, a, b: g * y * np.log(a)),
        domain=(above_zero, real),
        examples=PAIRS,
        special=[
            at(0.0, 0.0, gradient=(0.0, 0.0)),
            at(0.0, 2.0, gradient=(0.0, 0.0)),
            at(0.0, 1.0, gradient=(1.0, 0.0)),
        ],
        doc="""y = aᵇ. At a = 0 the derivative by b ≥ 0 is 0, and that of a⁰ by a is 0.

        An array b is an input; a number b is part of the op, which is then recorded as `constant_power`.

        >>> power(numpy.array([1.0, 2.0, 3.0]), 2)
        array([1., 4., 9.])
        """,
    )
)
UFUNCS[np.power] = power.apply


def _power_log_by_a(g: Any, y: Any, a: Any, b: Any, *, n: int) -> Any:
    """∂/∂a aᵇ·(ln a)ⁿ = aᵇ⁻¹·(b·(ln a)ⁿ + n·(ln a)ⁿ⁻¹)."""
    if n == 0:
        return g * np.where(b == 0, 0, b * power_log(a, b - 1, 0))
    return g * (b * power_log(a, b - 1, n) + n * power_log(a, b - 1, n - 1))


@op(
    symbol=lambda *, n: f"aᵇ·(ln a)^{n}",
    vjp=(_power_log_by_a, lambda g, y, a, b, *, n: g * power_log(a, b, n + 1)),  # type: ignore[has-type]  # it follows
    presence="elementwise",
    formulas=(
        lambda g, y, a, b, *, n: g * (b * y + n * a**b * np.log(a) ** (n - 1)) / a,
        lambda g, y, a, b, *, n: g * y * np.log(a),
    ),
    broadcasts=True,
    analytic=True,
    domain=(above_zero, real),
    examples=[example((3,), (3,), 1), example((2, 3), (3,), 2), example((), (2,), 0)],
    special=[at(0.0, 2.0, gradient=(0.0, 0.0), n=1), at(0.0, 1.0, gradient=(-math.inf, 0.0), n=1)],
)
def power_log(a: Any, b: Any, n: int) -> Any:
    """y = aᵇ·(ln a)ⁿ, the nth derivative of aᵇ by b; at a = 0 the limit, where there is one.

    >>> power_log(numpy.array([0.0, 1.0, math.e]), 2.0, 1).round(4)
    array([0.    , 0.    , 7.3891])
    """
    y = np.power(a, floating(b))
    if n == 0:
        return y
    powers = quietly(lambda: y * np.log(a, dtype=y.dtype) ** n, divide="ignore", invalid="ignore")
    return np.where((a == 0) & (b > 0), 0, powers)  # 0·ln 0 is not taken


@composite(answers=(np.float_power,), examples=PAIRS, domain=above_zero, analytic=True)
def float_power(a: Any, b: Any) -> Any:
    """y = aᵇ, in float64 at least.

    >>> float_power(numpy.array([1, 2, 3]), -1).round(2).tolist()
    [1.0, 0.5, 0.33]
    """
    return power(*[np.astype(x, np.promote_types(x.dtype, float)) if hasattr(x, "dtype") else x for x in (a, b)])


# ---------------------------------------------------------------------------------------------------
# Exponentials and logarithms

exp = unary(np.exp, "exp", lambda g, y, x: g * y, "y = eˣ.")
exp2 = unary(np.exp2, "exp2", lambda g, y, x: g * y * LN2, "y = 2ˣ.")
expm1 = unary(np.expm1, "expm1", lambda g, y, x: g * np.exp(x), "y = eˣ − 1, exact for small x.")
log = unary(np.log, "log", lambda g, y, x: g / x, "y = ln x.", domain=above_zero)
log2 = unary(np.log2, "log2", lambda g, y, x: g / (x * LN2), "y = log₂ x.", domain=above_zero)
log10 = unary(np.log10, "log10", lambda g, y, x: g / (x * LN10), "y = log₁₀ x.", domain=above_zero)
log1p = unary(np.log1p, "log1p", lambda g, y, x: g / (1 + x), "y = ln(1 + x), exact for small x.", domain=above_zero)


@op(
    symbol="sigmoid",
    vjp=(lambda g, y, x: g * y * (1 - y),),
    presence="elementwise",
    takes_out=True,
    analytic=True,
    examples=SHAPES,
)
def sigmoid(x: Any, *, out: Any = None) -> Any:
    """y = 1 / (1 + e⁻ˣ), the logistic function.

    >>> sigmoid(numpy.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    return quietly(_sigmoid, floating(x), out)  # e⁻ˣ = ∞ gives the right limit, 0


def _sigmoid(x: Any, out: Any) -> Any:
    if out is None:
        return np.reciprocal(ONE[x.dtype] + np.exp(-x))
    np.exp(np.negative(x, out=out), out=out)
    return np.reciprocal(np.add(ONE[x.dtype], out, out=out), out=out)


def _gap(a: Any, b: Any) -> Any:
    """a − b, and 0 between equal infinities."""
    return np.where(np.isinf(a) & (a == b), 0, a - b)


_INFINITE = [at(-math.inf, 1.0, gradient=(0.0, 1.0)), at(-math.inf, -math.inf, gradient=(0.5, 0.5))]

logaddexp = binary(
    np.logaddexp, "logaddexp", lambda g, y, a, b: g * sigmoid(_gap(a, b)), lambda g, y, a, b: g * sigmoid(_gap(b, a)),
    "y = ln(eᵃ + eᵇ), without overflow. Equal infinities share the gradient evenly.", special=_INFINITE,
    formulas=(lambda g, y, a, b: g * sigmoid(a - b), lambda g, y, a, b: g * sigmoid(b - a)),
)  # fmt: skip
logaddexp2 = binary(
    np.logaddexp2, "logaddexp2",
    lambda g, y, a, b: g * sigmoid(_gap(a, b) * LN2), lambda g, y, a, b: g * sigmoid(_gap(b, a) * LN2),
    "y = log₂(2ᵃ + 2ᵇ), without overflow. Equal infinities share the gradient evenly.", special=_INFINITE,
    formulas=(lambda g, y, a, b: g * sigmoid((a - b) * LN2), lambda g, y, a, b: g * sigmoid((b - a) * LN2)),
)  # fmt: skip


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
tanh = unary(np.tanh, "tanh", lambda g, y, x: g * (1 - y * y), "y = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ).")
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
def sinc(x: Any) -> Any:
    """y = sin(πx) / (πx), and 1 at 0.

    >>> sinc(numpy.array([0.0, 0.5])).round(4)
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
def sinc_derivative(x: Any, order: int) -> Any:
    """y = dⁿ/dxⁿ sinc x: (cos πx − sinc x) / x and so on would lose all digits near 0.

    With z = πx and f = sin z / z: away from 0, z f⁽ⁿ⁾ = sin⁽ⁿ⁾ z − n f⁽ⁿ⁻¹⁾, which follows from z f = sin z; near 0, the
    power series f⁽ⁿ⁾ = Σ (−1)ᵏ zᵐ / ((m + n + 1) m!) over m = 2k − n ≥ 0.

    >>> sinc_derivative(numpy.array([0.0, 1e-9]), 2).round(4)
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


# ---------------------------------------------------------------------------------------------------
# Copies, types and complex numbers


@op(symbol="copy", vjp=(lambda g, y, x: g,), answers=(np.copy,), presence="linear", takes_out=True, examples=SHAPES)
def copy(x: Any, *, out: Any = None) -> Any:
    """y = x, in memory of its own.

    >>> copy(numpy.array([1.0, 2.0]))
    array([1., 2.])
    """
    if out is None:
        return np.copy(x)
    np.copyto(out, x)
    return out


@op(
    symbol=lambda dtype: str(dtype),
    vjp=(lambda g, y, x, *, dtype: np.astype(g, x.dtype),),
    presence="linear",
    answers=(np.astype,),
    bind=lambda x, dtype, copy=True: ((x,), {"dtype": np.dtype(dtype)}),
    takes_out=True,
    examples=[
        example((3,), "float64"),
        example(Fixed(np.array([1, 2])), float),
        example((2, 3), "int64"),
        example((3,), float, copy=False),
    ],
)
def astype(x: Any, dtype: Any, *, out: Any = None) -> Any:
    """y = x as numbers of another type. The gradient is cast back to the type of x.

    >>> astype(numpy.array([1.5, 2.5]), int)
    array([1, 2])
    """
    if dtype.kind not in "biufc":
        raise TypeError(f"a tensor holds numbers, which {dtype} is not")
    if out is None:
        return np.astype(array(x), dtype)
    np.copyto(out, x, casting="unsafe")
    return out


conjugate = unary(
    np.conjugate,
    "conj",
    lambda g, y, x: np.conjugate(g),
    "y = x*, the complex conjugate.",
    presence="linear",
    analytic=False,
)

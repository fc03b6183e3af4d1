"""Elementwise functions of one, two or three arguments: each rule is a line of a table of derivatives.

`g` is ∂L/∂y, the derivative that arrives; a rule returns ∂L/∂x = ∂L/∂y · ∂y/∂x. Inputs are broadcast together, and
the engine sums the gradients back. At kinks the conventions are PyTorch's: the derivative of |x| at 0 is 0, tied
maxima share evenly, a step has the derivative 0. Where a function chooses between values, its rule *selects*
gradients (`gate`, `np.where`) and never multiplies them by a mask: ∞ · 0 would be NaN.

Source: Abramowitz & Stegun, *Handbook of Mathematical Functions* (1964), chapters 4 and 6.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from tinygrad_edu.op import Fixed, at, away_from, composite, declare, example, interval, nonzero, op, positive, ufunc
from tinygrad_edu.protocols import ANSWERS, UFUNCS

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

PAIRS = (example((3,), (3,)), example((2, 3), (3,)), example((2, 1), (4,)), example((), (2,)), example((3,), 2.0))
"""How a function of two arguments broadcasts them."""

SHAPES = (example((3,)), example((2, 3)), example(()))


class _Constants(dict[Any, Any]):
    """A number as an array of no dimension, by dtype: beside an array it costs half of what a Python number does."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __missing__(self, dtype: Any) -> Any:
        constant = self[dtype] = np.full((), self._number, dtype)
        return constant


ZERO = _Constants(0)
ONE = _Constants(1)

_BITS = {np.dtype(f"f{n}"): np.dtype(f"i{n}") for n in (2, 4, 8)}


# ---------------------------------------------------------------------------------------------------
# Two functions that rules are made of


@op(symbol="0", vjp=(lambda g, y, x: zero(g),), examples=SHAPES)
def zero(x: Any) -> Any:
    """y = 0, whatever x, also for ∞ and NaN: the gradient of a step.

    >>> zero(numpy.array([1.0, numpy.inf]))
    array([0., 0.])
    """
    return np.zeros_like(x)


@op(
    symbol="gate",
    vjp=(lambda g, y, a, x: gate(g, x), None),
    broadcasts=True,
    domain=(lambda rng, shape: rng.standard_normal(shape), nonzero),
    examples=[example((3,), (3,)), example((2, 3), (3,)), example((), (2,)), example((3,), (2, 3)), example((), ())],
)
def gate(a: Any, x: Any) -> Any:
    """y = a where x > 0, else 0: what relu lets through of a gradient. x may be a mask of booleans.

    >>> gate(numpy.array([numpy.inf, 2.0, 3.0]), numpy.array([-1.0, 0.0, 1.0]))
    array([0., 0., 3.])
    """
    bits = _BITS.get(a.dtype)
    if bits is None:
        return np.where(x > 0, a, ZERO[a.dtype])
    # 0 and 1 times the bits of a, read as integers: it selects, as np.where does, but six times as fast
    return (a.view(bits) * (x > ZERO[x.dtype])).view(a.dtype)


# ---------------------------------------------------------------------------------------------------
# Arithmetic

add = ufunc(
    np.add, "+", (lambda g, y, a, b: g, lambda g, y, a, b: g), "y = a + b.", analytic=True, examples=PAIRS
)  # fmt: skip
subtract = ufunc(
    np.subtract, "−", (lambda g, y, a, b: g, lambda g, y, a, b: -g), "y = a − b.", analytic=True, examples=PAIRS
)
multiply = ufunc(
    np.multiply, "×", (lambda g, y, a, b: g * b, lambda g, y, a, b: g * a), "y = a · b.", analytic=True, examples=PAIRS
)
divide = ufunc(
    np.divide, "/", (lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b), "y = a / b.",
    analytic=True, domain=(nonzero, nonzero), examples=PAIRS,
)  # fmt: skip
negative = ufunc(np.negative, "−", (lambda g, y, x: -g,), "y = −x.", analytic=True, examples=SHAPES)
exp = ufunc(np.exp, "exp", (lambda g, y, x: g * y,), "y = eˣ.", analytic=True, examples=SHAPES)
log = ufunc(np.log, "log", (lambda g, y, x: g / x,), "y = ln x.", analytic=True, domain=positive, examples=SHAPES)
sqrt = ufunc(
    np.sqrt, "√", (lambda g, y, x: g / (2 * y),), "y = √x. Its derivative at 0 is ∞.",
    analytic=True, domain=positive, examples=SHAPES, special=[at(0.0, gradient=math.inf)],
)  # fmt: skip
tanh = ufunc(
    np.tanh, "tanh", (lambda g, y, x: g * (1 - y * y),), "y = tanh x = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ).",
    analytic=True, examples=SHAPES,
)  # fmt: skip
square = ufunc(np.square, "^2", (lambda g, y, x: g * 2 * x,), "y = x².", analytic=True, examples=SHAPES)


# ---------------------------------------------------------------------------------------------------
# Powers


def _by_base(g: Any, y: Any, x: Any, *, exponent: Any) -> Any:
    if exponent == 0:
        return zero(g)
    if exponent == 1:
        return g
    return g * exponent * (x if exponent == 2 else constant_power(x, exponent - 1))


@op(
    symbol=lambda exponent: f"^{exponent}",
    vjp=(_by_base,),
    analytic=True,
    domain=positive,
    examples=[example((3,), n) for n in (2, 3, 5, -1, -2, 0, 1, 0.5, 2.5)],
    special=[at(0.0, gradient=0.0, exponent=0), at(0.0, gradient=0.0, exponent=2), at(-2.0, gradient=12.0, exponent=3)],
)
def constant_power(x: Any, exponent: Any) -> Any:
    """y = xⁿ, for a number n.

    >>> constant_power(numpy.array([-2.0, 3.0]), 3)
    array([-8., 27.])
    """
    if exponent in _MULTIPLIED and x.dtype.kind in "fc" and x.dtype != np.float16:
        return _multiplied(x, int(exponent))
    return x**exponent


_MULTIPLIED = frozenset(n for n in range(-16, 17) if not -1 <= n <= 2)


def _multiplied(x: Any, n: int) -> Any:
    """xⁿ by squaring and multiplying: a pass over the numbers costs a hundredth of `np.power`."""
    if n < 0:
        x, n = np.reciprocal(x), -n
    y = None
    while True:
        if n & 1:
            y = x if y is None else y * x
        n >>= 1
        if not n:
            return y
        x = x * x


general_power = ufunc(
    np.power, "^",
    (lambda g, y, a, b: g * (b * np.power(np.where((a == 0) & (b == 0), 1, a), b - 1)),
     lambda g, y, a, b: g * y * np.log(np.where((a == 0) & (b >= 0), 1, a))),
    "y = aᵇ. At a = 0 the derivative by b ≥ 0 is 0, and that of a⁰ by a is 0.",
    name="general_power", answers=(), analytic=True,
    formulas=("∂L/∂a = ∂L/∂y·b·a^(b − 1)", "∂L/∂b = ∂L/∂y·y·log(a)"),
    domain=(positive, lambda rng, shape: rng.standard_normal(shape)), examples=PAIRS[:4],
)  # fmt: skip


def _power(inputs: tuple[Any, ...]) -> Any:
    """`np.power`, for the exponent that it is given: a number is part of the op, anything else an input."""
    base, exponent = inputs
    if isinstance(exponent, np.generic):
        exponent = exponent.item()
    if isinstance(exponent, (int, float, complex)) and hasattr(base, "dtype"):
        if base.dtype.kind == "f" and isinstance(exponent, float) and exponent.is_integer():
            exponent = int(exponent)
        return constant_power(base, exponent)
    return general_power.apply(inputs)


@composite(answers=(np.power,), examples=PAIRS, domain=positive, analytic=True)
def power(a: Any, b: Any) -> Any:
    """y = aᵇ. A number b is part of the op (`constant_power`); an array or a tensor is an input (`general_power`).

    >>> power(numpy.array([1.0, 2.0, 3.0]), 2)
    array([1., 4., 9.])
    """
    return _power((a, b))


UFUNCS[np.power] = _power


# ---------------------------------------------------------------------------------------------------
# Comparing: recorded, so that a mask is computed again when a record is run again; without a derivative

equal = ufunc(np.equal, "=", None, "y = (a = b).", examples=PAIRS)
not_equal = ufunc(np.not_equal, "≠", None, "y = (a ≠ b).", examples=PAIRS)
less = ufunc(np.less, "<", None, "y = (a < b).", examples=PAIRS)
less_equal = ufunc(np.less_equal, "≤", None, "y = (a ≤ b).", examples=PAIRS)
greater = ufunc(np.greater, ">", None, "y = (a > b).", examples=PAIRS)
greater_equal = ufunc(np.greater_equal, "≥", None, "y = (a ≥ b).", examples=PAIRS)
logical_and = ufunc(np.logical_and, "and", None, "y = a and b, of truths.", examples=PAIRS)
logical_or = ufunc(np.logical_or, "or", None, "y = a or b, of truths.", examples=PAIRS)
logical_xor = ufunc(np.logical_xor, "xor", None, "y = either a or b, of truths.", examples=PAIRS)
logical_not = ufunc(np.logical_not, "not", None, "y = not x, of truths.", examples=SHAPES)
bitwise_and = ufunc(np.bitwise_and, "&", None, "y = a & b.", examples=[example(Fixed(np.array([True, False])), True)])
bitwise_or = ufunc(np.bitwise_or, "|", None, "y = a | b.", examples=[example(Fixed(np.array([True, False])), True)])
bitwise_xor = ufunc(np.bitwise_xor, "^", None, "y = a ^ b.", examples=[example(Fixed(np.array([True, False])), True)])
invert = ufunc(np.invert, "~", None, "y = ~x.", examples=[example(Fixed(np.array([True, False])))])
isnan = ufunc(np.isnan, "isnan", None, "y = (x is NaN).", examples=SHAPES)
isinf = ufunc(np.isinf, "isinf", None, "y = (x = ±∞).", examples=SHAPES)
isfinite = ufunc(np.isfinite, "isfinite", None, "y = (−∞ < x < ∞).", examples=SHAPES)


# ---------------------------------------------------------------------------------------------------
# Choosing

maximum = ufunc(
    np.maximum, "max",
    (lambda g, y, a, b: gate(g / 2, a >= b) + gate(g / 2, a > b),
     lambda g, y, a, b: gate(g / 2, b >= a) + gate(g / 2, b > a)),
    "y = max(a, b). Ties share the gradient evenly.",
    examples=PAIRS, special=[at(1.0, 1.0, gradient=(0.5, 0.5))],
)  # fmt: skip
minimum = ufunc(
    np.minimum, "min",
    (lambda g, y, a, b: gate(g / 2, a <= b) + gate(g / 2, a < b),
     lambda g, y, a, b: gate(g / 2, b <= a) + gate(g / 2, b < a)),
    "y = min(a, b). Ties share the gradient evenly.",
    examples=PAIRS, special=[at(1.0, 1.0, gradient=(0.5, 0.5))],
)  # fmt: skip
sign = ufunc(np.sign, "sign", (lambda g, y, x: zero(g),), "y = −1, 0 or 1.", domain=nonzero, examples=SHAPES)
absolute = ufunc(
    np.absolute, "abs", (lambda g, y, x: g * np.sign(x),), "y = |x|. Its derivative at 0 is 0.",
    domain=nonzero, examples=SHAPES, special=[at(0.0, gradient=0.0)],
)  # fmt: skip


def _branches(condition: Any, a: Any, b: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    mask = condition if getattr(condition, "dtype", None) == np.bool_ else np.not_equal(condition, 0)
    return (mask, a, b), {}


@op(
    symbol="where",
    vjp=(None, lambda g, y, c, a, b: gate(g, c), lambda g, y, c, a, b: gate(g, np.logical_not(c))),
    bind=_branches,
    broadcasts=True,
    examples=[
        example(Fixed(np.array([True, False, True])), (3,), (2, 3)),
        example(Fixed(np.array([[True], [False]])), (3,), 2.0),
        example((3,), (3,), ()),
    ],
)
def where(condition: Any, a: Any, b: Any) -> Any:
    """y = a where the condition holds, else b. The gradient goes to the branch taken, nothing at all to the other.

    A NaN made *inside* the branch not taken stays there: its own rule turns the 0 it is sent into NaN. Make the
    argument safe first: `np.where(x > 0, np.log(np.where(x > 0, x, 1)), 0)`.

    >>> where(numpy.array([True, False]), numpy.array([1.0, 2.0]), 0.0)
    array([1., 0.])
    """
    return np.where(condition, a, b)


ANSWERS[np.where] = lambda condition, *branches: where(condition, *branches) if branches else np.nonzero(condition)

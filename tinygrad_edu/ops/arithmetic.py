"""Arithmetic: sums, products, quotients, roots and powers; each rule is a line of a table of derivatives.

`g` is ∂L/∂y, the derivative that arrives; a rule returns ∂L/∂x = ∂L/∂y · ∂y/∂x. Inputs are broadcast together, and
the engine sums the gradients back.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import at, example, nonzero, real
from tinygrad_edu.engine.example import positive as above_zero
from tinygrad_edu.engine.node import NUMBERS
from tinygrad_edu.engine.op import Op, composite, declare, op
from tinygrad_edu.engine.recording import quietly
from tinygrad_edu.engine.registry import NO_SETTINGS, UFUNCS
from tinygrad_edu.ops.agreed import agreed, times_over
from tinygrad_edu.ops.parts import PAIRS, SHAPES, binary, unary, zero
from tinygrad_edu.ops.types import floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Number, Out
    from tinygrad_edu.engine.signatures import BinaryOp


# ---------------------------------------------------------------------------------------------------
# Arithmetic

add = binary(
    np.add, "+", lambda g, y, a, b: g, lambda g, y, a, b: g,
    "y = a + b, whose derivatives are both 1.",
    "[1.0, 2.0], 3.0 → [4.0, 5.0]",
    spelled=lambda s, a, b: a + b, presence="linear", analytic=True,
)  # fmt: skip
subtract = binary(
    np.subtract, "−", lambda g, y, a, b: g, lambda g, y, a, b: -g,
    "y = a − b, whose derivatives are 1 by a and −1 by b.",
    "[1.0, 2.0], 3.0 → [-2.0, -1.0]",
    spelled=lambda s, a, b: a - b, presence="linear", analytic=True,
)  # fmt: skip
multiply = binary(
    np.multiply, "×", lambda g, y, a, b: g * b, lambda g, y, a, b: g * a,
    "y = a·b: the derivative by each is the other, ∂y/∂a = b and ∂y/∂b = a.",
    "[1.0, 2.0], 3.0 → [3.0, 6.0]",
    spelled=lambda s, a, b: s.product(a, b), presence="tame", analytic=True,
)  # fmt: skip
divide = binary(
    np.divide, "/", lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b,
    "y = a / b, of integers as floats. ∂y/∂a = 1/b, ∂y/∂b = −a/b². By 0, y is ±∞, and NaN for 0 / 0.",
    "[1.0, 3.0], 2.0 → [0.5, 1.5]",
    spelled=lambda s, a, b: a / b, analytic=True, domain=(real, nonzero),
)  # fmt: skip
negative = unary(
    np.negative, "−", lambda g, y, x: -g, "y = −x, whose derivative is −1.", "[1.0, -2.0] → [-1.0, 2.0]",
    spelled=lambda s, x: -x, presence="linear",
)  # fmt: skip
positive = unary(
    np.positive, "+", lambda g, y, x: g, "y = +x, a copy. Its derivative is 1.", "[1.0, -2.0] → [1.0, -2.0]",
    spelled=lambda s, x: x, presence="linear",
)  # fmt: skip
reciprocal = unary(
    np.reciprocal, "/", lambda g, y, x: -g * y * y,
    "y = 1 / x, whose derivative is −y². At 0 y is ∞. Of integers NumPy makes integers: 1 / 4 gives 0; "
    "write 1 / x for floats.", "[1.0, 4.0] → [1.0, 0.25]", spelled=lambda s, x: 1 / x, domain=nonzero,
)  # fmt: skip
square = unary(
    np.square, "^2", lambda g, y, x: g * 2 * x, "y = x², whose derivative is 2x.", "[1.0, -3.0] → [1.0, 9.0]",
    spelled=lambda s, x: x**2,
)  # fmt: skip
sqrt = unary(
    np.sqrt, "√", lambda g, y, x: g / (2 * y),
    "y = √x. Its derivative is 1/(2y), at 0 ∞. Below 0 y is NaN.",
    "[1.0, 9.0] → [1.0, 3.0]",
    spelled=lambda s, x: s.sqrt(x), domain=above_zero, special=[at(0.0, gradient=math.inf)],
)  # fmt: skip
cbrt = unary(
    np.cbrt, "∛", lambda g, y, x: g / (3 * y * y),
    "y = ∛x, of negative numbers too. Its derivative is 1/(3y²), at 0 ∞.",
    "[1.0, -8.0] → [1.0, -2.0]",
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
def root(x: Array, *, out: Out = None) -> Array:
    """y = √x, whose derivative at 0 is agreed to be 0: of a standard deviation, say, √Σ d².

    >>> root(np.array([0.0, 4.0]))
    array([0., 2.])
    """
    return np.sqrt(floating(x), out=out)


# ---------------------------------------------------------------------------------------------------
# Powers


LARGEST_MULTIPLIED_OUT = 16
"""The largest integer exponent whose power is computed by multiplications."""


def _power_rule(g: Any, y: Any, x: Any, *, exponent: Any) -> Any:
    """∂L/∂x = ∂L/∂y·n·xⁿ⁻¹, and 0 for n = 0 also where x = 0."""
    if exponent == 0:
        return zero(g)
    if exponent == 1:
        return g
    return g * exponent * (x if exponent == 2 else constant_power(x, exponent - 1))


@op(
    symbol=lambda exponent: f"^{exponent}".replace("-", "−"),
    spelled=lambda s, x: x ** s.settings["exponent"],
    vjp=(_power_rule,),
    formulas=["∂L/∂x = ∂L/∂y ⊙ n·xⁿ⁻¹"],
    presence="elementwise",
    takes_out=True,
    analytic=True,
    domain=above_zero,
    examples=[*[example((3,), n) for n in (2, 3, 5, 1, 0, -1, -2, 0.5, 2.5)], example((2, 3), 2), example((), 3)],
    special=[at(0.0, gradient=0.0, exponent=0), at(0.0, gradient=0.0, exponent=2), at(-2.0, gradient=12.0, exponent=3)],
)
def constant_power(x: Array, exponent: Number, *, out: Out = None) -> Array:
    """y = xⁿ, where n is a number. Integer powers are multiplied out, in a hundredth of the time of `np.power`.

    >>> constant_power(np.array([-2.0, 3.0]), 3)
    array([-8., 27.])
    """
    if not (isinstance(exponent, int) and 2 <= abs(exponent) <= LARGEST_MULTIPLIED_OUT and x.dtype.char in "fdFD"):
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


power: BinaryOp[[]] = declare(
    _Power(  # type: ignore[arg-type]  # so it is called
        np.power,
        symbol="^",
        spelled=lambda s, a, b: a**b,
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

        a, b: numbers, arrays or tensors, whose shapes broadcast together. Elsewhere ∂y/∂a = b·aᵇ⁻¹ and ∂y/∂b = y·ln a,
            which is NaN for a < 0, as y is unless b is whole. Integers to a negative power raise ValueError.

        >>> power(np.array([1.0, 2.0, 3.0]), 2)
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
def power_log(a: Array, b: Array, n: int) -> Array:
    """y = aᵇ·(ln a)ⁿ, the nth derivative of aᵇ by b; at a = 0 the limit, where there is one.

    >>> power_log(np.array([0.0, 1.0, math.e]), 2.0, 1).round(4)
    array([0.    , 0.    , 7.3891])
    """
    y = np.power(a, floating(b))
    if n == 0:
        return y
    powers = quietly(lambda: y * np.log(a, dtype=y.dtype) ** n, divide="ignore", invalid="ignore")
    return np.where((a == 0) & (b > 0), 0, powers)  # 0·ln 0 is not taken


@composite(answers=(np.float_power,), examples=PAIRS, domain=above_zero, analytic=True)
def float_power(a: Array, b: Array) -> Array:
    """y = aᵇ, which is computed in float64 at least, so that integers to a negative power give fractions.

    a, b: numbers, arrays or tensors, whose shapes broadcast together.

    >>> float_power([1, 2, 3], -1).round(2).tolist()
    [1.0, 0.5, 0.33]
    """
    return power(_in_float64(a), _in_float64(b))


def _in_float64(x: Any) -> Any:
    """x in float64 at least; a number stays one, so that a power of it is recorded as such."""
    if isinstance(x, int | float | complex) and not isinstance(x, np.generic):
        return float(x) if isinstance(x, int) else x
    x = x if hasattr(x, "dtype") else np.asarray(x)
    return np.astype(x, np.promote_types(x.dtype, float))

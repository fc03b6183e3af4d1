"""What there is to print, sums, products, powers and calls, and its normal form."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from tinygrad_edu.engine.recording import quietly


@dataclass(frozen=True, slots=True)
class Expression:
    """Something to print: its kind, its parts, and what else it needs (a number, a name, axes).

    `moved` is not printed: to which axes, counted from the last, adding axes of length 1 has moved its own. It tells
    the two x in x[:, None] − x apart. `array` says whether it stands for several numbers, so that products of such have
    a sign of their own; None where that is not known, and then it is what the parts are.
    """

    kind: str
    parts: tuple[Expression, ...] = ()
    data: Any = None
    moved: tuple[tuple[int, int], ...] = ()
    array: bool | None = field(default=None, compare=False)
    size: int = field(init=False, compare=False)  # how many expressions it is made of

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", 1 + sum([part.size for part in self.parts]))

    @property
    def is_array(self) -> bool:
        """Whether it stands for several numbers."""
        return any(part.is_array for part in self.parts) if self.array is None else self.array

    # arithmetic, with numbers too, in which ops declare how they are spelled

    def __add__(self, other: Any) -> Expression:
        return make("sum", self, as_expression(other))

    def __sub__(self, other: Any) -> Expression:
        return self + -as_expression(other)

    def __mul__(self, other: Any) -> Expression:
        return make("product", self, as_expression(other))

    def __truediv__(self, other: Any) -> Expression:
        return make("quotient", self, as_expression(other))

    def __rtruediv__(self, other: Any) -> Expression:
        return make("quotient", as_expression(other), self)

    def __pow__(self, other: Any) -> Expression:
        return make("power", self, as_expression(other))

    def __matmul__(self, other: Expression) -> Expression:
        return make("matmul", self, other)

    def __neg__(self) -> Expression:
        return make("negative", self)

    def __abs__(self) -> Expression:
        return make("absolute", self)

    @property
    def T(self) -> Expression:
        """The transpose."""
        return make("transpose", self)


def as_expression(x: Any) -> Expression:
    """An expression, or a number as one."""
    return x if isinstance(x, Expression) else number(x)


def make(kind: str, *parts: Expression, data: Any = None) -> Expression:
    """An expression; arithmetic of nothing but numbers is done at once."""
    if kind in _ARITHMETIC and all(part.kind == "number" for part in parts):
        result = quietly(_ARITHMETIC[kind], *[part.data for part in parts])
        if kind != "quotient" or float(result).is_integer():
            return number(result)
    if kind == "power" and parts[1] == ONE:
        return parts[0]
    if kind in ("product", "quotient") and parts[0].kind == "negative":  # (−a)·b is written −a·b, which is −(a·b)
        return make("negative", make(kind, *_opened(parts[0]).parts, *parts[1:]))
    return Expression(kind, parts, data)


def move(e: Expression, before: tuple[int, ...], after: tuple[int, ...]) -> Expression:
    """The expression, when its value of shape `before` is given the shape `after` by adding or leaving out ones."""
    axes = [[i - len(shape) for i, n in enumerate(shape) if n != 1] for shape in (before, after)]
    return _moved(e, dict(zip(*axes, strict=True)))


def _moved(e: Expression, moves: Mapping[int, int]) -> Expression:
    old = dict(e.moved)
    new = {i: to for i, to in moves.items() if i not in old.values()} | {i: moves.get(to, to) for i, to in old.items()}
    moved = tuple(sorted([(i, to) for i, to in new.items() if i != to]))
    return e if e.kind == "number" or moved == e.moved else replace(e, moved=moved)


def _opened(e: Expression) -> Expression:
    """The expression with the axes of its parts moved instead of its own, where each element is made of one element of each part."""
    if not e.moved or e.kind not in ELEMENTWISE:
        return e
    return Expression(e.kind, tuple([_moved(part, dict(e.moved)) for part in e.parts]), e.data)


def is_column(e: Expression) -> bool:
    """Whether an axis of length 1 was added at the end: all that varies in x[:, None]·2, a vector set upright."""
    if e.moved or e.kind not in ELEMENTWISE:
        return bool(e.moved) and all(to == i - 1 for i, to in e.moved)
    varying = [part for part in e.parts if part.kind != "number"]
    return bool(varying) and all(is_column(part) for part in varying)


def flattened(e: Expression) -> Expression:
    """A column as the vector that it is made of."""
    if e.moved:
        return _moved(e, {to: i for i, to in e.moved})
    return Expression(e.kind, tuple([flattened(part) for part in e.parts]), e.data, array=e.array)


ELEMENTWISE = {"sum", "product", "quotient", "negative", "power", "sqrt", "absolute", "holds", "rounded"}


_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "sum": lambda a, b: a + b,
    "product": lambda a, b: a * b,
    "quotient": lambda a, b: a / b if b else math.nan,
    "negative": lambda a: -a,
    "power": lambda a, b: np.float_power(a, b).item(),
}


def name(text: str) -> Expression:
    """A variable, which is printed as this text."""
    return Expression("name", (), text)


def gradient(of: str, by: str, one: bool = False) -> Expression:
    """∂of/∂by, as one thing; ∂z/∂z is `one`."""
    return Expression("gradient", (), (of, by, one))


def decimal(value: Any) -> Expression:
    """A number in figures, whatever else it is."""
    exact = number(value)
    finite = math.isfinite(value) if isinstance(value, int | float) else False
    return exact if exact.kind == "number" or not finite else Expression("number", (), value)


def call(
    function: str, *parts: Expression, axes: str = "", options: tuple[str, ...] = (), unsaid: Any = None
) -> Expression:
    """A function applied to its arguments; axes as a subscript, other settings as written, or left unsaid."""
    return make("call", *parts, data=(function, axes, options, unsaid))


def number(value: Any) -> Expression:
    """A number; where a float is exactly π, log(2) or a simple fraction, that."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, complex):
        return name(f"({value:.4g})") if value.imag else number(value.real)
    if not math.isfinite(value):
        return name("NaN") if value != value else name("∞") if value > 0 else make("negative", name("∞"))
    if float(value).is_integer():
        return Expression("number", (), int(value))
    if abs(value) in _CONSTANTS:
        return _CONSTANTS[value] if value > 0 else make("negative", _CONSTANTS[-value])
    if len(repr(value)) > LONGEST_EXACT:
        fraction = Fraction(value).limit_denominator(LARGEST_DENOMINATOR)
        if fraction.numerator / fraction.denominator == value:
            return make("quotient", number(fraction.numerator), number(fraction.denominator))
    return Expression("number", (), value)


ONE, ZERO = number(1), number(0)


def _quotient(a: Expression, b: Expression) -> Expression:
    return make("quotient", a, b)


def _root(x: Expression) -> Expression:
    return make("sqrt", x)


_PI, _LN2, _LN10 = name("π"), call("log", number(2)), call("log", number(10))
LONGEST_EXACT = 8
"""Characters of a number; a longer one is a fraction, if it is one, or else it is rounded where it is written."""

LARGEST_DENOMINATOR = 36
"""Of the fractions that a number may be."""

_CONSTANTS: dict[float, Expression] = {
    math.pi: _PI,
    math.pi / 2: _quotient(_PI, number(2)),
    math.pi / 180: _quotient(_PI, number(180)),
    180 / math.pi: _quotient(number(180), _PI),
    math.log(2): _LN2,
    math.log(10): _LN10,
    1 / math.log(2): _quotient(ONE, _LN2),
    1 / math.log(10): _quotient(ONE, _LN10),
    **{math.sqrt(n): _root(number(n)) for n in (2, 3, 5, 6, 7, 8, 10)},
    **{1 / math.sqrt(n): _quotient(ONE, _root(number(n))) for n in (2, 3, 5, 6, 7, 8, 10)},
    math.sqrt(0.5): _quotient(ONE, _root(number(2))),
    math.sqrt(math.pi): _root(_PI),
    2 / math.sqrt(math.pi): _quotient(number(2), _root(_PI)),
    math.sqrt(2 * math.pi): _root(make("product", number(2), _PI)),
    1 / math.sqrt(2 * math.pi): _quotient(ONE, _root(make("product", number(2), _PI))),
    math.sqrt(2 / math.pi): _root(_quotient(number(2), _PI)),
}


# ---------------------------------------------------------------------------------------------------
# The normal form


@dataclass(frozen=True, slots=True)
class Term:
    """A fraction of factors, with a number above and one below: (2·x·x)/(3·y)."""

    above: Any
    below: Any
    factors: tuple[Expression, ...] = ()
    divisors: tuple[Expression, ...] = ()


def normal(e: Expression) -> Expression:
    """The expression with signs, ones, zeros, numbers, transposes and repeated factors and terms put in order.

    The factors stay where they first stood, and so do terms, but powers of one thing fall: 9x² − 4x + 5. Nothing is
    expanded, cancelled or factored out.
    """
    return _expression(_term(e))


def _term(e: Expression) -> Term:
    """The normal form of `e`, as a fraction of factors."""
    e = _opened(e)
    match e.kind:
        case "number":
            return Term(e.data, 1)
        case "gradient":
            return Term(1, 1, () if e.data[2] else (e,))
        case "negative":
            t = _term(e.parts[0])
            return Term(-t.above, t.below, t.factors, t.divisors)
        case "product" | "quotient":
            a, b = _term(e.parts[0]), _term(e.parts[1])
            if e.kind == "quotient":
                b = Term(b.below, b.above, b.divisors, b.factors)
            return Term(a.above * b.above, a.below * b.below, a.factors + b.factors, a.divisors + b.divisors)
        case "sum":
            return _sum(e)
    parts = [normal(part) for part in e.parts]
    sign = 1
    if e.kind in ("matmul", "transpose") or (e.kind == "over" and e.data[0] == "Σ"):  # linear in each part
        if ZERO in parts:
            return Term(0, 1)
        for i, part in enumerate(parts):
            if part.kind == "negative":
                sign, parts[i] = -sign, part.parts[0]
            if e.kind == "matmul" and parts[i].kind == "number":  # 2·(1 @ vᵀ), where 1 is a vector of ones
                sign, parts[i] = sign * parts[i].data, ONE
    if e.kind == "power" and parts[0].kind == "negative" and isinstance(parts[1].data, int):
        sign, parts[0] = -1 if parts[1].data % 2 else 1, parts[0].parts[0]
    if e.kind == "transpose":
        turned = _transposed(parts[0])
        if turned.kind != "transpose":
            return Term(sign, 1, (replace(turned, moved=e.moved, array=e.array),))
    rebuilt = make(e.kind, *parts, data=e.data)
    if rebuilt.kind != e.kind:
        t = _term(rebuilt)
        return Term(sign * t.above, t.below, t.factors, t.divisors)
    return Term(sign, 1, (replace(rebuilt, moved=e.moved, array=e.array),))


def _transposed(e: Expression) -> Expression:
    """The transpose: Aᵀᵀ is A, and (Aᵀ @ B)ᵀ is Bᵀ @ A."""
    if e.moved:
        return make("transpose", e)
    if e.kind == "transpose" and not e.parts[0].moved:
        return e.parts[0]
    if e.kind == "matmul" and any(part.kind == "transpose" and not part.moved for part in e.parts):
        return make("matmul", *[_transposed(part) for part in reversed(e.parts)])
    return make("transpose", e)


def _sum(e: Expression) -> Term:
    """A sum, with equal terms added up."""
    found: dict[tuple[Any, ...], Term] = {}
    for part in flat("sum", e):
        t = _tidy(_term(part))
        key = (t.factors, t.divisors)
        if key in found:
            other = found[key]
            above = t.above + other.above if t.below == other.below else t.above * other.below + other.above * t.below
            t = _tidy(Term(above, t.below if t.below == other.below else t.below * other.below, *key))
        found[key] = t
    terms = [t for t in found.values() if t.above != 0]
    if not terms:
        return Term(0, 1)
    if len(terms) == 1:
        return terms[0]
    return Term(1, 1, (Expression("sum", tuple([_expression(t) for t in _falling(terms)])),))


def _falling(terms: list[Term]) -> list[Term]:
    """Terms that differ by the power of one thing alone, and of which two have it, from the highest power down."""
    powers = [{b: n for b, n in map(_power, t.factors) if isinstance(n, int)} for t in terms]
    for base in dict.fromkeys(b for found in powers for b in found):
        others = {(tuple([f for f in t.factors if _power(f)[0] != base]), t.divisors) for t in terms}
        if len(others) == 1 and sum(base in found for found in powers) > 1:
            order = sorted(range(len(terms)), key=lambda k: -powers[k].get(base, 0))
            return [terms[k] for k in order]
    return terms


def _power(e: Expression) -> tuple[Expression, Any]:
    """A factor as what is raised, and to which power."""
    return (e.parts[0], e.parts[1].data) if is_numeric_power(e) else (e, 1)


def flat(kind: str, e: Expression) -> Iterator[Expression]:
    """The parts of nested sums, or products, in a row."""
    stack = [e]
    while stack:
        e = _opened(stack.pop())
        if e.kind == kind:
            stack.extend(reversed(e.parts))
        else:
            yield e


def _tidy(t: Term) -> Term:
    """Repeated factors as powers, the two numbers without a common divisor."""
    above, below = t.above, t.below
    if below < 0:
        above, below = -above, -below
    if abs(above) == 0.5 and t.factors and isinstance(below, int):  # x/2
        above, below = int(2 * above), 2 * below
    if isinstance(above, int) and isinstance(below, int) and below:
        common = math.gcd(above, below)
        above, below = above // common, below // common
    return Term(above, below, _powers(t.factors), _powers(t.divisors))


def _powers(factors: Sequence[Expression]) -> tuple[Expression, ...]:
    exponents: dict[Expression, Any] = {}
    for f in factors:
        base, exponent = _power(f)
        exponents[base] = exponents.get(base, 0) + exponent
    return tuple([make("power", base, number(n)) for base, n in exponents.items() if n != 0])


def is_numeric_power(e: Expression) -> bool:
    """x², x^0.5: a power whose exponent is a number."""
    return e.kind == "power" and e.parts[1].kind == "number"


def _expression(t: Term) -> Expression:
    """A term as an expression again: the sign before all, the number after the gradients."""
    t = _tidy(t)
    if t.above == 0:
        return ZERO
    below = _product(t.below, t.divisors)
    above = _product(abs(t.above), t.factors, below != ONE)
    e = above if below == ONE else Expression("quotient", (above, below))
    return e if t.above > 0 else make("negative", e)


def _product(n: Any, factors: tuple[Expression, ...], divided: bool = False) -> Expression:
    parts = list(factors)
    if n != 1 or not parts:
        first = next((i for i, f in enumerate(parts) if f.kind != "gradient"), len(parts) if divided else 0)
        parts.insert(first, number(n))
    return parts[0] if len(parts) == 1 else Expression("product", tuple(parts))

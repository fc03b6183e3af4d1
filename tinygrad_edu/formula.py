"""The printed reading: a gradient rule, run on symbols, prints its formula.

A `Symbol` is an expression and a sample value. NumPy's functions work on both: on the value, so that shapes,
dtypes and the branches of a rule are those of a real call, and on the expression, which is what gets printed.

    Expression     what there is to print: sums, products, powers, calls
    normal         its normal form: signs, ones and zeros, numbers, repeated factors and terms; nothing else
    Text, LaTeX    the two ways to write one
    Symbol         an expression that NumPy computes with
    rule_formula   one rule:       ∂L/∂a = ∂L/∂y·b
    chain, formula a whole record: ∂z/∂x = ∂z/∂z·2t·1 = 2t = 10

How it is written: ∂L/∂y·2x, a number after the gradients and before everything else, without a dot before a
one-letter name; a @ b (in LaTeX a b) for the matrix product, · for the elementwise one; Wᵀ; √x; |x|; x²; a^b;
[x > 0] for 1 where it holds and 0 elsewhere; Σ₀ for a sum over axis 0, Σ for one over all axes. Broadcasting,
adding axes of length 1 and changing the dtype print nothing.
"""

from __future__ import annotations

import inspect
import itertools
import math
import re
import sys
import types
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinygrad_edu.graph import recording, topological, tracing, unbroadcast, walk
from tinygrad_edu.protocols import ANSWERS, ASKS, UFUNCS
from tinygrad_edu.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take symbols


# ---------------------------------------------------------------------------------------------------
# Expressions


@dataclass(frozen=True, slots=True)
class Expression:
    """Something to print: its kind, its parts, and what else it needs (a number, a name, axes).

    `moved` is not printed: to which axes, counted from the last, adding axes of length 1 has moved its own. It tells
    the two x in x[:, None] − x apart.
    """

    kind: str
    parts: tuple[Expression, ...] = ()
    data: Any = None
    moved: tuple[tuple[int, int], ...] = ()
    size: int = field(init=False, compare=False)  # how many expressions it is made of

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", 1 + sum([part.size for part in self.parts]))


def make(kind: str, *parts: Expression, data: Any = None) -> Expression:
    """An expression; arithmetic of nothing but numbers is done at once."""
    if kind in _ARITHMETIC and all(part.kind == "number" for part in parts):
        with np.errstate(all="ignore"):
            result = _ARITHMETIC[kind](*[part.data for part in parts])
        if kind != "quotient" or float(result).is_integer():
            return number(result)
    if kind == "power" and parts[1] == ONE:
        return parts[0]
    if kind in ("product", "quotient") and parts[0].kind == "negative":  # −a·b is read as −(a·b) anyhow
        return make("negative", make(kind, *_opened(parts[0]).parts, *parts[1:]))
    return Expression(kind, parts, data)


def move(e: Expression, before: tuple[int, ...], after: tuple[int, ...]) -> Expression:
    """The expression, when its value of shape `before` is given the shape `after` by adding or leaving out ones."""
    axes = [[i - len(shape) for i, n in enumerate(shape) if n != 1] for shape in (before, after)]
    return _moved(e, dict(zip(*axes, strict=True)))


def _alike(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether two shapes differ by nothing but ones."""
    return [n for n in a if n != 1] == [n for n in b if n != 1]


def _moved(e: Expression, moves: Mapping[int, int]) -> Expression:
    old = dict(e.moved)
    new = {i: to for i, to in moves.items() if i not in old.values()} | {i: moves.get(to, to) for i, to in old.items()}
    moved = tuple(sorted([(i, to) for i, to in new.items() if i != to]))
    return e if e.kind == "number" or moved == e.moved else replace(e, moved=moved)


def _opened(e: Expression) -> Expression:
    """The same with its parts moved instead of the whole, where each element is made of one element of each part."""
    if not e.moved or e.kind not in ELEMENTWISE:
        return e
    return Expression(e.kind, tuple([_moved(part, dict(e.moved)) for part in e.parts]), e.data)


ELEMENTWISE = {"sum", "product", "quotient", "negative", "power", "sqrt", "absolute", "holds", "rounded"}


_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "sum": lambda a, b: a + b,
    "product": lambda a, b: a * b,
    "quotient": lambda a, b: a / b if b else math.nan,
    "negative": lambda a: -a,
    "power": lambda a, b: np.float_power(a, b).item(),
}


def name(text: str) -> Expression:
    """A variable."""
    return Expression("name", (), text)


def gradient(of: str, by: str, one: bool = False) -> Expression:
    """∂of/∂by, as one thing; ∂z/∂z is `one`."""
    return Expression("gradient", (), (of, by, one))


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
    if len(repr(value)) > 8:
        fraction = Fraction(value).limit_denominator(36)
        if fraction.numerator / fraction.denominator == value:
            return make("quotient", number(fraction.numerator), number(fraction.denominator))
    return Expression("number", (), value)


ONE, ZERO = number(1), number(0)


def _quotient(a: Expression, b: Expression) -> Expression:
    return make("quotient", a, b)


def _root(x: Expression) -> Expression:
    return make("sqrt", x)


_PI, _LN2, _LN10 = name("π"), call("log", number(2)), call("log", number(10))
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
    """The expression with signs, ones, zeros, numbers and repeated factors and terms put in order.

    The factors and terms stay where they first stood. Nothing is expanded, cancelled or factored out.
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
    if e.kind == "power" and parts[0].kind == "negative" and isinstance(parts[1].data, int):
        sign, parts[0] = -1 if parts[1].data % 2 else 1, parts[0].parts[0]
    rebuilt = make(e.kind, *parts, data=e.data)
    if rebuilt.kind != e.kind:
        t = _term(rebuilt)
        return Term(sign * t.above, t.below, t.factors, t.divisors)
    return Term(sign, 1, (replace(rebuilt, moved=e.moved) if e.moved else rebuilt,))


def _sum(e: Expression) -> Term:
    """A sum, with equal terms added up."""
    found: dict[tuple[Any, ...], Term] = {}
    for part in _flat("sum", e):
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
    return Term(1, 1, (Expression("sum", tuple([_expression(t) for t in terms])),))


def _flat(kind: str, e: Expression) -> Iterator[Expression]:
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
        base, exponent = (f.parts[0], f.parts[1].data) if _is_numeric_power(f) else (f, 1)
        exponents[base] = exponents.get(base, 0) + exponent
    return tuple([make("power", base, number(n)) for base, n in exponents.items() if n != 0])


def _is_numeric_power(e: Expression) -> bool:
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


# ---------------------------------------------------------------------------------------------------
# Writing


# How tightly an expression holds together: a looser one is put in parentheses inside a tighter one.
SUM, MATMUL, PRODUCT, FACTOR, ATOM = range(5)
TIGHTNESS = {
    "sum": SUM, "negative": SUM, "matmul": MATMUL, "over": MATMUL, "product": PRODUCT, "quotient": PRODUCT,
    "gradient": FACTOR, "power": FACTOR, "transpose": FACTOR, "sqrt": FACTOR,
}  # fmt: skip

_JOINING = ("∧", "∨", "⊕", "¬")
SUBSCRIPTS = str.maketrans("-0123456789", "₋₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Text:
    """Writes an expression as a line of Unicode text. `matmul` is the sign of the matrix product."""

    minus, times, fused = "−", "·", ""

    def __init__(self, matmul: str = " @ ") -> None:
        self.at = matmul

    def write(self, e: Expression, level: int = SUM) -> str:
        """The expression, in parentheses if it holds together less tightly than `level`."""
        written: str = getattr(self, "_" + e.kind)(e, *e.parts)
        return written if self._tightness(e) >= level else self._parentheses(written)

    def _tightness(self, e: Expression) -> int:
        return SUM if e.kind == "number" and e.data < 0 else TIGHTNESS.get(e.kind, ATOM)

    def sentence(self, text: str) -> str:
        """A formula that is stated in words and signs."""
        return text

    def _parentheses(self, inside: str) -> str:
        tight = inside.replace(" + ", "+").replace(" − ", "−")
        return f"({tight if len(tight) <= 6 else inside})"  # (1−y), but (∂L/∂a + ∂L/∂b)

    def _name(self, e: Expression) -> str:
        return self._variable(e.data)

    def _variable(self, text: str) -> str:
        return " ".join(text.split())

    def _gradient(self, e: Expression) -> str:
        of, by, _ = e.data
        return f"∂{self._variable(of)}/∂{self._variable(by)}"

    def _number(self, e: Expression) -> str:
        exact = str(e.data)
        written = exact if isinstance(e.data, int) or len(exact) <= 8 else f"{e.data:.4g}"
        return re.sub(r"e([-+])0*", r"e\1", written).replace("-", self.minus)

    def _negative(self, e: Expression, x: Expression) -> str:
        return self.minus + self.write(x, MATMUL)

    def _sum(self, e: Expression, *_: Expression) -> str:
        first, *rest = _flat("sum", e)
        written = self.write(first)
        for term in rest:
            if term.kind == "negative":
                written += f" {self.minus} {self.write(term.parts[0], MATMUL)}"
            elif term.kind == "number" and term.data < 0:
                written += f" {self.minus} {self.write(number(-term.data))}"
            else:
                written += f" + {self.write(term, MATMUL)}"
        return written

    def _product(self, e: Expression, *_: Expression) -> str:
        factors = list(_flat("product", e))
        written = self.write(factors[0], FACTOR)
        for before, factor in itertools.pairwise(factors):
            plain = before.kind == "number" and before.data >= 0 and before.data != 1 and "e" not in str(before.data)
            written += (self.fused if plain and _is_letter(factor) else self.times) + self.write(factor, FACTOR)
        return written

    def _quotient(self, e: Expression, above: Expression, below: Expression) -> str:
        last = above.parts[-1] if above.kind == "product" else above
        slash = " / " if last.kind == "gradient" else "/"  # the slash of ∂L/∂y / b is not read as another one's
        return self.write(above, PRODUCT) + slash + self.write(below, ATOM if below.kind == "gradient" else FACTOR)

    def _base(self, e: Expression) -> str:
        """What an exponent stands on."""
        return self.write(e, ATOM)

    def _power(self, e: Expression, base: Expression, exponent: Expression) -> str:
        if isinstance(exponent.data, int):
            return self._base(base) + str(exponent.data).translate(SUPERSCRIPTS)
        return f"{self._base(base)}^{self.write(exponent, ATOM)}"

    def _transpose(self, e: Expression, x: Expression) -> str:
        return self._base(x) + "ᵀ"

    def _matmul(self, e: Expression, a: Expression, b: Expression) -> str:
        return self.write(a, MATMUL if a.kind == "matmul" else FACTOR) + self.at + self.write(b, FACTOR)

    def _constant(self, e: Expression) -> str:
        return self._variable(e.data[0])

    def _sqrt(self, e: Expression, x: Expression) -> str:
        return "√" + self.write(x, ATOM)

    def _absolute(self, e: Expression, x: Expression) -> str:
        return f"|{self.write(x)}|"

    def _rounded(self, e: Expression, x: Expression) -> str:
        return e.data[0] + self.write(x) + e.data[1]

    def _over(self, e: Expression, x: Expression) -> str:
        sign, axes, _ = e.data
        return f"{sign}{axes.replace(',', '').translate(SUBSCRIPTS)} {self.write(x, PRODUCT)}"

    def _call(self, e: Expression, *arguments: Expression) -> str:
        function, axes, options, _ = e.data
        inside = ", ".join([*[self._condition(x) for x in arguments], *options])
        return self._function(function) + axes.replace(",", "").translate(SUBSCRIPTS) + self._parentheses(inside)

    def _function(self, function: str) -> str:
        return function

    def _index(self, e: Expression, x: Expression, *keys: Expression) -> str:
        return self.write(x, ATOM) + f"[{e.data.format(*[self._condition(key) for key in keys])}]"

    def _scatter(self, e: Expression, x: Expression, *keys: Expression) -> str:
        key = e.data[0].format(*[self._condition(key) for key in keys])
        return self._function("scatter") + self._parentheses(f"{self.write(x)}, {key}")

    def _holds(self, e: Expression, *_: Expression) -> str:
        return f"[{self._condition(e)}]"

    def _condition(self, e: Expression, within: str = "") -> str:
        """What holds, without the brackets that make it 1 or 0."""
        if e.kind != "holds":
            return self.write(e)
        sign, a, *rest = e.data, *e.parts
        nested = sign in _JOINING
        written = [self._condition(part, sign) if nested else self.write(part) for part in (a, *rest)]
        inside = f"{sign}{written[0]}" if not rest else f"{written[0]} {sign} {written[1]}"
        apart = within == "¬" or (nested and within not in ("", sign))
        return f"({inside})" if rest and apart else inside


def _leading_gradients(e: Expression) -> int:
    """How many factors of a product are gradients before the first that is not."""
    return len(list(itertools.takewhile(lambda factor: factor.kind == "gradient", _flat("product", e))))


def _is_letter(e: Expression) -> bool:
    """A one-letter name, perhaps with an index and an exponent: what a number stands before without a dot."""
    base = e.parts[0] if _is_numeric_power(e) else e
    return base.kind == "name" and re.fullmatch(r"[^\W\d_][₀-₉]*", base.data) is not None


class LaTeX(Text):
    """Writes an expression as LaTeX, without the dollars: what `amsmath` and matplotlib's mathtext both read."""

    minus, times, fused = "-", r" \cdot ", " "

    def __init__(self, matmul: str = r" \, ") -> None:
        self.at = matmul

    def sentence(self, text: str) -> str:
        """The same formula in LaTeX: gradients as fractions, indices and exponents set, words upright."""
        written = "".join([self._token(token) for token in _TOKENS.finditer(text.replace(" @ ", "@"))])
        return written.replace("(", r"\left(").replace(")", r"\right)").replace(")ᵀ", r")^\top")

    def _token(self, token: re.Match[str]) -> str:
        of, by, word, marks, sign = token.groups()
        if of:
            return rf"\frac{{\partial {self.sentence(of)}}}{{\partial {self.sentence(by)}}}"
        if word:
            low = "".join([c for c in marks if c in _LOWERED])
            high = "".join([c for c in marks if c in _RAISED])
            index = f"_{{{_plain(low)}}}" if low else ""
            exponent = "" if not high else r"^\top" if high == "ᵀ" else f"^{{{_plain(high)}}}".replace("T", r"\top")
            if len(word) == 1:
                return self._variable(word) + index + exponent
            return ("\\" + word if word in _LATEX_FUNCTIONS else _upright(word)) + index + exponent
        if sign == "@":
            return self.at
        if sign == " ":  # one between words is seen
            apart = re.search(r"[^\WΣ]$|[\])]$", token.string[: token.start()])
            return "\\ " if apart and re.match(r"[\w\[(∂]", token.string[token.end() :]) else " "
        return _LATEX_SIGNS.get(sign, _ESCAPES.get(sign, sign))

    def _parentheses(self, inside: str) -> str:
        return rf"\left({inside}\right)"

    def _variable(self, text: str) -> str:
        """W stays W; x1 and x₁ become x_{1}, θ becomes \theta; a longer name stands upright."""
        if text in _LATEX_NAMES:
            return _LATEX_NAMES[text]
        letter = re.fullmatch(r"([^\W\d_])_?([0-9]*|[A-Za-z])", text.translate(_DIGITS))
        if letter is None or not (_greek(letter[1]) or letter[1].isascii()):
            return _upright(text)
        return (_greek(letter[1]) or letter[1]) + (f"_{{{letter[2]}}}" if letter[2] else "")

    def _gradient(self, e: Expression) -> str:
        of, by, _ = e.data
        return rf"\frac{{\partial {self._variable(of)}}}{{\partial {self._variable(by)}}}"

    def _number(self, e: Expression) -> str:
        mantissa, power, exponent = super()._number(e).replace("−", "-").partition("e")
        return rf"{mantissa} \times 10^{{{int(exponent)}}}" if power else mantissa

    def _tightness(self, e: Expression) -> int:
        fraction = e.kind == "quotient" and _leading_gradients(e.parts[0]) == 0
        return FACTOR if fraction else super()._tightness(e)

    def _quotient(self, e: Expression, above: Expression, below: Expression) -> str:
        """A fraction; what comes back, itself a fraction, stands before it."""
        factors = list(_flat("product", above))
        n = _leading_gradients(above)
        written = [self.write(factor) for factor in factors[:n]]
        rest = factors[n:] or [ONE]
        inside = self.write(rest[0] if len(rest) == 1 else Expression("product", tuple(rest)))
        return self.times.join([*written, rf"\frac{{{inside}}}{{{self.write(below)}}}"])

    def _base(self, e: Expression) -> str:
        raised = e.kind == "call" and e.data[0] == "exp"
        return self._parentheses(self.write(e)) if raised else self.write(e, ATOM)

    def _power(self, e: Expression, base: Expression, exponent: Expression) -> str:
        return f"{self._base(base)}^{{{self.write(exponent)}}}"

    def _transpose(self, e: Expression, x: Expression) -> str:
        return self._base(x) + r"^\top"

    def _sqrt(self, e: Expression, x: Expression) -> str:
        return rf"\sqrt{{{self.write(x)}}}"

    def _absolute(self, e: Expression, x: Expression) -> str:
        return rf"\left|{self.write(x)}\right|"

    def _rounded(self, e: Expression, x: Expression) -> str:
        left, right = [_LATEX_SIGNS[sign] for sign in e.data]
        return f"{left} {self.write(x)} {right}"

    def _over(self, e: Expression, x: Expression) -> str:
        sign, axes, _ = e.data
        return _LATEX_SIGNS[sign] + (f"_{{{axes}}}" if axes else "") + " " + self.write(x, PRODUCT)

    def _call(self, e: Expression, *arguments: Expression) -> str:
        function, axes, options, _ = e.data
        if function == "exp":
            return f"e^{{{self.write(arguments[0])}}}"
        inside = ", ".join([*[self._condition(x) for x in arguments], *[_upright(option) for option in options]])
        return self._function(function) + (f"_{{{axes}}}" if axes else "") + self._parentheses(inside)

    def _function(self, function: str) -> str:
        return "\\" + function if function in _LATEX_FUNCTIONS else _upright(function)

    def _condition(self, e: Expression, within: str = "") -> str:
        written = super()._condition(e, within)
        for sign, latex in _LATEX_SIGNS.items():
            written = written.replace(sign, latex + " " * (sign == "¬"))
        return written


_LOWERED = "₀₁₂₃₄₅₆₇₈₉₋₊ᵢⱼₖₘₙᵣₛₜ"
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁱⁿᵀ"
_LETTER, _MARKS = rf"[^\W\dΣ_{_LOWERED}{_RAISED}]", f"[{_LOWERED}{_RAISED}]"
_TOKENS = re.compile(  # a gradient, a letter or words with an index and an exponent, or a sign
    rf"∂({_LETTER}{_MARKS}*)/∂({_LETTER}+{_MARKS}*)|({_LETTER}(?:{_LETTER}|_)+|{_LETTER})({_MARKS}*)|(.)"
)
_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_LATEX_FUNCTIONS = {
    "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "log", "max", "min", "det",
}  # fmt: skip
_LATEX_NAMES = {"∞": r"\infty", "…": r"\ldots"}
_LATEX_SIGNS = {
    "⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil",
    "Σ": r"\sum", "∏": r"\prod", "≤": r"\leq", "≥": r"\geq", "≠": r"\neq",
    "·": r" \cdot ", "×": r"\times", "∂": r"\partial ", "−": "-", "…": r"\ldots ", "‖": r"\|", "∈": r"\in",
    "∧": r"\wedge", "∨": r"\vee", "⊕": r"\oplus", "¬": r"\neg",
}  # fmt: skip
_ESCAPES = {
    " ": r"\ ", "→": r"\to ", "−": "-", "\\": r"\backslash ", "~": r"\sim ", "^": r"\wedge ", "&": r"\wedge ", '"': "''", "`": "'", "′": "'",
    "∂": r"\partial ", **{c: "\\" + c for c in "{}$%#_"}, **{c: f"_{{{i}}}" for i, c in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}  # fmt: skip


def _upright(text: str) -> str:
    """Any text, upright, with nothing in it that LaTeX would read as a command."""
    printable = "".join([_ESCAPES.get(c, c) for c in " ".join(text.split()) if c.isprintable()])
    return rf"\mathrm{{{printable or chr(92) + ' '}}}"


def _plain(text: str) -> str:
    """Indices and exponents as ordinary characters: ₜ₊₁ as t+1."""
    return unicodedata.normalize("NFKC", text).replace("−", "-")


def _greek(letter: str) -> str:
    """The command for a Greek letter: \theta for θ; nothing for another one."""
    words = unicodedata.name(letter, "").split()
    if words[:1] != ["GREEK"] or len(words) != 4:
        return ""
    command = words[3].lower().replace("lamda", "lambda")
    return "\\" + (command if words[1] == "SMALL" else command.capitalize())


# ---------------------------------------------------------------------------------------------------
# How each operation is spelled: one that is not named here is a function call

SPELLINGS: dict[str, Callable[..., Expression]] = {
    "add": lambda a, b: make("sum", a, b),
    "subtract": lambda a, b: make("sum", a, make("negative", b)),
    "multiply": lambda a, b: make("product", a, b),
    "divide": lambda a, b: make("quotient", a, b),
    "negative": lambda x: make("negative", x),
    "reciprocal": lambda x: make("quotient", ONE, x),
    "square": lambda x: make("power", x, number(2)),
    "power": lambda a, b: make("power", a, b),
    "sqrt": lambda x: make("sqrt", x),
    "floor": lambda x: make("rounded", x, data="⌊⌋"),
    "ceil": lambda x: make("rounded", x, data="⌈⌉"),
    "floor_divide": lambda a, b: make("rounded", make("quotient", a, b), data="⌊⌋"),
    "absolute": lambda x: make("absolute", x),
    "matmul": lambda a, b: make("matmul", a, b),
    "matrix_transpose": lambda x: make("transpose", x),
    "zero": lambda x: ZERO,
    **{silent: lambda x: x for silent in ("positive", "copy", "astype")},
    **{op: partial(lambda sign, *xs: make("holds", *xs, data=sign), sign) for op, sign in {
        "equal": "=", "not_equal": "≠", "less": "<", "less_equal": "≤", "greater": ">", "greater_equal": "≥",
        "logical_and": "∧", "logical_or": "∨", "logical_xor": "⊕", "logical_not": "¬",
        "bitwise_and": "∧", "bitwise_or": "∨", "bitwise_xor": "⊕", "invert": "¬",
    }.items()},
}  # fmt: skip


def spell(op: Any, xs: Sequence[Symbol], y: Any, settings: Mapping[str, Any]) -> Expression:
    """The op applied to `xs`, as an expression; `y` is the value of the result."""
    parts = [x.expression for x in xs]
    if op.selects:
        return make("index", *parts, data=str(settings["index"]))
    if all(part.kind == "number" for part in parts) and not isinstance(y, tuple):
        return constant(y)
    first = xs[0].shape
    axes = _axes(settings.get("axis"), len(first))
    unsaid = (first, str(settings))
    declared: Any = ANSWERS.get(op.name)
    known = op.name if declared is op else ""  # an op of one's own may have any name
    if known in SPELLINGS:
        return SPELLINGS[known](*parts)
    match known:
        case "broadcast_to" | "expand":
            axis = settings.get("axis")
            kept = np.expand_dims(xs[0].value, axis).shape if axis is not None and y.ndim != len(first) else first
            return move(parts[0], first, kept)
        case "expand_dims" | "squeeze":
            return move(parts[0], first, y.shape)
        case "reshape":
            if _alike(first, y.shape):
                return move(parts[0], first, y.shape)
        case "sum" | "prod":
            if _alike(first, y.shape):
                return move(parts[0], first, y.shape)
            return make("over", *parts, data=("Σ" if known == "sum" else "∏", axes, unsaid))
        case "gate":
            return make("product", parts[0], truth(xs[1]))
        case "where" if parts[2] == ZERO:
            return make("product", parts[1], truth(xs[0]))
        case "einsum":
            return call("einsum", name(settings["equation"].replace("->", "→")), *parts)
        case "constant_power":
            return make("power", *parts, number(settings["exponent"]))
        case "transpose" | "swapaxes" | "moveaxis":
            axes_in_order = op.forward(np.empty(range(len(first))), **settings).shape
            if axes_in_order == tuple(range(len(first))):
                return parts[0]
            if axes_in_order == (*range(len(first) - 2), len(first) - 1, len(first) - 2):
                return make("transpose", *parts)
        case "getitem":
            key = op.symbol(**settings)[1:-1]  # with # for an array
            if all(part in ("", ":", "...", "None") for part in key.split(", ")):
                return move(parts[0], first, y.shape)
            return make("index", *parts, data=key.replace("#", "{}"))
        case "scatter":
            key = op.symbol(**settings).removesuffix("+=")
            return make("scatter", *parts, data=(key.replace("#", "{}"), unsaid))
    default = _defaults(op.forward)
    said = {key: value for key, value in settings.items() if key not in _UNSAID and value is not None}
    options = [_option(value) for key, value in said.items() if key not in default or value != default[key]]
    return call(op.name, *parts, axes=axes, options=tuple(options), unsaid=unsaid)


_UNSAID = {"axis", "keepdims", "shape", "key", "dtype", "num_classes", "axisa", "axisb", "axisc"}


def _defaults(forward: Any) -> dict[str, Any]:
    """What the settings of a forward function are where they are left out."""
    try:
        return {p.name: p.default for p in inspect.signature(forward).parameters.values()}
    except ValueError:  # one written in C
        return {}


def truth(x: Symbol) -> Expression:
    """1 where `x` is true, or else a number greater than 0."""
    if x.expression.kind == "holds":
        return x.expression
    return make("holds", x.expression, data="") if x.dtype == bool else make("holds", x.expression, ZERO, data=">")


def _option(value: Any) -> str:
    return str(value).replace("-", "−")


def _axes(axis: Any, ndim: int) -> str:
    """The axes to write: none where it is all of them."""
    if axis is None:
        return ""
    chosen = sorted({a % ndim for a in (axis if isinstance(axis, tuple) else (axis,))}) if ndim else []
    return "" if len(chosen) == ndim else ",".join([str(a) for a in chosen])


def constant(array: Any) -> Expression:
    """An array that has no name: its number if it holds only one, I for the identity, else its elements if they are few."""
    a = np.asarray(array)
    if a.size == 1 or (a.size and (a == a.flat[0]).all()):
        return number(a.flat[0])
    written = " ".join(np.array2string(a, separator=", ", precision=4).split()) if a.size <= 8 else "…"
    if a.ndim >= 2 and a.shape[-1] == a.shape[-2] and (a == np.eye(a.shape[-1])).all():
        written = "I"
    return Expression("constant", (), (written.replace("[", "(").replace("]", ")"), a.shape, a.tobytes()))


# ---------------------------------------------------------------------------------------------------
# Symbols


LONGEST = 200
"""So many parts may a formula have that is to be read."""


class Symbol(NDArrayOperatorsMixin):
    """An expression and a sample value: NumPy's functions compute with both.

    Of an array's attributes it has those that a gradient rule may use: `shape ndim dtype size T mT`.

    >>> x, y = Symbol("x", [1.0, 2.0]), Symbol("y", [3.0, 4.0])
    >>> np.exp(-x) * y * 2 * y
    2·exp(−x)·y²
    >>> (np.exp(-x) * y).latex()
    'e^{-x} \\\\cdot y'
    """

    __slots__ = ("expression", "value")

    __hash__ = object.__hash__  # the mixin's elementwise == takes it away

    def __init__(self, expression: Expression | str, value: Any) -> None:
        self.expression = name(expression) if isinstance(expression, str) else expression
        self.value: Any = value if isinstance(value, tuple) else np.asarray(value)

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis of the value."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """The number of axes of the value."""
        return self.value.ndim

    @property
    def size(self) -> int:
        """The number of elements of the value."""
        return self.value.size

    @property
    def dtype(self) -> Any:
        """The type of each element of the value."""
        return self.value.dtype

    @property
    def T(self) -> Any:
        """The axes in reverse order."""
        return np.transpose(self)

    @property
    def mT(self) -> Any:
        """The last two axes exchanged."""
        return np.matrix_transpose(self)

    def text(self, *, simplify: bool = True, matmul: str = " @ ") -> str:
        """The expression as a line of text. Raises ValueError for one of more than `LONGEST` parts."""
        return Text(matmul).write(self._to_write(simplify))

    def latex(self, *, simplify: bool = True, matmul: str = r" \, ") -> str:
        """The expression as LaTeX, without the dollars. Raises ValueError for one of more than `LONGEST` parts."""
        return LaTeX(matmul).write(self._to_write(simplify))

    def _to_write(self, simplify: bool) -> Expression:
        if self.expression.size > LONGEST:
            raise ValueError(
                f"a formula of {self.expression.size:,} parts is too long to read (the limit is {LONGEST}); "
                "print it in steps: chain(output, local=True)"
            )
        return normal(self.expression) if simplify else self.expression

    def __repr__(self) -> str:
        return self.text() if self.expression.size <= LONGEST else f"<a formula of {self.expression.size:,} parts>"

    def __bool__(self) -> bool:
        return bool(self.value)

    def __getitem__(self, key: Any) -> Any:
        return ANSWERS["getitem"](self, key)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        if method == "__call__" and not settings and ufunc in UFUNCS:
            return UFUNCS[ufunc](inputs)
        answer = ANSWERS.get(ufunc if method == "__call__" else (ufunc, method))
        if answer is None or "out" in settings:
            raise TypeError(f"np.{ufunc.__name__} {method} is no operation on symbols that prints")
        return answer(*inputs, **settings)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function in ANSWERS:
            return ANSWERS[function](*args, **kwargs)
        if function in ASKS:
            return function(*_values(args), **_values(kwargs))
        raise TypeError(f"{function.__module__}.{function.__name__} is no operation on symbols that prints")

    def __apply_op__(self, op: Any, inputs: Sequence[Any], settings: Mapping[str, Any]) -> Any:
        """What `Op.apply` gives for symbols: one that prints the op, with the value that it computes."""
        xs = [_symbol(x) for x in inputs]
        with np.errstate(all="ignore"):
            y = op.compute([_values(x) for x in inputs], settings)
        if op.outputs is None:
            return Symbol(spell(op, xs, y, settings), y)
        whole = call(op.name, *[x.expression for x in xs])
        parts = [Symbol(make("index", whole, data=str(i)), part) for i, part in enumerate(y[: op.outputs])]
        return parts[0] if op.outputs == 1 else tuple(parts)


def _symbol(x: Any) -> Symbol:
    """Any operand as a symbol: a tensor by its name, an array by its numbers."""
    if isinstance(x, Symbol):
        return x
    value = _values(x)
    named = isinstance(x, Tensor) and x.name is not None
    return Symbol(name(x.name) if named else constant(value), value)


def _values(x: Any) -> Any:
    """The numbers in place of symbols and tensors, also inside lists, tuples and dicts."""
    if isinstance(x, Symbol):
        return x.value
    if isinstance(x, Tensor):
        return x._data
    if isinstance(x, list | tuple):
        return type(x)([_values(part) for part in x])
    return {key: _values(part) for key, part in x.items()} if isinstance(x, dict) else x


# ---------------------------------------------------------------------------------------------------
# One rule


def run_rule(op: Any, i: int, g: Any, y: Any, *xs: Any, **settings: Any) -> Symbol:
    """The gradient rule of input `i` run on symbols: ∂L/∂xᵢ, with its value.

    Where the op states a plainer rule, the expression is that rule's; the value is the op's own all the same.
    A rule that returns `g` itself is ∂L/∂y·1.
    """
    plain = stated(op, i)[1]
    if plain is not None:
        with np.errstate(all="ignore"):
            value = op.rules[i](_values(g), _values(y), *[_values(x) for x in xs], **settings)
            result = Symbol(_symbol(plain(g, y, *xs, **settings)).expression, value)
    else:
        result = _symbol(op.rules[i](g, y, *xs, **settings))
    if not isinstance(g, tuple) and result.expression is g.expression:
        return Symbol(make("product", g.expression, ONE), result.value)
    return result


def run_or_name_rule(op: Any, i: int, g: Any, y: Any, *xs: Any, **settings: Any) -> Symbol:
    """The rule of input `i` run on symbols, or else by name, as the vector–Jacobian product f′(x)ᵀ @ ∂L/∂y.

    By name where the op states its formula in words alone, and its rule prints more than `WORDY` parts or cannot
    run on symbols.
    """
    said, plain = stated(op, i)
    if said is None or plain is not None:
        return run_rule(op, i, g, y, *xs, **settings)
    incoming = [part.expression for part in (g if isinstance(g, tuple) else (g,)) if isinstance(part, Symbol)]
    try:
        result = run_rule(op, i, g, y, *xs, **settings)
    except Exception:  # whatever a program that is run again makes of symbols
        value = op.rules[i](_values(g), _values(y), *[_values(x) for x in xs], **settings)
    else:
        value = result.value
        if result.expression.size - sum([e.size for e in incoming]) <= WORDY:
            return result
    slope = call(f"{op.name}′" if len(xs) == 1 else f"∂{op.name}/∂{_indexed('x', i)}", *[x.expression for x in xs])
    arrived = incoming[0] if len(incoming) == 1 else call("", *incoming)
    return Symbol(make("matmul", make("transpose", slope), arrived), value)


WORDY = 40
"""So many parts may a rule print where its op also says in words what it does."""


def rule_formula(op: Any, i: int = 0, *, latex: bool = False, simplify: bool = True) -> str:
    """The gradient rule of input `i` of an op, printed; what `Op.formula` returns.

    Raises IndexError for an input that the op does not have, ValueError for an op without examples to draw a
    sample from.

    >>> import tinygrad_edu as tg
    >>> rule_formula(tg.multiply, 0), rule_formula(tg.sigmoid)
    ('∂L/∂a = ∂L/∂y·b', '∂L/∂x = ∂L/∂y·y·(1−y)')
    >>> rule_formula(tg.square), rule_formula(tg.add, simplify=False)
    ('∂L/∂x = ∂L/∂y·2x', '∂L/∂a = ∂L/∂y·1')
    """
    writer = LaTeX() if latex else Text()
    sentence = stated(op, i)[0]
    if sentence is not None:
        return writer.sentence(sentence)
    sample = draw_sample(op, i)
    left = writer.write(gradient("L", sample.xs[i].expression.data))
    if op.rules is None or op.rules[i] is None:
        return left + writer.sentence(": none")
    result = sample.run(i)
    return f"{left} = {result.latex(simplify=simplify) if latex else result.text(simplify=simplify)}"


def stated(op: Any, i: int) -> tuple[str | None, Callable[..., Any] | None]:
    """What the op states of the gradient of its input `i`: a sentence, and the rule in its plainest form, or None."""
    if not op.formulas or op.rules is None or op.rules[i] is None:
        return None, None
    said = op.formulas[i if i < len(op.formulas) else -1]
    if isinstance(said, tuple):
        return said
    return (None, said) if callable(said) else (said, None)


@dataclass(frozen=True)
class Sample:
    """A call of an op to print its rules by: inputs, output and incoming gradient as symbols, and the settings."""

    op: Any
    xs: list[Symbol]
    settings: dict[str, Any]
    y: Any
    g: Any

    def run(self, i: int) -> Symbol:
        """The rule of input `i` on the symbols, summed over the axes along which the input is broadcast."""
        result = run_rule(self.op, i, self.g, self.y, *self.xs, **self.settings)
        return result if result.shape == self.xs[i].shape else unbroadcast(result, self.xs[i].shape)


def draw_sample(op: Any, i: int) -> Sample:
    """A call of the op out of its examples: the first that is not empty, and does not broadcast input `i`."""
    samples = sorted(_samples(op), key=lambda sample: callable(op.vjp) and len(sample.xs) != 2)  # two say more than one
    if not samples:
        raise ValueError(f"{op.name} has no example to draw a sample from; declare examples=[example((2, 3)), …]")
    if not 0 <= i < len(samples[0].xs):
        raise IndexError(f"{op.name} has {len(samples[0].xs)} inputs, numbered from 0, so no input {i}")
    if op.broadcasts and not callable(op.vjp) and len(samples[0].xs) > 1:
        samples.sort(key=lambda sample: sample.xs[i].shape != sample.y.shape)
    return samples[0]


def _samples(op: Any) -> Iterator[Sample]:
    """The calls that the op's examples describe, as they are recorded."""
    for example in op.examples:
        args, kwargs = example.draw(np.random.default_rng(0), op.domains)
        with tracing(), np.errstate(all="ignore"):
            result = op(*_tensors(args), **kwargs)
            if not isinstance(result, Tensor | tuple | list):  # of arrays of indices alone
                result = op(*_tensors(args, "biu"), **kwargs)
        node = result[0] if isinstance(result, tuple | list) else result
        node = node.inputs[0] if node.op.selects else node
        values = [x._data for x in node.inputs]
        if node.op is not op or not all(value.size for value in values):
            continue
        xs = [Symbol(text, value) for text, value in zip(_input_names(op, len(values)), values, strict=True)]
        y, g = _outputs(op, node._data, getattr(result, "_fields", ()))
        yield Sample(op, xs, dict(node.settings), y, g)


def _tensors(args: Any, kinds: str = "fc") -> Any:
    """The arguments with tensors for arrays of numbers, so that the call is recorded."""
    if isinstance(args, list):
        return [_tensors(arg, kinds) for arg in args]
    return Tensor(args) if isinstance(args, numpy.ndarray) and args.dtype.kind in kinds else args


def _outputs(op: Any, data: Any, fields: Sequence[str]) -> tuple[Any, Any]:
    """The output y and the gradient ∂L/∂y of an op, as symbols; tuples of them for several outputs, which `fields` name."""
    if op.outputs is None:
        return Symbol("y", data), Symbol(gradient("L", "y"), _random(data, 0))
    shown = list(fields) or (["y"] if op.outputs == 1 else [])
    names = shown + [_indexed("y", k) for k in range(len(shown), len(data))]
    y = tuple([Symbol(text, part) for text, part in zip(names, data, strict=True)])
    g = [
        Symbol(gradient("L", text), _random(part, k)) if k < op.outputs else np.zeros_like(part)  # a hidden one
        for k, (text, part) in enumerate(zip(names, data, strict=True))
    ]
    return y, tuple(g)


def _input_names(op: Any, count: int) -> list[str]:
    """What the op's rules, or else its forward function, call the inputs."""
    rule = op.vjp if callable(op.vjp) else next(filter(None, op.vjp or ()), None)
    skipped = (3 if callable(op.vjp) else 2) if rule else 0
    if rule is None:
        if isinstance(op.forward, np.ufunc):
            return ["x"] if count == 1 else ["a", "b", "c"][:count]
        rule = op.forward
    found = [p for p in inspect.signature(rule).parameters.values() if p.kind is not p.KEYWORD_ONLY][skipped:]
    names = [p.name.strip("_") for p in found if p.kind is not p.VAR_POSITIONAL][:count]
    return names if len(names) == count else [_indexed("x", k) for k in range(count)]


def _indexed(text: str, k: int) -> str:
    return text + str(k).translate(SUBSCRIPTS)


def _random(a: Any, seed: int) -> Any:
    """Random numbers to stand for the gradient of `a`."""
    return np.random.default_rng(seed).standard_normal(np.shape(a))


# ---------------------------------------------------------------------------------------------------
# A whole record


@dataclass(frozen=True)
class Chain:
    """A record, read as formulas. Every symbol carries the value that the formula has in the record.

    names: what each tensor is called. definitions: each computed tensor, in the order of computing, as its op
    applied to its inputs' names. contributions: what each use of a tensor, `(node, position)`, adds to its
    gradient. gradients: their sums, ∂L/∂node, for the output, everything between, and the leaves.
    """

    output: Tensor
    of: str
    names: dict[Tensor, str]
    definitions: dict[Tensor, Symbol]
    contributions: dict[tuple[Tensor, int], Symbol]
    gradients: dict[Tensor, Symbol]

    def left(self, tensor: Tensor, latex: bool = False) -> str:
        """∂L/∂tensor, as it is written."""
        return (LaTeX() if latex else Text()).write(gradient(self.of, self.names[tensor]))


def _one_of(whole: Expression, k: int, outputs: int) -> Expression:
    """One of the results of an op that has several; the only one is the whole."""
    return whole if k == 0 and outputs == 1 else make("index", whole, data=str(k))


class _Node(Symbol):
    """A tensor of a record as a symbol: `graph.walk` reads it as it reads the tensor."""

    __slots__ = ("_data", "_extra", "_requires_grad", "inputs", "op", "parts", "settings", "tensor")

    def __init__(self, tensor: Tensor, expression: Expression, inputs: tuple[_Node, ...], notes: Any) -> None:
        super().__init__(expression, tensor._data)
        self.tensor = tensor
        self.inputs = inputs
        self.op = None if tensor.op is None else _PrintedOp(tensor.op)
        self.settings = tensor.settings
        self.parts: dict[int, Symbol] = {}  # of a node with several outputs: those that were used
        self._data = tensor._data
        self._requires_grad = tensor._requires_grad
        self._extra = notes

    def _value(self) -> Any:
        if not isinstance(self._data, tuple):
            return self
        count = self.tensor.op.outputs
        return tuple(
            [self.parts.get(k, Symbol(_one_of(self.expression, k, count), a)) for k, a in enumerate(self._data)]
        )

    def _describe(self) -> str:
        return self.tensor._describe()


class _PrintedOp:
    """An op whose rules print; it is the list of them as well."""

    def __init__(self, op: Any) -> None:
        self.name, self.outputs, self.broadcasts, self.selects = op.name, op.outputs, op.broadcasts, op.selects
        self.op = op

    @property
    def rules(self) -> _PrintedOp:
        return self

    def __getitem__(self, i: int) -> Any:
        rule = None if self.op.rules is None else self.op.rules[i]
        return rule if rule is None or self.selects else partial(run_or_name_rule, self.op, i)


class _Notes:
    """What the walk leaves at each node it reaches: the gradient; with `local`, a name goes on in its place."""

    retains = False

    def __init__(self, names: Mapping[Tensor, Expression], local: bool) -> None:
        self.names, self.local = names, local
        self.gradients: dict[Tensor, Symbol] = {}

    def run_hooks(self, g: Any, node: _Node, create_graph: bool) -> Any:
        if isinstance(node._data, tuple):
            return g
        self.gradients[node.tensor] = g
        return Symbol(self.names[node.tensor], g.value) if self.local else g


def chain(
    output: Tensor,
    names: Mapping[str, Tensor] | None = None,
    *,
    loss: str | None = None,
    local: bool = False,
    inline: bool = False,
) -> Chain:
    """Read the record of `output` as formulas: the chain rule, walked on symbols.

    names: what to call the tensors; else their own `name`; else x, t, y, with an index where there are several.
    loss: the name of a quantity L beyond the output, so that the walk starts from ∂L/∂output, with the value 1.
    Left out, the output itself is differentiated, if it is a single number (∂z/∂z = 1), or else an L.
    local: each contribution in terms of the gradient of the op's result, ∂L/∂t·cos(x), instead of in full.
    inline: what was computed on the way and has no name of its own is written out, exp(−x), instead of as t.

    Hooks on tensors do not take part.

    Raises RuntimeError if `output` depends on nothing that requires a gradient, or if its record is freed or stale.

    >>> import tinygrad_edu as tg
    >>> x, y = tg.Tensor(2.0, requires_grad=True, name="x"), tg.Tensor(3.0, requires_grad=True, name="y")
    >>> t = x + y
    >>> z = t ** 2
    >>> read = chain(z, {"t": t, "z": z})
    >>> read.contributions[z, 0].text(simplify=False), read.contributions[t, 1].text(simplify=False)
    ('∂z/∂z·2t', '∂z/∂z·2t·1')
    >>> read.gradients[x], read.gradients[x].value.item()
    (2t, 10.0)
    """
    if not output._requires_grad:
        raise RuntimeError(
            f"{output._describe()} depends on no tensor that requires a gradient: there is no chain to print"
        )
    order = topological([output], through_constants=True)
    given = {} if names is None else {tensor: text for text, tensor in names.items()}
    called = _names(order, output, given)
    alone = loss is None and output.size == 1
    of = called[output] if alone else loss or next(text for text in ("L", "J", "ℒ") if text not in called.values())
    start = gradient(of, called[output], one=alone)
    notes = _Notes({tensor: gradient(of, text) for tensor, text in called.items()} | {output: start}, local)
    nodes: dict[Tensor, _Node] = {}
    definitions: dict[Tensor, Symbol] = {}
    for tensor in order:
        inputs = tuple([nodes[x] for x in tensor.inputs])
        if tensor.op is None:
            spelled = constant(tensor._data)
        elif tensor.op.selects:
            spelled = _one_of(inputs[0].expression, tensor.settings["index"], tensor.inputs[0].op.outputs)
        else:
            spelled = spell(tensor.op, inputs, tensor._data, tensor.settings)
        written_out = inline and not (tensor is output or tensor.op is None or tensor.name or tensor in given)
        expression = spelled if written_out or tensor not in called else name(called[tensor])
        if tensor.op is not None and tensor in called:
            definitions[tensor] = Symbol(spelled, tensor._data)
        node = nodes[tensor] = _Node(tensor, expression, inputs, notes)
        if tensor.op is not None and tensor.op.selects:
            inputs[0].parts[tensor.settings["index"]] = node
    contributions: dict[tuple[Tensor, int], Symbol] = {}

    def note(node: _Node, i: int, contribution: Symbol) -> None:
        contributions[node.tensor, i] = contribution

    totals = {nodes[output]: Symbol(start, np.ones_like(output._data))}
    with recording(enabled=False, everything=False, anomaly=False), np.errstate(all="ignore"):
        walk([nodes[x] for x in topological([output])], totals, note, create_graph=True)
    return Chain(output, of, called, definitions, contributions, notes.gradients)


def _names(order: Sequence[Tensor], output: Tensor, given: Mapping[Tensor, str]) -> dict[Tensor, str]:
    """What each tensor is called, in the order of use; a constant of few numbers is not called anything."""
    called: dict[Tensor, str] = {}
    taken: set[str] = set()

    def take(tensor: Tensor, wanted: str) -> None:
        others = (_indexed(wanted, k) for k in itertools.count(2))
        called[tensor] = next(text for text in itertools.chain([wanted], others) if text not in taken)
        taken.add(called[tensor])

    used = dict.fromkeys([x for tensor in order if tensor.op is not None for x in (*tensor.inputs, tensor)] or order)
    own = {tensor: tensor.name for tensor in used if tensor.name and tensor not in given}
    for tensor, text in [*given.items(), *own.items()]:
        take(tensor, text)
    if output not in called:
        take(output, next((letter for letter in "yzLuvw" if letter not in taken), "y"))
    kinds: dict[str, list[Tensor]] = {"x": [], "c": [], "t": []}
    for tensor in used:
        if tensor not in called and not isinstance(tensor._data, tuple):
            if tensor.op is not None:
                kinds["t"].append(tensor)
            elif tensor._requires_grad:
                kinds["x"].append(tensor)
            elif tensor.size > 8 and constant(tensor._data).kind == "constant":
                kinds["c"].append(tensor)
    for letter, tensors in kinds.items():
        for k, tensor in enumerate(tensors, 1):
            take(tensor, letter if len(tensors) == 1 else _indexed(letter, k))
    return called


def formula(
    output: Tensor,
    leaf: Tensor,
    names: Mapping[str, Tensor] | None = None,
    *,
    loss: str | None = None,
    latex: bool = False,
) -> str:
    """The chain rule from `output` back to `leaf`, a line a step: in symbols, simplified, and evaluated.

    First what was computed, then the gradients of what lies between, then that of the leaf: in terms of them, in
    full, and in numbers. A formula of more than `LONGEST` parts is not written in full. For an output that is not
    a single number, or with `loss`, the lines start from ∂L/∂output, and nothing is evaluated.
    With `latex` each line is a formula to be put between dollars. Arguments and errors as those of `chain`.

    >>> import tinygrad_edu as tg
    >>> x, y = tg.Tensor(2.0, requires_grad=True, name="x"), tg.Tensor(3.0, requires_grad=True, name="y")
    >>> t = x + y
    >>> z = t ** 2
    >>> print(formula(z, x, {"t": t, "z": z}))
    t = x + y = 5
    z = t² = 25
    ∂z/∂t = ∂z/∂z·2t = 2t = 10
    ∂z/∂x = ∂z/∂t·1 = ∂z/∂z·2t·1 = 2t = 10
    """
    read = chain(output, names, loss=loss, local=True)
    full = chain(output, names, loss=loss)
    if leaf not in read.gradients:
        raise RuntimeError(
            f"formula() found no path from {output._describe()} to {leaf._describe()} that requires a gradient"
        )
    writer = LaTeX() if latex else Text()
    evaluated = loss is None and output.size == 1
    lines = []

    def add(left: str, symbols: Sequence[tuple[Symbol, bool]], numbers: bool) -> None:
        written = [
            s.latex(simplify=simplify) if latex else s.text(simplify=simplify)
            for s, simplify in symbols
            if s.expression.size <= LONGEST
        ]
        if numbers:
            written += _evaluated(symbols[0][0].value, writer)
        lines.append(" = ".join(dict.fromkeys([left, *written])))

    for tensor, symbol in read.definitions.items():
        add(writer.write(name(read.names[tensor])), [(symbol, True)], True)
    between = _descendants(leaf, list(read.definitions))
    for tensor, local in read.gradients.items():
        if tensor is leaf or (tensor in between and tensor is not output):
            whole = full.gradients[tensor]
            steps = (
                [(local, False), (whole, False), (whole, True)] if tensor is leaf else [(local, False), (local, True)]
            )
            add(read.left(tensor, latex), steps, evaluated)
    return "\n".join(lines)


def _descendants(leaf: Tensor, order: Sequence[Tensor]) -> set[Tensor]:
    """What was computed from `leaf`."""
    found = {leaf}
    for tensor in order:
        if not found.isdisjoint(tensor.inputs):
            found.add(tensor)
    return found


def _evaluated(value: Any, writer: Text) -> list[str]:
    """A value to stand at the end of a line: a number, or a few of them."""
    if isinstance(value, tuple) or value.size > 6:
        return []
    if value.size == 1:
        return [writer.write(number(value.item()))]
    return [writer.write(name(" ".join(np.array2string(value, separator=", ", precision=4).split())))]


class _CallableModule(types.ModuleType):
    """`tinygrad_edu.formula` is both this module and the function that it is named after."""

    __call__ = staticmethod(formula)


sys.modules[__name__].__class__ = _CallableModule

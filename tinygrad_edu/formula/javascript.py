"""The reading in JavaScript: an op's forward function and its rules, run on symbols, print what a page can compute.

A `Scripted` symbol meets an op as any symbol does, and is spelled as in a formula; `javascript` writes the expression. An
op that is no elementary function (a sigmoid) is what its own forward function makes of the symbols. There is no table of
derivatives here, only one of elementary functions.

All is of single numbers, computed in double precision. What depends on numbers otherwise than by these expressions, a
branch or a loop, raises `Unprintable`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.recording import quietly
from tinygrad_edu.engine.rules import Joint
from tinygrad_edu.formula.expression import Expression
from tinygrad_edu.formula.spelling import spell
from tinygrad_edu.formula.symbol import Symbol, as_symbol, values_of


class Unprintable(ValueError):
    """Something that has no JavaScript here."""


# ---------------------------------------------------------------------------------------------------
# Writing an expression

ELEMENTARY: Mapping[str, str] = {
    **{name: f"Math.{name}({{0}})" for name in (
        "exp", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh", "cbrt", "sign", "trunc",
    )},
    **{f"arc{name}": f"Math.a{name}({{0}})" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "exp2": "Math.pow(2, {0})", "arctan2": "Math.atan2({0}, {1})", "hypot": "Math.hypot({0}, {1})", "fmod": "({0} % {1})",
    "maximum": "Math.max({0}, {1})", "minimum": "Math.min({0}, {1})", "clip": "Math.min(Math.max({0}, {1}), {2})",
    "logaddexp": "(Math.max({0}, {1}) + Math.log1p(Math.exp(-Math.abs({0} - {1}))))", "fabs": "Math.abs({0})",
    "sum": "({0} + {1})", "negative": "(-{0})", "quotient": "({0} / {1})", "power": "Math.pow({0}, {1})",
    "sqrt": "Math.sqrt({0})", "absolute": "Math.abs({0})", "⌊⌋": "Math.floor({0})", "⌈⌉": "Math.ceil({0})",
}  # fmt: skip
"""Elementary functions, by the names of their ops, and arithmetic, by its kind."""

_SIGNS = {"=": "===", "≠": "!==", "<": "<", "≤": "<=", ">": ">", "≥": ">=", "⊕": "!==", "∧": "&&", "∨": "||"}
_CONSTANTS = {"π": "Math.PI", "∞": "Infinity", "NaN": "NaN"}
_VARIABLE = re.compile(r"[a-z]\d*", re.ASCII)


def javascript(e: Expression) -> str:
    """An expression of single numbers in JavaScript. Raises Unprintable for what is none.

    >>> x = Scripted("x", 2.0)
    >>> javascript((np.exp(-x) * 3).expression), javascript(np.maximum(x, 0).expression)
    ('(Math.exp((-x)) * 3.0)', 'Math.max(x, 0.0)')
    """
    match e.kind:
        case "name" if e.data in _CONSTANTS or _VARIABLE.fullmatch(e.data):
            return _CONSTANTS.get(e.data, e.data)
        case "number":
            return f"({float(e.data)!r})" if e.data < 0 else repr(float(e.data))
        case "product":
            return _product(e)
        case "power":
            return _filled("power", e)
        case "holds":
            return f"({_condition(e)} ? 1 : 0)"
        case "call" if e.data[0] == "where":
            condition, a, b = e.parts
            return f"({_condition(condition)} ? {javascript(a)} : {javascript(b)})"
        case "call" if not e.data[2]:
            return _filled(e.data[0], e)
        case "rounded":
            return _filled(e.data, e)
    return _filled(e.kind, e)


def _filled(name: str, e: Expression) -> str:
    parts = [javascript(part) for part in e.parts]
    form = ELEMENTARY.get(name)
    if form is None or len({*re.findall(r"\{\d\}", form)}) != len(parts):
        raise Unprintable(name)
    return form.format(*parts)


def _product(e: Expression) -> str:
    """A product; with a truth as factor, the rest where it holds and else 0, also for ∞ and NaN."""
    truths = [part for part in e.parts if part.kind == "holds"]
    written = " * ".join([javascript(part) for part in e.parts if part.kind != "holds"]) or "1"
    if not truths:
        return f"({written})"
    return f"({' && '.join([_condition(part) for part in truths])} ? {written} : 0)"


def _condition(e: Expression) -> str:
    """Whether something holds, or is another number than 0."""
    if e.kind != "holds" or e.data == "":
        return f"({javascript(e.parts[0] if e.kind == 'holds' else e)} !== 0)"
    if e.data == "¬":
        return f"!{_condition(e.parts[0])}"
    write = _condition if e.data in "∧∨⊕" else javascript
    a, b = [write(part) for part in e.parts]
    return f"({a} {_SIGNS[e.data]} {b})"


# ---------------------------------------------------------------------------------------------------
# Running an op on symbols


class Scripted(Symbol):
    """A symbol for a single number, which meets ops as it will in the page: a branch on it cannot be printed."""

    __slots__ = ()

    def __bool__(self) -> bool:
        raise Unprintable("a branch that depends on numbers")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        if settings.get("out") == (inputs[0],):  # x *= y gives the name x to the product
            del settings["out"]
        return super().__array_ufunc__(ufunc, method, *inputs, **settings)

    def __apply_op__(self, op: Any, inputs: Sequence[Any], settings: Mapping[str, Any]) -> Scripted:
        return run_forward(op, inputs, settings)


def run_forward(op: Any, inputs: Sequence[Any], settings: Mapping[str, Any]) -> Scripted:
    """The op applied to symbols: as it is spelled, or else what its forward function makes of them.

    Raises Unprintable if neither can be printed.
    """
    xs = [as_symbol(x) for x in inputs]
    y = quietly(op.compute, [values_of(x) for x in inputs], settings)
    if op.outputs is not None or np.shape(y) != ():
        raise Unprintable(op.name)
    spelled = spell(op, xs, y, settings)
    if _prints(spelled):
        return Scripted(spelled, y)
    if isinstance(op.forward, np.ufunc):
        raise Unprintable(op.name)
    try:
        made = as_symbol(op.forward(*xs, **settings))
    except Exception as error:  # whatever a program makes of symbols that it was not written for
        raise Unprintable(op.name) from error
    if not _prints(made.expression) or not _same(made.value, y):
        raise Unprintable(op.name)
    return Scripted(made.expression, y)


def run_rule_of(op: Any, i: int, g: Any, y: Any, xs: Sequence[Any], settings: Mapping[str, Any], expected: Any) -> str:
    """What the rule of input `i` makes of symbols, in JavaScript; `expected` is its value in the record.

    Raises Unprintable, with the name of the op, if it cannot be printed.
    """
    if isinstance(op.rules, Joint):
        raise Unprintable(op.name)
    try:
        result = as_symbol(quietly(lambda: op.rules[i](g, y, *xs, **settings)))
        written = javascript(result.expression)
    except Exception as error:  # a rule may do what symbols cannot, in any way
        raise Unprintable(op.name) from error
    if not _same(result.value, expected):
        raise Unprintable(op.name)
    return written


def _prints(e: Expression) -> bool:
    try:
        javascript(e)
    except Unprintable:
        return False
    return True


def _same(a: Any, b: Any) -> bool:
    return bool(np.allclose(a, b, rtol=1e-12, atol=0, equal_nan=True))

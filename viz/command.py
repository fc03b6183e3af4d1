"""Expressions of the command line: parsed, checked node by node, and computed on tensors; never run as code.

What there is: + − * / ** @, signs, parentheses, numbers, names, array literals, and calls of the package's
operations, with numbers as settings: `relu(x @ W + b)`, `sum(x, axis=0)`.
"""

from __future__ import annotations

import ast
import functools
import keyword
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.engine.elsewhere import meant
from tinygrad_edu.engine.registry import COMPOSITES, OPS
from tinygrad_edu.engine.tables import uneven

LONGEST_COMMAND = 10_000  # characters

CONSTANTS = {"inf": math.inf, "nan": math.nan, "pi": math.pi, "π": math.pi}
"""What these names stand for unless they are given another value."""

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.MatMult: operator.matmul, ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip


class ExpressionError(ValueError):
    """What is wrong with an expression, and in which column (from 1)."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.column = column


class Expression:
    """An expression that has been found to be nothing but arithmetic. Raises ExpressionError for any other.

    It may call operations by any of their names in tinygrad_edu: `abs(x)`, `pow(x, 3)`, `mod(x, 2)`.

    >>> Expression("(apple * count) * tax").compute({"apple": 100.0, "count": 2.0, "tax": 1.5})
    300.0
    >>> Expression("2 * x.real")
    Traceback (most recent call last):
    viz.command.ExpressionError: column 5: an attribute is not arithmetic
    """

    def __init__(self, text: str) -> None:
        self.text = text = text.strip()
        if len(text) > LONGEST_COMMAND:
            raise ExpressionError(f"the expression has more than {LONGEST_COMMAND:,} characters", LONGEST_COMMAND + 1)
        try:
            self.root: ast.AST = ast.parse(text, mode="eval").body
        except SyntaxError as error:
            raise ExpressionError(_cured(text) or error.msg, error.offset or 1) from None
        except (ValueError, MemoryError, RecursionError) as error:
            raise ExpressionError(f"it cannot be read: {error}", 1) from None
        self._nodes: list[ast.AST] = [self.root]
        for node in self._nodes:  # the list grows as it is read
            self._nodes += self._parts(node)

    @property
    def names(self) -> list[str]:
        """The names that values are needed for, in the order in which they stand."""
        found = [node for node in self._nodes if isinstance(node, ast.Name)]
        return list(dict.fromkeys(node.id for node in sorted(found, key=lambda node: node.col_offset)))

    def compute(self, values: Mapping[str, Any]) -> Any:
        """The value of the expression. Raises ExpressionError where an operation refuses what it is given."""
        known: dict[ast.AST, Any] = {}
        for node in reversed(self._nodes):  # what is inside comes first
            try:
                known[node] = self._value(node, known, values)
            except OverflowError as error:
                raise ExpressionError("the number is too large", self._column(node)) from error
            except Exception as error:
                raise ExpressionError(str(error), self._column(node)) from error
        return known[self.root]

    def _parts(self, node: ast.AST) -> Sequence[ast.AST]:
        """What is computed before a node; raises for one that is not arithmetic."""
        match node:
            case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
                return []
            case ast.Name():
                return []
            case ast.BinOp() if type(node.op) in _OPERATORS:
                return [node.left, node.right]
            case ast.UnaryOp() if type(node.op) in _OPERATORS:
                return [node.operand]
            case ast.List():
                return node.elts
            case ast.Call(func=ast.Name(id=name)):
                if operation(name) is None:
                    raise ExpressionError(
                        f"{name} is not an operation of this package{meant(name, NAMES)}", self._column(node)
                    )
                if name in ("max", "min") and len(node.args) > 1 and not isinstance(node.args[1], ast.Constant):
                    raise ExpressionError(f"{name} is of one array{self._instead(node)}", self._column(node))
                for option in node.keywords:
                    if option.arg is None:
                        raise ExpressionError("** is not arithmetic here", self._column(option.value))
                    self._setting(option.value)
                return node.args
            case ast.Constant(value=value) if not isinstance(value, str | bytes):
                raise ExpressionError(f"{value} is not a number of arithmetic", self._column(node))
            case ast.BinOp(left=before) | ast.Compare(left=before):
                column, sign = self._sign(before)
                cure = self._instead(node)
                cure = cure if len(cure) < 60 else ""  # which would say all of it again
                raise ExpressionError(f"{_NAMES.get(type(node), sign)} is not arithmetic here{cure}", column)
        kind: Any = type(getattr(node, "op", node))
        what = _NAMES.get(type(node)) or _NAMES.get(kind, kind.__name__)
        raise ExpressionError(f"{what} is not arithmetic{self._instead(node)}", self._column(node))

    def _instead(self, node: ast.AST) -> str:
        """What to write in place of what is no arithmetic, as a part of a sentence; nothing where there is no such thing."""
        said = functools.partial(ast.get_source_segment, self.text)
        match node:
            case ast.BinOp(left=a, op=op, right=b) if type(op) in _WRITTEN:
                return f"; write {_WRITTEN[type(op)].format(said(a), said(b))}"
            case ast.Compare(left=a, ops=[op], comparators=[b]) if type(op) in _WRITTEN:
                return f"; write {_WRITTEN[type(op)].format(said(a), said(b))}"
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=x):
                return f"; write logical_not({said(x)})"
            case ast.Call(func=ast.Attribute(value=x, attr=name)) if operation(name):
                of = [] if isinstance(x, ast.Name) and x.id in ("F", "math", "np", "numpy", "tg", "torch") else [x]
                given = [said(part) for part in (*of, *node.args, *node.keywords)]
                return f"; write {name}({', '.join(part for part in given if part)})"
            case ast.Call(func=ast.Name(id="max" | "min" as name), args=[a, b]):
                return f"; write {name}imum({said(a)}, {said(b)})"
            case ast.Call(func=ast.Constant() | ast.BinOp() | ast.Call() as a, args=[b]):
                a_text = f"({said(a)})" if isinstance(a, ast.BinOp) else said(a)
                return f"; write {a_text}*({said(b)})"
            case ast.Attribute(value=x, attr="T"):
                return f"; write transpose({said(x)})"
            case ast.Subscript(value=x, slice=ast.Constant(value=int()) as index):
                return f"; write take({said(x)}, {said(index)}, axis=0)"
            case ast.IfExp(test=test, body=a, orelse=b):
                return f"; write where({said(test)}, {said(a)}, {said(b)})"
        return ""

    def _setting(self, node: ast.AST) -> Any:
        """A setting of an operation: a number, a truth, None, a tuple of numbers."""
        match node:
            case ast.Constant(value=bool() | int() | float() | None as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return -value
            case ast.Tuple():
                return tuple(self._setting(part) for part in node.elts)
        raise ExpressionError("a setting is a number, as in axis=0", self._column(node))

    def _value(self, node: ast.AST, known: Mapping[ast.AST, Any], values: Mapping[str, Any]) -> Any:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name():
                if node.id not in values and node.id in CONSTANTS:
                    return CONSTANTS[node.id]
                if node.id not in values:
                    raise ValueError(f"{node.id} has no value; give it one: {node.id}=2")
                return values[node.id]
            case ast.BinOp():
                return _OPERATORS[type(node.op)](known[node.left], known[node.right])
            case ast.UnaryOp():
                return _OPERATORS[type(node.op)](known[node.operand])
            case ast.List():
                try:
                    return np.array([known[part] for part in node.elts], dtype=float)
                except ValueError as error:
                    raise uneven(error) from None
            case ast.Call(func=ast.Name(id=name)):
                settings = {option.arg or "": self._setting(option.value) for option in node.keywords}
                called: Any = operation(name)
                return called(*[self._whole(part, known[part]) for part in node.args], **settings)
        raise AssertionError(f"{type(node).__name__} has passed as arithmetic")

    @staticmethod
    def _whole(node: ast.AST, value: Any) -> Any:
        """An argument that is written without a point is a whole number, such as an index; elsewhere all are floating."""
        match node:
            case ast.Constant(value=int()) | ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int())):
                return int(value)
        return value

    def _column(self, node: ast.AST) -> int:
        """The column of a node, in characters."""
        return len(self._before(getattr(node, "lineno", 1), getattr(node, "col_offset", 0))) + 1

    def _sign(self, left: ast.expr) -> tuple[int, str]:
        """The column of the operator after its left side, and the operator."""
        start = self._before(left.end_lineno or 1, left.end_col_offset or 0)
        rest = self.text.splitlines()[(left.end_lineno or 1) - 1][len(start) :]
        found = re.search(r"[^\s\w)(.\[\]'\"+~-]+|[^\s)]+", rest)
        return (len(start) + found.start() + 1, found[0]) if found else (len(start) + 1, "this")

    def _before(self, line: int, bytes: int) -> str:
        """The text of a line before a place, which `ast` counts in bytes, not in characters."""
        return self.text.splitlines()[line - 1].encode()[:bytes].decode()


_SIGNS = {
    "×": "*",
    "·": "*",
    "⊙": "*",
    "−": "-",
    "÷": "/",
    **{sign: f"**{power}" for power, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}
"""What figures and books write, and how it is written here."""


def _cured(text: str) -> str:
    """What to write in place of a text that is no expression; "" if that cannot be told."""
    if not text:
        return "there is no expression; write one, as in x * y"
    for name in re.findall(r"[^\W\d]\w*", text):
        if keyword.iskeyword(name) and name not in ("if", "else", "and", "or", "not", "in", "is", "for"):
            return f"{name} is a word of Python's, and cannot be a name; write {name}_ in its place"
    if named := re.match(r"\s*[^\W\d]\w*\s*=(?!=)\s*(.+)", text):
        return f"what a result is called stands in --name; write {named[1]} alone"
    said = "".join(_SIGNS.get(sign, sign) for sign in text)
    said = re.sub(r"(?<![\w.])(\d+(?:\.\d*)?|\.\d+)\s*(?=[^\W\d(]|\()(?![eE][+-]?\d)", r"\1*", said)  # 2x
    called = re.sub(
        r"\b([^\W\d]\w*)\s+([^\W\d]\w*)", lambda m: f"{m[1]}({m[2]})" if operation(m[1]) else f"{m[1]}*{m[2]}", said
    )
    try:
        ast.parse(called, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return ""
    return f"this is not how a product, a power or a function is written here; write {called}" if called != text else ""


tg.ops.load_all()
NAMES = sorted({*OPS, *COMPOSITES, *[name for name in tg.__all__ if getattr(vars(tg).get(name), "examples", None)]})
"""What operations can be called by: `absolute` and `abs`."""


def operation(name: str) -> Any:
    """The operation of this name, or None."""
    return OPS.get(name) or COMPOSITES.get(name) or (vars(tg)[name] if name in NAMES else None)


_WRITTEN: dict[type[ast.AST], str] = {
    ast.BitXor: "{}**{}", ast.Mod: "mod({}, {})", ast.FloorDiv: "floor_divide({}, {})", ast.Lt: "less({}, {})",
    ast.LtE: "less_equal({}, {})", ast.Gt: "greater({}, {})", ast.GtE: "greater_equal({}, {})",
    ast.Eq: "equal({}, {})", ast.NotEq: "not_equal({}, {})", ast.BitAnd: "logical_and({}, {})",
    ast.BitOr: "logical_or({}, {})",
}  # fmt: skip
"""How what Python writes with these signs is written here."""


_NAMES: dict[type[ast.AST], str] = {
    ast.Attribute: "an attribute", ast.Subscript: "an index", ast.Call: "calling anything but an operation by its name",
    ast.Compare: "a comparison", ast.Lambda: "a function", ast.Constant: "text", ast.ListComp: "a loop",
    ast.GeneratorExp: "a loop", ast.IfExp: "a choice", ast.BoolOp: "and/or", ast.NamedExpr: "an assignment",
    ast.Not: "not", ast.Invert: "~", ast.Starred: "a star", ast.Dict: "a dictionary", ast.Set: "a set", ast.Tuple: "a tuple",
    ast.JoinedStr: "text", ast.Await: "await", ast.Yield: "yield",
}  # fmt: skip

"""Symbols: expressions that NumPy computes with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinygrad_edu.engine.protocols import ASKS
from tinygrad_edu.engine.recording import quietly
from tinygrad_edu.engine.registry import ANSWERS, UFUNCS
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.formula.expression import (
    ELEMENTWISE,
    ONE,
    ZERO,
    Expression,
    call,
    flattened,
    is_column,
    make,
    move,
    name,
    normal,
    number,
)
from tinygrad_edu.formula.writing import LaTeX, Text, of_path

np: Any = numpy  # its stubs do not know the protocols by which its functions take symbols

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
    "_product_of_others": lambda x: make("others", x),
    "_put_back": lambda g, x, order: make("index", g, call("place", x), data="{}"),
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
    if all(part.kind == "number" for part in parts) and not isinstance(y, tuple) and op.name != "one_hot":
        return constant(y)
    first = xs[0].shape
    axes = _axes(settings.get("axis"), len(first))
    unsaid = (first, str(settings))
    declared: Any = ANSWERS.get(op.name)
    internal = op.name.startswith("_")  # a step of a rule in its plainest form
    known = op.name if declared is op or internal else ""  # an op of one's own may have any name
    if known == "multiply":
        for column, row in (xs, xs[::-1]):
            if row.ndim == 1 < y.ndim and row.size > 1 and is_column(column.expression):
                return make("matmul", flattened(column.expression), make("transpose", row.expression))
    if known in ("matmul", "solve") and xs[1].shape[-1:] == (1,) and is_column(parts[1]):  # A·v of a vector set upright
        upright = (
            make("matmul", parts[0], flattened(parts[1]))
            if known == "matmul"
            else call("solve", parts[0], flattened(parts[1]), unsaid=unsaid)
        )
        return move(upright, y.shape[:-1], y.shape)
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
            if _alike(first, y.shape) and all(part in ("", ":", "...", "None", "0", "-1") for part in key.split(", ")):
                return move(parts[0], first, y.shape)
            return make("index", *parts, data=key.replace("#", "{}"))
        case "scatter":
            key = op.symbol(**settings).removesuffix("+=")
            return make("scatter", *parts, data=(key.replace("#", "{}"), unsaid))
    default = _defaults(op.forward)
    said = {key: value for key, value in settings.items() if key not in _UNSAID and value is not None}
    options = [_option(value) for key, value in said.items() if key not in default or value != default[key]]
    return call(op.name, *parts, axes=axes, options=tuple(options), unsaid=unsaid)


_UNSAID = {"axis", "keepdims", "shape", "key", "dtype", "num_classes", "axisa", "axisb", "axisc", "fold"}


def _defaults(forward: Any) -> dict[str, Any]:
    """What the settings of a forward function are where they are left out."""
    try:
        return {p.name: p.default for p in inspect.signature(forward).parameters.values()}
    except ValueError:  # one written in C
        return {}


def _alike(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether two shapes differ by nothing but ones."""
    return [n for n in a if n != 1] == [n for n in b if n != 1]


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


LONGEST_FORMULA = 200
"""So many parts may a formula have that is to be read."""


class Symbol(NDArrayOperatorsMixin):
    """An expression and a sample value: NumPy's functions compute with both.

    Of an array's attributes it has those that a gradient rule may use: `shape ndim dtype size T mT`.

    >>> x, y = Symbol("x", [1.0, 2.0]), Symbol("y", [3.0, 4.0])
    >>> np.exp(-x) * y * 2 * y
    2·exp(−x) ⊙ y²
    >>> (np.exp(-x) * y).latex()
    'e^{-x} \\\\odot y'
    """

    __slots__ = ("expression", "value")

    __hash__ = object.__hash__  # the mixin's elementwise == takes it away

    def __init__(self, expression: Expression | str, value: Any) -> None:
        self.expression = name(expression) if isinstance(expression, str) else expression
        self.value: Any = value if isinstance(value, tuple) else np.asarray(value)
        if self.expression.array is None and self.expression.kind not in ELEMENTWISE:
            several = self.expression.kind != "number" and not isinstance(self.value, tuple) and self.value.size > 1
            self.expression = replace(self.expression, array=several)

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
        """The expression as a line of text. Raises ValueError for one of more than `LONGEST_FORMULA` parts."""
        return Text(matmul).write(self._to_write(simplify))

    def latex(self, *, simplify: bool = True, matmul: str = r" \, ") -> str:
        """The expression as LaTeX, without the dollars. Raises ValueError for one of more than `LONGEST_FORMULA` parts."""
        return LaTeX(matmul).write(self._to_write(simplify))

    def _to_write(self, simplify: bool) -> Expression:
        if self.expression.size > LONGEST_FORMULA:
            raise ValueError(
                f"a formula of {self.expression.size:,} parts is too long to read (the limit is {LONGEST_FORMULA}); "
                "print it in steps: chain(output, local=True)"
            )
        return normal(self.expression) if simplify else self.expression

    def __repr__(self) -> str:
        return (
            self.text() if self.expression.size <= LONGEST_FORMULA else f"<a formula of {self.expression.size:,} parts>"
        )

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
            return function(*values_of(args), **values_of(kwargs))
        raise TypeError(f"{function.__module__}.{function.__name__} is no operation on symbols that prints")

    def __apply_op__(self, op: Any, inputs: Sequence[Any], settings: Mapping[str, Any]) -> Any:
        """What `Op.apply` gives for symbols: one that prints the op, with the value that it computes."""
        xs = [as_symbol(x) for x in inputs]
        y = quietly(op.compute, [values_of(x) for x in inputs], settings)
        if op.outputs is None:
            return Symbol(spell(op, xs, y, settings), y)
        whole = call(op.name, *[x.expression for x in xs])
        parts = [Symbol(make("index", whole, data=str(i)), part) for i, part in enumerate(y[: op.outputs])]
        return parts[0] if op.outputs == 1 else tuple(parts)


def as_symbol(x: Any) -> Symbol:
    """Any operand as a symbol: a tensor by its name, an array by its numbers."""
    if isinstance(x, Symbol):
        return x
    value = values_of(x)
    named = isinstance(x, Tensor) and x.name is not None
    return Symbol(name(of_path(x.name)) if named else constant(value), value)


def values_of(x: Any) -> Any:
    """The numbers in place of symbols and tensors, also inside lists, tuples and dicts."""
    if isinstance(x, Symbol):
        return x.value
    if isinstance(x, Tensor):
        return x.ndarray
    if isinstance(x, list | tuple):
        return type(x)([values_of(part) for part in x])
    return {key: values_of(part) for key, part in x.items()} if isinstance(x, dict) else x

"""Symbols: expressions that NumPy computes with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinygrad_edu.engine.protocols import ASKS
from tinygrad_edu.engine.recording import quietly
from tinygrad_edu.engine.registry import ANSWERS, UFUNCS, answer_to
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.formula.expression import ELEMENTWISE, Expression, call, make, name, normal
from tinygrad_edu.formula.spelling import constant, spell
from tinygrad_edu.formula.writing import LaTeX, Text, of_path

np: Any = numpy  # its stubs do not know the protocols by which its functions take symbols

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

    __slots__ = ("__weakref__", "expression", "value")

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
        answer = answer_to(function)
        if answer is not None:
            return answer(*args, **kwargs)
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

"""How an op is spelled: what it declares (`Op(spelled=…)`), told in expressions; or as a call, by its name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.formula.expression import (
    ZERO,
    Expression,
    as_expression,
    call,
    flattened,
    is_column,
    make,
    move,
    name,
    number,
)

if TYPE_CHECKING:
    from tinygrad_edu.formula.symbol import Symbol

np: Any = numpy  # its stubs do not know the protocols by which its functions take symbols


class Spelling:
    """A call of an op, for its `spelled` to look at and to write down.

    op, settings: what was called, and how. xs: the inputs as symbols. y: the value of the result.
    """

    def __init__(self, op: Any, xs: Sequence[Symbol], y: Any, settings: Mapping[str, Any]) -> None:
        self.op, self.xs, self.y, self.settings = op, xs, y, settings
        self.axes = _axes(settings.get("axis"), xs[0].ndim) if xs else ""
        self._unsaid = (
            (xs[0].shape, str(settings)) if xs else str(settings)
        )  # what tells two calls apart, but is not written

    def written(self) -> Expression:
        """The call as an expression: a number if there are only numbers in it."""
        parts = [x.expression for x in self.xs]
        spelled = self.op.spelled
        numbers = all(part.kind == "number" for part in parts) and not isinstance(self.y, tuple)
        if numbers and spelled != "by name":
            return constant(self.y)
        return self.call(*parts) if spelled is None or spelled == "by name" else as_expression(spelled(self, *parts))

    # -- calls ----------------------------------------------------------------------------------------

    def call(self, *parts: Expression) -> Expression:
        """f(x, …), with its axes as a subscript and the settings that are not their default."""
        default = _defaults(self.op.forward)
        said = {key: value for key, value in self.settings.items() if key not in UNSAID and value is not None}
        options = [_option(value) for key, value in said.items() if key not in default or value != default[key]]
        return call(self.op.name, *parts, axes=self.axes, options=tuple(options), unsaid=self._unsaid)

    def make(self, kind: str, *parts: Expression, data: Any = None) -> Expression:
        """An expression of any kind that there is."""
        return make(kind, *parts, data=data)

    def function(self, name: str, *parts: Expression) -> Expression:
        """name(x, …)."""
        return call(name, *parts)

    def text(self, text: str) -> Expression:
        """A word that stands as it is."""
        return name(text)

    def sqrt(self, x: Expression) -> Expression:
        """√x."""
        return make("sqrt", x)

    def is_zero(self, x: Expression) -> bool:
        """Whether it is the number 0."""
        return x == ZERO

    def rounded(self, x: Expression, brackets: str) -> Expression:
        """⌊x⌋, or between other brackets."""
        return make("rounded", x, data=brackets)

    # -- truth ----------------------------------------------------------------------------------------

    def holds(self, sign: str, *parts: Expression) -> Expression:
        """(a < b): 1 where it holds, else 0."""
        return make("holds", *parts, data=sign)

    def where(self, condition: int, x: Expression) -> Expression:
        """x·(c): x where the input at the position `condition` is true, else 0."""
        return make("product", x, truth(self.xs[condition]))

    # -- shapes ---------------------------------------------------------------------------------------

    @property
    def keeps_lengths(self) -> bool:
        """Whether the shapes of the first input and of the result differ by nothing but ones."""
        return [n for n in self.xs[0].shape if n != 1] == [n for n in self.y.shape if n != 1]

    def moved(self, x: Expression) -> Expression:
        """The first input, whose axes of length 1 stand elsewhere: it prints as it is."""
        return move(x, self.xs[0].shape, self.y.shape)

    def repeated(self, x: Expression) -> Expression:
        """The first input, repeated along axes: it prints as it is, for a formula broadcasts."""
        first, axis = self.xs[0], self.settings.get("axis")
        kept = axis is not None and self.y.ndim != first.ndim
        return move(x, first.shape, np.expand_dims(first.value, axis).shape if kept else first.shape)

    def over(self, sign: str, x: Expression) -> Expression:
        """Σx along axes, or by another sign; the first input itself, if nothing is added up."""
        return self.moved(x) if self.keeps_lengths else make("over", x, data=(sign, self.axes, self._unsaid))

    def reordered(self, x: Expression) -> Expression:
        """xᵀ, if it is the last two axes that are exchanged; x, if none are."""
        n = self.xs[0].ndim
        order = self.op.forward(np.empty(range(n)), **self.settings).shape
        if order == tuple(range(n)):
            return x
        return x.T if order == (*range(n - 2), n - 1, n - 2) else self.call(x)

    # -- products -------------------------------------------------------------------------------------

    def product(self, a: Expression, b: Expression) -> Expression:
        """a·b; u @ vᵀ for a column by a row."""
        for (column, _), (row, values) in (((a, 0), (b, self.xs[1])), ((b, 0), (a, self.xs[0]))):
            if values.ndim == 1 < self.y.ndim and values.size > 1 and is_column(column):
                return flattened(column) @ row.T
        return a * b

    def upright(self, v: Expression) -> Expression | None:
        """The vector that the second input is, set upright as a column; None if it is no such thing."""
        return flattened(v) if self.xs[1].shape[-1:] == (1,) and is_column(v) else None

    def stood_up(self, e: Expression) -> Expression:
        """Turn the result for a vector into the column that the op gives for a column."""
        return move(e, self.y.shape[:-1], self.y.shape)

    # -- indices --------------------------------------------------------------------------------------

    def indexed(self, x: Expression, *indices: Expression) -> Expression:
        """x[i, 1:]; x itself where nothing is left out."""
        key = self.op.symbol(**self.settings)[1:-1]  # with # for an array
        if self.keeps_lengths and all(part in ("", ":", "...", "None", "0", "-1") for part in key.split(", ")):
            return self.moved(x)
        return make("index", x, *indices, data=key.replace("#", "{}"))

    def scattered(self, *parts: Expression) -> Expression:
        """The numbers of the first input in their places among zeros."""
        key = self.op.symbol(**self.settings).removesuffix("+=")
        return make("scatter", *parts, data=(key.replace("#", "{}"), self._unsaid))


UNSAID = {"axis", "keepdims", "shape", "key", "dtype", "num_classes", "axisa", "axisb", "axisc", "fold"}
"""Settings that are not written among the arguments."""


def spell(op: Any, xs: Sequence[Symbol], y: Any, settings: Mapping[str, Any]) -> Expression:
    """The op applied to `xs`, as an expression; `y` is the value of the result."""
    return Spelling(op, xs, y, settings).written()


def truth(x: Symbol) -> Expression:
    """1 where `x` is true, or else a number greater than 0."""
    if x.expression.kind == "holds":
        return x.expression
    return make("holds", x.expression, data="") if x.dtype == bool else make("holds", x.expression, ZERO, data=">")


MOST_ELEMENTS_SPELLED = 8
"""Elements of a constant that are written out; more are three dots."""


def constant(array: Any) -> Expression:
    """An array that has no name: its number if it holds only one, I for the identity, else its elements if they are few."""
    a = np.asarray(array)
    if a.size == 1 or (a.size and (a == a.flat[0]).all()):
        return number(a.flat[0])
    written = (
        " ".join(np.array2string(a, separator=", ", precision=4).split()) if a.size <= MOST_ELEMENTS_SPELLED else "…"
    )
    if a.ndim >= 2 and a.shape[-1] == a.shape[-2] and (a == np.eye(a.shape[-1])).all():
        written = "I"
    return Expression("constant", (), (written.replace("[", "(").replace("]", ")"), a.shape, a.tobytes()))


def _defaults(forward: Any) -> dict[str, Any]:
    """What the settings of a forward function are where they are left out."""
    try:
        return {p.name: p.default for p in inspect.signature(forward).parameters.values()}
    except ValueError:  # one written in C
        return {}


def _option(value: Any) -> str:
    return str(value).replace("-", "−")


def _axes(axis: Any, ndim: int) -> str:
    """The axes to write: none where it is all of them."""
    if axis is None:
        return ""
    chosen = sorted({a % ndim for a in (axis if isinstance(axis, tuple) else (axis,))}) if ndim else []
    return "" if len(chosen) == ndim else ",".join([str(a) for a in chosen])

"""What is written on a figure: numbers, names, shapes, derivatives, formulas."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from tinygrad_edu.formula.writing import grouped
from viz.languages import words
from viz.layout.matrix import Matrix, shortened
from viz.layout.plan import SMALL_FONT, Words
from viz.record.broadcasts import Broadcast
from viz.record.graph import Data, Graph, Operation, Use, Value
from viz.record.mathematics import Notation, Readable, readable, tex_of
from viz.wording.numbers import data_text, number_text, rounded_text, shape_text

LONGEST_LABEL = 40  # characters of a label
LONGEST_SAID = 1000  # characters of a line of a title or a caption
NUMBERS_WRITTEN_OUT = 4  # so many numbers of an array are written out where it has no name
MOST_ENTRIES = 5  # entries of a vector, or rows and columns of a matrix; of more, dots stand for those in the middle

SHOW = ("value", "grad", "shape", "formula")
GRAD = ("number", "symbol", "blank")
MARKS = {"agrees": " ✓", "differs": " ✗", "kink": " ∧", None: ""}
ROOM_OF_AN_ENTRY = (
    0.5,
    0.75,
)  # of the width and the height of a blank, for each number of an array that is to be written
SYMBOLS = {"matmul": "dot"}  # textbooks write a matrix product as a dot
SYMBOLS_ALONE = {"ᵀ": "T"}  # alone in a circle, a raised letter would be too small


def clean(text: str, longest: int = LONGEST_LABEL) -> str:
    """A label as one printable line of bearable length: what a figure can show of any text.

    >>> clean("two\\nlines\\x00")
    'two lines�'
    """
    text = " ".join(text.split())
    text = "".join("�" if _unprintable(c) else c for c in text[: longest + 1])
    return text if len(text) <= longest else text[: longest - 1] + "…"


def said(text: str) -> str:
    """A title or a caption: printable lines, LaTeX in them as it can be read without, which is kept for files of LaTeX."""
    lines = [clean(line, LONGEST_SAID) for line in text.splitlines() if line.strip()]
    return Readable("\n".join(clean(readable(line), LONGEST_SAID) for line in lines), "\n".join(lines))


def _unprintable(c: str) -> bool:
    """Control characters, halves of characters, and what turns the direction of writing."""
    return unicodedata.category(c) in ("Cc", "Cs", "Cn", "Co") or "\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069"


def value_name(value: Value) -> str | None:
    """What a value is called: its own name, else the expression that it is, if that is short."""
    return value.name or value.symbol


def value_text(value: Value, sizes: Mapping[int, str] = MappingProxyType({})) -> str:
    """A value in a few characters: its number, or its shape."""
    return data_text(value.data) if _is_written_out(value) else shape_text(value.shape, sizes)


def _is_written_out(value: Value) -> bool:
    return value.data is not None and (not value.shape or len(_flat(value.data)) <= NUMBERS_WRITTEN_OUT)


def _flat(data: Any) -> list[Any]:
    return [x for part in data for x in _flat(part)] if isinstance(data, tuple) else [data]


def differentiated(graph: Graph) -> str:
    """What the derivatives are of: the output's name if it is a single number with a name, else L."""
    outputs = [value for use in graph.uses if use.op is None for value in graph.values if value.id == use.value]
    if len(outputs) == 1 and not outputs[0].shape and outputs[0].name:
        return clean(outputs[0].name)
    return "L"


def derivative(of: str, value: Value) -> str:
    """∂L/∂x, as it is written; with nothing to call x, ∂L."""
    name = value_name(value)
    if name is None:
        return f"∂{grouped(of)}"
    return f"∂{grouped(of)}/∂{grouped(clean(name))}"


@dataclass(frozen=True)
class FigureLabels:
    """Values above, derivatives below; arrays by name and shape, or by their `numbers`, if these are few.

    above_text and below_text: annotations, by the id of a value (for its only use, or its trunk) or of a use.
    sizes: what to write instead of a length in shapes. keys: what the legend says of a value's derivative, by its id.
    blank_values: whether the numbers that are computed are blank too. room: the least width and the height of a blank.
    notation: how names are written. broadcast: what each use was broadcast to, by its id and its operation's; it is said
    where shapes alone are shown, in the language `lang`.
    """

    of: str = "L"
    show: frozenset[str] = frozenset(SHOW[:3])
    grad: str = "number"
    above_text: Mapping[str, str] = field(default_factory=dict)
    below_text: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[int, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    numbers: bool = False
    blank_values: bool = False
    room: tuple[float, float] | None = None
    notation: Notation = field(default_factory=Notation)
    broadcast: Mapping[tuple[str, str], Broadcast] = field(default_factory=dict)
    lang: str = "en"

    @property
    def shapes_only(self) -> bool:
        """Whether nothing but shapes is shown."""
        return self.show == {"shape"}

    # -- what a text is -----------------------------------------------------------------------------

    def words(self, text: str, role: str = "value", *, bold: bool = False, longest: int = LONGEST_LABEL) -> Words:
        """A name or a formula on the figure; of an annotation, LaTeX between dollars is kept for files of LaTeX."""
        said = clean(self.notation.of(text), longest)
        return Words(said, role, bold=bold, tex=clean(tex_of(text)) or self.notation.tex(said))

    def numbered(self, data: Data, shape: tuple[int, ...], role: str = "value", bold: bool = False) -> Words:
        """Numbers on the figure: of a matrix, in rows between brackets."""
        text = data_text(data, most=MOST_ENTRIES)
        if len(shape) != 2 or 0 in shape:
            return Words(text, role, bold=bold)
        rows = shortened([[number_text(x) for x in row] for row in data], MOST_ENTRIES)
        return Words(text, role, bold=bold, matrix=Matrix(rows))

    # -- above and below ----------------------------------------------------------------------------

    def above(self, value: Value, use: Use | None) -> tuple[Words, ...]:
        """The value above an arrow; of an array its shape and name. What is written at the leaf or the result is not repeated."""
        said: tuple[Words, ...] = ()
        if value.op is None or (use is not None and use.op is None):
            said = self.name(value, value.op is not None)
        names = [line.text for line in said]
        lines = tuple(line for line in self._above(value, use) if line.text not in names)
        return tuple(self._asked(line) if self._is_answer(line, value) else line for line in lines)

    def _is_answer(self, line: Words, value: Value) -> bool:
        """Whether a line above a wire is what one is asked to compute: the number of a value."""
        answer = self.blank_values and value.op is not None and value.data is not None
        return answer and line.text == data_text(value.data, most=MOST_ENTRIES)

    def _asked(self, line: Words) -> Words:
        return Words(line.text, "blank", room=self._room(line), matrix=line.matrix)

    def _room(self, answer: Words) -> tuple[float, float] | None:
        """The room to write an answer into: of an array, for each of its numbers."""
        if not self.room:
            return None
        vector = answer.text.count(",") + 1 if answer.text.startswith("[") else 1
        high, wide = (len(answer.matrix.rows), len(answer.matrix.rows[0])) if answer.matrix else (1, vector)
        return self.room[0] * max(1.0, ROOM_OF_AN_ENTRY[0] * wide), self.room[1] * max(1.0, ROOM_OF_AN_ENTRY[1] * high)

    def _above(self, value: Value, use: Use | None) -> tuple[Words, ...]:
        written = self._annotation(self.above_text, value, use)
        lines = []
        formula = value.symbol or value.name
        if "formula" in self.show and formula and written is None:
            lines.append(self.words(formula, "formula"))
        if self.shapes_only:
            return self._shapes(value, use)
        if not value.shape:
            if "value" in self.show:
                lines.append(self.words(written) if written else self._value(value, self.grad == "symbol"))
            return tuple(lines)
        if "shape" in self.show:
            lines.insert(0, Words(shape_text(value.shape, self.sizes), "shape"))
        if written is None and "value" in self.show and self._in_numbers(value.data, value.shape):
            return (*lines, self.numbered(value.data, value.shape))
        name = written or value_name(value)
        if name:
            named = self.words(name, "value", bold=True)
            lines = [*[line for line in lines if line.text != named.text], named]
        elif "value" in self.show and value_text(value, self.sizes) != shape_text(value.shape, self.sizes):
            lines.append(self._value(value))
        return tuple(lines)

    def _value(self, value: Value, symbolic: bool = False) -> Words:
        """A value in a few characters: its number, its name, or its shape."""
        if symbolic and (name := value_name(value)):
            return self.words(name)
        if _is_written_out(value):
            return self.numbered(value.data, value.shape)
        return Words(shape_text(value.shape, self.sizes))

    def _shapes(self, value: Value, use: Use | None) -> tuple[Words, ...]:
        """The shape of a value, and what one use broadcasts it to."""
        shape = Words(shape_text(value.shape, self.sizes), "shape", bold=True)
        spread = use and self.spread(value, use)
        return (shape, Words(spread, "formula")) if spread else (shape,)

    def spread(self, value: Value, use: Use) -> str:
        """What a use broadcasts a value to, in words; nothing of a constant number, which is seen to be one."""
        spread = self._broadcast(use)
        if spread is None or not (value.shape or value.flows):
            return ""
        whole, axes = spread
        return words(self.lang)["broadcast"].format(shape=shape_text(whole, self.sizes), axes=self._axes(axes))

    def summed(self, use: Use) -> str:
        """Over which axes the derivative of a use is summed since the value was broadcast; nothing, if it was not."""
        spread = self._broadcast(use)
        return words(self.lang)["summed"].format(axes=self._axes(spread[1])) if spread else ""

    def _broadcast(self, use: Use | None) -> Broadcast | None:
        return self.broadcast.get((use.id, use.op or "")) if use is not None else None

    def _axes(self, axes: tuple[int, ...]) -> str:
        """Axes in words: "axis 0", "axes 0, 2"."""
        several = ", ".join(map(str, axes))
        return words(self.lang)["axis" if len(axes) == 1 else "axes"].format(axes=several)

    def below(self, value: Value, use: Use | None, partial: bool = False) -> tuple[Words, ...]:
        """The derivative below an arrow: what one use contributes, or the sum of all. What is only a part has no name."""
        thing = use or value
        if thing.flows and self.shapes_only and use is not None and (summed := self.summed(use)):
            return (Words(summed, "grad"),)
        if not thing.flows or "grad" not in self.show:
            return ()
        answer = self._answer(value, use)
        if self.grad == "blank" and not (use is not None and use.op is None):
            return (replace(answer, role="blank", key=self._key(value), room=self._room(answer)),)
        symbol = use.symbol if use else value.grad_symbol
        mark = MARKS[thing.verdict]
        if value.shape and (partial or not value_name(value)) and answer.text == self.words(self._named(value)).text:
            return (Words(shape_text(value.shape, self.sizes) + mark, "grad", bold=True),)
        lines = [replace(_marked(answer, after=mark), key=self._key(value))]
        if "formula" in self.show and symbol and (formula := self.words(symbol, "formula")).text != answer.text:
            lines.append(formula)
        if value.shape and "shape" in self.show:
            lines.append(Words(shape_text(value.shape, self.sizes), "shape"))
        return tuple(lines)

    def _answer(self, value: Value, use: Use | None) -> Words:
        """The derivative itself: a number, a matrix, a formula, or what it is called."""
        written = self._annotation(self.below_text, value, use)
        if written is not None:
            return self.words(written, "grad", bold=True)
        symbol = use.symbol if use else value.grad_symbol
        if self.grad == "symbol":
            said = symbol or ("Σ" if use is None else self._named(value))
            return self.words(said, "grad", bold=True)
        grad = use.grad if use else value.grad
        few = (
            not value.shape
            or (value_name(value) is None and len(_flat(grad)) <= NUMBERS_WRITTEN_OUT)
            or self._in_numbers(grad, value.shape)
        )
        if grad is not None and few:
            return self.numbered(grad, value.shape, "grad", bold=True)
        return self.words(self._named(value), "grad", bold=True)

    def _named(self, value: Value) -> str:
        return derivative(self.of, value)

    def _in_numbers(self, data: Data, shape: tuple[int, ...]) -> bool:
        """Whether an array is shown by its numbers, whatever it is called: a vector, a matrix, or one that is short."""
        if not self.numbers or self.grad == "symbol" or data is None:
            return False
        return len(shape) <= 2 or len(data_text(data)) <= LONGEST_LABEL

    def total(self, value: Value) -> tuple[Words, ...]:
        """The whole derivative of a leaf that is shown as tags, each with a part of it."""
        if not value.flows or not (below := self.below(value, None)):
            return ()
        whole = below[0]
        if whole.role == "blank":
            return (replace(whole, key=f"Σ{whole.key}"),)
        said = self.words(self._named(value), "grad", bold=True) if whole.text == "Σ" else whole
        return (replace(_marked(said, before="Σ = "), size=SMALL_FONT),)

    def _key(self, value: Value) -> str:
        """The number of a value in the legend."""
        return next((str(k) for k, id in enumerate(self.keys, 1) if id == value.id), "")

    def legend(self) -> list[Words]:
        """The legend: for each number that stands before a derivative, the expression it is short for."""
        said = [asked(text) if self.grad == "blank" else text for text in self.keys.values()]
        longest = 3 * LONGEST_LABEL
        return [replace(self.words(text, "legend", longest=longest), key=str(k)) for k, text in enumerate(said, 1)]

    @staticmethod
    def _annotation(written: Mapping[str, str], value: Value, use: Use | None) -> str | None:
        if use is not None and use.id in written:
            return written[use.id]
        return written.get(value.id)

    def circle(self, op: Operation) -> tuple[Words, ...]:
        """The symbol; of a layer, what it is and where."""
        if op.shape != "box":
            return (
                Words(clean(rounded_text(SYMBOLS.get(op.name, SYMBOLS_ALONE.get(op.symbol, op.symbol)))), "symbol"),
            )
        kind = Words(clean(op.symbol), "symbol")
        return (kind, Words(clean(op.name), "path", size=SMALL_FONT)) if op.name != op.symbol else (kind,)

    def name(self, value: Value, result: bool) -> tuple[Words, ...]:
        """A name; without one, the value."""
        said = (
            self.words(value.name, "name")
            if value.name
            else replace(self._value(value, self.grad == "symbol"), role="name")
        )
        return (self._asked(said) if self._is_answer(said, value) else said,)


def _marked(said: Words, before: str = "", after: str = "") -> Words:
    """Words with something before or after them; of a matrix, beside its brackets."""
    matrix = said.matrix and replace(said.matrix, before=before, after=after)
    tex = f"{before}{said.tex}{after}" if said.tex else ""
    return replace(said, text=f"{before}{said.text}{after}", matrix=matrix, tex=tex)


def marked(written: str) -> str:
    """The text of a derivative that stands beside a value, with a sign by which it is known for one.

    >>> marked("2.2"), marked("∂L/∂x")
    ('∂ 2.2', '∂L/∂x')
    """
    return written if written.startswith("∂") else f"∂ {written}"


def asked(said: str) -> str:
    """The text of a legend with room for the answer in the place of the formula.

    >>> asked("∂L/∂x = ∂L/∂y · w")
    '∂L/∂x = ____________'
    """
    name, equals, _ = said.partition(" = ")
    return (f"{name} = " if equals else "") + "_" * 12


def equal_to(written: str, traced: Any) -> bool:
    """Whether an annotation that is a number says what was traced; any other text may be said.

    >>> equal_to("2.2", 2.2), equal_to("2.3", 2.2), equal_to("2t·1", 10.0)
    (True, False, True)
    """
    try:
        number = float(written.replace("−", "-").replace(",", ""))
    except ValueError:
        return True
    return isinstance(traced, int | float) and number_text(number) == number_text(traced)

"""A figure in words: for screen readers, for logs, for those who cannot open a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from viz.languages import words
from viz.record.graph import Graph, Operation, Use, Value
from viz.wording.labels import FigureLabels, clean, derivative, differentiated, value_name, value_text
from viz.wording.numbers import data_text, in_rows, shape_text
from viz.wording.operations import operation_name

MOST_SENTENCES = 400  # a larger figure is told in no more than these
NUMBERS = FigureLabels()  # the labels of a figure of numbers
LONGEST_NUMBERS = 60  # characters of an array's numbers; of more, its shape is said


def sentences(graph: Graph, lang: str = "en", labels: FigureLabels = NUMBERS) -> str:
    """A sentence for each value that is given and each operation, in the order of computing.

    They say what the labels write: numbers, formulas where derivatives are formulas, shapes where nothing else is shown.
    """
    return "\n".join(Teller(graph, lang, labels).lines())


def called(graph: Graph, labels: FigureLabels = NUMBERS) -> str:
    """What the outputs are called; without a name, what they are: numbers, or formulas where derivatives are such."""
    values = {value.id: value for value in graph.values}
    outputs = [values[use.value] for use in graph.uses if use.op is None]
    symbolic = labels.grad == "symbol"
    names = [value_name(value) if symbolic else value.name for value in outputs]
    return ", ".join(clean(name or value_text(value)) for name, value in zip(names, outputs, strict=True))


def matrices(graph: Graph, labels: FigureLabels) -> Iterator[str]:
    """The matrices of a figure that shows numbers, and their derivatives, each in rows after what it is called."""
    of = labels.of
    for value in graph.values if labels.numbers else ():
        for name, data in ((value_name(value), value.data), (derivative(of, value), value.grad)):
            if name and data is not None and (matrix := labels.numbered(data, value.shape).matrix):
                yield in_rows(matrix.rows, f"{clean(name)} = ")


class Teller:
    """Says what a graph computes, in the numbers, formulas or shapes that labels write."""

    def __init__(self, graph: Graph, lang: str, labels: FigureLabels = NUMBERS) -> None:
        self.graph, self.say, self.labels, self.lang = graph, words(lang), labels, lang
        self.symbolic = labels.grad == "symbol"
        self.values = {value.id: value for value in graph.values}
        self.uses = {use.id: use for use in graph.uses}
        self.of = labels.of if self.symbolic else differentiated(graph)

    def lines(self) -> list[str]:
        """The sentences, in order."""
        used = {use.value for use in self.graph.uses}
        lines = [self._given(v) for v in self.graph.values if v.op is None and v.id in used and v.kind != "constant"]
        lines += [self._operation(op) for op in self.graph.ops[:MOST_SENTENCES]]
        lines += [note + "." for note in self.graph.notes]
        if len(lines) > MOST_SENTENCES:
            lines[MOST_SENTENCES:] = ["…"]
        return lines

    def _given(self, value: Value) -> str:
        amount = self.amount(value)
        if self.symbolic and amount == self.name(value):
            line = self.say["a_leaf"].format(name=amount)
        else:
            line = self.say["given"].format(name=self.name(value), value=amount)
        shown = value.grad is not None or value.grad_symbol or value.id in self.labels.below_text
        if value.flows and shown and not self.labels.shapes_only:
            d, slope = derivative(self.of, value), self.slope(value, value)
            if slope == d:  # a name for itself: its formula stands where it is used
                slope = " + ".join(self.slope(use, value) for use in self.graph.uses if use.value == value.id)
            line += self.say["gradient"].format(d=d, grad=slope) if slope != d else ""
        return line + "."

    def _operation(self, op: Operation) -> str:
        return " ".join(filter(None, (self.forward(op), self.backward(op))))

    def backward(self, op: Operation) -> str:
        """What comes back to an operation, and what it passes on; nothing, if nothing does."""
        flowing = [use for use in (self.uses[use] for use in op.inputs) if use.flows]
        if self.labels.shapes_only:
            flowing = [use for use in flowing if self._spread(use)]
        arriving = [self.slope(self.values[v], self.values[v]) for v in op.outputs if self.values[v].flows]
        if not (flowing and arriving):
            return ""
        backs = [
            self.say["sends"].format(
                grad=self.slope(use, self.values[use.value]), name=self.name(self.values[use.value])
            )
            for use in flowing
        ]
        return self.say["back"].format(arriving=self._list(arriving), backs=self._list(backs))

    def step(self, k: int) -> str:
        """What happens in a step: forward an operation at a time, then the way back, from the derivative of the output."""
        n = len(self.graph.ops)
        if k <= n:
            return self.forward(self.graph.ops[k - 1]) if k else ""
        if k > n + 1:
            return self.backward(self.graph.ops[2 * n + 1 - k])
        outputs = [self.values[use.value] for use in self.graph.uses if use.op is None and use.flows]
        seeds = [self.say["seed"].format(d=derivative(self.of, y), grad=self.slope(y, y)) for y in outputs]
        return " ".join(seeds)

    def forward(self, op: Operation) -> str:
        """What an operation takes and gives."""
        uses = [self.uses[use] for use in op.inputs]
        return self.say["operation"].format(
            op=self.called(op),
            inputs=self._list([self._named(self.values[use.value]) + self._spread(use) for use in uses]),
            outputs=self._list([self._named(self.values[v]) for v in op.outputs]),
        )

    def called(self, op: Operation) -> str:
        """What an operation is called: a layer by what it is, and where."""
        name = operation_name(op.name, self.lang)
        return clean(name if op.shape == "circle" or op.symbol == op.name else f"{op.symbol} {name}")

    def _list(self, parts: Sequence[str]) -> str:
        if not parts:
            return self.say["nothing"]
        return parts[0] if len(parts) == 1 else self.say["comma"].join(parts[:-1]) + self.say["and"] + parts[-1]

    def name(self, value: Value) -> str:
        """What a value is called; without a name, what it is."""
        return clean(value.name) if value.name else self.amount(value)

    def _named(self, value: Value) -> str:
        amount, name = self.amount(value), clean(value.name or "")
        if not name or name == amount:
            return amount
        return f"{name} {amount}" if self.labels.shapes_only else f"{name} ({amount})"

    def _spread(self, use: Use) -> str:
        """What a use is broadcast to, where shapes are said."""
        said = self.labels.spread(self.values[use.value], use)
        return f" {said}" if said else ""

    def amount(self, value: Value) -> str:
        """A value as it is written on the figure: a number, a formula, or a shape."""
        if self.labels.shapes_only:
            return shape_text(value.shape, self.labels.sizes)
        written = self.labels.above_text.get(value.id)
        if written is not None or (self.symbolic and value_name(value)):
            return clean(written or value_name(value) or "", LONGEST_NUMBERS)
        if value.data is not None and len(text := data_text(value.data)) <= LONGEST_NUMBERS:
            return text
        return self.say["array"].format(shape=shape_text(value.shape))

    def slope(self, thing: Value | Use, value: Value) -> str:
        """The derivative of a value, or what one use contributes, as it is written on the figure."""
        if self.labels.shapes_only:
            spread = isinstance(thing, Use) and self.labels.summed(thing)
            return spread or shape_text(value.shape, self.labels.sizes)
        written = self.labels.below_text.get(thing.id, self.labels.below_text.get(value.id))
        symbol = thing.symbol if isinstance(thing, Use) else thing.grad_symbol
        if written is not None:
            return clean(written, LONGEST_NUMBERS)
        if self.symbolic:
            return symbol or derivative(self.of, value)
        if thing.grad is not None and len(text := data_text(thing.grad)) <= LONGEST_NUMBERS:
            return text
        return symbol or self.say["array"].format(shape=shape_text(value.shape))

    @property
    def in_numbers(self) -> bool:
        """Whether what it says are numbers, which change where others are given."""
        return not (self.symbolic or self.labels.shapes_only)

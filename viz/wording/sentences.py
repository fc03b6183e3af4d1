"""A figure in words: for screen readers, for logs, for those who cannot open a picture."""

from __future__ import annotations

from collections.abc import Sequence

from viz.languages import words
from viz.record.graph import Graph, Operation, Use, Value
from viz.wording.labels import clean, derivative, differentiated, value_text
from viz.wording.numbers import data_text, shape_text

MOST_SENTENCES = 400  # of a larger figure, so many are said
LONGEST_NUMBERS = 60  # characters of an array's numbers; of more, its shape is said


def sentences(graph: Graph, lang: str = "en") -> str:
    """A sentence for each value that is given and each operation, in the order of computing."""
    return "\n".join(Teller(graph, lang).lines())


def called(graph: Graph) -> str:
    """What the outputs are called; without a name, what they are."""
    values = {value.id: value for value in graph.values}
    outputs = [values[use.value] for use in graph.uses if use.op is None]
    return ", ".join(clean(value.name) if value.name else value_text(value) for value in outputs)


class Teller:
    """Says what a graph computes."""

    def __init__(self, graph: Graph, lang: str) -> None:
        self.graph, self.say = graph, words(lang)
        self.values = {value.id: value for value in graph.values}
        self.uses = {use.id: use for use in graph.uses}
        self.of = differentiated(graph)

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
        line = self.say["given"].format(name=self.name(value), value=self._amount(value))
        if value.flows and (value.grad is not None or value.grad_symbol):
            d = derivative(self.of, value)
            line += self.say["gradient"].format(d=d, grad=self._grad(value, value))
        return line + "."

    def _operation(self, op: Operation) -> str:
        return " ".join(filter(None, (self.forward(op), self.backward(op))))

    def backward(self, op: Operation) -> str:
        """What comes back to an operation, and what it passes on; nothing, if nothing does."""
        backs = [self._back(use) for use in (self.uses[use] for use in op.inputs) if use.flows]
        arriving = [self._grad(self.values[v], self.values[v]) for v in op.outputs if self.values[v].flows]
        if not (backs and arriving):
            return ""
        return self.say["back"].format(arriving=self._list(arriving), backs=self._list(backs))

    def step(self, k: int) -> str:
        """What happens in a step: forward an operation at a time, then the way back, from the derivative of the output."""
        n = len(self.graph.ops)
        if k <= n:
            return self.forward(self.graph.ops[k - 1]) if k else ""
        if k > n + 1:
            return self.backward(self.graph.ops[2 * n + 1 - k])
        outputs = [self.values[use.value] for use in self.graph.uses if use.op is None and use.flows]
        seeds = [self.say["seed"].format(d=derivative(self.of, y), grad=self._grad(y, y)) for y in outputs]
        return " ".join(seeds)

    def forward(self, op: Operation) -> str:
        """What an operation takes and gives."""
        inputs = [self.uses[use] for use in op.inputs]
        return self.say["operation"].format(
            op=self.called(op),
            inputs=self._list([self._named(self.values[use.value]) for use in inputs]),
            outputs=self._list([self._named(self.values[v]) for v in op.outputs]),
        )

    def called(self, op: Operation) -> str:
        """What an operation is called: a layer by what it is, and where."""
        return clean(op.name if op.shape == "circle" or op.symbol == op.name else f"{op.symbol} {op.name}")

    def _back(self, use: Use) -> str:
        value = self.values[use.value]
        return self.say["sends"].format(grad=self._grad(use, value), name=self.name(value))

    def _list(self, parts: Sequence[str]) -> str:
        if not parts:
            return self.say["nothing"]
        return parts[0] if len(parts) == 1 else self.say["comma"].join(parts[:-1]) + self.say["and"] + parts[-1]

    def name(self, value: Value) -> str:
        """What a value is called; without a name, what it is."""
        return clean(value.name) if value.name else self._amount(value)

    def _named(self, value: Value) -> str:
        return f"{clean(value.name)} ({self._amount(value)})" if value.name else self._amount(value)

    def _amount(self, value: Value) -> str:
        if value.data is not None and len(text := data_text(value.data)) <= LONGEST_NUMBERS:
            return text
        return self.say["array"].format(shape=shape_text(value.shape))

    def _grad(self, thing: Value | Use, value: Value) -> str:
        if thing.grad is not None and len(text := data_text(thing.grad)) <= LONGEST_NUMBERS:
            return text
        symbol = thing.symbol if isinstance(thing, Use) else thing.grad_symbol
        return symbol or self.say["array"].format(shape=shape_text(value.shape))

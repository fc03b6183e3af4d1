"""The computation of a figure of single numbers as a program in JavaScript, for its page to run on other numbers.

Forward it is the ops' own forward functions, backward their own rules, each run on symbols
(`tinygrad_edu.formula.javascript`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from tinygrad_edu.formula.javascript import Scripted, Unprintable, javascript, run_forward, run_rule_of
from tinygrad_edu.formula.spelling import constant
from viz.record.graph import Graph, Value
from viz.record.record import Record

NOTHING = "null"


@dataclass(frozen=True, slots=True)
class Program:
    """A function in JavaScript, from the values that are given to all values and derivatives; or why there is none.

    script: what takes an object of numbers by the ids of `leaves`, of which those left out are as they were, and returns four objects: `values` and `totals`
    (∂L/∂value) by the ids of values, `grads` (contributions) and `slopes` (local derivatives) by the ids of uses.
    reasons: pairs of a word of the page and what stands in it. graph: what the program computes, with nothing merged.
    """

    script: str = NOTHING
    leaves: tuple[str, ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()
    graph: Graph = field(default_factory=lambda: Graph((), (), ()))


def program(record: Record) -> Program:
    """The program of a record.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor(3.0, requires_grad=True, name="x")
    >>> print(program(Record(x * 2)).script)
    ({v0 = 3.0}) => {
      const v1 = 2.0;
      const v2 = (v0 * v1);
      const u2 = 1.0;
      const d2 = u2;
      const r0 = (g) => (g * v1), u0 = r0(d2), s0 = r0(1);
      const d0 = u0;
      return {values: {v0, v1, v2}, totals: {v2: d2, v0: d0}, grads: {u2, u0}, slopes: {u0: s0}};
    }
    """
    graph = record.graph
    arrays = [value for value in graph.values if value.shape]
    if arrays:
        return Program(reasons=(("why_array", arrays[0].name or str(arrays[0].shape)),))
    leaves = [value for value in graph.values if value.op is None and value.kind != "constant"]
    leaves = [value for value in leaves if value.dtype == "float64" and np.isfinite(value.data)]
    if not leaves:
        return Program(reasons=(("why_nothing", ""),))
    other = [value for value in graph.values if value.dtype not in ("float64", "bool") and value.op is not None]
    if other:
        return Program(reasons=(("why_dtype", other[0].dtype),))
    writer = _Writer(record, leaves)
    lines = [*writer.forward(), *writer.backward()]
    if writer.failed:
        return Program(reasons=tuple(("why_op", name) for name in dict.fromkeys(writer.failed)))
    given = ", ".join([f"{value.id} = {value.data!r}" for value in leaves])
    body = "\n".join([f"  {line}" for line in [*lines, writer.result()]])
    return Program(f"({{{given}}}) => {{\n{body}\n}}", tuple([value.id for value in leaves]), graph=graph)


class _Writer:
    """Writes a line for each value and each use. `failed` names the ops that cannot be printed."""

    def __init__(self, record: Record, leaves: Sequence[Value]) -> None:
        self.graph: Graph = record.graph
        self.nodes, self.leaves = record.nodes, {value.id for value in leaves}
        self.values = {value.id: value for value in self.graph.values}
        self.uses = {use.id: use for use in self.graph.uses}
        self.symbols = {id: Scripted(id, value.data) for id, value in self.values.items()}
        self.failed: list[str] = []
        self.arrived: dict[str, list[str]] = {}  # the contributions to each value's derivative
        self.totals: dict[str, str] = {}
        self.slopes: dict[str, str] = {}
        self.grads: list[str] = []

    def forward(self) -> Iterator[str]:
        for value in self.graph.values:
            if value.op is None and value.id not in self.leaves:
                yield f"const {value.id} = {javascript(constant(value.data))};"
        for op in self.graph.ops:
            node = self.nodes[op.id]
            try:
                made = run_forward(node.op, self._inputs(op.inputs), node.settings)
                yield f"const {op.outputs[0]} = {javascript(made.expression)};"
            except Unprintable:
                self.failed.append(op.name)

    def backward(self) -> Iterator[str]:
        if self.failed:
            return
        for use in self.graph.uses:
            if use.op is None and use.flows:
                yield f"const {use.id} = {float(use.grad)!r};"
                self._note(use.id)
        for op in reversed(self.graph.ops):
            (output,) = op.outputs
            yield from self._total(output)
            for id in op.inputs:
                if self.uses[id].flows and output in self.totals:
                    yield from self._contribution(id, op, output)
        yield from chain.from_iterable([self._total(value.id) for value in self.graph.values if value.op is None])

    def _total(self, id: str) -> Iterator[str]:
        if self.arrived.get(id):
            total = self.totals[id] = f"d{id[1:]}"
            yield f"const {total} = {' + '.join(self.arrived[id])};"

    def _contribution(self, id: str, op: Any, output: str) -> Iterator[str]:
        use, node, k = self.uses[id], self.nodes[op.id], id[1:]
        g = Scripted("g", self.values[output].grad)
        try:
            rule = run_rule_of(
                node.op, use.position, g, self.symbols[output], self._inputs(op.inputs), node.settings, use.grad
            )
        except Unprintable:
            self.failed.append(op.name)
            return
        yield f"const r{k} = (g) => {rule}, {id} = r{k}({self.totals[output]}), s{k} = r{k}(1);"
        self.slopes[id] = f"s{k}"
        self._note(id)

    def _note(self, id: str) -> None:
        self.grads.append(id)
        self.arrived.setdefault(self.uses[id].value, []).append(id)

    def _inputs(self, uses: Sequence[str]) -> list[Scripted]:
        return [self.symbols[self.uses[id].value] for id in uses]

    def result(self) -> str:
        """The line that gives everything back."""
        pairs = [", ".join([f"{k}: {v}" for k, v in found.items()]) for found in (self.totals, self.slopes)]
        values, grads = ", ".join(self.values), ", ".join(self.grads)
        return f"return {{values: {{{values}}}, totals: {{{pairs[0]}}}, grads: {{{grads}}}, slopes: {{{pairs[1]}}}}};"

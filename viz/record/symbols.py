"""The symbolic reading of a graph: what each value is, and each derivative, as an expression.

The expressions come from running the gradient rules on symbols (`tinygrad_edu.formula`), so no formula is
written twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tinygrad_edu.formula import LONGEST_FORMULA, Symbol, chain, constant, spell
from viz.record.graph import Graph
from viz.record.record import Record, Tensor

LONGEST_VALUE = 16  # characters of an expression that stands for a value
LONGEST_DERIVATIVE = 40  # characters of a derivative that is written in full


def name_values(record: Record) -> Graph:
    """The graph with an expression for each value that is short enough: x + y, X·W, exp(−x)."""
    called = expressions(record)
    values = tuple(
        replace(value, symbol=called[record.tensors[value.id]]) if record.tensors[value.id] in called else value
        for value in record.graph.values
    )
    return replace(record.graph, values=values)


def with_derivatives(record: Record, graph: Graph, loss: str | None, simplify: bool) -> Graph:
    """The graph with an expression for each derivative, in full where that is short, else in terms of others."""
    if len(record.outputs) != 1 or not record.outputs[0].requires_grad:
        return graph
    (output,) = record.outputs
    names, inline = named(record)
    full = chain(output, names, loss=loss, inline=inline)
    local = chain(output, names, loss=loss, local=True, inline=inline)

    def written(symbol: Any) -> str | None:
        if symbol is None or symbol.expression.size > LONGEST_FORMULA:
            return None
        text = symbol.text(simplify=simplify, matmul=" · ")
        return text if len(text) <= LONGEST_DERIVATIVE else None

    def contribution(key: Any) -> str | None:
        return written(full.contributions.get(key)) or written(local.contributions.get(key))

    uses = []
    for use in graph.uses:
        tensor = record.tensors[use.value]
        if use.op is None:
            uses.append(replace(use, symbol=written(full.gradients.get(tensor))))
            continue
        key = record.nodes[use.op], use.position
        uses.append(replace(use, symbol=contribution(key)) if use.flows else use)
    values = [
        replace(
            value,
            grad_symbol=written(full.gradients.get(record.tensors[value.id])),
            symbol=full.names.get(record.tensors[value.id], value.symbol),
        )
        for value in graph.values
    ]
    return replace(graph, values=tuple(values), uses=tuple(uses))


def named(record: Record) -> tuple[dict[str, Tensor], set[Tensor]]:
    """What to call the tensors in formulas; and those that have no name, but are called by the expression that they are."""
    names = {text: tensor for tensor, text in expressions(record).items()}
    own = {value.name for value in record.graph.values}
    return names, {tensor for text, tensor in names.items() if text not in own}


def expressions(record: Record) -> dict[Tensor, str]:
    """What each tensor is called: its name, or the expression that it is."""
    known: dict[Tensor, Symbol] = {}
    called: dict[Tensor, str] = {}
    taken: set[str] = set()
    for value in record.graph.values:
        tensor = record.tensors[value.id]
        symbol, text = (Symbol(value.name, tensor.ndarray), value.name) if value.name else _expression(tensor, known)
        if symbol is not None and (text is None or text not in taken):
            known[tensor] = symbol
            if text is not None:
                called[tensor] = text
                taken.add(text)
    return called


def _expression(tensor: Tensor, known: Mapping[Tensor, Symbol]) -> tuple[Symbol | None, str | None]:
    """A tensor without a name as an expression of what it was computed from, if that is short; and its text."""
    if tensor.op is None:
        return (Symbol(constant(tensor.ndarray), tensor.ndarray), None) if tensor.size == 1 else (None, None)
    if tensor.op.selects or tensor.op.outputs is not None or any(x not in known for x in tensor.inputs):
        return None, None
    symbols = [known[x] for x in tensor.inputs]
    symbol = Symbol(spell(tensor.op, symbols, tensor.ndarray, tensor.settings), tensor.ndarray)
    text = _tight(symbol.text(matmul=" · ")) if symbol.expression.size <= LONGEST_FORMULA else ""
    return (symbol, text) if 0 < len(text) <= LONGEST_VALUE else (None, None)


def _tight(text: str) -> str:
    """A short sum without spaces."""
    for sign in "+−·⊙":
        text = text.replace(f" {sign} ", sign)
    return text

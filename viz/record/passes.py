"""From one graph to another: one path only, sums of sums, layers as boxes.

Each pass takes plain data and gives plain data; none knows tensors. Operations are merged by *spans*, runs of
neighbours in the order of computing: whatever else a span touches comes before it or after it, so merging
never makes a cycle.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from viz.record.graph import Data, Graph, Operation, Part, Use, measure

MOST_INPUTS_OF_A_PART = 6  # more inputs than this of one part are not drawn one by one


# ---------------------------------------------------------------------------------------------------
# One path


def only_path(graph: Graph, wanted: Iterable[str]) -> Graph:
    """The graph with derivatives only on the way from the outputs to the values `wanted`."""
    leads = set(wanted)
    inputs = {use.id: use.value for use in graph.uses}
    for op in graph.ops:
        if any(inputs[use] in leads for use in op.inputs):
            leads.update(op.outputs)
    without: dict[str, Any] = {"grad": None, "flows": False, "verdict": None, "size": None, "sign": None}
    values = [v if v.id in leads else replace(v, **without, grad_symbol=None) for v in graph.values]
    uses = [u if u.value in leads else replace(u, **without, symbol=None) for u in graph.uses]
    return replace(graph, values=tuple(values), uses=tuple(uses))


# ---------------------------------------------------------------------------------------------------
# Merging


@dataclass(frozen=True, slots=True)
class Span:
    """The operations from `start` up to `stop`, to be drawn as one."""

    start: int
    stop: int
    id: str
    name: str
    symbol: str
    shape: str  # box or cloud


def merge(graph: Graph, spans: Sequence[Span]) -> Graph:
    """The graph with each span as one operation.

    A value that a span uses several times is used by it once, with the contributions added up. Parameters and
    constants that only spans use are left out, and so are other leaves of a span with many inputs.
    """
    spans = sorted(spans, key=lambda span: span.start)
    owner = {op.id: span.id for span in spans for op in graph.ops[span.start : span.stop]}
    maker = {value.id: owner.get(value.op or "", value.op) for value in graph.values}
    kept: dict[Any, Use] = {}
    for use in graph.uses:
        span = owner.get(use.op or "")
        if span is None:
            kept[use.id] = use
        elif maker[use.value] != span:
            key = span, use.value
            kept[key] = _added(kept[key], use) if key in kept else replace(use, op=span)
    merged = {span.id for span in spans}
    hidden = _hidden(graph, list(kept.values()), merged)
    uses, inputs = _renumbered([use for use in kept.values() if use.value not in hidden], merged)
    used = {use.value for use in uses}
    values = tuple(
        v for v in graph.values if v.id in used or (maker[v.id] is not None and maker[v.id] == v.op)
    )  # the values of a span that are used outside of it
    outputs: dict[str, list[str]] = {}
    for value in values:
        outputs.setdefault(maker[value.id] or "", []).append(value.id)
    starts = {span.start: span for span in spans}
    ops = []
    for k, op in enumerate(graph.ops):
        if k in starts:
            ops.append(_one(starts[k], graph.ops[k : starts[k].stop], inputs, outputs))
        elif op.id not in owner:
            ops.append(replace(op, inputs=tuple(inputs.get(op.id, ()))))
    values = tuple(replace(v, op=maker[v.id]) for v in values)
    return without_unseen(replace(graph, values=values, ops=tuple(ops), uses=tuple(uses)), graph)


def without_unseen(graph: Graph, before: Graph) -> Graph:
    """The graph without those formulas that name a value which was in the graph `before`, but is in this one no more."""
    called = {name for value in graph.values for name in (value.name, value.symbol)}
    gone = {name for value in before.values for name in (value.name, value.symbol) if name and name not in called}
    names = sorted(gone, key=len, reverse=True)
    cited = re.compile(rf"(?<![^\W\d])(?<!\.)({'|'.join(map(re.escape, names))})(?=[ᵀ⁻⁰¹²³⁴⁵⁶⁷⁸⁹]|\W|$)")  # as in 2xᵀ

    written = [text for value in graph.values for text in (value.symbol, value.grad_symbol)]
    written += [use.symbol for use in graph.uses]

    def seen(text: str | None) -> str | None:
        return None if text and gone and cited.search(text) else text

    if not any(seen(text) != text for text in written):
        return graph
    values = tuple(
        replace(value, symbol=seen(value.symbol), grad_symbol=seen(value.grad_symbol)) for value in graph.values
    )
    uses = tuple(replace(use, symbol=seen(use.symbol)) for use in graph.uses)
    return without_unseen(replace(graph, values=values, uses=uses), before)  # until no name goes


def _one(
    span: Span, ops: Sequence[Operation], inputs: dict[str, list[str]], outputs: dict[str, list[str]]
) -> Operation:
    """The operation that stands for a span."""
    scope = tuple(part for part in ops[0].scope if part.id != span.id and all(part in op.scope for op in ops))
    return Operation(
        span.id, span.name, span.symbol, tuple(inputs.get(span.id, ())), tuple(outputs.get(span.id, ())),
        (), scope, sum(op.parts for op in ops), span.shape,
    )  # fmt: skip


def _hidden(graph: Graph, uses: Sequence[Use], merged: set[str]) -> set[str]:
    """The leaves that are left out: all that uses them is merged, and they are many or not of interest."""
    dull = {value.id for value in graph.values if value.op is None and value.kind in ("parameter", "constant")}
    crowded = {
        op
        for op, own in _by(uses, lambda use: use.op).items()
        if op in merged and sum(use.value not in dull for use in own) > MOST_INPUTS_OF_A_PART
    }
    users = _by(uses, lambda use: use.value)
    hidden = set()
    for value in graph.values:
        own = users.get(value.id, ())
        inside = value.op is None and own and all(use.op in merged for use in own)
        if inside and (value.id in dull or all(use.op in crowded for use in own)):
            hidden.add(value.id)
    return hidden


def _by(uses: Iterable[Use], key: Callable[[Use], Any]) -> dict[Any, list[Use]]:
    found: dict[Any, list[Use]] = {}
    for use in uses:
        found.setdefault(key(use), []).append(use)
    return found


def _renumbered(uses: Sequence[Use], merged: set[str]) -> tuple[list[Use], dict[str, list[str]]]:
    """The uses with positions without gaps for merged operations, and the uses of each operation."""
    inputs: dict[str, list[str]] = {}
    placed = []
    for use in uses:
        own = inputs.setdefault(use.op or "", [])
        placed.append(replace(use, position=len(own)) if use.op in merged else use)
        own.append(use.id)
    return placed, inputs


def _added(a: Use, b: Use) -> Use:
    """Two uses of a value as one: their contributions add up."""
    if not (a.flows and b.flows):
        return a if a.flows else replace(b, id=a.id, op=a.op, position=a.position)
    symbol = f"{a.symbol} + {b.symbol}" if a.symbol and b.symbol else None
    verdict = a.verdict if a.verdict == b.verdict else "differs" if "differs" in (a.verdict, b.verdict) else None
    grad = add(a.grad, b.grad)
    size, sign = measure(grad) if a.size is not None else (None, None)
    return replace(a, grad=grad, symbol=symbol, verdict=verdict, size=size, sign=sign)


def add(a: Data, b: Data) -> Data:
    """The sum of two numbers, or of nested tuples of numbers.

    >>> add((1.0, (2.0,)), (0.5, (1.0,)))
    (1.5, (3.0,))
    """
    if a is None or b is None:
        return None
    if isinstance(a, tuple):
        return tuple(add(x, y) for x, y in zip(a, b, strict=True))
    return a + b


def join_sums(graph: Graph) -> Graph:
    """The graph with a sum of sums, a + b + c, as one operation with three inputs, as textbooks draw it.

    Only where nothing is broadcast, so that every contribution stays what it was.
    """
    values = {value.id: value for value in graph.values}
    uses = {use.id: use for use in graph.uses}
    used = _by(graph.uses, lambda use: use.value)
    sums = {op.id for op in graph.ops if op.name == "add"}
    inputs: dict[str, list[str]] = {}
    symbols: dict[str, str | None] = {}  # what was passed on to a sum is passed on by it
    gone: set[str] = set()
    for op in graph.ops:
        inputs[op.id] = []
        for use_id in op.inputs:
            value = values[uses[use_id].value]
            inner = value.op if op.id in sums and value.op in sums and len(used[value.id]) == 1 else None
            if inner and values[op.outputs[0]].shape == value.shape:
                inputs[op.id] += inputs[inner]
                symbols |= dict.fromkeys(inputs[inner], uses[use_id].symbol)
                gone |= {inner, use_id, value.id}
            else:
                inputs[op.id].append(use_id)
    places = {use: (op, k) for op, own in inputs.items() if op not in gone for k, use in enumerate(own)}
    return replace(
        graph,
        values=tuple(value for value in graph.values if value.id not in gone),
        ops=tuple(replace(op, inputs=tuple(inputs[op.id])) for op in graph.ops if op.id not in gone),
        uses=tuple(
            replace(use, op=places[use.id][0], position=places[use.id][1], symbol=symbols.get(use.id, use.symbol))
            if use.id in places
            else use
            for use in graph.uses
            if use.id not in gone
        ),
    )


# ---------------------------------------------------------------------------------------------------
# Layers as boxes


def renamed(graph: Graph, calls: Container[str], kind: str) -> Graph:
    """The graph with these calls of modules, by their ids, called something else than their class."""

    def rename(part: Part) -> Part:
        return replace(part, kind=kind) if part.id in calls else part

    return replace(graph, ops=tuple(replace(op, scope=tuple(map(rename, op.scope))) for op in graph.ops))


def collapse(graph: Graph, chosen: Callable[[Part], bool], cloud: str | None = None) -> Graph:
    """The graph with each call of a module that `chosen` picks as one box; the outermost, where several are.

    With words to put into a `cloud`, as clouds that don't say what they are.
    """
    spans: list[Span] = []
    taken: dict[str, int] = {}
    picks = [next((part for part in op.scope if chosen(part)), None) for op in graph.ops]
    for part, run in groupby(enumerate(picks), key=lambda pick: pick[1]):
        places = [k for k, _ in run]
        if part is not None:
            taken[part.id] = taken.get(part.id, 0) + 1
            id = part.id if taken[part.id] == 1 else f"{part.id}-{taken[part.id]}"
            name, symbol, shape = (cloud, cloud, "cloud") if cloud else (part.name or part.kind, part.kind, "box")
            spans.append(Span(places[0], places[-1] + 1, id, name, symbol, shape))
    return merge(graph, spans)


def depth(graph: Graph, level: int) -> Callable[[Part], bool]:
    """Picks modules `level` deep, the outermost being 1; and what is not so deep but contains no other module."""
    picked = {op.scope[level - 1] for op in graph.ops if len(op.scope) >= level} | _innermost(graph)
    return lambda part: part in picked


def innermost(graph: Graph) -> Callable[[Part], bool]:
    """Picks the modules that contain no other: layers."""
    layers = _innermost(graph)
    return lambda part: part in layers


def _innermost(graph: Graph) -> set[Part]:
    inside = {part for op in graph.ops for part in op.scope}
    return inside - {part for op in graph.ops for part in op.scope[:-1]}


def size(graph: Graph) -> int:
    """How much there is to draw: operations and values."""
    return len(graph.ops) + len(graph.values)

"""Two plainer styles, laid out by Graphviz alone: `record` (a table a value) and `plain` (labels on edges)."""

from __future__ import annotations

from collections.abc import Iterable

import graphviz

from viz.dot import FONT, Theme
from viz.graph import Graph, Use, Value
from viz.labels import FigureLabels
from viz.plan import Words


def sheet(graph: Graph, labels: FigureLabels, style: str, theme: Theme, hidden: Iterable[str] = ()) -> str:
    """DOT for a style; the elements in `hidden` keep their place and are not drawn."""
    sheet = graphviz.Digraph(
        "figure",
        graph_attr={"rankdir": "LR", "bgcolor": theme.paper, "nodesep": "0.2", "ranksep": "0.35"},
        node_attr={"fontname": FONT, "color": theme.outline, "fontcolor": theme.ink},
        edge_attr={"fontname": FONT, "color": theme.forward, "fontcolor": theme.ink, "arrowsize": "0.7"},
    )
    unseen = frozenset(hidden)
    draw = _record if style == "record" else _plain
    draw(sheet, graph, labels, theme, unseen)
    return str(sheet.source)


def steps(graph: Graph, style: str) -> dict[str, int]:
    """The frame in which each element appears, by its id."""
    step = {op.id: k for k, op in enumerate(graph.ops, 1)}
    found = dict(step)
    first: dict[str, int] = {}
    for use in graph.uses:
        first[use.value] = min(first.get(use.value, len(step)), step.get(use.op or "", len(step)))
    for value in graph.values:
        found[value.id] = step[value.op] if value.op else first.get(value.id, 0)
    for use in graph.uses:
        found[use.id] = found[use.value] if style == "plain" else step.get(use.op or "", len(step))
        if use.op is None:
            found[f"{use.id}-result"] = found[use.value]
    return found


def _seen(id: str, unseen: frozenset[str]) -> dict[str, str]:
    return {"style": "invis"} if id in unseen else {}


def _record(sheet: graphviz.Digraph, graph: Graph, labels: FigureLabels, theme: Theme, unseen: frozenset[str]) -> None:
    """Each value a record: its name | its value | its derivative; each operation a circle before it."""
    used = {use.value for use in graph.uses}
    for value in graph.values:
        if value.id in used or value.op is not None:
            name = _line(labels.name(value, False)) if value.name else ""
            fields = [name, _line(labels.above(value, None)), _line(labels.below(value, None))]
            label = " | ".join(_field(text) for text in fields if text)
            sheet.node(value.id, label=f"{{ {label} }}", shape="record", id=value.id, **_class(value.kind),
                       **_seen(value.id, unseen))  # fmt: skip
    for op in graph.ops:
        shape = "circle" if op.shape == "circle" else "box"
        sheet.node(op.id, label=graphviz.escape(_line(labels.circle(op))), shape=shape, id=op.id, **_class("op"),
                   **_seen(op.id, unseen))  # fmt: skip
        for value_id in op.outputs:
            sheet.edge(op.id, value_id, id=f"{value_id}-made", **_class("forward"), **_seen(value_id, unseen))
    for use in graph.uses:
        if use.op is not None:
            sheet.edge(use.value, use.op, id=use.id, **_class("forward"), **_seen(use.id, unseen))


def _plain(sheet: graphviz.Digraph, graph: Graph, labels: FigureLabels, theme: Theme, unseen: frozenset[str]) -> None:
    """Each operation an ellipse, each use an edge with the value and the derivative on it."""
    values = {value.id: value for value in graph.values}
    used = {use.value for use in graph.uses}
    for value in graph.values:
        if value.op is None and value.id in used:
            sheet.node(value.id, label=graphviz.escape(_line(labels.name(value, False))), shape="plaintext", id=value.id,
                       **_class(f"name {value.kind}"), **_seen(value.id, unseen))  # fmt: skip
    for op in graph.ops:
        shape = "ellipse" if op.shape == "circle" else "box"
        sheet.node(op.id, label=graphviz.escape(_line(labels.circle(op))), shape=shape, id=op.id, **_class("op"),
                   **_seen(op.id, unseen))  # fmt: skip
    for use in graph.uses:
        value = values[use.value]
        target = use.op or f"{use.id}-result"
        if use.op is None:
            sheet.node(target, label=graphviz.escape(_line(labels.name(value, True))), shape="plaintext", id=target,
                       **_class("name result"), **_seen(target, unseen))  # fmt: skip
        sheet.edge(value.op or value.id, target, id=use.id, label=_both(labels, value, use), fontsize="12",
                   **_class("forward"), **_seen(use.id, unseen))  # fmt: skip


def _class(name: str) -> dict[str, str]:
    return {"class": name}


def _both(labels: FigureLabels, value: Value, use: Use) -> str:
    above, below = _line(labels.above(value, use)), _line(labels.below(value, use))
    lines = [above] + ([f"∂ {below}"] if below else [])
    return "\\n".join(graphviz.escape(line) for line in lines if line)


def _line(lines: tuple[Words, ...]) -> str:
    """Lines of text as one; a blank stays blank."""
    return " ".join("____" if line.role == "blank" else line.text for line in lines)


def _field(text: str) -> str:
    """Text in a record, where braces, bars and angle brackets would be structure."""
    escaped = str(graphviz.escape(text))
    return "".join("\\" + c if c in "{}|<> " else c for c in escaped)

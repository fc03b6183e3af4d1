"""Two plainer styles, laid out by Graphviz alone: `record` (a table a value) and `plain` (labels on edges)."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from viz.formats.dot import FONT_NAME, HURRIED, edge, literal, node, sheet
from viz.layout.metrics import text_width
from viz.layout.plan import LEAST_USES_OF_TAGS, Words
from viz.layout.routing import MOST_WIRES_UNHURRIED
from viz.record.graph import Graph, Use, Value, users
from viz.theme import Theme
from viz.wording.labels import FigureLabels, marked

EDGE_FONT = 12.0  # the font size on edges


def styled(graph: Graph, labels: FigureLabels, style: str, theme: Theme, **given: str) -> str:
    """DOT for a style; what is `given` are attributes of the whole, as `dpi` and `bgcolor`."""
    settings = {"rankdir": "LR", "bgcolor": theme.paper, "nodesep": "0.2", "ranksep": "0.35", **given}
    if len(graph.uses) > MOST_WIRES_UNHURRIED:
        settings |= {"splines": "line", **HURRIED}
    return sheet(
        (_records if style == "record" else _edges)(graph, labels, theme),
        settings,
        {"fontname": FONT_NAME, "color": theme.outline, "fontcolor": theme.ink},
        {"fontname": FONT_NAME, "color": theme.forward, "fontcolor": theme.ink, "arrowsize": "0.7", "class": "forward"},
    )


def _records(graph: Graph, labels: FigureLabels, theme: Theme) -> Iterator[str]:
    """Each value a table: its name | its value | its derivative; each operation a circle before it."""
    own = apart(graph)
    for id, value, at in nodes(graph):
        yield node(id, html=_table(value, at, labels, theme), shape="plain", **_known(id, value.kind))
    for op in graph.ops:
        shape = "circle" if op.shape == "circle" else "box"
        yield node(op.id, label=literal(line(labels.circle(op))), shape=shape, **_known(op.id, "op"))
        for value_id in op.outputs:
            yield edge(op.id, value_id, id=f"{value_id}-made")
    for use in graph.uses:
        if use.op is not None:
            yield edge(origin(use, own), use.op, id=use.id)


def _edges(graph: Graph, labels: FigureLabels, theme: Theme) -> Iterator[str]:
    """Each operation an ellipse, each use an edge with the value and the derivative on it."""
    values = {value.id: value for value in graph.values}
    own = apart(graph)
    for id, value, _ in nodes(graph):
        if value.op is None:
            yield _name(id, labels.name(value, False), value.kind)
    for op in graph.ops:
        shape = "ellipse" if op.shape == "circle" else "box"
        yield node(op.id, label=literal(line(labels.circle(op))), shape=shape, **_known(op.id, "op"))
    for use in graph.uses:
        value = values[use.value]
        target = use.op or f"{use.id}-result"
        if use.op is None:
            yield _name(target, labels.name(value, True), "result")
        tail = value.op or origin(use, own)
        yield edge(tail, target, id=use.id, label=_both(labels, value, use), fontsize=f"{EDGE_FONT:g}")


def nodes(graph: Graph) -> Iterator[tuple[str, Value, Use | None]]:
    """The node of each value, by its id; of a leaf that stands at each of its uses, one a use."""
    used, own = users(graph), apart(graph)
    for value in graph.values:
        if value.id in own:
            yield from ((origin(use, own), value, use) for use in used[value.id])
        elif used[value.id] or value.op is not None:
            yield value.id, value, None


def apart(graph: Graph) -> frozenset[str]:
    """The leaves that stand at each of their uses: in a large graph, those used often, which Graphviz takes minutes for."""
    if len(graph.uses) <= MOST_WIRES_UNHURRIED:
        return frozenset()
    used = users(graph)
    return frozenset(
        value.id for value in graph.values if value.op is None and len(used[value.id]) >= LEAST_USES_OF_TAGS
    )


def origin(use: Use, apart: frozenset[str]) -> str:
    """The node that a use of a value comes from."""
    return f"{use.id}-tag" if use.value in apart else use.value


def _name(id: str, words: tuple[Words, ...], kind: str) -> str:
    tight = {"shape": "plaintext", "width": "0", "height": "0.3", "margin": "0.05,0"}
    return node(id, label=literal(line(words)), **tight, **_known(id, f"name {kind}"))


def _known(id: str, classes: str) -> dict[str, str]:
    """The id and the class by which a page finds a node."""
    return {"id": id, "class": classes}


def _both(labels: FigureLabels, value: Value, use: Use) -> str:
    above, below = line(labels.above(value, use)), line(labels.below(value, use))
    lines = [above] + ([marked(below)] if below else [])
    return "\\n".join(literal(line) for line in lines if line)


def line(lines: tuple[Words, ...]) -> str:
    """Lines of text as one; a blank stays blank."""
    return " ".join("____" if line.role == "blank" else line.text for line in lines)


def _table(value: Value, use: Use | None, labels: FigureLabels, theme: Theme) -> str:
    """A value's name, number and derivative (of one use, or whole) in three cells, each as wide as its text; in HTML."""
    name, above = named_once(labels, value, use)
    cells = [
        _cell(line(words), colour, bold, cell_width(words))
        for words, colour, bold in (
            (name, theme.parameter if value.kind == "parameter" else theme.ink, False),
            (above, theme.ink, False),
            (labels.below(value, use, partial=use is not None), theme.grad, True),
        )
        if words
    ]
    table = f'<table border="0" cellborder="1" cellspacing="0" cellpadding="5" color="{theme.outline}">'
    return f"{table}<tr>{''.join(cells) or '<td></td>'}</tr></table>"


def named_once(labels: FigureLabels, value: Value, use: Use | None) -> tuple[tuple[Words, ...], tuple[Words, ...]]:
    """A value's name, and what else is said of it; without a name, what it is."""
    above = labels.above(value, use)
    name = labels.name(value, False) if value.name or not above else ()
    return name, tuple(words for words in above if words.text not in [other.text for other in name])


def cell_width(words: tuple[Words, ...]) -> float:
    """The width of a cell that these lines are written into, as one."""
    return text_width(line(words)) + 10.0


def _cell(text: str, colour: str, bold: bool, width: float) -> str:
    written = escape(text).replace("\\", "\\\\") or "&#160;"
    written = f"<b>{written}</b>" if bold else written
    return f'<td width="{width:.0f}"><font color="{colour}">{written}</font></td>'

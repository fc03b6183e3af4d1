"""Mermaid: a flowchart that Markdown pages (of GitHub, of notebooks) draw by themselves."""

from __future__ import annotations

from viz.layout.plan import Words
from viz.record.graph import Graph, Use, Value, users
from viz.wording.labels import FigureLabels, marked


def flowchart(graph: Graph, labels: FigureLabels) -> str:
    """The graph as a Mermaid flowchart: an edge a use, its value and its derivative on it."""
    lines = ["flowchart LR"]
    own = users(graph)
    leaves = [value for value in graph.values if value.op is None and own[value.id]]
    lines += [f'  {value.id}["{_leaf(labels, value, len(own[value.id]))}"]:::leaf' for value in leaves]
    for op in graph.ops:
        left, right = ("((", "))") if op.shape == "circle" else ("(", ")")
        lines.append(f'  {op.id}{left}"{_text(labels.circle(op))}"{right}')
    values = {value.id: value for value in graph.values}
    for use in graph.uses:
        value = values[use.value]
        target = use.op or f"{use.id}-result"
        if use.op is None:
            lines.append(f'  {target}["{_text(labels.name(value, True))}"]:::leaf')
        lines.append(f'  {value.op or value.id} -- "{_edge(labels, use, value)}" --> {target}')
    lines.append("  classDef leaf fill:none,stroke:none")
    return "\n".join(lines) + "\n"


def _leaf(labels: FigureLabels, value: Value, times: int) -> str:
    """A leaf's name; of one that is used several times, its whole derivative, too."""
    whole = labels.below(value, None) if times > 1 else ()
    return "<br/>".join([_text(labels.name(value, False)), *_derivative(whole)])


def _edge(labels: FigureLabels, use: Use, value: Value) -> str:
    above, below = labels.above(value, use), labels.below(value, use)
    return "<br/>".join(part for part in (_text(above), *_derivative(below)) if part) or " "


def _derivative(below: tuple[Words, ...]) -> list[str]:
    """A derivative, said to be one; what is left blank has nothing to say."""
    if not below or below[0].role == "blank":
        return []
    return [marked(_text(below))]


def _text(lines: tuple[Words, ...]) -> str:
    """Text in which nothing is markup: every character that Mermaid could read as such is an entity."""
    return " ".join("".join(_character(c) for c in line.text) for line in lines)


def _character(c: str) -> str:
    return c if c.isalnum() or c in " .,()[]+−×·/∂ΣᵀL_^" else f"#{ord(c)};"

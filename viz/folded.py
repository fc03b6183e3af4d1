"""Folding a figure: the clouds and boxes that were asked for, or as few as it needs to be read on a slide."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tinygrad_edu.nn.module import Module
from viz.languages import words
from viz.layout.columns import extent
from viz.layout.plan import FONT, make_plan
from viz.look import Look
from viz.options import choose, several
from viz.record import passes
from viz.record.folding import fold
from viz.record.graph import Graph
from viz.record.trace import Traced
from viz.wording.labels import FigureLabels

SLIDE = 1920 * FONT / 8, 1080 * FONT / 8  # a figure so large has letters of 8 pixels on a screen of 1920 × 1080
MOST_ON_A_SLIDE = 400  # operations and values, beyond which it is not measured whether they fit
MOST_OPERATIONS_ALWAYS_IN_FULL = 12  # so few operations are never folded, however much is written on them


def folded(
    traced: Traced, labels: FigureLabels, look: Look, *, collapse: Any, cloud: Any, max_nodes: int | None
) -> tuple[Graph, Graph]:
    """The graph, its clouds drawn as such; and what is drawn of it, folded so far that it can be read, or as asked for.

    collapse, cloud, max_nodes: as `draw` takes them.
    """
    graph = traced.graph
    if cloud is not None:
        calls = traced.calls(several(cloud), "cloud")
        graph = passes.collapse(graph, lambda part: part.id in calls, words(look.lang)["some"])
    if not (isinstance(collapse, str) and collapse == "auto"):
        return graph, _collapsed(replace(traced, graph=graph), collapse)

    def fits(graph: Graph) -> bool:
        return readable(graph, labels, look.direction)

    if max_nodes:
        whole = passes.size(graph) <= max_nodes
    else:
        whole = len(graph.ops) <= MOST_OPERATIONS_ALWAYS_IN_FULL or fits(graph)
    return graph, graph if whole else fold(graph, fits, look.lang)


def readable(graph: Graph, labels: FigureLabels, direction: str) -> bool:
    """Whether the figure can be read on a slide."""
    if passes.size(graph) > MOST_ON_A_SLIDE:
        return False
    width, height = extent(make_plan(graph, labels))
    return width * (2 if direction == "side-by-side" else 1) <= SLIDE[0] and height <= SLIDE[1]


def _collapsed(traced: Traced, collapse: Any) -> Graph:
    """The graph with the parts collapsed that `collapse` asks for."""
    graph = traced.graph
    if collapse is None:
        return graph
    if isinstance(collapse, str):
        choose("collapse", collapse, ("auto", "all"))
        return passes.collapse(graph, passes.innermost(graph))
    if isinstance(collapse, int) and not isinstance(collapse, bool):
        if collapse < 1:
            raise ValueError(f"collapse={collapse} is not a depth; 1 is the outermost modules")
        return passes.collapse(graph, passes.depth(graph, collapse))
    if isinstance(collapse, Module | Iterable):
        chosen = traced.calls(several(collapse), "collapse")
        return passes.collapse(graph, lambda part: part.id in chosen)
    if callable(collapse):
        return passes.collapse(graph, collapse)
    raise TypeError(f"collapse={collapse!r} is not a depth, 'all', 'auto', a list of modules, a function or None")

"""Folding a figure: the clouds and boxes that were asked for, or as few as it needs to be read on a slide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from itertools import chain
from typing import Any

from tinygrad_edu.nn.module import Module
from viz.languages import words
from viz.layout.columns import extent
from viz.layout.page import READABLE_LETTERS
from viz.layout.plan import FONT, Plan, make_plan
from viz.layout.rows import Arrangement, arrangements, letters_at_most, preference
from viz.layout.spacing import Spacing
from viz.look import Look
from viz.options import choose, several
from viz.record import passes
from viz.record.elision import without_steps
from viz.record.folding import equal_blocks, fold
from viz.record.graph import Graph, Part
from viz.record.trace import Traced
from viz.wording.labels import FigureLabels

SLIDE = 1920 * FONT / 8, 1080 * FONT / 8  # a figure so large has letters of 8 pixels on a screen of 1920 × 1080
LEAST_LETTERS_UNFOLDED = 8.0  # points, on a page: a figure whose letters would be smaller is folded
MOST_ON_A_SLIDE = 400  # operations and values, beyond which it is not measured whether they fit
MOST_OPERATIONS_ALWAYS_IN_FULL = 12  # so few operations are never folded, however much is written on them

Direction = tuple[Callable[[Spacing, int], Plan], tuple[float, float]]  # a plan with distances and tags, and its room


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
        return readable(graph, labels, look)

    if max_nodes:
        return graph, graph if passes.size(graph) <= max_nodes else fold(graph, fits, look.lang)
    if look.page:
        return graph, _folded_for_a_page(graph, labels, look, fits)
    whole = len(graph.ops) <= MOST_OPERATIONS_ALWAYS_IN_FULL or fits(graph)
    return graph, graph if whole else fold(graph, fits, look.lang)


def _folded_for_a_page(graph: Graph, labels: FigureLabels, look: Look, fits: Callable[[Graph], bool]) -> Graph:
    """The graph, or with steps or equal blocks folded if its letters are small, or all of it if they cannot be read at all."""
    wanted = look.font_size or READABLE_LETTERS
    for candidate in chain([graph], without_steps(graph, look.lang), equal_blocks(graph, look.lang)):
        if _legible(candidate, labels, look, wanted):
            return candidate
    return graph if fits(graph) else fold(graph, fits, look.lang)


def readable(graph: Graph, labels: FigureLabels, look: Look) -> bool:
    """Whether the figure can be read on a slide, or on the page that it is to fit."""
    if look.page:
        return _legible(graph, labels, look, look.font_size or LEAST_LETTERS_UNFOLDED)
    if passes.size(graph) > MOST_ON_A_SLIDE:
        return False
    width, height = extent(make_plan(graph, labels, order=look.order))
    return width * (2 if look.direction == "side-by-side" else 1) <= SLIDE[0] and height <= SLIDE[1]


def _legible(graph: Graph, labels: FigureLabels, look: Look, wanted: float) -> bool:
    """Whether the letters of a figure on its page can be expected to be so high, in points."""
    if passes.size(graph) > MOST_ON_A_SLIDE:
        return False
    ways = _directions(graph, labels, look)
    return any(letters_at_most(*way) >= wanted for way in ways) and _arranged(ways, look)[0].letters >= wanted


def ways_to_fit(graph: Graph, labels: FigureLabels, look: Look) -> list[Arrangement]:
    """The ways to put a figure onto its page, in rows that run to the right or columns that run down, the best first."""
    return _arranged(_directions(graph, labels, look), look)


def _arranged(ways: Sequence[Direction], look: Look) -> list[Arrangement]:
    found = [one for way in ways for one in arrangements(*way, look.spacing, wrapped=not look.panels)]
    return sorted(found, key=lambda way: preference(way.letters, way.rows, way.rows[0].spacing.down))


def _directions(graph: Graph, labels: FigureLabels, look: Look) -> list[Direction]:
    """Return, for each direction in which the figure may run on its page, a function that plans it, and the room for it."""

    @cache
    def planned(spacing: Spacing, tags: int) -> Plan:
        return make_plan(graph, labels, spacing, tags, look.order)

    def turned(spacing: Spacing, tags: int) -> Plan:
        return planned(replace(spacing, down=True), tags)

    return [(turned if flow == "down" else planned, room_in(look, flow == "down")) for flow in look.flows]


def room_in(look: Look, down: bool) -> tuple[float, float]:
    """How long a figure on its page may be where it runs to, and how wide."""
    return look.room[::-1] if down else look.room


def _collapsed(traced: Traced, collapse: Any) -> Graph:
    """The graph with the parts collapsed that `collapse` asks for."""
    if collapse is None:
        return traced.graph
    return passes.collapse(traced.graph, chosen_parts(traced, collapse))


def chosen_parts(traced: Traced, collapse: Any) -> Callable[[Part], bool]:
    """Picks the calls of modules that `collapse` asks for. Raises ValueError or TypeError for what it cannot be."""
    graph = traced.graph
    if isinstance(collapse, str):
        choose("collapse", collapse, ("auto", "all"))
        return passes.innermost(graph)
    if isinstance(collapse, int) and not isinstance(collapse, bool):
        if collapse < 1:
            raise ValueError(f"collapse={collapse} is not a depth; 1 is the outermost modules")
        return passes.depth(graph, collapse)
    if isinstance(collapse, Module | Iterable):
        chosen = traced.calls(several(collapse), "collapse")
        return lambda part: part.id in chosen
    if callable(collapse):
        asked: Callable[[Part], bool] = collapse
        return asked
    raise TypeError(f"collapse={collapse!r} is not a depth, 'all', 'auto', a list of modules, a function or None")

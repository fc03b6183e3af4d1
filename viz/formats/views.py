"""The layouts of one page: the figure as it was drawn, and the same with layers closed and opened."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Protocol

from viz.layout.plan import Plan
from viz.layout.scene import Scene
from viz.look import Look
from viz.record import passes
from viz.record.graph import Graph, Part
from viz.record.slopes import Reading
from viz.wording.labels import FigureLabels

MOST_VIEWS = 12  # layouts in one page
MOST_IN_ALL_LAYOUTS = 800  # operations and values of all layouts together


class Figure(Protocol):
    """What a page asks of a figure: `Drawing` is one."""

    graph: Graph
    labels: FigureLabels
    look: Look
    whole: Graph
    reading: Reading

    @property
    def plan(self) -> Plan:
        """The parts of the figure, before they have places."""

    @property
    def scene(self) -> Scene:
        """Every shape, line and text in its place."""

    @property
    def name(self) -> str:
        """What the figure is of, as a title."""

    def text(self) -> str:
        """The figure in words."""

    def of(self, graph: Graph, labels: FigureLabels) -> Figure:
        """Another figure of the same computation, in the same look."""


@dataclass(frozen=True)
class View:
    """One layout, and the layers that are closed in it; without `layers`, it was folded otherwise."""

    drawing: Figure
    closed: frozenset[str]
    layers: Mapping[str, Layer]


@dataclass(frozen=True)
class Layer:
    """A call of a module of several operations, and those around and inside it."""

    id: str
    parents: tuple[str, ...]  # the outermost first
    children: tuple[str, ...]


def make_views(drawing: Figure) -> list[View]:
    """The figure as it was drawn, first, and with layers closed and opened: in every way, if these are few.

    What was folded to be read can be opened, too, if it is not too much for a page.
    """
    labels = replace(drawing.labels, grad="number") if drawing.labels.grad == "blank" else drawing.labels
    first = drawing.of(drawing.graph, labels)
    given = frozenset(op.id.partition("-")[0] for op in drawing.graph.ops if op.shape == "box")
    if any(op.shape == "cloud" for op in drawing.whole.ops):  # it does not matter what these compute
        return [View(first, given, {})]
    layers = find_layers(drawing.whole, given)
    called = {part.id for op in drawing.whole.ops for part in op.scope}
    folded = any(op.shape == "cloud" for op in drawing.graph.ops) or not given <= called  # equal ones as one
    views = [View(first, given, {} if folded else layers)]
    room = MOST_IN_ALL_LAYOUTS - passes.size(drawing.graph)
    for closed in ways_to_close(layers):
        if len(views) == MOST_VIEWS or (closed == given and not folded):
            continue
        graph = passes.collapse(drawing.whole, _among(closed))
        size = passes.size(graph)
        if size <= room:
            room -= size
            view = drawing.of(graph, labels)
            views.append(View(view, closed, layers))
    return views


def _among(closed: frozenset[str]) -> Callable[[Part], bool]:
    return lambda part: part.id in closed


def find_layers(graph: Graph, closed: Iterable[str]) -> dict[str, Layer]:
    """The calls of modules that have several operations, but for one that holds all others; and those in `closed`."""
    count: dict[Part, int] = {}
    for op in graph.ops:
        for part in op.scope:
            count[part] = count.get(part, 0) + 1
    outer = {op.scope[0].id for op in graph.ops if len(op.scope) > 1}
    alone = outer if len(outer) == 1 else set()
    chosen = {part.id for part, n in count.items() if n > 1 and part.id not in alone} | {*closed}
    parents: dict[str, tuple[str, ...]] = {}
    for op in graph.ops:
        path = [part.id for part in op.scope if part.id in chosen]
        for k, id in enumerate(path):
            parents[id] = tuple(path[:k])
    children: dict[str, list[str]] = {id: [] for id in parents}
    for id, above in parents.items():
        if above:
            children[above[-1]].append(id)
    return {id: Layer(id, parents[id], tuple(children[id])) for id in parents}


def ways_to_close(layers: Mapping[str, Layer]) -> list[frozenset[str]]:
    """Sets of layers, none inside another, to be closed: all that there are, if these are few.

    Else one for each depth, then those in which one outermost layer is open, then one innermost.
    """
    roots = [id for id, layer in layers.items() if not layer.parents]
    if math.prod(_count(layers, id) for id in roots) <= MOST_VIEWS:
        return _combined(layers, roots)
    innermost = frozenset(id for id, layer in layers.items() if not layer.children)
    ways: list[frozenset[str]] = [frozenset(), innermost]
    for depth in range(max(len(layer.parents) for layer in layers.values())):
        at = {id for id, layer in layers.items() if len(layer.parents) == depth}
        ways.append(frozenset(at | {id for id in innermost if len(layers[id].parents) < depth}))
    alone = [frozenset(roots) - {id} | {*layers[id].children} for id in roots], [innermost - {id} for id in innermost]
    for several in alone:
        fresh = [closed for closed in sorted(several, key=sorted) if closed not in ways]
        if len(ways) + len(fresh) <= MOST_VIEWS:  # for all or for none
            ways += fresh
    return ways


def _count(layers: Mapping[str, Layer], id: str) -> int:
    return 1 + math.prod(_count(layers, child) for child in layers[id].children)


def _combined(layers: Mapping[str, Layer], ids: Sequence[str]) -> list[frozenset[str]]:
    """Return every choice for these layers: each one closed, or open with any choice for its children."""
    choices = [[frozenset({id}), *_combined(layers, layers[id].children)] for id in ids]
    return [frozenset().union(*choice) for choice in product(*choices)]


def ways_from(view: View, views: Sequence[View]) -> dict[str, int]:
    """To each layer that can be opened or closed in a view, the view that does it and changes least besides."""
    found = {}
    for id, layer in view.layers.items():
        if id in view.closed:
            wanted = (view.closed - {id}) | {*layer.children}
            possible = [k for k, other in enumerate(views) if other.layers and not other.closed & {id, *layer.parents}]
        elif view.closed & {*layer.parents}:
            continue  # it cannot be seen, inside a layer that is closed
        else:
            inside = {other.id for other in view.layers.values() if id in other.parents}
            wanted = (view.closed - inside) | {id}
            possible = [k for k, other in enumerate(views) if other.layers and id in other.closed]
        if possible:
            found[id] = min(possible, key=lambda k: len(views[k].closed ^ wanted))
    return found

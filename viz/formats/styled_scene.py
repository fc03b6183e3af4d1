"""Where everything is on a figure in the styles "record" and "plain", which Graphviz lays out alone.

The plan says what is on it, and in which step each part appears; the scene is read from what Graphviz answers, so that
a page can draw the figure itself. Derivatives are written in cells and on edges: there are no arrows back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from viz.formats.styles import EDGE_FONT, apart, cell_width, line, named_once, nodes, origin
from viz.layout.plan import FONT, NOTE_SPACING, NOTES_BELOW, Place, Plan, Wire, Words, written
from viz.layout.scene import Line, Point, Scene, Shape, Text
from viz.record.graph import Graph, Operation, Use, Value, users
from viz.wording.labels import FigureLabels, marked

PIECES_OF_A_CURVE = 6  # straight pieces of each piece of a curve


def styled_plan(graph: Graph, labels: FigureLabels, style: str) -> Plan:
    """What is on a figure: a place a node of Graphviz's, a wire a use; in records, a trunk where the uses add up."""
    return _Planner(graph, labels, style).plan()


class _Planner:
    def __init__(self, graph: Graph, labels: FigureLabels, style: str) -> None:
        self.graph, self.labels, self.style = graph, labels, style
        self.values = {value.id: value for value in graph.values}
        self.uses, self.apart = users(graph), apart(graph)
        self.steps = {op.id: k for k, op in enumerate(graph.ops, 1)}

    def plan(self) -> Plan:
        places = [*self._values(), *map(self._operation, self.graph.ops), *self._results()]
        wires = [self._wire(use) for use in self.graph.uses]
        if self.style == "record":
            wires += [self._trunk(value) for value in self.graph.values if len(self.uses[value.id]) > 1]
        return Plan(tuple(places), tuple(wires))

    def _values(self) -> Iterator[Place]:
        for id, value, use in nodes(self.graph):
            if self.style == "record" or value.op is None:
                shape = "value" if self.style == "record" else "source"
                record = self.style == "record"
                name = named_once(self.labels, value, use)[0] if record else self.labels.name(value, False)
                yield _place(id, shape, name, value.id, f"name {value.kind}", self._step(use, value))

    def _operation(self, op: Operation) -> Place:
        shape = "circle" if op.shape == "circle" else "box"
        return _place(op.id, shape, self.labels.circle(op), op.id, f"op {shape}", self.steps[op.id])

    def _results(self) -> Iterator[Place]:
        for use in self.graph.uses if self.style == "plain" else ():
            if use.op is None:
                value = self.values[use.value]
                name = self.labels.name(value, True)
                yield _place(f"{use.id}-result", "result", name, value.id, "name result", len(self.graph.ops))

    def _step(self, use: Use | None, value: Value) -> int:
        """When a value appears: when it is computed, and what is given when it is first used."""
        if value.op is not None:
            return self.steps[value.op]
        own = [use] if use is not None else self.uses[value.id]
        return min((self.steps[u.op] if u.op else len(self.graph.ops) for u in own), default=0)

    def _wire(self, use: Use) -> Wire:
        value = self.values[use.value]
        source = value.op if self.style == "plain" and value.op else origin(use, self.apart)
        at = None if self.style == "record" and use.value not in self.apart else use
        above = named_once(self.labels, value, at)[1] if self.style == "record" else self.labels.above(value, at)
        below = self.labels.below(value, at, partial=use.value in self.apart)
        step, back = self._step(use if use.value in self.apart else None, value), self._back(use)
        target = use.op or f"{use.id}-result"
        return Wire(use.id, source, target, use.position, "use", value.id, above, below, use.flows, step, back)

    def _trunk(self, value: Value) -> Wire:
        back = max((self._back(use) for use in self.uses[value.id] if use.flows), default=0)
        above, below = named_once(self.labels, value, None)[1], self.labels.below(value, None)
        step = self._step(None, value)
        id = f"{value.id}-trunk"
        return Wire(id, value.id, value.id, 0, "trunk", value.id, above, below, value.flows, step, back)

    def _back(self, use: Use) -> int:
        last = len(self.graph.ops)
        return last + 1 + (last - self.steps[use.op] + 1 if use.op else 0)


def _place(id: str, shape: str, lines: tuple[Words, ...], ref: str, classes: str, step: int) -> Place:
    return Place(id, shape, lines, 0.0, 0.0, ref, classes, step)


# ---------------------------------------------------------------------------------------------------
# What Graphviz answers


def styled_scene(plan: Plan, placed: bytes, notes: Sequence[Words]) -> Scene:
    """The scene of a plan, from Graphviz's answer (json0), and notes below it."""
    return _Reader(plan, json.loads(placed)).scene(notes)


class _Reader:
    def __init__(self, plan: Plan, placed: Mapping[str, Any]) -> None:
        self.plan = plan
        self.places = {place.id: place for place in plan.places}
        self.wires = {wire.id: wire for wire in plan.wires}
        self.objects, self.edges = placed["objects"], placed.get("edges", [])
        self.nodes = {entry["name"]: entry for entry in self.objects}
        self.shapes: list[Shape] = []
        self.texts: list[Text] = []

    def scene(self, notes: Sequence[Words]) -> Scene:
        for place in self.plan.places:
            if place.shape == "value":
                self._cells(place)
                continue
            x, y, width, height = self._box(place.id)
            if place.shape in ("circle", "box"):
                self.shapes.append(Shape(place.id, place.classes, place.shape, x, y, width, height, place.step))
            self._write(f"{place.id}-text0", place.classes, _joined(place.lines), x, y, place.step)
        lines = [self._line(entry) for entry in self.edges]
        scene = Scene(tuple(self.shapes), tuple(lines), tuple(self.texts))
        left, bottom, _, _ = scene.bounds()
        for k, note in enumerate(notes):
            y = bottom - NOTES_BELOW - NOTE_SPACING * k * note.height
            self._write(f"note{k}", "note", note, left + note.width / 2, y, 0)
        return Scene(scene.shapes, scene.lines, tuple(self.texts))

    def _box(self, name: str) -> tuple[float, float, float, float]:
        entry = self.nodes[name]
        x, y = map(float, entry["pos"].split(","))
        return x, y, 72 * float(entry["width"]), 72 * float(entry["height"])

    def _write(self, id: str, classes: str, words: Words, x: float, y: float, step: int) -> None:
        self.texts.append(written(id, classes, words, x, y, step))

    def _cells(self, place: Place) -> None:
        """The cells of a value, each as wide as its text: its name, its number, its derivative."""
        wire = self._wire_of(place)
        found = [(f"{place.id}", place.lines, place.classes, place.step)] if place.lines else []
        if wire is not None:
            found += [(f"{wire.id}-above", wire.above, "forward", wire.step)] if wire.above else []
            found += [(f"{wire.id}-below", wire.below, "backward", wire.back_step)] if wire.flows and wire.below else []
        x, y, width, height = self._box(place.id)
        shares = [cell_width(lines) for _, lines, _, _ in found] or [1.0]
        ends = [x - width / 2 + width * end / sum(shares) for end in accumulate(shares, initial=0.0)]
        for k in range(len(shares)):
            middle, own = (ends[k] + ends[k + 1]) / 2, ends[k + 1] - ends[k]
            self.shapes.append(Shape(f"{place.id}-cell{k}", "cell", "cell", middle, y, own, height, place.step))
            if found:
                id, lines, classes, step = found[k]
                self._write(f"{id}-text0", f"{classes} {place.ref}", _joined(lines), middle, y, step)

    def _wire_of(self, place: Place) -> Wire | None:
        """The wire whose numbers stand in a value's cells: its only use, or the trunk of all its uses; None if it has none."""
        own = [wire for wire in self.plan.wires if wire.source == place.id]
        return own[-1] if own else None

    def _line(self, entry: Mapping[str, Any]) -> Line:
        """An edge: a use, or what leads to the value that an operation makes. It appears with where it leads to."""
        id, tail, head = entry["id"], *(self.objects[entry[end]]["name"] for end in ("tail", "head"))
        wire = self.wires.get(id)
        if wire is not None and "lp" in entry:
            self._labels(wire, *map(float, entry["lp"].split(",")))
        value = wire.value if wire is not None else self.places[head].ref
        points, step = tuple(_curve(entry["pos"])), self.places[head].step
        return Line(f"{id}-forward", f"forward use {value}", points, tail, head, False, True, step)

    def _labels(self, wire: Wire, x: float, y: float) -> None:
        """What stands on an edge: the value, and under it the derivative."""
        above = [_joined(wire.above, EDGE_FONT)] if wire.above else []
        below = [_joined(wire.below, EDGE_FONT, marked)] if wire.flows and wire.below else []
        up = (above[0].height if above and below else 0.0) / 2
        for side, lines, step, dy in (("above", above, wire.step, up), ("below", below, wire.back_step, -up)):
            for words in lines:
                classes = f"{'forward' if side == 'above' else 'backward'} use {wire.value}"
                self._write(f"{wire.id}-{side}-text0", classes, words, x, y + dy, step)


def _joined(lines: Sequence[Words], size: float = FONT, said: Callable[[str], str] = str) -> Words:
    """Lines of text as one, which looks like the first."""
    return Words(said(line(tuple(lines))), lines[0].role, lines[0].bold, size)


def _curve(pos: str) -> Iterator[Point]:
    """The points of an edge: cubic curves in straight pieces, and the tip of its arrow."""
    tip: Point | None = None
    controls: list[Point] = []
    for part in pos.split():
        if part.startswith("e,"):
            x, y = part[2:].split(",")
            tip = float(x), float(y)
        else:
            x, y = part.split(",")
            controls.append((float(x), float(y)))
    yield controls[0]
    for k in range(0, len(controls) - 1, 3):
        p0, p1, p2, p3 = controls[k : k + 4]
        for i in range(1, PIECES_OF_A_CURVE + 1):
            t = i / PIECES_OF_A_CURVE
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            yield a * p0[0] + b * p1[0] + c * p2[0] + d * p3[0], a * p0[1] + b * p1[1] + c * p2[1] + d * p3[1]
    if tip is not None:
        yield tip

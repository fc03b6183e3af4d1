"""What is to be placed on a figure: places (circles, names, forks) and the wires between them.

A value used once is one wire, from where it is made to where it is used. A value used more often has a trunk
that forks; a leaf used in many places is a small tag at each of them, the first of which says its whole derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from viz.layout.groups import Group, Scope, choose, scope_of_fork, scope_of_leaf, scope_of_tag, scopes_of_operations
from viz.layout.matrix import Matrix
from viz.layout.metrics import text_width
from viz.layout.scene import Text
from viz.layout.spacing import ROOMY, Spacing
from viz.record.graph import Graph, Operation, Use, Value, users
from viz.record.sharing import used_again

FONT = 14.0
SMALL_FONT = 11.0
LINE_HEIGHT = 1.2  # the height of a line of text, in font sizes
WIDEST_CIRCLE = 80.0  # the width of a circle; a longer symbol stands in an oval
KEY_FRAME = 8.0  # what the box around a key is wider than the key
KEY_GAP = 5.0  # between a key and what it stands before
LEAST_ANSWER_WIDTH = 34.0  # of the room that is left for an answer
AROUND_ANSWER = 5.0  # between that room and what stands above and below it, together
ARROWS_APART = 10.0  # between a wire's two arrows
ARROW_TEXT_GAP = 2.0  # between an arrow and its text, which has white of its own above and below
TEXT_GAP_BESIDE = 5.0  # between an arrow that runs down and the text beside it
LEAST_USES_OF_TAGS = 4  # a leaf used so often is drawn as tags
NAMED = ("-tag", "-arrives")  # the endings of ids of names whose ids are not those of their values
NOTES_BELOW = 20.0  # between a figure and the first of its notes
NOTE_SPACING = 1.2  # the distance of two notes, in heights of a line of them


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text beside a wire or in a place, or a matrix there."""

    text: str
    role: str = "value"  # value, grad, name, symbol, shape, formula or mark: what it says, and so how it looks
    bold: bool = False
    size: float = FONT
    key: str = ""  # a boxed number before it, which a legend explains
    room: tuple[float, float] | None = None  # the least width and the height of the box in which a blank is filled
    matrix: Matrix | None = None  # the rows that it is set in, which `text` says in one line
    tex: str = ""  # how LaTeX writes it, if otherwise

    @property
    def width(self) -> float:
        """The width in points that the layout keeps free: of the text, or of the box that an answer is written into, and the key."""
        matrix = self.matrix
        width = matrix.width(self.size, self.bold) if matrix else text_width(self.text, self.size, self.bold)
        if self.room:
            width = max(width, self.room[0])
        elif self.key and self.role == "blank":
            width = max(width, LEAST_ANSWER_WIDTH)
        if self.role == "key":
            width += KEY_FRAME
        return width + key_width(self.key) + KEY_GAP if self.key else width

    @property
    def height(self) -> float:
        """The height in points that the layout keeps free; an answer in handwriting takes more than a printed line."""
        if self.room:
            return self.room[1] + AROUND_ANSWER
        if self.matrix:
            return self.matrix.height(self.size) + (AROUND_ANSWER if self.role == "blank" else 0.0)
        return self.size * (1.6 if self.role == "blank" else LINE_HEIGHT)


def key_width(key: str) -> float:
    """The width of the box around a key."""
    return text_width(key, SMALL_FONT) + KEY_FRAME


def written(id: str, classes: str, line: Words, x: float, y: float, step: int) -> Text:
    """A line of text in its place."""
    return Text(
        id, f"{classes} {line.role}", line.text, x, y, line.width, line.height, line.role, line.bold, line.size, step,
        matrix=line.matrix, tex=line.tex,
    )  # fmt: skip


class Labels(Protocol):
    """The texts on a figure, by the place where each is written."""

    def above(self, value: Value, use: Use | None) -> tuple[Words, ...]:
        """Over a wire: of one use, or of the whole value where `use` is None."""

    def below(self, value: Value, use: Use | None, partial: bool = False) -> tuple[Words, ...]:
        """Under a wire; `partial` if it is one of several, whose derivatives are added up."""

    def circle(self, op: Operation) -> tuple[Words, ...]:
        """Inside the circle or box of an operation."""

    def name(self, value: Value, result: bool) -> tuple[Words, ...]:
        """At a leaf, or at a result."""

    def total(self, value: Value) -> tuple[Words, ...]:
        """Under the first tag of a leaf that has many: its whole derivative."""


@dataclass(frozen=True, slots=True)
class Place:
    """A circle, a box, a name or a fork. `ref` is the operation or value that it stands for.

    total: the whole derivative of a leaf, written under its first tag; it appears in the frame `total_step`.
    """

    id: str
    shape: str  # circle, oval, box, cloud, source (a name on the left), result (a name on the right) or fork
    lines: tuple[Words, ...]
    width: float
    height: float
    ref: str
    classes: str
    step: int
    scope: Scope = ()
    total: tuple[Words, ...] = ()
    total_step: int = 0

    @property
    def written(self) -> set[str]:
        """The prefixes by which the ids of this place's texts are known."""
        return {self.id, trunk_id(self.ref)} if self.total else {self.id}


def trunk_id(value: str) -> str:
    """The id of what carries all of a value, and its whole derivative: a trunk, or what is written under a tag."""
    return f"{value}-trunk"


@dataclass(frozen=True, slots=True)
class Wire:
    """A connection of two places, with what is written above it (forward) and below it (backward).

    name_across: the room that the name which it begins at takes across the way on which the figure runs.
    """

    id: str
    source: str
    target: str
    position: int  # which input of its target it is
    kind: str  # use, trunk or branch
    value: str
    above: tuple[Words, ...]
    below: tuple[Words, ...]
    flows: bool  # whether a derivative comes back
    step: int  # the frame in which it appears
    back_step: int  # the frame in which its derivative appears
    name_across: float = 0.0

    @property
    def named(self) -> bool:
        """Whether it begins at a name, beside which it may stand at any height."""
        return self.source == self.value or self.source.endswith(NAMED)


def sides(wire: Wire, spacing: Spacing) -> tuple[float, float]:
    """The room that a wire, and the name that it begins at, take above its middle and below it.

    Where things stand close, a side with nothing written on it takes less room. The stub is then not in the middle of
    its box, which nobody sees where the wire begins at a fork or a name.
    """
    up, down = spacing.across(wire.above), spacing.across(wire.below)
    if not (spacing.snug and (wire.kind == "branch" or wire.named or not wire.flows)):
        up = down = max(up, down)
    beside, name = ARROWS_APART / 2 + text_gap(spacing), wire.name_across / 2
    return max(up + beside, name), max(down + beside, name)


def text_gap(spacing: Spacing) -> float:
    """The white between an arrow and its text."""
    return TEXT_GAP_BESIDE if spacing.down else ARROW_TEXT_GAP


@dataclass(frozen=True, slots=True)
class Plan:
    """Places and wires, each after those that it depends on, and the groups that they are in.

    order: the values of leaves and results that stand in this order, from above.
    """

    places: tuple[Place, ...]
    wires: tuple[Wire, ...]
    groups: tuple[Group, ...] = ()
    spacing: Spacing = ROOMY
    order: tuple[str, ...] = ()


def make_plan(
    graph: Graph,
    labels: Labels,
    spacing: Spacing = ROOMY,
    tags: int = LEAST_USES_OF_TAGS,
    order: tuple[str, ...] = (),
) -> Plan:
    """The places and wires of a graph, with `labels` written on them; leaves and results stand in an order, if it is given.

    A leaf used `tags` times or more is a tag at each use, and so is a leaf that each step of a loop uses; but not one that
    has its row by the order.
    """
    return _Planner(graph, labels, spacing, tags, order).plan()


class _Planner:
    def __init__(self, graph: Graph, labels: Labels, spacing: Spacing, tags: int, order: tuple[str, ...]) -> None:
        self.graph, self.labels, self.spacing, self.tags, self.order = graph, labels, spacing, tags, order
        self.places: list[Place] = []
        self.wires: list[Wire] = []
        self.uses = users(graph)
        self.values = {value.id: value for value in graph.values}
        self.steps = {op.id: k for k, op in enumerate(graph.ops, 1)}
        self.last = len(graph.ops)
        self.shared = used_again(graph)
        self.groups, self.inside = scopes_of_operations(graph, choose(graph))
        self.loops = {group.id for group in self.groups if not group.title}

    def plan(self) -> Plan:
        for value in self.graph.values:
            if value.op is None:
                self._leaf(value)
        for op in self.graph.ops:
            self.places.append(self._circle(op))
            for value_id in op.outputs:
                self._connect(self.values[value_id], op.id, self.steps[op.id], self.inside[op.id])
        for use in self.graph.uses:
            if use.op is None:
                self.places.append(self._name(self._target(use), "result", self.values[use.value], self.last))
        across = {place.id: self.spacing.across(place.lines) for place in self.places}
        wires = [replace(wire, name_across=across[wire.source]) if wire.named else wire for wire in self.wires]
        places = self._high_enough(self._level() if self.spacing.snug else self.places, wires)
        return Plan(tuple(places), tuple(wires), self.groups, self.spacing, self.order)

    def _high_enough(self, places: Sequence[Place], wires: Sequence[Wire]) -> list[Place]:
        """The places, boxes high enough for more than two wires to arrive level, and for more than one to leave level."""
        arriving: dict[str, list[Wire]] = {}
        leaving: dict[str, list[Wire]] = {}
        for wire in sorted(wires, key=lambda wire: wire.position):
            arriving.setdefault(wire.target, []).append(wire)
        for wire in wires:
            leaving.setdefault(wire.source, []).append(wire)

        def high(crowd: Sequence[Wire]) -> float:
            up, down = sides(crowd[0], self.spacing)[0], sides(crowd[-1], self.spacing)[1]
            each = [sum(sides(wire, self.spacing)) + self.spacing.over + self.spacing.under for wire in crowd]
            return sum(each) - up - down + 2 * ARROWS_APART

        found = []
        for place in places:
            if place.shape in ("box", "oval"):
                own = [(arriving.get(place.id, []), 2), (leaving.get(place.id, []), 1)]
                high_enough = max((high(crowd) for crowd, few in own if len(crowd) > few), default=0.0)
                place = replace(place, height=max(place.height, high_enough))
            found.append(place)
        return found

    def _level(self) -> list[Place]:
        """The places, names high enough to be level with their stubs, which are beside the middles of their boxes."""
        more = {
            wire.source if wire.named else wire.target: abs(
                self.spacing.across(wire.above) - self.spacing.across(wire.below)
            )
            for wire in self.wires
            if wire.named or (wire.kind == "branch" and wire.target.endswith("-result"))
        }
        return [replace(place, height=place.height + more.get(place.id, 0.0)) for place in self.places]

    def _circle(self, op: Operation) -> Place:
        lines = tuple(replace(line, size=max(line.size, self.spacing.small)) for line in self.labels.circle(op))
        width = max((line.width for line in lines), default=0.0) + self.spacing.inside
        if op.shape != "circle" or width > WIDEST_CIRCLE:
            crowded = 26.0 * max(len(op.inputs), len(op.outputs))
            height = max(46.0, crowded, sum(line.height for line in lines) + 20.0)
            shape = "oval" if op.shape == "circle" else op.shape  # a box is a layer
            if shape == "cloud":
                width, height = 1.3 * width, 1.3 * height + 10.0
            width = max(64.0, width)
            if self.spacing.down:
                width, height = max(46.0, sum(line.height for line in lines) + 20.0), max(width, crowded)
            return Place(
                op.id, shape, lines, width, height, op.id, f"op {shape}", self.steps[op.id], self.inside[op.id]
            )
        diameter = max(self.spacing.circle, width, 18.0 * len(op.inputs))
        return Place(
            op.id, "circle", lines, diameter, diameter, op.id, "op circle", self.steps[op.id], self.inside[op.id]
        )

    def _leaf(self, value: Value) -> None:
        used = self.uses[value.id]
        if value.id in self.order or (len(used) < self.tags and value.id not in self.shared):
            step = min((self._step(use) for use in used), default=0)
            name = self._name(value.id, "source", value, step)
            name = replace(name, scope=scope_of_leaf(value, used, self.inside, self.loops))
            self.places.append(name)
            self._connect(value, value.id, step, name.scope)
            return
        small = self.spacing.small
        total = tuple(replace(line, size=max(line.size, small)) for line in self.labels.total(value))
        for use in used:
            tag = self._name(f"{use.id}-tag", "source", value, self._step(use), small)
            tag = replace(tag, scope=scope_of_tag(value, use, used, self.inside, self.loops))
            if total and use is used[0]:
                tag = replace(tag, total=total, total_step=self._whole_step(value))
                wide, high = self.spacing.along(total), self.spacing.across(total)
                if self.spacing.down:
                    tag = replace(tag, width=tag.width + wide, height=max(tag.height, high))
                else:
                    tag = replace(tag, width=max(tag.width, wide), height=tag.height + 2 * high)
            self.places.append(tag)
            self._wire(use, tag.id, value, "use", self._step(use))

    def _whole_step(self, value: Value) -> int:
        """The frame in which the whole derivative of a value that is used several times is known."""
        return max((self._back_step(use) for use in self.uses[value.id] if use.flows), default=0)

    def _connect(self, value: Value, origin: str, step: int, scope: Scope) -> None:
        """The wires from where a value is to where it is used."""
        used = self.uses[value.id]
        if len(used) == 1:
            self._wire(used[0], origin, value, "use", step)
        if len(used) < 2:
            return
        fork = f"{value.id}-fork"
        targets = [self.inside.get(use.op or "", ()) for use in used]
        inside = scope_of_fork(scope, targets)
        self.places.append(Place(fork, "fork", (), 4.0, 4.0, value.id, "fork", step, inside))
        above, below = self.labels.above(value, None), self.labels.below(value, None)
        back = self._whole_step(value)
        self.wires.append(
            Wire(trunk_id(value.id), origin, fork, 0, "trunk", value.id, above, below, value.flows, step, back)
        )
        for use in used:
            self._wire(use, fork, value, "branch", step)

    def _wire(self, use: Use, origin: str, value: Value, kind: str, step: int) -> None:
        above = () if kind == "branch" else self.labels.above(value, use)
        below = self.labels.below(value, use, partial=len(self.uses[value.id]) > 1) if use.flows else ()
        back = self._back_step(use)
        self.wires.append(
            Wire(use.id, origin, self._target(use), use.position, kind, value.id, above, below, use.flows, step, back)
        )

    def _name(self, id: str, shape: str, value: Value, step: int, size: float = FONT) -> Place:
        lines = tuple(replace(line, size=size) for line in self.labels.name(value, shape == "result"))
        width, height = self.spacing.along(lines), self.spacing.across(lines)
        return Place(id, shape, lines, width, height, value.id, f"name {value.kind}", step)

    def _target(self, use: Use) -> str:
        return use.op or f"{use.id}-result"

    def _step(self, use: Use) -> int:
        return self.steps[use.op] if use.op else self.last

    def _back_step(self, use: Use) -> int:
        """The output's derivative is seen first, then those of each operation, from the last."""
        return self.last + 1 + (self.last - self.steps[use.op] + 1 if use.op else 0)

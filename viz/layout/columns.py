"""The columns of a figure: what stands in each, how wide it is, and in which lanes its forks turn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from types import MappingProxyType

from viz.layout.groups import Group
from viz.layout.plan import Plan, Wire, Words, sides
from viz.layout.spacing import Spacing
from viz.layout.spans import ENDS, bounds, in_order, names_between, settled, spans, ungrouped

FORK_WIDTH = 16.0  # at the left of a column with forks, where branches leave for their heights
HEADS_WIDTH = 14.0  # between these branches and the column: arrow heads lie there
LANE_GAP = 30.0  # between two forks whose branches would leave through each other
MOST_FORKS_ORDERED = 6  # forks of a column, beyond which not every order of their lanes is tried
PASSING_HEIGHT = 24.0  # the height that is kept free where a wire passes a column
BORDERS_APART = 6.0  # between the borders of groups, and between a border and what is inside
BELOW_A_GROUP = 6.0  # the height that is kept free above a group's lower border
ROOM_TO_CROSS = 120.0  # more width, at most, in which lines cross beside the circles that they begin or end at
HEADS_APART = 20.0  # the least distance of two arrow pairs along the edge of a circle


@dataclass(frozen=True, slots=True)
class Grid:
    """The column of each place (even) and wire (odd), and where each column lies.

    writing: between which abscissas of each column texts are written. sides: of each group, its left and right border.
    """

    column: dict[str, int]
    left: list[float]
    right: list[float]
    writing: list[tuple[float, float]]
    sides: dict[str, tuple[float, float]]

    def centre(self, column: int) -> float:
        """The middle of a column."""
        return (self.left[column] + self.right[column]) / 2


def columns(plan: Plan) -> dict[str, int]:
    """The column of each place: as early as what it needs allows, but what takes leaves alone is close to where it is used.

    The places of a group have columns of their own among all that leads to it or from it.
    """
    incoming: dict[str, list[Wire]] = {place.id: [] for place in plan.places}
    outgoing: dict[str, list[Wire]] = {place.id: [] for place in plan.places}
    for wire in plan.wires:
        incoming[wire.target].append(wire)
        outgoing[wire.source].append(wire)
    given = {place.id for place in plan.places if not incoming[place.id]}
    given |= {place.id for place in plan.places if place.shape == "fork" and incoming[place.id][0].source in given}
    after = bounds(plan)
    column: dict[str, int] = {}
    order = in_order(after)
    if len(order) < len(after):  # groups that lead to each other both ways
        return columns(ungrouped(plan))
    alone: set[str] = set()  # places that are computed from leaves alone, and used once
    before: dict[str, list[tuple[str, int]]] = {name: [] for name in after}
    for name in order:
        column[name] = max((column[other] + gap for other, gap in before[name]), default=0)
        for other, gap in after[name]:
            before[other].append((name, gap))
        if name in incoming and len(outgoing[name]) == 1 and all(w.source in alone for w in incoming[name]):
            alone.add(name)
    for name in reversed(order):
        room = min((column[other] - gap for other, gap in after[name]), default=column[name])
        if name in incoming:
            private = sum(wire.source in given or wire.source in alone for wire in incoming[name])
            if len(incoming[name]) - private >= len(outgoing[name]):
                continue
        elif name.startswith(ENDS):
            continue
        column[name] = room
    first = min((column[place.id] for place in plan.places), default=0)
    return {place.id: column[place.id] - first for place in plan.places}


def top_of(group: str, column: int | str = "") -> str:
    """The name of a group's upper border in a column."""
    return f"{group}-top-{column}"


def bottom_of(group: str, column: int | str = "") -> str:
    """The name of a group's lower border in a column."""
    return f"{group}-bottom-{column}"


def title_words(group: Group, spacing: Spacing) -> Words:
    """The title of a group."""
    return Words(group.title, "title", size=spacing.small)


def title_band(group: Group, spacing: Spacing) -> float:
    """The room that is kept free beside a group's upper border, for its title."""
    return spacing.across([title_words(group, spacing)]) + 4.0 if group.title else 0.0


def waypoints(wire: Wire, column: Mapping[str, int]) -> list[int]:
    """The columns between a wire's own and its target."""
    return list(range(column[wire.source] + 2, column[wire.target]))


def box_size(wire: Wire, spacing: Spacing) -> tuple[float, float]:
    """The room that a wire's texts and stub take: width, height."""
    beyond = 0.0 if wire.kind == "trunk" else spacing.diagonal
    return max(spacing.along(wire.above), spacing.along(wire.below)) + 2 * spacing.beside + beyond, sum(
        sides(wire, spacing)
    ) + spacing.over


def aside(wire: Wire, spacing: Spacing) -> float:
    """How far above the middle of its box a stub is."""
    up, down = sides(wire, spacing)
    return (down - up) / 2


def grid(
    plan: Plan,
    column: Mapping[str, int],
    lane: Mapping[str, int] = MappingProxyType({}),
    wider: Mapping[int, float] = MappingProxyType({}),
) -> Grid:
    """Return where each column begins and ends; the room in which branches leave a fork is before its beginning.

    lane: how many lanes to the left of the column's own a fork stands, by its id. wider: the points of room that a column
    gets before it, so that lines which cross there cross at an angle.
    """
    widths = [0.0] * (max(column.values(), default=0) + 1)
    drops = [0.0] * len(widths)
    for place in plan.places:
        k = column[place.id]
        widths[k] = max(widths[k], place.width)
        if place.shape == "fork":
            drops[k] = max(drops[k], FORK_WIDTH + HEADS_WIDTH + LANE_GAP * lane.get(place.id, 0))
    plan = replace(plan, groups=tuple(group for group in plan.groups if group.title))
    titled = {group.id for group in plan.groups}
    span = {group: columns for group, columns in spans(plan, column).items() if group in titled}
    edges = _Edges(plan, column, span)
    for wire in plan.wires:
        k = column[wire.source] + 1
        diagonal = plan.spacing.diagonal if k in edges.entered and wire.kind == "trunk" else 0.0
        widths[k] = max(widths[k], box_size(wire, plan.spacing)[0] + diagonal + edges.entered.get(k, 0.0))
    found = _grid(plan, column, widths, drops, edges, wider)
    titles = {
        group.id: plan.spacing.along([title_words(group, plan.spacing)]) + 2 * BORDERS_APART for group in plan.groups
    }
    for group in sorted(span, key=edges.depth.__getitem__, reverse=True):  # a box is no narrower than its title
        left, right = found.sides[group]
        if right - left < titles[group]:
            edges.wider[group] = edges.shift(group) + titles[group] - (right - left)
            found = _grid(plan, column, widths, drops, edges, wider)
    return found


def _grid(
    plan: Plan,
    column: Mapping[str, int],
    widths: Sequence[float],
    drops: Sequence[float],
    edges: _Edges,
    wider: Mapping[int, float],
) -> Grid:
    left, right, writing, x = [], [], [], 0.0
    for k, (width, drop) in enumerate(zip(widths, drops, strict=True)):
        x += edges.left(k) + wider.get(k, 0.0)
        left.append(x + drop)
        right.append(x + drop + width)
        high = right[k] - plan.spacing.diagonal - edges.entered[k] if k in edges.entered else math.inf
        writing.append((left[k] if edges.left(k) else -math.inf, high))
        x += drop + width + plan.spacing.columns
    sides = {}
    for group, (first, last) in edges.span.items():
        begins = right[first - 1] - plan.spacing.diagonal if first else left[0] - BORDERS_APART
        ends = right[last] + BORDERS_APART + edges.shift(group)
        sides[group] = begins - BORDERS_APART * edges.begun[group], ends + BORDERS_APART * edges.ended[group]
    return Grid(dict(column), left, right, writing, sides)


class _Edges:
    """The room that the left and the right borders of groups take.

    begun, ended: how many groups inside each begin and end in the same column as it. entered: the points kept free at the
    end of a column after which groups begin. wider: the points by which a group ends further right, so that its title
    has room. named: the width of the names behind boxes, by the column in which these boxes end.
    """

    def __init__(self, plan: Plan, column: Mapping[str, int], span: Mapping[str, tuple[int, int]]) -> None:
        self.span = span
        self.inner: dict[str, set[str]] = {group: set() for group in span}
        self.depth: dict[str, int] = {}
        for place in plan.places:
            scope = [group for group in place.scope if group in span]
            for k, group in enumerate(scope):
                self.depth[group] = k
                self.inner[group].update(scope[k + 1 : k + 2])
        self.begun, self.ended = ({group: self._nested(group, side) for group in span} for side in (0, 1))
        self.wider: dict[str, float] = {}
        self.named: dict[int, float] = {}
        widths = {place.id: place.width for place in plan.places}
        for name, k in names_between(plan, column).items():
            self.named[k] = max(self.named.get(k, 0.0), widths[name] + BORDERS_APART)
        self.entered: dict[int, float] = {}
        for group, (first, _) in span.items():
            room = BORDERS_APART * (1 + self.begun[group])
            self.entered[first - 1] = max(self.entered.get(first - 1, 0.0), room)

    def _nested(self, group: str, side: int) -> int:
        same = (g for g in self.inner[group] if self.span[g][side] == self.span[group][side])
        return max((1 + self._nested(g, side) for g in same), default=0)

    def shift(self, group: str) -> float:
        """How much further right than its last column a group ends."""
        same = (g for g in self.inner[group] if self.span[g][1] == self.span[group][1])
        return max(self.wider.get(group, 0.0), *map(self.shift, same), 0.0)

    def left(self, column: int) -> float:
        """The room at the left of a column, before which groups end."""
        own = (g for g, (_, last) in self.span.items() if last == column - 1)
        room = max((BORDERS_APART * (2 + self.ended[g]) + self.shift(g) for g in own), default=0.0)
        return room + self.named.get(column - 1, 0.0)


def crowded(plan: Plan, column: Mapping[str, int], pairs: Iterable[tuple[str, str]]) -> dict[int, float]:
    """The room before columns that is missing at most, where lines come too close to what stands beside their ends.

    pairs: of the ids of shapes or texts and lines, or of two lines, that come too close to each other.
    """
    ends = {wire.id: (column[wire.source], column[wire.target]) for wire in plan.wires}
    found: dict[int, float] = {}
    for pair in pairs:
        own = [ends[id.rpartition("-")[0]] for id in pair if id.rpartition("-")[0] in ends]
        stands = [column[name] for name in (id.partition("-text")[0] for id in pair) if name in column]
        for source, target in own:
            found |= {source + 1: ROOM_TO_CROSS} if not stands or source in stands else {}
            found |= {target: ROOM_TO_CROSS} if not stands or target in stands else {}
    return found


def lanes(plan: Plan, column: Mapping[str, int], heights: Heights) -> dict[str, int]:
    """Return the lane of each fork, 0 next to its column; forks whose branches would overlap get lanes of their own.

    The forks of a column are put in the order in which fewest of their lines cross.
    """
    trunk = {wire.target: heights.wire(wire) for wire in plan.wires if wire.kind == "trunk"}
    ends: dict[str, list[float]] = {fork: [] for fork in trunk}
    for wire in plan.wires:
        if wire.kind == "branch":
            ends[wire.source].append(heights.wire(wire))
    reach = {
        fork: (min(trunk[fork], *ys) - HEADS_APART, max(trunk[fork], *ys) + HEADS_APART) for fork, ys in ends.items()
    }

    def crossings(a: str, b: str) -> int:
        """Count how often the lines of fork `a` cross those of fork `b`, if `a` stands on the left of `b`."""
        risers = [sorted((trunk[b], y)) for y in ends[b]]
        through = sum(min(trunk[a], y) < trunk[b] < max(trunk[a], y) for y in ends[a])
        return through + sum(low < y < high for y in ends[a] for low, high in risers)

    columns_of: dict[int, list[str]] = {}
    for fork in trunk:
        columns_of.setdefault(column[fork], []).append(fork)
    lane: dict[str, int] = {}
    for forks in columns_of.values():
        orders = permutations(forks) if len(forks) <= MOST_FORKS_ORDERED else [sorted(forks, key=trunk.__getitem__)]
        best = min(orders, key=lambda order: sum(crossings(a, b) for a, b in combinations(order, 2)))
        for k, fork in reversed([*enumerate(best)]):
            apart = [lane[other] + 1 for other in best[k + 1 :] if _overlap(reach[fork], reach[other])]
            lane[fork] = max(apart, default=0)
    return lane


def _overlap(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def filled(plan: Plan) -> tuple[Grid, list[float]]:
    """The columns of a figure that is still to be laid out, and how high what stands in each is, without gaps."""
    column = columns(plan)
    heights = [0.0] * (max(column.values(), default=0) + 1)
    for place in plan.places:
        heights[column[place.id]] += place.height
    for wire in plan.wires:
        heights[column[wire.source] + 1] += box_size(wire, plan.spacing)[1]
        for k in waypoints(wire, column):
            heights[k] += PASSING_HEIGHT
    plan = settled(plan, column)
    span = spans(plan, column)
    for group in plan.groups:
        first, last = span[group.id]
        for k in range(max(first - 1, 0), last + 1) if group.title else ():
            heights[k] += title_band(group, plan.spacing) + BELOW_A_GROUP
    return grid(plan, column), heights


def extent(plan: Plan) -> tuple[float, float]:
    """The width of a figure that is still to be laid out, and the height of its fullest column, without gaps."""
    lies, heights = filled(plan)
    return lies.right[-1], max(heights)


class Heights:
    """The height (y, in points) of each place, wire and waypoint, as Graphviz has put them."""

    def __init__(self, found: Mapping[str, float]) -> None:
        self._found = found

    @staticmethod
    def of_plan(plan: Plan, found: Mapping[str, float]) -> Heights:
        """Return the heights that Graphviz `found`, with each stub moved from the middle of its box to where it is drawn."""
        moved = {}
        for wire in plan.wires:
            moved[f"{wire.id}-box"] = found[f"{wire.id}-box"] + aside(wire, plan.spacing)
        return Heights({**found, **moved})

    def moved(self, to: Mapping[str, float]) -> Heights:
        """These heights, but for some things, which have others."""
        return Heights({**self._found, **to})

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def of(self, name: str) -> float:
        """The height of anything, by its name in the layout."""
        return self._found[name]

    def place(self, place: str) -> float:
        """The height of a circle or a box."""
        return self._found[place]

    def wire(self, wire: Wire) -> float:
        """The height of a wire's stub."""
        return self._found[f"{wire.id}-box"]

    def group(self, group: Group, spacing: Spacing) -> tuple[float, float]:
        """How low and how high the box around a group is."""
        tops, bottoms = (
            [y for name, y in self._found.items() if name.startswith(side)]
            for side in (top_of(group.id), bottom_of(group.id))
        )
        return min(bottoms) - BELOW_A_GROUP / 2, max(tops) + title_band(group, spacing) / 2

    def waypoint(self, wire: Wire, column: int) -> float:
        """The height at which a long wire passes a column."""
        return self._found[f"{wire.id}-{column}"]

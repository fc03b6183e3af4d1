"""The columns of a figure: what stands in each, how wide it is, and in which lanes its forks turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from types import MappingProxyType

from viz.layout.plan import Plan, Wire
from viz.layout.spacing import Spacing

ARROWS_APART = 10.0  # between a wire's two arrows
ARROW_TEXT_GAP = 2.0  # between an arrow and its text
FORK_WIDTH = 16.0  # at the left of a column with forks, where branches leave for their heights
HEADS_WIDTH = 14.0  # between these branches and the column: arrow heads lie there
LANE_GAP = 30.0  # between two forks whose branches would leave through each other
MOST_FORKS_ORDERED = 6  # forks of a column, beyond which not every order of their lanes is tried
PASSING_HEIGHT = 24.0  # the height that is kept free where a wire passes a column
HEADS_APART = 20.0  # the least distance of two arrow pairs along the edge of a circle


@dataclass(frozen=True, slots=True)
class Grid:
    """The column of each place (even) and wire (odd), and where each column lies."""

    column: dict[str, int]
    left: list[float]
    right: list[float]

    def centre(self, column: int) -> float:
        """The middle of a column."""
        return (self.left[column] + self.right[column]) / 2


def columns(plan: Plan) -> dict[str, int]:
    """The column of each place: as early as what it needs allows, but what takes leaves alone is close to where it is used."""
    incoming: dict[str, list[Wire]] = {place.id: [] for place in plan.places}
    outgoing: dict[str, list[Wire]] = {place.id: [] for place in plan.places}
    for wire in plan.wires:
        incoming[wire.target].append(wire)
        outgoing[wire.source].append(wire)
    given = {place.id for place in plan.places if not incoming[place.id]}
    given |= {place.id for place in plan.places if place.shape == "fork" and incoming[place.id][0].source in given}
    column: dict[str, int] = {}
    for place in in_order(plan, incoming):
        column[place] = max((column[wire.source] + 2 for wire in incoming[place]), default=0)
    for place in reversed(list(column)):
        room = min((column[wire.target] - 2 for wire in outgoing[place]), default=column[place])
        private = sum(wire.source in given for wire in incoming[place])
        if len(incoming[place]) - private < len(outgoing[place]):
            column[place] = room
    first = min(column.values(), default=0)
    return {place: k - first for place, k in column.items()}


def in_order(plan: Plan, incoming: Mapping[str, Sequence[Wire]]) -> list[str]:
    """The places, each after the sources of its wires."""
    order: list[str] = []
    waiting = {place.id: len(incoming[place.id]) for place in plan.places}
    targets: dict[str, list[str]] = {place.id: [] for place in plan.places}
    for wire in plan.wires:
        targets[wire.source].append(wire.target)
    ready = [place for place, n in waiting.items() if n == 0]
    for place in ready:  # the list grows as it is read
        order.append(place)
        for target in targets[place]:
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return order


def waypoints(wire: Wire, column: Mapping[str, int]) -> list[int]:
    """The columns between a wire's own and its target."""
    return list(range(column[wire.source] + 2, column[wire.target]))


def box_size(wire: Wire, spacing: Spacing) -> tuple[float, float]:
    """The room that a wire's texts and stub take: width, height."""
    beyond = 0.0 if wire.kind == "trunk" else spacing.diagonal
    return wire.width + 2 * spacing.beside + beyond, sum(sides(wire, spacing)) + spacing.over


def sides(wire: Wire, spacing: Spacing) -> tuple[float, float]:
    """The room that a wire takes above its middle and below it.

    Where things stand close, what has nothing written on one side takes less there. Its stub is then beside the middle
    of its box, which nobody sees where it begins at a fork or a name.
    """
    up, down = (sum(line.height for line in lines) for lines in (wire.above, wire.below))
    if not (spacing.snug and (wire.kind == "branch" or not wire.flows)):
        up = down = max(up, down)
    beside = ARROWS_APART / 2 + ARROW_TEXT_GAP
    return up + beside, down + beside


def aside(wire: Wire, spacing: Spacing) -> float:
    """How far above the middle of its box a stub is."""
    up, down = sides(wire, spacing)
    return (down - up) / 2


def grid(plan: Plan, column: Mapping[str, int], lane: Mapping[str, int] = MappingProxyType({})) -> Grid:
    """Where each column begins and ends; the part of a column where branches leave a fork is before its beginning.

    lane: of forks that need one of their own, which: the last is the next to the column.
    """
    widths = [0.0] * (max(column.values(), default=0) + 1)
    drops = [0.0] * len(widths)
    for place in plan.places:
        k = column[place.id]
        widths[k] = max(widths[k], place.width)
        if place.shape == "fork":
            drops[k] = max(drops[k], FORK_WIDTH + HEADS_WIDTH + LANE_GAP * lane.get(place.id, 0))
    for wire in plan.wires:
        k = column[wire.source] + 1
        widths[k] = max(widths[k], box_size(wire, plan.spacing)[0])
    left, right, x = [], [], 0.0
    for width, drop in zip(widths, drops, strict=True):
        left.append(x + drop)
        right.append(x + drop + width)
        x += drop + width + plan.spacing.columns
    return Grid(dict(column), left, right)


def lanes(plan: Plan, column: Mapping[str, int], heights: Heights) -> dict[str, int]:
    """How far before its column each fork stands: those whose branches would leave through each other, apart.

    They are put in the order in which fewest of their lines cross.
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
        """Of the lines of two forks, of which a stands on the left."""
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


def extent(plan: Plan) -> tuple[float, float]:
    """The width of a figure that is still to be laid out, and the height of its fullest column, without gaps."""
    column = columns(plan)
    heights = [0.0] * (max(column.values(), default=0) + 1)
    for place in plan.places:
        heights[column[place.id]] += place.height
    for wire in plan.wires:
        heights[column[wire.source] + 1] += box_size(wire, plan.spacing)[1]
        for k in waypoints(wire, column):
            heights[k] += PASSING_HEIGHT
    return grid(plan, column).right[-1], max(heights)


class Heights:
    """The height (y, in points) of each place, wire and waypoint, as Graphviz has put them."""

    def __init__(self, found: Mapping[str, float]) -> None:
        self._found = found

    @staticmethod
    def of_plan(plan: Plan, found: Mapping[str, float]) -> Heights:
        """Those of a plan, whose stubs may stand beside the middles of their boxes."""
        moved = {}
        for wire in plan.wires:
            moved[f"{wire.id}-box"] = found[f"{wire.id}-box"] + aside(wire, plan.spacing)
        return Heights({**found, **moved})

    def of(self, name: str) -> float:
        """The height of anything, by its name in the layout."""
        return self._found[name]

    def place(self, place: str) -> float:
        """The height of a circle or a box."""
        return self._found[place]

    def wire(self, wire: Wire) -> float:
        """The height of a wire's stub."""
        return self._found[f"{wire.id}-box"]

    def waypoint(self, wire: Wire, column: int) -> float:
        """The height at which a long wire passes a column."""
        return self._found[f"{wire.id}-{column}"]

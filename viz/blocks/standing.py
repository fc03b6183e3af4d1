"""Where the maps of a row stand: in columns, each one step after those that it is made of, and in lanes.

The longest way through a row is its middle lane; other ways stand over and under it, in the order in which they are joined.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from viz.blocks.naming import WORDS_OF_MAPS, Naming, packed
from viz.blocks.network import Fold, Map, Way
from viz.layout.metrics import text_width
from viz.layout.plan import LINE_HEIGHT
from viz.layout.scene import Point

SIDE = 9.0  # points that a height or a width has for each doubling of places
THICKNESS = 3.2  # points that a map is thick for each doubling of channels
LEANING = 0.3, 0.22  # how far to the right and up the width of a map goes, for each point of it
AGAIN = "-again"  # the end of the id of a map that is drawn again where a row begins
VECTOR_THICKNESS = 8.0  # of a vector, which has no channels
BETWEEN_WORDS = 10.0  # points between what is written under two maps, at least
BETWEEN_LANES = 14.0  # points between the words where ways change their lanes, beside the room for the turns
BETWEEN_TURNS = 6.0  # points between two ways that turn
BESIDE_WORDS = 6.0  # points between words and a way that turns
JOINT = 20.0  # the diameter of the circle of a sum
AT_A_JOINT = 12.0  # the arrow from it to the map
UNDER_MAPS = 5.0  # points between a map and what is written under it
FRAME_MARGIN = 7.0  # points between a frame and what is in it


@dataclass(frozen=True, slots=True)
class Spread:
    """How large maps are drawn, and how far things stand apart, in points.

    solids: the factor by which maps differ from their usual size. between: the least distance of two maps. over: the
    distance of a way from the maps that it skips, and of lanes. rows: the distance of two rows. words: the width that the
    words under a map may always have.
    """

    solids: float = 1.0
    between: float = 28.0
    over: float = 14.0
    rows: float = 26.0
    words: float = 90.0


USUAL_SPREAD = Spread()
SPREADS = (USUAL_SPREAD, Spread(0.75, 24.0, 9.0, 16.0), Spread(0.75, 24.0, 9.0, 16.0, 106.0))
"""Those behind the first are tried only where letters would be too small otherwise."""


@dataclass(frozen=True, slots=True)
class Solid:
    """A map as a solid of so many points: thick, high, and leaning back to the right by `dx` and up by `dy`."""

    thick: float
    high: float
    dx: float
    dy: float

    @property
    def width(self) -> float:
        """The width of its outline: of the front and of what leans to the right."""
        return self.thick + self.dx

    @property
    def height(self) -> float:
        """The height of its outline: of the front and of what leans up."""
        return self.high + self.dy


def goes_on(one: Map) -> bool:
    """Whether a map is only the point at which a row goes on with what the row before ended in."""
    return one.id.endswith(AGAIN)


def solid(one: Map, share: float = 1.0) -> Solid:
    """How large a map is drawn; share: times the usual size."""
    if goes_on(one):
        return Solid(0.0, 0.0, 0.0, 0.0)

    def log(n: int) -> float:
        return share * math.log2(1 + n)

    if not one.places:
        return Solid(VECTOR_THICKNESS, SIDE * log(math.prod(one.shape)), 0.0, 0.0)
    wide = one.size[-1] if one.places > 1 else 0
    high = one.size[-2] if one.places > 1 else one.size[0]
    side = SIDE * log(wide)
    return Solid(THICKNESS * log(one.channels), SIDE * log(high), LEANING[0] * side, LEANING[1] * side)


@dataclass
class Spot:
    """Where a map is: its column, its lane (0 is the middle one), and the middle of its solid."""

    one: Map
    solid: Solid
    column: int
    lane: int
    lines: list[str]
    x: float = 0.0
    y: float = 0.0

    @property
    def words(self) -> float:
        """The width of what is written under it."""
        return max((text_width(line, WORDS_OF_MAPS, bold=True) for line in self.lines), default=0.0)

    @property
    def up(self) -> float:
        """How far it reaches over its middle."""
        return self.solid.height / 2

    @property
    def down(self) -> float:
        """How far it reaches under its middle, with what is written there."""
        return self.up + UNDER_MAPS + len(self.lines) * LINE_HEIGHT * WORDS_OF_MAPS

    @property
    def left(self) -> Point:
        """The middle of its left side, where ways arrive."""
        return self.x - self.solid.width / 2, self.y

    @property
    def right(self) -> Point:
        """The middle of its right side, where ways leave."""
        return self.x + self.solid.width / 2, self.y


class Standing:
    """Where the maps of one row are, which are given in the order of computing, and how far what is drawn reaches.

    spots: where each map is, by its id. edges: the abscissas of each column, with what is written in it.
    up, down: how far things reach over and under the middle lane, in each column.
    """

    def __init__(self, maps: Sequence[Map], folds: Sequence[Fold], naming: Naming, spread: Spread) -> None:
        self.maps, self.naming, self.spread = {one.id: one for one in maps}, naming, spread
        self.steps = {one.id: k for k, one in enumerate(maps)}
        self.folds = [fold for fold in folds if all(id in self.maps for id in fold.maps)]
        self.ways = [(way, one) for one in maps for way in one.ways if way.source in self.maps]
        self.column = self._columns(maps)
        self.spots = {one.id: self._spot(one) for one in maps}
        last = max(spot.column for spot in self.spots.values())
        self.up, self.down = [0.0] * (last + 1), [0.0] * (last + 1)
        self._put_into_lanes()
        self._put_into_columns()

    # -- columns and lanes --------------------------------------------------------------------------

    @staticmethod
    def _columns(maps: Sequence[Map]) -> dict[str, int]:
        column: dict[str, int] = {}
        for one in maps:
            column[one.id] = max([column[way.source] + 1 for way in one.ways if way.source in column], default=0)
        return column

    def _spot(self, one: Map) -> Spot:
        last = max(one.ways, key=self._importance, default=None)
        name, size = [self.naming.name(one)] if one.name else [], self.naming.size(one)
        width = max(text_width(size, WORDS_OF_MAPS, bold=True), self.spread.words)
        lines = [] if goes_on(one) else [*name, size, *packed(self.naming.made(one, last), width)]
        return Spot(one, solid(one, self.spread.solids), self.column[one.id], 0, lines)

    def _importance(self, way: Way) -> tuple[int, bool, bool]:
        """Rank the ways to a map, to choose the one written under it: the latest column first, then layers, then weights."""
        return self.column.get(way.source, -1), way.layer is not None, way.layer is not None and way.layer.learned

    def _put_into_lanes(self) -> None:
        """Put the longest way into the middle lane, and the other chains over or under it, each where it has room."""
        middle = self._longest()
        for id in middle:
            spot = self.spots[id]
            self.up[spot.column] = max(self.up[spot.column], spot.up)
            self.down[spot.column] = max(self.down[spot.column], spot.down)
        over: list[list[str]] = []
        under: list[list[str]] = []
        for chain in sorted(self._others(middle), key=self._order):
            (over if self._comes_before(chain, middle) else under).append(chain)
        for lane, chain in enumerate(reversed(over), 1):
            self._put(chain, lane)
        for lane, chain in enumerate(under, 1):
            self._put(chain, -lane)

    def _longest(self) -> list[str]:
        path = [list(self.maps)[-1]]
        while sources := [way.source for way in self.maps[path[-1]].ways if way.source in self.maps]:
            furthest = max(self.spots[id].column for id in sources)
            alike = [id for id in sources if self.spots[id].column == furthest]
            path.append(alike[len(alike) // 2 if self.maps[path[-1]].join == "concat" else 0])
        return path[::-1]

    def _others(self, middle: Sequence[str]) -> list[list[str]]:
        """The maps that are not in the middle, in runs of which each map is made of the one before."""
        chains: list[list[str]] = []
        for id, one in self.maps.items():
            if id in middle:
                continue
            last = next((chain for chain in chains if any(way.source == chain[-1] for way in one.ways)), None)
            if last is None:
                chains.append([id])
            else:
                last.append(id)
        return chains

    def _order(self, chain: Sequence[str]) -> tuple[int, int]:
        """Return the step in which a chain is joined, and its position among the inputs; unjoined chains come last."""
        places = [(self.steps[one.id], one.ways.index(way)) for way, one in self.ways if way.source == chain[-1]]
        return min(places, default=(len(self.steps), 0))

    def _comes_before(self, chain: Sequence[str], middle: Sequence[str]) -> bool:
        """Whether a chain is an earlier input of its join than the middle lane is, so that it goes over that lane."""
        for id in middle:
            sources = [way.source for way in self.maps[id].ways]
            if chain[-1] in sources:
                own = [k for k, source in enumerate(sources) if source in middle]
                return bool(own) and sources.index(chain[-1]) < own[0]
        return False

    def _put(self, chain: Sequence[str], lane: int) -> None:
        own = [self.spots[id] for id in chain]
        ends = [self.spots[one.id].column - 1 for way, one in self.ways if way.source == chain[-1]]
        columns = range(own[0].column, max([own[-1].column, *ends]) + 1)
        if lane > 0:
            y = max(self.up[c] for c in columns) + self.spread.over + max(spot.down for spot in own)
        else:
            y = -max(self.down[c] for c in columns) - self.spread.over - max(spot.up for spot in own)
        for spot in own:
            spot.y, spot.lane = y, lane
        for c in columns:
            self.up[c] = max(self.up[c], y + max(spot.up for spot in own))
            self.down[c] = max(self.down[c], max(spot.down for spot in own) - y)

    def _put_into_columns(self) -> None:
        columns: dict[int, list[Spot]] = {}
        for spot in self.spots.values():
            columns.setdefault(spot.column, []).append(spot)
        framed = {self.spots[fold.maps[0]].column for fold in self.folds}
        framed |= {self.spots[fold.maps[-1]].column + 1 for fold in self.folds}
        self.edges: dict[int, tuple[float, float]] = {}  # the ends of each column, with the words in it
        x = before_map = before_words = 0.0
        for c in range(len(columns)):
            half_map = max(spot.solid.width for spot in columns[c]) / 2
            half_words = max([half_map, *[spot.words / 2 for spot in columns[c]]])
            if c:
                joint = max(self.joint(spot.one) for spot in columns[c])
                change = any(
                    self.spots[way.source].lane != self.spots[one.id].lane
                    for way, one in self.ways
                    if self.spots[way.source].column < c <= self.spots[one.id].column
                )
                change |= any(
                    way.source not in self.spots for spot in columns[c] if self.joint(spot.one) for way in spot.one.ways
                )
                turns = max(self.most_lanes(spot) for spot in columns[c])
                apart = BETWEEN_LANES + BETWEEN_TURNS * turns if change else BETWEEN_WORDS
                apart += 2 * FRAME_MARGIN if c in framed else 0.0
                apart += joint / 2 + BESIDE_WORDS if change else 0.0
                x = max(x + before_map + half_map + self.spread.between + (joint + AT_A_JOINT) * (joint > 0),
                        x + before_words + half_words + apart)  # fmt: skip
            before_map, before_words = half_map, half_words
            self.edges[c] = x - half_words, x + half_words
            for spot in columns[c]:
                spot.x = x

    def joint(self, one: Map) -> float:
        """The width of the circle before a map in which ways become one, or of a box, for a long word; 0, if there is none."""
        if len(one.ways) < 2 or one.join == "concat":
            return 0.0
        return max(JOINT, text_width(one.join, WORDS_OF_MAPS) + 10.0 if len(one.join) > 2 else 0.0)

    def joint_at(self, target: Spot) -> Point:
        """Where that circle is: beside the words under the map, if a way comes from below, or from elsewhere."""
        width = self.joint(target.one)
        x = target.left[0] - AT_A_JOINT - width / 2
        lanes = [self.spots[way.source].lane if way.source in self.spots else -math.inf for way in target.one.ways]
        if any(lane < target.lane for lane in lanes):
            x = min(x, self.edges[target.column][0] - BESIDE_WORDS)
        return x, target.y

    def most_lanes(self, target: Spot) -> int:
        """How many lanes away the furthest of the ways to a map comes from."""
        return max([abs(self.spots[way.source].lane) for way in target.one.ways if way.source in self.spots], default=0)

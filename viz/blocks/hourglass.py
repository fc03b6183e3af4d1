"""Networks that go down to small maps and up again, with maps that skip what is between: drawn as a U.

Whether a network is one is told by its maps, not by its name: they become smaller a few times and then larger again, a
time each, and ways lead from levels on the way down to those of the same size on the way up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from viz.blocks.naming import WORDS_OF_MAPS, Naming
from viz.blocks.network import Fold, Map, Network, Way
from viz.blocks.row import MOST_BETWEEN_ENTRIES, Row
from viz.blocks.standing import BESIDE_WORDS, BETWEEN_TURNS, JOINT, Spot, Spread
from viz.layout.plan import LINE_HEIGHT
from viz.layout.scene import Line, Point, Scene

LEAST_CHANGE = 1.5  # how many times as large a map is as one of the next level, at least
ACROSS = 36.0  # points between the two sides of a U, at least
STAGGERS = (1.0, 0.75, 0.5, 0.25, 0.0)  # how far under the end of the level above a level begins: 1 under its last map
USUAL_STAGGER = 0.5  # the stagger of a figure that need not fit a page


@dataclass(frozen=True, slots=True)
class Level:
    """The maps of about one size, on one side.

    depth: 0 for the level of the largest maps. step: the way from the level before to the first map.
    skips: the ways from the other side, each with the map that it leads to.
    """

    maps: tuple[Map, ...]
    depth: int
    step: Way | None
    skips: tuple[tuple[Way, Map], ...] = ()


def hourglass(network: Network) -> list[Level] | None:
    """The levels of a network that is to be drawn as a U, in the order of computing; None, if it is none.

    What a layer makes only to be joined to what is skipped is a part of what is joined, as is what is cut off for that.
    """
    runs = _runs(network)
    if len(runs) < 3:
        return None
    sides = [_side(run[0]) for run in runs]
    bottom = sides.index(min(sides))
    if any((a > b) != (k < bottom) for k, (a, b) in enumerate(pairwise(sides))) or bottom in (0, len(runs) - 1):
        return None
    runs = [_with_joined_parts(run, network) if k > bottom else run for k, run in enumerate(runs)]
    at = {one.id: k for k, run in enumerate(runs) for one in run}
    depths = [k if k <= bottom else _depth(run, at, sides[: bottom + 1], sides[k]) for k, run in enumerate(runs)]
    if any(depth is None for depth in depths):
        return None
    found = []
    for k, run in enumerate(runs):
        coming = [(way, one) for one in run for way in one.ways if at[way.source] != k]
        skips = tuple((way, one) for way, one in coming if at[way.source] < bottom < k)
        steps = [(way, one) for way, one in coming if (way, one) not in skips]
        if any(depths[at[way.source]] != depths[k] for way, _ in skips):
            return None
        if [(way.source, one.id) for way, one in steps] != [(runs[k - 1][-1].id, run[0].id)] * (k > 0):
            return None
        found.append(Level(tuple(run), depths[k] or 0, steps[0][0] if steps else None, skips))
    up = [level.depth for level in found[bottom + 1 :]]
    level_by_level = up == [*range(bottom - 1, -1, -1)][: len(up)]
    return found if level_by_level and any(level.skips for level in found) else None


def _side(one: Map) -> float:
    """How long a side of a map is, in the mean."""
    return float(math.prod(one.size) ** (1 / max(one.places, 1)))


def _runs(network: Network) -> list[list[Map]]:
    """The maps in runs of about one size; none, if there are vectors among them."""
    runs: list[list[Map]] = []
    for one in network.maps:
        if not one.places:
            return []
        ratio = _side(one) / _side(runs[-1][-1]) if runs else 0.0
        if 1 / LEAST_CHANGE < ratio < LEAST_CHANGE:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _with_joined_parts(run: Sequence[Map], network: Network) -> list[Map]:
    """Return the run without maps that come from another level only to be joined: the joined map takes over their ways."""
    own = {one.id for one in run}
    uses = [way.source for one in network.maps for way in one.ways]
    parts = {
        one.id: one.ways[0]
        for one in run
        if len(one.ways) == 1 and one.ways[0].source not in own and uses.count(one.id) == 1 and not one.name
    }
    joined = [one for one in run if one.join == "concat"]
    parts = {id: way for id, way in parts.items() if any(way.source == id for one in joined for way in one.ways)}
    return [
        replace(one, ways=tuple(parts.get(way.source, way) for way in one.ways)) for one in run if one.id not in parts
    ]


def _depth(run: Sequence[Map], at: Mapping[str, int], down: Sequence[float], side: float) -> int | None:
    """At which depth a run on the way up is: where its skips come from, or else where maps are as large."""
    sources = {at[way.source] for one in run for way in one.ways if at.get(way.source, len(down)) < len(down) - 1}
    alike = [k for k, other in enumerate(down) if 1 / LEAST_CHANGE < other / side < LEAST_CHANGE]
    return next(iter([*sources, *alike]), None)


class Hourglass:
    """A network with such levels, drawn: down on the left, up on the right, and across what is skipped.

    stagger: how far under the end of the level above a level begins: 1 under its last map, 0 under its first.
    """

    def __init__(
        self, levels: Sequence[Level], network: Network, naming: Naming, spread: Spread, stagger: float
    ) -> None:
        self.levels, self.naming, self.spread = levels, naming, spread
        self.steps = {one.id: k for k, one in enumerate(network.maps)}
        self.rows = [self._row(k, network.folds, network.by_id) for k in range(len(levels))]
        self.scenes = [row.scene() for row in self.rows]
        self.bounds = [scene.bounds() for scene in self.scenes]
        self.bottom = max(range(len(levels)), key=lambda k: levels[k].depth)
        self.lines: list[Line] = []
        self.over: dict[int, float] = {}  # how high the next way across leads over each level, by depth
        self.left = self._put_beside(stagger)
        self.heights = self._put_below()

    def _row(self, k: int, folds: Sequence[Fold], every: Mapping[str, Map]) -> Row:
        level, following = self.levels[k], self.levels[k + 1 : k + 2]
        onward = [
            (below.step.layer, self.steps[below.maps[0].id]) for below in following if below.step and below.step.layer
        ]
        return Row(
            level.maps, folds, self.naming, self.spread, letters={}, steps=self.steps, every=every, onward=onward
        )

    # -- where the levels stand ---------------------------------------------------------------------

    def _ends(self, k: int) -> tuple[float, float]:
        """How far right of the left edge of a row the middles of its first and its last map are."""
        spots = self.rows[k].spots
        own = [spots[one.id].x - self.bounds[k][0] for one in self.levels[k].maps]
        return own[0], own[-1]

    def _put_beside(self, stagger: float) -> list[float]:
        """The abscissa of the left edge of each row."""
        wide = [right - left for left, _, right, _ in self.bounds]
        ends = [self._ends(k) for k in range(len(wide))]
        left = {0: 0.0}
        for k in range(self.bottom):
            first, last = ends[k]
            left[k + 1] = left[k] + first + stagger * (last - first) - ends[k + 1][0]
        right = {len(wide) - 1: 0.0}  # how far from the right edge of all the right edge of a row is
        for k in range(len(wide) - 1, self.bottom, -1):
            first, last = ends[k]
            right[k - 1] = right[k] + wide[k] - last + stagger * (last - first) - (wide[k - 1] - ends[k - 1][1])
        across = [left[self.bottom] + wide[self.bottom] + right[self.bottom]]
        for k in range(self.bottom + 1, len(wide)):
            beside = [i for i in range(self.bottom) if self.levels[i].depth == self.levels[k].depth]
            across += [left[i] + wide[i] + ACROSS + wide[k] + right[k] for i in beside] or [wide[k] + right[k]]
        whole = max(across)
        at = [left.get(k, 0.0) if k < self.bottom else whole - right[k] - wide[k] for k in range(len(wide))]
        middle = (left[self.bottom] + at[self.bottom]) / 2
        above = at[self.bottom - 1] + wide[self.bottom - 1] + 2 * BESIDE_WORDS  # the way up leads past the way down
        at[self.bottom] = min(at[self.bottom], max(middle, above - ends[self.bottom][1]))
        return at

    def _put_below(self) -> list[float]:
        """The height of the middle of each row."""
        depths = sorted({level.depth for level in self.levels})
        up, down = dict.fromkeys(depths, 0.0), dict.fromkeys(depths, 0.0)
        for k, level in enumerate(self.levels):
            _, low, _, high = self.bounds[k]
            up[level.depth] = max(up[level.depth], high)
            down[level.depth] = max(down[level.depth], -low)
        for level in self.levels:
            for way, one in level.skips:
                if not self._is_straight(way, one):
                    up[level.depth] += self.spread.over
                    self.over[level.depth] = up[level.depth]
        between = self.spread.rows + BETWEEN_TURNS
        y, middle = 0.0, {}
        self.edge: dict[int, float] = {}  # the height under which the ways between levels run, by depth
        for depth in depths:
            y -= up[depth]
            middle[depth] = y
            y -= down[depth]
            self.edge[depth] = y
            y -= between
        return [middle[level.depth] for level in self.levels]

    def _is_straight(self, way: Way, target: Map) -> bool:
        """Whether nothing stands between what is skipped and where it leads to."""
        row, k = next((row, k) for k, row in enumerate(self.rows) if way.source in row.spots)
        others = next(row for row in self.rows if target.id in row.spots).spots
        last = max(spot.column for spot in row.spots.values())
        level = row.spots[way.source].column == last and others[target.id].column == 0
        return level and row.spots[way.source].lane == others[target.id].lane == 0 and k < self.bottom

    # -- the ways between them ----------------------------------------------------------------------

    def scene(self) -> Scene:
        """The rows at their heights, level by level, with the ways down, up and across between them."""
        for k, level in enumerate(self.levels):
            if level.step is not None and k <= self.bottom:
                self._go_down(k, level.step)
            elif level.step is not None:
                self._go_up(k, level.step)
            for way, one in level.skips:
                self._skip(k, way, one)
        placed = [
            Scene(tuple(row.shapes), tuple(row.lines), tuple(row.texts)).moved(
                self.left[k] - self.bounds[k][0], dy=self.heights[k]
            )
            for k, row in enumerate(self.rows)
        ]
        return Scene(
            tuple(shape for scene in placed for shape in scene.shapes),
            (*[line for scene in placed for line in scene.lines], *self.lines),
            tuple(text for scene in placed for text in scene.texts),
        )

    def _at(self, k: int, point: Point) -> Point:
        """Return a point of row k in the coordinates of the whole figure."""
        return point[0] + self.left[k] - self.bounds[k][0], point[1] + self.heights[k]

    def _line(self, k: int, way: Way, points: Sequence[Point], target: Map, head: str, tail: str) -> None:
        row = self.rows[k]
        points = [point for i, point in enumerate(points) if i == 0 or math.dist(point, points[i - 1]) > 0.01]
        id = f"{target.id}-way{target.ways.index(way)}-forward"
        classes = f"forward use {way.source}"
        self.lines.append(
            Line(id, classes, tuple(points), f"{way.source}-{tail}", f"{target.id}-{head}", False, True,
                 row.steps[target.id])
        )  # fmt: skip

    def _go_down(self, k: int, way: Way) -> None:
        """Draw the line from the last map of level k − 1, under its words, to the top of the first map of level k."""
        target, source = self.levels[k].maps[0], self.rows[k - 1].spots[way.source]
        spot = self.rows[k].spots[target.id]
        x0, y0 = self._at(k - 1, source.right)
        x1, _ = self._at(k - 1, (self.rows[k - 1].edges[source.column][1] + BESIDE_WORDS, 0.0))
        x2, y2 = self._at(k, self.rows[k].top_of(spot, -1))
        run = self.edge[self.levels[k - 1].depth] - self.spread.rows / 2 - BETWEEN_TURNS
        tail, head = ("side", "top") if source.solid.dx else ("front", "front")
        self._line(k, way, [(x0, y0), (x1, y0), (x1, run), (x2, run), (x2, y2)], target, head, tail)

    def _go_up(self, k: int, way: Way) -> None:
        """Draw the line from the top of the last map of level k − 1 to the left of the first map of level k."""
        target, source = self.levels[k].maps[0], self.rows[k - 1].spots[way.source]
        row = self.rows[k]
        spot = row.spots[target.id]
        x0, y0 = self._at(k - 1, self.rows[k - 1].top_of(source, 1))
        run = self.edge[self.levels[k].depth] - self.spread.rows / 2
        if row.joint(target):
            x, y = self._at(k, row.joint_at(spot))
            points, head = [(x0, y0), (x0, run), (x, run), (x, y - JOINT / 2)], "joint"
        else:
            down = self._aside(spot) if self.levels[k].skips else 0.0
            start = min(row.edges[0][0], spot.left[0]) - BESIDE_WORDS
            turn, end = (start, spot.y - down), (spot.left[0], spot.y - down)
            if way.layer is not None and way.layer.kind == "transposed":
                row.draw_writing(f"{target.id}-written", way.layer, turn, spot, end)
            x1, y1 = self._at(k, turn)
            points, head = [(x0, y0), (x0, run), (x1, run), (x1, y1), self._at(k, end)], "front"
        tail = "top" if source.solid.dx else "front"
        self._line(k, way, points, target, head, tail)

    @staticmethod
    def _aside(spot: Spot) -> float:
        """How far, in points, the line from below meets a map under the line that skips levels."""
        return min(MOST_BETWEEN_ENTRIES, 0.5 * (spot.solid.high - spot.solid.dy))

    def _skip(self, k: int, way: Way, target: Map) -> None:
        """Draw the line that skips levels: straight across, or over what stands between, with its layer written on it."""
        i = next(i for i, row in enumerate(self.rows) if way.source in row.spots)
        source, spot = self.rows[i].spots[way.source], self.rows[k].spots[target.id]
        joint = self.rows[k].joint(target)
        if self._is_straight(way, target):
            start, end = self._at(i, source.right), self._at(k, spot.left)
            if joint:
                x, y = self._at(k, self.rows[k].joint_at(spot))
                end = x - joint / 2, y
            self._line(
                k, way, [start, end], target, "joint" if joint else "front", "side" if source.solid.dx else "front"
            )
            middle, y = (start[0] + end[0]) / 2, end[1]
        else:
            x0, y0 = self._at(i, self.rows[i].top_of(source, 1))
            x1, y1 = self._at(k, self.rows[k].top_of(spot, -1))
            if joint:
                x, y = self.rows[k].joint_at(spot)
                x1, y1 = self._at(k, (x, y + JOINT / 2))
            y = self.heights[k] + self.over[self.levels[k].depth]
            self.over[self.levels[k].depth] -= self.spread.over
            tail = "top" if source.solid.dx else "front"
            self._line(k, way, [(x0, y0), (x0, y), (x1, y), (x1, y1)], target, "joint" if joint else tail, tail)
            middle = (x0 + x1) / 2
        for n, said in enumerate(reversed(self.naming.way(way))):
            at = (
                middle - self.left[k] + self.bounds[k][0],
                y - self.heights[k] + (n + 0.6) * LINE_HEIGHT * WORDS_OF_MAPS,
            )
            self.rows[k].write(f"{target.id}-skip{target.ways.index(way)}-text{n}", f"op {target.id}", said, *at,
                               "formula", self.steps[target.id])  # fmt: skip

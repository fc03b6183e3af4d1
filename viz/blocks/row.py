"""How a row of maps is drawn: solids to scale, the windows that layers read, ways between maps and over them, frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from viz.blocks.naming import WORDS_OF_MAPS, Naming, packed
from viz.blocks.network import Fold, Layer, Map, Way
from viz.blocks.standing import (
    BESIDE_WORDS,
    BETWEEN_TURNS,
    FRAME_MARGIN,
    JOINT,
    UNDER_MAPS,
    USUAL_SPREAD,
    Spot,
    Spread,
    Standing,
    goes_on,
)
from viz.layout.metrics import text_width
from viz.layout.plan import KEY_FRAME, LINE_HEIGHT, SMALL_FONT
from viz.layout.scene import Line, Point, Scene, Shape, Text

MOST_BETWEEN_ENTRIES = 9.0  # points between the ends of ways at a map
BESIDE_ANOTHER = 4.0  # points that a way over others is beside the middle of a map
LEAST_WINDOW = 5.0  # the smallest side of a window
READING_ON = 24.0  # points from a map to where what is read of it in another row leads
READING_OVER = 44.0  # points, the same on a way over others


class Row(Standing):
    """One row, drawn.

    letters: the letter of each map whose lines go on in another row, by id. steps: the step in which each map appears.
    every: the maps of the whole network, by id. onward: the layers that read the last map in the next row, each with the
    step of its result.
    """

    def __init__(
        self,
        maps: Sequence[Map],
        folds: Sequence[Fold],
        naming: Naming,
        spread: Spread = USUAL_SPREAD,
        *,
        letters: Mapping[str, str],
        steps: dict[str, int],
        every: Mapping[str, Map],
        onward: Sequence[tuple[Layer, int]] = (),
    ) -> None:
        super().__init__(maps, folds, naming, spread)
        self.letters, self.steps, self.every, self.onward = letters, steps, every, onward
        self.shapes: list[Shape] = []
        self.lines: list[Line] = []
        self.texts: list[Text] = []
        self.over: dict[str, float] = {}  # how high ways go over others on their way to a map

    def scene(self) -> Scene:
        """The row as a scene: its maps, then the ways between them, then ways over maps and frames, from the inner to the outer."""
        for one in self.maps.values():
            self._draw_map(self.spots[one.id])
        last = self.spots[list(self.maps)[-1]]
        for k, (layer, step) in enumerate(sorted(self.onward, key=lambda one: one[0].kernel, reverse=True)):
            if layer.kernel and last.one.places and layer.kind != "transposed":
                end = last.right[0] + READING_ON, last.y
                self._draw_window(f"{last.one.id}-onward{k}", layer, last, end, step)
        skipping = []
        for way, one in self.ways:
            source, target = self.spots[way.source], self.spots[one.id]
            if self._skips(way, source, target):
                skipping.append((target.column - source.column, way, source, target))
            else:
                self._draw_way(way, source, target)
        frames = [(len({self.spots[id].column for id in fold.maps}), fold) for fold in self.folds]
        over = [(length, 0, k) for k, (length, *_) in enumerate(skipping)] + [
            (length, 1, k) for k, (length, _) in enumerate(frames)
        ]
        for _, framed, k in sorted(over):
            if framed:
                self._draw_frame(frames[k][1])
            else:
                self._draw_over(*skipping[k][1:])
        for one in self.maps.values():
            if one.id in self.letters:
                self._draw_letter(self.spots[one.id], self.letters[one.id], out=True)
            for way in one.ways:
                if way.source not in self.maps and way.source in self.letters:
                    self._draw_letter(self.spots[one.id], self.letters[way.source], out=False)
        return Scene(tuple(self.shapes), tuple(self.lines), tuple(self.texts))

    # -- maps ---------------------------------------------------------------------------------------

    def _draw_map(self, spot: Spot) -> None:
        one, s = spot.one, spot.solid
        step = self.steps[one.id]
        if goes_on(one):
            self.shapes.append(Shape(f"{one.id}-front", "fork", "fork", spot.x, spot.y, 4.0, 4.0, step))
            return
        if self.joint(one):
            self._draw_joint(spot, step)
        colour = "parameter" if one.learned else "forward"
        left, below = spot.x - s.width / 2, spot.y - s.height / 2
        right, above = left + s.thick, below + s.high
        front = ((left, below), (right, below), (right, above), (left, above))
        self._face(f"{one.id}-front", front, (colour, 24), step, self.naming.size(one))
        if s.dx:
            top = ((left, above), (right, above), (right + s.dx, above + s.dy), (left + s.dx, above + s.dy))
            side = ((right, below), (right + s.dx, below + s.dy), (right + s.dx, above + s.dy), (right, above))
            self._face(f"{one.id}-top", top, (colour, 12), step)
            self._face(f"{one.id}-side", side, (colour, 40), step)
        if one.join == "concat" and one.places:
            self._parts(spot, left, below)
        y = spot.y - spot.up - UNDER_MAPS
        bold = spot.lines.index(self.naming.size(one))
        for k, line in enumerate(spot.lines):
            role = "value" if k <= bold else "formula"
            self.write(
                f"{one.id}-text{k}",
                f"op {one.id}",
                line,
                spot.x,
                y - (k + 0.5) * LINE_HEIGHT * WORDS_OF_MAPS,
                role,
                step,
                bold=k == bold,
            )

    def _parts(self, spot: Spot, left: float, below: float) -> None:
        """Draw the joined parts of a map as slices, each as thick as its share of the channels."""
        s, one = spot.solid, spot.one
        known = {w.source: self.every[w.source].channels for w in one.ways if w.layer is None or not w.layer.learned}
        done, step = 0, self.steps[one.id]
        for k, way in enumerate(one.ways):
            channels = known.get(
                way.source, one.channels - sum(known.values())
            )  # a layer that is joined makes the rest
            x0, x1 = (left + s.thick * n / one.channels for n in (done, done + channels))
            done += channels
            learned = way.layer.learned if way.layer else self.every[way.source].learned
            above, colour = below + s.high, "parameter" if learned else "forward"
            front = ((x0, below), (x1, below), (x1, above), (x0, above))
            top = ((x0, above), (x1, above), (x1 + s.dx, above + s.dy), (x0 + s.dx, above + s.dy))
            self._face(f"{one.id}-front{k}", front, (colour, 24), step, shape="window")
            self._face(f"{one.id}-top{k}", top, (colour, 12), step, shape="window")

    def _face(
        self, id: str, points: tuple[Point, ...], fill: tuple[str, int], step: int, title: str = "", shape: str = "face"
    ) -> None:
        xs, ys = zip(*points, strict=True)
        middle = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
        self.shapes.append(
            Shape(id, f"map {shape}", shape, *middle, max(xs) - min(xs), max(ys) - min(ys), step, title, fill, points)
        )

    def write(
        self,
        id: str,
        classes: str,
        text: str,
        x: float,
        y: float,
        role: str,
        step: int,
        *,
        bold: bool = False,
        size: float = WORDS_OF_MAPS,
    ) -> None:
        """Write a line of text over the middle of a place, which appears with the map of this step."""
        width = text_width(text, size, bold)
        self.texts.append(Text(id, f"{classes} {role}", text, x, y, width, LINE_HEIGHT * size, role, bold, size, step))

    # -- ways ---------------------------------------------------------------------------------------

    def _skips(self, way: Way, source: Spot, target: Spot) -> bool:
        """Whether a way must go over the maps: others stand between its ends, or another way takes the straight line."""
        if source.lane != target.lane:
            return False
        between = any(s.lane == source.lane and source.column < s.column < target.column for s in self.spots.values())
        alike = [other for other in target.one.ways if other.source == way.source]
        straight = next((other for other in alike if other.layer is not None), alike[0])
        return between or way is not straight

    def _line(self, id: str, value: str, points: Sequence[Point], tail: str, head: str, step: int) -> None:
        self.lines.append(Line(id, f"forward use {value}", tuple(points), tail, head, False, True, step))

    @staticmethod
    def top_of(spot: Spot, side: float) -> Point:
        """Where a way over others leaves the top of a map, on its right side, 1, or comes to it, on its left, -1."""
        beside = 0.0 if goes_on(spot.one) else min(BESIDE_ANOTHER, spot.solid.thick / 2)
        return spot.x + spot.solid.dx / 2 + side * beside, spot.y + spot.up

    def _out(self, spot: Spot) -> str:
        return f"{spot.one.id}-{'side' if spot.solid.dx else 'front'}"

    def _draw_way(self, way: Way, source: Spot, target: Spot) -> None:
        """An arrow from map to map, through a joint where there is one; in one lane also the window that is read."""
        k = target.one.ways.index(way)
        id, step = f"{target.one.id}-way{k}", self.steps[target.one.id]
        start, end = source.right, target.left
        head = f"{target.one.id}-front"
        if width := self.joint(target.one):
            joint = self.joint_at(target)
            end, head = (joint[0] - width / 2, target.y), f"{target.one.id}-joint"
        points = [start]
        if source.lane != target.lane:
            points, end = self._between_lanes(way, source, target, end)
        turned = points[-1] if source.lane != target.lane else None
        if way.layer is not None and way.layer.kernel and source.one.places and points[-1][1] == end[1]:
            if way.layer.kind == "transposed":
                self.draw_writing(id, way.layer, points[-1], target, end)
            else:
                self._draw_window(id, way.layer, source, end, step, turned)
        self._line(f"{id}-forward", source.one.id, [*points, end], self._out(source), head, step)

    def _between_lanes(self, way: Way, source: Spot, target: Spot, end: Point) -> tuple[list[Point], Point]:
        """The corners of a way to another lane, and its end: where lanes part it turns at once, where they meet at last.

        Of several that meet, those from further away turn later, so that none crosses another.
        """
        (x0, y0), (_, y1) = source.right, end
        if source.lane == 0:
            x = self.edges[source.column][1] + BESIDE_WORDS
            return [(x0, y0), (x, y0), (x, y1)], end
        if self.joint(target.one):
            x, _ = self.joint_at(target)
            return [(x0, y0), (x, y0)], (x, y1 + math.copysign(JOINT / 2, source.lane))
        entry = self._entry(way, target)
        late = self.most_lanes(target) - abs(source.lane)
        x = self.edges[target.column][0] - BESIDE_WORDS - late * BETWEEN_TURNS
        return [(x0, y0), (x, y0), (x, entry)], (end[0], entry)

    def _entry(self, way: Way, target: Spot) -> float:
        """The height at which a way comes to a map: the higher its lane, the higher."""
        lanes = sorted({self.spots[w.source].lane for w in target.one.ways if w.source in self.spots} | {0})
        above, below = sum(lane > 0 for lane in lanes), sum(lane < 0 for lane in lanes)
        apart = min(MOST_BETWEEN_ENTRIES, 0.5 * (target.solid.high - target.solid.dy) / max(above, below, 1))
        return target.y + apart * (lanes.index(self.spots[way.source].lane) - lanes.index(0))

    def _draw_joint(self, target: Spot, step: int) -> None:
        id, at, width = f"{target.one.id}-joint", self.joint_at(target), self.joint(target.one)
        shape = "circle" if width == JOINT else "box"
        self.shapes.append(Shape(id, f"op {shape}", shape, *at, width, JOINT, step))
        self.write(f"{id}-text0", f"op {target.one.id}", target.one.join, *at, "symbol", step)
        self._line(
            f"{id}-on-forward",
            target.one.id,
            [(at[0] + width / 2, at[1]), target.left],
            id,
            f"{target.one.id}-front",
            step,
        )

    def _draw_window(self, id: str, layer: Layer, source: Spot, end: Point, step: int, at: Point | None = None) -> None:
        """What a layer reads for one place: a window as large as its share of the map, and lines from it to the place.

        at: where the window stands, if not on the map: where a way has turned.
        """
        if goes_on(source.one):
            return  # it is drawn on the map in the row before
        s = source.solid
        high = self._share(layer, source, 0) * s.high
        wide = self._share(layer, source, -1)
        x, y = at or (source.right[0] - s.dx / 2, source.y)
        if not s.dx:  # one axis of places: a stretch of the front
            x0, x1 = (x, x + s.thick) if at else (source.x - s.width / 2, source.x + s.width / 2)
            corners = (x0, y - high / 2), (x1, y - high / 2), (x1, y + high / 2), (x0, y + high / 2)
        else:
            dx, dy = wide * s.dx / 2, wide * s.dy / 2
            corners = (
                (x - dx, y - dy - high / 2), (x + dx, y + dy - high / 2),
                (x + dx, y + dy + high / 2), (x - dx, y - dy + high / 2),
            )  # fmt: skip
        colour = "parameter" if layer.learned else "forward"
        self._face(f"{id}-cone", (*corners[1:3], end), (colour, 30), step, shape="window")
        self._face(f"{id}-window", corners, (colour, 80), step, shape="window")

    def draw_writing(self, id: str, layer: Layer, start: Point, target: Spot, end: Point) -> None:
        """What a transposed convolution writes for each place that it reads: lines from the place to a window."""
        high = self._share(layer, target, 0) * target.solid.high / 2
        corners = start, (end[0], end[1] - high), (end[0], end[1] + high)
        self._face(f"{id}-cone", corners, ("parameter", 45), self.steps[target.one.id], shape="window")

    @staticmethod
    def _share(layer: Layer, spot: Spot, axis: int) -> float:
        """The part of a map's side that a window takes."""
        axis = 0 if spot.one.places == 1 else -2 if axis == 0 else -1
        kernel, places = layer.kernel[axis], spot.one.size[axis]
        reach = (kernel - 1) * (layer.dilation[axis] if layer.dilation else 1) + 1
        least = LEAST_WINDOW / max(spot.solid.high, 1.0)
        return min(1.0, max(reach / places, least))

    def _draw_over(self, way: Way, source: Spot, target: Spot) -> None:
        """A way over all that it skips, with its layer written on it."""
        k = target.one.ways.index(way)
        id, step = f"{target.one.id}-way{k}", self.steps[target.one.id]
        joint = self.joint(target.one) > 0
        columns = range(source.column + 1, target.column)  # what is skipped
        y = max([*[self.up[c] for c in columns], source.y + source.up, target.y + target.up]) + self.spread.over
        (x0, y0), (x1, y1) = self.top_of(source, 1), self.top_of(target, -1)
        end, head = (x1, y1), f"{target.one.id}-{'top' if target.solid.dx else 'front'}"
        if joint:
            x1, _ = self.joint_at(target)
            end, head = (x1, target.y + JOINT / 2), f"{target.one.id}-joint"
        tail, start = f"{source.one.id}-{'top' if source.solid.dx else 'front'}", (x0, y0)
        self._line(f"{id}-forward", source.one.id, [start, (x0, y), (x1, y), end], tail, head, step)
        if way.layer is not None and way.layer.kernel and source.one.places and x1 - x0 > 2 * READING_OVER:
            at = x0 + READING_OVER - READING_ON, y
            self._draw_window(id, way.layer, source, (x0 + READING_OVER, y), step, at)
        middle = (self.edges[columns[0]][0] + self.edges[columns[-1]][1]) / 2 if columns else (x0 + x1) / 2
        for k, line in enumerate(reversed(packed(self.naming.way(way), self.spread.words))):
            y += LINE_HEIGHT * WORDS_OF_MAPS
            self.write(f"{id}-above-text{k}", f"op {target.one.id}", line, middle, y - 5.0, "formula", step)
        self.over[target.one.id] = y
        for c in [*columns, *[target.column] * (not joint)]:
            self.up[c] = max(self.up[c], y)

    def _draw_letter(self, spot: Spot, letter: str, *, out: bool) -> None:
        """A letter over a map, where a way goes on in another row or comes from there."""
        id, step = f"{spot.one.id}-{'to' if out else 'from'}{letter}", self.steps[spot.one.id]
        joint = not out and self.joint(spot.one) > 0
        x, y = self.top_of(spot, 1 if out else -1)
        if joint:
            x, y = self.joint_at(spot)[0], spot.y + JOINT / 2
        at = max(y, self.up[spot.column]) + self.spread.over
        solid = f"{spot.one.id}-{'joint' if joint else 'top' if spot.solid.dx else 'front'}"
        ends, points = (solid, id), ((x, y), (x, at))
        if not out:
            ends, points = (id, solid), ((x, at), (x, y))
        self._line(f"{id}-forward", spot.one.id, points, *ends, step)
        width = text_width(letter, SMALL_FONT) + KEY_FRAME
        self.texts.append(
            Text(
                f"{id}-text0", f"op {spot.one.id} key", letter, x, at + 7.5, width, 15.0, "key", False, SMALL_FONT, step
            )
        )
        self.up[spot.column] = at + 15.0

    def _draw_frame(self, fold: Fold) -> None:
        """A frame around maps that stand for several like them, with how many there are."""
        own = [self.spots[id] for id in fold.maps]
        columns = range(min(s.column for s in own), max(s.column for s in own) + 1)
        left = min(
            [
                self.edges[columns[0]][0],
                *[s.left[0] for s in own],
                *[self.joint_at(s)[0] - self.joint(s.one) / 2 for s in own if self.joint(s.one)],
            ]
        )
        right = self.edges[columns[-1]][1]
        top = max([self.up[c] for c in columns] + [self.over.get(id, 0.0) for id in fold.maps]) + FRAME_MARGIN
        bottom = -max(self.down[c] for c in columns) - FRAME_MARGIN
        title = self.naming.fold(fold)
        width = text_width(title, WORDS_OF_MAPS, True)
        right = max(right, left + width)
        id = f"{fold.maps[-1]}-fold"
        step = self.steps[fold.maps[0]]
        top += 16.0
        x, y = (left + right) / 2, (top + bottom) / 2
        self.shapes.append(Shape(id, "group", "group", x, y, right - left + 2 * FRAME_MARGIN, top - bottom, step))
        self.write(f"{id}-title", "group", title, left + width / 2, top - 10.0, "title", step, bold=True)
        for c in columns:
            self.up[c], self.down[c] = max(self.up[c], top), max(self.down[c], -bottom)

"""From a plan to points on paper: the chapter's parallel lines.

Graphviz decides the order and the heights (`Heights`); columns and lines are ours. Every wire crosses a
column of its own, where a level stub carries its texts, and then runs diagonally to its target. A wire that
passes further columns passes each at a waypoint, which Graphviz has kept free.

Each wire is a centre line, and two arrows `ARROWS_APART` apart follow it: forward on the left of the way, backward on
the right, mitred at the corners so that the distance stays the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from types import MappingProxyType

from viz.layout.clearance import beheaded, cleared, crossed, haloed, merged, struck
from viz.layout.columns import (
    BORDERS_APART,
    FORK_WIDTH,
    HEADS_APART,
    HEADS_WIDTH,
    LANE_GAP,
    Heights,
    grid,
    lanes,
    title_words,
    waypoints,
)
from viz.layout.curves import at_x, cloud, offset, on_ellipse, spread, straightened
from viz.layout.panels import beside, with_keys
from viz.layout.plan import (
    ARROW_TEXT_GAP,
    ARROWS_APART,
    Place,
    Plan,
    Wire,
    Words,
    text_gap,
    trunk_id,
    written,
)
from viz.layout.routing import COST_OF_CROSSING_A_TEXT, USUAL, Among, Route, cost, from_above, unhurried
from viz.layout.scene import Line, Point, Scene, Shape, Text

LEAST_BESIDE_A_HEAD = 24.0  # the length of the straight piece that a head is at the end of
NAME_GAP = 5.0  # between a name and its arrow


def draw_lines(
    plan: Plan,
    column: Mapping[str, int],
    heights: Heights,
    panels: bool = False,
    titles: Sequence[str] = (),
    wider: Mapping[int, float] = MappingProxyType({}),
) -> Scene:
    """The scene of a plan: every shape, line and text in its place.

    With `panels`, its separate parts stand beside each other, not under each other, each under its title. wider: how much
    more room there is before columns.
    """
    scene = _Draughtsman(plan, column, heights, wider).scene()
    return beside(scene, plan, titles) if panels else scene


class _Draughtsman:
    def __init__(
        self,
        plan: Plan,
        column: Mapping[str, int],
        heights: Heights,
        wider: Mapping[int, float],
    ) -> None:
        self.plan, self.heights = plan, heights
        self.down, self._along, self._across = plan.spacing.down, plan.spacing.along, plan.spacing.across
        self.lane = lanes(plan, column, heights)
        self.grid = grid(plan, column, self.lane, wider)
        self.column = column
        self.places = {place.id: place for place in plan.places}
        self.outgoing: dict[str, list[Wire]] = {}
        self.incoming: dict[str, list[Wire]] = {}
        for wire in plan.wires:
            self.outgoing.setdefault(wire.source, []).append(wire)
            self.incoming.setdefault(wire.target, []).append(wire)
        self.routes: dict[str, Route] = {}  # the routes of wires that do not go the usual way
        self.foreign: dict[str, tuple[Shape, ...]] = {}  # the boxes around groups that each line must not run through
        self.room: dict[str, tuple[float, float]] = {}  # between which abscissas each text on a wire may lie
        self.centre = {place.id: self._centre(place) for place in plan.places}

    def scene(self) -> Scene:
        shapes, lines, texts = [], [], []
        for place in self.plan.places:
            x, y = self.centre[place.id]
            if place.shape == "fork":  # its dot lies on the forward line, where that forks
                y += self._aside(*self.incoming[place.id])
            if place.shape not in ("source", "result"):
                shapes.append(Shape(place.id, place.classes, place.shape, x, y, place.width, place.height, place.step))
            if place.shape == "cloud":
                outline = tuple(cloud(x, y, place.width, place.height))
                lines.append(
                    Line(f"{place.id}-outline", "outline", outline, place.id, place.id, False, False, place.step)
                )
            right = x + place.width / 2
            if place.total:
                id, classes = f"{trunk_id(place.ref)}-below", f"backward total {place.ref}"
                end, below = right - self._along(place.total) / 2, y - self._across(place.lines) / 2
                if self.down:  # the total, and under it the name, beside which the arrow begins
                    x = right - self._along(place.lines) / 2
                    end -= self._along(place.lines)
                    texts += self._stack(id, place.total, (end, y), classes, place.total_step)
                else:  # the name and the total below it both end at the arrow
                    x = right - self._along(place.lines) / 2
                    at = end, below - self._across(place.total) / 2
                    texts += self._stack(id, place.total, at, classes, place.total_step)
            texts += self._stack(place.id, place.lines, (x, y), place.classes, place.step)
        written_on = {wire.id: self._labels(wire) for wire in self.plan.wires}
        arrows = {place: self.arrows_into(place) for place in self.incoming}
        frames, titles = self._frames()
        texts += titles
        if unhurried(self.plan):
            self._keep_out(frames)
            arrows = self._routed(arrows, tuple(shapes), [*texts, *chain.from_iterable(written_on.values())])
            written_on |= {wire.id: self._labels(wire) for wire in self.plan.wires}
        drawn = {line.id: line for into in arrows.values() for line in into}
        for wire in self.plan.wires:
            lines += [drawn[id] for id in (f"{wire.id}-forward", f"{wire.id}-backward") if id in drawn]
            texts += written_on[wire.id]
        return haloed(cleared(Scene((*frames, *shapes), tuple(lines), tuple(texts)), self.room))

    def _frames(self) -> tuple[list[Shape], list[Text]]:
        """The box around each group, and its title; the outermost lie under the others."""
        shapes, titles = [], []
        for group in self.plan.groups:
            if not group.title:
                continue
            left, right = self.grid.sides[group.id]
            bottom, top = self.heights.group(group, self.plan.spacing)
            shapes.append(
                Shape(group.id, "layer group", "group", (left + right) / 2, (bottom + top) / 2, right - left, top - bottom, group.step)
            )  # fmt: skip
            title = title_words(group, self.plan.spacing)
            x, y = left + BORDERS_APART + self._along([title]) / 2, top - self._across([title]) / 2 - 2.0
            text = written(f"{group.id}-title", "layer", title, x, y, group.step)
            titles.append(replace(text, width=text.height, height=text.width, on_side=True) if self.down else text)
        return shapes, titles

    def _keep_out(self, frames: Sequence[Shape]) -> None:
        """Note which boxes each wire has nothing to do with."""
        for wire in self.plan.wires:
            own = {*self.places[wire.source].scope, *self.places[wire.target].scope}
            kept_out = tuple(replace(frame, shape="box") for frame in frames if frame.id not in own)
            self.foreign |= {f"{wire.id}-{way}": kept_out for way in ("forward", "backward")}

    # -- places -------------------------------------------------------------------------------------

    def _centre(self, place: Place) -> Point:
        """Names stand at the height of their stub, and beside it."""
        k = self.column[place.id]
        if place.shape == "source":
            (wire,) = self.outgoing[place.id]
            return self.grid.left[k + 1] - place.width / 2 - NAME_GAP, self.heights.wire(wire)
        if place.shape == "result":
            (wire,) = self.incoming[place.id]
            last = k - 1
            height = (
                self.heights.wire(wire) if self.column[wire.source] + 1 == last else self.heights.waypoint(wire, last)
            )
            return self.grid.right[last] + place.width / 2 + 8.0, height
        if place.shape == "fork":
            (wire,) = self.incoming[place.id]
            return self.grid.left[k] - HEADS_WIDTH - FORK_WIDTH - LANE_GAP * self.lane[place.id], self.heights.wire(
                wire
            )
        return self.grid.centre(k), self.heights.place(place.id)

    # -- wires --------------------------------------------------------------------------------------

    def arrows_into(self, place: str) -> list[Line]:
        """The arrows of all wires to a place: where one arrives depends on the others."""
        heads = self._heads(self.places[place], self.incoming[place])
        return [line for wire in self.incoming[place] for line in self._arrows(wire, heads[wire.id])]

    def _routed(
        self, arrows: dict[str, list[Line]], shapes: tuple[Shape, ...], texts: list[Text]
    ) -> dict[str, list[Line]]:
        """The arrows, where another way of a wire has fewer faults, crossings and bends."""
        fixed = tuple(text for text in texts if text.id not in self.room)
        scene = Scene(shapes, tuple(chain.from_iterable(arrows.values())), fixed)
        pairs = [*struck(scene), *crossed(scene), *beheaded(scene), *merged(scene)]
        wrong = {id.rpartition("-")[0] for pair in pairs for id in pair}
        around = {line.id: line.box for line in scene.lines}
        boxed = [(text, text.box) for text in texts]
        for wire in self.plan.wires:
            passed = waypoints(wire, self.column)
            if wire.kind == "trunk" or not (passed or wire.id in wrong):
                continue
            own = [text for text in boxed if text[0].id.rpartition("-text")[0].rpartition("-")[0] != wire.id]
            others = [
                (line, around[line.id]) for place, into in arrows.items() if place != wire.target for line in into
            ]
            among = Among(others, shapes, own, self.foreign)
            best, chosen = cost(arrows[wire.target], among), USUAL
            for route in self._possible(wire, passed):
                if (route.bend, route.aim) != (None, None) and best < COST_OF_CROSSING_A_TEXT:
                    break
                self.routes[wire.id] = route
                tried = self.arrows_into(wire.target)
                price = cost(tried, among)
                if price < best and from_above(tried) == from_above(arrows[wire.target]):  # inputs keep their order
                    best, arrows[wire.target], chosen = price, tried, route
            self.routes[wire.id] = chosen
            around |= {line.id: line.box for line in arrows[wire.target]}
        return arrows

    def _possible(self, wire: Wire, passed: Sequence[int]) -> Iterator[Route]:
        """The ways that a wire may go; those that bend otherwise come last."""
        (x0, _), (x1, _) = self._stub(wire)
        kinds = ["level", "late", "early"] if passed else []
        result = self.places[wire.target].shape == "result"
        yield from (Route(kind) for kind in (kinds[:1] if result else kinds))
        for bend in (10.0, 50.0, 80.0):
            if (
                x1 + self.plan.spacing.diagonal - bend - x0
                >= max(map(self._along, (wire.above, wire.below))) + ARROW_TEXT_GAP
            ):
                yield from (Route(kind, bend) for kind in ("middle", *kinds) if not (result and kind in kinds[1:]))
        if not result:
            yield from (
                Route(kind, aim=aim)
                for kind in kinds or ["middle"]
                for aim in (0.0, HEADS_APART * 0.7, -HEADS_APART * 0.7)
            )

    def _stub(self, wire: Wire) -> tuple[Point, Point]:
        """The level stretch that carries the texts."""
        k = self.column[wire.source] + 1
        y = self.heights.wire(wire)
        place = self.places[wire.source]
        x, cy = self.centre[wire.source]
        left = self.grid.left[k]
        if place.shape in ("circle", "oval", "box", "cloud") and abs(y - cy) < place.height / 2 - ARROWS_APART / 2 - 2:
            left = x + self._edge(place, y - cy)
        right = self.grid.right[k] - (0.0 if wire.kind == "trunk" else self._bend(wire))
        if self.places[wire.target].shape == "result" and self.column[wire.target] == k + 1:
            right = self.grid.right[k]
        return (left, y), (right, y)

    def _bend(self, wire: Wire) -> float:
        """How far before its column's end a wire leaves its stub."""
        bend = self.routes.get(wire.id, USUAL).bend
        return self.plan.spacing.diagonal if bend is None else bend

    def _edge(self, place: Place, dy: float) -> float:
        """How far the edge of a place is from its middle, at a height `dy` above it."""
        if place.shape == "box":
            return place.width / 2
        return place.width / 2 * math.sqrt(max(0.0, 1.0 - (2 * dy / place.height) ** 2))

    def _way(self, wire: Wire) -> list[Point]:
        """The centre line up to the target, which is still to be reached."""
        left, right = self._stub(wire)
        way = [left, right]
        place, (x, y) = self.places[wire.source], self.centre[wire.source]
        if place.shape == "fork":
            way[0] = (x + FORK_WIDTH, left[1])
            way.insert(0, (x, y))
        elif place.shape not in ("source", "fork") and left[0] == self.grid.left[self.column[wire.source] + 1]:
            angle = math.atan2(left[1] - y, left[0] - x)
            edge = x + place.width / 2 * math.cos(angle), y + place.height / 2 * math.sin(angle)
            if place.shape == "box":
                room = place.height / 2 - ARROWS_APART
                edge = x + place.width / 2, min(max(left[1], y - room), y + room)
            short = LEAST_BESIDE_A_HEAD - math.dist(edge, left)  # in which a head would be bent
            if short > 0 and left[0] + short < right[0]:
                way[0] = left[0] + short, left[1]
            way.insert(0, edge)
        return straightened([*way, *self._passing(wire)])

    def _passing(self, wire: Wire) -> list[Point]:
        """How a wire passes the columns on its way, and goes up or down before its target if its route says so."""
        heights = {k: self.heights.waypoint(wire, k) for k in waypoints(wire, self.column)}
        last, route = max(heights, default=self.column[wire.source] + 1), self.routes.get(wire.id, USUAL)
        end, (_, middle) = self.grid.right[last] - self._bend(wire), self.centre[wire.target]
        before = [] if route.aim is None else [(end + 10.0, middle + route.aim)]
        if not heights:
            return before
        if route.kind == "late":
            return [(end, self.heights.wire(wire)), *before]
        if route.kind == "early":
            return [(self.grid.left[min(heights)], heights[last]), (end, heights[last]), *before]
        if route.kind == "level":
            pairs = [(k, x) for k in heights for x in (self.grid.left[k], self.grid.right[k])]
            return [(self.grid.centre(k) if k % 2 else x, heights[k]) for k, x in pairs] + [
                (end, heights[last]),
                *before,
            ]
        return [(self.grid.centre(k), y) for k, y in heights.items()]

    def _heads(self, place: Place, wires: Sequence[Wire]) -> dict[str, Point]:
        """Where each wire meets the edge of its target: from where it comes, but with room between them."""
        x, y = self.centre[place.id]
        if place.shape in ("result", "fork"):
            return {wire.id: (x - place.width / 2 - (6.0 if place.shape == "result" else -2.0), y) for wire in wires}
        came = {wire.id: self._way(wire)[-1] for wire in wires}
        order = sorted(came, key=lambda w: -came[w][1])
        if place.shape != "circle":
            room = place.height / 2 * (0.7 if place.shape in ("oval", "cloud") else 1.0) - ARROWS_APART
            ys = spread([min(max(came[w][1] - y, -room), room) for w in reversed(order)], HEADS_APART, -room, room)
            return {w: (x - place.width / 2, y + dy) for w, dy in zip(reversed(order), ys, strict=True)}
        r = place.width / 2
        angles = [self._angle(came[w], (x, y), r) for w in order]
        angles = spread(angles, HEADS_APART / r, -1.45, 1.45)
        return {w: (x - r * math.cos(a), y - r * math.sin(a)) for w, a in zip(order, angles, strict=True)}

    def _angle(self, came: Point, centre: Point, r: float) -> float:
        """Where on the left half of a circle a line from `came` arrives: 0 in the middle, negative above."""
        dx, dy = centre[0] - came[0], centre[1] - came[1]
        if abs(dy) < 0.4 * r:
            return math.asin(dy / r)  # level
        return max(-1.3, min(1.3, math.atan2(dy, max(dx, 1e-6))))

    def _aside(self, wire: Wire) -> float:
        """How far from the middle the forward arrow runs: not at all where nothing comes back."""
        return ARROWS_APART / 2 if wire.flows else 0.0

    def _arrows(self, wire: Wire, head: Point) -> list[Line]:
        target = self.places[wire.target]
        way = [*self._way(wire), head]
        way = straightened(way)
        forward, backward = offset(way, self._aside(wire)), offset(way, -ARROWS_APART / 2)
        if self.places[wire.source].shape == "fork":
            x, y = way[0]
            (trunk,) = self.incoming[wire.source]
            forward[0], backward[0] = (x, y + self._aside(trunk)), (x, y - ARROWS_APART / 2)
        elif self.places[wire.source].shape != "source":
            begin = self._clip(self.places[wire.source], 1)
            forward[0], backward[0] = begin(forward[1], forward[0]), begin(backward[1], backward[0])
        clip = self._clip(target)
        forward[-1], backward[-1] = clip(forward[-2], forward[-1]), clip(backward[-2], backward[-1])
        lines = [
            Line(f"{wire.id}-forward", f"forward {wire.kind} {wire.value}", tuple(forward), wire.source, wire.target,
                 False, wire.kind != "trunk", wire.step)
        ]  # fmt: skip
        if wire.flows:
            backward.reverse()
            lines.append(
                Line(f"{wire.id}-backward", f"backward {wire.kind} {wire.value}", tuple(backward), wire.target, wire.source,
                     True, wire.kind != "branch", wire.back_step)
            )  # fmt: skip
        return lines

    def _clip(self, place: Place, side: int = -1) -> Callable[[Point, Point], Point]:
        """Where a line from one point to another meets the edge of a place; of a box, on its left or its right (1)."""
        x, y = self.centre[place.id]
        if place.shape in ("circle", "oval", "cloud"):
            return lambda a, b: on_ellipse(a, b, (x, y), place.width, place.height)
        if place.shape == "box":
            return lambda a, b: at_x(
                a, b, x + side * place.width / 2, (y - place.height / 2 + 1.0, y + place.height / 2 - 1.0)
            )
        if place.shape == "fork":
            return lambda a, b: (x, b[1])
        return lambda a, b: b

    # -- texts --------------------------------------------------------------------------------------

    def _labels(self, wire: Wire) -> list[Text]:
        (x0, y), (x1, _) = self._stub(wire)
        level = [x for x, height in self._way(wire) if abs(height - y) < 0.5]
        low, high = self.grid.writing[self.column[wire.source] + 1]
        place = self.places[wire.source]
        beside = -math.inf if place.shape in ("source", "fork") else self.centre[place.id][0] + place.width / 2
        x0, x1 = max(x0, low, beside), min(x1, high)
        level = [min(x, high) for x in level]
        up, under = (self._across(lines) / 2 for lines in (wire.above, wire.below))
        forward, backward = (f"{way} {wire.kind} {wire.value}" for way in ("forward", "backward"))
        at = (x0 + x1) / 2, y + self._aside(wire) + text_gap(self.plan.spacing) + up
        texts = self._stack(f"{wire.id}-above", wire.above, at, forward, wire.step, -1)
        if wire.flows:
            at = (x0 + x1) / 2, y - ARROWS_APART / 2 - text_gap(self.plan.spacing) - under
            texts += self._stack(f"{wire.id}-below", wire.below, at, backward, wire.back_step, 1)
        for text in texts:
            self.room[text.id] = x0, max(x1, *level)
        return texts

    def _stack(self, id: str, lines: Sequence[Words], at: Point, classes: str, step: int, side: int = 0) -> list[Text]:
        """Lines of text under each other, the middle of all in a place.

        side: of a figure that runs down, where their arrow is: 1 above them, as it is still laid out, -1 below, 0 nowhere.
        """
        texts, (x, y) = [], at
        half = self._across(lines) / 2
        if self.down:
            looks = {-1: "to-right", 0: "centred", 1: "to-left"}[side]
            x -= self._along(lines) / 2
            for k, line in enumerate(lines):
                text = written(f"{id}-text{k}", f"{looks} {classes}", line, 0.0, 0.0, step).turned()
                beside = y + side * (half - line.width / 2)
                texts.append(replace(text, x=x + line.height / 2, y=beside))
                x += line.height
            return with_keys(texts, lines, True)
        y += half
        for k, line in enumerate(lines):
            texts.append(written(f"{id}-text{k}", classes, line, x, y - line.height / 2, step))
            y -= line.height
        return with_keys(texts, lines)

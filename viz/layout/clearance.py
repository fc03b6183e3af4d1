"""What lies over what on a finished figure, whether lines meet, and texts moved out of the way of lines."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from viz.layout.scene import Box, Line, Point, Scene, Shape, Text

MOST_LINES_CLEARED = 1500  # lines, beyond which nothing is moved any more
PLACES_TRIED = 7  # places along a stub
LEAST_WHITE = 3.0  # points of white between a line and what is not its own
MOST_MISSED = 1.0  # points by which ends that meet may miss each other
LEAST_BESIDE_A_NAME = 12.0  # points between a line and the name that it comes from or leads to
HEAD_LENGTH = 10.0  # the length of a thick arrow's head
UNDERLYING = ("group", "fork", "window")  # shapes that lines and texts may lie on
SEGMENTS_AT_ONCE = 64  # pieces of lines, or boxes, that are compared with all others together
MOST_ALONG_EACH_OTHER = 24.0  # points that lines of two values may run on each other


def crossed(scene: Scene) -> list[tuple[str, str]]:
    """Each text that a line runs through, with the line: their ids."""
    segments, owners = _segments(scene)
    boxes = [_inner(text) for text in scene.texts]
    return [(scene.texts[i].id, owners[k]) for i, k in _met(boxes, segments)]


def overlapping(scene: Scene) -> list[tuple[str, str]]:
    """Each two texts, and each text and shape that it does not belong to, that overlap: their ids."""
    boxes = [(text.id, _inner(text)) for text in scene.texts]
    found = [(a, b) for k, (a, one) in enumerate(boxes) for b, other in boxes[:k] if overlap(one, other)]
    for shape in scene.shapes:
        if shape.shape not in UNDERLYING:
            own = (
                shape.x - shape.width / 2,
                shape.y - shape.height / 2,
                shape.x + shape.width / 2,
                shape.y + shape.height / 2,
            )
            found += [(a, shape.id) for a, one in boxes if not a.startswith(f"{shape.id}-text") and overlap(one, own)]
    return found


def struck(scene: Scene) -> list[tuple[str, str]]:
    """Each shape, and each box at the end of a line that goes on in another row, with a line through it or close by that
    neither begins nor ends there: their ids.
    """
    segments, owners = _segments(scene)
    widths = np.array([_half(line) for line in scene.lines for _ in line.points[1:]])
    ends = {line.id: (line.tail, line.head) for line in scene.lines}
    shapes = [shape for shape in scene.shapes if shape.shape not in UNDERLYING]
    shapes += [
        Shape(text.id.partition("-text")[0], text.classes, "box", text.x, text.y, text.width, text.height, text.step)
        for text in scene.texts
        if "link" in text.classes.split()
    ]
    met = []
    round_ones = [k for k, shape in enumerate(shapes) if shape.shape == "circle"]
    if round_ones:
        near = _distances(np.array([[shapes[k].x, shapes[k].y] for k in round_ones]), segments) - widths
        reach = np.array([shapes[k].width / 2 + LEAST_WHITE for k in round_ones])[:, None]
        met += [(round_ones[i], k) for i, k in np.argwhere(near < reach)]
    others = [k for k, shape in enumerate(shapes) if shape.shape != "circle"]
    around = [
        (shape.x - w, shape.y - h, shape.x + w, shape.y + h)
        for shape in (shapes[k] for k in others)
        for w, h in [(shape.width / 2 + LEAST_WHITE, shape.height / 2 + LEAST_WHITE)]
    ]
    met += [(others[i], k) for i, k in _met(around, segments)]
    found = []
    for i, k in sorted(met):
        own, at = solid_of(shapes[i]), ends[owners[k]]
        if shapes[i].id not in at and (not own or all(own != end.rpartition("-")[0] for end in at)):
            found.append((shapes[i].id, owners[k]))
    return list(dict.fromkeys(found))


def beheaded(scene: Scene, among: Container[str] | None = None) -> list[tuple[str, str]]:
    """Each arrow whose head another line runs through, with that line: their ids. With `among`, one of the two is there."""
    lines = [line for line in scene.lines if "outline" not in line.classes]
    segments, owners = _segments(replace(scene, lines=tuple(lines)))
    ids = {line.id: k for k, line in enumerate(lines)}
    owner = np.array([ids[id] for id in owners], dtype=int)
    values = np.array([_value(line) for line in lines])
    asked = np.array([among is None or line.id in among for line in lines], dtype=bool)
    tipped = np.array([k for k, line in enumerate(lines) if line.tip], dtype=int)
    if not len(tipped):
        return []
    share = np.linspace(0.0, 1.0, 5)[:, None]  # the head is looked at in five points along it
    ends = [np.array(head(lines[k])) for k in tipped]
    points = np.concatenate([base + (tip - base) * share for base, tip in ends])
    near = _distances(points, segments).reshape(len(tipped), 5, -1).min(axis=1)
    reach = np.array([1.5 + _half(lines[k]) for k in tipped])[:, None]
    crossing = (near < reach) & (values[tipped][:, None] != values[owner]) & (asked[tipped][:, None] | asked[owner])
    return list(dict.fromkeys((lines[tipped[i]].id, owners[k]) for i, k in np.argwhere(crossing)))


def merged(scene: Scene, among: Container[str] | None = None) -> list[tuple[str, str]]:
    """Each two lines of different values that run on each other for a while, so that one is taken for the other.

    With `among`, one of the two is there.
    """
    segments, owners = _segments(scene)
    values = np.array([_value(line) for line in scene.lines for _ in line.points[1:]])
    x0, y0, x1, y1 = segments.T
    long = np.hypot(x1 - x0, y1 - y0) > MOST_ALONG_EACH_OTHER
    if among is not None:
        long &= np.array([owner in among for owner in owners], dtype=bool)
    found: list[tuple[str, str]] = []
    asked = np.flatnonzero(long)
    for chosen in np.array_split(asked, len(asked) // SEGMENTS_AT_ONCE + 1):
        beside = _beside(segments[chosen], segments) & (values[chosen][:, None] != values)
        pairs = [(owners[chosen[i]], owners[j]) for i, j in np.argwhere(beside)]
        found += [(min(pair), max(pair)) for pair in pairs]
    return list(dict.fromkeys(found))


def _beside(one: Any, other: Any) -> Any:
    """Whether each segment of `other`, a column, runs beside each of `one`, a row, for longer than it may."""
    x0, y0, x1, y1 = (part[:, None] for part in one.T)
    length = np.hypot(x1 - x0, y1 - y0)
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    ends = other[:, :2].T, other[:, 2:].T
    starts, stops = ((x - x0) * ux + (y - y0) * uy for x, y in ends)  # how far along
    low = np.maximum(np.minimum(starts, stops), 0.0)
    high = np.minimum(np.maximum(starts, stops), length)
    aside = [(y - y0) * ux - (x - x0) * uy for x, y in ends]
    turn = (aside[1] - aside[0]) / np.where(np.abs(stops - starts) < 1e-9, np.inf, stops - starts)
    first, last = (aside[0] + (at - starts) * turn for at in (low, high))
    change = np.where(np.abs(last - first) < 1e-9, np.inf, last - first)
    enter, leave = (side / change - first / change for side in (-LEAST_WHITE, LEAST_WHITE))
    part = np.minimum(np.maximum(enter, leave), 1.0) - np.maximum(np.minimum(enter, leave), 0.0)
    share = np.where(np.isinf(change), (np.abs(first) < LEAST_WHITE) * 1.0, np.maximum(part, 0.0))
    return (high - low) * share > MOST_ALONG_EACH_OTHER


def crossings(scene: Scene, among: Container[str]) -> int:
    """How often lines of these ids cross others."""
    segments, owners = _segments(scene)
    asked = np.array([owner in among for owner in owners], dtype=bool)
    one, other = segments[asked], segments[~asked]
    if not len(one) or not len(other):
        return 0

    def sides(of: Any, by: Any) -> Any:
        """Whether the ends of each segment are on different sides of each other one."""
        x0, y0, x1, y1 = (part[None, :] for part in by.T)
        first, last = ((x1 - x0) * (of[:, i + 1, None] - y0) - (y1 - y0) * (of[:, i, None] - x0) for i in (0, 2))
        return first * last < 0

    return int((sides(one, other) & sides(other, one).T).sum())


def loose(scene: Scene) -> list[tuple[str, str]]:
    """Each line an end of which does not touch what it begins or ends at, with that: their ids.

    A line ends at the edge of a shape, or beside a name. Where a value forks, what goes on begins in the very point in
    which the trunk ends, for each direction, and the dot lies on one of them.
    """
    shapes = {shape.id: shape for shape in scene.shapes}
    names = {text.id.partition("-text")[0]: text.box for text in scene.texts if text.role in ("name", "key")}
    trunks = {(line.tail, True): line.points[0] for line in scene.lines if line.backward}
    trunks |= {(line.head, False): line.points[-1] for line in scene.lines if not line.backward}
    found = []
    for line in scene.lines:
        if "outline" in line.classes or "sample" in line.classes:
            continue
        for at, point, coming in ((line.tail, line.points[0], False), (line.head, line.points[-1], True)):
            shape = shapes.get(at)
            if shape is None:
                met = at in names and _gap(point, names[at]) < LEAST_BESIDE_A_NAME
            elif shape.shape != "fork":
                met = abs(_beyond(point, shape)) < MOST_MISSED
            elif coming == line.backward:  # a branch
                met = math.dist(point, trunks.get((at, line.backward), (math.inf, 0.0))) < MOST_MISSED
            else:
                ends = [trunks[key] for key in ((at, False), (at, True)) if key in trunks]
                met = any(math.dist((shape.x, shape.y), end) < MOST_MISSED for end in ends)
            if not met:
                found.append((line.id, at))
    return found


def missed(lines: Sequence[Line], shapes: Sequence[Shape]) -> int:
    """How many of these lines, which lead to one of these shapes, end off its edge."""
    at = {shape.id: shape for shape in shapes if shape.shape != "fork"}
    ends = [(line.tail, line.points[0]) if line.backward else (line.head, line.points[-1]) for line in lines]
    return sum(id in at and abs(_beyond(point, at[id])) >= MOST_MISSED for id, point in ends)


def faults(scene: Scene) -> int:
    """How many lines run through what is not theirs, or too close to it, or do not meet what they lead to."""
    return sum(len(found(scene)) for found in (struck, crossed, beheaded, merged, loose))


def cleared(scene: Scene, room: Mapping[str, tuple[float, float]]) -> Scene:
    """The scene with what a line runs through moved along its stub, where there is room.

    `room` says between which abscissas a text may lie, by its id; a text that is not named stays. Texts that
    stand under each other (a shape and a name) move together.
    """
    if len(scene.lines) > MOST_LINES_CLEARED:
        return scene
    segments, _ = _segments(scene)
    texts = {text.id: text for text in scene.texts}
    for stack in _stacks(scene.texts):
        if stack[0].id in room and _through([_inner(text) for text in stack], segments).any():
            others = [_inner(text) for text in texts.values() if text not in stack]
            texts |= {text.id: text for text in _moved(stack, room[stack[0].id], segments, others)}
    return replace(scene, texts=tuple(texts.values()))


def haloed(scene: Scene) -> Scene:
    """The scene with a halo at each text that a line runs through."""
    if len(scene.lines) > MOST_LINES_CLEARED:
        return scene
    under = {text for text, _ in crossed(scene)}
    return replace(scene, texts=tuple(replace(text, halo=text.id in under) for text in scene.texts))


def _stacks(texts: Sequence[Text]) -> list[list[Text]]:
    """Texts that stand under each other, together."""
    found: dict[str, list[Text]] = {}
    for text in texts:
        found.setdefault(text.id.rpartition("-text")[0] or text.id, []).append(text)
    return list(found.values())


def _moved(stack: Sequence[Text], room: tuple[float, float], segments: Any, others: Sequence[Box]) -> list[Text]:
    """A stack at the nearest place that is free; if there is none, where it is."""
    width = max(text.width for text in stack)
    low, high = room[0] + width / 2, room[1] - width / 2
    x = stack[0].x
    for place in sorted(np.linspace(low, high, PLACES_TRIED), key=lambda place: abs(place - x)) if high > low else ():
        tried = [replace(text, x=text.x + float(place) - x) for text in stack]
        boxes = [_inner(text) for text in tried]
        if not _through(boxes, segments).any() and not any(overlap(box, other) for box in boxes for other in others):
            return tried
    return list(stack)


def _inner(text: Text) -> Box:
    """A text's box without the white that every line of text has above and below."""
    left, bottom, right, top = text.box
    dx, dy = (2.5, 1.0) if text.on_side else (1.0, 2.5)
    return left + dx, bottom + dy, right - dx, top - dy


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes have points in common."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _segments(scene: Scene) -> tuple[Any, list[str]]:
    """Every straight piece of every line, as rows x0, y0, x1, y1, and whose it is."""
    rows, owners = [], []
    for line in scene.lines:
        for (x0, y0), (x1, y1) in pairwise(line.points):
            rows.append((x0, y0, x1, y1))
            owners.append(line.id)
    return np.array(rows).reshape(-1, 4), owners


def head(line: Line) -> tuple[Point, Point]:
    """The middle of the base of an arrow's head, and its tip."""
    (x0, y0), (x1, y1) = line.points[-2:]
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    back = min(HEAD_LENGTH * (1.0 if line.backward else 0.75), length)
    return (x1 - (x1 - x0) / length * back, y1 - (y1 - y0) / length * back), (x1, y1)


def _half(line: Line) -> float:
    """Half of a line's width."""
    return line.thickness / 2


def _value(line: Line) -> str:
    """The value that a line carries, in either direction."""
    return line.classes.rpartition(" ")[2]


def _gap(point: Point, box: Box) -> float:
    """How far a point is from a box."""
    left, bottom, right, top = box
    return math.hypot(max(left - point[0], point[0] - right, 0.0), max(bottom - point[1], point[1] - top, 0.0))


def solid_of(shape: Shape) -> str:
    """What a face is a face of, by the id that the other faces begin with too; nothing for other shapes."""
    return shape.id.rpartition("-")[0] if shape.shape == "face" else ""


def _beyond(point: Point, shape: Shape) -> float:
    """How far a point is outside the edge of a shape."""
    dx, dy, w, h = abs(point[0] - shape.x), abs(point[1] - shape.y), shape.width / 2, shape.height / 2
    if shape.shape in ("circle", "oval", "cloud"):
        return (math.hypot(dx / w, dy / h) - 1.0) * min(w, h)
    return max(dx - w, dy - h)


def _distances(points: Any, segments: Any) -> Any:
    """How near each segment (a column) comes to each point (a row)."""
    x0, y0, x1, y1 = segments.T
    dx, dy, x, y = x1 - x0, y1 - y0, points[:, :1] - x0, points[:, 1:] - y0
    along = np.clip((x * dx + y * dy) / np.maximum(dx * dx + dy * dy, 1e-9), 0.0, 1.0)
    return np.hypot(x - along * dx, y - along * dy)


def _met(boxes: Sequence[Box], segments: Any) -> Iterator[tuple[int, int]]:
    """The places of each box and of each segment that runs through it."""
    for start in range(0, len(boxes), SEGMENTS_AT_ONCE):
        for i, k in np.argwhere(_through(boxes[start : start + SEGMENTS_AT_ONCE], segments)):
            yield start + int(i), int(k)


def _through(boxes: Sequence[Box], segments: Any) -> Any:
    """Whether each segment, a column, runs through each box, a row (Liang & Barsky, 1984)."""
    left, bottom, right, top = np.array(boxes).reshape(-1, 4).T[:, :, None]
    x0, y0, x1, y1 = segments.T
    enter: Any = 0.0
    leave: Any = 1.0
    outside: Any = False
    for start, change, low, high in ((x0, x1 - x0, left, right), (y0, y1 - y0, bottom, top)):
        still = np.abs(change) < 1e-9
        outside = outside | (still & ((start < low) | (start > high)))
        step = np.where(still, 1.0, change)
        a, b = (low - start) / step, (high - start) / step
        enter = np.where(still, enter, np.maximum(enter, np.minimum(a, b)))
        leave = np.where(still, leave, np.minimum(leave, np.maximum(a, b)))
    return ~outside & (enter < leave)

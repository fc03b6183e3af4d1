"""What lies over what on a finished figure, and texts moved out of the way of lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from viz.scene import Point, Scene, Text

Box = tuple[float, float, float, float]
MOST = 1500  # lines, beyond which nothing is moved any more
TRIES = 7  # places along a stub


def crossed(scene: Scene) -> list[tuple[str, str]]:
    """Each text that a line runs through, with the line: their ids."""
    segments, owners = _segments(scene)
    return [(text.id, owners[k]) for text in scene.texts for k in np.flatnonzero(_through(_inner(text.box), segments))]


def overlapping(scene: Scene) -> list[tuple[str, str]]:
    """Each two texts, and each text and shape that it does not belong to, that overlap: their ids."""
    boxes = [(text.id, _inner(text.box)) for text in scene.texts]
    found = [(a, b) for k, (a, one) in enumerate(boxes) for b, other in boxes[:k] if _meet(one, other)]
    for shape in scene.shapes:
        if shape.shape not in ("group", "fork"):
            own = (
                shape.x - shape.width / 2,
                shape.y - shape.height / 2,
                shape.x + shape.width / 2,
                shape.y + shape.height / 2,
            )
            found += [(a, shape.id) for a, one in boxes if not a.startswith(f"{shape.id}-text") and _meet(one, own)]
    return found


def struck(scene: Scene) -> list[tuple[str, str]]:
    """Each shape that a line runs through which neither begins nor ends there, with the line: their ids."""
    segments, owners = _segments(scene)
    ends = {line.id: (line.tail, line.head) for line in scene.lines}
    found = []
    for shape in scene.shapes:
        if shape.shape not in ("group", "fork"):
            w, h = shape.width / 2 - 1.0, shape.height / 2 - 1.0
            if shape.shape == "circle":
                through = _near((shape.x, shape.y), w, segments)
            else:
                through = _through((shape.x - w, shape.y - h, shape.x + w, shape.y + h), segments)
            found += [(shape.id, owners[k]) for k in np.flatnonzero(through) if shape.id not in ends[owners[k]]]
    return found


def faults(scene: Scene) -> int:
    """How many shapes and texts have a line running through them that is not theirs."""
    return len(struck(scene)) + len(crossed(scene))


def cleared(scene: Scene, room: Mapping[str, tuple[float, float]]) -> Scene:
    """The scene with what a line runs through moved along its stub, where there is room.

    `room` says between which abscissas a text may lie, by its id; a text that is not named stays. Texts that
    stand under each other (a shape and a name) move together.
    """
    if len(scene.lines) > MOST:
        return scene
    segments, _ = _segments(scene)
    texts = {text.id: text for text in scene.texts}
    for stack in _stacks(scene.texts):
        if stack[0].id in room and any(_through(_inner(text.box), segments).any() for text in stack):
            others = [_inner(text.box) for text in texts.values() if text not in stack]
            texts |= {text.id: text for text in _moved(stack, room[stack[0].id], segments, others)}
    return replace(scene, texts=tuple(texts.values()))


def haloed(scene: Scene) -> Scene:
    """The scene with a halo at each text that a line runs through."""
    if len(scene.lines) > MOST:
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
    for place in sorted(np.linspace(low, high, TRIES), key=lambda place: abs(place - x)) if high > low else ():
        tried = [replace(text, x=text.x + float(place) - x) for text in stack]
        boxes = [_inner(text.box) for text in tried]
        if not any(_through(box, segments).any() or any(_meet(box, other) for other in others) for box in boxes):
            return tried
    return list(stack)


def _inner(box: Box) -> Box:
    """A text's box without the white that every line of text has above and below."""
    left, bottom, right, top = box
    return left + 1.0, bottom + 2.5, right - 1.0, top - 2.5


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _segments(scene: Scene) -> tuple[Any, list[str]]:
    """Every straight piece of every line, as rows x0, y0, x1, y1, and whose it is."""
    rows, owners = [], []
    for line in scene.lines:
        for (x0, y0), (x1, y1) in pairwise(line.points):
            rows.append((x0, y0, x1, y1))
            owners.append(line.id)
    return np.array(rows).reshape(-1, 4), owners


def _near(point: Point, distance: float, segments: Any) -> Any:
    """Which segments come nearer to a point than a distance."""
    x0, y0, x1, y1 = segments.T
    dx, dy, x, y = x1 - x0, y1 - y0, point[0] - x0, point[1] - y0
    along = np.clip((x * dx + y * dy) / np.maximum(dx * dx + dy * dy, 1e-9), 0.0, 1.0)
    return np.hypot(x - along * dx, y - along * dy) < distance


def _through(box: Box, segments: Any) -> Any:
    """Which segments run through a box (Liang & Barsky, 1984)."""
    left, bottom, right, top = box
    x0, y0, x1, y1 = segments.T
    enter, leave = np.zeros(len(segments)), np.ones(len(segments))
    outside = np.zeros(len(segments), dtype=bool)
    for start, change, low, high in ((x0, x1 - x0, left, right), (y0, y1 - y0, bottom, top)):
        still = np.abs(change) < 1e-9
        outside |= still & ((start < low) | (start > high))
        step = np.where(still, 1.0, change)
        a, b = (low - start) / step, (high - start) / step
        enter = np.where(still, enter, np.maximum(enter, np.minimum(a, b)))
        leave = np.where(still, leave, np.minimum(leave, np.maximum(a, b)))
    return ~outside & (enter < leave)

"""Where everything on a block diagram stands: its rows under each other, and how the one goes on in the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from viz.blocks.naming import Naming
from viz.blocks.network import Fold, Map, Way
from viz.blocks.row import Row
from viz.layout.scene import Line, Scene, Shape

ROWS_OF_MAPS = 26.0  # points between two rows
BESIDE_ROWS = 12.0  # points by which the way to the next row stands out


def place(rows: Sequence[Sequence[Map]], folds: Sequence[Fold], naming: Naming) -> Scene:
    """The scene of a network in rows; the last map of a row is drawn once more at the beginning of the next.

    Where another way is cut, the same letter stands at both ends.
    """
    own = {one.id: k for k, row in enumerate(rows) for one in row}
    cut = [way for k, row in enumerate(rows) for one in row for way in one.ways if own.get(way.source, k) != k]
    letters = {source: letter_of(k) for k, source in enumerate(dict.fromkeys(way.source for way in cut))}
    steps = {one.id: k for k, one in enumerate(one for row in rows for one in row)}
    scenes = [Row(row, folds, naming, letters, steps).scene() for row in rows]
    return scenes[0] if len(scenes) == 1 else _below_each_other(scenes, rows)


def letter_of(k: int) -> str:
    """The letters of the alphabet, and then with numbers.

    >>> letter_of(0), letter_of(27)
    ('A', 'B1')
    """
    return f"{chr(ord('A') + k % 26)}{k // 26 or ''}"


def _below_each_other(scenes: Sequence[Scene], rows: Sequence[Sequence[Map]]) -> Scene:
    placed: list[Scene] = []
    edge = 0.0
    for scene in scenes:
        left, _, _, top = scene.bounds()
        placed.append(scene.moved(-left, dy=edge - top))
        edge = placed[-1].bounds()[1] - ROWS_OF_MAPS
    right = max(scene.bounds()[2] for scene in placed) + BESIDE_ROWS
    lines = [
        _to_next_row(placed[k], placed[k + 1], rows[k][-1].id, rows[k + 1][0].id, right) for k in range(len(placed) - 1)
    ]
    return Scene(
        tuple(shape for scene in placed for shape in scene.shapes),
        (*[line for scene in placed for line in scene.lines], *lines),
        tuple(text for scene in placed for text in scene.texts),
    )


def _to_next_row(above: Scene, below: Scene, source: str, again: str, right: float) -> Line:
    """The line from the last map of a row to where the next begins with it."""
    shapes = {shape.id: shape for shape in (*above.shapes, *below.shapes)}
    tail, head = shapes.get(f"{source}-side", shapes[f"{source}-front"]), shapes[f"{again}-front"]
    between, left = above.bounds()[1] - ROWS_OF_MAPS / 2, below.bounds()[0] - BESIDE_ROWS
    y0, y1 = shapes[f"{source}-front"].y + _rise(shapes, source), head.y + _rise(shapes, again)
    points = (
        (tail.x + tail.width / 2, y0), (right, y0), (right, between), (left, between), (left, y1),
        (head.x - head.width / 2, y1),
    )  # fmt: skip
    return Line(f"{again}-way-forward", f"forward use {source}", points, tail.id, head.id, False, True, head.step)


def _rise(shapes: Mapping[str, Shape], id: str) -> float:
    """How far the middle of a solid is over that of its front."""
    return shapes[f"{id}-top"].height / 2 if f"{id}-top" in shapes else 0.0


def rows_of(parts: Sequence[Sequence[Map]], breaks: Sequence[int]) -> list[list[Map]]:
    """The maps in rows, which begin with the parts of these numbers; a row begins with the map that the last ended in."""
    bounds = [0, *breaks, len(parts)]
    rows = [[one for part in parts[start:stop] for one in part] for start, stop in pairwise(bounds)]
    for k in range(1, len(rows)):
        last = rows[k - 1][-1]
        again = replace(last, id=f"{last.id}-again", ways=(), after=(), join="")
        rows[k] = [
            again,
            *[replace(one, ways=tuple(_from(way, last.id, again.id) for way in one.ways)) for one in rows[k]],
        ]
    return rows


def _from(way: Way, before: str, after: str) -> Way:
    return replace(way, source=after) if way.source == before else way

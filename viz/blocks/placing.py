"""Where everything on a block diagram stands: its rows under each other, and how the one goes on in the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from viz.blocks.naming import Naming
from viz.blocks.network import Fold, Map, Way
from viz.blocks.row import Row
from viz.blocks.standing import AGAIN, USUAL_SPREAD, Spread, goes_on
from viz.layout.scene import Line, Scene

BESIDE_ROWS = 12.0  # points by which the way to the next row stands out


def place(
    rows: Sequence[Sequence[Map]],
    folds: Sequence[Fold],
    naming: Naming,
    spread: Spread = USUAL_SPREAD,
    *,
    every: Mapping[str, Map],
) -> Scene:
    """The scene of a network in rows; a line leads from the last map of a row to the point where the next goes on.

    Where another way is cut, the same letter stands at both ends.
    """
    own = {one.id: k for k, row in enumerate(rows) for one in row}
    cut = [way for k, row in enumerate(rows) for one in row for way in one.ways if own.get(way.source, k) != k]
    letters = {source: letter_of(k) for k, source in enumerate(dict.fromkeys(way.source for way in cut))}
    steps = {one.id: k for k, one in enumerate(one for row in rows for one in row if not goes_on(one))}
    steps |= {row[0].id: steps[row[1].id] for row in rows if goes_on(row[0])}
    every = {**every, **{one.id: one for row in rows for one in row}}
    scenes = []
    for k, row in enumerate(rows):
        following = rows[k + 1] if k + 1 < len(rows) else ()
        onward = [
            (way.layer, steps[one.id])
            for one in following
            for way in one.ways
            if way.layer and way.source == following[0].id
        ]
        drawn = Row(row, folds, naming, spread, letters=letters, steps=steps, every=every, onward=onward)
        scenes.append(drawn.scene())
    return scenes[0] if len(scenes) == 1 else _below_each_other(scenes, rows, spread.rows)


def letter_of(k: int) -> str:
    """Return the k-th label for the ends of a cut line: A to Z, then A1 to Z1, and so on.

    >>> letter_of(0), letter_of(27)
    ('A', 'B1')
    """
    return f"{chr(ord('A') + k % 26)}{k // 26 or ''}"


def _below_each_other(scenes: Sequence[Scene], rows: Sequence[Sequence[Map]], between: float) -> Scene:
    placed: list[Scene] = []
    edge = 0.0
    for scene in scenes:
        left, _, _, top = scene.bounds()
        placed.append(scene.moved(-left, dy=edge - top))
        edge = placed[-1].bounds()[1] - between
    right = max(scene.bounds()[2] for scene in placed) + BESIDE_ROWS
    lines = [
        _to_next_row(above, below, own[-1].id, following[0].id, right)
        for (above, below), (own, following) in zip(pairwise(placed), pairwise(rows), strict=True)
    ]
    return Scene(
        tuple(shape for scene in placed for shape in scene.shapes),
        (*[line for scene in placed for line in scene.lines], *lines),
        tuple(text for scene in placed for text in scene.texts),
    )


def _to_next_row(above: Scene, below: Scene, source: str, again: str, right: float) -> Line:
    """The line from the last map of a row to where the next goes on."""
    shapes = {shape.id: shape for shape in (*above.shapes, *below.shapes)}
    tail, head = shapes.get(f"{source}-side", shapes[f"{source}-front"]), shapes[f"{again}-front"]
    left = below.bounds()[0] - BESIDE_ROWS
    between = (above.bounds()[1] + below.bounds()[3]) / 2
    y = shapes[f"{source}-front"].y + (shapes[f"{source}-top"].height / 2 if f"{source}-top" in shapes else 0.0)
    points = (
        (tail.x + tail.width / 2, y), (right, y), (right, between), (left, between), (left, head.y), (head.x, head.y),
    )  # fmt: skip
    return Line(f"{again}-way-forward", f"forward use {source}", points, tail.id, head.id, False, False, head.step)


def rows_of(parts: Sequence[Sequence[Map]], breaks: Sequence[int]) -> list[list[Map]]:
    """Return the maps row by row, with a new row before each part in `breaks`; it begins with a copy of the last map."""
    bounds = [0, *breaks, len(parts)]
    rows = [[one for part in parts[start:stop] for one in part] for start, stop in pairwise(bounds)]
    for k in range(1, len(rows)):
        last = rows[k - 1][-1]
        again = replace(last, id=last.id + AGAIN, ways=(), after=(), join="")
        rows[k] = [
            again,
            *[replace(one, ways=tuple(_from(way, last.id, again.id) for way in one.ways)) for one in rows[k]],
        ]
    return rows


def _from(way: Way, before: str, after: str) -> Way:
    return replace(way, source=after) if way.source == before else way

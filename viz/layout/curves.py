"""Points, lines and outlines: the elementary geometry of figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from viz.layout.scene import Point


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The places nearest to `wanted` (ascending) that are `gap` apart and within [low, high].

    >>> spread([0.0, 0.1, 5.0], 1.0, -10.0, 10.0)
    [-0.45, 0.55, 5.0]
    """
    if len(wanted) > 1:
        gap = min(gap, (high - low) / (len(wanted) - 1))
    blocks: list[list[float]] = []  # [sum of wanted places less their offsets, count]: neighbours that touch
    for k, place in enumerate(wanted):
        blocks.append([place - k * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    starts = [total / count for total, count in blocks for _ in range(int(count))]
    n = len(wanted)
    return [min(max(s, low), high - (n - 1) * gap) + k * gap for k, s in enumerate(starts)]


def straightened(way: Sequence[Point]) -> list[Point]:
    """A way without the points that lie on it anyway."""
    kept = [way[0]]
    for a, b in pairwise(way[1:]):
        (x0, y0), (x1, y1), (x2, y2) = kept[-1], a, b
        off = abs((x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)) / (math.hypot(x2 - x0, y2 - y0) or 1.0)
        if off > 0.5:
            kept.append(a)
    return [*kept, way[-1]]


def offset(way: Sequence[Point], distance: float) -> list[Point]:
    """The line that runs beside a way, on its left for a positive distance, mitred at the corners."""
    normals = []
    for (x0, y0), (x1, y1) in pairwise(way):
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        normals.append(((y0 - y1) / length, (x1 - x0) / length))
    points = []
    for k, (x, y) in enumerate(way):
        (ax, ay), (bx, by) = normals[max(k - 1, 0)], normals[min(k, len(normals) - 1)]
        scale = distance / max(0.3, 1.0 + ax * bx + ay * by)
        points.append((x + (ax + bx) * scale, y + (ay + by) * scale))
    return points


def on_ellipse(a: Point, b: Point, centre: Point, width: float, height: float) -> Point:
    """The first point on an ellipse of the line from `a` through `b`; that nearest to the line if it passes by.

    >>> on_ellipse((-9.0, 0.0), (-1.0, 0.0), (0.0, 0.0), 4.0, 2.0)
    (-2.0, 0.0)
    >>> on_ellipse((-9.0, 5.0), (9.0, 5.0), (0.0, 0.0), 4.0, 2.0)
    (0.0, 1.0)
    """
    (x, y), w, h = centre, width / 2, height / 2  # in units in which the ellipse is a circle of radius 1 around 0
    ax, ay, bx, by = (a[0] - x) / w, (a[1] - y) / h, (b[0] - x) / w, (b[1] - y) / h
    length = math.hypot(bx - ax, by - ay) or 1.0
    dx, dy = (bx - ax) / length, (by - ay) / length
    along = -(ax * dx + ay * dy)
    away = ax * ax + ay * ay - along * along
    if away < 1.0:
        along -= math.sqrt(1.0 - away)
    outside = math.sqrt(max(away, 1.0))
    return x + w * (ax + along * dx) / outside, y + h * (ay + along * dy) / outside


def at_x(a: Point, b: Point, x: float, between: tuple[float, float]) -> Point:
    """Where the line from `a` through `b` reaches the abscissa `x`, or the point there that is nearest `between` heights.

    >>> at_x((0.0, 0.0), (1.0, 1.0), 3.0, (-9.0, 9.0)), at_x((0.0, 0.0), (1.0, 1.0), 3.0, (-2.0, 2.0))
    ((3.0, 3.0), (3.0, 2.0))
    """
    y = b[1] if b[0] == a[0] else a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0])
    return x, min(max(y, between[0]), between[1])


def cloud(x: float, y: float, width: float, height: float, bumps: int = 13) -> list[Point]:
    """The outline of a cloud: an ellipse with bumps."""
    points = []
    for k in range(8 * bumps + 1):
        t = 2 * math.pi * k / (8 * bumps)
        r = 1.0 - 0.09 * (1.0 - abs(math.sin(bumps * t / 2)))
        points.append((x + width / 2 * r * math.cos(t), y + height / 2 * r * math.sin(t)))
    return points

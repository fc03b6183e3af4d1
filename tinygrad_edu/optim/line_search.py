"""A line search: how far to go in a given direction, so that the function falls enough and its slope becomes flat
enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

LEAST_DECREASE = 1e-4
"""c₁: the function has to fall by this share of what its slope at the start promises."""

MOST_SLOPE_LEFT = 0.9
"""c₂: the slope has to shrink to this share of that at the start."""


class Point(NamedTuple):
    """What is known of φ(t) = f(x + t·d) at one t: the step t, the value φ(t) and the slope φ′(t)."""

    step: float
    value: float
    slope: float


def strong_wolfe(
    evaluate: Callable[[float], Point],
    start: Point,
    step: float,
    length: float,
    *,
    tolerance: float = 1e-9,
    most: int = 25,
) -> Point:
    """Find a t with φ(t) ≤ φ(0) + c₁·t·φ′(0) and |φ′(t)| ≤ c₂·|φ′(0)|, which are the strong Wolfe conditions.

    First t grows until φ has stopped falling, so that the interval behind must hold such a point. Then the interval
    shrinks, each time to the lowest point of the cubic through its ends. A value that is not finite counts as too high.

    evaluate: a function that gives the point at t.
    start: the point at 0, whose slope is negative.
    step: the t to begin with.
    length: the largest |dᵢ|.
    tolerance: an interval in which no coordinate moves by more is not divided further.
    most: how many points are tried after the first.

    Returns the point, or the lowest that was found.

    Source: Nocedal and Wright, *Numerical optimization* (2006), algorithms 3.5 and 3.6, with the safeguards of
    Schmidt's
    minFunc, which PyTorch has too: t grows to between 1.01 and 10 times, and no two times in a row stays in the outer
    tenth of its interval.

    >>> def phi(t):
    ...     return Point(t, (t - 3) ** 2, 2 * (t - 3))
    >>> strong_wolfe(phi, phi(0.0), step=0.1, length=1.0).step
    1.0
    """

    def too_high(point: Point) -> bool:
        return not point.value <= start.value + LEAST_DECREASE * point.step * start.slope

    def is_flat(point: Point) -> bool:
        return abs(point.slope) <= -MOST_SLOPE_LEFT * start.slope

    before, now, tried = start, evaluate(step), 0
    while tried < most:
        if too_high(now) or (tried > 1 and now.value >= before.value):
            break
        if is_flat(now):
            return now
        if now.slope >= 0:
            break
        further = now.step + 0.01 * (now.step - before.step)
        before, now, tried = now, evaluate(_lowest(before, now, further, 10 * now.step)), tried + 1
    else:
        return now if now.value < start.value else start

    low, high = (before, now) if before.value <= now.value or math.isnan(now.value) else (now, before)
    crowded = False
    while tried < most and abs(high.step - low.step) * length >= tolerance:
        step, crowded = _inside(low, high, crowded)
        new, tried = evaluate(step), tried + 1
        if too_high(new) or new.value >= low.value:
            low, high = (new, low) if new.value < low.value else (low, new)
            continue
        if is_flat(new):
            return new
        if new.slope * (high.step - low.step) >= 0:
            high = low
        low = new
    return low


def _inside(low: Point, high: Point, crowded: bool) -> tuple[float, bool]:
    """The t to try between two points, and whether it is crowded: in the outer tenth of the interval, as it may be once."""
    left, right = sorted((low.step, high.step))
    step, margin = _lowest(low, high, left, right), 0.1 * (right - left)
    if min(right - step, step - left) >= margin:
        return step, False
    if crowded or step >= right or step <= left:
        return (right - margin if right - step < step - left else left + margin), False
    return step, True


def _lowest(a: Point, b: Point, left: float, right: float) -> float:
    """Where, between left and right, the cubic with the values and slopes of two points is lowest; the middle if
    nowhere.
    """
    if b.step < a.step:
        a, b = b, a
    mean = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step)
    square = mean * mean - a.slope * b.slope
    if not 0 <= square < math.inf:
        return (left + right) / 2
    root = math.sqrt(square)
    divisor = b.slope - a.slope + 2 * root
    if divisor == 0:
        return (left + right) / 2
    return min(max(b.step - (b.step - a.step) * (b.slope + root - mean) / divisor, left), right)

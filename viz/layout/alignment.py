"""Heights for large figures, in linear time: long wires run straight, and all else stands level with what it is joined to.

Source: Brandes and Köpf, *Fast and simple horizontal coordinate assignment*, Graph Drawing 2001. The layers are
columns here, so the coordinates are heights. Of four layouts (from either side, from below and from above), each with
as much in line as can be, a height is the mean of the middle two.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from viz.layout.columns import PASSING_HEIGHT, Heights, box_size, waypoints
from viz.layout.plan import ARROWS_APART, Plan

LEAST_APART = 8.6  # between two things in a column, in points

Neighbours = Mapping[str, Sequence[str]]
Segment = tuple[str, str]


def straight_heights(plan: Plan, column: Mapping[str, int], order: Callable[[str], float]) -> Heights:
    """The heights of everything in a plan, which stands in each column in the order given."""
    sizes: dict[str, float] = {place.id: place.height for place in plan.places}
    places: dict[str, int] = {place.id: column[place.id] for place in plan.places}
    pairs: list[Segment] = []
    long: set[str] = set()  # wires that pass further columns, and where they do
    starts, ends = straight_ends(plan, column)
    for wire in plan.wires:
        own = f"{wire.id}-box"
        sizes[own], places[own] = box_size(wire, plan.spacing)[1], column[wire.source] + 1
        passed = [f"{wire.id}-{k}" for k in waypoints(wire, column)]
        for k, name in zip(waypoints(wire, column), passed, strict=True):
            sizes[name], places[name] = PASSING_HEIGHT, k
        if passed:
            long.update((own, *passed))
        stations = [own, *passed]
        pairs += pairwise(stations)
        if wire.id in starts:  # the longest way runs straight
            pairs.append((wire.source, own))
        if wire.id in ends:
            pairs.append((stations[-1], wire.target))
    layers: list[list[str]] = [[] for _ in range(max(places.values(), default=0) + 1)]
    for name in sorted(places, key=order):
        layers[places[name]].append(name)
    return Heights(balanced(layers, pairs, sizes, long))


def centred(plan: Plan, column: Mapping[str, int], heights: Heights) -> Heights:
    """The heights, with each box or cloud in the middle of the wires that arrive, as far as there is room beside it.

    A result that it alone leads to, with nothing beside it, stays level with its middle.
    """
    crowd = Counter(wire.target for wire in plan.wires)
    asked = [
        place for place in plan.places if place.shape in ("box", "cloud") and crowd[place.id] > 2 and not place.scope
    ]
    if not asked:
        return heights
    arriving: dict[str, list[float]] = {}
    standing: dict[int, list[tuple[str, float, float]]] = {}  # what is in each column: name, middle, half of its height
    for place in plan.places:
        if place.id in heights:
            standing.setdefault(column[place.id], []).append((place.id, heights.of(place.id), place.height / 2))
    for wire in plan.wires:
        last = heights.wire(wire)
        standing.setdefault(column[wire.source] + 1, []).append((wire.source, last, 0.0))
        for k in waypoints(wire, column):
            last = heights.waypoint(wire, k)
            standing.setdefault(k, []).append(("", last, PASSING_HEIGHT / 2))
        arriving.setdefault(wire.target, []).append(last)
    results = {place.id for place in plan.places if place.shape == "result"}
    found: dict[str, float] = {}
    for place in asked:
        ys, k, y, half = arriving[place.id], column[place.id], heights.of(place.id), place.height / 2
        least = half + plan.spacing.under
        others = [one for one in standing[k] if one[0] != place.id]
        low = [middle + h + least for _, middle, h in others if middle < y]
        high = [middle - h - least for _, middle, h in others if middle >= y]
        leaving = [wire for wire in plan.wires if wire.source == place.id]
        alone = len(leaving) == len(standing.get(k + 1, ())) == len(standing.get(k + 2, ())) == 1
        ends = {f"{wire.id}-box": wire.target for wire in leaving if alone and wire.target in results}
        if not ends:
            room = half * (0.6 if place.shape == "cloud" else 1.0) - ARROWS_APART
            low += [heights.wire(wire) - room for wire in leaving]
            high += [heights.wire(wire) + room for wire in leaving]
        lowest, highest = min(y, max(low, default=-math.inf)), max(y, min(high, default=math.inf))
        middle = min(max((min(ys) + max(ys)) / 2, lowest), highest)
        found |= dict.fromkeys((place.id, *ends, *ends.values()), middle)
    return heights.moved(found)


def longest_ways(plan: Plan, column: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """How many wires the longest way to each place has, and the longest from there on."""
    since = dict.fromkeys((place.id for place in plan.places), 0)
    until = dict(since)
    wires = sorted(plan.wires, key=lambda wire: column[wire.source])
    for wire in wires:
        since[wire.target] = max(since[wire.target], since[wire.source] + 1)
    for wire in reversed(wires):
        until[wire.source] = max(until[wire.source], until[wire.target] + 1)
    return since, until


def straight_ends(plan: Plan, column: Mapping[str, int]) -> tuple[set[str], set[str]]:
    """The wires with which the longest way from a place on begins, and those with which the longest way to one ends."""
    since, until = longest_ways(plan, column)
    leaving: dict[str, int] = {}
    arriving: dict[str, int] = {}
    for wire in plan.wires:
        leaving[wire.source] = max(leaving.get(wire.source, 0), until[wire.target])
        arriving[wire.target] = max(arriving.get(wire.target, 0), since[wire.source])
    starts = {wire.id for wire in plan.wires if until[wire.target] == leaving[wire.source]}
    return starts, {wire.id for wire in plan.wires if since[wire.source] == arriving[wire.target]}


def on_longest_ways(plan: Plan, column: Mapping[str, int]) -> set[str]:
    """The wires on the longest way through what each place leads to and depends on."""
    starts, ends = straight_ends(plan, column)
    return starts & ends


def balanced(
    layers: Sequence[Sequence[str]], pairs: Sequence[Segment], sizes: Mapping[str, float], long: set[str]
) -> dict[str, float]:
    """The coordinate of each name in its layer, for `pairs` that join neighbouring layers; those in `long` come first.

    >>> balanced([["a", "b", "c"], ["d"]], [("c", "d")], dict.fromkeys("abcd", 11.4), set())
    {'a': 0.0, 'b': 20.0, 'c': 40.0, 'd': 40.0}
    """
    place = {name: k for layer in layers for k, name in enumerate(layer)}
    before: dict[str, list[str]] = {name: [] for name in place}
    after: dict[str, list[str]] = {name: [] for name in place}
    for a, b in pairs:
        before[b].append(a)
        after[a].append(b)
    yielding = crossing_long(layers, before, place, long)
    layouts = []
    for backwards in (False, True):
        for mirrored in (False, True):
            turned = [layer[::-1] if mirrored else layer for layer in (layers[::-1] if backwards else layers)]
            found = compact(turned, in_line(turned, after if backwards else before, yielding), sizes)
            layouts.append({name: -x for name, x in found.items()} if mirrored else found)
    spans = [(min(found.values(), default=0.0), max(found.values(), default=0.0)) for found in layouts]
    low, high = min(spans, key=lambda span: span[1] - span[0])
    shifts = [high - span[1] if k % 2 else low - span[0] for k, span in enumerate(spans)]  # mirrored ones by their ends
    result = {}
    for name in place:
        four = sorted(found[name] + shift for found, shift in zip(layouts, shifts, strict=True))
        result[name] = (four[1] + four[2]) / 2
    return result


def crossing_long(
    layers: Sequence[Sequence[str]], before: Neighbours, place: Mapping[str, int], long: set[str]
) -> set[Segment]:
    """Return the segments that cross a segment of a long wire, which runs straight there, so that they cannot."""
    found = set()
    for layer, next_layer in pairwise(layers):
        start, left = 0, 0
        for k, name in enumerate(next_layer):
            straight = next((a for a in before[name] if name in long and a in long), None)
            if straight is None and k < len(next_layer) - 1:
                continue
            right = len(layer) - 1 if straight is None else place[straight]
            for other in next_layer[start : k + 1]:
                for a in before[other]:
                    if not left <= place[a] <= right and not (other in long and a in long):
                        found.add((a, other))
            start, left = k + 1, right
    return found


def in_line(layers: Sequence[Sequence[str]], before: Neighbours, yielding: set[Segment]) -> dict[str, str]:
    """Put each name in line with the middle one of its neighbours, if that is free; map it to the first name of its line."""
    place = {name: k for layer in layers for k, name in enumerate(layer)}
    root = {name: name for name in place}
    for layer in layers:
        reached = -1
        for name in layer:
            neighbours = sorted(before[name], key=place.__getitem__)
            n = len(neighbours)
            for other in neighbours[(n - 1) // 2 : n // 2 + 1]:
                free = (other, name) not in yielding and (name, other) not in yielding
                if root[name] == name and free and reached < place[other]:
                    root[name] = root[other]
                    reached = place[other]
    return root


def compact(layers: Sequence[Sequence[str]], root: Mapping[str, str], sizes: Mapping[str, float]) -> dict[str, float]:
    """Coordinates for what is in line, as small as they can be, then as near to what comes next as can be."""
    following: dict[str, list[tuple[str, float]]] = {first: [] for first in root.values()}
    waiting = dict.fromkeys(following, 0)
    for layer in layers:
        for a, b in pairwise(layer):
            following[root[a]].append((root[b], (sizes[a] + sizes[b]) / 2 + LEAST_APART))
            waiting[root[b]] += 1
    x = dict.fromkeys(following, 0.0)
    order = [first for first, n in waiting.items() if n == 0]
    for first in order:  # the list grows as it is read
        for other, distance in following[first]:
            x[other] = max(x[other], x[first] + distance)
            waiting[other] -= 1
            if waiting[other] == 0:
                order.append(other)
    for first in reversed(order):
        if following[first]:
            x[first] = min(x[other] - distance for other, distance in following[first])
    return {name: x[first] for name, first in root.items()}

"""What stands under what in each column of a figure with groups, so that every group holds together.

Graphviz gives an order without groups, in which inputs are in theirs and few lines cross. In it, what belongs to a group
is brought together, and what passes beside the group goes all above it or all below it. Each group gets an upper and a
lower border in each of its columns; between these stands what is inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from viz.layout.columns import Heights, bottom_of, top_of, waypoints
from viz.layout.groups import Scope, common
from viz.layout.plan import Plan
from viz.layout.spans import names_between, reaches


class Station(NamedTuple):
    """A place, the stub of a wire, or where a wire passes a column; and the groups that it is in there."""

    name: str
    column: int
    scope: Scope


def ways(plan: Plan, column: Mapping[str, int]) -> list[list[Station]]:
    """The stations of each wire, from its source to its target.

    A wire that leads into a group is inside from the column before its first one; one that leaves, up to that after its
    last. A name behind a box stands wherever its stub does.
    """
    between = names_between(plan, column)
    scope = {place.id: place.scope for place in plan.places}
    reach = reaches(plan, column)
    found = []
    for wire in plan.wires:
        left, right = scope[wire.source], scope[wire.target]
        shared = len(common([left, right]))
        at = {column[wire.source] + 1: f"{wire.id}-box"} | {k: f"{wire.id}-{k}" for k in waypoints(wire, column)}
        way = [Station(wire.source, column[wire.source], left)] if wire.source not in between else []
        for k, name in at.items():
            leaving = tuple(group for group in left[shared:] if k <= reach[group][1])
            arriving = tuple(group for group in right[shared:] if k >= reach[group][0])
            way.append(Station(name, k, (*left[:shared], *(leaving or arriving))))
        found.append([*way, Station(wire.target, column[wire.target], right)])
    return found


def borders(plan: Plan, column: Mapping[str, int]) -> dict[str, tuple[list[str], list[str]]]:
    """The names of each group's upper and lower border, from column to column; a step of a loop has no lower one."""
    titled = {group.id for group in plan.groups if group.title}
    found = {}
    for group, (first, last) in reaches(plan, column).items():
        columns = range(first, last + 1)
        lower = [bottom_of(group, k) for k in columns] if group in titled else []
        found[group] = [top_of(group, k) for k in columns], lower
    return found


def neighbours(plan: Plan, column: Mapping[str, int]) -> list[tuple[str, str]]:
    """Groups that follow each other and are alike: steps of loops, calls of one layer. They stand level."""
    kind = {group.id: group.title for group in plan.groups}
    parent = {group: place.scope[:k] for place in plan.places for k, group in enumerate(place.scope)}
    reach = reaches(plan, column)
    return [
        (one, other)
        for one in reach
        for other in reach
        if reach[other][0] == reach[one][1] + 1 and (kind[one], parent[one]) == (kind[other], parent[other])
    ]


def level_borders(plan: Plan, column: Mapping[str, int]) -> list[tuple[str, str]]:
    """The upper borders of neighbours where they meet."""
    reach = reaches(plan, column)
    return [(top_of(a, reach[a][1]), top_of(b, reach[b][0])) for a, b in neighbours(plan, column)]


def stacked(plan: Plan, column: Mapping[str, int], heights: Heights) -> list[list[str]]:
    """What stands in each column, and the borders of groups, from above.

    heights: those of a layout without groups.
    """
    found = _Stack(plan, column, heights).of((), {station for way in ways(plan, column) for station in way})
    return [found.get(k, []) for k in range(max(found, default=-1) + 1)]


class _Stack:
    def __init__(self, plan: Plan, column: Mapping[str, int], heights: Heights) -> None:
        self.heights = heights
        self.names = {place.id for place in plan.places if place.shape == "source"}
        self.loops = {group.id for group in plan.groups if not group.title}
        self.reach = reaches(plan, column)
        self.joined = [pair for way in ways(plan, column) for pair in pairwise(way)]

    def of(self, prefix: Scope, stations: set[Station]) -> dict[int, list[str]]:
        """What is in the group that `prefix` ends in, column by column."""
        inner: dict[str, set[Station]] = {}
        free: list[Station] = []
        for station in sorted(stations):
            if len(station.scope) == len(prefix):
                free.append(station)
            else:
                inner.setdefault(station.scope[len(prefix)], set()).add(station)
        level = {group: self._middle(own) for group, own in inner.items()}
        beside = self._beside(free, list(inner))
        for group in self.loops.intersection(inner):  # what is not above a step is among it
            first, last = self.reach[group]
            below = [one for one in free if first <= one.column <= last]
            among = {one for one in below if one.name in self.names or beside[one] <= level[group]}
            inner[group] |= {one._replace(scope=(*prefix, group)) for one in among}
            free = [one for one in free if one not in among]
        inside = {group: self.of((*prefix, group), own) for group, own in inner.items()}
        columns: dict[int, list[str]] = {}
        first = min((self.reach[group][0] for group in inner), default=0)
        last = max((self.reach[group][1] for group in inner), default=-1)
        for k in sorted({station.column for station in free} | set(range(first, last + 1))):
            here = [group for group in inner if self.reach[group][0] <= k <= self.reach[group][1]]
            here.sort(key=level.__getitem__, reverse=True)
            rows: list[tuple[tuple[float, float], list[str]]] = []
            for n, group in enumerate(here):
                own = [top_of(group, k), *inside[group].get(k, [])]
                own += [] if group in self.loops else [bottom_of(group, k)]
                rows.append(((n + 0.5, 0.0), own))
            for station in free:
                if station.column == k:
                    above = sum(level[group] > beside[station] for group in here)
                    rows.append(((float(above), -self.heights.of(station.name)), [station.name]))
            columns[k] = [name for _, own in sorted(rows) for name in own]
        return columns

    def _middle(self, stations: Sequence[Station] | set[Station]) -> float:
        return sum(self.heights.of(station.name) for station in stations) / len(stations)

    def _beside(self, free: Sequence[Station], groups: Sequence[str]) -> dict[Station, float]:
        """Return at which height each free station passes groups; stations that wires join there have one height."""

        def covered(station: Station) -> bool:
            return any(self.reach[group][0] <= station.column <= self.reach[group][1] for group in groups)

        part = {station: k for k, station in enumerate(free)}
        members = {k: [station] for k, station in enumerate(free)}
        for a, b in self.joined:
            if a in part and b in part and part[a] != part[b] and covered(a) and covered(b):
                moved = members.pop(part[b])
                members[part[a]] += moved
                part |= dict.fromkeys(moved, part[a])
        middle = {k: self._middle(own) for k, own in members.items()}
        return {station: middle[k] for station, k in part.items()}

"""The columns that groups span: what leads into one stands before all of it, and what it leads to, behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from viz.layout.groups import Scope, common
from viz.layout.plan import Place, Plan

BEGINS, ENDS = "begins ", "ends "  # before the id of a group: the first and the last of its columns


def ungrouped(plan: Plan) -> Plan:
    """The plan without its groups."""
    return replace(plan, groups=(), places=tuple(replace(place, scope=()) for place in plan.places))


def settled(plan: Plan, column: Mapping[str, int]) -> Plan:
    """The plan with what is free to stand in a group or before it in those alone among whose columns it stands."""
    if not plan.groups:
        return plan
    after = bounds(plan)
    if len(in_order(after)) < len(after):
        return ungrouped(plan)
    span, free = spans(plan, column), freedom(plan)
    places = [
        replace(
            place,
            scope=tuple(
                group
                for group in place.scope
                if group in span and (group not in free[place.id] or span[group][0] <= column[place.id])
            ),
        )
        for place in plan.places
    ]
    return replace(plan, places=tuple(places), groups=tuple(group for group in plan.groups if group.id in span))


def spans(plan: Plan, column: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """The first and the last column of each group."""
    found: dict[str, tuple[int, int]] = {}
    free = freedom(plan)
    for place in plan.places:
        for group in place.scope:
            if group not in free[place.id]:
                first, last = found.get(group, (column[place.id], column[place.id]))
                found[group] = min(first, column[place.id]), max(last, column[place.id])
    return found


def names_between(plan: Plan, column: Mapping[str, int]) -> dict[str, int]:
    """The names that stand behind a box which ends in their column, each with that column."""
    titled = {group.id for group in plan.groups if group.title}
    ending: dict[int, list[str]] = {}
    for group, (_, last) in spans(plan, column).items():
        if group in titled:
            ending.setdefault(last, []).append(group)
    return {
        place.id: column[place.id]
        for place in plan.places
        if place.shape == "source" and any(group not in place.scope for group in ending.get(column[place.id], ()))
    }


def freedom(plan: Plan) -> dict[str, Scope]:
    """The groups in which each place stands only if there is room: a number that is computed with, and a leaf in a loop."""
    loops = {group.id for group in plan.groups if not group.title}

    def free(place: Place) -> Scope:
        if place.shape != "source":
            return ()
        constant = "constant" in place.classes.split()
        return tuple(group for group in place.scope if constant or group in loops)

    return {place.id: free(place) for place in plan.places}


def reaches(plan: Plan, column: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """The columns in which what belongs to a group stands between its borders.

    They begin with that before its first one, where wires arrive, and end with that after its last one, unless wires
    arrive there at another group.
    """
    span = spans(plan, column)
    begun = {first for first, _ in span.values()}
    return {group: (first - 1, last + (last + 2 not in begun)) for group, (first, last) in span.items()}


def bounds(plan: Plan) -> dict[str, list[tuple[str, int]]]:
    """For each place, and the first and the last column of each group: what must stand so many columns further right.

    What leads into a group stands before all of it, and what it leads to, behind; two groups do not overlap where one
    leads to the other.
    """
    after: dict[str, list[tuple[str, int]]] = {place.id: [] for place in plan.places}
    free = freedom(plan)
    scope = {place.id: tuple(group for group in place.scope if group not in free[place.id]) for place in plan.places}
    whole = {place.id: place.scope for place in plan.places}
    for place in plan.places:
        for k, group in enumerate(scope[place.id]):
            begins, ends = BEGINS + group, ENDS + group
            if begins not in after:
                after[begins], after[ends] = [], []
                if k:
                    after[BEGINS + scope[place.id][k - 1]].append((begins, 0))
                    after[ends].append((ENDS + scope[place.id][k - 1], 0))
        if scope[place.id]:
            after[BEGINS + scope[place.id][-1]].append((place.id, 0))
            after[place.id].append((ENDS + scope[place.id][-1], 0))
    for wire in plan.wires:
        left, right = scope[wire.source], scope[wire.target]
        shared = len(common([left, right]))
        source = wire.source if shared == len(left) else ENDS + left[shared]
        shared = len(common([whole[wire.source], right]))
        target = wire.target if shared == len(right) else BEGINS + right[shared]
        after[source].append((target, 2))
    return after


def in_order(after: Mapping[str, Sequence[tuple[str, int]]]) -> list[str]:
    """The names, each before those that must stand after it."""
    waiting = dict.fromkeys(after, 0)
    for following in after.values():
        for name, _ in following:
            waiting[name] += 1
    order = [name for name, n in waiting.items() if n == 0]
    for name in order:  # the list grows as it is read
        for other, _ in after[name]:
            waiting[other] -= 1
            if waiting[other] == 0:
                order.append(other)
    return order

"""Rows in an order that was given: which leaves and results stand above which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from viz.layout.columns import Heights
from viz.layout.plan import Place, Plan


def leaves_in_order(plan: Plan) -> list[Place]:
    """The leaves whose rows were given an order, from above; those that are drawn at each use are none."""
    return _in_order(plan, (place for place in plan.places if place.shape == "source" and place.id == place.ref))


def results_in_order(plan: Plan) -> list[Place]:
    """Return all results; those that an order was given for swap places among themselves to stand in it."""
    results = [place for place in plan.places if place.shape == "result"]
    ordered = iter(_in_order(plan, results))
    return [next(ordered) if place.ref in plan.order else place for place in results]


def _in_order(plan: Plan, places: Iterable[Place]) -> list[Place]:
    rank = {value: k for k, value in enumerate(plan.order)}
    return sorted((place for place in places if place.ref in rank), key=lambda place: rank[place.ref])


def freed(plan: Plan) -> frozenset[str]:
    """Return the places to which several ordered leaves lead: their inputs stand in that order, not as they are given."""
    come_of: dict[str, frozenset[str]] = {place.id: frozenset({place.id}) for place in leaves_in_order(plan)}
    incoming: dict[str, list[str]] = {}
    for wire in plan.wires:
        incoming.setdefault(wire.target, []).append(wire.source)
    found = set()
    for place in plan.places:  # each after those that it depends on
        sources = [come_of.get(source, frozenset()) for source in incoming.get(place.id, ())]
        come_of[place.id] = come_of.get(place.id, frozenset()).union(*sources)
        if sum(map(bool, sources)) > 1:
            found.add(place.id)
    return frozenset(found)


def kept(plan: Plan, heights: Heights) -> bool:
    """Whether leaves and results stand in the order that was given."""
    of = {wire.source: heights.wire(wire) for wire in plan.wires} | {
        wire.target: heights.of(wire.target) for wire in plan.wires
    }
    rows = [leaves_in_order(plan), _in_order(plan, (place for place in plan.places if place.shape == "result"))]
    return all(of[a.id] > of[b.id] for places in rows for a, b in pairwise(places) if {a.id, b.id} <= set(of))


def at_the_left(plan: Plan, column: Mapping[str, int]) -> dict[str, int]:
    """The columns with all leaves that have an order in the first, where nothing can stand between them."""
    return {**column, **dict.fromkeys([place.id for place in leaves_in_order(plan)], 0)}

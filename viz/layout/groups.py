"""The titled boxes around layers whose operations are drawn: which there are, and what is inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from viz.layout.plan import Group, Place, Plan, Wire, Words, written
from viz.layout.scene import Scene, Shape
from viz.record.graph import Graph, Part

MOST_OPERATIONS_GROUPED = 150  # operations, beyond which no boxes are drawn


def grouped(plan: Plan, graph: Graph, column: Mapping[str, int]) -> Plan:
    """The plan with its groups: each place and wire knows the boxes that it is in.

    What the operations of a layer pass to each other is inside; so are its parameters, where they stand beside its
    operations and not before them.
    """
    groups = choose(graph)
    if not groups:
        return plan
    known = {group.id for group in groups}
    inside = {op.id: tuple(part.id for part in op.scope if part.id in known) for op in graph.ops if op.id in column}
    begins: dict[str, int] = {}
    for op, scope in inside.items():
        for group in scope:
            begins[group] = min(begins.get(group, column[op]), column[op])
    targets: dict[str, list[str]] = {}
    sources = {}
    for wire in plan.wires:
        targets.setdefault(wire.source, []).append(wire.target)
        sources[wire.target] = wire.source
    for place in reversed(plan.places):
        if place.id in inside:
            continue
        used = [inside.get(target, ()) for target in targets.get(place.id, [])]
        shared = common([*used, inside[sources[place.id]]] if sources.get(place.id) in inside else used)
        shared = tuple(group for group in shared if column[place.id] >= begins[group])
        inside[place.id] = () if place.shape == "result" or "input" in place.classes else shared
    places = [replace(place, scope=inside[place.id]) for place in plan.places]
    wires = [replace(wire, scope=common([inside[wire.source], inside[wire.target]])) for wire in plan.wires]
    return replace(plan, places=tuple(places), wires=tuple(wires), groups=groups)


def choose(graph: Graph) -> tuple[Group, ...]:
    """The module calls to draw a box around: those of several operations, but not the one that holds all others."""
    count: dict[Part, int] = {}
    first: dict[Part, int] = {}
    for k, op in enumerate(graph.ops, 1):
        for part in op.scope:
            count[part] = count.get(part, 0) + 1
            first.setdefault(part, k)
    if len(graph.ops) > MOST_OPERATIONS_GROUPED:
        return ()
    outer = {op.scope[0] for op in graph.ops if len(op.scope) > 1 or (op.scope and op.shape == "box")}
    alone = outer if len(outer) == 1 else set()
    return tuple(Group(part.id, part.kind, first[part]) for part, n in count.items() if n > 1 and part not in alone)


def common(scopes: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The groups that all of these are in.

    >>> common([("net", "fc1"), ("net", "fc2")])
    ('net',)
    """
    shared = []
    for parts in zip(*scopes, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return tuple(shared)


def framed(scene: Scene, plan: Plan) -> Scene:
    """The scene with a titled box around what is drawn of each group; the outermost lie under the others."""
    things: list[Place | Wire] = [*plan.places, *plan.wires]
    inside: dict[str, list[Place | Wire]] = {group.id: [] for group in plan.groups}
    for thing in things:
        for group_id in thing.scope:
            inside[group_id].append(thing)
    drawn = [(group, inside[group.id]) for group in plan.groups if inside[group.id]]
    drawn.sort(key=lambda pair: pair[1][0].scope.index(pair[0].id))
    shapes, titles = [], []
    for group, own in drawn:
        level = own[0].scope.index(group.id)
        around = max(len(thing.scope) for thing in own) - level  # boxes inside this one, and itself
        ids = {id for thing in own for id in (thing.written if isinstance(thing, Place) else {thing.id})}
        left, bottom, right, top = scene.part(ids).bounds()
        pad, title = 2.0 + 4.0 * around, Words(group.title, "title", size=plan.spacing.small)
        left, bottom, right, top = left - pad, bottom - pad, right + pad, top + pad + title.height * around
        x, y = (left + right) / 2, (bottom + top) / 2
        shapes.append(Shape(group.id, "layer group", "group", x, y, right - left, top - bottom, group.step))
        x, y = left + title.width / 2 + 6.0, top - title.height / 2 - 2.0
        titles.append(written(f"{group.id}-title", "layer", title, x, y, group.step))
    return replace(scene, shapes=(*shapes, *scene.shapes), texts=(*scene.texts, *titles))

"""The titled boxes around layers whose operations are drawn: which there are, and what is inside."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from viz.record.graph import Graph, Part, Use, Value
from viz.record.sharing import loops

MOST_OPERATIONS_GROUPED = 150  # operations, beyond which no boxes are drawn

Scope = tuple[str, ...]  # the groups that something is in, the outermost first


@dataclass(frozen=True, slots=True)
class Group:
    """A layer whose operations are drawn: a titled box around them. Without a title, a step of a loop: it has no box."""

    id: str
    title: str
    step: int


def choose(graph: Graph) -> tuple[Group, ...]:
    """The module calls to draw a box around: those of several operations, but not the one that holds all others."""
    if len(graph.ops) > MOST_OPERATIONS_GROUPED:
        return ()
    count: dict[Part, int] = {}
    first: dict[Part, int] = {}
    for k, op in enumerate(graph.ops, 1):
        for part in op.scope:
            count[part] = count.get(part, 0) + 1
            first.setdefault(part, k)
    outer = {op.scope[0] for op in graph.ops if len(op.scope) > 1 or (op.scope and op.shape == "box")}
    alone = outer if len(outer) == 1 else set()
    left = _left_and_entered(graph)
    chosen = [part for part, n in count.items() if n > 1 and part not in alone and part.id not in left]
    return tuple(Group(part.id, part.kind, first[part]) for part in chosen)


def _left_and_entered(graph: Graph) -> set[str]:
    """The calls that a value leaves and, after further operations, enters again: a box could not be drawn around them."""
    made = {value.id: value.op for value in graph.values}
    sources: dict[str, list[str]] = {op.id: [] for op in graph.ops}
    for use in graph.uses:
        if use.op is not None and (maker := made[use.value]) is not None:
            sources[use.op].append(maker)
    inside = {op.id: {part.id for part in op.scope} for op in graph.ops}
    outside: dict[str, set[str]] = {}  # the calls that each operation depends on from outside
    found: set[str] = set()
    for op in graph.ops:
        before = set()
        for source in sources[op.id]:
            before |= outside[source] | (inside[source] - inside[op.id])
        found |= before & inside[op.id]
        outside[op.id] = before
    return found


def scopes_of_operations(graph: Graph, layers: Sequence[Group]) -> tuple[tuple[Group, ...], dict[str, Scope]]:
    """The groups of a graph, layers and steps of loops, and those that each operation is in."""
    known = {group.id for group in layers}
    inside = {op.id: tuple(part.id for part in op.scope if part.id in known) for op in graph.ops}
    groups = list(layers)
    for n, steps in enumerate(loops(graph) if len(graph.ops) <= MOST_OPERATIONS_GROUPED else []):
        shared = common([inside[graph.ops[k].id] for step in steps for k in step])
        held = [{scope[: len(shared) + 1] for scope in (inside[graph.ops[k].id] for k in step)} for step in steps]
        if any(len(one) == 1 and one != {shared} for one in held):  # each step is a call of a layer
            continue
        if any(len(scope) > len(shared) and scope in other for one, other in pairwise(held) for scope in one):
            continue
        for k, step in enumerate(steps):
            groups.append(Group(f"loop{n}-{k}", "", step[0]))
            for op in (graph.ops[i].id for i in step):
                inside[op] = (*shared, groups[-1].id, *inside[op][len(shared) :])
    return tuple(groups), inside


def scope_of_leaf(value: Value, uses: Sequence[Use], inside: Mapping[str, Scope], steps: Container[str]) -> Scope:
    """The groups that a leaf is drawn in.

    A parameter stands before the layer that uses it, among its inputs, but in what the layer is a part of. What is given
    to a layer stands outside of all; the numbers that it computes with, inside.
    """
    used = [inside.get(use.op or "", ()) for use in uses]
    shared = common(used)
    if value.kind == "constant":
        return shared
    layers = [k for k, group in enumerate(shared) if group not in steps]
    if value.kind == "parameter":
        return shared[: layers[-1]] if layers and shared in used else shared
    return shared[: layers[0]] if layers else shared


def scope_of_tag(
    value: Value, use: Use, uses: Sequence[Use], inside: Mapping[str, Scope], steps: Container[str]
) -> Scope:
    """The groups that the tag of a leaf is drawn in at one of its uses: within a layer, each step has its own."""
    layers = [[group for group in inside.get(other.op or "", ()) if group not in steps] for other in (use, *uses)]
    if value.kind == "parameter" and all(other == layers[0] for other in layers):
        return inside.get(use.op or "", ())
    return scope_of_leaf(value, [use], inside, steps)


def scope_of_fork(source: Scope, targets: Sequence[Scope]) -> Scope:
    """The groups in which a value forks: where it is used further on, or all uses of what comes from outside are.

    >>> scope_of_fork(("net", "fc1"), [("net",), ()])
    ('net',)
    >>> scope_of_fork((), [("block", "fc1"), ("block",)])
    ('block',)
    """
    held = [k for k, group in enumerate(source, 1) if any(group in target for target in targets)]
    kept = source[: max(held, default=0)]
    shared = common(targets)
    return shared if shared[: len(source)] == source else kept


def common(scopes: Sequence[Scope]) -> Scope:
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

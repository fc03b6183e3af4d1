"""Which leaves a computation uses again and again, as a recurrent net does its weights, and the steps in which it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from viz.record.folding import REPEATED, repeats
from viz.record.graph import Graph, Use, users


def used_again(graph: Graph) -> frozenset[str]:
    """The leaves that operations of different depth use in the same way: each step of a loop its weights.

    In the same way: with the same symbol, in the same position, with results of one shape that are used alike. If most
    steps are one cloud, the leaves that it uses are used again by it.

    >>> import numpy as np
    >>> import tinygrad_edu as tg
    >>> from viz.record.record import trace
    >>> h, w, v = (tg.Tensor(0.5, requires_grad=True) for _ in range(3))
    >>> for x in (1.0, 2.0):
    ...     h = np.tanh(w * x + v * h)
    >>> graph = trace(h, names={"w": w, "v": v})
    >>> sorted(value.name for value in graph.values if value.id in used_again(graph))
    ['v', 'w']
    """
    used = users(graph)
    depth = depths(graph)
    values = {value.id: value for value in graph.values}
    ops = {op.id: op for op in graph.ops}

    def way(use: Use) -> Any:
        op = ops[use.op or ""]
        after = [other for output in op.outputs for other in used[output]]
        onwards = tuple([(ops[other.op].symbol, other.position) if other.op else () for other in after])
        return op.symbol, use.position, tuple([values[output].shape for output in op.outputs]), onwards

    runs = [run for loop in loops(graph) for run in loop]
    step = {graph.ops[i].id: k for k, run in enumerate(runs) for i in run}
    found = set()
    for value in graph.values:
        if value.op is None and len(own := [use for use in used[value.id] if use.op is not None]) > 1:
            repeated = any(str(use.op).startswith(REPEATED) for use in own)
            alike: dict[Any, set[Any]] = {}  # by the way of use, where that is
            for use in own:
                alike.setdefault(way(use), set()).add((depth[use.op], step.get(use.op or "")))
            if repeated or any(len(places) > 1 for places in alike.values()):
                found.add(value.id)
    return frozenset(found)


def depths(graph: Graph) -> dict[str | None, int]:
    """How many operations lead to each, at most; what is computed of leaves alone is as deep as its use allows."""
    used = users(graph)
    made = {value.id: value.op for value in graph.values}
    sources: dict[str, list[str]] = {op.id: [] for op in graph.ops}
    for use in graph.uses:
        if use.op is not None and (maker := made[use.value]) is not None:
            sources[use.op].append(maker)
    depth: dict[str | None, int] = {}
    alone: set[str] = set()
    for op in graph.ops:
        depth[op.id] = max((depth[source] + 1 for source in sources[op.id]), default=0)
        if alone.issuperset(sources[op.id]) and sum(len(used[output]) for output in op.outputs) == 1:
            alone.add(op.id)
    for op in reversed(graph.ops):
        onwards = [depth[use.op] for output in op.outputs for use in used[output] if use.op is not None]
        if op.id in alone and onwards:
            depth[op.id] = min(onwards) - 1
    return depth


def loops(graph: Graph) -> list[list[range]]:
    """The steps of each loop, as places of operations: equal runs of them, of which each uses results of the one before
    and the same leaves in the same way.
    """
    values = {value.id: value for value in graph.values}
    place = {op.id: k for k, op in enumerate(graph.ops)}
    leaves: dict[int, set[tuple[int, str]]] = {}  # the leaves that an operation uses, with their positions
    results: dict[int, set[int]] = {}  # the operations whose results it uses
    for use in graph.uses:
        if use.op is not None:
            made = values[use.value].op
            if made is not None:
                results.setdefault(place[use.op], set()).add(place[made])
            elif values[use.value].kind != "constant":
                leaves.setdefault(place[use.op], set()).add((use.position, use.value))

    def follows(one: range, other: range) -> bool:
        shared = any(leaves.get(a, set()) & leaves.get(b, set()) for a, b in zip(one, other, strict=True))
        return shared and any(k in one for b in other for k in results.get(b, ()))

    def among(first: int, length: int, times: int) -> list[list[range]]:
        for several in range(1, times // 2 + 1):  # a step may be a pattern several times: one for each layer
            size = several * length
            if own := runs_that(
                follows, [range(first + k * size, first + (k + 1) * size) for k in range(times // several)]
            ):
                return own if size > 1 else []
        return []

    found = [steps for k, op in enumerate(graph.ops) if op.id.startswith(REPEATED) and (steps := around(graph, k))]
    seen = [0, *[place for steps in found for place in (steps[0].start, steps[-1].stop)], len(graph.ops)]
    stretches = [*zip(seen[::2], seen[1::2], strict=True)]
    for start, stop in stretches:  # the list grows as it is read
        own = [steps for pattern in repeats(graph, 2, exact=False, within=(start, stop)) for steps in among(*pattern)]
        if own:
            found += own
            ends = sorted((steps[0].start, steps[-1].stop) for steps in own)
            between = [start, *[place for pair in ends for place in pair], stop]
            stretches += [*zip(between[::2], between[1::2], strict=True)]
    return found


def around(graph: Graph, k: int) -> list[range]:
    """The step before the cloud in place `k` that stands for further steps, the cloud, and the step after it, if they are
    alike.
    """
    kinds = [(op.name, len(op.inputs)) for op in graph.ops]
    for size in range(min(k, len(kinds) - k - 1, graph.ops[k].parts), 0, -1):
        if graph.ops[k].parts % size == 0 and kinds[k - size : k] == kinds[k + 1 : k + 1 + size]:
            return [range(k - size, k), range(k, k + 1), range(k + 1, k + 1 + size)]
    return []


def runs_that(follows: Callable[[range, range], bool], runs: Sequence[range]) -> list[list[range]]:
    """The longest series of runs in which each follows the one before, of those that have more than one."""
    series = [[run] for run in runs[:1]]
    for one, other in pairwise(runs):
        if follows(one, other):
            series[-1].append(other)
        else:
            series.append([other])
    return [own for own in series if len(own) > 1]

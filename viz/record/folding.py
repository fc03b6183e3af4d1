"""Graphs too large to be read, folded until they can be: layers as boxes, repeats and the middle as clouds.

What fits is for the caller to say. The candidates come with the most detail first, and the first that fits is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np

from viz.languages import words
from viz.record.graph import Graph, Part
from viz.record.passes import Span, collapse, depth, merge

MOST_AT_AN_END = 20  # operations that are drawn one by one at either end of a folded middle, at most
MOST_USES_OF_PATTERNS = 200  # with more, so much passes between folded parts that one fold is clearer
LONGEST_PATTERN = 64  # the longest pattern that is looked for
REPEATED = "r"  # what the ids of clouds for what repeats begin with
LEAST_IN_A_CLOUD = 3  # operations that a cloud must stand for


def fold(graph: Graph, fits: Callable[[Graph], bool], lang: str = "en") -> Graph:
    """The graph with as much of it folded as is needed to fit; the figure says what is missing.

    The deepest modules first, then what repeats, then the middle.
    """
    folded = graph
    for folded in candidates(graph, lang):
        if fits(folded):
            break
    if folded is graph:  # it has nothing that could be folded
        return graph
    return noting_what_is_shown(folded, lang)


def noting_what_is_shown(graph: Graph, lang: str) -> Graph:
    """The graph with a note that says how much of it is drawn."""
    shown = sum(op.parts == 1 for op in graph.ops)
    note = words(lang)["collapsed"].format(shown=shown, all=sum(op.parts for op in graph.ops))
    return replace(graph, notes=(*graph.notes, note))


def candidates(graph: Graph, lang: str) -> Iterator[Graph]:
    """The graph folded more and more."""
    levels = max((len(op.scope) for op in graph.ops), default=0)
    smaller = graph
    for level in range(levels, 0, -1):
        smaller = collapse(graph, depth(graph, level))
        yield smaller
        yield from without_repeats(smaller, lang)
    folded = smaller
    for folded in without_repeats(graph, lang):
        yield folded
    yield from without_middle(
        smaller if levels else folded if len(folded.uses) <= MOST_USES_OF_PATTERNS else graph, lang
    )


# ---------------------------------------------------------------------------------------------------
# Equal blocks


def equal_blocks(graph: Graph, lang: str) -> Iterator[Graph]:
    """The graph with calls of modules that follow each other and compute the same as one box, "Block × 3".

    Those inside others first: of them, more is left to be seen.
    """
    for level in range(max((len(op.scope) for op in graph.ops), default=0), 0, -1):
        scopes = [op.scope[:level] for op in graph.ops]
        calls = [(scope, list(run)) for scope, run in groupby(range(len(scopes)), scopes.__getitem__)]
        kinds = [_kind(graph, scope, places, level) for scope, places in calls]
        spans, k = [], 0
        for kind, run in groupby(kinds):
            n = len(list(run))
            places = [place for _, own in calls[k : k + n] for place in own]
            if kind and n > 1 and len(places) >= LEAST_IN_A_CLOUD:
                said = f"{calls[k][0][-1].kind} × {n}"
                spans.append(Span(places[0], places[-1] + 1, f"n{places[0]}", said, said, "box"))
            k += n
        if spans:
            yield noting_what_is_shown(merge(graph, spans), lang)


def _kind(graph: Graph, scope: tuple[Part, ...], places: Sequence[int], level: int) -> Any:
    """Return a key that is equal for equal calls: where they are, their module's kind, and what they compute."""
    if len(scope) < level:
        return None
    shapes = {value.id: value.shape for value in graph.values}
    steps = [(graph.ops[k].symbol, *[shapes[v] for v in graph.ops[k].outputs]) for k in places]
    return scope[:-1], scope[-1].kind, tuple(steps)


# ---------------------------------------------------------------------------------------------------
# Repeats


def without_repeats(graph: Graph, lang: str) -> Iterator[Graph]:
    """The graph with a cloud for most of each pattern that repeats: the first and the last time are drawn, or the first, or none."""
    found = repeats(graph)
    said = words(lang)

    def span(start: int, stop: int, text: str) -> Span:
        return Span(start, stop, f"{REPEATED}{start}", text, text, "cloud")

    def again(first: int, last: int, period: int) -> Span:
        return span(first, last, said["repeats"].format(n=(last - first) // period))

    ends = [
        again(first + period, first + (times - 1) * period, period)
        for first, period, times in found
        if times > 3 and (times - 2) * period >= LEAST_IN_A_CLOUD
    ]
    rest = [again(first + period, first + times * period, period) for first, period, times in found]
    each = [
        span(first, first + period, said["operations"].format(n=period)) for first, period, _ in found if period > 1
    ]
    if ends:
        yield merge(graph, ends)
    if found:
        yield merge(graph, rest)
        yield merge(graph, [*each, *rest])


def repeats(
    graph: Graph, least: int = 3, exact: bool = True, within: tuple[int, int] | None = None
) -> list[tuple[int, int, int]]:
    """Where patterns repeat themselves: the first place, the length and the number of times, at least so many, of each.

    exact: whether settings are to be the same too, as the element that is taken of a sequence. within: between which
    places.
    """
    kinds: dict[Any, int] = {}
    shapes = {value.id: value.shape for value in graph.values}
    sequence = np.array(
        [
            kinds.setdefault(
                (op.symbol if exact else op.name, len(op.inputs), *[shapes[v] for v in op.outputs]), len(kinds)
            )
            for op in graph.ops
        ]
    )
    found = []
    stretches = [within or (0, len(sequence))]
    for start, stop in stretches:  # the list grows as it is read
        first, period, times = longest_repeat(sequence[start:stop])
        if times >= least and (times - 1) * period >= LEAST_IN_A_CLOUD:
            first += start
            found.append((first, period, times))
            stretches += [(start, first), (first + times * period, stop)]
    return found


def longest_repeat(sequence: Any) -> tuple[int, int, int]:
    """Where a pattern repeats itself most: its first place, its length, how many times.

    >>> longest_repeat(np.array([9, 1, 2, 1, 2, 1, 2, 7]))
    (1, 2, 3)
    """
    best, answer = 0, (0, 1, 1)
    for period in range(1, min(LONGEST_PATTERN, len(sequence) // 2) + 1):
        same = np.concatenate([[False], sequence[:-period] == sequence[period:], [False]])
        turns = np.flatnonzero(same[1:] != same[:-1])
        starts, lengths = turns[::2], turns[1::2] - turns[::2]
        if len(starts):
            k = int(lengths.argmax())
            times = int(lengths[k]) // period + 1
            if times > 1 and times * period > best:
                best, answer = times * period, (int(starts[k]), period, times)
    return answer


# ---------------------------------------------------------------------------------------------------
# The middle


def without_middle(graph: Graph, lang: str) -> Iterator[Graph]:
    """The graph with a cloud for its middle, which grows until nothing else is left."""
    before, after = len(graph.ops), 0  # the cloud is after so many operations, and before those from there on
    for most in range(MOST_AT_AN_END, 0, -1):
        n, least = len(graph.ops), most // 4
        if n <= 2 * most:
            continue
        passing = live(graph)
        start = least + int(np.argmin(passing[least : min(most, before) + 1]))
        first = max(n - most, after)
        stop = first + int(np.argmin(passing[first : n - least + 1]))
        several = words(lang)["operations"].format(n=sum(op.parts for op in graph.ops[start:stop]))
        graph = merge(graph, [Span(start, stop, "middle", several, several, "cloud")])
        before, after = start, start + 1
        yield graph


def live(graph: Graph) -> Any:
    """How many values pass from before to after each place between operations."""
    place = {op.id: k for k, op in enumerate(graph.ops)}
    made = {value.id: place[value.op] + 1 if value.op else 0 for value in graph.values}
    last = dict(made)
    for use in graph.uses:
        last[use.value] = max(last[use.value], place[use.op] if use.op else len(graph.ops))
    change = np.zeros(len(graph.ops) + 2, dtype=int)
    np.add.at(change, list(made.values()), 1)
    np.add.at(change, [k + 1 for k in last.values()], -1)
    return np.cumsum(change)[:-1]

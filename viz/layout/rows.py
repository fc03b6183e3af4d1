"""A figure in rows: a long one goes on in a next row, and each line that is cut has the same letter at both ends.

All of it is done to plans, before anything is placed: each row is a plan of its own, which is laid out like any other,
and the scenes of the rows are put below each other.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from string import ascii_uppercase
from typing import NamedTuple

from viz.layout.columns import Heights, aside, box_size, columns, extent, filled, grid, lanes
from viz.layout.plan import FONT, LEAST_USES_OF_TAGS, Place, Plan, Wire, Words, sides
from viz.layout.scene import Scene
from viz.layout.spacing import CLOSE, Spacing, spacing_of
from viz.layout.spans import spans

ROW_GAP = 12.0  # between two rows
HEIGHT_OF_A_LINK = 25.0  # what a line that is cut costs, in points of height
HEIGHT_PLACED = 1.15  # times the height of what stands in a column, which is what Graphviz needs for it
MOST_FILLED = 0.6  # of a page, by what stands in the columns of a figure: rows end where they must
NARROWEST_ROW = 0.06  # of the width of all in one row
WIDTHS_TRIED = 30  # widths of rows, each narrower than the one before
COMFORTABLE_LETTERS = 18.0  # points, from which on nothing is put closer together or into rows
MOST_ARRANGEMENTS = 8  # arrangements, the most promising first, that are worth laying out


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A plan in rows, and how high its letters are expected to be, in points."""

    rows: tuple[Plan, ...]
    letters: float


def arrangements(
    planned: Callable[[Spacing, int], Plan],
    room: tuple[float, float],
    share: float | None = None,
    wrapped: bool = True,
) -> list[Arrangement]:
    """The ways to put a figure into a room of this width and height, in points, the best first.

    planned: the plan with these distances, in which a leaf of so many uses is a tag at each.
    share: how wide things stand apart (see `spacing_of`); without, as close as is needed for comfortable letters.
    wrapped: whether there may be several rows.
    """

    def at(closeness: float, wrapped: bool) -> list[Arrangement]:
        spacing = replace(spacing_of(closeness), small=FONT)
        found = [_expected((planned(spacing, LEAST_USES_OF_TAGS),), room)]
        if wrapped and found[0].letters < COMFORTABLE_LETTERS:
            cut = planned(spacing, 2)  # a leaf that is used in several rows stands in each
            found += [_expected(in_rows(cut, row), room) for row in possible_rows(cut, room)[:MOST_ARRANGEMENTS]]
        return sorted(found, key=lambda one: preference(one.letters, one.rows))[:MOST_ARRANGEMENTS]

    if share is not None:
        return at(share, wrapped)
    if letters_at_most(planned, room) < COMFORTABLE_LETTERS:
        return at(0.0, wrapped)
    if (as_usual := at(1.0, False))[0].letters >= COMFORTABLE_LETTERS:
        return as_usual
    closest = at(0.0, wrapped)
    if closest[0].letters >= COMFORTABLE_LETTERS:  # there is room to spare
        for closeness in (1.0, 0.5):
            if (wider := at(closeness, wrapped))[0].letters >= COMFORTABLE_LETTERS:
                return wider
    return closest


def preference(letters: float, rows: Sequence[object], down: bool = False) -> tuple[float, bool, int, float]:
    """The larger the letters, the better, until they are comfortable; from there on, to the right rather than down, and
    the fewer rows. The best is least.
    """
    return -min(letters, COMFORTABLE_LETTERS), down, len(rows), -letters


def letters_at_most(planned: Callable[[Spacing, int], Plan], room: tuple[float, float]) -> float:
    """How high the letters of a figure could be in a room, in points, if its columns filled most of it.

    This takes much less time than `arrangements`, whose arguments it has.
    """
    lies, heights = filled(planned(replace(CLOSE, small=FONT), 2))
    area = sum((right - left) * height for left, right, height in zip(lies.left, lies.right, heights, strict=True))
    return FONT * math.sqrt(MOST_FILLED * room[0] * room[1] / max(area, 1.0))


def _expected(rows: tuple[Plan, ...], room: tuple[float, float]) -> Arrangement:
    """Rows with the height of letters that is to be expected of them, before anything is laid out."""
    sizes = [(width, height * HEIGHT_PLACED) for width, height in map(extent, rows)]
    return Arrangement(rows, expected_letters(sizes, room))


def expected_letters(sizes: Sequence[tuple[float, float]], room: tuple[float, float]) -> float:
    """The height of letters in a room, in points, of rows of these sizes below each other."""
    wide = max(width for width, _ in sizes)
    high = sum(height for _, height in sizes) + ROW_GAP * (len(sizes) - 1)
    return FONT * min(room[0] / max(wide, 1.0), room[1] / max(high, 1.0))


class Placed(NamedTuple):
    """A row, the column of each of its places, and the height of everything in it."""

    plan: Plan
    column: dict[str, int]
    heights: Heights


def size_placed(row: Placed) -> tuple[float, float]:
    """The width and the height of a row whose lines are still to be drawn."""
    plan, column, heights = row
    low, high = [], []
    for place in plan.places:
        if place.shape == "circle":
            low.append(heights.place(place.id) - place.height / 2)
            high.append(heights.place(place.id) + place.height / 2)
    for wire in plan.wires:
        up, down = sides(wire, plan.spacing)
        low.append(heights.wire(wire) - down)
        high.append(heights.wire(wire) + up)
    for group in [group for group in plan.groups if group.title]:
        bottom, top = heights.group(group, plan.spacing)
        low.append(bottom)
        high.append(top)
    width = grid(plan, column, lanes(plan, column, heights)).right[-1]
    return width, max(high, default=0.0) - min(low, default=0.0)


# ---------------------------------------------------------------------------------------------------
# Where to cut


def possible_rows(plan: Plan, room: tuple[float, float]) -> list[dict[str, int]]:
    """For rows of several widths, the row of each operation, cut where the rows are low and few lines are cut, and not
    within a step of a loop.

    Those come first that seem to fit a room of this width and height best.
    """
    column = columns(plan)
    operations = [place.id for place in plan.places if "op" in place.classes.split()]
    kept = _steps(plan, column)
    stops = [k for k in sorted({column[op] for op in operations}) if not any(a < k <= b for a, b in kept)]
    if len(stops) < 2:
        return []
    lies = grid(plan, column)
    heights = _heights(plan, column)
    crossing = _crossings(plan, column, stops)
    lasts = [max(column[op] for op in operations if column[op] < after) for after in (*stops[1:], len(heights))]
    ends = [lies.right[min(k + 1, len(lies.right) - 1)] for k in lasts]
    starts = [lies.left[max(k - 1, 0)] for k in stops]
    around = [max(heights[max(k - 1, 0) : last + 2]) for k, last in zip(stops, lasts, strict=True)]
    found: dict[tuple[int, ...], float] = {}
    for step in range(1, WIDTHS_TRIED):
        limit = lies.right[-1] * NARROWEST_ROW ** (step / WIDTHS_TRIED)
        cuts, high = _cuts(starts, ends, around, crossing, limit)
        wide = max(ends[j - 1] - starts[i] for i, j in pairwise((0, *cuts, len(stops))))
        if cuts:
            found[cuts] = min(room[0] / max(wide, 1.0), room[1] / max(high, 1.0))
    rows = []
    for cuts in sorted(found, key=lambda cuts: -found[cuts]):
        at = dict(zip(stops, accumulate(int(k in cuts) for k in range(len(stops))), strict=True))
        rows.append({op: at[stops[bisect(stops, column[op]) - 1]] for op in operations})
    return rows


def _steps(plan: Plan, column: Mapping[str, int]) -> list[tuple[int, int]]:
    """The columns of each step of a loop and of each of several layers of a kind: rows begin between them.

    Those that hold others, or stand side by side with others of their kind, may be cut.
    """
    span, kind = spans(plan, column), {group.id: group.title for group in plan.groups}
    parent = {group: place.scope[:k] for place in plan.places for k, group in enumerate(place.scope)}
    alike: dict[object, list[tuple[int, int]]] = {}
    for group in span.keys() - {outer for scope in parent.values() for outer in scope}:
        alike.setdefault((kind[group], parent[group]), []).append(span[group])
    series = [sorted(own) for own in alike.values() if len(own) > 1]
    return [one for own in series if all(a[1] < b[0] for a, b in pairwise(own)) for one in own]


def _cuts(
    starts: Sequence[float], ends: Sequence[float], heights: Sequence[float], crossing: Sequence[int], limit: float
) -> tuple[tuple[int, ...], float]:
    """Before which stops to begin a new row, so that none is wider than the limit and all together are lowest; how high."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for j in range(1, len(starts) + 1):
        high, options = 0.0, []
        for i in range(j - 1, -1, -1):
            high = max(high, heights[i])
            if i < j - 1 and ends[j - 1] - starts[i] > limit:
                break
            options.append((best[i][0] + high + ROW_GAP + HEIGHT_OF_A_LINK * crossing[i] * (i > 0), i))
        best.append(min(options))
    cuts, j = [], len(starts)
    while j:
        j = best[j][1]
        cuts.append(j)
    return tuple(sorted(cuts)[1:]), best[-1][0]


def _heights(plan: Plan, column: Mapping[str, int]) -> list[float]:
    """How high what stands in each column is, without gaps."""
    heights = [0.0] * (max(column.values()) + 2)
    for place in plan.places:
        heights[column[place.id]] += place.height
    for wire in plan.wires:
        heights[column[wire.source] + 1] += box_size(wire, plan.spacing)[1]
    return heights


def _crossings(plan: Plan, column: Mapping[str, int], stops: Sequence[int]) -> list[int]:
    """How many lines between operations, and boxes around them, would be cut before each stop."""
    made = {place.id for place in plan.places if place.shape not in ("source", "result")}
    ends = [(column[wire.source], column[wire.target]) for wire in plan.wires if {wire.source, wire.target} <= made]
    ends += spans(plan, column).values()
    return [sum(a < stop <= b for a, b in ends) for stop in stops]


# ---------------------------------------------------------------------------------------------------
# Cutting


def in_rows(plan: Plan, row: Mapping[str, int]) -> tuple[Plan, ...]:
    """The plan of each row, given the row of each operation. Lines that are cut end and begin at links, their letters.

    A leaf stands where it is used; a value forks where it is first used.
    """
    at = _rows_of_all(plan, row)
    places: list[list[Place]] = [[] for _ in range(max(at.values(), default=0) + 1)]
    wires: list[list[Wire]] = [[] for _ in places]
    for place in plan.places:
        places[at[place.id]].append(place)
    lines = [*[place.lines for place in plan.places], *[wire.above for wire in plan.wires]]
    names = _letters({line.text for several in lines for line in several})
    said = {wire.value: wire.above for wire in plan.wires if wire.kind == "trunk"}
    for wire in plan.wires:
        first, last = at[wire.source], at[wire.target]
        if first == last:
            wires[first].append(wire)
            continue
        letter = next(names)
        leaving, arriving = (
            _link(f"{wire.id}-{way}", shape, letter, wire, plan.spacing)
            for way, shape in (("leaves", "result"), ("arrives", "source"))
        )
        places[first].append(leaving)
        places[last].insert(0, arriving)
        asked = any(line.role == "blank" for line in wire.below)
        begun = replace(
            wire,
            id=f"{wire.id}-begun",
            target=leaving.id,
            position=0,
            kind=wire.kind.replace("trunk", "use"),
            below=() if asked else wire.below,
        )
        wires[first].append(begun)
        above = said[wire.value] if wire.kind == "branch" else wire.above
        on = replace(wire, source=arriving.id, above=tuple(line for line in above if line.role != "blank"))
        wires[last].append(replace(on, kind="use") if wire.kind == "branch" else on)
    return tuple(replace(plan, places=tuple(p), wires=tuple(w)) for p, w in zip(places, wires, strict=True))


def _rows_of_all(plan: Plan, row: Mapping[str, int]) -> dict[str, int]:
    """The row of each place, given those of operations."""
    at = dict(row)
    shapes = {place.id: place.shape for place in plan.places}
    sources = {wire.target: wire.source for wire in plan.wires}
    for place in plan.places:
        if place.shape == "result":
            source = sources[place.id]
            maker = sources.get(source, source) if shapes[source] == "fork" else source
            at[place.id] = at.get(maker, 0)
    targets: dict[str, list[str]] = {}
    for wire in plan.wires:
        targets.setdefault(wire.source, []).append(wire.target)
    for shape in ("fork", "source"):
        for place in plan.places:
            if place.shape == shape:
                at[place.id] = min(at.get(target, 0) for target in targets[place.id])
    return at


def _link(id: str, shape: str, letter: str, wire: Wire, spacing: Spacing) -> Place:
    """One end of a line that is cut."""
    words = Words(letter, "key", bold=True)
    high = spacing.across([words]) + 2 * abs(aside(wire, spacing))  # it is level with its stub
    return Place(id, shape, (words,), spacing.along([words]), high, wire.value, "link", wire.step)


def _letters(taken: Container[str]) -> Iterator[str]:
    """Yield the letters A, B, …, Z, AA, AB, … for the ends of lines, without those that are `taken` as names."""
    names = list(ascii_uppercase)
    for name in names:  # the list grows as it is read
        names += [name + letter for letter in ascii_uppercase]
        if name not in taken:
            yield name


# ---------------------------------------------------------------------------------------------------
# Putting together


def below_each_other(scenes: Sequence[Scene]) -> Scene:
    """The scenes of rows as one: each begins at the left, under the one before."""
    if len(scenes) == 1:
        return scenes[0]
    top, moved = 0.0, []
    for scene in scenes:
        left, bottom, _, high = scene.bounds()
        moved.append(scene.moved(-left, dy=top - high))
        top -= high - bottom + ROW_GAP
    return Scene(
        tuple(shape for scene in moved for shape in scene.shapes),
        tuple(line for scene in moved for line in scene.lines),
        tuple(text for scene in moved for text in scene.texts),
    )


def joined(rows: Sequence[Plan]) -> Plan:
    """The plans of rows as one."""
    places = tuple(place for row in rows for place in row.places)
    return replace(rows[0], places=places, wires=tuple(wire for row in rows for wire in row.wires))


def told_apart(plan: Plan, row: int) -> Plan:
    """The plan of a row, its boxes with ids of their own: a layer that goes on in a next row has a box in each."""
    if row == 0 or not plan.groups:
        return plan

    def renamed(scope: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{group}-row{row}" for group in scope)

    return replace(
        plan,
        groups=tuple(replace(group, id=f"{group.id}-row{row}") for group in plan.groups),
        places=tuple(replace(place, scope=renamed(place.scope)) for place in plan.places),
    )

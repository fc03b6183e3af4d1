"""What a figure puts weight on: derivatives by their size and sign, and what is highlighted among the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tinygrad_edu.engine.tensor import Tensor
from viz.layout.scene import Line, Scene, Shape, Text
from viz.options import expect
from viz.record.graph import Graph, Measure, Use, Value, measure
from viz.record.trace import Traced

THICKEST = 5.0  # points: the line of the largest derivative
THINNEST = 0.8  # points: that of one which is nothing beside it
SPREAD_OF_SIZES = 0.4  # the exponent by which sizes become widths: a tenth of a derivative is two fifths as thick
LIT_WEIGHT = 2.0  # points: the thin lines of what is highlighted
SIGNS = {1: "positive", -1: "negative", 0: "mixed"}

Ends = tuple[str, str]  # the ids of two values, between which everything is highlighted


# ---------------------------------------------------------------------------------------------------
# Weight


def sizes(graph: Graph) -> dict[str, Measure]:
    """How large the derivative of each wire is, and its sign, by the id of the wire: of each use, and of each trunk."""
    found = {use.id: _measured(use) for use in graph.uses if use.flows}
    return found | {f"{value.id}-trunk": _measured(value) for value in graph.values if value.flows}


def _measured(thing: Use | Value) -> Measure:
    return (thing.size, thing.sign) if thing.size is not None else measure(thing.grad)


def largest(graph: Graph) -> float:
    """The size of the largest derivative on a figure; 0 if there is none in numbers."""
    infinite = float("inf")
    return max((size for size, _ in sizes(graph).values() if size is not None and size < infinite), default=0.0)


def thickness(size: float | None, most: float) -> float:
    """How thick the line of a derivative is, in points, where the largest is `most`.

    >>> [round(thickness(size, 1.0), 1) for size in (1.0, 0.1, 0.01, 1e-9)]
    [5.0, 2.5, 1.5, 0.8]
    """
    share = 0.0 if not size or not most else min(size / most, 1.0)
    return THINNEST + (THICKEST - THINNEST) * float(share**SPREAD_OF_SIZES)


def weighted(scene: Scene, graph: Graph, down: bool = False) -> Scene:
    """The scene in which the lines of derivatives are as thick as these are large, and tell their signs.

    down: whether the figure runs down, so that what is written of derivatives stands on their right.
    """
    known, most = sizes(graph), largest(graph)

    def line(line: Line) -> Line:
        wire = line.id.removeprefix("back-").rpartition("-")[0].removesuffix("-begun")
        size, sign = known.get(wire, (None, None))
        if not line.backward or sign is None:
            return line
        mark = "nothing" if size == 0 else SIGNS[sign]
        return replace(line, weight=thickness(size, most), classes=f"{mark} {line.classes}")

    lines = tuple(map(line, scene.lines))
    wider = {line.id.rpartition("-")[0]: (line.thickness - 2.5) / 2 for line in lines if line.backward and line.weight}

    def text(text: Text) -> Text:
        """Move the text below a thicker line away from it, so that the white between them stays the same."""
        wire, _, side = text.id.rpartition("-text")[0].rpartition("-")
        away = max(0.0, wider.get(wire, 0.0)) if side == "below" else 0.0
        return replace(text, x=text.x + away) if down else replace(text, y=text.y - away)

    return replace(scene, lines=lines, texts=tuple(map(text, scene.texts)))


def refuse_weightless(graph: Graph) -> None:
    """Raise ValueError where no derivative has a size."""
    if not any(size is not None for size, _ in sizes(graph).values()):
        raise ValueError(
            "weight='grad' shows how large derivatives are, but there are none in numbers here; draw what is a single "
            "number, or give ∂L/∂output: draw(y, gradient=…)"
        )


# ---------------------------------------------------------------------------------------------------
# Highlighting


def ends(traced: Traced, highlight: Any) -> tuple[Ends, ...]:
    """Return the two ends of each highlighted path, the value that is computed first before the other.

    highlight: a tensor or its name, which is both ends; a pair of them; or a list of these. Raises ValueError for what is
    not in the figure, and for a pair of values of which neither is computed from the other.
    """
    found = []
    for one in highlight if isinstance(highlight, list) else [highlight]:
        pair = one if isinstance(one, tuple) else (one, one)
        if len(pair) != 2:
            raise ValueError(
                f"highlight= takes a pair of where a path begins and where it ends, but got {len(pair)} things"
            )
        for thing in pair:
            expect(
                "highlight=",
                thing,
                (Tensor, str),
                "a tensor, its name, a pair of them, from and to, or a list of these",
            )
        first, last = (traced.find(thing) for thing in pair)
        if first != last and not _between(traced.graph, first, last):
            first, last = last, first
        if first != last and not _between(traced.graph, first, last):
            a, b = (thing if isinstance(thing, str) else thing.name or "that tensor" for thing in pair)
            raise ValueError(f"highlight=({a}, {b}): neither of them is computed from the other in this figure")
        found.append((first, last))
    return tuple(found)


def refuse_hidden(drawn: Graph, chosen: Iterable[Ends], whole: Graph) -> None:
    """Raise ValueError for what is to be highlighted, but is not drawn, since layers are closed or much is folded."""
    known = {value.id for value in drawn.values}
    names = {value.id: value.name or value.symbol or "a value without a name" for value in whole.values}
    for pair in chosen:
        for id in pair:
            if id not in known:
                raise ValueError(
                    f"highlight= names {names[id]!r}, which is inside what is folded in this figure; draw it in full: "
                    "collapse=None, max_nodes=10_000"
                )


@dataclass(frozen=True)
class Lit:
    """The values, the operations and the uses that are highlighted, by their ids."""

    values: frozenset[str]
    ops: frozenset[str]
    uses: frozenset[str]


def lit(graph: Graph, chosen: Iterable[Ends]) -> Lit:
    """What is highlighted: a value, where it is made and where it is used; of two, all that lies between them."""
    made = {value.id: value.op for value in graph.values}
    values: set[str] = set()
    ops: set[str] = set()
    uses: set[str] = set()
    for first, last in chosen:
        if first == last:
            own = {first} & set(made)
            through = {use.id for use in graph.uses if use.value in own}
            makers = {made[value] for value in own}
        else:
            own = _between(graph, first, last)
            makers = {made[value] for value in own - {first}}
            through = {use.id for use in graph.uses if use.value in own and use.op in makers}
            through |= {use.id for use in graph.uses if use.value == last and use.op is None}
        values |= own
        ops |= {op for op in makers if op is not None}
        uses |= through
    return Lit(frozenset(values), frozenset(ops), frozenset(uses))


def _between(graph: Graph, first: str, last: str) -> set[str]:
    """The values that come of the first and that the last comes of, with both; none if the last does not come of it."""
    taken = {use.id: use.value for use in graph.uses}
    after, before = {first}, {last}
    for op in graph.ops:
        if any(taken[use] in after for use in op.inputs):
            after.update(op.outputs)
    for op in reversed(graph.ops):
        if any(value in before for value in op.outputs):
            before.update(taken[use] for use in op.inputs)
    return after & before if last in after else set()


def highlighted(scene: Scene, graph: Graph, chosen: Iterable[Ends]) -> Scene:
    """The scene with what is highlighted in the accent colour, and all else paler."""
    own = lit(graph, chosen)
    if not (own.values or own.ops):  # it is inside a layer that is closed
        return scene
    ops = {op.id for op in graph.ops}
    of_op: dict[str, bool] = {op: op in own.ops for op in ops}
    known: Mapping[str, bool] = {
        **{value.id: value.id in own.values for value in graph.values},
        **{use.id: use.id in own.uses for use in graph.uses},
        **of_op,
    }

    def mark(owner: str) -> str:
        """The class that makes a thing highlighted or pale, by the id of its operation, value or use; none for others."""
        owner = owner.removeprefix("back-")
        at = owner if owner in ops else owner.split("-")[0]
        return {True: "lit ", False: "pale ", None: ""}[known.get(at)]

    def text(text: Text) -> Text:
        return replace(text, classes=mark(text.id.rpartition("-text")[0]) + text.classes)

    def line(line: Line) -> Line:
        said = mark(line.id.rpartition("-")[0])
        weight = LIT_WEIGHT if said == "lit " and not line.backward else line.weight
        return replace(line, classes=said + line.classes, weight=weight)

    def shape(shape: Shape) -> Shape:
        return replace(shape, classes=mark(shape.id) + shape.classes)

    return Scene(tuple(map(shape, scene.shapes)), tuple(map(line, scene.lines)), tuple(map(text, scene.texts)))

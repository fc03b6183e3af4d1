"""Which way a wire goes: the ways there are to pass columns, and how bad the lines of one are among the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from viz.layout.clearance import beheaded, crossed, crossings, merged, missed, overlap, struck
from viz.layout.plan import Plan
from viz.layout.scene import Box, Line, Scene, Shape, Text

MOST_WIRES_UNHURRIED = 200  # with so many wires, the layout is given less time, and no other ways are tried
MOST_WIRES_IN_GROUPS = 300  # the same of a plan with boxes or steps of loops, which only Graphviz can put in order
COST_OF_CROSSING_A_TEXT = 1000  # a line through a text, in the units in which a bend is 1


@dataclass(frozen=True, slots=True)
class Route:
    """How a wire goes: by which kind of way it passes columns, and how far before its column's end it leaves
    its stub; without, as far as others do.

    middle: through the middle of each column. level: level past what stands there. late: at the height of its stub up to
    the last column. early: at once at the height of the last column. aim: how far above the middle of its target it
    arrives level; without, it arrives aslant.
    """

    kind: str = "middle"
    bend: float | None = None
    aim: float | None = None


USUAL = Route()


@dataclass(frozen=True, slots=True)
class Among:
    """What the lines of a wire are among: other lines and texts, each with the box around it, and shapes.

    foreign: the boxes around groups that each line must not run through.
    """

    lines: Sequence[tuple[Line, Box]]
    shapes: tuple[Shape, ...]
    texts: Sequence[tuple[Text, Box]]
    foreign: Mapping[str, tuple[Shape, ...]]


def unhurried(plan: Plan) -> bool:
    """Whether a plan has so few wires that there is time to lay it out with care."""
    return len(plan.wires) < (MOST_WIRES_IN_GROUPS if plan.groups else MOST_WIRES_UNHURRIED)


def from_above(lines: Sequence[Line]) -> list[str]:
    """The lines that go forward to a place, from the one that arrives highest."""
    return [line.id for line in sorted(lines, key=lambda line: -line.points[-1][1]) if not line.backward]


def cost(lines: Sequence[Line], among: Among) -> int:
    """How bad these lines are: what is wrong counts most, then texts, crossings, bends."""
    here = Scene((), tuple(lines), ()).bounds()
    own = Scene(among.shapes, tuple(lines), tuple(text for text, box in among.texts if overlap(here, box)))
    every = Scene((), (*lines, *[line for line, box in among.lines if overlap(here, box)]), ())
    ids = frozenset(line.id for line in lines)
    kept_out = [Scene(among.foreign[line.id], (line,), ()) for line in lines if among.foreign[line.id]]
    wrong = missed(lines, among.shapes) + len(struck(own)) + sum(len(struck(scene)) for scene in kept_out)
    wrong += len(beheaded(every, ids)) + len(merged(every, ids))
    bends = sum(len(line.points) for line in lines)
    return (
        10 * COST_OF_CROSSING_A_TEXT * wrong
        + COST_OF_CROSSING_A_TEXT * len(crossed(own))
        + 5 * crossings(every, ids)
        + bends
    )

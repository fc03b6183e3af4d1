"""How far the things on a figure stand apart, and how small its small letters are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol


class Sized(Protocol):
    """A line of text, of which it is known how much room it takes."""

    @property
    def width(self) -> float:
        """The width in points, from the first letter to the last."""

    @property
    def height(self) -> float:
        """The height in points, from line to line."""


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distances, in points.

    circle: the least diameter of a circle. inside: what a circle or box is wider than its symbol. beside: the white on
    either side of a text along a stub. diagonal: the width in which a wire leaves its stub for its target. columns:
    between columns. over: the white over and under what is written along a wire, together. under: between two things
    in a column. snug: whether a line with nothing written on one side takes less room there. small: the size of letters
    that may be smaller than others: of tags, of layers' titles. down: whether the figure runs from top to bottom. It is then
    laid out as if it ran to the right, with texts on their sides, and turned at last.
    """

    circle: float = 54.0
    inside: float = 20.0
    beside: float = 16.0
    diagonal: float = 30.0
    columns: float = 4.0
    over: float = 4.0
    under: float = 8.64
    small: float = 11.0
    snug: bool = False
    down: bool = False

    def along(self, lines: Sequence[Sized]) -> float:
        """The room that lines of text take along the way on which the figure runs."""
        if self.down:
            return sum(line.height for line in lines)
        return max((line.width for line in lines), default=0.0)

    def across(self, lines: Sequence[Sized]) -> float:
        """The room that lines of text take across it."""
        if self.down:
            return max((line.width for line in lines), default=0.0)
        return sum(line.height for line in lines)


ROOMY = Spacing()
CLOSE = Spacing(circle=36.0, inside=10.0, beside=5.0, diagonal=20.0, columns=2.0, over=1.0, under=5.0, snug=True)


def spacing_of(share: float) -> Spacing:
    """The distances between the closest that can be read, 0, and the usual ones, 1; beyond 1 they are wider.

    >>> spacing_of(0.0) == CLOSE, spacing_of(1.0) == ROOMY
    (True, True)
    """
    if share == 1.0:
        return ROOMY
    names = [field.name for field in fields(Spacing) if field.name not in ("small", "snug", "down")]
    pairs = {name: (getattr(CLOSE, name), getattr(ROOMY, name)) for name in names}
    return Spacing(
        **{name: close + share * (usual - close) for name, (close, usual) in pairs.items()}, snug=share < 1.0
    )

"""Matrices on a figure: rows of numbers between brackets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from viz.layout.metrics import text_width

BETWEEN_ENTRIES = 7.0  # points between two columns of a matrix
ROW_OF_A_MATRIX = 1.08  # the height of a row, in font sizes
BRACKET_WIDTH = 3.5  # the serifs of a bracket
INSIDE_BRACKETS = 3.0  # between a bracket and the entries


@dataclass(frozen=True, slots=True)
class Matrix:
    """The entries of a matrix as texts, and what stands before and after its brackets.

    >>> matrix = Matrix((("1", "−1"), ("0.5", "2")), after=" ✓")
    >>> matrix.height(14.0) > 2 * 14.0
    True
    """

    rows: tuple[tuple[str, ...], ...]
    before: str = ""
    after: str = ""

    def columns(self, size: float, bold: bool = False) -> list[float]:
        """The width of each column, in points."""
        return [max(text_width(entry, size, bold) for entry in column) for column in zip(*self.rows, strict=True)]

    def width(self, size: float, bold: bool = False) -> float:
        """The width in points at a font size: of the columns, the gaps, both brackets and what stands before and after."""
        inside = sum(self.columns(size, bold)) + BETWEEN_ENTRIES * (len(self.rows[0]) - 1)
        around = text_width(self.before, size, bold) + text_width(self.after, size, bold)
        return inside + 2 * (BRACKET_WIDTH + INSIDE_BRACKETS) + around

    def height(self, size: float) -> float:
        """The height in points at a font size: of its rows, which stand closer than lines of text."""
        return ROW_OF_A_MATRIX * size * len(self.rows) + 4.0


def shortened(entries: Sequence[Sequence[str]], most: int) -> tuple[tuple[str, ...], ...]:
    """The entries of a matrix with at most so many rows and columns, of which the last but one stands for what is left out.

    >>> shortened([["1", "2", "3", "4", "5"]] * 2, 4)
    (('1', '2', '…', '5'), ('1', '2', '…', '5'))
    """

    def few(things: Sequence[str], dots: str) -> tuple[str, ...]:
        return tuple(things) if len(things) <= most else (*things[: most - 2], dots, things[-1])

    rows = [few(row, "…") for row in entries]
    if len(rows) <= most:
        return tuple(rows)
    between = tuple("⋱" if entry == "…" else "⋮" for entry in rows[0])
    return (*rows[: most - 2], between, rows[-1])

"""What a figure is to fit: a slide, a sheet of paper, a column of a paper; and how much of it the figure fills."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

POINTS_AN_INCH = 72.0
FILLED = 0.92  # of the width and the height of a page
READABLE_LETTERS = 12.0  # points, under which the last row of a lecture hall cannot read
PAPER: Mapping[str, tuple[float, float]] = {
    "16:9": (13.333, 7.5),
    "4:3": (10.0, 7.5),
    "A4": (8.27, 11.69),
    "column": (3.35, 9.0),
}
"""The width and height of pages, in inches: slides as PowerPoint and Beamer have them, a sheet, a column of two."""


def page_size(fit: Any) -> tuple[float, float]:
    """The width and height of a page in inches, from what `fit=` says. Raises ValueError or TypeError for anything else."""
    cure = f"choose one of {', '.join(map(repr, PAPER))}, or give a width and a height in inches, as in (13.3, 7.5)"
    if isinstance(fit, str):
        if fit not in PAPER:
            raise ValueError(f"fit={fit!r} is not known; {cure}")
        return PAPER[fit]
    if not isinstance(fit, tuple | list) or len(fit) != 2:
        raise TypeError(f"fit= takes a page, but got {type(fit).__name__} {fit!r:.60}; {cure}")
    for length in fit:
        if isinstance(length, bool) or not isinstance(length, int | float):
            raise TypeError(f"fit={fit!r:.60} is not a width and a height; {cure}")
        if not 0 < length < math.inf:
            raise ValueError(f"fit={fit!r:.60} has a side that is not above 0; {cure}")
    return float(fit[0]), float(fit[1])


def room_on(page: tuple[float, float]) -> tuple[float, float]:
    """The width and height that a figure on a page may have, in points."""
    return page[0] * FILLED * POINTS_AN_INCH, page[1] * FILLED * POINTS_AN_INCH


def too_small(page: tuple[float, float], letters: float, wanted: float) -> str:
    """What to do where letters come out smaller than is wanted."""
    width, height = page
    return (
        f"on a page of {width:g} × {height:g} inches the letters of this figure are {letters:.1f} points high, "
        f"and {wanted:g} are wanted; draw less (collapse=1, wrt=..., max_nodes=...) or fit it to a larger page"
    )

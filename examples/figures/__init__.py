"""The figures of a chapter on backpropagation: each script draws one computation, in the ways that teach something.

A script is what one would type in front of a class; its `figures` are what it draws, by number and title.

    python -m examples.figures                          # all of them, into out/figures
    python -m examples.figures 5-14 5-17 --format pdf   # two of them, for slides
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from viz import Picture
from viz.picture import Frames


@dataclass(frozen=True)
class Figure:
    """A figure, and the script that draws it. steps: the same figure, appearing step by step."""

    number: str
    title: str
    drawing: Picture
    steps: Frames | None
    script: str
    about: str
    code: str


def figures() -> list[Figure]:
    """Every figure, in the order of their numbers: those of chapters, then those of appendices."""
    return sorted(_drawn(), key=lambda figure: place(figure.number))


def place(number: str) -> tuple[int, str, int]:
    """Where a figure stands: 5-2 before 5-14, before 10-1, before A-1."""
    chapter, _, k = number.partition("-")
    return (int(chapter), "", int(k)) if chapter.isdigit() else (sys.maxsize, chapter, int(k))


def _drawn() -> Iterator[Figure]:
    for script in iter_modules(__path__):
        if script.name.startswith("_"):
            continue
        module = import_module(f"{__name__}.{script.name}")
        for key, drawn in module.figures.items():
            number, _, title = key.partition(" ")
            steps = drawn if isinstance(drawn, Frames) else None
            drawing = drawn.figure if isinstance(drawn, Frames) else drawn
            yield Figure(
                number, title, drawing, steps, script.name, inspect.getdoc(module) or "", inspect.getsource(module)
            )

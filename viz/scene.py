"""A drawn figure as plain data: shapes, lines and texts, with their places in points (y upwards)."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Shape:
    """A circle, a box, a fork's dot: something with an outline."""

    id: str
    classes: str
    shape: str
    x: float
    y: float
    width: float
    height: float
    step: int
    title: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One arrow: a value going forward or a derivative coming back, through `points`."""

    id: str
    classes: str
    points: tuple[Point, ...]
    tail: str
    head: str
    backward: bool
    tip: bool  # whether it ends in an arrow head
    step: int


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text, centred on its place. With a halo, what lies under it is covered."""

    id: str
    classes: str
    text: str
    x: float
    y: float
    width: float
    height: float
    role: str
    bold: bool
    size: float
    step: int
    halo: bool = False

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top."""
        return self.x - self.width / 2, self.y - self.height / 2, self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything on one figure."""

    shapes: tuple[Shape, ...]
    lines: tuple[Line, ...]
    texts: tuple[Text, ...]
    steps: int

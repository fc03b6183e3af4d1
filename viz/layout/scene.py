"""A drawn figure as plain data: shapes, lines and texts, with their places in points (y upwards)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from viz.layout.matrix import Matrix

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, bottom, right, top

_WRITTEN = re.compile(r"(-above|-below)?-text\d+(-key)?$")  # what the id of a text adds to that of its place or wire


@dataclass(frozen=True, slots=True)
class Shape:
    """A circle, a box, a fork's dot: something with an outline.

    fill: a part of the theme, and how many percent of it; for rectangles, with an outline ("bar", "dashed") or none ("band").
    points: the corners of a "face" of a solid, or of a "window" on it, which the box is around.
    """

    id: str
    classes: str
    shape: str
    x: float
    y: float
    width: float
    height: float
    step: int
    title: str = ""
    fill: tuple[str, int] | None = None
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One arrow: a value going forward or a derivative coming back, through `points`.

    weight: how thick it is, in points, where that says something.
    """

    id: str
    classes: str
    points: tuple[Point, ...]
    tail: str
    head: str
    backward: bool
    tip: bool  # whether it ends in an arrow head
    step: int
    weight: float | None = None

    @property
    def box(self) -> Box:
        """Left, bottom, right, top."""
        xs, ys = zip(*self.points, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def thickness(self) -> float:
        """How thick it is, in points."""
        return self.weight or (2.5 if self.backward else 1.0)

    @property
    def head_size(self) -> float:
        """How large its arrow head is: 1 of a derivative as usual."""
        return (0.65 + 0.1 * self.weight if self.weight else 1.0) if self.backward else 0.75


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text, centred on its place. With a halo, what lies under it is covered.

    matrix: the rows that it is set in, in place of the line, if it is one. tex: how LaTeX writes it, if otherwise. until:
    the last step in which it is seen, if it goes away again. on_side: whether it is read from below, as all texts are
    while a figure that runs down is laid out.
    """

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
    matrix: Matrix | None = None
    tex: str = ""
    until: int | None = None
    on_side: bool = False

    @property
    def anchor(self) -> str:
        """Which part of it is sure to be in its place where letters have other widths: end, start or middle.

        What stands beside something stays beside it.
        """
        if self.classes.startswith(("to-left ", "centred ")):
            return "start" if self.classes.startswith("to-left ") else "middle"
        if self.classes.startswith("to-right ") or (self.role == "name" and "-result-" not in self.id):
            return "end"
        return "start" if self.role in ("name", "legend", "note", "caption") or self.id.endswith("-title") else "middle"

    def turned(self) -> Text:
        """The text in a figure that runs down, from one that runs to the right; and back."""
        return replace(self, x=-self.y, y=-self.x, width=self.height, height=self.width, on_side=not self.on_side)

    @property
    def box(self) -> Box:
        """Left, bottom, right, top."""
        return self.x - self.width / 2, self.y - self.height / 2, self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything on one figure."""

    shapes: tuple[Shape, ...]
    lines: tuple[Line, ...]
    texts: tuple[Text, ...]

    def without(self, unwanted: Callable[[str], bool]) -> Scene:
        """The scene without the lines and texts whose classes are unwanted; forks lie on the lines that are left."""
        lines = tuple(line for line in self.lines if not unwanted(line.classes))
        texts = tuple(text for text in self.texts if not unwanted(text.classes))
        ends = {line.tail: line.points[0] for line in lines} | {line.head: line.points[-1] for line in lines}
        shapes = [
            replace(shape, x=ends[shape.id][0], y=ends[shape.id][1])
            if shape.shape == "fork" and shape.id in ends
            else shape
            for shape in self.shapes
        ]
        return replace(self, shapes=tuple(shapes), lines=lines, texts=texts)

    def part(self, of: Collection[str]) -> Scene:
        """The shapes, lines and texts that belong to these places and wires."""
        return Scene(
            tuple(shape for shape in self.shapes if shape.id in of),
            tuple(line for line in self.lines if line.id.rpartition("-")[0] in of),
            tuple(text for text in self.texts if _WRITTEN.sub("", text.id) in of),
        )

    def moved(self, dx: float, prefix: str = "", dy: float = 0.0) -> Scene:
        """The scene further to the right and up, its ids with a prefix."""
        shapes = [
            replace(
                shape, id=prefix + shape.id, x=shape.x + dx, y=shape.y + dy,
                points=tuple((x + dx, y + dy) for x, y in shape.points),
            )
            for shape in self.shapes
        ]  # fmt: skip
        lines = [
            replace(
                line, id=prefix + line.id, tail=prefix + line.tail, head=prefix + line.head,
                points=tuple((x + dx, y + dy) for x, y in line.points),
            )
            for line in self.lines
        ]  # fmt: skip
        texts = [replace(text, id=prefix + text.id, x=text.x + dx, y=text.y + dy) for text in self.texts]
        return replace(self, shapes=tuple(shapes), lines=tuple(lines), texts=tuple(texts))

    def turned(self) -> Scene:
        """The scene as a figure that runs down, from one that runs to the right: what was above is on the left."""
        shapes = [replace(s, x=-s.y, y=-s.x, width=s.height, height=s.width) for s in self.shapes]
        lines = [replace(line, points=tuple((-y, -x) for x, y in line.points)) for line in self.lines]
        return replace(
            self, shapes=tuple(shapes), lines=tuple(lines), texts=tuple(text.turned() for text in self.texts)
        )

    def bounds(self) -> Box:
        """Left, bottom, right, top of everything."""
        xs: list[float] = []
        ys: list[float] = []
        for shape in self.shapes:
            xs += [shape.x - shape.width / 2, shape.x + shape.width / 2]
            ys += [shape.y - shape.height / 2, shape.y + shape.height / 2]
        for line in self.lines:
            xs += [x for x, _ in line.points]
            ys += [y for _, y in line.points]
        for text in self.texts:
            left, bottom, right, top = text.box
            xs += [left, right]
            ys += [bottom, top]
        return min(xs, default=0.0), min(ys, default=0.0), max(xs, default=0.0), max(ys, default=0.0)

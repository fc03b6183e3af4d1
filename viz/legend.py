"""A legend: which colours and marks are on a figure, and what each of them means."""

from __future__ import annotations

from collections.abc import Iterator

from viz.emphasis import largest, thickness
from viz.languages import words
from viz.layout.captions import Meaning
from viz.layout.scene import Line, Scene, Shape, Text
from viz.record.graph import Graph
from viz.wording.labels import MARKS
from viz.wording.numbers import number_text

SHARES_SHOWN = (1.0, 0.1, 0.01)  # of the largest derivative, whose lines are shown


def meanings(scene: Scene, lang: str) -> Iterator[Meaning]:
    """What the colours and marks of a scene mean, of those that are on it; the widths of lines are told by `scale`."""
    said = words(lang)
    things: list[Shape | Line | Text] = [*scene.shapes, *scene.lines, *scene.texts]
    marks = {mark for thing in things for mark in thing.classes.split()}
    shapes = {shape.shape for shape in scene.shapes}
    below = [text for text in scene.texts if "backward" in text.classes.split()]
    if any("forward" in line.classes for line in scene.lines):
        yield Meaning(said["means_forward"], "line", "forward")
    if any(line.backward and line.weight is None for line in scene.lines):
        yield Meaning(said["means_backward"], "line", "backward")
    if "parameter" in marks:
        yield Meaning(said["means_parameter"], "text", "parameter", "W")
    if "group" in shapes:
        yield Meaning(said["means_layer"], "group", "group")
    if "box" in shapes:
        yield Meaning(said["means_box"], "box", "box")
    if any(text.role == "blank" for text in scene.texts):
        yield Meaning(said["means_blank"], "blank")
    if "lit" in marks:
        yield Meaning(said["means_lit"], "line", "lit forward", weight=2.0)
    if any(text.text.startswith("Σ") and text.role in ("grad", "key") for text in below):
        yield Meaning(said["means_sum"], "text", "backward", "Σ")
    for verdict, mark in MARKS.items():
        if verdict and any(text.text.endswith(mark) for text in below):
            yield Meaning(said[f"means_{verdict}"], "text", "backward", mark.strip())


def scale(scene: Scene, graph: Graph, lang: str) -> Iterator[Meaning]:
    """What the colours and widths of derivatives mean, of a scene in which they say something."""
    said = words(lang)
    marks = {mark for line in scene.lines for mark in line.classes.split() if line.weight and line.backward}
    most = largest(graph)
    for share in SHARES_SHOWN if most else ():
        number = number_text(most * share, 2)
        yield Meaning(f"|∂| = {number}", "line", "backward positive", weight=thickness(share, 1.0))
    for sign in ("positive", "negative", "mixed", "nothing"):
        if sign in marks:
            yield Meaning(
                said[f"means_{sign}"],
                "line",
                f"backward {sign}",
                weight=thickness(0.1 if sign != "nothing" else 0, 1.0),
            )

"""Typesetting: the entries and the brackets of matrices, where a figure is drawn.

Until then a matrix is one text of the scene, so that it moves, appears and is kept clear of lines as a whole.
"""

from __future__ import annotations

from dataclasses import replace

from viz.layout.matrix import BETWEEN_ENTRIES, BRACKET_WIDTH, INSIDE_BRACKETS, ROW_OF_A_MATRIX, Matrix
from viz.layout.metrics import text_width
from viz.layout.scene import Line, Scene, Text


def typeset(scene: Scene) -> Scene:
    """The scene with the entries and brackets of each matrix in its place; their ids begin with its own."""
    if not any(text.matrix for text in scene.texts):
        return scene
    texts: list[Text] = []
    lines: list[Line] = []
    for text in scene.texts:
        if text.matrix is None or text.role == "blank":
            texts.append(text)
            continue
        entries, brackets = set_in_rows(text, text.matrix)
        texts += entries
        lines += brackets
    return replace(scene, texts=tuple(texts), lines=(*scene.lines, *lines))


def set_in_rows(text: Text, matrix: Matrix) -> tuple[list[Text], list[Line]]:
    """The entries of a matrix, each at the right of its column, and its two brackets."""
    size, bold = text.size, text.bold
    left, bottom, right, top = text.box
    columns = matrix.columns(size, bold)
    spare = (right - left - matrix.width(size, bold)) / 2
    x = left + spare + text_width(matrix.before, size, bold)
    end = right - spare - text_width(matrix.after, size, bold)
    entries: list[Text] = []
    high = ROW_OF_A_MATRIX * size
    first = (top + bottom) / 2 + high * (len(matrix.rows) - 1) / 2

    def entry(name: str, said: str, at: float, y: float, align: str) -> Text:
        width = text_width(said, size, bold)
        classes = f"{align} {text.classes}"
        return replace(
            text, id=f"{text.id}-{name}", classes=classes, text=said, x=at, y=y, width=width, height=high, matrix=None
        )

    for i, row in enumerate(matrix.rows):
        at = x + BRACKET_WIDTH + INSIDE_BRACKETS
        for k, (said, width) in enumerate(zip(row, columns, strict=True)):
            at += width
            entries.append(
                entry(f"at{i}-{k}", said, at - text_width(said, size, bold) / 2, first - i * high, "to-right")
            )
            at += BETWEEN_ENTRIES
    for name, said, edge in (("before", matrix.before, x), ("after", matrix.after, right - spare)):
        if said.strip():
            entries.append(entry(name, said, edge - text_width(said, size, bold) / 2, text.y, "to-right"))
    brackets = []
    for name, edge, inward in (("left", x + 1.0, BRACKET_WIDTH), ("right", end - 1.0, -BRACKET_WIDTH)):
        points = ((edge + inward, top - 1.0), (edge, top - 1.0), (edge, bottom + 1.0), (edge + inward, bottom + 1.0))
        brackets.append(
            Line(f"{text.id}-{name}", f"bracket {text.classes}", points, text.id, text.id, False, False, text.step)
        )
    return entries, brackets

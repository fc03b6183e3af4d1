"""What a block diagram says of itself, put where there is room: in a corner under it, or below all of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from viz.layout.captions import NARROWEST_CAPTION
from viz.layout.metrics import wrapped
from viz.layout.plan import SMALL_FONT, Words, written
from viz.layout.scene import Scene

ABOVE_NOTES = 14.0  # points between a figure and what is noted under it
LINE_OF_A_NOTE = 17.0  # points
SHARES_OF_A_CORNER = (1.0, 0.6, 0.5, 0.4, 0.33, 0.25)  # of the width of a figure, for what is noted


def with_notes(scene: Scene, said: str) -> Scene:
    """Return the scene with a note, its lines of the width that adds least to the height; of equal widths, the widest."""
    left, bottom, right, _ = scene.bounds()
    whole = max(right - left, NARROWEST_CAPTION)
    boxes = _boxes(scene)
    found = []
    for share in SHARES_OF_A_CORNER:
        width = max(share * whole, NARROWEST_CAPTION / 2)
        lines = wrapped(said, width, SMALL_FONT)
        for start in (left, left + whole - width):
            over = (boxes[:, 0] < start + width + ABOVE_NOTES) & (boxes[:, 2] > start - ABOVE_NOTES)
            top = float(boxes[over, 1].min(initial=bottom + whole)) - ABOVE_NOTES
            found.append((max(bottom - top + LINE_OF_A_NOTE * len(lines), 0.0), -share, start, top, lines))
    _, _, start, top, lines = min(found)
    texts = [
        written(f"note{k}-text0", "note", words, start + words.width / 2, top - (k + 0.5) * LINE_OF_A_NOTE, 0)
        for k, words in enumerate(Words(line, "note", size=SMALL_FONT) for line in lines)
    ]
    return replace(scene, texts=(*scene.texts, *texts))


def _boxes(scene: Scene) -> Any:
    """Left, bottom, right, top of all that is drawn and written, a row each."""
    boxes = [(s.x - s.width / 2, s.y - s.height / 2, s.x + s.width / 2, s.y + s.height / 2) for s in scene.shapes]
    boxes += [text.box for text in scene.texts]
    pieces = [piece for line in scene.lines for piece in pairwise(line.points)]
    boxes += [(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)) for (x0, y0), (x1, y1) in pieces]
    return np.array(boxes, dtype=float).reshape(-1, 4)

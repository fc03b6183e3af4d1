"""How a figure looks: its style, its colours, its language; everything about it that is not in the graph."""

from __future__ import annotations

from dataclasses import dataclass

from viz.languages import words
from viz.options import choose
from viz.theme import THEMES

STYLES = ("book", "record", "plain")
DIRECTIONS = ("both", "forward", "backward", "side-by-side")


@dataclass(frozen=True)
class Look:
    """How a figure looks: everything about it that is not in the graph."""

    style: str = "book"
    theme: str = "default"
    direction: str = "both"
    lang: str = "en"
    timeout: float = 20.0
    panels: bool = False  # whether separate parts stand beside each other

    def __post_init__(self) -> None:
        choose("style", self.style, STYLES)
        choose("theme", self.theme, THEMES)
        choose("direction", self.direction, DIRECTIONS)
        if self.style != "book":
            choose(f"direction in the style {self.style!r}", self.direction, DIRECTIONS[:2])
            choose(f"panels in the style {self.style!r}", self.panels, (False,))
        words(self.lang)

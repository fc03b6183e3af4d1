"""How a figure looks: its style, its colours, its language; everything about it that is not in the graph."""

from __future__ import annotations

from dataclasses import dataclass

from viz.languages import words
from viz.layout.page import room_on
from viz.options import choose
from viz.theme import THEMES

STYLES = ("book", "record", "plain", "blocks")
PLACED = ("book", "blocks")  # those that are placed here; the others are laid out by Graphviz
DIRECTIONS = ("both", "forward", "backward", "side-by-side")
FLOWS = ("right", "down")


@dataclass(frozen=True)
class Look:
    """How a figure looks: everything about it that is not in the graph."""

    style: str = "book"
    theme: str = "default"
    direction: str = "both"
    flow: str | None = None  # where the figure runs to: "right", "down", or, on a page, as fits better
    lang: str = "en"
    timeout: float = 20.0
    panels: bool = False  # whether separate parts stand beside each other
    title: str = ""
    titles: tuple[str, ...] = ()  # the titles of panels
    caption: str = ""
    order: tuple[str, ...] = ()  # the values, by their ids, of leaves and results that stand in this order, from above
    any_order: bool = False  # whether sums and products take their inputs in any order, as nobody wrote them in one
    explained: bool = False  # whether it says what its colours and marks mean
    weighted: bool = False  # whether derivatives are as thick as they are large
    highlight: tuple[tuple[str, str], ...] = ()  # the ids of two values each, between which all is highlighted
    page: tuple[float, float] | None = None  # the width and height in inches of what the figure is to fit
    font_size: float | None = None  # points: of its letters; on a page, at least
    spacing: float | None = None  # how wide things stand apart, between 0, as close as can be read, and 1, as usual

    @property
    def room(self) -> tuple[float, float]:
        """The width and height, in points, that a figure may have on the page; two panels share its width."""
        width, height = room_on(self.page or (0.0, 0.0))
        return width / (2 if self.direction == "side-by-side" else 1), height

    @property
    def flows(self) -> tuple[str, ...]:
        """The directions in which the figure may run: to the right, and also down on a page that is higher than wide."""
        if self.flow is not None:
            return (self.flow,)
        return FLOWS if self.page and self.page[1] > self.page[0] and self.style == "book" else FLOWS[:1]

    def __post_init__(self) -> None:
        choose("style", self.style, STYLES)
        choose("theme", self.theme, THEMES)
        choose("direction", self.direction, DIRECTIONS)
        choose("flow", self.flow, (*FLOWS, None))
        if self.style != "book":
            choose(f"flow in the style {self.style!r}", self.flow, (None, *FLOWS[:1]))
        if self.style not in PLACED:
            choose(f"direction in the style {self.style!r}", self.direction, DIRECTIONS[:2])
            choose(f"panels in the style {self.style!r}", self.panels, (False,))
            said = {
                "weight": self.weighted, "highlight": self.highlight, "legend": self.explained, "order": self.order,
                "title": self.title, "caption": self.caption,
            }  # fmt: skip
            for option in [option for option, given in said.items() if given]:
                raise ValueError(f"{option}= is for the style 'book'; the figure is in the style {self.style!r}")
            choose(f"fit in the style {self.style!r}", self.page, (None,))
            choose(f"font_size in the style {self.style!r}", self.font_size, (None,))
            choose(f"spacing in the style {self.style!r}", self.spacing, (None,))
        if self.titles and not (self.panels or self.direction == "side-by-side"):
            raise ValueError(
                "titles= are of panels, which stand side by side with panels=True or direction='side-by-side'; a figure "
                "has one title=, and its steps have theirs: .frames(titles=…)"
            )
        words(self.lang)

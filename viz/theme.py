"""The colours of a figure."""

from __future__ import annotations

from dataclasses import dataclass

from viz.layout.scene import Line, Shape, Text

PALE = 35  # percent that is left of the colour of what is not highlighted
DASHES = {"negative": "dashed", "nothing": "dotted"}  # how lines tell the sign of a derivative in print without colours


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of a figure.

    negative, mixed: of derivatives below 0, and of those that have both signs, where lines say that. accent: of what is
    highlighted.
    """

    paper: str
    ink: str
    outline: str
    forward: str
    backward: str
    grad: str
    parameter: str
    fill: str
    negative: str = "#0072B2"
    mixed: str = "#8A4FA3"
    accent: str = "#D55E00"

    def colour(self, thing: Text | Line | Shape) -> str:
        """The colour of a text, a line, or an outline."""
        part, percent = shade(thing)
        return getattr(self, part) if percent == 100 else self.tint(part, percent)

    def tint(self, part: str, percent: int) -> str:
        """The colour of a part, of which `percent` is left where it is thinned with the colour of the paper.

        >>> Theme("white", *["#000000"] * 7).tint("ink", 20)
        '#CCCCCC'
        """
        colour, paper = (_channels(getattr(self, name)) for name in (part, "paper"))
        mixed = (round(p + (c - p) * percent / 100) for c, p in zip(colour, paper, strict=True))
        return "#" + "".join(f"{x:02X}" for x in mixed)


def shade(thing: Text | Line | Shape) -> tuple[str, int]:
    """The part of a theme that something is drawn in, and how many percent of it."""
    classes = thing.classes.split()
    percent = PALE if "pale" in classes else 100
    if isinstance(thing, Shape):
        return "accent" if "lit" in classes else "outline", percent
    if isinstance(thing, Text):
        said = {"grad": "grad", "formula": "outline", "path": "outline", "note": "outline"}.get(thing.role)
        return said or ("parameter" if "parameter" in classes else "ink"), percent
    if "bracket" in classes:
        return "grad" if "grad" in classes else "parameter" if "parameter" in classes else "ink", percent
    if thing.backward:
        return next((sign for sign in ("negative", "mixed") if sign in classes), "backward"), percent
    return "accent" if "lit" in classes else "forward", percent


def dash(line: Line) -> str:
    """Whether a line is "dashed" or "dotted"; else nothing."""
    return next((DASHES[mark] for mark in line.classes.split() if mark in DASHES), "")


def _channels(colour: str) -> list[int]:
    written = colour[1:] if colour.startswith("#") else {"white": "FFFFFF", "black": "000000"}[colour]
    return [int(written[k : k + 2], 16) for k in (0, 2, 4)]


THEMES = {
    "default": Theme("white", "#000000", "#767676", "#767676", "#D55E00", "#B24A00", "#0072B2", "white"),
    "print": Theme(
        "white", "#000000", "#555555", "#767676", "#222222", "#000000", "#000000", "white", "#222222", "#909090", "#000000",
    ),
    "dark": Theme(
        "#16181D", "#F0F0F0", "#9A9A9A", "#A8A8A8", "#FF8A3D", "#FFA566", "#6CB8F0", "#1F2229", "#6CB8F0", "#C79BE0", "#FF8A3D",
    ),
}  # fmt: skip

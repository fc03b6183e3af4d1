"""The colours of a figure."""

from __future__ import annotations

from dataclasses import dataclass

from viz.layout.scene import Text


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of a figure."""

    paper: str
    ink: str
    outline: str
    forward: str
    backward: str
    grad: str
    parameter: str
    fill: str

    def colour(self, text: Text) -> str:
        """The colour of a text."""
        said = {"grad": self.grad, "formula": self.outline, "path": self.outline, "note": self.outline}.get(text.role)
        return said or (self.parameter if "parameter" in text.classes else self.ink)

    def tint(self, part: str, percent: int) -> str:
        """The colour of a part, of which `percent` is left where it is thinned with the colour of the paper.

        >>> Theme("white", *["#000000"] * 7).tint("ink", 20)
        '#CCCCCC'
        """
        colour, paper = (_channels(getattr(self, name)) for name in (part, "paper"))
        mixed = (round(p + (c - p) * percent / 100) for c, p in zip(colour, paper, strict=True))
        return "#" + "".join(f"{x:02X}" for x in mixed)


def _channels(colour: str) -> list[int]:
    written = colour[1:] if colour.startswith("#") else {"white": "FFFFFF", "black": "000000"}[colour]
    return [int(written[k : k + 2], 16) for k in (0, 2, 4)]


THEMES = {
    "default": Theme("white", "#000000", "#767676", "#767676", "#D55E00", "#B24A00", "#0072B2", "white"),
    "print": Theme("white", "#000000", "#555555", "#767676", "#222222", "#000000", "#000000", "white"),
    "dark": Theme("#16181D", "#F0F0F0", "#9A9A9A", "#A8A8A8", "#FF8A3D", "#FFA566", "#6CB8F0", "#1F2229"),
}

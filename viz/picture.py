"""What saves itself and shows itself: `Picture`, and `Frames`, a picture step by step."""

from __future__ import annotations

import math
import os
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from viz.formats import tikz
from viz.formats.dot import drawing
from viz.formats.fonts import has_wide_font
from viz.formats.render import PRINT, SCREEN, graphviz, with_dpi
from viz.formats.svg import animated
from viz.layout.metrics import is_wide
from viz.layout.scene import Line, Scene, Shape, Text
from viz.look import Look
from viz.options import choose, expect
from viz.theme import THEMES

FORMATS = ("svg", "pdf", "png", "dot", "html", "json", "md", "tex", "txt")
PICTURES = ("svg", "pdf", "png", "dot", "tex")  # the formats in which a frame is another file than the whole figure


class Picture(ABC):
    """The base of all figures: it saves itself as files, and shows itself in notebooks.

    A kind of figure has to say where everything stands (`scene`), how it is written (`svg`) and what it says (`text`).

    >>> import tinygrad_edu as tg
    >>> figure = tg.draw(tg.Tensor(2.0, name="x", requires_grad=True) * 3.0)
    >>> isinstance(figure, Picture), figure.formats[:3]
    (True, ('svg', 'pdf', 'png'))
    """

    look: Look
    formats: tuple[str, ...] = FORMATS

    @property
    @abstractmethod
    def scene(self) -> Scene:
        """Every shape, line and text in its place."""

    @abstractmethod
    def svg(self, hidden: Iterable[str] = (), *, background: str | None = None) -> str:
        """The picture as SVG."""

    @abstractmethod
    def text(self) -> str:
        """The figure in words."""

    @property
    def steps(self) -> dict[str, int]:
        """The frame in which each element appears, by its id."""
        things: list[Shape | Line | Text] = [*self.scene.shapes, *self.scene.lines, *self.scene.texts]
        return {thing.id: thing.step for thing in things}

    def dot(self, hidden: Iterable[str] = (), **settings: str) -> str:
        """DOT text that states every position, for Graphviz's engine nop2, which it names; `settings` are of the whole."""
        return drawing(self.scene, THEMES[self.look.theme], hidden, **settings)

    def render(
        self, format: str, hidden: Iterable[str] = (), *, dpi: float = PRINT, background: str | None = None
    ) -> bytes:
        """The picture in a format that Graphviz writes: svg, png, pdf. dpi: dots an inch, of a PNG."""
        engine = "nop2" if self.look.style == "book" else "dot"
        settings = {} if background is None else {"bgcolor": background}
        if format != "png":
            return graphviz(self.dot(hidden, **settings), engine, format, self.look.timeout)
        picture = graphviz(self.dot(hidden, **settings, dpi=f"{dpi:g}"), engine, format, self.look.timeout)
        return with_dpi(picture, dpi)

    def tikz(self, hidden: Iterable[str] = ()) -> str:
        """A TikZ picture, for LaTeX."""
        return tikz.picture(self.scene, THEMES[self.look.theme], hidden)

    def save(
        self,
        path: str | Path,
        *,
        dpi: float | None = None,
        scale: float | None = None,
        background: str | None = None,
    ) -> Path:
        """Write the figure in the format that the name ends in; folders are made. Returns the path.

        dpi: of a PNG, the dots an inch, which the file notes; 240, if nothing is said. Or scale: how many times as many
        dots as the figure has on a page, where it has 96 an inch. background: what a picture (svg, pdf, png) stands on:
        "none", so that a slide is seen through it, or a colour, as "#FFF8E7"; left out, the theme's.

        Raises ValueError for a format that there is not, or that has no dots or no background; OSError, naming what
        stands in the way.
        """
        path, format = named(path, self.formats)
        return write(path, self._content(format, dots(format, dpi, scale), on_paper(format, background)))

    def _content(self, format: str, dpi: float, background: str | None) -> bytes:
        if format in ("png", "pdf"):
            _warn_of_missing_font(self.letters())
            return self.render(format, dpi=dpi, background=background)
        if format == "svg":
            return self.svg(background=background).encode(errors="replace")
        write = getattr(self, {"md": "markdown", "tex": "tikz", "txt": "text"}.get(format, format))
        return str(write()).encode(errors="replace")

    def letters(self) -> str:
        """All that is written on it."""
        return "".join(text.text for text in self.scene.texts)

    def frames(self) -> Frames:
        """The figure step by step: forward an operation at a time, then backward. Nothing moves in between."""
        if self.look.style != "book":
            raise ValueError(f"frames are drawn in the style 'book', not {self.look.style!r}")
        return Frames(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        try:
            described = self.text()
        except Exception as error:
            described = f"a figure that cannot be described: {error}"
        try:
            return {"image/svg+xml": self.svg(), "text/plain": described}
        except Exception as error:
            return {"text/plain": f"{described}\n\n(no picture: {error})"}


class Frames(Sequence[Picture]):
    """A figure's frames: the same picture, of which each shows a little more."""

    def __init__(self, figure: Picture) -> None:
        self.figure = figure
        self._steps = sorted(set(figure.steps.values()))

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, k: Any) -> Any:
        if isinstance(k, slice):
            return [self[i] for i in range(*k.indices(len(self)))]
        expect("a place among frames", k, int, "a whole number")
        if not -len(self) <= k < len(self):
            raise IndexError(f"there are {len(self)} frames, from 0 to {len(self) - 1}, and no frame {k}")
        return Frame(self.figure, self._steps[k])

    def save_all(
        self,
        folder: str | Path,
        format: str = "svg",
        *,
        dpi: float | None = None,
        scale: float | None = None,
        background: str | None = None,
    ) -> list[Path]:
        """Write each frame into a folder, as `01.svg`, `02.svg`, …; what else is said goes to each frame's `save`."""
        digits = max(2, len(str(len(self))))
        expect("save_all()", folder, (str, Path), "the name of a folder")
        paths = [Path(folder) / f"{k:0{digits}}.{format}" for k in range(1, len(self) + 1)]
        return [
            frame.save(path, dpi=dpi, scale=scale, background=background)
            for path, frame in zip(paths, self, strict=True)
        ]

    def svg(self, seconds: float = 1.0, *, background: str | None = None) -> str:
        """All frames as one animated SVG, a frame for so many seconds."""
        expect("seconds=", seconds, (int, float), "how long each frame is to be seen")
        if not 0 < seconds < math.inf:
            raise ValueError(f"seconds={seconds!r} is no time for a frame to be seen")
        order = {step: k for k, step in enumerate(self._steps)}
        steps = [(id, order[step]) for id, step in self.figure.steps.items()]
        return animated(self.figure.svg(background=background), steps, len(self), seconds)

    def save(self, path: str | Path, seconds: float = 1.0, *, background: str | None = None) -> Path:
        """Write the animated SVG. background: "none" or a colour, as in `Picture.save`."""
        path, format = named(path, ("svg",))
        return write(path, self.svg(seconds, background=on_paper(format, background)).encode())


class Frame(Picture):
    """A figure of which only the first steps are to be seen; the rest is hidden in its place."""

    def __init__(self, figure: Picture, step: int) -> None:
        self.look, self._figure = figure.look, figure
        self._hidden = [id for id, at in figure.steps.items() if at > step]

    @property
    def scene(self) -> Scene:
        """The scene of the whole figure, in which the frame hides a part."""
        return self._figure.scene

    def dot(self, hidden: Iterable[str] = (), **settings: str) -> str:
        """DOT text, with what comes later hidden in its place."""
        return self._figure.dot([*self._hidden, *hidden], **settings)

    def svg(self, hidden: Iterable[str] = (), *, background: str | None = None) -> str:
        """The picture as SVG, without what comes later."""
        return self._figure.svg([*self._hidden, *hidden], background=background)

    def tikz(self, hidden: Iterable[str] = ()) -> str:
        """A TikZ picture of the size of the whole figure, without what comes later."""
        return self._figure.tikz([*self._hidden, *hidden])

    def text(self) -> str:
        """The whole figure in words."""
        return self._figure.text()

    def letters(self) -> str:
        """All that is written on the whole figure."""
        return self._figure.letters()

    def _content(self, format: str, dpi: float, background: str | None) -> bytes:
        choose("the format of a frame", format, PICTURES)
        return super()._content(format, dpi, background)


def named(path: str | Path, formats: Sequence[str]) -> tuple[Path, str]:
    """The path of a file, and the format that its name ends in."""
    expect("save()", path, (str, os.PathLike), "the name of a file, as in 'figure.svg'")
    path = Path(path)
    if not path.suffix:
        endings = ", ".join(f".{format}" for format in formats)
        raise ValueError(f"the name {str(path)!r} does not say in which format to save; end it in one of {endings}")
    format = path.suffix[1:].lower()
    choose("the format", format, formats)
    return path, format


def dots(format: str, dpi: float | None, scale: float | None) -> float:
    """How many dots an inch a PNG gets, from what was said of it."""
    said = {f"{name}=": number for name, number in (("dpi", dpi), ("scale", scale)) if number is not None}
    for name, number in said.items():
        expect(name, number, (int, float), "a number of dots an inch, as in dpi=300, or of times, as in scale=3")
        if not 0 < number < math.inf:
            raise ValueError(f"{name}{number!r} is not a number above 0")
        if format != "png":
            raise ValueError(f"{name} is for PNG, which is made of dots; .{format} is sharp in every size")
    if len(said) == 2:
        raise ValueError("dpi= and scale= say the same in two ways; give one of them")
    return dpi or (SCREEN * scale if scale else PRINT)


def on_paper(format: str, background: str | None) -> str | None:
    """What a picture stands on: "none", a colour, or None for the theme's."""
    if background is None:
        return None
    expect("background=", background, str, "'none' or a colour, as in '#FFF8E7'")
    if format not in ("svg", "pdf", "png"):
        raise ValueError(f"background= is for svg, pdf and png, not for .{format}")
    if not re.fullmatch(r"none|[a-z]+|#[0-9A-Fa-f]{6}", background):
        raise ValueError(f"background={background!r} is not a colour; write 'none', 'white', or as '#FFF8E7'")
    return background


def write(path: Path, content: bytes) -> Path:
    """Write a file; folders are made. Raises OSError, naming what stands in the way."""
    for part in path.parents:
        if part.exists() and not part.is_dir():
            raise NotADirectoryError(f"cannot save {str(path)!r}: {str(part)!r} is a file, and no folder")
    if path.is_dir():
        raise IsADirectoryError(f"cannot save {str(path)!r}: there is a folder of that name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise type(error)(f"cannot save {str(path)!r}: {error.strerror or error}") from error
    return path


def _warn_of_missing_font(written: str) -> None:
    if any(is_wide(c) for c in written) and not has_wide_font():
        warnings.warn(
            "no font on this machine has the Hangul of this figure, so PNG and PDF will show boxes in its place; "
            "install one (Debian: apt install fonts-noto-cjk), or save SVG, whose reader supplies the font",
            stacklevel=3,
        )

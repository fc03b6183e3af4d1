"""What saves itself and shows itself: `Picture`, and `Frames`, a picture step by step."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from copy import copy
from pathlib import Path
from typing import Any

from viz.files import dots, named, on_paper, write
from viz.formats import tikz
from viz.formats.dot import drawing
from viz.formats.film import film
from viz.formats.fonts import has_wide_font
from viz.formats.pdf import joined
from viz.formats.pptx import slides
from viz.formats.render import PRINT, SCREEN, graphviz, with_dpi
from viz.formats.svg import animated
from viz.layout.captions import with_titles
from viz.layout.metrics import is_wide
from viz.layout.page import POINTS_AN_INCH
from viz.layout.plan import FONT
from viz.layout.scene import Line, Scene, Shape, Text
from viz.layout.typesetting import typeset
from viz.look import PLACED, Look
from viz.options import choose, expect
from viz.showing import in_frame, inline, opened
from viz.theme import THEMES
from viz.wording.labels import said

FORMATS = ("svg", "pdf", "png", "dot", "html", "json", "md", "tex", "txt", "pptx")
PICTURES = ("svg", "pdf", "png", "dot", "tex")  # the formats in which a frame is another file than the whole figure
FILMS = ("svg", "pdf", "tex", "gif", "webp", "mp4", "pptx")  # the formats in which all frames are one file
MOVING = tuple(
    f".{format}" for format in FILMS if format not in FORMATS
)  # those of them that no single figure is saved in
FILM = 2 * SCREEN  # dots an inch of a GIF, a WebP, an MP4, unless others are asked for
WIDEST_FILM = 3840.0  # dots: what players show, to which a film is made smaller unless its dots are asked for


MOST_DOTS = 32_000  # along a side of a PNG: beyond, Graphviz draws it smaller without a word
UNMEASURED = ("key", "note")  # what is written in other sizes on purpose


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
    def name(self) -> str:
        """What the figure is of, as a title."""
        return "figure"

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

    def plain(self) -> str:
        """What a file of plain text holds: the figure in words."""
        return self.text()

    @property
    def zoom(self) -> float:
        """How many times as large as in the scene everything is drawn."""
        return 1.0

    @property
    def letter_height(self) -> float:
        """The size of its smallest letters, in points: on the page that it fits, if it was drawn to fit one."""
        return self.zoom * smallest(self.scene)

    @property
    def steps(self) -> dict[str, int]:
        """The frame in which each element appears, by its id."""
        scene = typeset(self.scene)
        things: list[Shape | Line | Text] = [*scene.shapes, *scene.lines, *scene.texts]
        return {thing.id: thing.step for thing in things}

    @property
    def frame_steps(self) -> list[int]:
        """The steps that are frames, in order."""
        return sorted(set(self.steps.values()))

    def hidden_in(self, step: int) -> frozenset[str]:
        """What is not seen in a step, by its id: what comes later, and what is gone again."""
        gone = [text.id for text in self.scene.texts if text.until is not None and text.until < step]
        return frozenset(gone + [id for id, at in self.steps.items() if at > step])

    def told(self, step: int) -> str:
        """What happens in a step, in words; nothing, if that is not known."""
        return ""

    def dot(self, hidden: Iterable[str] = (), **settings: str) -> str:
        """DOT text that states every position, for Graphviz's engine nop2, which it names; `settings` are of the whole."""
        return drawing(self.scene, THEMES[self.look.theme], hidden, self.zoom, **settings)

    def render(
        self, format: str, hidden: Iterable[str] = (), *, dpi: float = PRINT, background: str | None = None
    ) -> bytes:
        """The picture in a format that Graphviz writes: svg, png, pdf. dpi: dots an inch, of a PNG."""
        engine = "nop2" if self.look.style in PLACED else "dot"
        settings = {} if background is None else {"bgcolor": background}
        if format == "pdf":
            settings["margin"] = "0"  # else half an inch, as around a page
        if format != "png":
            return graphviz(self.dot(hidden, **settings), engine, format, self.look.timeout)
        left, bottom, right, top = self.scene.bounds() if self.look.style in PLACED else (0.0, 0.0, 0.0, 0.0)
        side = max(right - left, top - bottom) * self.zoom * dpi / POINTS_AN_INCH
        if side > MOST_DOTS:
            raise ValueError(
                f"a picture of {side:,.0f} dots is larger than a PNG of Graphviz can be, {MOST_DOTS:,}; take "
                f"dpi={dpi * MOST_DOTS / side:.0f} or fewer, or save it as .svg or .pdf, which are sharp in every size"
            )
        picture = graphviz(self.dot(hidden, **settings, dpi=f"{dpi:g}"), engine, format, self.look.timeout)
        return with_dpi(picture, dpi)

    def tikz(self, hidden: Iterable[str] = ()) -> str:
        """A TikZ picture, for LaTeX."""
        return tikz.picture(self.scene, THEMES[self.look.theme], hidden, self.zoom)

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
        dots as the figure has on a page, where it has 96 an inch. background: what a picture (svg, pdf, png, pptx)
        stands on: "none", so that a slide is seen through it, or a colour, as "#FFF8E7"; left out, the theme's.

        Raises ValueError for a format that there is not, or that has no dots or no background; OSError, naming what
        stands in the way.
        """
        if Path(str(path)).suffix.lower() in MOVING:
            raise ValueError(f"{Path(path).suffix} shows steps, one after another; write .frames().save({str(path)!r})")
        path, format = named(path, self.formats)
        (written,) = write({path: self.content(format, dots(format, dpi, scale), on_paper(format, background))})
        return written

    def content(self, format: str, dpi: float = PRINT, background: str | None = None) -> bytes:
        """What a file of this format holds."""
        if format in ("png", "pdf"):
            warn_of_missing_font(self.letters())
            return self.render(format, dpi=dpi, background=background)
        if format == "pptx":
            return self.slides([frozenset()], background)
        if format == "svg":
            return self.svg(background=background).encode(errors="replace")
        write = getattr(self, {"md": "markdown", "tex": "tikz", "txt": "plain"}.get(format, format))
        return str(write()).encode(errors="replace")

    def slides(self, hidden: Sequence[AbstractSet[str]], background: str | None = None) -> bytes:
        """A presentation, with a slide for each set of things that are `hidden`, by their ids."""
        return slides(self.scene, THEMES[self.look.theme], hidden, self.text(), background)

    def letters(self) -> str:
        """The text of everything on the figure, in one string, to see which fonts it needs."""
        return "".join(text.text for text in self.scene.texts)

    def show(self) -> Path | None:
        """Show the figure: in a notebook, below the cell; else as a page in the browser, whose path is returned."""
        if inline(self):
            return None
        return opened(self.html() if "html" in self.formats else self.svg())

    def html(self) -> str:
        """The figure as an interactive HTML page. Raises ValueError for figures that have none."""
        raise ValueError("this figure has no page of its own")

    def frames(self, titles: bool | Sequence[str] = False) -> Frames:
        """The figure step by step: forward an operation at a time, then backward. Nothing moves in between.

        titles: what stands above each frame: a text for each, or True for what happens in it, in words.
        """
        if self.look.style not in PLACED:
            raise ValueError(f"frames are drawn in the style 'book', not {self.look.style!r}")
        return Frames(self, titles)

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
    """A figure's frames: the same picture, of which each shows a little more.

    In a notebook they are the page that one steps through, or else an animation. titles: what stands above each, if
    anything does; True for what happens in it.
    """

    def __init__(self, figure: Picture, titles: bool | Sequence[str] = False) -> None:
        self.figure = figure
        self._steps = figure.frame_steps
        if titles is True:
            titles = [said(figure.told(step)) for step in self._steps]
        expect("titles=", titles or (), (list, tuple), "a text for each frame, or True")
        self._drawn = self._titled(titles) if titles else figure

    def _titled(self, titles: Sequence[str]) -> Picture:
        """The figure with the title of each step, all in one place."""
        if len(titles) != len(self._steps):
            raise ValueError(f"titles= are {len(titles)}, but there are {len(self._steps)} frames; give one for each")
        for title in titles:
            expect("each of titles=", title, str, "a text")
        drawn = copy(self.figure)
        last = [*[step - 1 for step in self._steps[1:]], None]
        of_steps = [(said(title), first, end) for title, first, end in zip(titles, self._steps, last, strict=True)]
        vars(drawn)["scene"] = with_titles(self.figure.scene, of_steps)
        return drawn

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, k: Any) -> Any:
        if isinstance(k, slice):
            return [self[i] for i in range(*k.indices(len(self)))]
        expect("a place among frames", k, int, "a whole number")
        if not -len(self) <= k < len(self):
            raise IndexError(f"there are {len(self)} frames, from 0 to {len(self) - 1}, and no frame {k}")
        return Frame(self._drawn, self._steps[k])

    def save_all(
        self,
        folder: str | Path,
        format: str = "svg",
        *,
        dpi: float | None = None,
        scale: float | None = None,
        background: str | None = None,
    ) -> list[Path]:
        """Write each frame into a folder, as `01.svg`, `02.svg`, …; what else is said is as in `Picture.save`.

        No file is written before all frames are drawn.
        """
        expect("save_all()", folder, (str, Path), "the name of a folder")
        choose("the format of a frame", format, PICTURES)
        digits = max(2, len(str(len(self))))
        sharpness, paper = dots(format, dpi, scale), on_paper(format, background)
        drawn = [frame.content(format, sharpness, paper) for frame in self]
        return write({Path(folder) / f"{k:0{digits}}.{format}": content for k, content in enumerate(drawn, 1)})

    def svg(self, seconds: float = 1.0, *, background: str | None = None) -> str:
        """All frames as one animated SVG, a frame for so many seconds."""
        _expect_time(seconds)
        return animated(self._drawn.svg(background=background), self._spans(), len(self), seconds)

    def _spans(self) -> dict[str, tuple[int, int | None]]:
        """From which frame, counted from 0, to which each thing is seen, by its id; None stands for the last."""
        until = {text.id: text.until for text in self._drawn.scene.texts}
        spans: dict[str, tuple[int, int | None]] = {}
        for id, step in self._drawn.steps.items():
            last = until.get(id)
            first = bisect_left(self._steps, step)
            spans[id] = first, None if last is None else bisect_right(self._steps, last) - 1
        return spans

    def tikz(self) -> str:
        r"""A whole document of beamer, whose only slide shows more at each click: each thing is in `\\only<k->{…}`."""
        return tikz.overlays(self._drawn.scene, THEMES[self.figure.look.theme], self._spans())

    def save(
        self,
        path: str | Path,
        seconds: float = 1.0,
        *,
        dpi: float | None = None,
        scale: float | None = None,
        background: str | None = None,
    ) -> Path:
        """Write all frames as one file, in the format that the name ends in; folders are made. Returns the path.

        .svg, .gif, .webp, .mp4: an animation, each frame seen for so many `seconds`, the last for longer.
        .pdf: a page for each frame, all of one size. .pptx: a slide for each, whose shapes can be moved and written over.
        .tex: one slide of beamer with overlays.
        dpi, scale: of .gif, .webp and .mp4, the dots an inch, or how many times 96 of them; left out, 192, or as many as
        make the film 3840 wide. background: "none" or a colour, as in `Picture.save`.

        Raises RuntimeError, with the line that installs it, where a package is missing: GIF, WebP and PDF come with the
        extra `viz`, PPTX with `slides`, MP4 with `video`.
        """
        path, format = named(path, FILMS)
        sharpness, paper = dots(format, dpi, scale, usual=self.sharpness), on_paper(format, background)
        _expect_time(seconds)
        (written,) = write({path: self._content(format, seconds, sharpness, paper)})
        return written

    def _content(self, format: str, seconds: float, dpi: float, paper: str | None) -> bytes:
        if format == "svg":
            return self.svg(seconds, background=paper).encode(errors="replace")
        if format == "tex":
            return self.tikz().encode(errors="replace")
        figure = self._drawn
        if format == "pptx":
            return figure.slides([figure.hidden_in(step) for step in self._steps], paper)
        warn_of_missing_font(figure.letters())
        if format == "pdf":
            return joined([frame.render("pdf", background=paper) for frame in self], figure.name)
        return film([frame.render("png", dpi=dpi, background=paper) for frame in self], format, seconds)

    @property
    def sharpness(self) -> float:
        """The dots an inch of a film, unless others are asked for."""
        left, _, right, _ = self._drawn.scene.bounds()
        return min(FILM, 72.0 * WIDEST_FILM / max(right - left, 1.0))

    def show(self) -> Path | None:
        """Show them: in a notebook, below the cell; else as a page in the browser, whose path is returned."""
        return None if inline(self) else self.figure.show()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        try:
            described = f"{len(self)} frames\n\n{self.figure.text()}".strip()
        except Exception as error:
            described = f"{len(self)} frames of a figure that cannot be described: {error}"
        try:
            bundle = {"text/plain": described, "image/svg+xml": self.svg()}
            if "html" in self.figure.formats:
                bundle["text/html"] = in_frame(self.figure.html(), self.figure.name, self._height())
            return bundle
        except Exception as error:
            return {"text/plain": f"{described}\n\n(no picture: {error})"}

    def _height(self) -> float:
        _, bottom, _, top = self.figure.scene.bounds()
        return top - bottom


class Frame(Picture):
    """A figure of which only the first steps are to be seen; the rest is hidden in its place."""

    def __init__(self, figure: Picture, step: int) -> None:
        self.look, self._figure, self.formats = figure.look, figure, PICTURES
        self._hidden = figure.hidden_in(step)

    @property
    def scene(self) -> Scene:
        """The scene of the whole figure, in which the frame hides a part."""
        return self._figure.scene

    @property
    def zoom(self) -> float:
        """The zoom of the whole figure."""
        return self._figure.zoom

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
        """The text of everything on the whole figure, whatever this frame hides."""
        return self._figure.letters()

    def show(self) -> Path | None:
        """Show the frame: in a notebook, below the cell; else as a picture in the browser, whose path is returned."""
        return None if inline(self) else opened(self.svg(), "svg")

    def content(self, format: str, dpi: float = PRINT, background: str | None = None) -> bytes:
        """What a file of this format holds."""
        choose("the format of a frame", format, PICTURES)
        return super().content(format, dpi, background)


def smallest(scene: Scene) -> float:
    """The size of the smallest letters of a scene, but for keys and notes, in its points."""
    return min((text.size for text in scene.texts if text.role not in UNMEASURED), default=FONT)


def _expect_time(seconds: float) -> None:
    expect("seconds=", seconds, (int, float), "how long each frame is to be seen")
    if not 0 < seconds < math.inf:
        raise ValueError(f"seconds={seconds!r} is no time for a frame to be seen")


def warn_of_missing_font(written: str) -> None:
    """Warn where there will be boxes in place of letters."""
    if any(is_wide(c) for c in written) and not has_wide_font():
        warnings.warn(
            "no font on this machine has the Hangul of this figure, so PNG, PDF and films will show boxes in its place; "
            "install one (Debian: apt install fonts-noto-cjk), or save SVG, whose reader supplies the font",
            stacklevel=3,
        )

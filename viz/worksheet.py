"""Worksheets: figures whose numbers are left blank, on pages to be printed and written on; the answers follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from viz.drawing import Drawing
from viz.files import named, write
from viz.formats.dot import drawing
from viz.formats.pdf import Placed, composed, size
from viz.formats.render import graphviz
from viz.languages import words
from viz.layout.metrics import text_width, wrapped
from viz.layout.page import FILLED, POINTS_AN_INCH
from viz.layout.plan import FONT
from viz.layout.scene import Line, Scene, Shape, Text
from viz.options import choose, expect, several
from viz.picture import warn_of_missing_font
from viz.record.mathematics import readable
from viz.theme import THEMES
from viz.wording.labels import FigureLabels, clean

MILLIMETRE = 72 / 25.4  # points
ANSWER = (
    22.4 * MILLIMETRE,
    9.2 * MILLIMETRE,
)  # the room to write a number into, by hand: 22 × 9 mm, whatever is rounded
PAPERS = {"A4": (210 * MILLIMETRE, 297 * MILLIMETRE), "letter": (612.0, 792.0)}
PAPER_MARGIN = 16 * MILLIMETRE
NUMBER_WIDTH = 26.0  # points, left of a figure, for its number
HEADER_HEIGHT = 44.0  # points, for the title and the line of the name
QUESTION_HEIGHT = 18.0  # points, of a line of a question
BETWEEN_FIGURES = 26.0  # points
TITLE_ON_PAPER = 16.0  # the font size of the title
WORDS_ON_PAPER = 12.0  # the font size of questions and numbers
AROUND_PICTURE = 16.0  # points, by which a picture is larger than what is on it
LONGEST_TITLE = 80  # characters
LONGEST_QUESTION = 600  # characters
GOOD_LETTERS = 9.0  # points: smaller ones put a figure into rows or turn the page, if that makes them larger
SHARES_OF_A_PAGE = (0.3, 0.6, 1.0)  # of its height, that a figure in rows is to fill: the fewer rows, the better
LEAST_LETTERS = 6.5  # points: smaller ones are refused
NAME_WIDTH = 170.0  # points, of the line for the name
TRIES = 8  # layouts, at most, until blanks have their size on paper


def worksheet(
    figures: Any,
    path: str | Path,
    *,
    title: str = "",
    key: bool = True,
    values: bool = False,
    paper: str = "A4",
    landscape: bool | None = None,
) -> Path:
    """Write figures as exercises into a PDF: their derivatives are blanks of 22 × 9 mm or more. Returns the path.

    A figure that is too wide for the page goes on in further rows, as with `draw(…, fit=…)`.

    figures: one or several, as `draw` makes them in the style "book"; in place of each also a pair, (question, figure).
        What a figure shows of derivatives, numbers or formulas, is what its answer shows.
    path: the file, which ends in .pdf.
    title: what stands on top, beside a line for the name.
    key: whether pages with the answers follow.
    values: whether the results of operations are blank too, and not derivatives alone.
    paper: "A4" or "letter".
    landscape: whether the page lies on its side; None leaves it to the figures.

    Raises ValueError for a figure that has nothing to fill in, or that is too large for the page; RuntimeError without
    Graphviz or pypdf. No file is written then.

    >>> import tempfile, tinygrad_edu as tg, viz
    >>> apple, count = tg.Tensor(100.0, requires_grad=True, name="apple"), tg.Tensor(2.0, name="count")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = viz.worksheet([viz.draw(apple * count)], f"{folder}/sheet.pdf", title="Backpropagation", values=True)
    ...     file.read_bytes()[:5]
    b'%PDF-'
    """
    path, _ = named(path, ("pdf",))
    expect("title=", title, str, "a text")
    choose("paper", paper, PAPERS)
    choose("landscape", landscape, (True, False, None))
    exercises = _exercises(figures, bool(values))
    title = clean(readable(title), LONGEST_TITLE)
    warn_of_missing_font(title + "".join(x.question + x.figure.letters() for x in exercises))
    sheets = _fitting(exercises, paper, landscape)
    said = words(exercises[0].figure.look.lang)
    pages = sheets.pages([(x.question, x.figure) for x in exercises], title, said["name"])
    if key:
        answers = f"{said['answers']}: {title}" if title else said["answers"]
        pages += sheets.pages([("", _on(x.figure.look.page, x.answer)) for x in exercises], answers)
    content = composed(pages, sheets.width, sheets.height, title)
    (written,) = write({path: content})
    return written


Page = tuple[float, float] | None  # the width and height, in inches, that a figure is put into rows for


@dataclass(frozen=True)
class Exercise:
    """A question, the figure with blanks, and the figure that answers it."""

    question: str
    figure: Drawing
    answer: Drawing
    tried: dict[tuple[float, Page], Drawing]

    def with_room(self, times: float, page: Page) -> Drawing:
        """The figure whose blanks have so many times the room that they need on paper; what was laid out once is kept."""
        if (times, page) not in self.tried:
            labels = replace(self.figure.labels, room=(ANSWER[0] * times, ANSWER[1] * times))
            self.tried[times, page] = _on(page, self.figure, labels)
        return self.tried[times, page]


def _on(page: Page, figure: Drawing, labels: FigureLabels | None = None) -> Drawing:
    """A figure in rows that fit a page, or as it is."""
    look = replace(figure.look, page=page)
    return Drawing(
        figure.graph, labels or figure.labels, look, whole=figure.whole, reading=figure.reading, measured=False
    )


def _exercises(figures: Any, values: bool) -> list[Exercise]:
    """The figures, blank and answered. Raises TypeError and ValueError for what is no exercise."""
    given = [figures] if _is_pair(figures) else several(figures)
    if not given:
        raise ValueError("a worksheet needs a figure, as in worksheet([draw(y)], 'sheet.pdf')")
    found = []
    for k, thing in enumerate(given, 1):
        question, figure = thing if _is_pair(thing) else ("", thing)
        expect(
            f"worksheet(), as figure {k},", figure, Drawing, "what draw() makes of a computation, or (question, figure)"
        )
        if figure.look.style != "book":
            raise ValueError(
                f"figure {k} is in the style {figure.look.style!r}; a worksheet has blanks in the style 'book'"
            )
        theme = "default" if figure.look.theme == "dark" else figure.look.theme
        look = replace(figure.look, theme=theme, page=None, font_size=None)
        labels = replace(figure.labels, grad="number" if figure.labels.grad == "blank" else figure.labels.grad)
        answer = Drawing(figure.graph, labels, look, whole=figure.whole, reading=figure.reading, measured=False)
        blank = answer.of(figure.graph, replace(labels, grad="blank", blank_values=values, room=ANSWER))
        if not any(line.role == "blank" for line in _lines(blank)):
            cure = "draw its derivatives" if values else "draw its derivatives, or write worksheet(…, values=True)"
            raise ValueError(f"figure {k} has nothing to fill in; {cure}")
        found.append(Exercise(clean(readable(question), LONGEST_QUESTION), blank, answer, {}))
    return found


def _is_pair(thing: Any) -> bool:
    return isinstance(thing, tuple) and len(thing) == 2 and isinstance(thing[0], str)


def _lines(figure: Drawing) -> Iterator[Any]:
    for place in figure.plan.places:
        yield from place.lines
    for wire in figure.plan.wires:
        yield from (*wire.above, *(wire.below if wire.flows else ()))


def _fitting(exercises: list[Exercise], paper: str, landscape: bool | None) -> Sheets:
    """The pages on which letters are large enough; the figures become those whose blanks are so, too."""
    width, height = PAPERS[paper]
    upright, turned = Sheets(width, height, paper), Sheets(height, width, paper)
    if landscape is not None:
        chosen = turned if landscape else upright
    else:
        chosen = upright
        if min(upright.fitted(x)[1] for x in exercises) * FONT < GOOD_LETTERS:
            chosen = max(upright, turned, key=lambda sheets: min(sheets.fitted(x)[1] for x in exercises))
    for k, exercise in enumerate(exercises):
        figure, scale = chosen.fitted(exercise)
        if scale * FONT < LEAST_LETTERS:
            aside = "" if chosen is turned else "take landscape=True, "
            raise ValueError(
                f"figure {k + 1} does not fit on {paper}: with blanks of 22 × 9 mm its letters would be less than "
                f"{LEAST_LETTERS} points high; {aside}fold it (collapse='all'), or draw a part of it (wrt=…)"
            )
        exercises[k] = replace(exercise, figure=figure)
    return chosen


@dataclass(frozen=True)
class Sheets:
    """Pages of a size, in points, and what comes where on them."""

    width: float
    height: float
    paper: str

    @property
    def room(self) -> tuple[float, float]:
        """The width and the height that one figure may take."""
        return self.width - 2 * PAPER_MARGIN - NUMBER_WIDTH, self.height - 2 * PAPER_MARGIN - HEADER_HEIGHT

    def scale(self, picture: tuple[float, float], question: str = "") -> float:
        """How large a picture can be here, at most as large as it is."""
        height = self.room[1] - QUESTION_HEIGHT * len(self.wrapped(question))
        return min(1.0, self.room[0] / picture[0], height / picture[1])

    def fitted(self, exercise: Exercise) -> tuple[Drawing, float]:
        """The figure whose blanks have their size on paper, in one row or in several, and its scale; 0, if there is none."""
        best = self._with_blanks(exercise, None)
        for share in SHARES_OF_A_PAGE:
            if best[1] * FONT < GOOD_LETTERS:
                in_rows = self._with_blanks(exercise, self.page(exercise.question, share))
                best = max(best, in_rows, key=lambda way: way[1])
        return best

    def page(self, question: str, share: float) -> Page:
        """The page that a figure is put into rows for: as wide as the room here, and as high as a share of it."""
        height = self.room[1] - QUESTION_HEIGHT * len(self.wrapped(question))
        width = self.room[0] - AROUND_PICTURE
        return width / POINTS_AN_INCH / FILLED, (share * height - AROUND_PICTURE) / POINTS_AN_INCH / FILLED

    def _with_blanks(self, exercise: Exercise, page: Page) -> tuple[Drawing, float]:
        """The figure whose blanks have their size on paper, and its scale; with scale 0, if there is none.

        Larger blanks make the figure wider, and so its scale smaller; the width grows evenly, so that two layouts tell
        the next.
        """
        tried: list[tuple[float, float]] = []
        times = 1.0
        for _ in range(TRIES):
            figure = exercise.with_room(times, page)
            left, bottom, right, top = figure.scene.bounds()
            scale = self.scale((right - left + AROUND_PICTURE, top - bottom + AROUND_PICTURE), exercise.question)
            if scale * times >= 0.999:
                return figure, scale
            if page:  # its rows change with its blanks
                if scale * FONT < LEAST_LETTERS:
                    break
                times *= max(1.1, 1 / (scale * times))
                continue
            tried.append((times, 1 / scale))
            slope = 0.0
            if len(tried) > 1:
                (t0, r0), (t1, r1) = tried[-2:]
                slope = (r1 - r0) / (t1 - t0)
            if slope >= 0.95:
                break
            times = max(1.001 * (tried[-1][1] - slope * times) / (1 - slope), 1.01 * times)
        return figure, 0.0

    def wrapped(self, question: str) -> list[str]:
        """The lines of a question."""
        return wrapped(question, self.room[0], WORDS_ON_PAPER)

    def pages(self, exercises: Sequence[tuple[str, Drawing]], title: str, name: str = "") -> list[list[Placed]]:
        """Each page with what is on it: figures below each other as they fit, numbered, under the title."""
        pages: list[list[Placed]] = []
        written: list[list[Text | Line]] = []
        top, y = self.height - PAPER_MARGIN - HEADER_HEIGHT, 0.0
        for k, (question, figure) in enumerate(exercises, 1):
            picture = figure.render("pdf")
            wide, high = (length / figure.zoom for length in size(picture))
            lines, scale = self.wrapped(question), self.scale((wide, high), question)
            high = high * scale + QUESTION_HEIGHT * len(lines)
            if not pages or y - high < PAPER_MARGIN:
                pages.append([])
                written.append([])
                y = top + (HEADER_HEIGHT if len(pages) > 1 else 0.0)
            written[-1].append(self._said(f"{k}.", PAPER_MARGIN, y - QUESTION_HEIGHT / 2, bold=True))
            for i, line in enumerate(lines):
                below = y - QUESTION_HEIGHT * (i + 0.5)
                written[-1].append(self._said(line, PAPER_MARGIN + NUMBER_WIDTH, below))
            pages[-1].append((picture, scale / figure.zoom, PAPER_MARGIN + NUMBER_WIDTH, y - high))
            y -= high + BETWEEN_FIGURES
        for k, (page, things) in enumerate(zip(pages, written, strict=True), 1):
            things += self._header(title, name) if k == 1 else []
            things += [self._said(f"{k} / {len(pages)}", self.width / 2, PAPER_MARGIN / 2)] * (len(pages) > 1)
            page.insert(0, (self._words(things), 1.0, 0.0, 0.0))
        return pages

    def _header(self, title: str, name: str) -> list[Text | Line]:
        """The title and, on its right, a line to write the name on."""
        y, right = self.height - PAPER_MARGIN - TITLE_ON_PAPER / 2, self.width - PAPER_MARGIN
        found: list[Text | Line] = [self._said(title, PAPER_MARGIN, y, TITLE_ON_PAPER, bold=True)]
        if name:
            ends = ((right - NAME_WIDTH, y - 6.0), (right, y - 6.0))
            if text_width(title, TITLE_ON_PAPER, True) + text_width(name, WORDS_ON_PAPER) + NAME_WIDTH > self.room[0]:
                ends = ((right - NAME_WIDTH, y - 26.0), (right, y - 26.0))  # under a long title
            (x, below), _ = ends
            found += [
                self._said(name, x - 6.0 - text_width(name, WORDS_ON_PAPER), below + 6.0),
                Line("name-line", "line", ends, "name-from", "name-to", False, False, 0),
            ]
        return found

    @staticmethod
    def _said(text: str, x: float, y: float, size: float = WORDS_ON_PAPER, bold: bool = False) -> Text:
        """Words that begin at x."""
        width = text_width(text, size, bold)
        return Text("", "words", text, x + width / 2, y, width, 1.2 * size, "legend", bold, size, 0)

    def _words(self, things: Sequence[Text | Line]) -> bytes:
        """A page of these words and lines, as PDF."""
        page = Shape("page", "page", "box", self.width / 2, self.height / 2, self.width, self.height, 0)
        texts = [replace(text, id=f"words{k}") for k, text in enumerate(things) if isinstance(text, Text) and text.text]
        scene = Scene((page,), tuple(thing for thing in things if isinstance(thing, Line)), tuple(texts))
        dot = drawing(scene, THEMES["print"], ["page"], pad="0", margin="0", bgcolor="none")
        return graphviz(dot, "nop2", "pdf")

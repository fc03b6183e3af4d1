"""PPTX: a slide a frame, whose circles, arrows and texts are shapes that can be moved and written over."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from viz.formats.dot import blank_size
from viz.formats.extras import extra
from viz.layout.scene import Line, Point, Scene, Shape, Text
from viz.layout.typesetting import typeset
from viz.theme import Theme, dash, shade

SLIDE_WIDTH, SLIDE_HEIGHT = 960.0, 540.0  # points: 16:9, as PowerPoint makes them
SLIDE_FILLED = 0.92  # of a slide, at most, in width and height
SLIDE_FONT = "Arial"  # which every office has, and is as wide as Helvetica
LARGEST_ON_SLIDE = 2.0  # times as large as on a page
STRAIGHT = 0.05  # points, by which a line may be bent and count as straight
_EMU = 12_700  # of PowerPoint's units to a point


def slides(
    scene: Scene, theme: Theme, hidden: Iterable[AbstractSet[str]], words: str = "", background: str | None = None
) -> bytes:
    """A presentation with a slide for each set of things that are `hidden` on it, by their ids.

    words: the figure in words, as notes of the first slide. Raises RuntimeError without python-pptx.
    """
    pptx = extra("pptx", "a PPTX")
    show = pptx.Presentation()
    show.slide_width, show.slide_height = (round(side * _EMU) for side in (SLIDE_WIDTH, SLIDE_HEIGHT))
    for k, unseen in enumerate(hidden):
        slide = show.slides.add_slide(show.slide_layouts[6])  # the empty one
        _Slide(slide, scene, theme, background).draw(unseen)
        if words and k == 0:
            slide.notes_slide.notes_text_frame.text = words
    file = io.BytesIO()
    show.save(file)
    return file.getvalue()


def scale_on_slide(scene: Scene) -> float:
    """How many times as large as in the scene everything is drawn on a slide, in points for points."""
    left, bottom, right, top = scene.bounds()
    room = SLIDE_WIDTH * SLIDE_FILLED / max(right - left, 1.0), SLIDE_HEIGHT * SLIDE_FILLED / max(top - bottom, 1.0)
    return min(*room, LARGEST_ON_SLIDE)


class _Slide:
    """One slide: a scene that fills it."""

    def __init__(self, slide: Any, scene: Scene, theme: Theme, background: str | None) -> None:
        self.slide, self.shapes, self.scene, self.theme = slide, slide.shapes, typeset(scene), theme
        left, bottom, right, top = scene.bounds()
        self.middle = (left + right) / 2, (bottom + top) / 2
        self.scale = scale_on_slide(scene)
        paper = theme.paper if background is None else background
        if paper not in ("white", "none"):
            fill = slide.background.fill
            fill.solid()
            fill.fore_color.rgb = _rgb(paper)

    def draw(self, unseen: AbstractSet[str]) -> None:
        """What is not hidden: groups below, then lines, circles and boxes, and texts above."""
        inside: dict[str, list[Text]] = {}
        for text in self.scene.texts:
            inside.setdefault(text.id.rpartition("-text")[0], []).append(text)
        seen = [shape for shape in self.scene.shapes if shape.id not in unseen]
        holders = {shape.id for shape in seen if shape.shape in ("circle", "oval", "box", "cloud")}
        for shape in seen:
            if shape.shape == "group":
                self._shape(shape, ())
        for shape in seen:
            if shape.points:
                self._face(shape)
        for line in self.scene.lines:
            if line.id not in unseen:
                self._line(line)
        for shape in seen:
            if shape.shape != "group" and not shape.points:
                self._shape(shape, inside.get(shape.id, ()) if shape.id in holders else ())
        for text in self.scene.texts:
            if text.id not in unseen and text.id.rpartition("-text")[0] not in holders:
                self._text(text)

    def _at(self, point: Point) -> tuple[int, int]:
        x, y = (side + (p - m) * self.scale * turned for p, m, side, turned in
                zip(point, self.middle, (SLIDE_WIDTH / 2, SLIDE_HEIGHT / 2), (1, -1), strict=True))  # fmt: skip
        return round(x * _EMU), round(y * _EMU)

    def _box(self, x: float, y: float, width: float, height: float) -> tuple[int, int, int, int]:
        left, top = self._at((x - width / 2, y + height / 2))
        return left, top, round(width * self.scale * _EMU), round(height * self.scale * _EMU)

    def _shape(self, shape: Shape, texts: Sequence[Text]) -> None:
        kinds = extra("pptx.enum.shapes", "a PPTX").MSO_SHAPE
        kind = {"circle": kinds.OVAL, "oval": kinds.OVAL, "fork": kinds.OVAL, "cloud": kinds.CLOUD, "box": kinds.ROUNDED_RECTANGLE,
                "group": kinds.ROUNDED_RECTANGLE}.get(shape.shape, kinds.RECTANGLE)  # fmt: skip
        made = self._made(kind, shape.id, (shape.x, shape.y, shape.width, shape.height))
        colour = self.theme.fill if shape.shape != "fork" else self.theme.colour(shape)
        if shape.fill is not None:
            colour = self.theme.tint(*shape.fill)
        if shape.shape == "group":
            made.fill.background()
        else:
            made.fill.solid()
            made.fill.fore_color.rgb = _rgb(colour)
        if shape.shape == "band":
            made.line.fill.background()
        else:
            self._outline(made, self.theme.colour(shape), 0.5 if shape.fill else 2.0 if "lit" in shape.classes else 1.0)
        if shape.shape in ("group", "dashed"):
            made.line.dash_style = extra("pptx.enum.dml", "a PPTX").MSO_LINE.DASH
        if kind == kinds.ROUNDED_RECTANGLE:
            made.adjustments[0] = min(0.5, 5.0 / max(min(shape.width, shape.height), 1.0))
        self._write(made.text_frame, texts, "middle")

    def _face(self, shape: Shape) -> None:
        """A face of a solid, or a window on it."""
        first, *others = map(self._at, shape.points)
        form = self.shapes.build_freeform(*first)
        form.add_line_segments(others, close=True)
        made = form.convert_to_shape()
        self._flat(made, shape.id)
        made.fill.solid()
        made.fill.fore_color.rgb = _rgb(self.theme.tint(*(shape.fill or ("fill", 100))))
        self._outline(made, self.theme.outline, 0.5)

    def _made(self, kind: Any, name: str, box: tuple[float, float, float, float]) -> Any:
        made = self.shapes.add_shape(kind, *self._box(*box))
        self._flat(made, name)
        return made

    @staticmethod
    def _flat(made: Any, name: str) -> None:
        """Name a shape, and take its shadow off: for PowerPoint, and for LibreOffice, which reads the style alone."""
        made.name, made.shadow.inherit = name, False
        for style in made.element.iter(extra("pptx.oxml.ns", "a PPTX").qn("a:effectRef")):
            style.set("idx", "0")

    def _outline(self, made: Any, colour: str, width: float) -> None:
        made.line.color.rgb = _rgb(colour)
        made.line.width = round(width * self.scale * _EMU)

    def _line(self, line: Line) -> None:
        """A connector where it is straight, else a form; with a head that is solid of a derivative, open of a value."""
        points = [self._at(point) for point in straightened(line.points)]
        if len(points) == 2:
            straight = extra("pptx.enum.shapes", "a PPTX").MSO_CONNECTOR.STRAIGHT
            made = self.shapes.add_connector(straight, *points[0], *points[1])
        else:
            form = self.shapes.build_freeform(*points[0])
            form.add_line_segments(points[1:], close=False)
            made = form.convert_to_shape()
            made.fill.background()
        self._flat(made, line.id)
        self._outline(made, self.theme.colour(line), line.thickness)
        if dash(line):
            dashes = extra("pptx.enum.dml", "a PPTX").MSO_LINE
            made.line.dash_style = dashes.DASH if dash(line) == "dashed" else dashes.ROUND_DOT
        if line.tip:
            size = {"w": "med", "len": "med"} if line.backward else {"w": "lg", "len": "lg"}
            self._head(made, {"type": "triangle" if line.backward else "arrow", **size})

    @staticmethod
    def _head(made: Any, looks: Mapping[str, str]) -> None:
        """An arrow head, which python-pptx has no words for."""
        outline = made.element.spPr.get_or_add_ln()
        head = outline.makeelement(extra("pptx.oxml.ns", "a PPTX").qn("a:tailEnd"), dict(looks))
        outline.append(head)

    def _text(self, text: Text) -> None:
        if text.role in ("blank", "key"):
            kind = extra("pptx.enum.shapes", "a PPTX").MSO_SHAPE.ROUNDED_RECTANGLE
            width, height = blank_size(text) if text.role == "blank" else (text.width, text.height)
            made = self._made(kind, text.id, (text.x, text.y, width, height))
            made.fill.solid()
            made.fill.fore_color.rgb = _rgb(self.theme.paper)
            self._outline(made, self.theme.tint("outline", shade(text)[1]), 1.0)
            self._write(made.text_frame, [text] if text.role == "key" else (), "middle")
            return
        made = self.shapes.add_textbox(*self._box(text.x, text.y, text.width, text.height))
        made.name = text.id
        if text.halo:
            made.fill.solid()
            made.fill.fore_color.rgb = _rgb(self.theme.paper)
        self._write(made.text_frame, [text], text.anchor)

    def _write(self, frame: Any, texts: Sequence[Text], anchor: str) -> None:
        enum = extra("pptx.enum.text", "a PPTX")
        frame.word_wrap = anchor != "middle"  # without, LibreOffice centres the line, at whichever side it is aligned
        frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
        frame.vertical_anchor = enum.MSO_ANCHOR.MIDDLE
        sides = {"start": enum.PP_ALIGN.LEFT, "end": enum.PP_ALIGN.RIGHT, "middle": enum.PP_ALIGN.CENTER}
        for k, text in enumerate(texts):
            paragraph = frame.paragraphs[0] if k == 0 else frame.add_paragraph()
            paragraph.alignment = sides[anchor]
            run = paragraph.add_run()
            run.text = text.text
            run.font.name, run.font.bold = SLIDE_FONT, text.bold
            run.font.size = round(text.size * self.scale * _EMU)
            run.font.color.rgb = _rgb(self.theme.colour(text))


def straightened(points: Sequence[Point]) -> list[Point]:
    """The points of a line without those that it goes straight through.

    >>> straightened([(0, 0), (1, 0), (2, 0), (3, 1)])
    [(0, 0), (2, 0), (3, 1)]
    """
    found = [points[0]]
    for k in range(1, len(points) - 1):
        (x0, y0), (x1, y1), (x2, y2) = found[-1], points[k], points[k + 1]
        length = ((x2 - x0) ** 2 + (y2 - y0) ** 2) ** 0.5 or 1.0
        if abs((x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)) / length > STRAIGHT:
            found.append(points[k])
    return [*found, points[-1]]


def _rgb(colour: str) -> Any:
    """A colour of ours, or of those of Pillow's names, in python-pptx's words."""
    pptx = extra("pptx.dml.color", "a PPTX")
    if not colour.startswith("#"):
        rgb = extra("PIL.ImageColor", "a PPTX").getrgb(colour)
        return pptx.RGBColor(*rgb[:3])
    return pptx.RGBColor.from_string(colour[1:].upper())

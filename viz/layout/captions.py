"""What stands around a figure: a title above it; below it, notes, what its colours and marks mean, and a caption."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from viz.layout.metrics import text_width, wrapped
from viz.layout.panels import with_keys
from viz.layout.plan import FONT, LEAST_ANSWER_WIDTH, LINE_HEIGHT, NOTE_SPACING, NOTES_BELOW, Words, written
from viz.layout.scene import Line, Scene, Shape, Text
from viz.record.mathematics import IN_TEX, Readable, readable, tex_of

TITLE_ABOVE = 12.0  # points between a figure and its title
TITLE_OF_A_FIGURE = 18.0  # the font size of a title
CAPTION_BELOW = 14.0  # points between a figure and what is written below it
NARROWEST_CAPTION = 320.0  # points: a caption below a narrower figure is wider than that
SAMPLE_WIDTH = 30.0  # points, of a line that shows what lines look like
BESIDE_A_SAMPLE = 6.0  # points between a sample and what it means
BETWEEN_MEANINGS = 20.0  # points between two of them in one line
_WORDS = re.compile(
    rf"(?:{IN_TEX.pattern}|\S)+".replace("([^$]+)", "[^$]+")
)  # LaTeX between dollars is one, with its spaces


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a line, a mark or a box on a figure means, with a sample of it.

    sample: "line", "text", "blank", "box" or "group". classes: of the sample, by which it looks as on the figure. mark: the text of it.
    """

    said: str
    sample: str
    classes: str = ""
    mark: str = ""
    weight: float | None = None

    def width(self, size: float) -> float:
        """The width of the sample, where letters have this size."""
        if self.sample == "text":
            return text_width(self.mark, size, bold=True)
        return LEAST_ANSWER_WIDTH if self.sample == "blank" else SAMPLE_WIDTH

    @property
    def backward(self) -> bool:
        """Whether the sample is a derivative's line."""
        return "backward" in self.classes.split()


def titled(scene: Scene, title: str, id: str = "title", size: float = TITLE_OF_A_FIGURE, width: float = 0.0) -> Scene:
    """The scene with a title above it, over its middle, in as many lines as it needs to be no wider than the figure."""
    if not title:
        return scene
    left, _, right, top = scene.bounds()
    lines = in_lines(title, max(right - left, width, NARROWEST_CAPTION), size, bold=True)
    y = top + TITLE_ABOVE + LINE_HEIGHT * size * len(lines)
    return replace(scene, texts=(*scene.texts, *_stacked(id, "title", lines, (left + right) / 2, y, size)))


def with_titles(scene: Scene, of_steps: Sequence[tuple[str, int, int | None]]) -> Scene:
    """The scene with a title for each of several steps, seen from that step to another, all in one place: over the figure,
    and under the title of the whole.
    """
    whole = tuple(text for text in scene.texts if text.id.startswith("title-text"))
    scene = replace(scene, texts=tuple(text for text in scene.texts if text not in whole))
    left, _, right, top = scene.bounds()
    lines = [in_lines(title, max(right - left, NARROWEST_CAPTION), FONT, bold=True) for title, _, _ in of_steps]
    lift = TITLE_ABOVE + LINE_HEIGHT * FONT * max(map(len, lines))
    y = top + lift
    texts = [
        replace(text, step=first, until=last)
        for k, (own, (_, first, last)) in enumerate(zip(lines, of_steps, strict=True))
        for text in _stacked(f"step{k}", "title", own, (left + right) / 2, y, FONT)
    ]
    return replace(scene, texts=(*scene.texts, *[replace(text, y=text.y + lift) for text in whole], *texts))


def in_lines(text: str, width: float, size: float, bold: bool = False) -> list[Readable]:
    r"""A text in lines that are no wider than this, as `wrapped` breaks it, but not inside of LaTeX between dollars.

    >>> [line.tex for line in in_lines(Readable("my loss ℓ + 1", r"my loss $\ell + 1$"), 70.0, 14.0)]
    ['my loss', '$\\ell + 1$']
    """
    tex = tex_of(text)
    if not tex:
        return [Readable(line, line) for line in wrapped(text, width, size, bold)]
    lines: list[Readable] = []
    for paragraph in tex.splitlines():
        line = Readable("", "")
        for word in _WORDS.findall(paragraph):
            longer = Readable(f"{line} {readable(word)}".strip(), f"{line.tex} {word}".strip())
            if line and text_width(longer, size, bold) > width:
                lines.append(line)
                longer = Readable(readable(word), word)
            line = longer
        lines.append(line)
    return lines


def _stacked(id: str, role: str, lines: Sequence[Readable], x: float, top: float, size: float) -> Iterator[Text]:
    """Lines under each other, from `top` down, over the middle of `x`."""
    for k, line in enumerate(lines):
        words = Words(line, role, bold=role == "title", size=size, tex=tex_of(line))
        yield written(f"{id}-text{k}", role, words, x, top - (k + 0.5) * words.height, 0)


def noted(scene: Scene, notes: Sequence[Words]) -> Scene:
    """The scene with notes below it."""
    left, bottom, _, _ = scene.bounds()
    texts = list(scene.texts)
    y = bottom - NOTES_BELOW
    for k, line in enumerate(notes):
        texts += with_keys([written(f"note{k}", "note", line, left + line.width / 2, y, 0)], [line])
        y -= NOTE_SPACING * line.height
    return replace(scene, texts=tuple(texts))


def captioned(scene: Scene, caption: str) -> Scene:
    """The scene with a caption below it, from its left."""
    if not caption:
        return scene
    left, bottom, right, _ = scene.bounds()
    texts = []
    y = bottom - CAPTION_BELOW
    for k, line in enumerate(in_lines(caption, max(right - left, NARROWEST_CAPTION), FONT)):
        words = Words(line, "caption", tex=tex_of(line))
        y -= words.height
        texts.append(written(f"caption-text{k}", "caption", words, left + words.width / 2, y + words.height / 2, 0))
    return replace(scene, texts=(*scene.texts, *texts))


def explained(scene: Scene, meanings: Sequence[Meaning], size: float) -> Scene:
    """The scene with samples of its lines and marks below it, each beside what it means, in as many rows as they need."""
    if not meanings:
        return scene
    left, bottom, right, _ = scene.bounds()
    high = 1.5 * size
    x, y = left, bottom - CAPTION_BELOW - high / 2
    lines, shapes, texts = list(scene.lines), list(scene.shapes), list(scene.texts)
    for k, meaning in enumerate(meanings):
        words = Words(meaning.said, "caption", size=size)
        wide = meaning.width(size)
        if x > left and x + wide + BESIDE_A_SAMPLE + words.width > max(right, left + NARROWEST_CAPTION):
            x, y = left, y - high
        _sample(meaning, f"legend{k}", (x, y, wide), size, (lines, shapes, texts))
        x += wide + BESIDE_A_SAMPLE
        texts.append(written(f"legend{k}-text0", "meaning", words, x + words.width / 2, y, 0))
        x += words.width + BETWEEN_MEANINGS
    return Scene(tuple(shapes), tuple(lines), tuple(texts))


def _sample(
    meaning: Meaning,
    id: str,
    place: tuple[float, float, float],
    size: float,
    onto: tuple[list[Line], list[Shape], list[Text]],
) -> None:
    """A sample of what a meaning is of, from x on, as wide as is said, put onto a scene's things."""
    (x, y, wide), (lines, shapes, texts) = place, onto
    if meaning.sample == "text":
        words = Words(meaning.mark, "grad" if meaning.backward else "caption", bold=meaning.backward, size=size)
        texts.append(written(f"{id}-mark-text0", meaning.classes, words, x + wide / 2, y, 0))
    elif meaning.sample == "blank":
        words = Words("", "blank", size=size, room=(wide, size))
        texts.append(written(f"{id}-mark-text0", "sample", words, x + wide / 2, y, 0))
    elif meaning.sample == "line":
        points = ((x + wide, y), (x, y)) if meaning.backward else ((x, y), (x + wide, y))
        way = "backward" if meaning.backward else "forward"
        classes = f"{meaning.classes} sample"
        lines.append(
            Line(f"{id}-{way}", classes, points, f"{id}-a", f"{id}-b", meaning.backward, True, 0, meaning.weight)
        )
    else:
        shapes.append(
            Shape(f"{id}-box", f"sample {meaning.classes}", meaning.sample, x + wide / 2, y, wide, 1.1 * size, 0)
        )

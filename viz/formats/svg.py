"""SVG: as Graphviz writes it, made fit for pages (named for screen readers, animated), and of scenes without arrows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape

from viz.formats.dot import FONT_NAME
from viz.layout.clearance import head
from viz.layout.scene import Line, Point, Scene, Shape, Text
from viz.theme import Theme

SCENE_MARGIN = 8.0  # points around a scene
HALF_A_HEAD = 0.35  # of the length of an arrow's head: half its width
_INNER = re.compile(r'<g id="([^"]*)"|<!--.*?-->\n?|<title>.*?</title>\n?', re.DOTALL)
_OPENING = re.compile(r"<svg ([^>]*)>", re.DOTALL)


def tidy(svg: str, titles: Mapping[str, str], name: str, description: str) -> str:
    """The SVG with the titles given (by id), none of Graphviz's own, and a name and a description for screen readers."""
    head, _, body = svg.partition("<svg ")
    body = "<svg " + body
    kept, last, current = [], 0, ""
    for found in _INNER.finditer(body):
        if found[1] is not None:
            current = found[1]
            continue
        kept.append(body[last : found.start()])
        last = found.end()
        if found[0].startswith("<title>") and current in titles:
            kept.append(f"<title>{escape(titles[current])}</title>\n")
    body = ("".join(kept) + body[last:]).replace("&#45;", "-")
    label, said = escape(name, quote=True), escape(description)
    opening = rf'<svg role="img" aria-label="{label}" '
    body = _OPENING.sub(lambda found: f"{opening}{found[1]}>\n<desc>{said}</desc>", body, count=1)
    return head.split("<!-- Generated")[0] + body


def chart(
    scene: Scene,
    theme: Theme,
    name: str,
    description: str,
    hidden: Iterable[str] = (),
    background: str | None = None,
    zoom: float = 1.0,
) -> str:
    """A scene of shapes, lines and texts, for which no Graphviz is needed; what is `hidden` leaves it as large as it is."""
    left, bottom, right, top = scene.bounds()
    width, height = right - left + 2 * SCENE_MARGIN, top - bottom + 2 * SCENE_MARGIN
    unseen = frozenset(hidden)
    shapes = [(shape.id, _shape(shape, theme)) for shape in scene.shapes]
    lines = [(line.id, _line(line, theme)) for line in scene.lines]
    texts = [(text.id, _text(text, theme)) for text in scene.texts]
    drawn = [written for id, written in (*shapes, *lines, *texts) if id not in unseen]
    label = escape(name, quote=True)
    return f"""<svg role="img" aria-label="{label}" width="{zoom * width:.0f}pt" height="{zoom * height:.0f}pt"
 viewBox="{left - SCENE_MARGIN:.2f} {-top - SCENE_MARGIN:.2f} {width:.2f} {height:.2f}" xmlns="http://www.w3.org/2000/svg">
<desc>{escape(description)}</desc>
<rect x="{left - SCENE_MARGIN:.2f}" y="{-top - SCENE_MARGIN:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{background or theme.paper}"/>
<g font-family="{FONT_NAME},sans-serif">
{"".join(drawn)}</g>
</svg>
"""


def _shape(shape: Shape, theme: Theme) -> str:
    line = "" if shape.shape == "band" else f' stroke="{theme.colour(shape)}" stroke-width="{0.5 if shape.fill else 1}"'
    dashes = ' stroke-dasharray="3,2"' if shape.shape in ("dashed", "group") else ""
    said = f"<title>{escape(shape.title)}</title>" if shape.title else ""
    fill = "none" if shape.shape == "group" else theme.tint(*(shape.fill or ("fill", 100)))
    return f'<g id="{shape.id}" class="{shape.classes}">{said}<{_outline(shape)} fill="{fill}"{line}{dashes}/></g>\n'


def _outline(shape: Shape) -> str:
    """The element of SVG that has this form, with its measures."""
    if shape.points:
        return f'polygon points="{_points(shape.points)}"'
    if shape.shape == "circle":
        return f'circle cx="{shape.x:.2f}" cy="{-shape.y:.2f}" r="{shape.width / 2:.2f}"'
    round = ' rx="5"' if shape.shape == "group" else ""
    return (
        f'rect x="{shape.x - shape.width / 2:.2f}" y="{-shape.y - shape.height / 2:.2f}" width="{shape.width:.2f}" '
        f'height="{shape.height:.2f}"{round}'
    )


def _points(points: Iterable[Point]) -> str:
    return " ".join(f"{x:.2f},{-y:.2f}" for x, y in points)


def _line(line: Line, theme: Theme) -> str:
    """A line, and the head of an arrow: hollow of a value, solid of a derivative."""
    colour, drawn = theme.colour(line), ""
    points = line.points
    if line.tip:
        base, tip = head(line)
        points = (*points[:-1], base)
        dx, dy = (tip[0] - base[0]) * HALF_A_HEAD, (tip[1] - base[1]) * HALF_A_HEAD
        corners = (tip, (base[0] - dy, base[1] + dx), (base[0] + dy, base[1] - dx))
        fill = colour if line.backward else theme.paper
        drawn = f'<polygon points="{_points(corners)}" fill="{fill}" stroke="{colour}"/>'
    return (
        f'<g id="{line.id}" class="{line.classes}"><polyline points="{_points(points)}" fill="none" '
        f'stroke="{colour}" stroke-width="{line.thickness:g}"/>{drawn}</g>\n'
    )


def _text(text: Text, theme: Theme) -> str:
    left, _, right, _ = text.box
    frame = ""
    if text.role == "key":
        frame = (
            f'<rect x="{left:.2f}" y="{-text.y - text.height / 2:.2f}" width="{text.width:.2f}" '
            f'height="{text.height:.2f}" fill="{theme.paper}" stroke="{theme.outline}"/>'
        )
    x = {"start": left, "end": right, "middle": text.x}[text.anchor]
    bold = ' font-weight="bold"' if text.bold else ""
    return (
        f'<g id="{text.id}" class="text {text.classes}">{frame}<text x="{x:.2f}" y="{-text.y + 0.35 * text.size:.2f}" '
        f'text-anchor="{text.anchor}" font-size="{text.size:g}"{bold} fill="{theme.colour(text)}">{escape(text.text)}'
        "</text></g>\n"
    )


def animated(svg: str, spans: Mapping[str, tuple[int, int | None]], count: int, seconds: float = 1.0) -> str:
    """The SVG with each element, by its id, appearing at its step, and gone after another if it has one, over and over.

    For those who ask that nothing moves, the last step stands still.
    """
    total = (count + 3) * seconds
    together: dict[tuple[int, int | None], list[str]] = {}
    for id, span in spans.items():
        together.setdefault(span, []).append(id)
    rules, gone = [], []
    for (first, last), ids in sorted(together.items(), key=lambda pair: (pair[0][0], pair[0][1] or 0)):
        if first == 0 and last is None:
            continue
        name, selector = f"at{first}" if last is None else f"at{first}to{last}", ",".join(f"#{id}" for id in ids)
        frames = [f"0%,{_percent(first, seconds, total):.2f}%{{opacity:0}}"] if first else []
        frames.append(f"{_percent(first, seconds, total) + 0.01 if first else 0:.2f}%")
        if last is None:
            frames[-1] += ",100%{opacity:1}"
        else:
            end = _percent(last + 1, seconds, total)
            frames[-1] += f",{end:.2f}%{{opacity:1}}{end + 0.01:.2f}%,100%{{opacity:0}}"
            if last < count - 1:
                gone.append(selector)
        rules.append(f"@keyframes {name}{{{''.join(frames)}}}")
        rules.append(f"{selector}{{animation:{name} {total:g}s infinite}}")
    still = "*{animation:none!important}" + (f"{','.join(gone)}{{opacity:0}}" if gone else "")
    rules.append(f"@media (prefers-reduced-motion:reduce){{{still}}}")
    style = "<style>" + "".join(rules) + "</style>"
    return _OPENING.sub(lambda m: m[0] + style, svg, count=1)


def _percent(step: int, seconds: float, total: float) -> float:
    return 100 * step * seconds / total


def picture_page(svg: str, name: str, text: str, theme: Theme, lang: str) -> str:
    """A page of HTML with a picture and its words, which needs no network."""
    style = f"body{{margin:1em;background:{theme.paper};color:{theme.ink};font:14px sans-serif}}"
    style += "svg{max-width:100%;height:auto}pre{white-space:pre-wrap;font:inherit;line-height:1.5}"
    style += f".bar:hover rect,.face:hover polygon{{stroke:{theme.ink};stroke-width:1.5}}"
    return (
        f'<!DOCTYPE html>\n<html lang="{lang}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(name)}</title>\n'
        f"<style>{style}</style>\n</head>\n<body>\n{svg}<pre>{escape(text)}</pre>\n</body>\n</html>\n"
    )

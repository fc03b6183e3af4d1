"""SVG: as Graphviz writes it, made fit for pages (named for screen readers, animated), and of scenes without arrows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape

from viz.formats.dot import FONT_NAME
from viz.layout.scene import Scene, Shape, Text
from viz.theme import Theme

SCENE_MARGIN = 8.0  # points around a scene
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
    scene: Scene, theme: Theme, name: str, description: str, hidden: Iterable[str] = (), background: str | None = None
) -> str:
    """A scene of rectangles and texts, for which no Graphviz is needed; what is `hidden` leaves it as large as it is."""
    left, bottom, right, top = scene.bounds()
    width, height = right - left + 2 * SCENE_MARGIN, top - bottom + 2 * SCENE_MARGIN
    unseen = frozenset(hidden)
    things: list[Shape | Text] = [*scene.shapes, *scene.texts]
    drawn = [_rectangle(x, theme) if isinstance(x, Shape) else _text(x, theme) for x in things if x.id not in unseen]
    label = escape(name, quote=True)
    return f"""<svg role="img" aria-label="{label}" width="{width:.0f}pt" height="{height:.0f}pt"
 viewBox="{left - SCENE_MARGIN:.2f} {-top - SCENE_MARGIN:.2f} {width:.2f} {height:.2f}" xmlns="http://www.w3.org/2000/svg">
<desc>{escape(description)}</desc>
<rect x="{left - SCENE_MARGIN:.2f}" y="{-top - SCENE_MARGIN:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{background or theme.paper}"/>
<g font-family="{FONT_NAME},sans-serif">
{"".join(drawn)}</g>
</svg>
"""


def _rectangle(shape: Shape, theme: Theme) -> str:
    line = "" if shape.shape == "band" else f' stroke="{theme.outline}" stroke-width="0.5"'
    dashes = ' stroke-dasharray="3,2"' if shape.shape == "dashed" else ""
    said = f"<title>{escape(shape.title)}</title>" if shape.title else ""
    return (
        f'<g id="{shape.id}" class="{shape.classes}">{said}<rect x="{shape.x - shape.width / 2:.2f}" '
        f'y="{-shape.y - shape.height / 2:.2f}" width="{shape.width:.2f}" height="{shape.height:.2f}" '
        f'fill="{theme.tint(*(shape.fill or ("fill", 100)))}"{line}{dashes}/></g>\n'
    )


def _text(text: Text, theme: Theme) -> str:
    left, _, right, _ = text.box
    x = {"start": left, "end": right, "middle": text.x}[text.anchor]
    bold = ' font-weight="bold"' if text.bold else ""
    return (
        f'<g id="{text.id}" class="text {text.classes}"><text x="{x:.2f}" y="{-text.y + 0.35 * text.size:.2f}" '
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

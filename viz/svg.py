"""SVG as Graphviz writes it, made fit for pages: named for screen readers, without its inner names, animated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape

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


def animated(svg: str, steps: Iterable[tuple[str, int]], count: int, seconds: float = 1.0) -> str:
    """The SVG with each element (by id) appearing at its step, over and over; paused for those who ask for that."""
    total = (count + 3) * seconds
    rules = []
    for step, ids in sorted(_together(steps).items()):
        if step > 0:
            percent = 100 * step * seconds / total
            selector = ",".join(f"#{id}" for id in ids)
            rules.append(
                f"@keyframes at{step}{{0%,{percent:.2f}%{{opacity:0}}{percent + 0.01:.2f}%,100%{{opacity:1}}}}"
            )
            rules.append(f"{selector}{{animation:at{step} {total:g}s infinite}}")
    rules.append("@media (prefers-reduced-motion:reduce){*{animation:none!important}}")
    style = "<style>" + "".join(rules) + "</style>"
    return _OPENING.sub(lambda m: m[0] + style, svg, count=1)


def _together(steps: Iterable[tuple[str, int]]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for id, step in steps:
        found.setdefault(step, []).append(id)
    return found

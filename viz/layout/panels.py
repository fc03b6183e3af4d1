"""Separate parts of a figure, and a figure twice, beside each other; and keys before texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from viz.layout.plan import KEY_GAP, SMALL_FONT, Plan, Words, key_width, written
from viz.layout.scene import Scene, Text
from viz.record.mathematics import tex_of

PANEL_GAP = 60.0  # between two panels
OVER_A_PANEL = 16.0  # between the top of the highest panel and the middle of its title


def beside(scene: Scene, plan: Plan, titles: Sequence[str] = ()) -> Scene:
    """The separate parts of a scene beside each other, in their order, their middles at one height, with their titles."""
    part = components(plan)
    ids: dict[int, set[str]] = {}
    for place in plan.places:
        boxes = [name for group in place.scope for name in (group, f"{group}-title")]
        ids.setdefault(part[place.id], set()).update([*place.written, *boxes])
    for wire in plan.wires:
        ids[part[wire.source]].add(wire.id)
    left, panels = 0.0, []
    for own in ids.values():
        panel = scene.part(own)
        x0, y0, x1, y1 = panel.bounds()
        panels.append(panel.moved(left - x0, dy=-(y0 + y1) / 2))
        left += x1 - x0 + PANEL_GAP
    above = _titles(titles, panels) if titles else ()
    return Scene(
        tuple(shape for panel in panels for shape in panel.shapes),
        tuple(line for panel in panels for line in panel.lines),
        (*[text for panel in panels for text in panel.texts], *above),
    )


def check_titles(titles: Sequence[str], panels: int) -> None:
    """Raise ValueError unless there is one title for each panel."""
    if len(titles) != panels:
        several = f"{panels} panels" if panels != 1 else "1 panel"
        raise ValueError(f"titles= has {len(titles)} texts, but this figure has {several}; give one for each")


def _titles(titles: Sequence[str], panels: Sequence[Scene]) -> tuple[Text, ...]:
    """A title over each panel, all at one height."""
    check_titles(titles, len(panels))
    bounds = [panel.bounds() for panel in panels]
    y = max(top for _, _, _, top in bounds) + OVER_A_PANEL
    return tuple(
        written(f"title{k}", "title", Words(title, "title", bold=True, tex=tex_of(title)), (left + right) / 2, y, 0)
        for k, (title, (left, _, right, _)) in enumerate(zip(titles, bounds, strict=True))
    )


def components(plan: Plan) -> dict[str, int]:
    """For each place, which of the figure's separate parts it is in; the parts are numbered in order."""
    part = {place.id: k for k, place in enumerate(plan.places)}
    members = {k: [place.id] for k, place in enumerate(plan.places)}
    for wire in plan.wires:
        first, second = sorted((part[wire.source], part[wire.target]))
        if first != second:
            moved = members.pop(second)
            members[first] += moved
            part |= dict.fromkeys(moved, first)
    return part


def side_by_side(scene: Scene, titles: Sequence[str]) -> Scene:
    """Two panels of one geometry: what goes forward, and beside it what comes back."""
    one = scene.without(lambda classes: "backward" in classes)
    other = scene.without(lambda classes: "forward" in classes)
    away = one.bounds()[2] - other.bounds()[0] + PANEL_GAP
    other = other.moved(away, "back-")
    texts = (*one.texts, *other.texts, *_titles(titles, (one, other)))
    return Scene(one.shapes + other.shapes, one.lines + other.lines, texts)


def with_keys(texts: Sequence[Text], lines: Sequence[Words], down: bool = False) -> list[Text]:
    """Texts, with the key of each line in its box before it. down: whether they lie on their sides."""
    if down:
        upright = [text.turned() for text in texts]
        return [text.turned() for text in with_keys(upright, lines)]
    found, keys = [], []
    for text, line in zip(texts, lines, strict=True):
        if not line.key:
            found.append(text)
            continue
        width = key_width(line.key)
        found.append(replace(text, x=text.x + (width + KEY_GAP) / 2, width=text.width - width - KEY_GAP))
        keys.append(
            replace(
                text, id=f"{text.id}-key", classes=text.classes.replace(text.role, "key"), text=line.key, role="key", bold=False,
                x=text.x - text.width / 2 + width / 2, width=width, height=15.0, size=SMALL_FONT,
            )
        )  # fmt: skip
    return [*found, *keys]

"""What of a page follows new numbers: which text shows which number, and which contributions an arrow adds up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from viz.formats.views import Figure
from viz.record.graph import Data, Graph, Use, Value
from viz.record.recomputing import NOTHING, Program
from viz.wording.labels import MARKS
from viz.wording.numbers import number_text


def live_program(drawing: Figure) -> Program:
    """The program by which a page computes its figure anew; it does so in the style "book" alone."""
    program = drawing.reading.program
    if drawing.look.style == "book" or program.script == NOTHING:
        return program
    return Program(reasons=(("why_style", drawing.look.style),))


def shows(entry: Mapping[str, Any], values: Mapping[str, Value], uses: Mapping[str, Use]) -> dict[str, Any]:
    """Which number a text of the figure shows, if it shows one, and what stands around it."""
    value, use = values.get(entry.get("value", "")), uses.get(entry.get("wire", ""))
    if value is None or entry["role"] == "legend":
        return {}
    of, thing = ("data", value) if entry.get("side") != "below" else ("grad", use or value)
    around = shown(entry["text"], getattr(thing, of))
    return {"shows": [of, thing.id, *around]} if around else {}


def shown(text: str, number: Data) -> list[str] | None:
    """What stands before and after the number in a text that shows it; None for any other text.

    >>> shown("2.2 ✓", 2.2), shown("Σ = 110", 110.0), shown("∂L/∂x", 1.0)
    (['', ' ✓'], ['Σ = ', ''], None)
    """
    if not isinstance(number, bool | int | float):
        return None
    written = number_text(number)
    for before in ("", "Σ = "):
        for after in MARKS.values():
            if text == before + written + after:
                return [before, after]
    return None


def parts_of_uses(whole: Graph, graph: Graph) -> dict[str, list[str]]:
    """The uses in the whole graph whose contributions each use adds up, where operations of it are merged."""
    kept = {use.id: use for use in graph.uses}
    single = {op.id for op in whole.ops}
    found: dict[str, list[str]] = {id: [] for id in kept}
    latest: dict[str, Any] = {}  # the use of each value that came last
    for use in whole.uses:
        if use.id in kept:
            latest[use.value] = kept[use.id]
        own = latest.get(use.value)
        if own is not None and use.flows and (use.id == own.id or own.op not in single):
            found[own.id].append(use.id)
    return found

"""Annotating: what is written on a figure of a computation that was traced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from viz.options import expect, several
from viz.record.broadcasts import broadcasts
from viz.record.graph import Use, Value, users
from viz.record.mathematics import Readable, notation, readable
from viz.record.slopes import Reading
from viz.record.trace import Traced
from viz.wording.labels import FigureLabels, derivative, differentiated, equal_to
from viz.wording.numbers import shape_text


def annotate(
    traced: Traced,
    *,
    show: frozenset[str],
    numbers: bool,
    grad: str,
    loss: str | None,
    values: Mapping[Any, Any] | None,
    derivatives: Mapping[Any, Any] | None,
    sizes: Mapping[int, str],
    legend: Any,
    mathematics: bool,
    lang: str,
    max_nodes: int | None,
) -> tuple[FigureLabels, Reading]:
    """The labels of a figure, and the chain rule at each use for one who reads it.

    show, grad, loss, sizes, legend, mathematics, lang, max_nodes: as `draw` takes them. numbers: whether small arrays are
    shown by their numbers. values, derivatives: what is written instead of them.
    """
    written = notation(traced.graph, mathematics)
    if loss and readable(loss) != loss:
        written = replace(written, in_tex={**written.in_tex, readable(loss): loss})
    labels = FigureLabels(
        readable(loss or "") or differentiated(traced.graph),
        show,
        grad,
        noted(traced, values, "data"),
        noted(traced, derivatives, "grad"),
        sizes,
        numbers=numbers,
        notation=written,
        broadcast=broadcasts(traced.graph) if show == {"shape"} else {},
        lang=lang,
    )
    if legend is not None:
        labels = replace(labels, keys=keys(traced, legend, labels))
    return labels, traced.reading(labels.of, max_nodes)


def noted(traced: Traced, written: Mapping[Any, Any] | None, what: str) -> dict[str, str]:
    """Annotations by the ids of values and uses. Raises ValueError for a number that is not the traced one."""
    found: dict[str, str] = {}
    things: list[Value | Use] = [*traced.graph.values, *traced.graph.uses]
    by_id = {thing.id: thing for thing in things}
    uses = users(traced.graph)
    for key, said in (written or {}).items():
        thing, k = key if isinstance(key, tuple) and len(key) == 2 else (key, None)
        expect(f"the use in ({thing!r:.30}, …)", k or 0, int, "a number: 0 is the first use")
        expect(f"what is written of {thing!r:.30}", said, (str, int, float), "a text or a number")
        id = traced.find(thing)
        number = getattr(by_id[id], what)
        if k is not None:
            if not 0 <= k < len(uses[id]):
                raise ValueError(f"{thing!r:.60} is used {len(uses[id])} times in this figure, so it has no use {k}")
            if what == "grad":
                id = uses[id][k].id
                number = getattr(by_id[id], what)
        text = str(said)
        if not equal_to(text, number):
            raise ValueError(f"the annotation {text!r} is not what was traced: {number!r}")
        found[id] = Readable(readable(text), text)
    return found


def keys(traced: Traced, legend: Any, labels: FigureLabels) -> dict[str, str]:
    """What the legend says of derivatives, by the ids of their values: ∂L/∂X (N, 2) = ∂L/∂Y (N, 3) · Wᵀ (3, 2)."""
    values = {value.id: value for value in traced.graph.values}
    shapes = {value.name: value.shape for value in traced.graph.values if value.name and value.shape}
    named = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, sorted(shapes, key=len, reverse=True)))})(ᵀ?)(?!\w)")

    def with_shape(found: re.Match[str]) -> str:
        shape = shapes[found[1]]
        return f"{found[0]} {shape_text(shape[::-1] if found[2] else shape, labels.sizes)}"

    said = {}
    for thing in several(legend):
        id = traced.find(thing)
        formula = labels.below_text.get(id) or values[id].grad_symbol or "?"
        text = f"{derivative(labels.of, values[id])} = {formula}"
        given = legend[thing] if isinstance(legend, Mapping) else None
        expect("what the legend says of a derivative", given or "", str, "a text")
        said[id] = given or (named.sub(with_shape, text) if shapes else text)
    return said


def split_legend(legend: Any) -> tuple[Any, bool]:
    """Of what `legend=` says, the tensors whose derivatives are numbered, and whether colours and marks are explained.

    >>> split_legend(True), split_legend(["x", True]), split_legend(None)
    ((None, True), (['x'], True), (None, False))
    """
    if legend is None or isinstance(legend, bool):
        return None, bool(legend)
    if not isinstance(legend, list | tuple | set):
        return legend, False
    keyed = [thing for thing in legend if thing is not True]
    return keyed or None, len(keyed) < len(legend)

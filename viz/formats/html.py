"""A page of its own to step through a computation: one file that needs no network.

Here every layout is made beforehand and written down as plain data: the figure as it was drawn, and the same with
layers closed and opened. `assets/page.js` draws that data; no label ever becomes markup or script.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from tinygrad_edu.formula.writing import grouped
from viz.emphasis import SPREAD_OF_SIZES, THICKEST, THINNEST
from viz.formats.live import live_program, parts_of_uses, shows
from viz.formats.views import Figure, make_views, ways_from
from viz.languages import words
from viz.layout.matrix import Matrix
from viz.layout.plan import Plan, trunk_id
from viz.layout.scene import Line, Scene, Shape, Text
from viz.layout.typesetting import set_in_rows
from viz.record.graph import Data, Graph, Operation, Use, Value
from viz.theme import THEMES, Theme
from viz.wording.labels import asked, clean, derivative
from viz.wording.numbers import data_text, number_text, rounded_text, shape_text
from viz.wording.operations import operation_name
from viz.wording.page_words import PAGE_WORDS
from viz.wording.sentences import Teller

LOOKS = ("lit", "pale", "negative", "mixed", "nothing")  # the marks by which a page's style sheet knows what differs


def page(drawing: Figure) -> str:
    """The page of a figure, as HTML."""
    lang = drawing.look.lang
    said = {**words(lang), **PAGE_WORDS[lang]}
    name = drawing.name
    blank = drawing.labels.grad == "blank"
    script = f"const recompute = {live_program(drawing).script};\n{_asset('page.js')}"
    style = Template(_asset("page.css")).substitute(light=_colours(_light(drawing)), dark=_colours(_dark(drawing)))
    described = "" if blank else drawing.text()  # an exercise does not tell its answers
    whole = Template(_asset("page.html")).substitute(
        {key: escape(word) for key, word in said.items()},
        lang=lang,
        theme="dark" if drawing.look.theme == "dark" else "auto",
        name=escape(name),
        described=escape(described),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data=embedded(figure_data(drawing, name, said)),
    )
    return whole.encode(errors="replace").decode()  # half of a surrogate pair cannot be encoded


def embedded(data: Any) -> str:
    r"""Data as JSON that can stand in a script element: nothing in it ends that, or begins a comment.

    >>> embedded({"name": "</script><!--"})
    '{"name":"\\u003c/script\\u003e\\u003c!--"}'
    """
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written


def _asset(name: str) -> str:
    return (files("viz") / "assets" / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    """The digest by which the page's security policy lets a script or a style run; it lets no other run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _light(drawing: Figure) -> Theme:
    return THEMES["print" if drawing.look.theme == "print" else "default"]


def _dark(drawing: Figure) -> Theme:
    dark = THEMES["dark"]
    ink = dark.ink
    grey = replace(dark, backward=ink, grad=ink, parameter=ink, negative=ink, mixed=dark.outline, accent=ink)
    return grey if drawing.look.theme == "print" else dark


def _colours(theme: Theme) -> str:
    names = {"accent": "highlight"}  # the page has an accent of its own
    return " ".join(f"--{names.get(part, part)}: {getattr(theme, part)};" for part in Theme.__dataclass_fields__)


# ---------------------------------------------------------------------------------------------------
# What the script is given


def figure_data(drawing: Figure, name: str, said: Mapping[str, str]) -> dict[str, Any]:
    """Everything that the page shows, as plain data."""
    views = make_views(drawing)
    with ThreadPoolExecutor(4) as pool:  # each thread waits for Graphviz
        list(pool.map(lambda view: view.drawing.scene, views))
    values = {value.id: value for view in views for value in view.drawing.graph.values}
    program = live_program(drawing)
    teller = Teller(drawing.graph, drawing.look.lang, drawing.labels)
    return {
        "name": name,
        "words": said,
        "titled": bool(drawing.look.title),
        **({"weights": [THINNEST, THICKEST, SPREAD_OF_SIZES]} if drawing.look.weighted else {}),
        "exercise": drawing.labels.grad == "blank",
        "values": {id: _value(value, drawing, teller) for id, value in values.items()},
        "slopes": {id: _slope(id, drawing) for id in drawing.reading.slopes},
        "leaves": [id for id in program.leaves if id in values],
        "fixed": [{"why": why, "name": clean(name)} for why, name in program.reasons],
        "views": [{**_View(view.drawing).data(), "go": ways_from(view, views)} for view in views],
        "opened": max(range(len(views)), key=lambda k: len(views[k].drawing.graph.ops)),
        "closed": min(range(len(views)), key=lambda k: len(views[k].drawing.graph.ops)),
    }


def _value(value: Value, drawing: Figure, teller: Teller) -> dict[str, Any]:
    called = drawing.reading.names.get(value.id)
    of = drawing.labels.of
    return {
        "name": clean(value.name or ""),
        "symbol": clean(value.symbol or ""),
        "called": clean(called or ""),
        "kind": value.kind,
        "shape": shape_text(value.shape) if value.shape else "",
        "dtype": value.dtype,
        "data": cells(value.data),
        "d": f"∂{grouped(of)}/∂{grouped(clean(called))}" if called else derivative(of, value),
        "grad": cells(value.grad),
        "flows": value.flows,
        "made": value.op is not None,
        **_worded(teller, value, value),
    }


def _worded(teller: Teller, thing: Value | Use, value: Value) -> dict[str, str]:
    """The texts that the page shows for a derivative and a value, where the figure has no numbers for them."""
    found: dict[str, str] = {}
    said = teller.slope(thing, value)
    annotated = {thing.id, value.id} & {*teller.labels.below_text} and said != data_text(thing.grad or 0.0)
    if annotated or not teller.in_numbers:
        found["said"] = said
    if not teller.in_numbers and thing is value:
        found["amount"] = teller.amount(value)
    return found


def _slope(id: str, drawing: Figure) -> dict[str, Any]:
    slope = drawing.reading.slopes[id]
    return {"rule": slope.rule, "general": slope.general, "symbol": slope.symbol, "data": cells(slope.data)}


def cells(data: Data) -> Any:
    """A number as [text, exact]; a vector or a matrix as rows of them; an array of more axes as text.

    >>> cells(1 / 3), cells((1.0, 2.5)), cells((((1.0,),),))
    (['0.3333', 0.3333333333333333], {'rows': [[['1', 1.0], ['2.5', 2.5]]]}, {'text': '[[[1]]]'})
    """
    if data is None:
        return None
    if not isinstance(data, tuple):
        known = isinstance(data, int | float) and math.isfinite(data)
        return [number_text(data), data if known else str(data)]
    deep = 1
    inside: Any = data
    while inside and isinstance(inside[0], tuple):
        inside, deep = inside[0], deep + 1
    if deep > 2 or not inside:
        return {"text": data_text(data)}
    return {"rows": [[cells(x) for x in row] for row in (data if deep == 2 else (data,))]}


class _View:
    """One layout as plain data, with the y axis downwards."""

    def __init__(self, drawing: Figure) -> None:
        self.graph: Graph = drawing.graph
        self.plan: Plan = drawing.plan
        self.scene: Scene = drawing.scene
        self.labels = drawing.labels
        self.teller = Teller(self.graph, drawing.look.lang, drawing.labels)
        self.parts = parts_of_uses(drawing.reading.program.graph, self.graph)
        self.values = {value.id: value for value in self.graph.values}
        self.uses = {use.id: use for use in self.graph.uses}
        self.places = {place.id: place for place in self.plan.places}
        self.wires = {wire.id: wire for wire in self.plan.wires}
        self.totals = {trunk_id(place.ref): place.ref for place in self.plan.places if place.total}
        self.ops = {op.id for op in self.graph.ops}
        self.left, _, _, self.top = self.scene.bounds()

    def data(self) -> dict[str, Any]:
        left, bottom, right, top = self.scene.bounds()
        return {
            "size": [_round(right - left), _round(top - bottom)],
            "steps": self.steps,
            "shapes": self.shapes(),
            "lines": self.lines(),
            "texts": self.texts(),
            "ops": {op.id: self.operation(op) for op in self.graph.ops},
            "uses": {use.id: self.use(use) for use in self.graph.uses},
        }

    # -- steps --------------------------------------------------------------------------------------

    @cached_property
    def steps(self) -> list[dict[str, Any]]:
        """What is computed in each step. `at` counts the operations of the whole graph, whatever is closed."""
        after = [0]
        for op in self.graph.ops:
            after.append(after[-1] + op.parts)
        n, all_of_them = len(self.graph.ops), after[-1]
        found = []
        for step in self.order:
            if step <= n:
                ids = [op.id for op in self.graph.ops[step - 1 : step]] if step else []
                found.append({"back": False, "op": ids[0] if ids else None, "at": after[step]})
            else:
                k = 2 * n + 2 - step  # from the output's derivative, which is at k = n + 1
                maker = self.graph.ops[k - 1].id if 1 <= k <= n else None
                found.append({"back": True, "op": maker, "at": 2 * all_of_them + 1 - after[min(k, n + 1) - 1]})
        return found

    @cached_property
    def order(self) -> list[int]:
        things: list[Shape | Line | Text] = [*self.scene.shapes, *self.scene.lines, *self.scene.texts]
        return sorted({thing.step for thing in things} - ({0} if self.graph.ops else set()))

    @cached_property
    def place_of(self) -> dict[int, int]:
        return {step: k for k, step in enumerate(self.order, 1)}

    def k(self, step: int) -> int:
        """The number of a step of the scene; 0 for what is always there."""
        return self.place_of.get(step, 0)

    # -- elements -----------------------------------------------------------------------------------

    def shapes(self) -> list[dict[str, Any]]:
        found = []
        for shape in self.scene.shapes:
            id = shape.id.removeprefix("back-")
            entry = {
                "id": shape.id, "kind": shape.shape, "x": self.x(shape.x), "y": self.y(shape.y),
                "w": _round(shape.width), "h": _round(shape.height), "k": self.k(shape.step),
            }  # fmt: skip
            found.append(entry | ({"op": id} if id in self.ops else {}) | _looks(shape))
        return found

    def lines(self) -> list[dict[str, Any]]:
        found = []
        for line in self.scene.lines:
            wire, _, way = line.id.removeprefix("back-").rpartition("-")
            entry: dict[str, Any] = {
                "id": line.id, "way": way, "k": self.k(line.step), "tip": line.tip,
                "points": [[self.x(x), self.y(y)] for x, y in line.points],
            }  # fmt: skip
            if wire in self.wires:
                entry["wire"] = wire
                entry["value"] = self.wires[wire].value
            if line.weight:
                entry |= {"weight": _round(line.weight), "head": round(line.head_size, 2)}
            found.append(entry | _looks(line))
        return found

    def texts(self) -> list[dict[str, Any]]:
        found = []
        for line in self.scene.texts:
            owner = line.id.removeprefix("back-").rpartition("-text")[0]
            wire, _, side = owner.rpartition("-")
            entry: dict[str, Any] = {
                "id": line.id, "text": line.text, "x": self.x(line.x), "y": self.y(line.y), "w": _round(line.width),
                "h": _round(line.height), "size": line.size, "role": line.role, "k": self.k(line.step),
            }  # fmt: skip
            if line.matrix:
                entry |= self.matrix(line, line.matrix)
            if line.role in ("name", "caption"):  # the end of it that touches an arrow stays in place
                entry["anchor"] = line.anchor
            if line.bold:
                entry["bold"] = True
            if line.halo:
                entry["halo"] = True
            if "parameter" in line.classes.split():
                entry["parameter"] = True
            if line.role == "legend":
                entry |= {"value": list(self.labels.keys)[int(line.id.removeprefix("note"))], "asked": asked(line.text)}
            elif side == "below" and wire in self.totals:
                entry |= {"wire": wire, "side": side, "value": self.totals[wire]}
            elif side in ("above", "below") and wire in self.wires:
                entry |= {"wire": wire, "side": side, "value": self.wires[wire].value}
            elif owner in self.places:
                entry["op" if owner in self.ops else "value"] = self.places[owner].ref
            found.append(entry | shows(entry, self.values, self.uses) | _looks(line))
        return found

    def matrix(self, text: Text, matrix: Matrix) -> dict[str, Any]:
        """Where the entries and the brackets of a matrix are."""
        entries, brackets = set_in_rows(text, matrix)
        return {
            "entries": [[entry.text, self.x(entry.box[2]), self.y(entry.y)] for entry in entries],
            "brackets": [[[self.x(x), self.y(y)] for x, y in bracket.points] for bracket in brackets],
        }

    def x(self, x: float) -> float:
        return _round(x - self.left)

    def y(self, y: float) -> float:
        return _round(self.top - y)

    # -- what they stand for ------------------------------------------------------------------------

    def operation(self, op: Operation) -> dict[str, Any]:
        n = len(self.graph.ops)
        step = next(k for k, other in enumerate(self.graph.ops, 1) if other is op)
        return {
            "name": clean(operation_name(op.name, self.teller.lang)),
            "symbol": self.labels.circle(op)[0].text,
            "parts": op.parts,
            "layer": op.shape != "circle",
            "settings": [[key, clean(rounded_text(value))] for key, value in op.settings],
            "within": " › ".join(clean(f"{part.kind} {part.name}".strip()) for part in op.scope),
            "says": self.teller.forward(op),
            **({} if self.teller.in_numbers else {"fixed": True}),
            "called": self.teller.called(op),
            "inputs": list(op.inputs),
            "outputs": list(op.outputs),
            "k": self.k(step),
            "back": self.k(2 * n + 2 - step),
        }

    def use(self, use: Use) -> dict[str, Any]:
        wire = self.wires.get(use.id)
        return {
            "value": use.value,
            "op": use.op,
            "flows": use.flows,
            "grad": cells(use.grad),
            **_worded(self.teller, use, self.values[use.value]),
            "parts": self.parts[use.id],
            "back": self.k(wire.back_step) if wire and use.flows else 0,
            "trunk": trunk if (trunk := trunk_id(use.value)) in self.wires or trunk in self.totals else None,
        }


def _looks(thing: Shape | Line | Text) -> dict[str, str]:
    """How something differs from others of its kind: highlighted or pale, of a sign."""
    marks = [mark for mark in LOOKS if mark in thing.classes.split()]
    return {"looks": " ".join(marks)} if marks else {}


def _round(x: float) -> float:
    return round(x, 1)

"""DOT: the language in which Graphviz is told what to place, and what to draw where.

`placement` asks for an order and heights: a box for each place, each wire's stub, each waypoint.
`drawing` states a finished scene, with every position; the engine `nop2` draws exactly that.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from viz.formats.render import INSTALL
from viz.layout.alignment import on_longest_ways
from viz.layout.columns import BELOW_A_GROUP, PASSING_HEIGHT, Heights, box_size, title_band, waypoints
from viz.layout.ordering import freed, leaves_in_order, results_in_order
from viz.layout.panels import components
from viz.layout.plan import AROUND_ANSWER, LEAST_ANSWER_WIDTH, Plan
from viz.layout.routing import unhurried
from viz.layout.scene import Line, Scene, Shape, Text
from viz.layout.stacking import borders, level_borders, ways
from viz.layout.typesetting import typeset
from viz.theme import Theme, dash, shade

FONT_NAME = "Helvetica"
BOLD_FONT_NAME = "Helvetica-Bold"
LEVEL = 50  # how much more it counts that lines are level than that things stand close
SURELY_STRAIGHT = "100"  # how much it counts that the way from layer to layer is straight, where a stub is 20
SURELY_LEVEL = 100  # how much the border of a group is to be level, where a stub is 20
CLOSE_TO_A_GROUP = 10  # how much it counts that a border is close to what is inside
PAD = 0.1  # inches around a drawing
HURRIED = {"nslimit": "0.05", "nslimit1": "1", "mclimit": "0.1", "searchsize": "10"}  # fewer rounds of its search


# ---------------------------------------------------------------------------------------------------
# Statements: written here, since `Digraph.node` takes 0.2 ms for each


def sheet(
    lines: Iterable[str], graph: Mapping[str, str], node: Mapping[str, str], edge: Mapping[str, str] | None = None
) -> str:
    """A directed graph of these statements, with attributes for all of it, all nodes and all edges."""
    try:
        import graphviz
    except ImportError:
        raise RuntimeError(INSTALL) from None
    made = graphviz.Digraph("figure", graph_attr=graph, node_attr=node, edge_attr=edge or {}, body=lines)
    return str(made.source)


def quote(text: str) -> str:
    r"""A string of DOT.

    >>> print(quote('say "x"'))
    "say \"x\""
    """
    return '"' + text.replace('"', '\\"') + '"'


def literal(text: str) -> str:
    r"""A label that shows exactly this text: no escape of Graphviz's (\N, \n) and no HTML entity in it."""
    return text.replace("&", "&amp;").replace("\\", "\\\\")


def node(name: str, /, html: str = "", **attributes: str) -> str:
    """The statement of a node; `html` is an HTML-like label."""
    label = f"label=<{html}> " if html else ""
    return f"\t{quote(name)} [{label}{_attributes(attributes)}]\n"


def edge(tail: str, head: str, /, **attributes: str) -> str:
    """The statement of an edge."""
    return f"\t{quote(tail)} -> {quote(head)} [{_attributes(attributes)}]\n"


def _attributes(attributes: Mapping[str, str]) -> str:
    return " ".join(f"{key}={quote(value)}" for key, value in attributes.items())


# ---------------------------------------------------------------------------------------------------
# What to place


def placement(plan: Plan, column: Mapping[str, int], free: Collection[str] = ()) -> str:
    """DOT for the layout: columns are given, heights are asked for; but for places that are `free`, inputs stand in order.

    Of a large plan, and of one with groups, only the order in each column is asked for.
    """
    free = {*free, *freed(plan)} if plan.order else free
    settings = {
        "rankdir": "LR",
        "nodesep": f"{plan.spacing.under / 72:.4g}",
        "ranksep": f"{plan.spacing.columns / 72:.3f}",
        "splines": "false",
    }
    if not unhurried(plan):
        settings |= {**HURRIED, "nslimit": "0"}  # only the order is read, so Graphviz need not look for heights
    leaves, part = leaves_in_order(plan), parts_in_order(plan)
    results = {place.id for place in plan.places if place.shape == "result"}
    one_by_one = bool(free) or len(leaves) > 1  # what is said of the whole hides what is said of single nodes
    if not one_by_one and unhurried(plan):
        settings["ordering"] = "in"
    lines = []
    for place in sorted(plan.places, key=lambda place: -part[place.id]):  # Graphviz stacks them from below
        kept = {"ordering": "in"} if one_by_one and place.id not in free else {}
        size = {"width": _inches(max(place.width, 4.0)), "height": _inches(max(place.height, 4.0))}
        lines.append(node(place.id, **size, **kept))
    straight = from_layer_to_layer(plan, column) if unhurried(plan) else ()
    for wire in sorted(plan.wires, key=lambda wire: (-part[wire.target], wire.position)):  # inputs in their order
        width, height = box_size(wire, plan.spacing)
        last = f"{wire.id}-box"
        leaving = edge(wire.source, last, weight=SURELY_STRAIGHT if wire.id in straight else "20")
        lines += [node(last, width=_inches(width), height=_inches(height)), leaving]
        for k in waypoints(wire, column):
            name = f"{wire.id}-{k}"
            lines += [node(name, width="0.05", height=_inches(PASSING_HEIGHT)), edge(last, name, weight="8")]
            last = name
        level = wire.kind == "trunk" or wire.target in results  # a name at the right stands level with its stub
        lines.append(edge(last, wire.target, weight=SURELY_STRAIGHT if wire.id in straight else "20" if level else "2"))
    lines += in_order(plan, part)
    stub = {wire.source: wire.id for wire in plan.wires}
    lines += from_the_left([(leaf.id, stub[leaf.id]) for leaf in leaves], column) if len(leaves) > 1 else ()
    return sheet(lines, settings, {"shape": "box", "fixedsize": "true", "label": ""})


def from_layer_to_layer(plan: Plan, column: Mapping[str, int]) -> set[str]:
    """The wires by which the value of a layer that forks goes on to the next: layers stand in a row, not like stairs."""
    layers = {place.id for place in plan.places if place.shape in ("box", "cloud")}
    main = on_longest_ways(plan, column)
    trunks = {wire.target: wire.id for wire in plan.wires if wire.kind == "trunk" and wire.source in layers}
    onwards = [wire for wire in plan.wires if wire.target in layers and wire.source in trunks and wire.id in main]
    return {id for wire in onwards for id in (wire.id, trunks[wire.source])}


def in_order(plan: Plan, part: Mapping[str, int]) -> Iterator[str]:
    """Yield an unseen node for each part of the figure, to which its results lead in order, so that they stand in it."""
    results = results_in_order(plan)
    if len(leaves_in_order(plan)) > 1:  # a beginning joins all parts
        given = any(place.ref in plan.order for place in results)
        results = results if given else sorted(results, key=lambda place: part[place.id])
        part = dict.fromkeys(part, 0)
    for k in sorted({part[place.id] for place in results}):
        own = [place for place in results if part[place.id] == k]
        if len(own) > 1:
            yield node(f"end-{k}", width="0.01", height="0.01", ordering="in")
            yield from (edge(place.id, f"end-{k}", weight="0") for place in own)


def from_the_left(stubs: Sequence[tuple[str, str]], column: Mapping[str, int]) -> Iterator[str]:
    """Yield an unseen node from which edges lead to the stubs of leaves in order, so that their names stand in it."""
    yield node("begin", width="0.01", height="0.01", ordering="out")
    for leaf, stub in stubs:
        way = ["begin", *[f"to-{leaf}-{k}" for k in range(column[leaf])], f"{stub}-box"]
        yield from (node(name, width="0.01", height="0.01") for name in way[1:-1])
        yield from (edge(a, b, weight="0") for a, b in pairwise(way))


def parts_in_order(plan: Plan) -> dict[str, int]:
    """For each place, which of the figure's separate parts it is in; those come first that an order was given for."""
    part = components(plan)
    rank = {value: k for k, value in enumerate(plan.order)}
    first: dict[int, int] = {}
    for place in plan.places:
        own = part[place.id]
        first[own] = min(first.get(own, len(rank)), rank.get(place.ref, len(rank)))
    number = {own: k for k, own in enumerate(sorted(first, key=lambda own: (first[own], own)))}
    return {place: number[own] for place, own in part.items()}


def placement_in_order(plan: Plan, column: Mapping[str, int], order: Sequence[Sequence[str]]) -> str:
    """DOT that asks for heights alone: what stands in each column, and the borders of groups, keep their order from above."""
    settings = {"rankdir": "LR", "nodesep": f"{plan.spacing.under / 72:.4g}", "ranksep": "0.05", "splines": "false"}
    if not unhurried(plan):
        settings |= {**HURRIED, "nslimit": "0.5"}
    edges, longest = borders(plan, column), on_longest_ways(plan, column)
    group = {group.id: group for group in plan.groups}
    size = {place.id: max(place.height, 4.0) for place in plan.places}
    size |= {f"{wire.id}-box": box_size(wire, plan.spacing)[1] for wire in plan.wires}
    for id, (top, bottom) in edges.items():
        size |= dict.fromkeys(top, title_band(group[id], plan.spacing))
        size |= dict.fromkeys(bottom, BELOW_A_GROUP)
    results = {place.id for place in plan.places if place.shape == "result"}
    lines = []
    for names in order:
        lines += [node(name, width="0.05", height=_inches(size.get(name, PASSING_HEIGHT))) for name in names]
        lines.append(f"\t{{ rank=same {' '.join(map(quote, names))} }}\n")
        lines += [edge(above, below, weight="1") for above, below in pairwise(names)]
    for wire, way in zip(plan.wires, ways(plan, column), strict=True):
        weights = [SURELY_LEVEL if wire.named else 20, *[8] * (len(way) - 3)]
        arriving = SURELY_LEVEL if wire.target in results else 20 if wire.kind == "trunk" else 2 + (wire.id in longest)
        weights = [*weights, arriving][-len(way) + 1 :]
        lines += [edge(a.name, b.name, weight=f"{LEVEL * n}") for (a, b), n in zip(pairwise(way), weights, strict=True)]
    follows = {above: below for names in order for above, below in pairwise(names)}
    precedes = {below: above for above, below in follows.items()}
    for border, beside in [pair for top, bottom in edges.values() for pair in ((top, follows), (bottom, precedes))]:
        for a, b in pairwise(border):
            lines.append(edge(a, b, weight=f"{LEVEL * SURELY_LEVEL}"))
            lines += [edge(a, beside[b], weight=f"{CLOSE_TO_A_GROUP}")] if b in beside else []
    lines += [edge(a, b, weight=f"{LEVEL * SURELY_LEVEL}") for a, b in level_borders(plan, column)]
    return sheet(lines, settings, {"shape": "box", "fixedsize": "true", "label": ""})


def read_heights(placed: bytes, plans: Iterable[Plan]) -> list[Heights]:
    """The heights of everything in each of these plans, in what Graphviz answered (json0)."""
    text, found = placed.decode(), []
    for plan in plans:
        answer, end = json.JSONDecoder().raw_decode(text)
        text = text[end:].lstrip()
        at = {entry["name"]: float(entry["pos"].split(",")[1]) for entry in answer["objects"] if "pos" in entry}
        found.append(Heights.of_plan(plan, at))
    return found


def _inches(points: float) -> str:
    return f"{points / 72:.4f}"


# ---------------------------------------------------------------------------------------------------
# What to draw


def drawing(scene: Scene, theme: Theme, hidden: Iterable[str] = (), zoom: float = 1.0, **settings: str) -> str:
    """DOT that states each position; the elements in `hidden` keep their place and are not drawn.

    zoom: how many times as large as in the scene everything is. settings: attributes of the whole, as `dpi` and `bgcolor`.
    """
    scene, unseen = typeset(scene), frozenset(hidden)
    faces = [shape for shape in scene.shapes if shape.points]
    others = [shape for shape in scene.shapes if not shape.points]
    lines = [node(shape.id, **(_shape(shape, theme) | _seen(shape.id, unseen))) for shape in others]
    lines += [_corner(id, x, y) for shape in faces for id, x, y in _bounds(shape)]
    lines += [_background([face for face in faces if face.id not in unseen], theme)] if faces else []
    known = {shape.id for shape in others}
    for line in scene.lines:
        for end in (line.tail, line.head):
            if end not in known:  # a name is text; an edge needs a node, which has no size
                known.add(end)
                lines.append(_corner(end, *(line.points[0] if end == line.tail else line.points[-1])))
        lines.append(edge(line.tail, line.head, **(_line(line, theme) | _seen(line.id, unseen))))
    lines += [node(text.id, **(_text(text, theme) | _seen(text.id, unseen))) for text in scene.texts]
    paper = {
        "layout": "nop2",
        "bgcolor": theme.paper,
        "outputorder": "edgesfirst",
        "pad": f"{PAD / zoom:.4g}",
        **settings,
    }
    if zoom != 1.0:
        left, bottom, right, top = scene.bounds()
        paper["size"] = ",".join(f"{zoom * length / 72 + 2 * PAD:.3f}" for length in (right - left, top - bottom)) + "!"
    return sheet(lines, paper, {"fixedsize": "shape", "fontname": FONT_NAME})  # a label's own size is a guess


def _corner(id: str, x: float, y: float) -> str:
    """A node that is not seen, and has no size: the end of a line, or what keeps a picture as large as it is."""
    return node(id, label="", shape="point", style="invis", width="0.01", pos=f"{x:.2f},{y:.2f}")


def _bounds(shape: Shape) -> Iterator[tuple[str, float, float]]:
    for k, sign in enumerate((-0.5, 0.5)):
        yield f"{shape.id}-corner{k}", shape.x + sign * shape.width, shape.y + sign * shape.height


def _background(faces: Sequence[Shape], theme: Theme) -> str:
    """Faces of solids, which no shape of a node can have, in the language that Graphviz draws backgrounds from (xdot).

    It is written in pieces, since Graphviz reads no string of more than 16,384 characters.
    """
    written = ["S 16 -setlinewidth(.5)"]
    for face in faces:
        outline, fill = _hex(theme.outline), theme.tint(*(face.fill or ("fill", 100)))
        corners = " ".join(f"{x:.2f} {y:.2f}" for x, y in face.points)
        written.append(f"c 7 -{outline} C 7 -{fill} P {len(face.points)} {corners}")
    return f"\t_background={' + '.join(quote(f'{piece} ') for piece in written)}\n"


def _hex(colour: str) -> str:
    return colour if colour.startswith("#") else {"white": "#FFFFFF", "black": "#000000"}[colour]


def _seen(id: str, unseen: frozenset[str]) -> dict[str, str]:
    return {"style": "invis"} if id in unseen else {}


def _shape(shape: Shape, theme: Theme) -> dict[str, str]:
    attributes = {
        "id": shape.id, "class": shape.classes, "label": "", "color": theme.colour(shape), "fillcolor": theme.fill,
        "style": "filled", "shape": shape.shape, "pos": f"{shape.x:.2f},{shape.y:.2f}",
        "width": _inches(shape.width), "height": _inches(shape.height),
    }  # fmt: skip
    if shape.shape == "box":
        attributes["style"] = "filled,rounded"
    if shape.shape == "cloud":  # its outline is drawn as a line of the scene
        attributes |= {
            "shape": "ellipse", "color": theme.fill,
            "width": _inches(0.9 * shape.width), "height": _inches(0.9 * shape.height),
        }  # fmt: skip
    if shape.shape == "group":
        attributes |= {"shape": "box", "style": "rounded,dashed"}
    if shape.shape == "fork":
        attributes |= {"shape": "circle", "fillcolor": theme.colour(shape)}
    if "lit" in shape.classes.split():
        attributes["penwidth"] = "2"
    if shape.fill is not None:
        attributes |= {
            "shape": "box", "fillcolor": theme.tint(*shape.fill), "tooltip": literal(shape.title),
            "style": "filled,dashed" if shape.shape == "dashed" else "filled",
            "penwidth": "0" if shape.shape == "band" else "0.5",
        }  # fmt: skip
    return attributes


def _line(line: Line, theme: Theme) -> dict[str, str]:
    size = line.head_size
    points = list(line.points)
    tip = points[-1]
    if line.tip:
        (x0, y0), (x1, y1) = points[-2], tip
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
        back = min(10.0 * size, length * 0.9)
        points[-1] = (x1 - (x1 - x0) / length * back, y1 - (y1 - y0) / length * back)
    curve = [points[0]]
    for (x0, y0), (x1, y1) in pairwise(points):
        curve += [(x0 + (x1 - x0) / 3, y0 + (y1 - y0) / 3), (x0 + (x1 - x0) * 2 / 3, y0 + (y1 - y0) * 2 / 3), (x1, y1)]
    end = f"e,{tip[0]:.2f},{tip[1]:.2f} " if line.tip else ""
    return {
        "id": line.id, "class": line.classes, "pos": end + " ".join(f"{x:.2f},{y:.2f}" for x, y in curve),
        "color": theme.colour(line),
        "penwidth": f"{line.thickness:g}",
        **({"style": dash(line)} if dash(line) else {}),
        "arrowhead": ("normal" if line.backward else "empty") if line.tip else "none",
        "arrowsize": f"{size:g}",
    }  # fmt: skip


def blank_size(text: Text) -> tuple[float, float]:
    """The width and the height of the box that an answer is to be written into."""
    return max(text.width, LEAST_ANSWER_WIDTH), text.height - AROUND_ANSWER


def _text(text: Text, theme: Theme) -> dict[str, str]:
    if text.role == "blank":  # room for an answer
        return {
            "id": text.id, "class": f"text {text.classes}", "label": "", "shape": "box", "style": "rounded",
            "color": theme.tint("outline", shade(text)[1]), "pos": f"{text.x:.2f},{text.y:.2f}",
            "width": _inches(blank_size(text)[0]), "height": _inches(blank_size(text)[1]),
        }  # fmt: skip
    if text.role == "key":
        return {
            "id": text.id, "class": f"text {text.classes}", "label": literal(text.text), "shape": "box", "style": "filled",
            "color": theme.tint("outline", shade(text)[1]), "fillcolor": theme.paper, "fontcolor": theme.colour(text),
            "fontsize": f"{text.size:g}",
            "pos": f"{text.x:.2f},{text.y:.2f}", "width": _inches(text.width), "height": _inches(text.height), "margin": "0",
        }  # fmt: skip
    aligned = {"start": "\\l", "end": "\\r", "middle": ""}[text.anchor]
    return {
        "id": text.id, "class": f"text {text.classes}", "label": literal(text.text) + aligned, "shape": "plaintext",
        "pos": f"{text.x:.2f},{text.y:.2f}", "width": _inches(text.width), "height": _inches(text.height),
        "fontcolor": theme.colour(text), "fontname": BOLD_FONT_NAME if text.bold else FONT_NAME, "fontsize": f"{text.size:g}", "margin": "0",
        **({"style": "filled", "fillcolor": theme.paper} if text.halo else {}),
    }  # fmt: skip

"""Drawing: the figure of a graph."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from viz.formats import mermaid, styles
from viz.formats.dot import MOST_WIRES_UNHURRIED, placement, read_heights
from viz.formats.render import graphviz
from viz.formats.styled_scene import styled_plan, styled_scene
from viz.formats.svg import tidy
from viz.languages import words
from viz.layout.alignment import straight_heights
from viz.layout.clearance import faults
from viz.layout.columns import columns
from viz.layout.geometry import draw_lines
from viz.layout.groups import grouped
from viz.layout.panels import side_by_side
from viz.layout.plan import SMALL_FONT, Plan, Words, make_plan
from viz.layout.scene import Scene
from viz.look import Look
from viz.picture import Picture
from viz.record.graph import Graph
from viz.record.passes import only_path
from viz.record.slopes import Reading
from viz.theme import THEMES
from viz.wording import sentences as text
from viz.wording.labels import FigureLabels

EXCHANGEABLE = ("add", "multiply", "maximum", "minimum")  # operations whose inputs may stand in any order


class Drawing(Picture):
    """A figure. It shows itself in a notebook, and saves itself as `.svg .pdf .png .pptx .dot .html .json .md .tex .txt`.

    graph: what is drawn, as plain data.
    labels: the texts on it.
    look: its style, theme, direction and language.
    whole: the graph before parts of it were collapsed.
    reading: the chain rule at each use.

    `draw` makes one. Where everything on it stands is its `scene`.

    >>> import tinygrad_edu as tg
    >>> figure = tg.draw(tg.Tensor(2.0, name="x", requires_grad=True) * 3.0)
    >>> type(figure).__name__, [op.name for op in figure.graph.ops]
    ('Drawing', ['multiply'])
    """

    def __init__(
        self,
        graph: Graph,
        labels: FigureLabels,
        look: Look,
        *,
        whole: Graph | None = None,
        reading: Reading | None = None,
    ) -> None:
        self.graph, self.labels, self.look = graph, labels, look
        self.whole, self.reading = whole or graph, reading or Reading()

    # -- what is where ------------------------------------------------------------------------------

    @cached_property
    def plan(self) -> Plan:
        """What is to be placed."""
        if self.look.style != "book":
            return styled_plan(self.graph, self.labels, self.look.style)
        return make_plan(self.graph, self.labels)

    @cached_property
    def scene(self) -> Scene:
        """Every shape, line and text in its place."""
        notes = [Words(note, "note", size=SMALL_FONT) for note in self.graph.notes]
        if self.look.style != "book":
            return styled_scene(self.plan, self.render("json0"), notes)
        column = columns(self.plan)
        plan = grouped(self.plan, self.graph, column)

        def laid_out(free: frozenset[str] = frozenset()) -> Scene:
            heights = read_heights(graphviz(placement(plan, column, free), "dot", "json0", self.look.timeout))
            if large and not plan.groups:
                heights = straight_heights(plan, column, heights.of)
            return draw_lines(plan, column, heights, [*self.labels.legend(), *notes], self.look.panels)

        large = len(plan.wires) >= MOST_WIRES_UNHURRIED
        scene = laid_out()
        free = frozenset(op.id for op in self.graph.ops if op.shape == "cloud" or op.name in EXCHANGEABLE)
        if free and not large and faults(scene):  # lines of inputs may cross others only because they are kept in order
            scene = min(scene, laid_out(free), key=faults)
        if self.look.direction == "side-by-side":
            said = words(self.look.lang)
            scene = side_by_side(scene, said["forward"], said["backward"])
        elif self.look.direction == "backward":
            scene = scene.without(lambda classes: "forward" in classes)
        return scene

    @property
    def name(self) -> str:
        """What the figure is of, as a title."""
        return words(self.look.lang)["figure"].format(name=text.called(self.graph))

    # -- in each format -----------------------------------------------------------------------------

    def dot(self, hidden: Iterable[str] = (), **settings: str) -> str:
        """DOT text. In the style "book" it states every position, for Graphviz's engine nop2, which it names."""
        if self.look.style == "book":
            return super().dot(hidden, **settings)
        return styles.styled(self.graph, self.labels, self.look.style, THEMES[self.look.theme], **settings)

    def svg(self, hidden: Iterable[str] = (), *, background: str | None = None) -> str:
        """The picture as SVG. Each element has an id and a class of its own, the same in every frame."""
        titles = {op.id: op.name for op in self.graph.ops}
        return tidy(self.render("svg", hidden, background=background).decode(), titles, self.name, self.text())

    def of(self, graph: Graph, labels: FigureLabels) -> Drawing:
        """Another figure of the same computation, in the same look: with layers closed, or other labels."""
        return Drawing(graph, labels, self.look, whole=self.whole, reading=self.reading)

    def html(self) -> str:
        """A page of its own, to step through the computation: needs no network."""
        from viz.formats.html import page

        return page(self)

    def json(self) -> str:
        """The graph as JSON; `Graph.from_json` reads it."""
        return self.graph.to_json(indent=1)

    def mermaid(self) -> str:
        """A Mermaid flowchart, for Markdown pages."""
        return mermaid.flowchart(self.graph, self.labels)

    def markdown(self) -> str:
        """The flowchart as a part of a Markdown page."""
        return f"```mermaid\n{self.mermaid()}```\n"

    def tikz(self, hidden: Iterable[str] = ()) -> str:
        """A TikZ picture, for LaTeX, of a figure in the style "book"."""
        if self.look.style != "book":
            raise ValueError(f"TikZ is drawn in the style 'book', not {self.look.style!r}")
        return super().tikz(hidden)

    def text(self) -> str:
        """The figure in words: a sentence for each value that is given and each operation. An exercise keeps its answers."""
        told = only_path(self.graph, ()) if self.labels.grad == "blank" else self.graph
        return text.sentences(told, self.look.lang)

    def letters(self) -> str:
        """All that is written on it."""
        places = [line for place in self.plan.places for line in place.lines]
        wires = [line for wire in self.plan.wires for line in (*wire.above, *wire.below)]
        return "".join([line.text for line in (*places, *wires, *self.labels.legend())] + list(self.graph.notes))

    def __repr__(self) -> str:
        return f"<figure of {len(self.graph.ops)} operations>"

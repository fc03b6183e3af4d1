"""Drawing: the figure of a graph."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from types import MappingProxyType

from viz.emphasis import highlighted, weighted
from viz.fitted import Fitted
from viz.folded import room_in, ways_to_fit
from viz.formats import mermaid, styles
from viz.formats.dot import placement, placement_in_order, read_heights
from viz.formats.render import NEXT_GRAPH, graphviz
from viz.formats.styled_scene import styled_plan, styled_scene
from viz.formats.svg import tidy
from viz.languages import words
from viz.layout.alignment import centred, straight_heights
from viz.layout.captions import captioned, explained, noted, titled
from viz.layout.clearance import beheaded, crossed, faults, merged, overlapping, struck
from viz.layout.columns import Heights, columns, crowded
from viz.layout.geometry import draw_lines
from viz.layout.ordering import at_the_left, kept
from viz.layout.page import READABLE_LETTERS, too_small
from viz.layout.panels import beside, side_by_side
from viz.layout.plan import FONT, SMALL_FONT, Plan, Words, make_plan
from viz.layout.routing import unhurried
from viz.layout.rows import (
    COMFORTABLE_LETTERS,
    Placed,
    below_each_other,
    expected_letters,
    joined,
    preference,
    size_placed,
    told_apart,
)
from viz.layout.scene import Scene
from viz.layout.spacing import spacing_of
from viz.layout.spans import settled
from viz.layout.stacking import stacked
from viz.legend import meanings, scale
from viz.look import Look
from viz.record.graph import Graph
from viz.record.passes import only_path
from viz.record.slopes import Reading
from viz.theme import THEMES
from viz.wording import sentences as text
from viz.wording.labels import FigureLabels, clean
from viz.wording.operations import operation_name

EXCHANGEABLE = ("add", "multiply", "maximum", "minimum")  # operations whose inputs may stand in any order
LONGEST_NAME = 200  # characters of a title, where it names the figure
APART = 2.5  # times as far apart as usual stand things in a column, where lines come too close to others
LEAST_HOPE = 0.88  # a way that promises less than this share of the best letters found is not tried
MOST_OPERATIONS_UNHURRIED = 40  # operations, beyond which only two ways are drawn
MOST_OPERATIONS_MENDED = 150  # operations, beyond which one other way is tried where lines come too close
MOST_WAYS_DRAWN = 4  # ways to put a figure into rows, of which that with the fewest faults is taken


def further_apart(plan: Plan, times: float) -> Plan:
    """A plan in whose columns things stand so many times as far apart."""
    return replace(plan, spacing=replace(plan.spacing, under=plan.spacing.under * times))


def _faults(drawn: tuple[Scene, Placed]) -> int:
    return faults(drawn[0])


class Drawing(Fitted):
    """A figure. It shows itself in a notebook, and saves itself as `.svg .pdf .png .pptx .dot .html .json .md .tex .txt`.

    graph: what is drawn, as plain data.
    labels: the texts on it.
    look: its style, theme, direction and language.
    whole: the graph before parts of it were collapsed.
    reading: the chain rule at each use.
    measured: whether it says so when its letters are too small for the page that it is to fit.

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
        measured: bool = True,
    ) -> None:
        self.graph, self.labels, self.look, self.measured = graph, labels, look, measured
        self.whole, self.reading = whole or graph, reading or Reading()

    # -- what is where ------------------------------------------------------------------------------

    @cached_property
    def plan(self) -> Plan:
        """The places, wires and groups of the figure, before they have positions."""
        if self.look.style != "book":
            return styled_plan(self.graph, self.labels, self.look.style)
        if self.look.page:
            return joined(self._fitted[0])
        spacing = spacing_of(1.0 if self.look.spacing is None else self.look.spacing)
        return make_plan(
            self.graph, self.labels, replace(spacing, down=self.look.flow == "down"), order=self.look.order
        )

    @cached_property
    def scene(self) -> Scene:
        """Every shape, line and text in its place."""
        if self.look.style != "book":
            notes = [Words(note, "note", size=SMALL_FONT) for note in self.graph.notes]
            return styled_scene(self.plan, self.render("json0"), notes)
        if not self.look.page:
            return self._finished(self._placed([(self.plan, 0)]))
        scene = self._fitted[1]
        small = self._letters(scene)
        if self.measured and self.look.font_size and small < self.look.font_size - 0.05:
            raise ValueError(too_small(self.look.page, small, self.look.font_size))
        if small >= READABLE_LETTERS or not self.measured:
            return scene
        page = dict(zip(("width", "height"), self.look.page, strict=True))
        for _ in range(2):  # the note takes room itself
            said = words(self.look.lang)["letters"].format(points=small, **page)
            with_note = noted(scene, [Words(said, "note", size=SMALL_FONT)])
            small = self._letters(with_note)
        warnings.warn(too_small(self.look.page, small, READABLE_LETTERS), stacklevel=2)
        return with_note

    @cached_property
    def _fitted(self) -> tuple[tuple[Plan, ...], Scene]:
        """The rows of a figure that fits its page, and the scene of them: with the largest letters, and without faults."""
        ways = ways_to_fit(self.graph, self.labels, self.look)
        ways = [way for way in ways if way.letters >= LEAST_HOPE * min(ways[0].letters, COMFORTABLE_LETTERS)]
        rows_of_all = iter(self._placed([(row, k) for way in ways for k, row in enumerate(way.rows)]))
        placed = []
        for way in ways:
            rows = list(islice(rows_of_all, len(way.rows)))
            room = room_in(self.look, rows[0].plan.spacing.down)
            placed.append((expected_letters([size_placed(row) for row in rows], room), rows))
        placed.sort(key=lambda pair: preference(pair[0], pair[1], pair[1][0].plan.spacing.down))
        best: tuple[int, Scene, list[Placed]] | None = None
        for letters, rows in placed[: MOST_WAYS_DRAWN if len(self.graph.ops) <= MOST_OPERATIONS_UNHURRIED else 2]:
            if best and (not best[0] or letters < LEAST_HOPE * min(placed[0][0], COMFORTABLE_LETTERS)):
                break
            scene = self._finished(rows)
            wrong = faults(scene) + len(overlapping(scene))
            if best is None or wrong < best[0]:
                best = wrong, scene, rows
        assert best
        return tuple(row.plan for row in best[2]), best[1]

    def _finished(self, rows: Sequence[Placed]) -> Scene:
        """The scene of one row or several, as it is shown in its direction, with what is written below it."""
        notes = [*self.labels.legend(), *[Words(note, "note", size=SMALL_FONT) for note in self.graph.notes]]
        look, said = self.look, words(self.look.lang)
        scene = below_each_other(self._laid_out(rows))
        if rows[0].plan.spacing.down:
            scene = scene.turned()
            scene = beside(scene, rows[0].plan, look.titles) if look.panels else scene
        if look.weighted:
            scene = weighted(scene, self.graph, rows[0].plan.spacing.down)
        if look.highlight:
            scene = highlighted(scene, self.graph, look.highlight)
        scene = noted(scene, notes)
        if look.direction == "side-by-side":
            scene = side_by_side(scene, look.titles or (said["forward"], said["backward"]))
        elif look.direction == "backward":
            scene = scene.without(lambda classes: "forward" in classes)
        key = [*(meanings(scene, look.lang) if look.explained else ())]
        key += scale(scene, self.graph, look.lang) if look.weighted else ()
        scene = captioned(explained(scene, key, FONT if look.page else SMALL_FONT), look.caption)
        return titled(scene, look.title)

    def _placed(self, rows: Iterable[tuple[Plan, int]]) -> list[Placed]:
        """Return each row with its columns and heights; each is given with its number in its arrangement."""
        plans = []
        for row, number in rows:
            column = columns(row)
            plans.append((told_apart(settled(row, column), number), column))
        found = []
        all_heights = self._heights(plans, self._free)
        moved = [k for k, (plan, _) in enumerate(plans) if plan.order and not kept(plan, all_heights[k])]
        for k in moved:
            plans[k] = plans[k][0], at_the_left(*plans[k])
        for k, heights in zip(
            moved, self._heights([plans[k] for k in moved], self._free) if moved else (), strict=True
        ):
            all_heights[k] = heights
            if not kept(plans[k][0], heights):
                warnings.warn("the boxes around layers keep the rows from the order= that was given", stacklevel=2)
        for (plan, column), heights in zip(plans, all_heights, strict=True):
            straight = not (unhurried(plan) or plan.groups)
            placed = straight_heights(plan, column, heights.of) if straight else centred(plan, column, heights)
            found.append(Placed(plan, column, placed))
        return found

    @cached_property
    def _exchangeable(self) -> frozenset[str]:
        """The operations whose inputs may stand in any order where lines would come too close to others."""
        return frozenset(op.id for op in self.graph.ops if op.shape == "cloud" or op.name in EXCHANGEABLE)

    @cached_property
    def _free(self) -> frozenset[str]:
        """The operations whose inputs stand in any order at once: clouds, for these do not say what they compute."""
        clouds = frozenset(op.id for op in self.graph.ops if op.shape == "cloud")
        return self._exchangeable if self.look.any_order else clouds

    def _heights(self, plans: Sequence[tuple[Plan, Mapping[str, int]]], free: frozenset[str]) -> list[Heights]:
        """Ask Graphviz for the heights in these plans; inputs of operations that are `free` may stand in any order."""
        found = self._asked(plans, [placement(plan, column, free) for plan, column in plans])
        boxed = [k for k, (plan, _) in enumerate(plans) if plan.groups]
        if boxed:
            again = [placement_in_order(*plans[k], stacked(*plans[k], found[k])) for k in boxed]
            for k, heights in zip(boxed, self._asked([plans[k] for k in boxed], again), strict=True):
                found[k] = heights
        return found

    def _asked(self, plans: Sequence[tuple[Plan, Mapping[str, int]]], dots: Sequence[str]) -> list[Heights]:
        """Send Graphviz the text in `dots` for each plan, in one call, and return the heights that it answers."""
        answer = graphviz(NEXT_GRAPH.join(dots), "dot", "json0", self.look.timeout)
        return read_heights(answer, [plan for plan, _ in plans])

    def _laid_out(self, rows: Sequence[Placed]) -> list[Scene]:
        """The scenes of rows. Where lines come too close to others, they are laid out in other ways, until none does.

        Lines may cross others only because inputs are kept in order, or because things in a column stand close; where they
        must cross, they get more room for it.
        """
        panels = self.look.panels and not rows[0].plan.spacing.down

        def drawn(row: Placed, wider: Mapping[int, float] = MappingProxyType({})) -> tuple[Scene, Placed]:
            return draw_lines(*row, panels, self.look.titles, wider), row

        found = [drawn(row) for row in rows]
        free, few = self._exchangeable, len(self.graph.ops) <= MOST_OPERATIONS_MENDED
        ways = ((free, 1.0), (self._free, APART), (free, APART)) if few else ((free, 1.0),)
        for any_order, apart in ways:
            wrong = [k for k, row in enumerate(rows) if unhurried(row.plan) and faults(found[k][0])]
            if not wrong:
                break
            plans = [(further_apart(rows[k].plan, apart), rows[k].column) for k in wrong]
            for k, (plan, column), heights in zip(wrong, plans, self._heights(plans, any_order), strict=True):
                if not plan.order or kept(plan, heights):
                    found[k] = min(found[k], drawn(Placed(plan, column, heights)), key=_faults)
        for k, (scene, row) in enumerate(found):
            pairs = [*struck(scene), *crossed(scene), *beheaded(scene), *merged(scene)] if few else []
            wider = crowded(row.plan, row.column, pairs)
            for share in (0.5, 1.0) if pairs else ():
                found[k] = min(found[k], drawn(row, {at: share * room for at, room in wider.items()}), key=_faults)
        return [scene for scene, _ in found]

    @property
    def frame_steps(self) -> list[int]:
        """The steps that are frames: not what stands around the figure from the beginning."""
        return [step for step in super().frame_steps if step or not self.graph.ops]

    def told(self, step: int) -> str:
        """What is computed in a step, in words."""
        return text.Teller(self.graph, self.look.lang, self.labels).step(step)

    @property
    def name(self) -> str:
        """What the figure is of, as a title."""
        return clean(self.look.title, LONGEST_NAME) or words(self.look.lang)["figure"].format(
            name=text.called(self.graph, self.labels)
        )

    # -- in each format -----------------------------------------------------------------------------

    def dot(self, hidden: Iterable[str] = (), **settings: str) -> str:
        """DOT text. In the style "book" it states every position, for Graphviz's engine nop2, which it names."""
        if self.look.style == "book":
            return super().dot(hidden, **settings)
        return styles.styled(self.graph, self.labels, self.look.style, THEMES[self.look.theme], **settings)

    def svg(self, hidden: Iterable[str] = (), *, background: str | None = None) -> str:
        """The picture as SVG. Each element has an id and a class of its own, the same in every frame."""
        titles = {op.id: operation_name(op.name, self.look.lang) for op in self.graph.ops}
        return tidy(self.render("svg", hidden, background=background).decode(), titles, self.name, self.text())

    def of(self, graph: Graph, labels: FigureLabels) -> Drawing:
        """Another figure of the same computation, in the same look: with layers closed, or other labels."""
        return Drawing(graph, labels, self.look, whole=self.whole, reading=self.reading, measured=False)

    def on(self, page: tuple[float, float] | None) -> Drawing:
        """The same figure on a page of this width and height in inches, or as it is; it does not say how high its letters are."""
        look = replace(self.look, page=page, font_size=None)
        return Drawing(self.graph, self.labels, look, whole=self.whole, reading=self.reading, measured=False)

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
        return "\n".join(filter(None, (text.sentences(told, self.look.lang, self.labels), self.look.caption)))

    def plain(self) -> str:
        """The figure in words, and below them the matrices that are on it, in rows between brackets."""
        told = only_path(self.graph, ()) if self.labels.grad == "blank" else self.graph
        matrices = text.matrices(told, self.labels)
        return "\n\n".join([self.text(), *matrices])

    def letters(self) -> str:
        """The text of everything on the figure, in one string, to see which fonts it needs."""
        places = [line for place in self.plan.places for line in place.lines]
        wires = [line for wire in self.plan.wires for line in (*wire.above, *wire.below)]
        return "".join([line.text for line in (*places, *wires, *self.labels.legend())] + list(self.graph.notes))

    def __repr__(self) -> str:
        return f"<figure of {len(self.graph.ops)} operations>"

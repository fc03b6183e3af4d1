"""The block diagram of a network: maps of features to scale, the windows that layers read, and what they are called."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any

from viz.blocks.hourglass import STAGGERS, USUAL_STAGGER, Hourglass, Level, hourglass
from viz.blocks.naming import WORDS_OF_MAPS, Naming
from viz.blocks.network import Map, Network, read
from viz.blocks.notes import with_notes
from viz.blocks.placing import place, rows_of
from viz.blocks.repeats import breakable, folded
from viz.blocks.standing import SPREADS
from viz.fitted import Fitted
from viz.formats.svg import chart, picture_page
from viz.languages import words
from viz.layout.captions import captioned, titled
from viz.layout.page import READABLE_LETTERS, too_small
from viz.layout.rows import preference
from viz.layout.scene import Scene
from viz.look import Look
from viz.record.graph import Graph, Part
from viz.record.passes import depth
from viz.theme import THEMES
from viz.wording.labels import clean

LEAST_LETTERS_OF_MAPS = 8.0  # points, on a slide, of a network that is to fit no page: else its modules are closed
CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")  # modules that say nothing of what is in them
USUAL_PAGE = (13.333, 7.5)  # inches: what a diagram is to be read on, if it is not told
MOST_ROWS_OF_MAPS = 6  # rows, at most
MOST_MAPS_UNCLOSED = 150  # maps, beyond which it is not tried whether letters of that height fit


class BlockDiagram(Fitted):
    """A network as a block diagram. `.svg .html .json .tex .txt .pptx` need no Graphviz, `.png .pdf .dot` do.

    network: its maps and layers, as plain data.
    look: its theme, language and page.
    sizes: what to write in the place of a length.
    title: what the network is called.
    measured: whether it says so when its letters are too small for the page that it is to fit.

    `draw(y, style="blocks")` makes one.

    >>> import numpy as np, tinygrad_edu as tg
    >>> from tinygrad_edu import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    >>> figure = tg.draw(net(np.ones((1, 1, 8, 8), np.float32)), style="blocks")
    >>> print(figure.text())
    1 @ 8×8.
    1 @ 8×8 (conv 3×3, padding 1, ReLU) → 4 @ 8×8.
    4 @ 8×8 (max pool 2×2) → 4 @ 4×4.
    """

    formats = ("svg", "pdf", "png", "dot", "html", "json", "tex", "txt", "pptx")
    usual_letters = WORDS_OF_MAPS

    def __init__(
        self, network: Network, look: Look, sizes: Mapping[int, str], title: str, *, measured: bool = True
    ) -> None:
        self.network, self.look, self.sizes, self.title, self.measured = network, look, sizes, title, measured
        self.naming = Naming(look.lang, sizes)

    @cached_property
    def scene(self) -> Scene:
        """Every solid, line and text in its place. Raises ValueError where letters cannot be as large as is asked for."""
        scene = self._best(self.look.font_size or READABLE_LETTERS)
        if not self.look.page:
            return self._framed(scene)
        page = dict(zip(("width", "height"), self.look.page, strict=True))
        framed = self._framed(scene)
        small = self._letters(framed)
        if self.look.font_size and small < self.look.font_size - 0.05:
            raise ValueError(too_small(self.look.page, small, self.look.font_size))
        if small >= READABLE_LETTERS or not self.measured:
            return framed
        for _ in range(2):  # the note takes room itself
            said = words(self.look.lang)["letters"].format(points=small, **page)
            with_note = self._framed(scene, said)
            small = self._letters(with_note)
        warnings.warn(too_small(self.look.page, small, READABLE_LETTERS), stacklevel=2)
        return with_note

    def _best(self, wanted: float) -> Scene:
        """Draw the network as a U if it has that form, else in rows; in rows too if letters of the U are below `wanted`.

        Things stand only as close as such letters need; where none are so high, the scene with the highest is taken.
        """
        levels = hourglass(self.network)
        found: list[tuple[float, Scene]] = []
        for groups in [*([self._as_a_u(levels)] if levels else ()), self._in_rows()]:
            largest = 0.0
            for group in groups:
                sized = [(self._letters(self._framed(scene)), rows, scene) for rows, scene in group]
                letters, _, scene = min(sized, key=lambda way: preference(way[0], way[1]))
                if letters >= wanted or not self.look.page:
                    return scene
                if letters > largest:
                    largest = letters
                    found.append((letters, scene))
        return max(found, key=lambda way: way[0])[1]

    def _as_a_u(self, levels: Sequence[Level]) -> Iterator[list[tuple[Sequence[Any], Scene]]]:
        """The network down on the left and up on the right, each level under the one above as far as there is room."""
        for spread in SPREADS if self.look.page else SPREADS[:1]:
            for stagger in STAGGERS if self.look.page else (USUAL_STAGGER,):
                yield [(levels, Hourglass(levels, self.network, self.naming, spread, stagger).scene())]

    def _in_rows(self) -> Iterator[list[tuple[Sequence[Any], Scene]]]:
        """The network in one row, and, if it is to fit a page, in more."""
        parts = breakable(self.network)
        inside = {id for fold in self.network.folds for id in fold.maps[1:]}
        allowed = [k for k in range(1, len(parts)) if parts[k][0].id not in inside]
        most = min(MOST_ROWS_OF_MAPS, len(allowed) + 1) if self.look.page else 1
        weights = [self._width(part) for part in parts]
        ways = [rows_of(parts, _breaks(weights, allowed, count)) for count in range(1, most + 1)]
        for spread in SPREADS if self.look.page else SPREADS[:1]:
            yield [
                (rows, place(rows, self.network.folds, self.naming, spread, every=self.network.by_id)) for rows in ways
            ]

    def _width(self, part: list[Map]) -> float:
        left, _, right, _ = place([part], (), self.naming, every=self.network.by_id).bounds()
        return right - left

    def _framed(self, scene: Scene, letters: str = "") -> Scene:
        """A scene with what stands around it: notes and a caption below it, its title above."""
        said = words(self.look.lang)
        theme = THEMES[self.look.theme]
        blue = any(one.learned for one in self.network.maps) and theme.parameter != theme.ink
        windows = any(shape.id.endswith("-window") for shape in scene.shapes)
        short = self.naming.shortened(self.network)
        notes = [said["scales"], said["blue"] * blue, said["windows"] * windows, f"{short}." * bool(short), letters]
        scene = with_notes(scene, " ".join(filter(None, notes)))
        return titled(captioned(scene, self.look.caption), self.look.title)

    @property
    def name(self) -> str:
        """What the figure is of, as a title."""
        return clean(self.look.title) or words(self.look.lang)["network"].format(name=self.title)

    # -- in each format -----------------------------------------------------------------------------

    def svg(self, hidden: Iterable[str] = (), *, background: str | None = None) -> str:
        """The picture as SVG. Each element has an id, and a map says its size where the mouse rests on it."""
        return chart(self.scene, THEMES[self.look.theme], self.name, self.text(), hidden, background, self.zoom)

    def html(self) -> str:
        """A page of its own, with the picture and its words."""
        return picture_page(self.svg(), self.name, self.text(), THEMES[self.look.theme], self.look.lang)

    def json(self) -> str:
        """The maps, and the layers between them, as JSON."""
        return json.dumps(asdict(self.network), indent=1, ensure_ascii=False) + "\n"

    def text(self) -> str:
        """The network in words: a sentence for each map."""
        return "\n".join([*self.naming.sentences(self.network), *[self.look.caption] * bool(self.look.caption)])

    def told(self, step: int) -> str:
        """The map that appears at a step, and how it is made, in words."""
        fronts = {thing.id.removesuffix("-front"): thing.step for thing in self.scene.shapes if "-front" in thing.id}
        sentences: list[str] = []  # of this map, and of those before it that are drawn as parts of it
        for one, sentence in zip(
            self.network.maps, self.naming.sentences(replace(self.network, folds=())), strict=True
        ):
            sentences.append(sentence)
            if fronts.get(one.id) == step:
                return "\n".join(sentences)
            if one.id in fronts:
                sentences = []
        return ""

    def can_be_read(self, least: float) -> bool:
        """Whether its letters can be as high as this, in points, on its page."""
        return self._letters(self._framed(self._best(least))) >= least

    def __repr__(self) -> str:
        return f"<block diagram of {len(self.network.maps)} maps>"


def block_diagram(
    graph: Graph, look: Look, *, collapse: Any, chosen: Callable[[Part], bool] | None, sizes: Mapping[int, str]
) -> BlockDiagram:
    """The block diagram of a graph, folded so far that it can be read, or as is asked for.

    collapse: "auto", None (nothing is folded), or anything else: then the calls that are `chosen` are one layer each.
    """
    title = next((part.kind for op in graph.ops for part in op.scope), "") or next(
        (value.name for value in graph.values[::-1] if value.name), ""
    )

    def diagram(chosen: Callable[[Part], bool] | None, fold: bool = True) -> BlockDiagram:
        network = read(graph, chosen)
        return BlockDiagram(folded(network) if fold else network, look, sizes, title)

    if collapse is None or chosen is not None:
        return diagram(chosen, fold=collapse is not None)
    best = diagram(None)
    levels = max((len(op.scope) for op in graph.ops), default=0)
    for level in range(levels - 1, 1, -1):  # the outermost module is the whole
        if _readable(best):
            break
        so_deep = depth(graph, level)
        best = diagram(lambda part, so_deep=so_deep: so_deep(part) and part.kind not in CONTAINERS)  # type: ignore[misc]
    return best


def _readable(figure: BlockDiagram) -> bool:
    """Whether its letters are large enough on its page; without a page, whether they are not all too small on a slide."""
    least = READABLE_LETTERS if figure.look.page else LEAST_LETTERS_OF_MAPS
    if len(figure.network.maps) > MOST_MAPS_UNCLOSED * (LEAST_LETTERS_OF_MAPS / least) ** 2:
        return False
    look = figure.look if figure.look.page else replace(figure.look, page=USUAL_PAGE)
    tried = BlockDiagram(figure.network, replace(look, font_size=None), figure.sizes, figure.title, measured=False)
    return tried.can_be_read(figure.look.font_size or least)


def _breaks(weights: list[float], allowed: list[int], count: int) -> list[int]:
    """Where to break parts of these widths into so many rows, so that the widest is as narrow as can be."""
    if count == 1:
        return []
    ends = [0, *allowed, len(weights)]
    upto = [sum(weights[:k]) for k in ends]
    best: list[list[tuple[float, list[int]]]] = [[(upto[j], []) for j in range(len(ends))]]
    for _ in range(count - 1):
        row = []
        for j in range(len(ends)):
            ways = [(max(best[-1][i][0], upto[j] - upto[i]), [*best[-1][i][1], ends[i]]) for i in range(1, j)]
            row.append(min(ways, default=(float("inf"), []), key=lambda way: way[0]))
        best.append(row)
    return best[-1][-1][1]

"""The memory map of a replayed program: a column a line, a lane an array, a bar a value; below, the time of each line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cached_property

import numpy as np

from tinygrad_edu.program.plan import Plan
from viz.formats.svg import chart, picture_page
from viz.languages import words
from viz.layout.scene import Scene
from viz.look import Look
from viz.memory.lanes import lay_out, microseconds
from viz.memory.steps import Bar, read_plan
from viz.options import choose
from viz.picture import Picture
from viz.record.folding import longest_repeat
from viz.theme import THEMES
from viz.wording.numbers import shape_text

MOST_LINES_IN_FULL = 300  # lines, beyond which some of those that repeat are left out
LEAST_LINES_IN_A_GAP = 6  # lines, fewer of which are not worth a gap


class MemoryMap(Picture):
    """A figure of what a plan does with memory. `.svg .html .json .tex .txt .pptx` need no Graphviz, `.png .pdf .dot` do.

    plan: of a replayed function, `step.plan`.
    look: its theme and language.
    collapse: where lines are left out because they repeat those before them: where more than `max_nodes` are to be drawn
        ("auto"), wherever there are any ("all"), or nowhere (None).
    max_nodes: so many lines are drawn in full; None for the usual number.
    sizes: what to write in the place of a length in shapes.

    `draw` makes one. What is drawn, as plain data, is its `memory`; the lines that are left out are its `gaps`.

    >>> import tinygrad_edu as tg
    >>> step = tg.replay(lambda x: (x * x).sum())
    >>> _ = step(np.ones(3)), step(np.ones(3))
    >>> type(tg.draw(step.plan)).__name__
    'MemoryMap'
    """

    formats = ("svg", "pdf", "png", "dot", "html", "json", "tex", "txt", "pptx")

    def __init__(
        self, plan: Plan, look: Look, collapse: str | None, max_nodes: int | None, sizes: Mapping[int, str]
    ) -> None:
        choose("collapse", str(collapse), ("auto", "all", "None"))
        self.look, self.sizes, self.memory = look, sizes, read_plan(plan)
        most = {"auto": MOST_LINES_IN_FULL if max_nodes is None else max_nodes, "all": 0}.get(
            str(collapse), sys.maxsize
        )
        self.gaps = sorted(self._repeats(most))

    def _repeats(self, most: int) -> Iterator[tuple[int, int, int]]:
        """Lines to be left out, until `most` are left: from, up to, and how many times they repeat those before."""
        kinds: dict[tuple[str, str], int] = {}
        sequence = np.array([kinds.setdefault((c.op, c.phase), len(kinds)) for c in self.memory.columns])
        stretches, left = [(0, len(sequence))], len(sequence)
        while stretches and left > most:
            found = [(*longest_repeat(sequence[start:stop]), start, stop) for start, stop in stretches]
            first, period, times, start, stop = max(found, key=lambda repeat: repeat[1] * (repeat[2] - 2))
            if (times - 2) * period < LEAST_LINES_IN_A_GAP:
                return
            first += start
            stretches.remove((start, stop))
            stretches += [(start, first), (first + times * period, stop)]
            left -= (times - 2) * period
            yield first + period, first + (times - 1) * period, times - 2

    @cached_property
    def scene(self) -> Scene:
        """Every rectangle and text in its place."""
        return lay_out(self.memory, self.gaps, ", ".join(self.totals), words(self.look.lang), self.named)

    @property
    def totals(self) -> list[str]:
        """Lines, buffers, bytes; views; and the time, if it was measured."""
        memory, say = self.memory, words(self.look.lang)
        buffers = memory.lanes_of("buffer", "block")
        values = sum(bar.nbytes for lane in buffers for bar in lane.bars)
        said = [
            say["totals"].format(lines=len(memory.columns), buffers=len(buffers), bytes=memory.nbytes, values=values),
        ]
        said += [say["views"].format(n=len(memory.views))] * bool(memory.views)
        seconds = memory.seconds(range(len(memory.columns)))
        return said if seconds is None else [*said, say["time"].format(total=microseconds(seconds))]

    def named(self, bar: Bar) -> tuple[str, str, str]:
        """A value's name, its shape (of several results, nothing) and whether it is returned, and all about it in words."""
        say, end = words(self.look.lang), len(self.memory.columns)
        shape = "" if bar.shape is None else shape_text(bar.shape, self.sizes)
        when = {(True, True): "lines", (False, True): "until", (True, False): "since", (False, False): "always"}
        said = say[when[bar.first >= 0, bar.last < end]].format(first=bar.first + 1, last=bar.last + 1)
        value = " ".join(filter(None, [bar.name, shape, bar.dtype]))
        about = say["about"].format(value=value, bytes=bar.nbytes, when=said)
        return bar.name, shape if bar.last < end else f"{shape} {say['returned']}".strip(), about

    @property
    def name(self) -> str:
        """What the figure is of, as a title."""
        return words(self.look.lang)["memory"]

    def svg(self, hidden: Iterable[str] = (), *, background: str | None = None) -> str:
        """The picture as SVG. Each element has an id, and a bar says more where the mouse rests on it."""
        return chart(self.scene, THEMES[self.look.theme], self.name, self.text(), hidden, background)

    def html(self) -> str:
        """A page of its own, with the picture and its words."""
        return picture_page(self.svg(), self.name, self.text(), THEMES[self.look.theme], self.look.lang)

    def json(self) -> str:
        """The columns, lanes and bars as JSON."""
        return json.dumps(asdict(self.memory), indent=1, ensure_ascii=False) + "\n"

    def text(self) -> str:
        """The figure in words: the totals, each line of the program, each array with the values in it."""
        memory, say = self.memory, words(self.look.lang)
        lines = [", ".join(self.totals) + "."]
        for k, column in enumerate(memory.columns):
            seconds = memory.seconds([k])
            time = "" if seconds is None else say["time"].format(total=microseconds(seconds))
            lines.append(
                ", ".join(filter(None, [f"{k + 1}. {column.op}", column.scope or say.get(column.phase, ""), time]))
            )
        for lane in memory.lanes:
            name = say[lane.kind] if lane.kind in ("buffer", "block", "fresh") else lane.name
            lines.append(f"{name} ({lane.nbytes:,}): " + "; ".join(self.named(bar)[2] for bar in lane.bars))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<memory map of {len(self.memory.columns)} instructions>"

"""Where everything on a memory map is: a column a line of the program, a lane an array, a bar a value, a chart of times."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from viz.layout.metrics import text_width
from viz.layout.plan import LINE_HEIGHT
from viz.layout.scene import Scene, Shape, Text
from viz.memory.steps import Bar, Lane, Memory
from viz.wording.labels import SYMBOLS_ALONE, clean
from viz.wording.numbers import number_text

WIDTH, HEIGHT = 960.0, 300.0  # points: the width of a slide, and the height of all lanes on it while they can be read
WIDTH_OF_A_COLUMN = 44.0  # a column, unless its symbol is wider
WIDTH_OF_A_GAP = 34.0  # a column that stands for many
MOST_LANES_KEPT = 16  # lanes of what is kept between runs
PLAIN, SMALL = 9.0, 7.0  # font sizes
HEIGHT_OF_TIMES = 50.0  # the height of the longest time
TIMES_ALWAYS_WRITTEN = 5  # so many of the longest times are written however narrow their columns are
PART = {"forward": "forward", "backward": "backward", "update": "parameter", "": "forward"}  # the colour of each phase

Box = tuple[float, float, float, float]  # left, top, right, bottom
Gaps = Sequence[tuple[int, int, int]]
"""Lines that are left out: from, up to, and how many times they repeat those before."""


def lay_out(
    memory: Memory, gaps: Gaps, title: str, say: Mapping[str, str], named: Callable[[Bar], tuple[str, str, str]]
) -> Scene:
    """The scene of a memory map. named: of a value, its name, its shape, and a sentence."""
    layout = _Layout(memory, gaps, say, named)
    layout.write("title", title, 0.0, 7.0, "legend", size=12.0, bold=True)
    layout.legend(layout.times(layout.drawn_lanes(layout.header(20.0))))
    return Scene(tuple(layout.shapes), (), tuple(layout.texts))


def microseconds(seconds: float, digits: int = 4) -> str:
    """A measured time, which is no more exact than this.

    >>> microseconds(0.0014289951), microseconds(4.02e-6, 2)
    ('1,429', '4')
    """
    return number_text(float(f"{seconds * 1e6:.{digits}g}"))


class _Layout:
    """Draws a memory map from above: y counts downwards, and each method that draws a part returns its lower end."""

    def __init__(self, memory: Memory, gaps: Gaps, say: Mapping[str, str], named: Callable[[Bar], Any]) -> None:
        self.memory, self.columns, self.gaps, self.say, self.named = memory, memory.columns, gaps, say, named
        self.shapes: list[Shape] = []
        self.texts: list[Text] = []
        self.hidden = {k for start, stop, _ in gaps for k in range(start, stop)}
        self.lines = [k for k in range(len(self.columns)) if k not in self.hidden]
        self.notes = [say["heights"], *[say["folded"].format(n=len(self.hidden))] * bool(self.hidden)]
        self.lanes = self._chosen()
        self.left = 8 + max([68.0, *[text_width(self._label(lane), SMALL) for lane in self.lanes]])
        room = (WIDTH - self.left - WIDTH_OF_A_GAP * len(gaps)) / max(len(self.lines), 1)
        self.room = min(room, WIDTH_OF_A_COLUMN)
        self.size = PLAIN + 1 if room >= 14 else SMALL if room >= 8 else 0.0  # of symbols
        self.spans = self._spans()
        self.right = max([self.left, *[x for _, x in self.spans.values()]])

    # -- what there is, and how large ---------------------------------------------------------------

    def _chosen(self) -> list[Lane]:
        """The lanes in which something happens on the figure; of what is kept, the largest. The notes count the others."""

        def seen(lane: Lane) -> bool:
            at = {k for bar in lane.bars for k in (bar.first, *[k for k, _ in bar.reads])}
            if lane.kind not in ("kept", "argument"):
                at |= {k for bar in lane.bars for k in range(bar.first, bar.last + 1)}
            return not at.isdisjoint(self.lines)

        lanes = [lane for lane in self.memory.lanes if seen(lane)]
        kept = [lane for lane in lanes if lane.kind == "kept"]
        largest = sorted(kept, key=lambda lane: (not lane.changes, -lane.nbytes))[:MOST_LANES_KEPT]
        chosen = [lane for lane in lanes if lane.kind != "kept" or lane in largest]
        missing = [lane for lane in self.memory.lanes if lane not in chosen]
        for kind, count in Counter(lane.kind for lane in missing).items():
            total = sum(lane.nbytes for lane in missing if lane.kind == kind)
            self.notes.append(self.say["left_out"].format(n=count, kind=self.say[kind], bytes=total))
        return chosen

    def _spans(self) -> dict[int, tuple[float, float]]:
        """The abscissas between which each line is; those left out are together."""
        spans: dict[int, tuple[float, float]] = {}
        x, k = self.left, 0
        until = {start: stop for start, stop, _ in self.gaps}
        while k < len(self.columns):
            width = WIDTH_OF_A_GAP if k in until else self.room
            if k not in until and self.size > SMALL:
                width = max(width, *[text_width(word, self.size) + 4 for word in self._symbol(k)])
            stop = until.get(k, k + 1)
            spans |= dict.fromkeys(range(k, stop), (x, x + width))
            x, k = x + width, stop
        return spans

    def _heights(self) -> list[float]:
        """The height of each lane: for buffers by the logarithm of their bytes, for others one that can be read."""
        logs = [math.log(max(lane.nbytes, 1)) for lane in self.lanes]
        sizes = [size for lane, size in zip(self.lanes, logs, strict=True) if lane.kind in ("buffer", "block")]
        low, high = min(sizes, default=0.0), max(sizes, default=0.0)
        unit = min(max(HEIGHT / (len(logs) + 0.8 * len(sizes) + 1), SMALL - 1), 15.0)
        return [
            unit * (1 + 1.6 * (size - low) / ((high - low) or 1.0))
            if lane.kind in ("buffer", "block")
            else min(unit, 12.0)
            for lane, size in zip(self.lanes, logs, strict=True)
        ]

    # -- parts --------------------------------------------------------------------------------------

    def header(self, y: float) -> float:
        """The phases, the modules, and a cell for each line with its symbol."""
        looks = {"backward": ("grad", ""), "update": ("symbol", "parameter")}
        if any(column.phase for column in self.columns):
            for k, (phase, x) in enumerate(self._runs(lambda k: self.columns[k].phase, range(len(self.columns)))):
                role, classes = looks.get(phase, ("path", ""))
                self._fitting(f"phase{k}", [self.say[phase]], x, y + 6, role, classes=classes, bold=True)
            y += 14
        scopes = {column.scope.partition(".")[0] for column in self.columns if column.scope}
        if scopes:
            for k, (scope, (x0, x1)) in enumerate(self._runs(lambda k: self.columns[k].scope, self.lines)):
                inner = scope.partition(".")[2] or scope
                said = [scope] * (len(scopes) > 1) + [inner, inner.rpartition(".")[2]]
                if scope:
                    self._fitting(f"scope{k}", said, (x0, x1), y + 4, "path", size=SMALL)
                    self.box(f"scope{k}-line", "scope", (x0 + 1, y + 9, x1 - 1, y + 9.7), ("outline", 100))
            y += 12
        height = 24.0 if self.size else 10.0
        self._cells(y, y + height)
        several = Counter(column.instruction for column in self.columns)
        for place, (x0, x1) in self._runs(lambda k: self.columns[k].instruction, self.lines):
            if several[place] > 1:  # it runs in blocks, or as machine code
                self.box(f"blocks{place}", "blocks", (x0 + 1, y + height + 1, x1 - 1, y + height + 2), ("ink", 70))
        return y + height + 12

    def _cells(self, y0: float, y1: float) -> None:
        every = next(n for n in (1, 5, 10, 50, 100, 500, 1000, 5000, 10**9) if n * self.room >= 14)
        gap = 0.5 if self.room > 6 else 0.0
        dropped = 0
        for k in self.lines:
            column, (x0, x1), step = self.columns[k], self.spans[k], k + 1
            seconds = self.memory.seconds([k])
            time = [] if seconds is None else [self.say["time"].format(total=microseconds(seconds))]
            about = ", ".join([f"{k + 1}. {column.op}", *[column.scope] * bool(column.scope), *time])
            classes = f"instruction {column.phase}"
            self.box(
                f"line{k}", classes, (x0 + gap, y0, x1 - gap, y1), (PART[column.phase], 18), step=step, title=about
            )
            words = self._symbol(k)
            if self.size and all(text_width(word, self.size) <= x1 - x0 for word in words):
                self._stack(f"line{k}", words, sum(self.spans[k]) / 2, (y0 + y1) / 2, "symbol", self.size, step)
            else:
                dropped += 1
            if step % every == 0:
                self.write(f"line{k}-number", f"{step:,}", (x0 + x1) / 2, y1 + 5, "path", size=SMALL - 1, step=step)
        for start, _, times in self.gaps:
            x0, x1 = self.spans[start]
            self.box(f"gap{start}", "gap", (x0 + gap, y0, x1 - gap, y1), ("ink", 8), step=start + 1)
            self._stack(f"gap{start}", [f"⋯ {times:,}×"], (x0 + x1) / 2, (y0 + y1) / 2, "symbol", SMALL, start + 1)
        if dropped:
            self.notes.append(self.say["symbols"].format(n=dropped))

    def drawn_lanes(self, y: float) -> float:
        """The lanes below each other, under a title for each kind."""
        kind, dropped = "", 0
        for lane, height in zip(self.lanes, self._heights(), strict=True):
            if lane.kind != kind and (kind, lane.kind) != ("buffer", "block"):
                self.write(f"{lane.kind}-title", self.say[lane.kind], self.left - 4, y + 7, "name", bold=True)
                y += 14
            kind = lane.kind
            dropped += self._lane(lane, y, y + height)
            y += height + 2
        if dropped:
            self.notes.append(self.say["names"].format(n=dropped))
        return y

    def _lane(self, lane: Lane, y0: float, y1: float) -> int:
        """A lane with its bars; how many have no room for their names."""
        own = lane.kind in ("kept", "argument")
        self.box(lane.id, f"lane {lane.kind}", (self.left, y0, self.right, y1), ("ink", 5))
        classes, size = "parameter" if lane.changes and own else "", min(SMALL, y1 - y0)
        self.write(f"{lane.id}-label", self._label(lane), self.left - 4, (y0 + y1) / 2, "name", classes, size)
        placed = [(bar, x0, x1) for bar in lane.bars for x0, x1 in [self._extent(bar)] if x1 > x0]
        dropped = 0
        for k, (bar, x0, x1) in enumerate(placed):
            phase = self.columns[bar.first].phase if bar.first >= 0 else "update" if classes else ""
            kind, step = "dashed" if lane.kind == "fresh" else "bar", bar.first + 1
            fill = PART[phase], 30 if bar.first >= 0 else 12
            name, shape, about = self.named(bar)
            self.box(bar.id, f"bar {lane.kind} {phase}", (x0, y0, x1, y1), fill, kind, step, about)
            if bar.over or (own and bar.first >= 0):
                half = min(0.9, self.room / 8)
                colour = PART[phase] if own else "ink"
                self.box(f"{bar.id}-mark", "mark", (x0 - half, y0, x0 + half, y1), (colour, 100), step=step)
            self._reads(bar, y0, y1)
            if not own:
                beside = x1, placed[k + 1][1] if k + 1 < len(placed) else self.right
                dropped += not self._names(bar, [f"{name} {shape}".strip(), name, shape], (x0, x1), beside, y0, y1)
        return dropped

    def _reads(self, bar: Bar, y0: float, y1: float) -> None:
        """A tick for each line that reads a value: at the foot of the bar, or at its head if it does so through a view."""
        tick, half = min(2.5, (y1 - y0) / 5), min(0.6, self.room / 8)
        for k, through in dict.fromkeys((k, bool(view)) for k, view in bar.reads if k not in self.hidden):
            x = self._centre(k) - 2 * half * (k == bar.last)
            rows = (y0, y0 + tick) if through else (y1 - tick, y1)
            id = f"{bar.id}-{'view' if through else 'read'}{k}"
            self.box(id, "read", (x - half, rows[0], x + half, rows[1]), ("ink", 80), step=k + 1)

    def _names(
        self,
        bar: Bar,
        said: Sequence[str],
        inside: tuple[float, float],
        beside: tuple[float, float],
        y0: float,
        y1: float,
    ) -> bool:
        """The name and the shape in a bar, or beside it where nothing is, if there is room."""
        size = min(PLAIN - 0.5, y1 - y0)
        both, name, shape = said
        for lines, (x0, x1) in (
            ([both], inside), ([name, shape], inside), ([both], beside), ([name], inside), ([name], beside),
        ):  # fmt: skip
            if max(text_width(line, size) for line in lines) + 4 <= x1 - x0 and len(lines) * size <= y1 - y0:
                self._stack(bar.id, lines, x0 + 3, (y0 + y1) / 2, "legend", size, bar.first + 1)
                return True
        return False

    def times(self, y: float) -> float:
        """A bar of seconds under each instruction, if they were measured; of lines left out, their sum."""
        if self.memory.seconds(range(len(self.columns))) is None:
            return y
        groups = [[*group] for _, group in groupby(self.lines, key=lambda k: self.columns[k].instruction)]
        seconds = [self.memory.seconds(group) or 0.0 for group in groups]
        most, base, last = max(seconds) or 1.0, y + HEIGHT_OF_TIMES + 18, 0.0  # last: where what is written ends
        self.box("axis", "axis", (self.left, base, self.right, base + 0.6), ("outline", 100))
        self.write("times-title", "µs", self.left - 4, base - 5, "name", bold=True)
        longest = sorted(seconds, reverse=True)[:TIMES_ALWAYS_WRITTEN][-1]
        for group, time in zip(groups, seconds, strict=True):
            k, x0, x1 = group[0], self.spans[group[0]][0], self.spans[group[-1]][1]
            margin, top = min(3.0, (x1 - x0) / 8), base - HEIGHT_OF_TIMES * time / most
            classes, fill = f"time {self.columns[k].phase}", (PART[self.columns[k].phase], 100)
            self.box(f"time{k}", classes, (x0 + margin, top, x1 - margin, base), fill, step=k + 1)
            said = microseconds(time, 3 if time >= 1e-5 else 2)
            half = text_width(said, SMALL) / 2
            if (self.size and 2 * half <= x1 - x0 + 2) or (time >= longest and (x0 + x1) / 2 - half >= last):
                self.write(f"time{k}-text0", said, (x0 + x1) / 2, top - 5, "symbol", size=SMALL, step=k + 1)
                last = (x0 + x1) / 2 + half
        for start, stop, _ in self.gaps:
            total = f"+{microseconds(self.memory.seconds(range(start, stop)) or 0.0, 3)}"
            self.write(f"time{start}-text0", total, self._centre(start), base - 5, "path", size=SMALL, step=start + 1)
        return base

    def legend(self, y: float) -> None:
        """What the marks mean; then what is left out."""
        bars = [(lane, bar) for lane in self.lanes for bar in lane.bars]
        own = ("kept", "argument")
        there = {
            "a_value": True,
            "over": any(bar.over and lane.kind not in own for lane, bar in bars),
            "in_place": any(bar.first >= 0 and lane.kind in own for lane, bar in bars),
            "a_fresh": any(lane.kind == "fresh" for lane in self.lanes),
            "a_read": any(bar.reads for _, bar in bars),
        }
        marks: dict[str, list[tuple[float, float, float, float, str]]] = {
            "over": [(8.1, 0, 9.9, 9, "ink")], "in_place": [(8.1, 0, 9.9, 9, "parameter")],
            "a_read": [(5.4, 6.5, 6.6, 9, "ink"), (11.4, 0, 12.6, 2.5, "ink")],
        }  # fmt: skip
        said = [(name, self.say[name], 22.0) for name in there if there[name]]
        said += [(f"note{k}", note, 0.0) for k, note in enumerate(self.notes)]
        x, y, before = self.left, y + 12, 22.0
        for name, text, room in said:
            width = room + text_width(text, PLAIN) + 12
            if x > self.left and (x + width > max(self.right, WIDTH) or room != before):
                x, y = self.left, y + 13
            if room:
                kind = "dashed" if name == "a_fresh" else "bar"
                self.box(f"legend-{name}", "legend", (x, y, x + 18, y + 9), ("forward", 30), kind)
            for k, (x0, y0, x1, y1, part) in enumerate(marks.get(name, ())):
                self.box(f"legend-{name}{k}", "legend", (x + x0, y + y0, x + x1, y + y1), (part, 100))
            self.write(f"legend-{name}-text", text, x + room, y + 4.5, "note")
            x, before = x + width, room

    # -- little things ------------------------------------------------------------------------------

    def _centre(self, k: int) -> float:
        """The abscissa of the middle of a line; the edges stand for before and after the program."""
        return self.left if k < 0 else self.right if k >= len(self.columns) else sum(self.spans[k]) / 2

    def _extent(self, bar: Bar) -> tuple[float, float]:
        """Between which abscissas a bar is; of a value that is never read, half of its line."""
        unread = bar.last == bar.first and bar.first not in self.hidden
        return self._centre(bar.first), self.spans[bar.last][1] if unread else self._centre(bar.last)

    def _runs(self, key: Callable[[int], Any], lines: Iterable[int]) -> Iterator[tuple[Any, tuple[float, float]]]:
        """Lines in a row that have the same key, and between which abscissas they are."""
        for value, group in groupby(lines, key=key):
            places = [*group]
            yield value, (self.spans[places[0]][0], self.spans[places[-1]][1])

    def _symbol(self, k: int) -> list[str]:
        """A line's symbol, in two if it is long."""
        symbol = clean(SYMBOLS_ALONE.get(self.columns[k].symbol, self.columns[k].symbol), 24)
        head, sign, tail = symbol.partition("-" if "-" in symbol[1:-1] else " ")
        return [head + sign.strip(), tail] if tail and text_width(symbol) > WIDTH_OF_A_COLUMN else [symbol]

    def _label(self, lane: Lane) -> str:
        """What stands at the left of a lane: its bytes, and its name if it has one."""
        name = {"buffer": "", "fresh": "", "block": self.say["block"]}.get(lane.kind, clean(lane.name, 24))
        return f"{name} {lane.nbytes:,}".strip() if lane.kind != "fresh" else ""

    def _fitting(self, id: str, said: Sequence[str], x: tuple[float, float], y: float, role: str, **look: Any) -> None:
        """The first of these texts that fits between two abscissas."""
        fitting = [text for text in said if text_width(text, look.get("size", PLAIN)) <= x[1] - x[0]]
        if fitting:
            self.write(id, fitting[0], sum(x) / 2, y, role, **look)

    def _stack(self, id: str, lines: Sequence[str], x: float, y: float, role: str, size: float, step: int) -> None:
        """Lines of text below each other."""
        for k, line in enumerate(lines):
            self.write(f"{id}-text{k}", line, x, y + (k - (len(lines) - 1) / 2) * size, role, size=size, step=step)

    def box(
        self,
        id: str,
        classes: str,
        box: Box,
        fill: tuple[str, int],
        shape: str = "band",
        step: int = 0,
        title: str = "",
    ) -> None:
        """A rectangle."""
        x0, y0, x1, y1 = box
        place = (x0 + x1) / 2, -(y0 + y1) / 2, x1 - x0, y1 - y0
        self.shapes.append(Shape(id, classes.strip(), shape, *place, step, title, fill))

    def write(
        self, id: str, said: str, x: float, y: float, role: str, classes: str = "", size: float = PLAIN,
        bold: bool = False, step: int = 0,
    ) -> None:  # fmt: skip
        """Write a line of text that begins at `x` (a legend, a note), ends there (a name), or is centred there."""
        width = text_width(said, size, bold)
        x += {"legend": width / 2, "note": width / 2, "name": -width / 2}.get(role, 0.0)
        self.texts.append(
            Text(id, f"{classes} {role}".strip(), said, x, -y, width, size * LINE_HEIGHT, role, bold, size, step)
        )

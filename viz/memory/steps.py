"""What a replayed program does with memory, as plain data: its lines as columns, its arrays as lanes, its values as bars.

A bar lies in the lane of the array that the value lives in, from the line that writes it to the last that reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_edu.program.plan import Instruction, Plan, Storage, Value


@dataclass(slots=True)
class Bar:
    """A value in memory. It is there before the program if `first` is -1, and after it if `last` is the number of lines."""

    id: str
    name: str
    shape: tuple[int, ...] | None  # None for several results at once
    dtype: str
    nbytes: int
    first: int
    last: int
    over: bool = False  # whether it is written over an input of its line
    reads: list[tuple[int, str]] = field(default_factory=list)  # the lines that read it, and through which view


@dataclass(slots=True)
class Lane:
    """An array, and the values that live in it one after the other; fresh arrays that never meet share a lane.

    kind: "argument", "buffer", "block" (of a stretch that runs in blocks), "fresh", or "kept", there between runs.
    """

    id: str
    kind: str
    name: str
    nbytes: int
    bars: list[Bar] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """Whether the program writes it."""
        return bool(self.bars) and self.bars[-1].first >= 0


@dataclass(slots=True)
class Column:
    """A line of the program."""

    op: str
    symbol: str
    scope: str
    instruction: (
        int  # its number in the plan; one that runs several lines has a column for each, with the seconds of all
    )
    seconds: float | None
    phase: str = ""  # "forward", "backward" or "update", where that is known


@dataclass(slots=True)
class Memory:
    """All of it. views: what was made beforehand, and of what. nbytes: of the buffers."""

    columns: list[Column]
    lanes: list[Lane]
    views: dict[str, str]
    nbytes: int

    def lanes_of(self, *kinds: str) -> list[Lane]:
        """The lanes of these kinds."""
        return [lane for lane in self.lanes if lane.kind in kinds]

    def seconds(self, lines: Iterable[int]) -> float | None:
        """What these lines take all together; None if they were not profiled."""
        known = {self.columns[k].instruction: self.columns[k].seconds for k in lines}
        return None if not known or None in known.values() else sum(seconds or 0.0 for seconds in known.values())


def read_plan(plan: Plan) -> Memory:
    """What a plan does with memory."""
    return _Reader(plan).read()


class _Reader:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.columns: list[Column] = []
        self.lanes: dict[int, Lane] = {}  # by the id() of the memory
        self.parts = {id(v.array): v.name for v in plan.views if v.source is None}  # the names of several results
        self.shown: dict[int, int] = {}  # the line that makes a view, by the identity of the view
        self.sources: list[set[int]] = []  # the lines that write what each line reads, or make a view of it
        self.count = 0

    def read(self) -> Memory:
        """The caller's arrays and the buffers; then line by line."""
        plan = self.plan
        for kind, values in (("argument", plan.arguments), ("kept", plan.leaves)):
            for value in values:
                if _key(value.storage) not in self.lanes:
                    self._begin(value.storage, value.name, value, value.array, -1, kind)
        for memory in plan.buffers:
            self.lanes[id(memory)] = Lane(f"lane{len(self.lanes)}", "buffer", "", memory.nbytes)
        for place, instruction in enumerate(plan.instructions):
            for line in instruction.body or [instruction]:
                self._run(len(self.columns), line)
                name, symbol = (line.op.name, line.op.symbol(**line.settings)) if line.op else ("write", "=")
                self.columns.append(Column(name, symbol, line.scope, place, instruction.seconds))
        returned = [bar for value in plan.outputs for bar in self._held(value)]
        arguments, buffers, fresh, kept = (
            [lane for lane in self.lanes.values() if lane.kind in kinds]
            for kinds in (("argument",), ("buffer", "block"), ("fresh",), ("kept",))
        )
        for bar in [*returned, *[lane.bars[-1] for lane in (*arguments, *kept)]]:
            bar.last = len(self.columns)
        for lane in kept:
            # all others are written over before anything reads them
            lane.bars = [bar for bar in lane.bars if bar.reads or bar is lane.bars[-1]]
        self._find_phases([bar.first for bar in returned], [lane.bars[0].first for lane in kept])
        views = {v.name: v.note for v in plan.views}
        return Memory(self.columns, [*arguments, *buffers, *_shared(fresh), *kept], views, plan.nbytes)

    def _run(self, k: int, line: Instruction) -> None:
        """Line k: it reads its inputs, then writes its value."""
        read = []
        for value in line.inputs:
            for bar in self._held(value):
                bar.reads.append((k, value.name if value.name != bar.name else ""))
                bar.last = k
                read.append(bar)
        written = {bar.first for bar in read if bar.first >= 0}
        self.sources.append(written | {self.shown[id(value)] for value in line.inputs if id(value) in self.shown})
        value = _root(line.value) if line.how == "write" else line.value
        if value.source is not None:  # a view writes nothing: it shows what is in memory already
            self.shown[id(value)] = k
            return
        for j, (storage, array) in enumerate(value.pieces()):
            name = self.parts.get(id(array), f"{value.name}[{j}]") if value.parts else value.name
            before = self.lanes[_key(storage)].bars[-1:] if _key(storage) in self.lanes else []
            bar = self._begin(storage, name, array if value.parts else value, array, k, storage.kind)
            bar.over = before != [] and before[0] in read

    def _begin(self, storage: Storage, name: str, thing: Any, array: Any, k: int, kind: str) -> Bar:
        """A value, of the shape and type of `thing`, that is in memory from line k on."""
        count = 1 if thing.shape is None else int(np.prod(thing.shape, dtype=np.int64))
        nbytes = array.nbytes if array is not None else 0 if thing.dtype is None else count * thing.dtype.itemsize
        lane = self.lanes.setdefault(_key(storage), Lane(f"lane{len(self.lanes)}", kind, name, nbytes))
        lane.kind = "block" if storage.kind == "block" else lane.kind
        dtype = "" if thing.dtype is None else str(thing.dtype)
        lane.bars.append(Bar(f"bar{self.count}", name, thing.shape, dtype, nbytes, k, k))
        self.count += 1
        return lane.bars[-1]

    def _held(self, value: Value) -> list[Bar]:
        """Return the bars that are now in the memory which a value shows."""
        return [self.lanes[_key(storage)].bars[-1] for storage, _ in _root(value).pieces()]

    def _find_phases(self, returned: Sequence[int], kept: Sequence[int]) -> None:
        """Forward is what modules compute and what is returned depends on; backward, what gradients depend on besides.

        Gradients are those of the caller's arrays that are written before they are read. If there are none, or they are
        returned themselves, no line has a phase.
        """
        gradients = {k for k in kept if k >= 0}
        forward = self._behind([*returned, *[k for k, column in enumerate(self.columns) if column.scope]])
        if not returned or not gradients or gradients & forward:
            return
        backward = self._behind(gradients)
        for k, column in enumerate(self.columns):
            column.phase = "forward" if k in forward else "backward" if k in backward else "update"

    def _behind(self, lines: Iterable[int]) -> set[int]:
        """These lines, and all that they depend on."""
        found: set[int] = set()
        waiting = [k for k in lines if k >= 0]
        while waiting:
            k = waiting.pop()
            if k not in found:
                found.add(k)
                waiting += self.sources[k]
        return found


def _key(storage: Storage) -> int:
    """Return a key of the memory that a storage uses; storages that use one buffer in turn have one key."""
    return id(storage.memory if storage.kind in ("buffer", "block") else storage)


def _root(value: Value) -> Value:
    while value.source is not None:
        value = value.source
    return value


def _shared(lanes: Sequence[Lane]) -> list[Lane]:
    """Put the bars into as few lanes as they take: one lane holds several that do not overlap in time."""
    found: list[Lane] = []
    for lane in lanes:
        for other in found:
            if other.bars[-1].last < lane.bars[0].first:
                other.bars += lane.bars
                break
        else:
            found.append(lane)
    return found

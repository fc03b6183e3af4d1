"""The second step: which array each value lives in.

The record is put in the order it happened, with the writes in their places. Then each value gets an array, once and for
all: a leaf's is its own; a view's is made of its source's; the result of an op that takes `out` gets a buffer that is free
at that moment, or that of an input which dies there, or straight away the array of the parameter it is written to. What
takes no `out` is computed into a fresh array at each run.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_edu.graph import topological
from tinygrad_edu.program.record import Tape, Write
from tinygrad_edu.tensor import Tensor


@dataclass(eq=False)
class Storage:
    """Memory that one or more values live in, one after the other."""

    kind: str  # "argument", "leaf", "feed", "buffer" or "fresh"
    memory: Any = None
    last: int = -1  # the last instruction that reads or writes it


@dataclass(eq=False)
class Value:
    """A tensor of the record: its name in the source, its storage, and its array where that is known before a run."""

    name: str
    shape: Any
    dtype: Any
    storage: Storage
    array: Any = None
    note: str = ""
    source: Value | None = None  # what it is a view of


@dataclass(eq=False)
class Instruction:
    """One line: `op` of `inputs` into `value` (how: "out", "fresh", "item"), or a "write" of its input to `value`.

    how="blocks" is several lines, a block of their arrays at a time: see `blocks.py`.
    """

    how: str
    op: Any
    inputs: list[Value]
    value: Value
    settings: dict[str, Any] = field(default_factory=dict)
    scope: str = ""
    body: list[Instruction] = field(default_factory=list)  # of "blocks": the lines, the names of the parts in them,
    names: dict[int, str] = field(default_factory=dict)  # by address; the parts, block by block; and the arrays that
    rows: list[tuple[Any, ...]] = field(default_factory=list)  # are no longer than a block
    scratch: dict[int, Value] = field(default_factory=dict)


@dataclass(eq=False)
class Plan:
    """All that a run needs: instructions, and where arguments come in and results go out."""

    instructions: list[Instruction]
    arguments: list[Value]
    outputs: list[Value]
    leaves: list[Value]
    views: list[Value]
    buffers: list[Any]

    @property
    def early(self) -> list[Any]:
        """The arrays of leaves that are written before the last line that may raise: a run that fails puts them back.

        An op that writes where it is told computes, and judges no values; a view does not either.
        """
        judging = [k for k, i in enumerate(self.instructions) if i.how == "fresh" and not i.op.view]
        before = self.instructions[: max(judging, default=0)]
        written = [line.value.storage for i in before for line in (i.body or [i])]
        return [storage.memory for storage in dict.fromkeys(written) if storage.kind == "leaf"]

    @property
    def nbytes(self) -> int:
        """The bytes of all buffers."""
        return sum(memory.nbytes for memory in self.buffers)


class Pool:
    """Buffers, used again as soon as they are free."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._free: list[Any] = []

    def take(self, shape: tuple[int, ...], dtype: Any) -> tuple[Any, Any]:
        """Memory, and an array of this shape in it: the smallest that is free and large enough, or new."""
        nbytes = max(int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize, 1)
        fitting = [memory for memory in self._free if memory.nbytes >= nbytes]
        if fitting:
            memory = min(fitting, key=lambda m: m.nbytes)
            self._free = [m for m in self._free if m is not memory]
        else:
            memory = _aligned(nbytes)
            self.all.append(memory)
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        return memory, memory[:size].view(dtype).reshape(shape)

    def give_back(self, memory: Any) -> None:
        """The memory is free again."""
        self._free.append(memory)


def _aligned(nbytes: int) -> Any:
    """Bytes that begin at a cache line."""
    raw = np.empty(nbytes + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + nbytes]


def plan(arguments: Sequence[Tensor], outputs: Sequence[Tensor], tape: Tape) -> Plan:
    """Where everything lives, for a record of `outputs` and of what was written."""
    return _Planner(arguments, outputs, tape).plan()


class _Planner:
    def __init__(self, arguments: Sequence[Tensor], outputs: Sequence[Tensor], tape: Tape) -> None:
        self.outputs = list(outputs)
        self.order = topological([*outputs, *[w.value for w in tape.writes]], through_constants=True)
        self.events: list[Tensor | Write] = [node for node in self.order if node.op is not None]
        self.events += tape.writes
        self.events.sort(key=lambda e: e.time if isinstance(e, Write) else e._made)
        self.values: dict[Tensor, Value] = {}
        self.pool = Pool()
        self.views: list[Value] = []
        self.leaves: list[Value] = []
        self.memories: dict[int, Storage] = {}
        feeds = {feed.leaf for feed in tape.feeds}
        targets = {w.target for w in tape.writes}
        self.arguments = [self._leaf(x, "argument") for x in arguments]
        for node in [*self.order, *targets]:
            if node.op is None and node not in self.values:
                self.leaves.append(self._leaf(node, "feed" if node in feeds else "leaf"))

    # -- names and lifetimes ------------------------------------------------------------------------

    def _leaf(self, x: Tensor, kind: str) -> Value:
        name = re.sub(r"\W+", "_", x.name or f"c{len(self.values)}")
        if not name.isidentifier() or keyword.iskeyword(name):  # 0.weight
            name = f"p{name}"
        if any(name == other.name for other in self.values.values()):
            name = f"{name}{len(self.values)}"
        if kind == "argument":
            storage = Storage(kind)
        else:  # leaves that share memory share a storage
            storage = self.memories.setdefault(_root(x._data), Storage(kind, x._data))
        value = Value(name, x.shape, x.dtype, storage, None if kind == "argument" else x._data)
        if kind == "leaf" and x.size == 1:
            value.note = f"{x._data.item():.6g}"
        self.values[x] = value
        return value

    def _storage_of(self, node: Tensor) -> Tensor:
        """The node whose memory `node` shows: itself, or what it is a view of."""
        while node.op is not None and (node.op.view and (node.op.selects or _shares(node))):
            node = node.inputs[0]
        return node

    def _lifetimes(self) -> dict[Tensor, int]:
        """For each node that has memory of its own, the last event that reads it."""
        last: dict[Tensor, int] = {}
        for i, event in enumerate(self.events):
            for x in (event.value,) if isinstance(event, Write) else event.inputs:
                last[self._storage_of(x)] = i
        for x in self.outputs:
            last[self._storage_of(x)] = len(self.events)
        return last

    # -- the plan -----------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """Walk through the events, giving each value its array."""
        last = self._lifetimes()
        direct = self._direct_writes(last)
        elided = {w for w, _ in direct.values()}
        dying: dict[int, list[Storage]] = {}
        instructions: list[Instruction] = []
        for i, event in enumerate(self.events):
            if isinstance(event, Write):
                if event not in elided:
                    target = self.values[event.target]
                    instructions.append(Instruction("write", None, [self.values[event.value]], target))
            else:
                made = self._place(event, i, last, direct)
                if made is not None:
                    instructions.append(made)
                value = self.values[event]
                if value.storage.kind == "buffer" and self._storage_of(event) is event:
                    end = max(last.get(event, i), value.storage.last)
                    value.storage.last = end
                    dying.setdefault(end, []).append(value.storage)
            for storage in dying.pop(i, ()):
                if storage.last == i:
                    self.pool.give_back(storage.memory)
                    storage.last = -2  # given back once, though several values lived in it
        outputs = [self.values[x] for x in self.outputs]
        return Plan(instructions, self.arguments, outputs, self.leaves, self.views, self.pool.all)

    def _place(
        self, node: Tensor, i: int, last: dict[Tensor, int], direct: dict[Tensor, tuple[Write, Value]]
    ) -> Instruction | None:
        """The value of a node, and the instruction that computes it (none for a view that stands still)."""
        op, settings = node.op, dict(node.settings)
        inputs = [self.values[x] for x in node.inputs]
        name = f"v{len(self.values)}"
        scope = repr(node.scope) if node.scope is not None else ""
        shape, dtype = node._data.shape, node._data.dtype
        if op.view and shape is not None and all(v.array is not None for v in inputs):
            array = op.forward(*[v.array for v in inputs], **settings)
            if np.may_share_memory(array, inputs[0].array):
                value = Value(name, shape, dtype, inputs[0].storage, array, f"{op.name} of {inputs[0].name}", inputs[0])
                self.values[node] = value
                self.views.append(value)
                return None
        if node in direct:
            target = direct[node][1]
            value = Value(target.name, shape, dtype, target.storage, target.array)
        elif not op.takes_out or shape is None:
            shared = op.view and (op.selects or _shares(node))
            value = Value(name, shape, dtype, inputs[0].storage if shared else Storage("fresh"))
            self.values[node] = value
            return Instruction("item" if op.selects else "fresh", op, inputs, value, settings, scope)
        else:
            storage = self._dying_input(node, i, last)
            if storage is None:
                memory, array = self.pool.take(shape, dtype)
                storage = Storage("buffer", memory)
            else:
                array = storage.memory[: node._data.nbytes].view(dtype).reshape(shape)
            value = Value(name, shape, dtype, storage, array)
        self.values[node] = value
        return Instruction("out", op, inputs, value, settings, scope)

    def _dying_input(self, node: Tensor, i: int, last: dict[Tensor, int]) -> Storage | None:
        """The buffer of an input that is read here for the last time, if the op may write over it."""
        if not elementwise(node.op):
            return None
        for x in node.inputs:
            value = self.values[x]
            if (
                value.storage.kind == "buffer"
                and self._storage_of(x) is x
                and value.storage.last == i
                and x.shape == node.shape
                and x.dtype == node.dtype
                and all(self.values[z].storage is not value.storage or z is x for z in node.inputs)
            ):
                return value.storage
        return None

    def _direct_writes(self, last: dict[Tensor, int]) -> dict[Tensor, tuple[Write, Value]]:
        """Nodes that may be computed straight into the array they are to be written to."""
        position = {event: i for i, event in enumerate(self.events)}
        times: dict[Tensor, int] = {}
        for event in self.events:
            if isinstance(event, Write):
                times[event.target] = times.get(event.target, 0) + 1
        found: dict[Tensor, tuple[Write, Value]] = {}
        for event in self.events:
            if not isinstance(event, Write) or times[event.target] > 1:
                continue
            node, target = event.value, self.values[event.target]
            if node.op is None or node in found or not node.op.takes_out or node.op.outputs is not None:
                continue
            if node.dtype != event.target.dtype or self._storage_of(node) is not node:
                continue
            made, written = position[node], position[event]
            if all(
                self._spares(
                    self.events[k], target.storage, event.target if k == made and elementwise(node.op) else None
                )
                for k in range(made, written + 1)
            ):
                found[node] = event, target
        return found

    def _spares(self, event: Tensor | Write, storage: Storage, only: Tensor | None) -> bool:
        """Whether the event leaves `storage` alone, but for reading `only`, all of it, element by element."""
        if isinstance(event, Write):
            return True
        for x in event.inputs:
            owner = self._storage_of(x)
            if owner.op is None and self.values[owner].storage is storage and (x is not only or x.shape != event.shape):
                return False
        return True


def elementwise(op: Any) -> bool:
    """Whether an element of the result depends on the same element of the inputs alone, and may take its place."""
    return isinstance(op.forward, np.ufunc) and op.forward.signature is None


def _root(array: Any) -> int:
    """What arrays in the same memory have in common."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return id(array)


def _shares(node: Tensor) -> bool:
    """Whether the result of a view op does share memory with its input (it may have had to copy)."""
    source, results = node.inputs[0]._data, node._data
    parts = results if isinstance(results, tuple) else (results,)
    return isinstance(source, np.ndarray) and any(np.may_share_memory(part, source) for part in parts)

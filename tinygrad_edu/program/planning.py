"""The second step: which array each value lives in.

A value is live from the event that computes it to the last that reads it; two values whose lives do not meet may share
memory (it is how a compiler gives variables to registers). So the events are walked through in order, and each value
gets an array, once and for all: a leaf's is its own; a view's is made of its source's; the result of an op that takes
`out` gets a buffer that is free at that moment, or that of an input which dies there, or straight away the array of the
parameter it is written to; on the way there, what is made of the parameter's old numbers may take their place. What takes
no `out` is computed into a fresh array at each run.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.ops.memory import aligned
from tinygrad_edu.program.plan import OVER, Instruction, Plan, Storage, Value, elementwise
from tinygrad_edu.program.program import Compute, Event, Program, Write, is_view, leaves_of, regions
from tinygrad_edu.program.simplify import layout, simplified


class Pool:
    """Buffers, used again as soon as they are free."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._free: list[Any] = []

    def take(self, like: Any) -> tuple[Any, Any]:
        """Memory, and an array like this one in it: the smallest that is free and large enough, or new."""
        fitting = [memory for memory in self._free if memory.nbytes >= like.nbytes]
        if fitting:
            memory = min(fitting, key=lambda m: m.nbytes)
            self._free = [m for m in self._free if m is not memory]
        else:
            memory = aligned(max(like.nbytes, 1))
            self.all.append(memory)
        return memory, np.ndarray(like.shape, like.dtype, memory, strides=layout(like))

    def give_back(self, memory: Any) -> None:
        """The memory is free again."""
        self._free.append(memory)


def plan(program: Program) -> Plan:
    """Where everything in a program lives."""
    events, results = simplified(program)
    return _Planner(program.arguments, events, results, {feed.leaf for feed in program.feeds}).plan()


class _Planner:
    def __init__(
        self, arguments: Sequence[Tensor], events: list[Event], outputs: list[Tensor], feeds: set[Tensor]
    ) -> None:
        self.events, self.outputs = events, outputs
        self.inputs = {e.node: e.inputs for e in events if isinstance(e, Compute)}
        self.values: dict[Tensor, Value] = {}
        self.names = {"program"}
        self.pool = Pool()
        self.views: list[Value] = []
        self.storages: dict[int, Storage] = {}
        self.arguments = [self._leaf(x, "argument") for x in arguments]
        leaves = [x for x in leaves_of(events, outputs) if x not in self.values]
        self.regions = regions(leaves)
        self.leaves = [self._leaf(x, "feed" if x in feeds else "leaf") for x in leaves]

    # -- names and lifetimes ------------------------------------------------------------------------

    def _name(self, wanted: str) -> str:
        """A name like this one that nothing else in the program has."""
        name = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", wanted))  # as Python reads names
        if not name.isidentifier() or keyword.iskeyword(name):  # as that of 0.weight would
            name = f"p{name}"
        while name in self.names:
            name += f"_{len(self.values)}"
        self.names.add(name)
        return name

    def _leaf(self, x: Tensor, kind: str) -> Value:
        if kind == "argument":
            storage = Storage(kind)
        else:  # leaves that share memory share a storage
            storage = self.storages.setdefault(self.regions[x], Storage(kind, x.ndarray))
        name = self._name(x.name or f"c{len(self.values)}")
        value = Value(name, x.shape, x.dtype, storage, None if kind == "argument" else x.ndarray)
        if kind == "leaf" and x.size == 1:
            value.note = f"{x.ndarray.item():.6g}"
        self.values[x] = value
        return value

    def _owner(self, x: Tensor) -> Tensor:
        """The tensor whose memory `x` shows, in what is left of the record."""
        while is_view(x) and not (x.op.selects and _planned(self.inputs[x][0])):
            x = self.inputs[x][0]
        return x

    def _lifetimes(self) -> dict[Any, int]:
        """Return for each tensor with memory of its own the number of the last event that reads or writes it.

        A tensor that is one of several results of an op is also found by (the op's tensor, index).
        """
        last: dict[Any, int] = {}
        for i, event in enumerate(self.events):
            for x in (event.value, event.target) if isinstance(event, Write) else event.inputs:
                last[self._owner(x)] = i
        for x in self.outputs:
            last[self._owner(x)] = len(self.events)
        for x, i in list(last.items()):
            if x.op is not None and x.op.selects:
                place = self.inputs[x][0], x.settings["index"]
                last[place] = max(i, last.get(place, 0))
        return last

    # -- the plan -----------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """Walk through the events, giving each value its array."""
        self.last = self._lifetimes()
        self.direct = self._direct_writes()
        self.rewritten = self._rewritten()
        self.dying: dict[int, list[Storage]] = {}
        elided = {w for w, _ in self.direct.values()}
        instructions: list[Instruction] = []
        for i, event in enumerate(self.events):
            if isinstance(event, Write):
                if event not in elided:
                    target = self.values[event.target]
                    instructions.append(Instruction("write", None, [self.values[event.value]], target))
            else:
                made = self._place(event, i)
                if made is not None:
                    instructions.append(made)
            for storage in self.dying.pop(i, ()):
                if storage.last == i:
                    storage.last = OVER  # once, though several values may have lived in it
                    if storage.kind == "buffer":
                        self.pool.give_back(storage.memory)
                    elif instructions:
                        values = self.values.values()
                        instructions[-1].dead += tuple([v for v in values if v.storage is storage and v.array is None])
        outputs = [self.values[x] for x in self.outputs]
        return Plan(instructions, self.arguments, outputs, self.leaves, self.views, self.pool.all)

    def _until(self, storage: Storage, last: int) -> Storage:
        """The storage, to be free again after the event `last`."""
        storage.last = last
        self.dying.setdefault(last, []).append(storage)
        return storage

    def _place(self, event: Compute, i: int) -> Instruction | None:
        """The value of a node, and the instruction that computes it (none for a view that stands still)."""
        node, op, settings = event.node, event.node.op, event.node.settings
        inputs = [self.values[x] for x in event.inputs]
        scope = repr(node.scope) if node.scope is not None else ""
        value = self._standing_view(node, op, inputs, settings)
        if value is not None:
            self.values[node] = value
            self.views.append(value)
            return None
        shape, dtype = node.ndarray.shape, node.ndarray.dtype
        if node in self.direct:
            target = self.direct[node][1]
            value = Value(target.name, shape, dtype, target.storage, target.array)
        else:
            value = Value(self._name(f"v{len(self.values)}"), shape, dtype, Storage("fresh"))
            last = self.last.get(node, i)
            if is_view(node):
                value.storage, value.source = inputs[0].storage, inputs[0]
            elif not op.takes_out:
                self._until(value.storage, last)
            elif _planned(node):
                taken = [self.pool.take(part) for part in node.ndarray]
                value.array = tuple([array for _, array in taken])
                value.parts = [
                    self._until(Storage("buffer", memory), self.last.get((node, k), i))
                    for k, (memory, _) in enumerate(taken)
                ]
            else:
                over = self._dying_input(event, i)
                if over is None:
                    memory, value.array = self.pool.take(node.ndarray)
                    value.storage = self._until(Storage("buffer", memory), last)
                else:
                    value.array, value.storage = over.array, over.storage
                    if over.storage.kind == "buffer":
                        self._until(over.storage, last)
        self.values[node] = value
        how = "item" if op.selects else "out" if value.array is not None else "fresh"
        scratch = self._scratch(event) if how == "out" and op.takes_scratch else None
        return Instruction(how, op, inputs, value, settings, scope, scratch)

    def _scratch(self, event: Compute) -> Value:
        """Memory that is free at this event, and free again after it.

        The array in it lies there as NumPy would have laid it: a sum of what is computed there adds up in that order.
        """
        arrays, made = [x.ndarray for x in event.inputs], event.node.dtype
        flags: Any = [*[["readonly"]] * len(arrays), ["writeonly", "allocate"]]
        dtypes = [*[None] * len(arrays), made]
        laid: Any = np.nditer([*arrays, None], ["zerosize_ok"], flags, op_dtypes=dtypes).operands[-1]
        memory, array = self.pool.take(laid)
        self.pool.give_back(memory)
        return Value(self._name("scratch"), array.shape, array.dtype, Storage("buffer", memory), array)

    def _standing_view(self, node: Tensor, op: Any, inputs: list[Value], settings: dict[str, Any]) -> Value | None:
        """The value of a view of an array that stands still: it is made once, before any run."""
        if not is_view(node) or any(v.array is None for v in inputs):
            return None
        source, shape, dtype = inputs[0], node.ndarray.shape, node.ndarray.dtype
        note, name = f"{op.name} of {source.name}", f"v{len(self.values)}"
        array = op.forward(*[v.array for v in inputs], **settings)
        if op.selects:
            return Value(self._name(name), shape, dtype, source.parts[settings["index"]], array, note)
        if np.may_share_memory(array, source.array):
            return Value(self._name(name), shape, dtype, source.storage, array, note, source)
        return None

    def _dying_input(self, event: Compute, i: int) -> Value | None:
        """An input that the op may write over, since nobody reads its numbers any more: one in a buffer, or a leaf that
        gets new ones later, when this result is over.
        """
        node = event.node
        if not elementwise(node.op):
            return None
        for x in event.inputs:
            value = self.values[x]
            if (
                (value.storage.last == i if value.storage.kind == "buffer" else self._is_rewritten(x, node, i))
                and self._owner(x) is x
                and x.shape == node.shape
                and x.dtype == node.dtype
                and value.array.strides == layout(node.ndarray)
                and all(self.values[z].storage is not value.storage or z is x for z in event.inputs)
            ):
                return value
        return None

    def _is_rewritten(self, x: Tensor, node: Tensor, i: int) -> bool:
        """Whether `x` is a leaf that event i is the last to read before it gets new numbers, and `node` is over by then; or
        is what they are computed from, element by element.
        """
        made, read = self.rewritten.get(x, (-1, -1))
        last = self.last.get(node, i)
        if not read <= i < last <= made:
            return False
        final = self.events[made]
        return last < made or (
            isinstance(final, Compute)
            and elementwise(final.node.op)
            and all(z is node or self._owner(z) is not node for z in final.inputs)
            and node.shape == final.node.shape
        )

    def _rewritten(self) -> dict[Tensor, tuple[int, int]]:
        """Find, for each leaf that a node is computed straight into, the event at which it is, and the last event that reads the leaf
        before."""
        position = {e.node: i for i, e in enumerate(self.events) if isinstance(e, Compute)}
        made = {id(target.storage): (position[node], write.target) for node, (write, target) in self.direct.items()}
        found = {x: (at, -1) for at, x in made.values()}
        for i, event in enumerate(self.events):
            for z in event.inputs if isinstance(event, Compute) else (event.value,):
                value = self.values.get(self._owner(z))
                at, x = made.get(id(value.storage), (-1, None)) if value is not None else (-1, None)
                if x is not None and i <= at:
                    found[x] = at, i
        return found

    def _direct_writes(self) -> dict[Tensor, tuple[Write, Value]]:
        """Nodes that may be computed straight into the array of the leaf that they are to be written to."""
        position = {e if isinstance(e, Write) else e.node: i for i, e in enumerate(self.events)}
        writes = [e for e in self.events if isinstance(e, Write)]
        targets = {w: self.values[self._owner(w.target)] for w in writes if self._owner(w.target).op is None}
        times = Counter(value.storage for value in targets.values())
        written_over = {self._owner(w.target) for w in writes}
        found: dict[Tensor, tuple[Write, Value]] = {}
        for write, target in targets.items():
            node = write.value
            if node.op is None or node in found or not node.op.takes_out or node.op.outputs is not None:
                continue
            if node in written_over or times[target.storage] > 1:
                continue
            if write.target.op is not None or node.dtype != target.dtype:
                continue
            made, written = position[node], position[write]
            if self._owner(node) is node and all(
                self._spares(event, target.storage, write.target if event is self.events[made] else None)
                for event in self.events[made : written + 1]
            ):
                found[node] = write, target
        return found

    def _spares(self, event: Event, storage: Storage, over: Tensor | None) -> bool:
        """Whether the event leaves `storage` alone; it may write `over` what it reads there, element by element."""
        if isinstance(event, Write):
            return True
        for x in event.inputs:
            base, in_place = self._owner(x), x is over and elementwise(event.node.op) and x.shape == event.node.shape
            if base.op is None and self.values[base].storage is storage and not in_place:
                return False
        return True


def _planned(node: Tensor) -> bool:
    """Whether the node has several results, each of which gets memory of its own."""
    return node.op is not None and node.op.takes_out and isinstance(node.ndarray, tuple)

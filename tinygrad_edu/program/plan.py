"""A plan: the lines of a program, and which array each value lives in. `planning` makes one, and others read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_edu.engine.registry import NO_SETTINGS

OVER = -2
"""In place of the last event that uses a storage: it is over, and the memory belongs to others."""


@dataclass(eq=False, slots=True)
class Storage:
    """Memory that one or more values live in, one after the other."""

    kind: str  # "argument", "leaf", "feed", "buffer", "block" (a buffer that is no longer than one) or "fresh"
    memory: Any = None
    last: int = -1  # the last event that reads or writes it; OVER once that is over


@dataclass(eq=False, slots=True)
class Value:
    """A tensor of the record: its name in the source, its storage, and its array where that is known before a run."""

    name: str
    shape: Any
    dtype: Any
    storage: Storage  # of several results, a storage for each: `parts`
    array: Any = None
    note: str = ""
    source: Value | None = None  # what it is a view of
    parts: Sequence[Storage] = ()

    def pieces(self) -> list[tuple[Storage, Any]]:
        """The memory and the array of the value, or of each of its parts if it is several results."""
        return list(zip(self.parts, self.array, strict=True)) if self.parts else [(self.storage, self.array)]


@dataclass(eq=False, slots=True)
class Instruction:
    """One line of the program, or several that run together.

    how: "out" computes into memory that is known, "fresh" into new memory, "item" takes one of several results, "write"
        copies its input into `value`, "blocks" runs several lines, a block of their arrays at a time (`blocks.py`), and
        "kernel" several as machine code (`kernels.py`).
    op, inputs, settings: what is computed of what; op is None for "write", "blocks" and "kernel", whose setting is its formula.
    value: the result; of "write", what is written to.
    scope: the call of a module that it belongs to.
    scratch: memory in which the op computes on its way.
    dead: fresh arrays, and what shows them, that nothing reads after this line.
    body: of "blocks" and "kernel", the lines.
    names: of "blocks", by the address of each array, what the lines call the part of it that they work on.
    rows: of "blocks", those parts, a tuple for each block; of "kernel", what each call of the formula is given.
    left: of "blocks" and "kernel", the values that are there afterwards.
    seconds: the time of a run, where it was profiled.
    """

    how: str
    op: Any
    inputs: Sequence[Value]
    value: Value
    settings: Mapping[str, Any] = field(default_factory=lambda: NO_SETTINGS)
    scope: str = ""
    scratch: Value | None = None
    dead: tuple[Value, ...] = ()
    body: Sequence[Instruction] = ()
    names: Mapping[int, str] = field(default_factory=lambda: NO_SETTINGS)
    rows: Sequence[tuple[Any, ...]] = ()
    left: Sequence[Value] = ()
    seconds: float | None = None


@dataclass(eq=False)
class Plan:
    """All that a run needs: instructions, and where arguments come in and results go out. Printed, what lives where."""

    instructions: list[Instruction]
    arguments: list[Value]
    outputs: list[Value]
    leaves: list[Value]
    views: list[Value]
    buffers: list[Any]

    @property
    def early(self) -> list[Any]:
        """The arrays of leaves that are written before the last line that may raise: a run that fails puts them back."""
        raising = [k for k, i in enumerate(self.instructions) if any(map(_may_raise, i.body or [i]))]
        until = self.instructions[: max(raising, default=-1) + 1]
        written = [line.value for i in until for line in (i.body or [i])]
        return list({id(v.array): v.array for v in written if v.storage.kind == "leaf"}.values())

    @property
    def nbytes(self) -> int:
        """The bytes of all buffers."""
        return sum(memory.nbytes for memory in self.buffers)

    def lines(self) -> list[Instruction]:
        """The instructions, with those inside blocks one by one."""
        return [line for i in self.instructions for line in (i.body or [i])]

    def __str__(self) -> str:
        lines = self.lines()
        living: dict[int, list[str]] = {id(memory): [] for memory in self.buffers}
        alone = 0
        for line in lines:
            for storage, array in line.value.pieces() if line.how == "out" else ():
                if storage.kind in ("buffer", "block"):
                    alone += array.nbytes
                    living.setdefault(id(storage.memory), []).append(f"{line.value.name} {array.shape}")
            if line.scratch is not None:
                living[id(line.scratch.storage.memory)].append(f"{line.scratch.name} {line.scratch.shape}")
        text = [
            f"{len(lines)} instructions, {len(self.views)} views made beforehand, {len(self.buffers)} buffers of "
            f"{self.nbytes:,} bytes for values of {alone:,}"
        ]
        text += [f"{m.nbytes:12,}  {', '.join(living[id(m)]) or 'a block'}" for m in self.buffers]
        fresh = [line.value for line in lines if line.how == "fresh" and line.value.storage.kind == "fresh"]
        if fresh:
            text.append(f"{'fresh':>12}  {', '.join(f'{v.name} {v.shape}' for v in fresh)}")
        seconds = [i.seconds for i in self.instructions if i.seconds is not None]
        return "\n".join([*text, f"{sum(seconds) * 1e6:.1f} µs a run"] if seconds else text)

    __repr__ = __str__


def _may_raise(line: Instruction) -> bool:
    """Whether the line may raise over the values of its inputs. A view does not, and of ufuncs the power of integers."""
    if line.op is None:
        return False
    if line.op.forward is np.power:
        return line.value.dtype.kind == "i"  # negative ones have none
    return line.op.may_raise and (not line.op.view or line.value.storage.kind == "fresh")


def elementwise(op: Any) -> bool:
    """Whether an element of the result depends on the same element of the inputs alone, and may take its place."""
    return isinstance(op.forward, np.ufunc) and op.forward.signature is None and op.forward.nout == 1


def origin(value: Value) -> Value:
    """Follow a view, and views of views, to the value that owns the memory; any other value is its own origin."""
    while value.source is not None:
        value = value.source
    return value

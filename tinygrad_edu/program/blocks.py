"""Between planning and emitting: long elementwise stretches, run a block at a time.

A few elementwise lines in a row over large arrays pass all of them through memory once a line. In blocks that fit the
processor's cache, a line finds what the line before left there; and what only these lines use needs no more memory than
one block.

One thread runs them. A second was measured (`tests/benchmarks/threads.py`) and does not pay: such lines wait for memory,
the interpreter's lock changes hands at each of them, and the linear algebra library's own threads are in the way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinygrad_edu.program.plan import Instruction, Plan, Storage, Value, elementwise, origin

BYTES_OF_A_BLOCK = 1 << 17
"""The bytes of a block of each array."""


def in_blocks(plan: Plan) -> Plan:
    """The plan, with each stretch of large elementwise lines as one instruction of how="blocks"."""
    instructions: list[Instruction] = []
    stretch: list[Instruction] = []
    for k, instruction in enumerate([*plan.instructions, None]):
        if instruction is not None and _large(instruction) and (not stretch or _fits(stretch, instruction)):
            stretch.append(instruction)
            continue
        if len(stretch) > 1 and _apart(stretch):
            instructions.append(_blocked(stretch, plan.instructions[k:], plan))
        else:
            instructions += stretch
        stretch = []
        if instruction is not None:
            if _large(instruction):
                stretch = [instruction]
            else:
                instructions.append(instruction)
    living = [
        v for i in instructions for line in (i.body or [i]) for v in (*line.inputs, line.value, line.scratch) if v
    ]
    storages = [storage for v in (*living, *plan.outputs, *plan.views) for storage, _ in v.pieces()]
    buffers = list({id(s.memory): s.memory for s in storages if s.kind in ("buffer", "block")}.values())
    return Plan(instructions, plan.arguments, plan.outputs, plan.leaves, plan.views, buffers)


def _large(instruction: Instruction) -> bool:
    """Whether the line works element by element on arrays of several blocks, in the order of memory."""
    value = instruction.value
    if instruction.how != "out" or not elementwise(instruction.op) or value.array.nbytes < 2 * BYTES_OF_A_BLOCK:
        return False
    return all(
        v.array is not None
        and ((v.array.size == 1 and v.array.ndim < 2) or (v.shape == value.shape and v.array.flags.c_contiguous))
        for v in (value, *instruction.inputs)
    )


def _fits(stretch: list[Instruction], other: Instruction) -> bool:
    """Whether the line is of the stretch's shape, and what begins where an array of the stretch does is of its type: a
    buffer may have been free for another type in between."""
    places = {v.array.ctypes.data: v.dtype for v in _arrays(stretch)}
    return bool(stretch[0].value.shape == other.value.shape) and all(
        places.setdefault(v.array.ctypes.data, v.dtype) == v.dtype
        for v in (*other.inputs, other.value)
        if v.array.size > 1
    )


def _arrays(stretch: Sequence[Instruction]) -> list[Value]:
    """The arrays that are cut into blocks, each once."""
    found: dict[int, Value] = {}
    for instruction in stretch:
        for v in (*instruction.inputs, instruction.value):
            if v.array.size > 1:
                found.setdefault(v.array.ctypes.data, v)
    return list(found.values())


def _apart(stretch: Sequence[Instruction]) -> bool:
    """Whether arrays of the stretch are the same or do not touch, and numbers are not written in it."""
    values = _arrays(stretch)
    numbers = [v for i in stretch for v in i.inputs if v.array.size == 1]
    return not any(np.may_share_memory(a.array, b.array) for k, a in enumerate(values) for b in (*values[:k], *numbers))


def _blocked(stretch: list[Instruction], later: Sequence[Instruction], plan: Plan) -> Instruction:
    """One instruction for a stretch. What only its lines use moves to memory that is no longer than a block."""
    needed = {id(origin(v)) for i in later for v in (*i.inputs, *([i.value] if i.how == "write" else ()))}
    needed |= {id(origin(v)) for v in plan.outputs}
    last = stretch[-1].value
    size, length = last.array.size, BYTES_OF_A_BLOCK // max(i.value.dtype.itemsize for i in stretch)
    written = [i.value for i in stretch]
    kept = {v.array.ctypes.data for v in written if id(v) in needed or v is last or v.storage.kind != "buffer"}
    spare = [v for v in written if v.array.ctypes.data not in kept and _written_first(v, stretch)]
    blocks: dict[int, Storage] = {}
    for v in spare:
        blocks.setdefault(v.array.ctypes.data, Storage("block", np.empty(length, v.dtype)))
    for v in {v: None for i in stretch for v in (*i.inputs, i.value)}:  # also views that show all of what moves
        block = blocks.get(v.array.ctypes.data)
        if block is not None:
            v.storage, v.array = block, block.memory
    names, flat = {}, []
    for v in _arrays(stretch):
        names[v.array.ctypes.data] = f"{v.name}_"
        flat.append((v.array.reshape(-1), v.storage.kind == "block"))
    rows = [
        tuple([array[: min(length, size - i)] if is_block else array[i : i + length] for array, is_block in flat])
        for i in range(0, size, length)
    ]
    left = [v for v in written if v.storage.kind != "block"]
    return Instruction(
        "blocks", None, [], last, {}, stretch[0].scope, body=stretch, names=names, rows=rows, left=left
    )  # fmt: skip


def _written_first(v: Value, stretch: Sequence[Instruction]) -> bool:
    """Whether no line of the stretch reads the place of `v` before it is written."""
    for instruction in stretch:
        if any(u.array.ctypes.data == v.array.ctypes.data for u in instruction.inputs if u.array.size > 1):
            return False
        if instruction.value.array.ctypes.data == v.array.ctypes.data:
            return True
    return False

"""Machine code for what a plan computes element by element, once it has run for a while.

A call of NumPy costs as much as some thousand numbers, and each line passes its arrays through the cache again. Where
llvmlite is installed, pieces of consecutive lines are compiled instead (`llvm.py`): each number is read once, and what
only the piece uses is never written. An optimizer updates each parameter by such a piece, all of one formula: they are a
single call. The numbers are those of the lines, to the last bit.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_edu.engine.registry import OPS
from tinygrad_edu.ops.network.activations import LEAST_CLIPPED
from tinygrad_edu.program.llvm import TYPES, WORDS, Formula, is_installed
from tinygrad_edu.program.plan import Instruction, Plan, Value, origin

SECONDS_OF_COMPILING = 0.1
"""About what it takes to load llvmlite and compile a few formulas: that is done once the lines have taken as long."""

SECONDS_OF_A_LINE, SECONDS_OF_A_BYTE = 4e-7, 3e-11
"""About what NumPy takes for a call, and for each byte of its result."""

MOST_ROWS, LEAST_OF_A_ROW = 1 << 10, 16
"""The most rows to which a formula is applied one by one, and the least numbers of such a row."""

MASKS = {"gate": 1, "where": 0, "greater": -1, "greater_equal": -1, "less": -1, "less_equal": -1}
"""Which of what an op takes is a mask; −1, if the result is one."""

MOST_LINES = 64
"""The most lines of a formula: of more, the numbers that are needed at once would not fit the registers."""

Place = tuple[int, int]
"""The address of an array, and how many numbers it has."""


def runs_until_kernels(plan: Plan) -> int:
    """After how many runs the lines that compile have taken as long as compiling would; 0 if it is not to be done."""
    if not is_installed():
        return 0
    lines = [
        (max(1, len(i.rows)), line.value) for i in plan.instructions for line in (i.body or [i]) if _compiles(line)
    ]
    if len(lines) < 2:
        return 0
    seconds = [n * SECONDS_OF_A_LINE + v.dtype.itemsize * _size(v) * SECONDS_OF_A_BYTE for n, v in lines]
    return max(1, math.ceil(SECONDS_OF_COMPILING / sum(seconds)))


def with_kernels(plan: Plan) -> Plan:
    """The plan, with pieces of lines that follow each other as instructions of how="kernel"."""
    by_kind = itertools.groupby(plan.instructions, lambda i: all(map(_compiles, i.body or [i])))
    stretches = [(compiles, list(some)) for compiles, some in by_kind]
    needed = {id(origin(v)) for v in plan.outputs}  # by what follows
    made: list[Sequence[Instruction]] = []
    for compiles, stretch in reversed(stretches):
        made.append((compiles and _kernels(stretch, needed)) or stretch)
        lines = [line for i in stretch for line in (i.body or [i])]
        needed |= {id(origin(v)) for i in lines for v in (*i.inputs, *([i.value] if i.how == "write" else ()))}
    return dataclasses.replace(plan, instructions=list(itertools.chain(*reversed(made))))


class _Piece(NamedTuple):
    """Lines that are computed together: their formula, the rows that it is computed for, and the values that it leaves.
    Without a formula they stay lines."""

    lines: Sequence[Instruction]
    formula: Formula | None = None
    rows: Sequence[tuple[int, ...]] = ()
    left: Sequence[Value] = ()


def _kernels(stretch: Sequence[Instruction], needed: set[int]) -> list[Instruction]:
    """The stretch with its pieces compiled, those of one formula that follow each other as one instruction. Empty if lines
    of one that runs in blocks do not compile, for alone they would be given memory that is no longer than a block.

    needed: the values that are read after the stretch, by id; it gains those that the stretch reads.
    """
    pieces: list[_Piece] = []
    for some in reversed(list(_pieces([line for i in stretch for line in (i.body or [i])]))):
        piece = _piece(some, needed) if len(some) > 1 or some[0] not in stretch else None
        if piece is None and not set(stretch).issuperset(some):
            return []
        pieces.append(piece or _Piece(some))
        needed |= {id(origin(v)) for line in some for v in line.inputs}
    made: list[Instruction] = []
    for formula, alike in itertools.groupby(reversed(pieces), lambda piece: piece.formula):
        group = list(alike)
        body = [line for piece in group for line in piece.lines]
        if formula is None:
            made += body
            continue
        rows, left = [row for piece in group for row in piece.rows], [v for piece in group for v in piece.left]
        dead = tuple([v for line in body for v in line.dead])
        made.append(
            Instruction(
                "kernel", None, [], body[-1].value, {"formula": formula}, body[0].scope, dead=dead, body=body, rows=rows,
                left=left,
            )
        )  # fmt: skip
    return made


def _pieces(lines: Sequence[Instruction]) -> Iterator[Sequence[Instruction]]:
    """The lines, cut where another length or type begins, wherever no array that was read or written is used after, and where
    a piece grows too long."""
    for _, some in itertools.groupby(lines, lambda line: (_size(line.value), _type(line))):
        alike = list(some)
        uses = [{_memory(v) for v in (*line.inputs, line.value) if not _is_number(v, line)} for line in alike]
        last = {memory: k for k, used in enumerate(uses) for memory in used}
        start = until = 0
        for k, used in enumerate(uses):
            until = max(until, *[last[memory] for memory in used])
            if k == until or k + 1 - start == MOST_LINES:
                yield alike[start : k + 1]
                start = k + 1


def _piece(lines: Sequence[Instruction], needed: set[int]) -> _Piece | None:
    """Return what the lines compute for each element; None if elements depend on others, or types differ.

    needed: the values that are read after the lines, by id.

    Where a line reads what another has computed is known by its place, which names the value that was written there last.
    """
    arrays: dict[Place, Value] = {}
    numbers: dict[Place, Value] = {}
    left: dict[Place, Value] = {}
    made: dict[Place, Value] = {}
    types = set()  # of all that is read or left: a mask and then numbers may lie in one place
    for line in lines:
        for v in line.inputs:
            if _place(v) not in made:
                (numbers if _is_number(v, line) else arrays)[_place(v)] = v
                types.add(v.dtype)
        made[_place(line.value)] = line.value
        if line.value.storage.kind not in ("buffer", "block") or id(line.value) in needed:
            left[_place(line.value)] = arrays[_place(line.value)] = line.value
            types.add(line.value.dtype)
    size, dtype = _size(lines[0].value), _type(lines[0])
    if types != {dtype}:
        return None
    lengths = {v.array.size for v in arrays.values()}
    if len(lengths | {size}) > 2 or any(v.array.size != size for v in left.values()):
        return None
    given = {**arrays, **numbers}
    if any(a != b and np.may_share_memory(made[a].array, v.array) for a in made for b, v in given.items()):
        return None
    stands = {place: k for k, place in enumerate(given)}
    formula = []
    for k, line in enumerate(lines, len(stands)):
        formula.append((line.op.name, tuple([stands[_place(v)] for v in line.inputs])))
        stands[_place(line.value)] = k
    places = tuple([(k, stands[place]) for k, place in enumerate(arrays) if place in left])
    n = min(lengths)  # the length of a row: that of the arrays, or of those that every row of them meets
    rows = [
        (*[at + (k * n * dtype.itemsize if v.array.size == size else 0) for (at, _), v in given.items()], n)
        for k in range(size // n)
    ]
    return _Piece(lines, Formula(dtype, len(arrays), len(numbers), tuple(formula), places), rows, [*left.values()])


def _compiles(line: Instruction) -> bool:
    """Whether the line is an op of `llvm.WORDS` on arrays of one type and size that stand still, row by row, and on
    numbers or a row beside them."""
    value = line.value
    if line.how != "out" or line.op.name not in WORDS:
        return False
    values = [*line.inputs, value]
    of = [v.dtype for v in values]
    if line.op.name in MASKS and of.pop(MASKS[line.op.name]).kind != "b":
        return False
    if of[0] not in TYPES or of.count(of[0]) < len(of):
        return False
    size = _size(value)
    if size < (LEAST_CLIPPED if line.op is OPS["relu"] else 2):  # a shorter relu computes another zero of −0
        return False
    for v in values:
        if v.array is None or not (v.shape == value.shape or _size(v) in (1, size) or _is_row(v, value)):
            return False
        flags = v.array.flags
        if not flags.c_contiguous or not flags.aligned:
            return False
    return True


def _is_number(v: Value, line: Instruction) -> bool:
    """Whether `v` is the same for all elements of the line."""
    return _size(v) == 1 < _size(line.value)


def _is_row(v: Value, value: Value) -> bool:
    """Whether every row of `value` meets all of `v`, and they are neither short nor many."""
    return (
        len(value.shape) == 2
        and v.shape in (value.shape[-1:], (1, *value.shape[-1:]))
        and value.shape[0] <= MOST_ROWS
        and value.shape[1] >= LEAST_OF_A_ROW
    )


def _size(v: Value) -> int:
    return math.prod(v.shape)


def _type(line: Instruction) -> np.dtype[Any]:
    """The type of the numbers that a line works on; beside them it may have a mask."""
    return next(v.dtype for v in line.inputs if v.dtype in TYPES)


def _place(v: Value) -> Place:
    return int(v.array.ctypes.data), v.array.size


def _memory(v: Value) -> int:
    """Return a key that two values share if they are one array; in a buffer, which serves others later, if one value."""
    return id(origin(v)) if v.storage.kind in ("buffer", "block") else int(v.array.ctypes.data)

"""The last step: a program, planned and written down, is called as long as what it was made with is as it was."""

from __future__ import annotations

import contextvars
import gc
import math
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from tinygrad_edu.engine.registry import Cell
from tinygrad_edu.engine.tensor import new_leaf
from tinygrad_edu.program.blocks import in_blocks
from tinygrad_edu.program.emit import compiled, emit
from tinygrad_edu.program.kernels import runs_until_kernels, with_kernels
from tinygrad_edu.program.nested import mapped
from tinygrad_edu.program.plan import Instruction
from tinygrad_edu.program.planning import plan
from tinygrad_edu.program.program import PLACE, Program, root
from tinygrad_edu.program.record import recorded
from tinygrad_edu.program.tape import Tape, refuse_kept


class Record(ABC):
    """A program that was recorded, and how to call it. How it is run, its kinds say."""

    source: str
    """The program as text."""

    def __init__(self, program: Program) -> None:
        self._template = program.result
        self._returns_tensors = type(program.result) is tuple and all(x is PLACE for x in program.result)
        self._names = [x.name for x in program.arguments]
        self._fills = [(feed.fill, feed.leaf.ndarray) for feed in program.feeds if feed.said is None]
        said: dict[Callable[[], Mapping[str, float]], list[tuple[str, Any]]] = {}
        for feed in program.feeds:
            if feed.said is not None:
                said.setdefault(feed.said[0], []).append((feed.said[1], feed.leaf.ndarray))
        self._said = list(said.items())
        self._after, self._generators, self._slopes = program.after, program.generators, program.slopes
        written = program.written
        arrays = [x.ndarray for x in written]
        self._all_written, self._foreign = arrays, [a for a in arrays if root(a).base is not None]
        self._written = {id(root(a)): [b for b in arrays if root(b) is root(a)] + self._foreign for a in arrays}
        # what an optimizer keeps is seen by no tensor, so no graph grows stale by it
        self._cells = list(dict.fromkeys([x.shared_cell() for x in written if x not in program.held]))
        self.guards = program.guards
        self.serves = self.guards.holds

    @classmethod
    def make(
        cls, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], **options: Any
    ) -> tuple[Record, Any]:
        """Run `f` once, and record it. Returns the record and what `f` returned; if `f` raises, all is put back.

        options: what this kind of record takes besides the program.
        """
        tape = Tape()
        undo = tape.undo
        try:
            record, result = cls._made(tape, f, args, kwargs, options)
            results, born = tape.results, weakref.WeakSet(tape.born)
            del tape  # the graph ends with it, so what is still alive now is held by somebody else
            if born or any(x() is not None for x, _ in results):
                gc.collect()  # what only a cycle of references keeps alive is held by nobody
            refuse_kept(results)
        except BaseException:
            for action in reversed(undo):
                action()
            raise
        undo.clear()
        record._settle()
        record._conclude()
        return record, result

    @classmethod
    def _made(
        cls,
        tape: Tape,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: dict[str, Any],
    ) -> tuple[Record, Any]:
        program, arrays = recorded(tape, f, args, kwargs)
        record = cls(program, **options)
        record.admit(list(tape.placeholders.values()), [x.ndarray for x in program.arguments])
        return record, record._results(arrays)

    # -- whether it serves --------------------------------------------------------------------------

    def _settle(self) -> None:
        """Forget the tensors that only the recorded run used: they are gone, and no later run needs them."""
        self._slopes = [slope for slope in self._slopes if slope[0]() is not None]
        self.guards.settle()

    def admit(self, given: list[Any], arrays: list[Any]) -> None:
        """Raise ValueError for an argument that the function also finds by itself, or in memory that a run writes."""
        own, written, foreign = self.guards.own, self._written, self._foreign
        for i, (x, array) in enumerate(zip(given, arrays, strict=True)):
            if x is array and array.base is None and id(x) not in written and not foreign:
                continue  # an array with memory of its own
            if id(x) in own:
                raise ValueError(
                    f"{x.describe()} is the argument {self._names[i]}, and the replayed function also uses it "
                    "itself, so that gradients by the one would miss the other; pass .detach(), or call the function's .__wrapped__"
                )
            whole = root(array)
            near = written.get(id(whole), foreign) if whole.base is None else self._all_written
            if near and any(np.may_share_memory(array, other) for other in near):
                raise ValueError(
                    f"an argument of shape {array.shape} shares memory with a tensor that the replayed function writes; pass a copy"
                )

    # -- running it ---------------------------------------------------------------------------------

    @abstractmethod
    def run(self, arrays: list[Any]) -> Any:
        """Run the program on new arguments."""

    @abstractmethod
    def profile(self, arrays: list[Any], runs: int) -> str:
        """Where the time of a run goes."""

    def _succeeded(self) -> None:
        """Leave behind what a run changes: writes that make graphs stale, the gradients of leaves, and what is to be done after it."""
        if self._cells:
            Cell.write_all(self._cells)
        for leaf, slope in self._slopes:
            x = leaf()
            if x is not None:
                x.held_grad = slope
        if self._after:
            self._conclude()

    def _conclude(self) -> None:
        """Do what was put off until a run has succeeded."""
        for action in self._after:
            action()

    def _results(self, arrays: Any) -> Any:
        """What the function returned, with new tensors, the caller's own, of these numbers."""
        if self._template is PLACE:
            return new_leaf(arrays[0].copy())
        if self._returns_tensors:
            return tuple([new_leaf(array.copy()) for array in arrays])
        numbers = iter(arrays)
        return mapped(lambda x: new_leaf(next(numbers).copy()) if x is PLACE else x.copy(), self._template)


class PlannedRecord(Record):
    """A program, planned and written down for NumPy."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.plan = planned = in_blocks(plan(program))
        self.source, names = emit(planned)
        self._program = compiled(self.source, names)
        self._runs_left = runs_until_kernels(planned)
        self._early = [(array, np.empty_like(array)) for array in planned.early]
        self._context = contextvars.copy_context()  # entered sooner than np.errstate()
        self._context.run(np.seterr, all="ignore")
        if not any(map(_regroups, planned.lines())) and not any(_runs_backwards(x.ndarray) for x in program.arguments):
            self._context.run(np.setbufsize, 1024)  # numbers that NumPy spreads or converts at a time: a few kB

    def run(self, arrays: list[Any]) -> Any:
        """Run the program on new arguments."""
        return self._context.run(self._run, arrays)

    def _compile(self) -> None:
        """Go on by machine code where that is quicker; as before where the compiler cannot work here."""
        with suppress(Exception):  # whatever it raises where it, or the library that it is in, is broken
            planned = with_kernels(self.plan)
            source, names = emit(planned)
            self._program, self.plan, self.source = compiled(source, names), planned, source

    def _run(self, arrays: list[Any]) -> Any:
        if self._runs_left:
            self._runs_left -= 1
            if not self._runs_left:
                self._compile()
        before = [g.bit_generator.state for g in self._generators] if self._generators else ()
        for array, copy in self._early:
            np.copyto(copy, array)
        try:
            for fill, array in self._fills:
                fill(array)
            for say, places in self._said:
                numbers = say()
                for name, array in places:
                    array.fill(numbers[name])
            results = self._program(*arrays)
        except BaseException:
            for generator, state in zip(self._generators, before, strict=True):
                generator.bit_generator.state = state
            for array, copy in self._early:
                np.copyto(array, copy)
            raise
        self._succeeded()
        return self._results(results)

    def profile(self, arrays: list[Any], runs: int) -> str:
        """The source with the microseconds of each line, which the plan's instructions have from then on."""
        times = [0.0] * len(self.plan.instructions)
        program, self._program = self._program, compiled(*emit(self.plan, times))
        left, self._runs_left = self._runs_left, 0  # for the program stays what it is till the end
        try:
            for _ in range(runs):
                self.run(arrays)
        finally:
            self._program, self._runs_left = program, left
        for instruction, total in zip(self.plan.instructions, times, strict=True):
            instruction.seconds = total / runs
        each = iter(times)
        lines = []
        for line in self.source.splitlines():
            is_code = line[:4] == "    " and line[4] not in " #" and not line.startswith("    return")
            lines.append(f"{next(each) / runs * 1e6:9.1f} µs {line}" if is_code else f"{'':12} {line}")
        return "\n".join(lines)


def _regroups(line: Instruction) -> bool:
    """Whether the line may add up numbers that NumPy first spreads or converts: in groups of the size of its buffers."""
    if line.op is None or line.op.view or isinstance(line.op.forward, np.ufunc):
        return False
    spread = [v for v in line.inputs if v.dtype == np.float16 or (v.array is not None and _runs_backwards(v.array))]
    return any(line.value.shape is None or math.prod(line.value.shape) < math.prod(v.shape) for v in spread)


def _runs_backwards(array: Any) -> bool:
    """Whether the array repeats what lies in memory, or reads it from the end: NumPy then groups what it adds up."""
    return any(stride <= 0 for stride in array.strides)

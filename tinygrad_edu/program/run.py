"""A record of one run: the program it makes, what it holds for, and how to run it again."""

from __future__ import annotations

import contextvars
import gc
import inspect
import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import Cell, topological
from tinygrad_edu.engine.recording import recording
from tinygrad_edu.engine.tensor import Tensor, new_leaf
from tinygrad_edu.program.blocks import in_blocks
from tinygrad_edu.program.emit import compiled, emit
from tinygrad_edu.program.nested import check_result, mapped, objects
from tinygrad_edu.program.plan import Instruction, Plan, plan
from tinygrad_edu.program.record import Tape, owner, refuse_kept, root
from tinygrad_edu.program.state import State, generator_state, generators_of, modules_of


class Record:
    """A program, the state it holds for, and how to call it."""

    def __init__(
        self, planned: Plan, tape: Tape, template: Any, outputs: list[Tensor], slopes: list[Any], given: list[Any]
    ) -> None:
        self.plan = planned
        self.source, names = emit(planned)
        self._program = compiled(self.source, names)
        self._template = template
        self._fills = [(feed.fill, feed.leaf.ndarray) for feed in tape.feeds]
        self._early = [(array, np.empty_like(array)) for array in planned.early]
        self._afterwards = tape.afterwards
        self._generators = tape.generators
        self._slopes = slopes
        written = {x for x in [owner(w.target) for w in tape.writes] if x.op is None}
        arrays = [x.ndarray for x in written]
        self._all_written, self._foreign = arrays, [a for a in arrays if root(a).base is not None]
        self._written = {id(root(a)): [b for b in arrays if root(b) is root(a)] + self._foreign for a in arrays}
        self._cells = list(dict.fromkeys([x.shared_cell() for x in written]))
        read = topological([*outputs, *[x for w in tape.writes for x in (w.value, w.target)]], through_constants=True)
        leaves = {x for x in [*read, *tape.used] if x.op is None and x not in tape.placeholders}
        self._own = {id(x) for x in leaves if x.needs_grad}
        self.state = State(tape, leaves | written | tape.outer.keys(), written, given)
        self.serves = self.state.holds
        self._context = contextvars.copy_context()  # entered sooner than np.errstate()
        self._context.run(np.seterr, all="ignore")
        if not any(map(_regroups, planned.lines())) and not any(_runs_backwards(x.ndarray) for x in tape.placeholders):
            self._context.run(np.setbufsize, 1024)  # so many numbers NumPy spreads or converts at a time: a few kB

    @classmethod
    def make(cls, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Record, Any]:
        """Run `f` once, recording; the record, and what `f` returned. If `f` raises, all is as before."""
        tape = Tape()
        undo = tape.undo
        try:
            record, result = cls._made(tape, f, args, kwargs)
            computed, born = tape.computed, weakref.WeakSet(tape.born)
            del tape  # and the graph with it
            if born or any(x() is not None for x, _ in computed):
                gc.collect()  # a cycle is nobody's
            refuse_kept(computed)
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
        cls, tape: Tape, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Record, Any]:
        stand_ins: dict[Any, Tensor] = {}

        def placeholder(x: Any, name: str) -> Any:
            leaf = new_leaf(x.ndarray) if isinstance(x, Tensor) else Tensor(x)
            leaf.needs_grad = isinstance(x, Tensor) and x.needs_grad
            leaf.name = name
            tape.placeholders[leaf] = x
            return stand_ins.setdefault(x, leaf) if leaf.needs_grad else leaf  # the same tensor twice is one

        def stand_in(value: Any, name: str) -> Any:
            return mapped(lambda x: placeholder(x, name), value)

        given = [stand_in(value, name) for value, name in zip(args, _names(f, len(args)), strict=True)]
        named = {key: stand_in(value, key) for key, value in kwargs.items()}
        found = list(objects((args, kwargs)))
        known = generators_of(f, found)
        result = recording(everything=True, tape=tape).run(f, *given, **named)
        for name, generator, before in known:
            if generator_state(generator) != before and not any(generator is followed for followed in tape.generators):
                raise RuntimeError(
                    f"{_called(f)} draws numbers from {name}, which would be the same in every replay; draw tensors, by "
                    "tg.rand(), tg.randn() or dropout, which take generator=, or draw outside and pass the array"
                )
        check_result(result, _called(f))
        for module in modules_of(f, found):
            tape.called(module)
        for module in reversed(tape.modules.values()):
            list(module.named_buffers())  # which thereby have names, by their paths in the outermost module
        outputs: list[Tensor] = []

        def place(x: Any) -> Any:
            if isinstance(x, Tensor):
                outputs.append(tape.inside(x))
                return _PLACE
            return x

        template = mapped(place, result)
        slopes = _keep_slopes(tape)
        numbers = [x.ndarray.copy() for x in outputs]
        tape.let_go()
        planned = in_blocks(plan(list(tape.placeholders), outputs, tape))
        record = cls(planned, tape, template, outputs, slopes, found)
        record.admit(list(tape.placeholders.values()), [x.ndarray for x in tape.placeholders])
        return record, record._results(numbers)

    # -- whether it serves --------------------------------------------------------------------------

    def _settle(self) -> None:
        """What has ended with the recording was the function's own, and need not live on."""
        self._slopes = [slope for slope in self._slopes if slope[0]() is not None]
        self.state.settle()

    def admit(self, given: list[Any], arrays: list[Any]) -> None:
        """Raise ValueError for an argument that the function also finds by itself, or in memory that a run writes."""
        if not self._own.isdisjoint(map(id, given)):
            i, x = next((i, x) for i, x in enumerate(given) if id(x) in self._own)
            raise ValueError(
                f"{x.describe()} is the argument {self.plan.arguments[i].name}, and the replayed function also uses it "
                "itself, so that gradients by the one would miss the other; pass .detach(), or call the function's .__wrapped__"
            )
        for array in arrays if self._written else ():
            whole = root(array)
            near = self._written.get(id(whole), self._foreign) if whole.base is None else self._all_written
            if near and any(np.may_share_memory(array, written) for written in near):
                raise ValueError(
                    f"an argument of shape {array.shape} shares memory with a tensor that the replayed function writes; pass a copy"
                )

    # -- running it ---------------------------------------------------------------------------------

    def run(self, arrays: list[Any]) -> Any:
        """Run the program on new arguments."""
        return self._context.run(self._run, arrays)

    def _run(self, arrays: list[Any]) -> Any:
        before = [g.bit_generator.state for g in self._generators] if self._generators else ()
        for array, copy in self._early:
            np.copyto(copy, array)
        try:
            for fill, array in self._fills:
                fill(array)
            results = self._program(*arrays)
        except BaseException:
            for generator, state in zip(self._generators, before, strict=True):
                generator.bit_generator.state = state
            for array, copy in self._early:
                np.copyto(array, copy)
            raise
        Cell.write_all(self._cells)
        for leaf, slope in self._slopes:
            x = leaf()
            if x is not None:
                x.held_grad = slope
        if self._afterwards:
            self._conclude()
        return self._results(results)

    def _conclude(self) -> None:
        """What follows a run that succeeded."""
        for action in self._afterwards:
            action()

    def _results(self, arrays: Any) -> Any:
        """What the function returned, with new tensors, the caller's own, of these numbers."""
        if self._template is _PLACE:
            return new_leaf(arrays[0].copy())
        numbers = iter(arrays)
        return mapped(lambda x: new_leaf(next(numbers).copy()) if x is _PLACE else x.copy(), self._template)

    def profile(self, arrays: list[Any], runs: int) -> str:
        """The source with the microseconds of each line, which the plan's instructions have from then on."""
        times = [0.0] * len(self.plan.instructions)
        program, self._program = self._program, compiled(*emit(self.plan, times))
        try:
            for _ in range(runs):
                self.run(arrays)
        finally:
            self._program = program
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


_PLACE = new_leaf(None)
"""Where a tensor stands in what the function returns."""


def _called(f: Any) -> str:
    """What errors call the function."""
    return getattr(f, "__name__", type(f).__name__)


def parameters(f: Callable[..., Any]) -> list[inspect.Parameter]:
    """What `f` says of its arguments: nothing, if it is a function of another language."""
    try:
        return list(inspect.signature(getattr(f, "forward", f)).parameters.values())
    except (TypeError, ValueError):
        return []


def _names(f: Callable[..., Any], n: int) -> list[str]:
    """What `f` calls its first n arguments, for the program to call them alike."""
    found = [p.name for p in parameters(f) if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:n]
    return found + [f"x{i}" for i in range(len(found), n)]


_KEPT: weakref.WeakValueDictionary[int, Tensor] = weakref.WeakValueDictionary()
"""The gradients that replays write: no one else's numbers are lost there."""


def _keep_slopes(tape: Tape) -> list[Any]:
    """The gradients that the function left, each as one tensor that every run writes anew."""
    kept = []
    taken: set[int] = set()  # a tensor that is the gradient of two leaves cannot be written for both
    for leaf, before in tape.slopes.items():
        slope = leaf.held_grad
        if leaf in tape.placeholders and slope is not None:
            raise RuntimeError(
                f"a replayed function was to leave the gradient by its argument {leaf.name!r} in .grad, where the caller would not "
                "find it; return tg.grad(loss, x) instead"
            )
        if slope is not None and slope.op is not None:
            known = _KEPT.get(id(before)) if id(before) not in taken else None
            taken.add(id(before))
            holder = new_leaf(np.empty_like(slope.ndarray)) if known is None else known
            holder.name = f"grad of {leaf.name}" if leaf.name else None
            tape.write(holder, slope, new=known is None)
            _KEPT[id(holder)] = holder
            leaf.held_grad = slope = holder
        elif slope is not None:
            tape.start(slope, required=False)
        kept.append((weakref.ref(leaf), slope))
    return kept

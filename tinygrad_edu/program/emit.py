"""The third step: the plan as Python source, and the function it makes."""

from __future__ import annotations

import inspect
import itertools
import keyword
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_edu.engine.registry import OPS
from tinygrad_edu.ops.parts import bits_of
from tinygrad_edu.program.direct import Direct, direct, gates_bits
from tinygrad_edu.program.llvm import machine_code
from tinygrad_edu.program.plan import Instruction, Plan


def emit(plan: Plan, times: list[float] | None = None) -> tuple[str, dict[str, Any]]:
    """The source of a function `program(arguments) -> outputs`, and what its names stand for.

    With `times` there is a clock round each line: `times[i]` gains the seconds of instruction i.
    """
    return _Writer(plan).program(times)


def compiled(source: str, names: dict[str, Any]) -> Callable[..., Any]:
    """The function that the source defines."""
    space = dict(names)
    exec(compile(source, "<replay>", "exec"), space)
    return space.pop("program")  # in its own globals the function would keep itself alive


def shaped(value: Any, shape: Any, name: str) -> Any:
    """Return what an op computed. Raises RuntimeError if it has another shape than in the record."""
    found = tuple([part.shape for part in value]) if isinstance(value, tuple) else np.shape(value)
    if found != shape:
        raise RuntimeError(
            f"{name} gave shape {found} in this run, but {shape} when it was recorded for replay: a shape that depends on "
            "values cannot be replayed; choose with np.where(condition, a, b), which keeps shapes"
        )
    return value


class _Writer:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.names: dict[str, Any] = {v.name: v.array for v in (*plan.leaves, *plan.views)}
        written = [v for i in plan.instructions for v in (i.left or [i.value])]
        values = [*plan.arguments, *plan.leaves, *plan.views, *written]
        self.taken = {v.name for v in values}
        self.kernels = itertools.count(1)

    def name(self, wanted: str, thing: Any) -> str:
        """The name by which the program knows something that is not a value: a function, a setting."""
        wanted = wanted if wanted.isidentifier() and not keyword.iskeyword(wanted) else "f"
        names = itertools.chain([wanted], (f"{wanted}_{k}" for k in itertools.count(2)))
        return next(name for name in names if name not in self.taken and self.names.setdefault(name, thing) is thing)

    def program(self, times: list[float] | None) -> tuple[str, dict[str, Any]]:
        """The whole source, and its names."""
        lines = [f"def program({', '.join(v.name for v in self.plan.arguments)}):"]
        scope = ""
        clock, begun, total = (
            ["", "", ""]
            if times is None
            else [self.name("clock", time.perf_counter), self.name("begun", None), self.name("times", times)]
        )
        for i, instruction in enumerate(self.plan.instructions):
            if instruction.scope != scope:
                scope = instruction.scope
                lines.append(f"    # {' '.join(scope.split()) or 'outside any module'}")
            if times is not None:
                lines.append(f"    {begun} = {clock}()")
            ways = {"blocks": self._blocks, "kernel": self._kernel}
            lines += ways.get(instruction.how, self._commented)(instruction)
            if times is not None:
                lines.append(f"    {total}[{i}] += {clock}() - {begun}")
        results = ", ".join(v.name for v in self.plan.outputs)
        lines.append(f"    return ({results}{',' if len(self.plan.outputs) == 1 else ''})")
        return "\n".join(lines) + "\n", self.names

    def _commented(self, instruction: Instruction) -> list[str]:
        """The line of an instruction, and what it leaves."""
        return [f"    {self._line(instruction) + _deletion(instruction):<58}  # {_comment(instruction)}"]

    def _blocks(self, instruction: Instruction) -> list[str]:
        """The lines of a stretch in a loop over blocks."""
        value, parts = instruction.value, {at: self.name(name, object()) for at, name in instruction.names.items()}
        names = ", ".join(parts.values()) + "," * (len(parts) == 1)
        head = f"for {names} in {self.name('blocks', instruction.rows)}:"
        lines = [f"    {head:<58}  # {value.shape} {value.dtype}, {len(instruction.rows)} blocks"]
        self.names.update({v.name: v.array for v in instruction.left})
        for line in instruction.body:
            *inputs, out = [
                parts[v.array.ctypes.data] if v.array.size > 1 else v.name for v in (*line.inputs, line.value)
            ]
            lines.append(f"        {self._into(line, inputs, out)}")
        return lines

    def _kernel(self, instruction: Instruction) -> list[str]:
        """The call of machine code, and the lines of its first row, which it stands for."""
        formula, rows = instruction.settings["formula"], instruction.rows
        self.names.update({v.name: v.array for v in instruction.left})
        places, k = np.array(rows, np.int64), next(self.kernels)
        self.name(f"places_{k}", places)  # which lives as long as the program
        called, given = self.name("formula", machine_code(formula)), self.name(f"rows_{k}", places.ctypes.data)
        head = f"{called}({given}, {len(rows)}){_deletion(instruction)}"
        size, counted = sum([row[-1] for row in rows]), f"{len(rows)} row{'s' * (len(rows) > 1)}"
        body = [
            f"        # {self._into(line, [v.name for v in line.inputs], line.value.name)}"
            for line in instruction.body[: len(formula.lines)]
        ]
        return [f"    {head:<58}  # machine code, for {size} numbers in {counted}; of the first:", *body]

    def _line(self, instruction: Instruction) -> str:
        value, inputs = instruction.value, [v.name for v in instruction.inputs]
        if instruction.how == "write":
            return f"{self.name('copyto', np.copyto)}({value.name}, {inputs[0]})"
        if instruction.how == "item":
            return f"{value.name} = {inputs[0]}[{instruction.settings['index']}]"
        if instruction.how == "out":
            self.names[value.name] = value.array
            if gates_bits(instruction):
                a, out = (self.name(f"bits_of_{v.name}", bits_of(v.array)) for v in (instruction.inputs[0], value))
                return f"{self.name('gate', np.multiply)}({a}, {inputs[1]}, {out})"
            return self._into(instruction, inputs, value.name)
        if instruction.op is OPS["transpose"] and instruction.settings["axes"] is None:
            return f"{value.name} = {inputs[0]}.T"
        function, inputs = self._function(direct(instruction), inputs)
        call = f"{function}({', '.join([*inputs, *self._settings(instruction)])})"
        if value.storage.kind == "fresh" and instruction.op.outputs is None:
            call = f"{self.name('shaped', shaped)}({call}, {value.shape}, {instruction.op.name!r})"
        return f"{value.name} = {call}"

    def _into(self, instruction: Instruction, inputs: list[str], out: str) -> str:
        """The call that writes into `out`; most ufuncs are quicker with it in its place."""
        called = direct(instruction)
        forward = called.function
        function, inputs = self._function(called, inputs)
        if isinstance(forward, np.ufunc) and forward.nout == 1 and forward not in (np.maximum, np.minimum):
            return f"{function}({', '.join([*inputs, out])})"
        places = [f"out={out}"]
        if instruction.scratch is not None:
            self.names[instruction.scratch.name] = instruction.scratch.array
            places.append(f"scratch={instruction.scratch.name}")
        return f"{function}({', '.join([*inputs, *self._settings(instruction), *places])})"

    def _function(self, called: Direct, inputs: list[str]) -> tuple[str, list[str]]:
        """The name of what is called, and those of what it is given, in their order."""
        before, after = ([self.name(*constant) for constant in some.items()] for some in (called.before, called.after))
        return self.name(called.name, called.function), [*before, *inputs, *after]

    def _settings(self, instruction: Instruction) -> list[str]:
        """The settings that are not what the op takes when they are left out."""
        known = _defaults(direct(instruction).function)
        return [
            f"{key}={self._literal(key, setting)}"
            for key, setting in instruction.settings.items()
            if key not in known or known[key] != repr(setting)
        ]

    def _literal(self, key: str, setting: Any) -> str:
        """A setting as source: itself if Python can read it back, else a name for it."""
        return repr(setting) if _readable(setting) else self.name(key, setting)


def _defaults(forward: Any) -> dict[str, str]:
    """What stands for the arguments of a function that are left out."""
    try:
        parameters = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):  # a ufunc, or a function of another language
        return {}
    return {p.name: repr(p.default) for p in parameters if p.default is not p.empty}


def _readable(setting: Any) -> bool:
    if isinstance(setting, tuple):
        return all(map(_readable, setting))
    if setting.__class__ is float:
        return math.isfinite(setting)
    return setting is None or setting.__class__ in (bool, int, str)


def _deletion(instruction: Instruction) -> str:
    return f"; del {', '.join(v.name for v in instruction.dead)}" if instruction.dead else ""


def _comment(instruction: Instruction) -> str:
    value = instruction.value
    if value.shape is None:
        return "several results"
    over = [v for v in instruction.inputs if instruction.how == "out" and v.storage is value.storage]
    place = f", over {over[0].name}" if over and over[0].name != value.name else ""
    fresh = ""
    if instruction.how == "fresh":
        fresh = ", a fresh array" if value.storage.kind == "fresh" else f", a view of {instruction.inputs[0].name}"
    notes = "".join(f", {v.name} = {v.note}" for v in instruction.inputs if v.note)
    return f"{value.shape} {value.dtype}{place}{fresh}{notes}"

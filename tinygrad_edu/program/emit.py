"""The third step: the plan as Python source, and the function it makes."""

from __future__ import annotations

import keyword
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_edu.program.plan import Instruction, Plan


def emit(plan: Plan, *, timed: bool = False) -> tuple[str, dict[str, Any]]:
    """The source of a function `program(arguments) -> outputs`, and the names it uses.

    `timed` puts a clock round each line: `times[i]` gains the seconds of instruction i.
    """
    names: dict[str, Any] = {v.name: v.array for v in (*plan.leaves, *plan.views)}
    lines = [f"def program({', '.join(v.name for v in plan.arguments)}):"]
    scope = ""
    for i, instruction in enumerate(plan.instructions):
        if instruction.scope != scope:
            scope = instruction.scope
            lines.append(f"    # {scope or 'outside any module'}")
        if timed:
            lines.append("    t = clock()")
        lines += _blocks(instruction, names) if instruction.how == "blocks" else [_commented(instruction, names)]
        if timed:
            lines.append(f"    times[{i}] += clock() - t")
    results = ", ".join(v.name for v in plan.outputs)
    lines.append(f"    return ({results}{',' if len(plan.outputs) == 1 else ''})")
    if timed:
        names["clock"] = time.perf_counter
        names["times"] = [0.0] * len(plan.instructions)
    return "\n".join(lines) + "\n", names


def compiled(source: str, names: dict[str, Any]) -> Callable[..., Any]:
    """The function that the source defines."""
    space = dict(names)
    exec(compile(source, "<replay>", "exec"), space)
    return space["program"]


def _commented(instruction: Instruction, names: dict[str, Any]) -> str:
    return f"    {_line(instruction, names):<58}  # {_comment(instruction)}"


def _blocks(instruction: Instruction, names: dict[str, Any]) -> list[str]:
    """The lines of a stretch in a loop over blocks."""
    rows = f"blocks{len(names)}"
    names[rows] = instruction.rows
    value = instruction.value
    parts = [*instruction.names.values(), ""] if len(instruction.names) == 1 else instruction.names.values()
    head = f"for {', '.join(parts).rstrip()} in {rows}:"
    lines = [f"    {head:<58}  # {value.shape} {value.dtype}, {len(instruction.rows)} blocks"]
    for line in instruction.body:
        if line.value.array.ctypes.data not in instruction.scratch:
            names[line.value.name] = line.value.array
        parts = [
            instruction.names[v.array.ctypes.data] if v.array.size > 1 else v.name for v in (*line.inputs, line.value)
        ]
        if line.op.forward in (np.maximum, np.minimum):
            parts[-1] = f"out={parts[-1]}"
        lines.append(f"        {_function(line.op, names)}({', '.join(parts)})")
    return lines


def _line(instruction: Instruction, names: dict[str, Any]) -> str:
    value, inputs = instruction.value, [v.name for v in instruction.inputs]
    if instruction.how == "write":
        names["copyto"] = np.copyto
        return f"copyto({value.name}, {inputs[0]})"
    if instruction.how == "item":
        return f"{value.name} = {inputs[0]}[{instruction.settings['index']}]"
    op = instruction.op
    function = _function(op, names)
    settings = [f"{key}={_literal(setting, names)}" for key, setting in instruction.settings.items()]
    if instruction.how == "out":
        names[value.name] = value.array
        if isinstance(op.forward, np.ufunc) and op.forward not in (np.maximum, np.minimum):
            return f"{function}({', '.join([*inputs, value.name])})"
        return f"{function}({', '.join([*inputs, *settings, f'out={value.name}'])})"
    call = f"{function}({', '.join([*inputs, *settings])})"
    return f"{value.name} = {call}"


def _function(op: Any, names: dict[str, Any]) -> str:
    """A name for the op's forward function that no other value has."""
    name = op.name if op.name.isidentifier() and not keyword.iskeyword(op.name) else f"op_{len(names)}"
    while names.setdefault(name, op.forward) is not op.forward:
        name += "_"
    return name


def _literal(setting: Any, names: dict[str, Any]) -> str:
    """A setting as source: itself if Python can read it back, else a name for it."""
    if setting is None or isinstance(setting, bool | int | str):
        return repr(setting)
    if isinstance(setting, tuple) and all(isinstance(part, int | str) or part is None for part in setting):
        return repr(setting)
    name = f"s{len(names)}"
    names[name] = setting
    return name


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

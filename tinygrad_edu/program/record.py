"""The first step: run a function once, under a tape, and make a program of what it did."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import topological
from tinygrad_edu.engine.recording import recording
from tinygrad_edu.engine.tensor import Tensor, new_leaf
from tinygrad_edu.program import readings, steps  # noqa: F401 (their tables: what watched functions mean here)
from tinygrad_edu.program.guards import Guards, generator_state, generators_of, modules_of
from tinygrad_edu.program.nested import check_result, mapped, objects
from tinygrad_edu.program.program import PLACE, Compute, Event, Program, leaves_of, owner
from tinygrad_edu.program.tape import Tape


def recorded(
    tape: Tape, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Program, list[Any]]:
    """Run `f` once: the program, and the arrays of its outputs in this run.

    Should it raise, what `f` has changed is put back by the actions in `tape.undo`, the last first.
    """
    stand_ins: dict[Any, Tensor] = {}

    def placeholder(x: Any, name: str) -> Any:
        leaf = new_leaf(x.ndarray) if isinstance(x, Tensor) else Tensor(x)
        leaf.needs_grad = isinstance(x, Tensor) and x.needs_grad
        leaf.name = name
        tape.placeholders[leaf] = x
        return stand_ins.setdefault(x, leaf) if leaf.needs_grad else leaf  # the same tensor twice is one

    def stand_in(value: Any, name: str) -> Any:
        return mapped(lambda x: placeholder(x, name), value)

    given = [stand_in(value, name) for value, name in zip(args, names_of(f, len(args)), strict=True)]
    named = {key: stand_in(value, key) for key, value in kwargs.items()}
    found = list(objects((args, kwargs)))
    known = generators_of(f, found)
    result = recording(watcher=tape).run(f, *given, **named)
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
            return PLACE
        return x

    template = mapped(place, result)
    slopes = _kept_slopes(tape)
    numbers = [x.ndarray.copy() for x in outputs]
    tape.let_go()
    return _program(tape, outputs, template, slopes, found), numbers


def _program(
    tape: Tape, outputs: list[Tensor], template: Any, slopes: list[tuple[weakref.ref[Tensor], Any]], found: list[Any]
) -> Program:
    """What a tape holds at the end of a run, as a program."""
    ends = [*outputs, *[x for w in tape.writes for x in (w.value, w.target)]]
    nodes = topological(ends, through_constants=True)
    events: list[Event] = [Compute(node, node.inputs) for node in nodes if node.op is not None]
    events = sorted([*events, *tape.writes], key=lambda event: event.time)
    numbers = frozenset(tape.numbers.values())
    others = {*tape.placeholders, *numbers, *[feed.leaf for feed in tape.feeds]}
    written = {x for x in [owner(w.target) for w in tape.writes] if x.op is None}
    leaves = {x for x in [*nodes, *tape.used] if x.op is None and x not in tape.placeholders}
    return Program(
        arguments=list(tape.placeholders),
        outputs=outputs,
        result=template,
        events=events,
        feeds=tape.feeds,
        numbers=numbers,
        state=[x for x in leaves_of(events, outputs) if x not in others],
        slopes=slopes,
        generators=tape.generators,
        after=tape.afterwards,
        guards=Guards(tape, leaves, tape.outer, written, found),
        held=tape.held,
        lines={x: line for x, line in [(reference(), line) for reference, line in tape.results] if x is not None},
    )


def parameters(f: Callable[..., Any]) -> list[inspect.Parameter]:
    """What `f` says of its arguments: nothing, if it is a function of another language."""
    try:
        return list(inspect.signature(getattr(f, "forward", f)).parameters.values())
    except (TypeError, ValueError):
        return []


def names_of(f: Callable[..., Any], n: int) -> list[str]:
    """What `f` calls its first n arguments, for the program to call them alike."""
    found = [p.name for p in parameters(f) if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:n]
    return found + [f"x{i}" for i in range(len(found), n)]


def _called(f: Any) -> str:
    """What errors call the function."""
    return getattr(f, "__name__", type(f).__name__)


_KEPT: weakref.WeakValueDictionary[int, Tensor] = weakref.WeakValueDictionary()
"""The gradients that replays write, by address: they may be written again, for nobody else's numbers are in them."""


def _kept_slopes(tape: Tape) -> list[tuple[weakref.ref[Tensor], Any]]:
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

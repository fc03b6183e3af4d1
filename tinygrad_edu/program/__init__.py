"""replay: a step recorded once, then run as straight-line NumPy over planned buffers.

`record.py` runs the function and keeps what it did, `plan.py` gives every value its array, `emit.py` writes the
program down; here they are put together, and the program is called in the function's place.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_edu.graph import RECORDING, is_grad_enabled, recording
from tinygrad_edu.program.blocks import in_blocks
from tinygrad_edu.program.emit import compiled, emit
from tinygrad_edu.program.plan import Plan, plan
from tinygrad_edu.program.record import Tape
from tinygrad_edu.tensor import Tensor, new_leaf

__all__ = ["Replay", "replay"]

RECORDS = 8
"""How many records a function keeps, for as many signatures; the oldest goes first."""


def replay(f: Callable[..., Any]) -> Replay:
    """`f`, recorded at its first call and replayed after: the same numbers, without the cost of recording.

    f: a function of tensors, arrays and plain values: a training step, a model. Everything it does to tensors is
    replayed: forward, `backward()`, `optimizer.step()`, writes under `no_grad`. Its Python is not run again, so
    looking at a number inside (`if loss > 1`, `loss.item()`, printing) raises at recording, and numbers from
    elsewhere (a NumPy array made inside) stay what they were. Other shapes, dtypes or plain values, a module put
    into `eval()`, a parameter with other memory: all record anew.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> optimizer = tg.optim.SGD([w], lr=0.1)
    >>> @replay
    ... def step(x):
    ...     loss = np.square(x * w).sum()
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> [round(step(np.ones(2)).item(), 4) for _ in range(3)]
    [5.0, 3.2, 2.048]
    """
    return Replay(f)


class Replay:
    """A function that is recorded for each signature it is called with, and replayed. See `replay`."""

    def __init__(self, f: Callable[..., Any]) -> None:
        functools.update_wrapper(self, f, updated=())
        self._f = f
        self._records: dict[Any, Record] = {}
        self._last: Record | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's result; its tensors are the caller's own."""
        if RECORDING.get().tape is not None:
            raise RuntimeError(
                f"{self._name} is replayed, and cannot be called inside a function that is being recorded; call {self._name}.__wrapped__"
            )
        given = [*args, *kwargs.values()]
        key = (tuple([_kind(x) for x in given]), tuple(kwargs), is_grad_enabled())
        record = self._records.get(key)
        if record is not None and record.serves():
            self._last = record
            return record.run(
                [x._data if isinstance(x, Tensor) else x for x in given if isinstance(x, Tensor | np.ndarray)]
            )
        record, result = Record.make(self._f, args, kwargs)
        self._records.pop(key, None)
        self._records[key] = record
        while len(self._records) > RECORDS:
            del self._records[next(iter(self._records))]
        self._last = record
        return result

    @property
    def _name(self) -> str:
        return getattr(self._f, "__name__", type(self._f).__name__)

    def _record(self) -> Record:
        if self._last is None:
            raise RuntimeError(f"{self._name} has not been called yet, so there is no program; call it once")
        return self._last

    @property
    def source(self) -> str:
        """The program that the last call ran, as Python."""
        return self._record().source

    @property
    def plan(self) -> Plan:
        """Where the values of that program live: `plan.instructions`, `plan.buffers`, `plan.nbytes`."""
        return self._record().plan

    def profile(self, *args: Any, runs: int = 20, **kwargs: Any) -> str:
        """The program with the microseconds each line takes, the mean of `runs`. It runs, and so writes, as calls do."""
        self(*args, **kwargs)
        arrays = [
            x._data if isinstance(x, Tensor) else x
            for x in (*args, *kwargs.values())
            if isinstance(x, Tensor | np.ndarray)
        ]
        return self._record().profile(arrays, runs)

    def forget(self) -> None:
        """Drop all records; the next call records anew."""
        self._records.clear()
        self._last = None


def _kind(x: Any) -> Any:
    """What a record depends on of an argument: of an array the shape and dtype, of anything else its value."""
    if isinstance(x, Tensor):
        return "tensor", x._data.shape, x._data.dtype.str, x._requires_grad
    if isinstance(x, np.ndarray):
        return "array", x.shape, x.dtype.str
    try:
        hash(x)
    except TypeError:
        raise TypeError(
            f"a replayed function takes tensors, arrays and plain values, but got {type(x).__name__}; pass its tensors one by one"
        ) from None
    return type(x), x


class Record:
    """A program, the state it holds for, and how to call it."""

    def __init__(self, planned: Plan, tape: Tape, rebuild: Callable[[list[Any]], Any], slopes: list[Any]) -> None:
        self.plan = planned
        self.source, names = emit(planned)
        self._program = compiled(self.source, names)
        self._rebuild = rebuild
        self._fills = [(feed.fill, feed.leaf._data) for feed in tape.feeds]
        self._early = [(array, np.empty_like(array)) for array in planned.early]
        self._afterwards = tape.afterwards
        self._generators = tape.generators
        self._slopes = slopes
        self._guards = tape.guards
        self._targets = [weakref.ref(x) for x in dict.fromkeys(w.target for w in tape.writes)]
        self._held: list[tuple[weakref.ref[Tensor], Any, bool]] = []

    @classmethod
    def make(cls, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Record, Any]:
        """Run `f` once, recording; the record, and what `f` returned. If `f` raises, all is as before."""
        tape = Tape()
        placeholders = tape.placeholders
        named = dict(zip(_parameter_names(f, len(args)), args, strict=False)) | kwargs
        names = list(named)[: len(args)] + list(kwargs)

        def placeholder(x: Any, name: str) -> Any:
            if not isinstance(x, Tensor | np.ndarray):
                return x
            leaf = new_leaf(x._data if isinstance(x, Tensor) else x)
            leaf._requires_grad = isinstance(x, Tensor) and x._requires_grad
            leaf.name = name
            placeholders.append(leaf)
            return leaf

        stand_ins = [placeholder(x, name) for x, name in zip((*args, *kwargs.values()), names, strict=True)]
        try:
            with recording(everything=True, tape=tape):
                result = f(*stand_ins[: len(args)], **dict(zip(kwargs, stand_ins[len(args) :], strict=True)))
            for module in reversed(tape.modules.values()):
                list(module.named_buffers())  # which thereby have names, by their paths in the outermost module
            outputs: list[Tensor] = []
            rebuild = _structure(result, outputs)
            slopes = _keep_slopes(tape, placeholders)
            planned = in_blocks(plan(placeholders, outputs, tape))
        except BaseException:
            tape.undo()
            raise
        record = cls(planned, tape, rebuild, slopes)
        record._guard(outputs, tape, placeholders)
        record._conclude()
        return record, rebuild([x._data.copy() for x in outputs])

    def _guard(self, outputs: list[Tensor], tape: Tape, placeholders: list[Tensor]) -> None:
        """Note what the record depends on outside itself: the leaves that live on, and the modules as they are."""
        from tinygrad_edu.graph import topological

        order = topological([*outputs, *[w.value for w in tape.writes]], through_constants=True)
        leaves = [node for node in order if node.op is None and all(node is not x for x in placeholders)]
        leaves += [w.target for w in tape.writes]
        self._held = [(weakref.ref(x), x._data, x._requires_grad) for x in dict.fromkeys(leaves)]
        self._modules = [(weakref.ref(m), m.training, _attributes(m)) for m in tape.modules.values()]

    def serves(self) -> bool:
        """Whether all that the record was made with is still there, and as it was."""
        for reference, array, learns in self._held:
            x = reference()
            if x is not None and (x._data is not array or x._requires_grad is not learns):
                return False
        for module, training, attributes in self._modules:
            m = module()
            if m is None or m.training is not training:
                return False
            now = vars(m)
            for key, value in attributes:
                if now.get(key) is not value and (isinstance(value, Tensor) or now.get(key) != value):
                    return False
        return all(holds() for holds in self._guards)

    @np.errstate(all="ignore")
    def run(self, arrays: list[Any]) -> Any:
        """Run the program on new arguments."""
        before = [g.bit_generator.state for g in self._generators]
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
        for reference in self._targets:
            target = reference()
            if target is not None:
                target._written()
        for leaf, slope in self._slopes:
            x = leaf()
            if x is not None:
                x._grad = slope
        self._conclude()
        return self._rebuild([np.array(r) for r in results])

    def _conclude(self) -> None:
        """What follows a run that succeeded."""
        for action in self._afterwards:
            action()

    def profile(self, arrays: list[Any], runs: int) -> str:
        """The source with times."""
        source, names = emit(self.plan, timed=True)
        timed = compiled(source, names)
        for _ in range(runs):
            for fill, array in self._fills:
                fill(array)
            with np.errstate(all="ignore"):
                timed(*arrays)
            self._conclude()
        times = iter(names["times"])
        lines = []
        for line in self.source.splitlines():
            is_code = line[:4] == "    " and line[4] not in " #" and not line.startswith("    return")
            lines.append(f"{next(times) / runs * 1e6:9.1f} µs {line}" if is_code else f"{'':12} {line}")
        return "\n".join(lines)


def _attributes(module: Any) -> list[tuple[str, Any]]:
    """What a record depends on of a module: its parameters and buffers, and the plain values that it was made with."""
    return [
        (key, value)
        for key, value in vars(module).items()
        if isinstance(value, bool | int | float | str | None)
        or (isinstance(value, Tensor) and type(value) is not Tensor)
    ]


def _parameter_names(f: Callable[..., Any], n: int) -> list[str]:
    """What `f` calls its first n arguments, for the program to call them alike."""
    code = getattr(f, "__code__", None)
    bound = int(hasattr(f, "__self__"))  # a method's own self is not passed
    found = list(code.co_varnames[bound : code.co_argcount])[:n] if code is not None else []
    return found + [f"x{i}" for i in range(len(found), n)]


def _structure(result: Any, outputs: list[Tensor]) -> Callable[[list[Any]], Any]:
    """Collect the tensors in `result`; how to make the like of it of new arrays."""
    if isinstance(result, Tensor):
        place = len(outputs)
        outputs.append(result)
        return lambda arrays: new_leaf(arrays[place])
    if isinstance(result, tuple | list):
        parts = [_structure(part, outputs) for part in result]
        kind = type(result)
        return lambda arrays: kind([part(arrays) for part in parts])
    if isinstance(result, dict):
        named = {key: _structure(part, outputs) for key, part in result.items()}
        return lambda arrays: {key: part(arrays) for key, part in named.items()}
    return lambda arrays: result


def _keep_slopes(tape: Tape, placeholders: list[Tensor]) -> list[Any]:
    """The gradients that the function left, each as one tensor that every run writes anew."""
    kept = []
    for leaf, before in tape.slopes.items():
        slope = leaf._grad
        if any(leaf is x for x in placeholders):
            raise RuntimeError(
                f"a replayed function was to leave the gradient by its argument {leaf.name!r} in .grad, where the caller would not "
                "find it; return tg.grad(loss, x) instead"
            )
        if slope is None or slope.op is None:
            kept.append((weakref.ref(leaf), slope))
            continue
        holder = before if before is not None and before.op is None else new_leaf(slope._data.copy())
        holder.name = f"grad of {leaf.name}" if leaf.name else holder.name
        tape.write(holder, slope)
        leaf._grad = holder
        kept.append((weakref.ref(leaf), holder))
    return kept

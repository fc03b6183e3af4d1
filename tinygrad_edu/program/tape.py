"""Tape: what is noted while a function runs for the first time. It is the engine's watcher.

While a tape is in `RECORDING`, every op on tensors is recorded, also inside `no_grad`, and what is written to a tensor
goes over the tape (`write`). What is read from outside the graph at each run (a learning rate, random numbers) is a
`feed`. Functions that the engine, the layers and the optimizers mark as `watched` are called by their readings instead,
which stand in the tables of `readings.py`, `steps.py` and `guards.py`: `backward()`, for example, runs the gradient rules
on tensors, so that they are recorded too.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np

from tinygrad_edu.engine import backward
from tinygrad_edu.engine.node import Results, refuse_freed
from tinygrad_edu.engine.op import Op, alias, leaf_of
from tinygrad_edu.engine.recording import RECORDING, SCOPE
from tinygrad_edu.engine.refusals import here
from tinygrad_edu.engine.registry import Edits, tick
from tinygrad_edu.engine.tensor import Tensor, new_leaf
from tinygrad_edu.program.program import Feed, Write, is_view, owner

MOST_BYTES_KEPT = 1 << 14
"""The bytes of a constant that is rather kept than computed, and of what is kept until it is planned."""

Reading = Callable[..., Any]
"""What a call of a watched function means to the replay: called with the tape, the function as it is written, and the
arguments."""

READINGS: dict[Callable[..., Any], Reading] = {}
"""The readings, by the functions as they are written."""

R = TypeVar("R", bound=Reading)


def written(function: Any) -> Callable[..., Any]:
    """The function that was marked as `watched`, as it is written."""
    inner: Callable[..., Any] = function.__wrapped__
    return inner


def reading(*functions: Any) -> Callable[[R], R]:
    """Enter a reading of these watched functions."""

    def enter(read: R) -> R:
        READINGS.update(dict.fromkeys(map(written, functions), read))
        return read

    return enter


def refuse(
    what: str,
    cure: str = "return the tensor and look at it outside, choose with np.where(condition, a, b), and write to leaves "
    "with -= and its like inside no_grad()",
) -> NoReturn:
    """Raise RuntimeError: Python that looks at a value would be frozen to what it is now."""
    raise RuntimeError(
        f"{what} inside a function that is being recorded for replay, at {here()}: what Python does with numbers is not "
        f"run again; {cure}"
    )


def _alone(array: Any) -> bool:
    """Whether one tensor alone holds the array, and the array alone what it is a view of."""
    while isinstance(array, np.ndarray):
        if sys.getrefcount(array) > 3:  # the tensor or the view, this function, and the count itself
            return False
        array = array.base
    return array is None


def _grad_of(leaf: Tensor | None) -> Tensor | None:
    return None if leaf is None else leaf.held_grad


def _copied(target: Tensor) -> Callable[[], None]:
    """Return a function that puts the numbers of a tensor back; it does not hold the tensor."""
    array, cell, numbers = target.ndarray, target.shared_cell(), target.ndarray.copy()

    def put_back() -> None:
        np.copyto(array, numbers)
        cell.write()

    return put_back


def _emptied(array: Any, x: Tensor) -> Any:
    """An array of no memory in place of the large one of `x`, unless its axes lie there in an order that must be known."""
    if array.nbytes <= MOST_BYTES_KEPT or not (array.flags.c_contiguous or is_view(x)):
        return array
    return np.broadcast_to(np.zeros((), array.dtype), array.shape)


def free(x: Tensor) -> None:
    """Free the array of a result, or of several: readers of the program need its shape and type only."""
    if isinstance(x.ndarray, tuple):
        x.ndarray = Results([_emptied(part, x) for part in x.ndarray])
    else:
        x.ndarray = _emptied(x.ndarray, x)


class Tape:
    """What one run of a function did besides recording a graph; and how to undo it, should the run fail."""

    def __init__(self) -> None:
        self.begun = tick()
        self.writes: list[Write] = []
        self.feeds: list[Feed] = []
        self.placeholders: dict[Tensor, Any] = {}  # the arguments' stand-ins, in their order, and the arguments
        self.guards: list[Callable[[], bool]] = []
        self.checks: list[Callable[[], bool]] = []
        self.slopes: dict[Tensor, Tensor | None] = {}
        self.generators: list[np.random.Generator] = []
        self.modules: dict[int, Any] = {}
        self.afterwards: list[Callable[[], None]] = []
        self.assigned: set[tuple[int, str]] = set()  # the attributes that the function sets, by the module's address
        self.numbers: dict[Any, Tensor] = {}
        self.born: set[Tensor] = set()  # leaves that the function makes, and so makes anew in each run
        self.variables: set[Tensor] = set()  # results that pass for leaves, and were told to require a gradient
        self.used: set[Tensor] = set()  # leaves, also of what came to nothing: they may ask for a gradient later
        self.outer: dict[Tensor, Tensor] = {}  # results computed before the run, and the leaves that stand for them
        self.results: list[tuple[weakref.ref[Tensor], str]] = []  # results computed by the run, and in which line
        self.undo: list[Callable[[], None]] = []  # what puts back how things were, the latest last; holds no graph
        self.held: dict[Tensor, tuple[dict[str, Any], str]] = {}  # the leaves that stand for arrays in dicts, and where
        self._shared: dict[Any, Tensor] = {}
        self._leaves: dict[int, Tensor] = {}
        self._turns: dict[Any, int] = {}
        self._written: set[Tensor] = set()
        self._freed: set[Tensor] = set()

    # -- what the engine tells ----------------------------------------------------------------------

    def instead(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The reading of a watched function."""
        return READINGS[function](self, function, *args, **kwargs)

    def made(self, leaf: Tensor) -> None:
        """The function has made a leaf: it makes it anew in each run."""
        self.born.add(leaf)

    def computed(
        self, op: Op, y: Tensor, inputs: tuple[Any, ...], arrays: Sequence[Any], settings: dict[str, Any]
    ) -> Any:
        """The result of an op, as a node in any case. It passes for a leaf where eagerly it would be one."""
        state = RECORDING.get()
        nodes = [self._node(x, a, arrays) for x, a in zip(inputs, arrays, strict=True)]
        y.needs_grad = state.enabled and any(x.needs_grad for x in nodes) and op.differentiable(y.ndarray, inputs)
        before = [x for x in nodes if x.op is not None and x.made_at < self.begun]
        if y.needs_grad and any(x.needs_grad for x in before):
            raise RuntimeError(
                f"{next(x for x in before if x.needs_grad).describe()} is part of a graph made before the function that is being recorded for replay, "
                f"which uses it at {here()}: a replay would not go back into that graph; compute it inside, or pass .detach()"
            )
        y.op, y.settings, y.scope, y.made_at = op, settings, SCOPE.get(), tick()
        y.inputs = tuple([self.inside(x) for x in nodes])
        self.results.append((weakref.ref(y), here()))
        self.used.update(x for x in nodes if x.op is None and x not in self.born)
        among = y.inputs if state.enabled and op is not alias else ()
        if not any(x.needs_grad or x.is_recorded() for x in among):
            y.attachments().as_leaf = True
        if state.anomaly:
            op.refuse_nan(y, y.inputs)
        return y if op.outputs is None else op.visible(y)

    def _node(self, x: Any, array: Any, arrays: Sequence[Any]) -> Tensor:
        """An input of an op, which may be an array or a number."""
        if isinstance(x, Tensor):
            return x
        leaf = leaf_of(array, arrays)
        return leaf if hasattr(array, "dtype") else self.number(leaf)

    # -- what is read and written -------------------------------------------------------------------

    def write(self, target: Tensor, value: Tensor, *, new: bool = False) -> None:
        """Set the numbers of a tensor, now and in every run. One that is new has none to put back."""
        if owner(target) in self.placeholders:
            refuse(
                f"writing into {target.describe()}, an argument,",
                "write x = x + …, return the new value, or let the function hold the tensor itself",
            )
        if value.shape != target.shape or not np.can_cast(value.dtype, target.dtype, "same_kind"):
            raise (TypeError if value.shape == target.shape else ValueError)(  # as NumPy's own
                f"{target.describe()} is {target.dtype} of shape {target.shape}, and cannot be written with "
                f"{value.dtype} of shape {value.shape}; write t = t + … for a new tensor"
            )
        value = self.inside(value)
        self.start(owner(target), required=True)
        if target not in self._written and not new:
            self._written.add(target)
            self.undo.append(_copied(target))
        self.writes.append(Write(target, value, tick()))
        np.copyto(target.ndarray, value.ndarray, casting="same_kind")
        target.note_write()

    def feed(
        self,
        fill: Callable[[Any], None],
        shape: tuple[int, ...],
        dtype: Any,
        *,
        name: str,
        once: Any = None,
        draw: Any = None,
        said: Any = None,
    ) -> Tensor:
        """A leaf that `fill(array)` sets now and before each run; the same one for the same `once`, if that is given."""
        known = self._shared.get(once) if once is not None else None
        if known is not None:
            return known
        leaf = self._outer(np.empty(shape, dtype), name)
        fill(leaf.ndarray)
        self.feeds.append(Feed(leaf, fill, draw, said))
        if once is not None:
            self._shared[once] = leaf
        return leaf

    def _outer(self, array: Any, name: str) -> Tensor:
        """A leaf that the function does not make."""
        leaf = Tensor(array, name=name)
        self.born.discard(leaf)
        return leaf

    def start(self, leaf: Tensor, *, required: bool) -> None:
        """If the function made `leaf`, it begins each run with the numbers that it has now, for it may be written later."""
        if leaf not in self.born:
            return
        self.born.remove(leaf)
        if _alone(leaf.ndarray):
            numbers = leaf.ndarray.copy()
            self.feeds.append(Feed(leaf, lambda array: np.copyto(array, numbers)))
        elif required:
            refuse(
                f"writing into {leaf.describe()}, made there of an array that others hold too,",
                "make the tensor outside the function, or of a copy",
            )

    def leaf(self, holder: dict[str, Any], key: str, name: str) -> Tensor:
        """The leaf that stands for an array that nothing else makes a tensor of: an optimizer's state, held in a dict."""
        array = holder[key]
        known = self._leaves.get(id(array))
        if known is None:
            known = self._leaves[id(array)] = self._outer(array, name)
            self.held[known] = holder, key
        return known

    def number(self, leaf: Tensor) -> Tensor:
        """The leaf of a number that the function's own code says, such as 2 in `2 * x`: one for each number."""
        data = leaf.ndarray
        return self.numbers.setdefault((data.dtype.str, data.shape, data.tobytes()), leaf)

    def let_go(self, since: int = 0) -> None:
        """Free the arrays of results computed after the time `since`: readers of the program need shapes and types only."""
        for reference, _ in reversed(self.results):
            x = reference()
            if x is not None and x.made_at < since:
                break
            if x is not None:
                free(x)

    def cotangent(self, y: Tensor, gradient: Any, what: str) -> Tensor:
        """Where a walk back from `y` starts, as a tensor: the gradient passed for it, or else the number 1."""
        g: Tensor = backward.cotangent(y, gradient, True, what)
        return self.number(g) if gradient is None else g

    def inside(self, x: Tensor) -> Tensor:
        """`x`; or if it was computed before the run, a leaf of its numbers, which it keeps."""
        if x.op is None or x.made_at > self.begun:
            return x
        stands = self.outer.get(x)
        if stands is None:
            stands = self.outer[x] = new_leaf(x.ndarray)
            stands.name, stands.cell = x.name, x.cell
        return stands

    def read(self, nodes: Iterable[Tensor], free: bool) -> None:
        """A graph is being walked, and with `free` for the last time: nodes themselves are not freed, for they are planned."""
        for node in nodes:
            if node in self._freed:
                refuse_freed(node)
        if free:
            self._freed.update(x for x in nodes if x.op is not None)

    def turn(self, key: Any) -> int:
        """1 when first asked with this key, then 2, 3, …: how often the function has come by."""
        self._turns[key] = self._turns.get(key, 0) + 1
        return self._turns[key]

    # -- what a run depends on, and what it leaves --------------------------------------------------

    def called(self, module: Any) -> None:
        """A module is being called, and what it does may depend on its mode and attributes."""
        self.modules.setdefault(id(module), module)

    def after(self, action: Callable[[], None]) -> None:
        """`action()` follows this run and each later one, if it succeeds."""
        self.afterwards.append(action)

    def on_failure(self, action: Callable[[], None]) -> None:
        """Should the run fail, `action()` puts something back."""
        self.undo.append(action)

    def guard(self, holds: Callable[[], bool]) -> None:
        """The record serves as long as `holds()`; else the function is recorded anew."""
        self.guards.append(holds)

    def check(self, holds: Callable[[], bool]) -> None:
        """A guard of what cannot change without `Edits` counting it: `holds()` is asked only then."""
        self.checks.append(holds)

    def setting(self, module: Any, name: str) -> None:
        """An attribute of a module is being set or deleted."""
        if (id(module), name) in self.assigned:
            return
        self.assigned.add((id(module), name))
        before = {key: value for key, value in vars(module).items() if key == name}

        def put_back() -> None:
            if not before:
                vars(module).pop(name, None)
            vars(module).update(before)
            Edits.number += 1

        self.undo.append(put_back)

    def follow(self, generator: np.random.Generator) -> None:
        """Random numbers are drawn from `generator`: put it back if the run fails."""
        if not any(generator is known for known in self.generators):
            self.generators.append(generator)
            state = generator.bit_generator.state
            self.undo.append(lambda: setattr(generator.bit_generator, "state", state))

    def reset(self, leaf: Tensor) -> None:
        """The gradient of `leaf` is being set: what it was before the run does not matter."""
        self._first_slope(leaf)

    def slope(self, leaf: Tensor) -> None:
        """The gradient of `leaf` is being read or added to: the record is of what it was before the run."""
        if leaf in self.placeholders:
            refuse(
                f"the gradient of {leaf.describe()}, an argument,", "use tg.grad(loss, x), and return what is wanted"
            )
        if self._first_slope(leaf):
            owned = weakref.ref(leaf)
            if leaf.held_grad is None:
                self.guard(lambda: _grad_of(owned()) is None)
            else:
                before = weakref.ref(leaf.held_grad)
                self.guard(lambda: before() is not None and _grad_of(owned()) is before())

    def _first_slope(self, leaf: Tensor) -> bool:
        if leaf in self.slopes or (leaf.op is not None and leaf.made_at > self.begun):  # which ends with the run
            return False
        before = self.slopes[leaf] = leaf.held_grad
        self.undo.append(lambda: setattr(leaf, "held_grad", before))
        return True


def refuse_kept(results: Sequence[tuple[weakref.ref[Tensor], str]]) -> None:
    """Raise RuntimeError if something that a run computed outlives its graph: it would stay what it is now."""
    for reference, where in reversed(results):  # the last: what it was computed from lives by it
        x = reference()
        if x is not None:
            raise RuntimeError(
                f"{x.describe()}, computed inside a function that is being recorded for replay, at {where}, is still held "
                "when the function has ended, and would not change when it is replayed: return it, or write it under "
                "no_grad() into a tensor made outside"
            )

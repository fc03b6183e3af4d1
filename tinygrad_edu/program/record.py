"""The first step: run a function once, and keep what it did.

While a `Tape` is in `RECORDING`, every op on tensors is recorded, also inside `no_grad`; `backward()` runs the gradient
rules on tensors, so that they are recorded too; and what is written to a tensor goes over the tape (`write`).
What is read from outside the graph at each run (a learning rate, random numbers) is a `feed`.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from tinygrad_edu.graph import here, tick
from tinygrad_edu.op import alias
from tinygrad_edu.tensor import Tensor


@dataclass(frozen=True, eq=False)
class Write:
    """At `time`, the array of `target` became `value`."""

    target: Tensor
    value: Tensor
    time: int


@dataclass(frozen=True)
class Feed:
    """A leaf whose array `fill(array)` sets before each run."""

    leaf: Tensor
    fill: Callable[[Any], None]


def owner(x: Tensor) -> Tensor:
    """The tensor whose memory `x` shows: itself, or what it is a view of."""
    while x.op is not None and x.op.view and (x.op.selects or shares(x)):
        x = x.inputs[0]
    return x


def shares(x: Tensor) -> bool:
    """Whether the result of a view op does share memory with its input (it may have had to copy)."""
    source, results = x.inputs[0]._data, x._data
    parts = results if isinstance(results, tuple) else (results,)
    return isinstance(source, np.ndarray) and any(np.may_share_memory(part, source) for part in parts)


def memory(x: Tensor) -> Any:
    """What tensors that show the same memory have in common."""
    base = owner(x)
    return base if base.op is not None else root(base._data)


def root(array: Any) -> int:
    """What arrays in the same memory have in common."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return id(array)


def _alone(array: Any) -> bool:
    """Whether one tensor alone holds the array, and the array alone what it is a view of."""
    while isinstance(array, np.ndarray):
        if sys.getrefcount(array) > 3:  # the tensor or the view, this function, and the count itself
            return False
        array = array.base
    return True


def _grad_of(leaf: Tensor | None) -> Tensor | None:
    return None if leaf is None else leaf._grad


def _put_back(target: Tensor, numbers: Any) -> None:
    np.copyto(target._data, numbers)
    target._written()


class Tape:
    """What one run of a function did besides recording a graph; and how to undo it, should the run fail."""

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self.feeds: list[Feed] = []
        self.placeholders: dict[Tensor, None] = {}  # the arguments' stand-ins, in their order
        self.guards: list[Callable[[], bool]] = []
        self.slopes: dict[Tensor, Tensor | None] = {}
        self.generators: list[np.random.Generator] = []
        self.modules: dict[int, Any] = {}
        self.afterwards: list[Callable[[], None]] = []
        self.numbers: dict[Any, Tensor] = {}
        self.born: set[Tensor] = set()  # leaves that the function makes, and so makes anew in each run
        self.plain: set[Tensor] = set()  # computed, but recorded for the replay alone
        self._shared: dict[Any, Tensor] = {}
        self._leaves: dict[int, Tensor] = {}
        self._turns: dict[Any, int] = {}
        self._undo: list[Callable[[], None]] = []
        self._written: set[Tensor] = set()

    # -- what is read and written -------------------------------------------------------------------

    def write(self, target: Tensor, value: Tensor) -> None:
        """Set the numbers of a tensor, now and in every run."""
        if owner(target) in self.placeholders:
            self.refuse(
                f"writing into {target._describe()}, an argument,",
                "return the new value, or let the function hold the tensor itself",
            )
        if value.shape != target.shape or not np.can_cast(value.dtype, target.dtype, "same_kind"):
            raise ValueError(
                f"{target._describe()} is {target.dtype} of shape {target.shape}, and cannot be written with "
                f"{value.dtype} of shape {value.shape}"
            )
        if target not in self._written:
            self._written.add(target)
            before = target._data.copy()
            self._undo.append(lambda: _put_back(target, before))
        self.start(owner(target), required=True)
        self.writes.append(Write(target, value, tick()))
        np.copyto(target._data, value._data, casting="same_kind")
        target._written()

    def feed(
        self, fill: Callable[[Any], None], shape: tuple[int, ...], dtype: Any, *, name: str, once: Any = None
    ) -> Tensor:
        """A leaf that `fill(array)` sets now and before each run; the same one for the same `once`, if that is given."""
        known = self._shared.get(once) if once is not None else None
        if known is not None:
            return known
        leaf = self._outer(np.empty(shape, dtype), name)
        fill(leaf._data)
        self.feeds.append(Feed(leaf, fill))
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
        if _alone(leaf._data):
            numbers = leaf._data.copy()
            self.feeds.append(Feed(leaf, lambda array: np.copyto(array, numbers)))
        elif required:
            self.refuse(
                f"writing into {leaf._describe()}, made there of an array that others hold too,",
                "make the tensor outside the function, or of a copy",
            )

    def leaf(self, array: Any, name: str) -> Tensor:
        """The leaf that stands for an array that nothing else makes a tensor of, such as an optimizer's state."""
        known = self._leaves.get(id(array))
        if known is None:
            known = self._leaves[id(array)] = self._outer(array, name)
        return known

    def number(self, leaf: Tensor) -> Tensor:
        """The leaf of a number that the function's own code says, such as 2 in `2 * x`: one for each number."""
        data = leaf._data
        return self.numbers.setdefault((data.dtype.str, data.shape, data.tobytes()), leaf)

    def made(self, y: Tensor, enabled: bool) -> None:
        """An op has been recorded; `y` is plain where it would not have been without the tape, and may be written."""
        among = y.inputs if enabled and y.op is not alias else ()
        if not any(x._requires_grad or (x.op is not None and x not in self.plain) for x in among):
            self.plain.add(y)

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
        self._undo.append(action)

    def guard(self, holds: Callable[[], bool]) -> None:
        """The record serves as long as `holds()`; else the function is recorded anew."""
        self.guards.append(holds)

    def follow(self, generator: np.random.Generator) -> None:
        """Random numbers are drawn from `generator`: put it back if the run fails."""
        if not any(generator is known for known in self.generators):
            self.generators.append(generator)
            state = generator.bit_generator.state
            self._undo.append(lambda: setattr(generator.bit_generator, "state", state))

    def reset(self, leaf: Tensor) -> None:
        """The gradient of `leaf` is being set: what it was before the run does not matter."""
        self._first_slope(leaf)

    def slope(self, leaf: Tensor) -> None:
        """The gradient of `leaf` is being read or added to: the record is of what it was before the run."""
        if leaf in self.placeholders:
            self.refuse(
                f"the gradient of {leaf._describe()}, an argument,", "use tg.grad(loss, x), and return what is wanted"
            )
        if self._first_slope(leaf):
            before = None if leaf._grad is None else weakref.ref(leaf._grad)
            owned = weakref.ref(leaf)
            self.guard(lambda: _grad_of(owned()) is (before and before()))

    def _first_slope(self, leaf: Tensor) -> bool:
        if leaf in self.slopes:
            return False
        self.slopes[leaf] = leaf._grad
        return True

    # -- what cannot be replayed --------------------------------------------------------------------

    def refuse(
        self,
        what: str,
        cure: str = "return the tensor and look at it outside, choose with np.where(condition, a, b), and write to leaves "
        "with -= and its like inside no_grad()",
    ) -> NoReturn:
        """Raise: Python that looks at a value would be frozen to what it is now."""
        raise RuntimeError(
            f"{what} inside a function that is being recorded for replay, at {here()}: what Python does with numbers is not "
            f"run again; {cure}"
        )

    def undo(self) -> None:
        """All as before the run."""
        for action in reversed(self._undo):
            action()
        for leaf, before in self.slopes.items():
            leaf._grad = before

"""Program: what a function did in one run, as plain data, from which it can be done again.

Recording makes it (`record.py`), and nothing in it says how it will be run. Its readers do: the plan of NumPy calls
(`plan.py`) is one of them. All that a reader needs is here.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from tinygrad_edu.engine.tensor import Tensor, new_leaf

if TYPE_CHECKING:
    from tinygrad_edu.program.guards import Guards


@dataclass(frozen=True, eq=False)
class Compute:
    """A node is computed, by its op and settings, from `inputs`: its own, or what stands for them."""

    node: Tensor
    inputs: tuple[Tensor, ...]

    @property
    def time(self) -> int:
        """When it happened, by the clock of all records."""
        return self.node.made_at


@dataclass(frozen=True, eq=False)
class Write:
    """At `time`, the array of `target` became `value`. The target is a leaf, or a view of one, or a result."""

    target: Tensor
    value: Tensor
    time: int


Event = Compute | Write


@dataclass(frozen=True)
class Feed:
    """A leaf whose array `fill(array)` sets before each run: random numbers, a learning rate.

    draw: of random numbers, what is drawn (`random.Mask(0.5)`), and the generator that draws it.
    said: of a number that comes with others, such as a learning rate, what says them all, and the name of this one.
    """

    leaf: Tensor
    fill: Callable[[Any], None]
    draw: tuple[Any, np.random.Generator] | None = None
    said: tuple[Callable[[], Mapping[str, float]], str] | None = None


@dataclass(frozen=True, eq=False)
class Program:
    """What a function did, and what it depended on.

    Tensors stand for values. A result says by `op`, `settings` and `scope` how it was computed, and by its array which
    shape, type and order in memory it has; its numbers are those of the first run, and large ones are not kept. A leaf's
    array is where its numbers are, at any time.

    arguments: the leaves that stand for the tensors and arrays among the function's arguments, in their order.
    outputs: the tensors in what it returned, in their order.
    result: what it returned, with `PLACE` where an output stands.
    events: what was computed and what was written, in the order in which it happened.
    feeds: the leaves that are set before each run, in the order of their fills.
    numbers: the leaves of numbers that the function's code says, such as 2 in `2 * x`. Nothing writes them.
    state: all other leaves that are read or written: parameters, buffers, what an optimizer keeps. They were made outside,
        or begin as they are now, and what events write there is there in the next run.
    slopes: leaves, by weak references, and what a run that succeeds leaves in their `.grad`.
    generators: the random generators that feeds draw from; a run that fails puts them back.
    after: the actions that follow each run that succeeds.
    guards: what the function was recorded with, and whether that is still as it was: the program serves as long as
        `guards.holds()`.
    held: of the state, what stands for an array that no tensor holds: the dict that does, and the key.
    lines: in which line of the caller's code each result was computed.
    """

    arguments: Sequence[Tensor]
    outputs: Sequence[Tensor]
    result: Any
    events: Sequence[Event]
    feeds: Sequence[Feed]
    numbers: Collection[Tensor]
    state: Sequence[Tensor]
    slopes: Sequence[tuple[weakref.ref[Tensor], Tensor | None]]
    generators: Sequence[np.random.Generator]
    after: Sequence[Callable[[], None]]
    guards: Guards
    held: Mapping[Tensor, tuple[dict[str, Any], str]]
    lines: Mapping[Tensor, str]

    @property
    def written(self) -> list[Tensor]:
        """The leaves of the state that events write, in whole or in part."""
        owners = dict.fromkeys(owner(e.target) for e in self.events if isinstance(e, Write))
        return [x for x in owners if x.op is None]


PLACE = new_leaf(None)
"""Where an output stands in what the function returned."""


def leaves_of(events: Iterable[Event], outputs: Iterable[Tensor]) -> list[Tensor]:
    """The leaves that events read or write, and those among the outputs, in their order."""
    read = [x for e in events for x in (e.inputs if isinstance(e, Compute) else (e.target, e.value))]
    return [x for x in dict.fromkeys([*read, *outputs]) if x.op is None]


# ---------------------------------------------------------------------------------------------------
# Memory


def owner(x: Tensor) -> Tensor:
    """The tensor whose memory `x` shows: itself, or what it is a view of."""
    while is_view(x):
        x = x.inputs[0]
    return x


def is_view(x: Tensor) -> bool:
    """Whether `x` shows the memory of its input (the result of a view op may have had to be a copy)."""
    return x.op is not None and x.op.view and (x.op.selects or x.cell is x.inputs[0].cell is not None)


def regions(leaves: Iterable[Tensor]) -> dict[Tensor, int]:
    """A number for each leaf, the same for those that reach into one another's memory."""
    found: dict[Tensor, int] = {}
    end = number = 0
    for start, stop, _, x in sorted((*byte_bounds(x.ndarray), i, x) for i, x in enumerate(leaves)):
        number += start >= end
        found[x] = number
        end = max(end, stop)
    return found


def root(array: Any) -> Any:
    """The array that `array` is a view of, as far as NumPy knows, or itself."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array

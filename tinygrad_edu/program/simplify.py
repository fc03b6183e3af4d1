"""Between recording and planning: what need not be computed.

Gradient rules are written for readers, each on its own: two of them may compute the same thing, and the first multiplies
by ∂L/∂L = 1. Five things are left out, none of which changes a bit of any result:

- what is made of numbers alone that the code says, and not large: it is a number too;
- what has been computed already: the same op of the same inputs with the same settings, none of them written since;
- x·1, which is x, and another tensor in the memory of x;
- a mask applied to a mask that is true everywhere, which gives the first mask;
- what nothing needs any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.op import alias
from tinygrad_edu.engine.registry import OPS
from tinygrad_edu.engine.tensor import Tensor, new_leaf
from tinygrad_edu.program.program import Compute, Event, Program, Write, owner, regions
from tinygrad_edu.program.tape import MOST_BYTES_KEPT


class Memory:
    """Gives tensors that show the same memory the same key: a number for leaves, else the tensor that they are views of."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        self._bases: dict[Tensor, Any] = {x: owner(x) for x in tensors}
        numbers = regions({base for base in self._bases.values() if base.op is None})
        self._bases = {x: numbers.get(base, base) for x, base in self._bases.items()}

    def __call__(self, x: Tensor) -> Any:
        """The key of the memory of `x`, which is `x` itself for a tensor that this object was not made with."""
        return self._bases.get(x, x)


def simplified(program: Program, events: Sequence[Event] | None = None) -> tuple[list[Event], list[Tensor]]:
    """The events of a program, or these of them, that are left to do, and what then stands for each output."""
    events, numbers = program.events if events is None else events, program.numbers
    constants = set(numbers)
    memory = Memory(x for e in events for x in ((*e.inputs, e.node) if isinstance(e, Compute) else (e.target, e.value)))
    writes = {memory(e.target): 0 for e in events if isinstance(e, Write)}  # how often each memory was written
    ones = {x for x in numbers if (x.ndarray == 1).all()}
    known: dict[Any, Tensor] = {}
    stands: dict[Tensor, Tensor] = {}
    kept: list[Event] = []
    for event in events:
        if isinstance(event, Write):
            writes[memory(event.target)] += 1
            target, value = [stands.get(x, x) for x in (event.target, event.value)]
            kept.append(Write(target, value, event.time))
            continue
        node, inputs = event.node, tuple([stands.get(x, x) for x in event.inputs])
        place = memory(node)
        if place not in writes or place.__class__ is int:  # other results are written themselves
            if node.op.view and inputs[0] in ones:
                ones.add(node)
            stand = inputs[0] if node.op is alias else _unchanged(node, inputs, ones)
            if stand is None and constants.issuperset(inputs) and _small(node):
                stand = new_leaf(node.ndarray)
                constants.add(stand)
                if (stand.ndarray == 1).all():
                    ones.add(stand)
            if stand is None or memory(stand) in writes:
                read = tuple([(x, writes.get(memory(x), 0)) for x in inputs])
                # 1, 1.0 and True are equal, and so are 0.0 and -0.0, but do not read alike
                stand = known.setdefault((node.op, read, repr(node.settings)), node)
            if stand is not node:
                stands[node] = stand
                continue
        kept.append(Compute(node, inputs))
    results = [stands.get(x, x) for x in program.outputs]
    return _needed(kept, results, memory), results


def _small(node: Tensor) -> bool:
    return not isinstance(node.ndarray, tuple) and node.ndarray.nbytes <= MOST_BYTES_KEPT


def _unchanged(node: Tensor, inputs: tuple[Tensor, ...], ones: set[Tensor]) -> Tensor | None:
    """The input x that the node repeats: it is x·1, or a mask x applied to a mask that is true everywhere. None otherwise.

    The two must have the same shape and type, and lie in memory alike, since sums are taken in the order of memory. Of
    complex numbers, ∞·(1 + 0i) is not ∞, so their products are computed.
    """
    times = node.op.forward is np.multiply and node.dtype.kind != "c"
    if times or (node.op is OPS["gate"] and node.dtype == bool and inputs[0] in ones):
        for x, other in (inputs, inputs[::-1]) if times else (inputs[::-1],):
            if (
                other in ones
                and x.shape == node.shape
                and x.dtype == node.dtype
                and layout(x.ndarray) == layout(node.ndarray)
            ):
                return x
    return None


def layout(like: Any) -> tuple[int, ...]:
    """The strides of an array that lies in memory as this one does, without gaps: what shows a part of this one shows it
    there too."""
    return np.empty_like(like).strides


def _needed(events: list[Event], outputs: list[Tensor], memory: Memory) -> list[Event]:
    """The events that something later needs: outputs, writes to leaves, and what they are computed from."""
    needed = set(outputs)
    places = {memory(x) for x in outputs}
    kept: list[Event] = []
    for event in reversed(events):
        if isinstance(event, Write):
            place = memory(event.target)
            used = place.__class__ is int or place in places
            read: tuple[Tensor, ...] = (event.target, event.value)
        else:
            used, read = event.node in needed, event.inputs
        if used:
            needed.update(read)
            places.update(map(memory, read))
            kept.append(event)
    return kept[::-1]

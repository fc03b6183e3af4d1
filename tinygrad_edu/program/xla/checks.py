"""What an op refuses by the values of its inputs is looked at here, before a run: a compiled program cannot raise.

So class numbers and indices are checked that are arguments, or made of arguments alone by a few ops that cost little. Others
are computed on the devices, as those of an argmax are; one that is out of range there gives NaN.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.registry import OPS
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.ops.indexing import index_of
from tinygrad_edu.ops.network.losses import check_classes
from tinygrad_edu.program.program import Compute, Event
from tinygrad_edu.program.xla.array import DependsOnValues

MOST_OPS_CHECKED = 8
"""So many ops may lead from an argument to an index that is checked."""


def _indices(arrays: Sequence[Any], key: Any, shape: Sequence[int]) -> None:
    """Raise IndexError as NumPy does for an index of an array of this shape."""
    if Ellipsis not in key:
        shape = shape[: sum(part is not None for part in key)]
    np.broadcast_to(np.False_, shape)[index_of(key, tuple(arrays))]


def _one_hot(numbers: Any, classes: int) -> None:
    if numbers.size and (numbers.min() < 0 or numbers.max() >= classes):
        raise IndexError(f"classes run from 0 to {classes - 1}, but got {numbers.min()} to {numbers.max()}")


def _rows(numbers: Any, words: int, settings: Any) -> None:
    OPS["embedding"].forward(np.empty((words, 0)), numbers, **settings)  # a table without columns


def _ignored(target: Any, classes: int, ignore_index: int) -> None:
    check_classes(target, target != ignore_index, classes)


_Check = tuple[slice, Callable[..., None]]
_Look = Callable[[list[Any]], None]

CHECKS: dict[str, _Check] = {
    "getitem": (slice(1, None), lambda found, x, *_, key: _indices(found, key, x.shape)),
    "scatter": (slice(1, None), lambda found, *_, key, shape: _indices(found, key, shape)),
    "last_written": (slice(None), lambda found, *_, key, shape: _indices(found, key, shape)),
    "scatter_add": (slice(2, None), lambda found, x, *_, key: _indices(found, key, x.shape)),
    "index_update": (slice(2, None), lambda found, x, *_, key: _indices(found, key, x.shape)),
    "embedding": (slice(1, 2), lambda found, w, _, **how: _rows(found[0], w.shape[0], how)),
    "one_hot": (slice(0, 1), lambda found, _, num_classes, dtype: _one_hot(found[0], num_classes)),
    "class_numbers": (slice(0, 1), lambda found, _, classes, ignore_index: _ignored(found[0], classes, ignore_index)),
    "softmax_cross_entropy": (
        slice(1, 2),
        lambda found, x, _, reduction, ignore_index: _ignored(found[0], x.shape[1], ignore_index),
    ),
}
"""By the name of an op: which inputs are looked at, and how, given their arrays, all inputs and the settings."""

COUNTS: dict[str, Callable[..., int]] = {
    "embedding": lambda w, _, **how: w.shape[0],
    "one_hot": lambda _, num_classes, dtype: num_classes,
    "class_numbers": lambda _, classes, ignore_index: classes,
    "softmax_cross_entropy": lambda x, _, reduction, ignore_index: x.shape[1],
}
"""By the name of an op: numbers from 0 to which count are never refused, given all inputs and the settings."""


def checks_of(
    events: Sequence[Event], arguments: Sequence[Tensor], numbers: Collection[Tensor], lines: Any
) -> list[_Look]:
    """Functions of the arrays of the arguments, which raise for values that an op would refuse.

    numbers: leaves of which arguments are made with, such as 1 in `target - 1`.
    """
    made: dict[Tensor, tuple[Callable[[list[Any]], Any], int]] = {
        x: (operator.itemgetter(i), 0) for i, x in enumerate(arguments)
    }
    made.update({x: (_always(x.ndarray), 0) for x in numbers})
    shown = {x: i for i, x in enumerate(arguments)}  # which argument's numbers a value shows, some or all of them
    found: list[_Look] = []
    for event in events:
        if not isinstance(event, Compute):
            continue
        node, inputs = event.node, event.inputs
        which, check = CHECKS.get(node.op.name, (slice(0), None))
        looked_at = inputs[which]
        if check is not None and all(x in made for x in looked_at) and not all(x in numbers for x in looked_at):
            look = _check(check, [made[x][0] for x in looked_at], _shapes(inputs), node, lines.get(node))
            if node.op.name in COUNTS and looked_at[0] in shown and looked_at[0].dtype.kind in "iu":
                count = COUNTS[node.op.name](*_shapes(inputs), **node.settings)
                look = _unless_within(count, shown[looked_at[0]], looked_at[0].dtype, look)
            found.append(look)
        cheap = node.op.outputs is None and not isinstance(node.ndarray, tuple)
        cheap = cheap and (node.op.view or node.dtype.kind in "iub") and all(x in made for x in inputs)
        if node.op.view and len(inputs) == 1 and inputs[0] in shown:
            shown[node] = shown[inputs[0]]
        far = 1 + max((made[x][1] for x in inputs if x in made), default=0)
        if cheap and far <= MOST_OPS_CHECKED and not all(x in numbers for x in inputs):
            made[node] = _computed(node, [made[x][0] for x in inputs]), far
    return found


class _Shape:
    """What is left of an input: how large it is."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape


def _shapes(inputs: Sequence[Tensor]) -> list[Any]:
    return [_Shape(x.ndarray.shape if not isinstance(x.ndarray, tuple) else ()) for x in inputs]


def _always(array: Any) -> Callable[[list[Any]], Any]:
    return lambda arrays: array


def _computed(node: Tensor, parts: list[Callable[[list[Any]], Any]]) -> Callable[[list[Any]], Any]:
    forward, settings = node.op.forward, node.settings
    return lambda arrays: forward(*[part(arrays) for part in parts], **settings)


def _check(check: Any, parts: Any, inputs: Any, node: Tensor, line: Any) -> _Look:
    name, settings = node.op.name, node.settings

    def look(arrays: list[Any]) -> None:
        try:
            check([part(arrays) for part in parts], *inputs, **settings)
        except DependsOnValues:
            raise
        except (IndexError, TypeError, ValueError) as error:
            raise type(error)(f"{name}() at {line or 'a line of a layer'}: {error}") from None

    return look


def _unless_within(count: int, place: int, dtype: Any, look: _Look) -> _Look:
    """A look that is taken only if not all of an argument runs from 0 to count − 1: one pass says so of most batches.

    Whole numbers read without their signs are larger than any count where they are negative.
    """
    unsigned = np.dtype(f"u{dtype.itemsize}")

    def quick(arrays: list[Any]) -> None:
        numbers = arrays[place].view(unsigned)
        if numbers.size and np.maximum.reduce(numbers, axis=None) >= count:
            look(arrays)

    return quick

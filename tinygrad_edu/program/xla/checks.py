"""What an op refuses by the values of its inputs is looked at here, before a run: a compiled program cannot raise.

So class numbers and indices are checked that are arguments, or made of arguments alone by a few ops that cost little. Others
are computed on the devices, as those of an argmax are; one that is out of range there gives NaN.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
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


def checks_of(events: Sequence[Event], arguments: Sequence[Tensor], lines: Any) -> list[Callable[[list[Any]], None]]:
    """Functions of the arrays of the arguments, which raise for values that an op would refuse."""
    made: dict[Tensor, tuple[Callable[[list[Any]], Any], int]] = {
        x: (operator.itemgetter(i), 0) for i, x in enumerate(arguments)
    }
    found: list[Callable[[list[Any]], None]] = []
    for event in events:
        if not isinstance(event, Compute):
            continue
        node, inputs = event.node, event.inputs
        which, check = CHECKS.get(node.op.name, (slice(0), None))
        looked_at = inputs[which]
        if check is not None and looked_at and all(x in made for x in looked_at):
            found.append(_check(check, [made[x][0] for x in looked_at], _shapes(inputs), node, lines.get(node)))
        cheap = node.op.outputs is None and not isinstance(node.ndarray, tuple)
        cheap = cheap and (node.op.view or node.dtype.kind in "iub") and all(x in made for x in inputs)
        far = 1 + max((made[x][1] for x in inputs if x in made), default=0)
        if cheap and inputs and far <= MOST_OPS_CHECKED:
            made[node] = _computed(node, [made[x][0] for x in inputs]), far
    return found


class _Shape:
    """What is left of an input: how large it is."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape


def _shapes(inputs: Sequence[Tensor]) -> list[Any]:
    return [_Shape(x.ndarray.shape if not isinstance(x.ndarray, tuple) else ()) for x in inputs]


def _computed(node: Tensor, parts: list[Callable[[list[Any]], Any]]) -> Callable[[list[Any]], Any]:
    forward, settings = node.op.forward, node.settings
    return lambda arrays: forward(*[part(arrays) for part in parts], **settings)


def _check(check: Any, parts: Any, inputs: Any, node: Tensor, line: Any) -> Callable[[list[Any]], None]:
    name, settings = node.op.name, node.settings

    def look(arrays: list[Any]) -> None:
        try:
            check([part(arrays) for part in parts], *inputs, **settings)
        except DependsOnValues:
            raise
        except (IndexError, TypeError, ValueError) as error:
            raise type(error)(f"{name}() at {line or 'a line of a layer'}: {error}") from None

    return look

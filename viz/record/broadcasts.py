"""Where an array was broadcast: which uses of it had axes repeated or added."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinygrad_edu.engine.registry import OPS
from viz.record.graph import Graph, Operation

SHAPES_OF_THEIR_OWN = ("cross", "einsum", "index_update", "recurrence", "scatter_add", "solve", "vecdot")
"""Operations that broadcast their inputs, but whose results do not have the shape that these are broadcast to."""

Broadcast = tuple[
    tuple[int, ...], tuple[int, ...]
]  # the shape that an array was broadcast to, and along which axes of it


def broadcasts(graph: Graph) -> dict[tuple[str, str], Broadcast]:
    """Return the shape that each use was broadcast to, by the ids of the use and its operation; other uses are left out."""
    shapes = {value.id: value.shape for value in graph.values}
    uses = {use.id: shapes[use.value] for use in graph.uses}
    found: dict[tuple[str, str], Broadcast] = {}
    for op in graph.ops:
        for use, shape in _inputs(op, uses).items():
            result = _result(op, [uses[id] for id in op.inputs], shapes)
            if result is not None and (axes := _repeated(shape, result)):
                whole = result if op.name != "matmul" else (*result, *uses[use][-2:])
                found[use, op.id] = whole, axes
    return found


def _inputs(op: Operation, uses: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The shapes of an operation's inputs, as far as they are broadcast: of matrices, the axes before the last two."""
    return {id: uses[id][:-2] if op.name == "matmul" else uses[id] for id in op.inputs}


def _result(
    op: Operation, inputs: list[tuple[int, ...]], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[int, ...] | None:
    """The shape that an operation broadcasts its inputs to; None for one that does not."""
    known = OPS.get(op.name)
    if op.parts > 1 or known is None or not known.broadcasts or op.name in SHAPES_OF_THEIR_OWN:
        return None
    (result,) = (shapes[id] for id in op.outputs)
    if op.name == "matmul":
        return result[:-2] if min(map(len, inputs)) > 1 else None
    return result if np.broadcast_shapes(result, *inputs) == result else None


def _repeated(shape: tuple[int, ...], result: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of a result along which an array of this shape was repeated.

    >>> _repeated((3,), (5, 3)), _repeated((2, 1), (2, 4)), _repeated((5, 3), (5, 3))
    ((0,), (1,), ())
    """
    added = len(result) - len(shape)
    return tuple(k for k, n in enumerate(result) if k < added or (n != 1 and shape[k - added] == 1))

"""Forwards again: a record run on other values of its leaves, by the ops' own forward functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from tinygrad_edu.engine.graph import made_at, topological
from tinygrad_edu.engine.node import Array, Node, Results, array_of
from tinygrad_edu.engine.origins import node_of, refuse_gone
from tinygrad_edu.engine.recording import tracing, watched
from tinygrad_edu.engine.refusals import refuse_masked

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor


@overload
def evaluate(outputs: Tensor, values: Mapping[Tensor, ArrayLike] | None = None) -> np.ndarray[Any, Any]: ...
@overload
def evaluate(
    outputs: Sequence[Tensor], values: Mapping[Tensor, ArrayLike] | None = None
) -> tuple[np.ndarray[Any, Any], ...]: ...
@watched
def evaluate(outputs: Node | Sequence[Node], values: Mapping[Any, ArrayLike] | None = None) -> Any:
    """Run a record again, forwards, on new values of its leaves: what would the outputs be?

    It calls each op's forward function on arrays, nothing else.

    outputs: a tensor, or a list of several.
    values: new values of leaves, {tensor: array}, of the same shape and dtype; a leaf that is not named keeps the value
        it has now.

    Returns an array for a single output, a tuple for a sequence.

    Raises RuntimeError if a condition in the record was made of a result that is gone: the product in
    `np.where(x * w > 0, x, 0)` has no name, and ends with its line. Name it, or compute inside `tracing()`.

    >>> import tinygrad_edu as tg
    >>> apple, count, tax = tg.Tensor(100.0, requires_grad=True), tg.Tensor(2.0), tg.Tensor(1.1)
    >>> price = apple * count * tax
    >>> float(evaluate(price, {apple: 120.0}))
    264.0
    """
    single = isinstance(outputs, Node)
    if not single and not (isinstance(outputs, list | tuple) and all(isinstance(y, Node) for y in outputs)):
        raise TypeError(
            f"evaluate() takes a tensor or a list of them, but got {type(outputs).__name__} {outputs!r:.60}"
        )
    if values is not None and not isinstance(values, Mapping):
        raise TypeError(f"evaluate() takes new values as {{tensor: array}}, but got {type(values).__name__}")
    ys: list[Any] = [node_of(y) for y in ([outputs] if isinstance(outputs, Node) else outputs)]
    results: dict[Node, Any] = {}
    for leaf, value in ({} if values is None else values).items():
        if not isinstance(leaf, Node):
            raise TypeError(f"evaluate() takes {{tensor: array}}, but got the key {leaf!r:.60}")
        leaf = node_of(leaf)
        if leaf.op is not None:
            raise ValueError(
                f"evaluate() takes new values for leaves, but {leaf.describe()} was computed by {leaf.made_by()}"
            )
        refuse_masked(value)
        array = np.asarray(array_of(value))
        if array.shape != leaf.shape or not np.can_cast(array.dtype, leaf.dtype, "same_kind"):
            raise ValueError(
                f"evaluate() needs {leaf.dtype} of shape {leaf.shape} for {leaf.describe()}, but got {array.dtype} of shape {array.shape}"
            )
        results[leaf] = array.astype(leaf.dtype, copy=False)
    given = set(results)
    strangers = given - forwards(ys, results)
    if strangers:
        raise ValueError(f"evaluate() was given {next(iter(strangers)).describe()}, which the outputs do not depend on")
    # a leaf's own memory, or a view of it, is not handed out
    copies = tuple([r if isinstance(r, tuple) else r.copy() for r in [results[y] for y in ys]])
    return copies[0] if single else copies


def recompute(outputs: Sequence[Any], node: Node, value: Any) -> list[Array]:
    """The arrays that `outputs` would hold if `node` held `value`: what was computed from it is computed again.

    An output that is an array stays as it is.
    """
    order = [y for y in outputs if isinstance(y, Node)]
    seen = set(order)
    for y in order:  # the list grows as it is read
        for x in y.inputs:
            if x.made_at > node.made_at and x not in seen:
                seen.add(x)
                order.append(x)
    order.sort(key=made_at)
    changed = {node: value}
    for y in order:
        if any(x in changed for x in y.inputs):
            changed[y] = y.op.compute([changed.get(x, x.ndarray) for x in y.inputs], y.settings)
    return [changed.get(y, y.ndarray) if isinstance(y, Node) else y for y in outputs]


def forwards(outputs: Sequence[Node], results: dict[Node, Any]) -> set[Node]:
    """Compute `outputs` from the results that are known, and add each result on the way to these. Returns the nodes met.

    A node that stands for a record of its own (`Op.folds`) is computed as that is: so what the record was made with
    besides the node's inputs, a plain tensor that a function used, is followed too.
    """
    order = topological(outputs, through_constants=True, ends=results)
    met = set(order)
    refuse_gone([node for node in order if node not in results])
    for node in order:
        if node in results:
            continue
        if node.op is None:
            results[node] = node.ndarray
        elif node.op.folds:
            # inside tracing(), so that what it computes of plain tensors is recorded as well
            parts = tracing().run(node.settings["fold"].unfold)
            met |= forwards(parts, results)
            results[node] = Results([results[part] for part in parts]) if node.op.outputs else results[parts[0]]
        else:
            results[node] = node.op.compute([results[x] for x in node.inputs], node.settings)
    return met

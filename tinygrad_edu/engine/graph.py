"""The graph: the order of a record, the chain rule along it, and what broadcasting did to gradients.

An operation on tensors leaves a node: the op, its inputs, its settings. This page puts the nodes in order
(`topological`) and walks them from an output back to the leaves (`walk`). `backward`, `grad`, the figures and the
replay are readings of the same record; `evaluate` runs it forwards again.

It knows tensors as nodes alone, so it can be read, and run, before there is a tensor.

Source: Baydin et al., *Automatic differentiation in machine learning: a survey*, JMLR 18 (2018).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Container, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from tinygrad_edu.engine.node import FREED, Node, check_intact
from tinygrad_edu.engine.registry import OPS, Cell

# ---------------------------------------------------------------------------------------------------
# The order of a record


def topological(
    outputs: Sequence[Node],
    *,
    through_constants: bool = False,
    leaves: bool = True,
    ends: Container[Node] = (),
) -> list[Any]:
    """The nodes that `outputs` were computed from, each after all of its inputs.

    An op is made after its inputs, so the order of making is such an order. Each node is met once, and nothing
    recurses, so a chain of a million ops and a stack of 2⁶⁰ paths are ordinary records.

    through_constants: visit also what requires no gradient.
    leaves: False leaves out the leaves at which a walk has nothing to do, those without a hook.
    ends: nodes at which to stop; what they were computed from is not visited.

    Raises RuntimeError if a part of the record was freed or, unless `through_constants`, is stale.
    """
    order = list(outputs) if len(outputs) == 1 else list(dict.fromkeys(outputs))
    seen, written = set(order), 0 if through_constants else Cell.last
    for node in order:  # the list grows as it is read
        if ends and node in ends:
            continue
        inputs = node.inputs
        if inputs is FREED or node.made_at < written:
            check_intact(node)
        for x in inputs:
            if (x.needs_grad or through_constants) and x not in seen:
                seen.add(x)
                if leaves or x.op is not None or x.attached is not None:
                    order.append(x)
    order.sort(key=made_at)
    return order


made_at, ndarray_of = operator.attrgetter("made_at"), operator.attrgetter("ndarray")

# ---------------------------------------------------------------------------------------------------
# The walk


class Way(NamedTuple):
    """How a record is walked back through.

    visit: is shown each contribution, `visit(node, i, contribution)`, summed over the axes along which x was broadcast.
    leads: the only inputs to follow, if given.
    keep: nodes whose totals are kept, as those of leaves are.
    create_graph: the rules run on tensors, and so are recorded; otherwise on arrays.
    free: each node lets go of its inputs once it has been read.
    hooks: whether those of the nodes are run.
    """

    visit: Callable[[Any, int, Any], None] | None = None
    leads: Container[Any] | None = None
    keep: Collection[Any] = frozenset()
    create_graph: bool = False
    free: bool = False
    hooks: bool = True


PLAIN, FREEING = Way(), Way(free=True)


def walk(order: list[Any], totals: dict[Any, Any], way: Way = PLAIN, presence: Any = None) -> None:
    """The chain rule, from the outputs back to the leaves: contribution = (∂L/∂y)·(∂y/∂x).

    A node is reached when all its uses have contributed, so each rule runs once a use. In eight lines, where nothing is
    asked for besides:

    >>> def chain_rule(order, totals):
    ...     for y in reversed(order):
    ...         g = totals.pop(y)
    ...         xs = [x.ndarray for x in y.inputs]
    ...         for i, x in enumerate(y.inputs):
    ...             if x.needs_grad:
    ...                 contribution = fit(y.op.rules[i](g, y.ndarray, *xs, **y.settings), y, i)
    ...                 totals[x] = totals.get(x, 0) + contribution

    >>> from tinygrad_edu import Tensor
    >>> x, w, b = [Tensor(a, requires_grad=True) for a in ([[1.0, 2.0], [3.0, 4.0]], [5.0, 6.0], 7.0)]
    >>> y = (x * w + b).sum()  # three ops
    >>> said, found = {y: np.ones(())}, {y: np.ones(())}
    >>> chain_rule(topological([y], leaves=False), said)
    >>> walk(topological([y], leaves=False), found)
    >>> [(said[leaf].tolist(), np.array_equal(said[leaf], found[leaf])) for leaf in (x, w, b)]
    [([[5.0, 6.0], [5.0, 6.0]], True), ([4.0, 6.0], True), (4.0, True)]

    order: the nodes, each after its inputs; consumed from its end.
    totals: the outputs' ∂L/∂output at first; at the end those of the leaves, and of nodes that keep or retain theirs.
    presence: what follows which elements are present (`Presence`), if something may be absent.
    """
    visit, leads, keep, create_graph, free, hooks = way
    ours: set[Node] = set()  # whose totals this walk allocated, and so may add to in place
    while order:
        node = order.pop()
        g = totals.pop(node, None)
        if g is None:
            continue
        op, extra = node.op, node.attached
        if op is None or extra is not None or (keep and node in keep):
            if extra is not None and hooks:
                g = extra.run_hooks(g, node, create_graph)
            if op is None or node in keep or (extra is not None and extra.retains):
                totals[node] = g
            if op is None:
                continue
        inputs, settings, rules = node.inputs, node.settings, op.rules
        if rules.__class__ is not tuple and hasattr(rules, "visited"):  # `Joint` ones
            g, rules = rules.visited(g, node.ndarray)
        elif op.outputs is not None and not op.by_result:
            g = without_gaps(g, node.ndarray)
        given = (g, node.rule_value(), *inputs) if create_graph else (g, node.ndarray, *map(ndarray_of, inputs))
        part = None if presence is None else presence.of(node)
        try:
            for i, x in enumerate(inputs):
                if not x.needs_grad or (leads is not None and x not in leads) or (rule := rules[i]) is None:
                    continue
                contribution = rule(*given, **settings) if settings else rule(*given)
                if presence is not None:
                    contribution = presence.passed(contribution, node, i, rule, part, given)
                data = x.ndarray
                if contribution.dtype is not data.dtype or contribution.shape != data.shape:
                    if op.selects:
                        put(totals, x, settings["index"], contribution)
                        continue
                    contribution = fit(contribution, node, i)
                if visit is not None:
                    visit(node, i, contribution)
                total = totals.get(x)
                if total is None:
                    totals[x] = contribution
                elif x in ours:
                    np.add(total, contribution, out=total)
                else:
                    totals[x] = total + contribution
                    if not create_graph and data.ndim:
                        ours.add(x)
        except Exception as error:
            explain_rule(error, node, i)
            raise
        if free:
            node.inputs = FREED


def without_gaps(g: Any, results: Sequence[Any]) -> Any:
    """The cotangents of several results, 0 for those of which nothing was made."""
    return tuple([np.zeros(y.shape, y.dtype) if part is None else part for part, y in zip(g, results, strict=True)])


def put(totals: dict[Any, Any], x: Node, index: int, contribution: Any) -> None:
    """Add to one place of the cotangent of a node with several results: a list of them, None where nothing came yet."""
    known = totals.get(x)
    totals[x] = parts = [None] * len(x.ndarray) if known is None else known.copy()  # a walk may begin again with these
    parts[index] = contribution if parts[index] is None else parts[index] + contribution


def explain_rule(error: Exception, node: Node, i: int) -> None:
    """Say of an error in the walk which op's rule it came from, for which input, and where that was recorded."""
    x, rule = node.inputs[i], f"rule {i} of {node.op.name}"
    if error.__traceback__ is not None and error.__traceback__.tb_next is None:  # the call, or what came out of it
        if isinstance(error, AttributeError) and error.name == "dtype":
            raise TypeError(
                f"{rule} returned {type(error.obj).__name__} {error.obj!r:.60}; "
                f"a rule returns an array, the gradient of its input of shape {x.shape}"
            ) from error
        if isinstance(error, TypeError):
            n, named = len(node.inputs), "".join(f", {key}=" for key in node.settings)
            raise TypeError(f"{rule} is called with g, y, {n} input{'s' * (n != 1)}{named}; but {error}") from error
    line = node.attached.line if node.attached is not None else "a line that detect_anomaly() would name"
    error.add_note(f"in {rule}: the gradient of {x.describe()}, shape {x.shape}; recorded at {line}")


# ---------------------------------------------------------------------------------------------------
# What broadcasting and promotion did to an input


def fit(contribution: Any, node: Node, i: int) -> Any:
    """Undo, for a gradient, what broadcasting and promotion did to the input in the forward pass."""
    x, op = node.inputs[i], node.op
    data = x.ndarray
    if contribution.shape != data.shape:
        if not op.broadcasts:
            raise RuntimeError(
                f"rule {i} of {op.name} returned shape {contribution.shape} for an input of shape {data.shape}; "
                "a rule returns the shape of its input (declare broadcasts=True if the op broadcasts its inputs)"
            )
        summed = unbroadcast(contribution, data.shape) if contribution.ndim >= data.ndim else contribution
        if summed.shape != data.shape:
            raise RuntimeError(
                f"rule {i} of {op.name} returned shape {contribution.shape} for an input of shape {data.shape}; "
                "a rule returns the shape of the output or of its input"
            )
        contribution = summed
    if contribution.dtype != data.dtype:
        if contribution.dtype.kind == "c":
            raise TypeError(
                f"{op.name} made complex numbers of {x.describe()}, and complex numbers are not differentiated; "
                "compute with real and imaginary parts"
            )
        made = node.ndarray if op.outputs is not None else (node.ndarray,)
        if all(contribution.dtype != part.dtype for part in made):  # not a promotion to undo, but a fault
            raise RuntimeError(f"rule {i} of {op.name} returned {contribution.dtype} for an input of {x.dtype}")
        contribution = np.astype(contribution, x.dtype)
    return contribution


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum `g` over the axes along which `shape` was broadcast: ⟨unbroadcast(g), x⟩ = ⟨g, broadcast(x)⟩.

    >>> unbroadcast(np.ones((4, 3)), (1, 3))
    array([[4., 4., 4.]])
    """
    extra = g.ndim - len(shape)
    if extra == 1 and g.ndim == 2 and g.__class__ is np.ndarray:
        g = add_rows(g)  # a bias met a batch
    elif extra == 1 and g.ndim == 2 and isinstance(g, Node):
        g = OPS["channel_sum"](g)  # the same, recorded
    elif extra:
        g = add_up(g, tuple(range(extra)))
    if g.shape != shape:
        axes = tuple([i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1])
        g = add_up(g, axes, keepdims=True)
    return g


def add_up(x: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """Σ x along `axis`, as `np.add.reduce`, but with the sum of float16 numbers kept in float32 on its way.

    In float16 a sum of ones stands still at 2,048, where the next number is 2,050. NumPy adds up in float32 along the
    axis that lies together in memory, but not along a batch.

    >>> float(np.add.reduce(np.ones((4096, 2), np.float16))[0]), float(add_up(np.ones((4096, 2), np.float16), 0)[0])
    (2048.0, 4096.0)
    """
    if x.dtype.char == "e" and x.__class__ is np.ndarray:
        return _sum(x, axis, np.float32, out, keepdims).astype(x.dtype, copy=False)
    return _sum(x, axis, None, out, keepdims)  # by position: sooner than by name


_sum: Any = np.add.reduce  # its stubs know no axis of type Any

LONG = 1024
"""So many rows are added up one after the other: the sum's relative error is then below 10⁻⁵ in float32."""


def add_rows(x: Any, out: Any = None) -> Any:
    """Σ x over the rows of a matrix, as 1·x, by the linear algebra library; a long one by parts of 64 rows, so that few
    roundings add up: a float32 sum of n rows would lose log₂ n bits otherwise.

    >>> add_rows(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [4.0, 6.0]
    """
    if x.dtype.char not in "fd" or x.__class__ is not np.ndarray:
        return add_up(x, 0, out)  # by other libraries products may have fewer digits than sums
    rows, columns = x.shape
    if rows <= LONG or not x.flags.c_contiguous:
        return np.matmul(ones(rows, x.dtype), x, out)
    part = rows // 64
    sums = np.matmul(ones(64, x.dtype), np.reshape(x[: 64 * part], (64, part * columns)))
    y = add_rows(np.reshape(sums, (part, columns)), out)
    y += np.matmul(ones(rows - 64 * part, x.dtype), x[64 * part :])
    return y


@lru_cache(maxsize=16)
def ones(n: int, dtype: Any) -> Any:
    """A row of n ones, which is not to be written."""
    return np.ones(n, dtype)

"""Differentiating a record: the walk, with what it must look out for.

`walk` is the chain rule, and all that there is to most records. This page adds three things. What a selection dropped
must send back nothing, not even NaN. A few results, such as eigenvectors of equal eigenvalues, have gradients that are
limits, for which the walk is recorded. And a record that is read for the last time is let go of as it is read.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import FREEING, PLAIN, Way, walk
from tinygrad_edu.engine.node import FREED, Array, Node, array_of
from tinygrad_edu.engine.presence import Presence, any_nan
from tinygrad_edu.engine.recording import RECORDING, recording
from tinygrad_edu.engine.refusals import has_nan
from tinygrad_edu.engine.registry import LIMITS

Visit = Callable[[Any, int, Any], None]


def differentiate(
    order: list[Any], totals: dict[Any, Any], way: Way = PLAIN, limits: Mapping[Node, int] | None = None
) -> None:
    """The chain rule, from the outputs back to the leaves: `walk`, whose arguments these are, on any record.

    What a selection dropped sends back nothing, even where its own derivative is ∞ or NaN: see `Presence`. On arrays
    the walk goes once if no derivative behind a selection can be ∞. Else it first goes as if none were; if a NaN comes
    out, it goes again, and follows what is present. Where it may not go twice, as rules are recorded, contributions shown
    or hooks called, it follows that at once.

    limits: those of `limits_in(order)`; left out, they are looked for.
    """
    if LIMITS and limits is None:
        limits = limits_in(order, 2 if way.create_graph else 1)
        if limits:
            _record_limits(order, totals, way, limits)
            return
    if RECORDING.get().anomaly:
        way = way._replace(visit=_refuse_nan(way.visit))
    presence = None
    end = _up_to_last_selection(order)
    if end:
        if way.create_graph or way.visit is not None:
            presence = Presence(totals, way.create_graph)
        elif not _finite_slopes(order[:end]):
            presence = _tried(order, totals, way)
    if order:
        walk(order, totals, way, presence)


def _up_to_last_selection(order: Sequence[Node]) -> int:
    """How many nodes at the beginning of `order` what a selection dropped may come to: 0 if there is no selection."""
    end = len(order)
    for node in reversed(order):
        if node.op is not None and node.op.drops:
            return end
        end -= 1
    return 0


def _has_hooks(order: Sequence[Node]) -> bool:
    for node in order:  # noqa: SIM110
        if node.attached is not None and node.attached.hooks:
            return True
    return False


# ---------------------------------------------------------------------------------------------------
# What selections dropped


def _finite_slopes(nodes: Sequence[Node]) -> bool:
    """Whether the rules of these nodes surely make 0 of a cotangent 0, as no slope is ∞ or NaN: then what was dropped sends
    back 0 in any walk. It takes a look at the results of products alone, which are small beside weights."""
    products = []
    for node in nodes:
        op = node.op
        if op is not None and op.presence not in NEVER_NAN:
            if op.presence not in FINITE_WITH_RESULT:
                return False
            products.append(node.ndarray)
    if len(products) > MOST_PRODUCTS_LOOKED_AT:
        return False
    for y in products:  # noqa: SIM110 (a loop is sooner done than all(), and small records are many)
        if not _is_finite(y):
            return False
    return True


def _tried(order: list[Any], totals: dict[Any, Any], way: Way) -> Presence | None:
    """Walk through those nodes at the end of `order` that may make NaN, on arrays, and take them off it. If NaN came out,
    they are walked through once more, now following what is present.

    Nodes that make no NaN stay in `order`, for the caller to walk through. Returns the presence to go on with there, or
    None if it did not have to be followed.
    """
    settled = _settled(order, way.free)
    tried, begun, presence = order[settled:], totals.copy(), None
    if way.hooks and _has_hooks(tried):  # a hook must be called once only, so there is no second try
        return Presence(totals, False)
    del order[settled:]
    first = PLAIN if way is FREEING else way._replace(free=False) if way.free else way
    walk(tried.copy(), totals, first)
    if any_nan(totals.values()):
        totals.clear()
        totals.update(begun)
        presence = Presence(totals, False)
        walk(tried.copy(), totals, first, presence)
    if way.free:
        _let_go(tried)
    return presence


def _let_go(nodes: Sequence[Node]) -> None:
    for node in nodes:
        if node.op is not None:
            node.inputs = FREED


def _settled(order: Sequence[Node], free: bool) -> int:
    """How many nodes at the beginning of `order` turn no cotangent 0 into NaN, and so need no second try.

    The leaves are such nodes. Whether others are takes a look at their numbers, which pays only where a large record is to
    be freed on the way: what needs no second try need not be kept for one.
    """
    if free and sum([node.ndarray.nbytes for node in order]) >= WORTH_FREEING:
        return next((i for i, node in enumerate(order) if _may_make_nan(node)), len(order))
    leaves = 0
    while leaves < len(order) and order[leaves].op is None:
        leaves += 1
    return leaves


WORTH_FREEING = 1 << 22
"""The bytes of a record from which on what is freed while it is read, and not at its end, is worth a look at its numbers."""

MOST_PRODUCTS_LOOKED_AT = 12
"""In a record of more products, it costs less to look at the gradients of its leaves."""

NEVER_NAN = frozenset({"linear", "moves", "selects", "rectifies"})
"""How presence passes ops (`Op(presence=)`) whose rules make finite numbers of finite numbers."""

FINITE_WITH_RESULT = frozenset({"product", "tame"})
"""The same, of ops whose rules do so where the whole result is finite: a factor that is not would be seen in it."""


def _may_make_nan(node: Node) -> bool:
    """Whether a rule of the node may make NaN of finite numbers, by a slope that is ∞ or NaN, or as it divides."""
    op = node.op
    if op is None or op.presence in NEVER_NAN:
        return False
    xs = [x.ndarray for x in node.inputs]
    for i, x in enumerate(node.inputs):
        kind = op.presence[i] if isinstance(op.presence, tuple) else op.presence
        if kind in NEVER_NAN or not x.needs_grad or op.rules[i] is None:
            continue
        if kind in FINITE_WITH_RESULT:
            if not _is_finite(node.ndarray):
                return True
        elif kind == "elementwise" and op.outputs is None:
            one = np.broadcast_to(node.ndarray.dtype.type(1), node.ndarray.shape)
            if not _is_finite(op.rules[i](one, node.ndarray, *xs, **node.settings)):
                return True
        else:
            return True
    return False


def _is_finite(x: Array) -> bool:
    """Whether an array holds neither ∞ nor NaN: Σ x² is finite then, unless it overflows."""
    if x.dtype.kind != "f":
        return True
    return math.isfinite(x.dot(x) if x.ndim == 1 else np.vdot(x, x)) or bool(np.isfinite(x).all())


# ---------------------------------------------------------------------------------------------------
# Gradients that are limits


def note_limit(node: Node) -> None:
    """Add a result to `LIMITS`, as long as it lives."""
    key = id(node)
    LIMITS[key] = weakref.ref(node, lambda _: LIMITS.pop(key, None))


def limits_in(order: Sequence[Any], orders: int, end: Node | None = None) -> dict[Node, int]:
    """Count, for each node in `order` that takes a limit but is not `end`, for how many derivatives the limit has to be right.

    That is `orders`, and one more for each such node that it was computed from: they differentiate its rule.
    """
    if not any(id(node) in LIMITS for node in order):
        return {}
    found: dict[Node, int] = {}
    before: dict[Node, int] = {}  # how many on the longest way to a node
    for node in order:
        count = max([before.get(x, 0) for x in node.inputs], default=0)
        if id(node) in LIMITS and node.inputs[0] is not end:
            found[node.inputs[0]] = orders + count
            count += 1
        if count:
            before[node] = count
    return found


def _record_limits(order: list[Any], totals: dict[Any, Any], way: Way, limits: Mapping[Node, int]) -> None:
    """`differentiate`, recorded as far as nodes take limits, whatever is asked for. Nothing is freed before they have."""
    start = 0 if way.create_graph else next(i for i, node in enumerate(order) if node in limits)
    recorded = order[start:]
    del order[start:]
    nodes = recorded.copy()
    if not way.create_graph:
        for x, g in totals.items():
            totals[x] = x.constant(g)

    def look(node: Node, i: int, contribution: Any) -> None:
        if way.visit is not None:
            way.visit(node, i, contribution if way.create_graph else array_of(contribution))

    apart = recording(enabled=True, holds=True, limits=limits)
    apart.run(differentiate, recorded, totals, way._replace(visit=look, create_graph=True, free=False), limits)
    if not way.create_graph:
        for x, g in totals.items():
            totals[x] = [array_of(part) for part in g] if isinstance(g, list) else array_of(g)
    if way.free:
        _let_go(nodes)
    if order:
        differentiate(order, totals, way, limits={})


# ---------------------------------------------------------------------------------------------------
# Anomalies


def _refuse_nan(visit: Visit | None) -> Visit:
    """A visitor that raises at the first NaN, naming the rule that made it."""

    def look(node: Node, i: int, contribution: Any) -> None:
        if has_nan(contribution):
            raise FloatingPointError(
                f"the gradient of {node.op.name} by its input {i} ({node.inputs[i].describe()}) holds NaN; "
                f"the op was recorded at {node.attachments().line}"
            )
        if visit is not None:
            visit(node, i, contribution)

    return look

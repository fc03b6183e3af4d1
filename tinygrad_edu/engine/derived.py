"""A function called once, and what is derived from its record: nodes that can be differentiated again.

`value_and_grad`, `vjp` and the other transformations each read a derivative off such a record.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.backward import gradients, leading, not_one_number
from tinygrad_edu.engine.differentiate import differentiate, limits_in
from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.folded import fold
from tinygrad_edu.engine.graph import Way, topological
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.origins import Origin, node_of
from tinygrad_edu.engine.recording import RECORDING, SCOPE, recording, watched
from tinygrad_edu.engine.refusals import users_own
from tinygrad_edu.engine.registry import tick
from tinygrad_edu.engine.tensor import Tensor, new_leaf

# ---------------------------------------------------------------------------------------------------
# What a function is given


@op(
    symbol="=",
    vjp=(lambda g, y, x: g,),
    view=True,
    may_raise=False,
    analytic=True,
    presence="moves",
    examples=[example((2, 3)), example(())],
)
def argument(x: Any) -> Any:
    """y = x in the same memory: what a function that is differentiated gets for its argument x."""
    return x[...]


def to_differentiate(value: Any) -> Tensor:
    """A node of the value's numbers and name to differentiate by, of which `value` itself is the only input."""
    given: Tensor = node_of(value) if isinstance(value, Tensor) else Tensor(value)
    given.refuse_derivative()
    made = argument_of(given)
    made.name, made.needs_grad = given.name, True
    return made


@watched
def argument_of(given: Tensor) -> Tensor:
    """`argument(given)` as a node, also where nothing is being recorded."""
    made = new_leaf(given.ndarray)
    made.op, made.inputs, made.scope = argument, (given,), SCOPE.get()
    made.cell, made.made_at = given.shared_cell(), tick()
    return made


# ---------------------------------------------------------------------------------------------------
# What it leaves


class Before:
    """The nodes made before a time, which `topological` need not follow."""

    __slots__ = ("_time",)

    def __init__(self, time: int) -> None:
        self._time = time

    def __contains__(self, node: Any) -> bool:
        return node.made_at < self._time

    def inputs(self, order: Sequence[Tensor], args: Sequence[Tensor] = ()) -> list[Tensor]:
        """Return `args`, and older nodes with a gradient or a record from which those of `order` made since were computed."""
        found = dict.fromkeys(args)
        for node in order:
            if node not in self:
                for x in node.inputs:
                    if x.made_at < self._time and (x.needs_grad or x.op is not None):
                        found[x] = None
        return list(found)


def called_on(f: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
    """`f` of the arguments, recorded so that it can be differentiated."""
    try:
        y = DIFFERENTIATED.run(f, *args, **kwargs)
    except Exception as error:
        error.__traceback__ = users_own(error)
        raise
    if not isinstance(y, Tensor):
        raise TypeError(f"a function to be differentiated returns one tensor, but this one returned {type(y).__name__}")
    return y


def transformed(
    called: tuple[str, str],
    f: Callable[..., Tensor],
    args: Sequence[Any],
    derive: Callable[[Tensor, list[Tensor], list[Tensor], bool], list[Tensor]],
    vectors: Sequence[Any] = (),
    create_graph: bool = False,
) -> tuple[Tensor, list[Tensor]]:
    """`y = f(*args)`, and its derivatives by the arguments, as `derive` reads them off the record.

    called: name and symbol of the nodes that stand for derivatives.
    derive: `derive(y, xs, order, create_graph)` gives the derivatives by the arguments `xs`; `order` is the record of y.
    vectors: tensors that `derive` uses besides.
    create_graph: record the derivatives as they are computed. So it is, too, inside a function that is itself
        differentiated.

    Both results are recorded with respect to the tensors that `f` was called on or used, and to `vectors`, if one of them
    requires a gradient. The derivatives are then nodes that keep the record of this one run; they are derived again, and
    that recorded, only when a walk comes by them. Nothing is kept under `no_grad()`.
    """
    state, before = RECORDING.get(), Before(tick())
    xs: list[Tensor] = [to_differentiate(x) for x in args]
    y = called_on(f, *xs)
    order = record_of(y, before)
    if create_graph or state.differentiating:
        return y, derive(y, xs, order, True)
    if not state.enabled:
        return y.alias(), [d.alias() for d in derive(y, xs, order, False)]
    inputs = before.inputs(order, [x.inputs[0] for x in xs] + [v for v in vectors if isinstance(v, Tensor)])
    connected = any(x.needs_grad for x in inputs)
    derived = derive(y, xs, order, at_once())

    def unfold() -> list[Tensor]:
        return list(RECORDED.run(derive, y, xs, record_of(y, before), True))

    return (y if connected else y.alias()), connected_by(called, derived, inputs, connected, unfold)


@watched
def at_once() -> bool:
    """Whether derivatives are recorded as they are computed, where nothing else asks for it."""
    return False


@watched
def connected_by(
    called: tuple[str, str],
    derived: list[Tensor],
    inputs: Sequence[Tensor],
    connected: bool,
    unfold: Callable[[], list[Tensor]],
) -> list[Tensor]:
    """The derivatives as nodes, computed from `inputs`, that stand for the record which `unfold()` makes.

    connected: whether an input requires a gradient; else they are plain numbers, unless everything is recorded.
    """
    if not connected and not RECORDING.get().everything:
        if any(x.op is not None for x in inputs):  # a mask, say: the derivatives cannot be computed again by it
            for d in derived:
                d.attachments().origin = Origin()
        return derived
    return list(fold(*called, unfold, inputs, [d.ndarray for d in derived]))


RECORDED, DIFFERENTIATED = recording(enabled=True), recording(enabled=True, differentiating=True)


def record_of(y: Tensor, before: Container[Tensor]) -> list[Tensor]:
    """The record of `y`, as far as it is not older."""
    return topological([y], leaves=False, ends=before) if y.needs_grad else []


def slopes(y: Tensor, xs: Sequence[Tensor], v: Any, order: Sequence[Tensor], create_graph: bool) -> list[Tensor]:
    """The gradients of `y` by `xs`, along `v`; zeros where `y` does not depend on them. order: the record of `y`."""
    if v is None and y.size != 1:
        raise RuntimeError(not_one_number(y, "the derivative"))
    if v is not None and np.shape(v) != y.shape:
        raise ValueError(f"v has the shape of the function's result, {y.shape}, but got {np.shape(v)}")
    found: Sequence[Any] = [None] * len(xs)
    if y.needs_grad:
        found = gradients([(y, v)], xs, create_graph, list(order))
    return [x.constant(np.zeros_like(x.ndarray)) if g is None else g for g, x in zip(found, xs, strict=True)]


# ---------------------------------------------------------------------------------------------------
# What a gradient rule derives from the gradient that comes in


def along(y: Tensor, node: Tensor, direction: Sequence[Any], orders: int) -> Any:
    """How `y` changes as the results of `node` move along `direction`, while what `node` was computed from stays.

    Recorded, and of the shape of `y`. A result that stays has None in `direction`; limits on the way are right for
    `orders` derivatives. So a gradient rule of `node` differentiates the gradient that comes in. It goes back twice, as
    `jvp` does, and runs no hooks.
    """
    u = to_differentiate(np.zeros_like(y.ndarray))
    slope = None
    if y.needs_grad:
        back = _back_to(node, {y: u}, node, orders)
        pairs = [
            (g, y.constant(np.broadcast_to(d, g.shape).astype(g.dtype)))
            for g, d in zip(back or (), direction, strict=False)
            if d is not None and isinstance(g, Tensor) and g.needs_grad
        ]
        slope = _back_to(u, dict(pairs), node, orders)
    return y.constant(np.zeros_like(y.ndarray)) if slope is None else slope


def _back_to(x: Tensor, totals: dict[Tensor, Any], end: Tensor, orders: int) -> Any:
    """The total that a recorded walk from `totals` gives at `x`, or None; what `end` was computed from is not looked at."""
    order = topological(list(totals), leaves=False, ends={end})
    leads = leading(order, [x])
    order = [node for node in order if node in leads and node is not x]
    limits = limits_in(order, orders, end)
    apart = recording(limits=limits, anomaly=False)
    apart.run(differentiate, order, totals, Way(leads=leads, create_graph=True, hooks=False), limits)
    return totals.get(x)

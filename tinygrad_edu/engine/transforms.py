"""Transformations of functions: `value_and_grad`, `vjp`, `jvp`, `jacobian`, `hessian` and `hvp` call a function once and
read its derivatives off the record. They nest: inside a function that one of them differentiates, the others record.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Container, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.backward import _not_one_number, grad, gradients, leading
from tinygrad_edu.engine.differentiate import differentiate, limits_in
from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.folded import fold
from tinygrad_edu.engine.graph import Way, topological
from tinygrad_edu.engine.node import Node
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.origins import Origin, node_of
from tinygrad_edu.engine.recording import RECORDING, SCOPE, recording, watched
from tinygrad_edu.engine.refusals import users_own
from tinygrad_edu.engine.registry import tick
from tinygrad_edu.engine.tensor import Tensor, new_leaf


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
    """`argument(given)`, a node in any case."""
    made = new_leaf(given.ndarray)
    made.op, made.inputs, made.scope = argument, (given,), SCOPE.get()
    made.cell, made.made_at = given.shared_cell(), tick()
    return made


def along(y: Node, node: Node, direction: Sequence[Any], orders: int) -> Any:
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
            if d is not None and isinstance(g, Node) and g.needs_grad
        ]
        slope = _back_to(u, dict(pairs), node, orders)
    return y.constant(np.zeros_like(y.ndarray)) if slope is None else slope


def _back_to(x: Node, totals: dict[Node, Any], end: Node, orders: int) -> Any:
    """The total that a recorded walk from `totals` gives at `x`, or None; what `end` was computed from is not looked at."""
    order = topological(list(totals), leaves=False, ends={end})
    leads = leading(order, [x])
    order = [node for node in order if node in leads and node is not x]
    limits = limits_in(order, orders, end)
    apart = recording(limits=limits, anomaly=False)
    apart.run(differentiate, order, totals, Way(leads=leads, create_graph=True, hooks=False), limits)
    return totals.get(x)


def _inputs(inputs: Any) -> tuple[list[Any], bool]:
    return (list(inputs), False) if isinstance(inputs, tuple | list) else ([inputs], True)


def _refuse_several(x: Any, what: str) -> None:
    if isinstance(x, tuple | list):
        raise TypeError(
            f"{what}() takes one input, but got a {type(x).__name__}, which stands for several in jacobian() and vjp(); "
            "write np.array([...]), or join tensors into one by np.concatenate"
        )


class Before:
    """What `topological` need not follow: nodes made before a time."""

    __slots__ = ("_time",)

    def __init__(self, time: int) -> None:
        self._time = time

    def __contains__(self, node: Any) -> bool:
        return node.made_at < self._time

    def inputs(self, order: Sequence[Node], args: Sequence[Node] = ()) -> list[Node]:
        """What the nodes of `order` made since then were computed from: `args`, and what requires a gradient or is recorded."""
        found = dict.fromkeys(args)
        for node in order:
            if node not in self:
                for x in node.inputs:
                    if x.made_at < self._time and (x.needs_grad or x.op is not None):
                        found[x] = None
        return list(found)


def _call(f: Callable[..., Node], *args: Any, **kwargs: Any) -> Node:
    """`f` of the arguments, recorded so that it can be differentiated."""
    try:
        y = _DIFFERENTIATED.run(f, *args, **kwargs)
    except Exception as error:
        error.__traceback__ = users_own(error)
        raise
    if not isinstance(y, Node):
        raise TypeError(f"a function to be differentiated returns one tensor, but this one returned {type(y).__name__}")
    return y


def _transformed(
    called: tuple[str, str],
    f: Callable[..., Node],
    args: Sequence[Any],
    derive: Callable[[Node, list[Node], list[Node], bool], list[Node]],
    vectors: Sequence[Any] = (),
    create_graph: bool = False,
) -> tuple[Node, list[Node]]:
    """`y = f(*args)`, and what `derive(y, xs, order, create_graph)` reads off its record, the nodes `order`: the derivatives
    by its arguments `xs`.

    Both are recorded by the tensors that `f` was called on or used besides, and by the `vectors` that `derive` uses, if
    one of them requires a gradient. The derivatives are then nodes (of the name and symbol in `called`) that keep the
    record of this one run; they are derived again, and that recorded, only when a walk comes by them.

    Nothing is kept under `no_grad()`. Inside a function that is itself differentiated, or with `create_graph`, all
    is recorded at once.
    """
    state, before = RECORDING.get(), Before(tick())
    xs: list[Node] = [to_differentiate(x) for x in args]
    y = _call(f, *xs)
    order = _order(y, before)
    if create_graph or state.differentiating:
        return y, derive(y, xs, order, True)
    if not state.enabled:
        return y.alias(), [d.alias() for d in derive(y, xs, order, False)]
    inputs = before.inputs(order, [x.inputs[0] for x in xs] + [v for v in vectors if isinstance(v, Node)])
    connected = any(x.needs_grad for x in inputs)
    derived = derive(y, xs, order, at_once())

    def unfold() -> list[Node]:
        return list(_RECORDED.run(derive, y, xs, _order(y, before), True))

    return (y if connected else y.alias()), connected_by(called, derived, inputs, connected, unfold)


@watched
def at_once() -> bool:
    """Whether derivatives are recorded as they are computed, where nothing else asks for it."""
    return False


@watched
def connected_by(
    called: tuple[str, str],
    derived: list[Node],
    inputs: Sequence[Node],
    connected: bool,
    unfold: Callable[[], list[Node]],
) -> list[Node]:
    """The derivatives as nodes, computed from `inputs`, that stand for the record which `unfold()` makes.

    connected: whether an input requires a gradient; else they are plain numbers, unless everything is recorded.
    """
    if not connected and not RECORDING.get().everything:
        if any(x.op is not None for x in inputs):  # a mask, say: the derivatives cannot be computed again by it
            for d in derived:
                d.attachments().origin = Origin()
        return derived
    return list(fold(*called, unfold, inputs, [d.ndarray for d in derived]))


_RECORDED, _DIFFERENTIATED = recording(enabled=True), recording(enabled=True, differentiating=True)


def _order(y: Node, before: Container[Node]) -> list[Node]:
    """The record of `y`, as far as it is not older."""
    return topological([y], leaves=False, ends=before) if y.needs_grad else []


def _slopes(y: Node, xs: Sequence[Node], v: Any, order: Sequence[Node], create_graph: bool) -> list[Node]:
    """The gradients of `y` by `xs`, along `v`; zeros where `y` does not depend on them. order: the record of `y`."""
    if v is None and y.size != 1:
        raise RuntimeError(_not_one_number(y, "the derivative"))
    found: Sequence[Any] = [None] * len(xs)
    if y.needs_grad:
        found = gradients([(y, v)], xs, create_graph, list(order))
    return [x.constant(np.zeros_like(x.ndarray)) if g is None else g for g, x in zip(found, xs, strict=True)]


def value_and_grad(f: Callable[..., Node], argnums: int | Sequence[int] = 0) -> Callable[..., tuple[Node, Any]]:
    """The function that returns `f(*args)` and its gradient by the arguments `argnums`.

    The arguments may be tensors, arrays or numbers; `f` returns a single number. An argument that it does not
    depend on has the gradient 0.

    Both results are recorded with respect to the tensors that `f` used, and the arguments, that require a gradient: a
    loss made of them trains the weights inside. What needs no such record is computed under `no_grad()`, for a result
    holds that of its run: in `x = x - 0.1 * slope`, each step would hold the one before.

    >>> value, slope = value_and_grad(lambda x: x * x)(3.0)
    >>> value.item(), slope.item()
    (9.0, 6.0)

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor(2.0, requires_grad=True)
    >>> _, slope = value_and_grad(lambda x: w * x * x)(3.0)  # 2wx
    >>> slope.backward()
    >>> w.grad.item()
    6.0
    """
    positions = (argnums,) if isinstance(argnums, int) else argnums
    if not isinstance(positions, list | tuple) or not all(isinstance(i, int) for i in positions):
        raise TypeError(f"value_and_grad(argnums=) takes the position of an argument, or a tuple, but got {argnums!r}")

    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Node, Any]:
        if not all(-len(args) <= i < len(args) for i in positions):
            raise TypeError(f"value_and_grad(argnums={argnums}) got {len(args)} arguments, which have no such position")

        def called(*xs: Node) -> Node:
            given = list(args)
            for i, x in zip(positions, xs, strict=True):
                given[i] = x
            return f(*given, **kwargs)

        y, gradients = _transformed(
            ("value_and_grad", "∇"),
            called,
            [args[i] for i in positions],
            lambda y, xs, order, kept: _slopes(y, xs, None, order, kept),
        )
        return y, gradients[0] if isinstance(argnums, int) else tuple(gradients)

    return value_and_gradient


def vjp(f: Callable[..., Node], inputs: Any, v: Any = None, create_graph: bool = False) -> tuple[Node, Any]:
    """`f(*inputs)` and the vector–Jacobian product vᵀ·J: one walk back, however many inputs.

    `v` has the shape of the output; it may be left out for a single number. Both results are recorded with respect to
    what requires a gradient, as those of `value_and_grad`; so they are of the transformations below.

    >>> y, g = vjp(lambda x: x * x, np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    >>> g.tolist()
    [2.0, 40.0]
    """
    args, single = _inputs(inputs)
    y, gradients = _transformed(
        ("vjp", "vᵀJ"), f, args, lambda y, xs, order, kept: _slopes(y, xs, v, order, kept), (v,), create_graph
    )
    return y, gradients[0] if single else tuple(gradients)


def jvp(f: Callable[..., Node], inputs: Any, v: Any, create_graph: bool = False) -> tuple[Node, Node]:
    """`f(*inputs)` and the Jacobian–vector product J·v: the change of the output along `v`.

    A rule is linear in its incoming gradient u, so uᵀ·J is a recorded function of u, and differentiating
    that by u, along v, gives J·v (Townsend's double-backward trick, 2017).

    >>> y, t = jvp(lambda x: x * x, np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    >>> t.tolist()
    [2.0, 40.0]
    """
    args, single = _inputs(inputs)
    vs = [v] if single else list(v)
    if len(vs) != len(args) or any(np.shape(vi) != np.shape(x) for vi, x in zip(vs, args, strict=False)):
        raise ValueError(
            f"jvp() needs a v of the inputs' shapes {[np.shape(x) for x in args]}, but got {[np.shape(vi) for vi in vs]}"
        )

    def push(y: Node, xs: list[Node], order: list[Node], create_graph: bool) -> list[Node]:
        tangent = None
        if y.needs_grad:
            u = to_differentiate(np.zeros_like(y.ndarray))
            pulled = gradients([(y, u)], xs, True, list(order))
            pairs = [(g, vi) for g, vi in zip(pulled, vs, strict=True) if g is not None and g.needs_grad]
            if pairs:
                tangent = grad([g for g, _ in pairs], u, [vi for _, vi in pairs], create_graph, allow_unused=True)
        if tangent is None:  # nowhere does y change with its inputs
            tangent = y.constant(np.zeros_like(y.ndarray))
        return [tangent]

    y, tangents = _transformed(("jvp", "Jv"), f, args, push, vs, create_graph)
    return y, tangents[0]


def jacobian(f: Callable[..., Node], inputs: Any, create_graph: bool = False) -> Any:
    """The Jacobian J[i, j] = ∂yᵢ/∂xⱼ, of shape `y.shape + x.shape`: one walk back for each element of y.

    A tensor for a single input, a tuple for a sequence of inputs.

    >>> jacobian(lambda x: x * x, np.array([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    return _jacobian(("jacobian", "J"), f, inputs, create_graph)


def _jacobian(called: tuple[str, str], f: Callable[..., Node], inputs: Any, create_graph: bool) -> Any:
    args, single = _inputs(inputs)

    def read(y: Any, xs: list[Node], order: list[Node], create_graph: bool) -> list[Any]:
        rows = []
        for index in np.ndindex(y.shape):
            chosen = _RECORDED.run(operator.getitem, y, index)  # what another row hangs on is absent from this one
            rows.append(_slopes(chosen, xs, None, [*order, chosen], create_graph))
        if not rows:
            return [x.constant(np.zeros(y.shape + x.shape, x.dtype)) for x in xs]
        return [
            np.reshape(np.stack(column), y.shape + x.shape)
            for x, column in zip(xs, zip(*rows, strict=True), strict=True)
        ]

    def recorded_or_not(y: Node, xs: list[Node], order: list[Node], create_graph: bool) -> list[Node]:
        return list(recording(enabled=create_graph).run(read, y, xs, order, create_graph))

    columns = _transformed(called, f, args, recorded_or_not, (), create_graph)[1]
    return columns[0] if single else tuple(columns)


def hessian(f: Callable[..., Node], x: Any, create_graph: bool = False) -> Node:
    """The Hessian H[i, j] = ∂²y/∂xᵢ∂xⱼ of a single number, of shape `x.shape + x.shape`.

    >>> hessian(lambda x: (x ** 3).sum(), np.array([1.0, 2.0])).tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    _refuse_several(x, "hessian")

    def slope(t: Node) -> Node:
        y = _call(f, t)
        return _slopes(y, [t], None, _order(y, Before(t.made_at)), True)[0]

    return _jacobian(("hessian", "H"), slope, x, create_graph)


def hvp(f: Callable[..., Node], x: Any, v: Any, create_graph: bool = False) -> tuple[Node, Node]:
    """`f(x)` and the Hessian–vector product H·v, without forming H: the gradient of ⟨∇f, v⟩.

    >>> y, Hv = hvp(lambda x: (x ** 3).sum(), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    >>> Hv.tolist()
    [6.0, 12.0]
    """
    _refuse_several(x, "hvp")

    def product(y: Node, xs: list[Node], order: list[Node], create_graph: bool) -> list[Node]:
        slope = _slopes(y, xs, None, order, True)[0]
        return _slopes(slope, xs, v, _order(slope, Before(xs[0].made_at)), create_graph)

    y, products = _transformed(("hvp", "Hv"), f, [x], product, (v,), create_graph)
    return y, products[0]

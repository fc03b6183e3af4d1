"""Gradients, as readings of the graph.

`backward` adds the totals of one walk to the leaves' `.grad`; `grad` returns them. `value_and_grad`, `vjp`,
`jvp`, `jacobian`, `hessian` and `hvp` are functions of functions that call `grad`; `checkpoint` trades the
memory of a record for running it twice.
"""

from __future__ import annotations

import math
import operator
import weakref
from collections.abc import Callable, Container, Sequence
from contextvars import copy_context
from typing import Any

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.graph import (
    RECORDING,
    Node,
    Origin,
    detect_anomaly,
    enable_grad,
    evaluate,
    is_grad_enabled,
    limits_in,
    no_grad,
    quietly,
    recording,
    refuse_masked,
    set_grad_enabled,
    tick,
    topological,
    tracing,
    users_own,
    walk,
)

__all__ = [
    "backward",
    "checkpoint",
    "detect_anomaly",
    "enable_grad",
    "evaluate",
    "grad",
    "hessian",
    "hvp",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "no_grad",
    "set_grad_enabled",
    "tracing",
    "value_and_grad",
    "vjp",
]


def backward(output: Node, gradient: Any = None, retain_graph: bool = True, create_graph: bool = False) -> None:
    """Add ∂output/∂leaf to the `.grad` of each leaf that `output` was computed from. See `Tensor.backward`."""
    try:
        copy_context().run(_backward, output, gradient, retain_graph, create_graph)
    except Exception as error:
        error.__traceback__ = users_own(error)
        raise


@np.errstate(all="ignore")  # an infinite slope is an answer, not a mishap
def _backward(output: Node, gradient: Any, retain_graph: bool, create_graph: bool) -> None:
    tape, keeps_graph = RECORDING.get().tape, create_graph
    create_graph |= tape is not None  # the backward pass is part of what is recorded for replay
    g = _cotangent(output, gradient, create_graph, "backward()")
    totals = {output: g}
    order = topological((output,), leaves=False, ends=() if tape is None else tape.plain)
    if tape is not None:
        tape.read(order, free=not retain_graph)
        retain_graph = True
    held = {id(getattr(g, "_data", g))}
    if create_graph:
        graph = recording(enabled=keeps_graph, holds=keeps_graph)
        written = graph.run(_recorded_totals, order, totals, held, not retain_graph)
    else:
        walk(order, totals, free=not retain_graph)
        # all sums before any write, so that an exception leaves every .grad as it was
        written = [(x, x._plain(_own(g, held) if x._grad is None else x._grad._data + g)) for x, g in totals.items()]
    for x, total in written:
        if tape is not None:
            tape.slope(x)
        x._grad = total if tape is None or keeps_graph else total._alias()


def _recorded_totals(order: list[Node], totals: dict[Node, Any], held: set[int], free: bool) -> list[tuple[Node, Node]]:
    """Each leaf, and what its gradient is to be: the walk and the sums, recorded."""
    walk(order, totals, create_graph=True, free=free)
    return [(x, _tensor(x, g, held) if x._grad is None else x._grad + g) for x, g in totals.items()]


def _own(g: Any, held: set[int]) -> Any:
    """The gradient in memory of its own: no two `.grad` share it, nor does one with what was passed in."""
    if g.__class__ is not np.ndarray or g.base is not None or id(g) in held:
        g = g.copy()
    held.add(id(g))
    return g


def _tensor(x: Node, g: Any, held: set[int]) -> Node:
    """The gradient of a recorded walk. A recorded tensor cannot be written, so it may share memory; a leaf may not."""
    if hasattr(g, "_data") and g.op is not None:
        # in a replay, what a view shows may be written by then
        return np.copy(g) if g.op.view and RECORDING.get().tape is not None else g
    if hasattr(g, "_data") and g._requires_grad:
        return np.copy(g)
    return x._plain(_own(getattr(g, "_data", g), held))


def _cotangent(output: Node, gradient: Any, create_graph: bool, what: str) -> Any:
    """Where a walk starts: the gradient passed for `output`, or 1 for a single number."""
    if not output._requires_grad:
        raise RuntimeError(_nothing_to_differentiate(output, what))
    data = output._data
    if gradient is None:
        if data.size != 1:
            raise RuntimeError(_not_one_number(output, what))
        g = data.copy()
        g.fill(1)
    else:
        is_tensor = hasattr(gradient, "_data")
        refuse_masked(gradient)
        g = gradient if is_tensor and create_graph else gradient._data if is_tensor else np.asarray(gradient)
        if g.dtype.kind not in "biuf":
            raise TypeError(
                f"the gradient passed to {what} holds {g.dtype}, but {output._describe()} holds {data.dtype}; pass real numbers"
            )
        if g.shape != data.shape:
            raise ValueError(
                f"the gradient passed to {what} has shape {g.shape}, but {output._describe()} has shape {data.shape}"
            )
        if g.dtype != data.dtype:
            g = np.astype(g, data.dtype)
    if not create_graph or hasattr(g, "_data"):
        return g
    tape = RECORDING.get().tape
    return tape.number(output._plain(g)) if tape is not None and gradient is None else output._plain(g)


def _listed(tensors: Any) -> list[Node]:
    single = hasattr(tensors, "_data") or isinstance(tensors, np.ndarray) or not np.iterable(tensors)
    return [tensors] if single else list(tensors)


def _not_one_number(output: Node, what: str) -> str:
    return (
        f"{what} starts from a single number, but {output._describe()} has shape {output.shape}; "
        "write .mean() or .sum() first, or pass a gradient of that shape"
    )


def _nothing_to_differentiate(output: Node, what: str) -> str:
    made_by = output.op if output._extra is None or output._extra.origin is None else output._extra.origin.op
    if made_by is None:
        cure = (
            "it is a plain tensor: make the leaves with requires_grad=True, and compute it outside no_grad(); "
            "of what tg.replay returns, differentiate inside the replayed function"
        )
        if what == "grad()":
            cure += (
                "; or, if it is a derivative that has become constant, its own derivative is 0: "
                "pass allow_unused=True to get None for it"
            )
    elif made_by.vjp is None:
        cure = f"{made_by.name} has no derivative"
    else:
        cure = "nothing that it was computed from has a derivative by such a tensor"
    return f"{what} got {output._describe()}, which does not depend on a tensor that requires a gradient: {cure}"


def grad(
    outputs: Node | Sequence[Node],
    inputs: Node | Sequence[Node],
    grad_outputs: Any = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> Any:
    """The gradient of `outputs` by each of `inputs`, without touching any `.grad`.

    `inputs` may be leaves or results in between. With `create_graph` the gradients are recorded, and can
    be differentiated again. Returns a tensor for a single input, a tuple for a sequence of them; each has
    exactly the shape and dtype of its input.

    Raises RuntimeError if an input was not used, or an output is a constant, as the third derivative of x² is to be of
    (with `allow_unused`, None is returned for the gradient).

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor(2.0, requires_grad=True)
    >>> dy = tg.grad(x ** 3, x, create_graph=True)
    >>> dy.item(), tg.grad(dy, x).item()
    (12.0, 12.0)
    """
    single = hasattr(inputs, "_data")
    ys, xs = _listed(outputs), _listed(inputs)
    gs: list[Any]
    if grad_outputs is None:
        gs = [None] * len(ys)
    elif hasattr(outputs, "_data"):
        wrapped = isinstance(grad_outputs, list | tuple) and len(grad_outputs) == 1
        gs = list(grad_outputs) if wrapped and np.shape(grad_outputs[0]) == ys[0].shape else [grad_outputs]
    else:
        gs = list(grad_outputs)
    if len(gs) != len(ys):
        raise ValueError(f"grad() got {len(ys)} outputs and {len(gs)} grad_outputs; give one for each output")
    for y in ys:
        if not hasattr(y, "_data"):
            cure = "compute it from tensors"
            if callable(y):
                cure = "write grad(f(x), x), or value_and_grad(f)(x) for its value too"
            raise TypeError(f"grad() differentiates tensors, but got {type(y).__name__}; {cure}")
    for x in xs:
        if not hasattr(x, "_data"):
            raise TypeError(
                f"grad() differentiates by tensors, but got {type(x).__name__}; wrap it in Tensor(..., requires_grad=True)"
            )
        if not x._requires_grad:
            raise RuntimeError(
                f"grad() was asked for the gradient by {x._describe()}, which does not require one; write requires_grad=True"
            )
    tape, keeps_graph = RECORDING.get().tape, create_graph
    create_graph |= tape is not None
    totals: dict[Node, Any] = {}
    for y, gradient in zip(ys, gs, strict=True):
        if allow_unused and not y._requires_grad and y.op is None:
            continue  # a constant
        g = _cotangent(y, gradient, create_graph, "grad()")
        totals[y] = totals[y] + g if y in totals else g
    order = topological(list(totals), leaves=False, ends=() if tape is None else tape.plain)
    results = _read(order, totals, xs, keeps_graph)
    for i, x in enumerate(xs):
        if results[i] is None:
            if not allow_unused:
                raise RuntimeError(
                    f"grad() found no path from the outputs to {x._describe()}; pass allow_unused=True to get None for it"
                )
        elif tape is not None and not keeps_graph:
            results[i] = results[i]._alias()
    return results[0] if single else tuple(results)


def _read(order: list[Node], totals: dict[Node, Any], xs: Sequence[Node], keeps_graph: bool) -> list[Any]:
    """The totals of `xs`, each a tensor in memory of its own, or None where none came. `order` and `totals` as for `walk`."""
    tape = RECORDING.get().tape
    if tape is not None:
        tape.read(order, free=False)
    held = {id(getattr(g, "_data", g)) for g in totals.values()}
    return copy_context().run(_totals_of, order, totals, xs, held, keeps_graph)


@np.errstate(all="ignore")
def _totals_of(
    order: list[Node], totals: dict[Node, Any], xs: Sequence[Node], held: set[int], keeps_graph: bool
) -> list[Any]:
    leads, state = _leading(order, xs), RECORDING.get()
    create_graph = keeps_graph or state.tape is not None
    if state.enabled is not keeps_graph or state.holds is not keeps_graph:
        RECORDING.set(state.but({"enabled": keeps_graph, "holds": keeps_graph}))
    walk(order, totals, leads=leads, keep=set(xs), create_graph=create_graph)
    own = _tensor if create_graph else _plain
    return [None if g is None else own(x, g, held) for x, g in [(x, totals.get(x)) for x in xs]]


def _plain(x: Node, g: Any, held: set[int]) -> Node:
    """The gradient of a walk on arrays."""
    return x._plain(_own(g, held))


def _leading(order: list[Node], xs: Sequence[Node]) -> set[Node]:
    """`xs`, and the nodes of `order` that were computed from them."""
    leads = set(xs)
    for node in order:
        if node.op is not None and not leads.isdisjoint(node.inputs):
            leads.add(node)
    return leads


def along(y: Node, node: Node, direction: Sequence[Any], orders: int) -> Any:
    """How `y` changes as the results of `node` move along `direction`, while what `node` was computed from stays.

    Recorded, and of the shape of `y`. A result that stays has None in `direction`; limits on the way are right for
    `orders` derivatives. So a gradient rule of `node` differentiates the gradient that comes in. It goes back twice, as
    `jvp` does, and runs no hooks.
    """
    u = argument(np.zeros_like(y._data))
    slope = None
    if y._requires_grad:
        back = _back_to(node, {y: u}, node, orders)
        pairs = [
            (g, y._plain(np.broadcast_to(d, g.shape).astype(g.dtype)))
            for g, d in zip(back or (), direction, strict=False)
            if d is not None and hasattr(g, "_data") and g._requires_grad
        ]
        slope = _back_to(u, dict(pairs), node, orders)
    return y._plain(np.zeros_like(y._data)) if slope is None else slope


def _back_to(x: Node, totals: dict[Node, Any], end: Node, orders: int) -> Any:
    """The total that a recorded walk from `totals` gives at `x`, or None; what `end` was computed from is not looked at."""
    order = topological(list(totals), leaves=False, ends={end})
    leads = _leading(order, [x])
    order = [node for node in order if node in leads and node is not x]
    limits = limits_in(order, orders, end)
    apart = recording(limits=limits, anomaly=False)
    apart.run(walk, order, totals, leads=leads, create_graph=True, limits=limits, hooks=False)
    return totals.get(x)


# ---------------------------------------------------------------------------------------------------
# Transformations of functions. They nest: inside a function that one of them differentiates, the others record.


argument: Any = None
"""How to make a node to differentiate by out of any value; `op.py` says how."""

fold: Any = None
"""How to make nodes that stand for the outputs of a record: `fold(name, symbol, unfold, inputs, arrays)`; `op.py` says how."""


def _inputs(inputs: Any) -> tuple[list[Any], bool]:
    return (list(inputs), False) if isinstance(inputs, tuple | list) else ([inputs], True)


def _refuse_several(x: Any, what: str) -> None:
    if isinstance(x, tuple | list):
        raise TypeError(
            f"{what}() takes one input, but got a {type(x).__name__}, which stands for several in jacobian() and vjp(); "
            "write np.array([...]), or join tensors into one by np.concatenate"
        )


class _Before:
    """What `topological` need not follow: nodes made before a time, and what is plain to the user."""

    __slots__ = ("_plain", "_time")

    def __init__(self, time: int) -> None:
        tape = RECORDING.get().tape
        self._time, self._plain = time, () if tape is None else tape.plain

    def __contains__(self, node: Node) -> bool:
        return node._made < self._time or node in self._plain

    def inputs(self, order: Sequence[Node], args: Sequence[Node] = ()) -> list[Node]:
        """What the nodes of `order` made since then were computed from: `args`, and what requires a gradient or is recorded."""
        found = dict.fromkeys(args)
        for node in order:
            if node not in self:
                for x in node.inputs:
                    if x._made < self._time and (x._requires_grad or x.op is not None):
                        found[x] = None
        return list(found)


def _call(f: Callable[..., Node], *args: Any, **kwargs: Any) -> Node:
    """`f` of the arguments, recorded so that it can be differentiated."""
    try:
        y = _DIFFERENTIATED.run(f, *args, **kwargs)
    except Exception as error:
        error.__traceback__ = users_own(error)
        raise
    if not hasattr(y, "_data"):
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
    state, before = RECORDING.get(), _Before(tick())
    xs = [argument(x) for x in args]
    y = _call(f, *xs)
    order = _order(y, before)
    if create_graph or state.differentiating:
        return y, derive(y, xs, order, True)
    if not state.enabled:
        derived = derive(y, xs, order, False)
        return y._alias(), derived if state.tape is None else [d._alias() for d in derived]
    inputs = before.inputs(order, [x.inputs[0] for x in xs] + [v for v in vectors if hasattr(v, "_data")])
    connected = any(x._requires_grad for x in inputs)
    if state.tape is not None:  # all is recorded, and cut off from the graph where nothing of it requires a gradient
        derived = derive(y, xs, order, True)
        return (y, derived) if connected else (y._alias(), [d._alias() for d in derived])
    derived = derive(y, xs, order, False)
    if not connected and not state.everything:
        if any(x.op is not None for x in inputs):  # a mask, say: the derivatives cannot be computed again by it
            for d in derived:
                d._more().origin = Origin()
    else:

        def unfold() -> list[Node]:
            return list(_RECORDED.run(derive, y, xs, _order(y, before), True))

        derived = fold(*called, unfold, inputs, [d._data for d in derived])
    return (y if connected else y._alias()), derived


_RECORDED, _DIFFERENTIATED = recording(enabled=True), recording(enabled=True, differentiating=True)


def _order(y: Node, before: Container[Node]) -> list[Node]:
    """The record of `y`, as far as it is not older."""
    return topological([y], leaves=False, ends=before) if y._requires_grad else []


def _slopes(y: Node, xs: Sequence[Node], v: Any, order: Sequence[Node], create_graph: bool) -> list[Node]:
    """The gradients of `y` by `xs`, along `v`; zeros where `y` does not depend on them. order: the record of `y`."""
    if v is None and y.size != 1:
        raise RuntimeError(_not_one_number(y, "the derivative"))
    found: Sequence[Any] = [None] * len(xs)
    if y._requires_grad:
        g = _cotangent(y, v, create_graph or RECORDING.get().tape is not None, "grad()")
        found = _read(list(order), {y: g}, xs, create_graph)
    return [x._plain(np.zeros_like(x._data)) if g is None else g for g, x in zip(found, xs, strict=True)]


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
        if y._requires_grad:
            u = argument(np.zeros_like(y._data))
            pulled = _read(list(order), {y: u}, xs, True)
            pairs = [(g, vi) for g, vi in zip(pulled, vs, strict=True) if g is not None and g._requires_grad]
            if pairs:
                tangent = grad([g for g, _ in pairs], u, [vi for _, vi in pairs], create_graph, allow_unused=True)
        if tangent is None:  # nowhere does y change with its inputs
            tangent = y._plain(np.zeros_like(y._data))
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

    def read(y: Node, xs: list[Node], order: list[Node], create_graph: bool) -> list[Node]:
        rows = []
        for index in np.ndindex(y.shape):
            chosen = _RECORDED.run(operator.getitem, y, index)  # what another row hangs on is absent from this one
            rows.append(_slopes(chosen, xs, None, [*order, chosen], create_graph))
        if not rows:
            return [x._plain(np.zeros(y.shape + x.shape, x.dtype)) for x in xs]
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
        return _slopes(y, [t], None, _order(y, _Before(t._made)), True)[0]

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
        return _slopes(slope, xs, v, _order(slope, _Before(xs[0]._made)), create_graph)

    y, products = _transformed(("hvp", "Hv"), f, [x], product, (v,), create_graph)
    return y, products[0]


# ---------------------------------------------------------------------------------------------------
# Memory for time


def checkpoint(f: Callable[..., Node], *args: Any) -> Node:
    """`f(*args)`, recorded as one op: its inside is computed again in the backward pass instead of kept.

    The first run is recorded to find what `f` used besides its arguments (a layer's weights); that becomes an input of
    the op, and the record is dropped. Random numbers drawn from the package's generator are drawn again alike, and
    what `f` writes, such as the running statistics of batch norm, is written once. `f` returns one tensor and has no
    other effect.

    Raises RuntimeError in the backward pass if the second run differs from the first, in what it computes or in the
    tensors that it uses: a variable that `f` reads has changed since, such as that of a loop in which `f` was made, or `f`
    draws from a generator of its own.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> y = checkpoint(lambda t: np.exp(np.sin(t)), x).sum()
    >>> y.backward()
    >>> bool(np.allclose(x.grad, np.exp(np.sin(x.numpy())) * np.cos(x.numpy())))
    True
    """
    state = RECORDING.get()
    if not state.enabled or state.tape is not None:  # a replay keeps no record
        return f(*args)
    generator, begun, writes = random.generator(), tick(), [] if state.writes is None else state.writes
    drawn, since = generator.bit_generator.state, len(writes)
    first = recording(writes=writes).run(f, *args)
    if isinstance(first, np.ndarray | np.generic):
        return first
    if not hasattr(first, "_data"):
        raise TypeError(
            f"checkpoint() takes a function that returns one tensor, but this one returned {type(first).__name__}"
        )
    before = _Before(begun)
    if not first._requires_grad or first in before:  # nothing to keep for a backward pass
        return first
    order = topological([first], leaves=False, ends=before)
    inputs = before.inputs(order, [x for x in args if hasattr(x, "_data")])
    made, sketch, written = first._data, _sketch(order, before), writes[since:]
    used = [weakref.ref(x) for x in inputs if x._requires_grad]
    inputs = [x for x in inputs if x.op is not None or not x._requires_grad]
    del first, order  # and with them the record, and the leaves that `f` makes for itself
    inputs = list(dict.fromkeys([x for x in [there() for there in used] if x is not None] + inputs))
    again = recording(enabled=True, writes=None, differentiating=state.differentiating)

    def unfold() -> tuple[Node]:
        """`f` run again, recorded."""
        begun, kept = tick(), [_kept(x) for x in {id(x): x for x in [w() for w in written] if x is not None}.values()]
        try:
            y = random.replaying(generator, drawn, again.run, f, *args)
        finally:
            for put_back in kept:
                put_back()
        before = _Before(begun)
        order = topological([y], leaves=False, ends=before)
        now = [x for x in before.inputs(order, [x for x in args if hasattr(x, "_data")]) if x._requires_grad]
        same = len(now) == len(used) and all(w() is None or w() is x for w, x in zip(used, now, strict=True))
        if not same or not quietly(_alike, (made, sketch), (y._data, _sketch(order, before))):
            raise RuntimeError(
                f"checkpoint() ran {_name(f)} again for the backward pass, and it computed something else than the first "
                "time, or of other tensors: a variable that it reads has changed since, as that of a loop does, or it draws "
                "from a generator of its own; give what changes as an argument, checkpoint(f, x, i), or bind it when the function is made, "
                "by a default (lambda t, i=i: …) or functools.partial(f, i=i)"
            )
        return (y,)

    return fold("checkpoint", "checkpoint", unfold, inputs, [made])[0]


def _name(f: Callable[..., Any]) -> str:
    return getattr(f, "__name__", type(f).__name__)


def _kept(target: Node) -> Callable[[], None]:
    """What puts the numbers of a tensor back, with the time at which they were written."""
    array, numbers, cell = target._data, target._data.copy(), target._shared_cell()
    written = cell.written

    def put_back() -> None:
        np.copyto(array, numbers)
        target._data, target._cell, cell.written = array, cell, written

    return put_back


def _sketch(order: Sequence[Node], before: _Before) -> tuple[Any, ...]:
    """What a run did: its ops and their settings, and up to 64 of the numbers of each plain input.

    Two runs may have the same result, such as 0 for a weight that is 0, and yet other derivatives.
    """
    done = []
    for node in order:
        if node not in before:
            plain = [x._data for x in node.inputs if not x._requires_grad and not isinstance(x._data, tuple)]
            some = [a.flat[:: max(1, a.size // 64)] for a in plain]
            done.append((node.op.name, "" if node.op.folds else repr(node.settings), tuple(some)))
    return tuple(done)


def _alike(a: Any, b: Any) -> bool:
    """Whether two runs gave the same, in nested tuples; NaN is NaN.

    Numbers may differ by rounding: where several threads share a product of matrices, they may add in another order.
    """
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(_alike, a, b))
    if not isinstance(a, np.ndarray):
        return bool(a == b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind not in "fc" or not a.size:
        return np.array_equal(a, b)
    if np.array_equal(a, b, equal_nan=True):
        return True
    size = np.abs(a[np.isfinite(a)])
    off = math.sqrt(np.finfo(a.dtype).eps) * float(size.max(initial=0))
    return np.allclose(a, b, rtol=0, atol=off, equal_nan=True)


def pull(ys: Sequence[Node], xs: Sequence[Node], gs: Sequence[Any], create_graph: bool) -> list[Any]:
    """The totals that `gs` for `ys` give at `xs`. The walk ends there, whatever they themselves were computed from."""
    stops = set(xs)
    totals: dict[Node, Any] = {}
    for y, g in zip(ys, gs, strict=True):
        totals[y] = totals[y] + g if y in totals else g
    order = [node for node in topological(list(totals), leaves=False, ends=stops) if node not in stops]
    leads = _leading(order, [x for x in xs if x._requires_grad])
    graph = recording(enabled=create_graph, holds=create_graph)
    graph.run(walk, order, totals, leads=leads, create_graph=create_graph)
    return [np.zeros_like(x._data) if totals.get(x) is None else totals[x] for x in xs]

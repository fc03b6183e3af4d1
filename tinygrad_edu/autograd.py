"""Gradients, as readings of the graph.

`backward` adds the totals of one walk to the leaves' `.grad`; `grad` returns them. `value_and_grad`, `vjp`,
`jvp`, `jacobian`, `hessian` and `hvp` are functions of functions that call `grad`; `checkpoint` trades the
memory of a record for running it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.graph import (
    RECORDING,
    Node,
    detect_anomaly,
    enable_grad,
    evaluate,
    is_grad_enabled,
    limits_in,
    no_grad,
    recording,
    refuse_masked,
    topological,
    tracing,
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
    "tracing",
    "value_and_grad",
    "vjp",
]


@np.errstate(all="ignore")  # an infinite slope is an answer, not a mishap; entered once a walk
def backward(output: Node, gradient: Any = None, retain_graph: bool = True, create_graph: bool = False) -> None:
    """Add ∂output/∂leaf to the `.grad` of each leaf that `output` was computed from. See `Tensor.backward`."""
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
        with recording(enabled=keeps_graph, holds=keeps_graph):
            walk(order, totals, create_graph=True, free=not retain_graph)
            written = [(x, _tensor(x, g, held) if x._grad is None else x._grad + g) for x, g in totals.items()]
    else:
        walk(order, totals, free=not retain_graph)
        # all sums before any write, so that an exception leaves every .grad as it was
        written = [(x, x._plain(_own(g, held) if x._grad is None else x._grad._data + g)) for x, g in totals.items()]
    for x, total in written:
        if tape is not None:
            tape.slope(x)
        x._grad = total if tape is None or keeps_graph else total._alias()


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
            raise TypeError(f"grad() differentiates tensors, but got {type(y).__name__}; compute it from tensors")
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
    if tape is not None:
        tape.read(order, free=False)
    held = {id(getattr(g, "_data", g)) for g in totals.values()}
    leads = set(xs)
    for node in order:
        if node.op is not None and not leads.isdisjoint(node.inputs):
            leads.add(node)
    with np.errstate(all="ignore"), recording(enabled=keeps_graph, holds=keeps_graph):
        walk(order, totals, leads=leads, keep=set(xs), create_graph=create_graph)
        results: list[Any] = []
        for x in xs:
            total = totals.get(x)
            if total is None:
                if not allow_unused:
                    raise RuntimeError(
                        f"grad() found no path from the outputs to {x._describe()}; pass allow_unused=True to get None for it"
                    )
                results.append(None)
            else:
                result = _tensor(x, total, held) if create_graph else x._plain(_own(total, held))
                results.append(result if tape is None or keeps_graph else result._alias())
    return results[0] if single else tuple(results)


def along(y: Node, node: Node, direction: Sequence[Any], orders: int) -> Any:
    """How `y` changes as the results of `node` move along `direction`, while what `node` was computed from stays.

    Recorded, and of the shape of `y`. A result that stays has None in `direction`; limits on the way are right for
    `orders` derivatives. So a gradient rule of `node` differentiates the gradient that comes in. It goes back twice, as
    `jvp` does, and runs no hooks.
    """
    u = leaf_to_differentiate(np.zeros_like(y._data))
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
    order, leads = topological(list(totals), leaves=False, ends={end}), {x}
    for node in order:
        if not leads.isdisjoint(node.inputs):
            leads.add(node)
    order = [node for node in order if node in leads and node is not x]
    limits = limits_in(order, orders, end)
    with recording(limits=limits, anomaly=False):
        walk(order, totals, leads=leads, create_graph=True, limits=limits, hooks=False)
    return totals.get(x)


# ---------------------------------------------------------------------------------------------------
# Transformations of functions. They nest: inside a function that one of them differentiates, the others record.


leaf_to_differentiate: Any = None
"""How to make a leaf that requires a gradient out of any value; `tensor.py` says how."""


def _inputs(inputs: Any) -> tuple[list[Any], bool]:
    return (list(inputs), False) if isinstance(inputs, tuple | list) else ([inputs], True)


def _refuse_several(x: Any, what: str) -> None:
    if isinstance(x, tuple | list):
        raise TypeError(
            f"{what}() takes one input, but got a {type(x).__name__}, which stands for several in jacobian() and vjp(); "
            "write np.array([...]), or join tensors into one by np.concatenate"
        )


def _fresh(args: Sequence[Any], create_graph: bool) -> list[Node]:
    """The arguments as tensors of their own: leaves, or with `create_graph` recorded copies of what is in a graph."""
    return [
        np.copy(x) if create_graph and getattr(x, "_requires_grad", False) else leaf_to_differentiate(x) for x in args
    ]


def _call(f: Callable[..., Node], *args: Any, **kwargs: Any) -> Node:
    """`f` of the arguments, recorded so that it can be differentiated."""
    with recording(enabled=True, differentiating=True):
        y = f(*args, **kwargs)
    if not hasattr(y, "_data"):
        raise TypeError(f"a function to be differentiated returns one tensor, but this one returned {type(y).__name__}")
    return y


def _grads_or_zeros(y: Node, xs: Sequence[Node], v: Any, create_graph: bool) -> tuple[Node, ...]:
    """The gradients of `y` by `xs`, along `v`; zeros where `y` does not depend on them."""
    if v is None and y.size != 1:
        raise RuntimeError(_not_one_number(y, "the derivative"))
    found: Sequence[Any] = [None] * len(xs)
    if y._requires_grad:
        found = grad(y, list(xs), v, create_graph=create_graph, allow_unused=True)
    return tuple([x._plain(np.zeros_like(x._data)) if g is None else g for g, x in zip(found, xs, strict=True)])


def value_and_grad(f: Callable[..., Node], argnums: int | Sequence[int] = 0) -> Callable[..., tuple[Node, Any]]:
    """The function that returns `f(*args)` and its gradient by the arguments `argnums`.

    The arguments may be tensors, arrays or numbers; `f` returns a single number. An argument that it does not
    depend on has the gradient 0.

    >>> value, slope = value_and_grad(lambda x: x * x)(3.0)
    >>> value.item(), slope.item()
    (9.0, 6.0)
    """
    positions = (argnums,) if isinstance(argnums, int) else argnums
    if not isinstance(positions, list | tuple) or not all(isinstance(i, int) for i in positions):
        raise TypeError(f"value_and_grad(argnums=) takes the position of an argument, or a tuple, but got {argnums!r}")

    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Node, Any]:
        if not all(-len(args) <= i < len(args) for i in positions):
            raise TypeError(f"value_and_grad(argnums={argnums}) got {len(args)} arguments, which have no such position")
        nested = RECORDING.get().differentiating
        xs, given = _fresh([args[i] for i in positions], nested), list(args)
        for i, x in zip(positions, xs, strict=True):
            given[i] = x
        y = _call(f, *given, **kwargs)
        gradients = _grads_or_zeros(y, xs, None, nested)
        return (y if nested else y.detach()), gradients[0] if isinstance(argnums, int) else gradients

    return value_and_gradient


def vjp(f: Callable[..., Node], inputs: Any, v: Any = None, create_graph: bool = False) -> tuple[Node, Any]:
    """`f(*inputs)` and the vector–Jacobian product vᵀ·J: one walk back, however many inputs.

    `v` has the shape of the output; it may be left out for a single number.

    >>> y, g = vjp(lambda x: x * x, np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    >>> g.tolist()
    [2.0, 40.0]
    """
    args, single = _inputs(inputs)
    create_graph |= RECORDING.get().differentiating
    xs = _fresh(args, create_graph)
    y = _call(f, *xs)
    gradients = _grads_or_zeros(y, xs, v, create_graph)
    return (y if create_graph else y.detach()), gradients[0] if single else gradients


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
    create_graph |= RECORDING.get().differentiating
    xs = _fresh(args, create_graph)
    if len(vs) != len(xs) or any(np.shape(vi) != x.shape for vi, x in zip(vs, xs, strict=False)):
        raise ValueError(
            f"jvp() needs a v of the inputs' shapes {[x.shape for x in xs]}, but got {[np.shape(vi) for vi in vs]}"
        )
    y = _call(f, *xs)
    tangent = None
    if y._requires_grad:
        u = leaf_to_differentiate(np.zeros_like(y._data))
        pulled = grad(y, xs, u, create_graph=True, allow_unused=True)
        pairs = [(g, vi) for g, vi in zip(pulled, vs, strict=True) if g is not None and g._requires_grad]
        if pairs:
            tangent = grad([g for g, _ in pairs], u, [vi for _, vi in pairs], create_graph, allow_unused=True)
    if tangent is None:  # nowhere does y change with its inputs
        tangent = y._plain(np.zeros_like(y._data))
    return (y if create_graph else y.detach()), tangent


def jacobian(f: Callable[..., Node], inputs: Any, create_graph: bool = False) -> Any:
    """The Jacobian J[i, j] = ∂yᵢ/∂xⱼ, of shape `y.shape + x.shape`: one walk back for each element of y.

    A tensor for a single input, a tuple for a sequence of inputs.

    >>> jacobian(lambda x: x * x, np.array([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    args, single = _inputs(inputs)
    create_graph |= RECORDING.get().differentiating
    xs = _fresh(args, create_graph)
    y = _call(f, *xs)
    rows = []
    for index in np.ndindex(y.shape):
        with enable_grad():
            chosen = y[index]  # a selection: what another row hangs on is absent from this one
        rows.append(_grads_or_zeros(chosen, xs, None, create_graph))
    with recording(enabled=create_graph):
        columns = [
            np.reshape(np.stack(column), y.shape + x.shape) if rows else x._plain(np.zeros(y.shape + x.shape, x.dtype))
            for x, column in zip(xs, zip(*rows, strict=True) if rows else [()] * len(xs), strict=True)
        ]
    return columns[0] if single else tuple(columns)


def hessian(f: Callable[..., Node], x: Any, create_graph: bool = False) -> Node:
    """The Hessian H[i, j] = ∂²y/∂xᵢ∂xⱼ of a single number, of shape `x.shape + x.shape`.

    >>> hessian(lambda x: (x ** 3).sum(), np.array([1.0, 2.0])).tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    _refuse_several(x, "hessian")
    return jacobian(lambda t: _grads_or_zeros(_call(f, t), [t], None, True)[0], x, create_graph)


def hvp(f: Callable[..., Node], x: Any, v: Any, create_graph: bool = False) -> tuple[Node, Node]:
    """`f(x)` and the Hessian–vector product H·v, without forming H: the gradient of ⟨∇f, v⟩.

    >>> y, Hv = hvp(lambda x: (x ** 3).sum(), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    >>> Hv.tolist()
    [6.0, 12.0]
    """
    _refuse_several(x, "hvp")
    create_graph |= RECORDING.get().differentiating
    (t,) = _fresh([x], create_graph)
    y = _call(f, t)
    slope = _grads_or_zeros(y, [t], None, True)[0]
    return (y if create_graph else y.detach()), _grads_or_zeros(slope, [t], v, create_graph)[0]


# ---------------------------------------------------------------------------------------------------
# Memory for time


def checkpoint(f: Callable[..., Node], *args: Any) -> Node:
    """`f(*args)`, recorded as one op: its inside is computed again in the backward pass instead of kept.

    The first run is recorded to find the leaves that `f` used besides its arguments (a layer's weights);
    they become inputs of the op, and the record is dropped. Random numbers drawn from the package's
    generator are drawn again alike. `f` returns one tensor and has no other effect.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> y = checkpoint(lambda t: np.exp(np.sin(t)), x).sum()
    >>> y.backward()
    >>> bool(np.allclose(x.grad, np.exp(np.sin(x.numpy())) * np.cos(x.numpy())))
    True
    """
    if not is_grad_enabled() or RECORDING.get().tape is not None:  # a replay keeps no record
        return f(*args)
    drawn = random.get_state()
    tensors = [x for x in args if hasattr(x, "_data")]

    def run(leaves: Sequence[Node]) -> Node:
        """`f`, with `leaves` in place of its tensor arguments."""
        given = iter(leaves)
        return f(*[next(given) if hasattr(x, "_data") else x for x in args])

    def stand_ins() -> list[Node]:
        return [x._alias(requires_grad=x._requires_grad) for x in tensors]

    leaves = stand_ins()
    first = run(leaves)
    if isinstance(first, np.ndarray | np.generic):
        return first
    if not hasattr(first, "_data"):
        raise TypeError(
            f"checkpoint() takes a function that returns one tensor, but this one returned {type(first).__name__}"
        )
    if first.op is None or not first._requires_grad:  # nothing to keep for a backward pass
        with random.replaying(drawn):
            return run(tensors)
    captured = [node for node in topological([first]) if node.op is None and all(node is not x for x in leaves)]
    results = [first._data]
    del first, leaves  # and with them the record

    def forward(*arrays: Any) -> Any:
        if results:
            return results.pop()
        leaves = stand_ins()
        with random.replaying(drawn), tracing():
            y = run(leaves)
        used = set(topological([y], through_constants=True))
        return evaluate(y, {x: a for x, a in zip((*leaves, *captured), arrays, strict=True) if x in used})

    def rules(g: Any, y: Any, *values: Any) -> list[Any]:
        recorded = any(hasattr(x, "_data") for x in values)
        xs = [*([np.copy(x) for x in values[: len(tensors)]] if recorded else stand_ins()), *captured]
        with random.replaying(drawn), enable_grad():
            y = run(xs[: len(tensors)])
        return _pull(y, xs, g, recorded)

    said = "∂L/∂xᵢ = (∂checkpoint/∂xᵢ)ᵀ @ ∂L/∂y"
    op = joint_op(forward, rules, name="checkpoint", bind=lambda *inputs: (inputs, {}), formulas=[said])
    return op.apply((*tensors, *captured))


joint_op: Any = None
"""How to make an op whose gradients are computed together; `op.py` says how."""


def _pull(y: Node, xs: Sequence[Node], g: Any, create_graph: bool) -> list[Any]:
    """The totals that `g` for `y` gives at `xs`. The walk ends there, whatever they themselves were computed from."""
    totals = {y: g}
    stops = set(xs)
    order = [node for node in topological([y], leaves=False) if node not in stops]
    with recording(enabled=create_graph, holds=create_graph):
        walk(order, totals, create_graph=create_graph)
    return [np.zeros_like(x._data) if totals.get(x) is None else totals[x] for x in xs]

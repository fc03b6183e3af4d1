"""Gradients, as readings of the graph: `backward` adds the totals of one walk to the leaves' `.grad`, `grad` returns them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from tinygrad_edu.engine.differentiate import Visit, differentiate
from tinygrad_edu.engine.graph import FREEING, PLAIN, Way, topological
from tinygrad_edu.engine.node import Node, array_of
from tinygrad_edu.engine.recording import RECORDING, quietly, recording, watched
from tinygrad_edu.engine.refusals import refuse_masked, users_own

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor


def backward(output: Node, gradient: Any = None, retain_graph: bool = True, create_graph: bool = False) -> None:
    """Add ∂output/∂leaf to the `.grad` of each leaf that `output` was computed from. See `Tensor.backward`."""
    try:
        quietly(go_back, output, gradient, retain_graph, create_graph)  # an infinite slope is an answer, not a mishap
    except Exception as error:
        error.__traceback__ = users_own(error)
        raise


@watched
def go_back(output: Node, gradient: Any, retain_graph: bool, create_graph: bool) -> None:
    """Do what `backward` says, in a context that ends with this call."""
    g = cotangent(output, gradient, create_graph, "backward()")
    totals = {output: g}
    order = topological((output,), leaves=False)
    if create_graph:
        graph = recording(enabled=True, holds=True)
        written = graph.run(recorded_totals, order, totals, {id(g.ndarray)}, not retain_graph)
    else:
        held = {id(g)}
        differentiate(order, totals, PLAIN if retain_graph else FREEING)
        # all sums before any write, so that an exception leaves every .grad as it was
        written = [
            (x, x.constant(_own(g, held) if x.held_grad is None else x.held_grad.ndarray + g))
            for x, g in totals.items()
        ]
    for x, total in written:
        x.held_grad = total


def recorded_totals(
    order: list[Node], totals: dict[Node, Any], held: set[int], free: bool, visit: Visit | None = None
) -> list[tuple[Node, Any]]:
    """Pairs of a leaf and its new gradient. The walk and the sums are recorded, so that they can be differentiated.

    held: as for `_own`. free: whether nodes let go of their inputs as they are read. visit: is shown each contribution.
    """
    differentiate(order, totals, Way(visit, create_graph=True, free=free))
    return [(x, _tensor(x, g, held) if x.held_grad is None else x.held_grad + g) for x, g in totals.items()]


def _own(g: Any, held: set[int]) -> Any:
    """The array `g`, copied if another `.grad`, or the gradient that the user passed, may lie in its memory.

    held: the `id()` of each array that is given away already; `g`, or its copy, is added.
    """
    if g.__class__ is not np.ndarray or g.base is not None or id(g) in held:
        g = g.copy()
    held.add(id(g))
    return g


def _tensor(x: Node, g: Any, held: set[int]) -> Node:
    """What a recorded walk found for `x`, as a tensor to give to the user.

    A recorded tensor is given as it is, for it cannot be written; a leaf may be written, so it gets memory of its own.
    """
    if isinstance(g, Node) and g.op is not None:
        return g
    if isinstance(g, Node) and g.needs_grad:
        return g.clone()
    return x.constant(_own(array_of(g), held))


def cotangent(output: Node, gradient: Any, create_graph: bool, what: str) -> Any:
    """∂L/∂output, from which a walk starts: the `gradient` that was passed, or 1 for a single number.

    create_graph: whether it is to be a tensor. what: the function that the user called, for errors.

    Raises RuntimeError for an output that depends on nothing to differentiate by, or of several numbers without a gradient,
    TypeError or ValueError for a gradient that does not fit.
    """
    if not output.needs_grad:
        raise RuntimeError(_nothing_to_differentiate(output, what))
    data = output.ndarray
    if gradient is None:
        if data.size != 1:
            raise RuntimeError(not_one_number(output, what))
        g = data.copy()
        g.fill(1)
    else:
        is_tensor = isinstance(gradient, Node)
        refuse_masked(gradient)
        g = gradient if is_tensor and create_graph else gradient.ndarray if is_tensor else np.asarray(gradient)
        if g.dtype.kind not in "biuf":
            raise TypeError(
                f"the gradient passed to {what} holds {g.dtype}, but {output.describe()} holds {data.dtype}; pass real numbers"
            )
        if g.shape != data.shape:
            raise ValueError(f"the gradient passed to {what} has shape {g.shape}, but {output.has_shape()}")
        if g.dtype != data.dtype:
            g = np.astype(g, data.dtype)
    return g if not create_graph or isinstance(g, Node) else output.constant(g)


def _listed(tensors: Any) -> list[Any]:
    single = isinstance(tensors, Node | np.ndarray) or not np.iterable(tensors)
    return [tensors] if single else list(tensors)


def not_one_number(output: Node, what: str) -> str:
    """What an error says where `what` is to start from several numbers."""
    return (
        f"{what} starts from a single number, but {output.has_shape()}; "
        "write .mean() or .sum() first, or pass a gradient of that shape"
    )


def _nothing_to_differentiate(output: Node, what: str) -> str:
    made_by = output.op if output.attached is None or output.attached.origin is None else output.attached.origin.op
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
    return f"{what} got {output.describe()}, which does not depend on a tensor that requires a gradient: {cure}"


@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor,
    grad_outputs: ArrayLike | None = None,
    create_graph: bool = False,
    allow_unused: Literal[False] = False,
) -> Tensor: ...
@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Sequence[Tensor],
    grad_outputs: ArrayLike | None = None,
    create_graph: bool = False,
    allow_unused: Literal[False] = False,
) -> tuple[Tensor, ...]: ...
@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: ArrayLike | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> Any: ...
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> Any:
    """The gradient of `outputs` by each of `inputs`, without touching any `.grad`.

    outputs: a tensor, or a list of several, whose gradients are added up.
    inputs: leaves or results in between: a tensor, or a list of several.
    grad_outputs: the gradient that each output begins with, of its shape; None is 1, for a single number.
    create_graph: whether the gradients are recorded, so that they can be differentiated again.
    allow_unused: whether the gradient is None, not an error, where no path leads to an input.

    Returns a tensor for a single input, a tuple for a list; each has exactly the shape and dtype of its input.

    Raises RuntimeError if an input was not used, or an output is a constant, as the second derivative of x² is.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor(2.0, requires_grad=True)
    >>> dy = tg.grad(x ** 3, x, create_graph=True)
    >>> dy.item(), tg.grad(dy, x).item()
    (12.0, 12.0)
    """
    single = isinstance(inputs, Node)
    begun, xs = _begun(outputs, grad_outputs), _listed(inputs)
    for x in xs:
        if not isinstance(x, Node):
            raise TypeError(
                f"grad() differentiates by tensors, but got {type(x).__name__}; wrap it in Tensor(..., requires_grad=True)"
            )
        if not x.needs_grad:
            raise RuntimeError(
                f"grad() was asked for the gradient by {x.describe()}, which does not require one; write requires_grad=True"
            )
    if allow_unused:  # a constant output has no gradient by anything: None is returned
        begun = [(y, g) for y, g in begun if y.needs_grad or y.op is not None]
    results = gradients(begun, xs, create_graph)
    for i, x in enumerate(xs):
        if results[i] is None and not allow_unused:
            raise RuntimeError(
                f"grad() found no path from the outputs to {x.describe()}; pass allow_unused=True to get None for it"
            )
    return results[0] if single else tuple(results)


def _begun(outputs: Any, grad_outputs: Any) -> list[tuple[Node, Any]]:
    """The outputs of `grad`, each with the gradient that it begins with, None for 1. Raises ValueError if there are more of
    one than of the other, TypeError for an output that is no tensor."""
    ys = _listed(outputs)
    gs: list[Any]
    if grad_outputs is None:
        gs = [None] * len(ys)
    elif isinstance(outputs, Node):
        wrapped = isinstance(grad_outputs, list | tuple) and len(grad_outputs) == 1
        gs = list(grad_outputs) if wrapped and np.shape(grad_outputs[0]) == ys[0].shape else [grad_outputs]
    else:
        gs = list(grad_outputs)
    if len(gs) != len(ys):
        raise ValueError(f"grad() got {len(ys)} outputs and {len(gs)} grad_outputs; give one for each output")
    for y in ys:
        if not isinstance(y, Node):
            cure = "compute it from tensors"
            if callable(y):
                cure = "write grad(f(x), x), or value_and_grad(f)(x) for its value too"
            raise TypeError(f"grad() differentiates tensors, but got {type(y).__name__}; {cure}")
    return list(zip(ys, gs, strict=True))


@watched
def gradients(
    begun: Sequence[tuple[Node, Any]], xs: Sequence[Node], create_graph: bool, order: list[Node] | None = None
) -> list[Any]:
    """The totals that a walk back gives at `xs`, each a tensor in memory of its own, or None where no path leads.

    begun: outputs, and for each the gradient that it begins with, or None for 1. order: the record of the outputs, if it
    is known; it is consumed.
    """
    totals = cotangents(begun, create_graph)
    if order is None:
        order = topological(list(totals), leaves=False)
    return quietly(_totals_of, order, totals, xs, create_graph)


def cotangents(begun: Sequence[tuple[Node, Any]], create_graph: bool) -> dict[Node, Any]:
    """The totals that a walk back begins with: of an output that is there twice, the sum."""
    totals: dict[Node, Any] = {}
    for y, gradient in begun:
        g = cotangent(y, gradient, create_graph, "grad()")
        totals[y] = totals[y] + g if y in totals else g
    return totals


def _totals_of(order: list[Node], totals: dict[Node, Any], xs: Sequence[Node], create_graph: bool) -> list[Any]:
    state = RECORDING.get()
    if state.enabled is not create_graph or state.holds is not create_graph:
        RECORDING.set(state.but({"enabled": create_graph, "holds": create_graph}))
    return totals_at(order, totals, xs, create_graph)


def totals_at(
    order: list[Node], totals: dict[Node, Any], xs: Sequence[Node], create_graph: bool, visit: Visit | None = None
) -> list[Any]:
    """Walk `order` back from `totals`: what comes to each of `xs`, as a tensor, or None. visit: is shown each contribution."""
    held = {id(array_of(g)) for g in totals.values()}
    differentiate(order, totals, Way(visit, leading(order, xs), keep=set(xs), create_graph=create_graph))
    own = _tensor if create_graph else _plain
    return [None if g is None else own(x, g, held) for x, g in [(x, totals.get(x)) for x in xs]]


def _plain(x: Node, g: Any, held: set[int]) -> Node:
    """What a walk on arrays found for `x`, as a tensor."""
    return x.constant(_own(g, held))


def leading(order: list[Node], xs: Sequence[Node]) -> set[Node]:
    """`xs`, and the nodes of `order` that were computed from them."""
    leads = set(xs)
    for node in order:
        if node.op is not None and not leads.isdisjoint(node.inputs):
            leads.add(node)
    return leads


def pull(ys: Sequence[Node], xs: Sequence[Node], gs: Sequence[Any], create_graph: bool) -> list[Any]:
    """The gradients at `xs`, where those at `ys` are `gs`: zeros for an x that no y depends on.

    The walk does not go beyond `xs`. create_graph: whether it is recorded.
    """
    stops = set(xs)
    totals: dict[Node, Any] = {}
    for y, g in zip(ys, gs, strict=True):
        totals[y] = totals[y] + g if y in totals else g
    order = [node for node in topological(list(totals), leaves=False, ends=stops) if node not in stops]
    leads = leading(order, [x for x in xs if x.needs_grad])
    graph = recording(enabled=create_graph, holds=create_graph)
    graph.run(differentiate, order, totals, Way(leads=leads, create_graph=create_graph))
    return [np.zeros_like(x.ndarray) if totals.get(x) is None else totals[x] for x in xs]

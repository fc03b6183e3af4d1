"""Turns functions of tensors into functions of arrays, with floating outputs in a row, gradients and names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.graph import topological
from tinygrad_edu.engine.recording import enable_grad, is_grad_enabled
from tinygrad_edu.engine.tensor import Tensor


def differentiated(x: Any) -> bool:
    """Whether a function is differentiated by this argument."""
    if isinstance(x, Tensor):
        return x.requires_grad
    return isinstance(x, float) or (hasattr(x, "dtype") and x.dtype.kind == "f")


def outputs_of(result: Any, what: str) -> list[Any]:
    """The floating tensors among what a function returned."""
    results = result if isinstance(result, list | tuple) else [result]
    for y in results:
        if not isinstance(y, Tensor):
            raise TypeError(
                f"{what} returned {type(y).__name__} where a Tensor was expected; "
                "its gradient can be checked only if it computes with tensors (np.exp, not math.exp; no .numpy() on the way)"
            )
    floating = [y for y in results if y.dtype.kind in "fc"]
    if not floating:
        raise TypeError(f"{what} returned no floating tensor, so it has no gradient to check")
    coarse = [y.dtype for y in floating if y.dtype.itemsize < 8]
    if coarse:
        raise TypeError(f"{what} computes in {coarse[0]} what came in as float64, too coarse for difference quotients")
    return floating


def flattened(arrays: Sequence[Any]) -> Any:
    """Put the numbers of several arrays into one row."""
    return np.concatenate([np.ravel(a) for a in arrays])


def leaf_of(x: Any) -> Tensor:
    """Make a tensor of these numbers, which requires no gradient."""
    return Tensor(np.asarray(x))


def elements_of(shape: tuple[int, ...]) -> list[Any]:
    """The directions of the elements: arrays of 0 with one 1."""
    size = int(np.prod(shape))
    return list(np.eye(size).reshape(size, *shape))


def gradients_of(ys: Sequence[Any], xs: Sequence[Any], vs: Sequence[Any], create_graph: bool = False) -> list[Any]:
    """The gradients of ⟨v, y⟩ by each x: zeros where nothing connects them."""
    pairs = [(y, v) for y, v in zip(ys, vs, strict=True) if y.needs_grad]
    found: Sequence[Any] = [None] * len(xs)
    if pairs:
        found = grad([y for y, _ in pairs], list(xs), [v for _, v in pairs], create_graph, allow_unused=True)
    return [leaf_of(np.zeros(x.shape, x.dtype)) if g is None else g for x, g in zip(xs, found, strict=True)]


def gradient_of(f: Callable[..., Any], n: int) -> Callable[..., Any]:
    """Make the gradient of `f` by its n arguments a function of them and of the incoming gradients."""

    def slopes(*args: Any) -> tuple[Any, ...]:
        recorded = is_grad_enabled()
        xs = list(args[:n])
        if not recorded:
            xs = [Tensor(x.ndarray, requires_grad=True) for x in xs]
        with enable_grad():
            ys = outputs_of(f(*xs), "the function")
        return tuple(gradients_of(ys, xs, args[n:], create_graph=recorded))

    return slopes


def name_of(f: Any) -> str:
    """What errors call a function: its own name."""
    name = getattr(f, "name", None) or getattr(f, "__name__", None) or type(f).__name__
    return "the function" if name == "<lambda>" else str(name)


def takes_for_symmetric(ys: Sequence[Tensor]) -> str | None:
    """The name of an op in the record that takes its input for symmetric, or None."""
    return next((node.op.name for node in topological(list(ys)) if node.op is not None and node.op.symmetric), None)


def symmetrized(xs: Sequence[Any]) -> Sequence[Any]:
    """(x + xᵀ)/2 for each x, in which xᵢⱼ and xⱼᵢ change together."""
    return [(x + x.mT) / 2 for x in xs]


def argument_names(f: Any, args: Sequence[Any]) -> list[str]:
    """What errors call each argument: the tensor's own name, or the parameter's."""
    try:
        parameters = list(inspect.signature(getattr(f, "forward", f)).parameters.values())
    except ValueError:  # a built-in that does not say
        parameters = []
    plain = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [
        (x.name if isinstance(x, Tensor) and x.name else None) or (plain[i] if i < len(plain) else f"argument {i}")
        for i, x in enumerate(args)
    ]


def cotangent_names(count: int, order: int) -> list[str]:
    """What errors call the incoming gradients."""
    which = "the incoming gradient" + (f" of order {order}" if order > 1 else "")
    return [which] if count == 1 else [f"{which} ({i})" for i in range(count)]

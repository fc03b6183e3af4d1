"""Clipping: gradients that are too large are made smaller, in place, before the optimizer's step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy

from tinygrad_edu.engine.recording import no_grad, quietly
from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """g ← g·min(1, max_norm / (‖g‖ + 10⁻⁶)), in place, where ‖g‖ is the norm of all gradients together, as one vector.

    It returns ‖g‖ as it was before.

    parameters: a tensor or several; those without a gradient are left out.
    max_norm: the largest norm that is left as it is, 0 or more.
    norm_type: the order of the norm; np.inf for the largest number.
    error_if_nonfinite: whether to raise RuntimeError, and to change nothing, where the norm is ∞ or NaN. A replayed
        step cannot have it, because it looks at a number.

    Raises ValueError for a max_norm below 0, or NaN, and for an order that is not positive.

    Source: Pascanu, Mikolov and Bengio, *On the difficulty of training recurrent neural networks* (2013).

    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> w.grad = [30.0, 40.0]
    >>> clip_grad_norm_([w], 5.0).item(), w.grad.numpy().round(4).tolist()
    (50.0, [3.0, 4.0])
    """
    tensors = learnt("clip_grad_norm_", parameters)
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_() takes a limit of 0 or more, but got max_norm={max_norm}")
    if not norm_type > 0:
        raise ValueError(f"clip_grad_norm_() takes a norm of a positive order, but got norm_type={norm_type}")
    clipped: Tensor = quietly(no_grad().run, _clip_norm, tensors, max_norm, norm_type, error_if_nonfinite)
    return clipped


def _clip_norm(tensors: list[Tensor], max_norm: float, norm_type: float, error_if_nonfinite: bool) -> Tensor:
    gradients = [(p, p.grad) for p in tensors]
    norms = [np.linalg.norm(np.ravel(g), ord=norm_type) for _, g in gradients if g is not None]
    if not norms:
        return Tensor(0.0)
    total: Tensor = np.linalg.norm(np.stack(norms), ord=norm_type)
    if error_if_nonfinite and not np.isfinite(total.numpy()):
        raise RuntimeError(
            f"the norm of all gradients is {total.item()}, so they cannot be scaled to a length; detect_anomaly() finds what "
            "made it, and error_if_nonfinite=False lets it pass"
        )
    factor = np.minimum(max_norm / (total + 1e-6), 1.0)
    for p, g in gradients:
        if g is not None:
            g *= np.astype(factor, g.dtype, copy=False)
            p.grad = g
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Cut every number of every gradient to between −clip_value and clip_value, in place.

    parameters: a tensor or several; those without a gradient are left out.
    clip_value: the largest absolute value that is left as it is, 0 or more.

    Raises ValueError for a clip_value below 0, or NaN.

    >>> w = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> w.grad = [-7.0, 0.5, 2.0]
    >>> clip_grad_value_([w], 1.0)
    >>> w.grad.tolist()
    [-1.0, 0.5, 1.0]
    """
    tensors = learnt("clip_grad_value_", parameters)
    if not clip_value >= 0:
        raise ValueError(f"clip_grad_value_() takes a limit of 0 or more, but got clip_value={clip_value}")

    def clip() -> None:
        for p in tensors:
            g = p.grad
            if g is not None:
                g[...] = np.clip(g, -clip_value, clip_value)

    no_grad().run(clip)


def learnt(what: str, parameters: Any) -> list[Tensor]:
    """The tensors that were given, each once. Raises TypeError for anything else, with what to write."""
    if isinstance(parameters, Tensor):
        return [parameters]
    if callable(getattr(parameters, "parameters", None)):
        raise TypeError(f"{what}() takes parameters, but got a {type(parameters).__name__}: write model.parameters()")
    tensors = list(parameters)
    for p in tensors:
        if not isinstance(p, Tensor):
            raise TypeError(f"{what}() takes tensors, but got {type(p).__name__} {p!r:.60}")
    return list(dict.fromkeys(tensors))

"""Penalties: what is added to a loss so that weights, or what layers give, stay small."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A


def l1_penalty(parameters: A | Iterable[A]) -> A:
    """R = Σ |w| over all numbers of the parameters, or of one tensor: it draws numbers to 0, and leaves them there.

    parameters: tensors, such as `model.parameters()`; only the weights are
    `[p for name, p in model.named_parameters() if name.endswith("weight")]`. It is scaled where it is added:
    `loss + 1e-4 * F.l1_penalty(weights)`.

    Source: Tibshirani, *Regression shrinkage and selection via the lasso* (1996).

    >>> float(l1_penalty([np.array([1.0, -2.0]), np.array([[-3.0]])]))
    6.0
    """
    return _total("l1_penalty", parameters, lambda w: np.sum(np.absolute(w)))


def l2_penalty(parameters: A | Iterable[A]) -> A:
    """R = ½ Σ w² over all numbers of the parameters, or of one tensor: its gradient is w, so all shrink in proportion.

    λ·R in the loss does what `weight_decay=λ` does in `optim.SGD`. See `l1_penalty` for what to give it.

    Source: Hoerl and Kennard, *Ridge regression* (1970).

    >>> float(l2_penalty([np.array([1.0, -2.0]), np.array([[-3.0]])]))
    7.0
    """
    return _total("l2_penalty", parameters, lambda w: np.sum(np.square(w)) / 2)


def _total(what: str, parameters: Any, of_one: Callable[[Any], Any]) -> Any:
    """The sum of what each parameter pays."""
    if callable(getattr(parameters, "parameters", None)):
        raise TypeError(f"{what}() takes tensors, but got a {type(parameters).__name__}: write model.parameters()")
    if hasattr(parameters, "shape"):
        return of_one(parameters)
    if not isinstance(parameters, Iterable):
        raise TypeError(f"{what}() takes a tensor or several, but got {type(parameters).__name__} {parameters!r:.60}")
    parts = [of_one(array(w)) for w in parameters]
    if not parts:
        raise ValueError(f"{what}() got no parameters; what model.parameters() gives can be read once: call it again")
    return sum(parts[1:], start=parts[0])

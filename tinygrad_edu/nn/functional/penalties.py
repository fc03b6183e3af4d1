"""Penalties: sums that are added to a loss so that weights, or the outputs of layers, stay small."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A


def l1_penalty(parameters: A | Iterable[A]) -> A:
    """R = Σ |w| over all numbers of the parameters: it pulls each number to 0 with the same force, and many then stay
    there.

    parameters: a tensor, or several, such as `model.parameters()`. For the weights alone, without biases, write
    `[p for name, p in model.named_parameters() if name.endswith("weight")]`.

    How strong it is, is said where it is added: `loss + 1e-4 * F.l1_penalty(weights)`.

    Raises TypeError for a model, ValueError for no parameters.

    Source: Tibshirani, *Regression shrinkage and selection via the lasso* (1996).

    >>> float(l1_penalty([np.array([1.0, -2.0]), np.array([[-3.0]])]))
    6.0
    """
    return _total("l1_penalty", parameters, lambda w: np.sum(np.absolute(w)))


def l2_penalty(parameters: A | Iterable[A]) -> A:
    """R = ½ Σ w² over all numbers of the parameters: its gradient is w, so all numbers shrink in proportion.

    parameters: a tensor, or several, as for `l1_penalty`.

    λ·R in the loss has the same effect as `weight_decay=λ` in `optim.SGD`.

    Raises TypeError for a model, ValueError for no parameters.

    Source: Hoerl and Kennard, *Ridge regression* (1970).

    >>> float(l2_penalty([np.array([1.0, -2.0]), np.array([[-3.0]])]))
    7.0
    """
    return _total("l2_penalty", parameters, lambda w: np.sum(np.square(w)) / 2)


def _total(what: str, parameters: Any, of_one: Callable[[Any], Any]) -> Any:
    """Add up the penalties of the parameters, each of which is `of_one(w)`."""
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

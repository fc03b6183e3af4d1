"""Adadelta: steps that have the unit of the weights, so that no learning rate has to be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar
from typing import Any

import numpy as np

from tinygrad_edu.optim.blocks import NOWHERE, Values
from tinygrad_edu.optim.groups import State
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.settings import Fraction, NotNegative


class Adadelta(Optimizer):
    """w ← w − η·δ, δ = √(d + ε) / √(s + ε) · g, with the running means s of g² and d of δ²:

    s ← ρ·s + (1 − ρ)·g²;  d ← ρ·d + (1 − ρ)·δ².

    The quotient has the unit of w over that of g, so that δ has the unit of w; hence η = 1.

    params: the tensors to learn, or groups of them with settings of their own; see `Optimizer`.
    lr: η, the learning rate.
    rho: ρ, the share of the means that is kept.
    eps: ε, from which the first steps come: d is 0 before them.
    weight_decay: λ; λ·w is added to the gradient, which pulls every weight towards 0.
    maximize: whether to go up the gradient instead of down.

    Source: Zeiler, *Adadelta: an adaptive learning rate method* (2012), algorithm 1.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([3.0], requires_grad=True)
    >>> optimizer = Adadelta([w], rho=0.0, eps=0.25)
    >>> w.sum().backward()
    >>> optimizer.step()  # δ = √0.25 / √1.25
    >>> w.numpy().round(4).tolist()
    [2.5528]
    """

    __slots__ = ()

    lr: InitVar[NotNegative] = 1.0
    rho: InitVar[Fraction] = 0.9
    eps: InitVar[NotNegative] = 1e-6
    weight_decay: InitVar[NotNegative] = 0.0

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """The running means of g² and of δ², both 0 at first."""
        return {"square": 0.0, "moved": 0.0}

    @staticmethod
    def update(
        param: Values,
        grad: Values,
        state: State,
        out: Mapping[str, Any] = NOWHERE,
        *,
        lr: float,
        rho: float,
        eps: float,
        weight_decay: float,
    ) -> tuple[Any, State]:
        """Make one step: return the new parameter and the new state."""
        if weight_decay:
            grad = grad + weight_decay * param
        square = np.add(rho * state["square"], (1 - rho) * np.square(grad), out=out.get("square"))
        move = np.sqrt(state["moved"] + eps) / np.sqrt(square + eps) * grad
        moved = np.add(rho * state["moved"], (1 - rho) * np.square(move), out=out.get("moved"))
        return np.subtract(param, lr * move, out=out.get("param")), {"square": square, "moved": moved}

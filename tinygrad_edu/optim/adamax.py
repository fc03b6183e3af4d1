"""Adamax: Adam that divides by the largest gradient instead of the root of the mean square."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar
from typing import Any

import numpy as np

from tinygrad_edu.optim.blocks import NOWHERE, Values
from tinygrad_edu.optim.groups import State
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.settings import Betas, NotNegative, shares


class Adamax(Optimizer):
    """w ← w − η / (1 − β₁ᵗ) · m / u, with the running mean m of g, and u, the largest |g|, which fades:

    m ← β₁·m + (1 − β₁)·g;  u ← max(β₂·u, |g| + ε).

    params: the tensors to learn, or groups of them with settings of their own; see `Optimizer`.
    lr: η, the learning rate.
    betas: β₁, the share of the mean that is kept, and β₂, that of the largest gradient.
    eps: ε, which keeps the quotient finite.
    weight_decay: λ; λ·w is added to the gradient, which pulls every weight towards 0.
    maximize: whether to go up the gradient instead of down.

    Source: Kingma and Ba, *Adam: a method for stochastic optimization* (2015), section 7.1, with PyTorch's ε.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = Adamax([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.numpy().round(6).tolist()
    [2.9, 3.9]
    """

    __slots__ = ()

    lr: InitVar[NotNegative] = 2e-3
    betas: InitVar[Betas] = (0.9, 0.999)
    eps: InitVar[NotNegative] = 1e-8
    weight_decay: InitVar[NotNegative] = 0.0

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """The running mean of g, and the largest |g|, both 0 at first."""
        return {"mean": 0.0, "largest": 0.0}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """The corrected rate η / (1 − β₁ᵗ), and the shares in the mean."""
        return {"lr": settings["lr"] / (1 - settings["betas"][0] ** step), **shares(settings["betas"])}

    @staticmethod
    def update(
        param: Values,
        grad: Values,
        state: State,
        out: Mapping[str, Any] = NOWHERE,
        *,
        lr: float,
        beta1: float,
        rest1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
    ) -> tuple[Any, State]:
        """Make one step with the rate of that step: return the new parameter and the new state."""
        if weight_decay:
            grad = grad + weight_decay * param
        mean = np.add(beta1 * state["mean"], rest1 * grad, out=out.get("mean"))
        largest = np.maximum(beta2 * state["largest"], np.abs(grad) + eps, out=out.get("largest"))
        return np.subtract(param, lr * mean / largest, out=out.get("param")), {"mean": mean, "largest": largest}

"""RAdam: Adam that needs no warm-up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import InitVar
from typing import Any

import numpy as np

from tinygrad_edu.optim.blocks import NOWHERE, Values
from tinygrad_edu.optim.groups import State
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.settings import Betas, NotNegative, Switch, shares


class RAdam(Optimizer):
    """w ← w − η·r·m̂ / (√v̂ + ε), or w ← w − η·m̂ as long as v̂ has seen too few gradients to be trusted.

    m and v are the running means of `Adam`. The mean square of ρ numbers in effect, ρ = ρ∞ − 2·t·β₂ᵗ / (1 − β₂ᵗ) with
    ρ∞ = 2 / (1 − β₂) − 1, is trusted from ρ > 5; its uncertainty is what r makes up for:
    r² = (ρ − 4)·(ρ − 2)·ρ∞ / ((ρ∞ − 4)·(ρ∞ − 2)·ρ).

    lr: η.
    betas: β₁ and β₂, the shares of the means that are kept.
    eps: ε, which keeps the quotient finite.
    weight_decay: λ·w is added to the gradient.
    decoupled_weight_decay: w ← (1 − η·λ)·w instead, apart from the gradient, as in `AdamW`.
    maximize: go up the gradient.

    Source: Liu et al., *On the variance of the adaptive learning rate and beyond* (2020), algorithm 2, in the form that
    PyTorch has.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([3.0], requires_grad=True)
    >>> optimizer = RAdam([w], lr=0.1)
    >>> (2 * w).sum().backward()
    >>> optimizer.step()  # by η·g, as SGD does
    >>> w.numpy().round(6).tolist()
    [2.8]
    """

    __slots__ = ()

    lr: InitVar[NotNegative] = 1e-3
    betas: InitVar[Betas] = (0.9, 0.999)
    eps: InitVar[NotNegative] = 1e-8
    weight_decay: InitVar[NotNegative] = 0.0
    decoupled_weight_decay: InitVar[Switch] = False

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """The running means of g and g²."""
        return {"mean": 0.0, "square": 0.0}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """η·r, the divisor's two numbers, √v times 1, plus ε, or times 0, plus 1, and the shares in the means."""
        beta1, beta2 = settings["betas"]
        root = math.sqrt(1 - beta2**step)
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / (1 - beta2**step)
        rate = settings["lr"] / (1 - beta1**step)
        now = {"lr": rate, "of_root": 0.0, "eps": 1.0, **shares(settings["betas"])}
        if length > 5:
            r = math.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
            now |= {"lr": rate * r * root, "of_root": 1.0, "eps": settings["eps"]}
        if settings["decoupled_weight_decay"]:
            now["shrink"] = 1 - settings["lr"] * settings["weight_decay"]
        return now

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
        rest2: float,
        eps: float,
        of_root: float,
        weight_decay: float,
        shrink: float | None = None,
    ) -> tuple[Any, State]:
        """One step, with the numbers as they are at that step: the new parameter and the new state."""
        if shrink is not None:
            param = shrink * param
        elif weight_decay:
            grad = grad + weight_decay * param
        mean = np.add(beta1 * state["mean"], rest1 * grad, out=out.get("mean"))
        square = np.add(beta2 * state["square"], rest2 * np.square(grad), out=out.get("square"))
        move = lr * mean / (of_root * np.sqrt(square) + eps)
        return np.subtract(param, move, out=out.get("param")), {"mean": mean, "square": square}

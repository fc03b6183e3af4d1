"""RAdam: Adam that begins carefully by itself, so that no warm-up of the rate is needed."""

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
    """w ← w − η·r·m̂ / (√v̂ + ε); but w ← w − η·m̂ as long as v̂ is a mean of too few gradients to be trusted.

    m and v are the running means of `Adam`. v is in effect the mean of ρ squares, where ρ = ρ∞ − 2·t·β₂ᵗ / (1 − β₂ᵗ)
    and ρ∞ = 2 / (1 − β₂) − 1. It is trusted from ρ > 5 on. r makes up for the uncertainty that is left:
    r² = (ρ − 4)·(ρ − 2)·ρ∞ / ((ρ∞ − 4)·(ρ∞ − 2)·ρ).

    params: the tensors to learn, or groups of them with settings of their own; see `Optimizer`.
    lr: η, the learning rate.
    betas: β₁ and β₂, the shares of the means that are kept.
    eps: ε, which keeps the quotient finite.
    weight_decay: λ; λ·w is added to the gradient, which pulls every weight towards 0.
    decoupled_weight_decay: whether the decay is w ← (1 − η·λ)·w, apart from the gradient, as in `AdamW`.
    maximize: whether to go up the gradient instead of down.

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
        """The running means of g and of g², both 0 at first."""
        return {"mean": 0.0, "square": 0.0}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """The rate η·r, the two numbers of the divisor, and the shares in the means.

        The divisor is of_root·√v + eps: √v + ε where v̂ is trusted, else 0·√v + 1.
        """
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
        """Make one step with the numbers of `at_step`: return the new parameter and the new state."""
        if shrink is not None:
            param = shrink * param
        elif weight_decay:
            grad = grad + weight_decay * param
        mean = np.add(beta1 * state["mean"], rest1 * grad, out=out.get("mean"))
        square = np.add(beta2 * state["square"], rest2 * np.square(grad), out=out.get("square"))
        move = lr * mean / (of_root * np.sqrt(square) + eps)
        return np.subtract(param, move, out=out.get("param")), {"mean": mean, "square": square}

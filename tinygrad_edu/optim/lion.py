"""Lion: each weight moves by the same length, in the direction that the sign of a momentum says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar
from typing import Any

import numpy as np

from tinygrad_edu.optim.blocks import NOWHERE, Values
from tinygrad_edu.optim.groups import State
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.settings import Betas, NotNegative, shares


class Lion(Optimizer):
    """w ← (1 − η·λ)·w − η·sign(β₁·m + (1 − β₁)·g), and then m ← β₂·m + (1 − β₂)·g.

    Every weight moves by η, up or down, and one array is kept for each parameter where Adam keeps two. The rate is a third
    to a tenth of Adam's, and the weight decay as many times larger.

    params: the tensors to learn, or groups of them with settings of their own; see `Optimizer`.
    lr: η, the learning rate.
    betas: β₁, the share of the momentum m in the step, and β₂, the share of it that is kept.
    weight_decay: λ, apart from the gradient, as in `AdamW`.
    maximize: whether to go up the gradient instead of down.

    Source: Chen et al., *Symbolic discovery of optimization algorithms* (2023), algorithm 2.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = Lion([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [2.5, 3.5]
    """

    __slots__ = ()

    lr: InitVar[NotNegative] = 1e-4
    betas: InitVar[Betas] = (0.9, 0.99)
    weight_decay: InitVar[NotNegative] = 0.0

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """The momentum, which is 0 at first."""
        return {"mean": 0.0}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """The rate η, the shares, and the share of a weight that is left when it decays, 1 − η·λ."""
        decay = settings["lr"] * settings["weight_decay"]
        shrink = {"shrink": 1 - decay} if settings["weight_decay"] else {}
        return {"lr": settings["lr"], **shares(settings["betas"]), **shrink}

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
        shrink: float | None = None,
    ) -> tuple[Any, State]:
        """Make one step with the numbers of `at_step`: return the new parameter and the new momentum."""
        if shrink is not None:
            param = shrink * param
        move = lr * np.sign(beta1 * state["mean"] + rest1 * grad)
        mean = np.add(beta2 * state["mean"], rest2 * grad, out=out.get("mean"))
        return np.subtract(param, move, out=out.get("param")), {"mean": mean}

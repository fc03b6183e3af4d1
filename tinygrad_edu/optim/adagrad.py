"""AdaGrad: a learning rate for each weight, smaller the more it has moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar
from typing import Any

import numpy as np

from tinygrad_edu.optim.blocks import NOWHERE, Values
from tinygrad_edu.optim.groups import State
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.settings import NotNegative


class AdaGrad(Optimizer):
    """w ← w − η·g / (√h + ε), h ← h + g².

    lr: η, at step t divided by 1 + (t − 1)·lr_decay.
    lr_decay: how fast the rate falls.
    weight_decay: λ·w is added to the gradient.
    initial_accumulator_value: h before the first step.
    eps: ε, which keeps the quotient finite.
    maximize: go up the gradient.

    Source: Duchi, Hazan and Singer, *Adaptive subgradient methods for online learning*, JMLR 12 (2011), in the form
    that PyTorch has.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([3.0, 0.5], requires_grad=True)
    >>> optimizer = AdaGrad([w], lr=0.5)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [2.50000000005, 5.000000413701855e-11]
    """

    __slots__ = ()

    lr: InitVar[NotNegative] = 0.01
    lr_decay: InitVar[NotNegative] = 0.0
    weight_decay: InitVar[NotNegative] = 0.0
    initial_accumulator_value: InitVar[NotNegative] = 0.0
    eps: InitVar[NotNegative] = 1e-10

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """The sum of squares, before the first."""
        return {"sum": settings["initial_accumulator_value"]}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """η / (1 + (t − 1)·lr_decay)."""
        return {"lr": settings["lr"] / (1 + (step - 1) * settings["lr_decay"])}

    @staticmethod
    def update(
        param: Values,
        grad: Values,
        state: State,
        out: Mapping[str, Any] = NOWHERE,
        *,
        lr: float,
        weight_decay: float,
        eps: float,
    ) -> tuple[Any, State]:
        """One step, with lr as it is at that step: the new parameter and the new state."""
        if weight_decay:
            grad = grad + weight_decay * param
        total = np.add(state["sum"], np.square(grad), out=out.get("sum"))
        return np.subtract(param, lr * grad / (np.sqrt(total) + eps), out=out.get("param")), {"sum": total}


Adagrad = AdaGrad  # PyTorch's spelling

"""AdaGrad: each weight has a learning rate of its own, which falls with the squares of its gradients."""

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
    """w ← w − η·g / (√h + ε), where h ← h + g² adds up the squares of all gradients so far.

    params: the tensors to learn, or groups of them with settings of their own; see `Optimizer`.
    lr: η, the learning rate; at step t it is divided by 1 + (t − 1)·lr_decay.
    lr_decay: how fast the rate falls.
    weight_decay: λ; λ·w is added to the gradient, which pulls every weight towards 0.
    initial_accumulator_value: h before the first step.
    eps: ε, which keeps the quotient finite.
    maximize: whether to go up the gradient instead of down.

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
        """The sum of squares, before the first is added."""
        return {"sum": settings["initial_accumulator_value"]}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """The rate of step t, η / (1 + (t − 1)·lr_decay)."""
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
        """Make one step with the rate of that step: return the new parameter and the new state."""
        if weight_decay:
            grad = grad + weight_decay * param
        total = np.add(state["sum"], np.square(grad), out=out.get("sum"))
        return np.subtract(param, lr * grad / (np.sqrt(total) + eps), out=out.get("param")), {"sum": total}


Adagrad = AdaGrad  # PyTorch's spelling

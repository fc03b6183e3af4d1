"""RMSprop: AdaGrad that forgets old gradients, so that the rate of a weight can grow again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar
from typing import Any

import numpy as np

from tinygrad_edu.optim.blocks import NOWHERE, Values
from tinygrad_edu.optim.groups import State
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.settings import Fraction, NotNegative, Switch


class RMSprop(Optimizer):
    """w ← w − η·g / (√s + ε), where s ← α·s + (1 − α)·g² is the running mean of g².

    params: the tensors to learn, or groups of them with settings of their own; see `Optimizer`.
    lr: η, the learning rate.
    alpha: α, the share of the mean that is kept.
    eps: ε, which keeps the quotient finite.
    weight_decay: λ; λ·w is added to the gradient, which pulls every weight towards 0.
    momentum: μ; if it is not 0, then w ← w − η·v, where v ← μ·v + g / (√s + ε).
    centered: whether to divide by the root of the variance, s − m² with m ← α·m + (1 − α)·g, instead of √s.
    maximize: whether to go up the gradient instead of down.

    Source: Hinton, *Neural networks for machine learning*, lecture 6e (2012); centered: Graves, *Generating sequences
    with recurrent neural networks* (2013); in the form that PyTorch has.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = RMSprop([w], lr=0.1)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w.numpy().round(4).tolist()
    [2.0, 3.0]
    """

    __slots__ = ()

    lr: InitVar[NotNegative] = 0.01
    alpha: InitVar[Fraction] = 0.99
    eps: InitVar[NotNegative] = 1e-8
    weight_decay: InitVar[NotNegative] = 0.0
    momentum: InitVar[NotNegative] = 0.0
    centered: InitVar[Switch] = False

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """The running mean of g², and those of g and of the velocity if they are used. All are 0 at first."""
        kept = {"square": 0.0}
        if settings["centered"]:
            kept["mean"] = 0.0
        if settings["momentum"]:
            kept["velocity"] = 0.0
        return kept

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """The rate η, and the momentum μ if there is one."""
        return {"lr": settings["lr"], **({"momentum": settings["momentum"]} if settings["momentum"] else {})}

    @staticmethod
    def update(
        param: Values,
        grad: Values,
        state: State,
        out: Mapping[str, Any] = NOWHERE,
        *,
        lr: float,
        alpha: float,
        eps: float,
        weight_decay: float,
        momentum: float,
        centered: bool,
    ) -> tuple[Any, State]:
        """Make one step: return the new parameter and the new state."""
        if weight_decay:
            grad = grad + weight_decay * param
        square = np.add(alpha * state["square"], (1 - alpha) * np.square(grad), out=out.get("square"))
        state = {**state, "square": square}
        variance = square
        if centered:
            state["mean"] = mean = np.add(alpha * state["mean"], (1 - alpha) * grad, out=out.get("mean"))
            variance = np.maximum(square - np.square(mean), 0)  # rounding may make it negative
        scaled = grad / (np.sqrt(variance) + eps)
        if "velocity" in state:
            state["velocity"] = scaled = np.add(momentum * state["velocity"], scaled, out=out.get("velocity"))
        return np.subtract(param, lr * scaled, out=out.get("param")), state

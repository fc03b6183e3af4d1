"""RMSprop: AdaGrad that forgets."""

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
    """w ← w − η·g / (√s + ε), s ← α·s + (1 − α)·g², the running mean of g².

    lr: η.
    alpha: α, the share of the mean that is kept.
    eps: ε, which keeps the quotient finite.
    weight_decay: λ·w is added to the gradient.
    momentum: μ; then w ← w − η·v, v ← μ·v + g / (√s + ε).
    centered: take the variance, s − m² with m ← α·m + (1 − α)·g, in place of s.
    maximize: go up the gradient.

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
        """The means of g² and g, and the velocity, as far as they are used."""
        kept = {"square": 0.0}
        if settings["centered"]:
            kept["mean"] = 0.0
        if settings["momentum"]:
            kept["velocity"] = 0.0
        return kept

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """η, and μ if there is one."""
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
        """One step: the new parameter and the new state."""
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

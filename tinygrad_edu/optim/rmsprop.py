"""RMSprop: AdaGrad that forgets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tinygrad_edu.optim.optimizer import NOWHERE, Optimizer, State


class RMSprop(Optimizer):
    """w ← w − η·g / (√s + ε), s ← α·s + (1 − α)·g², the running mean of g².

    lr is η, alpha is α, eps is ε; weight_decay λ adds λ·w to the gradient. centered takes the variance, s − m² with
    m ← α·m + (1 − α)·g, in place of s. With momentum μ, w ← w − η·v, v ← μ·v + g / (√s + ε).

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

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(
            params, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, centered=centered
        )

    def check(self, settings: Mapping[str, Any]) -> None:
        """No setting is negative, and α is at most 1."""
        self.not_negative(settings, *settings)
        if settings["alpha"] > 1:
            raise ValueError(f"RMSprop's alpha is at most 1, but got {settings['alpha']}")

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """The means of g² and g, and the velocity, as far as they are used."""
        kept = {"square": 0.0}
        if settings["centered"]:
            kept["mean"] = 0.0
        if settings["momentum"]:
            kept["velocity"] = 0.0
        return kept

    @staticmethod
    def update(
        param: Any,
        grad: Any,
        state: State,
        out: Mapping[str, Any] = NOWHERE,
        *,
        lr: float,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
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
        if momentum:
            state["velocity"] = scaled = np.add(momentum * state["velocity"], scaled, out=out.get("velocity"))
        return np.subtract(param, lr * scaled, out=out.get("param")), state

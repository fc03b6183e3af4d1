"""Adam, and AdamW: momentum, and a learning rate for each weight."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tinygrad_edu.optim.optimizer import NOWHERE, Optimizer, State


class Adam(Optimizer):
    """w ← w − η·m̂ / (√v̂ + ε), with the running means m of g and v of g², corrected for beginning at 0:

    m ← β₁·m + (1 − β₁)·g, m̂ = m / (1 − β₁ᵗ);  v ← β₂·v + (1 − β₂)·g², v̂ = v / (1 − β₂ᵗ).

    lr is η, betas are β₁ and β₂, eps is ε. weight_decay λ adds λ·w to the gradient, which Adam then divides by √v̂ as it
    does the rest: weights with large gradients decay less. In `AdamW` all decay alike.

    The correction is computed once a step rather than once a weight: η·m̂ / (√v̂ + ε) = ηₜ·m / (√v + εₜ), where
    ηₜ = η·√(1 − β₂ᵗ) / (1 − β₁ᵗ) and εₜ = ε·√(1 − β₂ᵗ).

    Source: Kingma and Ba, *Adam: a method for stochastic optimization* (2015), section 2.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()  # the first step is η, whatever the size of the gradient
    >>> w.numpy().round(6).tolist()
    [2.9, 3.9]
    """

    __slots__ = ()

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def check(self, settings: Mapping[str, Any]) -> None:
        """No setting is negative, and the betas are below 1."""
        self.not_negative(settings, "lr", "eps", "weight_decay")
        betas = settings["betas"]
        if not isinstance(betas, tuple) or len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{type(self).__name__}'s betas are two numbers from 0 to below 1, but got {betas}")

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """The running means of g and g²."""
        return {"mean": 0.0, "square": 0.0}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """ηₜ and εₜ."""
        beta1, beta2 = settings["betas"]
        root = math.sqrt(1 - beta2**step)
        return {"lr": settings["lr"] * root / (1 - beta1**step), "eps": settings["eps"] * root}

    @staticmethod
    def update(
        param: Any,
        grad: Any,
        state: State,
        out: Mapping[str, Any] = NOWHERE,
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> tuple[Any, State]:
        """One step, with lr and eps as they are at that step: the new parameter and the new state."""
        beta1, beta2 = betas
        if weight_decay:
            grad = grad + weight_decay * param
        mean = np.add(beta1 * state["mean"], (1 - beta1) * grad, out=out.get("mean"))
        square = np.add(beta2 * state["square"], (1 - beta2) * np.square(grad), out=out.get("square"))
        new = np.subtract(param, lr * mean / (np.sqrt(square) + eps), out=out.get("param"))
        return new, {"mean": mean, "square": square}


class AdamW(Adam):
    """w ← (1 − η·λ)·w − η·m̂ / (√v̂ + ε): `Adam` with a weight decay λ of its own, apart from the gradient.

    Source: Loshchilov and Hutter, *Decoupled weight decay regularization* (2019), in the form that PyTorch has.

    >>> import numpy as np
    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([1.0], requires_grad=True)
    >>> optimizer = AdamW([w], lr=0.1, weight_decay=0.5)
    >>> w.grad = np.zeros(1)
    >>> optimizer.step()
    >>> w.tolist()
    [0.95]
    """

    __slots__ = ()

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """ηₜ, εₜ, and what is left of a weight, 1 − η·λ."""
        return {**super().at_step(step, settings), "shrink": 1 - settings["lr"] * settings["weight_decay"]}

    @staticmethod
    def update(  # type: ignore[override]  # without shrink there is no decay, so it is to be given
        param: Any,
        grad: Any,
        state: State,
        out: Mapping[str, Any] = NOWHERE,
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        shrink: float,
    ) -> tuple[Any, State]:
        """One step, with lr, eps and shrink as they are at that step: the new parameter and the new state."""
        if weight_decay:
            param = shrink * param
        return Adam.update(param, grad, state, out, lr=lr, betas=betas, eps=eps)

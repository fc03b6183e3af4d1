"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tinygrad_edu.optim.optimizer import NOWHERE, Optimizer, State


class SGD(Optimizer):
    """w ← w − η·g, with momentum w ← w − η·v, v ← μ·v + g.

    lr is η, the learning rate; momentum is μ, and Nesterov's looks ahead: w ← w − η·(g + μ·v).
    weight_decay λ adds λ·w to the gradient, which pulls every weight towards 0.

    Source: Polyak 1964 (momentum); Nesterov 1983; Sutskever et al., *On the importance of initialization and
    momentum in deep learning*, 2013, in the form that PyTorch has.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1)
    >>> for _ in range(100):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> bool(abs(w).max() < 1e-8)
    True
    """

    __slots__ = ()

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.0,
        *,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(params, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov)

    def check(self, settings: Mapping[str, Any]) -> None:
        """Rates are not negative, and Nesterov's momentum needs one."""
        self.not_negative(settings, "lr", "momentum", "weight_decay")
        if settings["nesterov"] and not settings["momentum"]:
            raise ValueError("Nesterov's momentum needs a momentum, such as 0.9")

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """No velocity yet: the first is the gradient."""
        return {"velocity": 0.0} if settings["momentum"] else {}

    @staticmethod
    def update(
        param: Any,
        grad: Any,
        state: State,
        out: Mapping[str, Any] = NOWHERE,
        *,
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> tuple[Any, State]:
        """One step: the new parameter and the new state."""
        if weight_decay:
            grad = grad + weight_decay * param
        if momentum:
            velocity = np.add(momentum * state["velocity"], grad, out=out.get("velocity"))
            grad = grad + momentum * velocity if nesterov else velocity
            state = {"velocity": velocity}
        return np.subtract(param, lr * grad, out=out.get("param")), state

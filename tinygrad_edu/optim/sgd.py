"""Stochastic gradient descent, and the momentum that remembers where it was going."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar
from typing import Any

import numpy as np

from tinygrad_edu.optim.blocks import NOWHERE, Values
from tinygrad_edu.optim.groups import State
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.settings import NotNegative, Switch


class SGD(Optimizer):
    """w ← w − η·g, with momentum w ← w − η·v, v ← μ·v + (1 − τ)·g; the first v is g.

    lr: η, the learning rate.
    momentum: μ, the share of the velocity v that is kept.
    dampening: τ, what is held back of each gradient but the first.
    weight_decay: λ·w is added to the gradient, which pulls every weight towards 0.
    nesterov: look ahead: w ← w − η·(g + μ·v). It needs a momentum, and no dampening.
    maximize: go up the gradient.

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

    lr: InitVar[NotNegative]
    momentum: InitVar[NotNegative] = 0.0
    dampening: InitVar[float] = 0.0
    weight_decay: InitVar[NotNegative] = 0.0
    nesterov: InitVar[Switch] = False

    def check(self, settings: Mapping[str, Any]) -> None:
        """Nesterov's momentum needs one, undamped."""
        super().check(settings)
        if settings["nesterov"] and (not settings["momentum"] or settings["dampening"]):
            raise ValueError("Nesterov's momentum needs a momentum, such as 0.9, and dampening=0")

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """No velocity yet: the first is the gradient."""
        return {"velocity": 0.0} if settings["momentum"] else {}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """η and μ, and the share of the gradient that is taken in, where one is dampened."""
        momentum = {"momentum": settings["momentum"]} if settings["momentum"] else {}
        taken = {"taken": 1.0 if step == 1 else 1 - settings["dampening"]} if settings["dampening"] else {}
        return {"lr": settings["lr"], **momentum, **taken}

    @staticmethod
    def update(
        param: Values,
        grad: Values,
        state: State,
        out: Mapping[str, Any] = NOWHERE,
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        nesterov: bool,
        taken: float | None = None,
    ) -> tuple[Any, State]:
        """One step: the new parameter and the new state."""
        if weight_decay:
            grad = grad + weight_decay * param
        if "velocity" in state:
            damped = grad if taken is None else taken * grad
            velocity = np.add(momentum * state["velocity"], damped, out=out.get("velocity"))
            grad = grad + momentum * velocity if nesterov else velocity
            state = {"velocity": velocity}
        return np.subtract(param, lr * grad, out=out.get("param")), state


class Momentum(Optimizer):
    """v ← α·v − η·g, w ← w + v: a ball that rolls down a slope, with friction.

    lr: η, the learning rate, by which v was multiplied when it was added: a new rate changes what comes, not the velocity
        that there is. In `SGD(momentum=…)` it multiplies the velocity. Under one rate they are the same.
    momentum: α, the share of the velocity that is kept.
    maximize: go up the gradient.

    Source: Saito, *Deep Learning from Scratch*, section 6.1.4.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([1.0], requires_grad=True)
    >>> optimizer = Momentum([w], lr=0.1, momentum=0.5)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     w.sum().backward()
    ...     optimizer.step()  # v = -0.1, then -0.05 - 0.1
    >>> w.numpy().round(6).tolist()
    [0.75]
    """

    __slots__ = ()

    lr: InitVar[NotNegative] = 0.01
    momentum: InitVar[NotNegative] = 0.9

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """At rest."""
        return {"velocity": 0.0}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """η and α."""
        return {"lr": settings["lr"], "momentum": settings["momentum"]}

    @staticmethod
    def update(
        param: Values, grad: Values, state: State, out: Mapping[str, Any] = NOWHERE, *, lr: float, momentum: float
    ) -> tuple[Any, State]:
        """One step: the new parameter and the new velocity."""
        velocity = np.subtract(momentum * state["velocity"], lr * grad, out=out.get("velocity"))
        return np.add(param, velocity, out=out.get("param")), {"velocity": velocity}

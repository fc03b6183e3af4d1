"""Stochastic gradient descent, and momentum, which keeps a part of the last step."""

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
    """w ← w − η·g. With momentum, w ← w − η·v, where v ← μ·v + (1 − τ)·g, and the first v is g.

    params: the tensors to learn, or groups of them with settings of their own; see `Optimizer`.
    lr: η, the learning rate.
    momentum: μ, the share of the velocity v that is kept.
    dampening: τ, the share of each gradient but the first that is held back.
    weight_decay: λ; λ·w is added to the gradient, which pulls every weight towards 0.
    nesterov: whether to look ahead, w ← w − η·(g + μ·v). It needs a momentum, and no dampening.
    maximize: whether to go up the gradient instead of down.

    Source: Polyak (1964), momentum; Nesterov (1983); Sutskever et al., *On the importance of initialization and
    momentum in deep learning* (2013), in the form that PyTorch has.

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
        """Raise ValueError for Nesterov's form without a momentum, or with a dampened one."""
        super().check(settings)
        if settings["nesterov"] and (not settings["momentum"] or settings["dampening"]):
            raise ValueError("Nesterov's momentum needs a momentum, such as 0.9, and dampening=0")

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """The velocity, if there is a momentum. It is 0 at first, so that the first velocity is the gradient."""
        return {"velocity": 0.0} if settings["momentum"] else {}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """The rate η, the momentum μ, and the share of the gradient that is taken in where it is dampened."""
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
        """Make one step: return the new parameter and the new state."""
        if weight_decay:
            grad = grad + weight_decay * param
        if "velocity" in state:
            damped = grad if taken is None else taken * grad
            velocity = np.add(momentum * state["velocity"], damped, out=out.get("velocity"))
            grad = grad + momentum * velocity if nesterov else velocity
            state = {"velocity": velocity}
        return np.subtract(param, lr * grad, out=out.get("param")), state


class Momentum(Optimizer):
    """v ← α·v − η·g, w ← w + v: w moves like a ball that rolls down a slope with friction.

    params: the tensors to learn, or groups of them with settings of their own; see `Optimizer`.
    lr: η, the learning rate. It multiplies each gradient when it is added to v, so a new rate does not change the
        velocity that there is; in `SGD(momentum=…)` it multiplies the velocity. While the rate stays, both are the
        same.
    momentum: α, the share of the velocity that is kept.
    maximize: whether to go up the gradient instead of down.

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
        """The velocity, which is 0 at first."""
        return {"velocity": 0.0}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """The rate η and the momentum α, which may change from step to step."""
        return {"lr": settings["lr"], "momentum": settings["momentum"]}

    @staticmethod
    def update(
        param: Values, grad: Values, state: State, out: Mapping[str, Any] = NOWHERE, *, lr: float, momentum: float
    ) -> tuple[Any, State]:
        """Make one step: return the new parameter and the new velocity."""
        velocity = np.subtract(momentum * state["velocity"], lr * grad, out=out.get("velocity"))
        return np.add(param, velocity, out=out.get("param")), {"velocity": velocity}

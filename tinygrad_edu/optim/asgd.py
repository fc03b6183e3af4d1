"""ASGD: gradient descent that also keeps the mean of the weights that it went through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar
from typing import Any

import numpy as np

from tinygrad_edu.optim.blocks import NOWHERE, Values
from tinygrad_edu.optim.groups import State
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.settings import NotNegative


class ASGD(Optimizer):
    """w ← (1 − λ·ηₜ)·w − ηₜ·g with ηₜ = η / (1 + λ·η·(t − 1))^α. From step t₀ on, the mean a of all w is kept too.

    a is in the state, `optimizer.state_dict()["state"][i]["average"]`; up to step t₀ it is w itself. `optim.swa_utils`
    takes means of the weights of any optimizer.

    params: the tensors to learn, or groups of them with settings of their own; see `Optimizer`.
    lr: η, the first learning rate.
    lambd: λ, by which the weights decay and the rate falls.
    alpha: α, how fast the rate falls.
    t0: t₀, the step from which on w is averaged.
    weight_decay: a further λ·w, which is added to the gradient.
    maximize: whether to go up the gradient instead of down.

    Source: Polyak and Juditsky, *Acceleration of stochastic approximation by averaging* (1992), in the form that
    PyTorch has; there ηₜ is that of the lr before, which differs in the step after a change.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([1.0], requires_grad=True)
    >>> optimizer = ASGD([w], lr=0.5, lambd=0.0, t0=0)
    >>> for _ in range(3):  # 0.5, 0.0, -0.5
    ...     optimizer.zero_grad()
    ...     w.sum().backward()
    ...     optimizer.step()
    >>> w.tolist(), optimizer.state_dict()["state"][0]["average"].tolist()
    ([-0.5], [-0.25])
    """

    __slots__ = ()

    lr: InitVar[NotNegative] = 0.01
    lambd: InitVar[NotNegative] = 1e-4
    alpha: InitVar[NotNegative] = 0.75
    t0: InitVar[NotNegative] = 1e6
    weight_decay: InitVar[NotNegative] = 0.0

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """The mean of the weights."""
        return {"average": 0.0}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """The rate ηₜ, the share of a weight that is left when it decays, and that of the new weight in the mean."""
        lr = settings["lr"] / (1 + settings["lambd"] * settings["lr"] * (step - 1)) ** settings["alpha"]
        return {"lr": lr, "shrink": 1 - settings["lambd"] * lr, "share": 1 / max(1, step - 1 - settings["t0"])}

    @staticmethod
    def update(
        param: Values,
        grad: Values,
        state: State,
        out: Mapping[str, Any] = NOWHERE,
        *,
        lr: float,
        weight_decay: float,
        shrink: float,
        share: float,
    ) -> tuple[Any, State]:
        """Make one step with the numbers of `at_step`: return the new parameter and the new mean."""
        if weight_decay:
            grad = grad + weight_decay * param
        new = np.subtract(shrink * param, lr * grad, out=out.get("param"))
        before = state["average"]
        return new, {"average": np.add(before, share * (new - before), out=out.get("average"))}

"""NAdam: Adam whose momentum looks one step ahead, as Nesterov's does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import InitVar
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.optim.blocks import NOWHERE, Values
from tinygrad_edu.optim.groups import State
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.settings import Betas, NotNegative, Switch, shares


class NAdam(Optimizer):
    """w ← w − η·m̂ / (√v̂ + ε), where m̂ already has the momentum of the next step in it:

    m ← β₁·m + (1 − β₁)·g;  v ← β₂·v + (1 − β₂)·g², v̂ = v / (1 − β₂ᵗ);
    m̂ = μₜ₊₁·m / (1 − μ₁⋯μₜ₊₁) + (1 − μₜ)·g / (1 − μ₁⋯μₜ), with μₜ = β₁·(1 − ½·0.96^(t·ψ)).

    params: the tensors to learn, or groups of them with settings of their own; see `Optimizer`.
    lr: η, the learning rate.
    betas: β₁ and β₂, the shares of the means that are kept.
    eps: ε, which keeps the quotient finite.
    weight_decay: λ; λ·w is added to the gradient, which pulls every weight towards 0.
    momentum_decay: ψ; the momentum μ grows from about β₁/2 to β₁, the faster the larger ψ.
    decoupled_weight_decay: whether the decay is w ← (1 − η·λ)·w, apart from the gradient, as in `AdamW`.
    maximize: whether to go up the gradient instead of down.

    The products μ₁⋯μₜ are those of the β₁ of now. PyTorch multiplies as the steps go by, which is another number for a
    schedule that changes β₁.

    Source: Dozat, *Incorporating Nesterov momentum into Adam* (2016), in the form that PyTorch has.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([3.0], requires_grad=True)
    >>> optimizer = NAdam([w], lr=0.1)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w.numpy().round(6).tolist()
    [2.894355]
    """

    __slots__ = ()

    lr: InitVar[NotNegative] = 2e-3
    betas: InitVar[Betas] = (0.9, 0.999)
    eps: InitVar[NotNegative] = 1e-8
    weight_decay: InitVar[NotNegative] = 0.0
    momentum_decay: InitVar[NotNegative] = 4e-3
    decoupled_weight_decay: InitVar[Switch] = False

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """The running means of g and of g², both 0 at first."""
        return {"mean": 0.0, "square": 0.0}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """The factors of g and of m, ε times √(1 − β₂ᵗ) as in `Adam`, the shares, and the share of a weight that is
        left.
        """
        beta1, beta2 = settings["betas"]
        momenta, products = _momenta(beta1, settings["momentum_decay"], max(1 << step.bit_length(), 1 << 10))
        root = math.sqrt(1 - beta2**step)
        rate = settings["lr"] * root
        shrink = {"shrink": 1 - settings["lr"] * settings["weight_decay"]} if settings["decoupled_weight_decay"] else {}
        return {
            "of_grad": rate * float((1 - momenta[step - 1]) / (1 - products[step - 1])),
            "of_mean": rate * float(momenta[step] / (1 - products[step])),
            "eps": settings["eps"] * root,
            **shares(settings["betas"]),
            **shrink,
        }

    @staticmethod
    def update(
        param: Values,
        grad: Values,
        state: State,
        out: Mapping[str, Any] = NOWHERE,
        *,
        of_grad: float,
        of_mean: float,
        beta1: float,
        rest1: float,
        beta2: float,
        rest2: float,
        eps: float,
        weight_decay: float,
        shrink: float | None = None,
    ) -> tuple[Any, State]:
        """Make one step with the numbers of `at_step`: return the new parameter and the new state."""
        if shrink is not None:
            param = shrink * param
        elif weight_decay:
            grad = grad + weight_decay * param
        mean = np.add(beta1 * state["mean"], rest1 * grad, out=out.get("mean"))
        square = np.add(beta2 * state["square"], rest2 * np.square(grad), out=out.get("square"))
        move = (of_grad * grad + of_mean * mean) / (np.sqrt(square) + eps)
        return np.subtract(param, move, out=out.get("param")), {"mean": mean, "square": square}


@lru_cache(maxsize=8)
def _momenta(beta: float, decay: float, steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """μ₁, μ₂, … for this many steps, and their products. They are computed anew when the steps have doubled."""
    momenta = beta * (1 - 0.5 * np.power(0.96, decay * np.arange(1, steps + 1, dtype=np.float64)))
    return momenta, np.multiply.accumulate(momenta)

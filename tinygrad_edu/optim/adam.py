"""Adam and AdamW: gradient descent with momentum, and with a learning rate for each weight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import InitVar
from typing import Any

import numpy as np

from tinygrad_edu.optim.blocks import NOWHERE, Values
from tinygrad_edu.optim.groups import State
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.settings import Betas, NotNegative, Switch, shares


class Adam(Optimizer):
    """w ← w − η·m̂ / (√v̂ + ε), with the running means m of g and v of g², corrected for beginning at 0:

    m ← β₁·m + (1 − β₁)·g, m̂ = m / (1 − β₁ᵗ);  v ← β₂·v + (1 − β₂)·g², v̂ = v / (1 − β₂ᵗ).

    params: the tensors to learn, or groups of them with settings of their own; see `Optimizer`.
    lr: η, the learning rate.
    betas: β₁ and β₂, the shares of the means that are kept.
    eps: ε, which keeps the quotient finite.
    weight_decay: λ·w is added to the gradient, which Adam then divides by √v̂ as it does the rest: weights with large
        gradients decay less. In `AdamW` all decay alike.
    amsgrad: divide by the root of the largest v so far, so that the rate of a weight never grows.
    maximize: whether to go up the gradient instead of down.

    The correction is computed once a step rather than once a weight: η·m̂ / (√v̂ + ε) = ηₜ·m / (√v + εₜ), where
    ηₜ = η·√(1 − β₂ᵗ) / (1 − β₁ᵗ) and εₜ = ε·√(1 − β₂ᵗ).

    Source: Kingma and Ba, *Adam: a method for stochastic optimization* (2015), section 2; amsgrad: Reddi, Kale and
    Kumar, *On the convergence of Adam and beyond* (2018), in the form that PyTorch has.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()  # the first step is η, whatever the size of the gradient
    >>> w.numpy().round(6).tolist()
    [2.9, 3.9]
    """

    __slots__ = ()

    lr: InitVar[NotNegative] = 1e-3
    betas: InitVar[Betas] = (0.9, 0.999)
    eps: InitVar[NotNegative] = 1e-8
    weight_decay: InitVar[NotNegative] = 0.0
    amsgrad: InitVar[Switch] = False

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """The running means of g and of g², and with amsgrad the largest mean of g² so far."""
        return {"mean": 0.0, "square": 0.0, **({"largest": 0.0} if settings["amsgrad"] else {})}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """ηₜ and εₜ, which contain the correction of bias, and the shares in the means."""
        beta1, beta2 = settings["betas"]
        root = math.sqrt(1 - beta2**step)
        lr = settings["lr"] * root / (1 - beta1**step)
        return {"lr": lr, "eps": settings["eps"] * root, **shares(settings["betas"])}

    @staticmethod
    def update(
        param: Values,
        grad: Values,
        state: State,
        out: Mapping[str, Any] = NOWHERE,
        *,
        lr: float,
        beta1: float,
        rest1: float,
        beta2: float,
        rest2: float,
        eps: float,
        weight_decay: float,
        amsgrad: bool,
    ) -> tuple[Any, State]:
        """Make one step with ηₜ and εₜ: return the new parameter and the new state."""
        if weight_decay:
            grad = grad + weight_decay * param
        mean = np.add(beta1 * state["mean"], rest1 * grad, out=out.get("mean"))
        square = np.add(beta2 * state["square"], rest2 * np.square(grad), out=out.get("square"))
        state = {**state, "mean": mean, "square": square}
        if amsgrad:
            state["largest"] = square = np.maximum(state["largest"], square, out=out.get("largest"))
        return np.subtract(param, lr * mean / (np.sqrt(square) + eps), out=out.get("param")), state


class AdamW(Adam):
    """w ← (1 − η·λ)·w − η·m̂ / (√v̂ + ε): `Adam` whose weight decay λ acts on the weight itself, not through the
    gradient.

    params: the tensors to learn, or groups of them with settings of their own; see `Optimizer`.
    weight_decay: λ; all weights decay alike, whatever their gradients are.
    lr, betas, eps, amsgrad, maximize: as in `Adam`.

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

    weight_decay: InitVar[NotNegative] = 1e-2

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """The numbers of `Adam`, and the share of a weight that is left when it decays, 1 − η·λ."""
        decay = settings["lr"] * settings["weight_decay"]
        return {**super().at_step(step, settings), **({"shrink": 1 - decay} if settings["weight_decay"] else {})}

    @staticmethod
    def update(  # type: ignore[override]  # its decay is shrink, which Adam has not
        param: Values,
        grad: Values,
        state: State,
        out: Mapping[str, Any] = NOWHERE,
        *,
        lr: float,
        beta1: float,
        rest1: float,
        beta2: float,
        rest2: float,
        eps: float,
        amsgrad: bool,
        shrink: float | None = None,
    ) -> tuple[Any, State]:
        """Let the weight decay, and make one step of `Adam`: return the new parameter and the new state."""
        if shrink is not None:
            param = shrink * param
        return Adam.update(
            param,
            grad,
            state,
            out,
            lr=lr,
            beta1=beta1,
            rest1=rest1,
            beta2=beta2,
            rest2=rest2,
            eps=eps,
            weight_decay=0.0,
            amsgrad=amsgrad,
        )

"""Rprop: the step of each weight follows from the signs of its gradients, not from their size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar
from typing import Annotated, Any

import numpy as np

from tinygrad_edu.optim.blocks import NOWHERE, Values
from tinygrad_edu.optim.groups import State
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.settings import Bound, NotNegative, pair

Etas = Annotated[
    tuple[float, float],
    Bound(
        pair(lambda low, high: 0 < low < 1 < high), "are two numbers, one between 0 and 1, one above 1", number=False
    ),
]
StepSizes = Annotated[
    tuple[float, float],
    Bound(pair(lambda low, high: 0 <= low <= high), "are two numbers, the smaller first", number=False),
]


class Rprop(Optimizer):
    """w ← w − s·sign g, where each weight has a step s of its own, which grows as long as the gradient keeps its sign:

    s ← η₊·s where g has the same sign as before; s ← η₋·s where it has the other, and there the weight stays this once.

    It is for gradients of all the data, because those of a batch change their sign by chance.

    params: the tensors to learn, or groups of them with settings of their own; see `Optimizer`.
    lr: the first step s.
    etas: η₋ and η₊, one between 0 and 1, one above 1.
    step_sizes: the smallest and the largest s.
    maximize: whether to go up the gradient instead of down.

    Source: Riedmiller and Braun, *A direct adaptive method for faster backpropagation learning: the RPROP algorithm*
    (1993), in the form that PyTorch has.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([1.0], requires_grad=True)
    >>> optimizer = Rprop([w], lr=0.5)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()  # by 0.5, then by 0.5 · 1.2
    >>> w.numpy().round(6).tolist()
    [-0.1]
    """

    __slots__ = ()

    lr: InitVar[NotNegative] = 0.01
    etas: InitVar[Etas] = (0.5, 1.2)
    step_sizes: InitVar[StepSizes] = (1e-6, 50.0)

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """The gradient of the step before, and the step s."""
        return {"grad": 0.0, "size": settings["lr"]}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """Return no numbers, for none changes from step to step: each weight's rate is in its state."""
        return {}

    @staticmethod
    def update(
        param: Values,
        grad: Values,
        state: State,
        out: Mapping[str, Any] = NOWHERE,
        *,
        etas: tuple[float, float],
        step_sizes: tuple[float, float],
    ) -> tuple[Any, State]:
        """Make one step: return the new parameter and the new state."""
        turned, size = grad * state["grad"], state["size"]
        size = np.where(turned < 0, etas[0] * size, np.where(turned > 0, etas[1] * size, size))
        size = np.clip(size, *step_sizes)
        grad = np.where(turned < 0, 0.0, grad)
        return np.subtract(param, size * np.sign(grad), out=out.get("param")), {"grad": grad, "size": size}

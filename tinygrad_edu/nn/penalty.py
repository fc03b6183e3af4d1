"""Penalties on what layers give, which keep activations small: a layer that notes them, and their sum for the loss.

What other libraries call a kernel regularizer is a function of weights, and an activity regularizer one of outputs:

    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.ActivityPenalty(1e-3), nn.Linear(8, 3))
    weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
    loss = F.cross_entropy(model(x), t) + 1e-4 * F.l2_penalty(weights) + nn.activity_penalty(model)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.module import Module

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A
    from tinygrad_edu.engine.tensor import Tensor


class ActivityPenalty(Module):
    """y = x. In training the layer notes strength·penalty(x)/N for a batch of N examples; `activity_penalty` adds the
    notes up.

    strength: how much the penalty counts, 0 or more.
    penalty: a function of x, such as `F.l1_penalty`, by which few activations are far from 0, or `F.l2_penalty`.

    Raises ValueError for a negative strength.

    >>> layer = ActivityPenalty(0.5)
    >>> layer(np.array([[1.0, -3.0], [0.0, 2.0]])).tolist(), float(activity_penalty(layer))
    ([[1.0, -3.0], [0.0, 2.0]], 1.5)
    """

    def __init__(self, strength: float, penalty: Callable[[Any], Any] = F.l1_penalty) -> None:
        if not strength >= 0:
            raise ValueError(f"ActivityPenalty's strength is 0 or more, but got {strength}")
        self.strength, self.penalty = strength, penalty
        self.noted: Any = None

    def forward(self, x: A) -> A:
        """Return x, and note its penalty in training mode."""
        if self.training:
            examples = max(np.shape(x)[0], 1) if np.ndim(x) else 1
            self.noted = self.penalty(x) * (self.strength / examples)
        return x

    def extra_repr(self) -> str:
        """The strength and the penalty's name, which `repr` shows."""
        return f"{self.strength}, {getattr(self.penalty, '__name__', self.penalty)}"


def activity_penalty(model: Module) -> Tensor:
    """R = the sum of what a model's `ActivityPenalty` layers noted in its last call. Add it to the loss.

    The layers forget what they noted, so the record of the call does not outlive the loss.

    Raises ValueError for a model without such a layer, RuntimeError for one that was not called since, in training
    mode.

    >>> import tinygrad_edu as tg
    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), ActivityPenalty(0.1), nn.Linear(3, 1))
    >>> loss = (model(np.ones((4, 2), np.float32)) ** 2).mean() + activity_penalty(model)
    >>> loss.backward()
    """
    layers = [module for module in model.modules() if isinstance(module, ActivityPenalty)]
    if not layers:
        raise ValueError(
            f"{type(model).__name__} has no ActivityPenalty layer; put one behind the layer whose output is to stay small"
        )
    total: Any = None
    for layer in layers:
        noted, layer.noted = layer.noted, None
        if noted is None:
            raise RuntimeError(
                "an ActivityPenalty layer has noted nothing since it was asked last: call the model in training mode, then "
                "activity_penalty(model), once for each call"
            )
        total = noted if total is None else total + noted
    return total

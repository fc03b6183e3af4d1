"""Losses as modules: each is the function of the same name, with its options kept."""

from __future__ import annotations

from typing import Any

from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.module import Buffer, Module


class _Loss(Module):
    """Keeps the reduction: "mean", "sum" or "none"."""

    def __init__(self, *, reduction: str = "mean") -> None:
        self.reduction = reduction


class MSELoss(_Loss):
    """L = mean (y − t)². See `functional.mse_loss`."""

    def forward(self, prediction: Any, target: Any) -> Any:
        """The loss."""
        return F.mse_loss(prediction, target, reduction=self.reduction)


class L1Loss(_Loss):
    """L = mean |y − t|. See `functional.l1_loss`."""

    def forward(self, prediction: Any, target: Any) -> Any:
        """The loss."""
        return F.l1_loss(prediction, target, reduction=self.reduction)


class HuberLoss(_Loss):
    """Square near 0, straight beyond δ. See `functional.huber_loss`."""

    def __init__(self, delta: float = 1.0, *, reduction: str = "mean") -> None:
        self.delta, self.reduction = delta, reduction

    def forward(self, prediction: Any, target: Any) -> Any:
        """The loss."""
        return F.huber_loss(prediction, target, delta=self.delta, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """Huber's loss divided by β. See `functional.smooth_l1_loss`."""

    def __init__(self, beta: float = 1.0, *, reduction: str = "mean") -> None:
        self.beta, self.reduction = beta, reduction

    def forward(self, prediction: Any, target: Any) -> Any:
        """The loss."""
        return F.smooth_l1_loss(prediction, target, beta=self.beta, reduction=self.reduction)


class CrossEntropyLoss(Module):
    """L = mean of −log softmax(x)[t]: softmax with loss, on logits. See `functional.cross_entropy`.

    >>> import numpy as np
    >>> round(float(CrossEntropyLoss()(np.zeros((1, 10)), np.array([3]))), 4)
    2.3026
    """

    def __init__(
        self,
        weight: Any = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        self.weight = None if weight is None else Buffer(weight)
        self.ignore_index, self.reduction, self.label_smoothing = ignore_index, reduction, label_smoothing

    def forward(self, logits: Any, target: Any) -> Any:
        """The loss."""
        return F.cross_entropy(
            logits,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(Module):
    """L = mean of −log p[t], on log-probabilities. See `functional.nll_loss`."""

    def __init__(self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        self.weight = None if weight is None else Buffer(weight)
        self.ignore_index, self.reduction = ignore_index, reduction

    def forward(self, log_probabilities: Any, target: Any) -> Any:
        """The loss."""
        return F.nll_loss(
            log_probabilities, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )


class BCELoss(_Loss):
    """L = mean of −t·log p − (1 − t)·log(1 − p). See `functional.binary_cross_entropy`."""

    def forward(self, probability: Any, target: Any) -> Any:
        """The loss."""
        return F.binary_cross_entropy(probability, target, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """L = mean of −t·log σ(x) − (1 − t)·log(1 − σ(x)). See `functional.binary_cross_entropy_with_logits`."""

    def forward(self, logits: Any, target: Any) -> Any:
        """The loss."""
        return F.binary_cross_entropy_with_logits(logits, target, reduction=self.reduction)

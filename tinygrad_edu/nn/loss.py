"""Losses as modules: each is the function of the same name, with its options kept."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.function import Function
from tinygrad_edu.nn.module import Buffer

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A, ArrayLike
    from tinygrad_edu.engine.signatures import Compared


@dataclass(eq=False, repr=False)
class _Loss(Function):
    """A function of a prediction and a target; reduction: "mean", "sum" or "none"."""

    _: KW_ONLY
    reduction: str = "mean"

    if TYPE_CHECKING:
        __call__: ClassVar[Compared]  # type: ignore[assignment]  # a loss has two inputs

    def forward(self, prediction: A, target: ArrayLike) -> A:  # type: ignore[override]  # as __call__
        return type(self).function(prediction, target, **self._options())


@dataclass(eq=False, repr=False)
class _OfClasses(_Loss):
    """A loss with a weight for each class, (classes,), and a class number that is left out."""

    weight: ArrayLike | None = None
    _: KW_ONLY
    ignore_index: int = -100

    def __post_init__(self) -> None:
        self.weight = None if self.weight is None else Buffer(self.weight)


class MSELoss(_Loss):
    """L = mean (y − t)². See `functional.mse_loss`."""

    function = F.mse_loss


class L1Loss(_Loss):
    """L = mean |y − t|. See `functional.l1_loss`."""

    function = F.l1_loss


class HuberLoss(_Loss):
    """Square near 0, straight beyond δ. See `functional.huber_loss`."""

    function = F.huber_loss
    delta: float = 1.0


class SmoothL1Loss(_Loss):
    """Huber's loss divided by β. See `functional.smooth_l1_loss`."""

    function = F.smooth_l1_loss
    beta: float = 1.0


class NLLLoss(_OfClasses):
    """L = mean of −log p[t], on log-probabilities. See `functional.nll_loss`."""

    function = F.nll_loss


class CrossEntropyLoss(_OfClasses):
    """L = mean of −log softmax(x)[t]: softmax with loss, on logits. See `functional.cross_entropy`.

    >>> import numpy as np
    >>> round(float(CrossEntropyLoss()(np.zeros((1, 10)), np.array([3]))), 4)
    2.3026
    """

    function = F.cross_entropy
    _: KW_ONLY
    label_smoothing: float = 0.0


class BCELoss(_Loss):
    """L = mean of −t·log p − (1 − t)·log(1 − p). See `functional.binary_cross_entropy`."""

    function = F.binary_cross_entropy


class BCEWithLogitsLoss(_Loss):
    """L = mean of −t·log σ(x) − (1 − t)·log(1 − σ(x)). See `functional.binary_cross_entropy_with_logits`."""

    function = F.binary_cross_entropy_with_logits

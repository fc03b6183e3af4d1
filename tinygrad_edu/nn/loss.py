"""Losses as modules: each is the function of the same name, with its options kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.function import Function
from tinygrad_edu.nn.parameter import Buffer

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
class _OfThree(_Loss):
    """A loss that is called with three tensors; `forward` says which."""

    if TYPE_CHECKING:
        __call__: ClassVar[Callable[..., Any]]


@dataclass(eq=False, repr=False)
class _Weighted(_Loss):
    """A loss with weights, which are part of the state: of each class, (classes,), or of each element."""

    weight: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.weight = None if self.weight is None else Buffer(self.weight)


@dataclass(eq=False, repr=False)
class _OfClasses(_Weighted):
    """A loss with a weight for each class, (classes,), and a class number that is left out."""

    _: KW_ONLY
    ignore_index: int = -100


# ---------------------------------------------------------------------------------------------------
# Numbers


class MSELoss(_Loss):
    """L = mean (y − t)². See `functional.mse_loss`."""

    function = F.mse_loss


class HalfSquaredError(_Loss):
    """L = ½ Σ (y − t)², as many textbooks have it. See `functional.half_squared_error`."""

    function = F.half_squared_error
    _: KW_ONLY
    reduction: str = "sum"


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


class PoissonNLLLoss(_Loss):
    """L = mean of λ − t·log λ, of counts t. See `functional.poisson_nll_loss`."""

    function = F.poisson_nll_loss
    log_input: bool = True
    full: bool = False
    _: KW_ONLY
    eps: float = 1e-8


class GaussianNLLLoss(_OfThree):
    """L = mean of ½ (log v + (y − t)²/v), called with y, t and v. See `functional.gaussian_nll_loss`."""

    function = F.gaussian_nll_loss
    full: bool = False
    _: KW_ONLY
    eps: float = 1e-6

    def forward(self, prediction: Any, target: Any, var: Any) -> Any:  # type: ignore[override]  # it has three inputs
        return F.gaussian_nll_loss(prediction, target, var, **self._options())


# ---------------------------------------------------------------------------------------------------
# Classes and probabilities


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


class BCELoss(_Weighted):
    """L = mean of −t·log p − (1 − t)·log(1 − p). See `functional.binary_cross_entropy`."""

    function = F.binary_cross_entropy


class BCEWithLogitsLoss(_Weighted):
    """L = mean of −c·t·log σ(x) − (1 − t)·log(1 − σ(x)). See `functional.binary_cross_entropy_with_logits`."""

    function = F.binary_cross_entropy_with_logits
    _: KW_ONLY
    pos_weight: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pos_weight = None if self.pos_weight is None else Buffer(self.pos_weight)


class MultiLabelSoftMarginLoss(_Weighted):
    """The mean of binary cross-entropies of the classes. See `functional.multilabel_soft_margin_loss`."""

    function = F.multilabel_soft_margin_loss


class KLDivLoss(_Loss):
    """L = Σ p·(log p − log q), on log q; reduction may be "batchmean" too. See `functional.kl_div`."""

    function = F.kl_div
    _: KW_ONLY
    log_target: bool = False


# ---------------------------------------------------------------------------------------------------
# Margins


class HingeLoss(_Loss):
    """L = mean of max(0, margin − t·y), of labels −1 and 1. See `functional.hinge_loss`."""

    function = F.hinge_loss
    _: KW_ONLY
    margin: float = 1.0


class SoftMarginLoss(_Loss):
    """L = mean of log(1 + exp(−t·y)), of labels −1 and 1. See `functional.soft_margin_loss`."""

    function = F.soft_margin_loss


class HingeEmbeddingLoss(_Loss):
    """L = mean of d where t = 1, else max(0, margin − d). See `functional.hinge_embedding_loss`."""

    function = F.hinge_embedding_loss
    margin: float = 1.0


class MarginRankingLoss(_OfThree):
    """L = mean of max(0, margin − t·(x₁ − x₂)), called with x₁, x₂ and t. See `functional.margin_ranking_loss`."""

    function = F.margin_ranking_loss
    margin: float = 0.0

    def forward(self, x1: Any, x2: Any, target: Any) -> Any:  # type: ignore[override]  # it has three inputs
        return F.margin_ranking_loss(x1, x2, target, **self._options())


class CosineEmbeddingLoss(_OfThree):
    """L = mean of 1 − cos where t = 1, else max(0, cos − margin); called with x₁, x₂ and t. See
    `functional.cosine_embedding_loss`."""

    function = F.cosine_embedding_loss
    margin: float = 0.0

    def forward(self, x1: Any, x2: Any, target: Any) -> Any:  # type: ignore[override]  # it has three inputs
        return F.cosine_embedding_loss(x1, x2, target, **self._options())


class TripletMarginLoss(_OfThree):
    """L = mean of max(0, d(a, p) − d(a, n) + margin), called with a, p and n. See `functional.triplet_margin_loss`."""

    function = F.triplet_margin_loss
    margin: float = 1.0
    p: float = 2.0
    eps: float = 1e-6
    swap: bool = False

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:  # type: ignore[override]  # it has three inputs
        return F.triplet_margin_loss(anchor, positive, negative, **self._options())


class MultiMarginLoss(_Loss):
    """L = mean of Σⱼ max(0, margin − y[t] + yⱼ)ᵖ / classes. See `functional.multi_margin_loss`."""

    function = F.multi_margin_loss
    p: int = 1
    margin: float = 1.0
    weight: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.weight = None if self.weight is None else Buffer(self.weight)

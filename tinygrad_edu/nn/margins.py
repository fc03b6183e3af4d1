"""Losses with a margin, as layers: what is right by enough costs nothing. The functions are in `functional.margins`."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import TYPE_CHECKING, Any

from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.loss import Loss
from tinygrad_edu.nn.parameter import Buffer

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A, ArrayLike

# ---------------------------------------------------------------------------------------------------
# Yes or no, −1 or 1


class HingeLoss(Loss):
    """L = mean of max(0, margin − t·y): the loss of a support vector machine, with labels t of −1 and 1.

    margin: from where on a right answer costs nothing.
    reduction: "mean", "sum" or "none".

    Raises ValueError, when it is called, for other labels. Source: Cortes and Vapnik, *Support-vector networks* (1995).

    >>> import numpy as np
    >>> HingeLoss(reduction="none")(np.array([2.0, 0.5, -1.0]), np.array([1, 1, 1])).tolist()
    [0.0, 0.5, 2.0]
    """

    function = F.hinge_loss
    _: KW_ONLY
    margin: float = 1.0


class SoftMarginLoss(Loss):
    """L = mean of log(1 + exp(−t·y)): the logistic loss, with labels t of −1 and 1.

    reduction: "mean", "sum" or "none".

    Raises ValueError, when it is called, for other labels.

    >>> import numpy as np
    >>> round(float(SoftMarginLoss()(np.array([0.0]), np.array([1]))), 4)
    0.6931
    """

    function = F.soft_margin_loss


class HingeEmbeddingLoss(Loss):
    """L = mean of d where t = 1, and of max(0, margin − d) where t = −1: like pairs come near, unlike ones go apart.

    It is called with distances d and labels t of the same shape.

    margin: the distance from which on an unlike pair costs nothing.
    reduction: "mean", "sum" or "none".

    Raises ValueError, when it is called, for labels other than −1 and 1.

    >>> import numpy as np
    >>> HingeEmbeddingLoss(reduction="none")(np.array([0.25, 0.25]), np.array([1, -1])).tolist()
    [0.25, 0.75]
    """

    function = F.hinge_embedding_loss
    margin: float = 1.0


class _OfPairs(Loss):
    """A loss of two inputs, and a label for each pair of them."""

    def forward(self, x1: A, x2: ArrayLike, target: ArrayLike) -> A:  # type: ignore[override]  # it has three inputs
        return type(self).function(x1, x2, target, **self._options())

    if TYPE_CHECKING:

        def __call__(self, x1: A, x2: ArrayLike, target: ArrayLike) -> A: ...  # type: ignore[override]  # as forward


class MarginRankingLoss(_OfPairs):
    """L = mean of max(0, margin − t·(x₁ − x₂)): x₁ is to be above x₂ where t = 1, and below where t = −1.

    It is called as `loss(x1, x2, t)`, with three inputs of the same shape.

    margin: by how much the one must be above the other to cost nothing.
    reduction: "mean", "sum" or "none".

    Raises ValueError, when it is called, for labels other than −1 and 1.

    >>> import numpy as np
    >>> float(MarginRankingLoss(1.0)(np.array([2.0]), np.array([1.5]), np.array([1])))
    0.5
    """

    function = F.margin_ranking_loss
    margin: float = 0.0


# ---------------------------------------------------------------------------------------------------
# Vectors


class CosineEmbeddingLoss(_OfPairs):
    """L = mean of 1 − cos(x₁, x₂) where t = 1, and of max(0, cos(x₁, x₂) − margin) where t = −1.

    It is called as `loss(x1, x2, t)`, with vectors (N, width) and labels (N,).

    margin: up to which cosine an unlike pair costs nothing.
    reduction: "mean", "sum" or "none".

    Raises ValueError, when it is called, for labels other than −1 and 1.

    >>> import numpy as np
    >>> float(CosineEmbeddingLoss()(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array(1)))
    1.0
    """

    function = F.cosine_embedding_loss
    margin: float = 0.0


class TripletMarginLoss(Loss):
    """L = mean of max(0, d(a, p) − d(a, n) + margin): an example a is to be nearer to p, of its kind, than to n, of
    another.

    It is called as `loss(a, p, n)`, with vectors (N, width). The distance is d(x, z) = ‖x − z + ε‖.

    margin: by how much nearer p must be to cost nothing.
    p: the order of the norm.
    eps: ε, which keeps the slope finite where the vectors are equal.
    swap: whether d(p, n) takes the place of d(a, n) where it is smaller.
    reduction: "mean", "sum" or "none".

    Source: Balntas et al., *Learning local feature descriptors with triplets and shallow convolutional neural networks*
    (2016).

    >>> import numpy as np
    >>> a, p, n = np.zeros((1, 2)), np.array([[0.0, 1.0]]), np.array([[3.0, 4.0]])
    >>> round(float(TripletMarginLoss(margin=5.0)(a, p, n)), 4)
    1.0
    """

    function = F.triplet_margin_loss
    margin: float = 1.0
    p: float = 2.0
    eps: float = 1e-6
    swap: bool = False

    def forward(self, anchor: A, positive: ArrayLike, negative: ArrayLike) -> A:  # type: ignore[override]  # it has three inputs
        return F.triplet_margin_loss(anchor, positive, negative, **self._options())

    if TYPE_CHECKING:

        def __call__(self, anchor: A, positive: ArrayLike, negative: ArrayLike) -> A: ...  # type: ignore[override]  # as forward


# ---------------------------------------------------------------------------------------------------
# One class of several


class MultiMarginLoss(Loss):
    """L = mean of Σⱼ max(0, margin − y[t] + yⱼ)ᵖ / classes, over the classes j that are not t: a hinge for each of
    them.

    y: (N, classes); t: class numbers, (N,).

    p: the power, 1 or 2.
    margin: by how much the right class must be above another to cost nothing.
    weight: (classes,), how much each class counts.
    reduction: "mean", "sum" or "none".

    Raises IndexError, when it is called, for a class number out of range.

    Source: Crammer and Singer, *On the algorithmic implementation of multiclass kernel-based vector machines* (2001).

    >>> import numpy as np
    >>> float(MultiMarginLoss()(np.array([[0.5, 1.0]]), np.array([0])))
    0.75
    """

    function = F.multi_margin_loss
    p: int = 1
    margin: float = 1.0
    weight: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.weight = None if self.weight is None else Buffer(self.weight)

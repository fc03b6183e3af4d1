"""Losses as layers: each calls the function of the same name in `functional`, and keeps its options as attributes.

Most are called as `loss(prediction, target)`. What each element costs is then added up as `reduction` says: "mean"
divides the sum by the number of elements, "sum" does not, and "none" leaves all costs as they are.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.function import Function
from tinygrad_edu.nn.functional.targets import check_reduction
from tinygrad_edu.nn.parameter import Buffer

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A, ArrayLike
    from tinygrad_edu.engine.signatures import Compared


@dataclass(eq=False, repr=False)
class Loss(Function):
    """A function of a prediction and a target; `reduction` says how the costs are added up."""

    _: KW_ONLY
    reduction: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_reduction(self.reduction, *self.reductions)

    reductions: ClassVar[tuple[str, ...]] = ()
    """Ways beyond "mean", "sum" and "none" of reducing."""

    if TYPE_CHECKING:
        __call__: ClassVar[Compared]  # type: ignore[assignment]  # a loss has two inputs

    def forward(self, prediction: A, target: ArrayLike) -> A:  # type: ignore[override]  # as __call__
        return type(self).function(prediction, target, **self._options())


@dataclass(eq=False, repr=False)
class _Weighted(Loss):
    """A loss with weights, which are part of the state: one for each class, (classes,), or one for each element."""

    weight: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.weight = None if self.weight is None else Buffer(self.weight)


@dataclass(eq=False, repr=False)
class _OfClasses(_Weighted):
    """A loss with a weight for each class, (classes,), and with a class number whose examples are left out."""

    _: KW_ONLY
    ignore_index: int = -100


# ---------------------------------------------------------------------------------------------------
# Numbers


class MSELoss(Loss):
    """L = mean of (y − t)², the mean squared error. The prediction y and the target t have the same shape.

    reduction: "mean", "sum" or "none".

    >>> import numpy as np
    >>> float(MSELoss()(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    2.0
    """

    function = F.mse_loss


class HalfSquaredError(Loss):
    """L = ½ Σ (y − t)², as many textbooks write it, because its gradient is y − t. y and t have the same shape.

    reduction: "sum" as written, "mean" for ½ mean (y − t)², or "none".

    >>> import numpy as np
    >>> float(HalfSquaredError()(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    2.0
    """

    function = F.half_squared_error
    _: KW_ONLY
    reduction: str = "sum"


class L1Loss(Loss):
    """L = mean of |y − t|, the mean absolute error. The prediction y and the target t have the same shape.

    reduction: "mean", "sum" or "none".

    >>> import numpy as np
    >>> float(L1Loss()(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    1.0
    """

    function = F.l1_loss


class HuberLoss(Loss):
    """L = mean of d²/2 where |d| ≤ δ, else of δ·(|d| − δ/2), with d = y − t: a few targets far off do not rule the
    mean.

    delta: δ, the distance up to which the loss is square; beyond, it is straight.
    reduction: "mean", "sum" or "none".

    Raises ValueError, when it is called, for a δ that is not positive. Source: Huber, *Robust estimation of a location
    parameter* (1964).

    >>> import numpy as np
    >>> HuberLoss(reduction="none")(np.array([0.5, 3.0]), np.array([0.0, 0.0])).tolist()
    [0.125, 2.5]
    """

    function = F.huber_loss
    delta: float = 1.0


class SmoothL1Loss(Loss):
    """L = mean of d²/(2β) where |d| < β, else of |d| − β/2, with d = y − t: Huber's loss divided by β; |d| for β = 0.

    beta: β, the distance up to which the loss is square; beyond, it has the slope of |d|.
    reduction: "mean", "sum" or "none".

    Raises ValueError, when it is called, for a β below 0. Source: Girshick, *Fast R-CNN* (2015).

    >>> import numpy as np
    >>> SmoothL1Loss(reduction="none")(np.array([0.5, 3.0]), np.array([0.0, 0.0])).tolist()
    [0.125, 2.5]
    """

    function = F.smooth_l1_loss
    beta: float = 1.0


class PoissonNLLLoss(Loss):
    """L = mean of λ − t·log λ: the negative log-likelihood of counts t, where λ is the count that is expected.

    log_input: whether the prediction is log λ; otherwise it is λ itself.
    full: whether Stirling's approximation of log t! is added, which changes no gradient.
    eps: what is added to λ in the logarithm, where the prediction is λ itself.
    reduction: "mean", "sum" or "none".

    Raises ValueError, when it is called, for counts below 0.

    >>> import numpy as np
    >>> float(PoissonNLLLoss()(np.array([0.0]), np.array([2.0])))
    1.0
    """

    function = F.poisson_nll_loss
    log_input: bool = True
    full: bool = False
    _: KW_ONLY
    eps: float = 1e-8


class GaussianNLLLoss(Loss):
    """L = mean of ½ (log v + (y − t)²/v): the negative log-likelihood of normal numbers t of mean y and variance v.

    It is called as `loss(y, t, v)`; the shapes are those of `functional.gaussian_nll_loss`.

    full: whether ½ log 2π is added, which changes no gradient.
    eps: the least variance that is computed with.
    reduction: "mean", "sum" or "none".

    Source: Nix and Weigend, *Estimating the mean and variance of the target probability distribution* (1994).

    >>> import numpy as np
    >>> float(GaussianNLLLoss()(np.array([1.0]), np.array([3.0]), np.array([1.0])))
    2.0
    """

    function = F.gaussian_nll_loss
    full: bool = False
    _: KW_ONLY
    eps: float = 1e-6

    def forward(self, prediction: A, target: ArrayLike, var: ArrayLike) -> A:  # type: ignore[override]  # it has three inputs
        return F.gaussian_nll_loss(prediction, target, var, **self._options())

    if TYPE_CHECKING:

        def __call__(self, prediction: A, target: ArrayLike, var: ArrayLike) -> A: ...  # type: ignore[override]  # as forward


# ---------------------------------------------------------------------------------------------------
# Classes and probabilities


class NLLLoss(_OfClasses):
    """L = mean of −log p[t]: the negative log-likelihood of classes t, on log-probabilities, as `LogSoftmax` gives
    them.

    log p: (N, classes) or (N, classes, d₁, …); t: class numbers, of that shape without the axis of classes.

    weight: (classes,), how much each class counts; the mean is then the weighted one.
    ignore_index: the class number whose examples are left out.
    reduction: "mean", "sum" or "none".

    Raises IndexError, when it is called, for a class number out of range.

    >>> import numpy as np
    >>> float(NLLLoss()(np.array([[-0.25, -1.5], [-3.0, -0.75]]), np.array([0, 1])))
    0.5
    """

    function = F.nll_loss


class CrossEntropyLoss(_OfClasses):
    """L = mean of −log softmax(x)[t]: the loss of classifiers. It takes the logits x, because it contains the softmax.

    x: (N, classes) or (N, classes, d₁, …); t: class numbers, of that shape without the axis of classes, or
        probabilities of the shape of x.

    weight: (classes,), how much each class counts; with class numbers, the mean is then the weighted one.
    ignore_index: the class number whose examples are left out.
    label_smoothing: the share ε of each target that is spread evenly over all classes, between 0 and 1.
    reduction: "mean", "sum" or "none".

    Raises IndexError, when it is called, for a class number out of range.

    >>> import numpy as np
    >>> round(float(CrossEntropyLoss()(np.zeros((1, 10)), np.array([3]))), 4)
    2.3026
    """

    function = F.cross_entropy
    _: KW_ONLY
    label_smoothing: float = 0.0


class BCELoss(_Weighted):
    """L = mean of −t·log p − (1 − t)·log(1 − p): cross-entropy of probabilities p and targets t between 0 and 1.

    p and t have the same shape. For logits take `BCEWithLogitsLoss`, which is exact where p would be rounded to 0 or 1.

    weight: how much each element counts, of a shape that broadcasts to that of t.
    reduction: "mean", "sum" or "none".

    Raises ValueError, when it is called, for probabilities and targets outside [0, 1].

    >>> import numpy as np
    >>> round(float(BCELoss()(np.array([0.5]), np.array([1.0]))), 4)
    0.6931
    """

    function = F.binary_cross_entropy


class BCEWithLogitsLoss(_Weighted):
    """L = mean of −c·t·log σ(x) − (1 − t)·log(1 − σ(x)): the cross-entropy of yes-or-no answers, on logits x.

    x and t have the same shape; t is between 0 and 1.

    weight: how much each element counts, of a shape that broadcasts to that of t.
    pos_weight: c, how much a 1 in the target counts beside a 0, (classes,) or one number; above 1 it makes up for few
        ones.
    reduction: "mean", "sum" or "none".

    Raises ValueError, when it is called, for targets outside [0, 1].

    >>> import numpy as np
    >>> round(float(BCEWithLogitsLoss()(np.array([0.0]), np.array([1.0]))), 4)
    0.6931
    """

    function = F.binary_cross_entropy_with_logits
    _: KW_ONLY
    pos_weight: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pos_weight = None if self.pos_weight is None else Buffer(self.pos_weight)


class MultiLabelSoftMarginLoss(_Weighted):
    """L = mean over examples of the mean over classes of `BCEWithLogitsLoss`: several classes of an example may be
    right.

    Logits and targets: (…, classes); a target is 1 for each class that is right, else 0.

    weight: (classes,), how much each class counts.
    reduction: "mean", "sum" or "none", over the examples.

    >>> import numpy as np
    >>> round(float(MultiLabelSoftMarginLoss()(np.zeros((1, 3)), np.array([[1.0, 0.0, 1.0]]))), 4)
    0.6931
    """

    function = F.multilabel_soft_margin_loss


class KLDivLoss(Loss):
    """L = Σ p·(log p − log q), the Kullback–Leibler divergence of q from p. It is called with log q and p, of the same
    shape.

    reduction: "batchmean" divides the sum by the number of examples, which is the divergence itself; "mean" divides it
        by the number of elements; "sum" and "none" as for other losses.
    log_target: whether the target is log p instead of p.

    Raises ValueError, when it is called, for a p below 0. Source: Kullback and Leibler, *On information and
    sufficiency* (1951).

    >>> import numpy as np
    >>> q, p = np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])
    >>> round(float(KLDivLoss(reduction="batchmean")(np.log(q), p)), 4)
    0.6931
    """

    function = F.kl_div
    reductions = ("batchmean",)
    _: KW_ONLY
    log_target: bool = False

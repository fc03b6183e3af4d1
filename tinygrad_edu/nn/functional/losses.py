"""Losses of probabilities and classes: cross-entropy, log-likelihood, and the divergence of distributions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.nn.functional.checks import between_0_and_1
from tinygrad_edu.nn.functional.targets import (
    broadcasts,
    check_class_numbers,
    check_reduction,
    check_weight,
    not_negative,
    probabilities,
    reduced,
    refuse_none,
    same_shape,
    warn_of_second,
)
from tinygrad_edu.ops.network.activations import sigmoid
from tinygrad_edu.ops.network.losses import (
    class_numbers,
    probability_cross_entropy,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    weighed,
)
from tinygrad_edu.ops.network.softmax import log_softmax, logsigmoid, softmax
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.taking import take
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A, ArrayLike

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

# ---------------------------------------------------------------------------------------------------
# One class of several


def cross_entropy(
    logits: A,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> A:
    """L = mean of −Σⱼ tᵢⱼ·log softmax(xᵢ)ⱼ, whose gradient is (softmax(x) − t)/N. It takes logits, as it contains the
    softmax.

    logits: x, (N, classes), or (classes,), or (N, classes, d₁, …).
    target: class numbers, of the logits' shape without the axis of classes; or probabilities (one-hot ones too), of the
        logits' shape.
    weight: (classes,), how much each class counts; with class numbers, the mean is then the weighted one.
    ignore_index: the class number whose examples are left out.
    reduction: "mean", "sum" or "none".
    label_smoothing: ε, from 0 to 1; the targets become (1 − ε)·t + ε/classes.

    Raises IndexError for a class number out of range, ValueError and TypeError for targets that do not fit the logits.

    >>> x = np.array([[0.3, 2.9, 4.0]])
    >>> round(float(cross_entropy(x, np.array([2]))), 6), round(float(cross_entropy(x, np.array([[0.0, 0.0, 1.0]]))), 6)
    (0.305714, 0.305714)
    """
    refuse_none("cross_entropy", logits, target)
    warn_of_second("cross_entropy", logits, softmax, "logits, whose softmax it computes itself: leave softmax out")
    check_reduction(reduction)
    if label_smoothing != 0:
        between_0_and_1("label_smoothing", label_smoothing)
    x, t = array(logits), array(target)
    shape, plain = x.shape, weight is None and not label_smoothing
    if (
        t.dtype.kind in "iu" and plain and len(shape) == 2 and t.shape == shape[:1]
    ):  # the usual case takes the short way
        return softmax_cross_entropy(x, t, reduction=reduction, ignore_index=ignore_index)
    axis = _axis_of_classes(x, t)
    check_weight("cross_entropy", weight, shape[axis])
    if t.shape == shape:
        return _soft_cross_entropy(x, t, weight, axis, label_smoothing, reduction)
    without = t.shape
    x, t = _rows(x, t, axis)
    if plain:
        losses = softmax_cross_entropy(x, t, reduction=reduction, ignore_index=ignore_index)
    else:
        losses = _weighted_cross_entropy(x, t, weight, ignore_index, label_smoothing, reduction)
    return np.reshape(losses, without) if reduction == "none" and len(shape) != 2 else losses


def _axis_of_classes(x: Any, t: Any) -> int:
    """The axis of the logits that has the classes. Raises ValueError and TypeError for targets that do not fit."""
    shape, given, whole = x.shape, t.shape, t.dtype.kind in "iu"
    axis = 0 if len(shape) == 1 else 1
    without = shape[:axis] + shape[axis + 1 :]
    if not shape or given not in (shape, without):
        cure = f"give class numbers of shape {without}, or probabilities of shape {shape}"
        if x.dtype.kind in "biu" or len(given) > len(shape):
            cure = "the logits come first: write cross_entropy(model(x), y)"
        raise ValueError(f"cross_entropy got logits of shape {shape} and a target of shape {given}; {cure}")
    if whole != (given == without):
        kinds = {"b": "booleans", "f": "floats", "i": "whole numbers", "u": "whole numbers"}
        kind, cure = kinds.get(t.dtype.kind, "words"), "target.astype(int)"
        if kind == "words":
            cure = "np.unique(target, return_inverse=True)[1]"
        elif given == shape:
            cure = f"target.astype(float), or target.argmax({axis}) for class numbers"
        raise TypeError(
            f"cross_entropy got a target of {kind} of shape {given}; class numbers are whole and of shape {without}, "
            f"probabilities are floats of shape {shape}: write {cure}"
        )
    return axis


@in_float32
def _soft_cross_entropy(
    logits: Any, target: Any, weight: Any, axis: int, label_smoothing: float, reduction: str
) -> Any:
    """−Σⱼ wⱼ·tᵢⱼ·log softmax(xᵢ)ⱼ for targets that are probabilities."""
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / logits.shape[axis]
    if weight is not None:
        target = target * np.reshape(weight, (-1,) + (1,) * (logits.ndim - axis - 1))
    return reduced(-np.sum(weighed(target, log_softmax(logits, axis=axis)), axis=axis), reduction)


@in_float32
def _weighted_cross_entropy(
    logits: Any, target: Any, weight: Any, ignore_index: int, label_smoothing: float, reduction: str
) -> Any:
    """Cross-entropy of rows and class numbers, with weights for the classes and smoothed targets."""
    kept = target != ignore_index
    log_probabilities = log_softmax(np.where(kept[:, None], logits, 0))
    if not label_smoothing:
        return nll_loss(log_probabilities, target, weight, ignore_index=ignore_index, reduction=reduction)
    chosen = nll_loss(log_probabilities, target, weight, ignore_index=ignore_index, reduction="none")
    classes = logits.shape[1]
    counted = log_probabilities if weight is None else weighed(weight, log_probabilities)
    spread = np.where(kept, -np.sum(counted, axis=1), 0)
    losses = (1 - label_smoothing) * chosen + label_smoothing / classes * spread
    if reduction == "mean":
        return _weighted_mean(losses, target, kept, weight)
    return reduced(losses, reduction)


@in_float32
def _weighted_mean(losses: Any, target: Any, kept: Any, weight: Any) -> Any:
    """Σ ℓ / Σ w of the rows that are kept, with the weight of each row's class; without weights, Σ ℓ / n."""
    if weight is None:
        return np.sum(losses) / np.sum(kept, dtype=losses.dtype)
    return np.sum(losses) / np.sum(np.where(kept, take(weight, np.where(kept, target, 0)), 0))


def nll_loss(
    log_probabilities: A,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> A:
    """L = mean of −log p[t]: the negative log-likelihood of classes t, on log-probabilities, as `log_softmax` gives
    them.

    log_probabilities: log p, (N, classes), or (classes,), or (N, classes, d₁, …).
    target: class numbers t, of that shape without the axis of classes.
    weight: (classes,), how much each class counts; the mean is then the weighted one.
    ignore_index: the class number whose examples are left out.
    reduction: "mean", "sum" or "none".

    Raises IndexError for a class number out of range, TypeError for labels that are not class numbers.

    >>> float(nll_loss(np.array([[-0.25, -1.5], [-3.0, -0.75]]), np.array([0, 1])))
    0.5
    """
    refuse_none("nll_loss", log_probabilities, target)
    warn_of_second("nll_loss", log_probabilities, softmax, "log-probabilities: write log_softmax")
    x, t = array(log_probabilities), array(target)
    shape = x.shape
    check_reduction(reduction)
    axis = 0 if len(shape) == 1 else 1
    without = shape[:axis] + shape[axis + 1 :]
    if shape and t.shape == shape:
        check_class_numbers("nll_loss", t)
    if not shape or t.shape != without:
        swapped = "; the log-probabilities come first" if t.ndim > len(shape) else ""
        raise ValueError(
            f"nll_loss takes log-probabilities (N, classes) or (N, classes, d₁, …), and class numbers without the axis of "
            f"classes, (N,) or (N, d₁, …), but got {shape} and {t.shape}{swapped}"
        )
    check_class_numbers("nll_loss", t)
    check_weight("nll_loss", weight, shape[axis])
    rows, t = _rows(x, t, axis)
    kept = t != ignore_index
    classes = class_numbers(t, shape[axis], ignore_index)
    picked = np.take_along_axis(rows, classes[:, None], 1)[:, 0]
    if weight is not None:
        picked = weighed(take(weight, classes), picked)
    losses = np.where(kept, -picked, 0)
    if reduction == "mean":
        return _weighted_mean(losses, t, kept, weight)
    losses = reduced(losses, reduction)
    return np.reshape(losses, without) if reduction == "none" and len(shape) != 2 else losses


def _rows(x: Any, target: Any, axis: int) -> tuple[Any, Any]:
    """One row of classes for each place, (n, classes), and the class numbers of all places, (n,)."""
    if x.ndim == 2:
        return x, target
    return np.reshape(np.moveaxis(x, axis, -1), (-1, x.shape[axis])), np.reshape(target, -1)


# ---------------------------------------------------------------------------------------------------
# Yes or no


def binary_cross_entropy(
    probability: A, target: ArrayLike, weight: ArrayLike | None = None, *, reduction: str = "mean"
) -> A:
    """L = mean of −t·log p − (1 − t)·log(1 − p): cross-entropy of probabilities p and targets t between 0 and 1.

    Each logarithm counts as −100 at least, so that no loss is infinite. For logits, `binary_cross_entropy_with_logits`
    is exact also where p would be rounded to 0 or 1.

    probability, target: p and t, of the same shape.
    weight: how much each element counts, of a shape that broadcasts to the target's.
    reduction: "mean" over the elements, "sum" or "none".

    Raises ValueError for probabilities and targets outside [0, 1].

    >>> round(float(binary_cross_entropy(np.array([0.5]), np.array([1.0]))), 4)
    0.6931
    """
    p, t = same_shape("binary_cross_entropy", probability, target)
    probabilities("binary_cross_entropy", t)
    losses = probability_cross_entropy(p, t)
    return reduced(_weighed("binary_cross_entropy", losses, weight), reduction)


def binary_cross_entropy_with_logits(
    logits: A,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    pos_weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> A:
    """L = mean of −c·t·log σ(x) − (1 − t)·log(1 − σ(x)). It is finite for every x; without c, its gradient is (σ(x) −
    t)/N.

    logits, target: x and t, of the same shape; t is between 0 and 1.
    weight: how much each element counts, of a shape that broadcasts to the target's.
    pos_weight: c, how much a 1 in the target counts beside a 0, (classes,) or one number; above 1 it makes up for few
        ones.
    reduction: "mean" over the elements, "sum" or "none".

    Raises ValueError for targets outside [0, 1].

    >>> float(binary_cross_entropy_with_logits(np.array([1e4, 0.0]), np.array([1.0, 0.0])))
    0.34657359027997264
    """
    what = "binary_cross_entropy_with_logits"
    warn_of_second(what, logits, sigmoid, "logits, whose sigmoid it computes itself: leave sigmoid out")
    x, t = same_shape(what, logits, target)
    probabilities(what, t)
    if pos_weight is None:
        losses = sigmoid_cross_entropy(x, t)
    else:
        broadcasts(what, "pos_weight", pos_weight, t.shape)
        ones = weighed(t * array(pos_weight), logsigmoid(x))
        losses = -(ones + weighed(1 - t, logsigmoid(-x)))
    return reduced(_weighed(what, losses, weight), reduction)


def multilabel_soft_margin_loss(
    logits: A, target: ArrayLike, weight: ArrayLike | None = None, *, reduction: str = "mean"
) -> A:
    """L = mean over examples of the mean over classes of −t·log σ(x) − (1 − t)·log(1 − σ(x)): several classes may be
    right.

    logits, target: x and t, (…, classes); t is 1 for each class that is right, else 0.
    weight: (classes,), how much each class counts.
    reduction: "mean" over the examples, "sum", or "none".

    Raises ValueError for targets outside [0, 1], and for weights that are not one for each class.

    >>> round(float(multilabel_soft_margin_loss(np.zeros((1, 3)), np.array([[1.0, 0.0, 1.0]]))), 4)
    0.6931
    """
    what = "multilabel_soft_margin_loss"
    x, t = same_shape(what, logits, target)
    probabilities(what, t)
    if not x.ndim:
        raise ValueError(f"{what} takes logits of shape (…, classes), but got a single number")
    check_weight(what, weight, x.shape[-1])
    losses = sigmoid_cross_entropy(x, t)
    return reduced(np.mean(losses if weight is None else losses * array(weight), axis=-1), reduction)


def _weighed(what: str, losses: Any, weight: Any) -> Any:
    """Multiply each loss by its weight."""
    if weight is None:
        return losses
    broadcasts(what, "weight", weight, losses.shape)
    return losses * array(weight)


# ---------------------------------------------------------------------------------------------------
# Distributions


def kl_div(log_q: A, target: ArrayLike, *, reduction: str = "mean", log_target: bool = False) -> A:
    """L = Σ p·(log p − log q), the Kullback–Leibler divergence of q from p, where 0·log 0 is 0.

    log_q: log-probabilities, as `log_softmax` gives them.
    target: p, or with `log_target=True` log p, of the same shape.
    reduction: "batchmean" divides the sum by the number of examples, which is the divergence itself; "mean" divides it
        by the number of elements; "sum" and "none" as for other losses.
    log_target: whether the target is log p.

    Raises ValueError for a p below 0.

    Source: Kullback and Leibler, *On information and sufficiency* (1951).

    >>> q, p = np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])
    >>> round(float(kl_div(np.log(q), p, reduction="batchmean")), 4)
    0.6931
    """
    q, t = same_shape("kl_div", log_q, target)
    if reduction != "batchmean":
        check_reduction(reduction)
    if log_target:
        p = np.exp(t)
        losses = weighed(p, t) - weighed(p, q)
    else:
        not_negative("kl_div", t, "probabilities")
        present = t > 0
        losses = t * np.log(np.where(present, t, 1)) - weighed(t, q)
    if reduction == "batchmean":
        if not losses.ndim:
            raise ValueError("kl_div takes reduction='batchmean' of a batch, but got a single number; write 'sum'")
        return np.sum(losses) / losses.shape[0]
    return reduced(losses, reduction)

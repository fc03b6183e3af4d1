"""The losses: of numbers, and of probabilities and classes."""

from __future__ import annotations

from typing import Any

import numpy

from tinygrad_edu.nn.functional.checks import between_0_and_1, positive
from tinygrad_edu.ops.indexing import take
from tinygrad_edu.ops.losses import (
    class_numbers,
    probability_cross_entropy,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    weighed,
)
from tinygrad_edu.ops.neural import (
    log_softmax,
)
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.shaping import array

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


# ---------------------------------------------------------------------------------------------------
# Losses of numbers


def mse_loss(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """L = mean (y − t)², the mean squared error. The shapes must be equal.

    >>> float(mse_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    2.0
    """
    prediction, target = _same_shape("mse_loss", prediction, target)
    return _reduced(np.square(np.subtract(prediction, target)), reduction)


def l1_loss(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """L = mean |y − t|, the mean absolute error. The shapes must be equal."""
    prediction, target = _same_shape("l1_loss", prediction, target)
    return _reduced(np.absolute(np.subtract(prediction, target)), reduction)


def huber_loss(prediction: Any, target: Any, *, delta: float = 1.0, reduction: str = "mean") -> Any:
    """L = mean of d²/2 where |d| ≤ δ, else δ·(|d| − δ/2), with d = y − t: square near 0, straight beyond.

    Computed as c·(d − c/2) with c = d clipped to ±δ, which is the same; its slope, c, is ±δ also at d = ±∞.

    Source: Huber, *Robust estimation of a location parameter*, 1964.
    """
    prediction, target = _same_shape("huber_loss", prediction, target)
    positive("delta", delta)
    difference = np.subtract(prediction, target)
    near = np.clip(difference, -delta, delta)
    return _reduced(near * (difference - near / 2), reduction)


def smooth_l1_loss(prediction: Any, target: Any, *, beta: float = 1.0, reduction: str = "mean") -> Any:
    """L = mean of d²/(2β) where |d| < β, else |d| − β/2: Huber's loss divided by β."""
    positive("beta", beta)
    return huber_loss(prediction, target, delta=beta, reduction=reduction) / beta


# ---------------------------------------------------------------------------------------------------
# Losses of probabilities


def cross_entropy(
    logits: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """L = mean of −Σⱼ tᵢⱼ·log softmax(xᵢ)ⱼ, with the gradient (softmax(x) − t)/N.

    logits: (N, classes), or (classes,), or (N, classes, d₁, …). target: class numbers, of the logits' shape without the
    axis of classes, or probabilities (one-hot ones too), of the logits' shape. Class numbers equal to `ignore_index`
    are left out. weight: (classes,), how much each class counts. label_smoothing ε: targets (1 − ε)·t + ε/classes.
    reduction: "mean", "sum" or "none". With class numbers, the mean is the one weighted by `weight`.

    Raises IndexError for a class number out of range.

    >>> x = np.array([[0.3, 2.9, 4.0]])
    >>> round(float(cross_entropy(x, np.array([2]))), 6), round(float(cross_entropy(x, np.array([[0.0, 0.0, 1.0]]))), 6)
    (0.305714, 0.305714)
    """
    _refuse_none("cross_entropy", logits, target)
    logits, target = array(logits), array(target)
    shape, given = logits.shape, target.shape
    _check_reduction(reduction)
    between_0_and_1("label_smoothing", label_smoothing)
    whole = target.dtype.kind in "iu"
    if whole and weight is None and not label_smoothing and len(shape) == 2 and given == shape[:1]:
        return softmax_cross_entropy(logits, target, reduction=reduction, ignore_index=ignore_index)
    axis = 0 if len(shape) == 1 else 1
    without = shape[:axis] + shape[axis + 1 :]
    if not shape or given not in (shape, without):
        cure = f"give class numbers of shape {without}, or probabilities of shape {shape}"
        if logits.dtype.kind in "biu" or len(given) > len(shape):
            cure = "the logits come first: write cross_entropy(model(x), y)"
        raise ValueError(f"cross_entropy got logits of shape {shape} and a target of shape {given}; {cure}")
    if whole != (given == without):
        kind = {"b": "booleans", "f": "floats", "i": "whole numbers", "u": "whole numbers"}.get(
            target.dtype.kind, "words"
        )
        cure = (
            f"target.astype(float), or target.argmax({axis}) for class numbers"
            if given == shape
            else "target.astype(int)"
        )
        if kind == "words":
            cure = "np.unique(target, return_inverse=True)[1]"
        raise TypeError(
            f"cross_entropy got a target of {kind} of shape {given}; class numbers are whole and of shape {without}, "
            f"probabilities are floats of shape {shape}: write {cure}"
        )
    _check_weight("cross_entropy", weight, shape[axis])
    if not whole:
        return _soft_cross_entropy(logits, target, weight, axis, label_smoothing, reduction)
    if len(shape) != 2:  # one row for each place
        logits = np.reshape(np.moveaxis(logits, axis, -1), (-1, shape[axis]))
        target = np.reshape(target, -1)
    if weight is None and not label_smoothing:
        losses = softmax_cross_entropy(logits, target, reduction=reduction, ignore_index=ignore_index)
    else:
        losses = _weighted_cross_entropy(logits, target, weight, ignore_index, label_smoothing, reduction)
    return np.reshape(losses, without) if reduction == "none" and len(shape) != 2 else losses


@in_float32
def _soft_cross_entropy(
    logits: Any, target: Any, weight: Any, axis: int, label_smoothing: float, reduction: str
) -> Any:
    """−Σⱼ wⱼ·tᵢⱼ·log softmax(xᵢ)ⱼ for targets that are probabilities."""
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / logits.shape[axis]
    if weight is not None:
        target = target * np.reshape(weight, (-1,) + (1,) * (logits.ndim - axis - 1))
    return _reduced(-np.sum(weighed(target, log_softmax(logits, axis=axis)), axis=axis), reduction)


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
    return _reduced(losses, reduction)


@in_float32
def _weighted_mean(losses: Any, target: Any, kept: Any, weight: Any) -> Any:
    """Σ ℓ / Σ w of the rows that are kept, with the weight of each row's class; without weights, Σ ℓ / n."""
    if weight is None:
        return np.sum(losses) / np.sum(kept, dtype=losses.dtype)
    return np.sum(losses) / np.sum(np.where(kept, take(weight, np.where(kept, target, 0)), 0))


def nll_loss(
    log_probabilities: Any, target: Any, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Any:
    """L = mean of −log p[target]: the negative log-likelihood, for `log_softmax` outputs.

    log_probabilities: (N, classes). target: (N,) class numbers; those equal to `ignore_index` are left out.
    weight: (classes,), how much each class counts; the mean is then the weighted one.

    Raises IndexError for a class number out of range.
    """
    _refuse_none("nll_loss", log_probabilities, target)
    log_probabilities, target = array(log_probabilities), array(target)
    shape = log_probabilities.shape
    _check_reduction(reduction)
    if len(shape) != 2 or target.shape != shape[:1]:
        swapped = "; the log-probabilities come first" if target.ndim > len(shape) else ""
        raise ValueError(
            f"nll_loss takes (N, classes) and class numbers (N,), but got {shape} and {target.shape}{swapped}"
        )
    if target.dtype.kind not in "iu":
        raise TypeError(
            f"nll_loss takes class numbers, which are whole, but got {target.dtype}; write target.astype(int)"
        )
    _check_weight("nll_loss", weight, shape[1])
    kept = target != ignore_index
    classes = class_numbers(target, shape[1], ignore_index)
    picked = np.take_along_axis(log_probabilities, classes[:, None], 1)[:, 0]
    if weight is not None:
        picked = weighed(take(weight, classes), picked)
    losses = np.where(kept, -picked, 0)
    return _weighted_mean(losses, target, kept, weight) if reduction == "mean" else _reduced(losses, reduction)


def binary_cross_entropy(probability: Any, target: Any, *, reduction: str = "mean") -> Any:
    """L = mean of −t·log p − (1 − t)·log(1 − p), each logarithm at least −100. The shapes must be equal.

    For logits, `binary_cross_entropy_with_logits` is exact where p rounds to 0 or 1.
    """
    probability, target = _same_shape("binary_cross_entropy", probability, target)
    return _reduced(probability_cross_entropy(probability, target), reduction)


def binary_cross_entropy_with_logits(logits: Any, target: Any, *, reduction: str = "mean") -> Any:
    """L = mean of −t·log σ(x) − (1 − t)·log(1 − σ(x)), finite for every x, with the gradient (σ(x) − t)/N.

    >>> float(binary_cross_entropy_with_logits(np.array([1e4, 0.0]), np.array([1.0, 0.0])))
    0.34657359027997264
    """
    logits, target = _same_shape("binary_cross_entropy_with_logits", logits, target)
    return _reduced(sigmoid_cross_entropy(logits, target), reduction)


# ---------------------------------------------------------------------------------------------------
# What the losses share


def _same_shape(what: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Both as tensors or arrays. (N,) against (N, 1) would broadcast to (N, N), and train on nonsense."""
    _refuse_none(what, prediction, target)
    prediction, target = array(prediction), array(target)
    if prediction.shape != target.shape:
        raise ValueError(
            f"{what} got a prediction of shape {prediction.shape} and a target of shape {target.shape}; "
            "they must be equal: reshape or squeeze one of them"
        )
    return prediction, target


def _refuse_none(what: str, prediction: Any, target: Any) -> None:
    for called, value in (("prediction", prediction), ("target", target)):
        if value is None:
            raise TypeError(f"{what} got None for the {called}; does forward() end with `return`, and its result?")


def _check_weight(what: str, weight: Any, classes: int) -> None:
    """Raise ValueError for weights that are not one for each class: more would be left out, and one broadcast."""
    if weight is not None and np.shape(weight) != (classes,):
        raise ValueError(
            f"{what} takes a weight for each of the {classes} classes, of shape ({classes},), but got {np.shape(weight)}"
        )


def _check_reduction(reduction: str) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is 'mean', 'sum' or 'none', but got {reduction!r}")


def _reduced(losses: Any, reduction: str) -> Any:
    _check_reduction(reduction)
    if reduction == "none":
        return losses
    return np.mean(losses) if reduction == "mean" else np.sum(losses)

"""Metrics of scores at every threshold: ROC and precision-recall curves, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.train.metrics.metric import Gathered
from tinygrad_edu.train.metrics.reading import Numbers, as_array, refuse_nan, scores, whole, within

Floats = NDArray[np.float64]
Curve = tuple[Floats, Floats, Floats]
Over = Literal["macro", "weighted"] | None


def roc_curve(prediction: Numbers, target: Numbers) -> Curve:
    """The rates of false and true positives at every threshold s, where what scores ≥ s counts as class 1.

    FPR(s) = FP / (FP + TN) is the share of class 0 that scores ≥ s, and TPR(s) = TP / (TP + FN) the share of class 1.
    It returns
    FPR, TPR and the thresholds, which fall: the first is ∞, where both rates are 0, and then each score that occurs
    follows. The rate of a class that is absent is NaN.

    prediction: scores (N,), probabilities or logits.
    target: 0 or 1, (N,).

    Source: Fawcett, *An introduction to ROC analysis* (2006).

    >>> fpr, tpr, thresholds = roc_curve([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    >>> fpr.tolist(), tpr.tolist(), thresholds.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0], [inf, 0.8, 0.4, 0.35, 0.1])
    """
    false, true, thresholds = _counts(*_binary(prediction, target, "the ROC curve"))
    false, true = np.concatenate([[0], false]), np.concatenate([[0], true])
    return _part(false), _part(true), np.concatenate([[np.inf], thresholds])


def precision_recall_curve(prediction: Numbers, target: Numbers) -> Curve:
    """Precision and recall of class 1 at every threshold s, where what scores ≥ s is predicted to be class 1.

    It returns precision and recall, which have a last point (1, 0) without a threshold, and the thresholds, which grow.
    If class 1 is absent, recall is 1 by convention.

    prediction: scores (N,), probabilities or logits.
    target: 0 or 1, (N,).

    >>> precision, recall, thresholds = precision_recall_curve([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    >>> precision.round(2).tolist(), recall.tolist(), thresholds.tolist()
    ([0.5, 0.67, 0.5, 1.0, 1.0], [1.0, 1.0, 0.5, 0.5, 0.0], [0.1, 0.35, 0.4, 0.8])
    """
    false, true, thresholds = _counts(*_binary(prediction, target, "the precision-recall curve"))
    recall = true / true[-1] if true[-1] else np.ones(len(true))
    return np.append((true / (true + false))[::-1], 1.0), np.append(recall[::-1], 0.0), thresholds[::-1]


def auroc(
    prediction: Numbers,
    target: Numbers,
    *,
    multi_class: Literal["ovr", "ovo"] = "ovr",
    average: Over = "macro",
) -> Any:
    """The area under the ROC curve: the probability that one of class 1 scores above one of class 0, where ties count
    half.

    It is NaN where a class, or the rest, is absent. A mean of it is NaN then too, unless that class weighs nothing.

    prediction: scores (N,), or (N, classes).
    target: 0 and 1, (N,), for scores (N,); else class numbers (N,).
    multi_class: "ovr" takes each class against the rest; "ovo" takes each pair of classes that occur, by the scores of
        the one and of the other.
    average: "macro"; "weighted" by how often classes or pairs occur; None, with "ovr", for one number a class.

    Source: Hand and Till, *A simple generalisation of the area under the ROC curve* (2001), for "ovo".

    >>> auroc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    """
    given, true = as_array(prediction), whole(target, "AUROC")
    if given.ndim == 1:
        return _area(*_binary(given, true, "AUROC"))
    if multi_class not in ("ovr", "ovo"):
        raise ValueError(f"AUROC takes multi_class='ovr' or 'ovo', but got {multi_class!r}")
    if multi_class == "ovr":
        return _over_classes(_area, given, true, average, "AUROC")
    if average is None:
        raise ValueError(
            "AUROC of pairs of classes is one number: average='macro' or 'weighted' with multi_class='ovo'"
        )
    _check_average(average, "AUROC")
    scores(given, true, "AUROC")
    areas, sizes = [], []
    for a, b in combinations(np.unique(true), 2):
        pair = (true == a) | (true == b)
        is_a = true[pair] == a
        areas.append((_area(given[pair, a], is_a) + _area(given[pair, b], ~is_a)) / 2)
        sizes.append(np.count_nonzero(pair))
    if not areas:
        return float("nan")
    return float(np.average(areas, weights=sizes if average == "weighted" else None))


def average_precision(prediction: Numbers, target: Numbers, *, average: Over = "macro") -> Any:
    """AP = Σₙ (Rₙ − Rₙ₋₁)·Pₙ over falling thresholds: it is the precision, averaged over the recall without
    interpolation.

    prediction: scores (N,), or (N, classes), where each class is taken against the rest.
    target: 0 and 1, (N,), for scores (N,); else class numbers (N,).
    average: "macro", "weighted" by how often classes occur, or None for one number a class. A class that is absent has
        0.

    >>> round(average_precision([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]), 4)
    0.8333
    """
    given, true = as_array(prediction), whole(target, "average precision")
    if given.ndim == 1:
        return _mean_precision(*_binary(given, true, "average precision"))
    return _over_classes(_mean_precision, given, true, average, "average precision")


def _binary(prediction: Numbers, target: Numbers, who: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The scores, and whether each is of class 1."""
    given, true = as_array(prediction), whole(target, who)
    if given.shape != true.shape or given.ndim != 1 or not len(given):
        raise ValueError(f"{who} takes scores (N,) and classes 0 and 1 (N,), but got {given.shape} and {true.shape}")
    refuse_nan(given, who)
    within(true, 2, who)
    return given, true == 1


def _counts(given: NDArray[Any], positive: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any], Floats]:
    """How many of class 0 and 1 score at least each score that occurs, from the highest on, and those scores."""
    order = np.argsort(given, kind="stable")[::-1]
    falling = given[order]
    last = np.append(
        np.flatnonzero(falling[1:] != falling[:-1]), len(falling) - 1
    )  # the last of each run of equal scores
    true = np.cumsum(positive[order])[last]
    return 1 + last - true, true, falling[last].astype(np.float64)


def _part(counts: NDArray[Any]) -> Floats:
    """Counts as shares of the last one, which counts all; NaN where that is 0."""
    return counts / counts[-1] if counts[-1] else np.full(len(counts), np.nan)


def _area(given: NDArray[Any], positive: NDArray[np.bool_]) -> float:
    """The area under the ROC curve, by trapezia; NaN if a class is absent."""
    false, true, _ = _counts(given, positive)
    widths, twice = (
        np.diff(false, prepend=0),
        true + np.concatenate([[0], true[:-1]]),
    )  # whole numbers, so the sum is exact
    whole_area = int(false[-1]) * int(true[-1])
    return int((widths * twice).sum()) / (2 * whole_area) if whole_area else float("nan")


def _mean_precision(given: NDArray[Any], positive: NDArray[np.bool_]) -> float:
    """Σ (Rₙ − Rₙ₋₁)·Pₙ; 0 if class 1 is absent."""
    false, true, _ = _counts(given, positive)
    return float((np.diff(true, prepend=0) * (true / (true + false))).sum() / true[-1]) if true[-1] else 0.0


def _over_classes(
    of: Callable[[NDArray[Any], NDArray[np.bool_]], float],
    given: NDArray[Any],
    true: NDArray[np.int64],
    average: Over,
    who: str,
) -> Any:
    """The number for each class against the rest, or their average."""
    _check_average(average, who)
    scores(given, true, who)
    if given.ndim != 2:
        raise ValueError(f"{who} takes scores (N,) or (N, classes), but got {given.shape}")
    each = np.array([of(given[:, k], true == k) for k in range(given.shape[1])])
    if average is None:
        return each
    if average == "macro":
        return float(np.mean(each))
    times = np.bincount(true, minlength=len(each))
    return float(
        np.average(np.where(times, each, 0), weights=times)
    )  # a class that never occurs weighs nothing, even if it is NaN


def _check_average(average: Over, who: str) -> None:
    if average not in ("macro", "weighted", None):
        raise ValueError(f"{who} takes average='macro', 'weighted' or None, but got {average!r}")


# ---------------------------------------------------------------------------------------------------
# Over batches: all scores are kept, because a threshold applies to all of them


class ROCCurve(Gathered):
    """The ROC curve over batches, whose scores are all kept until the end; see `roc_curve`.

    >>> fpr, tpr, thresholds = ROCCurve().update([0.2, 0.7], [0, 1]).update([0.5], [1]).compute()
    >>> tpr.tolist()
    [0.0, 0.5, 1.0, 1.0]
    """

    def result(self) -> Curve:
        """The curve of all batches."""
        return roc_curve(*self.all())


class PrecisionRecallCurve(Gathered):
    """The precision-recall curve over batches, whose scores are all kept until the end; see `precision_recall_curve`.

    >>> precision, recall, thresholds = PrecisionRecallCurve().update([0.2, 0.7], [0, 1]).compute()
    >>> precision.tolist(), recall.tolist()
    ([0.5, 1.0, 1.0], [1.0, 1.0, 0.0])
    """

    def result(self) -> Curve:
        """The curve of all batches."""
        return precision_recall_curve(*self.all())


class AUROC(Gathered):
    """The area under the ROC curve over batches, whose scores are all kept until the end; see `auroc`.

    multi_class: "ovr" takes each class against the rest, "ovo" each pair of classes.
    average: "macro", "weighted", or None for one number a class.

    >>> AUROC().update([0.1, 0.4], [0, 0]).update([0.35, 0.8], [1, 1]).compute()
    0.75
    """

    def __init__(self, multi_class: Literal["ovr", "ovo"] = "ovr", average: Over = "macro") -> None:
        self.multi_class, self.average = multi_class, average

    def result(self) -> Any:
        """The area of all batches."""
        return auroc(*self.all(), multi_class=self.multi_class, average=self.average)


class AveragePrecision(Gathered):
    """The average precision over batches, whose scores are all kept until the end; see `average_precision`.

    average: "macro", "weighted", or None for one number a class.

    >>> AveragePrecision().update([0.1, 0.4], [0, 1]).update([0.8], [1]).compute()
    1.0
    """

    def __init__(self, average: Over = "macro") -> None:
        self.average = average

    def result(self) -> Any:
        """The average precision of all batches."""
        return average_precision(*self.all(), average=self.average)

"""Metrics: how good predictions are, as functions of a prediction and a target, and as objects that gather batches.

`accuracy(model(x), y)` gives the number of one batch at once. `Accuracy` gathers it over several:

    judge = Accuracy()
    for x, y in loader:
        judge.update(model(x), y)
    judge.compute()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from tinygrad_edu.engine.elsewhere import meant
from tinygrad_edu.train.metrics.classification import (
    Accuracy,
    ConfusionMatrix,
    F1Score,
    Precision,
    Recall,
    TopKAccuracy,
    accuracy,
    confusion_matrix,
    f1_score,
    precision,
    recall,
    top_k_accuracy,
)
from tinygrad_edu.train.metrics.metric import Mean, Metric
from tinygrad_edu.train.metrics.probability import LogLoss, log_loss
from tinygrad_edu.train.metrics.ranking import (
    AUROC,
    AveragePrecision,
    PrecisionRecallCurve,
    ROCCurve,
    auroc,
    average_precision,
    precision_recall_curve,
    roc_curve,
)
from tinygrad_edu.train.metrics.regression import (
    MeanAbsoluteError,
    MeanSquaredError,
    R2Score,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
)

__all__ = [
    "AUROC",
    "Accuracy",
    "AveragePrecision",
    "ConfusionMatrix",
    "F1Score",
    "LogLoss",
    "Mean",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "Precision",
    "PrecisionRecallCurve",
    "R2Score",
    "ROCCurve",
    "Recall",
    "TopKAccuracy",
    "accuracy",
    "auroc",
    "average_precision",
    "confusion_matrix",
    "f1_score",
    "log_loss",
    "mean_absolute_error",
    "mean_squared_error",
    "named",
    "precision",
    "precision_recall_curve",
    "r2_score",
    "recall",
    "roc_curve",
    "top_k_accuracy",
]

OF_CLASSES: Mapping[str, Callable[..., Metric]] = {
    "accuracy": Accuracy,
    **{
        name + (f"_{average}" if average != "binary" else ""): partial(kind, average)
        for name, kind in {"precision": Precision, "recall": Recall, "f1": F1Score}.items()
        for average in ("binary", "macro", "micro", "weighted")
    },
}
"""The metrics that compare a number with a threshold, where a prediction has one a row; by name."""

OTHERS: Mapping[str, Callable[[], Metric]] = {
    "top_k_accuracy": TopKAccuracy,
    "auroc": AUROC,
    "auroc_ovo": partial(AUROC, "ovo"),
    "average_precision": AveragePrecision,
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "r2": R2Score,
}


def named(name: str, *, logits: bool = False) -> Metric:
    """Make the metric of a name, such as "accuracy", "f1_macro", "auroc", "log_loss" or "mse".

    name: the name.
    logits: whether the metric will be given logits rather than probabilities.

    Raises ValueError for a name that does not exist; it says which exist, or which is near.

    >>> named("f1_macro"), named("accuracy", logits=True)
    (F1Score(classes=None, threshold=0.5, average='macro'), Accuracy(threshold=0.0))
    """
    if name in OF_CLASSES:
        return OF_CLASSES[name](threshold=0.0 if logits else 0.5)
    if name == "log_loss":
        return LogLoss(from_logits=logits)
    if name in OTHERS:
        return OTHERS[name]()
    known = [*OF_CLASSES, "log_loss", *OTHERS]
    cure = meant(name, known, "{!r}") or f"; there are {', '.join(known)}"
    raise ValueError(f"there is no metric {name!r}{cure}")

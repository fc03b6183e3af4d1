"""Metrics of probabilities: the log loss, which is what statistics calls cross-entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_edu.nn import functional as F
from tinygrad_edu.train.metrics.metric import Metric
from tinygrad_edu.train.metrics.reading import Numbers, as_array, refuse_nan, scores, whole, within


class LogLoss(Metric):
    """L = mean of −log p[t]: it is the cross-entropy of probabilities. See `log_loss` for what it is given.

    from_logits: whether it is given logits rather than probabilities.

    >>> round(LogLoss().update([[0.5, 0.5]], [0]).update([[0.9, 0.1]], [0]).compute(), 4)
    0.3993
    """

    higher_is_better = False
    total: float
    count: int

    def __init__(self, from_logits: bool = False) -> None:
        self.from_logits = from_logits

    def start(self) -> dict[str, Any]:
        """The sum, and the number of targets."""
        return {"total": 0.0, "count": 0}

    def add(self, prediction: Any, target: Any) -> None:
        """Add a batch, in float64."""
        given, true = as_array(prediction), whole(target, "log loss")
        eps = float(np.finfo(given.dtype).eps) if given.dtype.kind == "f" else float(np.finfo(float).eps)
        if given.shape == true.shape:  # it is the probability of class 1, and class 0 has the rest
            refuse_nan(given, "log loss")
            within(true, 2, "log loss")
            given = given.reshape(-1).astype(np.float64)
            given = np.stack([-given, given] if self.from_logits else [1 - given, given], axis=1)
            log = F.logsigmoid(given) if self.from_logits else _log(given, eps)
        else:
            scores(given, true, "log loss")
            given = np.moveaxis(given.astype(np.float64), 1, -1).reshape(-1, given.shape[1])
            log = F.log_softmax(given, axis=1) if self.from_logits else _log(given, eps)
        true = true.reshape(-1)
        self.total -= float(np.take_along_axis(log, true[:, None], axis=1).sum())
        self.count += len(true)

    def result(self) -> float:
        """The mean of −log p[t] over all targets."""
        return self.total / self.count


def _log(p: Any, eps: float) -> Any:
    """log p, with p cut to between ε and 1 − ε. Raises ValueError for rows that are no probabilities."""
    sums = p.sum(axis=1)
    if p.min(initial=0) < 0 or p.max(initial=0) > 1 or (abs(sums - 1) > eps**0.5).any():
        raise ValueError(
            "log loss takes probabilities, from 0 to 1, that add up to 1 in each row; write from_logits=True for logits"
        )
    return np.log(np.clip(p, eps, 1 - eps))


def log_loss(prediction: Numbers, target: Numbers, *, from_logits: bool = False) -> float:
    """L = mean of −log p[t], which is the cross-entropy of probabilities.

    p is cut to between ε and 1 − ε, where ε is 2⁻⁵² in float64, so that L is finite.

    prediction: probabilities (N, classes, …), or (N, …) of class 1 of two.
    target: class numbers (N, …).
    from_logits: whether the prediction holds logits, which softmax or the sigmoid turns into probabilities.

    Raises ValueError for what are no probabilities.

    >>> round(log_loss([0.9, 0.2], [1, 0]), 4), round(log_loss([[0.0, 0.0]], [1], from_logits=True), 4)
    (0.1643, 0.6931)
    """
    return float(LogLoss(from_logits).update(prediction, target).compute())

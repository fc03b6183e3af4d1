"""Metrics of numbers: how far predicted numbers are from the right ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.train.metrics.metric import Metric
from tinygrad_edu.train.metrics.reading import Numbers, as_array, refuse_nan


class MeanSquaredError(Metric):
    """The mean of (y − t)² over all elements; it is given predictions y and targets t of the same shape.

    >>> MeanSquaredError().update([1.0, 2.0], [1.0, 4.0]).update([0.0], [1.0]).compute()
    1.6666666666666667
    """

    higher_is_better = False
    total: float
    count: int

    def start(self) -> dict[str, Any]:
        """The sum, and the number of elements."""
        return {"total": 0.0, "count": 0}

    def add(self, prediction: Any, target: Any) -> None:
        """Add a batch."""
        predicted, true = _alike(prediction, target, type(self).__name__)
        self.total += float(self.error(predicted - true).sum())
        self.count += true.size

    def error(self, difference: Any) -> Any:
        """The square of a difference, which is averaged."""
        return np.square(difference)

    def result(self) -> float:
        """The mean over all elements."""
        return self.total / self.count


class MeanAbsoluteError(MeanSquaredError):
    """The mean of |y − t| over all elements; it is given predictions y and targets t of the same shape.

    >>> MeanAbsoluteError().update([1.0, 2.0], [1.0, 4.0]).compute()
    1.0
    """

    def error(self, difference: Any) -> Any:
        """The absolute value of a difference, which is averaged."""
        return np.abs(difference)


class R2Score(Metric):
    """R² = 1 − Σ(y − t)² / Σ(t − t̄)²: it is 1 for perfect predictions, and 0 for predicting the mean.

    Of several columns, it is the mean of theirs. Where t is constant, it is 1 if the prediction is perfect, else 0; of
    one row it is NaN. All this is as in scikit-learn. Sums about the mean are merged batch by batch by the formula of
    Chan, Golub and LeVeque, because Σt² − n·t̄² would lose digits.

    Source: Chan, Golub and LeVeque, *Algorithms for computing the sample variance* (1983).

    >>> round(R2Score().update([2.5, 0.0, 2.0], [3.0, -0.5, 2.0]).update([8.0], [7.0]).compute(), 4)
    0.9486
    """

    count: int
    residual: Any
    mean: Any
    about: Any

    def start(self) -> dict[str, Any]:
        """Σ(y − t)², t̄, Σ(t − t̄)², and the number of rows."""
        return {"count": 0, "residual": 0.0, "mean": 0.0, "about": 0.0}

    def add(self, prediction: Any, target: Any) -> None:
        """Merge a batch."""
        predicted, true = _alike(prediction, target, type(self).__name__)
        n, m = self.count, len(true)
        mean = true.mean(axis=0)
        apart = mean - self.mean
        self.residual = self.residual + np.square(predicted - true).sum(axis=0)
        self.about = (
            self.about + np.square(true - mean).sum(axis=0) + (np.square(apart) * (n * m / (n + m)) if n else 0)
        )
        self.mean = self.mean + apart * (m / (n + m)) if n else mean
        self.count = n + m

    def result(self) -> float:
        """1 − Σ(y − t)² / Σ(t − t̄)², or the mean of it over columns."""
        if self.count < 2:
            return float("nan")
        residual, about = np.asarray(self.residual), np.asarray(self.about)
        perfect = np.where(residual == 0, 1.0, 0.0)
        return float(np.mean(np.where(about == 0, perfect, 1 - residual / np.where(about == 0, 1, about))))


def mean_squared_error(prediction: Numbers, target: Numbers) -> float:
    """The mean of (y − t)² over all elements.

    prediction, target: y and t, which have the same shape.

    Raises ValueError where the shapes differ.

    >>> mean_squared_error([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    return float(MeanSquaredError().update(prediction, target).compute())


def mean_absolute_error(prediction: Numbers, target: Numbers) -> float:
    """The mean of |y − t| over all elements.

    prediction, target: y and t, which have the same shape.

    Raises ValueError where the shapes differ.

    >>> mean_absolute_error([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    return float(MeanAbsoluteError().update(prediction, target).compute())


def r2_score(prediction: Numbers, target: Numbers) -> float:
    """R² = 1 − Σ(y − t)² / Σ(t − t̄)²: it is 1 for perfect predictions, and 0 for predicting the mean. See `R2Score`.

    prediction, target: y and t, which have the same shape.

    Raises ValueError where the shapes differ.

    >>> r2_score([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.7857142857142857
    """
    return float(R2Score().update(prediction, target).compute())


def _alike(prediction: Numbers, target: Numbers, who: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return predictions and targets as float64, in which sums are made. Raises ValueError where their shapes differ."""
    given, true = as_array(prediction), as_array(target)
    if given.shape != true.shape or given.ndim == 0:
        raise ValueError(
            f"{who} takes a prediction and a target of one shape, (N, …), but got {given.shape} and {true.shape}; write "
            "prediction.reshape(target.shape) where they hold the same"
        )
    refuse_nan(given, who)
    return given.astype(np.float64, copy=False), true.astype(np.float64, copy=False)

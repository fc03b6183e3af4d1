"""Metrics of classes: accuracy, and what follows from the confusion matrix."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.train.metrics.metric import Metric
from tinygrad_edu.train.metrics.reading import Numbers, as_array, classes_of, scores, whole

Average = Literal["binary", "micro", "macro", "weighted"] | None


class Accuracy(Metric):
    """The share of predictions that are right: mean of [ŷ = t]. See `accuracy` for what it is given.

    threshold: from where on a float counts as class 1, where the prediction has one number a row: 0.5 for
        probabilities, 0 for logits.

    >>> Accuracy().update([[0.1, 0.9], [0.8, 0.2]], [1, 1]).update([[0.7, 0.3]], [0]).compute()
    0.6666666666666666
    """

    right: int
    count: int

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def start(self) -> dict[str, Any]:
        """How many predictions are right, and how many there are."""
        return {"right": 0, "count": 0}

    def add(self, prediction: Any, target: Any) -> None:
        """Count a batch."""
        predicted, true, _ = classes_of(prediction, target, "accuracy", self.threshold)
        self.right += int(np.count_nonzero(predicted == true))
        self.count += len(true)

    def result(self) -> float:
        """The share that is right."""
        return self.right / self.count


class TopKAccuracy(Metric):
    """The share of rows in which the right class is among the k with the highest scores.

    It is given scores (N, classes) and targets (N,). Of equal scores, those of later classes come first, as in
    scikit-learn.

    k: how many classes count, at least 1.

    Raises ValueError for a k below 1.

    >>> TopKAccuracy(k=2).update([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], [1, 2]).compute()
    0.5
    """

    right: int
    count: int

    def __init__(self, k: int = 2) -> None:
        if k < 1:
            raise ValueError(f"top-k accuracy takes k from 1 on, but got {k}")
        self.k = k

    def start(self) -> dict[str, Any]:
        """How many rows are right, and how many there are."""
        return {"right": 0, "count": 0}

    def add(self, prediction: Any, target: Any) -> None:
        """Count a batch. A row is right if fewer than k classes come before the true one."""
        given, true = as_array(prediction), whole(target, "top-k accuracy")
        scores(given, true, "top-k accuracy")
        own = np.take_along_axis(given, true[:, None], axis=1)
        later = np.arange(given.shape[1]) > true[:, None]
        before = np.count_nonzero((given > own) | ((given == own) & later), axis=1)
        self.right += int(np.count_nonzero(before < self.k))
        self.count += len(true)

    def result(self) -> float:
        """The share that is right."""
        return self.right / self.count


class ConfusionMatrix(Metric):
    """Cᵢⱼ, how many rows of class i were taken for class j: a matrix (classes, classes) of whole numbers.

    Rows are the truth and columns the prediction, as in scikit-learn.

    classes: the number of classes; by default as many as are seen, in scores or numbers.
    threshold: from where on a float counts as class 1; see `Accuracy`.

    Raises ValueError for a class number that is too large.

    >>> ConfusionMatrix().update([0, 1, 1], [0, 1, 0]).compute()
    array([[1, 1],
           [0, 1]])
    """

    counts: NDArray[np.int64]
    _called: ClassVar[str] = "the confusion matrix"

    def __init__(self, classes: int | None = None, threshold: float = 0.5) -> None:
        self.classes, self.threshold = classes, threshold

    def start(self) -> dict[str, Any]:
        """The matrix of zeros, as large as it is known to be."""
        return {"counts": np.zeros((self.classes or 0, self.classes or 0), np.int64)}

    def add(self, prediction: Any, target: Any) -> None:
        """Count a batch."""
        predicted, true, seen = classes_of(prediction, target, self._called, self.threshold)
        n = len(self.counts)
        if seen > n:
            if self.classes is not None:
                raise ValueError(
                    f"{self._called} has classes={self.classes}, but class {seen - 1} is among what it is given"
                )
            self.counts = np.pad(self.counts, (0, seen - n))
            n = seen
        self.counts += np.bincount(n * true + predicted, minlength=n * n).reshape(n, n)

    def result(self) -> Any:
        """The counts (classes, classes) so far, where row t, column p counts examples of class t taken for p; a copy."""
        return self.counts.copy()


class _OfCounts(ConfusionMatrix):
    """The base of quotients of counts of the confusion matrix, for each class: its hits, divided by some of its rows.

    average: "binary", "macro", "weighted", "micro" or None; see `precision`.
    classes, threshold: as for `ConfusionMatrix`.
    """

    def __init__(self, average: Average = "binary", *, classes: int | None = None, threshold: float = 0.5) -> None:
        if average not in ("binary", "micro", "macro", "weighted", None):
            raise ValueError(
                f"{self._called} takes average='binary', 'micro', 'macro', 'weighted' or None, but got {average!r}"
            )
        super().__init__(classes, threshold)
        self.average = average

    def of(self, hits: Any, predicted: Any, true: Any) -> tuple[Any, Any]:
        """Dividend and divisor, from how often classes are rightly predicted, predicted, and true; a subclass writes
        this method.
        """
        raise NotImplementedError(f"{type(self).__name__} has no of(self, hits, predicted, true): write it")

    def result(self) -> Any:
        """The average, or the quotients of all classes."""
        hits, predicted, true = self.counts.diagonal(), self.counts.sum(0), self.counts.sum(1)
        if self.average == "micro":
            return float(_quotient(*self.of(hits.sum(), predicted.sum(), true.sum())))
        each = _quotient(*self.of(hits, predicted, true))
        if self.average is None:
            return each
        if self.average == "binary":
            if len(each) > 2:
                raise ValueError(
                    f"{self._called} with average='binary' is that of class 1 of two, but there are {len(each)}; write "
                    "average='macro', 'micro' or 'weighted', or None for each class"
                )
            return float(each[1]) if len(each) == 2 else 0.0
        weights = true if self.average == "weighted" else (predicted + true) > 0
        return float(np.average(each, weights=weights))


def _quotient(dividend: Any, divisor: Any) -> Any:
    """dividend / divisor, and 0 where the divisor is 0."""
    return np.divide(dividend, divisor, out=np.zeros(np.shape(divisor)), where=np.asarray(divisor) != 0)


class Precision(_OfCounts):
    """The share of what is predicted to be a class that is this class: TP / (TP + FP).

    average: "binary", "macro", "weighted", "micro" or None; see `precision`.
    classes, threshold: as for `ConfusionMatrix`.

    >>> Precision().update([1, 1, 1, 0], [1, 0, 1, 1]).compute()
    0.6666666666666666
    """

    _called = "precision"

    def of(self, hits: Any, predicted: Any, true: Any) -> tuple[Any, Any]:
        """The hits, divided by the predictions."""
        return hits, predicted


class Recall(_OfCounts):
    """The share of what is a class that is predicted to be this class: TP / (TP + FN).

    average: "binary", "macro", "weighted", "micro" or None; see `precision`.
    classes, threshold: as for `ConfusionMatrix`.

    >>> Recall(average=None).update([1, 1, 1, 0], [1, 0, 1, 1]).compute()
    array([0.        , 0.66666667])
    """

    _called = "recall"

    def of(self, hits: Any, predicted: Any, true: Any) -> tuple[Any, Any]:
        """The hits, divided by the true ones."""
        return hits, true


class F1Score(_OfCounts):
    """The harmonic mean of precision and recall, which is 2·TP / (2·TP + FP + FN).

    average: "binary", "macro", "weighted", "micro" or None; see `precision`.
    classes, threshold: as for `ConfusionMatrix`.

    >>> round(F1Score("macro").update([0, 1, 2, 2], [0, 1, 1, 2]).compute(), 4)
    0.7778
    """

    _called = "the F1 score"

    def of(self, hits: Any, predicted: Any, true: Any) -> tuple[Any, Any]:
        """Twice the hits, divided by predictions and true ones together."""
        return 2 * hits, predicted + true


def accuracy(prediction: Numbers, target: Numbers, *, threshold: float = 0.5) -> float:
    """The share of predictions that are right: mean of [ŷ = t].

    prediction: class numbers (N, …); or floats (N, …), which are class 1 from `threshold` on; or scores (N, classes,
        …), of which the largest counts, the first of equal ones.
    target: class numbers (N, …).
    threshold: 0.5 for probabilities, 0 for logits.

    >>> accuracy([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]], [1, 0, 0])
    0.6666666666666666
    """
    return float(Accuracy(threshold).update(prediction, target).compute())


def top_k_accuracy(prediction: Numbers, target: Numbers, *, k: int = 2) -> float:
    """The share of rows in which the right class is among the k with the highest scores.

    prediction: scores (N, classes); of equal scores, those of later classes come first.
    target: class numbers (N,).
    k: how many classes count, at least 1.

    >>> top_k_accuracy([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], [1, 2], k=2)
    0.5
    """
    return float(TopKAccuracy(k).update(prediction, target).compute())


def confusion_matrix(
    prediction: Numbers, target: Numbers, *, classes: int | None = None, threshold: float = 0.5
) -> NDArray[np.int64]:
    """Cᵢⱼ, how many rows of class i were taken for class j: a matrix (classes, classes) of whole numbers.

    prediction, target, threshold: as for `accuracy`.
    classes: the number of classes; by default as many as are seen.

    >>> confusion_matrix([0, 1, 1], [0, 1, 0]).tolist()
    [[1, 1], [0, 1]]
    """
    matrix: NDArray[np.int64] = ConfusionMatrix(classes, threshold).update(prediction, target).compute()
    return matrix


def precision(
    prediction: Numbers,
    target: Numbers,
    *,
    average: Average = "binary",
    classes: int | None = None,
    threshold: float = 0.5,
) -> Any:
    """The share of what is predicted to be a class that is this class: TP / (TP + FP).

    A class that is never predicted has precision 0.

    prediction, target, threshold: as for `accuracy`.
    average: "binary", the precision of class 1 of two; "macro", the mean over the classes that are predicted or true
    somewhere; "weighted", the same with each class counted as often as it is true; "micro", that of all classes
    together; None, an array of one for each class.
    classes: the number of classes, if there are more than can be seen.

    >>> precision([0, 1, 2, 2], [0, 1, 1, 2], average=None).tolist()
    [1.0, 1.0, 0.5]
    """
    return Precision(average, classes=classes, threshold=threshold).update(prediction, target).compute()


def recall(
    prediction: Numbers,
    target: Numbers,
    *,
    average: Average = "binary",
    classes: int | None = None,
    threshold: float = 0.5,
) -> Any:
    """The share of what is a class that is predicted to be this class: TP / (TP + FN).

    prediction, target, threshold: as for `accuracy`.
    average, classes: as for `precision`.

    >>> recall([0, 1, 2, 2], [0, 1, 1, 2], average="macro")
    0.8333333333333334
    """
    return Recall(average, classes=classes, threshold=threshold).update(prediction, target).compute()


def f1_score(
    prediction: Numbers,
    target: Numbers,
    *,
    average: Average = "binary",
    classes: int | None = None,
    threshold: float = 0.5,
) -> Any:
    """The harmonic mean of precision and recall, which is 2·TP / (2·TP + FP + FN).

    prediction, target, threshold: as for `accuracy`.
    average, classes: as for `precision`.

    >>> f1_score([0.9, 0.6, 0.2], [1, 0, 0])
    0.6666666666666666
    """
    return F1Score(average, classes=classes, threshold=threshold).update(prediction, target).compute()

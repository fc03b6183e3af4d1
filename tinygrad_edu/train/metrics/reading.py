"""Turns what metrics are given into arrays, and checks it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.engine.tensor import Tensor

Numbers = Tensor | ArrayLike
"""What a metric takes: a tensor, an array, a series, a list."""


def as_array(x: Numbers) -> NDArray[Any]:
    """The numbers as an array, without their graph."""
    return x.ndarray if isinstance(x, Tensor) else np.asarray(x)


def whole(target: Numbers, who: str) -> NDArray[np.int64]:
    """Class numbers, in the shape that they have. Floats are taken if each is whole, as targets of `BCELoss` are.

    Raises ValueError for what is no class number.
    """
    array = as_array(target)
    if array.dtype.kind == "b":
        return array.astype(np.int64)
    if array.dtype.kind == "f":
        if not np.equal(array, np.rint(array)).all():  # NaN too is unequal
            raise ValueError(f"{who} takes class numbers 0, 1, … as its target, but got {_first(array)!r} among them")
    elif array.dtype.kind not in "iu":
        raise TypeError(f"{who} takes class numbers 0, 1, … as its target, but got {array.dtype}")
    if array.size and array.min() < 0:
        raise ValueError(f"{who} takes class numbers 0, 1, … as its target, but got {array.min()} among them")
    return array.astype(np.int64, copy=False)


def classes_of(
    prediction: Numbers, target: Numbers, who: str, threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """The predicted class numbers, the true ones, both (n,), and how many classes there are as far as can be seen.

    prediction: class numbers (N, …); or floats (N, …), of which what is ≥ `threshold` is class 1, else 0; or scores
    (N, classes, …), of which the largest counts, the first of equal ones.
    target: class numbers (N, …).
    who: the metric, for errors.
    threshold: from where on a float counts as class 1.

    Raises ValueError for other shapes, for NaN, and for a target that is none of the classes.
    """
    given, true = as_array(prediction), whole(target, who)
    if given.shape == true.shape:
        if given.dtype.kind != "f":
            seen = whole(given, who)
            n = 1 + max(int(seen.max(initial=0)), int(true.max(initial=0)))
            return seen.reshape(-1), true.reshape(-1), n
        refuse_nan(given, who)
        within(true, 2, who)
        return (given >= threshold).astype(np.int64).reshape(-1), true.reshape(-1), 2
    scores(given, true, who)
    return given.argmax(axis=1).reshape(-1), true.reshape(-1), given.shape[1]


def scores(given: NDArray[Any], true: NDArray[np.int64], who: str) -> None:
    """Raise ValueError for what are not scores (N, classes, …) of the targets (N, …), and for NaN."""
    if given.ndim != true.ndim + 1 or given.shape[:1] + given.shape[2:] != true.shape or given.shape[1] == 1:
        cure = ""
        if given.ndim == true.ndim == 2 and len(given) == len(true):
            cure = "; of one-hot targets write target.argmax(axis=1), of one column target[:, 0]"
        elif given.ndim == true.ndim + 1 and given.shape[1] == 1:
            cure = "; of one column write prediction[:, 0]"
        raise ValueError(
            f"{who} takes a prediction (N, …) or (N, classes, …) and a target (N, …), but got {given.shape} and "
            f"{true.shape}{cure}"
        )
    refuse_nan(given, who)
    within(true, given.shape[1], who)


def within(true: NDArray[np.int64], classes: int, who: str) -> None:
    """Raise ValueError for a class number that is not below `classes`."""
    if true.size and true.max() >= classes:
        raise ValueError(f"{who} is given predictions of {classes} classes, but the target has class {true.max()}")


def refuse_nan(given: NDArray[Any], who: str) -> None:
    """Raise ValueError where a number is NaN."""
    if given.dtype.kind == "f" and np.isnan(given).any():
        raise ValueError(
            f"{who} is given a prediction that is NaN; tg.detect_anomaly() names the operation it comes from"
        )


def _first(array: NDArray[Any]) -> float:
    """The first number that is not whole."""
    return float(array[array != np.rint(array)].flat[0])

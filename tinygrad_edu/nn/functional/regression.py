"""Losses of numbers: squared and absolute errors, and likelihoods of counts and of normal numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_edu.nn.functional import checks
from tinygrad_edu.nn.functional.checks import positive
from tinygrad_edu.nn.functional.targets import held, not_negative, reduced, same_shape
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A, ArrayLike


def mse_loss(prediction: A, target: ArrayLike, *, reduction: str = "mean") -> A:
    """L = mean of (y − t)², the mean squared error. Its gradient is 2(y − t)/n.

    prediction, target: y and t, of the same shape.
    reduction: "mean", "sum", or "none" for all squares.

    Raises ValueError where the shapes differ.

    >>> float(mse_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    2.0
    """
    y, t = same_shape("mse_loss", prediction, target)
    return reduced(np.square(np.subtract(y, t)), reduction)


def half_squared_error(prediction: A, target: ArrayLike, *, reduction: str = "sum") -> A:
    """L = ½ Σ (y − t)², as many textbooks write it, because its gradient is y − t. `sum_squared_error` is another name
    for it.

    prediction, target: y and t, of the same shape.
    reduction: "sum" as written, "mean" for ½ mean (y − t)², or "none".

    Raises ValueError where the shapes differ.

    >>> y = np.array([0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0])
    >>> round(float(half_squared_error(y, np.eye(10)[2])), 4)
    0.0975
    """
    y, t = same_shape("half_squared_error", prediction, target)
    return reduced(np.square(np.subtract(y, t)) / 2, reduction)


sum_squared_error = half_squared_error


def l1_loss(prediction: A, target: ArrayLike, *, reduction: str = "mean") -> A:
    """L = mean of |y − t|, the mean absolute error. Its gradient is sign(y − t)/n.

    prediction, target: y and t, of the same shape.
    reduction: "mean", "sum", or "none" for all distances.

    Raises ValueError where the shapes differ.

    >>> float(l1_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    1.0
    """
    y, t = same_shape("l1_loss", prediction, target)
    return reduced(np.absolute(np.subtract(y, t)), reduction)


def huber_loss(prediction: A, target: ArrayLike, *, delta: float = 1.0, reduction: str = "mean") -> A:
    """L = mean of d²/2 where |d| ≤ δ, else of δ·(|d| − δ/2), with d = y − t: a few targets far off do not rule the
    mean.

    It is computed as c·(d − c/2), where c is d clipped to ±δ, which is the same. Its slope is c, so it is ±δ also at d
    = ±∞.

    prediction, target: y and t, of the same shape.
    delta: δ, the distance up to which the loss is square; beyond, it is straight.
    reduction: "mean", "sum" or "none".

    Raises ValueError for a δ that is not positive, and where the shapes differ.

    Source: Huber, *Robust estimation of a location parameter* (1964).

    >>> huber_loss(np.array([0.5, 3.0]), np.array([0.0, 0.0]), reduction="none").tolist()
    [0.125, 2.5]
    """
    y, t = same_shape("huber_loss", prediction, target)
    positive("delta", delta)
    difference = np.subtract(y, t)
    near = np.clip(difference, -delta, delta)
    return reduced(near * (difference - near / 2), reduction)


def smooth_l1_loss(prediction: A, target: ArrayLike, *, beta: float = 1.0, reduction: str = "mean") -> A:
    """L = mean of d²/(2β) where |d| < β, else of |d| − β/2, with d = y − t: Huber's loss divided by β; |d| for β = 0.

    prediction, target: y and t, of the same shape.
    beta: β, the distance up to which the loss is square; beyond, it has the slope of |d|.
    reduction: "mean", "sum" or "none".

    Raises ValueError for a β below 0, and where the shapes differ.

    Source: Girshick, *Fast R-CNN* (2015).

    >>> smooth_l1_loss(np.array([0.5, 3.0]), np.array([0.0, 0.0]), beta=2.0, reduction="none").tolist()
    [0.0625, 2.0]
    """
    checks.not_negative("beta", beta)
    if beta == 0:
        return l1_loss(prediction, target, reduction=reduction)
    return huber_loss(prediction, target, delta=beta, reduction=reduction) / beta


def poisson_nll_loss(
    prediction: A,
    target: ArrayLike,
    log_input: bool = True,
    full: bool = False,
    *,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> A:
    """L = mean of λ − t·log λ: the negative log-likelihood of counts t, where λ is the count that is expected.

    prediction: log λ, or with `log_input=False` λ itself.
    target: counts t, of the same shape.
    log_input: whether the prediction is log λ.
    full: whether Stirling's approximation of log t!, t·log t − t + ½ log 2πt, is added where t > 1; it changes no
        gradient.
    eps: ε, which is added to λ in the logarithm, where the prediction is λ itself.
    reduction: "mean", "sum" or "none".

    Raises ValueError for counts below 0, and where the shapes differ.

    >>> round(float(poisson_nll_loss(np.array([0.0]), np.array([2.0]))), 4)
    1.0
    """
    y, t = same_shape("poisson_nll_loss", prediction, target)
    not_negative("poisson_nll_loss", t, "counts")
    mean, log = (np.exp(y), y) if log_input else (y, np.log(y + eps))
    losses = mean - t * log
    if full:
        many = t > 1
        t = np.where(many, t, 1)
        losses = losses + np.where(many, t * np.log(t) - t + np.log(t * (2 * math.pi)) / 2, 0)
    return reduced(losses, reduction)


def gaussian_nll_loss(
    prediction: A, target: ArrayLike, var: ArrayLike, full: bool = False, *, eps: float = 1e-6, reduction: str = "mean"
) -> A:
    """L = mean of ½ (log v + (y − t)²/v): the negative log-likelihood of normal numbers t of mean y and variance v.

    prediction, target: y and t, of the same shape.
    var: v, of the shape of y, or without its last axis, or with a last axis of length 1, or one number.
    full: whether ½ log 2π is added, which changes no gradient.
    eps: ε, the least variance that is computed with; the gradient takes no notice of this bound.
    reduction: "mean", "sum" or "none".

    Raises ValueError for variances below 0, and of another shape.

    Source: Nix and Weigend, *Estimating the mean and variance of the target probability distribution* (1994).

    >>> round(float(gaussian_nll_loss(np.array([1.0]), np.array([3.0]), np.array([4.0]))), 4)
    1.1931
    """
    what = "gaussian_nll_loss"
    y, t = same_shape(what, prediction, target)
    positive(f"{what}'s eps", eps)
    v = array(var)
    shape: tuple[int, ...] = y.shape
    if v.ndim and v.shape == shape[:-1]:
        v = np.expand_dims(v, -1)
    if v.ndim and v.shape not in (shape, (*shape[:-1], 1)):
        raise ValueError(f"{what} takes a variance for each of {shape}, or for each row of it, but got {v.shape}")
    not_negative(what, v, "variances")
    v = v + np.maximum(eps - held(v), 0)
    losses = (np.log(v) + np.square(y - t) / v) / 2
    return reduced(losses + math.log(2 * math.pi) / 2 if full else losses, reduction)

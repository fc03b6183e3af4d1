"""Losses with a margin: what is right by enough costs nothing. At the corner, the derivative is that of the part that
costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.nn.functional import checks
from tinygrad_edu.nn.functional.distances import pairwise_distance
from tinygrad_edu.nn.functional.targets import (
    as_type_of,
    check_class_numbers,
    check_reduction,
    check_weight,
    reduced,
    refuse_none,
    same_shape,
    signs,
)
from tinygrad_edu.ops.network.losses import class_numbers
from tinygrad_edu.ops.network.softmax import softplus
from tinygrad_edu.ops.taking import take
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A, ArrayLike

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _short_of(margin: Any) -> Any:
    """max(margin, 0), the part of the margin that is still missing."""
    return np.clip(margin, 0, None)


# ---------------------------------------------------------------------------------------------------
# Yes or no, −1 or 1


def hinge_loss(prediction: A, target: ArrayLike, *, margin: float = 1.0, reduction: str = "mean") -> A:
    """L = mean of max(0, margin − t·y): the loss of a support vector machine.

    prediction: y, of any shape.
    target: labels t of −1 and 1, of the same shape.
    margin: from where on a right answer costs nothing.
    reduction: "mean", "sum" or "none".

    Raises ValueError for other labels, and where the shapes differ.

    Source: Cortes and Vapnik, *Support-vector networks* (1995).

    >>> hinge_loss(np.array([2.0, 0.5, -1.0]), np.array([1, 1, 1]), reduction="none").tolist()
    [0.0, 0.5, 2.0]
    """
    y, t = same_shape("hinge_loss", prediction, target)
    signs("hinge_loss", t)
    return reduced(_short_of(margin - t * y), reduction)


def soft_margin_loss(prediction: A, target: ArrayLike, *, reduction: str = "mean") -> A:
    """L = mean of log(1 + exp(−t·y)): the logistic loss, which falls the further y is on the right side.

    prediction: y, of any shape.
    target: labels t of −1 and 1, of the same shape.
    reduction: "mean", "sum" or "none".

    Raises ValueError for other labels, and where the shapes differ.

    >>> round(float(soft_margin_loss(np.array([0.0]), np.array([1]))), 4)
    0.6931
    """
    y, t = same_shape("soft_margin_loss", prediction, target)
    signs("soft_margin_loss", t)
    return reduced(softplus(-t * y), reduction)


def hinge_embedding_loss(distance: A, target: ArrayLike, *, margin: float = 1.0, reduction: str = "mean") -> A:
    """L = mean of d where t = 1, and of max(0, margin − d) where t = −1: like pairs come near, unlike ones go apart.

    distance: d, of any shape.
    target: labels t of −1 and 1, of the same shape.
    margin: the distance from which on an unlike pair costs nothing.
    reduction: "mean", "sum" or "none".

    Raises ValueError for labels other than −1 and 1, and where the shapes differ.

    >>> hinge_embedding_loss(np.array([0.25, 0.25]), np.array([1, -1]), reduction="none").tolist()
    [0.25, 0.75]
    """
    d, t = same_shape("hinge_embedding_loss", distance, target)
    signs("hinge_embedding_loss", t)
    return reduced(np.where(t == 1, d, _short_of(margin - d)), reduction)


def margin_ranking_loss(x1: A, x2: ArrayLike, target: ArrayLike, *, margin: float = 0.0, reduction: str = "mean") -> A:
    """L = mean of max(0, margin − t·(x₁ − x₂)): x₁ is to be above x₂ where t = 1, and below where t = −1.

    x1, x2: of the same shape.
    target: labels t of −1 and 1, of that shape.
    margin: by how much the one must be above the other to cost nothing.
    reduction: "mean", "sum" or "none".

    Raises ValueError for labels other than −1 and 1, and where the shapes differ.

    >>> float(margin_ranking_loss(np.array([2.0]), np.array([1.5]), np.array([1]), margin=1.0))
    0.5
    """
    a, b = same_shape("margin_ranking_loss", x1, x2)
    _, t = same_shape("margin_ranking_loss", a, target)
    signs("margin_ranking_loss", t)
    return reduced(_short_of(margin - t * (a - b)), reduction)


# ---------------------------------------------------------------------------------------------------
# Vectors


def cosine_embedding_loss(
    x1: A, x2: ArrayLike, target: ArrayLike, *, margin: float = 0.0, reduction: str = "mean"
) -> A:
    """L = mean of 1 − cos(x₁, x₂) where t = 1, and of max(0, cos(x₁, x₂) − margin) where t = −1.

    10⁻¹² is added to each squared length, so that the cosine of a vector of 0 is 0.

    x1, x2: (N, width) or (width,).
    target: labels t of −1 and 1, (N,) or one number.
    margin: up to which cosine an unlike pair costs nothing.
    reduction: "mean", "sum" or "none".

    Raises ValueError for labels other than −1 and 1, and for other shapes.

    >>> float(cosine_embedding_loss(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array(1)))
    1.0
    """
    what = "cosine_embedding_loss"
    a, b = same_shape(what, x1, x2)
    refuse_none(what, a, target)
    t = as_type_of(a, array(target))
    if a.ndim not in (1, 2) or t.shape != a.shape[:-1]:
        raise ValueError(f"{what} takes (N, width) twice and labels (N,), but got {a.shape}, {b.shape} and {t.shape}")
    signs(what, t)
    squares = [np.sum(np.square(x), axis=-1) + 1e-12 for x in (a, b)]
    cosine = np.sum(a * b, axis=-1) / np.sqrt(squares[0] * squares[1])
    return reduced(np.where(t == 1, 1 - cosine, _short_of(cosine - margin)), reduction)


def triplet_margin_loss(
    anchor: A,
    positive: ArrayLike,
    negative: ArrayLike,
    *,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> A:
    """L = mean of max(0, d(a, p) − d(a, n) + margin): an example a is to be nearer to p, of its kind, than to n, of
    another.

    The distance is d(x, z) = ‖x − z + ε‖.

    anchor, positive, negative: a, p and n, (N, width) or (width,).
    margin: by how much nearer p must be to cost nothing.
    p: the order of the norm.
    eps: ε, which keeps the slope finite where the vectors are equal.
    swap: whether d(p, n) takes the place of d(a, n) where it is smaller.
    reduction: "mean", "sum" or "none".

    Raises ValueError where the shapes differ, and for p or margin that is not positive.

    Source: Balntas et al., *Learning local feature descriptors with triplets and shallow convolutional neural networks*
    (2016).

    >>> a, p, n = np.zeros((1, 2)), np.array([[0.0, 1.0]]), np.array([[3.0, 4.0]])
    >>> round(float(triplet_margin_loss(a, p, n, margin=5.0)), 4)
    1.0
    """
    what = "triplet_margin_loss"
    a, like = same_shape(what, anchor, positive)
    a, unlike = same_shape(what, a, negative)
    checks.positive(f"{what}'s p", p)
    checks.positive(f"{what}'s margin", margin)
    near, far = pairwise_distance(a, like, p, eps), pairwise_distance(a, unlike, p, eps)
    if swap:
        far = np.minimum(far, pairwise_distance(like, unlike, p, eps))
    return reduced(_short_of(near - far + margin), reduction)


# ---------------------------------------------------------------------------------------------------
# One class of several

_NONE_LEFT_OUT = -(2**62)
"""A class number that is not there."""


def multi_margin_loss(
    prediction: A,
    target: ArrayLike,
    p: int = 1,
    margin: float = 1.0,
    weight: ArrayLike | None = None,
    *,
    reduction: str = "mean",
) -> A:
    """L = mean of Σⱼ max(0, margin − y[t] + yⱼ)ᵖ / classes, over the classes j that are not t: a hinge for each of
    them.

    prediction: y, (N, classes) or (classes,).
    target: class numbers t, (N,) or one number.
    p: the power, 1 or 2.
    margin: by how much the right class must be above another to cost nothing.
    weight: (classes,), how much each class counts.
    reduction: "mean", "sum" or "none".

    Raises IndexError for a class number out of range, TypeError for labels that are not class numbers, ValueError for
    another p and for other shapes.

    Source: Crammer and Singer, *On the algorithmic implementation of multiclass kernel-based vector machines* (2001).

    >>> float(multi_margin_loss(np.array([[0.5, 1.0]]), np.array([0])))
    0.75
    """
    what = "multi_margin_loss"
    refuse_none(what, prediction, target)
    y, t = array(prediction), array(target)
    check_reduction(reduction)
    if p not in (1, 2):
        raise ValueError(f"{what} takes p=1 or p=2, but got {p!r}")
    check_class_numbers(what, t)
    if y.ndim not in (1, 2) or t.shape != y.shape[:-1]:
        raise ValueError(f"{what} takes (N, classes) and class numbers (N,), but got {y.shape} and {t.shape}")
    classes = y.shape[-1]
    check_weight(what, weight, classes)
    right = np.expand_dims(class_numbers(t, classes, ignore_index=_NONE_LEFT_OUT), -1)
    own = np.take_along_axis(y, right, -1)
    costs = _short_of(margin - own + y)
    if p == 2:
        costs = np.square(costs)
    if weight is not None:
        costs = costs * take(weight, right)
    costs = np.where(np.arange(classes) == right, 0, costs)
    return reduced(np.sum(costs, axis=-1) / classes, reduction)

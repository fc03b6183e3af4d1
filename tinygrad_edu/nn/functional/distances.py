"""How far two vectors are from each other, by the angle between them or by the length of their difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.nn.functional.checks import positive
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A, ArrayLike

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def cosine_similarity(x1: A, x2: ArrayLike, axis: int = 1, eps: float = 1e-8) -> A:
    """y = x₁·x₂ / (‖x₁‖·‖x₂‖), the cosine of the angle between two vectors.

    x1, x2: vectors along an axis; the other axes are broadcast together.
    axis: the axis of the vectors, which y does not have.
    eps: ε, the least length that is divided by, so that a vector of 0 gives 0.

    >>> cosine_similarity(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 2.0], [3.0, 3.0]])).round(6).tolist()
    [0.0, 1.0]
    """
    x1, x2 = array(x1), array(x2)
    lengths = [np.maximum(np.linalg.norm(x, axis=axis), eps) for x in (x1, x2)]
    return np.sum(x1 * x2, axis=axis) / (lengths[0] * lengths[1])


def pairwise_distance(x1: A, x2: ArrayLike, p: float = 2.0, eps: float = 1e-6, keepdims: bool = False) -> A:
    """y = ‖x₁ − x₂ + ε‖ₚ, the distance of two vectors, which lie along the last axis.

    x1, x2: (…, width), broadcast together; y: (…).
    p: the order of the norm; 2 is the usual length, 1 the sum of absolute values.
    eps: ε, which keeps the slope finite where the vectors are equal.
    keepdims: whether y keeps the last axis, of length 1.

    Raises ValueError unless p is positive.

    >>> pairwise_distance(np.array([[3.0, 0.0]]), np.array([[0.0, 4.0]])).round(4).tolist()
    [5.0]
    """
    positive("pairwise_distance's p", p)
    return np.linalg.norm(np.subtract(x1, x2) + eps, ord=p, axis=-1, keepdims=keepdims)


def normalize(x: A, p: float = 2.0, axis: int = 1, eps: float = 1e-12) -> A:
    """y = x / ‖x‖ₚ: each vector is divided by its length, and has the length 1 then.

    x: vectors along an axis; y has the same shape.
    p: the order of the norm.
    axis: the axis of the vectors.
    eps: ε, the least length that is divided by, so that a vector of 0 stays 0.

    Raises ValueError unless p is positive.

    >>> normalize(np.array([[3.0, 4.0]])).tolist()
    [[0.6, 0.8]]
    """
    positive("normalize's p", p)
    return x / np.maximum(np.linalg.norm(x, ord=p, axis=axis, keepdims=True), eps)

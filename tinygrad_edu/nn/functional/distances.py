"""How far two vectors are from each other: by angle, and by length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.nn.functional.checks import positive
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A, ArrayLike

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def cosine_similarity(x1: A, x2: ArrayLike, axis: int = 1, eps: float = 1e-8) -> A:
    """y = x₁·x₂ / (‖x₁‖·‖x₂‖) along an axis, each length at least ε: the cosine of the angle between two vectors.

    x1 and x2 are broadcast together.

    >>> cosine_similarity(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 2.0], [3.0, 3.0]])).round(6).tolist()
    [0.0, 1.0]
    """
    x1, x2 = array(x1), array(x2)
    lengths = [np.maximum(np.linalg.norm(x, axis=axis), eps) for x in (x1, x2)]
    return np.sum(x1 * x2, axis=axis) / (lengths[0] * lengths[1])


def pairwise_distance(x1: A, x2: ArrayLike, p: float = 2.0, eps: float = 1e-6, keepdims: bool = False) -> A:
    """y = ‖x₁ − x₂ + ε‖ₚ along the last axis. ε keeps the slope of equal vectors finite.

    x1 and x2 are broadcast together. p: the order of the norm.

    Raises ValueError unless p is positive.

    >>> pairwise_distance(np.array([[3.0, 0.0]]), np.array([[0.0, 4.0]])).round(4).tolist()
    [5.0]
    """
    positive("pairwise_distance's p", p)
    return np.linalg.norm(np.subtract(x1, x2) + eps, ord=p, axis=-1, keepdims=keepdims)


def normalize(x: A, p: float = 2.0, axis: int = 1, eps: float = 1e-12) -> A:
    """y = x / ‖x‖ₚ along an axis, with a length of at least ε: vectors of length 1.

    Raises ValueError unless p is positive.

    >>> normalize(np.array([[3.0, 4.0]])).tolist()
    [[0.6, 0.8]]
    """
    positive("normalize's p", p)
    return x / np.maximum(np.linalg.norm(x, ord=p, axis=axis, keepdims=True), eps)

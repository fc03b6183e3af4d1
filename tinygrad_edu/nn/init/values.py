"""Weights of any shape: constants, and numbers whose spread is given."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.creation import get_default_dtype
from tinygrad_edu.nn.init.fans import Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tinygrad_edu.engine.arguments import DType


def typed(draw: Any, dtype: DType) -> NDArray[Any]:
    """What was drawn, as an array of this type, or else of the default type."""
    return np.asarray(draw, dtype=get_default_dtype() if dtype is None else dtype)


def zeros(shape: Shape, *, dtype: DType = None) -> NDArray[Any]:
    """Make an array of zeros.

    shape: the lengths of its axes.
    dtype: the type of the array.

    >>> zeros((2, 2)).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    return constant(shape, 0.0, dtype=dtype)


def ones(shape: Shape, *, dtype: DType = None) -> NDArray[Any]:
    """Make an array of ones.

    shape: the lengths of its axes.
    dtype: the type of the array.

    >>> ones((2, 2)).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    return constant(shape, 1.0, dtype=dtype)


def constant(shape: Shape, val: float, *, dtype: DType = None) -> NDArray[Any]:
    """Make an array in which all numbers are the same.

    shape: the lengths of its axes.
    val: the number.
    dtype: the type of the array.

    >>> constant((2,), 0.5).tolist()
    [0.5, 0.5]
    """
    return typed(np.full(shape, val), dtype)


def uniform(
    shape: Shape, a: float = 0.0, b: float = 1.0, *, generator: np.random.Generator | None = None, dtype: DType = None
) -> NDArray[Any]:
    """Draw numbers that are uniform in [a, b).

    shape: the lengths of the axes.
    a, b: the bounds.
    generator: draws the numbers.
    dtype: the type of the array.

    >>> w = uniform((1000,), -0.1, 0.1)
    >>> bool(np.abs(w).max() <= 0.1)
    True
    """
    return typed(random.generator(generator).uniform(a, b, shape), dtype)


def normal(
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    *,
    generator: np.random.Generator | None = None,
    dtype: DType = None,
) -> NDArray[Any]:
    """Draw normal numbers.

    shape: the lengths of the axes.
    mean, std: the mean and the standard deviation.
    generator: draws the numbers.
    dtype: the type of the array.

    >>> w = normal((1000,), std=0.01, generator=np.random.default_rng(0))
    >>> round(float(w.std()), 2)
    0.01
    """
    return typed(random.generator(generator).normal(mean, std, shape), dtype)


def trunc_normal(
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    *,
    generator: np.random.Generator | None = None,
    dtype: DType = None,
) -> NDArray[Any]:
    """Draw normal numbers, each again until it is in [a, b], so that no weight begins far out.

    shape: the lengths of the axes.
    mean, std: the mean and the standard deviation before numbers are drawn again.
    a, b: the bounds, as values rather than as numbers of deviations.
    generator: draws the numbers.
    dtype: the type of the array.

    Raises ValueError where fewer than one in a hundred numbers would be in [a, b].

    >>> w = trunc_normal((1000,), std=2.0, generator=np.random.default_rng(0))
    >>> bool(np.abs(w).max() <= 2)
    True
    """
    low, high = [math.erf((bound - mean) / (std * math.sqrt(2))) / 2 for bound in (a, b)] if std > 0 else (0.0, 0.0)
    if not high - low > 0.01:
        raise ValueError(
            f"of normal numbers of mean {mean} and deviation {std}, {max(high - low, 0):.2%} are between {a} and {b}; take "
            "wider bounds"
        )
    own = random.generator(generator)
    drawn = own.normal(mean, std, shape)
    outside = (drawn < a) | (drawn > b)
    while outside.any():
        drawn[outside] = own.normal(mean, std, int(np.count_nonzero(outside)))
        outside = (drawn < a) | (drawn > b)
    return typed(drawn, dtype)

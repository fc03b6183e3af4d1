"""Weights whose spread follows from their fans: Xavier, Kaiming, LeCun."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.nn.init.fans import Shape, calculate_gain, fan_of, fans
from tinygrad_edu.nn.init.values import normal, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tinygrad_edu.engine.arguments import DType


def xavier_uniform(
    shape: Shape, gain: float = 1.0, *, generator: np.random.Generator | None = None, dtype: DType = None
) -> NDArray[Any]:
    """Draw numbers that are uniform in ±gain·√(6/(n + m)), so their deviation is gain·√(2/(n + m)): for sigmoid and
    tanh.

    shape: of a weight with n inputs and m outputs.
    gain: makes up for the activation; see `calculate_gain`.
    generator: draws the numbers.
    dtype: the type of the array.

    Source: Glorot and Bengio, *Understanding the difficulty of training deep feedforward neural networks* (2010).

    >>> w = xavier_uniform((300, 300))
    >>> bool(np.abs(w).max() <= 0.1)
    True
    """
    n, m = fans(shape)
    bound = gain * math.sqrt(6 / (n + m))
    return uniform(shape, -bound, bound, generator=generator, dtype=dtype)


def xavier_normal(
    shape: Shape, gain: float = 1.0, *, generator: np.random.Generator | None = None, dtype: DType = None
) -> NDArray[Any]:
    """Draw normal numbers of deviation gain·√(2/(n + m)), which is √(1/n) where n = m: for sigmoid and tanh.

    shape: of a weight with n inputs and m outputs.
    gain: makes up for the activation; see `calculate_gain`.
    generator: draws the numbers.
    dtype: the type of the array.

    Source: see `xavier_uniform`.

    >>> w = xavier_normal((100, 100), generator=np.random.default_rng(0))
    >>> round(float(w.std()), 2)
    0.1
    """
    n, m = fans(shape)
    return normal(shape, 0.0, gain * math.sqrt(2 / (n + m)), generator=generator, dtype=dtype)


def kaiming_uniform(
    shape: Shape,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: np.random.Generator | None = None,
    dtype: DType = None,
) -> NDArray[Any]:
    """Draw numbers that are uniform in ±gain·√(3/n), so their deviation is gain/√n: for ReLU, with the gain √2.

    shape: of a weight with n inputs and m outputs.
    a: the slope of a leaky ReLU for x < 0.
    mode: "fan_in" takes n, which keeps the variance on the way forward; "fan_out" takes m, which keeps that of the
        gradients.
    nonlinearity: the activation that follows; see `calculate_gain`.
    generator: draws the numbers.
    dtype: the type of the array.

    Source: He et al., *Delving deep into rectifiers* (2015).

    >>> w = kaiming_uniform((600, 10))
    >>> bool(np.abs(w).max() <= 0.1)
    True
    """
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / fan_of(shape, mode))
    return uniform(shape, -bound, bound, generator=generator, dtype=dtype)


def kaiming_normal(
    shape: Shape,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: np.random.Generator | None = None,
    dtype: DType = None,
) -> NDArray[Any]:
    """Draw normal numbers of deviation gain/√n, which is √(2/n) for ReLU.

    shape: of a weight with n inputs and m outputs.
    a: the slope of a leaky ReLU for x < 0.
    mode: "fan_in" takes n, which keeps the variance on the way forward; "fan_out" takes m, which keeps that of the
        gradients.
    nonlinearity: the activation that follows; see `calculate_gain`.
    generator: draws the numbers.
    dtype: the type of the array.

    Source: see `kaiming_uniform`.

    >>> w = kaiming_normal((1000, 50), generator=np.random.default_rng(0))
    >>> round(float(w.std() / np.sqrt(2 / 1000)), 2)
    1.0
    """
    std = calculate_gain(nonlinearity, a) / math.sqrt(fan_of(shape, mode))
    return normal(shape, 0.0, std, generator=generator, dtype=dtype)


def lecun_uniform(shape: Shape, *, generator: np.random.Generator | None = None, dtype: DType = None) -> NDArray[Any]:
    """Draw numbers that are uniform in ±√(3/n), so their deviation is 1/√n: for SELU.

    shape: of a weight with n inputs.
    generator: draws the numbers.
    dtype: the type of the array.

    Source: LeCun et al., *Efficient backprop* (1998).

    >>> w = lecun_uniform((300, 10))
    >>> bool(np.abs(w).max() <= 0.1)
    True
    """
    return kaiming_uniform(shape, nonlinearity="linear", generator=generator, dtype=dtype)


def lecun_normal(shape: Shape, *, generator: np.random.Generator | None = None, dtype: DType = None) -> NDArray[Any]:
    """Draw normal numbers of deviation 1/√n: for SELU.

    shape: of a weight with n inputs.
    generator: draws the numbers.
    dtype: the type of the array.

    Source: see `lecun_uniform`.

    >>> w = lecun_normal((100, 100), generator=np.random.default_rng(0))
    >>> round(float(w.std()), 2)
    0.1
    """
    return kaiming_normal(shape, nonlinearity="linear", generator=generator, dtype=dtype)

"""Transforms that add noise: normal numbers, and pixels that are lost."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.transforms.transform import Drawing, Transform, drawn, floating, probability


class GaussianNoise(Transform):
    """Adds normal noise to each number: y = x + mean + sigma·ε, where ε ~ N(0, 1).

    mean: the mean of the noise.
    sigma: the standard deviation of the noise, 0 or more.
    clip: whether y is then cut to between 0 and 1.

    Raises ValueError for a negative sigma, TypeError for whole numbers.

    >>> noisy = GaussianNoise(sigma=0.1, clip=False)(np.zeros((2, 1000)), generator=np.random.default_rng(0))
    >>> bool(0.09 < noisy.std() < 0.11)
    True
    """

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        if not sigma >= 0:
            raise ValueError(f"GaussianNoise has a standard deviation, sigma, from 0 up, but got {sigma}")
        self.mean, self.sigma, self.clip = mean, sigma, clip

    def apply(self, x: NDArray[Any], generator: Drawing) -> NDArray[Any]:
        """x + mean + sigma·z with z from N(0, 1), in the type of x, and within [0, 1] where clip is on."""
        floating(x, "GaussianNoise")
        kind: Any = np.float64 if x.dtype == np.float64 else np.float32
        noise = drawn(generator, len(x), lambda rng, n: rng.standard_normal((n, *x.shape[1:]), dtype=kind))
        noise *= kind(self.sigma)
        noise += kind(self.mean)
        noise += x
        return (np.clip(noise, 0, 1, out=noise) if self.clip else noise).astype(x.dtype, copy=False)


class SaltAndPepper(Transform):
    """Loses pixels: each becomes, with probability `amount`, either `high` (salt) or `low` (pepper).

    The channels of a picture (N, C, H, W) are lost together; of rows (N, F), each number is lost by itself.

    amount: the share of pixels that are lost, from 0 to 1.
    salt: the probability that a lost pixel becomes `high`.
    low, high: the values of lost pixels.

    Raises ValueError for an amount or a salt outside [0, 1].

    >>> x = SaltAndPepper(amount=1.0, salt=0.0)(np.full((1, 2, 2), 0.5))
    >>> x.tolist()
    [[[0.0, 0.0], [0.0, 0.0]]]
    """

    def __init__(self, amount: float = 0.05, salt: float = 0.5, low: float = 0.0, high: float = 1.0) -> None:
        self.amount, self.salt = probability(amount, "amount"), probability(salt, "salt")
        self.low, self.high = low, high

    def apply(self, x: NDArray[Any], generator: Drawing) -> NDArray[Any]:
        """Lose pixels."""
        shape = (1, *x.shape[2:]) if x.ndim == 4 else x.shape[1:]
        u = drawn(generator, len(x), lambda rng, n: rng.random((n, *shape), dtype=np.float32))
        salt, low, high = self.amount * self.salt, x.dtype.type(self.low), x.dtype.type(self.high)
        return np.where(u < salt, high, np.where(u < self.amount, low, x))

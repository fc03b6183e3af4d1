"""Points of the plane in two or more classes, which can be drawn, and the truth tables of logic gates."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu import random

Labelled = tuple[NDArray[np.float32], NDArray[np.int64]]
"""x: (N, 2), y: (N,), class numbers."""


def spiral(
    n_samples: int = 300, classes: int = 3, noise: float = 0.2, generator: np.random.Generator | None = None
) -> Labelled:
    """Draw points on the arms of a spiral, one arm for each class.

    x = r·(sin θ, cos θ), where θ = 2π·class / classes + 4r + noise·ε, ε ~ N(0, 1) and 0 ≤ r < 1. It returns x, (N, 2),
    and the class numbers, (N,), in random order.

    n_samples: N, the number of points in all; classes have the same number, to within one.
    classes: the number of arms.
    noise: the standard deviation of the angle.
    generator: draws the points; by default the generator that `tg.manual_seed` sets.

    Raises ValueError for fewer points than classes, and for negative noise.

    Source: the course cs231n, *Neural networks case study*; there the angle between three arms is 4, here it is 2π / 3.

    >>> x, y = spiral(300)
    >>> x.shape, np.bincount(y).tolist()
    ((300, 2), [100, 100, 100])
    """

    def arm(label: int, along: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        angle = 2 * math.pi * label / classes + 4 * along + noise * rng.standard_normal(len(along))
        return np.stack([along * np.sin(angle), along * np.cos(angle)], 1)

    return _points(arm, n_samples, classes, noise, "spiral", generator, endpoint=False)


def moons(n_samples: int = 200, noise: float = 0.1, generator: np.random.Generator | None = None) -> Labelled:
    """Draw points on two half circles that reach into each other.

    They are (cos θ, sin θ) and (1 − cos θ, ½ − sin θ) for 0 ≤ θ ≤ π, plus noise·ε with ε ~ N(0, 1). It returns x, (N,
    2), and the class numbers, (N,), in random order.

    n_samples: N, the number of points of both.
    noise: the standard deviation of each coordinate.
    generator: draws the points; by default the generator that `tg.manual_seed` sets.

    Raises ValueError for fewer than two points, and for negative noise.

    >>> x, y = moons(4, noise=0.0)
    >>> sorted(x[y == 1].round(2).tolist())
    [[0.0, 0.5], [2.0, 0.5]]
    """

    def moon(label: int, along: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        x = np.stack([np.cos(math.pi * along), np.sin(math.pi * along)], 1)
        return np.array([1, 0.5]) - x if label else x

    return _points(moon, n_samples, 2, noise, "moons", generator, scattered=True)


def circles(
    n_samples: int = 200, noise: float = 0.05, factor: float = 0.5, generator: np.random.Generator | None = None
) -> Labelled:
    """Draw points on a circle of radius 1, which are class 0, and on a smaller one inside it, which are class 1.

    noise·ε with ε ~ N(0, 1) is added to each coordinate. It returns x, (N, 2), and the class numbers, (N,), in random
    order.

    n_samples: N, the number of points of both.
    noise: the standard deviation of each coordinate.
    factor: the radius of the smaller circle, at least 0 and below 1.
    generator: draws the points; by default the generator that `tg.manual_seed` sets.

    Raises ValueError for fewer than two points, for negative noise, and for another factor.

    >>> x, y = circles(100, noise=0.0)
    >>> sorted(set(np.hypot(*x.T).round(3).tolist()))
    [0.5, 1.0]
    """
    if not 0 <= factor < 1:
        raise ValueError(f"circles() takes the factor of the inner radius, from 0 up to 1, but got {factor}")

    def circle(label: int, along: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        angle = 2 * math.pi * along
        return (factor if label else 1.0) * np.stack([np.cos(angle), np.sin(angle)], 1)

    return _points(circle, n_samples, 2, noise, "circles", generator, endpoint=False, scattered=True)


def _points(
    curve: Callable[[int, NDArray[np.float64], np.random.Generator], NDArray[np.float64]],
    n: int,
    classes: int,
    noise: float,
    who: str,
    generator: np.random.Generator | None,
    *,
    endpoint: bool = True,
    scattered: bool = False,
) -> Labelled:
    """Points that are spread evenly along a curve for each class, in random order.

    curve: gives the points of a class at places from 0 to 1.
    n, classes, noise, who, generator: what the public function was given, and its name.
    endpoint: whether there is a point at 1.
    scattered: whether noise is added to the coordinates.
    """
    if classes < 1 or n < classes or not noise >= 0:
        raise ValueError(
            f"{who}() takes noise from 0 up, and at least one point for each class, but got noise={noise} and {n} points for "
            f"{classes} classes"
        )
    rng = random.generator(generator)
    sizes = [n // classes + (label < n % classes) for label in range(classes)]
    x = np.concatenate([curve(i, np.linspace(0, 1, size, endpoint=endpoint), rng) for i, size in enumerate(sizes)])
    if scattered:
        x += noise * rng.standard_normal(x.shape)
    order = rng.permutation(n)
    return x[order].astype(np.float32), np.repeat(np.arange(classes), sizes)[order]


GATES: dict[str, Callable[[NDArray[np.intp], int], NDArray[np.bool_]]] = {
    "and": lambda ones, n: ones == n,
    "or": lambda ones, n: ones > 0,
    "nand": lambda ones, n: ones < n,
    "nor": lambda ones, n: ones == 0,
    "xor": lambda ones, n: ones % 2 == 1,
    "xnor": lambda ones, n: ones % 2 == 0,
}
"""What a gate answers, by how many of its n inputs are 1."""


def gates(name: str, inputs: int = 2) -> Labelled:
    """The truth table of a logic gate: all 2ⁿ rows of n inputs, and what the gate answers to each.

    It returns x, (2ⁿ, n), and y, (2ⁿ,).

    name: `and`, `or`, `nand` (0 where all inputs are 1, else 1), `nor`, `xor` (1 where an odd number of inputs is 1) or
    `xnor`, in small letters or capitals.
    inputs: n, at least 1.

    Raises ValueError for another name, and for no inputs.

    >>> x, y = gates("xor")
    >>> x.astype(int).tolist(), y.tolist()
    ([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
    """
    if name.lower() not in GATES or inputs < 1:
        raise ValueError(
            f"gates() takes one of {', '.join(GATES)} and at least one input, but got {name!r} and {inputs}"
        )
    x = np.array(list(product([0, 1], repeat=inputs)))
    return x.astype(np.float32), GATES[name.lower()](x.sum(1), inputs).astype(np.int64)

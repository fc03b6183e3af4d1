"""Points of the plane in two or more classes, made to be seen; and the truth tables of logic gates."""

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
    """Arms of a spiral, one a class: x = r·(sin θ, cos θ), θ = 2π·class / classes + 4r + noise·ε, ε ~ N(0, 1), 0 ≤ r < 1.

    n_samples: the points of all classes, as equally many of each as can be, in random order. noise: the standard deviation
    of the angle. generator: what draws; else the one that `manual_seed` sets.

    Source: the course cs231n, *Neural networks case study*; its angle of 4 between three arms is here 2π / 3 between them.

    >>> x, y = spiral(300)
    >>> x.shape, np.bincount(y).tolist()
    ((300, 2), [100, 100, 100])
    """

    def arm(label: int, along: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        angle = 2 * math.pi * label / classes + 4 * along + noise * rng.standard_normal(len(along))
        return np.stack([along * np.sin(angle), along * np.cos(angle)], 1)

    return _points(arm, n_samples, classes, noise, "spiral", generator, endpoint=False)


def moons(n_samples: int = 200, noise: float = 0.1, generator: np.random.Generator | None = None) -> Labelled:
    """Two half circles that reach into each other: (cos θ, sin θ) and (1 − cos θ, ½ − sin θ), 0 ≤ θ ≤ π, plus noise·ε.

    n_samples: the points of both, in random order. noise: the standard deviation of each coordinate. generator: what
    draws; else the one that `manual_seed` sets.

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
    """A circle of radius 1, of class 0, and one of radius `factor` within, of class 1, plus noise·ε.

    n_samples: the points of both, in random order. noise: the standard deviation of each coordinate. generator: what
    draws; else the one that `manual_seed` sets.

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
    """Points evenly along a curve for each class, in random order; `scattered` if noise is added to their coordinates."""
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
    """The truth table of a logic gate: all 2ⁿ rows of n inputs, and what it answers to each.

    name: `and`, `or`, `nand` (0 where all inputs are 1, else 1), `nor`, `xor` (1 where an odd number of inputs is 1),
    `xnor`, in small letters or capitals. inputs: n. x: (2ⁿ, n), y: (2ⁿ,).

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

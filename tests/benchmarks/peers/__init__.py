"""The same steps in each system: a module a peer, a function a step.

A module holds functions `expression`, `net` (of the widths in `NETS`) and `modern_net`, as many as the system can run.
Each returns a callable that runs one step and returns its loss as a float when called with `value=True`. Parameters and
data come from `problem`, so all start from the same numbers.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

SMALL_NET = (784, 50, 10)
SEVEN_LAYERS = (784, 100, 100, 100, 100, 100, 100, 10)
WIDE_NET = (784, 1024, 1024, 10)
NETS = {"small_net": SMALL_NET, "seven_layers": SEVEN_LAYERS, "wide_net": WIDE_NET}
LR = 0.1


@dataclass
class Problem:
    """A batch of 100, and a network's parameters in float32."""

    x: Any
    labels: Any
    weights: list[Any]
    biases: list[Any]


def problem(widths: tuple[int, ...]) -> Problem:
    """The batch and the parameters that every peer starts from."""
    rng = np.random.default_rng(0)
    x = rng.random((100, widths[0]), dtype=np.float32)
    labels = rng.integers(0, widths[-1], 100)
    pairs = list(itertools.pairwise(widths))
    weights = [(rng.standard_normal((n, m)) * (2 / n) ** 0.5).astype(np.float32) for n, m in pairs]
    return Problem(x, labels, weights, [np.zeros(m, np.float32) for _, m in pairs])


def three_vectors() -> list[Any]:
    """Three vectors of ten numbers."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(10).astype(np.float32) for _ in range(3)]

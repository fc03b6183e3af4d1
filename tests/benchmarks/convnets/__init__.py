"""A step of learning of two convolutional networks with Adam, in each system: a module a system, `step(network)`.

Parameters and images come from `problem`, so all begin with the same numbers. A step returns its loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Layer = tuple[Any, ...]

SIMPLE: list[Layer] = [("conv", 30, 5, 0), ("relu",), ("pool",), ("affine", 100), ("relu",), ("affine", 10)]
"""A convolution of 30 kernels, 5×5; max pooling; two affine layers."""

DEEP: list[Layer] = [
    *[("conv", 16, 3, 1), ("relu",), ("conv", 16, 3, 1), ("relu",), ("pool",)],
    *[("conv", 32, 3, 1), ("relu",), ("conv", 32, 3, 2), ("relu",), ("pool",)],
    *[("conv", 64, 3, 1), ("relu",), ("conv", 64, 3, 1), ("relu",), ("pool",)],
    *[("affine", 50), ("relu",), ("dropout",), ("affine", 10), ("dropout",)],
]
"""Six convolutions of 3×3 (outputs, kernel, padding), pooled after each two; two affine layers, with dropout of half."""

NETWORKS = {"simple": SIMPLE, "deep": DEEP}
BATCH, SIZE, CLASSES, LR = 100, 28, 10, 1e-3


@dataclass
class Problem:
    """Images, labels, and the parameters in the order of the layers: conv weights (O, C, K, K), affine ones (in, out)."""

    x: Any
    labels: Any
    weights: list[Any]
    biases: list[Any]


def problem(network: list[Layer]) -> Problem:
    """The numbers that all systems begin with; weights after He."""
    rng = np.random.default_rng(0)
    x = rng.random((BATCH, 1, SIZE, SIZE), dtype=np.float32)
    labels = rng.integers(0, CLASSES, BATCH)
    channels, size, flat = 1, SIZE, 0
    weights: list[Any] = []
    for kind, *options in network:
        if kind == "conv":
            outputs, kernel, padding = options
            shape: tuple[int, ...] = (outputs, channels, kernel, kernel)
            channels, size = outputs, size + 2 * padding - kernel + 1
        elif kind == "pool":
            size //= 2
        elif kind == "affine":
            shape = (flat or channels * size * size, options[0])
            flat = options[0]
        if kind in ("conv", "affine"):
            fan = int(np.prod(shape[1:])) if kind == "conv" else shape[0]
            weights.append((rng.standard_normal(shape) * (2 / fan) ** 0.5).astype(np.float32))
    outs = [len(w) if w.ndim == 4 else w.shape[1] for w in weights]
    return Problem(x, labels, weights, [np.zeros(n, np.float32) for n in outs])

"""The primitives, a page of calculus: every op is declared here, once."""

from tinygrad_edu.ops import (
    elementwise,
    indexing,
    linalg,
    losses,
    neural,
    normalization,
    reductions,
    running,
    shaping,
    statistics,
)

__all__ = [
    "elementwise",
    "indexing",
    "linalg",
    "losses",
    "neural",
    "normalization",
    "reductions",
    "running",
    "shaping",
    "statistics",
]

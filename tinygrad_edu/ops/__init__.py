"""The primitives, a page of calculus: every op is declared here, once."""

from tinygrad_edu.ops import (
    einsum,
    elementwise,
    indexing,
    joining,
    linalg,
    losses,
    neural,
    normalization,
    products,
    reductions,
    running,
    shaping,
    statistics,
)

__all__ = [
    "einsum",
    "elementwise",
    "indexing",
    "joining",
    "linalg",
    "losses",
    "neural",
    "normalization",
    "products",
    "reductions",
    "running",
    "shaping",
    "statistics",
]

"""The primitives, a page of calculus: every op is declared here, once."""

from tinygrad_edu.ops import (
    diagonals,
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
    sorting,
    statistics,
)

__all__ = [
    "diagonals",
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
    "sorting",
    "statistics",
]

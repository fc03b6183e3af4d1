"""The primitives, a page of calculus: every op is declared here, once."""

from tinygrad_edu.ops import (
    comparisons,
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
    "comparisons",
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

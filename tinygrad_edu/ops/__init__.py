"""The primitives, a page of calculus: every op is declared here, once."""

from tinygrad_edu.engine.protocols import explain_methods
from tinygrad_edu.ops import (
    agreed,
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
    norms,
    presence,
    products,
    reductions,
    running,
    sets,
    shaping,
    sorting,
    statistics,
)

explain_methods()

__all__ = [
    "agreed",
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
    "norms",
    "presence",
    "products",
    "reductions",
    "running",
    "sets",
    "shaping",
    "sorting",
    "statistics",
]

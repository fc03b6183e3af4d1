"""The primitives, a page of calculus each: every op is declared here, once. The pages, by what one looks for:

    parts        what rules and declarations are made of: zero, gate, tables of functions
    types        array, copy, astype, conjugate
    precision    sums of float16 and long sums of float32
    agreed       a factor that a gradient and a result share
    arithmetic   add multiply divide, roots, powers
    elementwise  exponentials, logarithms, trigonometry
    rounding     sign floor round absolute remainder
    choosing     maximum minimum where clip select
    comparing    questions without a derivative: less equal isnan isclose
    reductions   sum mean prod any all
    extrema      max min argmax argmin
    spread       var std
    running      cumsum cumprod diff trapezoid
    statistics   average median quantile percentile
    nan          nan_to_num, and reductions without regard to NaN
    sorting      sort argsort partition
    sets         unique intersect1d and their kin
    histograms   histogram and its edges
    shaping      reshape squeeze expand_dims broadcast_to tile repeat
    reordering   transpose moveaxis flip rot90 roll
    joining      concatenate stack block
    splitting    split unstack delete
    padding      pad
    indexing     x[...], and its adjoint scatter
    writing      index_update scatter_add: writing into a copy
    taking       take take_along_axis compress
    places       nonzero argwhere meshgrid
    diagonals    diagonal trace triangles
    products     matmul dot outer tensordot cross
    einsum       einsum
    norms        norms of vectors and matrices
    presence     how what a selection dropped passes products
    linalg/      determinants, solving, factorizations, spectra
    network/     activations, softmax, losses, standardizing, embedding

No page needs one that imports it; `linalg` and `network` have lists of their own.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinygrad_edu.engine.registry import LATER
from tinygrad_edu.ops import (
    agreed,
    arithmetic,
    choosing,
    comparing,
    diagonals,
    einsum,
    elementwise,
    extrema,
    histograms,
    indexing,
    joining,
    nan,
    network,
    norms,
    padding,
    parts,
    places,
    precision,
    presence,
    products,
    reductions,
    reordering,
    rounding,
    running,
    sets,
    shaping,
    sorting,
    splitting,
    spread,
    statistics,
    taking,
    types,
    writing,
)

if TYPE_CHECKING:
    from tinygrad_edu.ops import linalg

LATER["numpy.linalg"] = "tinygrad_edu.ops.linalg"

__all__ = [
    "agreed",
    "arithmetic",
    "choosing",
    "comparing",
    "diagonals",
    "einsum",
    "elementwise",
    "extrema",
    "histograms",
    "indexing",
    "joining",
    "linalg",
    "nan",
    "network",
    "norms",
    "padding",
    "parts",
    "places",
    "precision",
    "presence",
    "products",
    "reductions",
    "reordering",
    "rounding",
    "running",
    "sets",
    "shaping",
    "sorting",
    "splitting",
    "spread",
    "statistics",
    "taking",
    "types",
    "writing",
]


def __getattr__(name: str) -> Any:
    """Load linear algebra when it is first named: few programs need it."""
    if name == "linalg":
        return import_module("tinygrad_edu.ops.linalg")
    raise AttributeError(f"module 'tinygrad_edu.ops' has no attribute {name!r}")

"""The primitives, a page of calculus each: every op is declared here, once. The pages, by what one looks for:

    parts        what rules and declarations are made of: zero, gate, tables of functions
    types        array, copy, astype, conjugate
    precision    sums of float16 and long sums of float32
    memory       bytes that begin at a line of the cache
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
    elementwise,
    extrema,
    indexing,
    joining,
    network,
    parts,
    precision,
    presence,
    products,
    reductions,
    reordering,
    rounding,
    running,
    shaping,
    spread,
    taking,
    types,
    writing,
)

if TYPE_CHECKING:
    from tinygrad_edu.ops import (
        einsum,
        histograms,
        linalg,
        nan,
        norms,
        padding,
        places,
        sets,
        sorting,
        splitting,
        statistics,
    )

_LATER = {
    "einsum": "einsum",
    "histograms": "histogram histogram_bin_edges",
    "linalg": "numpy.linalg",
    "nan": "nan_to_num nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin nanpercentile nanprod "
           "nanquantile nanstd nansum nanvar fmax.reduce fmin.reduce",
    "norms": "norm vector_norm matrix_norm",
    "padding": "pad",
    "places": "argwhere flatnonzero meshgrid nonzero",
    "sets": "intersect1d setdiff1d setxor1d union1d unique unique_all unique_counts unique_inverse unique_values",
    "sorting": "argsort partition sort",
    "splitting": "array_split delete dsplit hsplit split unstack vsplit",
    "statistics": "average median percentile quantile",
}  # fmt: skip
"""The pages that few programs need, each with the functions that it answers for: it is loaded when one is first named."""

LATER.update({name: f"tinygrad_edu.ops.{page}" for page, names in _LATER.items() for name in names.split()})

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


def load_all() -> None:
    """Load every page, for those who list or test all ops."""
    for page in _LATER:
        import_module(f"tinygrad_edu.ops.{page}")


def __getattr__(name: str) -> Any:
    """Load a page that few programs need when it is first named."""
    if name in _LATER:
        return import_module(f"tinygrad_edu.ops.{name}")
    raise AttributeError(f"module 'tinygrad_edu.ops' has no attribute {name!r}")

"""Histograms: how many numbers are in each bin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import Fixed, example, spread
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike
    from tinygrad_edu.engine.signatures import OfFirst


def _edges(x: Any, bins: Any, range: Any, edges: Any) -> Any:
    """The edges that NumPy has computed, recorded if they were computed from x or are recorded already."""
    if np.ndim(bins):
        return bins if hasattr(bins, "requires_grad") else edges  # as they were given
    if range is not None or not x.size or not hasattr(x, "requires_grad"):
        return edges
    low, high = np.min(x), np.max(x)
    if edges[-1] - edges[0] == 1 and (numbers(x) == numbers(x).flat[0]).all():
        low, high = low - 0.5, high + 0.5
    share = np.linspace(0, 1, len(edges), dtype=edges.dtype)
    return low * (1 - share) + high * share


@op(
    symbol="count",
    arity=3,
    domain=spread,
    examples=[example((7,), Fixed(np.array([-3.0, 0.0, 3.0])), Fixed(np.arange(7)))],
)
def counted(x: Array, edges: Array, weights: Array) -> Array:
    """The sum of the weights of the elements that lie between one edge and the next.

    >>> counted(np.array([0.0, 1.0, 4.0]), np.array([0.0, 2.0, 4.0]), np.ones(3))
    array([2., 1.])
    """
    return np.histogram(x, edges, weights=weights)[0]


_BINNED = (
    example((7,), 3),
    example((2, 4)),
    example((5,), "sqrt"),
    example((7,), bins=[-2.0, -0.5, 0.0, 2.0]),
    example((7,), 4, range=(-1.0, 1.0)),
    example(np.array([2, 2]), 2),
    example((6,), 2, weights=np.arange(6)),
)


@composite(
    answers=(np.histogram,),
    domain=spread,
    formulas=["∂L/∂x = 0 but at the smallest and the largest x, between which the edges lie"],
    examples=[*_BINNED, example((7,), 3, density=True), example((7,), bins=[-2.0, 0.5, 2.0], density=True)],
)
def histogram(
    x: Array,
    bins: ArrayLike | str = 10,
    range: tuple[float, float] | None = None,
    density: bool | None = None,
    weights: ArrayLike | None = None,
) -> tuple[Array, Array]:
    """(counts, edges): how many elements of x lie in each bin. Counts have no derivative; the edges and with `density`
    the heights of the bars have one where they depend on x, whose smallest and largest element they are computed from.

    x: numbers, an array or a tensor of any shape.
    bins: how many bins of equal width; or their edges, rising; or NumPy's name of a rule for their number, such as
        "auto".
    range: where the first bin begins and the last one ends; None takes the smallest and the largest element of x. What
        lies outside is not counted.
    density: whether the heights are such that the bars have the area 1.
    weights: how much each element of x counts, of x's shape; None for 1.

    >>> import tinygrad_edu as tg
    >>> counts, edges = histogram(tg.Tensor([0.0, 1.0, 4.0], requires_grad=True), 2)
    >>> counts.tolist(), edges.tolist()
    ([2, 1], [0.0, 2.0, 4.0])
    """
    if getattr(weights, "requires_grad", False):
        raise TypeError(
            f"np.histogram is not recorded, so the gradient of its weights, {weights.describe()}, would be lost; "  # type: ignore[union-attr]  # a tensor
            "write tg.scatter_add(np.zeros(n), bins, weights), or pass weights.numpy()"
        )
    x = array(x)
    given = {"range": numbers(range), "weights": numbers(weights)}
    counts, found = np.histogram(numbers(x, "np.histogram"), numbers(bins, "np.histogram"), **given)
    edges = _edges(x, bins, range, found)
    if not density:
        return counts, edges
    counts = counted(x, edges, np.ones(x.shape) if weights is None else given["weights"])
    return counts / np.sum(counts) / np.astype(edges[1:] - edges[:-1], float), edges


@composite(
    answers=(np.histogram_bin_edges,),
    domain=spread,
    formulas=histogram.formulas,
    examples=_BINNED,
)
def histogram_bin_edges(
    x: Array, bins: ArrayLike | str = 10, range: tuple[float, float] | None = None, weights: ArrayLike | None = None
) -> OfFirst:
    """The edges of the bins in which `histogram` counts. There is one edge more than bins.

    The parameters are those of `histogram`.

    >>> histogram_bin_edges(np.array([0.0, 1.0, 4.0]), 2).tolist()
    [0.0, 2.0, 4.0]
    """
    x = array(x)
    what = "np.histogram_bin_edges"
    found = np.histogram_bin_edges(numbers(x, what), numbers(bins, what), numbers(range), numbers(weights))
    return _edges(x, bins, range, found)

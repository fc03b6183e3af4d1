"""Where elements are: the indices of what is not 0, and of points of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.engine.protocols import ASKS

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


@op(
    symbol="argwhere",
    answers=(np.argwhere,),
    may_raise=False,
    domain=lambda rng, shape: rng.integers(-1, 2, shape),
    examples=[example((3, 4)), example((5,)), example(())],
)
def argwhere(x: Array) -> Array:
    """The indices of the elements that are not zero, a row for each of them: integers, without a derivative. NaN is not
    zero.

    >>> argwhere([[0, 5], [7, 0]]).tolist()
    [[0, 1], [1, 0]]
    """
    return np.argwhere(x)


@composite(
    answers=(np.nonzero,),
    domain=lambda rng, shape: rng.integers(-1, 2, shape),
    examples=[example((3, 4)), example((5,))],
)
def nonzero(x: Array) -> tuple[Array, ...]:
    """The indices of the elements that are not zero, an array of them for each axis: x[nonzero(x)] are these elements.

    >>> nonzero(np.array([[0, 7], [8, 0]]))
    (array([0, 1]), array([1, 0]))
    """
    if not np.ndim(x):
        raise ValueError("nonzero() of a single number is not defined; write np.atleast_1d(x), or x != 0")
    places = argwhere(x)
    return tuple([places[:, i] for i in range(np.ndim(x))])


@op(
    symbol="flatnonzero",
    answers=(np.flatnonzero,),
    may_raise=False,
    domain=lambda rng, shape: rng.integers(-1, 2, shape),
    examples=[example((3, 4)), example((5,))],
)
def flatnonzero(x: Array) -> Array:
    """The indices, in the ravelled x, of the elements that are not zero: integers, without a derivative. NaN is not
    zero.

    >>> flatnonzero([[0, 5], [7, 0]]).tolist()
    [1, 2]
    """
    return np.flatnonzero(x)


@composite(
    answers=(np.meshgrid,),
    examples=[
        example((3,), (2,)),
        example((3,), (2,), indexing="ij"),
        example((3,), (), (2,), sparse=True, copy=False),
    ],
    analytic=True,
)
def meshgrid(*xs: ArrayLike, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Array, ...]:
    """Coordinates as grids: each xᵢ repeated along the axes of the others.

    indexing: "xy" makes the first two axes rows (of x₁) and columns (of x₀), as figures want; "ij" keeps the order.

    copy: whether each grid has memory of its own, rather than a view of x.
    sparse: whether the grids keep length 1 along the axes of the others, and are left to broadcasting.

    >>> meshgrid(np.array([1, 2, 3]), np.array([10, 20]))[0]
    array([[1, 2, 3],
           [1, 2, 3]])
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid() got indexing={indexing!r}; it takes 'xy' or 'ij'")
    axes = list(range(len(xs)))
    if indexing == "xy":
        axes[:2] = axes[:2][::-1]
    grids = [np.reshape(x, [-1 if i == axis else 1 for i in axes]) for axis, x in enumerate(xs)]
    return tuple(grids) if sparse else tuple(np.broadcast_arrays(*grids))


ASKS.update(
    {np.ix_, np.diag_indices_from, np.tril_indices_from, np.triu_indices_from, np.unravel_index, np.ravel_multi_index}
)

"""Splitting an array, and leaving parts of it out: the gradient of a part is 0 elsewhere."""

from __future__ import annotations

import sys
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.ops.types import called

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike
    from tinygrad_edu.engine.signatures import OfFirst


def _cuts(x: Any, indices: Any, axis: int, *, equal: bool) -> tuple[int, ...]:
    """Where to cut, from a number of parts or from the places as NumPy allows them."""
    n = np.shape(x)[normalize_axis_index(axis, np.ndim(x), f"split of {called(x)}")]
    if np.iterable(indices):
        cuts = tuple([slice(index(i)).indices(n)[1] for i in indices])
        if list(cuts) != sorted(cuts):
            raise ValueError(f"split of {called(x)}: the places {tuple(indices)} along axis {axis} are not in order")
        return cuts
    parts = index(indices)
    if parts < 1:
        raise ValueError(f"split of {called(x)} gives one part or more, but was asked for {parts}")
    if equal and n % parts:
        raise ValueError(
            f"split of {called(x)}: axis {axis} does not divide into {parts} equal parts; np.array_split allows for it"
        )
    return tuple([i * (n // parts) + min(i, n % parts) for i in range(1, parts)])


def _bind_split(x: Array, indices_or_sections: ArrayLike, axis: int = 0) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return (x,), {"indices": _cuts(x, indices_or_sections, axis, equal=True), "axis": index(axis)}


@op(
    symbol="split",
    vjp=(lambda g, y, x, *, indices, axis: np.concatenate(g, axis),),
    presence="selects",
    answers=(np.split,),
    bind=_bind_split,
    outputs=sys.maxsize,
    view=True,
    may_raise=False,
    analytic=True,
    formulas=["∂L/∂x = concat(∂L/∂y₀, ∂L/∂y₁, …)"],
    examples=[
        example((4, 2), 2),
        example((2, 3), 3, axis=1),
        example((5,), [1, 3]),
        example((2, 5), [2, -1], axis=-1),
        example((3,), [0, 7]),
        example((0, 2), 2, axis=0),
    ],
)
def split(x: Array, indices: tuple[int, ...], axis: int) -> tuple[Array, ...]:
    """y₀, y₁, … are x cut along an axis: into so many equal parts, or at the places given.

    x: numbers, an array or a tensor.
    indices_or_sections: the number of parts; or the places, rising, at which a new part begins.
    axis: the axis that is cut.

    Raises ValueError if the axis does not divide equally.

    >>> import numpy as np
    >>> [part.tolist() for part in split(np.arange(5), [2, 3])]
    [[0, 1], [2], [3, 4]]
    """
    return tuple(np.split(x, indices, axis))


@composite(
    formulas=["∂L/∂x = concat(∂L/∂y₀, ∂L/∂y₁, …)"],
    answers=(np.array_split,),
    analytic=True,
    examples=[example((5,), 2), example((2, 5), 3, axis=1), example((5, 2), [1, 4]), example((2,), 3)],
)
def array_split(x: Array, indices_or_sections: ArrayLike, axis: int = 0) -> tuple[Array, ...]:
    """y₀, y₁, … are x cut into so many parts, the first of which may be longer by one.

    The parameters are those of `split`.

    >>> import tinygrad_edu as tg
    >>> [part.tolist() for part in array_split(tg.Tensor([1, 2, 3, 4, 5]), 2)]
    [[1, 2, 3], [4, 5]]
    """
    return split(x, _cuts(x, indices_or_sections, axis, equal=False), axis)


@composite(
    formulas=["∂L/∂x = concat(∂L/∂y₀, ∂L/∂y₁, …)"],
    answers=(np.hsplit,),
    analytic=True,
    examples=[example((2, 4), 2), example((4,), [1, 2])],
)
def hsplit(x: Array, indices_or_sections: ArrayLike) -> tuple[Array, ...]:
    """y₀, y₁, … are x cut along its second axis, a vector along its only one.

    The parameters are those of `split`.

    >>> import tinygrad_edu as tg
    >>> [part.tolist() for part in hsplit(tg.Tensor([[1, 2], [3, 4]]), 2)]
    [[[1], [3]], [[2], [4]]]
    """
    return split(x, indices_or_sections, 0 if np.ndim(x) == 1 else 1)


@composite(
    formulas=["∂L/∂x = concat(∂L/∂y₀, ∂L/∂y₁, …)"],
    answers=(np.vsplit,),
    analytic=True,
    examples=[example((4, 2), 2), example((3, 2), [1])],
)
def vsplit(x: Array, indices_or_sections: ArrayLike) -> tuple[Array, ...]:
    """y₀, y₁, … are x cut along its rows.

    The parameters are those of `split`.

    >>> import tinygrad_edu as tg
    >>> [part.tolist() for part in vsplit(tg.Tensor([[1, 2], [3, 4]]), 2)]
    [[[1, 2]], [[3, 4]]]
    """
    if np.ndim(x) < 2:
        raise ValueError(f"vsplit cuts between rows, so it takes two axes or more, but got {called(x)}")
    return split(x, indices_or_sections, 0)


@composite(
    formulas=["∂L/∂x = concat(∂L/∂y₀, ∂L/∂y₁, …)"],
    answers=(np.dsplit,),
    analytic=True,
    examples=[example((2, 1, 4), 2), example((1, 2, 3), [1])],
)
def dsplit(x: Array, indices_or_sections: ArrayLike) -> tuple[Array, ...]:
    """y₀, y₁, … are x cut along its third axis.

    The parameters are those of `split`.

    >>> import tinygrad_edu as tg
    >>> [part.tolist() for part in dsplit(tg.Tensor([[[1, 2]]]), 2)]
    [[[[1]]], [[[2]]]]
    """
    if np.ndim(x) < 3:
        raise ValueError(f"dsplit cuts along the third axis, but got {called(x)}")
    return split(x, indices_or_sections, 2)


def _bind_unstack(x: Array, *, axis: int = 0) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return (x,), {"axis": index(axis)}


@op(
    symbol="unstack",
    vjp=(lambda g, y, x, *, axis: np.stack(g, axis),),
    presence="selects",
    answers=(np.unstack,),
    bind=_bind_unstack,
    outputs=sys.maxsize,
    view=True,
    may_raise=False,
    analytic=True,
    formulas=["∂L/∂x = stack(∂L/∂y₀, ∂L/∂y₁, …)"],
    examples=[example((2, 3)), example((2, 3, 2), axis=1), example((2, 3), axis=-1), example((3,)), example((2, 0))],
)
def unstack(x: Array, axis: int = 0) -> tuple[Array, ...]:
    """yᵢ = x[i]: the slices of x along an axis, as a tuple. Each has the gradient of its slice.

    x: numbers, an array or a tensor of one axis at least.
    axis: the axis that is taken apart.

    >>> import numpy as np
    >>> [row.tolist() for row in unstack(np.array([[1, 2], [3, 4]]))]
    [[1, 2], [3, 4]]
    """
    return tuple([np.asarray(part) for part in np.moveaxis(x, axis, 0)])


@composite(
    formulas=["∂L/∂x = 0 but ∂L/∂x[kept] = ∂L/∂y"],
    answers=(np.delete,),
    analytic=True,
    examples=[example((5,), 1), example((2, 3), [0, -1], axis=1), example((2, 3), [1, 2])],
)
def delete(x: Array, obj: ArrayLike | slice, axis: int | None = None) -> OfFirst:
    """y is x without its elements (its slices along `axis`) at the places `obj`: a number, slice, list or mask. What is
    left out has the gradient 0.

    x: numbers, an array or a tensor.
    obj: the places, counted from the end if negative.
    axis: the axis along which they count; None counts in x as one row.

    >>> import tinygrad_edu as tg
    >>> delete(tg.Tensor([1, 2, 3]), 1).tolist()
    [1, 3]
    """
    if axis is None:
        x, axis = np.ravel(x), 0
    return np.take(x, np.delete(np.arange(np.shape(x)[axis]), numbers(obj)), axis=axis)

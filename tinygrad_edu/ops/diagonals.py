"""Diagonals and triangles of matrices: taken, put back, and summed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import composite, op

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out


def _diagonal_rule(g: Any, y: Any, x: Any, *, offset: int, axis1: int, axis2: int) -> Any:
    return from_diagonal(g, shape=x.shape, offset=offset, axis1=axis1, axis2=axis2)


@op(
    symbol="diagonal",
    vjp=(_diagonal_rule,),
    presence="selects",
    answers=(np.diagonal,),
    view=True,
    may_raise=False,
    analytic=True,
    formulas=["∂L/∂x = 0 but on the diagonal ∂L/∂y"],
    examples=[
        example((3, 3)),
        example((3, 4), offset=2),
        example((4, 2), offset=-1),
        example((2, 3, 4), offset=1, axis1=-1, axis2=0),
        example((2, 3), offset=5),
    ],
)
def diagonal(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """yᵢ = xᵢᵢ (or xᵢ,ᵢ₊ₒ, for an offset o) in the two axes, which are replaced by one, the last.

    x: an array or a tensor of two axes at least.
    offset: o, which diagonal: above the main one if positive, below it if negative.
    axis1, axis2: the axes of the rows and of the columns.

    >>> diagonal(np.array([[1, 2], [3, 4]]))
    array([1, 4])
    """
    return np.diagonal(x, offset, axis1, axis2)


@op(
    symbol="diag",
    vjp=(lambda g, y, d, *, shape, offset, axis1, axis2: np.diagonal(g, offset, axis1, axis2),),
    presence="moves",
    takes_out=True,
    analytic=True,
    formulas=["∂L/∂x = diagonal(∂L/∂y)"],
    examples=[
        example((3,), shape=(3, 3)),
        example((2,), shape=(4, 2), offset=-1),
        example((3, 1), shape=(2, 3, 4), offset=1, axis1=-1, axis2=0),
    ],
)
def from_diagonal(
    x: Array, shape: tuple[int, ...], offset: int = 0, axis1: int = 0, axis2: int = 1, *, out: Out = None
) -> Array:
    """y = 0 of the given shape, but yᵢᵢ = xᵢ: the adjoint of `diagonal`.

    >>> from_diagonal(np.array([1, 2]), shape=(2, 3), offset=1)
    array([[0, 1, 0],
           [0, 0, 2]])
    """
    y = np.zeros(shape, x.dtype) if out is None else out
    y.fill(0)
    place = np.diagonal(y, offset, axis1, axis2)
    if place.shape != x.shape:
        raise ValueError(f"a diagonal of shape {place.shape} is to be filled, but got {x.shape}")
    place.flags.writeable = True
    place[...] = x
    return y


@composite(
    answers=(np.diag,),
    examples=[example((3,)), example((2,), k=-1), example((3, 4), k=1), example((0,)), example((3, 2), k=-2)],
    analytic=True,
)
def diag(x: Array, k: int = 0) -> Array:
    """The k-th diagonal of a matrix, or the matrix that has a vector as its k-th diagonal and zeros elsewhere.

    x: a vector or a matrix.
    k: which diagonal: above the main one, which is 0, if positive, below it if negative.

    >>> diag(np.array([1, 2]))
    array([[1, 0],
           [0, 2]])
    """
    if np.ndim(x) == 2:
        return np.diagonal(x, k)
    if np.ndim(x) != 1:
        raise ValueError(f"diag() takes a vector or a matrix, but got shape {np.shape(x)}; see np.diagonal")
    n = np.size(x) + abs(k)
    return from_diagonal(x, shape=(n, n), offset=k)


@composite(answers=(np.diagflat,), examples=[example((2, 2), k=1)], analytic=True)
def diagflat(x: Array, k: int = 0) -> Array:
    """The matrix that has the ravelled x as its k-th diagonal, and zeros elsewhere.

    The parameters are those of `diag`, with x of any shape.

    >>> diagflat([[1, 2]]).tolist()
    [[1, 0], [0, 2]]
    """
    return diag(np.ravel(x), k)


@composite(
    formulas=["∂L/∂x = ∂L/∂y·I"],
    answers=(np.trace,),
    examples=[
        example((3, 3)),
        example((3, 4), offset=1),
        example((2, 3, 2), axis1=0, axis2=2),
        example((1, 2, 3), axis1=2, axis2=1),
    ],
    analytic=True,
)
def trace(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """y = Σᵢ xᵢᵢ: the sum along the diagonal of two axes. Each element there has the gradient of its sum, all others 0.

    The parameters are those of `diagonal`.

    >>> trace(np.array([[1, 2], [3, 4]])).item()
    5
    """
    return np.sum(np.diagonal(x, offset, axis1, axis2), axis=-1)


def _clear(x: Any, k: int) -> None:
    """xᵢⱼ = 0 where j ≥ i + k: by rows, or by columns where there are fewer."""
    rows, columns = x.shape[-2:]
    if rows <= columns:
        for i in range(rows):
            x[..., i, max(i + k, 0) :] = 0
    else:
        for j in range(columns):
            x[..., : max(j - k + 1, 0), j] = 0


@op(
    symbol="tril",
    vjp=(lambda g, y, x, *, k: np.tril(g, k),),
    presence="selects",
    answers=(np.tril,),
    broadcasts=True,
    takes_out=True,
    analytic=True,
    examples=[example((3, 3)), example((2, 3, 4), k=-1), example((3, 2), k=1), example((3,))],
)
def tril(x: Array, k: int = 0, *, out: Out = None) -> Array:
    """yᵢⱼ = xᵢⱼ where j ≤ i + k, else 0: the lower triangle. What is set to 0 has the gradient 0.

    x: a matrix, or a stack of them.
    k: how many diagonals above the main one are kept too; below it, if negative.

    >>> tril(np.array([[1, 2], [3, 4]]))
    array([[1, 0],
           [3, 4]])
    """
    if out is None:
        return np.tril(x, k)
    np.copyto(out, x)
    _clear(out, k + 1)
    return out


@op(
    symbol="triu",
    vjp=(lambda g, y, x, *, k: np.triu(g, k),),
    presence="selects",
    answers=(np.triu,),
    broadcasts=True,
    takes_out=True,
    analytic=True,
    examples=[example((3, 3)), example((2, 3, 4), k=-1), example((3, 2), k=1), example((3,))],
)
def triu(x: Array, k: int = 0, *, out: Out = None) -> Array:
    """yᵢⱼ = xᵢⱼ where j ≥ i + k, else 0: the upper triangle. What is set to 0 has the gradient 0.

    x: a matrix, or a stack of them.
    k: the first diagonal that is kept: above the main one, which is 0, if positive, below it if negative.

    >>> triu(np.array([[1, 2], [3, 4]]))
    array([[1, 2],
           [0, 4]])
    """
    if out is None:
        return np.triu(x, k)
    np.copyto(out, x)
    _clear(out.mT, 1 - k)
    return out


@composite(
    formulas=["∂L/∂x = ∂L/∂y·I"],
    answers=(np.linalg.trace,),
    examples=[example((3, 3)), example((2, 3, 4), offset=1), example((2, 2))],
    analytic=True,
)
def matrix_trace(x: Array, *, offset: int = 0) -> Array:
    """y = Σᵢ xᵢᵢ, which is taken of each matrix.

    x: a matrix, or a stack of them in its last two axes, an array or a tensor.
    offset: which diagonal: above the main one if positive, below it if negative.

    >>> matrix_trace(np.array([[[1, 2], [3, 4]]])).tolist()
    [5]
    """
    return np.trace(x, offset, -2, -1)


@composite(
    formulas=["∂L/∂x = 0 but on the diagonal ∂L/∂y"],
    answers=(np.linalg.diagonal,),
    examples=[example((3, 3)), example((2, 3, 4), offset=-1)],
    analytic=True,
)
def matrix_diagonal(x: Array, *, offset: int = 0) -> Array:
    """yᵢ = xᵢᵢ, or xᵢ,ᵢ₊ₒ for an offset o: the diagonal of each matrix, which becomes the last axis.

    x: a matrix, or a stack of them in its last two axes, an array or a tensor.
    offset: which diagonal: above the main one if positive, below it if negative.

    >>> matrix_diagonal(np.array([[[1, 2], [3, 4]]])).tolist()
    [[1, 4]]
    """
    return np.diagonal(x, offset, -2, -1)

"""Products: of matrices, of vectors, of stacks of them, of arrays along any axes."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import composite, op, ufunc

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out


def _matmul_by_a(g: Any, a: Any, b: Any) -> Any:
    """∂L/∂a of y = a @ b, where one is a vector or a stack of matrices."""
    if a.ndim == b.ndim == 1:
        return g * b
    if b.ndim == 1:
        return g[..., None] * b
    if a.ndim == 1:
        return (b @ g[..., None])[..., 0]
    if b.ndim == 2:  # one product of a tall matrix, instead of a stack of small ones
        return np.reshape(_tall(g) @ b.T, a.shape)
    return g @ b.mT


def _matmul_by_b(g: Any, a: Any, b: Any) -> Any:
    """∂L/∂b of y = a @ b, where one is a vector or a stack of matrices."""
    if a.ndim == b.ndim == 1:
        return g * a
    if a.ndim == 1:
        return a[:, None] * g[..., None, :]
    if b.ndim == 1:
        return (a.mT @ g[..., None])[..., 0]
    if b.ndim == 2:  # one product of tall matrices, instead of a stack of products to be summed
        return _tall(a).T @ _tall(g)
    return a.mT @ g


def _plainly_by_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    """The rule by a as formulas print it, without the short ways of `_matmul_by_a`: a stack of products."""
    return g @ b.mT if a.ndim > 1 and b.ndim == 2 else _matmul_by_a(g, a, b)


def _plainly_by_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    """The rule by b as formulas print it: an outer product, or the sum of a stack of products."""
    if a.ndim == 1 and b.ndim == 2:
        return a[:, None] * g
    if a.ndim > 1 and b.ndim == 2:
        stack = a.mT @ g
        return np.sum(stack, axis=tuple(range(a.ndim - 2))) if a.ndim > 2 else stack
    return _matmul_by_b(g, a, b)


def _tall(x: Any) -> Any:
    """A stack of matrices as one, their rows below each other."""
    return np.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _matmul_advice(a: tuple[int, ...], b: tuple[int, ...]) -> str | None:
    if not a or not b:
        return "a matrix product takes one axis or more on each side; for a number write a * b"
    rows = b[-2] if len(b) > 1 else b[-1]
    if a[-1] == rows:  # then the stacks do not fit, which NumPy says
        return None
    place = "last axis but one" if len(b) > 1 else "axis"
    return f"the last axis of the first ({a[-1]}) must be as long as the {place} of the second ({rows}); transpose one with .mT?"


def _spelled_product(s: Any, a: Any, b: Any) -> Any:
    v = s.upright(b)
    return a @ b if v is None else s.stood_up(a @ v)


matmul = ufunc(
    np.matmul,
    "dot",
    spelled=_spelled_product,
    vjp=(
        lambda g, y, a, b: g @ b.T if a.ndim == 2 and b.ndim == 2 else _matmul_by_a(g, a, b),
        lambda g, y, a, b: a.T @ g if a.ndim == 2 and b.ndim == 2 else _matmul_by_b(g, a, b),
    ),
    formulas=[_plainly_by_a, _plainly_by_b],
    presence="product",
    answers=(np.matmul, np.linalg.matmul),
    analytic=True,
    advice=_matmul_advice,
    examples=[
        example((2, 3), (3, 4)),
        example((3,), (3,)),
        example((3,), (3, 2)),
        example((2, 3), (3,)),
        example((2, 2, 3), (3, 4)),
        example((2, 3), (2, 3, 2)),
        example((2, 1, 2, 3), (3, 3, 2)),
        example((3,), (2, 3, 2)),
        example((2, 2, 3), (3,)),
        example((0, 3), (3, 2)),
        example((2, 0), (0, 2)),
        example((2, 2, 0), (0, 2)),
    ],
    doc="""y = a @ b, yᵢⱼ = Σₖ aᵢₖ·bₖⱼ: the matrix product.

    A vector stands for a row on the left and a column on the right; further axes in front are stacks of
    matrices, broadcast together. Raises ValueError if a's last axis is not as long as b's last but one.

    a, b: arrays or tensors of one axis at least.

    >>> import tinygrad_edu as tg
    >>> W = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> (W @ np.array([1.0, 10.0])).sum().backward()
    >>> W.grad.tolist()
    [[1.0, 10.0], [1.0, 10.0]]
    """,
)


def _bind_vecdot(a: Array, b: Array, axis: int = -1) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return (a, b) if axis == -1 else (np.moveaxis(a, axis, -1), np.moveaxis(b, axis, -1)), {}


@op(
    symbol="dot",
    vjp=(lambda g, y, a, b: g[..., None] * b, lambda g, y, a, b: g[..., None] * a),
    presence="product",
    bind=_bind_vecdot,
    answers=(np.vecdot, np.linalg.vecdot),
    broadcasts=True,
    takes_out=True,
    examples=[example((3,), (3,)), example((2, 3), (3,)), example((2, 1, 3), (4, 3)), example((3, 2), (3, 2), axis=0)],
)
def vecdot(a: Array, b: Array, *, out: Out = None) -> Array:
    """y = Σₖ aₖ·bₖ along one axis, the last unless told otherwise; the others are broadcast together.

    a, b: arrays or tensors; of complex numbers, the conjugates of a are taken.
    axis: the axis of the sum in both.

    >>> vecdot(np.array([[1, 2], [3, 4]]), np.array([10, 1]))
    array([12, 34])
    """
    return np.vecdot(a, b, out=out)


@composite(
    answers=(np.dot,),
    examples=[
        example((2, 3), (3, 4)),
        example((3,), (3,)),
        example((2, 3), (3,)),
        example((), (2, 3)),
        example((2, 2, 3), (2, 3, 2)),
        example((3,), (2, 3, 2)),
    ],
    analytic=True,
)
def dot(a: Array, b: Array) -> Array:
    """y = a·b: the matrix product for vectors and matrices, the product for numbers.

    Stacks are not matched but multiplied each with each: y[i, j, k, l] = Σₘ a[i, j, m]·b[k, m, l]; see `matmul`.

    a, b: numbers, arrays or tensors. Raises ValueError if the last axis of a is not as long as the last but one of b.

    >>> dot(np.array([1, 2]), np.array([[1, 10], [100, 1000]]))
    array([ 201, 2010])
    """
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    if np.ndim(b) == 1 or (np.ndim(a) <= 2 and np.ndim(b) == 2):
        return np.matmul(a, b)
    return np.tensordot(a, b, (-1, -2))


@composite(
    answers=(np.inner,),
    examples=[example((3,), (3,)), example((2, 3), (4, 3)), example((3,), (2, 3)), example((), (2,))],
    analytic=True,
)
def inner(a: Array, b: Array) -> Array:
    """y[i, j] = Σₖ a[i, k]·b[j, k]: products along the last axes. Numbers multiply everything.

    a, b: numbers, arrays or tensors, whose last axes have one length.

    >>> inner(np.array([[1, 2], [3, 4]]), np.array([[10, 1]]))
    array([[12],
           [34]])
    """
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return np.multiply(a, b)
    return np.matmul(a, b) if np.ndim(b) == 1 else np.tensordot(a, b, (-1, -1))


@composite(answers=(np.vdot,), examples=[example((3,), (3,)), example((2, 3), (6,)), example((), ())])
def vdot(a: Array, b: Array) -> Array:
    """y = Σₖ aₖ·bₖ over all elements, whatever the shapes. Of complex numbers, the conjugates of a are taken.

    a, b: arrays or tensors, which have the same number of elements.

    >>> vdot(np.array([[1, 2], [3, 4]]), np.array([1, 10, 100, 1000])).item()
    4321
    """
    return np.vecdot(np.ravel(a), np.ravel(b))


@composite(
    formulas=["∂L/∂a = ∂L/∂y @ b", "∂L/∂b = (∂L/∂y)ᵀ @ a"],
    answers=(np.outer, np.linalg.outer),
    examples=[example((3,), (2,)), example((2, 2), (3,)), example((), (2,))],
    analytic=True,
)
def outer(a: Array, b: Array) -> Array:
    """yᵢⱼ = aᵢ·bⱼ, of the ravelled a and b. Its shape is (size of a, size of b).

    a, b: numbers, arrays or tensors.

    >>> outer(np.array([1, 2]), np.array([10, 20]))
    array([[10, 20],
           [20, 40]])
    """
    return np.multiply(np.reshape(a, (-1, 1)), np.ravel(b))


@composite(
    formulas=["∂L/∂aᵢⱼ = Σ ∂L/∂y[block i j] ⊙ b", "∂L/∂b = Σ ∂L/∂y[block i j]·aᵢⱼ, over i and j"],
    answers=(np.kron,),
    examples=[example((2, 3), (3, 2)), example((2,), (3, 2)), example((2, 1, 2), (2,)), example((), (2,))],
    analytic=True,
)
def kron(a: Array, b: Array) -> Array:
    """The Kronecker product: each aᵢⱼ replaced by the block aᵢⱼ·b.

    a, b: numbers, arrays or tensors; each length of the result is the product of theirs.

    >>> kron(np.array([1, 10]), np.array([[1, 2]]))
    array([[ 1,  2, 10, 20]])
    """
    ndim = max(np.ndim(a), np.ndim(b))
    rows, columns = (1,) * (ndim - np.ndim(a)) + np.shape(a), (1,) * (ndim - np.ndim(b)) + np.shape(b)
    blocks = np.reshape(a, [n for row in rows for n in (row, 1)]) * np.reshape(b, [n for m in columns for n in (1, m)])
    return np.reshape(blocks, [n * m for n, m in zip(rows, columns, strict=True)])


def _bind_cross(
    a: Array, b: Array, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    axes = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    ndims = np.ndim(a), np.ndim(b), max(np.ndim(a), np.ndim(b))
    # counted from the end, the axes mean the same after broadcasting
    settings = {
        name: normalize_axis_tuple(i, n)[0] - n
        for name, i, n in zip(("axisa", "axisb", "axisc"), axes, ndims, strict=True)
    }
    for x, i in ((a, settings["axisa"]), (b, settings["axisb"])):
        if np.shape(x)[i] != 3:
            raise ValueError(f"cross() takes vectors of three components, but got shape {np.shape(x)} along axis {i}")
    return (a, b), settings


@op(
    symbol="×",
    vjp=(
        lambda g, y, a, b, *, axisa, axisb, axisc: np.cross(b, g, axisb, axisc, axisa),
        lambda g, y, a, b, *, axisa, axisb, axisc: np.cross(g, a, axisc, axisa, axisb),
    ),
    bind=_bind_cross,
    formulas=["∂L/∂a = b × ∂L/∂y", "∂L/∂b = ∂L/∂y × a"],
    answers=(np.cross, np.linalg.cross),
    broadcasts=True,
    may_raise=False,
    analytic=True,
    examples=[
        example((3,), (3,)),
        example((2, 3), (3,)),
        example((3,), (4, 1, 3)),
        example((3, 2), (3, 2), axis=0),
        example((3, 2), (4, 2, 3), axisa=0, axisc=1),
        example((2, 3), (3, 2), axisb=0),
    ],
)
def cross(a: Array, b: Array, *, axisa: int, axisb: int, axisc: int) -> Array:
    """y = a × b, at right angles to both: for vectors of three components, along the last axis. It is
    (a₁b₂ − a₂b₁, a₂b₀ − a₀b₂, a₀b₁ − a₁b₀).

    a, b: arrays or tensors of vectors, whose other axes broadcast together.
    axisa, axisb: the axes along which the components lie in a and in b.
    axisc: the axis along which they lie in y.
    axis: one number for all three, if given.

    Raises ValueError for vectors of another number of components.

    >>> cross(np.array([1, 0, 0]), np.array([0, 1, 0]))
    array([0, 0, 1])
    """
    return np.cross(a, b, axisa, axisb, axisc)


def _bind_tensordot(
    a: Array, b: Array, axes: int | Sequence[int] | Sequence[Sequence[int]] = 2
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if np.ndim(axes) == 0:
        of_a, of_b = tuple(range(-int(axes), 0)), tuple(range(int(axes)))  # type: ignore[arg-type]  # it has been asked
    else:
        of_a, of_b = axes  # type: ignore[misc, assignment]
    return (a, b), {"axes": (normalize_axis_tuple(of_a, np.ndim(a)), normalize_axis_tuple(of_b, np.ndim(b)))}


def _free(ndim: int, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The axes that are not summed over."""
    return tuple([i for i in range(ndim) if i not in axes])


def _tensordot_by_a(g: Any, y: Any, a: Any, b: Any, *, axes: Any) -> Any:
    of_a, of_b = axes
    free_a, free_b = _free(a.ndim, of_a), _free(b.ndim, of_b)
    x = np.tensordot(g, b, (range(len(free_a), y.ndim), free_b))
    order = (*free_a, *[i for _, i in sorted(zip(of_b, of_a, strict=True))])  # which axis of a each axis of x is
    return np.transpose(x, [order.index(i) for i in range(a.ndim)])


def _tensordot_by_b(g: Any, y: Any, a: Any, b: Any, *, axes: Any) -> Any:
    of_a, of_b = axes
    free_a, free_b = _free(a.ndim, of_a), _free(b.ndim, of_b)
    x = np.tensordot(a, g, (free_a, range(len(free_a))))
    order = (*[i for _, i in sorted(zip(of_a, of_b, strict=True))], *free_b)
    return np.transpose(x, [order.index(i) for i in range(b.ndim)])


@op(
    symbol="tensordot",
    vjp=(_tensordot_by_a, _tensordot_by_b),
    formulas=[
        "∂L/∂a = Σ ∂L/∂y ⊙ b over the axes that y has from b",
        "∂L/∂b = Σ ∂L/∂y ⊙ a over the axes that y has from a",
    ],
    presence="product",
    bind=_bind_tensordot,
    answers=(np.tensordot, np.linalg.tensordot),
    may_raise=False,
    analytic=True,
    examples=[
        example((2, 3, 4), (3, 4, 2)),
        example((2, 3), (3, 4), axes=1),
        example((2,), (3,), axes=0),
        example((2, 3, 4), (4, 2, 5), axes=((2, 0), (0, 1))),
        example((2, 3, 4), (4, 2, 2), axes=((0, 2), (1, 0))),
        example((3, 3), (3, 2), axes=(0, -2)),
        example((2, 3), (2, 3), axes=2),
    ],
)
def tensordot(a: Array, b: Array, *, axes: Any) -> Array:
    """y = Σ a·b over pairs of axes: the last `axes` of a with the first of b, or the pairs `(axes of a, axes of b)`.

    What is left of a's axes comes first in y, then what is left of b's.

    a, b: arrays or tensors.
    axes: a number of axes, a pair of axes, or a pair of lists of them, each two of one length.

    >>> tensordot(np.ones((2, 3, 4)), np.ones((4, 3, 5)), axes=([1, 2], [1, 0])).shape
    (2, 5)
    """
    return np.tensordot(a, b, axes)


@composite(
    answers=(np.linalg.multi_dot,),
    examples=[example([(2, 3), (3, 4), (4, 2)]), example([(3,), (3, 4), (4, 2), (2,)]), example([(2, 3), (3, 1)])],
    analytic=True,
)
def multi_dot(arrays: Array | Sequence[Array]) -> Array:
    """y = A₀·A₁·A₂·…, multiplied in the order that takes the fewest multiplications; vectors may stand at the ends.

    >>> multi_dot([np.ones((2, 50)), np.ones((50, 50)), np.ones(50)])
    array([2500., 2500.])
    """
    if len(arrays) < 2:
        raise ValueError(f"multi_dot() takes at least two arrays, but got {len(arrays)}")
    if len(arrays) == 2:
        return np.dot(*arrays)
    n = [1, *[np.shape(x)[-1] for x in arrays[:-1]], 1]
    n[0] = np.shape(arrays[0])[0] if np.ndim(arrays[0]) == 2 else 1
    n[-1] = np.shape(arrays[-1])[1] if np.ndim(arrays[-1]) == 2 else 1

    @functools.cache
    def best(first: int, last: int) -> tuple[int, int]:
        """The fewest multiplications for A_first·…·A_last, and after which factor they split it."""
        if first == last:
            return 0, first
        return min(
            (best(first, k)[0] + best(k + 1, last)[0] + n[first] * n[k + 1] * n[last + 1], k)
            for k in range(first, last)
        )

    def product(first: int, last: int) -> Any:
        if first == last:
            return arrays[first]
        k = best(first, last)[1]
        return np.matmul(product(first, k), product(k + 1, last))

    return product(0, len(arrays) - 1)


@composite(
    answers=(np.matvec,) if hasattr(np, "matvec") else (),  # since NumPy 2.2
    examples=[example((2, 3), (3,)), example((2, 1, 2, 3), (4, 3))],
    analytic=True,
)
def matvec(a: Array, x: Array) -> Array:
    """y = a·x, yᵢ = Σₖ aᵢₖ·xₖ, where stacks of matrices a and of vectors x are broadcast together.

    a: matrices (…, m, n), an array or a tensor.
    x: vectors (…, n).

    >>> matvec([[1, 2], [3, 4]], [10, 1]).tolist()
    [12, 34]
    """
    return np.squeeze(np.matmul(a, np.expand_dims(x, -1)), -1)


@composite(
    formulas=["∂L/∂x = a @ ∂L/∂y", "∂L/∂a = x @ (∂L/∂y)ᵀ"],
    answers=(np.vecmat,) if hasattr(np, "vecmat") else (),
    examples=[example((3,), (3, 2)), example((4, 3), (2, 1, 3, 2))],
)
def vecmat(x: Array, a: Array) -> Array:
    """y = xᵀ·a, yⱼ = Σₖ xₖ·aₖⱼ, where stacks of vectors x and of matrices a are broadcast together; of complex vectors,
    the conjugates are taken.

    x: vectors (…, m), an array or a tensor.
    a: matrices (…, m, n).

    >>> vecmat([10, 1], [[1, 2], [3, 4]]).tolist()
    [13, 24]
    """
    x = x if hasattr(x, "dtype") else np.asarray(x)
    x = np.conjugate(x) if x.dtype.kind == "c" else x
    return np.squeeze(np.matmul(np.expand_dims(x, -2), a), -2)

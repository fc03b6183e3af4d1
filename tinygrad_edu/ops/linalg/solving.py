"""Inverses, solutions of linear equations, and how well they are determined."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.engine.example import example, real
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.engine.recording import quietly
from tinygrad_edu.ops.linalg.determinants import is_singular
from tinygrad_edu.ops.linalg.matrices import graded, regular
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


@op(
    symbol="inv",
    vjp=(lambda g, y, x: -(y.mT @ g @ y.mT),),
    answers=(np.linalg.inv,),
    analytic=True,
    domain=regular,
    examples=[example((3, 3)), example((2, 2, 2)), example((1, 1))],
)
def inv(x: Array) -> Array:
    """y = x⁻¹. Raises LinAlgError if x is singular; to solve x·y = b, `solve` is faster and more exact.

    >>> inv(np.array([[2.0, 0.0], [0.0, 4.0]]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    return np.linalg.inv(x)


@composite(
    answers=(np.linalg.matrix_power,),
    examples=[
        example((3, 3), 3),
        example((2, 2, 2), 5),
        example((3, 3), 1),
        example((2, 2), 0),
        example((3, 3), -2),
    ],
    domain=regular,
    analytic=True,
)
def matrix_power(x: Array, n: int) -> Array:
    """y = x·x·…·x, n times, by repeated squaring; for negative n, of the inverse. The 0th power is the identity.

    x: a square matrix, or a stack of them, an array or a tensor.
    n: a whole number. A negative one raises LinAlgError for a singular x.

    >>> matrix_power(np.array([[1, 1], [1, 0]]), 10)  # the numbers of Fibonacci
    array([[89, 55],
           [55, 34]])
    """
    x, n = array(x), operator.index(n)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise np.linalg.LinAlgError(f"matrix_power() takes square matrices, but got shape {x.shape}")
    if n == 0:  # 1 and an empty product: x⁰ is recorded, and its derivative is zero
        return np.eye(x.shape[-1], dtype=x.dtype) + x[..., :0] @ x[..., :0, :]
    if n < 0:
        return matrix_power(np.linalg.inv(x), -n)
    if n == 1:
        return np.copy(x)
    half = matrix_power(x, n // 2) if n > 3 else x
    return half @ half if n % 2 == 0 else half @ half @ x


def _bind_pinv(
    x: Array, rcond: float | None = None, *, rtol: Any = np._NoValue
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if rtol is None:
        rcond = max(x.shape[-2:]) * float(np.finfo(x.dtype).eps)
    elif rtol is not np._NoValue:
        rcond = rtol
    return (x,), {"rcond": _plain(np.asarray(numbers(rcond)).tolist())}


def _plain(numbers: Any) -> Any:
    """Nested lists as nested tuples, which a setting can be."""
    return tuple([_plain(part) for part in numbers]) if isinstance(numbers, list) else numbers


@op(
    symbol="pinv",
    vjp=(
        lambda g, y, x, *, rcond: (
            (g.mT - x @ (y @ g.mT)) @ y @ y.mT + y.mT @ y @ (g.mT - (g.mT @ y) @ x) - y.mT @ g @ y.mT
        ),
    ),
    bind=_bind_pinv,
    answers=(np.linalg.pinv,),
    domain=graded,
    examples=[
        example((3, 3)),
        example((4, 2)),
        example((2, 2, 3)),
        example((3, 2), rtol=1e-10),
        example((3, 2), 1e-10),
        example((2, 3, 2), rtol=np.array([1e-10, 1e-3])),
    ],
)
def pinv(x: Array, *, rcond: float | None) -> Array:
    """y = x⁺, the pseudo-inverse: the solution of least squares, and of these the smallest.

    Singular values below `rcond` (or rtol; one for each matrix of a stack) times the largest count as zero. The derivative holds where the rank
    does not change (Golub and Pereyra, 1973).

    x: a matrix, or a stack of them, an array or a tensor.
    rcond: the share of the largest singular value below which one counts as zero; None takes 1e-15.
    rtol: the same by another name; None takes the precision of the type times the longer side.

    >>> pinv(np.array([[2.0], [0.0]]))
    array([[0.5, 0. ]])
    """
    return np.linalg.pinv(x, rcond)


def _solve_by_b(g: Any, a: Any, b: Any) -> Any:
    """∂L/∂b of y = a⁻¹·b: a⁻ᵀ·g."""
    return np.linalg.solve(a.mT, g[..., None])[..., 0] if b.ndim == 1 else np.linalg.solve(a.mT, g)


def _spelled_solution(s: Any, a: Any, b: Any) -> Any:
    v = s.upright(b)
    return s.call(a, b) if v is None else s.stood_up(s.call(a, v))


@op(
    symbol="solve",
    spelled=_spelled_solution,
    vjp=(
        lambda g, y, a, b: (
            -_solve_by_b(g, a, b)[..., None] * y[..., None, :] if b.ndim == 1 else -_solve_by_b(g, a, b) @ y.mT
        ),
        lambda g, y, a, b: _solve_by_b(g, a, b),
    ),
    answers=(np.linalg.solve,),
    formulas=[
        (
            "∂L/∂a = −∂L/∂b @ yᵀ",
            lambda g, y, a, b: (
                -_solve_by_b(g, a, b)[..., None] * (y if y.ndim == 1 else y[..., None, :])
                if b.ndim == 1
                else -_solve_by_b(g, a, b) @ y.mT
            ),
        ),
        "∂L/∂b = solve(aᵀ, ∂L/∂y)",
    ],
    broadcasts=True,
    analytic=True,
    domain=(regular, real),
    examples=[
        example((3, 3), (3,)),
        example((3, 3), (3, 2)),
        example((2, 3, 3), (3,)),
        example((2, 3, 3), (3, 2)),
        example((3, 3), (2, 3, 1)),
        example((2, 1, 2, 2), (3, 2, 2)),
    ],
)
def solve(a: Array, b: Array) -> Array:
    """y = a⁻¹·b, which makes a·y = b true, for a vector b (of one axis) or a stack of matrices. Raises LinAlgError if a is
    singular.

    a: a square matrix, or a stack of them, an array or a tensor.
    b: the right side: (n,), or (…, n, k) for k systems at once.

    >>> solve(np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([2.0, 2.0]))
    array([1. , 0.5])
    """
    return np.linalg.solve(a, b)


@composite(
    answers=(np.linalg.lstsq,),
    domain=(graded, real),
    examples=[
        example((4, 2), (4,)),
        example((4, 2), (4, 3)),
        example((2, 3), (2,)),
        example((3, 3), (3, 1), rcond=1e-10),
    ],
)
def lstsq(a: Array, b: ArrayLike, rcond: float | None = None) -> tuple[Any, Any, Any, Any]:
    """(x, residuals, rank, s): the smallest x that makes |a·x − b|² least.

    residuals: the least |a·x − b|² of each column of b, empty if a has not full rank or not more rows than columns.
    rank, s: the rank of a, and its singular values; those below `rcond` times the largest count as zero.

    a: a matrix (m, n), an array or a tensor.
    b: a vector (m,), or a matrix whose columns are solved for one by one.
    rcond: the share of the largest singular value below which one counts as zero; None takes the precision of the type
        times max(m, n).

    >>> line = np.stack([np.array([0.0, 1.0, 2.0]), np.ones(3)], axis=1)
    >>> (slope, intercept), *_ = lstsq(line, np.array([1.0, 3.0, 5.0]))
    >>> round(slope.item(), 6), round(intercept.item(), 6)
    (2.0, 1.0)
    """
    if np.ndim(a) != 2 or np.ndim(b) not in (1, 2):
        raise np.linalg.LinAlgError(
            f"lstsq() takes a matrix and a vector or matrix, but got {np.shape(a)} and {np.shape(b)}"
        )
    m, n = np.shape(a)
    s = np.linalg.svdvals(a)
    rcond = max(m, n) * float(np.finfo(s.dtype).eps) if rcond is None else float(rcond)
    x = np.matmul(np.linalg.pinv(a, rcond), b)
    rank = np.sum(numbers(s) > rcond * numbers(s).max(initial=0), dtype=np.intc)
    errors = np.matmul(a, x) - b
    squares = (np.abs(errors) if errors.dtype.kind == "c" else errors) ** 2
    squares = np.sum(squares if np.ndim(b) == 2 else squares[:, None], axis=0)
    return x, squares if rank == n < m else squares[:0], rank, s


@composite(
    answers=(np.linalg.tensorsolve,),
    domain=(lambda rng, shape: regular(rng, (6, 6)).reshape(shape), real),
    examples=[example((2, 3, 6), (2, 3)), example((2, 6, 3), (2, 3), axes=(1,))],
    analytic=True,
)
def tensorsolve(a: Array, b: Array, axes: Sequence[int] | None = None) -> Array:
    """y such that Σ a·y = b, summed over all of y's axes, which are a's last; `axes` of a are moved to the end before.

    a: an array or a tensor, whose axes beyond those of b are y's.
    b: the right side, an array or a tensor.
    axes: axes of a, None for those that are last as they are.

    >>> tensorsolve(2 * np.eye(4).reshape(2, 2, 4), np.ones((2, 2)))
    array([0.5, 0.5, 0.5, 0.5])
    """
    if axes is not None:
        a = np.moveaxis(a, axes, range(-len(axes), 0))
    shape = np.shape(a)[np.ndim(b) :]
    if math.prod(shape) != np.size(b) or np.size(a) != np.size(b) ** 2:
        raise np.linalg.LinAlgError(
            f"tensorsolve() needs as many equations as unknowns, but got {np.shape(a)} and {np.shape(b)}"
        )
    return np.reshape(np.linalg.solve(np.reshape(a, (-1, math.prod(shape))), np.ravel(b)), shape)


@composite(
    answers=(np.linalg.tensorinv,),
    domain=lambda rng, shape: regular(rng, (6, 6)).reshape(shape),
    examples=[example((2, 3, 6)), example((6, 3, 2), ind=1)],
    analytic=True,
)
def tensorinv(x: Array, ind: int = 2) -> Array:
    """The inverse of the map that `np.tensordot(x, ·, …)` is, where the first `ind` axes of x are its output's.

    x: an array or a tensor, of which the first `ind` axes have as many elements together as the others.
    ind: the number of these axes.

    >>> tensorinv(2 * np.eye(4).reshape(2, 2, 4), ind=2).shape
    (4, 2, 2)
    """
    shape = np.shape(x)
    rows = math.prod(shape[:ind])
    if ind <= 0 or rows * rows != np.size(x):
        raise np.linalg.LinAlgError(f"tensorinv() needs as many rows as columns, but got {shape} with ind={ind}")
    return np.reshape(np.linalg.inv(np.reshape(x, (rows, -1))), shape[ind:] + shape[:ind])


@composite(
    formulas=["∂L/∂x = ∂L/∂y·y·(u₁ @ v₁ᵀ/s₁ − uₙ @ vₙᵀ/sₙ), x = Σ sₖ·uₖ @ vₖᵀ"],
    answers=(np.linalg.cond,),
    domain=graded,
    examples=[example((3, 2)), example((2, 3, 3), -2), example((3, 3), "fro"), example((3, 3), 1)],
)
def cond(x: Array, p: str | float | None = None) -> Array:
    """How much solving with x may magnify errors: ‖x‖·‖x⁻¹‖, in the norm p; in the 2-norm (None, 2) that is s₀/sₙ.
    Of a singular matrix it is ∞.

    x: a matrix, or a stack of them, an array or a tensor; square, but for the 2-norm.
    p: the norm, as `norm` names those of matrices.

    >>> cond(np.diag([4.0, 2.0])).item()
    2.0
    """
    if p is None or p in (2, -2):
        s = np.linalg.svdvals(x)
        first, last = (0, -1) if p != -2 else (-1, 0)
        return quietly(np.true_divide, s[..., first], s[..., last])  # ∞ is an answer
    singular = is_singular(x)
    invertible = np.where(np.expand_dims(singular, (-2, -1)), np.eye(x.shape[-1], dtype=x.dtype), x)
    y = np.linalg.matrix_norm(x, ord=p) * np.linalg.matrix_norm(np.linalg.inv(invertible), ord=p)
    return quietly(
        np.true_divide, y, np.astype(np.logical_not(singular), y.dtype)
    )  # where it is ∞, so are its derivatives

"""Linear algebra: determinants, solutions, factorizations; all for stacks of matrices too, as in NumPy.

The rules are those of Giles, *Collected matrix derivative results for forward and reverse mode algorithmic
differentiation* (2008), of Murray, *Differentiation of the Cholesky decomposition* (2016), and of Townsend,
*Differentiating the singular value decomposition* (2016). They are made of products and inverses, so that
derivatives of any order exist.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy

from tinygrad_edu.engine.evaluate import recompute
from tinygrad_edu.engine.example import example, real
from tinygrad_edu.engine.graph import Results, note_limit
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.engine.recording import RECORDING, quietly, watched
from tinygrad_edu.engine.transforms import along
from tinygrad_edu.ops.shaping import array

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


# ---------------------------------------------------------------------------------------------------
# Matrices to draw examples from


def regular(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Square matrices far from singular."""
    return 0.5 * rng.standard_normal(shape) + 2 * np.eye(shape[-1])


def definite(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Symmetric matrices with positive eigenvalues."""
    root = rng.standard_normal(shape)
    return root @ root.mT + np.eye(shape[-1])


def gapped(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Symmetric matrices whose eigenvalues are near 1, 2, 3, …"""
    n = shape[-1]
    basis, _ = np.linalg.qr(rng.standard_normal(shape))
    x = basis * (np.arange(1, n + 1) + rng.uniform(-0.2, 0.2, n)) @ basis.mT
    return (x + x.mT) / 2


def graded(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Matrices whose singular values are near 1, 2, 3, …"""
    *stack, rows, columns = shape
    k = min(rows, columns)
    left, _ = np.linalg.qr(rng.standard_normal((*stack, rows, k)))
    right, _ = np.linalg.qr(rng.standard_normal((*stack, columns, k)))
    return left * (np.arange(k, 0, -1) + rng.uniform(-0.2, 0.2, k)) @ right.mT


# ---------------------------------------------------------------------------------------------------
# Determinants


def _det_rule(g: Any, y: Any, x: Any) -> Any:
    return g[..., None, None] * cofactor(x)


@op(
    symbol="det",
    vjp=(_det_rule,),
    answers=(np.linalg.det,),
    may_raise=False,
    analytic=True,
    domain=regular,
    examples=[example((3, 3)), example((2, 2, 2)), example((1, 1)), example((2, 1, 3, 3))],
)
def det(x: Any) -> Any:
    """y = det x; ∂y/∂xᵢⱼ is the cofactor of xᵢⱼ, also where x is singular.

    Derivatives of second and higher order are made of the inverse, and so need a regular x.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    >>> np.linalg.det(x).backward()
    >>> np.round(x.grad.numpy(), 12).tolist()
    [[4.0, -2.0], [-2.0, 1.0]]
    """
    return np.linalg.det(x)


def _cofactor_rule(g: Any, y: Any, x: Any) -> Any:
    """With y = det(x)·x⁻ᵀ: (⟨g, y⟩ − y·gᵀ)·x⁻ᵀ."""
    inner = np.sum(g * y, axis=(-2, -1), keepdims=True)
    return (inner * np.eye(x.shape[-1], dtype=g.dtype) - y @ g.mT) @ np.linalg.inv(x).mT


@op(symbol="cofactor", vjp=(_cofactor_rule,), domain=regular, examples=[example((3, 3)), example((2, 2, 2))])
def cofactor(x: Any) -> Any:
    """y = det(x)·x⁻ᵀ, the matrix of cofactors, without dividing: right for singular matrices too.

    With x = u·diag(s)·v, y = det(u)·det(v)·u·diag(Π of the other s)·v.

    >>> np.round(cofactor(np.array([[1.0, 2.0], [2.0, 4.0]])), 12)
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    u, s, v = np.linalg.svd(x)
    ones = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([ones, s[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([ones, s[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    sign = np.linalg.det(u) * np.linalg.det(v)
    return (sign[..., None, None] * u * (before * after)[..., None, :]) @ v


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Any
    logabsdet: Any


@op(
    symbol="slogdet",
    vjp=(lambda g, y, x: g[1][..., None, None] * np.linalg.inv(x).mT,),
    outputs=2,
    results=SlogdetResult._make,
    answers=(np.linalg.slogdet,),
    may_raise=False,
    domain=regular,
    examples=[example((3, 3)), example((2, 2, 2))],
)
def slogdet(x: Any) -> Any:
    """(sign, log|det x|): the determinant of a matrix so large that it would overflow.

    >>> sign, logabsdet = slogdet(-1000.0 * np.eye(201))
    >>> sign.item(), round(logabsdet.item() / math.log(10), 6)
    (-1.0, 603.0)
    """
    return tuple(np.linalg.slogdet(x))


# ---------------------------------------------------------------------------------------------------
# Inverses and solutions


@op(
    symbol="inv",
    vjp=(lambda g, y, x: -(y.mT @ g @ y.mT),),
    answers=(np.linalg.inv,),
    analytic=True,
    domain=regular,
    examples=[example((3, 3)), example((2, 2, 2)), example((1, 1))],
)
def inv(x: Any) -> Any:
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
def matrix_power(x: Any, n: int) -> Any:
    """y = x·x·…·x, n times, by repeated squaring; for negative n, of the inverse.

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


def _bind_pinv(x: Any, rcond: Any = None, *, rtol: Any = np._NoValue) -> tuple[tuple[Any, ...], dict[str, Any]]:
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
def pinv(x: Any, *, rcond: Any) -> Any:
    """y = x⁺, the pseudo-inverse: the solution of least squares, and of these the smallest.

    Singular values below `rcond` (or rtol; one for each matrix of a stack) times the largest count as zero. The derivative holds where the rank
    does not change (Golub and Pereyra, 1973).

    >>> pinv(np.array([[2.0], [0.0]]))
    array([[0.5, 0. ]])
    """
    return np.linalg.pinv(x, rcond)


def _solve_by_b(g: Any, a: Any, b: Any) -> Any:
    """∂L/∂b of y = a⁻¹·b: a⁻ᵀ·g."""
    return np.linalg.solve(a.mT, g[..., None])[..., 0] if b.ndim == 1 else np.linalg.solve(a.mT, g)


@op(
    symbol="solve",
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
def solve(a: Any, b: Any) -> Any:
    """y = a⁻¹·b, so that a·y = b, for a vector b (of one axis) or a stack of matrices. Raises LinAlgError if a is singular.

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
def lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Any, Any, Any, Any]:
    """(x, residuals, rank, s): the smallest x that makes |a·x − b|² least.

    residuals: the least |a·x − b|² of each column of b, empty if a has not full rank or not more rows than columns.
    rank, s: the rank of a, and its singular values; those below `rcond` times the largest count as zero.

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
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """y such that Σ a·y = b, summed over all of y's axes, which are a's last; `axes` of a are moved to the end before.

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
def tensorinv(x: Any, ind: int = 2) -> Any:
    """The inverse of the map that `np.tensordot(x, ·, …)` is, where the first `ind` axes of x are its output's."""
    shape = np.shape(x)
    rows = math.prod(shape[:ind])
    if ind <= 0 or rows * rows != np.size(x):
        raise np.linalg.LinAlgError(f"tensorinv() needs as many rows as columns, but got {shape} with ind={ind}")
    return np.reshape(np.linalg.inv(np.reshape(x, (rows, -1))), shape[ind:] + shape[:ind])


# ---------------------------------------------------------------------------------------------------
# Factorizations


def _half(x: Any) -> Any:
    """The lower triangle, with half of the diagonal: what x is the sum of, with its transpose, if it is symmetric."""
    return np.tril(x) - x * (np.eye(x.shape[-1], dtype=x.dtype) / 2)


def _cholesky_rule(g: Any, y: Any, x: Any, *, upper: bool) -> Any:
    """L⁻ᵀ·half(Lᵀ·g)·L⁻¹, made symmetric."""
    factor, g = (y.mT, g.mT) if upper else (y, g)
    inverse = np.linalg.inv(factor)
    s = inverse.mT @ _half(factor.mT @ g) @ inverse
    return (s + s.mT) / 2


@op(
    symbol="cholesky",
    vjp=(_cholesky_rule,),
    answers=(np.linalg.cholesky,),
    symmetric=True,
    formulas=["∂L/∂x = sym(y⁻ᵀ @ half(yᵀ @ ∂L/∂y) @ y⁻¹)"],
    domain=definite,
    examples=[example((3, 3)), example((2, 2, 2)), example((3, 3), upper=True), example((1, 1))],
)
def cholesky(x: Any, *, upper: bool = False) -> Any:
    """y, lower triangular with y·yᵀ = x (upper: yᵀ·y = x), for a symmetric x with positive eigenvalues.

    x is taken for symmetric: as in NumPy, its lower triangle (upper: its upper one) is read, and the other is never
    looked at. xᵢⱼ and xⱼᵢ are then one number, whose derivative is shared evenly between them: the gradient is
    symmetric, as PyTorch's is. Raises LinAlgError if x is not positive definite.

    >>> cholesky(np.array([[4.0, 2.0], [2.0, 5.0]]))
    array([[2., 0.],
           [1., 2.]])
    """
    return np.linalg.cholesky(x, upper=upper)


# Where values are equal, the gradient takes a limit. Let q be what is divided by the gap d = wⱼ − wᵢ. If the function
# does not depend on the basis, q is 0 wherever d is, so that q = d·h. Move the values apart, in a direction in which d
# changes by c. Then h is given by Taylor's series of q about the place where d is 0:
#
#     q/d = q′/c − d/(2c²)·q″ + d²/(6c³)·q‴ − …
#
# Its first term is the limit; each further one, though 0 in value, makes it right for one more derivative.


def _rounding(values: Any, size: int) -> Any:
    """How far from each other rounding may put equal ones among the sorted `values` of a matrix with a side of `size`."""
    largest = np.maximum(np.abs(values[..., :1]), np.abs(values[..., -1:]))
    return (32 + size) * float(np.finfo(values.dtype).eps) * largest


def _close(values: Any, size: int) -> bool:
    """Whether any two neighbours among these arrays of sorted `values` are equal."""
    return bool((np.abs(values[..., 1:] - values[..., :-1]) <= _rounding(values, size)).any())


def _gaps(values: Any) -> Any:
    """valuesⱼ − valuesᵢ, but 1 where i = j."""
    return values[..., None, :] - values[..., :, None] + np.eye(values.shape[-1], dtype=values.dtype)


def _spaces(values: np.ndarray, size: int) -> np.ndarray:
    """Which of these arrays of sorted `values` have a space of vectors in common, since they are equal: (…, n, n)."""
    steps = np.abs(values - np.concatenate([values[..., :1], values[..., :-1]], axis=-1))
    group = np.cumsum(~(steps <= _rounding(values, size)), axis=-1)
    return group[..., :, None] == group[..., None, :]


def _cut_off_rule(g: Any, y: Any, x: Any, where: Any, *, orders: int) -> Any:
    """0, which itself is known for one derivative fewer; NaN at last."""
    return g * (cut_off(x, where, orders=orders - 1) if orders else np.where(where, math.nan, np.zeros_like(x)))


@op(
    symbol="0",
    vjp=(_cut_off_rule, None),
    formulas=["∂L/∂x = 0"],
    examples=[example((2, 3), np.eye(2, 3) > 0, orders=3)],
)
def cut_off(x: Any, where: Any, *, orders: int) -> Any:
    """y = 0, of the shape of x: what is left out of a series in x that is cut off, near x = 0.

    So many derivatives as `orders` are 0; the further ones, which the series does not give, are NaN in the places `where`.

    >>> cut_off(np.ones(2), np.array([True, False]), orders=1)
    array([0., 0.])
    """
    return np.zeros_like(x)


def _quotients(
    tops: Sequence[Any],
    numerators: Any,
    g: Sequence[Any],
    y: Any,
    divisors: Sequence[tuple[Any, Any, Any]],
    move: Sequence[Any],
    other: Any,
) -> list[Any]:
    """Each of tops = numerators(g, y) by its divisor; where that is 0, their limit, or NaN where there is none.

    g: the gradients by the vectors. y: the results. divisors: for each numerator (d, c, zero): the divisor, how fast it
    changes as the results move along `move`, and where it is 0. other: arrays of the results to results with another
    basis of each space; where a numerator is not 0 for these, the function depends on the basis.
    """
    node = y[0].inputs[0] if hasattr(y[0], "inputs") else None
    orders = min((RECORDING.get().limits or {}).get(node, 0), 2)  # each further term costs ten times as much
    if not orders:
        return [q / np.where(zero, math.nan, d) for q, (d, _, zero) in zip(tops, divisors, strict=True)]
    turned = Results([part.astype(of.dtype) for part, of in zip(other(numbers(y)), y, strict=True)])
    changed = recompute(g, node, turned)
    noise = 1000 * (10 + max(changed[0].shape[-2:])) * float(np.finfo(changed[0].dtype).eps)
    noise *= sum(np.max(np.abs(part), axis=(-2, -1), keepdims=True, initial=0) for part in changed)
    results = []
    for q, again, (d, c, zero) in zip(tops, numerators(changed, turned), divisors, strict=True):
        exists = np.logical_and(zero, np.abs(again) <= noise)
        quotient = q / np.where(exists, 1, np.where(zero, math.nan, d))
        here = numbers(exists)
        if here.any():
            series: Any = 0
            derivative, nothing = q, d - numbers(d)
            power, terms = 1 / c, 0
            while terms < orders:
                derivative = along(derivative, node, move, orders - terms)
                unclear = np.isnan(numbers(derivative)[here]).any()  # q is itself made of a series that was cut off
                if terms and unclear:
                    break
                terms += 1
                series = series + derivative * power
                power = power * -nothing / (c * (terms + 1))
                if unclear:
                    break
            series = series + cut_off(np.broadcast_to(nothing, q.shape), exists, orders=terms - 1)
            quotient = np.where(exists, series, quotient)
        results.append(quotient)
    return results


@watched
def jumps(g: Sequence[Any], y: Any, null: Any) -> Any:
    """Whether the function jumps as the singular value that is 0 (`null`) changes its sign: for each matrix, (…, 1, 1);
    None where none is 0.

    The vector of U alone changes its sign then, and so may the gradient by it, but nothing else.
    """
    if not hasattr(y[0], "inputs") or not numbers(null).any():
        return None
    u, s, vh = numbers(y)
    sign = np.where(numbers(null), -1, 1).astype(u.dtype)[..., None, :]
    gu, gvh = recompute(g, y[0].inputs[0], Results([u * sign, s, vh]))
    before_u, before_vh = numbers(g)
    change = [gu * sign - before_u, gvh - before_vh]
    size = 1000 * (10 + max(u.shape[-2], vh.shape[-1])) * float(np.finfo(u.dtype).eps)
    largest = sum(np.max(np.abs(part), axis=(-2, -1), keepdims=True, initial=0) for part in (before_u, before_vh))
    return sum(np.max(np.abs(part), axis=(-2, -1), keepdims=True, initial=0) for part in change) > size * largest


def _turning(same: Any, rng: np.random.Generator) -> Any:
    """An orthogonal matrix that takes the vectors of equal values to others of their space: in each, a reflection."""
    z = rng.standard_normal(same.shape[-1])
    parts = same * z[:, None] * z / (same @ z**2)[..., :, None]
    return np.eye(len(z)) - np.where(np.sum(same, axis=-1, keepdims=True) > 1, 2 * parts, 0)


def _reflected(vectors: Any, null: Any, rng: np.random.Generator) -> Any:
    """The vectors with those of the singular values 0 (`null`) changed for others beside all the rest: by a reflection."""
    rest = np.where(null[..., None, :], 0, vectors)
    z = rng.standard_normal((*vectors.shape[:-1], 1))
    z = np.where(null.any(axis=-1)[..., None, None], z - rest @ (rest.mT @ z), 0)
    square = np.sum(z * z, axis=-2, keepdims=True)
    return vectors - z * (2 / np.where(square == 0, 1, square)) @ (z.mT @ vectors)


def _together(values: Any, same: Any) -> Any:
    """Each of the values replaced by the mean of those equal to it."""
    return (same @ values[..., None])[..., 0] / np.sum(same, axis=-1)


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Any
    eigenvectors: Any


def _eigh_results(y: Any) -> EighResult:
    """The results of `eigh`, noted if eigenvalues are equal, so that a walk to the vectors is recorded."""
    w, v = y
    if hasattr(v, "op"):
        note_where_close(w, w.shape[-1], (v,))
    return EighResult(w, v)


@watched
def note_where_close(values: Any, size: int, vectors: Sequence[Any], zero: bool = False) -> None:
    """Note a limit for the `vectors` if values of theirs are equal but for rounding, or with `zero` one is 0.

    size: of the matrix, by which rounding is judged.
    """
    known = numbers(values)
    if _close(known, size) or (zero and (known <= _rounding(known, size)).any()):
        for vector in vectors:
            note_limit(vector)


def _symmetric(x: Any) -> Any:
    return (x + x.mT) / 2


def _eigh_by_values(g: Any, y: Any, x: Any, *, UPLO: str) -> Any:
    """V·diag(∂L/∂w)·Vᵀ, made symmetric."""
    _, v = _eigh_results(y)
    return _symmetric((v * g[..., None, :]) @ v.mT)


def _eigh_by_vectors(g: Any, y: Any, x: Any, *, UPLO: str) -> Any:
    """V·(f ∘ (q − qᵀ)/2)·Vᵀ, made symmetric, with q = Vᵀ·∂L/∂V and fᵢⱼ = 1/(wⱼ − wᵢ)."""
    w, v = _eigh_results(y)
    n = w.shape[-1]
    move = np.arange(1, n + 1, dtype=w.dtype)
    gaps = _gaps(w)
    equal = (np.abs(gaps) <= _rounding(w, n)[..., None]) & ~np.eye(n, dtype=bool)

    def numerators(g: Any, y: Any) -> list[Any]:
        q = y[1].mT @ g[0]
        return [q - q.mT]

    def other(y: Any) -> Any:
        same = _spaces(y[0], n)
        return _together(y[0], same), y[1] @ _turning(same, np.random.default_rng(0))

    top, divisor = numerators([g], y), (gaps, _gaps(move), equal)
    (m,) = _quotients(top, numerators, [g], y, [divisor], (move, None), other)
    return _symmetric(v @ (m / 2) @ v.mT)


@op(
    symbol="eigh",
    vjp=((_eigh_by_values, _eigh_by_vectors),),
    outputs=2,
    results=_eigh_results,
    answers=(np.linalg.eigh,),
    symmetric=True,
    formulas=["∂L/∂x = sym(V @ (diag(∂L/∂w) + F ⊙ (Vᵀ @ ∂L/∂V)) @ Vᵀ), Fᵢⱼ = 1/(wⱼ − wᵢ), Fᵢᵢ = 0"],
    domain=gapped,
    examples=[example((3, 3)), example((2, 2, 2)), example((1, 1)), example((3, 3), UPLO="U")],
)
def eigh(x: Any, UPLO: str = "L") -> Any:
    """(w, V) with x = V·diag(w)·Vᵀ: eigenvalues, rising, and orthonormal eigenvectors of a symmetric x.

    x is taken for symmetric: its lower triangle is read (with UPLO="U" its upper one), and the gradient is symmetric,
    as that of `cholesky`.

    Where eigenvalues are equal up to rounding, their eigenvectors are any basis of their space. A function that does not
    depend on the basis (the eigenvalues' sum, the projection onto the space, V·diag(f(w))·Vᵀ) has its gradient and its
    second derivatives there too; they are found by differentiating what was computed from w and V once more. The gradient
    by the vectors is NaN where the function depends on the basis, and so are third derivatives, functions of more than
    two such decompositions in a row, and gradients in a function that is replayed, since a replay meets other values.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([[2.0, 0.0], [0.0, 5.0]], requires_grad=True)
    >>> largest = np.linalg.eigh(x).eigenvalues[-1]
    >>> tg.grad(largest, x).tolist()
    [[0.0, 0.0], [0.0, 1.0]]
    """
    return tuple(np.linalg.eigh(x, UPLO))


@composite(
    formulas=["∂L/∂x = V @ diag(∂L/∂y) @ Vᵀ, x = V @ diag(y) @ Vᵀ"],
    answers=(np.linalg.eigvalsh,),
    domain=gapped,
    examples=[example((3, 3)), example((2, 2, 2)), example((3, 3), UPLO="U")],
)
def eigvalsh(x: Any, UPLO: str = "L") -> Any:
    """The eigenvalues of a symmetric x, rising; see `eigh`.

    >>> eigvalsh(np.array([[5.0, 0.0], [0.0, 2.0]]))
    array([2., 5.])
    """
    return eigh(x, UPLO=UPLO)[0]


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Any
    S: Any
    Vh: Any


def _svd_results(y: Any) -> SVDResult:
    """The results of `svd`, noted if singular values are equal or 0, so that a walk to the vectors is recorded."""
    u, s, vh = y
    if hasattr(u, "op"):
        note_where_close(s, max(u.shape[-2], vh.shape[-1]), (u, vh), zero=True)
    return SVDResult(u, s, vh)


def _svd_by_values(g: Any, y: Any, x: Any) -> Any:
    """U·diag(∂L/∂s)·Vᵀ."""
    u, _, vh = _svd_results(y)
    return (u * g[..., None, :]) @ vh


def _svd_by_vectors(g: Any, y: Any, x: Any) -> Any:
    """U·(p·sⱼ + q·sᵢ)/((sⱼ − sᵢ)(sⱼ + sᵢ))·Vᵀ, and what ∂L/∂U and ∂L/∂V have beside the spaces of U and V.

    p = a − aᵀ with a = Uᵀ·∂L/∂U, and q likewise with V. The quotient is the mean of (p + q)/(sⱼ − sᵢ) and
    (p − q)/(sⱼ + sᵢ), each of which has its own limit.
    """
    if not x.size:
        return np.zeros_like(x)
    u, s, vh = _svd_results(y)
    k, size = s.shape[-1], max(x.shape[-2:])
    move, one = np.arange(1, k + 1, dtype=s.dtype), np.eye(k, dtype=s.dtype)
    gaps, rounding = _gaps(s), _rounding(s, size)[..., None]
    equal = (np.abs(gaps) <= rounding) & (one == 0)
    row, column = s[..., None, :], s[..., :, None]
    sums, none = row + column + one, equal & (column <= rounding)

    def parts(g: Any, y: Any) -> list[Any]:
        (gu, gvh), (u, _, vh) = g, y
        p, q = u.mT @ gu, vh @ gvh.mT
        beside = [gu - u @ p] if u.shape[-2] > k else []
        return [p - p.mT, q - q.mT, *beside, *([gvh - q.mT @ vh] if vh.shape[-1] > k else [])]

    def numerators(g: Any, y: Any) -> list[Any]:
        p, q, *beside = parts(g, y)
        return [p + q, p - q, *beside]

    p, q, *beside = parts(g, y)

    def other(y: Any) -> Any:
        (u, s, vh), rng = y, np.random.default_rng(0)
        same = _spaces(s, size)
        null = (same & (s <= _rounding(s, size))[..., None, :]).any(axis=-1)
        turning = _turning(same, rng)
        u, v = _reflected(u @ turning, null, rng), _reflected(vh.mT @ turning, null, rng)
        return u, np.where(null, 0, _together(s, same)), _reflected(v, null, rng).mT

    divisors = [(gaps, _gaps(move), equal), (sums, move + move[:, None], none)]
    if u.shape[-2] > k:
        divisors.append((row, move, row <= rounding))
    if vh.shape[-1] > k:
        divisors.append((column, move[:, None], column <= rounding))
    tops = [p + q, p - q, *beside]
    by_gaps, by_sums, *beside = _quotients(tops, numerators, g, y, divisors, (None, move, None), other)
    apart = (p * row + q * column) / np.where(equal, 1, gaps) / np.where(equal, 1, sums)
    jumping = jumps(g, y, s <= rounding[..., 0])
    apart = apart if jumping is None else np.where(jumping, math.nan, apart)
    result = u @ np.where(equal, (by_gaps + by_sums) / 2, apart) @ vh
    if u.shape[-2] > k:
        result = result + beside.pop(0) @ vh
    if vh.shape[-1] > k:
        result = result + u @ beside.pop(0)
    return result


@op(
    symbol="svd",
    vjp=((_svd_by_vectors, _svd_by_values, _svd_by_vectors),),
    outputs=3,
    results=_svd_results,
    formulas=[
        "∂L/∂x = U @ (diag(∂L/∂s) + (J + Jᵀ) @ S + S @ (K + Kᵀ)) @ Vᵀ, "
        "J = F ⊙ (Uᵀ @ ∂L/∂U), K = F ⊙ (Vᵀ @ ∂L/∂V), Fᵢⱼ = 1/((sⱼ − sᵢ)·(sⱼ + sᵢ)), Fᵢᵢ = 0"
    ],
    domain=graded,
    examples=[example((3, 3)), example((4, 2)), example((2, 2, 3)), example((1, 1))],
)
def reduced_svd(x: Any) -> Any:
    """(U, s, Vᵀ) with x = U·diag(s)·Vᵀ, of the rank that x can have; the op that `svd` records."""
    return tuple(np.linalg.svd(x, full_matrices=False))


def _undetermined(function: str, cure: str) -> Any:
    """The rule of vectors that x does not determine: there is none."""

    def rule(g: Any, y: Any, x: Any) -> Any:
        raise ValueError(
            f"{function}() of shape {x.shape} has a derivative only for the vectors that x determines; pass {cure}"
        )

    return rule


@op(
    symbol="svd",
    vjp=(
        (
            _undetermined("svd", "full_matrices=False"),
            lambda g, y, x: y[0][..., :, : g.shape[-1]] * g[..., None, :] @ y[2][..., : g.shape[-1], :],
            _undetermined("svd", "full_matrices=False"),
        ),
    ),
    outputs=3,
    results=SVDResult._make,
    formulas=["∂L/∂x = U @ diag(∂L/∂s) @ Vᵀ"],
    domain=graded,
)
def full_svd(x: Any) -> Any:
    """(U, s, Vᵀ) with U and V square: with further columns, which are any that make them orthonormal."""
    return tuple(np.linalg.svd(x))


@composite(
    answers=(np.linalg.svd,),
    domain=graded,
    examples=[
        example((3, 3)),
        example((4, 2), full_matrices=False),
        example((2, 2, 3), full_matrices=False),
        example((3, 2), compute_uv=False),
    ],
)
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """(U, s, Vᵀ) with x = U·diag(s)·Vᵀ: singular values s, falling, and orthonormal vectors U and V; or s alone.

    To differentiate by U or V, pass full_matrices=False unless x is square: the further columns that NumPy then adds
    are arbitrary, and have no derivative; it raises ValueError when one is asked for. Where singular values are equal,
    or 0, the gradient is as that of `eigh`: right for what does not depend on the basis, such as U·diag(s³)·Vᵀ, else NaN.

    >>> u, s, vh = svd(np.array([[0.0, 2.0], [3.0, 0.0], [0.0, 0.0]]), full_matrices=False)
    >>> s, u.shape
    (array([3., 2.]), (3, 2))
    """
    if not compute_uv:
        return np.linalg.svdvals(x)
    return full_svd(x) if full_matrices and np.shape(x)[-1] != np.shape(x)[-2] else reduced_svd(x)


@composite(
    formulas=["∂L/∂x = U @ diag(∂L/∂y) @ Vᵀ, x = U @ diag(y) @ Vᵀ"],
    answers=(np.linalg.svdvals,),
    domain=graded,
    examples=[example((3, 2)), example((2, 3, 3))],
)
def svdvals(x: Any) -> Any:
    """The singular values of x, falling.

    >>> svdvals(np.array([[0.0, 2.0], [3.0, 0.0]]))
    array([3., 2.])
    """
    return reduced_svd(x)[1]


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Any
    R: Any


def _qr_rule(g: Any, y: Any, x: Any) -> Any:
    """(∂L/∂Q + Q·copy of the lower triangle of M)·R⁻ᵀ with M = R·∂L/∂Rᵀ − ∂L/∂Qᵀ·Q; for a wide x = [x₁ x₂], by parts."""
    (gq, gr), (q, r) = g, y
    n = q.shape[-1]
    if x.shape[-1] > n:  # Q and R₁ are of x₁ alone, and R₂ = Qᵀ·x₂
        gq = gq + x[..., n:] @ gr[..., n:].mT
    m = r[..., :n] @ gr[..., :n].mT - gq.mT @ q
    symmetric = np.tril(m) + np.tril(m, -1).mT
    first = np.linalg.solve(r[..., :n], (gq + q @ symmetric).mT).mT
    return np.concatenate([first, q @ gr[..., n:]], axis=-1) if x.shape[-1] > n else first


@op(
    symbol="qr",
    vjp=(_qr_rule,),
    outputs=2,
    results=QRResult._make,
    formulas=["∂L/∂x = (∂L/∂Q + Q @ (tril(M) + tril(M, −1)ᵀ)) @ R⁻ᵀ, M = R @ (∂L/∂R)ᵀ − (∂L/∂Q)ᵀ @ Q"],
    domain=graded,
    examples=[example((3, 3)), example((4, 2)), example((2, 4)), example((2, 3, 2))],
)
def reduced_qr(x: Any) -> Any:
    """(Q, R) with x = Q·R, of the rank that x can have; the op that `qr` records."""
    return tuple(np.linalg.qr(x))


@op(
    symbol="qr",
    vjp=(_undetermined("qr", "mode='reduced'"),),
    outputs=2,
    results=QRResult._make,
    domain=graded,
)
def complete_qr(x: Any) -> Any:
    """(Q, R) with Q square: with further columns, which are any that make it orthonormal."""
    return tuple(np.linalg.qr(x, "complete"))


@composite(
    answers=(np.linalg.qr,),
    domain=graded,
    examples=[example((3, 3)), example((4, 2)), example((2, 4)), example((2, 3, 2)), example((3, 2), mode="r")],
)
def qr(x: Any, mode: str = "reduced") -> Any:
    """(Q, R) with x = Q·R: orthonormal columns and an upper triangle; with mode="r", R alone.

    The derivative needs a matrix whose first columns, as many as Q has, are independent; otherwise its backward
    pass raises LinAlgError. mode="complete" adds arbitrary columns to Q, which have no derivative: it raises ValueError
    when one is asked for.

    >>> q, r = qr(np.array([[3.0, 1.0], [4.0, 2.0]]))
    >>> np.round(np.abs(r), 12)
    array([[5. , 2.2],
           [0. , 0.4]])
    """
    if mode not in ("reduced", "r", "complete"):
        raise ValueError(f"qr() of a Tensor takes mode='reduced', 'r' or 'complete', but got {mode!r}; leave mode out")
    if mode == "complete" and np.shape(x)[-2] > np.shape(x)[-1]:
        return complete_qr(x)
    return reduced_qr(x)[1] if mode == "r" else reduced_qr(x)


# ---------------------------------------------------------------------------------------------------
# Numbers of a matrix


@composite(
    formulas=["∂L/∂x = ∂L/∂y·I"],
    answers=(np.linalg.trace,),
    examples=[example((3, 3)), example((2, 3, 4), offset=1), example((2, 2))],
    analytic=True,
)
def matrix_trace(x: Any, *, offset: int = 0) -> Any:
    """y = Σᵢ xᵢᵢ, of each matrix."""
    return np.trace(x, offset, -2, -1)


@composite(
    formulas=["∂L/∂x = 0 but on the diagonal ∂L/∂y"],
    answers=(np.linalg.diagonal,),
    examples=[example((3, 3)), example((2, 3, 4), offset=-1)],
    analytic=True,
)
def matrix_diagonal(x: Any, *, offset: int = 0) -> Any:
    """yᵢ = xᵢᵢ, of each matrix."""
    return np.diagonal(x, offset, -2, -1)


@op(symbol="singular", domain=regular, examples=[example((3, 3)), example((2, 2, 2))])
def is_singular(x: Any) -> Any:
    """Whether x, each of a stack, has the determinant 0.

    >>> is_singular(np.array([[1.0, 2.0], [2.0, 4.0]])).item()
    True
    """
    return np.linalg.slogdet(x)[0] == 0


@composite(
    formulas=["∂L/∂x = ∂L/∂y·y·(u₁ @ v₁ᵀ/s₁ − uₙ @ vₙᵀ/sₙ), x = Σ sₖ·uₖ @ vₖᵀ"],
    answers=(np.linalg.cond,),
    domain=graded,
    examples=[example((3, 2)), example((2, 3, 3), -2), example((3, 3), "fro"), example((3, 3), 1)],
)
def cond(x: Any, p: Any = None) -> Any:
    """How much solving with x may magnify errors: ‖x‖·‖x⁻¹‖, in the norm p; in the 2-norm (None, 2) that is s₀/sₙ.
    Of a singular matrix it is ∞.

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

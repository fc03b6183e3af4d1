"""Eigenvalues and singular values, with their vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from tinygrad_edu.engine.differentiate import note_limit
from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.engine.recording import watched
from tinygrad_edu.ops.linalg.limits import (
    close,
    gaps_of,
    jumps,
    put_together,
    quotients,
    reflected,
    rounding_of,
    spaces_of,
    turning_of,
)
from tinygrad_edu.ops.linalg.matrices import gapped, graded

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array
    from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


class EighResult(NamedTuple):
    """The results of `eigh`: the eigenvalues, in growing order, and the eigenvectors, as columns."""

    eigenvalues: Tensor | Any
    eigenvectors: Tensor | Any


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
    if close(known, size) or (zero and (known <= rounding_of(known, size)).any()):
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
    gaps = gaps_of(w)
    equal = (np.abs(gaps) <= rounding_of(w, n)[..., None]) & ~np.eye(n, dtype=bool)

    def numerators(g: Any, y: Any) -> list[Any]:
        q = y[1].mT @ g[0]
        return [q - q.mT]

    def other(y: Any) -> Any:
        same = spaces_of(y[0], n)
        return put_together(y[0], same), y[1] @ turning_of(same, np.random.default_rng(0))

    top, divisor = numerators([g], y), (gaps, gaps_of(move), equal)
    (m,) = quotients(top, numerators, [g], y, [divisor], (move, None), other)
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
def eigh(x: Array, UPLO: str = "L") -> tuple[Array, Array]:
    """(w, V) with x = V·diag(w)·Vᵀ: eigenvalues, rising, and orthonormal eigenvectors of a symmetric x.

    x is taken for symmetric: its lower triangle is read (with UPLO="U" its upper one), and the gradient is symmetric,
    as that of `cholesky`.

    Where eigenvalues are equal up to rounding, their eigenvectors are any basis of their space. A function that does not
    depend on the basis (the eigenvalues' sum, the projection onto the space, V·diag(f(w))·Vᵀ) has its gradient and its
    second derivatives there too; they are found by differentiating what was computed from w and V once more. The gradient
    by the vectors is NaN where the function depends on the basis, and so are third derivatives, functions of more than
    two such decompositions in a row, and gradients in a function that is replayed, since a replay meets other values.

    x: a symmetric matrix, or a stack of them, an array or a tensor.
    UPLO: the triangle that is read, "L" or "U".

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
def eigvalsh(x: Array, UPLO: str = "L") -> Array:
    """The eigenvalues of a symmetric x, which rise; see `eigh`.

    The parameters are those of `eigh`.

    >>> eigvalsh(np.array([[5.0, 0.0], [0.0, 2.0]]))
    array([2., 5.])
    """
    return eigh(x, UPLO=UPLO)[0]  # type: ignore[return-value]  # arrays, of an array


class SVDResult(NamedTuple):
    """The results of `svd`: U, the singular values S, and Vᴴ, with x = U·diag(S)·Vᴴ."""

    U: Tensor | Any
    S: Tensor | Any
    Vh: Tensor | Any


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
    gaps, rounding = gaps_of(s), rounding_of(s, size)[..., None]
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
        same = spaces_of(s, size)
        null = (same & (s <= rounding_of(s, size))[..., None, :]).any(axis=-1)
        turning = turning_of(same, rng)
        u, v = reflected(u @ turning, null, rng), reflected(vh.mT @ turning, null, rng)
        return u, np.where(null, 0, put_together(s, same)), reflected(v, null, rng).mT

    divisors = [(gaps, gaps_of(move), equal), (sums, move + move[:, None], none)]
    if u.shape[-2] > k:
        divisors.append((row, move, row <= rounding))
    if vh.shape[-1] > k:
        divisors.append((column, move[:, None], column <= rounding))
    tops = [p + q, p - q, *beside]
    by_gaps, by_sums, *beside = quotients(tops, numerators, g, y, divisors, (None, move, None), other)
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
def reduced_svd(x: Array) -> tuple[Array, Array, Array]:
    """(U, s, Vᵀ) with x = U·diag(s)·Vᵀ, of the rank that x can have; the op that `svd` records."""
    return tuple(np.linalg.svd(x, full_matrices=False))


def undetermined(function: str, cure: str) -> Any:
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
            undetermined("svd", "full_matrices=False"),
            lambda g, y, x: y[0][..., :, : g.shape[-1]] * g[..., None, :] @ y[2][..., : g.shape[-1], :],
            undetermined("svd", "full_matrices=False"),
        ),
    ),
    outputs=3,
    results=SVDResult._make,
    formulas=["∂L/∂x = U @ diag(∂L/∂s) @ Vᵀ"],
    domain=graded,
)
def full_svd(x: Array) -> tuple[Array, Array, Array]:
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
def svd(x: Array, full_matrices: bool = True, compute_uv: bool = True) -> SVDResult | Any:
    """(U, s, Vᵀ) with x = U·diag(s)·Vᵀ: singular values s, falling, and orthonormal vectors U and V; or s alone.

    To differentiate by U or V, pass full_matrices=False unless x is square: the further columns that NumPy then adds
    are arbitrary, and have no derivative; it raises ValueError when one is asked for. Where singular values are equal,
    or 0, the gradient is as that of `eigh`: right for what does not depend on the basis, such as U·diag(s³)·Vᵀ, else NaN.

    x: a matrix, or a stack of them, (…, m, n), an array or a tensor.
    full_matrices: whether U is (m, m) and Vᵀ (n, n), rather than of k = min(m, n) columns and rows.
    compute_uv: whether U and Vᵀ are wanted, or s alone.

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
def svdvals(x: Array) -> Array:
    """The singular values of x, which fall; the gradient is that of `svd`.

    >>> svdvals(np.array([[0.0, 2.0], [3.0, 0.0]]))
    array([3., 2.])
    """
    return reduced_svd(x)[1]  # type: ignore[return-value]  # arrays, of an array

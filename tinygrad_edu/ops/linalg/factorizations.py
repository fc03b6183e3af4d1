"""Factorizations without eigenvalues: Cholesky and QR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.ops.linalg.matrices import definite, graded
from tinygrad_edu.ops.linalg.spectra import undetermined

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array
    from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


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
def cholesky(x: Array, *, upper: bool = False) -> Array:
    """y, lower triangular with y·yᵀ = x (upper: yᵀ·y = x), for a symmetric x with positive eigenvalues.

    x is taken for symmetric: as in NumPy, its lower triangle (upper: its upper one) is read, and the other is never
    looked at. xᵢⱼ and xⱼᵢ are then one number, whose derivative is shared evenly between them: the gradient is
    symmetric, as PyTorch's is. Raises LinAlgError if x is not positive definite.

    x: a symmetric matrix, or a stack of them, an array or a tensor.
    upper: whether y is the upper triangle.

    >>> cholesky(np.array([[4.0, 2.0], [2.0, 5.0]]))
    array([[2., 0.],
           [1., 2.]])
    """
    return np.linalg.cholesky(x, upper=upper)


class QRResult(NamedTuple):
    """The results of `qr`: orthonormal columns Q, and a triangular R, with x = Q·R."""

    Q: Tensor | Any
    R: Tensor | Any


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
def reduced_qr(x: Array) -> tuple[Array, Array]:
    """(Q, R) with x = Q·R, of the rank that x can have; the op that `qr` records."""
    return tuple(np.linalg.qr(x))


@op(
    symbol="qr",
    vjp=(undetermined("qr", "mode='reduced'"),),
    outputs=2,
    results=QRResult._make,
    domain=graded,
)
def complete_qr(x: Array) -> tuple[Array, Array]:
    """(Q, R) with Q square: with further columns, which are any that make it orthonormal."""
    return tuple(np.linalg.qr(x, "complete"))


@composite(
    answers=(np.linalg.qr,),
    domain=graded,
    examples=[example((3, 3)), example((4, 2)), example((2, 4)), example((2, 3, 2)), example((3, 2), mode="r")],
)
def qr(x: Array, mode: str = "reduced") -> QRResult | Any:
    """(Q, R) with x = Q·R: orthonormal columns and an upper triangle; with mode="r", R alone.

    The derivative needs a matrix whose first columns, as many as Q has, are independent; otherwise its backward
    pass raises LinAlgError. mode="complete" adds arbitrary columns to Q, which have no derivative: it raises ValueError
    when one is asked for.

    x: a matrix, or a stack of them, (…, m, n), an array or a tensor.
    mode: "reduced" for Q of (m, k), k = min(m, n), "complete" for Q of (m, m), "r" for R alone.

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

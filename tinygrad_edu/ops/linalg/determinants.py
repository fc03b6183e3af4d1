"""Determinants, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import op
from tinygrad_edu.ops.linalg.matrices import regular

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array
    from tinygrad_edu.engine.tensor import Tensor


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
def det(x: Array) -> Array:
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
def cofactor(x: Array) -> Array:
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
    """The results of `slogdet`: the sign of the determinant, and the logarithm of its size."""

    sign: Tensor | Any
    logabsdet: Tensor | Any


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
def slogdet(x: Array) -> tuple[Array, Array]:
    """(sign, log|det x|): the determinant of a matrix so large that it would overflow.

    >>> sign, logabsdet = slogdet(-1000.0 * np.eye(201))
    >>> sign.item(), round(float(logabsdet.item() / np.log(10)), 6)
    (-1.0, 603.0)
    """
    return tuple(np.linalg.slogdet(x))


@op(symbol="singular", domain=regular, examples=[example((3, 3)), example((2, 2, 2))])
def is_singular(x: Array) -> Array:
    """Whether x, each of a stack, has the determinant 0.

    >>> is_singular(np.array([[1.0, 2.0], [2.0, 4.0]])).item()
    True
    """
    return np.linalg.slogdet(x)[0] == 0

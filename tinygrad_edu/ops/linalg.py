"""Linear algebra: products, factorizations, solutions."""

from __future__ import annotations

import math
from typing import Any

import numpy

from tinygrad_edu.op import example, ufunc

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


# ---------------------------------------------------------------------------------------------------
# Products


def _matmul_by_a(g: Any, a: Any, b: Any) -> Any:
    """∂L/∂a of y = a @ b, where one is a vector or a stack of matrices."""
    if a.ndim == b.ndim == 1:
        return g * b
    if b.ndim == 1:
        return g[..., None] * b
    if a.ndim == 1:
        return (b @ g[..., None])[..., 0]
    return g @ b.mT


def _matmul_by_b(g: Any, a: Any, b: Any) -> Any:
    """∂L/∂b of y = a @ b, where one is a vector or a stack of matrices."""
    if a.ndim == b.ndim == 1:
        return g * a
    if a.ndim == 1:
        return a[:, None] * g[..., None, :]
    if b.ndim == 1:
        return (a.mT @ g[..., None])[..., 0]
    if b.ndim == 2:  # one product of two tall matrices, instead of a stack of products to be summed
        rows = math.prod(a.shape[:-1])
        return np.reshape(a, (rows, a.shape[-1])).T @ np.reshape(g, (rows, g.shape[-1]))
    return a.mT @ g


matmul = ufunc(
    np.matmul,
    "dot",
    vjp=(
        lambda g, y, a, b: g @ b.T if a.ndim == 2 and b.ndim == 2 else _matmul_by_a(g, a, b),
        lambda g, y, a, b: a.T @ g if a.ndim == 2 and b.ndim == 2 else _matmul_by_b(g, a, b),
    ),
    answers=(np.matmul, np.linalg.matmul),
    analytic=True,
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

    >>> import tinygrad_edu as tg
    >>> W = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> (W @ np.array([1.0, 10.0])).sum().backward()
    >>> W.grad.tolist()
    [[1.0, 10.0], [1.0, 10.0]]
    """,
)

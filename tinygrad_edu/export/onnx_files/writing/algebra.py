"""Linear algebra of small matrices, step by step: ONNX has the determinant alone.

Eigenvalues, singular values and what is made of them are found by iteration until they stand still, which is no fixed
number of steps; so they are not written.
"""

from __future__ import annotations

from typing import Any

import numpy

from tinygrad_edu.export.onnx_files.writing.orders import taken_along
from tinygrad_edu.export.onnx_files.writing.written import WHOLE, CannotWriteError

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

MOST_ROWS = 32
"""Matrices have at most so many rows: each takes some ten nodes."""


def _rows(x: Any) -> int:
    n = int(x.shape[-2])
    if n > MOST_ROWS:
        raise CannotWriteError(
            f"a matrix of {n} rows is too large to be written step by step; {MOST_ROWS} are the most"
        )
    return n


def _eliminated(a: Any, b: Any) -> tuple[Any, list[Any], Any]:
    """a⁻¹·b by Gauß and Jordan, with the largest pivot in each column; the pivots, and the sign of the exchanges."""
    n = _rows(a)
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    m = np.concatenate([np.broadcast_to(x, (*lead, *x.shape[-2:])) for x in (a, b)], axis=-1)
    rows, pivots, sign = np.arange(n), [], np.ones(lead, a.dtype)
    for j in range(n):
        best = np.expand_dims(np.argmax(np.abs(m[..., j:, j]), axis=-1), -1) + j
        sign = np.where(np.equal(best[..., 0], j), sign, -sign)
        index = np.where(np.equal(rows, j), best, np.where(np.equal(rows, best), j, rows))
        m = taken_along(m, np.broadcast_to(np.expand_dims(index, -1), m.shape), -2)
        pivots.append(m[..., j, j])
        row = m[..., j : j + 1, :] / m[..., j : j + 1, j : j + 1]
        m = np.where((rows == j)[:, None], row, m - m[..., j : j + 1] * row)
    return m[..., n:], pivots, sign


def inv(x: Any) -> Any:
    """x⁻¹."""
    return _eliminated(x, np.eye(x.shape[-1], dtype=x.dtype))[0]


def solve(a: Any, b: Any) -> Any:
    """a⁻¹·b."""
    return _eliminated(a, np.expand_dims(b, -1))[0][..., 0] if b.ndim == 1 else _eliminated(a, b)[0]


def slogdet(x: Any) -> Any:
    """The sign and the logarithm of |det x|, by the pivots."""
    _, pivots, sign = _eliminated(x, np.eye(x.shape[-1], dtype=x.dtype))
    total = 0
    for p in pivots:
        sign, total = sign * np.sign(p), total + np.log(np.abs(p))
    return sign, total


def is_singular(x: Any) -> Any:
    """Whether a pivot is 0."""
    return np.equal(slogdet(x)[0], 0)


def cholesky(x: Any, *, upper: bool = False) -> Any:
    """Column by column, each taken from what is left."""
    left = x.mT if upper else x
    columns = []
    rows = np.arange(_rows(x))
    for j in range(len(rows)):
        column = np.where(rows >= j, left[..., :, j] / np.sqrt(left[..., j : j + 1, j]), 0)
        columns.append(column)
        left = left - np.expand_dims(column, -1) * np.expand_dims(column, -2)
    return np.stack(columns, axis=-2 if upper else -1)


def reduced_qr(x: Any) -> Any:
    """By Householder's reflections, with LAPACK's signs."""
    m, n = _rows(x), int(x.shape[-1])
    k = min(m, n)
    q, r, rows = np.eye(m, dtype=x.dtype), x, np.arange(m)
    for j in range(k if m > n else k - 1):
        column = np.where(rows >= j, r[..., :, j], 0)
        rest = np.add.reduce(np.where(rows > j, column * column, 0), axis=-1, keepdims=True)
        first = r[..., j, j : j + 1]
        length = np.sqrt(rest + first * first)
        v = column + np.where(rows == j, np.where(first < 0, -length, length), 0)
        size = np.add.reduce(v * v, axis=-1, keepdims=True)
        still = np.equal(rest, 0)  # there is nothing to reflect
        v = np.where(still, 0, v / np.sqrt(np.where(np.equal(size, 0), 1, size)))
        along, across = np.expand_dims(v, -1), np.expand_dims(v, -2)
        r = r - 2 * along * np.matmul(across, r)
        q = q - np.matmul(q, along) * 2 * across
    return q[..., :k], np.triu(r[..., :k, :])


WHOLE.update(inv=inv, solve=solve, slogdet=slogdet, is_singular=is_singular, cholesky=cholesky, reduced_qr=reduced_qr)

"""Weights that have a structure: orthogonal, sparse, and those of layers that change nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.nn.init.fans import Shape, fans
from tinygrad_edu.nn.init.values import typed, zeros

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tinygrad_edu.engine.arguments import DType


def orthogonal(
    shape: Shape, gain: float = 1.0, *, generator: np.random.Generator | None = None, dtype: DType = None
) -> NDArray[Any]:
    """Draw gain·Q, where the rows of Q are orthonormal, or its columns if those are fewer: such a layer keeps lengths.

    Q is uniform among these matrices.

    shape: of a weight; one of more than two axes counts as a matrix with the first axis as rows.
    gain: makes up for the activation; see `calculate_gain`.
    generator: draws the numbers.
    dtype: the type of the array.

    Source: Saxe, McClelland and Ganguli, *Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks* (2014).

    >>> q = orthogonal((2, 5), dtype=float)
    >>> bool(np.allclose(q @ q.T, np.eye(2)))
    True
    """
    fans(shape)
    rows, columns = shape[0], math.prod(shape[1:])
    drawn = random.generator(generator).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q *= np.copysign(1, np.diag(r))  # without it, Q would not be uniform
    return typed(gain * (q if rows >= columns else q.T).reshape(shape), dtype)


def sparse(
    shape: Shape,
    sparsity: float,
    std: float = 0.01,
    *,
    generator: np.random.Generator | None = None,
    dtype: DType = None,
) -> NDArray[Any]:
    """Draw a matrix of normal numbers in which, in each column, a share of the rows is 0.

    shape: (rows, columns).
    sparsity: the share, from 0 to 1; the number of rows is rounded up.
    std: the standard deviation of the others.
    generator: draws the numbers.
    dtype: the type of the array.

    Raises ValueError for what is no matrix, and for a share outside [0, 1].

    Source: Martens, *Deep learning via Hessian-free optimization* (2010).

    >>> w = sparse((4, 3), sparsity=0.5)
    >>> (w == 0).sum(axis=0).tolist()
    [2, 2, 2]
    """
    if len(shape) != 2:
        raise ValueError(f"sparse() makes a matrix, but got the shape {shape}")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity is a share between 0 and 1, but got {sparsity}")
    own = random.generator(generator)
    drawn = own.normal(0.0, std, shape)
    ranks = np.argsort(own.random(shape), axis=0)
    drawn[ranks < math.ceil(sparsity * shape[0])] = 0
    return typed(drawn, dtype)


def eye(shape: Shape, *, dtype: DType = None) -> NDArray[Any]:
    """Make a matrix with 1 on the diagonal and 0 elsewhere: a linear layer with it keeps what it gets.

    shape: (rows, columns).
    dtype: the type of the array.

    Raises ValueError for what is no matrix.

    >>> eye((2, 3)).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    if len(shape) != 2:
        raise ValueError(f"eye() makes a matrix, but got the shape {shape}")
    return typed(np.eye(*shape), dtype)


def dirac(shape: Shape, groups: int = 1, *, dtype: DType = None) -> NDArray[Any]:
    """Make a convolution's kernel that keeps its channels: it has 1 in the middle of the window from each channel to
    itself.

    shape: (out, in/groups, …) with one to three axes of a window. Outputs beyond the number of inputs are 0.
    groups: into how many groups the outputs fall; each keeps the channels of its own group.
    dtype: the type of the array.

    Raises ValueError for other shapes, and for outputs that make no equal groups.

    >>> dirac((2, 2, 3)).tolist()
    [[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
    """
    if len(shape) not in (3, 4, 5) or groups < 1 or shape[0] % groups:
        raise ValueError(
            f"dirac() makes a kernel (out, in/groups, …) of three to five axes, whose outputs make {groups} equal groups, but "
            f"got {shape}"
        )
    kernel = zeros(shape, dtype=dtype)
    middle = tuple([n // 2 for n in shape[2:]])
    each = shape[0] // groups
    for group in range(groups):
        for channel in range(min(each, shape[1])):
            kernel[(group * each + channel, channel, *middle)] = 1
    return kernel

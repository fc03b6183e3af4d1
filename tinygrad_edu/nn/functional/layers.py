"""The functions that the simplest layers compute: products with weights, changes of shape, and dropout."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.engine.refusals import warn
from tinygrad_edu.nn.functional.checks import between_0_and_1
from tinygrad_edu.ops.parts import lifted
from tinygrad_edu.ops.products import matmul
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array
    from tinygrad_edu.engine.tensor import Tensor


def warn_wider(x: Any) -> None:
    """Warn, once for each line of the caller's, that float32 weights are computed with in float64, because of the data."""
    warn(
        f"{array(x).dtype} data meets float32 weights, so all that follows is computed in float64, in about twice the time and memory; "
        "write x.astype(np.float32), or tg.set_default_dtype(np.float64) before making the layers"
    )


@lifted
def linear(x: Array, weight: Array, bias: Tensor | Array | None = None) -> Array:
    """y = x·W + b: each output is a weighted sum of all inputs.

    x: (…, in); y: (…, out).
    weight: W, (in, out), as `nn.Linear` keeps it.
    bias: b, (out,), or None for none.

    Raises ValueError for shapes that do not fit.

    >>> linear(np.array([1.0, 2.0]), np.eye(2), np.array([10.0, 20.0])).tolist()
    [11.0, 22.0]
    """
    y = matmul(x, weight)
    if y.dtype.char == "d" and weight.dtype.char == "f":
        warn_wider(x)
    return y if bias is None else y + bias


@lifted
def bilinear(x1: Array, x2: Array, weight: Tensor | Array, bias: Tensor | Array | None = None) -> Array:
    """yₖ = x₁ᵀ·Wₖ·x₂ + bₖ: each output is a weighted sum of all products of a number of x₁ with one of x₂.

    x1: (…, in1).
    x2: (…, in2); y: (…, out).
    weight: W, (out, in1, in2).
    bias: b, (out,), or None for none.

    Raises ValueError for other shapes.

    >>> bilinear(np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.ones((1, 2, 2))).tolist()
    [21.0]
    """
    x1, x2, weight = array(x1), array(x2), array(weight)
    if weight.ndim != 3 or x1.shape != (*x2.shape[:-1], weight.shape[1]) or x2.shape[-1:] != weight.shape[2:]:
        raise ValueError(
            f"bilinear takes (…, in1), (…, in2) and a weight (out, in1, in2), but got {x1.shape}, {x2.shape} and {weight.shape}"
        )
    y = np.einsum("...i,kij,...j->...k", x1, weight, x2)
    if y.dtype.char == "d" and weight.dtype.char == "f":
        warn_wider(x2 if x2.dtype.char == "d" else x1)
    return y if bias is None else y + bias


@lifted
def flatten(x: Array, start_dim: int = 1, end_dim: int = -1) -> Array:
    """Several axes become one: images (N, 8, 8) become rows (N, 64). The numbers keep their order.

    x: an array of at least one axis.
    start_dim, end_dim: the first and the last of the axes that become one.

    Raises ValueError where the last comes before the first.

    >>> flatten(np.zeros((5, 3, 2))).shape
    (5, 6)
    """
    shape = np.shape(x)
    axes = range(-len(shape), len(shape))
    if start_dim not in axes or end_dim not in axes:
        raise IndexError(
            f"flatten() joins axes {start_dim} to {end_dim}, but x of shape {shape} has {len(shape)}, from 0 to {len(shape) - 1}"
        )
    first, last = start_dim % len(shape), end_dim % len(shape)
    if first > last:
        raise ValueError(
            f"flatten() of shape {shape} goes from an earlier to a later axis, not {start_dim} to {end_dim}"
        )
    return np.reshape(x, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


@lifted
def unflatten(x: Array, axis: int, unflattened_size: Sequence[int]) -> Array:
    """One axis becomes several: rows (N, 64) become images (N, 8, 8). The numbers keep their order.

    x: an array of at least one axis.
    axis: the axis that is split.
    unflattened_size: the lengths of the new axes; one of them may be −1, and is then computed from the others.

    Raises ValueError for lengths whose product is not that of the axis.

    >>> unflatten(np.zeros((5, 64)), 1, (8, -1)).shape
    (5, 8, 8)
    """
    shape, sizes = np.shape(x), tuple(unflattened_size)
    try:
        at = range(len(shape))[operator.index(axis)]
        made = np.empty(shape[at], bool).reshape(sizes).shape  # NumPy checks the lengths, and computes that of −1
    except (IndexError, ValueError):
        raise ValueError(f"unflatten() cannot make axis {axis} of shape {shape} into axes of lengths {sizes}") from None
    return np.reshape(x, (*shape[:at], *made, *shape[at + 1 :]))


@lifted
def dropout(
    x: Array,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: np.random.Generator | None = None,
) -> Array:
    """y = x·mask, where each number of the mask is 0 with probability p, else 1 / (1 − p), so that y is x on average.

    The mask is an input of the product: going backward twice, or forward again from the record, uses the same one.

    x: any shape; y has the same.
    p: the share of x that is dropped, between 0 and 1.
    training: with `training=False`, y is x.
    inplace: accepted, and changes nothing.
    generator: draws the mask; by default the generator that `tg.manual_seed` sets.

    Raises ValueError for p outside [0, 1].

    Source: Srivastava et al., *Dropout: a simple way to prevent neural networks from overfitting*, JMLR 15 (2014), in
    the inverted form, which leaves inference alone.

    >>> y = dropout(np.ones(1000), 0.2, generator=np.random.default_rng(0))
    >>> np.unique(y).tolist(), bool(abs(y.mean() - 1) < 0.05)
    ([0.0, 1.25], True)
    """
    return _dropped(x, None, p, training, generator)


def _dropped(x: Any, shape: tuple[int, ...] | None, p: float, training: bool, generator: Any) -> Any:
    """x times a mask of this shape, with which x is broadcast; None for the shape of x."""
    between_0_and_1("dropout's p", p)
    if not training or p == 0:
        return x
    x = array(x)
    dtype = x.dtype if x.dtype.kind in "fc" else float
    return x * random.draw(random.Mask(p), x.shape if shape is None else shape, dtype, generator, "mask")


@lifted
def dropout1d(
    x: Array,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: np.random.Generator | None = None,
) -> Array:
    """y = x·mask, with one number of the mask for each channel of a sequence: whole channels are dropped.

    x: (N, C, L) or (C, L); y has the same shape.

    The other parameters are those of `dropout`.

    >>> y = dropout1d(np.ones((1, 50, 4)), 0.2, generator=np.random.default_rng(0))
    >>> np.unique(y.sum(axis=2)).tolist()
    [0.0, 5.0]
    """
    return _channels("dropout1d", x, {3: 2, 2: 1}, p, training, generator)


@lifted
def dropout2d(
    x: Array,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: np.random.Generator | None = None,
) -> Array:
    """y = x·mask, with one number of the mask for each channel of an image: it is 0 with probability p, else 1 / (1 −
    p).

    Neighbouring numbers of an image are alike, so one that is dropped alone could still be told from those around it.

    x: (N, C, H, W), or (N, C, L), as PyTorch takes it; y has the same shape.

    The other parameters are those of `dropout`.

    Raises ValueError for x of another shape.

    Source: Tompson et al., *Efficient object localization using convolutional networks* (2015).

    >>> y = dropout2d(np.ones((1, 50, 2, 2)), 0.2, generator=np.random.default_rng(0))
    >>> np.unique(y.sum(axis=(2, 3))).tolist()
    [0.0, 5.0]
    """
    return _channels("dropout2d", x, {4: 2, 3: 2}, p, training, generator)


@lifted
def dropout3d(
    x: Array,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: np.random.Generator | None = None,
) -> Array:
    """y = x·mask, with one number of the mask for each channel of a volume: whole channels are dropped.

    x: (N, C, D, H, W) or (C, D, H, W); y has the same shape.

    The other parameters are those of `dropout`.

    >>> y = dropout3d(np.ones((1, 50, 1, 2, 2)), 0.2, generator=np.random.default_rng(0))
    >>> np.unique(y.sum(axis=(2, 3, 4))).tolist()
    [0.0, 5.0]
    """
    return _channels("dropout3d", x, {5: 2, 4: 1}, p, training, generator)


def _channels(who: str, x: Any, leading: dict[int, int], p: float, training: bool, generator: Any) -> Any:
    """Dropout with one number of the mask for all that lies behind the leading axes; how many these are, by x's axes."""
    shape = np.shape(x)
    if len(shape) not in leading:
        raise ValueError(f"{who} takes x of {' or '.join(map(str, leading))} axes, but got {shape}")
    kept = leading[len(shape)]
    return _dropped(x, (*shape[:kept], *[1] * (len(shape) - kept)), p, training, generator)

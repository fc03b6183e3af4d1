"""What normalizes each example by itself: layer, group and RMS normalization."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy

from tinygrad_edu.nn.functional.layers import warn_wider
from tinygrad_edu.ops.network.normalization import beside
from tinygrad_edu.ops.network.standardizing import standardize
from tinygrad_edu.ops.types import array, floating

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def layer_norm(
    x: Any, normalized_shape: int | Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """y = w·(x − m) / √(v + ε) + b, with the mean m and variance v of the last axes, those of `normalized_shape`.

    x: (…, *normalized_shape); w and b: normalized_shape. v is divided by n. An example alone is enough, in training too.

    Raises ValueError for x and weights of other shapes.

    Source: Ba, Kiros and Hinton, *Layer normalization* (2016).

    >>> layer_norm(np.array([[1.0, 3.0], [10.0, 30.0]]), 2, eps=0.0).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """
    x, axes = _last("layer_norm", x, normalized_shape, weight, bias)
    y = standardize(x, axis=axes, eps=eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def rms_norm(x: Any, normalized_shape: int | Sequence[int], weight: Any = None, eps: float | None = None) -> Any:
    """y = w·x / √(Σ x²/n + ε) over the last axes, those of `normalized_shape`: the scale alone is brought to 1.

    x: (…, *normalized_shape); w: normalized_shape. ε is, if not given, the smallest step of x's type from 1 on.

    Raises ValueError for x and weights of other shapes.

    Source: Zhang and Sennrich, *Root mean square layer normalization* (2019).

    >>> rms_norm(np.array([1.0, 7.0]), 2, eps=0.0).round(3).tolist()
    [0.2, 1.4]
    """
    x, axes = _last("rms_norm", x, normalized_shape, weight, None)
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    y = standardize(x, axis=axes, eps=eps, centered=False)
    return y if weight is None else y * weight


def group_norm(x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """y = w·(x − m) / √(v + ε) + b, with the mean m and variance v of each example's groups of channels.

    x: (N, C, …), whose C channels make `num_groups` groups of equal size; w and b: (C,). One group is layer
    normalization over all axes but the first, C groups are instance normalization.

    Raises ValueError for channels that make no such groups, and for weights of other shapes.

    Source: Wu and He, *Group normalization* (2018).

    >>> group_norm(np.array([[1.0, 3.0, 10.0, 30.0]]), 2, eps=0.0).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """
    x = floating(x)
    if x.ndim < 2 or num_groups < 1 or x.shape[1] % num_groups:
        raise ValueError(
            f"group_norm takes x of shape (N, C, …) whose C channels make {num_groups} equal groups, but got {x.shape}"
        )
    _check_weights("group_norm", x, x.shape[1:2], weight, bias)
    n, channels, *rest = x.shape
    groups = np.reshape(x, (n, num_groups, channels // num_groups, *rest))
    y = np.reshape(standardize(groups, axis=tuple(range(2, groups.ndim)), eps=eps), x.shape)
    y = y if weight is None else y * beside(array(weight), x)
    return y if bias is None else y + beside(array(bias), x)


def shape_of(given: int | Sequence[int]) -> tuple[int, ...]:
    """`normalized_shape`, which may be the length of a single axis, as a shape."""
    return (operator.index(given),) if not isinstance(given, Sequence) else tuple([operator.index(n) for n in given])


def _last(
    what: str, x: Any, normalized_shape: int | Sequence[int], weight: Any, bias: Any
) -> tuple[Any, tuple[int, ...]]:
    """x as floating numbers, and its last axes, of `normalized_shape`."""
    x, shape = floating(x), shape_of(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        lengths = ", ".join(map(str, shape))
        raise ValueError(f"{what} over {shape} takes x of shape (…, {lengths}), but got {x.shape}")
    _check_weights(what, x, shape, weight, bias)
    return x, tuple(range(-len(shape), 0))


def _check_weights(what: str, x: Any, shape: tuple[int, ...], weight: Any, bias: Any) -> None:
    """Raise ValueError for a weight or bias of another shape; warn of one whose type x widens."""
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and np.shape(value) != shape:
            raise ValueError(f"{what} takes a {name} of shape {shape}, but got {np.shape(value)}")
    if x.dtype.char == "d" and getattr(weight, "dtype", x.dtype).char == "f":
        warn_wider()

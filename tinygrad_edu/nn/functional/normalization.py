"""Functions that normalize: they subtract a mean and divide by a standard deviation, of a batch or of each example."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.recording import no_grad, watched
from tinygrad_edu.nn.functional.layers import warn_wider
from tinygrad_edu.ops.network.normalization import batch_norm as normalize
from tinygrad_edu.ops.network.normalization import beside, each
from tinygrad_edu.ops.network.standardizing import standardize
from tinygrad_edu.ops.parts import lifted
from tinygrad_edu.ops.types import array, floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A, Array
    from tinygrad_edu.engine.tensor import Tensor


def batch_norm(
    x: A,
    running_mean: Tensor | Array | None,
    running_var: Any,
    weight: Tensor | Array | None = None,
    bias: Tensor | Array | None = None,
    training: bool = False,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> A:
    """y = w·(x − m) / √(v + ε) + b, where each channel has a mean m and a variance v of its own.

    In training, or without running averages, m and v are those of the batch (v divided by n). In training the running
    averages then follow: running ← (1 − momentum)·running + momentum·batch, with the variance divided by n − 1 there.
    Otherwise m and v are the running averages, and nothing is written.

    x: (N, C) or (N, C, …); y has the same shape.
    running_mean, running_var: (C,), tensors or arrays that are written in training; or None for none.
    weight, bias: w and b, (C,); None stands for 1 and 0.
    training: whether this is a training step.
    momentum: the share by which the batch moves the running averages.
    eps: ε, which keeps the quotient finite where a channel is constant.

    Raises ValueError in training for one value a channel, which has no variance, and for x of less than two axes.

    Source: Ioffe and Szegedy, *Batch normalization* (2015).

    >>> batch_norm(np.array([[1.0], [3.0]]), None, None, training=True, eps=0.0).tolist()
    [[-1.0], [1.0]]
    """
    x = array(x)
    if x.ndim < 2:
        raise ValueError(f"batch_norm takes x of shape (N, C) or (N, C, …), but got {x.shape}")
    channels = x.shape[1]
    if x.dtype.char == "d" and weight is not None and weight.dtype.char == "f":
        warn_wider(x)
    weight = np.ones(channels, x.dtype) if weight is None else weight
    bias = np.zeros(channels, x.dtype) if bias is None else bias
    if not training and running_mean is not None:
        scale = weight / np.sqrt(running_var + eps)
        return (x - beside(running_mean, x)) * beside(scale, x) + beside(bias, x)
    n = each(x)
    if training and n < 2:
        raise ValueError(
            f"batch_norm needs more than one value a channel to train on, but got x of shape {x.shape}; "
            "use larger batches (drop_last=True), or eval()"
        )
    y, mean, var = normalize(x, weight, bias, eps=eps)
    if training and running_mean is not None:
        unrecorded.run(follow, running_mean, mean, running_var, var, momentum, n / (n - 1))
    return y  # type: ignore[return-value]  # an array, of an array


unrecorded = no_grad()


@watched
def follow(running_mean: Any, mean: Any, running_var: Any, var: Any, momentum: Any, correction: float) -> None:
    """Move the running statistics towards those of the batch, in place."""
    old_mean, new_mean, old_var, new_var = [getattr(x, "ndarray", x) for x in (running_mean, mean, running_var, var)]
    running_mean -= momentum * (old_mean - new_mean)  # differences of arrays are computed faster than those of tensors
    running_var -= momentum * (old_var - new_var * correction)


@lifted
def instance_norm(
    x: Array,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Tensor | Array | None = None,
    bias: Tensor | Array | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Array:
    """y = w·(x − m) / √(v + ε) + b, where each channel of each example has a mean m and a variance v of its own.

    x: (N, C, …); y has the same shape.
    running_mean, running_var: (C,), tensors or arrays, or None for none. With use_input_stats they follow:
    running ← (1 − momentum)·running + momentum·(the mean over the examples, of m and of v·n / (n − 1)).
    weight, bias: w and b, (C,); None stands for 1 and 0.
    use_input_stats: whether m and v are those of x; if not, they are the running averages.
    momentum: the share by which an input moves the running averages.
    eps: ε, which keeps the quotient finite where a channel is constant.

    Raises ValueError for x of another shape, and for one number a channel, which has no variance.

    Source: Ulyanov et al., *Instance normalization: the missing ingredient for fast stylization* (2016).

    >>> instance_norm(np.array([[[1.0, 3.0]], [[10.0, 30.0]]]), eps=0.0).tolist()
    [[[-1.0, 1.0]], [[-1.0, 1.0]]]
    """
    x = floating(x)
    if x.ndim < 3:
        raise ValueError(f"instance_norm takes x of shape (N, C, …), but got {x.shape}")
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    n = math.prod(x.shape[2:])
    if n < 2:
        raise ValueError(f"instance_norm needs more than one value a channel, but got x of shape {x.shape}")
    if running_mean is not None:
        axes = tuple(range(2, x.ndim))
        unrecorded.run(_follow_means, running_mean, running_var, x, axes, momentum, n / (n - 1))
    return group_norm(x, x.shape[1], weight, bias, eps)


def _follow_means(running_mean: Any, running_var: Any, x: Any, axes: Any, momentum: Any, correction: float) -> None:
    """Move the running statistics towards the means of those of the examples, in place."""
    mean, var = np.mean(np.mean(x, axis=axes), axis=0), np.mean(np.var(x, axis=axes), axis=0)
    follow(running_mean, mean, running_var, var, momentum, correction)


@lifted
def layer_norm(
    x: Array,
    normalized_shape: int | Sequence[int],
    weight: Tensor | Array | None = None,
    bias: Tensor | Array | None = None,
    eps: float = 1e-5,
) -> Array:
    """y = w·(x − m) / √(v + ε) + b, where m and v are the mean and the variance over each example's last axes.

    v is divided by n. A single example can be normalized, in training too, because nothing depends on the batch.

    x: (…, *normalized_shape); y has the same shape.
    normalized_shape: the lengths of the last axes, or a single length for one axis.
    weight, bias: w and b, of the shape `normalized_shape`; None stands for 1 and 0.
    eps: ε, which keeps the quotient finite where an example is constant.

    Raises ValueError for x and weights of other shapes.

    Source: Ba, Kiros and Hinton, *Layer normalization* (2016).

    >>> layer_norm(np.array([[1.0, 3.0], [10.0, 30.0]]), 2, eps=0.0).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """
    x, axes = _last("layer_norm", x, normalized_shape, weight, bias)
    y = standardize(x, axis=axes, eps=eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


@lifted
def rms_norm(
    x: Array, normalized_shape: int | Sequence[int], weight: Tensor | Array | None = None, eps: float | None = None
) -> Array:
    """y = w·x / √(Σ x²/n + ε), where the sum is over each example's last axes: x is scaled, but no mean is subtracted.

    x: (…, *normalized_shape); y has the same shape.
    normalized_shape: the lengths of the last axes, or a single length for one axis.
    weight: w, of the shape `normalized_shape`; None stands for 1.
    eps: ε; by default the distance from 1 to the next number of x's type.

    Raises ValueError for x and weights of other shapes.

    Source: Zhang and Sennrich, *Root mean square layer normalization* (2019).

    >>> rms_norm(np.array([1.0, 7.0]), 2, eps=0.0).round(3).tolist()
    [0.2, 1.4]
    """
    x, axes = _last("rms_norm", x, normalized_shape, weight, None)
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    y = standardize(x, axis=axes, eps=eps, centered=False)
    return y if weight is None else y * weight


@lifted
def group_norm(
    x: Array,
    num_groups: int,
    weight: Tensor | Array | None = None,
    bias: Tensor | Array | None = None,
    eps: float = 1e-5,
) -> Array:
    """y = w·(x − m) / √(v + ε) + b, where m and v are the mean and the variance of a group of channels of one example.

    One group makes it layer normalization over all axes but the first; C groups make it instance normalization.

    x: (N, C, …); y has the same shape.
    num_groups: into how many groups of equal size the C channels fall.
    weight, bias: w and b, (C,); None stands for 1 and 0.
    eps: ε, which keeps the quotient finite where a group is constant.

    Raises ValueError for channels that make no equal groups, and for weights of other shapes.

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
        warn_wider(x)

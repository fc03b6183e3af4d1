"""Layers that normalize."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.creation import count, ones, zeros
from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.functional.normalization import shape_of
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.parameter import Buffer, Parameter

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike, DType
    from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


class BatchNorm1d(Module):
    """y = w·(x − m) / √(v + ε) + b: in training with the mean and variance of the batch, else with running ones.

    x: (N, num_features) or (N, num_features, L); y alike. weight w and bias b: (num_features,), or None with
    `affine=False`. running_mean and running_var follow the batches with `momentum`, or with `momentum=None` are the
    means over all batches so far; with `track_running_stats=False` there are none, and the batch's serve always.

    Raises ValueError for x of another shape, and in training on one value a channel. Source: see `F.batch_norm`.

    >>> import numpy as np
    >>> layer = BatchNorm1d(2)
    >>> y = layer(np.array([[1.0, 5.0], [3.0, 9.0]], np.float32))
    >>> y.numpy().round(3).tolist(), layer.running_var.numpy().round(3)
    ([[-1.0, -1.0], [1.0, 1.0]], array([1.1, 1.7], dtype=float32))
    """

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Buffer | None
    running_var: Buffer | None
    num_batches_tracked: Buffer | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        dtype: DType = None,
    ) -> None:
        self.num_features = count(num_features, "BatchNorm1d", "num_features")
        if self.num_features < 1:
            raise ValueError(f"BatchNorm1d needs at least one feature, but got {num_features}")
        self.eps, self.momentum = eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        shape = (self.num_features,)
        self.weight = Parameter(ones(shape, dtype=dtype)) if affine else None
        self.bias = Parameter(zeros(shape, dtype=dtype)) if affine else None
        self.running_mean = Buffer(zeros(shape, dtype=dtype)) if track_running_stats else None
        self.running_var = Buffer(ones(shape, dtype=dtype)) if track_running_stats else None
        self.num_batches_tracked = Buffer(0) if track_running_stats else None

    def forward(self, x: ArrayLike) -> Tensor:
        shape = x.shape if hasattr(x, "shape") else np.shape(x)
        if len(shape) not in (2, 3) or shape[1] != self.num_features:
            raise ValueError(
                f"{self!r} takes x of shape (N, {self.num_features}) or (N, {self.num_features}, L), but got {shape}"
            )
        batches: Any = self.num_batches_tracked
        momentum: Any = self.momentum
        running: Any = self.running_mean
        if momentum is None and running is not None:
            momentum = no_grad().run(lambda: np.astype(1 / (batches + 1), running.dtype))
        y = F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.training, momentum, self.eps
        )
        if self.training and batches is not None:
            no_grad().run(operator.iadd, batches, 1)
        return y

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class LayerNorm(Module):
    """y = w·(x − m) / √(v + ε) + b, with the mean m and variance v of each example's last axes.

    x: (…, *normalized_shape), a single length for one axis. weight w, 1 at first, and bias b, 0 at first:
    normalized_shape, or None with `elementwise_affine=False` (b alone with `bias=False`). Nothing is running, so
    training and inference are alike. Source: see `F.layer_norm`.

    >>> import numpy as np
    >>> LayerNorm(2)(np.array([[1.0, 3.0], [10.0, 30.0]], np.float32)).numpy().round(3).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: DType = None,
    ) -> None:
        self.normalized_shape, self.eps = shape_of(normalized_shape), eps
        self.elementwise_affine = elementwise_affine
        shape = self.normalized_shape
        self.weight = Parameter(ones(shape, dtype=dtype)) if elementwise_affine else None
        self.bias = Parameter(zeros(shape, dtype=dtype)) if elementwise_affine and bias else None

    def forward(self, x: ArrayLike) -> Tensor:
        _check_last(self, x)
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class RMSNorm(Module):
    """y = w·x / √(Σ x²/n + ε) over each example's last axes.

    x: (…, *normalized_shape). weight w: normalized_shape, 1 at first, or None with `elementwise_affine=False`.
    eps: the smallest step of x's type from 1 on, if None. Source: see `F.rms_norm`.

    >>> import numpy as np
    >>> RMSNorm(2)(np.array([1.0, 7.0], np.float32)).numpy().round(3)
    array([0.2, 1.4], dtype=float32)
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        dtype: DType = None,
    ) -> None:
        self.normalized_shape, self.eps = shape_of(normalized_shape), eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(ones(self.normalized_shape, dtype=dtype)) if elementwise_affine else None

    def forward(self, x: ArrayLike) -> Tensor:
        _check_last(self, x)
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


def _check_last(layer: LayerNorm | RMSNorm, x: ArrayLike) -> None:
    """Raise ValueError, naming the layer, for x whose last axes have other lengths."""
    shape, last = np.shape(x), layer.normalized_shape
    if shape[-len(last) :] != last:
        raise ValueError(f"{layer!r} takes x of shape (…, {', '.join(map(str, last))}), but got {shape}")


class GroupNorm(Module):
    """y = w·(x − m) / √(v + ε) + b, with the mean m and variance v of each group of channels of each example.

    x: (N, num_channels, …), in num_groups groups of equal size. weight w, 1 at first, and bias b, 0 at first:
    (num_channels,), or None with `affine=False`. Source: see `F.group_norm`.

    >>> import numpy as np
    >>> GroupNorm(2, 4)(np.array([[1.0, 3.0, 10.0, 30.0]], np.float32)).numpy().round(3).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, *, dtype: DType = None
    ) -> None:
        self.num_groups = count(num_groups, "GroupNorm", "num_groups")
        self.num_channels = count(num_channels, "GroupNorm", "num_channels")
        if self.num_groups < 1 or self.num_channels < 1 or self.num_channels % self.num_groups:
            raise ValueError(f"GroupNorm cannot make {num_groups} equal groups of {num_channels} channels")
        self.eps, self.affine = eps, affine
        shape = (self.num_channels,)
        self.weight = Parameter(ones(shape, dtype=dtype)) if affine else None
        self.bias = Parameter(zeros(shape, dtype=dtype)) if affine else None

    def forward(self, x: ArrayLike) -> Tensor:
        shape = np.shape(x)
        if len(shape) < 2 or shape[1] != self.num_channels:
            raise ValueError(f"{self!r} takes x of shape (N, {self.num_channels}, …), but got {shape}")
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"

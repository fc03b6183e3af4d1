"""Layers that normalize: they subtract a mean from x and divide it by a standard deviation.

They differ in what the mean is taken over: the batch, or parts of each example.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy

from tinygrad_edu.creation import count, ones, zeros
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.functional.checks import between_0_and_1, not_negative
from tinygrad_edu.nn.functional.normalization import shape_of, unrecorded
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.parameter import Buffer, Parameter

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike, DType
    from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


class Norm(Module):
    """The base of batch and instance normalization, which keeps weights and running averages and checks the shape of x."""

    takes: ClassVar[dict[int, str]]
    """The axes that x may have: their number, and their names, with C for num_features."""

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
        self.num_features = count(num_features, type(self).__name__, "num_features")
        if self.num_features < 1:
            raise ValueError(f"{type(self).__name__} needs at least one feature, but got {num_features}")
        not_negative(f"{type(self).__name__}'s eps", eps)
        if momentum is not None:
            between_0_and_1(f"{type(self).__name__}'s momentum", momentum)
        self.eps, self.momentum = eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        shape = (self.num_features,)
        self.weight = Parameter(ones(shape, dtype=dtype)) if affine else None
        self.bias = Parameter(zeros(shape, dtype=dtype)) if affine else None
        self.running_mean = Buffer(zeros(shape, dtype=dtype)) if track_running_stats else None
        self.running_var = Buffer(ones(shape, dtype=dtype)) if track_running_stats else None
        self.num_batches_tracked = Buffer(0) if track_running_stats else None

    def _check(self, x: Any) -> None:
        """Raise ValueError for x of another shape."""
        shape = x.shape if hasattr(x, "shape") else np.shape(x)
        axes = self.takes.get(len(shape))
        if axes is None or shape[axes.split(", ").index("C")] != self.num_features:
            taken = " or ".join([f"({names.replace('C', str(self.num_features))})" for names in self.takes.values()])
            cure = ""
            if len(shape) == 3 and 4 in self.takes:
                single = shape[0] == self.num_features
                cure = f"; write x[{'None' if single else ':, None'}] for {'one image' if single else 'images of one channel'}"
            raise ValueError(f"{self!r} takes x of shape {taken}, but got {shape}{cure}")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(Norm):
    def forward(self, x: ArrayLike) -> Tensor:
        self._check(x)
        batches: Any = self.num_batches_tracked
        momentum: Any = self.momentum
        running: Any = self.running_mean
        given: Any = x
        if momentum is None and running is not None:
            momentum = unrecorded.run(lambda: np.astype(1 / (batches + 1), running.dtype))
        y: Tensor = F.batch_norm(
            given, self.running_mean, self.running_var, self.weight, self.bias, self.training, momentum, self.eps
        )
        if self.training and batches is not None:
            unrecorded.run(operator.iadd, batches, 1)
        return y


class BatchNorm1d(_BatchNorm):
    """y = w·(x − m) / √(v + ε) + b, where each channel has a mean m and a variance v of its own.

    In training m and v are those of the batch; in evaluation mode they are running averages, which training keeps. They
    move as soon as the layer is called, also if a later layer or the backward pass then raises, as in PyTorch; a step of
    `tg.replay` that raises puts them back.
    x: (N, num_features) or (N, num_features, L); y has the same shape. w, 1 at first, and b, 0 at first:
        (num_features,).

    num_features: the number of channels, at least 1.
    eps: ε, which keeps the quotient finite where a channel is constant.
    momentum: the share by which each batch moves running_mean and running_var; None makes them means over all batches.
    affine: whether there are w and b; without them they are None.
    track_running_stats: whether running averages are kept; without them, the batch's m and v serve in evaluation mode
        too.
    dtype: the type of weights and averages; by default `tg.get_default_dtype()`.

    Raises ValueError, when it is called, for x of another shape, and in training for one value a channel, which has no
    variance.

    Source: Ioffe and Szegedy, *Batch normalization* (2015).

    >>> import numpy as np
    >>> layer = BatchNorm1d(2)
    >>> y = layer(np.array([[1.0, 5.0], [3.0, 9.0]], np.float32))
    >>> y.numpy().round(3).tolist(), layer.running_var.numpy().round(3)
    ([[-1.0, -1.0], [1.0, 1.0]], array([1.1, 1.7], dtype=float32))
    """

    takes: ClassVar = {2: "N, C", 3: "N, C, L"}


class BatchNorm2d(_BatchNorm):
    """y = w·(x − m) / √(v + ε) + b, where each channel of a batch of images has a mean m and a variance v of its own.

    x: (N, num_features, H, W); y has the same shape. The parameters are those of `BatchNorm1d`.

    >>> import numpy as np
    >>> y = BatchNorm2d(3)(np.random.default_rng(0).standard_normal((4, 3, 5, 5), np.float32))
    >>> y.shape, float(y.numpy()[:, 1].mean().round(5)) + 0.0, float(y.numpy()[:, 1].std().round(2))
    ((4, 3, 5, 5), 0.0, 1.0)
    """

    takes: ClassVar = {4: "N, C, H, W"}


class BatchNorm3d(_BatchNorm):
    """y = w·(x − m) / √(v + ε) + b, where each channel of a batch of volumes has a mean m and a variance v of its own.

    x: (N, num_features, D, H, W); y has the same shape. The parameters are those of `BatchNorm1d`.

    >>> import numpy as np
    >>> BatchNorm3d(2)(np.zeros((4, 2, 3, 3, 3), np.float32)).shape
    (4, 2, 3, 3, 3)
    """

    takes: ClassVar = {5: "N, C, D, H, W"}


class _InstanceNorm(Norm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        dtype: DType = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype=dtype)

    def forward(self, x: ArrayLike) -> Tensor:
        self._check(x)
        given: Any = x
        single = np.ndim(x) == min(self.takes)
        momentum: Any = 0.1 if self.momentum is None else self.momentum
        statistics = self.training or not self.track_running_stats
        y: Tensor = F.instance_norm(
            given[None] if single else given, self.running_mean, self.running_var, self.weight, self.bias, statistics,
            momentum, self.eps,
        )  # fmt: skip
        return y[0] if single else y


class InstanceNorm1d(_InstanceNorm):
    """y = w·(x − m) / √(v + ε) + b, where each channel of each sequence has a mean m and a variance v of its own.

    x: (N, num_features, L) or (num_features, L). The parameters are those of `InstanceNorm2d`.

    >>> import numpy as np
    >>> InstanceNorm1d(1, eps=0.0)(np.array([[[1.0, 3.0]], [[10.0, 30.0]]])).tolist()
    [[[-1.0, 1.0]], [[-1.0, 1.0]]]
    """

    takes: ClassVar = {3: "N, C, L", 2: "C, L"}


class InstanceNorm2d(_InstanceNorm):
    """y = w·(x − m) / √(v + ε) + b, where each channel of each image has a mean m and a variance v of its own.

    x: (N, num_features, H, W) or (num_features, H, W); y has the same shape.

    num_features: the number of channels, at least 1.
    eps: ε, which keeps the quotient finite where a channel is constant.
    momentum: the share by which each batch moves the running averages.
    affine: whether there are w, 1 at first, and b, 0 at first, both (num_features,).
    track_running_stats: whether running averages are kept, which serve in evaluation mode; without them, training and
    evaluation are alike.
    dtype: the type of weights and averages; by default `tg.get_default_dtype()`.

    Raises ValueError, when it is called, for x of another shape, and for one number a channel, which has no variance.

    Source: Ulyanov et al., *Instance normalization: the missing ingredient for fast stylization* (2016).

    >>> import numpy as np
    >>> y = InstanceNorm2d(3)(np.random.default_rng(0).standard_normal((4, 3, 5, 5), np.float32))
    >>> y.shape, float(y[2, 1].std().round(2))
    ((4, 3, 5, 5), 1.0)
    """

    takes: ClassVar = {4: "N, C, H, W", 3: "C, H, W"}


class InstanceNorm3d(_InstanceNorm):
    """y = w·(x − m) / √(v + ε) + b, where each channel of each volume has a mean m and a variance v of its own.

    x: (N, num_features, D, H, W) or without N. The parameters are those of `InstanceNorm2d`.

    >>> import numpy as np
    >>> InstanceNorm3d(2)(np.zeros((2, 3, 3, 3), np.float32)).shape
    (2, 3, 3, 3)
    """

    takes: ClassVar = {5: "N, C, D, H, W", 4: "C, D, H, W"}


class LayerNorm(Module):
    """y = w·(x − m) / √(v + ε) + b, where m and v are the mean and the variance over each example's last axes.

    x: (…, *normalized_shape); y has the same shape. w, 1 at first, and b, 0 at first, have the shape
        `normalized_shape`. Nothing depends on the batch, so training and evaluation are alike.

    normalized_shape: the lengths of the last axes, or a single length for one axis.
    eps: ε, which keeps the quotient finite where an example is constant.
    elementwise_affine: whether there are w and b; without them they are None.
    bias: whether there is b beside w.
    dtype: the type of the weights; by default `tg.get_default_dtype()`.

    Raises ValueError, when it is called, for x whose last axes have other lengths.

    Source: Ba, Kiros and Hinton, *Layer normalization* (2016).

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
        self.normalized_shape, self.eps = _lengths(self, normalized_shape, eps), eps
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
    """y = w·x / √(Σ x²/n + ε), where the sum is over each example's last axes: x is scaled, but no mean is subtracted.

    x: (…, *normalized_shape); y has the same shape. w, 1 at first, has the shape `normalized_shape`.

    normalized_shape: the lengths of the last axes, or a single length for one axis.
    eps: ε; by default the distance from 1 to the next number of x's type.
    elementwise_affine: whether there is w; without it, it is None.
    dtype: the type of w; by default `tg.get_default_dtype()`.

    Raises ValueError, when it is called, for x whose last axes have other lengths.

    Source: Zhang and Sennrich, *Root mean square layer normalization* (2019).

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
        self.normalized_shape, self.eps = _lengths(self, normalized_shape, eps), eps
        self.elementwise_affine = elementwise_affine
        self.weight = Parameter(ones(self.normalized_shape, dtype=dtype)) if elementwise_affine else None

    def forward(self, x: ArrayLike) -> Tensor:
        _check_last(self, x)
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


def _lengths(layer: LayerNorm | RMSNorm, given: int | Sequence[int], eps: float | None) -> tuple[int, ...]:
    """`normalized_shape` as a shape. Raises ValueError for one without a positive length, and for an eps below 0."""
    who = type(layer).__name__
    if eps is not None:
        not_negative(f"{who}'s eps", eps)
    shape = shape_of(given)
    if not shape or min(shape) < 1:
        raise ValueError(f"{who}'s normalized_shape is a length from 1 up, or several, but got {given!r:.60}")
    return shape


def _check_last(layer: LayerNorm | RMSNorm, x: ArrayLike) -> None:
    """Raise ValueError, naming the layer, for x whose last axes have other lengths."""
    shape, last = np.shape(x), layer.normalized_shape
    if shape[-len(last) :] != last:
        raise ValueError(f"{layer!r} takes x of shape (…, {', '.join(map(str, last))}), but got {shape}")


class GroupNorm(Module):
    """y = w·(x − m) / √(v + ε) + b, where m and v are the mean and the variance of a group of channels of one example.

    x: (N, num_channels, …); y has the same shape. w, 1 at first, and b, 0 at first: (num_channels,).

    num_groups: into how many groups of equal size the channels fall.
    num_channels: the length of axis 1 of x.
    eps: ε, which keeps the quotient finite where a group is constant.
    affine: whether there are w and b; without them they are None.
    dtype: the type of the weights; by default `tg.get_default_dtype()`.

    Raises ValueError for channels that make no equal groups, and, when it is called, for x of another shape.

    Source: Wu and He, *Group normalization* (2018).

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
        not_negative("GroupNorm's eps", eps)
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

"""Layers that normalize."""

from __future__ import annotations

import operator
from typing import Any

import numpy

from tinygrad_edu.creation import count, ones, zeros
from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.module import Buffer, Module, Parameter

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
        dtype: Any = None,
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

    def forward(self, x: Any) -> Any:
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

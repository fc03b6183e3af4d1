"""Layers that multiply by a matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_edu.creation import count
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn import init
from tinygrad_edu.nn.module import Module, Parameter


class Linear(Module):
    """y = x·W + b, the affine layer.

    x: (…, in_features); y: (…, out_features); weight W: (in_features, out_features), as the formula and the chapters
    write it (PyTorch keeps the transpose); bias b: (out_features,), or None with `bias=False`.
    Both begin uniform in ±1/√in_features, as PyTorch's do, in the default dtype unless `dtype` is given.

    >>> import numpy as np
    >>> layer = Linear(3, 2)
    >>> layer, layer(np.ones((5, 3), np.float32)).shape
    (Linear(3, 2), (5, 2))
    """

    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        generator: np.random.Generator | None = None,
        dtype: Any = None,
    ) -> None:
        self.in_features = count(in_features, "Linear", "in_features")
        self.out_features = count(out_features, "Linear", "out_features")
        if self.in_features < 1 or self.out_features < 1:
            raise ValueError(
                f"Linear needs at least one input and one output, but got {in_features} and {out_features}"
            )
        bound = 1 / math.sqrt(self.in_features)
        shape = self.in_features, self.out_features
        self.weight = Parameter(init.uniform(shape, -bound, bound, generator=generator, dtype=dtype))
        self.bias = (
            Parameter(init.uniform(shape[1:], -bound, bound, generator=generator, dtype=dtype)) if bias else None
        )

    def forward(self, x: Any) -> Any:
        try:
            return F.linear(x, self.weight, self.bias)
        except ValueError:
            raise ValueError(
                f"{self!r} takes x of shape (…, {self.in_features}), but got {np.shape(x)}; nn.Flatten() makes rows of images"
            ) from None

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}" + ("" if self.bias is not None else ", bias=False")

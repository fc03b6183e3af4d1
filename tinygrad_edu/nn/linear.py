"""Layers that multiply by a matrix: Linear, one that learns its width at its first call, and Bilinear."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_edu.creation import count
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn import init
from tinygrad_edu.nn.answers import nothing
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.parameter import Parameter
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike, DType
    from tinygrad_edu.engine.tensor import Tensor


class Linear(Module):
    """y = x·W + b, the affine layer: each output is a weighted sum of all inputs.

    x: (…, in_features); y: (…, out_features). The weight W is (in_features, out_features), as the formula and textbooks
    write it (PyTorch keeps the transpose); b is (out_features,). Both begin uniform in ±1/√in_features, as PyTorch's
    do.

    in_features, out_features: the lengths of the last axes of x and y, at least 1.
    bias: whether b is added; without it, `layer.bias` is None.
    generator: draws the first weights; by default the generator that `tg.manual_seed` sets.
    dtype: the type of the weights; by default `tg.get_default_dtype()`.

    Raises ValueError for fewer than one input or output, and, when it is called, for x of another length.

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
        dtype: DType = None,
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

    def forward(self, x: ArrayLike) -> Tensor:
        if x is None:
            raise nothing(self)
        try:
            return F.linear(x, self.weight, self.bias)
        except ValueError:
            raise self._misfit(array(x).shape) from None

    def _misfit(self, shape: tuple[int, ...]) -> ValueError:
        """The error for x of another shape, with what to write: this layer for such rows, or `Flatten` before it."""
        message = f"{self!r} takes x of shape (…, {self.in_features}), but got {shape}"
        if len(shape) > 2:
            numbers = math.prod(shape[1:])
            message += "; nn.Flatten() before it makes rows of images"
            message += "" if numbers == self.in_features else f", for nn.Linear({numbers}, {self.out_features})"
        elif shape:
            message += f"; nn.Linear({shape[-1]}, {self.out_features}) does"
        return ValueError(message)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}" + ("" if self.bias is not None else ", bias=False")


class Bilinear(Module):
    """yₖ = x₁ᵀ·Wₖ·x₂ + bₖ: each output is a weighted sum of all products of a number of x₁ with one of x₂.

    It is called as `layer(x1, x2)`, with x₁ (…, in1_features) and x₂ (…, in2_features); y: (…, out_features). The
    weight W is (out_features, in1_features, in2_features), b is (out_features,). Both begin uniform in
    ±1/√in1_features.

    in1_features, in2_features, out_features: the lengths of the last axes of x₁, x₂ and y, at least 1.
    bias: whether b is added; without it, `layer.bias` is None.
    generator: draws the first weights; by default the generator that `tg.manual_seed` sets.
    dtype: the type of the weights; by default `tg.get_default_dtype()`.

    Raises ValueError for lengths below 1, and, when it is called, for inputs of other lengths.

    >>> import numpy as np
    >>> layer = Bilinear(3, 4, 2)
    >>> layer(np.ones((5, 3), np.float32), np.ones((5, 4), np.float32)).shape
    (5, 2)
    """

    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        *,
        generator: np.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        self.in1_features = count(in1_features, "Bilinear", "in1_features")
        self.in2_features = count(in2_features, "Bilinear", "in2_features")
        self.out_features = count(out_features, "Bilinear", "out_features")
        shape = self.out_features, self.in1_features, self.in2_features
        if min(shape) < 1:
            raise ValueError(
                f"Bilinear needs at least one of both inputs and one output, but got {shape[1:]} and {shape[0]}"
            )
        bound = 1 / math.sqrt(self.in1_features)
        self.weight = Parameter(init.uniform(shape, -bound, bound, generator=generator, dtype=dtype))
        self.bias = (
            Parameter(init.uniform(shape[:1], -bound, bound, generator=generator, dtype=dtype)) if bias else None
        )

    def forward(self, x1: ArrayLike, x2: ArrayLike) -> Tensor:
        try:
            return F.bilinear(x1, x2, self.weight, self.bias)
        except ValueError:
            raise ValueError(
                f"{self!r} takes x1 of shape (…, {self.in1_features}) and x2 of shape (…, {self.in2_features}), but got "
                f"{np.shape(x1)} and {np.shape(x2)}"  # type: ignore[arg-type]  # NumPy's stubs know lists of lists to a depth
            ) from None

    def extra_repr(self) -> str:
        said = f"{self.in1_features}, {self.in2_features}, {self.out_features}"
        return said + ("" if self.bias is not None else ", bias=False")

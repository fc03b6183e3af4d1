"""Layers that compute nothing: the identity, and other shapes of the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.function import Function
from tinygrad_edu.nn.module import Module

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A
    from tinygrad_edu.engine.signatures import Unary


class Identity(Module):
    """y = x."""

    if TYPE_CHECKING:
        __call__: ClassVar[Unary[[]]]  # type: ignore[assignment]  # on arrays it gives arrays

    def forward(self, x: A) -> A:
        return x


class Flatten(Function):
    """The axes from `start_dim` to `end_dim` made one: images (N, 8, 8) become rows (N, 64)."""

    function = F.flatten
    start_dim: int = 1
    end_dim: int = -1


class Unflatten(Function):
    """One axis made several: rows (N, 64) become images (N, 8, 8) by `Unflatten(1, (8, 8))`. See `functional.unflatten`.

    >>> import numpy as np
    >>> Unflatten(1, (2, -1))(np.zeros((5, 6))).shape
    (5, 2, 3)
    """

    function = F.unflatten
    axis: int
    unflattened_size: Sequence[int]

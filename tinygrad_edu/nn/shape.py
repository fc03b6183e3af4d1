"""Layers that compute nothing: one returns its input, the others give the same numbers another shape."""

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
    """y = x: the layer returns its input. It takes the place of a layer that is left out.

    >>> import numpy as np
    >>> Identity()(np.array([1.0, 2.0])).tolist()
    [1.0, 2.0]
    """

    if TYPE_CHECKING:
        __call__: ClassVar[Unary[[]]]  # type: ignore[assignment]  # on arrays it gives arrays

    def forward(self, x: A) -> A:
        return x


class Flatten(Function):
    """Several axes of x become one: images (N, 8, 8) become rows (N, 64), which a `Linear` layer takes.

    start_dim, end_dim: the first and the last of these axes. By default all but the first axis, that of the examples.

    Raises ValueError, when it is called, where the last comes before the first.

    >>> import numpy as np
    >>> Flatten()(np.zeros((5, 8, 8))).shape
    (5, 64)
    """

    function = F.flatten
    start_dim: int = 1
    end_dim: int = -1


class Unflatten(Function):
    """One axis of x becomes several: rows (N, 64) become images (N, 8, 8) by `Unflatten(1, (8, 8))`.

    axis: the axis that is split.
    unflattened_size: the lengths of the new axes; one of them may be −1, and is then computed from the others.

    Raises ValueError, when it is called, for lengths whose product is not that of the axis.

    >>> import numpy as np
    >>> Unflatten(1, (2, -1))(np.zeros((5, 6))).shape
    (5, 2, 3)
    """

    function = F.unflatten
    axis: int
    unflattened_size: Sequence[int]

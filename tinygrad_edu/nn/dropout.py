"""Layers that leave out parts of their input at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.functional.checks import between_0_and_1, truth
from tinygrad_edu.nn.module import Module

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A
    from tinygrad_edu.engine.signatures import Unary


class Dropout(Module):
    """y = x·mask, where each number of the mask is 0 with probability p, else 1 / (1 − p); in evaluation mode, y = x.

    No unit can then rely on a certain other one, which keeps large networks from learning their training set by heart.

    p: the share of x that is dropped, between 0 and 1.
    inplace: accepted, and changes nothing.
    generator: draws the masks; by default the generator that `tg.manual_seed` sets.

    Raises ValueError for p outside [0, 1].

    Source: Srivastava et al., *Dropout: a simple way to prevent neural networks from overfitting* (2014).

    >>> layer = Dropout(0.5)
    >>> sorted(set(layer(np.ones(100)).tolist())), layer.eval()(np.ones(2)).tolist()
    ([0.0, 2.0], [1.0, 1.0])
    """

    function: ClassVar[Callable[..., Any]] = F.dropout

    def __init__(self, p: float = 0.5, inplace: bool = False, *, generator: np.random.Generator | None = None) -> None:
        between_0_and_1(f"{type(self).__name__}'s p", p)
        truth(f"{type(self).__name__}'s inplace", inplace)
        self.p, self.inplace, self.generator = p, inplace, generator

    if TYPE_CHECKING:
        __call__: ClassVar[Unary[[]]]  # type: ignore[assignment]  # on arrays it gives arrays

    def forward(self, x: A) -> A:
        return type(self).function(x, self.p, self.training, generator=self.generator)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout1d(Dropout):
    """y = x·mask, with one number of the mask for each channel of a sequence: whole channels are dropped.

    x: (N, C, L) or (C, L). The parameters are those of `Dropout`.

    >>> layer = Dropout1d(0.5)
    >>> sorted(set(layer(np.ones((1, 50, 4))).sum(axis=2).ravel().tolist()))
    [0.0, 8.0]
    """

    function = F.dropout1d


class Dropout2d(Dropout):
    """y = x·mask, with one number of the mask for each channel of an image: whole channels are dropped.

    Neighbouring numbers of an image are alike, so one that is dropped alone could still be told from those around it.

    x: (N, C, H, W). The parameters are those of `Dropout`.

    Source: Tompson et al., *Efficient object localization using convolutional networks* (2015).

    >>> layer = Dropout2d(0.5)
    >>> sorted(set(layer(np.ones((1, 50, 2, 2))).sum(axis=(2, 3)).ravel().tolist()))
    [0.0, 8.0]
    """

    function = F.dropout2d


class Dropout3d(Dropout):
    """y = x·mask, with one number of the mask for each channel of a volume: whole channels are dropped.

    x: (N, C, D, H, W) or (C, D, H, W). The parameters are those of `Dropout`.

    >>> layer = Dropout3d(0.5)
    >>> sorted(set(layer(np.ones((1, 50, 1, 2, 2))).sum(axis=(2, 3, 4)).ravel().tolist()))
    [0.0, 8.0]
    """

    function = F.dropout3d

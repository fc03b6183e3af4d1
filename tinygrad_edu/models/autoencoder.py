"""An autoencoder: a network that says again what it read, through a code that is shorter.

Source: Hinton and Salakhutdinov, *Reducing the dimensionality of data with neural networks* (2006).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.nn import Linear, Module, ReLU, Sequential

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor


def layers(widths: Sequence[int], generator: np.random.Generator | None = None) -> Sequential:
    """Affine layers from each width to the next, with a ReLU between two of them.

    >>> [type(layer).__name__ for layer in layers([64, 32, 2])]
    ['Linear', 'ReLU', 'Linear']
    """
    parts: list[Any] = []
    for n, m in itertools.pairwise(widths):
        parts += [Linear(n, m, generator=generator), ReLU()]
    return Sequential(*parts[:-1])


class Autoencoder(Module):
    """y = decoder(encoder(x)), which is to be x: learnt by `F.mse_loss(model(x), x)`, or as logits of pixels from 0 to 1.

    x: (N, inputs); the code: (N, code); y: (N, inputs), unbounded.

    inputs: the numbers of an example.
    code: how many numbers it is said by.
    hidden: widths of the layers before the code; those after it are the same, in reverse.
    generator: what the weights are drawn from.

    With one linear layer on each side the code spans what principal components do.

    >>> net = Autoencoder(64, 2)
    >>> net.encoder(np.ones((5, 64), np.float32)).shape, net(np.ones((5, 64), np.float32)).shape
    ((5, 2), (5, 64))
    """

    def __init__(
        self, inputs: int, code: int, hidden: Sequence[int] = (128,), *, generator: np.random.Generator | None = None
    ) -> None:
        self.encoder = layers([inputs, *hidden, code], generator)
        self.decoder = layers([code, *hidden[::-1], inputs], generator)

    def forward(self, x: ArrayLike) -> Tensor:
        """What the code of x is decoded to."""
        return self.decoder(self.encoder(x))

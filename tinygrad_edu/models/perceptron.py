"""mlp: layers of neurons, each joined with all of the next."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from tinygrad_edu.nn import BatchNorm1d, Dropout, Flatten, Linear, ReLU, Sequential


def mlp(
    *sizes: int, activation: Callable[[], Any] = ReLU, batch_norm: bool = False, dropout: float = 0.0
) -> Sequential:
    """A multilayer perceptron: y = Wₙ·f(… f(W₁·x + b₁) …) + bₙ.

    sizes: the numbers of inputs, of neurons in each hidden layer, and of outputs.
    activation: makes the f after each hidden layer.
    batch_norm: whether a batch normalization stands before each f.
    dropout: the share of neurons that are dropped after each f.

    Images are flattened, so x is (N, …) of as many numbers an example as there are inputs.

    Raises ValueError for fewer than two sizes.

    Source: Rumelhart, Hinton and Williams, *Learning representations by back-propagating errors* (1986).

    >>> import numpy as np
    >>> net = mlp(784, 50, 10)
    >>> net(np.ones((5, 28, 28), np.float32)).shape, sum(p.size for p in net.parameters())
    ((5, 10), 39760)
    """
    if len(sizes) < 2:
        raise ValueError(f"mlp takes the numbers of inputs and outputs, as mlp(784, 50, 10), but got {sizes}")
    net = Sequential(Flatten())
    for k, (inputs, outputs) in enumerate(itertools.pairwise(sizes), 1):
        net.append(Linear(inputs, outputs))
        if k < len(sizes) - 1:
            net.extend([BatchNorm1d(outputs)] * batch_norm)
            net.append(activation())
            net.extend([Dropout(dropout)] * (dropout > 0))
    return net

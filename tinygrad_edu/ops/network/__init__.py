"""The ops of neural networks:

    activations    relu elu silu sigmoid
    gaussian       gelu, by the normal distribution
    piecewise      prelu hardtanh and other straight pieces
    smooth         selu softsign mish
    softmax        softmax softplus logsumexp logaddexp
    losses         cross-entropy of classes and of probabilities
    normalization  batch normalization
    standardizing  the standardizing of layer, group and RMS normalization
    embedding      embedding one_hot
    convolution/   convolution as one trilinear form, by several routes
    pooling        the largest number or the sum of each window
    attention/     scaled dot-product attention, a block at a time
    recurrence/    RNN, LSTM and GRU over time, each with its backward pass through time

A rule of a whole is here where it is stabler or faster than that of its parts.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinygrad_edu.ops.network import activations, embedding, gaussian, softmax

if TYPE_CHECKING:
    from tinygrad_edu.ops.network import (
        attention,
        convolution,
        losses,
        normalization,
        piecewise,
        pooling,
        recurrence,
        smooth,
        standardizing,
    )

__all__ = [
    "activations",
    "attention",
    "convolution",
    "embedding",
    "gaussian",
    "losses",
    "normalization",
    "piecewise",
    "pooling",
    "recurrence",
    "smooth",
    "softmax",
    "standardizing",
]


def __getattr__(name: str) -> Any:
    """Load a page when it is first named: `nn` needs all of them, but a program without layers does not."""
    if name in __all__:
        return import_module(f"tinygrad_edu.ops.network.{name}")
    raise AttributeError(f"module 'tinygrad_edu.ops.network' has no attribute {name!r}")

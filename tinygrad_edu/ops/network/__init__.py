"""The ops of neural networks:

    activations    relu elu silu gelu sigmoid
    piecewise      prelu hardtanh and other straight pieces
    smooth         selu softsign mish
    softmax        softmax softplus logsumexp logaddexp
    losses         cross-entropy of classes and of probabilities
    normalization  batch normalization
    standardizing  the standardizing of layer, group and RMS normalization
    embedding      embedding one_hot
    convolution/   convolution as one trilinear form, by several routes

A rule of a whole is here where it is stabler or faster than that of its parts.
"""

from tinygrad_edu.ops.network import (
    activations,
    convolution,
    embedding,
    losses,
    normalization,
    piecewise,
    smooth,
    softmax,
    standardizing,
)

__all__ = [
    "activations",
    "convolution",
    "embedding",
    "losses",
    "normalization",
    "piecewise",
    "smooth",
    "softmax",
    "standardizing",
]

"""What networks are made of: activations, losses, normalization, convolution."""

from tinygrad_edu.ops.network import convolution

__all__ = ["convolution"]

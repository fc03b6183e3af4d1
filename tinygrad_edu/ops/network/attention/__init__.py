"""Scaled dot-product attention: the operation, what its gradients are, and how both are computed a block at a time."""

from tinygrad_edu.ops.network.attention.products import attention, attention_slopes, attention_weights

__all__ = ["attention", "attention_slopes", "attention_weights"]

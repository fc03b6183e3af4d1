"""Training: the loop, what follows it, how good the result is, and how to keep it."""

from tinygrad_edu.train import metrics

__all__ = ["metrics"]

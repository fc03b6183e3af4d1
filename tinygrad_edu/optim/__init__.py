"""Optimizers: rules of learning, each a pure function and a class that runs it in place."""

from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.sgd import SGD

__all__ = ["SGD", "Optimizer"]

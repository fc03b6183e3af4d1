"""Differentiation, under one name: gradients, transformations of functions, and whether to record.

The pages that they are on: `recording`, `backward`, `transforms`, `checkpoint`, `evaluate`.
"""

from tinygrad_edu.engine.backward import backward, grad
from tinygrad_edu.engine.checkpoint import checkpoint
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.recording import (
    detect_anomaly,
    enable_grad,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
    tracing,
)
from tinygrad_edu.engine.transforms import hessian, hvp, jacobian, jvp, value_and_grad, vjp

__all__ = [
    "backward",
    "checkpoint",
    "detect_anomaly",
    "enable_grad",
    "evaluate",
    "grad",
    "hessian",
    "hvp",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "no_grad",
    "set_grad_enabled",
    "tracing",
    "value_and_grad",
    "vjp",
]

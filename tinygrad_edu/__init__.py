"""tinygrad_edu: an autograd engine on NumPy, to read, to teach and to prototype with."""

from tinygrad_edu import autograd, ops
from tinygrad_edu.autograd import grad, hessian, jacobian, jvp, no_grad, value_and_grad, vjp
from tinygrad_edu.random import manual_seed
from tinygrad_edu.tensor import Tensor

__all__ = [
    "Tensor",
    "autograd",
    "grad",
    "hessian",
    "jacobian",
    "jvp",
    "manual_seed",
    "no_grad",
    "ops",
    "value_and_grad",
    "vjp",
]

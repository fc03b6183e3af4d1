"""Activations as layers: each is the function of the same name in `functional`, with its options kept.

Where PyTorch takes `inplace=`, it is accepted, and changes nothing: each result has memory of its own, as going back
needs the numbers that went in.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tinygrad_edu.creation import count
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.function import Function
from tinygrad_edu.nn.init import constant
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.parameter import Parameter

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike, DType
    from tinygrad_edu.engine.tensor import Tensor

# ---------------------------------------------------------------------------------------------------
# Steps and sigmoids


class Step(Function):
    """y = 1 for x > 0, else 0; `at_zero` at 0. Nothing is learnt through it: its derivative is 0."""

    function = F.step
    at_zero: float = 0.0


class Sigmoid(Function):
    """y = 1 / (1 + e⁻ˣ)."""

    function = F.sigmoid


class LogSigmoid(Function):
    """y = −log(1 + e⁻ˣ), the logarithm of sigmoid, finite where sigmoid is 0."""

    function = F.logsigmoid


class Tanh(Function):
    """y = tanh x."""

    function = F.tanh


class Softsign(Function):
    """y = x / (1 + |x|)."""

    function = F.softsign


class Hardtanh(Function):
    """y = x between `min_val` and `max_val`, and these beyond. `inplace` is accepted, and changes nothing."""

    function = F.hardtanh
    min_val: float = -1.0
    max_val: float = 1.0
    inplace: bool = False


class Hardsigmoid(Function):
    """y = (x + 3)/6, at least 0 and at most 1. `inplace` is accepted, and changes nothing."""

    function = F.hardsigmoid
    inplace: bool = False


# ---------------------------------------------------------------------------------------------------
# Rectifiers


class ReLU(Function):
    """y = max(x, 0). `inplace` is accepted, and changes nothing."""

    function = F.relu
    inplace: bool = False


class ReLU6(Function):
    """y = max(x, 0), at most 6. `inplace` is accepted, and changes nothing."""

    function = F.relu6
    inplace: bool = False


class LeakyReLU(Function):
    """y = x for x > 0, else `negative_slope`·x. `inplace` is accepted, and changes nothing."""

    function = F.leaky_relu
    negative_slope: float = 0.01
    inplace: bool = False


class PReLU(Module):
    """y = x for x > 0, else w·x: a leaky ReLU whose slopes are learnt.

    weight w: (num_parameters,), one for all or one for each channel, from `init` on. x: (N, C, …), or any shape for one.
    Leave it out of weight decay, which would make a ReLU of it. Source: see `F.prelu`.

    >>> import numpy as np
    >>> PReLU()(np.array([-4.0, 2.0], np.float32)).tolist()
    [-1.0, 2.0]
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, dtype: DType = None) -> None:
        self.num_parameters = count(num_parameters, "PReLU", "num_parameters")
        if self.num_parameters < 1:
            raise ValueError(f"PReLU needs at least one slope, but got num_parameters={num_parameters}")
        self.weight = Parameter(constant((self.num_parameters,), init, dtype=dtype))

    def forward(self, x: ArrayLike) -> Tensor:
        return F.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ELU(Function):
    """y = x for x > 0, else α(eˣ − 1). `inplace` is accepted, and changes nothing."""

    function = F.elu
    alpha: float = 1.0
    inplace: bool = False


class SELU(Function):
    """y = λx for x > 0, else λα(eˣ − 1), which keeps mean 0 and variance 1. `inplace` is accepted, and changes nothing."""

    function = F.selu
    inplace: bool = False


class Softplus(Function):
    """y = log(1 + e^βx) / β, a smooth ReLU; x itself where βx > `threshold`. See `functional.softplus`."""

    function = F.softplus
    beta: float = 1.0
    threshold: float = math.inf


# ---------------------------------------------------------------------------------------------------
# Gates: x times what rises from 0 to 1


class GELU(Function):
    """y = x·Φ(x), Φ the normal distribution; or its approximation by tanh."""

    function = F.gelu
    approximate: str = "none"


class SiLU(Function):
    """y = x·σ(x). `inplace` is accepted, and changes nothing."""

    function = F.silu
    inplace: bool = False


class Mish(Function):
    """y = x·tanh(softplus(x)). `inplace` is accepted, and changes nothing."""

    function = F.mish
    inplace: bool = False


class Hardswish(Function):
    """y = x·hardsigmoid(x). `inplace` is accepted, and changes nothing."""

    function = F.hardswish
    inplace: bool = False


class GLU(Function):
    """y = a·σ(b), with the halves a and b of x along an axis."""

    function = F.glu
    axis: int = -1


# ---------------------------------------------------------------------------------------------------
# Probabilities


class Softmax(Function):
    """yᵢ = exp xᵢ / Σⱼ exp xⱼ along an axis. For training, `CrossEntropyLoss` takes the logits themselves."""

    function = F.softmax
    axis: int = -1


class LogSoftmax(Function):
    """yᵢ = xᵢ − log Σⱼ exp xⱼ along an axis."""

    function = F.log_softmax
    axis: int = -1

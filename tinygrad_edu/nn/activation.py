"""Layers without parameters: each is the function of the same name, as a module."""

from __future__ import annotations

from typing import Any

from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.function import Function
from tinygrad_edu.nn.module import Module


class Identity(Module):
    """y = x."""

    def forward(self, x: Any) -> Any:
        return x


class Flatten(Function):
    """The axes from `start_dim` to `end_dim` made one: images (N, 8, 8) become rows (N, 64)."""

    function = F.flatten
    start_dim: int = 1
    end_dim: int = -1


class ReLU(Function):
    """y = max(x, 0)."""

    function = F.relu


class LeakyReLU(Function):
    """y = x for x > 0, else `negative_slope`·x."""

    function = F.leaky_relu
    negative_slope: float = 0.01


class ELU(Function):
    """y = x for x > 0, else α(eˣ − 1)."""

    function = F.elu
    alpha: float = 1.0


class GELU(Function):
    """y = x·Φ(x), Φ the normal distribution; or its approximation by tanh."""

    function = F.gelu
    approximate: str = "none"


class SiLU(Function):
    """y = x·σ(x)."""

    function = F.silu


class Softplus(Function):
    """y = log(1 + eˣ), a smooth ReLU."""

    function = F.softplus


class Sigmoid(Function):
    """y = 1 / (1 + e⁻ˣ)."""

    function = F.sigmoid


class LogSigmoid(Function):
    """y = −log(1 + e⁻ˣ), the logarithm of sigmoid, finite where sigmoid is 0."""

    function = F.logsigmoid


class Tanh(Function):
    """y = tanh x."""

    function = F.tanh


class Softmax(Function):
    """yᵢ = exp xᵢ / Σⱼ exp xⱼ along an axis. For training, `CrossEntropyLoss` takes the logits themselves."""

    function = F.softmax
    axis: int = -1


class LogSoftmax(Function):
    """yᵢ = xᵢ − log Σⱼ exp xⱼ along an axis."""

    function = F.log_softmax
    axis: int = -1

"""Layers without parameters: each is the function of the same name, as a module."""

from __future__ import annotations

from typing import Any

from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.module import Module


class Identity(Module):
    """y = x."""

    def forward(self, x: Any) -> Any:
        """The input itself."""
        return x


class Flatten(Module):
    """The axes from `start_dim` to `end_dim` made one: images (N, 8, 8) become rows (N, 64)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Any:
        """The same numbers in fewer axes."""
        return F.flatten(x, self.start_dim, self.end_dim)


class ReLU(Module):
    """y = max(x, 0)."""

    def forward(self, x: Any) -> Any:
        """The positive part."""
        return F.relu(x)


class LeakyReLU(Module):
    """y = x for x > 0, else `negative_slope`·x."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Any) -> Any:
        """The positive part, and a little of the negative."""
        return F.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        """The arguments that `repr` shows."""
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """y = x for x > 0, else α(eˣ − 1)."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        """The positive part, and an exponential that ends in −α."""
        return F.elu(x, self.alpha)

    def extra_repr(self) -> str:
        """The arguments that `repr` shows."""
        return f"alpha={self.alpha}"


class GELU(Module):
    """y = x·Φ(x), Φ the normal distribution; or its approximation by tanh."""

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Any) -> Any:
        """x times the probability that a normal number is smaller."""
        return F.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        """The arguments that `repr` shows."""
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """y = x·σ(x)."""

    def forward(self, x: Any) -> Any:
        """x times its sigmoid."""
        return F.silu(x)


class Softplus(Module):
    """y = log(1 + eˣ), a smooth ReLU."""

    def forward(self, x: Any) -> Any:
        """Always positive."""
        return F.softplus(x)


class Sigmoid(Module):
    """y = 1 / (1 + e⁻ˣ)."""

    def forward(self, x: Any) -> Any:
        """Between 0 and 1."""
        return F.sigmoid(x)


class LogSigmoid(Module):
    """y = −log(1 + e⁻ˣ), the logarithm of sigmoid, finite where sigmoid is 0."""

    def forward(self, x: Any) -> Any:
        """Always negative."""
        return F.logsigmoid(x)


class Tanh(Module):
    """y = tanh x."""

    def forward(self, x: Any) -> Any:
        """Between −1 and 1."""
        return F.tanh(x)


class Softmax(Module):
    """yᵢ = exp xᵢ / Σⱼ exp xⱼ along an axis. For training, `CrossEntropyLoss` takes the logits themselves."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        """Probabilities."""
        return F.softmax(x, axis=self.axis)

    def extra_repr(self) -> str:
        """The arguments that `repr` shows."""
        return f"axis={self.axis}"


class LogSoftmax(Module):
    """yᵢ = xᵢ − log Σⱼ exp xⱼ along an axis."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        """Log-probabilities."""
        return F.log_softmax(x, axis=self.axis)

    def extra_repr(self) -> str:
        """The arguments that `repr` shows."""
        return f"axis={self.axis}"

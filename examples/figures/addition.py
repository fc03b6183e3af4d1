"""The addition passes back what arrives, unchanged, to each of its inputs.

For z = x + y, both ∂z/∂x and ∂z/∂y are 1. It does not matter what is computed of z afterwards: the node sees only the
∂L/∂z that comes back.
"""

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import nn
from viz import draw


class Rest(nn.Module):
    """Some computation or other, with one number in the end."""

    def forward(self, z):
        """Compute L = tanh²(sin z + 3e⁻ᶻ), which stands for whatever may follow."""
        return np.tanh(np.sin(z) + np.exp(-z) * 3) ** 2


x = tg.Tensor(10.0, requires_grad=True)
y = tg.Tensor(5.0, requires_grad=True)
z = x + y
rest = Rest()
L = rest(z)

figures = {
    "5-9 Addition": draw(z, grad="symbol", loss="L", simplify=False, direction="side-by-side"),
    "5-10 Addition, and some computation after it": draw(
        L, grad="symbol", simplify=False, cloud=rest, annotate={z: "∂L/∂z"}
    ),
    "5-11 Addition: 1.3 comes back": draw(z, gradient=1.3, direction="side-by-side"),
}

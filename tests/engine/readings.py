"""Functions and ops that several readings of the graph are tested on."""

import numpy as np

from tinygrad_edu.engine.checkpoint import checkpoint
from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import op
from tinygrad_edu.ops.network.activations import relu
from tinygrad_edu.ops.network.softmax import softmax


@op(symbol="pair", outputs=2, vjp=(lambda g, y, x: g[0] * np.cos(x) - g[1] * np.sin(x),), examples=[example((2,))])
def sin_and_cos(x):
    """y₀ = sin x, y₁ = cos x."""
    return np.sin(x), np.cos(x)


FUNCTIONS = {
    "square": lambda x: x * x,
    "product of parts": lambda x: x[:2] * x[1:],
    "matrix product": lambda x: np.array([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]]) @ x,
    "softmax": lambda x: softmax(x),
    "relu": lambda x: relu(x) * x,
    "several outputs": lambda x: sin_and_cos(x)[0] * sin_and_cos(x)[1] + x,
    "sum": lambda x: x.sum(),
    "outer": lambda x: x[:, None] * np.exp(x),
    "where": lambda x: np.where(x > 0.5, x**3, x),
    "cumsum": lambda x: np.cumsum(x * x),
    "sort": lambda x: np.sort(x) ** 2,
    "norm": np.linalg.norm,
    "checkpoint": lambda x: checkpoint(lambda t: np.sin(t) * t, x),
    "power": lambda x: x**3,
    "not differentiable in part": lambda x: np.floor(x) * x + np.sign(x),
    "linear": lambda x: 3 * x[::-1],
    "identity": lambda x: x,
    "reshape": lambda x: x.reshape(3, 1),
}


def block(w, b):
    return lambda t: np.tanh(t @ w + b) * relu(t @ w)

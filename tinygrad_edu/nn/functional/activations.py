"""Activations that are made of ops: a step, ReLU6, PReLU by channels, softplus with a sharpness, GLU."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.nn.functional.checks import positive
from tinygrad_edu.ops.network import piecewise, softmax
from tinygrad_edu.ops.network.activations import sigmoid
from tinygrad_edu.ops.network.normalization import beside
from tinygrad_edu.ops.parts import lifted
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A, Array

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def step(x: A, at_zero: float = 0.0) -> A:
    """y = 1 for x > 0, else 0, and `at_zero` at 0: Heaviside's function, by which a perceptron fires or not.

    Its derivative is 0 wherever it has one, so a net of steps learns nothing by gradients.

    >>> step(np.array([-2.0, 0.0, 0.5])).tolist()
    [0.0, 0.0, 1.0]

    Source: Rosenblatt, *The perceptron* (1958).
    """
    return np.heaviside(x, at_zero)


def relu6(x: A, inplace: bool = False) -> A:
    """y = max(x, 0), but at most 6: `hardtanh` between 0 and 6. `inplace` says nothing here.

    >>> relu6(np.array([-1.0, 3.0, 8.0])).tolist()
    [0.0, 3.0, 6.0]

    Source: Krizhevsky, *Convolutional deep belief networks on CIFAR-10* (2010).
    """
    return piecewise.hardtanh(x, 0.0, 6.0)


@lifted
def prelu(x: Array, weight: Array) -> Array:
    """y = x for x > 0, else w·x, with one w for all, (1,), or one for each channel, (C,). x: (N, C, …), or any shape for one w.

    Raises ValueError where there is neither one w nor as many as x has channels.

    >>> prelu(np.array([[-2.0, -2.0]]), np.array([0.5, 0.25])).tolist()
    [[-1.0, -0.5]]

    Source: He et al., *Delving deep into rectifiers* (2015).
    """
    w, shape = array(weight), np.shape(x)
    if w.size == 1:
        return piecewise.prelu(x, np.reshape(w, ()))
    if w.ndim != 1 or len(shape) < 2 or shape[1] != w.shape[0]:
        raise ValueError(
            f"prelu takes one weight, or one for each channel of x, (N, C, …), but got x of shape {shape} and weights of "
            f"shape {w.shape}"
        )
    return piecewise.prelu(x, beside(w, x))


def softplus(x: A, beta: float = 1.0, threshold: float = math.inf) -> A:
    """y = ln(1 + e^βx) / β, a smooth max(x, 0), the sharper the larger β; and y = x where βx is above `threshold`.

    It overflows nowhere, and so needs no threshold: PyTorch's is 20 by default, from where on it is off by 2·10⁻⁹.

    Raises ValueError unless β is positive.

    >>> softplus(np.array([-1e4, 0.0, 1e4])).round(4).tolist()
    [0.0, 0.6931, 10000.0]
    """
    positive("softplus's beta", beta)
    y = softmax.softplus(x) if beta == 1 else softmax.softplus(np.multiply(x, beta)) / beta
    return y if threshold == math.inf else np.where(np.multiply(x, beta) > threshold, x, y)


def glu(x: A, axis: int = -1) -> A:
    """y = a·σ(b), where a and b are the halves of x along an axis: one half is the gate of the other.

    Raises ValueError where the axis has no halves.

    >>> glu(np.array([3.0, 5.0, 0.0, 1e4])).tolist()
    [1.5, 5.0]

    Source: Dauphin et al., *Language modeling with gated convolutional networks* (2017).
    """
    x = array(x)
    if x.ndim == 0 or x.shape[axis] % 2:
        length = f"of length {x.shape[axis]}" if x.ndim else "of which a number has none"
        raise ValueError(f"glu takes the halves of x along axis {axis}, {length}; it must be even")
    a, b = np.split(x, 2, axis=axis)
    return a * sigmoid(b)

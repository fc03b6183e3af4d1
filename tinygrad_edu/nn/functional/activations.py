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
    """y = 1 for x > 0, else 0: Heaviside's function, by which a perceptron fires or does not.

    Its derivative is 0 wherever there is one, so a network of steps learns nothing by gradients.

    x: any shape; y has the same.
    at_zero: the value of y at x = 0.

    Source: Rosenblatt, *The perceptron* (1958).

    >>> step(np.array([-2.0, 0.0, 0.5])).tolist()
    [0.0, 0.0, 1.0]
    """
    return np.heaviside(x, at_zero)


def relu6(x: A, inplace: bool = False) -> A:
    """y = max(x, 0), but at most 6: it is `hardtanh` between 0 and 6.

    x: any shape; y has the same.
    inplace: accepted, and changes nothing.

    Source: Krizhevsky, *Convolutional deep belief networks on CIFAR-10* (2010).

    >>> relu6(np.array([-1.0, 3.0, 8.0])).tolist()
    [0.0, 3.0, 6.0]
    """
    return piecewise.hardtanh(x, 0.0, 6.0)


@lifted
def prelu(x: Array, weight: Array) -> Array:
    """y = x for x > 0, else w·x: a leaky ReLU whose slopes are learnt.

    x: (N, C, …), or any shape where there is one slope.
    weight: w, (1,) for one slope, or (C,) for one slope for each channel.

    Raises ValueError where there are neither one slope nor as many as x has channels.

    Source: He et al., *Delving deep into rectifiers* (2015).

    >>> prelu(np.array([[-2.0, -2.0]]), np.array([0.5, 0.25])).tolist()
    [[-1.0, -0.5]]
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
    """y = ln(1 + e^βx) / β, a smooth max(x, 0).

    x: any shape; y has the same.
    beta: β; the larger it is, the sharper is the bend at 0.
    threshold: y = x where βx is above it. Nothing overflows here, so none is needed; PyTorch's default is 20, from
        where on y is off by 2·10⁻⁹.

    Raises ValueError unless β is positive.

    >>> softplus(np.array([-1e4, 0.0, 1e4])).round(4).tolist()
    [0.0, 0.6931, 10000.0]
    """
    positive("softplus's beta", beta)
    y = softmax.softplus(x) if beta == 1 else softmax.softplus(np.multiply(x, beta)) / beta
    return y if threshold == math.inf else np.where(np.multiply(x, beta) > threshold, x, y)


def glu(x: A, axis: int = -1) -> A:
    """y = a·σ(b), where a and b are the halves of x along an axis: one half says how much of the other passes.

    x: any shape; y has half its length along the axis.
    axis: the axis that is halved; its length must be even.

    Raises ValueError for an axis of odd length, and for a single number.

    Source: Dauphin et al., *Language modeling with gated convolutional networks* (2017).

    >>> glu(np.array([3.0, 5.0, 0.0, 1e4])).tolist()
    [1.5, 5.0]
    """
    x = array(x)
    if x.ndim == 0 or x.shape[axis] % 2:
        length = f"of length {x.shape[axis]}" if x.ndim else "of which a number has none"
        raise ValueError(f"glu takes the halves of x along axis {axis}, {length}; it must be even")
    a, b = np.split(x, 2, axis=axis)
    return a * sigmoid(b)

"""Functions of neural networks, as ops where one rule is stabler or faster than a composition."""

from __future__ import annotations

from typing import Any

import numpy

from tinygrad_edu.op import at, example, nonzero, op
from tinygrad_edu.ops.elementwise import ONE, SHAPES, ZERO, gate

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


@op(
    symbol="ReLU",
    vjp=(lambda g, y, x: gate(g, x),),
    domain=nonzero,
    examples=SHAPES,
    special=[at(0.0, gradient=0.0)],
)
def relu(x: Any) -> Any:
    """y = max(x, 0). Its derivative is 1 for x > 0, else 0.

    >>> relu(numpy.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return np.maximum(x, ZERO[x.dtype] if hasattr(x, "dtype") else 0)


@op(symbol="sigmoid", vjp=(lambda g, y, x: g * y * (1 - y),), analytic=True, examples=SHAPES)
def sigmoid(x: Any) -> Any:
    """y = 1 / (1 + e⁻ˣ).

    >>> sigmoid(numpy.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    x = np.asarray(x)
    with np.errstate(over="ignore"):  # e⁻ˣ = ∞ gives the right limit, 0
        return np.reciprocal(ONE[x.dtype] + np.exp(-x))


def _centred(x: Any, axis: Any) -> Any:
    """x − max x, so that no exponential overflows."""
    return x - np.maximum.reduce(x, axis=axis, keepdims=True) if x.size else x


AXES = (
    example((3,)),
    example((2, 3)),
    example((2, 3), axis=0),
    example((2, 3, 2), axis=(0, -1)),
    example((2, 2), axis=None),
)


@op(
    symbol="softmax",
    vjp=(lambda g, y, x, *, axis: y * (g - np.add.reduce(g * y, axis=axis, keepdims=True)),),
    examples=AXES,
)
def softmax(x: Any, axis: Any = -1) -> Any:
    """yᵢ = exp xᵢ / Σⱼ exp xⱼ: positive, and summing to 1 along `axis`.

    >>> softmax(numpy.array([1e4, 1e4])).tolist()
    [0.5, 0.5]
    """
    e = np.exp(_centred(np.asarray(x), axis))
    return e / np.add.reduce(e, axis=axis, keepdims=True)


@op(
    symbol="log_softmax",
    vjp=(lambda g, y, x, *, axis: g - np.exp(y) * np.add.reduce(g, axis=axis, keepdims=True),),
    examples=AXES,
)
def log_softmax(x: Any, axis: Any = -1) -> Any:
    """yᵢ = xᵢ − log Σⱼ exp xⱼ, the logarithm of softmax, finite where softmax is 0.

    >>> log_softmax(numpy.array([0.0, 1e4])).tolist()
    [-10000.0, 0.0]
    """
    z = _centred(np.asarray(x), axis)
    return z - np.log(np.add.reduce(np.exp(z), axis=axis, keepdims=True))

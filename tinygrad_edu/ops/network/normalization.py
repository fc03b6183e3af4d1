"""Batch normalization: each channel of a batch brought to mean 0 and variance 1, then to a mean and scale that are learnt.

x has the shape (N, C), or (N, C, …): N examples of C channels, each of one number or more. All numbers of a channel,
over the batch and over the axes behind it, are normalized together.

Source: Ioffe and Szegedy, *Batch normalization: accelerating deep network training by reducing internal covariate
shift* (2015), section 3.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinygrad_edu.engine.example import Drawn, example, positive, real
from tinygrad_edu.engine.op import op
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.reductions import channel_sum, expand

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out
    from tinygrad_edu.engine.tensor import Tensor


def beside(v: Any, x: Any) -> Any:
    """Give v, which has one number for each channel, a shape that broadcasts with x."""
    return v if x.ndim == 2 else np.reshape(v, (-1,) + (1,) * (x.ndim - 2))


def each(x: Any) -> int:
    """n, the number of elements that each channel of x has."""
    return x.shape[0] * math.prod(x.shape[2:])


class BatchNormResult(NamedTuple):
    """What `batch_norm` returns: y (as x), and the mean and variance of each channel (C,)."""

    y: Tensor | Any
    mean: Tensor | Any
    var: Tensor | Any


@in_float32
def _by_x(g: Any, y: Any, x: Any, weight: Any, bias: Any, *, eps: float) -> Any:
    """∂L/∂x through the y, whose every number depends on all of its channel, by the mean and the variance."""
    _, mean, var = y
    n = each(x)
    d = x - beside(mean, x)
    scale = weight / np.sqrt(var + eps)
    by_var = scale / (var + eps) * channel_sum(g * d) / n
    by_mean = scale * channel_sum(g) / n
    return g * beside(scale, x) - d * beside(by_var, x) - beside(by_mean, x)


@in_float32
def _mean_by_x(g: Any, y: Any, x: Any, weight: Any, bias: Any, *, eps: float) -> Any:
    """∂L/∂m/n for each x of the channel."""
    return expand(g / each(x), shape=x.shape, axis=(0, *range(2, x.ndim)))


@in_float32
def _var_by_x(g: Any, y: Any, x: Any, weight: Any, bias: Any, *, eps: float) -> Any:
    """2(x − m)·∂L/∂v/n."""
    return (x - beside(y[1], x)) * beside(g * 2 / each(x), x)


@in_float32
def _by_weight(g: Any, y: Any, x: Any, weight: Any, bias: Any, *, eps: float) -> Any:
    """∂L/∂w = Σ ∂L/∂y·z."""
    _, mean, var = y
    return channel_sum(g * (x - beside(mean, x))) / np.sqrt(var + eps)


def _by_bias(g: Any, y: Any, x: Any, weight: Any, bias: Any, *, eps: float) -> Any:
    """∂L/∂b = Σ ∂L/∂y."""
    return channel_sum(g)


@op(
    symbol="batch norm",
    vjp=((_by_x, _mean_by_x, _var_by_x), (_by_weight, None, None), (_by_bias, None, None)),
    outputs=3,
    takes_out=True,
    analytic=True,
    domain=(real, positive, real),
    results=BatchNormResult._make,
    formulas=[
        "∂L/∂x = weight/σ ⊙ (∂L/∂y − Σ ∂L/∂y/n − z ⊙ Σ (∂L/∂y ⊙ z)/n) + (∂L/∂mean + 2(x − mean) ⊙ ∂L/∂var)/n, "
        "z = (x − mean)/σ, σ² = var + ε",
        "∂L/∂weight = Σ ∂L/∂y ⊙ z, z = (x − mean)/σ, σ² = var + ε",
        "∂L/∂bias = Σ ∂L/∂y",
    ],
    examples=[
        example((5, 3), (3,), (3,)),
        example((4, 2, 3), (2,), (2,), eps=0.1),
        example((3, 2, 2, 2), (2,), (2,), 1e-3),
        example(Drawn((2, 1), real), (1,), (1,), eps=1.0),
    ],
)
@in_float32
def batch_norm(x: Array, weight: Tensor | Array, bias: Tensor | Array, eps: float = 1e-5, *, out: Out = None) -> Any:
    """y = w·z + b with z = (x − m) / √(v + ε), and m = Σ x/n and v = Σ (x − m)²/n of each channel. Returns y, m and v.

    weight w and bias b: (C,). In operations, as figures draw it, the same is

        m = x.mean(axis=0);  d = x - m;  v = np.square(d).mean(axis=0);  y = w * d / np.sqrt(v + eps) + b

    Raises ValueError for x of fewer than two axes, and for w and b of other shapes.

    >>> y, mean, var = batch_norm(np.array([[1.0], [3.0]]), np.array([1.0]), np.array([10.0]), eps=0.0)
    >>> y.tolist(), mean.tolist(), var.tolist()
    ([[9.0], [11.0]], [2.0], [1.0])
    """
    if x.ndim < 2 or weight.shape != x.shape[1:2] or bias.shape != x.shape[1:2]:
        raise ValueError(
            f"x is (N, C) or (N, C, …), weight and bias (C,), but got {x.shape}, {weight.shape}, {bias.shape}"
        )
    if out is not None and out[0].dtype != x.dtype:
        for place, result in zip(out, batch_norm.forward(x, weight, bias, eps), strict=True):
            np.copyto(place, result)
        return out
    n = each(x)
    y, mean, var = out or (None, None, None)
    mean = np.divide(channel_sum.forward(x, out=mean), n, out=mean)
    d = np.subtract(x, beside(mean, x), out=y)
    var = np.divide(channel_sum.forward(np.square(d, out=y), out=var), n, out=var)
    scale = weight / np.sqrt(var + eps)
    if out is not None:  # where its square is now
        np.subtract(x, beside(mean, x), out=d)
    place = d if out is not None or scale.dtype == bias.dtype == d.dtype else None
    y = np.multiply(d, beside(scale, x), out=place)
    return np.add(y, beside(bias, x), out=place), mean, var

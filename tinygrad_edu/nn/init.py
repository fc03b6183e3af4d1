"""How weights begin: functions from a shape to an array, nothing else.

    layer.weight.data = init.kaiming_normal(layer.weight.shape)

A weight's fans are n, the inputs that one output sums over, and m, the outputs that one input goes to. A layer that
sums n inputs multiplies their variance by n·Var[w], so a network neither saturates nor dies out when Var[w] is about
1/n (`xavier`), or 2/n after a ReLU, which halves the signal's power (`kaiming`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.creation import get_default_dtype
from tinygrad_edu.engine.elsewhere import answering

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, DType

Shape = tuple[int, ...]


def fans(shape: Shape) -> tuple[int, int]:
    """(n, m), the numbers of inputs and outputs that a weight of this shape connects.

    A matrix is (in, out); a convolution's kernel is (out, in, height, width, …), and connects each input to every
    place of the window.

    >>> fans((784, 50)), fans((16, 3, 5, 5))
    ((784, 50), (75, 400))
    """
    if len(shape) < 2:
        raise ValueError(f"a weight of shape {shape} connects no inputs to outputs; it needs two axes or more")
    if len(shape) == 2:
        return shape
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def _array(draw: Any, dtype: DType) -> Array:
    return np.asarray(draw, dtype=get_default_dtype() if dtype is None else dtype)


def zeros(shape: Shape, *, dtype: DType = None) -> Array:
    """All 0."""
    return constant(shape, 0.0, dtype=dtype)


def constant(shape: Shape, value: float, *, dtype: DType = None) -> Array:
    """All `value`."""
    return _array(np.full(shape, value), dtype)


def uniform(
    shape: Shape,
    low: float = 0.0,
    high: float = 1.0,
    *,
    generator: np.random.Generator | None = None,
    dtype: DType = None,
) -> Array:
    """Uniform in [low, high)."""
    return _array(random.generator(generator).uniform(low, high, shape), dtype)


def normal(
    shape: Shape,
    mean: float = 0.0,
    std: float = 1.0,
    *,
    generator: np.random.Generator | None = None,
    dtype: DType = None,
) -> Array:
    """Normal, with this mean and standard deviation."""
    return _array(random.generator(generator).normal(mean, std, shape), dtype)


def xavier_uniform(
    shape: Shape, gain: float = 1.0, *, generator: np.random.Generator | None = None, dtype: DType = None
) -> Array:
    """Uniform in ±gain·√(6/(n + m)), of standard deviation gain·√(2/(n + m)): for sigmoid and tanh.

    Source: Glorot & Bengio, *Understanding the difficulty of training deep feedforward neural networks*, 2010.
    """
    n, m = fans(shape)
    bound = gain * math.sqrt(6 / (n + m))
    return uniform(shape, -bound, bound, generator=generator, dtype=dtype)


def xavier_normal(
    shape: Shape, gain: float = 1.0, *, generator: np.random.Generator | None = None, dtype: DType = None
) -> Array:
    """Normal, of standard deviation gain·√(2/(n + m)), which is √(1/n) where n = m: for sigmoid and tanh."""
    n, m = fans(shape)
    return normal(shape, 0.0, gain * math.sqrt(2 / (n + m)), generator=generator, dtype=dtype)


def kaiming_uniform(
    shape: Shape, gain: float = math.sqrt(2), *, generator: np.random.Generator | None = None, dtype: DType = None
) -> Array:
    """Uniform in ±gain·√(3/n), of standard deviation gain·√(1/n): He's, for ReLU with the gain √2.

    Source: He et al., *Delving deep into rectifiers*, 2015.
    """
    bound = gain * math.sqrt(3 / fans(shape)[0])
    return uniform(shape, -bound, bound, generator=generator, dtype=dtype)


def kaiming_normal(
    shape: Shape, gain: float = math.sqrt(2), *, generator: np.random.Generator | None = None, dtype: DType = None
) -> Array:
    """Normal, of standard deviation gain·√(1/n): He's, √(2/n) for ReLU with the gain √2.

    >>> w = kaiming_normal((1000, 50), generator=np.random.default_rng(0))
    >>> round(float(w.std() / np.sqrt(2 / 1000)), 2)
    1.0
    """
    return normal(shape, 0.0, gain / math.sqrt(fans(shape)[0]), generator=generator, dtype=dtype)


if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.nn.init",
        [
            "zeros",
            "constant",
            "uniform",
            "normal",
            "xavier_uniform",
            "xavier_normal",
            "kaiming_uniform",
            "kaiming_normal",
        ],
        {
            "ones": "write constant(shape, 1.0)",
            "ones_": "write w.data = nn.init.constant(w.shape, 1.0)",
            "constant_": "write w.data = nn.init.constant(w.shape, value)",
            "zeros_": "write w.data = nn.init.zeros(w.shape)",
            "uniform_": "write w.data = nn.init.uniform(w.shape, low, high)",
            "normal_ trunc_normal_": "write w.data = nn.init.normal(w.shape, mean, std)",
            "xavier_uniform_": "write w.data = nn.init.xavier_uniform(w.shape)",
            "xavier_normal_": "write w.data = nn.init.xavier_normal(w.shape)",
            "kaiming_uniform_": "write w.data = nn.init.kaiming_uniform(w.shape)",
            "kaiming_normal_": "write w.data = nn.init.kaiming_normal(w.shape)",
            "orthogonal_": "write w.data = np.linalg.qr(nn.init.normal(w.shape))[0]",
            "calculate_gain": "write gain=1.0 for sigmoid, 5/3 for tanh, math.sqrt(2) for ReLU",
        },
    )

"""Smooth activations beside sigmoid, tanh and softplus: SELU, softsign, Mish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import at, nonzero
from tinygrad_edu.engine.op import op
from tinygrad_edu.ops.network.activations import elu, sigmoid
from tinygrad_edu.ops.network.softmax import softplus
from tinygrad_edu.ops.parts import SHAPES
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.types import floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out

_ALPHA, _SCALE = 1.6732632423543772, 1.0507009873554805
"""The α and λ of SELU, by which a layer of normal inputs of mean 0 and variance 1 has outputs of the same."""


@op(
    symbol="SELU",
    vjp=(lambda g, y, x: np.where(x > 0, g * _SCALE, g * (y + _SCALE * _ALPHA)),),
    presence="elementwise",
    ignores=("inplace",),
    formulas=["∂L/∂x = ∂L/∂y ⊙ where(x > 0, λ, y + λ·α), λ = 1.0507…, α = 1.6733…"],
    takes_out=True,
    domain=nonzero,
    examples=SHAPES,
    special=[at(0.0, gradient=_SCALE * _ALPHA)],
)
def selu(x: Array, *, out: Out = None) -> Array:
    """y = λx for x > 0, else λα(eˣ − 1), with λ = 1.0507… and α = 1.6733….

    With these numbers, and with weights of variance 1/n (`nn.init.lecun_normal`), the outputs of each layer keep mean 0
    and variance 1.

    >>> selu(np.array([-1e4, 2.0])).round(4).tolist()
    [-1.7581, 2.1014]

    Source: Klambauer et al., *Self-normalizing neural networks* (2017).
    """
    return np.multiply(elu.forward(x, _ALPHA, out=out), _SCALE, out=out)


@op(
    symbol="softsign",
    vjp=(lambda g, y, x: g / np.square(1 + np.absolute(x)),),
    presence="elementwise",
    takes_out=True,
    domain=nonzero,
    examples=SHAPES,
    special=[at(0.0, gradient=1.0)],
)
def softsign(x: Array, *, out: Out = None, scratch: Out = None) -> Array:
    """y = x / (1 + |x|), which rises from −1 to 1, more slowly than tanh.

    >>> softsign(np.array([-3.0, 0.0, 1.0])).tolist()
    [-0.75, 0.0, 0.5]

    Source: Bergstra et al., *Quadratic polynomials learn better image features* (2009).
    """
    x = floating(x)
    largest = np.finfo(x.dtype).max  # ∞ / ∞ is taken as the limit that it stands for
    below = np.minimum(np.add(np.absolute(x, out=scratch), 1, out=scratch), largest, out=scratch)
    return np.divide(np.clip(x, -largest, largest, out=out), below, out=out)


_LEVEL = 20
"""From here on tanh(softplus(x)) is 1 in every type, and e²ˣ still a float32."""


@in_float32
def _mish_rule(g: Any, y: Any, x: Any) -> Any:
    """∂L/∂x = ∂L/∂y·(t + x·(1 − t²)·σ(x)): with d = n + 2, of `mish`, (1 − t²)·σ(x) is 4·(n − eˣ)/d²."""
    level = np.minimum(x, _LEVEL)
    e = np.exp(level)
    n = e * (e + 2)
    d = n + 2
    return g * (((n - e) / d * level * 4 + n) / d)


def _mish_formula(g: Any, y: Any, x: Any) -> Any:
    """∂L/∂y·(t + x·(1 − t²)·σ(x)), with t = tanh softplus x, as it is printed."""
    t = np.tanh(softplus(x))
    return g * (t + x * (1 - t * t) * sigmoid(x))


@op(
    symbol="Mish",
    vjp=(_mish_rule,),
    presence="elementwise",
    ignores=("inplace",),
    takes_out=True,
    formulas=[_mish_formula],
    examples=SHAPES,
)
@in_float32
def mish(x: Array, *, out: Out = None, scratch: Out = None) -> Array:
    """y = x·tanh(softplus(x)): x times a gate that opens as x grows, as in `silu`.

    With n = eˣ·(eˣ + 2), tanh(log(1 + eˣ)) = n / (n + 2): one exponential, and nothing is lost where x is far below 0.

    >>> mish(np.array([-1e4, 0.0, 1e4])).tolist()
    [-0.0, 0.0, 10000.0]

    Source: Misra, *Mish: a self regularized non-monotonic activation function* (2019).
    """
    x = floating(x)
    e = np.minimum(x, _LEVEL, out=out)
    e = np.exp(e, out=e if isinstance(e, np.ndarray) else None)
    d = np.add(e, 2, out=scratch)
    n = np.multiply(e, d, out=out)
    y = np.divide(n, np.add(n, 2, out=scratch), out=out)
    return np.multiply(x, y, out=out)

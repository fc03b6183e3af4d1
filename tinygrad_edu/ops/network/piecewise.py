"""Activations made of a few straight or bent pieces. Where a piece is level, no gradient comes back.

At a corner the slope is PyTorch's: it is 0 at the bounds of `hardtanh` and `hardsigmoid`. `inplace=` is accepted, and
changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tinygrad_edu.engine.example import Drawn, at, away_from, example, nonzero, real
from tinygrad_edu.engine.op import op
from tinygrad_edu.ops.parts import PAIRS, SHAPES, gate
from tinygrad_edu.ops.types import floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out


@op(
    symbol="PReLU",
    vjp=(lambda g, y, x, weight: np.where(x > 0, g, g * weight), lambda g, y, x, weight: gate(g * x, x <= 0)),
    presence=("elementwise", "selects"),
    broadcasts=True,
    takes_out=True,
    domain=(nonzero, real),
    examples=PAIRS,
    special=[at(0.0, 0.25, gradient=(0.25, 0.0))],
)
def prelu(x: Array, weight: Array, *, out: Out = None, scratch: Out = None) -> Array:
    """y = x for x > 0, else w·x: a leaky ReLU whose slope is learnt. x and w are broadcast together.

    >>> prelu(np.array([-2.0, 3.0]), np.array([0.25])).tolist()
    [-0.5, 3.0]

    Source: He et al., *Delving deep into rectifiers* (2015).
    """
    x = floating(x)
    below = np.multiply(np.minimum(x, 0, out=scratch), weight, out=scratch)
    return np.add(np.maximum(x, 0, out=out), below, out=out)


def _tanh_symbol(min_val: float, max_val: float) -> str:
    return "ReLU6" if (min_val, max_val) == (0, 6) else "hard tanh"


@op(
    symbol=_tanh_symbol,
    vjp=(lambda g, y, x, *, min_val, max_val: gate(g, (y > min_val) & (y < max_val)),),
    presence="rectifies",
    ignores=("inplace",),
    formulas=[lambda g, y, x, *, min_val, max_val: gate(g, (x > min_val) & (x < max_val))],
    takes_out=True,
    domain=away_from(-1.0, 1.0, 0.0, 6.0, -2.0, 0.5, by=0.1),
    examples=[*SHAPES, example((4,), 0.0, 6.0), example((2, 3), min_val=-2.0, max_val=0.5)],
    special=[
        at(-1.0, gradient=0.0, min_val=-1.0, max_val=1.0),
        at(1.0, gradient=0.0, min_val=-1.0, max_val=1.0),
        at(6.0, gradient=0.0, min_val=0.0, max_val=6.0),
    ],
)
def hardtanh(x: Array, min_val: float = -1.0, max_val: float = 1.0, *, out: Out = None) -> Array:
    """y = x between two bounds; below the lower one y is `min_val`, above the upper one `max_val`.

    x: any shape; y has the same.
    min_val, max_val: the bounds.

    >>> hardtanh(np.array([-2.0, 0.3, 2.0])).tolist()
    [-1.0, 0.3, 1.0]

    Raises ValueError for a lower bound above the upper one.

    Source: Collobert, *Large scale machine learning* (2004).
    """
    if not min_val <= max_val:
        raise ValueError(f"hardtanh() goes from min_val up to max_val, but got {min_val} and {max_val}")
    return np.clip(floating(x), min_val, max_val, out=out)


@op(
    symbol="hard σ",
    vjp=(lambda g, y, x: gate(g / 6, (y > 0) & (y < 1)),),
    presence="rectifies",
    ignores=("inplace",),
    formulas=[lambda g, y, x: gate(g / 6, (x > -3) & (x < 3))],
    takes_out=True,
    domain=away_from(-3.0, 3.0),
    examples=[*SHAPES, example((8,))],
    special=[at(-3.0, gradient=0.0), at(3.0, gradient=0.0)],
)
def hardsigmoid(x: Array, *, out: Out = None) -> Array:
    """y = (x + 3) / 6, but at least 0 and at most 1: a sigmoid that is made of three straight lines.

    >>> hardsigmoid(np.array([-4.0, 0.0, 4.0])).tolist()
    [0.0, 0.5, 1.0]

    Source: Courbariaux, Bengio and David, *BinaryConnect* (2015), with the slope of PyTorch.
    """
    y = np.clip(np.add(floating(x), 3, out=out), 0, 6, out=out)
    return np.divide(y, 6, out=out)


@op(
    symbol="hard swish",
    vjp=(lambda g, y, x: gate(np.where(x < 3, g * (x / 3 + 0.5), g), x > -3),),
    presence="rectifies",
    ignores=("inplace",),
    takes_out=True,
    domain=away_from(-3.0, 3.0, -1.5),
    examples=[*SHAPES, example(Drawn((3,), lambda rng, shape: rng.uniform(-6.0, 6.0, shape)))],
    special=[at(-3.0, gradient=0.0), at(3.0, gradient=1.0)],
)
def hardswish(x: Array, *, out: Out = None) -> Array:
    """y = x·hardsigmoid(x): it is 0 up to −3, x from 3 on, and x·(x + 3)/6 between.

    >>> hardswish(np.array([-4.0, 1.0, 4.0])).round(4).tolist()
    [-0.0, 0.6667, 4.0]

    Source: Howard et al., *Searching for MobileNetV3* (2019).
    """
    return np.multiply(x, hardsigmoid.forward(x, out=out), out=out)

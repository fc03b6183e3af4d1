"""Standardizing: numbers of one example brought to mean 0 and variance 1, or to mean square 1, without a batch.

Layer normalization standardizes all features of an example together, group normalization those of a group of its
channels, RMS normalization without taking the mean away. Which axes hang together is all that tells them apart; the
scale and shift that are learnt are a product and a sum, and recorded as such.

Sources: Ba, Kiros and Hinton, *Layer normalization* (2016); Wu and He, *Group normalization* (2018); Zhang and
Sennrich, *Root mean square layer normalization* (2019).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.graph import add_up
from tinygrad_edu.engine.op import op
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.types import floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _mean(x: Any, axis: tuple[int, ...]) -> Any:
    """The mean over the axes, which stay, of length 1."""
    n = max(math.prod([x.shape[a] for a in axis]), 1)
    return np.sum(x, axis=axis, keepdims=True) / n


def _mean_product(a: Any, b: Any, axis: tuple[int, ...]) -> Any:
    """The mean of a·b over the axes; over the last alone without an array of all the products."""
    if axis in ((-1,), (a.ndim - 1,)):
        return np.vecdot(a, b)[..., None] / max(a.shape[-1], 1)
    return _mean(a * b, axis)


@in_float32
def _by_value(g: Any, y: Any, x: Any, *, axis: tuple[int, ...], eps: float, centered: bool) -> Any:
    """∂L/∂x through every y that x is part of, by the mean and the variance.

    Written so that NumPy goes on in the memory of z·c: of large arrays the time goes to memory that is new.
    """
    z, r, _ = y
    c = -_mean_product(g, z, axis)
    return (z * c + g - _mean(g, axis)) * r if centered else (z * c + g) * r


@in_float32
def _by_scale(g: Any, y: Any, x: Any, *, axis: tuple[int, ...], eps: float, centered: bool) -> Any:
    """∂L/∂x through r = (v + ε)^−½ alone: ∂r/∂x = −r²·z/n."""
    z, r, _ = y
    n = math.prod([x.shape[a] for a in axis])
    return -g * r * r * z / n


def _together(present: Any, i: int, x: Any, *, axis: tuple[int, ...], **_: Any) -> Any:
    """Elements of x are present if any result is that is standardized along the same axes, for it depends on them."""
    z, r, _ = present
    return np.any(z, axis=axis, keepdims=True) | r


def _settings(
    x: Array, axis: int | tuple[int, ...] = -1, eps: float = 1e-5, centered: bool = True
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    axes = axis if isinstance(axis, tuple) else (axis,)
    return (x,), {"axis": axes, "eps": eps, "centered": centered}


@op(
    symbol=lambda axis, eps, centered: "standardize" if centered else "RMS norm",
    vjp=((_by_value, _by_scale, None),),
    outputs=1,
    takes_out=True,
    bind=_settings,
    presence=_together,
    formulas=["∂L/∂x = (∂L/∂y − mean(∂L/∂y) − y ⊙ mean(∂L/∂y ⊙ y))/σ, σ² = var(x) + ε"],
    examples=[
        example((4, 3)),
        example((5,), eps=0.1),
        example((4, 3), centered=False),
        example((2, 3, 2), axis=(1, 2)),
        example((2, 3, 2), axis=(-1, -2), eps=1e-3, centered=False),
        example((2, 3), axis=0),
        example((2, 1), eps=1.0),
    ],
)
@in_float32
def standardize(x: Array, axis: tuple[int, ...], eps: float, centered: bool, *, out: Out = None) -> Any:
    """y = (x − m) / √(v + ε), with m = Σ x/n and v = Σ (x − m)²/n over the n numbers along `axis`.

    axis: one axis or several, the last if none is given. centered=False leaves m = 0: y = x / √(Σ x²/n + ε).

    >>> y = standardize(np.array([[1.0, 3.0], [10.0, 30.0]]), eps=0.0)
    >>> y.tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]

    Kept for the rule: (v + ε)^−½; and m, whose place is needed on the way.
    """
    x, n = floating(x), max(math.prod([x.shape[a] for a in axis]), 1)
    y, r, m = out or (None, None, None)
    d = x
    if centered:
        m = np.divide(add_up(x, axis, m, True), n, out=m)
        d = y = np.subtract(x, m, out=y)
    if axis in ((-1,), (x.ndim - 1,)):  # without an array of the squares
        total = np.vecdot(d, d, out=None if r is None else r[..., 0])[..., None]
    else:  # the squares take the place of the differences, which are then computed anew
        total = add_up(np.square(d, out=y), axis, r, True)
        d = np.subtract(x, m, out=y) if centered else x
    r = np.divide(total, n, out=r)
    r = np.reciprocal(np.sqrt(np.add(r, eps, out=r), out=r), out=r)
    if not centered:
        m = np.empty_like(r) if m is None else m
        m.fill(0)
    return np.multiply(d, r, out=y), r, m

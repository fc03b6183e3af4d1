"""Where values are equal, the gradient takes a limit.

Let q be what is divided by the gap d = wⱼ − wᵢ. If the function
does not depend on the basis, q is 0 wherever d is, so that q = d·h. Move the values apart, in a direction in which d
changes by c. Then h is given by Taylor's series of q about the place where d is 0:

    q/d = q′/c − d/(2c²)·q″ + d²/(6c³)·q‴ − …

Its first term is the limit; each further one, though 0 in value, makes it right for one more derivative.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.derived import along
from tinygrad_edu.engine.evaluate import recompute
from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.node import Results
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.engine.recording import RECORDING, watched

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array


def rounding_of(values: Any, size: int) -> Any:
    """How far from each other rounding may put equal ones among the sorted `values` of a matrix with a side of `size`."""
    largest = np.maximum(np.abs(values[..., :1]), np.abs(values[..., -1:]))
    return (32 + size) * float(np.finfo(values.dtype).eps) * largest


def close(values: Any, size: int) -> bool:
    """Whether any two neighbours among these arrays of sorted `values` are equal."""
    return bool((np.abs(values[..., 1:] - values[..., :-1]) <= rounding_of(values, size)).any())


def gaps_of(values: Any) -> Any:
    """valuesⱼ − valuesᵢ, but 1 where i = j."""
    return values[..., None, :] - values[..., :, None] + np.eye(values.shape[-1], dtype=values.dtype)


def spaces_of(values: np.ndarray, size: int) -> np.ndarray:
    """Return a mask (…, n, n) of the pairs of sorted `values` that are equal, and so have one space of vectors."""
    steps = np.abs(values - np.concatenate([values[..., :1], values[..., :-1]], axis=-1))
    group = np.cumsum(~(steps <= rounding_of(values, size)), axis=-1)
    return group[..., :, None] == group[..., None, :]


def _cut_off_rule(g: Any, y: Any, x: Any, where: Any, *, orders: int) -> Any:
    """0, which itself is known for one derivative fewer; NaN at last."""
    return g * (cut_off(x, where, orders=orders - 1) if orders else np.where(where, math.nan, np.zeros_like(x)))


@op(
    symbol="0",
    vjp=(_cut_off_rule, None),
    formulas=["∂L/∂x = 0"],
    examples=[example((2, 3), np.eye(2, 3) > 0, orders=3)],
)
def cut_off(x: Array, where: Array, *, orders: int) -> Array:
    """y = 0, of the shape of x: what is left out of a series in x that is cut off, near x = 0.

    So many derivatives as `orders` are 0; the further ones, which the series does not give, are NaN in the places `where`.

    >>> cut_off(np.ones(2), np.array([True, False]), orders=1)
    array([0., 0.])
    """
    return np.zeros_like(x)


def quotients(
    tops: Sequence[Any],
    numerators: Any,
    g: Sequence[Any],
    y: Any,
    divisors: Sequence[tuple[Any, Any, Any]],
    move: Sequence[Any],
    other: Any,
) -> list[Any]:
    """Each of tops = numerators(g, y) by its divisor; where that is 0, their limit, or NaN where there is none.

    g: the gradients by the vectors. y: the results. divisors: for each numerator (d, c, zero): the divisor, how fast it
    changes as the results move along `move`, and where it is 0. other: arrays of the results to results with another
    basis of each space; where a numerator is not 0 for these, the function depends on the basis.
    """
    node: Any = y[0].inputs[0] if hasattr(y[0], "inputs") else None
    orders = min((RECORDING.get().limits or {}).get(node, 0), 2)  # each further term costs ten times as much
    if not orders:
        return [q / np.where(zero, math.nan, d) for q, (d, _, zero) in zip(tops, divisors, strict=True)]
    turned = Results([part.astype(of.dtype) for part, of in zip(other(numbers(y)), y, strict=True)])
    changed = recompute(g, node, turned)
    noise = 1000 * (10 + max(changed[0].shape[-2:])) * float(np.finfo(changed[0].dtype).eps)
    noise *= sum(np.max(np.abs(part), axis=(-2, -1), keepdims=True, initial=0) for part in changed)
    results = []
    for q, again, (d, c, zero) in zip(tops, numerators(changed, turned), divisors, strict=True):
        exists = np.logical_and(zero, np.abs(again) <= noise)
        quotient = q / np.where(exists, 1, np.where(zero, math.nan, d))
        here = numbers(exists)
        if here.any():
            series: Any = 0
            derivative, nothing = q, d - numbers(d)
            power, terms = 1 / c, 0
            while terms < orders:
                derivative = along(derivative, node, move, orders - terms)
                unclear = np.isnan(numbers(derivative)[here]).any()  # q is itself made of a series that was cut off
                if terms and unclear:
                    break
                terms += 1
                series = series + derivative * power
                power = power * -nothing / (c * (terms + 1))
                if unclear:
                    break
            series = series + cut_off(np.broadcast_to(nothing, q.shape), exists, orders=terms - 1)
            quotient = np.where(exists, series, quotient)
        results.append(quotient)
    return results


@watched
def jumps(g: Sequence[Any], y: Any, null: Any) -> Any:
    """Whether the function jumps as the singular value that is 0 (`null`) changes its sign: for each matrix, (…, 1, 1);
    None where none is 0.

    The vector of U alone changes its sign then, and so may the gradient by it, but nothing else.
    """
    if not hasattr(y[0], "inputs") or not numbers(null).any():
        return None
    u, s, vh = numbers(y)
    sign = np.where(numbers(null), -1, 1).astype(u.dtype)[..., None, :]
    gu, gvh = recompute(g, y[0].inputs[0], Results([u * sign, s, vh]))
    before_u, before_vh = numbers(g)
    change = [gu * sign - before_u, gvh - before_vh]
    size = 1000 * (10 + max(u.shape[-2], vh.shape[-1])) * float(np.finfo(u.dtype).eps)
    largest = sum(np.max(np.abs(part), axis=(-2, -1), keepdims=True, initial=0) for part in (before_u, before_vh))
    return sum(np.max(np.abs(part), axis=(-2, -1), keepdims=True, initial=0) for part in change) > size * largest


def turning_of(same: Any, rng: np.random.Generator) -> Any:
    """An orthogonal matrix that takes the vectors of equal values to others of their space: in each, a reflection."""
    z = rng.standard_normal(same.shape[-1])
    parts = same * z[:, None] * z / (same @ z**2)[..., :, None]
    return np.eye(len(z)) - np.where(np.sum(same, axis=-1, keepdims=True) > 1, 2 * parts, 0)


def reflected(vectors: Any, null: Any, rng: np.random.Generator) -> Any:
    """The vectors with those of the singular values 0 (`null`) changed for others beside all the rest: by a reflection."""
    rest = np.where(null[..., None, :], 0, vectors)
    z = rng.standard_normal((*vectors.shape[:-1], 1))
    z = np.where(null.any(axis=-1)[..., None, None], z - rest @ (rest.mT @ z), 0)
    square = np.sum(z * z, axis=-2, keepdims=True)
    return vectors - z * (2 / np.where(square == 0, 1, square)) @ (z.mT @ vectors)


def put_together(values: Any, same: Any) -> Any:
    """Each of the values replaced by the mean of those equal to it."""
    return (same @ values[..., None])[..., 0] / np.sum(same, axis=-1)

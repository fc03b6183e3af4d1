"""Gradients of a product y = B(a, b, …), linear in each input, where some elements are absent.

An element of such a gradient is a sum over present and absent elements. Where it is NaN only because of what is absent,
it is computed again without that. See `engine/presence.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_edu.engine.node import Node
from tinygrad_edu.engine.op import Op
from tinygrad_edu.engine.presence import Mask, any_nan, met, of_shape, product_of_present, summed, whole_mask
from tinygrad_edu.engine.registry import ANSWERS
from tinygrad_edu.engine.rules import Positions
from tinygrad_edu.ops.parts import gate


def _of_present(
    total: Any, g: Any, part: Any, *xs: Any, op: Op, position: int, options: tuple[Any, ...], out: Any = None
) -> Any:
    """∂L/∂xᵢ of a product, where it is NaN by nothing but what is absent: the same of the x that are finite."""
    y = total
    if any_nan((total,)):
        rule, settings = op.rules[position], dict(options)
        finite = [np.isfinite(x) for x in xs]
        y = summed(
            rule(g, g, *[np.where(known, x, 0) for x, known in zip(xs, finite, strict=True)], **settings), total.shape
        )
        for k, known in enumerate(finite):
            if k != position and not known.all():
                others = [~known if j == k else np.ones(x.shape, bool) for j, x in enumerate(xs)]
                y = np.where(summed(rule(part, part, *others, **settings), total.shape) != 0, total, y)
    if out is None:
        return y
    np.copyto(out, y)
    return out


def _by_factor(
    j: int, v: Any, y: Any, total: Any, g: Any, part: Any, *xs: Any, op: Op, position: int, options: tuple[Any, ...]
) -> Any:
    """⟨v, ∂L/∂xᵢ⟩ = ⟨g, B(x with v for xᵢ)⟩, differentiated by g and by the other x."""
    if j == position + 3:
        return np.zeros_like(v)
    xs, settings = (*xs[:position], v, *xs[position + 1 :]), dict(options)
    if j == 1:
        return gate(op.apply(xs, settings), part)
    return product_of_present(op.rules[j - 3](g, g, *xs, **settings), g, part, xs, op, j - 3, options)


def _factor_present(
    present: Any, j: int, total: Any, g: Any, part: Any, *xs: Any, op: Op, position: int, options: tuple[Any, ...]
) -> Mask:
    """Return the mask of an input's present elements: in g as in the result, in a factor x where one meets them."""
    if j == 1:
        return part
    if j == position + 3:
        return whole_mask(xs[position].shape, False, part if isinstance(part, Node) else None)
    return of_shape(met(part, op.rules[j - 3], xs, dict(options)), xs[j - 3].shape)


ANSWERS["of_present"] = Op(
    _of_present,
    name="of_present",
    vjp=Positions(_by_factor, without=(0,)),  # the derivative goes by way of the factors, not of the total
    bind=lambda *inputs, **settings: (inputs, settings),
    presence=_factor_present,
    drops=True,
    takes_out=True,
)

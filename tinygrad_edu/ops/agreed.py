"""Slopes agreed on where there is none, and what may be differentiated of them.

√Σx² has no derivative at 0; that it is 0 there is agreed, so that `backward()` goes on. What was agreed has no
derivative itself: differentiated again it is NaN, never a number that means nothing. But ‖x‖² is smooth, with the
Hessian 2·I at 0. Its gradient arrives at the norm y as 2·y, and the norm's rule divides it by y again; `quotient`
finds the factor y in the record of a gradient, and leaves it out instead.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.engine.example import Fixed, at, example
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.registry import OPS
from tinygrad_edu.engine.tensor import Tensor, new_leaf

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


@op(
    symbol="agreed",
    vjp=(lambda g, y, x, where: np.where(where, math.nan, g), None),
    presence="elementwise",
    formulas=[lambda g, y, x, where: g],
    broadcasts=True,
    takes_out=True,
    examples=[
        example((3,), Fixed(np.zeros(3, bool))),
        example((2, 3), Fixed(np.zeros(3, bool))),
        example((), Fixed(np.array(False))),
    ],
    special=[at(2.0, 1.0, gradient=(math.nan, None)), at(2.0, 0.0, gradient=(1.0, None))],
)
def agreed(x: Array, where: Array, *, out: Out = None) -> Array:
    """y = x, and 0 where it is agreed to be: there it has no derivative, which is NaN.

    >>> agreed(numpy.array([numpy.inf, 2.0]), numpy.array([True, False]))
    array([0., 2.])
    """
    if out is None:
        return np.where(where, 0, x)
    np.copyto(out, x)
    np.copyto(out, 0, where=where if where.dtype.kind == "b" else where != 0)
    return out


def over(a: Any, y: Any) -> Any:
    """a/y, agreed to be 0 where y = 0."""
    zero = y == 0
    return (agreed.forward if isinstance(zero, np.generic) else agreed)(a / y, zero)  # a number is computed at once


def times_over(g: Any, a: Any, y: Any) -> Any:
    """g·a/y, where y is what the rule is of, and g arrives at it: 0 where y = 0, or the limit if g is a multiple of y."""
    k = quotient(g, y)
    return g * over(a, y) if k is None else k * a


# ---------------------------------------------------------------------------------------------------
# The factor y in the record of g
#
# A part of the record is a multiple of y if it is k·(y, moved): found are k, recorded, and the place in y from which
# each of its elements has its factor.

Multiple = tuple[Any, Any]

_NOWHERE = -1

MOST_NODES_SEARCHED = 1000
"""So many nodes are looked at in search of the factor."""


def quotient(g: Any, y: Any) -> Any:
    """k with g = k·y, elementwise, if g is recorded as a product in which y is a factor; else None.

    Products, quotients, powers, sums of multiples, and what moves elements are seen through, and ‖x‖ that was computed
    twice is one factor; arrays and symbols are not recorded, and so are no products.
    """
    if not (isinstance(g, Tensor) and isinstance(y, Tensor) and g.needs_grad):
        return None
    while y.op is OPS["astype"]:
        (y,) = y.inputs
    order = [g]
    seen = {g}
    for node in order:  # the list grows as it is read
        for x in [x for i in _carriers(node) for x in node.inputs[i : i + 1]]:
            if x not in seen and (x.made_at > y.made_at or _alike(x, y)):
                seen.add(x)
                order.append(x)
        if len(order) > MOST_NODES_SEARCHED:
            return None
    places = np.arange(y.size).reshape(y.shape)
    found: dict[Any, Multiple] = {x: (new_leaf(np.ones_like(y.ndarray)), places) for x in order if _alike(x, y)}
    if not found:
        return None
    order.sort(key=operator.attrgetter("made_at"))
    for node in order:
        if node not in found and any(x in found for x in node.inputs):
            multiple = _CARRIERS[node.op.name][1](node, found)
            if multiple is not None:
                k, at = multiple
                found[node] = (k, np.broadcast_to(at, node.shape))
    k, at = found.get(g, (None, None))
    return k if np.array_equal(at, places) else None


def _alike(x: Any, y: Any) -> bool:
    """Whether x is y, or computed as it was."""
    if x is y or x.op is not y.op or len(x.inputs) != len(y.inputs) or not x.inputs:
        return x is y
    return all(a is b for a, b in zip(x.inputs, y.inputs, strict=True)) and x.settings == y.settings


def _carriers(node: Any) -> tuple[int, ...]:
    """Which inputs may hand the factor on to the node."""
    known = node.op is not None and OPS.get(node.op.name) is node.op
    return _CARRIERS.get(node.op.name, ((), None))[0] if known else ()


def _multiplied(node: Any, found: dict[Any, Multiple]) -> Multiple | None:
    a, b = node.inputs
    if a not in found:
        a, b = b, a
    k, at = found[a]
    return node.op(k, b), at


def _divided(node: Any, found: dict[Any, Multiple]) -> Multiple | None:
    a, b = node.inputs
    if a not in found:
        return None
    k, at = found[a]
    return node.op(k, b), at


def _added(node: Any, found: dict[Any, Multiple]) -> Multiple | None:
    a, b = node.inputs
    if a not in found or b not in found:
        return None
    (k, at), (more, there) = found[a], found[b]
    at, there = np.where(at == _NOWHERE, there, at), np.where(there == _NOWHERE, at, there)
    return (node.op(k, more), at) if np.array_equal(at, there) else None


def _powered(node: Any, found: dict[Any, Multiple]) -> Multiple | None:
    """xⁿ = (k·xⁿ⁻¹)·y for x = k·y and n ≥ 1."""
    (x,) = node.inputs
    n = node.settings.get("exponent", 2)
    if isinstance(n, complex) or n < 1:
        return None
    k, at = found[x]
    return (k if n == 1 else k * (x if n == 2 else x ** (n - 1))), at


def _same(node: Any, found: dict[Any, Multiple]) -> Multiple | None:
    """−x, x in another type, and x where a mask lets it through."""
    x, *others = node.inputs
    if x not in found:
        return None
    k, at = found[x]
    return node.op.apply((k, *others), node.settings), at


def _moved(node: Any, found: dict[Any, Multiple]) -> Multiple | None:
    x = node.inputs[0]
    k, at = found[x]
    indices = node.inputs[1:]
    at = node.op.forward(at, *[a.ndarray for a in indices], **node.settings)
    return node.op.apply((np.broadcast_to(k, x.shape), *indices), node.settings), at


def _scattered(node: Any, found: dict[Any, Multiple]) -> Multiple | None:
    """Elements put in their places among zeros, which are multiples of any factor."""
    x, *arrays = node.inputs
    k, at = found[x]
    indices = [a.ndarray for a in arrays]
    if (node.op.forward(np.ones(x.shape, int), *indices, **node.settings) > 1).any():
        return None
    at = node.op.forward(at - _NOWHERE, *indices, **node.settings) + _NOWHERE
    return node.op.apply((np.broadcast_to(k, x.shape), *arrays), node.settings), at


def _summed(node: Any, found: dict[Any, Multiple]) -> Multiple | None:
    """A sum of elements that have one factor: along axes over which y was expanded."""
    x = node.inputs[0]
    k, at = found[x]
    axes = {"axis": (0, *range(2, x.ndim)), "keepdims": False, **node.settings}
    least, largest = (f(at, **axes) for f in (np.min, np.max)) if at.size else (at, None)
    if not np.array_equal(least, largest):
        return None
    return node.op.apply((np.broadcast_to(k, x.shape),), node.settings), least


_CARRIERS: dict[str, tuple[tuple[int, ...], Callable[[Any, dict[Any, Multiple]], Multiple | None]]] = {
    "multiply": ((0, 1), _multiplied),
    "divide": ((0,), _divided),
    "add": ((0, 1), _added),
    "subtract": ((0, 1), _added),
    "square": ((0,), _powered),
    "constant_power": ((0,), _powered),
    **dict.fromkeys(["negative", "positive", "copy", "gate", "astype"], ((0,), _same)),
    **dict.fromkeys(["sum", "channel_sum"], ((0,), _summed)),
    **dict.fromkeys(
        ["reshape", "expand_dims", "squeeze", "transpose", "matrix_transpose", "swapaxes", "moveaxis", "flip", "roll",
         "broadcast_to", "expand", "getitem"], ((0,), _moved),
    ),
    "scatter": ((0,), _scattered),
}  # fmt: skip
"""Of the ops that hand a factor on: from which inputs, and how."""

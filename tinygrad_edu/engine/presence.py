"""Which elements are present: what a selection dropped sends back nothing.

`np.where(x > 0, 2 * x, np.sqrt(-1 - x))` sends its second branch the cotangent 0 where x > 0. The rule of the root
makes 0·∞ of it, or 0·NaN, which is NaN; but nothing that the branch holds there has any influence. So an element is
*absent* if every path to it from the output passes a place that a selection dropped. What is absent contributes
nothing. What is present counts whatever it holds: in √x² at x = 0 the zero is a slope, and 0·∞ stays NaN.

Each op declares how presence passes it (`Op(presence=…)`); a mask for each node is followed beside its cotangent. In a
recorded walk the masks are computed by recorded ops, so they follow the values when the record is run again.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import unbroadcast
from tinygrad_edu.engine.node import Node
from tinygrad_edu.engine.recording import watched
from tinygrad_edu.engine.registry import ANSWERS

Mask = Any  # an array or a tensor of booleans, of the shape of the node; None where all is present

_IN_PLACE = {"linear", "elementwise", "moves", "selects", "rectifies"}

_NONE = object()  # in place of a mask, for one of several results that was not used


class Presence:
    """A mask for each node that a walk has reached: which of its elements are present."""

    def __init__(self, totals: Mapping[Node, Any], recorded: bool) -> None:
        """Take everything for present in the nodes that have totals now: of an op with several results, in those that were used.

        recorded: whether the walk is, so that the masks are nodes too.
        """
        self._masks: dict[Any, Any] = {
            x: [_NONE if g is None else None for g in total] if isinstance(total, list) else None
            for x, total in totals.items()
        }
        self._like = next(iter(totals), None) if recorded else None
        self._rectified: set[Any] = set()  # of these nothing was dropped but by rectifiers

    def of(self, node: Any) -> Any:
        """What is present of a node whose uses have all contributed; of several results, a tuple for each."""
        mask = self._masks.pop(node, None)
        if not isinstance(mask, list):
            return mask
        if not node.op.drops and all(part is None or part is _NONE for part in mask):
            return None
        return tuple(
            [
                whole_mask(data.shape, part is None, self._like) if part is None or part is _NONE else part
                for part, data in zip(mask, node.ndarray, strict=True)
            ]
        )

    def passed(self, contribution: Any, node: Any, i: int, rule: Any, part: Any, given: Any) -> Any:
        """The contribution of what is present of the node's result; and note what it makes present of input i.

        given: what the rule was given: the cotangent, the result, and the inputs.
        """
        g, y, *xs = given
        op, x, settings = node.op, node.inputs[i], node.settings
        kind = op.presence[i] if isinstance(op.presence, tuple) else op.presence
        mask = part
        rectified = kind == "rectifies" if part is None else node in self._rectified and kind != "selects"
        if part is None or (self._like is not None and rectified and kind not in _IN_PLACE):
            mask = None
            if kind in ("selects", "rectifies"):
                mask = held(rule(whole_mask(node.shape, True, self._like), y, *xs, **settings))
            elif op.drops and callable(kind):
                mask = kind(part, i, *xs, **settings)
        elif kind in ("selects", "rectifies", "moves"):
            mask = held(rule(part, y, *xs, **settings))
        elif kind == "product":
            contribution = product_of_present(contribution, g, part, xs, op, i, tuple(settings.items()))
            mask = met(part, rule, xs, settings)
        elif kind != "linear":
            if callable(kind):
                mask = kind(part, i, *xs, **settings)
            elif kind == "ends":
                mask = _anything(part)
            contribution = ANSWERS["gate"](contribution, mask)
        if rectified and (x in self._rectified or self._masks.get(x) is None):
            self._rectified.add(x)
        elif mask is not None:
            self._rectified.discard(x)
        if op.selects:
            self._note_result(x, settings["index"], mask)
        elif x.op is not None:
            known = self._masks.get(x, _NONE)
            mask = None if mask is None or known is None else of_shape(mask, x.shape)
            self._masks[x] = mask if mask is None or known is _NONE else np.logical_or(known, mask)
        return contribution

    def _note_result(self, x: Any, index: int, mask: Mask) -> None:
        masks = self._masks.setdefault(x, [_NONE] * len(x.ndarray))
        known = masks[index]
        masks[index] = mask if known is _NONE else None if mask is None or known is None else np.logical_or(known, mask)


@watched
def whole_mask(shape: tuple[int, ...], present: bool, like: Node | None) -> Mask:
    """A mask of all that there is, or of nothing: an array, or beside the node `like` a leaf, which no one writes."""
    mask = np.full(shape, present)
    return mask if like is None else like.constant(mask)


def held(indicator: Any) -> Mask:
    """Turn the result of a selection's rule that ran on a mask into a mask: True where it is not 0."""
    return indicator if indicator.dtype == bool else indicator != 0


def _anything(part: Any) -> Mask:
    """Whether anything of the result, or of several results, is present."""
    parts = part if isinstance(part, tuple) else (part,)
    return functools.reduce(np.logical_or, [np.reshape(np.any(one, keepdims=True), ()) for one in parts])


def of_shape(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """The mask of a result as that of an input that was broadcast to it, or of which it is one part."""
    if mask.shape == shape:
        return mask
    common = np.broadcast_shapes(mask.shape, shape)
    mask = mask if mask.shape == common else np.broadcast_to(mask, common)
    return mask if common == shape else unbroadcast(mask, shape) != 0


def met(part: Any, rule: Any, xs: Any, settings: Any) -> Mask:
    """Return the mask of the elements that the product's rule multiplies by something present in `part`."""
    like = part if isinstance(part, Node) else None
    return held(rule(part, part, *[whole_mask(x.shape, True, like) for x in xs], **settings))


def summed(contribution: Any, shape: tuple[int, ...]) -> Any:
    """The contribution, summed over the axes along which the input was broadcast from this shape."""
    return contribution if contribution.shape == shape else unbroadcast(contribution, shape)


def product_of_present(
    total: Any, g: Any, part: Any, xs: Sequence[Any], op: Any, position: int, options: tuple[Any, ...]
) -> Any:
    """The gradient `total` of one input of a product, in which only what is present of `g` counts.

    An element of it is a sum over present and absent ones, so an op of its own computes it: see `ops/presence.py`.
    """
    total = summed(total, xs[position].shape)
    return ANSWERS["of_present"](total, g, part, *xs, op=op, position=position, options=options)


def any_nan(arrays: Iterable[Any]) -> bool:
    """Whether one of these arrays of real numbers holds a NaN: Σ x² is NaN then, and only then, and soon computed.

    In the place of an array there may be a list of them, with None for those that are not there.
    """
    for x in arrays:
        if x.__class__ is list:
            if any_nan([part for part in x if part is not None]):
                return True
        else:
            flat = x if x.ndim == 1 else x.ravel()
            square = flat.dot(flat)
            if square != square:
                return True
    return False

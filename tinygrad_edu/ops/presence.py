"""Which elements are present: what a selection dropped sends back nothing.

`np.where(x > 0, 2 * x, np.sqrt(-1 - x))` sends its second branch the cotangent 0 where x > 0. The rule of the root
makes 0·∞ of it, or 0·NaN, which is NaN; but nothing that the branch holds there has any influence. So an element is
*absent* if every path to it from the output passes a place that a selection dropped. What is absent contributes
nothing. What is present counts whatever it holds: in √x² at x = 0 the zero is a slope, and 0·∞ stays NaN.

Each op declares how presence passes it (`Op(presence=…)`); a mask for each node is followed beside its cotangent. In a
recorded walk the masks are computed by recorded ops, so they follow the values when the record is run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy

from tinygrad_edu.engine import graph
from tinygrad_edu.engine.op import Op
from tinygrad_edu.engine.recording import watched
from tinygrad_edu.engine.tensor import Tensor, new_leaf
from tinygrad_edu.ops.parts import gate

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

Mask = Any  # an array or a tensor of booleans, of the shape of the node; None where all is present

_IN_PLACE = {"linear", "elementwise", "moves", "selects", "rectifies"}

_NONE = object()  # of several results, one that nothing was made of


class Presence:
    """What is present of the nodes that a walk has reached."""

    def __init__(self, totals: Mapping[Any, Any], recorded: bool) -> None:
        """Of the nodes that have totals now, all is present (of several results, of those that have one)."""
        self._masks: dict[Any, Any] = {
            x: [_NONE if g is None else None for g in total] if isinstance(total, list) else None
            for x, total in totals.items()
        }
        self._recorded = recorded
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
                whole_mask(data.shape, part is None, self._recorded) if part is None or part is _NONE else part
                for part, data in zip(mask, node.ndarray, strict=True)
            ]
        )

    def passed(self, contribution: Any, node: Any, i: int, rule: Any, part: Any, g: Any, y: Any, xs: Any) -> Any:
        """The contribution of what is present of the node's result; and note what it makes present of input i."""
        op, x, settings = node.op, node.inputs[i], node.settings
        kind = op.presence[i] if isinstance(op.presence, tuple) else op.presence
        mask = part
        rectified = kind == "rectifies" if part is None else node in self._rectified and kind != "selects"
        if part is None or (self._recorded and rectified and kind not in _IN_PLACE):
            mask = None
            if kind in ("selects", "rectifies"):
                mask = _held(rule(whole_mask(node.shape, True, self._recorded), y, *xs, **settings))
            elif op.drops and callable(kind):
                mask = kind(part, i, *xs, **settings)
        elif kind in ("selects", "rectifies", "moves"):
            mask = _held(rule(part, y, *xs, **settings))
        elif kind == "product":
            contribution = _product_of_present(contribution, g, part, tuple(xs), op, i, tuple(settings.items()))
            mask = _met(part, rule, xs, settings)
        elif kind != "linear":
            if callable(kind):
                mask = kind(part, i, *xs, **settings)
            elif kind == "ends":
                mask = _anything(part)
            contribution = gate(contribution, mask)
        if rectified and (x in self._rectified or self._masks.get(x) is None):
            self._rectified.add(x)
        elif mask is not None:
            self._rectified.discard(x)
        if op.selects:
            self._note_result(x, settings["index"], mask)
        elif x.op is not None:
            known = self._masks.get(x, _NONE)
            mask = None if mask is None or known is None else _of_shape(mask, x.shape)
            self._masks[x] = mask if mask is None or known is _NONE else np.logical_or(known, mask)
        return contribution

    def _note_result(self, x: Any, index: int, mask: Mask) -> None:
        masks = self._masks.setdefault(x, [_NONE] * len(x.ndarray))
        known = masks[index]
        masks[index] = mask if known is _NONE else None if mask is None or known is None else np.logical_or(known, mask)


@watched
def whole_mask(shape: tuple[int, ...], present: bool, recorded: bool) -> Mask:
    """A mask of all that there is, or of nothing; in a walk that is recorded, a leaf, which no one writes."""
    mask = np.full(shape, present)
    return new_leaf(mask) if recorded else mask


def _held(indicator: Any) -> Mask:
    """Where a rule left something of a mask that it was given."""
    return indicator if indicator.dtype == bool else indicator != 0


def _anything(part: Any) -> Mask:
    """Whether anything of the result, or of several results, is present."""
    parts = part if isinstance(part, tuple) else (part,)
    return np.reshape(np.any(np.concatenate([np.ravel(one) for one in parts]), keepdims=True), ())


def _of_shape(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """The mask of a result as that of an input that was broadcast to it, or of which it is one part."""
    if mask.shape == shape:
        return mask
    common = np.broadcast_shapes(mask.shape, shape)
    mask = mask if mask.shape == common else np.broadcast_to(mask, common)
    return mask if common == shape else graph.unbroadcast(mask, shape) != 0


# ---------------------------------------------------------------------------------------------------
# Products: y = B(a, b, …), linear in each. An element of a gradient is a sum over present and absent ones


def _summed(contribution: Any, shape: tuple[int, ...]) -> Any:
    """The contribution with what broadcasting did to the input undone."""
    return contribution if contribution.shape == shape else graph.unbroadcast(contribution, shape)


def _met(part: Any, rule: Any, xs: Any, settings: Any) -> Mask:
    """Which elements a product brings together with something present."""
    recorded = isinstance(part, Tensor)
    return _held(rule(part, part, *[whole_mask(x.shape, True, recorded) for x in xs], **settings))


def _of_present(
    total: Any, g: Any, part: Any, *xs: Any, op: Op, position: int, options: tuple[Any, ...], out: Any = None
) -> Any:
    """∂L/∂xᵢ of a product, where it is NaN by nothing but what is absent: the same of the x that are finite."""
    y = total
    if graph.any_nan((total,)):
        rule, settings = op.rules[position], dict(options)
        finite = [np.isfinite(x) for x in xs]
        y = _summed(
            rule(g, g, *[np.where(known, x, 0) for x, known in zip(xs, finite, strict=True)], **settings), total.shape
        )
        for k, known in enumerate(finite):
            if k != position and not known.all():
                others = [~known if j == k else np.ones(x.shape, bool) for j, x in enumerate(xs)]
                y = np.where(_summed(rule(part, part, *others, **settings), total.shape) != 0, total, y)
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
    return _product_of_present(op.rules[j - 3](g, g, *xs, **settings), g, part, xs, op, j - 3, options)


def _factor_present(
    present: Any, j: int, total: Any, g: Any, part: Any, *xs: Any, op: Op, position: int, options: tuple[Any, ...]
) -> Mask:
    """Of g what is present of it; of the other x what meets that."""
    if j == 1:
        return part
    if j == position + 3:
        return whole_mask(xs[position].shape, False, isinstance(part, Tensor))
    return _of_shape(_met(part, op.rules[j - 3], xs, dict(options)), xs[j - 3].shape)


class _FromFactors:
    """The rules of all inputs but the first, the total: the derivative goes by way of what it is a product of."""

    def __getitem__(self, j: int) -> Any:
        return partial(_by_factor, j) if j else None


_product = Op(
    _of_present,
    name="of_present",
    vjp=_by_factor,
    bind=lambda *inputs, **settings: (inputs, settings),
    presence=_factor_present,
    takes_out=True,
)
_product.rules, _product.drops = _FromFactors(), True


def _product_of_present(
    total: Any, g: Any, part: Any, xs: tuple[Any, ...], op: Op, position: int, options: tuple[Any, ...]
) -> Any:
    total = _summed(total, xs[position].shape)
    settings: dict[str, Any] = {"op": op, "position": position, "options": options}
    return (_product if isinstance(total, Tensor) else _of_present)(total, g, part, *xs, **settings)


graph.Presence = Presence

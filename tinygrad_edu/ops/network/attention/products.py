"""Scaled dot-product attention, and its gradients by queries, keys and values.

    y = softmax(scale·q kᵀ + mask)·v

Each query is compared with all keys, and gets the mean of the values, weighed by how well their keys fit.

Source: Vaswani et al., *Attention is all you need* (2017), section 3.2.1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import Fixed, example
from tinygrad_edu.engine.graph import unbroadcast
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.rules import Joint
from tinygrad_edu.ops.network.attention import blocks
from tinygrad_edu.ops.network.softmax import softmax
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.types import floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out


# ---------------------------------------------------------------------------------------------------
# In whole matrices, as what is differentiated again is written


def attention_weights(q: Any, k: Any, mask: Any, scale: float, causal: bool) -> Any:
    """softmax(scale·q kᵀ + mask), (…, L, S), as ops on the whole of it: 0 for a query that may look at nothing."""
    scores = np.matmul(q, k.mT) * scale + mask
    if not scores.size:
        return scores
    if not causal and not np.ndim(mask):
        return softmax(scores, axis=-1)
    if causal:
        scores = scores + np.triu(np.full(scores.shape[-2:], -math.inf, scores.dtype), 1)
    blind = np.max(scores, axis=-1, keepdims=True) == -math.inf
    return np.where(blind, 0.0, softmax(np.where(blind, 0.0, scores), axis=-1))


def _through_softmax(g: Any, p: Any) -> Any:
    """The gradient of the scores, from the gradient g of the weights p = softmax(scores)."""
    return p * (g - np.sum(g * p, axis=-1, keepdims=True))


def _by_mask(g: Any, y: Any, q: Any, k: Any, v: Any, mask: Any, kept: Any, *, scale: float, causal: bool) -> Any:
    """The gradient of the mask, which is that of the scores, because the mask is added to them."""
    s = _through_softmax(np.matmul(g, v.mT) * kept, attention_weights(q, k, mask, scale, causal))
    return unbroadcast(s, mask.shape)


def _by_kept(g: Any, y: Any, q: Any, k: Any, v: Any, mask: Any, kept: Any, *, scale: float, causal: bool) -> Any:
    """The gradient of the mask of dropout: that of the dropped weights, times the weights."""
    return unbroadcast(np.matmul(g, v.mT) * attention_weights(q, k, mask, scale, causal), kept.shape)


def _once_more(cotangents: Any, y: Any, g: Any, q: Any, k: Any, v: Any, mask: Any, kept: Any, *, scale: float, causal: bool) -> Any:  # fmt: skip
    """∂L/∂g, ∂L/∂q, ∂L/∂k, ∂L/∂v, ∂L/∂mask and ∂L/∂kept, where a, b, c come to the three slopes.

    With the weights p, r = (g vᵀ) ⊙ kept and s = p ⊙ (r − Σ r ⊙ p), the slopes are scale·s k, scale·sᵀ q and (p ⊙ kept)ᵀ g.
    """
    a, b, c = cotangents
    p = attention_weights(q, k, mask, scale, causal)
    to_p = np.matmul(g, v.mT)
    r = to_p * kept
    total = np.sum(r * p, axis=-1, keepdims=True)
    s = p * (r - total)
    by_s = (np.matmul(a, k.mT) + np.matmul(q, b.mT)) * scale
    by_r = _through_softmax(by_s, p)
    crossed = np.matmul(g, c.mT)  # what comes to p ⊙ kept from the third
    by_p = by_s * (r - total) - np.sum(by_s * p, axis=-1, keepdims=True) * r + crossed * kept
    by_scores = _through_softmax(by_p, p)
    weighed = by_r * kept
    return (
        np.matmul(weighed, v) + np.matmul(p * kept, c),
        (np.matmul(by_scores, k) + np.matmul(s, b)) * scale,
        (np.matmul(by_scores.mT, q) + np.matmul(s.mT, a)) * scale,
        np.matmul(weighed.mT, g),
        unbroadcast(by_scores, mask.shape),
        unbroadcast(by_r * to_p + crossed * p, kept.shape),
    )


# ---------------------------------------------------------------------------------------------------
# The two operations


def _settings(
    q: Array, k: Array, v: Array, mask: Any = 0.0, kept: Any = 1.0, *, scale: float | None = None, causal: bool = False
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    scale = 1 / math.sqrt(max(np.shape(q)[-1], 1)) if scale is None else float(scale)
    return (q, k, v, mask, kept), {"scale": scale, "causal": causal}


def _bind_slopes(
    g: Array, q: Array, k: Array, v: Array, mask: Any = 0.0, kept: Any = 1.0, *, scale: float | None = None, causal: bool = False
) -> tuple[tuple[Any, ...], dict[str, Any]]:  # fmt: skip
    inputs, settings = _settings(q, k, v, mask, kept, scale=scale, causal=causal)
    return (g, *inputs), settings


def _check(q: Any, k: Any, v: Any) -> None:
    """Raise ValueError for queries, keys and values that do not fit one another."""
    fits = q.ndim == k.ndim == v.ndim >= 2 and q.shape[:-2] == k.shape[:-2] == v.shape[:-2]
    if not fits or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ValueError(
            f"attention takes queries (…, L, E), keys (…, S, E) and values (…, S, V), but got {q.shape}, {k.shape} and {v.shape}"
        )


def _together(*arrays: Any) -> list[Any]:
    """The arrays as floating numbers of one type, with an axis of examples at least, the masks as they broadcast."""
    given = [floating(x) for x in arrays]
    dtype = np.result_type(*[x for x in given if x.ndim])
    return [np.asarray(x, dtype) for x in given]


def _spread(x: Any, shape: tuple[int, ...]) -> Any:
    """A mask that broadcasts with the weights, in their shape; one number stays one."""
    return x if not x.ndim else np.broadcast_to(x, shape)


def _stacked(arrays: list[Any], several: bool) -> list[Any]:
    """Arrays with an axis in front, if there is none but places and widths; single numbers stay single."""
    return arrays if several else [x[None] if x.ndim else x for x in arrays]


def _empty(like: Any, width: int, dtype: Any) -> Any:
    """An array that lies in memory as the queries do: beside each other where those of all heads are."""
    return np.empty_like(like, dtype, shape=(*like.shape[:-1], width), subok=False)


_PLAIN = ((2, 3, 4), (2, 5, 4), (2, 5, 3))
_EXAMPLES = [
    example(*_PLAIN),
    example((3, 2), (4, 2), (4, 3), scale=0.7),
    example((4, 2), (4, 2), (4, 2), causal=True),
    example((2, 2, 3, 2), (2, 2, 3, 2), (2, 2, 3, 2), (3, 3), (2, 2, 3, 3)),
    example(*_PLAIN, Fixed(np.where(np.arange(5) < 3, 0.0, -30.0)), 1.0),
    example(*_PLAIN, (2, 1, 5), (3, 5), causal=True),
]


_SLOPES = Joint(lambda g, y, *inputs, **how: attention_slopes(g, *inputs, **how), 3, _by_mask, _by_kept)  # type: ignore[has-type]  # it follows


@op(
    symbol="attention",
    vjp=_SLOPES,
    bind=_settings,
    takes_out=True,
    formulas=[
        "∂L/∂q = scale·s k, p = softmax(scale·q kᵀ + mask), r = (∂L/∂y vᵀ) ⊙ kept, s = p ⊙ (r − Σ₁ r ⊙ p)",
        "∂L/∂k = scale·sᵀ q, p = softmax(scale·q kᵀ + mask), r = (∂L/∂y vᵀ) ⊙ kept, s = p ⊙ (r − Σ₁ r ⊙ p)",
        "∂L/∂v = (p ⊙ kept)ᵀ ∂L/∂y, p = softmax(scale·q kᵀ + mask)",
        "∂L/∂mask = p ⊙ (r − Σ₁ r ⊙ p), p = softmax(scale·q kᵀ + mask), r = (∂L/∂y vᵀ) ⊙ kept",
        "∂L/∂kept = (∂L/∂y vᵀ) ⊙ softmax(scale·q kᵀ + mask)",
    ],
    examples=_EXAMPLES,
)
@in_float32
def attention(q: Array, k: Any, v: Any, mask: Any, kept: Any, *, scale: float, causal: bool, out: Out = None) -> Array:
    """y = (softmax(scale·q kᵀ + mask) ⊙ kept)·v, where softmax is over the keys.

    q: queries (…, L, E), k: keys (…, S, E), v: values (…, S, V); y: (…, L, V). mask: added to the scores, broadcast with
    (…, L, S), −∞ where a query may not look. kept: what the weights are multiplied by, as dropout does. causal: a query
    may look at keys up to its own place. scale: 1/√E if none is given. A query that may look at nothing gets 0.

    Weights exist a block at a time, and are made again for the gradients. `nn.functional.scaled_dot_product_attention`
    takes masks of truths too.

    >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> attention(x * 100, x, np.array([[1.0], [2.0]])).tolist()
    [[1.0], [2.0]]
    """
    _check(q, k, v)
    q, k, v, mask, kept = _together(q, k, v, mask, kept)
    shape = (*q.shape[:-1], k.shape[-2])
    y = _empty(q, v.shape[-1], q.dtype) if out is None or out.dtype != q.dtype else out
    if not y.size or not k.shape[-2]:  # but queries and keys of no width are all alike
        y[...] = 0
    else:
        several = q.ndim > 2
        arrays = [q, k, v, _spread(mask, shape), _spread(kept, shape)]
        blocks.forward(*_stacked([*arrays, y], several), scale=scale, causal=causal)
    if out is None or y is out:
        return y
    np.copyto(out, y)
    return out


@op(
    symbol="attention′",
    vjp=Joint(_once_more, 6),
    bind=_bind_slopes,
    outputs=3,
    takes_out=True,
    formulas=[
        "∂L/∂g = (w ⊙ kept) v + (p ⊙ kept) ∂L/∂y₂, w = p ⊙ (t − Σ₁ t ⊙ p), t = scale·(∂L/∂y₀ kᵀ + q (∂L/∂y₁)ᵀ)",
        "∂L/∂q = scale·(u k + s ∂L/∂y₁), where u comes to the scores",
        "∂L/∂k = scale·(uᵀ q + sᵀ ∂L/∂y₀), where u comes to the scores",
        "∂L/∂v = (w ⊙ kept)ᵀ g, w = p ⊙ (t − Σ₁ t ⊙ p), t = scale·(∂L/∂y₀ kᵀ + q (∂L/∂y₁)ᵀ)",
        "∂L/∂mask = p ⊙ (z − Σ₁ z ⊙ p), where z comes to the weights p",
        "∂L/∂kept = w ⊙ (g vᵀ) + (g (∂L/∂y₂)ᵀ) ⊙ p, w = p ⊙ (t − Σ₁ t ⊙ p), t = scale·(∂L/∂y₀ kᵀ + q (∂L/∂y₁)ᵀ)",
    ],
    examples=[example((*e.args[0][:-1], e.args[2][-1]), *e.args, **e.settings) for e in _EXAMPLES],
)
@in_float32
def attention_slopes(
    g: Array, q: Any, k: Any, v: Any, mask: Any, kept: Any, *, scale: float, causal: bool, out: Out = None
) -> Any:
    """∂L/∂q, ∂L/∂k and ∂L/∂v of `attention`, of whose result g = ∂L/∂y is the gradient.

    With the weights p = softmax(scale·q kᵀ + mask), r = (g vᵀ) ⊙ kept and s = p ⊙ (r − Σ r ⊙ p), they are scale·s k,
    scale·sᵀ q and (p ⊙ kept)ᵀ g. All three need the weights, which are made again once.

    >>> x = np.ones((1, 2))
    >>> [part.tolist() for part in attention_slopes(x, x, x, x)]
    [[[0.0, 0.0]], [[0.0, 0.0]], [[1.0, 1.0]]]
    """
    _check(q, k, v)
    g, q, k, v, mask, kept = _together(g, q, k, v, mask, kept)
    shape = (*q.shape[:-1], k.shape[-2])
    parts = (
        out
        if out is not None and out[0].dtype == q.dtype
        else tuple([_empty(x, x.shape[-1], q.dtype) for x in (q, k, v)])
    )
    if not math.prod(shape):
        for part in parts:
            part[...] = 0
    else:
        several = q.ndim > 2
        arrays = [g, q, k, v, _spread(mask, shape), _spread(kept, shape)]
        blocks.slopes(*_stacked([*arrays, *parts], several), scale=scale, causal=causal)
    if out is None or parts is out:
        return parts
    for place, part in zip(out, parts, strict=True):
        np.copyto(place, part)
    return out

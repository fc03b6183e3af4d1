"""Scaled dot-product attention, with masks of truths or of numbers, dropout, and groups of heads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.nn.functional.checks import between_0_and_1, truth
from tinygrad_edu.nn.functional.layers import dropout
from tinygrad_edu.ops.network.attention import attention
from tinygrad_edu.ops.parts import lifted
from tinygrad_edu.ops.types import array, floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array
    from tinygrad_edu.engine.tensor import Tensor


@lifted
def scaled_dot_product_attention(
    query: Array,
    key: Tensor | Array,
    value: Tensor | Array,
    attn_mask: Tensor | Array | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    generator: np.random.Generator | None = None,
) -> Array:
    """y = softmax(scale·q kᵀ + mask)·v: each query gets the mean of the values, weighed by how well their keys fit it.

    A query that may look at nothing gets 0, as in PyTorch. No (L, S) array outlives the call, and none is kept for the
    gradients, except the mask of dropout; higher derivatives make them.

    query: (…, L, E). The axes in front, such as batch and heads, are broadcast together.
    key: (…, S, E).
    value: (…, S, V); y: (…, L, V).
    attn_mask: broadcast with (…, L, S). Truths say where a query may look; numbers are added to the scores.
    dropout_p: the probability with which a weight is dropped. It is always applied: pass 0 in evaluation.
    is_causal: whether a query looks only at keys up to its own place; then no attn_mask can be given.
    scale: the factor of the products; by default 1/√E.
    enable_gqa: whether keys and values may have fewer heads, on the third axis from the end, each for a group of the
        query's.
    generator: draws the dropout; by default the generator that `tg.manual_seed` sets.

    Raises ValueError for shapes that do not fit one another, naming all of them; TypeError for a mask of whole numbers.

    Source: Vaswani et al., *Attention is all you need* (2017), section 3.2.1; Ainslie et al., *GQA: training
    generalized multi-query transformer models from multi-head checkpoints* (2023).

    >>> keys, values = np.eye(2) * 100, np.array([[1.0], [2.0]])
    >>> scaled_dot_product_attention(np.array([[1.0, 0.0]]), keys, values).tolist()
    [[1.0]]
    >>> scaled_dot_product_attention(np.zeros((2, 2)), keys, values, is_causal=True).tolist()
    [[1.0], [1.5]]
    """
    between_0_and_1("dropout_p", dropout_p)
    truth("is_causal", is_causal)
    q: Any = floating(query)
    k: Any = floating(key)
    v: Any = floating(value)
    if min(q.ndim, k.ndim, v.ndim) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise _misfit(q, k, v, "the last axes fit where queries are as wide as keys, and keys as many as values")
    if enable_gqa:
        k, v = _for_each_head(q, k, v)
    try:
        front = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    except ValueError:
        raise _misfit(q, k, v, "the axes in front do not broadcast") from None
    q, k, v = [x if x.shape[:-2] == front else np.broadcast_to(x, (*front, *x.shape[-2:])) for x in (q, k, v)]
    shape = (*front, q.shape[-2], k.shape[-2])
    if attn_mask is not None and is_causal:
        raise ValueError("attention takes attn_mask or is_causal=True, not both; put the causal mask into attn_mask")
    mask = 0.0 if attn_mask is None else added("attn_mask", attn_mask, shape, q.dtype)
    kept: Any = 1.0
    if dropout_p > 0:
        kept = dropout(np.ones(shape, q.dtype), dropout_p, generator=generator)
    scale = 1 / math.sqrt(max(q.shape[-1], 1)) if scale is None else scale
    return attention(q, k, v, mask, kept, scale=scale, causal=is_causal)


def _misfit(q: Any, k: Any, v: Any, why: str) -> ValueError:
    return ValueError(
        f"attention takes a query (…, L, E), a key (…, S, E) and a value (…, S, V), but got {q.shape}, {k.shape} and "
        f"{v.shape}: {why}"
    )


def _for_each_head(q: Any, k: Any, v: Any) -> tuple[Any, Any]:
    """Keys and values, each head of theirs repeated for its group of the query's heads."""
    if min(q.ndim, k.ndim, v.ndim) < 3 or 0 in (k.shape[-3], v.shape[-3]):
        raise _misfit(q, k, v, "enable_gqa=True takes heads on the third axis from the end")
    heads = q.shape[-3]
    if heads % k.shape[-3] or heads % v.shape[-3]:
        raise _misfit(q, k, v, f"the heads of keys and values do not divide the query's {heads}")
    return np.repeat(k, heads // k.shape[-3], axis=-3), np.repeat(v, heads // v.shape[-3], axis=-3)


def added(name: str, mask: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """A mask as what is added to scores of this shape and type: −∞ where a mask of truths is False.

    Raises ValueError for one that does not broadcast to the shape, TypeError for one of whole numbers.
    """
    mask = array(mask)
    try:
        fits = np.broadcast_shapes(mask.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name} broadcasts with scores of shape {shape}, but has shape {mask.shape}")
    if mask.dtype.kind == "b":
        return np.where(mask, np.zeros((), dtype), np.full((), -math.inf, dtype))
    if mask.dtype.kind != "f":
        raise TypeError(f"{name} holds truths, or numbers to add, but got {mask.dtype}; write mask.astype(bool)")
    return mask

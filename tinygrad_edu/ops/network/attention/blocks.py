"""Attention a block at a time: weights exist for a few queries only, in memory that the next block uses again.

All weights of a sequence of T places are T² numbers. Here a block of queries, or a few examples of short sequences, gets
its weights in a quarter of a megabyte, which stays in the processor's cache; they are made again, block by block, for the
gradients. So nothing of the size T² is kept, and little is moved.

Source: Dao et al., *FlashAttention: fast and memory-efficient exact attention with IO-awareness* (2022). Here a block has
whole rows of weights, so none is corrected later.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

BLOCK = 1 << 18
"""The bytes of a block of weights."""

_PLACES: list[Any] = []


@contextmanager
def places(count: int, nbytes: int) -> Iterator[list[Any]]:
    """Memory to compute in, so many pieces of so many bytes: those of an earlier call, where they are large enough."""
    taken = []
    for _ in range(count):
        try:
            memory = _PLACES.pop()  # one step to the interpreter, so threads do not share a piece
        except IndexError:
            memory = np.empty(0, np.uint8)
        taken.append(memory if memory.nbytes >= nbytes else np.empty(max(nbytes, BLOCK), np.uint8))
    try:
        yield taken
    finally:
        _PLACES.extend([memory for memory in taken if memory.nbytes <= BLOCK])


class Block(NamedTuple):
    """The queries and keys of a block: of which examples, which rows, and up to which key."""

    examples: slice
    rows: slice
    keys: slice

    def of(self, x: Any, rows: slice) -> Any:
        """This block's part of queries, keys or values."""
        return x[self.examples, ..., rows, :]

    def part(self, weights: Any) -> Any:
        """This block's part of what lies as the weights do, (…, queries, keys)."""
        return weights[self.examples, ..., self.rows, self.keys]


def blocks(q: Any, k: Any, causal: bool) -> list[Block]:
    """The blocks of queries (N, …, L, E) and keys (N, …, S, E), each of `BLOCK` bytes of weights, or of one row."""
    length, keys = q.shape[-2], k.shape[-2]
    row = max(q.itemsize * math.prod(q.shape[1:-2]) * keys, 1)
    count = max(1, BLOCK // (row * max(length, 1)))
    rows = length if row * length <= BLOCK else max(1, BLOCK // row)
    return [
        Block(slice(i, i + count), slice(r, min(r + rows, length)), slice(0, min(keys, r + rows) if causal else keys))
        for i in range(0, len(q), count)
        for r in range(0, length, rows)
    ]


def largest(q: Any, k: Any) -> int:
    """The bytes of the largest block's weights."""
    row = q.itemsize * math.prod(q.shape[1:-2]) * k.shape[-2]
    return max(BLOCK, row)


@lru_cache(maxsize=32)
def after(rows: int, keys: int, dtype: Any) -> Any:
    """−∞ for keys that come after the query, else 0, for as many queries as keys, or the first of them."""
    return np.triu(np.full((rows, keys), -math.inf, dtype), 1)


def exponentials(q: Any, k: Any, mask: Any, block: Block, scale: float, causal: bool, memory: Any) -> tuple[Any, Any]:
    """For a block: exp(scores − m), with the largest score m of each query, and their sums over the keys: the quotient is
    the weights. A query that may look at nothing has exponentials 0, and the sum 1.
    """
    queries, keys = block.of(q, block.rows), block.of(k, block.keys)
    shape = (*queries.shape[:-1], keys.shape[-2])
    e = np.ndarray(shape, q.dtype, memory)
    np.matmul(queries, keys.mT, out=e)
    e *= scale
    if mask.ndim:
        e += block.part(mask)
    if causal:
        first, last = block.rows.start, block.keys.stop
        e[..., first:] += after(shape[-2], max(last - first, 0), q.dtype)
    m = np.maximum.reduce(e, -1, keepdims=True)
    e -= np.maximum(m, np.finfo(q.dtype).min, out=m)  # −∞ where all are
    np.exp(e, out=e)
    total = np.matmul(e, _ones(shape[-1], q.dtype), out=m)
    return e, np.maximum(total, 1, out=total)


@lru_cache(maxsize=32)
def _ones(n: int, dtype: Any) -> Any:
    return np.ones((n, 1), dtype)


def forward(q: Any, k: Any, v: Any, mask: Any, kept: Any, y: Any, *, scale: float, causal: bool) -> None:
    """y = weights @ v, where weights are multiplied by `kept` first. All are (N, …, places, width)."""
    with places(1, largest(q, k)) as (memory,):
        for block in blocks(q, k, causal):
            e, total = exponentials(q, k, mask, block, scale, causal, memory)
            if kept.ndim:
                e *= block.part(kept)
            part = np.matmul(e, block.of(v, block.keys), out=block.of(y, block.rows))
            part /= total
    if not kept.ndim and kept != 1:
        y *= kept


def slopes(
    g: Any, q: Any, k: Any, v: Any, mask: Any, kept: Any, by_q: Any, by_k: Any, by_v: Any, *, scale: float, causal: bool
) -> None:
    """∂L/∂q, ∂L/∂k and ∂L/∂v, written there, where g is ∂L/∂y: see `attention_slopes`."""
    with places(2, largest(q, k)) as (first, second):
        for block in blocks(q, k, causal):
            p, total = exponentials(q, k, mask, block, scale, causal, first)
            p /= total
            slope, queries = block.of(g, block.rows), block.of(q, block.rows)
            s = np.matmul(slope, block.of(v, block.keys).mT, out=np.ndarray(p.shape, p.dtype, second))
            s *= block.part(kept) if kept.ndim else kept
            np.vecdot(p, s, out=total[..., 0])
            s -= total
            s *= p
            s *= scale
            np.matmul(s, block.of(k, block.keys), out=block.of(by_q, block.rows))
            p *= block.part(kept) if kept.ndim else kept
            for weights, rows, to in ((s, queries, by_k), (p, slope, by_v)):
                if block.rows.start == 0:
                    np.matmul(weights.mT, rows, out=block.of(to, block.keys))
                    block.of(to, slice(block.keys.stop, None))[...] = 0
                else:
                    block.of(to, block.keys)[...] += np.matmul(weights.mT, rows)

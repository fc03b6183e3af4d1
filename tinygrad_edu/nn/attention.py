"""Attention of several heads, each of which looks in a subspace of its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tinygrad_edu.creation import count
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn import init
from tinygrad_edu.nn.functional.attention import added
from tinygrad_edu.nn.functional.checks import between_0_and_1
from tinygrad_edu.nn.linear import Linear
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.parameter import Parameter
from tinygrad_edu.ops.network.attention import attention, attention_weights
from tinygrad_edu.ops.types import floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike, DType
    from tinygrad_edu.engine.tensor import Tensor


class MultiheadAttention(Module):
    """y = concat(head₁, …, headₕ)·Wₒ + bₒ, where headᵢ = attention(q·Wᵢ, k·Wᵢ′, v·Wᵢ″) has the width E/h.

    It is called as `layer(query, key, value)`, and returns y and the weights of the attention; see `forward`.

    in_proj_weight, (E, 3E), has the matrices of q, k and v beside each other, and in_proj_bias is (3E,). With kdim or
    vdim there
    are three matrices instead: q_proj_weight (E, E), k_proj_weight (kdim, E) and v_proj_weight (vdim, E). out_proj is a
    Linear(E, E). Names and first values are PyTorch's, but matrices are (in, out), as Linear's: `train.load_torch`
    transposes.

    embed_dim: E, the width of queries and of y.
    num_heads: h, the number of heads, which divides E.
    dropout: the probability with which a weight of the attention is dropped in training.
    bias: whether the projections add a bias.
    add_bias_kv: whether there is one more key and value for all examples, which is learnt.
    add_zero_attn: whether there is one more key and value of zeros, so that a query may look at nothing.
    kdim, vdim: the widths of keys and values; by default E.
    batch_first: whether batches are (N, L, E) rather than (L, N, E).
    generator: draws the first weights and the dropout; by default the generator that `tg.manual_seed` sets.
    dtype: the type of the weights; by default `tg.get_default_dtype()`.

    Raises ValueError for heads that do not divide E, and, when it is called, for inputs and masks that do not fit.

    Source: Vaswani et al., *Attention is all you need* (2017), section 3.2.2.

    >>> layer = MultiheadAttention(8, 2, batch_first=True)
    >>> x = np.ones((3, 5, 8), np.float32)
    >>> y, weights = layer(x, x, x)
    >>> y.shape, weights.shape
    ((3, 5, 8), (3, 5, 5))
    """

    TURNED: ClassVar[tuple[str, ...]] = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        *,
        generator: np.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        self.embed_dim = count(embed_dim, "MultiheadAttention", "embed_dim")
        self.num_heads = count(num_heads, "MultiheadAttention", "num_heads")
        if self.embed_dim < 1 or self.num_heads < 1 or self.embed_dim % self.num_heads:
            raise ValueError(
                f"MultiheadAttention shares embed_dim evenly among its heads, but got embed_dim={embed_dim} and "
                f"num_heads={num_heads}; choose num_heads that divides embed_dim"
            )
        between_0_and_1("MultiheadAttention's dropout", dropout)
        self.dropout, self.add_zero_attn, self.batch_first = dropout, add_zero_attn, batch_first
        self.kdim, self.vdim = kdim or self.embed_dim, vdim or self.embed_dim
        self.generator = generator
        width = self.embed_dim

        def matrix(rows: int, columns: int) -> Parameter:
            return Parameter(init.xavier_uniform((rows, columns), generator=generator, dtype=dtype))

        if self.kdim == self.vdim == width:
            self.in_proj_weight = matrix(width, 3 * width)
        else:
            self.q_proj_weight = matrix(width, width)
            self.k_proj_weight, self.v_proj_weight = matrix(self.kdim, width), matrix(self.vdim, width)
        self.in_proj_bias = Parameter(init.zeros((3 * width,), dtype=dtype)) if bias else None
        one = (1, 1, width)
        normal = {"std": math.sqrt(1 / width), "generator": generator, "dtype": dtype}
        self.bias_k = Parameter(init.normal(one, **normal)) if add_bias_kv else None  # type: ignore[arg-type]
        self.bias_v = Parameter(init.normal(one, **normal)) if add_bias_kv else None  # type: ignore[arg-type]
        self.out_proj = Linear(width, width, bias, generator=generator, dtype=dtype)
        if self.out_proj.bias is not None:
            self.out_proj.bias.data[...] = 0

    def forward(
        self,
        query: ArrayLike,
        key: ArrayLike,
        value: ArrayLike,
        key_padding_mask: ArrayLike | None = None,
        need_weights: bool = True,
        attn_mask: ArrayLike | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return y, of the shape of the query, and the weights of the attention, (N, L, S).

        query, key, value: (L, N, E), (S, N, kdim) and (S, N, vdim); with batch_first (N, L, E) and so on; of a single
            example (L, E) and so on.
        key_padding_mask: (N, S), True at keys that no query looks at.
        need_weights: whether the weights are returned; without them, they are never made as a whole.
        attn_mask: (L, S) or (N·h, L, S), True where a query does not look (in `F.scaled_dot_product_attention` True is
            where it does, as in PyTorch). Numbers are added to the scores.
        average_attn_weights: whether the weights are the mean over the heads; if not, they are (N, h, L, S).
        is_causal: whether queries look only at keys up to their own place. Beside an attn_mask it only says that this
            is the mask.
        """
        q, k, v = floating(query), floating(key), floating(value)
        several = self._check(q, k, v)
        same = query is key, key is value
        n, length, keys = self._sizes(q, k, several)
        mask = self._mask(n if several else None, length, keys, key_padding_mask, attn_mask, q.dtype)
        causal = is_causal and attn_mask is None
        heads: list[Any] = [self._heads(x, several) for x in self._projected(q, k, v, same)]
        heads[1:], mask, causal = self._more_keys(heads[1], heads[2], mask, length, causal)
        drop = self.dropout if self.training else 0.0
        scale = 1 / math.sqrt(self.embed_dim // self.num_heads)
        weights = None
        if not need_weights:
            shape = (*heads[0].shape[:-1], heads[1].shape[-2])
            kept = F.dropout(np.ones(shape, heads[0].dtype), drop, generator=self.generator) if drop else 1.0
            y = attention(heads[0], heads[1], heads[2], mask, kept, scale=scale, causal=causal)
        else:
            weights = attention_weights(heads[0], heads[1], mask, scale, causal)
            weights = F.dropout(weights, drop, generator=self.generator)
            y = np.matmul(weights, heads[2])
            weights = np.mean(weights, axis=-3) if average_attn_weights else weights
        y = y.transpose(0, 2, 1, 3) if several and self.batch_first else y.transpose(2, 0, 1, 3) if several else y.transpose(1, 0, 2)  # fmt: skip
        return self.out_proj(np.reshape(y, q.shape)), weights

    # -- what comes in ------------------------------------------------------------------------------

    def _check(self, q: Any, k: Any, v: Any) -> bool:
        """Whether there is a batch. Raises ValueError for inputs of other shapes."""
        batch = 0 if self.batch_first else 1
        fits = q.ndim == k.ndim == v.ndim in (2, 3) and k.shape[:-1] == v.shape[:-1]
        fits = fits and (q.ndim == 2 or q.shape[batch] == k.shape[batch])
        if not fits or (q.shape[-1], k.shape[-1], v.shape[-1]) != (self.embed_dim, self.kdim, self.vdim):
            front = ("N, L", "N, S") if self.batch_first else ("L, N", "S, N")
            raise ValueError(
                f"{self._line()} takes a query ({front[0]}, {self.embed_dim}), a key ({front[1]}, {self.kdim}) and a value "
                f"({front[1]}, {self.vdim}), or all of one example without N, but got {q.shape}, {k.shape} and {v.shape}"
            )
        return bool(q.ndim == 3)

    def _sizes(self, q: Any, k: Any, several: bool) -> tuple[int, int, int]:
        """How many examples, queries and keys there are."""
        if not several:
            return 1, q.shape[0], k.shape[0]
        return (q.shape[0], q.shape[1], k.shape[1]) if self.batch_first else (q.shape[1], q.shape[0], k.shape[0])

    def _mask(self, n: int | None, length: int, keys: int, padding: Any, attn_mask: Any, dtype: Any) -> Any:
        """Both masks as one that is added to the scores (N, h, L, S), or (h, L, S) of one example."""
        total: Any = 0.0
        front = () if n is None else (n,)
        if attn_mask is not None:
            mask = attn_mask if hasattr(attn_mask, "dtype") else np.asarray(attn_mask)
            one, each = (length, keys), ((n or 1) * self.num_heads, length, keys)
            if np.shape(mask) not in (one, each):
                raise ValueError(
                    f"{self._line()} takes an attn_mask of shape {one}, or {each}, but got {np.shape(mask)}"
                )
            mask = mask if np.shape(mask) == one else np.reshape(mask, (*front, self.num_heads, length, keys))
            total = _added("attn_mask", mask, dtype)
        if padding is not None:
            if np.shape(padding) != (*front, keys):
                raise ValueError(
                    f"{self._line()} takes a key_padding_mask of shape {(*front, keys)}, but got {np.shape(padding)}"
                )
            total = total + np.reshape(_added("key_padding_mask", padding, dtype), (*front, 1, 1, keys))
        return total

    # -- heads --------------------------------------------------------------------------------------

    def _projected(self, q: Any, k: Any, v: Any, same: tuple[bool, bool]) -> list[Any]:
        """q, k and v, projected: by one product where they are one, and by two where keys are values."""
        width, bias = self.embed_dim, self.in_proj_bias
        if "in_proj_weight" not in vars(self):
            weights = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        else:
            weight = self.in_proj_weight
            if all(same):
                return list(np.split(F.linear(q, weight, bias), 3, axis=-1))
            if same[1]:
                by_q = F.linear(q, weight[:, :width], None if bias is None else bias[:width])
                both = F.linear(k, weight[:, width:], None if bias is None else bias[width:])
                return [by_q, *np.split(both, 2, axis=-1)]
            weights = list(np.split(weight, 3, axis=1))  # type: ignore[arg-type]  # tensors, of a tensor
        biases = [None] * 3 if bias is None else np.split(bias, 3)
        return [F.linear(x, w, b) for x, w, b in zip((q, k, v), weights, biases, strict=True)]

    def _heads(self, x: Any, several: bool) -> Any:
        """(N, h, places, E/h) of what was projected, or (h, places, E/h)."""
        parts = np.reshape(x, (*x.shape[:-1], self.num_heads, self.embed_dim // self.num_heads))
        if not several:
            return np.swapaxes(parts, 0, 1)
        return np.transpose(parts, (0, 2, 1, 3) if self.batch_first else (1, 2, 0, 3))

    def _more_keys(self, k: Any, v: Any, mask: Any, length: int, causal: bool) -> tuple[list[Any], Any, bool]:
        """Keys and values with those of `add_bias_kv` and `add_zero_attn`, which every query may look at."""
        more = []
        if self.bias_k is not None and self.bias_v is not None:
            shape = (self.num_heads, 1, self.embed_dim // self.num_heads)
            more.append([np.reshape(b, shape) for b in (self.bias_k, self.bias_v)])
        if self.add_zero_attn:
            more.append([np.zeros((1, 1, 1), k.dtype)] * 2)
        if not more:
            return [k, v], mask, causal
        if causal:
            mask, causal = mask + np.triu(np.full((length, k.shape[-2]), -math.inf, k.dtype), 1), False
        for pair in more:
            k, v = [
                np.concatenate([x, np.broadcast_to(b, (*x.shape[:-2], 1, x.shape[-1]))], axis=-2)
                for x, b in zip((k, v), pair, strict=True)
            ]
        if np.ndim(mask):
            mask = np.concatenate([mask, np.zeros((*mask.shape[:-1], len(more)), k.dtype)], axis=-1)
        return [k, v], mask, causal

    def extra_repr(self) -> str:
        return f"{self.embed_dim}, {self.num_heads}" + (", batch_first=True" if self.batch_first else "")


def _added(name: str, mask: Any, dtype: Any) -> Any:
    """A mask as what is added: −∞ where a mask of truths is True."""
    mask = mask if hasattr(mask, "dtype") else np.asarray(mask)
    return added(name, np.logical_not(mask) if mask.dtype.kind == "b" else mask, mask.shape, dtype)

"""GPT: a Transformer's decoder alone, which says what comes next.

Sources: Radford et al., *Language models are unsupervised multitask learners* (2019), whose layers these are; Vaswani et
al., *Attention is all you need* (2017).
"""

from __future__ import annotations

import copy
import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu import nn, random
from tinygrad_edu.creation import count
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.functional.checks import between_0_and_1

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tinygrad_edu.engine.arguments import ArrayLike, DType
    from tinygrad_edu.engine.tensor import Tensor


class Cache:
    """The keys and values of one layer for the places that were read, so that a further place needs its own alone."""

    def __init__(self, places: int) -> None:
        self.length = 0
        self._places = places
        self._kept: list[NDArray[Any]] = []

    def extend(self, new: list[Any]) -> list[NDArray[Any]]:
        """Keys and values (N, h, L, E/h) of the next L places; returned are those of all places so far."""
        if not self._kept:
            self._kept = [np.empty((*x.shape[:-2], self._places, x.shape[-1]), x.dtype) for x in new]
        begun, self.length = self.length, self.length + new[0].shape[-2]
        for kept, x in zip(self._kept, new, strict=True):
            kept[..., begun : self.length, :] = x
        return [kept[..., : self.length, :] for kept in self._kept]


class SelfAttention(nn.Module):
    """Attention of a sequence to its own past: one product for q, k and v, heads, and a product for what they found."""

    def __init__(self, n_embd: int, n_head: int, dropout: float, bias: bool, **drawn: Any) -> None:
        self.n_head, self.dropout = n_head, dropout
        self.generator = drawn.get("generator")
        self.c_attn = nn.Linear(n_embd, 3 * n_embd, bias, **drawn)
        self.c_proj = nn.Linear(n_embd, n_embd, bias, **drawn)
        self.resid_dropout = nn.Dropout(dropout, generator=self.generator)

    def forward(self, x: Any, cache: Cache | None = None) -> Any:
        """x, y: (N, L, E). cache: what was read before, to which x is added; for a model of arrays."""
        n, length, width = x.shape
        split = [
            part.reshape(n, length, self.n_head, width // self.n_head).transpose(0, 2, 1, 3)
            for part in np.split(self.c_attn(x), 3, axis=-1)
        ]
        causal: dict[str, Any] = {"is_causal": length > 1}
        if cache is not None:
            before = cache.length
            split[1:] = cache.extend(split[1:])
            if before and length > 1:
                causal = {"attn_mask": np.tri(length, cache.length, before, dtype=bool)}
        drop = self.dropout if self.training else 0.0
        y: Any = F.scaled_dot_product_attention(split[0], split[1], split[2], dropout_p=drop, generator=self.generator, **causal)  # fmt: skip
        return self.resid_dropout(self.c_proj(y.transpose(0, 2, 1, 3).reshape(n, length, width)))


class MLP(nn.Module):
    """W₂·GELU(W₁·x), four times as wide between."""

    def __init__(self, n_embd: int, dropout: float, bias: bool, approximate: str, **drawn: Any) -> None:
        self.c_fc = nn.Linear(n_embd, 4 * n_embd, bias, **drawn)
        self.act = nn.GELU(approximate)
        self.c_proj = nn.Linear(4 * n_embd, n_embd, bias, **drawn)
        self.dropout = nn.Dropout(dropout, generator=drawn.get("generator"))

    def forward(self, x: Any) -> Any:
        """x, y: (N, L, E)."""
        return self.dropout(self.c_proj(self.act(self.c_fc(x))))


class Block(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x))."""

    def __init__(self, n_embd: int, n_head: int, dropout: float, bias: bool, approximate: str, **drawn: Any) -> None:
        dtype = drawn.get("dtype")
        self.ln_1 = nn.LayerNorm(n_embd, bias=bias, dtype=dtype)
        self.attn = SelfAttention(n_embd, n_head, dropout, bias, **drawn)
        self.ln_2 = nn.LayerNorm(n_embd, bias=bias, dtype=dtype)
        self.mlp = MLP(n_embd, dropout, bias, approximate, **drawn)

    def forward(self, x: Any, cache: Cache | None = None) -> Any:
        """x, y: (N, L, E)."""
        x = x + self.attn(self.ln_1(x), cache)
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """Logits of what comes next, at every place: embeddings, blocks of attention to the past, a norm, a linear head.

    vocab_size: V, how many tokens there are.
    block_size: the longest sequence.
    n_layer, n_head, n_embd: how many blocks, the heads of each, and E, the width, which the heads divide.
    dropout: the share that is dropped of embeddings, of weights, and of what blocks add.
    bias: whether products and norms have one.
    tied: whether the head is the table of embeddings, transposed.
    approximate: "none" for the exact GELU, "tanh" for GPT-2's.
    generator: what weights and dropouts are drawn from, if not from the generator that `manual_seed` sets.
    dtype: the type of the parameters; None takes the default type.

    Matrices begin normal of deviation 0.02, those that end a block's branch of 0.02/√(2·n_layer), biases 0. Parameters are
    called as in GPT-2's published file, and lie as there, so that its `wte.weight, h.0.attn.c_attn.weight, …` load by
    `load_state_dict`.

    Raises ValueError for heads that do not divide the width, and for a sequence longer than block_size, IndexError for
    tokens that there are not.

    >>> model = GPT(vocab_size=65, block_size=32, n_layer=2, n_head=2, n_embd=16)
    >>> model(np.zeros((3, 10), int)).shape
    (3, 10, 65)
    """

    def __init__(
        self,
        vocab_size: int,
        block_size: int,
        n_layer: int = 12,
        n_head: int = 12,
        n_embd: int = 768,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        tied: bool = True,
        approximate: str = "tanh",
        generator: np.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        sizes = {
            "vocab_size": vocab_size,
            "block_size": block_size,
            "n_layer": n_layer,
            "n_head": n_head,
            "n_embd": n_embd,
        }
        for name, value in sizes.items():
            if count(value, "GPT", name) < (name != "n_layer"):
                raise ValueError(f"GPT needs a {name} of 1 at least, but got {value}")
        if n_embd % n_head:
            raise ValueError(f"GPT shares n_embd evenly among its heads, but got n_embd={n_embd} and n_head={n_head}")
        between_0_and_1("GPT's dropout", dropout)
        drawn: dict[str, Any] = {"generator": generator, "dtype": dtype}
        self.vocab_size, self.block_size = vocab_size, block_size
        self.wte = nn.Embedding(vocab_size, n_embd, **drawn)
        self.wpe = nn.Embedding(block_size, n_embd, **drawn)
        self.drop = nn.Dropout(dropout, generator=generator)
        self.h = nn.ModuleList([Block(n_embd, n_head, dropout, bias, approximate, **drawn) for _ in range(n_layer)])
        self.ln_f = nn.LayerNorm(n_embd, bias=bias, dtype=dtype)
        self.lm_head = None if tied else nn.Linear(n_embd, vocab_size, bias=False, **drawn)
        for name, p in self.named_parameters():
            if p.ndim > 1:
                std = 0.02 / math.sqrt(2 * n_layer) if name.endswith("c_proj.weight") else 0.02
                p.data[...] = nn.init.normal(p.shape, 0.0, std, generator=generator, dtype=p.dtype)
            elif name.endswith("bias"):
                p.data[...] = 0

    def forward(self, tokens: ArrayLike, caches: list[Cache] | None = None) -> Tensor:
        """Logits (…, L, V) of the token after each of `tokens`, (…, L).

        caches: one for each block, of the places before these tokens, to which they are added; for a model of arrays, as `on_arrays` makes one.
        """
        shape = np.shape(tokens)  # type: ignore[arg-type]  # NumPy's stubs know lists of lists to a depth
        begun = caches[0].length if caches else 0
        if len(shape) not in (1, 2):
            raise ValueError(f"GPT takes tokens of shape (N, L), or (L,), but got {shape}")
        if begun + shape[-1] > self.block_size:
            raise ValueError(
                f"GPT has positions for block_size={self.block_size} tokens, but got {begun + shape[-1]}; "
                "make it with a larger block_size, or cut the sequence"
            )
        found: Any = self.wte(tokens)
        x = found if len(shape) == 2 else found[None]
        x = self.drop(x + self.wpe.weight[begun : begun + shape[-1]])
        for i, block in enumerate(self.h):
            x = block(x, caches[i] if caches else None)
        x = self.ln_f(x)
        logits = F.linear(x, self.wte.weight.T) if self.lm_head is None else self.lm_head(x)
        return logits if len(shape) == 2 else logits[0]

    def generate(
        self,
        prompt: ArrayLike,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: np.random.Generator | None = None,
        *,
        cache: bool = True,
    ) -> NDArray[np.int64]:
        """The prompt, and as many tokens after it, each drawn from softmax(logits / temperature): (…, L + max_new_tokens).

        prompt: tokens (N, L), or (L,), one at least. temperature: 0 takes the likeliest. top_k: only that many of the
        likeliest are drawn from. generator: if not given, the one that `manual_seed` sets. cache: whether keys and values
        are kept, which gives the same tokens sooner; beyond block_size tokens, where positions shift with every token, the
        last block_size are read anew. It computes as in evaluation mode, on arrays, and leaves the model as it is.

        Raises ValueError for an empty prompt, a negative temperature, and for top_k below 1.

        >>> model = GPT(vocab_size=5, block_size=8, n_layer=1, n_head=1, n_embd=4)
        >>> model.generate([1, 2], 3, generator=np.random.default_rng(0)).shape
        (5,)
        """
        given = np.asarray(prompt)
        if given.ndim not in (1, 2) or not given.shape[-1]:
            raise ValueError(f"generate() takes a prompt of one token or more, (N, L) or (L,), but got {given.shape}")
        if given.dtype.kind not in "iu":
            raise TypeError(f"generate() takes whole numbers, but got a prompt of {given.dtype}")
        if not temperature >= 0:
            raise ValueError(f"generate()'s temperature is 0 or more, but got {temperature}")
        if top_k is not None and count(top_k, "generate", "top_k") < 1:
            raise ValueError(f"generate()'s top_k is 1 or more, but got {top_k}")
        new = count(max_new_tokens, "generate", "max_new_tokens")
        if new < 0:
            raise ValueError(f"generate() makes 0 tokens or more, but got max_new_tokens={max_new_tokens}")
        rows = given.reshape(-1, given.shape[-1])
        tokens = np.empty((len(rows), rows.shape[1] + new), np.int64)
        tokens[:, : rows.shape[1]] = rows
        _continue(on_arrays(self), tokens, rows.shape[1], temperature, top_k, random.generator(generator), cache)
        return tokens.reshape(*given.shape[:-1], -1)


def on_arrays(module: Any) -> Any:
    """A copy of a module that holds arrays where it has parameters, in evaluation mode, called without scopes and hooks:
    what it computes are arrays too, and sooner where they are small. The numbers are not copied.

    >>> layer = nn.Linear(2, 2)
    >>> type(on_arrays(layer)(np.ones(2, np.float32))).__name__
    'ndarray'
    """
    if isinstance(module, nn.Parameter | nn.Buffer):
        return module.numpy()
    if isinstance(module, list):
        return [on_arrays(part) for part in module]
    if not isinstance(module, nn.Module):
        return module
    made: Any = copy.copy(module)
    vars(made).update({name: on_arrays(value) for name, value in vars(module).items()}, training=False)
    made.__class__ = _plain(type(made))  # type: ignore[arg-type]  # mypy takes no class for hashable
    return made


@functools.cache
def _plain(kind: Any) -> Any:
    """The kind of module, of which a call is its `forward` alone."""
    return type(kind.__name__, (kind,), {"__call__": kind.forward})


def _continue(
    model: Any,
    tokens: NDArray[np.int64],
    begun: int,
    temperature: float,
    top_k: int | None,
    own: np.random.Generator,
    cache: bool,
) -> None:
    """Write the tokens from the place `begun` on."""
    size = model.block_size
    caches = [Cache(min(size, tokens.shape[1])) for _ in model.h] if cache else None
    read = 0  # how many tokens the caches have
    for place in range(begun, tokens.shape[1]):
        if caches and place <= size:
            logits = model(tokens[:, read:place], caches)
            read = place
        else:
            logits = model(tokens[:, max(0, place - size) : place])
        tokens[:, place] = drawn(logits[:, -1], temperature, top_k, own)


def drawn(
    logits: NDArray[Any], temperature: float, top_k: int | None, generator: np.random.Generator
) -> NDArray[np.int64]:
    """A token for each row of logits (N, V), from softmax(logits / temperature) of the `top_k` likeliest.

    >>> drawn(np.array([[0.0, 3.0, 1.0]]), 0.0, None, np.random.default_rng(0)).tolist()
    [1]
    """
    if temperature == 0:
        return np.argmax(logits, axis=-1)
    z = logits.astype(float)
    if top_k is not None and top_k < z.shape[-1]:
        z[z < np.partition(z, -top_k, axis=-1)[:, [-top_k]]] = -math.inf
    up_to = np.cumsum(F.softmax(z / temperature), axis=-1)
    chosen = np.sum(up_to < generator.random((len(z), 1)) * up_to[:, -1:], axis=-1)
    return np.minimum(chosen, z.shape[-1] - 1)

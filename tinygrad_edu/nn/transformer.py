"""The Transformer: an encoder and a decoder, made of layers of attention and of a network that works on each place.

Names, arguments and the order of operations are PyTorch's, so its checkpoints load by `train.load_torch`.

Source: Vaswani et al., *Attention is all you need* (2017); norms before the blocks: Xiong et al., *On layer
normalization in the Transformer architecture* (2020).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.creation import count, get_default_dtype
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn import init
from tinygrad_edu.nn.attention import MultiheadAttention
from tinygrad_edu.nn.dropout import Dropout
from tinygrad_edu.nn.linear import Linear
from tinygrad_edu.nn.lists import ModuleList
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.normalization import LayerNorm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tinygrad_edu.engine.arguments import ArrayLike, DType
    from tinygrad_edu.engine.tensor import Tensor

Activation = str | Callable[[Any], Any]


def _activation(given: Activation) -> Callable[[Any], Any]:
    """The function of this name, or the function that was given."""
    known: dict[str, Callable[[Any], Any]] = {"relu": F.relu, "gelu": F.gelu}
    if isinstance(given, str) and given not in known:
        raise ValueError(f"activation is 'relu', 'gelu' or a function, but got {given!r:.60}")
    return known[given] if isinstance(given, str) else given


class _Layer(Module):
    """The base of both kinds of layers: it has a network for each place, and norms before or after what is added."""

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        generator: np.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        drawn: dict[str, Any] = {"generator": generator, "dtype": dtype}
        attentions = ["self_attn", "multihead_attn"] if self._reads_memory else ["self_attn"]
        for name in attentions:
            setattr(self, name, MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **drawn))
        self.linear1 = Linear(d_model, dim_feedforward, bias, **drawn)
        self.dropout = Dropout(dropout, generator=generator)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **drawn)
        self.norm_first = norm_first
        for i in range(1, len(attentions) + 2):
            setattr(self, f"norm{i}", LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype))
        for i in range(1, len(attentions) + 2):
            setattr(self, f"dropout{i}", Dropout(dropout, generator=generator))
        self.activation = _activation(activation)

    _reads_memory = False

    def _added(self, x: Any, block: Callable[[Any], Any], norm: Module, dropout: Module) -> Any:
        """x + dropout(block(norm(x))), or norm(x + dropout(block(x)))."""
        if self.norm_first:
            return x + dropout(block(norm(x)))
        return norm(x + dropout(block(x)))

    def _place_by_place(self, x: Any) -> Any:
        """W₂·dropout(activation(W₁·x))."""
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer):
    """x ← norm(x + attention(x)), then x ← norm(x + W₂·activation(W₁·x)). With norm_first, the norms come before the
    blocks.

    x and the result are (N, L, d_model) with batch_first, else (L, N, d_model), and (L, d_model) for one example.

    d_model: the width of x.
    nhead: the number of heads, which divides d_model.
    dim_feedforward: the width between W₁ and W₂.
    dropout: the probability of dropout, on the weights of the attention and on all that is added.
    activation: "relu", "gelu" or a function.
    layer_norm_eps: the ε of the norms.
    batch_first: whether the axis of the examples comes first.
    norm_first: whether a norm comes before each block rather than after it.
    bias: whether products and norms have a bias.
    generator: draws the first weights and the dropout; by default the generator that `tg.manual_seed` sets.
    dtype: the type of the weights; by default `tg.get_default_dtype()`.

    Raises ValueError for heads that do not divide d_model, and for another activation.

    >>> layer = TransformerEncoderLayer(8, 2, 16, batch_first=True)
    >>> layer(np.ones((3, 5, 8), np.float32), is_causal=True).shape
    (3, 5, 8)
    """

    self_attn: MultiheadAttention
    norm1: LayerNorm
    norm2: LayerNorm
    dropout1: Dropout
    dropout2: Dropout

    def forward(
        self,
        src: ArrayLike,
        src_mask: ArrayLike | None = None,
        src_key_padding_mask: ArrayLike | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Compute the layer. The masks are those of `MultiheadAttention`: True where nobody looks. is_causal needs no
        mask beside it.
        """

        def attend(x: Any) -> Any:
            return self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0]

        x = self._added(src, attend, self.norm1, self.dropout1)
        return self._added(x, self._place_by_place, self.norm2, self.dropout2)


class TransformerDecoderLayer(_Layer):
    """x ← norm(x + attention(x)), x ← norm(x + attention to the memory), x ← norm(x + W₂·activation(W₁·x)).

    It is called as `layer(x, memory)`, where the memory is what the encoder gave, as wide as x. With norm_first, the
    norms come before the blocks. The parameters are those of `TransformerEncoderLayer`.

    >>> layer = TransformerDecoderLayer(8, 2, 16, batch_first=True)
    >>> layer(np.ones((3, 5, 8), np.float32), np.ones((3, 7, 8), np.float32), tgt_is_causal=True).shape
    (3, 5, 8)
    """

    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention
    norm1: LayerNorm
    norm2: LayerNorm
    norm3: LayerNorm
    dropout1: Dropout
    dropout2: Dropout
    dropout3: Dropout
    _reads_memory = True

    def forward(
        self,
        tgt: ArrayLike,
        memory: ArrayLike,
        tgt_mask: ArrayLike | None = None,
        memory_mask: ArrayLike | None = None,
        tgt_key_padding_mask: ArrayLike | None = None,
        memory_key_padding_mask: ArrayLike | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Compute the layer. The masks are those of `MultiheadAttention`, for the target's own attention and for that
        to the memory.
        """

        def attend(x: Any) -> Any:
            return self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]

        def look(x: Any) -> Any:
            return self.multihead_attn(
                x, memory, memory, memory_key_padding_mask, False, memory_mask, is_causal=memory_is_causal
            )[0]

        x = self._added(tgt, attend, self.norm1, self.dropout1)
        x = self._added(x, look, self.norm2, self.dropout2)
        return self._added(x, self._place_by_place, self.norm3, self.dropout3)


def _copies(layer: Module, number: int, what: str) -> ModuleList:
    if count(number, what, "num_layers") < 0:
        raise ValueError(f"{what} has 0 layers or more, but got {number}")
    return ModuleList([copy.deepcopy(layer) for _ in range(number)])


class TransformerEncoder(Module):
    """Copies of a layer are called one after the other, and then a norm if one is given.

    encoder_layer: the layer that is copied. All copies begin with the same numbers, as in PyTorch; draw them anew with
    `for p in encoder.parameters(): …` where that is not wanted.
    num_layers: the number of copies.
    norm: a module, or None.

    >>> encoder = TransformerEncoder(TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
    >>> encoder(np.ones((3, 5, 8), np.float32)).shape
    (3, 5, 8)
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        self.layers = _copies(encoder_layer, num_layers, "TransformerEncoder")
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        src: ArrayLike,
        mask: ArrayLike | None = None,
        src_key_padding_mask: ArrayLike | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Call the layers one after the other; the masks are given to each."""
        x: Any = src
        for layer in self.layers:
            x = layer(x, mask, src_key_padding_mask, is_causal)
        return x if self.norm is None else self.norm(x)


class TransformerDecoder(Module):
    """Copies of a layer are called one after the other, each with the memory, and then a norm if one is given.

    decoder_layer: the layer that is copied; see `TransformerEncoder`.
    num_layers: the number of copies.
    norm: a module, or None.

    >>> decoder = TransformerDecoder(TransformerDecoderLayer(8, 2, 16, batch_first=True), 2)
    >>> decoder(np.ones((3, 5, 8), np.float32), np.ones((3, 7, 8), np.float32)).shape
    (3, 5, 8)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        self.layers = _copies(decoder_layer, num_layers, "TransformerDecoder")
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        tgt: ArrayLike,
        memory: ArrayLike,
        tgt_mask: ArrayLike | None = None,
        memory_mask: ArrayLike | None = None,
        tgt_key_padding_mask: ArrayLike | None = None,
        memory_key_padding_mask: ArrayLike | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Call the layers one after the other; the masks are given to each."""
        x: Any = tgt
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal, memory_is_causal)
        for layer in self.layers:
            x = layer(x, memory, *masks)
        return x if self.norm is None else self.norm(x)


class Transformer(Module):
    """A decoder reads what an encoder made: it turns sequences into sequences, without embeddings or an output layer.

    It is called as `net(src, tgt)`. Matrices begin as Xavier's, each drawn by itself.

    num_encoder_layers, num_decoder_layers: how many layers of each there are.
    custom_encoder, custom_decoder: modules in their place.

    The other parameters are those of `TransformerEncoderLayer`.

    Raises ValueError, when it is called, where src and tgt are not as wide as d_model, or not of one batch.

    >>> net = Transformer(8, 2, 1, 1, 16, batch_first=True)
    >>> net(np.ones((3, 7, 8), np.float32), np.ones((3, 5, 8), np.float32), tgt_is_causal=True).shape
    (3, 5, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        generator: np.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        settings = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
        drawn: dict[str, Any] = {"generator": generator, "dtype": dtype}

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*settings, **drawn), num_encoder_layers, norm()
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*settings, **drawn), num_decoder_layers, norm()
        )
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        for p in self.parameters():
            if p.ndim > 1:
                p.data[...] = init.xavier_uniform(p.shape, generator=generator, dtype=p.dtype)

    def forward(
        self,
        src: ArrayLike,
        tgt: ArrayLike,
        src_mask: ArrayLike | None = None,
        tgt_mask: ArrayLike | None = None,
        memory_mask: ArrayLike | None = None,
        src_key_padding_mask: ArrayLike | None = None,
        tgt_key_padding_mask: ArrayLike | None = None,
        memory_key_padding_mask: ArrayLike | None = None,
        src_is_causal: bool = False,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the decoder's result, of the shape of tgt; the masks are those of the layers."""
        shapes = np.shape(src), np.shape(tgt)  # type: ignore[arg-type]  # NumPy's stubs know lists of lists to a depth
        batch = 0 if self.batch_first else 1
        fits = all(len(s) in (2, 3) and s[-1] == self.d_model for s in shapes) and len(shapes[0]) == len(shapes[1])
        if not fits or (len(shapes[0]) == 3 and shapes[0][batch] != shapes[1][batch]):
            raise ValueError(
                f"Transformer takes src and tgt of one batch, of width {self.d_model}, but got {shapes[0]} and {shapes[1]}"
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(
            tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal,
            memory_is_causal,
        )  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(sz: int, dtype: DType = None) -> NDArray[Any]:
        """Make a mask (sz, sz) that is −∞ where a key comes after the query, else 0.

        >>> Transformer.generate_square_subsequent_mask(2).tolist()
        [[0.0, -inf], [0.0, 0.0]]
        """
        return np.triu(np.full((sz, sz), -math.inf, get_default_dtype() if dtype is None else dtype), 1)

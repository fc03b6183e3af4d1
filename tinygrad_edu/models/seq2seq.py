"""Seq2Seq: from a sequence to another one, by a recurrent encoder and a recurrent decoder; also peeky, and with attention.

Sources: Sutskever, Vinyals and Le, *Sequence to sequence learning with neural networks* (2014); Cho et al., *Learning phrase
representations using RNN encoder–decoder* (2014), for the decoder that sees the encoder's last state at every step; Luong, Pham
and Manning, *Effective approaches to attention-based neural machine translation* (2015), for attention by products.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy

from tinygrad_edu import nn
from tinygrad_edu.creation import count
from tinygrad_edu.models.char_rnn import evaluated, recurrent
from tinygrad_edu.nn import functional as F

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tinygrad_edu.engine.arguments import ArrayLike, DType

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

WAYS = ("plain", "peeky", "attention")


class Seq2Seq(nn.Module):
    """Logits of a sequence that answers another one: an encoder reads the first, a decoder writes the second.

    vocab_size: V, how many tokens there are, in both sequences.
    embedding_size, hidden_size: the numbers of an embedding and of a state.
    way: what the decoder knows of the first sequence. "plain": it begins with the encoder's last state h. "peeky": it gets h at
        every step too, beside its own input and beside its state before the head. "attention": at every step it weighs all states of
        the encoder by softmax(h_decoder · h_encoder), and the head gets their sum too.
    kind: "RNN", "LSTM" or "GRU".
    generator, dtype: where first weights are drawn from, and their type.

    An LSTM's decoder begins with the encoder's h, and with c = 0. Reversing the first sequence, x[:, ::-1], makes short ways
    between what belongs together, and plain ones learn sooner.

    Raises ValueError for another way or kind, and for sizes below 1.

    >>> model = Seq2Seq(vocab_size=13, embedding_size=8, hidden_size=16, way="attention")
    >>> source, answer = np.zeros((3, 7), int), np.zeros((3, 4), int)
    >>> model(source, answer).shape, model.generate(source, start=6, length=4).shape
    ((3, 4, 13), (3, 4))
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_size: int = 16,
        hidden_size: int = 128,
        way: Literal["plain", "peeky", "attention"] = "plain",
        kind: str = "LSTM",
        *,
        generator: numpy.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        if way not in WAYS:
            raise ValueError(f"Seq2Seq's way is one of {', '.join(WAYS)}, but got {way!r}")
        how: dict[str, Any] = {"generator": generator, "dtype": dtype}
        made = recurrent("Seq2Seq", kind)
        self.way = way
        self.source_embedding = nn.Embedding(vocab_size, embedding_size, **how)
        self.encoder = made(embedding_size, hidden_size, batch_first=True, **how)
        self.answer_embedding = nn.Embedding(vocab_size, embedding_size, **how)
        seen = hidden_size if way == "peeky" else 0
        self.decoder = made(embedding_size + seen, hidden_size, batch_first=True, **how)
        self.head = nn.Linear(hidden_size * (1 if way == "plain" else 2), vocab_size, **how)

    def forward(self, source: ArrayLike, answer: ArrayLike) -> Any:
        """Logits (N, L, V) of the token after each of `answer` (N, L), which answers `source` (N, S).

        answer: begins with a token that starts every answer; in training, the right one without its last token.
        """
        states = self._encoded(source)
        if np.shape(answer)[:1] != states.shape[:1]:
            raise ValueError(
                f"Seq2Seq takes a source (N, S) and an answer (N, L) of one batch, but got {np.shape(source)} and {np.shape(answer)}"
            )
        return self._decoded(answer, states, self._first(states))[0]

    def _encoded(self, source: Any) -> Any:
        """All states h of the encoder: (N, S, H)."""
        shape = np.shape(source)
        if len(shape) != 2:
            raise ValueError(f"Seq2Seq takes sequences of tokens of shape (N, S), but got {shape}")
        return self.encoder(self.source_embedding(source))[0]

    def _first(self, states: Any) -> Any:
        """The state that the decoder begins with: the encoder's last one."""
        h = states[:, -1][None]
        return (h, np.zeros(h.shape, h.dtype)) if isinstance(self.decoder, nn.LSTM) else h

    def _decoded(self, answer: Any, states: Any, first: Any) -> tuple[Any, Any, Any]:
        """Logits after each token of the answer, the decoder's last state, and the weights of attention, if there are."""
        x, weights = self.answer_embedding(answer), None
        h = np.broadcast_to(states[:, -1:], (*x.shape[:2], states.shape[2])) if self.way == "peeky" else None
        y, last = self.decoder(x if h is None else np.concatenate([x, h], axis=2), first)
        if self.way == "attention":
            weights = F.softmax(y @ states.mT)
            h = weights @ states
        return self.head(y if h is None else np.concatenate([y, h], axis=2)), last, weights

    def attention(self, source: ArrayLike, answer: ArrayLike) -> NDArray[Any]:
        """The weights (N, L, S) with which each token of the answer (N, L) looks at each of the source (N, S): a map to draw.

        Raises ValueError for a model without attention.

        >>> model = Seq2Seq(13, 4, 8, way="attention")
        >>> model.attention(np.zeros((1, 5), int), np.zeros((1, 3), int)).sum(axis=2).round(3).tolist()
        [[1.0, 1.0, 1.0]]
        """
        if self.way != "attention":
            raise ValueError(f"this Seq2Seq looks at its source in the way {self.way!r}; make it with way='attention'")

        def weighed() -> Any:
            states = self._encoded(source)
            return self._decoded(answer, states, self._first(states))[2].numpy()

        weights: NDArray[Any] = evaluated(self, weighed)
        return weights

    def generate(self, source: ArrayLike, start: int, length: int) -> NDArray[Any]:
        """The likeliest answers (N, length) to `source` (N, S), token by token, each fed back as the next input.

        start: the token that starts every answer, which is not part of what is returned.
        length: how many tokens an answer has.
        """
        steps = count(length, "generate", "length")
        if steps < 1:
            raise ValueError(f"generate() makes answers of 1 token or more, but got length={length}")

        def answered() -> Any:
            states = self._encoded(source)
            state, found = self._first(states), [np.full((states.shape[0], 1), start)]
            for _ in range(steps):
                logits, state, _ = self._decoded(found[-1], states, state)
                found.append(np.argmax(logits.numpy(), axis=2))
            return np.concatenate(found[1:], axis=1)

        made: NDArray[Any] = evaluated(self, answered)
        return made

"""SentimentRNN: a recurrent classifier of sentences, many words to one answer.

Source: Socher et al., *Recursive deep models for semantic compositionality over a sentiment treebank* (2013), where recurrent
networks are among what is compared; Schuster and Paliwal, *Bidirectional recurrent neural networks* (1997).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu import nn
from tinygrad_edu.models.char_rnn import recurrent

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike, DType
    from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


class SentimentRNN(nn.Module):
    """Logits of the classes of whole sentences: embeddings, recurrent layers, a linear head on their last states.

    vocab_size: how many words there are.
    num_classes: C, how many answers.
    embedding_size, hidden_size: the numbers of an embedding and of a state.
    num_layers: how many recurrent layers stand on one another.
    kind: "RNN", "LSTM" or "GRU".
    bidirectional: whether a second state reads from the end to the beginning; the head gets both.
    dropout: the share that is left out of embeddings, between layers and of the last states, in training.
    padding_idx: the word that fills sentences up; where it stands, the state stays as it is. None for no such word.
    generator, dtype: where first weights are drawn from, and their type.

    Raises ValueError for another kind and for sizes below 1.

    >>> import numpy as np
    >>> model = SentimentRNN(vocab_size=100, num_classes=2, embedding_size=8, hidden_size=16)
    >>> short, filled = np.array([[5, 7, 3]]), np.array([[5, 7, 3, 0, 0]])
    >>> model(short).shape, bool(np.allclose(model(short), model(filled)))
    ((1, 2), True)
    """

    def __init__(
        self,
        vocab_size: int,
        num_classes: int = 2,
        embedding_size: int = 100,
        hidden_size: int = 100,
        num_layers: int = 1,
        kind: str = "LSTM",
        bidirectional: bool = True,
        dropout: float = 0.0,
        *,
        padding_idx: int | None = 0,
        generator: numpy.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        how: dict[str, Any] = {"generator": generator, "dtype": dtype}
        made = recurrent("SentimentRNN", kind)
        self.embedding = nn.Embedding(vocab_size, embedding_size, padding_idx=padding_idx, **how)
        self.drop = nn.Dropout(dropout, generator=generator)
        self.rnn = made(
            embedding_size, hidden_size, num_layers, batch_first=True, bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0, **how,
        )  # fmt: skip
        self.head = nn.Linear(hidden_size * (1 + bidirectional), num_classes, **how)

    def forward(self, words: ArrayLike) -> Tensor:
        """Logits (N, C) of sentences of `words` (N, L), or (C,) of one sentence (L,)."""
        padding = self.embedding.padding_idx
        mask = None if padding is None else np.not_equal(words, padding)
        _, states = self.rnn(self.drop(self.embedding(words)), mask=mask)
        last = states[0] if isinstance(states, tuple) else states
        found = np.concatenate([last[-2], last[-1]], axis=-1) if self.rnn.bidirectional else last[-1]
        logits: Tensor = self.head(self.drop(found))
        return logits

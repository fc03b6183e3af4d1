"""CharRNN: a recurrent language model, which says what comes next after each character or word.

Sources: Mikolov et al., *Recurrent neural network based language model* (2010); Zaremba, Sutskever and Vinyals, *Recurrent
neural network regularization* (2014), for dropout between layers; Press and Wolf, *Using the output embedding to improve
language models* (2017), for a head that shares the table of embeddings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu import nn, random
from tinygrad_edu.creation import count
from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.models.gpt import drawn
from tinygrad_edu.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tinygrad_edu.engine.arguments import ArrayLike, DType

KINDS = ("RNN", "LSTM", "GRU")


def recurrent(who: str, kind: str) -> Any:
    """The class of the recurrent layers of this kind. Raises ValueError for another name."""
    if kind not in KINDS:
        raise ValueError(f"{who}'s kind is one of {', '.join(KINDS)}, but got {kind!r}")
    return getattr(nn, kind)


def evaluated(model: nn.Module, function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)` with the model in evaluation mode, and without a graph; afterwards each module's mode is as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        return no_grad().run(function, *args)
    finally:
        for module, mode in modes:
            module.training = mode


class CharRNN(nn.Module):
    """Logits of the next token at every place of a text: embeddings, recurrent layers, a linear head.

    vocab_size: V, how many tokens there are.
    embedding_size, hidden_size: the numbers of an embedding and of a state.
    num_layers: how many recurrent layers stand on one another.
    kind: "RNN", "LSTM" or "GRU".
    dropout: the share that is left out of embeddings, between layers and of the last states, in training.
    tied: whether the head is the table of embeddings, transposed; hidden_size equals embedding_size then.
    generator, dtype: where first weights are drawn from, and their type.

    Raises ValueError for another kind, for sizes below 1, and for a tied head that does not fit.

    >>> model = CharRNN(vocab_size=65, embedding_size=16, hidden_size=32)
    >>> logits, state = model(np.zeros((3, 10), int))
    >>> logits.shape
    (3, 10, 65)
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_size: int = 100,
        hidden_size: int = 100,
        num_layers: int = 1,
        kind: str = "LSTM",
        dropout: float = 0.0,
        *,
        tied: bool = False,
        generator: np.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        made = recurrent("CharRNN", kind)
        if tied and hidden_size != embedding_size:
            raise ValueError(
                f"a tied head needs states as wide as embeddings, but got hidden_size={hidden_size} and embedding_size={embedding_size}"
            )
        how: dict[str, Any] = {"generator": generator, "dtype": dtype}
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size, embedding_size, **how)
        self.drop = nn.Dropout(dropout, generator=generator)
        between = dropout if num_layers > 1 else 0.0
        self.rnn = made(embedding_size, hidden_size, num_layers, batch_first=True, dropout=between, **how)
        self.head = None if tied else nn.Linear(hidden_size, vocab_size, **how)

    def forward(self, tokens: ArrayLike, state: Any = None) -> tuple[Any, Any]:
        """Logits (N, L, V) of the token after each of `tokens` (N, L), and the state after the last of them.

        state: what the layers begin with, as they returned it before; detached, it ends backpropagation through time there.
        Both also without N.
        """
        y, state = self.rnn(self.drop(self.embedding(tokens)), state)
        y = self.drop(y)
        return (F.linear(y, self.embedding.weight.T) if self.head is None else self.head(y)), state

    def generate(
        self,
        prompt: ArrayLike,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: np.random.Generator | None = None,
    ) -> NDArray[np.int64]:
        """The prompt, and as many tokens after it, each drawn from softmax(logits / temperature): (…, L + max_new_tokens).

        prompt: tokens (N, L), or (L,), one at least.
        max_new_tokens: how many are drawn.
        temperature: 0 takes the likeliest.
        top_k: only that many of the likeliest are drawn from.
        generator: if not given, the one that `manual_seed` sets.

        It runs in evaluation mode, and leaves the mode as it was.

        Raises ValueError for an empty prompt, a negative temperature, and for top_k below 1.

        >>> CharRNN(5, 4, 8).generate([1, 2], 3, generator=np.random.default_rng(0)).shape
        (5,)
        """
        given = np.asarray(prompt)
        if given.ndim not in (1, 2) or not given.shape[-1] or given.dtype.kind not in "iu":
            raise ValueError(
                f"generate() takes a prompt of one whole number or more, (N, L) or (L,), but got {given.dtype} {given.shape}"
            )
        if not temperature >= 0:
            raise ValueError(f"generate()'s temperature is 0 or more, but got {temperature}")
        if top_k is not None and count(top_k, "generate", "top_k") < 1:
            raise ValueError(f"generate()'s top_k is 1 or more, but got {top_k}")
        if count(max_new_tokens, "generate", "max_new_tokens") < 0:
            raise ValueError(f"generate() makes 0 tokens or more, but got max_new_tokens={max_new_tokens}")
        own = random.generator(generator)

        def continued(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
            found, state, last = [tokens], None, tokens
            for _ in range(max_new_tokens):
                logits, state = self(last, state)
                last = drawn(logits.numpy()[:, -1], temperature, top_k, own)[:, None]
                found.append(last)
            return np.concatenate(found, axis=1)

        rows = given.reshape(-1, given.shape[-1]).astype(np.int64)
        return evaluated(self, continued, rows).reshape(*given.shape[:-1], -1)

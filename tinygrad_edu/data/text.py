"""Text as numbers: a number for each character, or for each of the pieces that byte-pair encoding finds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class CharTokenizer:
    """A number for each character that a text has, in the order of their code points.

    text: the text, or any characters, whose different ones are the vocabulary. `len()` is how many they are.

    >>> tokenizer = CharTokenizer("hello")
    >>> tokenizer.vocabulary, tokenizer.encode("hole").tolist(), tokenizer.decode([1, 0, 2, 2, 3])
    ('ehlo', [1, 3, 2, 0], 'hello')
    """

    def __init__(self, text: Iterable[str]) -> None:
        self.vocabulary = "".join(sorted(set("".join(text))))
        self._numbers = {character: i for i, character in enumerate(self.vocabulary)}
        if not self.vocabulary:
            raise ValueError("CharTokenizer takes a text of one character or more, but got none")

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __repr__(self) -> str:
        return f"CharTokenizer({self.vocabulary!r})"

    def encode(self, text: str) -> NDArray[np.int64]:
        """The number of each character: (len(text),).

        Raises ValueError for characters that the vocabulary lacks, naming them and where the first one stands.
        """
        unknown = sorted(set(text) - self._numbers.keys())
        if unknown:
            first = min(map(text.index, unknown))
            raise ValueError(
                f"the vocabulary of {len(self)} characters lacks {', '.join(map(repr, unknown[:10]))}"
                f"{', …' if len(unknown) > 10 else ''}, first met at {first}: {text[max(0, first - 10) : first + 10]!r}"
            )
        return np.array([self._numbers[character] for character in text], np.int64)

    def decode(self, numbers: Any) -> str:
        """The text of these numbers. Raises ValueError for numbers that no character has."""
        given = _whole(numbers)
        wrong = given[(given < 0) | (given >= len(self))]
        if wrong.size:
            raise ValueError(f"the characters have the numbers 0 to {len(self) - 1}, but got {wrong[0]}")
        return "".join([self.vocabulary[i] for i in given])


class BytePairTokenizer:
    """A number for each piece of text, of pieces that were often together: byte-pair encoding, by Hugging Face's tokenizers.

    It begins with the 256 bytes, so no text is unknown, and joins the pair that is met most often until there are
    `vocab_size` pieces. Make one by `BytePairTokenizer.train(text, vocab_size)`; nothing is downloaded.

    Raises ImportError where tokenizers is not installed, and says how to install it.

    Source: Sennrich, Haddow and Birch, *Neural machine translation of rare words with subword units* (2016).
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    @classmethod
    def train(cls, text: str | Iterable[str], vocab_size: int = 1000) -> Self:
        """Find the pieces of a text, or of several. vocab_size: how many there are to be, 256 at least."""
        if vocab_size < 256:
            raise ValueError(f"byte-pair encoding begins with 256 bytes, but got vocab_size={vocab_size}")
        library = _tokenizers()
        made = library.Tokenizer(library.models.BPE())
        made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = library.decoders.ByteLevel()
        trainer = library.trainers.BpeTrainer(
            vocab_size=vocab_size,
            initial_alphabet=sorted(library.pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        made.train_from_iterator([text] if isinstance(text, str) else text, trainer)
        return cls(made)

    def __len__(self) -> int:
        return int(self.tokenizer.get_vocab_size())

    def encode(self, text: str) -> NDArray[np.int64]:
        """The numbers of the pieces that the text falls into."""
        return np.array(self.tokenizer.encode(text).ids, np.int64)

    def decode(self, numbers: Any) -> str:
        """The text of these numbers."""
        return str(self.tokenizer.decode(_whole(numbers).tolist()))

    def save(self, path: str | Path) -> None:
        """Write the pieces, as JSON that tokenizers reads too."""
        Path(path).write_text(json.dumps(json.loads(self.tokenizer.to_str())), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote."""
        return cls(_tokenizers().Tokenizer.from_str(Path(path).read_text(encoding="utf-8")))


def _tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError('byte-pair encoding is that of tokenizers: pip install "tinygrad-edu[text]"') from error
    return tokenizers


def _whole(numbers: Any) -> NDArray[np.int64]:
    """Tokens as a row of whole numbers."""
    given = np.asarray(numbers)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise ValueError(f"decode() takes a row of whole numbers, but got {given.dtype} of shape {given.shape}")
    return given.astype(np.int64)

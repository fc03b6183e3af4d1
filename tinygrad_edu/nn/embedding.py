"""Embedding: a layer that looks up a vector for each word, in a table that is learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from tinygrad_edu.creation import count
from tinygrad_edu.engine.protocols import ungraphed
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn import init
from tinygrad_edu.nn.functional.checks import positive
from tinygrad_edu.nn.functional.embedding import row
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.parameter import Parameter

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike, DType
    from tinygrad_edu.engine.tensor import Tensor


class Embedding(Module):
    """yᵢ = weight[xᵢ]: each whole number, which stands for a word, becomes a row of a table that is learnt.

    x: whole numbers below num_embeddings, of any shape; y: (*x.shape, embedding_dim). The weight is (num_embeddings,
    embedding_dim), and begins as standard normal numbers.

    num_embeddings: the number of words, at least 1.
    embedding_dim: the length of each vector, at least 1.
    padding_idx: the number that stands for no word, but fills sentences up; its row is 0 at first, and is not learnt.
    max_norm: the length to which longer rows are scaled, in place, when they are looked up; None leaves them.
    norm_type: the order of the norm that is this length.
    sparse: must be False: a gradient has the shape of its tensor here, and is made of the rows that were looked up.
    generator: draws the first weights; by default the generator that `tg.manual_seed` sets.
    dtype: the type of the weights; by default `tg.get_default_dtype()`.

    Raises IndexError, when it is called, for a number that the table does not have, TypeError for numbers that are not
    whole.

    >>> layer = Embedding(10, 3, padding_idx=0)
    >>> layer(np.array([[1, 2], [4, 0]])).shape, layer(np.array([0])).tolist()
    ((2, 2, 3), [[0.0, 0.0, 0.0]])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        sparse: bool = False,
        *,
        generator: np.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        if sparse:
            raise ValueError(
                "Embedding(sparse=True) would give a gradient of rows alone, but a gradient has the shape of its tensor here: "
                "leave sparse out; the rows that were looked up are added into zeros, without a one-hot matrix"
            )
        self.num_embeddings = count(num_embeddings, "Embedding", "num_embeddings")
        self.embedding_dim = count(embedding_dim, "Embedding", "embedding_dim")
        if self.num_embeddings < 1 or self.embedding_dim < 1:
            raise ValueError(
                f"Embedding needs at least one word and one dimension, but got {num_embeddings} and {embedding_dim}"
            )
        if max_norm is not None:
            positive("Embedding's max_norm", max_norm)
        self.padding_idx = None if padding_idx is None else row(padding_idx, self.num_embeddings)
        self.max_norm, self.norm_type = max_norm, norm_type
        table = init.normal((self.num_embeddings, self.embedding_dim), generator=generator, dtype=dtype)
        if self.padding_idx is not None:
            table[self.padding_idx] = 0
        self.weight = Parameter(table)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: ArrayLike,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
    ) -> Self:
        """Make a layer whose table is a copy of `embeddings`.

        embeddings: (words, width).
        freeze: whether the table stays as it is; with `freeze=False` it is learnt.
        padding_idx, max_norm, norm_type: as `Embedding` takes them.

        Raises ValueError for a table that is no matrix.

        >>> Embedding.from_pretrained(np.eye(3))(np.array([2])).tolist()
        [[0.0, 0.0, 1.0]]
        """
        table = np.array(ungraphed(embeddings, "from_pretrained", "layer.weight = nn.Parameter(...)"))
        if table.ndim != 2:
            raise ValueError(f"from_pretrained() takes a table of shape (words, width), but got {table.shape}")
        words, width = table.shape
        layer = cls(words, width, padding_idx, max_norm, norm_type)
        layer.weight = Parameter(table, requires_grad=not freeze)
        return layer

    def forward(self, x: ArrayLike) -> Tensor:
        return F.embedding(x, self.weight, self.padding_idx, self.max_norm, self.norm_type)

    def extra_repr(self) -> str:
        said = f"{self.num_embeddings}, {self.embedding_dim}"
        said += "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return said + ("" if self.max_norm is None else f", max_norm={self.max_norm}, norm_type={self.norm_type}")

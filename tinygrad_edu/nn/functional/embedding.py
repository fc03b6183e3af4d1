"""Looking up vectors in a table, with padding, and with an upper bound on their length."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.recording import no_grad, watched
from tinygrad_edu.nn.functional.checks import positive
from tinygrad_edu.ops.network import embedding as table
from tinygrad_edu.ops.parts import lifted
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array


@lifted
def embedding(
    numbers: Array, weight: Array, padding_idx: int | None = None, max_norm: float | None = None, norm_type: float = 2.0
) -> Array:
    """yᵢ = weight[numbersᵢ]: each whole number, which stands for a word, becomes a row of the table.

    The gradient of the table is made of the rows that were looked up; no one-hot matrix is built.

    numbers: whole numbers, of any shape; y: (*numbers.shape, width).
    weight: the table, (words, width).
    padding_idx: the number that stands for no word: its row gets no gradient. It is counted from the end where
        negative.
    max_norm: the length to which longer rows are scaled, in place, when they are looked up; None leaves them. A graph
        that used the table before is stale then, so look up all numbers of a step in one call.
    norm_type: the order of the norm that is this length.

    Raises IndexError for a number that the table does not have, TypeError for numbers that are not whole.

    >>> embedding(np.array([2, 0]), np.eye(3)).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    numbers, weight = array(numbers), array(weight)
    if weight.ndim != 2:
        raise ValueError(f"embedding takes a table of shape (words, width), but got {weight.shape}")
    if padding_idx is not None:
        padding_idx = row(padding_idx, len(weight))
    if max_norm is not None:
        positive("max_norm", max_norm)
        no_grad().run(_shorten, weight, numbers, max_norm, norm_type)
    return table.embedding(weight, numbers, padding_idx=padding_idx)


def row(padding_idx: int, words: int) -> int:
    """The number of the row for padding, from 0 up. Raises ValueError for one that the table does not have."""
    if not -words <= operator.index(padding_idx) < words:
        raise ValueError(f"padding_idx is one of the {words} words, 0 to {words - 1}, but got {padding_idx}")
    return operator.index(padding_idx) % words


def _shorten(weight: Any, numbers: Any, max_norm: float, norm_type: float) -> None:
    """Scale those of the rows that are looked up and are longer than `max_norm`, in place."""
    rows = table.embedding(weight, numbers)
    lengths = np.linalg.norm(rows, ord=norm_type, axis=-1, keepdims=True)
    longer = lengths > max_norm
    if any_of(longer):
        weight[numbers] = rows * np.where(longer, max_norm / (lengths + 1e-7), 1)


@watched
def any_of(longer: Any) -> bool:
    """Whether any row has to be written. A recorded function looks at this number, so it is watched."""
    return bool(longer.any())

"""Looking up vectors: `embedding`, with padding, and with vectors kept short."""

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
    """yᵢ = weight[numbersᵢ]: the vector of each number, as a row of the table.

    numbers: whole, of any shape; weight: (words, width); y: (*numbers.shape, width). The gradient of the table is made
    of the rows that were looked up, without a one-hot matrix.

    padding_idx: a number whose row gets no gradient; counted from the end where negative.
    max_norm: rows that are looked up, and longer, are first scaled to this length, in place; the length is the norm of
        order `norm_type`. A graph that used the table before is stale then: look up all numbers of a step in one call.

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
    """The row of padding. Raises ValueError for one that the table does not have."""
    if not -words <= operator.index(padding_idx) < words:
        raise ValueError(f"padding_idx is one of the {words} words, 0 to {words - 1}, but got {padding_idx}")
    return operator.index(padding_idx) % words


def _shorten(weight: Any, numbers: Any, max_norm: float, norm_type: float) -> None:
    """Scale the rows that are looked up, and are longer than `max_norm`, in place."""
    rows = table.embedding(weight, numbers)
    lengths = np.linalg.norm(rows, ord=norm_type, axis=-1, keepdims=True)
    longer = lengths > max_norm
    if any_of(longer):
        weight[numbers] = rows * np.where(longer, max_norm / (lengths + 1e-7), 1)


@watched
def any_of(longer: Any) -> bool:
    """Whether a row is to be written."""
    return bool(longer.any())

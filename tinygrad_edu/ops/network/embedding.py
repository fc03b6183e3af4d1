"""Embedding: numbers of words looked up in a table of vectors, which is a product with a one-hot matrix without the matrix."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import op
from tinygrad_edu.ops.indexing import ARRAY, scatter
from tinygrad_edu.ops.parts import gate
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, DType, Out

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _rows(g: Any, numbers: Any, padding: int | None) -> Any:
    """∂L/∂y, and 0 in the rows of the number that is padding."""
    return g if padding is None else gate(g, np.expand_dims(np.not_equal(numbers, padding), -1))


def _settings(weight: Array, numbers: Array, padding_idx: int | None = None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    numbers = array(numbers)
    if isinstance(numbers, np.generic):  # else it would be as weak as a Python number, and become a float
        numbers = np.asarray(numbers)
    return (weight, numbers), {"padding_idx": padding_idx}


@op(
    symbol="embedding",
    vjp=(
        lambda g, y, weight, numbers, *, padding_idx: scatter(
            _rows(g, numbers, padding_idx), numbers, key=(ARRAY,), shape=weight.shape
        ),
        None,
    ),
    presence="selects",
    bind=_settings,
    formulas=["∂L/∂weight = 0 but ∂L/∂weight[numbers] += ∂L/∂y", "∂L/∂numbers: none"],
    takes_out=True,
    may_raise=True,
    examples=[
        example((4, 3), np.array([0, 2, 2])),
        # a number that is padding would have a slope, which is not sent
        example((4, 3), np.array([[1, 3], [3, 0]]), padding_idx=2),
        example((3, 2), np.array(1)),
        example((2, 2), np.array([], int), 1),
    ],
)
def embedding(weight: Array, numbers: Array, padding_idx: int | None, *, out: Out = None) -> Array:
    """yᵢ = weight[numbersᵢ]: the row of each number. weight: (words, width); numbers: any shape; y: (…, width).

    The rows that were looked up have ∂L/∂y added, those of `padding_idx` not, the others 0: a gradient of the table's
    size, made without a one-hot matrix.

    >>> embedding(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1, 0, 1])).tolist()
    [[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]

    Raises IndexError for a number below 0 or not below the number of words, TypeError for numbers that are not whole.
    """
    if numbers.dtype.kind not in "iu":
        one_hot = numbers.ndim > 1 and numbers.shape[-1] == len(weight)
        cure = "numbers.argmax(-1) of one-hot ones" if one_hot else "numbers.astype(int)"
        raise TypeError(f"words are looked up by whole numbers, but got {numbers.dtype}; write {cure}")
    words = len(weight)
    if numbers.size and (np.minimum.reduce(numbers, axis=None) < 0 or np.maximum.reduce(numbers, axis=None) >= words):
        place = tuple(np.argwhere((numbers < 0) | (numbers >= words))[0].tolist())
        at = f"[{', '.join(map(str, place))}]" if place else ""
        raise IndexError(f"numbers{at} is {numbers[place]}, but the table has {words} words, 0 to {words - 1}")
    return np.take(weight, numbers, axis=0, out=out, mode="clip")  # all are in range: "raise" would copy once more


def _bind_one_hot(
    indices: Array, num_classes: int, dtype: DType = numpy.float32
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return (indices,), {"num_classes": operator.index(num_classes), "dtype": np.dtype(dtype).name}


@op(
    symbol="one_hot",
    spelled="by name",
    bind=_bind_one_hot,
    takes_out=True,
    may_raise=True,
    examples=[example(np.array([[2, 0], [1, 1]]), 3), example(np.array(1), 4, dtype="float64")],
)
def one_hot(indices: Array, num_classes: int, dtype: str, *, out: Out = None) -> Array:
    """yᵢⱼ = 1 if j = indicesᵢ, else 0, for j in 0 … num_classes − 1 along a new last axis.

    float32 unless told otherwise: with float32 it stays so, and with float64 nothing is lost, for 0 and 1 are exact.
    Raises IndexError if an index is negative or not below `num_classes`.

    indices: integers, an array of any shape.
    num_classes: the length of the new axis.
    dtype: the type of the zeros and ones.

    >>> one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    indices = np.asarray(indices)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"one_hot counts classes by integers, but got {indices.dtype}; write labels.astype(int)")
    if indices.size and (indices.min() < 0 or indices.max() >= num_classes):
        raise IndexError(
            f"one_hot: classes run from 0 to {num_classes - 1}, but got {indices.min()} to {indices.max()}"
        )
    y = np.equal(indices[..., None], np.arange(num_classes), out)
    return y.astype(dtype) if out is None else y

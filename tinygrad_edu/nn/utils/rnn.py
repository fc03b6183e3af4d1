"""Sequences of different lengths: filled up to one array, or packed without the filling.

A `PackedSequence` holds the steps of all sequences that are still going on, step by step: `data` are the first steps of
all sequences, then the second ones of those that have one, and so on; `batch_sizes` says how many there are of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

__all__ = [
    "PackedSequence",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class PackedSequence(NamedTuple):
    """Sequences of different lengths without filling: what `pack_sequence` gives, and what recurrent layers take and return.

    data: (Σ lengths, …), the steps in the order of time, at each step the longest sequence first.
    batch_sizes: (longest,), how many sequences have each step.
    sorted_indices: which of the sequences given is the longest, the next, …; None if they came in that order.
    unsorted_indices: where each of the sequences given is among them.
    """

    data: Tensor | Any
    batch_sizes: Array
    sorted_indices: Array | None = None
    unsorted_indices: Array | None = None


def _lengths(lengths: Any, count: int, longest: int | None = None) -> Array:
    """The lengths as whole numbers. Raises ValueError where they are not one for each sequence, or below 1 or too large."""
    given = np.asarray(lengths.numpy() if isinstance(lengths, Tensor) else lengths)
    if given.shape != (count,) or given.dtype.kind not in "iu":
        raise ValueError(
            f"lengths are {count} whole numbers, one for each sequence, but got {given.dtype} {given.shape}"
        )
    if count and (given.min() < 1 or (longest is not None and given.max() > longest)):
        at = int(np.argmax((given < 1) | (given > (given.max() if longest is None else longest))))
        said = "at least 1" if longest is None else f"between 1 and {longest}, the steps of the padded array"
        raise ValueError(f"lengths[{at}] is {given[at]}, but a sequence has {said}")
    return given.astype(np.intp)


def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """The steps of sequences that were filled up to one length, without the filling.

    input: (T, N, …), or with `batch_first` (N, T, …). lengths: N whole numbers, from 1 to T. enforce_sorted: refuse
    sequences that do not come the longest first; otherwise they are sorted, and results come back in the order given.

    Raises ValueError for lengths that do not fit, and for an order that was to be enforced.

    >>> packed = pack_padded_sequence(np.array([[1.0, 4.0], [2.0, 5.0], [3.0, 0.0]]), [3, 2])
    >>> packed.data.tolist(), packed.batch_sizes.tolist()
    ([1.0, 4.0, 2.0, 5.0, 3.0], [2, 2, 1])
    """
    x = array(input)
    if x.ndim < 2:
        raise ValueError(f"a padded array is (T, N, …), or (N, T, …) with batch_first, but got {x.shape}")
    x = np.swapaxes(x, 0, 1) if batch_first else x
    given = _lengths(lengths, x.shape[1], x.shape[0])
    order = None
    if enforce_sorted and np.any(given[1:] > given[:-1]):
        raise ValueError(
            f"sequences come the longest first, but got lengths {given.tolist()}; pass enforce_sorted=False to have them sorted"
        )
    if not enforce_sorted:
        order = np.argsort(-given, kind="stable")
        x, given = x[:, order], given[order]
    sizes = np.sum(np.arange(given[0] if len(given) else 0)[:, None] < given, axis=1)
    steps, rows = np.nonzero(np.arange(len(sizes))[:, None] < given)
    return PackedSequence(x[steps, rows], sizes, order, None if order is None else np.argsort(order))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Any, Array]:
    """The sequences filled up to one array (T, N, …), or with `batch_first` (N, T, …), and their lengths.

    padding_value: what they are filled up with. total_length: so many steps, if there are to be more than the longest has.

    Raises ValueError for fewer, and TypeError for what is not packed.

    >>> padded, lengths = pad_packed_sequence(pack_sequence([np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0])]))
    >>> padded.tolist(), lengths.tolist()
    ([[1.0, 4.0], [2.0, 5.0], [3.0, 0.0]], [3, 2])
    """
    if not isinstance(sequence, PackedSequence):
        raise TypeError(
            f"pad_packed_sequence takes a PackedSequence, but got {type(sequence).__name__}; write pack_padded_sequence(x, lengths)"
        )
    sizes = sequence.batch_sizes
    steps, rows = len(sizes), int(sizes[0]) if len(sizes) else 0
    if total_length is not None and total_length < steps:
        raise ValueError(f"total_length is at least {steps}, the steps of the longest sequence, but got {total_length}")
    steps = steps if total_length is None else total_length
    known = np.zeros((steps, rows), bool)
    known[: len(sizes)] = np.arange(rows) < np.asarray(sizes)[:, None]
    places = np.where(known, np.cumsum(known).reshape(known.shape) - 1, 0)
    lengths = known.sum(axis=0)
    if sequence.unsorted_indices is not None:
        places, known = places[:, sequence.unsorted_indices], known[:, sequence.unsorted_indices]
        lengths = lengths[sequence.unsorted_indices]
    if batch_first:
        places, known = places.T, known.T
    taken = sequence.data[places]
    mask = np.reshape(known, known.shape + (1,) * (taken.ndim - 2))
    return np.where(mask, taken, padding_value), lengths


def pad_sequence(
    sequences: Sequence[Any], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Any:
    """Sequences (length, …) filled up to one array (longest, N, …), or with `batch_first` (N, longest, …).

    padding_side: "right", behind the sequence, or "left", before it.

    Raises ValueError for no sequences, and for those whose steps are of different shapes.

    >>> pad_sequence([np.array([1.0, 2.0, 3.0]), np.array([4.0])], batch_first=True, padding_side="left").tolist()
    [[1.0, 2.0, 3.0], [0.0, 0.0, 4.0]]
    """
    given = [array(x) for x in sequences]
    if padding_side not in ("right", "left"):
        raise ValueError(f"padding_side is 'right' or 'left', but got {padding_side!r}")
    if not given or any(x.ndim < 1 or x.shape[1:] != given[0].shape[1:] for x in given):
        raise ValueError(
            f"pad_sequence takes sequences (length, …) with steps of one shape, but got {[np.shape(x) for x in given]}"
        )
    longest = max([x.shape[0] for x in given])
    filled = []
    for x in given:
        missing = longest - x.shape[0]
        width = (0, missing) if padding_side == "right" else (missing, 0)
        filled.append(np.pad(x, (width, *[(0, 0)] * (x.ndim - 1)), constant_values=padding_value))
    return np.stack(filled, axis=0 if batch_first else 1)


def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (length, …), packed; see `pack_padded_sequence`.

    >>> pack_sequence([np.array([1.0, 2.0]), np.array([3.0])]).data.tolist()
    [1.0, 3.0, 2.0]
    """
    lengths = [np.shape(x)[0] for x in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """The sequences that were filled up to one array, each of its own length: what `pad_sequence` was given.

    >>> [x.tolist() for x in unpad_sequence(np.array([[1.0, 4.0], [2.0, 0.0]]), [2, 1])]
    [[1.0, 2.0], [4.0]]
    """
    x = array(padded_sequences)
    steps, count = (x.shape[1], x.shape[0]) if batch_first else x.shape[:2]
    given = _lengths(lengths, count, steps).tolist()
    return [x[k, :n] if batch_first else x[:n, k] for k, n in enumerate(given)]


def unpack_sequence(packed_sequences: PackedSequence) -> list[Any]:
    """The sequences that were packed, each of its own length.

    >>> [x.tolist() for x in unpack_sequence(pack_sequence([np.array([1.0, 2.0]), np.array([3.0])]))]
    [[1.0, 2.0], [3.0]]
    """
    padded, lengths = pad_packed_sequence(packed_sequences)
    return unpad_sequence(padded, lengths)

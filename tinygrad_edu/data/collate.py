"""Collating: samples that have the same parts become one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.tables import is_table, table
from tinygrad_edu.engine.tensor import Tensor


def default_collate(samples: Sequence[Any], called: str = "a sample") -> Any:
    """Make one batch of several samples that have the same parts.

    Arrays, tensors and numbers are stacked along a new first axis. Of tuples, lists and dicts, the parts in the same
    place are stacked, and the batch is a tuple, list or dict of these. Texts become a list. PyTorch's `default_collate`
    does the same, except that a tuple stays a tuple here.

    samples: a list of samples.
    called: how errors call a sample.

    Raises ValueError for samples that differ in shape, length or keys, TypeError for parts that are none of these.

    >>> default_collate([(np.array([1.0, 2.0]), 3), (np.array([5.0, 6.0]), 7)])
    (array([[1., 2.],
           [5., 6.]]), array([3, 7]))
    """
    first = samples[0]
    if isinstance(first, str | bytes):
        return list(samples)
    if isinstance(first, Mapping):
        for i, sample in enumerate(samples):
            if not isinstance(sample, Mapping) or sample.keys() != first.keys():
                raise ValueError(f"{called} has the keys {list(first)}, but number {i} of its batch {_told(sample)}")
        return {key: default_collate([sample[key] for sample in samples], f"{called}[{key!r}]") for key in first}
    if isinstance(first, tuple | list):
        for i, sample in enumerate(samples):
            if not isinstance(sample, tuple | list) or len(sample) != len(first):
                raise ValueError(f"{called} has {len(first)} parts, but number {i} of its batch {_told(sample)}")
        parts = [default_collate(column, f"{called}[{i}]") for i, column in enumerate(zip(*samples, strict=True))]
        return type(first)._make(parts) if hasattr(first, "_make") else type(first)(parts)
    arrays = [table(x, called) if is_table(x) else x for x in samples]
    for x in arrays:
        if not isinstance(x, np.ndarray | np.generic | Tensor | bool | int | float | complex):
            raise TypeError(
                f"{called} is {type(x).__name__} {x!r:.60}; a batch is made of arrays, numbers and texts, and of tuples, "
                "lists and dicts of them"
            )
    for i, x in enumerate(arrays):
        if np.shape(x) != np.shape(first):
            raise ValueError(
                f"{called} has shape {np.shape(first)}, but number {i} of its batch {np.shape(x)}; make them one shape, by "
                "np.pad or a slice. (A list is a list of samples; for arrays row by row write a tuple: DataLoader((x, y)).)"
            )
    return np.stack(arrays)


def _told(sample: Any) -> str:
    """Say, for an error, which parts a sample has or of which type it is."""
    if isinstance(sample, Mapping):
        return f"has {list(sample)}"
    return f"has {len(sample)}" if isinstance(sample, tuple | list) else f"is {type(sample).__name__}"

"""Splitting data into a part to learn from and a part to be judged by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.engine.tables import rows


def train_test_split(
    *arrays: Any, test_size: float = 0.25, generator: np.random.Generator | None = None
) -> tuple[Any, ...]:
    """Shuffled rows of each array, split alike: `x_train, x_test, y_train, y_test = train_test_split(x, y)`.

    What is neither array nor tensor (a data frame, a series, a list) becomes an array, by position; see `ArrayDataset`.
    test_size: the part of the rows that is held out, rounded up, or how many they are. For stratified or grouped
    splits, use scikit-learn's.

    >>> train, test = train_test_split(np.arange(10), test_size=0.2, generator=np.random.default_rng(0))
    >>> len(train), len(test), sorted([*train, *test]) == list(range(10))
    (8, 2, True)
    """
    arrays = tuple([rows(array, "train_test_split()") for array in arrays])
    lengths = {len(array) for array in arrays}
    if len(lengths) != 1:
        raise ValueError(f"train_test_split() needs arrays of one length, but got {[len(array) for array in arrays]}")
    n = lengths.pop()
    held_out = math.ceil(test_size * n) if isinstance(test_size, float | np.floating) else test_size
    if not 0 < held_out < n:
        raise ValueError(f"test_size={test_size} of {n} rows leaves nothing to train or nothing to test on")
    order = random.generator(generator).permutation(n)
    return tuple([array[places] for array in arrays for places in (order[held_out:], order[:held_out])])

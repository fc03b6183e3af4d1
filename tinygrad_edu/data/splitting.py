"""Splitting data into a part to learn from and a part to be judged by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.data.dataset import Subset, as_dataset
from tinygrad_edu.engine.tables import rows

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A, ArrayLike


def random_split(dataset: Any, lengths: Sequence[float], generator: np.random.Generator | None = None) -> list[Subset]:
    """The samples of a data set in a random order, cut into parts: one `Subset` for each of `lengths`.

    dataset: a data set, an array, or a tuple of arrays of one length. lengths: the number of samples of each part; or
    fractions that add up to 1, of which each is rounded down, and the samples left over go to the first parts, one each.
    generator: what draws the order; else the one that `manual_seed` sets.

    Raises ValueError for lengths that do not add up to the number of samples, or to 1.

    >>> train, test = random_split(np.arange(10), [0.75, 0.25], np.random.default_rng(0))
    >>> len(train), len(test), sorted([*train, *test]) == list(range(10))
    (8, 2, True)
    """
    dataset = as_dataset(dataset, "random_split")
    n = len(dataset)
    counts = _counts(list(lengths), n)
    order = random.generator(generator).permutation(n)
    return [Subset(dataset, part) for part in np.split(order, np.cumsum(counts)[:-1])]


def _counts(lengths: list[float], n: int) -> list[int]:
    """The number of samples in each part, of n together."""
    if (
        lengths
        and math.isclose(sum(lengths), 1)
        and sum(lengths) <= 1 + 1e-9
        and all(0 <= part <= 1 for part in lengths)
    ):
        counts = [math.floor(n * part) for part in lengths]
        for i in range(n - sum(counts)):
            counts[i % len(counts)] += 1
        return counts
    if sum(lengths) != n or any(part < 0 or part != int(part) for part in lengths):
        raise ValueError(
            f"random_split() takes lengths that add up to the {n} samples of the data set, or fractions that add up to 1, but "
            f"got {lengths}, which add up to {sum(lengths)}"
        )
    return [int(part) for part in lengths]


@overload
def train_test_split(
    *arrays: A, test_size: float = 0.25, generator: np.random.Generator | None = None
) -> tuple[A, ...]: ...
@overload
def train_test_split(
    *arrays: ArrayLike, test_size: float = 0.25, generator: np.random.Generator | None = None
) -> tuple[Any, ...]: ...
def train_test_split(
    *arrays: ArrayLike, test_size: float = 0.25, generator: np.random.Generator | None = None
) -> tuple[Any, ...]:
    """Shuffled rows of each array, split alike: `x_train, x_test, y_train, y_test = train_test_split(x, y)`.

    What is neither array nor tensor (a data frame, a series, a list) becomes an array, by position; see `ArrayDataset`.
    test_size: the part of the rows that is held out, rounded up, or how many they are. For stratified or grouped
    splits, use scikit-learn's.

    >>> train, test = train_test_split(np.arange(10), test_size=0.2, generator=np.random.default_rng(0))
    >>> len(train), len(test), sorted([*train, *test]) == list(range(10))
    (8, 2, True)
    """
    data: tuple[Any, ...] = tuple([rows(array, "train_test_split()") for array in arrays])
    lengths = {len(array) for array in data}
    if len(lengths) != 1:
        raise ValueError(f"train_test_split() needs arrays of one length, but got {[len(array) for array in data]}")
    n = lengths.pop()
    held_out = math.ceil(test_size * n) if isinstance(test_size, float | np.floating) else test_size
    if not 0 < held_out < n:
        raise ValueError(f"test_size={test_size} of {n} rows leaves nothing to train or nothing to test on")
    order = random.generator(generator).permutation(n)
    return tuple([array[places] for array in data for places in (order[held_out:], order[:held_out])])

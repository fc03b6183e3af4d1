"""Splits data into a part to learn from and parts to be judged by."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict, overload

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu import random
from tinygrad_edu.data.dataset import Dataset, Subset, as_dataset
from tinygrad_edu.engine.tables import rows
from tinygrad_edu.engine.tensor import Tensor

if TYPE_CHECKING:
    from typing import Unpack

    from tinygrad_edu.engine.arguments import A, ArrayLike


def random_split(dataset: Any, lengths: Sequence[float], generator: np.random.Generator | None = None) -> list[Subset]:
    """Put the samples of a data set in a random order, and cut it into parts: one `Subset` for each of `lengths`.

    dataset: a data set, an array, or a tuple of arrays of the same length.
    lengths: the number of samples of each part; or fractions that add up to 1. Each fraction is rounded down, and the
        samples that are left over go to the first parts, one each.
    generator: draws the order; by default the generator that `tg.manual_seed` sets.

    Raises ValueError for lengths that add up neither to the number of samples nor to 1.

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
    """The number of samples in each part, which add up to n."""
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


class Parts(TypedDict, total=False):
    """The options of a split."""

    test_size: float | None
    validation_size: float | None
    train_size: float | None
    random_state: int | np.random.Generator | None
    shuffle: bool
    stratify: ArrayLike | None
    generator: np.random.Generator | None


@overload
def train_test_split(*arrays: A, **options: Unpack[Parts]) -> tuple[A, ...]: ...
@overload
def train_test_split(*arrays: ArrayLike, **options: Unpack[Parts]) -> tuple[Any, ...]: ...
def train_test_split(
    *arrays: ArrayLike,
    test_size: float | None = None,
    validation_size: float | None = None,
    train_size: float | None = None,
    random_state: int | np.random.Generator | None = None,
    shuffle: bool = True,
    stratify: ArrayLike | None = None,
    generator: np.random.Generator | None = None,
) -> tuple[Any, ...]:
    """Split the rows of each array in the same random way: `x_train, x_test, y_train, y_test = train_test_split(x, y)`.

    With validation_size there are three parts: `x_train, x_validation, x_test, y_train, … = train_test_split(x, y, …)`.

    arrays: of the same length; they are split by position. A data frame, a series or a list becomes an array (see
    `TensorDataset`).
    test_size: the fraction of the rows to test with, rounded up, or their number; 0.25 unless it or train_size is
        given.
    validation_size: the fraction of the rows to validate with, rounded up, or their number.
    train_size: the fraction of the rows to learn from, rounded down, or their number; by default all others.
    random_state: a seed, for the same split at every call; or a generator. By default the generator that
        `tg.manual_seed` sets.
    shuffle: whether rows are drawn at random; if not, the first are to train with and the last to test with.
    stratify: the class of each row; each part then has its share of each class, to within one row.
    generator: another name for random_state.

    Raises ValueError for arrays of different lengths, sizes that leave a part empty, and classes that are too few to
    share.

    >>> train, test = train_test_split(np.arange(10), test_size=0.2, random_state=0)
    >>> len(train), len(test), sorted([*train, *test]) == list(range(10))
    (8, 2, True)
    >>> y = np.array([0] * 60 + [1] * 30)
    >>> parts = train_test_split(y, test_size=0.2, validation_size=0.2, stratify=y)
    >>> [np.bincount(part).tolist() for part in parts]
    [[36, 18], [12, 6], [12, 6]]
    """
    who = "train_test_split()"
    if not arrays:
        raise TypeError(f"{who} takes at least one array, as in train_test_split(x, y), but got none")
    if any(isinstance(array, Dataset) for array in arrays):
        raise TypeError(f"{who} takes arrays; for a data set write train, test = random_split(dataset, [0.75, 0.25])")
    data: tuple[Any, ...] = tuple([rows(array, who) for array in arrays])
    lengths = {len(array) for array in data}
    if len(lengths) != 1:
        raise ValueError(f"{who} needs arrays of one length, but got {[len(array) for array in data]}")
    n = lengths.pop()
    both = test_size is None and train_size is None
    counts = _sizes(n, train_size, validation_size, 0.25 if both else test_size)
    if stratify is not None and not shuffle:
        raise ValueError(f"{who} draws the rows of each class at random, so stratify contradicts shuffle=False")
    if not shuffle:
        parts = np.split(np.arange(n), np.cumsum(counts))[: len(counts)]
    elif stratify is None:
        order = _chosen(random_state, generator).permutation(n)
        parts = np.split(order, np.cumsum(counts[::-1]))[len(counts) - 1 :: -1]  # those held out are drawn first
    else:
        parts = _stratified(rows(stratify, f"{who}'s stratify"), n, counts, _chosen(random_state, generator))
    return tuple([array[places] for array in data for places in parts])


def _chosen(
    random_state: int | np.random.Generator | None, generator: np.random.Generator | None
) -> np.random.Generator:
    """The generator that was given by one name or the other."""
    if random_state is not None and generator is not None:
        raise ValueError("random_state and generator are two names for what draws the rows; write one of them")
    if random_state is None or isinstance(random_state, np.random.Generator):
        return random.generator(generator if random_state is None else random_state)
    try:
        return np.random.default_rng(operator.index(random_state))
    except TypeError:
        kind = type(random_state).__name__
        raise TypeError(f"random_state takes a seed, such as 0, or np.random.default_rng(0), but got {kind}") from None


def _sizes(n: int, train: float | None, validation: float | None, test: float | None) -> list[int]:
    """How many of n rows each part has: to train, to validate if that is asked for, and to test."""
    told: dict[str, Any] = {"train_size": train, "validation_size": validation, "test_size": test}
    counts: dict[str, int] = {}
    for name, size in told.items():
        if size is None:
            continue
        if isinstance(size, float | np.floating):
            counts[name] = math.floor(n * size) if name == "train_size" else math.ceil(n * size)
        elif hasattr(size, "__index__"):
            counts[name] = operator.index(size)
        else:
            raise TypeError(f"{name} takes a fraction of the rows, or how many they are, but got {size!r}")
    rest = n - sum(counts.values())
    if train is None:
        counts["train_size"] = rest
    elif test is None:
        counts["test_size"] = rest
    wrong = [name for name, count in counts.items() if not 0 < count < n]
    if wrong or sum(counts.values()) > n:
        given = ", ".join(f"{name}={size}" for name, size in told.items() if size is not None)
        raise ValueError(f"{given} of {n} rows leaves nothing to train or nothing to test on")
    return [counts[name] for name in told if name in counts]


def _stratified(labels: Any, n: int, counts: list[int], rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """The rows of each part, which has its share of each class to within one row."""
    labels = np.asarray(labels.numpy() if isinstance(labels, Tensor) else labels)
    if labels.shape != (n,):
        raise ValueError(f"stratify takes the class of each of the {n} rows, but got shape {labels.shape}")
    classes, which, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if sizes.min() < 2:
        alone = classes[np.argmin(sizes)]
        raise ValueError(
            f"stratify: class {alone} has 1 row, which cannot be in every part; leave it out, or join it to another"
        )
    if min(counts) < len(classes):
        raise ValueError(f"stratify: a part of {min(counts)} rows cannot have its share of {len(classes)} classes")
    parts: list[list[NDArray[np.intp]]] = [[] for _ in counts]
    for label, row in enumerate(_share(sizes, np.array([*counts, n - sum(counts)]), rng)):
        members = rng.permutation(np.flatnonzero(which == label))
        for part, piece in zip(parts, np.split(members, np.cumsum(row)), strict=False):  # rows left over are in no part
            part.append(piece)
    return [rng.permutation(np.concatenate(part)) for part in parts]


def _share(sizes: NDArray[np.intp], counts: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """A table of whole numbers, a row for each class and a column for each part, which add up to these sums, all within
    1 of the shares.

    The share of a part in a class is n_class · n_part / n. Each is first rounded down. Then each part takes the rows
    that it
    lacks, one from each class: first from the classes that have most rows left, and of these from where most was
        rounded off.
    """
    share = np.outer(sizes, counts) / counts.sum()
    table = np.floor(share).astype(np.intp)
    left = sizes - table.sum(1)
    for part in reversed(range(len(counts))):  # the smaller ones first
        off = share[:, part] - table[:, part]
        order = np.lexsort((rng.random(len(sizes)), -off, -left))
        more = order[: counts[part] - table[:, part].sum()]
        table[more, part] += 1
        left[more] -= 1
    return table


def of_scikit_learn(name: str) -> Any:
    """A class of scikit-learn's that splits, `KFold` or `StratifiedKFold`, as it is there.

    name: the name of the class.

    Raises ImportError without scikit-learn.

    >>> folds = of_scikit_learn("KFold")(n_splits=3)
    >>> [held_out.tolist() for _, held_out in folds.split(np.arange(6))]
    [[0, 1], [2, 3], [4, 5]]
    """
    try:
        from sklearn import model_selection
    except ImportError as error:
        raise ImportError(f"data.{name} is scikit-learn's: pip install scikit-learn") from error
    return getattr(model_selection, name)

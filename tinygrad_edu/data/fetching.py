"""How a batch is made from the numbers of its samples: row by row of arrays at once, or sample by sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.buffers import Rows


def sample(dataset: Any, collate: Callable[[Any], Any], place: Any) -> Any:
    """Fetch one sample."""
    return collate(dataset[int(place) if isinstance(place, np.integer) else place])


def one_by_one(dataset: Any, collate: Callable[[list[Any]], Any], places: Any) -> Any:
    """Make a batch of samples that are asked for one by one, or all at once where the data set has `__getitems__`."""
    numbers = places.tolist() if isinstance(places, np.ndarray) else list(places)
    several = getattr(dataset, "__getitems__", None)
    if several is not None:
        return collate(several(numbers))
    return collate([dataset[int(i) if isinstance(i, np.integer) else i] for i in numbers])


def together(
    rows: Sequence[Rows], chosen: NDArray[np.intp] | None, alone: bool, checked: int | None, places: Any
) -> Any:
    """Make a batch of rows of arrays.

    rows: the arrays.
    chosen: which of their rows are the samples of the data set.
    alone: whether a sample is a row of one array, rather than a tuple.
    checked: the number of samples, where `places` comes from the user's own sampler and may be wrong.
    places: the numbers of the samples.
    """
    if checked is not None:
        places = _valid(places, checked)
    if chosen is not None:
        places = chosen[places]
    return rows[0].take(places) if alone else tuple([part.take(places) for part in rows])


def _valid(places: Any, n: int) -> NDArray[np.intp]:
    """The numbers of samples that a sampler gave, from 0 to n − 1. Raises IndexError for others."""
    given = np.asarray(places)
    if given.size and given.dtype.kind not in "iu":
        raise TypeError(f"a sampler gives the numbers of samples, but this one gave {places!r:.60}")
    wrong = (given < -n) | (given >= n)
    if wrong.any():
        raise IndexError(f"the data set has {n} samples, numbered from 0, but the sampler gave {given[wrong][0]}")
    return np.where(given < 0, given + n, given).astype(np.intp)

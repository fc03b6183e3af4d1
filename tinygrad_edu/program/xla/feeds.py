"""What is set before each run and sent along: single numbers of one type go together, in one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from tinygrad_edu.program.program import Feed
from tinygrad_edu.program.xla.placement import Placement


class Feeds:
    """The feeds of a program. batch: how many rows arguments have; what has as many is split as they are."""

    def __init__(self, feeds: Sequence[Feed], placement: Placement, batch: int | None) -> None:
        self._placement = placement
        self._arrays: list[Any] = []  # what is sent: arrays of their own, and those of single numbers
        self._fills: list[tuple[Any, Any]] = []  # what fills, and the array or the place in one that it fills
        self._said: dict[Any, list[tuple[str, Any]]] = {}  # what says several numbers, and where each goes
        self._places: list[tuple[int, int | None]] = []  # of each feed, in which array it is, and where there
        together: dict[Any, list[Feed]] = {}
        for feed in feeds:
            if not feed.leaf.ndim:
                together.setdefault(feed.leaf.dtype, []).append(feed)
        vectors = {dtype: np.empty(len(of), dtype) for dtype, of in together.items()}
        for feed in feeds:
            array = feed.leaf.ndarray
            if array.ndim:
                place, at = self._place_of(array), None
            else:
                of = together[array.dtype]
                at = next(i for i, other in enumerate(of) if other is feed)
                place, array = self._place_of(vectors[array.dtype]), vectors[array.dtype][at, ...]
            if feed.said is None:
                self._fills.append((feed.fill, array))
            else:
                self._said.setdefault(feed.said[0], []).append((feed.said[1], array))
            self._places.append((place, at))
        self._shardings = [placement.of_feed(array.shape, batch) for array in self._arrays]

    def _place_of(self, array: Any) -> int:
        """Where an array is among those that are sent."""
        for i, known in enumerate(self._arrays):
            if known is array:
                return i
        self._arrays.append(array)
        return len(self._arrays) - 1

    @property
    def structs(self) -> list[Any]:
        """The shapes and types of what is sent."""
        pairs = zip(self._arrays, self._shardings, strict=True)
        return [jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=sharding) for array, sharding in pairs]

    def sent(self) -> list[Any]:
        """The numbers of the run that comes. They are copied, for the next run sets them anew, and JAX may read late."""
        for fill, array in self._fills:
            fill(array)
        for say, places in self._said.items():
            numbers = say()
            for name, array in places:
                array.fill(numbers[name])
        pairs = zip(self._arrays, self._shardings, strict=True)
        return [a.copy() if sharding is None else self._placement.put(a, sharding) for a, sharding in pairs]

    def apart(self, values: Sequence[Any]) -> list[Any]:
        """The value of each feed, of what was sent."""
        return [values[place] if at is None else values[place][at] for place, at in self._places]

"""Away: in place of an array whose numbers are elsewhere, on the devices of a step that runs there.

Its shape and type are there to be asked. Whatever reads or writes the numbers raises, and says what to call: numbers that
are silently those of an earlier step would be worse.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinygrad_edu.engine.registry import Cell, Edits


class Away(NDArrayOperatorsMixin):
    """An array whose numbers are elsewhere.

    home: the array, in which the numbers are those of before. value: what they are now, on the devices.
    cure: what errors say, such as "call step.gather()". placed: how the value lies on the devices. cell: that of the
    array. Going away and coming home count as writes, since between them no graph is recorded with the numbers.
    """

    __slots__ = ("_holders", "cell", "cure", "home", "placed", "value")

    known: ClassVar[dict[int, Away]] = {}
    """Those that are away, by the address of the array."""

    moves = 0
    """How often something went away or came home."""

    def __init__(self, home: Any, value: Any, cure: str, placed: Any, cell: Cell) -> None:
        self.home, self.value, self.cure, self.placed, self.cell = home, value, cure, placed, cell
        self._holders: list[Callable[[Any, Any], None]] = []

    def replace(self, holders: list[Callable[[Any, Any], None]]) -> None:
        """Stand in place of the array, from now on, in all that hold it. A holder is told what it holds, and what it is to
        hold instead."""
        self._holders = holders
        for holder in holders:
            holder(self.home, self)
        Away.known[id(self.home)] = self
        self.cell.write()
        Away._moved()

    def lie(self, value: Any, placed: Any) -> None:
        """Lie on the devices in another way."""
        self.value, self.placed = value, placed
        Away.moves += 1

    def come_home(self, numbers: Any) -> None:
        """Put these numbers into the array, and the array into all that held it and still hold this in its place."""
        np.copyto(self.home, numbers)
        self.cell.write()
        self.forget()

    def forget(self) -> None:
        """Put the array, with the numbers that it has, back into all that held it and still hold this in its place."""
        for holder in self._holders:
            holder(self, self.home)
        del Away.known[id(self.home)]
        Away._moved()

    @classmethod
    def _moved(cls) -> None:
        Away.moves += 1
        Edits.note()

    # -- what may be asked --------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes, which are the same here and on the devices."""
        return tuple(self.home.shape)

    @property
    def ndim(self) -> int:
        """How many axes the array has: the length of `shape`."""
        return len(self.home.shape)

    @property
    def size(self) -> int:
        """How many numbers the array has: the product of `shape`, 1 without axes."""
        return math.prod(self.home.shape)

    @property
    def dtype(self) -> Any:
        """The type that the numbers have when they come home, as NumPy names it."""
        return self.home.dtype

    @property
    def itemsize(self) -> int:
        """How many bytes one number takes in `dtype`."""
        return int(self.home.itemsize)

    @property
    def nbytes(self) -> int:
        """How many bytes all numbers take here; the devices may lay them out otherwise."""
        return int(self.home.nbytes)

    # -- what raises --------------------------------------------------------------------------------

    def refuse(self, *args: Any, **settings: Any) -> NoReturn:
        """Raise RuntimeError, which says the shape and the cure: the numbers here are those of before the last runs."""
        raise RuntimeError(
            f"the numbers of a tensor of shape {self.shape} are on the devices, and were to be read or written here: {self.cure}"
        )

    __array__ = __array_ufunc__ = __array_function__ = refuse
    __getitem__ = __setitem__ = __len__ = __iter__ = __contains__ = refuse
    __bool__ = __int__ = __float__ = __index__ = __complex__ = refuse
    __reduce__ = __copy__ = __deepcopy__ = refuse

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        self.refuse()


def of_tensor(x: Any) -> Callable[[Any, Any], None]:
    """The holder of a tensor's array: the tensor, as long as it lives and has not been given another."""
    reference = weakref.ref(x)

    def exchange(old: Any, new: Any) -> None:
        held = reference()
        if held is not None and held.ndarray is old:
            held.ndarray = new

    return exchange


def of_entry(mapping: dict[str, Any], key: str) -> Callable[[Any, Any], None]:
    """The holder of an array in a dict, such as the state of an optimizer."""

    def exchange(old: Any, new: Any) -> None:
        if mapping.get(key) is old:
            mapping[key] = new

    return exchange

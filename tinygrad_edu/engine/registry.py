"""The tables and clocks of the engine: all that every thread shares, on one page.

The ops enter themselves in the tables as they are declared, and are looked up there at the moment of use. So a page
further up in the reading order can run an op that stands further down, without importing it.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any

# ---------------------------------------------------------------------------------------------------
# Tables

OPS: dict[str, Any] = {}
"""Every declared op of the package, by name."""

COMPOSITES: dict[str, Any] = {}
"""Functions made of ops that answer for NumPy functions, by name: they leave their parts in the graph."""

ANSWERS: dict[Any, Callable[..., Any]] = {}
"""What each NumPy function does to a tensor. Keys: a function, a ufunc, (ufunc, method), or an op's name."""

LATER: dict[str, str] = {}
"""Pages that are loaded when one of their ops is first asked for: by the name of a function ("nansum") or of a method of a
ufunc ("fmax.reduce"), or by NumPy's module ("numpy.linalg")."""

UFUNCS: dict[Any, Callable[[tuple[Any, ...]], Any]] = {}
"""The short way for ufuncs without settings, which operators call: `Op.apply` of the op that answers."""

NO_SETTINGS: Any = MappingProxyType({})
"""The settings of a leaf, and of every op that was called without any."""

LIMITS: dict[int, weakref.ref[Any]] = {}
"""Living results, by their address, whose gradient takes a limit 0/0 at the values they have, such as eigenvectors of equal
eigenvalues. The rule finds it by differentiating the gradient that comes in, so the walk to it has to be recorded."""


def answer_to(function: Any) -> Callable[..., Any] | None:
    """The answer for a NumPy function, or for (ufunc, method), whose page may have to be loaded for it; None if there is
    none."""
    answer = ANSWERS.get(function)
    if answer is None:
        method = isinstance(function, tuple)
        name = f"{function[0].__name__}.{function[1]}" if method else function.__name__
        page = LATER.get(name) or (None if method else LATER.get(function.__module__))
        if page is not None:
            import_module(page)
            answer = ANSWERS.get(function)
    return answer


# ---------------------------------------------------------------------------------------------------
# Clocks

tick = itertools.count(1).__next__
"""The clock of all records: a node notes the time it was made, a storage the time it was last written."""


class Cell:
    """When a storage was last written. Tensors that share memory share a cell."""

    __slots__ = ("written",)

    last = 0  # the latest write of all

    def __init__(self) -> None:
        self.written = 0

    def write(self) -> None:
        """Note a write: records made before it are stale."""
        self.written = Cell.last = tick()

    @staticmethod
    def write_all(cells: Sequence[Cell]) -> None:
        """Note a write to each of them."""
        if cells:
            now = Cell.last = tick()
            for cell in cells:
                cell.written = now


class Edits:
    """A count of the changes to what replays depend on: attributes of modules, the state of optimizers, arrays, hooks,
    whether a gradient is required, and that one of these things ended. A replay looks at all of them again when the number
    has grown."""

    number = 0

    @classmethod
    def note(cls, ended: Any = None) -> None:
        """Count one change. It may be called by the weak reference to a thing that has `ended`."""
        cls.number += 1

"""The random generators that a model or a loader holds, whose states are saved with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

LONGEST_LIST_SEARCHED = 100
"""A list or dict that is longer is taken for data, and not searched."""


def generators(root: Any) -> dict[str, np.random.Generator]:
    """The generators that a thing has in attributes and in short lists, tuples and dicts, by their paths; each once."""
    return {path: x for path, x in _walk(root) if isinstance(x, np.random.Generator)}


def states(held: Mapping[str, np.random.Generator]) -> dict[str, Any]:
    """The state of each generator, by its path."""
    return {path: dict(generator.bit_generator.state) for path, generator in held.items()}


def put(held: Mapping[str, np.random.Generator], saved: Mapping[str, Any], who: str) -> None:
    """Put generators into the states that were saved. Raises ValueError if they are not the same ones as then."""
    if held.keys() != saved.keys():
        raise ValueError(
            f"the {who} has the random generators {', '.join(held) or 'none'}, but when it was saved it had "
            f"{', '.join(saved) or 'none'}"
        )
    for path, generator in held.items():
        generator.bit_generator.state = saved[path]


def _walk(root: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a thing holds, and what that holds, each once, with its path."""
    seen = {id(root)}
    things: list[tuple[str, Any]] = [("", root)]
    for path, thing in things:  # the list grows as it is read
        yield path, thing
        for name, part in _parts(thing):
            if id(part) not in seen:
                seen.add(id(part))
                things.append((f"{path}.{name}".lstrip("."), part))


def _parts(thing: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(thing, np.random.Generator | np.ndarray | str | bytes | type):
        return
    if isinstance(thing, Mapping | list | tuple):
        if len(thing) <= LONGEST_LIST_SEARCHED:
            pairs = thing.items() if isinstance(thing, Mapping) else enumerate(thing)
            yield from ((str(key), part) for key, part in pairs)
    elif hasattr(thing, "__dict__") and not callable(getattr(thing, "__code__", None)):
        yield from vars(thing).items()

"""The package's random numbers: one `numpy.random.Generator`, seeded by `manual_seed`.

Everything random takes a generator explicitly; this one serves where none is given. NumPy's legacy global
state is never drawn from or written.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_edu.graph import RECORDING


@functools.cache  # made when first used: importing numpy.random takes as long as the rest of the package
def _generator() -> np.random.Generator:
    return np.random.default_rng()


def manual_seed(seed: int) -> np.random.Generator:
    """Seed the package's generator, and return it: the same seed gives the same numbers, on every machine.

    >>> import tinygrad_edu as tg
    >>> a = (tg.manual_seed(0), tg.rand(3))[1]
    >>> b = (tg.manual_seed(0), tg.rand(3))[1]
    >>> bool((a == b).all())
    True
    """
    own = generator()
    own.bit_generator.state = type(own.bit_generator)(seed).state
    return own


def generator(given: np.random.Generator | None = None) -> np.random.Generator:
    """The generator that was given, or else the package's own."""
    tape = RECORDING.get().tape
    if tape is not None:
        tape.refuse("drawing random numbers in Python", "do it outside, or draw tensors: rand(), randn(), dropout()")
    return _chosen(given)


def _chosen(given: np.random.Generator | None) -> np.random.Generator:
    if given is None:
        return _generator()
    if not isinstance(given, np.random.Generator):
        raise TypeError(
            f"generator= takes a numpy.random.Generator, but got {type(given).__name__}; write np.random.default_rng(seed)"
        )
    return given


def draw(
    fill: Callable[[np.random.Generator, Any], None],
    shape: tuple[int, ...],
    dtype: Any,
    given: np.random.Generator | None = None,
    *,
    name: str = "noise",
) -> Any:
    """An array that `fill(generator, array)` sets. All that is random is drawn here.

    In a function that is being recorded for replay it is a leaf, drawn anew in each run: from the same generator, in
    the same order, and so the same numbers as the function itself would draw.
    """
    own = _chosen(given)
    tape = RECORDING.get().tape
    if tape is not None:
        tape.follow(own)
        return tape.feed(lambda array: fill(own, array), shape, dtype, name=name)
    array = np.empty(shape, dtype)
    fill(own, array)
    return array


def get_state() -> dict[str, Any]:
    """The state of the package's generator, to be given to `set_state` later."""
    return dict(_generator().bit_generator.state)


def set_state(state: dict[str, Any]) -> None:
    """Put the package's generator back into a state that `get_state` returned."""
    generator().bit_generator.state = state


@contextmanager
def replaying(state: dict[str, Any]) -> Iterator[None]:
    """Draw again, inside the block, what was drawn from `state` on; afterwards all is as before."""
    before = get_state()
    set_state(state)
    try:
        yield
    finally:
        set_state(before)

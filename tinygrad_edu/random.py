"""The package's random numbers: a `numpy.random.Generator` for each thread, seeded by `manual_seed`.

Everything random takes a generator explicitly, and then draws from it alone; where none is given, the one of the
thread serves, or the one of an enclosing `using` block. NumPy's legacy global state is never drawn from or written.

Threads do not share a stream, for which numbers each got would depend on who came first; nor do forked processes, which
would otherwise all draw the same. A new thread's generator is derived from the seed of the main thread and the order in
which threads first draw; a forked process' from that seed and how many were forked before it. To choose, call
`manual_seed` in the thread or process, or pass `generator=`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any

import numpy as np

from tinygrad_edu.engine.recording import watched

_chosen_for_block: ContextVar[np.random.Generator | None] = ContextVar("_chosen_for_block", default=None)


_OWN: dict[str, Any] = {}


def _own() -> Any:
    """What each thread has: its `generator`, None until it is first used."""
    if not _OWN:
        import threading  # here, since it takes as long to import as three pages of ops

        class Own(threading.local):
            generator: np.random.Generator | None = None

        _OWN.setdefault("threads", Own())  # one for all, also if two threads come here first
    return _OWN["threads"]


class _Seeds:
    """What the generators of further threads and of forked processes are derived from."""

    sequence: np.random.SeedSequence | None = None
    forked = 0  # how many processes were forked since the seed

    @classmethod
    def root(cls) -> np.random.SeedSequence:
        """The seed of this process, an unpredictable one unless `manual_seed` was called in its main thread."""
        if cls.sequence is None:  # not at import: importing numpy.random takes as long as the rest of the package
            cls.sequence = np.random.SeedSequence()
        return cls.sequence


def _generator() -> np.random.Generator:
    """The generator that serves here where none is given."""
    block = _chosen_for_block.get()
    if block is not None:
        return block
    own = _own()
    if own.generator is None:
        (seed,) = _Seeds.root().spawn(1)
        own.generator = np.random.default_rng(seed)
    return own.generator


def _count_fork() -> None:
    _Seeds.forked += 1


def _differ() -> None:
    """In a forked process: go on with other random numbers than the parent and its other processes."""
    if _Seeds.sequence is None:
        return
    parent = _Seeds.sequence
    _Seeds.sequence = np.random.SeedSequence(parent.entropy, spawn_key=(*parent.spawn_key, 1 << 31, _Seeds.forked))
    _Seeds.forked = 0
    if _own().generator is not None:
        bits = _own().generator.bit_generator
        bits.state = type(bits)(_Seeds.sequence.spawn(1)[0]).state


if hasattr(os, "register_at_fork"):  # where processes fork
    os.register_at_fork(before=_count_fork, after_in_child=_differ)


def __getattr__(name: str) -> Any:
    """Say what to write for the names of NumPy's legacy functions."""
    cures = {"seed": "tg.manual_seed(0)", "rand": "tg.rand(2, 3)", "randn": "tg.randn(2, 3)"}
    cure = f"; write {cures[name]}" if name in cures else ""
    raise AttributeError(f"tinygrad_edu.random has no {name}{cure}", name=name)


def manual_seed(seed: int) -> np.random.Generator:
    """Seed the generator of this thread, and return it: the same seed gives the same numbers, on every machine.

    In the main thread it also seeds what the generators of threads that have drawn nothing yet are derived from.

    >>> import tinygrad_edu as tg
    >>> a = (tg.manual_seed(0), tg.rand(3))[1]
    >>> b = (tg.manual_seed(0), tg.rand(3))[1]
    >>> bool((a == b).all())
    True
    """
    import threading

    own = generator()
    own.bit_generator.state = type(own.bit_generator)(seed).state
    if threading.current_thread() is threading.main_thread():
        _Seeds.sequence, _Seeds.forked = np.random.SeedSequence(seed), 0
    return own


@contextmanager
def using(given: np.random.Generator) -> Iterator[np.random.Generator]:
    """Inside the block, draw from this generator where none is given: what one thing draws is then its own affair.

    >>> import tinygrad_edu as tg
    >>> with using(np.random.default_rng(0)):
    ...     a = tg.rand(3)
    >>> bool((a == tg.rand(3, generator=np.random.default_rng(0))).all())
    True
    """
    token = _chosen_for_block.set(chosen(given))
    try:
        yield given
    finally:
        _chosen_for_block.reset(token)


@watched
def generator(given: np.random.Generator | None = None) -> np.random.Generator:
    """The generator that was given, or else the one that serves in this thread."""
    return chosen(given)


def chosen(given: np.random.Generator | None = None) -> np.random.Generator:
    """Return the generator that was given, or else this thread's own. Raises TypeError for anything else."""
    if given is None:
        return _generator()
    if not isinstance(given, np.random.Generator):
        raise TypeError(
            f"generator= takes a numpy.random.Generator, but got {type(given).__name__}; write np.random.default_rng(seed)"
        )
    return given


class Uniform:
    """Numbers from [0, 1), each as likely. The generator makes float32 and float64; others are rounded from float64."""

    def __call__(self, own: np.random.Generator, array: Any) -> None:
        """Fill `array`, of any shape and floating type, with numbers that `own` draws in the order of its elements."""
        array[...] = own.random(array.shape, np.float32 if array.dtype == np.float32 else np.float64)


class Normal:
    """Numbers of mean 0 and standard deviation 1, made by the generator as those of `Uniform`, or all as `dtype`."""

    def __init__(self, dtype: Any = None) -> None:
        self.dtype = dtype

    def __call__(self, own: np.random.Generator, array: Any) -> None:
        """Fill `array`, of any shape and floating type, with numbers that `own` draws, converted to its type."""
        dtype = self.dtype or (np.float32 if array.dtype == np.float32 else np.float64)
        array[...] = own.standard_normal(array.shape, dtype)


class Mask:
    """What dropout multiplies with: 0 with probability p, else 1 / (1 − p).

    Of a p such as 1/2 or 1/4, a multiple of 1/256, a random byte for each number decides; else a float32 does.
    """

    def __init__(self, p: float) -> None:
        self.p, self.kept = p, 1 / (1 - p) if p < 1 else 0.0

    def __call__(self, own: np.random.Generator, array: Any) -> None:
        """Fill `array`, a new one of any shape and floating type: `own` draws for each element whether it is 0."""
        share, source = 256 * float(self.p), own.bit_generator
        if share.is_integer() and not isinstance(source, np.random.MT19937):  # whose raw numbers have 32 bits
            row = array.reshape(-1)
            for i in range(0, row.size, BYTES_DRAWN_AT_ONCE):
                part = row[i : i + BYTES_DRAWN_AT_ONCE]
                drawn = source.random_raw(-(-part.size // 8)).view(np.uint8)[: part.size]
                kept = np.greater_equal(drawn, int(share), out=drawn.view(bool))  # in their place
                np.multiply(kept, array.dtype.type(self.kept), out=part)
            return
        single = array.dtype == np.float32
        drawn = own.random(dtype=np.float32, out=array) if single else own.random(array.shape, np.float32)
        np.greater_equal(drawn, self.p, out=array)
        array *= self.kept


BYTES_DRAWN_AT_ONCE = 4096
"""So many random bytes take little memory, and are drawn in the time of two calls."""


@watched
def draw(
    what: Uniform | Normal | Mask,
    shape: tuple[int, ...],
    dtype: Any,
    given: np.random.Generator | None = None,
    name: str = "noise",
) -> Any:
    """An array of random numbers. All that a step of training draws is drawn here, and says of which kind it is."""
    array = np.empty(shape, dtype)
    what(chosen(given), array)
    return array


def get_state() -> dict[str, Any]:
    """The state of the generator that serves in this thread, to be given to `set_state` later."""
    return dict(_generator().bit_generator.state)


def set_state(state: dict[str, Any]) -> None:
    """Put that generator back into a state that `get_state` returned."""
    generator().bit_generator.state = state


def replaying(own: np.random.Generator, state: Any, function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)`, with `own` as the generator that serves, which draws again what it drew from `state` on.

    Afterwards all is as before.
    """
    before, context = own.bit_generator.state, copy_context()
    context.run(_chosen_for_block.set, own)
    try:
        own.bit_generator.state = state
        return context.run(function, *args)
    finally:
        own.bit_generator.state = before

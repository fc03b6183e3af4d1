"""Whether to record: what an op leaves behind, here and now.

`no_grad`, `enable_grad`, `tracing` and their like change it, in this thread, inside a `with` block or a function.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar, cast, overload
from weakref import ref

import numpy as np

from tinygrad_edu.engine.node import Node

if TYPE_CHECKING:
    from tinygrad_edu.engine.signatures import P, R


class Watcher(Protocol):
    """A watcher is told of all that a function does, and can do it again without running its Python.

    There is one only while `program` runs a function for the first time; the engine then asks it in three places: where
    an op has been computed, where a leaf is made, and where a function is called that is `watched`.
    """

    def computed(
        self, op: Any, y: Node, inputs: tuple[Any, ...], arrays: Sequence[Any], settings: dict[str, Any]
    ) -> Any:
        """The result of an op, for the one who called it.

        op, settings: what was computed, and how. inputs: of what: tensors, arrays, numbers. arrays: the same as arrays and
        numbers, on which the op computed. y: a tensor of the result's numbers, with the cell of its memory if it shows that
        of its input; nothing else is set in it yet.
        """

    def made(self, leaf: Node) -> None:
        """A leaf has been made by `Tensor()`."""

    def instead(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What a watched function gives for these arguments: it may be run as it is written, or read in another way, or
        refused. `function` is the one that was marked, as it is written."""


class Recording:
    """What an op leaves behind: nothing, a node if a gradient may be asked for, or a node in any case. It is not written
    to; `but` makes another."""

    __slots__ = ("anomaly", "differentiating", "enabled", "everything", "holds", "limits", "watcher", "writes")

    enabled: bool
    everything: bool
    anomaly: bool
    differentiating: bool  # inside a function that jacobian() or its like differentiates
    holds: bool  # a gradient is being recorded: its masks are nodes too, since its rules name no temporaries
    writes: list[ref[Any]] | None  # takes a reference to each tensor that is written, for checkpoint()
    watcher: Watcher | None  # who is told of all that is done, to do it again: see `Watcher`
    limits: Mapping[Node, int] | None  # of the walk in progress: see `limits_in`

    def __init__(
        self,
        enabled: bool = True,
        everything: bool = False,
        anomaly: bool = False,
        differentiating: bool = False,
        holds: bool = False,
        writes: list[ref[Any]] | None = None,
        watcher: Watcher | None = None,
        limits: Mapping[Node, int] | None = None,
    ) -> None:
        self.enabled, self.everything, self.anomaly = enabled, everything, anomaly
        self.differentiating, self.holds, self.writes = differentiating, holds, writes
        self.watcher, self.limits = watcher, limits

    def but(self, changes: Mapping[str, Any]) -> Recording:
        """This, with some of it changed."""
        return Recording(**{**{name: getattr(self, name) for name in self.__slots__}, **changes})


AT_FIRST = Recording()
RECORDING: ContextVar[Recording] = ContextVar("RECORDING", default=AT_FIRST)


F = TypeVar("F", bound=Callable[..., Any])


def watched(function: F) -> F:
    """The function; but where a watcher is told of all that is done, it decides what a call does: see `Watcher.instead`.

    So is marked what would be wrong if it were done once and not again: what gives Python a number, writes, differentiates,
    or draws at random. What it means to a replay is said in `tinygrad_edu.program`, where each such function has a reading.
    """
    state = RECORDING.get

    @functools.wraps(function)
    def asked(*args: Any, **kwargs: Any) -> Any:
        watcher = state().watcher
        return function(*args, **kwargs) if watcher is None else watcher.instead(function, args, kwargs)

    @functools.wraps(function)
    def asked_to_set(self: Any, value: Any) -> Any:  # each step calls a setter for each leaf: this takes half the time
        watcher = state().watcher
        return function(self, value) if watcher is None else watcher.instead(function, (self, value), {})

    named = getattr(getattr(function, "__code__", None), "co_varnames", ())  # what is written in C has none
    return cast("F", asked_to_set if named[:2] == ("self", "value") and function.__defaults__ is None else asked)


SCOPE: ContextVar[Any] = ContextVar("SCOPE", default=None)
"""The call of a module that ops are being recorded in: figures draw it as a box."""


class recording:
    """Change how ops are recorded, in this thread: inside a `with` block, or in every call of a decorated function.

    It is nested, and used again, as one likes. A generator function or a coroutine cannot be decorated, since its body
    runs between the calls of others: write the block inside it, and `yield` or `await` outside the block.

    Ctrl-C in the very moment in which a `with` block is entered or left can leave the change behind, as it can with any
    such block written in Python; `set_grad_enabled(True)` puts it right. `run`, and so the decorator, has no such moment.
    """

    __slots__ = ("_before", "_changes", "_first")

    def __init__(self, **changes: Any) -> None:
        self._changes = changes
        self._before: list[Recording] = []
        self._first: Recording | None = None  # what it makes of `AT_FIRST`, once that has been asked for

    def _changed(self, before: Recording) -> Recording:
        if before is not AT_FIRST:
            return before.but(self._changes)
        self._first = self._first or before.but(self._changes)
        return self._first

    def __enter__(self) -> None:
        before = RECORDING.get()
        self._before.append(before)
        RECORDING.set(self._changed(before))

    def __exit__(self, *error: object) -> None:
        RECORDING.set(self._before.pop())

    def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`function(*args, **kwargs)`, inside the block.

        It runs in a copy of the context, which the interpreter itself leaves, whatever is raised and whenever: so the
        package's own code changes how ops are recorded in this way alone.
        """
        context = copy_context()
        context.run(RECORDING.set, self._changed(RECORDING.get()))
        return context.run(function, *args, **kwargs)

    def __call__(self, function: F) -> F:
        """The function, each call of which runs in such a block."""
        kinds = inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction
        if any(is_kind(function) for is_kind in kinds):
            raise TypeError(
                f"{function.__name__} is a generator or a coroutine, whose body runs outside the decorator's block; "
                "write `with no_grad():` inside it, around what it computes at once"
            )

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            return self.run(function, *args, **kwargs)

        return cast("F", inside)


class set_grad_enabled(recording):
    """Whether ops are recorded in this thread, from now on: until the end of the block if it is written as a `with`
    block, of the call in a decorated function, else until it is said anew.

    mode: True as after `enable_grad()`, False as after `no_grad()`. Inside a module's `forward`, it holds until that ends.
    Where Ctrl-C struck as a block was entered, `set_grad_enabled(True)` puts right what it left behind.

    Raises TypeError for a mode that is no bool.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.set_grad_enabled(False):
    ...     y = w * 2
    >>> y.requires_grad, (w * 2).requires_grad
    (False, True)
    """

    __slots__ = ("_begun",)

    def __init__(self, mode: bool) -> None:
        if not isinstance(mode, bool | np.bool_):
            raise TypeError(f"set_grad_enabled() takes True or False, but got {type(mode).__name__} {mode!r:.60}")
        super().__init__(**(enable_grad() if mode else no_grad())._changes)
        super().__enter__()
        self._begun = True

    def __enter__(self) -> None:
        """The block began when this was made; one that is entered again begins again."""
        if not self._begun:
            super().__enter__()
        self._begun = False

    def __call__(self, function: F) -> F:
        """As a decorator it changes nothing outside the function."""
        if self._begun:
            self._begun = False
            self.__exit__()
        return super().__call__(function)


def quietly(function: Callable[..., Any], *args: Any, **kinds: Any) -> Any:
    """`function(*args)`, without NumPy's warnings of infinities and NaN, or of those `kinds` alone, as divide="ignore".

    It is `np.errstate`, left as in `recording.run`.
    """
    context = copy_context()
    known = context.get(_WARNINGS)
    if known is None and not kinds:
        context.run(_WARNINGS.set, _NO_WARNINGS)
    elif known is not _NO_WARNINGS:  # another `np.errstate`, or `np.setbufsize`, which stays
        context.run(np.seterr, **(kinds or {"all": "ignore"}))
    return context.run(function, *args)


_before = copy_context()
with np.errstate(all="ignore"):  # what it sets, and to what: to set that again takes half the time
    _WARNINGS, _NO_WARNINGS = next(pair for pair in copy_context().items() if _before.get(pair[0]) is not pair[1])


class block:
    """A function that makes a `with` block, or a decorator: `with no_grad():`, `@no_grad()`, and also `@no_grad`."""

    def __init__(self, make: Callable[[], recording]) -> None:
        self._make = make
        functools.update_wrapper(self, make)

    @overload
    def __call__(self) -> recording: ...
    @overload
    def __call__(self, function: F) -> F: ...
    def __call__(self, function: F | None = None) -> recording | F:
        """The block; or the function, each call of which runs in one."""
        made = self._make()
        return made if function is None else made(function)

    def __enter__(self) -> NoReturn:
        raise TypeError(f"write `with {self._name}():`, with parentheses")

    def __exit__(self, *error: object) -> None: ...

    def __reduce__(self) -> str:
        return self._name

    @property
    def _name(self) -> str:
        return self._make.__name__

    def __repr__(self) -> str:
        return f"<{self._name}>"


@block
def no_grad() -> recording:
    """Record nothing inside the block: results are plain numbers, and leaves may be written in place.

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     w -= 0.1
    >>> w.requires_grad, (w * 2).requires_grad
    (True, True)
    """
    return recording(enabled=False, everything=False, differentiating=False)


@block
def enable_grad() -> recording:
    """Record inside the block, also where it stands within `no_grad`.

    >>> with no_grad(), enable_grad():
    ...     is_grad_enabled()
    True
    """
    return recording(enabled=True)


@block
def tracing() -> recording:
    """Record every op inside the block, also on tensors that require no gradient (for figures), and hold on to what
    comparisons, argmax and the like are computed from."""
    return recording(enabled=True, everything=True)


def is_grad_enabled() -> bool:
    """Whether ops are being recorded in this thread.

    >>> is_grad_enabled()
    True
    """
    return RECORDING.get().enabled


@block
@watched
def detect_anomaly() -> recording:
    """Look for NaN after every op and every gradient rule in the block; the error names the op and the line.

    It costs one pass over each result, so it is a tool for finding a fault, not for training.

    >>> import tinygrad_edu as tg
    >>> with tg.detect_anomaly(), np.errstate(all="ignore"):
    ...     tg.Tensor([np.inf], name="x", requires_grad=True) * 0.0  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    FloatingPointError: multiply made NaN out of 'x', a Tensor of shape () at ...
    """
    return recording(anomaly=True)

"""How the arguments of a call become the inputs and the settings of an op: read off its forward function, once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from tinygrad_edu.engine.calls import OUR_NAMES
from tinygrad_edu.engine.refusals import too_many

EMPTY: Any = inspect.Parameter.empty
"""The default of what must be given."""

Bind = Callable[..., tuple[tuple[Any, ...], dict[str, Any]]]


class CallPlan:
    """How an op is called by its own signature.

    name: of the op, for errors.
    forward: the function whose signature it is.
    arity: how many arguments are inputs; the others are settings. None if `forward` is to tell.
    bind: the arguments as the caller writes them, to `(inputs, settings)`, if the op does that itself.
    several: whether the op has several results.
    ignores: names of options that are accepted and say nothing.

    What follows from them, and every call looks up:

    own: `bind`, under the name of the op; None if it has none.
    direct: so many arguments by position are the inputs as they are; −1 if the op binds them itself.
    defaults: the settings, each with its default. settings: their names.
    raw: whether arrays may be handed to `forward` as they come: their number tells inputs from settings.
    """

    __slots__ = (
        "_by_place",
        "_forward",
        "_inputs",
        "_name",
        "arity",
        "defaults",
        "direct",
        "ignores",
        "own",
        "raw",
        "settings",
        "takes_scratch",
    )

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        arity: int | None,
        bind: Bind | None,
        several: bool,
        ignores: frozenset[str],
    ) -> None:
        defaults, by_place = _parameters(forward)
        self.takes_scratch = "scratch" in defaults
        for place_to_write in ("out", "scratch"):  # no settings
            by_place -= place_to_write in list(defaults)[:by_place]
            defaults.pop(place_to_write, None)
        self._name, self._forward, self.ignores, self._by_place = name, forward, ignores, by_place
        self.own = None if bind is None else _called(bind, name)
        if arity is None and bind is None:
            arity = forward.nin if isinstance(forward, np.ufunc) else 1
        self.arity = arity
        self._inputs = list(defaults)[:arity]
        self.defaults = dict(list(defaults.items())[arity:])
        self.settings = self.defaults.keys()
        self.direct = -1 if arity is None or bind is not None else arity
        self.raw = bind is None and not several and arity is not None and arity <= 2

    def parameters(self) -> list[inspect.Parameter]:
        """The inputs, then the settings."""
        if self.own is not None:
            return list(inspect.signature(self.own).parameters.values())
        if isinstance(self._forward, np.ufunc):
            n = self._forward.nin
            inputs = ["x"] if n == 1 else list("abcdefgh"[:n])  # as its rules call them
            kind = inspect.Parameter.POSITIONAL_ONLY
            return [inspect.Parameter(name, kind, annotation="ArrayLike") for name in inputs]
        told = inspect.signature(self._forward).parameters.values()
        return [p for p in told if p.name not in ("out", "scratch")]

    def bind(self, *args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments to inputs and settings; by the forward's own signature, unless the op does it itself.

        Raises TypeError for arguments that there are not, or that are missing.
        """
        if self.own is not None:
            return self.own(*args, **kwargs)
        n = self.arity or 0
        inputs = args[:n]
        if len(inputs) < n:
            inputs = (*inputs, *[kwargs.pop(name) for name in self._inputs[len(inputs) :] if name in kwargs])
        if len(inputs) != n:
            raise TypeError(f"{self._name}() takes {n} input{'s' * (n != 1)}, but got {len(inputs)}")
        if len(args) > max(n, self._by_place):
            further = list(self.defaults)[self._by_place - n :]
            raise too_many(self._name, max(n, self._by_place), len(args), further)
        placed = dict(zip(self.defaults, args[n:], strict=False))
        settings = {**self.defaults, **placed}
        for key, value in kwargs.items():
            if key in placed:
                raise TypeError(f"{self._name}() got {key} twice: by position, and by name")
            if key in settings:
                settings[key] = value
            elif not (value is None or value is np._NoValue or key in self.ignores):  # an option of NumPy's, not used
                self._refuse(key)
        for key, value in settings.items():
            if value is EMPTY:
                raise TypeError(f"{self._name}() needs {key}")
            if value.__class__ is list:
                settings[key] = tuple(value)  # settings are hashable
        return inputs, settings

    def _refuse(self, key: str) -> None:
        """Raise TypeError for a setting that there is not, with what to write."""
        takes = ", ".join(self.defaults) or "no settings"
        ours = OUR_NAMES.get(key)
        cure = f"write {ours}=" if ours in self.defaults else "leave it out, or compute on t.numpy()"
        raise TypeError(f"{self._name}() on a Tensor takes {takes}, not {key}=; {cure}")


def _parameters(function: Callable[..., Any]) -> tuple[dict[str, Any], int]:
    """The parameters of a function, each with its default, and how many of them may stand without a name.

    It is what `inspect.signature` tells, read off the code in a tenth of the time, for there are many ops to import.
    """
    if isinstance(function, np.ufunc):
        return {}, 0
    function = inspect.unwrap(function)
    if not isinstance(function, FunctionType):
        told = inspect.signature(function).parameters.values()
        return {p.name: p.default for p in told}, len([p for p in told if p.kind is not p.KEYWORD_ONLY])
    code, given = function.__code__, function.__defaults__ or ()
    by_place = code.co_argcount
    names = code.co_varnames[: by_place + code.co_kwonlyargcount]
    defaults = dict.fromkeys(names, EMPTY)
    defaults.update(zip(names[by_place - len(given) : by_place], given, strict=True))
    defaults.update(function.__kwdefaults__ or {})
    return defaults, by_place


def _called(bind: Any, name: str) -> Any:
    """A function that binds the arguments of several ops, under the name of one: Python's own errors then say it."""
    if not isinstance(bind, FunctionType):
        return bind
    own = FunctionType(bind.__code__, bind.__globals__, name, bind.__defaults__, bind.__closure__)
    own.__kwdefaults__, own.__annotations__, own.__qualname__ = bind.__kwdefaults__, bind.__annotations__, name
    return own

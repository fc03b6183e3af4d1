"""Checks of what an optimizer is given to update; the errors say what to write instead."""

from __future__ import annotations

import weakref
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, Set
from typing import Any

import numpy as np

from tinygrad_edu.engine.tensor import Tensor

Parameters = Iterable[Tensor] | Iterable[Mapping[str, Any]]
"""Parameters, or groups of them, `{"params": [w], "lr": 0.1}`."""


def listed(who: str, given: Any) -> list[Any]:
    """What an optimizer was given, as a list. Raises TypeError, with what to write, for what is no series of things."""
    kind = type(given).__name__
    if isinstance(given, Tensor):
        raise TypeError(f"{who} takes a list of parameters: write [w], or model.parameters()")
    if callable(getattr(given, "parameters", None)):
        said, model = (
            (f"the class {given.__name__}", f"{given.__name__}()")
            if isinstance(given, type)
            else (f"a {kind}", "model")
        )
        raise TypeError(f"{who} takes parameters, but was given {said}: write {who}({model}.parameters(), …)")
    if callable(given):
        name = getattr(given, "__name__", kind)
        raise TypeError(f"{who} takes parameters, but was given a {kind} that was not called: write model.{name}()")
    if isinstance(given, Set | weakref.WeakSet) and not isinstance(given, KeysView | ItemsView):
        raise TypeError(
            f"{who} was given a {kind}, which has no order for state_dict() to count the parameters by; write a list, [w, b]"
        )
    if isinstance(given, Mapping):
        cure = "[group], a list of groups" if "params" in given else "params.values()"
        raise TypeError(f"{who} takes parameters, but was given a {kind}: write {cure}")
    try:
        return list(given)
    except TypeError:
        raise TypeError(
            f"{who} takes a list of parameters, such as model.parameters(), but got {kind} {given!r:.60}"
        ) from None


def _no_parameter(who: str, given: object) -> TypeError:
    """The error for a thing among the parameters that is not a tensor."""
    if callable(getattr(given, "parameters", None)) or isinstance(given, Iterator | list):
        cure = "write [*a.parameters(), *b.parameters()]"
    elif callable(given):
        cure = f"call it: model.{getattr(given, '__name__', 'parameters')}()"
    elif isinstance(given, tuple):
        cure = "write model.parameters() for model.named_parameters()"
    elif isinstance(given, Mapping):
        cure = 'make all of them groups: [{"params": [w]}, {"params": [b], "lr": 0.1}]'
    elif isinstance(given, np.ndarray | np.generic):
        cure = "make a leaf of it: w = tg.Tensor(array, requires_grad=True)"
    else:
        cure = "write model.parameters()"
    return TypeError(f"{who} updates tensors, but was given {type(given).__name__}; {cure}")


def refuse_unfit(who: str, p: object) -> None:
    """Raise, with what to write, unless this is a leaf of floating numbers that can be written."""
    if not isinstance(p, Tensor):
        raise _no_parameter(who, p)
    if p.op is not None or p.dtype.kind != "f":
        raise TypeError(f"{who} updates leaves of floating numbers, which {p.describe()} is not")
    if not p.ndarray.flags.writeable:
        raise ValueError(
            f"{who} writes what it updates, but {p.describe()} has a read-only array, as pandas and np.broadcast_to "
            "give it; make it of a copy: tg.Tensor(np.array(x), requires_grad=True)"
        )

"""What the caller calls things: the names of variables that hold tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from tinygrad_edu.engine.tensor import Tensor

MOST_MEMBERS_LOOKED_AT = 1000  # so many members of a container are looked at


def variable_names(frame: FrameType | None) -> dict[str, Any]:
    """The tensors that a frame's variables hold, local before global; each under one name.

    Also `params["W1"]`, called W1, and `layers[0]`. Names with an underscore in front are left out: their author
    has marked them as internal.
    """
    found: dict[str, Any] = {}
    named: set[Any] = set()
    for scope in (frame.f_locals, frame.f_globals) if frame is not None else ():
        for name, tensor in _held(scope):
            if tensor not in named and name not in found:
                found[name] = tensor
                named.add(tensor)
    return found


def _held(scope: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The tensors in a scope with their names: those of variables, then those inside containers."""
    inside = []
    for name, value in list(scope.items()):
        if name.startswith("_") or not name.isidentifier():
            continue
        if isinstance(value, Tensor):
            yield name, value
        elif type(value) in (list, tuple, dict) and len(value) <= MOST_MEMBERS_LOOKED_AT:
            inside.append((name, value))
    for name, container in inside:
        pairs = container.items() if isinstance(container, dict) else enumerate(container)
        for key, value in pairs:
            if isinstance(value, Tensor):
                yield (key if isinstance(key, str) else f"{name}[{key}]"), value

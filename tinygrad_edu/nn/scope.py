"""Scope: one call of a module, and how errors raised in it say where they were raised."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from tinygrad_edu.engine.refusals import raised_on_purpose

if TYPE_CHECKING:
    from tinygrad_edu.nn.module import Module


class Scope:
    """One call of a module. What is recorded during the call carries it, so that figures can draw the call as one box.

    module: the module, or None once it is gone.
    parent: the call of the module that called this one, or None for the outermost.

    Equal calls are different scopes: a module that is called ten times makes ten.

    >>> import numpy as np
    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential(nn.Linear(2, 3))
    >>> scope = model(np.ones((1, 2), np.float32)).scope
    >>> scope.kind, scope.path, scope.parent.kind
    ('Linear', '0', 'Sequential')
    """

    __slots__ = ("_module", "kind", "parent")

    def __init__(self, module: Module, parent: Scope | None) -> None:
        self._module = weakref.ref(module)  # a tensor that the module keeps must not keep the module
        self.kind = type(module).__name__
        self.parent = parent

    @property
    def module(self) -> Module | None:
        """The module that was called."""
        return self._module()

    @property
    def path(self) -> str:
        """The module's name in the outermost module that was called: `layers.0`; '' for that module itself."""
        root = self._outermost().module
        inside = root.named_modules() if root is not None else ()
        return next((path for path, module in inside if module is self.module), "")

    def _outermost(self) -> Scope:
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def __repr__(self) -> str:
        return ".".join([self._outermost().kind, self.path]).rstrip(".")


def say_where(error: Any, scope: Scope, line: str) -> None:
    """Add the path of the module to an error: before a message that was written for the reader, else in a note below
    it.

    The error keeps the path in its attribute `raised_in` too.
    """
    error.raised_in = str(scope)
    message = error.args[0] if len(error.args) == 1 else None
    if not isinstance(message, str) or not raised_on_purpose(error):
        error.add_note(f"raised in {scope}: {line}")
    elif scope.parent is not None:  # the outermost module is what the caller called
        error.args = (f"{scope}: {message}",)

"""Hooks: functions of the user's own that are shown what goes into a module and what comes out of it, forward and
backward.

A backward hook needs the gradients of all inputs of the module, and those of all its outputs. So the inputs pass one
node in the record, and the outputs another; each node shows the hook the gradients that reach it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np

from tinygrad_edu.engine.op import Op
from tinygrad_edu.engine.registry import tick
from tinygrad_edu.engine.tensor import Tensor

Kind = Literal["before", "after", "back"]


class Handle:
    """What registering a hook returns. `remove()` takes the hook off again, as the end of a `with` block does."""

    def __init__(self, module: Any, kind: Kind, key: int) -> None:
        self._module = weakref.ref(module)
        self._kind, self._key = kind, key

    def remove(self) -> None:
        """Take the hook off, if it is still there."""
        module = self._module()
        if module is not None and (hooks := vars(module).get("_hooks")) is not None:
            left = {key: hook for key, hook in getattr(hooks, self._kind).items() if key != self._key}
            _put(module, replace(hooks, **{self._kind: left}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def attach(module: Any, kind: Kind, hook: Callable[..., Any]) -> Handle:
    """Add a hook to those of a module, and return its handle."""
    if not callable(hook):
        raise TypeError(f"a hook is a function, but got {type(hook).__name__} {hook!r:.60}")
    hooks, key = vars(module).get("_hooks") or Hooks(), tick()
    _put(module, replace(hooks, **{kind: {**getattr(hooks, kind), key: hook}}))
    return Handle(module, kind, key)


def _put(module: Any, hooks: Hooks) -> None:
    """Give the module a new object of hooks: by another object, a replayed function sees that the hooks changed."""
    if hooks.before or hooks.after or hooks.back:
        module._hooks = hooks
    else:
        del module._hooks


@dataclass(frozen=True)
class Hooks:
    """The hooks of one module, by kind, in the order in which they were registered."""

    before: dict[int, Callable[..., Any]] = field(default_factory=dict)
    after: dict[int, Callable[..., Any]] = field(default_factory=dict)
    back: dict[int, Callable[..., Any]] = field(default_factory=dict)

    def call(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call `module.forward` with the hooks around it."""
        for hook in self.before.values():
            changed = hook(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        passage = _Passage(module, tuple(self.back.values())) if self.back else None
        if passage is not None:
            args = passage.inputs(args)
        y = module.forward(*args, **kwargs)
        for hook in self.after.values():
            changed = hook(module, args, y)
            if changed is not None:
                y = changed
        return y if passage is None else passage.outputs(y)


# ---------------------------------------------------------------------------------------------------
# Going back

_passed = Op(
    lambda *xs: tuple([np.copy(x) for x in xs]),
    name="hook",
    doc="The inputs, as they are: a node at which a hook sees the gradients of all of them together.",
    vjp=lambda i, g, y, *xs: g[i],
    bind=lambda *xs: (xs, {}),
    outputs=1 << 30,
    presence=lambda present, i, *xs: present[i],
)


class _Passage:
    """One call of a module with backward hooks: it keeps ∂L/∂outputs until ∂L/∂inputs arrive, then calls the hooks."""

    def __init__(self, module: Any, hooks: Sequence[Callable[..., Any]]) -> None:
        self._module = weakref.ref(module)  # the record must not keep the module
        self._hooks = hooks
        self._places: list[int] = []  # the positions of inputs that require a gradient
        self._count = 0
        self._grad_output: tuple[Any, ...] = ()

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Send the arguments that require a gradient through a node, and return all of them."""
        self._count = len(args)
        self._places = [i for i, x in enumerate(args) if isinstance(x, Tensor) and x.needs_grad]
        changed = list(args)
        found = self._watched([args[i] for i in self._places], self._arrived)
        for i, x in zip(self._places, found, strict=True):
            changed[i] = x
        return tuple(changed)

    def outputs(self, y: Any) -> Any:
        """Send the output, a tensor or several, through a node, and return it."""
        several = isinstance(y, tuple | list)
        ys = list(y) if several else [y]
        if not all(isinstance(x, Tensor) for x in ys):
            raise TypeError(
                f"a backward hook is on a module whose forward() gives a tensor, or a tuple of them, but got {type(y).__name__}"
            )
        places, count = [i for i, x in enumerate(ys) if x.needs_grad], len(ys)

        def begun(gs: tuple[Any, ...]) -> None:  # it refers to no results, which would make a cycle
            found: list[Any] = [None] * count
            for i, g in zip(places, gs, strict=True):
                found[i] = g
            self._grad_output = tuple(found)
            if not self._places:
                self._show((None,) * self._count)

        for i, x in zip(places, self._watched([ys[i] for i in places], begun), strict=True):
            ys[i] = x
        return type(y)(ys) if several else ys[0]

    def _watched(self, xs: list[Any], hook: Callable[[tuple[Any, ...]], Any]) -> list[Any]:
        """Send the tensors through a node that calls this hook with their gradients."""
        if not xs:
            return xs
        results = _passed(*xs)
        node = results[0].inputs[0] if results[0].op is not None else None
        if node is not None:  # if it is None, nothing is recorded
            node.attachments().hooks[tick()] = hook
        return list(results)

    def _arrived(self, gs: tuple[Any, ...]) -> tuple[Any, ...]:
        """∂L/∂inputs are known: call the hooks, and return the gradients that go on."""
        shown: list[Any] = [None] * self._count
        for i, g in zip(self._places, gs, strict=True):
            shown[i] = g
        changed = self._show(tuple(shown))
        return gs if changed is None else tuple([changed[i] for i in self._places])

    def _show(self, grad_input: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Call the hooks. Return ∂L/∂inputs as they leave them, or None if none changed anything."""
        module, replaced = self._module(), False
        for hook in self._hooks if module is not None else ():
            changed = hook(module, grad_input, self._grad_output)
            if changed is None:
                continue
            changed = changed if isinstance(changed, tuple) else (changed,)
            if len(changed) != len(grad_input) or not self._places:
                raise RuntimeError(
                    f"a backward hook of {type(module).__name__} returned {len(changed)} gradients, but "
                    f"{len(self._places)} of its {len(grad_input)} inputs require one; return None, or as many as grad_input has"
                )
            grad_input, replaced = changed, True
        self._grad_output = ()
        return grad_input if replaced else None

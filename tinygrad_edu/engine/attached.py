"""What is attached to few nodes: hooks on their gradients, and what is noted of how they were recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_edu.engine.node import Node
from tinygrad_edu.engine.origins import Origin
from tinygrad_edu.engine.protocols import read_only
from tinygrad_edu.engine.registry import Edits


class Attached:
    """What is attached to a node.

    hooks: functions of its gradient, by the time at which they were registered.
    line: where it was recorded, inside `detect_anomaly()`.
    origin: what a result without a derivative was computed from.
    retains: whether `backward()` leaves the gradient of this result too.
    as_leaf: whether it passes for a leaf: it is recorded, though no derivative is taken of it.
    """

    __slots__ = ("as_leaf", "hooks", "line", "origin", "retains")

    def __init__(self, origin: Origin | None = None) -> None:
        self.hooks: dict[int, Callable[[Any], Any]] = {}
        self.line = "an unknown line"
        self.origin = origin
        self.retains = self.as_leaf = False

    def run_hooks(self, g: Any, node: Node, create_graph: bool) -> Any:
        """The gradient g of the node, after the hooks have seen it and perhaps replaced it.

        Of a node with several results they see a tuple of gradients, None where none came, and may return such a tuple.
        Raises TypeError if a hook returns what is no number, ValueError for another shape than that of the gradient.
        """
        several = isinstance(node.ndarray, tuple)
        for hook in list(self.hooks.values()):
            shown = [
                part if part is None or create_graph else node.constant(read_only(part))
                for part in (g if several else [g])
            ]
            changed = hook(tuple(shown) if several else shown[0])
            if changed is None:
                continue
            parts = [
                None if part is None else _returned(part, result, node, create_graph)
                for part, result in zip(
                    changed if several else [changed], node.ndarray if several else [node.ndarray], strict=True
                )
            ]
            g = parts if several else parts[0]
        return g


def _returned(changed: Any, result: Any, node: Node, create_graph: bool) -> Any:
    """What a hook returned as the gradient of a result, as the walk goes on with it."""
    if not hasattr(changed, "ndarray"):
        changed = node.constant(np.asarray(changed))
    if changed.dtype.kind not in "biufc":
        raise TypeError(f"a hook on {node.describe()} returned {changed.dtype}; return its gradient, or None")
    if changed.shape != result.shape:
        raise ValueError(
            f"a hook on {node.describe()} returned shape {changed.shape}, but its gradient has shape {result.shape}"
        )
    return changed if create_graph else changed.ndarray.astype(result.dtype, copy=False)


class RemovableHook:
    """What `register_hook` returns: `remove()` takes the hook off again."""

    def __init__(self, hooks: dict[int, Callable[[Any], Any]], key: int) -> None:
        self._hooks, self._key = hooks, key

    def remove(self) -> None:
        """Take the hook off: it is not called again."""
        self._hooks.pop(self._key, None)
        Edits.note()

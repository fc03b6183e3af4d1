"""Results without a derivative: leaves that know what they were computed from, and keep none of it alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from tinygrad_edu.engine.node import Node
from tinygrad_edu.engine.recording import SCOPE
from tinygrad_edu.engine.registry import tick

N = TypeVar("N", bound=Node)


class Origin:
    """A note of how a result without a derivative was computed, which keeps nothing alive.

    A comparison, an argmax, a count: no gradient goes through them, so nothing is lost when their inputs are let go, and
    an accuracy that is kept must not keep the graph of a network. Such a result is therefore a leaf, which notes its op
    and inputs here: those that have a derivative by weak references, the others firmly. When one of the first ends,
    so does this, and so do the origins of all that was computed from it: the inputs are dropped, and the result is
    *gone*, a value that cannot be computed again. So it is when it was written since.

    What is recorded and uses such a result needs it to be run again on other values. `node_of` gives it a node that holds
    all the inputs firmly.
    """

    __slots__ = ("__weakref__", "inputs", "made", "node", "op", "parents", "scope", "settings")

    def __init__(self, op: Any = None, inputs: Sequence[Node] | None = None, settings: Any = None) -> None:
        self.op, self.settings, self.scope = op, settings, SCOPE.get()
        self.made = tick()
        self.node: Callable[[], Node | None] | None = None  # a weak reference to what `node_of` gave
        self.parents: list[_Source] = []
        self.inputs: Sequence[Any] | None = inputs
        if inputs is None:
            return
        mine = weakref.ref(self)
        held: list[Any] = []
        for x in inputs:
            if x.needs_grad:
                source = _Source(x, _end)
                source.of = mine
                held.append(source)
                continue
            if x.attached is not None and x.attached.origin is not None:
                if is_gone(x):
                    self.inputs = None
                    return
                parent = _Source(x.attached.origin)
                parent.of = mine
                self.parents.append(parent)
            held.append(x)
        self.inputs = held

    def known(self) -> Node | None:
        """The node that stands for the result in records, while one of them uses it."""
        return None if self.node is None else self.node()

    def end(self) -> None:
        """Drop the inputs: the result is gone, and with it all that was computed from it. Without recursion."""
        ended: list[Origin | None] = [self]
        for origin in ended:  # the list grows as it is read
            if origin is not None and origin.inputs is not None:
                ended += [link.of() for link in weakref.getweakrefs(origin) if isinstance(link, _Source)]
                origin.inputs = origin.settings = origin.scope = None
                origin.parents = []


class _Source(weakref.ref[Any]):
    """A weak reference to an input of a result, with another to the origin `of` that result."""

    __slots__ = ("of",)

    of: Callable[[], Origin | None]


def _end(source: _Source) -> None:
    """Note that an input has ended; Python calls it for the weak reference."""
    origin = source.of()
    if origin is not None:
        origin.end()


def has_origin(x: Node) -> bool:
    """Whether a tensor is a result without a derivative, or such a result was written into it."""
    return x.attached is not None and x.attached.origin is not None


def is_gone(x: Node) -> bool:
    """Whether a leaf is a result that cannot be computed again: a source of it has ended, or it was written since."""
    origin = None if x.attached is None else x.attached.origin
    if origin is None:
        return False
    if x.cell is not None and x.cell.written > origin.made:
        origin.end()
    return origin.inputs is None


def node_of(x: N) -> N:
    """Return the node that stands for `x` in a record: `x` itself, but for a result without a derivative whose sources live
    a node that holds what it was computed from. That node is the same one as long as a record uses it."""
    if x.op is not None or x.attached is None or x.attached.origin is None or is_gone(x):
        return x
    origin = x.attached.origin
    node = origin.known()
    if node is not None:
        return node
    if not origin.parents:
        return _made_firm(x, origin, {})
    results = [x]
    for y in results:  # the list grows as it is read
        results += [z for z in y.attached.origin.inputs or () if z.__class__ is not _Source and has_origin(z)]
    nodes: dict[Any, Any] = {}
    for y in sorted(dict.fromkeys(results), key=lambda y: y.attached.origin.made):
        origin = y.attached.origin
        node = origin.known()
        if node is None:
            node = y if is_gone(y) else _made_firm(y, origin, nodes)
        nodes[y] = node
    return nodes[x]


def _made_firm(x: N, origin: Origin, nodes: Mapping[Any, Any]) -> N:
    """A node with the value of `x` that holds the inputs of `x`, so that a record can be run again.

    nodes: what stands for inputs that are such results themselves.
    """
    inputs = [z() if z.__class__ is _Source else nodes.get(z, z) for z in origin.inputs or ()]
    for z in inputs:
        if z is None:  # it has ended in another thread, a moment ago
            return x
    node = x.__class__.__new__(x.__class__)
    node.ndarray, node.cell, node.name = x.ndarray, x.cell, x.name
    node.op, node.inputs, node.settings, node.scope = origin.op, tuple(inputs), origin.settings, origin.scope
    node.made_at, node.needs_grad, node.held_grad, node.attached = origin.made, False, None, None
    origin.node = weakref.ref(node)
    return node


def refuse_gone(leaves: Collection[Node]) -> None:
    """Raise RuntimeError if one of them is gone, so that nothing is computed with a frozen mask."""
    for x in leaves:
        if x.op is None and x.attached is not None and is_gone(x):
            raise RuntimeError(
                f"{x.describe()}, of shape {x.shape}, cannot be computed again, because what it was computed from is gone "
                "or it was written since; give every result in a condition a name that lives on, as in "
                "h = x * w; y = np.where(h > 0, h, 0), or compute all of it inside `with tg.autograd.tracing():`"
            )

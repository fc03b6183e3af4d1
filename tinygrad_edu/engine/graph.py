"""The graph: what operations leave behind, and the walk back through it.

An operation on tensors leaves a node: the op, its inputs, its settings. This page puts the nodes in order
(`topological`) and walks them from an output back to the leaves by the chain rule (`walk`). Whether a node is left is
decided in `recording`; `evaluate` runs a record forwards again. `backward`, `grad`, the figures and the replay are
readings of these.

Tensors are known here by their attributes alone (`op inputs settings requires_grad`), so this page can be read first.

Source: Baydin et al., *Automatic differentiation in machine learning: a survey*, JMLR 18 (2018).
"""

from __future__ import annotations

import math
import operator
import weakref
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from tinygrad_edu.engine.recording import RECORDING, recording
from tinygrad_edu.engine.refusals import has_nan
from tinygrad_edu.engine.registry import tick

Node = Any  # a Tensor: known by its attributes
Array = Any  # a NumPy array, or one that speaks its protocols


# ---------------------------------------------------------------------------------------------------
# The order of a record


class Cell:
    """When a storage was last written. Tensors that share memory share a cell."""

    __slots__ = ("written",)

    last = 0  # the latest write of all

    def __init__(self) -> None:
        self.written = 0

    def write(self) -> None:
        """Note a write: records made before it are stale."""
        self.written = Cell.last = tick()

    @staticmethod
    def write_all(cells: Sequence[Cell]) -> None:
        """Note a write to each of them."""
        if cells:
            now = Cell.last = tick()
            for cell in cells:
                cell.written = now


class Edits:
    """How often what replays depend on has changed: attributes of modules, the state of optimizers, arrays, hooks,
    whether a gradient is required, and what has ended. A replay looks at all of it again when there have been more."""

    number = 0

    @classmethod
    def note(cls, ended: Any = None) -> None:
        """One more."""
        cls.number += 1


class Freed(tuple[Any, ...]):
    """The inputs of a node whose record has been freed."""


FREED = Freed()


def topological(
    outputs: Sequence[Node],
    *,
    through_constants: bool = False,
    leaves: bool = True,
    ends: Container[Node] = (),
) -> list[Node]:
    """The nodes that `outputs` were computed from, each after all of its inputs.

    An op is made after its inputs, so the order of making is such an order. Only what requires a gradient is
    visited, unless `through_constants`; leaves with nothing to do (no hook) may be left out; what `ends` were
    computed from is not followed. Each node is met once, and nothing recurses, so a chain of a million ops and a stack of 2⁶⁰ paths are ordinary records.

    Raises RuntimeError if a part of the record was freed or, unless `through_constants`, is stale.
    """
    order = list(outputs) if len(outputs) == 1 else list(dict.fromkeys(outputs))
    seen = set(order)
    for node in order:  # the list grows as it is read
        if ends and node in ends:
            continue
        inputs = node.inputs
        if inputs is FREED or (node.made_at < Cell.last and not through_constants):
            check_intact(node)
        for x in inputs:
            if (x.needs_grad or through_constants) and x not in seen:
                seen.add(x)
                if leaves or x.op is not None or x.attached is not None:
                    order.append(x)
    order.sort(key=_made)
    return order


_made = operator.attrgetter("made_at")


def check_intact(node: Node) -> None:
    """Raise RuntimeError if the node's record was freed, or if its value or an input's was written since."""
    if node.op is None:
        return
    if node.inputs is FREED:
        refuse_freed(node)
    for x in (node, *node.inputs):
        if x.cell is not None and x.cell.written > node.made_at:
            verb = "made" if x is node else "used"
            while x.inputs and x.inputs[0].cell is x.cell:  # of a view, name what it is a view of
                x = x.inputs[0]
            name = x.name or "t"
            cure = f"or have a new tensor in place of a write: {name} = {name} + dt, not +="
            if not name.isidentifier():  # a weight, called by its place in a module
                cure = "or go backward and draw before the write, which may be optimizer.step()"
            raise RuntimeError(
                f"{x.describe()} was written after {node.made_by()} had {verb} it, so the recorded graph "
                f"no longer matches its values; compute the output again after writing, or write into a copy (x.clone()), {cure}"
            )


def refuse_freed(node: Node) -> NoReturn:
    """Raise RuntimeError for a node that a walk has let go of."""
    raise RuntimeError(
        f"the graph of {node.describe()} was freed by backward(retain_graph=False); "
        "compute it again, or leave out retain_graph=False the first time"
    )


# ---------------------------------------------------------------------------------------------------
# The walk


def walk(
    order: list[Node],
    totals: dict[Node, Any],
    visit: Callable[[Node, int, Any], None] | None = None,
    *,
    leads: set[Node] | None = None,
    keep: set[Node] | frozenset[Node] = frozenset(),
    create_graph: bool = False,
    free: bool = False,
    limits: Mapping[Node, int] | None = None,
    hooks: bool = True,
) -> None:
    """The chain rule, from the outputs back to the leaves.

    `order` is consumed from its end. `totals` holds the outputs' cotangents at first, and at the end the leaves'
    (and those of the nodes in `keep`, or that retain theirs). A node is reached when all its uses have contributed,
    so each rule runs once a use: contribution = (∂L/∂y)·(∂y/∂x), summed over the axes along which x was broadcast;
    `visit(node, position, contribution)` is shown each. With `leads`, only inputs in it are followed. With
    `create_graph` the rules run on tensors, and so are recorded; without, on arrays. With `free`, each node lets go
    of its inputs once it has been read. `limits` are those of `limits_in(order)`, left out to have them found; without
    `hooks`, those of the nodes are not run.

    What a selection dropped sends back nothing, even where its own derivative is ∞ or NaN: see `Presence`. On arrays
    the walk first goes as if nothing could be ∞; if a NaN comes out, it goes again, and follows what is present. Where it
    may not go twice, as rules are recorded or contributions shown, it does so at once.
    """
    if LIMITS and limits is None:
        limits = limits_in(order, 2 if create_graph else 1)
        if limits:
            _walk_recorded(order, totals, visit, limits, leads=leads, keep=keep, create_graph=create_graph, free=free)
            return
    if RECORDING.get().anomaly:
        visit = _refuse_nan(visit)
    ours: set[Node] = set()  # totals that this walk allocated, and so may add to in place
    presence: Any = None  # which elements of the nodes reached are present, once that is followed
    selected = False  # whether a selection has been met
    twice = not create_graph and visit is None  # whether it may go again
    safe = _without_nan(order) if free and twice else 0  # it need not, once no more nodes than these are left
    begun: Any = (order.copy(), totals.copy()) if twice and safe < len(order) else None
    start: Any = None  # order and totals to go again from, once a selection has been met
    again = False  # whether to, for a reason other than NaN
    read: list[Node] = []  # to be freed once it is sure not to go again
    while order or start is not None:
        if start is not None and len(order) <= safe:
            if not (again or any_nan(_arrays(totals) if order else totals.values())):
                begun = start = None
                _free(read)
                continue
            order[:] = start[0]
            totals.clear()
            totals.update(start[1])
            ours.clear()
            read.clear()  # it is about to be read again
            presence, start = Presence(totals, create_graph), None
        node = order.pop()
        g = totals.pop(node, None)
        if g is None:
            continue
        op, extra = node.op, node.attached
        if not selected and op is not None and op.drops:
            selected = True
            if not twice:
                presence = Presence({**totals, node: g}, create_graph)
            elif begun is not None:
                start = begun
            elif len(order) >= safe:
                start = [*order, node], {**totals, node: g}
                ours.clear()
        if extra is not None and hooks:
            if start is not None and extra.hooks:  # they are called once
                again = True
                order.clear()
                continue
            if twice and extra.hooks:
                begun = None
            g = extra.run_hooks(g, node, create_graph)
        if op is None or (keep and node in keep) or (extra is not None and extra.retains):
            totals[node] = g
            if op is None:
                continue
        inputs, settings, rules = node.inputs, node.settings, op.rules
        if create_graph:
            y, xs = node.rule_value(), inputs
        else:
            y, xs = node.ndarray, [x.ndarray for x in inputs]
        if op.outputs is not None and not op.by_result:
            g = tuple([np.zeros(a.shape, a.dtype) if gi is None else gi for gi, a in zip(g, node.ndarray, strict=True)])
        part = None if presence is None else presence.of(node)
        try:
            for i, x in enumerate(inputs):
                if x.needs_grad and (leads is None or x in leads):
                    rule = rules[i]
                    if rule is None:
                        continue
                    contribution = rule(g, y, *xs, **settings) if settings else rule(g, y, *xs)
                    if presence is not None:
                        contribution = presence.passed(contribution, node, i, rule, part, g, y, xs)
                    data = x.ndarray
                    if contribution.dtype is not data.dtype or contribution.shape != data.shape:
                        if op.selects:
                            _put(totals, x, settings["index"], contribution)
                            continue
                        contribution = fit(contribution, node, i)
                    if visit is not None:
                        visit(node, i, contribution)
                    total = totals.get(x)
                    if total is None:
                        totals[x] = contribution
                    elif x in ours:
                        np.add(total, contribution, out=total)
                    else:
                        totals[x] = total + contribution
                        if not create_graph and data.ndim:
                            ours.add(x)
        except Exception as error:
            _explain_rule(error, node, i)
            raise
        if free:
            read.append(node)
            if start is None and (begun is None or len(order) <= safe):
                begun = None
                _free(read)
    _free(read)


def _free(nodes: list[Node]) -> None:
    for node in nodes:
        node.inputs = FREED
    nodes.clear()


def _arrays(totals: Mapping[Node, Any]) -> list[Array]:
    """The arrays in these totals, of which those of a node with several results are a list."""
    parts = [part for g in totals.values() for part in (g if g.__class__ is list else (g,))]
    return [part for part in parts if part is not None]


def _without_nan(order: Sequence[Node]) -> int:
    """How many nodes at the beginning of `order` turn no cotangent 0 into NaN, so that nothing before them need be kept.

    To know it takes a look at all numbers, which a small record is not worth: none is then the answer.
    """
    if not any(node.op is not None and node.op.drops for node in order):
        return len(order)
    if sum([part.nbytes for node in order for part in _parts(node.ndarray)]) < _WORTH_FREEING:
        return 0
    return next((i for i, node in enumerate(order) if _may_make_nan(node)), len(order))


def _may_make_nan(node: Node) -> bool:
    """Whether a rule of the node may make NaN of finite numbers, by a slope that is ∞ or NaN, or as it divides."""
    op = node.op
    if op is None or op.presence in _NEVER_NAN:
        return False
    if op.presence == "product":
        return not all(_finite(x.ndarray) for x in node.inputs)
    xs = [x.ndarray for x in node.inputs]
    for i, x in enumerate(node.inputs):
        if not x.needs_grad or op.rules[i] is None:
            continue
        kind = op.presence[i] if isinstance(op.presence, tuple) else op.presence
        if kind == "product":
            if not all(_finite(x) for x in xs):
                return True
        elif kind == "elementwise" and op.outputs is None:
            one = np.broadcast_to(node.dtype.type(1), node.shape)
            if not _finite(op.rules[i](one, node.ndarray, *xs, **node.settings)):
                return True
        elif kind not in _NEVER_NAN:
            return True
    return False


_WORTH_FREEING = 1 << 22
"""The bytes of a record from which on what is freed while it is read, and not at its end, is worth a look at its numbers."""


def _parts(data: Any) -> tuple[Array, ...]:
    """The arrays of a node: several for an op with several results."""
    return data if isinstance(data, tuple) else (data,)


_NEVER_NAN = ("linear", "moves", "selects", "rectifies")


def _finite(x: Array) -> bool:
    """Whether an array holds neither ∞ nor NaN: Σ x² is finite then, unless it overflows."""
    if x.dtype.kind != "f":
        return True
    return math.isfinite(x.dot(x) if x.ndim == 1 else _vdot(x, x)) or bool(np.isfinite(x).all())


Presence: Any = None
"""How to follow which elements are present, given the totals that all are present of, and whether
the walk is recorded: `ops/presence.py` enters it here."""


def any_nan(arrays: Iterable[Any]) -> bool:
    """Whether one of these arrays of real numbers holds a NaN: Σ x² is NaN then, and only then, and soon computed."""
    for x in arrays:
        square = x.dot(x) if x.ndim == 1 else _vdot(x, x)
        if square != square:
            return True
    return False


_vdot = np.vdot


LIMITS: dict[int, weakref.ref[Node]] = {}
"""Living results, by their address, whose gradient takes a limit 0/0 at the values they have, such as eigenvectors of equal
eigenvalues. The rule finds it by differentiating the gradient that comes in, so the walk to it has to be recorded."""


def note_limit(node: Node) -> None:
    """Add a result to `LIMITS`, as long as it lives."""
    key = id(node)
    LIMITS[key] = weakref.ref(node, lambda _: LIMITS.pop(key, None))


def limits_in(order: Sequence[Node], orders: int, end: Node | None = None) -> dict[Node, int]:
    """Of each node in `order` that takes a limit, but not of `end`, how many derivatives the limit has to be right for.

    That is `orders`, and one more for each such node that it was computed from: they differentiate its rule.
    """
    if not any(id(node) in LIMITS for node in order):
        return {}
    found: dict[Node, int] = {}
    before: dict[Node, int] = {}  # how many on the longest way to a node
    for node in order:
        count = max([before.get(x, 0) for x in node.inputs], default=0)
        if id(node) in LIMITS and node.inputs[0] is not end:
            found[node.inputs[0]] = orders + count
            count += 1
        if count:
            before[node] = count
    return found


def _walk_recorded(
    order: list[Node],
    totals: dict[Node, Any],
    visit: Callable[[Node, int, Any], None] | None,
    limits: Mapping[Node, int],
    *,
    create_graph: bool,
    free: bool,
    **options: Any,
) -> None:
    """`walk`, recorded as far as nodes take limits, whatever is asked for. Nothing is freed before they have."""
    start = 0 if create_graph else next(i for i, node in enumerate(order) if node in limits)
    recorded = order[start:]
    del order[start:]
    nodes = recorded.copy() if free else []
    if not create_graph:
        for x, g in totals.items():
            totals[x] = x.constant(g)

    def look(node: Node, i: int, contribution: Any) -> None:
        if visit is not None:
            visit(node, i, contribution if create_graph else _numbers(contribution))

    apart = recording(enabled=True, holds=True, limits=limits)
    apart.run(walk, recorded, totals, look, create_graph=True, limits=limits, **options)
    if not create_graph:
        for x, g in totals.items():
            totals[x] = [_numbers(part) for part in g] if isinstance(g, list) else _numbers(g)
    for node in nodes:
        if node.op is not None:
            node.inputs = FREED
    if order:
        walk(order, totals, visit, create_graph=create_graph, free=free, limits={}, **options)


def _numbers(g: Any) -> Any:
    """The array of a tensor; anything else as it is."""
    return getattr(g, "ndarray", g)


def _explain_rule(error: Exception, node: Node, i: int) -> None:
    """Say of an error in the walk which op's rule it came from, for which input, and where that was recorded."""
    x, rule = node.inputs[i], f"rule {i} of {node.op.name}"
    if error.__traceback__ is not None and error.__traceback__.tb_next is None:  # the call, or what came out of it
        if isinstance(error, AttributeError) and error.name == "dtype":
            raise TypeError(
                f"{rule} returned {type(error.obj).__name__} {error.obj!r:.60}; "
                f"a rule returns an array, the gradient of its input of shape {x.shape}"
            ) from error
        if isinstance(error, TypeError):
            n, named = len(node.inputs), "".join(f", {key}=" for key in node.settings)
            raise TypeError(f"{rule} is called with g, y, {n} input{'s' * (n != 1)}{named}; but {error}") from error
    line = node.attached.line if node.attached is not None else "a line that detect_anomaly() would name"
    error.add_note(f"in {rule}: the gradient of {x.describe()}, shape {x.shape}; recorded at {line}")


def _refuse_nan(visit: Callable[[Node, int, Any], None] | None) -> Callable[[Node, int, Any], None]:
    """A visitor that raises at the first NaN, naming the rule that made it."""

    def look(node: Node, i: int, contribution: Any) -> None:
        if has_nan(contribution):
            raise FloatingPointError(
                f"the gradient of {node.op.name} by its input {i} ({node.inputs[i].describe()}) holds NaN; "
                f"the op was recorded at {node.attachments().line}"
            )
        if visit is not None:
            visit(node, i, contribution)

    return look


class Results(tuple[Any, ...]):
    """The value of a node whose op has several outputs: it has no shape or dtype of its own."""

    __slots__ = ()
    shape = dtype = None


def _put(totals: dict[Node, Any], x: Node, index: int, contribution: Any) -> None:
    """Add to one place of the cotangent of a node with several outputs."""
    parts = totals.get(x)
    totals[x] = parts = [None] * len(x.ndarray) if parts is None else parts.copy()  # the walk may go again with the old
    parts[index] = contribution if parts[index] is None else parts[index] + contribution


def fit(contribution: Any, node: Node, i: int) -> Any:
    """Undo, for a gradient, what broadcasting and promotion did to the input in the forward pass."""
    x, op = node.inputs[i], node.op
    if contribution.shape != x.shape:
        if not op.broadcasts:
            raise RuntimeError(
                f"rule {i} of {op.name} returned shape {contribution.shape} for an input of shape {x.shape}; "
                "a rule returns the shape of its input (declare broadcasts=True if the op broadcasts its inputs)"
            )
        summed = unbroadcast(contribution, x.shape) if contribution.ndim >= x.ndim else contribution
        if summed.shape != x.shape:
            raise RuntimeError(
                f"rule {i} of {op.name} returned shape {contribution.shape} for an input of shape {x.shape}; "
                "a rule returns the shape of the output or of its input"
            )
        contribution = summed
    if contribution.dtype != x.dtype:
        if contribution.dtype.kind == "c":
            raise TypeError(
                f"{op.name} made complex numbers of {x.describe()}, and complex numbers are not differentiated; "
                "compute with real and imaginary parts"
            )
        made = node.ndarray if op.outputs is not None else (node.ndarray,)
        if all(contribution.dtype != part.dtype for part in made):  # not a promotion to undo, but a fault
            raise RuntimeError(f"rule {i} of {op.name} returned {contribution.dtype} for an input of {x.dtype}")
        contribution = np.astype(contribution, x.dtype)
    return contribution


sum_rows: Any = None
"""The op that adds up the rows of a matrix, `channel_sum`, which enters itself here."""


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum `g` over the axes along which `shape` was broadcast: ⟨unbroadcast(g), x⟩ = ⟨g, broadcast(x)⟩.

    >>> unbroadcast(np.ones((4, 3)), (1, 3))
    array([[4., 4., 4.]])
    """
    extra = g.ndim - len(shape)
    if extra == 1 and g.ndim == 2 and (g.__class__ is np.ndarray or hasattr(g, "ndarray")):
        g = sum_rows(g)  # a bias met a batch
    elif extra:
        g = add_up(g, tuple(range(extra)))
    if g.shape != shape:
        axes = tuple([i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1])
        g = add_up(g, axes, keepdims=True)
    return g


def add_up(x: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """Σ x along `axis`, as `np.add.reduce`, but with the sum of float16 numbers kept in float32 on its way.

    In float16 a sum of ones stands still at 2,048, where the next number is 2,050. NumPy adds up in float32 along the
    axis that lies together in memory, but not along a batch.

    >>> float(np.add.reduce(np.ones((4096, 2), np.float16))[0]), float(add_up(np.ones((4096, 2), np.float16), 0)[0])
    (2048.0, 4096.0)
    """
    if x.dtype.char == "e" and x.__class__ is np.ndarray:
        return _sum(x, axis, np.float32, out, keepdims).astype(x.dtype, copy=False)
    return _sum(x, axis, None, out, keepdims)  # by position: sooner than by name


_sum: Any = np.add.reduce  # its stubs know no axis of type Any

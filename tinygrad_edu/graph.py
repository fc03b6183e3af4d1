"""The graph: what operations leave behind, and the two ways to walk it.

An operation on tensors leaves a node: the op, its inputs, its settings. This page decides whether a node
is left (`no_grad`, `enable_grad`, `tracing`), puts the nodes in order (`topological`), walks them from an
output back to the leaves by the chain rule (`walk`), and forwards again on new values (`evaluate`).
`backward`, `grad`, the figures and the replay are readings of these.

Tensors are known here by their attributes alone (`op inputs settings requires_grad`): nothing is imported
from the rest of the package, so this page can be read first.

Source: Baydin et al., *Automatic differentiation in machine learning: a survey*, JMLR 18 (2018).
"""

from __future__ import annotations

import copy
import dis
import functools
import inspect
import itertools
import linecache
import math
import operator
import os
import sys
import warnings
import weakref
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, NoReturn

import numpy as np

Node = Any  # a Tensor: known by its attributes
Array = Any  # a NumPy array, or one that speaks its protocols


# ---------------------------------------------------------------------------------------------------
# Whether to record


@dataclass(frozen=True, slots=True)
class Recording:
    """What an op leaves behind: nothing, a node if a gradient may be asked for, or a node in any case."""

    enabled: bool = True
    everything: bool = False
    anomaly: bool = False
    differentiating: bool = False  # inside a function that jacobian() or its like differentiates
    holds: bool = False  # a gradient is being recorded: its masks are nodes too, since its rules name no temporaries
    writes: Any = None  # a list that takes a weak reference to each tensor that is written, for checkpoint()
    tape: Any = None  # of the function being recorded for replay: every op is recorded, writes go over it
    limits: Mapping[Node, int] | None = None  # of the walk in progress: see `limits_in`

    def but(self, changes: Mapping[str, Any]) -> Recording:
        """This, with some of it changed: `dataclasses.replace`, in a third of its time."""
        new = changes.get
        return Recording(
            new("enabled", self.enabled),
            new("everything", self.everything),
            new("anomaly", self.anomaly),
            new("differentiating", self.differentiating),
            new("holds", self.holds),
            new("writes", self.writes),
            new("tape", self.tape),
            new("limits", self.limits),
        )


RECORDING: ContextVar[Recording] = ContextVar("RECORDING", default=Recording())  # noqa: B039 (frozen)

SCOPE: ContextVar[Any] = ContextVar("SCOPE", default=None)
"""The call of a module that ops are being recorded in: figures draw it as a box."""


class recording:
    """Change how ops are recorded, in this thread: inside a `with` block, or in every call of a decorated function.

    It is nested, and used again, as one likes. A generator function or a coroutine cannot be decorated, since its body
    runs between the calls of others: write the block inside it, and `yield` or `await` outside the block.

    Ctrl-C in the very moment in which a `with` block is entered or left can leave the change behind, as it can with any
    such block written in Python; `set_grad_enabled(True)` puts it right. `run`, and so the decorator, has no such moment.
    """

    __slots__ = ("_before", "_changes")

    def __init__(self, **changes: Any) -> None:
        self._changes = changes
        self._before: list[Recording] = []

    def __enter__(self) -> None:
        before = RECORDING.get()
        self._before.append(before)
        RECORDING.set(before.but(self._changes))

    def __exit__(self, *error: object) -> None:
        RECORDING.set(self._before.pop())

    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """`function(*args, **kwargs)`, inside the block.

        It runs in a copy of the context, which the interpreter itself leaves, whatever is raised and whenever: so the
        package's own code changes how ops are recorded in this way alone.
        """
        context = copy_context()
        context.run(RECORDING.set, RECORDING.get().but(self._changes))
        return context.run(function, *args, **kwargs)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
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

        return inside


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

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
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
    if not kinds:
        return context.run(_quietly, function, args)
    context.run(np.seterr, **kinds)
    return context.run(function, *args)


@np.errstate(all="ignore")
def _quietly(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return function(*args)


class block:
    """A function that makes a `with` block, or a decorator: `with no_grad():`, `@no_grad()`, and also `@no_grad`."""

    def __init__(self, make: Callable[[], recording]) -> None:
        self._make = make
        functools.update_wrapper(self, make)

    def __call__(self, function: Callable[..., Any] | None = None) -> Any:
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
    """Record inside the block, also within `no_grad`."""
    return recording(enabled=True)


@block
def tracing() -> recording:
    """Record every op inside the block, also on tensors that require no gradient (for figures), and hold on to what
    comparisons, argmax and the like are computed from."""
    return recording(enabled=True, everything=True)


def is_grad_enabled() -> bool:
    """Whether ops are being recorded in this thread."""
    return RECORDING.get().enabled


@block
def detect_anomaly() -> recording:
    """Look for NaN after every op and every gradient rule in the block; the error names the op and the line.

    It costs one pass over each result, so it is a tool for finding a fault, not for training.
    """
    if RECORDING.get().tape is not None:
        RECORDING.get().tape.refuse("detect_anomaly()", "put it round the call, where every call is then recorded anew")
    return recording(anomaly=True)


def here() -> str:
    """The innermost line of the caller's own code: outside this package and NumPy."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        frame = frame.f_back
    if frame is None:
        return "a line outside any file"
    name, line = frame.f_code.co_filename, frame.f_lineno
    return f"{name}:{line}: {linecache.getline(name, line).strip()}"


def warn(message: str) -> None:
    """Warn about the innermost line of the caller's own code: Python then says it once for each such line."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


_LIBRARIES = (os.path.dirname(__file__) + os.sep, os.path.dirname(np.__file__) + os.sep, copy.__file__, "<frozen ")


def explained(error: Exception, message: str) -> Exception:
    """An error of the same type with another message, to be raised `from None`: it says all that the first does, whose
    traceback would only be between the reader and the answer. The first stays as its `__context__`."""
    try:
        return type(error)(message)
    except Exception:  # a type that takes other arguments
        return error


def users_own(error: Exception) -> TracebackType | None:
    """The traceback of an error without this package's and NumPy's frames, where the reader's own are what tells.

    That is so where the error was raised in the reader's code, or here on purpose, and so says what is wrong. A mistake of
    the package itself keeps all frames, and so does every error where the environment variable TINYGRAD_EDU_TRACEBACK is
    set.
    """
    steps = _steps(error)
    if "TINYGRAD_EDU_TRACEBACK" in os.environ or (_is_ours(steps[-1]) and not raised_on_purpose(error)):
        return error.__traceback__
    kept: TracebackType | None = None
    for step in reversed(steps):
        if not _is_ours(step):
            kept = TracebackType(kept, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return kept


def raised_on_purpose(error: Exception) -> bool:
    """Whether it is this package that raised the error, by a `raise`: then its message is written for the reader."""
    last = _steps(error)[-1]
    return _is_ours(last) and last.tb_frame.f_code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def _steps(error: Exception) -> list[TracebackType]:
    """The frames that the error passed through, as its traceback lists them: the innermost last."""
    steps, step = [], error.__traceback__
    while step is not None:
        steps.append(step)
        step = step.tb_next
    return steps


def _is_ours(step: TracebackType) -> bool:
    return step.tb_frame.f_code.co_filename.startswith(_LIBRARIES)


def refuse_masked(value: Any, depth: int = 0) -> None:
    """Raise TypeError for a masked array, whose mask would be lost; also for one in lists nested `depth` deep."""
    if isinstance(value, np.ndarray):
        if value.__class__ is not np.ndarray and isinstance(value, np.ma.MaskedArray):
            raise TypeError(
                f"a masked array of shape {value.shape} meets a Tensor, which has no mask, so its mask would be lost; "
                "write a.filled(0) for its numbers, and np.where(np.ma.getmaskarray(a), 0, y) to leave elements out of a result"
            )
    elif depth and isinstance(value, list | tuple):
        for part in value:
            refuse_masked(part, depth - 1)


def has_nan(value: Any) -> bool:
    """Whether an array, or one of a tuple of them, holds a NaN."""
    if isinstance(value, tuple | list):
        return any(has_nan(part) for part in value)
    return value is not None and value.dtype.kind in "fc" and bool(np.isnan(value).any())


# ---------------------------------------------------------------------------------------------------
# The order of a record


tick = itertools.count(1).__next__
"""The clock of all records: a node notes the time it was made, a storage the time it was last written."""


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
        if inputs is FREED or (node._made < Cell.last and not through_constants):
            check_intact(node)
        for x in inputs:
            if (x._requires_grad or through_constants) and x not in seen:
                seen.add(x)
                if leaves or x.op is not None or x._extra is not None:
                    order.append(x)
    order.sort(key=_made)
    return order


_made = operator.attrgetter("_made")


def check_intact(node: Node) -> None:
    """Raise RuntimeError if the node's record was freed, or if its value or an input's was written since."""
    if node.op is None:
        return
    if node.inputs is FREED:
        refuse_freed(node)
    for x in (node, *node.inputs):
        if x._cell is not None and x._cell.written > node._made:
            verb = "made" if x is node else "used"
            while x.inputs and x.inputs[0]._cell is x._cell:  # of a view, name what it is a view of
                x = x.inputs[0]
            name = x.name or "t"
            cure = f"or have a new tensor in place of a write: {name} = {name} + dt, not +="
            if not name.isidentifier():  # a weight, called by its place in a module
                cure = "or go backward and draw before the write, which may be optimizer.step()"
            raise RuntimeError(
                f"{x._describe()} was written after {node._made_by()} had {verb} it, so the recorded graph "
                f"no longer matches its values; compute the output again after writing, or write into a copy (x.clone()), {cure}"
            )


def refuse_freed(node: Node) -> NoReturn:
    """Raise RuntimeError for a node that a walk has let go of."""
    raise RuntimeError(
        f"the graph of {node._describe()} was freed by backward(retain_graph=False); "
        "compute it again, or leave out retain_graph=False the first time"
    )


# ---------------------------------------------------------------------------------------------------
# Results without a derivative


class Origin:
    """What a result without a derivative was computed from, as long as that lives.

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
            if x._requires_grad:
                x = _Source(x, _end)
                x.of = mine
            elif x._extra is not None and x._extra.origin is not None:
                if is_gone(x):
                    self.inputs = None
                    return
                parent = _Source(x._extra.origin)
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
    """A weak reference that knows whose source it is: the origin `of` a result that was computed from it."""

    __slots__ = ("of",)

    of: Callable[[], Origin | None]


def _end(source: _Source) -> None:
    """A source is no more: Python calls this."""
    origin = source.of()
    if origin is not None:
        origin.end()


def has_origin(x: Node) -> bool:
    """Whether it is a result without a derivative, or was written with one."""
    return x._extra is not None and x._extra.origin is not None


def is_gone(x: Node) -> bool:
    """Whether a leaf is a result that cannot be computed again: a source of it has ended, or it was written since."""
    origin = None if x._extra is None else x._extra.origin
    if origin is None:
        return False
    if x._cell is not None and x._cell.written > origin.made:
        origin.end()
    return origin.inputs is None


def node_of(x: Node) -> Node:
    """What stands for `x` in a record: itself; for a result without a derivative whose sources live, the node that holds
    what it was computed from, the same one as long as a record uses it."""
    if x.op is not None or x._extra is None or x._extra.origin is None or is_gone(x):
        return x
    origin = x._extra.origin
    node = origin.known()
    if node is not None:
        return node
    if not origin.parents:
        return _made_firm(x, origin, {})
    results = [x]
    for y in results:  # the list grows as it is read
        results += [z for z in y._extra.origin.inputs or () if z.__class__ is not _Source and has_origin(z)]
    nodes: dict[Node, Node] = {}
    for y in sorted(dict.fromkeys(results), key=lambda y: y._extra.origin.made):
        origin = y._extra.origin
        node = origin.known()
        if node is None:
            node = y if is_gone(y) else _made_firm(y, origin, nodes)
        nodes[y] = node
    return nodes[x]


def _made_firm(x: Node, origin: Origin, nodes: Mapping[Node, Node]) -> Node:
    """A node of the value of `x`, which holds its inputs; in place of those among `nodes`, theirs."""
    inputs = [z() if z.__class__ is _Source else nodes.get(z, z) for z in origin.inputs or ()]
    for z in inputs:
        if z is None:  # it has ended in another thread, a moment ago
            return x
    node = x.__class__.__new__(x.__class__)
    node._data, node._cell, node.name = x._data, x._cell, x.name
    node.op, node.inputs, node.settings, node.scope = origin.op, tuple(inputs), origin.settings, origin.scope
    node._made, node._requires_grad, node._grad, node._extra = origin.made, False, None, None
    origin.node = weakref.ref(node)
    return node


def refuse_gone(leaves: Collection[Node]) -> None:
    """Raise RuntimeError if one of them is gone, so that nothing is computed with a frozen mask."""
    for x in leaves:
        if x.op is None and x._extra is not None and is_gone(x):
            raise RuntimeError(
                f"{x._describe()}, of shape {x.shape}, cannot be computed again, because what it was computed from is gone "
                "or it was written since; give every result in a condition a name that lives on, as in "
                "h = x * w; y = np.where(h > 0, h, 0), or compute all of it inside `with tg.autograd.tracing():`"
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
        op, extra = node.op, node._extra
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
            y, xs = node._value(), inputs
        else:
            y, xs = node._data, [x._data for x in inputs]
        if op.outputs is not None and not op.by_result:
            g = tuple([np.zeros(a.shape, a.dtype) if gi is None else gi for gi, a in zip(g, node._data, strict=True)])
        part = None if presence is None else presence.of(node)
        try:
            for i, x in enumerate(inputs):
                if x._requires_grad and (leads is None or x in leads):
                    rule = rules[i]
                    if rule is None:
                        continue
                    contribution = rule(g, y, *xs, **settings) if settings else rule(g, y, *xs)
                    if presence is not None:
                        contribution = presence.passed(contribution, node, i, rule, part, g, y, xs)
                    data = x._data
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
    """How many nodes at the beginning of `order` turn no cotangent 0 into NaN, so that nothing before them need be kept."""
    if not any(node.op is not None and node.op.drops for node in order):
        return len(order)
    return next((i for i, node in enumerate(order) if _may_make_nan(node)), len(order))


def _may_make_nan(node: Node) -> bool:
    """Whether a rule of the node may make NaN of finite numbers, by a slope that is ∞ or NaN, or as it divides."""
    op = node.op
    if op is None or op.presence in _NEVER_NAN:
        return False
    if op.presence == "product":
        return not all(_finite(x._data) for x in node.inputs)
    xs = [x._data for x in node.inputs]
    for i, x in enumerate(node.inputs):
        if not x._requires_grad or op.rules[i] is None:
            continue
        kind = op.presence[i] if isinstance(op.presence, tuple) else op.presence
        if kind == "product":
            if not all(_finite(x) for x in xs):
                return True
        elif kind == "elementwise" and op.outputs is None:
            one = np.broadcast_to(node.dtype.type(1), node.shape)
            if not _finite(op.rules[i](one, node._data, *xs, **node.settings)):
                return True
        elif kind not in _NEVER_NAN:
            return True
    return False


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
            totals[x] = x._plain(g)

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
    return getattr(g, "_data", g)


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
    line = node._extra.line if node._extra is not None else "a line that detect_anomaly() would name"
    error.add_note(f"in {rule}: the gradient of {x._describe()}, shape {x.shape}; recorded at {line}")


def _refuse_nan(visit: Callable[[Node, int, Any], None] | None) -> Callable[[Node, int, Any], None]:
    """A visitor that raises at the first NaN, naming the rule that made it."""

    def look(node: Node, i: int, contribution: Any) -> None:
        if has_nan(contribution):
            raise FloatingPointError(
                f"the gradient of {node.op.name} by its input {i} ({node.inputs[i]._describe()}) holds NaN; "
                f"the op was recorded at {node._more().line}"
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
    totals[x] = parts = [None] * len(x._data) if parts is None else parts.copy()  # the walk may go again with the old
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
                f"{op.name} made complex numbers of {x._describe()}, and complex numbers are not differentiated; "
                "compute with real and imaginary parts"
            )
        made = node._data if op.outputs is not None else (node._data,)
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
    if extra == 1 and g.ndim == 2 and (g.__class__ is np.ndarray or hasattr(g, "_data")):
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


# ---------------------------------------------------------------------------------------------------
# Forwards again


def evaluate(outputs: Node | Sequence[Node], values: Mapping[Node, Any] | None = None) -> Any:
    """Run a record again, forwards, on new values of its leaves: what would the outputs be?

    Calls each op's forward function on arrays, nothing else. `values` maps leaves to arrays of the same
    shape and dtype; a leaf that is not named keeps the value it has now. Returns an array for a single
    output, a tuple for a sequence.

    Raises RuntimeError if a condition in the record was made of a result that is gone: the product in
    `np.where(x * w > 0, x, 0)` has no name, and ends with its line. Name it, or compute inside `tracing()`.

    >>> import tinygrad_edu as tg
    >>> apple, count, tax = tg.Tensor(100.0, requires_grad=True), tg.Tensor(2.0), tg.Tensor(1.1)
    >>> price = apple * count * tax
    >>> float(evaluate(price, {apple: 120.0}))
    264.0
    """
    if RECORDING.get().tape is not None:
        RECORDING.get().tape.refuse("evaluate()")
    single = hasattr(outputs, "_data")
    if not single and not (isinstance(outputs, list | tuple) and all(hasattr(y, "_data") for y in outputs)):
        raise TypeError(
            f"evaluate() takes a tensor or a list of them, but got {type(outputs).__name__} {outputs!r:.60}"
        )
    if values is not None and not isinstance(values, Mapping):
        raise TypeError(f"evaluate() takes new values as {{tensor: array}}, but got {type(values).__name__}")
    ys: list[Node] = [node_of(y) for y in ([outputs] if single else outputs)]
    results: dict[Node, Any] = {}
    for leaf, value in ({} if values is None else values).items():
        if not hasattr(leaf, "_data"):
            raise TypeError(f"evaluate() takes {{tensor: array}}, but got the key {leaf!r:.60}")
        leaf = node_of(leaf)
        if leaf.op is not None:
            raise ValueError(
                f"evaluate() takes new values for leaves, but {leaf._describe()} was computed by {leaf._made_by()}"
            )
        refuse_masked(value)
        array = np.asarray(getattr(value, "_data", value))
        if array.shape != leaf.shape or not np.can_cast(array.dtype, leaf.dtype, "same_kind"):
            raise ValueError(
                f"evaluate() needs {leaf.dtype} of shape {leaf.shape} for {leaf._describe()}, but got {array.dtype} of shape {array.shape}"
            )
        results[leaf] = array.astype(leaf.dtype, copy=False)
    given = set(results)
    strangers = given - forwards(ys, results)
    if strangers:
        raise ValueError(
            f"evaluate() was given {next(iter(strangers))._describe()}, which the outputs do not depend on"
        )
    # a leaf's own memory, or a view of it, is not handed out
    copies = tuple([r if isinstance(r, tuple) else r.copy() for r in [results[y] for y in ys]])
    return copies[0] if single else copies


def recompute(outputs: Sequence[Any], node: Node, value: Any) -> list[Array]:
    """The arrays that `outputs` would hold if `node` held `value`: what was computed from it is computed again.

    An output that is an array stays as it is.
    """
    order = [y for y in outputs if hasattr(y, "_data")]
    seen = set(order)
    for y in order:  # the list grows as it is read
        for x in y.inputs:
            if x._made > node._made and x not in seen:
                seen.add(x)
                order.append(x)
    order.sort(key=_made)
    changed = {node: value}
    for y in order:
        if any(x in changed for x in y.inputs):
            changed[y] = y.op.compute([changed.get(x, x._data) for x in y.inputs], y.settings)
    return [changed.get(y, y._data) if hasattr(y, "_data") else y for y in outputs]


def forwards(outputs: Sequence[Node], results: dict[Node, Any]) -> set[Node]:
    """Compute what `outputs` are, from the `results` that are known, and add all of it to these; the nodes that were met.

    A node that stands for a record of its own (`Op.folds`) is computed as that is: so what the record was made with
    besides the node's inputs, a plain tensor that a function used, is followed too.
    """
    order = topological(outputs, through_constants=True, ends=results)
    met = set(order)
    refuse_gone([node for node in order if node not in results])
    for node in order:
        if node in results:
            continue
        if node.op is None:
            results[node] = node._data
        elif node.op.folds:
            parts = tracing().run(node.settings["fold"].unfold)  # recorded, what it computes of plain tensors too
            met |= forwards(parts, results)
            results[node] = Results([results[part] for part in parts]) if node.op.outputs else results[parts[0]]
        else:
            results[node] = node.op.compute([results[x] for x in node.inputs], node.settings)
    return met

"""Guards: what a program was recorded with, tensors, modules and objects, and whether all of it is still as it was.

Most of it cannot change unnoticed. An attribute of a module that is set, a tensor that gets another array, is frozen or
hooked, and anything here that ends, adds to `Edits.number`; so all is looked at again only when that number is another.
What is in lists and dicts changes without a sign, and is compared in every call, as are the answers of the guards.
"""

from __future__ import annotations

import functools
import gc
import inspect
import itertools
import operator
import pickle
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import numpy as np

from tinygrad_edu.engine.registry import Edits
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn.module import Mode, Module, forward_of
from tinygrad_edu.program.away import Away
from tinygrad_edu.program.nested import PLAIN, identity, objects
from tinygrad_edu.program.tape import Tape, reading


class Guards:
    """What was there at the end of a recording, and whether it still is.

    tape: of the recording. leaves: those that the function read. outer: results that it read, computed before. written:
    the leaves that it wrote. All of these must stay the same tensors, in the same memory, and the written ones in memory
    that the same others share. arguments: what the function was given besides tensors, arrays and plain values.

    also_away: whether their numbers may be on devices meanwhile.
    """

    def __init__(
        self,
        tape: Tape,
        leaves: Collection[Tensor],
        outer: Iterable[Tensor],
        written: Collection[Tensor],
        arguments: Iterable[Any],
    ) -> None:
        self._asked, self._checks = tape.guards, tape.checks
        self.own = {id(x) for x in leaves if x.needs_grad}  # what the function finds by itself and differentiates by
        self._arguments = [_reference(x) for x in arguments]
        self._leaves = [
            (_reference(x), x.ndarray, x.needs_grad, x.cell if x in written else None, _hooks(x))
            for x in {*leaves, *outer, *written}
        ]
        self._modules, containers = _inside(tape.modules.values(), tape.assigned)
        marks = [(object(),) for _ in containers]  # between the things in one and those in the next
        self._contents = [things for pair in zip(containers, marks, strict=True) for things in pair]
        self._known = list(itertools.chain.from_iterable(self._contents))
        self._edits = Edits.number
        self.also_away = False

    def settle(self) -> None:
        """Forget the leaves that only the recorded run used: they are gone, and cannot change."""
        self._leaves = [known for known in self._leaves if known[0]() is not None]

    def leave_out(self, leaves: Collection[Tensor]) -> None:
        """Do not ask any more after these, which the program does not write after all."""
        self._leaves = [known for known in self._leaves if known[0]() not in leaves]

    # -- whether it holds ---------------------------------------------------------------------------

    def holds(self) -> bool:
        """Whether all is still there, and as it was."""
        now = Edits.number
        if now != self._edits:
            if not self._unchanged():
                return False
            self._edits = now
        if self._contents and not self._filled():
            return False
        return not self._asked or all(map(operator.call, self._asked))

    def _unchanged(self) -> bool:
        """Whether that is so of all that `Edits` counts."""
        for reference, array, learns, cell, hooks in self._leaves:
            x = reference()
            if x is None or not self._has(x, array) or x.needs_grad is not learns:
                return False
            if (cell is not None and x.cell is not cell) or (x.attached is not None and _hooks(x) != hooks):
                return False
        if any(reference() is None for reference in self._arguments):
            return False
        return all(known.unchanged() for known in self._modules) and all(map(operator.call, self._checks))

    def _has(self, x: Tensor, array: Any) -> bool:
        """Whether the tensor has the array that it had."""
        held = x.ndarray
        return held is array or (self.also_away and held.__class__ is Away and held.home is array)

    def lost(self) -> bool:
        """Whether something has ended or been replaced, so that the record will hardly ever serve again.

        A mode, a plain value, and whether a gradient is required may well be as they were some day.
        """
        for reference, array, *_ in self._leaves:
            x = reference()
            if x is None or not self._has(x, array):
                return True
        if any(reference() is None for reference in self._arguments):
            return True
        return any(known.lost() for known in self._modules) or not self._filled()

    def _filled(self) -> bool:
        """Whether lists and dicts hold the very things that they held."""
        return all(map(operator.is_, itertools.chain.from_iterable(self._contents), self._known))


class _Known:
    """A module as it was: its mode, and its attributes but for what the function itself puts there in each run."""

    def __init__(self, module: Any, assigned: Collection[tuple[int, str]]) -> None:
        self._reference = _reference(module)
        self._training = module.training
        results = [key for key, x in vars(module).items() if (id(module), key) in assigned and not _is_member(x)]
        self._others = {"training", "_named", *results}
        self.attributes = {key: x for key, x in vars(module).items() if key not in self._others}
        self._things = [(key, x) for key, x in self.attributes.items() if not isinstance(x, PLAIN)]
        self._values = [(key, x) for key, x in self.attributes.items() if isinstance(x, PLAIN)]

    def unchanged(self) -> bool:
        """Whether the module is there, and as it was."""
        m = self._reference()
        if m is None or m.training is not self._training:
            return False
        now = vars(m)
        if now.keys() - self._others != self.attributes.keys():
            return False
        for key, x in self._things:
            if now[key] is not x:
                return False
        return all(now[key] is x or _same(now[key], x) for key, x in self._values)

    def lost(self) -> bool:
        """Whether the module, or something that it held, is gone."""
        m = self._reference()
        return m is None or any(vars(m).get(key) is not x for key, x in self._things)


def _inside(modules: Iterable[Any], assigned: Collection[Any]) -> tuple[list[_Known], list[Iterable[Any]]]:
    """Find the modules in these and in all that they hold, and views of the lists and dicts there, to see them change."""
    found: list[_Known] = []
    views: list[Iterable[Any]] = []
    things = list(modules)
    seen = set(map(id, things))
    for x in things:  # the list grows as it is read
        held: Iterable[Any] = x
        if isinstance(x, Module):
            known = _Known(x, assigned)
            found.append(known)
            held = known.attributes.values()
        elif isinstance(x, dict):
            held = x.values()
            views += [x.keys(), held]
        elif not isinstance(x, tuple):
            views.append(x)
        for part in held:
            if isinstance(part, list | tuple | dict | set | deque | Module) and id(part) not in seen:
                seen.add(id(part))
                things.append(part)
    return found, views


def modules_of(f: Any, arguments: Iterable[Any]) -> Iterator[Any]:
    """The modules that `f` may use without calling them."""
    return (x for x in known_to(f, arguments) if isinstance(x, Module))


def generators_of(f: Any, arguments: Iterable[Any]) -> list[tuple[str, Any, Any]]:
    """What `f` may draw random numbers from: its name, itself, and its state now."""
    import random  # here, with np.random: importing them takes as long as the rest of the package

    things = known_to(f, arguments)
    things += [
        x for top in things if isinstance(top, Module) for module in top.modules() for x in vars(module).values()
    ]
    generators = {id(x): x for x in things if isinstance(x, np.random.Generator)}.values()
    found: list[tuple[str, Any, Any]] = []
    found += [
        (name, generator, generator_state(generator))
        for name, generator in (("Python's random", random), ("np.random", np.random))
    ]
    found += [(f"NumPy's {type(x).__name__}", x, generator_state(x)) for x in generators]
    return found


def generator_state(generator: Any) -> Any:
    """The state of a generator, or of a module that has one: another after each draw."""
    if hasattr(generator, "getstate"):
        return generator.getstate()
    if hasattr(generator, "get_state"):
        _, key, *rest = generator.get_state()
        return key.tobytes(), rest
    return pickle.dumps(generator.bit_generator.state)


def known_to(f: Any, arguments: Iterable[Any]) -> list[Any]:
    """Return all that `f` may use: its object, its arguments, its closure, and the globals that it names."""
    found, functions = list(arguments), [f]
    for g in functions:  # the list grows as it is read
        if isinstance(g, functools.partial):
            found += objects([g.args, g.keywords])
            functions.append(g.func)
            continue
        found += [g, getattr(g, "__self__", None)]
        if hasattr(g, "__code__"):
            captured = gc.get_referents(*(g.__closure__ or ()))
            functions += [x for x in captured if inspect.isroutine(x) and x not in functions]
            found += [*captured, *[g.__globals__.get(name) for name in g.__code__.co_names]]
    return found


def _same(x: Any, y: Any) -> bool:
    """Whether two plain values compute alike."""
    return isinstance(x, PLAIN) and identity(x) == identity(y)


def _is_member(x: Any) -> bool:
    """Whether a module has `x` for more than one run: a parameter, a buffer, a module."""
    return isinstance(x, Module) or (isinstance(x, Tensor) and type(x) is not Tensor)


def _hooks(x: Tensor) -> list[Any]:
    """Return the hooks on the gradient of a tensor."""
    return [] if x.attached is None else list(x.attached.hooks.values())


def _reference(x: Any) -> Callable[[], Any]:
    """Return a weak reference to `x` that notes its end; a function that holds `x` if Python has none of its type."""
    try:
        return weakref.ref(x, Edits.note)
    except TypeError:
        return lambda: x


# ---------------------------------------------------------------------------------------------------
# Readings of modules


@reading(Mode.__get__)
def training(tape: Tape, as_written: Any, mode: Mode, module: Module | None, kind: type[Module]) -> Any:
    """Note on the tape that the function may depend on the mode of this module."""
    if module is not None:
        tape.called(module)
    return as_written(mode, module, kind)


@reading(forward_of)
def forward(tape: Tape, as_written: Any, module: Module, args: Any, kwargs: Any) -> Any:
    """Note on the tape that the function may depend on the mode and attributes of this module, and call it."""
    tape.called(module)
    return as_written(module, args, kwargs)


@reading(Module.__setattr__, Module.__delattr__)
def set_attribute(tape: Tape, as_written: Any, module: Module, name: str, *value: Any) -> None:
    """An attribute is being set or deleted, which is undone should the run fail."""
    tape.setting(module, name)
    as_written(module, name, *value)

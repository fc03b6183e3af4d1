"""Checkpoints: the state of a training in one file, from which it can go on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tinygrad_edu.train.files import StrPath, Tree, load_tree, save_tree

if TYPE_CHECKING:
    from tinygrad_edu.nn import Module
    from tinygrad_edu.optim import Optimizer
    from tinygrad_edu.train.history import History


class Stateful(Protocol):
    """Anything that has a state: a model, an optimizer, a schedule, a history."""

    def state_dict(self) -> dict[str, Any]:
        """The state, copied, as arrays and plain values that `load_state_dict` takes."""

    def load_state_dict(self, state: Any) -> Any:
        """Go on from such a state; raise, and change nothing, if it does not fit."""


class GeneratorState:
    """A generator of random numbers, with the two methods that a checkpoint needs."""

    def __init__(self, generator: np.random.Generator) -> None:
        if not isinstance(generator, np.random.Generator):
            raise TypeError(
                f"generator= takes a numpy.random.Generator, but got {type(generator).__name__}; write np.random.default_rng(seed)"
            )
        self.generator = generator

    def state_dict(self) -> dict[str, Any]:
        """The state from which the next numbers follow."""
        return dict(self.generator.bit_generator.state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Draw, from here on, the numbers that follow from a state."""
        self.generator.bit_generator.state = state


def save_checkpoint(
    path: StrPath,
    *,
    model: Module | None = None,
    optimizer: Optimizer | None = None,
    scheduler: Stateful | None = None,
    generator: np.random.Generator | None = None,
    history: History | None = None,
    **others: Any,
) -> Path:
    """Write the state of what is given into one file, and return its path.

    The file is in the safetensors format: it has the arrays by their names (`model.0.weight`), what is shared once, and
    the rest, such as settings and steps, as JSON in its header. It is written beside its place and then moved there, so
    that an interrupted save leaves the old file as it was. Nothing is pickled, so loading runs no code.

    path: the file.
    model, optimizer, scheduler, generator, history: what is saved.
    others: further things to save under their names: plain values, arrays, and lists, tuples and dicts of them.

    Raises TypeError, naming the place, for what cannot be written; FileNotFoundError for a folder that does not exist.

    >>> import tempfile
    >>> from tinygrad_edu import nn, optim
    >>> model = nn.Linear(2, 1)
    >>> optimizer = optim.Adam(model.parameters())
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = save_checkpoint(Path(folder.name) / "last.safetensors", model=model, optimizer=optimizer, epoch=3)
    >>> load_checkpoint(path, model=nn.Linear(2, 1))["epoch"]
    3
    >>> folder.cleanup()
    """
    tree: Tree = {
        name: part.state_dict() for name, part in _parts(model, optimizer, scheduler, generator, history).items()
    }
    if not tree and not others:
        raise TypeError(
            "save_checkpoint() got nothing to save; write model=model, and optimizer=optimizer to go on training"
        )
    taken = tree.keys() & others.keys()
    if taken:
        raise TypeError(f"save_checkpoint() has {', '.join(sorted(taken))} already; call the other otherwise")
    return save_tree(path, {**tree, **others})


def load_checkpoint(
    path: StrPath,
    *,
    model: Module | None = None,
    optimizer: Optimizer | None = None,
    scheduler: Stateful | None = None,
    generator: np.random.Generator | None = None,
    history: History | None = None,
) -> Tree:
    """Put what is given into the state that a file of `save_checkpoint` holds, and return all that is in the file, by
    name.

    Either all is loaded or nothing: where one part does not fit, each is as it was before.

    path: the file.
    model, optimizer, scheduler, generator, history: what is to be loaded; what is left out is only returned.

    Raises ValueError, naming the file, for one that is cut, damaged, of another program or an unknown version, that
    lacks a part, or that does not fit.

    >>> import tempfile
    >>> from tinygrad_edu import nn
    >>> layer, other = nn.Linear(2, 1), nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_checkpoint(Path(folder) / "last.safetensors", model=layer, epoch=3)
    ...     load_checkpoint(path, model=other)["epoch"]
    3
    >>> bool((layer.weight == other.weight).all())
    True
    """
    return load_parts(path, _parts(model, optimizer, scheduler, generator, history))


def load_parts(path: StrPath, parts: Mapping[str, Stateful], lacking: str = "") -> Tree:
    """Load the parts from a file that holds them by these names, all or none, and return all that is in it.

    lacking: what it says of the file if one of them is not in it.
    """
    tree = load_tree(path)
    missing = [name for name in parts if name not in tree]
    if missing:
        raise ValueError(
            f"{os.fspath(path)} holds {', '.join(tree) or 'nothing'}, but no {', '.join(missing)}{lacking}"
        )
    load_all({name: (part, tree[name]) for name, part in parts.items()}, os.fspath(path))
    return tree


def load_all(parts: dict[str, tuple[Stateful, Any]], source: str) -> None:
    """Load the state of each part. If one does not fit, put all back, and raise ValueError that names the source."""
    undo: list[Callable[[], Any]] = []
    try:
        for loading, (part, state) in parts.items():  # noqa: B007 (the error names it)
            before = part.state_dict()
            undo.append(lambda part=part, before=before: part.load_state_dict(before))  # type: ignore[misc]
            part.load_state_dict(state)
    except Exception as error:
        for action in reversed(undo):
            action()
        raise ValueError(f"the {loading} in {source} does not fit, and nothing was loaded: {error}") from error


def _parts(
    model: Module | None,
    optimizer: Optimizer | None,
    scheduler: Stateful | None,
    generator: np.random.Generator | None,
    history: History | None,
) -> dict[str, Stateful]:
    """What was given, by name. The schedule comes before the optimizer, because the optimizer's rates are those that
    hold.
    """
    given: dict[str, Any] = {
        "model": model,
        "scheduler": scheduler,
        "optimizer": optimizer,
        "generator": None if generator is None else GeneratorState(generator),
        "history": history,
    }
    for name, part in given.items():
        if part is not None and not (hasattr(part, "state_dict") and hasattr(part, "load_state_dict")):
            raise TypeError(f"{name}= takes what has state_dict() and load_state_dict(), but got {type(part).__name__}")
    return {name: part for name, part in given.items() if part is not None}

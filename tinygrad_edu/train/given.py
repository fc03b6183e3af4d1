"""Checks of what a trainer is given, before anything is trained."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tinygrad_edu.data import DataLoader
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn import BCEWithLogitsLoss, CrossEntropyLoss, Module
from tinygrad_edu.nn import functional as F
from tinygrad_edu.optim import Optimizer
from tinygrad_edu.train.callbacks.callback import Callback
from tinygrad_edu.train.metrics import Mean, Metric, named

Metrics = Iterable[str | Metric | Callable[[Any, Any], Any]] | Mapping[str, Metric | Callable[[Any, Any], Any]]
"""What `Trainer(metrics=…)` takes."""


def check(
    model: Any, optimizer: Any, loss: Any, callbacks: Any, scheduler: Any, schedule: str, clip: float | None
) -> None:
    """Raise an error for what a trainer cannot be made of, and say what to write."""
    if not isinstance(model, Module):
        cure = (
            f"the class {model.__name__}; write {model.__name__}()" if isinstance(model, type) else type(model).__name__
        )
        raise TypeError(f"Trainer takes a module, but got {cure}")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"Trainer takes an optimizer, but got {type(optimizer).__name__}; write optim.Adam(model.parameters())"
        )
    if not callable(loss) or isinstance(loss, type):
        cure = f"the class {loss.__name__}; write {loss.__name__}()" if isinstance(loss, type) else f"{loss!r:.60}"
        if isinstance(loss, str) and hasattr(F, loss):
            cure += f"; write F.{loss}"
        raise TypeError(f"Trainer takes a loss that can be called with prediction and target, but got {cure}")
    own = {id(p) for p in model.parameters()}
    if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise ValueError(
            "the optimizer has none of the model's parameters; make it of the model that is trained: optim.Adam(model.parameters())"
        )
    _check_callbacks(callbacks)
    if scheduler is not None and (not hasattr(scheduler, "step") or isinstance(scheduler, type)):
        kind = f"the class {scheduler.__name__}" if isinstance(scheduler, type) else type(scheduler).__name__
        raise TypeError(
            f"scheduler= takes a schedule, such as optim.lr_scheduler.StepLR(optimizer, 10), but got {kind}"
        )
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ValueError("scheduler= changes the rates of another optimizer than the trainer's; make it of this one")
    if schedule not in ("epoch", "step"):
        raise ValueError(f"schedule= is 'epoch' or 'step', but got {schedule!r}")
    if clip is not None and not (isinstance(clip, int | float) and clip > 0):
        raise ValueError(f"clip= is the largest norm of the gradients, above 0, but got {clip!r:.60}")


def _check_callbacks(callbacks: Any) -> None:
    """Raise TypeError for what is no list of callbacks."""
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks= takes a list, but got {type(callbacks).__name__}; write callbacks=[callback]")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            kind = f"the class {callback.__name__}; write {callback.__name__}()" if isinstance(callback, type) else ""
            raise TypeError(f"callbacks are Callback objects, but got {kind or repr(callback)[:60]}")


def seed_of(seed: Any) -> int:
    """A seed as a Python int. Raises TypeError for what is no whole number, ValueError for one below 0."""
    return whole("Trainer's seed", seed)


def epochs_of(epochs: Any) -> int:
    """A number of epochs as a Python int. Raises as `seed_of`."""
    return whole("fit()'s epochs", epochs)


def whole(what: str, value: Any) -> int:
    """A whole number from 0 up. Raises TypeError for what is no whole number, ValueError for one below 0."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} is a whole number from 0 up, but got {type(value).__name__} {value!r:.60}") from None
    if number < 0:
        raise ValueError(f"{what} is a whole number from 0 up, but got {number}")
    return number


def measures(metrics: Metrics, loss: Any) -> dict[str, Metric]:
    """The metrics by their names. Raises ValueError for names that do not exist, or occur twice."""
    logits = isinstance(loss, BCEWithLogitsLoss | CrossEntropyLoss) or loss in (
        F.cross_entropy,
        F.binary_cross_entropy_with_logits,
    )
    if isinstance(metrics, str):
        metrics = [metrics]
    pairs = metrics.items() if isinstance(metrics, Mapping) else [(_name(metric), metric) for metric in metrics]
    found: dict[str, Metric] = {}
    for name, given in pairs:
        if name in found or name in ("loss", "epoch", "lr", "seconds"):
            raise ValueError(
                f"there are two columns called {name!r}; name metrics by a mapping: metrics={{'other': …}}"
            )
        metric = named(given, logits=logits) if isinstance(given, str) else given
        if not isinstance(metric, Metric):
            if not callable(metric) or isinstance(metric, type):
                cure = f"; write {metric.__name__}()" if isinstance(metric, type) else ""
                raise TypeError(f"a metric is a name, a Metric or a function, but got {metric!r:.60}{cure}")
            metric = Mean(metric)
        found[name] = metric.reset()
    return found


def _name(metric: Any) -> str:
    """What a metric is called: `F1Score` is called `f1_score`, as the function is."""
    if isinstance(metric, str):
        return metric
    if not isinstance(metric, Metric):
        return str(getattr(metric, "__name__", type(metric).__name__))
    kind = type(metric).__name__
    spaced = [("_" if i and c.isupper() and not kind[i - 1].isupper() else "") + c.lower() for i, c in enumerate(kind)]
    return "".join(spaced)


def loader_of(data: Any, batch_size: int, name: str, *, shuffle: bool) -> Any:
    """What gives batches: the loader that was given, or one that is made of the arrays that were given."""
    if isinstance(data, tuple | np.ndarray | Tensor) or hasattr(data, "iloc"):
        data = DataLoader(data, batch_size=batch_size, shuffle=shuffle)
    if isinstance(data, Iterator):
        raise TypeError(
            f"{name} is a {type(data).__name__}, which can be iterated only once; give a DataLoader or a list of batches"
        )
    if not isinstance(data, Iterable):
        raise TypeError(f"{name} is a DataLoader or a tuple of arrays (x, y), but got {type(data).__name__}")
    return data


def parts_of(batch: Any) -> tuple[Any, ...]:
    """The parts of a batch. Raises TypeError for one that has no target."""
    if not isinstance(batch, tuple | list) or len(batch) < 2:
        said = f"{len(batch)} parts" if isinstance(batch, tuple | list) else type(batch).__name__
        raise TypeError(
            f"a batch is a tuple (x, y): what the model is given, and the target; but got {said}"
            "; arrays are given as one tuple: fit((x, y))"
        )
    return tuple(batch)


def narrower(parts: tuple[Any, ...], dtype: Any) -> tuple[Any, ...]:
    """The parts of a batch, floating numbers that are wider than the type of the model brought to it."""
    for k, part in enumerate(parts):
        own = getattr(part, "dtype", dtype)
        if own is not dtype and dtype is not None and getattr(own, "kind", "") == "f" and own.itemsize > dtype.itemsize:
            parts = (*parts[:k], np.astype(part, dtype), *parts[k + 1 :])
    return parts


def type_of(model: Module) -> Any:
    """The floating type of all parameters of a model, or None where they are of several, or none."""
    found = {p.dtype for p in model.parameters() if p.dtype.kind == "f"}
    return found.pop() if len(found) == 1 else None


def empty(name: str) -> ValueError:
    """The error for data that gave no batch."""
    return ValueError(f"{name} gave no batches: is the data empty, or drop_last=True with fewer rows than batch_size?")

"""Checks of what a trainer is given, before anything is trained."""

from __future__ import annotations

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
        raise TypeError(f"Trainer takes a module, but got {type(model).__name__}")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"Trainer takes an optimizer, but got {type(optimizer).__name__}; write optim.Adam(model.parameters())"
        )
    if not callable(loss) or isinstance(loss, type):
        cure = f"; write {loss.__name__}()" if isinstance(loss, type) else ""
        raise TypeError(
            f"Trainer takes a loss that can be called with prediction and target, but got {loss!r:.60}{cure}"
        )
    own = {id(p) for p in model.parameters()}
    if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise ValueError(
            "the optimizer has none of the model's parameters; make it of the model that is trained: optim.Adam(model.parameters())"
        )
    for callback in callbacks:
        if not isinstance(callback, Callback):
            cure = f"; write {callback.__name__}()" if isinstance(callback, type) else ""
            raise TypeError(f"callbacks are Callback objects, but got {callback!r:.60}{cure}")
    if scheduler is not None and not hasattr(scheduler, "step"):
        raise TypeError(f"scheduler= takes a schedule of optim.lr_scheduler, but got {type(scheduler).__name__}")
    if schedule not in ("epoch", "step"):
        raise ValueError(f"schedule= is 'epoch' or 'step', but got {schedule!r}")
    if clip is not None and not clip > 0:
        raise ValueError(f"clip= is the largest norm of the gradients, above 0, but got {clip}")


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
        raise TypeError(f"a batch is a tuple (x, y): what the model is given, and the target; but got {said}")
    return tuple(batch)


def empty(name: str) -> ValueError:
    """The error for data that gave no batch."""
    return ValueError(f"{name} gave no batches: is the data empty, or drop_last=True with fewer rows than batch_size?")

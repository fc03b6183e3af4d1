"""Histograms of gradients and activations for each epoch, which show whether they vanish, explode, or die."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.train.activations import activations
from tinygrad_edu.train.callbacks.callback import Callback, Logs

if TYPE_CHECKING:
    from tinygrad_edu.train.trainer import Trainer


class _Histograms(Callback):
    """The base of callbacks that keep histograms of some arrays."""

    def __init__(self, every: int = 1, bins: int = 64) -> None:
        if every < 1 or bins < 1:
            raise ValueError(f"{type(self).__name__} takes every and bins from 1 on, but got {every} and {bins}")
        self.every, self.bins = every, bins
        self.records: list[dict[str, Any]] = []

    def arrays(self, trainer: Trainer) -> dict[str, Any]:
        """The arrays of which histograms are made, by name; a subclass writes this method."""
        raise NotImplementedError(f"{type(self).__name__} has no arrays(self, trainer): return what to show, by name")

    def on_epoch_end(self, trainer: Trainer, logs: Logs) -> None:
        """Make histograms, if it is their epoch."""
        if logs["epoch"] % self.every == 0:
            self.records += [
                {"epoch": logs["epoch"], "name": name, **histogram(array, self.bins)}
                for name, array in self.arrays(trainer).items()
            ]

    def of(self, name: str) -> list[dict[str, Any]]:
        """The records of one name. Raises KeyError if there are none."""
        known = list(dict.fromkeys(record["name"] for record in self.records))
        if name not in known:
            raise KeyError(f"{type(self).__name__} has no {name!r}; it has {', '.join(known) or 'nothing yet'}")
        return [record for record in self.records if record["name"] == name]

    def state_dict(self) -> dict[str, Any]:
        """The records so far."""
        return {"records": [dict(record) for record in self.records]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the records of a `state_dict()`."""
        self.records = [dict(record) for record in state["records"]]


def histogram(array: Any, bins: int) -> dict[str, Any]:
    """Counts and edges of `bins` equal intervals, mean, standard deviation, the share of zeros, and how many are not
    finite.

    >>> histogram(np.array([0.0, 1.0, 1.0, np.nan]), bins=2)["counts"].tolist()
    [1, 2]
    """
    flat = np.asarray(array, np.float64).reshape(-1)
    finite = flat[np.isfinite(flat)]
    counts, edges = np.histogram(finite, bins)
    return {
        "counts": counts,
        "edges": edges,
        "mean": float(finite.mean()) if finite.size else float("nan"),
        "std": float(finite.std()) if finite.size else float("nan"),
        "zeros": float(np.mean(flat == 0)) if flat.size else 0.0,
        "not_finite": int(flat.size - finite.size),
    }


class GradientHistogram(_Histograms):
    """Makes a histogram of the gradient of each parameter, at the last step of an epoch.

    `records` is a list of dictionaries: epoch, name (the parameter's path), counts (bins,), edges (bins + 1,), mean,
    std, zeros (the share that is exactly 0) and not_finite (how many are NaN or infinite). `of(name)` are those of one
    parameter.

    every: after how many epochs the next histogram is made.
    bins: the number of intervals, from the smallest to the largest value.

    >>> GradientHistogram(every=5).records
    []
    """

    reads_gradients = True

    def arrays(self, trainer: Trainer) -> dict[str, Any]:
        """The gradients that the last step left."""
        return {path: p.held_grad.ndarray for path, p in trainer.model.named_parameters() if p.held_grad is not None}


class ActivationHistogram(_Histograms):
    """Makes a histogram of the output of each layer for the same inputs, at the end of an epoch.

    The model runs in evaluation mode. `records` and `of(name)` are as those of `GradientHistogram`, with the layers'
    paths for names.

    x: the inputs, an array or a tuple of several.
    every: after how many epochs the next histogram is made.
    bins: the number of intervals, from the smallest to the largest value.

    >>> ActivationHistogram(np.ones((5, 3))).records
    []
    """

    def __init__(self, x: Any, every: int = 1, bins: int = 64) -> None:
        super().__init__(every, bins)
        self.inputs = x if isinstance(x, tuple) else (x,)

    def arrays(self, trainer: Trainer) -> dict[str, Any]:
        """The outputs of the layers."""
        with trainer.evaluating():
            return activations(trainer.model, *self.inputs)

"""Training curves: what an epoch came to, beside what the model is worth on data it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_edu.train import History
from viz.plots.style import COLORS, FAINT, panels, styled

_OTHERS = ("epoch", "lr", "seconds")


@styled
def training_curves(history: History | Mapping[str, Any], *, log: bool = False) -> Any:
    """A panel for the loss and for each metric: training and validation against the epoch, the best epoch marked.

    history: of `Trainer.fit`, or a mapping of lists, or a data frame.
    log: whether the loss is drawn on a log scale.

    Where the learning rate changes, it has a panel too. The best epoch is that of the lowest validation loss.

    Returns a matplotlib figure. Raises ValueError for a history without an epoch.

    >>> figure = training_curves({"loss": [0.9, 0.5], "val_loss": [0.8, 0.7], "accuracy": [0.5, 0.8]})
    >>> [axes.get_title() for axes in figure.axes]
    ['loss', 'accuracy']
    """
    columns = _columns(history)
    if not columns or not len(next(iter(columns.values()))):
        raise ValueError("the history has no epoch yet: call trainer.fit(…) first")
    epochs = columns.get("epoch", np.arange(1, 1 + len(next(iter(columns.values())))))
    shown = list(dict.fromkeys(name.removeprefix("val_") for name in columns if name not in _OTHERS))
    rates = columns.get("lr")
    varies = rates is not None and bool(np.ptp(rates))
    figure, grid = panels(len(shown) + varies)
    judged = columns.get("val_loss")
    best = None if judged is None or np.isnan(judged).all() else int(np.nanargmin(judged))
    for axes, name in zip(grid, shown, strict=False):
        for own, color, label in ((name, COLORS[0], "training"), (f"val_{name}", COLORS[1], "validation")):
            if own in columns:
                axes.plot(epochs, columns[own], color=color, label=label, marker="o" if len(epochs) < 2 else None)
        if best is not None:
            axes.axvline(epochs[best], color=FAINT, linestyle=":", zorder=0, label=f"best epoch: {epochs[best]:g}")
            if f"val_{name}" in columns:
                axes.plot(epochs[best], columns[f"val_{name}"][best], "o", color=COLORS[1])
        axes.set(title=name.replace("_", " "), xlabel="epoch", yscale="log" if log and name == "loss" else "linear")
    told = next((axes for axes, name in zip(grid, shown, strict=False) if f"val_{name}" in columns), grid[0])
    told.legend()  # where there are both lines, if anywhere
    if rates is not None and varies:
        wide = np.min(rates) > 0 and np.max(rates) / np.min(rates) > 100
        grid[-1].step(epochs, rates, where="mid", color=COLORS[2])
        grid[-1].set(title="learning rate", xlabel="epoch", yscale="log" if wide else "linear")
        if not wide:
            grid[-1].set_ylim(0)
    for axes in grid:
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _columns(history: Any) -> dict[str, Any]:
    """Numbers by name, with NaN where an epoch has none."""
    if isinstance(history, History):
        return {name: np.array([row.get(name, np.nan) for row in history], float) for name in _numbers(history)}
    found = {str(name): np.asarray(history[name], float) for name in history}
    index = getattr(history, "index", None)
    if getattr(index, "name", None) == "epoch":
        found["epoch"] = np.asarray(index, float)
    return found


def _numbers(history: History) -> list[str]:
    return [name for name in history.names if all(np.ndim(row.get(name, 0)) == 0 for row in history)]

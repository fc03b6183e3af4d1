"""Activations of each layer: whether a signal keeps its size on the way through a network, dies, or saturates."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_edu import train
from tinygrad_edu.nn import Module
from viz.plots.style import COLORS, panels, styled


@styled
def activations(model: Module, x: Any, *, bins: int = 60, columns: int = 5, share: bool = True) -> Any:
    """A histogram of the output of each layer for these inputs, with mean, standard deviation and the part that is zero.

    model: runs in the mode that it has.
    x: its input, or a tuple of several.
    bins: how many bars a histogram has.
    columns: panels in a row.
    share: whether all panels have one scale, so that a signal that fades is seen to.

    Returns a matplotlib figure. Raises TypeError if the model does not return a tensor. See `train.activations`.

    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
    >>> [axes.get_title() for axes in activations(model, np.ones((5, 3), np.float32)).axes]
    ['0 Linear', '1 Tanh']
    """
    found = train.activations(model, *(x if isinstance(x, tuple) else (x,)))
    kinds = {path: type(module).__name__ for path, module in model.named_modules()}
    figure, grid = panels(len(found), columns=columns, width=2.5, height=2.3)
    layers = {path: np.asarray(output, float).ravel() for path, output in found.items()}
    everything = np.concatenate(list(layers.values()))
    ends = _ends(everything) if share else None
    for axes, (path, values) in zip(grid, layers.items(), strict=True):
        finite = values[np.isfinite(values)]
        low, high = ends or _ends(values)
        inside = finite[(finite >= low) & (finite <= high)]
        parts = np.full(len(inside), 1 / max(len(values), 1))
        axes.hist(inside, np.linspace(low, high, bins + 1), weights=parts, color=COLORS[0])
        axes.set(ylim=(0, 1.4 * max(axes.get_ylim()[1], 1e-9)), xlim=(low, high))
        zeros = np.mean(values == 0)
        said = [f"mean {finite.mean():.2g}", f"std {finite.std():.2g}"] if finite.size else ["not finite"]
        said += [f"{zeros:.0%} zero"] if zeros > 0.005 else []
        said += [f"{len(values) - len(finite)} not finite"] if 0 < len(finite) < len(values) else []
        axes.text(0.97, 0.96, "\n".join(said), transform=axes.transAxes, ha="right", va="top", fontsize=8)
        axes.set_title(f"{path} {kinds.get(path, '')}".strip(), fontsize=10)
        axes.tick_params(labelsize=8)
        axes.locator_params(axis="x", nbins=4)
        axes.ticklabel_format(axis="x", scilimits=(-3, 4))
        axes.xaxis.get_offset_text().set_fontsize(8)
    for axes in grid[::columns]:
        axes.set_ylabel("part of all")
    return figure


def _ends(values: Any) -> tuple[float, float]:
    """From where to where all but the outermost two in a thousand are."""
    finite = values[np.isfinite(values)]
    low, high = np.quantile(finite, [0.001, 0.999]) if finite.size else (0.0, 0.0)
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(high) + 0.5)

"""Gradients by depth: whether what arrives at the first layers is still large enough to learn from."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_edu.nn import Module
from viz.plots.style import canvas, styled


@styled
def gradients(model: Module, *, biases: bool = False, label: str | None = None, axes: Any = None) -> Any:
    """The root mean square of each weight's gradient, from the first layer to the last, on a log scale.

    model: after `loss.backward()`.
    biases: whether parameters of one dimension are shown too.
    label: of this line, where several models are drawn into the same `axes`.
    axes: matplotlib axes to draw into; None makes a figure.

    Returns a matplotlib figure. Raises ValueError if the model has no gradients yet.

    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    >>> model(np.ones((5, 3), np.float32)).sum().backward()
    >>> [tick.get_text() for tick in gradients(model).axes[0].get_xticklabels()]
    ['0.weight', '2.weight']
    """
    shown = [(path, p) for path, p in model.named_parameters() if biases or p.ndim > 1]
    found = {path: p.grad for path, p in shown if p.grad is not None}
    if not found:
        raise ValueError(
            "gradients draws parameters' .grad, but none of this model has one: call loss.backward() first"
        )
    sizes = [float(np.sqrt(np.mean(np.square(np.asarray(g.numpy(), float))))) for g in found.values()]
    figure, axes = canvas(axes, width=max(4.5, 1.5 + 0.32 * len(found)), height=3.4)
    positive = [size if size > 0 else np.nan for size in sizes]  # a log scale has no place for 0
    axes.semilogy(range(len(found)), positive, "o-", markersize=4, label=label)
    axes.set_xticks(range(len(found)), list(found), rotation=90, fontsize=8)
    axes.set(ylabel="root mean square of ∂L/∂w", title="Gradients by depth")
    if label is not None:
        axes.legend()
    return figure

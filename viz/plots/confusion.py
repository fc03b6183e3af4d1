"""The confusion matrix: what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_edu.train import metrics
from tinygrad_edu.train.metrics.reading import Numbers, as_array
from viz.plots.style import INK, called, canvas, styled


@styled
def plot_confusion(
    prediction: Numbers, target: Numbers | None = None, *, names: Sequence[str] | None = None, axes: Any = None
) -> Any:
    """Counts, on colours that say which part of its row each is: rows are the truth, columns the prediction.

    prediction, target: as for `metrics.confusion_matrix`; or the matrix itself, alone.
    names: of the classes, in order; None counts them from 0.
    axes: matplotlib axes to draw into; None makes a figure.

    Returns a matplotlib figure.

    >>> plot_confusion([0, 1, 1], [0, 1, 0]).axes[0].get_ylabel()
    'true class'
    """
    counts = as_array(prediction) if target is None else metrics.confusion_matrix(prediction, target)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"plot_confusion takes a square matrix, or a prediction and a target, but got {counts.shape}")
    n = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = canvas(axes, *[max(3.2, 1.6 + 0.48 * n)] * 2)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i in range(n):
        for j in range(n):
            if counts[i, j]:
                color = "white" if shares[i, j] > 0.55 else INK
                axes.text(j, i, f"{counts[i, j]:g}", ha="center", va="center", color=color, fontsize=10 if n < 8 else 8)
    labels = called(names, n)
    tilted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, labels)) > 3 else {}
    axes.set_xticks(range(n), labels, **tilted)
    axes.set_yticks(range(n), labels)
    right = np.trace(counts) / max(counts.sum(), 1)
    axes.set(xlabel="predicted class", ylabel="true class", title=f"{right:.1%} right")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure

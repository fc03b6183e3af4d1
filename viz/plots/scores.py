"""Scores by class: how far a model keeps apart what is to be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_edu.train import metrics
from tinygrad_edu.train.metrics.reading import Numbers, as_array
from viz.plots.style import COLORS, INK, called, panels, styled


@styled
def plot_scores(
    prediction: Numbers,
    target: Numbers,
    *,
    threshold: float | None = 0.5,
    names: Sequence[str] | None = None,
    bins: int = 30,
) -> Any:
    """How the scores of each class are distributed, with the threshold between them, and the area under the ROC curve.

    prediction: scores, (N,), or (N, classes); then each class has a panel, its own rows beside the rest.
    target: the truth: 0 or 1 of each of N, or class numbers.
    threshold: where a line is drawn; None for none.
    names: of the classes, in order; None counts them from 0.
    bins: how many bars a histogram has.

    Each distribution has area 1, so that a rare class is as visible as the others.

    Returns a matplotlib figure.

    >>> plot_scores([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]).axes[0].get_xlabel()
    'score'
    """
    scores, true = as_array(prediction), as_array(target)
    if scores.ndim == 1:
        zero, one = called(names, 2)
        parts = [("", scores, true == 1, (f"class {zero}", f"class {one}") if names is None else (zero, one))]
    else:
        parts = [
            (name, scores[:, k], true == k, ("the others", name))
            for k, name in enumerate(called(names, scores.shape[1]))
        ]
    figure, grid = panels(len(parts), width=4.5 if len(parts) == 1 else 3.6, height=3.2 if len(parts) == 1 else 2.6)
    for axes, (name, own, inside, labels) in zip(grid, parts, strict=True):
        edges = np.linspace(own.min(), own.max() if own.max() > own.min() else own.min() + 1, bins + 1)
        for part, label, color in ((~inside, labels[0], COLORS[0]), (inside, labels[1], COLORS[1])):
            if part.any():
                counted = {"bins": edges, "density": True, "color": color}
                axes.hist(own[part], alpha=0.35, label=f"{label} ({np.count_nonzero(part)})", **counted)
                axes.hist(own[part], histtype="step", linewidth=1.4, **counted)
        if threshold is not None and edges[0] <= threshold <= edges[-1]:
            axes.axvline(
                threshold, ymax=0.74, color=INK, linestyle=":", linewidth=1.4, label=f"threshold {threshold:g}"
            )
        area = metrics.auroc(own, inside)
        title = name if np.isnan(area) else f"{name}  AUROC {area:.3f}".strip()
        axes.set(xlabel="score", ylabel="density", title=title, ylim=(0, 1.35 * axes.get_ylim()[1]))
        axes.legend(
            fontsize=8, ncols=3 if len(parts) == 1 else 2, loc="upper center", columnspacing=1.0, handlelength=1.4
        )
    return figure

"""ROC and precision-recall curves: what a threshold gains and costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_edu.train import metrics
from tinygrad_edu.train.metrics.reading import Numbers, as_array
from viz.plots.style import COLORS, FAINT, INK, called, canvas, panels, styled

_ON_WHITE = {"frameon": True, "facecolor": "white", "edgecolor": "none", "framealpha": 0.85}
"""A legend that stands over lines."""


@styled
def plot_roc(prediction: Numbers, target: Numbers, *, names: Sequence[str] | None = None, axes: Any = None) -> Any:
    """The ROC curve with its area, beside that of guessing; of several classes, one curve for each against the rest.

    prediction: scores, (N,), or (N, classes).
    target: the truth: 0 or 1 of each of N, or class numbers.
    names: of the classes, in order; None counts them from 0.
    axes: matplotlib axes to draw into; None makes a figure.

    Returns a matplotlib figure. See `metrics.roc_curve`.

    >>> plot_roc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]).axes[0].get_xlabel()
    'false positive rate'
    """
    figure, axes = canvas(axes, width=4.5 + 1.3 * (np.ndim(as_array(prediction)) > 1))
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1.2, label="guessing: 0.50")
    several = np.ndim(as_array(prediction)) > 1
    for k, (name, scores, true) in enumerate(_curves(prediction, target, names)):
        fpr, tpr, _ = metrics.roc_curve(scores, true)
        if not np.isnan(fpr).any() and not np.isnan(tpr).any():
            area = metrics.auroc(scores, true)
            line = "-" if k < len(COLORS) else "--"
            axes.plot(fpr, tpr, line, label=f"{name}: {area:.3f}" if several else f"AUROC {area:.3f}")
    axes.set(
        xlabel="false positive rate",
        ylabel="true positive rate",
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
        aspect="equal",
    )
    axes.grid(visible=True, axis="both")
    beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "title": "area under each"}
    axes.legend(**(beside if several else {"loc": "lower right"}))
    return figure


@styled
def plot_precision_recall(prediction: Numbers, target: Numbers, *, threshold: float | None = None) -> Any:
    """Precision against recall, and both against the threshold: where one is set, and what it costs.

    prediction: scores, (N,).
    target: the truth, 0 or 1 of each.
    threshold: the one that is marked; if not given, that of the largest F1.

    Returns a matplotlib figure of two panels. See `metrics.precision_recall_curve`.

    >>> [axes.get_xlabel() for axes in plot_precision_recall([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]).axes]
    ['recall', 'threshold']
    """
    scores, true = as_array(prediction), as_array(target)
    precision, recall, thresholds = metrics.precision_recall_curve(scores, true)
    p, r = precision[:-1], recall[:-1]
    f1 = 2 * p * r / np.maximum(p + r, np.finfo(float).tiny)
    if threshold is None:
        threshold = float(thresholds[np.argmax(f1)])
    at = min(int(np.searchsorted(thresholds, threshold)), len(p) - 1)
    figure, (curve, parts) = panels(2, width=4.5, height=4.0)
    curve.axhline(np.mean(true), color=FAINT, linestyle="--", linewidth=1.2, label=f"guessing: {np.mean(true):.2f}")
    curve.step(
        recall, precision, where="post", color=COLORS[0], label=f"AP {metrics.average_precision(scores, true):.3f}"
    )
    curve.plot(r[at], p[at], "o", color=INK, label=f"threshold {threshold:.3g}", zorder=3)
    curve.set(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.04))
    curve.grid(visible=True, axis="both")
    curve.legend(loc="lower left")
    for name, values, color in (("precision", p, COLORS[0]), ("recall", r, COLORS[1]), ("F1", f1, COLORS[2])):
        parts.step(thresholds, values, where="pre", color=color, label=name)
        parts.plot(threshold, values[at], "o", color=color)
    parts.axvline(threshold, color=INK, linestyle=":", linewidth=1.2)
    parts.set(xlabel="threshold", ylim=(-0.01, 1.04))
    parts.set_title(f"at {threshold:.3g}: precision {p[at]:.2f}, recall {r[at]:.2f}, F1 {f1[at]:.2f}", fontsize=10)
    parts.legend(loc="lower left", **_ON_WHITE)
    return figure


def _curves(prediction: Numbers, target: Numbers, names: Sequence[str] | None) -> list[tuple[str, Any, Any]]:
    """Name, scores, and whether each is of the class, for each curve."""
    scores, true = as_array(prediction), as_array(target)
    if scores.ndim == 1:
        return [("", scores, true)]
    return [(name, scores[:, k], true == k) for k, name in enumerate(called(names, scores.shape[1]))]

"""Plots of training and of predictions, by matplotlib, in one style.

    from viz.plots import training_curves
    training_curves(history).savefig("out/curves.png")

Each function returns a matplotlib figure of its own, made without pyplot, so that nothing is left open; with `axes=`, those
of one panel draw into axes that are given.
"""

from viz.plots.attention import attention_map
from viz.plots.confusion import plot_confusion
from viz.plots.curves import training_curves
from viz.plots.filters import filters
from viz.plots.gradients import gradients
from viz.plots.landscape import landscape
from viz.plots.layers import activations
from viz.plots.ranking import plot_precision_recall, plot_roc
from viz.plots.scores import plot_scores

__all__ = [
    "activations",
    "attention_map",
    "filters",
    "gradients",
    "landscape",
    "plot_confusion",
    "plot_precision_recall",
    "plot_roc",
    "plot_scores",
    "training_curves",
]

"""Plots show the numbers that they are given, and leave matplotlib as it was."""

import sys

import matplotlib as mpl
import numpy as np
import pytest

from tinygrad_edu import nn
from tinygrad_edu.train import History, metrics
from viz import plots

RNG = np.random.default_rng(0)
TARGET = np.arange(40) % 2
SCORES = RNG.random(40) * 0.7 + 0.3 * TARGET
MANY = RNG.random((40, 10))
CLASSES = np.arange(40) % 10
HISTORY = History(
    [
        {
            "epoch": i,
            "loss": 1 / i,
            "accuracy": 1 - 1 / i,
            "val_loss": abs(i - 3) + 1.0,
            "val_accuracy": 0.5,
            "lr": 1.0 / i,
        }
        for i in range(1, 6)
    ]
)
MODEL = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
DRAWN = {
    "curves": lambda: plots.training_curves(HISTORY),
    "ROC": lambda: plots.plot_roc(SCORES, TARGET),
    "ROC of classes": lambda: plots.plot_roc(MANY, CLASSES, names=[f"class {k}" for k in range(10)]),
    "precision and recall": lambda: plots.plot_precision_recall(SCORES, TARGET),
    "scores": lambda: plots.plot_scores(SCORES, TARGET),
    "scores of classes": lambda: plots.plot_scores(MANY, CLASSES),
    "confusion": lambda: plots.plot_confusion(MANY, CLASSES),
    "landscape": lambda: plots.landscape(lambda x, y: x**2 / 20 + y**2, {"a": [(-7, 2), (-6, 1)], "b": [(0, 0)]}),
    "activations": lambda: plots.activations(MODEL, np.ones((5, 3), np.float32)),
    "filters": lambda: plots.filters(nn.Conv2d(1, 10, 5)),
    "filters of colours": lambda: plots.filters(nn.Conv2d(3, 4, 3)),
    "filters of channels": lambda: plots.filters(nn.Conv2d(4, 5, 3)),
    "attention": lambda: plots.attention_map(MANY[:4, :6], queries=["16", "+", " ", "7"]),
    "attention of heads": lambda: plots.attention_map(MANY.reshape(4, 10, 10)),
    "gradients": lambda: plots.gradients(with_gradients()),
}


def with_gradients():
    """The model after a backward pass."""
    MODEL(np.ones((5, 3), np.float32)).sum().backward()
    return MODEL


def opened():
    """The figures that pyplot holds."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return [] if pyplot is None else pyplot.get_fignums()


@pytest.mark.parametrize("name", DRAWN)
def test_each_is_drawn_and_leaves_nothing_behind(name, tmp_path):
    before, open_before = dict(mpl.rcParams), opened()
    figure = DRAWN[name]()
    figure.savefig(tmp_path / "plot.png", dpi=50)
    assert dict(mpl.rcParams) == before
    assert opened() == open_before


def lines(axes):
    return {line.get_label(): line.get_xydata().T for line in axes.get_lines()}


def test_curves_show_the_history_and_mark_the_best_epoch():
    figure = plots.training_curves(HISTORY)
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy", "learning rate"]
    drawn = lines(figure.axes[0])
    np.testing.assert_array_equal(drawn["training"], [range(1, 6), HISTORY["loss"]])
    np.testing.assert_array_equal(drawn["validation"], [range(1, 6), HISTORY["val_loss"]])
    assert "best epoch: 3" in drawn
    np.testing.assert_array_equal(
        lines(plots.training_curves(HISTORY.to_frame()).axes[0])["training"], drawn["training"]
    )
    with pytest.raises(ValueError, match="no epoch yet"):
        plots.training_curves(History())


def test_a_run_of_one_epoch_without_validation_is_seen():
    (axes,) = plots.training_curves({"loss": [0.5]}).axes
    assert axes.get_lines()[0].get_marker() == "o"


def test_roc_curves_are_the_metric():
    (axes,) = plots.plot_roc(SCORES, TARGET).axes
    area = metrics.auroc(SCORES, TARGET)
    np.testing.assert_array_equal(lines(axes)[f"AUROC {area:.3f}"], metrics.roc_curve(SCORES, TARGET)[:2])
    absent = np.where(CLASSES == 9, 0, CLASSES)
    (axes,) = plots.plot_roc(MANY, absent).axes
    assert len(axes.get_lines()) == 1 + 9  # no curve for a class that is absent
    with pytest.raises(ValueError, match="10 classes, but got 2"):
        plots.plot_roc(MANY, CLASSES, names=["a", "b"])


def test_the_threshold_that_is_marked_is_that_of_the_largest_f1():
    figure = plots.plot_precision_recall(SCORES, TARGET)
    thresholds = np.unique(SCORES)
    f1 = [metrics.f1_score(SCORES, TARGET, threshold=t) for t in thresholds]
    best = thresholds[int(np.argmax(f1))]
    assert f"at {best:.3g}:" in figure.axes[1].get_title()
    assert f"F1 {max(f1):.2f}" in figure.axes[1].get_title()
    given = plots.plot_precision_recall(SCORES, TARGET, threshold=0.5).axes[1].get_title()
    assert f"precision {metrics.precision(SCORES, TARGET, threshold=0.5):.2f}" in given
    assert f"recall {metrics.recall(SCORES, TARGET, threshold=0.5):.2f}" in given


def test_a_confusion_matrix_is_drawn_by_its_counts():
    (axes,) = plots.plot_confusion([0, 1, 1, 1], [0, 1, 0, 1], names=["cat", "dog"]).axes
    assert {(text.get_position(), text.get_text()) for text in axes.texts} == {
        ((0, 0), "1"),
        ((1, 0), "1"),
        ((1, 1), "2"),
    }
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    assert axes.get_title() == "75.0% right"
    with pytest.raises(ValueError, match="square"):
        plots.plot_confusion(np.ones((2, 3)))


def test_a_landscape_has_the_path_on_it_and_refuses_what_is_none():
    way = [(-7.0, 2.0), (-6.0, 1.0), (np.nan, np.nan)]
    (axes,) = plots.landscape(lambda x, y: x**2 + y**2, way, x=(-8, 1)).axes
    np.testing.assert_array_equal(axes.get_lines()[0].get_xydata(), way)
    assert axes.get_xlim() == (-8, 1)
    with pytest.raises(ValueError, match=r"points \(steps, 2\)"):
        plots.landscape(lambda x, y: x, [1.0, 2.0])


def test_activations_say_what_is_zero_and_share_their_scale():
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU())
    model[0].bias.data = np.full(8, -100, np.float32)
    figure = plots.activations(model, RNG.standard_normal((50, 3)).astype(np.float32))
    assert "100% zero" in figure.axes[1].texts[0].get_text()
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()


def test_axes_that_are_given_are_drawn_into():
    from matplotlib.figure import Figure

    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert plots.plot_roc(SCORES, TARGET, axes=left) is figure
    assert plots.plot_confusion(TARGET, TARGET, axes=right) is figure
    assert right.get_ylabel() == "true class"


def test_without_matplotlib_the_install_line_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        plots.plot_roc(SCORES, TARGET)


def test_filters_have_one_scale_and_say_what_they_leave_out():
    weight = RNG.normal(size=(20, 1, 3, 3))
    figure = plots.filters(weight, most=12)
    assert [image.get_clim() for axes in figure.axes for image in axes.images] == [
        (-np.abs(weight).max(), np.abs(weight).max())
    ] * 12
    np.testing.assert_array_equal(figure.axes[7].images[0].get_array(), weight[7, 0])
    assert figure.get_suptitle() == "12 of 20 images"
    rows = plots.filters(RNG.normal(size=(2, 4, 3, 3))).axes
    assert len(rows) == 8


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: plots.filters(nn.Linear(3, 4)), r"filters takes a Conv2d .* got Linear with \(3, 4\)"),
        (lambda: plots.filters(np.full((1, 1, 2, 2), np.nan)), "finite weights"),
        (lambda: plots.attention_map(np.ones(3)), r"shape \(Q, K\) .* got \(3,\)"),
        (lambda: plots.attention_map(np.eye(3), keys="ab"), "keys= takes a word for each of 3, but got 2"),
        (lambda: plots.gradients(nn.Linear(2, 2)), r"call loss.backward\(\) first"),
    ],
)
def test_what_these_plots_refuse(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_gradients_are_root_mean_squares_from_first_to_last():
    model = with_gradients()
    axes = plots.gradients(model, biases=True).axes[0]
    expected = [np.sqrt(np.mean(p.grad.numpy() ** 2)) for p in model.parameters()]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), expected, rtol=1e-6)


def test_attention_of_a_head_lies_in_its_panel():
    weights = RNG.random((3, 2, 5))
    figure = plots.attention_map(weights)
    for axes, head in zip(figure.axes, weights, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), head)

"""Metrics agree with scikit-learn to 1e-12, ties and absent classes included, at once and batch by batch."""

import math
import warnings

import numpy as np
import pytest
import sklearn.metrics as theirs
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.train import metrics as ours

CLASSES = 4
few = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])  # so that ties are common
rows = st.integers(1, 30)


def same(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of what is not defined
        yield


@st.composite
def numbered(draw, classes=CLASSES):
    """Predicted and true class numbers, some classes absent from either or both."""
    n = draw(rows)
    some = st.sampled_from(draw(st.lists(st.integers(0, classes - 1), min_size=1, unique=True)))
    return [np.array(draw(st.lists(some, min_size=n, max_size=n))) for _ in range(2)]


@st.composite
def scored(draw, classes=CLASSES, value=few):
    """Scores (N, classes) with ties, and true class numbers, some absent."""
    n = draw(rows)
    some = st.sampled_from(draw(st.lists(st.integers(0, classes - 1), min_size=1, unique=True)))
    table = st.lists(st.lists(value, min_size=classes, max_size=classes), min_size=n, max_size=n)
    return np.array(draw(table)), np.array(draw(st.lists(some, min_size=n, max_size=n)))


@st.composite
def binary(draw):
    scores, target = draw(scored(2))
    return scores[:, 0], target


def in_batches(metric, prediction, target, size=3):
    """The metric, gathered; and again after `reset()`, with its state carried to another object half way."""
    for i in range(0, len(target), size):
        metric.update(prediction[i : i + size], target[i : i + size])
    first = metric.compute()
    metric.reset()
    for i in range(0, len(target), size):
        state = metric.state_dict()
        metric.reset()
        metric.load_state_dict(state)
        metric.update(prediction[i : i + size], target[i : i + size])
    np.testing.assert_equal(metric.compute(), first)
    return first


@given(numbered())
def test_accuracy_and_the_confusion_matrix(case):
    p, t = case
    for got in (ours.accuracy(p, t), in_batches(ours.Accuracy(), p, t)):
        same(got, theirs.accuracy_score(t, p))
    expected = theirs.confusion_matrix(t, p, labels=range(CLASSES))
    same(ours.confusion_matrix(p, t, classes=CLASSES), expected)
    same(in_batches(ours.ConfusionMatrix(CLASSES), p, t), expected)
    seen = 1 + max(p.max(), t.max())
    same(in_batches(ours.ConfusionMatrix(), p, t), expected[:seen, :seen])


@pytest.mark.parametrize(
    ("function", "kind", "reference"),
    [
        (ours.precision, ours.Precision, theirs.precision_score),
        (ours.recall, ours.Recall, theirs.recall_score),
        (ours.f1_score, ours.F1Score, theirs.f1_score),
    ],
    ids=["precision", "recall", "F1"],
)
@given(case=numbered(), two=numbered(2))
def test_precision_recall_and_f1(function, kind, reference, case, two):
    p, t = case
    for average in ("micro", "macro", "weighted"):
        expected = reference(t, p, average=average, zero_division=0)
        same(function(p, t, average=average), expected)
        same(in_batches(kind(average), p, t), expected)
    expected = reference(t, p, average=None, labels=range(CLASSES), zero_division=0)
    same(function(p, t, average=None, classes=CLASSES), expected)
    same(in_batches(kind(None, classes=CLASSES), p, t), expected)
    p, t = two
    same(function(p, t), reference(t, p, zero_division=0))
    same(in_batches(kind(), p, t), reference(t, p, zero_division=0))


@given(scored(), st.integers(1, CLASSES))
def test_top_k_accuracy(case, k):
    p, t = case
    expected = theirs.top_k_accuracy_score(t, p, k=k, labels=range(CLASSES))
    same(ours.top_k_accuracy(p, t, k=k), expected)
    same(in_batches(ours.TopKAccuracy(k), p, t), expected)


@given(binary())
def test_curves_of_two_classes(case):
    p, t = case
    for got in (ours.roc_curve(p, t), in_batches(ours.ROCCurve(), p, t)):
        for mine, expected in zip(got, theirs.roc_curve(t, p, drop_intermediate=False), strict=True):
            same(mine, expected)
    for got in (ours.precision_recall_curve(p, t), in_batches(ours.PrecisionRecallCurve(), p, t)):
        for mine, expected in zip(got, theirs.precision_recall_curve(t, p), strict=True):
            same(mine, expected)
    for got in (ours.auroc(p, t), in_batches(ours.AUROC(), p, t)):
        same(got, theirs.roc_auc_score(t, p))
    for got in (ours.average_precision(p, t), in_batches(ours.AveragePrecision(), p, t)):
        same(got, theirs.average_precision_score(t, p))


@settings(max_examples=30)
@given(scored())
def test_areas_of_many_classes(case):
    p, t = case
    p = p + 1e-3
    p /= p.sum(axis=1, keepdims=True)  # scikit-learn takes probabilities alone
    each = [theirs.roc_auc_score(t == k, p[:, k]) for k in range(CLASSES)]
    same(ours.auroc(p, t, average=None), each)
    precisions = [theirs.average_precision_score(t == k, p[:, k]) for k in range(CLASSES)]
    same(ours.average_precision(p, t, average=None), precisions)
    weights = np.bincount(t, minlength=CLASSES)
    same(ours.average_precision(p, t, average="weighted"), np.average(precisions, weights=weights))
    for average in ("macro", "weighted"):
        for over in ("ovr", "ovo"):
            if over == "ovo" and len(np.unique(t)) < 2:
                assert math.isnan(ours.auroc(p, t, multi_class=over))
                continue
            expected = theirs.roc_auc_score(t, p, multi_class=over, average=average, labels=range(CLASSES))
            same(ours.auroc(p, t, multi_class=over, average=average), expected)
            same(in_batches(ours.AUROC(over, average), p, t), expected)


@given(scored())
def test_log_loss(case):
    p, t = case
    sums = p.sum(axis=1, keepdims=True)
    p = np.where(sums > 0, p / np.where(sums > 0, sums, 1), 1 / CLASSES)  # zeros and ones stay
    expected = theirs.log_loss(t, y_proba=p, labels=range(CLASSES))
    same(ours.log_loss(p, t), expected)
    same(in_batches(ours.LogLoss(), p, t), expected)
    logits = np.log(p + 0.01)
    expected = theirs.log_loss(t, y_proba=(p + 0.01) / (p + 0.01).sum(axis=1, keepdims=True), labels=range(CLASSES))
    same(ours.log_loss(logits, t, from_logits=True), expected)


@given(binary())
def test_log_loss_of_two_classes(case):
    p, t = case
    same(ours.log_loss(p, t), theirs.log_loss(t, y_proba=p, labels=[0, 1]))
    z = np.log((p + 0.1) / (1.1 - p))
    same(ours.log_loss(z, t, from_logits=True), theirs.log_loss(t, y_proba=(p + 0.1) / 1.2, labels=[0, 1]))


numbers = st.floats(-1e3, 1e3).map(lambda x: round(x, 2))


@given(
    st.integers(1, 3).flatmap(
        lambda k: st.lists(st.lists(numbers, min_size=2 * k, max_size=2 * k), min_size=1, max_size=20)
    )
)
def test_errors_of_numbers(table):
    table = np.array(table)
    p, t = np.split(table, 2, axis=1)
    for function, kind, reference in (
        (ours.mean_squared_error, ours.MeanSquaredError, theirs.mean_squared_error),
        (ours.mean_absolute_error, ours.MeanAbsoluteError, theirs.mean_absolute_error),
        (ours.r2_score, ours.R2Score, theirs.r2_score),
    ):
        same(function(p, t), reference(t, p))
        spread = ((t - t.mean(axis=0)) ** 2).sum(axis=0)
        if kind is not ours.R2Score or (spread > 1e-3).all():
            np.testing.assert_allclose(in_batches(kind(), p, t), reference(t, p), rtol=1e-9, atol=1e-9)


def test_r2_of_a_far_offset_keeps_its_digits_over_batches():
    rng = np.random.default_rng(0)
    t = 1e6 + rng.standard_normal(500)
    p = t + 0.1 * rng.standard_normal(500)
    np.testing.assert_allclose(in_batches(ours.R2Score(), p, t, 7), theirs.r2_score(t, p), rtol=1e-8)


def test_the_same_for_tensors_lists_images_and_one_number_a_row():
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]])
    t = np.array([1, 0, 0])
    for p in (scores, tg.Tensor(scores), tg.Tensor(scores, requires_grad=True) * 1.0, scores.tolist(), scores[:, 1]):
        assert ours.accuracy(p, t) == 2 / 3
    assert ours.accuracy(scores[:, 1:], t[:, None]) == 2 / 3
    assert ours.accuracy(scores[:, 1] - 0.5, t.astype(float), threshold=0) == 2 / 3
    pixels = np.stack([scores, scores], axis=2)
    assert ours.accuracy(pixels, np.stack([t, 1 - t], axis=1)) == 0.5


WRONG = {
    "one-hot targets": (lambda: ours.accuracy(np.eye(3), np.eye(3, dtype=int)[:, :2]), r"argmax\(axis=1\)"),
    "labels that are not whole": (lambda: ours.accuracy([0.1, 0.9], [0.5, 1.0]), "0.5 among them"),
    "negative labels": (lambda: ours.accuracy([1, 0], [-1, 0]), "-1 among them"),
    "labels out of range": (lambda: ours.accuracy(np.eye(2), [0, 2]), "2 classes, but the target has class 2"),
    "texts": (lambda: ours.accuracy([0, 1], ["a", "b"]), "class numbers"),
    "one column": (lambda: ours.accuracy(np.ones((3, 1)), [0, 1, 0]), r"write prediction\[:, 0\]"),
    "NaN": (lambda: ours.accuracy([[np.nan, 1.0]], [0]), "NaN"),
    "NaN in ranks": (lambda: ours.auroc([np.nan, 1.0], [0, 1]), "NaN"),
    "misshapen": (lambda: ours.mean_squared_error(np.ones(3), np.ones((3, 1))), "reshape"),
    "many classes as two": (lambda: ours.f1_score([0, 1, 2], [0, 1, 2]), "average='macro'"),
    "unknown average": (lambda: ours.Precision("mean"), "'mean'"),
    "unknown name": (lambda: ours.named("acuracy"), "did you mean 'accuracy'"),
    "no probabilities": (lambda: ours.log_loss([[3.0, -1.0]], [0]), "from_logits=True"),
    "nothing": (lambda: ours.Accuracy().compute(), "comes first"),
    "no rows": (lambda: ours.accuracy(np.empty((0, 3)), np.empty(0, int)), "comes first"),
    "more classes than said": (lambda: ours.confusion_matrix([0, 5], [0, 1], classes=3), "classes=3"),
    "pairs without an average": (lambda: ours.auroc(np.eye(2), [0, 1], multi_class="ovo", average=None), "one number"),
    "an unknown way": (lambda: ours.auroc(np.eye(2), [0, 1], multi_class="all"), "'ovr' or 'ovo'"),
    "no k": (lambda: ours.TopKAccuracy(0), "k from 1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_says_what_to_write(name):
    call, said = WRONG[name]
    with pytest.raises((ValueError, TypeError), match=said):
        call()


def test_names_give_metrics_that_know_logits():
    z = np.array([-0.2, 0.3])
    assert ours.named("accuracy", logits=True).update(z, [0, 1]).compute() == 1.0
    same(ours.named("log_loss", logits=True).update(z, [0, 1]).compute(), ours.log_loss(z, [0, 1], from_logits=True))
    for name in [*ours.OF_CLASSES, *ours.OTHERS, "log_loss"]:
        assert isinstance(ours.named(name), ours.Metric)


def test_what_is_gathered_is_a_copy():
    buffer = np.array([0.2, 0.7])
    judge = ours.AUROC().update(buffer, [0, 1])
    buffer[:] = [0.9, 0.1]
    assert judge.update(np.array([0.5]), [1]).compute() == 1.0

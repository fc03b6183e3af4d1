"""Nets as scikit-learn's estimators: its own checks, and the tools that take estimators."""

from __future__ import annotations

import pickle
import sys

import joblib
import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from tinygrad_edu import nn
from tinygrad_edu.sklearn import NeuralNetClassifier, NeuralNetRegressor

IRIS = load_iris(return_X_y=True)
SMALL = {"hidden_layer_sizes": (20,), "learning_rate": 0.02, "max_epochs": 60, "random_state": 0}
WEIGHTS = "batches are drawn by row, so that a row that is there twice is not a row that counts twice"


def unlike(estimator):
    return {f"check_sample_weight_equivalence_on_{kind}_data": WEIGHTS for kind in ("dense", "sparse")}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [NeuralNetClassifier(**SMALL), NeuralNetRegressor(**SMALL)], expected_failed_checks=unlike, xfail_strict=None
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def net(**options):
    return make_pipeline(StandardScaler(), NeuralNetClassifier(**{**SMALL, "max_epochs": 25, **options}))


def test_a_grid_comes_to_the_same_in_threads_which_print_nothing(capsys):
    grid = {"neuralnetclassifier__hidden_layer_sizes": [(4,), (16,)]}
    stops = net(early_stopping=True, patience=3)
    alone = GridSearchCV(stops, grid, cv=2).fit(*IRIS)
    assert alone.best_score_ > 0.8
    printed_on = sys.stderr
    with joblib.parallel_config("threading", n_jobs=2):
        search = GridSearchCV(stops, grid, cv=2).fit(*IRIS)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    assert sys.stderr is printed_on
    assert capsys.readouterr().err == ""


def test_random_search_and_folds():
    rates = {"neuralnetclassifier__learning_rate": [1e-4, 0.02]}
    assert RandomizedSearchCV(net(), rates, n_iter=2, cv=2, random_state=0).fit(*IRIS).best_params_ == {
        "neuralnetclassifier__learning_rate": 0.02
    }
    assert cross_val_score(net(), *IRIS, cv=3).mean() > 0.9


def test_the_same_seed_gives_the_same_net_whatever_was_drawn_before():
    first, second, other = (NeuralNetClassifier(**{**SMALL, "random_state": seed}) for seed in (1, 1, 2))
    np.random.default_rng().random(10)
    a, b, c = (estimator.fit(*IRIS).predict_proba(IRIS[0]) for estimator in (first, second, other))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert np.array_equal(clone(first).fit(*IRIS).predict_proba(IRIS[0]), a)


def test_a_module_of_ones_own_and_pickling():
    fitted = NeuralNetClassifier(make_module, max_epochs=30, learning_rate=0.02, random_state=0).fit(*IRIS)
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict_proba(IRIS[0]), fitted.predict_proba(IRIS[0]))
    assert [type(layer).__name__ for layer in fitted.module_] == ["Linear", "Tanh", "Linear"]


def make_module(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 7), nn.Tanh(), nn.Linear(7, outputs))


def test_frames_keep_their_names_and_texts_are_classes():
    frame, y = load_iris(return_X_y=True, as_frame=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    fitted = NeuralNetClassifier(**SMALL).fit(frame, names)
    assert fitted.feature_names_in_.tolist() == frame.columns.tolist()
    assert set(fitted.predict(frame)) <= set(names)
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame.rename(columns={frame.columns[0]: "other"}))


def test_early_stopping_stops_and_keeps_the_best():
    x, y = load_breast_cancer(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    fitted = NeuralNetClassifier(
        early_stopping=True, max_epochs=200, patience=5, learning_rate=0.01, random_state=0
    ).fit(x, y)
    assert fitted.n_iter_ < 200
    assert fitted.history_["val_loss"].index(min(fitted.history_["val_loss"])) == fitted.n_iter_ - 6
    assert fitted.score(x, y) > 0.97


def test_weights_of_zero_leave_rows_out_of_the_loss():
    x, y = IRIS
    wrong = np.where(np.arange(len(y)) % 3 == 0, (y + 1) % 3, y)
    trusted = (wrong == y).astype(float)
    assert NeuralNetClassifier(**SMALL).fit(x, wrong, sample_weight=trusted).score(x, y) > 0.93


def test_partial_fit_goes_on():
    estimator = NeuralNetClassifier(**SMALL)
    for _ in range(25):
        estimator.partial_fit(*IRIS, classes=[0, 1, 2])
    assert estimator.score(*IRIS) > 0.9
    assert estimator.n_iter_ == 25
    with pytest.raises(ValueError, match="not among the classes"):
        estimator.partial_fit(IRIS[0][:2], [0, 7])


def test_regression_with_one_and_with_several_outputs():
    x, y = load_diabetes(return_X_y=True)
    y = (y - y.mean()) / y.std()
    x = x / x.std(axis=0)
    one = NeuralNetRegressor(**SMALL).fit(x, y)
    assert one.predict(x).shape == y.shape
    assert one.score(x, y) > 0.5
    two = NeuralNetRegressor(**SMALL, batch_norm=True).fit(x, np.column_stack([y, -y]))
    assert two.predict(x).shape == (len(y), 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "relux"}, "activation is one of relu, tanh"),
        ({"optimizer": "adm"}, "optimizer is one of adam"),
        ({"max_epochs": 0}, "1 or more"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(ValueError, match=message):
        NeuralNetClassifier(**options).fit(*IRIS)
    with pytest.raises(ValueError, match="y has one class"):
        NeuralNetClassifier().fit(IRIS[0], np.zeros(150))
    with pytest.raises(TypeError, match="makes the net, but got 3"):
        NeuralNetClassifier(module=3).fit(*IRIS)

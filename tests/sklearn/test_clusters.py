"""Searches on other processes and on clusters find what a search in one process finds, bit for bit."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import threading

import joblib
import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F
from tinygrad_edu.sklearn import NeuralNetClassifier
from tinygrad_edu.train import Choice, Integer, LogUniform, Trainer, tune

X, Y = load_iris(return_X_y=True)
STATES = {"COMPLETE", "PRUNED"}


@contextlib.contextmanager
def loky():
    try:
        yield lambda: joblib.parallel_config("loky", n_jobs=2)
    finally:
        joblib.externals.loky.get_reusable_executor().shutdown(wait=True)


@contextlib.contextmanager
def dask():
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        yield lambda: joblib.parallel_config("dask")


@contextlib.contextmanager
def ray():
    import ray
    from ray.util.joblib import register_ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        register_ray()
        try:
            yield lambda: joblib.parallel_config("ray", n_jobs=2)
        finally:
            ray.shutdown()


def where(context, *marks):
    missing = importlib.util.find_spec({"dask": "distributed"}.get(context.__name__, context.__name__)) is None
    skip = pytest.mark.skipif(missing and context is not loky, reason=f"{context.__name__} is not installed")
    return pytest.param(context, id=context.__name__, marks=[skip, *marks])


OTHERS = [pytest.mark.nightly, pytest.mark.filterwarnings("default")]  # what these packages warn of is theirs


@pytest.fixture(scope="module", params=[where(loky), where(dask, *OTHERS), where(ray, *OTHERS)])
def elsewhere(request):
    """Makes a block in which joblib runs things in two other processes."""
    with request.param() as block:
        yield block


def everything(search):
    """What a search found, without how long it took."""
    found = {key: value for key, value in search.cv_results_.items() if "time" not in key}
    return found, search.best_params_, search.best_estimator_.predict_proba(X)


def trials(study):
    return [
        (
            trial.number,
            trial.params,
            trial.value,
            trial.state.name,
            trial.intermediate_values,
            trial.user_attrs["named"],
        )
        for trial in study.trials
    ]


def test_searches_of_scikit_learn(elsewhere):
    net = make_pipeline(
        StandardScaler(),
        NeuralNetClassifier(
            hidden_layer_sizes=(8,), dropout=0.2, batch_norm=True, early_stopping=True, learning_rate=0.02,
            max_epochs=5, random_state=0,
        ),
    )  # fmt: skip
    name = "neuralnetclassifier__"
    searches = [
        lambda: GridSearchCV(net, {name + "hidden_layer_sizes": [(4,), (16,)], name + "activation": ["relu", "tanh"]}, cv=2),
        lambda: RandomizedSearchCV(net, {name + "learning_rate": np.geomspace(1e-4, 0.1, 50)}, n_iter=4, cv=2, random_state=1),
    ]  # fmt: skip
    alone = [everything(make().fit(X, Y)) for make in searches]
    with elsewhere():
        there = [everything(make().fit(X, Y)) for make in searches]
    for here, found in zip(alone, there, strict=True):
        np.testing.assert_equal(found, here)
        assert len(set(here[0]["mean_test_score"])) > 1


def test_tune(elsewhere):
    pytest.importorskip("optuna")

    def run(settings, follow):
        """Everything random is drawn from the stream that serves: weights, dropout, the order of batches."""
        model = nn.Sequential(
            nn.Linear(4, settings["width"]), nn.ReLU(), nn.Dropout(0.2), nn.Linear(settings["width"], 3)
        )
        optimizer = optim.Adam(model.parameters(), lr=settings["lr"])
        follow.trial.set_user_attr("named", f"run-{follow.trial.number}")
        follow.trial.set_user_attr("process", os.getpid())
        trainer = Trainer(model, optimizer, F.cross_entropy, callbacks=[follow])
        return trainer.fit((X[::2], Y[::2]), (X[1::2], Y[1::2]), epochs=4)["val_loss"][-1]

    any_width = {"lr": LogUniform(1e-4, 0.1), "width": Integer(2, 12)}
    few = {"lr": Choice([1e-3, 1e-2, 0.1]), "width": Integer(4, 5)}
    kinds = [
        {"space": any_width, "trials": 13, "sampler": "tpe", "pruner": "hyperband", "at_once": 4},
        {"space": any_width, "trials": 12, "sampler": "random", "pruner": "median", "at_once": 3},
        {"space": few, "trials": 99, "sampler": "grid", "at_once": 4},
    ]
    alone = [trials(tune(run, seed=3, **options)) for options in kinds]
    with elsewhere():
        studies = [tune(run, seed=3, **options) for options in kinds]
    there = [trials(study) for study in studies]
    np.testing.assert_equal(there, alone)
    assert all(found[-1] == f"run-{found[0]}" for study in there for found in study)
    processes = {trial.user_attrs["process"] for study in studies for trial in study.trials}
    assert os.getpid() not in processes
    assert len(processes) > 1
    assert {trial[3] for found in alone for trial in found} == STATES
    assert len({trial[2] for trial in alone[2]}) == 6
    one_by_one = trials(tune(run, seed=3, **{**kinds[2], "at_once": 1}))
    assert one_by_one == alone[2]


def test_a_run_that_cannot_be_sent_is_told(elsewhere, tmp_path):
    pytest.importorskip("optuna")
    lock = threading.Lock()
    storage = f"sqlite:///{tmp_path / 'study.db'}"

    def run(settings, follow):
        with lock:
            return 1.0

    options = {"space": {"x": Integer(1, 4)}, "sampler": "grid", "at_once": 2, "storage": storage}
    with elsewhere(), pytest.raises(TypeError, match=r"cannot be sent to other processes: .*lock.*inside of it"):
        tune(run, **options)
    assert not (tmp_path / "study.db").exists()
    with joblib.parallel_config("threading", n_jobs=2):
        study = tune(run, **options)
    assert sorted(trial.params["x"] for trial in study.trials) == [1, 2, 3, 4]
    assert len(tune(run, **{**options, "storage": None}).trials) == 4  # in this process


def test_an_error_of_a_run_comes_back_and_the_others_are_kept(elsewhere, tmp_path):
    optuna = pytest.importorskip("optuna")
    storage = f"sqlite:///{tmp_path / 'study.db'}"

    class Own(Exception):
        def __init__(self, one, two):
            super().__init__(one)

    def run(settings, follow):
        if settings["x"] == 2:
            raise ZeroDivisionError("by two")
        if settings["x"] == 3:
            raise Own("cannot be pickled", 3)
        return float(settings["x"])

    with elsewhere():
        with pytest.raises((ZeroDivisionError, RuntimeError)) as caught:
            tune(run, {"x": Integer(1, 4)}, sampler="grid", at_once=4, storage=storage)
        study = optuna.load_study(study_name="study", storage=storage)
        assert "in run" in caught.value.__notes__[0]
        assert sorted(trial.state.name for trial in study.trials) == ["COMPLETE"] * 2 + ["FAIL"] * 2
        study = tune(lambda s, f: float(s["x"]), {"x": Integer(1, 4)}, sampler="grid", at_once=4, storage=storage)
    assert sorted(trial.params["x"] for trial in study.trials if trial.state.name == "COMPLETE") == [1, 2, 3, 4]
    assert len(study.trials) == 6

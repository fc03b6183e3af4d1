"""The search for settings: what is drawn, what is given up, and that it goes on where it stopped."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.train import Choice, Integer, LogUniform, Trainer, Uniform, heartbeat, tune

optuna = pytest.importorskip("optuna")
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


def bowl(settings, follow):
    return (settings["x"] - 2) ** 2 + (np.log10(settings["rate"]) + 3) ** 2


SPACE = {"x": Uniform(-5, 5), "rate": LogUniform(1e-6, 1)}


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_seed_gives_the_same_search(sampler):
    one, two, other = (tune(bowl, SPACE, trials=15, sampler=sampler, seed=seed) for seed in (0, 0, 1))
    assert [trial.params for trial in one.trials] == [trial.params for trial in two.trials]
    assert one.best_params != other.best_params


def test_rates_are_drawn_by_their_order_of_magnitude():
    study = tune(bowl, SPACE, trials=200, sampler="random", seed=0)
    orders = np.log10([trial.params["rate"] for trial in study.trials])
    counts, _ = np.histogram(orders, bins=6, range=(-6, 0))
    assert counts.min() > 15
    assert len(study.trials) == 200


def test_a_near_search_beats_a_blind_one():
    near, blind = (tune(bowl, SPACE, trials=60, sampler=sampler, seed=0) for sampler in ("tpe", "random"))
    assert near.best_value < blind.best_value


def test_a_grid_takes_every_combination_once():
    space = {"depth": Integer(1, 3), "kind": Choice(["relu", "tanh"])}
    study = tune(lambda settings, follow: settings["depth"], space, trials=100, sampler="grid", mode="max")
    taken = {(trial.params["depth"], trial.params["kind"]) for trial in study.trials}
    assert len(study.trials) == len(taken) == 6
    assert study.best_params["depth"] == 3
    with pytest.raises(ValueError, match="x, rate take any number"):
        tune(bowl, SPACE, sampler="grid")


def test_it_goes_on_where_it_stopped(tmp_path):
    where = {"storage": f"sqlite:///{tmp_path / 'study.db'}", "name": "bowl", "sampler": "random"}
    first = tune(bowl, SPACE, trials=5, seed=0, **where)
    again = tune(bowl, SPACE, trials=8, seed=0, **where)
    assert first.trials[0].params in [trial.params for trial in again.trials]
    assert len(again.trials) == 8
    assert len({trial.params["x"] for trial in again.trials}) == 8
    assert len(tune(bowl, SPACE, trials=8, seed=0, **where).trials) == 8
    assert optuna.load_study(study_name="bowl", storage=where["storage"]).best_value == again.best_value


SEARCH = """
import sys, time
from pathlib import Path
from tinygrad_edu.train import Choice, Integer, Uniform, tune
storage, folder, own = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
for sampler, x in (("grid", Integer(1, 4)), ("random", Uniform(0, 1))):
    def run(settings, follow):
        follow.trial.set_user_attr("process", own)
        (folder / f"{sampler}-{own}").touch()
        while len(list(folder.glob(sampler + "-*"))) < 2:  # until the other process is at its first trial too
            time.sleep(0.01)
        time.sleep(0.02)
        return settings["x"] * 1.0
    space = {"x": x, "kind": Choice(["a", "b", "c"])}
    tune(run, space, sampler=sampler, trials=12, seed=0, storage=storage, name=sampler)
"""


def test_two_processes_share_a_search(tmp_path):
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    command = [sys.executable, "-W", "error", "-c", SEARCH, storage, tmp_path]
    both = [subprocess.Popen([*command, own], stderr=subprocess.PIPE) for own in "ab"]
    assert [(process.communicate(timeout=240)[1], process.returncode) for process in both] == [(b"", 0)] * 2
    for sampler, x in (("grid", Integer(1, 4)), ("random", Uniform(0, 1))):
        space = {"x": x, "kind": Choice(["a", "b", "c"])}
        alone = tune(lambda settings, follow: settings["x"], space, sampler=sampler, trials=12, seed=0)
        shared = optuna.load_study(study_name=sampler, storage=storage)
        done = [trial for trial in shared.trials if trial.state == optuna.trial.TrialState.COMPLETE]
        assert [(t.number, t.params, t.value) for t in done] == [(t.number, t.params, t.value) for t in alone.trials]
        assert {trial.user_attrs["process"] for trial in done} == {"a", "b"}


def test_what_was_interrupted_is_made_again(tmp_path):
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    grid = {"x": Integer(1, 5)}
    ran = []

    def interrupted(settings, follow):
        ran.append(settings["x"])
        if len(ran) == 3:
            raise KeyboardInterrupt
        return 0.0

    with pytest.raises(KeyboardInterrupt):
        tune(interrupted, grid, sampler="grid", storage=storage, seed=1)
    study = tune(lambda settings, follow: 1.0, grid, sampler="grid", storage=storage, seed=1)
    done = [trial.params["x"] for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
    assert sorted(done) == [1, 2, 3, 4, 5]
    assert done[:2] == ran[:2]


KILLED = """
import os, sys
from tinygrad_edu.train import Integer, tune
def run(settings, follow):
    if follow.trial.number == 2:
        os.kill(os.getpid(), 9)
    return 0.0
tune(run, {"x": Integer(1, 5)}, sampler="grid", seed=1, storage=sys.argv[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by a signal")
def test_a_trial_whose_process_was_killed_is_made_again_after_a_while(tmp_path, monkeypatch):
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    assert subprocess.run([sys.executable, "-c", KILLED, storage]).returncode == -signal.SIGKILL
    complete = optuna.trial.TrialState.COMPLETE

    def again():
        study = tune(lambda settings, follow: 1.0, {"x": Integer(1, 5)}, sampler="grid", seed=1, storage=storage)
        return sorted(trial.params["x"] for trial in study.trials if trial.state == complete)

    assert len(again()) == 4  # it may be running still
    monkeypatch.setattr(heartbeat, "LOST_SECONDS", 0.0)
    assert again() == [1, 2, 3, 4, 5]


def test_a_trial_that_runs_long_is_marked(monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.02)

    marks = []

    def long(settings, follow):
        seen, limit = set(), time.perf_counter() + 20
        while len(seen) < 3 and time.perf_counter() < limit:
            seen |= {follow.trial.user_attrs[name] for name in follow.trial.user_attrs.keys() & {"alive"}}
            time.sleep(0.001)
        marks.append(sorted(seen))
        return 0.0

    study = tune(long, {"x": Uniform(0, 1)}, trials=2)
    for trial, (first, _, last) in zip(study.trials, marks, strict=True):
        assert trial.datetime_start.timestamp() < first
        assert last <= trial.user_attrs["alive"] < trial.datetime_complete.timestamp()
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}


def test_trials_that_ran_on_copies_are_known_to_the_pruner_afterwards():
    def run(settings, follow):
        for epoch in range(1, 9):
            follow.trial.report(settings["x"], epoch)
            if follow.trial.should_prune():
                raise optuna.TrialPruned
        return settings["x"]

    study = tune(run, {"x": Uniform(0, 1)}, trials=24, at_once=4, pruner="hyperband", sampler="random", seed=0)
    assert sum("completed_rung_0" in trial.system_attrs for trial in study.trials) > 8
    assert {trial.state.name for trial in study.trials} == {"COMPLETE", "PRUNED"}


def test_what_a_trial_draws_follows_from_the_seed_and_its_number():
    def run(settings, follow):
        return float(tg.rand(1).item())

    one, two, other = (tune(run, {"x": Uniform(0, 1)}, trials=4, seed=seed) for seed in (5, 5, 6))
    values = [trial.value for trial in one.trials]
    assert [trial.value for trial in two.trials] == values
    assert len({*values, *(trial.value for trial in other.trials)}) == 8


def test_a_value_that_is_no_number_fails_and_the_search_goes_on():
    study = tune(lambda settings, follow: float("nan"), {"x": Uniform(0, 1)}, trials=3)
    assert [trial.state.name for trial in study.trials] == ["FAIL"] * 3


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_what_is_not_promising_is_given_up(pruner):
    x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]

    def run(settings, follow):
        tg.manual_seed(0)
        model = nn.Linear(1, 1)
        trainer = Trainer(
            model, optim.SGD(model.parameters(), lr=settings["lr"]), nn.MSELoss(), callbacks=[follow], seed=0
        )
        return trainer.fit((x, 3 * x), validation=(x, 3 * x), epochs=12)["val_loss"][-1]

    study = tune(run, {"lr": LogUniform(1e-5, 0.5)}, trials=14, pruner=pruner, sampler="random", seed=0)
    ends = [trial.state for trial in study.trials]
    assert optuna.trial.TrialState.PRUNED in ends
    assert optuna.trial.TrialState.COMPLETE in ends
    kept = [trial.params["lr"] for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
    assert study.best_params["lr"] in kept


def test_optunas_plots_take_the_study():
    study = tune(bowl, SPACE, trials=8, sampler="random", seed=0)
    axes = optuna.visualization.matplotlib.plot_optimization_history(study)
    assert axes.get_xlabel() == "Trial"
    assert len(study.trials_dataframe()) == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "best"}, "sampler is 'tpe', 'random' or 'grid'"),
        ({"pruner": "none"}, "pruner is 'hyperband', 'median' or None"),
        ({"mode": "least"}, "mode is 'min' or 'max'"),
    ],
)
def test_what_there_is_not_is_said(options, message):
    with pytest.raises(ValueError, match=message):
        tune(bowl, SPACE, **options)
    with pytest.raises(ValueError, match="a space without settings"):
        tune(bowl, {})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LogUniform(0, 1), "two numbers above 0, the lower one first, but got low=0 and high=1"),
        (lambda: Uniform(2, 1), "Uniform takes two numbers, the lower one first"),
        (lambda: Uniform(float("nan"), 1), "got low=nan"),
        (lambda: Uniform("0", 1), "got low='0'"),
        (lambda: Integer(1.5, 3), "Integer takes two whole numbers"),
        (lambda: Choice([]), "one at least"),
        (lambda: Choice("relu"), "a list of values"),
        (lambda: tune(bowl, SPACE, trials=0), "1 trial or more, but got trials=0"),
        (lambda: tune(bowl, SPACE, trials=2.5), "a whole number for trials, but got 2.5"),
        (lambda: tune(bowl, SPACE, at_once=0), "1 trial or more, but got at_once=0"),
        (lambda: tune(bowl, SPACE, seed=-1), "tune\\(\\)'s seed is a whole number from 0 up, but got -1"),
        (lambda: tune(bowl, SPACE, seed="1"), "from 0 up, but got str '1'"),
        (lambda: tune(bowl, SPACE, storage=Path("study.db")), r"but got PosixPath 'study.db'; write storage=f'sqlite"),
        (lambda: tune(bowl, SPACE, storage="study.db"), r"cannot open storage='study.db': .*; write storage='sqlite:"),
        (lambda: tune(bowl, SPACE, storage="sqlite:////no/such/study.db"), "unable to open .*a folder that exists"),
        (lambda: tune(bowl, SPACE, storage="nosuch://study"), "cannot open storage='nosuch://study'"),
        (lambda: tune(3, SPACE), r"a function run\(settings, follow\) that trains, but got 3"),
        (lambda: tune(bowl, [Uniform(0, 1)]), "takes a space such as"),
        (lambda: tune(bowl, {"lr": (1e-3, 1)}), r"'lr' is a Uniform, .* write \{'lr': Uniform\(low, high\)\}"),
        (lambda: tune(lambda settings, follow: None, SPACE, trials=1), "returns the value to compare, but got None"),
    ],
)
def test_what_cannot_be_searched_is_said(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_without_joblib_it_says_what_to_type(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"several trials by joblib: pip install joblib"):
        tune(bowl, SPACE, trials=2, at_once=2)


def test_a_storage_that_holds_another_search_is_said_and_left(tmp_path):
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    tune(bowl, SPACE, trials=1, storage=storage)
    with pytest.raises(ValueError, match=r"looks for the smallest value, but got mode='max'; give .* another name="):
        tune(bowl, SPACE, trials=2, storage=storage, mode="max")
    assert len(tune(bowl, SPACE, trials=1, storage=storage).trials) == 1
    other = {"x": Choice([1, 2]), "rate": Choice([0.1])}
    with pytest.raises(ValueError, match="'study' in the storage was searched in another space"):
        tune(bowl, other, trials=2, storage=storage)
    text = tmp_path / "text.db"
    text.write_text("no database, but a text that is long enough to be looked into, it may be a hundred bytes " * 9)
    before = text.read_bytes()
    with pytest.raises(ValueError, match="file is not a database"):
        tune(bowl, SPACE, trials=1, storage=f"sqlite:///{text}")
    assert text.read_bytes() == before


def test_settings_that_cannot_be_drawn_leave_no_trial_behind(tmp_path):
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    with pytest.raises(TypeError, match="'lr' is a Uniform"):
        tune(bowl, {"lr": (1e-3, 1)}, storage=storage)
    assert not (tmp_path / "study.db").exists()

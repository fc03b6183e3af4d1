"""Search for settings by Optuna: many trainings, each with settings that are drawn from a space.

    def run(settings, follow):
        model = net(settings["width"])
        trainer = Trainer(model, optim.Adam(model.parameters(), lr=settings["lr"]), loss, callbacks=[follow])
        return trainer.fit(train, validation, epochs=20)["val_loss"][-1]

    study = tune(run, {"lr": LogUniform(1e-5, 1e-1), "width": Choice([50, 100])}, trials=50, seed=0)
    study.best_params, study.best_value

The study is Optuna's own: `study.trials_dataframe()`,
`optuna.visualization.matplotlib.plot_optimization_history(study)`.

In several processes, or on several machines, trials run where joblib is told to run things, `at_once` of them at a time:

    with joblib.parallel_config("loky", n_jobs=4):                      # processes of this machine
        tune(run, space, at_once=4, seed=0)
    with distributed.Client(address), joblib.parallel_config("dask"):   # a cluster of Dask
        tune(run, space, at_once=16, seed=0)
    ray.util.joblib.register_ray()
    with joblib.parallel_config("ray", n_jobs=16):                      # a cluster of Ray
        tune(run, space, at_once=16, seed=0)

Source: Bergstra and Bengio, *Random search for hyper-parameter optimization*, JMLR 13 (2012); Akiba et al., *Optuna*
(2019).
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, Literal

from tinygrad_edu.creation import count
from tinygrad_edu.train.given import whole
from tinygrad_edu.train.space import Space, check_space, combinations
from tinygrad_edu.train.trials import Grid, Numbered, Run, check_sent, quiet, search

if TYPE_CHECKING:
    import optuna


def tune(
    run: Run,
    space: Space,
    *,
    trials: int = 50,
    at_once: int = 1,
    sampler: Literal["tpe", "random", "grid"] = "tpe",
    pruner: Literal["hyperband", "median"] | None = None,
    monitor: str = "val_loss",
    mode: Literal["min", "max"] = "min",
    seed: int | None = None,
    storage: str | None = None,
    name: str = "study",
) -> optuna.Study:
    """Search the space for the settings with the best value of `run`, and return Optuna's study.

    run: a function run(settings, follow) that trains with a dictionary of settings, and returns the value. If a pruner
        is to end trainings early, put `follow` into the trainer's callbacks.
    space: the settings by name, each a `Uniform`, `LogUniform`, `Integer` or `Choice`.
    trials: how many trainings there are to be in all; those that a storage has already, or that other processes run on
        the same storage, count. Those that failed or were interrupted are made again.
    at_once: how many trials are drawn before the first of them ends. They run in the processes, or on the machines, that
        `joblib.parallel_config` names, by itself one after the other; results are the same wherever they run, bit for bit
        where BLAS has as many threads. "tpe" and pruners learn only from trials that had ended when a trial was drawn.
        Needs joblib.
    sampler: "random"; "tpe", which draws near what was good; "grid", every combination of choices and integers, once.
    pruner: "median" gives up what is worse than half of the others were at that epoch, "hyperband" starts many and lets
    few go on; None lets all end.
    monitor: the column of the history that the pruner compares.
    mode: "min" or "max", whether the smallest or the largest value is the best.
    seed: a number from which follow the settings of each trial and, where `run` gives no seeds or generators of its
        own, what it draws; both follow from the trial's number too, not from the process in which it runs.
    storage: where trials are kept, such as "sqlite:///study.db"; called again with the same name, the search goes on
        from there. Several processes may search on one storage at the same time. A trial whose process was killed is made
        again by a call that comes a minute later.
    name: the name of the study in the storage.

    Raises ValueError for a space without settings, for no trial, for a grid over numbers that are not choices, for a
    sampler or pruner that does not exist, and for a storage that cannot be opened or holds another search; TypeError for a
    run that cannot be called or does not return a number, and for settings of another type; ImportError without Optuna.
    An error that `run` raises ends the search, when the trials that ran beside it have ended.

    >>> from tinygrad_edu.train import Uniform
    >>> study = tune(lambda settings, follow: (settings["x"] - 2) ** 2, {"x": Uniform(-5, 5)}, trials=40, seed=0)
    >>> abs(study.best_params["x"] - 2) < 1
    True
    """
    try:
        import optuna
    except ImportError as error:
        raise ImportError("tune() searches with Optuna: pip install optuna") from error
    if not callable(run):
        raise TypeError(f"tune() takes a function run(settings, follow) that trains, but got {run!r:.60}")
    check_space(space)
    for given, what in ((trials, "trials"), (at_once, "at_once")):
        if count(given, "tune", what) < 1:
            raise ValueError(f"tune() makes 1 trial or more, but got {what}={given}")
    if at_once > 1 and importlib.util.find_spec("joblib") is None:
        raise ImportError("tune(at_once=…) runs several trials by joblib: pip install joblib")
    if at_once > 1:
        check_sent(run)
    if mode not in ("min", "max"):
        raise ValueError(f"mode is 'min' or 'max', but got {mode!r}")
    seed = None if seed is None else whole("tune()'s seed", seed)
    gives_up, draws = _pruner(optuna, pruner), _sampler(optuna, sampler, space, seed)
    wanted = min(trials, len(draws.combinations)) if isinstance(draws, Grid) else trials
    with quiet():
        study = _study(optuna, storage, name, mode, gives_up)
        study.sampler = draws
        search(study, run, space, wanted, at_once, monitor, seed)
    return study


def _study(optuna: Any, storage: Any, name: str, mode: str, pruner: Any) -> Any:
    """Make the study, or open the one of that name. Raises ValueError for a storage that cannot be opened."""
    direction = "minimize" if mode == "min" else "maximize"
    if storage is None:
        return optuna.create_study(study_name=name, direction=direction, pruner=pruner)
    if not isinstance(storage, str | optuna.storages.BaseStorage):
        raise TypeError(
            f"tune() takes storage='sqlite:///study.db', the URL of a database, but got {type(storage).__name__} "
            f"{str(storage)!r:.60}; write storage=f'sqlite:///{{path}}'"
        )
    study = None
    for last in (
        False,
        True,
    ):  # two processes that make the database at once disturb each other; the second time it is there
        try:
            study = optuna.create_study(
                storage=storage, study_name=name, load_if_exists=True, direction=direction, pruner=pruner
            )
            break
        except Exception as error:  # of SQLAlchemy, of its drivers, or of Optuna
            if last:
                raise ValueError(
                    f"tune() cannot open storage={storage!r}: {str(error).splitlines()[0]}; write "
                    "storage='sqlite:///study.db', a file in a folder that exists"
                ) from error
    assert study is not None
    if study.direction.name.lower() != direction:
        found = "largest" if mode == "min" else "smallest"
        raise ValueError(
            f"the study {name!r} in the storage looks for the {found} value, but got mode={mode!r}; "
            "give this search another name="
        )
    return study


def _pruner(optuna: Any, pruner: str | None) -> Any:
    pruners = {
        None: optuna.pruners.NopPruner,
        "hyperband": optuna.pruners.HyperbandPruner,
        "median": optuna.pruners.MedianPruner,
    }
    if pruner not in pruners:
        raise ValueError(f"pruner is 'hyperband', 'median' or None, but got {pruner!r}")
    return pruners[pruner]()


def _sampler(optuna: Any, sampler: str, space: Space, seed: int | None) -> Any:
    if sampler == "grid":
        return Grid(combinations(space), seed)
    if sampler == "random":
        return Numbered(lambda seed: optuna.samplers.RandomSampler(seed=seed), seed)
    if sampler == "tpe":
        return Numbered(lambda seed: optuna.samplers.TPESampler(seed=seed), seed)
    raise ValueError(f"sampler is 'tpe', 'random' or 'grid', but got {sampler!r}")

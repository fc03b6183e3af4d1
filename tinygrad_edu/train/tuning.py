"""Search for settings: many trainings, each with settings drawn from a space, by Optuna.

    def run(settings, follow):
        model = net(settings["width"])
        trainer = Trainer(model, optim.Adam(model.parameters(), lr=settings["lr"]), loss, callbacks=[follow])
        return trainer.fit(train, validation, epochs=20)["val_loss"][-1]

    study = tune(run, {"lr": LogUniform(1e-5, 1e-1), "width": Choice([50, 100])}, trials=50, seed=0)
    study.best_params, study.best_value

The study is Optuna's own: `study.trials_dataframe()`, `optuna.visualization.matplotlib.plot_optimization_history(study)`.

Source: Bergstra and Bengio, *Random search for hyper-parameter optimization*, JMLR 13 (2012); Akiba et al., *Optuna* (2019).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tinygrad_edu.train.callbacks.callback import Callback, measured

if TYPE_CHECKING:
    import optuna

    from tinygrad_edu.train.trainer import Trainer

Settings = dict[str, Any]


@dataclass(frozen=True)
class Uniform:
    """Any number from low to high, each alike."""

    low: float
    high: float

    def draw(self, trial: optuna.Trial, name: str) -> float:
        """The trial's number."""
        return trial.suggest_float(name, self.low, self.high)


@dataclass(frozen=True)
class LogUniform:
    """Any number from low to high, each order of magnitude alike: for rates, of which 0.01 is as far from 0.001 as from 0.1."""

    low: float
    high: float

    def draw(self, trial: optuna.Trial, name: str) -> float:
        """The trial's number."""
        return trial.suggest_float(name, self.low, self.high, log=True)


@dataclass(frozen=True)
class Integer:
    """Any whole number from low to high, both included."""

    low: int
    high: int

    def draw(self, trial: optuna.Trial, name: str) -> int:
        """The trial's number."""
        return trial.suggest_int(name, self.low, self.high)


@dataclass(frozen=True)
class Choice:
    """One of several values: numbers, words, truths, None."""

    values: Sequence[Any]

    def draw(self, trial: optuna.Trial, name: str) -> Any:
        """The trial's value."""
        return trial.suggest_categorical(name, list(self.values))


Space = Mapping[str, Uniform | LogUniform | Integer | Choice]


class Follow(Callback):
    """Tell a trial what each epoch came to, and end a training that is not promising.

    monitor: a column of the history. trial: Optuna's.
    """

    def __init__(self, trial: optuna.Trial, monitor: str = "val_loss") -> None:
        self.trial, self.monitor = trial, monitor

    def on_epoch_end(self, trainer: Trainer, logs: Mapping[str, Any]) -> None:
        """Report the epoch. Raises optuna.TrialPruned if the pruner gives the trial up."""
        import optuna

        self.trial.report(measured(logs, self.monitor, "Follow"), trainer.epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned(f"given up after {trainer.epoch} epochs")


def tune(
    run: Callable[[Settings, Follow], float],
    space: Space,
    *,
    trials: int = 50,
    sampler: Literal["tpe", "random", "grid"] = "tpe",
    pruner: Literal["hyperband", "median"] | None = None,
    monitor: str = "val_loss",
    mode: Literal["min", "max"] = "min",
    seed: int | None = None,
    storage: str | None = None,
    name: str = "study",
) -> optuna.Study:
    """Search the space for the settings with the best value of `run`, and return Optuna's study.

    run: called as run(settings, follow) with a dictionary of settings, trains and returns the value. `follow` goes into the
        trainer's callbacks, if a pruner is to end trainings early.
    space: what is drawn, by name: `Uniform`, `LogUniform`, `Integer`, `Choice`.
    trials: how many there are to be in all; those that a storage has already count.
    sampler: "random"; "tpe", which draws near what was good; "grid", every combination of choices and integers, once.
    pruner: "median" gives up what is worse than half of the others were at the epoch, "hyperband" starts many and lets
        few go on; None lets all end. monitor: the column of the history that it compares.
    mode: whether the smallest or the largest value is the best.
    seed: what the draws follow from. storage: where trials are kept, "sqlite:///study.db"; called again with the same
        name, the search goes on from there.

    Raises ValueError for a space without settings, for a grid over numbers that are not choices, and for a sampler or
    pruner that there is not; ImportError without Optuna.

    >>> study = tune(lambda settings, follow: (settings["x"] - 2) ** 2, {"x": Uniform(-5, 5)}, trials=40, seed=0)
    >>> abs(study.best_params["x"] - 2) < 1
    True
    """
    try:
        import optuna
    except ImportError as error:
        raise ImportError("tune() searches with Optuna: pip install optuna") from error
    if not space:
        raise ValueError("tune() got a space without settings; write {'lr': LogUniform(1e-5, 1e-1)}")
    gives_up = _pruner(optuna, pruner)
    if mode not in ("min", "max"):
        raise ValueError(f"mode is 'min' or 'max', but got {mode!r}")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # a line for each of a hundred trials is no news
    try:
        study = optuna.create_study(
            storage=storage, study_name=name, load_if_exists=storage is not None,
            direction="minimize" if mode == "min" else "maximize", pruner=gives_up,
        )  # fmt: skip
        done = len([trial for trial in study.trials if trial.state.is_finished()])
        study.sampler = _sampler(optuna, sampler, space, None if seed is None else seed + done)
        wanted = min(trials, _combinations(space)) if sampler == "grid" else trials

        def objective(trial: optuna.Trial) -> float:
            settings = {key: part.draw(trial, key) for key, part in space.items()}
            return float(run(settings, Follow(trial, monitor)))

        if wanted > done:
            study.optimize(objective, n_trials=wanted - done)
    finally:
        optuna.logging.set_verbosity(before)
    return study


def _values(part: Any) -> list[Any] | None:
    """All values of a part of the space, if they can be counted."""
    if isinstance(part, Choice):
        return list(part.values)
    return list(range(part.low, part.high + 1)) if isinstance(part, Integer) else None


def _combinations(space: Space) -> int:
    count = 1
    for part in space.values():
        count *= len(_values(part) or ())
    return count


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
        values = {name: _values(part) for name, part in space.items()}
        uncounted = [name for name, found in values.items() if found is None]
        if uncounted:
            raise ValueError(
                f"a grid takes choices and integers, but {', '.join(uncounted)} take any number; write Choice([…])"
            )
        return optuna.samplers.GridSampler(values, seed=seed)
    if sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if sampler == "tpe":
        return optuna.samplers.TPESampler(seed=seed)
    raise ValueError(f"sampler is 'tpe', 'random' or 'grid', but got {sampler!r}")

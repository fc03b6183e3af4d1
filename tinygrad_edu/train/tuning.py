"""Search for settings by Optuna: many trainings, each with settings that are drawn from a space.

    def run(settings, follow):
        model = net(settings["width"])
        trainer = Trainer(model, optim.Adam(model.parameters(), lr=settings["lr"]), loss, callbacks=[follow])
        return trainer.fit(train, validation, epochs=20)["val_loss"][-1]

    study = tune(run, {"lr": LogUniform(1e-5, 1e-1), "width": Choice([50, 100])}, trials=50, seed=0)
    study.best_params, study.best_value

The study is Optuna's own: `study.trials_dataframe()`,
`optuna.visualization.matplotlib.plot_optimization_history(study)`.

Source: Bergstra and Bengio, *Random search for hyper-parameter optimization*, JMLR 13 (2012); Akiba et al., *Optuna*
(2019).
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tinygrad_edu.creation import count
from tinygrad_edu.train.callbacks.callback import Callback, measured

if TYPE_CHECKING:
    import optuna

    from tinygrad_edu.train.trainer import Trainer

Settings = dict[str, Any]


def _check_bounds(part: Uniform | LogUniform | Integer, kind: Any, what: str) -> None:
    """Raise ValueError unless both bounds are finite, of this kind, and the lower one is not above the other."""
    low, high = part.low, part.high
    right = all(isinstance(bound, kind) and math.isfinite(bound) for bound in (low, high))
    if not right or low > high or (isinstance(part, LogUniform) and low <= 0):
        raise ValueError(
            f"{type(part).__name__} takes {what}, the lower one first, but got low={low!r} and high={high!r}"
        )


@dataclass(frozen=True)
class Uniform:
    """A setting that can be any number between two bounds; all are equally likely.

    low, high: the bounds.

    Raises ValueError unless these are two numbers, the lower one first.

    >>> Uniform(0.0, 0.5)
    Uniform(low=0.0, high=0.5)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self, numbers.Real, "two numbers")

    def draw(self, trial: optuna.Trial, name: str) -> float:
        """Draw a number for the trial."""
        return trial.suggest_float(name, self.low, self.high)


@dataclass(frozen=True)
class LogUniform:
    """A setting that can be any number between two bounds, where each order of magnitude is equally likely.

    It is for learning rates and the like, of which 0.01 is as far from 0.001 as from 0.1.

    low, high: the bounds, above 0.

    Raises ValueError unless these are two numbers above 0, the lower one first.

    >>> LogUniform(1e-5, 1e-1)
    LogUniform(low=1e-05, high=0.1)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self, numbers.Real, "two numbers above 0")

    def draw(self, trial: optuna.Trial, name: str) -> float:
        """Draw a number for the trial."""
        return trial.suggest_float(name, self.low, self.high, log=True)


@dataclass(frozen=True)
class Integer:
    """A setting that can be any whole number between two bounds; all are equally likely.

    low, high: the bounds, which are included.

    Raises ValueError unless these are two whole numbers, the lower one first.

    >>> Integer(1, 4)
    Integer(low=1, high=4)
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        _check_bounds(self, numbers.Integral, "two whole numbers")

    def draw(self, trial: optuna.Trial, name: str) -> int:
        """Draw a number for the trial."""
        return trial.suggest_int(name, self.low, self.high)


@dataclass(frozen=True)
class Choice:
    """A setting that can be one of several values.

    values: numbers, words, truths or None.

    Raises ValueError for anything but a list of them, one at least.

    >>> Choice(["relu", "tanh"])
    Choice(values=['relu', 'tanh'])
    """

    values: Sequence[Any]

    def __post_init__(self) -> None:
        if isinstance(self.values, str) or not isinstance(self.values, Sequence) or not self.values:
            raise ValueError(f"Choice takes a list of values, one at least, but got {self.values!r}")

    def draw(self, trial: optuna.Trial, name: str) -> Any:
        """Draw a value for the trial."""
        return trial.suggest_categorical(name, list(self.values))


Space = Mapping[str, Uniform | LogUniform | Integer | Choice]


class Follow(Callback):
    """Reports each epoch to a trial, and ends a training that is not promising.

    trial: Optuna's trial.
    monitor: the column of the history that is reported.
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

    run: a function run(settings, follow) that trains with a dictionary of settings, and returns the value. If a pruner
        is to end trainings early, put `follow` into the trainer's callbacks.
    space: the settings by name, each a `Uniform`, `LogUniform`, `Integer` or `Choice`.
    trials: how many trainings there are to be in all; those that a storage has already count.
    sampler: "random"; "tpe", which draws near what was good; "grid", every combination of choices and integers, once.
    pruner: "median" gives up what is worse than half of the others were at that epoch, "hyperband" starts many and lets
    few go on; None lets all end.
    monitor: the column of the history that the pruner compares.
    mode: "min" or "max", whether the smallest or the largest value is the best.
    seed: a number from which the draws follow.
    storage: where trials are kept, such as "sqlite:///study.db"; called again with the same name, the search goes on
        from there.
    name: the name of the study in the storage.

    Raises ValueError for a space without settings, for no trial, for a grid over numbers that are not choices, and for a
    sampler or pruner that does not exist; TypeError for a run that cannot be called or does not return a number, and for
    settings of another type; ImportError without Optuna.

    >>> study = tune(lambda settings, follow: (settings["x"] - 2) ** 2, {"x": Uniform(-5, 5)}, trials=40, seed=0)
    >>> abs(study.best_params["x"] - 2) < 1
    True
    """
    try:
        import optuna
    except ImportError as error:
        raise ImportError("tune() searches with Optuna: pip install optuna") from error
    _check(run, space)
    if count(trials, "tune", "trials") < 1:
        raise ValueError(f"tune() makes 1 trial or more, but got trials={trials}")
    gives_up = _pruner(optuna, pruner)
    if mode not in ("min", "max"):
        raise ValueError(f"mode is 'min' or 'max', but got {mode!r}")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # Optuna would print a line for each trial
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
            value = run(settings, Follow(trial, monitor))
            try:
                return float(value)
            except (TypeError, ValueError):
                raise TypeError(f"run(settings, follow) returns the value to compare, but got {value!r:.60}") from None

        if wanted > done:
            study.optimize(objective, n_trials=wanted - done)
    finally:
        optuna.logging.set_verbosity(before)
    return study


def _check(run: Any, space: Any) -> None:
    """Raise TypeError or ValueError for what cannot be searched, before a study is made."""
    if not callable(run):
        raise TypeError(f"tune() takes a function run(settings, follow) that trains, but got {run!r:.60}")
    if not isinstance(space, Mapping):
        raise TypeError(f"tune() takes a space such as {{'lr': LogUniform(1e-5, 1e-1)}}, but got {space!r:.60}")
    if not space:
        raise ValueError("tune() got a space without settings; write {'lr': LogUniform(1e-5, 1e-1)}")
    for name, part in space.items():
        if not isinstance(part, Uniform | LogUniform | Integer | Choice):
            raise TypeError(
                f"the setting {name!r} is a Uniform, LogUniform, Integer or Choice, but got {part!r:.60}; "
                f"write {{{name!r}: Uniform(low, high)}}"
            )


def _values(part: Any) -> list[Any] | None:
    """All values of a setting, or None where they cannot be counted."""
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

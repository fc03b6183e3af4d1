"""The trials of a search: what each draws, how it runs here or in another process, and what it leaves in the study.

What a trial draws follows from the seed of the search and the trial's number, which the storage gives out once. So it
does not matter in which process, or beside how many others, a trial is drawn and run.
"""

from __future__ import annotations

import math
import pickle
import traceback
from collections.abc import Callable, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.train.callbacks.callback import Callback, measured
from tinygrad_edu.train.heartbeat import Heartbeat, is_lost
from tinygrad_edu.train.space import Settings, Space

if TYPE_CHECKING:
    from collections.abc import Iterator

    import optuna

    from tinygrad_edu.train.trainer import Trainer


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


Run = Callable[[Settings, Follow], float]


def seed_of_trial(seed: int, number: int) -> np.random.SeedSequence:
    """The seed of a trial, which follows from the search's seed and the trial's number."""
    return np.random.SeedSequence(seed, spawn_key=(number,))


# -- what is drawn ------------------------------------------------------------------------------------


class Numbered:
    """A sampler that draws each trial by a new sampler, whose seed follows from that of the search and from the number.

    It has the methods of `optuna.samplers.BaseSampler`, but does not need Optuna to be declared.

    make: makes a sampler of Optuna's from a seed.
    seed: the seed of the search, or None for draws that nothing repeats.
    """

    def __init__(self, make: Callable[[int | None], Any], seed: int | None) -> None:
        self.make, self.seed = make, seed
        self.inner = make(seed)

    def before_trial(self, study: optuna.Study, trial: Any) -> None:
        """Make the sampler of this trial."""
        seed = None if self.seed is None else int(seed_of_trial(self.seed, trial.number).generate_state(1)[0])
        self.inner = self.make(seed)
        self.inner.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: Any) -> Any:
        """Say which settings, by name, the sampler of this trial draws from their joint distribution."""
        return self.inner.infer_relative_search_space(study, trial)

    def sample_relative(self, study: optuna.Study, trial: Any, search_space: Any) -> Any:
        """Draw the settings of `search_space` together: their values by name, the same for the same seed and trial."""
        return self.inner.sample_relative(study, trial, search_space)

    def sample_independent(self, study: optuna.Study, trial: Any, name: str, distribution: Any) -> Any:
        """Draw the value of one setting that is not in the joint search space; the same for the same seed and trial."""
        return self.inner.sample_independent(study, trial, name, distribution)

    def after_trial(self, study: optuna.Study, trial: Any, state: Any, values: Any) -> None:
        """Nothing: the next trial has a sampler of its own."""

    def reseed_rng(self) -> None:
        """Nothing: all follows from the numbers of trials."""


class Grid:
    """A sampler, as `Numbered` is one, that gives the trial of number n the n-th combination, in an order by the seed.

    combinations: all that there are. Those whose trials failed, or were interrupted, are given to later numbers.
    """

    def __init__(self, combinations: list[Settings], seed: int | None) -> None:
        order = np.random.default_rng(seed or 0).permutation(len(combinations))
        self.combinations = [combinations[place] for place in order]
        self.given: Settings = {}

    def before_trial(self, study: optuna.Study, trial: Any) -> None:
        """Take the combination of this trial."""
        after = trial.number - len(self.combinations)
        left = self.combinations
        if after >= 0:
            taken = [other.params for other in counted(study) if other.number != trial.number]
            left = [combination for combination in left if combination not in taken] or left
        self.given = left[max(after, 0) % len(left)] if after >= 0 else left[trial.number]

    def infer_relative_search_space(self, study: optuna.Study, trial: Any) -> dict[str, Any]:
        """Say that no settings are drawn together: each is asked for alone."""
        return {}

    def sample_relative(self, study: optuna.Study, trial: Any, search_space: Any) -> dict[str, Any]:
        """Draw nothing together with others."""
        return {}

    def sample_independent(self, study: optuna.Study, trial: Any, name: str, distribution: Any) -> Any:
        """Give a setting of this trial's combination."""
        return self.given[name]

    def after_trial(self, study: optuna.Study, trial: Any, state: Any, values: Any) -> None:
        """Do nothing: which combination comes next does not depend on results."""

    def reseed_rng(self) -> None:
        """Do nothing: nothing is drawn at random."""


# -- how one trial runs -------------------------------------------------------------------------------


@dataclass(frozen=True)
class End:
    """How a trial ended: with a value, given up by the pruner, or with an error.

    reports: what it reported, by epoch; notes: its user attributes. Both only from a trial that ran on a copy.
    """

    value: float | None = None
    given_up: bool = False
    error: Exception | None = None
    reports: Mapping[int, float] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


def attempt(run: Run, settings: Settings, trial: optuna.Trial, monitor: str, seed: int | None) -> End:
    """Run one trial. With a seed, what it draws where no generator is given follows from the seed and its number."""
    import optuna

    draws = nullcontext() if seed is None else random.using(np.random.default_rng(seed_of_trial(seed, trial.number)))
    try:
        with draws:
            value = run(dict(settings), Follow(trial, monitor))
        try:
            return End(value=float(value))
        except (TypeError, ValueError):
            raise TypeError(f"run(settings, follow) returns the value to compare, but got {value!r:.60}") from None
    except optuna.TrialPruned:
        return End(given_up=True)
    except Exception as error:
        return End(error=error)


@dataclass(frozen=True)
class Sent:
    """What another process needs of a study to run a trial on a copy of it.

    The copy holds the trials up to this one as they were when it was drawn, so what the pruner gives up does not depend
    on which of the trials that run beside it are faster. Without a pruner, empty trials stand for them, for its number.
    """

    name: str
    direction: Any
    pruner: Any
    earlier: list[Any]
    space: Space

    def attempt(self, run: Run, settings: Settings, monitor: str, seed: int | None) -> End:
        """Run the trial, and return what the study is to be told."""
        import optuna

        with quiet():
            study = optuna.create_study(
                study_name=self.name, direction=self.direction, pruner=self.pruner,
                sampler=optuna.samplers.RandomSampler(seed=0),
            )  # fmt: skip
            study.add_trials(self.earlier)
            study.enqueue_trial(settings)
            trial = study.ask()
            for name, part in self.space.items():
                part.draw(trial, name)
            end = attempt(run, settings, trial, monitor, seed)
        left = study.trials[-1]
        end = replace(end, reports=left.intermediate_values, notes=left.user_attrs)
        return end if end.error is None else replace(end, error=_portable(end.error, trial.number))


def _portable(error: Exception, number: int) -> Exception:
    """The error as it can be sent to another process, with a note of where it was raised."""
    raised = "".join(traceback.format_exception(error))
    try:
        error = pickle.loads(pickle.dumps(error))
    except Exception:  # whatever its own class does: it has arguments that pickle does not know, or is not found
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(f"Trial {number} raised it:\n{raised}")
    return error


@contextmanager
def quiet() -> Iterator[None]:
    """Inside the block, Optuna prints warnings only, not a line for each trial."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


# -- the search ---------------------------------------------------------------------------------------


def counted(study: optuna.Study) -> list[Any]:
    """The trials that ended, were given up, or run, here or elsewhere; not those that failed, were interrupted or lost."""
    import optuna

    states = optuna.trial.TrialState
    trials = study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED, states.RUNNING))
    return [trial for trial in trials if trial.state != states.RUNNING or not is_lost(trial)]


def search(
    study: optuna.Study, run: Run, space: Space, wanted: int, at_once: int, monitor: str, seed: int | None
) -> None:
    """Run trials, `at_once` of them at a time, until the study has as many as are wanted."""
    import optuna

    failed = optuna.trial.TrialState.FAIL
    left = wanted - len(counted(study))
    with Heartbeat() as heart, _pool(at_once) as pool:
        while left > 0:
            drawn: list[tuple[optuna.Trial, Settings]] = []
            try:
                for _ in range(min(at_once, left)):
                    trial = study.ask()
                    drawn.append((trial, {}))
                    if sum(other.number < trial.number for other in counted(study)) >= wanted:
                        return  # other processes drew the last ones at the same moment
                    drawn[-1] = trial, _settings(study, trial, space)
                    heart.trials.append(trial)
                if pool is None:
                    ends = [attempt(run, drawn[0][1], trial, monitor, seed)]
                else:
                    ends = list(pool(_jobs(study, run, space, drawn, monitor, seed)))
                errors = [
                    end.error for (trial, _), end in zip(drawn, ends, strict=True) if not _tell(study, trial, end)
                ]
            finally:
                heart.trials.clear()
                for trial, _ in drawn:
                    study.tell(trial, state=failed, skip_if_finished=True)
            for error in errors:
                if error is not None:
                    raise error
            left = min(left - len(drawn), wanted - len(counted(study)))


def check_sent(run: Run) -> None:
    """Raise TypeError if the trials are to run in other processes, and `run` cannot be sent to them."""
    import joblib

    backend, _ = joblib.parallel.get_active_backend()
    if joblib.effective_n_jobs(None) == 1 or getattr(backend, "uses_threads", False):
        return
    try:
        pickle.dumps(joblib.wrap_non_picklable_objects(run))  # by cloudpickle, as joblib sends functions
    except Exception as error:  # whatever the objects that it uses raise
        raise TypeError(
            f"run(settings, follow) cannot be sent to other processes: {error}; make what it uses (open files, locks, "
            "generators) inside of it, or choose threads, joblib.parallel_config('threading')"
        ) from error


@contextmanager
def _pool(at_once: int) -> Iterator[Any]:
    """What runs the trials of all batches: the processes that `joblib.parallel_config` names, or None for this one."""
    if at_once == 1:
        yield None
        return
    import joblib

    with joblib.Parallel() as pool:
        yield pool


def _settings(study: optuna.Study, trial: optuna.Trial, space: Space) -> Settings:
    try:
        return {name: part.draw(trial, name) for name, part in space.items()}
    except ValueError as error:
        raise ValueError(
            f"the study {study.study_name!r} in the storage was searched in another space ({error}); "
            "give this search another name="
        ) from error


def _jobs(
    study: optuna.Study,
    run: Run,
    space: Space,
    drawn: list[tuple[optuna.Trial, Settings]],
    monitor: str,
    seed: int | None,
) -> Iterator[Any]:
    """The trials of a batch, each as a call that joblib can send to another process."""
    import joblib
    import optuna

    compares = not isinstance(study.pruner, optuna.pruners.NopPruner)
    trials = study.get_trials(deepcopy=False) if compares else []
    empty = optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL)
    for trial, settings in drawn:
        earlier = [other for other in trials if other.number < trial.number] or [empty] * trial.number
        sent = Sent(study.study_name, study.direction, study.pruner, earlier, space)
        yield joblib.delayed(sent.attempt)(run, settings, monitor, seed)


def _tell(study: optuna.Study, trial: optuna.Trial, end: End) -> bool:
    """Tell the study how a trial ended; False if by an error."""
    import optuna

    states = optuna.trial.TrialState
    for epoch, value in end.reports.items():
        trial.report(value, epoch)
        trial.should_prune()  # for what the pruner keeps beside it
    for name, value in end.notes.items():
        trial.set_user_attr(name, value)
    if end.given_up:
        study.tell(trial, state=states.PRUNED)
    elif end.value is None or math.isnan(end.value):
        study.tell(trial, state=states.FAIL)
    else:
        study.tell(trial, end.value)
    return end.error is None

"""The position of a training: what its checkpoints hold beside the states of model and optimizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tinygrad_edu.train.callbacks.callback import Callback
from tinygrad_edu.train.generators import generators, put, states
from tinygrad_edu.train.metrics import Metric

if TYPE_CHECKING:
    from tinygrad_edu.train.trainer import Trainer


class Sum:
    """Adds up the losses of the batches of an epoch, each times its number of rows."""

    def __init__(self) -> None:
        self.total, self.rows, self.seconds = 0.0, 0, 0.0

    def add(self, loss: float, rows: int) -> None:
        """Count a batch of so many rows, whose mean loss this is."""
        self.total += loss * rows
        self.rows += rows

    def over(self, metrics: Mapping[str, Metric]) -> dict[str, Any]:
        """The mean loss, and the values of the metrics."""
        return {"loss": self.total / self.rows, **{name: metric.compute() for name, metric in metrics.items()}}


class Position:
    """The position of a trainer, with the two methods that a checkpoint needs."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def state_dict(self) -> dict[str, Any]:
        """The trainer's counts, what it has measured in this epoch, and the random generators of model and data."""
        t = self.trainer
        within = t.step_in_epoch > 0
        return {
            "seed": t.seed,
            "epoch": t.epoch,
            "step": t.step,
            "step_in_epoch": t.step_in_epoch,
            "stopped": t.stopped,
            "sum": dict(vars(t.sum)),
            "metrics": {name: metric.state_dict() for name, metric in t.metrics.items()} if within else {},
            "gradients": _gradients(t) if within and any(callback.reads_gradients for callback in t.callbacks) else {},
            "loaders": t.at_epoch_start if within else states(generators(t.loaders)),
            "generators": states(generators(t.model)),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a position. Raises ValueError if the metrics or the random generators are others."""
        t = self.trainer
        if state["metrics"] and state["metrics"].keys() != t.metrics.keys():
            raise ValueError(
                f"its metrics are {', '.join(state['metrics'])}, but this trainer has {', '.join(t.metrics)}"
            )
        if t.loaders:
            put(generators(t.loaders), state["loaders"], "loader")
        put(generators(t.model), state["generators"], "model")  # these come second: the loader may hold the same ones
        for name, p in t.model.named_parameters():
            p.grad = state["gradients"].get(name)
        for name, metric in state["metrics"].items():
            t.metrics[name].load_state_dict(metric)
        t.seed, t.epoch, t.step, t.step_in_epoch = (state[key] for key in ("seed", "epoch", "step", "step_in_epoch"))
        t.stopped, t.at_epoch_start = state["stopped"], state["loaders"]
        t.sum = Sum()
        vars(t.sum).update(state["sum"])


def _gradients(trainer: Trainer) -> dict[str, Any]:
    """The gradients of the last step, by the parameters' paths. Callbacks look at them if an epoch ends right after a
    resume.
    """
    return {path: p.grad.ndarray.copy() for path, p in trainer.model.named_parameters() if p.grad is not None}


class Callbacks:
    """All callbacks as one thing with a state. Each is known by its class, and by which of that class it is."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self.callbacks = callbacks

    def state_dict(self) -> dict[str, Any]:
        """The state of each callback, with its class."""
        return {"callbacks": [[type(callback).__name__, callback.state_dict()] for callback in self.callbacks]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Give each callback the state that it had. One that is new begins, and the state of one that is gone is
        ignored.
        """
        kept: dict[str, list[Any]] = {}
        for name, own in state["callbacks"]:
            kept.setdefault(name, []).append(own)
        for callback in self.callbacks:
            known = kept.get(type(callback).__name__)
            if known:
                callback.load_state_dict(known.pop(0))

"""Stops training before the last epoch: when nothing gets better any more, or when the loss is not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from tinygrad_edu.train.callbacks.callback import Callback, Logs, measured

if TYPE_CHECKING:
    from tinygrad_edu.train.trainer import Trainer

Mode = Literal["auto", "min", "max"]


def check_mode(mode: str, who: str) -> None:
    """Raise ValueError for a mode that does not exist."""
    if mode not in ("auto", "min", "max"):
        raise ValueError(f"{who} takes mode='auto', 'min' or 'max', but got {mode!r}")


class EarlyStopping(Callback):
    """Stops the training when a number, such as the validation loss, has not become better for some epochs.

    After training, `best` is the best value and `best_epoch` its epoch.

    monitor: the name of a column of the history.
    patience: after how many epochs without a new best value training stops, at least 1.
    min_delta: by how much a value must be better to count.
    mode: "min", "max", or "auto", by which the metric of that name decides.
    restore_best: whether the model gets the weights of its best epoch at the end, also if it was not stopped.

    Raises ValueError for other settings, and where an epoch has no such number.

    Source: Prechelt, *Early stopping, but when?* (1998).

    >>> EarlyStopping(patience=5, restore_best=True)
    EarlyStopping(monitor='val_loss', patience=5)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 3,
        *,
        min_delta: float = 0.0,
        mode: Mode = "auto",
        restore_best: bool = False,
    ) -> None:
        if patience < 1:
            raise ValueError(f"EarlyStopping waits for 1 epoch or more, but got patience={patience}")
        if not min_delta >= 0:
            raise ValueError(f"EarlyStopping's min_delta is not negative, but got {min_delta}")
        check_mode(mode, "EarlyStopping")
        self.monitor, self.patience, self.min_delta, self.mode = monitor, patience, min_delta, mode
        self.restore_best = restore_best
        self.best: float | None = None
        self.best_epoch = 0
        self.weights: dict[str, Any] | None = None

    def on_epoch_end(self, trainer: Trainer, logs: Logs) -> None:
        """Compare the number with the best one, and stop if it is time."""
        value = measured(logs, self.monitor, "EarlyStopping")
        if trainer.better(self.monitor, value, self.best, self.mode, self.min_delta):
            self.best, self.best_epoch = value, logs["epoch"]
            self.weights = trainer.model.state_dict() if self.restore_best else None
        elif logs["epoch"] - self.best_epoch >= self.patience:
            shown = "no number" if self.best is None else f"{self.best:.6g}"
            trainer.stop(f"{self.monitor} has not been better than {shown} since epoch {self.best_epoch}")

    def on_fit_end(self, trainer: Trainer) -> None:
        """Bring the best weights back."""
        if self.weights is not None:
            trainer.model.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """The best value so far, its epoch, and its weights."""
        return {"best": self.best, "best_epoch": self.best_epoch, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on waiting from such a state."""
        self.best, self.best_epoch, self.weights = state["best"], state["best_epoch"], state["weights"]

    def __repr__(self) -> str:
        return f"EarlyStopping(monitor={self.monitor!r}, patience={self.patience})"


class TerminateOnNaN(Callback):
    """Stops the training, without an error, at the first step whose loss is NaN or infinite. Without it, that is an
    error.

    >>> TerminateOnNaN()
    TerminateOnNaN()
    """

    def on_step_end(self, trainer: Trainer, logs: Logs) -> None:
        """Stop if the loss is not finite."""
        if not math.isfinite(logs["loss"]):
            trainer.stop(f"the loss is {logs['loss']}")

    def __repr__(self) -> str:
        return "TerminateOnNaN()"

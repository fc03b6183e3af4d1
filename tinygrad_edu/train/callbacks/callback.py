"""Callback: the base of objects that are told how a training goes, and may stop it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tinygrad_edu.engine.elsewhere import meant

if TYPE_CHECKING:
    from tinygrad_edu.train.trainer import Trainer

Logs = Mapping[str, Any]
"""What was measured, by name: of a step the loss, of an epoch a row of the history."""


class Callback:
    """The base of callbacks. A `Trainer` calls their methods at each moment of a training; a subclass writes those that
    it needs.

    A callback may call `trainer.stop(reason)` and `trainer.save(path)`, and read `trainer.model`, `.optimizer`,
    `.history`, `.epoch` and `.step`. What it must know again after a resume, it returns from `state_dict`.

    >>> class Say(Callback):
    ...     def on_epoch_end(self, trainer, logs):
    ...         print(f"epoch {logs['epoch']}: loss {logs['loss']:.2f}")
    """

    comes_last = False
    """Whether it is told after all others, since what it does depends on them: saving does."""

    reads_gradients = False
    """Whether it looks at the gradients that the last step of an epoch left: then they are saved too."""

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Called when training begins, or goes on."""

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Called when an epoch begins; its number is `trainer.epoch + 1`."""

    def on_step_end(self, trainer: Trainer, logs: Logs) -> None:
        """Called when the parameters have been updated; their gradients are still there."""

    def on_epoch_end(self, trainer: Trainer, logs: Logs) -> None:
        """Called when an epoch has ended and was measured: `logs` is its row in the history."""

    def on_interrupt(self, trainer: Trainer) -> None:
        """Called after Ctrl-C, when the step in progress has ended, so that all is whole."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """Called when training has ended by itself or was stopped, but not when an error ended it."""

    def close(self, trainer: Trainer) -> None:
        """Called when training is over, in whatever way: close files and bars here."""

    def state_dict(self) -> dict[str, Any]:
        """The state to go on from after a resume: plain values and arrays."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from such a state."""


def measured(logs: Logs, name: str, who: str) -> float:
    """The number of that name. Raises ValueError if there is none."""
    if name not in logs:
        cure = meant(name, list(logs), "{!r}")
        if name.startswith("val_") and not any(other.startswith("val_") for other in logs):
            cure = "; give fit() validation data"
        raise ValueError(f"{who} follows {name!r}, but an epoch has {', '.join(logs)}{cure}")
    return float(logs[name])

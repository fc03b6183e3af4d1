"""Callback: what is told how a training goes, and may stop it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinygrad_edu.train.trainer import Trainer

Logs = Mapping[str, Any]
"""What was measured, by name: of a step the loss, of an epoch a row of the history."""


class Callback:
    """What a `Trainer` tells of each moment; a subclass says what it does then.

    It may call `trainer.stop(reason)`, read `trainer.model`, `.optimizer`, `.history`, `.epoch` and `.step`, and
    `trainer.save(path)`. What it must know again after a resume it says in `state_dict`.

    >>> class Say(Callback):
    ...     def on_epoch_end(self, trainer, logs):
    ...         print(f"epoch {logs['epoch']}: loss {logs['loss']:.2f}")
    """

    comes_last = False
    """Whether it is told after all others, since what it does depends on them: saving does."""

    reads_gradients = False
    """Whether it looks at the gradients that the last step of an epoch left: then they are saved too."""

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Training begins, or goes on."""

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """An epoch begins, which is the number `trainer.epoch + 1`."""

    def on_step_end(self, trainer: Trainer, logs: Logs) -> None:
        """The parameters have been updated; their gradients are still there."""

    def on_epoch_end(self, trainer: Trainer, logs: Logs) -> None:
        """An epoch has ended, and was measured: `logs` is its row in the history."""

    def on_interrupt(self, trainer: Trainer) -> None:
        """Ctrl-C: the step in progress was ended first, so all is whole."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """Training has ended by itself or was stopped, but not by an error."""

    def close(self, trainer: Trainer) -> None:
        """Training is over, in whatever way: close files and bars."""

    def state_dict(self) -> dict[str, Any]:
        """What to go on from: plain values and arrays."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from such a state."""


def measured(logs: Logs, name: str, who: str) -> float:
    """The number of that name. Raises ValueError if there is none."""
    if name not in logs:
        raise ValueError(
            f"{who} follows {name!r}, but an epoch has {', '.join(logs)}"
            + ("; give fit() validation data" if name.startswith("val_") else "")
        )
    return float(logs[name])

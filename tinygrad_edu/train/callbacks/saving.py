"""Checkpoint: saves the training while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygrad_edu.train.callbacks.callback import Callback, Logs, measured
from tinygrad_edu.train.callbacks.stopping import Mode, check_mode
from tinygrad_edu.train.files import StrPath

if TYPE_CHECKING:
    from tinygrad_edu.train.trainer import Trainer


class Checkpoint(Callback):
    """Saves the whole training into a folder: `last.safetensors`, `best.safetensors` and `epoch-0010.safetensors`.

    `Trainer.fit(…, resume=folder / "last.safetensors")` goes on from such a file; `load_checkpoint(path, model=model)`
    takes only the model.

    folder: the folder, which is made if it is not there.
    last: whether the newest state is saved, after each epoch and after Ctrl-C.
    best: whether the state of the best epoch is saved.
    monitor: the column of the history that says what is best; by default `val_loss`, or without validation `loss`.
    mode: "min", "max", or "auto", by which the metric of that name decides.
    every: after how many epochs a file of its own is saved; None for never.
    every_steps: after how many steps the last state is saved too, where an epoch takes hours; None for never.

    Raises ValueError for numbers below 1, and for another mode.

    >>> Checkpoint("out/run", every=10)
    Checkpoint('out/run')
    """

    comes_last = True

    def __init__(
        self,
        folder: StrPath,
        *,
        last: bool = True,
        best: bool = True,
        monitor: str | None = None,
        mode: Mode = "auto",
        every: int | None = None,
        every_steps: int | None = None,
    ) -> None:
        for name, number in (("every", every), ("every_steps", every_steps)):
            if number is not None and number < 1:
                raise ValueError(f"Checkpoint takes {name} from 1 on, but got {number}")
        check_mode(mode, "Checkpoint")
        self.folder = Path(folder)
        self.last, self.best, self.monitor, self.mode = last, best, monitor, mode
        self.every, self.every_steps = every, every_steps
        self.best_value: float | None = None

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def on_step_end(self, trainer: Trainer, logs: Logs) -> None:
        """Save, if it is time."""
        if self.every_steps is not None and trainer.step % self.every_steps == 0:
            trainer.save(self.folder / "last.safetensors")

    def on_epoch_end(self, trainer: Trainer, logs: Logs) -> None:
        """Save the states that are to be kept."""
        if self.best:
            monitor = self.monitor or ("val_loss" if "val_loss" in logs else "loss")
            value = measured(logs, monitor, "Checkpoint")
            if trainer.better(monitor, value, self.best_value, self.mode):
                self.best_value = value
                trainer.save(self.folder / "best.safetensors")
        if self.every is not None and logs["epoch"] % self.every == 0:
            trainer.save(self.folder / f"epoch-{logs['epoch']:04}.safetensors")
        if self.last:
            trainer.save(self.folder / "last.safetensors")

    def on_interrupt(self, trainer: Trainer) -> None:
        """Save the state at Ctrl-C."""
        if self.last:
            trainer.say(f"saved {trainer.save(self.folder / 'last.safetensors')}")

    def state_dict(self) -> dict[str, Any]:
        """The best value so far."""
        return {"best": self.best_value}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the best value so far."""
        self.best_value = state["best"]

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.folder)!r})"

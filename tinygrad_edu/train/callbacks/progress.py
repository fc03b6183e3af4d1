"""ProgressBar: shows how much of an epoch is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_edu.train.callbacks.callback import Callback, Logs

if TYPE_CHECKING:
    from tinygrad_edu.train.trainer import Trainer


class ProgressBar(Callback):
    """Shows a bar of tqdm for each epoch, with the loss, and at its end with all that was measured.

    It shows nothing where there is no terminal.

    every: after how many steps the bar is drawn again.
    file: where the bar is drawn; by default the standard error. A file that is no terminal stays empty.

    Raises ImportError, with what to type, when an epoch begins without tqdm.

    >>> ProgressBar(every=20).every
    20
    """

    def __init__(self, every: int = 10, file: Any = None) -> None:
        if every < 1:
            raise ValueError(f"ProgressBar takes every from 1 on, but got {every}")
        self.every, self.file = every, file
        self._bar: Any = None

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Begin the epoch's bar, at the step at which the trainer goes on. Raises ImportError without tqdm."""
        try:
            from tqdm.auto import tqdm
        except ImportError as error:
            raise ImportError("ProgressBar is a bar of tqdm: pip install tqdm") from error
        self._bar = tqdm(
            total=trainer.steps_per_epoch,
            desc=f"epoch {trainer.epoch + 1}",
            unit="step",
            initial=trainer.step_in_epoch,
            file=self.file,
            disable=None,
        )

    def on_step_end(self, trainer: Trainer, logs: Logs) -> None:
        """Draw the bar again, if it is time."""
        if self._bar is not None and trainer.step_in_epoch % self.every == 0:
            self._bar.set_postfix(loss=f"{logs['loss']:.4f}", refresh=False)
            self._bar.update(trainer.step_in_epoch - self._bar.n)

    def on_epoch_end(self, trainer: Trainer, logs: Logs) -> None:
        """Complete the bar, and show what was measured."""
        if self._bar is not None:
            shown = {
                name: f"{value:.4g}"
                for name, value in logs.items()
                if isinstance(value, float) and name not in ("lr", "seconds")
            }
            self._bar.set_postfix(shown, refresh=False)
            self._bar.update(trainer.steps_per_epoch - self._bar.n if trainer.steps_per_epoch else 0)
            self.close(trainer)

    def close(self, trainer: Trainer) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

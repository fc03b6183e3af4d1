"""TensorBoard: writes curves and histograms as event files, by tensorboardX."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygrad_edu.train.activations import activations
from tinygrad_edu.train.callbacks.callback import Callback, Logs
from tinygrad_edu.train.files import StrPath

if TYPE_CHECKING:
    from tinygrad_edu.train.trainer import Trainer


class TensorBoard(Callback):
    """Writes what each epoch measured, and histograms of parameters, gradients and activations, for `tensorboard
    --logdir`.

    The names are `loss`, `val_loss` and so on, `loss/step`, `parameters/0.weight`, `gradients/0.weight`,
    `activations/0`.

    folder: the folder of the event file, which is made if it is not there.
    histograms: after how many epochs they are written again; 0 for never.
    x: inputs for which activations are written; without it there are none.
    every_steps: after how many steps the loss is written too; 0 for never.

    Raises ImportError, with what to type, when training begins without tensorboardX.

    >>> TensorBoard("out/run").folder.name
    'run'
    """

    def __init__(self, folder: StrPath, *, histograms: int = 1, x: Any = None, every_steps: int = 0) -> None:
        if histograms < 0 or every_steps < 0:
            raise ValueError(
                f"TensorBoard takes histograms and every_steps from 0 on, but got {histograms} and {every_steps}"
            )
        self.folder = Path(folder)
        self.histograms, self.every_steps = histograms, every_steps
        self.reads_gradients = bool(histograms)
        self.inputs = None if x is None else x if isinstance(x, tuple) else (x,)
        self._writer: Any = None

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Begin an event file. After a resume, viewers leave out what an older file has beyond this epoch."""
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise ImportError("TensorBoard's files are written by tensorboardX: pip install tensorboardX") from error
        self._writer = SummaryWriter(str(self.folder), purge_step=trainer.epoch + 1)

    def on_step_end(self, trainer: Trainer, logs: Logs) -> None:
        """Write the loss of a step."""
        if self.every_steps and trainer.step % self.every_steps == 0:
            self._writer.add_scalar("loss/step", logs["loss"], trainer.step)

    def on_epoch_end(self, trainer: Trainer, logs: Logs) -> None:
        """Write all numbers of an epoch, and the histograms."""
        epoch = logs["epoch"]
        for name, value in logs.items():
            if isinstance(value, int | float) and name != "epoch":
                self._writer.add_scalar(name, value, epoch)
        if self.histograms and epoch % self.histograms == 0:
            for name, array in self._arrays(trainer).items():
                self._writer.add_histogram(name, array, epoch)
        self._writer.flush()

    def _arrays(self, trainer: Trainer) -> dict[str, Any]:
        found = {}
        for path, p in trainer.model.named_parameters():
            found[f"parameters/{path}"] = p.ndarray
            if p.held_grad is not None:
                found[f"gradients/{path}"] = p.held_grad.ndarray
        if self.inputs is not None:
            with trainer.evaluating():
                outputs = activations(trainer.model, *self.inputs)
            found.update({f"activations/{path}": array for path, array in outputs.items()})
        return found

    def close(self, trainer: Trainer) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

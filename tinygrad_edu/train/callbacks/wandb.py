"""WandB: sends what each epoch measured to Weights & Biases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from tinygrad_edu.train.callbacks.callback import Callback, Logs
from tinygrad_edu.train.files import StrPath

if TYPE_CHECKING:
    from tinygrad_edu.train.trainer import Trainer


class WandB(Callback):
    """Logs what each epoch measured, as a run of Weights & Biases.

    project: the name of the project.
    folder: the folder of the run's files.
    mode: "offline" only writes files, which `wandb sync` sends later; "online" sends at once, and needs an account.
    config: settings of the run, by name.
    options: further arguments of `wandb.init`.

    Raises ValueError for another mode; ImportError, with what to type, when training begins without wandb.

    >>> WandB("digits").mode
    'offline'
    """

    def __init__(
        self,
        project: str,
        *,
        folder: StrPath = ".",
        mode: Literal["offline", "online"] = "offline",
        config: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        if mode not in ("offline", "online"):
            raise ValueError(f"WandB takes mode='offline' or 'online', but got {mode!r}")
        self.project, self.folder, self.mode, self.config, self.options = project, folder, mode, config, options
        self.run: Any = None

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Begin a run."""
        try:
            import wandb
        except ImportError as error:
            raise ImportError("WandB logs to Weights & Biases: pip install wandb") from error
        self.run = wandb.init(
            project=self.project, dir=str(self.folder), mode=self.mode, config=self.config, **self.options
        )

    def on_epoch_end(self, trainer: Trainer, logs: Logs) -> None:
        """Log all numbers of an epoch."""
        self.run.log(
            {name: value for name, value in logs.items() if isinstance(value, int | float)}, step=logs["epoch"]
        )

    def close(self, trainer: Trainer) -> None:
        """End the run."""
        if self.run is not None:
            self.run.finish()
            self.run = None

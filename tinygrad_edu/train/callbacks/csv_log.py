"""CSVLogger: the history as a table that grows while training goes on."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from tinygrad_edu.train.callbacks.callback import Callback, Logs
from tinygrad_edu.train.files import StrPath

if TYPE_CHECKING:
    from tinygrad_edu.train.trainer import Trainer


class CSVLogger(Callback):
    """Write each epoch as a line of a CSV file, at once, under a header of names.

    path: the file. It is written anew when training begins, from the epochs that the history has by then, so that after a
    resume it is the file of an uninterrupted training. Only numbers are written. Numbers are written so that reading them
    gives the same.

    >>> CSVLogger("out/history.csv").path.name
    'history.csv'
    """

    def __init__(self, path: StrPath) -> None:
        self.path = Path(path)
        self._file: TextIO | None = None
        self._names: list[str] = []

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Begin the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("w", newline="", encoding="utf-8")
        self._names = []
        for row in trainer.history:
            self.on_epoch_end(trainer, row)

    def on_epoch_end(self, trainer: Trainer, logs: Logs) -> None:
        """A line."""
        if self._file is None:
            return
        numbers: dict[str, Any] = {name: value for name, value in logs.items() if isinstance(value, int | float)}
        new = not self._names
        self._names = self._names or list(numbers)
        writer = csv.DictWriter(self._file, self._names, restval="", extrasaction="ignore")
        if new:
            writer.writeheader()
        writer.writerow(numbers)
        self._file.flush()

    def close(self, trainer: Trainer) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

"""CSVLogger: writes the history into a file, line by line, while training goes on."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from tinygrad_edu.train.callbacks.callback import Callback, Logs
from tinygrad_edu.train.files import StrPath

if TYPE_CHECKING:
    from tinygrad_edu.train.trainer import Trainer


class CSVLogger(Callback):
    """Writes each epoch as a line of a CSV file, as soon as it has ended, under a header of names.

    The file is written anew when training begins, from the epochs that the history has by then. So after a resume it is
    the file of an uninterrupted training. Only numbers are written, with all digits, so that reading them gives the
    same numbers.

    path: the file.

    >>> CSVLogger("out/history.csv").path.name
    'history.csv'
    """

    def __init__(self, path: StrPath) -> None:
        self.path = Path(path)
        self._file: TextIO | None = None
        self._names: list[str] = []

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Begin the file, with the epochs that there are."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("w", newline="", encoding="utf-8")
        self._names = []
        for row in trainer.history:
            self.on_epoch_end(trainer, row)

    def on_epoch_end(self, trainer: Trainer, logs: Logs) -> None:
        """Write a line."""
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

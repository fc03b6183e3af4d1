"""The heartbeat of a search whose trials other processes see: it tells trials that run from those of a killed process."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import optuna

BEAT_SECONDS = 15.0
"""How often a trial that runs is marked."""

LOST_SECONDS = 60.0
"""After how long without a mark a trial is taken for lost."""


class Heartbeat:
    """Inside the block, a thread marks the trials of this process, as their user attribute "alive", with the time.

    trials: those that run now; whoever begins and ends trials changes the list.
    """

    def __init__(self) -> None:
        self.trials: list[optuna.Trial] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            for trial in list(self.trials):
                with contextlib.suppress(Exception):  # it has ended, or the database is busy: the next mark will do
                    trial.set_user_attr("alive", time.time())


def is_lost(trial: Any) -> bool:
    """Whether a trial that the storage says is running has had no mark for long. Clocks of machines are to agree."""
    return time.time() - trial.user_attrs.get("alive", trial.datetime_start.timestamp()) > LOST_SECONDS

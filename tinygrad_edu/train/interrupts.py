"""Ctrl-C during training: it is noted at once, and acted on between two steps, where everything is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Interrupts:
    """Ctrl-C, deferred. `pending` tells a loop, which asks between steps, that it was pressed."""

    def __init__(self) -> None:
        self.pending = False

    @contextmanager
    def deferred(self, at_end: Callable[[], str]) -> Iterator[None]:
        """A block in which the first Ctrl-C sets `pending`, and the second raises KeyboardInterrupt at once.

        If the block ends before anyone has looked, KeyboardInterrupt is raised there, with what `at_end` says.
        Outside the main thread, and where a program handles Ctrl-C itself, nothing is changed.
        """
        self.pending = False
        main = threading.current_thread() is threading.main_thread()
        if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return

        def note(number: int, frame: Any) -> None:
            if self.pending:
                signal.default_int_handler(number, frame)
            self.pending = True

        signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            pressed, self.pending = self.pending, False
        if pressed:
            raise KeyboardInterrupt(at_end())

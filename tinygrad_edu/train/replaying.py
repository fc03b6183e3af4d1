"""A function that is replayed as long as that works; else it is called, after one line that says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.program import MOST_RECORDS, replay


class Replayed:
    """Replays a function as long as that works. From the first time that it does not, the function is called as it is.

    f: the function.
    what: what it is called in the one line that is said.
    say: prints that line.
    replays: whether replay is tried at all.

    `eager` tells why it is not replayed, or is None. A recording or a run that fails leaves all as it was, so the call
    is made
    again without it: an error of the function's own is then raised there, with its own traceback.
    """

    def __init__(self, f: Callable[..., Any], what: str, say: Callable[[str], None], *, replays: bool = True) -> None:
        self.f, self.what, self.say = f, what, say
        self.eager: str | None = None if replays else "replay=False"
        self._replayed = replay(f)

    def __call__(self, *args: Any) -> Any:
        """Call the function, replayed or not, and return what it returns."""
        if self.eager is not None:
            return self.f(*map(as_tensor, args))
        try:
            result = self._replayed(*args)
        except Exception as error:
            result = self._called(args)
            self._give_up(str(error).partition("\n")[0] or type(error).__name__)
            return result
        if self._replayed.recorded_in_a_row > MOST_RECORDS:
            self._give_up(
                f"more than {MOST_RECORDS} batches in a row had each another shape, or the model changed in each"
            )
        return result

    def _called(self, args: tuple[Any, ...]) -> Any:
        """Call the function without replay. Its error is raised as if replay had not been tried."""
        try:
            return self.f(*map(as_tensor, args))
        except Exception as error:
            error.__suppress_context__ = True
            raise

    def _give_up(self, reason: str) -> None:
        self.eager = reason
        self._replayed.forget()
        self.say(f"{self.what} is not replayed, but run op by op: {reason}")


def as_tensor(x: Any) -> Any:
    """Turn an array into a tensor, which it also is where a function is replayed."""
    return Tensor(x) if isinstance(x, np.ndarray) else x

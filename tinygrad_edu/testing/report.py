"""What a check finds: its report, and its errors."""

from __future__ import annotations

from dataclasses import dataclass


class CheckError(AssertionError):
    """A check found something that is not so. Its message names the function, and what to look at."""


class GradientError(CheckError):
    """A recorded gradient is not the derivative."""


class AtKink(CheckError):
    """There was nothing to judge: at every element asked about, the function has a kink, a jump or an edge."""


@dataclass(frozen=True)
class Report:
    """What a check that passed has seen.

    checked: how many derivatives were compared. worst: the largest disagreement, as a fraction of the
    largest derivative of its argument. kinks: the elements not judged, and why.
    """

    checked: int
    worst: float
    kinks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.checked} derivatives agree" + "".join(f"; not judged: {kink}" for kink in self.kinks)

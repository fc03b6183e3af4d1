"""The result of a check: a report, or an error."""

from __future__ import annotations

from dataclasses import dataclass


class CheckError(AssertionError):
    """A check failed. The message names the function, and says what to look at.

    >>> issubclass(CheckError, AssertionError)
    True
    """


class GradientError(CheckError):
    """A recorded gradient is not the derivative.

    >>> issubclass(GradientError, CheckError)
    True
    """


class AtKink(CheckError):
    """No derivative could be checked, because the function has a kink, a jump or an edge at every element.

    >>> issubclass(AtKink, CheckError)
    True
    """


@dataclass(frozen=True)
class Report:
    """The result of a check that passed.

    checked: how many derivatives were compared.
    worst: the largest disagreement, as a share of the largest derivative of its argument.
    kinks: the elements that were not judged, and why.

    >>> print(Report(12, 1e-9))
    12 derivatives agree
    """

    checked: int
    worst: float
    kinks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.checked} derivatives agree" + "".join(f"; not judged: {kink}" for kink in self.kinks)

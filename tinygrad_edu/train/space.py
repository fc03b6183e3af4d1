"""The space of a search: what each setting can be, and how it is drawn for a trial of Optuna's."""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna

Settings = dict[str, Any]


def _check_bounds(part: Uniform | LogUniform | Integer, kind: Any, what: str) -> None:
    """Raise ValueError unless both bounds are finite, of this kind, and the lower one is not above the other."""
    low, high = part.low, part.high
    right = all(isinstance(bound, kind) and math.isfinite(bound) for bound in (low, high))
    if not right or low > high or (isinstance(part, LogUniform) and low <= 0):
        raise ValueError(
            f"{type(part).__name__} takes {what}, the lower one first, but got low={low!r} and high={high!r}"
        )


@dataclass(frozen=True)
class Uniform:
    """A setting that can be any number between two bounds; all are equally likely.

    low, high: the bounds.

    Raises ValueError unless these are two numbers, the lower one first.

    >>> Uniform(0.0, 0.5)
    Uniform(low=0.0, high=0.5)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self, numbers.Real, "two numbers")

    def draw(self, trial: optuna.Trial, name: str) -> float:
        """Draw a number for the trial."""
        return trial.suggest_float(name, self.low, self.high)


@dataclass(frozen=True)
class LogUniform:
    """A setting that can be any number between two bounds, where each order of magnitude is equally likely.

    It is for learning rates and the like, of which 0.01 is as far from 0.001 as from 0.1.

    low, high: the bounds, above 0.

    Raises ValueError unless these are two numbers above 0, the lower one first.

    >>> LogUniform(1e-5, 1e-1)
    LogUniform(low=1e-05, high=0.1)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self, numbers.Real, "two numbers above 0")

    def draw(self, trial: optuna.Trial, name: str) -> float:
        """Draw a number for the trial."""
        return trial.suggest_float(name, self.low, self.high, log=True)


@dataclass(frozen=True)
class Integer:
    """A setting that can be any whole number between two bounds; all are equally likely.

    low, high: the bounds, which are included.

    Raises ValueError unless these are two whole numbers, the lower one first.

    >>> Integer(1, 4)
    Integer(low=1, high=4)
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        _check_bounds(self, numbers.Integral, "two whole numbers")

    def draw(self, trial: optuna.Trial, name: str) -> int:
        """Draw a number for the trial."""
        return trial.suggest_int(name, self.low, self.high)


@dataclass(frozen=True)
class Choice:
    """A setting that can be one of several values.

    values: numbers, words, truths or None.

    Raises ValueError for anything but a list of them, one at least.

    >>> Choice(["relu", "tanh"])
    Choice(values=['relu', 'tanh'])
    """

    values: Sequence[Any]

    def __post_init__(self) -> None:
        if isinstance(self.values, str) or not isinstance(self.values, Sequence) or not self.values:
            raise ValueError(f"Choice takes a list of values, one at least, but got {self.values!r}")

    def draw(self, trial: optuna.Trial, name: str) -> Any:
        """Draw a value for the trial."""
        return trial.suggest_categorical(name, list(self.values))


Space = Mapping[str, Uniform | LogUniform | Integer | Choice]


def check_space(space: Any) -> None:
    """Raise TypeError or ValueError for what is no space."""
    if not isinstance(space, Mapping):
        raise TypeError(f"tune() takes a space such as {{'lr': LogUniform(1e-5, 1e-1)}}, but got {space!r:.60}")
    if not space:
        raise ValueError("tune() got a space without settings; write {'lr': LogUniform(1e-5, 1e-1)}")
    for name, part in space.items():
        if not isinstance(part, Uniform | LogUniform | Integer | Choice):
            raise TypeError(
                f"the setting {name!r} is a Uniform, LogUniform, Integer or Choice, but got {part!r:.60}; "
                f"write {{{name!r}: Uniform(low, high)}}"
            )


def combinations(space: Space) -> list[Settings]:
    """All combinations of choices and whole numbers. Raises ValueError where a setting can be any number."""
    uncounted = [name for name, part in space.items() if not isinstance(part, Choice | Integer)]
    if uncounted:
        raise ValueError(
            f"a grid takes choices and integers, but {', '.join(uncounted)} take any number; write Choice([…])"
        )
    values = [
        part.values if isinstance(part, Choice) else range(part.low, part.high + 1)
        for part in space.values()
        if isinstance(part, Choice | Integer)
    ]
    return [dict(zip(space, row, strict=True)) for row in itertools.product(*values)]

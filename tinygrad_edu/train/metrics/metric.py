"""Metric: a number that says how good predictions are, gathered batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.train.metrics.reading import Numbers, as_array


class Metric:
    """What is gathered over batches: `update(prediction, target)` for each, `compute()` at the end, `reset()` before the next.

    A subclass says `add`, `result`, and `start`: what it gathers, by name, before the first batch, as numbers, arrays,
    or lists of arrays. They are its attributes from then on.

    >>> class Largest(Metric):
    ...     def start(self):
    ...         return {"most": 0.0}
    ...     def add(self, prediction, target):
    ...         self.most = max(self.most, float(np.max(np.abs(prediction - target))))
    ...     def result(self):
    ...         return self.most
    >>> largest = Largest()
    >>> for batch in ([1.0, 2.0], [5.0]), ([1.5, 2.0], [3.0]):
    ...     _ = largest.update(np.array(batch[0]), np.array(batch[0]) + 0.5)
    >>> largest.compute()
    0.5
    """

    higher_is_better: ClassVar[bool] = True
    """Whether an early stop waits for it to grow."""

    _rows = 0

    def start(self) -> dict[str, Any]:
        """What is gathered, before the first batch."""
        raise NotImplementedError(f"{type(self).__name__} has no start(self): return what it gathers, by name")

    def add(self, prediction: Any, target: Any) -> None:
        """Gather one batch."""
        raise NotImplementedError(f"{type(self).__name__} has no add(self, prediction, target)")

    def result(self) -> Any:
        """What the batches come to."""
        raise NotImplementedError(f"{type(self).__name__} has no result(self)")

    def reset(self) -> Self:
        """Forget all batches."""
        self._rows = 0
        for name, value in self.start().items():
            setattr(self, name, value)
        return self

    def update(self, prediction: Numbers, target: Numbers) -> Self:
        """Gather one batch; the metric itself, so that `update(…).compute()` can be written."""
        if self._rows == 0:
            self.reset()
        rows = len(as_array(target)) if np.ndim(as_array(target)) else 1
        self.add(prediction, target)
        self._rows += rows
        return self

    def compute(self) -> Any:
        """The metric of all batches since `reset()`. Raises ValueError if there were none."""
        if self._rows == 0:
            raise ValueError(f"{type(self).__name__} is given nothing to judge: update(prediction, target) comes first")
        return self.result()

    def state_dict(self) -> dict[str, Any]:
        """What has been gathered, to be gone on from."""
        if self._rows == 0:
            return {"rows": 0}
        return {"rows": self._rows, **{name: getattr(self, name) for name in self.start()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict()` gave."""
        self.reset()
        self._rows = int(state["rows"])
        for name in self.start() if self._rows else ():
            setattr(self, name, state[name])

    def __repr__(self) -> str:
        settings = {k: v for k, v in vars(self).items() if k != "_rows" and k not in self.start()}
        return f"{type(self).__name__}({', '.join([f'{key}={value!r}' for key, value in settings.items()])})"


class Mean(Metric):
    """The mean over rows of what `function(prediction, target)` gives for each batch: any function made a metric.

    >>> off = Mean(lambda prediction, target: float(np.mean(np.abs(prediction - target))))
    >>> off.update(np.array([1.0]), np.array([2.0])).update(np.array([1.0, 1.0]), np.array([1.0, 1.0])).compute()
    0.3333333333333333
    """

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self.function = function

    def start(self) -> dict[str, Any]:
        """The sum over rows, and how many they are."""
        return {"total": 0.0, "count": 0}

    def add(self, prediction: Any, target: Any) -> None:
        """The function's value, once for each row."""
        rows = len(as_array(target))
        self.total += rows * float(self.function(prediction, target))
        self.count += rows

    def result(self) -> float:
        """The mean."""
        return self.total / self.count

    total: float
    count: int


class Gathered(Metric):
    """The base of metrics that need all scores at once: it keeps those of each batch."""

    scores: list[NDArray[Any]]
    targets: list[NDArray[Any]]

    def start(self) -> dict[str, Any]:
        """Scores and targets of the batches."""
        return {"scores": [], "targets": []}

    def add(self, prediction: Any, target: Any) -> None:
        """Keep copies: a loader may write its batches into one array."""
        self.scores.append(np.array(as_array(prediction)))
        self.targets.append(np.array(as_array(target)))

    def all(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The scores and targets of all batches."""
        return np.concatenate(self.scores), np.concatenate(self.targets)

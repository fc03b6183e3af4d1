"""Metric: the base of numbers that say how good predictions are, and are gathered batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.train.metrics.reading import Numbers, as_array


class Metric:
    """The base of metrics: call `update(prediction, target)` for each batch, `compute()` at the end, and `reset()`
    before the next pass.

    A subclass writes `start`, `add` and `result`. `start` returns what is gathered, by name, before the first batch, as
    numbers, arrays, or lists of arrays. They are attributes of the metric from then on.

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
        """What is gathered, by name, before the first batch; a subclass writes this method."""
        raise NotImplementedError(f"{type(self).__name__} has no start(self): return what it gathers, by name")

    def add(self, prediction: Any, target: Any) -> None:
        """Gather one batch; a subclass writes this method."""
        raise NotImplementedError(f"{type(self).__name__} has no add(self, prediction, target)")

    def result(self) -> Any:
        """Compute the metric from what was gathered; a subclass writes this method."""
        raise NotImplementedError(f"{type(self).__name__} has no result(self)")

    def reset(self) -> Self:
        """Forget all batches, and return the metric."""
        self._rows = 0
        for name, value in self.start().items():
            setattr(self, name, value)
        return self

    def update(self, prediction: Numbers, target: Numbers) -> Self:
        """Gather one batch, and return the metric, so that `update(…).compute()` can be written."""
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
        """What was gathered so far."""
        if self._rows == 0:
            return {"rows": 0}
        return {"rows": self._rows, **{name: getattr(self, name) for name in self.start()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what a `state_dict()` holds."""
        self.reset()
        self._rows = int(state["rows"])
        for name in self.start() if self._rows else ():
            setattr(self, name, state[name])

    def __repr__(self) -> str:
        settings = {k: v for k, v in vars(self).items() if k != "_rows" and k not in self.start()}
        return f"{type(self).__name__}({', '.join([f'{key}={value!r}' for key, value in settings.items()])})"


class Mean(Metric):
    """The mean over rows of what a function of prediction and target gives for each batch: it makes a metric of any
    function.

    function: function(prediction, target), which gives one number for a batch.

    >>> off = Mean(lambda prediction, target: float(np.mean(np.abs(prediction - target))))
    >>> off.update(np.array([1.0]), np.array([2.0])).update(np.array([1.0, 1.0]), np.array([1.0, 1.0])).compute()
    0.3333333333333333
    """

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self.function = function

    def start(self) -> dict[str, Any]:
        """The sum over rows, and the number of rows."""
        return {"total": 0.0, "count": 0}

    def add(self, prediction: Any, target: Any) -> None:
        """Add the function's value, once for each row."""
        rows = len(as_array(target))
        self.total += rows * float(self.function(prediction, target))
        self.count += rows

    def result(self) -> float:
        """The mean over rows."""
        return self.total / self.count

    total: float
    count: int


class Gathered(Metric):
    """The base of metrics that need all scores at once: it keeps those of each batch."""

    scores: list[NDArray[Any]]
    targets: list[NDArray[Any]]

    def start(self) -> dict[str, Any]:
        """The scores and the targets of the batches."""
        return {"scores": [], "targets": []}

    def add(self, prediction: Any, target: Any) -> None:
        """Keep copies of a batch, because a loader may write its next batch into the same array."""
        self.scores.append(np.array(as_array(prediction)))
        self.targets.append(np.array(as_array(target)))

    def all(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The scores and targets of all batches."""
        return np.concatenate(self.scores), np.concatenate(self.targets)

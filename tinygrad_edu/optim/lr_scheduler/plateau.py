"""A schedule that watches a number, and lowers the rate when the number has stopped getting better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, SupportsFloat

from tinygrad_edu.optim.lr_scheduler.scheduler import LRScheduler, PerGroup, at_least
from tinygrad_edu.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """η ← max(factor·η, η_min) when a number, such as a loss, has not become better for more than `patience` steps.

    Call `step(loss)` with the number.

    optimizer: the optimizer whose learning rates change.
    mode: "min" for a number that should fall, such as a loss; "max" for one that should rise, such as an accuracy.
    factor: what the rate is multiplied by, below 1.
    patience: how many steps without improvement are let pass.
    threshold: by how much a number must be better than the best so far to count as an improvement.
    threshold_mode: "rel" takes the threshold as a share of the best number, "abs" as it is.
    cooldown: how many steps after a change of the rate are not counted.
    min_lr: η_min, or a list of one for each group.
    eps: a change of the rate that is smaller is not made.

    Raises ValueError for a factor that is not below 1, and for other modes.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=1.0)
    >>> scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> [(scheduler.step(loss), scheduler.get_last_lr()[0])[1] for loss in (3.0, 2.0, 2.0, 2.0, 1.0)]
    [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        who = "ReduceLROnPlateau"
        if not 0 <= factor < 1:
            raise ValueError(f"{who}'s factor is from 0 to below 1, but got {factor}")
        if mode not in ("min", "max"):
            raise ValueError(f"{who}'s mode is 'min' or 'max', but got {mode!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"{who}'s threshold_mode is 'rel' or 'abs', but got {threshold_mode!r}")
        for name, value in {"patience": patience, "cooldown": cooldown, "eps": eps}.items():
            at_least(who, name, value, 0)
        self.mode, self.factor, self.patience, self.cooldown, self.eps = mode, factor, patience, cooldown, eps
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.min_lrs = PerGroup(min_lr, optimizer, who, "values of min_lr")
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        super().__init__(optimizer)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """Lower the rate if there were more bad steps than patience allows."""
        lower = max(now * self.factor, self.min_lrs[group])
        return lower if self.num_bad_epochs > self.patience and now - lower > self.eps else now

    def step(self, metrics: SupportsFloat) -> None:  # type: ignore[override]  # what it does depends on a number
        """Go on to the next step, with the number that is watched."""
        try:
            value = float(metrics)
        except (TypeError, ValueError):
            raise TypeError(
                f"ReduceLROnPlateau.step() takes the number that it watches, such as a loss, but got {metrics!r:.60}"
            ) from None
        if self.is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown_counter - 1, 0
        self.begin(self.last_epoch + 1)
        if self.num_bad_epochs > self.patience:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def is_better(self, value: float) -> bool:
        """Whether a number is better than the best so far by more than the threshold."""
        sign = 1 if self.mode == "min" else -1
        margin = self.threshold * (abs(self.best) if self.threshold_mode == "rel" else 1)
        return sign * value < sign * self.best - margin if math.isfinite(self.best) else sign * value < sign * self.best

    def state_dict(self) -> dict[str, Any]:
        """The state of every schedule, the best number, and the counts."""
        own = {"best": self.best, "num_bad_epochs": self.num_bad_epochs, "cooldown_counter": self.cooldown_counter}
        return {**super().state_dict(), **own}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the `state_dict()` of a schedule that was made alike. Raises ValueError if the number of groups
        differs.
        """
        super().load_state_dict(state)
        self.best, self.num_bad_epochs = state["best"], state["num_bad_epochs"]
        self.cooldown_counter = state["cooldown_counter"]

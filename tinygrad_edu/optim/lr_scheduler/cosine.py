"""Schedules that go down along half a cosine, once or again and again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tinygrad_edu.optim.lr_scheduler.scheduler import LRScheduler, at_least
from tinygrad_edu.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """ηₜ = η_min + (η₀ − η_min)·(1 + cos(π·t/T_max)) / 2: the rate goes down to η_min in T_max steps, and up again
    after.

    optimizer: the optimizer whose learning rates change.
    T_max: the number of steps down, at least 1.
    eta_min: η_min, the lowest rate.
    last_epoch: the last step that is over, or −1 to begin; see `LRScheduler`.

    Source: Loshchilov and Hutter, *SGDR: stochastic gradient descent with warm restarts* (2017), without the restarts.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=1.0)
    >>> scheduler = CosineAnnealingLR(optimizer, T_max=4)
    >>> [(round(scheduler.get_last_lr()[0], 3), scheduler.step())[0] for _ in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        at_least("CosineAnnealingLR", "T_max", T_max, 1)
        at_least("CosineAnnealingLR", "eta_min", eta_min, 0)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """Scale the height above η_min by the quotient of 1 + cos(π·t/T_max) at this step and at the one before.

        At the bottom that height is 0, and no factor leads up from there, so the next rate follows from η₀.
        """
        if step == 0:
            return now
        if (step - 1) % (2 * self.T_max) == self.T_max:  # the rate is η_min now, and no factor leads up from there
            return now + (base - self.eta_min) * (1 - math.cos(math.pi / self.T_max)) / 2
        height, before = [1 + math.cos(math.pi * t / self.T_max) for t in (step, step - 1)]
        return self.eta_min + (now - self.eta_min) * height / before


class CosineAnnealingWarmRestarts(LRScheduler):
    """ηₜ = η_min + (η₀ − η_min)·(1 + cos(π·s/T)) / 2, where s counts the steps since the last restart of a round of T
    steps.

    The first round has T = T_0 steps, and each further one T_mult times as many. The rate is set, whatever it was
    before.

    optimizer: the optimizer whose learning rates change.
    T_0: the number of steps of the first round.
    T_mult: how many times as long each round is as the one before, a whole number.
    eta_min: η_min, the lowest rate.
    last_epoch: the last step that is over, or −1 to begin; see `LRScheduler`.

    Source: Loshchilov and Hutter, *SGDR: stochastic gradient descent with warm restarts* (2017), equation 5.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=1.0)
    >>> scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=2)
    >>> [(round(scheduler.get_last_lr()[0], 3), scheduler.step())[0] for _ in range(7)]
    [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 1.0]
    """

    absolute = True

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"CosineAnnealingWarmRestarts' {name} is a whole number from 1 on, but got {value}")
        at_least("CosineAnnealingWarmRestarts", "eta_min", eta_min, 0)
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        self.time: float = 0
        super().__init__(optimizer, last_epoch)

    def rate(self, step: float, base: float, now: float, group: int = 0) -> float:
        """The rate at the part of the round that has gone by; `step` may lie between two steps."""
        passed, length = step, self.T_0
        if self.T_mult == 1:
            passed %= length
        while passed >= length:
            passed, length = passed - length, length * self.T_mult
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * passed / length)) / 2

    def step(self, epoch: float | None = None) -> None:
        """Go on to the next step, or to any time: `step(epoch + i / batches)` within an epoch."""
        time = self.time + 1 if epoch is None else epoch
        if not time >= 0:
            raise ValueError(f"step() takes an epoch from 0 on, but got {epoch}")
        self.begin(time)

    def begin(self, step: float, now: Sequence[float] | None = None) -> None:
        """Set the rates of a time, which may lie between two steps."""
        super().begin(step, now)  # type: ignore[arg-type]  # here it may be between two steps
        self.time, self.last_epoch = step, math.floor(step)

    def state_dict(self) -> dict[str, Any]:
        """The state of every schedule, and the time, which may lie between two steps."""
        return {**super().state_dict(), "time": self.time}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the `state_dict()` of a schedule that was made alike. Raises ValueError if the number of groups
        differs.
        """
        super().load_state_dict(state)
        self.time = state["time"]

"""Schedules that go from one rate to another in a given number of steps, along a line or a power."""

from __future__ import annotations

from tinygrad_edu.optim.lr_scheduler.scheduler import LRScheduler, at_least
from tinygrad_edu.optim.optimizer import Optimizer


class LinearLR(LRScheduler):
    """ηₜ = η₀·(a + (b − a)·t/T) up to t = T, and η₀·b from there on: a warm-up.

    optimizer: the optimizer whose learning rates change.
    start_factor: a, above 0 and at most 1.
    end_factor: b, from 0 to 1.
    total_iters: T, the number of steps, at least 1.
    last_epoch: the last step that is over, or −1 to begin; see `LRScheduler`.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=8.0)
    >>> scheduler = LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> [(round(scheduler.get_last_lr()[0], 3), scheduler.step())[0] for _ in range(5)]
    [2.0, 4.0, 6.0, 8.0, 8.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR's factors are between 0 and 1, but got {start_factor} and {end_factor}")
        at_least("LinearLR", "total_iters", total_iters, 1)
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """Multiply the rate by the quotient of this step's factor and the last one's.

        It is (a·(T − t) + b·t) / (a·(T − t + 1) + b·(t − 1)).
        """
        if step == 0:
            return now * self.start_factor
        if step > self.total_iters:
            return now
        # adding differences of factors would leave -1e-20 at the end where b is 0, and a rate must not be negative
        height, before = [self.start_factor * (self.total_iters - t) + self.end_factor * t for t in (step, step - 1)]
        return now * height / before


class PolynomialLR(LRScheduler):
    """ηₜ = η₀·(1 − t/T)^p up to t = T, and 0 from there on.

    optimizer: the optimizer whose learning rates change.
    total_iters: T, the number of steps, at least 1.
    power: p; 1 makes it a line.
    last_epoch: the last step that is over, or −1 to begin; see `LRScheduler`.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=8.0)
    >>> scheduler = PolynomialLR(optimizer, total_iters=4, power=2.0)
    >>> [(round(scheduler.get_last_lr()[0], 3), scheduler.step())[0] for _ in range(6)]
    [8.0, 4.5, 2.0, 0.5, 0.0, 0.0]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        at_least("PolynomialLR", "total_iters", total_iters, 1)
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """Multiply the rate by ((T − t) / (T − t + 1))^p."""
        if step == 0 or step > self.total_iters:
            return now
        return now * float(((self.total_iters - step) / (self.total_iters - step + 1)) ** self.power)

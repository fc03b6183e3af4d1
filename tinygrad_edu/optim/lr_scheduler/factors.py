"""Schedules that multiply the rate: by a function, in stairs, at each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tinygrad_edu.optim.lr_scheduler.scheduler import LRScheduler, PerGroup, at_least
from tinygrad_edu.optim.optimizer import Optimizer

Factor = Callable[[int], float]


class LambdaLR(LRScheduler):
    """ηₜ = η₀·f(t), for any function f, whatever the rate was before.

    optimizer: the optimizer whose rates change.
    lr_lambda: f, or a list of one for each group.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=1.0)
    >>> scheduler = LambdaLR(optimizer, lambda t: 1 / (1 + t))
    >>> [(round(scheduler.get_last_lr()[0], 3), scheduler.step())[0] for _ in range(3)]
    [1.0, 0.5, 0.333]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor]) -> None:
        self.lr_lambdas = PerGroup(lr_lambda, optimizer, "LambdaLR", "functions")
        super().__init__(optimizer)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """η₀·f(t)."""
        return base * self.lr_lambdas[group](step)


class MultiplicativeLR(LRScheduler):
    """ηₜ = ηₜ₋₁·f(t): a factor at each step.

    optimizer: the optimizer whose rates change.
    lr_lambda: f, or a list of one for each group; it is asked from step 1 on.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=8.0)
    >>> scheduler = MultiplicativeLR(optimizer, lambda t: 1 / t)
    >>> [(round(scheduler.get_last_lr()[0], 3), scheduler.step())[0] for _ in range(4)]
    [8.0, 8.0, 4.0, 1.333]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor]) -> None:
        self.lr_lambdas = PerGroup(lr_lambda, optimizer, "MultiplicativeLR", "functions")
        super().__init__(optimizer)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """f(t) times the rate."""
        return now * self.lr_lambdas[group](step) if step else now


class StepLR(LRScheduler):
    """ηₜ = η₀·γ^⌊t / step_size⌋: stairs.

    optimizer: the optimizer whose rates change.
    step_size: the steps from stair to stair.
    gamma: γ.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=8.0)
    >>> scheduler = StepLR(optimizer, step_size=2, gamma=0.5)
    >>> [(scheduler.get_last_lr()[0], scheduler.step())[0] for _ in range(5)]
    [8.0, 8.0, 4.0, 4.0, 2.0]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        at_least("StepLR", "step_size", step_size, 1)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """γ times the rate, every step_size steps."""
        return now * self.gamma if step and step % self.step_size == 0 else now


class MultiStepLR(LRScheduler):
    """ηₜ = η₀·γⁿ, where n counts the milestones up to t.

    optimizer: the optimizer whose rates change.
    milestones: the steps at which the rate falls, in any order.
    gamma: γ.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=8.0)
    >>> scheduler = MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> [(scheduler.get_last_lr()[0], scheduler.step())[0] for _ in range(5)]
    [8.0, 4.0, 4.0, 2.0, 2.0]
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """γ times the rate at each milestone; γ² times at one that is there twice."""
        return now * self.gamma ** self.milestones.count(step)


class ExponentialLR(LRScheduler):
    """ηₜ = η₀·γᵗ.

    optimizer: the optimizer whose rates change.
    gamma: γ.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=8.0)
    >>> scheduler = ExponentialLR(optimizer, gamma=0.5)
    >>> [(scheduler.get_last_lr()[0], scheduler.step())[0] for _ in range(4)]
    [8.0, 4.0, 2.0, 1.0]
    """

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """γ times the rate."""
        return now * self.gamma if step else now


class ConstantLR(LRScheduler):
    """ηₜ = η₀·factor up to step total_iters, and η₀ from there.

    optimizer: the optimizer whose rates change.
    factor: from above 0 to 1.
    total_iters: the steps that it lasts.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=8.0)
    >>> scheduler = ConstantLR(optimizer, factor=0.25, total_iters=2)
    >>> [(scheduler.get_last_lr()[0], scheduler.step())[0] for _ in range(4)]
    [2.0, 2.0, 8.0, 8.0]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5) -> None:
        if not 0 < factor <= 1:
            raise ValueError(f"ConstantLR's factor is above 0 and at most 1, but got {factor}")
        at_least("ConstantLR", "total_iters", total_iters, 1)
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """The factor comes at step 0, and goes at step total_iters."""
        if step == 0:
            return now * self.factor
        return now / self.factor if step == self.total_iters else now

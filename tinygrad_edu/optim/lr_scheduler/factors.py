"""Schedules that multiply the rate by a factor: by a function of the step, in stairs, or at each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tinygrad_edu.optim.lr_scheduler.scheduler import LRScheduler, PerGroup, at_least
from tinygrad_edu.optim.optimizer import Optimizer

Factor = Callable[[int], float]


class LambdaLR(LRScheduler):
    """ηₜ = η₀·f(t) for any function f. The rate is set, whatever it was before.

    optimizer: the optimizer whose learning rates change.
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
        """The rate η₀·f(t)."""
        return base * self.lr_lambdas[group](step)


class MultiplicativeLR(LRScheduler):
    """ηₜ = ηₜ₋₁·f(t): each step multiplies the rate by a factor.

    optimizer: the optimizer whose learning rates change.
    lr_lambda: f, or a list of one for each group; it is called from step 1 on.

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
        """Multiply the rate by f(t)."""
        return now * self.lr_lambdas[group](step) if step else now


class StepLR(LRScheduler):
    """ηₜ = η₀·γ^⌊t / step_size⌋: the rate falls in stairs of equal length.

    optimizer: the optimizer whose learning rates change.
    step_size: the number of steps from stair to stair, at least 1.
    gamma: γ, the factor of each stair.

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
        """Multiply the rate by γ every step_size steps."""
        return now * self.gamma if step and step % self.step_size == 0 else now


class MultiStepLR(LRScheduler):
    """ηₜ = η₀·γⁿ, where n is the number of milestones up to t: the rate falls in stairs at given steps.

    optimizer: the optimizer whose learning rates change.
    milestones: the steps at which the rate falls, in any order.
    gamma: γ, the factor of each stair.

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
        """Multiply the rate by γ at each milestone, and by γ² at one that is there twice."""
        return now * self.gamma ** self.milestones.count(step)


class ExponentialLR(LRScheduler):
    """ηₜ = η₀·γᵗ: each step multiplies the rate by the same factor.

    optimizer: the optimizer whose learning rates change.
    gamma: γ, the factor.

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
        """Multiply the rate by γ."""
        return now * self.gamma if step else now


class ConstantLR(LRScheduler):
    """ηₜ = η₀·factor up to step total_iters, and η₀ from there on.

    optimizer: the optimizer whose learning rates change.
    factor: above 0, and at most 1.
    total_iters: the number of steps with the smaller rate, at least 1.

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
        """Multiply by the factor at step 0, and divide by it at step total_iters."""
        if step == 0:
            return now * self.factor
        return now / self.factor if step == self.total_iters else now

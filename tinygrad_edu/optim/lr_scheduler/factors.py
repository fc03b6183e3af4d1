"""Schedules that multiply the rate by a factor: by a function of the step, in stairs, or at each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tinygrad_edu.optim.lr_scheduler.scheduler import LRScheduler, PerGroup, at_least, whole
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.settings import number

Factor = Callable[[int], float]


class LambdaLR(LRScheduler):
    """ηₜ = η₀·f(t) for any function f. The rate is set, whatever it was before.

    optimizer: the optimizer whose learning rates change.
    lr_lambda: f, or a list of one for each group.
    last_epoch: the last step that is over, or −1 to begin; see `LRScheduler`.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=1.0)
    >>> scheduler = LambdaLR(optimizer, lambda t: 1 / (1 + t))
    >>> [(round(scheduler.get_last_lr()[0], 3), scheduler.step())[0] for _ in range(3)]
    [1.0, 0.5, 0.333]
    """

    absolute = True

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        _check_functions("LambdaLR", lr_lambda)
        self.lr_lambdas = PerGroup(lr_lambda, optimizer, "LambdaLR", "functions")
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """The rate η₀·f(t)."""
        return base * _asked("LambdaLR", self.lr_lambdas[group], step)


class MultiplicativeLR(LRScheduler):
    """ηₜ = ηₜ₋₁·f(t): each step multiplies the rate by a factor.

    optimizer: the optimizer whose learning rates change.
    lr_lambda: f, or a list of one for each group; it is called from step 1 on.
    last_epoch: the last step that is over, or −1 to begin; see `LRScheduler`.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=8.0)
    >>> scheduler = MultiplicativeLR(optimizer, lambda t: 1 / t)
    >>> [(round(scheduler.get_last_lr()[0], 3), scheduler.step())[0] for _ in range(4)]
    [8.0, 8.0, 4.0, 1.333]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        _check_functions("MultiplicativeLR", lr_lambda)
        self.lr_lambdas = PerGroup(lr_lambda, optimizer, "MultiplicativeLR", "functions")
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """Multiply the rate by f(t)."""
        return now * _asked("MultiplicativeLR", self.lr_lambdas[group], step) if step else now


class StepLR(LRScheduler):
    """ηₜ = η₀·γ^⌊t / step_size⌋: the rate falls in stairs of equal length.

    optimizer: the optimizer whose learning rates change.
    step_size: the number of steps from stair to stair, at least 1.
    gamma: γ, the factor of each stair.
    last_epoch: the last step that is over, or −1 to begin; see `LRScheduler`.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=8.0)
    >>> scheduler = StepLR(optimizer, step_size=2, gamma=0.5)
    >>> [(scheduler.get_last_lr()[0], scheduler.step())[0] for _ in range(5)]
    [8.0, 8.0, 4.0, 4.0, 2.0]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        whole("step_size", step_size, "StepLR", 1)
        at_least("StepLR", "gamma", gamma, 0)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """Multiply the rate by γ every step_size steps."""
        return now * self.gamma if step and step % self.step_size == 0 else now


class MultiStepLR(LRScheduler):
    """ηₜ = η₀·γⁿ, where n is the number of milestones up to t: the rate falls in stairs at given steps.

    optimizer: the optimizer whose learning rates change.
    milestones: the steps at which the rate falls, in any order.
    gamma: γ, the factor of each stair.
    last_epoch: the last step that is over, or −1 to begin; see `LRScheduler`.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=8.0)
    >>> scheduler = MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> [(scheduler.get_last_lr()[0], scheduler.step())[0] for _ in range(5)]
    [8.0, 4.0, 4.0, 2.0, 2.0]
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        at_least("MultiStepLR", "gamma", gamma, 0)
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """Multiply the rate by γ at each milestone, and by γ² at one that is there twice."""
        return now * self.gamma ** self.milestones.count(step)


class ExponentialLR(LRScheduler):
    """ηₜ = η₀·γᵗ: each step multiplies the rate by the same factor.

    optimizer: the optimizer whose learning rates change.
    gamma: γ, the factor.
    last_epoch: the last step that is over, or −1 to begin; see `LRScheduler`.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=8.0)
    >>> scheduler = ExponentialLR(optimizer, gamma=0.5)
    >>> [(scheduler.get_last_lr()[0], scheduler.step())[0] for _ in range(4)]
    [8.0, 4.0, 2.0, 1.0]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        at_least("ExponentialLR", "gamma", gamma, 0)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """Multiply the rate by γ."""
        return now * self.gamma if step else now


class ConstantLR(LRScheduler):
    """ηₜ = η₀·factor up to step total_iters, and η₀ from there on: training begins with a smaller rate.

    optimizer: the optimizer whose learning rates change.
    factor: above 0, and at most 1.
    total_iters: the number of steps with the smaller rate, at least 1.
    last_epoch: the last step that is over, or −1 to begin; see `LRScheduler`.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=8.0)
    >>> scheduler = ConstantLR(optimizer, factor=0.25, total_iters=2)
    >>> [(scheduler.get_last_lr()[0], scheduler.step())[0] for _ in range(4)]
    [2.0, 2.0, 8.0, 8.0]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        if not 0 < factor <= 1:
            raise ValueError(f"ConstantLR's factor is above 0 and at most 1, but got {factor}")
        at_least("ConstantLR", "total_iters", total_iters, 1)
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """Multiply by the factor at step 0, and divide by it at step total_iters."""
        if step == 0:
            return now * self.factor
        return now / self.factor if step == self.total_iters else now


def _check_functions(who: str, given: Any) -> None:
    """Raise TypeError for what is neither a function nor a list of them."""
    for function in given if isinstance(given, list | tuple) else [given]:
        if not callable(function):
            raise TypeError(
                f"{who} takes a function of the step, but got {function!r:.60}; write lambda t: {function!r:.60}"
            )


def _asked(who: str, function: Factor, step: int) -> float:
    """f(step). Raises TypeError or ValueError for what is no factor of a learning rate."""
    factor = number(function(step))
    if not isinstance(factor, int | float):
        raise TypeError(
            f"{who}'s function gives {type(factor).__name__} {factor!r:.60} at step {step}; a factor is a number"
        )
    if not factor >= 0:
        raise ValueError(f"{who}'s function gives {factor} at step {step}; a factor of a learning rate is from 0 up")
    return factor

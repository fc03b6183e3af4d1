"""Learning rates that change with time: each schedule says the next rate, from the step and from the rate now.

    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)
    for epoch in range(100):
        train(model, optimizer)
        scheduler.step()

ηₜ = rate(t, η₀, ηₜ₋₁), where t counts the calls of `step()`, η₀ is what the optimizer was made with, and ηₜ₋₁ is the rate
that the optimizer has now. Since a schedule changes the rate that it finds, several can be stepped on one optimizer,
and a rate that is set by hand in between is gone on from: a warm-up and stairs multiply. `LambdaLR` alone sets the rate
whatever it was. The formulas in the docstrings are those of a schedule that is alone.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tinygrad_edu.engine.elsewhere import answering
from tinygrad_edu.optim.optimizer import Optimizer


class LRScheduler:
    """The base of schedules, which say `rate`. Making one sets the rates of step 0.

    A schedule made after another on the same optimizer has the same η₀, and changes the rate that the other has set.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=1.0)
    >>> schedules = [LinearLR(optimizer, 0.1, total_iters=3), StepLR(optimizer, 3, 0.1)]
    >>> rates = []
    >>> for _ in range(5):
    ...     rates.append(round(optimizer.param_groups[0]["lr"], 3))
    ...     for schedule in schedules:
    ...         schedule.step()
    >>> rates
    [0.1, 0.4, 0.7, 0.1, 0.1]
    """

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__} takes an optimizer, but got {type(optimizer).__name__}")
        self.optimizer = optimizer
        self.last_epoch = 0
        self.base_lrs: list[float] = []
        for group in optimizer.param_groups:
            if group.initial_lr is None:
                group.initial_lr = group["lr"]
            self.base_lrs.append(group.initial_lr)
        self._set(0)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """The learning rate of a group after so many steps: `base` before the first, and `now` before this one."""
        raise NotImplementedError(f"{type(self).__name__} has no rate(self, step, base, now, group): write it")

    def step(self) -> None:
        """On to the next step: set the learning rate of each group."""
        self._set(self.last_epoch + 1)

    def get_last_lr(self) -> list[float]:
        """The learning rates of the groups, as this schedule last set them."""
        return list(self._last_lr)

    def _set(self, step: int, now: Sequence[float] | None = None) -> None:
        """Set the rates of a step; `now`, if not given, are those that the optimizer has."""
        groups = self.optimizer.param_groups
        before = [group["lr"] for group in groups] if now is None else now
        rates = [self.rate(step, *rate, i) for i, rate in enumerate(zip(self.base_lrs, before, strict=True))]
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
        self.last_epoch, self._last_lr = step, [group["lr"] for group in groups]

    def state_dict(self) -> dict[str, Any]:
        """The step, the rates before the first, and the last. What the schedule was made with is not in it."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs), "last_lr": self.get_last_lr()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the `state_dict()` of a schedule made alike.

        The rates now are the optimizer's: `optimizer.load_state_dict()` brings them back, after all schedules are made.
        Raises ValueError, and changes nothing, if the number of groups differs.
        """
        if len(state["base_lrs"]) != len(self.base_lrs):
            raise ValueError(
                f"the state is of {len(state['base_lrs'])} groups, but the optimizer has {len(self.base_lrs)}"
            )
        self.last_epoch, self.base_lrs, self._last_lr = (
            state["last_epoch"],
            list(state["base_lrs"]),
            list(state["last_lr"]),
        )
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group.initial_lr = base


class LambdaLR(LRScheduler):
    """ηₜ = η₀·f(t), for any function f, or one for each group, whatever the rate was before."""

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]]
    ) -> None:
        groups = len(optimizer.param_groups)
        self.lr_lambdas = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"LambdaLR got {len(self.lr_lambdas)} functions, but the optimizer has {groups} groups")
        super().__init__(optimizer)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """η₀·f(t)."""
        return base * self.lr_lambdas[group](step)


class StepLR(LRScheduler):
    """ηₜ = η₀·γ^⌊t / step_size⌋: stairs.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=8.0)
    >>> scheduler = StepLR(optimizer, step_size=2, gamma=0.5)
    >>> [(scheduler.get_last_lr()[0], scheduler.step())[0] for _ in range(5)]
    [8.0, 8.0, 4.0, 4.0, 2.0]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        if step_size < 1:
            raise ValueError(f"StepLR's step_size is at least 1, but got {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """γ times the rate, every step_size steps."""
        return now * self.gamma if step and step % self.step_size == 0 else now


class MultiStepLR(LRScheduler):
    """ηₜ = η₀·γⁿ, where n counts the milestones up to t."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """γ times the rate at each milestone; γ² times at one that is there twice."""
        return now * self.gamma ** self.milestones.count(step)


class ExponentialLR(LRScheduler):
    """ηₜ = η₀·γᵗ."""

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """γ times the rate."""
        return now * self.gamma if step else now


class LinearLR(LRScheduler):
    """ηₜ = η₀·(a + (b − a)·t/T) up to t = T, and η₀·b from there: a warm-up, from a = start_factor to b = end_factor."""

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
    ) -> None:
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR's factors are between 0 and 1, but got {start_factor} and {end_factor}")
        if total_iters < 1:
            raise ValueError(f"LinearLR's total_iters is at least 1, but got {total_iters}")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """The factor of this step over the one before, (a·(T − t) + b·t) / (a·(T − t + 1) + b·(t − 1)), times the rate."""
        if step == 0:
            return now * self.start_factor
        if step > self.total_iters:
            return now
        # no difference of the factors: at the end it would leave -1e-20 where b is 0, and no rate is negative
        height, before = [self.start_factor * (self.total_iters - t) + self.end_factor * t for t in (step, step - 1)]
        return now * height / before


class CosineAnnealingLR(LRScheduler):
    """ηₜ = η_min + (η₀ − η_min)·(1 + cos(π·t/T_max)) / 2: down to η_min in T_max steps, and up again after.

    Source: Loshchilov and Hutter, *SGDR: stochastic gradient descent with warm restarts* (2017), without the restarts.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=1.0)
    >>> scheduler = CosineAnnealingLR(optimizer, T_max=4)
    >>> [(round(scheduler.get_last_lr()[0], 3), scheduler.step())[0] for _ in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR's T_max is at least 1, but got {T_max}")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """The height above η_min in proportion to 1 + cos(π·t/T_max); from the bottom, where it is 0, up to that of η₀."""
        if step == 0:
            return now
        if (step - 1) % (2 * self.T_max) == self.T_max:  # the rate is η_min now, and no multiple leads up from there
            return now + (base - self.eta_min) * (1 - math.cos(math.pi / self.T_max)) / 2
        height, before = [1 + math.cos(math.pi * t / self.T_max) for t in (step, step - 1)]
        return self.eta_min + (now - self.eta_min) * height / before


class SequentialLR(LRScheduler):
    """One schedule after another: from each milestone on, the next, which begins there with its step 0.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=1.0)
    >>> scheduler = SequentialLR(
    ...     optimizer, [LinearLR(optimizer, 0.5, total_iters=2), CosineAnnealingLR(optimizer, 2)], milestones=[2]
    ... )
    >>> [(round(scheduler.get_last_lr()[0], 3), scheduler.step())[0] for _ in range(5)]
    [0.5, 0.75, 1.0, 0.5, 0.0]
    """

    def __init__(self, optimizer: Optimizer, schedulers: Iterable[LRScheduler], milestones: Iterable[int]) -> None:
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        if len(self.milestones) != len(self.schedulers) - 1 or self.milestones != sorted(set(self.milestones)):
            raise ValueError(
                f"SequentialLR needs growing milestones, one fewer than schedules, but got {self.milestones} "
                f"for {len(self.schedulers)}"
            )
        if any(scheduler.optimizer is not optimizer for scheduler in self.schedulers):
            raise ValueError("SequentialLR got a schedule of another optimizer")
        super().__init__(optimizer)

    def _set(self, step: int, now: Sequence[float] | None = None) -> None:
        """The schedule whose turn it is sets the rates; one that begins, from those before any schedule."""
        i = bisect_right(self.milestones, step)
        first = self.milestones[i - 1] if i else 0
        schedule = self.schedulers[i]
        schedule._set(step - first, schedule.base_lrs if step == first else now)
        self.last_epoch, self._last_lr = step, schedule.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """That of the schedule, and those of its parts."""
        return {**super().state_dict(), "schedulers": [schedule.state_dict() for schedule in self.schedulers]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the `state_dict()` of a schedule made alike.

        Raises ValueError, and changes nothing, if the number of groups or of parts differs.
        """
        if len(state["schedulers"]) != len(self.schedulers):
            raise ValueError(
                f"the state is of {len(state['schedulers'])} schedules, but this one has {len(self.schedulers)}"
            )
        super().load_state_dict(state)
        for schedule, own in zip(self.schedulers, state["schedulers"], strict=True):
            schedule.load_state_dict(own)


if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.optim.lr_scheduler",
        [name for name, value in globals().items() if isinstance(value, type) and issubclass(value, LRScheduler)],
        {
            "ReduceLROnPlateau": 'lower the rate by hand: for group in optimizer.param_groups: group["lr"] *= 0.1',
            "ChainedScheduler": "step the schedules one after another; they change the rate that they find",
            "ConstantLR CosineAnnealingWarmRestarts CyclicLR MultiplicativeLR OneCycleLR PolynomialLR": "write its factor of the rate at first as a function: LambdaLR(optimizer, lambda t: ...)",
        },
    )

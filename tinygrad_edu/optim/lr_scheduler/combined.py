"""Schedules that are made of others, which run one after another or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tinygrad_edu.optim.lr_scheduler.plateau import ReduceLROnPlateau
from tinygrad_edu.optim.lr_scheduler.scheduler import LRScheduler, whole
from tinygrad_edu.optim.optimizer import Optimizer


class _Combined(LRScheduler):
    """A schedule that has others as its parts; its state contains theirs."""

    schedulers: list[LRScheduler]

    def _parts(self, schedulers: Iterable[LRScheduler], optimizer: Optimizer | None) -> Optimizer:
        """Take the parts, and return their optimizer. Raises ValueError if they have several."""
        who = type(self).__name__
        self.schedulers = list(schedulers)
        if not self.schedulers:
            raise ValueError(f"{who} needs schedules, but got an empty list")
        own = self.schedulers[0].optimizer if optimizer is None else optimizer
        if any(scheduler.optimizer is not own for scheduler in self.schedulers):
            raise ValueError(f"{who} got a schedule of another optimizer")
        if any(isinstance(scheduler, ReduceLROnPlateau) for scheduler in self.schedulers):
            raise ValueError(
                f"{who} cannot step a ReduceLROnPlateau, which needs a number: step it beside, with the loss"
            )
        return own

    def state_dict(self) -> dict[str, Any]:
        """The state of every schedule, and those of the parts."""
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


class SequentialLR(_Combined):
    """Several schedules run one after another: at each milestone the next one takes over, and begins with its step 0.

    optimizer: the optimizer whose learning rates change.
    schedulers: the schedules, in their order.
    milestones: the steps at which the second begins, the third, and so on; they grow.
    last_epoch: the last step that is over, or −1 to begin; see `LRScheduler`.

    Raises ValueError for milestones that do not grow, or are not one fewer than the schedules.

    >>> import tinygrad_edu as tg
    >>> from tinygrad_edu.optim.lr_scheduler import CosineAnnealingLR, LinearLR
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=1.0)
    >>> scheduler = SequentialLR(
    ...     optimizer, [LinearLR(optimizer, 0.5, total_iters=2), CosineAnnealingLR(optimizer, 2)], milestones=[2]
    ... )
    >>> [(round(scheduler.get_last_lr()[0], 3), scheduler.step())[0] for _ in range(5)]
    [0.5, 0.75, 1.0, 0.5, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Iterable[LRScheduler],
        milestones: Iterable[int],
        last_epoch: int = -1,
    ) -> None:
        self._parts(schedulers, optimizer)
        self.milestones = list(milestones)
        if len(self.milestones) != len(self.schedulers) - 1 or self.milestones != sorted(set(self.milestones)):
            raise ValueError(
                f"SequentialLR needs growing milestones, one fewer than schedules, but got {self.milestones} "
                f"for {len(self.schedulers)}"
            )
        super().__init__(optimizer)
        whole("last_epoch", last_epoch, "SequentialLR", -1)
        for step in range(last_epoch + 1):  # the parts begin anew, so the steps that are over are gone through
            self.begin(step + 1)

    def begin(self, step: int, now: Sequence[float] | None = None) -> None:
        """Let the schedule whose turn it is set the rates. One that begins finds the rates before any schedule."""
        i = bisect_right(self.milestones, step)
        first = self.milestones[i - 1] if i else 0
        schedule = self.schedulers[i]
        schedule.begin(step - first, schedule.bases() if step == first else now)
        self.bases()
        self.last_epoch, self._last_lr = step, schedule.get_last_lr()


class ChainedScheduler(_Combined):
    """Several schedules run at once: each step is a step of each, which changes the rate that the one before has set.

    schedulers: the schedules, all of one optimizer.
    optimizer: the optimizer; it need not be given, as the schedules know it.

    Raises ValueError for schedules of several optimizers.

    >>> import tinygrad_edu as tg
    >>> from tinygrad_edu.optim.lr_scheduler import ConstantLR, ExponentialLR
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=1.0)
    >>> scheduler = ChainedScheduler([ConstantLR(optimizer, 0.1, total_iters=2), ExponentialLR(optimizer, 0.5)])
    >>> [(round(scheduler.get_last_lr()[0], 3), scheduler.step())[0] for _ in range(4)]
    [0.1, 0.05, 0.25, 0.125]
    """

    def __init__(self, schedulers: Iterable[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self.optimizer = self._parts(schedulers, optimizer)
        self.last_epoch, self.base_lrs = 0, []
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]  # the parts have begun already
        self.bases()

    def step(self) -> None:
        """Make a step of each schedule."""
        for schedule in self.schedulers:
            schedule.step()
        self.bases()
        self.last_epoch, self._last_lr = self.last_epoch + 1, self.schedulers[-1].get_last_lr()

    def begin(self, step: int, now: Sequence[float] | None = None) -> None:
        """Set all schedules to this step. The first finds the rates `now`, each other one those that the one before has
        set.
        """
        for i, schedule in enumerate(self.schedulers):
            schedule.begin(step, None if i else now)
        self.bases()
        self.last_epoch, self._last_lr = step, self.schedulers[-1].get_last_lr()

"""LRScheduler: the base of all schedules of learning rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from tinygrad_edu.engine.elsewhere import TellsArguments
from tinygrad_edu.optim.groups import Group
from tinygrad_edu.optim.optimizer import Optimizer

T = TypeVar("T")


class LRScheduler(TellsArguments):
    """The base of schedules: a subclass writes `rate`, the learning rate of a step. Making a schedule sets the rates of
    step 0.

    A schedule that is made after another on the same optimizer has the same η₀, and changes the rate that the other has
    set. Groups that are added to the optimizer later take part from then on, with the rate that they have.

    optimizer: the optimizer whose learning rates change.
    last_epoch: the last step that is over, or −1 to begin. The schedule then goes on at the step after it, whose rate the
        optimizer has already; it has the rate before any schedule, `initial_lr`, too. Its `load_state_dict()` brings both.

    Raises TypeError for what is no optimizer, ValueError for a group without that first rate.

    >>> import tinygrad_edu as tg
    >>> from tinygrad_edu.optim.lr_scheduler import LinearLR, StepLR
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

    absolute: ClassVar[bool] = False
    """Whether a rate follows from the step alone, whatever the rate before was."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__} takes an optimizer, but got {type(optimizer).__name__}")
        whole("last_epoch", last_epoch, type(self).__name__, -1)
        self.optimizer = optimizer
        self.last_epoch = last_epoch
        self.base_lrs: list[float] = []
        if last_epoch >= 0 and any(group.initial_lr is None for group in optimizer.param_groups):
            raise ValueError(
                f"{type(self).__name__} goes on after step {last_epoch}, but a group of the optimizer does not say its first rate; "
                'load the optimizer\'s state before, or write {"params": params, "initial_lr": 0.1} for the group'
            )
        if last_epoch < 0 or self.absolute:
            self.begin(last_epoch + 1)
        else:
            self.bases()
            self.last_epoch, self._last_lr = last_epoch + 1, [group["lr"] for group in optimizer.param_groups]

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """Compute the learning rate of a group for a step; a subclass writes this method.

        step: t, the number of steps so far.
        base: η₀, the rate before the first step.
        now: ηₜ₋₁, the rate that the group has.
        group: the number of the group.
        """
        raise NotImplementedError(f"{type(self).__name__} has no rate(self, step, base, now, group): write it")

    def step(self) -> None:
        """Go on to the next step: set the learning rate of each group."""
        self.begin(self.last_epoch + 1)

    def get_last_lr(self) -> list[float]:
        """The learning rates of the groups, as this schedule last set them."""
        return list(self._last_lr)

    def begin(self, step: int, now: Sequence[float] | None = None) -> None:
        """Set the rates of a step. `now` are the rates to begin from; by default those that the optimizer has."""
        groups = self.optimizer.param_groups
        before = [group["lr"] for group in groups] if now is None else now
        rates = [self.rate(step, *rate, i) for i, rate in enumerate(zip(self.bases(), before, strict=True))]
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
        self.last_epoch, self._last_lr = step, [group["lr"] for group in groups]

    def bases(self) -> list[float]:
        """The rate η₀ of each group, which it had before any schedule, or when it was added."""
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
            if group.initial_lr is None:
                group.initial_lr = group["lr"]
            self.base_lrs.append(group.initial_lr)
        return self.base_lrs

    def state_dict(self) -> dict[str, Any]:
        """The step, the rates before the first, and the last rates. What the schedule was made with is not in it."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs), "last_lr": self.get_last_lr()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the `state_dict()` of a schedule that was made alike.

        The present rates are the optimizer's: `optimizer.load_state_dict()` brings them back, after all schedules are
        made. Raises ValueError, and changes nothing, if the number of groups differs.
        """
        if not isinstance(state, Mapping) or not {"last_epoch", "base_lrs", "last_lr"} <= state.keys():
            raise ValueError(
                f"load_state_dict() takes what {type(self).__name__}.state_dict() gives, with last_epoch, base_lrs and last_lr, "
                f"but got {state!r:.60}"
            )
        whole("last_epoch", state["last_epoch"], type(self).__name__, 0)
        if len(state["base_lrs"]) != len(self.bases()):
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


class PerGroup(Generic[T]):
    """A value that a schedule was given for all groups, or a list of one for each. `values[i]` is that of group i.

    given: the value, or the list.
    optimizer: the optimizer that has the groups.
    who, what: the schedule and what is given, for errors.

    Raises ValueError for a list of another length.
    """

    def __init__(self, given: T | Sequence[T], optimizer: Optimizer, who: str, what: str) -> None:
        self._all: list[T] | None = list(given) if isinstance(given, list | tuple) else None
        self._given: Any = given
        self._called = f"{who} got {{}} {what}"
        if self._all is not None and isinstance(optimizer, Optimizer):
            self._refuse_length(len(optimizer.param_groups))

    def __getitem__(self, i: int) -> T:
        if self._all is None:
            return self._given
        if i >= len(self._all):
            self._refuse_length(i + 1)
        return self._all[i]

    def _refuse_length(self, groups: int) -> None:
        if self._all is not None and len(self._all) != groups:
            raise ValueError(f"{self._called.format(len(self._all))}, but the optimizer has {groups} groups")


def at_least(who: str, name: str, value: float, least: float) -> None:
    """Raise ValueError for a schedule's setting that is below the least value, TypeError for what is no number."""
    if not isinstance(value, int | float):
        raise TypeError(f"{who}'s {name} is a number, but got {type(value).__name__} {value!r:.60}")
    if not value >= least:
        raise ValueError(f"{who}'s {name} is at least {least}, but got {value}")


def whole(name: str, value: Any, who: str, least: int) -> None:
    """Raise TypeError for what is no whole number, ValueError for one that is below the least one."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{who}'s {name} is a whole number, but got {type(value).__name__} {value!r:.60}")
    at_least(who, name, int(value), least)


def set_momentum(group: Group, momentum: float) -> None:
    """Set what a rule calls momentum: its setting of that name, or else the first of its betas."""
    if "momentum" in group:
        group["momentum"] = momentum
    else:
        group["betas"] = (momentum, *group["betas"][1:])

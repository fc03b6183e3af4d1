"""Schedules by which the rate goes up and down, and the momentum down and up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from tinygrad_edu.optim.lr_scheduler.scheduler import LRScheduler, PerGroup, at_least, set_momentum
from tinygrad_edu.optim.optimizer import Optimizer

Each = float | Sequence[float]
"""A number for all groups, or a list of one for each."""


class Cycle(LRScheduler):
    """The base of schedules that change the momentum too: a rule's setting of that name, or else the first of its
    betas.

    Where the momentum changes, the velocity has been gathered with other shares than those that apply now.
    """

    cycle_momentum: bool

    def momentum(self, step: int, group: int) -> float:
        """Compute the momentum of a group for a step; a subclass writes this method."""
        raise NotImplementedError(f"{type(self).__name__} has no momentum(self, step, group): write it")

    def begin(self, step: int, now: Sequence[float] | None = None) -> None:
        """Set the rates and the momenta of a step."""
        super().begin(step, now)
        if self.cycle_momentum:
            for i, group in enumerate(self.optimizer.param_groups):
                set_momentum(group, self.momentum(step, i))

    def refuse_without_momentum(self, optimizer: Optimizer) -> None:
        """Raise ValueError for an optimizer whose rule has no momentum to change."""
        if self.cycle_momentum and not optimizer.defaults.keys() & {"momentum", "betas"}:
            who = type(self).__name__
            raise ValueError(
                f"{who} changes the momentum, which {type(optimizer).__name__} has not: write {who}(…, cycle_momentum=False)"
            )


class CyclicLR(Cycle):
    """ηₜ = η_low + (η_high − η_low)·h·s, where h goes from 0 to 1 and back along lines, again and again, and s scales
    each cycle.

    The momentum goes the other way, from its highest down to its lowest and back. Both are set, whatever they were
    before.

    optimizer: the optimizer whose learning rates change.
    base_lr, max_lr: η_low and η_high, or lists of one for each group.
    step_size_up: the number of steps up, at least 1.
    step_size_down: the number of steps down; None stands for as many as up.
    mode: "triangular" keeps s = 1, "triangular2" halves s in each cycle, and "exp_range" makes it γᵗ.
    gamma: γ, for the mode "exp_range".
    scale_fn: a function that gives s instead of a mode, of the cycle, 1, 2, …, or of the step t.
    scale_mode: "cycle" or "iterations", which says what scale_fn is called with.
    cycle_momentum: whether the momentum changes.
    base_momentum, max_momentum: the lowest and the highest momentum, or lists of one for each group.
    last_epoch: the last step that is over, or −1 to begin; see `LRScheduler`.

    Raises ValueError for an optimizer without a momentum, unless `cycle_momentum=False`.

    Source: Smith, *Cyclical learning rates for training neural networks* (2017).

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=1.0)
    >>> scheduler = CyclicLR(optimizer, base_lr=1.0, max_lr=5.0, step_size_up=2, mode="triangular2")
    >>> [(scheduler.get_last_lr()[0], scheduler.step())[0] for _ in range(9)]
    [1.0, 3.0, 5.0, 3.0, 1.0, 2.0, 3.0, 2.0, 1.0]
    """

    absolute = True

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: Each,
        max_lr: Each,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Each = 0.8,
        max_momentum: Each = 0.9,
        last_epoch: int = -1,
    ) -> None:
        at_least("CyclicLR", "step_size_up", step_size_up, 1)
        self.up, self.down = step_size_up, step_size_up if step_size_down is None else step_size_down
        at_least("CyclicLR", "step_size_down", self.down, 1)
        scales: dict[str, tuple[Callable[[float], float], str]] = {
            "triangular": (lambda cycle: 1.0, "cycle"),
            "triangular2": (lambda cycle: 0.5 ** (cycle - 1), "cycle"),
            "exp_range": (lambda t: gamma**t, "iterations"),
        }
        if scale_fn is None and mode not in scales:
            raise ValueError(f"CyclicLR's mode is {', '.join(map(repr, scales))}, but got {mode!r}; or write scale_fn=")
        if scale_mode not in ("cycle", "iterations"):
            raise ValueError(f"CyclicLR's scale_mode is 'cycle' or 'iterations', but got {scale_mode!r}")
        self.scale, self.scaled_by = (scale_fn, scale_mode) if scale_fn is not None else scales[mode]
        self.cycle_momentum = cycle_momentum
        self.lows = PerGroup(base_lr, optimizer, "CyclicLR", "values of base_lr")
        self.highs = PerGroup(max_lr, optimizer, "CyclicLR", "values of max_lr")
        self.lowest = PerGroup(base_momentum, optimizer, "CyclicLR", "values of base_momentum")
        self.highest = PerGroup(max_momentum, optimizer, "CyclicLR", "values of max_momentum")
        if isinstance(optimizer, Optimizer):
            self.refuse_without_momentum(optimizer)
            for i, group in enumerate(optimizer.param_groups):
                at_least("CyclicLR", "base_lr", self.lows[i], 0)
                at_least("CyclicLR", "max_lr", self.highs[i], 0)
                if last_epoch < 0:
                    group["lr"] = self.lows[i]
        super().__init__(optimizer, last_epoch)

    def height(self, step: int) -> float:
        """The height h·s of a step, between 0 and s."""
        length = self.up + self.down
        cycle, passed = 1 + step // length, step % length
        height = passed / self.up if passed <= self.up else (length - passed) / self.down
        return height * self.scale(cycle if self.scaled_by == "cycle" else step)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """The rate η_low + (η_high − η_low)·h·s."""
        return self.lows[group] + (self.highs[group] - self.lows[group]) * self.height(step)

    def momentum(self, step: int, group: int) -> float:
        """The highest momentum less h·s times the difference between the highest and the lowest."""
        return self.highest[group] - (self.highest[group] - self.lowest[group]) * self.height(step)


class OneCycleLR(Cycle):
    """One cycle over a whole training: the rate rises from η_max / div_factor to η_max, and falls to nearly 0.

    With T steps, it rises until step pct_start·T − 1, and falls until T − 1, to η_max / (div_factor·final_div_factor).
    In three phases it first falls to where it began, in as many steps as it rose. The momentum goes the other way, from
    its highest down to its lowest and back. Both are set, whatever they were before. Call `step()` after each batch.

    optimizer: the optimizer whose learning rates change.
    max_lr: η_max, or a list of one for each group.
    total_steps: T; or give epochs and steps_per_epoch, whose product it is.
    epochs, steps_per_epoch: how long the training is, instead of total_steps.
    pct_start: the share of the steps in which the rate rises, from 0 to 1.
    anneal_strategy: "cos" goes along half a cosine, "linear" along a line.
    cycle_momentum: whether the momentum changes.
    base_momentum, max_momentum: the lowest and the highest momentum, or lists of one for each group.
    div_factor: η_max divided by the first rate.
    final_div_factor: the first rate divided by the last.
    three_phase: whether the rate falls in two phases.
    last_epoch: the last step that is over, or −1 to begin; see `LRScheduler`.

    Raises ValueError for a step beyond the last, and for an optimizer without a momentum, unless
    `cycle_momentum=False`.

    Source: Smith and Topin, *Super-convergence: very fast training of neural networks using large learning rates*
    (2018).

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=1.0)
    >>> scheduler = OneCycleLR(optimizer, max_lr=8.0, total_steps=6, pct_start=0.5, div_factor=4, anneal_strategy="linear")
    >>> [(round(scheduler.get_last_lr()[0], 3), scheduler.step())[0] for _ in range(6)]
    [2.0, 5.0, 8.0, 5.333, 2.667, 0.0]
    """

    absolute = True

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Each,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: Each = 0.85,
        max_momentum: Each = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError(
                    "OneCycleLR needs to know when it ends: write total_steps=, or epochs= and steps_per_epoch=len(loader)"
                )
            total_steps = epochs * steps_per_epoch
        at_least("OneCycleLR", "total_steps", total_steps, 1)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR's pct_start is between 0 and 1, but got {pct_start}")
        self.total_steps, self.anneal = total_steps, annealing("OneCycleLR", anneal_strategy)
        turn, last = pct_start * total_steps - 1, total_steps - 1
        self.ends = [turn, 2 * pct_start * total_steps - 2, last] if three_phase else [turn, last]
        self.cycle_momentum = cycle_momentum
        self.highs = PerGroup(max_lr, optimizer, "OneCycleLR", "values of max_lr")
        self.lowest = PerGroup(base_momentum, optimizer, "OneCycleLR", "values of base_momentum")
        self.highest = PerGroup(max_momentum, optimizer, "OneCycleLR", "values of max_momentum")
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        if isinstance(optimizer, Optimizer):
            self.refuse_without_momentum(optimizer)
            for i, group in enumerate(optimizer.param_groups):
                at_least("OneCycleLR", "max_lr", self.highs[i], 0)
                group.initial_lr = self.highs[i] / div_factor
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """The rate on its way up from the first to the highest, and down to the last."""
        high = self.highs[group]
        first = high / self.div_factor
        last = first / self.final_div_factor
        return self._at(step, [first, high, *([first] if len(self.ends) == 3 else []), last])

    def momentum(self, step: int, group: int) -> float:
        """The momentum on its way down from the highest to the lowest, and up again."""
        high = self.highest[group]
        return self._at(step, [high, self.lowest[group], high, high])

    def _at(self, step: int, corners: Sequence[float]) -> float:
        """The value at a step, between the corners at which the phases begin and end."""
        if step > self.total_steps:
            raise ValueError(
                f"OneCycleLR was made for {self.total_steps} steps, and this is step {step}: make it with the total_steps of the "
                "whole training, and step it once a batch"
            )
        phase = next((i for i, end in enumerate(self.ends) if step <= end), len(self.ends) - 1)
        start, end = self.ends[phase - 1] if phase else 0, self.ends[phase]
        return self.anneal(corners[phase], corners[phase + 1], (step - start) / (end - start) if end > start else 1.0)


def annealing(who: str, strategy: str) -> Callable[[float, float, float], float]:
    """A way from one number to another: a function of both numbers, and of the share of the way that is behind."""
    ways: dict[str, Callable[[float, float, float], float]] = {
        "cos": lambda a, b, share: b + (a - b) * (1 + math.cos(math.pi * share)) / 2,
        "linear": lambda a, b, share: a + (b - a) * share,
    }
    if strategy not in ways:
        raise ValueError(f"{who}'s anneal_strategy is 'cos' or 'linear', but got {strategy!r}")
    return ways[strategy]

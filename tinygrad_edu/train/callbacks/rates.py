"""LearningRateFinder: tries learning rates, and takes one that is neither too small to learn nor too large."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from tinygrad_edu.train.callbacks.callback import Callback

if TYPE_CHECKING:
    from tinygrad_edu.train.trainer import Trainer


class LearningRateFinder(Callback):
    """Before training, tries rates that grow from step to step, and takes the rate at which the loss falls fastest.

    The rate of step k of n is lowest·(highest / lowest)^(k / (n − 1)). The loss is smoothed as a running mean that
    keeps 0.9 of the past, corrected for its beginning at 0. The trial ends early where the smoothed loss is over four
    times its least. The rate that is taken is the one at the steepest fall of the smoothed loss over log(rate). Apart
    from the rate, model, optimizer and random numbers are afterwards as they were before the trial.

    Afterwards `rates` and `losses` (smoothed) are what was tried, and `suggestion` is the rate.

    lowest, highest: the first and the last rate of the trial.
    steps: how many steps it takes, at least 3.
    apply: whether the optimizer gets the rate; otherwise it is only found.

    Raises RuntimeError, when training begins, where the loss never fell.

    Source: Smith, *Cyclical learning rates for training neural networks* (2017), section 3.3.

    >>> LearningRateFinder(1e-5, 10.0)
    LearningRateFinder(lowest=1e-05, highest=10.0, steps=100)
    """

    def __init__(self, lowest: float = 1e-6, highest: float = 10.0, steps: int = 100, *, apply: bool = True) -> None:
        if not 0 < lowest < highest < math.inf or steps < 3:
            raise ValueError(
                f"LearningRateFinder takes 0 < lowest < highest and 3 steps or more, but got {lowest}, {highest} and {steps}"
            )
        self.lowest, self.highest, self.steps, self.apply = lowest, highest, steps, apply
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.suggestion: float | None = None

    def on_fit_begin(self, trainer: Trainer) -> None:
        """Try the rates, unless that has been done: a training that is resumed has its rate."""
        if self.suggestion is not None:
            return
        with trainer.trial() as batches:
            self._try(trainer, batches)
        self.suggestion = self._steepest()
        if self.apply:
            for group in trainer.optimizer.param_groups:
                group["lr"] = self.suggestion
        trainer.say(f"the loss falls fastest at a learning rate of {self.suggestion:.3g}")

    def _try(self, trainer: Trainer, batches: Any) -> None:
        """Take the steps, and keep rates and losses."""
        mean, least = 0.0, math.inf
        endless = chain.from_iterable(repeat(batches))
        for k in range(self.steps):
            rate = self.lowest * (self.highest / self.lowest) ** (k / (self.steps - 1))
            for group in trainer.optimizer.param_groups:
                group["lr"] = rate
            loss = trainer.train_on(next(endless))
            mean = 0.9 * mean + 0.1 * loss
            smooth = mean / (1 - 0.9 ** (k + 1))
            if not math.isfinite(smooth) or smooth > 4 * least > 0:
                break
            least = min(least, smooth)
            self.rates.append(rate)
            self.losses.append(smooth)

    def _steepest(self) -> float:
        """The rate between those two neighbours between which the loss falls most."""
        falls = [after - before for before, after in zip(self.losses, self.losses[2:], strict=False)]
        if not falls or min(falls) >= 0:
            raise RuntimeError(
                f"the loss never fell at rates from {self.lowest:g} to {self.highest:g}; try others, LearningRateFinder(lowest, highest)"
            )
        return self.rates[1 + falls.index(min(falls))]

    def state_dict(self) -> dict[str, Any]:
        """What was tried and found."""
        return {"rates": self.rates, "losses": self.losses, "suggestion": self.suggestion}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what was tried and found."""
        self.rates, self.losses, self.suggestion = list(state["rates"]), list(state["losses"]), state["suggestion"]

    def __repr__(self) -> str:
        return f"LearningRateFinder(lowest={self.lowest}, highest={self.highest}, steps={self.steps})"

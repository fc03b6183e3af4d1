"""One step of training, of evaluation, and of a schedule. The first two are functions of tensors, so they can be
replayed.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

from tinygrad_edu.nn import Module
from tinygrad_edu.nn.utils import clip_grad_norm_
from tinygrad_edu.optim import Optimizer


def training_step(
    model: Module,
    optimizer: Optimizer,
    loss_of: Callable[[Any, Any], Any],
    clip: float | None,
    *,
    gives_prediction: bool,
) -> Callable[..., tuple[Any, ...]]:
    """Make a function of a batch that updates the model, and gives the loss before the update.

    model, optimizer: what is trained.
    loss_of: the loss, as a function of prediction and target.
    clip: the largest norm of all gradients together, or None.
    gives_prediction: whether the function gives the prediction too.
    """
    learnt = [p for group in optimizer.param_groups for p in group["params"]]

    def step(*batch: Any) -> tuple[Any, ...]:
        given: list[Any] = []

        def closure() -> Any:
            prediction = model(*batch[:-1])
            given.append(prediction)
            loss = loss_of(prediction, batch[-1])
            optimizer.zero_grad()
            loss.backward(retain_graph=False)
            if clip is not None:
                clip_grad_norm_(learnt, clip)
            return loss

        loss = optimizer.step(closure)  # which calls the closure once, or as often as L-BFGS needs
        return (loss, given[0]) if gives_prediction else (loss,)

    return step


def judging_step(model: Module, loss_of: Callable[[Any, Any], Any]) -> Callable[..., tuple[Any, Any]]:
    """Make a function of a batch that gives the loss and the prediction."""

    def judge(*batch: Any) -> tuple[Any, Any]:
        prediction = model(*batch[:-1])
        return loss_of(prediction, batch[-1]), prediction

    return judge


def advance(scheduler: Any, value: float) -> None:
    """Step a schedule; give it the value if it takes one."""
    needs = [p for p in signature(scheduler.step).parameters.values() if p.default is Parameter.empty]
    scheduler.step(value) if needs else scheduler.step()

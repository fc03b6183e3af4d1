"""What the watched methods of optimizers mean while a function is recorded for replay: a step is recorded too.

The rule runs on tensors. The learning rate, and what else `at_step` says anew for each step, is fed before each run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_edu.engine.elsewhere import refuse_zeros
from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.engine.registry import Edits, tick
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn import Module
from tinygrad_edu.optim.blocks import refuse_result
from tinygrad_edu.optim.groups import ALONE, Group, Member
from tinygrad_edu.optim.lbfgs import LBFGS
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.swa_utils import AveragedModel
from tinygrad_edu.program.tape import Tape, reading, refuse


@reading(Group.__getitem__)
def setting(tape: Tape, as_written: Any, group: Group, key: str) -> Any:
    """The program holds as long as the setting is what it is now."""
    value = as_written(group, key)
    if key != "params" and tape.turn((id(group), key)) == 1:  # one guard for each setting, however often it is read
        tape.guard(lambda: group.settings[key] == value)
    return value


@reading(Group.__setitem__)
def set_setting(tape: Tape, as_written: Any, group: Group, key: str, value: Any) -> None:
    """Refused: a replay runs no Python, so the setting would be set at recording alone."""
    refuse(f"{key} of an optimizer was set", "set it, or call scheduler.step(), between calls")


@reading(Optimizer.state_dict)
def state_dict(tape: Tape, as_written: Any, optimizer: Optimizer) -> Any:
    """Refused: every later run would return the state of this one."""
    refuse("state_dict() of an optimizer was called", "save between calls")


@reading(Optimizer.load_state_dict)
def load_state_dict(tape: Tape, as_written: Any, optimizer: Optimizer, state: Any) -> None:
    """Refused: a replay runs no Python, so the state would be loaded at recording alone."""
    refuse("load_state_dict() of an optimizer was called", "load between calls")


@reading(LBFGS.step)
def lbfgs_step(tape: Tape, as_written: Any, optimizer: LBFGS, closure: Any = None) -> Any:
    """Refused: how far it goes is decided in Python, by numbers that are others in each run."""
    refuse(
        "LBFGS.step() was called, which decides by the value of the loss how often it runs the closure and how far it goes,",
        "call it outside, and replay the closure: optimizer.step(tg.replay(closure))",
    )


@reading(Optimizer.add_param_group)
def add_param_group(tape: Tape, as_written: Any, optimizer: Optimizer, param_group: Any) -> None:
    """Refused: a replay runs no Python, so the group would be added at recording alone."""
    refuse("add_param_group() of an optimizer was called", "call it between calls")


@reading(Optimizer.zero_grad)
def zero_grad(tape: Tape, as_written: Any, optimizer: Optimizer, set_to_none: bool = True) -> None:
    """Clear the gradients, and note that later runs do not depend on what they were before."""
    refuse_zeros(set_to_none)
    for group in optimizer.param_groups:
        for member in group.members:
            p = member.param
            member.look(anew=True)
            tape.reset(p)
            p.held_grad = None


@reading(Optimizer.step)
def step(tape: Tape, as_written: Any, optimizer: Optimizer, closure: Callable[[], Any] | None = None) -> Any:
    """Each update is recorded, after the closure.

    The numbers of steps are advanced after each run that succeeds; so what is fed counts on from there, by how often
    the recorded function has already updated the parameter. Parameters share what is fed if they have taken as many
    steps, which the guard sees to.
    """
    loss = None if closure is None else optimizer.evaluated(closure)
    members: list[Member] = []
    states, begun, groups = [], [], len(optimizer.param_groups)
    for group in optimizer.param_groups:
        settings = group.settings
        tape.guard(_alike(optimizer, settings))
        numbers: dict[int, Numbers] = {}
        for member in group.members:
            p = member.param
            member.look(anew=True)
            tape.slope(p)
            if p.held_grad is not None:
                members.append(member)
                states.append(member.state)
                begun.append(member.steps)
                g = -p.held_grad if settings["maximize"] else p.held_grad
                ahead = tape.turn(member)
                now = numbers.setdefault(member.steps + ahead, Numbers(optimizer, member, ahead, settings))
                _update(tape, optimizer, p, g, member, now)

    def unchanged() -> bool:
        ahead = {member.steps - steps for member, steps in zip(members, begun, strict=True)}
        return (
            groups == len(optimizer.param_groups)
            and len(ahead) <= 1
            and all(m.state is state for m, state in zip(members, states, strict=True))
        )

    tape.check(unchanged)
    held = [member for member in members if member.held]
    if held:
        tape.guard(lambda: min(map(Member.holders, held)) > ALONE)
    apart = len(members) < sum(len(group.members) for group in optimizer.param_groups)

    def advance() -> None:
        for member in members:
            member.steps += 1
        if apart:  # parameters that were left out are a step behind now, so records that step all must look again
            Edits.note()

    tape.after(advance)
    return loss


def _update(
    tape: Tape,
    optimizer: Optimizer,
    p: Tensor,
    g: Tensor,
    member: Member,
    now: Numbers,
) -> None:
    """The rule on one parameter and its gradient: the settings are as they are now, and the numbers of a step are fed."""
    begun = member.begun(optimizer.start(now.settings))
    state = {key: tape.leaf(member.state, key, f"{p.name or 'p'}.{key}") for key in begun}
    fed = {
        key: tape.feed(now.filling(key), (), p.dtype, name=key, once=(id(now), p.dtype, key), said=(now.at_step, key))
        for key in optimizer.named(now.at_step())
    }
    since = tick()
    settings = {**optimizer.named(now.settings), **fed}
    new, result = made = no_grad().run(type(optimizer).update, p, g, state, **settings)
    refuse_result(type(optimizer).__name__, made, p, state)
    for key, leaf in state.items():
        if result[key] is not leaf:
            tape.write(leaf, result[key])
    tape.write(p, new)
    tape.let_go(since)


@reading(AveragedModel.update_parameters)
def update_parameters(tape: Tape, as_written: Any, averaged: AveragedModel, model: Module) -> None:
    """Record each running mean, and, since the first one is a copy, a choice by the count of models."""
    count = averaged.n_averaged

    def mean(mine: Tensor, its: Tensor) -> Any:
        return np.where(count == 0, its, averaged.avg_fn(mine, its, count.astype(mine.dtype)))

    for mine, its, averages in list(averaged.pairs(model)):
        tape.write(mine, no_grad().run(mean, mine, its) if averages else its)
    tape.write(count, no_grad().run(lambda: count + 1))


class Numbers:
    """What `at_step` says before each run of a program, for the parameters that have taken as many steps.

    It is asked once for all of its numbers, as long as neither the step nor a setting is another.

    member: one of these parameters. ahead: how often the function updates them up to here. settings: those of the group.
    """

    def __init__(self, optimizer: Optimizer, member: Member, ahead: int, settings: dict[str, Any]) -> None:
        self.optimizer, self.member, self.ahead, self.settings = optimizer, member, ahead, settings
        self._known: tuple[int, dict[str, Any], dict[str, float]] = (0, {}, {})

    def at_step(self) -> dict[str, float]:
        """The numbers of the step that comes."""
        step, (known, settings, numbers) = self.member.steps + self.ahead, self._known
        if settings != self.settings:
            known, settings = 0, {**self.settings}
        if known != step:
            numbers = self.optimizer.at_step(step, settings)
            self._known = step, settings, numbers
        return numbers

    def filling(self, key: str) -> Callable[[Any], None]:
        """Return a function that fills an array with one of the numbers of the next step."""
        return lambda array: array.fill(self.at_step()[key])


def _alike(optimizer: Optimizer, settings: dict[str, Any]) -> Callable[[], bool]:
    """Whether a program that was recorded under these settings serves under what they are when it is asked.

    The settings that the rule names are constants in it, unless `at_step` says them anew. What the rule keeps, and what
    `at_step` says, have to be of the same names.
    """

    def names() -> tuple[list[str], list[str]]:
        return list(optimizer.start(settings)), list(optimizer.at_step(1, settings))

    made_with, found = {**settings}, names()
    fixed = [key for key in ("maximize", *optimizer.named(settings)) if key not in found[1]]

    def alike() -> bool:
        nonlocal made_with
        if settings == made_with:
            return True
        if any(settings[key] != made_with[key] for key in fixed) or names() != found:
            return False
        made_with = {**settings}
        return True

    return alike

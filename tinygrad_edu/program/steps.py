"""What the watched methods of optimizers mean while a function is recorded for replay: a step is recorded too.

The rule runs on tensors. The learning rate, and what else `at_step` says anew for each step, is fed before each run.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from tinygrad_edu.engine.elsewhere import refuse_zeros
from tinygrad_edu.engine.graph import Edits
from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.engine.registry import tick
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.optim.lbfgs import LBFGS
from tinygrad_edu.optim.optimizer import ALONE, Group, Member, Optimizer
from tinygrad_edu.program.tape import Tape, reading, refuse


@reading(Group.__getitem__)
def setting(tape: Tape, as_written: Any, group: Group, key: str) -> Any:
    """The program holds as long as the setting is what it is now."""
    value = as_written(group, key)
    if key != "params" and tape.turn((id(group), key)) == 1:  # what is read once more is no further guard
        tape.guard(lambda: group.settings[key] == value)
    return value


@reading(Group.__setitem__)
def set_setting(tape: Tape, as_written: Any, group: Group, key: str, value: Any) -> None:
    """Refused: Python does not set it again."""
    refuse(f"{key} of an optimizer was set", "set it, or call scheduler.step(), between calls")


@reading(Optimizer.state_dict)
def state_dict(tape: Tape, as_written: Any, optimizer: Optimizer) -> Any:
    """Refused: it would be that of this run."""
    refuse("state_dict() of an optimizer was called", "save between calls")


@reading(Optimizer.load_state_dict)
def load_state_dict(tape: Tape, as_written: Any, optimizer: Optimizer, state: Any) -> None:
    """Refused: Python does not load it again."""
    refuse("load_state_dict() of an optimizer was called", "load between calls")


@reading(LBFGS.step)
def lbfgs_step(tape: Tape, as_written: Any, optimizer: LBFGS, closure: Any = None) -> Any:
    """Refused: Python decides by numbers."""
    refuse(
        "LBFGS.step() was called, which decides by the value of the loss how often it runs the closure and how far it goes,",
        "call it outside, and replay the closure: optimizer.step(tg.replay(closure))",
    )


@reading(Optimizer.add_param_group)
def add_param_group(tape: Tape, as_written: Any, optimizer: Optimizer, param_group: Any) -> None:
    """Refused: Python does not add it again."""
    refuse("add_param_group() of an optimizer was called", "call it between calls")


@reading(Optimizer.zero_grad)
def zero_grad(tape: Tape, as_written: Any, optimizer: Optimizer, set_to_none: bool = True) -> None:
    """What the gradients were before the run does not matter any more."""
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
        fixed = {key: value for key, value in settings.items() if key not in optimizer.at_step(1, settings)}
        if fixed:
            tape.guard(_stay(settings, fixed))
        for member in group.members:
            p = member.param
            member.look(anew=True)
            tape.slope(p)
            if p.held_grad is not None:
                members.append(member)
                states.append(member.state)
                begun.append(member.steps)
                g = -p.held_grad if settings["maximize"] else p.held_grad
                _update(tape, optimizer, p, g, member, settings, fixed)

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
        if apart:  # some others, which another record may step with these, are behind now
            Edits.note()

    tape.after(advance)
    return loss


def _update(
    tape: Tape,
    optimizer: Optimizer,
    p: Tensor,
    g: Tensor,
    member: Member,
    settings: dict[str, Any],
    fixed: Mapping[str, Any],
) -> None:
    """The rule on one parameter and its gradient, with the settings that are `fixed` in the program, and the others fed."""
    state = {
        key: tape.leaf(array, f"{p.name or 'p'}.{key}") for key, array in optimizer.begun(member, settings).items()
    }
    turn = tape.turn(member)

    def feed(key: str) -> Tensor:
        def fill(array: Any) -> None:
            array.fill(optimizer.at_step(member.steps + turn, settings)[key])

        return tape.feed(fill, (), p.dtype, name=key, once=(id(settings), p.dtype, member.steps + turn, key))

    fed = {key: feed(key) for key in optimizer.at_step(member.steps + turn, settings)}
    since = tick()
    new, result = made = no_grad().run(type(optimizer).update, p, g, state, **optimizer.named({**fixed, **fed}))
    optimizer.refuse_result(made, p, state)
    for key, leaf in state.items():
        if result[key] is not leaf:
            tape.write(leaf, result[key])
    tape.write(p, new)
    tape.let_go(since)


def _stay(settings: Mapping[str, Any], fixed: Mapping[str, Any]) -> Callable[[], bool]:
    """Whether the settings in `fixed` are still so."""
    pick = operator.itemgetter(*fixed)
    values = pick(fixed)
    return lambda: bool(pick(settings) == values)

"""Optimizer: the base of all rules of learning.

A rule is a pure function in plain NumPy, `update(param, grad, state, out={}, **settings) -> new param, new state`. It
reads as its formula, and when it is run on tensors it records. The optimizer runs it over parts of each parameter (see
`blocks`). `out` holds the parts themselves, into which the last operations may write; what they did not write is
copied. Numbers that differ from step to step (the learning rate, Adam's correction of bias) are computed outside the
rule, by `at_step`.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, InitVar
from typing import Any, ClassVar, NoReturn, TypeVar, overload

import numpy as np

from tinygrad_edu.engine.elsewhere import meant, refuse_zeros
from tinygrad_edu.engine.recording import enable_grad, watched
from tinygrad_edu.engine.registry import Edits
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.ops.memory import keep_freed_memory
from tinygrad_edu.optim.blocks import Rule, write
from tinygrad_edu.optim.given import Parameters, listed, refuse_unfit
from tinygrad_edu.optim.groups import ALONE, Group, State
from tinygrad_edu.optim.settings import Declared, Switch, number

Loss = TypeVar("Loss")


class Optimizer(Declared):
    """The base of `SGD` and the others: it updates parameters by a rule, which a subclass writes as `update`.

    A subclass may also write `start` (what is kept for each parameter), `at_step` (numbers that change from step to
    step) and `check`. It declares its settings with the bounds of `optim.settings`, `lr: InitVar[NotNegative] = 0.01`;
    a class that declares none hands them to `super().__init__(params, lr=lr)`.

    params: the tensors to learn, or groups of them with settings of their own, `[{"params": [w], "lr": 0.1}, ...]`.
    maximize: whether to go up the gradient instead of down; the rule is then given −g.

    A setting is changed in its group: `optimizer.param_groups[0]["lr"] = 0.01`.

    Raises ValueError for no parameters and for one that is there twice, TypeError for what is not a leaf of floats.

    >>> import numpy as np
    >>> import tinygrad_edu as tg
    >>> from tinygrad_edu.optim.settings import NotNegative
    >>> class SignDescent(Optimizer):
    ...     lr: InitVar[NotNegative] = 0.01
    ...     @staticmethod
    ...     def update(param, grad, state, out={}, *, lr):
    ...         return param - lr * np.sign(grad), state
    >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = SignDescent([w], lr=0.5)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [2.5, 3.5]
    """

    __slots__ = ("__weakref__", "defaults", "param_groups")

    params: InitVar[Parameters]
    _: KW_ONLY
    maximize: InitVar[Switch] = False

    update: ClassVar[Rule]
    """The rule: `update(param, grad, state, out={}, **settings) -> new param, new state`. It is given those settings, and
    those numbers of `at_step`, that it names."""

    def __init__(self, params: Parameters, *, maximize: bool = False, **settings: Any) -> None:
        self.defaults = {**settings, "maximize": maximize}
        self._check_rule()
        self.param_groups: list[Group] = []
        self._take(self._grouped(params, set()))
        keep_freed_memory()  # for the steps that come
        for name in getattr(self, "__dict__", {}):
            self._refuse_setting(name, "...")

    def __post_init__(self, *values: Any) -> None:
        """Begin with the settings that a rule declared: the `__init__` that is made from them calls this."""
        Optimizer.__init__(self, **dict(zip(self.declared, values, strict=True)))

    @watched
    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Learn further parameters: `{"params": [w], "lr": 0.1}`. Settings that the group does not name are the
        optimizer's own.
        """
        if not isinstance(param_group, Mapping):
            raise TypeError(
                f'add_param_group() takes a group, but got {type(param_group).__name__}: write add_param_group({{"params": [w]}})'
            )
        self._take(self._grouped([param_group], {m.param for g in self.param_groups for m in g.members}))

    def _take(self, groups: list[Group]) -> None:
        """Update these groups too from now on."""
        for member in [member for group in groups for member in group.members]:
            # the caller's list refers to the parameter too, but perhaps only during this call
            member.held = member.held or member.holders() > ALONE + 1
        self.param_groups += groups
        Edits.note()

    def _grouped(self, params: Parameters | Tensor, seen: set[Tensor]) -> list[Group]:
        """The groups that `params` describes, checked. `seen` are the parameters that the optimizer has already."""
        who = type(self).__name__
        given = listed(who, params)
        grouped = bool(given) and all(isinstance(group, Mapping) for group in given)
        groups = []
        for group in given if grouped else [{"params": given}]:
            if "params" not in group:
                raise TypeError(
                    f'{who} takes groups with "params", their parameters, but one has {", ".join(map(str, group))}'
                )
            members = [group["params"]] if isinstance(group["params"], Tensor) else listed(who, group["params"])
            own = {key: value for key, value in group.items() if key != "params"}
            if not own.keys() - {"initial_lr"} <= self.defaults.keys():
                raise TypeError(f"{who} has {', '.join(self.defaults)}, but a group says {', '.join(own)}")
            if not members:
                raise ValueError(
                    f"{who} was given no parameters; are they attributes of the module, and each an "
                    "nn.Parameter(array)? (What model.parameters() gives can be read once: call it again)"
                )
            for p in members:
                refuse_unfit(who, p)
                if p in seen:
                    raise ValueError(f"{who} was given {p.describe()} twice, and would update it twice a step")
                seen.add(p)
            groups.append(Group(members, {**self.defaults, **own}))
            self.check(groups[-1].settings)
        return groups

    def _check_rule(self) -> None:
        """Raise TypeError for a class that has no rule, or one whose rule would be called as a method."""
        who = type(self).__name__
        rule = inspect.getattr_static(type(self), "update", None)
        if type(self).step is Optimizer.step and (rule is None or inspect.isfunction(rule)):
            cure = "@staticmethod\n    def update(param, grad, state, out={}, *, lr, **others): ...\nreturning the new param and state"
            fault = "no rule" if rule is None else "an update that is a method; it is called without self"
            raise TypeError(f"{who} has {fault}: write\n    {cure}")

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(self, "param_groups"):
            self._refuse_setting(name, repr(value))
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> NoReturn:
        cure = f"; a setting is in its group: optimizer.param_groups[0][{name!r}]"
        cure = cure if name in self.declared else meant(name, dir(type(self)))
        raise AttributeError(f"{type(self).__name__} has no {name}{cure}", name=name, obj=self)

    def _refuse_setting(self, name: str, value: str) -> None:
        if name in self.param_groups[0]:
            raise AttributeError(
                f"{name} is a setting of each group: write optimizer.param_groups[0][{name!r}] = {value}"
            )

    def __repr__(self) -> str:
        groups = [
            f"{len(group.members)} parameters, " + ", ".join(f"{key}={value}" for key, value in group.items())
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(groups)})"

    def start(self, settings: Mapping[str, Any]) -> dict[str, float]:
        """The arrays that the rule keeps for each parameter: their names, and the number that each is filled with at
        first.
        """
        return {}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """The numbers that the rule is given at each step of a parameter, 1, 2, …: settings that may change, and what
        depends on them.
        """
        return {"lr": settings["lr"]}

    @watched
    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradient of every parameter to None."""
        refuse_zeros(set_to_none)
        for group in self.param_groups:
            for member in group.members:
                p = member.param
                if p.held_grad is None or not member.held:
                    member.look()
                p.held_grad = None

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], Loss]) -> Loss: ...
    @watched
    def step(self, closure: Callable[[], Loss] | None = None) -> Loss | None:
        """Update every parameter that has a gradient, in place. Graphs that used it are stale from then on.

        closure: a function that is called first, if it is given. It forgets the gradients, computes the loss, goes
            backward, and returns the loss, which `step` then returns.
        """
        loss = None if closure is None else self.evaluated(closure)
        Edits.note()
        written: list[Tensor] = []
        try:
            for group in self.param_groups:
                self._step(group, written)
        finally:
            Tensor.note_writes(written)
        return loss

    def _step(self, group: Group, written: list[Tensor]) -> None:
        """Update the parameters of a group, and add each to those that were written before it is."""
        who, rule, maximize = type(self).__name__, type(self).update, group.settings["maximize"]
        at, dtype, settings, kept = 0, None, {}, self.start(group.settings)
        for member in group.members:
            p = member.param
            if p.held_grad is None or not member.held:
                member.look()
                if p.held_grad is None:
                    continue
            if at != member.steps + 1 or dtype is not p.ndarray.dtype:
                at, dtype = member.steps + 1, p.ndarray.dtype
                settings = self.given_at(at, group.settings, dtype)
            state = member.state
            if state.keys() != kept.keys():
                state = member.begun(kept)
            written.append(p)
            write(rule, p.ndarray, p.held_grad.ndarray, state, settings, maximize, who)
            member.steps = at

    def evaluated(self, closure: Callable[[], Loss]) -> Loss:
        """Call the closure, and return what it returns. It records even where `step` is called under `no_grad`."""
        if not callable(closure):
            raise TypeError(
                f"step() takes a function that computes the loss and its gradients, or nothing, but got {closure!r:.60}: write "
                "loss.backward(), and then optimizer.step()"
            )
        return enable_grad().run(closure)

    def given_at(self, step: int, settings: Mapping[str, Any], dtype: Any = None) -> dict[str, Any]:
        """The numbers that the rule gets at this step: the settings, or those of `at_step` in their place, if it has
        parameters for them.

        dtype: that of the parameter, in which those of `at_step` are then arrays of no dimension, as in a replay: beside
            an array such a number costs half of what a Python number does. None leaves them as they are.
        """
        numbers: dict[str, Any] = {**self.at_step(step, settings)}
        if dtype is not None:
            numbers = {key: np.asarray(value, dtype) for key, value in numbers.items()}
        return self.named({**settings, **numbers})

    def named(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Pick the values that the rule takes: `update` has parameters of these names."""
        names = _keywords(type(self).update)
        return {key: value for key, value in values.items() if names is None or key in names}

    # -- state --------------------------------------------------------------------------------------

    @watched
    def state_dict(self) -> dict[str, Any]:
        """Copies of the settings of each group, and of the steps and the state of each parameter, by its position."""
        members = [member for group in self.param_groups for member in group.members]
        position = {id(member): i for i, member in enumerate(members)}
        return {
            "state": {
                i: {"step": member.steps, **{key: array.copy() for key, array in member.state.items()}}
                for i, member in enumerate(members)
                if member.steps
            },
            "param_groups": [
                {
                    **group.settings,
                    **({} if group.initial_lr is None else {"initial_lr": group.initial_lr}),
                    "params": [position[id(member)] for member in group.members],
                }
                for group in self.param_groups
            ],
        }

    @watched
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy settings and state from the `state_dict()` of an optimizer of the same parameters.

        Raises ValueError, and changes nothing, if the groups, the settings' names or the shapes differ.
        """
        if not isinstance(state, Mapping) or not {"param_groups", "state"} <= {*state}:
            raise ValueError(
                f"load_state_dict() takes what optimizer.state_dict() gives, with 'state' and 'param_groups', but got {state!r:.60}"
            )
        groups = state["param_groups"]
        if [len(group["params"]) for group in groups] != [len(group.members) for group in self.param_groups]:
            raise ValueError(
                f"the state is of groups of {[len(group['params']) for group in groups]} parameters, "
                f"but this {type(self).__name__} has {[len(group.members) for group in self.param_groups]}"
            )
        for own, group in zip(self.param_groups, groups, strict=True):
            if own.keys() | {"params"} != group.keys() - {"initial_lr"}:
                raise ValueError(
                    f"the state has the settings {', '.join(group)}, but {type(self).__name__} has {', '.join(own)}"
                )
            self.check({key: number(value) for key, value in group.items() if key != "params"})
        members = [member for group in self.param_groups for member in group.members]
        taken: list[tuple[int, State]] = [(0, {}) for _ in members]
        settings_of = [group for group in groups for _ in group["params"]]
        for i, kept in state["state"].items():
            if i not in range(len(members)) or "step" not in kept:
                fault = f"no step of parameter {i}" if i in range(len(members)) else f"a state of parameter {i}"
                raise ValueError(
                    f"the state has {fault}, but {type(self).__name__} has {len(members)} parameters, from 0"
                )
            p = members[i].param
            arrays = {key: np.array(value, p.dtype) for key, value in kept.items() if key != "step"}
            known = self.start({key: number(value) for key, value in settings_of[i].items()})
            if known and not arrays.keys() <= known.keys():
                raise ValueError(
                    f"the state keeps {', '.join(arrays)} of {members[i].called}, but {type(self).__name__} keeps {', '.join(known)}"
                )
            taken[i] = operator.index(kept["step"]), arrays
            for key, value in arrays.items():
                if value.shape != p.shape:
                    raise ValueError(
                        f"the state's {key} of {members[i].called} has shape {value.shape}, but the parameter {p.shape}"
                    )
        for own, group in zip(self.param_groups, groups, strict=True):
            for key in own:
                own[key] = group[key]
            own.initial_lr = group.get("initial_lr", own.initial_lr)
        for member, (steps, arrays) in zip(members, taken, strict=True):
            member.steps, member.state = steps, arrays
        Edits.note()


@functools.cache
def _keywords(rule: Callable[..., Any]) -> frozenset[str] | None:
    """The settings that a rule names after `param, grad, state, out`, or None for one that takes all, as `**others`."""
    named = list(inspect.signature(rule).parameters.values())[4:]
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in named)
    return None if takes_all else frozenset([parameter.name for parameter in named])

"""Optimizer: what all rules of learning share.

A rule is a pure function in plain NumPy, `update(param, grad, state, out=None, **settings) -> new param, new state`: it
reads as its formula, and run on tensors it records. The optimizer runs it over blocks of each parameter that fit the
processor's cache; `out` is the block itself, where the last operation may write, and what it did not write is copied.
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from tinygrad_edu.graph import RECORDING, no_grad
from tinygrad_edu.tensor import Tensor

State = dict[str, Any]
"""What a rule keeps for a parameter: arrays of its shape, and numbers."""

BLOCK = 1 << 17
"""The bytes of a block: a parameter's, its gradient's and the rule's results together stay in the cache."""


class Member:
    """A parameter of a group, held weakly, and its state."""

    __slots__ = ("called", "reference", "state")

    def __init__(self, param: Tensor) -> None:
        self.reference = weakref.ref(param)
        self.called = param._describe()
        self.state: State = {}

    def param(self) -> Tensor:
        """The parameter. Raises RuntimeError if nothing but the optimizer would still hold it."""
        param = self.reference()
        if param is None:
            raise RuntimeError(
                f"the optimizer was given {self.called}, which no longer exists: the model replaced it, or its name was bound "
                "to another tensor; make the optimizer when the model is complete, and write `w -= ...` under no_grad()"
            )
        return param


class Group(dict[str, Any]):
    """Parameters that share settings: `group["lr"]` is one of these, and can be set; `group["params"]` are those."""

    def __init__(self, params: Iterable[Tensor], settings: Mapping[str, Any]) -> None:
        super().__init__({key: _number(value) for key, value in settings.items()})
        self.members = [Member(p) for p in params]

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self:
            raise KeyError(f"this optimizer has {', '.join(self)}, but no {key!r}")
        super().__setitem__(key, _number(value))

    def __missing__(self, key: str) -> Any:
        if key != "params":
            raise KeyError(f"this optimizer has {', '.join(self)}, but no {key!r}")
        return [member.param() for member in self.members]


def _number(value: Any) -> Any:
    """NumPy's scalars as Python's, which are weak: a float64 learning rate shall not widen float32 parameters."""
    return value.item() if hasattr(value, "item") else value


class Optimizer:
    """Updates parameters by a rule: the base of `SGD` and its like, which say `update` and perhaps `start` and `check`.

    params: parameters, or groups of them with settings of their own, `[{"params": [w], "lr": 0.1}, ...]`.
    Raises ValueError for no parameters and for one that is there twice, TypeError for what is not a leaf of floats.
    A setting is changed in its group: `optimizer.param_groups[0]["lr"] = 0.01`.
    """

    __slots__ = ("__weakref__", "param_groups")

    update: ClassVar[Callable[..., tuple[Any, State]]]
    """The rule: `update(param, grad, state, out=None, **settings) -> new param, new state`."""

    param_groups: list[Group]

    def __init__(self, params: Iterable[Any], **settings: Any) -> None:
        who = type(self).__name__
        if isinstance(params, Tensor):
            raise TypeError(f"{who} takes a list of parameters: write [w], or model.parameters()")
        given = list(params)
        grouped = bool(given) and all(isinstance(group, Mapping) for group in given)
        seen: set[Tensor] = set()
        groups = []
        for group in given if grouped else [{"params": given}]:
            members = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
            own = {key: value for key, value in group.items() if key != "params"}
            if not own.keys() <= settings.keys():
                raise TypeError(f"{who} has {', '.join(settings)}, but a group says {', '.join(own)}")
            if not members:
                raise ValueError(f"{who} was given no parameters; are they attributes of the module?")
            for p in members:
                if not isinstance(p, Tensor):
                    raise TypeError(f"{who} updates tensors, but was given {type(p).__name__}")
                if p.op is not None or p.dtype.kind not in "fc":
                    raise TypeError(f"{who} updates leaves of floating numbers, which {p._describe()} is not")
                if p in seen:
                    raise ValueError(f"{who} was given {p._describe()} twice, and would update it twice a step")
                seen.add(p)
            groups.append(Group(members, {**settings, **own}))
            self.check(groups[-1])
        self.param_groups = groups

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in Optimizer.__slots__ and name in self.param_groups[0]:
            raise AttributeError(
                f"{name} is a setting of each group: write optimizer.param_groups[0][{name!r}] = {value!r}"
            )
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        groups = [
            f"{len(group.members)} parameters, " + ", ".join(f"{key}={value}" for key, value in group.items())
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(groups)})"

    def check(self, settings: Mapping[str, Any]) -> None:
        """Raise ValueError for settings that make no sense."""

    def start(self, param: Any, settings: Mapping[str, Any]) -> State:
        """The state of a parameter before its first update."""
        return {}

    def zero_grad(self) -> None:
        """Forget the gradient of every parameter."""
        tape = RECORDING.get().tape
        for group in self.param_groups:
            for member in group.members:
                p = member.param()
                if tape is not None:
                    tape.reset(p)
                p._grad = None

    def step(self) -> None:
        """Update every parameter that has a gradient, in place. Graphs that used it are stale from then on."""
        tape = RECORDING.get().tape
        for group in self.param_groups:
            for member in group.members:
                p = member.param()
                if p._grad is None:
                    continue
                if tape is not None:
                    self._record(tape, p, member, group)
                else:
                    state = member.state or self.start(p._data, group)
                    member.state = self._write(p._data, p._grad._data, state, group)
                    p._written()

    def _record(self, tape: Any, p: Tensor, member: Member, group: Group) -> None:
        """`step()` of a parameter, as part of what is recorded for replay: the rule runs on tensors."""
        fixed = {key: value for key, value in group.items() if key != "lr"}
        known = {key: Tensor(value) if np.ndim(value) else value for key, value in member.state.items()}
        state = known or self.start(p, group)
        arrays = member.state
        tape.on_failure(lambda: setattr(member, "state", arrays))
        tape.guard(lambda: all(group[key] == value for key, value in fixed.items()))
        tape.guard(
            lambda: member.state.keys() == arrays.keys() and all(member.state[k] is a for k, a in arrays.items())
        )
        lr = tape.feed(lambda array: array.fill(group["lr"]), (), p.dtype, name="lr", once=(id(group), p.dtype))
        with no_grad():
            new, result = type(self).update(p, p._grad, state, **fixed, lr=lr)
        for key, value in result.items():
            leaf = known.get(key)
            if leaf is None:
                leaf = Tensor(value._data.copy())
            tape.write(leaf, value)
            member.state = {**member.state, key: leaf._data}
        tape.write(p, new)

    def _write(self, param: Any, grad: Any, state: State, settings: Mapping[str, Any]) -> State:
        """Run the rule over `param` in blocks, and write its results into it and into the arrays of the state."""
        update, result = type(self).update, state
        for w, g, s in _blocks(param, grad, state) if param.nbytes > BLOCK else ((param, grad, state),):
            new, result = update(w, g, s, w, **settings)
            if new is not w:
                w[...] = new
            for key, value in s.items():
                if np.ndim(value):
                    value[...] = result[key]
        return {key: state[key] if np.ndim(value) else value for key, value in result.items()}

    # -- state --------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Copies of the settings of each group, and of the state of each parameter, by its position."""
        members = [member for group in self.param_groups for member in group.members]
        position = {id(member): i for i, member in enumerate(members)}
        return {
            "state": {i: _copied(member.state) for i, member in enumerate(members) if member.state},
            "param_groups": [
                {**group, "params": [position[id(member)] for member in group.members]} for group in self.param_groups
            ],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over settings and state, copied, from `state_dict()` of an optimizer of the same parameters.

        Raises ValueError, and changes nothing, if the groups, the settings' names or the shapes differ.
        """
        groups = state["param_groups"]
        if [len(group["params"]) for group in groups] != [len(group.members) for group in self.param_groups]:
            raise ValueError(
                f"the state is of groups of {[len(group['params']) for group in groups]} parameters, "
                f"but this {type(self).__name__} has {[len(group.members) for group in self.param_groups]}"
            )
        for own, group in zip(self.param_groups, groups, strict=True):
            if own.keys() | {"params"} != group.keys():
                raise ValueError(
                    f"the state has the settings {', '.join(group)}, but {type(self).__name__} has {', '.join(own)}"
                )
        members = [member for group in self.param_groups for member in group.members]
        for i, kept in state["state"].items():
            shape = members[operator.index(i)].param().shape
            for key, value in kept.items():
                if np.ndim(value) and np.shape(value) != shape:
                    raise ValueError(
                        f"the state's {key} of {members[i].called} has shape {np.shape(value)}, but the parameter {shape}"
                    )
        for own, group in zip(self.param_groups, groups, strict=True):
            for key in own:
                own[key] = group[key]
        for i, member in enumerate(members):
            member.state = _copied(state["state"].get(i, {}))


def _copied(state: State) -> State:
    return {key: value.copy() if np.ndim(value) else value for key, value in state.items()}


def _blocks(param: Any, grad: Any, state: State) -> Iterator[tuple[Any, Any, State]]:
    """Views of the same part of a parameter, its gradient and its state, one part after another."""
    length = BLOCK // param.itemsize
    arrays = {key: value for key, value in state.items() if np.ndim(value)}
    if not all(a.flags.c_contiguous for a in (param, grad, *arrays.values())):
        yield param, grad, state
        return
    param, grad = param.reshape(-1), grad.reshape(-1)
    arrays = {key: value.reshape(-1) for key, value in arrays.items()}
    for i in range(0, len(param), length):
        part = slice(i, i + length)
        yield param[part], grad[part], {**state, **{key: value[part] for key, value in arrays.items()}}

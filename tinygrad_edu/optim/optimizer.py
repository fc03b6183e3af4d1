"""Optimizer: what all rules of learning share.

A rule is a pure function in plain NumPy, `update(param, grad, state, out={}, **settings) -> new param, new state`: it
reads as its formula, and run on tensors it records. The optimizer runs it over blocks of each parameter that fit the
processor's cache; `out` holds the blocks themselves, where the last operations may write, and what they did not write
is copied. What differs from step to step (the learning rate, Adam's correction of bias) is computed outside the rule,
as plain numbers, by `at_step`.
"""

from __future__ import annotations

import functools
import inspect
import operator
import sys
import weakref
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, MutableMapping, Set
from dataclasses import KW_ONLY, InitVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeAlias, TypeVar, overload

import numpy as np

from tinygrad_edu.engine.elsewhere import refuse_zeros
from tinygrad_edu.engine.graph import Edits
from tinygrad_edu.engine.recording import enable_grad, watched
from tinygrad_edu.engine.tensor import Tensor, writable
from tinygrad_edu.optim.settings import Declared, Switch, number, told

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array

Values: TypeAlias = "Array | Tensor"
"""What a rule computes with: arrays, or tensors where its formula is recorded."""

State = dict[str, Any]
"""What a rule keeps for a parameter: arrays of its shape, by name."""

Parameters = Iterable[Tensor] | Iterable[Mapping[str, Any]]
"""What an optimizer is given: parameters, or groups of them, `{"params": [w], "lr": 0.1}`."""

Loss = TypeVar("Loss")

NOWHERE: Mapping[str, Any] = MappingProxyType({})
"""The `out` of a rule that writes nothing."""

BLOCK = 1 << 17
"""The bytes of a block: a parameter's, its gradient's and the rule's results together stay in the cache."""


class Member:
    """A parameter of a group; its state, and how many steps it has taken.

    The optimizer holds the parameter, so one that nothing else holds any more goes on being there, and gets no gradient:
    the model has another in its place, or its name is another tensor's. Python's count of references tells; `held` is
    whether something else has been seen to hold it: a module, if one has named it. It is None from when the caller took
    the parameter from its group, and may use it without holding it. What is lost: nothing is noticed as long as
    anything else, such as a loss of the old model, still holds the parameter.
    """

    __slots__ = ("called", "held", "param", "state", "steps")

    def __init__(self, param: Tensor) -> None:
        self.param = param
        self.called = param.describe()
        self.held: bool | None = self._named()
        self.state: State = {}
        self.steps = 0

    def __reduce__(self) -> tuple[Any, ...]:
        """What copying and pickling keep: who holds the copy will be seen."""
        return Member, (self.param,), (None, {"called": self.called, "state": self.state, "steps": self.steps})

    def __setstate__(self, kept: tuple[None, dict[str, Any]]) -> None:
        for key, value in kept[1].items():
            setattr(self, key, value)
        self.state = {key: writable(array) for key, array in self.state.items()}

    def _named(self) -> bool:
        return getattr(self.param, "_path", None) is not None

    def holders(self) -> int:
        """How many hold the parameter: `ALONE` of them, if the optimizer alone does."""
        return sys.getrefcount(self.param)

    def taken(self) -> Tensor:
        """The parameter, for the caller to use."""
        if not self._named():
            self.held = None
        return self.param

    def look(self, anew: bool = False) -> None:
        """Raise RuntimeError if nothing but the optimizer holds the parameter any more, and it has no gradient.

        The caller has the parameter in a variable, which holds it too.
        anew: a step is being recorded, in which gradients are made anew, so that the one it has does not count.
        """
        if self.held is None:
            return
        if self.holders() > ALONE + 1:
            self.held = True
        elif self.held and (anew or self.param.held_grad is None):
            raise RuntimeError(
                f"the optimizer was given {self.called}, which no longer exists outside it, and so gets no gradient: the model "
                "replaced it, or its name was bound to another tensor; make the optimizer when the model is complete, and "
                "write `w -= ...` under no_grad()"
            )


ALONE = Member(Tensor(0.0)).holders()
"""What Python counts for a tensor that a `Member` alone holds."""


class Group(MutableMapping[str, Any]):
    """Parameters that share settings: `group["lr"]` is one of these, and can be set; `group["params"]` are those."""

    def __init__(self, params: Iterable[Tensor], settings: Mapping[str, Any]) -> None:
        self.settings = {key: number(value) for key, value in settings.items()}
        self.members = [Member(p) for p in params]
        self.initial_lr: float | None = None  # before any scheduler changed it

    @watched
    def __getitem__(self, key: str) -> Any:
        if key == "params":
            return [member.taken() for member in self.members]
        if key not in self.settings:
            raise self._lacks(key)
        return self.settings[key]

    @watched
    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self.settings:
            raise self._lacks(key)
        value = number(value)
        if isinstance(self.settings[key], int | float) and not isinstance(value, int | float):
            raise TypeError(f"{key} is a number, but got {told(key, value)}")
        self.settings[key] = value

    def __delitem__(self, key: str) -> None:
        raise TypeError(f"the settings of an optimizer are set, not deleted; write group[{key!r}] = ...")

    def __iter__(self) -> Iterator[str]:
        return iter(self.settings)

    def __len__(self) -> int:
        return len(self.settings)

    def __repr__(self) -> str:
        return f"{{{', '.join([*[f'{key!r}: {value}' for key, value in self.settings.items()], f'{len(self.members)} parameters'])}}}"

    def _lacks(self, key: str) -> KeyError:
        return KeyError(f"this optimizer has {', '.join(self)}, but no {key!r}")


def _listed(who: str, given: Any) -> list[Any]:
    """What an optimizer is to update, in its order. Raises TypeError, with what to write, for what is no series of things."""
    kind = type(given).__name__
    if isinstance(given, Tensor):
        raise TypeError(f"{who} takes a list of parameters: write [w], or model.parameters()")
    if callable(getattr(given, "parameters", None)):
        said, model = (
            (f"the class {given.__name__}", f"{given.__name__}()")
            if isinstance(given, type)
            else (f"a {kind}", "model")
        )
        raise TypeError(f"{who} takes parameters, but was given {said}: write {who}({model}.parameters(), …)")
    if callable(given):
        name = getattr(given, "__name__", kind)
        raise TypeError(f"{who} takes parameters, but was given a {kind} that was not called: write model.{name}()")
    if isinstance(given, Set | weakref.WeakSet) and not isinstance(given, KeysView | ItemsView):
        raise TypeError(
            f"{who} was given a {kind}, which has no order for state_dict() to count the parameters by; write a list, [w, b]"
        )
    if isinstance(given, Mapping):
        cure = "[group], a list of groups" if "params" in given else "params.values()"
        raise TypeError(f"{who} takes parameters, but was given a {kind}: write {cure}")
    try:
        return list(given)
    except TypeError:
        raise TypeError(
            f"{who} takes a list of parameters, such as model.parameters(), but got {kind} {given!r:.60}"
        ) from None


def _no_parameter(who: str, given: object) -> TypeError:
    """The error for one thing among the parameters that is none."""
    if callable(getattr(given, "parameters", None)) or isinstance(given, Iterator | list):
        cure = "write [*a.parameters(), *b.parameters()]"
    elif callable(given):
        cure = f"call it: model.{getattr(given, '__name__', 'parameters')}()"
    elif isinstance(given, tuple):
        cure = "write model.parameters() for model.named_parameters()"
    elif isinstance(given, Mapping):
        cure = 'make all of them groups: [{"params": [w]}, {"params": [b], "lr": 0.1}]'
    elif isinstance(given, np.ndarray | np.generic):
        cure = "make a leaf of it: w = tg.Tensor(array, requires_grad=True)"
    else:
        cure = "write model.parameters()"
    return TypeError(f"{who} updates tensors, but was given {type(given).__name__}; {cure}")


class Optimizer(Declared):
    """Updates parameters by a rule: the base of `SGD` and its like, which say `update` and perhaps `start`, `at_step`, `check`.

    params: parameters, or groups of them with settings of their own, `[{"params": [w], "lr": 0.1}, ...]`.
    maximize: whether to go up the gradient instead of down: the rule is given −g.
    The other settings are what a rule declares, with the bounds of `optim.settings`, `lr: InitVar[NotNegative] = 0.01`; a
    class that declares none hands them to `super().__init__(params, lr=lr)`.

    Raises ValueError for no parameters and for one that is there twice, TypeError for what is not a leaf of floats.
    A setting is changed in its group: `optimizer.param_groups[0]["lr"] = 0.01`.

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

    update: ClassVar[Callable[..., tuple[Any, State]]]
    """The rule: `update(param, grad, state, out={}, **settings) -> new param, new state`. It is given those settings, and
    those numbers of `at_step`, that it names."""

    takes_complex: ClassVar[bool] = True
    """Whether the rule is right for complex numbers too, which one that takes squares is not."""

    def __init__(self, params: Parameters, *, maximize: bool = False, **settings: Any) -> None:
        self.defaults = {**settings, "maximize": maximize}
        self._check_rule()
        self.param_groups: list[Group] = []
        self._take(self._grouped(params, set()))
        for name in getattr(self, "__dict__", {}):
            self._refuse_setting(name, "...")

    def __post_init__(self, *values: Any) -> None:
        """What the `__init__` of a rule that declares its settings calls."""
        Optimizer.__init__(self, **dict(zip(self.declared, values, strict=True)))

    @watched
    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Take more parameters: `{"params": [w], "lr": 0.1}`, with the settings that the optimizer was made with else."""
        if not isinstance(param_group, Mapping):
            raise TypeError(
                f'add_param_group() takes a group, but got {type(param_group).__name__}: write add_param_group({{"params": [w]}})'
            )
        self._take(self._grouped([param_group], {m.param for g in self.param_groups for m in g.members}))

    def _take(self, groups: list[Group]) -> None:
        """Update these groups too from now on."""
        for member in [member for group in groups for member in group.members]:
            # the caller's list is there too, and may be there for this call alone
            member.held = member.held or member.holders() > ALONE + 1
        self.param_groups += groups
        Edits.note()

    def _grouped(self, params: Parameters | Tensor, seen: set[Tensor]) -> list[Group]:
        """The groups that `params` says, checked; `seen` are the parameters that there are already."""
        who = type(self).__name__
        given = _listed(who, params)
        grouped = bool(given) and all(isinstance(group, Mapping) for group in given)
        groups = []
        for group in given if grouped else [{"params": given}]:
            if "params" not in group:
                raise TypeError(
                    f'{who} takes groups with "params", their parameters, but one has {", ".join(map(str, group))}'
                )
            members = [group["params"]] if isinstance(group["params"], Tensor) else _listed(who, group["params"])
            own = {key: value for key, value in group.items() if key != "params"}
            if not own.keys() <= self.defaults.keys():
                raise TypeError(f"{who} has {', '.join(self.defaults)}, but a group says {', '.join(own)}")
            if not members:
                raise ValueError(
                    f"{who} was given no parameters; are they attributes of the module? (What model.parameters() gives can "
                    "be read once: call it again)"
                )
            for p in members:
                if not isinstance(p, Tensor):
                    raise _no_parameter(who, p)
                if p.op is not None or p.dtype.kind not in "fc":
                    raise TypeError(f"{who} updates leaves of floating numbers, which {p.describe()} is not")
                if p.dtype.kind == "c" and not self.takes_complex:
                    raise TypeError(
                        f"{who} takes squares of real numbers, but {p.describe()} is {p.dtype}: make two leaves, of the real "
                        "and of the imaginary part, and compute with a + 1j * b"
                    )
                if not p.ndarray.flags.writeable:
                    raise ValueError(
                        f"{who} writes what it updates, but {p.describe()} has a read-only array, as pandas and np.broadcast_to "
                        "give it; make it of a copy: tg.Tensor(np.array(x), requires_grad=True)"
                    )
                if p in seen:
                    raise ValueError(f"{who} was given {p.describe()} twice, and would update it twice a step")
                seen.add(p)
            groups.append(Group(members, {**self.defaults, **own}))
            self.check(groups[-1].settings)
        return groups

    def _check_rule(self) -> None:
        """Raise TypeError for a class that has no rule, or one that would be called as a method."""
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
        cure = f"; a setting is in its group: optimizer.param_groups[0][{name!r}]" if name in self.declared else ""
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
        """The arrays that the rule keeps for each parameter: their names, and the number that they are filled with at first."""
        return {}

    def at_step(self, step: int, settings: Mapping[str, Any]) -> dict[str, float]:
        """What the rule is given anew at each step of a parameter, 1, 2, …: the settings that change, and what depends on them."""
        return {"lr": settings["lr"]}

    @watched
    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient of every parameter."""
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

        closure: called first, if given; it forgets the gradients, computes the loss, goes backward, and returns the loss,
        which is then what `step` returns.
        """
        loss = None if closure is None else self.evaluated(closure)
        Edits.note()
        for group in self.param_groups:
            at, settings = 0, {}
            for member in group.members:
                p = member.param
                if p.held_grad is None or not member.held:
                    member.look()
                    if p.held_grad is None:
                        continue
                if at != member.steps + 1:
                    at = member.steps + 1
                    settings = self.given_at(at, group.settings)
                self._write(
                    p.ndarray,
                    p.held_grad.ndarray,
                    self.begun(member, group.settings),
                    settings,
                    group.settings["maximize"],
                )
                member.steps = at
                p.note_write()
        return loss

    def evaluated(self, closure: Callable[[], Loss]) -> Loss:
        """What a closure returns, recorded though `step` may be called under `no_grad`."""
        if not callable(closure):
            raise TypeError(
                f"step() takes a function that computes the loss and its gradients, or nothing, but got {closure!r:.60}: write "
                "loss.backward(), and then optimizer.step()"
            )
        return enable_grad().run(closure)

    def given_at(self, step: int, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What the rule is given at this step: of the settings, and of what `at_step` puts in their place, what it names."""
        return self.named({**settings, **self.at_step(step, settings)})

    def named(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the values that the rule names."""
        names = _keywords(type(self).update)
        return {key: value for key, value in values.items() if names is None or key in names}

    def begun(self, member: Member, settings: Mapping[str, Any]) -> State:
        """The state of a parameter, with what the rule keeps under these settings."""
        for key, begin in self.start(settings).items():
            if key not in member.state:
                member.state[key] = np.full_like(member.param.ndarray, begin)
        return member.state

    def _write(self, param: Array, grad: Array, state: State, settings: Mapping[str, Any], maximize: bool) -> None:
        """Run the rule over `param` in blocks, and write its results into it and into the arrays of the state."""
        update = type(self).update
        for w, g, s in _blocks(param, grad, state) if param.nbytes > BLOCK else ((param, grad, state),):
            if maximize:
                g = -g
            new, result = made = update(w, g, s, {"param": w, **s}, **settings)
            if result.keys() != s.keys():
                self.refuse_result(made, w, s)
            if new is not w:
                self.refuse_result(made, w, s)
                w[...] = new
            for key, array in s.items():
                if result[key] is not array:
                    self.refuse_result(made, w, s)
                    array[...] = result[key]

    def refuse_result(self, made: tuple[Any, State], param: Values, state: State) -> None:
        """Raise if a rule returned arrays that cannot be the parameter and its state."""
        new, result = made
        who = type(self).__name__
        if result.keys() != state.keys():
            kept = f"{{{', '.join(f'{key!r}: 0.0' for key in result)}}}"
            raise KeyError(
                f"the rule of {who} returned the state {', '.join(result) or 'of nothing'}, but its start() says "
                f"{', '.join(state) or 'nothing'}; write def start(self, settings): return {kept}"
            )
        for name, array in {"param": new, **result}.items():
            if np.shape(array) != param.shape:
                raise ValueError(
                    f"the rule of {who} returned a {name} of shape {np.shape(array)} for a parameter of shape {param.shape}; "
                    "it computes element by element, on a part of a parameter at a time"
                )

    # -- state --------------------------------------------------------------------------------------

    @watched
    def state_dict(self) -> dict[str, Any]:
        """Copies of the settings of each group, and of the steps and state of each parameter, by its position."""
        members = [member for group in self.param_groups for member in group.members]
        position = {id(member): i for i, member in enumerate(members)}
        return {
            "state": {
                i: {"step": member.steps, **{key: array.copy() for key, array in member.state.items()}}
                for i, member in enumerate(members)
                if member.steps
            },
            "param_groups": [
                {**group.settings, "params": [position[id(member)] for member in group.members]}
                for group in self.param_groups
            ],
        }

    @watched
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over settings and state, copied, from `state_dict()` of an optimizer of the same parameters.

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
            if own.keys() | {"params"} != group.keys():
                raise ValueError(
                    f"the state has the settings {', '.join(group)}, but {type(self).__name__} has {', '.join(own)}"
                )
            self.check({key: number(value) for key, value in group.items() if key != "params"})
        members = [member for group in self.param_groups for member in group.members]
        taken: list[tuple[int, State]] = [(0, {}) for _ in members]
        for i, kept in state["state"].items():
            p = members[operator.index(i)].param
            arrays = {key: np.array(value, p.dtype) for key, value in kept.items() if key != "step"}
            taken[i] = operator.index(kept["step"]), arrays
            for key, value in arrays.items():
                if value.shape != p.shape:
                    raise ValueError(
                        f"the state's {key} of {members[i].called} has shape {value.shape}, but the parameter {p.shape}"
                    )
        for own, group in zip(self.param_groups, groups, strict=True):
            for key in own:
                own[key] = group[key]
        for member, (steps, arrays) in zip(members, taken, strict=True):
            member.steps, member.state = steps, arrays
        Edits.note()


@functools.cache
def _keywords(rule: Callable[..., Any]) -> frozenset[str] | None:
    """The settings that a rule names after `param, grad, state, out`, or None for one that takes all, as `**others`."""
    named = list(inspect.signature(rule).parameters.values())[4:]
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in named)
    return None if takes_all else frozenset([parameter.name for parameter in named])


def _blocks(param: Array, grad: Array, state: State) -> Iterator[tuple[Any, Any, State]]:
    """Views of the same part of a parameter, its gradient and its state, one part after another."""
    length = BLOCK // param.itemsize
    if not all(a.flags.c_contiguous for a in (param, grad, *state.values())):
        yield param, grad, state
        return
    param, grad = param.reshape(-1), grad.reshape(-1)
    flat = {key: array.reshape(-1) for key, array in state.items()}
    for i in range(0, len(param), length):
        part = slice(i, i + length)
        yield param[part], grad[part], {key: array[part] for key, array in flat.items()}

"""The groups of an optimizer: parameters with their state, and the settings that they share."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

import numpy as np

from tinygrad_edu.engine.recording import watched
from tinygrad_edu.engine.tensor import Tensor, writable
from tinygrad_edu.optim.settings import number, told

State = dict[str, Any]
"""What a rule keeps for a parameter: arrays of its shape, by name."""


class Member:
    """A parameter of a group, with its state and the number of steps that it has taken.

    It also notices when the parameter is of no use any more. The optimizer holds the parameter; if nothing else does
    (the model has another in its place, or its name is bound to another tensor), it gets no gradient, and a step would
    silently leave it. Python's count of references tells whether anything else holds it. `held` is True once something
    else was seen to hold it, such as a module that has named it; it is None after the caller took the parameter from
    its group, and may use it without holding it. Nothing is noticed as long as anything else, such as a loss of the old
    model, still holds the parameter.
    """

    __slots__ = ("called", "held", "param", "state", "steps")

    def __init__(self, param: Tensor) -> None:
        self.param = param
        self.called = param.describe()
        self.held: bool | None = self._named()
        self.state: State = {}
        self.steps = 0

    def __reduce__(self) -> tuple[Any, ...]:
        """What copying and pickling keep. Whether something else holds the copy is found out anew."""
        return Member, (self.param,), (None, {"called": self.called, "state": self.state, "steps": self.steps})

    def __setstate__(self, kept: tuple[None, dict[str, Any]]) -> None:
        for key, value in kept[1].items():
            setattr(self, key, value)
        self.state = {key: writable(array) for key, array in self.state.items()}

    def _named(self) -> bool:
        return getattr(self.param, "_path", None) is not None

    def holders(self) -> int:
        """How many references to the parameter there are: `ALONE` of them, if only the optimizer holds it."""
        return sys.getrefcount(self.param)

    def taken(self) -> Tensor:
        """Hand the parameter to the caller, who may use it without holding it."""
        if not self._named():
            self.held = None
        return self.param

    def begun(self, kept: Mapping[str, float]) -> State:
        """The arrays that a rule keeps of the parameter, by name, made and filled with these numbers when first needed.

        Arrays that it kept under other settings stay where they are.
        """
        state = self.state
        for key, begin in kept.items():
            if key not in state:
                state[key] = np.full_like(self.param.ndarray, begin)
        return {key: state[key] for key in kept}

    def look(self, anew: bool = False) -> None:
        """Raise RuntimeError if nothing but the optimizer holds the parameter any more, and it has no gradient.

        anew: whether a step is being recorded. Gradients are then made anew, so the one that the parameter has does not
            count.

        It counts on the caller having the parameter in a variable, which is one more reference.
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
    """Parameters that share settings: `group["lr"]` is a setting, and can be set; `group["params"]` are they."""

    def __init__(self, params: Iterable[Tensor], settings: Mapping[str, Any]) -> None:
        self.settings = {key: number(value) for key, value in settings.items()}
        self.members = [Member(p) for p in params]
        given = self.settings.pop("initial_lr", None)
        self.initial_lr: float | None = given
        """The rate before any schedule changed it, for one that goes on with `last_epoch=`; None without a schedule."""

    @watched
    def __getitem__(self, key: str) -> Any:
        if key == "params":
            return [member.taken() for member in self.members]
        if key == "initial_lr" and self.initial_lr is not None:
            return self.initial_lr
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

"""What an optimizer holds: parameters with their state, in groups with their settings."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from tinygrad_edu.engine.recording import watched
from tinygrad_edu.engine.tensor import Tensor, writable
from tinygrad_edu.optim.settings import number, told

State = dict[str, Any]
"""What a rule keeps for a parameter: arrays of its shape, by name."""


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

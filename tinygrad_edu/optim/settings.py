"""Settings of optimizers, which are declared once, as the fields of a dataclass are.

    class Decay(Optimizer):
        lr: InitVar[NotNegative] = 0.01
        gamma: InitVar[Fraction] = 0.9

From this follow `Decay(params, lr=0.01, gamma=0.9)`, its signature for editors and type checkers, and the check of each
value. The fields are `InitVar`s, arguments that become no attributes, because each group of parameters has settings of
its own: `optimizer.param_groups[0]["lr"]`.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple, dataclass_transform, get_args

from tinygrad_edu.engine.elsewhere import TellsArguments


class Bound(NamedTuple):
    """A condition that a value has to meet.

    holds: a function that tells whether a value meets it.
    words: how an error says it, as in "Adam's lr is not negative".
    number: whether the value is one number, so that a text or a list is a mistake of type.
    """

    holds: Callable[[Any], bool]
    words: str
    number: bool = True


def pair(holds: Callable[[float, float], bool]) -> Callable[[Any], bool]:
    """A condition for two numbers, `holds(first, second)`, as a condition for one value."""
    return lambda value: (
        isinstance(value, tuple)
        and len(value) == 2
        and all(isinstance(x, int | float) for x in value)
        and holds(*value)
    )


NOT_NEGATIVE = Bound(lambda x: x >= 0, "is not negative")

NotNegative = Annotated[float, NOT_NEGATIVE]
Fraction = Annotated[float, NOT_NEGATIVE, Bound(lambda x: x <= 1, "is at most 1")]
Count = Annotated[int, Bound(lambda x: isinstance(x, int) and x >= 1, "is a whole number above 0")]
Switch = Annotated[bool, Bound(lambda x: x in (True, False), "is True or False", number=False)]
Betas = Annotated[
    tuple[float, float],
    Bound(pair(lambda a, b: 0 <= a < 1 and 0 <= b < 1), "are two numbers from 0 to below 1", number=False),
]
"""What two running means keep of themselves at each step, such as 0.9 and 0.999."""


@dataclass_transform(eq_default=False)
class Declared(TellsArguments):
    """The base of a class that declares its arguments by annotations `InitVar[…]`, in their order.

    The class gets the `__init__` of a dataclass, unless it writes its own. This calls `__post_init__` with the values
    in the order of `declared`.
    """

    __slots__ = ()

    declared: ClassVar[Mapping[str, tuple[Bound, ...]]] = {}
    """The names of the arguments, in order, and what each has to be."""

    preset: ClassVar[Mapping[str, Any]] = {}
    """The arguments that have a default."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # annotations may be texts, with names from the function in which the class is made
        known = {**vars(sys.modules[cls.__module__]), **sys._getframe(1).f_locals}
        bounds = {name: _bounds(kind, known) for name, kind in inspect.get_annotations(cls).items() if _declares(kind)}
        if not bounds:
            return
        cls.declared = {**cls.declared, **bounds}
        cls.preset = {**cls.preset, **{name: vars(cls)[name] for name in bounds if name in vars(cls)}}
        dataclass(eq=False, repr=False)(cls)
        for name in bounds:  # __init__ has the default now, which as an attribute would be taken for the setting
            if name in vars(cls):
                delattr(cls, name)

    def check(self, settings: Mapping[str, Any]) -> None:
        """Raise TypeError or ValueError, with what to write, for a setting that does not meet its bounds."""
        for name, value in settings.items():
            for bound in self.declared.get(name, ()):
                self._check_bound(name, value, bound)

    def _check_bound(self, name: str, value: Any, bound: Bound) -> None:
        whose = f"{type(self).__name__}'s {name}"
        if bound.number and not isinstance(value, int | float):
            raise TypeError(f"{whose} is a number, but got {told(name, value)}")
        if bound.holds(value):
            return
        cure = f"; write {name}={self.preset[name]!r}, the default" if name in self.preset else ""
        if name == "lr" and -math.inf < value < 0:
            cure = f"; write lr={-value}, with maximize=True to climb"
        raise ValueError(f"{whose} {bound.words}, but got {value!r:.60}{cure}")


def _declares(kind: Any) -> bool:
    """Whether an annotation, perhaps the text of one, declares an argument."""
    return "InitVar" in (kind if isinstance(kind, str) else repr(kind))


def _bounds(kind: Any, known: Mapping[str, Any]) -> tuple[Bound, ...]:
    """The bounds in an annotation such as `InitVar[NotNegative]`, perhaps as a text with these names in it."""
    made = eval(kind, {**known}) if isinstance(kind, str) else kind
    return tuple([part for part in get_args(getattr(made, "type", made)) if isinstance(part, Bound)])


def shares(betas: tuple[float, float]) -> dict[str, float]:
    """β₁ and β₂, the shares of running means that are kept, and 1 − β, which come new: numbers for `at_step`."""
    return {"beta1": betas[0], "rest1": 1 - betas[0], "beta2": betas[1], "rest2": 1 - betas[1]}


def number(value: Any) -> Any:
    """Turn NumPy's numbers into Python's, which are weak: a float64 learning rate must not widen float32 parameters."""
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        return value.item()
    if isinstance(value, list | tuple) or getattr(value, "ndim", 0) == 1:
        return tuple([number(part) for part in value])
    return value


def told(name: str, value: object) -> str:
    """Describe a value that is no number, and say what to write if it reads as one: `str '0.1'; write lr=0.1`."""
    said = f"{type(value).__name__} {value!r:.60}"
    try:
        return f"{said}; write {name}={float(value):g}"  # type: ignore[arg-type]  # it is tried
    except (TypeError, ValueError):
        return said

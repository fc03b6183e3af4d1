"""Lists and dicts of layers or parameters that are modules themselves, as PyTorch's code uses them.

A module finds layers and parameters in plain lists and dicts too. These besides refuse what does not belong in them,
and `repr` shows them as modules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from typing import Any, Self, TypeVar, overload

from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.parameter import Parameter

T = TypeVar("T")


def _module(kind: str, value: Any) -> Module:
    """Return the value if it is a module. Raises TypeError for anything else."""
    if isinstance(value, Module):
        return value
    given = (
        f"the class {value.__name__}: write {value.__name__}(...)" if isinstance(value, type) else type(value).__name__
    )
    raise TypeError(f"{kind} holds modules, but got {given}")


def _parameter(kind: str, value: Any) -> Parameter:
    """Return the value as a parameter; a tensor or an array becomes one. Raises TypeError for anything else."""
    if isinstance(value, Parameter):
        return value
    if isinstance(value, Tensor) or hasattr(value, "__array__"):
        return Parameter(value)
    raise TypeError(f"{kind} holds parameters, but got {type(value).__name__} {value!r:.60}; write nn.Parameter(...)")


class Held(Module):
    """The base of lists and dicts, which hold modules or parameters, and cannot be called."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        kind = type(self).__name__
        raise NotImplementedError(
            f"{kind} holds its members, and computes nothing: call them one by one in a forward() of your own, or make a Sequential"
        )


class _List(Held, MutableSequence[T]):
    """A list of modules or parameters: `append`, `extend`, `insert`, `pop`, `+=`, indices and slices work as on
    Python's.
    """

    _taken: Callable[[str, Any], T]

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        self._list: list[T] = [self._own(value) for value in (() if values is None else values)]

    def _own(self, value: Any) -> T:
        return type(self)._taken(type(self).__name__, value)

    def _named_members(self) -> list[tuple[str, Any]]:
        others = [(name, value) for name, value in vars(self).items() if name != "_list"]
        return [*((str(i), value) for i, value in enumerate(self._list)), *others]

    def __len__(self) -> int:
        return len(self._list)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> T | Self:
        if isinstance(index, slice):
            return type(self)(self._list[index])
        try:
            return self._list[index]
        except IndexError:
            raise IndexError(f"this {type(self).__name__} has {len(self)} members, but got the index {index}") from None

    def __setitem__(self, index: Any, value: Any) -> None:
        self._list[index] = [self._own(x) for x in value] if isinstance(index, slice) else self._own(value)

    def __delitem__(self, index: int | slice) -> None:
        del self._list[index]

    def __add__(self, other: Iterable[Any]) -> Self:
        return type(self)([*self, *other])

    def insert(self, index: int, value: Any) -> None:
        """Put a member before the one at `index`."""
        self._list.insert(index, self._own(value))


class ModuleList(_List[Module]):
    """A list of modules, which are named by their places: `self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in
    range(3)])`.

    It works as Python's list does, but takes only modules: it raises TypeError for anything else.

    >>> from tinygrad_edu import nn
    >>> layers = ModuleList([nn.Linear(4, 3), nn.ReLU()])
    >>> layers.append(nn.Linear(3, 2, bias=False))
    >>> len(layers), [name for name, _ in layers.named_parameters()]
    (3, ['0.weight', '0.bias', '2.weight'])
    """

    _taken = staticmethod(_module)


class ParameterList(_List[Parameter]):
    """A list of parameters, which are named by their places. Tensors and arrays become parameters.

    It works as Python's list does, but raises TypeError for what is neither a parameter nor a tensor or an array.

    >>> import numpy as np
    >>> ParameterList([np.zeros(3), np.ones((3, 2))])
    ParameterList(
      (0): Parameter (3,)
      (1): Parameter (3, 2)
    )  # 9 parameters
    """

    _taken = staticmethod(_parameter)


class _Dict(Held, MutableMapping[str, T]):
    """A dict of modules or parameters: `update`, `pop`, `items` and `in` work as on Python's. Names are text without a
    point.
    """

    _taken: Callable[[str, Any], T]

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        self._dict: dict[str, T] = {}
        self.update(() if values is None else values)

    def _named_members(self) -> list[tuple[str, Any]]:
        others = [(name, value) for name, value in vars(self).items() if name != "_dict"]
        return [*self._dict.items(), *others]

    def __len__(self) -> int:
        return len(self._dict)

    def __iter__(self) -> Iterator[str]:
        return iter(self._dict)

    def __getitem__(self, name: str) -> T:
        if name not in self._dict:
            raise KeyError(f"this {type(self).__name__} has {', '.join(self._dict) or 'nothing'}, but no {name!r}")
        return self._dict[name]

    def __setitem__(self, name: str, value: Any) -> None:
        kind = type(self).__name__
        if not isinstance(name, str):
            raise TypeError(f"a {kind} has names that are text, but got {type(name).__name__} {name!r:.60}")
        if not name or "." in name:
            raise KeyError(f"a name in a {kind} stands between the points of a path, and is no {name!r}")
        self._dict[name] = type(self)._taken(kind, value)

    def __delitem__(self, name: str) -> None:
        del self._dict[name]

    __eq__, __hash__ = object.__eq__, object.__hash__  # equal only to itself, as a module is


class ModuleDict(_Dict[Module]):
    """A dict of modules: `self.heads = nn.ModuleDict({"age": nn.Linear(4, 1), "sex": nn.Linear(4, 2)})`.

    It works as Python's dict does, but takes only modules: it raises TypeError for anything else, and KeyError for a
    name that cannot stand in a path, because it is empty or has a point.

    >>> from tinygrad_edu import nn
    >>> heads = ModuleDict({"age": nn.Linear(4, 1, bias=False)})
    >>> heads["sex"] = nn.Linear(4, 2, bias=False)
    >>> "age" in heads, [name for name, _ in heads.named_parameters()]
    (True, ['age.weight', 'sex.weight'])
    """

    _taken = staticmethod(_module)


class ParameterDict(_Dict[Parameter]):
    """A dict of parameters. Tensors and arrays become parameters.

    It works as Python's dict does, but raises TypeError for what is neither a parameter nor a tensor or an array.

    >>> import numpy as np
    >>> ParameterDict({"scale": np.ones(3)})["scale"].requires_grad
    True
    """

    _taken = staticmethod(_parameter)

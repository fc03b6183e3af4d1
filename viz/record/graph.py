"""A computation as plain data: its values, its operations, and each use that one makes of the other.

`Graph` is frozen dataclasses, which can be written as JSON and read back. Drawing, exporting and checking read them, and
nothing else; `record` makes one of the tensors of a computation.

An edge of a figure is one **use** of a value: `x * x` uses x twice, and each use has a contribution of its
own to ∂L/∂x; the value's `grad` is their sum.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

Data = Any  # a number, or nested tuples of numbers
Measure = tuple[float | None, int | None]  # how large a derivative is, and its sign

VERSION = 1
MOST_NUMBERS_KEPT = 64  # arrays of more elements are known by their shape


@dataclass(frozen=True, slots=True)
class Value:
    """A number or array: an input, or the result of an operation."""

    id: str
    kind: str  # "input" (a gradient may be asked for), "parameter", "constant" or "result"
    name: str | None
    shape: tuple[int, ...]
    dtype: str
    data: Data = None  # None for more than MOST_NUMBERS_KEPT elements
    grad: Data = None  # ∂L/∂value, the sum over its uses
    flows: bool = False  # whether a derivative arrives here
    op: str | None = None  # the operation that made it
    symbol: str | None = None  # the value as an expression
    grad_symbol: str | None = None  # ∂L/∂value as an expression
    verdict: str | None = None  # what a numerical check says of grad: "agrees", "differs" or "kink"
    tex: str | None = None  # the name in LaTeX, as it was given between dollars
    size: float | None = None  # how large grad is: the root of the mean of its squares
    sign: int | None = None  # whether all of grad is at least 0, or at most; 0 where it is some of each, or nothing


@dataclass(frozen=True, slots=True)
class Operation:
    """A function applied to values. `parts` counts the operations that it stands for, if it is a collapsed part."""

    id: str
    name: str
    symbol: str
    inputs: tuple[str, ...]  # the uses, in the order of the arguments
    outputs: tuple[str, ...]  # the values
    settings: tuple[tuple[str, str], ...] = ()
    scope: tuple[Part, ...] = ()
    parts: int = 1
    shape: str = "circle"  # circle, box (a layer) or cloud (some computation)


@dataclass(frozen=True, slots=True)
class Part:
    """A call of a module, in which operations were recorded: `id` is different for each call."""

    id: str
    name: str  # its path, as in `features.0`
    kind: str  # its class, as in `Linear`


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a value: by an operation, or as an output of the whole graph (then `op` is None)."""

    id: str
    value: str
    op: str | None
    position: int
    grad: Data = None  # what this use contributes to ∂L/∂value
    flows: bool = False  # whether a derivative comes back along it
    symbol: str | None = None  # the contribution as an expression
    verdict: str | None = None  # of a numerical check of grad
    size: float | None = None  # how large grad is, and its sign, as of a value
    sign: int | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    """A computation as plain data: values, operations and uses, each in topological order, so that an id tells only a
    place.

    values: its inputs and results.
    ops: the operations between them.
    uses: which operation takes which value, the arrows of a figure; a result that nothing takes has one too.
    notes: what a figure of it should say about itself.

    `viz.trace` reads one off a tensor, and `draw` takes one.

    >>> import tinygrad_edu as tg
    >>> from viz.record.record import trace
    >>> graph = trace(tg.Tensor(2.0, name="x", requires_grad=True) * 3.0)
    >>> [op.name for op in graph.ops], len(graph.values), len(graph.uses)
    (['multiply'], 3, 3)
    """

    values: tuple[Value, ...]
    ops: tuple[Operation, ...]
    uses: tuple[Use, ...]
    notes: tuple[str, ...] = field(default=())  # what a figure of it should say about itself

    def to_json(self, indent: int | None = None) -> str:
        """The graph as JSON, with a version; `from_json` reads it back equal."""
        return json.dumps({"version": VERSION, **_finite(asdict(self))}, ensure_ascii=False, indent=indent)

    @staticmethod
    def from_json(text: str) -> Graph:
        """The graph that `to_json` wrote. Raises ValueError for anything else."""
        cure = f"this is not the JSON of a graph of version {VERSION}; write it again with Graph.to_json()"
        try:
            found = json.loads(text)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{cure}: {error}") from error
        if not isinstance(found, dict) or found.pop("version", None) != VERSION:
            raise ValueError(cure)
        try:
            ops = [
                Operation(**{**_frozen(op), "scope": tuple(Part(**part) for part in op["scope"])})
                for op in found["ops"]
            ]
            graph = Graph(
                tuple(Value(**_numbers(value)) for value in found["values"]),
                tuple(ops),
                tuple(Use(**_numbers(use)) for use in found["uses"]),
                tuple(found["notes"]),
            )
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"{cure}: {error}") from error
        graph.check()
        return graph

    def check(self) -> None:
        """Raise ValueError if a part of the graph names another that there is not."""
        values = {None, *(value.id for value in self.values)}
        ops = {None, *(op.id for op in self.ops)}
        uses = {use.id for use in self.uses}
        named: list[tuple[Any, str, Any, Any]] = [(v, "operation", v.op, ops) for v in self.values]
        named += [(u, "value", u.value, values) for u in self.uses] + [(u, "operation", u.op, ops) for u in self.uses]
        named += [(op, "use", id, uses) for op in self.ops for id in op.inputs]
        named += [(op, "value", id, values) for op in self.ops for id in op.outputs]
        for thing, what, id, known in named:
            if id not in known:
                raise ValueError(f"{thing.id} names the {what} {id!r}, which is not in this graph")


def _finite(data: Any) -> Any:
    """JSON has no infinities and no complex numbers: they are written as text."""
    if isinstance(data, dict):
        return {key: _finite(part) for key, part in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(part) for part in data]
    if isinstance(data, complex) or (isinstance(data, float) and not math.isfinite(data)):
        return str(data)
    return data


def _frozen(data: Any) -> Any:
    """Lists as tuples, all the way down."""
    if isinstance(data, dict):
        return {key: _frozen(part) for key, part in data.items()}
    return tuple(_frozen(part) for part in data) if isinstance(data, list) else data


def _numbers(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry read from JSON, its texts for numbers turned back."""

    def number(data: Any) -> Any:
        if isinstance(data, tuple):
            return tuple(number(part) for part in data)
        if isinstance(data, str):
            return complex(data) if "j" in data else float(data)
        return data

    entry = _frozen(entry)
    return {**entry, **{key: number(entry[key]) for key in ("data", "grad", "size") if key in entry}}


def plain(array: Any) -> Data:
    """A small array as nested tuples, a number as a number, anything larger as None.

    >>> import numpy as np
    >>> plain(np.array([[1.5, 2.0]]))
    ((1.5, 2.0),)
    """
    return None if array is None or array.size > MOST_NUMBERS_KEPT else _frozen(array.tolist())


def measure(grad: Any) -> Measure:
    """How large a derivative is, the root of the mean of its squares; and its sign: 0 where it has none, or both.

    >>> measure((3.0, -4.0, 0.0, 0.0)), measure(-2.0), measure(None)
    ((2.5, 0), (2.0, -1), (None, None))
    """
    if grad is None:
        return None, None
    array = np.asarray(grad)
    numbers = np.abs(array).astype(float)
    largest = float(numbers.max(initial=0.0))
    if not math.isfinite(largest) or largest == 0.0:
        return largest, 0
    size = largest * math.sqrt(float(np.mean((numbers / largest) ** 2)))  # in which no square is too large or too small
    if array.dtype.kind == "c":
        return size, 0
    return size, 1 if array.min() >= 0 else -1 if array.max() <= 0 else 0


def users(graph: Graph) -> dict[str, list[Use]]:
    """The uses of each value, in order."""
    found: dict[str, list[Use]] = {value.id: [] for value in graph.values}
    for use in graph.uses:
        found[use.value].append(use)
    return found

"""A computation as plain data: its values, its operations, and each use that one makes of the other.

`trace` reads the graph that tensors record, runs its gradient rules without touching any `.grad`, and
writes down what it saw in frozen dataclasses. Drawing, exporting and checking read those, and nothing else.

An edge of a figure is one **use** of a value: `x * x` uses x twice, and each use has a contribution of its
own to ∂L/∂x; the value's `grad` is their sum.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tinygrad_edu.graph import check_intact, recording, topological, walk

Data = Any  # a number, or nested tuples of numbers
Tensor = Any

VERSION = 1
SMALL = 64  # arrays of more elements are known by their shape


@dataclass(frozen=True, slots=True)
class Value:
    """A number or array: an input, or the result of an operation."""

    id: str
    kind: str  # "input" (a gradient may be asked for), "parameter", "constant" or "result"
    name: str | None
    shape: tuple[int, ...]
    dtype: str
    data: Data = None  # None for more than SMALL elements
    grad: Data = None  # ∂L/∂value, the sum over its uses
    flows: bool = False  # whether a derivative arrives here
    op: str | None = None  # the operation that made it


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


@dataclass(frozen=True, slots=True)
class Graph:
    """Values, operations and uses, each in topological order, so that ids tell nothing but their place."""

    values: tuple[Value, ...]
    ops: tuple[Operation, ...]
    uses: tuple[Use, ...]
    notes: tuple[str, ...] = field(default=())  # what a figure of it should say about itself

    def to_json(self, indent: int | None = None) -> str:
        """The graph as JSON, with a version; `from_json` reads it back equal."""
        return json.dumps({"version": VERSION, **_finite(asdict(self))}, ensure_ascii=False, indent=indent)

    @staticmethod
    def from_json(text: str) -> Graph:
        """The graph that `to_json` wrote. Raises ValueError for another version."""
        found = json.loads(text)
        if found.pop("version", None) != VERSION:
            raise ValueError(f"this JSON is not a graph of version {VERSION}; write it again with Graph.to_json()")
        ops = [
            Operation(**{**_frozen(op), "scope": tuple(Part(**part) for part in op["scope"])}) for op in found["ops"]
        ]
        return Graph(
            tuple(Value(**_numbers(value)) for value in found["values"]),
            tuple(ops),
            tuple(Use(**_numbers(use)) for use in found["uses"]),
            tuple(found["notes"]),
        )


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
    return {**entry, **{key: number(entry[key]) for key in ("data", "grad") if key in entry}}


def plain(array: Any) -> Data:
    """A small array as nested tuples, a number as a number, anything larger as None.

    >>> plain(np.array([[1.5, 2.0]]))
    ((1.5, 2.0),)
    """
    return None if array is None or array.size > SMALL else _frozen(array.tolist())


# ---------------------------------------------------------------------------------------------------
# Reading the record


def trace(
    output: Tensor | Sequence[Tensor], *, gradient: Any = None, names: Mapping[str, Tensor] | None = None
) -> Graph:
    """The graph of `output` (a tensor, or several) as plain data, with every derivative of it.

    gradient: ∂L/∂output, of its shape; for a single number it is 1. Left out for an array, derivatives have
    shapes but no numbers. names: what to call tensors; otherwise they are called by their own `name`.

    No `.grad` is read or written. Tensors that require no gradient are traced forward if they were computed
    within `tinygrad_edu.autograd.tracing()`. Raises RuntimeError for a graph that was freed or is stale.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor(3.0, requires_grad=True, name="x")
    >>> [(use.value, use.op, use.grad) for use in trace(x * x).uses]
    [('v0', 'o0', 3.0), ('v0', 'o0', 3.0), ('v1', None, 1.0)]
    """
    return Record(output, gradient=gradient, names=names).graph


class Record:
    """A trace together with the tensors it was read from: `graph`, and `tensors` by the ids of its values."""

    def __init__(
        self, output: Tensor | Sequence[Tensor], *, gradient: Any = None, names: Mapping[str, Tensor] | None = None
    ) -> None:
        self.outputs: list[Tensor] = [output] if hasattr(output, "_data") else list(output)
        for y in self.outputs:
            if not hasattr(y, "_data"):
                raise TypeError(f"a figure is drawn of a Tensor, but got {type(y).__name__} {y!r:.60}")
        self._names = {tensor: name for name, tensor in (names or {}).items()}
        order = topological(self.outputs, through_constants=True)
        for node in order:
            check_intact(node)
        self._contributions, self._totals = differentiate(self.outputs, gradient)
        self.ids: dict[Tensor, str] = {}
        self.tensors: dict[str, Tensor] = {}
        self._values: list[Value] = []
        self._ops: list[Operation] = []
        self._uses: list[Use] = []
        self._parts: dict[Any, Part] = {}
        made: dict[tuple[Tensor, int], str] = {}  # results of ops with several outputs, each known once
        for node in order:
            if node.op is None:
                continue
            if node.op.selects:
                key = node.inputs[0], node.settings["index"]
                if key in made:
                    self.ids[node] = made[key]
                else:
                    made[key] = self._add_value(node, self.ids[node.inputs[0]])
            else:
                self._add_op(node)
        for k, y in enumerate(self.outputs):
            self._add_use(y, None, k, (None, k))
        self.graph = Graph(tuple(self._values), self._with_outputs(), tuple(self._uses))

    def _add_op(self, node: Tensor) -> None:
        op_id = f"o{len(self._ops)}"
        uses = [self._add_use(x, op_id, i, (node, i)) for i, x in enumerate(node.inputs)]
        settings = tuple((key, repr(value)) for key, value in node.settings.items() if value is not None)
        symbol = node.op.symbol(**node.settings)
        self._ops.append(Operation(op_id, node.op.name, symbol, tuple(uses), (), settings, self._scope(node)))
        if node.op.outputs is None:
            self._add_value(node, op_id)
        else:
            self.ids[node] = op_id  # a tuple is no value itself; its items are

    def _add_use(self, x: Tensor, op: str | None, position: int, key: Any) -> str:
        value = self.ids[x] if x in self.ids else self._add_value(x, None)
        contribution = self._contributions.get(key, ABSENT)
        use_id = f"u{len(self._uses)}"
        flows = contribution is not ABSENT
        self._uses.append(Use(use_id, value, op, position, plain(contribution) if flows else None, flows))
        return use_id

    def _add_value(self, node: Tensor, op: str | None) -> str:
        value_id = f"v{len(self._values)}"
        self.ids[node] = value_id
        self.tensors[value_id] = node
        total = self._totals.get(node, ABSENT)
        flows = total is not ABSENT
        name = self._names.get(node, node.name)
        self._values.append(
            Value(
                value_id, self._kind(node), name, node.shape, str(node.dtype),
                plain(node._data), plain(total) if flows else None, flows, op,
            )
        )  # fmt: skip
        return value_id

    def _kind(self, node: Tensor) -> str:
        if node.op is not None:
            return "result"
        if type(node).__name__ == "Parameter":
            return "parameter"
        return "input" if node._requires_grad or node in self._names or node.name else "constant"

    def _with_outputs(self) -> tuple[Operation, ...]:
        made: dict[str, list[str]] = {}
        for value in self._values:
            if value.op is not None:
                made.setdefault(value.op, []).append(value.id)
        return tuple(
            Operation(op.id, op.name, op.symbol, op.inputs, tuple(made.get(op.id, ())), op.settings, op.scope)
            for op in self._ops
        )

    def _scope(self, node: Tensor) -> tuple[Part, ...]:
        """The module calls that the node was recorded in, the outermost first."""
        path: list[Part] = []
        scope = node.scope
        while scope is not None:
            if scope not in self._parts:
                self._parts[scope] = Part(f"m{len(self._parts)}", scope.name, scope.kind)
            path.append(self._parts[scope])
            scope = scope.parent
        return tuple(reversed(path))


ABSENT: Any = object()  # no derivative, which is not the same as one without numbers (None)


def differentiate(outputs: Sequence[Tensor], gradient: Any) -> tuple[dict[Any, Any], dict[Tensor, Any]]:
    """Each use's contribution, by `(node, position)` and `(None, k)` for the outputs; each tensor's total.

    They are None where the derivative exists but has no numbers, as that of an array without `gradient`.
    """
    ys = [y for y in outputs if y._requires_grad]
    if not ys:
        return {}, {}
    if len({*ys}) < len(ys):
        raise ValueError("a figure takes each output once, but got the same tensor twice")
    known = gradient is not None or all(y.size == 1 for y in outputs)
    given = [gradient] if len(outputs) == 1 or gradient is None else list(gradient)
    if gradient is None:
        given = [None] * len(outputs)
    if len(given) != len(outputs):
        raise ValueError(f"there are {len(outputs)} outputs, but {len(given)} gradients; give one for each")
    seeds = {y: _seed(y, g) for y, g in zip(outputs, given, strict=True) if y._requires_grad}
    contributions: dict[Any, Any] = {
        (None, k): seeds[y] if known else None for k, y in enumerate(outputs) if y in seeds
    }
    order = topological(list(seeds))
    totals: dict[Tensor, Any] = dict(seeds)

    def see(node: Tensor, i: int, contribution: Any) -> None:
        contributions[node, i] = _small(contribution) if known else None

    with np.errstate(all="ignore"), recording(enabled=False):
        walk(list(order), totals, see, keep=frozenset(order))
    return contributions, {x: total if known else None for x, total in totals.items()}


def _small(array: Any) -> Any:
    """The array if its numbers will be shown; of a larger one, nothing is kept."""
    return array if array.size <= SMALL else None


def _seed(y: Tensor, gradient: Any) -> Any:
    """∂L/∂y, to start from: ones, or what was given."""
    if gradient is None:
        return np.ones_like(y._data)
    g = np.asarray(getattr(gradient, "_data", gradient), dtype=y.dtype)
    if g.shape != y.shape:
        raise ValueError(f"gradient= has shape {g.shape}, but {y._describe()} has shape {y.shape}")
    return g


def users(graph: Graph) -> dict[str, list[Use]]:
    """The uses of each value, in order."""
    found: dict[str, list[Use]] = {value.id: [] for value in graph.values}
    for use in graph.uses:
        found[use.value].append(use)
    return found


def uses_of(graph: Graph, op: Operation) -> Iterator[Use]:
    """The uses that an operation makes of its inputs."""
    by_id = {use.id: use for use in graph.uses}
    return (by_id[i] for i in op.inputs)

"""A record read: from the graph that tensors keep, with its gradient rules run, to plain data.

No `.grad` is read or written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_edu.engine.differentiate import differentiate
from tinygrad_edu.engine.graph import Way, topological
from tinygrad_edu.engine.node import Node, array_of, check_intact
from tinygrad_edu.engine.origins import node_of
from tinygrad_edu.engine.recording import recording
from tinygrad_edu.formula.writing import of_path
from tinygrad_edu.nn.parameter import Parameter
from viz.options import check_options, expect
from viz.record.graph import MOST_NUMBERS_KEPT, Graph, Measure, Operation, Part, Use, Value, measure, plain
from viz.record.mathematics import readable

Tensor = Any


def trace(
    output: Tensor | Sequence[Tensor], *, gradient: Any = None, names: Mapping[str, Tensor] | None = None
) -> Graph:
    """Read the graph of `output` as plain data, with every derivative of it.

    No `.grad` is read or written. Tensors that require no gradient are traced forward if they were computed within
    `tinygrad_edu.autograd.tracing()`.

    output: a tensor, or several.
    gradient: ∂L/∂output, of its shape; for a single number it is 1. Without it, the derivatives of an array have shapes
        but no numbers.
    names: what to call tensors; by default their own `name`.

    Raises RuntimeError for a graph that was freed or is stale.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor(3.0, requires_grad=True, name="x")
    >>> [(use.value, use.op, use.grad) for use in trace(x * x).uses]
    [('v0', 'o0', 3.0), ('v0', 'o0', 3.0), ('v1', None, 1.0)]
    """
    return Record(output, gradient=gradient, names=names).graph


class Record:
    """A trace together with the tensors it was read from.

    graph: the plain data. tensors: the tensor of each value, by its id. nodes: the node of each operation, by its
    id. modules: the call of a module that each part stands for, by its id. Tensors are called by `names`, else by
    their own name, else by `variables`; a single number that is differentiated and has no name, by the first of `result`
    that nothing else is called. measured: whether it is noted how large each derivative is, even of large arrays.
    Without `numbers` no derivative is computed: it is known only which there are.
    """

    def __init__(
        self,
        output: Tensor | Sequence[Tensor],
        *,
        gradient: Any = None,
        names: Mapping[str, Tensor] | None = None,
        variables: Mapping[str, Tensor] | None = None,
        result: Sequence[str] = (),
        measured: bool = False,
        numbers: bool = True,
    ) -> None:
        self.outputs: list[Tensor] = list(output) if isinstance(output, list | tuple) else [output]
        for y in self.outputs or [output]:
            if not isinstance(y, Node):
                raise TypeError(
                    "a figure is drawn of a Tensor, of several, or of a function with its numbers, "
                    f"but got {type(y).__name__} {y!r:.60}"
                )
        self.outputs = [node_of(y) for y in self.outputs]
        order = topological(self.outputs, through_constants=True)
        for node in order:
            check_intact(node)
        _name_parameters(order)
        self._names: dict[Tensor, str] = {node_of(tensor): name for name, tensor in (variables or {}).items()}
        check_options({"names": names})
        self._names |= {node: of_path(str(node.name)) for node in order if node.name}
        self._names |= {node_of(tensor): str(name) for name, tensor in (names or {}).items()}
        self._tex = {tensor: name for tensor, name in self._names.items() if readable(name) != name}
        self._names = {tensor: readable(name) for tensor, name in self._names.items() if name.strip()}
        if len(self.outputs) == 1 and not (y := self.outputs[0]).shape and y.op is not None and y.needs_grad:
            taken = {self._names.get(node) for node in order}
            free = [name for name in result if name not in taken]
            if y not in self._names and free:
                self._names[y] = free[0]
        self.gradient = gradient
        if numbers:
            self._contributions, self._totals, self._sizes = contributions_and_totals(self.outputs, gradient, measured)
        else:
            self._contributions, self._totals, self._sizes = *without_numbers(self.outputs, order), {}
        self.tensors: dict[str, Tensor] = {}
        self.nodes: dict[str, Tensor] = {}
        self.modules: dict[str, Any] = {}
        self._ids: dict[Tensor, str] = {}
        self._values: list[Value] = []
        self._ops: list[Operation] = []
        self._uses: list[Use] = []
        self._parts: dict[Any, Part] = {}
        self._results: dict[str, list[str]] = {}  # the values that each operation makes
        items: dict[tuple[Tensor, int], str] = {}  # results of ops with several outputs, each known once
        for node in order:
            if node.op is None:
                continue
            if not node.op.selects:
                self._add_op(node)
                continue
            key = node.inputs[0], node.settings["index"]
            if key not in items:
                items[key] = self._add_value(node, self._ids[node.inputs[0]])
            self._ids[node] = items[key]
        for k, y in enumerate(self.outputs):
            self._add_use(y, None, k, (None, k))
        ops = [replace(op, outputs=tuple(self._results.get(op.id, ()))) for op in self._ops]
        self.graph = Graph(tuple(self._values), tuple(ops), tuple(self._uses))

    def _add_op(self, node: Tensor) -> None:
        op_id = f"o{len(self._ops)}"
        self.nodes[op_id] = node
        uses = [self._add_use(x, op_id, i, (node, i)) for i, x in enumerate(node.inputs)]
        settings = tuple(
            (key, repr(value)) for key, value in node.settings.items() if value is not None and key != "fold"
        )
        symbol = node.op.symbol(**node.settings)
        self._ops.append(Operation(op_id, node.op.name, symbol, tuple(uses), (), settings, self._scope(node)))
        if node.op.outputs is None:
            self._add_value(node, op_id)
        else:
            self._ids[node] = op_id  # the results are values, one by one; their tuple is none

    def _add_use(self, x: Tensor, op: str | None, position: int, key: Any) -> str:
        value = self._ids[x] if x in self._ids else self._add_value(x, None)
        contribution = self._contributions.get(key, ABSENT)
        flows = contribution is not ABSENT
        size, sign = self._sizes.get(key, (None, None))
        use = Use(
            f"u{len(self._uses)}", value, op, position, plain(contribution) if flows else None, flows,
            size=size, sign=sign,
        )  # fmt: skip
        self._uses.append(use)
        return use.id

    def _add_value(self, node: Tensor, op: str | None) -> str:
        value_id = f"v{len(self._values)}"
        self._ids[node] = value_id
        self.tensors[value_id] = node
        if op is not None:
            self._results.setdefault(op, []).append(value_id)
        total = self._totals.get(node, ABSENT)
        flows = total is not ABSENT
        grad = plain(total) if flows else None
        name = self._names.get(node)
        kind = self._kind(node)
        size, sign = self._sizes.get(node, (None, None))
        self._values.append(
            Value(
                value_id, kind, name, node.shape, str(node.dtype), plain(node.ndarray), grad, flows, op,
                tex=self._tex.get(node), size=size, sign=sign,
            )
        )  # fmt: skip
        return value_id

    def _kind(self, node: Tensor) -> str:
        if node.op is not None:
            return "result"
        if isinstance(node, Parameter):
            return "parameter"
        return "input" if node.needs_grad or node in self._names else "constant"

    def _scope(self, node: Tensor) -> tuple[Part, ...]:
        """The module calls that the node was recorded in, the outermost first."""
        path: list[Part] = []
        scope = node.scope
        while scope is not None:
            part = self._parts.get(scope)
            if part is None:
                part = self._parts[scope] = Part(f"m{len(self._parts)}", scope.path, scope.kind)
                self.modules[part.id] = scope
            path.append(part)
            scope = scope.parent
        return tuple(reversed(path))

    def value_of(self, tensor: Tensor) -> str | None:
        """The id of a tensor's value, or None if it is not in the graph."""
        return self._ids.get(node_of(tensor))


def _name_parameters(order: Sequence[Tensor]) -> None:
    """Have the modules that were called name their parameters by their paths."""
    roots: dict[Any, None] = {}
    for node in order:
        scope = node.scope
        while scope is not None and scope.parent is not None:
            scope = scope.parent
        if scope is not None:
            roots[scope.module] = None
    for module in roots:
        for _ in module.named_parameters() if module is not None else ():
            pass


ABSENT: Any = object()  # no derivative, which is not the same as one without numbers (None)


def contributions_and_totals(
    outputs: Sequence[Tensor], gradient: Any, measured: bool = False
) -> tuple[dict[Any, Any], dict[Tensor, Any], dict[Any, Measure]]:
    """Each use's contribution, by `(node, position)` and `(None, k)` for the outputs; each tensor's total; their sizes.

    They are None where the derivative exists but has no numbers to show: that of an array without `gradient`. The sizes
    and signs, of both, are found only if `measured`.
    """
    start = seeds(outputs, gradient)
    if not start:
        return {}, {}, {}
    known = gradient is not None or all(y.size == 1 for y in outputs)
    contributions: dict[Any, Any] = {(None, k): _small(start[y]) for k, y in enumerate(outputs) if y in start}
    sizes: dict[Any, Measure] = {(None, k): measure(start[y]) for k, y in enumerate(outputs) if y in start}
    order = topological(list(start))
    reached = dict.fromkeys(start)
    totals: dict[Tensor, Any] = dict(start)
    kept = frozenset(
        x for x in order if x.op is not None and x.op.outputs is None and (measured or x.size <= MOST_NUMBERS_KEPT)
    )

    def note(node: Tensor, i: int, contribution: Any) -> None:
        contributions[node, i] = _small(contribution)
        if measured:
            sizes[node, i] = measure(contribution)
        reached[node.inputs[i]] = None

    with np.errstate(all="ignore"), recording(enabled=False):
        differentiate(order, totals, Way(note, keep=kept))
    if not known:
        return dict.fromkeys(contributions), reached, {}
    totals = {x: totals.get(x) for x in reached}
    if measured:
        sizes |= {
            x: measure(total) for x, total in totals.items() if total is not None and not isinstance(total, tuple)
        }
    return contributions, totals, sizes if measured else {}


def without_numbers(outputs: Sequence[Tensor], order: Sequence[Tensor]) -> tuple[dict[Any, Any], dict[Tensor, Any]]:
    """What `contributions_and_totals` says, without its numbers: which derivatives there are."""
    contributions: dict[Any, Any] = {(None, k): None for k, y in enumerate(outputs) if y.needs_grad}
    contributions |= {(node, i): None for node in order for i, x in enumerate(node.inputs) if x.needs_grad}
    return contributions, {node: None for node in order if node.needs_grad}


def seeds(outputs: Sequence[Tensor], gradient: Any) -> dict[Tensor, Any]:
    """∂L/∂y of each output that has a derivative: ones, or what was given."""
    if len({*outputs}) < len(outputs):
        raise ValueError("a figure takes each output once, but got the same tensor twice")
    given = [gradient] * len(outputs)
    if gradient is not None and len(outputs) > 1:
        expect("gradient= of several outputs", gradient, (list, tuple), "a list, with one for each")
        given = list(gradient)
    if len(given) != len(outputs):
        raise ValueError(f"there are {len(outputs)} outputs, but {len(given)} gradients; give one for each")
    return {y: _seed(y, g) for y, g in zip(outputs, given, strict=True) if y.needs_grad}


def _small(array: Any) -> Any:
    """The array if its numbers will be shown; of a larger one, nothing is kept."""
    return array if array.size <= MOST_NUMBERS_KEPT else None


def _seed(y: Tensor, gradient: Any) -> Any:
    """∂L/∂y, to start from: ones, or what was given."""
    if gradient is None:
        return np.ones_like(y.ndarray)
    try:
        g = np.asarray(array_of(gradient), dtype=y.dtype)
    except (TypeError, ValueError):
        raise TypeError(f"gradient= takes numbers of shape {y.shape}, but got {gradient!r:.60}") from None
    if g.shape != y.shape:
        raise ValueError(f"gradient= has shape {g.shape}, but {y.has_shape()}")
    return g

"""A whole record, read as formulas: ∂z/∂x = ∂z/∂z·2t·1 = 2t = 10."""

from __future__ import annotations

import itertools
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import Way, topological, walk
from tinygrad_edu.engine.origins import node_of
from tinygrad_edu.engine.recording import quietly, recording
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.formula.expression import Expression, decimal, gradient, make, name
from tinygrad_edu.formula.rules import run_or_name_rule
from tinygrad_edu.formula.spelling import MOST_ELEMENTS_SPELLED, constant, spell
from tinygrad_edu.formula.symbol import LONGEST_FORMULA, Symbol
from tinygrad_edu.formula.writing import LaTeX, Text, indexed, of_path


@dataclass(frozen=True)
class Chain:
    """A record, read as formulas. Every symbol carries the value that the formula has in the record.

    names: what each tensor is called. definitions: each computed tensor, in the order of computing, as its op
    applied to its inputs' names. contributions: what each use of a tensor, `(node, position)`, adds to its
    gradient. gradients: their sums, ∂L/∂node, for the output, everything between, and the leaves. written: each tensor
    as it stands in the others' formulas: its name, or the expression that it is.
    """

    output: Tensor
    of: str
    names: dict[Tensor, str]
    definitions: dict[Tensor, Symbol]
    contributions: dict[tuple[Tensor, int], Symbol]
    gradients: dict[Tensor, Symbol]
    written: dict[Tensor, Symbol]

    def left(self, tensor: Tensor, latex: bool = False) -> str:
        """∂L/∂tensor, as it is written."""
        return (LaTeX() if latex else Text()).write(gradient(self.of, self.names[tensor]))


def _one_of(whole: Expression, k: int, outputs: int) -> Expression:
    """Return result k of an op, which is the whole if it is the only one."""
    return whole if k == 0 and outputs == 1 else make("index", whole, data=str(k))


class _Node(Symbol):
    """A tensor of a record as a symbol: `graph.walk` reads it as it reads the tensor."""

    __slots__ = ("attached", "inputs", "ndarray", "needs_grad", "op", "parts", "settings", "tensor")

    def __init__(self, tensor: Tensor, expression: Expression, inputs: tuple[_Node, ...], notes: Any) -> None:
        super().__init__(expression, tensor.ndarray)
        self.tensor = tensor
        self.inputs = inputs
        self.op = None if tensor.op is None else _PrintedOp(tensor.op)
        self.settings = tensor.settings
        self.parts: dict[int, Symbol] = {}  # of a node with several outputs: those that were used
        self.ndarray = tensor.ndarray
        self.needs_grad = tensor.needs_grad
        self.attached = notes

    def rule_value(self) -> Any:
        if not isinstance(self.ndarray, tuple):
            return self
        count = self.tensor.op.outputs
        return tuple(
            [self.parts.get(k, Symbol(_one_of(self.expression, k, count), a)) for k, a in enumerate(self.ndarray)]
        )

    def describe(self) -> str:
        return self.tensor.describe()


class _PrintedOp:
    """An op whose rules print; it is the list of them as well."""

    def __init__(self, op: Any) -> None:
        self.name, self.outputs, self.broadcasts, self.selects = op.name, op.outputs, op.broadcasts, op.selects
        self.op, self.by_result, self.drops = op, False, False

    @property
    def rules(self) -> _PrintedOp:
        return self

    def __getitem__(self, i: int) -> Any:
        rule = None if self.op.rules is None else self.op.rules[i]
        return rule if rule is None or self.selects else partial(run_or_name_rule, self.op, i)


class _Notes:
    """A note of the gradient at each node that the walk reaches; with `local`, the walk goes on with its name instead."""

    retains = False

    def __init__(self, names: Mapping[Tensor, Expression], local: bool) -> None:
        self.names, self.local = names, local
        self.gradients: dict[Tensor, Symbol] = {}

    def run_hooks(self, g: Any, node: _Node, create_graph: bool) -> Any:
        if isinstance(node.ndarray, tuple):
            return g
        self.gradients[node.tensor] = g
        return Symbol(self.names[node.tensor], g.value) if self.local else g


def chain(
    output: Tensor,
    names: Mapping[str, Tensor] | None = None,
    *,
    loss: str | None = None,
    local: bool = False,
    inline: bool | Container[Tensor] = False,
) -> Chain:
    """Read the record of `output` as formulas: the chain rule, walked on symbols.

    names: what to call the tensors; else their own `name`; else x, t, y, with an index where there are several.
    loss: the name of a quantity L beyond the output, so that the walk starts from ∂L/∂output, with the value 1.
    Left out, the output itself is differentiated, if it is a single number (∂z/∂z = 1), or else an L.
    local: each contribution in terms of the gradient of the op's result, ∂L/∂t·cos(x), instead of in full.
    inline: what was computed on the way and has no name of its own is written out, exp(−x), instead of as t; or the
    tensors of which that is so, whose names then stand in derivatives alone: ∂L/∂exp(−x).

    Hooks on tensors do not take part.

    Raises RuntimeError if `output` depends on nothing that requires a gradient, or if its record is freed or stale.

    >>> import tinygrad_edu as tg
    >>> x, y = tg.Tensor(2.0, requires_grad=True, name="x"), tg.Tensor(3.0, requires_grad=True, name="y")
    >>> t = x + y
    >>> z = t ** 2
    >>> read = chain(z, {"t": t, "z": z})
    >>> read.contributions[z, 0].text(simplify=False), read.contributions[t, 1].text(simplify=False)
    ('∂z/∂z·2t', '∂z/∂z·2t·1')
    >>> read.gradients[x], read.gradients[x].value.item()
    (2t, 10.0)
    """
    if not isinstance(output, Tensor):
        raise TypeError(f"chain() and formula() read the record of one Tensor, but got {type(output).__name__}")
    if not output.needs_grad:
        raise RuntimeError(
            f"{output.describe()} depends on no tensor that requires a gradient: there is no chain to print"
        )
    order = topological([output], through_constants=True)
    given: dict[Tensor, str] = {} if names is None else {node_of(tensor): text for text, tensor in names.items()}
    called = _names(order, output, given)
    alone = loss is None and output.size == 1
    of = called[output] if alone else loss or next(text for text in ("L", "J", "ℒ") if text not in called.values())
    start = gradient(of, called[output], one=alone)
    notes = _Notes({tensor: gradient(of, text) for tensor, text in called.items()} | {output: start}, local)
    nodes: dict[Tensor, _Node] = {}
    definitions: dict[Tensor, Symbol] = {}
    for tensor in order:
        inputs = tuple([nodes[x] for x in tensor.inputs])
        spelled = _spelled(tensor, inputs)
        if isinstance(inline, bool):
            written_out = inline and not (tensor is output or tensor.op is None or tensor.name or tensor in given)
        else:
            written_out = tensor is not output and tensor in inline
        expression = spelled if written_out or tensor not in called else name(called[tensor])
        if tensor.op is not None and tensor in called:
            definitions[tensor] = Symbol(spelled, tensor.ndarray)
        node = nodes[tensor] = _Node(tensor, expression, inputs, notes)
        if tensor.op is not None and tensor.op.selects:
            inputs[0].parts[tensor.settings["index"]] = node
    contributions = _contributions(output, nodes, start)
    written: dict[Tensor, Symbol] = {tensor: node for tensor, node in nodes.items() if tensor in called}
    return Chain(output, of, called, definitions, contributions, notes.gradients, written)


def _spelled(tensor: Tensor, inputs: Sequence[_Node]) -> Expression:
    """Write a tensor as an expression of its inputs."""
    if tensor.op is None:
        return constant(tensor.ndarray)
    if tensor.op.selects:
        return _one_of(inputs[0].expression, tensor.settings["index"], tensor.inputs[0].op.outputs)
    return spell(tensor.op, inputs, tensor.ndarray, tensor.settings)


def _contributions(
    output: Tensor, nodes: Mapping[Tensor, _Node], start: Expression
) -> dict[tuple[Tensor, int], Symbol]:
    """What each op sends back to each of its inputs, by its result and the input's place: the walk from `start` on."""
    found: dict[tuple[Tensor, int], Symbol] = {}

    def note(node: _Node, i: int, contribution: Symbol) -> None:
        found[node.tensor, i] = contribution

    totals = {nodes[output]: Symbol(start, np.ones_like(output.ndarray))}
    walked = [nodes[x] for x in topological([output])]
    apart = recording(enabled=False, everything=False, anomaly=False)
    quietly(partial(apart.run, walk, walked, totals, Way(note, create_graph=True)))
    return found


def _names(order: Sequence[Tensor], output: Tensor, given: Mapping[Tensor, str]) -> dict[Tensor, str]:
    """What each tensor is called, in the order of use; a constant of few numbers is not called anything."""
    called: dict[Tensor, str] = {}
    taken: set[str] = set()

    def take(tensor: Tensor, wanted: str) -> None:
        others = (indexed(wanted, k) for k in itertools.count(2))
        called[tensor] = next(text for text in itertools.chain([wanted], others) if text not in taken)
        taken.add(called[tensor])

    used = dict.fromkeys([x for tensor in order if tensor.op is not None for x in (*tensor.inputs, tensor)] or order)
    own = {tensor: of_path(tensor.name) for tensor in used if tensor.name and tensor not in given}
    for tensor, text in [*given.items(), *own.items()]:
        take(tensor, text)
    if output not in called:
        take(output, next((letter for letter in "yzLuvw" if letter not in taken), "y"))
    kinds: dict[str, list[Tensor]] = {"x": [], "c": [], "t": []}
    for tensor in used:
        if tensor not in called and not isinstance(tensor.ndarray, tuple):
            if tensor.op is not None:
                kinds["t"].append(tensor)
            elif tensor.needs_grad:
                kinds["x"].append(tensor)
            elif _is_to_be_named(tensor.ndarray):
                kinds["c"].append(tensor)
    for letter, tensors in kinds.items():
        for k, tensor in enumerate(tensors, 1):
            take(tensor, letter if len(tensors) == 1 else indexed(letter, k))
    return called


def _is_to_be_named(array: Any) -> bool:
    """Whether a constant is called something, instead of written out: numbers that differ, and many integers."""
    spelled = constant(array)
    return (
        spelled.kind == "constant"
        and spelled.data[0] != "I"
        and (array.dtype.kind == "f" or array.size > MOST_ELEMENTS_SPELLED)
    )


def formula(
    output: Tensor,
    leaf: Tensor,
    names: Mapping[str, Tensor] | None = None,
    *,
    loss: str | None = None,
    latex: bool = False,
) -> str:
    """The chain rule from `output` back to `leaf`, a line a step: in symbols, simplified, and evaluated.

    First what was computed, then the gradients of what lies between, then that of the leaf: in terms of them, in
    full, and in numbers. A formula of more than `LONGEST_FORMULA` parts is not written in full. For an output that is not
    a single number, or with `loss`, the lines start from ∂L/∂output, and nothing is evaluated.
    With `latex` each line is a formula to be put between dollars. Arguments and errors as those of `chain`.

    >>> import tinygrad_edu as tg
    >>> x, y = tg.Tensor(2.0, requires_grad=True, name="x"), tg.Tensor(3.0, requires_grad=True, name="y")
    >>> t = x + y
    >>> z = t ** 2
    >>> print(formula(z, x, {"t": t, "z": z}))
    t = x + y = 5
    z = t² = 25
    ∂z/∂t = ∂z/∂z·2t = 2t = 10
    ∂z/∂x = ∂z/∂t·1 = ∂z/∂z·2t·1 = 2t = 10
    """
    if not isinstance(leaf, Tensor):
        raise TypeError(
            f"formula() takes an output and one leaf, both Tensors: formula(y, x); but the leaf is {type(leaf).__name__}"
        )
    read = chain(output, names, loss=loss, local=True)
    full = chain(output, names, loss=loss)
    if leaf not in read.gradients:
        raise RuntimeError(
            f"formula() found no path from {output.describe()} to {leaf.describe()} that requires a gradient"
        )
    writer = LaTeX() if latex else Text()
    evaluated = loss is None and output.size == 1
    lines = []
    for tensor, text in read.names.items():
        if tensor.op is None and not (tensor.needs_grad or tensor.name or (names and text in names)):
            lines += [f"{writer.write(name(text))} = {value}" for value in _evaluated(tensor.ndarray, writer)]
    for tensor, symbol in read.definitions.items():
        lines.append(_line(writer.write(name(read.names[tensor])), [(symbol, True)], writer, numbers=True))
    between = _descendants(leaf, list(read.definitions))
    for tensor, local in read.gradients.items():
        if tensor is leaf or (tensor in between and tensor is not output):
            whole = full.gradients[tensor]
            steps = (
                [(local, False), (whole, False), (whole, True)] if tensor is leaf else [(local, False), (local, True)]
            )
            lines.append(_line(read.left(tensor, latex), steps, writer, numbers=evaluated))
    return "\n".join(lines)


def _line(left: str, steps: Sequence[tuple[Symbol, bool]], writer: Text, *, numbers: bool) -> str:
    """One name and what it equals, step by step: each a symbol, and whether it is simplified; `numbers`: then its value."""
    written = [
        s.latex(simplify=simplify) if isinstance(writer, LaTeX) else s.text(simplify=simplify)
        for s, simplify in steps
        if s.expression.size <= LONGEST_FORMULA
    ]
    if numbers:
        written += _evaluated(steps[0][0].value, writer)
    return " = ".join(dict.fromkeys([left, *written]))


def _descendants(leaf: Tensor, order: Sequence[Tensor]) -> set[Tensor]:
    """What was computed from `leaf`."""
    found = {leaf}
    for tensor in order:
        if not found.isdisjoint(tensor.inputs):
            found.add(tensor)
    return found


MOST_ELEMENTS_EVALUATED = 6
"""Elements of a value that are written at the end of a line."""


def _evaluated(value: Any, writer: Text) -> list[str]:
    """A value to stand at the end of a line: a number, or a few of them."""
    if isinstance(value, tuple) or value.size > MOST_ELEMENTS_EVALUATED:
        return []
    if value.size == 1:
        return [writer.write(decimal(value.item()))]
    return [writer.write(name(" ".join(np.array2string(value, separator=", ", precision=4).split())))]

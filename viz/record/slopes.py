"""The chain rule at each use, for a reader to follow: what arrives × the local derivative = what is passed on.

The formulas come from running the gradient rules on symbols, and the numbers from running them on ones: what a
rule makes of 1 is the local derivative ∂y/∂x.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_edu.engine.recording import recording
from tinygrad_edu.formula import LONGEST_FORMULA, ONE, Symbol, chain, constant, run_or_name_rule
from viz.record.graph import MOST_NUMBERS_KEPT, Data, plain
from viz.record.recomputing import Program, program
from viz.record.record import Record, Tensor
from viz.record.symbols import named

LONGEST_TEXT = 120  # characters of a formula


@dataclass(frozen=True, slots=True)
class Slope:
    """The chain rule at one use of a value x in y = f(x, …)."""

    rule: str | None = None  # ∂L/∂x, as in ∂L/∂y·b
    general: str | None = None  # the op's own formula, where this use has none: ∂L/∂a = ∂L/∂y ⊙ b
    symbol: str | None = None  # ∂y/∂x, as in b
    data: Data = None  # ∂y/∂x as a number; of an elementwise function, as an array


@dataclass(frozen=True, slots=True)
class Reading:
    """What the formulas call each value, and the slope of each use, by their ids; and the whole as a program."""

    names: Mapping[str, str] = field(default_factory=dict)
    slopes: Mapping[str, Slope] = field(default_factory=dict)
    program: Program = field(default_factory=Program)


def read(record: Record, of: str) -> Reading:
    """The reading of a record in which `of` is differentiated.

    >>> import tinygrad_edu as tg
    >>> a, b = tg.Tensor(3.0, requires_grad=True, name="a"), tg.Tensor(2.0, requires_grad=True, name="b")
    >>> y = tg.multiply(a, b)
    >>> read(Record(tg.square(y), names={"y": y}), "L").slopes["u0"]
    Slope(rule='∂L/∂y·b', general=None, symbol='b', data=2.0)
    """
    names: Mapping[Tensor, str] = {}
    as_written: Mapping[Tensor, Symbol] = {}
    contributions: Mapping[Any, Symbol] = {}
    if len(record.outputs) == 1 and record.outputs[0].requires_grad:
        called, inline = named(record)
        local = chain(record.outputs[0], called, loss=of, local=True, inline=inline)
        names, contributions, as_written = local.names, local.contributions, local.written
    slopes = {}
    for use in record.graph.uses:
        if use.op is None or not use.flows:
            continue
        node, i = record.nodes[use.op], use.position
        rule = written(contributions.get((node, i)))
        general = node.op.formula(i) if rule is None and node.op.examples else None
        data = factor(node, i)
        symbol = local_symbol(node, i, as_written) if data is not None else None
        slopes[use.id] = Slope(rule, general, symbol, data)
    known = {id: names[tensor] for id, tensor in record.tensors.items() if tensor in names}
    return Reading(known, slopes, program(record))


def factor(node: Tensor, i: int) -> Data:
    """∂y/∂xᵢ, where it is a single number or acts on each element by itself; else None.

    Whether it does is seen from a random derivative g: then the rule makes g·∂y/∂x of it.
    """
    y, xs = node.ndarray, [x.ndarray for x in node.inputs]
    if node.op.outputs is not None or y.size > MOST_NUMBERS_KEPT or y.shape != xs[i].shape:
        return None
    with np.errstate(all="ignore"), recording(enabled=False):
        local = run(node, i, np.ones_like(y))
        g = np.random.default_rng(0).standard_normal(y.shape).astype(y.dtype)
        elementwise = y.size == 1 or np.allclose(run(node, i, g), g * local, rtol=1e-4, equal_nan=True)
    return plain(local) if elementwise else None


def run(node: Tensor, i: int, g: Any) -> Any:
    """The rule of an operation's input `i` on arrays."""
    return node.op.rules[i](g, node.ndarray, *[x.ndarray for x in node.inputs], **node.settings)


def local_symbol(node: Tensor, i: int, as_written: Mapping[Tensor, Symbol]) -> str | None:
    """∂y/∂xᵢ as an expression: what the rule prints for ∂L/∂y = 1."""
    if node not in as_written:
        return None
    one = Symbol(ONE, np.ones_like(node.ndarray))
    with np.errstate(all="ignore"), recording(enabled=False):
        return written(run_or_name_rule(node.op, i, one, *symbols([node, *node.inputs], as_written), **node.settings))


def symbols(tensors: Sequence[Tensor], as_written: Mapping[Tensor, Symbol]) -> list[Symbol]:
    """Tensors as they are written, or else by their numbers."""
    return [as_written[x] if x in as_written else Symbol(constant(x.ndarray), x.ndarray) for x in tensors]


def written(symbol: Any) -> str | None:
    """An expression as text, if it is short enough to be read."""
    if symbol is None or symbol.expression.size > LONGEST_FORMULA:
        return None
    text: str = symbol.text(matmul=" · ")
    return text if len(text) <= LONGEST_TEXT else None

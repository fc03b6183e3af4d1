"""The gradient of a function made of ops, printed: the chain rule through its parts."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import topological
from tinygrad_edu.engine.origins import node_of
from tinygrad_edu.engine.recording import quietly
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.formula.chains import chain
from tinygrad_edu.formula.expression import Expression, gradient
from tinygrad_edu.formula.rules import LONGEST_RULE
from tinygrad_edu.formula.symbol import Symbol
from tinygrad_edu.formula.writing import LaTeX, Text, indexed


def composite_formula(function: Any, i: int | str = 0, *, latex: bool = False, simplify: bool = True) -> str:
    """What comes back to input `i`, a position or a name, of a function made of ops, printed.

    The sentence that the function states, or else the rules of its parts, run on symbols, or, where those print more
    than `LONGEST_RULE` parts, the names of the parts.

    Raises IndexError or ValueError for an input that the function does not have, TypeError for what is neither a
    position nor a name.

    >>> import tinygrad_edu as tg
    >>> composite_formula(tg.trace), composite_formula(tg.dot, "b")
    ('∂L/∂x = ∂L/∂y·I', '∂L/∂b = aᵀ @ ∂L/∂y')
    """
    writer = LaTeX() if latex else Text()
    sample = draw_composite(function)
    k = _position(function, list(sample.inputs), i)
    if function.formulas:
        return writer.sentence(function.formulas[k if k < len(function.formulas) else -1])
    text = list(sample.inputs)[k]
    left = writer.write(gradient("L", text))
    if not any(y.requires_grad for y in sample.outputs.values()):
        return left + writer.sentence(": none")
    result = sample.run(text)
    if result is None:
        return left + writer.sentence(": none")
    if result.expression.size > LONGEST_RULE or _has_named_rule(result.expression):
        parts = dict.fromkeys(
            [node.op.name for node in topological(list(sample.outputs.values())) if node.op and not node.op.selects]
        )
        return left + writer.sentence(": by the chain rule through " + ", ".join(parts))
    return f"{left} = {result.latex(simplify=simplify) if latex else result.text(simplify=simplify)}"


@dataclass(frozen=True)
class CompositeSample:
    """A call of a function made of ops: its inputs and its outputs, as recorded, by name."""

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]

    def run(self, text: str) -> Symbol | None:
        """The gradient of the input called `text`, out of those of all outputs."""
        total: Symbol | None = None
        for name, y in self.outputs.items():
            if y.requires_grad:
                read = chain(y, {**self.inputs, name: y}, loss="L", inline=True)
                part = read.gradients.get(self.inputs[text])
                total = part if total is None else total if part is None else total + part
        return total


def draw_composite(function: Any) -> CompositeSample:
    """A call of the function out of its examples: the first that is not empty. Whole numbers stand for floating ones where
    all examples are of them, as those of sets are, in which equal floating numbers are a kink."""
    samples = list(_samples(function, "f")) or list(_samples(function, "fi"))
    if not samples:
        raise ValueError(f"{function.name} has no example with arrays to draw a sample from")
    return samples[0]


def _samples(function: Any, kinds: str) -> Iterator[CompositeSample]:
    parameters = list(inspect.signature(function).parameters.values())
    for example in function.examples:
        args, settings = example.draw(np.random.default_rng(0), function.domains)
        inputs: dict[str, Tensor] = {}

        def leaf(text: str, value: Any, inputs: dict[str, Tensor] = inputs) -> Any:
            """The argument with tensors for its arrays of numbers."""
            if isinstance(value, list):
                return [leaf(indexed("x", len(inputs)) if _is_array(part, kinds) else text, part) for part in value]
            if not _is_array(value, kinds):
                return value
            inputs[text] = Tensor(value.astype(float), requires_grad=True)
            return inputs[text]

        several = parameters[0].kind is inspect.Parameter.VAR_POSITIONAL and len(args) > 1
        names = (
            [indexed("x", k) for k in range(len(args))]
            if several
            else ["x" if p.kind is p.VAR_POSITIONAL else p.name for p in parameters]
        )
        drawn = [leaf(text, arg) for text, arg in zip(names, args, strict=False)]
        results = quietly(partial(function, **settings), *drawn)
        if not isinstance(results, tuple | list):
            results = {"z" if "y" in inputs else "y": results}
        else:
            fields = getattr(results, "_fields", None) or [indexed("y", k) for k in range(len(results))]
            results = dict(zip(fields, results, strict=True))
        outputs = {text: y for text, y in results.items() if isinstance(y, Tensor) and node_of(y).op is not None}
        if inputs and outputs and all(x.size for x in inputs.values()):
            yield CompositeSample(inputs, outputs)


def _is_array(value: Any, kinds: str) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in kinds


def _has_named_rule(e: Expression) -> bool:
    """Whether a part is f′(x), the rule of an op by name."""
    return (e.kind == "call" and e.data[0].endswith("′")) or any(_has_named_rule(part) for part in e.parts)


def _position(function: Any, names: list[str], i: int | str) -> int:
    """The position of input `i`, which is a position or a name. Raises ValueError or IndexError where there is none."""
    if isinstance(i, str):
        if i not in names:
            raise ValueError(f"{function.name} has no input {i!r}; its inputs are {', '.join(names)}")
        return names.index(i)
    if isinstance(i, bool) or not hasattr(i, "__index__"):
        raise TypeError(
            f"{function.name}.formula() takes the position of an input or its name, but got {type(i).__name__}"
        )
    if not 0 <= i < len(names):
        raise IndexError(f"{function.name} has {len(names)} inputs, numbered from 0, so no input {i}")
    return i

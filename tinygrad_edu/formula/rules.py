"""The gradient rule of one op, printed: ∂L/∂a = ∂L/∂y ⊙ b."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import unbroadcast
from tinygrad_edu.engine.recording import quietly, tracing
from tinygrad_edu.engine.rules import Joint
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.formula.expression import ONE, call, gradient, make
from tinygrad_edu.formula.symbol import Symbol, as_symbol, values_of
from tinygrad_edu.formula.writing import LaTeX, Text, indexed


def run_rule(op: Any, i: int, g: Any, y: Any, *xs: Any, **settings: Any) -> Symbol:
    """The gradient rule of input `i` run on symbols: ∂L/∂xᵢ, with its value.

    Where the op states a plainer rule, the expression is that rule's; the value is the op's own all the same.
    A rule that returns `g` itself is ∂L/∂y·1.
    """
    plain = stated(op, i)[1]
    if plain is not None:
        rule = partial(op.rules[i], **settings)
        value = quietly(rule, values_of(g), values_of(y), *[values_of(x) for x in xs])
        result = Symbol(as_symbol(quietly(partial(plain, **settings), g, y, *xs)).expression, value)
    elif isinstance(op.rules, Joint):  # it computes all gradients at once, and prints as none of them
        return _named_rule(op, i, g, y, *xs, **settings)
    else:
        result = as_symbol(op.rules[i](g, y, *xs, **settings))
    if not isinstance(g, tuple) and result.expression is g.expression:
        return Symbol(make("product", g.expression, ONE), result.value)
    return result


def run_or_name_rule(op: Any, i: int, g: Any, y: Any, *xs: Any, **settings: Any) -> Symbol:
    """The rule of input `i` run on symbols, or else by name, as the vector–Jacobian product f′(x)ᵀ @ ∂L/∂y.

    By name where the op states its formula in words alone, and its rule prints more than `LONGEST_RULE` parts or cannot
    run on symbols.
    """
    said, plain = stated(op, i)
    if said is None or plain is not None:
        return run_rule(op, i, g, y, *xs, **settings)
    try:
        result = run_rule(op, i, g, y, *xs, **settings)
    except Exception:  # a rule that is an algorithm may fail on symbols in any way
        return _named_rule(op, i, g, y, *xs, **settings)
    if result.expression.size - sum([e.size for e in _incoming(g)]) <= LONGEST_RULE:
        return result
    return _named_rule(op, i, g, y, *xs, **settings)


def _incoming(g: Any) -> list[Any]:
    return [part.expression for part in (g if isinstance(g, tuple) else (g,)) if isinstance(part, Symbol)]


def _named_rule(op: Any, i: int, g: Any, y: Any, *xs: Any, **settings: Any) -> Symbol:
    """The gradient of input `i` by name, f′(x)ᵀ @ ∂L/∂y, with its value."""
    value = op.rules[i](values_of(g), values_of(y), *[values_of(x) for x in xs], **settings)
    incoming = _incoming(g)
    slope = call(f"{op.name}′" if len(xs) == 1 else f"∂{op.name}/∂{indexed('x', i)}", *[x.expression for x in xs])
    arrived = incoming[0] if len(incoming) == 1 else call("", *incoming)
    return Symbol(make("matmul", make("transpose", slope), arrived), value)


LONGEST_RULE = 40
"""So many parts may a rule print where its op also says in words what it does."""


def rule_formula(op: Any, i: int | str = 0, *, latex: bool = False, simplify: bool = True) -> str:
    """The gradient rule of input `i`, a position or a name, of an op, printed; what `Op.formula` returns.

    Raises IndexError or ValueError for an input that the op does not have, TypeError for what is neither a position
    nor a name, ValueError for an op without examples to draw a
    sample from.

    >>> import tinygrad_edu as tg
    >>> rule_formula(tg.multiply, 0), rule_formula(tg.sigmoid)
    ('∂L/∂a = ∂L/∂y ⊙ b', '∂L/∂x = ∂L/∂y ⊙ y ⊙ (1−y)')
    >>> rule_formula(tg.square), rule_formula(tg.add, simplify=False)
    ('∂L/∂x = ∂L/∂y ⊙ 2x', '∂L/∂a = ∂L/∂y·1')
    """
    if isinstance(i, str):
        i = _position(op, i)
    elif isinstance(i, bool) or not hasattr(i, "__index__"):
        raise TypeError(f"{op.name}.formula() takes the position of an input or its name, but got {type(i).__name__}")
    if isinstance(op.vjp, tuple) and not 0 <= i < len(op.vjp):
        raise IndexError(f"{op.name} has {len(op.vjp)} inputs, numbered from 0, so no input {i}")
    writer = LaTeX() if latex else Text()
    sentence = stated(op, i)[0]
    if sentence is not None:
        return writer.sentence(sentence)
    sample = draw_sample(op, i)
    left = writer.write(gradient("L", sample.xs[i].expression.data))
    if op.rules is None or op.rules[i] is None:
        return left + writer.sentence(": none")
    result = sample.run(i)
    return f"{left} = {result.latex(simplify=simplify) if latex else result.text(simplify=simplify)}"


def _position(op: Any, wanted: str) -> int:
    """Which input of the op has the name."""
    names = [x.expression.data for x in draw_sample(op, 0).xs]
    if wanted not in names:
        raise ValueError(f"{op.name} has no input {wanted!r}; its inputs are {', '.join(names)}")
    return names.index(wanted)


def stated(op: Any, i: int) -> tuple[str | None, Callable[..., Any] | None]:
    """What the op states of the gradient of its input `i`: a sentence, and the rule in its plainest form, or None."""
    if not op.formulas or op.rules is None or op.rules[i] is None:
        return None, None
    said = op.formulas[i if i < len(op.formulas) else -1]
    if isinstance(said, tuple):
        return said
    return (None, said) if callable(said) else (said, None)


@dataclass(frozen=True)
class Sample:
    """A call of an op to print its rules by: inputs, output and incoming gradient as symbols, and the settings."""

    op: Any
    xs: list[Symbol]
    settings: dict[str, Any]
    y: Any
    g: Any

    def run(self, i: int) -> Symbol:
        """The rule of input `i` on the symbols, summed over the axes along which the input is broadcast."""
        result = run_rule(self.op, i, self.g, self.y, *self.xs, **self.settings)
        return result if result.shape == self.xs[i].shape else unbroadcast(result, self.xs[i].shape)


def draw_sample(op: Any, i: int) -> Sample:
    """A call of the op out of its examples: the first that is not empty, and does not broadcast input `i`."""
    # of an op of any number of inputs, a call with two shows more than one with a single input
    samples = sorted(_samples(op), key=lambda sample: callable(op.vjp) and len(sample.xs) != 2)
    if not samples:
        raise ValueError(f"{op.name} has no example to draw a sample from; declare examples=[example((2, 3)), …]")
    if not 0 <= i < len(samples[0].xs):
        raise IndexError(f"{op.name} has {len(samples[0].xs)} inputs, numbered from 0, so no input {i}")
    if op.broadcasts and not callable(op.vjp) and len(samples[0].xs) > 1:
        samples.sort(key=lambda sample: sample.xs[i].shape != sample.y.shape)
    return samples[0]


def _samples(op: Any) -> Iterator[Sample]:
    """The calls that the op's examples describe, as they are recorded."""
    for example in op.examples:
        args, kwargs = example.draw(np.random.default_rng(0), op.domains)
        result = quietly(_traced, op, args, kwargs)
        node = result[0] if isinstance(result, tuple | list) else result
        node = node.inputs[0] if node.op.selects else node
        values = [x.ndarray for x in node.inputs]
        if node.op is not op or not all(value.size for value in values):
            continue
        xs = [Symbol(text, value) for text, value in zip(_input_names(op, len(values)), values, strict=True)]
        y, g = _outputs(op, node.ndarray, getattr(result, "_fields", ()))
        yield Sample(op, xs, dict(node.settings), y, g)


def _traced(op: Any, args: Any, kwargs: Any) -> Any:
    """Call the op with tensors in the place of arrays, so that the result has a record, and return the result."""
    result = tracing().run(op, *_tensors(args), **kwargs)
    if isinstance(result, Tensor | tuple | list):
        return result
    return tracing().run(op, *_tensors(args, "biu"), **kwargs)  # it has arrays of indices alone


def _tensors(args: Any, kinds: str = "fc") -> Any:
    """The arguments with tensors for arrays of numbers, so that the call is recorded."""
    if isinstance(args, list):
        return [_tensors(arg, kinds) for arg in args]
    return Tensor(args) if isinstance(args, np.ndarray) and args.dtype.kind in kinds else args


def _outputs(op: Any, data: Any, fields: Sequence[str]) -> tuple[Any, Any]:
    """The output y and the gradient ∂L/∂y of an op, as symbols; tuples of them for several outputs, which `fields` name."""
    if op.outputs is None:
        return Symbol("y", data), Symbol(gradient("L", "y"), _random(data, 0))
    shown = list(fields) or (["y"] if op.outputs == 1 else [])
    names = shown + [indexed("y", k) for k in range(len(shown), len(data))]
    y = tuple([Symbol(text, part) for text, part in zip(names, data, strict=True)])
    g = [
        Symbol(gradient("L", text), _random(part, k)) if k < op.outputs else np.zeros_like(part)  # hidden
        for k, (text, part) in enumerate(zip(names, data, strict=True))
    ]
    return y, tuple(g)


def _input_names(op: Any, count: int) -> list[str]:
    """What the op's rules, or else its forward function, call the inputs."""
    rule = op.vjp if callable(op.vjp) else next(filter(None, op.vjp or ()), None)
    skipped = (3 if callable(op.vjp) else 2) if rule else 0
    if rule is None:
        if isinstance(op.forward, np.ufunc):
            return ["x"] if count == 1 else ["a", "b", "c"][:count]
        rule = op.forward
    found = [p for p in inspect.signature(rule).parameters.values() if p.kind is not p.KEYWORD_ONLY][skipped:]
    names = [p.name.strip("_") for p in found if p.kind is not p.VAR_POSITIONAL][:count]
    return names if len(names) == count else [indexed("x", k) for k in range(count)]


def _random(a: Any, seed: int) -> Any:
    """Random numbers to stand for the gradient of `a`."""
    return np.random.default_rng(seed).standard_normal(np.shape(a))

"""What ran when you wrote this: the engine's own statements behind an expression, function by function.

    python -m tinygrad_edu.reading "(x*w + b).sum()" --backward
    python -m tinygrad_edu.reading "relu(x @ W)" "x=[1, 2]" "W=[[1, -1], [0, 1]]" -o evening.html
    print(tg.what_ran(lambda x: (x * x).sum().backward(), x))

The expression runs once, while Python says which instructions of this package it executes. Then the source of each
function that was called is printed, less what did not run, so what one reads is the engine itself and cannot drift from it.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.engine.elsewhere import meant
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.reading.listing import functions
from tinygrad_edu.reading.pages import Reading
from tinygrad_edu.reading.source import start_of
from tinygrad_edu.reading.watch import Watch

__all__ = ["Reading", "of_expression", "what_ran"]


def what_ran(f: Callable[..., Any], *args: Any) -> Reading:
    """Call f(*args) once and give the statements of this package that ran, function by function.

    f: any function; for what happens on the way back, let it call `backward()`.
    args: what it takes. The page says which values its names were given.
    Whatever f raises is raised.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> ran = tg.what_ran(lambda x: (x * x).sum().backward(), x)
    >>> [function.name for function in ran.functions][:2]
    ['NumPyProtocols.__mul__', 'Op.apply']
    """
    watch = Watch()
    result = watch.run(f, *args)
    try:
        given = inspect.signature(f).bind(*args).arguments
    except (TypeError, ValueError):  # a function of another language
        given = {f"argument_{i + 1}": value for i, value in enumerate(args)}
    told = {name: _told(value) for name, value in given.items()}
    return Reading(getattr(f, "__qualname__", type(f).__name__), told, functions(watch), result)


def _told(value: Any) -> str:
    """A value as it is written; a tensor as the call that makes it."""
    if isinstance(value, Tensor) and value.op is None and not isinstance(value.ndarray, tuple):
        numbers = np.array2string(value.data, separator=", ", threshold=20) if value.ndim else repr(value.item())
        return f"tg.Tensor({textwrap.indent(numbers, ' ' * 10).strip()}{', requires_grad=True' * value.requires_grad})"
    return f"np.{value!r}".replace("\n", "\n   ") if isinstance(value, np.ndarray) else repr(value)


def of_expression(text: str, given: Mapping[str, Any] | None = None, *, backward: bool = False) -> Reading:
    """Compute an expression once and give what ran; with `backward`, also what differentiating it ran.

    text: Python, in which this package's names, `tg`, `np`, `nn` and `F` (its functions) can be used: "(x*w + b).sum()".
    given: what the other names stand for. Those left out become tensors: (2, 3), or (3, 3) on the right of @; a number
        if the name begins with b.

    Raises SyntaxError for what is no expression, NameError for a function that is not there.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise SyntaxError(f"{text.strip()!r} is not an expression: {error.msg}") from None
    known = known_names()
    values = {name: _leaf(value) for name, value in (given or {}).items()}
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    square = {
        part.id
        for node in ast.walk(tree)
        for side in ([node.right] if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult) else [])
        for part in ast.walk(side)
        if isinstance(part, ast.Name)
    }
    asked = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id not in bound]
    used: dict[str, Any] = {}
    for node in sorted(asked, key=start_of):
        if node.id in values:
            used[node.id] = values[node.id]
        elif node.id not in known and node.id not in used:
            if id(node) in called:
                raise NameError(f"{node.id} is not a function of this package{meant(node.id, list(known))}")
            used[node.id] = _default(node.id, len(used), node.id in square)
    unused = [name for name in values if name not in used]
    if unused:
        raise ValueError(f"{', '.join(unused)} is given a value, but does not stand in {text}")
    code = compile(tree, "<expression>", "eval")

    def run() -> Any:
        result = eval(code, {**known, **used})  # the user's own line, as in Python's prompt
        if backward:
            result.backward()
        return result

    watch = Watch()
    result = watch.run(run)
    title = text.strip()
    if backward:
        chained = isinstance(tree.body, ast.Call | ast.Attribute | ast.Name | ast.Subscript)
        title = f"{title}.backward()" if chained else f"({title}).backward()"
    return Reading(title, {name: _told(value) for name, value in used.items()}, functions(watch), result)


def known_names() -> dict[str, Any]:
    """The names that an expression can use without giving them a value."""
    return {
        **vars(builtins),
        **{name: getattr(tg, name) for name in tg.__all__},
        "tg": tg,
        "np": np,
        "F": tg.nn.functional,
    }


def _default(name: str, before: int, square: bool) -> Tensor:
    """A value for a name: small numbers, other ones for each name."""
    if name.startswith("b"):
        return Tensor(0.5, requires_grad=True)
    shape = (3, 3) if square else (2, 3)
    return Tensor((np.arange(1.0, 1 + np.prod(shape)) / 2 + before).reshape(shape), requires_grad=True)


def _leaf(value: Any) -> Any:
    """A number or a list as a tensor to differentiate by; anything else as it is."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Tensor(np.asarray(value, float), requires_grad=True) if number or isinstance(value, list) else value

"""Tracing: from what is to be drawn to a graph, plain data, in which the tensors of a figure can be found again."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_edu import autograd
from tinygrad_edu.engine.origins import node_of, refuse_gone
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn.module import Module
from viz.options import expect, several
from viz.record import passes
from viz.record.check import checked
from viz.record.graph import Graph
from viz.record.mathematics import mathematical, readable
from viz.record.record import Record
from viz.record.slopes import Reading, read
from viz.record.symbols import name_values, with_derivatives

MOST_IN_FORMULAS = 400  # operations and values, beyond which none is said in formulas
UNNAMED = ("L", "J", "ℒ")  # what a single number without a name is called, if it is not ∂L/∂ of it that comes back


@dataclass(frozen=True)
class Traced:
    """A computation as a graph, and the record that it was read from; a `Graph` that was given has none."""

    graph: Graph
    record: Record | None = None

    def find(self, thing: Any) -> str:
        """The id of a value, given as a tensor or by its name. Raises ValueError for what is not in the figure."""
        if isinstance(thing, str):
            called = thing, readable(thing)
            found = [value.id for value in self.graph.values if value.name in called or value.symbol == thing]
            found = found or [v.id for v in self.graph.values if v.name and mathematical(v.name) == thing]
            if len(found) == 1:
                return found[0]
            known = ", ".join(value.name for value in self.graph.values if value.name)
            some = "several values are" if found else "no value is"
            raise ValueError(f"{some} called {thing!r} in this figure; the names are: {known}")
        found_id = self.record.value_of(thing) if self.record is not None and isinstance(thing, Tensor) else None
        if found_id is None:
            raise ValueError(
                f"{thing!r:.60} is not in this figure; give a tensor that the output was computed from, or a name"
            )
        return found_id

    def rows(self, things: Iterable[Any]) -> tuple[str, ...]:
        """The ids of leaves and outputs, by tensors or names. Raises ValueError for what is neither, or twice in it."""
        found: list[str] = []
        ends = {use.value for use in self.graph.uses if use.op is None}
        made = {value.id: value for value in self.graph.values if value.op is not None}
        for thing in things:
            id = self.find(thing)
            if id in made and id not in ends:
                raise ValueError(
                    f"order= takes leaves and outputs, but {made[id].name or made[id].symbol or 'one of these'!r} is computed on "
                    "the way, and stands where its operation does"
                )
            if id in found:
                raise ValueError(f"order= names {thing!r:.60} twice")
            found.append(id)
        return tuple(found)

    def calls(self, modules: Sequence[Module], option: str) -> set[str]:
        """The ids of the calls of these modules. Raises ValueError for one that was not called."""
        for module in modules:
            expect(f"{option}=", module, Module, "a module, or several")
        held = self.record.modules if self.record is not None else {}
        chosen = {id for id, scope in held.items() if scope.module in modules}
        if self.record is None or len(modules) > len({held[id].module for id in chosen}):
            raise ValueError(f"{option}= names a module that was not called in this figure")
        return chosen

    def reading(self, of: str, max_nodes: int | None) -> Reading:
        """The chain rule at each use, for a reader, where `of` is differentiated; nothing, where there is too much of it."""
        if self.record is None or passes.size(self.record.graph) > (max_nodes or MOST_IN_FORMULAS):
            return Reading()
        return read(self.record, of)


def trace(
    output: Any,
    numbers: Sequence[Any],
    *,
    wrt: Any,
    direction: str,
    join_sums: bool,
    names: Mapping[str, Tensor | Module] | None,
    variables: Mapping[str, Tensor],
    gradient: Any,
    loss: str | None,
    formulas: bool,
    simplify: bool,
    check: bool,
    measured: bool,
    max_nodes: int | None,
    derivatives: bool = True,
) -> Traced:
    """The graph of a computation, with what its values and derivatives are called; of the derivatives, those asked for.

    output, numbers, wrt, direction, join_sums, names, gradient, loss, simplify, check, max_nodes: as `draw` takes them.
    variables: what the caller's variables call tensors. formulas: whether derivatives are wanted as expressions. measured: whether it is
    noted how large they are.
    derivatives: whether their numbers are wanted; without them it is known which there are.
    """
    if isinstance(output, Graph):
        given = {"numbers": numbers, "names": names, "gradient": gradient, "check": check}
        for option, value in given.items():
            if value:
                raise ValueError(
                    f"{option}= needs the tensors of a computation, but this is a Graph, plain data of one"
                )
        if not output.values:
            raise ValueError("there is nothing to draw: this graph has no values")
        return _of_interest(Traced(output), wrt, direction, join_sums)
    if callable(output) and not isinstance(output, Tensor):
        output, arguments = call(output, numbers)
        names = {**arguments, **(names or {})}
    elif numbers:
        raise TypeError("draw() takes numbers only after a function, as in draw(lambda x: x * x, 3)")
    if isinstance(output, Tensor) and node_of(output).op is None and not output.requires_grad:
        refuse_gone([output])
        raise ValueError(
            "there is no computation to draw, since none was recorded; make the leaves with requires_grad=True and "
            "compute outside no_grad() and tg.replay(), or give a function and its numbers, as in "
            "draw(lambda x: x * x, 3)"
        )
    tensors = {name: thing for name, thing in (names or {}).items() if not isinstance(thing, Module)}
    record = Record(
        output, gradient=gradient, names=tensors, variables=variables, result=() if loss else UNNAMED, measured=measured,
        numbers=derivatives,
    )  # fmt: skip
    graph = record.graph
    if passes.size(graph) <= (max_nodes or MOST_IN_FORMULAS):
        graph = name_values(record)
        if formulas:
            graph = with_derivatives(record, graph, loss and readable(loss), simplify)
    if check:
        graph = checked(record, graph)
    for name, thing in (names or {}).items():
        if isinstance(thing, Module):
            graph = passes.renamed(graph, Traced(graph, record).calls([thing], "names"), name)
    return _of_interest(Traced(graph, record), wrt, direction, join_sums)


def _of_interest(traced: Traced, wrt: Any, direction: str, join_sums: bool) -> Traced:
    """What is asked for of a computation: derivatives by `wrt` alone, or forward none; sums of sums as one."""
    if join_sums:
        traced = replace(traced, graph=passes.join_sums(traced.graph))
    if wrt is not None:
        traced = replace(traced, graph=passes.only_path(traced.graph, [traced.find(x) for x in several(wrt)]))
    if direction == "forward":
        traced = replace(traced, graph=passes.only_path(traced.graph, ()))
    return traced


def _flat(results: Any) -> list[Any]:
    """Results, also those of results within results, such as (y, (h, c)) of an LSTM, without a None in the place of any."""
    if not isinstance(results, list | tuple):
        return [] if results is None else [results]
    return [y for part in results for y in _flat(part)]


def call(function: Callable[..., Any], numbers: Sequence[Any]) -> tuple[Any, dict[str, Tensor]]:
    """The result of a function of numbers, or its several results, recorded, and its arguments as leaves, by their names."""
    name = getattr(function, "__name__", type(function).__name__)
    if isinstance(function, type):
        raise TypeError(f"{name} is a class; make one first, as in draw({name}(…), x)")
    try:
        signature = inspect.signature(getattr(function, "forward", function))  # a module has a forward; so has an op
        given = signature.bind(*numbers).arguments
    except ValueError:  # functions written in C may not tell
        raise TypeError(f"{name}() does not say what it takes; write draw(lambda x: {name}(x), 3)") from None
    except TypeError as error:
        takes = f"{name}({', '.join(signature.parameters)})"
        raise TypeError(
            f"draw({name}, …) calls {takes} with what stands after {name}: {error}; "
            f"write draw({', '.join([name, *signature.parameters])})"
        ) from None
    leaves: dict[str, Tensor] = {}

    def leaf(name: str, x: Any) -> Any:
        if not isinstance(x, Tensor):
            try:
                array = np.asarray(x)
                x = Tensor(array if array.dtype.kind in "fc" else array.astype(float), requires_grad=True)
            except (TypeError, ValueError):
                return x  # a word or a function is a setting, which is not drawn
        leaves[name] = x
        return x

    arguments: list[Any] = []
    for argument, value in given.items():
        if signature.parameters[argument].kind is inspect.Parameter.VAR_POSITIONAL:
            arguments += [leaf(f"{argument}[{k}]", x) for k, x in enumerate(value)]
        else:
            arguments.append(leaf(argument, value))
    with autograd.tracing():
        result = function(*arguments)
    several_results = isinstance(result, list | tuple)
    results = _flat(result) if several_results else [result]
    for y in results:
        if not isinstance(y, Tensor):
            raise TypeError(
                f"{name}() returned {type(y).__name__} {y!r:.40}, "
                "which nothing was recorded for; write it with operators and NumPy's functions"
            )
    if not hasattr(function, "__name__") or name == "<lambda>" or name in leaves:
        return results if several_results else result, leaves
    called = [name] if len(results) == 1 else [f"{name}[{k}]" for k in range(len(results))]
    return results if several_results else result, {**leaves, **dict(zip(called, results, strict=True))}

"""`draw`: a figure of a computation; `draw_backward`: one of the computation of its derivatives."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_edu import autograd
from tinygrad_edu.engine.graph import topological
from tinygrad_edu.engine.origins import node_of, refuse_gone
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.formula.writing import grouped, of_path
from tinygrad_edu.nn.module import Module
from tinygrad_edu.program.plan import Plan
from viz.drawing import Drawing, Look, Picture
from viz.languages import words
from viz.layout.geometry import extent
from viz.layout.plan import FONT, make_plan
from viz.memory.memory_map import MemoryMap
from viz.options import check_options, choose, expect
from viz.record import passes
from viz.record.check import checked
from viz.record.folding import fold
from viz.record.graph import Graph, Record, Use, Value, users
from viz.record.names import variable_names
from viz.record.slopes import Reading, read
from viz.record.symbols import name_values, with_derivatives
from viz.wording.labels import GRAD, SHOW, FigureLabels, derivative, differentiated, equal_to
from viz.wording.numbers import shape_text

SLIDE = 1920 * FONT / 8, 1080 * FONT / 8  # a figure so large has letters of 8 pixels on a screen of 1920 × 1080
ALWAYS_IN_FULL = 12  # operations, which are all wanted, however much is written on them
MOST_IN_FORMULAS = 400  # operations and values, beyond which none is said in formulas
UNNAMED = ("L", "J", "ℒ")  # what a single number without a name is called, if it is not ∂L/∂ of it that comes back
MAPPED = ("output", "collapse", "max_nodes", "sizes", "theme", "lang", "timeout")  # what a figure of a plan takes


def draw(
    output: Any,
    *numbers: Any,
    wrt: Any = None,
    show: str | Sequence[str] | None = None,
    grad: str = "number",
    collapse: Any = "auto",
    cloud: Any = None,
    style: str = "book",
    theme: str = "default",
    direction: str = "both",
    names: Mapping[str, Tensor | Module] | None = None,
    sizes: Mapping[int, str] | None = None,
    gradient: Any = None,
    loss: str | None = None,
    check: bool = False,
    annotate: Mapping[Any, Any] | None = None,
    values: Mapping[Any, Any] | None = None,
    legend: Any = None,
    simplify: bool = True,
    join_sums: bool = False,
    panels: bool = False,
    lang: str = "en",
    max_nodes: int | None = None,
    timeout: float = 20.0,
) -> Picture:
    """A figure of the computation of `output`: values forward, derivatives backward, as a textbook draws them.

    output: a tensor, several, a `Graph`, or a function, which is called with `numbers` and named by its arguments. Of the
        plan of a replayed function (`step.plan`), the figure is another: a map of its memory, a column a line; it takes
        collapse ("auto", "all", None: whether lines that repeat are left out), max_nodes, sizes, theme, lang, timeout.
    wrt: a tensor, or its name, or several: only derivatives on the way to these are drawn.
    show: some of "value", "grad", "shape", "formula": with "value", small arrays are shown by their numbers. Left out:
        values, derivatives and shapes, and arrays by their names. grad: "number", "symbol" (formulas), "blank" (an exercise).
    collapse: 1, 2, … (modules so deep become boxes), "all" (every layer), modules, a function of a `Part`, None.
        "auto": as little as is needed to read the figure on a slide, mostly nothing; where it folds anything, it says so.
    max_nodes: so many operations and values are drawn in full, however large the figure, and no more are.
    cloud: a module, or several, of which it does not matter what they compute.
    style: "book", "record", "plain". theme: "default", "print", "dark". lang: "en", "ko".
    direction: "both", "forward", "backward", "side-by-side".
    names: what to call tensors; otherwise by their own `name`, or by the variables of the caller that hold them.
        Also what to call modules; otherwise by their class. sizes: what to write in shapes, as in {32: "N"}.
    gradient: ∂L/∂output to start from; for a single number it is 1. loss: what L is called in formulas, so that
        they start from ∂L/∂output; left out, the output itself is differentiated.
    check: marks each derivative ✓ or ✗ by comparing it with a numerical one, or ∧ at a kink.
    annotate, values: what to write instead of a derivative or a value, by tensor, by name, or by (tensor, k) for
        its k-th use. A number must be the traced one, to the digits shown.
    legend: tensors whose derivatives get a number in a box, [1], [2], …, with their formulas in a list below the
        figure; or what the list says of each, by tensor.
    simplify: False leaves formulas as the chain rule makes them: ∂z/∂z·2t·1. join_sums: a + b + c as one circle.
    panels: what has nothing to do with each other stands side by side, and not under each other.
    timeout: seconds that Graphviz may take.

    Raises ValueError for a choice that there is not, RuntimeError for a graph that was freed or is stale; and when
    it is shown or saved, RuntimeError if there is no Graphviz, TimeoutError if the layout takes too long.

    >>> import tinygrad_edu as tg
    >>> apple, count, tax = [tg.Tensor(x, requires_grad=True) for x in (100.0, 2.0, 1.1)]
    >>> price = apple * count * tax
    >>> print(draw(price).text())
    apple is 100; ∂price/∂apple is 2.2.
    count is 2; ∂price/∂count is 110.
    tax is 1.1; ∂price/∂tax is 200.
    multiply takes apple (100) and count (2) and gives 200. Going back, 1.1 arrives; 2.2 goes to apple and 110 goes to count.
    multiply takes 200 and tax (1.1) and gives price (220). Going back, 1 arrives; 1.1 goes to 200 and 200 goes to tax.
    """
    given = locals()
    check_options(given)
    look = Look(style, theme, direction, lang, timeout, panels)
    if isinstance(output, Plan):
        for name, parameter in inspect.signature(draw).parameters.items():
            if name not in MAPPED and given[name] is not parameter.default and (numbers or name != "numbers"):
                raise ValueError(
                    f"{name}= says how a graph is drawn, but this is a plan; its figure takes {', '.join(MAPPED[1:])}"
                )
        return MemoryMap(output, look, collapse, max_nodes, sizes or {})
    parts = [show] if isinstance(show, str) else [*(SHOW[:3] if show is None else show)]
    for part in parts:
        choose("show", part, SHOW)
    shown = frozenset(parts)
    choose("grad", grad, GRAD)
    if isinstance(output, Graph):
        for option in ("numbers", "names", "gradient", "check"):
            if given[option]:
                raise ValueError(
                    f"{option}= needs the tensors of a computation, but this is a Graph, plain data of one"
                )
        if not output.values:
            raise ValueError("there is nothing to draw: this graph has no values")
        record, graph = None, output
    else:
        if callable(output) and not isinstance(output, Tensor):
            function = output  # a module: it lives, and names its parameters, as long as the figure is being made
            output, arguments = call(function, numbers)
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
        variables = variable_names(sys._getframe(1))
        record = Record(output, gradient=gradient, names=tensors, variables=variables, result=() if loss else UNNAMED)
        graph = record.graph
        if passes.size(graph) <= (max_nodes or MOST_IN_FORMULAS):
            graph = name_values(record)
            if grad == "symbol" or "formula" in shown or legend is not None:
                graph = with_derivatives(record, graph, loss, simplify)
        if check:
            graph = checked(record, graph)
        for name, thing in (names or {}).items():
            if isinstance(thing, Module):
                graph = passes.renamed(graph, _calls(record, [thing], "names"), name)
    if join_sums:
        graph = passes.join_sums(graph)
    if wrt is not None:
        graph = passes.only_path(graph, [_find(graph, record, x) for x in _several(wrt)])
    if direction == "forward":
        graph = passes.only_path(graph, ())
    labels = FigureLabels(
        loss or differentiated(graph),
        shown,
        grad,
        _annotations(graph, record, values, "data"),
        _annotations(graph, record, annotate, "grad"),
        sizes or {},
        numbers=show is not None,
    )
    if legend is not None:
        labels = replace(labels, keys=_keys(graph, record, legend, labels))
    if cloud is not None:
        calls = _calls(record, _several(cloud), "cloud")
        graph = passes.collapse(graph, lambda part: part.id in calls, words(lang)["some"])
    few = record is not None and passes.size(record.graph) <= (max_nodes or MOST_IN_FORMULAS)
    reading = read(record, labels.of) if record is not None and few else Reading()

    def fits(graph: Graph) -> bool:
        return readable(graph, labels, direction)

    if isinstance(collapse, str) and collapse == "auto":
        whole = passes.size(graph) <= max_nodes if max_nodes else len(graph.ops) <= ALWAYS_IN_FULL or fits(graph)
        drawn = graph if whole else fold(graph, fits, lang)
    else:
        drawn = _collapsed(graph, record, collapse)
    return Drawing(drawn, labels, look, whole=graph, reading=reading)


def readable(graph: Graph, labels: FigureLabels, direction: str) -> bool:
    """Whether the figure can be read on a slide."""
    if passes.size(graph) > MOST_IN_FORMULAS:
        return False
    width, height = extent(make_plan(graph, labels))
    return width * (2 if direction == "side-by-side" else 1) <= SLIDE[0] and height <= SLIDE[1]


def draw_backward(output: Tensor, **options: Any) -> Picture:
    """A figure of the backward pass itself: the computation of ∂output/∂x for each leaf x, drawn like any other.

    The options are those of `draw`; the direction is "forward" unless said otherwise.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor(3.0, requires_grad=True, name="x")
    >>> print(draw_backward(x * x).text().splitlines()[-1])
    add takes 3 and 3 and gives ∂y/∂x (6).
    """
    if not isinstance(output, Tensor):
        raise TypeError(
            f"draw_backward() takes the tensor that is differentiated, but got {type(output).__name__} {output!r:.40}; "
            "of a function, give its result: draw_backward(f(x))"
        )
    check_options(options)
    variables = {name: x for name, x in variable_names(sys._getframe(1)).items() if not x.name}
    called = {tensor: name for name, tensor in variables.items()}
    of = output.name or called.get(output) or "y"
    inputs = dict.fromkeys(x for node in topological([output]) for x in node.inputs)  # in the order of their use
    leaves = [x for x in (inputs or [output]) if x.op is None and x.requires_grad]
    found: dict[Tensor, str] = {}
    for leaf, slope in zip(leaves, autograd.grad(output, leaves, create_graph=True), strict=True):
        name = f"∂{grouped(of)}/∂{grouped(of_path(leaf.name or called.get(leaf) or 'x'))}"
        found[slope] = f"{found[slope]} = {name}" if slope in found else name
    names = {**variables, **{name: slope for slope, name in found.items()}, **(options.pop("names", None) or {})}
    return draw(list(found), names=names, **{"direction": "forward", **options})


def call(function: Callable[..., Any], numbers: Sequence[Any]) -> tuple[Any, dict[str, Tensor]]:
    """The result of a function of numbers, or its several results, recorded, and its arguments as leaves, by their names."""
    name = getattr(function, "__name__", type(function).__name__)
    if isinstance(function, type):
        raise TypeError(f"{name} is a class; make one first, as in draw({name}(…), x)")
    try:
        signature = inspect.signature(getattr(function, "forward", function))  # of a module, of an op
        given = signature.bind(*numbers).arguments
    except ValueError:  # written in C
        raise TypeError(f"{name}() does not say what it takes; write draw(lambda x: {name}(x), 3)") from None
    except TypeError as error:
        takes = f"{name}({', '.join(signature.parameters)})"
        raise TypeError(f"{takes} is called with what follows it in draw({name}, …), but {error}") from None
    leaves: dict[str, Tensor] = {}

    def leaf(name: str, x: Any) -> Any:
        if not isinstance(x, Tensor):
            try:
                array = np.asarray(x)
                x = Tensor(array if array.dtype.kind in "fc" else array.astype(float), requires_grad=True)
            except (TypeError, ValueError):
                return x  # a word, a function: a setting, which is not drawn
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
    results = result if isinstance(result, list | tuple) else [result]
    for y in results:
        if not isinstance(y, Tensor):
            raise TypeError(
                f"{name}() returned {type(y).__name__} {y!r:.40}, "
                "which nothing was recorded for; write it with operators and NumPy's functions"
            )
    if not hasattr(function, "__name__") or name == "<lambda>" or name in leaves:
        return result, leaves
    called = [name] if len(results) == 1 else [f"{name}[{k}]" for k in range(len(results))]
    return result, {**leaves, **dict(zip(called, results, strict=True))}


def _several(thing: Any) -> list[Any]:
    return list(thing) if isinstance(thing, list | tuple | set | dict) else [thing]


def _find(graph: Graph, record: Record | None, thing: Any) -> str:
    """The id of a value, given as a tensor or by its name."""
    if isinstance(thing, str):
        found = [value.id for value in graph.values if value.name == thing or value.symbol == thing]
        if len(found) == 1:
            return found[0]
        known = ", ".join(value.name for value in graph.values if value.name)
        several = "several values are" if found else "no value is"
        raise ValueError(f"{several} called {thing!r} in this figure; the names are: {known}")
    found_id = record.value_of(thing) if record is not None and isinstance(thing, Tensor) else None
    if found_id is None:
        raise ValueError(
            f"{thing!r:.60} is not in this figure; give a tensor that the output was computed from, or a name"
        )
    return found_id


def _annotations(graph: Graph, record: Record | None, written: Mapping[Any, Any] | None, what: str) -> dict[str, str]:
    """Annotations by the ids of values and uses. Raises ValueError for a number that is not the traced one."""
    found: dict[str, str] = {}
    things: list[Value | Use] = [*graph.values, *graph.uses]
    traced = {thing.id: thing for thing in things}
    uses = users(graph)
    for key, said in (written or {}).items():
        thing, k = key if isinstance(key, tuple) and len(key) == 2 else (key, None)
        expect(f"the use in ({thing!r:.30}, …)", k or 0, int, "a number: 0 is the first use")
        expect(f"what is written of {thing!r:.30}", said, (str, int, float), "a text or a number")
        id = _find(graph, record, thing)
        number = getattr(traced[id], what)
        if k is not None:
            if not 0 <= k < len(uses[id]):
                raise ValueError(f"{thing!r:.60} is used {len(uses[id])} times in this figure, so it has no use {k}")
            if what == "grad":
                id = uses[id][k].id
                number = getattr(traced[id], what)
        text = str(said)
        if not equal_to(text, number):
            raise ValueError(f"the annotation {text!r} is not what was traced: {number!r}")
        found[id] = text
    return found


def _keys(graph: Graph, record: Record | None, legend: Any, labels: FigureLabels) -> dict[str, str]:
    """What the legend says of derivatives, by the ids of their values: ∂L/∂X (N, 2) = ∂L/∂Y (N, 3) · Wᵀ (3, 2)."""
    values = {value.id: value for value in graph.values}
    shapes = {value.name: value.shape for value in graph.values if value.name and value.shape}
    named = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, sorted(shapes, key=len, reverse=True)))})(ᵀ?)(?!\w)")

    def with_shape(found: re.Match[str]) -> str:
        shape = shapes[found[1]]
        return f"{found[0]} {shape_text(shape[::-1] if found[2] else shape, labels.sizes)}"

    said = {}
    for thing in _several(legend):
        id = _find(graph, record, thing)
        formula = labels.below_text.get(id) or values[id].grad_symbol or "?"
        text = f"{derivative(labels.of, values[id])} = {formula}"
        given = legend[thing] if isinstance(legend, Mapping) else None
        expect("what the legend says of a derivative", given or "", str, "a text")
        said[id] = given or (named.sub(with_shape, text) if shapes else text)
    return said


def _calls(record: Record | None, modules: Sequence[Module], option: str) -> set[str]:
    """The ids of the calls of these modules. Raises ValueError for one that was not called."""
    for module in modules:
        expect(f"{option}=", module, Module, "a module, or several")
    chosen = {id for id, scope in (record.modules if record else {}).items() if scope.module in modules}
    if record is None or len(modules) > len({record.modules[id].module for id in chosen}):
        raise ValueError(f"{option}= names a module that was not called in this figure")
    return chosen


def _collapsed(graph: Graph, record: Record | None, collapse: Any) -> Graph:
    """The graph with the parts collapsed that `collapse` asks for."""
    if collapse is None:
        return graph
    if isinstance(collapse, str):
        choose("collapse", collapse, ("auto", "all"))
        return passes.collapse(graph, passes.innermost(graph))
    if isinstance(collapse, int) and not isinstance(collapse, bool):
        if collapse < 1:
            raise ValueError(f"collapse={collapse} is not a depth; 1 is the outermost modules")
        return passes.collapse(graph, passes.depth(graph, collapse))
    if isinstance(collapse, Module | Iterable):
        chosen = _calls(record, _several(collapse), "collapse")
        return passes.collapse(graph, lambda part: part.id in chosen)
    if callable(collapse):
        return passes.collapse(graph, collapse)
    raise TypeError(f"collapse={collapse!r} is not a depth, 'all', 'auto', a list of modules, a function or None")

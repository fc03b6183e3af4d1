"""`draw`: a figure of a computation; `draw_backward`: one of the computation of its derivatives."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any

from tinygrad_edu import autograd
from tinygrad_edu.engine.graph import topological
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.formula.writing import grouped, of_path
from tinygrad_edu.nn.module import Module
from tinygrad_edu.program.plan import Plan
from viz.annotate import annotate as annotate_figure
from viz.annotate import split_legend
from viz.blocks.diagram import BlockDiagram, block_diagram
from viz.drawing import Drawing
from viz.emphasis import ends, refuse_hidden, refuse_weightless
from viz.folded import chosen_parts, folded
from viz.layout.page import page_size
from viz.layout.panels import check_titles, components
from viz.layout.plan import make_plan
from viz.look import Look
from viz.memory.memory_map import MemoryMap
from viz.options import check_options, choose
from viz.picture import Picture
from viz.record.graph import Graph
from viz.record.names import variable_names
from viz.record.trace import trace
from viz.wording.labels import GRAD, SHOW, said

BLOCKS = (
    "output", "numbers", "collapse", "sizes", "style", "theme", "title", "caption", "names", "fit", "font_size", "lang", "timeout",
)  # fmt: skip
"""What a figure in the style "blocks" takes."""
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
    flow: str | None = None,
    names: Mapping[str, Tensor | Module] | None = None,
    sizes: Mapping[int, str] | None = None,
    gradient: Any = None,
    loss: str | None = None,
    check: bool = False,
    annotate: Mapping[Any, Any] | None = None,
    values: Mapping[Any, Any] | None = None,
    legend: Any = None,
    weight: str | None = None,
    highlight: Any = None,
    title: str = "",
    titles: Sequence[str] = (),
    caption: str = "",
    order: Sequence[Any] = (),
    simplify: bool = True,
    join_sums: bool = False,
    panels: bool = False,
    mathematics: bool = True,
    fit: Any = None,
    font_size: float | None = None,
    spacing: float | None = None,
    lang: str = "en",
    max_nodes: int | None = None,
    timeout: float = 20.0,
) -> Picture:
    r"""Draw the computation of `output` as textbooks do: values go forward above the arrows, derivatives come back
    below.

    output: a tensor, several, a `Graph`, or a function, which is called with `numbers`, and whose values are named by
        its arguments. The plan of a replayed function (`step.plan`) is drawn as another figure, a map of its memory
        with a column for each line; of the options it takes collapse ("auto", "all", None: whether lines that repeat
        are left out), max_nodes, sizes, theme, lang and timeout.
    numbers: the arguments of a function. A tensor remembers what was computed from the first tensor on that requires a
        gradient; what was computed of data alone, such as the parts of a sequence, or images that are pooled first, is
        drawn if the function and its data are given, as in draw(model, x).
    wrt: a tensor, or its name, or several; only derivatives on the way to these are drawn. By default all are.
    show: some of "value", "grad", "shape", "formula"; by default the first three, with arrays by their names. With
        "value", also arrays that have a name are shown by their numbers, matrices in rows between brackets; of more than
        five entries along an axis, dots stand for those in the middle, and of more than 64 in all the name is shown.
        "shape" alone says where an axis was broadcast, and that the derivative is summed over it.
    grad: how derivatives are shown: as a "number", as a "symbol" (a formula), or "blank" (an exercise).
    collapse: which modules become boxes: 1, 2, … (those so deep), "all" (every layer), modules, a function of a `Part`,
        or None. "auto" folds as little as is needed to read the figure on a slide, mostly nothing, and says what it
        folded.
    cloud: a module, or several, that are drawn as a cloud, because it does not matter what they compute.
    style: "book", "record", "plain", or "blocks": the layers of a network as solids, high, wide and thick by the logarithm
        of their places and channels, with the windows that convolutions and pools read. Equal parts that follow each
        other are drawn once, "× 3"; what goes down to small maps and up again, with ways across, is a U. Of the other
        options it takes names, sizes, theme, title, caption, fit, font_size, lang, timeout and collapse: the modules that
        are one layer each, or None for every map.
    theme: "default", "print" or "dark".
    direction: "both", "forward", "backward" or "side-by-side".
    flow: where the figure runs to: "right", or "down", values then on the left of arrows and derivatives on the right. If
        nothing is said, to the right; fitted to a page that is higher than wide, as its letters are higher.
    names: what to call tensors; by default their own `name`, or the variables of the caller that hold them. Also what
        to call modules; by default their class.
    sizes: what to write in shapes, as in {32: "N"}.
    gradient: ∂L/∂output to start from; for a single number it is 1.
    loss: what L is called in formulas, which then start from ∂L/∂output; by default the output itself is
        differentiated.
    check: whether each derivative is marked ✓ or ✗ by comparison with a numerical one, or ∧ at a kink.
    annotate, values: what to write instead of a derivative or a value, by tensor, by name, or by (tensor, k) for
    its k-th use. A number must be the traced one, to the digits shown.
    legend: tensors whose derivatives get a number in a box, [1], [2], …, with their formulas in a list below the
        figure; or a mapping from tensors to what the list says of each. True, alone or among them: what the colours and
        marks on the figure mean.
    weight: "grad" draws the line of each derivative as thick as it is large, of an array by the root of the mean of its
        squares, in the colour of its sign, with a scale below the figure: derivatives that vanish are seen to.
    highlight: a tensor, or its name, which is drawn in the accent colour with where it is made and used, and all else
        paler; or a pair of them, for all that lies between; or a list of these.
    title: what stands above the figure, and names it for screen readers.
    titles: what stands above each panel.
    caption: what stands below the figure.
    order: leaves and outputs, by tensors or names, whose rows stand below each other in this order (in a figure that
        runs down, beside each other). By default inputs stand in the order in which operations take them.
    simplify: with False, formulas stay as the chain rule makes them: ∂z/∂z·2t·1.
    join_sums: whether a + b + c is one circle.
    mathematics: whether names are written as mathematics writes them: x1 as x₁, alpha as α. What stands between dollars is
        LaTeX, as in r"$\hat{y}$": a .tex gets it as it is, other figures ŷ. Words keep the names as they are.
    panels: whether parts that have nothing to do with each other stand side by side, instead of below each other.
    fit: what the figure is to fit: a slide, "16:9" (13.33 × 7.5 inches) or "4:3" (10 × 7.5); a sheet, "A4"; a "column" of a
        paper (3.35 × 9); or a width and a height in inches. It fills 92 % of the page: a figure that is too long stands
        closer, goes on in further rows (where a line is cut, the same letter stands at both ends), and is folded only if
        nothing else helps. It warns of letters of less than 12 points; `letter_height` says how high they are.
    font_size: the size of its letters in points, 14 if nothing is said. With `fit`, they are at least so large, or there
        is an error.
    spacing: how wide things stand apart, from 0, as close as can be read, to 1, as usual, or wider. With `fit`, as wide
        as the page allows.
    lang: "en" or "ko".
    max_nodes: the number of operations and values up to which the figure is drawn in full, however large it becomes.
    timeout: the seconds that Graphviz may take.

    Raises ValueError for a choice that does not exist, RuntimeError for a graph that was freed or is stale; and when
    the figure is shown or saved, RuntimeError if there is no Graphviz, TimeoutError if the layout takes too long.

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
    if direction == "side-by-side" and titles:
        check_titles(titles, 2)
    page = None if fit is None else page_size(fit)
    keyed, explained = split_legend(legend)
    look = Look(
        style, theme, direction, flow, lang, timeout, panels, page=page, font_size=font_size, spacing=spacing,
        title=said(title), titles=tuple(map(said, titles)), caption=said(caption), explained=explained,
        weighted=weight is not None,
    )  # fmt: skip
    if isinstance(output, Plan):
        return _memory_map(output, look, given)
    if style == "blocks":
        return _block_diagram(output, numbers, look, given, sys._getframe(1))
    parts = [show] if isinstance(show, str) else [*(SHOW[:3] if show is None else show)]
    for part in parts:
        choose("show", part, SHOW)
    choose("grad", grad, GRAD)
    traced = trace(
        output,
        numbers,
        wrt=wrt,
        direction=direction,
        join_sums=join_sums,
        names=names,
        variables={} if isinstance(output, Graph) else variable_names(sys._getframe(1)),
        gradient=gradient,
        loss=loss,
        formulas=grad == "symbol" or "formula" in parts or keyed is not None,
        simplify=simplify,
        check=check,
        measured=weight is not None,
        max_nodes=max_nodes,
    )
    if weight is not None:
        refuse_weightless(traced.graph)
    if order:
        look = replace(look, order=traced.rows(order))
    if highlight is not None:
        look = replace(look, highlight=ends(traced, highlight))
    labels, reading = annotate_figure(
        traced,
        show=frozenset(parts),
        numbers=show is not None,
        grad=grad,
        loss=loss,
        values=values,
        derivatives=annotate,
        sizes=sizes or {},
        legend=keyed,
        mathematics=mathematics,
        lang=lang,
        max_nodes=max_nodes,
    )
    whole, drawn = folded(traced, labels, look, collapse=collapse, cloud=cloud, max_nodes=max_nodes)
    refuse_hidden(drawn, look.highlight, traced.graph)
    if look.titles and look.direction != "side-by-side":
        check_titles(look.titles, len(set(components(make_plan(drawn, labels)).values())))
    return Drawing(drawn, labels, look, whole=whole, reading=reading)


def _memory_map(plan: Plan, look: Look, given: Mapping[str, Any]) -> MemoryMap:
    """The figure of a plan. Raises ValueError for options that only a graph has."""
    _only(MAPPED, given, "says how a graph is drawn, but this is a plan; its figure takes")
    return MemoryMap(plan, look, given["collapse"], given["max_nodes"], given["sizes"] or {})


def _block_diagram(
    output: Any, numbers: Sequence[Any], look: Look, given: Mapping[str, Any], caller: FrameType
) -> BlockDiagram:
    """The figure of a network. Raises ValueError for a graph that has no layers, and for options that it does not take."""
    _only(BLOCKS, given, "is not for the style 'blocks', which takes")
    traced = trace(
        output, numbers, wrt=None, direction="both", join_sums=False, names=given["names"],
        variables={} if isinstance(output, Graph) else variable_names(caller),
        gradient=None, loss=None, formulas=False, simplify=True, check=False, measured=False, max_nodes=1, derivatives=False,
    )  # fmt: skip
    collapse = given["collapse"]
    by_itself = collapse is None or isinstance(collapse, str)
    chosen = None if by_itself and collapse in (None, "auto", "all") else chosen_parts(traced, collapse)
    return block_diagram(traced.graph, look, collapse=collapse, chosen=chosen, sizes=given["sizes"] or {})


def _only(taken: Sequence[str], given: Mapping[str, Any], said: str) -> None:
    """Raise ValueError for the first option that is given and not taken."""
    for name, parameter in inspect.signature(draw).parameters.items():
        if name not in taken and given[name] is not parameter.default and (given["numbers"] or name != "numbers"):
            raise ValueError(f"{name}= {said} {', '.join(taken).removeprefix('output, ').removeprefix('numbers, ')}")


def draw_backward(output: Tensor, **options: Any) -> Picture:
    """Draw the backward pass itself: the computation of ∂output/∂x for each leaf x, like any other computation.

    output: a tensor.
    options: those of `draw`; the direction is "forward" unless another is given.

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
    figure = draw(list(found), names=names, **{"direction": "forward", **options})
    figure.look = replace(figure.look, any_order=True)
    return figure

"""The steps of loops folded: those in the middle as one cloud, or each as one box, in columns of time as before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from viz.languages import words
from viz.record.folding import LEAST_IN_A_CLOUD, REPEATED, noting_what_is_shown
from viz.record.graph import Graph
from viz.record.passes import Span, merge
from viz.record.sharing import loops

LEAST_STEPS_ELIDED = 4  # steps: of so many, those but the first and the last are one cloud


def without_steps(graph: Graph, lang: str) -> Iterator[Graph]:
    """The graph with less and less of its loops: the first and the last step; each step as a box; those boxes at the ends."""
    found = [steps for steps in loops(graph) if len(steps[0]) >= LEAST_IN_A_CLOUD]
    long = any(len(steps) >= LEAST_STEPS_ELIDED for steps in found)

    def folded(spans: Callable[[Sequence[range]], list[Span]]) -> Graph:
        return noting_what_is_shown(merge(graph, [span for steps in found for span in spans(steps)]), lang)

    def middle(steps: Sequence[range]) -> list[Span]:
        if len(steps) < LEAST_STEPS_ELIDED:
            return []
        said = words(lang)["repeats"].format(n=len(steps) - 2)
        return [Span(steps[1].start, steps[-2].stop, f"{REPEATED}{steps[1].start}", said, said, "cloud")]

    def boxes(steps: Sequence[range]) -> list[Span]:
        said = _called(graph, steps) or words(lang)["a_step"]
        return [Span(step.start, step.stop, f"n{step.start}", said, said, "box") for step in steps]

    def ends(steps: Sequence[range]) -> list[Span]:
        clouds = middle(steps)
        return [*boxes([steps[0], steps[-1]] if clouds else steps), *clouds]

    if long:
        yield folded(middle)
    if found:
        yield folded(boxes)
    if long:
        yield folded(ends)


def _called(graph: Graph, steps: Sequence[range]) -> str:
    """What the module is called that makes each step, or all of them; nothing if there is none."""
    inside = [
        [part for part in graph.ops[step.start].scope if all(part in graph.ops[k].scope for k in step)]
        for step in steps
    ]
    kinds = {parts[-1].kind if parts else "" for parts in inside}
    return kinds.pop() if len(kinds) == 1 else ""

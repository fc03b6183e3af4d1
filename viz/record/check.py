"""Each derivative of a figure against a numerical one: is the figure right?

What comes after a value is run again, by the ops' forward functions in float64, with the value, or one use of
it, moved a little along a random direction v; the central difference must equal ⟨∂L/∂value, v⟩.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_edu.engine.differentiate import differentiate
from tinygrad_edu.engine.graph import Way, topological
from tinygrad_edu.engine.origins import refuse_gone
from tinygrad_edu.engine.recording import recording
from viz.record.graph import Graph
from viz.record.record import Record, Tensor, seeds

STEP_SIZE = 1e-5
TOLERANCE = 1e-3


def checked(record: Record, graph: Graph) -> Graph:
    """The graph with a verdict on each derivative: "agrees", "differs", or "kink" where the slopes on the two sides differ."""
    found = verdicts(record)
    uses = [replace(u, verdict=found.get((record.nodes.get(u.op or ""), u.position))) for u in graph.uses]
    values = [replace(v, verdict=found.get(record.tensors[v.id])) if v.flows else v for v in graph.values]
    return replace(graph, values=tuple(values), uses=tuple(uses))


def verdicts(record: Record) -> dict[Any, str]:
    """A verdict for each use, `(node, position)`, and each tensor whose derivative is the sum of several."""
    gradient = record.gradient
    # not ones, with which mistakes that cancel in the sum would not be seen
    if gradient is None and any(y.size != 1 for y in record.outputs):
        rng = np.random.default_rng(1)
        given = [rng.standard_normal(y.shape) for y in record.outputs]
        gradient = given[0] if len(given) == 1 else given
    start = seeds(record.outputs, gradient)
    if not start:
        return {}
    with np.errstate(all="ignore"):
        run = _Run(start)
    order = topological(list(start))
    found: dict[Any, str] = {}

    def judge(node: Tensor, i: int, contribution: Any) -> None:
        found[node, i] = run.verdict(node.inputs[i], contribution, (node, i))

    totals: dict[Tensor, Any] = dict(start)
    with np.errstate(all="ignore"), recording(enabled=False):
        differentiate(list(order), totals, Way(judge, keep=frozenset(order)))
        for x, total in totals.items():
            if not isinstance(total, tuple | list):
                found[x] = run.verdict(x, total, None)
    return found


class _Run:
    """Outputs that can be computed again with something moved."""

    def __init__(self, start: dict[Tensor, Any]) -> None:
        self.start = start
        self.order = topological(list(start), through_constants=True)
        refuse_gone(self.order)
        self.base: dict[Tensor, Any] = {}
        for node in self.order:
            if node.op is None:
                wide = node.ndarray.dtype.kind == "f"
                self.base[node] = node.ndarray.astype(float) if wide else node.ndarray
            else:
                self.base[node] = node.op.compute([self.base[x] for x in node.inputs], node.settings)
        self.rng = np.random.default_rng(0)

    def verdict(self, x: Tensor, derivative: Any, use: tuple[Tensor, int] | None) -> str:
        """Whether the derivative of L by x, or by one use of x, is what differences say."""
        base = self.base[x]
        v = self.rng.standard_normal(base.shape)
        h = STEP_SIZE * max(1e-3, float(np.abs(base).max(initial=0.0)))
        low, middle, high = (self._loss(x, base + t * v, use) for t in (-h, 0.0, h))
        said = float(np.sum(derivative * v))
        left, right, central = (middle - low) / h, (high - middle) / h, (high - low) / (2 * h)
        scale = max(abs(said), abs(central), 1e-7 * (1 + abs(middle)) / max(h, 1e-300) * STEP_SIZE)
        if math.isfinite(central) and abs(right - left) > 10 * TOLERANCE * max(scale, abs(left), abs(right)):
            below, above = (self._loss(x, base + t * v, use) for t in (-h / 10, h / 10))
            gap = abs(above - 2 * middle + below) / (h / 10)
            if gap > abs(right - left) / 2:  # a smooth function's gap falls with the step, a kink's stays
                return "kink"
        return "agrees" if math.isfinite(central) and abs(said - central) <= TOLERANCE * scale else "differs"

    def _loss(self, x: Tensor, moved: Any, use: tuple[Tensor, int] | None) -> float:
        """The outputs, weighted by ∂L/∂output, with x (or one use of it) being `moved`."""
        changed: dict[Tensor, Any] = {} if use else {x: moved}
        for node in self.order:
            if node.op is None or (use is None and node is x):
                continue
            here = use is not None and node is use[0]
            if here or any(y in changed for y in node.inputs):
                inputs = [changed.get(y, self.base[y]) for y in node.inputs]
                if here and use is not None:
                    inputs[use[1]] = moved
                if node.op.symmetric:  # its derivative is by xᵢⱼ and xⱼᵢ together
                    inputs = [(y + y.mT) / 2 for y in inputs]
                changed[node] = node.op.compute(inputs, node.settings)
        return sum(float(np.sum(g * changed.get(y, self.base[y]))) for y, g in self.start.items())

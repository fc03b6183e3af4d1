"""Nodes that stand for a record of their own, which is unfolded when it is asked for: a derivative, a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from tinygrad_edu.engine import backward
from tinygrad_edu.engine.evaluate import forwards
from tinygrad_edu.engine.node import Node
from tinygrad_edu.engine.op import Op
from tinygrad_edu.engine.origins import node_of
from tinygrad_edu.engine.recording import tracing
from tinygrad_edu.engine.rules import Positions
from tinygrad_edu.engine.tensor import Tensor


class Fold:
    """The record that one node stands for: `unfold()` gives its outputs, computed from `inputs` (and from plain tensors).

    first: the outputs' arrays, which are known when the node is made, and then are the node's.
    """

    __slots__ = ("first", "inputs", "unfold")

    def __init__(self, unfold: Callable[[], Sequence[Node]], inputs: Sequence[Node], first: Sequence[Any]) -> None:
        self.unfold, self.inputs = unfold, inputs
        self.first: Sequence[Any] | None = first


class FoldedOp(Op):
    """An op each node of which stands for a record of its own, its setting `fold`, that is unfolded when it is asked for.

    Its gradients are those of that record, all of them read off in one walk: a walk asks for `rules` once for each node,
    so what is computed for the first input serves the others, and is then forgotten.
    """

    folds = True

    def __init__(self, name: str, symbol: str, outputs: int | None = None) -> None:
        said = f"∂L/∂xᵢ = (∂{name}/∂xᵢ)ᵀ @ ∂L/∂y"
        super().__init__(
            self._forward,
            name=name,
            symbol=symbol,
            vjp=self._rule,
            bind=lambda *inputs, fold: (inputs, {"fold": fold}),
            outputs=outputs,
            formulas=[said],
            doc="An op that stands for a record of others.",
        )

    def __call__(self, fold: Fold) -> Any:
        """The node, or with several outputs the nodes, of this record."""
        return self.apply(tuple(fold.inputs), {"fold": fold})

    def _forward(self, *arrays: Any, fold: Fold) -> Any:
        """The outputs: those known when the node is made, the first time; later, what the record gives for these numbers."""
        if fold.first is not None:
            data, fold.first = fold.first, None
        else:
            parts = tracing().run(fold.unfold)
            results: dict[Node, Any] = dict(zip(fold.inputs, arrays, strict=True))
            forwards(parts, results)
            data = [results[part] for part in parts]
        return tuple(data) if self.outputs else data[0]

    def _rule(self, i: int, g: Any, y: Any, *xs: Any, fold: Fold) -> Any:
        """The gradient by one input."""
        return self._together(g, xs, fold)[i]

    def _together(self, g: Any, xs: Sequence[Any], fold: Fold) -> list[Any]:
        """The gradients by all inputs."""
        gs = g if self.outputs else (g,)
        if any(hasattr(part, "__apply_op__") for part in gs):
            raise TypeError(f"the rules of {self.name} are those of a record, which cannot be printed as one formula")
        recorded = any(isinstance(x, Tensor) for x in xs)
        return backward.pull(fold.unfold(), fold.inputs, gs, recorded)

    @property
    def rules(self) -> Any:
        """The rules of one visit of a walk to a node."""
        known: list[Any] = []

        def rule(i: int, g: Any, y: Any, *xs: Any, fold: Fold) -> Any:
            if not known:
                known.extend(self._together(g, xs, fold))
            return known[i]

        return Positions(rule)


@cache
def _folded(name: str, symbol: str, outputs: int | None) -> FoldedOp:
    return FoldedOp(name, symbol, outputs)


def fold(name: str, symbol: str, unfold: Any, inputs: Sequence[Node], first: Sequence[Any]) -> Any:
    """The nodes that stand for the outputs of a record: a list."""
    n = None if len(first) == 1 else len(first)
    made = _folded(name, symbol, n)(Fold(unfold, [node_of(x) for x in inputs], first))
    return [made] if n is None else list(made)

"""Demands on the record: it can be evaluated again."""

from __future__ import annotations

import contextlib

from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.origins import node_of
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.testing.checks.arrays import tensors_in
from tinygrad_edu.testing.checks.case import Case
from tinygrad_edu.testing.gradcheck import gradcheck
from tinygrad_edu.testing.report import AtKink


class Records(Case):
    """Demands on the record: it can be evaluated again."""

    def can_be_evaluated_again(self) -> None:
        leaves = self.leaves()
        ys = [node_of(y) for y in tensors_in(self.call(self.op, leaves))]
        if hasattr(self.op, "forward") and self.floating:
            for y in ys:
                if y.op is None:
                    self.fail("a result is not recorded, so it would be frozen when the graph is evaluated again")
        new = self.redrawn()
        ys = [y for y in ys if y.op is not None]
        if ys:
            again = evaluate(ys, self.by_leaf(ys, leaves, new))
            others = self.leaves(new)
            fresh = [y for y in tensors_in(self.call(self.op, others)) if node_of(y).op is not None]
            self.same(
                list(again),
                fresh,
                "evaluated again on new values it",
                "computed on them it",
                hint="; what leaves the graph on the way (.numpy(), .data, float()) is frozen",
            )

    def gradients_can_be_evaluated_again(self) -> None:
        leaves, new = self.leaves(), self.redrawn()
        xs = [leaves[i] for i in self.floating]
        ys, vs = self.outputs_and_cotangents(leaves)
        gs = grad(ys, xs, vs, create_graph=True, allow_unused=True)
        us = [Tensor(self.rng.standard_normal(v.shape)) for v in vs]
        fresh_leaves = self.leaves(new)
        fresh_ys = [y for y in tensors_in(self.call(self.op, fresh_leaves)) if y.needs_grad]
        fresh = grad(fresh_ys, [fresh_leaves[i] for i in self.floating], us, allow_unused=True)
        pairs = [(g, f) for g, f in zip(gs, fresh, strict=True) if g is not None and f is not None]
        if not pairs:
            return
        outputs = [g for g, _ in pairs]
        values = self.by_leaf(outputs, [*leaves, *vs], [*new, *[u.ndarray for u in us]])
        self.same(
            list(evaluate(outputs, values)),
            [f for _, f in pairs],
            "its recorded gradient, evaluated again on new values,",
            "computed on them it",
            hint="; a rule that takes .data, .numpy() or a Python number out of its arguments freezes it",
        )

    def one_tensor_may_be_used_twice(self) -> None:
        first = [self.arrays[i] for i in self.floating]
        if len(first) < 2 or any(a.shape != first[0].shape for a in first):
            return
        try:
            self.of_floating(*[first[0]] * len(first))
        except Exception:  # a product of two 2×3 matrices
            return
        with self.named("one tensor as every input: "), contextlib.suppress(AtKink):
            gradcheck(
                lambda x: self.of_floating(*[x] * len(first)), first[0], rng=self.rng, directions=2, name=self.op.name
            )

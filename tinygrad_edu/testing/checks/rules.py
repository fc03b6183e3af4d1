"""Demands on rules: they compute the derivatives, in the shapes and types of the inputs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import topological, unbroadcast
from tinygrad_edu.testing.checks.arrays import flattened, frozen, share_memory, tensors_in
from tinygrad_edu.testing.checks.case import Case
from tinygrad_edu.testing.gradcheck import gradcheck
from tinygrad_edu.testing.report import AtKink, CheckError, Report


class Rules(Case):
    """Demands on rules: they compute the derivatives, in the shapes and types of the inputs."""

    def derivatives(self, order: int) -> Report:
        leaves = self.leaves()
        xs = [leaves[i] for i in self.floating]
        options: dict[str, Any] = {"rng": self.rng, "name": self.op.name}
        with self.named():
            try:
                report = gradcheck(self.of_floating, xs, analytic=self.op.analytic, **options)
            except TypeError as error:
                if not self.op.analytic:
                    raise
                self.fail(f"it is declared analytic=True, but cannot be computed on complex numbers: {error}")
            if order == 1:
                return report
            more = gradcheck(self.of_floating, xs, order=order, directions=2, **options)
        return Report(report.checked + more.checked, max(report.worst, more.worst), report.kinks + more.kinks)

    def slopes_are_zero(self) -> None:
        """An op declared without a derivative is constant, wherever it is smooth."""
        with self.named(f"{self.op.name} is declared without a derivative, but "), contextlib.suppress(AtKink):
            gradcheck(self.of_floating, [self.arrays[i] for i in self.floating], rng=self.rng, name=self.op.name)

    def rules_keep_shape_dtype_and_memory(self) -> None:
        for dtype in ("float32", "float16"):
            arrays = [frozen(a.astype(dtype)) if i in self.floating else frozen(a) for i, a in enumerate(self.arrays)]
            try:
                expected = self.call(self.op, arrays)
            except TypeError:
                if dtype == "float32":
                    raise
                continue  # LAPACK has no float16
            numpys = [] if (made := self.by_numpy(arrays)) is None else [y.dtype for y in flattened(made)]
            for value in flattened(expected):
                if value.dtype.kind == "f" and value.dtype != dtype and value.dtype not in numpys:
                    self.fail(f"it makes {value.dtype} of {dtype}; use Python's own numbers, or pass dtype=")
            leaves = self.leaves(arrays)
            ys = [y for y in tensors_in(self.call(self.op, leaves)) if y.needs_grad]
            vs = [frozen(self.rng.standard_normal(y.shape).astype(y.dtype)) for y in ys]
            for node, i, g, result in _rule_results(ys, vs):
                self.check_rule_result(node, i, g, result)

    def check_rule_result(self, node: Any, i: int, g: Any, result: Any) -> None:
        x, rule = node.inputs[i], f"rule {i} of {node.op.name}"
        if node.op.selects:
            return  # `item` hands on what it gets, to its place in the results that it is one of
        if not hasattr(result, "dtype"):
            self.fail(
                f"{rule} returned {type(result).__name__} {result!r:.40}; a rule returns an array of its input's shape"
            )
        if result.dtype != x.dtype:
            self.fail(
                f"{rule} returned {result.dtype} for an input of {x.dtype}; "
                "count with math and Python's numbers, which are weak, and pass dtype= to what makes arrays"
            )
        fits = result.shape == x.shape
        if not fits and node.op.broadcasts:
            with contextlib.suppress(ValueError):
                fits = np.broadcast_shapes(result.shape, x.shape) == result.shape
        if not fits:
            self.fail(
                f"{rule} returned shape {result.shape} for an input of shape {x.shape}; sum over the axes that were "
                "broadcast, or declare broadcasts=True if all inputs are broadcast together"
            )
        if node.op.symmetric and not np.allclose(result, result.mT, rtol=1e-3, equal_nan=True):
            self.fail(
                f"{rule} returned a matrix that is not symmetric, for an input taken for symmetric; return (s + s.mT) / 2"
            )
        for what, value in [("the output", node), *[(f"input {k}", z) for k, z in enumerate(node.inputs)]]:
            for part in value.ndarray if isinstance(value.ndarray, tuple) else [value.ndarray]:
                if share_memory(result, part) and not any(share_memory(result, gi) for gi in flattened(g)):
                    self.fail(f"{rule} returned the memory of {what}; return a new array (g * 1, np.copy)")


def _rule_results(ys: Sequence[Any], vs: Sequence[Any]) -> Iterator[tuple[Any, int, Any, Any]]:
    """The chain rule without the engine: `(node, input, g, what its rule returned)`, on arrays that nobody may write.

    Raises CheckError for a rule that tries to.
    """
    totals: dict[Any, Any] = {}
    for y, v in zip(ys, vs, strict=True):
        totals[y] = v if y not in totals else totals[y] + v
    for node in reversed(topological(list(ys))):
        g = totals.pop(node, None)
        if g is None or node.op is None:
            continue
        if node.op.outputs is not None:
            g = tuple(np.zeros_like(part) if gi is None else gi for gi, part in zip(g, node.ndarray, strict=True))
        for part in [*flattened(g), *flattened(node.ndarray)]:
            if isinstance(part, np.ndarray):
                part.flags.writeable = False
        for i, x in enumerate(node.inputs):
            if not x.needs_grad or node.op.rules[i] is None:
                continue
            try:
                result = node.op.rules[i](g, node.ndarray, *[z.ndarray for z in node.inputs], **node.settings)
            except ValueError as error:
                if "read-only" not in str(error):
                    raise
                raise CheckError(
                    f"rule {i} of {node.op.name} writes into g, the output or an input; it may not"
                ) from None
            yield node, i, g, result
            if node.op.selects:
                parts = totals.setdefault(x, [None] * len(x.ndarray))
                k = node.settings["index"]
                parts[k] = result if parts[k] is None else parts[k] + result
            else:
                result = unbroadcast(result, x.shape)
                totals[x] = result if x not in totals else totals[x] + result

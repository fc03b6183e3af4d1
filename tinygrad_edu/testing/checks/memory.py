"""Demands on memory: an op writes into nothing, and shares only what it declares."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.recording import tracing
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.testing.checks.arrays import flattened, frozen, node_of_results, share_memory, tensors_in
from tinygrad_edu.testing.checks.case import Case


class Memory(Case):
    """Demands on memory: an op writes into nothing, and shares only what it declares."""

    def inputs_are_not_written(self) -> None:
        try:
            self.call(self.op, self.leaves([frozen(a) for a in self.arrays]))
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            self.fail("it writes into an input")

    def results_have_memory_of_their_own(self) -> None:
        """Unless it is declared a view of its first input."""
        if not hasattr(self.op, "forward"):
            return  # a composite: its ops are checked themselves
        for y in tensors_in(self.call(self.op, self.leaves())):
            node = node_of_results(y)
            if node.op is not self.op:
                continue
            for part in flattened(node.ndarray):
                for k, x in enumerate(node.inputs):
                    if share_memory(part, x.ndarray):
                        if not (self.op.view and k == 0):
                            self.fail(f"its result shares the memory of input {k}; copy, or declare view=True")
                        self.shares = True

    def gradients_have_memory_of_their_own(self) -> None:
        leaves = self.leaves()
        ys = [y for y in tensors_in(self.call(self.op, leaves)) if y.needs_grad]
        vs = [self.rng.standard_normal(y.shape) for y in ys]
        for y, v in zip(ys, vs, strict=True):
            y.backward(v)
        found: list[Any] = [x for x in tensors_in(leaves) if x.grad is not None]
        held = [(f"the data of {x.name}", x.ndarray) for x in found] + [("the gradient passed in", v) for v in vs]
        for x in found:
            gradient = x.grad.ndarray
            if gradient.shape != x.shape or gradient.dtype != x.dtype:
                self.fail(f"{x.name}.grad is {gradient.dtype} {gradient.shape}, but {x.name} is {x.dtype} {x.shape}")
            for what, memory in held:
                if share_memory(gradient, memory):
                    self.fail(f"{x.name}.grad shares memory with {what}")
            held.append((f"{x.name}.grad", gradient))

    def gradients_have_the_dtype_of_their_inputs(self) -> None:
        """Check the dtype of each gradient where the inputs are of several types, and all but one were widened."""
        first = self.floating[0]
        leaves = self.leaves([a.astype("float32") if i == first else a for i, a in enumerate(self.arrays)])
        ys = [y for y in tensors_in(self.call(self.op, leaves)) if y.needs_grad]
        xs = [leaves[i] for i in self.floating]
        gs = grad(ys, xs, [self.rng.standard_normal(y.shape) for y in ys], allow_unused=True)
        for x, g in zip(xs, gs, strict=True):
            if g is not None and g.dtype != x.dtype:
                self.fail(f"the gradient of {x.name}, of {x.dtype}, is of {g.dtype}")

    def writes_where_out_says(self) -> None:
        if not getattr(self.op, "takes_out", False):
            return
        with tracing():
            ys = tensors_in(self.call(self.op, [Tensor(a) for a in self.arrays]))
        for y in ys:
            if y.op is not self.op:
                y = y.inputs[0] if y.inputs else y  # one of several results
            if y.op is self.op:
                several = self.op.outputs is not None
                expected = list(y.ndarray) if several else [y.ndarray]
                out = [np.full_like(part, 7) for part in expected]
                given = tuple(out) if several else out[0]
                result = self.op.forward(*[x.ndarray for x in y.inputs], **{**y.settings, "out": given})
                if not all(a is b for a, b in zip(result if several else [result], out, strict=True)):
                    self.fail("it is declared takes_out=True, but forward(..., out=array) returned another array")
                self.same(out, expected, "with out= it", "without it")

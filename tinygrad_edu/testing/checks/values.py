"""Demands on values: they are NumPy's, and arrays give arrays."""

from __future__ import annotations

from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.testing.checks.arrays import called, flattened, tensors_in
from tinygrad_edu.testing.checks.case import Case


class Values(Case):
    """Demands on values: they are NumPy's, and arrays give arrays."""

    def values_are_numpys(self) -> None:
        for key in self.op.answers:
            numpys = getattr(key[0], key[1]) if isinstance(key, tuple) else key
            try:
                expected = self.call(numpys, self.arrays)
            except Exception:  # NumPy's function takes other arguments, or fewer
                continue
            self.judged = True
            leaves = self.leaves()
            for tensors in (leaves, [x if isinstance(x, Tensor) else Tensor(x) for x in leaves]):
                if not tensors_in(tensors):
                    continue  # integers and truths, as they are
                try:
                    got = self.call(numpys, tensors)
                except Exception as error:
                    self.fail(f"{called(key)} computes it on arrays, but on tensors it raises {error!r}")
                self.same(got, expected, f"{called(key)} on tensors", "on arrays", types=True)

    def arrays_give_arrays(self) -> None:
        plain = flattened(self.call(self.op, self.arrays))
        for value in plain:
            if isinstance(value, Tensor):
                self.fail("given arrays it returns a Tensor; a function on arrays gives arrays")
        self.same(self.call(self.op, self.leaves()), plain, "on tensors it", "on arrays it", types=True)

    def nothing_is_recorded_in_no_grad(self) -> None:
        with no_grad():
            for y in tensors_in(self.call(self.op, self.leaves())):
                if y.op is not None or y.inputs:
                    self.fail("inside no_grad() it leaves a record")

    def floats_out(self) -> bool:
        return any(y.dtype.kind == "f" for y in tensors_in(self.call(self.op, self.leaves())))

    def differentiable(self) -> bool:
        return any(y.needs_grad for y in tensors_in(self.call(self.op, self.leaves())))

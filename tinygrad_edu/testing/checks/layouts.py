"""Demands on shapes and layouts: strided, broadcast, empty and 0-d arrays work."""

from __future__ import annotations

import numpy as np

from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.graph import unbroadcast
from tinygrad_edu.testing.checks.arrays import LAYOUTS, flattened, smaller, tensors_in
from tinygrad_edu.testing.checks.case import Case
from tinygrad_edu.testing.report import CheckError


class Layouts(Case):
    """Demands on shapes and layouts: strided, broadcast, empty and 0-d arrays work."""

    def gradients_do_not_depend_on_layout(self) -> None:
        vs = [v.ndarray for v in self.outputs_and_cotangents(self.leaves())[1]]
        expected = self.values_and_gradients(self.arrays, vs)
        for layout, change in LAYOUTS.items():
            arrays = [change(a) if i in self.floating else a for i, a in enumerate(self.arrays)]
            self.same(
                self.values_and_gradients(arrays, vs), expected, f"on {layout} arrays it", "on contiguous ones it"
            )

    def broadcasting_is_undone(self) -> None:
        """⟨∂L/∂x summed⟩: the gradient of a small input is that of its expansion, summed back."""
        if not getattr(self.op, "broadcasts", False) or len(self.arrays) < 2:
            return
        try:
            shape = np.broadcast_shapes(*[a.shape for a in self.arrays])
            full = [np.broadcast_to(a, shape).copy() for a in self.arrays]
            self.call(self.op, full)
        except ValueError:
            return  # matmul broadcasts what stands before the last two axes
        for i in self.floating:
            for small in smaller(full[i]):
                arrays = [small if k == i else a for k, a in enumerate(full)]
                expanded = [np.broadcast_to(small, shape).copy() if k == i else a for k, a in enumerate(full)]
                try:
                    alike = [np.shape(y) for y in flattened(self.call(self.op, arrays))]
                except ValueError:  # what is written into is not broadcast
                    continue
                if alike != [np.shape(y) for y in flattened(self.call(self.op, expanded))]:
                    continue  # the others did not make up for it
                ys, v = self.outputs_and_cotangents(self.leaves(expanded))
                vs = [part.ndarray for part in v]
                n = len(ys)
                got = self.values_and_gradients(arrays, vs)[n:]
                want = self.values_and_gradients(expanded, vs)[n:]
                k = self.floating.index(i)
                want[k] = unbroadcast(want[k], small.shape) if want[k] is not None else None
                self.same(
                    got,
                    want,
                    f"with {self.names[i]} of shape {small.shape} its gradient",
                    "expanded and summed back it",
                )

    def empty_and_0d_go_through(self) -> None:
        sizes = {n for i in self.floating for n in self.arrays[i].shape if n > 0}
        variants = [
            [a[tuple(slice(0 if n == size else None) for n in a.shape)] for a in self.arrays] for size in sorted(sizes)
        ]
        if (self.judged or getattr(self.op, "broadcasts", False)) and self.settings.get("axis") is None:
            variants.append(
                [np.asarray(a.flat[0]) if i in self.floating and a.size else a for i, a in enumerate(self.arrays)]
            )
        for arrays in variants:
            shapes = ", ".join(str(a.shape) for a in arrays)
            expected = self.by_numpy(arrays)
            if expected is None:
                continue
            leaves = self.leaves(arrays)
            try:
                got = self.call(self.op, leaves)
                self.same(got, expected, f"on shapes {shapes} it", "NumPy", types=True)
                ys = [y for y in tensors_in(got) if y.needs_grad]
                if ys:
                    xs = [leaves[i] for i in self.floating]
                    gs = grad(ys, xs, [np.ones(y.shape) for y in ys], create_graph=True, allow_unused=True)
                    for g, x in zip(gs, xs, strict=True):
                        if g is not None and (g.shape != x.shape or g.dtype != x.dtype):
                            self.fail(f"on shapes {shapes} the gradient of {x.name} is {g.dtype} of shape {g.shape}")
            except CheckError:
                raise
            except Exception as error:
                self.fail(f"on shapes {shapes} NumPy computes it, but here it raises {error!r}")

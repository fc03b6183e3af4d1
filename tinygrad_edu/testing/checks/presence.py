"""Demands on presence: what a selection dropped sends nothing back."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.differentiate import FINITE_WITH_RESULT
from tinygrad_edu.engine.op import Op
from tinygrad_edu.testing.checks.arrays import tensors_in
from tinygrad_edu.testing.checks.case import Case

_steep = Op(np.positive, name="steep", vjp=(lambda g, y, x: g * np.inf,), presence="elementwise")
"""y = x, with an infinite slope: what is absent behind it gets 0, and where a zero is a slope, NaN comes of it."""


EXTREMES = (0.0, 1e-310, 1e-160, 1.0, 1e160, 1e308, np.inf, -1e-310, -1.0, -1e308, -np.inf, np.nan)
"""Numbers at which a result may overflow, vanish or be NaN."""


class Presences(Case):
    """Demands on presence: what a selection dropped sends nothing back."""

    def what_is_absent_sends_nothing(self) -> None:
        """Check that NaN in inputs on which only dropped results depend changes no gradient.

        These inputs are found by changing each, not from what the op declares.
        """
        kinds = self.presence
        shapes = [y.shape for y in tensors_in(self.call(self.op, self.leaves())) if y.needs_grad]
        for share in (0.0,) if "ends" in (kinds if isinstance(kinds, tuple) else (kinds,)) else (0.0, 0.5, 0.8):
            present = [self.rng.random(shape) < share for shape in shapes]
            spoiled = self.spoiled_where_absent(present)
            vs = [self.rng.standard_normal(shape) for shape in shapes]
            us = [self.rng.standard_normal(self.arrays[i].shape) for i in self.floating]
            expected = self.slopes_of_present(self.arrays, present, vs, us, recorded=False)
            try:
                self.slopes_of_present(spoiled, present, vs, us, recorded=False)
            except np.linalg.LinAlgError:  # LAPACK refuses NaN
                spoiled = self.arrays
            for arrays, recorded in ((self.arrays, True), (spoiled, False), (spoiled, True)):
                got = self.slopes_of_present(arrays, present, vs, us, recorded=recorded)
                self.same(
                    got,
                    expected,
                    f"where parts of the result are dropped{' and what they hang on is NaN' * (arrays is spoiled)}, "
                    f"its gradient{', recorded,' * recorded}",
                    "with finite numbers it",
                    hint=f'; it is declared presence={kinds!r}, which "ends" would be in any case',
                )

    def spoiled_where_absent(self, present: Sequence[Any]) -> list[Any]:
        """Return the arrays with NaN at each element that does not change the present elements of the results.

        Where `presence` is a function, this is tried only at elements that it calls absent.
        """
        arrays = [np.array(a) for a in self.arrays]
        shown = self.shown(arrays, present)
        absent = [np.ones(a.shape, bool) for a in arrays]
        if callable(self.presence):
            leaves = self.leaves()
            given = [_steep(x) if i in self.floating else x for i, x in enumerate(leaves)]
            ys = [y for y in tensors_in(self.call(self.op, given)) if y.needs_grad]
            chosen: list[Any] = [np.where(mask, y, 0) for y, mask in zip(ys, present, strict=True)]
            slopes = grad(chosen, [leaves[i] for i in self.floating], [np.ones(y.shape) for y in ys])
            for i, slope in zip(self.floating, slopes, strict=True):
                absent[i] = slope.ndarray == 0
        for i in self.floating:
            for index in zip(*np.nonzero(np.atleast_1d(absent[i])), strict=True):
                index = index[: arrays[i].ndim]
                before, arrays[i][index] = arrays[i][index], np.nan
                try:
                    alike = all(map(np.array_equal, self.shown(arrays, present), shown))
                except Exception:  # NumPy refuses NaN
                    alike = False
                if not alike:
                    arrays[i][index] = before
        return arrays

    def shown(self, arrays: Sequence[Any], present: Sequence[Any]) -> list[Any]:
        """The present elements of the results, those that have a derivative."""
        ys = [y for y in tensors_in(self.call(self.op, self.leaves(arrays))) if y.needs_grad]
        return [y.ndarray[mask] for y, mask in zip(ys, present, strict=True)]

    def slopes_of_present(
        self, arrays: Sequence[Any], present: Sequence[Any], vs: Sequence[Any], us: Sequence[Any], *, recorded: bool
    ) -> list[Any]:
        """The gradients of Σ v·y over the present elements y alone; of products of no NaN, the second ones too."""
        leaves = self.leaves(arrays)
        xs = [leaves[i] for i in self.floating]
        given = [
            x * 1 if recorded and i in self.floating else x for i, x in enumerate(leaves)
        ]  # its gate shows the mask
        ys = [y for y in tensors_in(self.call(self.op, given)) if y.needs_grad]
        chosen: list[Any] = [np.where(mask, y, 0) for y, mask in zip(ys, present, strict=True)]
        first = grad(chosen, xs, list(vs), create_graph=True, allow_unused=True)
        pairs = [(g, u) for g, u in zip(first, us, strict=True) if g is not None and g.needs_grad]
        second = (
            grad([g for g, _ in pairs], xs, [u for _, u in pairs], allow_unused=True) if pairs else [None] * len(xs)
        )
        if not recorded:
            first = grad(chosen, xs, list(vs), allow_unused=True)
        return [*first, *second]

    def what_it_drops_is_absent(self) -> None:
        """Check that no slope that is always 0 counts as present, for it would turn an infinite slope before it into NaN."""
        kinds = self.presence
        known = {"selects", "rectifies", "moves", "linear", "tame", "elementwise", "product"}
        if not known.issuperset(kinds if isinstance(kinds, tuple) else (kinds,)):
            return
        leaves = self.leaves()
        xs = [leaves[i] for i in self.floating]
        ys = [y for y in tensors_in(self.call(self.op, leaves)) if y.needs_grad]
        anew = [y for y in tensors_in(self.call(self.op, self.leaves(self.redrawn()))) if y.needs_grad]
        if all(np.array_equal(y.ndarray, z.ndarray) for y, z in zip(ys, anew, strict=False)):
            return  # a constant, such as x⁰
        given = [_steep(x) if i in self.floating else x for i, x in enumerate(leaves)]
        ys = [y for y in tensors_in(self.call(self.op, given)) if y.needs_grad]
        gs = grad(ys, xs, [self.rng.standard_normal(y.shape) for y in ys], allow_unused=True)
        if any(g is not None and np.isnan(g.ndarray).any() for g in gs):
            self.fail(f'some elements of its inputs have no slope at all; declare presence="selects", not {kinds!r}')

    def behind_a_finite_result_no_slope_is_infinite(self) -> None:
        """Check, for an op that is declared so and at extreme numbers, that a cotangent 0 gives 0 wherever the result is finite."""
        if self.presence not in FINITE_WITH_RESULT or any(self.arrays[i].size == 0 for i in self.floating):
            return
        for values in itertools.product(EXTREMES, repeat=min(len(self.floating), 2)):
            arrays = [np.array(a) for a in self.arrays]
            for i, value in zip(self.floating, values, strict=False):
                arrays[i].flat[self.rng.integers(arrays[i].size)] = value
            leaves = self.leaves(arrays)
            with np.errstate(all="ignore"):
                ys = [y for y in tensors_in(self.call(self.op, leaves)) if y.needs_grad]
            if all(np.isfinite(y.ndarray).all() for y in ys):
                gs = grad(ys, [leaves[i] for i in self.floating], [np.zeros(y.shape) for y in ys])
                if any(g.ndarray.any() for g in gs):
                    self.fail(
                        f"at {values} its result is finite, but a cotangent 0 gives ∞ or NaN; declare another presence "
                        f"than {self.presence!r}"
                    )

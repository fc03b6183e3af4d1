"""One example of an op, with the numbers that were drawn for it, and what the demands need to check it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np

from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.example import Example
from tinygrad_edu.engine.graph import topological
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.testing.checks.arrays import arrays_in, described, filled, flattened, input_names, tensors_in
from tinygrad_edu.testing.functions import symmetrized
from tinygrad_edu.testing.report import CheckError


class Case:
    """An example of an op, with the numbers that were drawn for it."""

    def __init__(self, op: Any, example: Example, rng: np.random.Generator) -> None:
        self.op, self.example, self.rng = op, example, rng
        self.args, self.settings = example.draw(rng, op.domains)
        self.label = f"{op.name}({described(example)})"
        self.arrays = list(arrays_in(self.args))
        self.floating = [i for i, a in enumerate(self.arrays) if a.dtype.kind == "f"]
        self.names = input_names(op, self.args)
        self.judged = self.shares = False  # by NumPy; memory with the first input
        self.presence = getattr(op, "presence", "ends")  # nothing is said of a composite
        self.symmetric = False  # whether a matrix is taken for symmetric

    def by_numpy(self, arrays: Sequence[Any]) -> Any:
        """The result of NumPy's function, or for lack of one that of the op itself, for these arrays; None if it
        refuses them.
        """
        for key in self.op.answers:
            numpys = getattr(key[0], key[1]) if isinstance(key, tuple) else key
            try:
                self.call(numpys, self.arrays)
            except Exception:  # takes other arguments
                continue
            try:
                return self.call(numpys, arrays)
            except Exception:
                return None
        try:
            result = self.call(self.op, arrays)
        except Exception:
            return None
        return result if all(np.size(y) == 0 for y in flattened(result)) else None

    @contextmanager
    def named(self, what: str = "") -> Iterator[None]:
        """Errors of gradcheck inside the block name the example."""
        try:
            yield
        except CheckError as error:
            raise type(error)(f"{self.label}: {what}{str(error).removeprefix(f'{self.label}: ')}") from None

    def call(self, function: Callable[..., Any], arrays: Sequence[Any]) -> Any:
        """`function` on the example's arguments, with `arrays` (or tensors) where its arrays stand."""
        turn = iter(arrays)
        return function(*[filled(arg, turn) for arg in self.args], **self.settings)

    def leaves(self, arrays: Sequence[Any] | None = None) -> list[Any]:
        """The arrays, those of floating numbers as leaves that require a gradient."""
        arrays = self.arrays if arrays is None else arrays
        return [
            Tensor(a, requires_grad=True, name=self.names[i]) if i in self.floating else a for i, a in enumerate(arrays)
        ]

    def of_floating(self, *xs: Any) -> Any:
        """The op as a function of its floating inputs alone, giving its floating results."""
        given = dict(zip(self.floating, symmetrized(xs) if self.symmetric else xs, strict=True))
        result = self.call(self.op, [given.get(i, a) for i, a in enumerate(self.arrays)])
        return tuple(y for y in tensors_in(result) if y.dtype.kind in "fc")

    def outputs_and_cotangents(self, leaves: Sequence[Any]) -> tuple[list[Any], list[Tensor]]:
        ys = [y for y in tensors_in(self.call(self.op, leaves)) if y.needs_grad]
        return ys, [Tensor(self.rng.standard_normal(y.shape), requires_grad=True) for y in ys]

    def values_and_gradients(self, arrays: Sequence[Any], vs: Sequence[Any]) -> list[Any]:
        leaves = self.leaves(arrays)
        ys = [y for y in tensors_in(self.call(self.op, leaves)) if y.needs_grad]
        return [*ys, *grad(ys, [leaves[i] for i in self.floating], list(vs), allow_unused=True)]

    def redrawn(self) -> list[Any]:
        """Other numbers for the same example."""
        return list(arrays_in(self.example.draw(self.rng, self.op.domains)[0]))

    def by_leaf(self, outputs: Sequence[Any], leaves: Sequence[Any], values: Sequence[Any]) -> dict[Any, Any]:
        """New values for those leaves that the outputs depend on."""
        used = set(topological(list(outputs), through_constants=True))
        return {x: a for x, a in zip(leaves, values, strict=True) if isinstance(x, Tensor) and x in used}

    def same(self, got: Any, expected: Any, what: str, other: str, types: bool = False, hint: str = "") -> None:
        """Fail unless both are the same numbers, of the same shape and, if asked, dtype."""
        got, expected = flattened(got), flattened(expected)
        if len(got) != len(expected):
            self.fail(f"{what} gives {len(got)} results, {other} gives {len(expected)}")
        for a, b in zip(got, expected, strict=True):
            if a is None or b is None:
                if (a is None) != (b is None):
                    self.fail(f"{what} gives {a!r:.60}, {other} gives {b!r:.60}")
                continue
            a, b = (np.asarray(z.ndarray if isinstance(z, Tensor) else z) for z in (a, b))
            if a.shape != b.shape:
                self.fail(f"{what} gives shape {a.shape}, {other} gives {b.shape}{hint}")
            if types and a.dtype != b.dtype:
                self.fail(f"{what} gives {a.dtype}, {other} gives {b.dtype}{hint}")
            if a.dtype.kind in "fc":
                scale = float(np.abs(b[np.isfinite(b)]).max(initial=0.0))
                wrong = ~np.isclose(a, b, rtol=1e-9, atol=1e-11 * scale, equal_nan=True)
            else:
                wrong = a != b
            if np.any(wrong):
                index = tuple(int(k) for k in np.argwhere(wrong)[0])
                self.fail(f"{what} gives {a[index]!r} at {index}, {other} gives {b[index]!r}{hint}")

    def fail(self, message: str) -> NoReturn:
        raise CheckError(f"{self.label}: {message}")

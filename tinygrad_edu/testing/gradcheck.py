"""gradcheck: compares a recorded gradient with the derivative that values alone give.

The outputs y = f(x) are weighted with random cotangents v, so that every entry of the Jacobian counts: unlike a sum,
⟨v, y⟩ does not hide what adds up to zero (softmax, normalization). Its derivative along each element is then found
without any rule, from values alone:

    D(h) = (⟨v, f(x + h)⟩ − ⟨v, f(x − h)⟩) / 2h,        R = (4·D(h/2) − D(h)) / 3

The two step sizes give both Richardson's extrapolation R, and how far it may be off, |D(h) − D(h/2)|. Where the slopes
to the left and to the right still disagree as h shrinks, there is a kink. A kink has no derivative to compare with, so
it is reported and not judged.

Functions that can take complex numbers can be compared with the complex step Im f(x + ih) / h too. Nothing cancels in
it, so it is exact to rounding.

Sources: Richardson, *The approximate arithmetical solution by finite differences …* (1911); Squire and Trapp,
*Using complex variables to estimate derivatives of real functions*, SIAM Review 40 (1998).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_edu.engine.graph import topological
from tinygrad_edu.engine.recording import enable_grad, no_grad
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.testing.functions import (
    argument_names,
    cotangent_names,
    differentiated,
    elements_of,
    flattened,
    gradient_of,
    gradients_of,
    leaf_of,
    name_of,
    outputs_of,
    symmetrized,
    takes_for_symmetric,
)
from tinygrad_edu.testing.report import AtKink, CheckError, GradientError, Report

STEP_SIZES = (1e-3, 1e-4, 1e-5, 1e-6)
"""Step sizes to try in turn, relative to max(1, |x|): the first at which the two quotients agree is taken."""

MOST_ELEMENTS_IN_TURN = 64
"""Of so many elements each is varied in turn; more are varied together, in random directions."""

USUAL_DIRECTIONS = 8
"""How many random directions there are, unless it is said."""

ROUNDING_OF_A_VALUE = 1e3 * float(np.finfo(float).eps)
"""The relative rounding error of a value that a difference quotient divides by h, generously."""


def gradcheck(
    f: Callable[..., Any],
    inputs: Any,
    *,
    order: int = 1,
    rng: int | np.random.Generator = 0,
    rtol: float = 1e-6,
    atol: float = 1e-14,
    directions: int | None = None,
    analytic: bool = False,
    name: str | None = None,
) -> Report:
    """Compare the gradient that `f` records with difference quotients of its values.

    f: a function that takes tensors, and returns one or a tuple of them.
    inputs: an array, a number or a tensor, or a sequence of them. `f` is differentiated by floating arrays and numbers,
        in float64, and by tensors that require a gradient; everything else is held constant.
    order: with 2, the derivatives of the gradient are checked too (also by the incoming gradient), and so on.
    rng: a seed or a Generator, from which the random cotangents and directions come.
    rtol, atol: by how much a recorded gradient may be off, beyond the error bound of the quotients. This is for its own
    rounding, which counts where terms cancel. Functions of a size of 1e-14 need a smaller atol.
    directions: along how many random directions each argument is compared, instead of by each element; by default
    arguments of more than 64 elements are compared along 8.
    analytic: whether the first derivative is compared with a complex step as well.
    name: what errors call the function; by default its own name.

    Returns a Report. Its `kinks` names the elements at which f is not differentiable; they are not compared.

    Raises GradientError at a wrong gradient, naming the argument, the worst index and both numbers, and the op
    whose rule is at fault where one can be singled out; AtKink if no element could be judged.

    >>> import numpy as np
    >>> import tinygrad_edu as tg
    >>> report = gradcheck(lambda x, w: np.tanh(x @ w), [np.ones((2, 3)) / 2, np.ones((3, 2)) / 5], order=2)
    >>> report.checked, report.kinks
    (28, ())
    >>> print(gradcheck(lambda x: np.maximum(x, 0), np.array([-1.0, 0.0, 2.0])))
    2 derivatives agree; not judged: x[1] is at a kink: the slope of ⟨v, y⟩ is 0 to the left, -0.1321 to the right
    """
    if order < 1:
        raise ValueError(f"gradcheck(order={order}): the order of a derivative is 1 or more")
    rng = np.random.default_rng(rng)
    name = name or name_of(f)
    function, at, labels = _of_chosen(f, inputs, name)
    options = _Options(rng, rtol, atol, directions)
    reports: list[Report] = []
    weight = 0.0
    for k in range(1, order + 1):
        check = _Check(function, at, labels, name if k == 1 else f"{name} (order {k})", options, k, weight)
        weight = check.weight
        reports.append(check.run(analytic and k == 1))
        if not any(x.size for x in at):
            break  # no elements, and so nothing to differentiate again
        if k < order:
            function = gradient_of(function, len(at))
            at = [*at, *check.cotangents]
            labels = [*labels, *cotangent_names(len(check.cotangents), k)]
    kinks = tuple(dict.fromkeys(kink for report in reports for kink in report.kinks))
    return Report(sum(r.checked for r in reports), max(r.worst for r in reports), kinks)


def _of_chosen(f: Callable[..., Any], inputs: Any, name: str) -> tuple[Callable[..., Any], list[Any], list[str]]:
    """`f` as a function of the arguments that it is differentiated by, these arguments in float64, and their names."""
    args = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    names = argument_names(f, args)
    chosen = [i for i, x in enumerate(args) if differentiated(x)]
    if not chosen:
        raise ValueError(
            f"gradcheck({name}) has nothing to differentiate by; pass floating arrays, or tensors with requires_grad=True"
        )

    def of_chosen(*xs: Any) -> Any:
        given = list(args)
        for i, x in zip(chosen, xs, strict=True):
            x.name = names[i]
            given[i] = x
        return f(*given)

    at = [np.array(args[i].ndarray if isinstance(args[i], Tensor) else args[i], dtype=float) for i in chosen]
    return of_chosen, at, [names[i] for i in chosen]


def gradgradcheck(f: Callable[..., Any], inputs: Any, **options: Any) -> Report:
    """Check the gradient that `f` records, and the derivatives of this gradient: it is `gradcheck` with order 2.

    f, inputs: as for `gradcheck`.
    options: further arguments of `gradcheck`.

    >>> import numpy as np
    >>> gradgradcheck(np.sin, np.array([0.5, 1.0])).checked
    6
    """
    return gradcheck(f, inputs, order=2, **options)


# ---------------------------------------------------------------------------------------------------
# One order of derivatives


@dataclass
class _Quotient:
    """What values say about one derivative: the number, and by how much the step and rounding may have put it off.

    `trouble` says why there is no number, where there is none.
    """

    value: float = np.nan
    spread: float = np.inf
    noise: float = 0.0
    trouble: str | None = None

    @property
    def bound(self) -> float:
        return self.spread + self.noise


@dataclass(frozen=True)
class _Options:
    rng: np.random.Generator
    rtol: float
    atol: float
    directions: int | None = None


class _Check:
    """Checks the derivatives of ⟨v, f(x)⟩ at one point.

    f, at, names: the function, its arguments, and what errors call them.
    what: what errors call the function.
    options: the tolerances.
    order: of which order the derivatives are.
    weight: the size of the terms that f's values may be a difference of.
    alone: whether f is a single op, so that there is nothing smaller to look for a fault in.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        at: list[Any],
        names: list[str],
        what: str,
        options: _Options,
        order: int = 1,
        weight: float = 0.0,
        alone: bool = False,
    ) -> None:
        self.f, self.at, self.names, self.what = f, at, names, what
        self.options, self.order, self.alone = options, order, alone
        self.leaves = [Tensor(x.copy(), requires_grad=True, name=n) for x, n in zip(at, names, strict=True)]
        with enable_grad():
            self.outputs = outputs_of(f(*self.leaves), what)
        self.cotangents = [options.rng.standard_normal(y.shape) for y in self.outputs]
        self.v = flattened(self.cotangents)
        self.y = flattened([y.ndarray for y in self.outputs])
        finite = np.isfinite(self.y)  # a derivative may vanish; its terms are as large as what it is the derivative of
        self.weight = max(weight, float(np.abs(self.v[finite]) @ np.abs(self.y[finite])))

    def run(self, analytic: bool = False) -> Report:
        again = self.values(self.at)
        if not np.allclose(again, self.y, rtol=1e-9, atol=1e-12, equal_nan=True):
            raise CheckError(
                f"{self.what} gave other values when it was called again without a record; "
                "a function to be checked depends on its arguments alone (seed what is random inside it)"
            )
        recorded = self.recorded()
        checked, worst, kinks = 0, 0.0, []
        for i, g in enumerate(recorded):
            if not g.size:
                continue
            by_element = self.options.directions is None and g.size <= MOST_ELEMENTS_IN_TURN
            ways = elements_of(g.shape) if by_element else self.random_directions(i)
            scale = float(np.abs(g[np.isfinite(g)]).max(initial=0.0))
            failures = []
            for d in ways:
                q = self.quotient(i, d, scale)
                slope = float(np.sum(g[d != 0] * d[d != 0]))
                if q.trouble is not None:
                    kinks.append(
                        f"{self.place(i, d)} {q.trouble}" + (f" (order {self.order})" if self.order > 1 else "")
                    )
                    continue
                checked += 1
                off = abs(slope - q.value)
                allowed = self.options.atol + self.options.rtol * max(abs(slope), abs(q.value)) + q.bound
                if not off <= allowed:
                    failures.append((off / allowed if allowed and np.isfinite(off) else np.inf, d, slope, q))
                    continue
                worst = max(worst, off / max(scale, abs(q.value)) if off else 0.0)
                if analytic:
                    self.complex_step(i, d, slope, scale)
            if failures:
                _, d, slope, q = max(failures, key=lambda failure: failure[0])
                ratios = np.array([q.value / s if s else np.nan for _, _, s, q in failures])
                self.fail(i, *((d, slope, q) if by_element else self.narrow(i, g, d, slope, q)), ratios=ratios)
        if not checked and kinks:
            raise AtKink(f"the gradient of {self.what} cannot be judged here: {'; '.join(kinks[:4])}")
        return Report(checked, worst, tuple(kinks))

    # -- the numbers that are compared --------------------------------------------------------------

    def values(self, at: Sequence[Any]) -> Any:
        """f at `at`, its outputs strung out into one vector; nothing is recorded."""
        with no_grad(), np.errstate(all="ignore"):
            return flattened([y.ndarray for y in outputs_of(self.f(*[leaf_of(x) for x in at]), self.what)])

    def recorded(self) -> list[Any]:
        """The gradient of ⟨v, f⟩ by each argument, from the record."""
        return [
            g.ndarray for g in gradients_of(self.outputs, self.leaves, self.cotangents, create_graph=self.order > 1)
        ]

    def quotient(self, i: int, d: Any, scale: float) -> _Quotient:
        """The derivative of ⟨v, f⟩ by argument `i` along `d`, by central differences at two step sizes."""
        trouble = "is at the edge of the domain: the values beside it are not finite"
        found: list[_Quotient] = []
        size = max(1.0, float(np.abs(self.at[i][d != 0]).max(initial=0.0)))
        for h in (step * size for step in STEP_SIZES):
            right, left, right2, left2 = [self.beside(i, d, t) for t in (h, -h, h / 2, -h / 2)]
            if not np.isfinite([right, left, right2, left2]).all():
                continue
            noise = ROUNDING_OF_A_VALUE * self.weight / h
            d1, d2 = (right - left) / (2 * h), (right2 - left2) / h
            bend, bend2 = abs(right + left) / h, abs(right2 + left2) / (h / 2)  # of the slopes on the two sides
            if bend2 > 0.75 * bend and bend2 > 1e-5 * max(scale, abs(d2)) + 8 * noise:
                kind = "a jump" if bend2 > 1.5 * bend else "a kink"
                trouble = f"is at {kind}: the slope of ⟨v, y⟩ is {0.0 - left2 * 2 / h:.4g} to the left, {right2 * 2 / h:.4g} to the right"
                found.clear()
                continue
            q = _Quotient((4 * d2 - d1) / 3, abs(d1 - d2), noise)
            # a quotient at a larger step stands only if what smaller steps say lies within its bound
            found = [p for p in found if abs(p.value - q.value) <= p.bound + 2 * q.noise] + [q]
            if q.bound <= 1e-6 * max(abs(q.value), 1e-3 * scale):
                break
        if not found:
            return _Quotient(trouble=trouble)
        best = min(found, key=lambda q: q.bound)
        converges = best.spread <= 1e-2 * found[0].spread
        if not converges and best.spread > 1e-3 * max(abs(best.value), 1e-3 * scale) + best.noise:
            return _Quotient(trouble="varies too fast for difference quotients")
        return best

    def beside(self, i: int, d: Any, t: float) -> float:
        """⟨v, f(x + t·d) − f(x)⟩. An output that stays as it is, infinite ones too, has not changed."""
        at = list(self.at)
        at[i] = at[i] + t * d
        y = self.values(at)
        if y.shape != self.y.shape:
            return np.nan
        with np.errstate(invalid="ignore"):
            return float(self.v @ np.where(y == self.y, 0.0, y - self.y))

    def complex_step(self, i: int, d: Any, slope: float, scale: float) -> None:
        """The second judge: Im ⟨v, f(x + i·h·d)⟩ / h."""
        h = 1e-30
        at = [x + (1j * h * d if k == i else 0j) for k, x in enumerate(self.at)]
        q = _Quotient(float(self.v @ self.values(at).imag) / h, 0.0, 1e-12 * (self.weight + scale))
        if not abs(slope - q.value) <= 1e-9 * max(abs(slope), abs(q.value)) + q.bound + self.options.atol:
            self.fail(i, d, slope, q, judge="complex step")

    def random_directions(self, i: int) -> list[Any]:
        """Random directions, none of whose components is small, so that no element is overlooked."""
        shape = self.at[i].shape
        rng, count = self.options.rng, self.options.directions or USUAL_DIRECTIONS
        return [rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.0, shape) for _ in range(count)]

    # -- what is said ------------------------------------------------------------------------------

    def place(self, i: int, d: Any) -> str:
        if d.ndim == 0:
            return self.names[i]
        where = np.argwhere(d)
        return (
            f"{self.names[i]}[{', '.join(map(str, where[0]))}]" if len(where) == 1 else f"{self.names[i]} (a direction)"
        )

    def narrow(self, i: int, g: Any, d: Any, slope: float, q: _Quotient) -> tuple[Any, float, _Quotient]:
        """From a direction along which the gradient is wrong to one element: halve it, and keep the worse half."""
        while np.count_nonzero(d) > 1:
            where = np.flatnonzero(d)
            halves = []
            for part in (where[: len(where) // 2], where[len(where) // 2 :]):
                half = np.zeros(d.shape)
                half.flat[part] = d.flat[part]
                s, h = float(np.sum(g.flat[part] * d.flat[part])), self.quotient(i, half, 0.0)
                off = abs(s - h.value) if h.trouble is None else 0.0
                halves.append((off if np.isfinite(off) else np.inf, half, s, h))
            off, half, s, h = max(halves, key=lambda found: found[0])
            if off <= h.bound + self.options.rtol * abs(h.value):
                break
            d, slope, q = half, s, h
        only = d[d != 0]
        if only.size == 1:  # along the axis itself, not a multiple of it
            q = _Quotient(q.value / only[0], q.bound / abs(only[0]))
            return np.where(d != 0, 1.0, 0.0), slope / only[0], q
        return d, slope, q

    def fail(
        self, i: int, d: Any, slope: float, q: _Quotient, *, ratios: Any = (), judge: str = "difference quotient"
    ) -> None:
        message = (
            f"the gradient of {self.what} by {self.names[i]} is wrong: at {self.place(i, d)} the record gives "
            f"{slope:.10g}, but the {judge} {q.value:.10g} (± {q.bound:.1g})"
        )
        raise GradientError(f"{message}. {self.advice(i, slope, ratios)}")

    def advice(self, i: int, slope: float, ratios: Any) -> str:
        """Tell what to look at, from the way in which the numbers are wrong. `ratios` are those of right to recorded
        numbers.
        """
        constant = len(ratios) > 0 and np.isfinite(ratios).all() and np.allclose(ratios, ratios[0], rtol=1e-4)
        if not any(y.needs_grad for y in self.outputs):
            hint = "The result is not in the graph: was it made from .numpy(), .data or float()?"
        elif self.ignores_cotangent(i):
            hint = "It does not change with the incoming gradient: the rule leaves out g."
        elif slope == 0:
            hint = f"No gradient arrives at {self.names[i]} here: look for .numpy() or .data on the way, or a mask that is off."
        elif constant and np.isclose(ratios[0], -1, rtol=1e-4):
            hint = "The sign is wrong."
        elif constant and len(ratios) > 1:
            hint = f"It is off by a factor of {ratios[0]:.4g}."
        elif self.order > 1:
            hint = "The first order is right: does the rule use .numpy(), .data or a number where it should record?"
        elif mirrored := takes_for_symmetric(self.outputs):
            hint = (
                f"{mirrored} takes its input for symmetric and reads one triangle, but its gradient is by both: "
                "move them together, as in gradcheck(lambda x: f((x + x.mT) / 2), x)."
            )
        else:
            hint = "Compare its formula with the derivative."
        culprit = self.culprit()
        return f"{hint} {culprit}" if culprit else hint

    def ignores_cotangent(self, i: int) -> bool:
        """Whether the gradient stays as it is when other cotangents come in."""
        others = [3.0 * v + 1.0 for v in self.cotangents]
        first, second = (gradients_of(self.outputs, self.leaves, vs)[i].ndarray for vs in (self.cotangents, others))
        return bool(np.any(first)) and np.array_equal(first, second)

    def culprit(self) -> str:
        """The op of the record whose own rule is wrong, where the record has several."""
        nodes = [node for node in topological([y for y in self.outputs if y.needs_grad]) if node.op is not None]
        if self.alone or self.order > 1 or len({node.op for node in nodes}) < 2:
            return ""
        for node in nodes:
            varied = [k for k, x in enumerate(node.inputs) if x.needs_grad and not isinstance(x.ndarray, tuple)]

            def apply(*xs: Any, node: Any = node, varied: Any = varied) -> Any:
                given = dict(zip(varied, symmetrized(xs) if node.op.symmetric else xs, strict=True))
                return node.op.apply(tuple(given.get(k, x) for k, x in enumerate(node.inputs)), node.settings)

            at = [node.inputs[k].ndarray.astype(float) for k in varied]
            names = [f"input {k}" for k in varied]
            try:
                options = _Options(self.options.rng, self.options.rtol, self.options.atol)
                _Check(apply, at, names, node.op.name, options, alone=True).run()
            except GradientError as error:
                return f"The rule at fault is that of {node.op.name}: {error}"
            except CheckError:  # at a kink
                continue
        return ""

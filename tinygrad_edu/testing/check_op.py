"""check_op: everything that is asked of an op, derived from its declaration and its examples.

Each method of `_Case` is one demand, tried on one example. They read top to bottom: what the op computes, what
its rules compute, what it does to memory, what it leaves in the graph, and the shapes and layouts that arrays
come in. Where NumPy has the function, NumPy is the judge.
"""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np

from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.example import Example
from tinygrad_edu.engine.graph import topological, unbroadcast
from tinygrad_edu.engine.op import Op
from tinygrad_edu.engine.origins import node_of
from tinygrad_edu.engine.recording import no_grad, tracing
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.testing.gradcheck import (
    AtKink,
    CheckError,
    GradientError,
    Report,
    gradcheck,
    symmetrized,
    takes_for_symmetric,
)


def check_op(op: Any, *, rng: int | np.random.Generator = 0, order: int = 2) -> Report:
    """Run every check that follows from the declaration of an op, or of a composite, on each of its examples.

    Its values against the NumPy functions it answers for; its derivatives up to `order` against difference
    quotients, and a complex step if it is declared analytic; its gradients at special points; that the rules
    keep shape and dtype, write into nothing and return memory of their own; that arrays give arrays; that it is
    recorded, can be evaluated again on new values, and records nothing under `no_grad`; that broadcasting,
    empty, 0-d, strided and reversed arrays go through; that `takes_out`, `view` and `refuses` are true; that the
    examples set each setting off its default; that its `presence` is what it declares.

    Raises CheckError (GradientError where a derivative is wrong), naming the op, the example and what to look at;
    ValueError for an op without examples.

    >>> import numpy as np
    >>> from tinygrad_edu.op import example, op
    >>> @op(symbol="cube", vjp=(lambda g, y, x: g * 2 * x**2,), examples=[example((3,))])
    ... def cube(x):
    ...     \"""y = x³, elementwise.\"""
    ...     return x * x * x
    >>> check_op(cube)  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    Traceback (most recent call last):
    tinygrad_edu.testing.gradcheck.GradientError: cube((3,)): the gradient of cube by x is wrong: at x[...] the record
    gives ..., but the difference quotient ... It is off by a factor of 1.5.
    """
    name = op.name
    if not op.examples:
        raise ValueError(
            f"{name} has no examples, so nothing about it can be checked; declare examples=[example((2, 3)), …]"
        )
    if not (op.__doc__ or "").strip():
        raise CheckError(f"{name} has no docstring; begin it with the mathematics: y = …")
    rng = np.random.default_rng(rng)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        cases = [_Case(op, example, rng) for example in op.examples]
        reports = [case.check(order) for case in cases]
        if op.answers and not any(case.judged for case in cases):
            raise CheckError(
                f"{name} answers for {_called(op.answers[0])}, but no example can be passed to it; write one with NumPy's arguments"
            )
        if getattr(op, "view", False) and not any(case.shares for case in cases):
            raise CheckError(
                f"{name} is declared view=True, but no result shares memory with the first input; leave view out"
            )
        for point in getattr(op, "special", ()):
            _check_special(op, point)
        _check_settings(op, cases)
    kinks = tuple(kink for report in reports for kink in report.kinks)
    return Report(sum(r.checked for r in reports), max(r.worst for r in reports), kinks)


class _Case:
    """One example of an op, with numbers drawn for it."""

    def __init__(self, op: Any, example: Example, rng: np.random.Generator) -> None:
        self.op, self.example, self.rng = op, example, rng
        self.args, self.settings = example.draw(rng, op.domains)
        self.label = f"{op.name}({_described(example)})"
        self.arrays = list(_arrays(self.args))
        self.floating = [i for i, a in enumerate(self.arrays) if a.dtype.kind == "f"]
        self.names = _input_names(op, self.args)
        self.judged = self.shares = False  # by NumPy; memory with the first input
        self.presence = getattr(op, "presence", "ends")  # nothing is said of a composite
        self.symmetric = False  # whether a matrix is taken for symmetric

    def check(self, order: int) -> Report:
        """All demands in turn; the report of the derivatives."""
        try:
            return self._check(order)
        except CheckError:
            raise
        except Exception as error:
            error.add_note(f"while checking {self.label}")
            raise

    def _check(self, order: int) -> Report:
        self.inputs_are_not_written()
        self.values_are_numpys()
        self.arrays_give_arrays()
        self.nothing_is_recorded_in_no_grad()
        self.results_have_memory_of_their_own()
        self.can_be_evaluated_again()
        self.writes_where_out_says()
        report = Report(0, 0.0)
        if self.floating and self.differentiable():
            self.symmetric = takes_for_symmetric(_tensors(self.call(self.op, self.leaves()))) is not None
            self.rules_keep_shape_dtype_and_memory()
            self.gradients_have_memory_of_their_own()
            self.gradients_have_the_dtype_of_their_inputs()
            report = self.derivatives(order)
            self.gradients_can_be_evaluated_again()
            self.one_tensor_may_be_used_twice()
            self.gradients_do_not_depend_on_layout()
            self.broadcasting_is_undone()
            self.what_is_absent_sends_nothing()
            self.what_it_drops_is_absent()
        elif self.floating and self.floats_out():
            self.slopes_are_zero()
        self.empty_and_0d_go_through()
        return report

    # -- what it computes ---------------------------------------------------------------------------

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
                if not _tensors(tensors):
                    continue  # integers and truths, as they are
                try:
                    got = self.call(numpys, tensors)
                except Exception as error:
                    self.fail(f"{_called(key)} computes it on arrays, but on tensors it raises {error!r}")
                self.same(got, expected, f"{_called(key)} on tensors", "on arrays", types=True)

    def arrays_give_arrays(self) -> None:
        plain = _flatten(self.call(self.op, self.arrays))
        for value in plain:
            if isinstance(value, Tensor):
                self.fail("given arrays it returns a Tensor; a function on arrays gives arrays")
        self.same(self.call(self.op, self.leaves()), plain, "on tensors it", "on arrays it", types=True)

    def nothing_is_recorded_in_no_grad(self) -> None:
        with no_grad():
            for y in _tensors(self.call(self.op, self.leaves())):
                if y.op is not None or y.inputs:
                    self.fail("inside no_grad() it leaves a record")

    def floats_out(self) -> bool:
        return any(y.dtype.kind == "f" for y in _tensors(self.call(self.op, self.leaves())))

    def differentiable(self) -> bool:
        return any(y.needs_grad for y in _tensors(self.call(self.op, self.leaves())))

    # -- what its rules compute ---------------------------------------------------------------------

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
            arrays = [_frozen(a.astype(dtype)) if i in self.floating else _frozen(a) for i, a in enumerate(self.arrays)]
            try:
                expected = self.call(self.op, arrays)
            except TypeError:
                if dtype == "float32":
                    raise
                continue  # LAPACK has no float16
            numpys = [] if (made := self.by_numpy(arrays)) is None else [y.dtype for y in _flatten(made)]
            for value in _flatten(expected):
                if value.dtype.kind == "f" and value.dtype != dtype and value.dtype not in numpys:
                    self.fail(f"it makes {value.dtype} of {dtype}; use Python's own numbers, or pass dtype=")
            leaves = self.leaves(arrays)
            ys = [y for y in _tensors(self.call(self.op, leaves)) if y.needs_grad]
            vs = [_frozen(self.rng.standard_normal(y.shape).astype(y.dtype)) for y in ys]
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
                if _share(result, part) and not any(_share(result, gi) for gi in _flatten(g)):
                    self.fail(f"{rule} returned the memory of {what}; return a new array (g * 1, np.copy)")

    # -- what it makes of presence --------------------------------------------------------------------

    def what_is_absent_sends_nothing(self) -> None:
        """With elements of the results dropped, what those alone hang on may be NaN, and nobody notices.

        Which elements of the inputs these are is found by trying, not from what is declared.
        """
        kinds = self.presence
        shapes = [y.shape for y in _tensors(self.call(self.op, self.leaves())) if y.needs_grad]
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
        """The arrays, with NaN wherever that leaves the present elements of the results as they are.

        Where an op says itself what hangs together, only where that is absent.
        """
        arrays = [np.array(a) for a in self.arrays]
        shown = self.shown(arrays, present)
        absent = [np.ones(a.shape, bool) for a in arrays]
        if callable(self.presence):
            leaves = self.leaves()
            given = [_steep(x) if i in self.floating else x for i, x in enumerate(leaves)]
            ys = [y for y in _tensors(self.call(self.op, given)) if y.needs_grad]
            chosen = [np.where(mask, y, 0) for y, mask in zip(ys, present, strict=True)]
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
        ys = [y for y in _tensors(self.call(self.op, self.leaves(arrays))) if y.needs_grad]
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
        ys = [y for y in _tensors(self.call(self.op, given)) if y.needs_grad]
        chosen = [np.where(mask, y, 0) for y, mask in zip(ys, present, strict=True)]
        first = grad(chosen, xs, list(vs), create_graph=True, allow_unused=True)
        pairs = [(g, u) for g, u in zip(first, us, strict=True) if g is not None and g.needs_grad]
        second = (
            grad([g for g, _ in pairs], xs, [u for _, u in pairs], allow_unused=True) if pairs else [None] * len(xs)
        )
        if not recorded:
            first = grad(chosen, xs, list(vs), allow_unused=True)
        return [*first, *second]

    def what_it_drops_is_absent(self) -> None:
        """No slope that is always 0 passes for one that is there: it would make NaN of an infinite slope before it."""
        kinds = self.presence
        known = {"selects", "rectifies", "moves", "linear", "elementwise", "product"}
        if not known.issuperset(kinds if isinstance(kinds, tuple) else (kinds,)):
            return
        leaves = self.leaves()
        xs = [leaves[i] for i in self.floating]
        ys = [y for y in _tensors(self.call(self.op, leaves)) if y.needs_grad]
        anew = [y for y in _tensors(self.call(self.op, self.leaves(self.redrawn()))) if y.needs_grad]
        if all(np.array_equal(y.ndarray, z.ndarray) for y, z in zip(ys, anew, strict=False)):
            return  # a constant, such as x⁰
        given = [_steep(x) if i in self.floating else x for i, x in enumerate(leaves)]
        ys = [y for y in _tensors(self.call(self.op, given)) if y.needs_grad]
        gs = grad(ys, xs, [self.rng.standard_normal(y.shape) for y in ys], allow_unused=True)
        if any(g is not None and np.isnan(g.ndarray).any() for g in gs):
            self.fail(f'some elements of its inputs have no slope at all; declare presence="selects", not {kinds!r}')

    # -- what it does to memory ---------------------------------------------------------------------

    def inputs_are_not_written(self) -> None:
        try:
            self.call(self.op, self.leaves([_frozen(a) for a in self.arrays]))
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            self.fail("it writes into an input")

    def results_have_memory_of_their_own(self) -> None:
        """Unless it is declared a view of its first input."""
        if not hasattr(self.op, "forward"):
            return  # a composite: its ops are checked themselves
        for y in _tensors(self.call(self.op, self.leaves())):
            node = _node(y)
            if node.op is not self.op:
                continue
            for part in _flatten(node.ndarray):
                for k, x in enumerate(node.inputs):
                    if _share(part, x.ndarray):
                        if not (self.op.view and k == 0):
                            self.fail(f"its result shares the memory of input {k}; copy, or declare view=True")
                        self.shares = True

    def gradients_have_memory_of_their_own(self) -> None:
        leaves = self.leaves()
        ys = [y for y in _tensors(self.call(self.op, leaves)) if y.needs_grad]
        vs = [self.rng.standard_normal(y.shape) for y in ys]
        for y, v in zip(ys, vs, strict=True):
            y.backward(v)
        found: list[Any] = [x for x in _tensors(leaves) if x.grad is not None]
        held = [(f"the data of {x.name}", x.ndarray) for x in found] + [("the gradient passed in", v) for v in vs]
        for x in found:
            gradient = x.grad.ndarray
            if gradient.shape != x.shape or gradient.dtype != x.dtype:
                self.fail(f"{x.name}.grad is {gradient.dtype} {gradient.shape}, but {x.name} is {x.dtype} {x.shape}")
            for what, memory in held:
                if _share(gradient, memory):
                    self.fail(f"{x.name}.grad shares memory with {what}")
            held.append((f"{x.name}.grad", gradient))

    def gradients_have_the_dtype_of_their_inputs(self) -> None:
        """Also where inputs differ, and all but one were widened."""
        first = self.floating[0]
        leaves = self.leaves([a.astype("float32") if i == first else a for i, a in enumerate(self.arrays)])
        ys = [y for y in _tensors(self.call(self.op, leaves)) if y.needs_grad]
        xs = [leaves[i] for i in self.floating]
        gs = grad(ys, xs, [self.rng.standard_normal(y.shape) for y in ys], allow_unused=True)
        for x, g in zip(xs, gs, strict=True):
            if g is not None and g.dtype != x.dtype:
                self.fail(f"the gradient of {x.name}, of {x.dtype}, is of {g.dtype}")

    def writes_where_out_says(self) -> None:
        if not getattr(self.op, "takes_out", False):
            return
        with tracing():
            ys = _tensors(self.call(self.op, [Tensor(a) for a in self.arrays]))
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

    # -- what it leaves in the graph ----------------------------------------------------------------

    def can_be_evaluated_again(self) -> None:
        leaves = self.leaves()
        ys = [node_of(y) for y in _tensors(self.call(self.op, leaves))]
        if hasattr(self.op, "forward") and self.floating:
            for y in ys:
                if y.op is None:
                    self.fail("a result is not recorded, so it would be frozen when the graph is evaluated again")
        new = self.redrawn()
        ys = [y for y in ys if y.op is not None]
        if ys:
            again = evaluate(ys, self.by_leaf(ys, leaves, new))
            others = self.leaves(new)
            fresh = [y for y in _tensors(self.call(self.op, others)) if node_of(y).op is not None]
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
        fresh_ys = [y for y in _tensors(self.call(self.op, fresh_leaves)) if y.needs_grad]
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

    # -- the shapes and layouts that arrays come in -------------------------------------------------

    def gradients_do_not_depend_on_layout(self) -> None:
        vs = [v.ndarray for v in self.outputs_and_cotangents(self.leaves())[1]]
        expected = self.values_and_gradients(self.arrays, vs)
        for layout, change in _LAYOUTS.items():
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
            for small in _smaller(full[i]):
                arrays = [small if k == i else a for k, a in enumerate(full)]
                expanded = [np.broadcast_to(small, shape).copy() if k == i else a for k, a in enumerate(full)]
                try:
                    alike = [np.shape(y) for y in _flatten(self.call(self.op, arrays))]
                except ValueError:  # what is written into is not broadcast
                    continue
                if alike != [np.shape(y) for y in _flatten(self.call(self.op, expanded))]:
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
                ys = [y for y in _tensors(got) if y.needs_grad]
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

    def by_numpy(self, arrays: Sequence[Any]) -> Any:
        """What NumPy, or for lack of it the op itself, makes of these arrays; None if it refuses them."""
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
        return result if all(np.size(y) == 0 for y in _flatten(result)) else None

    # -- tools --------------------------------------------------------------------------------------

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
        return function(*[_filled(arg, turn) for arg in self.args], **self.settings)

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
        return tuple(y for y in _tensors(result) if y.dtype.kind in "fc")

    def outputs_and_cotangents(self, leaves: Sequence[Any]) -> tuple[list[Any], list[Tensor]]:
        ys = [y for y in _tensors(self.call(self.op, leaves)) if y.needs_grad]
        return ys, [Tensor(self.rng.standard_normal(y.shape), requires_grad=True) for y in ys]

    def values_and_gradients(self, arrays: Sequence[Any], vs: Sequence[Any]) -> list[Any]:
        leaves = self.leaves(arrays)
        ys = [y for y in _tensors(self.call(self.op, leaves)) if y.needs_grad]
        return [*ys, *grad(ys, [leaves[i] for i in self.floating], list(vs), allow_unused=True)]

    def redrawn(self) -> list[Any]:
        """Other numbers for the same example."""
        return list(_arrays(self.example.draw(self.rng, self.op.domains)[0]))

    def by_leaf(self, outputs: Sequence[Any], leaves: Sequence[Any], values: Sequence[Any]) -> dict[Any, Any]:
        """New values for those leaves that the outputs depend on."""
        used = set(topological(list(outputs), through_constants=True))
        return {x: a for x, a in zip(leaves, values, strict=True) if isinstance(x, Tensor) and x in used}

    def same(self, got: Any, expected: Any, what: str, other: str, types: bool = False, hint: str = "") -> None:
        """Fail unless both are the same numbers, of the same shape and, if asked, dtype."""
        got, expected = _flatten(got), _flatten(expected)
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


def _check_settings(op: Any, cases: Sequence[_Case]) -> None:
    """Some example sets each setting off its default, unless it is declared, and found, to be refused there."""
    function = op if not hasattr(op, "bind") else op.forward if op.bind == op._bind else op.bind
    if isinstance(function, np.ufunc):
        return
    signature = inspect.signature(function)
    defaults = {
        p.name: p.default
        for p in signature.parameters.values()
        if p.default is not p.empty and p.name not in ("out", "scratch")
    }
    refused = getattr(op, "refuses", {})
    for key, value in refused.items():
        if key not in defaults:
            raise CheckError(f"{op.name}: it is declared to refuse {key}=, which is no setting of it")
        with contextlib.suppress(TypeError, ValueError):
            op(*cases[0].args, **{**cases[0].settings, key: value})
            raise CheckError(f"{op.name}: it is declared to refuse {key}={value!r}, but takes it")
    calls = [signature.bind(*case.args, **case.settings).arguments for case in cases]
    for key, default in defaults.items():
        if key not in refused and all(key not in given or _equal(given[key], default) for given in calls):
            raise CheckError(
                f"{op.name}: no example sets {key}= off its default {default!r}, so nobody would notice if it did nothing; "
                f"add one that does, or declare refuses={{{key!r}: …}}, a value that it raises for"
            )


def _equal(value: Any, default: Any) -> bool:
    """Whether a setting has its default value; an array never has."""
    return value is default or (not hasattr(value, "shape") and bool(value == default))


def _check_special(op: Any, point: Any) -> None:
    """The gradients agreed on at a kink: exact, in every precision, alone and among other numbers."""
    for dtype in (np.float64, np.float32):
        xs = [Tensor(np.asarray(x, dtype=dtype), requires_grad=True) for x in point.inputs]
        y = op(*xs, **point.settings)
        gs = grad(y, xs, np.ones(y.shape, y.dtype), allow_unused=True)
        for i, (g, expected) in enumerate(zip(gs, point.gradients, strict=True)):
            if expected is None and g is None:
                continue
            got = None if g is None else g.numpy()
            wanted = np.asarray(expected, dtype=dtype)
            if got is None or not np.array_equal(np.broadcast_to(wanted, got.shape), got, equal_nan=True):
                raise GradientError(
                    f"{op.name} at {', '.join(map(str, point.inputs))}: the gradient by input {i} is agreed to be "
                    f"{expected}, but the rule gives {None if got is None else got.tolist()} in {np.dtype(dtype)}"
                )


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
        for part in [*_flatten(g), *_flatten(node.ndarray)]:
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


_steep = Op(np.positive, name="steep", vjp=(lambda g, y, x: g * np.inf,), presence="elementwise")
"""y = x, with an infinite slope: what is absent behind it gets 0, and where a zero is a slope, NaN comes of it."""


def _arrays(arg: Any) -> Iterator[Any]:
    """The arrays among arguments, nested ones too, in order."""
    if isinstance(arg, np.ndarray):
        yield arg
    elif isinstance(arg, list | tuple):
        for part in arg:
            yield from _arrays(part)


def _filled(arg: Any, turn: Iterator[Any]) -> Any:
    """The argument with the next of `turn` in place of each array."""
    if isinstance(arg, np.ndarray):
        return next(turn)
    if isinstance(arg, list | tuple):
        return type(arg)([_filled(part, turn) for part in arg])
    return arg


def _flatten(result: Any) -> list[Any]:
    """One result, or several, as a list."""
    if isinstance(result, list | tuple):
        return [part for value in result for part in _flatten(value)]
    return [result]


def _tensors(result: Any) -> list[Any]:
    return [y for y in _flatten(result) if isinstance(y, Tensor)]


def _frozen(a: Any) -> Any:
    copy = np.array(a)
    copy.flags.writeable = False
    return copy


def _share(a: Any, b: Any) -> bool:
    return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.size > 0 and np.shares_memory(a, b)


def _node(y: Any) -> Any:
    """The node that a result is of: for one of several results, the one that has them all."""
    return y.inputs[0] if y.op is not None and y.op.selects else y


def _strided(a: Any) -> Any:
    wide = np.zeros((*a.shape, 2), a.dtype)
    wide[..., 0] = a
    return wide[..., 0]


_LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "Fortran-ordered": lambda a: np.asarray(a, order="F"),
    "strided": _strided,
    "reversed": lambda a: np.flip(np.flip(a).copy()),
}


def _smaller(a: Any) -> list[Any]:
    """An array cut to shapes that broadcast to its own: without leading axes, and with axes of length one."""
    if a.ndim == 0 or a.size == 0:
        return []
    return [a[0], a[..., :1], a[(slice(1),) * a.ndim], np.asarray(a.flat[0])]


def _described(example: Example) -> str:
    def text(arg: Any) -> str:
        arg = getattr(arg, "value", arg)
        if hasattr(arg, "shape"):
            return f"array{tuple(arg.shape)}"
        if isinstance(arg, list):
            return f"[{', '.join(map(text, arg))}]"
        return str(arg)

    settings = [f"{key}={value!r}" for key, value in example.settings.items()]
    return ", ".join([*map(text, example.args), *settings])


def _called(key: Any) -> str:
    if isinstance(key, tuple):
        return f"np.{key[0].__name__}.{key[1]}"
    module = (getattr(key, "__module__", None) or "numpy").replace("numpy", "np", 1)
    return f"{module if module.startswith('np') else 'np'}.{key.__name__}"


def _input_names(op: Any, args: Sequence[Any]) -> list[str]:
    """A name for each array: the parameter's, as the rule or else the function calls it."""
    vjp = getattr(op, "vjp", None)
    if isinstance(vjp, tuple) and any(vjp):
        parameters = list(inspect.signature(next(rule for rule in vjp if rule)).parameters.values())[2:]
    else:
        function = getattr(op, "forward", op)
        parameters = [] if isinstance(function, np.ufunc) else list(inspect.signature(function).parameters.values())
    known = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    names = []
    for i, arg in enumerate(args):
        base = known[i] if i < len(known) else f"argument {i}"
        count = len(list(_arrays(arg)))
        names += [base] if count == 1 and isinstance(arg, np.ndarray) else [f"{base}[{k}]" for k in range(count)]
    return names

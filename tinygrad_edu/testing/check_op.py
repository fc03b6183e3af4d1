"""check_op: checks everything that is asked of an op, from its declaration and its examples.

Each method of the classes in `checks` is one demand, which is tried on one example: what the op computes, what its
rules compute, how presence passes it, what it does to memory, what it leaves in the graph, and which shapes and layouts
it takes. Where NumPy has the function, its result decides.
"""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.testing.checks.arrays import called, tensors_in
from tinygrad_edu.testing.checks.layouts import Layouts
from tinygrad_edu.testing.checks.memory import Memory
from tinygrad_edu.testing.checks.presence import Presences
from tinygrad_edu.testing.checks.records import Records
from tinygrad_edu.testing.checks.rules import Rules
from tinygrad_edu.testing.checks.values import Values
from tinygrad_edu.testing.functions import takes_for_symmetric
from tinygrad_edu.testing.report import CheckError, GradientError, Report


def check_op(op: Any, *, rng: int | np.random.Generator = 0, order: int = 2) -> Report:
    """Run every check that follows from the declaration of an op, or of a composite, on each of its examples.

    It checks the values against the NumPy functions that the op answers for; the derivatives up to `order` against
    difference quotients, and against a complex step if the op is declared analytic; the gradients at special points;
    that the rules keep shape and dtype, write into nothing and return memory of their own; that arrays give arrays;
    that the op is recorded, can be evaluated again on new values, and records nothing under `no_grad`; that broadcast,
    empty, 0-d, strided and reversed arrays work; that `takes_out`, `view` and `refuses` are true; that the examples set
    each setting to another value than its default; and that `presence` is as declared.

    op: an op or a composite.
    rng: a seed or a Generator, from which the numbers of the examples are drawn.
    order: up to which order derivatives are checked.

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
    tinygrad_edu.testing.report.GradientError: cube((3,)): the gradient of cube by x is wrong: at x[...] the record
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
        cases = [Demands(op, example, rng) for example in op.examples]
        reports = [case.check(order) for case in cases]
        if op.answers and not any(case.judged for case in cases):
            raise CheckError(
                f"{name} answers for {called(op.answers[0])}, but no example can be passed to it; write one with NumPy's arguments"
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


class Demands(Values, Rules, Presences, Memory, Records, Layouts):
    """All demands on one example."""

    def check(self, order: int) -> Report:
        """Check all demands in turn, and return the report of the derivatives."""
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
            self.symmetric = takes_for_symmetric(tensors_in(self.call(self.op, self.leaves()))) is not None
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
            self.behind_a_finite_result_no_slope_is_infinite()
        elif self.floating and self.floats_out():
            self.slopes_are_zero()
        self.empty_and_0d_go_through()
        return report


def _check_settings(op: Any, cases: Sequence[Demands]) -> None:
    """Raise CheckError unless some example sets each setting to another value than its default, or the op refuses it as
    declared.
    """
    function = op if not hasattr(op, "plan") else op.plan.own or op.forward
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
    """Whether a setting has its default value. An array never has it."""
    return value is default or (not hasattr(value, "shape") and bool(value == default))


def _check_special(op: Any, point: Any) -> None:
    """Check the gradients that were agreed on at a kink: they are exact, in every precision, alone and among other
    numbers.
    """
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

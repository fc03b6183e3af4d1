"""The checkers themselves: what is right passes, and each of many planted bugs is caught, by name.

A planted bug is an op as someone might write it on a bad day. Each test says what the error must say.
"""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.engine import backward
from tinygrad_edu.engine.example import Fixed, at, away_from, example, positive, spread
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.engine.recording import enable_grad
from tinygrad_edu.engine.registry import ANSWERS
from tinygrad_edu.ops.linalg.matrices import definite
from tinygrad_edu.testing import (
    AtKink,
    CheckError,
    GradientError,
    Report,
    check_op,
    gradcheck,
    gradgradcheck,
    strategies,
)

X = [example((2, 3))]


def make(forward, *rules, **declaration):
    """An op of a lambda, as `@op` would make it."""
    declaration.setdefault("examples", X)
    return op(symbol="f", name="planted", doc="y = f(x)", vjp=rules or None, **declaration)(forward)


def caught(declared, message, kind=CheckError):
    with pytest.raises(kind, match=message) as info:
        check_op(declared)
    assert "planted" in str(info.value)


# ---------------------------------------------------------------------------------------------------
# What is right passes


def test_a_right_op_passes():
    report = check_op(make(lambda x: np.exp(x), lambda g, y, x: g * y, analytic=True))
    assert isinstance(report, Report)
    assert report.checked == 6 + 2 + 4  # elements; directions at the first order, and of both arguments at the second
    assert report.worst < 1e-6
    assert not report.kinks
    assert str(report) == "12 derivatives agree"


def test_gradcheck_counts_every_element():
    assert gradcheck(lambda a, b: a @ b, [np.ones((2, 3)), np.ones((3, 4))]).checked == 18


def test_large_inputs_are_compared_along_directions():
    assert gradcheck(np.tanh, np.ones((20, 20)) / 3).checked == 8


def test_several_outputs_have_cotangents_each():
    assert gradcheck(lambda x: (np.exp(x), x * x), [np.array([0.5, 1.0])], order=2).checked == 2 + 6


def test_integers_and_constants_are_held():
    constant = tg.Tensor([1.0, 2.0, 3.0])
    report = gradcheck(lambda x, i, c: x[i] * c, [np.array([1.0, 2.0]), np.array([0, 1, 1]), constant])
    assert report.checked == 2


def test_float32_inputs_are_judged_in_float64():
    assert gradcheck(np.exp, np.ones(3, np.float32)).checked == 3


def test_third_order():
    gradcheck(lambda x: x**4, np.array([0.5, -1.5]), order=3)


def test_an_unused_argument_has_gradient_zero():
    gradcheck(lambda a, b: a * 2.0, [np.ones(2), np.ones(3)], order=2)


def test_infinite_outputs_that_stay_so_do_not_spoil_the_others():
    gradcheck(lambda x: np.concatenate([x, np.array([-np.inf])]), np.array([1.0, 2.0]))


def test_small_and_large_arguments():
    gradcheck(np.log, np.array([1e-4, 1.0, 1e6]))
    gradcheck(np.sqrt, np.array([1e-5, 1e8]))
    gradcheck(lambda x: 1e-20 * np.sin(x), np.array([0.3, 1.0]), atol=0)


def test_terms_that_cancel():
    gradcheck(lambda x: x / x, np.array([0.3, 1.7]), order=3)


def test_the_tolerance_is_tight():
    off = make(lambda x: np.sin(x), lambda g, y, x: g * np.cos(x) * 1.0001)
    with pytest.raises(GradientError):
        gradcheck(off, np.ones(3))
    off = make(lambda x: 1e-20 * np.sin(x), lambda g, y, x: g * np.cos(x) * 1.0001e-20)
    with pytest.raises(GradientError):
        gradcheck(off, np.ones(3), atol=0)


# ---------------------------------------------------------------------------------------------------
# Wrong gradients


def test_a_sign():
    wrong = make(lambda x: np.cos(x), lambda g, y, x: g * np.sin(x))
    caught(wrong, r"planted\(\(2, 3\)\): the gradient of planted by x is wrong: at x\[\d, \d\] .* The sign is wrong")
    with pytest.raises(GradientError, match="sign"):
        gradcheck(wrong, np.ones(2))


def test_a_missing_factor():
    caught(make(lambda x: x * x, lambda g, y, x: g * x), r"off by a factor of 2\.")


def test_a_missing_term():
    caught(make(lambda x: x * np.exp(x), lambda g, y, x: g * np.exp(x)), "Compare its formula", GradientError)


def test_a_small_constant():
    caught(make(lambda x: x * x, lambda g, y, x: g * 2 * x + 1e-3), "is wrong", GradientError)


def test_an_ignored_cotangent():
    caught(make(lambda x: np.exp(x), lambda g, y, x: y * 1), "leaves out g", GradientError)


def test_the_rule_of_the_other_input():
    wrong = make(lambda a, b: a * b, lambda g, y, a, b: g * a, lambda g, y, a, b: g * b, examples=[example((3,), (3,))])
    caught(wrong, r"by a is wrong: at a\[")


def test_a_forgotten_rule():
    wrong = make(lambda a, b: a * b, lambda g, y, a, b: g * b, None, examples=[example((3,), (3,))])
    caught(wrong, r"by b is wrong.* No gradient arrives at b", GradientError)


def test_declared_without_a_derivative_though_it_has_one():
    caught(make(lambda x: np.exp(x), examples=X), "is declared without a derivative, but", GradientError)


def test_one_use_of_two():
    """`=` for `+=`: x·x, of which one use is counted."""
    caught(make(lambda x: x * x, lambda g, y, x: g * x), "factor of 2", GradientError)


def test_repeated_indices_assigned_instead_of_added():
    def forward(x):
        return x[np.array([0, 0, 1])]

    def put(x, g):  # the place's last value, where the sum belongs
        return np.stack([g[1], g[2]]) + 0 * x

    caught(make(forward, lambda g, y, x: put(x, g), examples=[example((2,))]), "is wrong", GradientError)


def test_a_wrong_axis():
    wrong = make(
        lambda x: np.add.reduce(x, axis=0), lambda g, y, x: np.expand_dims(g, 1) + 0 * x, examples=[example((3, 3))]
    )
    caught(wrong, r"by x is wrong: at x\[", GradientError)


def test_a_count_of_the_wrong_axis():
    wrong = make(lambda x: np.mean(x, axis=0), lambda g, y, x: g / x.shape[1] + 0 * x)
    caught(wrong, r"factor of 1\.5|Compare its formula", GradientError)


def test_a_transposition_that_is_not_undone():
    wrong = make(
        lambda x: np.transpose(x, (1, 2, 0)).copy(),
        lambda g, y, x: np.transpose(g, (1, 2, 0)),
        examples=[example((2, 2, 2))],
    )
    caught(wrong, "is wrong", GradientError)


def test_a_matrix_that_is_not_transposed():
    wrong = make(
        lambda a, b: a @ b, lambda g, y, a, b: g @ b, lambda g, y, a, b: a.mT @ g, examples=[example((2, 2), (2, 2))]
    )
    caught(wrong, "by a is wrong", GradientError)


def test_a_scan_that_is_not_reversed():
    wrong = make(lambda x: np.cumsum(x), lambda g, y, x: np.cumsum(g), examples=[example((4,))])
    caught(wrong, "is wrong", GradientError)


def test_softmax_without_its_second_term():
    """Under a sum for a head, softmax's gradient is zero whatever the rule: random cotangents see the rule."""

    def softmax(x):
        e = np.exp(x - np.max(x, axis=-1, keepdims=True))
        return e / np.sum(e, axis=-1, keepdims=True)

    wrong = make(softmax, lambda g, y, x: (g - np.sum(g, axis=-1, keepdims=True) / 3) * y * 0.0)
    gradcheck(lambda x: np.sum(wrong(x)), np.ones((2, 3)))  # the check that cannot fail
    caught(wrong, "is wrong", GradientError)
    missing = make(softmax, lambda g, y, x: g * y)
    caught(missing, "is wrong", GradientError)


def test_one_of_several_outputs_forgotten():
    wrong = make(lambda x: (np.sin(x), np.cos(x)), lambda g, y, x: g[0] * y[1], outputs=2)
    caught(wrong, "is wrong", GradientError)


def test_a_lost_tie():
    def bigger(a, b):
        return np.maximum(a, b)

    declaration = {"examples": [example((4,), (4,))], "special": [at(1.0, 1.0, gradient=(0.5, 0.5))]}
    wrong = make(bigger, lambda g, y, a, b: g * (a >= b), lambda g, y, a, b: g * (b > a), **declaration)
    caught(wrong, r"at 1\.0, 1\.0: the gradient by input 0 is agreed to be 0\.5, but the rule gives 1\.0")


def test_a_convention_at_a_kink():
    wrong = make(lambda x: np.abs(x), lambda g, y, x: np.where(x >= 0, g, -g), special=[at(0.0, gradient=0.0)])
    caught(wrong, r"at 0\.0: the gradient by input 0 is agreed to be 0\.0, but the rule gives 1\.0")


def test_a_mask_multiplied_where_it_should_select():
    def forward(x):
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(x > 0, np.log(x), 0.0)

    wrong = make(forward, lambda g, y, x: g * (x > 0) / x, examples=X, domain=positive, special=[at(0.0, gradient=0.0)])
    caught(wrong, "the rule gives nan")


def test_a_gradient_cut_by_numpy():
    @composite_of(examples=X)
    def planted(x):
        """y = exp x, cut."""
        return np.exp(x) * tg.Tensor(x.numpy()) if isinstance(x, tg.Tensor) else np.exp(x) * x

    caught(planted, r"evaluated again on new values it gives .* what leaves the graph on the way \(\.numpy\(\)")
    with pytest.raises(GradientError, match="is wrong"):
        gradcheck(planted, np.ones(3))


def test_a_result_outside_the_graph():
    with pytest.raises(GradientError, match=r"not in the graph: was it made from \.numpy\(\)"):
        gradcheck(lambda x: tg.Tensor(np.exp(x.numpy())), np.ones(2))


def test_wrong_at_second_order_only():
    wrong = make(lambda x: np.exp(x), lambda g, y, x: g * getattr(y, "detach", y.copy)())
    gradcheck(wrong, np.ones(3))
    caught(wrong, r"planted \(order 2\) by x is wrong.*\.data", GradientError)


def test_wrong_in_the_derivative_by_the_incoming_gradient():
    def rule(g, y, x):
        return getattr(g, "detach", g.copy)() * np.cos(x)

    wrong = make(lambda x: np.sin(x), rule)
    gradcheck(wrong, np.ones(3))
    caught(wrong, r"\(order 2\) by the incoming gradient is wrong", GradientError)


def test_a_stale_mask():
    """A mask kept from the first run: right there, wrong when the record runs again."""

    def rule(g, y, x):
        return g * (np.asarray(getattr(x, "ndarray", x)) > 0)

    wrong = make(lambda x: np.maximum(x, 0), rule, domain=away_from(0.0), examples=[example((40,))])
    gradgradcheck(wrong, np.array([1.0, -1.0]))
    caught(wrong, "its recorded gradient, evaluated again on new values, .* freezes it")


def test_wrong_only_where_inputs_are_the_same():
    wrong = make(
        lambda a, b: a * b,
        lambda g, y, a, b: g * b * (a != b),
        lambda g, y, a, b: g * a,
        examples=[example((3,), (3,))],
    )
    caught(wrong, "one tensor as every input: the gradient of planted by .* is wrong", GradientError)


def test_one_element_among_a_thousand_is_found():
    weights = np.ones(1000)
    weights[617] = 1.001

    wrong = make(lambda x: np.sin(x), lambda g, y, x: g * np.cos(x) * weights)
    with pytest.raises(GradientError, match=r"at x\[617\]"):
        gradcheck(wrong, np.linspace(-1, 1, 1000))


def test_the_op_at_fault_is_singled_out():
    wrong = make(lambda x: np.tanh(x), lambda g, y, x: g * (1 - y))
    with pytest.raises(GradientError, match="The rule at fault is that of planted"):
        gradcheck(lambda x, w: np.sum(np.exp(wrong(x @ w))), [np.ones((2, 3)) / 4, np.ones((3, 2)) / 3])


def test_tensors_are_called_by_their_names():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="apples")
    wrong = make(lambda x: np.cos(x), lambda g, y, x: g * np.sin(x))
    with pytest.raises(GradientError, match=r"by apples is wrong: at apples\[\d\]"):
        gradcheck(lambda t: wrong(t), [x])


# ---------------------------------------------------------------------------------------------------
# Wrong shapes, types and memory


def test_a_missing_unbroadcast():
    wrong = make(lambda a, b: a + b, lambda g, y, a, b: g, lambda g, y, a, b: g, examples=[example((2, 3), (3,))])
    caught(wrong, r"rule 1 of planted returned shape \(2, 3\) for an input of shape \(3,\); sum over the axes")


def test_a_shape_that_does_not_broadcast_back():
    wrong = make(
        lambda a, b: a + b,
        lambda g, y, a, b: np.concatenate([g, g]),
        lambda g, y, a, b: g,
        examples=[example((3,), (3,))],
        broadcasts=True,
    )
    caught(wrong, r"rule 0 of planted returned shape \(6,\) for an input of shape \(3,\)")


def test_a_mean_for_a_sum_over_broadcast_axes():
    wrong = make(
        lambda a, b: a + b,
        lambda g, y, a, b: g,
        lambda g, y, a, b: np.mean(g, axis=0),
        examples=[example((2, 3), (3,))],
    )
    caught(wrong, r"by b is wrong.* factor of 2", GradientError)


def test_a_rule_that_widens():
    wrong = make(lambda x: x * 3.0, lambda g, y, x: g * np.full((), 3.0))
    caught(wrong, "rule 0 of planted returned float64 for an input of float32")


def test_a_forward_that_widens():
    wrong = make(lambda x: x * np.sqrt(np.array([3.0])), lambda g, y, x: g * 3**0.5)
    caught(wrong, "it makes float64 of float32")


def test_a_rule_that_returns_a_number():
    caught(make(lambda x: np.floor(x) + x, lambda g, y, x: 1.0), "rule 0 of planted returned float 1.0")


def test_a_rule_that_writes_into_the_incoming_gradient():
    def rule(g, y, x):
        g *= y
        return g

    caught(make(lambda x: np.exp(x), rule), "rule 0 of planted writes into g, the output or an input")


def test_a_forward_that_writes_into_its_input():
    def forward(x):
        x *= 2
        return x + 0

    caught(make(forward, lambda g, y, x: g * 2), "it writes into an input")


def test_a_rule_that_returns_the_output():
    caught(make(lambda x: np.exp(x), lambda g, y, x: y), "rule 0 of planted returned the memory of the output")


def test_a_rule_that_returns_an_input():
    wrong = make(lambda x: x * x / 2, lambda g, y, x: x.reshape(x.shape))
    caught(wrong, "rule 0 of planted returned the memory of input 0")


def test_an_alias_that_is_not_declared():
    caught(make(lambda x: x.T, lambda g, y, x: g.T), "its result shares the memory of input 0")


def test_a_view_that_is_none():
    caught(make(lambda x: x.T.copy(), lambda g, y, x: g.T, view=True), "declared view=True, but no result shares")


def test_out_that_is_not_written():
    wrong = make(lambda x, *, out=None: np.exp(x), lambda g, y, x, **_: g * y, takes_out=True)
    caught(wrong, r"takes_out=True, but forward\(\.\.\., out=array\) returned another array")


def test_out_that_is_written_wrongly():
    def forward(x, *, out=None):
        if out is None:
            return np.exp(x)
        out[...] = np.exp(x) + 1
        return out

    caught(make(forward, lambda g, y, x, **_: g * y, takes_out=True), "with out= it gives")


def test_a_function_that_complex_numbers_do_not_have():
    wrong = make(lambda x: np.cbrt(x), lambda g, y, x: g / (3 * y * y), analytic=True, domain=positive)
    caught(wrong, "declared analytic=True, but cannot be computed on complex numbers")


def test_gradients_in_the_memory_of_others(monkeypatch):
    """An engine that hands out what came in: x + y, whose rules return g itself."""
    monkeypatch.setattr(backward, "_own", lambda g, held: g)
    with pytest.raises(CheckError, match=r"add\(.*\.grad shares memory with the gradient passed in"):
        check_op(tg.add)


def test_gradients_that_engines_widen(monkeypatch):
    monkeypatch.setattr(backward, "_own", lambda g, held: g.astype(complex))
    with pytest.raises(CheckError, match=r"\.grad is complex128 \(3,\), but .* is float64 \(3,\)"):
        check_op(tg.add)


def test_gradients_that_engines_forget_to_sum(monkeypatch):
    """A missing `+=`: of two contributions, the last."""

    def differentiate(order, totals, way):
        seen = []
        as_it_is(order, totals, way._replace(visit=lambda node, i, c: seen.append((node.inputs[i], c))))
        totals.update({x: c for x, c in seen if x in totals})

    as_it_is = backward.differentiate
    monkeypatch.setattr(backward, "differentiate", differentiate)
    with pytest.raises(GradientError, match="is wrong"):
        gradcheck(lambda x: np.exp(x) + np.sin(x), np.ones(3))


def test_a_function_that_is_not_analytic():
    wrong = make(lambda x: np.real(x) ** 2 + 0 * x, lambda g, y, x: g * 2 * x, analytic=True)
    caught(wrong, "but the complex step", GradientError)


# ---------------------------------------------------------------------------------------------------
# Wrong values


def test_values_that_are_not_numpys():
    wrong = make(lambda x: np.exp(x) + 1e-6, lambda g, y, x: g * np.exp(x), answers=[np.exp])
    with answering(np.exp, wrong):
        caught(wrong, "np.exp on tensors gives .* on arrays gives")


def test_a_dtype_that_is_not_numpys():
    def forward(x):
        return np.isnan(x) * 1

    wrong = make(forward, answers=[np.isnan])
    with answering(np.isnan, wrong):
        caught(wrong, "np.isnan on tensors gives int64, on arrays gives bool")


def test_a_call_of_numpys_that_fails_on_tensors():
    wrong = make(lambda x: np.exp(x), lambda g, y, x: g * y, answers=[np.exp2])
    with answering(np.exp2, None):
        caught(wrong, "np.exp2 computes it on arrays, but on tensors it raises TypeError")


def test_results_that_numpy_does_not_give():
    wrong = make(lambda x: (np.frexp(x)[0],), answers=[np.frexp], outputs=1)
    with answering(np.frexp, wrong):
        caught(wrong, "np.frexp on tensors gives 1 results, on arrays gives 2")


def test_a_shape_that_is_not_numpys():
    wrong = make(lambda x: np.exp(x)[None], lambda g, y, x: g[0] * y[0], answers=[np.exp])
    with answering(np.exp, wrong):
        caught(wrong, r"np.exp on tensors gives shape \(1, 2, 3\), on arrays gives \(2, 3\)")


def test_a_gradient_that_some_layouts_lack():
    def rule(g, y, x):
        return g * (y if getattr(x, "ndarray", x).flags.c_contiguous else 2 * y)

    caught(make(lambda x: np.exp(x), rule), "arrays it gives .* on contiguous ones it gives")


def test_examples_that_numpy_cannot_take():
    wrong = make(lambda x: np.exp(x), lambda g, y, x: g * y, answers=[np.matmul])
    caught(wrong, "answers for np.matmul, but no example can be passed to it")


def test_a_memory_order_that_matters():
    wrong = make(
        lambda x: np.ravel(x, order="K").copy(), lambda g, y, x: np.reshape(g, x.shape), examples=[example((2, 3))]
    )
    caught(wrong, "on Fortran-ordered arrays it gives")


def test_no_elements():
    def forward(x):
        return x + 0 * x.flat[0]

    wrong = make(forward, lambda g, y, x: g * 1, answers=[np.positive])
    with answering(np.positive, wrong):
        caught(wrong, r"on shapes \(0, 3\) NumPy computes it, but here it raises IndexError")


def test_no_dimension():
    def forward(x):
        return x[..., :] + 0

    wrong = make(forward, lambda g, y, x: g * 1, answers=[np.positive])
    with answering(np.positive, wrong):
        caught(wrong, r"on shapes \(\) NumPy computes it, but here it raises")


def test_tensors_out_of_arrays():
    @composite_of(examples=X)
    def planted(x):
        """y = x²."""
        return tg.Tensor(1.0) * x * x

    caught(planted, "given arrays it returns a Tensor")


def test_a_record_within_no_grad():
    @composite_of(examples=X)
    def planted(x):
        """y = x², recorded come what may."""
        with enable_grad():
            return x * x

    caught(planted, r"inside no_grad\(\) it leaves a record")


def test_a_result_that_is_not_recorded():
    wrong = make(lambda x: np.sign(x))
    wrong.apply = lambda inputs, settings=None: tg.Tensor(np.sign(inputs[0].numpy()))
    caught(wrong, "a result is not recorded")


def test_hidden_state():
    calls = []

    def forward(x):
        calls.append(1)
        return x * len(calls)

    wrong = make(forward, lambda g, y, x: g * len(calls))
    with pytest.raises(CheckError, match="gave other values when it was called again"):
        gradcheck(wrong, np.ones(2))
    with pytest.raises(CheckError, match="planted"):
        check_op(wrong)


def test_an_example_that_the_op_refuses():
    def forward(x):
        raise ValueError("three numbers are needed")

    with pytest.raises(ValueError, match="three numbers") as info:
        check_op(make(forward))
    assert info.value.__notes__ == ["while checking planted((2, 3))"]


def test_an_op_without_examples():
    with pytest.raises(ValueError, match=r"planted has no examples.* declare examples=\["):
        check_op(make(lambda x: np.exp(x), lambda g, y, x: g * y, examples=[]))


def _scaled(x, factor=1.0, *, offset=0.0):
    """y = factor·x + offset."""
    return factor * x + offset


def _scaled_rule(g, y, x, *, factor, offset):
    return g * factor


@pytest.mark.parametrize(
    ("examples", "setting"),
    [
        ([example((3,))], "factor= off its default 1.0"),
        ([example((3,), 1.0, offset=2.0)], "factor= off its default 1.0"),
        ([example((3,), 1, offset=2.0)], "factor= off its default 1.0"),
        ([example((3,), 3.0)], "offset= off its default 0.0"),
        ([example((3,), 3.0), example((3,), factor=3.0, offset=0)], "offset= off its default 0.0"),
    ],
)
def test_a_setting_that_no_example_varies(examples, setting):
    with pytest.raises(CheckError, match=f"planted: no example sets {setting}.*refuses="):
        check_op(make(_scaled, _scaled_rule, examples=examples))


def test_settings_may_be_varied_in_different_examples():
    check_op(make(_scaled, _scaled_rule, examples=[example((3,), 3.0), example((3,), offset=2.0)]))


def test_a_setting_that_no_example_of_a_composite_varies():
    def planted(x, axis=None):
        """y = Σ x."""
        return np.sum(x, axis=axis)

    planted.name, planted.examples, planted.domains = "planted", (example((2, 3)),), (positive,)
    planted.answers, planted.analytic = (), True
    with pytest.raises(CheckError, match="planted: no example sets axis= off its default None"):
        check_op(planted)


def test_a_setting_that_bind_takes_and_no_example_varies():
    def bind(x, power=2):
        return (x,), {"exponent": power}

    def forward(x, exponent):
        return x**exponent

    def rule(g, y, x, *, exponent):
        return g * exponent * x ** (exponent - 1)

    with pytest.raises(CheckError, match="planted: no example sets power= off its default 2"):
        check_op(make(forward, rule, bind=bind, examples=[example((3,))]))
    check_op(make(forward, rule, bind=bind, examples=[example((3,), power=3)]))


def test_a_refused_setting_is_refused():
    def bind(x, order="C"):
        if order != "C":
            raise ValueError("rows first")
        return (x,), {}

    declaration = {"bind": bind, "arity": 1, "examples": [example((3,))]}
    check_op(make(lambda x: x * 2, lambda g, y, x: g * 2, refuses={"order": "F"}, **declaration))
    with pytest.raises(CheckError, match="planted: it is declared to refuse order='C', but takes it"):
        check_op(make(lambda x: x * 2, lambda g, y, x: g * 2, refuses={"order": "C"}, **declaration))
    with pytest.raises(CheckError, match="planted: it is declared to refuse ordre=, which is no setting of it"):
        check_op(make(lambda x: x * 2, lambda g, y, x: g * 2, refuses={"ordre": "F"}, **declaration))


def _half(x):
    return np.tril(x) + np.tril(x, -1).mT


def test_an_op_that_takes_its_input_for_symmetric():
    """y = x·x of the symmetric x that one triangle stands for."""
    square = {"symmetric": True, "domain": definite, "examples": [example((3, 3))]}

    def forward(x):
        return _half(x) @ _half(x)

    check_op(make(forward, lambda g, y, x: (g @ x + x @ g + g.mT @ x + x @ g.mT) / 2, **square))
    caught(make(forward, lambda g, y, x: (g @ x + x @ g + g.mT @ x + x @ g.mT) / 3, **square), "is wrong")
    caught(
        make(forward, lambda g, y, x: g @ x + x @ g, **square),
        "rule 0 of planted returned a matrix that is not symmetric",
    )
    del square["symmetric"]
    caught(make(forward, lambda g, y, x: (g @ x + x @ g + g.mT @ x + x @ g.mT) / 2, **square), "is wrong")


def test_an_op_without_docstring():
    with pytest.raises(CheckError, match="no docstring"):
        check_op(op(symbol="f", name="planted", vjp=(lambda g, y, x: g * y,), examples=X)(lambda x: np.exp(x)))


# ---------------------------------------------------------------------------------------------------
# Kinks are reported, and never pass for right or wrong


def test_a_kink_is_reported():
    report = gradcheck(lambda x: np.maximum(x, 0), np.array([-1.0, 0.0, 2.0]))
    assert report.checked == 2
    (kink,) = report.kinks
    assert re.match(r"x\[1\] is at a kink: the slope of ⟨v, y⟩ is 0 to the left, -?[\d.]+ to the right", kink)
    assert "not judged: x[1]" in str(report)


def test_a_jump_is_reported():
    report = gradcheck(lambda x: x + (x > 0), np.array([-1.0, 0.0, 2.0]))
    assert report.checked == 2
    assert "x[1] is at a jump" in report.kinks[0]


def test_an_edge_is_reported():
    report = gradcheck(np.sqrt, np.array([0.0, 1.0]))
    assert report.checked == 1
    assert "x[0] is at the edge of the domain" in report.kinks[0]


def test_a_shape_that_depends_on_the_numbers_is_reported():
    report = gradcheck(lambda x: np.concatenate([x, x[x > 0.0]]), np.array([0.0, 1.0]))
    assert report.checked == 1
    assert report.kinks[0].startswith("x[0] is at the edge")


def test_what_varies_too_fast_is_reported():
    with pytest.raises(AtKink, match="varies too fast"):
        gradcheck(lambda x: np.sin(x * 1e8), np.array([0.3]))
    gradcheck(lambda x: np.sin(x * 1e4), np.array([0.3, 0.5]))


def test_nothing_but_kinks_is_not_a_pass():
    with pytest.raises(AtKink, match=r"cannot be judged here: x\[0\] is at a kink"):
        gradcheck(np.abs, np.zeros(2))


def test_a_tie_is_a_kink():
    report = gradcheck(lambda x: np.max(x), np.array([1.0, 1.0, -3.0]))
    assert report.checked == 1
    assert len(report.kinks) == 2


def test_a_kink_close_by_is_none():
    for distance in (1e-2, 5e-4, 3e-5, 4e-6):
        assert gradcheck(np.abs, np.array([distance, -distance])).checked == 2


def test_a_kink_of_the_slope_is_reported_at_second_order():
    def f(x):
        return np.maximum(x, 0) ** 2

    assert not gradcheck(f, np.array([0.0, 1.0])).kinks
    report = gradcheck(f, np.array([0.0, 1.0]), order=2)
    assert any("x[0] is at a kink" in kink and "order 2" in kink for kink in report.kinks)


def test_a_wrong_rule_is_not_excused_as_a_kink():
    """What is a kink is decided by the values alone."""
    wrong = make(lambda x: x * x, lambda g, y, x: g * np.abs(x) * 2)
    with pytest.raises(GradientError, match="sign"):
        gradcheck(wrong, np.array([-1.0, 1.0]))


@given(strategies.arrays((3,), domain=spread), st.sampled_from([np.abs, lambda x: np.maximum(x, 0), np.max]))
def test_no_smooth_point_is_called_a_kink(x, f):
    if np.abs(x).min() > 1e-3:
        assert not gradcheck(f, x).kinks


# ---------------------------------------------------------------------------------------------------
# What cannot be checked says so


def test_nothing_to_differentiate_by():
    with pytest.raises(ValueError, match="nothing to differentiate by; pass floating arrays"):
        gradcheck(np.exp, np.array([1, 2]))
    with pytest.raises(ValueError, match="requires_grad=True"):
        gradcheck(np.exp, tg.Tensor([1.0]))


def test_a_function_that_returns_an_array():
    with pytest.raises(TypeError, match="returned ndarray where a Tensor was expected"):
        gradcheck(lambda x: x.numpy() * 2, np.ones(2))


def test_a_function_that_rounds_to_float32():
    with pytest.raises(TypeError, match="computes in float32 what came in as float64"):
        gradcheck(lambda x: np.exp(x.astype("float32")), np.ones(2))


def test_a_function_that_returns_truths():
    with pytest.raises(TypeError, match="no floating tensor"):
        gradcheck(lambda x: x > 0, np.ones(2))


def test_randomness_inside():
    rng = np.random.default_rng(0)
    with pytest.raises(CheckError, match="seed what is random"):
        gradcheck(lambda x: x * (rng.random(x.shape) > 0.5), np.ones(20))


def test_order():
    with pytest.raises(ValueError, match="order"):
        gradcheck(np.exp, np.ones(2), order=0)


# ---------------------------------------------------------------------------------------------------
# Tools


def composite_of(**declaration):
    """A composite that leaves the package's table as it was."""

    def decorate(function):
        from tinygrad_edu.engine.registry import COMPOSITES

        made = composite(**declaration)(function)
        del COMPOSITES[made.name], ANSWERS[made.name]
        return made

    return decorate


class answering:
    """Within the block, `op` answers for a NumPy function."""

    def __init__(self, function, op):
        self.function, self.op = function, op

    def __enter__(self):
        from tinygrad_edu.engine.registry import UFUNCS

        self.before = ANSWERS.pop(self.function, None), UFUNCS.pop(self.function, None)
        if self.op is not None:
            ANSWERS[self.function] = self.op

    def __exit__(self, *_):
        from tinygrad_edu.engine.registry import UFUNCS

        answer, ufunc = self.before
        ANSWERS.pop(self.function, None)
        if answer is not None:
            ANSWERS[self.function] = answer
        if ufunc is not None:
            UFUNCS[self.function] = ufunc


def test_fixed_arguments_are_described():
    wrong = make(
        lambda x, n: x * n,
        lambda g, y, x, *, n: -g * n,
        examples=[
            example(
                (2,),
                Fixed(3),
            )
        ],
    )
    caught(wrong, r"planted\(\(2,\), 3\): ", GradientError)

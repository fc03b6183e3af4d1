"""Every op and composite of the table, by the checks that follow from its declaration."""

import copy
import doctest
import sys
import warnings

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.engine.registry import ANSWERS, COMPOSITES, OPS
from tinygrad_edu.testing import CheckError, check_op
from tinygrad_edu.testing.checks.arrays import arrays_in, filled, flattened

UNCHECKED = ("item", "alias", "full_svd", "complete_qr")
"""`item` takes one of several results, and is checked with each op that has several; `alias` is `detach()` as an op,
whose gradient is cut on purpose; the others give vectors that are arbitrary, and refuse to differentiate them."""

TABLE = {**COMPOSITES, **{name: op for name, op in OPS.items() if name not in UNCHECKED}}


@pytest.mark.parametrize("name", TABLE)
def test_op(name):
    report = check_op(TABLE[name])
    assert not report.kinks, "draw its examples from a domain away from its kinks"


def _rules():
    """Each rule of the table: of an op with any number of inputs, that of its first two."""
    for name, op in OPS.items():
        if name in TABLE and op.vjp is not None:
            if isinstance(op.vjp, tuple):
                yield from ((name, i) for i, rule in enumerate(op.vjp) if rule is not None)
            else:
                yield from (
                    (name, i) for i in ((0,) if name in ("getitem", "scatter") else (0, 1))
                )  # then come indices


def _off(rule, by):
    return rule and (lambda *args, **settings: rule(*args, **settings) + by)


@pytest.mark.parametrize(("name", "i"), list(_rules()))
def test_a_wrong_rule_is_caught(name, i):
    """Each rule, wrong by a little at every element, fails the checks: so the examples reach every rule."""
    op = OPS[name]
    wrong = copy.copy(op)
    count = len(op.vjp) if isinstance(op.vjp, tuple) else 9
    wrong.rules = [_off(op.rules[k], 0.01 * (k == i)) for k in range(count)]
    wrong.special = ()
    with pytest.raises(CheckError, match="is wrong"):
        check_op(wrong, order=1)


TYPES = ("complex128", "complex64", "int64", "int32", "uint8", "bool", "float16")
TOLERANCE = {"complex64": 1e-4, "float16": 2e-2}
OTHERWISE = {
    ("diff", "complex64"): "the numbers to prepend are weak: they widen nothing",
    ("diff", "float16"): "the numbers to prepend are weak: they widen nothing",
    ("quantile", "float16"): "q is weak: it widens nothing",
    ("percentile", "float16"): "q is weak: it widens nothing",
    ("partition", "float16"): "in which order the others stand beside the kth is left open",
}
"""What an op answers for, of what type, and why NumPy's answer is another one there."""


def _as_type(array, dtype):
    """The numbers that an example drew, as numbers of another type, so large that their squares do not fit into the
    small ones; integers and masks stay what they are."""
    kind = np.dtype(dtype).kind
    if array.dtype.kind != "f":
        return array
    if kind == "c":
        return (array + np.roll(np.nan_to_num(array, posinf=1, neginf=-1), 1) * 1j).astype(dtype)
    if kind in "iu":
        array = np.nan_to_num(np.rint(array * {"int64": 3, "int32": 20_000, "uint8": 60}[dtype]), posinf=1, neginf=-1)
    return array > 0 if kind == "b" else (np.abs(array) % 256 if kind == "u" else array).astype(dtype)


def _calls(op, dtype):
    """For each example with floating numbers: how to call a function on it, and its arrays in another type."""
    for drawn in op.examples:
        args, settings = drawn.draw(np.random.default_rng(0), op.domains)
        arrays = list(arrays_in(args))
        if any(a.dtype.kind == "f" for a in arrays):

            def call(function, arrays, args=args, settings=settings):
                turn = iter(arrays)
                with np.errstate(all="ignore"), warnings.catch_warnings():
                    warnings.simplefilter("ignore", RuntimeWarning)
                    return flattened(function(*[filled(arg, turn) for arg in args], **settings))

            yield call, arrays, [_as_type(a, dtype) for a in arrays]


def _outcome(call, function, arrays):
    try:
        return call(function, arrays), None
    except Exception as error:
        return None, error


def _differ(got, expected, tolerance):
    """Why two results are not the same numbers of the same type, or None."""
    if len(got) != len(expected):
        return f"{len(got)} results for {len(expected)}"
    for a, b in zip(got, expected, strict=True):
        a, b = np.asarray(getattr(a, "ndarray", a)), np.asarray(b)
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            return f"{a.dtype} {a.shape} for {b.dtype} {b.shape}"
        exact = b.dtype.kind not in "fc"
        if not (np.array_equal(a, b) if exact else np.allclose(a, b, tolerance, tolerance, equal_nan=True)):
            return f"{a.tolist()!r:.80} for {b.tolist()!r:.80}"
    return None


@pytest.mark.parametrize("name", [name for name, op in TABLE.items() if op.answers])
def test_numbers_of_other_types_as_in_numpy(name):
    """Complex numbers, integers, truths and small floats: the same numbers, types and refusals as NumPy's."""
    op = TABLE[name]
    for dtype in TYPES:
        wrong = set()
        for call, drawn, arrays in _calls(op, dtype):
            for key in op.answers:
                function = getattr(*key) if isinstance(key, tuple) else key
                if _outcome(call, function, drawn)[1] is not None:
                    continue  # NumPy's function takes other arguments
                expected, theirs = _outcome(call, function, arrays)
                got, ours = _outcome(call, function, [tg.Tensor(a) for a in arrays])
                if (theirs is None) != (ours is None):
                    wrong.add(
                        f"raises {ours!r:.120}" if ours else f"gives {got!r:.80}, but NumPy raises {theirs!r:.80}"
                    )
                elif ours is None:
                    wrong.add(_differ(got, expected, TOLERANCE.get(dtype, 1e-9)))
        wrong -= {None}
        assert bool(wrong) == ((name, dtype) in OTHERWISE), f"{name} of {dtype}: {wrong or 'is as in NumPy now'}"


KEEPS = {"fold_windows", "max_pool", "max_pool_gradient", "sum_pool", "spread_windows", "conv", "conv_transpose", "conv_weight", "scatter", "scatter_add", "pad_constant", "recurrence", "constant_power", "quantile_at", "weighed",
         "first_places"}  # fmt: skip
"""What computes in the type that it is given, as NumPy does: truths add up to truths, 200 + 100 is 44 (so sums of products too), and the order of
`np.unique_values` is that of a hash table."""


@pytest.mark.parametrize("name", [name for name, op in TABLE.items() if not op.answers and name not in KEEPS])
def test_whole_numbers_as_the_same_floating_ones(name):
    """An op that NumPy lacks treats integers and truths as the same numbers in float64."""
    op = TABLE[name]
    for dtype in ("int64", "int32", "uint8", "bool"):
        for call, drawn, arrays in _calls(op, dtype):
            floats = [a.astype(float) if b.dtype.kind == "f" else a for a, b in zip(arrays, drawn, strict=True)]
            expected, theirs = _outcome(call, op, floats)
            for given in (arrays, [tg.Tensor(a) for a in arrays]):
                got, ours = _outcome(call, op, given)
                assert (ours is None) == (theirs is None), f"{name} of {dtype}: {ours or theirs!r}"
                if ours is None:
                    got = [np.asarray(getattr(a, "ndarray", a)) for a in got]
                    got = [a.astype(float) if a.dtype.kind in "iub" else a for a in got]
                    expected = [np.asarray(a) for a in expected]
                    expected = [a.astype(float) if a.dtype.kind in "iub" else a for a in expected]
                    assert _differ(got, expected, 1e-9) is None, f"{name} of {dtype}"


def test_enough_ops_are_checked():
    assert sum(1 for op in TABLE.values() if op.examples) >= 120
    derivatives = [op for op in OPS.values() if op.vjp is not None and op.examples]
    assert len(derivatives) >= 60


def test_every_floating_result_has_a_rule_or_is_constant():
    """An op that bypassed the record would leave grad = None: what has no rule is constant wherever it is smooth
    (`check_op` compares with difference quotients), and is one of these."""
    undifferentiated = {name for name, op in OPS.items() if op.vjp is None and op.examples and _gives_floats(op)}
    assert undifferentiated <= {
        "ceil", "floor", "floor_divide", "heaviside", "rint", "round", "sign", "spacing", "trunc",
        "isclose", "one_hot", "zero",
    }  # fmt: skip


def _gives_floats(op):
    args, settings = op.examples[0].draw(np.random.default_rng(0), op.domains)
    with np.errstate(all="ignore"):
        result = op(*args, **settings)
    return any(np.asarray(y).dtype.kind == "f" for y in (result if isinstance(result, tuple) else (result,)))


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if isinstance(op.vjp, tuple)])
def test_a_rule_for_each_input(name):
    op = OPS[name]
    assert op.arity == len(op.vjp)


def test_each_function_is_answered_for_once():
    declared = {}
    for name, op in TABLE.items():
        for key in op.answers:
            assert declared.setdefault(key, name) == name, f"{key} is declared by {declared[key]} and {name}"
            assert key in ANSWERS


@pytest.mark.parametrize("name", [name for name, op in TABLE.items() if op.answers])
def test_named_as_in_numpy(name):
    """Each op is reachable from the top of the package under its NumPy name."""
    assert hasattr(tg, name) or not hasattr(np, name)


def test_doctest_finds_the_examples_of_each_op_once():
    """An op is a routine of the module that declares it; where it is imported, its examples are not run again."""
    finder = doctest.DocTestFinder()
    pages = [page for name, page in sorted(sys.modules.items()) if name.startswith("tinygrad_edu")]
    found = [test.name for page in pages for test in finder.find(page, page.__name__) if test.examples]
    assert len(found) == len(set(found))
    for name, op in TABLE.items():
        if ">>>" in (op.__doc__ or "") and not op.__module__.startswith("tests"):
            assert sum(test.startswith(op.__module__) and test.endswith(f".{name}") for test in found) == 1, name

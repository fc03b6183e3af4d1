"""Every op and composite of the table, by the checks that follow from its declaration."""

import copy
import doctest
import inspect

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import ops
from tinygrad_edu.op import COMPOSITES, OPS, Op
from tinygrad_edu.protocols import ANSWERS
from tinygrad_edu.testing import CheckError, check_op

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


DOCUMENTED = [
    pytest.param(page, name, id=f"{page.__name__.rpartition('.')[2]}.{name}")
    for page in filter(inspect.ismodule, vars(ops).values())
    for name, op in vars(page).items()
    if isinstance(op, Op)
]


@pytest.mark.parametrize(("page", "name"), DOCUMENTED)
def test_examples_in_docstrings_run(page, name):
    """An op is no function, so doctest does not find its docstring by itself."""
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    finder = doctest.DocTestFinder(recurse=False)
    for test in finder.find(vars(page)[name], name, module=False, globs=dict(vars(page))):
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0

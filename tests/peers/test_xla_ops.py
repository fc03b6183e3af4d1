"""Every op of the table, compiled by XLA on all examples of its declaration: the numbers, types and shapes of its forward."""

from __future__ import annotations

import functools
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import assert_close
from forwards import ALL, calls

from tinygrad_edu.engine.registry import OPS
from tinygrad_edu.program.xla.array import DependsOnValues
from tinygrad_edu.program.xla.table import TABLE, compute

BY_VALUES = "how many numbers come out is said by their values, and XLA compiles for shapes that are known before"
WITHOUT = dict.fromkeys(
    ["argwhere", "flatnonzero", "first_places", "single_places", "other_places", "common_places"], BY_VALUES
)
"""The ops that XLA cannot have, each with its reason."""

MASKED = {"getitem": 6, "scatter": 1, "scatter_add": 1, "index_update": 1}
"""How many examples of an op it cannot have, since an index of truths chooses as many elements as are true."""

OTHERWISE = {"partition": "in which order the others stand beside the kth is left open"}


@pytest.fixture(autouse=True)
def doubles():
    with jax.enable_x64(True), np.errstate(all="ignore"):
        yield


def compiled(op, cases):
    """The forward on each of these, in one program."""
    settings = [settings for _, settings in cases]
    arrays = [[jnp.asarray(a) for a in arrays] for arrays, _ in cases]
    return jax.jit(lambda given: [compute(op, xs, how) for xs, how in zip(given, settings, strict=True)])(arrays)


def has_mask(case):
    arrays, settings = case
    return "key" in settings and any(a.dtype == bool for a in arrays[-settings["key"].count("array") :])


@pytest.mark.parametrize("name", [name for name in ALL if name not in WITHOUT])
def test_op(name):
    op = ALL[name]
    cases = calls(op)
    assert cases
    masked = [case for case in cases if name in MASKED and has_mask(case) and not by_one_number(case, name)]
    assert len(masked) == MASKED.get(name, 0)
    for case in masked:
        with pytest.raises(DependsOnValues, match="as many elements as are true"):
            compiled(op, [case])
    cases = [case for case in cases if not any(case is other for other in masked)]
    for (arrays, settings), got in zip(cases, compiled(op, cases), strict=True):
        expected = op.forward(*arrays, **settings)
        several = isinstance(expected, tuple)
        assert isinstance(got, tuple) is several
        for a, b in zip(got if several else [got], expected if several else [expected], strict=True):
            a, b = np.asarray(a), np.asarray(b)
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            if name in OTHERWISE:
                kth = [settings["kth"]] if isinstance(settings["kth"], int) else list(settings["kth"])
                a, b = [np.take(part, kth, settings["axis"]) for part in (a, b)]
            assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_what_ops_do_with_large_arrays(monkeypatch):
    """Forwards go other ways above a size; with all sizes at 1 the examples go these. They are traced, not compiled."""
    expected = {}
    for name, op in ALL.items():
        cases = [] if name in WITHOUT else [case for case in calls(op) if not (name in MASKED and has_mask(case))]
        expected[name] = [(case, op.forward(*case[0], **case[1])) for case in cases]
    sizes, pages = 0, ("tinygrad_edu.ops.", "tinygrad_edu.engine.")
    for module in [module for page, module in sys.modules.items() if page.startswith(pages) and "fast" not in page]:
        for key, size in list(vars(module).items()):
            if key.isupper() and type(size) is int and size > 1:
                monkeypatch.setattr(module, key, 1)
                sizes += 1
    assert sizes > 15
    for name, cases in expected.items():
        for (arrays, settings), numbers in cases:
            traced = functools.partial(compute, ALL[name], settings=settings)
            got = jax.eval_shape(traced, [jnp.asarray(a) for a in arrays])
            for a, b in zip(*[x if isinstance(x, tuple) else [x] for x in (got, numbers)], strict=True):
                assert (a.shape, a.dtype) == (b.shape, b.dtype), name


def by_one_number(case, name):
    """One number, written or added where a mask is true, is chosen by np.where."""
    return name in ("scatter_add", "index_update") and case[0][1].size == 1


@pytest.mark.parametrize("name", WITHOUT)
def test_what_depends_on_values_is_refused(name):
    op = OPS[name]
    with pytest.raises((DependsOnValues, jax.errors.ConcretizationTypeError)):
        compiled(op, calls(op)[:1])


def test_no_entry_is_for_an_op_that_does_not_exist():
    assert set(TABLE) - {"of_present"} <= set(OPS)  # which is in no table: see ops/presence.py


NARROW = {
    "constant_power": "a power of truths is of a type of its own in NumPy",
    "power_log": "the logarithm of a byte is of float16 in NumPy, and its product computed from there",
    "round": "NumPy rounds truths to float16",
    "weighed": "truths times truths are truths",
    "probability_cross_entropy": "1 − t of bytes goes round",
}
"""Ops that are compared in floating types and wide integers alone, each with the reason."""

TYPES = ("float32", "int64", "int32", "uint8", "bool", "float16")


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name in ALL if name not in WITHOUT])
def test_other_types(name):
    """Of the floating arrays of an example, each in another type: the types that NumPy makes, and its numbers."""
    op, cases = ALL[name], []
    for arrays, settings in calls(op)[:3]:
        for dtype in TYPES if any(a.dtype == float for a in arrays) else ():
            if name in NARROW and dtype in ("bool", "uint8"):
                continue
            given = [np.abs(a * 3).astype(dtype) if a.dtype == float else a for a in arrays]
            if has_mask((given, settings)) and not by_one_number((given, settings), name):
                continue
            try:
                cases.append((given, settings, op.forward(*given, **settings)))
            except Exception:  # NumPy refuses the type as well
                continue
    for (given, _, expected), got in zip(cases, compiled(op, [case[:2] for case in cases]), strict=True):
        several = isinstance(expected, tuple)
        for a, b in zip(got if several else [got], expected if several else [expected], strict=True):
            a, b = np.asarray(a), np.asarray(b)
            assert (a.shape, a.dtype) == (b.shape, b.dtype), [x.dtype for x in given]
            if name not in OTHERWISE:
                tolerance = {"float16": 2e-2, "float32": 2e-3}.get(b.dtype.name, 1e-7)
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)

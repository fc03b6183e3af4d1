"""Programs drawn at random, compiled by XLA: the numbers and the state of eager runs."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tests.replay.programs import numbers, options
from tests.replay.test_random_programs import Program, kinds


class Apart(Program):
    """A program whose leaves share no memory, which a step on devices refuses where one is written."""

    def __init__(self, **how):
        super().__init__(**how)
        self.leaves[3:] = [tg.Tensor(np.array(x.numpy()), name=x.name) for x in self.leaves[3:]]


def compare(shape, steps, ending, optimizer):
    eager, compiled = (
        Apart(shape=shape, dtype="float64", steps=steps, ending=ending, optimizer=optimizer) for _ in range(2)
    )
    run, rng = tg.replay(compiled, backend="jax", gradients=True), np.random.default_rng(1)
    for _ in range(4):
        x = rng.standard_normal(shape)
        expected = eager(tg.Tensor(x))
        for a, b in zip(numbers(run(x)), numbers(expected), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)
    run.gather()
    for a, b in zip(numbers(compiled.state()), numbers(eager.state()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


shapes = st.sampled_from([(3, 3), (4, 2), (1, 5)])


@settings(max_examples=3, deadline=None)
@given(shapes, kinds, st.fixed_dictionaries(options))
def test_random_programs(shape, steps, drawn):
    with jax.enable_x64(True):
        compare(shape, steps, **drawn)


@pytest.mark.nightly
@settings(max_examples=60, deadline=None)
@given(shapes, kinds, st.fixed_dictionaries(options))
def test_many_random_programs(shape, steps, drawn):
    with jax.enable_x64(True):
        compare(shape, steps, **drawn)

"""The lines of a program call the one function that a forward comes down to, and give the same numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.engine.registry import OPS

NUMBERS = {
    "relu": lambda x: OPS["relu"](x),
    "channel_sum": lambda x: OPS["channel_sum"](x),
    "sum": lambda x: x.sum(axis=-1),
    "gate": lambda x: OPS["gate"](x * 2, x > 0),
    "transpose": lambda x: np.transpose(x) + 0,
}


@pytest.mark.parametrize("name", NUMBERS)
@given(
    st.sampled_from([np.float16, np.float32, np.float64, np.int32]),
    st.sampled_from([(1, 1), (3, 5), (17, 40), (1030, 3)]),
    st.integers(0, 9),
)
def test_a_line_gives_the_numbers_of_the_forward(name, dtype, shape, seed):
    x = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    if x.dtype.kind == "f":
        x.flat[:3] = [np.nan, np.inf, -0.0][: x.size]
    run = tg.replay(NUMBERS[name])
    first = run(tg.Tensor(x.copy()))
    again = run(tg.Tensor(x))
    plainly = NUMBERS[name](tg.Tensor(x))
    for found in (first, again):
        assert found.dtype == plainly.dtype
        assert found.numpy().tobytes() == plainly.numpy().tobytes()


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("relu", "maximum(x, zero, "),
        ("channel_sum", "matmul(ones, x, "),
        ("gate", "gate(bits_of_"),
        ("transpose", "x.T"),
    ],
)
def test_the_source_says_what_is_called(name, called):
    def f(x):
        return NUMBERS[name](x)

    run = tg.replay(f)
    run(tg.Tensor(np.ones((17, 40), np.float32)))
    assert called in run.source

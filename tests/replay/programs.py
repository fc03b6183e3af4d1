"""Programs and comparisons that the tests of replay share."""

from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.program import kernels, run


def numbers(result):
    """The arrays of a result, in its order."""
    if isinstance(result, list | tuple):
        return [array for part in result for array in numbers(part)]
    return [result.numpy() if isinstance(result, tg.Tensor) else np.asarray(result)]


def assert_same(got, expected):
    for a, b in zip(numbers(got), numbers(expected), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@contextmanager
def compiled(at_once=True):
    """A block in which programs are compiled before their first replay, however little that saves; or never.

    An error of the compiler, which leaves a program as it was, is raised in it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "SECONDS_OF_COMPILING", 0 if at_once else 1e9)
        patch.setattr(run, "suppress", lambda _: nullcontext())
        yield


def leaf(*data, **options):
    return tg.Tensor(np.array(data), requires_grad=True, **options)


def add(t, a, b):
    t += np.tanh(a) * 0.1


def second_order(program, loss, outputs):
    w = program.leaves[0]
    slope = tg.grad(loss, w, create_graph=True)
    outputs += [slope, tg.grad((slope**2).sum() + (w**2).sum() * 0, w)]


def penalised(program, loss, outputs):
    for t in (*program.leaves[:2], program.row):
        t.grad = None
    slope = tg.grad(loss, program.row, create_graph=True)
    (loss + (slope**2).sum()).backward()


def fresh_gradients(program, loss, outputs):
    for t in (*program.leaves[:2], program.row):
        t.grad = None
    loss.backward()
    outputs.append(program.row.grad)


ENDINGS = {
    "backward": fresh_gradients,
    "accumulated": lambda program, loss, outputs: loss.backward(),
    "second order": second_order,
    "penalty": penalised,
}
options = {"ending": st.sampled_from(list(ENDINGS)), "optimizer": st.sampled_from(["none", "momentum", "adam"])}

"""Programs and indices drawn at random: onnxruntime gives their numbers, and so does what is read back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.testing import strategies


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("onnx") / "net.onnx"


def compared(f, inputs, path, tolerance):
    """Written, which compares; and read, and compared."""
    tg.export.onnx(f, tuple(inputs), path, batch=None, tolerance=tolerance)
    got = tg.export.load_onnx(path)(*inputs)
    for a, b in zip(f(*map(tg.Tensor, inputs)), got if isinstance(got, tuple) else (got,), strict=True):
        a, b = [np.asarray(getattr(y, "ndarray", y)) for y in (a, b)]
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert np.allclose(a, b, rtol=tolerance, atol=tolerance * max(1e-3, np.abs(a).max(initial=0)))


@settings(max_examples=40)
@given(strategies.programs())
def test_a_program(path, program):
    compared(program, [x.astype(np.float32) for x in program.inputs], path, 1e-4)


@settings(max_examples=60)
@given(st.data(), strategies.shapes(max_dims=4, max_side=4, min_dims=1, min_side=1))
def test_an_index(path, data, shape):
    """Arrays of whole numbers are inputs in one run, and parts of the file in another."""
    index = data.draw(strategies.indices(shape))
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    if not x[index].size:
        return
    parts = index if isinstance(index, tuple) else (index,)
    arrays = [part for part in parts if isinstance(part, np.ndarray) and part.dtype.kind in "iu"]

    def f(x, *given):
        turn = iter(given)
        key = tuple([next(turn) if any(part is a for a in arrays) else part for part in parts]) if given else index
        return (x[key],)

    compared(f, [x], path, 0)
    if arrays:
        compared(f, [x, *arrays], path, 0)


@settings(max_examples=40)
@given(st.data(), strategies.shapes(max_dims=3, max_side=4, min_dims=1, min_side=1))
def test_a_write(path, data, shape):
    index = data.draw(strategies.indices(shape))
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    values = -np.arange(x[index].size, dtype=np.float32).reshape(x[index].shape) - 1
    if values.size:
        compared(lambda x, v: (tg.index_update(x, index, v), tg.scatter_add(x, index, v)), [x, values], path, 1e-6)


def test_an_ellipsis_that_stands_for_no_axis_parts_arrays(path):
    """NumPy puts the axes of arrays in front where anything stands between them, though it be nothing."""
    x, at = np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2), np.array([0, 1, 1])
    for index in ((slice(None), at, at, Ellipsis, at), (slice(None), at, at, at), (slice(None), at, None, at, at)):
        compared(lambda x, index=index: (x[index],), [x], path, 0)

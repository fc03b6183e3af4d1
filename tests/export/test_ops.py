"""Every op as ONNX: written on its declared examples, run by onnxruntime, and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.engine.registry import OPS
from tinygrad_edu.export.onnx_files.packages import session
from tinygrad_edu.export.onnx_files.writing.written import CannotWriteError
from tinygrad_edu.testing.checks.arrays import arrays_in, filled, flattened

NO_EXAMPLES = {"item", "alias", "full_svd", "complete_qr"}
"""The first two are written with every op that has several results; the others are factorizations, with those below."""

MISSING = {
    **dict.fromkeys(["eigh", "reduced_svd", "pinv", "cofactor"], "found by iteration, or made of singular values"),
    **dict.fromkeys(["argwhere", "flatnonzero"], "how many places there are depends on the numbers"),
    **dict.fromkeys(
        ["first_places", "single_places", "other_places", "common_places"],
        "how many elements differ depends on the numbers",
    ),
}
"""The ops that are not written, and why."""

INDEXED = {"getitem", "scatter", "scatter_add", "index_update"}
"""Where a mask is an index it is part of the file, since it says a shape; arrays of whole numbers are inputs."""

TRIED = [name for name, op in OPS.items() if op.examples]


def calls(name):
    """For each example of an op: a function of arrays, and the arrays, floating ones as float32."""
    op = OPS[name]
    for drawn in op.examples:
        args, settings = drawn.draw(np.random.default_rng(0), op.domains)
        arrays = [a.astype(np.float32) if a.dtype.kind == "f" else a for a in arrays_in(args)]
        fixed = {i: a for i, a in enumerate(arrays) if name in INDEXED and a.dtype.kind == "b"}

        def call(*xs, args=args, settings=settings, fixed=fixed, arrays=arrays):
            turn = iter(xs)
            every = iter([fixed[i] if i in fixed else next(turn) for i in range(len(arrays))])
            return op(*[filled(arg, every) for arg in args], **settings)

        yield call, tuple([a for i, a in enumerate(arrays) if i not in fixed])


def numbers(result):
    return [np.asarray(getattr(y, "ndarray", y)) for y in flattened(result)]


@pytest.mark.parametrize("name", [name for name in TRIED if name not in MISSING])
def test_an_op_is_written_run_and_read(name, tmp_path):
    """`tg.export.onnx` itself checks the file, runs it, and compares within 1e-5 of the largest; then it is read."""
    for call, arrays in calls(name):
        with np.errstate(all="ignore"):
            path = tg.export.onnx(call, arrays, tmp_path / "op.onnx", batch=None, tolerance=1e-5)
            expected, got = numbers(call(*map(tg.Tensor, arrays))), numbers(tg.export.load_onnx(path)(*arrays))
        for a, b in zip(expected, got, strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            scale = np.abs(a[np.isfinite(a)]).max(initial=1e-3) if a.dtype.kind == "f" else 0
            assert np.allclose(a, b, rtol=1e-5, atol=1e-5 * scale, equal_nan=True)


@pytest.mark.parametrize("name", MISSING)
def test_an_op_without_counterpart_is_named_with_its_line(name, tmp_path):
    call, arrays = next(calls(name))
    with pytest.raises(
        CannotWriteError, match=rf"^{name}, recorded at .*test_ops\.py:\d+: .*has no counterpart in ONNX"
    ):
        tg.export.onnx(call, arrays, tmp_path / "op.onnx", batch=None)
    assert not list(tmp_path.iterdir())


def test_the_ops_that_are_written_are_counted():
    assert set(OPS) - set(TRIED) == NO_EXAMPLES
    assert MISSING.keys() <= set(TRIED)
    assert len(TRIED) - len(MISSING) >= 205
    said = f"{len(TRIED) - len(MISSING)} of {len(TRIED)}"
    for page in ("README.md", "CHANGELOG.md"):
        assert said in (Path(__file__).parents[2] / page).read_text(encoding="utf-8"), said


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e30, 1e-30, 88, -88, 200, -200, 1, -1, 0.5], np.float32)
OTHERWISE = {
    "softsign": "onnxruntime's ∞ / ∞ is NaN",
    "prelu": "onnxruntime's ∞ beside a slope that is NaN is ∞",
    "probability_cross_entropy": "it takes numbers from 0 to 1",
    "cross": "it takes vectors",
}
"""Ops of one or two arrays that are left out here, and why."""


def elementwise(name):
    """Whether the op works on each element of one array, or of two that broadcast."""
    drawn = OPS[name].examples[0]
    same = all(isinstance(shape, tuple) and shape == (3,) for shape in drawn.args)
    return same and len(drawn.args) in (1, 2) and not drawn.settings


@pytest.mark.parametrize("name", [name for name in TRIED if elementwise(name)])
def test_special_values_elementwise(name, tmp_path):
    """NaN, infinities, zeros of both signs, large and small numbers."""
    two = np.meshgrid(SPECIAL, SPECIAL)
    arrays = (SPECIAL,) if len(OPS[name].examples[0].args) == 1 else (two[0].ravel(), two[1].ravel())
    if name in OTHERWISE:
        with pytest.raises(ValueError), np.errstate(all="ignore"):  # noqa: PT011 (of onnxruntime, or the op's own)
            tg.export.onnx(lambda *xs: OPS[name](*xs), arrays, tmp_path / "op.onnx", batch=None)
        return
    with np.errstate(all="ignore"):
        path = tg.export.onnx(lambda *xs: OPS[name](*xs), arrays, tmp_path / "op.onnx", batch=None, tolerance=np.inf)
        expected = OPS[name](*arrays)
    running = session(path.read_bytes())
    (got,) = running.run(None, {i.name: a for i, a in zip(running.get_inputs(), arrays, strict=True)})
    assert got.dtype == expected.dtype
    assert np.allclose(got, expected, rtol=1e-4, atol=1e-30, equal_nan=True)


def test_a_formula_that_is_wrong_by_a_little_is_not_put_in_place(tmp_path, monkeypatch):
    from tinygrad_edu.export.onnx_files.writing.written import UFUNCS

    right = UFUNCS["tanh"]
    monkeypatch.setitem(UFUNCS, "tanh", lambda x, dtype: right(x, dtype=dtype) * 1.001)
    path = tmp_path / "net.onnx"
    path.write_bytes(b"as before")
    with pytest.raises(ValueError, match=r"in onnxruntime, but .* in the model"):
        tg.export.onnx(np.tanh, np.linspace(-1, 1, 5, dtype=np.float32), path)
    assert path.read_bytes() == b"as before"
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]

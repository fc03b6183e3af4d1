"""Convolution by numba: its routes beside those without it, and everything where it is not installed."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops.network.convolution import Windows, forced, routes
from tinygrad_edu.program import replay

FAST = ("fast direct", "fast winograd", "fast depthwise")

with_numba = pytest.mark.skipif(not routes.fast(), reason="numba is not installed")


@pytest.fixture
def without_numba(monkeypatch):
    """Numba as if it were not installed."""
    monkeypatch.setattr(routes, "fast", lambda: False)


def arrays(windows, images, channels, outputs, dtype=np.float64, seed=0):
    """x, w and g of these windows."""
    rng = np.random.default_rng(seed)
    shapes = (
        (images, channels, *windows.size),
        (outputs, channels // windows.groups, *windows.kernel),
        (images, outputs, *windows.positions),
    )
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def sums(name, windows, x, w, g):
    """The three sums by a route, each written over what is no number, or None where the route does not fit."""
    found = {}
    for what, compute, args in (
        ("forward", routes.forward, (x, w, g)),
        ("by_input", routes.by_input, (g, w, x)),
        ("by_kernel", routes.by_kernel, (x, g, w)),
    ):
        fits = routes.fits(name, what, x.shape[1], len(w), x.dtype, windows)
        out = np.full_like(args[2], np.nan, order="C")
        with forced(name):
            compute(*args[:2], windows, out)
        found[what] = out if fits else None
    return found


def near(found, expected):
    """Every sum that the route could compute is the one expected; returns how many they were."""
    seen = 0
    for what, out in found.items():
        if out is not None:
            error = 1e-12 if out.dtype == np.float64 else 1e-5
            scale = np.abs(expected[what]).max(initial=1)
            np.testing.assert_allclose(out, expected[what], rtol=0, atol=error * scale * 10, err_msg=what)
            seen += 1
    return seen


@st.composite
def cases(draw):
    """Windows over channels that fill no vector, one, or some and a part of another."""
    groups = draw(st.sampled_from([1, 1, 2]))
    channels, outputs = (groups * draw(st.integers(1, 37)) for _ in range(2))
    if draw(st.booleans()):
        groups = outputs = channels  # depthwise
    pair = lambda low, high: (draw(st.integers(low, high)), draw(st.integers(low, high)))
    kernel, stride, dilation = pair(1, 4), pair(1, 2), pair(1, 3)
    if draw(st.booleans()):  # as Winograd takes
        kernel, stride = (3, 3), (1, 1)
    padding = (pair(0, 2), pair(0, 2))
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = tuple([max(r - a - b, 1) + draw(st.integers(0, 9)) for r, (a, b) in zip(reach, padding, strict=True)])
    windows = Windows(size, kernel, stride, padding, dilation, groups)
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return windows, arrays(windows, draw(st.integers(1, 3)), channels, outputs, dtype, draw(st.integers(0, 2**32 - 1)))


@pytest.fixture(scope="module")
def compiled():
    """All kernels for both types, which takes seconds where they are not on disk yet."""
    for dtype, (name, groups) in itertools.product("fd", zip(FAST, (1, 1, 4), strict=True)):
        windows = Windows((4, 4), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), groups)
        sums(name, windows, *arrays(windows, 1, 4, 4, dtype))


@with_numba
@given(case=cases())
def test_each_route_agrees_with_patches(compiled, case):
    windows, numbers = case
    expected = sums("patches", windows, *numbers)
    for name in FAST:
        near(sums(name, windows, *numbers), expected)


@with_numba
@pytest.mark.parametrize("images", [1, 63, 64, 65, 130])
def test_images_that_fill_no_block(images):
    """Winograd's tiles are computed 64 at a time: what the block before left behind counts for nothing."""
    windows = Windows((4, 3), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
    x, w, g = arrays(windows, images, 5, 9)
    x[: images // 2] *= 1e6
    assert near(sums("fast winograd", windows, x, w, g), sums("patches", windows, x, w, g)) == 3


@with_numba
def test_more_tiles_than_are_computed_at_a_time():
    windows = Windows((41, 38), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 2))
    given = arrays(windows, 2, 3, 4)
    assert near(sums("fast winograd", windows, *given), sums("patches", windows, *given)) == 3


@with_numba
def test_arrays_with_gaps():
    windows = Windows((6, 7), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
    given = arrays(windows, 3, 6, 6)
    gaps = [np.asfortranarray(a) for a in given]
    for name in ("fast direct", "fast winograd"):
        assert near(sums(name, windows, *gaps), sums("patches", windows, *given)) == 3


@with_numba
@pytest.mark.parametrize(
    ("x", "w", "options", "expected"),
    [
        ((100, 1, 28, 28), (30, 1, 5, 5), {}, ["fast direct", "patches", "fast direct"]),
        ((100, 16, 28, 28), (16, 16, 3, 3), {}, ["fast winograd"] * 3),
        ((32, 32, 32, 32), (32, 32, 3, 3), {"dilation": 2}, ["fast winograd"] * 3),
        ((32, 64, 32, 32), (64, 1, 3, 3), {"groups": 64}, ["fast depthwise"] * 3),
        ((32, 64, 32, 32), (256, 64, 1, 1), {}, ["patches"] * 3),
        ((8, 128, 28, 28), (128, 4, 3, 3), {"groups": 32}, ["patches", "turned", "patches"]),
        ((8, 3, 64, 64), (64, 3, 7, 7), {"stride": 2, "padding": 3}, ["fast direct", "patches", "fast direct"]),
    ],
)
def test_the_route_of_a_shape(x, w, options, expected):
    assert list(F.conv2d_route(x, w, **options).values()) == expected
    assert F.conv2d_route(x, w, **options, dtype=np.float16) == F.conv2d_route(x, w, **options)
    assert not any("fast" in name for name in F.conv2d_route(x, w, **options, dtype=np.longdouble).values())


def losses(step):
    """Return the losses of three steps of learning, which begin with the same weights in each call."""
    rng = np.random.default_rng(0)
    x, labels = rng.random((6, 3, 12, 12), np.float32), rng.integers(0, 4, 6)
    kinds = (nn.Conv2d(3, 17, 3, padding=1), nn.Conv2d(17, 17, 3, groups=17), nn.Conv2d(17, 4, 5, stride=2, dilation=2))
    model = nn.Sequential(kinds[0], nn.ReLU(), kinds[1], nn.ReLU(), kinds[2], nn.Flatten())
    with tg.no_grad():
        for p in model.parameters():
            p.data = rng.standard_normal(p.shape, np.float32) * 0.1

    def learn(x, labels):
        loss = F.cross_entropy(model(x)[:, :4], labels)
        model.zero_grad()
        loss.backward()
        with tg.no_grad():
            for p in model.parameters():
                p -= 0.1 * p.grad
        return loss

    learn = step(learn)
    return [learn(tg.Tensor(x), tg.Tensor(labels)).item() for _ in range(3)]


@with_numba
def test_eager_replayed_and_without_numba_agree(monkeypatch):
    eager, replayed = losses(lambda learn: learn), losses(replay)
    assert eager == replayed
    monkeypatch.setattr(routes, "fast", lambda: False)
    np.testing.assert_allclose(losses(lambda learn: learn), eager, rtol=1e-4)


# ---------------------------------------------------------------------------------------------------
# Where numba is not installed, and how it is loaded


def test_without_numba_all_goes_by_the_other_routes(without_numba):
    found = F.conv2d_route((32, 64, 16, 16), (64, 64, 3, 3), padding=1)
    assert set(found.values()) == {"winograd"}
    with pytest.raises(ImportError, match=r'pip install "tinygrad-edu\[fast\]"'), F.conv_by("fast winograd"):
        pass
    windows = Windows((5, 6), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
    x, w, _ = arrays(windows, 2, 20, 20, np.float32)
    y = F.conv2d(x, w, padding=1)
    with F.conv_by("patches"):
        np.testing.assert_allclose(F.conv2d(x, w, padding=1), y, rtol=0, atol=1e-3)


def run(code, **environment):
    """Run a program in a process of its own, and return the words that it prints."""
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, **environment}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def test_a_process_that_has_no_numba():
    code = """
import sys
sys.modules["numba"] = None
import numpy as np, tinygrad_edu as tg
from tinygrad_edu.nn import functional as F
x = tg.Tensor(np.ones((1, 20, 4, 4)), requires_grad=True)
F.conv2d(x, np.ones((20, 20, 3, 3)), padding=1).sum().backward()
print(F.conv2d_route(x.shape, (20, 20, 3, 3), padding=1)["forward"], round(x.grad.numpy()[0, 0, 1, 1]))
"""
    assert run(code) == ["winograd", "180"]


def test_a_numba_that_cannot_be_imported_warns_once_and_is_not_used(tmp_path):
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 2.2 or less')", encoding="utf-8")
    code = f"""
import sys, warnings
sys.path.insert(0, {str(tmp_path)!r})
import numpy as np
from tinygrad_edu import nn
net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 4, 1))
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    y = [net(np.ones((1, 1, 8, 8), np.float32)) for _ in range(2)][0]
print(y.shape[2], len(seen), "2.2" in str(seen[0].message), "pip" in str(seen[0].message))
"""
    assert run(code) == ["3", "1", "True", "True"]


def test_examples_are_collected_where_there_is_no_numba():
    pages = str(Path(__file__).parents[2] / "tinygrad_edu/ops/network/convolution")
    code = f"""
import sys
sys.modules["numba"] = None
import pytest
print(int(pytest.main(["-qq", "-p", "no:cacheprovider", "--doctest-modules", "--collect-only", {pages!r}])))
"""
    assert run(code)[-1] == "0"


@with_numba
def test_numba_is_imported_by_the_first_convolution_that_takes_it_and_keeps_what_it_compiled(tmp_path):
    code = """
import sys
import numpy as np, tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F
layer = nn.Conv2d(4, 4, 3, groups=4, bias=False)
print("numba" in sys.modules, F.conv2d_route((1, 4, 5, 5), (4, 1, 3, 3), groups=4)["forward"].split()[-1])
layer(tg.Tensor(np.ones((1, 4, 5, 5), np.float32)))
print("numba" in sys.modules)
from tinygrad_edu.ops.network.convolution.fast import kernels
print(sum(kernels.depthwise.stats.cache_hits.values()))
"""
    for hits in ("0", "1"):
        assert run(code, NUMBA_CACHE_DIR=str(tmp_path)) == ["False", "depthwise", "True", hits]
    assert list(tmp_path.rglob("*.nbi"))


@with_numba
def test_where_nothing_can_be_written_it_compiles_all_the_same(monkeypatch):
    from tinygrad_edu.ops.network.convolution.fast import kernels

    def nowhere(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return functools.partial(lambda options, function: (function, options), options)

    monkeypatch.setattr(kernels, "njit", nowhere)
    function, options = kernels.compiled(len)
    assert function is len
    assert options["nogil"]


NARROW = """
import numpy as np
from tests.ops.test_fast_convolution import arrays, near, sums
from tinygrad_edu.ops.network.convolution import Windows
from tinygrad_edu.ops.network.convolution.fast.vectors import BYTES
windows = Windows((9, 7), (3, 3), (1, 1), ((1, 1), (1, 0)), (1, 2))
given = arrays(windows, 3, 13, 21, np.float32)
print(BYTES, *[near(sums(name, windows, *given), sums("patches", windows, *given)) for name in ["fast {}"]])
"""


@with_numba
@pytest.mark.skipif(
    sys.platform == "darwin" or os.uname().machine != "x86_64", reason="these processors are of one kind"
)
@pytest.mark.parametrize(
    ("processor", "features", "width", "route"),
    [("haswell", "+avx2,+fma", "32", "winograd"), ("generic", "", "16", "direct")],
)
def test_narrower_vectors(processor, features, width, route, tmp_path):
    """Kernels are compiled for processors with narrower vectors, whose code this one can run as well."""
    told = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    assert run(NARROW.format(route), **told) == [width, "3"]


@with_numba
def test_kernels_on_disk_are_those_of_today_s_vectors():
    from tinygrad_edu.ops.network.convolution.fast import kernels, vectors

    digest = hashlib.sha256(Path(vectors.__file__).read_bytes()).hexdigest()[:12]
    assert digest == kernels.VECTORS, f"fast/vectors.py has changed: write VECTORS = {digest!r} into fast/kernels.py"

"""Convolutions and what goes with them, beside PyTorch's."""

from __future__ import annotations

import itertools
from typing import get_args

import numpy as np
import pytest
from beside import agree, pair
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops.network.convolution.routes import Route, fast

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers


SETTINGS = [
    {}, {"stride": 2}, {"padding": 1}, {"padding": "same", "dilation": 2}, {"groups": 2}, {"bias": False, "padding": "valid"},
    {"stride": 2, "padding": 1, "dilation": 2, "groups": 4}, {"padding": 2, "padding_mode": "circular"},
    {"padding": 2, "padding_mode": "reflect"}, {"padding": 1, "padding_mode": "replicate", "stride": 2},
]  # fmt: skip


@pytest.mark.parametrize(("dimensions", "settings"), [*itertools.product([1, 2, 3], SETTINGS)], ids=str)
def test_convolution(dimensions, settings):
    x = np.random.default_rng(0).standard_normal((2, 4, *(7, 6, 5)[:dimensions]))
    name = f"Conv{dimensions}d"
    agree(*pair(getattr(nn, name)(4, 8, 3, **settings), getattr(torch.nn, name)(4, 8, 3, **settings)), x)


@pytest.mark.parametrize(
    "settings", [{"kernel_size": (3, 2)}, {"kernel_size": 2, "stride": (2, 1), "padding": (1, 0)}], ids=str
)
def test_settings_for_each_dimension(settings):
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 7))
    agree(*pair(nn.Conv2d(3, 4, **settings), torch.nn.Conv2d(3, 4, **settings)), x)
    agree(*pair(nn.Conv2d(3, 4, **settings), torch.nn.Conv2d(3, 4, **settings)), x[0])


TRANSPOSED = [
    {}, {"stride": 2}, {"stride": 2, "padding": 1, "output_padding": 1}, {"groups": 2}, {"dilation": 2, "bias": False},
    {"stride": 3, "padding": 2, "dilation": 2, "groups": 4, "output_padding": 2},
]  # fmt: skip


@pytest.mark.parametrize(("dimensions", "settings"), [*itertools.product([1, 2, 3], TRANSPOSED)], ids=str)
def test_transposed_convolution(dimensions, settings):
    x = np.random.default_rng(0).standard_normal((2, 4, *(4, 3, 3)[:dimensions]))
    name = f"ConvTranspose{dimensions}d"
    agree(*pair(getattr(nn, name)(4, 8, 3, **settings), getattr(torch.nn, name)(4, 8, 3, **settings)), x)


@pytest.mark.parametrize("size", [(14, 9), (15, 9), (15, 10), (14, 11)])
def test_output_sizes(size):
    x, settings = np.random.default_rng(0).standard_normal((2, 4, 7, 4)), {"stride": (2, 3), "padding": (0, 1)}
    ours, theirs = pair(nn.ConvTranspose2d(4, 3, 2, **settings), torch.nn.ConvTranspose2d(4, 3, 2, **settings))
    agree(lambda x: ours(x, size), lambda x: theirs(x, size), x)
    assert ours(x, output_size=size).shape[2:] == size


@pytest.mark.parametrize("route", [name for name in get_args(Route) if fast() or not name.startswith("fast")])
@pytest.mark.parametrize("groups", [1, 4])
def test_each_route(route, groups):
    x = np.random.default_rng(0).standard_normal((3, 4, 9, 10))
    ours, theirs = pair(
        nn.Conv2d(4, 4, 3, padding=1, groups=groups), torch.nn.Conv2d(4, 4, 3, padding=1, groups=groups)
    )
    with F.conv_by(route):
        agree(ours, theirs, x)


@given(st.integers(1, 3), st.booleans(), st.data())
def test_settings_that_are_drawn(dimensions, transposed, data):
    def each(low, high):
        return tuple(data.draw(st.lists(st.integers(low, high), min_size=dimensions, max_size=dimensions)))

    settings = {
        "kernel_size": each(1, 3), "stride": each(1, 3), "padding": each(0, 1), "dilation": each(1, 2),
        "groups": data.draw(st.integers(1, 3)), "bias": data.draw(st.booleans()),
    }  # fmt: skip
    steps = zip(settings["stride"], settings["dilation"], strict=True)
    if transposed:
        settings["output_padding"] = tuple([data.draw(st.integers(0, max(pair) - 1)) for pair in steps])
    else:
        settings["padding_mode"] = data.draw(st.sampled_from(["zeros", "reflect", "circular", "replicate"]))
    groups = settings["groups"]
    x = np.random.default_rng(0).standard_normal((data.draw(st.integers(1, 2)), 2 * groups, *each(5, 6)))
    name, sizes = f"Conv{'Transpose' * transposed}{dimensions}d", (2 * groups, groups * data.draw(st.integers(1, 2)))
    agree(*pair(getattr(nn, name)(*sizes, **settings), getattr(torch.nn, name)(*sizes, **settings)), x)


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3)), st.tuples(st.integers(1, 2), st.integers(1, 3)),
    st.tuples(st.integers(0, 2), st.integers(0, 2)), st.tuples(st.integers(1, 2), st.integers(1, 2)),
)  # fmt: skip
def test_unfold_and_fold(kernel, stride, padding, dilation):
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 7))
    settings = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    agree(lambda x: F.unfold(x, **settings), lambda x: torch.nn.functional.unfold(x, **settings), x)
    columns = F.unfold(x, **settings)
    agree(lambda x: F.fold(x, (6, 7), **settings), lambda x: torch.nn.functional.fold(x, (6, 7), **settings), columns)


def test_weights_begin_as_pytorch_s_do():
    torch.manual_seed(0)
    for name, args in (("Conv2d", (64, 128, 5)), ("ConvTranspose2d", (64, 320, 5)), ("Conv1d", (300, 200, 3))):
        theirs = getattr(torch.nn, name)(*args)
        ours = getattr(nn, name)(*args, generator=np.random.default_rng(0))
        for a, b in ((ours.weight, theirs.weight), (ours.bias, theirs.bias)):
            assert a.shape == tuple(b.shape)
            np.testing.assert_allclose(np.abs(a.numpy()).max(), b.detach().abs().max().item(), rtol=0.2)
            np.testing.assert_allclose(a.numpy().std(), b.detach().std().item(), rtol=0.2)

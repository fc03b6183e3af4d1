"""Members by name, their types, and what loading reports."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.nn.nets import Net
from tinygrad_edu import nn, optim


def test_members_are_added_by_name():
    net = nn.Module()
    net.add_module("layer", nn.Linear(2, 1))
    net.register_parameter("scale", nn.Parameter(np.ones(1)))
    net.register_parameter("shift", None)
    net.register_buffer("mean", np.zeros(3))
    net.register_buffer("cache", tg.zeros(2), persistent=False)
    net.register_buffer("nothing", None)
    assert list(net.state_dict()) == ["layer.weight", "layer.bias", "scale", "mean"]
    assert [name for name, _ in net.named_buffers()] == ["mean", "cache"]
    assert (net.shift, net.nothing) == (None, None)
    net.register_buffer("mean", np.ones(3))  # again, as in PyTorch
    assert net.mean.tolist() == [1, 1, 1]
    net.load_state_dict(net.state_dict())


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy, lambda x: pickle.loads(pickle.dumps(x))])
def test_what_is_not_persistent_stays_so(duplicate):
    net = nn.Module()
    net.register_buffer("cache", np.arange(2.0), persistent=False)
    net.register_buffer("mean", np.arange(2.0))
    twin = duplicate(net)
    assert list(twin.state_dict()) == ["mean"]
    assert twin.cache.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda net: net.add_module("a.b", nn.ReLU()), KeyError, "stands between the points of a path, and is no 'a.b'"),
        (lambda net: net.add_module("", nn.ReLU()), KeyError, "is no ''"),
        (lambda net: net.add_module(1, nn.ReLU()), TypeError, "the name of a module is text, but got int 1"),
        (lambda net: net.add_module("forward", nn.ReLU()), KeyError, "Net has 'forward' already; call the module otherwise"),
        (lambda net: net.add_module("x", np.tanh), TypeError, "add_module.. takes a module, but got ufunc"),
        (lambda net: net.register_buffer("training", np.ones(1)), KeyError, "has 'training' already"),
        (lambda net: net.register_parameter("w", np.ones(1)), TypeError, r"takes a Parameter, but got ndarray; write nn\.Parameter"),
    ],
)  # fmt: skip
def test_names_and_members_that_cannot_be(call, kind, words):
    with pytest.raises(kind, match=words):
        call(Net())


# -- types -----------------------------------------------------------------------------------------------


def test_a_module_in_another_type():
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    x = np.ones((4, 3), np.float32) * np.arange(4)[:, None]
    weight, before = net[0].weight, net.state_dict()
    net(x.astype(np.float32)).sum().backward()
    assert net.double() is net
    assert net[0].weight is weight
    assert {p.dtype.name for p in net.parameters()} == {p.grad.dtype.name for p in net.parameters()} == {"float64"}
    assert net[1].running_mean.dtype == np.float64
    assert net[1].num_batches_tracked.dtype == np.int64
    assert net(x).dtype == np.float64  # without a warning, which would raise
    assert np.array_equal(weight.numpy(), before["0.weight"])
    assert net.half()[0].weight.dtype == np.float16
    assert net.to("float32")[0].weight.dtype == net.float()[0].bias.dtype == np.float32
    optimizer = optim.Adam(net.parameters())
    net(x.astype(np.float32)).sum().backward()
    optimizer.step()
    assert net.to(np.float64)[0].weight is weight


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        ("cuda:0", r"in the memory of this computer: leave \.to\('cuda:0'\) out"),
        ("cpu", r"leave \.to\('cpu'\) out"),
        (int, r"takes a floating type such as np\.float32 or 'float64', but got <class 'int'>"),
        ("floaty", "but got 'floaty'"),
        (None, "but got None"),
    ],
)
def test_types_that_a_module_is_not_in(dtype, words):
    with pytest.raises(TypeError, match=words):
        Net().to(dtype)


# -- loading -----------------------------------------------------------------------------------------------


def test_what_is_missing_or_not_expected_is_reported():
    net = Net()
    state = {name: array + 1 for name, array in net.state_dict().items()}
    assert net.load_state_dict(state) == ([], [])
    del state["output.bias"]
    state["extra"] = np.ones(1)
    state["hidden.bias"] = np.full(3, 5)
    before = net.state_dict()
    with pytest.raises(ValueError, match="which is unchanged"):
        net.load_state_dict(state)
    report = net.load_state_dict(state, strict=False)
    assert report.missing_keys == ["output.bias"]
    assert report.unexpected_keys == ["extra"]
    assert np.array_equal(net.output.bias.numpy(), before["output.bias"])
    assert net.hidden.bias.tolist() == [5, 5, 5]


def test_another_shape_is_refused_in_any_case():
    net = Net()
    before = net.state_dict()
    wrong = {"hidden.weight": before["hidden.weight"] + 1, "hidden.bias": np.ones(9)}
    with pytest.raises(ValueError, match=r"hidden\.bias: expected shape \(3,\), but got \(9,\)"):
        net.load_state_dict(wrong, strict=False)
    assert np.array_equal(net.hidden.weight.numpy(), before["hidden.weight"])
    lazy = nn.LazyLinear(2)
    with pytest.raises(
        ValueError, match=r"weight: expected shape \(0, 2\), but got \(3, 2\); call the model once before"
    ):
        lazy.load_state_dict(nn.Linear(3, 2).state_dict())

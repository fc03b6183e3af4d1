"""Lists and dicts that are modules, and Sequential as a list."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn


class Deep(nn.Module):
    def __init__(self):
        self.layers = nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])
        self.heads = nn.ModuleDict({"a": nn.Linear(3, 1), "b": nn.Linear(3, 2)})
        self.scales = nn.ParameterList([np.ones(3, np.float32), tg.ones(3)])
        self.gains = nn.ParameterDict({"gain": np.ones(1, np.float32)})

    def forward(self, x):
        for layer, scale in zip(self.layers, self.scales, strict=True):
            x = np.tanh(layer(x)) * scale
        return {name: head(x) * self.gains["gain"] for name, head in self.heads.items()}


NAMES = [
    "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias", "heads.a.weight", "heads.a.bias",
    "heads.b.weight", "heads.b.bias", "scales.0", "scales.1", "gains.gain",
]  # fmt: skip


def test_members_are_found_and_learnt():
    net = Deep()
    assert list(net.state_dict()) == [name for name, _ in net.named_parameters()] == NAMES
    assert [type(m).__name__ for m in net.children()] == ["ModuleList", "ModuleDict", "ParameterList", "ParameterDict"]
    out = net(np.ones((2, 3), np.float32))
    (out["a"].sum() + out["b"].sum()).backward()
    assert all(p.grad is not None for p in net.parameters())
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        twin.load_state_dict(net.state_dict())
        assert np.array_equal(twin(np.ones((2, 3), np.float32))["a"].numpy(), out["a"].numpy())
        assert twin.layers[0] is not net.layers[0]
    net.eval()
    assert not net.layers[1].training


def test_a_module_list_is_a_list():
    a, b, c = (nn.Linear(1, n) for n in (1, 2, 3))
    layers = nn.ModuleList([a])
    layers.append(b)
    layers.insert(0, c)
    layers += [nn.ReLU()]
    assert list(layers)[:3] == [c, a, b]
    assert (layers[1], layers[-2], len(layers), layers.index(b), a in layers) == (a, b, 4, 2, True)
    assert isinstance(layers[1:], nn.ModuleList)
    assert list(layers[:2] + (b,)) == [c, a, b]  # noqa: RUF005
    with pytest.raises(IndexError, match="this ModuleList has 4 members, but got the index 4"):
        layers[4]
    with pytest.raises(IndexError, match="this Sequential has 2 layers, but got the index -3"):
        nn.Sequential(a, b)[-3]
    assert layers.pop(0) is c
    layers[0] = c
    del layers[2]
    assert list(layers) == [c, b]
    assert [name for name, _ in layers.named_parameters()] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert layers == layers
    assert layers != nn.ModuleList(layers)  # as modules, by identity
    assert {layers: 1}[layers] == 1
    layers[:] = [a]
    assert list(layers) == [a]


def test_a_module_dict_is_a_dict():
    a, b = nn.Linear(1, 1), nn.Linear(1, 2)
    heads = nn.ModuleDict([("a", a)])
    heads.update({"b": b})
    assert {heads: 1}[heads] == 1
    assert heads != nn.ModuleDict(heads)  # as modules, by identity
    assert (list(heads), heads["b"], len(heads), heads.get("c")) == (["a", "b"], b, 2, None)
    assert heads.pop("a") is a
    del heads["b"]
    assert not heads
    with pytest.raises(KeyError, match="this ModuleDict has nothing, but no 'x'"):
        heads["x"]


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: nn.ModuleList([np.tanh]), TypeError, "ModuleList holds modules, but got ufunc"),
        (lambda: nn.ModuleList([nn.ReLU]), TypeError, r"got the class ReLU: write ReLU\(\.\.\.\)"),
        (lambda: nn.ModuleList().append(3), TypeError, "holds modules, but got int"),
        (lambda: nn.ModuleDict({"a": 1}), TypeError, "ModuleDict holds modules, but got int"),
        (lambda: nn.ModuleDict({1: nn.ReLU()}), TypeError, "names that are text, but got int 1"),
        (lambda: nn.ModuleDict({"a.b": nn.ReLU()}), KeyError, "stands between the points of a path, and is no 'a.b'"),
        (lambda: nn.ParameterList([1.0]), TypeError, r"holds parameters, but got float 1\.0; write nn\.Parameter"),
        (lambda: nn.ParameterDict({"": np.ones(1)}), KeyError, "is no ''"),
        (lambda: nn.ModuleList()(1), NotImplementedError, "ModuleList holds its members, and computes nothing: call them"),
    ],
)  # fmt: skip
def test_what_does_not_belong_in_them(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_a_list_that_changes_is_recorded_anew():
    net, x, runs = Deep(), np.ones((2, 3), np.float32), []

    @tg.replay
    def step(x):
        runs.append(1)
        return net(x)["a"]

    step(x)
    step(x)
    net.layers[1] = nn.Linear(3, 3)
    assert np.array_equal(step(x).numpy(), net(x)["a"].numpy())
    assert len(runs) == 2


def test_a_sequential_is_changed_as_a_list():
    a, b, c = (nn.Linear(2, 2) for _ in range(3))
    model = nn.Sequential(a, c)
    assert model.insert(1, b) is model
    assert list(model) == [a, b, c]
    assert list(model.state_dict())[2] == "1.weight"
    assert model.extend([nn.ReLU(), np.tanh]) is model
    assert model.pop() is np.tanh
    del model[-1]
    assert list(model + nn.Sequential(a)) == [a, b, c, a]
    named = nn.Sequential({"in": a, "out": c})
    named.add_module("middle", b)
    named.insert(0, nn.ReLU())
    assert [name for name, _ in named.named_children()] == ["0", "in", "out", "middle"]
    named.add_module("out", b)
    assert named[2] is b
    x = np.ones((1, 2), np.float32)
    empty = nn.Sequential()
    empty.add_module("fc", a)
    assert np.array_equal(empty(x).numpy(), a(x).numpy())
    with pytest.raises(TypeError, match="modules and functions"):
        model.insert(0, 3)
    with pytest.raises(KeyError, match=r"is no 'a\.b'"):
        model.add_module("a.b", nn.ReLU())

"""Clipping, parameters as one vector, normalized weights."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    parameters_to_vector,
    remove_spectral_norm,
    remove_weight_norm,
    spectral_norm,
    vector_to_parameters,
    weight_norm,
)

X = np.random.default_rng(0).standard_normal((8, 6)).astype(np.float32)
LABELS = np.arange(8) % 4


def model(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Linear(6, 5, generator=rng), nn.Tanh(), nn.Linear(5, 4, generator=rng))


def norm(net):
    return np.linalg.norm(np.concatenate([p.grad.numpy().ravel() for p in net.parameters()]))


def test_clipping_scales_all_gradients_together_in_place():
    net = model()
    (F.cross_entropy(net(X), LABELS) * 100).backward()
    net[2].bias.zero_grad()
    parameters = [p for p in net.parameters() if p.grad is not None]
    before, grads = [p.grad.numpy().copy() for p in parameters], [p.grad for p in parameters]
    arrays = [g.data for g in grads]
    total = clip_grad_norm_(net.parameters(), 2.0)
    np.testing.assert_allclose(total.item(), np.sqrt(sum((g**2).sum() for g in before)), rtol=1e-6)
    assert [p.grad is g for p, g in zip(parameters, grads, strict=True)] == [True] * 3
    assert all(g.data is array for g, array in zip(grads, arrays, strict=True))
    for g, b in zip(grads, before, strict=True):
        np.testing.assert_allclose(g.numpy(), b * 2 / (total.item() + 1e-6), rtol=1e-5)
        assert g.dtype == np.float32
    again = [g.numpy().copy() for g in grads]
    clip_grad_norm_(net.parameters(), 1e3)  # short enough
    assert all(np.array_equal(g.numpy(), a) for g, a in zip(grads, again, strict=True))
    assert clip_grad_norm_([tg.Tensor([1.0], requires_grad=True)], 1.0).item() == 0
    assert clip_grad_norm_(net[0].weight, 0.0).item() > 0
    assert not net[0].weight.grad.numpy().any()


def test_each_tensor_counts_once():
    w = tg.Tensor([3.0, 4.0], requires_grad=True)
    w.grad = np.array([3.0, 4.0])
    assert clip_grad_norm_([w, w], 10.0).item() == 5


@pytest.mark.parametrize("wrong", [np.inf, np.nan])
def test_a_norm_that_is_not_finite_can_raise(wrong):
    w, v = (tg.Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    w.grad, v.grad = np.array([1.0, wrong]), np.array([1.0, 1.0])
    with pytest.raises(RuntimeError, match=r"the norm of all gradients is (inf|nan), so they cannot be scaled"):
        clip_grad_norm_([w, v], 1.0, error_if_nonfinite=True)
    assert v.grad.tolist() == [1, 1]
    assert not np.isfinite(clip_grad_norm_([w, v], 1.0).item())


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda w: clip_grad_norm_([w], -1.0), ValueError, r"takes a limit of 0 or more, but got max_norm=-1\.0"),
        (lambda w: clip_grad_norm_([w], np.nan), ValueError, "a limit of 0 or more"),
        (lambda w: clip_grad_norm_([w], 1.0, -2.0), ValueError, r"a norm of a positive order, but got norm_type=-2\.0"),
        (lambda w: clip_grad_value_([w], -1.0), ValueError, r"a limit of 0 or more, but got clip_value=-1\.0"),
        (lambda w: clip_grad_norm_(model(), 1.0), TypeError, r"got a Sequential: write model\.parameters\(\)"),
        (lambda w: clip_grad_value_([np.ones(1)], 1.0), TypeError, "takes tensors, but got ndarray"),
        (lambda w: vector_to_parameters(np.ones(3), [w]), ValueError, r"a vector of 2 numbers, but got the shape \(3,\)"),
        (lambda w: vector_to_parameters(np.ones((2, 1)), [w]), ValueError, r"but got the shape \(2, 1\)"),
        (lambda w: parameters_to_vector([]), ValueError, "got no parameters"),
        (lambda w: weight_norm(model(), "weight"), ValueError, "takes a parameter of Sequential, which has none, but got 'weight'"),
        (lambda w: weight_norm(nn.Linear(2, 2), "wieght"), ValueError, "has weight, bias, but got 'wieght'"),
        (lambda w: weight_norm(weight_norm(nn.Linear(2, 2))), ValueError, "is computed already: write weight_g and weight_v"),
        (lambda w: spectral_norm(nn.Linear(2, 2), n_power_iterations=0), ValueError, "takes 1 or more iterations"),
        (lambda w: remove_weight_norm(nn.Linear(2, 2)), ValueError, r"Linear\.weight is not computed by a WeightNorm"),
        (lambda w: remove_spectral_norm(weight_norm(nn.Linear(2, 2))), ValueError, "not computed by a SpectralNorm"),
    ],
)  # fmt: skip
def test_what_they_refuse(call, kind, words):
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    w.grad = np.array([1.0, 2.0])
    with pytest.raises(kind, match=words):
        call(w)
    assert w.grad.tolist() == w.tolist() == [1, 2]


@pytest.mark.parametrize(
    "clip",
    [
        lambda p: clip_grad_norm_(p, 0.1),
        lambda p: clip_grad_norm_(p, 0.05, np.inf),
        lambda p: clip_grad_value_(p, 0.01),
        lambda p: vector_to_parameters(parameters_to_vector(p) * 0.99, p),
    ],
)
def test_they_are_part_of_a_replayed_step(clip):
    made = []
    for _ in range(2):
        net = model()
        made.append((net, optim.Adam(net.parameters(), lr=0.02)))

    def step(net, optimizer, x, y):
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        total = clip(list(net.parameters()))
        optimizer.step()
        return (loss, total) if total is not None else (loss,)

    run, runs = tg.replay(lambda x, y: [runs.append(1), step(*made[0], x, y)][1]), []
    for k in range(30):
        x, y = X + k % 5, (LABELS + k) % 4
        results = run(x, y), step(*made[1], tg.Tensor(x), tg.Tensor(y))
        assert [r.item() for r in results[0]] == [r.item() for r in results[1]]
        for p, q in zip(made[0][0].parameters(), made[1][0].parameters(), strict=True):
            assert np.array_equal(p.numpy(), q.numpy())
            assert np.array_equal(p.grad.numpy(), q.grad.numpy())
    assert len(runs) == 1


def test_a_replayed_step_does_not_look_at_the_norm():
    w = tg.Tensor([1.0, 2.0], requires_grad=True)

    @tg.replay
    def step(x):
        w.zero_grad()
        (x * w).sum().backward()
        return clip_grad_norm_([w], 1.0, error_if_nonfinite=True)

    with pytest.raises(RuntimeError, match="inside a function that is being recorded for replay"):
        step(np.ones(2))


def test_parameters_as_a_vector_and_back():
    net, twin = model(), model(1)
    vector = parameters_to_vector(net.parameters())
    assert vector.shape == (6 * 5 + 5 + 5 * 4 + 4,)
    vector_to_parameters(vector, twin.parameters())
    assert all(np.array_equal(p.numpy(), q.numpy()) for p, q in zip(net.parameters(), twin.parameters(), strict=True))
    (vector**2).sum().backward()  # it is recorded
    assert np.array_equal(net[0].weight.grad.numpy(), 2 * net[0].weight.numpy())
    loss = F.cross_entropy(net(X), LABELS)
    vector_to_parameters(vector.numpy() * 2, net.parameters())
    with pytest.raises(RuntimeError, match="was written after"):
        loss.backward()


# -- weights that are computed ------------------------------------------------------------------------------

NORMS = [(weight_norm, remove_weight_norm), (spectral_norm, remove_spectral_norm)]


@pytest.mark.parametrize(("norm", "remove"), NORMS)
def test_the_layer_computes_and_learns_with_the_weight_that_it_reads(norm, remove):
    tg.manual_seed(0)
    net = model()
    y = net(X).numpy()
    layer = norm(net[0])
    assert layer is net[0]
    if norm is weight_norm:
        np.testing.assert_allclose(net(X).numpy(), y, rtol=1e-5, atol=1e-6)  # it begins as it was
    assert "weight" not in dict(layer.named_parameters())
    optimizer = optim.SGD(net.parameters(), 0.5)
    first = last = None
    for _ in range(30):
        loss = F.cross_entropy(net(X), LABELS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first, last = first or loss.item(), loss.item()
    assert last < first
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        twin.eval()
        np.testing.assert_array_equal(twin(X).numpy(), net.eval()(X).numpy())
        assert twin.load_state_dict(net.state_dict()) == ([], [])
    with pytest.raises(TypeError, match=r"Linear\.weight is computed: write weight_"):
        layer.weight = nn.Parameter(np.zeros((6, 5)))
    y = net(X).numpy()
    assert remove(layer) is layer
    assert isinstance(layer.weight, nn.Parameter)
    assert sorted(name for name, _ in layer.named_parameters()) == ["bias", "weight"]
    np.testing.assert_allclose(net(X).numpy(), y, rtol=1e-5, atol=1e-6)
    assert "_computed" not in vars(layer)


def test_each_output_has_a_length_of_its_own():
    layer = weight_norm(nn.Linear(6, 5, dtype=float))
    assert layer.weight_g.shape == (1, 5)
    layer.weight_g.data[...] = np.arange(1.0, 6)
    np.testing.assert_allclose(np.linalg.norm(layer.weight.numpy(), axis=0), np.arange(1.0, 6))
    assert weight_norm(nn.Linear(6, 5), axis=()).weight_g.shape == (1, 1)
    assert weight_norm(nn.Linear(6, 5), axis=0).weight_g.shape == (6, 1)
    assert weight_norm(nn.Bilinear(6, 5, 4)).weight_g.shape == (4, 1, 1)
    both = weight_norm(weight_norm(nn.Linear(6, 5)), "bias", axis=0)
    assert both(X).shape == (8, 5)
    assert remove_weight_norm(both, "bias").weight.shape == (6, 5)


def test_the_largest_stretch_is_1():
    tg.manual_seed(1)
    layer = spectral_norm(nn.Linear(6, 5, dtype=float), n_power_iterations=60)
    assert np.linalg.norm(layer.weight.numpy(), 2) == pytest.approx(1, rel=1e-6)
    assert [name for name, _ in layer.named_buffers()] == ["weight_u", "weight_v"]
    layer.eval()
    before = layer.state_dict()
    layer(X.astype(float))
    assert all(np.array_equal(array, before[name]) for name, array in layer.state_dict().items())
    layer.train()(X.astype(float))
    w = layer.weight_orig
    with pytest.warns(UserWarning, match="float64 data meets float32 weights"):
        spectral_norm(nn.Linear(6, 5))(X.astype(float))
    y = (layer(X.astype(float)) ** 2).sum()
    layer(X.astype(float))  # moves u and v, and leaves that graph whole
    y.backward()
    assert w.grad is not None


@pytest.mark.parametrize(("norm", "remove"), NORMS)
def test_they_are_replayed(norm, remove):
    made = []
    for _ in range(2):
        tg.manual_seed(3)
        net = model()
        norm(net[0])
        made.append((net, optim.SGD(net.parameters(), 0.1)))

    def step(net, optimizer, x):
        loss = F.cross_entropy(net(x), LABELS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run = tg.replay(lambda x: step(*made[0], x))
    for k in range(20):
        assert run(X + k % 3).item() == step(*made[1], tg.Tensor(X + k % 3)).item()
    for a, b in zip(made[0][0].state_dict().values(), made[1][0].state_dict().values(), strict=True):
        assert np.array_equal(a, b)

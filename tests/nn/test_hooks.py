"""Hooks on modules: what they see and replace, forward and backward."""

from __future__ import annotations

import copy
import gc
import weakref

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.nn.nets import Net
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F

X = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)


def test_forward_hooks_see_and_replace():
    layer, met = nn.Linear(4, 3), []
    plain = layer(X)
    before = layer.register_forward_pre_hook(lambda module, args: met.append((module, args)))
    after = layer.register_forward_hook(lambda module, args, y: met.append((args, y)))
    y = layer(X)
    assert met[0] == (layer, (X,))
    assert met[1][1] is y
    before.remove()
    after.remove()
    before.remove()  # nothing more
    assert vars(layer).keys() == {"in_features", "out_features", "weight", "bias", "_named"}
    with (
        layer.register_forward_pre_hook(lambda module, args: 2 * args[0]),
        layer.register_forward_hook(lambda module, args, y: y - module.bias),
        layer.register_forward_hook(lambda module, args, y: y * 10),
    ):
        np.testing.assert_allclose(layer(X).numpy(), 20 * (plain - layer.bias).numpy(), rtol=1e-5)
    assert np.array_equal(layer(X).numpy(), plain.numpy())
    assert len(met) == 2


def test_a_backward_hook_sees_both_sides():
    net, met = Net(), []
    net.output.register_full_backward_hook(lambda *seen: met.append(seen))
    net.hidden.register_full_backward_hook(lambda *seen: met.append(seen))
    y = net(X)
    y.backward(np.ones(y.shape, np.float32))
    (module, (g_in,), (g_out,)), (first, ins, (h_out,)) = met
    assert (module, first, ins) == (net.output, net.hidden, (None,))  # the data requires no gradient
    assert np.array_equal(g_out.numpy(), np.ones((5, 2)))
    np.testing.assert_allclose(g_in.numpy(), np.ones((5, 2)) @ net.output.weight.numpy().T, rtol=1e-6)
    h = net.hidden(X).numpy()
    np.testing.assert_allclose(h_out.numpy(), g_in.numpy() * (h > 0), rtol=1e-6)
    assert net.hidden.weight.grad is not None


def test_a_backward_hook_replaces_what_goes_back():
    x = tg.Tensor(X, requires_grad=True)
    layer = nn.Linear(4, 3)
    expected = tg.grad(layer(x).sum(), x).numpy()
    with layer.register_full_backward_hook(lambda module, g_in, g_out: (g_in[0] * 3,)):
        assert np.array_equal(tg.grad(layer(x).sum(), x).numpy(), 3 * expected)
        with layer.register_full_backward_hook(lambda module, g_in, g_out: g_in[0] + 1):  # a single one, bare
            np.testing.assert_allclose(tg.grad(layer(x).sum(), x).numpy(), 3 * expected + 1, rtol=1e-6)
    assert np.array_equal(tg.grad(layer(x).sum(), x).numpy(), expected)


class Several(nn.Module):
    def forward(self, x, factor, y, *, z=0.0):
        return x * y * factor, np.sum(x) + z, y


def test_a_backward_hook_of_several_inputs_and_outputs():
    module, met = Several(), []
    x, y = (tg.Tensor([a, 2.0], requires_grad=True) for a in (1.0, 3.0))

    def hook(module, grad_input, grad_output):
        met.append((grad_input, grad_output))
        return grad_input[0] * 0, None, grad_input[2] * 2

    module.register_full_backward_hook(hook)
    product, total, _ = module(x, 10.0, y)
    (product.sum() + 5 * total).backward()
    grad_input, grad_output = met[0]
    assert grad_input[1] is None
    assert [g.tolist() for g in grad_input[::2]] == [[35, 25], [10, 20]]
    assert [None if g is None else g.tolist() for g in grad_output] == [[1, 1], 5, None]
    assert x.grad.tolist() == [0, 0]
    assert y.grad.tolist() == [20, 40]


def test_a_hook_is_called_once_though_the_walk_goes_twice():
    """A selection that drops an infinite slope makes the walk go again, and follow what is present."""
    met, layer = [], nn.Identity()
    layer.register_full_backward_hook(lambda *seen: met.append(seen))
    x = tg.Tensor([0.0, 4.0], requires_grad=True)
    y = np.where(x > 1, np.sqrt(layer(x)), 0)
    y.sum().backward()
    assert x.grad.tolist() == [0, 0.25]
    assert len(met) == 1


def test_second_derivatives_go_through_hooks():
    layer = nn.Identity()
    layer.register_full_backward_hook(lambda module, g_in, g_out: (g_in[0] * 2,))
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    (g,) = tg.grad((layer(x) ** 3).sum(), [x], create_graph=True)
    assert g.tolist() == [6, 24]
    assert tg.grad(g.sum(), x).tolist() == [24, 48]  # 6x, through the hook on each way back


def test_what_a_backward_hook_cannot_do():
    layer = nn.Linear(4, 3)
    with layer.register_full_backward_hook(lambda *seen: (None, None)):
        loss = layer(tg.Tensor(X, requires_grad=True)).sum()
        with pytest.raises(RuntimeError, match="a backward hook of Linear returned 2 gradients, but 1 of its 1 inputs"):
            loss.backward()
    with layer.register_full_backward_hook(lambda *seen: (None,)):
        loss = layer(X).sum()
        with pytest.raises(RuntimeError, match="0 of its 1 inputs require one; return None"):
            loss.backward()
    with layer.register_full_backward_hook(lambda *seen: (np.ones(2),)):
        loss = layer(tg.Tensor(X, requires_grad=True)).sum()
        with pytest.raises(
            ValueError, match=r"a hook on .* returned shape \(2,\), but its gradient has shape \(5, 4\)"
        ):
            loss.backward()
    with pytest.raises(TypeError, match="a hook is a function, but got int 3"):
        layer.register_forward_hook(3)

    class Words(nn.Module):
        def forward(self, x):
            return {"y": x}

    module = Words()
    module.register_full_backward_hook(lambda *seen: None)
    with pytest.raises(TypeError, match="gives a tensor, or a tuple of them, but got dict"):
        module(tg.Tensor(X, requires_grad=True))


def test_without_gradients_a_backward_hook_waits():
    met, layer = [], nn.Linear(4, 3)
    layer.register_full_backward_hook(lambda *seen: met.append(seen))
    with tg.no_grad():
        assert not layer(tg.Tensor(X, requires_grad=True)).requires_grad
    assert not met


def test_a_hooked_layer_is_copied_and_freed():
    gc.disable()
    try:
        layer, met = nn.Linear(4, 3), []
        layer.register_full_backward_hook(lambda *seen: met.append(1))
        twin = copy.deepcopy(layer)
        x = tg.Tensor(X, requires_grad=True)
        twin(x).sum().backward()
        assert met == [1]
        y = layer(x)
        y.sum().backward()
        layer.y = y
        gone = weakref.ref(y)
        del layer, y
        assert gone() is None
    finally:
        gc.enable()


def test_hooks_and_replay():
    net, seen = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)), []
    net[2].register_forward_hook(lambda module, args, y: seen.append(y.shape))
    net[2].register_full_backward_hook(lambda module, g_in, g_out: (g_in[0] * 2,))
    twin = copy.deepcopy(net)

    def step(net, x):
        loss = F.cross_entropy(net(x), np.array([0, 1, 1, 0, 1]))
        net.zero_grad()
        loss.backward()
        return loss

    run = tg.replay(lambda x: step(net, x))
    for k in range(4):
        assert run(X * k).item() == step(twin, tg.Tensor(X * k)).item()
        for p, q in zip(net.parameters(), twin.parameters(), strict=True):
            assert np.array_equal(p.grad.numpy(), q.grad.numpy())
        if k == 2:
            for model in (net, twin):
                model[2].register_forward_hook(lambda module, args, y: y * 2)  # is seen, and recorded anew
    assert len(seen) == 4 + 2  # in each eager step, and where it was recorded

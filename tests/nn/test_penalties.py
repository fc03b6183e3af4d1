"""Penalties on weights, and on what layers give."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F

X = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
LABELS = np.array([0, 1, 0, 1, 1, 0])


def test_penalties_are_sums_over_all_numbers():
    w, b = tg.Tensor([[1.0, -2.0], [0.0, 4.0]], requires_grad=True), tg.Tensor([-3.0], requires_grad=True)
    assert F.l1_penalty([w, b]).item() == 10
    assert F.l2_penalty(p for p in (w, b)).item() == (1 + 4 + 16 + 9) / 2
    assert F.l2_penalty(w).item() == 10.5
    F.l2_penalty([w, b]).backward()
    assert w.grad.tolist() == w.tolist()
    assert tg.grad(F.l1_penalty(w), w).tolist() == [[1, -1], [0, 1]]
    assert F.l1_penalty([np.ones(2, np.float32)]).dtype == np.float32


def test_an_l2_penalty_is_weight_decay():
    x, y = X, LABELS
    models = [nn.Linear(3, 3, generator=np.random.default_rng(0), dtype=float) for _ in range(2)]
    for model, decay, strength in zip(models, (0.1, 0.0), (0.0, 0.1), strict=True):
        optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=decay)
        for _ in range(5):
            optimizer.zero_grad()
            (F.cross_entropy(model(x), y) + strength * F.l2_penalty(model.parameters())).backward()
            optimizer.step()
    np.testing.assert_allclose(models[0].weight.numpy(), models[1].weight.numpy(), rtol=1e-12)


# -- what layers give ------------------------------------------------------------------------------------


def net(strength=0.1, penalty=F.l1_penalty):
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Linear(3, 5, generator=rng), nn.Tanh(), nn.ActivityPenalty(strength, penalty), nn.Linear(5, 2, generator=rng)
    )


def test_the_penalty_of_a_batch_is_that_of_its_mean_example():
    model = net()
    model(X)
    hidden = np.tanh(model[0](X).numpy())
    penalty = nn.activity_penalty(model)
    np.testing.assert_allclose(penalty.item(), 0.1 * np.abs(hidden).sum() / 6, rtol=1e-5)
    penalty.backward()
    assert model[0].weight.grad is not None
    assert model[3].weight.grad is None
    squares = nn.ActivityPenalty(2.0, F.l2_penalty)
    assert squares(np.full((4, 3), 2.0)).tolist() == np.full((4, 3), 2.0).tolist()
    assert nn.activity_penalty(squares) == 2 * 0.5 * 12 * 4 / 4
    assert repr(squares) == "ActivityPenalty(2.0, l2_penalty)"


def test_it_is_asked_once_for_each_call():
    model = net()
    with pytest.raises(RuntimeError, match=r"has noted nothing .* call the model in training mode"):
        nn.activity_penalty(model)
    model(X)
    nn.activity_penalty(model)
    with pytest.raises(RuntimeError, match="has noted nothing"):
        nn.activity_penalty(model)
    model.eval()(X)
    with pytest.raises(RuntimeError, match="has noted nothing"):
        nn.activity_penalty(model)
    with pytest.raises(ValueError, match="Linear has no ActivityPenalty layer"):
        nn.activity_penalty(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="strength is 0 or more, but got -1"):
        nn.ActivityPenalty(-1)


def test_the_record_is_let_go_of():
    gc.disable()
    try:
        model = net()
        y = model(X)
        gone = weakref.ref(y)
        nn.activity_penalty(model)
        del y
        assert gone() is None
    finally:
        gc.enable()


def test_activations_become_fewer_and_a_replayed_step_is_the_same():
    sizes = []
    for strength in (0.0, 1.0):
        made = [(model, optim.Adam(model.parameters(), lr=0.02)) for model in (net(strength), net(strength))]

        def step(model, optimizer, x, y):
            loss = F.cross_entropy(model(x), y) + nn.activity_penalty(model)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        run = tg.replay(lambda x, y, made=made, step=step: step(*made[0], x, y))
        for _ in range(100):
            assert run(X, LABELS).item() == step(*made[1], tg.Tensor(X), tg.Tensor(LABELS)).item()
        sizes.append(np.abs(np.tanh(made[0][0][0](X).numpy())).mean())
    assert sizes[1] < sizes[0] / 3

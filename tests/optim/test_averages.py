"""Means of the weights: stochastic weight averaging and exponential moving averages."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.optim import blocks
from tinygrad_edu.optim.swa_utils import SWALR, AveragedModel, get_ema_avg_fn, get_swa_avg_fn, update_bn


def network(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Linear(3, 4, generator=rng), nn.BatchNorm1d(4), nn.Linear(4, 2, generator=rng))


def training(model, averaged):
    """A step of training, after which the weights are taken into the mean."""
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x):
        optimizer.zero_grad()
        np.square(model(x)).mean().backward()
        optimizer.step()
        averaged.update_parameters(model)

    return step


def batches(n):
    rng = np.random.default_rng(1)
    return [rng.standard_normal((5, 3)).astype(np.float32) for _ in range(n)]


@pytest.mark.parametrize("use_buffers", [False, True])
def test_the_mean_of_all_weights(use_buffers):
    model = network()
    averaged = AveragedModel(model, use_buffers=use_buffers)
    step, seen = training(model, averaged), []
    for x in batches(6):
        step(x)
        seen.append(model.state_dict())
    found = averaged.module.state_dict()
    for name, array in found.items():
        every = [state[name] for state in seen]
        mean = use_buffers or "running" not in name
        expected = every[-1] if not mean or array.dtype.kind == "i" else np.mean(every, axis=0)
        np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-6)
    assert averaged.n_averaged.item() == 6
    assert list(averaged.state_dict()) == [*[f"module.{name}" for name in found], "n_averaged"]
    assert not np.array_equal(model(batches(1)[0]).numpy(), averaged.eval()(batches(1)[0]).numpy())


def test_an_exponential_mean_begins_with_the_first_weights():
    w = nn.Linear(1, 1, bias=False)
    averaged = AveragedModel(w, avg_fn=get_ema_avg_fn(0.9))
    mean = None
    for value in (2.0, 3.0, 5.0):
        with tg.no_grad():
            w.weight[...] = value
        averaged.update_parameters(w)
        mean = value if mean is None else 0.9 * mean + 0.1 * value
    np.testing.assert_allclose(averaged.module.weight.item(), mean, rtol=1e-6)


def test_means_are_made_in_blocks_in_place(monkeypatch):
    model = nn.Linear(7, 5)
    averaged, whole = AveragedModel(model), AveragedModel(model)
    array = averaged.module.weight.data
    for part in (1 << 17, 24):
        monkeypatch.setattr(blocks, "BYTES_OF_A_PART", part)
        for seed in range(3):
            with tg.no_grad():
                model.weight[...] = np.random.default_rng(seed).random((7, 5))
            (averaged if part == 24 else whole).update_parameters(model)
    assert averaged.module.weight.data is array
    assert np.array_equal(array, whole.module.weight.numpy())


def test_a_graph_of_the_mean_model_notices_an_update():
    model = nn.Linear(3, 2)
    averaged = AveragedModel(model)
    loss = np.square(averaged(batches(1)[0])).sum()
    averaged.update_parameters(model)
    with pytest.raises(RuntimeError, match="was written after"):
        loss.backward()


@pytest.mark.parametrize("average", [get_swa_avg_fn(), get_ema_avg_fn(0.8)])
@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_a_replayed_mean_is_the_eager_one_bit_for_bit(average, use_buffers, first):
    def run(wrap):
        model = network()
        averaged = AveragedModel(model, avg_fn=average, use_buffers=use_buffers)
        learn = training(model, averaged)

        def step(x):
            if first:  # the weights before the step are in the mean too
                averaged.update_parameters(model)
            learn(x)

        step = wrap(step)
        for x in batches(8):
            step(x)
        return {**model.state_dict(), **averaged.state_dict()}

    eager, replayed = run(lambda f: f), run(tg.replay)
    assert eager.keys() == replayed.keys()
    assert all(np.array_equal(eager[name], replayed[name]) for name in eager)


def test_copies_of_an_averaged_model_average_on():
    model = network()
    averaged = AveragedModel(model)
    step = training(model, averaged)
    for x in batches(2):
        step(x)
    other, sent = copy.deepcopy(averaged), pickle.loads(pickle.dumps(averaged))
    again = AveragedModel(model)
    again.load_state_dict(averaged.state_dict())
    for x in batches(2):
        step(x)
    for x in (other, again, sent):
        for _ in range(2):
            x.update_parameters(model)
    for x in (again, sent):
        assert all(np.array_equal(a, x.state_dict()[k]) for k, a in other.state_dict().items())
    assert other.n_averaged.item() == averaged.n_averaged.item() == 4


def test_statistics_are_found_anew():
    model = network()
    model[1].momentum, data = 0.3, batches(4)
    model.eval()
    update_bn([(x, "label") for x in data], model)
    hidden = np.stack([x @ model[0].weight.numpy() + model[0].bias.numpy() for x in data])
    np.testing.assert_allclose(model[1].running_mean.numpy(), hidden.mean((0, 1)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model[1].running_var.numpy(), hidden.var(1, ddof=1).mean(0), rtol=1e-4)
    assert (model[1].momentum, model.training, model[1].training) == (0.3, False, False)
    assert all(p.grad is None for p in model.parameters())
    plain = nn.Linear(3, 2)
    update_bn([], plain)
    with pytest.raises(ZeroDivisionError):
        update_bn((1 / 0 for _ in range(2)), model)
    assert model[1].momentum == 0.3


def test_what_averages_refuse():
    model = network()
    averaged = AveragedModel(model)
    with pytest.raises(TypeError, match=r"takes a module, but got list: write AveragedModel\(model\)"):
        AveragedModel(list(model.parameters()))
    with pytest.raises(ValueError, match=r"differ in 2\.weight, 2\.bias; make the AveragedModel anew"):
        averaged.update_parameters(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)))
    assert averaged.n_averaged.item() == 0
    with pytest.raises(ValueError, match="decay is from 0 to 1, but got"):
        get_ema_avg_fn(1.5)
    with pytest.raises(AttributeError, match=r"write AveragedModel\(model, avg_fn=get_ema_avg_fn\(decay\)\)"):
        optim.swa_utils.get_ema_multi_avg_fn  # noqa: B018
    made = optim.SGD(model.parameters(), lr=1.0)
    with pytest.raises(ValueError, match="SWALR's anneal_strategy is 'cos' or 'linear', but got 'sine'"):
        SWALR(made, 0.1, anneal_strategy="sine")
    with pytest.raises(ValueError, match="anneal_epochs is at least 0, but got -1"):
        SWALR(made, 0.1, anneal_epochs=-1)

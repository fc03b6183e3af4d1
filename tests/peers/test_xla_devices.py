"""Steps over several devices (of the CPU, which XLA makes into eight) and several hosts (processes): as on one, and split."""

from __future__ import annotations

import re

import jax
import numpy as np
import pytest
from agreement import assert_close
from test_xla_steps import agree
from xla_nets import BATCH, NETS, Training, at_night

import tinygrad_edu as tg
from tinygrad_edu.nn import functional as F


@pytest.fixture(autouse=True)
def doubles():
    with jax.enable_x64(True):
        yield


def rows(text):
    """The rows of the left operands of products and convolutions in a compiled program."""
    shapes = dict(re.findall(r"(%[\w.-]+) = \w+\[([\d,]*)\]", text))
    found = re.findall(r" (?:dot|convolution)\((%[\w.-]+), ", text)
    return {int(shapes[name].split(",")[0]) for name in found if shapes.get(name)}


def is_split(step, devices):
    """Whether each device computes its part of the batch, and only sums go between them."""
    text = step.compiled.as_text()
    assert "all-reduce" in text
    assert "all-gather" not in text
    assert f"num_partitions={devices}" in text
    return text


def alone(name, steps):
    """The losses and the state after some eager steps; a training of its own, for all draw from one generator."""
    training = Training(name)
    return training.run(training.step, steps), training.state()


@pytest.mark.parametrize("name", at_night(NETS, "convnet", "gpt"))
def test_fifty_steps_on_eight_devices(name):
    step = agree(name, "float64", devices=8)
    is_split(step, 8)


def test_two_devices_and_a_mesh_of_ones_own():
    is_split(agree("mlp", "float64", devices=2), 2)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,), devices=jax.devices()[:4])
    is_split(agree("mlp", "float64", mesh=mesh), 4)


def test_each_device_multiplies_its_rows():
    training = Training("mlp")
    step = tg.replay(training.step, backend="jax", devices=8)
    for x, y in training.batches[:2]:
        step(x, y)
    text = is_split(step, 8)
    assert f"f64[{BATCH // 8},24]" in text
    assert f"f64[{BATCH},24]" not in text
    parameter = training.model[0].weight.ndarray.value
    assert parameter.is_fully_replicated
    step.gather()


@pytest.mark.nightly
@pytest.mark.parametrize("devices", [2, 8])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NETS)
def test_fifty_steps_on_few_and_many_devices(name, dtype, devices):
    is_split(agree(name, dtype, devices=devices), devices)


@pytest.mark.parametrize("name", at_night(["mlp", "gpt"], "gpt"))
def test_parameters_are_split_when_asked_for(name):
    losses, state = alone(name, 4)
    training = Training(name)
    step = tg.replay(training.step, backend="jax", devices=8, shard_parameters=True)
    assert_close(training.run(step, 4), losses, rtol=1e-9)
    split = [p for p in training.model.parameters() if any(n % 8 == 0 for n in p.shape)]
    assert split
    for p in split:
        value = p.ndarray.value
        assert value.addressable_shards[0].data.size * 8 == p.size
    step.gather()
    for key, value in training.state().items():
        assert_close(value, state[key], rtol=1e-8, atol=1e-9)


def test_what_devices_draw_is_the_same_on_any_number_of_them():
    losses = []
    for devices in (None, 2, 8):
        training = Training("mlp")
        step = tg.replay(training.step, backend="jax", noise="device", devices=devices)
        losses.append(training.run(step, 5))
        step.gather()
    assert_close(losses[1], losses[0], rtol=1e-10)
    assert_close(losses[2], losses[0], rtol=1e-10)
    assert abs(losses[0][1] - alone("mlp", 5)[0][1]) > 1e-6  # other numbers, from the second step on


def test_steps_on_other_numbers_of_devices_share_the_state():
    losses, state = alone("mlp", 8)
    training = Training("mlp")
    eight = tg.replay(training.step, backend="jax", devices=8)
    one = tg.replay(training.step, backend="jax")
    found = [(eight, one)[k % 2](x, y).item() for k, (x, y) in enumerate(training.batches[:8])]
    assert_close(found, losses, rtol=1e-9)
    eight.gather(), one.gather()
    assert_close(training.model[0].weight.numpy(), state["0.weight"], rtol=1e-9, atol=1e-9)


def test_arguments_and_feeds_may_be_used_again_at_once():
    """JAX may read an array late and in place; what is refilled for the next step must not be that array."""
    expected, _ = alone("mlp", 50)
    training = Training("mlp")
    step = tg.replay(training.step, backend="jax", devices=8)
    x, y = np.empty_like(training.batches[0][0]), np.empty_like(training.batches[0][1])
    losses = []
    for a, b in training.batches:
        x[...], y[...] = a, b
        losses.append(step(x, y))
        x[...], y[...] = np.nan, 0
    step.gather()
    assert_close([loss.item() for loss in losses], expected, rtol=1e-9)


def test_results_by_rows_come_whole():
    training = Training("mlp")
    training.model.eval()
    predict = tg.replay(lambda x: training.model(x), backend="jax", devices=8)
    x = training.batches[0][0]
    for _ in range(2):
        found = predict(x)
    assert found.shape == (BATCH, 5)
    assert_close(found.numpy(), training.model(x).numpy(), rtol=1e-12)
    assert "all-gather" not in predict.compiled.as_text()


def test_a_batch_that_does_not_divide():
    training = Training("mlp")
    step = tg.replay(training.step, backend="jax", devices=8)
    x, y = training.batches[0]
    before = training.state()
    with pytest.raises(
        ValueError, match=r"shape \(13, 12\) is split along axis 0, and 8 devices do not divide its 13 rows"
    ):
        step(x[:13], y[:13])
    step(x, y), step(x, y)
    with pytest.raises(ValueError, match=r"x of shape \(13, 12\).*give 8, another multiple of 8"):
        step(x[:13], y[:13])
    step.gather()
    again = Training("mlp")
    assert all((before[key] == value).all() for key, value in again.state().items())


def test_meshes_and_devices_that_do_not_fit():
    def f(x):
        return F.relu(x)

    with pytest.raises(ValueError, match=r"8 devices, but got devices=9.*device_count=9"):
        tg.replay(f, backend="jax", devices=9)
    with pytest.raises(ValueError, match="devices are taken, 1 to 8, but got 0"):
        tg.replay(f, backend="jax", devices=0)
    explicit = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Explicit,))
    with pytest.raises(ValueError, match=r"each device would compute the whole batch; write jax\.make_mesh"):
        tg.replay(f, backend="jax", mesh=explicit)
    with pytest.raises(TypeError, match="not both"):
        tg.replay(f, backend="jax", mesh=explicit, devices=8)
    with pytest.raises(TypeError, match=r"takes a jax\.sharding\.Mesh"):
        tg.replay(f, backend="jax", mesh=8)
    with pytest.raises(ValueError, match="shard_parameters=True splits over several devices"):
        tg.replay(f, backend="jax", shard_parameters=True)

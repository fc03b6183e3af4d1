"""Models as functions of JAX: their numbers, gradients, batches of other sizes, ensembles, and files of StableHLO."""

from __future__ import annotations

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import assert_close
from xla_nets import NETS, Training

import tinygrad_edu as tg
from tinygrad_edu import models, nn
from tinygrad_edu.nn import functional as F
from viz import draw


@pytest.fixture(autouse=True)
def doubles():
    with jax.enable_x64(True):
        yield


def first(y):
    return y[0] if isinstance(y, tuple) else y


@pytest.mark.parametrize("name", NETS)
def test_numbers_and_gradients(name):
    training = Training(name)
    model, (x, _) = training.model.eval(), training.batches[0]
    f = tg.export.to_jax(model, x)
    assert set(f.params) == set(dict(model.named_parameters())) | set(dict(model.named_buffers()))
    y = first(model(x))
    g = np.random.default_rng(2).standard_normal(y.shape)
    found, slopes = jax.jit(jax.value_and_grad(lambda params: (first(f(params, x)) * g).sum(), allow_int=True))(
        f.params
    )
    (y * g).sum().backward()
    assert_close(np.asarray(found), (y * g).sum().item(), rtol=1e-9)
    for key, p in model.named_parameters():
        assert_close(np.asarray(slopes[key]), p.grad.numpy(), rtol=1e-8, atol=1e-10)


def test_batches_ensembles_and_files():
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.GELU(), nn.Linear(4, 2)).eval()
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 3)).astype(np.float32)
    f = tg.export.to_jax(model, x)
    run = jax.jit(f)
    for rows in (5, 1, 8):
        batch = rng.standard_normal((rows, 3)).astype(np.float32)
        assert_close(np.asarray(run(f.params, batch)), model(batch).numpy(), rtol=1e-5, atol=1e-6)
    each = jax.vmap(f, in_axes=(None, 0))(f.params, np.stack([x, 2 * x]))
    assert_close(np.asarray(each[1]), model(2 * x).numpy(), rtol=1e-5, atol=1e-6)
    two = {name: jnp.stack([value, 0 * value]) for name, value in f.params.items()}
    both = jax.vmap(f, in_axes=(0, None))(two, x)
    assert_close(np.asarray(both[0]), model(x).numpy(), rtol=1e-5, atol=1e-6)
    assert_close(np.asarray(both[1]), 0 * model(x).numpy())
    kept = jax.export.export(run)(f.params, x).serialize()
    assert_close(np.asarray(jax.export.deserialize(kept).call(f.params, x)), model(x).numpy(), rtol=1e-5, atol=1e-6)


def test_several_inputs_and_results():
    class Two(nn.Module):
        def __init__(self):
            self.w = nn.Parameter(np.arange(3.0))

        def forward(self, a, b):
            return {"sum": a + b * self.w, "both": (a * 2, 7)}

    model, a = Two(), np.ones(3)
    f = tg.export.to_jax(model, a, tg.Tensor(a))
    found = f({"w": np.zeros(3)}, a, 2 * a)
    assert np.asarray(found["sum"]).tolist() == [1.0, 1.0, 1.0]
    assert np.asarray(found["both"][0]).tolist() == [2.0, 2.0, 2.0]
    assert found["both"][1] == 7


@pytest.mark.nightly
@pytest.mark.parametrize("kind", [models.LeNet5, models.ResNet18, models.MobileNetV2], ids=lambda kind: kind.__name__)
def test_models_of_images(kind):
    tg.manual_seed(0)
    model = kind().eval()
    x = (
        np.random.default_rng(0)
        .standard_normal((1, 1, 28, 28) if kind is models.LeNet5 else (1, 3, 64, 64))
        .astype(np.float32)
    )
    f = tg.export.to_jax(model, x)
    assert_close(np.asarray(jax.jit(f)(f.params, x)), model(x).numpy(), rtol=1e-3, atol=1e-4)


def test_what_is_refused():
    x = np.ones((2, 3), np.float32)
    with pytest.raises(TypeError, match="takes a module"):
        tg.export.to_jax(F.relu, x)
    with pytest.raises(RuntimeError, match=r"draws random numbers.*call model.eval\(\)"):
        tg.export.to_jax(nn.Dropout(0.5), x)
    norm = nn.BatchNorm1d(3)
    before = norm.running_mean.numpy().copy()
    with pytest.raises(RuntimeError, match=r"writes into .*call model.eval\(\)"):
        tg.export.to_jax(norm, x)
    assert (norm.running_mean.numpy() == before).all()
    f = tg.export.to_jax(norm.eval(), x)
    with pytest.raises(KeyError, match=r"has no .*bias"):
        f({name: value for name, value in f.params.items() if name != "bias"}, x)
    norm.train()
    with pytest.raises(RuntimeError, match="in another mode"):
        f(f.params, x[:1])
    with jax.enable_x64(False), pytest.raises(TypeError, match="the model computes in float64"):
        tg.export.to_jax(nn.ReLU(), x.astype(float))


def test_what_was_sent_can_be_drawn():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).eval()
    f = tg.export.to_jax(model, np.ones((5, 4), np.float32))
    figure = draw(f.outputs, direction="forward")
    circles = [op.symbol for op in figure.graph.ops]
    assert circles == ["dot", "+", "ReLU", "dot", "+"]
    assert "weight" in figure.text()

"""Every layer of nn and every model as an ONNX file, for batches of any size, and read back."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.export.networks import LARGE, LAYERS, MODELS, NO_LAYERS, made
from tinygrad_edu import models, nn
from tinygrad_edu.testing.checks.arrays import flattened


def check(make, inputs, folder):
    """Written, which compares it with onnxruntime for batches of five sizes; read, and compared for two more."""
    model = made(make)
    if "Lazy" in type(model).__name__ or hasattr(model, "initialize"):
        model(*inputs)
    loaded = tg.export.load_onnx(tg.export.onnx(model, inputs, folder / "net.onnx"))
    for size in (1, 6):
        given = [np.take(x, np.arange(size) % len(x), 0) for x in inputs]
        try:
            expected = flattened(model(*map(tg.Tensor, given)))
        except ValueError:
            assert size == 1  # a layer may need two
            continue
        for a, b in zip(expected, flattened(loaded(*given)), strict=True):
            a, b = np.asarray(a.ndarray), np.asarray(getattr(b, "ndarray", b))
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            assert np.allclose(a, b, rtol=1e-4, atol=1e-5 * max(1.0, np.abs(a).max(initial=0)))
    return model, loaded


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer(name, tmp_path):
    make, inputs = LAYERS[name]
    check(make, inputs, tmp_path)


@pytest.mark.parametrize("name", MODELS)
def test_a_model(name, tmp_path):
    make, inputs = MODELS[name]
    model, loaded = check(make, inputs, tmp_path)
    state, again = model.state_dict(), loaded.state_dict()
    assert again
    for path, array in again.items():
        assert np.array_equal(array, state[path])
    learnt = {path for path, _ in model.named_parameters()}
    assert {path for path, _ in loaded.named_parameters()} == learnt & set(again)


@pytest.mark.nightly
@pytest.mark.parametrize("name", LARGE)
def test_a_network_as_published(name, tmp_path):
    make, inputs = LARGE[name]
    check(make, inputs, tmp_path)


def test_every_layer_and_every_model_is_tried():
    layers = {
        name for name in nn.__all__ if inspect.isclass(getattr(nn, name)) and issubclass(getattr(nn, name), nn.Module)
    }
    assert layers - NO_LAYERS == set(LAYERS)
    assert set(models.__all__) == set(MODELS) | set(LARGE)

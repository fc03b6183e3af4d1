"""The outputs of the layers of a model."""

from __future__ import annotations

from functools import partial
from typing import Any

from numpy.typing import NDArray

from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn.module import Module
from tinygrad_edu.train.replaying import as_tensor


def activations(model: Module, *inputs: Any) -> dict[str, NDArray[Any]]:
    """Call the model, and return the output of each layer, by the layer's path, in the order of the calls.

    A layer is a module that holds no other. One that gives back its input, such as dropout in evaluation mode, is left
    out; of one that is called several times, the last output counts. The model runs in the mode that it has: with batch
    normalization, call `model.eval()` first.

    model: a module.
    inputs: what it is called with, arrays or tensors.

    >>> import numpy as np
    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> {path: output.shape for path, output in activations(model, np.ones((5, 3), np.float32)).items()}
    {'0': (5, 4), '1': (5, 4), '2': (5, 2)}
    """
    found: dict[str, NDArray[Any]] = {}

    def look(path: str, module: Module, given: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor) and not any(output is x for x in given):
            found[path] = output.ndarray

    layers = [(path, module) for path, module in model.named_modules() if not any(module.children())]
    handles = [module.register_forward_hook(partial(look, path)) for path, module in layers]
    try:
        no_grad().run(model, *map(as_tensor, inputs))
    finally:
        for handle in handles:
            handle.remove()
    return found

"""What each layer of a model gives: read off the record of one call."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tinygrad_edu.engine.graph import topological
from tinygrad_edu.engine.recording import recording
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn.module import Module
from tinygrad_edu.train.replaying import as_tensor


def activations(model: Module, *inputs: Any) -> dict[str, NDArray[Any]]:
    """The output of each layer for these inputs, by the layer's path, in the order of the calls.

    A layer is a module that holds no other; its output is the last result that its call recorded, so one that computes
    nothing, such as dropout in evaluation, is left out. Of a layer that is called several times, the last output counts.
    The model runs in the mode that it has: with batch normalization, call `model.eval()` first.

    Raises TypeError if the model does not return a tensor, or a tuple, list or dict of them.

    >>> import numpy as np
    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> {path: output.shape for path, output in activations(model, np.ones((5, 3), np.float32)).items()}
    {'0': (5, 4), '1': (5, 4), '2': (5, 2)}
    """
    y = recording(everything=True).run(model, *map(as_tensor, inputs))
    parts = y.values() if isinstance(y, dict) else y if isinstance(y, tuple | list) else (y,)
    outputs = [part for part in parts if isinstance(part, Tensor)]
    if not outputs:
        raise TypeError(f"{type(model).__name__} returned {type(y).__name__}, which is no tensor")
    paths = {id(module): path for path, module in model.named_modules() if not any(module.children())}
    found: dict[str, NDArray[Any]] = {}
    for node in topological(outputs, through_constants=True):
        path = paths.get(id(node.scope.module)) if node.scope is not None else None
        if path is not None and not isinstance(node.ndarray, tuple):
            found[path] = node.ndarray
    return found

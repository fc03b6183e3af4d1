"""Reads and writes parameters as PyTorch keeps them, in safetensors files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.nn import Linear, Module
from tinygrad_edu.train.files import StrPath, as_bytes, read, write_atomically


def load_torch(path: StrPath, model: Module) -> None:
    """Load a file that PyTorch's users write by `safetensors.torch.save_file(model.state_dict(), path)` or
    `save_model`.

    PyTorch keeps the weights of Linear and recurrent layers as (out, in), so they are transposed; everything else lies as
    it does there. A tensor that is shared may be in the file once, or under each of its names.

    path: the file.
    model: a module whose parameters and buffers have the same names.

    Raises ValueError, naming the file, for one that is cut or that does not fit: the message lists every name that is
    missing, not expected, or of another shape. Nothing is changed then.

    >>> import tempfile
    >>> from tinygrad_edu import nn
    >>> layer, other = nn.Linear(3, 2), nn.Linear(3, 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load_torch(to_torch(layer, Path(folder) / "layer.safetensors"), other)
    >>> bool((layer.bias == other.bias).all())
    True
    """
    arrays, _ = read(path)
    names, turned = _names(model), _turned(model)
    state: dict[str, NDArray[Any]] = {}
    for name, given in arrays.items():
        own = names.get(name, name)
        array = given.T if own in turned and given.ndim == 2 else given
        if own in state and not np.array_equal(state[own], array):
            raise ValueError(
                f"{os.fspath(path)} has two tensors for {own}, which this model shares, and {name} differs from the other"
            )
        state[own] = array
    try:
        model.load_state_dict(state)
    except ValueError as error:
        raise ValueError(
            f"{os.fspath(path)}, its weights of Linear and recurrent layers transposed, does not fit: {error}"
        ) from error


def to_torch(model: Module, path: StrPath) -> Path:
    """Write the parameters and buffers of a model for PyTorch, and return the file's path.

    There, `model.load_state_dict(safetensors.torch.load_file(path))` reads the file. What is shared is written once,
    and then `safetensors.torch.load_model(model, path)` reads it. The weights of Linear and recurrent layers are written
    as (out, in). The file is written in one move, as by `save_checkpoint`.

    model: a module.
    path: the file.

    >>> import tempfile
    >>> from tinygrad_edu import nn
    >>> model, other = nn.Linear(3, 2), nn.Linear(3, 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load_torch(to_torch(model, Path(folder) / "model.safetensors"), other)
    >>> bool((model.weight == other.weight).all())
    True
    """
    turned = _turned(model)
    state = {name: array.T if name in turned else array for name, array in model.state_dict().items()}
    shared = {name: first for name, first in _names(model).items() if name != first}
    return write_atomically(path, as_bytes(state, {"format": "pt", **shared}))


def _names(model: Module) -> dict[str, str]:
    """For each name that a parameter or buffer has in the model, its first name."""
    first: dict[int, str] = {}
    names: dict[str, str] = {}
    for path, module in model.named_modules():
        for name, member in [*module.named_parameters(), *module.named_buffers()]:
            whole = f"{path}.{name}".lstrip(".")
            names[whole] = first.setdefault(id(member), whole)
    return names


def _turned(model: Module) -> set[str]:
    """The names of the parameters that PyTorch keeps transposed."""
    names = _names(model)
    return {
        names[f"{path}.{name}".lstrip(".")]
        for path, module in model.named_modules()
        for name in ("weight", *getattr(module, "TURNED", ()))
        if name in vars(module) and (name != "weight" or isinstance(module, Linear))
    }

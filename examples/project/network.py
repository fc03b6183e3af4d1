"""The net, the optimizer and the data of some settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from settings import Settings

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.data import datasets

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "sigmoid": nn.Sigmoid,
}
OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "adam": optim.Adam, "adamw": optim.AdamW, "sgd": optim.SGD, "momentum": optim.Momentum,
}  # fmt: skip
DATA: dict[str, Callable[[], Any]] = {
    "digits": datasets.digits, "mnist": datasets.mnist, "fashion_mnist": datasets.fashion_mnist,
}  # fmt: skip


def chosen(kind: str, name: str, among: dict[str, Any]) -> Any:
    """Return the entry of this name. Raises SystemExit, which lists the names, for any other."""
    if name not in among:
        raise SystemExit(f"{kind} is one of {', '.join(among)}, but got {name!r}")
    return among[name]


def data_of(settings: Settings) -> Any:
    """((x_train, y_train), (x_test, y_test))."""
    return chosen("--data", settings.data, DATA)()


def net_of(settings: Settings, inputs: int, classes: int = 10) -> nn.Sequential:
    """Linear layers, each followed by batch normalization, activation and dropout, as the settings say."""
    tg.manual_seed(settings.seed)
    activation = chosen("--activation", settings.activation, ACTIVATIONS)
    layers: list[nn.Module] = []
    for width in settings.layers:
        layers.append(nn.Linear(inputs, width))
        if settings.batch_norm:
            layers.append(nn.BatchNorm1d(width))
        layers.append(activation())
        if settings.dropout:
            layers.append(nn.Dropout(settings.dropout))
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, classes))


def optimizer_of(settings: Settings, model: nn.Module) -> optim.Optimizer:
    """The optimizer of the model's parameters."""
    kind = chosen("--optimizer", settings.optimizer, OPTIMIZERS)
    decay = {"weight_decay": settings.weight_decay} if settings.weight_decay else {}
    made: optim.Optimizer = kind(model.parameters(), lr=settings.lr, **decay)
    return made

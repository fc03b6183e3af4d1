"""tinygrad_edu, as one writes it; eager or replayed."""

from __future__ import annotations

import tinygrad_edu as tg
from tests.benchmarks.convnets import LR, problem
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F
from tinygrad_edu.program import replay


def training(network):
    """A function of a batch that learns, and the batch."""
    p = problem(network)
    weights, biases = iter(p.weights), iter(p.biases)
    layers, flat = [], False
    for kind, *options in network:
        if kind in ("conv", "affine"):
            w, b = next(weights), next(biases)
        if kind == "conv":
            layers.append(nn.Conv2d(w.shape[1], len(w), options[1], padding=options[2]))
        elif kind == "affine":
            layers += [] if flat else [nn.Flatten()]
            layers.append(nn.Linear(*w.shape))
            flat = True
        else:
            layers.append({"relu": nn.ReLU, "dropout": nn.Dropout, "pool": lambda: nn.MaxPool2d(2)}[kind]())
        if kind in ("conv", "affine"):
            layers[-1].weight.data, layers[-1].bias.data = w, b
    model = nn.Sequential(*layers)
    optimizer = optim.Adam(model.parameters(), lr=LR)

    def learn(x, labels):
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward(retain_graph=False)
        optimizer.step()
        return loss

    return learn, tg.Tensor(p.x), tg.Tensor(p.labels)


def step(network, replayed=True):
    learn, x, labels = training(network)
    if replayed:
        learn = replay(learn)
    return lambda: learn(x, labels).item()

"""PyTorch, eager."""

from __future__ import annotations

import torch
from torch import nn

from tests.benchmarks.convnets import LR, problem
from tests.benchmarks.turns import cores


def step(network):
    torch.set_num_threads(cores())
    p = problem(network)
    weights, biases = iter(p.weights), iter(p.biases)
    layers, flat = [], False
    for kind, *options in network:
        if kind in ("conv", "affine"):
            w, b = torch.tensor(next(weights)), torch.tensor(next(biases))
        if kind == "conv":
            layers.append(nn.Conv2d(w.shape[1], len(w), options[1], padding=options[2]))
        elif kind == "affine":
            layers += [] if flat else [nn.Flatten()]
            layers.append(nn.Linear(*w.shape))
            w, flat = w.T, True
        else:
            layers.append({"relu": nn.ReLU, "dropout": nn.Dropout, "pool": lambda: nn.MaxPool2d(2)}[kind]())
        if kind in ("conv", "affine"):
            with torch.no_grad():
                layers[-1].weight.copy_(w)
                layers[-1].bias.copy_(b)
    model = nn.Sequential(*layers)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    x, labels = torch.tensor(p.x), torch.tensor(p.labels)

    def learn():
        loss = nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return learn

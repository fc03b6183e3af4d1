"""PyTorch, eager, on the CPU."""

from __future__ import annotations

import os

import torch
from torch import nn

from tests.benchmarks.peers import LR, SEVEN_LAYERS, SMALL_NET, WIDE_NET, problem, three_vectors

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def expression():
    a, b, c = (torch.tensor(v, requires_grad=True) for v in three_vectors())

    def step(value=False):
        a.grad = b.grad = c.grad = None
        y = torch.relu(a * b + c).sum()
        y.backward()
        return y.item() if value else None

    return step


def _net(widths):
    p = problem(widths)
    layers = []
    for w, b in zip(p.weights, p.biases, strict=True):
        linear = nn.Linear(*w.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(w.T))
            linear.bias.copy_(torch.tensor(b))
        layers += [linear, nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    x, labels = torch.tensor(p.x), torch.tensor(p.labels)

    def step(value=False):
        loss = nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item() if value else None

    return step


def modern_net():
    p = problem(SEVEN_LAYERS)
    layers = []
    for w, b in zip(p.weights, p.biases, strict=True):
        linear = nn.Linear(*w.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(w.T))
            linear.bias.copy_(torch.tensor(b))
        layers += [linear, nn.BatchNorm1d(w.shape[1]), nn.ReLU(), nn.Dropout(0.5)]
    model = nn.Sequential(*layers[:-3])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x, labels = torch.tensor(p.x), torch.tensor(p.labels)

    def step(value=False):
        loss = nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item() if value else None

    return step


def small_net():
    return _net(SMALL_NET)


def seven_layers():
    return _net(SEVEN_LAYERS)


def wide_net():
    return _net(WIDE_NET)

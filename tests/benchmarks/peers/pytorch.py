"""PyTorch, eager, on the CPU."""

from __future__ import annotations

import os

import torch
from torch import nn

from tests.benchmarks.peers import LR, SEVEN_LAYERS, problem, three_vectors

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def expression():
    a, b, c = (torch.tensor(v, requires_grad=True) for v in three_vectors())

    def step(value=False):
        a.grad = b.grad = c.grad = None
        y = torch.relu(a * b + c).sum()
        y.backward()
        return y.item() if value else None

    return step


def plain_model(widths):
    """A multi-layer perceptron, its optimizer and a batch."""
    p = problem(widths)
    layers = []
    for linear in _linear(p):
        layers += [linear, nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    return model, torch.optim.SGD(model.parameters(), lr=LR), torch.tensor(p.x), torch.tensor(p.labels)


def modern_model():
    """Seven layers with batch normalization and dropout, Adam, and a batch."""
    p = problem(SEVEN_LAYERS)
    layers = []
    for linear in _linear(p):
        layers += [linear, nn.BatchNorm1d(linear.out_features), nn.ReLU(), nn.Dropout(0.5)]
    model = nn.Sequential(*layers[:-3])
    return model, torch.optim.Adam(model.parameters(), lr=1e-3), torch.tensor(p.x), torch.tensor(p.labels)


def _linear(p):
    for w, b in zip(p.weights, p.biases, strict=True):
        linear = nn.Linear(*w.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(w.T))
            linear.bias.copy_(torch.tensor(b))
        yield linear


def _training(model, optimizer, x, labels):
    def step(value=False):
        loss = nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item() if value else None

    return step


def modern_net():
    return _training(*modern_model())


def net(widths):
    return _training(*plain_model(widths))

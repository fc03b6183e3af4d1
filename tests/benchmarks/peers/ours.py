"""tinygrad_edu, as the README writes it."""

from __future__ import annotations

import tinygrad_edu as tg
from tests.benchmarks.peers import LR, SEVEN_LAYERS, problem, three_vectors
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F


def expression():
    a, b, c = (tg.Tensor(v, requires_grad=True) for v in three_vectors())

    def step(value=False):
        a.grad = b.grad = c.grad = None
        y = tg.relu(a * b + c).sum()
        y.backward()
        return y.item() if value else None

    return step


def _learner(model, optimizer):
    def learn(x, labels):
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward(retain_graph=False)
        optimizer.step()
        return loss

    return learn


def training_step(widths):
    """One step of learning as a function of a batch, and the batch."""
    p = problem(widths)
    layers = []
    for w, b in zip(p.weights, p.biases, strict=True):
        linear = nn.Linear(*w.shape)
        linear.weight.data, linear.bias.data = w, b
        layers += [linear, nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = optim.SGD(model.parameters(), lr=LR)
    x, labels = tg.Tensor(p.x), tg.Tensor(p.labels)
    return _learner(model, optimizer), x, labels


def net(widths):
    learn, x, labels = training_step(widths)

    def step(value=False):
        loss = learn(x, labels)
        return loss.item() if value else None

    return step


def modern_step():
    """Seven layers with batch normalization, dropout and Adam; and the batch."""
    p = problem(SEVEN_LAYERS)
    layers = []
    for w, b in zip(p.weights, p.biases, strict=True):
        linear = nn.Linear(*w.shape)
        linear.weight.data, linear.bias.data = w, b
        layers += [linear, nn.BatchNorm1d(w.shape[1]), nn.ReLU(), nn.Dropout(0.5)]
    model = nn.Sequential(*layers[:-3])
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    return _learner(model, optimizer), tg.Tensor(p.x), tg.Tensor(p.labels)


def modern_net():
    learn, x, labels = modern_step()

    def step(value=False):
        loss = learn(x, labels)
        return loss.item() if value else None

    return step

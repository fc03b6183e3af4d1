"""tinygrad_edu, as the README writes it."""

from __future__ import annotations

from tinygrad_edu.nn import functional as F

import tinygrad_edu as tg
from tests.benchmarks.peers import LR, SEVEN_LAYERS, SMALL_NET, problem, three_vectors
from tinygrad_edu import nn, optim


def expression():
    a, b, c = (tg.Tensor(v, requires_grad=True) for v in three_vectors())

    def step(value=False):
        a.grad = b.grad = c.grad = None
        y = tg.relu(a * b + c).sum()
        y.backward()
        return y.item() if value else None

    return step


def _net(widths):
    p = problem(widths)
    layers = []
    for w, b in zip(p.weights, p.biases, strict=True):
        linear = nn.Linear(*w.shape)
        linear.weight.data, linear.bias.data = w, b
        layers += [linear, nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = optim.SGD(model.parameters(), lr=LR)
    x, labels = tg.Tensor(p.x), tg.Tensor(p.labels)

    def step(value=False):
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward(retain_graph=False)
        optimizer.step()
        return loss.item() if value else None

    return step


def small_net():
    return _net(SMALL_NET)


def seven_layers():
    return _net(SEVEN_LAYERS)

"""PyTorch under torch.compile: the loss with its gradient, and the optimizer's step. It needs a C++ compiler."""

from __future__ import annotations

import torch
from torch import nn

from tests.benchmarks.peers import SEVEN_LAYERS, SMALL_NET, WIDE_NET, three_vectors
from tests.benchmarks.peers.pytorch import modern_model, plain_model


def expression():
    a, b, c = (torch.tensor(v, requires_grad=True) for v in three_vectors())
    run = torch.compile(lambda: torch.relu(a * b + c).sum())

    def step(value=False):
        a.grad = b.grad = c.grad = None
        y = run()
        y.backward()
        return y.item() if value else None

    return step


def _net(model, optimizer, x, labels):
    loss_of = torch.compile(lambda x, labels: nn.functional.cross_entropy(model(x), labels))
    update = torch.compile(optimizer.step)

    def step(value=False):
        loss = loss_of(x, labels)
        optimizer.zero_grad()
        loss.backward()
        update()
        return loss.item() if value else None

    return step


def modern_net():
    return _net(*modern_model())


def small_net():
    return _net(*plain_model(SMALL_NET))


def seven_layers():
    return _net(*plain_model(SEVEN_LAYERS))


def wide_net():
    return _net(*plain_model(WIDE_NET))

"""PyTorch under torch.compile: the loss with its gradient, and the optimizer's step. It needs a C++ compiler."""

from __future__ import annotations

import torch
from torch import nn

from tests.benchmarks.peers import three_vectors
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


def _training(model, optimizer, x, labels):
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
    return _training(*modern_model())


def net(widths):
    return _training(*plain_model(widths))

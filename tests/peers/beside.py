"""Modules and functions beside PyTorch's: their values, gradients, and gradients of gradients."""

from __future__ import annotations

import numpy as np
import torch
from agreement import assert_close

import tinygrad_edu as tg
from tinygrad_edu import nn


def pair(ours, theirs):
    """Two modules of the same weights, in float64."""
    theirs = theirs.double()
    theirs.load_state_dict({name: torch.tensor(array.astype(float)) for name, array in ours.state_dict().items()})
    with tg.no_grad():
        for p in ours.parameters():
            p.data = p.numpy().astype(float)
    return ours, theirs


def agree(ours, theirs, *inputs):
    """Values; gradients of inputs and parameters by random cotangents; and by these gradients once more."""
    rng = np.random.default_rng(3)
    xs = [tg.Tensor(x, requires_grad=True) for x in inputs]
    ts = [torch.tensor(x, requires_grad=True) for x in inputs]
    y, z = ours(*xs), theirs(*ts)
    assert_close(y.numpy(), z.detach().numpy(), rtol=1e-10, atol=1e-10)
    v = rng.standard_normal(y.shape)
    a, b = [*xs, *(ours.parameters() if isinstance(ours, nn.Module) else [])], [*ts]
    b += list(theirs.parameters()) if isinstance(theirs, torch.nn.Module) else []
    first = tg.grad(y, a, v, create_graph=True)
    peers = torch.autograd.grad(z, b, torch.tensor(v), create_graph=True)
    for g, h in zip(first, peers, strict=True):
        assert_close(g.numpy(), h.detach().numpy(), rtol=1e-10, atol=1e-10)
    us = [rng.standard_normal(g.shape) for g in first]
    second = tg.grad(first, a, us, allow_unused=True)
    peers = torch.autograd.grad(
        [h for h in peers if h.requires_grad], b, [torch.tensor(u) for u, h in zip(us, peers, strict=True) if h.requires_grad],
        allow_unused=True,
    )  # fmt: skip
    for g, h in zip(second, peers, strict=True):
        assert_close(0.0 if g is None else g.numpy(), 0.0 if h is None else h.numpy(), rtol=1e-10, atol=1e-10)

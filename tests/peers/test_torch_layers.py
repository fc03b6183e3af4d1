"""Layers beside PyTorch's: values, gradients of inputs and parameters, and second derivatives, from the same weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from agreement import assert_close

import tinygrad_edu as tg
from tinygrad_edu import nn

pytestmark = pytest.mark.peers

ROWS, SEQUENCE, IMAGE = (5, 6), (2, 3, 6), (2, 6, 3, 2)
NUMBERS = np.array([[1, 0, 4], [4, 2, 2]])


def spread(shape):
    """Numbers away from the corners of any activation, and on all its pieces."""
    rng = np.random.default_rng(sum(shape))
    x = rng.uniform(-5, 5, shape)
    for corner in (-3, -1, 0, 0.5, 1, 3):
        x = np.where(np.abs(x - corner) < 0.1, x + 0.25, x)
    return x


LAYERS = [
    # name, arguments here, arguments there (None: the same), shapes of inputs
    ("Linear", (6, 4), None, [ROWS]),
    ("Linear", (6, 4, False), None, [SEQUENCE]),
    ("Linear", (6, 4), None, [(6,)]),
    ("Bilinear", (6, 3, 4), None, [ROWS, (5, 3)]),
    ("Bilinear", (6, 3, 4, False), None, [SEQUENCE, (2, 3, 3)]),
    ("LayerNorm", (6,), None, [ROWS]),
    ("LayerNorm", ((3, 6),), None, [SEQUENCE]),
    ("LayerNorm", (6, 0.1, False), None, [SEQUENCE]),
    ("LayerNorm", (6, 1e-5, True, False), None, [(4, 2, 3, 6)]),
    ("GroupNorm", (3, 6), None, [IMAGE]),
    ("GroupNorm", (1, 6, 1e-3), None, [ROWS]),
    ("GroupNorm", (6, 6), None, [(2, 6, 4)]),
    ("GroupNorm", (2, 6, 1e-5, False), None, [(2, 6, 4)]),
    ("RMSNorm", (6,), None, [ROWS]),
    ("RMSNorm", ((3, 6), 0.01), None, [SEQUENCE]),
    ("RMSNorm", (6, None, False), None, [SEQUENCE]),
    ("BatchNorm1d", (6,), None, [ROWS]),
    ("BatchNorm1d", (6, 0.1, None, False), None, [(4, 6, 3)]),
    ("Embedding", (5, 3), None, [NUMBERS]),
    ("Embedding", (5, 3, 4), None, [NUMBERS]),
    ("Embedding", (5, 3, -3), None, [NUMBERS.astype(np.int32)]),
    ("Embedding", (5, 3, None, 1.0), None, [NUMBERS]),
    ("Embedding", (5, 3, 2, 1.5, 1.0), None, [NUMBERS[0]]),
    ("Identity", (), None, [ROWS]),
    ("Flatten", (), None, [IMAGE]),
    ("Flatten", (0, 1), None, [IMAGE]),
    ("Flatten", (-2,), None, [IMAGE]),
    ("Unflatten", (1, (2, 3)), None, [ROWS]),
    ("Unflatten", (-1, (3, -1)), None, [SEQUENCE]),
    ("Sigmoid", (), None, [ROWS]),
    ("Tanh", (), None, [ROWS]),
    ("LogSigmoid", (), None, [ROWS]),
    ("Softsign", (), None, [ROWS]),
    ("Hardtanh", (), None, [ROWS]),
    ("Hardtanh", (-2.0, 0.5), None, [ROWS]),
    ("Hardsigmoid", (), None, [ROWS]),
    ("Hardswish", (), None, [ROWS]),
    ("ReLU", (), None, [ROWS]),
    ("ReLU6", (), None, [(12, 6)]),
    ("LeakyReLU", (0.2,), None, [ROWS]),
    ("PReLU", (), None, [SEQUENCE]),
    ("PReLU", (6, 0.1), None, [IMAGE]),
    ("PReLU", (6,), None, [ROWS]),
    ("ELU", (0.7,), None, [ROWS]),
    ("SELU", (), None, [ROWS]),
    ("Softplus", (), (1.0, 1e9), [ROWS]),
    ("Softplus", (2.0, 4.0), None, [ROWS]),
    ("GELU", (), None, [ROWS]),
    ("GELU", ("tanh",), (), [ROWS]),
    ("SiLU", (), None, [ROWS]),
    ("Mish", (), None, [ROWS]),
    ("GLU", (), None, [ROWS]),
    ("GLU", (1,), None, [IMAGE]),
    ("Softmax", (1,), None, [IMAGE]),
    ("Softmax", (), (-1,), [ROWS]),
    ("LogSoftmax", (0,), None, [ROWS]),
]


def pair(name, ours, theirs):
    """A layer here and PyTorch's, with the same weights, in double precision; all alike to start from random ones."""
    options = {"dtype": float} if hasattr(getattr(nn, name)(*ours), "weight") else {}
    layer = getattr(nn, name)(*ours, **options)
    settings = {"approximate": "tanh"} if ours == ("tanh",) else {}
    peer = getattr(torch.nn, name)(*(ours if theirs is None else theirs), **settings).double()
    rng = np.random.default_rng(0)
    parameters, theirs = list(layer.named_parameters()), dict(peer.named_parameters())
    assert [name for name, _ in parameters] == list(theirs)
    for path, p in parameters:
        p.data[...] = rng.standard_normal(p.shape)
        with torch.no_grad():
            theirs[path].copy_(torch.tensor(p.data.T if name == "Linear" else p.data))
    return layer, peer, [p for _, p in parameters], [theirs[path] for path, _ in parameters]


ROUGH = {"Hardsigmoid": 1e-7}
"""Where PyTorch itself is off: it multiplies the gradient by 1/6 in single precision."""


def close(name, ours, theirs, transposed=False):
    theirs, tolerance = theirs.detach().numpy(), ROUGH.get(name, 1e-10)
    assert_close(ours.numpy(), theirs.T if transposed else theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "ours", "theirs", "shapes"), LAYERS, ids=str)
def test_a_layer(name, ours, theirs, shapes):
    layer, peer, parameters, peers = pair(name, ours, theirs)
    inputs = [x if isinstance(x, np.ndarray) else spread(x) for x in shapes]
    xs = [tg.Tensor(x, requires_grad=True) if x.dtype.kind == "f" else tg.Tensor(x) for x in inputs]
    us = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    y, z = layer(*xs) * 1, peer(*us) * 1
    close(name, y, z)
    assert layer(*xs).dtype == float
    rng = np.random.default_rng(1)
    leaves = [x for x in [*xs, *parameters] if x.requires_grad]
    their_leaves = [u for u in [*us, *peers] if u.requires_grad]
    v = rng.standard_normal(y.shape)
    g, h = tg.Tensor(v, requires_grad=True), torch.tensor(v, requires_grad=True)
    first = tg.grad(y, leaves, g, create_graph=True)
    their_first = torch.autograd.grad(z, their_leaves, h, create_graph=True)
    for a, b in zip(first, their_first, strict=True):
        close(name, a, b, transposed=name == "Linear" and a.ndim == 2 and a.shape == parameters[0].shape)
    ws = [rng.standard_normal(a.shape) for a in first]
    turned = [w.T if name == "Linear" and a.shape == parameters[0].shape else w for w, a in zip(ws, first, strict=True)]
    pairs = [(a, b, w, t) for a, b, w, t in zip(first, their_first, ws, turned, strict=True) if b.requires_grad]
    second = tg.grad([p[0] for p in pairs], [*leaves, g], [p[2] for p in pairs], allow_unused=True)
    try:
        their_second = torch.autograd.grad(
            [p[1] for p in pairs], [*their_leaves, h], [torch.tensor(p[3]) for p in pairs], allow_unused=True
        )
    except RuntimeError as error:
        if "is not implemented" not in str(error):
            raise
        return  # PyTorch has none of second order
    for a, b in zip(second, their_second, strict=True):
        if a is None or b is None:  # a slope that is constant
            rest = a if b is None else b
            assert rest is None or not rest.detach().numpy().any()
        else:
            close(name, a, b, transposed=name == "Linear" and a.shape == parameters[0].shape)


@pytest.mark.parametrize("kind", ["LayerNorm", "RMSNorm", "Embedding", "Bilinear", "Linear", "LazyLinear"])
def test_a_layer_begins_and_looks_as_pytorch_s(kind):
    arguments = {"LayerNorm": (8,), "RMSNorm": (8,), "Embedding": (400, 50, 3), "Bilinear": (50, 40, 30), "Linear": (500, 40),
                 "LazyLinear": (40,)}[kind]  # fmt: skip
    ours, theirs = getattr(nn, kind)(*arguments), getattr(torch.nn, kind)(*arguments)
    if kind == "LazyLinear":
        ours(np.ones((2, 500), np.float32))
        theirs(torch.ones(2, 500))
    for (name, p), (their_name, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        q = q.detach().numpy()
        assert (name, sorted(p.shape)) == (their_name, sorted(q.shape))
        for measure in (np.mean, np.std, np.max):
            np.testing.assert_allclose(measure(p.numpy()), measure(q), rtol=0.3, atol=0.05)
    if kind == "Embedding":
        assert not ours.weight.numpy()[3].any()
        assert not theirs.weight.detach().numpy()[3].any()

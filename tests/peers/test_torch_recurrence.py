"""Recurrent layers, their cells and packed sequences, beside PyTorch's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from agreement import assert_close
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn.utils import rnn as packing
from tinygrad_edu.train import load_torch, to_torch

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers
theirs_packing = torch.nn.utils.rnn


def pair(kind, *sizes, **settings):
    """A layer of ours and one of theirs, with the same weights, in float64."""
    ours, theirs = (
        getattr(nn, kind)(*sizes, **settings, dtype=float),
        getattr(torch.nn, kind)(*sizes, **settings).double(),
    )
    state = {name: array.T if array.ndim == 2 else array for name, array in ours.state_dict().items()}
    theirs.load_state_dict({name: torch.tensor(array.copy()) for name, array in state.items()})
    return ours, theirs


def flat(results):
    """The results, and those in tuples among them."""
    single = not isinstance(results, tuple | list)
    return [results] if single else [part for y in results for part in flat(y)]


def agree(ours, theirs, x, *states, given=lambda x: x, theirs_given=lambda x: x, order=2):
    """Values; gradients of the input, the states and the parameters by random cotangents; these gradients' own."""
    rng = np.random.default_rng(3)
    xs = [tg.Tensor(a, requires_grad=True) for a in (x, *states)]
    ts = [torch.tensor(a, requires_grad=True) for a in (x, *states)]

    def hx(parts):
        return () if not parts else (parts[0],) if len(parts) == 1 else (tuple(parts),)

    ys = flat(ours(given(xs[0]), *hx(xs[1:])))
    zs = flat(theirs(theirs_given(ts[0]), *hx(ts[1:])))
    ys, zs = [y for y in ys if isinstance(y, tg.Tensor)], [z for z in zs if z is not None and z.is_floating_point()]
    for y, z in zip(ys, zs, strict=True):
        assert_close(y.numpy(), z.detach().numpy(), rtol=1e-10, atol=1e-10)
    vs = [rng.standard_normal(y.shape) for y in ys]
    named = dict(theirs.named_parameters())
    a = [*xs, *ours.parameters()]
    b = [*ts, *[named[name] for name, _ in ours.named_parameters()]]
    turn = [False] * len(xs) + [p.ndim == 2 for p in ours.parameters()]
    first = tg.grad(ys, a, vs, create_graph=True)
    peers = torch.autograd.grad(zs, b, [torch.tensor(v) for v in vs], create_graph=True)
    for g, h, t in zip(first, peers, turn, strict=True):
        assert_close(g.numpy(), h.detach().numpy().T if t else h.detach().numpy(), rtol=1e-10, atol=1e-10)
    if order == 1:
        return
    us = [rng.standard_normal(g.shape) for g in first]
    second = tg.grad(
        [g for g in first if g.needs_grad],
        a,
        [u for g, u in zip(first, us, strict=True) if g.needs_grad],
        allow_unused=True,
    )
    theirs_us = [torch.tensor(u.T.copy() if t else u) for u, t in zip(us, turn, strict=True)]
    learnt = [h.requires_grad for h in peers]
    second_peers = torch.autograd.grad(
        [*itertools.compress(peers, learnt)], b, [*itertools.compress(theirs_us, learnt)], allow_unused=True
    )
    for g, h, t in zip(second, second_peers, turn, strict=True):
        h = np.zeros(()) if h is None else h.numpy()
        assert_close(0.0 if g is None else g.numpy(), h.T if t else h, rtol=1e-10, atol=1e-10)


SETTINGS = [
    {}, {"bias": False}, {"num_layers": 2}, {"bidirectional": True}, {"batch_first": True, "num_layers": 2, "bidirectional": True},
    {"num_layers": 3, "bias": False, "batch_first": True},
]  # fmt: skip
CASES = [
    *itertools.product(["RNN", "LSTM", "GRU"], SETTINGS),
    ("RNN", {"nonlinearity": "relu"}), ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bidirectional": True}),
    ("LSTM", {"proj_size": 2}), ("LSTM", {"proj_size": 3, "bias": False, "batch_first": True}), ("LSTM", {"proj_size": 2, "num_layers": 2, "bidirectional": True}),
]  # fmt: skip


def states_of(kind, rows, settings, rng):
    """First states of the shapes that a layer takes."""
    several = settings.get("num_layers", 1) * (1 + settings.get("bidirectional", False))
    sizes = [settings.get("proj_size", 4), 4] if kind == "LSTM" else [4]
    return [rng.standard_normal((several, *rows, size)) for size in sizes]


@pytest.mark.parametrize("begun", [False, True], ids=["from zeros", "from states"])
@pytest.mark.parametrize(("kind", "settings"), CASES, ids=str)
def test_layers(kind, settings, begun):
    rng = np.random.default_rng(0)
    ours, theirs = pair(kind, 3, 4, **settings)
    x = rng.standard_normal((2, 3, 3) if settings.get("batch_first") else (3, 2, 3))
    states = states_of(kind, (2,), settings, rng) if begun else []
    agree(ours, theirs, x, *states)
    ours.unroll = True
    agree(ours, theirs, x, *states, order=1)
    assert repr(ours).replace(", unroll=True", "") == repr(theirs) or "nonlinearity" in settings


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_an_example_without_n(kind):
    rng = np.random.default_rng(0)
    settings = {"num_layers": 2, "bidirectional": True}
    ours, theirs = pair(kind, 3, 4, **settings)
    x = rng.standard_normal((3, 3))
    agree(ours, theirs, x)
    agree(ours, theirs, x, *states_of(kind, (), settings, rng))


@pytest.mark.parametrize("begun", [False, True], ids=["from zeros", "from states"])
@pytest.mark.parametrize("rows", [(2,), ()], ids=str)
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        *itertools.product(["RNNCell", "LSTMCell", "GRUCell"], [{}, {"bias": False}]),
        ("RNNCell", {"nonlinearity": "relu"}),
    ],
    ids=str,
)
def test_cells(kind, settings, rows, begun):
    rng = np.random.default_rng(0)
    ours, theirs = pair(kind, 3, 4, **settings)
    states = [rng.standard_normal((*rows, 4)) for _ in range(1 + (kind == "LSTMCell"))] if begun else []
    agree(ours, theirs, rng.standard_normal((*rows, 3)), *states)
    assert repr(ours).replace("'", "") == repr(theirs).replace("'", "")


@pytest.mark.parametrize("lengths", [[4, 3, 1], [2, 4, 1]], ids=["sorted", "not sorted"])
@pytest.mark.parametrize(("kind", "settings"), CASES[::2], ids=str)
def test_packed_sequences(kind, settings, lengths):
    rng = np.random.default_rng(0)
    ours, theirs = pair(kind, 3, 4, **settings)
    how = {"batch_first": settings.get("batch_first", False), "enforce_sorted": lengths[0] == 4}
    x = rng.standard_normal((3, 4, 3) if how["batch_first"] else (4, 3, 3))
    agree(
        ours, theirs, x, *states_of(kind, (3,), settings, rng),
        given=lambda x: packing.pack_padded_sequence(x, lengths, **how),
        theirs_given=lambda x: theirs_packing.pack_padded_sequence(x, lengths, **how),
    )  # fmt: skip


@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=5), batch_first=st.booleans(), value=st.floats(-2, 2))
def test_packing_there_and_back(lengths, batch_first, value):
    rng = np.random.default_rng(len(lengths))
    parts = [rng.standard_normal((n, 2)) for n in lengths]
    ours = packing.pack_sequence(parts, enforce_sorted=False)
    theirs = theirs_packing.pack_sequence([torch.tensor(x) for x in parts], enforce_sorted=False)
    # sequences of one length may stand in another order, which says nothing
    assert ours.batch_sizes.tolist() == theirs.batch_sizes.tolist()
    assert np.array_equal(ours.unsorted_indices, np.argsort(ours.sorted_indices))
    for x, y in zip(packing.unpack_sequence(ours), theirs_packing.unpack_sequence(theirs), strict=True):
        assert np.array_equal(x, y.numpy())
    filled, found = packing.pad_packed_sequence(ours, batch_first, value, 6)
    other, lengths_found = theirs_packing.pad_packed_sequence(theirs, batch_first, value, 6)
    assert np.array_equal(filled, other.numpy())
    assert found.tolist() == lengths_found.tolist() == lengths
    for side in ("right", "left"):
        expected = theirs_packing.pad_sequence([torch.tensor(x) for x in parts], batch_first, value, side)
        assert np.array_equal(packing.pad_sequence(parts, batch_first, value, side), expected.numpy())


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(("kind", "settings"), [*CASES[:18:4], CASES[-1]], ids=str)
def test_checkpoints(kind, settings, tmp_path):
    torch.manual_seed(0)
    theirs, ours = getattr(torch.nn, kind)(3, 4, **settings), getattr(nn, kind)(3, 4, **settings)
    save_file(theirs.state_dict(), tmp_path / "a")
    load_torch(tmp_path / "a", ours)
    x = np.random.default_rng(0).standard_normal((2, 3, 3)).astype(np.float32)
    assert_close(ours(x)[0].numpy(), theirs(torch.tensor(x))[0].detach().numpy(), rtol=1e-5, atol=1e-6)
    back = load_file(to_torch(ours, tmp_path / "b"))
    assert back.keys() == theirs.state_dict().keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in theirs.state_dict().items())

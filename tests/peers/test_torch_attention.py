"""Attention and what is built on it, beside PyTorch's: values, gradients and second derivatives in float64; checkpoints."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from agreement import assert_close
from safetensors.torch import load_file, save_file

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops.network.attention import blocks
from tinygrad_edu.train import load_torch, to_torch

pytestmark = pytest.mark.peers
RNG = np.random.default_rng(5)


def close(ours, theirs):
    """Alike to 10⁻¹⁰; None stands for 0."""
    ours = 0.0 if ours is None else ours.numpy()
    theirs = 0.0 if theirs is None else theirs.detach().numpy()
    assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def agree(ours, theirs, inputs, parameters=(), peers=()):
    """Values; gradients of inputs and parameters by random cotangents; and those of the gradients."""
    rng = np.random.default_rng(3)
    xs = [tg.Tensor(x, requires_grad=True) for x in inputs]
    ts = [torch.tensor(x, requires_grad=True) for x in inputs]
    y, z = ours(*xs), theirs(*ts)
    close(y, z)
    v = rng.standard_normal(y.shape)
    a, b = [*xs, *parameters], [*ts, *peers]
    first = tg.grad(y, a, v, create_graph=True, allow_unused=True)
    their_first = torch.autograd.grad(z, b, torch.tensor(v), create_graph=True, allow_unused=True)
    for g, h in zip(first, their_first, strict=True):
        close(g, h)
    pairs = [(g, h) for g, h in zip(first, their_first, strict=True) if h is not None and h.requires_grad]
    us = [rng.standard_normal(g.shape) for g, _ in pairs]
    second = tg.grad([g for g, _ in pairs], a, us, allow_unused=True)
    their_second = torch.autograd.grad([h for _, h in pairs], b, [torch.tensor(u) for u in us], allow_unused=True)
    for g, h in zip(second, their_second, strict=True):
        close(g, h)


def causal(n, m):
    return np.tril(np.ones((n, m), bool))


PRODUCTS = [
    # q, keys, width of values, settings
    ((5, 4), 5, 3, {}),
    ((2, 5, 4), 7, 4, {}),
    ((2, 3, 6, 8), 6, 8, {"is_causal": True}),
    ((2, 3, 6, 8), 4, 8, {"is_causal": True}),
    ((2, 3, 4, 8), 6, 8, {"is_causal": True}),
    ((2, 3, 6, 8), 6, 5, {"scale": 0.3}),
    ((2, 3, 6, 8), 6, 8, {"attn_mask": causal(6, 6)}),
    ((2, 3, 6, 8), 4, 8, {"attn_mask": RNG.random((2, 1, 6, 4)) < 0.6}),
    ((2, 3, 6, 8), 4, 8, {"attn_mask": RNG.standard_normal((6, 4))}),
    ((2, 3, 6, 8), 4, 8, {"attn_mask": RNG.standard_normal((3, 1, 4))}),
    ((2, 3, 6, 8), 4, 8, {"attn_mask": np.where(causal(6, 4), 0.5, -np.inf)}),
    ((2, 4, 6, 8), 6, 8, {"enable_gqa": True, "heads": 2}),
    ((2, 4, 6, 8), 6, 8, {"enable_gqa": True, "heads": 1, "is_causal": True}),
]


@pytest.mark.parametrize("block", [blocks.BLOCK, 100], ids=["whole", "few rows a block"])
@pytest.mark.parametrize(("shape", "keys", "width", "settings"), PRODUCTS, ids=str)
def test_scaled_dot_product_attention(shape, keys, width, settings, block, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", block)
    settings = dict(settings)
    front = shape[:-2] if "heads" not in settings else (*shape[:-3], settings.pop("heads"))
    inputs = [RNG.standard_normal(s) for s in (shape, (*front, keys, shape[-1]), (*front, keys, width))]
    theirs = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in settings.items()}
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        agree(
            lambda *xs: F.scaled_dot_product_attention(*xs, **settings),
            lambda *xs: torch.nn.functional.scaled_dot_product_attention(*xs, **theirs),
            inputs,
        )


def test_a_mask_that_is_learnt():
    inputs = [RNG.standard_normal(s) for s in ((2, 3, 4), (2, 5, 4), (2, 5, 3), (1, 5))]
    agree(F.scaled_dot_product_attention, torch.nn.functional.scaled_dot_product_attention, inputs)


def test_a_query_that_may_look_at_nothing():
    inputs = [RNG.standard_normal(s) for s in ((3, 4), (5, 4), (5, 2))]
    mask = causal(3, 5)
    mask[1] = False
    agree(
        lambda *xs: F.scaled_dot_product_attention(*xs, mask),
        lambda *xs: torch.nn.functional.scaled_dot_product_attention(*xs, torch.tensor(mask)),
        inputs,
    )


def turned(name, array):
    """PyTorch's layout of a parameter, and the other way round."""
    whole = name.endswith(("proj_weight", "linear1.weight", "linear2.weight", "out_proj.weight"))
    return np.ascontiguousarray(array.T) if whole else array


def pair(make, peer):
    """A layer here and PyTorch's of the same random numbers, in float64."""
    ours, theirs = make().double().eval(), peer().double().eval()
    named, known = dict(ours.named_parameters()), dict(theirs.named_parameters())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    rng = np.random.default_rng(1)
    for name, p in named.items():
        p.data[...] = rng.standard_normal(p.shape) * 0.5
        with torch.no_grad():
            known[name].copy_(torch.tensor(turned(name, p.numpy())))
    return ours, theirs, named, known


class Turned:
    """A parameter of PyTorch's as it lies here, so that gradients can be compared."""

    def __init__(self, module, known):
        self.module, self.names = module, list(known)
        self.leaves = [torch.tensor(turned(n, p.detach().numpy()), requires_grad=True) for n, p in known.items()]

    def __call__(self, *args, **settings):
        given = {
            n: p.T if turned(n, np.ones((1, 2))).shape == (2, 1) else p
            for n, p in zip(self.names, self.leaves, strict=True)
        }
        return torch.func.functional_call(self.module, given, args, settings)


HEADS = [
    # arguments, shapes of q, k, v, settings of the call
    ((8, 2), {}, [(5, 2, 8)], {}),
    ((8, 2), {"batch_first": True}, [(2, 5, 8)], {}),
    ((8, 4), {"bias": False}, [(5, 2, 8), (7, 2, 8), (7, 2, 8)], {}),
    ((8, 2), {"kdim": 3, "vdim": 5, "batch_first": True}, [(2, 5, 8), (2, 7, 3), (2, 7, 5)], {}),
    ((8, 2), {"add_bias_kv": True}, [(5, 2, 8), (7, 2, 8), (7, 2, 8)], {}),
    ((8, 2), {"add_zero_attn": True, "batch_first": True}, [(2, 5, 8)], {"key_padding_mask": "padding"}),
    ((8, 2), {"add_bias_kv": True, "add_zero_attn": True}, [(5, 2, 8)], {"attn_mask": "causal"}),
    ((8, 2), {"batch_first": True}, [(2, 5, 8)], {"key_padding_mask": "padding", "attn_mask": "causal"}),
    ((8, 2), {"batch_first": True}, [(2, 5, 8)], {"attn_mask": "each"}),
    ((8, 2), {}, [(5, 8)], {"attn_mask": "numbers"}),
    ((8, 1), {}, [(5, 8), (7, 8), (7, 8)], {}),
    ((6, 3), {"batch_first": True}, [(1, 1, 6)], {}),
]
MASKS = {
    "padding": np.arange(5) >= np.array([[3], [5]]),
    "causal": ~causal(5, 5),
    "each": RNG.random((4, 5, 5)) < 0.3,
    "numbers": RNG.standard_normal((5, 5)),
}
MASKS["each"][:, :, 0] = False


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize(("sizes", "settings", "shapes", "masks"), HEADS, ids=str)
def test_multihead_attention(sizes, settings, shapes, masks, need_weights):
    ours, theirs, named, known = pair(
        lambda: nn.MultiheadAttention(*sizes, **settings), lambda: torch.nn.MultiheadAttention(*sizes, **settings)
    )
    peer = Turned(theirs, known)
    masks = {name: MASKS[mask] for name, mask in masks.items()}
    their_masks = {name: torch.tensor(mask) for name, mask in masks.items()}
    inputs = [RNG.standard_normal(s) for s in shapes]

    def spread(xs):
        return xs if len(xs) == 3 else xs * 3

    for average in (True, False) if need_weights else (True,):
        y = ours(*spread(inputs), need_weights=need_weights, average_attn_weights=average, **masks)[1]
        z = theirs(
            *spread([torch.tensor(x) for x in inputs]), need_weights=need_weights, average_attn_weights=average, **their_masks
        )[1]  # fmt: skip
        if need_weights:
            close(y, z)
        else:
            assert y is None
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        agree(
            lambda *xs: ours(*spread(xs), need_weights=need_weights, **masks)[0],
            lambda *xs: peer(*spread(xs), need_weights=need_weights, **their_masks)[0],
            inputs, list(named.values()), peer.leaves,
        )  # fmt: skip


STACKS = {
    **{
        f"encoder layer {settings}": (
            lambda M, settings=settings: M.TransformerEncoderLayer(8, 2, 12, 0.1, **settings), 1, masks
        )
        for settings, masks in [
            ({}, {}),
            ({"batch_first": True}, {"src_key_padding_mask": "padding"}),
            ({"norm_first": True, "batch_first": True}, {"src_mask": "causal"}),
            ({"activation": "gelu", "batch_first": True}, {"src_mask": "causal", "src_key_padding_mask": "padding"}),
            ({"bias": False, "batch_first": True}, {}),
            ({"layer_norm_eps": 0.1, "norm_first": True, "activation": "gelu"}, {}),
        ]
    },
    **{
        f"decoder layer {settings}": (
            lambda M, settings=settings: M.TransformerDecoderLayer(8, 2, 12, 0.1, **settings), 2, masks
        )
        for settings, masks in [
            ({}, {}),
            ({"batch_first": True}, {"tgt_mask": "causal", "memory_key_padding_mask": "padding"}),
            ({"norm_first": True, "batch_first": True}, {"tgt_key_padding_mask": "padding"}),
            ({"activation": "gelu"}, {"tgt_mask": "causal", "memory_mask": "causal"}),
            ({"bias": False, "batch_first": True}, {}),
            ({"layer_norm_eps": 0.1, "norm_first": True}, {}),
        ]
    },
    "encoder": (
        lambda M: M.TransformerEncoder(M.TransformerEncoderLayer(8, 2, 12, batch_first=True), 2, M.LayerNorm(8)), 1,
        {"mask": "causal"},
    ),
    "decoder": (
        lambda M: M.TransformerDecoder(M.TransformerDecoderLayer(8, 2, 12), 2), 2, {"tgt_mask": "causal"},
    ),
    "transformer": (lambda M: M.Transformer(8, 2, 1, 1, 12), 2, {"tgt_mask": "causal"}),
    "transformer, norms first": (
        lambda M: M.Transformer(8, 2, 2, 1, 12, norm_first=True, batch_first=True), 2,
        {"src_key_padding_mask": "padding", "tgt_mask": "causal", "memory_key_padding_mask": "padding"},
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("name", STACKS)
def test_layers_and_stacks(name):
    make, count, masks = STACKS[name]
    ours, theirs, named, known = pair(lambda: make(nn), lambda: make(torch.nn))
    theirs.train()  # PyTorch's own fast path of evaluation has no second derivatives
    for part in theirs.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
        if isinstance(part, torch.nn.MultiheadAttention):
            part.dropout = 0.0
    peer = Turned(theirs, known)
    first = any(getattr(m, "batch_first", False) for m in ours.modules())
    inputs = [RNG.standard_normal((2, 5, 8) if first else (5, 2, 8)) for _ in range(count)]
    masks = {name: MASKS[mask] for name, mask in masks.items()}
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        agree(
            lambda *xs: ours(*xs, **masks),
            lambda *xs: peer(*xs, **{n: torch.tensor(m) for n, m in masks.items()}),
            inputs, list(named.values()), peer.leaves,
        )  # fmt: skip


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize(
    "make",
    [
        lambda M: M.MultiheadAttention(8, 2),
        lambda M: M.MultiheadAttention(8, 2, kdim=3, vdim=5, add_bias_kv=True),
        lambda M: M.Transformer(8, 2, 2, 2, 12),
    ],
)
def test_checkpoints_are_read_and_written(make, tmp_path):
    theirs, ours = make(torch.nn), make(nn)
    with torch.no_grad():
        for p in theirs.parameters():
            p.copy_(torch.randn_like(p))
    save_file(theirs.state_dict(), tmp_path / "theirs")
    load_torch(tmp_path / "theirs", ours)
    back = load_file(to_torch(ours, tmp_path / "ours"))
    assert back.keys() == theirs.state_dict().keys()
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(back[name], tensor), name
        np.testing.assert_array_equal(ours.state_dict()[name], turned(name, tensor.numpy()))


def test_matrices_begin_as_pytorchs_do():
    theirs, ours = (
        torch.nn.MultiheadAttention(256, 4, add_bias_kv=True),
        nn.MultiheadAttention(256, 4, add_bias_kv=True),
    )
    for name, p in theirs.named_parameters():
        mine = dict(ours.named_parameters())[name]
        assert mine.numpy().std() == pytest.approx(p.std().item(), rel=0.25, abs=1e-9), name


def test_positions_are_those_of_the_tutorial():
    table = nn.PositionalEncoding(6, max_len=50, dtype=float).table.numpy()
    position = torch.arange(50).unsqueeze(1)
    div = torch.exp(torch.arange(0, 6, 2) * (-np.log(10000.0) / 6))
    assert_close(table[:, 0::2], torch.sin(position * div).numpy(), atol=1e-6)
    assert_close(table[:, 1::2], torch.cos(position * div).numpy(), atol=1e-6)
    assert copy.deepcopy(nn.PositionalEncoding(6)).state_dict() == {}

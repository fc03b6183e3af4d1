"""ONNX files that PyTorch's exporter writes, read as modules: the same numbers and gradients, for another batch too."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pytest
import torch
from agreement import assert_close
from torch import nn

import tinygrad_edu as tg


class First(nn.Module):
    """What a layer returns first."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0]


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def joined(x):
    """Reductions, norms and slices, side by side."""
    parts = [x.mean(1, keepdim=True), x.sum(1, keepdim=True), x.std(1, keepdim=True), x.amax(1, keepdim=True)]
    return torch.cat(
        [*parts, x.cumsum(1)[:, -1:], x[:, 1:3].norm(dim=1, keepdim=True), torch.where(x > 0, x, x * 2)[:, ::2]], 1
    )


def several(x):
    """Products, orders and shapes."""
    return (
        torch.einsum("bij,bkj->bik", x, x),
        x.flip(1),
        x.sort(1)[0],
        x.argmax(1),
        x.tril(),
        x.clamp(-1, 1),
        x.flatten(1),
    )


CONV = nn.Sequential(
    nn.Conv2d(3, 6, 3, 2, 1, groups=3), nn.BatchNorm2d(6), nn.ReLU6(), nn.MaxPool2d(2, padding=1, ceil_mode=True),
    nn.AvgPool2d(2, ceil_mode=True, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2),
)  # fmt: skip
ACTIVATIONS = nn.Sequential(
    nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.ELU(), nn.SELU(), nn.LeakyReLU(), nn.Hardswish(), nn.Hardsigmoid(),
    nn.Softplus(), nn.Softsign(), nn.Hardtanh(), nn.Tanh(), nn.LogSigmoid(), nn.PReLU(), nn.LogSoftmax(1), nn.Softmax(1),
)  # fmt: skip

MODELS = {
    "mlp": (nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)), (4,)),
    "convolution": (CONV, (3, 17, 15)),
    "norms": (nn.Sequential(nn.GroupNorm(2, 4), nn.InstanceNorm2d(4, affine=True), nn.LayerNorm((4, 5, 6))), (4, 5, 6)),
    "activations": (ACTIVATIONS, (5,)),
    "words": (nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 2)), (5,)),
    "lstm": (First(nn.LSTM(4, 5, bidirectional=True, batch_first=True)), (6, 4)),
    "gru": (First(nn.GRU(4, 5, batch_first=True)), (6, 4)),
    "rnn": (First(nn.RNN(4, 5, nonlinearity="relu", batch_first=True)), (6, 4)),
    "encoder": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (5, 8)),
    "images": (
        nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.PixelShuffle(2), nn.ReflectionPad2d(1), nn.ConvTranspose2d(2, 3, 3, 2, 1, 1)),
        (8, 3, 4),
    ),
    "several results": (Function(several), (5, 4)),
}  # fmt: skip
NIGHTLY = {
    "one dimension": (nn.Sequential(nn.Conv1d(3, 4, 3), nn.ConvTranspose1d(4, 2, 3, 2, 1, 1)), (3, 9)),
    "three dimensions": (nn.Sequential(nn.Conv3d(2, 3, 2), nn.ConvTranspose3d(3, 2, 2)), (2, 5, 4, 4)),
    "pools": (nn.Sequential(nn.AvgPool2d(3, 2, 1, count_include_pad=False), nn.AdaptiveMaxPool2d(2)), (3, 12, 12)),
    "rms norm": (nn.RMSNorm(6), (4, 6)),
    "layers of lstm": (First(nn.LSTM(4, 5, 2, bidirectional=True, batch_first=True)), (6, 4)),
    "layers of gru": (First(nn.GRU(4, 5, 2, bidirectional=True, batch_first=True)), (6, 4)),
    "rnn of tanh": (First(nn.RNN(4, 5, batch_first=True)), (6, 4)),
    "lstm cell": (First(nn.LSTMCell(4, 5)), (4,)),
    "gru cell": (nn.GRUCell(4, 5), (4,)),
    "attention": (Attention(), (5, 8)),
    "corners": (nn.Upsample(size=(7, 9), mode="bilinear", align_corners=True), (3, 4, 5)),
    "cubic": (nn.Upsample(scale_factor=2, mode="bicubic"), (3, 4, 5)),
    "nearest": (nn.Upsample(scale_factor=2), (3, 4, 5)),
    "borders": (nn.Sequential(nn.ZeroPad2d(1), nn.ReplicationPad2d(1), nn.CircularPad2d(1)), (3, 4, 5)),
    "unshuffled": (nn.PixelUnshuffle(2), (2, 6, 6)),
    "unfold": (nn.Unfold(3, padding=1), (3, 4, 5)),
    "reductions": (Function(joined), (5,)),
}


def written(model, x, path):
    """The file that PyTorch's exporter writes, for any batch."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        sizes = ({0: torch.export.Dim.DYNAMIC},)
        torch.onnx.export(model, (x,), str(path), dynamo=True, opset_version=20, verbose=False, dynamic_shapes=sizes)
    return path


def check(model, shape, folder):
    """Numbers, and gradients by the input, of another batch than that of the example."""
    torch.manual_seed(0)
    model.eval()
    whole = isinstance(next(model.children(), None), nn.Embedding)

    def drawn(n):
        return torch.randint(0, 7, (n, *shape)) if whole else torch.randn(n, *shape)

    loaded = tg.export.load_onnx(written(model, drawn(3), folder / "net.onnx"))
    x = drawn(5)
    if not whole:
        x.requires_grad_()
    theirs, ours = model(x), loaded(tg.Tensor(x.detach().numpy(), requires_grad=not whole) if not whole else x.numpy())
    theirs, ours = [y if isinstance(y, tuple) else (y,) for y in (theirs, ours)]
    for a, b in zip(ours, theirs, strict=True):
        assert_close(a.numpy(), b.detach().numpy(), rtol=1e-4, atol=2e-5)
    if not whole:
        given = tg.Tensor(x.detach().numpy(), requires_grad=True)
        slope = tg.grad(np.square(first(loaded(given))).sum(), given)
        (peer,) = torch.autograd.grad(first(model(x)).square().sum(), x)
        assert_close(slope.numpy(), peer.numpy(), rtol=1e-3, atol=1e-4 * max(1.0, float(peer.abs().max())))
    return loaded


def first(y):
    return y[0] if isinstance(y, tuple) else y


@pytest.mark.parametrize("name", MODELS)
def test_a_file_of_pytorch(name, tmp_path):
    check(*MODELS[name], tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("name", NIGHTLY)
def test_further_files_of_pytorch(name, tmp_path):
    check(*NIGHTLY[name], tmp_path)


def test_parameters_have_pytorchs_names(tmp_path):
    """The exporter may compute some anew, as where it takes a batch norm into the layer before it; here is none."""
    model = nn.Sequential(nn.Linear(40, 80), nn.ReLU(), nn.Linear(80, 3))
    path = written(model.eval(), torch.zeros(2, 40), tmp_path / "net.onnx")
    loaded = tg.export.load_onnx(path)
    state = loaded.state_dict()
    assert state.keys() == model.state_dict().keys()
    assert all(np.array_equal(state[name], x.numpy()) for name, x in model.state_dict().items())
    assert all(p.requires_grad for p in loaded.parameters())
    beside = path.with_name("net.onnx.data")
    if beside.exists():  # where PyTorch puts the numbers
        beside.unlink()
        with pytest.raises(FileNotFoundError, match=r"keeps its numbers in net\.onnx\.data"):
            tg.export.load_onnx(path)


def test_what_was_written_here_is_read_by_pytorchs_tools(tmp_path):
    """onnxscript, on which PyTorch's exporter stands, reads and optimizes the file, and its numbers stay."""
    import onnx
    import onnxscript.optimizer

    model = tg.nn.Sequential(tg.nn.Linear(4, 8), tg.nn.BatchNorm1d(8), tg.nn.GELU(), tg.nn.Linear(8, 3)).eval()
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    file = onnx.load(tg.export.onnx(model, x, tmp_path / "net.onnx"))
    path = tmp_path / "optimized.onnx"
    onnx.save(onnxscript.optimizer.optimize(file), str(path))
    assert_close(tg.export.load_onnx(path)(x).numpy(), model(x).numpy(), rtol=1e-5, atol=1e-6)

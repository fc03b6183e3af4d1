"""Every layer of nn and every model, each with an input: what ONNX files are tried on."""

from __future__ import annotations

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import models, nn
from tinygrad_edu.models.resnet import BasicBlock, Bottleneck


def real(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def positive(*shape):
    return np.abs(real(*shape)) * 0.3 + 0.1


def whole(most, *shape):
    return np.random.default_rng(1).integers(0, most, shape)


def signs(*shape):
    return np.where(real(*shape) > 0, 1, -1)


LINE, IMAGE, BLOCK = (3, 4, 6), (3, 4, 6, 7), (2, 4, 4, 5, 4)
ACTIVATIONS = [
    "ELU",
    "GELU",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "LeakyReLU",
    "LogSigmoid",
    "Mish",
    "ReLU",
    "ReLU6",
    "SELU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Step",
    "Tanh",
    "LogSoftmax",
    "Softmax",
    "Flatten",
    "Dropout",
    "PReLU",
]
IMAGES = [LINE, IMAGE, BLOCK]


def in_dimensions(name, *arguments, sizes=IMAGES, **options):
    """A layer that is there for one, two and three dimensions."""
    return {
        f"{name}{n}d": (lambda n=n: getattr(nn, f"{name}{n}d")(*arguments, **options), (real(*sizes[n - 1]),))
        for n in (1, 2, 3)
    }


LAYERS = {
    **{name: (getattr(nn, name), (real(3, 4),)) for name in ACTIVATIONS},
    "GLU": (nn.GLU, (real(3, 4),)),
    "ActivityPenalty": (lambda: nn.ActivityPenalty(0.1), (real(3, 4),)),
    "Linear": (lambda: nn.Linear(4, 3), (real(3, 4),)),
    "LazyLinear": (lambda: nn.LazyLinear(3), (real(3, 4),)),
    "Bilinear": (lambda: nn.Bilinear(4, 5, 3), (real(3, 4), real(3, 5))),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 3)), (real(3, 6),)),
    "Embedding": (lambda: nn.Embedding(7, 4, 0), (whole(7, 3, 5),)),
    "PositionalEmbedding": (lambda: nn.PositionalEmbedding(4, max_len=8), (real(3, 5, 4),)),
    "PositionalEncoding": (lambda: nn.PositionalEncoding(4, max_len=8), (real(3, 5, 4),)),
    "LayerNorm": (lambda: nn.LayerNorm((4, 6)), (real(*LINE),)),
    "RMSNorm": (lambda: nn.RMSNorm(6), (real(*LINE),)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), (real(*IMAGE),)),
    **in_dimensions("BatchNorm", 4),
    **in_dimensions("InstanceNorm", 4, affine=True),
    **in_dimensions("LazyBatchNorm"),
    **in_dimensions("LazyInstanceNorm"),
    **in_dimensions("Dropout"),
    **in_dimensions("Conv", 4, 6, 3, stride=2, padding=1, groups=2),
    **in_dimensions("LazyConv", 3, 2),
    **in_dimensions("ConvTranspose", 4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
    **in_dimensions("LazyConvTranspose", 3, 2),
    **in_dimensions("MaxPool", 2, padding=1, ceil_mode=True),
    **in_dimensions("AvgPool", 2, padding=1, ceil_mode=True),
    **in_dimensions("LPPool", 2, 2),
    **in_dimensions("AdaptiveAvgPool", 3),
    **in_dimensions("AdaptiveMaxPool", 3),
    **in_dimensions("ZeroPad", 1),
    **in_dimensions("ConstantPad", 1, 0.5),
    **in_dimensions("ReflectionPad", 1),
    **in_dimensions("ReplicationPad", 1),
    **in_dimensions("CircularPad", 1),
    "Upsample": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (real(*IMAGE),)),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), (real(2, 8, 3, 3),)),
    "PixelUnshuffle": (lambda: nn.PixelUnshuffle(2), (real(2, 2, 6, 4),)),
    "Unfold": (lambda: nn.Unfold(3, padding=1, stride=2), (real(*IMAGE),)),
    "Fold": (lambda: nn.Fold((5, 6), 2), (real(2, 12, 20),)),
    **{f"MaxUnpool{n}d": (lambda n=n: Unpooled(n), (real(3, 4, *[6, 8, 4][:n]),)) for n in (1, 2, 3)},
    "RNNCell": (lambda: nn.RNNCell(4, 5), (real(3, 4),)),
    "LSTMCell": (lambda: nn.LSTMCell(4, 5), (real(3, 4),)),
    "GRUCell": (lambda: nn.GRUCell(4, 5), (real(3, 4),)),
    "RNN": (lambda: nn.RNN(4, 5, nonlinearity="relu", batch_first=True), (real(3, 6, 4),)),
    "LSTM": (lambda: nn.LSTM(4, 5, num_layers=2, bidirectional=True, batch_first=True), (real(3, 6, 4),)),
    "GRU": (lambda: nn.GRU(4, 5, num_layers=2, bidirectional=True, batch_first=True), (real(3, 6, 4),)),
    "MultiheadAttention": (lambda: nn.MultiheadAttention(8, 2, batch_first=True), (real(2, 3, 8), real(2, 5, 8), real(2, 5, 8))),
    "TransformerEncoderLayer": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (real(2, 3, 8),)),
    "TransformerDecoderLayer": (lambda: nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), (real(2, 3, 8), real(2, 4, 8))),
    "TransformerEncoder": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2), (real(2, 3, 8),)
    ),
    "TransformerDecoder": (
        lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), 2),
        (real(2, 3, 8), real(2, 4, 8)),
    ),
    "Transformer": (lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True), (real(2, 3, 8), real(2, 4, 8))),
    "Sequential": (lambda: nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)), (real(3, 4),)),
    # losses, of which the mean over the batch is a number
    "MSELoss": (nn.MSELoss, (real(3, 4), positive(3, 4))),
    "HalfSquaredError": (nn.HalfSquaredError, (real(3, 4), positive(3, 4))),
    "L1Loss": (nn.L1Loss, (real(3, 4), positive(3, 4))),
    "SmoothL1Loss": (nn.SmoothL1Loss, (real(3, 4), positive(3, 4))),
    "HuberLoss": (nn.HuberLoss, (real(3, 4), positive(3, 4))),
    "CrossEntropyLoss": (nn.CrossEntropyLoss, (real(3, 4), whole(4, 3))),
    "NLLLoss": (nn.NLLLoss, (real(3, 4), whole(4, 3))),
    "BCELoss": (nn.BCELoss, (positive(3, 4).clip(0.1, 0.9), positive(3, 4).clip(0.1, 0.9))),
    "BCEWithLogitsLoss": (nn.BCEWithLogitsLoss, (real(3, 4), positive(3, 4).clip(0.1, 0.9))),
    "KLDivLoss": (lambda: nn.KLDivLoss(reduction="batchmean"), (real(3, 4), positive(3, 4))),
    "PoissonNLLLoss": (nn.PoissonNLLLoss, (real(3, 4), positive(3, 4))),
    "GaussianNLLLoss": (nn.GaussianNLLLoss, (real(3, 4), real(3, 4) + 1, positive(3, 4))),
    "HingeLoss": (nn.HingeLoss, (real(3, 4), signs(3, 4))),
    "HingeEmbeddingLoss": (nn.HingeEmbeddingLoss, (real(3, 4), signs(3, 4))),
    "SoftMarginLoss": (nn.SoftMarginLoss, (real(3, 4), signs(3, 4))),
    "MarginRankingLoss": (nn.MarginRankingLoss, (real(3), real(3) + 0.5, signs(3))),
    "CosineEmbeddingLoss": (nn.CosineEmbeddingLoss, (real(3, 4), real(3, 4) + 1, signs(3))),
    "TripletMarginLoss": (nn.TripletMarginLoss, (real(3, 4), real(3, 4) + 1, real(3, 4) - 1)),
    "MultiMarginLoss": (nn.MultiMarginLoss, (real(3, 4), whole(4, 3))),
    "MultiLabelSoftMarginLoss": (nn.MultiLabelSoftMarginLoss, (real(3, 4), whole(2, 3, 4))),
}  # fmt: skip
"""Each layer of nn: how it is made, and inputs whose first axis is the batch."""

NO_LAYERS = {"Buffer", "Module", "ModuleDict", "ModuleList", "Parameter", "ParameterDict", "ParameterList", "Scope"}
"""What is named in nn beside layers and functions."""


class Unpooled(nn.Module):
    """The largest of each window, put back."""

    def __init__(self, n):
        self.pool = getattr(nn, f"MaxPool{n}d")(2, return_indices=True)
        self.back = getattr(nn, f"MaxUnpool{n}d")(2)

    def forward(self, x):
        return self.back(*self.pool(x))


class Read(nn.Module):
    """A model of recurrent layers, without the states that it returns besides."""

    def __init__(self, model):
        self.model = model

    def forward(self, *x):
        return self.model(*x)[0]


MODELS = {
    "mlp": (lambda: models.mlp(20, 7, 3, batch_norm=True, dropout=0.5), (real(3, 20),)),
    "LeNet5": (lambda: models.LeNet5((1, 32, 32), 4), (real(2, 1, 32, 32),)),
    "SimpleConvNet": (lambda: models.SimpleConvNet((1, 9, 11), 4, filters=3, hidden=5), (real(2, 1, 9, 11),)),
    "DeepConvNet": (lambda: models.DeepConvNet((1, 17, 20), 4), (real(2, 1, 17, 20),)),
    "AlexNet": (lambda: models.AlexNet(4, in_channels=1, hidden=8), (real(2, 1, 64, 64),)),
    "VGG": (lambda: models.VGG((1, 1, 2, 1, 1), 4, in_channels=1, hidden=8, batch_norm=True), (real(2, 1, 32, 32),)),
    "GoogLeNet": (lambda: models.GoogLeNet(4, in_channels=1), (real(2, 1, 33, 33),)),
    "ResNet": (lambda: models.ResNet(Bottleneck, (1, 2, 1, 1), 4, in_channels=1, width=4), (real(2, 1, 33, 33),)),
    "MobileNetV2": (lambda: models.MobileNetV2(4, 0.25, in_channels=1), (real(2, 1, 33, 33),)),
    "UNet": (lambda: models.UNet(2, 3, width=4, depth=2, batch_norm=True), (real(2, 2, 16, 20),)),
    "DeepLabV3": (lambda: models.DeepLabV3(3, in_channels=2, depths=(1, 1, 1, 1), width=4), (real(2, 2, 33, 40),)),
    "DeepLabHead": (lambda: models.DeepLabHead(8, 3), (real(2, 8, 9, 9),)),
    "CharRNN": (lambda: Read(models.CharRNN(11, 8, 6)), (whole(11, 3, 7),)),
    "SentimentRNN": (lambda: models.SentimentRNN(11, 8, 6), (whole(10, 3, 7) + 1,)),
    "Seq2Seq": (lambda: models.Seq2Seq(11, 8, 6, way="attention"), (whole(11, 3, 7), whole(11, 3, 4))),
    "GPT": (lambda: models.GPT(11, 8, n_layer=2, n_head=2, n_embd=8), (whole(11, 3, 7),)),
    "Autoencoder": (lambda: models.Autoencoder(12, 4, (5,)), (real(3, 12),)),
    "VAE": (lambda: models.VAE(12, 4, (5,)), (real(3, 12),)),
    "GAN": (lambda: models.GAN(12, 4), (real(3, 12),)),
    "DCGAN": (lambda: models.DCGAN(4, 1, 8, 2), (real(3, 1, 8, 8),)),
}
"""Each model, in a small size; those that differ in their depth alone are in `LARGE`."""

LARGE = {
    **{f"VGG{n}": (getattr(models, f"VGG{n}"), (real(1, 3, 32, 32),)) for n in (11, 13, 16, 19)},
    **{f"ResNet{n}": (getattr(models, f"ResNet{n}"), (real(1, 3, 64, 64),)) for n in (18, 34, 50, 101, 152)},
}
"""The networks that were published with fixed depths, for the night."""


def made(make):
    """The network with the weights of a seed, in eval(). Running averages are not those of a new network."""
    tg.manual_seed(0)
    model = make()
    if not isinstance(model, nn.Module):
        return model
    rng = np.random.default_rng(2)
    for name, buffer in model.named_buffers():
        if "running" in name:
            buffer.data = np.abs(rng.standard_normal(buffer.shape)).astype(buffer.dtype) + np.float32(0.5)
    return model.eval()


assert BasicBlock

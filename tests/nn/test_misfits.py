"""Inputs that do not fit a layer of images or sequences: the layer's path, what it got, what it takes; nothing changed."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import models, nn
from tinygrad_edu.models import blocks
from tinygrad_edu.nn.utils import rnn as packing


class Net(nn.Module):
    def __init__(self, layer):
        self.body = nn.Sequential(nn.Identity(), layer)

    def forward(self, *args, **settings):
        return self.body[1](*args, **settings)


def ones(*shape):
    return np.ones(shape, np.float32)


def zeros(*shape):
    return np.zeros(shape, int)


X, ONE = ones(5, 2, 8), ones(1, 2, 4)
MISFITS = {
    "rows too long": (lambda: nn.Linear(4, 8), (ones(2, 3),), r"but got \(2, 3\); nn\.Linear\(3, 8\) does"),
    "images instead of rows": (lambda: nn.Linear(64, 3), (ones(2, 8, 8),), r"but got \(2, 8, 8\); nn\.Flatten\(\) before it makes rows of images$"),
    "images of another size": (
        lambda: nn.Linear(64, 3), (ones(2, 1, 7, 7),), r"nn\.Flatten\(\) before it makes rows of images, for nn\.Linear\(49, 3\)",
    ),
    "a number instead of rows": (lambda: nn.Linear(4, 8), (np.float32(1),), r"\(…, 4\), but got \(\)$"),
    "rows of several lengths": (lambda: nn.Linear(2, 3), ([[1.0, 2.0], [3.0]],), "one length: fill the short ones up"),
    "all results of a layer": (lambda: nn.Linear(8, 3), (nn.LSTM(8, 8)(ones(5, 2, 8)),), r"a tuple of 2; take one of several results, as in y, state = lstm\(x\)"),
    "results without a record": (lambda: nn.ReLU(), (tg.no_grad().run(nn.GRU(8, 8), ones(5, 2, 8)),), "a tuple of 2; take one"),
    "too few channels": (lambda: nn.Conv2d(4, 8, 3), (ones(2, 3, 8, 8),), r"Conv2d\(4, 8, .* \(N, 4, H, W\), but got \(2, 3, 8, 8\)"),
    "images without channels": (lambda: nn.Conv2d(1, 8, 3), (ones(2, 8, 8),), r"but got \(2, 8, 8\); write x\[:, None\]"),
    "channels last": (lambda: nn.Conv2d(3, 8, 3), (ones(2, 8, 8, 3),), r"write np\.moveaxis\(x, -1, 1\)"),
    "a large kernel": (lambda: nn.Conv3d(1, 8, 9), (ones(2, 1, 8, 8, 8),), r"kernel of \(9, 9, 9\), .* does not fit into \(8, 8, 8\) places, padding and all; take"),
    "a mirror too small": (
        lambda: nn.Conv2d(1, 1, 3, padding=5, padding_mode="reflect"), (ones(1, 1, 4, 4),),
        r"makes a border of what x has, but got \(1, 1, 4, 4\), which has less; take a padding of at most \(3, 3\)",
    ),
    "nothing to repeat": (lambda: nn.ReplicationPad2d(1), (ones(1, 1, 0, 4),), r"but got \(1, 1, 0, 4\), which has nothing"),
    "a padding that eats all": (lambda: nn.ConvTranspose1d(4, 8, 1, padding=6), (ones(2, 4, 2),), r"would give \(-10,\) places: take less padding"),
    "an output too large": (lambda: nn.ConvTranspose1d(4, 8, 3, 2), (ones(2, 4, 8), (30,)), r"an output_size from \(17,\) to \(18,\), but got \(30,\)"),
    "an output of other axes": (lambda: nn.ConvTranspose1d(4, 8, 3, 2), (ones(2, 4, 8), (17, 17)), r"but got \(17, 17\)"),
    "a large window": (lambda: nn.MaxPool2d(9), (ones(2, 4, 8, 8),), r"9 places long, do not fit into images of \(8, 8\) with a padding of 0; take"),
    "a single image": (lambda: nn.AvgPool2d(2), (ones(8, 8),), r"but got \(8, 8\); write x\[None\]"),
    "no places": (lambda: nn.AdaptiveAvgPool2d(2), (ones(1, 1, 0, 4),), r"\(0, 4\) would become \(2, 2\)"),
    "places outside": (lambda: nn.MaxUnpool2d(2), (ones(1, 1, 2, 2), zeros(1, 1, 2, 2) + 99), "places 0 to 15, but got indices up to 99"),
    "other indices": (lambda: nn.MaxUnpool2d(2), (ones(1, 1, 2, 2), zeros(1, 1, 2, 3)), r"of the shape of x, \(1, 1, 2, 2\), .* \(1, 1, 2, 3\)"),
    "half a place": (lambda: nn.Upsample(2.5), (ones(1, 1, 4, 4),), "whole numbers of places, but got 2.5; or write scale_factor="),
    "fewer than one place": (lambda: nn.Upsample(scale_factor=0.1), (ones(1, 1, 4, 4),), r"\(4, 4\) would become \(0, 0\)"),
    "channels that are no square": (lambda: nn.PixelShuffle(2), (ones(1, 3, 4, 4),), r"takes x of shape \(…, C·4, H, W\), but got \(1, 3, 4, 4\)"),
    "odd sizes": (lambda: nn.PixelUnshuffle(2), (ones(1, 3, 5, 4),), r"\(…, C, 2·H, 2·W\), but got \(1, 3, 5, 4\)"),
    "other channels": (lambda: nn.BatchNorm2d(3), (ones(2, 4, 5, 5),), r"\(N, 3, H, W\), but got \(2, 4, 5, 5\)"),
    "no batch": (lambda: nn.BatchNorm2d(3), (ones(3, 5, 5),), r"but got \(3, 5, 5\); write x\[None\] for one image"),
    "one value": (lambda: nn.BatchNorm3d(3), (ones(1, 3, 1, 1, 1),), r"more than one value a channel .* got x of shape \(1, 3, 1, 1, 1\)"),
    "other channels, normalized each": (lambda: nn.InstanceNorm1d(3), (ones(2, 4, 5),), r"\(N, 3, L\) or \(3, L\), but got \(2, 4, 5\)"),
    "no channels to drop": (lambda: nn.Dropout3d(), (ones(4),), r"takes x of 5 or 4 axes, but got \(4,\)"),
    "a lazy layer's groups": (lambda: nn.LazyConv2d(4, 3, groups=2), (ones(1, 3, 5, 5),), "2 does not divide in_channels=3"),
    "a lazy layer's kernel": (lambda: nn.LazyConv2d(4, 9), (ones(1, 3, 5, 5),), "does not fit into"),
    "a lazy layer's axes": (lambda: nn.LazyConvTranspose2d(4, 9), (ones(5, 5),), r"\(N, n, H, W\), and is made for that n, but got \(5, 5\)"),
    "a sequence of no step": (lambda: nn.GRU(3, 4), (ones(0, 2, 3),), r"at least one step, but got x of shape \(0, 2, 3\)"),
    "other features": (lambda: nn.RNN(3, 4), (ones(5, 2, 2),), r"\(T, N, 3\) or \(T, 3\), but got \(5, 2, 2\)"),
    "a state of one layer": (lambda: nn.GRU(3, 4, 2), (ones(5, 2, 3), ONE), r"h_0 of shape \(2, 2, 4\) for this input, but got \(1, 2, 4\)"),
    "one state of two": (lambda: nn.LSTM(3, 4), (ones(5, 2, 3), (ONE,)), r"a pair of states, \(h_0, c_0\), but got 1 in a tuple"),
    "a cell's state": (lambda: nn.LSTMCell(3, 4), (ones(2, 3), (ones(4), ones(4))), r"h of shape \(2, 4\) for this input, but got \(4,\)"),
    "a mask turned": (lambda: nn.GRU(3, 4), (ones(5, 2, 3),), r"\(5, 2\), one for each step, but got bool \(2, 5\)", {"mask": np.ones((2, 5), bool)}),
    "packed, other features": (lambda: nn.RNN(3, 4), (packing.pack_sequence([ones(2, 2)]),), r"packed steps of shape \(3,\), but got \(2,\)"),
    "packed, with a mask": (lambda: nn.RNN(3, 4), (packing.pack_sequence([ones(2, 3)]),), "takes no mask beside packed sequences", {"mask": np.ones((2, 1), bool)}),
    "a mask of numbers": (lambda: nn.MultiheadAttention(8, 2), (X, X, X), r"attn_mask holds truths, or numbers to add, but got int64; write mask\.astype\(bool\)", {"attn_mask": zeros(5, 5)}),
    "a mask of other sizes": (lambda: nn.TransformerEncoderLayer(8, 2, 4), (X, zeros(4, 4) == 0), r"attn_mask of shape \(5, 5\), or \(4, 5, 5\), but got \(4, 4\)"),
    "another width": (lambda: nn.TransformerEncoderLayer(8, 2, 4), (X[..., :7],), r"query \(L, N, 8\), .* but got \(5, 2, 7\)"),
    "memory of another batch": (lambda: nn.TransformerDecoderLayer(8, 2, 4, 0.0), (X, X[:, :1]), r"but got \(5, 2, 8\), \(5, 1, 8\)"),
    "two batches": (lambda: nn.Transformer(8, 2, 1, 1, 4), (X, X[:, :1]), r"of one batch, of width 8, but got \(5, 2, 8\) and \(5, 1, 8\)"),
    "a place before the first": (lambda: nn.PositionalEmbedding(8), (X,), "counts places from 0, but got start=-1", {"start": -1}),
    "too long": (lambda: nn.PositionalEncoding(8, max_len=1), (X,), "has 1 places, but got a sequence of 2; make it with a larger max_len"),
    "another image": (lambda: models.LeNet5(), (ones(1, 1, 20, 20),), r"LeNet5 was made for images \(1, 28, 28\), but got .* with image=\(1, 20, 20\)"),
    "a smaller image": (lambda: models.SimpleConvNet(), (ones(1, 1, 14, 14),), r"with image=\(1, 14, 14\)"),
    "an image too deep": (lambda: models.DeepConvNet(), (ones(1, 1, 14, 14),), r"with image=\(1, 14, 14\)"),
    "two batches of sentences": (lambda: models.Seq2Seq(5), (zeros(2, 3), zeros(3, 3)), r"of one batch, but got \(2, 3\) and \(3, 3\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit(name):
    make, args, words, *settings = MISFITS[name]
    tg.manual_seed(0)
    net = Net(make())
    before, kind, random = net.state_dict(), type(net.body[1]), tg.random.get_state()
    with pytest.raises((ValueError, TypeError, IndexError), match=rf"^Net\.body\.1(\.\w+)*: .*{words}"):
        net(*args, **(settings[0] if settings else {}))
    after = net.state_dict()
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], array) for name, array in after.items())
    assert type(net.body[1]) is kind
    assert tg.random.get_state() == random


MADE = {
    r"groups divide its channels, but 3 does not divide in_channels=4": lambda: nn.Conv2d(4, 6, 3, groups=3),
    r"4 does not divide out_channels=6": lambda: nn.ConvTranspose1d(4, 6, 3, groups=4),
    r"LPPool2d's norm_type must be positive, but got -1": lambda: nn.LPPool2d(-1, 2),
    r"Upsample takes either size, .* but got size=None": lambda: nn.Upsample(),
    r"Upsample's mode is one of nearest, .*, but got 'cubic'": lambda: nn.Upsample(2, mode="cubic"),
    r"PixelShuffle's upscale_factor must be positive, but got 0": lambda: nn.PixelShuffle(0),
    r"PixelUnshuffle's downscale_factor must be positive": lambda: nn.PixelUnshuffle(0),
    r"embed_dim=8 and num_heads=3; choose num_heads that divides embed_dim": lambda: nn.TransformerEncoderLayer(8, 3),
    r"ConstantPad2d's value is a number, but got str 'x'": lambda: nn.ConstantPad2d(1, "x"),
    r"takes a PackedSequence, but got ndarray; write pack_padded_sequence\(x, lengths\)": lambda: (
        packing.pad_packed_sequence(ones(3, 2))
    ),
}


@pytest.mark.parametrize("words", MADE)
def test_what_is_not_made(words):
    with pytest.raises((ValueError, TypeError), match=words):
        MADE[words]()


def test_a_lazy_layer_that_failed_is_called_again():
    """The next call, with another x, draws the weights that the first would have drawn."""
    tg.manual_seed(0)
    lazy = nn.LazyConv2d(4, 3)
    with pytest.raises(ValueError, match="does not fit"):
        lazy(ones(1, 7, 2, 2))
    assert lazy(ones(1, 2, 5, 5)).shape == (1, 4, 3, 3)
    tg.manual_seed(0)
    np.testing.assert_array_equal(lazy.weight.numpy(), nn.Conv2d(2, 4, 3).weight.numpy())


def test_a_lazy_layer_takes_what_its_kind_takes():
    assert nn.LazyConvTranspose2d(3, 2, 2)(ones(1, 2, 4, 4), output_size=(9, 8)).shape == (1, 3, 9, 8)


def test_images_of_the_size_that_was_asked_for():
    assert blocks.OfImages((1, 2, 2), nn.Flatten())(ones(1, 2, 2)[None]).shape == (1, 4)

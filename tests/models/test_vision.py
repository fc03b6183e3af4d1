"""The networks of images: as many parameters as were published, whatever the image, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import models, nn
from tinygrad_edu.models.googlenet import Inception
from tinygrad_edu.models.resnet import BasicBlock, Bottleneck
from tinygrad_edu.nn import init
from viz import draw


@pytest.fixture
def empty(monkeypatch):
    """Weights that are zeros, which take neither time nor memory until they are read."""
    for name in ("uniform", "normal", "kaiming_normal"):
        monkeypatch.setattr(init, name, lambda shape, *_, **__: np.zeros(shape, np.float32))


COUNTS = {
    "LeNet5": (models.LeNet5, 61_706),
    "SimpleConvNet": (models.SimpleConvNet, 433_890),
    "DeepConvNet": (models.DeepConvNet, 123_552),
    "AlexNet": (models.AlexNet, 61_100_840),
    "VGG11": (models.VGG11, 132_863_336),
    "VGG13": (models.VGG13, 133_047_848),
    "VGG16": (models.VGG16, 138_357_544),
    "VGG19": (models.VGG19, 143_667_240),
    "VGG11 with batch norm": (lambda: models.VGG11(batch_norm=True), 132_868_840),
    "VGG13 with batch norm": (lambda: models.VGG13(batch_norm=True), 133_053_736),
    "VGG16 with batch norm": (lambda: models.VGG16(batch_norm=True), 138_365_992),
    "VGG19 with batch norm": (lambda: models.VGG19(batch_norm=True), 143_678_248),
    "GoogLeNet": (models.GoogLeNet, 13_004_888),
    "GoogLeNet without heads": (lambda: models.GoogLeNet(aux_logits=False), 6_624_904),
    "ResNet18": (models.ResNet18, 11_689_512),
    "ResNet34": (models.ResNet34, 21_797_672),
    "ResNet50": (models.ResNet50, 25_557_032),
    "ResNet101": (models.ResNet101, 44_549_160),
    "ResNet152": (models.ResNet152, 60_192_808),
    "MobileNetV2": (models.MobileNetV2, 3_504_872),
    "UNet": (models.UNet, 31_030_658),
    "DeepLabV3": (models.DeepLabV3, 42_004_074),
    "DeepLabV3 of 101 layers": (lambda: models.DeepLabV3(depths=(3, 4, 23, 3)), 60_996_202),
}


@pytest.mark.parametrize("name", COUNTS)
def test_as_many_parameters_as_were_published(name, empty):
    make, expected = COUNTS[name]
    assert sum(p.size for p in make().parameters()) == expected


SMALL = {
    "mlp": (lambda n, c: models.mlp(c * 32 * 32, 7, n, batch_norm=True, dropout=0.5), 32),
    "LeNet5": (lambda n, c: models.LeNet5((c, 32, 40), n), (32, 40)),
    "SimpleConvNet": (lambda n, c: models.SimpleConvNet((c, 9, 11), n, filters=3, hidden=5), (9, 11)),
    "DeepConvNet": (lambda n, c: models.DeepConvNet((c, 17, 20), n), (17, 20)),
    "AlexNet": (lambda n, c: models.AlexNet(n, in_channels=c, hidden=8), 64),
    "VGG": (lambda n, c: models.VGG((1, 1, 2, 1, 1), n, in_channels=c, hidden=8, batch_norm=True), 32),
    "GoogLeNet": (lambda n, c: models.GoogLeNet(n, False, in_channels=c), 33),
    "ResNet": (lambda n, c: models.ResNet(Bottleneck, (1, 2, 1, 1), n, in_channels=c, width=4), 33),
    "plain": (lambda n, c: models.ResNet(BasicBlock, (1, 2, 1, 1), n, in_channels=c, width=4, shortcut=False), 33),
    "MobileNetV2": (lambda n, c: models.MobileNetV2(n, 0.25, in_channels=c), 33),
}
PLACES = {
    "UNet": (lambda n, c: models.UNet(c, n, width=4, depth=2, batch_norm=True), (16, 20), (16, 20)),
    "UNet that cuts off": (lambda n, c: models.UNet(c, n, width=4, depth=2), (18, 23), (16, 20)),
    "UNet as published": (lambda n, c: models.UNet(c, n, width=1, padding=0), (572, 572), (388, 388)),
    "DeepLabV3": (lambda n, c: models.DeepLabV3(n, False, in_channels=c, depths=(1, 1, 1, 1), width=4), (33, 40), (33, 40)),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(("classes", "channels"), [(3, 1), (5, 4)])
def test_any_image_and_number_of_classes(name, classes, channels):
    make, size = SMALL[name]
    size = size if isinstance(size, tuple) else (size, size)
    net = make(classes, channels)
    x = np.random.default_rng(0).standard_normal((2, channels, *size)).astype(np.float32)
    y = net(x)
    assert y.shape == (2, classes)
    (y**2).sum().backward()
    assert all(p.grad is not None and np.isfinite(p.grad.numpy()).all() for p in net.parameters())
    assert net.eval()(x).shape == (2, classes)


@pytest.mark.parametrize("name", PLACES)
def test_a_class_for_each_place(name):
    make, size, expected = PLACES[name]
    net = make(3, 2)
    x = np.random.default_rng(0).standard_normal((1 if "published" in name else 2, 2, *size)).astype(np.float32)
    y = net(x)
    assert y.shape == (len(x), 3, *expected)
    if "published" not in name:
        (y**2).sum().backward()
        assert all(p.grad is not None for p in net.parameters())


def test_unet_has_the_parameters_of_the_layers_in_its_publication(empty):
    """Ronneberger, Fischer and Brox give no count, but figure 1 and section 2 name each layer, 23 convolutions in all.

    On the way down two of 3×3 for 64, 128, 256, 512 and 1024 channels; on the way up one of 2×2 that halves the channels,
    and two of 3×3, the first on what is joined to as many channels again; at the end one of 1×1 to two classes.
    """
    down = [(a, b) for inputs, b in [(1, 64), (64, 128), (128, 256), (256, 512), (512, 1024)] for a in (inputs, b)]
    up = [(2 * b, b) for b in (512, 256, 128, 64)]
    joined = [(a, b) for b in (512, 256, 128, 64) for a in (2 * b, b)]
    assert len(down) + len(up) + len(joined) + 1 == 23
    weights = sum(9 * a * b for a, b in down + joined) + sum(4 * a * b for a, b in up) + 64 * 2
    biases = sum(b for _, b in down + up + joined) + 2
    for padding in (0, 1):  # none in the publication
        net = models.UNet(1, 2, padding=padding)
        assert sum(p.size for p in net.parameters()) == weights + biases == 31_030_658
    convolutions = [m for m in net.modules() if type(m) in (nn.Conv2d, nn.ConvTranspose2d)]
    assert sorted(m.weight.shape for m in convolutions) == sorted(
        [(b, a, 3, 3) for a, b in down + joined] + [(a, b, 2, 2) for a, b in up] + [(2, 64, 1, 1)]
    )


def test_heads_in_the_middle_are_for_training(empty):
    net = models.GoogLeNet(7)
    x = np.zeros((2, 3, 32, 32), np.float32)
    assert [y.shape for y in net(x)] == [(2, 7)] * 3
    assert net.eval()(x).shape == (2, 7)
    net = models.DeepLabV3(4, depths=(1, 1, 1, 1), width=4)
    assert [y.shape for y in net(x)] == [(2, 4, 32, 32)] * 2
    assert net.eval()(x).shape == (2, 4, 32, 32)


def test_a_step_is_replayed_as_it_is_computed():
    def made():
        tg.manual_seed(0)
        return models.ResNet(BasicBlock, (1, 1, 1, 1), 3, width=4)

    eager, other = made(), made()
    run = tg.replay(lambda x: tg.grad((other(x) ** 2).sum(), list(other.parameters())))
    for k in range(3):
        x = np.random.default_rng(k).standard_normal((2, 3, 32, 32)).astype(np.float32)
        for a, b in zip(run(x), tg.grad((eager(x) ** 2).sum(), list(eager.parameters())), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-3, atol=1e-4)


def test_summaries(empty):
    made = nn.summary(models.SimpleConvNet(), (1, 1, 28, 28))
    assert made.multiply_adds == 30 * 24 * 24 * 25 + 4320 * 100 + 100 * 10
    made = nn.summary(models.ResNet18(), (1, 3, 32, 32))
    assert made.parameters == 11_689_512
    assert made.rows[-1].shapes == [(1, 1000)]
    assert "layer2" in str(made)


BAD = [
    (lambda: models.mlp(3), "takes the numbers of inputs and outputs"),
    (lambda: models.LeNet5((1, 8, 8)), "12 places or more"),
    (lambda: models.SimpleConvNet((1, 5, 5)), "takes larger images"),
    (lambda: models.DeepConvNet((1, 3, 3)), "4 places or more"),
    (lambda: models.AlexNet(3, hidden=4)(np.zeros((1, 3, 30, 30), np.float32)), r"AlexNet\.features\.5: max_pool2d's windows"),
    (lambda: models.SimpleConvNet()(np.zeros((5, 28, 28), np.float32)), r"SimpleConvNet\.0: .* takes x of shape \(N, 1, H, W\), but got \(5, 28, 28\)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_unknown_networks():
    with pytest.raises(AttributeError, match=r"no attribute 'ResNet20'; it has .*ResNet18"):
        _ = models.ResNet20


DRAWN = {
    "SimpleConvNet": (lambda: models.SimpleConvNet((1, 9, 9), 3, filters=2, hidden=4), (1, 9, 9), "Conv2d ReLU MaxPool2d Flatten Linear ReLU Linear"),
    "BasicBlock": (lambda: BasicBlock(4, 4), (4, 5, 5), "Conv2d BatchNorm2d ReLU Conv2d BatchNorm2d + ReLU"),
    "Inception": (lambda: Inception(8, 4, (3, 6), (2, 2), 1), (8, 5, 5), "BasicConv2d Sequential Sequential Sequential concat"),
    "UNet": (
        lambda: models.UNet(1, 2, width=2, depth=1), (1, 8, 8),
        "TwoConvolutions MaxPool2d TwoConvolutions ConvTranspose2d concat TwoConvolutions Conv2d",
    ),
    "DeepLabV3": (lambda: models.DeepLabV3(3, False, depths=(1,) * 4, width=2), (3, 32, 32), "Features DeepLabHead Enlarge"),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_by_block(name):
    make, image, boxes = DRAWN[name]
    y = make().eval()(tg.Tensor(np.zeros((1, *image), np.float32), requires_grad=True))
    assert [op.symbol for op in draw(y, collapse=2, direction="forward").graph.ops] == boxes.split()

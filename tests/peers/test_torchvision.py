"""The networks of images beside torchvision's: its weights, read from a file, give its outputs.

torchvision's own operators are made for one build of PyTorch. The networks need none of them, so where they cannot be loaded,
their names are declared and nothing more.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from agreement import assert_close
from safetensors.torch import save_file
from test_torch_onnx import written

import tinygrad_edu as tg
from tinygrad_edu import models
from tinygrad_edu.train import load_torch

OPERATORS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
DECLARED = []  # they live as long as their library does


@pytest.fixture(scope="module")
def vision():
    """torchvision; skipped if it is not installed."""
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed: make peers installs it")
    try:
        import torchvision
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        DECLARED.append(library)
        for name, signature in OPERATORS.items():
            library.define(f"{name}{signature}")
        import torchvision
    return torchvision.models


def drawn(theirs):
    """A network whose weights and running statistics are random, of a scale that keeps that of the numbers."""
    torch.manual_seed(0)
    for name, x in theirs.state_dict().items():
        if not x.is_floating_point():
            continue
        if name.endswith("running_var") or (x.ndim == 1 and name.endswith("weight")):
            x.uniform_(0.5, 1.5)
        elif x.ndim > 1:
            x.normal_(0, (2 / x[0].numel()) ** 0.5)
        else:
            x.normal_(0, 0.1)
    return theirs.eval()


CLASSES = 5
NETS = {
    "alexnet": (lambda: models.AlexNet(CLASSES), 63),
    "vgg11": (lambda: models.VGG11(CLASSES), 32),
    "vgg13": (lambda: models.VGG13(CLASSES), 32),
    "vgg16": (lambda: models.VGG16(CLASSES), 32),
    "vgg19": (lambda: models.VGG19(CLASSES), 32),
    "vgg11_bn": (lambda: models.VGG11(CLASSES, batch_norm=True), 32),
    "vgg16_bn": (lambda: models.VGG16(CLASSES, batch_norm=True), 32),
    "googlenet": (lambda: models.GoogLeNet(CLASSES), 47),
    "resnet18": (lambda: models.ResNet18(CLASSES), 47),
    "resnet34": (lambda: models.ResNet34(CLASSES), 40),
    "resnet50": (lambda: models.ResNet50(CLASSES), 47),
    "resnet101": (lambda: models.ResNet101(CLASSES), 40),
    "resnet152": (lambda: models.ResNet152(CLASSES), 33),
    "mobilenet_v2": (lambda: models.MobileNetV2(CLASSES), 47),
}
SMALL = ("googlenet", "resnet18", "resnet50", "mobilenet_v2")
"""Those that run with every change; the others are deeper ones of the same code, or have files of half a gigabyte."""
PARAMS = [name if name in SMALL else pytest.param(name, marks=pytest.mark.nightly) for name in NETS]


@pytest.mark.parametrize("name", PARAMS)
def test_outputs_by_torchvision_s_weights(vision, name, tmp_path, monkeypatch):
    make, size = NETS[name]
    options = {"init_weights": False} if name == "googlenet" else {}
    x = np.random.default_rng(0).standard_normal((2, 3, size, size)).astype(np.float32)
    theirs = drawn(getattr(vision, name)(num_classes=CLASSES, **options))
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    with torch.no_grad():
        expected = theirs(torch.tensor(x)).numpy()
    del theirs
    empty(monkeypatch)
    ours = make()
    load_torch(tmp_path / "weights.safetensors", ours)
    y = ours.eval()(x).numpy()
    assert_close(y, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def empty(monkeypatch):
    """Weights that are read from a file need not be drawn before."""
    from tinygrad_edu.nn import init

    for name in ("uniform", "normal", "kaiming_normal"):
        monkeypatch.setattr(init, name, lambda shape, *_, **__: np.zeros(shape, np.float32))


def test_places_by_torchvision_s_weights(vision, tmp_path, monkeypatch):
    theirs = drawn(
        vision.segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=True)
    )
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 40)).astype(np.float32)
    with torch.no_grad():
        expected = theirs(torch.tensor(x))
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    del theirs
    empty(monkeypatch)
    ours = models.DeepLabV3(CLASSES)
    load_torch(tmp_path / "weights.safetensors", ours)
    y = ours.eval()(x).numpy()
    out = expected["out"].numpy()
    assert_close(y, out, rtol=1e-4, atol=1e-4 * np.abs(out).max())
    third, _ = ours.backbone(x)
    aux = ours.aux_classifier(third).numpy()
    assert aux.shape == (1, CLASSES, 8, 5)


@pytest.mark.nightly
@pytest.mark.parametrize("name", [*SMALL, "alexnet", "vgg11_bn", "deeplabv3_resnet50"])
def test_files_of_pytorchs_exporter(vision, name, tmp_path):
    """A network of torchvision as an ONNX file that PyTorch writes, read as a module."""
    if name.startswith("deeplab"):
        kept = drawn(vision.segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=CLASSES))
        theirs, size = Out(kept), 64
    else:
        options = {"init_weights": False} if name == "googlenet" else {}
        theirs, size = drawn(getattr(vision, name)(num_classes=CLASSES, **options)), max(NETS[name][1], 64)
    x = torch.randn(2, 3, size, size)
    loaded = tg.export.load_onnx(written(theirs.eval(), torch.randn(3, 3, size, size), tmp_path / "net.onnx"))
    with torch.no_grad():
        expected = theirs(x).numpy()
    assert_close(loaded(x.numpy()).numpy(), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


class Out(torch.nn.Module):
    """What a network calls `out`."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x)["out"]


def test_a_step_of_training_beside_torchvision(vision, tmp_path):
    """In training mode: gradients of all parameters, and running statistics, in float64."""
    theirs = drawn(vision.resnet18(num_classes=CLASSES)).double().train()
    save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    ours = models.ResNet18(CLASSES).double()
    load_torch(tmp_path / "weights.safetensors", ours)
    x = np.random.default_rng(0).standard_normal((2, 3, 33, 33))
    (theirs(torch.tensor(x)) ** 2).sum().backward()
    (ours(x) ** 2).sum().backward()
    named = dict(theirs.named_parameters())
    for name, p in ours.named_parameters():
        expected = named[name].grad.numpy()
        expected = expected.T if name == "fc.weight" else expected
        assert_close(p.grad.numpy(), expected, rtol=1e-6, atol=1e-9 * max(np.abs(expected).max(), 1))
    buffers = dict(theirs.named_buffers())
    for name, b in ours.named_buffers():
        assert_close(b.numpy(), buffers[name].numpy(), rtol=1e-9)

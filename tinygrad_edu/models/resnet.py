"""ResNet: blocks that add to what they are given, so that a deep network starts as a shallow one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tinygrad_edu.models.blocks import he
from tinygrad_edu.nn import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Linear, MaxPool2d, Module, ReLU, Sequential
from tinygrad_edu.nn import functional as F

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor


def _conv(inputs: int, outputs: int, kernel_size: int, stride: int = 1, dilation: int = 1) -> Conv2d:
    padding = dilation * (kernel_size // 2)
    return Conv2d(inputs, outputs, kernel_size, stride, padding, dilation, bias=False)


class _Block(Module):
    """y = ReLU(x + f(x)), with `downsample(x)` in the place of x where f changes its shape."""

    expansion: ClassVar[int]
    downsample: Module | None
    shortcut: bool

    _branch: Callable[[Any], Any]  # f(x), which a subclass writes

    def forward(self, x: ArrayLike) -> Tensor:
        """(N, inputs, H, W) to (N, expansion·width, H / stride, W / stride)."""
        y = self._branch(x)
        if self.shortcut:
            y = y + (x if self.downsample is None else self.downsample(x))
        return self.relu(y)

    relu: ReLU


class BasicBlock(_Block):
    """y = ReLU(x + f(x)), with f two convolutions of 3×3.

    inputs: the number of channels of x.
    width: those of f.
    stride, dilation: of the first convolution, and of both.
    downsample: what x goes through where f changes its shape.
    shortcut: whether x is added at all.
    """

    expansion = 1

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int = 1,
        dilation: int = 1,
        downsample: Module | None = None,
        shortcut: bool = True,
    ) -> None:
        self.conv1 = _conv(inputs, width, 3, stride, dilation)
        self.bn1 = BatchNorm2d(width)
        self.relu = ReLU()
        self.conv2 = _conv(width, width, 3, 1, dilation)
        self.bn2 = BatchNorm2d(width)
        self.downsample, self.shortcut = downsample, shortcut

    def _branch(self, x: Any) -> Any:
        return self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))


class Bottleneck(_Block):
    """y = ReLU(x + f(x)), with f a convolution of 3×3 between two of 1×1, which make the channels fewer and more again.

    inputs: the number of channels of x.
    width: those in the middle of f, which gives four times as many.
    stride, dilation: of the convolution of 3×3.
    downsample: what x goes through where f changes its shape.
    shortcut: whether x is added at all.
    """

    expansion = 4

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int = 1,
        dilation: int = 1,
        downsample: Module | None = None,
        shortcut: bool = True,
    ) -> None:
        self.conv1 = _conv(inputs, width, 1)
        self.bn1 = BatchNorm2d(width)
        self.conv2 = _conv(width, width, 3, stride, dilation)
        self.bn2 = BatchNorm2d(width)
        self.conv3 = _conv(width, 4 * width, 1)
        self.bn3 = BatchNorm2d(4 * width)
        self.relu = ReLU()
        self.downsample, self.shortcut = downsample, shortcut

    def _branch(self, x: Any) -> Any:
        h = self.relu(self.bn1(self.conv1(x)))
        h = self.relu(self.bn2(self.conv2(h)))
        return self.bn3(self.conv3(h))


class ResNet(Module):
    """A convolution of 7×7 and a pool, four parts of residual blocks, the mean over the image, and one layer of neurons.

    x: (N, in_channels, H, W), of 224 places in the publication; y: (N, num_classes), unnormalized.

    block: BasicBlock or Bottleneck.
    depths: how many blocks each part has.
    num_classes: how many classes there are.
    in_channels: of the images.
    width: the channels of the first part; each later one has twice as many as that before it.
    shortcut: False leaves out what blocks add, for a plain network of the same depth, to compare.
    atrous: for each part but the first, whether it keeps the size of the image, by dilation, and does not halve it.

    Names inside are torchvision's. Kernels begin as `he` draws them.

    Source: He et al., *Deep residual learning for image recognition* (2015).

    >>> import numpy as np
    >>> net = ResNet(BasicBlock, (1, 1, 1, 1), num_classes=10, width=8)
    >>> net(np.ones((2, 3, 32, 32), np.float32)).shape
    (2, 10)
    """

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        depths: Sequence[int],
        num_classes: int = 1000,
        *,
        in_channels: int = 3,
        width: int = 64,
        shortcut: bool = True,
        atrous: Sequence[bool] = (False, False, False),
    ) -> None:
        self.conv1 = Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = BatchNorm2d(width)
        self.relu = ReLU()
        self.maxpool = MaxPool2d(3, stride=2, padding=1)
        channels, dilation = width, 1
        parts = []
        for depth, part, wide in zip(depths, range(4), (False, *atrous), strict=True):
            stride = 1 if part == 0 or wide else 2
            before, dilation = dilation, dilation * (2 if wide else 1)
            outputs = width * 2**part * block.expansion
            blocks: list[Module] = []
            for k in range(depth):
                step, apart = (stride, before) if k == 0 else (1, dilation)
                down = None
                if shortcut and (step != 1 or channels != outputs):
                    down = Sequential(_conv(channels, outputs, 1, step), BatchNorm2d(outputs))
                blocks.append(block(channels, width * 2**part, step, apart, down, shortcut))
                channels = outputs
            parts.append(Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = parts
        self.avgpool = AdaptiveAvgPool2d((1, 1))
        self.fc = Linear(channels, num_classes)
        he(self)

    def forward(self, x: ArrayLike) -> Tensor:
        """The scores of the classes, (N, num_classes)."""
        h = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        h = self.layer4(self.layer3(self.layer2(self.layer1(h))))
        return self.fc(F.flatten(self.avgpool(h), 1))


def ResNet18(num_classes: int = 1000, **options: Any) -> ResNet:
    """ResNet of 8 blocks of two convolutions: 11,689,512 parameters.

    num_classes: how many classes there are.
    options: those of `ResNet`, such as in_channels.

    >>> sum(p.size for p in ResNet18().parameters())
    11689512
    """
    return ResNet(BasicBlock, (2, 2, 2, 2), num_classes, **options)


def ResNet34(num_classes: int = 1000, **options: Any) -> ResNet:
    """ResNet of 16 blocks of two convolutions: 21,797,672 parameters.

    num_classes: how many classes there are.
    options: those of `ResNet`, such as shortcut=False, for the plain network of 34 layers.

    >>> sum(p.size for p in ResNet34().parameters())
    21797672
    """
    return ResNet(BasicBlock, (3, 4, 6, 3), num_classes, **options)


def ResNet50(num_classes: int = 1000, **options: Any) -> ResNet:
    """ResNet of 16 blocks of three convolutions: 25,557,032 parameters.

    num_classes: how many classes there are.
    options: those of `ResNet`.

    >>> sum(p.size for p in ResNet50().parameters())
    25557032
    """
    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes, **options)


def ResNet101(num_classes: int = 1000, **options: Any) -> ResNet:
    """ResNet of 33 blocks of three convolutions: 44,549,160 parameters.

    num_classes: how many classes there are.
    options: those of `ResNet`.

    >>> sum(p.size for p in ResNet101().parameters())
    44549160
    """
    return ResNet(Bottleneck, (3, 4, 23, 3), num_classes, **options)


def ResNet152(num_classes: int = 1000, **options: Any) -> ResNet:
    """ResNet of 50 blocks of three convolutions: 60,192,808 parameters.

    num_classes: how many classes there are.
    options: those of `ResNet`.

    >>> sum(p.size for p in ResNet152().parameters())
    60192808
    """
    return ResNet(Bottleneck, (3, 8, 36, 3), num_classes, **options)

"""GoogLeNet: blocks that look at an image by windows of several sizes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from tinygrad_edu.models.blocks import he
from tinygrad_edu.nn import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
)
from tinygrad_edu.nn import functional as F

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


class BasicConv2d(Module):
    """A convolution without bias, a batch normalization and a ReLU.

    inputs, outputs: the numbers of channels.
    kernel_size, stride: of the convolution; at stride 1 the size stays.
    """

    def __init__(self, inputs: int, outputs: int, kernel_size: int, stride: int = 1) -> None:
        self.conv = Conv2d(inputs, outputs, kernel_size, stride, kernel_size // 2, bias=False)
        self.bn = BatchNorm2d(outputs, eps=0.001)
        self.relu = ReLU()

    def forward(self, x: ArrayLike) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        return self.relu(self.bn(self.conv(x)))


class Inception(Module):
    """Four ways through a block, beside each other, whose results are joined: windows of 1×1, 3×3, 5×5, and a pool.

    Convolutions of 1×1 go before the large windows and behind the pool, and make the channels fewer. As in torchvision,
    whose names it has, the third way has windows of 3×3 too.

    inputs: the number of channels of x.
    ones: those that the first way gives.
    threes, fives: those between its two convolutions, and those that it gives, of the second and the third way.
    pooled: those that the fourth way gives.

    >>> import numpy as np
    >>> Inception(8, 4, (3, 6), (2, 2), 1)(np.ones((1, 8, 5, 5), np.float32)).shape
    (1, 13, 5, 5)
    """

    def __init__(self, inputs: int, ones: int, threes: tuple[int, int], fives: tuple[int, int], pooled: int) -> None:
        self.branch1 = BasicConv2d(inputs, ones, 1)
        self.branch2 = Sequential(BasicConv2d(inputs, threes[0], 1), BasicConv2d(*threes, 3))
        self.branch3 = Sequential(BasicConv2d(inputs, fives[0], 1), BasicConv2d(*fives, 3))
        self.branch4 = Sequential(MaxPool2d(3, stride=1, padding=1, ceil_mode=True), BasicConv2d(inputs, pooled, 1))

    def forward(self, x: ArrayLike) -> Tensor:
        """(N, inputs, H, W) to (N, C, H, W), C the sum of what the ways give."""
        return np.concatenate([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], axis=1)


class AuxiliaryHead(Module):
    """A classifier in the middle of the network, by which its lower half learns faster.

    inputs: the number of channels of x.
    num_classes: how many classes there are.
    dropout: the share of neurons that are dropped.
    """

    def __init__(self, inputs: int, num_classes: int, dropout: float) -> None:
        self.avgpool = AdaptiveAvgPool2d((4, 4))
        self.conv = BasicConv2d(inputs, 128, 1)
        self.fc1 = Linear(2048, 1024)
        self.relu = ReLU()
        self.dropout = Dropout(dropout)
        self.fc2 = Linear(1024, num_classes)

    def forward(self, x: ArrayLike) -> Tensor:
        """(N, inputs, H, W) to (N, num_classes)."""
        return self.fc2(self.dropout(self.relu(self.fc1(F.flatten(self.conv(self.avgpool(x)), 1)))))


class GoogLeNetOutputs(NamedTuple):
    """What `GoogLeNet` gives in training: the scores (N, num_classes) of its end, and of its upper and lower head."""

    logits: Any
    aux_logits2: Any
    aux_logits1: Any


class GoogLeNet(Module):
    """Nine Inception blocks, with two classifiers in the middle: 13,004,888 parameters, without these 6,624,904.

    x: (N, in_channels, H, W), of 32 places or more, 224 in the publication; y: (N, num_classes), unnormalized; in training,
    with auxiliary heads, `GoogLeNetOutputs`, of which the losses of both heads count 0.3 times.

    num_classes: how many classes there are.
    aux_logits: whether there are the heads in the middle.
    dropout, dropout_aux: the share of numbers that are dropped before the last layer, and in the heads.
    in_channels: of the images.

    Names inside are torchvision's, as is the form: with batch normalization, and windows of 3×3 in the place of 5×5.

    Source: Szegedy et al., *Going deeper with convolutions* (2014).

    >>> import numpy as np
    >>> net = GoogLeNet(num_classes=10, aux_logits=False)
    >>> net(np.ones((2, 3, 32, 32), np.float32)).shape
    (2, 10)
    """

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
        *,
        in_channels: int = 3,
    ) -> None:
        self.aux_logits = aux_logits
        self.conv1 = BasicConv2d(in_channels, 64, 7, stride=2)
        self.maxpool1 = MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = BasicConv2d(64, 64, 1)
        self.conv3 = BasicConv2d(64, 192, 3)
        self.maxpool2 = MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = Inception(192, 64, (96, 128), (16, 32), 32)
        self.inception3b = Inception(256, 128, (128, 192), (32, 96), 64)
        self.maxpool3 = MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = Inception(480, 192, (96, 208), (16, 48), 64)
        self.inception4b = Inception(512, 160, (112, 224), (24, 64), 64)
        self.inception4c = Inception(512, 128, (128, 256), (24, 64), 64)
        self.inception4d = Inception(512, 112, (144, 288), (32, 64), 64)
        self.inception4e = Inception(528, 256, (160, 320), (32, 128), 128)
        self.maxpool4 = MaxPool2d(2, stride=2, ceil_mode=True)
        self.inception5a = Inception(832, 256, (160, 320), (32, 128), 128)
        self.inception5b = Inception(832, 384, (192, 384), (48, 128), 128)
        if aux_logits:
            self.aux1 = AuxiliaryHead(512, num_classes, dropout_aux)
            self.aux2 = AuxiliaryHead(528, num_classes, dropout_aux)
        self.avgpool = AdaptiveAvgPool2d((1, 1))
        self.dropout = Dropout(dropout)
        self.fc = Linear(1024, num_classes)
        he(self)

    def forward(self, x: ArrayLike) -> Any:
        """The scores of the classes, (N, num_classes); in training with heads, `GoogLeNetOutputs`."""
        heads = self.training and self.aux_logits
        h = self.maxpool1(self.conv1(x))
        h = self.maxpool2(self.conv3(self.conv2(h)))
        h = self.maxpool3(self.inception3b(self.inception3a(h)))
        h = self.inception4a(h)
        lower = self.aux1(h) if heads else None
        h = self.inception4d(self.inception4c(self.inception4b(h)))
        upper = self.aux2(h) if heads else None
        h = self.maxpool4(self.inception4e(h))
        h = self.inception5b(self.inception5a(h))
        y = self.fc(self.dropout(F.flatten(self.avgpool(h), 1)))
        return GoogLeNetOutputs(y, upper, lower) if heads else y

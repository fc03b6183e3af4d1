"""DeepLab: a class for each place of an image, by atrous convolutions of several reaches beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from tinygrad_edu.models.blocks import conv_norm, he
from tinygrad_edu.models.resnet import Bottleneck, ResNet
from tinygrad_edu.nn import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Dropout, Module, ModuleList, ReLU, Sequential
from tinygrad_edu.nn import functional as F

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


class Enlarge(Module):
    """Images made as large as another, straight from number to number: a box of its own in figures."""

    def forward(self, x: ArrayLike, size: Sequence[int]) -> Tensor:
        """(N, C, P, Q) to (N, C, *size)."""
        return F.interpolate(x, size, mode="bilinear", align_corners=False)


class ASPPPooling(Sequential):
    """The mean of the whole image, through a convolution of 1×1, spread over all places again.

    inputs, outputs: the numbers of channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(AdaptiveAvgPool2d(1), Conv2d(inputs, outputs, 1, bias=False), BatchNorm2d(outputs), ReLU())
        self.enlarge = Enlarge()

    def forward(self, x: ArrayLike) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        return self.enlarge(super().forward(x), np.shape(x)[2:])


class ASPP(Module):
    """Atrous spatial pyramid pooling: an image by windows of several reaches, and as a whole, joined.

    inputs: the number of channels of x.
    rates: the dilations of the convolutions of 3×3.
    outputs: the number of channels of each way, and of y.

    Source: Chen et al., *Rethinking atrous convolution for semantic image segmentation* (2017).
    """

    def __init__(self, inputs: int, rates: Sequence[int] = (12, 24, 36), outputs: int = 256) -> None:
        ways: list[Module] = [conv_norm(inputs, outputs, 1)]
        ways += [conv_norm(inputs, outputs, 3, dilation=rate) for rate in rates]
        ways.append(ASPPPooling(inputs, outputs))
        self.convs = ModuleList(ways)
        self.project = conv_norm(len(ways) * outputs, outputs, 1)
        self.project.append(Dropout(0.5))

    def forward(self, x: ArrayLike) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        return self.project(np.concatenate([way(x) for way in self.convs], axis=1))


class DeepLabHead(Sequential):
    """What makes features of an image into classes of its places: `ASPP`, a convolution of 3×3, and one of 1×1.

    x: (N, inputs, H, W); y: (N, num_classes, H, W), unnormalized.

    inputs: the number of channels of x.
    num_classes: how many classes there are.
    rates: the dilations of `ASPP`.
    width: the number of channels inside.

    >>> import numpy as np
    >>> DeepLabHead(8, 3, (1, 2), width=4)(np.ones((2, 8, 6, 6), np.float32)).shape
    (2, 3, 6, 6)
    """

    def __init__(self, inputs: int, num_classes: int, rates: Sequence[int] = (12, 24, 36), *, width: int = 256) -> None:
        super().__init__(ASPP(inputs, rates, width), *conv_norm(width, width), Conv2d(width, num_classes, 1))


class Features(ResNet):
    """A ResNet without its end: the features of its third and fourth part."""

    def __init__(self, depths: Sequence[int], in_channels: int, width: int) -> None:
        super().__init__(Bottleneck, depths, 1, in_channels=in_channels, width=width, atrous=(False, True, True))
        del self.avgpool, self.fc

    def forward(self, x: ArrayLike) -> Any:
        """Two arrays of features, (N, 16·width, H / 8, W / 8) and twice as many."""
        third = self.layer3(self.layer2(self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x)))))))
        return third, self.layer4(third)


class DeepLabV3Outputs(NamedTuple):
    """What `DeepLabV3` gives in training: the scores of the classes, and those by the features of the third part."""

    out: Any
    aux: Any


class DeepLabV3(Module):
    """A ResNet whose last parts keep the size of the image by dilation, and a `DeepLabHead`: 42,004,074 parameters.

    x: (N, in_channels, H, W); y: (N, num_classes, H, W), unnormalized; in training, with an auxiliary head,
    `DeepLabV3Outputs`, of which the loss of `aux` counts half.

    num_classes: how many classes there are.
    aux_loss: whether there is a second head, upon the features of the third part.
    in_channels: of the images.
    depths: how many blocks each part of the ResNet has; (3, 4, 23, 3) is that of 101 layers, with 60,996,202 parameters.
    width: the channels of its first part.

    Names inside are torchvision's.

    Source: Chen et al., *Rethinking atrous convolution for semantic image segmentation* (2017).

    >>> import numpy as np
    >>> net = DeepLabV3(3, aux_loss=False, depths=(1, 1, 1, 1), width=4)
    >>> net(np.ones((2, 3, 32, 40), np.float32)).shape
    (2, 3, 32, 40)
    """

    def __init__(
        self,
        num_classes: int = 21,
        aux_loss: bool = True,
        *,
        in_channels: int = 3,
        depths: Sequence[int] = (3, 4, 6, 3),
        width: int = 64,
    ) -> None:
        self.backbone = Features(depths, in_channels, width)
        self.classifier = DeepLabHead(32 * width, num_classes)
        self.aux_classifier = (
            Sequential(*conv_norm(16 * width, 4 * width), Dropout(0.1), Conv2d(4 * width, num_classes, 1))
            if aux_loss
            else None
        )
        self.enlarge = Enlarge()
        he(self)

    def forward(self, x: ArrayLike) -> Any:
        """The scores of the classes for each place, (N, num_classes, H, W); in training with two heads, a pair of them."""
        size = np.shape(x)[2:]
        third, fourth = self.backbone(x)
        out = self.enlarge(self.classifier(fourth), size)
        if not self.training or self.aux_classifier is None:
            return out
        return DeepLabV3Outputs(out, self.enlarge(self.aux_classifier(third), size))

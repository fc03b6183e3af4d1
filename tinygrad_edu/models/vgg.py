"""VGG: nothing but convolutions of 3×3, and pools that halve the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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

WIDTHS = (64, 128, 256, 512, 512)
"""The channels of each part; behind each is a pool."""


class VGG(Module):
    """Five parts of some convolutions of 3×3 and a pool each, then three layers of neurons.

    x: (N, in_channels, H, W), of 32 places or more, 224 in the publication; y: (N, num_classes), unnormalized.

    depths: how many convolutions each part has.
    num_classes: how many classes there are.
    batch_norm: whether a batch normalization stands behind each convolution.
    dropout: the share of neurons that are dropped behind each of the first two layers of neurons.
    in_channels: of the images.
    hidden: the number of neurons in each of two layers.

    Names inside are torchvision's. Kernels begin as `he` draws them, weights of neurons with a deviation of 0.01.

    Source: Simonyan and Zisserman, *Very deep convolutional networks for large-scale image recognition* (2014).

    >>> import numpy as np
    >>> net = VGG((1, 1, 1, 1, 1), num_classes=10, hidden=32)
    >>> net(np.ones((1, 3, 32, 32), np.float32)).shape
    (1, 10)
    """

    def __init__(
        self,
        depths: Sequence[int],
        num_classes: int = 1000,
        *,
        batch_norm: bool = False,
        dropout: float = 0.5,
        in_channels: int = 3,
        hidden: int = 4096,
    ) -> None:
        layers: list[Any] = []
        channels = in_channels
        for depth, width in zip(depths, WIDTHS, strict=True):
            for _ in range(depth):
                layers += [Conv2d(channels, width, 3, padding=1), *[BatchNorm2d(width)] * batch_norm, ReLU()]
                channels = width
            layers.append(MaxPool2d(2))
        self.features = Sequential(*layers)
        self.avgpool = AdaptiveAvgPool2d((7, 7))
        self.classifier = Sequential(
            Linear(512 * 7 * 7, hidden), ReLU(), Dropout(dropout),
            Linear(hidden, hidden), ReLU(), Dropout(dropout),
            Linear(hidden, num_classes),
        )  # fmt: skip
        he(self, linear=0.01)

    def forward(self, x: ArrayLike) -> Tensor:
        """The scores of the classes, (N, num_classes)."""
        return self.classifier(F.flatten(self.avgpool(self.features(x)), 1))


def VGG11(num_classes: int = 1000, **options: Any) -> VGG:
    """VGG of 8 convolutions and 3 layers of neurons (A): 132,863,336 parameters, with batch normalization 132,868,840.

    num_classes: how many classes there are.
    options: those of `VGG`, such as batch_norm.

    >>> len(VGG11(10, hidden=8).features)  # 8 convolutions, as many ReLU, and 5 pools
    21
    """
    return VGG((1, 1, 2, 2, 2), num_classes, **options)


def VGG13(num_classes: int = 1000, **options: Any) -> VGG:
    """VGG of 10 convolutions and 3 layers of neurons (B): 133,047,848 parameters, with batch normalization 133,053,736.

    num_classes: how many classes there are.
    options: those of `VGG`, such as batch_norm.

    >>> len(VGG13(10, hidden=8).features)  # 10 convolutions, as many ReLU, and 5 pools
    25
    """
    return VGG((2, 2, 2, 2, 2), num_classes, **options)


def VGG16(num_classes: int = 1000, **options: Any) -> VGG:
    """VGG of 13 convolutions and 3 layers of neurons (D): 138,357,544 parameters, with batch normalization 138,365,992.

    num_classes: how many classes there are.
    options: those of `VGG`, such as batch_norm.

    >>> len(VGG16(10, hidden=8).features)  # 13 convolutions, as many ReLU, and 5 pools
    31
    """
    return VGG((2, 2, 3, 3, 3), num_classes, **options)


def VGG19(num_classes: int = 1000, **options: Any) -> VGG:
    """VGG of 16 convolutions and 3 layers of neurons (E): 143,667,240 parameters, with batch normalization 143,678,248.

    num_classes: how many classes there are.
    options: those of `VGG`, such as batch_norm.

    >>> len(VGG19(10, hidden=8).features)  # 16 convolutions, as many ReLU, and 5 pools
    37
    """
    return VGG((2, 2, 4, 4, 4), num_classes, **options)

"""AlexNet, the network whose win at ImageNet began the deep-learning years."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinygrad_edu.nn import AdaptiveAvgPool2d, Conv2d, Dropout, Linear, MaxPool2d, Module, ReLU, Sequential
from tinygrad_edu.nn import functional as F

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor


class AlexNet(Module):
    """Five convolutions, three of them with a pool behind, and three layers of neurons with dropout: 61,100,840 parameters.

    x: (N, in_channels, H, W), of 63 places or more, 224 in the publication; y: (N, num_classes), unnormalized.

    num_classes: how many classes there are.
    dropout: the share of neurons that are dropped before the first two layers of neurons.
    in_channels: of the images.
    hidden: the number of neurons in each of two layers.

    Names inside are torchvision's, whose form it has: that of one device, with fewer filters than the first publication.

    Source: Krizhevsky, Sutskever and Hinton, *ImageNet classification with deep convolutional neural networks* (2012);
    Krizhevsky, *One weird trick for parallelizing convolutional neural networks* (2014).

    >>> import numpy as np
    >>> net = AlexNet(num_classes=10, hidden=64)
    >>> net(np.ones((1, 3, 64, 64), np.float32)).shape
    (1, 10)
    """

    def __init__(
        self, num_classes: int = 1000, dropout: float = 0.5, *, in_channels: int = 3, hidden: int = 4096
    ) -> None:
        self.features = Sequential(
            Conv2d(in_channels, 64, 11, stride=4, padding=2), ReLU(), MaxPool2d(3, stride=2),
            Conv2d(64, 192, 5, padding=2), ReLU(), MaxPool2d(3, stride=2),
            Conv2d(192, 384, 3, padding=1), ReLU(),
            Conv2d(384, 256, 3, padding=1), ReLU(),
            Conv2d(256, 256, 3, padding=1), ReLU(), MaxPool2d(3, stride=2),
        )  # fmt: skip
        self.avgpool = AdaptiveAvgPool2d((6, 6))
        self.classifier = Sequential(
            Dropout(dropout), Linear(256 * 6 * 6, hidden), ReLU(),
            Dropout(dropout), Linear(hidden, hidden), ReLU(),
            Linear(hidden, num_classes),
        )  # fmt: skip

    def forward(self, x: ArrayLike) -> Tensor:
        """The scores of the classes, (N, num_classes)."""
        return self.classifier(F.flatten(self.avgpool(self.features(x)), 1))

"""MobileNetV2: depthwise convolutions between narrow layers, for small devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_edu.models.blocks import conv_norm, he
from tinygrad_edu.nn import BatchNorm2d, Conv2d, Dropout, Linear, Module, ReLU6, Sequential
from tinygrad_edu.nn import functional as F

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor

PARTS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Of each part: how many times wider its blocks are inside, their channels, how many there are, the stride of the first."""


class InvertedResidual(Module):
    """y = x + f(x), with f a convolution of 1×1 to more channels, a depthwise one of 3×3, and one of 1×1 back to few.

    No activation follows the last, since ReLU in few channels loses what they hold. x is added where f keeps its shape.

    inputs, outputs: the numbers of channels.
    stride: of the depthwise convolution.
    expand: how many times more channels there are inside.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expand: int) -> None:
        inside = inputs * expand
        layers: list[Any] = [conv_norm(inputs, inside, 1, activation=ReLU6)] if expand != 1 else []
        self.conv = Sequential(
            *layers,
            conv_norm(inside, inside, 3, stride=stride, groups=inside, activation=ReLU6),
            Conv2d(inside, outputs, 1, bias=False),
            BatchNorm2d(outputs),
        )
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: ArrayLike) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        y: Any = self.conv(x)
        return x + y if self.adds else y


def _near(channels: float) -> int:
    """A multiple of 8 near a number of channels, and not below nine tenths of it."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


class MobileNetV2(Module):
    """Seventeen inverted residual blocks: 3,504,872 parameters.

    x: (N, in_channels, H, W), of 224 places in the publication; y: (N, num_classes), unnormalized.

    num_classes: how many classes there are.
    width_mult: times as many channels everywhere.
    dropout: the share of numbers that are dropped before the last layer.
    in_channels: of the images.

    Names inside are torchvision's. Kernels begin as `he` draws them, the last layer with a deviation of 0.01.

    Source: Sandler et al., *MobileNetV2: inverted residuals and linear bottlenecks* (2018).

    >>> import numpy as np
    >>> net = MobileNetV2(num_classes=10, width_mult=0.25)
    >>> net(np.ones((2, 3, 32, 32), np.float32)).shape
    (2, 10)
    """

    def __init__(
        self, num_classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.2, *, in_channels: int = 3
    ) -> None:
        channels = _near(32 * width_mult)
        last = _near(1280 * max(1.0, width_mult))
        layers: list[Any] = [conv_norm(in_channels, channels, 3, stride=2, activation=ReLU6)]
        for expand, width, count, stride in PARTS:
            for k in range(count):
                outputs = _near(width * width_mult)
                layers.append(InvertedResidual(channels, outputs, stride if k == 0 else 1, expand))
                channels = outputs
        layers.append(conv_norm(channels, last, 1, activation=ReLU6))
        self.features = Sequential(*layers)
        self.classifier = Sequential(Dropout(dropout), Linear(last, num_classes))
        he(self, linear=0.01)

    def forward(self, x: ArrayLike) -> Tensor:
        """The scores of the classes, (N, num_classes)."""
        h = F.adaptive_avg_pool2d(self.features(x), 1)
        return self.classifier(F.flatten(h, 1))

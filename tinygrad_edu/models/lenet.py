"""LeNet-5, the convolutional network that read digits on cheques."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_edu.models.blocks import OfImages
from tinygrad_edu.nn import AvgPool2d, Conv2d, Flatten, Linear, Tanh


class LeNet5(OfImages):
    """Two convolutions of 5×5 with a mean pool behind each, and three layers of neurons: 61,706 parameters for digits.

    x: (N, *image); y: (N, num_classes), unnormalized.

    image: channels, height and width of an image, of 12 places or more. A padding of 2 stands around it, which makes digits
        of 28 places as large as the original's, 32.
    num_classes: how many classes there are.
    activation: makes the layer after each convolution and each layer of neurons but the last.

    Differences from the original, as in most chapters: every channel of the second convolution sees all channels of the
    first, pools have no weights, and the last layer is linear.

    Source: LeCun et al., *Gradient-based learning applied to document recognition* (1998).

    >>> import numpy as np
    >>> net = LeNet5()
    >>> net(np.ones((2, 1, 28, 28), np.float32)).shape, sum(p.size for p in net.parameters())
    ((2, 10), 61706)
    """

    def __init__(
        self,
        image: tuple[int, int, int] = (1, 28, 28),
        num_classes: int = 10,
        activation: Callable[[], Any] = Tanh,
    ) -> None:
        channels, height, width = image
        if min(height, width) < 12:
            raise ValueError(f"LeNet5 takes images of 12 places or more, but got {image}")
        numbers = 16 * ((height // 2 - 4) // 2) * ((width // 2 - 4) // 2)
        super().__init__(
            image,
            Conv2d(channels, 6, 5, padding=2), activation(), AvgPool2d(2),
            Conv2d(6, 16, 5), activation(), AvgPool2d(2),
            Flatten(),
            Linear(numbers, 120), activation(),
            Linear(120, 84), activation(),
            Linear(84, num_classes),
        )  # fmt: skip

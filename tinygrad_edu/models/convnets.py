"""The convolutional networks by which chapters read digits: a simple one, and a deep one."""

from __future__ import annotations

from tinygrad_edu.models.blocks import OfImages, he
from tinygrad_edu.nn import Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU


class SimpleConvNet(OfImages):
    """A convolution, a pool and two layers of neurons: conv – ReLU – pool – affine – ReLU – affine.

    x: (N, *image); y: (N, num_classes), unnormalized.

    image: channels, height and width of an image.
    num_classes: how many classes there are.
    filters, kernel_size: of the convolution.
    hidden: the number of neurons.

    With Adam and a learning rate of 0.001 it reads 98.5 % and more of MNIST's test digits after 20 epochs.

    >>> import numpy as np
    >>> net = SimpleConvNet()
    >>> net(np.ones((2, 1, 28, 28), np.float32)).shape, sum(p.size for p in net.parameters())
    ((2, 10), 433890)
    """

    def __init__(
        self,
        image: tuple[int, int, int] = (1, 28, 28),
        num_classes: int = 10,
        *,
        filters: int = 30,
        kernel_size: int = 5,
        hidden: int = 100,
    ) -> None:
        channels, height, width = image
        rows, columns = (height - kernel_size + 1) // 2, (width - kernel_size + 1) // 2
        if min(rows, columns) < 1:
            raise ValueError(f"SimpleConvNet with kernels of {kernel_size} takes larger images than {image}")
        super().__init__(
            image,
            Conv2d(channels, filters, kernel_size), ReLU(), MaxPool2d(2),
            Flatten(),
            Linear(filters * rows * columns, hidden), ReLU(),
            Linear(hidden, num_classes),
        )  # fmt: skip


class DeepConvNet(OfImages):
    """Six convolutions of 3×3, two of each width and then a pool; a layer of neurons, and dropout.

    conv16 – conv16 – pool – conv32 – conv32 – pool – conv64 – conv64 – pool – affine – dropout – affine, with a ReLU after
    each convolution and the first affine layer. The fourth convolution pads by 2, the others by 1. Kernels begin as `he`
    draws them.

    x: (N, *image); y: (N, num_classes), unnormalized.

    image: channels, height and width of an image, of 8 places or more.
    num_classes: how many classes there are.
    hidden: the number of neurons.
    dropout: the share of neurons that are dropped.

    With Adam it reads 99.3 % and more of MNIST's test digits.

    >>> import numpy as np
    >>> net = DeepConvNet()
    >>> net(np.ones((2, 1, 28, 28), np.float32)).shape, sum(p.size for p in net.parameters())
    ((2, 10), 123552)
    """

    def __init__(
        self,
        image: tuple[int, int, int] = (1, 28, 28),
        num_classes: int = 10,
        *,
        hidden: int = 50,
        dropout: float = 0.5,
    ) -> None:
        channels, *size = image
        if min(size) < 4:
            raise ValueError(f"DeepConvNet takes images of 4 places or more, but got {image}")
        rows, columns = [((n // 2 + 2) // 2) // 2 for n in size]
        super().__init__(
            image,
            Conv2d(channels, 16, 3, padding=1), ReLU(), Conv2d(16, 16, 3, padding=1), ReLU(), MaxPool2d(2),
            Conv2d(16, 32, 3, padding=1), ReLU(), Conv2d(32, 32, 3, padding=2), ReLU(), MaxPool2d(2),
            Conv2d(32, 64, 3, padding=1), ReLU(), Conv2d(64, 64, 3, padding=1), ReLU(), MaxPool2d(2),
            Flatten(),
            Linear(64 * rows * columns, hidden), ReLU(), Dropout(dropout),
            Linear(hidden, num_classes),
        )  # fmt: skip
        he(self)

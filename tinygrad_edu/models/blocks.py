"""What several networks of images are made of: how weights begin, and a convolution with what follows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.nn import BatchNorm2d, Conv2d, ConvTranspose2d, Linear, Module, ReLU, Sequential, init

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor


def he(model: Module, linear: float | None = None) -> None:
    """Draw the kernels of all convolutions from a normal distribution of variance 2/n, where n is how many results an input
    reaches, so that ReLU layers keep the scale of gradients; their biases are 0.

    model: the network whose kernels are drawn.
    linear: draw the weights of Linear layers with this deviation, and make their biases 0; left out, they stay as they are.

    Source: He et al., *Delving deep into rectifiers* (2015).
    """
    for layer in model.modules():
        if isinstance(layer, Conv2d | ConvTranspose2d):
            layer.weight.data = init.kaiming_normal(layer.weight.shape, mode="fan_out", nonlinearity="relu")
        elif isinstance(layer, Linear) and linear is not None:
            layer.weight.data = init.normal(layer.weight.shape, 0.0, linear)
        else:
            continue
        if layer.bias is not None:
            layer.bias.data = init.zeros(layer.bias.shape)


class OfImages(Sequential):
    """Layers whose last ones fit images of one size: those of another get an error that says so.

    image: channels, height and width of an image.
    layers: as for `Sequential`.
    """

    def __init__(self, image: tuple[int, int, int], *layers: Any) -> None:
        super().__init__(*layers)
        self.image = tuple(image)

    def forward(self, x: ArrayLike) -> Tensor:
        """Call the layers one after another. Raises ValueError for images of another size."""
        shape = np.shape(x)  # type: ignore[arg-type]  # NumPy's stubs know lists of lists to a depth
        if len(shape) > 2 and shape[-3] == self.image[0] and shape[-2:] != self.image[1:]:
            raise ValueError(
                f"{type(self).__name__} was made for images {self.image}, but got x of shape {shape}; "
                f"make it with image={shape[-3:]}"
            )
        return super().forward(x)


def conv_norm(
    inputs: int,
    outputs: int,
    kernel_size: int = 3,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    activation: Callable[[], Any] = ReLU,
) -> Sequential:
    """A convolution without bias, a batch normalization, which has one, and an activation.

    inputs, outputs: the numbers of channels.
    kernel_size, stride, dilation, groups: of the convolution; the padding is such that at stride 1 the size stays.
    activation: makes the layer at the end.

    >>> len(conv_norm(3, 8))
    3
    """
    padding = dilation * (kernel_size - 1) // 2
    conv = Conv2d(inputs, outputs, kernel_size, stride, padding, dilation, groups, bias=False)
    return Sequential(conv, BatchNorm2d(outputs), activation())

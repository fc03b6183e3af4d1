"""UNet: down to what is in an image, and up again to where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.models.blocks import he
from tinygrad_edu.nn import BatchNorm2d, Conv2d, ConvTranspose2d, MaxPool2d, Module, ModuleList, ReLU, Sequential

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


class TwoConvolutions(Sequential):
    """Two convolutions of 3×3, a ReLU behind each.

    inputs, outputs: the numbers of channels.
    padding: around each convolution.
    batch_norm: whether a batch normalization stands behind each.
    """

    def __init__(self, inputs: int, outputs: int, padding: int, batch_norm: bool) -> None:
        layers: list[Any] = []
        for channels in (inputs, outputs):
            layers += [Conv2d(channels, outputs, 3, padding=padding), *[BatchNorm2d(outputs)] * batch_norm, ReLU()]
        super().__init__(*layers)


class UNet(Module):
    """A class for each place of an image, by a way down, a way up, and bridges between them at each size.

    On the way down, images are halved by pools, and have twice as many channels; on the way up, transposed convolutions
    double them, and what they had at that size on the way down is joined to them.

    x: (N, in_channels, H, W); y: (N, num_classes, H, W), unnormalized. H and W that 2^depth divides keep their size; of
    others, and with `padding=0`, what reaches over is cut off, and y is smaller.

    in_channels: of the images.
    num_classes: how many classes there are.
    width: the channels of the first size; each smaller one has twice as many.
    depth: how many times the image is halved.
    padding: around each convolution of 3×3; 0 in the publication, where 572 places give 388.
    batch_norm: whether a batch normalization stands behind each of these.

    With one channel and two classes it has the publication's 31,030,658 parameters.

    Source: Ronneberger, Fischer and Brox, *U-Net: convolutional networks for biomedical image segmentation* (2015).

    >>> import numpy as np
    >>> net = UNet(1, 2, width=4, depth=2)
    >>> net(np.ones((1, 1, 16, 16), np.float32)).shape
    (1, 2, 16, 16)
    """

    def __init__(
        self,
        in_channels: int = 1,
        num_classes: int = 2,
        *,
        width: int = 64,
        depth: int = 4,
        padding: int = 1,
        batch_norm: bool = False,
    ) -> None:
        widths = [width * 2**k for k in range(depth + 1)]
        self.down = ModuleList(
            [TwoConvolutions(a, b, padding, batch_norm) for a, b in zip([in_channels, *widths], widths, strict=False)]
        )
        self.pool = MaxPool2d(2)
        self.up = ModuleList([ConvTranspose2d(2 * w, w, 2, stride=2) for w in widths[-2::-1]])
        self.joined = ModuleList([TwoConvolutions(2 * w, w, padding, batch_norm) for w in widths[-2::-1]])
        self.head = Conv2d(width, num_classes, 1)
        he(self)

    def forward(self, x: ArrayLike) -> Tensor:
        """The scores of the classes for each place, (N, num_classes, H, W)."""
        h: Any = x
        bridges = []
        for k, part in enumerate(self.down):
            h = part(self.pool(h) if k else h)
            bridges.append(h)
        for up, part, bridge in zip(self.up, self.joined, bridges[-2::-1], strict=True):
            h = up(h)
            h = part(np.concatenate([_middle(bridge, h.shape[2:]), h], axis=1))
        return self.head(h)


def _middle(x: Any, size: tuple[int, ...]) -> Any:
    """The middle of images, of this size."""
    top, left = [(have - n) // 2 for have, n in zip(x.shape[2:], size, strict=True)]
    return x if x.shape[2:] == size else x[:, :, top : top + size[0], left : left + size[1]]

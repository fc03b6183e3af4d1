"""Layers that make images larger or smaller, by interpolation, by folding channels into places, or by a border."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy

from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.function import Function
from tinygrad_edu.nn.functional.convolution import each
from tinygrad_edu.nn.module import Module

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


class Upsample(Function):
    """Images made larger (or smaller) to `size`, or by `scale_factor`, as `mode` reads off between numbers.

    x: (N, C, size) of one to three dimensions. Modes, and the other settings: see `F.interpolate`.

    >>> import numpy as np
    >>> Upsample(scale_factor=2, mode="bilinear")(np.ones((1, 3, 4, 5))).shape
    (1, 3, 8, 10)
    """

    function = F.interpolate
    size: int | Sequence[int] | None = None
    scale_factor: float | Sequence[float] | None = None
    mode: str = "nearest"
    align_corners: bool | None = None
    recompute_scale_factor: bool | None = None

    def extra_repr(self) -> str:
        return ", ".join([f"{name}={value!r}" for name, value in self._options().items() if value is not None])


class PixelShuffle(Function):
    """r² channels become an image r times as high and wide, r = `upscale_factor`. See `F.pixel_shuffle`.

    >>> import numpy as np
    >>> PixelShuffle(2)(np.ones((1, 12, 4, 5))).shape
    (1, 3, 8, 10)
    """

    function = F.pixel_shuffle
    upscale_factor: int


class PixelUnshuffle(Function):
    """The inverse of `PixelShuffle`, by `downscale_factor`. See `F.pixel_unshuffle`.

    >>> import numpy as np
    >>> PixelUnshuffle(2)(np.ones((1, 3, 8, 10))).shape
    (1, 12, 4, 5)
    """

    function = F.pixel_unshuffle
    downscale_factor: int


class _Pad(Module):
    """y is x with a border. padding: a number for all sides, or (left, right, top, bottom, front, back), as many as there
    are: the last dimension comes first."""

    dimensions: ClassVar[int]
    mode: ClassVar[str]
    value: float = 0.0

    def __init__(self, padding: int | Sequence[int]) -> None:
        self.padding = each(type(self).__name__, "padding", padding, 2 * self.dimensions, 0)

    def forward(self, x: ArrayLike) -> Tensor:
        shape, n = np.shape(x), self.dimensions
        if len(shape) not in (n + 1, n + 2):
            size = ", ".join("DHW"[-n:] if n > 1 else "L")
            raise ValueError(f"{self!r} takes x of shape (N, C, {size}) or (C, {size}), but got {shape}")
        pairs = [self.padding[k : k + 2] for k in range(2 * n - 2, -1, -2)]
        most = {"reflect": 1, "wrap": 0}.get(self.mode)
        if most is not None and any(max(pair) > size - most for pair, size in zip(pairs, shape[-n:], strict=True)):
            raise ValueError(f"{self!r} makes a border of what x has, but got {shape}, which has less")
        options = {"constant_values": self.value} if self.mode == "constant" else {}
        return np.pad(x, [(0, 0)] * (len(shape) - n) + pairs, mode=self.mode, **options)

    def extra_repr(self) -> str:
        return str(self.padding[0] if len(set(self.padding)) == 1 else self.padding)


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, value={self.value}"


class ZeroPad1d(_Pad):
    """A border of zeros,
    along one dimension: (left, right), or one number for both. x: (N, C, L) or (C, L).

    >>> import numpy as np
    >>> ZeroPad1d(1)(np.array([[[1.0, 2.0, 3.0]]]))[0, 0].tolist()
    [0.0, 1.0, 2.0, 3.0, 0.0]
    """

    dimensions = 1
    mode = "constant"


class ZeroPad2d(_Pad):
    """A border of zeros,
    around images: (left, right, top, bottom), or one number for all. x: (N, C, H, W) or (C, H, W).

    >>> import numpy as np
    >>> ZeroPad2d((1, 2, 0, 1))(np.ones((1, 3, 4, 4))).shape
    (1, 3, 5, 7)
    """

    dimensions = 2
    mode = "constant"


class ZeroPad3d(_Pad):
    """A border of zeros,
    around volumes: (left, right, top, bottom, front, back), or one number. x: (N, C, D, H, W) or without N.

    >>> import numpy as np
    >>> ZeroPad3d(1)(np.ones((1, 3, 2, 2, 2))).shape
    (1, 3, 4, 4, 4)
    """

    dimensions = 3
    mode = "constant"


class ConstantPad1d(_ConstantPad):
    """A border of one number, `value`,
    along one dimension: (left, right), or one number for both. x: (N, C, L) or (C, L).

    >>> import numpy as np
    >>> ConstantPad1d(1, 7.0)(np.array([[[1.0, 2.0, 3.0]]]))[0, 0].tolist()
    [7.0, 1.0, 2.0, 3.0, 7.0]
    """

    dimensions = 1


class ConstantPad2d(_ConstantPad):
    """A border of one number, `value`,
    around images: (left, right, top, bottom), or one number for all. x: (N, C, H, W) or (C, H, W).

    >>> import numpy as np
    >>> ConstantPad2d((1, 2, 0, 1), 7.0)(np.ones((1, 3, 4, 4))).shape
    (1, 3, 5, 7)
    """

    dimensions = 2


class ConstantPad3d(_ConstantPad):
    """A border of one number, `value`,
    around volumes: (left, right, top, bottom, front, back), or one number. x: (N, C, D, H, W) or without N.

    >>> import numpy as np
    >>> ConstantPad3d(1, 7.0)(np.ones((1, 3, 2, 2, 2))).shape
    (1, 3, 4, 4, 4)
    """

    dimensions = 3


class ReflectionPad1d(_Pad):
    """A border that reflects what lies inside, without repeating the outermost numbers,
    along one dimension: (left, right), or one number for both. x: (N, C, L) or (C, L).

    >>> import numpy as np
    >>> ReflectionPad1d(1)(np.array([[[1.0, 2.0, 3.0]]]))[0, 0].tolist()
    [2.0, 1.0, 2.0, 3.0, 2.0]
    """

    dimensions = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """A border that reflects what lies inside, without repeating the outermost numbers,
    around images: (left, right, top, bottom), or one number for all. x: (N, C, H, W) or (C, H, W).

    >>> import numpy as np
    >>> ReflectionPad2d((1, 2, 0, 1))(np.ones((1, 3, 4, 4))).shape
    (1, 3, 5, 7)
    """

    dimensions = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """A border that reflects what lies inside, without repeating the outermost numbers,
    around volumes: (left, right, top, bottom, front, back), or one number. x: (N, C, D, H, W) or without N.

    >>> import numpy as np
    >>> ReflectionPad3d(1)(np.ones((1, 3, 2, 2, 2))).shape
    (1, 3, 4, 4, 4)
    """

    dimensions = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """A border that repeats the outermost numbers,
    along one dimension: (left, right), or one number for both. x: (N, C, L) or (C, L).

    >>> import numpy as np
    >>> ReplicationPad1d(1)(np.array([[[1.0, 2.0, 3.0]]]))[0, 0].tolist()
    [1.0, 1.0, 2.0, 3.0, 3.0]
    """

    dimensions = 1
    mode = "edge"


class ReplicationPad2d(_Pad):
    """A border that repeats the outermost numbers,
    around images: (left, right, top, bottom), or one number for all. x: (N, C, H, W) or (C, H, W).

    >>> import numpy as np
    >>> ReplicationPad2d((1, 2, 0, 1))(np.ones((1, 3, 4, 4))).shape
    (1, 3, 5, 7)
    """

    dimensions = 2
    mode = "edge"


class ReplicationPad3d(_Pad):
    """A border that repeats the outermost numbers,
    around volumes: (left, right, top, bottom, front, back), or one number. x: (N, C, D, H, W) or without N.

    >>> import numpy as np
    >>> ReplicationPad3d(1)(np.ones((1, 3, 2, 2, 2))).shape
    (1, 3, 4, 4, 4)
    """

    dimensions = 3
    mode = "edge"


class CircularPad1d(_Pad):
    """A border from the other end, as if images lay side by side,
    along one dimension: (left, right), or one number for both. x: (N, C, L) or (C, L).

    >>> import numpy as np
    >>> CircularPad1d(1)(np.array([[[1.0, 2.0, 3.0]]]))[0, 0].tolist()
    [3.0, 1.0, 2.0, 3.0, 1.0]
    """

    dimensions = 1
    mode = "wrap"


class CircularPad2d(_Pad):
    """A border from the other end, as if images lay side by side,
    around images: (left, right, top, bottom), or one number for all. x: (N, C, H, W) or (C, H, W).

    >>> import numpy as np
    >>> CircularPad2d((1, 2, 0, 1))(np.ones((1, 3, 4, 4))).shape
    (1, 3, 5, 7)
    """

    dimensions = 2
    mode = "wrap"


class CircularPad3d(_Pad):
    """A border from the other end, as if images lay side by side,
    around volumes: (left, right, top, bottom, front, back), or one number. x: (N, C, D, H, W) or without N.

    >>> import numpy as np
    >>> CircularPad3d(1)(np.ones((1, 3, 2, 2, 2))).shape
    (1, 3, 4, 4, 4)
    """

    dimensions = 3
    mode = "wrap"

"""Layers that make images larger or smaller: by interpolation, by turning channels into places, or by a border."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number
from typing import TYPE_CHECKING, Any, ClassVar

import numpy

from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.function import Function
from tinygrad_edu.nn.functional.checks import positive
from tinygrad_edu.nn.functional.resizing import check_asked
from tinygrad_edu.nn.functional.sizes import check_border, each
from tinygrad_edu.nn.module import Module

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


class Upsample(Function):
    """Images become larger or smaller: numbers between those of x are read off as `mode` says.

    x: (N, C, size) of one to three dimensions; y: (N, C, P).

    size: the sizes P, or one number for all. Either this or scale_factor is given.
    scale_factor: P divided by the size of x, a number or one for each dimension.
    mode: "nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic" or "area"; see `F.interpolate`.
    align_corners: whether the first and the last number stay those of x, for the modes that go from number to number.
    recompute_scale_factor: whether the scale is computed anew from the rounded size.

    Raises ValueError for an unknown mode, unless one of size and scale_factor is given, and, when it is called, for a mode
    that does not fit x.

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

    def __post_init__(self) -> None:
        check_asked("Upsample", self.mode, self.size, self.scale_factor)

    def extra_repr(self) -> str:
        return ", ".join([f"{name}={value!r}" for name, value in self._options().items() if value is not None])


class PixelShuffle(Function):
    """r² channels become one image that is r times as high and wide: (…, C·r², H, W) becomes (…, C, r·H, r·W).

    upscale_factor: r, at least 1.

    Raises ValueError, when it is called, for channels that r² does not divide.

    Source: Shi et al., *Real-time single image and video super-resolution using an efficient sub-pixel convolutional
    neural network* (2016).

    >>> import numpy as np
    >>> PixelShuffle(2)(np.ones((1, 12, 4, 5))).shape
    (1, 3, 8, 10)
    """

    function = F.pixel_shuffle
    upscale_factor: int

    def __post_init__(self) -> None:
        positive("PixelShuffle's upscale_factor", self.upscale_factor)


class PixelUnshuffle(Function):
    """An image becomes r² channels of images that are r times as small; it undoes `PixelShuffle`.

    downscale_factor: r, at least 1.

    Raises ValueError, when it is called, for sizes that r does not divide.

    >>> import numpy as np
    >>> PixelUnshuffle(2)(np.ones((1, 3, 8, 10))).shape
    (1, 12, 4, 5)
    """

    function = F.pixel_unshuffle
    downscale_factor: int

    def __post_init__(self) -> None:
        positive("PixelUnshuffle's downscale_factor", self.downscale_factor)


class _Pad(Module):
    """The base of layers that put a border around x. The first sizes in `padding` are those of the last dimension."""

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
        check_border(repr(self), self.mode, pairs, shape)
        options = {"constant_values": self.value} if self.mode == "constant" else {}
        return np.pad(x, [(0, 0)] * (len(shape) - n) + pairs, mode=self.mode, **options)

    def extra_repr(self) -> str:
        return str(self.padding[0] if len(set(self.padding)) == 1 else self.padding)


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        if not isinstance(value, Number):
            raise TypeError(f"{type(self).__name__}'s value is a number, but got {type(value).__name__} {value!r:.60}")
        self.value = value

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, value={self.value}"


class ZeroPad1d(_Pad):
    """A border of zeros is put around sequences. x: (N, C, L) or (C, L).

    padding: how many places wide the border is, (left, right), or one number for both.

    Raises ValueError, when it is called, for x of another shape.

    >>> import numpy as np
    >>> ZeroPad1d(1)(np.array([[[1.0, 2.0, 3.0]]]))[0, 0].tolist()
    [0.0, 1.0, 2.0, 3.0, 0.0]
    """

    dimensions = 1
    mode = "constant"


class ZeroPad2d(_Pad):
    """A border of zeros is put around images. x: (N, C, H, W) or (C, H, W).

    padding: how many places wide the border is, (left, right, top, bottom), or one number for all.

    Raises ValueError, when it is called, for x of another shape.

    >>> import numpy as np
    >>> ZeroPad2d((1, 2, 0, 1))(np.ones((1, 3, 4, 4))).shape
    (1, 3, 5, 7)
    """

    dimensions = 2
    mode = "constant"


class ZeroPad3d(_Pad):
    """A border of zeros is put around volumes. x: (N, C, D, H, W) or (C, D, H, W).

    padding: how many places wide the border is, (left, right, top, bottom, front, back), or one number for all.

    Raises ValueError, when it is called, for x of another shape.

    >>> import numpy as np
    >>> ZeroPad3d(1)(np.ones((1, 3, 2, 2, 2))).shape
    (1, 3, 4, 4, 4)
    """

    dimensions = 3
    mode = "constant"


class ConstantPad1d(_ConstantPad):
    """A border of one number is put around sequences. x: (N, C, L) or (C, L).

    padding: how many places wide the border is, (left, right), or one number for both.
    value: the number.

    Raises ValueError, when it is called, for x of another shape.

    >>> import numpy as np
    >>> ConstantPad1d(1, 7.0)(np.array([[[1.0, 2.0, 3.0]]]))[0, 0].tolist()
    [7.0, 1.0, 2.0, 3.0, 7.0]
    """

    dimensions = 1


class ConstantPad2d(_ConstantPad):
    """A border of one number is put around images. x: (N, C, H, W) or (C, H, W).

    padding: how many places wide the border is, (left, right, top, bottom), or one number for all.
    value: the number.

    Raises ValueError, when it is called, for x of another shape.

    >>> import numpy as np
    >>> ConstantPad2d((1, 2, 0, 1), 7.0)(np.ones((1, 3, 4, 4))).shape
    (1, 3, 5, 7)
    """

    dimensions = 2


class ConstantPad3d(_ConstantPad):
    """A border of one number is put around volumes. x: (N, C, D, H, W) or (C, D, H, W).

    padding: how many places wide the border is, (left, right, top, bottom, front, back), or one number for all.
    value: the number.

    Raises ValueError, when it is called, for x of another shape.

    >>> import numpy as np
    >>> ConstantPad3d(1, 7.0)(np.ones((1, 3, 2, 2, 2))).shape
    (1, 3, 4, 4, 4)
    """

    dimensions = 3


class ReflectionPad1d(_Pad):
    """A border that mirrors what lies inside, without its outermost numbers, is put around sequences. x: (N, C, L) or
    (C, L).

    padding: how many places wide the border is, (left, right), or one number for both.

    Raises ValueError, when it is called, for x of another shape, and for a border wider than x.

    >>> import numpy as np
    >>> ReflectionPad1d(1)(np.array([[[1.0, 2.0, 3.0]]]))[0, 0].tolist()
    [2.0, 1.0, 2.0, 3.0, 2.0]
    """

    dimensions = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """A border that mirrors what lies inside, without its outermost numbers, is put around images. x: (N, C, H, W) or
    (C, H, W).

    padding: how many places wide the border is, (left, right, top, bottom), or one number for all.

    Raises ValueError, when it is called, for x of another shape, and for a border wider than x.

    >>> import numpy as np
    >>> ReflectionPad2d((1, 2, 0, 1))(np.ones((1, 3, 4, 4))).shape
    (1, 3, 5, 7)
    """

    dimensions = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """A border that mirrors what lies inside, without its outermost numbers, is put around volumes. x: (N, C, D, H, W)
    or (C, D, H, W).

    padding: how many places wide the border is, (left, right, top, bottom, front, back), or one number for all.

    Raises ValueError, when it is called, for x of another shape, and for a border wider than x.

    >>> import numpy as np
    >>> ReflectionPad3d(1)(np.ones((1, 3, 2, 2, 2))).shape
    (1, 3, 4, 4, 4)
    """

    dimensions = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """A border that repeats the outermost numbers is put around sequences. x: (N, C, L) or (C, L).

    padding: how many places wide the border is, (left, right), or one number for both.

    Raises ValueError, when it is called, for x of another shape.

    >>> import numpy as np
    >>> ReplicationPad1d(1)(np.array([[[1.0, 2.0, 3.0]]]))[0, 0].tolist()
    [1.0, 1.0, 2.0, 3.0, 3.0]
    """

    dimensions = 1
    mode = "edge"


class ReplicationPad2d(_Pad):
    """A border that repeats the outermost numbers is put around images. x: (N, C, H, W) or (C, H, W).

    padding: how many places wide the border is, (left, right, top, bottom), or one number for all.

    Raises ValueError, when it is called, for x of another shape.

    >>> import numpy as np
    >>> ReplicationPad2d((1, 2, 0, 1))(np.ones((1, 3, 4, 4))).shape
    (1, 3, 5, 7)
    """

    dimensions = 2
    mode = "edge"


class ReplicationPad3d(_Pad):
    """A border that repeats the outermost numbers is put around volumes. x: (N, C, D, H, W) or (C, D, H, W).

    padding: how many places wide the border is, (left, right, top, bottom, front, back), or one number for all.

    Raises ValueError, when it is called, for x of another shape.

    >>> import numpy as np
    >>> ReplicationPad3d(1)(np.ones((1, 3, 2, 2, 2))).shape
    (1, 3, 4, 4, 4)
    """

    dimensions = 3
    mode = "edge"


class CircularPad1d(_Pad):
    """A border that continues with the other end, as if copies lay side by side, is put around sequences. x: (N, C, L)
    or (C, L).

    padding: how many places wide the border is, (left, right), or one number for both.

    Raises ValueError, when it is called, for x of another shape, and for a border wider than x.

    >>> import numpy as np
    >>> CircularPad1d(1)(np.array([[[1.0, 2.0, 3.0]]]))[0, 0].tolist()
    [3.0, 1.0, 2.0, 3.0, 1.0]
    """

    dimensions = 1
    mode = "wrap"


class CircularPad2d(_Pad):
    """A border that continues with the other end, as if copies lay side by side, is put around images. x: (N, C, H, W)
    or (C, H, W).

    padding: how many places wide the border is, (left, right, top, bottom), or one number for all.

    Raises ValueError, when it is called, for x of another shape, and for a border wider than x.

    >>> import numpy as np
    >>> CircularPad2d((1, 2, 0, 1))(np.ones((1, 3, 4, 4))).shape
    (1, 3, 5, 7)
    """

    dimensions = 2
    mode = "wrap"


class CircularPad3d(_Pad):
    """A border that continues with the other end, as if copies lay side by side, is put around volumes. x: (N, C, D, H,
    W) or (C, D, H, W).

    padding: how many places wide the border is, (left, right, top, bottom, front, back), or one number for all.

    Raises ValueError, when it is called, for x of another shape, and for a border wider than x.

    >>> import numpy as np
    >>> CircularPad3d(1)(np.ones((1, 3, 2, 2, 2))).shape
    (1, 3, 4, 4, 4)
    """

    dimensions = 3
    mode = "wrap"

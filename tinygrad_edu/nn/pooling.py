"""Layers that pool: they take the largest number of each window, or its mean or norm. They have no parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.function import Function
from tinygrad_edu.nn.functional.checks import positive
from tinygrad_edu.nn.functional.sizes import each

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor

Numbers = int | Sequence[int]
Size = int | None | Sequence[int | None]
LEAST = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1}


class _Pool(Function):
    """The base of layers with windows. It checks settings when a layer is made, and shows those that differ from the
    default.
    """

    dimensions: ClassVar[int]

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = vars(self).get(name)
            if value is not None:
                each(type(self).__name__, name, value, self.dimensions, least)
        if "norm_type" in vars(self):
            positive(f"{type(self).__name__}'s norm_type", vars(self)["norm_type"])

    def extra_repr(self) -> str:
        usual = {field.name: field.default for field in dataclasses.fields(self)}
        shown = {name: value for name, value in self._options().items() if value != usual[name]}
        return ", ".join([f"{name}={value!r}" for name, value in shown.items()])


class MaxPool1d(_Pool):
    """The largest number of each window is taken, along one dimension.

    x: (N, C, L) or (C, L); y: (N, C, P). The parameters are those of `MaxPool2d`.

    >>> import numpy as np
    >>> MaxPool1d(2)(np.array([[[1.0, 2.0, 8.0, 4.0]]])).tolist()
    [[[2.0, 8.0]]]
    """

    dimensions = 1
    function = F.max_pool1d
    kernel_size: Numbers
    stride: Numbers | None = None
    padding: Numbers = 0
    dilation: Numbers = 1
    return_indices: bool = False
    ceil_mode: bool = False


class MaxPool2d(_Pool):
    """The largest number of each window is taken, so that images become smaller.

    x: (N, C, H, W) or (C, H, W); y: (N, C, P, Q).

    kernel_size: the places of a window, a number or one for each dimension.
    stride: the step from window to window; None stands for kernel_size.
    padding: how many places are put around the image, at most half of a window; they are less than all numbers.
    dilation: the step from place to place inside a window.
    return_indices: whether the layer gives (y, indices), the places that the numbers were taken from; `MaxUnpool2d`
        needs them.
    ceil_mode: whether windows may reach over the far border.

    Raises ValueError, when it is called, for images of other shapes, and for windows larger than the padded image.

    Source: Jarrett et al., *What is the best multi-stage architecture for object recognition?* (2009).

    >>> import numpy as np
    >>> MaxPool2d(3, stride=2, padding=1), MaxPool2d(2)(np.ones((5, 3, 28, 28))).shape
    (MaxPool2d(kernel_size=3, stride=2, padding=1), (5, 3, 14, 14))
    """

    dimensions = 2
    function = F.max_pool2d
    kernel_size: Numbers
    stride: Numbers | None = None
    padding: Numbers = 0
    dilation: Numbers = 1
    return_indices: bool = False
    ceil_mode: bool = False


class MaxPool3d(_Pool):
    """The largest number of each window is taken, along three dimensions.

    x: (N, C, D, H, W) or (C, D, H, W); y: (N, C, O, P, Q). The parameters are those of `MaxPool2d`.

    >>> import numpy as np
    >>> MaxPool3d(2)(np.ones((1, 3, 4, 4, 4))).shape
    (1, 3, 2, 2, 2)
    """

    dimensions = 3
    function = F.max_pool3d
    kernel_size: Numbers
    stride: Numbers | None = None
    padding: Numbers = 0
    dilation: Numbers = 1
    return_indices: bool = False
    ceil_mode: bool = False


class _MaxUnpool(_Pool):
    if TYPE_CHECKING:
        __call__: ClassVar[Any]  # it has two inputs

    def forward(self, x: ArrayLike, indices: ArrayLike, output_size: Sequence[int] | None = None) -> Tensor:  # type: ignore[override]
        return type(self).function(x, indices, **self._options(), output_size=output_size)


class MaxUnpool1d(_MaxUnpool):
    """Each number is put back to where `MaxPool1d(…, return_indices=True)` took it; the other places are 0.

    It is called as `layer(y, indices)`. The parameters are those of `MaxUnpool2d`.

    >>> import numpy as np
    >>> MaxUnpool1d(2)(np.array([[[2.0, 8.0]]]), np.array([[[1, 2]]])).tolist()
    [[[0.0, 2.0, 8.0, 0.0]]]
    """

    dimensions = 1
    function = F.max_unpool1d
    kernel_size: Numbers
    stride: Numbers | None = None
    padding: Numbers = 0


class MaxUnpool2d(_MaxUnpool):
    """Each number is put back to where `MaxPool2d(…, return_indices=True)` took it; the other places are 0.

    It is called as `layer(y, indices)`, and with `output_size=` where images of several sizes are pooled to the size of
    y.

    kernel_size: the places of a window, as for `MaxPool2d`.
    stride: the step from window to window; None stands for kernel_size.
    padding: how many places were put around the image.

    Raises ValueError, when it is called, for other shapes and sizes.

    Source: Zeiler and Fergus, *Visualizing and understanding convolutional networks* (2014).

    >>> import numpy as np
    >>> y, indices = MaxPool2d(2, return_indices=True)(np.arange(16.0).reshape(1, 1, 4, 4))
    >>> MaxUnpool2d(2)(y, indices)[0, 0, 1].tolist()
    [0.0, 5.0, 0.0, 7.0]
    """

    dimensions = 2
    function = F.max_unpool2d
    kernel_size: Numbers
    stride: Numbers | None = None
    padding: Numbers = 0


class MaxUnpool3d(_MaxUnpool):
    """Each number is put back to where `MaxPool3d(…, return_indices=True)` took it; the other places are 0.

    It is called as `layer(y, indices)`. The parameters are those of `MaxUnpool2d`.

    >>> import numpy as np
    >>> MaxUnpool3d(2)(np.full((1, 1, 1, 1, 1), 7.0), np.full((1, 1, 1, 1, 1), 5)).shape
    (1, 1, 2, 2, 2)
    """

    dimensions = 3
    function = F.max_unpool3d
    kernel_size: Numbers
    stride: Numbers | None = None
    padding: Numbers = 0


class AvgPool1d(_Pool):
    """The mean of each window is taken, along one dimension.

    x: (N, C, L) or (C, L); y: (N, C, P). The parameters are those of `AvgPool2d`.

    >>> import numpy as np
    >>> AvgPool1d(2)(np.array([[[1.0, 2.0, 8.0, 4.0]]])).tolist()
    [[[1.5, 6.0]]]
    """

    dimensions = 1
    function = F.avg_pool1d
    kernel_size: Numbers
    stride: Numbers | None = None
    padding: Numbers = 0
    ceil_mode: bool = False
    count_include_pad: bool = True


class AvgPool2d(_Pool):
    """The mean of each window is taken, so that images become smaller.

    x: (N, C, H, W) or (C, H, W); y: (N, C, P, Q).

    kernel_size: the places of a window, a number or one for each dimension.
    stride: the step from window to window; None stands for kernel_size.
    padding: how many zeros are put around the image, at most half of a window.
    ceil_mode: whether windows may reach over the far border.
    count_include_pad: whether the zeros around the image count among the places that the sum is divided by.
    divisor_override: the number that the sum is divided by instead; None for the number of places.

    Raises ValueError, when it is called, for images of other shapes, and for windows larger than the padded image.

    Source: LeCun et al., *Gradient-based learning applied to document recognition* (1998).

    >>> import numpy as np
    >>> AvgPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[2.5, 4.5], [10.5, 12.5]]]]
    """

    dimensions = 2
    function = F.avg_pool2d
    kernel_size: Numbers
    stride: Numbers | None = None
    padding: Numbers = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None


class AvgPool3d(_Pool):
    """The mean of each window is taken, along three dimensions.

    x: (N, C, D, H, W) or (C, D, H, W); y: (N, C, O, P, Q). The parameters are those of `AvgPool2d`.

    >>> import numpy as np
    >>> AvgPool3d(2)(np.ones((1, 3, 4, 4, 4))).shape
    (1, 3, 2, 2, 2)
    """

    dimensions = 3
    function = F.avg_pool3d
    kernel_size: Numbers
    stride: Numbers | None = None
    padding: Numbers = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None


class LPPool1d(_Pool):
    """y = (Σ x^p)^(1/p) over each window is taken, along one dimension.

    x: (N, C, L) or (C, L); y: (N, C, P). The parameters are those of `LPPool2d`.

    >>> import numpy as np
    >>> LPPool1d(2, 2)(np.array([[[3.0, 4.0]]])).tolist()
    [[[5.0]]]
    """

    dimensions = 1
    function = F.lp_pool1d
    norm_type: float
    kernel_size: Numbers
    stride: Numbers | None = None
    ceil_mode: bool = False


class LPPool2d(_Pool):
    """y = (Σ x^p)^(1/p) over each window: with p = 1 it is the sum, with a large p nearly the largest number.

    x: (N, C, H, W) or (C, H, W); y: (N, C, P, Q).

    norm_type: p, above 0.
    kernel_size: the places of a window, a number or one for each dimension.
    stride: the step from window to window; None stands for kernel_size.
    ceil_mode: whether windows may reach over the far border.

    Raises ValueError for a p that is not positive.

    Source: Sermanet et al., *Convolutional neural networks applied to house numbers digit classification* (2012).

    >>> import numpy as np
    >>> LPPool2d(2, 2)(np.array([[[[1.0, 2.0], [2.0, 4.0]]]])).tolist()
    [[[[5.0]]]]
    """

    dimensions = 2
    function = F.lp_pool2d
    norm_type: float
    kernel_size: Numbers
    stride: Numbers | None = None
    ceil_mode: bool = False


class LPPool3d(_Pool):
    """y = (Σ x^p)^(1/p) over each window is taken, along three dimensions.

    x: (N, C, D, H, W) or (C, D, H, W); y: (N, C, O, P, Q). The parameters are those of `LPPool2d`.

    >>> import numpy as np
    >>> LPPool3d(3, 2)(np.ones((1, 1, 2, 2, 2))).tolist()
    [[[[[2.0]]]]]
    """

    dimensions = 3
    function = F.lp_pool3d
    norm_type: float
    kernel_size: Numbers
    stride: Numbers | None = None
    ceil_mode: bool = False


class AdaptiveAvgPool1d(_Pool):
    """The mean of each of a given number of windows is taken: sequences of any length get the same length.

    x: (N, C, L) or (C, L); y: (N, C, P).

    output_size: P, the number of windows; None leaves the length as it is.

    >>> import numpy as np
    >>> AdaptiveAvgPool1d(2)(np.ones((1, 3, 5))).shape
    (1, 3, 2)
    """

    dimensions = 1
    function = F.adaptive_avg_pool1d
    output_size: Size


class AdaptiveAvgPool2d(_Pool):
    """The mean of each of a given number of windows is taken: images of any size get the same size.

    x: (N, C, H, W) or (C, H, W); y: (N, C, P, Q).

    output_size: (P, Q), or one number for both; None stands for a size that stays as it is.

    Source: Lin et al., *Network in network* (2013), for one window over the whole image.

    >>> import numpy as np
    >>> AdaptiveAvgPool2d((1, 2))(np.arange(12.0).reshape(1, 1, 3, 4)).tolist()
    [[[[4.5, 6.5]]]]
    """

    dimensions = 2
    function = F.adaptive_avg_pool2d
    output_size: Size


class AdaptiveAvgPool3d(_Pool):
    """The mean of each of a given number of windows is taken: volumes of any size get the same size.

    x: (N, C, D, H, W) or (C, D, H, W); y: (N, C, O, P, Q).

    output_size: (O, P, Q), or one number for all; None stands for a size that stays as it is.

    >>> import numpy as np
    >>> AdaptiveAvgPool3d(2)(np.ones((1, 3, 5, 5, 5))).shape
    (1, 3, 2, 2, 2)
    """

    dimensions = 3
    function = F.adaptive_avg_pool3d
    output_size: Size


class AdaptiveMaxPool1d(_Pool):
    """The largest number of each of a given number of windows is taken: sequences of any length get the same length.

    x: (N, C, L) or (C, L); y: (N, C, P). The parameters are those of `AdaptiveMaxPool2d`.

    >>> import numpy as np
    >>> AdaptiveMaxPool1d(2)(np.ones((1, 3, 5))).shape
    (1, 3, 2)
    """

    dimensions = 1
    function = F.adaptive_max_pool1d
    output_size: Size
    return_indices: bool = False


class AdaptiveMaxPool2d(_Pool):
    """The largest number of each of a given number of windows is taken: images of any size get the same size.

    x: (N, C, H, W) or (C, H, W); y: (N, C, P, Q).

    output_size: the number of windows along each dimension, or one number for all; None stands for a size that stays.
    return_indices: whether the layer gives (y, indices), the places that the numbers were taken from.

    >>> import numpy as np
    >>> AdaptiveMaxPool2d((1, 2))(np.arange(12.0).reshape(1, 1, 3, 4)).tolist()
    [[[[9.0, 11.0]]]]
    """

    dimensions = 2
    function = F.adaptive_max_pool2d
    output_size: Size
    return_indices: bool = False


class AdaptiveMaxPool3d(_Pool):
    """The largest number of each of a given number of windows is taken: volumes of any size get the same size.

    x: (N, C, D, H, W) or (C, D, H, W); y: (N, C, O, P, Q). The parameters are those of `AdaptiveMaxPool2d`.

    >>> import numpy as np
    >>> AdaptiveMaxPool3d(2)(np.ones((1, 3, 5, 5, 5))).shape
    (1, 3, 2, 2, 2)
    """

    dimensions = 3
    function = F.adaptive_max_pool3d
    output_size: Size
    return_indices: bool = False

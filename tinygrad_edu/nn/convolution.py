"""Layers that slide a window over sequences, images and volumes: convolutions, transposed convolutions, Unfold and
Fold.

The weight is (out, in / groups, kernel), as PyTorch's; that of a transposed convolution is (in, out / groups, kernel).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy

from tinygrad_edu.creation import count
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn import init
from tinygrad_edu.nn.functional.sizes import check_border, each, pairs
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.parameter import Parameter

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike, DType
    from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

Numbers = int | Sequence[int]
Mode = Literal["zeros", "reflect", "replicate", "circular"]

MODES: dict[str, str] = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""How a border is filled, and what np.pad calls it."""


class _Window(Module):
    """The base of layers with a window: it keeps their settings, and makes a weight and a bias that begin as PyTorch's
    do.
    """

    dimensions: ClassVar[int]
    bias: Parameter | None

    def _settle(self, in_channels: int, out_channels: int, groups: int, **settings: tuple[Numbers, int]) -> None:
        """Check the settings, each with the least value that it may have, and keep them as attributes."""
        who = type(self).__name__
        self.in_channels = count(in_channels, who, "in_channels")
        self.out_channels = count(out_channels, who, "out_channels")
        self.groups = count(groups, who, "groups")
        if min(self.in_channels, self.out_channels, self.groups) < 1:
            got = f"in_channels={in_channels}, out_channels={out_channels} and groups={groups}"
            raise ValueError(f"{who} needs at least one channel in and out, and one group, but got {got}")
        for name, channels in (("in_channels", self.in_channels), ("out_channels", self.out_channels)):
            if channels % self.groups:
                raise ValueError(f"{who}'s groups divide its channels, but {groups} does not divide {name}={channels}")
        for name, (value, least) in settings.items():
            setattr(self, name, each(who, name, value, self.dimensions, least))

    def _begin(
        self, shape: tuple[int, ...], bias: bool, generator: numpy.random.Generator | None, dtype: DType
    ) -> None:
        """Draw weights and bias, uniform in ±1/√n, where n is the number of products in each sum."""
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        self.weight = Parameter(init.uniform(shape, -bound, bound, generator=generator, dtype=dtype))
        outputs = (self.out_channels,)
        self.bias = Parameter(init.uniform(outputs, -bound, bound, generator=generator, dtype=dtype)) if bias else None

    def _misshapen(self, shape: tuple[int, ...]) -> ValueError:
        """The error for x of another shape, and what makes it fit: an axis of channels that is missing, or stands last."""
        axes, channels = self.dimensions, self.in_channels
        size = ", ".join("DHW"[-axes:] if axes > 1 else "L")
        cure = ""
        if len(shape) == axes + 1 and channels == 1:
            cure = "; write x[:, None], which gives one channel to each"
        elif len(shape) == axes + 2 and shape[-1] == channels:
            cure = "; write np.moveaxis(x, -1, 1), for the channels stand last"
        elif len(shape) == 2 and axes > 1:
            side = math.isqrt(shape[1] // channels)
            sizes = f"{side}, {side}" if axes == 2 and side * side * channels == shape[1] else f"{size}"
            cure = f"; write x.reshape(-1, {channels}, {sizes}) for rows of pixels"
        return ValueError(f"{self!r} takes x of shape (N, {channels}, {size}), but got {shape}{cure}")

    def _say(self, **options: tuple[Any, Any]) -> str:
        """The arguments, those that are not as usual by name."""
        said = [str(self.in_channels), str(self.out_channels), f"kernel_size={_short(vars(self)['kernel_size'])}"]
        said += [f"{name}={_short(value)}" for name, (value, usual) in options.items() if _short(value) != usual]
        return ", ".join(said + (["bias=False"] if self.bias is None else []))


def _short(value: Any) -> Any:
    """One number instead of a tuple of equal ones."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


class _Conv(_Window):
    function: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Numbers,
        stride: Numbers = 1,
        padding: str | Numbers | Sequence[Sequence[int]] = 0,
        dilation: Numbers = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: Mode = "zeros",
        *,
        generator: numpy.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        self._settle(
            in_channels, out_channels, groups, kernel_size=(kernel_size, 1), stride=(stride, 1), dilation=(dilation, 1)
        )
        if padding_mode not in MODES:
            raise ValueError(
                f"{type(self).__name__}'s padding_mode is one of {', '.join(MODES)}, but got {padding_mode!r}"
            )
        self.padding, self.padding_mode = padding, padding_mode
        self._pairs = pairs(type(self).__name__, padding, self.dimensions, self.kernel_size, self.dilation, self.stride)
        self._begin((out_channels, in_channels // groups, *self.kernel_size), bias, generator, dtype)

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    def forward(self, x: ArrayLike) -> Tensor:
        shape = np.shape(x)
        lead = len(shape) - self.dimensions
        if lead not in (1, 2) or shape[lead - 1] != self.in_channels:
            raise self._misshapen(shape)
        pairs: Any = self._pairs
        if self.padding_mode != "zeros":
            check_border(repr(self), MODES[self.padding_mode], pairs, shape)
            x = np.pad(x, ((0, 0),) * lead + pairs, mode=MODES[self.padding_mode])
            pairs = "valid"
        return type(self).function(x, self.weight, self.bias, self.stride, pairs, self.dilation, self.groups)

    def extra_repr(self) -> str:
        return self._say(
            stride=(self.stride, 1), padding=(self.padding, 0), dilation=(self.dilation, 1), groups=(self.groups, 1),
            padding_mode=(self.padding_mode, "zeros"),
        )  # fmt: skip


class Conv1d(_Conv):
    """y = x ⋆ w + b along one dimension: windows slide over a sequence, and each is summed with the numbers of a
    kernel.

    x: (N, in_channels, L) or (in_channels, L); y: (N, out_channels, P). The parameters are those of `Conv2d`.

    >>> import numpy as np
    >>> Conv1d(3, 4, 5, padding=2)(np.ones((2, 3, 10), np.float32)).shape
    (2, 4, 10)
    """

    dimensions = 1
    function = F.conv1d


class Conv2d(_Conv):
    """y = x ⋆ w + b: windows slide over images, and each is multiplied with the numbers of a kernel and summed.

    x: (N, in_channels, H, W) or (in_channels, H, W); y: (N, out_channels, P, Q). The formula, and that of P and Q, is
        in `F.conv2d`. The weight w is (out_channels, in_channels / groups, K, L), and b is (out_channels,). Both begin
        uniform in ±1/√n, where n = in_channels / groups·K·L is the number of products in each sum.

    in_channels, out_channels: the numbers of channels of x and y, at least 1.
    kernel_size: K and L, the places of a window, or one number for both.
    stride: the step from window to window, a number or one for each dimension.
    padding: how many places are put around x: a number, one for each dimension, pairs (before, after), "same" (y has as
    many places as x, at stride 1), or "valid" (none).
    dilation: the step from place to place inside a window, a number or one for each dimension.
    groups: into how many groups the channels fall; each has kernels of its own.
    bias: whether b is added; without it, `layer.bias` is None.
    padding_mode: what stands in the padding: "zeros", the image mirrored ("reflect"), its border repeated
        ("replicate"), or the image again ("circular").
    generator: draws the first weights; by default the generator that `tg.manual_seed` sets.
    dtype: the type of the weights; by default `tg.get_default_dtype()`.

    Raises ValueError for groups that do not divide the channels, and, when it is called, for x of another shape.

    Source: LeCun et al., *Gradient-based learning applied to document recognition* (1998).

    >>> import numpy as np
    >>> layer = Conv2d(1, 30, 5)
    >>> layer, layer(np.ones((2, 1, 28, 28), np.float32)).shape
    (Conv2d(1, 30, kernel_size=5), (2, 30, 24, 24))
    """

    dimensions = 2
    function = F.conv2d


class Conv3d(_Conv):
    """y = x ⋆ w + b along three dimensions: windows slide over volumes, and each is summed with the numbers of a
    kernel.

    x: (N, in_channels, D, H, W) or without N; y: (N, out_channels, O, P, Q). The parameters are those of `Conv2d`.

    >>> import numpy as np
    >>> Conv3d(1, 2, 3)(np.ones((1, 1, 4, 5, 6), np.float32)).shape
    (1, 2, 2, 3, 4)
    """

    dimensions = 3
    function = F.conv3d


class _ConvTranspose(_Window):
    function: ClassVar[Callable[..., Any]]
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    output_padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Numbers,
        stride: Numbers = 1,
        padding: Numbers = 0,
        output_padding: Numbers = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Numbers = 1,
        *,
        generator: numpy.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        self._settle(
            in_channels, out_channels, groups, kernel_size=(kernel_size, 1), stride=(stride, 1), padding=(padding, 0),
            output_padding=(output_padding, 0), dilation=(dilation, 1),
        )  # fmt: skip
        self._begin((in_channels, out_channels // groups, *self.kernel_size), bias, generator, dtype)

    def forward(self, x: ArrayLike, output_size: Sequence[int] | None = None) -> Tensor:
        """The images, enlarged; to an output_size, if it is given, which takes the place of output_padding."""
        shape = np.shape(x)
        lead = len(shape) - self.dimensions
        if lead not in (1, 2) or shape[lead - 1] != self.in_channels:
            raise self._misshapen(shape)
        more = self.output_padding if output_size is None else self._reaching(shape[lead:], tuple(output_size))
        settings = self.stride, self.padding, more, self.groups, self.dilation
        return type(self).function(x, self.weight, self.bias, *settings)

    def _reaching(self, size: tuple[int, ...], asked: tuple[int, ...]) -> tuple[int, ...]:
        """The output_padding by which images of this size become as large as is asked for."""
        settings = zip(size, self.kernel_size, self.stride, self.padding, self.dilation, strict=True)
        least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, k, s, p, d in settings]
        most = [n + s - 1 for n, s in zip(least, self.stride, strict=True)]
        fits = len(asked) == len(least) and all(a <= n <= b for a, n, b in zip(least, asked, most, strict=True))
        if not fits:
            raise ValueError(
                f"{self!r} makes of {size} an output_size from {tuple(least)} to {tuple(most)}, but got {asked}"
            )
        return tuple([n - a for n, a in zip(asked, least, strict=True)])

    def extra_repr(self) -> str:
        return self._say(
            stride=(self.stride, 1), padding=(self.padding, 0), output_padding=(self.output_padding, 0),
            groups=(self.groups, 1), dilation=(self.dilation, 1),
        )  # fmt: skip


class ConvTranspose1d(_ConvTranspose):
    """A transposed convolution along one dimension: each number of x adds a kernel, times itself, to y.

    x: (N, in_channels, P) or (in_channels, P); y: (N, out_channels, L). The parameters are those of `ConvTranspose2d`.

    >>> import numpy as np
    >>> ConvTranspose1d(3, 2, 4, stride=2, padding=1)(np.ones((1, 3, 5), np.float32)).shape
    (1, 2, 10)
    """

    dimensions = 1
    function = F.conv_transpose1d


class ConvTranspose2d(_ConvTranspose):
    """A transposed convolution: each number of x adds a kernel, times itself, to y, so that images become larger.

    x: (N, in_channels, P, Q) or (in_channels, P, Q); y: (N, out_channels, H, W), where
    H = (P − 1)·stride − 2·padding + dilation·(K − 1) + 1 + output_padding. It brings images back to the size that they
    had before a `Conv2d` with the same settings. The weight is (in_channels, out_channels / groups, K, L), and b is
    (out_channels,). Both begin uniform in ±1/√(out_channels / groups·K·L).

    in_channels, out_channels: the numbers of channels of x and y, at least 1.
    kernel_size: K and L, the places of a kernel, or one number for both.
    stride: the step in y from kernel to kernel, a number or one for each dimension.
    padding: how many places are cut off around y, a number or one for each dimension.
    output_padding: how many places y is longer. Where stride is more than 1, several sizes H have the same P, and this
        tells which is meant; it is less than stride or dilation. Or tell it by the call: `layer(x, output_size=(H, W))`.
    groups: into how many groups the channels fall; each has kernels of its own.
    bias: whether b is added; without it, `layer.bias` is None.
    dilation: the step from place to place inside a kernel, a number or one for each dimension.
    generator: draws the first weights; by default the generator that `tg.manual_seed` sets.
    dtype: the type of the weights; by default `tg.get_default_dtype()`.

    Raises ValueError for groups that do not divide the channels, and, when it is called, for x of another shape.

    Source: Dumoulin and Visin, *A guide to convolution arithmetic for deep learning* (2016).

    >>> import numpy as np
    >>> ConvTranspose2d(8, 3, 4, stride=2, padding=1)(np.ones((1, 8, 7, 7), np.float32)).shape
    (1, 3, 14, 14)
    """

    dimensions = 2
    function = F.conv_transpose2d


class ConvTranspose3d(_ConvTranspose):
    """A transposed convolution along three dimensions: each number of x adds a kernel, times itself, to y.

    x: (N, in_channels, O, P, Q) or without N; y: (N, out_channels, D, H, W). The parameters are those of
        `ConvTranspose2d`.

    >>> import numpy as np
    >>> ConvTranspose3d(2, 1, 2, stride=2)(np.ones((1, 2, 3, 3, 3), np.float32)).shape
    (1, 1, 6, 6, 6)
    """

    dimensions = 3
    function = F.conv_transpose3d


class Unfold(Module):
    """The windows of images become columns: (N, C, H, W) becomes (N, C·K·L, P·Q). Textbooks call this im2col.

    kernel_size: K and L, the places of a window, or one number for both.
    dilation: the step from place to place inside a window.
    padding: how many zeros are put around the image.
    stride: the step from window to window.

    Raises ValueError, when it is called, for windows that do not fit.

    >>> import numpy as np
    >>> Unfold(2)(np.ones((1, 3, 4, 4))).shape
    (1, 12, 9)
    """

    def __init__(self, kernel_size: Numbers, dilation: Numbers = 1, padding: Numbers = 0, stride: Numbers = 1) -> None:
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, x: ArrayLike) -> Tensor:
        return F.unfold(x, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"{self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Module):
    """Columns of windows become images again: (N, C·K·L, P·Q) becomes (N, C, H, W), and overlapping windows are added
    up.

    output_size: H and W, or one number for both.
    kernel_size: K and L, the places of a window, or one number for both.
    dilation: the step from place to place inside a window.
    padding: how many zeros were put around the image.
    stride: the step from window to window.

    Raises ValueError, when it is called, for shapes that do not fit.

    >>> import numpy as np
    >>> Fold(4, 2)(np.ones((1, 12, 9))).shape
    (1, 3, 4, 4)
    """

    def __init__(
        self,
        output_size: Numbers,
        kernel_size: Numbers,
        dilation: Numbers = 1,
        padding: Numbers = 0,
        stride: Numbers = 1,
    ) -> None:
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, x: ArrayLike) -> Tensor:
        return F.fold(x, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        settings = f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        return f"{self.output_size}, {self.kernel_size}, {settings}"

"""Lazy layers: each learns at its first call how many inputs it has, and is from then on the layer that it is named
after.

Until then its parameters are empty. They stay the same tensors, so an optimizer may be made before. Load a state, count
parameters and replay after the first call.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy

from tinygrad_edu import random
from tinygrad_edu.engine.recording import watched
from tinygrad_edu.nn import convolution as conv
from tinygrad_edu.nn import normalization as norm
from tinygrad_edu.nn.convolution import Mode, Numbers
from tinygrad_edu.nn.linear import Linear
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.parameter import Buffer, Parameter

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike, DType
    from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


class Lazy(Module):
    """The base of lazy layers."""

    kind: ClassVar[type[Any]]
    """What it becomes."""
    counted: ClassVar[str] = "in_channels"
    """The attribute that says how many inputs there are."""
    emptied: ClassVar[dict[str, int]]
    """The parameters and buffers that are empty at first, and along which axis."""
    generator: numpy.random.Generator | None = None

    def _wait(self, **settings: Any) -> None:
        """Take over the settings and attributes of a layer of this kind that has no inputs yet."""
        drawn = {"generator": numpy.random.default_rng(0)} if "generator" in settings else {}
        self.generator = settings.pop("generator", None)
        kind: Any = type(self).kind
        self._make = functools.partial(kind, **settings)
        like = self._make(settings.get("groups", 1), **drawn)
        for name, value in vars(like).items():
            axis = self.emptied.get(name)
            if axis is not None and isinstance(value, Parameter | Buffer):
                value = type(value)(value.numpy()[(slice(None),) * axis + (slice(0),)].copy())
            setattr(self, name, value)
        setattr(self, self.counted, 0)

    _inputs: Callable[[tuple[int, ...]], int | None]  # how many x of this shape has; None if the layer does not take it

    def forward(self, x: ArrayLike, *args: Any, **settings: Any) -> Tensor:
        shape = np.shape(x)
        inputs = self._inputs(shape)
        if not inputs:
            raise ValueError(f"{self!r} takes x of shape {self._taken()}, and is made for that n, but got {shape}")
        source = random.chosen(self.generator)
        drawn, kind, before = source.bit_generator.state, type(self), dict(vars(self))
        empty = self.become(inputs)
        try:
            return self.forward(x, *args, **settings)
        except Exception:  # it is as before, and may be called with another x
            self.__class__ = kind
            vars(self).clear()
            vars(self).update(before)
            for name, data in empty.items():
                before[name].data = data
            source.bit_generator.state = drawn
            raise

    def _taken(self) -> str:
        return "(…, n)"

    @watched
    def become(self, inputs: int) -> dict[str, Any]:
        """Turn into a layer with this many inputs, whose weights are drawn now. Return the empty data, by name."""
        own = [member for member in vars(self).values() if isinstance(member, Parameter | Buffer)]
        dtype = next((member.dtype for member in own if member.dtype.kind == "f"), None)
        drawn = {} if issubclass(type(self).kind, norm.Norm) else {"generator": self.generator}
        made = self._make(inputs, dtype=dtype, **drawn)
        empty = {}
        for name, value in vars(made).items():
            if isinstance(value, Parameter | Buffer) and name in vars(self):
                empty[name], vars(self)[name].data = vars(self)[name].data, value.data
            else:
                setattr(self, name, value)
        del self._make, self.generator
        self.__class__ = type(self).kind
        return empty


class LazyLinear(Lazy, Linear):
    """y = x·W + b, with as many inputs as the first x has; from its first call on, the layer is a `Linear`.

    Until then in_features is 0 and the weight has the shape (0, out_features).

    out_features: the length of the last axis of y.
    bias: whether b is added.
    generator: draws the first weights; by default the generator that `tg.manual_seed` sets.
    dtype: the type of the weights; by default `tg.get_default_dtype()`.

    >>> import numpy as np
    >>> layer = LazyLinear(2)
    >>> layer(np.ones((5, 3), np.float32)).shape, layer
    ((5, 2), Linear(3, 2))
    """

    kind = Linear
    counted = "in_features"
    emptied: ClassVar = {"weight": 0}

    def __init__(
        self,
        out_features: int,
        bias: bool = True,
        *,
        generator: numpy.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        self._wait(out_features=out_features, bias=bias, generator=generator, dtype=dtype)

    def _inputs(self, shape: tuple[int, ...]) -> int | None:
        return shape[-1] if shape else None


class _LazyWindow(Lazy):
    dimensions: ClassVar[int]

    def _inputs(self, shape: tuple[int, ...]) -> int | None:
        lead = len(shape) - self.dimensions
        return shape[lead - 1] if lead in (1, 2) else None

    def _taken(self) -> str:
        return f"(N, n, {', '.join('DHW'[-self.dimensions :] if self.dimensions > 1 else 'L')})"


class _LazyConv(_LazyWindow):
    emptied: ClassVar = {"weight": 1}

    def __init__(
        self,
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
        self._wait(
            out_channels=out_channels, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation,
            groups=groups, bias=bias, padding_mode=padding_mode, generator=generator, dtype=dtype,
        )  # fmt: skip


class _LazyConvTranspose(_LazyWindow):
    emptied: ClassVar = {"weight": 0}

    def __init__(
        self,
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
        self._wait(
            out_channels=out_channels, kernel_size=kernel_size, stride=stride, padding=padding,
            output_padding=output_padding, groups=groups, bias=bias, dilation=dilation, generator=generator, dtype=dtype,
        )  # fmt: skip


class _LazyNorm(Lazy):
    counted = "num_features"
    emptied: ClassVar = {"weight": 0, "bias": 0, "running_mean": 0, "running_var": 0}
    takes: ClassVar[dict[int, str]]

    def _inputs(self, shape: tuple[int, ...]) -> int | None:
        axes = self.takes.get(len(shape))
        return None if axes is None else shape[axes.split(", ").index("C")]

    def _taken(self) -> str:
        return " or ".join([f"({names.replace('C', 'n')})" for names in self.takes.values()])

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        dtype: DType = None,
    ) -> None:
        self._wait(eps=eps, momentum=momentum, affine=affine, track_running_stats=track_running_stats, dtype=dtype)


class LazyConv1d(_LazyConv, conv.Conv1d):
    """A `Conv1d` that has as many input channels as the first x has; from its first call on, it is that layer.

    The parameters are those of `Conv1d`, without in_channels.

    >>> import numpy as np
    >>> layer = LazyConv1d(8, 3)
    >>> y = layer(np.ones((2, 3, 7), np.float32))
    >>> layer
    Conv1d(3, 8, kernel_size=3)
    """

    kind = conv.Conv1d


class LazyConv2d(_LazyConv, conv.Conv2d):
    """A `Conv2d` that has as many input channels as the first x has; from its first call on, it is that layer.

    The parameters are those of `Conv2d`, without in_channels.

    >>> import numpy as np
    >>> layer = LazyConv2d(8, 3)
    >>> y = layer(np.ones((2, 3, 7, 7), np.float32))
    >>> layer
    Conv2d(3, 8, kernel_size=3)
    """

    kind = conv.Conv2d


class LazyConv3d(_LazyConv, conv.Conv3d):
    """A `Conv3d` that has as many input channels as the first x has; from its first call on, it is that layer.

    The parameters are those of `Conv3d`, without in_channels.

    >>> import numpy as np
    >>> layer = LazyConv3d(8, 3)
    >>> y = layer(np.ones((2, 3, 7, 7, 7), np.float32))
    >>> layer
    Conv3d(3, 8, kernel_size=3)
    """

    kind = conv.Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, conv.ConvTranspose1d):
    """A `ConvTranspose1d` that has as many input channels as the first x has; from its first call on, it is that layer.

    The parameters are those of `ConvTranspose1d`, without in_channels.

    >>> import numpy as np
    >>> layer = LazyConvTranspose1d(8, 3)
    >>> y = layer(np.ones((2, 3, 7), np.float32))
    >>> layer
    ConvTranspose1d(3, 8, kernel_size=3)
    """

    kind = conv.ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, conv.ConvTranspose2d):
    """A `ConvTranspose2d` that has as many input channels as the first x has; from its first call on, it is that layer.

    The parameters are those of `ConvTranspose2d`, without in_channels.

    >>> import numpy as np
    >>> layer = LazyConvTranspose2d(8, 3)
    >>> y = layer(np.ones((2, 3, 7, 7), np.float32))
    >>> layer
    ConvTranspose2d(3, 8, kernel_size=3)
    """

    kind = conv.ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, conv.ConvTranspose3d):
    """A `ConvTranspose3d` that has as many input channels as the first x has; from its first call on, it is that layer.

    The parameters are those of `ConvTranspose3d`, without in_channels.

    >>> import numpy as np
    >>> layer = LazyConvTranspose3d(8, 3)
    >>> y = layer(np.ones((2, 3, 7, 7, 7), np.float32))
    >>> layer
    ConvTranspose3d(3, 8, kernel_size=3)
    """

    kind = conv.ConvTranspose3d


class LazyBatchNorm1d(_LazyNorm, norm.BatchNorm1d):
    """A `BatchNorm1d` that has as many features as the first x has; from its first call on, it is that layer.

    The parameters are those of `BatchNorm1d`, without num_features.

    >>> import numpy as np
    >>> layer = LazyBatchNorm1d()
    >>> y = layer(np.ones((2, 3, 7), np.float32))
    >>> layer.num_features
    3
    """

    kind = norm.BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, norm.BatchNorm2d):
    """A `BatchNorm2d` that has as many features as the first x has; from its first call on, it is that layer.

    The parameters are those of `BatchNorm2d`, without num_features.

    >>> import numpy as np
    >>> layer = LazyBatchNorm2d()
    >>> y = layer(np.ones((2, 3, 7, 7), np.float32))
    >>> layer.num_features
    3
    """

    kind = norm.BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, norm.BatchNorm3d):
    """A `BatchNorm3d` that has as many features as the first x has; from its first call on, it is that layer.

    The parameters are those of `BatchNorm3d`, without num_features.

    >>> import numpy as np
    >>> layer = LazyBatchNorm3d()
    >>> y = layer(np.ones((2, 3, 7, 7, 7), np.float32))
    >>> layer.num_features
    3
    """

    kind = norm.BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, norm.InstanceNorm1d):
    """An `InstanceNorm1d` that has as many features as the first x has; from its first call on, it is that layer.

    The parameters are those of `InstanceNorm1d`, without num_features. As in PyTorch, it has weights and running
    averages unless told not to.

    >>> import numpy as np
    >>> layer = LazyInstanceNorm1d()
    >>> y = layer(np.ones((2, 3, 7), np.float32))
    >>> layer.num_features
    3
    """

    kind = norm.InstanceNorm1d


class LazyInstanceNorm2d(_LazyNorm, norm.InstanceNorm2d):
    """An `InstanceNorm2d` that has as many features as the first x has; from its first call on, it is that layer.

    The parameters are those of `InstanceNorm2d`, without num_features. As in PyTorch, it has weights and running
    averages unless told not to.

    >>> import numpy as np
    >>> layer = LazyInstanceNorm2d()
    >>> y = layer(np.ones((2, 3, 7, 7), np.float32))
    >>> layer.num_features
    3
    """

    kind = norm.InstanceNorm2d


class LazyInstanceNorm3d(_LazyNorm, norm.InstanceNorm3d):
    """An `InstanceNorm3d` that has as many features as the first x has; from its first call on, it is that layer.

    The parameters are those of `InstanceNorm3d`, without num_features. As in PyTorch, it has weights and running
    averages unless told not to.

    >>> import numpy as np
    >>> layer = LazyInstanceNorm3d()
    >>> y = layer(np.ones((2, 3, 7, 7, 7), np.float32))
    >>> layer.num_features
    3
    """

    kind = norm.InstanceNorm3d

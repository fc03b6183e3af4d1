"""Which way a convolution is computed: by shape, as measured; or as one says.

The three sums of a convolution (`forward`, `by_input`, `by_kernel`) are computed by one of

patches: windows unrolled into columns, block by block; a single place each for a kernel of 1×1 (any shape).
turned: the gradient of the input as a convolution with the kernel turned round (stride 1).
winograd: F(4×4, 3×3), for 3×3 kernels that step by 1 over many channels (floats, two dimensions).
depthwise: banded matrices, where each channel has a kernel of its own (two dimensions; the input's gradient at stride 1).

Where numba is installed (the extra "fast"), by one of these instead, for float32 and float64 (the input's gradient at
stride 1):

fast direct: all windows of an image at once, by vectors of channels.
fast winograd: as winograd.
fast depthwise: by vectors of channels that each have a kernel of their own.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Literal, get_args

import numpy as np

from tinygrad_edu.ops.network.convolution import depthwise, patches, winograd
from tinygrad_edu.ops.network.convolution.windows import Shape, Windows
from tinygrad_edu.threads import each, shares

Sum = Literal["forward", "by_input", "by_kernel"]
Route = Literal["patches", "turned", "winograd", "depthwise", "fast direct", "fast winograd", "fast depthwise"]

FORCED: ContextVar[Route | None] = ContextVar("FORCED", default=None)

CHANNELS_WORTH_WINOGRAD = 16
"""The channels, in and out, from which on Winograd's maps cost less than the products that they save."""

TIMES_FEWER_CHANNELS = 4
"""So many times fewer channels in than out, and adding the input's gradient up costs less than unrolling that of y."""

FEW, VERY_FEW = 8, 4
"""Channels: of a group, that fill too little of a vector; of an input's gradient, that are better added up."""

LEAST_IN_MAPS, PRODUCTS_WORTH_MAPS = 3, 64
"""By numba Winograd's maps cost less: the channels, in and out, and their product, from which on they pay."""

MULTIPLY_ADDS: dict[Route, int] = {
    "patches": 30_000,
    "turned": 30_000,
    "winograd": 60_000,
    "depthwise": 1_600,
    "fast direct": 30_000,
    "fast winograd": 120_000,
    "fast depthwise": 9_000,
}
"""How many multiply-adds of a convolution one thread does in a microsecond by each route, measured where each is quick: on
large images, and by Winograd's on many channels, since it computes a quarter of them. From this follows about how long a
call takes, and so whether threads share it. What takes longer than it says stays in one thread for longer than it had to."""


@functools.cache
def fast() -> bool:
    """Whether there is a numba that works: it is imported to find out, by the first convolution or pooling.

    One that cannot be imported, such as an old one beside a new NumPy, warns, and all goes by the routes without it.
    """
    if find_spec("numba") is None:
        return False
    try:
        import_module("numba")
    except ImportError as error:
        cure = 'pip install --upgrade "tinygrad-edu[fast]", or pip uninstall numba'
        warnings.warn(f"convolutions go without numba, which cannot be imported ({error}): {cure}", stacklevel=2)
        return False
    return True


def fits(route: Route, what: Sum, channels: int, outputs: int, dtype: Any, windows: Windows) -> bool:
    """Whether a route can compute this sum at all."""
    if what == "by_input" and route != "patches" and windows.across() is None:
        return False
    if route.startswith("fast") and not (fast() and dtype.char in "fd"):
        return False
    if route == "turned":
        return what == "by_input"
    plane = len(windows.size) == 2
    if route.endswith("winograd"):
        plain = windows.stride == (1, 1) and windows.groups == 1
        return plane and plain and windows.kernel == (3, 3) and dtype.kind == "f"
    if route.endswith("depthwise"):
        return windows.groups == channels == outputs and (plane or route.startswith("fast"))
    return True


def route(what: Sum, channels: int, outputs: int, dtype: Any, windows: Windows) -> Route:
    """The route that is taken: the one that was asked for, where it fits; else the one that was measured to be fastest."""
    can: Any = lambda name: fits(name, what, channels, outputs, dtype, windows)
    asked = FORCED.get()
    if asked is not None:
        return asked if can(asked) else "patches"
    quick = _fast_route(what, channels, outputs, windows, can)
    if quick is not None:
        return quick
    if min(channels, outputs) >= CHANNELS_WORTH_WINOGRAD and can("winograd"):
        return "winograd"
    if channels > 1 and can("depthwise"):
        return "depthwise"
    few = channels * TIMES_FEWER_CHANNELS <= outputs
    return "turned" if not (few or windows.unit) and can("turned") else "patches"


def _fast_route(what: Sum, channels: int, outputs: int, windows: Windows, can: Any) -> Route | None:
    """The route by numba, or None where those without it were measured to be as fast.

    They are for kernels of a single place, which are a product of matrices; for groups of few channels, since a vector is
    filled by those of one group; and for an input's gradient that has very few channels, and is added up.
    """
    if channels > 1 and can("fast depthwise"):
        return "fast depthwise"
    if set(windows.kernel) == {1} or (windows.groups > 1 and outputs < FEW * windows.groups):
        return None
    if what == "by_input" and channels < VERY_FEW and channels * TIMES_FEWER_CHANNELS <= outputs:
        return None
    if min(channels, outputs) >= LEAST_IN_MAPS and channels * outputs >= PRODUCTS_WORTH_MAPS and can("fast winograd"):
        return "fast winograd"
    return "fast direct" if can("fast direct") else None


@contextmanager
def forced(name: Route) -> Iterator[None]:
    """Compute convolutions by this route inside the block, wherever it fits, and by patches elsewhere.

    name: the route, as `F.conv2d_route` names it.

    Raises ValueError for a route that does not exist, ImportError for one that needs numba where it is not installed.

    >>> import numpy as np
    >>> from tinygrad_edu.nn import functional as F
    >>> with F.conv_by("patches"):
    ...     F.conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 3, 3))).tolist()
    [[[[9.0]]]]
    """
    if name not in get_args(Route):
        raise ValueError(f"convolutions are computed by {', '.join(get_args(Route))}, not by {name!r}")
    if name.startswith("fast") and not fast():
        raise ImportError(f'the route {name!r} needs numba: pip install "tinygrad-edu[fast]"')
    token = FORCED.set(name)
    try:
        yield
    finally:
        FORCED.reset(token)


def _room(name: Route) -> ModuleType:
    """The page that computes by a route; those by numba are imported when one is first taken."""
    if name.startswith("fast"):
        return import_module(f"tinygrad_edu.ops.network.convolution.fast.{name.removeprefix('fast ')}")
    return {"winograd": winograd, "depthwise": depthwise}.get(name, patches)


def _shared(taken: Route, x: Any, w: Any, windows: Windows) -> tuple[list[slice], dict[str, int]]:
    """The images that each thread computes, and what the route is told beside them. Those by "depthwise" all lie in one
    part, for it shares channels."""
    if taken == "depthwise":
        return [slice(0, len(x))], {}
    beside = {"at_once": winograd.images_at_once(windows, x)} if taken == "winograd" else {}
    time = _microseconds(taken, x, w, windows)
    return shares(len(x), beside.get("at_once", 1), microseconds=time, products=_of_matrices(taken)), beside


def _microseconds(taken: Route, x: Any, w: Any, windows: Windows) -> float:
    """About how long one thread takes by a route."""
    return len(x) * w.size * math.prod(windows.positions) / MULTIPLY_ADDS[taken]


def _of_matrices(name: Route) -> bool:
    """Whether a route computes products of matrices, by NumPy's library of linear algebra."""
    return not name.startswith("fast")


def threads(what: Sum, x_shape: Shape, w_shape: Shape, dtype: Any, windows: Windows) -> int:
    """How many threads share this sum, of x and a kernel of these shapes."""
    taken = route(what, x_shape[1], w_shape[0], dtype, windows)
    if what == "by_input":
        x_shape = x_shape[0], w_shape[0], *windows.positions  # that of the output's gradient
        windows = (windows.across() if taken != "patches" else None) or windows
    x, w = (np.broadcast_to(np.zeros((), dtype), shape) for shape in (x_shape, w_shape))
    if taken == "depthwise":
        return len(
            shares(len(depthwise.blocks(x, windows)), microseconds=_microseconds(taken, x, w, windows), products=True)
        )
    return max(1, len(_shared(taken, x, w, windows)[0]))


def _summed(taken: Route, compute: Any, x: Any, w: Any, windows: Windows, out: Any) -> None:
    """compute(x, w, windows, out), where threads share the images of x and out."""
    parts, beside = _shared(taken, x, w, windows)
    do = lambda part: compute(x[part], w, windows, out[part], **beside)
    each(do, parts, products=_of_matrices(taken))


def forward(x: Any, w: Any, windows: Windows, out: Any) -> None:
    """out[n, o] = Σ over channels and window of x·w."""
    if not x.size or not w.size:
        out[...] = 0
        return
    taken = route("forward", x.shape[1], len(w), x.dtype, windows)
    _summed(taken, _room(taken).forward, x, w, windows, out)


def by_kernel(x: Any, g: Any, windows: Windows, out: Any) -> None:
    """out[o, c, k] = Σ over images and positions of g·x; where threads share them, the sum of their sums, in order."""
    if not x.size or not g.size:
        out[...] = 0
        return
    taken = route("by_kernel", x.shape[1], g.shape[1], x.dtype, windows)
    compute, (parts, beside) = _room(taken).by_kernel, _shared(taken, x, out, windows)
    sums = [out, *[np.empty_like(out) for _ in parts[1:]]]
    do = lambda n: compute(x[parts[n]], g[parts[n]], windows, sums[n], **beside)
    each(do, range(len(parts)), products=_of_matrices(taken))
    for one in sums[1:]:
        out += one


def by_input(g: Any, w: Any, windows: Windows, out: Any) -> None:
    """out[n, c] = Σ over outputs and window of g·w. By all routes but patches, it is the convolution of g with the kernel
    turned round; see `Windows.across`."""
    if not g.size or not w.size:
        out[...] = 0
        return
    taken = route("by_input", out.shape[1], len(w), g.dtype, windows)
    if taken == "patches":
        _summed(taken, patches.by_input, g, w, windows, out)
        return
    across = windows.across()
    assert across is not None
    _summed(taken, _room(taken).forward, g, windows.turned(w), across, out)

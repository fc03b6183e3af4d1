"""Which way a convolution is computed: by shape, as measured; or as one says.

The three sums of a convolution (`forward`, `by_input`, `by_kernel`) are computed by one of

patches: windows unrolled into columns, block by block; a single place each for a kernel of 1×1 (any shape).
turned: the gradient of the input as a convolution with the kernel turned round (stride 1).
winograd: F(4×4, 3×3), for 3×3 kernels that step by 1 over many channels (floats, two dimensions).
depthwise: banded matrices, where each channel has a kernel of its own (two dimensions; the input's gradient at stride 1).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, get_args

from tinygrad_edu.ops.network.convolution import depthwise, patches, winograd
from tinygrad_edu.ops.network.convolution.windows import Windows

Sum = Literal["forward", "by_input", "by_kernel"]
Route = Literal["patches", "turned", "winograd", "depthwise"]

FORCED: ContextVar[Route | None] = ContextVar("FORCED", default=None)

CHANNELS_WORTH_WINOGRAD = 16
"""The channels, in and out, from which on Winograd's maps cost less than the products that they save."""

TIMES_FEWER_CHANNELS = 4
"""So many times fewer channels in than out, and adding the input's gradient up costs less than unrolling that of y."""


def fits(route: Route, what: Sum, channels: int, outputs: int, dtype: Any, windows: Windows) -> bool:
    """Whether a route can compute this sum at all."""
    plane = len(windows.size) == 2
    if route == "turned":
        return what == "by_input" and windows.across() is not None
    if route == "winograd":
        plain = windows.stride == (1, 1) and windows.groups == 1
        return (
            plane and plain and windows.kernel == (3, 3) and dtype.kind == "f"
            and (what != "by_input" or windows.across() is not None)
        )  # fmt: skip
    if route == "depthwise":
        alone = windows.groups == channels == outputs
        return plane and alone and (what != "by_input" or windows.across() is not None)
    return True


def route(what: Sum, channels: int, outputs: int, dtype: Any, windows: Windows) -> Route:
    """The route that is taken: the one that was asked for, where it fits; else the one that was measured to be fastest."""
    asked = FORCED.get()
    if asked is not None:
        return asked if fits(asked, what, channels, outputs, dtype, windows) else "patches"
    if min(channels, outputs) >= CHANNELS_WORTH_WINOGRAD and fits("winograd", what, channels, outputs, dtype, windows):
        return "winograd"
    if channels > 1 and fits("depthwise", what, channels, outputs, dtype, windows):
        return "depthwise"
    few = channels * TIMES_FEWER_CHANNELS <= outputs
    return (
        "turned" if not (few or windows.unit) and fits("turned", what, channels, outputs, dtype, windows) else "patches"
    )


@contextmanager
def forced(name: Route) -> Iterator[None]:
    """Compute by this route inside the block, wherever it fits, and by patches elsewhere.

    Raises ValueError for a route that there is not.
    """
    if name not in get_args(Route):
        raise ValueError(f"convolutions are computed by {', '.join(get_args(Route))}, not by {name!r}")
    token = FORCED.set(name)
    try:
        yield
    finally:
        FORCED.reset(token)


def forward(x: Any, w: Any, windows: Windows, out: Any) -> None:
    """out[n, o] = Σ over channels and window of x·w."""
    if not x.size or not w.size:
        out[...] = 0
        return
    rooms = {"winograd": winograd.forward, "depthwise": depthwise.forward}
    rooms.get(route("forward", x.shape[1], len(w), x.dtype, windows), patches.forward)(x, w, windows, out)


def by_kernel(x: Any, g: Any, windows: Windows, out: Any) -> None:
    """out[o, c, k] = Σ over images and positions of g·x."""
    if not x.size or not g.size:
        out[...] = 0
        return
    rooms = {"winograd": winograd.by_kernel, "depthwise": depthwise.by_kernel}
    rooms.get(route("by_kernel", x.shape[1], g.shape[1], x.dtype, windows), patches.by_kernel)(x, g, windows, out)


def by_input(g: Any, w: Any, windows: Windows, out: Any) -> None:
    """out[n, c] = Σ over outputs and window of g·w."""
    if not g.size or not w.size:
        out[...] = 0
        return
    taken = route("by_input", out.shape[1], len(w), g.dtype, windows)
    if taken == "turned":
        across, groups, spatial = windows.across(), windows.groups, tuple(range(3, w.ndim + 1))
        assert across is not None
        parts = w.reshape(groups, len(w) // groups, *w.shape[1:]).swapaxes(1, 2)
        turned = parts[(..., *[slice(None, None, -1)] * len(spatial))]
        patches.forward(g, turned.reshape(out.shape[1], -1, *w.shape[2:]), across, out)
    else:
        rooms = {"winograd": winograd.by_input, "depthwise": depthwise.by_input}
        rooms.get(taken, patches.by_input)(g, w, windows, out)

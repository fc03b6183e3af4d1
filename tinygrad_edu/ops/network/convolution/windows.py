"""Where the windows of a convolution stand, in any number of dimensions.

A window of K places, `dilation` apart, steps by `stride` over an input of S places with `padding` zeros before and
after. It has P = ⌊(S + before + after − dilation·(K − 1) − 1) / stride⌋ + 1 positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.lib.stride_tricks import as_strided

Shape = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Windows:
    """The windows over an input.

    size: the input's places, by dimension. kernel, stride, dilation: by dimension. padding: (before, after) of each.
    groups: into how many parts the channels fall that have nothing to do with each other.
    """

    size: Shape
    kernel: Shape
    stride: Shape
    padding: Pairs
    dilation: Shape
    groups: int = 1

    def __post_init__(self) -> None:
        if min(self.kernel) < 1:
            raise ValueError(f"a kernel has a place or more in each dimension, but got {self.kernel}")
        if min(self.positions) < 1:
            raise ValueError(
                f"a kernel of {self.kernel}, dilated to {self.reach}, does not fit into {self.padded} places, padding and all; "
                "take a smaller one, or more padding"
            )

    @property
    def padded(self) -> Shape:
        """The places of the input with its padding."""
        return tuple([n + before + after for n, (before, after) in zip(self.size, self.padding, strict=True)])

    @property
    def reach(self) -> Shape:
        """The length of a window along each dimension, in places of the input, from its first to its last."""
        return tuple([d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)])

    @property
    def positions(self) -> Shape:
        """How many positions a window has, by dimension; not positive where it does not fit."""
        return tuple([(n - r) // s + 1 for n, r, s in zip(self.padded, self.reach, self.stride, strict=True)])

    @property
    def unit(self) -> bool:
        """Whether each window is a single place, and each place a window: then there is nothing to unroll."""
        ones = (1,) * len(self.size)
        return self.kernel == self.stride == ones and not self.pads

    @property
    def pads(self) -> bool:
        """Whether there is any padding."""
        return any(map(any, self.padding))

    def across(self) -> Windows | None:
        """The windows by which the gradient of the input is a convolution of the gradient of the output with the kernel
        turned round, which is so for stride 1; None else, and where the input was padded further than the window reaches."""
        if any(s != 1 for s in self.stride):
            return None
        padding = tuple([(r - 1 - a, r - 1 - b) for r, (a, b) in zip(self.reach, self.padding, strict=True)])
        if min(map(min, padding)) < 0:
            return None
        return Windows(self.positions, self.kernel, self.stride, padding, self.dilation, self.groups)

    def turned(self, w: Any) -> Any:
        """The kernel of `across`: w, (O, C / groups, kernel), with its channels in each other's place and turned round."""
        parts = w.reshape(self.groups, len(w) // self.groups, *w.shape[1:]).swapaxes(1, 2)
        parts = parts[(..., *[slice(None, None, -1)] * len(self.kernel))]
        return parts.reshape(w.shape[1] * self.groups, -1, *self.kernel)

    # -- over arrays ----------------------------------------------------------------------------------

    def inner(self, padded: Any) -> Any:
        """The part of a padded array, (…, padded), that is the input itself."""
        places = [slice(a, a + n) for n, (a, _) in zip(self.size, self.padding, strict=True)]
        return padded[(..., *places)]

    def view(self, padded: Any) -> Any:
        """The windows of a padded array (…, padded), as a view (…, kernel, positions)."""
        lead = padded.ndim - len(self.size)
        strides = padded.strides[lead:]
        within = [t * d for t, d in zip(strides, self.dilation, strict=True)]
        between = [t * s for t, s in zip(strides, self.stride, strict=True)]
        return as_strided(
            padded, (*padded.shape[:lead], *self.kernel, *self.positions), (*padded.strides[:lead], *within, *between)
        )

    def places(self, padded: Any, tap: Shape) -> Any:
        """The places of a padded array, (…, padded), that all windows have at this place of the kernel: (…, positions)."""
        steps = zip(tap, self.dilation, self.stride, self.positions, strict=True)
        return padded[(..., *[slice(k * d, k * d + s * (p - 1) + 1, s) for k, d, s, p in steps])]

    def taps(self, dimension: int) -> list[tuple[slice, slice]]:
        """For each place of the kernel along one dimension, in order: the places of the input that it meets, and at which
        positions. What falls into the padding is left out, and so is a place that never meets the input."""
        n, before = self.size[dimension], self.padding[dimension][0]
        step, positions = self.stride[dimension], self.positions[dimension]
        found = []
        for k in range(self.kernel[dimension]):
            start = k * self.dilation[dimension] - before
            low, high = max(0, -(start // step)), min(positions, (n - 1 - start) // step + 1)
            if low < high:
                first = start + step * low
                found.append((slice(first, first + step * (high - low - 1) + 1, step), slice(low, high)))
        return found

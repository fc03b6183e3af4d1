"""Kernels of a convolution as small images: noise before training, edges and blobs after it."""

from __future__ import annotations

from typing import Any

import numpy as np

from viz.plots.style import panels, styled

MOST_PANELS = 144
"""Kernels drawn at most: more are too small to be seen."""


@styled
def filters(layer: Any, *, columns: int = 8, most: int = MOST_PANELS) -> Any:
    """Each kernel as an image: white is 0, purple negative, orange positive, all on one scale, so that sizes compare.

    layer: a two-dimensional convolution, or its weight, (O, C, K, L). Kernels that read one channel have one image each;
    those that read three are shown in colours, as they would be on a photograph; otherwise each row is a kernel and each
    column a channel that it reads.
    columns: images in a row, where a kernel has one image.
    most: how many images; what is beyond is left out, and the figure's title says so.

    Returns a matplotlib figure. Raises ValueError for weights that are not of two-dimensional kernels, or not finite.

    >>> from tinygrad_edu import nn
    >>> len(filters(nn.Conv2d(1, 6, 3)).axes), len(filters(nn.Conv2d(2, 6, 3)).axes)
    (6, 12)
    """
    weight = np.asarray(_weight(layer), float)
    if weight.ndim != 4 or not weight.size:
        raise ValueError(
            f"filters takes a Conv2d or its weight, (O, C, K, L), but got {type(layer).__name__} with {weight.shape}"
        )
    if not np.isfinite(weight).all():
        raise ValueError("filters draws finite weights, but some of these are infinite or not a number")
    kernels, channels = weight.shape[:2]
    largest = max(float(np.abs(weight).max()), np.finfo(float).tiny)
    if channels in (1, 3):
        images = [weight[o, 0] if channels == 1 else _colors(weight[o], largest) for o in range(kernels)]
    else:
        images, columns = list(weight.reshape(-1, *weight.shape[2:])), channels
    left_out = len(images) - most
    figure, grid = panels(min(len(images), most), columns=columns, width=0.9, height=0.9)
    for axes, image in zip(grid, images, strict=False):
        axes.imshow(image, cmap="PuOr_r", vmin=-largest, vmax=largest, interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        axes.grid(visible=False)
    if left_out > 0:
        figure.suptitle(f"{most} of {len(images)} images", fontsize=10)
    return figure


def _weight(layer: Any) -> Any:
    """The layer's weight, as an array; an array itself."""
    weight = getattr(layer, "weight", layer)
    return getattr(weight, "ndarray", weight)


def _colors(kernel: Any, largest: float) -> Any:
    """(3, K, L) as an image of red, green and blue, where grey is 0."""
    return np.moveaxis(0.5 + kernel / (2 * largest), 0, -1)

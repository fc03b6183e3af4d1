"""The landscape of a function of two numbers, and the paths of those who go down it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tinygrad_edu.train.metrics.reading import as_array
from viz.plots.style import COLORS, INK, panels, styled


@styled
def landscape(
    f: Callable[[Any, Any], Any],
    path: ArrayLike | Mapping[str, ArrayLike],
    *,
    x: tuple[float, float] | None = None,
    y: tuple[float, float] | None = None,
    levels: int = 18,
) -> Any:
    """Contours of f(x, y), and on them the path of an optimizer: a dot for each step, a ring where it began, a star at its end.

    f: a function of two arrays of one shape.
    path: the points, (steps, 2); or several, by name, each in a panel of its own over the same ground.
    x, y: from where to where it is drawn; if not given, a little beyond the paths.
    levels: how many contours; between each two lies as much ground, so that a wide valley has some too.

    Returns a matplotlib figure. Raises ValueError for points that are no pairs.

    >>> way = [(-7.0, 2.0), (-6.3, -1.8), (-5.7, 1.6)]
    >>> landscape(lambda x, y: x**2 / 20 + y**2, {"SGD": way}).axes[0].get_title()
    'SGD'
    """
    given = path if isinstance(path, Mapping) else {"": path}
    paths = {name: np.asarray(as_array(points), float) for name, points in given.items()}
    for name, points in paths.items():
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise ValueError(f"a path is points (steps, 2), but {name or 'it'} has shape {points.shape}")
    everywhere = np.concatenate(list(paths.values()))
    (x0, x1), (y0, y1) = (
        limits or _around(everywhere[np.isfinite(everywhere).all(axis=1), k]) for k, limits in enumerate((x, y))
    )
    across, up = np.meshgrid(np.linspace(x0, x1, 200), np.linspace(y0, y1, 200))
    height = np.asarray(as_array(f(across, up)), float)
    heights = _levels(height, levels)
    figure, grid = panels(len(paths), columns=2, width=5.0, height=3.6)
    for i, (axes, (name, points)) in enumerate(zip(grid, paths.items(), strict=True)):
        axes.contourf(across, up, height, heights, cmap="Greys", alpha=0.35, extend="both", norm=_norm(heights))
        axes.contour(across, up, height, heights, colors="#9A9A9A", linewidths=0.6)
        color = COLORS[i % len(COLORS)]
        axes.plot(*points.T, color=color, linewidth=1.2, marker="o", markersize=3)
        axes.plot(*points[0], "o", color=INK, markersize=8, fillstyle="none", label="start")
        axes.plot(*points[-1], "*", color=INK, markersize=11, label=f"after {len(points) - 1} steps")
        axes.set(xlabel="x", ylabel="y", xlim=(x0, x1), ylim=(y0, y1), title=name)
        axes.grid(visible=False)
        axes.legend(fontsize=8, loc="upper right", frameon=True, facecolor="white", edgecolor="none", framealpha=0.8)
    return figure


def _around(values: Any) -> tuple[float, float]:
    """A little beyond these values."""
    low, high = float(values.min()), float(values.max())
    beyond = 0.15 * (high - low) or 1.0
    return low - beyond, high + beyond


def _levels(height: Any, count: int) -> Any:
    """Growing heights of contours: those of equal areas, which are close where the ground is flat."""
    finite = height[np.isfinite(height)]
    return np.unique(np.quantile(finite, np.linspace(0.01, 0.99, count)))


def _norm(heights: Any) -> Any:
    """One shade of grey from each contour to the next."""
    from matplotlib.colors import BoundaryNorm

    return BoundaryNorm(heights, 256, extend="both")

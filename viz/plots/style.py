"""The one style of all plots: colours that the colour-blind tell apart, few lines, large enough for a slide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5C00", "#555555")
"""The palette of Okabe and Ito, *Color universal design* (2008), without its yellow, which is lost on white."""

INK, FAINT = "#222222", "#B8B8B8"

STYLE: dict[str, Any] = {
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelsize": 11,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 12,
    "figure.dpi": 120,
    "figure.facecolor": "white",
    "font.size": 10,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.dpi": 200,
    "text.color": INK,
}


def styled(plot: Callable[P, R]) -> Callable[P, R]:
    """The function, drawing in the style. Raises ImportError, with what to type, without matplotlib."""

    @wraps(plot)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            from cycler import cycler
            from matplotlib import rc_context
        except ImportError as error:
            raise ImportError("viz.plots draws with matplotlib: pip install matplotlib") from error
        settings: Any = {**STYLE, "axes.prop_cycle": cycler(color=COLORS)}
        with rc_context(settings):
            return plot(*args, **kwargs)

    return drawn


def panels(count: int, *, columns: int = 3, width: float = 4.0, height: float = 3.0) -> tuple[Any, list[Any]]:
    """A figure of so many panels in rows, and their axes."""
    from matplotlib.figure import Figure

    columns = min(count, columns)
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for unused in grid[count:]:
        unused.remove()
    return figure, grid[:count]


def canvas(axes: Any, width: float = 4.5, height: float = 4.0) -> tuple[Any, Any]:
    """The axes that were given and their figure; or new ones."""
    if axes is not None:
        return axes.figure, axes
    figure, (made,) = panels(1, width=width, height=height)
    return figure, made


def called(names: Sequence[str] | None, count: int) -> list[str]:
    """The names of so many classes. Raises ValueError for fewer or more."""
    if names is None:
        return [str(k) for k in range(count)]
    if len(names) != count:
        raise ValueError(f"names= takes one for each of {count} classes, but got {len(names)}")
    return list(names)

"""What attends to what: attention weights as shades."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from viz.plots.style import panels, styled


@styled
def attention_map(
    weights: Any, *, queries: Sequence[str] | None = None, keys: Sequence[str] | None = None, columns: int = 4
) -> Any:
    """Attention weights as shades, dark for 1: each row is a query and says where it looks; rows add up to 1.

    weights: (Q, K), or (heads, Q, K) with a panel for each head: a tensor or an array.
    queries, keys: words for the rows and the columns.
    columns: panels in a row.

    Returns a matplotlib figure. Raises ValueError for another number of dimensions, or words that are not as many.

    >>> attention_map(np.eye(3), keys=["a", "b", "c"]).axes[0].get_xlabel()
    'key: what is looked at'
    """
    shades = np.asarray(getattr(weights, "ndarray", weights), float)
    if shades.ndim not in (2, 3) or not shades.size:
        raise ValueError(f"attention_map takes weights of shape (Q, K) or (heads, Q, K), but got {shades.shape}")
    heads = shades.reshape(-1, *shades.shape[-2:])
    asked, looked = heads.shape[1:]
    for name, words, count in (("queries", queries, asked), ("keys", keys, looked)):
        if words is not None and len(words) != count:
            raise ValueError(f"{name}= takes a word for each of {count}, but got {len(words)}")
    width, height = (max(2.6, 1.2 + 0.28 * n) for n in (looked, asked))
    figure, grid = panels(len(heads), columns=columns, width=width, height=height)
    for number, (axes, head) in enumerate(zip(grid, heads, strict=True), 1):
        axes.imshow(head, cmap="Blues", vmin=0, vmax=max(1.0, float(np.nanmax(head))), interpolation="nearest")
        axes.grid(visible=False)
        axes.tick_params(length=0, labelsize=8)
        if keys is not None:
            axes.set_xticks(
                range(looked), [_shown(word) for word in keys], rotation=90 if max(map(len, keys)) > 2 else 0
            )
        if queries is not None:
            axes.set_yticks(range(asked), [_shown(word) for word in queries])
        axes.set(xlabel="key: what is looked at", ylabel="query: who looks")
        if len(heads) > 1:
            axes.set_title(f"head {number}", fontsize=10)
    return figure


def _shown(word: str) -> str:
    """The word; a blank as a mark that can be seen."""
    return word.replace(" ", "␣").replace("\n", "↵")

"""How NumPy's products are written: as the operators of ONNX that multiply matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu.export.onnx_files.writing.functions import function
from tinygrad_edu.export.onnx_files.writing.written import CannotWriteError, graph_of

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


@function
def einsum(equation: str, *xs: Any, **_: Any) -> Any:
    """ONNX's own, with letters for an ellipsis."""
    kind = np.result_type(*[x.dtype for x in xs])
    equation, lengths = _spelled_out(equation, [x.shape for x in xs])
    made = tuple([lengths[label] for label in equation.partition("->")[2]])
    labels = equation.partition("->")[0].split(",")
    fitted = []
    for x, axes in zip(xs, labels, strict=True):  # a length 1 that meets another is repeated first
        wanted = tuple([lengths[label] for label in axes])
        fitted.append(np.broadcast_to(x.astype(kind), wanted))
    return graph_of(*xs).add("Einsum", fitted, made, kind, equation=equation)


def _spelled_out(equation: str, shapes: Sequence[Any]) -> tuple[str, dict[str, int]]:
    """The equation without an ellipsis, blanks, or an implicit result; and the length that each label stands for."""
    equation = equation.replace(" ", "")
    given, arrow, result = equation.partition("->")
    parts = given.split(",")
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in equation]
    most = max(
        [len(s) - len(p.replace("...", "")) for p, s in zip(parts, shapes, strict=True) if "..." in p], default=0
    )
    extra = "".join(free[:most])
    spelled = []
    for p, s in zip(parts, shapes, strict=True):
        n = len(s) - len(p.replace("...", ""))
        spelled.append(p.replace("...", extra[len(extra) - n :] if "..." in p else ""))
    if not arrow:
        once = sorted(c for c in set("".join(parts)) - {"."} if "".join(parts).count(c) == 1)
        result = ("..." if "..." in given else "") + "".join(once)
    result = result.replace("...", extra)
    lengths: dict[str, int] = {}
    for p, s in zip(spelled, shapes, strict=True):
        for label, n in zip(p, s, strict=True):
            lengths[label] = n if lengths.get(label, 1) == 1 else lengths[label]
    return ",".join(spelled) + "->" + result, lengths


@function
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    if isinstance(axes, int | np.integer):
        axes = (tuple(range(a.ndim - int(axes), a.ndim)), tuple(range(int(axes))))
    of_a, of_b = [normalize_axis_tuple(part, x.ndim) for part, x in zip(axes, (a, b), strict=True)]
    labels = [chr(97 + i) for i in range(a.ndim)], [chr(65 + i) for i in range(b.ndim)]
    for i, j in zip(of_a, of_b, strict=True):
        labels[1][j] = labels[0][i]
    kept = [c for i, c in enumerate(labels[0]) if i not in of_a] + [c for j, c in enumerate(labels[1]) if j not in of_b]
    return einsum(f"{''.join(labels[0])},{''.join(labels[1])}->{''.join(kept)}", a, b)


@function
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise CannotWriteError("vectors of two components have no counterpart here")
    a0, a1, a2 = [a[..., i] for i in range(3)]
    b0, b1, b2 = [b[..., i] for i in range(3)]
    return np.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=axisc)


@function
def det(x: Any) -> Any:
    return x.graph.add("Det", [x], x.shape[:-2], x.dtype)


@function
def histogram(x: Any, edges: Any, weights: Any = None, **_: Any) -> Any:
    """For each bin the weights of the elements in it, added up; the last bin has its upper edge too."""
    column, n = np.expand_dims(np.ravel(x), -1), np.shape(edges)[0] - 1
    above = np.greater_equal(column, edges[:-1])
    below = np.concatenate([np.less(column, edges[1:-1]), np.less_equal(column, edges[n:])], axis=-1)
    inside = np.logical_and(above, below)
    chosen = np.where(inside, np.expand_dims(np.ravel(weights), -1), 0)
    return (np.add.reduce(chosen, axis=0), edges)

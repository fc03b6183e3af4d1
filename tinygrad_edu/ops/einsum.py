"""Einstein's summation: every sum of products, by the letters of its axes."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import Fixed, example
from tinygrad_edu.engine.op import op

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out
    from tinygrad_edu.engine.tensor import Tensor


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # in the order in which an implicit output sorts them

MOST_MULTIPLICATIONS_AT_ONCE = 20_000
"""A sum with more is taken apart into matrix products; a smaller one is done before it is decided how."""


@functools.lru_cache
def explicit(equation: str, *ndims: int) -> str:
    """The equation with its output written out and without an ellipsis, for arrays of so many axes.

    >>> explicit("...ij,jk", 3, 2)
    'Aij,jk->Aik'
    """
    left, arrow, output = equation.replace(" ", "").partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ndims):
        raise ValueError(f"einsum() needs {len(inputs)} arrays for {equation!r}, but got {len(ndims)}")
    spare = [letter for letter in LETTERS if letter not in equation]
    longest = ""  # what the ellipsis stands for; its last label is the first spare one, as broadcasting counts
    for i, (labels, ndim) in enumerate(zip(inputs, ndims, strict=True)):
        hidden = ndim - len(labels.replace("...", ""))
        if hidden < 0 or (hidden and "..." not in labels):
            raise ValueError(
                f"einsum() got an array of {ndim} axes for {labels!r} in {equation!r}; give each axis a letter, or write ..."
            )
        ellipsis = "".join(spare[:hidden][::-1])
        inputs[i] = labels.replace("...", ellipsis)
        longest = max(longest, ellipsis, key=len)
    if not arrow:
        used = "".join(inputs)
        output = "..." + "".join(sorted(s for s in set(used) - set(longest) if used.count(s) == 1))
    elif longest and "..." not in output:
        raise ValueError(f"einsum() got an ellipsis in the inputs of {equation!r}, but none in its output")
    return ",".join(inputs) + "->" + output.replace("...", longest)


def _letters(labels: Sequence[Any]) -> str:
    """Labels that are integers, as letters in the same order."""
    if any(label is not Ellipsis and not 0 <= label < len(LETTERS) for label in labels):
        raise ValueError(f"einsum() takes labels from 0 to {len(LETTERS) - 1}, but got {list(labels)}")
    return "".join(["..." if label is Ellipsis else LETTERS[label] for label in labels])


def _bind_einsum(
    *operands: str | Tensor | Sequence[Any], optimize: bool | str | None = None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(operands[0], str):
        equation, *arrays = operands
    else:  # einsum(a, [0, 1], b, [1, 2], [0, 2])
        arrays = list(operands[0 : len(operands) // 2 * 2 : 2])
        equation = ",".join([_letters(labels) for labels in operands[1::2]])  # type: ignore[arg-type]  # they are these
        if len(operands) % 2:
            equation += "->" + _letters(operands[-1])  # type: ignore[arg-type]
    left, output = explicit(equation, *map(np.ndim, arrays)).split("->")
    taken = [_on_the_diagonal(labels, x) for labels, x in zip(left.split(","), arrays, strict=True)]
    return tuple([x for _, x in taken]), {"equation": ",".join([labels for labels, _ in taken]) + "->" + output}


def _on_the_diagonal(labels: str, x: Any) -> tuple[str, Any]:
    """x with a label that it repeats once alone: "ii" is the diagonal, and what is beside it is dropped.

    Axes of different lengths stay, for NumPy to refuse.
    """
    for k, label in enumerate(labels):
        first = labels.index(label)
        if first < k and np.shape(x)[first] == np.shape(x)[k]:
            others = labels[:first] + labels[first + 1 : k] + labels[k + 1 :]
            return _on_the_diagonal(others + label, np.diagonal(x, 0, first, k))
    return labels, x


def _einsum_rule(i: int, g: Any, y: Any, *xs: Any, equation: str) -> Any:
    """∂L/∂xᵢ: the same sum, with ∂L/∂y in the place of xᵢ, and the output's labels exchanged with xᵢ's.

    A label of xᵢ alone was summed away (or the others were broadcast along it), so every place along it has the
    same gradient: a factor 1.
    """
    left, output = equation.split("->")
    inputs = left.split(",")
    labels, x = inputs[i], xs[i]
    factors = [(output, g)] + [(inputs[k], xs[k]) for k in range(len(xs)) if k != i]
    lengths: dict[str, int] = {}
    for part, factor in factors:
        lengths.update({s: n for s, n in zip(part, factor.shape, strict=True) if n != 1 or s not in lengths})
    for label, n in zip(labels, x.shape, strict=True):
        if label not in lengths or lengths[label] == 1 != n:
            factors.append((label, np.ones(n, dtype=g.dtype)))
    return np.einsum(",".join([part for part, _ in factors]) + "->" + labels, *[factor for _, factor in factors])


@functools.lru_cache
def _multiplications(equation: str, shapes: tuple[tuple[int, ...], ...]) -> int:
    """How many products the sum has if it is taken at once."""
    sizes: dict[str, int] = {}
    for labels, shape in zip(equation.split("->")[0].split(","), shapes, strict=False):
        for label, n in zip(labels, shape, strict=False):
            sizes[label] = max(n, sizes.get(label, 1))
    return math.prod(sizes.values())


@op(
    symbol=lambda *, equation: equation,
    spelled=lambda s, *xs: s.function("einsum", s.text(s.settings["equation"].replace("->", "→")), *xs),
    vjp=_einsum_rule,
    presence="product",
    bind=_bind_einsum,
    answers=(np.einsum,),
    broadcasts=True,
    view=True,
    takes_out=True,
    analytic=True,
    examples=[
        example("ij->ji", (2, 3)),
        example("ii->i", (3, 3)),
        example("ii", (3, 3)),
        example("iij->j", (2, 2, 3)),
        example("iii->i", (2, 2, 2)),
        example("ij->", (2, 3)),
        example("ij->i", (2, 3)),
        example("ij,jk", (2, 3), (3, 4)),
        example("ij,kl->il", (2, 3), (2, 2)),
        example("ij,ij->i", (2, 3), (1, 3)),
        example("i,i->", (3,), (3,)),
        example("...ij,...jk->...ik", (2, 2, 3), (3, 2)),
        example("b...,b...->...", (2, 3), (2, 1)),
        example("...,...", (2, 3), (3,)),
        example("ij,jk,kl->il", (2, 3), (3, 2), (2, 3)),
        example("ii,ij,k->jk", (2, 2), (2, 3), (2,)),
        example((2, 3), Fixed([0, 1]), (3, 2), Fixed([1, 2]), Fixed([0, 2])),
        example((2, 3), Fixed([..., 0]), (3,), Fixed([0])),
        example("bhqd,bhkd->bhqk", (2, 2, 3, 2), (2, 2, 3, 2)),
        example(",i->i", (), (3,)),
        example("ij,jk->ik", (2, 3), (3, 2), optimize=True),
    ],
)
def einsum(*xs: Array, equation: str, out: Out = None) -> Array:
    """y = Σ of products over the labels that the equation's output leaves out: `einsum("ij,jk->ik", a, b)` is a @ b.

    Every form that NumPy has: an implicit output ("ij,jk"), an ellipsis ("...ij,...jk->...ik"), labels repeated in
    an input ("ii->i", a diagonal), labels as lists of integers. `optimize=` may be passed, and is decided here: by
    the size of the sum.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> np.einsum("ii", x).backward()
    >>> x.grad.tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    large = len(xs) > 1 and _multiplications(equation, tuple([x.shape for x in xs])) > MOST_MULTIPLICATIONS_AT_ONCE
    return np.einsum(equation, *xs, out=out, optimize=large)

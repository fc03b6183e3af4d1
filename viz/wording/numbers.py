"""How a number is written on a figure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

DECIMAL = re.compile(r"(?<![\w.])\d+\.\d{5,}(?:e[+-]?\d+)?(?![\w.])")
SINGLE_ROUNDING = 1e-6  # relative to a number: the error of single precision after a few operations
DOUBLE_ROUNDING = 2.0**-52  # of a complex number: one part is rounded as finely as the other is large


def number_text(value: Any, digits: int = 4) -> str:
    """Integers exactly; others in the shortest form that is right to `digits` significant places.

    All places before the point are written, and so many behind it that what is no integer does not look like one,
    unless all that it differs by is rounding. Thousands are set off with commas, and a minus is a minus. Very large and
    very small numbers are written with a power of ten.

    >>> [number_text(x) for x in (220.00000000000003, 1.1, 4000, -0.30000000000000004, 1 / 3, 1e-9, 6.02e23)]
    ['220', '1.1', '4,000', '−0.3', '0.3333', '1e−9', '6.02e23']
    >>> [number_text(x) for x in (4000.5, 12345.678, 0.99996, 1.0000001, 1 + 1e-17j)]
    ['4,000.5', '12,345.7', '0.99996', '1', '1+0i']
    """
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, complex):
        real, imag = (0.0 if abs(x) < DOUBLE_ROUNDING * abs(value) < math.inf else x for x in (value.real, value.imag))
        return f"{number_text(real, digits)}{'−' if imag < 0 else '+'}{number_text(abs(imag), digits)}i"
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": "∞", "-inf": "−∞"}.get(str(value), "NaN")
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    places = max(digits, len(str(int(abs(value)))))
    rounded = value if value.is_integer() else float(f"{value:.{places}g}")
    while rounded.is_integer() and abs(rounded - value) > SINGLE_ROUNDING * abs(value):
        places += 1
        rounded = float(f"{value:.{places}g}")
    if rounded.is_integer() and abs(rounded) < 1e15:
        text = f"{int(rounded):,}"
    elif 1e-4 <= abs(rounded) < 1e15:
        text = f"{rounded:,.{places}g}"
    else:
        mantissa, exponent = f"{rounded:.{digits}g}".split("e")
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", "−")


def rounded_text(text: str) -> str:
    """A text in which long decimal numbers are written as all others are: the settings of an operation.

    >>> rounded_text("^0.30000000000000004"), rounded_text("v1.25 of (0.1, 2)")
    ('^0.3', 'v1.25 of (0.1, 2)')
    """
    return DECIMAL.sub(lambda found: number_text(float(found[0])), text)


def data_text(data: Any, digits: int = 4, most: int | None = None) -> str:
    """A number, or a small array written as nested brackets; with `most`, of so many entries along each axis.

    >>> data_text(((1.0, 2.0), (3.0, 4.5))), data_text((1.0, 2.0, 3.0, 4.0, 5.0), most=4)
    ('[[1, 2], [3, 4.5]]', '[1, 2, …, 5]')
    """
    if not isinstance(data, tuple):
        return number_text(data, digits)
    parts: list[str] = []
    for k, part in enumerate(data):
        if most is None or len(data) <= most or k < most - 2 or k == len(data) - 1:
            parts.append(data_text(part, digits, most))
        elif k == most - 2:
            parts.append("…")
    return f"[{', '.join(parts)}]"


def in_rows(rows: Sequence[Sequence[str]], before: str = "") -> str:
    """A matrix in lines of text, with something before it.

    >>> print(in_rows([["1", "−1"], ["0.5", "2"]], "W = "))
    W = ⎡  1 −1⎤
        ⎣0.5  2⎦
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for k, row in enumerate(rows):
        left, right = "[]" if len(rows) == 1 else "⎡⎤" if k == 0 else "⎣⎦" if k == len(rows) - 1 else "⎢⎥"
        entries = " ".join(entry.rjust(width) for entry, width in zip(row, widths, strict=True))
        lines.append(f"{before if k == 0 else ' ' * len(before)}{left}{entries}{right}")
    return "\n".join(lines)


def shape_text(shape: tuple[int, ...], sizes: Mapping[int, str] = MappingProxyType({})) -> str:
    """A shape as textbooks write it: `(2, 3)`, `(3,)`; with words for some of the lengths.

    >>> shape_text((3,)), shape_text((32, 3), {32: "N"})
    ('(3,)', '(N, 3)')
    """
    lengths = [sizes.get(n, str(n)) for n in shape]
    return f"({lengths[0]},)" if len(lengths) == 1 else f"({', '.join(lengths)})"

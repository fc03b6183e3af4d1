"""How a number is written on a figure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def number_text(value: Any, digits: int = 4) -> str:
    """Integers exactly; others in the shortest form that is right to `digits` significant places.

    Thousands are set off with commas, and a minus is a minus. Very large and very small numbers are written
    with a power of ten.

    >>> [number_text(x) for x in (220.00000000000003, 1.1, 4000, -0.30000000000000004, 1 / 3, 1e-9, 6.02e23)]
    ['220', '1.1', '4,000', '−0.3', '0.3333', '1e−9', '6.02e23']
    """
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, complex):
        sign = "−" if value.imag < 0 else "+"
        return f"{number_text(value.real, digits)}{sign}{number_text(abs(value.imag), digits)}i"
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": "∞", "-inf": "−∞"}.get(str(value), "NaN")
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    rounded = value if value.is_integer() else float(f"{value:.{digits}g}")
    if rounded.is_integer() and abs(rounded) < 1e15:
        text = f"{int(rounded):,}"
    elif 1e-4 <= abs(rounded) < 1e15:
        text = f"{rounded:.{digits}g}"
    else:
        mantissa, exponent = f"{rounded:.{digits}g}".split("e")
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", "−")


def data_text(data: Any, digits: int = 4) -> str:
    """A number, or a small array written as nested brackets.

    >>> data_text(((1.0, 2.0), (3.0, 4.5)))
    '[[1, 2], [3, 4.5]]'
    """
    if isinstance(data, tuple):
        return "[" + ", ".join(data_text(part, digits) for part in data) + "]"
    return number_text(data, digits)


def shape_text(shape: tuple[int, ...], sizes: Mapping[int, str] = MappingProxyType({})) -> str:
    """A shape as textbooks write it: `(2, 3)`, `(3,)`; with words for some of the lengths.

    >>> shape_text((3,)), shape_text((32, 3), {32: "N"})
    ('(3,)', '(N, 3)')
    """
    lengths = [sizes.get(n, str(n)) for n in shape]
    return f"({lengths[0]},)" if len(lengths) == 1 else f"({', '.join(lengths)})"

"""What is written on a figure: numbers, names, shapes and derivatives."""

from __future__ import annotations

import unicodedata

from viz.graph import Operation, Use, Value
from viz.numbers import data_text, shape_text
from viz.plan import Words

LONG = 40


def clean(text: str) -> str:
    """A label as one printable line of bearable length: what a figure can show of any text.

    >>> clean("two\\nlines\\x00")
    'two lines�'
    """
    text = " ".join(text.split())
    text = "".join("�" if unicodedata.category(c) in ("Cc", "Cs", "Cn", "Co") else c for c in text[: LONG + 1])
    return text if len(text) <= LONG else text[: LONG - 1] + "…"


class NumberLabels:
    """Values above their wires, derivatives below, as numbers; arrays by name and shape."""

    def above(self, value: Value, use: Use | None) -> tuple[Words, ...]:
        """The value, or the shape and name of an array."""
        if not value.shape:
            return (Words(data_text(value.data)),)
        shape = Words(shape_text(value.shape), "shape")
        return (shape, Words(clean(value.name), "name", bold=True)) if value.name else (shape,)

    def below(self, value: Value, use: Use | None) -> tuple[Words, ...]:
        """The derivative: what one use contributes, or the sum."""
        grad, flows = (value.grad, value.flows) if use is None else (use.grad, use.flows)
        if not flows:
            return ()
        if not value.shape and grad is not None:
            return (Words(data_text(grad), "grad", bold=True),)
        name = Words(f"∂L/∂{clean(value.name)}" if value.name else "∂L", "grad", bold=True)
        return (name, Words(shape_text(value.shape), "shape"))

    def circle(self, op: Operation) -> tuple[Words, ...]:
        """The symbol."""
        return (Words(clean(op.symbol), "symbol"),)

    def name(self, value: Value, result: bool) -> tuple[Words, ...]:
        """A name; without one, the value."""
        if value.name:
            return (Words(clean(value.name), "name"),)
        return (Words(data_text(value.data) if value.data is not None else shape_text(value.shape), "name"),)

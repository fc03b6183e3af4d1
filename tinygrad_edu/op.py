"""What an op of one's own is declared with: `op`, `ufunc`, `composite`, and examples. The page is `engine/op.py`."""

from tinygrad_edu.engine.example import (
    At,
    Domain,
    Drawn,
    Example,
    Fixed,
    at,
    away_from,
    example,
    interval,
    nonzero,
    positive,
    real,
    spread,
    unit,
)
from tinygrad_edu.engine.node import NUMBERS
from tinygrad_edu.engine.op import (
    Op,
    Presence,
    alias,
    composite,
    declare,
    item,
    op,
    ufunc,
)
from tinygrad_edu.engine.registry import COMPOSITES, OPS
from tinygrad_edu.engine.rules import Rule

__all__ = [
    "COMPOSITES",
    "NUMBERS",
    "OPS",
    "At",
    "Domain",
    "Drawn",
    "Example",
    "Fixed",
    "Op",
    "Presence",
    "Rule",
    "alias",
    "at",
    "away_from",
    "composite",
    "declare",
    "example",
    "interval",
    "item",
    "nonzero",
    "op",
    "positive",
    "real",
    "spread",
    "ufunc",
    "unit",
]

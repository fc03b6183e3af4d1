"""Graphs and ops that several tests of the engine walk."""

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import op


@op(symbol="±", outputs=2, vjp=(lambda g, y, x: g[0] * 2 - g[1] * 3,), examples=[example((3,))])
def twice_and_minus_thrice(x):
    """y₀ = 2x, y₁ = −3x."""
    return 2 * x, -3 * x

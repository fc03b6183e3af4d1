"""What a line of a program calls: the op's forward, or the one NumPy function that the forward comes down to.

A forward looks at the shapes and types of what it is given, and then often calls a single function. In a program they are
known beforehand, so its lines may call that function themselves. The numbers are the same, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_edu.engine.graph import LONG, ones
from tinygrad_edu.engine.registry import OPS
from tinygrad_edu.ops.network.activations import LEAST_CLIPPED
from tinygrad_edu.ops.parts import BITS, MOST_COPIED_ONE_BY_ONE, ZERO
from tinygrad_edu.program.plan import Instruction


class Direct(NamedTuple):
    """A call: `name` is that of the `function` in the source; `before` and `after` are constants that it is given besides
    the inputs, by name."""

    name: str
    function: Callable[..., Any]
    before: dict[str, Any] = {}  # noqa: RUF012 (never written)
    after: dict[str, Any] = {}  # noqa: RUF012


def direct(line: Instruction) -> Direct:
    """What the line calls, on inputs of these shapes and types."""
    op, inputs = line.op, line.inputs
    if line.how == "out" and op in (OPS["relu"], OPS["channel_sum"], OPS["sum"]):
        (x,) = inputs
        if op is OPS["relu"] and x.dtype.kind == "f" and math.prod(x.shape) < LEAST_CLIPPED:
            return Direct("maximum", np.maximum, after={"zero": ZERO[x.dtype]})
        if op is OPS["channel_sum"] and len(x.shape) == 2 and x.shape[0] <= LONG and x.dtype.char in "fd":
            return Direct("matmul", np.matmul, before={"ones": ones(x.shape[0], x.dtype)})
        if op is OPS["sum"] and x.dtype.char in "fd":
            return Direct("add_up", np.add.reduce)
    forward = op.forward
    if all(x.dtype is not None and x.dtype != np.float16 for x in inputs):
        forward = getattr(forward, "not_in_float16", forward)  # which does not look for it in each run
    return Direct(op.name, forward)


def gates_bits(line: Instruction) -> bool:
    """Whether the line computes `gate` by the bits of numbers whose places are known before a run."""
    if line.op is not OPS["gate"] or line.value.array.size <= MOST_COPIED_ONE_BY_ONE:
        return False
    a, mask = line.inputs
    return a.dtype in BITS and mask.dtype == bool and a.storage.kind not in ("argument", "fresh")

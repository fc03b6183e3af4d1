"""Memory for time: a part of a computation that is computed again in the backward pass instead of kept."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.engine.derived import Before
from tinygrad_edu.engine.folded import fold
from tinygrad_edu.engine.graph import topological
from tinygrad_edu.engine.node import Node
from tinygrad_edu.engine.recording import RECORDING, quietly, recording, watched
from tinygrad_edu.engine.registry import tick
from tinygrad_edu.engine.tensor import Tensor

Result = TypeVar("Result")


@watched
def checkpoint(f: Callable[..., Result], *args: object) -> Result:
    """`f(*args)`, recorded as one op: its inside is computed again in the backward pass instead of kept.

    The first run is recorded to find what `f` used besides its arguments (a layer's weights); that becomes an input of
    the op, and the record is dropped. Random numbers drawn from the package's generator are drawn again alike, and
    what `f` writes, such as the running statistics of batch norm, is written once. `f` returns one tensor and has no
    other effect.

    Raises RuntimeError in the backward pass if the second run differs from the first, in what it computes or in the
    tensors that it uses: a variable that `f` reads has changed since, such as that of a loop in which `f` was made, or `f`
    draws from a generator of its own.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> y = checkpoint(lambda t: np.exp(np.sin(t)), x).sum()
    >>> y.backward()
    >>> bool(np.allclose(x.grad, np.exp(np.sin(x.numpy())) * np.cos(x.numpy())))
    True
    """
    state = RECORDING.get()
    if not state.enabled:
        return f(*args)
    generator, begun, writes = random.generator(), tick(), [] if state.writes is None else state.writes
    drawn, since = generator.bit_generator.state, len(writes)
    first = recording(writes=writes).run(f, *args)
    if isinstance(first, np.ndarray | np.generic):
        return first
    if not isinstance(first, Node):
        raise TypeError(
            f"checkpoint() takes a function that returns one tensor, but this one returned {type(first).__name__}; join several "
            "by np.concatenate, or call checkpoint() for each"
        )
    before = Before(begun)
    if not first.needs_grad or first in before:  # nothing to keep for a backward pass
        return first
    order = topological([first], leaves=False, ends=before)
    inputs = before.inputs(order, [x for x in args if isinstance(x, Tensor)])
    made, sketch, written = first.ndarray, _sketch(order, before), writes[since:]
    used = [weakref.ref(x) for x in inputs if x.needs_grad]
    inputs = [x for x in inputs if x.op is not None or not x.needs_grad]
    del first, order  # and with them the record, and the leaves that `f` makes for itself
    inputs = list(dict.fromkeys([x for x in [there() for there in used] if x is not None] + inputs))
    again = recording(enabled=True, writes=None, differentiating=state.differentiating)

    def unfold() -> tuple[Node]:
        """Run `f` again, with the numbers it drew at first, and record it."""
        begun, kept = tick(), [_kept(x) for x in {id(x): x for x in [w() for w in written] if x is not None}.values()]
        try:
            y = random.replaying(generator, drawn, again.run, f, *args)
        finally:
            for put_back in kept:
                put_back()
        before = Before(begun)
        order = topological([y], leaves=False, ends=before)
        now = [x for x in before.inputs(order, [x for x in args if isinstance(x, Tensor)]) if x.needs_grad]
        same = len(now) == len(used) and all(w() is None or w() is x for w, x in zip(used, now, strict=True))
        if not same or not quietly(_alike, (made, sketch), (y.ndarray, _sketch(order, before))):
            raise RuntimeError(
                f"checkpoint() ran {_name(f)} again for the backward pass, and it computed something else than the first "
                "time, or of other tensors: a variable that it reads has changed since, as that of a loop does, or it draws "
                "from a generator of its own; give what changes as an argument, checkpoint(f, x, i), or bind it when the function is made, "
                "by a default (lambda t, i=i: …) or functools.partial(f, i=i)"
            )
        return (y,)

    return fold("checkpoint", "checkpoint", unfold, inputs, [made])[0]


def _name(f: Callable[..., Any]) -> str:
    return getattr(f, "__name__", type(f).__name__)


def _kept(target: Node) -> Callable[[], None]:
    """Return a function that puts the numbers of a tensor back, with the time at which they were written."""
    array, numbers, cell = target.ndarray, target.ndarray.copy(), target.shared_cell()
    written = cell.written

    def put_back() -> None:
        np.copyto(array, numbers)
        target.ndarray, target.cell, cell.written = array, cell, written

    return put_back


def _sketch(order: Sequence[Node], before: Before) -> tuple[Any, ...]:
    """What a run did: its ops and their settings, and up to 64 of the numbers of each plain input.

    Two runs may have the same result, such as 0 for a weight that is 0, and yet other derivatives.
    """
    done = []
    for node in order:
        if node not in before:
            plain = [x.ndarray for x in node.inputs if not x.needs_grad and not isinstance(x.ndarray, tuple)]
            some = [a.flat[:: max(1, a.size // 64)] for a in plain]
            done.append((node.op.name, "" if node.op.folds else repr(node.settings), tuple(some)))
    return tuple(done)


def _alike(a: Any, b: Any) -> bool:
    """Whether two runs gave the same, in nested tuples; NaN is NaN.

    Numbers may differ by rounding: where several threads share a product of matrices, they may add in another order.
    """
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(_alike, a, b))
    if not isinstance(a, np.ndarray):
        return bool(a == b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind not in "fc" or not a.size:
        return np.array_equal(a, b)
    if np.array_equal(a, b, equal_nan=True):
        return True
    size = np.abs(a[np.isfinite(a)])
    off = math.sqrt(np.finfo(a.dtype).eps) * float(size.max(initial=0))
    return np.allclose(a, b, rtol=0, atol=off, equal_nan=True)

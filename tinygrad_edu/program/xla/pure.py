"""A program as a pure function: of arguments, state and what is fed, to outputs and the state that follows.

JAX traces functions that write nothing. So what a program writes is here what a name stands for from then on: a leaf of
the state has a value at each moment, and a view of it is computed anew once that is another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np

from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.program.plan import elementwise
from tinygrad_edu.program.program import Event, Program, Write, is_view, leaves_of, regions
from tinygrad_edu.program.simplify import simplified
from tinygrad_edu.program.xla.array import alike, held, jnp
from tinygrad_edu.program.xla.noise import draw
from tinygrad_edu.program.xla.table import compute


class Pure:
    """A program as a function without side effects, which XLA can compile.

    arguments: the arguments of the program. moving: the leaves of its state that it writes. constants: the leaves that it
    only reads. fed: the numbers that are set before each run. drawn: for each tensor of random numbers that the devices
    draw, its generator, and which of the generator's keys it uses. generators: how many keys each generator gives for a
    run. outputs: the results.
    """

    def __init__(
        self, program: Program, events: Sequence[Event], on_device: bool = False, splits: bool = False
    ) -> None:
        """events: those of the program that are to be done. on_device: whether the devices draw random numbers. splits:
        whether the batch is split among devices."""
        self.splits = splits
        self.events, self.outputs = simplified(program, events)
        self._lines, self._same = program.lines, _twins(program.state)
        used = {self._leaf(x) for x in leaves_of(self.events, self.outputs)}
        written = {_base(e.target) for e in self.events if isinstance(e, Write)}
        written = {self._leaf(x) for x in written if x.op is None}
        self.arguments = list(program.arguments)
        state = [x for x in program.state if x in used]
        self.moving = [x for x in state if x in written]
        self.constants = [x for x in state if x not in written]
        self.twins = {x: [y for y, same in self._same.items() if same is x] for x in state}
        _refuse_overlaps(self.moving, self.constants)
        feeds = [feed for feed in program.feeds if feed.leaf in used]
        self.fed = [feed for feed in feeds if not (on_device and feed.draw)]
        of: dict[Any, list[Any]] = {}
        for feed in feeds:
            if on_device and feed.draw:
                of.setdefault(feed.draw[1], []).append(feed)
        self.generators = {generator: len(drawn) for generator, drawn in of.items()}
        self.drawn = [(feed, i, k) for i, drawn in enumerate(of.values()) for k, feed in enumerate(drawn)]
        self.echoed = [x for x in written if any(x is feed.leaf for feed in feeds)]
        named = {*self.arguments, *state, *[feed.leaf for feed in feeds]}
        self._numbers = [x for x in used if x not in named]
        self._inputs = {e.node: e.inputs for e in self.events if not isinstance(e, Write)}

    def _leaf(self, x: Tensor) -> Tensor:
        """The leaf that stands for all that have the very memory of this one."""
        return self._same.get(x, x)

    # -- the function -------------------------------------------------------------------------------

    def __call__(self, arguments: Any, moving: Any, constants: Any, fed: Any, keys: Any) -> Any:
        """The outputs, the state that follows, and what is written to leaves that begin each run anew."""
        run = _Run(self)
        for leaves, values in (
            (self.arguments, arguments), (self.moving, moving), (self.constants, constants),
            ([feed.leaf for feed in self.fed], fed), (self._numbers, [jnp.asarray(x.ndarray) for x in self._numbers]),
        ):  # fmt: skip
            run.values.update(zip(leaves, values, strict=True))
        for feed, i, k in self.drawn:
            run.values[feed.leaf] = draw(feed.draw[0], keys[i][k], feed.leaf.shape, feed.leaf.dtype)
        for event in self.events:
            run.do(event)
        return (
            [run.value(x) for x in self.outputs],
            [run.values[x] for x in self.moving],
            [run.values[x] for x in self.echoed],
        )

    def forget(self) -> None:
        """Let go of the program, once it has been traced."""
        vars(self).clear()


class _Run:
    """The values of all tensors at one moment of a run."""

    def __init__(self, pure: Pure) -> None:
        self._pure = pure
        self.values: dict[Tensor, Any] = {}
        self._written: dict[Tensor, int] = {}  # how often each owner of memory was written
        self._seen: dict[Tensor, int] = {}  # how often its memory had been written when a view was computed
        self._thick: dict[Tensor, Any] = {}  # of rows (T·N, width), the values as (T, N, width)

    def value(self, x: Tensor) -> Any:
        """The value of a tensor at this moment of the run; a view of what was written since is computed anew."""
        x = self._pure._leaf(x)
        self._look(x)
        if x not in self.values:
            self.values[x] = self._thick[x].reshape(x.shape)
        return self.values[x]

    def _look(self, x: Tensor) -> None:
        """Compute a view, if its memory was written since."""
        if _shows(x):
            now = self._written.get(self._pure._leaf(_base(x)), 0)
            if self._seen.get(x) != now:
                self._compute(x)
                self._seen[x] = now

    def do(self, event: Event) -> None:
        """A computation, or a write."""
        if isinstance(event, Write):
            self._write(event)
        elif not _shows(event.node):
            self._compute(event.node)

    def _compute(self, node: Tensor) -> None:
        given = self._pure._inputs.get(node, node.inputs)
        self.values.pop(node, None)
        if self._pure.splits and self._in_rows(node, given):
            return
        inputs = [self.value(x) for x in given]
        try:
            found = compute(node.op, inputs, node.settings)
        except Exception as error:
            raise _refused(node, self._pure._lines.get(node), error) from error
        arrays = node.ndarray
        if isinstance(arrays, tuple):
            self.values[node] = tuple([_as(v, a, node) for v, a in zip(found, arrays, strict=True)])
        else:
            self.values[node] = _as(found, arrays, node)

    def _in_rows(self, node: Tensor, inputs: Sequence[Tensor]) -> bool:
        """Whether the node was computed of rows whose two axes, time and batch, were not merged for it.

        Of merged axes XLA cannot split the second, and would send each device the whole. So rows (T·N, width) that were made
        of (T, N, width) keep these axes in products, elementwise, and until they are summed or get their axes back.
        """
        self._thick.pop(node, None)
        for x in inputs:
            self._look(self._pure._leaf(x))
        op, thick = node.op, [self._thick.get(x) for x in inputs]
        first = thick[0] if thick else None
        if op.name == "reshape" and first is None and self._merges(inputs[0], node):
            self._thick[node] = self.value(inputs[0])
        elif op.name == "reshape" and first is not None and node.shape == first.shape:
            self.values[node] = first
        elif op.name == "matmul" and first is not None and inputs[1].ndim == 2:
            self._thick[node] = jnp.matmul(*alike((first, self.value(inputs[1]))))
        elif op.name == "matmul" and thick[1] is not None and self._turned(inputs[0]) is not None:
            other = self._thick.get(self._turned(inputs[0]))
            if other is None or other.shape[:2] != thick[1].shape[:2]:
                return False
            self.values[node] = jnp.tensordot(*alike((other, thick[1])), axes=((0, 1), (0, 1)))
        elif first is not None and (
            op.name == "channel_sum" or (op.name == "sum" and node.settings["axis"] in (0, (0,)))
        ):
            self.values[node] = first.sum(axis=(0, 1)).reshape(node.shape).astype(first.dtype)
        elif elementwise(op) and self._beside(inputs, thick):
            values = [self.value(x) if of is None else of for x, of in zip(inputs, thick, strict=True)]
            self._thick[node] = compute(op, values, node.settings)
        else:
            return False
        return True

    def _merges(self, x: Tensor, node: Tensor) -> bool:
        """Whether the first two of three axes become one."""
        if x.op is not None and isinstance(x.ndarray, tuple):
            return False
        return x.ndim == 3 and node.ndim == 2 and node.size > 0 and x.shape[2] == node.shape[1]

    def _turned(self, x: Tensor) -> Any:
        """The matrix, as JAX holds it, that `x` is the transpose of; None if it is no transpose."""
        if x.op is None or x.op.name not in ("transpose", "matrix_transpose"):
            return None
        return self._pure._inputs.get(x, x.inputs)[0]

    def _beside(self, inputs: Sequence[Tensor], thick: Sequence[Any]) -> bool:
        """Whether some inputs are rows of the same two axes, and all others are the same for each row."""
        shapes = {of.shape[:2] for of in thick if of is not None}
        others = [x for x, of in zip(inputs, thick, strict=True) if of is None]
        return len(shapes) == 1 and all(x.ndim < 2 or x.shape[0] == 1 for x in others)

    def _write(self, event: Write) -> None:
        value, owner = self.value(event.value), _base(event.target)
        base = self._pure._leaf(owner)
        if event.target is not owner:
            places = np.arange(owner.size).reshape(owner.shape)
            for view in reversed(_views(event.target)):
                places = view.op.forward(places, **view.settings)
            whole = self.value(base)
            new = jnp.broadcast_to(value, places.shape).astype(whole.dtype).reshape(-1)
            value = whole.reshape(-1).at[places.reshape(-1)].set(new).reshape(whole.shape)
        self.values[base] = jnp.broadcast_to(value, owner.shape).astype(held(owner.dtype))
        self._written[base] = self._written.get(base, 0) + 1


def _as(value: Any, array: Any, node: Tensor) -> Any:
    """The value in the type that was recorded."""
    if value.shape != array.shape:
        raise RuntimeError(f"{node.op.name} gives shape {value.shape} by XLA, and {array.shape} by NumPy")
    return value.astype(held(array.dtype))


def _refused(node: Tensor, line: str | None, error: Exception) -> RuntimeError:
    """What is said of an op that cannot be compiled."""
    shapes = ", ".join(str(getattr(x.ndarray, "shape", "results")) for x in node.inputs)
    said = str(error).split("\n", 1)[0]
    if isinstance(error, jax.errors.ConcretizationTypeError):
        said = (
            "how large its result is, or which way it goes, depends on numbers that are not there when it is compiled"
        )
    return RuntimeError(
        f"{node.op.name}({shapes}) at {line or 'a line of a layer'} cannot be compiled by XLA: {said}; where elements are "
        "chosen by their values, write np.where(condition, a, b), which keeps the shape"
    )


# ---------------------------------------------------------------------------------------------------
# Memory


def _shows(x: Tensor) -> bool:
    """Whether `x` is a view of the memory of another value; one of several results is a value of its own."""
    return is_view(x) and not x.op.selects


def _base(x: Tensor) -> Tensor:
    """The tensor whose memory `x` shows."""
    while _shows(x):
        x = x.inputs[0]
    return x


def _views(x: Tensor) -> list[Tensor]:
    """`x`, what it is a view of, and so on, without the base."""
    found = []
    while _shows(x):
        found.append(x)
        x = x.inputs[0]
    return found


def _twins(leaves: Iterable[Tensor]) -> dict[Tensor, Tensor]:
    """Map each leaf to the first leaf with the same memory: a weight and its `detach()` are one."""
    first: dict[Any, Tensor] = {}
    return {
        x: first.setdefault((x.ndarray.__array_interface__["data"][0], x.shape, x.ndarray.strides, x.dtype), x)
        for x in leaves
    }


def _refuse_overlaps(moving: Sequence[Tensor], constants: Sequence[Tensor]) -> None:
    """Raise RuntimeError for state that shares memory in part with state that is written."""
    number = regions([*moving, *constants])
    places: dict[int, Tensor] = {}
    for x in [*moving, *constants]:
        other = places.setdefault(number[x], x)
        if other is not x and (other in moving or x in moving):
            raise RuntimeError(
                f"{other.describe()} and {x.describe()} share memory, and one is written: on devices each would have its own; "
                "write through one of them inside the function, or make one a copy"
            )

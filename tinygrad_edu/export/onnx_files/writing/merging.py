"""One graph of two that were written for batches of different size: what differs between them is the batch.

A shape, or another number that the graph holds, that is 14 for 2 examples and 21 for 3 is 7·batch. In the merged graph
it is −1, where a node may find it out itself, or is computed from the shape of the first input.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_edu.export.onnx_files.writing.written import CannotWriteError, Node, Written, whole

BATCH = "batch"
"""What the length of the batch is called in the file."""


@dataclass(eq=False)
class Merged:
    """The nodes, initializers and constants of the file.

    sizes: the two sizes of the batch; one alone, if the file is for that size.
    taken: names that are given already.
    """

    sizes: tuple[int, ...]
    taken: set[str]
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    known: dict[Any, str] = field(default_factory=dict)
    source: tuple[str, int] | None = None  # an input, and its axis along which the examples lie
    place: int = -1

    def merge(self, graphs: Sequence[Sequence[Node]]) -> None:
        """Take over the nodes of all graphs, as one."""
        first = graphs[0]
        for nodes in graphs[1:]:
            for a, b in zip(first, nodes, strict=False):
                if (a.kind, a.outputs) != (b.kind, b.outputs):
                    raise CannotWriteError(
                        f"{a.kind} for {self.sizes[0]} examples is {b.kind} for {self.sizes[1]}", a.place
                    )
            if len(nodes) != len(first):
                raise CannotWriteError("what is computed depends on the number of examples", first[-1].place)
        for versions in zip(*graphs, strict=True):
            node = versions[0]
            self.place = node.place
            for other in versions[1:]:
                if repr(other.attributes) != repr(node.attributes):
                    said = ", ".join(
                        key for key in node.attributes if repr(node.attributes[key]) != repr(other.attributes.get(key))
                    )
                    raise CannotWriteError(f"{said} of {node.kind} depends on the number of examples", node.place)
            inputs = [self._input(node, i, [v.inputs[i] for v in versions]) for i in range(len(node.inputs))]
            self.nodes.append(Node(node.kind, inputs, node.outputs, node.attributes, node.place, node.name))

    def _input(self, node: Node, i: int, versions: Sequence[Any]) -> str:
        a = versions[0]
        if isinstance(a, str):
            if any(not isinstance(b, str) or a != b for b in versions[1:]):
                raise CannotWriteError("which values are read depends on the number of examples", node.place)
            return a
        if any(isinstance(b, str) for b in versions[1:]):
            raise CannotWriteError("which values are read depends on the number of examples", node.place)
        if node.kind == "Reshape" and i == 1:
            different = [p for p, n in enumerate(a) if any(b[p] != n for b in versions[1:])]
            if len(different) == 1 and 0 not in a:
                return self.constant(np.where(np.arange(len(a)) == different[0], -1, a))
        return self.value(versions)

    def value(self, versions: Sequence[Any]) -> str:
        """The name of a value that is each of these arrays for its size of the batch."""
        a, b = versions[0], versions[-1]
        if a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes():
            return self.constant(a)
        if a.ndim != b.ndim:
            raise CannotWriteError("the number of axes of an array depends on the number of examples", self.place)
        if a.shape == b.shape:
            return self._linear(a, b)
        alike = [i for i in range(a.ndim) if a.shape[i] != 1 and all(_repeats(x, i) for x in versions)]
        if alike:
            rows = [x[tuple([slice(0, 1) if i in alike else slice(None) for i in range(x.ndim)])] for x in versions]
            wanted = self._linear(np.array(a.shape, np.int64), np.array(b.shape, np.int64))
            return self.add("Expand", [self.value(rows), wanted])
        axes = [i for i in range(a.ndim) if a.shape[i] != b.shape[i]]
        found = self._counted(a, b, axes[0]) if len(axes) == 1 else None
        if found is not None:
            return found
        raise CannotWriteError(
            f"an array of shape {a.shape} for {self.sizes[0]} examples and {b.shape} for {self.sizes[-1]} is none that repeats "
            "one row; make it of the model's input, by np.zeros_like and the like",
            self.place,
        )

    def _counted(self, a: Any, b: Any, axis: int) -> str | None:
        """Numbers that rise by one step along the rows, as np.arange has them, in any shape; None if the arrays are no such."""
        if a.dtype.kind not in "iu" or min(a.size, b.size) < 2:
            return None
        first, step = a.ravel()[0], a.ravel()[1] - a.ravel()[0]
        if not all(np.array_equal(x.ravel(), first + step * np.arange(x.size)) for x in (a, b)):
            return None
        n = self._linear(np.array([a.size], np.int64), np.array([b.size], np.int64))
        row = self.add(
            "Range",
            [self.constant(np.array(0, np.int64)), self.add("Squeeze", [n]), self.constant(np.array(1, np.int64))],
        )
        row = self.add("Cast", [row], to=a.dtype) if a.dtype != np.int64 else row
        row = self.add("Mul", [row, self.constant(np.array(step, a.dtype))]) if step != 1 else row
        row = self.add("Add", [row, self.constant(np.array(first, a.dtype))]) if first else row
        shape = [-1 if i == axis else n for i, n in enumerate(a.shape)]
        return row if len(shape) == 1 else self.add("Reshape", [row, self.constant(whole(*shape))])

    def _linear(self, a: Any, b: Any) -> str:
        """a + slope·(batch − first size), or a constant divided by the batch; of whole numbers where that is exact."""
        if self.source is None:
            raise CannotWriteError("the two graphs differ, though nothing depends on the batch", self.place)
        first, last = self.sizes[0], self.sizes[-1]
        dtype = a.dtype
        name, axis = self.source
        batch = self.known.get("batch")
        if batch is None:
            batch = self.known["batch"] = self.add("Shape", [name], start=axis, end=axis + 1)
        if dtype.kind == "f" and np.allclose(a * first, b * last, rtol=1e-6, atol=0):
            return self._shaped(self.add("Div", [self.constant(a * dtype.type(first)), self._as(batch, dtype)]), a)
        rise = (b.astype(np.int64) - a) if dtype.kind in "iu" else b - a
        slope = rise // (last - first) if dtype.kind in "iu" else rise / (last - first)
        if dtype.kind not in "iuf" or np.any(slope * (last - first) != rise):
            raise CannotWriteError(
                f"numbers {a.tolist()!r:.60} for {first} examples are {b.tolist()!r:.60} for {last}", self.place
            )
        start = (a - slope * first).astype(dtype)
        found = self._as(batch, dtype)
        if np.any(slope != 1) or a.ndim > 1:
            found = self.add("Mul", [found, self.constant(slope.astype(dtype))])
        if np.any(start):
            found = self.add("Add", [found, self.constant(start)])
        elif np.size(slope) != 1 and np.all(slope == 1):
            found = self.add("Mul", [found, self.constant(slope.astype(dtype))])
        return self._shaped(found, a)

    def _as(self, batch: str, dtype: Any) -> str:
        return batch if dtype == np.int64 else self.add("Cast", [batch], to=dtype)

    def _shaped(self, found: str, a: Any) -> str:
        return found if a.ndim else self.add("Squeeze", [found])

    def add(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """A node that is in no graph."""
        key = (kind, *inputs, repr(attributes))
        if key not in self.known:
            self.known[key] = name = self._name(BATCH)
            self.nodes.append(Node(kind, list(inputs), [name], attributes, self.place))
        return self.known[key]

    def _name(self, stem: str) -> str:
        name = next(f"{stem}_{i}" for i in itertools.count(len(self.known)) if f"{stem}_{i}" not in self.taken)
        self.taken.add(name)
        return name

    def constant(self, a: Any) -> str:
        """The name of an array that the file holds once."""
        a = np.asarray(a)
        key = (a.dtype.str, a.shape, a.tobytes())
        if key not in self.known:
            self.known[key] = name = self._name("constant")
            self.constants[name] = a
        return self.known[key]


def _repeats(x: Any, axis: int) -> bool:
    """Whether x is the same all along an axis."""
    if not x.shape[axis]:
        return False
    first = x[tuple([slice(0, 1) if i == axis else slice(None) for i in range(x.ndim)])]
    return bool(np.array_equal(np.broadcast_to(first, x.shape), x, equal_nan=x.dtype.kind == "f"))


def used(nodes: Sequence[Node], outputs: Sequence[str]) -> list[Node]:
    """The nodes on which the outputs depend."""
    wanted = set(outputs)
    found = []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            found.append(node)
            wanted.update(name for name in node.inputs if isinstance(name, str))
    return found[::-1]


def lengths(versions: Sequence[Written], sizes: Sequence[int]) -> list[Any]:
    """The lengths of the axes of an output: numbers, and for those that depend on the batch a text that says how."""
    a, b = versions[0].shape, versions[-1].shape
    found: list[Any] = []
    for n, m in zip(a, b, strict=True):
        if n == m:
            found.append(n)
            continue
        slope, rest = divmod(m - n, sizes[-1] - sizes[0])
        start = n - slope * sizes[0]
        text = BATCH if slope == 1 else f"{slope}*{BATCH}"
        found.append((text if not start else f"{text}{start:+d}") if not rest else None)
    return found


def in_order(nodes: Sequence[Node], given: set[str]) -> list[Node]:
    """The nodes, each after those that it reads, and otherwise as they stand."""
    known = set(given) | {""}
    waiting = list(nodes)
    found: list[Node] = []
    while waiting:
        later = []
        for node in waiting:
            if known.issuperset(node.inputs):
                found.append(node)
                known.update(node.outputs)
            else:
                later.append(node)
        if len(later) == len(waiting):
            raise CannotWriteError("the nodes read each other in a circle")
        waiting = later
    return found

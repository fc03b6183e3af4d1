"""What a block diagram shows: the maps that flow through a network, and the layers that make each of those before it.

A graph has an operation for each step of arithmetic: a convolution is three of them with its bias, a batch normalization
of a model that is evaluated seven. Here a **map** is what a layer that reads its input in a way of its own makes (a
convolution, a pool, a product with weights, a sum of two ways, a concatenation); what works number by number behind it
(a bias, a normalization, an activation, dropout) is written beside the layer.
"""

from __future__ import annotations

import hashlib
import math
import re
from ast import literal_eval
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from viz.record.graph import Graph, Operation, Part, Value, users
from viz.record.passes import collapse, innermost

CONVOLUTIONS = {"conv": "convolution", "conv_transpose": "transposed"}
POOLS = {"max_pool": "max_pool", "sum_pool": "mean_pool"}
REDUCTIONS = {"mean": "mean_pool", "amax": "max_pool", "max": "max_pool"}
RESHAPED = ("reshape", "transpose", "expand_dims", "squeeze")  # operations that only see the same numbers otherwise
WINDOW = ("kernel", "stride", "padding", "dilation", "groups", "axis")  # the settings that tell a window
WHAT_IT_IS_FOR = (
    "style='blocks' shows the layers of a network: convolutions, pools and products x @ W with weights, and the maps between "
    "them; this graph has none of these, so draw it in the style 'book'"
)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: its kind, a name where the kind has none of its own, and its window."""

    kind: str  # convolution, depthwise, transposed, max_pool, mean_pool, whole, dense, flatten or other
    name: str = ""
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    padding: tuple[tuple[int, int], ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    learned: bool = False  # whether it has weights
    inside: str = ""  # a digest of the operations in a module that is closed: equal ones compute alike


@dataclass(frozen=True, slots=True)
class Way:
    """A way from a map to the one that is made of it: through a layer, or as it is."""

    source: str
    layer: Layer | None = None
    after: tuple[str, ...] = ()  # the functions behind the layer that act number by number


@dataclass(frozen=True, slots=True)
class Map:
    """The result of a layer for one example: a vector, or channels of height × width."""

    id: str
    shape: tuple[int, ...]
    places: int  # how many of its axes are height, width and the like
    ways: tuple[Way, ...]
    join: str = ""  # how several ways become one: "concat", or the symbol of an operation
    after: tuple[str, ...] = ()  # the functions behind the join that act number by number
    name: str | None = None
    scope: tuple[Part, ...] = ()
    learned: bool = False  # whether a layer with weights has made it

    @property
    def channels(self) -> int:
        """How many numbers there are at each place."""
        return self.shape[-self.places - 1] if len(self.shape) > self.places else 1

    @property
    def size(self) -> tuple[int, ...]:
        """Height, width and the like; of a vector none."""
        return self.shape[len(self.shape) - self.places :]


@dataclass(frozen=True, slots=True)
class Fold:
    """Maps that stand for `times` parts of a network which are equal, one behind the other."""

    maps: tuple[str, ...]
    times: int
    name: str = ""  # what the parts are called, if they are calls of modules


@dataclass(frozen=True, slots=True)
class Network:
    """Maps in the order of computing, the last of which is what comes out."""

    maps: tuple[Map, ...]
    folds: tuple[Fold, ...] = ()

    @property
    def by_id(self) -> dict[str, Map]:
        """The maps by their ids."""
        return {one.id: one for one in self.maps}


def read(graph: Graph, chosen: Callable[[Part], bool] | None = None) -> Network:
    """The maps and layers of a graph. Raises ValueError for a graph that has no layers.

    chosen: which calls of modules are one layer each, whatever is in them.
    """
    learned = _learned(graph)
    sources = {value.id for value in graph.values if value.op is None} & flowing(graph)
    values = tuple(replace(value, kind="input") if value.id in sources else value for value in graph.values)
    graph = replace(graph, values=values)
    inside: Mapping[str, str] = {}
    if chosen is not None:
        closed, inside = _several_layers(graph), _insides(graph)
        graph = collapse(graph, lambda part: part in closed and chosen(part))
    boxes = frozenset(op.id for op in graph.ops if op.shape == "box")
    return _Reader(collapse(graph, _plain_layers(graph)), learned, boxes, inside).network()


def _several_layers(graph: Graph) -> set[Part]:
    """The calls of modules that have more than one layer in them: to close others would hide a window, and nothing else."""
    reading = [op for op in graph.ops if op.name in CONVOLUTIONS or op.name in POOLS or op.name == "matmul"]
    count = Counter(part for op in reading for part in op.scope)
    return {part for part, times in count.items() if times > 1}


def _insides(graph: Graph) -> dict[str, str]:
    """Return a digest of the operations in each call of a module, by its id: equal calls have equal digests."""
    shapes = {value.id: value.shape for value in graph.values}
    inputs = {use.id: shapes[use.value] for use in graph.uses}
    found: dict[str, Any] = {}
    for op in graph.ops:
        said = repr((op.name, op.settings, [inputs[use] for use in op.inputs])).encode()
        for part in op.scope:
            found.setdefault(part.id, hashlib.sha256()).update(said)
    return {id: digest.hexdigest()[:16] for id, digest in found.items()}


def _learned(graph: Graph) -> frozenset[str]:
    """The operations and the calls of modules that use parameters."""
    kinds = {value.id: value.kind for value in graph.values}
    weights = {use.op for use in graph.uses if kinds[use.value] == "parameter"}
    found = {op.id for op in graph.ops if op.id in weights}
    return frozenset(found | {part.id for op in graph.ops if op.id in weights for part in op.scope})


def _plain_layers(graph: Graph) -> Callable[[Part], bool]:
    """Picks the calls of layers that have no window and no weights to multiply by, such as normalizations."""
    kinds = {value.id: value.kind for value in graph.values}
    inputs = {use.id: kinds[use.value] for use in graph.uses}
    own: dict[Part, list[Operation]] = {}
    for op in graph.ops:
        if op.scope:
            own.setdefault(op.scope[-1], []).append(op)

    def reads(op: Operation) -> bool:
        if op.name == "matmul":
            return any(inputs[use] == "parameter" for use in op.inputs)
        return op.name in CONVOLUTIONS or op.name in POOLS or op.shape != "circle"

    layers = innermost(graph)
    busy = {part for part, ops in own.items() if any(map(reads, ops)) or all(op.name in REDUCTIONS for op in ops)}
    return lambda part: layers(part) and part not in busy


# ---------------------------------------------------------------------------------------------------
# What flows


def flowing(graph: Graph) -> set[str]:
    """The values that are computed from what the network reads, and that itself; not weights, nor what is made of them."""
    values = {value.id: value for value in graph.values}
    inputs = {use.id: use.value for use in graph.uses}
    sources: set[str] = set()
    leaves: dict[str, frozenset[str]] = {}  # the leaves of each value that the network may read
    for value in graph.values:
        if value.op is None:
            known = value.kind == "parameter" or not value.shape
            leaves[value.id] = frozenset() if known else frozenset([value.id])
    for op in graph.ops:
        own = [inputs[use] for use in op.inputs]
        for read_value in _read(op, own, values, leaves):
            sources |= leaves[read_value]
        from_source = [leaves[value] for value in own if leaves[value] & sources]
        wide = [leaves[value] for value in own if len(values[value].shape) > 1]
        every = [leaves[value] for value in own]
        found = from_source or (every if all(every) else wide)  # beside weights, a vector is one of statistics
        leaves |= dict.fromkeys(op.outputs, frozenset().union(*found))
    flows = set(sources)
    for op in graph.ops:
        if any(inputs[use] in flows for use in op.inputs):
            flows.update(op.outputs)
    return flows


def _read(
    op: Operation, own: Sequence[str], values: Mapping[str, Value], leaves: Mapping[str, frozenset[str]]
) -> Iterator[str]:
    """The inputs of an operation that a layer reads, and that are no weights."""
    if op.name in CONVOLUTIONS or op.name in POOLS:
        yield own[0]
    elif op.shape == "box":
        yield from own
    elif op.name == "matmul":
        left, right = own
        if not leaves[right] or (values[right].flows and len(values[right].shape) == 2):
            yield left
        elif not leaves[left]:
            yield right


# ---------------------------------------------------------------------------------------------------
# Maps and layers


class _Reader:
    def __init__(self, graph: Graph, learned: frozenset[str], boxes: frozenset[str], inside: Mapping[str, str]) -> None:
        self.graph, self.learned, self.boxes, self.used = graph, learned, boxes, users(graph)
        self.inside = inside
        self.values = {value.id: value for value in graph.values}
        self.inputs = {use.id: use.value for use in graph.uses}
        self.flows = flowing(graph)
        self.maps: dict[str, Map] = {}
        self.at: dict[str, str] = {}  # the map that a value is, by its id
        self.places, self.batched = self._images()

    def _images(self) -> tuple[int, bool]:
        """How many axes of images are places, and whether there are several examples."""
        for op in self.graph.ops:
            if op.name in CONVOLUTIONS:
                image, kernel = (self.values[self.inputs[use]].shape for use in op.inputs[:2])
                return len(kernel) - 2, len(image) == len(kernel)
            if op.name in POOLS:
                places = len(literal_eval(dict(op.settings)["kernel"]))
                return places, len(self.values[self.inputs[op.inputs[0]]].shape) == places + 2
        return 0, True

    def network(self) -> Network:
        if not self.flows:
            raise ValueError(WHAT_IT_IS_FOR)
        for value in self.graph.values:
            if value.op is None and value.id in self.flows:
                self._add(value, (), name=value.name)
        for op in self.graph.ops:
            own = list(dict.fromkeys(v for v in (self.inputs[use] for use in op.inputs) if v in self.flows))
            if own:
                self._operation(op, own)
        for use in self.graph.uses:
            if use.op is None and use.value in self.at:
                end = self.at[use.value]
                self.maps[end] = replace(self.maps[end], name=self.values[use.value].name)
        if not any(way.layer is not None for one in self.maps.values() for way in one.ways):
            raise ValueError(WHAT_IT_IS_FOR)
        return Network(tuple(self.maps.values()))

    def _operation(self, op: Operation, own: Sequence[str]) -> None:
        sources = list(dict.fromkeys(self.at[value] for value in own))
        made = [self.values[value] for value in op.outputs]
        if len(sources) > 1:
            self._join(op, own, sources, made)
            return
        before = self.maps[sources[0]]
        layer = self._layer(op, own[0])
        if layer is None and len(made) == 1 and (len(self.used[own[0]]) == 1 or _as_it_is(op)):
            self._follow(op, before, made[0])
            return
        for value in made:
            self._add(value, (Way(before.id, layer or Layer("other", _called(op))),), scope=op.scope)

    def _add(
        self,
        value: Value,
        ways: tuple[Way, ...],
        *,
        join: str = "",
        name: str | None = None,
        scope: Sequence[Part] = (),
    ) -> None:
        shape, places = self._shape(value)
        learned = any(way.layer is not None and way.layer.learned for way in ways)
        self.maps[value.id] = Map(value.id, shape, places, ways, join, (), name, tuple(scope), learned)
        self.at[value.id] = value.id

    def _shape(self, value: Value) -> tuple[tuple[int, ...], int]:
        """The shape of one example, and how many of its axes are places."""
        shape = value.shape[1:] if self.batched and len(value.shape) > 1 else value.shape
        if self.places and len(shape) == self.places + 1:
            return shape, self.places
        return (shape[-1:], 0) if len(shape) < 2 else (shape[::-1], len(shape) - 1)  # steps of vectors: channels first

    def _layer(self, op: Operation, read: str) -> Layer | None:
        """The layer that an operation is; None for what works number by number."""
        settings = {name: literal_eval(said) for name, said in op.settings if name in WINDOW}
        before, after = self.values[read].shape, self.values[op.outputs[0]].shape
        window: dict[str, Any] = {key: settings[key] for key in ("stride", "padding", "dilation") if key in settings}
        if op.id in self.boxes:
            call = op.id.partition("-")[0]
            return Layer("other", _called(op), learned=call in self.learned, inside=self.inside.get(call, ""))
        if op.name in CONVOLUTIONS:
            kernel = self.values[self.inputs[op.inputs[1]]].shape
            groups = settings["groups"]
            depthwise = op.name == "conv" and groups > 1 and groups == before[-len(kernel) + 1]
            kind = "depthwise" if depthwise else CONVOLUTIONS[op.name]
            return Layer(kind, "", kernel[2:], groups=groups, learned=True, **window)
        if op.name in POOLS:
            if _as_it_is(op):
                return None
            return Layer(POOLS[op.name], "", settings["kernel"], **window)
        if op.name == "matmul":
            return Layer("dense", learned=True)
        if op.name in REDUCTIONS and self.places and len(before) > self.places:
            axes = settings.get("axis")
            taken = {axis % len(before) for axis in (axes if isinstance(axes, tuple) else (axes,)) if axis is not None}
            if taken == {*range(len(before) - self.places, len(before))}:
                return Layer("whole", REDUCTIONS[op.name], before[-self.places :])
        if before == after:
            return None
        if _reshapes(op):
            return _reshaped(before, after, op.symbol)
        return Layer("other", _called(op), learned=op.id.partition("-")[0] in self.learned)

    def _follow(self, op: Operation, before: Map, made: Value) -> None:
        """Write a function that acts number by number behind the layer before it, unless it is a part of that layer."""
        self.at[made.id] = before.id
        said = self._said(op, before)
        if not said:
            return
        if before.join or len(before.ways) != 1:
            self.maps[before.id] = replace(before, after=(*before.after, said))
        else:
            (way,) = before.ways
            self.maps[before.id] = replace(before, ways=(replace(way, after=(*way.after, said)),))

    def _said(self, op: Operation, before: Map) -> str:
        """The words for an operation behind a layer; none for a part of the layer, such as its bias."""
        if _as_it_is(op):
            return ""
        weights = [self.values[self.inputs[use]] for use in op.inputs if self.inputs[use] not in self.flows]
        if op.name == "add" and any(value.kind == "parameter" or value.flows for value in weights):
            return ""  # a bias
        if op.name == "divide" and any("Pool" in part.kind for part in op.scope[-1:]):
            return ""  # the mean of a window is its sum over the number of its places
        mean = before.ways and before.ways[0].layer is not None and before.ways[0].layer.kind == "mean_pool"
        if op.name == "divide" and mean and all(not value.shape for value in weights):
            return ""
        return _called(op)

    def _join(self, op: Operation, own: Sequence[str], sources: Sequence[str], made: Sequence[Value]) -> None:
        """Add the map that joins several ways. A sum takes over the layers that made its terms, if only it uses these."""
        if op.name in ("concatenate", "stack"):
            self._add(made[0], tuple(map(Way, sources)), join="concat", scope=op.scope)
            return
        ways: list[Way] = []
        for source in sources:
            before = self.maps[source]
            last = [value for value in own if self.at[value] == source]
            alone = len(last) == 1 and len(self.used[last[0]]) == 1 and before.shape == self._shape(made[0])[0]
            if alone and not before.join and len(before.ways) == 1 and not self._leads_on(source):
                ways += before.ways
                del self.maps[source]
            else:
                ways.append(Way(source))
        for value in made:
            self._add(value, tuple(ways), join=op.symbol, scope=op.scope)

    def _leads_on(self, source: str) -> bool:
        """Whether another map is made of this one already."""
        return any(way.source == source for one in self.maps.values() for way in one.ways)


def _called(op: Operation) -> str:
    """What is written for an operation: a layer by its kind, whatever the number of axes that it is made for.

    >>> _called(Operation("m1", "bn", "BatchNorm2d", (), (), shape="box"))
    'BatchNorm'
    """
    if op.symbol in ("Sequential", "ModuleList") and op.name != op.symbol:
        return op.name.rpartition(".")[2]
    return "crop" if op.name in ("getitem", "index") else re.sub(r"(?<=[a-z])[123]d$", "", op.symbol)


def _reshapes(op: Operation) -> bool:
    """Whether an operation only sees the same numbers otherwise."""
    return op.name in RESHAPED or op.symbol in ("Flatten", "Unflatten")


def _as_it_is(op: Operation) -> bool:
    """Whether an operation gives the numbers that it takes: it only sees them otherwise, or pools windows of one place."""
    window = [n for name, said in op.settings if name in ("kernel", "stride") for n in literal_eval(said)]
    return _reshapes(op) or (op.name in POOLS and all(n == 1 for n in window))


def _reshaped(before: tuple[int, ...], after: tuple[int, ...], symbol: str) -> Layer | None:
    """The layer that lays numbers otherwise; None where an axis of length 1 goes."""
    kept = len(after) - 1
    if [n for n in before if n > 1] == [n for n in after if n > 1] and len(after) <= len(before):
        return None
    flat = len(after) < len(before) and after == (*before[:kept], math.prod(before[kept:]))
    return Layer("flatten") if flat else Layer("other", symbol)

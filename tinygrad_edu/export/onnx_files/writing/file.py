"""onnx: a model as an ONNX file, which other programs run."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from tinygrad_edu.engine.node import Results, array_of
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.export.onnx_files.packages import OPSET, onnx_package, runtime
from tinygrad_edu.export.onnx_files.writing import (  # noqa: F401 (their tables)
    algebra,
    functions,
    layers,
    orders,
    products,
    recurrent,
    ufuncs,
    windows,
)
from tinygrad_edu.export.onnx_files.writing.comparing import SIZES, as_arrays, axes_of, compare, resized
from tinygrad_edu.export.onnx_files.writing.joining import batch_norms, both_ways
from tinygrad_edu.export.onnx_files.writing.merging import BATCH, Merged, in_order, lengths, used
from tinygrad_edu.export.onnx_files.writing.written import CannotWriteError, Graph, Node, Written, compute, part
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.parameter import Parameter
from tinygrad_edu.program.nested import mapped
from tinygrad_edu.program.program import PLACE, Compute, Program, Write
from tinygrad_edu.program.record import recorded
from tinygrad_edu.program.tape import Tape
from tinygrad_edu.train.files import StrPath, write_atomically

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def onnx(
    model: Any,
    x: Any,
    path: StrPath,
    *,
    batch: int | Sequence[int | None] | None = 0,
    names: Sequence[str] | None = None,
    tolerance: float | None = None,
) -> Path:
    """Write a model to an ONNX file (opset 18), which onnxruntime and other programs run, and return its path.

    The model is recorded as `tg.replay` records it, and each op is written as nodes of ONNX: as one where ONNX has it, else
    as a formula. Recurrent layers are its LSTM, GRU and RNN; with a mask or `proj_size`, which those lack, they are written
    step by step, for as many steps as x has. Parameters and buffers keep their names. Before the file is put in its place, `onnx.checker` checks
    it, and onnxruntime runs it on batches of several sizes and gives the numbers of the model. If anything fails, nothing is
    written, and a file that was there stays as it was.

    model: a module, or a function of tensors. What it draws at random, or writes, has no place in a file: call
        `model.eval()` first.
    x: an example of its input, an array or a tensor; a tuple of them for a model of several. Types and lengths are those
        of the file.
    path: where the file goes.
    batch: the axis along which examples lie, whose length is then free; one for each input as a tuple, None for an input
        without examples; None alone, if the file is for the lengths of x only. Another axis may be the free one instead:
        with batch=1 sequences (N, T) have any length, and are as many as in x.
    names: what the file calls the outputs; left out, y, or y0, y1 and so on.
    tolerance: how far onnxruntime's results may be off, as a share of the largest; left out, 1e-4 for float32.

    Raises TypeError for what ONNX has no counterpart for, naming the line that recorded it, ValueError if onnxruntime's
    numbers differ, and ImportError without onnx and onnxruntime.

    >>> import tempfile, numpy as np, tinygrad_edu as tg
    >>> model = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.ReLU(), tg.nn.Linear(4, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = tg.export.onnx(model, np.ones((5, 3), np.float32), f"{folder}/net.onnx")
    ...     again = tg.export.load_onnx(path)
    >>> x = np.ones((2, 3), np.float32)
    >>> again(x).shape, bool(np.allclose(again(x).numpy(), model(x).numpy()))
    ((2, 2), True)
    """
    onnx_package()
    runtime()
    if not callable(model):
        raise TypeError(f"onnx() takes a module, or a function of tensors, but got {type(model).__name__}")
    arguments = x if isinstance(x, tuple) else (x,)
    arrays: list[Any] = []
    mapped(lambda a: arrays.append(array_of(a)), as_arrays(arguments))
    axes = axes_of(batch, arrays)
    sizes = SIZES if any(axis is not None for axis in axes) else (0,)
    with _noting():
        traces = [_Trace.of(model, arguments, arrays, axes, n, names) for n in sizes]
    content = _serialized(_file(traces, axes, sizes))
    read, shown = [[x.name for x in found] for found in (traces[0].inputs, traces[0].outputs)]
    known = [t.numbers for t in traces]
    compare(content, model, arguments, arrays, axes, read, shown, known, tolerance, traces[0].said_of)
    return write_atomically(path, content)


# ---------------------------------------------------------------------------------------------------
# The graph for one size of the batch


@contextlib.contextmanager
def _noting() -> Iterator[None]:
    """Say of an error of the model itself how it was run."""
    try:
        yield
    except CannotWriteError:
        raise
    except Exception as error:
        error.add_note(
            f"tg.export.onnx() records the model as tg.replay() does, and runs it for batches of {SIZES[0]} and {SIZES[1]} examples; "
            "batch=None keeps to the lengths of x"
        )
        raise


@dataclass(eq=False)
class _Trace:
    """The model recorded and written for one size of the batch."""

    graph: Graph
    inputs: list[Written]
    outputs: list[Written]
    program: Program
    places: dict[int, str]  # the lines in which results were recorded, by their address
    numbers: list[Any]  # the arrays of the outputs
    parameters: dict[str, Any]

    @classmethod
    def of(cls, model: Any, arguments: Any, arrays: Any, axes: Any, n: int, names: Any) -> _Trace:
        """Record the model, and write what it did."""
        given, _ = resized(arguments, arrays, axes, n)
        tape = Tape()
        _name_of_all(model)
        try:
            program, numbers = recorded(tape, model, given, {})
        finally:
            for action in reversed(tape.undo):
                action()
        if not program.outputs:
            raise CannotWriteError(
                f"the model returned {program.result!r:.60}, and no tensor, which is what a file gives"
            )
        places = {
            id(x): where for x, where in ((reference(), where) for reference, where in tape.results) if x is not None
        }
        _refuse_changes(program)
        graph = Graph()
        values: dict[Tensor, Any] = {}
        inputs, paths = [], _Paths()
        for leaf in program.arguments:
            inputs.append(graph.input(leaf.name or "x", leaf.ndarray))
            values[leaf] = inputs[-1]
        parameters: dict[str, Any] = {}
        graph.reserved.update(x.name for x in program.state if x.name)
        wanted = _output_names(program, names, {*graph.names, *graph.reserved})
        graph.names.update(wanted)

        def value(x: Tensor) -> Any:
            if x in values:
                return values[x]
            if type(x) is not Tensor and x.name:  # a parameter or a buffer
                values[x] = made = graph.initializer(x.name, x.ndarray)
                parameters[made.name] = x
            else:
                values[x] = x.ndarray
            return values[x]

        for i, event in enumerate(program.events):
            if isinstance(event, Compute):
                node = event.node
                graph.place, graph.scope = i, paths.of(node)
                given = [value(y) for y in event.inputs]
                try:
                    found = compute(node.op, given, node.settings)
                except Exception as error:
                    raise _refusal(_said(node, places), given, error) from error
                values[node] = Results(found) if isinstance(found, tuple | list) else found
        graph.place, graph.scope = len(program.events), ""
        outputs = []
        for name, y in zip(wanted, [value(y) for y in program.outputs], strict=True):
            graph.nodes.append(Node("Identity", [part(y)], [name], {}, graph.place))
            outputs.append(Written(graph, name, np.shape(y), y.dtype))
        return cls(graph, inputs, outputs, program, places, numbers, parameters)

    def said_of(self, name: str) -> str:
        """What recorded the node of this name, and where."""
        node = self.graph.makers.get(name)
        return self.said(node.place) if node is not None else ""

    def said(self, place: int) -> str:
        """What an event is, and where it was recorded."""
        event = self.program.events[place] if 0 <= place < len(self.program.events) else None
        return _said(event.node, self.places) if isinstance(event, Compute) else ""


def _name_of_all(model: Any) -> None:
    """Have parameters and buffers called by their paths."""
    if isinstance(model, Module):
        list(model.named_parameters())
        list(model.named_buffers())


class _Paths:
    """The paths of the layers in which nodes were recorded; those of a model are listed once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, dict[int, str]]] = {}

    def of(self, node: Tensor) -> str:
        """The path of the layer that a node was recorded in; '' for none."""
        scope = outermost = node.scope
        if scope is None or scope.module is None:
            return ""
        while outermost.parent is not None:
            outermost = outermost.parent
        root = outermost.module
        if id(root) not in self._known:
            self._known[id(root)] = root, {id(module): path for path, module in root.named_modules()}
        return self._known[id(root)][1].get(id(scope.module), "")


def _said(node: Tensor, places: Mapping[int, str]) -> str:
    """What an op is called in an error: its name, its layer, its line."""
    layer = f" in {node.scope!r}" if node.scope is not None else ""
    return f"{node.op.name}{layer}, recorded at {places.get(id(node), 'a line that is not known')}"


def _refusal(line: str, given: Sequence[Any], error: Exception) -> CannotWriteError:
    """The error for an op that cannot be written."""
    shapes = ", ".join("several results" if isinstance(x, tuple) else str(np.shape(x)) for x in given)
    reason = str(error) if isinstance(error, CannotWriteError) else f"{type(error).__name__}: {error}"
    return CannotWriteError(
        f"{line}, of {shapes}, has no counterpart in ONNX: {reason}; compute it outside the model, or of other ops"
    )


def _refuse_changes(program: Program) -> None:
    """Raise TypeError for what a file cannot do: draw numbers, and write."""
    if program.feeds:
        leaf = program.feeds[0].leaf
        raise CannotWriteError(
            f"the model sets {leaf.describe()} anew in each run, which a file cannot do; call model.eval() before it is "
            "exported, so that it draws nothing at random, and use no optimizer in it"
        )
    writes = [e.target for e in program.events if isinstance(e, Write)]
    if writes:
        raise CannotWriteError(
            f"the model writes into {writes[0].describe()}, which a file cannot do; call model.eval() before it is exported, so "
            "that running averages stay, and compute new tensors, by np.where or tg.index_update, instead of writing"
        )


# ---------------------------------------------------------------------------------------------------
# The file


def _file(traces: Sequence[_Trace], axes: Sequence[int | None], sizes: tuple[int, ...]) -> Any:
    """The model of the package onnx."""
    first = traces[0]
    merged = Merged(sizes, taken={*first.graph.names, *first.graph.reserved})
    merged.source = next(((x.name, a) for x, a in zip(first.inputs, axes, strict=True) if a is not None), None)
    outputs = [y.name for y in first.outputs]
    try:
        merged.merge([used(trace.graph.nodes, outputs) for trace in traces])
    except CannotWriteError as error:
        line = first.said(error.place)
        said = f"{line} depends on the size of the batch, which is to be free: " if line else ""
        raise CannotWriteError(f"{said}{error}; or fix the size, by batch=None") from None
    held = {**first.graph.initializers, **merged.constants}
    shapes = {**first.graph.shapes, **{name: a.shape for name, a in held.items()}}
    nodes = both_ways(batch_norms(merged.nodes, held, shapes), first.graph.named)
    nodes = _without_copies(nodes, set(outputs))
    nodes = used(in_order(nodes, {*held, *[x.name for x in first.inputs]}), outputs)
    read = {name for node in nodes for name in node.inputs}
    shown = [lengths(versions, sizes) for versions in zip(*[trace.outputs for trace in traces], strict=True)]
    return _proto(first, nodes, {name: a for name, a in held.items() if name in read}, axes, shown)


def _without_copies(nodes: Sequence[Node], outputs: set[str]) -> list[Node]:
    """The nodes, without those that give an output another name, where the node before can give it itself."""
    uses: dict[str, int] = {}
    for node in nodes:
        for name in node.inputs:
            uses[name] = uses.get(name, 0) + 1
    makers = {name: node for node in nodes for name in node.outputs}
    found = []
    for node in nodes:
        source = makers.get(node.inputs[0]) if node.kind == "Identity" else None
        if (
            source is not None
            and uses[node.inputs[0]] == 1
            and node.outputs[0] in outputs
            and node.inputs[0] not in outputs
        ):
            source.outputs[:] = [node.outputs[0] if name == node.inputs[0] else name for name in source.outputs]
        else:
            found.append(node)
    return found


def _output_names(program: Program, names: Any, taken: set[str]) -> list[str]:
    """What the outputs are called: as is asked for, as the model's result names them, or y0, y1 and so on."""
    n, result = len(program.outputs), program.result
    if names is not None:
        given = [names] if isinstance(names, str) else list(names)
        if len(given) != n or len(set(given)) != n or taken.intersection(given):
            raise ValueError(
                f"the model has {n} outputs, to be called unlike its inputs and parameters, but names= has {given}"
            )
        return given
    if isinstance(result, dict) and all(x is PLACE for x in result.values()):
        found = list(map(str, result))
    elif hasattr(result, "_fields") and all(x is PLACE for x in result):
        found = list(result._fields)
    else:
        found = ["y"] if n == 1 else [f"y{i}" for i in range(n)]
    return [f"{name}_out" if name in taken else name for name in found]


def _proto(trace: _Trace, nodes: Sequence[Node], arrays: Mapping[str, Any], axes: Any, shown: Any) -> Any:
    package = onnx_package()
    helper, kind = package.helper, package.helper.np_dtype_to_tensor_dtype

    def info(x: Written, dims: Sequence[Any]) -> Any:
        return helper.make_tensor_value_info(x.name, kind(x.dtype), dims)

    def attributes(node: Node) -> dict[str, Any]:
        return {key: kind(x) if isinstance(x, np.dtype) else x for key, x in node.attributes.items()}

    made = [
        helper.make_node(node.kind, node.inputs, node.outputs, name=node.name or node.outputs[0], **attributes(node))
        for node in nodes
    ]
    inputs = [
        info(x, [BATCH if i == axis else n for i, n in enumerate(x.shape)])
        for x, axis in zip(trace.inputs, axes, strict=True)
    ]
    outputs = [info(y, dims) for y, dims in zip(trace.outputs, shown, strict=True)]
    stored = [package.numpy_helper.from_array(np.array(a, order="C"), name) for name, a in arrays.items()]
    graph = helper.make_graph(made, "tinygrad_edu", inputs, outputs, stored)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9, producer_name="tinygrad_edu"
    )
    learnt = {name: bool(x.needs_grad) for name, x in trace.parameters.items() if isinstance(x, Parameter)}
    buffers = [name for name, x in trace.parameters.items() if not isinstance(x, Parameter)]
    helper.set_model_props(model, {"tinygrad_edu": json.dumps({"parameters": learnt, "buffers": buffers})})
    return model


def _serialized(model: Any) -> bytes:
    """The bytes of the file, checked."""
    package = onnx_package()
    try:
        content: bytes = model.SerializeToString()
        package.checker.check_model(content, full_check=True)
    except ValueError as error:
        raise ValueError(
            f"the file cannot be put together: {error}; files of more than 2 GB are beyond ONNX, without further files beside it"
        ) from error
    return content

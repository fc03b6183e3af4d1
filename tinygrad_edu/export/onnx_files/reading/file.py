"""load_onnx: a network from an ONNX file, as a module of the package's own ops."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_edu.engine.recording import quietly
from tinygrad_edu.export.onnx_files.packages import onnx_package
from tinygrad_edu.export.onnx_files.reading import arrays, networks, reductions  # noqa: F401 (its operators)
from tinygrad_edu.export.onnx_files.reading.operators import OPERATORS, Late, misfit
from tinygrad_edu.nn.module import METHODS, Module
from tinygrad_edu.nn.parameter import Buffer, Parameter
from tinygrad_edu.ops.types import array
from tinygrad_edu.train.files import StrPath

OLDEST, NEWEST = 13, 23
"""The versions of ONNX's operators that are read."""

_AVERAGES = {"BatchNormalization": (3, 4)}
"""Inputs that are averages, and not learnt."""

_SETTINGS = {"Resize": (1, 2, 3), "Pad": (1, 2, 3), "Clip": (1, 2), "Dropout": (1, 2), "Range": (0, 1, 2)}
"""Inputs that say how something is computed, and are not learnt either."""


@dataclass(frozen=True)
class Step:
    """One node: the operator, the names of what it reads and makes, its attributes."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    done: tuple[str, ...] = ()
    """What nothing reads any more afterwards."""


@dataclass(frozen=True)
class Argument:
    """An input of the file: its name, type and axes, of which those of no fixed length are None."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]


class OnnxModel(Module):
    """A network that was read from an ONNX file: `load_onnx` makes it.

    It is called with the file's inputs, in their order, and returns its output, or a tuple of them. Its parameters are
    those of the file, by their names there, and may be trained further.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        arguments: Sequence[Argument],
        outputs: Sequence[str],
        values: dict[str, Any],
        said: str,
    ) -> None:
        for name, value in values.items():
            if isinstance(value, Parameter | Buffer):
                first, dot, rest = name.partition(".")
                first = f"{first}_" if first in METHODS or first.startswith("_") or first == "training" else first
                if dot:
                    vars(self).setdefault(first, {})[rest] = value
                else:
                    vars(self)[first] = value
        self._steps, self._arguments, self._outputs = tuple(steps), tuple(arguments), tuple(outputs)
        self._values, self._said = dict(values), said

    def forward(self, *inputs: Any) -> Any:
        """The outputs of the file, for these inputs."""
        if len(inputs) != len(self._arguments):
            names = ", ".join(argument.name for argument in self._arguments)
            count = f"{len(self._arguments)} input{'s' if len(self._arguments) != 1 else ''}"
            raise TypeError(f"{self._said} takes {count}, {names}, but got {len(inputs)}")
        values = dict(self._values)
        for argument, x in zip(self._arguments, inputs, strict=True):
            values[argument.name] = _checked(self._said, argument, array(x))
        return quietly(self._computed_from, values)  # a formula may divide by 0 where another part of it is taken

    def _computed_from(self, values: dict[str, Any]) -> Any:
        for step in self._steps:
            given = [values[name] if name else None for name in step.inputs]
            given = [x.compute() if isinstance(x, Late) else x for x in given]
            made = OPERATORS[step.kind](*given, **step.attributes)
            made = made if isinstance(made, tuple) else (made,)
            values.update({name: y for name, y in zip(step.outputs, made, strict=False) if name})
            for name in step.done:
                del values[name]
        found = tuple([x.compute() if isinstance(x, Late) else x for x in [values[name] for name in self._outputs]])
        return found[0] if len(found) == 1 else found

    def extra_repr(self) -> str:
        """The file's inputs and outputs."""
        shown = [
            f"{a.name}: {a.dtype} ({', '.join('?' if n is None else str(n) for n in a.shape)})" for a in self._arguments
        ]
        return f"{self._said}: {', '.join(shown)} → {', '.join(self._outputs)}, {len(self._steps)} nodes"


def _checked(said: str, argument: Argument, x: Any) -> Any:
    """An input, if it fits."""
    fits = len(x.shape) == len(argument.shape) and all(
        n is None or n == m for n, m in zip(argument.shape, x.shape, strict=True)
    )
    if not fits or (argument.dtype.kind == "f") != (x.dtype.kind == "f"):
        shape = ", ".join("any" if n is None else str(n) for n in argument.shape)
        raise ValueError(f"{said} takes {argument.name} of {argument.dtype} ({shape}), but got {x.dtype} {x.shape}")
    return x


def load_onnx(path: StrPath) -> OnnxModel:
    """Read an ONNX file, and return its network as a module of the package's own ops.

    Files of `tg.export.onnx` are read, and those of PyTorch's exporter: operators of version 13 to 23, for inference. Floating
    initializers become parameters, by their names in the file; running averages become buffers. Of a file that was written
    here, what was frozen is frozen again. Nothing in a file is executed, or unpickled.

    path: where the file is. Large ones have another file beside them, with their numbers.

    Raises ImportError without the package onnx, FileNotFoundError for a file that is not there or has lost the one beside it,
    and ValueError, naming what, for a damaged file, one of a newer version, and operators that are not read.

    >>> import tempfile, numpy as np, tinygrad_edu as tg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     layer = tg.nn.Linear(3, 2)
    ...     model = load_onnx(tg.export.onnx(layer, np.ones((1, 3), np.float32), f"{folder}/layer.onnx"))
    >>> [name for name, _ in model.named_parameters()], model(np.ones((4, 3), np.float32)).shape
    (['weight', 'bias'], (4, 2))
    """
    package = onnx_package()
    name = os.path.basename(os.fspath(path))
    proto = _parsed(package, path, name)
    _refuse_versions(proto, name)
    graph = proto.graph
    values, sparse = _initializers(package, graph, path, name), len(graph.sparse_initializer)
    if sparse:
        raise ValueError(f"{name} has {sparse} sparse initializers, which load_onnx() does not read; write dense ones")
    steps = _steps(package, graph, name)
    arguments = [_argument(package, x, name) for x in graph.input if x.name not in values]
    outputs = [y.name for y in graph.output]
    known = {*values, *[a.name for a in arguments]}
    for step in steps:
        missing = [x for x in step.inputs if x and x not in known]
        if missing:
            raise ValueError(
                f"{name} is damaged: its node {step.kind} reads {missing[0]!r}, which nothing makes before it"
            )
        known.update(step.outputs)
    if not known.issuperset(outputs):
        raise ValueError(f"{name} is damaged: nothing makes its output {next(y for y in outputs if y not in known)!r}")
    return OnnxModel(_freeing(steps, values, outputs), arguments, outputs, _with_roles(proto, steps, values), name)


def _parsed(package: Any, path: StrPath, name: str) -> Any:
    """The file's content, without what lies beside it."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {os.fspath(path)}")
    try:
        proto = package.load(os.fspath(path), load_external_data=False)
        package.checker.check_model(os.fspath(path))
    except Exception as error:  # of several libraries, without a common base
        lost = _lost(package, path, locals().get("proto"))
        if lost is not None:
            raise FileNotFoundError(
                f"{name} keeps its numbers in {lost}, which is not beside it; put that file into the same folder"
            ) from error
        proto = locals().get("proto")
        known = None if proto is None else _newer(proto, name) or _unread(proto.graph, name)
        raise known or ValueError(f"{name} is no whole ONNX file: {str(error).splitlines()[0]:.300}") from error
    return proto


def _lost(package: Any, path: StrPath, proto: Any) -> str | None:
    """The name of a file that should lie beside this one, and does not."""
    for tensor in proto.graph.initializer if proto is not None else ():
        for entry in tensor.external_data:
            if entry.key == "location" and not (Path(path).parent / entry.value).is_file():
                return str(entry.value)
    return None


def _newer(proto: Any, name: str) -> ValueError | None:
    """The error for a file of a newer version, or None."""
    latest = onnx_package().IR_VERSION
    if proto.ir_version > latest:
        return ValueError(
            f"{name} has the format (IR) {proto.ir_version}, newer than that of the package onnx, {latest}; "
            f"install a newer one, pip install --upgrade onnx, or write the file anew with ir_version={latest}"
        )
    for opset in proto.opset_import:
        if opset.domain in ("", "ai.onnx") and not OLDEST <= opset.version <= NEWEST:
            way = "newer" if opset.version > NEWEST else "older"
            return ValueError(
                f"{name} has operators of version (opset) {opset.version}, {way} than load_onnx() reads, which is {OLDEST} to {NEWEST}; "
                f"write it anew with opset_version={NEWEST}, or convert it by onnx.version_converter"
            )
    return None


def _refuse_versions(proto: Any, name: str) -> None:
    newer = _newer(proto, name)
    if newer is not None:
        raise newer


def _initializers(package: Any, graph: Any, path: StrPath, name: str) -> dict[str, Any]:
    """The arrays of the file, also those that lie beside it."""
    folder = str(Path(path).parent)
    found = {}
    for tensor in graph.initializer:
        try:
            found[tensor.name] = np.array(package.numpy_helper.to_array(tensor, folder))
        except Exception as error:
            raise ValueError(f"{name} is damaged: its initializer {tensor.name!r} cannot be read: {error}") from error
        if found[tensor.name].dtype.kind not in "biuf":
            raise ValueError(f"{name}'s initializer {tensor.name!r} is {found[tensor.name].dtype}, which no tensor is")
    return found


def _unread(graph: Any, name: str) -> ValueError | None:
    """The error for operators that are not read, or None."""
    unknown = [
        f"{n.domain}.{n.op_type}".lstrip(".")
        for n in graph.node
        if n.domain not in ("", "ai.onnx") or n.op_type not in OPERATORS
    ]
    if not unknown:
        return None
    return ValueError(
        f"{name} has operators that load_onnx() does not read: {', '.join(dict.fromkeys(unknown))}; run the file with onnxruntime, or "
        "export the model without them"
    )


def _steps(package: Any, graph: Any, name: str) -> list[Step]:
    """The nodes, all of kinds that are read."""
    unread = _unread(graph, name)
    if unread is not None:
        raise unread
    found = []
    for node in graph.node:
        attributes = {
            a.name: _attribute(package, a, f"{name}'s node {node.name or node.op_type}") for a in node.attribute
        }
        if node.op_type == "Split" and len(node.input) < 2:  # into as many parts as there are results
            attributes["num_outputs"] = len(node.output)
        wrong = misfit(node.op_type, len(node.input), attributes)
        if wrong is not None:
            raise ValueError(
                f"{name}'s node {node.name or node.output[0]!r} is {wrong}, which load_onnx() does not read"
            )
        found.append(Step(node.op_type, tuple(node.input), tuple(node.output), attributes))
    return found


def _attribute(package: Any, attribute: Any, said: str) -> Any:
    """An attribute as a plain value, an array, or a type."""
    value = package.helper.get_attribute_value(attribute)
    kind = package.AttributeProto
    if attribute.type == kind.STRING:
        return value.decode()
    if attribute.type == kind.STRINGS:
        return [part.decode() for part in value]
    if attribute.type == kind.TENSOR:
        return np.array(package.numpy_helper.to_array(value))
    if attribute.type in (kind.FLOAT, kind.FLOATS, kind.INTS):
        return value if attribute.type == kind.FLOAT else list(value)
    if attribute.type == kind.INT:
        return _type(package, value, said) if attribute.name == "to" else value
    raise ValueError(
        f"{said} has an attribute {attribute.name} of a kind that load_onnx() does not read, such as a graph of its own"
    )


def _type(package: Any, number: int, said: str) -> np.dtype[Any]:
    dtype = np.dtype(package.helper.tensor_dtype_to_np_dtype(number))
    if dtype.kind not in "biuf" or dtype.itemsize > 8 or dtype.name not in np.sctypeDict:
        raise ValueError(f"{said} is of {dtype.name}, which no tensor is here")
    return dtype


def _argument(package: Any, x: Any, name: str) -> Argument:
    """An input of the file."""
    tensor = x.type.tensor_type
    if not x.type.HasField("tensor_type"):
        raise ValueError(f"{name}'s input {x.name} is no tensor, which load_onnx() does not read")
    shape = tuple([d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim])
    return Argument(x.name, _type(package, tensor.elem_type, f"{name}'s input {x.name}"), shape)


def _freeing(steps: Sequence[Step], values: dict[str, Any], outputs: Sequence[str]) -> list[Step]:
    """The steps, each with what is read by none after it."""
    kept = {*values, *outputs}
    found = []
    for step in reversed(steps):
        names = dict.fromkeys([x for x in (*step.inputs, *step.outputs) if x and x not in kept])
        kept.update(names)
        found.append(Step(step.kind, step.inputs, step.outputs, step.attributes, tuple(names)))
    return found[::-1]


def _with_roles(proto: Any, steps: Sequence[Step], values: dict[str, Any]) -> dict[str, Any]:
    """The initializers as parameters, buffers and constants."""
    said = next((p.value for p in proto.metadata_props if p.key == "tinygrad_edu"), None)
    try:
        roles = json.loads(said) if said is not None else None
        learnt, buffers = (roles["parameters"], set(roles["buffers"])) if roles is not None else (None, set())
    except (ValueError, KeyError, TypeError):
        learnt, buffers = None, set()
    settings: set[str] = set()
    for step in steps:
        buffers.update(step.inputs[i] for i in _AVERAGES.get(step.kind, ()))
        settings.update(step.inputs[i] for i in _SETTINGS.get(step.kind, ()) if i < len(step.inputs))
    found: dict[str, Any] = {}
    for name, a in values.items():
        if name in buffers:
            found[name] = Buffer(a, name=name)
        elif a.dtype.kind == "f" and (a.ndim > 0 and name not in settings if learnt is None else name in learnt):
            found[name] = Parameter(a, requires_grad=True if learnt is None else bool(learnt[name]), name=name)
        else:
            found[name] = a
    return found

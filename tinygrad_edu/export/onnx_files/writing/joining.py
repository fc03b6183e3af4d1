"""What several nodes say together, said by one, for which runtimes have a faster way: batch norms, and layers in both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tinygrad_edu.export.onnx_files.writing.written import Node

LAYERS = ("LSTM", "GRU", "RNN")


def both_ways(nodes: Sequence[Node], named: Callable[[str], str]) -> list[Node]:
    """The nodes, with the two directions of a recurrent layer as one node.

    named: gives a name that is not used yet.
    """
    found = list(nodes)
    for node in nodes:
        if node.kind not in LAYERS or node.attributes["direction"] != "forward":
            continue
        turned = [
            other
            for other in found
            if other.kind == node.kind and other.attributes["direction"] == "reverse" and other.inputs[0] == node.inputs[0]
            and {**other.attributes, "direction": ""} == {**node.attributes, "direction": ""}
        ]  # fmt: skip
        if len(turned) != 1:
            continue
        other = turned[0]
        attributes = {**node.attributes, "direction": "bidirectional"}
        if "activations" in attributes:
            attributes["activations"] = attributes["activations"] * 2
        at = found.index(node)
        parts: list[Node] = []
        inputs = [node.inputs[0]]
        for a, b in zip(node.inputs[1:], other.inputs[1:], strict=True):
            inputs.append(named("concat") if a else "")
            if a:
                parts.append(Node("Concat", [a, b], [inputs[-1]], {"axis": 0}, node.place))
        outputs = [named(node.kind) for _ in node.outputs]
        parts.append(Node(node.kind, inputs, outputs, attributes, node.place))
        for axis, name, a, b in zip((1, 0, 0), outputs, node.outputs, other.outputs, strict=False):
            parts.append(Node("Split", [name], [a, b], {"axis": axis, "num_outputs": 2}, node.place))
        found[at : at + 1] = parts
        found.remove(other)
    return found


def batch_norms(nodes: Sequence[Node], arrays: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> list[Node]:
    """The nodes, with (x − m)·(w / √(v + ε)) + b as one, where m, v, w and b have a number for each channel.

    arrays: the numbers that the file holds, to which rows are added that had a shape to broadcast. shapes: those of the values
    of the graph, and of these arrays.
    """
    makers = {name: node for node in nodes for name in node.outputs}
    return [_batch_norm(node, makers, arrays, shapes) or node for node in nodes]


def _batch_norm(node: Node, makers: Mapping[str, Node], arrays: dict[str, Any], shapes: dict[str, Any]) -> Node | None:
    """The batch norm that a node ends, or None."""

    def made(name: str, kind: str) -> list[str] | None:
        maker = makers.get(name)
        return maker.inputs if maker is not None and maker.kind == kind else None

    def vector(name: str, ndim: int) -> str:
        """Return the name of the vector, a number a channel, that was reshaped to broadcast and is called `name` since."""
        if ndim > 2 and name in arrays and arrays[name].shape[1:] == (1,) * (ndim - 2):
            row = f"{name}_row"
            arrays[row] = arrays[name].reshape(-1)
            shapes[row] = arrays[row].shape
            return row
        laid = made(name, "Reshape") if ndim > 2 else None
        beside = laid is not None and laid[1] in arrays and arrays[laid[1]].tolist()[1:] == [1] * (ndim - 2)
        return laid[0] if laid is not None and beside else name

    product = made(node.inputs[0], "Mul") if node.kind == "Add" else None
    apart = made(product[0], "Sub") if product is not None else None
    if product is None or apart is None or len(shapes.get(apart[0], ())) < 2:
        return None
    ndim, channels = len(shapes[apart[0]]), shapes[apart[0]][1]
    mean, scale, bias = [vector(name, ndim) for name in (apart[1], product[1], node.inputs[1])]
    quotient = made(scale, "Div")
    root = made(quotient[1], "Sqrt") if quotient is not None else None
    total = made(root[0], "Add") if root is not None else None
    if quotient is None or total is None or total[1] not in arrays or arrays[total[1]].size != 1:
        return None
    inputs = [apart[0], quotient[0], bias, mean, total[0]]
    if any(shapes.get(name) != (channels,) for name in inputs[1:]):
        return None
    epsilon = {"epsilon": float(arrays[total[1]])}
    return Node("BatchNormalization", inputs, node.outputs, epsilon, node.place, node.name)

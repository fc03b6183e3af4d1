"""summary: a table of a model's layers, with the shapes of their outputs, their parameters and their multiply-adds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.creation import get_default_dtype
from tinygrad_edu.engine.graph import topological
from tinygrad_edu.engine.recording import SCOPE, tracing
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn.lists import Held
from tinygrad_edu.nn.module import Module, members
from tinygrad_edu.nn.parameter import Parameter

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import DType

Shape = tuple[int, ...]


@dataclass
class Row:
    """One call of a module.

    path: the module's name in the model, '' for the model itself.
    kind: the name of its class.
    depth: how many calls it was made inside of.
    shapes: those of its outputs.
    parameters: how many numbers the module holds as parameters itself, without those of modules inside it; 0 when it is
        called again.
    multiply_adds, nbytes: those of the operations that the module recorded itself.
    """

    path: str
    kind: str
    depth: int
    shapes: list[Shape] = field(default_factory=list)
    parameters: int = 0
    multiply_adds: int = 0
    nbytes: int = 0


@dataclass(frozen=True)
class Summary:
    """What `summary` returns: its rows in the order of the calls, and the totals. Printed, it is a table.

    rows: one for each call of a module.
    parameters, trainable: how many numbers the parameters have, and how many of these are not frozen.
    parameter_bytes: how much memory parameters and buffers take.
    """

    rows: list[Row]
    parameters: int
    trainable: int
    parameter_bytes: int

    @property
    def multiply_adds(self) -> int:
        """The multiply-adds of the whole call."""
        return sum([row.multiply_adds for row in self.rows])

    @property
    def nbytes(self) -> int:
        """How many bytes the results of all operations take, which training keeps for going back."""
        return sum([row.nbytes for row in self.rows])

    def __str__(self) -> str:
        head = ["layer", "output", "parameters", "multiply-adds", "bytes"]
        lines = [head, *[_cells(row) for row in self.rows]]
        lines.append(["total", "", f"{self.parameters:,}", f"{self.multiply_adds:,}", f"{self.nbytes:,}"])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [
            "  ".join(
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        rule = "─" * max(map(len, table))
        frozen = self.parameters - self.trainable
        said = f"{frozen:,} of the parameters are frozen; " if frozen else ""
        return "\n".join(
            [table[0], rule, *table[1:-1], rule, table[-1], f"{said}the state takes {self.parameter_bytes:,} bytes"]
        )

    __repr__ = __str__


def _cells(row: Row) -> list[str]:
    name = row.path.rpartition(".")[2]
    shapes = ", ".join(map(str, row.shapes))
    numbers = [f"{n:,}" if n else "" for n in (row.parameters, row.multiply_adds, row.nbytes)]
    return ["  " * row.depth + (f"{name}: {row.kind}" if name else row.kind), shapes, *numbers]


def summary(model: Module, *input_shapes: Shape, dtype: DType = None) -> Summary:
    """Show the layers of a model as a table: the shapes of their outputs, parameters, multiply-adds and bytes of
    results.

    model: a module. It is called once, in evaluation mode, and what it recorded is counted.
    input_shapes: the shapes of its inputs, with the axis of the batch: `summary(model, (1, 784))`.
    dtype: the type of the inputs, which are zeros; by default that of the model's parameters. Give `dtype=int` for a
        model of word numbers.

    A multiply-add is a product that a matrix product or a convolution adds to a sum. To count them, each of these is
    run
    once more on ones: each number of its result is then the number of products in its sum. The bytes are those of all
    results on the way, which training keeps for going back.

    Raises TypeError for what is no module, and for shapes that are none.

    >>> from tinygrad_edu import nn
    >>> summary(nn.Sequential(nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, 10)), (1, 784))
    layer        output   parameters  multiply-adds  bytes
    ──────────────────────────────────────────────────────
    Sequential   (1, 10)
      0: Linear  (1, 50)      39,250         39,200    400
      1: ReLU    (1, 50)                               200
      2: Linear  (1, 10)         510            500     80
    ──────────────────────────────────────────────────────
    total                     39,760         39,700    680
    the state takes 159,040 bytes
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary() takes a module, but got {type(model).__name__} {model!r:.60}")
    for shape in input_shapes:
        if not isinstance(shape, tuple | list) or not all(isinstance(n, int | np.integer) for n in shape):
            raise TypeError(f"summary() takes the shape of each input, as (1, 784), but got {shape!r:.60}")
    if dtype is None:
        dtype = next((p.dtype for p in model.parameters() if p.dtype.kind == "f"), get_default_dtype())
    watched = _Calls(model)
    result = watched.run([Tensor(np.zeros(shape, dtype)) for shape in input_shapes])
    _count(list(_tensors(result)), watched.by_scope)
    tensors = [*model.parameters(), *model.buffers()]
    learnt = [p.size for p in model.parameters() if p.requires_grad]
    return Summary(
        watched.rows,
        sum([p.size for p in model.parameters()]),
        sum(learnt),
        sum([x.nbytes for x in tensors]),
    )


class _Calls:
    """Notes a row for each call of a model's modules, by hooks."""

    def __init__(self, model: Module) -> None:
        self.rows: list[Row] = []
        self.by_scope: dict[Any, Row] = {}
        self._model = model
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._open: list[Row] = []
        self._counted: set[int] = set()

    def run(self, inputs: list[Tensor]) -> Any:
        """Call the model and note its calls; afterwards take the hooks off, and put the modes back."""
        modules = list(self._model.modules())
        modes = [module.training for module in modules]
        handles = [module.register_forward_pre_hook(self._begin) for module in modules]
        handles += [module.register_forward_hook(self._end) for module in modules]
        try:
            self._model.eval()
            return tracing().run(self._model, *inputs)
        finally:
            for handle in handles:
                handle.remove()
            for module, mode in zip(modules, modes, strict=True):
                module.training = mode

    def _begin(self, module: Any, args: tuple[Any, ...]) -> None:
        row = Row(self._paths.get(id(module), ""), type(module).__name__, len(self._open))
        for p in _own(module):
            if id(p) not in self._counted:
                self._counted.add(id(p))
                row.parameters += p.size
        self.rows.append(row)
        self._open.append(row)
        self.by_scope[SCOPE.get()] = row

    def _end(self, module: Any, args: tuple[Any, ...], y: Any) -> None:
        self._open.pop().shapes = [t.shape for t in _tensors(y)]


def _own(module: Module) -> Iterator[Parameter]:
    """The parameters that a module holds itself, also in lists, but not those of modules that are called."""
    for _, member in members(module, deep=False):
        if isinstance(member, Parameter):
            yield member
        elif isinstance(member, Held):
            yield from _own(member)


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in a result, which may be nested in dicts, lists and tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)


# ---------------------------------------------------------------------------------------------------
# What is counted in the record


def _count(results: list[Tensor], rows: dict[Any, Row]) -> None:
    """Add what each operation took to the row of the call that it was recorded in."""
    for node in topological(results, through_constants=True) if results else ():
        row = rows.get(node.scope)
        if row is None or node.op is None or node.op.selects:
            continue
        for part in node.ndarray if isinstance(node.ndarray, tuple) else (node.ndarray,):
            if not (node.op.view and np.may_share_memory(part, node.inputs[0].ndarray)):
                row.nbytes += part.nbytes
        row.multiply_adds += _products(node)


def _products(node: Any) -> int:
    """How many products an operation adds to its sums: 0 unless it is linear in each of its inputs, as a matrix product
    is, or a recurrent layer.
    """
    if node.op.name in (
        "rnn",
        "lstm",
        "gru",
    ):  # those of the state, at each step; those of the input are counted as a matrix product
        return int(node.inputs[0].size * node.inputs[1].shape[1])
    if node.op.name == "projected_lstm":  # h·W for four gates, and the projection to h
        return int(node.inputs[0].size * node.inputs[1].shape[1]) * 5 // 4
    adds_up = node.op.presence == "product" or node.op.name in ("conv", "conv_transpose")
    if not adds_up:
        return 0
    ones = [np.ones(x.shape) if x.dtype.kind == "f" else x.ndarray for x in node.inputs]
    return round(float(np.sum(node.op.compute(ones, node.settings))))

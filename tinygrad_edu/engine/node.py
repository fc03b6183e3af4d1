"""A node: a result, and how it was computed.

Every operation on tensors leaves one. `Tensor` is the one class of nodes; what of it the readings of a graph use is
declared here, so that they stand before it. A stand-in that has these members is read in the same way: `formula` walks
symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol

import numpy as np

from tinygrad_edu.engine.registry import Cell

Array = Any  # a NumPy array, or one that speaks its protocols

NUMBERS = (np.generic, int, float, complex)
"""What computes as a number, and has no memory to be written into."""


class Operation(Protocol):
    """What a reading of the graph asks an op: `Op` says what each means."""

    name: str
    rules: Any
    outputs: int | None
    broadcasts: bool
    view: bool
    presence: Any
    drops: bool
    by_result: bool
    selects: bool
    folds: bool


class Node:
    """A result, and how it was computed: by `op`, from `inputs`, with `settings`. A leaf has no op."""

    __slots__ = (
        "__weakref__",
        "attached",
        "cell",
        "held_grad",
        "inputs",
        "made_at",
        "name",
        "ndarray",
        "needs_grad",
        "op",
        "scope",
        "settings",
    )

    ndarray: Any  # the array; a tuple of arrays for an op with several outputs
    op: Any  # the `Operation` that computed it; None for a leaf
    inputs: tuple[Any, ...]  # the nodes that it was computed from, in order; one twice if it was used twice
    settings: Mapping[str, Any]  # the op's options: axis=0
    needs_grad: bool  # whether a gradient is asked for, of it or of something that it was computed from
    made_at: int  # when it was computed, by the clock of all records; 0 for a leaf
    name: str | None  # what figures and errors call it
    scope: Any  # the call of a module in which it was computed
    held_grad: Any  # what `.grad` shows
    cell: Cell | None  # when its memory was last written: shared with its views, made when first needed
    attached: Any  # hooks and the like, made when first needed

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self.ndarray.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.ndarray.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.ndarray.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of each element."""
        return self.ndarray.dtype

    describe: Callable[[], str]  # how an error calls it
    has_shape: Callable[[], str]  # how an error says that its shape is not the one that was wanted
    made_by: Callable[[], str]  # the name of its op
    rule_value: Callable[[], Any]  # what a rule that is recorded sees as this node
    constant: Callable[[Any], Any]  # a leaf of other numbers
    alias: Callable[[], Any]  # a leaf in the same memory
    clone: Callable[[], Any]  # a copy, recorded
    attachments: Callable[[], Any]  # what is attached to it, made when first needed
    shared_cell: Callable[[], Cell]  # its cell, made when first needed


def array_of(x: Any) -> Any:
    """The array of a node; anything else as it is."""
    return x.ndarray if isinstance(x, Node) else x


class Results(tuple[Any, ...]):
    """The value of a node whose op has several outputs: it has no shape or dtype of its own."""

    __slots__ = ()
    shape = dtype = None

    @property
    def nbytes(self) -> int:
        """The bytes of all of them."""
        return sum([part.nbytes for part in self])


def as_arrays(given: Any, name: str) -> Any:
    """What the forward function of the op of this name gave, with NumPy's scalars as arrays of no dimension.

    Raises TypeError for what is no array.
    """
    if isinstance(given, tuple):
        return Results(given)
    if isinstance(given, NUMBERS):
        return np.asarray(given)
    if isinstance(given, Node):
        raise TypeError(
            f"the forward function of {name} computed a Tensor, from a setting that is one; vjp= has a rule for each input, "
            "and an argument without a rule is a setting"
        )
    if not hasattr(given, "dtype"):
        raise TypeError(
            f"the forward function of {name} returns an array, but got {type(given).__name__} {given!r:.60}"
        )
    return given


# ---------------------------------------------------------------------------------------------------
# Records that can no longer be read


class Freed(tuple[Any, ...]):
    """The inputs of a node whose record has been freed."""


FREED = Freed()


def check_intact(node: Node) -> None:
    """Raise RuntimeError if the node's record was freed, or if its value or an input's was written since."""
    if node.op is None:
        return
    if node.inputs is FREED:
        refuse_freed(node)
    made_at = node.made_at
    for x in (node, *node.inputs):
        cell = x.cell
        if cell is not None and cell.written > made_at:
            refuse_stale(x, node)


def refuse_freed(node: Node) -> NoReturn:
    """Raise RuntimeError for a node that a walk has let go of."""
    raise RuntimeError(
        f"the graph of {node.describe()} was freed by backward(retain_graph=False); "
        "compute it again, or leave out retain_graph=False the first time"
    )


def refuse_stale(x: Node, node: Node) -> NoReturn:
    """Raise RuntimeError for an input `x` of the node, or the node itself, that was written since."""
    verb = "made" if x is node else "used"
    while x.inputs and x.inputs[0].cell is x.cell:  # of a view, name what it is a view of
        x = x.inputs[0]
    name = x.name or "t"
    cure = f"or have a new tensor in place of a write: {name} = {name} + dt, not +="
    if not name.isidentifier():  # a weight, called by its place in a module
        cure = "or go backward and draw before the write, which may be optimizer.step()"
    raise RuntimeError(
        f"{x.describe()} was written after {node.made_by()} had {verb} it, so the recorded graph "
        f"no longer matches its values; compute the output again after writing, or write into a copy (x.clone()), {cure}"
    )

"""Writing: assignment, in-place operators, sorting in place, and the notes that they leave.

Numbers outside any graph are written, as NumPy writes them, and the write is noted in the cell of the memory, so that
graphs which used it are known to be stale. What a graph has recorded is never changed: it is refused, or, by an in-place
operator, replaced by a new tensor.
"""

from __future__ import annotations

import operator
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.attached import Attached
from tinygrad_edu.engine.methods import TensorMethods
from tinygrad_edu.engine.origins import Origin, has_origin
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.engine.recording import RECORDING, watched
from tinygrad_edu.engine.refusals import explained
from tinygrad_edu.engine.registry import Cell

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike, Index
    from tinygrad_edu.engine.tensor import Tensor


class TensorWriting(TensorMethods):
    """What writes into a tensor, or refuses to."""

    __slots__ = ()

    cell: Cell | None
    attached: Attached | None
    name: str | None
    attachments: Callable[[], Attached]
    is_recorded: Callable[[], bool]

    # -- assignment and sorting ---------------------------------------------------------------------

    def __setitem__(self, key: Index, value: ArrayLike) -> None:
        self._refuse_live("assigning into")
        if isinstance(value, TensorWriting) and (value.needs_grad or value.is_recorded()) and RECORDING.get().enabled:
            raise RuntimeError(
                f"assigning {value.describe()} into {self.describe()} would cut it from its graph; "
                "use tg.index_update(t, index, new), or assign .numpy()"
            )
        self.assign(key, value)

    @watched
    def assign(self, key: Any, value: Any) -> None:
        """Write into the elements at `key`, whatever that may change."""
        try:
            self.ndarray[numbers(key)] = _given(value)
        except Exception as error:
            raise explained(error, f"assigning into {self.describe()}, shape {self.ndarray.shape}: {error}") from None
        self.note_write(value, *(key if isinstance(key, tuple) else (key,)))

    def __delitem__(self, key: Index) -> None:
        raise TypeError("elements cannot be deleted out of a Tensor; write np.delete(t, index, axis)")

    def _reorder(self, function: Callable[..., Array], axis: int, **settings: object) -> None:
        """Write np.sort(self), or np.partition, into self, as the methods of arrays do; what is in a graph refuses."""
        axis = operator.index(axis)  # None would make one row of all
        if self.is_recorded() or (self.needs_grad and RECORDING.get().enabled):
            more = "".join(f", {key}" for key in settings if key == "kth")
            raise RuntimeError(
                f".{function.__name__}() writes in place, and {self.describe()} is part of a graph; "
                f"write y = np.{function.__name__}(t{more})"
            )
        self.reorder(function, axis, settings)

    @watched
    def reorder(self, function: Any, axis: int, settings: dict[str, Any]) -> None:
        """Write function(self, axis=axis, **settings), whatever that may change."""
        self.ndarray[...] = function(self.ndarray, axis=axis, **settings)
        self.note_write()

    # -- in-place operators ---------------------------------------------------------------------------

    @watched
    def in_place(self, ufunc: Any, other: Any) -> Any:
        """`self ∘= other`: numbers outside any graph are written, as NumPy writes them. Where the result is recorded, it is
        a new tensor for the name on the left; a leaf that requires a gradient is written under no_grad alone."""
        if self.rebinds(ufunc, other):
            self._refuse_part(ufunc)
            return ufunc(self, other)
        try:
            ufunc(self.ndarray, _given(other), out=self.ndarray, casting="same_kind")
        except Exception as error:
            raise self._explained_write(error, ufunc) from None
        self.note_write(other)
        return self

    def rebinds(self, ufunc: Any, other: Any) -> bool:
        """Whether `self ∘= other` makes a new tensor. Raises RuntimeError for a leaf that would change behind the graph's back."""
        if self.is_recorded():
            return True
        is_tensor = isinstance(other, TensorWriting)
        if not is_tensor and hasattr(other, "__apply_op__"):
            return True
        recording = RECORDING.get()
        if not recording.enabled:
            return False
        self._refuse_live(f"in-place {ufunc.__name__} on")
        return recording.everything or (is_tensor and (other.needs_grad or other.is_recorded()))

    def _refuse_part(self, ufunc: Any) -> None:
        """Raise where `self ∘= other` makes a new tensor, but is to write a part of another tensor, which shows the same memory."""
        whole: Any = self
        while whole.op is not None and whole.op.view and whole.cell is whole.inputs[0].cell is not None:
            whole = whole.inputs[0]
        # two references to a cell are this tensor's and that of counting; more are of tensors that share its memory
        if self.op is None and self.cell is not None and sys.getrefcount(self.cell) > 2:
            whole = self.ndarray if self.ndarray.base is None else self.ndarray.base
        if getattr(whole, "size", 0) > self.ndarray.size:  # a node of several results has no size
            raise RuntimeError(
                f"in-place {ufunc.__name__} on {self.describe()}, of shape {self.ndarray.shape}, a part of another tensor, is recorded, "
                "and so makes a new tensor, which would leave the other as it is; to change the other, write "
                "x = tg.index_update(x, index, x[index] + …), and to have a new tensor, t = t + …"
            )

    def _explained_write(self, error: Exception, ufunc: Any) -> Exception:
        """The error of writing in place, with the tensor it is about and what to write instead."""
        name = self.name or "t"
        cure = f"write {name} = {name} + … for a new tensor"
        if not self.ndarray.flags.writeable:
            cure = (
                "its array is read-only, as pandas and np.broadcast_to give it: "
                + cure
                + ", or make it of array.copy()"
            )
        elif isinstance(error, TypeError):
            cure += f", or make it of another type: {name}.astype(float)"
        message = f"in-place {ufunc.__name__} on {self.describe()}, {self.ndarray.dtype} of shape {self.ndarray.shape}: {str(error).rstrip()}; {cure}"
        if isinstance(error, TypeError):  # NumPy's own kinds of it take other arguments
            return TypeError(message)
        return explained(error, message)

    def __iadd__(self, other: ArrayLike) -> Tensor:
        return self.in_place(np.add, other)

    def __isub__(self, other: ArrayLike) -> Tensor:
        return self.in_place(np.subtract, other)

    def __imul__(self, other: ArrayLike) -> Tensor:
        return self.in_place(np.multiply, other)

    def __itruediv__(self, other: ArrayLike) -> Tensor:
        return self.in_place(np.true_divide, other)

    def __ifloordiv__(self, other: ArrayLike) -> Tensor:
        return self.in_place(np.floor_divide, other)

    def __imod__(self, other: ArrayLike) -> Tensor:
        return self.in_place(np.remainder, other)

    def __ipow__(self, other: ArrayLike) -> Tensor:  # type: ignore[misc, override]  # in place there is never a modulus
        return self.in_place(np.power, other)

    def __imatmul__(self, other: ArrayLike) -> Tensor:
        return self.in_place(np.matmul, other)

    def __iand__(self, other: ArrayLike) -> Tensor:
        return self.in_place(np.bitwise_and, other)

    def __ior__(self, other: ArrayLike) -> Tensor:
        return self.in_place(np.bitwise_or, other)

    def __ixor__(self, other: ArrayLike) -> Tensor:
        return self.in_place(np.bitwise_xor, other)

    def __ilshift__(self, other: ArrayLike) -> Tensor:
        return self.in_place(np.left_shift, other)

    def __irshift__(self, other: ArrayLike) -> Tensor:
        return self.in_place(np.right_shift, other)

    # -- what is noted and refused ------------------------------------------------------------------

    def shared_cell(self) -> Cell:
        """The cell that says when its memory was last written, made when first needed."""
        if self.cell is None:
            self.cell = Cell()
            node = None if self.attached is None or self.attached.origin is None else self.attached.origin.known()
            if node is not None:  # it stands for this tensor in records, and is written with it
                node.cell = self.cell
        return self.cell

    def note_write(self, *causes: object) -> None:
        """Stamp the storage: graphs that used it are stale from now on. If results without a derivative were among the
        `causes`, it holds what was computed from others, and cannot be computed again."""
        self.shared_cell().write()
        for x in causes:
            if isinstance(x, TensorWriting) and has_origin(x) and RECORDING.get().enabled:
                self.attachments().origin = Origin()
        writes = RECORDING.get().writes
        if writes is not None:
            writes.append(weakref.ref(self))

    @staticmethod
    def note_writes(tensors: Sequence[TensorWriting]) -> None:
        """Stamp the storage of each of these tensors, which were written with numbers alone."""
        Cell.write_all([x.cell or x.shared_cell() for x in tensors])
        writes = RECORDING.get().writes
        if writes is not None:
            writes.extend(map(weakref.ref, tensors))

    def _refuse_recorded(self, what: str) -> None:
        if self.is_recorded():
            raise RuntimeError(
                f"{what} {self.describe()} would change a recorded value; compute a new one with np.where(mask, new, t) or tg.index_update(t, index, new)"
            )

    def _refuse_live(self, what: str) -> None:
        self._refuse_recorded(what)
        if self.needs_grad and RECORDING.get().enabled:
            raise RuntimeError(
                f"{what} {self.describe()}, a leaf that requires a gradient, would change it behind the graph's back; "
                "write inside `with no_grad():`, or compute a new tensor (x = x + 1)"
            )


def _given(value: Any) -> Any:
    """The numbers to be written. NumPy's scalars are as weak as Python's; a list of tensors that are part of a graph raises."""
    if value.__class__ is np.ndarray or value.__class__ is int or value.__class__ is float:
        return value
    if isinstance(value, TensorWriting):
        return value.ndarray
    if isinstance(value, np.generic):
        return value.item()
    return np.asarray(value) if isinstance(value, list | tuple) and RECORDING.get().enabled else numbers(value)

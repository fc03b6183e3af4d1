"""Tensor: an array and how it was made.

A tensor is a node of the graph. `data` is its array; `op`, `inputs` and `settings` say how it was computed
(a leaf has none), and `grad` is where `backward()` leaves the derivative of a leaf.

NumPy's functions and operators work on it through the protocols of `protocols.py`.
"""

from __future__ import annotations

import dis
import inspect
import itertools
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy

from tinygrad_edu.engine import backward
from tinygrad_edu.engine.attached import Attached, RemovableHook
from tinygrad_edu.engine.elsewhere import Elsewhere, tells_elsewhere
from tinygrad_edu.engine.protocols import AT_ONCE, numbers, read_only
from tinygrad_edu.engine.recording import RECORDING, watched
from tinygrad_edu.engine.refusals import refuse_masked
from tinygrad_edu.engine.registry import ANSWERS, NO_SETTINGS, Cell, Edits, tick
from tinygrad_edu.engine.tables import NUMERIC, is_table, table, uneven
from tinygrad_edu.engine.writing import TensorWriting

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike, DType, Index, Number

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

_power = TensorWriting.__pow__

_STORE_SUBSCR = dis.opmap["STORE_SUBSCR"]  # the instruction of `array[i] = value`
_STORING = frozenset(
    ["fill", "fromiter", "setitem", "__setitem__", "append", "insert", "extend"]
)  # functions that do as it does: a.fill(t), np.fromiter(t, float), those of Python's arrays


def _stores(frame: Any) -> bool:
    """Whether the frame is about to store in an array: by an assignment, or by calling one of the functions that do."""
    code, at = frame.f_code, frame.f_lasti
    if code.co_code[at] == _STORE_SUBSCR:
        return True
    if _STORING.isdisjoint(code.co_names):
        return False
    line, _, column, _ = next(itertools.islice(code.co_positions(), at // 2, None))
    if column is None:  # Python was told to forget where in its line an instruction stands
        return False
    # the function that is called was looked up where the call begins: np.fromiter in np.fromiter(t, float)
    return any(
        i.argval in _STORING
        and i.positions is not None
        and (i.positions.lineno, i.positions.col_offset) == (line, column)
        for i in dis.get_instructions(code)
    )


class _Count(int):
    """A number that says what to write when it is called, as PyTorch's `size` is."""

    def __call__(self, axis: int | None = None) -> Any:
        wanted = "t.shape" if axis is None else f"t.shape[{axis}]"
        raise TypeError(f"size is the number of elements, {int(self)}, and not called; write {wanted}")

    def __reduce__(self) -> tuple[Any, ...]:
        return int, (int(self),)


@tells_elsewhere
class Tensor(TensorWriting):
    """An array that remembers how it was computed, and so can be differentiated.

    data: numbers, nested lists, or an ndarray (whose memory is then shared).
    requires_grad: whether `backward()` should leave ∂L/∂self in `.grad`; only floating numbers can.
    dtype: as NumPy's; if it is None, `Tensor(1.5)` is float64 and `Tensor([1, 2])` is int64.
    name: what figures and errors call it.

    >>> apple, count, tax = Tensor(100.0, requires_grad=True), Tensor(2.0), Tensor(1.1)
    >>> price = apple * count * tax
    >>> price.backward()
    >>> round(price.item(), 4), round(apple.grad.item(), 4)
    (220.0, 2.2)
    """

    __slots__ = ()

    __pandas_priority__ = 5000  # above that of a data frame, 4000: `series * t` is then the tensor's to compute

    inputs: tuple[Tensor, ...]
    settings: dict[str, Any]
    held_grad: Tensor | None
    attached: Attached | None

    def __init__(
        self, data: ArrayLike, requires_grad: bool = False, *, dtype: DType = None, name: str | None = None
    ) -> None:
        if requires_grad.__class__ is not bool:
            _refuse_second(requires_grad)  # type: ignore[unreachable]  # not every caller is checked
        array: Any = data
        if data.__class__ is not numpy.ndarray or dtype is not None:
            try:
                array = np.asarray(data, dtype=dtype)
            except ValueError as error:
                raise uneven(error) from None
            refuse_masked(data, depth=array.ndim - 1)
            if array.dtype.kind not in NUMERIC and is_table(data):
                array = table(data, "Tensor()")
        if array.dtype.kind not in "biufc":
            given: Any = data  # anything, for not every caller is checked
            cure = ""
            if given is None:
                cure = "; does the function that made it end with `return`, and its result?"
            elif np.iterable(given) and not isinstance(given, list | tuple | str | np.ndarray):
                cure = "; write list(…)"
            raise TypeError(
                f"a Tensor holds numbers, but got an array of {array.dtype} from {type(data).__name__} {data!r:.60}{cure}"
            )
        if not array.dtype.isnative:  # as read from a file: NumPy's results, and so gradients, are native
            array = array.astype(array.dtype.newbyteorder("="))
        self.ndarray = array
        self.cell = None
        if isinstance(data, Tensor) and np.may_share_memory(array, data.ndarray):
            self.cell = data.shared_cell()
        self.held_grad = None
        self.needs_grad = False
        self.made_at = 0
        self.attached = None
        self.op = None
        self.inputs = ()
        self.settings = NO_SETTINGS
        self.name = name
        self.scope = None
        if requires_grad:
            self.requires_grad_()
        watcher = RECORDING.get().watcher
        if watcher is not None:
            watcher.made(self)

    # -- what it is ---------------------------------------------------------------------------------

    @property
    @watched
    def data(self) -> Array:
        """The array itself, read-only for a recorded tensor. Assigning, or `t.data -= …`, writes the value of a leaf:
        graphs that used it are then known to be stale."""
        return self.ndarray if self.op is None else self.numpy()

    @data.setter
    @watched
    def data(self, value: ArrayLike) -> None:
        self._refuse_recorded("assigning .data to")
        array = Tensor(numbers(value)).ndarray
        if self.needs_grad and array.dtype.kind != "f":
            raise TypeError(
                f"{self.describe()} requires a gradient, so its data must be floating, but got {array.dtype}; write numbers with a point"
            )
        if self.held_grad is not None and (array.shape != self.shape or array.dtype != self.dtype):
            raise ValueError(
                f"{self.describe()} has a gradient of shape {self.shape} and dtype {self.dtype}, but the new data has "
                f"{array.shape} and {array.dtype}; call zero_grad() first, or make a new Tensor"
            )
        if isinstance(value, Tensor):
            self.cell = value.shared_cell()
        elif not np.may_share_memory(array, self.ndarray):
            self.cell = Cell()
        self.ndarray = array
        self.note_write(value)
        Edits.note()

    @property
    @watched
    def grad(self) -> Tensor | Any:
        """∂L/∂self, added up over calls of `backward()`; None before the first. Of exactly this shape and dtype.

        A computed tensor has none unless it was told to `retain_grad()`; asking for it warns.
        """
        if self.held_grad is None and self.op is not None and self.needs_grad and not self.retains_grad:
            warnings.warn(
                f"the .grad of {self.describe()} is None: it was computed by {self.made_by()}, and backward() leaves gradients on "
                "leaves alone; write t.retain_grad() before backward(), or, where w = w - lr * w.grad made a new tensor of a "
                "weight, with no_grad(): w -= lr * w.grad",
                stacklevel=3,  # the caller is two frames out, for `watched` stands between
            )
        return self.held_grad

    @grad.setter
    @watched
    def grad(self, value: ArrayLike | None) -> None:
        if value is not None:
            value = value if isinstance(value, Tensor) else Tensor(value)
            if value.shape != self.shape or value.dtype != self.dtype:
                raise ValueError(
                    f"the gradient of {self.describe()} has shape {self.shape} and dtype {self.dtype}, but got {value.shape} and "
                    f"{value.dtype}; to forget it write zero_grad(), to set it np.zeros_like(t) and the like"
                )
        self.held_grad = value

    @property
    def requires_grad(self) -> bool:
        """Whether ops on this tensor are recorded to be differentiated."""
        return self.needs_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    @property
    def is_leaf(self) -> bool:
        """Whether it was given rather than computed by a recorded op. What has no derivative (a comparison, an argmax, a
        count of such) is a leaf too: it keeps nothing alive, and may be written."""
        return not self.is_recorded()

    @property
    def size(self) -> int:
        """The number of elements."""
        return _Count(self.ndarray.size)

    @property
    def nbytes(self) -> int:
        """The bytes its elements take."""
        return self.ndarray.nbytes

    @property
    def itemsize(self) -> int:
        """The bytes one element takes."""
        return self.ndarray.itemsize

    @property
    def T(self) -> Tensor:
        """The axes in reverse order."""
        return np.transpose(self)

    @property
    def mT(self) -> Tensor:
        """The last two axes exchanged."""
        return np.matrix_transpose(self)

    @property
    def flat(self) -> Any:
        """An iterator over the numbers, in C order."""
        return self.numpy().flat

    # -- gradients ----------------------------------------------------------------------------------

    def backward(
        self, gradient: ArrayLike | None = None, retain_graph: bool = True, create_graph: bool = False
    ) -> None:
        """Add ∂self/∂leaf to the `.grad` of every leaf that requires one.

        gradient: ∂L/∂self, of this tensor's shape; it may be left out for a single number, where it is 1.
        retain_graph=False lets go of the record as it is read, which saves memory; then it cannot be read again.
        create_graph=True records the backward pass, so that `.grad` can be differentiated (and holds its graph:
        `autograd.grad` is the tidier way).

        Raises RuntimeError for a tensor of several numbers, one that depends on no leaf that requires a gradient,
        a freed graph, and one whose values were written since; every `.grad` is then as before.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        Tensor([2., 4.])
        """
        backward.backward(self, gradient, retain_graph, create_graph)

    @watched
    def requires_grad_(self, value: bool = True) -> Tensor:
        """Ask for a gradient of this leaf, or no longer; returns the tensor itself."""
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"requires_grad is True or False, but got {type(value).__name__} {value!r:.40}")
        if value:
            self.refuse_derivative()
        if self.op is not None and not self.is_recorded():  # a leaf to the caller: it has a gradient of its own
            self.needs_grad = bool(value)
            self.attachments().retains = self.needs_grad
        if self.op is not None and bool(value) != self.needs_grad:
            raise RuntimeError(
                f"{self.describe()} was computed by {self.made_by()}: only a leaf can be told whether to require a gradient; use .detach()"
            )
        if bool(value) is not self.needs_grad:
            self.needs_grad = bool(value)
            Edits.note()
        if self.needs_grad and self.attached is not None:
            self.attached.origin = None  # it is a variable from now on, whatever it was computed from
        return self

    def refuse_derivative(self) -> None:
        """Raise TypeError if these numbers are of a type that has no derivative."""
        if self.ndarray.dtype.kind == "c":
            raise TypeError(
                f"complex numbers are not differentiated, and {self.describe()} is {self.dtype}; "
                "compute with real and imaginary parts"
            )
        if self.ndarray.dtype.kind != "f":
            written = (
                f"{self.item()}. with a point" if self.size == 1 and self.dtype.kind != "b" else "numbers with a point"
            )
            raise TypeError(
                f"only floating numbers have a derivative, but {self.describe()} is {self.dtype}; "
                f"write {written}, or dtype=float"
            )

    def zero_grad(self) -> None:
        """Forget the gradient: `.grad` is None again."""
        self.grad = None

    def retain_grad(self) -> Tensor:
        """Have `backward()` keep the gradient of this computed tensor too; returns the tensor itself."""
        if not self.needs_grad:
            raise RuntimeError(f"{self.describe()} requires no gradient, so there is none to retain")
        if self.op is not None:
            self.attachments().retains = True
        return self

    @watched
    def register_hook(self, hook: Callable[[Tensor], Any]) -> RemovableHook:
        """Call `hook(gradient)` when this tensor's gradient is known; what it returns, if not None, replaces it."""
        if not self.needs_grad:
            raise RuntimeError(f"{self.describe()} requires no gradient, so a hook on it would never run")
        if not callable(hook):
            raise TypeError(
                f"register_hook() takes a function of the gradient, but got {type(hook).__name__} {hook!r:.60}"
            )
        hooks = self.attachments().hooks
        key = tick()
        hooks[key] = hook
        Edits.note()
        return RemovableHook(hooks, key)

    def detach(self) -> Tensor:
        """The same numbers, in the same memory, outside the graph."""
        return self.alias()

    def clone(self) -> Tensor:
        """A copy, recorded: gradients flow through it."""
        return np.copy(self)

    # -- leaving the graph --------------------------------------------------------------------------

    @watched
    def numpy(self) -> Array:
        """The numbers as a read-only view. It works for every tensor; to write, use `.data` or a copy."""
        return read_only(self.ndarray)

    @watched
    def item(self, *index: SupportsIndex | tuple[int, ...]) -> Any:
        """The single number, or the one at `index`, as a Python number. Add up `loss.item()` rather than `loss`, which keeps its graph alive."""
        if index:
            return self.ndarray.item(*index)
        if self.size != 1:
            raise ValueError(f"item() takes a tensor of one number, but {self.has_shape()}; use .tolist() or .numpy()")
        return self.ndarray.item()

    @watched
    def tolist(self) -> Any:
        """The numbers as nested Python lists."""
        return self.ndarray.tolist()

    def __array__(self, dtype: DType = None, copy: bool | None = None) -> Array:
        self.refuse_unseen()
        return np.array(self.ndarray, dtype=dtype, copy=copy)

    @property
    def _mask(self) -> Any:
        """What `np.ma` asks for where it stores a value in a masked array, before it asks for the array. A tensor has no
        mask, and one in a graph is refused as there."""
        self.refuse_unseen()
        raise AttributeError("a Tensor has no mask")

    @watched
    def refuse_unseen(self) -> None:
        """Raise where a tensor in a graph is about to become an array behind the user's back."""
        if self.needs_grad or self.op is not None:
            if sys._getframe(3).f_globals.get("__name__", "").startswith("pandas."):
                raise RuntimeError(
                    f"pandas computes with arrays, and cannot with {self.describe()}, which is part of a graph; write "
                    ".to_numpy() after the frame or series, as in df.to_numpy() @ W"
                )
            raise RuntimeError(
                f"{self.describe()} is part of a graph, and turning it into an array here would cut it silently; "
                "write .numpy() to leave the graph, or np.stack([...]) to join tensors into one"
            )

    def __float__(self) -> float:
        self._refuse_store()
        return float(self.item())

    def __int__(self) -> int:
        self._refuse_store()
        return int(self.item())

    def __complex__(self) -> complex:
        self._refuse_store()
        return complex(self.item())

    def _refuse_store(self) -> None:
        """Raise in `array[i] = t` and `array.fill(t)`, which ask for a number behind the user's back; `float(t)` is explicit.

        NumPy makes a ValueError of the first, which stays as its cause.
        """
        if self.needs_grad and _stores(sys._getframe(2)):
            raise RuntimeError(
                f"storing {self.describe()}, which is part of a graph, in an array would cut it silently; "
                "write .item() to leave the graph, or np.stack([...]) to join tensors into one"
            )

    @watched
    def __bool__(self) -> bool:
        if self.size != 1:
            called = self.describe()
            of = "" if str(self.shape) in called else f", of shape {self.shape},"
            raise ValueError(
                f"the truth of {called}{of} is ambiguous; write .any() or .all(), or np.where to choose by element"
            )
        return bool(self.ndarray.item())

    @watched
    def __index__(self) -> int:
        return self.ndarray.__index__()

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError(f"{self.describe()} is a single number, and has no length")
        return len(self.ndarray)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError(f"{self.describe()} is a single number, and cannot be iterated over")
        if len(self.ndarray) > 1 and RECORDING.get().enabled and (self.needs_grad or self.op is not None):
            return iter(np.unstack(self))  # one node for all rows: a getitem for each would go back in quadratic time
        return (self[i] for i in range(len(self.ndarray)))

    def __contains__(self, value: ArrayLike) -> bool:
        return numbers(value) in numbers(self)

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if self.size != 1:
            raise TypeError(f"the format {spec!r} takes one number, but {self.has_shape()}; format .item() or .mean()")
        return format(self.item(), spec)

    def __round__(self, ndigits: int = 0) -> Tensor:
        return np.round(self, ndigits)

    @watched
    def __repr__(self) -> str:
        parts = []
        if isinstance(self.ndarray, tuple):
            parts.append(f"{len(self.ndarray)} results")
        else:
            parts.append(
                np.array2string(self.ndarray, separator=", ", prefix="Tensor(") if self.ndim else str(self.ndarray[()])
            )
            if not self.size and self.ndim > 1:
                parts.append(f"shape={self.shape}")
            if self.dtype not in (np.dtype(float), np.dtype(int), np.dtype(bool)):
                parts.append(f"dtype={self.dtype}")
        if self.op is not None:
            parts.append(f"op={self.made_by()}")
        elif self.needs_grad:
            parts.append("requires_grad=True")
        if self.name is not None:
            parts.append(f"name={self.name!r}")
        return f"{type(self).__name__}({', '.join(parts)})"

    @watched
    def __reduce__(self) -> tuple[Any, ...]:
        if self.op is not None:
            raise RuntimeError(
                f"{self.describe()} was computed by {self.made_by()}; only leaves can be copied or saved: use .detach() for its numbers, .clone() for a recorded copy"
            )
        parts = (
            type(self),
            self.ndarray.copy(),
            self.needs_grad,
            self.name,
            None if self.held_grad is None else self.constant(self.held_grad.ndarray.copy()),
        )
        return _rebuild, parts, getattr(self, "__dict__", None) or None  # a subclass may have attributes

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not isinstance(inspect.getattr_static(self, name), Elsewhere)]

    # -- inside the package -------------------------------------------------------------------------

    def constant(self, array: Array | Number) -> Tensor:
        """A tensor of these numbers, outside any graph."""
        return new_leaf(np.asarray(array) if isinstance(array, np.generic) else array)

    @watched
    def alias(self) -> Tensor:
        """A leaf in the same memory."""
        alias = new_leaf(self.ndarray)
        alias.name = self.name
        alias.cell = self.shared_cell()
        return alias

    def rule_value(self) -> Any:
        """What a rule that is recorded sees as this node: the tensor; for several outputs, a tuple of them."""
        if isinstance(self.ndarray, tuple):
            return tuple([ANSWERS["item"](self, i) for i in range(len(self.ndarray))])
        return self

    def describe(self) -> str:
        """How an error calls this tensor."""
        if self.name is not None:
            return repr(self.name)
        if self.op is not None and (self.inputs or not self.op.selects):
            return f"the result of {self.made_by()}"
        if self.attached is not None and self.attached.origin is not None and self.attached.origin.op is not None:
            return f"the result of {self.attached.origin.op.name}"
        return f"a {type(self).__name__} of shape {self.shape}"

    def has_shape(self) -> str:
        """How an error says that this tensor is not of the shape that was wanted."""
        called = self.describe()
        return f"got {called}" if str(self.shape) in called else f"{called} has shape {self.shape}"

    def made_by(self) -> str:
        """The name of the op; for one of several results, of the op that gave them all."""
        return self.inputs[0].op.name if self.op.selects and self.inputs else self.op.name

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad()` was called: `backward()` will leave its gradient too."""
        return self.attached is not None and self.attached.retains

    def attachments(self) -> Attached:
        """What is attached to this node, made when first needed."""
        if self.attached is None:
            self.attached = Attached()
        return self.attached

    def is_recorded(self) -> bool:
        """Whether it was computed by a recorded op, and does not pass for a leaf."""
        return self.op is not None and (self.attached is None or not self.attached.as_leaf)

    # -- NumPy's protocols --------------------------------------------------------------------------

    def __eq__(self, other: Any) -> Tensor:  # type: ignore[override]  # elementwise, unlike object's
        try:
            return np.equal(self, other)
        except TypeError:  # no number: t == None is False
            return NotImplemented

    def __ne__(self, other: Any) -> Tensor:  # type: ignore[override]
        try:
            return np.not_equal(self, other)
        except TypeError:
            return NotImplemented

    __hash__ = object.__hash__  # an elementwise == takes it away

    def __pow__(self, other: ArrayLike, modulus: None = None) -> Tensor:
        if modulus is not None:
            raise TypeError("pow() of a Tensor takes no modulus; write t**n % m")
        return _power(self, other)

    def __getitem__(self, key: Index) -> Tensor:
        return ANSWERS["getitem"](self, key)


AT_ONCE.add(Tensor)


def _refuse_second(given: Any) -> None:
    """Raise TypeError if what stands where `requires_grad` does is no bool."""
    if isinstance(given, numpy.bool):
        return
    if isinstance(given, str | type | numpy.dtype):
        cure = f"for a type, write dtype={getattr(given, '__name__', given)}"
    elif given is None or (isinstance(given, int) and given in (0, 1)):
        cure = f"write requires_grad={bool(given)}, or for several numbers one list, Tensor([2.0, 3.0])"
    else:
        cure = "numbers go into one list, Tensor([2.0, 3.0]); for a shape, write tg.zeros((2, 3))"
    raise TypeError(
        f"Tensor(data, requires_grad) takes True or False in the second place, but got {type(given).__name__} {given!r:.40}; {cure}"
    )


_new = object.__new__


def new_leaf(array: Any) -> Tensor:
    """A tensor that nothing requires anything of, without the checks of `Tensor()`."""
    leaf = _new(Tensor)
    leaf.ndarray = array
    leaf.held_grad = leaf.cell = leaf.attached = leaf.op = leaf.name = leaf.scope = None
    leaf.needs_grad = False
    leaf.made_at = 0
    leaf.inputs = ()
    leaf.settings = NO_SETTINGS
    return leaf


def writable(array: Any) -> Any:
    """An array that was unpickled; a copy of one that is read-only, as joblib hands large ones to its processes."""
    return array if array.flags.writeable else np.array(array)


def _rebuild(kind: type[Tensor], data: Any, requires_grad: bool, name: str | None, grad: Tensor | None) -> Tensor:
    """A leaf out of what `__reduce__` took apart."""
    leaf = kind.__new__(kind)
    Tensor.__init__(leaf, writable(data), requires_grad, name=name)
    leaf.held_grad = grad
    return leaf

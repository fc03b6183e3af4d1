"""What a type checker is told of operators and of calls; nothing here runs.

A tensor's operators come from NumPy's mixin, and an op or a module is called through one `__call__` that serves all: to a
type checker, neither says what it gives. Here it stands. Pages import these names for the type checker alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Literal,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypedDict,
    TypeVar,
    overload,
)

import numpy as np

from tinygrad_edu.engine.arguments import A, Array, ArrayLike, Number, Plain, Table

if TYPE_CHECKING:
    from tinygrad_edu.engine.tensor import Tensor

    class Operators:
        """The operators of a tensor: each gives a tensor, whichever side it stands on."""

        def __add__(self, other: ArrayLike, /) -> Tensor: ...
        def __radd__(self, other: ArrayLike, /) -> Tensor: ...
        def __sub__(self, other: ArrayLike, /) -> Tensor: ...
        def __rsub__(self, other: ArrayLike, /) -> Tensor: ...
        def __mul__(self, other: ArrayLike, /) -> Tensor: ...
        def __rmul__(self, other: ArrayLike, /) -> Tensor: ...
        def __truediv__(self, other: ArrayLike, /) -> Tensor: ...
        def __rtruediv__(self, other: ArrayLike, /) -> Tensor: ...
        def __floordiv__(self, other: ArrayLike, /) -> Tensor: ...
        def __rfloordiv__(self, other: ArrayLike, /) -> Tensor: ...
        def __mod__(self, other: ArrayLike, /) -> Tensor: ...
        def __rmod__(self, other: ArrayLike, /) -> Tensor: ...
        def __pow__(self, other: ArrayLike, modulus: None = None, /) -> Tensor: ...
        def __rpow__(self, other: ArrayLike, /) -> Tensor: ...
        def __matmul__(self, other: ArrayLike, /) -> Tensor: ...
        def __rmatmul__(self, other: ArrayLike, /) -> Tensor: ...
        def __and__(self, other: ArrayLike, /) -> Tensor: ...
        def __rand__(self, other: ArrayLike, /) -> Tensor: ...
        def __or__(self, other: ArrayLike, /) -> Tensor: ...
        def __ror__(self, other: ArrayLike, /) -> Tensor: ...
        def __xor__(self, other: ArrayLike, /) -> Tensor: ...
        def __rxor__(self, other: ArrayLike, /) -> Tensor: ...
        def __lshift__(self, other: ArrayLike, /) -> Tensor: ...
        def __rlshift__(self, other: ArrayLike, /) -> Tensor: ...
        def __rshift__(self, other: ArrayLike, /) -> Tensor: ...
        def __rrshift__(self, other: ArrayLike, /) -> Tensor: ...
        def __divmod__(self, other: ArrayLike, /) -> tuple[Tensor, Tensor]: ...
        def __rdivmod__(self, other: ArrayLike, /) -> tuple[Tensor, Tensor]: ...
        def __neg__(self) -> Tensor: ...
        def __pos__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __lt__(self, other: ArrayLike, /) -> Tensor: ...
        def __le__(self, other: ArrayLike, /) -> Tensor: ...
        def __gt__(self, other: ArrayLike, /) -> Tensor: ...
        def __ge__(self, other: ArrayLike, /) -> Tensor: ...


class Correction(TypedDict, total=False):
    """What `var` and `std` take besides NumPy's `ddof`: the same, as the array API calls it."""

    correction: float


P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class Unary(Protocol[P]):
    """How a function of one array is called: a tensor gives a tensor, an array an array. P: its settings."""

    @overload
    def __call__(self, x: A, /, *args: P.args, **settings: P.kwargs) -> A: ...
    @overload
    def __call__(self, x: Number, /, *args: P.args, **settings: P.kwargs) -> Any: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]  # without a tensor in it, a list becomes an array
        self, x: Table | Sequence[Plain], /, *args: P.args, **settings: P.kwargs
    ) -> Array: ...
    @overload
    def __call__(self, x: Sequence[ArrayLike], /, *args: P.args, **settings: P.kwargs) -> Tensor: ...
    @overload
    def __call__(self, x: ArrayLike, /, *args: P.args, **settings: P.kwargs) -> Tensor | Any: ...


class Binary(Protocol[P]):
    """How a function of two arrays is called: with a tensor among them, it gives a tensor. P: its settings."""

    @overload
    def __call__(self, a: Tensor, b: ArrayLike, /, *args: P.args, **settings: P.kwargs) -> Tensor: ...
    @overload
    def __call__(self, a: ArrayLike, b: Tensor, /, *args: P.args, **settings: P.kwargs) -> Tensor: ...
    @overload
    def __call__(self, a: Number, b: Number, /, *args: P.args, **settings: P.kwargs) -> Any: ...
    @overload
    def __call__(self, a: Plain, b: Plain, /, *args: P.args, **settings: P.kwargs) -> Array: ...
    @overload
    def __call__(self, a: ArrayLike, b: ArrayLike, /, *args: P.args, **settings: P.kwargs) -> Tensor | Any: ...


class Choice(Protocol):
    """How `where` is called: with a tensor among the three, it gives a tensor; with a condition alone, its places."""

    @overload
    def __call__(self, condition: Tensor, a: ArrayLike, b: ArrayLike, /) -> Tensor: ...
    @overload
    def __call__(self, condition: ArrayLike, a: Tensor, b: ArrayLike, /) -> Tensor: ...
    @overload
    def __call__(self, condition: ArrayLike, a: ArrayLike, b: Tensor, /) -> Tensor: ...
    @overload
    def __call__(self, condition: Plain, a: Plain, b: Plain, /) -> Array: ...
    @overload
    def __call__(self, condition: A, /) -> tuple[A, ...]: ...


class Parts(Protocol[P]):
    """How a function of one array with several results of its kind is called, such as `split`. P: its settings."""

    @overload
    def __call__(self, x: A, /, *args: P.args, **settings: P.kwargs) -> tuple[A, ...]: ...
    @overload
    def __call__(self, x: ArrayLike, /, *args: P.args, **settings: P.kwargs) -> tuple[Any, ...]: ...


class Giving(Protocol[P, R]):
    """How a function of one array with a result of its own kind is called, such as `unique_counts`. P: its settings."""

    def __call__(self, x: ArrayLike, /, *args: P.args, **settings: P.kwargs) -> R:
        """What the function gives for the array `x`."""


class Compared(Protocol):
    """How a loss is called: with a prediction, which says what it gives, and a target."""

    @overload
    def __call__(self, prediction: A, target: ArrayLike) -> A: ...
    @overload
    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Tensor | Array: ...


class HasForward(Protocol[P, R]):
    """A module, called as its `forward` is."""

    def forward(self, *args: P.args, **settings: P.kwargs) -> R:
        """What the module computes."""


class Einsum(Protocol):
    """How `einsum` is called: with a tensor among the operands, it gives a tensor."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # without a tensor among them
        self, equation: str, /, *operands: Plain, optimize: bool | str | None = None
    ) -> Array: ...
    @overload
    def __call__(self, equation: str, /, *operands: ArrayLike, optimize: bool | str | None = None) -> Tensor: ...


class _OfFirst:
    """A type that nothing has: it is there so that type checkers tell `OfFirst` from `Array`."""


OfFirst: TypeAlias = "Array | _OfFirst"
"""What a function returns whose result is a tensor exactly where its first argument is, though others may be arrays too."""


if TYPE_CHECKING:
    from tinygrad_edu.engine.op import Op
    from tinygrad_edu.engine.rules import Joint, Rule

    class UnaryOp(Unary[P], Op):
        """An op of one array, to a type checker: it returns a tensor for a tensor, an array for an array."""

    class BinaryOp(Binary[P], Op):
        """An op of two arrays, to a type checker: it returns a tensor if one of them is a tensor."""

    class PartsOp(Parts[P], Op):
        """An op of one array with several results of its kind."""

    class ChoiceOp(Choice, Op):
        """The type of the op `where`."""

    class EinsumOp(Einsum, Op):
        """The type of the op `einsum`."""

    class GivingOp(Giving[P, R], Op):
        """An op of one array with a result of its own kind."""

    Binds: TypeAlias = Callable[Concatenate[Array, P], Any]
    Binds2: TypeAlias = Callable[Concatenate[Array, Array, P], Any]
    ByInput: TypeAlias = Rule | tuple[Rule | None, ...] | None
    Two: TypeAlias = tuple[ByInput, ByInput]
    NotTwo: TypeAlias = tuple[ByInput] | tuple[ByInput, ByInput, ByInput] | Rule | None


class Declares(Protocol):
    """A decorator: of a function of arrays, the op that takes tensors too. What is no array, at its place, is a setting."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # the first that fits
        self, forward: Callable[Concatenate[Array, Array, P], Array], /
    ) -> BinaryOp[P]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, forward: Callable[Concatenate[Array, P], OfFirst], /
    ) -> UnaryOp[P]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, forward: Callable[Concatenate[Array, P], tuple[Array, ...]], /
    ) -> PartsOp[P]: ...
    @overload
    def __call__(self, forward: Callable[Concatenate[Array, P], R], /) -> GivingOp[P, R]: ...


class Lifts(Protocol):
    """A decorator: of a function of arrays, what it is on tensors too, without being an op."""

    @overload
    def __call__(self, function: Callable[Concatenate[Array, Array, P], Array], /) -> Binary[P]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Array, P], Array], /) -> Unary[P]: ...


class DeclaresAs(Protocol[R]):
    """A decorator: of a function, an op that is called as R, whatever the function's own arguments."""

    def __call__(self, forward: Callable[..., Any], /) -> R:
        """The op that computes `forward`."""


class DeclaresGiving(Protocol[R]):
    """A decorator: of a function of an array, the op whose results are made an R."""

    def __call__(self, forward: Callable[Concatenate[Array, P], Any], /) -> GivingOp[P, R]:
        """The op that computes `forward`."""


class DeclaresOps(Protocol):
    """How `op` is called. What the op takes is read off `bind`, if it has one, else off the function that it decorates."""

    @overload
    def __call__(self, *, vjp: Joint, **declaration: Any) -> DeclaresAs[Any]: ...
    @overload
    def __call__(self, *, bind: None = None, results: None = None, **declaration: Any) -> Declares: ...
    @overload
    def __call__(self, *, bind: None = None, results: Callable[[Any], R], **declaration: Any) -> DeclaresGiving[R]: ...
    @overload
    def __call__(self, *, bind: Binds2[P], vjp: Two, **declaration: Any) -> DeclaresAs[BinaryOp[P]]: ...
    @overload
    def __call__(
        self, *, bind: Binds[P], outputs: Literal[1], vjp: NotTwo = None, **declaration: Any
    ) -> DeclaresAs[UnaryOp[P]]: ...
    @overload
    def __call__(
        self, *, bind: Binds[P], outputs: int, vjp: NotTwo = None, **declaration: Any
    ) -> DeclaresAs[PartsOp[P]]: ...
    @overload
    def __call__(self, *, bind: Binds[P], vjp: NotTwo = None, **declaration: Any) -> DeclaresAs[UnaryOp[P]]: ...
    @overload
    def __call__(self, *, bind: Callable[Concatenate[str, P], Any], **declaration: Any) -> DeclaresAs[EinsumOp]: ...


class DeclaresUfuncs(Protocol):
    """How `ufunc` is called: with a rule for each input."""

    @overload
    def __call__(
        self, function: np.ufunc, symbol: str, vjp: tuple[Rule], doc: str, **declaration: Any
    ) -> UnaryOp[[]]: ...
    @overload
    def __call__(
        self, function: np.ufunc, symbol: str, vjp: tuple[Rule, Rule], doc: str, **declaration: Any
    ) -> BinaryOp[[]]: ...
    @overload
    def __call__(self, function: np.ufunc, symbol: str, vjp: None, doc: str, **declaration: Any) -> Any: ...


if TYPE_CHECKING:

    def declares_ops(function: Any) -> DeclaresOps:
        """`op`, as it is called."""

    def declares_ufuncs(function: Any) -> DeclaresUfuncs:
        """`ufunc`, as it is called."""

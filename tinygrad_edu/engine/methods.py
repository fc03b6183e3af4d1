"""The methods of tensors: those of NumPy's arrays, with their arguments, and PyTorch's for neural networks.

Each is one call of the function of its name, whose own text says more: `help(tg.sum)`. What few calls give, a type to
compute in or a place to write to, is looked for first: the way without it is the shorter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.engine.protocols import NumPyProtocols
from tinygrad_edu.engine.registry import ANSWERS, OPS

if TYPE_CHECKING:
    from typing import Never, Unpack

    from tinygrad_edu.engine.arguments import ArrayLike, Axis, DType, Out, Shape
    from tinygrad_edu.engine.signatures import Correction
    from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _any_order(name: str, order: Any) -> None:
    """How a result lies in memory is decided by the op that computes it: by rows, or as its input does."""
    if order not in ("K", "A", "C"):
        raise TypeError(f"{name}() takes order='K', 'A' or 'C', but got {order!r}; for columns write t.T.copy().T")


class TensorMethods(NumPyProtocols):
    """What can be called on a tensor, as `t.sum()`."""

    __slots__ = ()

    _reorder: Callable[..., None]

    def sum(
        self, axis: Axis = None, dtype: DType = None, out: Out = None, keepdims: bool = False,
        *others: Never, **options: Never,
    ) -> Tensor:  # fmt: skip
        """y = Σ x, over all axes or some. See `tg.sum`."""
        if dtype is None and out is None and axis.__class__ is not list and not others and not options:
            return OPS["sum"].apply((self,), {"axis": axis, "keepdims": keepdims})
        return ANSWERS[np.sum](self, axis, dtype, out, keepdims, *others, **options)

    def prod(
        self, axis: Axis = None, dtype: DType = None, out: Out = None, keepdims: bool = False,
        *others: Never, **options: Never,
    ) -> Tensor:  # fmt: skip
        """y = ∏ x. See `tg.prod`."""
        if dtype is None and out is None and not others and not options:
            return ANSWERS["prod"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.prod](self, axis, dtype, out, keepdims, *others, **options)

    def mean(
        self, axis: Axis = None, dtype: DType = None, out: Out = None, keepdims: bool = False, **options: Never
    ) -> Tensor:
        """y = Σ x / n, with n the number of elements that go into one of y. See `tg.mean`."""
        if dtype is None and out is None and not options:
            return ANSWERS["mean"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.mean](self, axis, dtype, out, keepdims, **options)

    def max(
        self, axis: Axis = None, out: Out = None, keepdims: bool = False, *others: Never, **options: Never
    ) -> Tensor:
        """y = max x, NaN if there is one. See `tg.max`."""
        if out is None and not others and not options:
            return ANSWERS["max"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.max](self, axis, out, keepdims, *others, **options)

    def min(
        self, axis: Axis = None, out: Out = None, keepdims: bool = False, *others: Never, **options: Never
    ) -> Tensor:
        """y = min x, NaN if there is one. See `tg.min`."""
        if out is None and not others and not options:
            return ANSWERS["min"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.min](self, axis, out, keepdims, *others, **options)

    def any(self, axis: Axis = None, out: Out = None, keepdims: bool = False, **options: Never) -> Tensor:
        """y: is any element not zero? See `tg.any`."""
        if out is None and not options:
            return ANSWERS["any"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.any](self, axis, out, keepdims, **options)

    def all(self, axis: Axis = None, out: Out = None, keepdims: bool = False, **options: Never) -> Tensor:
        """y: is no element zero? See `tg.all`."""
        if out is None and not options:
            return ANSWERS["all"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.all](self, axis, out, keepdims, **options)

    def var(
        self, axis: Axis = None, dtype: DType = None, out: Out = None, ddof: float = 0, keepdims: bool = False,
        **options: Unpack[Correction],
    ) -> Tensor:  # fmt: skip
        """y = Σ |x − mean x|² / (n − c): the variance. See `tg.var`."""
        if dtype is None and out is None and not options:
            return ANSWERS["var"](self, axis=axis, ddof=ddof, keepdims=keepdims)
        return ANSWERS[np.var](self, axis, dtype, out, ddof, keepdims, **options)

    def std(
        self, axis: Axis = None, dtype: DType = None, out: Out = None, ddof: float = 0, keepdims: bool = False,
        **options: Unpack[Correction],
    ) -> Tensor:  # fmt: skip
        """y = √var x: the standard deviation. See `tg.std`."""
        if dtype is None and out is None and not options:
            return ANSWERS["std"](self, axis=axis, ddof=ddof, keepdims=keepdims)
        return ANSWERS[np.std](self, axis, dtype, out, ddof, keepdims, **options)

    def argmax(self, axis: int | None = None, out: Out = None, *, keepdims: bool = False, **options: Never) -> Tensor:
        """y is the place of the largest element along an axis, of the first if there are several. See `tg.argmax`."""
        if out is None and not options:
            return ANSWERS["argmax"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.argmax](self, axis, out, keepdims=keepdims, **options)

    def argmin(self, axis: int | None = None, out: Out = None, *, keepdims: bool = False, **options: Never) -> Tensor:
        """y is the place of the smallest element along an axis. See `tg.argmin`."""
        if out is None and not options:
            return ANSWERS["argmin"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.argmin](self, axis, out, keepdims=keepdims, **options)

    def cumsum(self, axis: int | None = None, dtype: DType = None, out: Out = None, **options: Never) -> Tensor:
        """yₜ = x₀ + x₁ + … + xₜ along an axis; without one, along x as one row. See `tg.cumsum`."""
        if dtype is None and out is None and not options:
            return ANSWERS["cumsum"](self, axis)
        return ANSWERS[np.cumsum](self, axis, dtype, out, **options)

    def cumprod(self, axis: int | None = None, dtype: DType = None, out: Out = None, **options: Never) -> Tensor:
        """yₜ = x₀·x₁·…·xₜ along an axis; without one, along x as one row. See `tg.cumprod`."""
        if dtype is None and out is None and not options:
            return ANSWERS["cumprod"](self, axis)
        return ANSWERS[np.cumprod](self, axis, dtype, out, **options)

    def logsumexp(self, axis: Axis = None, keepdims: bool = False, **options: Never) -> Tensor:
        """y = log Σ eˣ: a smooth maximum. See `tg.logsumexp`."""
        return ANSWERS["logsumexp"](self, axis=axis, keepdims=keepdims, **options)

    def reshape(self, *shape: Shape, order: str = "C", copy: bool | None = None) -> Tensor:
        """y holds the elements of x, row by row, in another shape; one length may be −1. See `tg.reshape`."""
        return ANSWERS[np.reshape](self, shape[0] if len(shape) == 1 else shape, order=order, copy=copy)

    def ravel(self, order: str = "C") -> Tensor:
        """y is x as one row. See `tg.ravel`."""
        return np.ravel(self, order)

    def flatten(self, order: str = "C", **options: Never) -> Tensor:
        """y holds the elements of the tensor as one row: `np.reshape(t, -1)`."""
        if options or not isinstance(order, str):
            raise TypeError(
                "flatten() of a Tensor makes one row of all axes; to keep the first, write t.reshape(len(t), -1)"
            )
        row = np.reshape(self, -1, order=order)
        return row if row.op is not None else row.copy()  # as NumPy's, it may be written without writing this one

    def transpose(self, *axes: Axis) -> Tensor:
        """y = xᵀ: the axes in reverse, or in the order `axes`. See `tg.transpose`."""
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) if axes else None)

    def permute(self, *axes: Axis) -> Tensor:
        """y has the axes of the tensor in the order `axes`: `np.transpose(t, axes)`."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes)

    def swapaxes(self, axis1: int, axis2: int) -> Tensor:
        """y is x with two axes exchanged. See `tg.swapaxes`."""
        return np.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Axis = None, **options: Never) -> Tensor:
        """y is x without its axes of length 1, or without those in `axis`. See `tg.squeeze`."""
        return ANSWERS["squeeze"](self, axis=axis, **options)

    def unsqueeze(self, *axis: Axis, **options: Axis) -> Tensor:
        """y has one more axis, of length 1, at the place `axis`: `np.expand_dims(t, axis)`."""
        return ANSWERS["expand_dims"](self, *axis, **options)

    def repeat(self, repeats: ArrayLike, axis: int | None = None) -> Tensor:
        """y is x with each element (each slice along `axis`) repeated in place. See `tg.repeat`."""
        return np.repeat(self, repeats, axis=axis)

    def take(self, indices: ArrayLike, axis: int | None = None, out: Out = None, mode: str = "raise") -> Tensor:
        """y = x[…, indices, …]: elements of x along `axis`, or of the ravelled x. See `tg.take`."""
        if out is None:
            return ANSWERS[np.take](self, indices, axis, mode=mode)
        return ANSWERS[np.take](self, indices, axis, out, mode)

    def compress(self, condition: ArrayLike, axis: int | None = None, out: Out = None) -> Tensor:
        """The slices of x along `axis` (or elements of the ravelled x) where the one-dimensional condition is true. See `tg.compress`."""
        return ANSWERS[np.compress](condition, self, axis, out)

    def choose(self, choices: ArrayLike, out: Out = None, mode: str = "raise") -> Tensor:
        """yᵢ = choices[whichᵢ]ᵢ: from several arrays, broadcast together, the element of the one that `which` names. See `tg.choose`."""
        return ANSWERS[np.choose](self, choices, out, mode)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
        """yᵢ = xᵢᵢ (or xᵢ,ᵢ₊ₒ, for an offset o) in the two axes, which are replaced by one. See `tg.diagonal`."""
        return np.diagonal(self, offset, axis1, axis2)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: DType = None, out: Out = None) -> Tensor:
        """y = Σᵢ xᵢᵢ: the sum along the diagonal of two axes. See `tg.trace`."""
        if dtype is None and out is None:
            return ANSWERS[np.trace](self, offset, axis1, axis2)
        return ANSWERS[np.trace](self, offset, axis1, axis2, dtype, out)

    def sort(self, axis: int = -1, kind: str | None = None, *, stable: bool | None = None) -> None:
        """Sort the tensor in place along `axis`, NaN last. `np.sort(t)` gives another tensor, and has a gradient.

        Refused, as every write in place is, where the graph needs the old numbers.
        """
        self._reorder(np.sort, axis, kind=kind, stable=stable)

    def argsort(
        self, axis: int | None = -1, kind: str | None = None, order: str | None = None, *, stable: bool | None = None
    ) -> Tensor:
        """The indices that sort x along `axis`: integers, so without a derivative. See `tg.argsort`."""
        if order is None:
            return ANSWERS[np.argsort](self, axis, kind, stable=stable)
        return ANSWERS[np.argsort](self, axis, kind, order, stable=stable)

    def partition(self, kth: Shape, axis: int = -1) -> None:
        """Move, in place, the kth smallest element along `axis` to where sorting puts it, none before it being greater.

        `np.partition(t, kth)` gives another tensor, and has a gradient.
        """
        self._reorder(np.partition, axis, kth=kth)

    def clip(
        self, min: ArrayLike | None = None, max: ArrayLike | None = None, out: Out = None, **options: DType
    ) -> Tensor:
        """y = min(max(x, low), high). See `tg.clip`."""
        if out is None and not options:
            return ANSWERS[np.clip](self, min, max)
        return ANSWERS[np.clip](self, min, max, out, **options)

    def round(self, decimals: int = 0, out: Out = None) -> Tensor:
        """y = x rounded to so many decimals, halves to even. See `tg.round`."""
        return ANSWERS[np.round](self, decimals) if out is None else ANSWERS[np.round](self, decimals, out)

    def dot(self, other: ArrayLike, out: Out = None) -> Tensor:
        """y = a·b: the matrix product for vectors and matrices, the product for numbers. See `tg.dot`."""
        return ANSWERS[np.dot](self, other) if out is None else ANSWERS[np.dot](self, other, out)

    def matmul(self, other: ArrayLike) -> Tensor:
        """y = a @ b, yᵢⱼ = Σₖ aᵢₖ·bₖⱼ: the matrix product. See `tg.matmul`."""
        return np.matmul(self, other)

    def astype(
        self, dtype: DType, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True
    ) -> Tensor:
        """y = x as numbers of another type. See `tg.astype`."""
        _any_order("astype", order)
        wanted = np.dtype(dtype)
        if casting != "unsafe" and not np.can_cast(self.ndarray.dtype, wanted, casting):
            raise TypeError(f"astype() got casting={casting!r}, which does not cast {self.ndarray.dtype} to {wanted}")
        return np.astype(self, wanted, copy=copy)

    def copy(self, order: str = "C") -> Tensor:
        """y = x, in memory of its own. See `tg.copy`."""
        _any_order("copy", order)
        return np.copy(self)

    def conj(self) -> Tensor:
        """y = x*, the complex conjugate. See `tg.conjugate`."""
        return np.conjugate(self)

    def conjugate(self) -> Tensor:
        """y = x*, the complex conjugate. See `tg.conjugate`."""
        return np.conjugate(self)

    def exp(self) -> Tensor:
        """y = eˣ. See `tg.exp`."""
        return np.exp(self)

    def log(self) -> Tensor:
        """y = ln x. See `tg.log`."""
        return np.log(self)

    def sqrt(self) -> Tensor:
        """y = √x. See `tg.sqrt`."""
        return np.sqrt(self)

    def abs(self) -> Tensor:
        """y = |x|. See `tg.absolute`."""
        return np.absolute(self)

    def sin(self) -> Tensor:
        """y = sin x. See `tg.sin`."""
        return np.sin(self)

    def cos(self) -> Tensor:
        """y = cos x. See `tg.cos`."""
        return np.cos(self)

    def tanh(self) -> Tensor:
        """y = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ). See `tg.tanh`."""
        return np.tanh(self)

    def pow(self, exponent: ArrayLike) -> Tensor:
        """y = aᵇ. See `tg.power`."""
        return np.power(self, exponent)

    def relu(self) -> Tensor:
        """y = max(x, 0). See `tg.relu`."""
        return ANSWERS["relu"](self)

    def sigmoid(self) -> Tensor:
        """y = 1 / (1 + e⁻ˣ), the logistic function. See `tg.sigmoid`."""
        return ANSWERS["sigmoid"](self)

    def softmax(self, axis: int = -1, **options: Never) -> Tensor:
        """yᵢ = exp xᵢ / Σⱼ exp xⱼ: positive numbers that add up to 1 along an axis. See `tg.softmax`."""
        return ANSWERS["softmax"](self, axis=axis, **options)

    def log_softmax(self, axis: int = -1, **options: Never) -> Tensor:
        """yᵢ = xᵢ − ln Σⱼ exp xⱼ, the logarithm of softmax. See `tg.log_softmax`."""
        return ANSWERS["log_softmax"](self, axis=axis, **options)

    def nonzero(self) -> tuple[Tensor, ...]:
        """The indices of the elements that are not zero, an array of them for each axis. See `tg.nonzero`."""
        return np.nonzero(self)

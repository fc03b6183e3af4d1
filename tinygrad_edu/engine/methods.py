"""The methods of tensors: those of NumPy's arrays, with their arguments, and PyTorch's for neural networks.

Each is one call of the function of its name, whose own text says more: `help(tg.sum)`. What few calls give, a type to
compute in or a place to write to, is looked for first: the way without it is the shorter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from tinygrad_edu.engine.protocols import NumPyProtocols
from tinygrad_edu.engine.registry import ANSWERS

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _any_order(name: str, order: Any) -> None:
    """How a result lies in memory is decided by the op that computes it: by rows, or as its input does."""
    if order not in ("K", "A", "C"):
        raise TypeError(
            f"{name}() of a Tensor takes order='K', 'A' or 'C', but got {order!r}; for columns write t.T.copy().T"
        )


class TensorMethods(NumPyProtocols):
    """What can be called on a tensor, as `t.sum()`."""

    __slots__ = ()

    _reorder: Callable[..., None]

    def sum(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, *others: Any, **options: Any
    ) -> Any:
        """y = Σ x, over all axes or some. See `tg.sum`."""
        if dtype is None and out is None and not others and not options:
            return ANSWERS["sum"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.sum](self, axis, dtype, out, keepdims, *others, **options)

    def prod(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, *others: Any, **options: Any
    ) -> Any:
        """y = ∏ x. See `tg.prod`."""
        if dtype is None and out is None and not others and not options:
            return ANSWERS["prod"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.prod](self, axis, dtype, out, keepdims, *others, **options)

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, **options: Any) -> Any:
        """y = Σ x / n, with n the number of elements that go into one of y. See `tg.mean`."""
        if dtype is None and out is None and not options:
            return ANSWERS["mean"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.mean](self, axis, dtype, out, keepdims, **options)

    def max(self, axis: Any = None, out: Any = None, keepdims: bool = False, *others: Any, **options: Any) -> Any:
        """y = max x, NaN if there is one. See `tg.max`."""
        if out is None and not others and not options:
            return ANSWERS["max"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.max](self, axis, out, keepdims, *others, **options)

    def min(self, axis: Any = None, out: Any = None, keepdims: bool = False, *others: Any, **options: Any) -> Any:
        """y = min x, NaN if there is one. See `tg.min`."""
        if out is None and not others and not options:
            return ANSWERS["min"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.min](self, axis, out, keepdims, *others, **options)

    def any(self, axis: Any = None, out: Any = None, keepdims: bool = False, **options: Any) -> Any:
        """y: is any element not zero? See `tg.any`."""
        if out is None and not options:
            return ANSWERS["any"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.any](self, axis, out, keepdims, **options)

    def all(self, axis: Any = None, out: Any = None, keepdims: bool = False, **options: Any) -> Any:
        """y: is no element zero? See `tg.all`."""
        if out is None and not options:
            return ANSWERS["all"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.all](self, axis, out, keepdims, **options)

    def var(
        self,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: Any = 0,
        keepdims: bool = False,
        **options: Any,
    ) -> Any:
        """y = Σ |x − mean x|² / (n − c): the variance. See `tg.var`."""
        if dtype is None and out is None and not options:
            return ANSWERS["var"](self, axis=axis, ddof=ddof, keepdims=keepdims)
        return ANSWERS[np.var](self, axis, dtype, out, ddof, keepdims, **options)

    def std(
        self,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: Any = 0,
        keepdims: bool = False,
        **options: Any,
    ) -> Any:
        """y = √var x: the standard deviation. See `tg.std`."""
        if dtype is None and out is None and not options:
            return ANSWERS["std"](self, axis=axis, ddof=ddof, keepdims=keepdims)
        return ANSWERS[np.std](self, axis, dtype, out, ddof, keepdims, **options)

    def argmax(self, axis: int | None = None, out: Any = None, *, keepdims: bool = False, **options: Any) -> Any:
        """y is the place of the largest element along an axis, of the first if there are several. See `tg.argmax`."""
        if out is None and not options:
            return ANSWERS["argmax"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.argmax](self, axis, out, keepdims=keepdims, **options)

    def argmin(self, axis: int | None = None, out: Any = None, *, keepdims: bool = False, **options: Any) -> Any:
        """y is the place of the smallest element along an axis. See `tg.argmin`."""
        if out is None and not options:
            return ANSWERS["argmin"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.argmin](self, axis, out, keepdims=keepdims, **options)

    def cumsum(self, axis: int | None = None, dtype: Any = None, out: Any = None, **options: Any) -> Any:
        """yₜ = x₀ + x₁ + … + xₜ along an axis; without one, along x as one row. See `tg.cumsum`."""
        if dtype is None and out is None and not options:
            return ANSWERS["cumsum"](self, axis)
        return ANSWERS[np.cumsum](self, axis, dtype, out, **options)

    def cumprod(self, axis: int | None = None, dtype: Any = None, out: Any = None, **options: Any) -> Any:
        """yₜ = x₀·x₁·…·xₜ along an axis; without one, along x as one row. See `tg.cumprod`."""
        if dtype is None and out is None and not options:
            return ANSWERS["cumprod"](self, axis)
        return ANSWERS[np.cumprod](self, axis, dtype, out, **options)

    def logsumexp(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Any:
        """y = log Σ eˣ: a smooth maximum. See `tg.logsumexp`."""
        return ANSWERS["logsumexp"](self, axis=axis, keepdims=keepdims, **options)

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
        """y holds the elements of x, row by row, in another shape; one length may be −1. See `tg.reshape`."""
        return ANSWERS[np.reshape](self, shape[0] if len(shape) == 1 else shape, order=order, copy=copy)

    def ravel(self, order: str = "C") -> Any:
        """y is x as one row. See `tg.ravel`."""
        return np.ravel(self, order)

    def flatten(self, order: str = "C", **options: Any) -> Any:
        """y holds the elements of the tensor as one row: `np.reshape(t, -1)`."""
        if options or not isinstance(order, str):
            raise TypeError(
                "flatten() of a Tensor makes one row of all axes; to keep the first, write t.reshape(len(t), -1)"
            )
        row = np.reshape(self, -1, order=order)
        return row if row.op is not None else row.copy()  # as NumPy's, it may be written without writing this one

    def transpose(self, *axes: Any) -> Any:
        """y = xᵀ: the axes in reverse, or in the order `axes`. See `tg.transpose`."""
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) if axes else None)

    def permute(self, *axes: Any) -> Any:
        """y has the axes of the tensor in the order `axes`: `np.transpose(t, axes)`."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """y is x with two axes exchanged. See `tg.swapaxes`."""
        return np.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Any = None, **options: Any) -> Any:
        """y is x without its axes of length 1, or without those in `axis`. See `tg.squeeze`."""
        return ANSWERS["squeeze"](self, axis=axis, **options)

    def unsqueeze(self, *axis: int, **options: Any) -> Any:
        """y has one more axis, of length 1, at the place `axis`: `np.expand_dims(t, axis)`."""
        return ANSWERS["expand_dims"](self, *axis, **options)

    def repeat(self, repeats: Any, axis: int | None = None) -> Any:
        """y is x with each element (each slice along `axis`) repeated in place. See `tg.repeat`."""
        return np.repeat(self, repeats, axis=axis)

    def take(self, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Any:
        """y = x[…, indices, …]: elements of x along `axis`, or of the ravelled x. See `tg.take`."""
        if out is None:
            return ANSWERS[np.take](self, indices, axis, mode=mode)
        return ANSWERS[np.take](self, indices, axis, out, mode)

    def compress(self, condition: Any, axis: int | None = None, out: Any = None) -> Any:
        """The slices of x along `axis` (or elements of the ravelled x) where the one-dimensional condition is true. See `tg.compress`."""
        return ANSWERS[np.compress](condition, self, axis, out)

    def choose(self, choices: Any, out: Any = None, mode: str = "raise") -> Any:
        """yᵢ = choices[whichᵢ]ᵢ: from several arrays, broadcast together, the element of the one that `which` names. See `tg.choose`."""
        return ANSWERS[np.choose](self, choices, out, mode)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """yᵢ = xᵢᵢ (or xᵢ,ᵢ₊ₒ, for an offset o) in the two axes, which are replaced by one. See `tg.diagonal`."""
        return np.diagonal(self, offset, axis1, axis2)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
        """y = Σᵢ xᵢᵢ: the sum along the diagonal of two axes. See `tg.trace`."""
        if dtype is None and out is None:
            return ANSWERS[np.trace](self, offset, axis1, axis2)
        return ANSWERS[np.trace](self, offset, axis1, axis2, dtype, out)

    def sort(self, axis: int = -1, kind: Any = None, *, stable: bool | None = None) -> None:
        """Sort the tensor in place along `axis`, NaN last. `np.sort(t)` gives another tensor, and has a gradient.

        Refused, as every write in place is, where the graph needs the old numbers.
        """
        self._reorder(np.sort, axis, kind=kind, stable=stable)

    def argsort(self, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
        """The indices that sort x along `axis`: integers, so without a derivative. See `tg.argsort`."""
        if order is None:
            return ANSWERS[np.argsort](self, axis, kind, stable=stable)
        return ANSWERS[np.argsort](self, axis, kind, order, stable=stable)

    def partition(self, kth: Any, axis: int = -1) -> None:
        """Move, in place, the kth smallest element along `axis` to where sorting puts it, none before it being greater.

        `np.partition(t, kth)` gives another tensor, and has a gradient.
        """
        self._reorder(np.partition, axis, kth=kth)

    def clip(self, min: Any = None, max: Any = None, out: Any = None, **options: Any) -> Any:
        """y = min(max(x, low), high). See `tg.clip`."""
        if out is None and not options:
            return ANSWERS[np.clip](self, min, max)
        return ANSWERS[np.clip](self, min, max, out, **options)

    def round(self, decimals: int = 0, out: Any = None) -> Any:
        """y = x rounded to so many decimals, halves to even. See `tg.round`."""
        return ANSWERS[np.round](self, decimals) if out is None else ANSWERS[np.round](self, decimals, out)

    def dot(self, other: Any, out: Any = None) -> Any:
        """y = a·b: the matrix product for vectors and matrices, the product for numbers. See `tg.dot`."""
        return ANSWERS[np.dot](self, other) if out is None else ANSWERS[np.dot](self, other, out)

    def matmul(self, other: Any) -> Any:
        """y = a @ b, yᵢⱼ = Σₖ aᵢₖ·bₖⱼ: the matrix product. See `tg.matmul`."""
        return np.matmul(self, other)

    def astype(
        self, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True
    ) -> Any:
        """y = x as numbers of another type. See `tg.astype`."""
        _any_order("astype", order)
        wanted = np.dtype(dtype)
        if casting != "unsafe" and not np.can_cast(self.ndarray.dtype, wanted, casting):
            raise TypeError(f"astype() got casting={casting!r}, which does not cast {self.ndarray.dtype} to {wanted}")
        return np.astype(self, wanted, copy=copy)

    def copy(self, order: str = "C") -> Any:
        """y = x, in memory of its own. See `tg.copy`."""
        _any_order("copy", order)
        return np.copy(self)

    def conj(self) -> Any:
        """y = x*, the complex conjugate. See `tg.conjugate`."""
        return np.conjugate(self)

    def conjugate(self) -> Any:
        """y = x*, the complex conjugate. See `tg.conjugate`."""
        return np.conjugate(self)

    def exp(self) -> Any:
        """y = eˣ. See `tg.exp`."""
        return np.exp(self)

    def log(self) -> Any:
        """y = ln x. See `tg.log`."""
        return np.log(self)

    def sqrt(self) -> Any:
        """y = √x. See `tg.sqrt`."""
        return np.sqrt(self)

    def abs(self) -> Any:
        """y = |x|. See `tg.absolute`."""
        return np.absolute(self)

    def sin(self) -> Any:
        """y = sin x. See `tg.sin`."""
        return np.sin(self)

    def cos(self) -> Any:
        """y = cos x. See `tg.cos`."""
        return np.cos(self)

    def tanh(self) -> Any:
        """y = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ). See `tg.tanh`."""
        return np.tanh(self)

    def pow(self, exponent: Any) -> Any:
        """y = aᵇ. See `tg.power`."""
        return np.power(self, exponent)

    def relu(self) -> Any:
        """y = max(x, 0). See `tg.relu`."""
        return ANSWERS["relu"](self)

    def sigmoid(self) -> Any:
        """y = 1 / (1 + e⁻ˣ), the logistic function. See `tg.sigmoid`."""
        return ANSWERS["sigmoid"](self)

    def softmax(self, axis: int = -1, **options: Any) -> Any:
        """yᵢ = exp xᵢ / Σⱼ exp xⱼ: positive, and summing to 1 along `axis`. See `tg.softmax`."""
        return ANSWERS["softmax"](self, axis=axis, **options)

    def log_softmax(self, axis: int = -1, **options: Any) -> Any:
        """yᵢ = xᵢ − ln Σⱼ exp xⱼ, the logarithm of softmax, finite where softmax is 0. See `tg.log_softmax`."""
        return ANSWERS["log_softmax"](self, axis=axis, **options)

    def nonzero(self) -> tuple[Any, ...]:
        """The indices of the elements that are not zero, an array of them for each axis. See `tg.nonzero`."""
        return np.nonzero(self)

"""Transformations of functions: `value_and_grad`, `vjp`, `jvp`, `jacobian`, `hessian` and `hvp` call a function once and
read its derivatives off the record. They nest: inside a function that one of them differentiates, the others record.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from tinygrad_edu.engine.backward import grad, gradients
from tinygrad_edu.engine.derived import RECORDED, Before, called_on, record_of, slopes, to_differentiate, transformed
from tinygrad_edu.engine.recording import recording
from tinygrad_edu.engine.tensor import Tensor

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike, Number


@overload
def value_and_grad(f: Callable[..., Tensor], argnums: int = 0) -> Callable[..., tuple[Tensor, Tensor]]: ...
@overload
def value_and_grad(
    f: Callable[..., Tensor], argnums: Sequence[int]
) -> Callable[..., tuple[Tensor, tuple[Tensor, ...]]]: ...
def value_and_grad(f: Callable[..., Tensor], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that returns `f(*args)` and its gradient by the arguments `argnums`.

    f: a function of tensors, arrays or numbers that returns a single number. An argument that it does not depend on has
        the gradient 0.
    argnums: the position of an argument, or several as a tuple; the gradients are then a tuple too.

    Both results are recorded with respect to the tensors that `f` used, and the arguments, that require a gradient: a
    loss made of them trains the weights inside. What needs no such record is computed under `no_grad()`, for a result
    holds that of its run: in `x = x - 0.1 * slope`, each step would hold the one before.

    >>> value, slope = value_and_grad(lambda x: x * x)(3.0)
    >>> value.item(), slope.item()
    (9.0, 6.0)

    >>> import tinygrad_edu as tg
    >>> w = tg.Tensor(2.0, requires_grad=True)
    >>> _, slope = value_and_grad(lambda x: w * x * x)(3.0)  # 2wx
    >>> slope.backward()
    >>> w.grad.item()
    6.0
    """
    positions = (argnums,) if isinstance(argnums, int) else argnums
    if not isinstance(positions, list | tuple) or not all(isinstance(i, int) for i in positions):
        raise TypeError(f"value_and_grad(argnums=) takes the position of an argument, or a tuple, but got {argnums!r}")

    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Tensor, Any]:
        if not all(-len(args) <= i < len(args) for i in positions):
            raise TypeError(f"value_and_grad(argnums={argnums}) got {len(args)} arguments, which have no such position")

        def called(*xs: Tensor) -> Tensor:
            given = list(args)
            for i, x in zip(positions, xs, strict=True):
                given[i] = x
            return f(*given, **kwargs)

        y, gradients = transformed(
            ("value_and_grad", "∇"),
            called,
            [args[i] for i in positions],
            lambda y, xs, order, kept: slopes(y, xs, None, order, kept),
        )
        return y, gradients[0] if isinstance(argnums, int) else tuple(gradients)

    return value_and_gradient


@overload
def vjp(
    f: Callable[..., Tensor], inputs: Tensor | Array | Number, v: ArrayLike | None = None, create_graph: bool = False
) -> tuple[Tensor, Tensor]: ...
@overload
def vjp(
    f: Callable[..., Tensor], inputs: Sequence[ArrayLike], v: ArrayLike | None = None, create_graph: bool = False
) -> tuple[Tensor, tuple[Tensor, ...]]: ...
def vjp(
    f: Callable[..., Tensor], inputs: ArrayLike, v: ArrayLike | None = None, create_graph: bool = False
) -> tuple[Any, Any]:
    """`f(*inputs)` and the vector–Jacobian product vᵀ·J: one walk back, however many inputs.

    f: a function of tensors that returns one.
    inputs: its arguments: one, or a tuple or list of several; the gradient is then a tuple too.
    v: the vector, of the shape of the output; it may be left out for a single number.
    create_graph: whether the derivative is recorded op by op as it is computed; otherwise one node stands for it.

    Both results are recorded with respect to what requires a gradient, as those of `value_and_grad`; so they are of the
    transformations below.

    >>> y, g = vjp(lambda x: x * x, np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    >>> g.tolist()
    [2.0, 40.0]
    """
    args, single = _inputs(inputs)
    y, gradients = transformed(
        ("vjp", "vᵀJ"), f, args, lambda y, xs, order, kept: slopes(y, xs, v, order, kept), (v,), create_graph
    )
    return y, gradients[0] if single else tuple(gradients)


def jvp(f: Callable[..., Tensor], inputs: ArrayLike, v: Any, create_graph: bool = False) -> tuple[Tensor, Tensor]:
    """`f(*inputs)` and the Jacobian–vector product J·v: the change of the output along `v`.

    A rule is linear in its incoming gradient u, so uᵀ·J is a recorded function of u, and differentiating
    that by u, along v, gives J·v (Townsend's double-backward trick, 2017).

    v: of the shape of the input; of several inputs, as many.

    The other parameters are those of `vjp`.

    >>> y, t = jvp(lambda x: x * x, np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    >>> t.tolist()
    [2.0, 40.0]
    """
    args, single = _inputs(inputs)
    vs = [v] if single else list(v)
    if len(vs) != len(args) or any(np.shape(vi) != np.shape(x) for vi, x in zip(vs, args, strict=False)):
        raise ValueError(
            f"jvp() needs a v of the inputs' shapes {[np.shape(x) for x in args]}, but got {[np.shape(vi) for vi in vs]}"
        )

    def push(y: Tensor, xs: list[Tensor], order: list[Tensor], create_graph: bool) -> list[Tensor]:
        tangent = None
        if y.needs_grad:
            u = to_differentiate(np.zeros_like(y.ndarray))
            pulled = gradients([(y, u)], xs, True, list(order))
            pairs = [(g, vi) for g, vi in zip(pulled, vs, strict=True) if g is not None and g.needs_grad]
            if pairs:
                tangent = grad([g for g, _ in pairs], u, [vi for _, vi in pairs], create_graph, allow_unused=True)
        if tangent is None:  # nowhere does y change with its inputs
            tangent = y.constant(np.zeros_like(y.ndarray))
        return [tangent]

    y, tangents = transformed(("jvp", "Jv"), f, args, push, vs, create_graph)
    return y, tangents[0]


@overload
def jacobian(f: Callable[..., Tensor], inputs: Tensor | Array | Number, create_graph: bool = False) -> Tensor: ...
@overload
def jacobian(
    f: Callable[..., Tensor], inputs: Sequence[ArrayLike], create_graph: bool = False
) -> tuple[Tensor, ...]: ...
def jacobian(f: Callable[..., Tensor], inputs: ArrayLike, create_graph: bool = False) -> Any:
    """The Jacobian J[i, j] = ∂yᵢ/∂xⱼ, of shape `y.shape + x.shape`: it takes one walk back for each element of y.

    Returns a tensor for a single input, a tuple for a sequence of inputs. The parameters are those of `vjp`.

    >>> jacobian(lambda x: x * x, np.array([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    return _jacobian(("jacobian", "J"), f, inputs, create_graph)


def _jacobian(called: tuple[str, str], f: Callable[..., Tensor], inputs: Any, create_graph: bool) -> Any:
    args, single = _inputs(inputs)

    def read(y: Any, xs: list[Tensor], order: list[Tensor], create_graph: bool) -> list[Any]:
        rows = []
        for index in np.ndindex(y.shape):
            chosen = RECORDED.run(operator.getitem, y, index)  # what another row hangs on is absent from this one
            rows.append(slopes(chosen, xs, None, [*order, chosen], create_graph))
        if not rows:
            return [x.constant(np.zeros(y.shape + x.shape, x.dtype)) for x in xs]
        return [
            np.reshape(np.stack(column), y.shape + x.shape)
            for x, column in zip(xs, zip(*rows, strict=True), strict=True)
        ]

    def recorded_or_not(y: Tensor, xs: list[Tensor], order: list[Tensor], create_graph: bool) -> list[Tensor]:
        return list(recording(enabled=create_graph).run(read, y, xs, order, create_graph))

    columns = transformed(called, f, args, recorded_or_not, (), create_graph)[1]
    return columns[0] if single else tuple(columns)


def hessian(f: Callable[..., Tensor], x: ArrayLike, create_graph: bool = False) -> Tensor:
    """The Hessian H[i, j] = ∂²y/∂xᵢ∂xⱼ of a single number, of shape `x.shape + x.shape`: the Jacobian of the gradient. It
    takes one walk back for each element of x.

    f: a function of one tensor that returns a single number.
    x: its argument, a tensor, an array or a number.
    create_graph: whether the derivative is recorded op by op as it is computed; otherwise one node stands for it.

    >>> hessian(lambda x: (x ** 3).sum(), np.array([1.0, 2.0])).tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    _refuse_several(x, "hessian")

    def slope(t: Tensor) -> Tensor:
        y = called_on(f, t)
        return slopes(y, [t], None, record_of(y, Before(t.made_at)), True)[0]

    return _jacobian(("hessian", "H"), slope, x, create_graph)


def hvp(f: Callable[..., Tensor], x: ArrayLike, v: ArrayLike, create_graph: bool = False) -> tuple[Tensor, Tensor]:
    """`f(x)` and the Hessian–vector product H·v, without forming H: it is the gradient of ⟨∇f, v⟩.

    v: the vector, of x's shape.

    The other parameters are those of `hessian`.

    >>> y, Hv = hvp(lambda x: (x ** 3).sum(), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    >>> Hv.tolist()
    [6.0, 12.0]
    """
    _refuse_several(x, "hvp")

    def product(y: Tensor, xs: list[Tensor], order: list[Tensor], create_graph: bool) -> list[Tensor]:
        slope = slopes(y, xs, None, order, True)[0]
        return slopes(slope, xs, v, record_of(slope, Before(xs[0].made_at)), create_graph)

    y, products = transformed(("hvp", "Hv"), f, [x], product, (v,), create_graph)
    return y, products[0]


def _inputs(inputs: Any) -> tuple[list[Any], bool]:
    return (list(inputs), False) if isinstance(inputs, tuple | list) else ([inputs], True)


def _refuse_several(x: Any, what: str) -> None:
    if isinstance(x, tuple | list):
        raise TypeError(
            f"{what}() takes one input, but got a {type(x).__name__}, which stands for several in jacobian() and vjp(); "
            "write np.array([...]), or join tensors into one by np.concatenate"
        )

"""The functions with an underscore, which fill a tensor in place, made from those without."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn.init.fans import Shape
from tinygrad_edu.nn.init.scaled import (
    kaiming_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_uniform,
    xavier_normal,
    xavier_uniform,
)
from tinygrad_edu.nn.init.structured import dirac, eye, orthogonal, sparse
from tinygrad_edu.nn.init.values import constant, normal, ones, trunc_normal, uniform, zeros

if TYPE_CHECKING:
    from numpy.typing import NDArray

P = ParamSpec("P")
T = TypeVar("T")  # a Tensor, or an array


def _in_place(
    make: Callable[Concatenate[Shape, P], NDArray[Any]], more: str = "", shape: Shape = (4, 3)
) -> Callable[Concatenate[T, P], T]:
    """The function that fills a tensor with what `make` gives for its shape and type, and returns the tensor.

    more, shape: what the example in its docstring gives it beside a tensor, and the shape of that tensor.
    """

    drawn: Callable[..., NDArray[Any]] = make

    def fill(tensor: T, /, *args: P.args, **options: P.kwargs) -> T:
        if not isinstance(tensor, Tensor | np.ndarray):
            raise TypeError(f"init.{make.__name__}_() fills a tensor, but got {type(tensor).__name__} {tensor!r:.60}")
        if tensor.dtype.kind != "f":
            raise TypeError(f"init.{make.__name__}_() fills floating numbers, but got {tensor.dtype}")
        no_grad().run(tensor.__setitem__, ..., drawn(tensor.shape, *args, dtype=tensor.dtype, **options))
        return tensor

    taken = inspect.signature(make)
    parameters = [p for p in taken.parameters.values() if p.name != "dtype"]
    first = inspect.Parameter("tensor", inspect.Parameter.POSITIONAL_ONLY)
    vars(fill)["__signature__"] = taken.replace(parameters=[first, *parameters[1:]])
    fill.__name__ = fill.__qualname__ = f"{make.__name__}_"
    fill.__doc__ = "\n".join(
        [
            f"Fill a tensor, in place, with what `{make.__name__}` makes for its shape and type, and return the tensor.",
            "",
            "tensor: floating numbers, in a tensor or an array.",
            *_explained(make),
            "",
            f">>> tensor = Tensor(np.zeros({shape}))",
            f">>> {make.__name__}_(tensor{more}) is tensor",
            "True",
        ]
    )
    return fill


def _explained(make: Callable[..., Any]) -> list[str]:
    """Those lines of a docstring that explain parameters, but for the shape and the type, which a tensor has already."""
    return re.findall(
        r"^(?!shape|dtype)[a-z_]+(?:, [a-z_]+)*: .*(?:\n    .*)*", inspect.getdoc(make) or "", re.MULTILINE
    )


zeros_ = _in_place(zeros)
ones_ = _in_place(ones)
constant_ = _in_place(constant, ", 0.5")
uniform_ = _in_place(uniform)
normal_ = _in_place(normal)
trunc_normal_ = _in_place(trunc_normal)
xavier_uniform_ = _in_place(xavier_uniform)
xavier_normal_ = _in_place(xavier_normal)
kaiming_uniform_ = _in_place(kaiming_uniform)
kaiming_normal_ = _in_place(kaiming_normal)
lecun_uniform_ = _in_place(lecun_uniform)
lecun_normal_ = _in_place(lecun_normal)
orthogonal_ = _in_place(orthogonal)
sparse_ = _in_place(sparse, ", 0.5")
eye_ = _in_place(eye)
dirac_ = _in_place(dirac, shape=(4, 2, 3))

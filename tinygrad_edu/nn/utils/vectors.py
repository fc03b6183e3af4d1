"""All parameters as one vector, and back: for methods that see a network as a function of a point."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy

from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn.utils.clipping import learnt
from tinygrad_edu.ops.types import array

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The numbers of all parameters in a row, (n,). It is recorded, and has the numbers of each shared parameter once.

    Raises TypeError for what is no tensor, ValueError for no parameters.

    >>> parameters_to_vector([Tensor([[1.0, 2.0]]), Tensor(3.0)]).tolist()
    [1.0, 2.0, 3.0]
    """
    tensors = learnt("parameters_to_vector", parameters)
    if not tensors:
        raise ValueError("parameters_to_vector() got no parameters")
    vector: Tensor = np.concatenate([np.ravel(p) for p in tensors])
    return vector


def vector_to_parameters(vec: Any, parameters: Iterable[Tensor]) -> None:
    """Write the numbers of a vector into the parameters, in their order: it undoes `parameters_to_vector`.

    vec: (n,), a tensor or an array.
    parameters: the tensors that are written. Graphs that used them are stale from then on.

    Raises ValueError, and writes nothing, for a vector of another length.

    >>> w, b = Tensor([[0.0, 0.0]]), Tensor(0.0)
    >>> vector_to_parameters(np.array([1.0, 2.0, 3.0]), [w, b])
    >>> w.tolist(), b.item()
    ([[1.0, 2.0]], 3.0)
    """
    tensors, vec = learnt("vector_to_parameters", parameters), array(vec)
    count = sum([p.size for p in tensors])
    if vec.shape != (count,):
        raise ValueError(f"vector_to_parameters() takes a vector of {count} numbers, but got the shape {vec.shape}")

    def write() -> None:
        start = 0
        for p in tensors:
            p[...] = np.reshape(vec[start : start + p.size], p.shape)
            start += p.size

    no_grad().run(write)

"""Runs a rule over a parameter in place, one part after another.

Each operation of a rule makes an array. Where the part fits the processor's cache, the array is made and read there,
and no array as large as the parameter is made at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.optim.groups import State

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array

Values: TypeAlias = "Array | Tensor"
"""What a rule computes with: arrays, or tensors where its formula is recorded."""

NOWHERE: Mapping[str, Any] = MappingProxyType({})
"""The `out` of a rule that writes nothing."""

BYTES_OF_A_PART = 1 << 18
"""The bytes of a part: a parameter's, its gradient's and the rule's results together stay in the cache."""

Rule = Callable[..., tuple[Any, State]]


def write(
    rule: Rule, param: Array, grad: Array, state: State, settings: Mapping[str, Any], maximize: bool, who: str
) -> None:
    """Run the rule in parts, and write its results into the parameter and into the arrays of the state.

    rule: the `update` of an optimizer.
    param, grad: arrays of one shape.
    state: arrays of that shape, by name.
    settings: what the rule is given by name.
    maximize: whether the rule is given −grad.
    who: the optimizer, for errors.
    """
    for w, g, s in parts(param, grad, state) if param.nbytes > BYTES_OF_A_PART else ((param, grad, state),):
        new, result = made = rule(w, -g if maximize else g, s, {"param": w, **s}, **settings)
        if new is not w or len(result) != len(s):
            refuse_result(who, made, w, s)
            w[...] = new
        for key in s:
            if result.get(key) is not s[key]:
                refuse_result(who, made, w, s)
                s[key][...] = result[key]


def parts(param: Array, grad: Array, state: State) -> Iterator[tuple[Any, Any, State]]:
    """Yield views of the same part of a parameter, its gradient and its state, one part after another."""
    if all(a.flags.c_contiguous for a in (param, grad, *state.values())):
        param, grad = param.reshape(-1), grad.reshape(-1)
        state = {key: array.reshape(-1) for key, array in state.items()}
    longest = max(param.shape)  # arrays that do not lie row by row are cut along the longest axis
    length = max(1, longest * BYTES_OF_A_PART // param.nbytes)
    before = (slice(None),) * param.shape.index(longest)
    for i in range(0, longest, length):
        part = (*before, slice(i, i + length))
        yield param[part], grad[part], {key: array[part] for key, array in state.items()}


def refuse_result(who: str, made: tuple[Any, State], param: Values, state: State) -> None:
    """Raise if a rule returned arrays that cannot be the parameter and its state."""
    new, result = made
    if result.keys() != state.keys():
        kept = f"{{{', '.join(f'{key!r}: 0.0' for key in result)}}}"
        raise KeyError(
            f"the rule of {who} returned the state {', '.join(result) or 'of nothing'}, but its start() says "
            f"{', '.join(state) or 'nothing'}; write def start(self, settings): return {kept}"
        )
    for name, array in {"param": new, **result}.items():
        if np.shape(array) != param.shape:
            raise ValueError(
                f"the rule of {who} returned a {name} of shape {np.shape(array)} for a parameter of shape {param.shape}; "
                "it computes element by element, on a part of a parameter at a time"
            )

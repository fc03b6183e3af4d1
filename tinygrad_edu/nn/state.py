"""Loading a state into a module: either all of it is written, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.engine.tensor import Tensor


class LoadReport(NamedTuple):
    """What `load_state_dict` found: the paths that only the module has, and those that only the state has."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def load(called: str, own: Mapping[str, Tensor], state: Mapping[str, Any], strict: bool) -> LoadReport:
    """Write the arrays of `state` into the tensors of the same paths, if all fit. See `Module.load_state_dict`."""
    if not isinstance(state, Mapping):
        raise TypeError(f"load_state_dict() takes a mapping of names to arrays, but got {type(state).__name__}")
    given = {path: np.asarray(value.ndarray if isinstance(value, Tensor) else value) for path, value in state.items()}
    missing = [path for path in own if path not in given]
    unexpected = [path for path in given if path not in own]
    faults = []
    if strict:
        faults += [f"missing: {path} {own[path].shape}" for path in missing]
        faults += [f"not expected: {path} {given[path].shape}" for path in unexpected]
    faults += [fault for path, array in given.items() if path in own for fault in _faults(path, own[path], array)]
    if faults:
        lines = "\n  ".join(faults)
        raise ValueError(f"the state does not fit {called}, which is unchanged:\n  {lines}")
    for path, member in own.items():
        if path in given:
            numbers(member, "load_state_dict()")[...] = given[path]
            member.note_write()
    return LoadReport(missing, unexpected)


def _faults(path: str, own: Tensor, array: Any) -> list[str]:
    """Why an array cannot be written into a tensor: a list of one line, or an empty one."""
    if array.shape != own.shape:
        said = f"{path}: expected shape {own.shape}, but got {array.shape}"
        if not own.size and array.size:
            said += "; call the model once before, so that its layers know what they take"
        elif array.ndim == 2 and array.shape == own.shape[::-1]:
            said += f", which is transposed, as PyTorch keeps it: write state[{path!r}] = state[{path!r}].T"
        return [said]
    if not np.can_cast(array.dtype, own.dtype, "same_kind"):
        return [f"{path}: expected {own.dtype}, but got {array.dtype}"]
    return []

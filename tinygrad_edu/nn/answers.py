"""Errors for what a module does not have: names and arguments of other libraries, and names that are taken."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from tinygrad_edu.engine.elsewhere import meant, unexpected
from tinygrad_edu.engine.tensor import Tensor


def taken(kind: type, name: str, value: Any) -> TypeError:
    """The error for an attribute that would hide a method."""
    other = {"modules": "layers", "children": "layers", "parameters": "weights", "buffers": "state"}.get(
        name, f"my_{name}"
    )
    return TypeError(
        f"{kind.__name__}.{name} is a method of every Module, and {type(value).__name__} in its place would hide it; call the "
        f"attribute otherwise: self.{other} = ..."
    )


def check_arguments(kind: type[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise TypeError for arguments that another library's layer would take, and for the input of a layer."""
    name = kind.__name__
    own = kind.__module__.startswith("tinygrad_edu.")
    called = f"nn.{name}" if own else name
    takes: dict[str, Any] = {}
    if kind.__init__ is not object.__init__:
        takes = dict(list(inspect.signature(kind.__init__).parameters.items())[1:])
    for arg in args:
        if own and "reduction" in takes and isinstance(arg, str):
            raise TypeError(f"{name}() takes reduction by name: write {called}(reduction={arg!r})")
    tensors = [arg for arg in args if isinstance(arg, Tensor | np.ndarray)]
    if tensors and (not takes or (own and (len(tensors) > 1 or "weight" not in takes or tensors[0].ndim != 1))):
        inputs = "prediction, target" if "reduction" in takes else "x"
        raise TypeError(f"{name}() makes a layer, and takes no tensors; make it and then call it: {called}()({inputs})")
    if any(p.kind is p.VAR_KEYWORD for p in takes.values()):
        return
    for key, value in kwargs.items():
        if key == "dim" and "axis" in takes:
            raise TypeError(f"{name}() takes axis=, not dim=: write {called}(axis={value!r})")
        if key in ("size_average", "reduce") and "reduction" in takes:
            raise TypeError(f"{name}() takes no {key}=: write reduction='mean', 'sum' or 'none'")
        if key in ("inplace", "device") and key not in takes:
            raise TypeError(f"{name}() takes no {key}=: leave it out; {_WITHOUT[key]}")
        if key not in takes and takes:
            raise TypeError(unexpected(name, key, list(takes)))
    if not takes:
        raise TypeError(f"{name}() takes no arguments: write {called}()")


_WITHOUT = {"inplace": "a layer makes a new tensor", "device": "numbers are in the memory of this computer"}

_MEMORY = "its numbers are NumPy arrays, in the memory of this computer: leave it out"

ELSEWHERE = {
    "cuda": _MEMORY,
    "cpu": _MEMORY,
    "device": _MEMORY,
    "register_backward_hook": "write model.register_full_backward_hook(hook)",
    "register_full_backward_pre_hook": "write model.register_full_backward_hook(hook), which is shown ∂L/∂output too",
    "get_submodule": "write dict(model.named_modules())[path]",
    "get_parameter": "write dict(model.named_parameters())[path]",
    "load_state": "write model.load_state_dict(state)",
    "compile": "write step = tg.replay(step) for the function of a training step",
    "fit": "write train.Trainer(model, optimizer, loss).fit((x, y), epochs=10)",
    "predict": "write model.eval()(x), inside with tg.no_grad()",
    "summary": "write nn.summary(model, shape_of_x)",
}
"""What to write for what PyTorch's and Keras's models have."""


def missing(module: Any, name: str) -> AttributeError:
    """The error for an attribute that a module does not have: it says what to write instead, or which name is near."""
    message = f"{type(module).__name__} has no attribute {name!r}"
    if name in ELSEWHERE:
        message += f"; {ELSEWHERE[name]}"
    elif not name.startswith("__"):
        message += meant(name, [*vars(module), *dir(type(module))])
    return AttributeError(message, name=name, obj=module)


def nothing(module: Any) -> TypeError:
    """The error for a module that is called with None."""
    return TypeError(f"{module!r} got None for x; does the forward() that made it end with `return`, and its result?")


def named(kind: str, name: Any, module: Any) -> str:
    """Return the name for a new member when it is checked. Raises TypeError or KeyError for one that cannot be."""
    if not isinstance(name, str):
        raise TypeError(f"the name of a {kind} is text, but got {type(name).__name__} {name!r:.60}")
    if not name or "." in name:
        raise KeyError(f"the name of a {kind} stands between the points of a path, and is no {name!r}")
    if name not in vars(module) and hasattr(type(module), name):
        raise KeyError(f"{type(module).__name__} has {name!r} already; call the {kind} otherwise")
    return name


def type_to_cast_to(dtype: Any) -> np.dtype[Any]:
    """The floating type that `to()` was given. Raises TypeError for a device and for other types."""
    if isinstance(dtype, str) and dtype.partition(":")[0] in ("cpu", "cuda", "mps"):
        raise TypeError(f"numbers are in the memory of this computer: leave .to({dtype!r}) out")
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or dtype is None or found.kind != "f":
        raise TypeError(f"to() takes a floating type such as np.float32 or 'float64', but got {dtype!r:.60}")
    return found

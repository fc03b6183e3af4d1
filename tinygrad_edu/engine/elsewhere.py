"""What is called otherwise elsewhere: PyTorch's and NumPy's names that tinygrad_edu does not have, and what to write."""

from __future__ import annotations

import dis
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tinygrad_edu.engine.registry import ANSWERS, LATER

_IMPORT_FROM = dis.opmap["IMPORT_FROM"]  # the instruction of `from module import name`

TYPES = ("bfloat16", "bool", "complex128", "complex64", "double", "float", "float16", "float32", "float64", "half", "int",
         "int16", "int32", "int64", "int8", "long", "short", "uint8")  # fmt: skip
"""What PyTorch's types are called; here they are NumPy's."""

NUMPY_TYPES = {
    "double": "float64", "float": "float32", "half": "float16", "int": "int32", "long": "int64", "short": "int16",
    "bfloat16": "float16", "bool": "bool_",
}  # fmt: skip

NAMES = {
    "Parameter": "nn.Parameter(…)",
    "Generator": "np.random.default_rng(seed)",
    "as_tensor": "tg.Tensor(data)",
    "asarray": "tg.Tensor(data)",
    "array": "tg.Tensor(data)",
    "bernoulli": "np.random.default_rng().random(shape) < p",
    "cat": "tg.concatenate(tensors, axis)",
    "clamp": "tg.clip(x, min, max)",
    "compile": "tg.replay(f)",
    "dtype": "np.dtype(…)",
    "empty": "tg.zeros(shape)",
    "from_numpy": "tg.Tensor(array)",
    "func": "tg.grad, tg.vjp, tg.jvp, tg.jacobian, tg.hessian",
    "gather": "tg.take_along_axis(x, indices, axis)",
    "index_select": "tg.take(x, indices, axis)",
    "is_tensor": "isinstance(x, tg.Tensor)",
    "isin": "np.isin(x, values)",
    "load": "train.load_checkpoint(path, model=model)",
    "logspace": "10 ** tg.linspace(start, stop, n)",
    "mm": "tg.matmul(a, b)",
    "bmm": "tg.matmul(a, b)",
    "mv": "tg.matmul(a, b)",
    "mul": "tg.multiply(a, b)",
    "div": "tg.divide(a, b)",
    "sub": "tg.subtract(a, b)",
    "neg": "tg.negative(x)",
    "norm": "np.linalg.norm(x)",
    "normal": "tg.randn(shape) * std + mean",
    "numel": "x.size",
    "onnx": "tg.export.onnx(model, x, path)",
    "randint": "np.random.default_rng().integers(low, high, shape)",
    "randperm": "np.random.default_rng().permutation(n)",
    "save": "train.save_checkpoint(path, model=model)",
    "scatter": "tg.index_update(x, index, new)",
    "seed": "tg.manual_seed(seed)",
    "topk": "tg.sort(x)[..., -n:]",
    "unsqueeze": "tg.expand_dims(x, axis)",
    "utils": "tinygrad_edu.data for data",
    "vmap": "a batch axis in front, or np.stack([f(x) for x in batch])",
}
"""PyTorch's functions, and what to write."""


def missing(name: str, known: Sequence[str]) -> AttributeError | ImportError:
    """The error for `tg.name`, with what to write instead where there is such a thing; called by `__getattr__` itself."""
    return _absent("tinygrad_edu", name, f"tinygrad_edu has no {name}{_cure(name, known)}")


def _absent(module: str, name: str, message: str) -> AttributeError | ImportError:
    """The error for a name that a module lacks, made by what its `__getattr__` calls.

    Python drops the message of an AttributeError in `from module import name`, so there it is an ImportError.
    """
    frame = sys._getframe(3)
    if frame.f_code.co_code[frame.f_lasti] == _IMPORT_FROM:
        return ImportError(message, name=module)
    return AttributeError(message, name=name)


def near(name: str, known: Sequence[str]) -> list[str]:
    """The known names that a name may be a misspelling of."""
    from difflib import get_close_matches  # here, since few programs misspell

    return get_close_matches(name, known)


def meant(name: str, known: Sequence[str], written: str = "{}") -> str:
    """The end of an error about a name: the known names that may be meant, each as it is `written`; "" if there are none."""
    close = near(name, known)
    return f"; did you mean {' or '.join([written.format(other) for other in close])}?" if close else ""


def _cure(name: str, known: Sequence[str]) -> str:
    if name in TYPES:
        return f"; types are NumPy's: write np.{NUMPY_TYPES.get(name, name)}"
    if name in NAMES:
        return f"; write {NAMES[name]}"
    if name in MEMORY:
        return "; all is computed in the memory of this computer: leave it out"
    if name in HERE:
        return f"; for a Tensor t, write {HERE[name]}"
    if name in IN_PLACE or name.endswith("_"):
        return "; to write in place: with no_grad(): t += …, or t[...] = …"
    if _answered(name):
        return f"; write np.{name}(…), which takes tensors"
    return meant(name, known)


def _answered(name: str) -> bool:
    """Whether tensors answer for NumPy's function of this name."""
    function = getattr(np, name, None)
    return function is not None and (function in ANSWERS or name in LATER)


ARGUMENTS = {"learning_rate": "lr", "decay": "weight_decay", "beta": "betas", "epsilon": "eps"}
"""Arguments of other libraries, and the same here."""


LACKED = {
    "decoupled_weight_decay": "write AdamW, whose decay is decoupled",
    "padding_mode": "only convolutions that are not transposed take it; leave it out",
    "proj_size": "only LSTM projects its states; write nn.LSTM(…, proj_size=…), or a Linear layer behind this one",
}
"""What to write for PyTorch's arguments that a class lacks, where a near name would mislead."""


def unexpected(who: str, name: str, takes: Sequence[str]) -> str:
    """What is said of an argument that a class or function does not take."""
    if name in LACKED:
        return f"{who}() takes no {name}=: {LACKED[name]}"
    close = [ARGUMENTS[name]] if ARGUMENTS.get(name) in takes else near(name, takes)
    said = f"did you mean {' or '.join(f'{other}=' for other in close)}?" if close else f"it takes {', '.join(takes)}"
    return f"{who}() takes no {name}=: {said}"


class TellsArguments:
    """A base whose subclasses, made with an argument that they do not take, name the one that is near, or all."""

    __slots__ = ()

    if not TYPE_CHECKING:  # a type checker shall still see the arguments of `__init__`

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            """Raises TypeError for an argument by a name that `__init__` does not have."""
            takes = dict(list(inspect.signature(cls.__init__).parameters.items())[1:]) if kwargs else {}
            if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values()):
                for name in kwargs.keys() - takes.keys():
                    raise TypeError(unexpected(cls.__name__, name, list(takes)))
            return super().__new__(cls)


class Page(ModuleType):
    """A module such as `optim.adam`, which has the name of a class in lower case: called, it names the class."""

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Raises TypeError, with the class to write."""
        room, _, name = self.__name__.rpartition(".")
        meant = [f"{room.rpartition('.')[2]}.{x}(…)" for x in sys.modules[room].__all__ if x.lower() == name]
        raise TypeError(f"{self.__name__} is a module; write {' or '.join(meant)}")


def answering(
    module: str,
    names: Iterable[str],
    cures: Mapping[str, str],
    borrowed: Mapping[str, Callable[[], Any]] | None = None,
) -> Callable[[str], Any]:
    """The `__getattr__` of a module that has `names`: it raises, and says what to write for those that others have.

    The module's pages that have the name of a class in lower case get to say so when they are called.

    cures: what to write, by name, or by several names of which the same is to be said. borrowed: what gives the names of
    another library that the module passes on, which is imported when they are first asked for.
    """
    for page in [sys.modules.get(f"{module}.{name.lower()}") for name in names if not name.islower()]:
        if page is not None:
            page.__class__ = Page
    borrowed = borrowed or {}
    known = sorted([*names, *borrowed])
    told = {name: cure for several, cure in cures.items() for name in several.split()}

    def refused(name: str) -> AttributeError | ImportError:
        close = near(name, known) or [x for x in known if x.lower() == name.lower()]
        said = told.get(name) or (f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(known)}")
        return _absent(module, name, f"{module} has no {name}: {said}")

    def __getattr__(name: str) -> Any:
        if name in borrowed:
            return borrowed[name]()
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        raise refused(name)

    return __getattr__


def refuse_zeros(set_to_none: bool) -> None:
    """Raise for `zero_grad(set_to_none=False)`."""
    if not set_to_none:
        raise ValueError(
            "zero_grad() forgets gradients, so that a parameter which gets none is left alone by step(); leave set_to_none=False "
            "out, or write p.grad = np.zeros_like(p.numpy()) for each parameter"
        )


# ---------------------------------------------------------------------------------------------------
# Attributes of tensors


HERE = {
    "add": "t + other",
    "bmm": "t @ other",
    "bool": "t.astype(bool)",
    "chunk": "np.array_split(t, n)",
    "clamp": "t.clip(min, max)",
    "dim": "t.ndim",
    "div": "t / other",
    "double": "t.astype(np.float64)",
    "eq": "t == other",
    "expand": "np.broadcast_to(t, shape)",
    "float": "t.astype(np.float32)",
    "gather": "np.take_along_axis(t, indices, axis)",
    "ge": "t >= other",
    "grad_fn": "t.op",
    "gt": "t > other",
    "half": "t.astype(np.float16)",
    "index_select": "np.take(t, indices, axis)",
    "int": "t.astype(np.int32)",
    "le": "t <= other",
    "long": "t.astype(np.int64)",
    "lt": "t < other",
    "masked_fill": "np.where(mask, value, t)",
    "masked_select": "t[mask]",
    "mm": "t @ other",
    "mul": "t * other",
    "mv": "t @ other",
    "ne": "t != other",
    "neg": "-t",
    "norm": "np.linalg.norm(t)",
    "numel": "t.size",
    "rsqrt": "1 / np.sqrt(t)",
    "scatter_add": "tg.scatter_add(t, index, values)",
    "split": "np.split(t, parts)",
    "sub": "t - other",
    "t": "t.T",
    "to": "t.astype(dtype)",
    "topk": "np.sort(t)[..., -n:]",
    "type": "t.astype(dtype)",
    "unbind": "np.unstack(t)",
    "view": "t.reshape(shape)",
    "where": "np.where(condition, t, other)",
}
"""What PyTorch's methods are called here, where NumPy has another name for them."""


MEMORY = ("cuda", "cpu", "device", "is_cuda", "contiguous", "pin_memory")
"""What is about where the numbers are."""


IN_PLACE = ("abs_", "add_", "clamp_", "copy_", "div_", "exp_", "fill_", "mul_", "neg_", "pow_", "relu_", "sub_",
            "zero_")  # fmt: skip
"""What PyTorch writes in place."""


def _cure_of_tensors(name: str) -> str | None:
    """What to write for a method of PyTorch's or NumPy's that a Tensor does not have."""
    if name in HERE:
        return f"write {HERE[name]}" + ("; there is one device, so .to(device) is left out" if name == "to" else "")
    if name in MEMORY:
        return "its numbers are a NumPy array, in the memory of this computer: leave it out"
    if name.endswith("_") or name in ("fill", "put", "resize", "setfield", "setflags"):
        return "to write in place: with no_grad(): t += …, or t[...] = …"
    if _answered(name):
        return f"write np.{name}(t)" if getattr(getattr(np, name), "nin", 2) == 1 else f"write np.{name}(t, …)"
    return f"write t.numpy().{name}" if hasattr(np.ndarray, name) else None


class Elsewhere:
    """An attribute that is not there: looked up, it raises an AttributeError that says what to write.

    One for each name, since a `__getattr__` would slow down every attribute of every tensor.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        cure = _cure_of_tensors(self._name)
        said = f"a Tensor has no .{self._name}; {cure}" if cure else f"'Tensor' object has no attribute '{self._name}'"
        raise AttributeError(said, name=self._name, obj=instance)


K = TypeVar("K", bound=type)


def tells_elsewhere(kind: K) -> K:
    """The class, with what NumPy's and PyTorch's users may look for and it does not have: a decorator."""
    functions = [name for name, f in vars(np).items() if name[0] != "_" and callable(f) and not isinstance(f, type)]
    for name in {*HERE, *MEMORY, *IN_PLACE, *functions, *dir(np.ndarray)}:
        if name[0] != "_" and not hasattr(kind, name):
            setattr(kind, name, Elsewhere(name))
    return kind

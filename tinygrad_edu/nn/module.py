"""Module: parameters, sub-modules and a `forward`, found by looking at what an object holds.

    class Net(nn.Module):
        def __init__(self):
            self.hidden = nn.Linear(64, 50)
            self.output = nn.Linear(50, 10)

        def forward(self, x):
            return self.output(F.relu(self.hidden(x)))

Nothing is registered: a module's members are what `vars(self)` holds, also in lists, tuples and dicts, in the order of
definition, each shared thing once. A `Parameter` is learnt, a `Buffer` is state that is not learnt (running
statistics), and any other tensor is an attribute like any other.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinygrad_edu.engine.elsewhere import refuse_zeros
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.engine.recording import SCOPE, watched
from tinygrad_edu.engine.refusals import raised_on_purpose, users_own
from tinygrad_edu.engine.registry import Edits
from tinygrad_edu.engine.tensor import Tensor

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike, DType
    from tinygrad_edu.engine.signatures import HasForward, P, R


class _Named(Tensor):
    """A tensor that is called by its place in a module (`layers.0.weight`) as long as it has no name of its own."""

    __slots__ = ("_path",)

    _path: str | None

    def _place(self, path: str) -> None:
        if self.name is None or self.name is getattr(self, "_path", None):
            self.name = self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        make, (kind, data, requires_grad, name, grad), attributes = super().__reduce__()
        name = None if name is getattr(self, "_path", None) else name
        return make, (kind, data, requires_grad, name, grad), attributes


class Parameter(_Named):
    """A leaf that a module learns: it requires a gradient unless told not to.

    >>> w = Parameter([1.0, 2.0])
    >>> w.requires_grad
    True
    """

    __slots__ = ()

    def __init__(
        self, data: ArrayLike, requires_grad: bool = True, *, dtype: DType = None, name: str | None = None
    ) -> None:
        super().__init__(data, requires_grad, dtype=dtype, name=name)


class Buffer(_Named):
    """A leaf that belongs to a module's state but is not learnt: a running mean, a mask."""

    __slots__ = ()

    def __init__(self, data: ArrayLike, *, dtype: DType = None, name: str | None = None) -> None:
        super().__init__(data, dtype=dtype, name=name)

    def requires_grad_(self, value: bool = True) -> Self:
        """A buffer is not learnt: raises TypeError if asked to be."""
        if value:
            raise TypeError(f"{self.describe()} is a buffer, which is not learnt; make it a Parameter")
        return self


class Scope:
    """One call of a module: nodes recorded during it carry it, and figures draw them as one box.

    parent: the call of the module that this one was called by, or None. module: the module, or None once it is gone.
    Equal calls are different scopes: a cell that is called ten times makes ten.
    """

    __slots__ = ("_module", "kind", "parent")

    def __init__(self, module: Module, parent: Scope | None) -> None:
        self._module = weakref.ref(module)  # a tensor that the module keeps must not keep the module
        self.kind = type(module).__name__
        self.parent = parent

    @property
    def module(self) -> Module | None:
        """The module that was called."""
        return self._module()

    @property
    def path(self) -> str:
        """The module's name in the outermost module that was called: `layers.0`; '' for that module itself."""
        root = self._outermost().module
        inside = root.named_modules() if root is not None else ()
        return next((path for path, module in inside if module is self.module), "")

    def _outermost(self) -> Scope:
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def __repr__(self) -> str:
        return ".".join([self._outermost().kind, self.path]).rstrip(".")


class Mode:
    """`module.training`: True unless it was set."""

    @watched
    def __get__(self, module: Module | None, kind: type[Module]) -> bool:
        if module is None:
            return True
        return vars(module).get("training", True)

    def __set__(self, module: Module, mode: bool) -> None:
        if not isinstance(mode, bool | int | np.bool_):
            raise TypeError(
                f"training is the mode of every module, True or False, but got {type(mode).__name__}; call the attribute otherwise"
            )
        vars(module)["training"] = mode


class Module:
    """The base of layers and networks: write `forward`, and keep parameters and sub-modules as attributes.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.height = Parameter(2.0), Parameter(1.0)
    ...     def forward(self, x):
    ...         return x * self.slope + self.height
    >>> line = Line()
    >>> line(3.0).item(), [name for name, _ in line.named_parameters()]
    (7.0, ['slope', 'height'])
    """

    training = Mode()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, value in vars(cls).items():
            if name in METHODS and not callable(value) and not hasattr(value, "__get__"):
                raise _taken(cls, name, value)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; called as `module(x)`."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(self, x): write what it computes there")

    def __call__(self: HasForward[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`forward`, with what it records marked as this module's.

        It runs in a copy of the context, so a context variable that it sets, `set_grad_enabled` too, is as before when it
        has ended.
        """
        return copy_context().run(forward_of, self, args, kwargs)  # type: ignore[arg-type]  # self is a Module

    def _named_members(self) -> list[tuple[str, Any]]:
        """What the module holds, by name; parameters and modules are looked for in it."""
        return list(vars(self).items())

    # -- what it holds ------------------------------------------------------------------------------

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module, named '', and all modules inside it, each once, before those inside it."""
        yield "", self
        for path, member in _members(self):
            if isinstance(member, Module):
                yield path, member

    def modules(self) -> Iterator[Module]:
        """This module and all modules inside it."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules that this one holds itself, also in lists, tuples and dicts."""
        for path, member in _members(self, deep=False):
            if isinstance(member, Module):
                yield path, member

    def children(self) -> Iterator[Module]:
        """The modules that this one holds itself."""
        return (module for _, module in self.named_children())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """The parameters, frozen ones too, with their paths (`layers.0.weight`); each once, by its first path.

        A parameter without a name is called by its path from then on, in errors and figures.
        """
        for path, member in _members(self):
            if isinstance(member, Parameter):
                member._place(path)
                yield path, member

    def parameters(self) -> Iterator[Parameter]:
        """The parameters, in the order of definition."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """The buffers with their paths."""
        for path, member in _members(self):
            if isinstance(member, Buffer):
                member._place(path)
                yield path, member

    def buffers(self) -> Iterator[Buffer]:
        """The buffers, in the order of definition."""
        return (buffer for _, buffer in self.named_buffers())

    # -- what it is told ----------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Put this module and all inside it in training mode, or with `mode=False` in evaluation mode."""
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self) -> Self:
        """Put this module and all inside it in evaluation mode."""
        return self.train(False)

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call `function` on this module and all inside it, in the order of definition."""
        for module in list(self.modules()):
            function(module)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradient of every parameter."""
        refuse_zeros(set_to_none)
        for parameter in self.parameters():
            parameter.zero_grad()

    def requires_grad_(self, value: bool = True) -> Self:
        """Learn every parameter, or with `False` freeze them all."""
        for parameter in self.parameters():
            parameter.requires_grad_(value)
        return self

    # -- state --------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Copies of all parameters and buffers, as arrays by path; what is shared is there once.

        >>> from tinygrad_edu import nn
        >>> {name: array.shape for name, array in nn.Linear(3, 2).state_dict().items()}
        {'weight': (3, 2), 'bias': (2,)}
        """
        return {path: numbers(member, "state_dict()").copy() for path, member in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Write the arrays of `state` into the parameters and buffers of the same paths.

        Raises ValueError, naming every path that is missing, not expected, or of another shape or kind; nothing is then
        changed. Values are copied, so what is tied stays tied, and `state` stays its owner's.

        PyTorch keeps the weights of a linear layer transposed, (out, in). The error says so of a shape that would fit; of a
        square weight it cannot be seen, and is loaded as it is: transpose what comes from PyTorch, `state["0.weight"].T`.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"load_state_dict() takes a mapping of names to arrays, but got {type(state).__name__}")
        own = self._state()
        given = {
            path: np.asarray(value.ndarray if isinstance(value, Tensor) else value) for path, value in state.items()
        }
        faults = [f"missing: {path} {member.shape}" for path, member in own.items() if path not in given]
        faults += [f"not expected: {path} {array.shape}" for path, array in given.items() if path not in own]
        for path, array in given.items():
            if path in own:
                mine = own[path]
                if array.shape != mine.shape:
                    faults.append(f"{path}: expected shape {mine.shape}, but got {array.shape}")
                    if array.ndim == 2 and array.shape == mine.shape[::-1]:
                        faults[-1] += (
                            f", which is transposed, as PyTorch keeps it: write state[{path!r}] = state[{path!r}].T"
                        )
                elif not np.can_cast(array.dtype, mine.dtype, "same_kind"):
                    faults.append(f"{path}: expected {mine.dtype}, but got {array.dtype}")
        if faults:
            lines = "\n  ".join(faults)
            raise ValueError(f"the state does not fit {type(self).__name__}, which is unchanged:\n  {lines}")
        for path, member in own.items():
            numbers(member, "load_state_dict()")[...] = given[path]
            member.note_write()

    def _state(self) -> dict[str, Parameter | Buffer]:
        """All parameters and buffers by path."""
        state: dict[str, Parameter | Buffer] = {}
        for path, member in _members(self):
            if isinstance(member, Parameter | Buffer):
                if path in state:
                    raise ValueError(f"two members of {type(self).__name__} are both called {path!r}; rename one")
                member._place(path)
                state[path] = member
        return state

    def __getstate__(self) -> dict[str, Any]:
        """What copying and pickling keep: a result that a layer cached from its last call leaves its graph."""
        return {
            key: value.detach() if isinstance(value, Tensor) and value.op is not None else value
            for key, value in vars(self).items()
            if key != "_named"  # copies have no names yet
        }

    # -- how it looks -------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """The arguments that `repr` shows between the parentheses."""
        return ""

    def _line(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def __repr__(self) -> str:
        inside = [f"({name}): {child!r}" for name, child in self.named_children()]
        if not inside:
            return self._line()
        text = "\n".join([self.extra_repr(), *inside] if self.extra_repr() else inside)
        return f"{type(self).__name__}(\n  " + text.replace("\n", "\n  ") + "\n)"

    if not TYPE_CHECKING:  # a type checker shall still see an unknown attribute, and an argument that __init__ lacks

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            """Refuses what a layer is not made with, such as its input, and says what to write."""
            if args or kwargs:
                _check_arguments(cls, args, kwargs)
            return super().__new__(cls)

        __new__.__signature__ = inspect.Signature([inspect.Parameter("cls", inspect.Parameter.POSITIONAL_ONLY)])

        @watched
        def __setattr__(self, name: str, value: Any) -> None:
            """Refuses to lose a parameter or buffer to a plain tensor, as in `self.w = self.w - 0.1 * g`, and a method to what
            is no function, as in `self.modules = [...]`."""
            if name in METHODS and not inspect.isroutine(value):
                raise _taken(type(self), name, value)
            if isinstance(value, Tensor) and not isinstance(value, Parameter | Buffer):
                old = vars(self).get(name)
                if isinstance(old, Parameter | Buffer):
                    raise TypeError(
                        f"{type(self).__name__}.{name} is a {type(old).__name__}, and a plain Tensor in its place would drop "
                        f"out of the module's state; write into it, `with no_grad(): module.{name}[...] = value`, "
                        f"or assign a {type(old).__name__}"
                    )
            object.__setattr__(self, name, value)
            Edits.note()

        @watched
        def __delattr__(self, name: str) -> None:
            object.__delattr__(self, name)
            Edits.note()

        def __getattr__(self, name: str) -> Any:
            """Only reached for what is not there: says what is."""
            if hasattr(type(self), name):
                return object.__getattribute__(self, name)  # a property that raised AttributeError: its own message
            message = f"{type(self).__name__} has no attribute {name!r}"
            if name in ELSEWHERE:
                message += f"; {ELSEWHERE[name]}"
            elif not name.startswith("__"):
                from difflib import get_close_matches

                close = get_close_matches(name, [*vars(self), *dir(type(self))])
                if close:
                    message += f"; did you mean {' or '.join(close)}?"
            raise AttributeError(message, name=name, obj=self)


METHODS = frozenset(name for name, value in vars(Module).items() if name[0] != "_" and inspect.isfunction(value))
"""The names of what every module can do, which are not to be attributes."""


def _taken(kind: type, name: str, value: Any) -> TypeError:
    """The error for an attribute that would hide a method."""
    other = {"modules": "layers", "children": "layers", "parameters": "weights", "buffers": "state"}.get(
        name, f"my_{name}"
    )
    return TypeError(
        f"{kind.__name__}.{name} is a method of every Module, and {type(value).__name__} in its place would hide it; call the "
        f"attribute otherwise: self.{other} = ..."
    )


def _check_arguments(kind: type[Module], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise TypeError for arguments that other libraries' layers take here, or that are a layer's input."""
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
    if not takes:
        raise TypeError(f"{name}() takes no arguments: write {called}()")


_WITHOUT = {"inplace": "a layer makes a new tensor", "device": "numbers are in the memory of this computer"}

_MEMORY = "its numbers are NumPy arrays, in the memory of this computer: leave it out"
_FLOATS = "write tg.set_default_dtype(np.{0}) before making it, or make its layers with dtype=np.{0}"

ELSEWHERE = {
    "to": _MEMORY + "; for another dtype, call tg.set_default_dtype(np.float64) before making it",
    "cuda": _MEMORY,
    "cpu": _MEMORY,
    "device": _MEMORY,
    "double": _FLOATS.format("float64"),
    "float": _FLOATS.format("float32"),
    "half": _FLOATS.format("float16"),
    "add_module": "write model.name = layer, or setattr(model, name, layer)",
    "register_module": "write model.name = layer, or setattr(model, name, layer)",
    "register_buffer": "write self.name = nn.Buffer(array)",
    "register_parameter": "write self.name = nn.Parameter(array)",
    "register_forward_hook": "write what it does into forward(), or into a module around this one",
    "get_submodule": "write dict(model.named_modules())[path]",
    "get_parameter": "write dict(model.named_parameters())[path]",
    "load_state": "write model.load_state_dict(state)",
    "compile": "write step = tg.replay(step) for the function of a training step",
    "fit": "write the loop: for x, y in loader: optimizer.zero_grad(); loss(model(x), y).backward(); optimizer.step()",
    "predict": "write model.eval()(x), inside with tg.no_grad()",
    "summary": "print(model), or [(name, p.shape) for name, p in model.named_parameters()]",
}
"""What to write for what PyTorch's and Keras's models have."""


@watched
def forward_of(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`module.forward`, in a context that is this call's own."""
    scope = Scope(module, SCOPE.get())
    SCOPE.set(scope)
    if scope.parent is None and "_named" not in vars(module):
        _name_members(module)
    try:
        return module.forward(*args, **kwargs)
    except Exception as error:
        if not hasattr(error, "raised_in"):  # the innermost module says where it is
            _say_where(error, scope, module)
        if scope.parent is None:
            error.__traceback__ = users_own(error)
        raise


def _name_members(module: Module) -> None:
    """Call the parameters and buffers that have no name by their paths: once, so that errors and figures can tell what
    they are when the module is gone."""
    vars(module)["_named"] = True
    try:
        for path, member in _members(module):
            if isinstance(member, Parameter | Buffer) and member.name is None:
                member._place(path)
    except TypeError:  # a set of modules: those who ask for the parameters are told
        pass


def _say_where(error: Any, scope: Scope, module: Module) -> None:
    """Put the path of the module before the message of an error that says what is wrong; note it below any other.

    The error has it as its attribute `raised_in` too.
    """
    error.raised_in = str(scope)
    message = error.args[0] if len(error.args) == 1 else None
    if not isinstance(message, str) or not raised_on_purpose(error):
        error.add_note(f"raised in {scope}: {module._line()}")
    elif scope.parent is not None:  # the outermost module is what the caller called
        error.args = (f"{scope}: {message}",)


def _members(module: Module, deep: bool = True) -> Iterator[tuple[str, Module | Parameter | Buffer]]:
    """The modules, parameters and buffers inside a module, each once, in the order of definition, with their paths.

    With `deep=False`, what is inside those modules is left out.
    """
    seen: set[int] = {id(module)}
    stack: list[Iterator[tuple[str, Any]]] = [_items(module, "")]
    while stack:
        found = next(stack[-1], None)
        if found is None:
            stack.pop()
            continue
        path, value = found
        member = isinstance(value, Module | Parameter | Buffer)
        if not member and not isinstance(value, list | tuple | dict | set | frozenset):
            continue
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Module | Parameter | Buffer):
            yield path, value
            if deep and isinstance(value, Module):
                stack.append(_items(value, path + "."))
        elif isinstance(value, set | frozenset):
            if any(isinstance(x, Module | Parameter | Buffer) for x in value):
                raise TypeError(f"{path} is a set, which has no order to name its members by; use a list")
        else:
            stack.append(_items(value, path + "."))


def _items(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """What a module, dict, list or tuple holds, with names that begin with `prefix`."""
    if isinstance(value, Module):
        items: Any = value._named_members()
    elif isinstance(value, dict):
        items = value.items()
    else:
        items = enumerate(value)
    return ((f"{prefix}{key}", item) for key, item in items)

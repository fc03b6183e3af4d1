"""Module: the base of layers and networks, which holds parameters and further modules, and computes `forward`.

    class Net(nn.Module):
        def __init__(self):
            self.hidden = nn.Linear(64, 50)
            self.output = nn.Linear(50, 10)

        def forward(self, x):
            return self.output(F.relu(self.hidden(x)))

Nothing is registered. The members of a module are what `vars(self)` holds, also in lists, tuples and dicts, in the
order of definition, and each shared one counts once. A `Parameter` is learnt, a `Buffer` is state that is not learnt
(running averages), and any other tensor is an attribute like any other.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinygrad_edu.engine.elsewhere import refuse_zeros
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.engine.recording import SCOPE, watched
from tinygrad_edu.engine.refusals import users_own
from tinygrad_edu.engine.registry import Edits
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn.answers import check_arguments, missing, named, taken, type_to_cast_to
from tinygrad_edu.nn.hooks import Handle, Hooks, attach
from tinygrad_edu.nn.parameter import Buffer, Parameter
from tinygrad_edu.nn.scope import Scope, say_where
from tinygrad_edu.nn.state import LoadReport, load

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike, DType
    from tinygrad_edu.engine.signatures import HasForward, P, R


class Mode:
    """The attribute `training` of modules: it is True until it is set."""

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
    """The base of layers and networks. Write `forward`, and keep parameters and further modules as attributes.

    Calling `module(x)` runs `forward`, and marks what it records as this module's, for figures and errors. Hooks,
    states, modes and repr follow from the attributes; `super().__init__()` need not be called.

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
    _hooks: Hooks | None = None
    _computed: dict[str, Callable[[Any], Any]]  # attributes that are computed from others whenever they are read

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, value in vars(cls).items():
            if name in METHODS and not callable(value) and not hasattr(value, "__get__"):
                raise taken(cls, name, value)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the module's output. A subclass writes this method; call it as `module(x)`."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(self, x): write what it computes there")

    def __call__(self: HasForward[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `forward`, and mark what it records as this module's.

        It runs in a copy of the context. So a context variable that `forward` sets, also by `set_grad_enabled`, has its
        old value again afterwards.
        """
        return copy_context().run(forward_of, self, args, kwargs)  # type: ignore[arg-type]  # self is a Module

    def _named_members(self) -> list[tuple[str, Any]]:
        """What the module holds, by name. Parameters and modules are looked for in these values."""
        return list(vars(self).items())

    # -- what it holds ------------------------------------------------------------------------------

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Yield this module, with the path '', and all modules inside it, each once and before those inside it."""
        yield "", self
        for path, member in members(self):
            if isinstance(member, Module):
                yield path, member

    def modules(self) -> Iterator[Module]:
        """Yield this module and all modules inside it."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules that this one holds itself, also in lists, tuples and dicts, with their names."""
        for path, member in members(self, deep=False):
            if isinstance(member, Module):
                yield path, member

    def children(self) -> Iterator[Module]:
        """Yield the modules that this one holds itself."""
        return (module for _, module in self.named_children())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield the parameters, frozen ones too, with their paths (`layers.0.weight`), each once, by its first path.

        From then on a parameter without a name is called by its path, in errors and figures.
        """
        for path, member in members(self):
            if isinstance(member, Parameter):
                member.place(path)
                yield path, member

    def parameters(self) -> Iterator[Parameter]:
        """Yield the parameters, frozen ones too, in the order of definition."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """Yield the buffers with their paths."""
        for path, member in members(self):
            if isinstance(member, Buffer):
                member.place(path)
                yield path, member

    def buffers(self) -> Iterator[Buffer]:
        """Yield the buffers, in the order of definition."""
        return (buffer for _, buffer in self.named_buffers())

    # -- what it is told ----------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Put this module and all inside it in training mode, or with `mode=False` in evaluation mode. Returns the
        module.
        """
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self) -> Self:
        """Put this module and all inside it in evaluation mode, in which dropout drops nothing. Returns the module."""
        return self.train(False)

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call `function` on this module and all inside it, in the order of definition. Returns the module."""
        for module in list(self.modules()):
            function(module)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradient of every parameter to None."""
        refuse_zeros(set_to_none)
        for parameter in self.parameters():
            parameter.zero_grad()

    def requires_grad_(self, value: bool = True) -> Self:
        """Have every parameter learnt, or with `False` freeze them all. Returns the module."""
        for parameter in self.parameters():
            parameter.requires_grad_(value)
        return self

    def to(self, dtype: DType) -> Self:
        """Convert all parameters and floating buffers, and their gradients, to another floating type. Returns the
        module.

        They stay the same tensors. An optimizer's own numbers keep the old type, so make the optimizer afterwards.

        Raises TypeError for what is no floating type.
        """
        wanted = type_to_cast_to(dtype)
        for _, member in members(self):
            if isinstance(member, Parameter | Buffer) and member.dtype.kind == "f":
                member.cast(wanted)
        return self

    def double(self) -> Self:
        """Convert parameters and floating buffers to float64; see `to`."""
        return self.to(np.float64)

    def half(self) -> Self:
        """Convert parameters and floating buffers to float16; see `to`."""
        return self.to(np.float16)

    def float(self) -> Self:
        """Convert parameters and floating buffers to float32; see `to`."""
        return self.to(np.float32)

    # -- members by name ----------------------------------------------------------------------------

    def add_module(self, name: str, module: Module | None) -> None:
        """Set `self.name = module`, where the name is given as text."""
        if not isinstance(module, Module | None):
            raise TypeError(f"add_module() takes a module, but got {type(module).__name__} {module!r:.60}")
        setattr(self, named("module", name, self), module)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Set `self.name = param`, where the name is given as text."""
        if not isinstance(param, Parameter | None):
            raise TypeError(
                f"register_parameter() takes a Parameter, but got {type(param).__name__}; write nn.Parameter(...)"
            )
        setattr(self, named("parameter", name, self), param)

    def register_buffer(self, name: str, tensor: ArrayLike | None, persistent: bool = True) -> None:
        """Set `self.name = nn.Buffer(tensor)`, where the name is given as text.

        persistent: whether `state_dict()` has it.
        """
        made = None if tensor is None else Buffer(tensor, persistent=persistent)
        setattr(self, named("buffer", name, self), made)

    # -- hooks --------------------------------------------------------------------------------------

    def register_forward_pre_hook(self, hook: Callable[[Any, tuple[Any, ...]], Any]) -> Handle:
        """Call `hook(module, args)` before each `forward`. What it returns, if not None, replaces the arguments.

        Returns a handle whose `remove()` takes the hook off. In a replayed function it is called only while it is
        recorded.
        """
        return attach(self, "before", hook)

    def register_forward_hook(self, hook: Callable[[Any, tuple[Any, ...], Any], Any]) -> Handle:
        """Call `hook(module, args, output)` after each `forward`. What it returns, if not None, replaces the output.

        Returns a handle whose `remove()` takes the hook off. In a replayed function it is called only while it is
        recorded.
        """
        return attach(self, "after", hook)

    def register_full_backward_hook(self, hook: Callable[[Any, tuple[Any, ...], tuple[Any, ...]], Any]) -> Handle:
        """Call `hook(module, grad_input, grad_output)` when a gradient has come back through the module.

        grad_input: ∂L/∂x for each positional argument, None for what requires no gradient.
        grad_output: ∂L/∂y for the output, or for each of a tuple.

        What the hook returns, if not None, goes back instead of grad_input. Returns a handle whose `remove()` takes it
        off.
        """
        return attach(self, "back", hook)

    # -- state --------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Copies of all parameters and persistent buffers, as arrays by path; what is shared is there once.

        >>> from tinygrad_edu import nn
        >>> {name: array.shape for name, array in nn.Linear(3, 2).state_dict().items()}
        {'weight': (3, 2), 'bias': (2,)}
        """
        return {path: numbers(member, "state_dict()").copy() for path, member in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> LoadReport:
        """Write the arrays of `state` into the parameters and buffers of the same paths.

        state: arrays or tensors by path, as `state_dict()` returns them. They are copied, so what is tied stays tied.
        strict: whether every path must be in both. With `strict=False` what is missing stays as it is, and what is not
            expected is left out; the report that is returned names both, as `missing_keys` and `unexpected_keys`.

        Raises ValueError, naming every path that is missing, not expected, or of another shape or kind. Nothing is
        changed then.

        PyTorch keeps the weight of a linear layer transposed, (out, in). The error says so of a shape that would fit
        transposed. A square weight fits either way, and is loaded as it is: for a state from PyTorch, transpose it,
        `state["0.weight"].T`.
        """
        return load(type(self).__name__, self._state(), state, strict)

    def _state(self) -> dict[str, Parameter | Buffer]:
        """All parameters and persistent buffers by path."""
        state: dict[str, Parameter | Buffer] = {}
        for path, member in members(self):
            if isinstance(member, Parameter) or (isinstance(member, Buffer) and member.persistent):
                if path in state:
                    raise ValueError(f"two members of {type(self).__name__} are both called {path!r}; rename one")
                member.place(path)
                state[path] = member
        return state

    def __getstate__(self) -> dict[str, Any]:
        """What copying and pickling keep: a result that a layer cached from its last call is detached from its graph."""
        return {
            key: value.detach() if isinstance(value, Tensor) and value.op is not None else value
            for key, value in vars(self).items()
            if key != "_named"  # copies have no names yet
        }

    # -- how it looks -------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """The text that `repr` shows between the parentheses. A subclass may write this method."""
        return ""

    def _line(self) -> str:
        """The module in one line, without the modules inside it."""
        return f"{type(self).__name__}({self.extra_repr()})"

    def __repr__(self) -> str:
        inside = [f"({name}): {child!r}" for name, child in self.named_children()]
        own = [(name, x) for name, x in members(self, deep=False) if isinstance(x, Parameter | Buffer)]
        if not self.extra_repr():
            inside = [f"({name}): {type(x).__name__} {x.shape}" for name, x in own] + inside
        if not inside:
            return self._line()
        count = sum([x.size for _, x in members(self) if isinstance(x, Parameter)])
        text = "\n".join([self.extra_repr(), *inside] if self.extra_repr() else inside)
        said = f"  # {count:,} parameter{'s' * (count != 1)}" if count else ""
        return f"{type(self).__name__}(\n  " + text.replace("\n", "\n  ") + f"\n){said}"

    if not TYPE_CHECKING:  # so that a type checker still reports unknown attributes and arguments

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            """Refuse arguments that a layer is not made with, such as its input, and say what to write."""
            if args or kwargs:
                check_arguments(cls, args, kwargs)
            return super().__new__(cls)

        __new__.__signature__ = inspect.Signature([inspect.Parameter("cls", inspect.Parameter.POSITIONAL_ONLY)])

        @watched
        def __setattr__(self, name: str, value: Any) -> None:
            """Refuse to replace a parameter or buffer by a plain tensor or an array, as in `self.w = self.w - 0.1 * g`, and a
            method by what is no function, as in `self.modules = [...]`: the one would leave the state, the other be
            lost.
            """
            if name in METHODS and not inspect.isroutine(value):
                raise taken(type(self), name, value)
            if name in vars(self).get("_computed", ()):
                raise TypeError(f"{type(self).__name__}.{name} is computed: {self._computed[name]}")
            if hasattr(value, "__array__") and not isinstance(value, Parameter | Buffer):
                old = vars(self).get(name)
                if isinstance(old, Parameter | Buffer):
                    raise TypeError(
                        f"{type(self).__name__}.{name} is a {type(old).__name__}, and a plain {type(value).__name__} in its place would "
                        f"drop out of the module's state; write into it, `with no_grad(): module.{name}[...] = value`, "
                        f"or assign a {type(old).__name__}"
                    )
            object.__setattr__(self, name, value)
            Edits.note()

        @watched
        def __delattr__(self, name: str) -> None:
            object.__delattr__(self, name)
            Edits.note()

        def __getattr__(self, name: str) -> Any:
            """Python calls this only for an attribute that is not there: compute it, or raise an error that says what
            is there.
            """
            if hasattr(type(self), name):
                return object.__getattribute__(self, name)  # a property raised AttributeError: let it say so itself
            if name in vars(self).get("_computed", ()):
                return self._computed[name](self)  # a weight that is computed from others: see `nn.utils.weight_norm`
            raise missing(self, name)


METHODS = frozenset(name for name, value in vars(Module).items() if name[0] != "_" and inspect.isfunction(value))
"""The names of what every module can do, which are not to be attributes."""


@watched
def forward_of(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run `module.forward` in a context that is this call's own, and say in errors where they were raised."""
    scope = Scope(module, SCOPE.get())
    SCOPE.set(scope)
    if scope.parent is None and "_named" not in vars(module):
        _name_members(module)
    hooks = module._hooks
    try:
        return module.forward(*args, **kwargs) if hooks is None else hooks.call(module, args, kwargs)
    except Exception as error:
        if not hasattr(error, "raised_in"):  # the innermost module says where it is
            say_where(error, scope, module._line())
        if scope.parent is None:
            error.__traceback__ = users_own(error)
        raise


def _name_members(module: Module) -> None:
    """Call the parameters and buffers that have no name by their paths. This is done once, so that errors and figures
    can name them even when the module is gone.
    """
    vars(module)["_named"] = True
    try:
        for path, member in members(module):
            if isinstance(member, Parameter | Buffer) and member.name is None:
                member.place(path)
    except TypeError:  # a set of modules, for which `parameters()` raises this error
        pass


def members(module: Module, deep: bool = True) -> Iterator[tuple[str, Module | Parameter | Buffer]]:
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
